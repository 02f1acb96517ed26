"""The module state machine on the virtual clock, seen from outside (OIF-CMIS-05.4 §6.3.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.codes import duration_upper_s
from drivers.i2c import I2cNackError
from harness.simulation.module.profile import load_profile
from harness.simulation.module.states import ModuleState

if TYPE_CHECKING:
    from conftest import ModuleBench


def test_without_supply_nobody_answers_and_nothing_is_lit(bench: ModuleBench) -> None:
    bench.host.connect()
    with pytest.raises(I2cNackError):
        bench.bus.write_read(0x50, b"\0", 1)
    assert bench.module.state is ModuleState.UNPOWERED
    assert [bench.module.launch_power_w(lane) for lane in range(1, 5)] == [0.0] * 4
    assert bench.module.consumption_w() == 0.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_transition_keeps_within_what_is_advertised(
    make_bench: Callable[..., ModuleBench], seed: int
) -> None:
    bench = make_bench(seed=seed)
    timing = bench.module.profile.timing
    bench.host.connect()
    bench.module.supply_changed()
    assert bench.module.state is ModuleState.MGMT_INIT
    with pytest.raises(I2cNackError):
        bench.bus.write_read(0x50, b"\0", 1)
    taken_s = bench.run_until(lambda: bench.module.state is ModuleState.LOW_PWR, limit_s=2.0)
    assert taken_s >= 0.3 * 2.0 - 0.01
    assert bench.read("ModuleState") == 1
    assert bench.read("ModuleStateChangedFlag") == 1

    bench.host.pins.set_low_power(asserted=False)
    assert bench.read("ModuleState") == 2
    taken_s = bench.run_until(
        lambda: bench.module.state is ModuleState.READY,
        limit_s=duration_upper_s(timing.module_power_up_code),
    )
    assert taken_s > 0.25 * duration_upper_s(timing.module_power_up_code)
    assert bench.read("ModuleState") == 3
    assert bench.read("ModuleStateChangedFlag") == 1

    bench.run_until(
        lambda: bench.module.data_path_states()[0] == 4,
        limit_s=duration_upper_s(timing.dp_init_code) + duration_upper_s(timing.dp_tx_turn_on_code),
    )
    bench.host.pins.set_low_power(asserted=True)
    bench.run_until(
        lambda: bench.module.state is ModuleState.PWR_DN,
        limit_s=duration_upper_s(timing.dp_tx_turn_off_code) + duration_upper_s(timing.dp_deinit_code),
    )
    bench.run_until(
        lambda: bench.module.state is ModuleState.LOW_PWR,
        limit_s=duration_upper_s(timing.module_power_down_code),
    )
    assert bench.read("DPStateHostLane") == (1,) * 8


def test_a_module_that_waits_for_nothing_raises_no_flag_in_low_power(bench: ModuleBench) -> None:
    bench.host.connect()
    bench.host.pins.set_low_power(asserted=False)
    bench.module.supply_changed()
    bench.run_until(lambda: bench.module.state is ModuleState.PWR_UP, limit_s=2.0)
    assert bench.read("ModuleStateChangedFlag") == 0


def test_low_power_during_power_up_goes_down_at_once_and_runs_to_its_end(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.world.advance(0.1)
    assert bench.module.state is ModuleState.PWR_UP
    bench.host.pins.set_low_power(asserted=True)
    assert bench.module.state is ModuleState.PWR_DN
    bench.host.pins.set_low_power(asserted=False)
    assert bench.module.state is ModuleState.PWR_DN
    bench.run_until(lambda: bench.module.state is ModuleState.PWR_UP, limit_s=0.5)


def test_low_power_is_software_or_pin_if_the_pin_is_allowed(bench: ModuleBench) -> None:
    bench.power_on()
    bench.write("LowPwrRequestSW", 1)
    bench.host.pins.set_low_power(asserted=False)
    assert bench.module.state is ModuleState.LOW_PWR
    bench.write("LowPwrRequestSW", 0)
    assert bench.module.state is ModuleState.PWR_UP
    bench.host.pins.set_low_power(asserted=True)
    bench.run_until(lambda: bench.module.state is ModuleState.LOW_PWR, limit_s=1.0)
    bench.write("LowPwrAllowRequestHW", 0)
    assert bench.module.state is ModuleState.PWR_UP


@pytest.mark.parametrize("how", ["pin", "software"])
def test_reset_is_dark_at_once_and_forgets_everything(bench: ModuleBench, how: str) -> None:
    bench.activate()
    bench.write("OpticalPowerHighAlarmMaskTx", 0xFF)
    assert bench.module.launch_power_w(1) > 0.5e-3
    if how == "pin":
        bench.host.pins.set_reset(asserted=True)
        assert bench.module.state is ModuleState.RESET
        bench.world.advance(5.0)
        assert bench.module.state is ModuleState.RESET
        bench.host.pins.set_low_power(asserted=True)
        bench.host.pins.set_reset(asserted=False)
    else:
        bench.host.pins.set_low_power(asserted=True)
        bench.write("SoftwareReset", 1)
        bench.host.memory.forget_page()
    assert bench.module.state is ModuleState.MGMT_INIT
    assert bench.module.launch_power_w(1) == 0.0
    with pytest.raises(I2cNackError):
        bench.bus.write_read(0x50, b"\0", 1)
    bench.run_until(lambda: bench.module.state is ModuleState.LOW_PWR, limit_s=2.0)
    assert bench.read("OpticalPowerHighAlarmMaskTx") == (False,) * 8
    assert bench.read("SoftwareReset") == 0
    assert bench.read("DPStateHostLane") == (1,) * 8


def test_power_off_kills_the_light_at_once(bench: ModuleBench) -> None:
    bench.activate()
    bench.surroundings.vcc = 0.0
    bench.module.supply_changed()
    assert [bench.module.launch_power_w(lane) for lane in range(1, 5)] == [0.0] * 4
    assert bench.module.consumption_w() == 0.0
    bench.world.advance(30.0)  # nothing that was due happens to a module without supply
    assert bench.module.state is ModuleState.UNPOWERED
    assert bench.module.launch_power_w(1) == 0.0


def test_a_brown_out_restarts_the_module(bench: ModuleBench) -> None:
    bench.activate()
    bench.surroundings.vcc = 2.6
    bench.module.supply_changed()
    bench.surroundings.vcc = 3.3
    bench.module.supply_changed()
    assert bench.module.state is ModuleState.MGMT_INIT


def test_a_load_that_pulls_its_own_supply_down_restarts_the_module(bench: ModuleBench) -> None:
    module = bench.module
    bench.surroundings.vcc_v = lambda: 3.3 if module.consumption_w() < 5.0 else 2.5  # type: ignore[method-assign]
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: module.consumption_w() > 5.0, limit_s=10.0)  # the data path begins to initialise
    bench.world.advance(0.002)
    assert module.state in (ModuleState.UNPOWERED, ModuleState.MGMT_INIT)
    assert module.launch_power_w(1) == 0.0


def test_a_module_that_faults_in_power_up_leaves_by_reset_only(
    make_bench: Callable[..., ModuleBench],
) -> None:
    good = load_profile("good-dr4")
    faulty = dataclasses.replace(good, faults=dataclasses.replace(good.faults, module_fault_cause=4))
    bench = make_bench(faulty)
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.module.state is ModuleState.FAULT, limit_s=5.0)
    assert (bench.read("ModuleState"), bench.read("ModuleFaultCause")) == (5, 4)
    bench.host.pins.set_low_power(asserted=True)
    bench.world.advance(20.0)
    assert bench.module.state is ModuleState.FAULT
    bench.host.pins.set_reset(asserted=True)
    bench.host.pins.set_reset(asserted=False)
    bench.run_until(lambda: bench.module.state is ModuleState.LOW_PWR, limit_s=2.0)


def test_a_late_module_takes_what_its_profile_says(make_bench: Callable[..., ModuleBench]) -> None:
    good = load_profile("good-dr4")
    late = dataclasses.replace(good, timing=dataclasses.replace(good.timing, module_power_up_s=7.5))
    bench = make_bench(late)
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    taken_s = bench.run_until(lambda: bench.module.state is ModuleState.READY, limit_s=10.0)
    assert taken_s == pytest.approx(7.5, abs=0.01)


def test_consumption_rises_with_state_light_and_temperature(bench: ModuleBench) -> None:
    bench.power_on()
    low_power_w = bench.module.consumption_w()
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.module.data_path_states()[0] == 5, limit_s=20)
    dark_w = bench.module.consumption_w()
    bench.run_until(lambda: bench.module.data_path_states()[0] == 4, limit_s=5)
    lit_w = bench.module.consumption_w()
    bench.surroundings.case_c = 70.0
    hot_w = bench.module.consumption_w()
    assert low_power_w == pytest.approx(1.2)
    assert low_power_w < dark_w < lit_w < hot_w < 10.0
    assert lit_w == pytest.approx(8.5, abs=0.3)
