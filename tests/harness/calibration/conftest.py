"""Benches to be proven: the shipped ones with fibres that are not as the file says, with attenuators, with an
operator; and a way to run the commands on them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.bench_file.reading import find_bench_file
from harness.commands.bench import main


@dataclass(frozen=True)
class Done:
    """A command that ran: exit code, what it printed, and the records it left, the oldest first."""

    code: int
    printed: str
    complained: str
    records: list[dict[str, Any]]
    paths: list[Path]


def write_bench(path: Path, *changes: tuple[str, str], more: str = "") -> Path:
    """The shipped bench with a short soak, each (old, new) pair replaced once, and ``more`` at its end."""
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    for old, new in (('soak = "30 s"', 'soak = "1 s"'), *changes):
        assert old in text, f"the shipped bench has no {old!r} any more"
        text = text.replace(old, new, 1)
    path.write_text(f"{text}\n{more}", encoding="utf-8")
    return path


def run_command(history: Path, command: str, file: Path | str, *arguments: str) -> Done:
    """``lanewise bench COMMAND FILE ...`` with the history in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([command, str(file), "--out", str(history), *arguments])
    paths = sorted(history.glob(f"*/{command}-*.json"))
    records = [json.loads(path.read_text(encoding="ascii")) for path in paths]
    return Done(code, out.getvalue(), err.getvalue(), records, paths)


@pytest.fixture
def changed_bench(tmp_path: Path) -> Callable[..., Path]:
    """:func:`write_bench`, as ``bench.toml``."""
    return lambda *changes, more="": write_bench(tmp_path / "bench.toml", *changes, more=more)


@pytest.fixture
def bench_command(tmp_path: Path) -> Callable[..., Done]:
    """:func:`run_command` with a history of the test's."""
    return lambda command, file, *arguments: run_command(tmp_path / "history", command, file, *arguments)


_MORE_INSTRUMENTS = """[instruments.attenuator]
driver = "keysight-n7764a"
address = "TCPIP0::192.0.2.20::inst0::INSTR"
pass = { loss = "1.2 dB", uncertainty = "0.1 dB" }

[instruments.oscilloscope]
driver = "keysight-flexdca"
address = "TCPIP0::192.0.2.21::hislip0::INSTR"

[instruments.operator]
driver = "operator-headless"
address = "nobody"
options = { answers = ["no pad"] }

[supply]"""
_MORE_FIBRES = "\n".join(
    f'[[fibre]]\nfrom = "{start}"\nto = "{end}"\nloss = "0.3 dB"\nuncertainty = "0.06 dB"'
    for start, end in (
        ("optical_switch.25", "attenuator.1"),
        ("attenuator.1", "optical_switch.9"),
        ("optical_switch.29", "oscilloscope.1"),
    )
)


@pytest.fixture(scope="session")
def proven_lab(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A good bench with all that a proof can use, proven."""
    folder = tmp_path_factory.mktemp("lab")
    file = write_bench(folder / "bench.toml", ("[supply]", _MORE_INSTRUMENTS), more=_MORE_FIBRES)
    return run_command(folder / "history", "prove", file)
