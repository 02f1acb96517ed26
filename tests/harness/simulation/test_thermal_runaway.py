"""A case in moving air, and a load that grows with the case's temperature: a stable point, or none."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import StopFlag
from harness.bench_file.reading import find_bench_file, load_bench
from harness.simulation.bench import SimulatedBackend
from harness.simulation.heat import HOTTEST_C, CaseHeat, resistance_k_per_w
from harness.simulation.world import World
from harness.tables import TableError

ROOM_C = 23.0
IDLE_W, DOUBLING_C = 8.5, 10.0
E_FOLD_C = DOUBLING_C / math.log(2.0)


def warmed(power_w: float, after_s: float, *, room_c: float = ROOM_C, airflow_m_per_s: float = 0.0) -> float:
    world = World(1)
    heat = CaseHeat(world, room_temp_c=room_c, airflow_m_per_s=airflow_m_per_s)
    heat.connect_load(lambda: power_w)
    world.advance(1.0 + after_s)  # the load is seen after the first second
    return heat.case_temp_c()


def test_still_air_and_the_nozzle_have_the_resistances_of_their_cases():
    assert resistance_k_per_w(0.0) == 3.0
    assert resistance_k_per_w(10.0) == 0.8


@pytest.mark.parametrize("speed_m_per_s", [0.1, 1.0, 4.0, 20.0])
def test_what_moving_air_carries_beyond_still_air_goes_as_the_speed_to_the_0_8(speed_m_per_s):
    still, once, twice = (1.0 / resistance_k_per_w(k * speed_m_per_s) for k in (0.0, 1.0, 2.0))
    assert (twice - still) / (once - still) == pytest.approx(2.0**0.8)


@pytest.mark.parametrize(("airflow_m_per_s", "resistance"), [(0.0, 3.0), (1.0, 2.08936), (2.0, 1.70566)])
def test_the_airflow_of_the_room_sets_rise_and_time_constant(airflow_m_per_s, resistance):
    # 3.0 / (1 + 2.75 (v / 10 m/s)^0.8) K/W; after one time constant 1 - 1/e of the rise.
    lag_s = resistance * 45.0
    assert warmed(10.0, lag_s, airflow_m_per_s=airflow_m_per_s) == pytest.approx(
        ROOM_C + 10.0 * resistance * (1.0 - math.exp(-1.0)), abs=2e-3
    )
    assert warmed(10.0, 30 * lag_s, airflow_m_per_s=airflow_m_per_s) == pytest.approx(
        ROOM_C + 10.0 * resistance, abs=2e-3
    )


def test_the_nozzle_takes_over_from_the_airflow_of_the_room_and_gives_it_back():
    world = World(1)
    heat = CaseHeat(world, room_temp_c=ROOM_C, airflow_m_per_s=2.0)
    heat.connect_load(lambda: 10.0)
    heat.set_air(target_c=ROOM_C, flowing=True)
    world.advance(2000.0)
    assert heat.case_temp_c() == pytest.approx(ROOM_C + 8.0, abs=1e-6)
    heat.set_air(target_c=ROOM_C, flowing=False)
    world.advance(2000.0)
    assert heat.case_temp_c() == pytest.approx(ROOM_C + 10.0 * resistance_k_per_w(2.0), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    power_w=st.floats(0.0, 20.0),
    room_c=st.floats(-20.0, 60.0),
    airflow_m_per_s=st.floats(0.0, 20.0),
    after_s=st.floats(0.0, 300.0),
)
def test_a_steady_load_heats_the_case_no_further_than_air_plus_power_times_resistance(
    power_w, room_c, airflow_m_per_s, after_s
):
    case_c = warmed(power_w, after_s, room_c=room_c, airflow_m_per_s=airflow_m_per_s)
    hottest_c = room_c + power_w * resistance_k_per_w(airflow_m_per_s)
    assert room_c - 1e-9 <= case_c <= hottest_c + 1e-9


@settings(deadline=None, max_examples=30)
@given(power_w=st.floats(0.0, 20.0), airflow_m_per_s=st.floats(0.0, 5.0))
def test_what_goes_in_is_stored_or_leaves_through_the_air(power_w, airflow_m_per_s):
    world = World(1)
    heat = CaseHeat(world, room_temp_c=ROOM_C, airflow_m_per_s=airflow_m_per_s)
    heat.connect_load(lambda: power_w)
    world.advance(1.0)
    resistance, step_s, steps = resistance_k_per_w(airflow_m_per_s), 0.5, 200
    rises = [heat.case_temp_c() - ROOM_C]
    for _ in range(steps):
        world.advance(step_s)
        rises.append(heat.case_temp_c() - ROOM_C)
    lost_j = step_s * (sum(rises) - (rises[0] + rises[-1]) / 2.0) / resistance
    stored_j = 45.0 * (rises[-1] - rises[0])
    assert stored_j + lost_j == pytest.approx(power_w * step_s * steps, rel=1e-4, abs=1e-9)


def leaking(leakage_w: float, after_s: float, *, airflow_m_per_s: float = 0.0) -> float:
    world = World(1)
    heat = CaseHeat(world, room_temp_c=ROOM_C, airflow_m_per_s=airflow_m_per_s)
    heat.connect_load(lambda: IDLE_W + leakage_w * 2.0 ** ((heat.case_temp_c() - 25.0) / DOUBLING_C))
    world.advance(after_s)
    return heat.case_temp_c()


def critical_leakage_w(airflow_m_per_s: float) -> float:
    """T = T0 + R L exp((T - 25) / e) has a solution up to R L = e / exp(1 + (T0 - 25) / e)."""
    resistance = resistance_k_per_w(airflow_m_per_s)
    bare_c = ROOM_C + IDLE_W * resistance
    return E_FOLD_C / resistance * math.exp(-1.0 - (bare_c - 25.0) / E_FOLD_C)


def stable_c(leakage_w: float, airflow_m_per_s: float) -> float:
    """T0 - e W(-(R L / e) exp((T0 - 25) / e)), with Lambert's W on its principal branch."""
    resistance = resistance_k_per_w(airflow_m_per_s)
    bare_c = ROOM_C + IDLE_W * resistance
    argument = -resistance * leakage_w / E_FOLD_C * math.exp((bare_c - 25.0) / E_FOLD_C)
    w = 0.0
    for _ in range(60):  # Newton from above converges on the principal branch
        w -= (w * math.exp(w) - argument) / ((w + 1.0) * math.exp(w))
    return bare_c - E_FOLD_C * w


@pytest.mark.parametrize("airflow_m_per_s", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_below_the_critical_leakage_the_case_settles_at_the_closed_form(airflow_m_per_s, share):
    leakage_w = share * critical_leakage_w(airflow_m_per_s)
    wanted_c = stable_c(leakage_w, airflow_m_per_s)
    assert wanted_c < ROOM_C + IDLE_W * resistance_k_per_w(airflow_m_per_s) + E_FOLD_C
    assert leaking(leakage_w, 4000.0, airflow_m_per_s=airflow_m_per_s) == pytest.approx(wanted_c, abs=0.01)


@pytest.mark.parametrize("airflow_m_per_s", [0.0, 1.0, 10.0])
def test_above_the_critical_leakage_there_is_no_stable_point_and_the_world_ends_it(airflow_m_per_s):
    leakage_w = 1.1 * critical_leakage_w(airflow_m_per_s)
    assert leaking(leakage_w, 4000.0, airflow_m_per_s=airflow_m_per_s) == HOTTEST_C


def test_a_leakage_that_runs_away_in_still_air_is_held_by_moving_air():
    leakage_w = 1.1 * critical_leakage_w(0.0)
    assert leaking(leakage_w, 4000.0) == HOTTEST_C
    assert leaking(leakage_w, 4000.0, airflow_m_per_s=1.0) < 60.0


def bench_with(folder: Path, airflow: str) -> Path:
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    path = folder / "bench.toml"
    path.write_text(text.replace("[simulation]\n", f"[simulation]\nairflow = {airflow}\n"), encoding="utf-8")
    return path


def test_the_airflow_of_a_bench_file_cools_the_case(tmp_path: Path):
    spec = load_bench(bench_with(tmp_path, '"200 cm/s"'))
    assert spec.simulation is not None
    backend = SimulatedBackend(spec, spec.simulation, StopFlag())
    backend.heat.connect_load(lambda: 10.0)
    backend.world.advance(400.0)
    assert backend.heat.case_temp_c() == pytest.approx(23.0 + 17.0566, abs=0.2)
    backend.close()


@pytest.mark.parametrize(
    ("airflow", "said"),
    [('"-1 m/s"', "is below 0 m/s"), ('"51 m/s"', "is above 50 m/s"), ("2", 'such as "1.5 m/s"')],
)
def test_an_airflow_that_there_is_not_is_refused(tmp_path: Path, airflow: str, said: str):
    with pytest.raises(TableError, match=rf"simulation\.airflow: .*{said}"):
        load_bench(bench_with(tmp_path, airflow))
