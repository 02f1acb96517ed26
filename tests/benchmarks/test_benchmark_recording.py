"""What recording adds to an exchange, and how fast a recording is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from drivers.clock import StopFlag, WallClock
from harness.exchange.form import Header
from harness.exchange.reading import read_recording
from harness.exchange.recording import RecordedBus, RecordedResource, Recorder
from harness.simulation.scpi_tree import ScpiPeer
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import World

HEADER = Header("r", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", "wall", "now")
QUERIES = 1000


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder that writes into the test's folder."""
    made = Recorder(WallClock(), StopFlag())
    (tmp_path / "raw").mkdir()
    made.begin(tmp_path / "raw", HEADER, b"")
    yield made
    made.close()


@pytest.fixture
def resource() -> Iterator[Any]:
    """A simulated instrument that tells who it is."""
    world = World(1)
    library = SimulatedVisaLibrary.create(world)
    library.attach("GPIB0::1::INSTR", ScpiPeer(world, role="x", identity="a,b,c,d"))
    manager = pyvisa.ResourceManager(library)
    opened: Any = manager.open_resource("GPIB0::1::INSTR")
    opened.read_termination = opened.write_termination = "\n"
    yield opened
    manager.close()


class NoBus:
    """Takes no time."""

    def i2c_rdwr(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        pass


def test_benchmark_recorded_transfer(benchmark: Any, recorder: Recorder) -> None:
    """A page of a module: 128 bytes."""
    from smbus2 import i2c_msg

    bus = RecordedBus(NoBus(), recorder.channel("i2c:1"))
    messages = (i2c_msg.write(0x50, [0x80]), i2c_msg.read(0x50, 128))
    benchmark(bus.i2c_rdwr, *messages)


def test_benchmark_query_recorded(benchmark: Any, resource: Any, recorder: Recorder) -> None:
    """Against :func:`test_benchmark_query_not_recorded`."""
    recorded = RecordedResource(resource, recorder.channel("meter"), None)
    benchmark(_query, recorded)


def test_benchmark_query_not_recorded(benchmark: Any, resource: Any) -> None:
    benchmark(_query, resource)


def test_benchmark_reading_a_recording(benchmark: Any, recorder: Recorder, tmp_path: Path) -> None:
    """Of 2000 exchanges."""
    channel = recorder.channel("meter")
    for _ in range(QUERIES):
        channel.wrote(b":READ1:POW?\n")
        channel.read(b"+1.00000000E-03\n", 0)
    recorder.close()
    assert benchmark(read_recording, tmp_path).exchanges == 2 * QUERIES


def _query(resource: Any) -> bytes:
    resource.write("*IDN?", termination="\n")
    data: bytes = resource.visalib.read(resource.session, 1000)[0]
    return data
