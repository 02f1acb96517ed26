"""Waiting for the module's and the data paths' states, each within what the module advertises.

Durations that a module advertises are codes of ranges (01h:144, 01h:167-168); the upper end of the range is
what it is allowed here. How a wait ended is told in a :class:`Wait`; a fault of the module is never raised
by it, a fault of the bench always is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from drivers.clock import RESOLUTION_S, Clock, polls
from drivers.cmis import codes, information
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S
from drivers.cmis.module import CmisModule
from drivers.cmis.wording import by_lane, host_lanes, where
from drivers.errors import ConnectionFailedError
from drivers.i2c import I2cUnclearError
from drivers.interfaces import ModulePins

MGMT_INIT_S = 2.0
"""tMgmtInit (Table 10-1): power-on or reset to a usable interface and ModuleLowPwr."""
FIRST_ANSWER_POLL_S = 0.05
"""How often a module that is starting is asked whether it answers."""
RESET_PULSE_S = 0.001
"""Length of the reset given here; at least 10 us are required (Table 10-1)."""

_Answer = TypeVar("_Answer")

MODULE_TRANSIENTS: Mapping[ModuleState, str] = {
    ModuleState.ModulePwrUp: "MaxDurationModulePwrUp",
    ModuleState.ModulePwrDn: "MaxDurationModulePwrDn",
}
"""Advertised maximum of each transient module state (01h:167)."""

DATA_PATH_TRANSIENTS: Mapping[DataPathState, str] = {
    DataPathState.DPInit: "MaxDurationDPInit",
    DataPathState.DPDeinit: "MaxDurationDPDeinit",
    DataPathState.DPTxTurnOn: "MaxDurationDPTxTurnOn",
    DataPathState.DPTxTurnOff: "MaxDurationDPTxTurnOff",
}
"""Advertised maximum of each transient data path state (01h:144, 01h:168)."""

_DEACTIVATED, _INITIALIZED, _ACTIVATED = (
    DataPathState.DPDeactivated,
    DataPathState.DPInitialized,
    DataPathState.DPActivated,
)
_INIT, _DEINIT, _ON, _OFF = (
    DataPathState.DPInit,
    DataPathState.DPDeinit,
    DataPathState.DPTxTurnOn,
    DataPathState.DPTxTurnOff,
)
DATA_PATH_WAYS: Mapping[DataPathState, Mapping[DataPathState, tuple[DataPathState, ...]]] = {
    _DEACTIVATED: {
        _DEACTIVATED: (),
        _DEINIT: (_DEINIT,),
        _INIT: (_DEINIT,),  # DPInit is left at once
        _INITIALIZED: (_DEINIT,),
        _OFF: (_OFF, _DEINIT),
        _ACTIVATED: (_OFF, _DEINIT),
        _ON: (_ON, _OFF, _DEINIT),
    },
    _INITIALIZED: {
        _INITIALIZED: (),
        _INIT: (_INIT,),
        _DEACTIVATED: (_INIT,),
        _DEINIT: (_DEINIT, _INIT),
        _OFF: (_OFF,),
        _ACTIVATED: (_OFF,),
        _ON: (_ON, _OFF),
    },
    _ACTIVATED: {
        _ACTIVATED: (),
        _ON: (_ON,),
        _INITIALIZED: (_ON,),
        _INIT: (_INIT, _ON),
        _DEACTIVATED: (_INIT, _ON),
        _DEINIT: (_DEINIT, _INIT, _ON),
        _OFF: (_OFF, _ON),
    },
}
"""Steady state wanted, state now: the transient states on the way (OIF-CMIS-05.4 §6.3.3)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the module found. ``lanes``: those at fault. ``hopeless``: waiting longer cannot
    help. ``measured``: False where it is reached but nothing shows that the module did it."""

    reached: bool
    found: str
    lanes: tuple[int, ...] = ()
    explanation: str = ""
    hopeless: bool = False
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """How a wait ended. ``register``: ``page:byte name``. ``lanes``: host lanes concerned, or where it was
    not reached those at fault. ``allowed_s``: None where no time limit applies. ``measured``: False where it
    was reached but ``elapsed_s`` does not say when. ``lane_elapsed_s``: when each lane was first seen there.
    """

    reached: bool
    register: str
    expected: str
    found: str
    elapsed_s: float
    allowed_s: float | None
    lanes: tuple[int, ...] = ()
    explanation: str = ""
    measured: bool = True
    lane_elapsed_s: Mapping[int, float] = field(default_factory=dict)

    @property
    def ran_out(self) -> bool:
        """Whether the time allowed had passed at its end."""
        return self.allowed_s is not None and self.elapsed_s >= self.allowed_s - RESOLUTION_S

    def in_words(self) -> str:
        """One sentence: what was expected of which lanes, what was found, and why."""
        concerned = f"{host_lanes(self.lanes)}, " if self.lanes else ""
        text = f"{concerned}{self.register}: expected {self.expected}, found {self.found}."
        return f"{text} {self.explanation}".strip()


def poll_interval_s(allowed_s: float) -> float:
    """How often a wait with this limit looks at the module: so late may an event be noticed."""
    return min(0.050, max(0.001, allowed_s / 50))


def watch(
    clock: Clock,
    look: Callable[[], Look],
    *,
    register: str,
    expected: str,
    allowed_s: float | None = None,
    since_s: float | None = None,
    lanes: tuple[int, ...] = (),
    explanation: str = "",
    silence_expected: bool = False,
) -> Wait:
    """Look until it is reached, hopeless or too late; once only where no time is allowed.

    What is reached at a look that ends after the limit counts as reached, since nobody saw it missing any
    later, but not as measured. ``since_s``: when the time began to run; by default now. What the module does
    wrong at a look counts as not reached. ``silence_expected``: so does what may be the module's silence or a
    fault of the bus (:class:`drivers.i2c.I2cUnclearError`), unless it is all that was found at the end.

    :raises BenchError: when the bench is at fault.
    """
    start_s = clock.now_s() if since_s is None else since_s
    interval_s = poll_interval_s(allowed_s or 0.0)
    while True:
        unclear: I2cUnclearError | None = None
        try:
            seen = look()
        except CmisError as error:
            seen = Look(False, str(error), lanes)
        except I2cUnclearError as error:
            if not silence_expected:
                raise
            seen, unclear = Look(False, str(error), lanes), error
        elapsed_s = clock.now_s() - start_s
        if seen.reached or seen.hopeless or allowed_s is None or elapsed_s >= allowed_s - RESOLUTION_S:
            if unclear is not None:
                raise unclear
            break
        clock.sleep(min(interval_s, allowed_s - elapsed_s))
    in_words = seen.explanation or explanation
    late = allowed_s is not None and elapsed_s > allowed_s + RESOLUTION_S
    if seen.reached and late:
        in_words = (
            f"Not shown to be in time: the look that found it was {elapsed_s:.3f} s after the beginning, "
            f"{allowed_s:g} s are allowed. {in_words}"
        ).strip()
    if not seen.reached and not seen.hopeless and allowed_s is not None:
        in_words = f"Not reached after {elapsed_s:.3f} s, {allowed_s:g} s are allowed. {in_words}".strip()
    return Wait(
        reached=seen.reached,
        register=register,
        expected=expected,
        found=seen.found,
        elapsed_s=elapsed_s,
        allowed_s=allowed_s,
        lanes=lanes if seen.reached else seen.lanes,
        explanation=in_words,
        measured=not seen.reached or (seen.measured and not late),
    )


def first_answer(module: CmisModule, ask: Callable[[], _Answer], *, until_s: float) -> _Answer:
    """What ``ask`` gives as soon as a module that was just given its supply answers, asked until ``until_s``
    of its clock.

    :raises CmisError: that of the last time it was asked.
    :raises BenchError: when the bench is at fault.
    """
    for _ in polls(module.clock, until_s, FIRST_ANSWER_POLL_S):
        module.forget_page()
        try:
            return ask()
        except CmisError as error:
            last = error
    raise last


# -- limits --------------------------------------------------------------------------------------------


UNSTATED_DURATION_S = 60.0
"""Taken for a duration that an older module advertises as below 1 ms: CMIS 4.0 defined most of them, and
the bytes were 0 before [uncertain: no document of CMIS 3 was at hand]."""


def advertised_s(module: CmisModule, *names: str) -> float:
    """Sum of advertised maximum durations, e.g. ``MaxDurationDPInit``; never below tWRITE, as a module may
    hold off for that long before it acts.

    Before CMIS 4.0 a duration of code 0 counts as :data:`UNSTATED_DURATION_S`.

    :raises InvalidMemoryError: when one of their codes is reserved.
    """
    return max(WRITE_HOLD_OFF_S, sum(_stated_s(module, name) for name in names))


def _stated_s(module: CmisModule, name: str) -> float:
    duration_s = module.duration_s(name)
    if duration_s > codes.duration_upper_s(0):
        return duration_s
    before_4_0 = information.get_int(module.registers, "CmisRevisionMajor") < 4
    return UNSTATED_DURATION_S if before_4_0 else duration_s


def data_path_limits(before: Collection[DataPathState], wanted: DataPathState) -> tuple[str, ...]:
    """Names of the advertised maxima that count for data paths in these states to reach a steady state.

    The longest way counts. A reserved state is taken for the one that is farthest away.
    """
    ways = DATA_PATH_WAYS[wanted]
    farthest = max(ways.values(), key=len)
    longest: tuple[DataPathState, ...] = max(
        (ways.get(state, farthest) for state in before), key=len, default=()
    )
    return tuple(DATA_PATH_TRANSIENTS[state] for state in longest)


def limit_text(names: Collection[str]) -> str:
    """The sentence that says where a limit comes from."""
    if not names:
        return f"The limit is tWRITE, {WRITE_HOLD_OFF_S * 1e3:g} ms."
    together = " together" if len(names) > 1 else ""
    return f"The limit is {' and '.join(where(name) for name in names)}{together}."


# -- the module ----------------------------------------------------------------------------------------


def fault_text(module: CmisModule) -> str:
    """Why the module is in ModuleFault, as lower:41 gives it, and what leads out of it."""
    cause = codes.meaning("fault_cause", information.get_int(module.registers, "ModuleFaultCause"))
    return f"Cause given by the module: {cause}. Only a reset leads out of it."


def module_state_look(module: CmisModule, *wanted: ModuleState) -> Look:
    """One look at the module state; ModuleFault is hopeless unless it is wanted."""
    state = module.module_state()
    if state is ModuleState.ModuleFault and state not in wanted:
        return Look(False, state.name, explanation=fault_text(module), hopeless=True)
    return Look(state in wanted, state.name)


def wait_for_module_state(
    module: CmisModule,
    wanted: ModuleState,
    allowed_s: float,
    *,
    since_s: float | None = None,
    explanation: str = "",
) -> Wait:
    """Wait for a state of the module state machine (lower:3.3-1). ModuleFault ends the wait, with its cause.

    :raises BenchError: when the bench is at fault.
    """
    return watch(
        module.clock,
        lambda: module_state_look(module, wanted),
        register=where("ModuleState"),
        expected=wanted.name,
        allowed_s=allowed_s,
        since_s=since_s,
        explanation=explanation,
    )


_TO_LOW_POWER = ("MaxDurationDPTxTurnOff", "MaxDurationDPDeinit", "MaxDurationModulePwrDn")


def to_low_power_limits(module: CmisModule) -> tuple[str, ...]:
    """Names of the advertised maxima that count from a request of low power to ModuleLowPwr: from the state
    in which the module is now, with data paths that are up taken down.

    Data paths of bank 0 are looked at; those of a module that is not ready are taken to be up.

    :raises CmisError: when the module cannot be read.
    """
    state = module.module_state()
    if state is ModuleState.ModulePwrUp:
        return (MODULE_TRANSIENTS[ModuleState.ModulePwrUp], *_TO_LOW_POWER)
    if state in (ModuleState.ModuleReady, ModuleState.ModulePwrDn) and _ON in module.data_path_states():
        return (DATA_PATH_TRANSIENTS[_ON], *_TO_LOW_POWER)
    return _TO_LOW_POWER


def to_low_power_s(module: CmisModule) -> float:
    """Allowed from a request of low power to ModuleLowPwr, data paths that are up included.

    :raises CmisError: when a duration cannot be read or is reserved.
    """
    return advertised_s(module, *to_low_power_limits(module))


def enter_low_power(module: CmisModule, *, pins: ModulePins | None = None) -> Wait:
    """Request low power by register (lower:26.4), with ``pins`` also by LPMode, and wait for ModuleLowPwr.

    :raises CmisError: when the registers cannot be read or written.
    """
    names = to_low_power_limits(module)
    allowed_s = advertised_s(module, *names)
    since_s = module.clock.now_s()
    if pins is not None:
        pins.set_low_power(asserted=True)
    module.set_low_power(True)
    return wait_for_module_state(
        module, ModuleState.ModuleLowPwr, allowed_s, since_s=since_s, explanation=limit_text(names)
    )


def leave_low_power(module: CmisModule, *, pins: ModulePins | None = None) -> Wait:
    """Withdraw the requests of low power (with ``pins`` also LPMode) and wait for ModuleReady.

    A module that is on its way down ends that first: the limit is the sum then. Data paths that DPDeinit
    (10h:128) does not hold begin to initialise by themselves in ModuleReady.

    :raises CmisError: when the registers cannot be read or written.
    """
    names: tuple[str, ...] = (MODULE_TRANSIENTS[ModuleState.ModulePwrUp],)
    if module.module_state() is ModuleState.ModulePwrDn:
        names = (*to_low_power_limits(module), *names)
    allowed_s = advertised_s(module, *names)
    since_s = module.clock.now_s()
    if pins is not None:
        pins.set_low_power(asserted=False)
    module.set_low_power(False)
    text = limit_text(names)
    if pins is None and information.get_int(module.registers, "LowPwrAllowRequestHW"):
        text += (
            f" {where('LowPwrAllowRequestHW')} is 1: the module stays in low power while the pin LPMode is "
            "asserted, which was left as it is."
        )
    return wait_for_module_state(
        module, ModuleState.ModuleReady, allowed_s, since_s=since_s, explanation=text
    )


_AFTER_RESET = (ModuleState.ModuleLowPwr, ModuleState.ModulePwrUp, ModuleState.ModuleReady)


def hardware_reset(module: CmisModule, pins: ModulePins, *, pulse_s: float = RESET_PULSE_S) -> Wait:
    """Pulse ResetL, and wait until the module answers and has been through its initialisation.

    The module then stays in ModuleLowPwr or goes on to ModuleReady by itself, as LPMode says; either passes.
    Everything volatile is back at its default.

    :raises ValueError: for a pulse below 10 us.
    :raises ConnectionFailedError: when no module is inserted.
    :raises BenchError: when the pins cannot be driven.
    """
    if not pulse_s >= 10e-6:
        raise ValueError(f"a reset pulse lasts at least 10 us, not {pulse_s:g} s")
    require_module(pins)
    pins.set_reset(asserted=True)
    try:
        module.clock.sleep(pulse_s)
    finally:
        pins.set_reset(asserted=False)
    return _wait_after_reset(module, "ResetL was pulsed.", proven=True)


def software_reset(module: CmisModule) -> Wait:
    """Write SoftwareReset (lower:26.3) and wait as after :func:`hardware_reset`.

    A module that was neither silent nor in another state afterwards has not shown that it was reset:
    ``measured`` is False then.

    :raises CmisError: when the register cannot be written.
    """
    before = module.module_state()
    module.set("SoftwareReset", 1)
    return _wait_after_reset(module, "SoftwareReset was written.", proven=False, before=before)


def _wait_after_reset(
    module: CmisModule, what: str, *, proven: bool, before: ModuleState | None = None
) -> Wait:
    module.forget_page()
    since_s = module.clock.now_s()
    shown = proven

    def look() -> Look:
        nonlocal shown
        try:
            seen = module_state_look(module, *_AFTER_RESET)
        except CmisError:
            shown = True  # a silent module is being reset
            raise
        if seen.found != getattr(before, "name", seen.found):
            shown = True
        if not shown and module.clock.now_s() - since_s < MGMT_INIT_S - RESOLUTION_S:
            # The state may still be the one from before the reset: a fault too.
            return Look(False, seen.found)
        if seen.reached and not shown:
            text = f"Not shown: after SoftwareReset the module was never silent and never left {seen.found}."
            return Look(True, seen.found, explanation=text, measured=False)
        return seen

    wait = watch(
        module.clock,
        look,
        register=where("ModuleState"),
        expected=f"{ModuleState.ModuleLowPwr.name} or beyond",
        allowed_s=MGMT_INIT_S,
        since_s=since_s,
        explanation=f"{what} The limit is tMgmtInit.",
        silence_expected=True,
    )
    module.forget_page()
    return wait


def require_module(pins: ModulePins) -> None:
    """Check that a module is inserted, before anything is laid to it.

    :raises ConnectionFailedError: when ModPrsL says that there is none.
    :raises BenchError: when the pins cannot be read.
    """
    if not pins.module_present():
        raise ConnectionFailedError(
            "host_board", "ModPrsL says that no module is inserted", advice="Insert the module fully."
        )


# -- data paths ----------------------------------------------------------------------------------------


def data_path_look(
    module: CmisModule,
    wanted: Mapping[int, DataPathState | Collection[DataPathState]],
    bank: int = 0,
    *,
    initialised: Collection[int] = (),
) -> Look:
    """One look at the data path states of host lanes; a faulty or not ready module is told too.

    ``wanted``: the state of each lane, or several of which any will do. ``initialised``: lanes on which
    DPInitPending (11h:235) must be clear as well: while it is set, the state is one from before the
    initialisation that is to come.
    """
    # In this order: what is read pending says of states read later that they may be old, not the reverse.
    pending = set(information.lanes_set(module.registers, "DPInitPending", bank)) if initialised else set()
    pending.intersection_update(initialised)
    states = module.data_path_states(bank)
    found = {lane: states[lane - 1].name + ", DPInitPending set" * (lane in pending) for lane in wanted}
    others = {
        lane: found[lane]
        for lane, state in wanted.items()
        if lane in pending or states[lane - 1] not in _any_of(state)
    }
    if not others:
        return Look(True, _same_or_by_lane(found))
    if module.module_state() is not ModuleState.ModuleReady:
        seen = module_state_look(module, ModuleState.ModuleReady)
        text = f"The module itself is in {seen.found}. {seen.explanation}".strip()
        return Look(False, by_lane(others), tuple(others), text, seen.hopeless)
    return Look(False, by_lane(others), tuple(others))


def _any_of(wanted: DataPathState | Collection[DataPathState]) -> Collection[DataPathState]:
    return (wanted,) if isinstance(wanted, DataPathState) else wanted


def _same_or_by_lane(found: Mapping[int, str]) -> str:
    return by_lane(found) if len(set(found.values())) > 1 else next(iter(found.values()), "")


def wait_for_data_paths(
    module: CmisModule,
    lanes: Collection[int],
    wanted: DataPathState | Mapping[int, DataPathState | Collection[DataPathState]],
    allowed_s: float,
    *,
    bank: int = 0,
    since_s: float | None = None,
    explanation: str = "",
    initialised: Collection[int] = (),
) -> Wait:
    """Wait until the data paths of these host lanes (1..8) are in a state, the same or by lane (11h:128-131).
    ``wanted`` by lane and ``initialised``: as in :func:`data_path_look`.

    ``lane_elapsed_s`` of the result says when each lane was first seen there. A module that is no longer
    ready is told; ModuleFault ends the wait.

    :raises BenchError: when the bench is at fault.
    """
    ordered = tuple(sorted(lanes))
    states: dict[int, DataPathState | Collection[DataPathState]] = {
        lane: wanted if isinstance(wanted, DataPathState) else wanted[lane] for lane in ordered
    }
    start_s = module.clock.now_s() if since_s is None else since_s
    arrived: dict[int, float] = {}

    def look() -> Look:
        seen = data_path_look(module, states, bank, initialised=initialised)
        elapsed_s = module.clock.now_s() - start_s
        for lane in ordered:
            if not seen.reached and lane in seen.lanes:
                arrived.pop(lane, None)
            else:
                arrived.setdefault(lane, elapsed_s)
        return seen

    expected = _same_or_by_lane(
        {lane: " or ".join(one.name for one in _any_of(state)) for lane, state in states.items()}
    )
    wait = watch(
        module.clock,
        look,
        register=where("DPStateHostLane"),
        expected=expected if " on host lane" in expected else f"{expected} on {host_lanes(ordered)}",
        allowed_s=allowed_s,
        since_s=start_s,
        lanes=ordered,
        explanation=explanation,
    )
    return replace(wait, lane_elapsed_s=arrived)
