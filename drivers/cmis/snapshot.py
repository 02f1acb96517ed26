"""The whole memory of a live module, read once: every page that it says it has.

What was not read stays unread in the result: flags that reading would clear, pages that the module did not
give, and whatever may hold a password (lower:118-125, and 9Fh:136-139 after a password command). After each
page the module is asked which page it has selected (bytes 126-127), as a module without that page presents
page 00h in its place and says so in no other way (OIF-CMIS-05.4 §8.2.13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from drivers.cmis import information
from drivers.cmis.codes import BANKS_BY_CODE
from drivers.cmis.dump.formats import Dump, PageOutcome, PageRecord, page_name
from drivers.cmis.errors import CmisError, InvalidMemoryError, PageUnavailableError
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, MemoryImage, Span, mirrored_pages
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.module import CmisModule
from drivers.cmis.password_bytes import PASSWORD_AREA, without_passwords
from drivers.cmis.ports import CDB_PAGES, bus_held
from drivers.interfaces import MemoryPort

_PAGE_SELECTION = (126, 2)
_VDM_CONTROL = 0x2F
_CDB_INSTANCES = 2  # at most
_UNKNOWN_FLAGS = (  # advertised by, pages: what reading them clears is not in the register tables
    ("TimingPage15hSupported", "15h"),
    ("NetworkPathPagesSupported", "16h and 17h"),
    ("CoherentPagesSupported", "30h to 4Fh of C-CMIS"),
)


@dataclass(frozen=True, slots=True)
class AdvertisedPages:
    """Upper pages that a module says it has. ``banks``: of lanes, for pages from 10h on; ``cdb_banks``: of
    pages 9Fh to AFh, one for each CDB instance. ``notes``: pages left out, and advertisements that make no
    sense."""

    pages: tuple[int, ...]
    banks: tuple[int, ...]
    notes: tuple[str, ...] = ()
    cdb_banks: tuple[int, ...] = (0,)

    def banks_of(self, page: int) -> tuple[int, ...]:
        """Banks in which a page is there."""
        if page < FIRST_BANKED_PAGE:
            return (0,)
        return self.cdb_banks if page in CDB_PAGES else self.banks


def take_snapshot(
    module: CmisModule | MemoryPort,
    *,
    pages: Sequence[int] | None = None,
    banks: Sequence[int] | None = None,
    clear_on_read: bool = False,
    source: str = "",
    taken_at: str | None = None,
) -> Dump:
    """Read lower memory and the module's upper pages.

    ``pages``: these instead of all that the module advertises (:func:`advertised_pages`); ``banks``: these
    instead of all advertised, for pages from 10h on. ``clear_on_read``: read latched flags too, which
    clears them and releases the interrupt; otherwise their bytes are unread in the result.
    ``taken_at``: ISO 8601, the present time when it is None.

    A page that cannot be read does not end the snapshot: :attr:`Dump.records` says why.

    lower:118-125 are never read, and the body of a password command on page 9Fh is not kept, for a dump goes
    from hand to hand.

    :raises ValueError: for a page or bank that is not 0..255.
    :raises CmisError: when lower memory cannot be read.
    :raises drivers.errors.BenchError: when the way to the module fails.
    """
    for number in (*(pages or ()), *(banks or ())):
        if not 0 <= number <= 0xFF:
            raise ValueError(f"pages and banks are 0..255, not {number}")
    port = module.memory if isinstance(module, CmisModule) else module
    image = MemoryImage()
    image.mark_unread(0, 0, 0, HALF)
    for byte, length in _spans(None, clear_on_read):
        image.put(0, 0, byte, _read(port, 0, 0, byte, length))
    records = [_read_page(port, image, 0, 0x00, clear_on_read)]
    if pages is None or banks is None:
        advertised = _advertised_by(port, image, records, clear_on_read)
    else:
        advertised = AdvertisedPages((), ())
    wanted = advertised.pages if pages is None else tuple(dict.fromkeys(pages))
    for page in wanted:
        asked = (0,) if page < FIRST_BANKED_PAGE else banks
        for bank in advertised.banks_of(page) if asked is None else asked:
            if all((record.bank, record.page) != (bank, page) for record in records):
                records.append(_read_page(port, image, bank, page, clear_on_read))
    if pages is not None:
        for bank, page in tuple(image.pages()):  # pages that were only read to know what is advertised
            if page not in pages and page != 0x00:
                image.discard_page(bank, page)
        records = [record for record in records if record.page in pages or record.page == 0x00]
    notes = list(advertised.notes if pages is None else ())
    clean, hidden = without_passwords(image)
    clean.mark_unread(0, 0, min(PASSWORD_AREA), len(PASSWORD_AREA))
    passwords = (Span(0, None, min(PASSWORD_AREA), max(PASSWORD_AREA)), *hidden)
    unread = [span for span in image.unread() if span not in passwords]
    if not clear_on_read and unread:
        notes.append("flags were not read, as that clears them: " + ", ".join(str(span) for span in unread))
    notes.append("left out, as passwords may lie there: " + ", ".join(str(span) for span in passwords))
    return Dump(
        clean,
        source=source,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds") if taken_at is None else taken_at,
        module=_identity(image),
        records=tuple(_with_suspicions(image, records)),
        notes=tuple(notes),
    )


def advertised_pages(image: MemoryImage) -> AdvertisedPages:
    """Pages and banks that lower memory and page 01h advertise (lower:2.7, 01h:142, 145, 155, 163).

    VDM groups are counted by page 2Fh where the image holds it, else only page 2Fh is named.

    :raises PageUnavailableError: without lower memory, or, unless the memory is flat, without page 01h.
    """
    if information.get_int(image, "MemoryModel"):
        return AdvertisedPages((0x00,), (0,))

    def has(name: str) -> bool:
        return bool(information.get_int(image, name))

    notes = []
    code = information.get_int(image, "BanksSupported")
    if code not in BANKS_BY_CODE:
        notes.append(
            f"01h:142.1-0 holds {code}, which does not say how many banks there are: bank 0 was read"
        )
    pages = [0x00, 0x01, 0x02]
    pages += [0x03] * has("Page03hSupported")
    pages += [0x04] * has("TransmitterIsTunable")
    pages += [0x10, 0x11]
    pages += [0x12] * has("TransmitterIsTunable")
    pages += [0x13, 0x14] * has("DiagnosticPagesSupported")
    if has("VDMPagesSupported"):
        pages += _vdm_pages(image)
    instances = information.get_int(image, "CdbInstancesSupported")
    pages += [0x9F] * bool(instances)
    if instances > _CDB_INSTANCES:
        notes.append(f"01h:163.7-6 holds {instances}, which is reserved: pages of one CDB instance were read")
    notes += [
        f"page {text} advertised, and not read without being asked for: which of its bytes reading clears "
        "is not known here"
        for name, text in _UNKNOWN_FLAGS
        if has(name)
    ]
    return AdvertisedPages(
        tuple(pages),
        tuple(range(BANKS_BY_CODE.get(code, 1))),
        tuple(notes),
        tuple(range(instances)) if 1 <= instances <= _CDB_INSTANCES else (0,),
    )


def _vdm_pages(image: MemoryImage) -> list[int]:
    if not image.has(0, _VDM_CONTROL):
        return [_VDM_CONTROL]
    groups = range(1 + information.get_int(image, "VDMGroupsSupported"))
    return [*(first + group for first in (0x20, 0x24, 0x28) for group in groups), 0x2C, 0x2D, _VDM_CONTROL]


def _advertised_by(
    port: MemoryPort, image: MemoryImage, records: list[PageRecord], clear_on_read: bool
) -> AdvertisedPages:
    """What the module advertises, reading the pages that say so into the image."""
    if not information.get_int(image, "MemoryModel"):
        records.append(_read_page(port, image, 0, 0x01, clear_on_read))
    try:
        if _VDM_CONTROL in advertised_pages(image).pages:
            records.append(_read_page(port, image, 0, _VDM_CONTROL, clear_on_read))
        return advertised_pages(image)
    except CmisError as error:
        return AdvertisedPages(
            (0x00,), (0,), (f"which pages the module has is not known, so no more were read: {error}",)
        )


def _read_page(port: MemoryPort, image: MemoryImage, bank: int, page: int, clear_on_read: bool) -> PageRecord:
    """Read one upper page into the image, unless the module does not have it."""
    spans = tuple(_spans(page, clear_on_read))
    if not spans:
        reason = "every byte of it is a flag that reading would clear"
        return PageRecord(bank, page, PageOutcome.SKIPPED, reason=reason)
    parts: list[tuple[int, bytes]] = []
    selected: tuple[int, int] | None = None
    try:
        with bus_held(port):  # so that nobody selects another page before the module is asked for it
            for byte, length in spans:
                parts.append((byte, _read(port, bank, page, byte, length)))
            selected = _selection(port)
    except CmisError as error:
        with suppress(CmisError):  # what it says of the selection helps, but is not needed
            selected = _selection(port)
        fell_back = (
            isinstance(error, PageUnavailableError)
            and selected is not None
            and (selected[1] != page or (page >= FIRST_BANKED_PAGE and selected[0] != bank))
        )
        outcome = PageOutcome.FELL_BACK if fell_back else PageOutcome.REFUSED
        return PageRecord(bank, page, outcome, selected, str(error))
    outcome, reason = _judge(image, bank, page, parts, selected)
    if outcome is not PageOutcome.FELL_BACK:
        image.add_page(bank, page)
        image.mark_unread(bank, page, HALF, HALF)
        for byte, data in parts:
            image.put(bank, page, byte, data)
    return PageRecord(bank, page, outcome, selected, reason)


def _read(port: MemoryPort, bank: int, page: int, byte: int, length: int) -> bytes:
    """:raises InvalidMemoryError: for an answer that does not have the length asked for."""
    data = port.read(bank, page, byte, length)
    if len(data) != length:
        raise InvalidMemoryError(
            f"reading {length} bytes from byte {byte} of {page_name(bank, None if byte < HALF else page)} "
            f"gave {len(data)}"
        )
    return data


def _selection(port: MemoryPort) -> tuple[int, int]:
    """(bank, page) that the module says it has selected."""
    bank, page = _read(port, 0, 0, *_PAGE_SELECTION)
    return bank, page


def _judge(
    image: MemoryImage, bank: int, page: int, parts: list[tuple[int, bytes]], selected: tuple[int, int]
) -> tuple[PageOutcome, str]:
    found_bank, found_page = selected
    if found_page == page and (page < FIRST_BANKED_PAGE or found_bank == bank):
        return PageOutcome.KEPT, ""
    said = f"after it was read, bytes 126-127 say page {found_page:02X}h bank {found_bank}"
    trial = MemoryImage(None, {(0, 0x00): image.get(0, 0x00, HALF, HALF)} if image.has(0, 0x00) else {})
    trial.add_page(bank, page)
    trial.mark_unread(bank, page, HALF, HALF)
    for byte, data in parts:
        trial.put(bank, page, byte, data)
    if mirrored_pages(trial):
        return PageOutcome.FELL_BACK, f"{said}, and what was read is page 00h"
    return (
        PageOutcome.UNVERIFIED,
        f"{said}; what was read is not page 00h, so what carries the bytes may select pages by itself",
    )


def _with_suspicions(image: MemoryImage, records: Sequence[PageRecord]) -> Iterator[PageRecord]:
    mirrored = mirrored_pages(image)
    for record in sorted(records, key=lambda record: (record.page, record.bank)):
        if (record.bank, record.page) not in mirrored:
            yield record
            continue
        suspect = (
            f"page {page_name(record.bank, record.page)} holds what page 00h holds: the module probably does "
            "not have it"
        )
        yield PageRecord(record.bank, record.page, record.outcome, record.selected, record.reason, suspect)


def _spans(page: int | None, clear_on_read: bool) -> Iterator[tuple[int, int]]:
    """(byte, length) of what may be read of a half (``page`` None: lower memory): no passwords.

    Flags are spans of their own: a port may read a span again when it was interrupted.
    """
    start = 0 if page is None else HALF
    flags = clear_on_read_bytes(page)

    def kind(byte: int) -> str:
        if page is None and byte in PASSWORD_AREA:
            return "password"
        return "flag" if byte in flags else "plain"

    first = start
    for byte in range(start, start + HALF):
        if byte == start + HALF - 1 or kind(byte) != kind(byte + 1):
            if kind(byte) == "plain" or (clear_on_read and kind(byte) == "flag"):
                yield first, byte + 1 - first
            first = byte + 1


def _identity(image: MemoryImage) -> dict[str, str]:
    try:
        identity = asdict(information.read_identity(image))
    except CmisError:
        return {}
    names = ("vendor", "part_number", "revision", "serial_number", "date_code", "firmware", "cmis_revision")
    return {name: str(identity[name]) for name in names}
