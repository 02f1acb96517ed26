"""The host library's configuration of data paths against the simulated module, through bus and board."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.application import DataPathRequest, breakout
from drivers.cmis.bringup import bring_up
from drivers.cmis.codes import ConfigStatus
from drivers.cmis.configuration import active_data_paths, configure, free
from drivers.cmis.lane_controls import LaneControl, set_lanes
from drivers.cmis.module import CmisModule
from drivers.cmis.states import enter_low_power, hardware_reset, leave_low_power, software_reset
from harness.simulation.module.states import ModuleState

if TYPE_CHECKING:
    from conftest import ModuleBench


def up(bench: ModuleBench) -> CmisModule:
    """The module with its default application (AppSel 1, 400GBASE-DR4) activated."""
    bench.activate()
    return CmisModule(bench.host.memory, bench.clock)


def lit(bench: ModuleBench) -> list[bool]:
    return [bench.module.launch_power_w(lane) > 0.5e-3 for lane in range(1, 5)]


def test_a_running_module_is_broken_out_and_back(bench: ModuleBench) -> None:
    module = up(bench)
    applications = module.applications()
    four = breakout(applications, "4x100GBASE-DR")
    refused = configure(module, four)
    assert "host lanes 1-8 (AppSel 1, 400GBASE-DR4)" in refused.stopped_by
    assert lit(bench) == [True] * 4

    result = configure(module, four, displace=True)
    assert result.ok, result.stopped_by
    assert [path.host_lanes for path in active_data_paths(module)] == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert lit(bench) == [True] * 4
    assert all(lane.elapsed_s <= (lane.allowed_s or 0.0) for lane in result.lanes)
    assert all(lane.config_status is ConfigStatus.ConfigSuccess for lane in result.lanes)

    result = configure(module, breakout(applications, "1x400GBASE-DR4"), displace=True)
    assert result.ok, result.stopped_by
    assert bench.module.data_path_states() == (4,) * 8


def test_light_of_other_data_paths_stays_while_one_is_configured(bench: ModuleBench) -> None:
    module = up(bench)
    assert configure(module, breakout(module.applications(), "4x100GBASE-DR"), displace=True).ok
    dark: set[int] = set()
    sleep = bench.clock.sleep

    def watching(duration_s: float) -> None:
        sleep(duration_s)
        dark.update(lane for lane, on in enumerate(lit(bench), start=1) if not on)

    bench.clock.sleep = watching  # type: ignore[method-assign]
    result = configure(module, [DataPathRequest(2, 3)])
    assert result.ok, result.stopped_by
    assert dark == {2}


def test_one_data_path_of_a_module_that_was_one_whole(bench: ModuleBench) -> None:
    module = up(bench)
    result = configure(module, [DataPathRequest(2, 5)], displace=True)
    assert result.ok, result.stopped_by
    assert lit(bench) == [False, False, True, False]
    assert free(module, (5, 6)).ok
    assert lit(bench) == [False] * 4
    assert active_data_paths(module) == ()


def test_a_stuck_lane_of_the_simulated_module_is_told(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench("dr4-lane2-stuck-config")
    module = up(bench)
    result = configure(module, breakout(module.applications(), "4x100GBASE-DR"), displace=True)
    assert [
        lane.host_lane for lane in result.lanes if lane.config_status is ConfigStatus.ConfigInProgress
    ] == [2]
    assert not result.ok
    assert result.stopped_by.startswith("host lane 2, 11h:202-205 ConfigStatus")


def test_staged_control_set_1_of_the_simulated_module(bench: ModuleBench) -> None:
    module = up(bench)
    assert configure(module, [DataPathRequest(1, 1)], control_set=1).ok


@pytest.mark.parametrize(("wanted", "lanes"), [("2x100GBASE-DR", 4), ("4x100G", 8), ("1x400G", 8)])
def test_bringing_up_a_breakout(bench: ModuleBench, wanted: str, lanes: int) -> None:
    bench.host.connect()
    bench.module.supply_changed()
    module = CmisModule(bench.host.memory, bench.clock)
    result = bring_up(module, bench.host.pins, bench.clock, breakout=wanted)
    assert result.ok, result.stopped_by
    assert result.host_lanes == tuple(range(1, lanes + 1))
    assert bench.module.data_path_states() == (4,) * lanes + (1,) * (8 - lanes)


def test_bringing_up_what_is_not_offered_is_told(bench: ModuleBench) -> None:
    bench.host.connect()
    bench.module.supply_changed()
    module = CmisModule(bench.host.memory, bench.clock)
    with pytest.raises(ValueError, match="is no breakout"):
        bring_up(module, bench.host.pins, bench.clock, breakout="400GBASE-DR4")
    result = bring_up(module, bench.host.pins, bench.clock, breakout="8x100GBASE-DR")
    assert result.steps[-1].name == "find_application"
    assert "no room" in result.stopped_by


def test_resets_and_low_power(bench: ModuleBench) -> None:
    module = up(bench)
    wait = software_reset(module)
    assert wait.reached, wait.in_words()
    assert wait.measured
    bench.run_until(lambda: bench.module.data_path_states() == (4,) * 8, limit_s=20.0)
    wait = enter_low_power(module)
    assert wait.reached, wait.in_words()
    assert bench.module.state is ModuleState.LOW_PWR
    wait = leave_low_power(module)
    assert wait.reached, wait.in_words()
    assert bench.module.state is ModuleState.READY
    wait = hardware_reset(module, bench.host.pins)
    assert wait.reached, wait.in_words()


def test_a_transmitter_is_turned_off_by_lane(bench: ModuleBench) -> None:
    module = up(bench)
    assert set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, (3,), on=True) == (3,)
    bench.clock.sleep(1.0)
    assert lit(bench) == [True, True, False, True]
