"""A module's memory as its registers behave: which bits the host may write, and what reading does.

The rules come from the register tables of :mod:`drivers.cmis`, bit by bit; this file knows no address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from drivers.cmis.fields import Access, Field, Kind
from drivers.cmis.image import HALF, check_span, page_key
from drivers.cmis.memory_map import FIELDS

LOWER = -1
"""Page number under which lower memory is kept here."""


@dataclass(frozen=True, slots=True)
class Half:
    """Rules of 128 bytes: one mask of bits per byte.

    ``writable``: the host's value is kept; ``trigger``: the host's value is handed to the module and reads
    as 0; ``clear_on_read``: latched bits.
    """

    writable: bytes
    trigger: bytes
    clear_on_read: bytes
    latches: bool = dataclass_field(init=False)
    """Whether any bit is latched."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "latches", any(self.clear_on_read))


_NO_RULES = Half(bytes(HALF), bytes(HALF), bytes(HALF))


def _field_bits(field: Field) -> int:
    if field.kind in (Kind.UINT, Kind.SINT) and field.msb is not None and field.lsb is not None:
        return (1 << field.msb - field.lsb + 1) - 1 << field.lsb
    return 0xFF


def half_of(field: Field) -> int:
    """Under which page number the field's half is kept."""
    return LOWER if field.byte < HALF else field.page


def rules_from_fields(fields: Iterable[Field]) -> dict[int, Half]:
    """Rules per half, from the fields' access."""
    masks: dict[int, tuple[bytearray, bytearray, bytearray]] = {}
    for field in fields:
        kinds = masks.setdefault(half_of(field), (bytearray(HALF), bytearray(HALF), bytearray(HALF)))
        bits = _field_bits(field)
        for index in range(field.byte % HALF, field.byte % HALF + field.size):
            if field.access is Access.RW:
                kinds[0][index] |= bits
            elif field.access in (Access.WO, Access.RW_SC):
                kinds[1][index] |= bits
            elif field.access is Access.RO_COR:
                kinds[2][index] |= bits
    return {page: Half(*(bytes(mask) for mask in kinds)) for page, kinds in masks.items()}


RULES = rules_from_fields(FIELDS.values())
"""Rules of every half that the register tables describe."""


def rules_without(absent: Collection[str]) -> Mapping[int, Half]:
    """:data:`RULES` of a module that does not have these fields: what is written there is lost."""
    if not absent:
        return RULES
    rules = dict(RULES)
    for name in absent:
        field = FIELDS[name]
        page = half_of(field)
        old = rules[page]
        masks = [bytearray(old.writable), bytearray(old.trigger)]
        for mask in masks:
            for index in range(field.byte % HALF, field.byte % HALF + field.size):
                mask[index] &= ~_field_bits(field) & 0xFF
        rules[page] = Half(bytes(masks[0]), bytes(masks[1]), old.clear_on_read)
    return rules


class Registers:
    """The memory of one module instance.

    :meth:`get` and :meth:`put` are the module's own view (no rules, no side effects), in the shape that
    :func:`drivers.cmis.fields.decode` and ``encode`` use; :meth:`host_write` and :meth:`host_read` are what
    the two-wire interface does.
    """

    def __init__(
        self,
        pages: Iterable[tuple[int, int]],
        *,
        selectable: Iterable[tuple[int, int]] | None = None,
        absent: Collection[str] = (),
        lasting: Collection[tuple[int, int]] = (),
    ) -> None:
        """``pages``: (bank, page) of the upper pages that the module works with; ``selectable``: those of
        them that a host can select (all); ``absent``: fields that it does not have; ``lasting``: pages that
        are non-volatile."""
        self._lower = bytearray(HALF)
        self._pages = {page_key(bank, page): bytearray(HALF) for bank, page in pages}
        shown = self._pages if selectable is None else selectable
        self._selectable = frozenset(page_key(bank, page) for bank, page in shown)
        self._lasting = frozenset(lasting)
        self._rules = rules_without(absent)

    def has(self, bank: int, page: int) -> bool:
        """Whether the module works with this page in this bank."""
        return page_key(bank, page) in self._pages

    def selectable(self, bank: int, page: int) -> bool:
        """Whether a host that selects this page gets it."""
        return page_key(bank, page) in self._selectable

    def clear(self) -> None:
        """All bytes to 0, as after power-on, but those of lasting pages."""
        self._lower[:] = bytes(HALF)
        for key, half in self._pages.items():
            if key not in self._lasting:
                half[:] = bytes(HALF)

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """The module's own read."""
        check_span(byte, length)
        return bytes(self._half(bank, page, byte)[byte % HALF : byte % HALF + length])

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """The module's own write."""
        check_span(byte, len(data))
        self._half(bank, page, byte)[byte % HALF : byte % HALF + len(data)] = data

    def number(self, bank: int, page: int, byte: int, length: int) -> int:
        """Bytes as one number, the first byte the highest; for masks that are looked at often."""
        half = self._lower if byte < HALF else self._pages[page_key(bank, page)]
        return int.from_bytes(half[byte % HALF : byte % HALF + length])

    def bit(self, name: str) -> bool:
        """Whether a field of one bit in bank 0 is set."""
        field = FIELDS[name]
        assert field.lsb is not None
        return bool(self.get(0, field.page, field.byte, 1)[0] >> field.lsb & 1)

    def lane_mask(self, name: str) -> int:
        """A field of bank 0 with one bit per lane: bit i - 1 for lane i."""
        field = FIELDS[name]
        assert field.kind is Kind.LANE_BITS
        return self.get(0, field.page, field.byte, 1)[0]

    def put_bits(self, page: int, byte: int, bits: int, value: int) -> None:
        """The module's own write of some bits of one byte of bank 0."""
        half = self._half(0, page, byte)
        half[byte % HALF] = half[byte % HALF] & ~bits & 0xFF | value & bits

    def latch(self, bank: int, page: int, byte: int, bits: int) -> None:
        """Set bits of a latched flag byte."""
        self._half(bank, page, byte)[byte % HALF] |= bits

    def host_write(self, bank: int, page: int, byte: int, value: int) -> int:
        """The host writes one byte: bits it may write are kept.

        Returns what triggers the module sees (bits of write-only and self-clearing registers).
        """
        rules = self._rules.get(LOWER if byte < HALF else page, _NO_RULES)
        half = self._half(bank, page, byte)
        index = byte % HALF
        writable = rules.writable[index]
        half[index] = half[index] & ~writable & 0xFF | value & writable
        return value & rules.trigger[index]

    def host_read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """The host reads bytes within one half: latched bits are cleared by it."""
        half = self._lower if byte < HALF else self._pages[page_key(bank, page)]
        start = byte % HALF
        stop = start + length
        data = bytes(half[start:stop])
        rules = self._rules.get(LOWER if byte < HALF else page)
        if rules is None or not rules.latches:
            return data
        latched = int.from_bytes(data) & int.from_bytes(rules.clear_on_read[start:stop])
        if latched:
            half[start:stop] = (int.from_bytes(data) ^ latched).to_bytes(length)
        return data

    def _half(self, bank: int, page: int, byte: int) -> bytearray:
        return self._lower if byte < HALF else self._pages[page_key(bank, page)]
