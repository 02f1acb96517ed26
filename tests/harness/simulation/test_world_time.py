"""The world's time: events in order at exactly their times, never back, moved by sleeping alone."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import StopFlag, StopRequested
from harness.simulation.world import VirtualClock, World, ns_from_s


@pytest.fixture
def world() -> World:
    return World(1)


def test_whole_nanoseconds():
    assert ns_from_s(1.5) == 1_500_000_000
    assert ns_from_s(0.1) == 100_000_000
    assert ns_from_s(1e-9) == 1


def test_events_run_in_the_order_of_their_times_each_at_its_own(world):
    seen: list[tuple[str, int]] = []
    for name, when_ns in (("c", 30), ("a", 10), ("b", 20)):
        world.at(when_ns, lambda name=name: seen.append((name, world.now_ns)))
    world.advance_to(25)
    assert seen == [("a", 10), ("b", 20)]
    assert world.now_ns == 25
    world.advance_to(30)
    assert seen[-1] == ("c", 30)


def test_events_of_one_time_run_in_the_order_they_were_made(world):
    seen: list[int] = []
    for number in range(20):
        world.at(5, lambda number=number: seen.append(number))
    world.advance_to(5)
    assert seen == list(range(20))


def test_a_cancelled_event_does_not_run(world):
    seen: list[str] = []
    event = world.at(10, lambda: seen.append("cancelled"))
    world.at(5, event.cancel)
    world.at(20, lambda: seen.append("kept"))
    world.advance_to(100)
    assert seen == ["kept"]
    event.cancel()


def test_an_event_may_make_further_ones(world):
    seen: list[int] = []

    def tick() -> None:
        seen.append(world.now_ns)
        world.after(1e-8, tick)

    world.at(0, tick)
    world.advance_to(45)
    assert seen == [0, 10, 20, 30, 40]


def test_an_event_in_the_past_runs_as_soon_as_time_moves_and_not_before(world):
    world.advance_to(100)
    seen: list[int] = []
    world.at(10, lambda: seen.append(world.now_ns))
    assert seen == []
    world.advance_to(100)
    assert seen == [100]


def test_time_never_goes_back(world):
    world.advance_to(100)
    world.advance_to(50)
    assert world.now_ns == 100
    world.advance(-1.0)
    assert world.now_ns == 100
    assert world.now_s == pytest.approx(1e-7)


def test_an_event_that_moves_time_further_is_not_undone(world):
    seen: list[int] = []
    world.at(10, lambda: world.advance_to(70))
    world.at(60, lambda: seen.append(world.now_ns))
    world.advance_to(20)
    assert world.now_ns == 70
    assert seen == [60]


def test_an_event_that_fails_leaves_time_where_it_failed_and_the_rest_to_come(world):
    seen: list[int] = []

    def fail() -> None:
        raise ValueError("broken")

    world.at(10, fail)
    world.at(20, lambda: seen.append(world.now_ns))
    with pytest.raises(ValueError, match="broken"):
        world.advance_to(30)
    assert world.now_ns == 10
    world.advance_to(30)
    assert seen == [20]


@given(
    times=st.lists(st.integers(0, 1000), max_size=20),
    stops=st.lists(st.integers(0, 1000), max_size=10),
)
def test_however_time_is_moved_each_event_runs_once_at_its_time(times, stops):
    world = World(1)
    seen: list[tuple[int, int]] = []
    for number, when_ns in enumerate(times):
        world.at(when_ns, lambda number=number: seen.append((world.now_ns, number)))
    last_ns = 0
    for stop_ns in stops:
        world.advance_to(stop_ns)
        assert world.now_ns >= last_ns
        last_ns = world.now_ns
    world.advance_to(2000)
    assert seen == sorted((when_ns, number) for number, when_ns in enumerate(times))


def test_one_thread_at_a_time_moves_the_world(world):
    busy = threading.Lock()
    overlaps: list[int] = []

    def work() -> None:
        if not busy.acquire(blocking=False):
            overlaps.append(world.now_ns)
            return
        try:
            threading.Event().wait(0.0005)
        finally:
            busy.release()

    for when_ns in range(40):
        world.at(when_ns, work)
    threads = [threading.Thread(target=world.advance_to, args=(n,)) for n in (10, 20, 30, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
    assert world.now_ns == 40


# -- the clock ----------------------------------------------------------------------------------------


def test_sleeping_moves_the_world_and_runs_what_falls_due(world):
    clock = VirtualClock(world)
    seen: list[float] = []
    world.after(3600.0, lambda: seen.append(clock.now_s()))
    clock.sleep(7200.0)
    assert seen == [3600.0]
    assert clock.now_s() == 7200.0
    assert clock.kind == "virtual"


@pytest.mark.parametrize("duration_s", [0.0, -5.0])
def test_sleeping_for_nothing_moves_nothing(world, duration_s):
    clock = VirtualClock(world)
    clock.sleep(1.0)
    clock.sleep(duration_s)
    assert clock.now_s() == 1.0


def test_a_stop_is_honoured_before_sleeping(world):
    stop = StopFlag()
    clock = VirtualClock(world, stop)
    stop.request("SIGTERM")
    with pytest.raises(StopRequested, match="SIGTERM"):
        clock.sleep(10.0)
    assert world.now_ns == 0
    with pytest.raises(StopRequested):
        clock.checkpoint()


def test_a_stop_that_comes_while_sleeping_is_honoured_at_its_end(world):
    stop = StopFlag()
    clock = VirtualClock(world, stop)
    world.after(1.0, lambda: stop.request("SIGINT"))
    with pytest.raises(StopRequested, match="SIGINT"):
        clock.sleep(2.0)


def test_behind_a_shield_sleeping_goes_on(world):
    stop = StopFlag()
    clock = VirtualClock(world, stop)
    stop.request("SIGTERM")
    with stop.shield():
        clock.sleep(2.0)
    assert clock.now_s() == 2.0
    with pytest.raises(StopRequested):
        clock.sleep(1.0)
