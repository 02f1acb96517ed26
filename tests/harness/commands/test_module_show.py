"""``lanewise module show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands.module import main

Captured = pytest.CaptureFixture[str]


def test_a_dump_is_shown_as_decode_explains_it(dump_file: Path, capsys: Captured) -> None:
    assert main(["show", str(dump_file)]) == 0
    shown = capsys.readouterr().out
    assert main(["decode", str(dump_file)]) == 0
    assert shown == capsys.readouterr().out
    assert "Example" in shown
    assert "ModuleReady (3)" in shown


def test_json_is_the_description(dump_file: Path, capsys: Captured) -> None:
    assert main(["show", "--json", str(dump_file)]) == 0
    assert json.loads(capsys.readouterr().out)["identity"]["vendor"] == "Example"


def test_every_real_dump_is_a_page_of_100_columns(dump_folder: Path, capsys: Captured) -> None:
    for path in sorted(dump_folder.glob("*.json")):
        assert main(["show", "--ascii", str(path)]) == 0
        output = capsys.readouterr().out
        assert output.isascii()
        assert max(map(len, output.splitlines())) <= 100


def test_a_benchs_module_is_shown_in_low_power(capsys: Captured) -> None:
    assert main(["show", "sim-dr4"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("sim-dr4 (SIMULATED), ")
    assert " bus transactions\n" in output
    assert "not brought up" in output
    assert "ModuleLowPwr (1)" in output
    assert "LW26000001" in output
    assert "flags: not read, for reading clears them: --flags" in output


def test_a_module_that_was_brought_up_is_shown_with_light_and_flags(capsys: Captured) -> None:
    assert main(["show", "sim-dr4", "--up", "--flags", "--vdm", "--json"]) == 0
    description = json.loads(capsys.readouterr().out)
    assert description["module_state"]["name"] == "ModuleReady"
    assert {lane["data_path_state"] for lane in description["host_lanes"]} == {"DPActivated"}
    assert all(lane["tx_power_dbm"]["value"] > -3 for lane in description["media_lanes"] if lane["present"])
    assert description["flags"]["lanes"]["DPStateChangedFlag"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert description["vdm"]["observables"]


@pytest.mark.parametrize("profile", ["dr4-noisy-receiver", "good-dr4-osfp"])
def test_monitors_of_a_module_that_is_up_are_those_of_one_that_is_up(profile: str, capsys: Captured) -> None:
    assert main(["show", "sim-dr4", "--module", profile, "--up", "--json"]) == 0
    lanes = [lane for lane in json.loads(capsys.readouterr().out)["media_lanes"] if lane["present"]]
    assert all(lane["tx_power_dbm"]["value"] > -3 and lane["bias_ma"]["value"] > 10 for lane in lanes)


def test_a_module_that_does_not_come_up_is_shown_and_is_a_failure(capsys: Captured) -> None:
    assert main(["show", "sim-dr4", "--module", "dr4-lane2-stuck-config", "--up"]) == 1
    printed = capsys.readouterr()
    assert "did not come up" in printed.err
    assert "11h:" in printed.err
    assert "LW" in printed.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.json"], "No such file"),
        (["sim-dr5"], "shipped ones can be named alone: lab-example, sim-dr4"),
        (["i2c:1999"], "/dev/i2c-1999 cannot be opened"),
        (["/dev/i2c-1999"], "/dev/i2c-1999 cannot be opened"),
        (["optoe:/no/such/eeprom"], "is not in /sys"),
        (["optoe:/sys/no/such/eeprom"], "No such file"),
        (["i2c:x"], "needs the number of the bus"),
        (["sim-dr4", "--module", "no-such-profile"], "no-such-profile"),
        (["sim-dr4", "--media", "400GBASE-XX9", "--up"], "400GBASE-XX9"),
    ],
)
def test_what_cannot_be_opened_is_a_line_and_no_traceback(
    arguments: list[str], words: str, capsys: Captured
) -> None:
    assert main(["show", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert all(line.startswith("lanewise module show: ") for line in error.splitlines())


@pytest.mark.parametrize(
    "option", [["--up"], ["--seed", "2"], ["--module", "good-dr4"], ["--flags"], ["--vdm"]]
)
def test_options_that_a_dump_has_no_use_for_are_refused(
    option: list[str], dump_file: Path, capsys: Captured
) -> None:
    assert main(["show", str(dump_file), *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize("number", ["7", "9", "130", "x"])
def test_a_read_of_an_impossible_length_is_refused(number: str, capsys: Captured) -> None:
    assert main(["show", "sim-dr4", "--max-read", number]) == 2
    assert "even number from 8 to 128" in capsys.readouterr().err
