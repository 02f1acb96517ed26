"""The host library's bring-up against the simulated module, through bus, expander and pins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.bringup import BringUpResult, bring_up, power_down
from drivers.cmis.module import CmisModule
from drivers.errors import ConnectionFailedError
from harness.simulation.module.profile import load_profile
from harness.simulation.module.states import ModuleState

if TYPE_CHECKING:
    from conftest import ModuleBench


def _bring_up(bench: ModuleBench, media_interface: str = "400GBASE-DR4") -> tuple[CmisModule, BringUpResult]:
    bench.host.connect()
    bench.module.supply_changed()
    module = CmisModule(bench.host.memory, bench.clock)
    result = bring_up(
        module,
        bench.host.pins,
        bench.clock,
        media_interface=media_interface,
        vcc_applied_at_s=bench.clock.now_s(),
    )
    return module, result


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_good_module_comes_up_within_what_it_advertises(
    make_bench: Callable[..., ModuleBench], seed: int
) -> None:
    bench = make_bench(seed=seed)
    module, result = _bring_up(bench)
    assert result.ok, result.stopped_by
    assert bench.module.data_path_states() == (4,) * 8
    assert all(bench.module.launch_power_w(lane) > 0.5e-3 for lane in range(1, 5))
    assert all(step.elapsed_s <= step.allowed_s for step in result.steps if step.allowed_s is not None)

    steps = power_down(module, bench.host.pins)
    assert all(step.safe for step in steps)
    assert bench.module.state is ModuleState.LOW_PWR
    assert all(bench.module.launch_power_w(lane) == 0.0 for lane in range(1, 5))


def test_the_second_application_comes_up_as_four_data_paths(bench: ModuleBench) -> None:
    _, result = _bring_up(bench, "100GBASE-DR")
    assert result.ok, result.stopped_by
    assert list(bench.read("ACS_DPConfig")) == [0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C]
    assert bench.module.data_path_states() == (4,) * 8


def test_a_stuck_configuration_is_told_with_lane_and_register(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench("dr4-lane2-stuck-config")
    _, result = _bring_up(bench)
    assert not result.ok
    assert "host lane 2" in result.stopped_by
    assert "11h:202" in result.stopped_by
    assert "ConfigInProgress" in result.stopped_by


def test_a_module_that_never_gets_ready_is_told_with_its_state(
    make_bench: Callable[..., ModuleBench],
) -> None:
    good = load_profile("good-dr4")
    bench = make_bench(dataclasses.replace(good, faults=dataclasses.replace(good.faults, powers_up=False)))
    _, result = _bring_up(bench)
    assert not result.ok
    assert "ModulePwrUp" in result.stopped_by
    assert "lower:3" in result.stopped_by


def _lose_supply(bench: ModuleBench) -> None:
    """One second without supply between two accesses, of which the host is not told."""
    bench.surroundings.vcc = 0.0
    bench.module.supply_changed()
    bench.clock.sleep(1.0)
    bench.surroundings.vcc = 3.3
    bench.module.supply_changed()
    bench.clock.sleep(2.0)


def test_after_a_brown_out_text_is_not_taken_for_power(bench: ModuleBench) -> None:
    bench.activate()
    bench.world.advance(0.2)
    module = CmisModule(bench.host.memory, bench.clock)
    assert all(power_w > 0.5e-3 for power_w in module.get("TxPower")[:4])
    bench.host.pins.set_low_power(asserted=True)
    _lose_supply(bench)
    assert bench.module.state is ModuleState.LOW_PWR
    assert module.get("TxPower") == (0.0,) * 8


def test_after_a_brown_out_transmitters_can_still_be_turned_off(bench: ModuleBench) -> None:
    bench.activate()
    module = CmisModule(bench.host.memory, bench.clock)
    module.get("OutputDisableTx")
    _lose_supply(bench)
    module.set_output_disable_tx(range(1, 9))
    assert module.get("OutputDisableTx") == (True,) * 8


def test_after_a_software_reset_states_are_those_of_the_module(bench: ModuleBench) -> None:
    bench.power_on()
    module = CmisModule(bench.host.memory, bench.clock)
    assert module.data_path_states() == (1,) * 8
    module.set("SoftwareReset", 1)
    bench.clock.sleep(3.0)
    assert module.data_path_states() == (1,) * 8


def test_a_module_that_was_held_in_reset_is_not_late(bench: ModuleBench) -> None:
    bench.host.connect()
    bench.host.make_safe()
    bench.module.supply_changed()
    vcc_applied_at_s = bench.clock.now_s()
    bench.clock.sleep(1.5)
    module = CmisModule(bench.host.memory, bench.clock)
    result = bring_up(module, bench.host.pins, bench.clock, vcc_applied_at_s=vcc_applied_at_s)
    assert result.ok, result.stopped_by
    assert all(step.measured for step in result.steps)


def test_a_module_later_than_it_may_be_fails_when_it_is_watched_from_the_start(
    make_bench: Callable[..., ModuleBench],
) -> None:
    good = load_profile("good-dr4")
    slow = dataclasses.replace(good, timing=dataclasses.replace(good.timing, mgmt_init_s=2.5))
    _, result = _bring_up(make_bench(slow))
    assert "management_interface" in result.stopped_by
    assert "2 s are allowed" in result.stopped_by


def test_a_lit_module_is_brought_up_again(bench: ModuleBench) -> None:
    module, first = _bring_up(bench)
    assert first.ok, first.stopped_by
    bench.clock.sleep(60.0)
    result = bring_up(module, bench.host.pins, bench.clock, vcc_applied_at_s=0.0)
    assert result.ok, result.stopped_by
    steps = {step.name: step for step in result.steps}
    assert "low_power" not in steps
    back = steps["back_to_low_power"]
    assert back.measured
    assert back.allowed_s is not None
    assert 0.0 < back.elapsed_s <= back.allowed_s
    assert [name for name, step in steps.items() if not step.measured] == ["management_interface"]


def test_a_module_pulled_out_on_the_way_is_a_fault_of_the_bench(bench: ModuleBench) -> None:
    bench.host.connect()
    bench.module.supply_changed()
    bench.world.after(3.0, lambda: bench.board.set_inserted(False))
    with pytest.raises(ConnectionFailedError, match="no module is inserted"):
        bring_up(
            CmisModule(bench.host.memory, bench.clock),
            bench.host.pins,
            bench.clock,
            vcc_applied_at_s=bench.clock.now_s(),
        )
