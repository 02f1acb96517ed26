"""What is different between two images of a module's memory, register by register.

For a module before and after a firmware update, a good and a bad one of a lot, or one before and after a
test. What changes by itself (monitors, flags, states) is told apart from what somebody set and from what the
module is.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from drivers.cmis import codes, information
from drivers.cmis.dump.formats import halves_of, page_name
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import Access, Field, Kind, Scalar, decode_bytes
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.password_bytes import PASSWORD_FIELDS, password_bytes
from drivers.cmis.quantities import is_bias_current, is_optical_power
from drivers.units import dbm_from_w

_Half = tuple[int, int | None]  # bank and page; page None for lower memory


class Category(enum.Enum):
    """What a register tells. Value: in words, as a heading."""

    MISSING = "In one of the two only"
    IDENTITY = "Identity"
    CAPABILITY = "Capabilities"
    THRESHOLD = "Thresholds"
    CONFIGURATION = "Configuration"
    STATE = "State"
    MONITOR = "Monitors"
    FLAG = "Flags"
    UNKNOWN = "Other bytes"

    @property
    def volatile(self) -> bool:
        """Whether it changes without anybody doing anything."""
        return self in (Category.STATE, Category.MONITOR, Category.FLAG)


_CATEGORIES: Mapping[int | None, tuple[tuple[int, Category], ...]] = {
    # page (None: lower memory): (last byte, category), in order. After OIF-CMIS-05.4 chapter 8.
    None: (
        (2, Category.IDENTITY),
        (7, Category.STATE),
        (13, Category.FLAG),
        (25, Category.MONITOR),
        (36, Category.CONFIGURATION),
        (38, Category.STATE),
        (40, Category.IDENTITY),
        (42, Category.STATE),
        (63, Category.CAPABILITY),
        (84, Category.UNKNOWN),
        (117, Category.CAPABILITY),
        (125, Category.CONFIGURATION),
        (127, Category.STATE),
    ),
    0x00: ((255, Category.IDENTITY),),
    0x01: ((131, Category.IDENTITY), (255, Category.CAPABILITY)),
    0x02: ((255, Category.THRESHOLD),),
    0x03: ((255, Category.CONFIGURATION),),
    0x04: ((255, Category.CAPABILITY),),
    0x10: ((255, Category.CONFIGURATION),),
    0x11: (
        (133, Category.STATE),
        (153, Category.FLAG),
        (201, Category.MONITOR),
        (205, Category.STATE),
        (234, Category.CONFIGURATION),
        (239, Category.STATE),
        (255, Category.CAPABILITY),
    ),
    0x12: (
        (167, Category.CONFIGURATION),
        (199, Category.MONITOR),
        (221, Category.CONFIGURATION),
        (230, Category.STATE),
        (238, Category.FLAG),
        (255, Category.CONFIGURATION),
    ),
    0x13: ((143, Category.CAPABILITY), (255, Category.CONFIGURATION)),
    0x14: ((131, Category.CONFIGURATION), (139, Category.FLAG), (255, Category.MONITOR)),
    **dict.fromkeys(range(0x20, 0x24), ((255, Category.CAPABILITY),)),
    **dict.fromkeys(range(0x24, 0x28), ((255, Category.MONITOR),)),
    **dict.fromkeys(range(0x28, 0x2C), ((255, Category.THRESHOLD),)),
    0x2C: ((255, Category.FLAG),),
    0x2D: ((255, Category.CONFIGURATION),),
    0x2F: ((130, Category.CAPABILITY), (144, Category.CONFIGURATION), (255, Category.STATE)),
    **dict.fromkeys(range(0x9F, 0xB0), ((255, Category.STATE),)),
}


_DIFFERS = "differs (not shown)"

_SELECTED_DATA = 192  # 14h: from here on bytes mean what the selector in 14h:128 says


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not the same.

    ``name``: of the field, empty for bytes that no field names, and for a page in one image only. ``where``:
    its address. ``lane``: 1 and up, None where there are no lanes. ``a``, ``b``: the values in ``unit``, None
    where that image does not have it, and for passwords, of which no more is told than that they differ;
    ``a_text``, ``b_text``: the same for people.
    """

    name: str
    where: str
    bank: int
    lane: int | None
    a: Scalar | None
    b: Scalar | None
    unit: str
    category: Category
    a_text: str
    b_text: str

    @property
    def volatile(self) -> bool:
        """Whether such a register changes without anybody doing anything."""
        return self.category.volatile

    def to_json(self) -> dict[str, object]:
        """The same as plain data; bytes as hexadecimal digits."""
        return {
            "name": self.name,
            "where": self.where,
            "bank": self.bank,
            "lane": self.lane,
            "a": self.a.hex() if isinstance(self.a, bytes) else self.a,
            "b": self.b.hex() if isinstance(self.b, bytes) else self.b,
            "unit": self.unit,
            "category": self.category.name.lower(),
            "volatile": self.volatile,
            "a_text": self.a_text,
            "b_text": self.b_text,
        }


def compare(a: MemoryImage, b: MemoryImage) -> tuple[Difference, ...]:
    """Everything that is different, by address: lower memory first, then page by page.

    Bias currents and their limits are given with the multiplier of each image (01h:160.4-3); where it is the
    reserved code, as they stand in the register, without a unit. Pages and bytes that only one image holds
    are of :attr:`Category.MISSING`; those that neither holds are not mentioned.
    """
    found: list[Difference] = []
    halves_a, halves_b = halves_of(a), halves_of(b)
    for half in sorted({*halves_a, *halves_b}, key=lambda key: (key[1] is not None, key[1] or 0, key[0])):
        if half not in halves_a or half not in halves_b:
            found.append(_missing(half, page_name(*half), half in halves_a, half in halves_b))
        else:
            found += _compare_half(a, b, half)
    return tuple(found)


def render_comparison(
    differences: Sequence[Difference], label_a: str = "A", label_b: str = "B", *, volatile: bool = True
) -> str:
    """Differences as text, a table for each category. ``volatile`` False leaves out, and counts, those of
    registers that change by themselves."""
    shown = [item for item in differences if volatile or not item.volatile]
    hidden = len(differences) - len(shown)
    lines: list[str] = []
    for category in Category:
        rows = [item for item in shown if item.category is category]
        if rows:
            lines += [*_table(category.value, rows, label_a, label_b), ""]
    if not shown:
        lines += ["No difference." if not hidden else "No difference but in what changes by itself.", ""]
    if hidden:
        lines.append(f"{hidden} more in monitors, flags and states, which change by themselves.")
    return "\n".join(lines).rstrip("\n") + "\n"


def _compare_half(a: MemoryImage, b: MemoryImage, half: _Half) -> Iterator[Difference]:
    hidden = password_bytes(a, *half) | password_bytes(b, *half)
    known_a, known_b = _known(a, half), _known(b, half)
    items = list(_passwords(half, hidden, known_a, known_b))
    bytes_a, bytes_b = (
        {byte: value for byte, value in known.items() if byte not in hidden} for known in (known_a, known_b)
    )
    for start, stop in _runs(bytes_a.keys() ^ bytes_b.keys()):
        where = f"{page_name(*half)}:{start}" + (f"-{stop}" if stop > start else "")
        yield _missing(half, where, start in bytes_a, start in bytes_b)
    both = bytes_a.keys() & bytes_b.keys()
    changed = {byte: bytes_a[byte] ^ bytes_b[byte] for byte in sorted(both) if bytes_a[byte] != bytes_b[byte]}
    for field in _fields_of(half[1]):
        span = range(field.byte, field.byte + field.size)
        if not any(byte in changed for byte in span) or any(byte not in both for byte in span):
            continue
        raw_a, raw_b = (bytes(known[byte] for byte in span) for known in (bytes_a, bytes_b))
        told = [(field.byte, item) for item in _compare_field(field, half[0], a, b, raw_a, raw_b)]
        items += told
        if not told:  # other bytes that decode to the same, such as another unprintable character
            continue
        for offset, mask in enumerate(_mask(field)):
            if field.byte + offset in changed:
                changed[field.byte + offset] &= ~mask
    items += ((byte, item) for byte, item in _raw(half, changed, bytes_a, bytes_b))
    yield from (item for _, item in sorted(items, key=lambda pair: pair[0]))


def _passwords(
    half: _Half, hidden: Iterable[int], known_a: Mapping[int, int], known_b: Mapping[int, int]
) -> Iterator[tuple[int, Difference]]:
    """That bytes differ which may hold a password, and nothing more of them."""
    spans = [("", start, stop) for start, stop in _runs(hidden)]
    if half[1] is None:
        fields = [FIELDS[name] for name in PASSWORD_FIELDS]
        spans = [(field.name, field.byte, field.byte + field.size - 1) for field in fields]
    for name, start, stop in spans:
        span = range(start, stop + 1)
        if any(byte in known_a and byte in known_b and known_a[byte] != known_b[byte] for byte in span):
            where = f"{page_name(0, half[1])}:{start}-{stop}"
            category = Category.UNKNOWN if not name else _category(half[1], start, Access.WO)
            yield (
                start,
                Difference(name, where, half[0], None, None, None, "", category, _DIFFERS, _DIFFERS),
            )


def _compare_field(
    field: Field, bank: int, a: MemoryImage, b: MemoryImage, raw_a: bytes, raw_b: bytes
) -> Iterator[Difference]:
    values_a, values_b = decode_bytes(field, raw_a), decode_bytes(field, raw_b)
    factor_a, factor_b = _factor(field, a), _factor(field, b)
    unit = field.unit if factor_a is not None and factor_b is not None else ""
    pairs: Iterable[tuple[int | None, Scalar, Scalar]]
    if isinstance(values_a, tuple) and isinstance(values_b, tuple):
        pairs = ((lane, *pair) for lane, pair in enumerate(zip(values_a, values_b, strict=True), start=1))
    elif not isinstance(values_a, tuple) and not isinstance(values_b, tuple):
        pairs = ((None, values_a, values_b),)
    else:  # the same field never decodes to both
        return
    for lane, raw_value_a, raw_value_b in pairs:
        value_a, value_b = _scaled(raw_value_a, factor_a), _scaled(raw_value_b, factor_b)
        if value_a != value_b:
            yield Difference(
                field.name,
                field.where,
                bank,
                lane,
                value_a,
                value_b,
                unit,
                _category(None if field.byte < HALF else field.page, field.byte, field.access),
                _text(field, value_a, a),
                _text(field, value_b, b),
            )


def _raw(
    half: _Half, changed: Mapping[int, int], bytes_a: Mapping[int, int], bytes_b: Mapping[int, int]
) -> Iterator[tuple[int, Difference]]:
    """Changed bits that no field has."""
    for start, stop in _runs({byte for byte, bits in changed.items() if bits}):
        a, b = (bytes(known[byte] for byte in range(start, stop + 1)) for known in (bytes_a, bytes_b))
        where = f"{page_name(0, half[1])}:{start}" + (f"-{stop}" if stop > start else "")
        category = _category(half[1], start, Access.RO)
        if not category.volatile:
            category = Category.UNKNOWN
        yield start, Difference("", where, half[0], None, a, b, "", category, a.hex(" "), b.hex(" "))


def _missing(half: _Half, where: str, in_a: bool, in_b: bool) -> Difference:
    texts = ("held" if present else "not held" for present in (in_a, in_b))
    return Difference("", where, half[0], None, None, None, "", Category.MISSING, *texts)


def _known(image: MemoryImage, half: _Half) -> dict[int, int]:
    return {byte: value for first, data in image.known(*half) for byte, value in enumerate(data, start=first)}


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _category(page: int | None, byte: int, access: Access) -> Category:
    if access is Access.RO_COR:
        return Category.FLAG
    for last, category in _CATEGORIES.get(page, ()):
        if byte <= last:
            return category
    return Category.UNKNOWN


@cache
def _fields_of(page: int | None) -> tuple[Field, ...]:
    """Fields of a half, in order, without those that smaller fields give bit by bit."""
    fields = [
        field
        for field in FIELDS.values()
        if (field.byte < HALF) == (page is None)
        and (page is None or field.page == page)
        and not _depends_on_selector(field)
    ]
    kept: list[Field] = []
    for field in fields:
        own = _bits_of(field)
        inner: set[int] = set()
        for other in fields:
            bits = _bits_of(other)
            if bits < own:
                inner |= bits
        if inner != own:
            kept.append(field)
    return tuple(sorted(kept, key=lambda field: field.byte))


def _depends_on_selector(field: Field) -> bool:
    """Whether a field is one of several meanings of the same bytes: what 14h:128 selects at present."""
    return field.page == 0x14 and field.byte >= _SELECTED_DATA and field.kind is not Kind.RAW


@cache
def _bits_of(field: Field) -> frozenset[int]:
    return frozenset(
        8 * (field.byte + offset) + bit
        for offset, mask in enumerate(_mask(field))
        for bit in range(8)
        if mask >> bit & 1
    )


def _mask(field: Field) -> bytes:
    """Bits of each byte that belong to a field."""
    if field.msb is None or field.lsb is None:
        return b"\xff" * field.size
    return bytes([((1 << field.bits) - 1) << field.lsb]) * field.size


def _factor(field: Field, image: MemoryImage) -> float | None:
    """What a field's value is multiplied by; None when the image gives the reserved code."""
    if not is_bias_current(field):
        return 1.0
    try:
        return float(information.bias_multiplier(image))
    except CmisError:
        return None


def _scaled(value: Scalar, factor: float | None) -> Scalar:
    return value * factor if factor not in (None, 1.0) and isinstance(value, float) else value


def _text(field: Field, value: Scalar, image: MemoryImage) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.hex(" ")
    if field.codes is not None and isinstance(value, int):
        return f"{value:X}h {_meaning(field.codes, value, image)}"
    if field.kind is Kind.F16:
        return f"{value:.3g} {field.unit}".rstrip()
    if is_optical_power(field) and isinstance(value, float) and value > 0.0:
        return f"{dbm_from_w(value):.3f} dBm"
    if isinstance(value, float):
        unit = field.unit if _factor(field, image) is not None else "(multiplier unknown)"
        return f"{value:.6g} {unit}".rstrip()
    return f"{value} {field.unit}".rstrip()


def _meaning(table: str, value: int, image: MemoryImage) -> str:
    try:
        if table == "media_interface":
            return codes.media_interface_name(information.get_int(image, "MediaType"), value)
        return codes.meaning(table, value)
    except (CmisError, KeyError):
        return ""


def _table(title: str, items: Sequence[Difference], label_a: str, label_b: str) -> list[str]:
    from drivers.cmis.description.layout import table  # one way of printing tables in the library

    heads: tuple[str, ...] = ("where", "register", "lane", label_a, label_b)
    if all(not item.name for item in items):
        heads = ("where", label_a, label_b)
        return table(title, heads, ((_where(item), item.a_text, item.b_text) for item in items))
    return table(
        title,
        heads,
        (
            (
                _where(item),
                item.name or "-",
                "-" if item.lane is None else str(item.lane),
                item.a_text,
                item.b_text,
            )
            for item in items
        ),
    )


def _where(item: Difference) -> str:
    if item.bank and "@" not in item.where:
        return f"{item.where} bank {item.bank}"
    return item.where
