"""Configuring data paths: what is written, in which order, and what the result says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivers.cmis.application import DataPathRequest, breakout
from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.configuration import (
    ConfigurationResult,
    active_data_paths,
    commit_signal_integrity,
    configure,
    free,
)
from drivers.cmis.configuration.control_sets import UNUSED, LaneConfig, data_paths_of, read_config
from drivers.cmis.module import CmisModule
from drivers.cmis.signal_integrity import SignalIntegrity, read_settings

if TYPE_CHECKING:
    from conftest import PathModule

ACTIVATED = DataPathState.DPActivated
FOUR_100G = ((3, 1), (3, 3), (3, 5), (3, 7))


def failed(result: ConfigurationResult) -> tuple[int, ...]:
    return tuple(lane.host_lane for lane in result.lanes if not lane.passed)


def acs(device: PathModule) -> str:
    return bytes(device.get("ACS_DPConfig")).hex(" ")


@pytest.mark.parametrize(
    ("wanted", "in_force"),
    [
        ("1x400GBASE-DR4", "10 10 10 10 10 10 10 10"),
        ("2x200GBASE-DR4", "20 20 20 20 28 28 28 28"),
        ("4x100GBASE-DR", "30 30 34 34 38 38 3c 3c"),
    ],
)
def test_an_unconfigured_module_is_broken_out(
    module: CmisModule, device: PathModule, wanted: str, in_force: str
) -> None:
    device.put("DPDeinit", 0xFF)
    result = configure(module, breakout(module.applications(), wanted))
    assert result.ok, result.stopped_by
    assert result.stopped_by == ""
    assert result.notes == ()
    assert acs(device) == in_force
    assert device.states() == (ACTIVATED,) * 8
    assert device.get("DPDeinit") == (False,) * 8
    first = result.lanes[0]
    assert (first.host_lane, first.config_status, first.data_path_state) == (
        1,
        ConfigStatus.ConfigSuccess,
        ACTIVATED,
    )
    assert first.requested == LaneConfig(int(in_force[0]), 0)
    assert first.register == "11h:128-131 DPStateHostLane"
    assert first.elapsed_s == pytest.approx(0.6, abs=0.1)
    assert first.allowed_s == 5.5
    assert result.elapsed_s >= first.elapsed_s


def test_the_order_of_writes(module: CmisModule, device: PathModule) -> None:
    configure(module, [DataPathRequest(3, 3)])
    assert device.written == [
        (0x10, 128, b"\x0c"),
        (0x10, 147, b"\x34\x34"),
        (0x10, 143, b"\x0c"),
        (0x10, 128, b"\x00"),
    ]


def test_data_paths_beside_are_not_touched_by_a_single_write(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.put("DPDeinit", 0)
    device.put("SCS0_DPConfig", (0x20,) * 8)  # staged by somebody else, and not in force
    result = configure(module, [DataPathRequest(3, 3)])
    assert result.ok, result.stopped_by
    own = 0b00001100
    for page, byte, data in device.written:
        assert page == 0x10
        if byte in (128, 143):
            assert data[0] & ~own == 0
        else:
            assert 147 <= byte <= byte + len(data) - 1 <= 148
    others = [0, 1, 4, 5, 6, 7]
    assert all(states[lane] is ACTIVATED for states in device.history for lane in others)
    assert [device.get("SCS0_DPConfig")[lane] for lane in others] == [0x20] * 6
    assert {lane.host_lane for lane in result.lanes} == {3, 4}
    assert any("host lanes 1-2, 5-8" in note and "left alone" in note for note in result.notes)


def test_bits_that_hold_other_data_paths_are_kept(module: CmisModule, device: PathModule) -> None:
    device.run((3, 1))
    device.put("DPDeinit", 0b11000000)
    assert configure(module, [DataPathRequest(3, 3)]).ok
    assert device.bits_written("DPDeinit") == [0b11001100, 0b11000000]


def test_a_data_path_in_use_is_not_displaced_unasked(module: CmisModule, device: PathModule) -> None:
    device.run((1, 1))
    result = configure(module, [DataPathRequest(3, 3)])
    assert not result.ok
    assert result.lanes == ()
    assert device.written == []
    for text in ("host lanes 3-4", "host lanes 1-8", "AppSel 1, 400GBASE-DR4", "DPActivated", "displace"):
        assert text in result.stopped_by
    assert result.refusal == result.stopped_by


def test_a_displaced_data_path_is_told_and_its_other_lanes_are_freed(
    module: CmisModule, device: PathModule
) -> None:
    device.run((1, 1))
    result = configure(module, [DataPathRequest(3, 3)], displace=True)
    assert result.ok, result.stopped_by
    assert acs(device) == "00 00 34 34 00 00 00 00"
    assert device.bits_written("ApplyDPInit") == [0xFF, 0x0C]  # what is freed goes by itself
    assert "The data path of host lanes 1-8 (AppSel 1) was displaced." in result.notes
    states = {lane.host_lane: lane.data_path_state for lane in result.lanes}
    assert states[3] is ACTIVATED
    assert states[1] is DataPathState.DPDeactivated
    assert {lane.requested for lane in result.lanes if lane.host_lane not in (3, 4)} == {UNUSED}


def test_a_breakout_that_uses_all_lanes_of_the_old_data_path_needs_one_trigger(
    module: CmisModule, device: PathModule
) -> None:
    device.run((1, 1))
    result = configure(module, breakout(module.applications(), "4x100GBASE-DR"), displace=True)
    assert result.ok, result.stopped_by
    assert device.bits_written("ApplyDPInit") == [0xFF]
    assert device.states() == (ACTIVATED,) * 8
    assert len(active_data_paths(module)) == 4


def test_a_data_path_that_is_held_may_be_displaced_without_asking(
    module: CmisModule, device: PathModule
) -> None:
    device.run((1, 1))
    module.set("DPDeinit", 0xFF)
    module.clock.sleep(1.0)
    result = configure(module, [DataPathRequest(2, 5)])
    assert result.ok, result.stopped_by
    assert acs(device) == "00 00 00 00 28 28 28 28"


def test_lanes_are_freed(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    result = free(module, (5, 6))
    assert result.ok, result.stopped_by
    assert acs(device) == "30 30 34 34 00 00 3c 3c"
    assert device.states() == (ACTIVATED,) * 4 + (DataPathState.DPDeactivated,) * 2 + (ACTIVATED,) * 2
    assert [lane.host_lane for lane in result.lanes] == [5, 6]
    assert device.get("DPDeinit") == tuple(lane in (5, 6) for lane in range(1, 9))


def test_half_a_data_path_is_not_freed_unasked(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    assert "host lanes 5-6" in free(module, (5,)).stopped_by
    assert device.written == []
    assert free(module, (5,), displace=True).ok
    assert acs(device) == "30 30 34 34 00 00 3c 3c"


def test_lanes_are_exchanged_for_others_at_once(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    result = configure(module, [DataPathRequest(2, 1)], free_lanes=(7, 8), displace=True)
    assert result.ok, result.stopped_by
    assert acs(device) == "20 20 20 20 38 38 00 00"
    assert all(states[4] is ACTIVATED for states in device.history)


# -- the ways of commissioning --------------------------------------------------------------------------


def test_a_module_that_recycles_by_itself_is_not_held(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert device.bits_written("DPDeinit") == []
    assert any(states[0] is DataPathState.DPInit for states in device.history)
    assert result.notes == ()
    assert result.lanes[0].allowed_s == pytest.approx(0.1 + 0.5 + 5.0 + 0.5)


def test_a_module_that_says_success_and_does_nothing_is_told(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.no_recycling = device.never_pending = True
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert any("nothing shows that the module re-initialised" in note for note in result.notes)


def test_a_data_path_that_waits_for_its_initialisation_is_not_up(
    module: CmisModule, device: PathModule
) -> None:
    device.run(*FOUR_100G)
    device.no_recycling = True  # and DPInitPending stays set
    result = configure(module, [DataPathRequest(3, 1)])
    assert failed(result) == (1, 2)
    assert (
        "host lanes 1-2, 11h:235 DPInitPending: expected 0, cleared by DPInit, found 1" in result.stopped_by
    )
    assert result.lanes[0].elapsed_s == pytest.approx(0.1 + 0.5 + 5.0 + 0.5, abs=0.01)


def test_an_initialisation_that_begins_late_is_waited_for(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.run(*FOUR_100G)
    begins_s = module.clock.now_s() + 0.3
    device.no_recycling = True
    plain = device.live

    def live() -> None:
        if device.no_recycling and module.clock.now_s() >= begins_s:
            device.no_recycling = False
            device.evaluate(module.clock.now_s())
        plain()

    monkeypatch.setattr(device, "live", live)
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert result.notes == ()
    assert not any(device.get("DPInitPending"))
    assert device.states()[0] is ACTIVATED
    assert any(states[0] is DataPathState.DPInit for states in device.history)
    assert result.lanes[0].elapsed_s == pytest.approx(0.3 + 0.75, abs=0.1)


def test_apply_immediate_does_not_mind_an_initialisation_that_is_pending(
    module: CmisModule, device: PathModule
) -> None:
    device.run(*FOUR_100G)
    device.no_recycling = True
    device.paths[0].pending = True
    device.show()
    assert configure(module, [DataPathRequest(3, 1)], immediate=True).ok


@pytest.mark.parametrize("register", ["OutputDisableTx", "OutputSquelchForceTx"])
def test_without_known_media_lanes_either_end_will_do(
    module: CmisModule, device: PathModule, register: str
) -> None:
    device.put("MediaLaneCountApp3", 0)
    device.put(register, 0b0001)
    result = configure(module, breakout(module.applications(), "2x100GBASE-DR"))
    assert result.ok, result.stopped_by
    assert device.states()[0] is DataPathState.DPInitialized
    assert result.lanes[0].expected == "DPInitialized or DPActivated"
    assert any("does not say which media lanes it has" in note for note in result.notes)


def test_without_known_media_lanes_a_data_path_comes_up_when_nothing_is_off(
    module: CmisModule, device: PathModule
) -> None:
    device.put("MediaLaneCountApp3", 0)
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok
    assert result.notes == ()
    assert result.lanes[0].expected == "DPActivated"


class Settling:
    """A memory that notes when it is told that the configuration is settled."""

    def __init__(self, device: PathModule) -> None:
        self.read, self.write = device.read, device.write
        self.states = device.states
        self.told: list[tuple[DataPathState, ...]] = []

    def configuration_settled(self) -> None:
        self.told.append(self.states())


def test_the_memory_is_told_when_data_paths_are_steady(device: PathModule, clock: Any) -> None:
    memory = Settling(device)
    assert configure(
        CmisModule(memory, clock), breakout(CmisModule(memory, clock).applications(), "4x100G")
    ).ok
    assert memory.told == [(ACTIVATED,) * 8]
    device.verdict = lambda lane: ConfigStatus.ConfigRejected
    assert not configure(CmisModule(memory, clock), [DataPathRequest(3, 1)]).ok
    assert len(memory.told) == 1


# -- what the module does behind the host's back --------------------------------------------------------


def test_lanes_that_are_freed_are_looked_for_in_force(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.run(*FOUR_100G)
    plain = device.finish

    def keeps_the_old(*arguments: Any) -> None:
        before = device.get("ACS_DPConfig")
        plain(*arguments)
        device.put("ACS_DPConfig", before)

    monkeypatch.setattr(device, "finish", keeps_the_old)
    result = free(module, (7, 8))
    assert failed(result) == (7, 8)
    assert "host lanes 7-8, 11h:206-213 ACS_DPConfig: expected 00h" in result.stopped_by


def test_lanes_stuck_while_being_freed_are_told(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.stuck = {7}
    result = free(module, (7, 8))
    assert 7 in failed(result)
    assert "host lane 7, 11h:202-205 ConfigStatus: expected ConfigSuccess" in result.stopped_by


def test_another_data_path_whose_configuration_changed_is_told(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.run(*FOUR_100G)
    plain = device.finish

    def changes_lanes_5_and_6(*arguments: Any) -> None:
        plain(*arguments)
        active = list(device.get("ACS_DPConfig"))
        active[4:6] = [0x28, 0x28]
        device.put("ACS_DPConfig", tuple(active))

    monkeypatch.setattr(device, "finish", changes_lanes_5_and_6)
    result = configure(module, [DataPathRequest(3, 1)])
    assert failed(result) == (5, 6)
    lane = result.lanes[2]
    assert (lane.host_lane, lane.requested, lane.register) == (5, None, "11h:206-213 ACS_DPConfig")
    assert lane.expected == "AppSel 3 from host lane 5"


def test_time_to_traffic_counts_from_the_release(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = device.live

    def slow() -> None:
        module.clock.sleep(0.02)  # each access takes time
        plain()

    monkeypatch.setattr(device, "live", slow)
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok
    assert 0.6 <= result.lanes[0].elapsed_s < 0.78  # DPInit 0.4 s, DPTxTurnOn 0.2 s, and the looks


def test_a_data_path_in_force_that_is_held_is_released(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.put("DPDeinit", 0b11)
    device.paths[0].state = DataPathState.DPDeactivated
    device.show()
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert device.states()[:2] == (ACTIVATED,) * 2
    assert device.get("DPDeinit") == (False,) * 8


def test_a_data_path_that_ended_elsewhere_while_waited_for_is_planned_anew(
    module: CmisModule, device: PathModule
) -> None:
    device.run(*FOUR_100G)
    device.put("DPDeinit", 0b11)
    path = device.paths[0]
    path.state, path.due_s = DataPathState.DPDeinit, module.clock.now_s() + 0.1
    device.show()
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert device.states()[0] is ACTIVATED  # it was held, as it went down meanwhile


def test_results_have_a_second_where_initialisation_is_fast(module: CmisModule, device: PathModule) -> None:
    device.put("MaxDurationDPInit", 0)
    device.times[DataPathState.DPInit] = 0.0005
    device.config_s = 0.9
    assert configure(module, [DataPathRequest(3, 1)]).ok


def test_a_stepped_module_is_cycled_by_the_host(module: CmisModule, device: PathModule) -> None:
    device.put("SteppedConfigOnly", 1)
    device.run(*FOUR_100G)
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert device.bits_written("DPDeinit") == [0x03, 0x00]
    assert all(states[2:] == (ACTIVATED,) * 6 for states in device.history)


def test_apply_immediate_of_a_stepped_module_is_refused_in_words(
    module: CmisModule, device: PathModule
) -> None:
    device.put("SteppedConfigOnly", 1)
    device.run(*FOUR_100G)
    result = configure(module, [DataPathRequest(3, 1)], immediate=True)
    assert device.written == []
    assert "lower:2.6 SteppedConfigOnly is 1: ApplyImmediate does nothing" in result.stopped_by


def test_staged_control_set_1(module: CmisModule, device: PathModule) -> None:
    result = configure(module, [DataPathRequest(3, 1)], control_set=1)
    assert result.ok, result.stopped_by
    assert device.bits_written("SCS1_ApplyDPInit") == [0x03]
    assert device.bits_written("ApplyDPInit") == []
    assert device.get("SCS0_DPConfig") == (0,) * 8


def test_staged_control_set_1_is_refused_where_there_is_none(module: CmisModule, device: PathModule) -> None:
    device.put("StagedControlSet1Supported", 0)
    result = configure(module, [DataPathRequest(3, 1)], control_set=1)
    assert "01h:162.5 StagedControlSet1Supported is 0" in result.stopped_by
    assert device.written == []


def test_a_data_path_whose_transmitter_is_off_ends_initialized(
    module: CmisModule, device: PathModule
) -> None:
    device.put("OutputDisableTx", 0b0010)  # media lane 2: host lanes 3 and 4
    result = configure(module, breakout(module.applications(), "4x100GBASE-DR"))
    assert result.ok, result.stopped_by
    assert device.states()[2] is DataPathState.DPInitialized
    assert device.states()[0] is ACTIVATED
    assert any("host lanes 3-4 stays in DPInitialized" in note for note in result.notes)


def test_a_data_path_on_its_way_is_waited_for(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    path = device.paths[0]
    path.state, path.due_s = DataPathState.DPTxTurnOn, module.clock.now_s() + 0.3
    device.show()
    result = configure(module, [DataPathRequest(3, 1)])
    assert result.ok, result.stopped_by
    assert any("host lanes 1-2 had to be waited for" in note for note in result.notes)
    assert any(states[0] is DataPathState.DPInit for states in device.history)


# -- signal integrity -----------------------------------------------------------------------------------

CAN = {
    "TxInputAdaptiveEqSupported": 1,
    "RxOutputEqControlSupported": 3,
    "RxOutputEqPreCursorMax": 5,
    "RxOutputEqPostCursorMax": 7,
}


@pytest.fixture
def capable(device: PathModule) -> PathModule:
    for name, value in CAN.items():
        device.put(name, value)
    device.run(*FOUR_100G)
    return device


def test_settings_come_with_a_data_path(module: CmisModule, capable: PathModule) -> None:
    settings = SignalIntegrity(adaptive_eq_tx=True, pre_cursor_rx=4)
    result = configure(module, [DataPathRequest(3, 3, signal_integrity=settings)])
    assert result.ok, result.stopped_by
    assert read_config(module)[2] == LaneConfig(3, 2, explicit=True)
    lane_2, lane_3 = read_settings(module)[1:3]
    assert (lane_3.adaptive_eq_tx, lane_3.pre_cursor_rx) == (True, 4)
    assert (lane_2.adaptive_eq_tx, lane_2.pre_cursor_rx) == (False, 0)
    assert capable.get("SCS0_OutputEqPreCursorTargetRx") == (0, 0, 4, 4, 0, 0, 0, 0)


def test_settings_of_a_running_data_path_change_while_it_runs(
    module: CmisModule, capable: PathModule
) -> None:
    result = commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=5)})
    assert result.ok, result.stopped_by
    assert capable.bits_written("ApplyImmediate") == [0x0C]
    assert capable.bits_written("DPDeinit") == []
    assert capable.history == [(ACTIVATED,) * 8] or not capable.history
    assert capable.get("ACS_OutputEqPreCursorTargetRx") == (0, 0, 5, 0, 0, 0, 0, 0)
    assert [lane.host_lane for lane in result.lanes] == [3, 4]


def test_settings_of_another_application_are_not_carried_over(
    module: CmisModule, capable: PathModule
) -> None:
    capable.put("RxOutputAmplitudeControlSupported", 1)
    capable.put("RxOutputLevelSupported", 0b1111)
    capable.put("ACS_OutputAmplitudeTargetRx", (3,) * 8)
    capable.put("SCS0_OutputAmplitudeTargetRx", (1,) * 8)
    other = [DataPathRequest(2, 1, signal_integrity=SignalIntegrity(pre_cursor_rx=2))]
    assert configure(module, other, displace=True).ok
    assert capable.get("SCS0_OutputAmplitudeTargetRx") == (1,) * 8
    capable.put("ACS_OutputAmplitudeTargetRx", (3,) * 8)
    assert configure(module, other).ok
    assert capable.get("SCS0_OutputAmplitudeTargetRx") == (3,) * 4 + (1,) * 4


def test_what_is_not_advertised_is_left_as_it_is_staged(module: CmisModule, capable: PathModule) -> None:
    for name, value in {"TxCDRSupported": 1, "RxCDRSupported": 1}.items():
        capable.put(name, value)  # without bypass: False would be refused
    for name in ("SCS0_CDREnableTx", "SCS0_CDREnableRx"):
        capable.put(name, 0xFF)
    capable.put("ACS_OutputAmplitudeTargetRx", (7,) * 8)  # and no control of the amplitude
    result = commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=2)})
    assert result.ok, result.stopped_by
    assert capable.get("SCS0_CDREnableTx") == capable.get("SCS0_CDREnableRx") == (True,) * 8
    assert capable.get("SCS0_OutputAmplitudeTargetRx") == (0,) * 8


def test_settings_in_force_that_can_be_had_are_kept(module: CmisModule, capable: PathModule) -> None:
    capable.put("ACS_OutputEqPostCursorTargetRx", (6,) * 8)
    assert commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=2)}).ok
    assert capable.get("ACS_OutputEqPostCursorTargetRx") == (6,) * 8
    assert capable.get("SCS0_OutputEqPostCursorTargetRx") == (0, 0, 6, 6, 0, 0, 0, 0)


def test_a_setting_that_does_not_come_into_force_is_told(module: CmisModule, capable: PathModule) -> None:
    capable.ignores_settings = True
    result = commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=5)})
    assert failed(result) == (3, 4)
    assert "host lane 3, 11h:223-226 ACS_OutputEqPreCursorTargetRx: expected 5, found 0" in result.stopped_by


def test_settings_that_are_not_advertised_are_refused(module: CmisModule, capable: PathModule) -> None:
    result = commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=6, amplitude_rx=1)})
    assert "pre_cursor_rx 6: 01h:154.3-0 RxOutputEqPreCursorMax allows 5 at most" in result.stopped_by
    assert "01h:162.2 RxOutputAmplitudeControlSupported" in result.stopped_by
    assert capable.written == []


def test_settings_of_a_lane_without_data_path_are_refused(module: CmisModule, device: PathModule) -> None:
    device.run((3, 1))
    result = commit_signal_integrity(module, {3: SignalIntegrity(pre_cursor_rx=1)})
    assert "host lane 3 belong to no data path" in result.stopped_by


# -- wrong use ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to configure"),
        ({"free_lanes": (0,)}, "lanes are 1..8"),
        ({"requests": (DataPathRequest(3, 1),), "control_set": 2}, "Staged Control Sets 0 and 1"),
        ({"requests": (DataPathRequest(3, 1), DataPathRequest(3, 1))}, "host lanes 1-2 asked for twice"),
        ({"requests": (DataPathRequest(3, 1),), "free_lanes": (2,)}, "host lane 2 asked for twice"),
    ],
)
def test_wrong_use_is_the_callers(
    module: CmisModule, device: PathModule, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        configure(module, **arguments)
    assert device.written == []


def test_data_paths_that_the_module_puts_on_the_same_media_lane_are_refused(
    module: CmisModule, device: PathModule
) -> None:
    device.put("MediaLaneAssignmentOptionsApp2", 0b11)  # from host lane 1: media lanes 1-2, from 5: 2-3
    result = configure(module, [DataPathRequest(2, 1), DataPathRequest(2, 5)])
    assert "host lanes 1-4 (AppSel 2, 200GBASE-DR4)" in result.stopped_by
    assert "host lanes 5-8 (AppSel 2, 200GBASE-DR4)" in result.stopped_by
    assert "both have media lane 2. Nothing was written." in result.stopped_by
    assert device.written == []


def test_media_lanes_that_nobody_advertised_refuse_nothing(module: CmisModule, device: PathModule) -> None:
    device.put("MediaLaneCountApp2", 4)
    for app_sel in (2, 3):
        device.put(f"MediaLaneAssignmentOptionsApp{app_sel}", 0)
    # In proportion to host lanes they would be 1-4 and 3.
    result = configure(module, [DataPathRequest(2, 1), DataPathRequest(3, 5)])
    assert result.ok, result.stopped_by


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (DataPathRequest(9, 1), "AppSel 9 is not advertised"),
        (DataPathRequest(3, 2), "may not begin on host lane 2, only on 1, 3, 5, 7"),
    ],
)
def test_what_the_module_does_not_offer_is_refused(
    module: CmisModule, device: PathModule, request_: DataPathRequest, message: str
) -> None:
    assert message in configure(module, [request_]).stopped_by
    assert device.written == []


def test_data_paths_of_a_control_set() -> None:
    config = [LaneConfig(3, 0)] * 2 + [LaneConfig(3, 2, explicit=True)] * 2 + [UNUSED] * 4
    assert [path.host_lanes for path in data_paths_of(config)] == [(1, 2), (3, 4)]


@pytest.mark.parametrize("raw", range(256))
def test_lane_configuration_bytes(raw: int) -> None:
    assert LaneConfig.from_byte(raw).byte == raw
