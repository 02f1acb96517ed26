"""``lanewise bench check`` on a good bench, on one with a dead instrument, and on what cannot be opened."""

from __future__ import annotations

import re

import pytest

from harness.commands.bench import main

ROOM = 'room_temp = "23 degC"'


def fault(role: str, kind: str) -> tuple[str, str]:
    return (ROOM, f'{ROOM}\n[[simulation.fault]]\nrole = "{role}"\nkind = "{kind}"\nat = "0 s"')


def rows_of(output: str, start: str) -> dict[str, list[str]]:
    """A printed table by its first column, below the heading that starts so."""
    lines = output.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(start)) + 2
    rows = {}
    for line in lines[first:]:
        if not line:
            break
        cells = re.split(r"\s{2,}", line)
        rows[cells[0]] = cells[1:]
    return rows


def test_a_good_bench(capsys):
    assert main(["check", "sim-dr4"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0] == "sim-dr4: Simulated DR4 bench: launch power over temperature and supply (SIMULATED)"
    assert lines[-1] == "in order"
    assert "PROBLEM" not in printed.out


def test_the_table_of_instruments(capsys):
    main(["check", "sim-dr4"])
    rows = rows_of(capsys.readouterr().out, "role ")
    assert list(rows) == [
        "power_meter",
        "optical_switch",
        "power_supply",
        "thermal",
        "case_sensor",
        "host_board",
    ]
    meter = rows["power_meter"]
    assert meter[:3] == [
        "keysight-n7745c",
        "TCPIP0::192.0.2.11::inst0::INSTR",
        "Keysight Technologies N7745C SIM0001",
    ]
    assert meter[4] == "empty"
    assert re.fullmatch(r"\d+\.\d\d ms", meter[5])
    assert rows["thermal"][1] == "GPIB0::18::INSTR"
    assert rows["case_sensor"] == ["same as thermal"]
    assert rows["host_board"][:3] == ["i2c-host-board", "i2c:1", "I2C host board"]


def test_the_table_of_paths(capsys):
    main(["check", "sim-dr4"])
    rows = rows_of(capsys.readouterr().out, "lane ")
    assert list(rows) == ["Tx1", "Tx2", "Tx3", "Tx4"]
    assert rows["Tx1"] == [
        "module.tx1 > optical_switch.1 > optical_switch.17 > power_meter.1",
        "1.67 dB",
        "± 0.14 dB",
        "-78.3 .. 11.7 dBm",  # the meter's -80 .. 10 dBm with the loss
    ]
    assert [rows[lane][1] for lane in rows] == ["1.67 dB", "1.60 dB", "1.73 dB", "1.64 dB"]


@pytest.mark.parametrize("kind", ["dies", "garbles"])
@pytest.mark.parametrize("role", ["power_meter", "optical_switch", "power_supply", "thermal"])
def test_an_instrument_at_fault_is_named_and_the_others_are_checked(role, kind, bench_file, capsys):
    assert main(["check", str(bench_file(fault(role, kind)))]) == 2
    output = capsys.readouterr().out
    rows = rows_of(output, "role ")
    assert rows[role][2:] == ["DOES NOT ANSWER AS IT SHOULD"]
    others = [row for name, row in rows.items() if name not in {role, "case_sensor"}]
    assert all("empty" in row for row in others)
    problems = [line for line in output.splitlines() if line.startswith("PROBLEM")]
    assert len(problems) == 1
    assert problems[0].startswith(f"PROBLEM {role}: {role}: ")
    assert output.splitlines()[-1] == f"NOT in order: {role}"


def test_a_lane_without_a_way_to_the_meter(bench_file, shipped_part, capsys):
    whole = shipped_part('[[fibre]]\nfrom = "module.tx3"', '[[fibre]]\nfrom = "module.tx4"')
    assert main(["check", str(bench_file((whole, "")))]) == 2
    output = capsys.readouterr().out
    assert list(rows_of(output, "lane ")) == ["Tx1", "Tx2", "Tx4"]
    assert "PROBLEM path of lane 3: no way from module.tx3 to a port of power_meter of its own" in output
    assert output.splitlines()[-1] == "NOT in order: path of lane 3"


def test_lanes_on_other_ports_of_the_meter_each_have_one(bench_file, capsys):
    path = bench_file(*[(f'"power_meter.{n}"', f'"power_meter.{n + 4}"') for n in (4, 3, 2, 1)])
    assert main(["check", str(path)]) == 0
    rows = rows_of(capsys.readouterr().out, "lane ")
    assert [row[0].rpartition("> ")[2] for row in rows.values()] == [
        "power_meter.5",
        "power_meter.6",
        "power_meter.7",
        "power_meter.8",
    ]


def test_a_module_profile_that_is_not_there_is_one_line(bench_file, capsys):
    assert main(["check", str(bench_file(('module = "good-dr4"', 'module = "golden"')))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("bench.toml: ")
    assert "golden" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "nowhere"], "nowhere: no such bench file; shipped ones can be named alone: "),
        (["check", "sim-dr4", "--pmd", "400GBASE-SR8"], "unknown PMD '400GBASE-SR8'; there are "),
    ],
    ids=["file", "pmd"],
)
def test_what_is_not_there(arguments, expected, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(expected)


def test_a_bench_file_cannot_write_to_the_terminal(bench_file, capsys):
    path = bench_file(('name = "sim-dr4"', 'name = "evil\\u001b[2J"'))
    assert main(["check", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["prove"], ["check"], ["check", "a", "b"]], ids=range(4))
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: lanewise bench" in capsys.readouterr().err


def test_overdue_calibration_is_not_in_order(capsys, bench_file):
    path = bench_file(("date = 2026-06-01, due = 2099-12-31", "date = 2020-06-01, due = 2021-06-01"))
    assert main(["check", str(path)]) == 2
    assert "PROBLEM calibration of power_meter: was due on 2021-06-01" in capsys.readouterr().out


def test_a_port_that_the_meter_does_not_have_is_not_in_order(capsys, bench_file):
    path = bench_file(('to = "power_meter.4"', 'to = "power_meter.14"'))
    assert main(["check", str(path)]) == 2
    printed = capsys.readouterr().out
    assert "PROBLEM path of lane 4: ends at power_meter.14, but this meter has ports 1 to 8" in printed
