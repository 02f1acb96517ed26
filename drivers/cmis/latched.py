"""Which bytes lose what they hold by being read: the latched flags (OIF-CMIS-05.4 section 8.1, RO/COR)."""

from __future__ import annotations

from functools import cache

from drivers.cmis.fields import Access
from drivers.cmis.image import HALF

_UNNAMED: dict[int | None, range] = {
    # Flag bytes that no table of ours names: their masks lie in lower:35-36. 12 is reserved, 13 is custom.
    None: range(8, 14),
    0x2C: range(HALF, 2 * HALF),
}


def clear_on_read_bytes(page: int | None) -> frozenset[int]:
    """Absolute bytes of a page (None: lower memory) that are cleared by being read.

    The same in every bank. Of pages that the register tables do not know, none.
    """
    return _of_all_pages().get(page, frozenset())


@cache
def _of_all_pages() -> dict[int | None, frozenset[int]]:
    from drivers.cmis.memory_map import FIELDS  # not at import: who never asks never pays for the tables

    found: dict[int | None, set[int]] = {page: set(bytes_) for page, bytes_ in _UNNAMED.items()}
    for field in FIELDS.values():
        if field.access is Access.RO_COR:
            page = None if field.byte < HALF else field.page
            found.setdefault(page, set()).update(range(field.byte, field.byte + field.size))
    return {page: frozenset(bytes_) for page, bytes_ in found.items()}


def holds_flags(page: int | None, byte: int, length: int) -> bool:
    """Whether reading this span clears something."""
    return not clear_on_read_bytes(page).isdisjoint(range(byte, byte + length))
