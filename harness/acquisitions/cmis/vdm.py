"""Versatile diagnostics monitoring: what is advertised, its thresholds, freezing, and whether samples are
renewed (OIF-CMIS-05.4 §8.24, pages 20h to 2Fh)."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.diagnostics import Diagnostics, Loopback
from drivers.cmis.errors import NotAdvertisedError
from drivers.cmis.vdm import read_vdm
from drivers.cmis.vdm.freeze import T_VDMF_S, VdmFreezer
from drivers.cmis.vdm.observables import OBSERVABLES
from drivers.cmis.vdm.readings import VdmInstance, VdmReading, advertised, support
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, module_kept_up
from harness.run import Run

_ALL = ("vdm_descriptors", "vdm_thresholds", "vdm_values", "vdm_samples_renewed", "vdm_masks")
_FROZEN = ("vdm_freeze", "vdm_unfreeze", "vdm_frozen_statistics")
_RENEWED_S = 3.0
_PAUSE_S = 0.5
_SLACK_S = 0.005  # of a look over the bus


def cmis_vdm(run: Run, lanes: Sequence[int]) -> Acquired:
    """Read twice, with the receivers fed by the module's own output meanwhile, and frozen once.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_vdm")
    registers = run.module.registers
    with module_kept_up(run), checks.about(*_ALL, *_FROZEN):
        offered = support(registers)
        if not offered.supported:
            checks.leave(offered.reason, *_ALL, *_FROZEN)
        else:
            instances = advertised(registers)
            checks.data["groups"], checks.data["instances"] = offered.groups, len(instances)
            _described(checks, instances)
            _renewed(checks, instances, lanes)
            _masks(checks)
            _frozen(checks, instances)
    return checks.acquired()


def _described(checks: Checks, instances: Sequence[VdmInstance]) -> None:
    wrong = [f"instance {item.number}: {note}" for item in instances for note in item.notes]
    checks.say(
        "vdm_descriptors",
        bool(instances) and not wrong,
        "; ".join(wrong)
        or f"{len(instances)} instances of {len({item.observable.name for item in instances})} observables",
    )


def _renewed(checks: Checks, instances: Sequence[VdmInstance], lanes: Sequence[int]) -> None:
    run = checks.run
    registers, clock = run.module.registers, run.bench.clock
    before = read_vdm(registers, instances=instances)
    unordered = [text for reading in before if (text := _unordered(reading))]
    checks.say(
        "vdm_thresholds", not unordered, "; ".join(dict.fromkeys(unordered)) or "in order where they are set"
    )
    strange = [
        reading.reason
        for reading in before
        if reading.reason and not reading.beyond_range and reading.instance.observable.type_id in OBSERVABLES
    ]
    checks.say("vdm_values", not strange, "; ".join(strange) or f"{len(before)} samples are possible values")
    diagnostics = Diagnostics(run.module)
    looped = False
    try:
        looped = Loopback.MEDIA_OUTPUT in diagnostics.capabilities.loopbacks
        if looped:
            diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, lanes)
    except NotAdvertisedError:
        looped = False
    try:
        clock.sleep(_RENEWED_S)
        after = read_vdm(registers, instances=instances, thresholds=False)
    finally:
        if looped:
            diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, lanes, on=False)
    moved = [new.instance.number for old, new in zip(before, after, strict=True) if old.raw != new.raw]
    checks.data["moved"] = len(moved)
    how = "with the receivers on the module's own output" if looped else "with nothing changed"
    if not moved and not looped:
        reason = f"no sample moved within {_RENEWED_S:g} s and nothing could be changed: renewal is not shown"
        checks.leave(reason, "vdm_samples_renewed")
    checks.say(
        "vdm_samples_renewed",
        bool(moved),
        f"{len(moved)} of {len(after)} samples moved within {_RENEWED_S:g} s, {how}",
    )


def _unordered(reading: VdmReading) -> str:
    limits = reading.thresholds
    if limits is None:
        return ""
    # Limits that are not used are 0, or the largest number; pairs may coincide there.
    if limits.problem or limits.low_alarm <= limits.low_warning <= limits.high_warning <= limits.high_alarm:
        return ""
    return (
        f"{reading.instance.label}: low alarm {limits.low_alarm:g}, low warning "
        f"{limits.low_warning:g}, high warning "
        f"{limits.high_warning:g}, high alarm {limits.high_alarm:g}"
    )


def _masks(checks: Checks) -> None:
    """Masks of VDM's flags can be written (page 2Dh)."""
    memory = checks.run.module.memory
    found = memory.read(0, 0x2D, 128, 1)
    other = bytes([found[0] ^ 0x0F])
    memory.write(0, 0x2D, 128, other)
    now = memory.read(0, 0x2D, 128, 1)
    memory.write(0, 0x2D, 128, found)
    checks.say("vdm_masks", now == other, f"2Dh:128 reads {now.hex()}h after {other.hex()}h was written")


def _frozen(checks: Checks, instances: Sequence[VdmInstance]) -> None:
    run = checks.run
    statistics = [item for item in instances if item.observable.statistic]
    if not statistics:
        checks.leave(
            "the module advertises no minimum, maximum or average: there is nothing to freeze", *_FROZEN
        )
        return
    freezer = VdmFreezer(run.module)
    try:
        freeze = freezer.freeze()
        first = read_vdm(run.module.registers, instances=statistics, thresholds=False)
        run.bench.clock.sleep(_PAUSE_S)
        second = read_vdm(run.module.registers, instances=statistics, thresholds=False)
    finally:
        released_s = freezer.unfreeze()
    _say_done(checks, "vdm_freeze", "VDMFreezeDone", freeze.elapsed_s)
    _say_done(checks, "vdm_unfreeze", "VDMUnfreezeDone", released_s)
    moved = [new.instance.number for old, new in zip(first, second, strict=True) if old.raw != new.raw]
    checks.say(
        "vdm_frozen_statistics",
        not moved,
        f"statistics that moved while frozen, within {_PAUSE_S:g} s: instances {moved or 'none'}",
    )


def _say_done(checks: Checks, parameter: str, done: str, elapsed_s: float | None) -> None:
    if elapsed_s is None:
        checks.leave(
            f"{where(done)} was 1 before the request and stayed so: it does not tell when", parameter
        )
        return
    checks.say(
        parameter,
        elapsed_s <= T_VDMF_S + _SLACK_S,
        f"{where(done)} {elapsed_s * 1e3:.1f} ms after the request; tVDMF allows {T_VDMF_S * 1e3:g} ms",
    )


__all__ = ["cmis_vdm"]
