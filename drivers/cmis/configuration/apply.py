"""Applying a staged control set, and finding out what the module made of it.

A module ignores a trigger without a word on lanes that are on their way somewhere, and a result may be left
over from an earlier command. So signs are looked for that the trigger was taken up: ConfigInProgress, or a
change of ConfigStatus, of the active settings or of DPInitPending.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.codes import ConfigStatus
from drivers.cmis.configuration.control_sets import staged_name, trigger_name
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.states import Look, Wait, advertised_s, watch
from drivers.cmis.wording import by_lane, host_lanes, where

CONFIG_STATUS_S = 1.0
"""Allowed from a trigger to a result. CMIS gives no limit of its own [uncertain]; the advertised
MaxDurationDPInit is used where it is longer."""
EVIDENCE_S = 0.05
"""How long a sign of the trigger is looked for: five times what a module may hold off before it acts."""

REPEATED_REJECTION_S = 0.5
"""How long a sign of the trigger is looked for while ConfigStatus shows an earlier command's rejection."""

_DONE = ConfigStatus.ConfigSuccess
_BUSY = ConfigStatus.ConfigInProgress

ADVICE: Mapping[int, str] = {
    ConfigStatus.ConfigUndefined: (
        "The module shows no result for a command it was given: the trigger was ignored, or it does not "
        "implement ConfigStatus."
    ),
    ConfigStatus.ConfigRejected: "Try one data path at a time, and compare what is staged with lower:86-117.",
    ConfigStatus.ConfigRejectedInvalidAppSel: (
        "Compare the AppSel code with the applications of lower:86-117 and 01h:223-250."
    ),
    ConfigStatus.ConfigRejectedInvalidDataPath: (
        "Compare DataPathID and lanes with the lane assignment options (byte 4 of the application's "
        "descriptor, 01h:176-190)."
    ),
    ConfigStatus.ConfigRejectedInvalidSI: (
        "Compare the settings with 01h:153-154 and 01h:161-162, or clear ExplicitControl."
    ),
    ConfigStatus.ConfigRejectedLanesInUse: (
        "Deactivate (DPDeinit) and free the data path that has these lanes now, 11h:206-213, all its lanes "
        "together."
    ),
    ConfigStatus.ConfigRejectedPartialDataPath: (
        "Stage and trigger all host lanes of the data path together."
    ),
    ConfigStatus.ConfigRejectedNoEmulation: "Deactivate the data path (DPDeinit) before it is configured.",
    ConfigStatus.ConfigInProgress: (
        "The module has not ended the command and ignores further ones on these lanes meanwhile. Reset it "
        "(ResetL, or SoftwareReset lower:26.3); if that comes back, it is a fault of its firmware."
    ),
}
"""What to do about a result, by code. Vendor-specific codes have none."""


SAME_REJECTION = "The same rejection as before; nothing shows that the trigger was taken up."


def status_text(status: ConfigStatus) -> str:
    """A result in words, with what to do about it."""
    text = f"{status.explanation[:1].upper()}{status.explanation[1:]}."
    return f"{text} {ADVICE.get(status, 'Ask the vendor what the code means.')}" if status != _DONE else text


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a trigger. ``wait``: as a whole; ``status``: last ConfigStatus of the 8 host lanes;
    ``unshown``: lanes with success of which nothing showed that the module took up the trigger;
    ``pending``: lanes on which DPInitPending was seen; ``repeated``: lanes with the same rejection as before,
    of which nothing showed that the module took up the trigger."""

    wait: Wait
    status: tuple[ConfigStatus, ...]
    unshown: tuple[int, ...]
    pending: tuple[int, ...]
    repeated: tuple[int, ...] = ()


class _Evidence:
    """Signs that a trigger was taken up."""

    def __init__(self, module: CmisModule, lanes: tuple[int, ...], bank: int) -> None:
        self._module = module
        self._bank = bank
        self._lanes = lanes
        self.unmoved = lanes
        self.pending: set[int] = set()
        self.status_before = module.config_status(bank)
        self._settings_before = self._settings()

    def look(self, status: tuple[ConfigStatus, ...]) -> None:
        """Take note of what is seen now."""
        if not self.unmoved and self.pending.issuperset(self._lanes):
            return
        settings = self._settings()
        self.pending |= {lane for lane in self._lanes if settings[lane - 1][1]}
        self.unmoved = tuple(
            lane
            for lane in self.unmoved
            if status[lane - 1] is not _BUSY
            and status[lane - 1] == self.status_before[lane - 1]
            and settings[lane - 1] == self._settings_before[lane - 1]
        )

    def _settings(self) -> tuple[tuple[int, bool], ...]:
        """Active configuration and DPInitPending of each lane."""
        registers = self._module.registers
        active = information.get_codes(registers, "ACS_DPConfig", self._bank)
        pending = information.lanes_set(registers, "DPInitPending", self._bank)
        return tuple((code, lane in pending) for lane, code in enumerate(active, start=1))


def config_limit_s(module: CmisModule) -> float:
    """Allowed from a trigger to its result.

    :raises CmisError: when the advertised duration cannot be read.
    """
    return max(CONFIG_STATUS_S, advertised_s(module, "MaxDurationDPInit"))


def apply(
    module: CmisModule,
    lanes: Collection[int],
    *,
    control_set: int = 0,
    immediate: bool = False,
    bank: int = 0,
) -> Applied:
    """Write ApplyDPInit or ApplyImmediate of a staged control set for these host lanes, in one byte, and wait
    for ConfigStatus of each to become final.

    :raises CmisError: when the module does not answer before the wait begins.
    :raises BenchError: when the bench is at fault.
    """
    clock = module.clock
    ordered = tuple(sorted(lanes))
    trigger = trigger_name(control_set, immediate=immediate)
    allowed_s = config_limit_s(module)
    evidence = _Evidence(module, ordered, bank)
    before = status = evidence.status_before
    start_s = clock.now_s()
    module.set(trigger, lane_bits(ordered), bank)

    def answered() -> Look:
        nonlocal status
        status = module.config_status(bank)
        evidence.look(status)
        waiting = tuple(lane for lane in ordered if status[lane - 1] is _BUSY)
        refused = tuple(lane for lane in ordered if status[lane - 1] not in (_BUSY, _DONE))
        if refused:
            reasons = dict.fromkeys(status[lane - 1].explanation for lane in refused)
            # What is as it was before may still change when the command is taken up: wait a little for that.
            repeated = all(
                lane in evidence.unmoved and status[lane - 1] == before[lane - 1] for lane in refused
            )
            over = not repeated or clock.now_s() - start_s >= REPEATED_REJECTION_S
            final = over and all(status[lane - 1] is not ConfigStatus.ConfigUndefined for lane in refused)
            wrong = {lane: status[lane - 1].name for lane in (*refused, *waiting)}
            return Look(
                False,
                by_lane(wrong),
                tuple(sorted(wrong)),
                f"The module says: {'; '.join(reasons)}.{f' {SAME_REJECTION}' * repeated}",
                hopeless=final and not waiting,
            )
        if waiting:
            return Look(
                False, by_lane(dict.fromkeys(waiting, _BUSY.name)), waiting, "The command has not ended."
            )
        if evidence.unmoved and clock.now_s() - start_s < EVIDENCE_S:
            return Look(False, _DONE.name, evidence.unmoved)
        if evidence.unmoved:
            text = (
                f"Not shown: nothing changed after {trigger} was written on {host_lanes(evidence.unmoved)}. "
                f"{where('ConfigStatus')} and {where('ACS_DPConfig')} stayed as they were, and neither "
                f"ConfigInProgress nor {where('DPInitPending')} was seen."
            )
            return Look(True, _DONE.name, explanation=text, measured=False)
        return Look(True, _DONE.name)

    wait = watch(
        clock,
        answered,
        register=where("ConfigStatus"),
        expected=f"{_DONE.name} on {host_lanes(ordered)}",
        allowed_s=allowed_s,
        since_s=start_s,
        lanes=ordered,
        explanation=f"{trigger} was written; one result is due for all lanes of a data path.",
    )
    unshown = tuple(lane for lane in evidence.unmoved if status[lane - 1] is _DONE)
    repeated = tuple(
        lane
        for lane in evidence.unmoved
        if status[lane - 1] not in (_DONE, _BUSY, ConfigStatus.ConfigUndefined)
    )
    return Applied(wait, status, unshown, tuple(sorted(evidence.pending)), repeated)


def wait_until_in_force(
    module: CmisModule, lanes: Collection[int], *, control_set: int = 0, bank: int = 0
) -> Wait:
    """Check that the Active Control Set of these host lanes has become what is staged (within tWRITE).

    :raises CmisError: when what is staged cannot be read.
    """
    ordered = tuple(sorted(lanes))
    staged = information.get_codes(module.registers, staged_name(control_set, "DPConfig"), bank)

    def in_force() -> Look:
        active = information.get_codes(module.registers, "ACS_DPConfig", bank)
        other = {lane: f"{active[lane - 1]:02X}h" for lane in ordered if active[lane - 1] != staged[lane - 1]}
        if other:
            return Look(
                False,
                by_lane(other),
                tuple(other),
                "ConfigStatus says success, yet the staged settings were not taken over: "
                "the trigger was ignored.",
            )
        return Look(True, "as staged")

    return watch(
        module.clock,
        in_force,
        register=where("ACS_DPConfig"),
        expected=bytes(staged[lane - 1] for lane in ordered).hex(" "),
        allowed_s=WRITE_HOLD_OFF_S,
        lanes=ordered,
    )


__all__ = [
    "ADVICE",
    "CONFIG_STATUS_S",
    "EVIDENCE_S",
    "REPEATED_REJECTION_S",
    "SAME_REJECTION",
    "Applied",
    "apply",
    "config_limit_s",
    "status_text",
    "wait_until_in_force",
]
