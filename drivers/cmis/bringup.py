"""Bringing a module from power-on to traffic, step by step, with CMIS's time limits as the yardstick.

Each step says what it did, how long it took and was allowed to take, and, where it failed, which lane
and which register stood in the way. A fault of the bench is raised; a fault of the module ends the
sequence and is told in the result. To change a module that is up, see :mod:`drivers.cmis.configuration`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from drivers.clock import Clock
from drivers.cmis import codes, information
from drivers.cmis.application import (
    all_data_paths,
    find_applications,
    find_breakout,
    offered,
    parse_breakout,
)
from drivers.cmis.bringup_record import BringUpResult, BringUpSequence, BringUpStep
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
from drivers.cmis.configuration.apply import apply, wait_until_in_force
from drivers.cmis.configuration.control_sets import UNUSED, LaneConfig, data_paths_of, read_config, stage
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import LANES
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.paged_memory import require_paged_memory
from drivers.cmis.states import (
    MGMT_INIT_S,
    RESET_PULSE_S,
    Look,
    advertised_s,
    limit_text,
    poll_interval_s,
    require_module,
    to_low_power_limits,
    to_low_power_s,
    wait_for_data_paths,
    wait_for_module_state,
    watch,
)
from drivers.cmis.wording import host_lanes as host_lanes_text
from drivers.cmis.wording import where
from drivers.errors import BenchError
from drivers.interfaces import ModulePins, SafetyStep

__all__ = [
    "BringUpResult",
    "BringUpStep",
    "bring_up",
    "poll_interval_s",
    "power_down",
    "require_module",
]

_ALL_LANES = tuple(range(1, LANES + 1))
_UNREJECTED = (ConfigStatus.ConfigSuccess, ConfigStatus.ConfigInProgress, ConfigStatus.ConfigUndefined)
_BEYOND_LOW_POWER = (ModuleState.ModulePwrUp, ModuleState.ModuleReady, ModuleState.ModulePwrDn)


def bring_up(
    module: CmisModule,
    pins: ModulePins,
    clock: Clock,
    *,
    media_interface: str = "400GBASE-DR4",
    breakout: str | None = None,
    bank: int = 0,
    vcc_applied_at_s: float | None = None,
) -> BringUpResult:
    """Bring a module to DPActivated with one application on all host lanes it can have there.

    ``media_interface``: name in SFF-8024. ``breakout``: instead of it, which data paths, such as
    ``2x100GBASE-DR`` (:func:`drivers.cmis.application.breakout`). ``vcc_applied_at_s``: when, on ``clock``,
    its supply was turned on; without it the module is reset, so that tMgmtInit has an origin. A module that
    was held in reset is released here, and tMgmtInit runs from then. To see the module's times, call this at
    once after power-on: steps found done too late to tell are not ``measured``. Its transmitters are on
    afterwards.

    :raises ValueError: for a breakout that is not of its form.
    :raises BenchError: when the bench is at fault, an empty cage included. What the module does wrong is
        in the result.
    """
    if breakout is not None:
        parse_breakout(breakout)  # before the module is touched
    sequence = BringUpSequence(module, pins, clock, bank)
    stages: tuple[Callable[[], bool], ...] = (
        lambda: _wait_for_management(sequence, vcc_applied_at_s),
        lambda: _hold_data_paths(sequence),
        lambda: _select_application(sequence, media_interface, breakout),
        lambda: _power_up(sequence),
        lambda: _apply(sequence),
        lambda: _activate(sequence),
    )
    for stage_of_it in stages:
        try:
            if not stage_of_it():
                break
        except CmisError as error:
            # Between two steps, such as while reading an advertised duration.
            sequence.fail(
                "read_registers", "a register needed for the next step", "a valid value", str(error)
            )
            break
    result = sequence.result()
    if result.ok:
        module.configuration_settled()
    return result


def power_down(
    module: CmisModule, pins: ModulePins, *, timeout_s: float | None = None
) -> tuple[SafetyStep, ...]:
    """Turn off the transmitters and bring the module to low power, each read back.

    Carries on after a failed step and raises nothing but a stop request. ``timeout_s``: how long to wait
    for ModuleLowPwr; by default the sum of the durations that the module advertises.
    """

    def disable_outputs() -> tuple[str, bool]:
        module.set_output_disable_tx(_ALL_LANES)
        return f"{where('OutputDisableTx').split()[0]} reads back FFh", True

    def assert_lp_mode() -> tuple[str, bool]:
        pins.set_low_power(asserted=True)
        return "LPMode asserted", True

    def request_low_power() -> tuple[str, bool]:
        module.set_low_power(True)
        return f"{where('LowPwrRequestSW').split()[0]} reads back 1", True

    def wait_for_low_power() -> tuple[str, bool]:
        limit_s = to_low_power_s(module) if timeout_s is None else timeout_s
        module.module_state()  # a silent module is told at once, not after the limit
        wait = wait_for_module_state(module, ModuleState.ModuleLowPwr, limit_s)
        late = "" if wait.reached else f" after {wait.elapsed_s:.3f} s"
        return f"{wait.register} reads {wait.found}{late}", wait.reached

    steps = []
    for action, perform in (
        ("transmitters off", disable_outputs),
        ("low power requested by pin", assert_lp_mode),
        ("low power requested by register", request_low_power),
        ("module in low power", wait_for_low_power),
    ):
        try:
            read_back, safe = perform()
        except (CmisError, BenchError) as error:
            read_back, safe = f"not confirmed: {error}", False
        steps.append(SafetyStep(action, read_back, safe))
    return tuple(steps)


def _wait_for_management(sequence: BringUpSequence, vcc_applied_at_s: float | None) -> bool:
    module, clock, pins = sequence.module, sequence.clock, sequence.pins
    require_module(pins)
    pins.set_selected(asserted=True)
    pins.set_low_power(asserted=True)
    held_s = clock.now_s()
    if vcc_applied_at_s is None:
        pins.set_reset(asserted=True)
        clock.sleep(RESET_PULSE_S)
    was_in_reset = pins.reset_asserted()
    pins.set_reset(asserted=False)
    since_s = clock.now_s() if was_in_reset or vcc_applied_at_s is None else vcc_applied_at_s
    module.forget_page()

    def answers() -> Look:
        identifier = information.get_int(module.registers, "SFF8024Identifier")
        return Look(True, f"{identifier:02X}h, {codes.meaning('identifier', identifier)}")

    def paged() -> Look:
        require_paged_memory(module, bank=sequence.bank)
        return Look(True, "paged")

    answered = watch(
        clock,
        answers,
        register=where("SFF8024Identifier"),
        expected="an answer",
        allowed_s=MGMT_INIT_S,
        since_s=since_s,
        explanation="The module must be reachable within tMgmtInit of power-on or reset.",
        silence_expected=True,
    )
    if not sequence.record("management_interface", answered):
        return False
    memory = watch(
        clock,
        paged,
        register=where("MemoryModel"),
        expected="paged memory",
        explanation="Without pages 01h, 10h and 11h there are no data paths that could be brought up.",
    )
    if not memory.reached:
        return sequence.record("paged_memory", memory)
    if module.module_state() in _BEYOND_LOW_POWER:
        return _back_to_low_power(sequence, held_s)
    text = "With LPMode asserted the module must wait in ModuleLowPwr."
    wait = wait_for_module_state(
        module, ModuleState.ModuleLowPwr, MGMT_INIT_S, since_s=since_s, explanation=text
    )
    return sequence.record("low_power", wait)


def _back_to_low_power(sequence: BringUpSequence, held_s: float) -> bool:
    """A module that was up already goes down first: in its own time and not in tMgmtInit.

    ``held_s``: when LPMode was asserted.
    """
    module = sequence.module
    names = to_low_power_limits(module)
    allowed_s = advertised_s(module, *names)
    if not information.get_int(module.registers, "LowPwrAllowRequestHW"):
        held_s = sequence.clock.now_s()
        module.set_low_power(True)  # an earlier host took LPMode's effect away
    text = f"The module was up before it was to wait in low power. {limit_text(names)}"
    wait = wait_for_module_state(
        module, ModuleState.ModuleLowPwr, allowed_s, since_s=held_s, explanation=text
    )
    return sequence.record("back_to_low_power", wait)


def _hold_data_paths(sequence: BringUpSequence) -> bool:
    # With the default 0 every data path would initialise by itself as soon as the module is ready.
    module = sequence.module

    def hold() -> Look:
        module.set_low_power(True)
        module.set_and_verify("DPDeinit", lane_bits(_ALL_LANES), sequence.bank)
        return Look(True, "FFh")

    return sequence.do(
        "hold_data_paths",
        where("DPDeinit"),
        "FFh",
        hold,
        lanes=_ALL_LANES,
        explanation="Keeps the default application from initialising before another one is selected.",
    )


def _select_application(sequence: BringUpSequence, media_interface: str, wanted: str | None) -> bool:
    module = sequence.module
    start_s = sequence.clock.now_s()
    applications = module.applications()

    def advertised_as_wanted() -> Look:
        if wanted is not None:
            sequence.placed = find_breakout(applications, wanted)
            found = dict.fromkeys(f"AppSel {item.application.app_sel}" for item in sequence.placed)
            return Look(True, ", ".join(found))
        chosen = next(iter(find_applications(applications, media_interface=media_interface)), None)
        if chosen is None:
            names = ", ".join(f"{item.app_sel}: {item.media_interface}" for item in applications) or "none"
            return Look(False, names, explanation="The module does not advertise this application.")
        sequence.placed = all_data_paths(chosen)
        if not sequence.placed:
            text = "Its descriptor gives no host lanes that a data path could have."
            return Look(False, f"AppSel {offered([chosen])}", explanation=text)
        return Look(True, f"AppSel {chosen.app_sel}, {chosen.host_interface}")

    if not sequence.do(
        "find_application", "lower:86-117", wanted or media_interface, advertised_as_wanted, since_s=start_s
    ):
        return False
    config = dict.fromkeys(_ALL_LANES, UNUSED)
    for item in sequence.placed:
        first = item.host_lanes[0] - 1
        config |= dict.fromkeys(item.host_lanes, LaneConfig(item.application.app_sel, first))
    staged = bytes(config[lane].byte for lane in _ALL_LANES).hex(" ")

    def stage_all() -> Look:
        stage(module, config, 0, bank=sequence.bank)
        return Look(True, staged)

    selected = " and ".join(
        dict.fromkeys(f"AppSel {placement.application.app_sel}" for placement in sequence.placed)
    )
    return sequence.do(
        "select_application",
        where("SCS0_DPConfig"),
        staged,
        stage_all,
        lanes=sequence.host_lanes,
        explanation=f"{selected} is staged on {host_lanes_text(sequence.host_lanes)}.",
    )


def _power_up(sequence: BringUpSequence) -> bool:
    module, pins = sequence.module, sequence.pins
    allowed_s = advertised_s(module, "MaxDurationModulePwrUp")
    pins.set_low_power(asserted=False)
    module.set_low_power(False)
    text = f"The limit is what {where('MaxDurationModulePwrUp')} advertises."
    wait = wait_for_module_state(module, ModuleState.ModuleReady, allowed_s, explanation=text)
    if not sequence.record("power_up", wait):
        return False
    # ApplyDPInit is ignored without a word on lanes whose data path is on its way somewhere.
    held = wait_for_data_paths(
        module,
        sequence.host_lanes,
        DataPathState.DPDeactivated,
        advertised_s(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit"),
        bank=sequence.bank,
        explanation=f"{where('DPDeinit')} holds them deactivated.",
    )
    return sequence.record("data_paths_held", held)


def _apply(sequence: BringUpSequence) -> bool:
    module, lanes, bank = sequence.module, sequence.host_lanes, sequence.bank
    return (
        _free_torn_data_paths(sequence)
        and sequence.record("apply_configuration", apply(module, lanes, bank=bank).wait)
        and sequence.record("configuration_in_force", wait_until_in_force(module, lanes, bank=bank))
    )


def _free_torn_data_paths(sequence: BringUpSequence) -> bool:
    """A data path in force (by default, or from an earlier host) that loses only some of its lanes is freed
    as a whole first, in a trigger of its own: modules refuse to tear it, and some reject AppSel 0."""
    module, bank = sequence.module, sequence.bank
    wanted = set(sequence.host_lanes)
    torn = tuple(
        lane
        for old in data_paths_of(read_config(module, bank=bank))
        if wanted.intersection(old.host_lanes) and not wanted.issuperset(old.host_lanes)
        for lane in old.host_lanes
    )
    if not torn:
        return True
    staged = read_config(module, "SCS0", bank=bank)
    stage(module, dict.fromkeys(torn, UNUSED), 0, bank=bank)
    applied = apply(module, torn, bank=bank)
    stage(module, {lane: staged[lane - 1] for lane in torn}, 0, bank=bank)
    rejected = all(applied.status[lane - 1] not in _UNREJECTED for lane in torn)
    wait = applied.wait
    if rejected:
        text = f"{wait.explanation} Lanes without a new application stay held by {where('DPDeinit')} instead."
        wait = replace(wait, reached=True, measured=False, explanation=text)
    return sequence.record("free_lanes", wait)


def _activate(sequence: BringUpSequence) -> bool:
    module, lanes, bank = sequence.module, sequence.host_lanes, sequence.bank
    allowed_s = advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn")
    module.set_and_verify("OutputSquelchForceTx", lane_bits(()), bank)
    module.set_output_disable_tx((), bank)
    module.set_and_verify("DPDeinit", lane_bits(set(_ALL_LANES) - set(lanes)), bank)
    text = f"The limit is {where('MaxDurationDPInit')} and {where('MaxDurationDPTxTurnOn')} together."
    wait = wait_for_data_paths(
        module, lanes, DataPathState.DPActivated, allowed_s, bank=bank, explanation=text
    )
    return sequence.record("activate_data_paths", wait)
