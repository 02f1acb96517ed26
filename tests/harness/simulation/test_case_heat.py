"""The case in the air: a first-order answer, exact, and the same however often it is asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation.heat import CaseHeat
from harness.simulation.world import World

ROOM_C = 23.0
STILL_K_PER_W, FLOWING_K_PER_W, CAPACITY_J_PER_K = 3.0, 0.8, 45.0
AIR_RATE_C_PER_S = 8.0


def heat_of(world: World, power_w: float = 0.0) -> CaseHeat:
    heat = CaseHeat(world, room_temp_c=ROOM_C)
    heat.connect_load(lambda: power_w)
    world.advance(1.0)  # the consumption is sampled once a second: from here on it is known
    return heat


def test_without_power_and_flow_everything_is_at_room_temperature():
    world = World(1)
    heat = heat_of(world)
    for _ in range(5):
        world.advance(100.0)
        assert heat.air_temp_c() == ROOM_C
        assert heat.case_temp_c() == pytest.approx(ROOM_C, abs=1e-9)


@pytest.mark.parametrize("after_s", [1.0, 10.0, 135.0, 400.5, 3000.0])
def test_the_case_warms_in_still_air_as_the_closed_form_says(after_s):
    world = World(1)
    heat = heat_of(world, 10.0)
    world.advance(after_s)
    rise_c = 10.0 * STILL_K_PER_W * (1.0 - math.exp(-after_s / (STILL_K_PER_W * CAPACITY_J_PER_K)))
    assert heat.case_temp_c() == pytest.approx(ROOM_C + rise_c, abs=1e-6)


def test_the_case_settles_above_flowing_air_by_power_times_resistance():
    world = World(1)
    heat = heat_of(world, 10.0)
    heat.set_air(target_c=50.0, flowing=True)
    world.advance(1000.0)
    assert heat.air_temp_c() == 50.0
    assert heat.case_temp_c() == pytest.approx(50.0 + 10.0 * FLOWING_K_PER_W, abs=1e-6)


@pytest.mark.parametrize(("target_c", "sign"), [(70.0, 1.0), (-10.0, -1.0)])
def test_the_air_moves_at_its_rate_and_stops_where_it_was_sent(target_c, sign):
    world = World(1)
    heat = heat_of(world)
    heat.set_air(target_c=target_c, flowing=True)
    world.advance(2.5)
    assert heat.air_temp_c() == pytest.approx(ROOM_C + sign * AIR_RATE_C_PER_S * 2.5)
    world.advance(10.0)
    assert heat.air_temp_c() == target_c


def test_without_flow_the_air_is_the_rooms_again():
    world = World(1)
    heat = heat_of(world)
    heat.set_air(target_c=70.0, flowing=True)
    world.advance(60.0)
    heat.set_air(target_c=70.0, flowing=False)
    world.advance(60.0)
    assert heat.air_temp_c() == ROOM_C


@pytest.mark.parametrize(
    ("target_c", "after_s"), [(27.0, 0.25), (27.0, 1.0), (70.0, 3.7), (70.0, 40.0), (-40.0, 9.9)]
)
def test_case_and_air_follow_the_differential_equation(target_c, after_s):
    world = World(1)
    heat = heat_of(world, 10.0)
    case_c = heat.case_temp_c()
    heat.set_air(target_c=target_c, flowing=True)
    world.advance(after_s)
    # C dT/dt = (T_air - T) / R + P, in small steps by the midpoint rule.
    steps = 4000
    step_s, air_c = after_s / steps, ROOM_C
    for _ in range(steps):
        most_c = AIR_RATE_C_PER_S * step_s
        next_c = air_c + max(-most_c, min(most_c, target_c - air_c))
        middle_c = (air_c + next_c) / 2.0
        slope = ((middle_c - case_c) / FLOWING_K_PER_W + 10.0) / CAPACITY_J_PER_K
        half_c = case_c + slope * step_s / 2.0
        case_c += ((middle_c - half_c) / FLOWING_K_PER_W + 10.0) / CAPACITY_J_PER_K * step_s
        air_c = next_c
    assert heat.air_temp_c() == pytest.approx(air_c, abs=1e-6)
    assert heat.case_temp_c() == pytest.approx(case_c, abs=1e-4)


def _course(asked_at_s: list[float], *, commanded: bool = False) -> float:
    world = World(1)
    heat = heat_of(world, 9.0)
    heat.set_air(target_c=60.0, flowing=True)
    for moment_s in sorted(asked_at_s):
        world.advance_to(round((1.0 + moment_s) * 1e9))
        heat.case_temp_c()
        heat.air_temp_c()
        if commanded:
            heat.set_air(target_c=60.0, flowing=True)
    world.advance_to(31_000_000_000)
    return heat.case_temp_c()


_moments = st.lists(st.floats(min_value=0.0, max_value=30.0), max_size=8)


@settings(deadline=None, max_examples=50)
@given(_moments)
def test_asking_changes_nothing(moments):
    assert _course(moments) == _course([])


@settings(deadline=None, max_examples=50)
@given(_moments)
def test_a_command_that_changes_nothing_changes_nothing(moments):
    # A controller repeats itself at its own rate; the physics must not depend on it.
    assert _course(moments, commanded=True) == pytest.approx(_course([]), abs=1e-9)


def test_consumption_that_changes_is_followed():
    world = World(1)
    heat = CaseHeat(world, room_temp_c=ROOM_C)
    power_w = [0.0]
    heat.connect_load(lambda: power_w[0])
    world.advance(10.0)
    cold_c = heat.case_temp_c()
    power_w[0] = 12.0
    world.advance(2000.0)
    hot_c = heat.case_temp_c()
    power_w[0] = 0.0
    world.advance(2000.0)
    assert cold_c == pytest.approx(ROOM_C)
    assert hot_c == pytest.approx(ROOM_C + 36.0, abs=1e-3)
    assert heat.case_temp_c() == pytest.approx(ROOM_C, abs=1e-3)
