"""The module's commands and its bring-up, against a small behaving module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drivers.cmis.bringup import BringUpResult, bring_up, power_down
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState, duration_upper_s
from drivers.cmis.errors import InvalidMemoryError, ModuleNotRespondingError, WriteNotTakenError
from drivers.cmis.fields import decode, encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.errors import ConnectionFailedError, NoReplyError

ADVERTISED = {
    "SFF8024Identifier": 0x18,
    "CmisRevisionMajor": 5,
    "ModuleState": 1,
    "LowPwrAllowRequestHW": 1,
    "MediaType": 2,
    "HostInterfaceIDApp1": 0x0D,
    "MediaInterfaceIDApp1": 0x15,
    "HostLaneCountApp1": 2,
    "MediaLaneCountApp1": 1,
    "HostLaneAssignmentOptionsApp1": 0x55,
    "HostInterfaceIDApp2": 0x11,
    "MediaInterfaceIDApp2": 0x1C,
    "HostLaneCountApp2": 8,
    "MediaLaneCountApp2": 4,
    "HostLaneAssignmentOptionsApp2": 0x01,
    "HostInterfaceIDApp3": 0xFF,
    "MaxDurationModulePwrUp": 7,
    "MaxDurationModulePwrDn": 5,
    "MaxDurationDPInit": 7,
    "MaxDurationDPDeinit": 5,
    "MaxDurationDPTxTurnOn": 5,
    "MaxDurationDPTxTurnOff": 5,
}


class BehavingModule:
    """Memory and pins of a module that follows the state machines in the simplest way: each register
    write has its effect after a delay. ``hooks`` break one behaviour each."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.image = MemoryImage(
            bytes(128), {(0, page): bytes(128) for page in (0x00, 0x01, 0x02, 0x10, 0x11)}
        )
        for name, value in ADVERTISED.items():
            self.put(name, value)
        self.put("DPStateHostLane", (1,) * 8)
        self.delays = {"boot": 0.5, "power_up": 1.2, "power_down": 0.1, "init": 2.0}
        self.config_status: Callable[[int], ConfigStatus] = lambda lane: ConfigStatus.ConfigSuccess
        self.stuck_lanes: dict[int, DataPathState] = {}
        self.ignores_apply = False
        self.present = True
        self.pin_low_power = True
        self.alive_at_s = 0.0
        self.in_reset = False
        self.events: list[tuple[float, Callable[[], None]]] = []
        self.written: list[tuple[int, int, bytes]] = []
        self.bus_fault: Exception | None = None
        self.pins_fault: Exception | None = None

    # pins

    def set_reset(self, *, asserted: bool) -> None:
        released = self.in_reset and not asserted
        self.in_reset = asserted
        if released:
            self.alive_at_s = self.clock.now_s() + self.delays["boot"]

    def reset_asserted(self) -> bool:
        return self.in_reset

    def set_low_power(self, *, asserted: bool) -> None:
        self.pin_low_power = asserted
        self.evaluate()

    def set_selected(self, *, asserted: bool) -> None:
        assert asserted

    def module_present(self) -> bool:
        if self.pins_fault is not None:
            raise self.pins_fault
        return self.present

    def interrupt_asserted(self) -> bool:
        return False

    # memory

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        self.live()
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.live()
        self.written.append((page, byte, data))
        if (page, byte) == (0x10, 143):
            self.apply(data[0])
            return
        self.image.put(bank, page, byte, data)
        self.evaluate()

    # behaviour

    def get(self, name: str) -> Any:
        return decode(FIELDS[name], self.image)

    def put(self, name: str, value: Any) -> None:
        encode(FIELDS[name], value, self.image)

    def live(self) -> None:
        if self.bus_fault is not None:
            raise self.bus_fault
        now_s = self.clock.now_s()
        if now_s < self.alive_at_s:
            raise ModuleNotRespondingError("no acknowledge")
        due = [event for event in self.events if event[0] <= now_s]
        self.events = [event for event in self.events if event[0] > now_s]
        for _, happen in due:
            happen()

    def after(self, delay: str, happen: Callable[[], None]) -> None:
        self.events.append((self.clock.now_s() + self.delays[delay], happen))

    def evaluate(self) -> None:
        low = bool(self.get("LowPwrRequestSW")) or (
            self.pin_low_power and bool(self.get("LowPwrAllowRequestHW"))
        )
        state = self.get("ModuleState")
        if low and state == ModuleState.ModuleReady:
            self.put("ModuleState", int(ModuleState.ModulePwrDn))
            self.after("power_down", self.down)
        elif not low and state == ModuleState.ModuleLowPwr:
            self.put("ModuleState", int(ModuleState.ModulePwrUp))
            self.after("power_up", self.ready)
        elif state == ModuleState.ModuleReady:
            self.initialise()

    def down(self) -> None:
        self.put("ModuleState", int(ModuleState.ModuleLowPwr))
        self.put("DPStateHostLane", (int(DataPathState.DPDeactivated),) * 8)

    def ready(self) -> None:
        self.put("ModuleState", int(ModuleState.ModuleReady))
        self.initialise()

    def initialise(self) -> None:
        held, states = self.get("DPDeinit"), list(self.get("DPStateHostLane"))
        if not any(held) and set(states) == {1}:
            self.put("DPStateHostLane", (int(DataPathState.DPInit),) * 8)
            final = tuple(int(self.stuck_lanes.get(lane, DataPathState.DPActivated)) for lane in range(1, 9))
            self.after("init", lambda: self.put("DPStateHostLane", final))

    def apply(self, mask: int) -> None:
        if self.ignores_apply:
            return
        status = tuple(int(self.config_status(lane)) for lane in range(1, 9))
        self.put("ConfigStatus", status)
        if set(status) == {1}:
            self.put("ACS_DPConfig", self.get("SCS0_DPConfig"))


@pytest.fixture
def device(clock: Any) -> BehavingModule:
    return BehavingModule(clock)


@pytest.fixture
def module(device: BehavingModule, clock: Any) -> CmisModule:
    return CmisModule(device, clock)


def names(result: BringUpResult) -> list[str]:
    return [step.name for step in result.steps]


def test_a_good_module_comes_up(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    result = bring_up(module, device, clock)
    assert result.ok, result.stopped_by
    assert result.stopped_by == ""
    assert names(result) == [
        "management_interface",
        "low_power",
        "hold_data_paths",
        "find_application",
        "select_application",
        "power_up",
        "data_paths_held",
        "apply_configuration",
        "configuration_in_force",
        "activate_data_paths",
    ]
    assert result.application is not None
    assert result.application.app_sel == 2
    assert result.host_lanes == tuple(range(1, 9))
    steps = {step.name: step for step in result.steps}
    assert steps["management_interface"].elapsed_s == pytest.approx(0.5, abs=0.05)
    assert steps["management_interface"].allowed_s == 2.0
    assert steps["power_up"].elapsed_s == pytest.approx(1.2, abs=0.1)
    assert steps["power_up"].allowed_s == 5.0
    assert steps["activate_data_paths"].elapsed_s == pytest.approx(2.0, abs=0.1)
    assert steps["activate_data_paths"].allowed_s == 5.5
    assert steps["activate_data_paths"].register == "11h:128-131 DPStateHostLane"
    assert module.data_path_states() == (DataPathState.DPActivated,) * 8


def test_the_order_of_writes_keeps_the_default_application_down(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    bring_up(module, device, clock)
    upper = [(page, byte, data) for page, byte, data in device.written if byte >= 128]
    assert upper == [
        (0x10, 128, b"\xff"),
        (0x10, 145, b"\x20" * 8),
        (0x10, 143, b"\xff"),
        (0x10, 132, b"\x00"),
        (0x10, 130, b"\x00"),
        (0x10, 128, b"\x00"),
    ]


def test_all_data_paths_of_a_breakout_application_are_brought_up(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    result = bring_up(module, device, clock, media_interface="100GBASE-FR1")
    assert result.ok, result.stopped_by
    # AppSel 1; data paths from host lanes 1, 3, 5, 7.
    assert (0x10, 145, bytes.fromhex("1010141418181c1c")) in device.written


def test_time_is_counted_from_power_on(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    device.alive_at_s = clock.now_s() + 0.75
    clock.sleep(0.25)
    result = bring_up(module, device, clock, vcc_applied_at_s=clock.now_s() - 0.25)
    assert result.steps[0].elapsed_s == pytest.approx(0.75, abs=0.05)
    assert all(step.measured for step in result.steps)


def test_a_module_first_looked_at_too_late_is_not_proven_to_be_in_time(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    clock.sleep(60.0)
    result = bring_up(module, device, clock, vcc_applied_at_s=clock.now_s() - 60.0)
    assert result.ok, result.stopped_by
    steps = {step.name: step for step in result.steps}
    assert [name for name, step in steps.items() if not step.measured] == [
        "management_interface",
        "low_power",
    ]
    late = steps["management_interface"]
    assert (late.passed, late.allowed_s) == (True, 2.0)
    assert late.elapsed_s >= 60.0
    assert late.explanation.startswith("Not shown to be in time")


def test_the_time_of_a_module_held_in_reset_begins_with_its_release(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.set_reset(asserted=True)
    vcc_applied_at_s = clock.now_s()
    clock.sleep(1.7)
    result = bring_up(module, device, clock, vcc_applied_at_s=vcc_applied_at_s)
    assert result.ok, result.stopped_by
    assert result.steps[0].elapsed_s == pytest.approx(0.5, abs=0.05)


def test_a_lit_module_goes_back_to_low_power_in_its_own_time(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    vcc_applied_at_s = clock.now_s()
    assert bring_up(module, device, clock, vcc_applied_at_s=vcc_applied_at_s).ok
    clock.sleep(60.0)
    device.delays["power_down"] = 1.2
    result = bring_up(module, device, clock, vcc_applied_at_s=vcc_applied_at_s)
    assert result.ok, result.stopped_by
    assert names(result)[:2] == ["management_interface", "back_to_low_power"]
    step = result.steps[1]
    assert step.allowed_s == pytest.approx(1.5)  # 0.5 s each to turn off, to deinitialise, to power down
    assert step.elapsed_s == pytest.approx(1.2, abs=0.05)
    assert step.measured

    device.delays["power_down"] = 1.6
    result = bring_up(module, device, clock, vcc_applied_at_s=vcc_applied_at_s)
    assert "back_to_low_power" in result.stopped_by
    assert "1.5 s are allowed" in result.stopped_by


def test_a_module_that_an_earlier_host_made_deaf_to_lp_mode_is_asked_by_register(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    assert bring_up(module, device, clock).ok
    module.set("LowPwrAllowRequestHW", 0)
    result = bring_up(module, device, clock, vcc_applied_at_s=clock.now_s())
    assert "back_to_low_power" in names(result)
    assert result.ok, result.stopped_by


def test_a_silent_module_fails_after_two_seconds(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.delays["boot"] = 1e9
    result = bring_up(module, device, clock)
    (step,) = result.steps
    assert (step.name, step.passed) == ("management_interface", False)
    assert step.elapsed_s == pytest.approx(2.0, abs=0.01)
    assert "no acknowledge" in result.stopped_by
    assert "lower:0 SFF8024Identifier" in result.stopped_by


def test_a_module_slower_than_it_advertises_fails(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.delays["power_up"] = 6.0
    result = bring_up(module, device, clock)
    assert names(result)[-1] == "power_up"
    assert "expected ModuleReady, found ModulePwrUp" in result.stopped_by
    assert "01h:167.3-0 MaxDurationModulePwrUp" in result.stopped_by


def test_a_fault_ends_the_wait_and_names_its_cause(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    def overheat() -> None:
        device.put("ModuleState", int(ModuleState.ModuleFault))
        device.put("ModuleFaultCause", 1)

    device.ready = overheat  # type: ignore[method-assign]
    result = bring_up(module, device, clock)
    assert names(result)[-1] == "power_up"
    assert result.steps[-1].elapsed_s < 2.0
    assert "ModuleFault" in result.stopped_by
    assert "runaway" in result.stopped_by


def test_a_rejected_lane_is_named_with_the_reason_in_words(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.config_status = lambda lane: (
        ConfigStatus.ConfigRejectedInvalidSI if lane in (3, 4) else ConfigStatus.ConfigSuccess
    )
    result = bring_up(module, device, clock)
    step = result.steps[-1]
    assert (step.name, step.lanes) == ("apply_configuration", (3, 4))
    assert step.found == "ConfigRejectedInvalidSI on host lanes 3-4"
    assert "host lanes 3-4, 11h:202-205 ConfigStatus" in result.stopped_by
    assert "signal integrity settings are not supported" in result.stopped_by
    assert step.elapsed_s < 0.1


def test_a_command_that_never_ends_is_told(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    device.config_status = lambda lane: ConfigStatus.ConfigInProgress
    result = bring_up(module, device, clock)
    assert result.steps[-1].lanes == tuple(range(1, 9))
    assert "ConfigInProgress" in result.stopped_by
    assert result.steps[-1].elapsed_s == pytest.approx(5.0, abs=0.01)


def test_an_ignored_trigger_is_not_taken_for_success(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.put("ConfigStatus", (1,) * 8)  # left over from the module's own start
    device.ignores_apply = True
    result = bring_up(module, device, clock)
    assert names(result)[-1] == "configuration_in_force"
    assert "the trigger was ignored" in result.stopped_by


def test_a_trigger_of_which_nothing_shows_is_no_proof(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.put("ConfigStatus", (1,) * 8)
    device.put("ACS_DPConfig", (0x20,) * 8)  # what is going to be staged
    device.ignores_apply = True
    result = bring_up(module, device, clock)
    assert result.ok, result.stopped_by
    step = next(step for step in result.steps if step.name == "apply_configuration")
    assert (step.passed, step.measured) == (True, False)
    assert "nothing changed" in step.explanation
    assert "host lanes 1-8" in step.explanation


@pytest.mark.parametrize("sign", ["pending", "in progress", "other status", "other settings"])
def test_any_sign_of_the_trigger_is_proof(
    module: CmisModule, device: BehavingModule, clock: Any, sign: str
) -> None:
    device.put("ConfigStatus", (2 if sign == "other status" else 1,) * 8)
    device.put("ACS_DPConfig", (0x10 if sign == "other settings" else 0x20,) * 8)
    device.delays["command"] = 0.03

    def apply(mask: int) -> None:
        assert mask == 0xFF
        if sign == "pending":
            device.put("DPInitPending", 0xFF)
        if sign == "in progress":
            device.put("ConfigStatus", (0xC,) * 8)
            device.after("command", lambda: device.put("ConfigStatus", (1,) * 8))
        if sign == "other status":
            device.put("ConfigStatus", (1,) * 8)
        if sign == "other settings":
            device.put("ACS_DPConfig", (0x20,) * 8)

    device.apply = apply  # type: ignore[method-assign]
    result = bring_up(module, device, clock)
    assert result.ok, result.stopped_by
    assert all(step.measured for step in result.steps)


def test_a_sign_left_over_from_an_earlier_command_is_no_proof(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.put("ConfigStatus", (1,) * 8)
    device.put("ACS_DPConfig", (0x20,) * 8)
    device.put("DPInitPending", 0xFF)
    device.ignores_apply = True
    result = bring_up(module, device, clock)
    assert [step.name for step in result.steps if not step.measured] == ["apply_configuration"]


def test_a_stuck_lane_is_named(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    device.stuck_lanes = {5: DataPathState.DPInitialized}
    result = bring_up(module, device, clock)
    assert result.steps[-1].lanes == (5,)
    assert "host lane 5, 11h:128-131 DPStateHostLane" in result.stopped_by
    assert "DPInitialized on host lane 5" in result.stopped_by


def test_an_application_that_is_not_advertised_is_said(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    result = bring_up(module, device, clock, media_interface="400GBASE-ZR")
    assert names(result)[-1] == "find_application"
    assert "1: 100GBASE-FR1, 2: 400GBASE-DR4" in result.stopped_by


def test_a_flat_module_is_said_to_be_flat(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    device.put("MemoryModel", 1)
    assert "flat" in bring_up(module, device, clock).stopped_by


def test_a_reserved_duration_is_the_modules_fault(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.put("MaxDurationModulePwrUp", 0xE)
    result = bring_up(module, device, clock)
    assert not result.ok
    assert "MaxDurationModulePwrUp (01h:167.3-0) holds duration code Eh" in result.stopped_by


def test_an_empty_cage_is_a_fault_of_the_bench(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.present = False
    with pytest.raises(ConnectionFailedError, match="no module is inserted"):
        bring_up(module, device, clock)


@pytest.mark.parametrize("step", ["management_interface", "power_up", "activate_data_paths"])
def test_a_module_that_is_pulled_out_is_no_failed_step(
    module: CmisModule, device: BehavingModule, clock: Any, step: str
) -> None:
    def pull() -> None:
        device.present = False
        device.alive_at_s = 1e9

    if step == "management_interface":
        device.set_reset = lambda *, asserted: pull()  # type: ignore[method-assign]
    elif step == "power_up":
        device.ready = pull  # type: ignore[method-assign]
    else:
        device.initialise = lambda: device.get("DPDeinit")[0] or pull()  # type: ignore[method-assign]
    with pytest.raises(ConnectionFailedError, match="no module is inserted"):
        bring_up(module, device, clock)


def test_pins_that_cannot_be_read_are_no_failed_step(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    def die() -> None:
        device.alive_at_s = 1e9
        device.pins_fault = NoReplyError("host_board", "the expander is silent as well")

    device.ready = die  # type: ignore[method-assign]
    with pytest.raises(NoReplyError, match="silent as well"):
        bring_up(module, device, clock)


def test_a_fault_of_the_bus_is_a_fault_of_the_bench(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.bus_fault = NoReplyError("host_board", "adapter unplugged")
    with pytest.raises(NoReplyError):
        bring_up(module, device, clock)


def test_powering_down_is_read_back(module: CmisModule, device: BehavingModule, clock: Any) -> None:
    assert bring_up(module, device, clock).ok
    steps = power_down(module, device)
    assert [step.safe for step in steps] == [True, True, True, True]
    assert device.get("OutputDisableTx") == (True,) * 8
    assert device.get("LowPwrRequestSW") == 1
    assert device.pin_low_power
    assert module.module_state() is ModuleState.ModuleLowPwr


def test_powering_down_goes_on_when_a_step_fails(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    assert bring_up(module, device, clock).ok
    device.bus_fault = ModuleNotRespondingError("no acknowledge")
    steps = power_down(module, device)
    assert [(step.action, step.safe) for step in steps] == [
        ("transmitters off", False),
        ("low power requested by pin", True),
        ("low power requested by register", False),
        ("module in low power", False),
    ]
    assert all("no acknowledge" in step.read_back for step in steps if not step.safe)
    assert device.pin_low_power


def test_a_module_that_does_not_reach_low_power_is_not_safe(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    assert bring_up(module, device, clock).ok
    device.delays["power_down"] = 1e9
    *_, last = power_down(module, device, timeout_s=3.0)
    assert not last.safe
    assert "ModulePwrDn after 3.000 s" in last.read_back


def test_transmitters_are_turned_off_by_lane(module: CmisModule, device: BehavingModule) -> None:
    module.set_output_disable_tx((1, 4))
    assert device.written == [(0x10, 130, b"\x09")]
    with pytest.raises(ValueError, match=r"lanes are 1\.\.8, not \[0, 9\]"):
        module.set_output_disable_tx((0, 9))


def test_wrong_names_and_uses_are_the_callers_mistakes(module: CmisModule, device: BehavingModule) -> None:
    for wrong in (
        lambda: module.get("OutputDisableTX"),
        lambda: module.set("OutputDisableTX", 1),
        lambda: module.set_and_verify("OutputDisableTX", 1),
    ):
        with pytest.raises(
            ValueError, match=r"no field called 'OutputDisableTX'; did you mean OutputDisableTx"
        ):
            wrong()
    with pytest.raises(ValueError, match="no field called"):
        module.duration_s("MaxDuration")
    for name in ("ModuleState", "ModuleStateChangedFlag"):
        with pytest.raises(ValueError, match=rf"{name} \(lower:\S+\) is not for writing"):
            module.set(name, 1)
    assert device.written == []
    with pytest.raises(AttributeError):
        module.memory = device  # type: ignore[misc]


def test_the_page_is_forgotten_after_the_reset_and_the_configuration_settled_in_the_end(
    module: CmisModule, device: BehavingModule, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    plain_reset, plain_read = device.set_reset, device.read
    monkeypatch.setattr(device, "forget_page", lambda: told.append("forget"), raising=False)
    monkeypatch.setattr(device, "configuration_settled", lambda: told.append("settled"), raising=False)
    monkeypatch.setattr(device, "set_reset", lambda **how: (told.append("reset"), plain_reset(**how)))
    monkeypatch.setattr(device, "read", lambda *span: (told.append("read"), plain_read(*span))[1])
    assert bring_up(CmisModule(device, clock), device, clock).ok
    assert told[:4] == ["reset", "reset", "forget", "read"]
    assert told[-1] == "settled"
    assert told.count("settled") == 1
    told.clear()
    device.delays["init"] = 100.0
    assert not bring_up(CmisModule(device, clock), device, clock).ok
    assert "settled" not in told


def test_lanes_of_a_torn_data_path_are_staged_anew_after_it_was_freed(
    module: CmisModule, device: BehavingModule, clock: Any
) -> None:
    device.put("ACS_DPConfig", (0x20,) * 8)  # all eight lanes; wanted are the first two
    bring_up(module, device, clock, breakout="1x100GBASE-FR1")
    configs = [data for page, byte, data in device.written if (page, byte) == (0x10, 145)]
    triggers = [data for page, byte, data in device.written if (page, byte) == (0x10, 143)]
    wanted = b"\x10\x10" + bytes(6)
    assert configs == [wanted, bytes(8), wanted]
    assert triggers == [b"\xff", b"\x03"]


def test_low_power_keeps_the_bits_beside_it(module: CmisModule, device: BehavingModule) -> None:
    module.set_low_power(True)
    module.set_low_power(False)
    assert device.written == [(0, 26, b"\x50"), (0, 26, b"\x40")]


def test_a_write_that_is_not_taken_is_told(
    module: CmisModule, device: BehavingModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.image, "put", lambda *arguments: None)
    with pytest.raises(WriteNotTakenError, match="OutputDisableTx \\(10h:130\\)"):
        module.set_output_disable_tx((1,))


def test_what_a_register_makes_of_a_value_counts_as_taken(module: CmisModule, device: BehavingModule) -> None:
    device.image.add_page(0, 0x12)
    module.set_and_verify("OutputDisableTx", 0b1001)  # read back as lanes
    module.set_and_verify("TargetOutputPowerTx", (-3.004,) * 8)  # the nearest step is -3.00 dBm
    assert module.get("TargetOutputPowerTx") == pytest.approx((-3.0,) * 8)


def test_after_a_write_that_was_not_taken_the_page_is_selected_anew(
    device: BehavingModule, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[bool] = []
    monkeypatch.setattr(device, "forget_page", lambda: forgotten.append(True), raising=False)
    monkeypatch.setattr(device.image, "put", lambda *arguments: None)
    with pytest.raises(WriteNotTakenError):
        CmisModule(device, clock).set_output_disable_tx((1,))
    assert forgotten == [True]


def test_the_bus_is_held_between_reading_a_byte_and_writing_it_back(
    device: BehavingModule, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []

    @contextmanager
    def transaction() -> Iterator[None]:
        log.append("taken")
        yield
        log.append("released")

    monkeypatch.setattr(device, "transaction", transaction, raising=False)
    plain_read, plain_write = device.read, device.write
    monkeypatch.setattr(device, "read", lambda *a: (log.append("read"), plain_read(*a))[1])
    monkeypatch.setattr(device, "write", lambda *a: (log.append("write"), plain_write(*a))[1])
    CmisModule(device, clock).set("LowPwrRequestSW", 1)
    assert log == ["taken", "read", "write", "released"]


def test_flags_are_read_once_and_each_byte_only_once(
    module: CmisModule, device: BehavingModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.put("VccMonHighWarningFlag", 1)
    device.put("ModuleStateChangedFlag", 1)
    device.put("LOSFlagRx", 0b1000)
    reads: list[int] = []
    plain = device.read

    def read(bank: int, page: int, byte: int, length: int) -> bytes:
        reads.extend(range(byte, byte + length))
        return plain(bank, page, byte, length)

    flags = CmisModule(
        type("Port", (), {"read": staticmethod(read), "write": device.write})(), device.clock
    ).flags()
    assert set(flags.module) == {"ModuleStateChangedFlag", "VccMonHighWarningFlag"}
    assert flags.lanes == {"LOSFlagRx": (4,)}
    assert sorted(reads) == [2, *range(8, 12), *range(134, 154)]  # 2: MemoryModel


@pytest.mark.parametrize(
    ("code", "upper_s"),
    list(enumerate((1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 600.0, 3000.0))),
)
def test_duration_codes_have_upper_bounds(code: int, upper_s: float) -> None:
    assert duration_upper_s(code) == upper_s


@pytest.mark.parametrize("code", [-1, 0xE, 0xF])
def test_reserved_duration_codes_are_refused(code: int) -> None:
    with pytest.raises(InvalidMemoryError, match="reserved"):
        duration_upper_s(code)
