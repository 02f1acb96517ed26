"""Section ``[memory]`` of a profile: bytes of a real module, as a dump of it has them."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cmis.dump.formats import UNREAD_BYTE, parse_page_name
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF
from harness.tables import Table

LOWER = "lower"
_NEEDED = ((0, None), (0, 0x00))


@dataclass(frozen=True, slots=True)
class MemoryHalf:
    """128 bytes of a module; ``page`` None: lower memory. ``unread``: positions (0..127) of bytes that nobody
    read, which are 0 in ``data``."""

    bank: int
    page: int | None
    data: bytes
    unread: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MemoryProfile:
    """``halves``: lower memory and pages; empty: the memory is made from the other sections.

    ``frozen``: the memory stands still as it is written here; else it is the base on which the simulated
    module works. It means nothing without halves.
    """

    frozen: bool = True
    halves: tuple[MemoryHalf, ...] = ()

    @property
    def stands_still(self) -> bool:
        """Whether the module is nothing but these bytes."""
        return self.frozen and bool(self.halves)


def read_memory(table: Table) -> MemoryProfile:
    """The section that ``table`` holds; complaints are the table's."""
    frozen = table.boolean("frozen", True)
    pages = table.table("pages", required=False)
    halves: dict[tuple[int, int | None], MemoryHalf] = {}
    for name in pages.names():
        place = _place(pages, name)
        half = _half(pages, name, place) if place else None
        if place is None or half is None:
            continue
        if place in halves:
            pages.complain(name, "is there twice, by another spelling of its name")
        halves[place] = half
    if pages.names():
        for bank, page in _NEEDED:
            if (bank, page) not in halves:
                pages.complain(LOWER if page is None else "00h", "is missing; no module is without it")
    table.end()
    return MemoryProfile(frozen, tuple(halves.values()))


def _place(pages: Table, name: str) -> tuple[int, int | None] | None:
    if name == LOWER:
        return 0, None
    place = parse_page_name(name)
    if place is None:
        pages.complain(name, 'is no name of a page; expected "lower", "00h", or in bank 1 "11h@1"')
        return None
    bank, page = place[0] or 0, place[1]
    if bank and page < FIRST_BANKED_PAGE:
        pages.complain(name, "pages below 10h have no banks")
        return None
    return bank, page


def _half(pages: Table, name: str, place: tuple[int, int | None]) -> MemoryHalf | None:
    digits = "".join(pages.text(name).split())
    if not digits:
        if not isinstance(pages.raw(name), str):
            return None  # complained about
        pages.complain(name, f"is empty; expected {2 * HALF} hexadecimal digits")
        return None
    pairs = [digits[index : index + 2] for index in range(0, len(digits), 2)]
    unread = frozenset(index for index, pair in enumerate(pairs) if pair == UNREAD_BYTE)
    try:
        data = bytes.fromhex("".join("00" if index in unread else pair for index, pair in enumerate(pairs)))
    except ValueError:
        pages.complain(name, f"expected hexadecimal digits, or {UNREAD_BYTE} for a byte that was not read")
        return None
    if len(data) != HALF:
        pages.complain(name, f"expected {HALF} bytes of 2 hexadecimal digits each, found {len(data)}")
        return None
    return MemoryHalf(place[0], place[1], data, unread)
