"""What tests of the harness share: bench files made from the shipped one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bench_file.reading import BENCHES_FOLDER
from harness.simulation.light.beam import Beam

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


REFERENCE_BOARD = """[instruments.reference_tx]
driver = "reference-module"
address = "i2c:2"
options.expander_address = 0x20
options.pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }

"""
REFERENCE_MODULE = '[simulation.reference_tx]\nmodule = "reference-dr4"\n\n'


@pytest.fixture
def with_reference() -> tuple[tuple[str, str], ...]:
    """The changes to the shipped bench that put a reference module beside it; its fibres come on top."""
    return (
        ("[supply]", f"{REFERENCE_BOARD}[supply]"),
        ("[instruments.power_meter]", f"{REFERENCE_MODULE}[instruments.power_meter]"),
    )


class Lamp:
    """A source of steady light that is always on, in the place of a module."""

    def __init__(self, power_w: float) -> None:
        self.power_w = power_w

    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"lamp.{port}", self.power_w, 1311.0),)


@pytest.fixture
def lamp() -> Callable[[float], Lamp]:
    """``lamp(power_w)``, for ``fibres.connect_reference``."""
    return Lamp


def part_of(text: str, start: str, end: str) -> str:
    """The shipped file from one heading to before another."""
    return text[text.index(start) : text.index(end)]


@pytest.fixture
def shipped_part() -> Callable[[str, str], str]:
    """The shipped bench file from one heading to before another."""
    return lambda start, end: part_of(SHIPPED_BENCH, start, end)
