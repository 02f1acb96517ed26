"""What hosts report of modules in the field: each has a test of how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivers.cmis.application import DataPathRequest, breakout
from drivers.cmis.bringup import bring_up
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
from drivers.cmis.configuration import ConfigurationResult, configure, free
from drivers.cmis.configuration.apply import ADVICE, status_text
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.module import CmisModule
from drivers.cmis.paged_memory import require_paged_memory
from drivers.errors import NoReplyError

if TYPE_CHECKING:
    from conftest import PathModule

ACTIVATED, DEACTIVATED = DataPathState.DPActivated, DataPathState.DPDeactivated
FOUR_100G = ((3, 1), (3, 3), (3, 5), (3, 7))
IN_PROGRESS = ConfigStatus.ConfigInProgress


def failed(result: ConfigurationResult) -> tuple[int, ...]:
    return tuple(lane.host_lane for lane in result.lanes if not lane.passed)


def four_100g(module: CmisModule) -> ConfigurationResult:
    return configure(module, breakout(module.applications(), "4x100GBASE-DR"))


def test_a_configuration_that_stays_in_progress_ends_at_the_limit(
    module: CmisModule, device: PathModule
) -> None:
    device.stuck = {3}
    result = four_100g(module)
    assert failed(result) == (3, 4)
    lane_3, lane_4 = result.lanes[2:4]
    assert lane_3.config_status is IN_PROGRESS
    assert lane_3.register == "11h:202-205 ConfigStatus"
    assert (lane_3.expected, lane_3.found) == ("ConfigSuccess", "ConfigInProgress")
    assert lane_3.elapsed_s == pytest.approx(5.0, abs=0.01)  # what MaxDurationDPInit allows
    assert lane_3.allowed_s == 5.0
    assert "Not final after 5.000 s, 5 s are allowed." in lane_3.explanation
    assert "Reset it" in lane_3.explanation
    assert "same data path as host lane 3" in lane_4.explanation
    assert result.stopped_by.startswith("host lane 3, 11h:202-205 ConfigStatus: expected ConfigSuccess")
    # The others came up, and what failed does not start by itself.
    assert device.states()[:2] + device.states()[4:] == (ACTIVATED,) * 6
    assert device.get("DPDeinit") == tuple(lane in (3, 4) for lane in range(1, 9))
    assert "host lanes 3-4 stay held by 10h:128 DPDeinit." in result.notes


def test_lanes_stuck_by_an_earlier_command_are_told_before_anything_is_written(
    module: CmisModule, device: PathModule
) -> None:
    device.run(*FOUR_100G)
    device.put("ConfigStatus", (0xC, 1, 1, 1, 1, 1, 1, 1))
    result = configure(module, [DataPathRequest(3, 1)])
    assert failed(result) == (1, 2)
    assert "Left by an earlier command; nothing was written" in result.stopped_by
    assert device.written == []
    assert configure(module, [DataPathRequest(3, 5)]).ok  # stuck lanes of another data path do not matter


def test_a_module_that_never_sets_dp_init_pending_is_configured_all_the_same(
    module: CmisModule, device: PathModule
) -> None:
    device.never_pending = True
    result = four_100g(module)
    assert result.ok, result.stopped_by
    assert any("11h:235 DPInitPending was not seen set on host lanes 1-8" in note for note in result.notes)


@pytest.mark.parametrize("frees_by_displacing", [True, False])
def test_a_module_that_rejects_app_sel_0_keeps_the_lanes_dark_otherwise(
    module: CmisModule, device: PathModule, frees_by_displacing: bool
) -> None:
    device.rejects_app_sel_0 = True
    if frees_by_displacing:
        device.run((1, 1))
        result = configure(module, [DataPathRequest(3, 1)], displace=True)
        dark = range(3, 9)
    else:
        device.run(*FOUR_100G)
        result = configure(module, [DataPathRequest(2, 1)], free_lanes=(5, 6), displace=True)
        dark = range(5, 7)
    assert result.ok, result.stopped_by
    (note,) = [note for note in result.notes if "rejected AppSel 0" in note]
    assert "ConfigRejectedInvalidAppSel" in note
    lanes = {lane.host_lane: lane for lane in result.lanes}
    assert device.states()[0] is ACTIVATED
    for lane in dark:
        assert "AppSel 0 was rejected" in lanes[lane].explanation
        assert device.get("DPDeinit")[lane - 1]
        assert device.states()[lane - 1] is DEACTIVATED


def test_app_sel_0_rejected_when_lanes_are_freed_alone(module: CmisModule, device: PathModule) -> None:
    device.rejects_app_sel_0 = True
    device.run(*FOUR_100G)
    result = free(module, (7, 8))
    assert result.ok, result.stopped_by
    assert device.states() == (ACTIVATED,) * 6 + (DEACTIVATED,) * 2
    assert any("rejected AppSel 0 on host lanes 7-8" in note for note in result.notes)


def test_a_module_that_tears_down_data_paths_beside_is_told(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.tears_siblings = True
    result = configure(module, [DataPathRequest(3, 3)])
    assert failed(result) == (1, 2, 5, 6, 7, 8)
    lane = result.lanes[0]
    assert lane.requested is None
    assert (lane.expected, lane.found) == ("DPActivated", "DPDeinit")
    assert "disturbed it by itself" in result.stopped_by


REJECTIONS = [
    status for status in ConfigStatus if status not in (ConfigStatus.ConfigSuccess, IN_PROGRESS)
] + [ConfigStatus(code) for code in (0x9, 0xD, 0xE, 0xF)]


@pytest.mark.parametrize("status", REJECTIONS, ids=lambda status: status.name)
def test_every_rejection_is_told_in_words(
    module: CmisModule, device: PathModule, status: ConfigStatus
) -> None:
    device.verdict = lambda lane: status if lane in (5, 6) else None
    result = four_100g(module)
    assert failed(result) == (5, 6)
    lane = result.lanes[4]
    assert lane.config_status == status
    assert lane.found == status.name
    assert status.explanation[1:] in lane.explanation
    assert lane.explanation.count(". ") >= 1  # and what to do about it
    assert "host lanes 5-6, 11h:202-205 ConfigStatus" in result.stopped_by
    assert device.states()[4:6] == (DEACTIVATED,) * 2
    assert device.states()[:4] == (ACTIVATED,) * 4


def test_the_same_rejection_again_is_told_after_a_short_time(module: CmisModule, device: PathModule) -> None:
    device.put("MaxDurationDPInit", 0xA)  # 300 s
    device.config_s = 0.0
    device.verdict = lambda lane: ConfigStatus.ConfigRejectedInvalidSI
    first = configure(module, [DataPathRequest(3, 1)])
    plain = device.trigger

    def at_once(*arguments: Any) -> None:  # too fast for anybody to see ConfigInProgress
        plain(*arguments)
        device.live()

    device.trigger = at_once  # type: ignore[method-assign]
    again = configure(module, [DataPathRequest(3, 1)])
    assert failed(first) == failed(again) == (1, 2)
    assert "same rejection" not in first.stopped_by
    assert "The same rejection as before; nothing shows that the trigger was taken up." in again.stopped_by
    assert "Not final" not in again.stopped_by
    assert 0.4 < again.lanes[0].elapsed_s < 1.0


def test_no_result_at_all_is_waited_for_as_long_as_it_may_take(
    module: CmisModule, device: PathModule
) -> None:
    device.ignores_triggers = True
    device.put("MaxDurationDPInit", 7)
    result = configure(module, [DataPathRequest(3, 1)])  # ConfigUndefined before and after
    assert result.lanes[0].elapsed_s == pytest.approx(5.0, abs=0.1)


def test_words_differ_from_status_to_status() -> None:
    named = [status for status in ConfigStatus if status is not ConfigStatus.ConfigSuccess]
    assert set(named) <= set(ADVICE)
    assert len({status_text(status) for status in named}) == len(named)


def test_a_partial_data_path_in_force_is_displaced_as_it_is(module: CmisModule, device: PathModule) -> None:
    # Left by another host: two of eight lanes of AppSel 1.
    device.put("ACS_DPConfig", (0x10, 0x10, 0, 0, 0, 0, 0, 0))
    device.rebuild()
    device.paths[0].state = DataPathState.DPInitialized
    device.put("OutputDisableTx", 0xFF)
    device.show()
    refused = configure(module, [DataPathRequest(3, 1)])
    assert "host lanes 1-2 (AppSel 1, 400GBASE-DR4)" in refused.stopped_by
    result = configure(module, [DataPathRequest(3, 1)], displace=True)
    assert result.ok, result.stopped_by


def test_an_ignored_trigger_is_not_taken_for_success(module: CmisModule, device: PathModule) -> None:
    device.put("ConfigStatus", (1,) * 8)
    device.ignores_triggers = True
    result = configure(module, [DataPathRequest(3, 1)])
    assert failed(result) == (1, 2)
    assert "11h:206-213 ACS_DPConfig: expected 30h" in result.stopped_by
    assert "the trigger was ignored" in result.stopped_by


def test_a_trigger_of_which_nothing_shows_is_told(module: CmisModule, device: PathModule) -> None:
    device.run(*FOUR_100G)
    device.ignores_triggers = True
    result = configure(module, [DataPathRequest(3, 1)])
    assert any("Nothing shows that the module took up the trigger" in note for note in result.notes)


def test_a_data_path_that_does_not_go_down_is_told_with_its_limit(
    module: CmisModule, device: PathModule
) -> None:
    device.run(*FOUR_100G)
    device.never_deinit = True
    result = configure(module, [DataPathRequest(2, 1)], displace=True)
    lane = result.lanes[0]
    assert (lane.expected, lane.found) == ("DPDeactivated", "DPActivated")
    assert lane.allowed_s == pytest.approx(0.6)  # DPTxTurnOff 0.1 s and DPDeinit 0.5 s
    assert "01h:168.7-4 MaxDurationDPTxTurnOff and 01h:144.7-4 MaxDurationDPDeinit" in lane.explanation
    assert device.bits_written("ApplyDPInit") == []


def test_a_data_path_that_does_not_come_up_is_told_by_lane(module: CmisModule, device: PathModule) -> None:
    device.times[DataPathState.DPInit] = 7.0
    result = configure(module, [DataPathRequest(3, 1)])
    lane = result.lanes[0]
    assert (lane.expected, lane.found) == ("DPActivated", "DPInit")
    assert lane.elapsed_s == pytest.approx(5.5, abs=0.01)
    assert lane.config_status is ConfigStatus.ConfigSuccess
    assert "01h:144.3-0 MaxDurationDPInit" in result.stopped_by


@pytest.mark.parametrize(
    ("state", "text"),
    [(ModuleState.ModuleLowPwr, "leave low power first"), (ModuleState.ModuleFault, "runaway")],
)
def test_a_module_that_is_not_ready_is_refused(
    module: CmisModule, device: PathModule, state: ModuleState, text: str
) -> None:
    device.put("ModuleState", int(state))
    device.put("ModuleFaultCause", 1)
    result = configure(module, [DataPathRequest(3, 1)])
    assert state.name in result.stopped_by
    assert text in result.stopped_by
    assert device.written == []


@pytest.mark.parametrize("writes", [1, 2, 3, 4])
def test_a_module_that_falls_silent_is_told_and_nothing_is_raised(
    module: CmisModule, device: PathModule, writes: int
) -> None:
    device.silent_after_writes = writes
    result = configure(module, [DataPathRequest(3, 1)])
    assert failed(result) == (1, 2)
    assert "no acknowledge" in result.stopped_by


def test_a_fault_of_the_bench_is_raised(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unplugged(*_: Any) -> None:
        raise NoReplyError("host_board", "adapter unplugged")

    monkeypatch.setattr(device, "trigger", unplugged)
    with pytest.raises(NoReplyError):
        configure(module, [DataPathRequest(3, 1)])


# -- flat memory that claims to be paged ----------------------------------------------------------------


class FlatModule:
    """A copper cable: lower memory and page 00h, whatever page is selected. Its memory model says paged."""

    def __init__(self, device: PathModule, *, falls_back: bool) -> None:
        self.device = device
        self.falls_back = falls_back
        self.written = 0

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        if byte >= 128 and page and self.falls_back:
            raise PageUnavailableError(bank, page, "after it was selected the module has page 00h selected")
        return self.device.image.get(0, 0, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.written += 1


@pytest.mark.parametrize("falls_back", [True, False])
def test_a_flat_module_that_claims_paged_memory_is_recognised(
    device: PathModule, clock: Any, falls_back: bool
) -> None:
    flat = FlatModule(device, falls_back=falls_back)
    module = CmisModule(flat, clock)
    assert module.get("MemoryModel") == 0
    with pytest.raises(PageUnavailableError, match=r"MemoryModel is 0, paged, yet"):
        require_paged_memory(module)
    result = configure(module, [DataPathRequest(3, 1)])
    assert "The memory is flat." in result.stopped_by
    assert flat.written == 0


class Pins:
    def __getattr__(self, name: str) -> Any:
        return lambda **_: name == "module_present"


@pytest.mark.parametrize("falls_back", [True, False])
def test_bringing_up_such_a_module_says_what_it_is(device: PathModule, clock: Any, falls_back: bool) -> None:
    device.put("ModuleState", 1)
    result = bring_up(CmisModule(FlatModule(device, falls_back=falls_back), clock), Pins(), clock)
    assert result.steps[-1].name == "paged_memory"
    assert "The memory is flat." in result.stopped_by


def test_a_bank_that_is_not_there_is_not_called_flat_memory(module: CmisModule, device: PathModule) -> None:
    with pytest.raises(PageUnavailableError, match=r"The module has no bank 1: 01h:142\.1-0") as raised:
        require_paged_memory(module, bank=1)
    assert "flat" not in str(raised.value)
    device.put("BanksSupported", 1)  # it says so, and has none
    with pytest.raises(PageUnavailableError, match=r"advertises 2 of them, yet in bank 1 .*no bank 1"):
        require_paged_memory(module, bank=1)
    result = configure(module, [DataPathRequest(3, 1)], bank=1)
    assert "no bank 1" in result.stopped_by
    assert device.written == []
    for page in (0x10, 0x11):
        device.image.add_page(1, page)
    require_paged_memory(module, bank=1)


def test_a_bank_that_shows_page_00h_is_not_there(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.put("BanksSupported", 2)
    monkeypatch.setattr(
        device, "read", lambda bank, page, *span: device.image.get(0, 0 if bank else page, *span)
    )
    with pytest.raises(PageUnavailableError, match=r"no bank 3: .*advertises 4"):
        require_paged_memory(CmisModule(device, module.clock), bank=3)


def test_an_honest_module_is_not_taken_for_flat(module: CmisModule) -> None:
    require_paged_memory(module)


def test_an_honest_flat_module_is_told(module: CmisModule, device: PathModule) -> None:
    device.put("MemoryModel", 1)
    assert "is 1, flat" in configure(module, [DataPathRequest(3, 1)]).stopped_by
