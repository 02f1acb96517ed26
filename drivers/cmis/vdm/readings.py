"""VDM's descriptors, samples, flags and masks: what :mod:`drivers.cmis.vdm` offers, without freezing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.cmis import information
from drivers.cmis.errors import (
    NotAdvertisedError,
    PageUnavailableError,
    WriteNotTakenError,
)
from drivers.cmis.fields import LANES, ReadableImage
from drivers.cmis.information import Thresholds
from drivers.cmis.monitors import state_of
from drivers.cmis.pages.vdm import GROUPS, INSTANCES_PER_GROUP
from drivers.cmis.ports import bus_held
from drivers.cmis.vdm.observables import OBSERVABLES, UNUSED, Observable, observable
from drivers.cmis.wording import where

if TYPE_CHECKING:
    from drivers.cmis.module import CmisModule


SIDES = ("high alarm", "low alarm", "high warning", "low warning")
"""Kinds of limits, in the order of thresholds in memory and of bits of a flag's nibble, bit 0 first."""

_FIRST_BYTE = 128
_SAMPLES, _THRESHOLDS = 0x23, 0x27  # of group 0, which there is not: the first is on the next page
_FLAGS, _MASKS = 0x2C, 0x2D
_SET_BYTES = 8
_NIBBLE_BYTES = INSTANCES_PER_GROUP // 2
_NO_LANE = 15  # in a descriptor: of the module, or of a whole data path


@dataclass(frozen=True, slots=True)
class VdmSupport:
    """Whether a module has VDM. ``reason``: why not; ``groups``: 1..4, 0 without it; ``fine_interval_s``:
    over which statistics take their samples, None where it is not given."""

    supported: bool
    reason: str
    groups: int = 0
    fine_interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class VdmInstance:
    """One advertised instance.

    ``number``: 1..256, over all groups; ``group``: 1..4; ``lane``: 1..8 within the bank, None when it is of
    the module or of a data path as a whole (for a data path, the lane is its first one); ``threshold_set``:
    0..15 within the group. ``notes``: what is wrong with the descriptor.
    """

    number: int
    bank: int
    group: int
    observable: Observable
    lane: int | None
    threshold_set: int
    notes: tuple[str, ...] = ()

    @property
    def index(self) -> int:
        """0..63 within the group."""
        return (self.number - 1) % INSTANCES_PER_GROUP

    @property
    def register(self) -> str:
        """Where its sample is: ``24h:128-129``."""
        byte = _FIRST_BYTE + 2 * self.index
        return f"{_SAMPLES + self.group:02X}h:{byte}-{byte + 1}"

    @property
    def label(self) -> str:
        """In words, for people: ``electrical SNR, media input, lane 1``."""
        if self.lane is None:
            return self.observable.name
        whose = "data path of lane" if self.observable.scope == "data path" else "lane"
        return f"{self.observable.name}, {whose} {self.lane}"


@dataclass(frozen=True, slots=True)
class VdmFlag:
    """Limits that one instance was beyond since its flags were last read. ``sides``: of :data:`SIDES`."""

    instance: VdmInstance
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VdmReading:
    """One sample. ``raw``: its 16 bits; ``value``: in ``unit``, None when there is none. ``reason``: why
    there is no value, or why it is not ``valid``. ``thresholds``: None where they were not asked for or
    could not be read; ``flags``: of :data:`SIDES`, None where they were not asked for."""

    instance: VdmInstance
    raw: int | None
    value: float | None
    unit: str
    thresholds: Thresholds | None = None
    flags: tuple[str, ...] | None = None
    reason: str = ""

    @property
    def beyond_range(self) -> bool:
        """Whether the module says that the value is beyond the register's range: an LTP without any sample
        between the levels."""
        return self.raw is not None and self.raw == self.instance.observable.none_raw

    @property
    def valid(self) -> bool:
        """Whether the value means something."""
        return self.value is not None and not self.reason

    @property
    def state(self) -> str:
        """``ok``, ``warning``, ``alarm``, ``no thresholds`` or ``no value``: the value against its limits."""
        if not self.valid or self.value is None:
            return "no value"
        return state_of(self.value, self.thresholds)


def support(source: ReadableImage, bank: int = 0) -> VdmSupport:
    """Whether the module advertises VDM (01h:142.6), and how much of it (2Fh:128-130).

    Pages 20h to 2Fh are looked at only if it does: a module without them may show page 00h in their place.

    :raises CmisError: when the advertisement cannot be read.
    """
    if information.get_int(source, "MemoryModel"):
        return VdmSupport(False, "the module's memory is flat (lower:2.7): it has no VDM pages")
    if not information.get_int(source, "VDMPagesSupported"):
        return VdmSupport(False, f"the module does not advertise VDM ({where('VDMPagesSupported')} is 0)")
    groups = information.get_int(source, "VDMGroupsSupported", bank) + 1
    interval_s = information.get_float(source, "VDMFineIntervalLength", bank)
    return VdmSupport(True, "", groups, interval_s or None)


def advertised(source: ReadableImage, bank: int = 0) -> tuple[VdmInstance, ...]:
    """Instances that the descriptors of all supported groups describe; none where :func:`support` says so.

    :raises CmisError: when the pages cannot be read.
    """
    found = []
    for group in GROUPS[: support(source, bank).groups]:
        descriptors = information.get_codes(source, f"VDMDescriptorsGroup{group}", bank)
        for index, descriptor in enumerate(descriptors):
            if descriptor & 0xFF != UNUSED:
                found.append(_instance(descriptor, bank, group, index))
    return tuple(found)


def _instance(descriptor: int, bank: int, group: int, index: int) -> VdmInstance:
    of_type = observable(descriptor & 0xFF)
    resource = descriptor >> 8 & 0xF
    notes = []
    if LANES <= resource < _NO_LANE:
        notes.append(f"the descriptor names lane {resource + 1}; a bank has {LANES}")
    if resource == _NO_LANE and of_type.scope == "lane":
        notes.append("the descriptor names no lane, though this is observed lane by lane")
    if of_type.type_id not in OBSERVABLES:
        notes.append(f"type {of_type.type_id} is not known: the sample is given as it is")
    return VdmInstance(
        number=(group - 1) * INSTANCES_PER_GROUP + index + 1,
        bank=bank,
        group=group,
        observable=of_type,
        lane=None if resource == _NO_LANE else resource + 1,
        threshold_set=descriptor >> 12,
        notes=tuple(notes),
    )


def read_vdm(
    source: ReadableImage,
    bank: int = 0,
    *,
    statistics: bool | None = None,
    thresholds: bool = True,
    flags: bool = False,
    instances: Sequence[VdmInstance] | None = None,
) -> tuple[VdmReading, ...]:
    """Samples of the advertised instances, as they are now: nothing is frozen here.

    ``statistics``: only statistics (True), all but these (False), or all (None). ``flags``: read the latched
    flags too, which clears all those of the groups concerned. ``instances``: of an earlier
    :func:`advertised`, so that a poll need not read descriptors again; their banks count, not ``bank``.
    Of each page no more is read than is used. A page that is missing leaves its values or thresholds None.

    :raises CmisError: when the module cannot be read.
    """
    wanted = [
        instance
        for instance in (advertised(source, bank) if instances is None else instances)
        if statistics is None or instance.observable.statistic is statistics
    ]
    raised = {}
    if flags:
        raised = {flag.instance: flag.sides for flag in vdm_flags(source, bank, instances=wanted)}
    samples: dict[VdmInstance, int] = {}
    limits: dict[VdmInstance, Thresholds] = {}
    missing: dict[VdmInstance, str] = {}
    for members in _by_group(wanted).values():
        try:
            samples.update(_samples(source, members))
        except PageUnavailableError as error:
            missing.update(dict.fromkeys(members, str(error)))
        if thresholds:
            with suppress(PageUnavailableError):  # a value counts without them
                limits.update(_limits(source, members))
    return tuple(
        _reading(
            instance,
            samples.get(instance),
            limits.get(instance),
            raised.get(instance, ()) if flags else None,
            missing.get(instance, ""),
        )
        for instance in wanted
    )


def _by_group(instances: Collection[VdmInstance]) -> dict[tuple[int, int], list[VdmInstance]]:
    groups: dict[tuple[int, int], list[VdmInstance]] = {}
    for instance in instances:
        groups.setdefault((instance.bank, instance.group), []).append(instance)
    return groups


def _samples(source: ReadableImage, members: Sequence[VdmInstance]) -> dict[VdmInstance, int]:
    """Raw samples of instances of one group."""
    bank, group = members[0].bank, members[0].group
    first = min(member.index for member in members)
    last = max(member.index for member in members)
    data = source.get(bank, _SAMPLES + group, _FIRST_BYTE + 2 * first, 2 * (last - first + 1))
    return {member: _word(data, 2 * (member.index - first)) for member in members}


def _limits(source: ReadableImage, members: Sequence[VdmInstance]) -> dict[VdmInstance, Thresholds]:
    """Thresholds of instances of one group, in the unit of each."""
    bank, group = members[0].bank, members[0].group
    first = min(member.threshold_set for member in members)
    last = max(member.threshold_set for member in members)
    data = source.get(
        bank, _THRESHOLDS + group, _FIRST_BYTE + _SET_BYTES * first, _SET_BYTES * (last - first + 1)
    )
    return {
        member: Thresholds(
            *(
                member.observable.decode(_word(data, _SET_BYTES * (member.threshold_set - first) + 2 * side))
                for side in range(len(SIDES))
            )
        )
        for member in members
    }


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _reading(
    instance: VdmInstance,
    raw: int | None,
    thresholds: Thresholds | None,
    flags: tuple[str, ...] | None,
    missing: str,
) -> VdmReading:
    of_type = instance.observable
    value, reason = None, missing
    if raw is not None and raw == of_type.none_raw:
        reason = f"{instance.register} reads {raw:04X}h: beyond what the register can say"
    elif raw is not None:
        value = of_type.decode(raw)
        if of_type.is_ratio and value > 1.0:
            reason = f"{instance.register} reads {raw:04X}h, which is {value:g}: a ratio is at most 1"
    return VdmReading(instance, raw, value, of_type.unit, thresholds, flags, reason)


def vdm_flags(
    source: ReadableImage, bank: int = 0, *, instances: Sequence[VdmInstance] | None = None
) -> tuple[VdmFlag, ...]:
    """Instances with a latched flag. Reading clears the flags (page 2Ch), so each byte is read once, and only
    the part that belongs to ``instances``, by default all that are advertised.

    :raises CmisError: when the module cannot be read.
    """
    found = []
    for members in _by_group(advertised(source, bank) if instances is None else instances).values():
        nibbles = _read_nibbles(source, _FLAGS, members)
        found += [VdmFlag(member, _sides(nibbles[member])) for member in members if nibbles[member]]
    return tuple(found)


def read_vdm_masks(
    source: ReadableImage, bank: int = 0, *, instances: Sequence[VdmInstance] | None = None
) -> Mapping[int, tuple[str, ...]]:
    """By instance number, the sides (of :data:`SIDES`) whose flags do not interrupt (page 2Dh).

    :raises CmisError: when the module cannot be read.
    """
    found = {}
    for members in _by_group(advertised(source, bank) if instances is None else instances).values():
        nibbles = _read_nibbles(source, _MASKS, members)
        found.update({member.number: _sides(nibbles[member]) for member in members})
    return found


def set_vdm_masks(module: CmisModule, masks: Mapping[int, Collection[str]], bank: int = 0) -> None:
    """Mask exactly these sides (of :data:`SIDES`) of these instances (by number); others are left alone.

    Each byte is written by itself, with the other instance's half of it kept, and read back.

    :raises ValueError: for instances that are not 1..256, and sides that there are not.
    :raises NotAdvertisedError: when the module has no VDM, or fewer groups.
    :raises WriteNotTakenError: when a byte reads back something else.
    """
    unknown = sorted({side for sides in masks.values() for side in sides} - set(SIDES))
    if unknown:
        raise ValueError(f"sides are {', '.join(SIDES)}, not {', '.join(unknown)}")
    wrong = sorted(number for number in masks if not 1 <= number <= len(GROUPS) * INSTANCES_PER_GROUP)
    if wrong:
        raise ValueError(f"VDM instances are 1..256, not {wrong}")
    offered = support(module.registers, bank)
    if masks and max(masks) > offered.groups * INSTANCES_PER_GROUP:
        raise NotAdvertisedError(
            offered.reason
            or f"VDM instance {max(masks)}: the module has {offered.groups * INSTANCES_PER_GROUP} "
            f"({where('VDMGroupsSupported')})"
        )
    by_byte: dict[int, dict[int, int]] = {}
    for number, sides in masks.items():
        nibble = sum(1 << SIDES.index(side) for side in set(sides))
        by_byte.setdefault(_FIRST_BYTE + (number - 1) // 2, {})[4 * ((number - 1) % 2)] = nibble
    for byte, nibbles in by_byte.items():
        with bus_held(module.memory):
            wanted = module.memory.read(bank, _MASKS, byte, 1)[0]
            for shift, nibble in nibbles.items():
                wanted = wanted & ~(0xF << shift) & 0xFF | nibble << shift
            module.memory.write(bank, _MASKS, byte, bytes([wanted]))
            found = module.memory.read(bank, _MASKS, byte, 1)[0]
        if found != wanted:
            module.forget_page()
            raise WriteNotTakenError(
                f"VDM masks ({_MASKS:02X}h:{byte}) read back {found:02X}h after {wanted:02X}h was written"
            )


def _read_nibbles(source: ReadableImage, page: int, members: Sequence[VdmInstance]) -> dict[VdmInstance, int]:
    """One nibble for each of several instances of one group, of pages 2Ch and 2Dh."""
    bank, group = members[0].bank, members[0].group
    first = min(member.index for member in members) // 2
    last = max(member.index for member in members) // 2
    start = _FIRST_BYTE + _NIBBLE_BYTES * (group - 1) + first
    data = source.get(bank, page, start, last - first + 1)
    return {member: data[member.index // 2 - first] >> 4 * (member.index % 2) & 0xF for member in members}


def _sides(nibble: int) -> tuple[str, ...]:
    return tuple(side for bit, side in enumerate(SIDES) if nibble >> bit & 1)
