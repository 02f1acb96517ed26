"""Bringing a module from power-on to traffic, step by step, with CMIS's time limits as the yardstick.

Each step says what it did, how long it took and was allowed to take, and, where it failed, which lane
and which register stood in the way. A fault of the bench is raised; a fault of the module ends the
sequence and is told in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from drivers.clock import Clock
from drivers.cmis import codes, information
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import LANES
from drivers.cmis.information import Application
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, lane_bits
from drivers.errors import BenchError, ConnectionFailedError
from drivers.interfaces import ModulePins, SafetyStep

MGMT_INIT_S = 2.0
"""tMgmtInit (Table 10-1): power-on or reset to a usable interface and ModuleLowPwr."""
RESET_PULSE_S = 0.001
"""Length of the reset given here; at least 10 us are required (Table 10-1)."""
WRITE_HOLD_OFF_S = 0.010
"""tWRITE (Table 10-2). A module may hold off for this long before it acts, so no step allows less."""
CONFIG_STATUS_S = 1.0
"""Allowed from ApplyDPInit to a result. CMIS gives no limit of its own [uncertain]; the advertised
MaxDurationDPInit is used where it is longer."""
EVIDENCE_S = 0.05
"""How long a sign of ApplyDPInit is looked for: five times what a module may hold off before it acts."""

_CLOCK_STEP_S = 1e-6
"""Rests shorter than this are not waited for: sums of seconds would never quite reach the limit."""

_ALL_LANES = tuple(range(1, LANES + 1))
_BEYOND_LOW_POWER = (ModuleState.ModulePwrUp, ModuleState.ModuleReady, ModuleState.ModulePwrDn)


@dataclass(frozen=True, slots=True)
class BringUpStep:
    """One step. ``register`` is ``page:byte name``; ``lanes`` are host lanes: those concerned, or in a
    failed step those at fault. ``allowed_s`` is None where no time limit applies.

    ``measured``: False where the step passed but proves nothing about the module: what was expected was there
    already at a look later than the limit, so that ``elapsed_s`` does not say when it came, or nothing showed
    that the module did it. Such a step is no proof of a module that is in time."""

    name: str
    passed: bool
    elapsed_s: float
    allowed_s: float | None
    lanes: tuple[int, ...]
    register: str
    expected: str
    found: str
    explanation: str
    measured: bool = True


@dataclass(frozen=True, slots=True)
class BringUpResult:
    """How far the module came. ``stopped_by`` is empty when ``ok``."""

    steps: tuple[BringUpStep, ...]
    application: Application | None = None
    host_lanes: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return bool(self.steps) and all(step.passed for step in self.steps)

    @property
    def stopped_by(self) -> str:
        """What stopped the sequence, with lanes and register."""
        for step in self.steps:
            if not step.passed:
                lanes = (
                    f", host lane{'s' * (len(step.lanes) > 1)} {_lanes_text(step.lanes)}"
                    if step.lanes
                    else ""
                )
                return (
                    f"{step.name}{lanes}, {step.register}: expected {step.expected}, found {step.found}. "
                    f"{step.explanation}"
                )
        return ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the module found."""

    reached: bool
    found: str
    lanes: tuple[int, ...] = ()
    explanation: str = ""
    hopeless: bool = False
    measured: bool = True


@dataclass(slots=True)
class _Sequence:
    """The steps taken so far."""

    module: CmisModule
    pins: ModulePins
    clock: Clock
    steps: list[BringUpStep] = field(default_factory=list)
    application: Application | None = None
    host_lanes: tuple[int, ...] = ()

    def run(
        self,
        name: str,
        register: str,
        expected: str,
        look: Callable[[], _Seen],
        *,
        allowed_s: float | None = None,
        since_s: float | None = None,
        lanes: tuple[int, ...] = (),
        explanation: str = "",
    ) -> bool:
        """Look until it is reached, hopeless or too late; once only where no time is allowed.

        What is reached at a look that ends after the limit passes, since nobody saw it missing any later,
        but not as measured.

        :raises BenchError: instead of recording a failure, when the module is gone or its pins cannot be
            read: what failed then is the bench.
        """
        start_s = self.clock.now_s() if since_s is None else since_s
        interval_s = poll_interval_s(allowed_s or 0.0)
        while True:
            try:
                seen = look()
            except CmisError as error:
                seen = _Seen(False, str(error), lanes)
            elapsed_s = self.clock.now_s() - start_s
            if seen.reached or seen.hopeless or allowed_s is None or elapsed_s >= allowed_s - _CLOCK_STEP_S:
                break
            self.clock.sleep(min(interval_s, allowed_s - elapsed_s))
        if not seen.reached:
            require_module(self.pins)
        in_words = seen.explanation or explanation
        late = allowed_s is not None and elapsed_s > allowed_s + _CLOCK_STEP_S
        if seen.reached and late:
            in_words = (
                f"Not shown to be in time: the look that found it was {elapsed_s:.3f} s after the beginning, "
                f"{allowed_s:g} s are allowed. {in_words}"
            ).strip()
        if not seen.reached and not seen.hopeless and allowed_s is not None:
            in_words = f"Not reached after {elapsed_s:.3f} s, {allowed_s:g} s are allowed. {in_words}".strip()
        self.steps.append(
            BringUpStep(
                name=name,
                passed=seen.reached,
                elapsed_s=elapsed_s,
                allowed_s=allowed_s,
                lanes=lanes if seen.reached else seen.lanes,
                register=register,
                expected=expected,
                found=seen.found,
                explanation=in_words,
                measured=not seen.reached or (seen.measured and not late),
            )
        )
        return seen.reached

    def do(
        self,
        name: str,
        register: str,
        expected: str,
        action: Callable[[], str],
        *,
        lanes: tuple[int, ...] = (),
        explanation: str = "",
    ) -> bool:
        """One action that either works or raises; it returns what was found."""
        return self.run(
            name, register, expected, lambda: _Seen(True, action()), lanes=lanes, explanation=explanation
        )

    def fail(self, name: str, register: str, expected: str, found: str) -> None:
        """Record a failure without looking."""
        self.run(name, register, expected, lambda: _Seen(False, found))

    def result(self) -> BringUpResult:
        return BringUpResult(tuple(self.steps), self.application, self.host_lanes)


def require_module(pins: ModulePins) -> None:
    """Check that a module is inserted, before anything is laid to it.

    :raises ConnectionFailedError: when ModPrsL says that there is none.
    :raises BenchError: when the pins cannot be read.
    """
    if not pins.module_present():
        raise ConnectionFailedError(
            "host_board", "ModPrsL says that no module is inserted", advice="Insert the module fully."
        )


def poll_interval_s(allowed_s: float) -> float:
    """How often a step with this time limit looks at the module: so late may an event be noticed."""
    return min(0.050, max(0.001, allowed_s / 50))


def bring_up(
    module: CmisModule,
    pins: ModulePins,
    clock: Clock,
    *,
    media_interface: str = "400GBASE-DR4",
    vcc_applied_at_s: float | None = None,
) -> BringUpResult:
    """Bring a module to DPActivated with one application on all host lanes it can have there.

    ``media_interface``: name in SFF-8024. ``vcc_applied_at_s``: when, on ``clock``, its supply was turned
    on; without it the module is reset, so that tMgmtInit has an origin. A module that was held in reset is
    released here, and tMgmtInit runs from then. To see the module's times, call this at once after power-on:
    steps found done too late to tell are not ``measured``. Its transmitters are on afterwards.

    :raises BenchError: when the bench is at fault, an empty cage included. What the module does wrong is
        in the result.
    """
    sequence = _Sequence(module, pins, clock)
    stages: tuple[Callable[[], bool], ...] = (
        lambda: _wait_for_management(sequence, vcc_applied_at_s),
        lambda: _hold_data_paths(sequence),
        lambda: _select_application(sequence, media_interface),
        lambda: _power_up(sequence),
        lambda: _apply(sequence),
        lambda: _activate(sequence),
    )
    for stage in stages:
        try:
            if not stage():
                break
        except CmisError as error:
            # Between two steps, such as while reading an advertised duration.
            sequence.fail(
                "read_registers", "a register needed for the next step", "a valid value", str(error)
            )
            break
    return sequence.result()


def power_down(
    module: CmisModule, pins: ModulePins, *, timeout_s: float | None = None
) -> tuple[SafetyStep, ...]:
    """Turn off the transmitters and bring the module to low power, each read back.

    Carries on after a failed step and raises nothing but a stop request. ``timeout_s``: how long to wait
    for ModuleLowPwr; by default the sum of the durations that the module advertises.
    """

    def disable_outputs() -> tuple[str, bool]:
        module.set_output_disable_tx(_ALL_LANES)
        return f"{FIELDS['OutputDisableTx'].where} reads back FFh", True

    def assert_lp_mode() -> tuple[str, bool]:
        pins.set_low_power(asserted=True)
        return "LPMode asserted", True

    def request_low_power() -> tuple[str, bool]:
        module.set_low_power(True)
        return f"{FIELDS['LowPwrRequestSW'].where} reads back 1", True

    def wait_for_low_power() -> tuple[str, bool]:
        limit_s = timeout_s
        if limit_s is None:
            limit_s = WRITE_HOLD_OFF_S + sum(
                module.duration_s(name)
                for name in ("MaxDurationDPTxTurnOff", "MaxDurationDPDeinit", "MaxDurationModulePwrDn")
            )
        start_s = module.clock.now_s()
        while (state := module.module_state()) is not ModuleState.ModuleLowPwr:
            elapsed_s = module.clock.now_s() - start_s
            if elapsed_s >= limit_s - _CLOCK_STEP_S:
                return f"{_where('ModuleState')} reads {state.name} after {elapsed_s:.3f} s", False
            module.clock.sleep(min(0.05, limit_s - elapsed_s))
        return f"{_where('ModuleState')} reads {state.name}", True

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


def _wait_for_management(sequence: _Sequence, vcc_applied_at_s: float | None) -> bool:
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

    def answers() -> _Seen:
        identifier = information.get_int(module.registers, "SFF8024Identifier")
        known = codes.meaning("identifier", identifier)
        return _Seen(True, f"{identifier:02X}h, {known}")

    def low_power() -> _Seen:
        state = module.module_state()
        return _module_state_seen(module, state, ModuleState.ModuleLowPwr)

    if not sequence.run(
        "management_interface",
        _where("SFF8024Identifier"),
        "an answer",
        answers,
        allowed_s=MGMT_INIT_S,
        since_s=since_s,
        explanation="The module must be reachable within tMgmtInit of power-on or reset.",
    ):
        return False
    if information.get_int(module.registers, "MemoryModel"):
        sequence.run(
            "paged_memory",
            _where("MemoryModel"),
            "0, paged",
            lambda: _Seen(False, "1, flat"),
            explanation="A flat-memory module has no data paths that could be brought up.",
        )
        return False
    if module.module_state() in _BEYOND_LOW_POWER:
        return _back_to_low_power(sequence, held_s)
    return sequence.run(
        "low_power",
        _where("ModuleState"),
        ModuleState.ModuleLowPwr.name,
        low_power,
        allowed_s=MGMT_INIT_S,
        since_s=since_s,
        explanation="With LPMode asserted the module must wait in ModuleLowPwr.",
    )


def _back_to_low_power(sequence: _Sequence, held_s: float) -> bool:
    """A module that was up already goes down first: in its own time and not in tMgmtInit.

    ``held_s``: when LPMode was asserted.
    """
    module = sequence.module
    allowed_s = _allowed(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit", "MaxDurationModulePwrDn")
    if not information.get_int(module.registers, "LowPwrAllowRequestHW"):
        held_s = sequence.clock.now_s()
        module.set_low_power(True)  # an earlier host took LPMode's effect away
    return sequence.run(
        "back_to_low_power",
        _where("ModuleState"),
        ModuleState.ModuleLowPwr.name,
        lambda: _module_state_seen(module, module.module_state(), ModuleState.ModuleLowPwr),
        allowed_s=allowed_s,
        since_s=held_s,
        explanation=(
            "The module was up before it was to wait in low power. The limit is the sum of "
            f"{_where('MaxDurationDPTxTurnOff')}, {_where('MaxDurationDPDeinit')} and "
            f"{_where('MaxDurationModulePwrDn')}."
        ),
    )


def _hold_data_paths(sequence: _Sequence) -> bool:
    # With the default 0 every data path would initialise by itself as soon as the module is ready.
    module = sequence.module

    def hold() -> str:
        module.set_low_power(True)
        module.set_and_verify("DPDeinit", lane_bits(_ALL_LANES))
        return "FFh"

    return sequence.do(
        "hold_data_paths",
        _where("DPDeinit"),
        "FFh",
        hold,
        lanes=_ALL_LANES,
        explanation="Keeps the default application from initialising before another one is selected.",
    )


def _select_application(sequence: _Sequence, media_interface: str) -> bool:
    module = sequence.module
    start_s = sequence.clock.now_s()
    applications = module.applications()
    chosen = next((item for item in applications if item.media_interface == media_interface), None)
    advertised = ", ".join(f"{item.app_sel}: {item.media_interface}" for item in applications) or "none"
    starts = _starts(chosen) if chosen else ()

    def advertised_as_wanted() -> _Seen:
        if chosen is None:
            return _Seen(False, advertised, explanation="The module does not advertise this application.")
        if not starts:
            text = (
                f"AppSel {chosen.app_sel} with {chosen.host_lanes} host lanes from {chosen.host_lane_starts}"
            )
            return _Seen(
                False, text, explanation="Its descriptor gives no host lanes that a data path could have."
            )
        return _Seen(True, f"AppSel {chosen.app_sel}, {chosen.host_interface}")

    found = sequence.run(
        "find_application", "lower:86-117", media_interface, advertised_as_wanted, since_s=start_s
    )
    if not found or chosen is None:
        return False
    sequence.application = chosen
    sequence.host_lanes = tuple(lane for start in starts for lane in range(start, start + chosen.host_lanes))
    config = [0] * LANES
    for start in starts:
        for lane in range(start, start + chosen.host_lanes):
            config[lane - 1] = chosen.app_sel << 4 | (start - 1) << 1
    staged = tuple(config)

    def stage() -> str:
        module.set_and_verify("SCS0_DPConfig", staged)
        return bytes(staged).hex(" ")

    return sequence.do(
        "select_application",
        _where("SCS0_DPConfig"),
        bytes(staged).hex(" "),
        stage,
        lanes=sequence.host_lanes,
        explanation=f"AppSel {chosen.app_sel} is staged on host lanes {_lanes_text(sequence.host_lanes)}.",
    )


def _starts(application: Application) -> tuple[int, ...]:
    """First host lanes of as many data paths of this application as fit beside each other."""
    starts: list[int] = []
    free = 1
    for start in application.host_lane_starts:
        if application.host_lanes and start >= free and start + application.host_lanes - 1 <= LANES:
            starts.append(start)
            free = start + application.host_lanes
    return tuple(starts)


def _power_up(sequence: _Sequence) -> bool:
    module, pins = sequence.module, sequence.pins
    allowed_s = _allowed(module, "MaxDurationModulePwrUp")
    pins.set_low_power(asserted=False)
    module.set_low_power(False)
    if not sequence.run(
        "power_up",
        _where("ModuleState"),
        ModuleState.ModuleReady.name,
        lambda: _module_state_seen(module, module.module_state(), ModuleState.ModuleReady),
        allowed_s=allowed_s,
        explanation=f"The limit is what {_where('MaxDurationModulePwrUp')} advertises.",
    ):
        return False
    # ApplyDPInit is ignored without a word on lanes whose data path is on its way somewhere.
    return sequence.run(
        "data_paths_held",
        _where("DPStateHostLane"),
        f"{DataPathState.DPDeactivated.name} on host lanes {_lanes_text(sequence.host_lanes)}",
        lambda: _data_path_seen(module, sequence.host_lanes, DataPathState.DPDeactivated),
        allowed_s=_allowed(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit"),
        lanes=sequence.host_lanes,
        explanation=f"{_where('DPDeinit')} holds them deactivated.",
    )


class _ApplyEvidence:
    """Signs that ApplyDPInit was taken up. A module ignores it without a word on lanes that are on their way
    somewhere, and ConfigSuccess may be left over from an earlier command."""

    def __init__(self, module: CmisModule, lanes: tuple[int, ...]) -> None:
        self._module = module
        self._unmoved = lanes
        self.status_before = module.config_status()
        self._settings_before = self._settings()

    def lanes_without(self, status: tuple[ConfigStatus, ...]) -> tuple[int, ...]:
        """Lanes that have shown nothing so far: no ConfigInProgress, and no change of status, active settings
        or DPInitPending."""
        if self._unmoved:
            settings = self._settings()
            self._unmoved = tuple(
                lane
                for lane in self._unmoved
                if status[lane - 1] != ConfigStatus.ConfigInProgress
                and status[lane - 1] == self.status_before[lane - 1]
                and settings[lane - 1] == self._settings_before[lane - 1]
            )
        return self._unmoved

    def _settings(self) -> tuple[tuple[int, bool], ...]:
        """Active configuration and DPInitPending of each lane."""
        registers = self._module.registers
        active = information.get_codes(registers, "ACS_DPConfig")
        pending = information.lanes_set(registers, "DPInitPending")
        return tuple((code, lane in pending) for lane, code in enumerate(active, start=1))


def _apply(sequence: _Sequence) -> bool:
    module, lanes = sequence.module, sequence.host_lanes
    allowed_s = max(CONFIG_STATUS_S, _allowed(module, "MaxDurationDPInit"))
    staged = information.get_codes(module.registers, "SCS0_DPConfig")
    evidence = _ApplyEvidence(module, lanes)
    before = evidence.status_before
    start_s = sequence.clock.now_s()
    module.set("ApplyDPInit", lane_bits(lanes))

    def answered() -> _Seen:
        status = module.config_status()
        unmoved = evidence.lanes_without(status)
        waiting = tuple(lane for lane in lanes if status[lane - 1] is ConfigStatus.ConfigInProgress)
        refused = tuple(
            lane
            for lane in lanes
            if status[lane - 1] not in (ConfigStatus.ConfigInProgress, ConfigStatus.ConfigSuccess)
        )
        if refused:
            reasons = dict.fromkeys(status[lane - 1].explanation for lane in refused)
            return _Seen(
                False,
                _by_lane({lane: status[lane - 1].name for lane in refused}),
                refused,
                f"The module says: {'; '.join(reasons)}.",
                # What is as it was before may still change when the command is taken up.
                hopeless=any(
                    status[lane - 1] not in (before[lane - 1], ConfigStatus.ConfigUndefined)
                    for lane in refused
                ),
            )
        if waiting:
            found = _by_lane(dict.fromkeys(waiting, ConfigStatus.ConfigInProgress.name))
            return _Seen(False, found, waiting, "The command has not ended.")
        if unmoved and sequence.clock.now_s() - start_s < EVIDENCE_S:
            return _Seen(False, ConfigStatus.ConfigSuccess.name, unmoved)
        if unmoved:
            text = (
                "Not shown: nothing changed after ApplyDPInit was written on host lanes "
                f"{_lanes_text(unmoved)}. {_where('ConfigStatus')} and {_where('ACS_DPConfig')} stayed as "
                f"they were, and neither ConfigInProgress nor {_where('DPInitPending')} was seen."
            )
            return _Seen(True, ConfigStatus.ConfigSuccess.name, explanation=text, measured=False)
        return _Seen(True, ConfigStatus.ConfigSuccess.name)

    def in_force() -> _Seen:
        active = information.get_codes(module.registers, "ACS_DPConfig")
        other = {lane: f"{active[lane - 1]:02X}h" for lane in lanes if active[lane - 1] != staged[lane - 1]}
        if other:
            return _Seen(
                False,
                _by_lane(other),
                tuple(other),
                "ConfigStatus says success, yet the staged settings were not taken over: "
                "the trigger was ignored.",
            )
        return _Seen(True, "as staged")

    if not sequence.run(
        "apply_configuration",
        _where("ConfigStatus"),
        f"{ConfigStatus.ConfigSuccess.name} on host lanes {_lanes_text(lanes)}",
        answered,
        allowed_s=allowed_s,
        since_s=start_s,
        lanes=lanes,
        explanation="ApplyDPInit was written; one result is due for all lanes of a data path.",
    ):
        return False
    return sequence.run(
        "configuration_in_force",
        _where("ACS_DPConfig"),
        bytes(staged[lane - 1] for lane in lanes).hex(" "),
        in_force,
        allowed_s=WRITE_HOLD_OFF_S,
        lanes=lanes,
    )


def _activate(sequence: _Sequence) -> bool:
    module, lanes = sequence.module, sequence.host_lanes
    allowed_s = _allowed(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn")
    module.set_and_verify("OutputSquelchForceTx", lane_bits(()))
    module.set_output_disable_tx(())
    module.set_and_verify("DPDeinit", lane_bits(set(_ALL_LANES) - set(lanes)))
    return sequence.run(
        "activate_data_paths",
        _where("DPStateHostLane"),
        f"{DataPathState.DPActivated.name} on host lanes {_lanes_text(lanes)}",
        lambda: _data_path_seen(module, lanes, DataPathState.DPActivated),
        allowed_s=allowed_s,
        lanes=lanes,
        explanation=(
            f"The limit is {_where('MaxDurationDPInit')} and {_where('MaxDurationDPTxTurnOn')} together."
        ),
    )


def _allowed(module: CmisModule, *names: str) -> float:
    return max(WRITE_HOLD_OFF_S, sum(module.duration_s(name) for name in names))


def _module_state_seen(module: CmisModule, state: ModuleState, wanted: ModuleState) -> _Seen:
    if state is ModuleState.ModuleFault:
        cause = information.get_int(module.registers, "ModuleFaultCause")
        text = (
            f"Cause given by the module: {codes.meaning('fault_cause', cause)}. Only a reset leads out of it."
        )
        return _Seen(False, state.name, explanation=text, hopeless=True)
    return _Seen(state is wanted, state.name)


def _data_path_seen(module: CmisModule, lanes: tuple[int, ...], wanted: DataPathState) -> _Seen:
    states = module.data_path_states()
    others = {lane: states[lane - 1].name for lane in lanes if states[lane - 1] is not wanted}
    if not others:
        return _Seen(True, wanted.name)
    module_state = module.module_state()
    if module_state is not ModuleState.ModuleReady:
        seen = _module_state_seen(module, module_state, ModuleState.ModuleReady)
        text = f"The module itself is in {module_state.name}. {seen.explanation}".strip()
        return _Seen(False, _by_lane(others), tuple(others), text, seen.hopeless)
    return _Seen(False, _by_lane(others), tuple(others))


def _where(name: str) -> str:
    return f"{FIELDS[name].where} {name}"


def _lanes_text(lanes: Collection[int]) -> str:
    """``1-8``, ``1, 3-4``."""
    ordered = sorted(lanes)
    runs: list[list[int]] = []
    for lane in ordered:
        if runs and lane == runs[-1][-1] + 1:
            runs[-1].append(lane)
        else:
            runs.append([lane])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _by_lane(found: dict[int, str]) -> str:
    """``DPInit on host lanes 3-4; DPDeactivated on host lane 7``."""
    groups: dict[str, list[int]] = {}
    for lane, text in found.items():
        groups.setdefault(text, []).append(lane)
    return "; ".join(
        f"{text} on host lane{'s' * (len(lanes) > 1)} {_lanes_text(lanes)}" for text, lanes in groups.items()
    )
