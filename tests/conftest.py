"""What all tests may use."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

from drivers.clock import StopFlag

# A deadline is a timed assertion: on a busy machine it fails what is right.
settings.register_profile("lanewise", deadline=None)
settings.load_profile("lanewise")


def _required(name: str) -> bool:
    wanted = os.environ.get("LANEWISE_REQUIRE", "")
    return name in {part.strip() for part in wanted.split(",")}


def require_program(name: str) -> str:
    """The path of a program a test needs. Without it the test is skipped, or fails when the environment
    variable ``LANEWISE_REQUIRE`` (a comma-separated list) names the program."""
    found = shutil.which(name)
    if found is None and _required(name):
        pytest.fail(f"{name} is not installed, and LANEWISE_REQUIRE asks for it", pytrace=False)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(name="require_program")
def require_program_fixture():
    """:func:`require_program`, for tests to call."""
    return require_program


class CountingClock:
    """Time passes by sleeping alone."""

    kind = "virtual"

    def __init__(self) -> None:
        self.stop = StopFlag()
        self.sleeps: list[float] = []

    def now_s(self) -> float:
        return sum(self.sleeps)

    def sleep(self, duration_s: float) -> None:
        self.checkpoint()
        self.sleeps.append(duration_s)

    def checkpoint(self) -> None:
        self.stop.raise_if_requested()


@pytest.fixture
def counting_clock() -> CountingClock:
    """A clock of a test's own."""
    return CountingClock()


class ImageOnABus:
    """A memory image behind a two-wire bus of its own: counts what a host does to it.

    Flags are cleared by reading them. ``clock`` and ``smbus`` are for the host; ``bus_s`` is the time that
    the bus was busy, ``selects`` the page selects, ``reads`` the (first byte, length) of each read of all
    but the page registers.
    """

    def __init__(self, image, bitrate_hz=400_000):
        from drivers.cmis.latched import clear_on_read_bytes
        from harness.simulation.smbus import SimulatedI2cBus
        from harness.simulation.world import VirtualClock, World

        self.image = image.copy()
        self._latched = clear_on_read_bytes
        self.world = World(0)
        self.clock = VirtualClock(self.world)
        self.smbus = SimulatedI2cBus(self.world, bitrate_hz)
        self.smbus.attach(0x50, self)
        self._pointer = 0
        self.start_counting()
        self.image.put(0, 0, 126, b"\0\0")

    def start_counting(self):
        self.selects = 0
        self.reads = []
        self._transactions = self.smbus.transactions
        self._since_ns = self.world.now_ns

    @property
    def transactions(self):
        return self.smbus.transactions - self._transactions

    @property
    def bus_s(self):
        return (self.world.now_ns - self._since_ns) * 1e-9

    def acknowledges(self):
        return True

    def write(self, data):
        self._pointer = data[0]
        if len(data) > 1:
            self.image.put(*self._selected(), data[0], data[1:])
            if data[0] <= 127 <= data[0] + len(data) - 2:
                self.selects += 1
                if not self.image.has(*self._selected()):
                    self.image.put(0, 0, 126, b"\0\0")

    def read(self, length):
        byte = self._pointer
        if byte != 126:
            self.reads.append((byte, length))
        bank, page = self._selected()
        data = self.image.get(bank, page, byte, length)
        for at in self._latched(None if byte < 128 else page):
            if byte <= at < byte + length:
                self.image.put(bank, page, at, b"\0")
        return data

    def _selected(self):
        return tuple(self.image.get(0, 0, 126, 2))


@pytest.fixture
def image_on_a_bus():
    """:class:`ImageOnABus`, for tests to call with an image."""
    return ImageOnABus
