"""Waiting on a bench: stop requests, slices of wall time, polling."""

from __future__ import annotations

import threading
import time

import pytest

from drivers import clock as clock_module
from drivers.clock import StopFlag, StopRequested, WallClock, wait_until
from drivers.errors import NotSettledError


class FakeTime:
    """The system's clock and sleep, without the waiting."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sleeps: list[float] = []
        self.during_sleep = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.sleeps.append(duration_s)
        self.now_s += duration_s
        self.during_sleep()


@pytest.fixture
def fake_time(monkeypatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(clock_module, "time", fake)
    return fake


# -- stop requests ------------------------------------------------------------------------------------


def test_nothing_is_raised_until_a_stop_is_asked_for():
    flag = StopFlag()
    flag.raise_if_requested()
    assert flag.reason is None
    flag.request("SIGTERM")
    with pytest.raises(StopRequested, match="SIGTERM"):
        flag.raise_if_requested()


def test_the_first_reason_is_kept():
    flag = StopFlag()
    flag.request("SIGINT")
    flag.request("SIGTERM")
    assert flag.reason == "SIGINT"


def test_a_stop_ends_whatever_ends_on_a_keyboard_interrupt():
    # `except Exception` in somebody's plan must not swallow it.
    assert issubclass(StopRequested, KeyboardInterrupt)
    assert not issubclass(StopRequested, Exception)


def test_a_shield_keeps_a_stop_and_nested_shields_count():
    flag = StopFlag()
    with flag.shield():
        flag.request("SIGTERM")
        flag.raise_if_requested()
        with flag.shield():
            flag.raise_if_requested()
        flag.raise_if_requested()
    with pytest.raises(StopRequested):
        flag.raise_if_requested()


def _fail_behind(flag: StopFlag) -> None:
    with flag.shield():
        raise RuntimeError("meanwhile")


def test_a_shield_ends_with_an_exception_too():
    flag = StopFlag()
    flag.request("SIGTERM")
    with pytest.raises(RuntimeError):
        _fail_behind(flag)
    with pytest.raises(StopRequested):
        flag.raise_if_requested()


def test_a_shield_holds_for_all_threads():
    flag = StopFlag()
    flag.request("SIGTERM")
    raised: list[BaseException] = []

    def other() -> None:
        try:
            flag.raise_if_requested()
        except BaseException as fault:
            raised.append(fault)

    with flag.shield():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert raised == []


# -- the wall clock -----------------------------------------------------------------------------------


def test_wall_time_is_the_systems_monotonic_time(fake_time):
    clock = WallClock()
    assert clock.kind == "wall"
    assert clock.now_s() == 100.0
    fake_time.now_s = 101.5
    assert clock.now_s() == 101.5


def test_wall_time_never_goes_back():
    clock = WallClock()
    readings = [clock.now_s() for _ in range(100)]
    assert readings == sorted(readings)
    assert readings[0] <= time.monotonic()


def test_a_long_sleep_is_cut_into_slices_that_add_up(fake_time):
    WallClock().sleep(1.05)
    assert sum(fake_time.sleeps) == pytest.approx(1.05)
    assert max(fake_time.sleeps) <= 0.2


@pytest.mark.parametrize("duration_s", [0.0, -3.0])
def test_a_sleep_for_nothing_returns_at_once(fake_time, duration_s):
    WallClock().sleep(duration_s)
    assert fake_time.sleeps == []


def test_a_stop_ends_a_sleep_within_a_slice(fake_time):
    flag = StopFlag()

    def interrupt() -> None:
        if len(fake_time.sleeps) == 3:
            flag.request("SIGINT")

    fake_time.during_sleep = interrupt
    with pytest.raises(StopRequested, match="SIGINT"):
        WallClock(flag).sleep(3600.0)
    assert len(fake_time.sleeps) == 3


def test_a_stop_is_honoured_before_sleeping_and_at_checkpoints(fake_time):
    flag = StopFlag()
    clock = WallClock(flag)
    clock.checkpoint()
    flag.request("SIGINT")
    for act in (clock.checkpoint, lambda: clock.sleep(0.0), lambda: clock.sleep(1.0)):
        with pytest.raises(StopRequested):
            act()
    assert fake_time.sleeps == []


# -- polling ------------------------------------------------------------------------------------------


def too_late() -> NotSettledError:
    return NotSettledError("thermal", "not there")


def test_a_condition_that_holds_already_takes_no_time(counting_clock):
    waited_s = wait_until(counting_clock, lambda: True, timeout_s=0.0, interval_s=1.0, error=too_late)
    assert waited_s == 0.0
    assert counting_clock.sleeps == []


def test_a_condition_is_polled_at_its_interval(counting_clock):
    waited_s = wait_until(
        counting_clock,
        lambda: counting_clock.now_s() >= 5.0,
        timeout_s=60.0,
        interval_s=2.0,
        error=too_late,
    )
    assert counting_clock.sleeps == [2.0, 2.0, 2.0]
    assert waited_s == 6.0


def test_the_last_wait_is_cut_and_the_condition_asked_once_more(counting_clock):
    asked_at_s: list[float] = []

    def condition() -> bool:
        asked_at_s.append(counting_clock.now_s())
        return counting_clock.now_s() >= 5.0

    assert wait_until(counting_clock, condition, timeout_s=5.0, interval_s=2.0, error=too_late) == 5.0
    assert asked_at_s == [0.0, 2.0, 4.0, 5.0]


def test_a_condition_that_never_holds_raises_what_it_was_told_to(counting_clock):
    with pytest.raises(NotSettledError, match="thermal: not there"):
        wait_until(counting_clock, lambda: False, timeout_s=5.0, interval_s=2.0, error=too_late)
    assert counting_clock.now_s() == 5.0


def test_a_slow_poll_cannot_miss_what_came_in_time(counting_clock):
    # Each question takes longer than the time limit: what it finds still counts.
    answers = iter([False, True])

    def slow() -> bool:
        counting_clock.sleeps.append(4.0)
        return next(answers)

    wait_until(counting_clock, slow, timeout_s=5.0, interval_s=2.0, error=too_late)


def test_a_stop_ends_polling(counting_clock):
    counting_clock.stop.request("SIGTERM")
    with pytest.raises(StopRequested):
        wait_until(counting_clock, lambda: False, timeout_s=5.0, interval_s=2.0, error=too_late)
