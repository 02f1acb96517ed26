"""Serial instruments on pseudo terminals and sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import InstrumentError
from harness.bench_file.reading import find_bench_file, load_bench
from harness.opening import open_bench
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]
ATS = 'driver = "temptronic-ats545"\naddress = "GPIB0::18::INSTR"'


@pytest.fixture(params=["serial:/dev/ttyUSB0?baud=19200", "socket://192.0.2.15:10001"])
def chamber_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shipped bench with a chamber."""
    path = tmp_path / "chamber.toml"
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    text = text.replace(ATS, f'driver = "espec-p300"\naddress = "{request.param}"')
    text = text.replace('shared_with = "thermal"', ATS)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def benches(serve: Serve, write_bench: Any, chamber_bench: Path) -> Iterator[list[Any]]:
    """In this process, and over the server, with the same seed."""
    served = write_bench(serve(chamber_bench), chamber_bench)
    opened = [open_bench(load_bench(path)) for path in (chamber_bench, served)]
    yield opened
    for bench in opened:
        bench.close()


def test_a_chamber_answers_over_the_server_as_in_process(benches: list[Any]) -> None:
    told = []
    for bench in benches:
        chamber = bench.thermal
        identity = chamber.connect()
        chamber.start_setpoint_c(45.0, window_c=1.0, soak_s=10.0)
        bench.clock.sleep(600.0)
        told.append((identity, chamber.read_air_c()))
    assert told[0] == told[1]
    in_process, served = (bench.clock.now_s() for bench in benches)
    assert served == pytest.approx(in_process, abs=1e-6)  # bits are rounded to nanoseconds in other places


def test_a_terminal_serves_one_client_after_another(
    serve: Serve, write_bench: Any, chamber_bench: Path
) -> None:
    served = load_bench(write_bench(serve(chamber_bench), chamber_bench))
    for _ in range(2):
        bench = open_bench(served)
        assert bench.thermal.connect().vendor
        bench.close()


@pytest.mark.parametrize("chamber_bench", ["serial:/dev/ttyUSB0?baud=19200"], indirect=True)
def test_a_terminal_is_there_again_after_a_dropped_connection(
    serve: Serve, write_bench: Any, chamber_bench: Path
) -> None:
    server = serve(chamber_bench)
    served = load_bench(write_bench(server, chamber_bench))
    bench = open_bench(served)
    bench.thermal.connect()
    with server.backend.world.lock:
        server.backend.peers["thermal"].fail("disconnects", count=1)  # type: ignore[attr-defined]
    with pytest.raises(InstrumentError):
        bench.thermal.read_air_c()
    bench.close()
    bench = open_bench(served)
    assert bench.thermal.connect().vendor
    bench.close()


def test_lines_without_end_are_held_up_and_others_are_served(serve: Serve, write_bench: Any) -> None:
    server = serve()
    address = next(part for part in server.instruments if part.role == "optical_switch").addresses["socket"]
    flood, other = (socket.create_connection(("127.0.0.1", int(address.split("::")[2]))) for _ in range(2))
    with flood, other:
        flood.settimeout(0.2)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 1 << 24:
                sent += flood.send(b"*CLS\n" * 4000)
        other.settimeout(20.0)
        other.sendall(b"*IDN?\n")
        assert other.recv(100).endswith(b"\n")
        with server.backend.world.lock:
            assert len(server.backend.peers["optical_switch"]._inbox) <= 2 * 64  # type: ignore[attr-defined]
