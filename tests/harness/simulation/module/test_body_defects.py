"""Defects of a module's body, each shown by what shows it: registers, consumption, launch power, times."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.module import CmisModule
from drivers.units import dbm_from_w
from harness.simulation.electricity import SupplyRail
from harness.simulation.heat import HOTTEST_C, CaseHeat, resistance_k_per_w
from harness.simulation.light.beam import Beam
from harness.simulation.module.building import build_module
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.defects import DEFECTS, StatedDefect, with_defects
from harness.simulation.module.states import ModuleState
from harness.simulation.world import World

if TYPE_CHECKING:
    from conftest import ModuleBench

    MakeBench = Callable[..., ModuleBench]

SEVERITIES = (0.0, 0.5, 1.0)


def with_defect(
    kind: str, severity: float = 1.0, lanes: tuple[int, ...] = (2,), **monitors: float
) -> Profile:
    good = load_profile("good-dr4")
    good = dataclasses.replace(good, monitors=dataclasses.replace(good.monitors, **monitors))  # type: ignore[arg-type]
    stated = StatedDefect(kind, lanes if DEFECTS[kind].per_lane else (), severity)
    return with_defects(dataclasses.replace(good, defects=(stated,)))


def up(make_bench: MakeBench, profile: Profile) -> ModuleBench:
    bench = make_bench(profile)
    bench.activate()
    bench.world.advance(0.2)
    return bench


def reading(bench: ModuleBench, name: str) -> float:
    value = bench.read(name)
    return value[1] if isinstance(value, tuple) else value  # of lane 2


# -- monitors that are off ---------------------------------------------------------------------------------


OFF_BY = {  # register to the defect and what it makes of a good value
    "TempMonValue": ("temperature_miscalibration", lambda good, severity: good + 6.0 * severity),
    "VccMonVoltage": ("vcc_miscalibration", lambda good, severity: good + 3.3 * 0.06 * severity),
    "TxPower": ("tx_power_miscalibration", lambda good, severity: good * 10 ** (0.6 * severity)),
    "RxPower": ("rx_power_miscalibration", lambda good, severity: good * 10 ** (0.6 * severity)),
}


def test_a_monitor_is_off_by_its_severity_and_by_half_of_it_at_what_data_sheets_allow(
    make_bench: MakeBench,
) -> None:
    good: dict[str, float] = {}
    for severity in SEVERITIES:
        profile = load_profile("good-dr4")
        for kind, _ in OFF_BY.values():
            profile = DEFECTS[kind].apply(profile, (2,), severity)
        bench = up(make_bench, profile)
        shown = {register: reading(bench, register) for register in OFF_BY}
        good = good or shown
        for register, (_, wanted) in OFF_BY.items():
            assert shown[register] == pytest.approx(wanted(good[register], severity), rel=2e-3)


def test_a_bias_monitor_is_off_by_20_percent_and_the_other_lanes_are_not(make_bench: MakeBench) -> None:
    good, bad = (
        up(make_bench, with_defect("bias_miscalibration", severity)).read("TxBias") for severity in (0.0, 1.0)
    )
    # The calibration's own error, within 4 %, stays in it.
    assert bad[1] / good[1] == pytest.approx(1.2, abs=0.01)
    assert (bad[0], bad[2], bad[3]) == (good[0], good[2], good[3])


# -- monitors that stick -----------------------------------------------------------------------------------


def test_a_stuck_temperature_monitor_stands_while_the_case_moves(make_bench: MakeBench) -> None:
    bench = up(make_bench, with_defect("stuck_temperature_monitor"))
    bench.world.advance(30.0)
    stuck_c = reading(bench, "TempMonValue")
    bench.surroundings.case_c = 35.0
    bench.world.advance(1.0)
    assert reading(bench, "TempMonValue") == stuck_c == pytest.approx(25.0, abs=3.0)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_monitor_that_half_sticks_follows_half_of_the_way(make_bench: MakeBench, severity: float) -> None:
    bench = up(make_bench, with_defect("stuck_temperature_monitor", severity))
    bench.world.advance(30.0)
    before_c = reading(bench, "TempMonValue")
    bench.surroundings.case_c = 45.0
    bench.world.advance(1.0)
    assert reading(bench, "TempMonValue") - before_c == pytest.approx(20.0 * (1.0 - severity), abs=0.01)


def test_a_monitor_sticks_at_its_time_and_a_reset_frees_it(make_bench: MakeBench) -> None:
    bench = make_bench(with_defect("stuck_temperature_monitor", stuck_after_s=20.0))
    bench.power_on()
    bench.surroundings.case_c = 35.0
    bench.world.advance(5.0)
    assert reading(bench, "TempMonValue") == pytest.approx(35.0, abs=3.0)
    bench.world.advance(20.0)
    bench.surroundings.case_c = 60.0
    bench.world.advance(1.0)
    assert reading(bench, "TempMonValue") == pytest.approx(35.0, abs=3.0)
    bench.host.pins.set_reset(asserted=True)
    bench.world.advance(0.1)
    bench.host.pins.set_reset(asserted=False)
    bench.world.advance(3.0)
    assert reading(bench, "TempMonValue") == pytest.approx(60.0, abs=3.0)


def test_stuck_monitors_of_light_and_supply_show_what_is_no_more(make_bench: MakeBench) -> None:
    kinds = ("stuck_vcc_monitor", "stuck_tx_power_monitor", "stuck_rx_power_monitor", "stuck_bias_monitor")
    registers = ("VccMonVoltage", "TxPower", "RxPower", "TxBias")
    stated = tuple(StatedDefect(kind, (2,) if DEFECTS[kind].per_lane else ()) for kind in kinds)
    bench = up(make_bench, with_defects(dataclasses.replace(load_profile("good-dr4"), defects=stated)))
    bench.world.advance(30.0)
    before = [reading(bench, register) for register in registers]
    bench.write("OutputDisableTx", 0b0011)
    bench.surroundings.rx_w = [1e-5] * 4
    bench.surroundings.vcc = 3.135
    bench.module.supply_changed()
    bench.world.advance(1.0)
    assert [reading(bench, register) for register in registers] == before
    assert (bench.read("TxPower")[0], bench.read("TxBias")[0]) == (0.0, 0.0)
    assert bench.read("RxPower")[0] < 2e-5


@pytest.mark.parametrize("lit", [True, False])
def test_a_stuck_light_monitor_shows_light_after_a_disable_only_if_it_stuck_on_light(
    make_bench: MakeBench, lit: bool
) -> None:
    bench = up(make_bench, with_defect("stuck_tx_power_monitor"))
    if not lit:
        bench.write("OutputDisableTx", 0b0010)
    bench.world.advance(30.0)
    bench.write("OutputDisableTx", 0b0010 if lit else 0)
    bench.world.advance(1.0)
    assert (bench.module.launch_power_w(2) > 1e-4) is not lit
    assert (reading(bench, "TxPower") > 0.0) is lit
    assert "30 s after power-up" in DEFECTS["stuck_tx_power_monitor"].shown_by


# -- heat --------------------------------------------------------------------------------------------------


def hot_bench(
    make_bench: MakeBench, profile: Profile, *, room_c: float = 23.0, airflow_m_per_s: float = 0.0
) -> tuple[ModuleBench, CaseHeat]:
    """The module in its case, in the room's air."""
    bench = make_bench(profile)
    heat = CaseHeat(bench.world, room_temp_c=room_c, airflow_m_per_s=airflow_m_per_s)
    bench.surroundings.case_temp_c = heat.case_temp_c  # type: ignore[method-assign]
    bench.activate()
    heat.connect_load(bench.module.consumption_w)
    return bench, heat


def advance_until_fault(bench: ModuleBench, heat: CaseHeat, *, limit_s: float) -> tuple[float, float]:
    """The highest temperature and the most power on the way."""
    hottest_c, most_w, start_s = heat.case_temp_c(), 0.0, bench.world.now_s
    while bench.module.state is not ModuleState.FAULT:
        assert bench.world.now_s - start_s < limit_s, f"no fault in {limit_s} s"
        bench.world.advance(0.5)
        hottest_c = max(hottest_c, heat.case_temp_c())
        most_w = max(most_w, bench.module.consumption_w())
    return hottest_c, most_w


def test_a_runaway_ends_in_the_module_s_own_shutdown(make_bench: MakeBench) -> None:
    bench, heat = hot_bench(make_bench, with_defect("thermal_runaway"), room_c=50.0)
    module = CmisModule(bench.host.memory, bench.clock)
    hottest_c, most_w = advance_until_fault(bench, heat, limit_s=2000.0)
    assert hottest_c == pytest.approx(85.0, abs=2.0)
    assert most_w / 3.135 < 4.5  # the supply of sim-dr4 goes on until the module protects itself
    assert bench.read("ModuleFaultCause") == 6
    assert bench.read("ModuleState") == 5
    assert {"TempMonHighAlarmFlag", "ModuleStateChangedFlag"} <= set(module.flags().module)
    assert all(bench.module.launch_power_w(lane) == 0.0 for lane in range(1, 5))
    assert bench.module.consumption_w() == bench.module.profile.power.low_power_w
    heat.set_air(target_c=20.0, flowing=True)
    bench.world.advance(60.0)
    assert heat.case_temp_c() < 60.0
    assert bench.module.state is ModuleState.FAULT
    bench.host.pins.set_reset(asserted=True)
    bench.world.advance(0.1)
    bench.host.pins.set_reset(asserted=False)
    bench.world.advance(15.0)
    assert bench.module.state is ModuleState.READY
    assert bench.read("ModuleFaultCause") == 0


def test_a_module_below_its_lockout_draws_nothing_and_starts_anew(make_bench: MakeBench) -> None:
    bench = up(make_bench, load_profile("good-dr4"))
    bench.surroundings.vcc = 2.6
    bench.module.supply_changed()
    assert bench.module.state is ModuleState.UNPOWERED
    assert bench.module.consumption_w() == 0.0
    bench.surroundings.vcc = 3.3
    bench.module.supply_changed()
    assert bench.module.consumption_w() == bench.module.profile.power.initialising_w


def test_on_a_rail_that_collapsed_under_it_no_current_flows() -> None:
    world = World(1)
    rail = SupplyRail(lead_resistance_ohm=0.02)
    profile = load_profile("good-dr4")
    module = build_module(world, profile, RailAlone(rail))
    rail.connect_load(module.consumption_w, module.supply_changed)
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=3.0, remote_sense=True)
    assert rail.connector_v() == 3.3
    assert rail.current_a() == pytest.approx(profile.power.initialising_w / 3.3)
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=0.1, remote_sense=True)
    assert rail.connector_v() == 0.0
    world.advance(1.0)
    assert (rail.connector_v(), rail.current_a()) == (0.0, 0.0)
    assert rail.current_limited()


class RailAlone:
    """A module's surroundings without light."""

    def __init__(self, rail: SupplyRail) -> None:
        self.vcc_v = rail.connector_v

    def case_temp_c(self) -> float:
        return 25.0

    def rx_light(self, _port: int) -> tuple[Beam, ...]:
        return ()


def test_a_runaway_that_the_module_does_not_notice_ends_with_the_world(make_bench: MakeBench) -> None:
    stuck = StatedDefect("stuck_temperature_monitor")
    profile = with_defects(dataclasses.replace(with_defect("thermal_runaway"), defects=(stuck,)))
    bench, heat = hot_bench(make_bench, profile, room_c=60.0)
    bench.world.advance(25.0)
    shown_c = reading(bench, "TempMonValue")
    bench.world.advance(600.0)
    assert heat.case_temp_c() == HOTTEST_C
    assert reading(bench, "TempMonValue") == shown_c
    assert bench.module.state is ModuleState.READY


def test_moving_air_holds_the_module_that_runs_away_in_still_air(make_bench: MakeBench) -> None:
    bench, heat = hot_bench(make_bench, with_defect("thermal_runaway"), airflow_m_per_s=10.0)
    bench.world.advance(160.0)
    assert bench.module.state is ModuleState.READY
    balance_c = 23.0 + resistance_k_per_w(10.0) * bench.module.consumption_w()
    assert heat.case_temp_c() == pytest.approx(balance_c, abs=0.3)


@pytest.mark.parametrize(
    ("severity", "stable", "unstable"),
    [
        (0.0, [(45.0, 0.0)], []),
        (0.3, [(45.0, 0.0), (60.0, 2.0)], [(56.0, 0.0)]),
        (1.0, [(23.0, 0.0), (55.0, 4.0)], [(50.0, 0.0), (72.0, 4.0)]),
    ],
)
def test_whether_there_is_a_stable_point_below_the_shutdown(
    make_bench: MakeBench,
    severity: float,
    stable: list[tuple[float, float]],
    unstable: list[tuple[float, float]],
) -> None:
    """Room in Celsius and airflow in m/s: somewhere the air carries more than the module dissipates."""
    bench = up(make_bench, with_defect("thermal_runaway", severity))
    loss_w = {}
    for case_c in range(20, 86):
        bench.surroundings.case_c = float(case_c)
        loss_w[case_c] = bench.module.consumption_w()
    for room_c, airflow_m_per_s in (*stable, *unstable):
        carried_w = (
            ((case_c - room_c) / resistance_k_per_w(airflow_m_per_s), loss) for case_c, loss in loss_w.items()
        )
        holds = any(carried > loss for carried, loss in carried_w)
        assert holds is ((room_c, airflow_m_per_s) in stable)


# -- power, supply, times ----------------------------------------------------------------------------------


def test_leakage_doubles_every_10_c(make_bench: MakeBench) -> None:
    loss_w: dict[float, list[float]] = {}
    for severity in (0.0, 1.0):
        bench = up(make_bench, with_defect("thermal_runaway", severity))
        loss_w[severity] = []
        for case_c in (25.0, 45.0, 65.0):
            bench.surroundings.case_c = case_c
            bench.world.advance(0.2)
            loss_w[severity].append(bench.module.consumption_w())
    extra_w = [bad - good for bad, good in zip(loss_w[1.0], loss_w[0.0], strict=True)]
    assert extra_w == pytest.approx([0.05, 0.2, 0.8])


def test_excess_power_passes_what_the_module_advertises(make_bench: MakeBench) -> None:
    loss_w = [up(make_bench, with_defect("excess_power", s)).module.consumption_w() for s in SEVERITIES]
    assert loss_w[0] < 10.0 < loss_w[2]
    assert [loss - loss_w[0] for loss in loss_w] == pytest.approx([0.0, 1.75, 3.5])


def test_a_module_sensitive_to_its_supply_leaves_the_limits_at_its_corners(make_bench: MakeBench) -> None:
    swings_db = []
    for severity in SEVERITIES:
        bench = up(make_bench, with_defect("supply_sensitivity", severity))
        powers_dbm = {}
        for vcc in (3.135, 3.3, 3.465):
            bench.surroundings.vcc = vcc
            bench.module.supply_changed()
            powers_dbm[vcc] = [dbm_from_w(bench.module.launch_power_w(lane)) for lane in range(1, 5)]
        swings_db.append(powers_dbm[3.465][1] - powers_dbm[3.135][1])
        assert all(-2.9 < power < 4.0 for power in powers_dbm[3.3])
    assert swings_db == pytest.approx([0.05 * 0.33, 14.05 * 0.33, 28.05 * 0.33], abs=0.05)
    assert max(powers_dbm[3.135]) < -2.9
    assert min(powers_dbm[3.465]) > 4.0


def test_a_slow_bring_up_takes_longer_than_advertised(make_bench: MakeBench) -> None:
    took_s = {}
    for severity in SEVERITIES:
        bench = make_bench(with_defect("slow_bring_up", severity))
        bench.power_on()
        bench.host.pins.set_low_power(asserted=False)
        up_s = bench.run_until(lambda: bench.module.state is ModuleState.READY, limit_s=30.0)  # noqa: B023
        took_s[severity] = (
            up_s,
            bench.run_until(
                lambda: all(state == 4 for state in bench.module.data_path_states()),  # noqa: B023
                limit_s=30.0,
            ),
        )
    advertised_s = (5.0, 5.5)  # ModulePwrUp; DPInit and DPTxTurnOn
    for step, limit_s in enumerate(advertised_s):
        first, half, full = (took_s[severity][step] for severity in SEVERITIES)
        assert first < limit_s < half < full
        assert full - first == pytest.approx(1.5 * limit_s, abs=0.01)
        assert math.isclose(half - first, 0.75 * limit_s, abs_tol=0.01)
