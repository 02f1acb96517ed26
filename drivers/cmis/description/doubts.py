"""Sections: what a reader must know before trusting the rest: checksums, and what CMIS does not allow.

Modules are newer than any table, wrongly programmed, or not what they look like. Each finding names the
register, what it holds, and what was done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from drivers.cmis import codes, information
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.description.layout import pairs, sentences
from drivers.cmis.description.sections import Page, Plain, Section, Subject
from drivers.cmis.dump.formats import page_name, some_of
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import LANES
from drivers.cmis.image import CHECKSUM_PAGES, HALF, page_checksum
from drivers.cmis.information import get_float, get_int, get_text
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.wording import lanes_text, where

_MOST_NOT_READ = 64
_KNOWN_MAJOR_REVISIONS = range(3, 6)
_TEXTS = ("VendorName", "VendorPN", "VendorRev", "VendorSN", "DateCode")
_THRESHOLDS = ("TempMon", "VccMon", "TxPower", "TxBias", "RxPower")
_RESERVED_CODES = (  # registers with few codes, of which some are reserved; and what follows from that
    ("BanksSupported", "banks", "bank 0 alone is described"),
    ("TxBiasCurrentScalingFactor", "bias_multiplier", "bias currents are not given"),
    ("CdbMaxPagesEPL", "epl_pages", "the extended payload of CDB is not known"),
)


def _notes(subject: Subject) -> Plain:
    """Why all the rest may be meaningless."""
    image = subject.image
    if not image.has_lower:
        return []
    try:
        identifier = get_int(image, "SFF8024Identifier")
    except CmisError:
        return []
    if identifier in codes.CMIS_IDENTIFIERS:
        return []
    name = codes.meaning("identifier", identifier)
    return [f"identifier {identifier:02X}h ({name}) is not of a CMIS module: what follows may be meaningless"]


def _doubts(subject: Subject) -> Plain:
    found: list[str] = []
    for check in _CHECKS:
        try:
            found += check(subject)
        except CmisError:
            continue  # what is missing is said where it is missing
    return found


def _revision(subject: Subject) -> Iterator[str]:
    major, minor = get_int(subject.image, "CmisRevisionMajor"), get_int(subject.image, "CmisRevisionMinor")
    if major not in _KNOWN_MAJOR_REVISIONS:
        yield f"lower:1: CMIS revision {major}.{minor} is none that is known here; it was read as 5.x"


def _identifiers(subject: Subject) -> Iterator[str]:
    copy, identifier = subject.image.get(0, 0, 128, 1)[0], get_int(subject.image, "SFF8024Identifier")
    if copy != identifier:
        yield f"00h:128 repeats the identifier as {copy:02X}h, but lower:0 holds {identifier:02X}h"


def _media_type(subject: Subject) -> Iterator[str]:
    code = get_int(subject.image, "MediaType")
    if code not in codes.table("media_type") or not code:
        meaning = codes.meaning("media_type", code)
        yield f"{where('MediaType')} holds {code:02X}h ({meaning}): media interfaces have no names"


def _texts(subject: Subject) -> Iterator[str]:
    for name in _TEXTS:
        if "\ufffd" in get_text(subject.image, name):
            yield f"{where(name)} holds bytes that are not printable ASCII, shown as \ufffd"


def _applications(subject: Subject) -> Iterator[str]:
    for item in information.read_applications(subject.image):
        name = f"application {item.app_sel}"
        for side, lanes, starts in (
            ("host", item.host_lanes, item.host_lane_starts),
            ("media", item.media_lanes, item.media_lane_starts),
        ):
            if not 1 <= lanes <= LANES:
                yield f"{name} has {lanes} {side} lanes, expected 1..{LANES}"
            beyond = [lane for lane in starts if lane + lanes - 1 > LANES]
            if 1 <= lanes <= LANES and beyond:
                yield (
                    f"{name} may begin on {side} lane {lanes_text(beyond)}, but has {lanes} lanes: "
                    f"they would end beyond lane {LANES}"
                )
        if not item.host_lane_starts:
            yield f"{name} may begin on no host lane at all: it cannot be used"


def _module_state(subject: Subject) -> Iterator[str]:
    state = get_int(subject.image, "ModuleState")
    if state not in [known.value for known in ModuleState]:
        yield f"{where('ModuleState')} holds {state}, which is reserved"


def _data_path_states(subject: Subject) -> Iterator[str]:
    image, bank = subject.image, subject.bank
    states = information.get_codes(image, "DPStateHostLane", bank)
    known = {state.value for state in DataPathState.__members__.values()}
    wrong = {lane: code for lane, code in enumerate(states, start=1) if code not in known}
    used = information.get_codes(image, "ACS_AppSel", bank)
    for code in sorted(set(wrong.values())):
        lanes = [lane for lane, found in wrong.items() if found == code and (code or used[lane - 1])]
        if lanes:
            shown = lanes_text(lanes)
            yield f"{where('DPStateHostLane')} holds {code:X}h, which is reserved, for host lanes {shown}"


def _durations(subject: Subject) -> Iterator[str]:
    for field in FIELDS.values():
        if field.codes == "duration":
            code = get_int(subject.image, field.name)
            if code not in codes.table("duration"):
                yield f"{where(field.name)} holds duration code {code:X}h, which is reserved"


def _reserved(subject: Subject) -> Iterator[str]:
    for name, table, consequence in _RESERVED_CODES:
        code = get_int(subject.image, name)
        if code not in codes.table(table):
            yield f"{where(name)} holds {code}, which is reserved: {consequence}"


def _limits(subject: Subject) -> Iterator[str]:
    for monitor in _THRESHOLDS:
        high_alarm, low_alarm, high_warning, low_warning = (
            get_float(subject.image, f"{monitor}{side}Threshold")
            for side in ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
        )
        if not any((high_alarm, low_alarm, high_warning, low_warning)):
            continue
        if not low_alarm <= low_warning < high_warning <= high_alarm:
            first = FIELDS[f"{monitor}HighAlarmThreshold"].byte
            yield (
                f"02h:{first}-{first + 7}: the limits of {monitor} are not in order (low alarm, low warning, "
                "high warning, high alarm)"
            )


def _temperatures(subject: Subject) -> Iterator[str]:
    highest, lowest = get_int(subject.image, "ModuleTempMax"), get_int(subject.image, "ModuleTempMin")
    if highest < lowest:
        yield f"01h:146-147: highest case temperature {highest} degC is below the lowest, {lowest} degC"


def _diagnostics(subject: Subject) -> Iterator[str]:
    from drivers.cmis.diagnostics.capabilities import read_capabilities

    yield from read_capabilities(subject.image, subject.bank).notes


_CHECKS: tuple[Callable[[Subject], Iterator[str]], ...] = (
    _revision,
    _identifiers,
    _media_type,
    _texts,
    _applications,
    _module_state,
    _data_path_states,
    _durations,
    _reserved,
    _limits,
    _temperatures,
    _diagnostics,
)


def _checksums(subject: Subject) -> Plain:
    found = []
    for page in CHECKSUM_PAGES:
        if not subject.image.has(0, page):
            continue
        try:
            checksum = page_checksum(page, subject.image.get(0, page, HALF, HALF))
        except CmisError:
            continue  # not all bytes were read
        found.append(
            {
                "page": f"{page:02X}h",
                "byte": checksum.byte,
                "stored": checksum.stored,
                "computed": checksum.computed,
                "ok": checksum.ok,
            }
        )
    return found


def _pages(subject: Subject) -> Plain:
    held = sorted({*subject.image.pages(), *subject.mirrored})
    return [page_name(bank, page) for bank, page in held if bank in (0, subject.bank)]


def _not_read(subject: Subject) -> Plain:
    return some_of(subject.image.unread(), _MOST_NOT_READ)


def _notes_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    lines = [f"NOTE: {note}" for note in description["notes"] or ()]
    count = len(description["doubts"] or ())
    wrong = [item["page"] for item in description["checksums"] or () if not item["ok"]]
    if wrong:
        lines.append(f"NOTE: wrong checksum of page {', '.join(wrong)}")
    if count:
        things = "1 thing is" if count == 1 else f"{count} things are"
        lines.append(f"NOTE: {things} not as CMIS says, see below")
    return lines


def _checksums_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    return pairs(
        "Checksums", ((f"page {item['page']}", _checksum(item)) for item in description["checksums"] or ())
    )


def _checksum(item: Mapping[str, Plain]) -> str:
    if item["ok"]:
        return f"OK ({item['stored']:02X}h)"
    return f"WRONG: computed {item['computed']:02X}h, byte {item['byte']} holds {item['stored']:02X}h"


def _doubts_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    return sentences("Not as CMIS says", description["doubts"] or ())


NOTES = Section("notes", _notes, _notes_text)
CHECKSUMS = Section("checksums", _checksums, _checksums_text)
DOUBTS = Section("doubts", _doubts, _doubts_text)
PAGES = Section("pages", _pages)
NOT_READ = Section("not_read", _not_read)
