"""Flags that are set, by name: read from a module, which clears them, or found in an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from drivers.cmis.fields import LANES, Access, Field, Kind, ReadableImage
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.memory_map import FIELDS

_LANES = range(1, LANES + 1)


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags that were latched since they were last read. ``lanes``: flag name to lanes (1..8)."""

    module: tuple[str, ...]
    lanes: Mapping[str, tuple[int, ...]]


def read_latched(source: ReadableImage, bank: int = 0) -> Flags:
    """Latched flags of lower memory and of page 11h. Each byte is read once, which clears it.

    :raises CmisError: when the module cannot be read.
    """
    image = MemoryImage()
    image.add_page(bank, 0x11)
    tables = _tables()
    for fields, page in ((tables.module, 0x00), (tables.lanes[0x11], 0x11)):
        first = min(field.byte for field in fields)
        last = max(field.byte for field in fields)
        image.put(bank, page, first, source.get(bank, page, first, last - first + 1))
    return flags_of(image, bank)


def flags_of(image: MemoryImage, bank: int = 0) -> Flags:
    """Flags that are set in an image, as far as it holds lower memory and pages with lane flags.

    :raises BytesNotReadError: when it holds a page, but not its flags.
    """
    tables = _tables()
    module: tuple[str, ...] = ()
    if image.has_lower:
        module = tuple(
            [
                field.name
                for field, raw in _with_bytes(image, bank, tables.module)
                if any(raw) and field.decoder(raw)
            ]
        )
    lanes = {}
    for page, fields in tables.lanes.items():
        if image.has(bank, page):
            for field, raw in _with_bytes(image, bank, fields):
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
