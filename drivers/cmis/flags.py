"""Flags, their masks and the interrupt: which there are, which are set, and what they mean now.

Flags are latched by the module and cleared by being read (OIF-CMIS-05.4 §8.1): :func:`read_flags` reads each
byte once, and only where the flag summaries (lower:4-7) or the caller ask for it. A set flag that is not
masked makes the module assert IntL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from drivers.cmis import information, vdm
from drivers.cmis.application import placements
from drivers.cmis.codes import DataPathState
from drivers.cmis.errors import BytesNotReadError, CmisError, NotAdvertisedError, PageUnavailableError
from drivers.cmis.fields import LANES, ReadableImage
from drivers.cmis.flag_table import AREAS, FLAGS, Area, FlagDefinition, Severity, Side
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.information import Application
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.latched_flags import Flags, attach, flags_of, read_into, read_latched
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.wording import lanes_text, where
from drivers.errors import BenchError
from drivers.interfaces import ModulePins

__all__ = [
    "AREAS",
    "FLAGS",
    "Area",
    "FlagDefinition",
    "FlagReport",
    "Flags",
    "Interrupt",
    "RaisedFlag",
    "Severity",
    "Side",
    "advertised_flags",
    "flags_of",
    "get_masks",
    "interrupt",
    "mask_name",
    "read_flags",
    "read_latched",
    "set_mask",
]

_PAGE_OF: Mapping[Area, int] = {"lanes": 0x11, "laser": 0x12, "diagnostics": 0x14}
_SUMMARY_OF: Mapping[Area, str] = {
    "lanes": "FlagSummaryLanes",
    "laser": "FlagSummaryLaser",
    "diagnostics": "FlagSummaryDiagnostics",
    "VDM": "FlagSummaryVDM",
}
_BANKS_WITH_SUMMARY = 4
_STATUS = (2, 6)  # byte and length: MemoryModel, module state, flag summaries
_MODULE_FLAGS = (8, 6)
_CUSTOM_FLAGS = 13  # not of any table: the vendor's own
_ALL_LANES = tuple(range(1, LANES + 1))

_STATES_WITH_FLAGS = frozenset(
    {
        DataPathState.DPInit,
        DataPathState.DPInitialized,
        DataPathState.DPTxTurnOn,
        DataPathState.DPActivated,
        DataPathState.DPTxTurnOff,
    }
)
"""Data path states in which lane flags are taken to mean something [uncertain: Tables 6-20 to 6-22]."""


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """A flag that was set. ``lanes``: 1..8, empty for one of the module; for VDM, the instance's lane if it
    has one. ``meaningful``: whether it says something in the present state [uncertain] (False: CMIS does not
    define it there; None: that cannot be told), for the reason in ``note``; ``meaningless_lanes``: those of
    ``lanes`` on which it says nothing."""

    name: str
    words: str
    area: Area
    severity: Severity
    side: Side
    lanes: tuple[int, ...] = ()
    meaningful: bool | None = True
    meaningless_lanes: tuple[int, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """In words, with lanes: ``no light at the receiver, media lanes 1-2``."""
        if not self.lanes or self.area == "VDM":
            return self.words
        return f"{self.words}, {self.side} lane{'s' * (len(self.lanes) > 1)} {lanes_text(self.lanes)}"


@dataclass(frozen=True, slots=True)
class FlagReport:
    """What one reading found, and cleared. ``read``: areas that were read; ``skipped``: the others, each with
    the reason; ``notes``: what could not be told."""

    bank: int
    raised: tuple[RaisedFlag, ...]
    read: tuple[Area, ...]
    skipped: Mapping[Area, str]
    notes: tuple[str, ...] = ()

    def of(self, severity: Severity) -> tuple[RaisedFlag, ...]:
        """Those of one severity, without those that are known to mean nothing now."""
        return tuple(
            flag for flag in self.raised if flag.severity == severity and flag.meaningful is not False
        )

    @property
    def flags(self) -> Flags:
        """The same by names of fields, without VDM's and the vendor's own."""
        return Flags(
            tuple(flag.name for flag in self.raised if flag.name in FLAGS and not flag.lanes),
            {flag.name: flag.lanes for flag in self.raised if flag.name in FLAGS and flag.lanes},
        )


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Whether the module asks for attention: by InterruptDeasserted (lower:3.0), and by IntL where the bench
    has that pin (else None)."""

    by_register: bool
    by_pin: bool | None = None

    @property
    def agree(self) -> bool | None:
        """Whether pin and register say the same; None without a pin. A flag that came between the two looks
        (toff_Int and ton_Int are up to 0.5 and 200 ms) makes them differ too: look again before blaming."""
        return None if self.by_pin is None else self.by_pin == self.by_register

    @property
    def text(self) -> str:
        """In words."""
        register = f"{where('InterruptDeasserted')} reads {int(not self.by_register)}"
        if self.by_pin is None:
            return f"interrupt {'asserted' if self.by_register else 'not asserted'}: {register}"
        pin = f"IntL is {'low' if self.by_pin else 'high'}"
        verdict = "as it should be" if self.agree else "THEY DISAGREE"
        return f"{register}, {pin}: {verdict}"


def interrupt(source: ReadableImage, pins: ModulePins | None = None) -> Interrupt:
    """Whether the module asserts its interrupt, by its register and, with ``pins``, by its line.

    :raises CmisError: when the module cannot be read.
    :raises BenchError: when the pin cannot be read.
    """
    return Interrupt(
        not information.get_int(source, "InterruptDeasserted"),
        None if pins is None else pins.interrupt_asserted(),
    )


def mask_name(flag: str) -> str:
    """Field of a flag's mask: that of ``LOSFlagRx`` is ``LOSMaskRx``.

    :raises ValueError: for a name that is no flag.
    """
    return _definition(flag).mask


def _definition(flag: str) -> FlagDefinition:
    try:
        return FLAGS[flag]
    except KeyError:
        raise ValueError(f"there is no flag called {flag}") from None


def advertised_flags(source: ReadableImage) -> tuple[FlagDefinition, ...]:
    """Flags that the module has, as far as it says so; those that nothing advertises are taken to be there.

    :raises CmisError: when the module cannot be read.
    """
    known: dict[str, int] = {}

    def value(field: str) -> int:
        if field not in known:
            known[field] = information.get_int(source, field)
        return known[field]

    return tuple(definition for definition in FLAGS.values() if _is_advertised(definition, value))


def _is_advertised(definition: FlagDefinition, value: Callable[[str], int]) -> bool:
    """``value``: of a field by its name."""
    field = _advertisement(definition)
    if value("MemoryModel"):
        return definition.area == "module" and not field
    if definition.name == "AbnormalFirmwareFlag":
        return (value("CmisRevisionMajor"), value("CmisRevisionMinor")) >= (5, 3)
    least = 2 if definition.name == "CdbCmdCompleteFlag2" else 1
    return not field or value(field) >= least


def _advertisement(definition: FlagDefinition) -> str:
    if definition.name.startswith("CdbCmdComplete"):
        return "CdbInstancesSupported"
    return definition.advertisement


def read_flags(
    source: ReadableImage,
    bank: int = 0,
    *,
    everything: bool = False,
    applications: tuple[Application, ...] | None = None,
) -> FlagReport:
    """Read the latched flags, which clears them: those of the module, of lanes, lasers, diagnostics and VDM.

    Of the banked pages only those are read that the flag summary (lower:4-7) says have a flag set, or, with
    ``everything``, all that the module advertises. Whether the summary tells of masked flags too is not
    settled [uncertain]: to find those, read everything. ``applications``: as
    :meth:`drivers.cmis.module.CmisModule.applications` gave them, to tell whose media lanes are in use; they
    are read when they are needed, if not given.

    An area that cannot be read is skipped, with the reason: what was found in others, and in it until then,
    is cleared by now, and is in the report. An exception of the bench has the report so far in its attribute
    ``flag_report``.

    :raises CmisError: when lower memory cannot be read.
    :raises BenchError: when the bench is at fault.
    """
    byte, length = _STATUS
    image = MemoryImage()
    image.put(0, 0, byte, source.get(0, 0, byte, length))
    byte, length = _MODULE_FLAGS
    image.put(0, 0, byte, source.get(0, 0, byte, length))
    skipped: dict[Area, str] = {}
    notes: list[str] = []
    raised = [*_raised(image, "module", bank), *_custom(image)]
    read: list[Area] = ["module"]
    for area in AREAS[1:]:
        try:
            why_not = _why_not(source, image, area, bank, everything=everything)
            if not why_not:
                found, failure = _read_area(source, area, bank)
                raised += found
                if failure is not None:
                    raise failure
                read.append(area)
        except CmisError as error:  # flags are cleared by now: what was found must not be lost
            why_not = f"could not be read: {error}"
        except BenchError as error:
            attach(error, "flag_report", FlagReport(bank, tuple(raised), tuple(read), skipped, tuple(notes)))
            raise
        if why_not:
            skipped[area] = why_not
    if any(flag.area == "lanes" for flag in raised):
        try:
            states = _lane_states(source, bank, raised, applications)
        except CmisError as error:
            notes.append(f"whether lane flags mean something cannot be told: {error}")
            states = _LaneStates({}, {}, None)
        except BenchError as error:
            attach(error, "flag_report", FlagReport(bank, tuple(raised), tuple(read), skipped, tuple(notes)))
            raise
        raised = [_judged(flag, states) for flag in raised]
    return FlagReport(bank, tuple(raised), tuple(read), skipped, tuple(notes))


def _why_not(source: ReadableImage, status: MemoryImage, area: Area, bank: int, *, everything: bool) -> str:
    """Why an area is not read; empty when it is."""
    if information.get_int(status, "MemoryModel"):
        return f"the module's memory is flat ({where('MemoryModel')})"
    if not everything and bank < _BANKS_WITH_SUMMARY:
        summary = f"{_SUMMARY_OF[area]}Bank{bank}"
        if not information.get_int(status, summary):
            return f"no flag is set there ({where(summary)} is 0)"
    advertisement = {"laser": "TransmitterIsTunable", "diagnostics": "DiagnosticPagesSupported"}.get(area)
    if advertisement and not information.get_int(source, advertisement):
        return f"the module does not advertise it ({where(advertisement)} is 0)"
    if area == "VDM":
        return vdm.support(source, bank).reason
    return ""


def _read_area(
    source: ReadableImage, area: Area, bank: int
) -> tuple[list[RaisedFlag], CmisError | BenchError | None]:
    """Flags that are set there, and what kept the rest of them from being read."""
    if area == "VDM":
        return _raised_in_vdm(source, bank), None
    page = _PAGE_OF[area]
    flag_bytes = clear_on_read_bytes(page)
    first, last = min(flag_bytes), max(flag_bytes)
    image = MemoryImage()
    image.add_page(bank, page)
    failure = read_into(image, source, bank, page, first, last)
    return _raised(image, area, bank), failure


def _raised(image: MemoryImage, area: Area, bank: int) -> list[RaisedFlag]:
    found = []
    for definition in FLAGS.values():
        if definition.area != area:
            continue
        lanes: tuple[int, ...] = ()
        try:
            if definition.of_lanes:
                lanes = information.lanes_set(image, definition.name, bank)
                is_set = bool(lanes)
            else:
                is_set = bool(information.get_int(image, definition.name, bank))
        except BytesNotReadError:  # the reading of its area was ended by a failure
            continue
        if is_set:
            found.append(
                RaisedFlag(
                    definition.name,
                    definition.words,
                    definition.area,
                    definition.severity,
                    definition.side,
                    lanes,
                )
            )
    return found


def _custom(image: MemoryImage) -> list[RaisedFlag]:
    value = image.get(0, 0, _CUSTOM_FLAGS, 1)[0]
    if not value:
        return []
    words = f"vendor's own flags of the module, lower:{_CUSTOM_FLAGS} read {value:02X}h"
    return [RaisedFlag(f"lower:{_CUSTOM_FLAGS}", words, "module", "event", "module", meaningful=None)]


def _raised_in_vdm(source: ReadableImage, bank: int) -> list[RaisedFlag]:
    found = []
    for flag in vdm.vdm_flags(source, bank):
        of_type = flag.instance.observable
        side: Side = of_type.side or "module"
        lanes = () if flag.instance.lane is None else (flag.instance.lane,)
        for kind in flag.sides:
            severity: Severity = "alarm" if kind.endswith("alarm") else "warning"
            beyond = ("above" if kind.startswith("high") else "below") + f" its {kind} threshold"
            found.append(
                RaisedFlag(
                    f"VDM{flag.instance.number} {kind}",
                    f"{flag.instance.label}: {beyond}",
                    "VDM",
                    severity,
                    side,
                    lanes,
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class _LaneStates:
    """States of data paths by host lane and, as far as it can be told, by media lane; media lanes whose
    output is valid, None when that was not read."""

    host: Mapping[int, DataPathState]
    media: Mapping[int, DataPathState]
    output_valid: tuple[int, ...] | None


def _lane_states(
    source: ReadableImage,
    bank: int,
    raised: Collection[RaisedFlag],
    applications: tuple[Application, ...] | None,
) -> _LaneStates:
    image = MemoryImage()
    image.add_page(bank, 0x11)
    image.put(bank, 0x11, 128, source.get(bank, 0x11, 128, 6))
    host = {
        lane: DataPathState(code)
        for lane, code in enumerate(information.get_codes(image, "DPStateHostLane", bank), start=1)
    }
    media: dict[int, DataPathState] = {}
    if any(flag.area == "lanes" and flag.side == "media" for flag in raised):
        config = FIELDS["ACS_DPConfig"]
        image.put(bank, 0x11, config.byte, source.get(bank, 0x11, config.byte, config.size))
        app_sels = information.get_codes(image, "ACS_AppSel", bank)
        first_lanes = [code + 1 for code in information.get_codes(image, "ACS_DataPathID", bank)]
        if applications is None and any(app_sels):
            applications = _read_applications(source, extended=max(app_sels) > 8)
        by_app_sel = {application.app_sel: application for application in applications or ()}
        for lane, app_sel, first in zip(_ALL_LANES, app_sels, first_lanes, strict=True):
            application = by_app_sel.get(app_sel)
            if application is None or lane != first:
                continue
            for placement in placements(application):
                if placement.host_lanes[0] == lane:
                    media.update(dict.fromkeys(placement.media_lanes, host[lane]))
    return _LaneStates(host, media, information.lanes_set(image, "OutputStatusTx", bank))


def _read_applications(source: ReadableImage, *, extended: bool) -> tuple[Application, ...]:
    """As :func:`information.read_applications`, with as few accesses as there can be."""
    image = MemoryImage()
    image.put(0, 0, 85, source.get(0, 0, 85, 33))
    image.add_page(0, 0x01, b"\xff" * HALF)
    image.put(0, 0x01, 176, source.get(0, 0x01, 176, 15))
    if extended:
        image.put(0, 0x01, 223, source.get(0, 0x01, 223, 28))
    return information.read_applications(image)


def _judged(flag: RaisedFlag, states: _LaneStates) -> RaisedFlag:
    """A lane flag with whether it means something in the state of its lanes."""
    if flag.area != "lanes" or flag.severity == "event":
        return flag
    by_lane = states.host if flag.side == "host" else states.media
    reasons: dict[int, str] = {}
    unknown = []
    needs_output = flag.name.startswith(("OpticalPowerLow", "LaserBiasLow")) and flag.name.endswith("Tx")
    for lane in flag.lanes:
        state = by_lane.get(lane)
        if state is not None and state not in _STATES_WITH_FLAGS:
            reasons[lane] = f"the data path is in {state.name}"
        elif needs_output and states.output_valid is not None and lane not in states.output_valid:
            reasons[lane] = f"the output is off ({where('OutputStatusTx')})"
        elif state is None:
            unknown.append(lane)
    known_good = set(flag.lanes) - set(reasons) - set(unknown)
    meaningful = True if known_good else (None if unknown else False)
    parts = [
        f"says nothing on lane{'s' * (len(lanes) > 1)} {lanes_text(lanes)}, where {reason}"
        for reason in dict.fromkeys(reasons.values())
        for lanes in [[lane for lane, why in reasons.items() if why == reason]]
    ]
    if unknown:
        parts.append(
            f"the state of lane{'s' * (len(unknown) > 1)} {lanes_text(unknown)} is not known: "
            "no data path could be assigned"
        )
    return RaisedFlag(
        flag.name,
        flag.words,
        flag.area,
        flag.severity,
        flag.side,
        flag.lanes,
        meaningful,
        tuple(reasons),
        "; ".join(parts),
    )


def get_masks(source: ReadableImage, bank: int = 0) -> Mapping[str, bool | tuple[int, ...]]:
    """Masks by the names of their *flags*, of all that the module advertises: for a flag of lanes, the lanes
    whose flag does not interrupt. VDM's: :func:`drivers.cmis.vdm.read_vdm_masks`.

    A page that is missing leaves its flags out.

    :raises CmisError: when the module cannot be read.
    """
    found: dict[str, bool | tuple[int, ...]] = {}
    wanted = advertised_flags(source)
    image = _read_masks(source, bank, wanted)
    for definition in wanted:
        try:
            found[definition.name] = (
                information.lanes_set(image, definition.mask, bank)
                if definition.of_lanes
                else bool(information.get_int(image, definition.mask, bank))
            )
        except PageUnavailableError:
            continue
    return found


def _read_masks(source: ReadableImage, bank: int, wanted: Collection[FlagDefinition]) -> MemoryImage:
    """The bytes of these masks, one read for each page; pages that are missing are left out."""
    spans: dict[int | None, tuple[int, int]] = {}
    for definition in wanted:
        field = FIELDS[definition.mask]
        key = None if field.byte < HALF else field.page
        first, last = spans.get(key, (field.byte, field.byte))
        spans[key] = (min(first, field.byte), max(last, field.byte + field.size - 1))
    image = MemoryImage()
    for key, (first, last) in spans.items():
        try:
            data = source.get(bank, key or 0, first, last - first + 1)
        except PageUnavailableError:
            continue
        if key is not None:
            image.add_page(bank, key)
        image.put(bank, key or 0, first, data)
    return image


def set_mask(module: CmisModule, flag: str, masked: bool | Collection[int], bank: int = 0) -> None:
    """Mask a flag, so that it does not interrupt, or let it interrupt. By the name of the *flag*.

    ``masked``: for a flag of lanes, exactly the lanes (1..8) to mask, or True or False for all of them.
    Other bits of the register are kept; it is read back.

    :raises ValueError: for a name that is no flag, lanes that there are not, or lanes for a flag of the
        module.
    :raises NotAdvertisedError: when the module does not advertise the flag.
    :raises WriteNotTakenError: when the register reads back something else.
    """
    definition = _definition(flag)
    value: int | tuple[int, ...]
    if definition.of_lanes:
        lanes = masked if not isinstance(masked, bool) else _ALL_LANES if masked else ()
        value = tuple(int(bit) for bit in lane_bits(lanes))
    elif isinstance(masked, bool):
        value = int(masked)
    else:
        raise ValueError(f"{flag} is of the module, not of lanes: its mask is True or False, not {masked!r}")
    if not _is_advertised(definition, lambda name: information.get_int(module.registers, name)):
        reason = _advertisement(definition)
        raise NotAdvertisedError(
            f"the module does not advertise {flag}" + (f" ({where(reason)})" if reason else "")
        )
    module.set_and_verify(definition.mask, value, bank)
