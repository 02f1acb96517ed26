"""Registers as data: what a field is, where it lies, and how its value is read from and written to bytes.

The tables in :mod:`drivers.cmis.pages` are lists of :class:`Field`; nothing else in the library knows a
register's address. The same tables serve a host that decodes and a module (or a test) that encodes.
"""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache
from typing import Protocol, TypeAlias

LANES = 8
"""Host or media lanes of one bank."""

_STRUCT_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}

Scalar: TypeAlias = int | float | str | bytes
Value: TypeAlias = Scalar | tuple[Scalar, ...]


class Access(enum.Enum):
    """How the host may use a register (OIF-CMIS-05.4 §8.1)."""

    RO = "read only"
    RW = "read and write"
    WO = "write only: reads as 0, a write triggers something"
    RO_COR = "latched by the module, cleared by reading"
    RW_SC = "written by the host, cleared by the module"


class Kind(enum.Enum):
    """How bytes become a value."""

    UINT = "unsigned integer, or a range of bits within one byte"
    SINT = "two's complement integer, or a range of bits within one byte"
    ASCII = "text, padded with spaces at its end"
    RAW = "bytes as they are"
    F16 = "m * 10**(s - 24) with s in the upper 5 bits and m in the lower 11"
    LANE_BITS = "one byte, bit i-1 for lane i; decodes to a tuple of 8 bools"
    LANE_NIBBLES = "half a byte for each lane, the odd lane in the low half"


class ReadableImage(Protocol):
    """Where :func:`decode` reads."""

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """``length`` bytes from ``byte``."""


class WritableImage(ReadableImage, Protocol):
    """Where :func:`encode` writes."""

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on."""


@dataclass(frozen=True, slots=True)
class Field:
    """One register, or the same register of several lanes.

    A value is ``raw * scale + offset`` in ``unit``; ``scale`` and ``offset`` of 1 and 0 give plain
    integers. ``page`` is 0 for lower memory (``byte`` below 128). ``lanes`` above 1: one element per lane
    in consecutive bytes, decoded to a tuple. ``codes`` names the table that explains the value
    (:func:`drivers.cmis.codes.table`). ``since``: CMIS revision that defines it.
    """

    name: str
    page: int
    byte: int
    kind: Kind
    length: int = 1
    msb: int | None = None
    lsb: int | None = None
    lanes: int = 1
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    access: Access = Access.RO
    banked: bool = False
    codes: str | None = None
    since: str = "4.0"
    little_endian: bool = False
    doc: str = ""
    size: int = dataclass_field(init=False, repr=False, compare=False)
    """Bytes from the first to the last one used."""
    _decoder: Callable[[bytes], Value] | None = dataclass_field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self._size())
        end = self.byte + self.size
        if self.byte < 0 or end > 256 or self.byte < 128 < end:
            raise ValueError(f"field {self.name}: bytes {self.byte}..{end - 1} are not within one half")
        if self.byte < 128 and self.page:
            raise ValueError(f"field {self.name}: lower memory is page 0")
        if (self.msb is None) != (self.lsb is None):
            raise ValueError(f"field {self.name}: msb and lsb come together")
        if self.msb is not None and self.lsb is not None and not 0 <= self.lsb <= self.msb <= 7:
            raise ValueError(f"field {self.name}: bits {self.msb}..{self.lsb} are not within a byte")
        if self.msb is not None and (self.length != 1 or self.kind not in (Kind.UINT, Kind.SINT)):
            raise ValueError(f"field {self.name}: a range of bits is of one byte and of an integer")
        if self.kind in (Kind.UINT, Kind.SINT, Kind.F16) and self.length not in _STRUCT_CODES:
            raise ValueError(f"field {self.name}: numbers have 1, 2, 4 or 8 bytes, not {self.length}")

    def _size(self) -> int:
        if self.kind is Kind.LANE_NIBBLES:
            return (self.lanes + 1) // 2
        if self.kind is Kind.LANE_BITS:
            return 1
        return self.length * self.lanes

    @property
    def decoder(self) -> Callable[[bytes], Value]:
        """What makes a value of the field's ``size`` bytes; put together once, when it is first needed."""
        if self._decoder is None:
            object.__setattr__(self, "_decoder", _decoder_of(self))
        return self._decoder or _decoder_of(self)

    @property
    def bits(self) -> int:
        """Bits of one integer element."""
        if self.msb is not None and self.lsb is not None:
            return self.msb - self.lsb + 1
        return 8 * self.length

    @property
    def where(self) -> str:
        """Address for people: ``lower:3.3-1``, ``11h:202-205``."""
        page = "lower" if self.byte < 128 else f"{self.page:02X}h"
        last = self.byte + self.size - 1
        span = f"{self.byte}" if last == self.byte else f"{self.byte}-{last}"
        if self.msb is None:
            return f"{page}:{span}"
        bits = f"{self.msb}" if self.msb == self.lsb else f"{self.msb}-{self.lsb}"
        return f"{page}:{span}.{bits}"


def decode(field: Field, memory: ReadableImage, bank: int = 0) -> Value:
    """Read a field's value.

    Scalars for single registers; a tuple of ``lanes`` elements (lane 1 first) for lane registers;
    8 bools for :attr:`Kind.LANE_BITS`. Text never raises: see :func:`decode_text`.

    :raises CmisError: what ``memory.get`` raises when the page is not there.
    """
    raw = memory.get(bank if field.banked else 0, field.page, field.byte, field.size)
    return field.decoder(raw)


def decode_bytes(field: Field, raw: bytes) -> Value:
    """Value of a field from its ``field.size`` bytes."""
    return field.decoder(raw)


def encode(field: Field, value: Value | Sequence[Scalar], memory: WritableImage, bank: int = 0) -> None:
    """Write a field's value; the inverse of :func:`decode`.

    Bits of the same byte that belong to other fields are kept. Scaled values go to the nearest step.
    :attr:`Kind.LANE_BITS` takes 8 truth values, or the byte itself.

    :raises ValueError: when the register cannot hold the value: nothing is clipped, nothing is written.
    :raises CmisError: what ``memory`` raises when the page is not there.
    """
    selected = bank if field.banked else 0
    old = b""
    if field.msb is not None or (field.kind is Kind.LANE_NIBBLES and field.lanes % 2):
        old = memory.get(selected, field.page, field.byte, field.size)
    memory.put(selected, field.page, field.byte, encode_bytes(field, value, old))


def encode_bytes(field: Field, value: Value | Sequence[Scalar], old: bytes = b"") -> bytes:
    """Bytes of a field's value. ``old``: what the register holds, of which unrelated bits are kept.

    :raises ValueError: when the register cannot hold the value.
    """
    if field.kind is Kind.LANE_BITS:
        return bytes([_mask(field, value)])
    if field.lanes == 1:
        if isinstance(value, tuple):
            raise _unfit(field, value, "it holds one value")
        return _encode_element(field, value, old)
    if isinstance(value, (str, bytes, int, float)) or len(value) != field.lanes:
        raise _unfit(field, value, f"it holds one value for each of {field.lanes} lanes")
    if field.kind is Kind.LANE_NIBBLES:
        data = bytearray(old or bytes(field.size))
        for index, item in enumerate(value):
            code = _integer(field, item, 0, 0xF)
            shift = 4 * (index % 2)
            data[index // 2] = data[index // 2] & ~(0xF << shift) & 0xFF | code << shift
        return bytes(data)
    step = field.length
    return b"".join(
        _encode_element(field, item, old[index * step : (index + 1) * step])
        for index, item in enumerate(value)
    )


def decode_text(raw: bytes) -> str:
    """Untrusted text of a module: padding removed; whatever is not printable ASCII becomes U+FFFD."""
    text = raw.rstrip(b" \0")
    if text.isascii() and (shown := text.decode("ascii")).isprintable():
        return shown
    return "".join(chr(code) if 0x20 <= code < 0x7F else "\ufffd" for code in text)


def f16_to_float(raw: int) -> float:
    """Value of a CMIS F16 (OIF-CMIS-05.4 §8.1): bits 15-11 are s, bits 10-0 are m."""
    # By way of decimal text, which is rounded once: 495e-10 is exactly what 4.95e-8 reads as.
    return float(f"{raw & 0x7FF}e{(raw >> 11) - 24}")


def f16_from_float(value: float) -> int:
    """The nearest CMIS F16, with the smallest exponent that holds it (relative error at most 0.25 %).

    :raises ValueError: for negative, not finite or too large values.
    """
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"F16 holds finite values from 0 on, not {value}")
    for exponent in range(32):
        mantissa = round(value * 10.0 ** (24 - exponent)) if value < 1e11 else 0x800
        if mantissa <= 0x7FF:
            return exponent << 11 | mantissa
    raise ValueError(f"F16 holds at most 2047e7, not {value}")


def _decoder_of(field: Field) -> Callable[[bytes], Value]:
    """The function from a field's bytes to its value, with all that is known beforehand worked in."""
    if field.kind is Kind.LANE_BITS:
        lane_bits = _lane_bits()
        return lambda raw: lane_bits[raw[0]]
    if field.kind is Kind.LANE_NIBBLES:
        places = tuple((index // 2, 4 * (index % 2)) for index in range(field.lanes))
        return lambda raw: tuple(raw[byte] >> shift & 0xF for byte, shift in places)
    step = field.length
    if field.kind in (Kind.ASCII, Kind.RAW):
        one: Callable[[bytes], Scalar] = decode_text if field.kind is Kind.ASCII else bytes
        if field.lanes == 1:
            return one
        return lambda raw: tuple(one(raw[start : start + step]) for start in range(0, len(raw), step))
    value_of = _number_decoder(field)
    unpack = struct.Struct(f"{'<' if field.little_endian else '>'}{field.lanes}{_STRUCT_CODES[step]}").unpack
    if field.lanes > 1:
        return lambda raw: tuple([value_of(number) for number in unpack(raw)])
    return lambda raw: value_of(unpack(raw)[0])


def _number_decoder(field: Field) -> Callable[[int], Scalar]:
    """From an unsigned integer to a number in the field's unit."""
    if field.kind is Kind.F16:
        return f16_to_float
    low = field.lsb or 0
    mask = (1 << field.bits) - 1
    sign = 1 << field.bits - 1 if field.kind is Kind.SINT else 0
    scale, offset, step = field.scale, field.offset, int(field.offset)
    plain = _is_plain(field)

    def whole(number: int) -> int:
        return ((number >> low & mask) ^ sign) - sign + step

    def scaled(number: int) -> float:
        return (((number >> low & mask) ^ sign) - sign) * scale + offset

    return whole if plain else scaled


@cache
def _lane_bits() -> tuple[tuple[bool, ...], ...]:
    """The 8 truth values of each byte."""
    return tuple(tuple(bool(byte >> index & 1) for index in range(LANES)) for byte in range(256))


def _encode_element(field: Field, value: object, old: bytes) -> bytes:
    order = "little" if field.little_endian else "big"
    if field.kind is Kind.ASCII:
        return _encode_text(field, value)
    if field.kind is Kind.RAW:
        if not isinstance(value, bytes) or len(value) != field.length:
            raise _unfit(field, value, f"it holds {field.length} bytes")
        return value
    if field.kind is Kind.F16:
        return f16_from_float(_number(field, value)).to_bytes(2, "little" if field.little_endian else "big")
    low, high = 0, (1 << field.bits) - 1
    if field.kind is Kind.SINT:
        low, high = -(1 << field.bits - 1), (1 << field.bits - 1) - 1
    if _is_plain(field):
        number = _integer(field, value, low + int(field.offset), high + int(field.offset)) - int(field.offset)
    else:
        number = round((_number(field, value) - field.offset) / field.scale)
        if not low <= number <= high:
            limits = f"{low * field.scale + field.offset:g}..{high * field.scale + field.offset:g}"
            raise _unfit(field, value, f"it holds {limits} {field.unit}".rstrip())
    number &= (1 << field.bits) - 1
    if field.msb is not None and field.lsb is not None:
        kept = (old[0] if old else 0) & ~(((1 << field.bits) - 1) << field.lsb)
        return bytes([kept | number << field.lsb])
    return number.to_bytes(field.length, "little" if order == "little" else "big")


def _encode_text(field: Field, value: object) -> bytes:
    if not isinstance(value, str):
        raise _unfit(field, value, "it holds text")
    if len(value) > field.length or not all(" " <= character <= "~" for character in value):
        raise _unfit(field, value, f"it holds up to {field.length} printable ASCII characters")
    return value.encode("ascii").ljust(field.length)


def _mask(field: Field, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFF:
        return value
    if isinstance(value, (tuple, list)) and len(value) == LANES:
        return sum(1 << index for index, item in enumerate(value) if item)
    raise _unfit(field, value, f"it holds one bit for each of {LANES} lanes")


def _is_plain(field: Field) -> bool:
    return field.scale == 1.0 and field.offset == int(field.offset)


def _integer(field: Field, value: object, low: int, high: int) -> int:
    if isinstance(value, int) and low <= value <= high:
        return value
    raise _unfit(field, value, f"it holds integers {low}..{high}")


def _number(field: Field, value: object) -> float:
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise _unfit(field, value, "it holds finite numbers")


def _unfit(field: Field, value: object, reason: str) -> ValueError:
    return ValueError(f"{field.name} ({field.where}) cannot hold {value!r}: {reason}")
