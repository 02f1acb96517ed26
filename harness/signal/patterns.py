"""Test patterns, bit-exact: PRBS7 to PRBS31, their PAM4 forms (PRBS13Q and so on), SSPRQ, and patterns of
one's own.

Bits are counted in the order they are sent. Packed, eight to a byte, the first bit sent is the least
significant one (``bitorder="little"`` of :func:`numpy.packbits`), so that any stretch of bits is the same
bytes whatever the width of the words it is worked on in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.prbs import Packed, Prbs, packed_prbs
from harness.signal.waveform import LEVELS, Symbols

PRBS: Final[Mapping[str, Prbs]] = MappingProxyType(
    {
        "PRBS7": Prbs(7, (6, 7), False, 2**7 - 1, "common use; in no standard of this work"),
        "PRBS9": Prbs(9, (5, 9), False, 2**9 - 1, "ITU-T O.150 (05/96) 5.1; IEEE 802.3 68.6.1"),
        "PRBS11": Prbs(11, (9, 11), False, 2**11 - 1, "ITU-T O.150 (05/96) 5.2; IEEE 802.3 72.6.10.2.6"),
        "PRBS13": Prbs(13, (1, 2, 12, 13), False, 0b1101010100000, "IEEE 802.3 94.3.10.8, 120.5.11.2.1"),
        "PRBS15": Prbs(15, (14, 15), True, 2**15 - 1, "ITU-T O.150 (05/96) 5.3"),
        "PRBS23": Prbs(23, (18, 23), True, 2**23 - 1, "ITU-T O.150 (05/96) 5.6"),
        "PRBS31": Prbs(31, (28, 31), True, 2**31 - 1, "IEEE 802.3 49.2.8, 120.5.11.2.2; ITU-T O.150 5.8"),
    }
)
"""The generators. PRBS13 and PRBS31 were checked against published sequences; polynomials and inversion of
the others are those of the sources named, recalled and not read. A pattern lock tells a lane's inversion, so
that a generator of the other convention is found, not failed."""

_SSPRQ_SECTIONS: Final = ((0x00000002, 10924), (0x34013FF7, 10922), (0x0CCCCCCC, 10922))
_TILE_BYTES: Final = 1 << 16
_LONGEST_TILED_ORDER: Final = 15

_GRAY_PAIR: Final = np.array([0b00, 0b10, 0b11, 0b01], dtype=np.uint8)
"""The two bits of each level, the first one sent in bit 0: levels 0, 1, 2, 3 are 00, 01, 11, 10."""
_LEVEL_OF_PAIR: Final = np.argsort(_GRAY_PAIR).astype(np.uint8)
_LEVELS_OF_BYTE: Final = np.stack(
    [_LEVEL_OF_PAIR[np.arange(256) >> shift & 3] for shift in (0, 2, 4, 6)], axis=1
).astype(np.uint8)
_SIDE_BY_SIDE: Final = np.uint32(1 << 6 | 1 << 12 | 1 << 18 | 1 << 24)
_QUAD_OF_BYTE: Final = np.ascontiguousarray(_LEVELS_OF_BYTE).view(np.uint32).ravel()


def pam4_levels(packed: Packed, symbols: int) -> Symbols:
    """Gray-coded PAM4 levels of packed bits: 00, 01, 11, 10 are 0, 1, 2, 3, the first bit sent being the
    most significant (802.3 120.5.7.1).

    :param packed: at least ``2 * symbols`` bits.
    :returns: shape (symbols,), values 0..3.
    """
    if symbols > packed.size * 4:
        raise ValueError(f"{packed.size} bytes hold {packed.size * 4} symbols, not {symbols}")
    return _QUAD_OF_BYTE[packed[: (symbols + 3) // 4]].view(np.uint8)[:symbols]


def packed_levels(levels: NDArray[np.integer[Any]]) -> Packed:
    """Packed bits of Gray-coded PAM4 levels, the inverse of :func:`pam4_levels`.

    :param levels: shape (symbols,), values 0..3.
    :raises ValueError: for other values or shapes.
    """
    symbols = checked_symbols(levels, LEVELS)
    if symbols.size % 4 or not symbols.flags.c_contiguous:
        symbols = np.concatenate([symbols, np.zeros(-symbols.size % 4, dtype=np.uint8)])
    fours = symbols.view("<u4")
    result = np.empty(fours.size, dtype=np.uint8)
    block = 1 << 14  # Stays within the processor's nearest caches.
    for start in range(0, fours.size, block):
        # The product has the four levels side by side in its highest byte.
        levels_only = ((fours[start : start + block] * _SIDE_BY_SIDE) >> 24).astype(np.uint8)
        # By Gray's code a pair's second bit is the exclusive or of the level's two.
        first = (levels_only >> 1) & 0x55
        second = (levels_only & 0x55) ^ first
        np.bitwise_or(first, second << 1, out=result[start : start + block])
    return result


def checked_symbols(values: NDArray[np.integer[Any]] | NDArray[np.bool_], levels: int) -> Symbols:
    """The values as uint8.

    :raises ValueError: when they are not one row of whole numbers in 0..levels - 1.
    """
    row = np.asarray(values)
    if row.ndim != 1 or not row.size or row.dtype.kind not in "uib":
        raise ValueError(f"symbols must be one row of whole numbers, got {row.dtype} of shape {row.shape}")
    if row.dtype == np.bool_:
        return row.view(np.uint8)
    below = row.dtype.kind == "i" and int(row.min()) < 0
    if below or int(row.max()) >= levels:
        raise ValueError(f"symbols must be 0..{levels - 1}, got {row.min()}..{row.max()}")
    return row.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """An endless, repeating pattern; from :func:`pattern` or :func:`repeating_pattern`."""

    name: str
    bits_per_symbol: int
    """1 for NRZ, 2 for Gray-coded PAM4."""
    period_bits: int
    """Bits after which the row of bits repeats. Odd for a PRBS, so that its PAM4 form takes two periods."""
    prbs: Prbs | None = None
    """The generator; None for a pattern that is stored."""
    _tile: Packed | None = field(default=None, repr=False)

    @property
    def period_symbols(self) -> int:
        """Symbols after which the pattern repeats: 8191 for PRBS13Q, 65535 for SSPRQ."""
        return self.period_bits // self.bits_per_symbol if self.prbs is None else self.period_bits

    def packed(self, bits: int, *, first: int = 0) -> Packed:
        """Bits ``first``, ``first + 1``, ... packed; what is left of the last byte is zero.

        :param first: any whole number; the pattern repeats both ways.
        """
        if bits < 0:
            raise ValueError(f"a number of bits must not be below zero, got {bits}")
        start = first % self.period_bits
        if self._tile is not None:
            return _cut(self._tile, start, bits)
        if self.prbs is None:
            raise ValueError(f"{self.name} has neither a generator nor a stored period")
        return packed_prbs(self.prbs, start, bits)

    def bits(self, bits: int, *, first: int = 0) -> Symbols:
        """Bits one to a byte, shape (bits,)."""
        return np.unpackbits(self.packed(bits, first=first), count=bits, bitorder="little")

    def symbols(self, symbols: int | None = None, *, first: int = 0) -> Symbols:
        """Symbols one to a byte, shape (symbols,): levels 0..3 for PAM4, bits for NRZ.

        :param symbols: one period when not given.
        :param first: counted in symbols.
        """
        count = self.period_symbols if symbols is None else symbols
        if self.bits_per_symbol == 1:
            return self.bits(count, first=first)
        return pam4_levels(self.packed(2 * count, first=2 * first), count)


def pattern(name: str, *, inverted: bool | None = None) -> Pattern:
    """A pattern by its name: ``PRBS7``, ``9``, ``11``, ``13``, ``15``, ``23``, ``31``; the same with a ``Q``
    for Gray-coded PAM4; ``SSPRQ``. Capitals do not matter.

    ``PRBSnQ`` is the Gray coding of pairs of successive bits (802.3 120.5.11.2): its period is two of the
    bits', 2^n - 1 symbols. 802.3 defines PRBS13Q and PRBS31Q only; the others follow their rule.

    :param inverted: whether the generator's output is inverted; the convention of its source (see
        :data:`PRBS`) when not given. Not for SSPRQ.
    :raises ValueError: for a name that is none of them.
    """
    wanted = name.strip().upper()
    if wanted == "SSPRQ" and inverted is None:
        return _ssprq()
    generator = PRBS.get(wanted.removesuffix("Q"))
    if generator is None:
        known = ", ".join([*PRBS, *(f"{prbs}Q" for prbs in PRBS), "SSPRQ"])
        raise ValueError(f"{name!r} is no pattern known here (of both polarities); there are {known}")
    if inverted is not None and inverted != generator.inverted:
        generator = replace(generator, inverted=inverted)
    return prbs_pattern(wanted, generator)


def prbs_pattern(name: str, generator: Prbs) -> Pattern:
    """The pattern of a generator; PAM4 when the name ends in ``Q``."""
    tile = None
    if generator.order <= _LONGEST_TILED_ORDER:
        tile = _tile_of_prbs(generator)
    return Pattern(name, 1 + name.endswith("Q"), generator.period, generator, tile)


def repeating_pattern(
    symbols: NDArray[np.integer[Any]], *, name: str = "user pattern", bits_per_symbol: int = 2
) -> Pattern:
    """A pattern given by one period of its symbols, as a module's user pattern is.

    :param symbols: shape (symbols,): levels 0..3 for PAM4 (``bits_per_symbol=2``), bits for NRZ (1).
    :raises ValueError: for other values.
    """
    if bits_per_symbol not in (1, 2):
        raise ValueError(f"a symbol has one bit (NRZ) or two (PAM4), got {bits_per_symbol}")
    row = checked_symbols(symbols, 1 << bits_per_symbol)
    packed = packed_levels(row) if bits_per_symbol == 2 else np.packbits(row, bitorder="little")
    bits = np.unpackbits(packed, count=bits_per_symbol * row.size, bitorder="little")
    return Pattern(name, bits_per_symbol, bits.size, None, _tile(bits))


@lru_cache(maxsize=1)
def _ssprq() -> Pattern:
    """The short stress pattern random, quaternary (802.3 120.5.11.2.3): 65535 symbols made of three sections
    of PRBS31, their levels upside down, and both once more with the pairs taken one bit later."""
    generator = PRBS["PRBS31"]
    section = np.concatenate(
        [
            np.unpackbits(packed_prbs(replace(generator, seed=seed), 0, bits), count=bits, bitorder="little")
            for seed, bits in _SSPRQ_SECTIONS
        ]
    )
    twice = np.concatenate([section, section])[1:-1]
    upright, later, last = (
        pam4_levels(np.packbits(bits, bitorder="little"), bits.size // 2)
        for bits in (section, twice[:32766], twice[-32768:])
    )
    return repeating_pattern(np.concatenate([upright, 3 - upright, later, 3 - last]), name="SSPRQ")


@lru_cache(maxsize=32)
def _tile_of_prbs(generator: Prbs) -> Packed:
    period = generator.period
    return _tile(np.unpackbits(packed_prbs(generator, 0, period), count=period, bitorder="little"))


def _tile(bits: Symbols) -> Packed:
    """Whole periods on whole bytes, read-only, and enough of them that cutting takes few steps."""
    tile = np.packbits(np.tile(bits, 8), bitorder="little")
    tile = np.tile(tile, -(-_TILE_BYTES // tile.size))
    tile.setflags(write=False)
    return tile


def _cut(tile: Packed, first: int, bits: int) -> Packed:
    size = -(-bits // 8)
    shift = first % 8
    row = np.empty(size + 1, dtype=np.uint8)
    place, done = first // 8 % tile.size, 0
    while done < row.size:
        piece = tile[place : place + row.size - done]
        row[done : done + piece.size] = piece
        done, place = done + piece.size, 0
    result = row[:size]
    if shift:
        result = row[:size] >> np.uint8(shift)
        result |= row[1:] << np.uint8(8 - shift)
    if bits % 8:
        result[-1] &= (1 << bits % 8) - 1
    return result
