"""What all tests may use."""

from __future__ import annotations

import os
import shutil

import pytest

from drivers.clock import StopFlag


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
