"""What a memory dump holds, whatever the form of its file: the common ground of the forms.

One module reads and writes each form: :mod:`drivers.cmis.dump.as_json`,
:mod:`drivers.cmis.dump.as_binary` and :mod:`drivers.cmis.dump.as_text`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.cmis.image import HALF, MemoryImage

LARGEST_FILE_BYTES = 1 << 20
"""A longer file is no dump: a bank of a module has 33 kB."""

LAST_PAGE = 0xFF
UNREAD_BYTE = "--"
"""Stands for a byte that nobody read, wherever a dump is written in hexadecimal digits."""

_PAGE_NAME = re.compile(r"([0-9A-Fa-f]{2})h(?:@([0-9]{1,3}))?", re.ASCII)


class PageOutcome(enum.Enum):
    """What came of reading a page."""

    KEPT = "kept"
    """The module said, after the page was read, that it still had this page selected."""
    FELL_BACK = "fell back"
    """The module selected another page in its place: it does not have this one."""
    REFUSED = "refused"
    """The module did not give it; the reason says how."""
    SKIPPED = "skipped"
    """Nothing of it was asked for, as reading any of its bytes would clear flags."""
    UNVERIFIED = "unverified"
    """What carries the bytes does not let the module's own page selection be seen."""


@dataclass(frozen=True, slots=True)
class PageRecord:
    """How the reading of one page went. ``selected``: (bank, page) that the module had selected
    afterwards, by its bytes 126-127; None when they could not be read. ``suspect``: why what was read may
    not be this page's contents, else empty."""

    bank: int
    page: int
    outcome: PageOutcome
    selected: tuple[int, int] | None = None
    reason: str = ""
    suspect: str = ""


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump of a module's memory. All texts are untrusted.

    ``source``: where it came from, in words. ``form``: name of the form that it was read from, or empty.
    ``taken_at``: ISO 8601, or empty. ``module``: identity as it was when the dump was taken.
    ``records``: how the pages were read, where that is known. ``notes``: what to know before trusting it.
    """

    image: MemoryImage
    source: str = ""
    form: str = ""
    taken_at: str = ""
    module: Mapping[str, str] = field(default_factory=dict)
    records: tuple[PageRecord, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[PageRecord, ...]:
        """Pages that were asked for and are not in the dump."""
        return tuple(record for record in self.records if not self.image.has(record.bank, record.page))


def page_name(bank: int, page: int | None) -> str:
    """``lower``, ``11h``, or ``11h@1`` for a bank other than 0."""
    if page is None:
        return "lower"
    return f"{page:02X}h@{bank}" if bank else f"{page:02X}h"


def parse_page_name(name: str) -> tuple[int | None, int] | None:
    """(bank or None where none is named, page) of ``11h`` or ``11h@1``; None for anything else."""
    match = _PAGE_NAME.fullmatch(name)
    if match is None:
        return None
    bank = None if match[2] is None else int(match[2])
    return None if bank is not None and bank > 0xFF else (bank, int(match[1], 16))


def half_digits(image: MemoryImage, bank: int, page: int | None) -> tuple[str, ...]:
    """The 128 bytes of a half as two digits each, :data:`UNREAD_BYTE` where a byte is not known."""
    start = 0 if page is None else HALF
    digits = [UNREAD_BYTE] * HALF
    for first, data in image.known(bank, page):
        for offset, value in enumerate(data, start=first - start):
            digits[offset] = f"{value:02x}"
    return tuple(digits)


def mark_unread(image: MemoryImage, bank: int, page: int | None, numbers: Iterable[int]) -> None:
    """Mark these bytes (0..255, of one half) as not read, a run at a time."""
    first = last = -2
    for byte in sorted(numbers):
        if byte != last + 1:
            if first >= 0:
                image.mark_unread(bank, page or 0, first, last + 1 - first)
            first = byte
        last = byte
    if first >= 0:
        image.mark_unread(bank, page or 0, first, last + 1 - first)


def some_of(items: Sequence[object], most: int) -> list[str]:
    """The first ``most`` of them as texts, and how many more there are: files are untrusted."""
    shown = [str(item) for item in items[:most]]
    return shown if len(items) <= most else [*shown, f"and {len(items) - most} more"]


def halves_of(image: MemoryImage) -> tuple[tuple[int, int | None], ...]:
    """(bank, page) of every half that an image holds, lower memory (page None) first."""
    lower: tuple[tuple[int, int | None], ...] = ((0, None),) if image.has_lower else ()
    return (*lower, *image.pages())
