"""When something awaited is looked for, and stop requests that are put off."""

from __future__ import annotations

import pytest

from drivers.clock import StopFlag, StopRequested, WallClock, polls, shielded


class SteppedClock:
    """Moves only when something sleeps."""

    kind = "virtual"

    def __init__(self) -> None:
        self.time_s = 1000.1

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s > 0.0
        self.time_s += duration_s

    def checkpoint(self) -> None:
        raise StopRequested("stop")


def test_looks_at_once_after_each_interval_and_last_at_the_limit() -> None:
    clock = SteppedClock()
    start_s = clock.now_s()
    looks = [clock.now_s() - start_s for _ in polls(clock, start_s + 0.25, 0.1)]
    assert looks == pytest.approx([0.0, 0.1, 0.2, 0.25])


def test_intervals_may_grow() -> None:
    clock = SteppedClock()
    start_s = clock.now_s()
    intervals = iter([0.1, 0.2, 0.4, 0.8])
    looks = [clock.now_s() - start_s for _ in polls(clock, start_s + 1.0, lambda: next(intervals))]
    assert looks == pytest.approx([0.0, 0.1, 0.3, 0.7, 1.0])


def test_there_is_one_look_when_the_time_is_over_already() -> None:
    clock = SteppedClock()
    assert len(list(polls(clock, clock.now_s() - 5.0, 0.1))) == 1
    assert clock.now_s() == 1000.1


def test_sums_of_intervals_reach_the_limit() -> None:
    clock = SteppedClock()
    assert len(list(polls(clock, clock.now_s() + 0.7, 0.1))) == 8


def test_a_stop_request_is_put_off_within_the_shield_and_kept() -> None:
    stop = StopFlag()
    clock = WallClock(stop)
    stop.request("operator")
    with shielded(clock):
        clock.checkpoint()
    with pytest.raises(StopRequested, match="operator"):
        clock.checkpoint()


def test_a_clock_without_a_shield_goes_on_raising() -> None:
    with pytest.raises(StopRequested), shielded(SteppedClock()):
        SteppedClock().checkpoint()
