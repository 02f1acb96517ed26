"""How fast a simulated module answers: in this process, and 64 of them on a socket. Run with `make bench`.

In process at least 50 000 accesses to registers a second are wanted, so that a soak of hours is a matter of
minutes; on the socket the rate is what it is.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from smbus2 import i2c_msg

from harness.simulation.module.profile import load_profile
from harness.simulation.served.callables import TwoCallables
from harness.simulation.served.served_module import ServedModule

_ACCESSES = 1000
_MODULES = 64
_ROUNDS = 20


@pytest.fixture
def served() -> ServedModule:
    """A module with its data path activated, page 11h selected."""
    served = ServedModule(load_profile("good-dr4"), speed=None)
    served.world.advance(2.0)
    served.module.set_low_power(asserted=False)
    served.world.advance(15.0)
    assert TwoCallables(served.world, served.module).read(0, 0x11, 128, 1) == b"\x44"
    served.world.advance(0.01)
    return served


def _report(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], what: str, accesses: int
) -> None:
    if benchmark.stats is None:  # benchmarks are disabled
        return
    rate = round(accesses / benchmark.stats.stats.median)
    benchmark.extra_info["accesses_per_s"] = rate
    with capsys.disabled():
        print(f"\n{what}: {rate} accesses a second")


def test_transfers_in_process(
    benchmark: BenchmarkFixture, served: ServedModule, capsys: pytest.CaptureFixture[str]
) -> None:
    """Address write and read of 8 bytes of transmitter powers, with bus time and the module's own work."""
    transfer = served.bus.transfer
    messages = ((0x50, b"\x9a"), (0x50, 8))

    def accesses() -> bytes:
        for _ in range(_ACCESSES):
            (answer,) = transfer(messages)
        return answer

    assert benchmark(accesses) > bytes(8)
    _report(benchmark, capsys, "reads of 8 bytes on the bus, in process", _ACCESSES)


def test_smbus2_messages_in_process(
    benchmark: BenchmarkFixture, served: ServedModule, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same by smbus2's messages, which cost more than the module."""

    def accesses() -> bytes:
        for _ in range(_ACCESSES):
            answer = i2c_msg.read(0x50, 8)
            served.bus.i2c_rdwr(i2c_msg.write(0x50, b"\x9a"), answer)
        return bytes(answer)

    assert benchmark(accesses) > bytes(8)
    _report(benchmark, capsys, "the same by smbus2's messages", _ACCESSES)


@pytest.mark.parametrize(("page", "byte"), [(0x00, 14), (0x11, 154)])
def test_two_callables_in_process(
    benchmark: BenchmarkFixture,
    served: ServedModule,
    capsys: pytest.CaptureFixture[str],
    page: int,
    byte: int,
) -> None:
    """Read of 8 bytes; in upper memory that is two accesses, for the page registers are looked at."""
    read = TwoCallables(served.world, served.module).read

    def accesses() -> bytes:
        for _ in range(_ACCESSES):
            answer = read(0, page, byte, 8)
        return answer

    assert benchmark(accesses) > bytes(8)
    _report(
        benchmark, capsys, f"two callables, byte {byte} ({1 + (byte > 127)} accesses each), calls", _ACCESSES
    )


@pytest.fixture
def connections() -> Iterator[list[socket.socket]]:
    """To 64 modules of a server of its own process."""
    command = [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())"]
    command += ["simulate", "module", "good-dr4", "--count", str(_MODULES), "--manual-clock"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        contextlib.ExitStack() as opened,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().split()[2].rstrip(",")
        host, _, port = address.rpartition(":")
        try:
            yield [opened.enter_context(socket.create_connection((host, int(port)))) for _ in range(_MODULES)]
        finally:
            process.send_signal(signal.SIGINT)


def test_64_modules_on_a_socket(
    benchmark: BenchmarkFixture, connections: list[socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    """A request to each of 64 modules under way at any time, from one client process: reads of 8 bytes."""

    def framed(operation: bytes, slot: int, body: bytes) -> bytes:
        return struct.pack(">HcH", 3 + len(body), operation, slot) + body

    def all_modules(requests: list[bytes], length: int) -> list[bytes]:
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request)
        return [connection.recv(length, socket.MSG_WAITALL) for connection in connections]

    all_modules([framed(b"C", slot, struct.pack(">Q", 2_000_000_000)) for slot in range(_MODULES)], 19)
    body = struct.pack(">BBHB", 0x50, 0, 1, 166) + struct.pack(">BBH", 0x50, 1, 10)
    reads = [framed(b"T", slot, body) for slot in range(_MODULES)]

    def poll() -> list[bytes]:
        for _ in range(_ROUNDS):
            answers = all_modules(reads, 13)
        return answers

    answers: Callable[[], list[bytes]] = poll
    expected = [b"\0\x0b\0LW26%06d" % (slot + 1) for slot in range(_MODULES)]
    assert benchmark(answers) == expected
    _report(benchmark, capsys, "64 modules on a socket", _ROUNDS * _MODULES)
