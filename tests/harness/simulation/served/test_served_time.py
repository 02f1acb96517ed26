"""Module time that follows the wall clock, and a machine that is too slow for it."""

from __future__ import annotations

import pytest

from harness.simulation.served.pace import WallPace, advance_for
from harness.simulation.world import NS_PER_S, World


class Wall:
    def __init__(self) -> None:
        self.now_ns = 12_345

    def __call__(self) -> int:
        return self.now_ns


def test_module_time_is_the_walls_times_the_speed() -> None:
    world, wall = World(0), Wall()
    pace = WallPace(world, 20.0, wall)
    wall.now_ns += NS_PER_S
    assert pace.catch_up(1.0, lose=True)
    assert world.now_ns == 20 * NS_PER_S
    assert pace.lost_ns == 0


def test_what_the_machine_is_too_slow_for_is_lost_once_and_counted() -> None:
    world, wall = World(0), Wall()
    pace = WallPace(world, 1.0, wall)
    wall.now_ns += 100 * NS_PER_S
    assert not pace.catch_up(0.0, lose=True)
    begun_ns = world.now_ns
    assert begun_ns + pace.lost_ns == 100 * NS_PER_S
    wall.now_ns += NS_PER_S // 20
    assert pace.catch_up(0.0, lose=True)
    assert world.now_ns == begun_ns + NS_PER_S // 20


def test_an_idle_module_makes_up_in_turns_and_loses_nothing() -> None:
    world, wall = World(0), Wall()
    pace = WallPace(world, 1.0, wall)
    wall.now_ns += NS_PER_S
    turns = 1
    while not pace.catch_up(0.0, lose=False):
        turns += 1
    assert turns == 10
    assert (world.now_ns, pace.lost_ns) == (NS_PER_S, 0)


def test_events_run_on_the_way() -> None:
    world = World(0)
    seen: list[float] = []
    world.at(1_500_000_000, lambda: seen.append(world.now_s))
    while not advance_for(world, 3 * NS_PER_S, 0.0):
        pass
    assert seen == [1.5]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        WallPace(World(0), speed)
