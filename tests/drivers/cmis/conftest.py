"""What the tests of the CMIS library share."""

from __future__ import annotations

from pathlib import Path

import pytest

_DUMPS = Path(__file__).parents[3] / "../shared/eeprom"


class ManualClock:
    """A clock that moves only when something sleeps."""

    kind = "virtual"

    def __init__(self) -> None:
        self._now_s = 100.0
        self.sleeps: list[float] = []

    def now_s(self) -> float:
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s >= 0.0
        self.sleeps.append(duration_s)
        self._now_s += duration_s

    def checkpoint(self) -> None:
        pass


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def dump_folder() -> Path:
    if not _DUMPS.is_dir():
        pytest.skip("the folder of real modules' dumps is not here (../shared/eeprom)")
    return _DUMPS
