"""Data paths: start by default, configuration commands, transmitters (OIF-CMIS-05.4 §6.2.4, §6.3.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.codes import duration_upper_s
from drivers.units import dbm_from_w
from harness.simulation.module.profile import load_profile
from harness.simulation.module.profile.management import TX_DISABLE_BOUND_S, TX_ENABLE_BOUND_S
from harness.simulation.module.states import ModuleState

if TYPE_CHECKING:
    from conftest import ModuleBench

_ALL = 0xFF


def _powers_dbm(bench: ModuleBench) -> list[float]:
    return [dbm_from_w(bench.module.launch_power_w(lane)) for lane in range(1, 5)]


def _ready_but_held(bench: ModuleBench) -> None:
    """ModuleReady with every data path held deactivated."""
    bench.power_on()
    bench.write("DPDeinit", _ALL)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.module.state is ModuleState.READY, limit_s=10.0)


def _apply(
    bench: ModuleBench, config: list[int], lanes: int = _ALL, trigger: str = "ApplyDPInit"
) -> list[int]:
    bench.write("SCS0_DPConfig", tuple(config))
    bench.write(trigger, lanes)
    assert 0xC in bench.read("ConfigStatus")
    bench.world.advance(0.1)
    return list(bench.read("ConfigStatus"))


def test_the_default_application_initialises_by_itself(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.read("ACS_DPConfig") == (0x10,) * 8
    assert bench.read("SCS0_DPConfig") == (0x10,) * 8
    bench.host.pins.set_low_power(asserted=False)
    seen: list[int] = []
    timing = bench.module.profile.timing

    def activated() -> bool:
        state = bench.module.data_path_states()[0]
        if not seen or seen[-1] != state:
            seen.append(state)
        return state == 4

    bench.run_until(
        activated,
        limit_s=sum(
            duration_upper_s(code)
            for code in (timing.module_power_up_code, timing.dp_init_code, timing.dp_tx_turn_on_code)
        ),
    )
    assert seen == [1, 2, 5, 4]  # DPInitialized is left at once
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert bench.read("OutputStatusTx") == (True,) * 4 + (False,) * 4
    assert bench.read("DPStateChangedFlag") == (True,) * 8
    assert bench.read("DPStateChangedFlag") == (False,) * 8


def test_a_held_data_path_stays_dark(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    bench.world.advance(20.0)
    assert bench.read("DPStateHostLane") == (1,) * 8
    assert [bench.module.launch_power_w(lane) for lane in range(1, 5)] == [0.0] * 4


def test_apply_dp_init_provisions_and_reports(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    pairs = [0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C]
    assert _apply(bench, pairs) == [1] * 8
    assert list(bench.read("ACS_DPConfig")) == pairs
    assert bench.read("DPInitPending") == (True,) * 8
    bench.write("DPDeinit", 0b0000_0011 ^ _ALL)
    bench.run_until(lambda: bench.module.data_path_states()[0] == 4, limit_s=10.0)
    assert bench.read("DPStateHostLane") == (4, 4, 1, 1, 1, 1, 1, 1)
    assert bench.read("DPInitPending") == (False, False) + (True,) * 6
    powers_dbm = _powers_dbm(bench)
    assert powers_dbm[0] > 0.0
    assert all(power_dbm == -200.0 for power_dbm in powers_dbm[1:])


@pytest.mark.parametrize(
    ("config", "lanes", "status"),
    [
        pytest.param([0x30] * 8, _ALL, [3] * 8, id="AppSel that is not advertised"),
        pytest.param([0x12] * 8, _ALL, [4] * 8, id="data path that would begin on lane 2"),
        pytest.param([0x10] * 8, 0b0000_1111, [7] * 4 + [0] * 4, id="half of a data path"),
        pytest.param([0x10] * 4 + [0] * 4, _ALL, [4] * 4 + [6] * 4, id="data path of too few lanes"),
        pytest.param([0x20, 0x20] + [0x10] * 6, 0b11, [6, 6] + [0] * 6, id="lanes of another data path"),
        pytest.param([0] * 8, _ALL, [1] * 8, id="no application on any lane"),
    ],
)
def test_configurations_are_judged(
    bench: ModuleBench, config: list[int], lanes: int, status: list[int]
) -> None:
    _ready_but_held(bench)
    assert _apply(bench, config, lanes) == status
    accepted = status == [1] * 8
    assert list(bench.read("ACS_DPConfig")) == (config if accepted else [0x10] * 8)


def test_lanes_without_an_application_report_deactivated(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    _apply(bench, [0] * 8)
    bench.write("DPDeinit", 0)
    bench.world.advance(10.0)
    assert bench.read("DPStateHostLane") == (1,) * 8


def test_another_application_is_refused_while_the_path_is_in_use(bench: ModuleBench) -> None:
    bench.activate()
    pairs = [0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C]
    assert _apply(bench, pairs) == [6] * 8
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert list(bench.read("ACS_DPConfig")) == [0x10] * 8


def test_apply_dp_init_recycles_an_activated_path(bench: ModuleBench) -> None:
    bench.activate()
    bench.write("ApplyDPInit", _ALL)
    seen: list[int] = []

    def back() -> bool:
        state = bench.module.data_path_states()[0]
        if not seen or seen[-1] != state:
            seen.append(state)
        return state == 4 and len(seen) > 1

    bench.run_until(back, limit_s=10.0)
    assert seen == [4, 6, 3, 2, 5, 4]
    assert bench.read("DPInitPending") == (False,) * 8


def test_apply_immediate_leaves_an_activated_path_alone(bench: ModuleBench) -> None:
    bench.activate()
    assert _apply(bench, [0x11] * 8, trigger="ApplyImmediate") == [1] * 8
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert bench.read("ACS_DPConfig") == (0x11,) * 8
    assert bench.module.launch_power_w(1) > 0.5e-3


def test_triggers_are_ignored_while_in_progress_and_in_transient_states(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    bench.write("SCS0_DPConfig", (0x10,) * 8)
    bench.write("ApplyDPInit", _ALL)
    bench.write("SCS0_DPConfig", (0x30,) * 8)  # what was staged at the trigger counts
    bench.write("ApplyDPInit", _ALL)
    bench.world.advance(0.2)
    assert bench.read("ConfigStatus") == (1,) * 8
    bench.write("DPDeinit", 0)
    assert bench.read("DPStateHostLane") == (2,) * 8
    bench.write("ApplyDPInit", _ALL)
    bench.world.advance(0.2)
    assert bench.read("ConfigStatus") == (1,) * 8


def test_the_second_control_set_configures_as_the_first(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    bench.write("SCS1_DPConfig", (0x30,) * 8)
    bench.write("SCS1_ApplyDPInit", _ALL)
    bench.world.advance(0.1)
    assert bench.read("ConfigStatus") == (3,) * 8


def test_triggers_read_back_as_zero(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    bench.write("ApplyDPInit", _ALL)
    assert bench.read("ApplyDPInit") == (False,) * 8


def test_output_disable_darkens_one_lane_within_its_limit_and_no_other(bench: ModuleBench) -> None:
    bench.activate()
    before_dbm = _powers_dbm(bench)
    bench.write("OutputDisableTx", 0b0100)
    bench.run_until(lambda: bench.module.launch_power_w(3) < 1e-6, limit_s=TX_DISABLE_BOUND_S)
    after_dbm = _powers_dbm(bench)
    assert after_dbm[2] == pytest.approx(-35.0)
    for lane in (0, 1, 3):
        assert after_dbm[lane] == pytest.approx(before_dbm[lane], abs=0.1)
    bench.world.advance(0.5)
    assert bench.read("OutputStatusTx") == (True, True, False, True) + (False,) * 4
    assert bench.read("DPStateHostLane") == (7,) * 8  # the path as a whole has left DPActivated
    bench.write("OutputDisableTx", 0)
    bench.run_until(lambda: bench.module.launch_power_w(3) > 0.5e-3, limit_s=TX_ENABLE_BOUND_S)
    bench.run_until(lambda: bench.module.data_path_states() == (4,) * 8, limit_s=0.5)


def test_lanes_that_are_enabled_one_at_a_time_light_one_at_a_time(bench: ModuleBench) -> None:
    bench.power_on()
    bench.write("OutputDisableTx", 0b1101)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.module.data_path_states() == (7,) * 8, limit_s=20.0)
    bench.world.advance(TX_ENABLE_BOUND_S)
    assert [power_dbm > -5.0 for power_dbm in _powers_dbm(bench)] == [False, True, False, False]


def test_a_forced_squelch_darkens_as_well(bench: ModuleBench) -> None:
    bench.activate()
    bench.write("OutputSquelchForceTx", 0b0001)
    bench.world.advance(0.2)
    assert _powers_dbm(bench)[0] == pytest.approx(-35.0)


def test_a_change_of_mind_before_the_light_goes_out_leaves_it_on(bench: ModuleBench) -> None:
    bench.activate()
    bench.write("OutputDisableTx", 0b0001)
    bench.write("OutputDisableTx", 0)
    bench.world.advance(1.0)
    assert bench.module.launch_power_w(1) > 0.5e-3
    assert bench.module.data_path_states() == (4,) * 8


def test_deinit_during_init_aborts_it(bench: ModuleBench) -> None:
    _ready_but_held(bench)
    bench.write("DPDeinit", 0)
    assert bench.module.data_path_states() == (2,) * 8
    bench.write("DPDeinit", 0b1)  # one lane is enough: a path is one
    assert bench.module.data_path_states() == (3,) * 8
    bench.run_until(lambda: bench.module.data_path_states() == (1,) * 8, limit_s=0.5)


def test_a_stuck_lane_stays_in_progress_and_the_path_unprovisioned(
    make_bench: Callable[..., ModuleBench],
) -> None:
    bench = make_bench("dr4-lane2-stuck-config")
    _ready_but_held(bench)
    assert _apply(bench, [0x10] * 8) == [1, 0xC, 1, 1, 1, 1, 1, 1]
    bench.world.advance(60.0)
    assert bench.read("ConfigStatus")[1] == 0xC
    assert bench.read("DPInitPending") == (False,) * 8


def test_a_lane_stuck_in_init_never_lights(make_bench: Callable[..., ModuleBench]) -> None:
    good = load_profile("good-dr4")
    stuck = dataclasses.replace(good, faults=dataclasses.replace(good.faults, stuck_init_host_lanes=(5,)))
    bench = make_bench(stuck)
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.world.advance(60.0)
    assert bench.read("DPStateHostLane") == (2,) * 8
    assert bench.module.launch_power_w(1) == 0.0
