"""Reset by ResetL and by SoftwareReset: how soon the module answers, and what it has forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.clock import polls
from drivers.cmis import information
from drivers.cmis.codes import ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.states import MGMT_INIT_S, RESET_PULSE_S, software_reset
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, then_brought_up_anew
from harness.run import Run

_POLL_S = 0.02
_DEFAULTS = {  # volatile controls and what they are after a reset (page 10h, lower:26, lower:31)
    "DPDeinit": (False,) * 8,
    "OutputDisableTx": (False,) * 8,
    "LowPwrAllowRequestHW": 1,
    "LowPwrRequestSW": 0,
    "ModuleStateChangedMask": 0,
}


def cmis_reset(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Both resets, with LPMode asserted so that the module waits in ModuleLowPwr, then a bring-up.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_reset")
    run.require_module_up()
    with then_brought_up_anew(run):
        _hardware(checks)
        _software(checks)
    return checks.acquired(reset_pulse_s=RESET_PULSE_S)


def _hardware(checks: Checks) -> None:
    run = checks.run
    module, pins, clock = run.module, run.bench.host_board.pins, run.bench.clock
    names = ("reset_silences", "reset_low_power", "reset_defaults", "reset_page_select", "reset_flag")
    with checks.about("management_init_share", *names):
        module.set("ModuleStateChangedMask", 1)
        module.set("OutputDisableTx", (True,) * 8)
        pins.set_low_power(asserted=True)
        pins.set_reset(asserted=True)
        try:
            clock.sleep(RESET_PULSE_S)
            module.forget_page()
            silent = _is_silent(run)
        finally:
            pins.set_reset(asserted=False)
        start_s = clock.now_s()
        checks.say(
            "reset_silences",
            silent,
            "the interface is silent while ResetL is low" if silent else "it answers in reset",
        )
        answered_s = _answered_s(run, start_s)
        if answered_s is None:
            raise CmisError(f"no answer within {3 * MGMT_INIT_S:g} s of ResetL")
        ready_s = None
        for _ in polls(clock, start_s + 3 * MGMT_INIT_S, _POLL_S):
            if module.module_state() is ModuleState.ModuleLowPwr:
                ready_s = clock.now_s() - start_s
                break
        # The look before had missed it, and the memory itself waits a hold-off for each answer.
        interval_s = _POLL_S + 0.012
        late_s = ready_s if ready_s is not None else answered_s
        checks.number(
            "management_init_share",
            100.0 * late_s / MGMT_INIT_S,
            "%",
            100.0 * interval_s / MGMT_INIT_S,
            answered_s=answered_s,
        )
        state = module.module_state()
        checks.say(
            "reset_low_power", state is ModuleState.ModuleLowPwr, f"with LPMode asserted: {state.name}"
        )
        selected = module.memory.read(0, 0, 126, 2)
        checks.say("reset_page_select", selected == b"\0\0", f"lower:126-127 read {selected.hex(' ')}")
        raised = "ModuleStateChangedFlag" in module.flags().module
        checks.say("reset_flag", raised, f"{where('ModuleStateChangedFlag')} after the reset: {int(raised)}")
        _defaults(checks)


def _defaults(checks: Checks) -> None:
    module = checks.run.module
    wrong = []
    for name, value in _DEFAULTS.items():
        found = module.get(name)
        if found != value:
            wrong.append(f"{where(name)} reads {found!r}, not {value!r}")
    applications = module.applications()
    staged = information.get_codes(module.registers, "SCS0_DPConfig")
    if applications and staged[0] >> 4 not in {0, *(item.app_sel for item in applications)}:
        wrong.append(f"10h:145 stages AppSel {staged[0] >> 4}, which is not advertised")
    checks.say(
        "reset_defaults",
        not wrong,
        "; ".join(wrong) or f"{', '.join(map(where, _DEFAULTS))} are at their defaults",
    )


def _software(checks: Checks) -> None:
    run = checks.run
    module = run.module
    with checks.about("software_reset", "software_reset_defaults"):
        module.set("OutputDisableTx", (True,) * 8)
        wait = software_reset(module)
        checks.say(
            "software_reset",
            wait.reached and wait.elapsed_s <= MGMT_INIT_S + _POLL_S,
            f"after SoftwareReset (lower:26.3): {wait.found} after {wait.elapsed_s:.2f} s; "
            f"{wait.explanation}",
        )
        left = information.lanes_set(module.registers, "OutputDisableTx")
        checks.say(
            "software_reset_defaults", not left, f"OutputDisableTx (10h:130) after it: lanes {left or 'none'}"
        )


def _is_silent(run: Run) -> bool:
    try:
        run.module.memory.read(0, 0, 3, 1)
    except CmisError:
        return True
    return False


def _answered_s(run: Run, start_s: float) -> float | None:
    clock = run.bench.clock
    for _ in polls(clock, start_s + 3 * MGMT_INIT_S, _POLL_S):
        run.module.forget_page()
        if not _is_silent(run):
            return clock.now_s() - start_s
    return None
