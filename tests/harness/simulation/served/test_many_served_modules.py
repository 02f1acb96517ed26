"""Many modules polled in parallel through one server: no wrong byte, no lost flag.

The server is a process of its own, as the command starts it; each module has a client in a thread of its own.
What each read has to give is known from module time, however slow the machine is.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

MODULES = 64
_LIGHT = 4
_LOS_BYTE = 147


@pytest.fixture(params=[["--manual-clock"], ["--speed", "2"]], ids=["manual clock", "2 s a second"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a server with 64 modules of one profile."""
    command = [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())"]
    command += ["simulate", "module", "good-dr4", "--count", str(MODULES), *request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.match(r"serving on (\S+),", process.stdout.readline())
        assert found
        try:
            yield found[1]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


def expected_page_00h(slot: int) -> dict[int, bytes]:
    """What no two modules have in common, and what all have."""
    return {
        129: b"LANEWISE        ",
        148: b"LW-400G-DR4-SIM ",
        166: f"LW26{slot + 1:06d}".ljust(16).encode(),
        182: b"260105  ",
    }


class Poller:
    """A host of one module: polls it until told to stop and counts what it saw."""

    def __init__(self, client: Any, slot: int) -> None:
        self.client = client
        self.slot = slot
        self.manual = client.done(b"H")[1] == 1
        self.reads = 0
        self.raised = 0
        self.seen = 0

    def wait(self, seconds: float) -> None:
        """Until so much module time has passed."""
        if self.manual:
            self.client.advance(seconds)
            return
        end_s = self.client.now_s() + seconds
        while (left_s := end_s - self.client.now_s()) > 0:
            time.sleep(left_s / 2)

    def bring_up(self) -> None:
        self.wait(2.0)
        self.client.pins(2, 0)
        self.wait(15.0)
        self.select(0x11)
        assert self.read(128, 4) == b"\x44" * 4
        for byte in range(134, 154):
            self.read(byte, 1)

    def select(self, page: int) -> None:
        assert self.client.try_write(126, bytes([0, page]))[0] == 0
        self.wait(0.001)

    def read(self, byte: int, length: int) -> bytes:
        status, data = self.client.try_read(byte, length)
        assert status == 0
        assert len(data) == length
        self.reads += 1
        return bytes(data)

    def poll(self, number: int) -> None:
        """A flag that is raised, seen once and then gone; identity; a monitor."""
        lane = 1 + (number + self.slot) % 4
        self.client.surround(_LIGHT, -math.inf, lane=lane)
        self.wait(0.11)
        self.client.surround(_LIGHT, 0.0, lane=lane)
        self.wait(0.11)
        self.raised += 1
        los = self.read(_LOS_BYTE, 1)[0]
        assert los == 1 << lane - 1, f"lane {lane}: {los:#x}"
        self.seen += 1
        assert self.read(_LOS_BYTE, 1) == b"\0"
        assert struct.unpack(">4H", self.read(186, 8))[lane - 1] > 5_000  # light again, in 0.1 uW
        self.select(0x00)
        for byte, wanted in expected_page_00h(self.slot).items():
            assert self.read(byte, len(wanted)) == wanted
        page = self.read(128, 95)
        assert sum(page[:94]) & 0xFF == page[94]  # its checksum
        self.select(0x11)


def poll_all(address: str, raw_client: Callable[[str, int], Any], duration_s: float) -> int:
    """Poll all modules for so long; returns the reads made."""
    end_s = time.monotonic() + duration_s
    faults: list[str] = []
    pollers = [Poller(raw_client(address, slot), slot) for slot in range(MODULES)]

    def run(poller: Poller) -> None:
        try:
            poller.bring_up()
            for number in itertools.count():
                poller.poll(number)
                if faults or time.monotonic() >= end_s:
                    return
        except Exception as fault:
            faults.append(f"slot {poller.slot}: {fault!r}")

    threads = [threading.Thread(target=run, args=(poller,)) for poller in pollers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert all(poller.raised == poller.seen >= 1 for poller in pollers)
    return sum(poller.reads for poller in pollers)


@pytest.fixture
def raw_client(raw_client_class: Callable[[str, int], Any]) -> Iterator[Callable[[str, int], Any]]:
    with contextlib.ExitStack() as stack:

        def connect(address: str, slot: int) -> Any:
            client = raw_client_class(address, slot)
            stack.callback(client.close)
            return client

        yield connect


@pytest.mark.parametrize("address", [["--manual-clock"]], indirect=True)
def test_64_modules_polled_in_parallel(address: str, raw_client: Callable[[str, int], Any]) -> None:
    assert poll_all(address, raw_client, 5.0) >= 10 * MODULES


@pytest.mark.soak
def test_64_modules_polled_in_parallel_for_a_minute(
    address: str, raw_client: Callable[[str, int], Any]
) -> None:
    assert poll_all(address, raw_client, 60.0) >= 10 * MODULES
