"""Waiting for states within what the module advertises; low power and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivers.clock import StopRequested
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.errors import InvalidMemoryError
from drivers.cmis.module import CmisModule
from drivers.cmis.states import (
    DATA_PATH_TRANSIENTS,
    DATA_PATH_WAYS,
    advertised_s,
    data_path_limits,
    enter_low_power,
    hardware_reset,
    leave_low_power,
    software_reset,
    wait_for_data_paths,
    wait_for_module_state,
)
from drivers.errors import ConnectionFailedError

if TYPE_CHECKING:
    from conftest import PathModule

S = DataPathState


@pytest.mark.parametrize(
    ("before", "wanted", "names"),
    [
        ([S.DPActivated], S.DPDeactivated, ("MaxDurationDPTxTurnOff", "MaxDurationDPDeinit")),
        ([S.DPInitialized], S.DPDeactivated, ("MaxDurationDPDeinit",)),
        (
            [S.DPInitialized, S.DPActivated],
            S.DPDeactivated,
            ("MaxDurationDPTxTurnOff", "MaxDurationDPDeinit"),
        ),
        ([S.DPDeactivated], S.DPActivated, ("MaxDurationDPInit", "MaxDurationDPTxTurnOn")),
        ([S.DPDeactivated], S.DPInitialized, ("MaxDurationDPInit",)),
        ([S.DPActivated], S.DPActivated, ()),
        ([S.DPTxTurnOff], S.DPActivated, ("MaxDurationDPTxTurnOff", "MaxDurationDPTxTurnOn")),
    ],
)
def test_which_advertised_durations_count(
    before: list[DataPathState], wanted: DataPathState, names: tuple[str, ...]
) -> None:
    assert data_path_limits(before, wanted) == names


def test_there_is_a_way_from_every_state() -> None:
    for ways in DATA_PATH_WAYS.values():
        assert set(ways) == set(S)
        for way in ways.values():
            assert set(way) <= set(DATA_PATH_TRANSIENTS)


def test_a_reserved_state_is_taken_for_the_farthest() -> None:
    assert len(data_path_limits([S(0xA)], S.DPActivated)) == 3


def test_limits_are_the_upper_ends_of_the_codes(module: CmisModule, device: PathModule) -> None:
    assert advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn") == 5.5
    device.put("MaxDurationDPInit", 0)
    assert advertised_s(module, "MaxDurationDPInit") == 0.010  # never less than a module may hold off
    device.put("MaxDurationDPInit", 0xF)
    with pytest.raises(InvalidMemoryError, match=r"01h:144\.3-0"):
        advertised_s(module, "MaxDurationDPInit")


def test_each_lane_has_a_time_of_its_own(module: CmisModule, device: PathModule) -> None:
    device.run((3, 1), (3, 3))
    for path, due_s in zip(device.paths, (0.2, 0.7), strict=True):
        path.state, path.due_s = S.DPTxTurnOn, module.clock.now_s() + due_s
    device.show()
    wait = wait_for_data_paths(module, (1, 2, 3, 4), S.DPActivated, 1.0)
    assert wait.reached
    assert [round(wait.lane_elapsed_s[lane], 1) for lane in (1, 2, 3, 4)] == [0.2, 0.2, 0.7, 0.7]
    assert wait.elapsed_s == pytest.approx(0.7, abs=0.05)


def test_what_is_wanted_may_differ_by_lane(module: CmisModule, device: PathModule) -> None:
    device.run((3, 1), (3, 3))
    device.paths[1].state = S.DPInitialized
    device.put("OutputDisableTx", 0b10)
    device.show()
    wanted = {1: S.DPActivated, 3: S.DPInitialized}
    assert wait_for_data_paths(module, wanted, wanted, 0.1).reached
    wait = wait_for_data_paths(module, (1, 3), S.DPActivated, 0.1)
    assert (wait.reached, wait.lanes, wait.elapsed_s) == (False, (3,), pytest.approx(0.1))
    assert "DPInitialized on host lane 3" in wait.in_words()


def test_data_paths_of_a_module_that_left_module_ready(module: CmisModule, device: PathModule) -> None:
    device.put("ModuleState", int(ModuleState.ModuleFault))
    device.put("ModuleFaultCause", 6)
    wait = wait_for_data_paths(module, (1,), S.DPActivated, 100.0)
    assert wait.elapsed_s == 0.0
    assert "ModuleFault" in wait.explanation
    assert "temperature fault" in wait.explanation


class Pins:
    """Pins whose ResetL makes the module silent for a time."""

    def __init__(self, device: PathModule) -> None:
        self.device = device
        self.present = True
        self.calls: list[tuple[str, bool]] = []

    def set_reset(self, *, asserted: bool) -> None:
        self.calls.append(("reset", asserted))

    def set_low_power(self, *, asserted: bool) -> None:
        self.calls.append(("low power", asserted))

    def module_present(self) -> bool:
        return self.present


@pytest.fixture
def pins(device: PathModule) -> Any:
    return Pins(device)


def test_low_power_is_entered_and_left(module: CmisModule, device: PathModule, pins: Any) -> None:
    device.state_after((0.0, 4), (0.3, 1))
    wait = enter_low_power(module, pins=pins)
    assert wait.reached
    assert wait.allowed_s == pytest.approx(1.1)  # 0.1 s + 0.5 s + 0.5 s
    assert device.get("LowPwrRequestSW") == 1
    device.state_after((0.0, 2), (1.0, 3))
    wait = leave_low_power(module, pins=pins)
    assert wait.reached
    assert wait.elapsed_s == pytest.approx(1.0, abs=0.1)
    assert wait.allowed_s == 5.0
    assert device.get("LowPwrRequestSW") == 0
    assert pins.calls == [("low power", True), ("low power", False)]


def test_a_module_on_its_way_down_ends_that_first(module: CmisModule, device: PathModule) -> None:
    device.put("ModuleState", int(ModuleState.ModulePwrDn))
    device.state_after((0.0, 4), (0.4, 1), (0.41, 2), (5.2, 3))
    wait = leave_low_power(module)
    assert wait.reached
    assert wait.measured
    assert wait.allowed_s == pytest.approx(0.1 + 0.5 + 0.5 + 5.0)


@pytest.mark.parametrize(
    ("state", "data_path", "allowed_s"),
    [
        (ModuleState.ModuleReady, S.DPActivated, 1.1),
        (ModuleState.ModuleReady, S.DPTxTurnOn, 1.6),
        (ModuleState.ModulePwrUp, S.DPDeactivated, 6.1),
    ],
)
def test_the_limit_to_low_power_is_that_from_the_present_state(
    module: CmisModule, device: PathModule, state: ModuleState, data_path: DataPathState, allowed_s: float
) -> None:
    device.put("ModuleState", int(state))
    device.put("DPStateHostLane", (1, 1, 1, int(data_path), 1, 1, 1, 1))
    device.state_after((0.0, 4), (0.3, 1))
    assert enter_low_power(module).allowed_s == pytest.approx(allowed_s)


def test_a_reset_pulse_that_is_interrupted_ends_all_the_same(
    module: CmisModule, pins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: float) -> None:
        raise StopRequested

    monkeypatch.setattr(module.clock, "sleep", stopped)
    with pytest.raises(StopRequested):
        hardware_reset(module, pins)
    assert pins.calls == [("reset", True), ("reset", False)]


def test_a_pin_that_may_hold_the_module_down_is_told(module: CmisModule, device: PathModule) -> None:
    device.put("ModuleState", 1)
    wait = leave_low_power(module)
    assert not wait.reached
    assert "while the pin LPMode is asserted" in wait.explanation
    assert "01h:167.3-0 MaxDurationModulePwrUp" in wait.explanation


def test_a_fault_ends_a_wait_with_its_cause(module: CmisModule, device: PathModule) -> None:
    device.put("ModuleState", 5)
    device.put("ModuleFaultCause", 1)
    wait = wait_for_module_state(module, ModuleState.ModuleReady, 60.0)
    assert (wait.reached, wait.elapsed_s) == (False, 0.0)
    assert "runaway" in wait.explanation
    assert wait_for_module_state(module, ModuleState.ModuleFault, 1.0).reached


def test_a_software_reset_is_seen_by_silence(module: CmisModule, device: PathModule) -> None:
    device.state_after((0.02, None), (0.8, 3))
    wait = software_reset(module)
    assert wait.reached
    assert wait.measured
    assert wait.elapsed_s == pytest.approx(0.8, abs=0.05)
    assert device.written == [(0, 26, b"\x48")]


def test_a_software_reset_of_which_nothing_shows_is_no_proof(module: CmisModule, device: PathModule) -> None:
    wait = software_reset(module)
    assert (wait.reached, wait.measured) == (True, False)
    assert "never silent" in wait.explanation


def test_a_software_reset_that_takes_too_long(module: CmisModule, device: PathModule) -> None:
    device.state_after((0.0, None), (3.0, 1))
    wait = software_reset(module)
    assert not wait.reached
    assert wait.allowed_s == 2.0
    assert "tMgmtInit" in wait.explanation


def test_a_fault_is_left_by_a_software_reset(module: CmisModule, device: PathModule) -> None:
    device.put("ModuleState", 5)
    device.state_after((0.1, None), (0.5, 1))
    assert software_reset(module).reached


def test_a_hardware_reset_pulses_the_pin(module: CmisModule, device: PathModule, pins: Any) -> None:
    start_s = module.clock.now_s()
    assert hardware_reset(module, pins, pulse_s=0.002).reached
    assert pins.calls == [("reset", True), ("reset", False)]
    assert module.clock.now_s() - start_s == pytest.approx(0.002)
    with pytest.raises(ValueError, match="at least 10 us"):
        hardware_reset(module, pins, pulse_s=1e-6)
    pins.present = False
    with pytest.raises(ConnectionFailedError):
        hardware_reset(module, pins)
