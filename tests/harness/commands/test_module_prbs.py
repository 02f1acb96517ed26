"""``lanewise module prbs``."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import StopFlag, StopRequested
from drivers.cmis.module_prbs import ModulePrbs
from harness.commands.module import main, prbs
from harness.commands.module.gate import GateClock
from harness.simulation.world import VirtualClock, World

Captured = pytest.CaptureFixture[str]
MEDIA = ("prbs", "sim-dr4", "--side", "media")


def test_without_an_action_it_says_what_there_is(capsys: Captured) -> None:
    assert main([*MEDIA]) == 0
    output = capsys.readouterr().out
    assert "PRBS31Q" in output
    assert "SSPRQ" in output
    assert "media side output loopback" in output
    assert main([*MEDIA, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lanes"] == [1, 2, 3, 4]
    assert found["checker"]["running"] == {}


def test_a_real_dump_tells_its_capabilities(dump_folder: Path, capsys: Captured) -> None:
    assert main(["prbs", str(dump_folder / "arista-400g-xdr4.json"), "--side", "host", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generator"]["patterns"][0] == "PRBS31Q"
    assert found["lanes"] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_errors_are_counted_inside_the_module(capsys: Captured) -> None:
    arguments = [
        "--up",
        "--pattern",
        "prbs31q",
        "--gate",
        "5 s",
        "--loopback",
        "media-output",
        "--lanes",
        "1-2",
    ]
    assert main([*MEDIA, *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plane"] == "internal (media side output loopback)"
    assert found["pattern"] == "PRBS31Q"
    assert (found["target"], found["simulated"]) == ("sim-dr4 (SIMULATED)", True)
    assert (found["part_number"], found["serial_number"]) == ("LW-400G-DR4-SIM", "LW26000001")
    assert found["self_measured"] is True
    assert [lane["lane"] for lane in found["lanes"]] == [1, 2]
    for lane in found["lanes"]:
        assert lane["locked"]
        assert lane["bits"] == pytest.approx(106.25e9 * lane["gate_s"], rel=0.05)
        assert lane["errors"] == 0
        assert lane["ber_below_95_percent"] == pytest.approx(2.996 / lane["bits"], rel=1e-3)


def test_whose_time_the_gate_is_is_said(capsys: Captured) -> None:
    arguments = ["--up", "--pattern", "PRBS31Q", "--gate", "1", "--loopback", "media-output"]
    assert main([*MEDIA, *arguments]) == 0
    printed = capsys.readouterr().out
    assert "host's gate" in printed
    assert "The gate is the host's time" in printed


def test_a_lane_without_light_is_told_as_such(capsys: Captured) -> None:
    assert main([*MEDIA, "--up", "--pattern", "PRBS31Q", "--gate", "0.2"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("sim-dr4 (SIMULATED): LANEWISE LW-400G-DR4-SIM, serial number LW26000001\n")
    assert "counted at TP3" in output
    assert output.count("  NO  ") == 4
    assert "A lane without lock" in output


def test_everything_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    seen: list[dict[str, Any]] = []
    count = prbs._Counter.count

    def looked_at(counter: Any, *rest: Any) -> Any:
        seen.append(prbs._state_of(counter._diagnostics, counter._side))
        found = count(counter, *rest)
        seen.append(prbs._state_of(counter._diagnostics, counter._side))
        return found

    monkeypatch.setattr(prbs._Counter, "count", looked_at)
    for loopback, code in (("media-output", 0), ("media-input", 1), ("host-output", 1)):
        arguments = ["--up", "--pattern", "PRBS31Q", "--gate", "0.2", "--loopback", loopback]
        assert main([*MEDIA, *arguments]) == code
        before, after = seen[-2:]
        assert before == after
        assert before["checker"]["running"] == {}
    capsys.readouterr()


def test_ctrl_c_in_a_gate_tells_the_counts_and_what_was_restored(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    sleep, safe = GateClock.sleep, ModulePrbs.make_safe
    steps: list[Any] = []

    def interrupted(clock: GateClock, duration_s: float) -> None:
        if clock._gate_s and duration_s > 10.0:
            sleep(clock, 2.0)
            signal.raise_signal(signal.SIGINT)
        sleep(clock, duration_s)

    def watched(self: ModulePrbs) -> Any:
        steps.extend(safe(self))
        return tuple(steps)

    monkeypatch.setattr(GateClock, "sleep", interrupted)
    monkeypatch.setattr(ModulePrbs, "make_safe", watched)
    arguments = ["--up", "--pattern", "PRBS31Q", "--gate", "60", "--loopback", "media-output"]
    assert main([*MEDIA, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "stopped (SIGINT)" in printed.err
    assert re.search(r"of a gate of 60 s: lane 1: 0 errors in [1-9]\.\d+e\+1\d bits; lane 2", printed.err)
    assert "generators, checkers and loopbacks are as they were found" in printed.err
    assert len(steps) == 3
    assert all(step.safe for step in steps)


def test_a_clock_of_a_gate_sees_a_stop_soon() -> None:
    stop = StopFlag()
    world = World(seed=1)
    world.after(1.0, lambda: stop.request("SIGINT"))
    with pytest.raises(StopRequested):
        GateClock(VirtualClock(world, stop)).sleep(1000.0)
    assert world.now_s < 2.0


def test_a_long_sleep_of_a_simulated_bench_sees_a_stop_soon() -> None:
    stop = StopFlag()
    world = World(seed=1)
    world.after(1.0, lambda: stop.request("SIGINT"))
    clock = VirtualClock(world, stop)
    with pytest.raises(StopRequested):
        clock.sleep(1000.0)
    assert world.now_s < 10.0
    with clock.shield():
        clock.sleep(12.5)
    assert world.now_s == 17.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gate", "1"], "--pattern"),
        (["--gate", "1", "--pattern", "PRBS31Q"], "--up"),
        (["--media", "400GBASE-DR4"], "--up"),
        (["--pattern", "PRBS31Q"], "--up"),
        (["--pattern", "PRBS31Q", "--up"], "--gate"),
        (["--up", "--gate", "1"], "--gate needs --pattern"),
        (["--generate"], "--pattern"),
        (["--stop", "--gate", "1"], "--stop goes alone"),
        (["--up", "--gate", "1", "--pattern", "PRBS77"], "is no pattern of CMIS"),
        (["--up", "--gate", "1", "--pattern", "PRBS31"], "does not advertise"),
        (["--up", "--gate", "1", "--pattern", "PRBS31Q", "--lanes", "5"], "media lanes are 1-4"),
        (["--lanes", "0"], "--lanes"),
        (["--up", "--gate", "1", "--pattern", "PRBS31Q", "--generate"], "--check"),
        (["--gate", "1 mW"], "--gate"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: list[str], words: str, capsys: Captured) -> None:
    assert main([*MEDIA, *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_nothing_is_started_in_a_dump(dump_file: Path, capsys: Captured) -> None:
    assert main(["prbs", str(dump_file), "--side", "media"]) == 2
    assert "no diagnostics" in capsys.readouterr().err
    assert main(["prbs", str(dump_file), "--side", "media", "--stop"]) == 2
    assert "is a dump" in capsys.readouterr().err
