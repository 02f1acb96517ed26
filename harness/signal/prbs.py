"""Pseudo-random bit sequences: generation as fast as memory, jumps to any place, and the place of any
window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]
"""Eight bits to a byte, the first one sent being the least significant."""

_WORD_BITS: Final = 64
_BLOCK_WORDS: Final = 1 << 12
"""Longest stretch made at once: what it is made from is then still in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Prbs:
    """A linear feedback shift register of greatest period, S0..S(order - 1).

    The exclusive or of the tapped stages enters S0 and is the output: each bit is that of the bits sent
    ``taps`` before it.
    """

    order: int
    taps: tuple[int, ...]
    """Ascending; the last is the order. Tap t is the register's stage S(t - 1)."""
    inverted: bool
    """Whether the output is inverted (the register is not)."""
    seed: int
    """The register before the first bit; bit i of it is S(i)."""
    source: str

    def __post_init__(self) -> None:
        if not self.taps or self.taps[-1] != self.order or list(self.taps) != sorted(set(self.taps)):
            raise ValueError(f"taps must ascend and end in the order {self.order}, got {self.taps}")
        if not 0 < self.seed < 1 << self.order:
            raise ValueError(f"a seed of {self.order} bits must not be 0, got {self.seed:#x}")

    @property
    def period(self) -> int:
        """2^order - 1 bits."""
        return (1 << self.order) - 1

    def window(self, place: int) -> int:
        """The register's ``order`` output bits from a place on, before inversion; bit i is bit place + i."""
        start = _first_window(self)
        remainder = _power_of_x(place % self.period, self)
        result = 0
        for bit in range(self.order):
            result |= ((remainder & start).bit_count() & 1) << bit
            remainder = _times_x(remainder, self)
        return result

    def place(self, window: int) -> int:
        """The place, 0..period - 1, at which a window stands; the inverse of :meth:`window`.

        :raises ValueError: for a window of zeros, which stands nowhere, or one that is too long.
        """
        if not 0 < window < 1 << self.order:
            raise ValueError(f"no window of {self.order} bits: {window:#x}")
        windows, places, stride = _nearest_windows(self)
        # The first place of the ones below that is met by going on in strides.
        ahead = _strides(window, -(-self.period // stride), stride, self)
        found = np.searchsorted(windows, ahead)
        found[found == windows.size] = 0
        hit = int(np.flatnonzero(windows[found] == ahead)[0])
        return (int(places[found[hit]]) - hit * stride) % self.period


def packed_prbs(generator: Prbs, first: int, bits: int) -> Packed:
    """Output bits ``first``, ``first + 1``, ... packed, shape (ceil(bits / 8),); the rest of the last byte is
    zero.

    The polynomial squared k times has the same sequence among its solutions, with lags 2^k as long: so
    whole stretches of words are made by one exclusive or, and never a single bit.
    """
    order = generator.order
    words = np.empty(max(-(-bits // _WORD_BITS), order), dtype=np.uint64)
    start = np.empty(order * _WORD_BITS, dtype=np.uint8)
    window = generator.window(first)
    start[:order] = [window >> bit & 1 for bit in range(order)]
    _continue(start, order, generator.taps)
    words[:order] = np.packbits(start, bitorder="little").view(np.uint64)
    _continue(words, order, generator.taps, generator.inverted)
    packed = words.view(np.uint8)[: -(-bits // 8)]
    if bits % 8:
        packed[-1] &= (1 << bits % 8) - 1
    return packed


def _continue(row: NDArray[Any], known: int, taps: tuple[int, ...], inverted: bool = False) -> None:
    """Fill the row, of bits or of words of bits, from its first ``known`` elements on."""
    stretch, done = 1, 0
    while known < row.size:
        while known >= 2 * stretch * taps[-1] and 2 * stretch * taps[0] <= _BLOCK_WORDS:
            stretch *= 2
        size = min(stretch * taps[0], row.size - known)
        made = row[known : known + size]
        lags = [row[known - tap * stretch :][:size] for tap in taps]
        np.bitwise_xor(lags[0], lags[1], out=made)
        for lag in lags[2:]:
            made ^= lag
        known += size
        if inverted and 2 * stretch * taps[0] > _BLOCK_WORDS:
            # The stretch grows no more, so that what lies further back is not needed again; it is still in
            # the cache.
            behind = known - stretch * taps[-1]
            np.invert(row[done:behind], out=row[done:behind])
            done = behind
    if inverted:
        np.invert(row[done:], out=row[done:])


def _times_x(polynomial: int, generator: Prbs) -> int:
    polynomial <<= 1
    return polynomial ^ _characteristic(generator) if polynomial >> generator.order else polynomial


def _power_of_x(exponent: int, generator: Prbs) -> int:
    """x^exponent modulo the characteristic polynomial: which of the first bits make up bit ``exponent``."""
    order, modulus = generator.order, _characteristic(generator)
    result = 1
    for bit in range(exponent.bit_length() - 1, -1, -1):
        # Squaring over two elements puts a zero between each two coefficients.
        result = _spread(result)
        if exponent >> bit & 1:
            result <<= 1
        for high in range(result.bit_length() - 1, order - 1, -1):
            if result >> high & 1:
                result ^= modulus << (high - order)
    return result


def _spread(polynomial: int) -> int:
    return int(f"{polynomial:b}", 4)


def _characteristic(generator: Prbs) -> int:
    return sum(1 << (generator.order - tap) for tap in generator.taps) | 1 << generator.order


@lru_cache(maxsize=64)
def _first_window(generator: Prbs) -> int:
    """The first ``order`` bits that the seed gives."""
    register, result = generator.seed, 0
    for bit in range(generator.order):
        fed_back = sum(register >> (tap - 1) for tap in generator.taps) & 1
        result |= fed_back << bit
        register = (register << 1 | fed_back) & generator.period
    return result


@lru_cache(maxsize=16)
def _nearest_windows(generator: Prbs) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
    """The windows at the first places in ascending order, their places, and how many they are."""
    # They are worked out once, the strides to them each time: so the former are the more.
    count = min(generator.period, 1 << (generator.order + 1) // 2 + 2)
    size = count + generator.order - 1
    packed = packed_prbs(generator, 0, size)
    bits = np.unpackbits(packed, count=size, bitorder="little") ^ np.uint8(generator.inverted)
    windows = np.zeros(count, dtype=np.uint64)
    for bit in range(generator.order):
        windows |= bits[bit : bit + count].astype(np.uint64) << np.uint64(bit)
    order = np.argsort(windows)
    return windows[order], order.astype(np.int64), count


def _strides(window: int, count: int, stride: int, generator: Prbs) -> NDArray[np.uint64]:
    """The windows 0, 1, 2, ... strides after a window, shape (count,)."""
    result = np.empty(count, dtype=np.uint64)
    result[0], done = window, 1
    while done < count:
        size = min(done, count - done)
        result[done : done + size] = _moved(result[:size], done * stride, generator)
        done += size
    return result


def _moved(windows: NDArray[np.uint64], bits: int, generator: Prbs) -> NDArray[np.uint64]:
    """Each window's successor so many bits later: linear in the window's bits."""
    remainder, images = _power_of_x(bits % generator.period, generator), [0] * generator.order
    for later in range(generator.order):
        for bit in range(generator.order):
            images[bit] |= (remainder >> bit & 1) << later
        remainder = _times_x(remainder, generator)
    result = np.zeros_like(windows)
    for bit, image in enumerate(images):
        result ^= (windows >> np.uint64(bit) & np.uint64(1)) * np.uint64(image)
    return result
