"""Flags that are set, by name: read from a module, which clears them, or found in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.fields import Access, Field, Kind, ReadableImage
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.memory_map import FIELDS


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
    module_fields = [field for field in FIELDS.values() if _latched(field) and field.byte < HALF]
    lane_fields = [field for field in FIELDS.values() if _latched(field) and field.page == 0x11]
    for fields, page in ((module_fields, 0x00), (lane_fields, 0x11)):
        first, last = min(field.byte for field in fields), max(field.byte for field in fields)
        image.put(bank, page, first, source.get(bank, page, first, last - first + 1))
    return flags_of(image, bank)


def flags_of(image: MemoryImage, bank: int = 0) -> Flags:
    """Flags that are set in an image, as far as it holds lower memory and pages with lane flags.

    :raises BytesNotReadError: when it holds a page, but not its flags.
    """
    module = tuple(
        field.name
        for field in FIELDS.values()
        if _latched(field)
        and field.byte < HALF
        and image.has_lower
        and information.get_int(image, field.name)
    )
    lanes = {
        field.name: found
        for field in FIELDS.values()
        if _latched(field) and field.kind is Kind.LANE_BITS and image.has(bank, field.page)
        if (found := information.lanes_set(image, field.name, bank))
    }
    return Flags(module, lanes)


def _latched(field: Field) -> bool:
    return field.access is Access.RO_COR
