"""Flags that are set, by name: read from a module, which clears them, or found in an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from drivers.cmis import information
from drivers.cmis.errors import BytesNotReadError, CmisError
from drivers.cmis.fields import LANES, Access, Field, Kind, ReadableImage
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.ports import AccessLimits, HasLimits
from drivers.errors import BenchError

_LANES = range(1, LANES + 1)


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags that were latched since they were last read. ``lanes``: flag name to lanes (1..8)."""

    module: tuple[str, ...]
    lanes: Mapping[str, tuple[int, ...]]


def read_latched(source: ReadableImage, bank: int = 0) -> Flags:
    """Latched flags of lower memory and, unless the memory is flat, of page 11h.

    Each byte is read once, which clears it. An exception on the way has what was read until then in its
    attribute ``flags_read`` (:class:`Flags`).

    :raises CmisError: when the module cannot be read.
    """
    image = MemoryImage()
    tables = _tables()
    flat = information.get_int(source, "MemoryModel")
    for fields, page in ((tables.module, 0x00), (tables.lanes[0x11], 0x11)):
        if page:
            if flat:
                break
            image.add_page(bank, page)
        first = min(field.byte for field in fields)
        last = max(field.byte + field.size for field in fields) - 1
        error = read_into(image, source, bank, page, first, last)
        if error is not None:
            attach(error, "flags_read", _flags_in(image, bank, known_only=True))
            raise error
    return flags_of(image, bank)


def read_into(
    image: MemoryImage, source: ReadableImage, bank: int, page: int, first: int, last: int
) -> CmisError | BenchError | None:
    """Read bytes of flags into an image, one access of the source at a time; returns what ended it, if
    anything did. Bytes that did not come are marked as unread."""
    limits = source.limits if isinstance(source, HasLimits) else AccessLimits(read=HALF)
    longest = limits.longest_read(page if first >= HALF else None)
    for start in range(first, last + 1, longest):
        try:
            data = source.get(bank, page, start, min(longest, last + 1 - start))
        except (CmisError, BenchError) as error:
            image.mark_unread(bank, page, start, last + 1 - start)
            return error
        image.put(bank, page, start, data)
    return None


def attach(error: Exception, name: str, what: object) -> None:
    """Have an exception carry what was read before it: the module has forgotten it."""
    vars(error)[name] = what
    error.add_note(f"Read before this happened, and cleared by that: {what}")


def flags_of(image: MemoryImage, bank: int = 0) -> Flags:
    """Flags that are set in an image, as far as it holds lower memory and pages with lane flags.

    :raises BytesNotReadError: when it holds a page, but not its flags.
    """
    return _flags_in(image, bank)


def _flags_in(image: MemoryImage, bank: int, *, known_only: bool = False) -> Flags:
    """``known_only``: leave out flags whose bytes the image does not hold."""
    tables = _tables()
    with_bytes = _with_known_bytes if known_only else _with_bytes
    module: tuple[str, ...] = ()
    if image.has_lower:
        module = tuple(
            [
                field.name
                for field, raw in with_bytes(image, bank, tables.module)
                if any(raw) and field.decoder(raw)
            ]
        )
    lanes = {}
    for page, fields in tables.lanes.items():
        if image.has(bank, page):
            for field, raw in with_bytes(image, bank, fields):
                if any(raw):  # most have none
                    lanes[field.name] = tuple(lane for lane in _LANES if raw[0] >> lane - 1 & 1)
    return Flags(module, lanes)


@dataclass(frozen=True, slots=True)
class _Tables:
    """Latched flags of lower memory, and of each page that has some with a bit for each lane."""

    module: tuple[Field, ...]
    lanes: Mapping[int, tuple[Field, ...]]


@cache
def _tables() -> _Tables:
    latched = [field for field in FIELDS.values() if field.access is Access.RO_COR]
    lanes: dict[int, tuple[Field, ...]] = {}
    for field in latched:
        if field.kind is Kind.LANE_BITS:
            lanes[field.page] = (*lanes.get(field.page, ()), field)
    return _Tables(tuple(field for field in latched if field.byte < HALF), lanes)


def _with_bytes(image: MemoryImage, bank: int, fields: tuple[Field, ...]) -> Iterator[tuple[Field, bytes]]:
    """Each field with its bytes; neighbours are fetched in one piece."""
    first = fields[0].byte
    last = max(field.byte + field.size for field in fields)
    block = image.get(bank, fields[0].page, first, last - first)
    for field in fields:
        start = field.byte - first
        yield field, block[start : start + field.size]


def _with_known_bytes(
    image: MemoryImage, bank: int, fields: tuple[Field, ...]
) -> Iterator[tuple[Field, bytes]]:
    for field in fields:
        try:
            yield field, image.get(bank, field.page, field.byte, field.size)
        except BytesNotReadError:
            continue
