"""``lanewise limits``."""

from __future__ import annotations

import pytest

from harness.commands.limits import main
from harness.judging.limits import LIMITS_FOLDER, available_pmds, limits_of_pmd


@pytest.mark.parametrize("arguments", [[], ["400GBASE-DR4"], ["400gbase-dr4"]], ids=range(3))
def test_the_limits_are_printed_with_their_sources(arguments, capsys):
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    limits = limits_of_pmd("400GBASE-DR4")
    assert lines[0].startswith("400GBASE-DR4, later editions of IEEE 802.3")
    assert lines[1] == "layers: standard"
    header = lines.index(next(line for line in lines if line.startswith("parameter")))
    rows = lines[header + 2 : header + 2 + len(limits.rows)]
    for row, line in zip([entry.row for entry in limits.standing()], rows, strict=True):
        assert line.startswith(row.title)
        assert row.source in line
        assert row.edition in line
        assert f" {row.force} " in line
        assert f" {row.grade} " in line


@pytest.mark.parametrize(
    "expected",
    [
        ("TDECQ", "3.4", "dB", "normative", "A", "standard"),
        ("Average launch power", "-2.9", "dBm", "necessary", "A", "standard"),
        ("Wavelength", "1304.5", "1317.5", "nm", "normative", "A", "standard"),
        ("Receiver sensitivity OMAouter", "max(-3.9, secq -5.3)", "dBm", "informative", "C", "standard"),
        ("Power consumption", "advertised: max_power_w", "W", "normative", "A", "standard"),
    ],
    ids=lambda row: row[0],
)
def test_rows_read_as_people_expect(expected, capsys):
    main([])
    found = [
        tuple(cell.strip() for cell in line.split("  ") if cell.strip())
        for line in capsys.readouterr().out.splitlines()
    ]
    assert expected in [row[: len(expected)] for row in found]


def test_what_the_values_rest_on_is_said(capsys):
    main([])
    output = capsys.readouterr().out
    assert "grades: A two or more independent sources" in output
    assert "Nobody of this project has read the licensed standard" in output
    assert f"PMDs with limits: {', '.join(available_pmds())}" in output


def test_an_unknown_pmd_names_those_there_are(capsys):
    assert main(["400GBASE-SR8"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"lanewise limits: no limits for '400GBASE-SR8'; there are limits for {', '.join(available_pmds())}\n"
    )


EXAMPLES = [
    f"--limits={LIMITS_FOLDER / 'examples' / 'waiver.toml'}",
    f"--limits={LIMITS_FOLDER / 'examples' / 'customer.toml'}",
]
MODULE = ["--part-number", "LW-400G-DR4-SIM", "--firmware", "1.2"]


def cells_of(output: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in output.splitlines()]


def test_an_edition_is_a_name_of_its_own(capsys):
    assert main(["400gbase-dr4-2017"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("400GBASE-DR4-2017, 2017 edition")
    assert "Transmitter transition time" not in output


def test_the_layer_that_won_and_what_it_replaced(capsys):
    assert main([*EXAMPLES, *MODULE]) == 0
    output = capsys.readouterr().out
    assert "layers: standard, customer: Example Cloud, waiver: Example Cloud\n" in output
    (tdecq,) = [row for row in cells_of(output) if row[:1] == ["TDECQ"]]
    assert tdecq[1] == "2.4"
    assert "waiver: Example Cloud, EC-D-0012" in tdecq
    assert tdecq[-1] == ("high 1.4 (customer: Example Cloud, normative); high 3.4 (standard, normative)")
    assert "waiver EC-D-0012, until 2035-12-31: TDECQ of firmware 1" in output


def test_a_layer_that_is_not_for_the_module_is_said(capsys):
    assert main([*EXAMPLES, "--part-number", "OTHER", "--firmware", "1.2"]) == 0
    output = capsys.readouterr().out
    assert "not applied: waiver: Example Cloud, which is for part number LW-400G-DR4*, firmware 1.*" in output
    (tdecq,) = [row for row in cells_of(output) if row[:1] == ["TDECQ"]]
    assert tdecq[1] == "1.4"


def test_why_shows_every_row_of_a_parameter_and_which_counts(capsys):
    assert main(["--why", "tdecq", *EXAMPLES, *MODULE]) == 0
    rows = [row for row in cells_of(capsys.readouterr().out) if row[:1] == ["TDECQ"]]
    assert [(row[1], row[-2], row[-1]) for row in rows] == [
        ("3.4", "400gbase-dr4.toml: limit[9]", "no: replaced"),
        ("1.4", "customer.toml: limit[2]", "no: replaced"),
        ("2.4", "waiver.toml: limit[1]", "yes"),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [("tdec", "tdec is no parameter; did you mean tdecq?"), ("rlm", "rlm has no limit in this set")],
)
def test_why_of_what_has_no_limit(name, said, capsys):
    assert main(["--why", name]) == 2
    assert capsys.readouterr().err == f"lanewise limits: {said}\n"


def test_each_mistake_of_a_layer_is_a_line(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\nlayer = "customer"\n')
    assert main(["--limits", str(path)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "lanewise limits: mine.toml: pmd: is missing; expected text",
        "lanewise limits: mine.toml: document: is missing; expected text",
    ]


def test_the_names_of_all_parameters(capsys):
    assert main(["--parameters"]) == 0
    output = capsys.readouterr().out
    assert ["tdecq", "TDECQ", "dB", "lane"] in cells_of(output)
    assert ["power_consumption", "Power consumption", "W", "module"] in cells_of(output)


@pytest.mark.parametrize("width", [100, 160])
def test_on_a_terminal_the_table_keeps_to_its_width(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["400G-FR4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[: lines.index("notes")]
    assert max(map(len, table)) <= width
    assert any("lane 4" in line and "1337.5" in line for line in table)
