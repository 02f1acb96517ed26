"""The host library's bring-up against the simulated module, through bus, expander and pins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.bringup import BringUpResult, bring_up, power_down
from drivers.cmis.module import CmisModule
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
