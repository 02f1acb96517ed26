"""Monitors and light of the simulated module: plausible, live, repeatable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.module import CmisModule
from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.defects import DEFECTS

if TYPE_CHECKING:
    from conftest import ModuleBench


def _exact(profile: Profile) -> Profile:
    """The same module with perfect sensors and no spread."""
    return dataclasses.replace(
        profile,
        transmitter=dataclasses.replace(
            profile.transmitter, launch_power_spread_db=0.0, wander_db=0.0, tracking_db=(0.0,) * 4
        ),
        monitors=dataclasses.replace(
            profile.monitors,
            temperature_offset_c=0.0,
            temperature_error_c=0.0,
            vcc_error_percent=0.0,
            tx_power_monitor_error_db=(0.0,) * 4,
            rx_power_monitor_error_db=(0.0,) * 4,
            bias_monitor_error_percent=(0.0,) * 4,
        ),
    )


def test_perfect_sensors_show_the_world_in_register_steps(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(_exact(load_profile("good-dr4")))
    bench.surroundings.case_c = 31.3
    bench.surroundings.vcc = 3.28764
    bench.surroundings.rx_w = [w_from_dbm(power_dbm) for power_dbm in (-3.0, -6.0, -9.0, 0.0)]
    bench.activate()
    bench.world.advance(0.2)
    assert bench.read("TempMonValue") == round(31.3 * 256) / 256
    assert bench.read("VccMonVoltage") == pytest.approx(3.2876)
    assert bench.read("RxPower")[:4] == pytest.approx([501.2e-6, 251.2e-6, 125.9e-6, 1e-3])
    assert bench.read("TxPower")[:4] == pytest.approx(
        [w_from_dbm(power_dbm) for power_dbm in (1.2, 1.0, 1.4, 0.9)], abs=0.05e-6
    )
    assert bench.read("TxPower")[4:] == bench.read("RxPower")[4:] == (0.0,) * 4
    # 12 mA e^(11.3/60) + P / (0.03 e^(-11.3/150)), at the junction 5 C above the case
    assert bench.read("TxBias")[3] == pytest.approx(14.49 + 44.21, abs=0.1)


def test_negative_temperatures_are_two_s_complement(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(_exact(load_profile("good-dr4")))
    bench.surroundings.case_c = -4.5
    bench.power_on()
    assert bench.get(0, 0, 14, 2) == bytes([0xFB, 0x80])


@pytest.mark.parametrize("seed", range(5))
def test_drawn_errors_stay_within_data_sheet_accuracy(
    make_bench: Callable[..., ModuleBench], seed: int
) -> None:
    bench = make_bench(seed=seed)
    bench.activate()
    bench.world.advance(0.2)
    assert abs(bench.read("TempMonValue") - 25.0) < 3.0
    assert abs(bench.read("VccMonVoltage") / 3.3 - 1.0) < 0.03
    nominal_dbm = bench.module.profile.transmitter.average_launch_power_dbm
    for lane, (shown_w, wanted_dbm) in enumerate(
        zip(bench.read("TxPower"), nominal_dbm, strict=False), start=1
    ):
        launched_dbm = dbm_from_w(bench.module.launch_power_w(lane))
        assert abs(dbm_from_w(shown_w) - launched_dbm) < 3.0
        assert abs(launched_dbm - wanted_dbm) < 0.3
    for shown_w in bench.read("RxPower")[:4]:
        assert abs(dbm_from_w(shown_w)) < 3.0
    for name in ("TempMonHighAlarmFlag", "VccMonLowWarningFlag"):
        assert bench.read(name) == 0
    assert bench.read("OpticalPowerLowWarningFlagTx") == (False,) * 8


def test_monitors_keep_their_value_within_an_update_period(bench: ModuleBench) -> None:
    bench.power_on()
    bench.world.advance_to((bench.world.now_ns // 100_000_000 + 1) * 100_000_000)
    before = bench.get(0, 0, 14, 2)
    bench.surroundings.case_c = 60.0
    bench.world.advance(0.05)
    assert bench.get(0, 0, 14, 2) == before
    bench.world.advance(0.06)
    assert bench.get(0, 0, 14, 2) != before


def test_an_output_that_goes_off_shows_no_power_and_no_bias_soon(bench: ModuleBench) -> None:
    bench.activate()
    bench.world.advance(0.2)
    assert bench.read("TxBias")[2] > 20.0
    bench.write("OutputDisableTx", 0b0100)
    bench.world.advance(0.2)
    assert (bench.read("TxPower")[2], bench.read("TxBias")[2]) == (0.0, 0.0)
    assert bench.read("TxPower")[1] > 0.5e-3
    assert bench.read("OpticalPowerLowAlarmFlagTx") == (False,) * 8  # off on purpose is no alarm


def test_a_weak_lane_launches_and_reports_too_little(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench("dr4-lane3-weak")
    bench.activate()
    bench.world.advance(0.2)
    powers_dbm = [dbm_from_w(bench.module.launch_power_w(lane)) for lane in range(1, 5)]
    assert powers_dbm[2] == pytest.approx(-4.5, abs=0.3)
    assert min(powers_dbm[:2] + powers_dbm[3:]) > 0.5
    assert bench.read("OpticalPowerLowWarningFlagTx") == (False, False, True, False) + (False,) * 4


def test_a_dead_lane_draws_bias_to_its_limit_and_reports_a_failure(
    make_bench: Callable[..., ModuleBench],
) -> None:
    dead = DEFECTS["dead_laser"].apply(load_profile("good-dr4"), (4,), 1.0)
    bench = make_bench(dead)
    bench.activate()
    bench.world.advance(0.2)
    assert dbm_from_w(bench.module.launch_power_w(4)) < -30.0
    assert bench.read("TxBias")[3] > 100.0
    lane_4 = (False, False, False, True) + (False,) * 4
    assert bench.read("FailureFlagTx") == lane_4
    assert bench.read("OpticalPowerLowAlarmFlagTx") == lane_4


def test_los_has_hysteresis_and_takes_the_receiver_s_output_down(bench: ModuleBench) -> None:
    bench.activate()
    receiver = bench.module.profile.receiver
    between_w = w_from_dbm((receiver.los_assert_dbm + receiver.los_deassert_dbm) / 2)

    def los_of_lane_1(power_w: float) -> bool:
        bench.surroundings.rx_w[0] = power_w
        bench.world.advance(0.1)
        bench.read("LOSFlagRx")
        return bool(bench.read("LOSFlagRx")[0])

    assert not los_of_lane_1(between_w)
    assert los_of_lane_1(w_from_dbm(receiver.los_assert_dbm - 0.2))
    assert bench.read("OutputStatusRx") == (False, False) + (True,) * 6  # media lane 1 is host lanes 1 and 2
    assert los_of_lane_1(between_w)
    assert not los_of_lane_1(w_from_dbm(receiver.los_deassert_dbm + 0.2))
    assert bench.read("CDRLOLFlagRx")[0]  # light enough to be seen, too little for a lock
    assert bench.read("OutputStatusRx") == (False, False) + (True,) * 6
    assert not los_of_lane_1(w_from_dbm(-6.0))
    assert bench.read("OutputStatusRx") == (True,) * 8


def test_the_wavelength_of_a_hot_module_is_still_that_of_a_dr4(bench: ModuleBench) -> None:
    bench.activate()
    cold_nm = bench.module.wavelength_nm(1)
    bench.surroundings.case_c = 70.0
    assert bench.module.wavelength_nm(1) - cold_nm == pytest.approx(45 * 0.09)
    assert 1304.5 < cold_nm < bench.module.wavelength_nm(1) < 1317.5


def _readings(bench: ModuleBench, polls: int) -> list[object]:
    bench.activate()
    bench.world.advance_to(20_000_000_000)
    for _ in range(polls):
        bench.read("TempMonValue")
        bench.module.launch_power_w(2)
    bench.world.advance_to(30_000_000_000)
    powers_w = [bench.module.launch_power_w(lane) for lane in range(1, 5)]
    return [*powers_w, *(bench.read(name) for name in ("TempMonValue", "TxPower", "TxBias", "RxPower"))]


def test_the_same_seed_gives_the_same_readings_whatever_was_asked_before(
    make_bench: Callable[..., ModuleBench],
) -> None:
    assert _readings(make_bench(seed=7), polls=0) == _readings(make_bench(seed=7), polls=50)
    assert _readings(make_bench(seed=7), polls=0) != _readings(make_bench(seed=8), polls=0)


def test_two_modules_share_nothing(make_bench: Callable[..., ModuleBench]) -> None:
    first, second = make_bench(name="module"), make_bench(name="reference")
    first.activate()
    second.power_on()
    first.write("DPStateChangedMask", 0xFF)
    assert second.read("DPStateChangedMask") == (False,) * 8
    assert second.module.launch_power_w(1) == 0.0
    second.activate()
    assert first.module.launch_power_w(1) != second.module.launch_power_w(1)


def test_a_surrounding_whose_temperature_depends_on_the_consumption_is_no_endless_loop(
    bench: ModuleBench,
) -> None:
    module = bench.module
    bench.surroundings.case_temp_c = lambda: 25.0 + 2.0 * module.consumption_w()  # type: ignore[method-assign]
    bench.surroundings.vcc_v = lambda: 3.3 - 0.001 * module.consumption_w()  # type: ignore[method-assign]
    bench.activate()
    assert 8.0 < module.consumption_w() < 10.0
    bench.world.advance(0.2)
    assert bench.read("TempMonValue") > 30.0


def _clear_flags(bench: ModuleBench) -> CmisModule:
    module = CmisModule(bench.host.memory, bench.clock)
    module.flags()
    assert not module.flags().lanes
    return module


def test_a_loss_of_light_that_nobody_looked_at_stays_latched(bench: ModuleBench) -> None:
    bench.activate()
    bench.world.advance(0.5)
    module = _clear_flags(bench)
    bench.surroundings.rx_w = [1e-3, 0.0, 1e-3, 1e-3]
    bench.world.advance(0.15)
    bench.surroundings.rx_w = [1e-3] * 4
    bench.world.advance(5.0)
    assert bench.host.pins.interrupt_asserted()
    flags = module.flags().lanes
    assert flags["LOSFlagRx"] == flags["CDRLOLFlagRx"] == flags["OpticalPowerLowAlarmFlagRx"] == (2,)
    assert flags["OutputStatusChangedFlagRx"] == (3, 4)
    assert "LOSFlagRx" not in module.flags().lanes  # the condition is over


def test_an_over_temperature_that_nobody_looked_at_stays_latched(bench: ModuleBench) -> None:
    bench.activate()
    bench.world.advance(0.5)
    module = _clear_flags(bench)
    bench.surroundings.case_c = 82.0
    bench.world.advance(30.0)
    bench.surroundings.case_c = 25.0
    bench.world.advance(5.0)
    assert bench.host.pins.interrupt_asserted()
    assert set(module.flags().module) == {"TempMonHighAlarmFlag", "TempMonHighWarningFlag"}
    assert module.flags().module == ()


def test_a_module_without_supply_or_in_reset_watches_nothing(bench: ModuleBench) -> None:
    bench.power_on()
    module = _clear_flags(bench)
    bench.host.pins.set_reset(asserted=True)
    bench.surroundings.case_c = 82.0
    bench.world.advance(1.0)
    bench.surroundings.case_c = 25.0
    bench.host.pins.set_reset(asserted=False)
    bench.world.advance(2.0)
    assert module.flags().module == ("ModuleStateChangedFlag",)


@pytest.mark.parametrize("profile_update_s", [0.1, 1.0])
def test_what_a_monitor_shows_does_not_depend_on_who_looked_before(
    make_bench: Callable[..., ModuleBench], profile_update_s: float
) -> None:
    good = load_profile("good-dr4")
    profile = dataclasses.replace(
        good, management=dataclasses.replace(good.management, monitor_update_s=profile_update_s)
    )

    def shown_c(looks: bool) -> object:
        bench = make_bench(profile)
        bench.power_on()
        bench.surroundings.case_temp_c = lambda: 25.0 + 5.0 * bench.world.now_s  # type: ignore[method-assign]
        bench.world.advance_to(3_000_000_000)
        if looks:
            bench.world.advance_to(3_005_000_000)
            bench.host.pins.interrupt_asserted()
            bench.read("TempMonValue")
            bench.module.consumption_w()
        bench.world.advance_to(3_090_000_000)
        return bench.read("TempMonValue")

    assert shown_c(looks=True) == shown_c(looks=False)


def test_light_is_looked_for_every_100_ms_even_by_a_module_with_slow_monitors(
    make_bench: Callable[..., ModuleBench],
) -> None:
    good = load_profile("good-dr4")
    slow = dataclasses.replace(good, management=dataclasses.replace(good.management, monitor_update_s=5.0))
    bench = make_bench(slow)
    bench.activate()
    bench.world.advance(6.0)
    module = _clear_flags(bench)
    bench.surroundings.rx_w[0] = 0.0
    bench.world.advance(0.1)
    assert module.flags().lanes["LOSFlagRx"] == (1,)
