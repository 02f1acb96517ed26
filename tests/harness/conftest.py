"""What tests of the harness share: bench files made from the shipped one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bench_file.reading import BENCHES_FOLDER

SHIPPED_BENCH = (BENCHES_FOLDER / "sim-dr4.toml").read_text(encoding="utf-8")

BenchFile = Callable[..., Path]


@pytest.fixture
def bench_file(tmp_path: Path) -> BenchFile:
    """Writes the shipped simulated bench, each (old, new) pair replaced once, as ``bench.toml``."""

    def write(*changes: tuple[str, str]) -> Path:
        text = SHIPPED_BENCH
        for old, new in changes:
            assert old in text, f"the shipped bench file has no {old!r} any more"
            text = text.replace(old, new, 1)
        path = tmp_path / "bench.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def part_of(text: str, start: str, end: str) -> str:
    """The shipped file from one heading to before another."""
    return text[text.index(start) : text.index(end)]


@pytest.fixture
def shipped_part() -> Callable[[str, str], str]:
    """The shipped bench file from one heading to before another."""
    return lambda start, end: part_of(SHIPPED_BENCH, start, end)
