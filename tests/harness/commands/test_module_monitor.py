"""``lanewise module monitor``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from drivers.clock import StopRequested
from drivers.cmis.image import MemoryImage
from harness.commands.module import main

Captured = pytest.CaptureFixture[str]


def test_one_line_of_json_for_each_look(capsys: Captured) -> None:
    assert main(["monitor", "sim-dr4", "--up", "--count", "3", "--interval", "500 ms", "--json"]) == 0
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [look["elapsed_s"] for look in looks] == pytest.approx([0.0, 0.5, 1.0], abs=0.05)
    first, *later = looks
    assert first["module_state"]["name"] == "ModuleReady"
    assert {"DPStateChangedFlag", "ModuleStateChangedFlag"} <= {flag["name"] for flag in first["flags"]}
    for look in later:  # reading has cleared it, and nothing set it again
        assert "DPStateChangedFlag" not in {flag["name"] for flag in look["flags"]}
        assert "LOSFlagRx" in {flag["name"] for flag in look["flags"]}
    assert all(0 < look["bus_transactions"] < 40 for look in looks)


def test_full_page_reads_make_a_look_cheap(capsys: Captured) -> None:
    # Lower memory, page 11h, the VDM samples of page 24h: a read each, and a select for each page; the rest
    # are accesses that the module held off.
    arguments = ["monitor", "sim-dr4", "--count", "2", "--json", "--no-flags", "--max-read", "128"]
    assert main(arguments) == 0
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert looks[1]["bus_transactions"] <= 12
    assert looks[1]["flags"] is None


def test_text_where_nobody_watches_is_block_after_block(capsys: Captured) -> None:
    assert main(["monitor", "sim-dr4", "--count", "2", "--ascii"]) == 0
    output = capsys.readouterr().out
    assert output.isascii()
    assert "\x1b" not in output
    assert output.count("look 1, sim-dr4 (SIMULATED)") == 1
    assert output.count("look 2, sim-dr4 (SIMULATED)") == 1
    assert "reading cleared them" in output
    assert max(map(len, output.splitlines())) <= 100


def test_simulated_time_ends_by_itself_and_says_so(capsys: Captured) -> None:
    assert main(["monitor", "sim-dr4", "--json"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 5
    assert "time is simulated here: 5 looks" in printed.err


def test_a_terminal_is_written_over(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((60, 20)))
    assert main(["monitor", "sim-dr4", "--count", "2"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("\x1b[2J\x1b[Hlook 1")
    assert output.count("\x1b[2J") == 1
    frames = output.split("\x1b[H")[1:]
    assert len(frames) == 2
    for frame in frames:
        lines = frame.removesuffix("\x1b[J").rstrip("\n").split("\n")
        assert len(lines) <= 19
        assert all(line.endswith("\x1b[K") for line in lines)
        assert max(len(line.removesuffix("\x1b[K")) for line in lines) <= 60
        assert "more lines" in lines[-1]


@pytest.mark.parametrize(("reason", "code"), [("SIGINT", 0), ("SIGTERM", 2)])
def test_ctrl_c_ends_it_tidily(
    reason: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from harness.commands.module import polled

    looks: list[int] = []
    look = polled.Poll.look

    def stop_at_the_second(self: polled.Poll, elapsed_s: float) -> polled.Look:
        looks.append(1)
        if len(looks) == 2:
            raise StopRequested(reason)
        return look(self, elapsed_s)

    monkeypatch.setattr(polled.Poll, "look", stop_at_the_second)
    assert main(["monitor", "sim-dr4", "--count", "9", "--json"]) == code
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert "Traceback" not in printed.err
    assert "NOT SAFE" not in printed.err


def test_a_dump_is_nothing_to_watch(dump_file: Path, capsys: Captured) -> None:
    assert main(["monitor", str(dump_file)]) == 2
    assert "`show` prints it" in capsys.readouterr().err


@pytest.mark.parametrize("interval", ["0", "-1 s", "1 V", "soon", "1e9 s"])
def test_an_interval_that_is_none(interval: str, capsys: Captured) -> None:
    assert main(["monitor", "sim-dr4", f"--interval={interval}"]) == 2
    assert "--interval" in capsys.readouterr().err


def test_no_looks_at_all_are_refused(capsys: Captured) -> None:
    assert main(["monitor", "sim-dr4", "--count", "0"]) == 2
    assert "at least one" in capsys.readouterr().err


@pytest.mark.parametrize("flat", [False, True])
def test_a_module_on_a_bus_is_watched(
    flat: bool, image_on_a_bus, image: MemoryImage, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    if flat:
        image.put(0, 0, 2, b"\x80")
        for bank, page in tuple(image.pages()):
            if page:
                image.discard_page(bank, page)
    image.put(0, 0, 129, b"\x1b[2J\x07")
    bus = image_on_a_bus(image)
    monkeypatch.setattr("smbus2.SMBus", lambda number: bus.smbus)
    bus.image.put(0, 0, 8, b"\x01")
    assert main(["monitor", "i2c:7", "--count", "2", "--interval", "1 ms"]) == 0
    output = capsys.readouterr().out
    first, second = output.split("look 2")
    assert "ModuleReady" in first
    assert "module state changed" in first
    assert ("Host lanes" in first) is not flat
    assert "Earlier flags" in second
    assert "\x1b" not in output
    again = image_on_a_bus(image)  # the first one is closed
    monkeypatch.setattr("smbus2.SMBus", lambda number: again.smbus)
    assert main(["show", "i2c:7"]) == 0
    assert "\x1b" not in capsys.readouterr().out
