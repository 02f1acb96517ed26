"""``lanewise limits``."""

from __future__ import annotations

import pytest

from harness.commands.limits import main
from harness.judging.limits import limits_of_pmd


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
    for row, line in zip(limits.rows, rows, strict=True):
        assert line.startswith(row.title)
        assert row.source in line
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
    assert "PMDs with limits: 400GBASE-DR4" in output


def test_an_unknown_pmd_names_those_there_are(capsys):
    assert main(["400GBASE-SR8"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "lanewise limits: no limits for '400GBASE-SR8'; there are limits for 400GBASE-DR4\n"
    )
