"""``lanewise module prbs``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.commands.module import main, prbs

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
    assert found["self_measured"] is True
    assert [lane["lane"] for lane in found["lanes"]] == [1, 2]
    for lane in found["lanes"]:
        assert lane["locked"]
        assert lane["bits"] == pytest.approx(106.25e9 * lane["gate_s"], rel=0.05)
        assert lane["errors"] == 0
        assert lane["ber_below_95_percent"] == pytest.approx(2.996 / lane["bits"], rel=1e-3)


def test_a_lane_without_light_is_told_as_such(capsys: Captured) -> None:
    assert main([*MEDIA, "--up", "--pattern", "PRBS31Q", "--gate", "0.2"]) == 0
    output = capsys.readouterr().out
    assert "counted at TP3" in output
    assert output.count("  NO  ") == 4
    assert "A lane without lock" in output


def test_everything_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    seen: list[dict[str, Any]] = []
    count = prbs._count

    def looked_at(diagnostics: Any, side: Any, *rest: Any) -> None:
        seen.append(prbs._state_of(diagnostics, side))
        count(diagnostics, side, *rest)
        seen.append(prbs._state_of(diagnostics, side))

    monkeypatch.setattr(prbs, "_count", looked_at)
    for loopback in ("media-output", "media-input", "host-output"):
        arguments = ["--up", "--pattern", "PRBS31Q", "--gate", "0.2", "--loopback", loopback]
        assert main([*MEDIA, *arguments]) == 0
        before, after = seen[-2:]
        assert before == after
        assert before["checker"]["running"] == {}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gate", "1"], "--up"),
        (["--pattern", "PRBS31Q"], "--up"),
        (["--pattern", "PRBS31Q", "--up"], "--gate"),
        (["--up", "--gate", "1"], "no media side checker runs"),
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
