"""Error counting on captured bits and PAM4 symbols: pattern lock, error positions, slips.

A capture need not begin where the pattern does, and the lane may be upside down. Where bits were lost or put
in (a slip), the pattern is found again behind it, and the slip is not counted as bit errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.patterns import Pattern, checked_symbols, packed_levels, pam4_levels
from harness.signal.prbs import Packed, Prbs
from harness.signal.waveform import SignalError, Symbols

Positions = NDArray[np.int64]

_RUN_BITS: Final = 48
"""Bits in a row that a PRBS must foretell before it counts as found: chance does so once in 1e14."""
_STRETCH_BITS: Final = 1 << 14
_CHUNK_BITS: Final = 1 << 22
_BLOCK_BITS: Final = 256
_SLIPPED: Final = 64
"""Errors in a block, a quarter of its bits, that put the lock in doubt; without a lock it has 128 +/- 8."""
_CHECK_BITS: Final = 512
_UPSIDE_DOWN: Final = {1: 0xFF, 2: 0x55}
"""Bits of a byte that an inverted lane inverts, by bits per symbol: of a Gray-coded pair, the first."""
_MOST_SLIPS: Final = 64
_LOSS_COSTS: Final = 32.0
"""Errors that calling a stretch lost must save."""


class NoLockError(SignalError):
    """The capture does not show the pattern."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Where a capture stands in the pattern."""

    offset_bits: int
    """Place in the pattern of the capture's first bit, 0..period_bits - 1."""
    inverted: bool
    """Whether the lane is upside down: all bits inverted, or PAM4 level n read as 3 - n. For a pattern that
    holds itself upside down (SSPRQ), a capture that fits both ways counts as upright."""
    found_at_bit: int
    """Bit of the capture at which the pattern was found; what comes before may be another signal."""


@dataclass(frozen=True, slots=True)
class Slip:
    """Bits lost or put in."""

    at_bit: int
    """First bit of the capture behind it; where errors stand close to it, give or take a few bits."""
    bits: int
    """Bits of the pattern missing from the capture; below zero, bits put in. As few as can be: the pattern's
    period does not tell more."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCount:
    """What a comparison with the pattern gave."""

    pattern: str
    bits: int
    """Bits compared: all of the capture but those of ``lost``."""
    positions: Positions
    """Places in the capture of the bits in error, ascending, shape (errors,). A PAM4 symbol has two bits, the
    most significant first."""
    lock: Lock
    slips: tuple[Slip, ...]
    lost: tuple[tuple[int, int], ...]
    """Stretches, first bit and end, that show the pattern in no place and were not counted. Where the pattern
    goes on in its old place behind one, its errors are counted: then it was a burst."""
    bits_per_symbol: int

    @property
    def errors(self) -> int:
        """Bits in error."""
        return int(self.positions.size)

    @property
    def bit_error_ratio(self) -> float:
        """Errors by bits compared. With slips or lost stretches it is not the lane's whole story."""
        return self.errors / self.bits

    @property
    def lost_bits(self) -> int:
        """Bits that were not compared."""
        return sum(end - start for start, end in self.lost)

    @property
    def symbol_positions(self) -> Positions:
        """Places in the capture of the symbols in error, ascending, counted in symbols."""
        if self.bits_per_symbol == 1:
            return self.positions
        return np.unique(self.positions // self.bits_per_symbol)

    @property
    def symbol_error_ratio(self) -> float:
        """Symbols in error by symbols compared."""
        return self.symbol_positions.size * self.bits_per_symbol / self.bits

    def errors_per_interval(self, interval_bits: int) -> Positions:
        """Errors in each whole interval of the capture, shape (intervals,): input of the test for bursts.

        :raises ValueError: when not one whole interval fits.
        """
        whole = (self.bits + self.lost_bits) // interval_bits if interval_bits > 0 else 0
        if not whole:
            raise ValueError(f"no interval of {interval_bits} bits fits the capture")
        places = self.positions[: np.searchsorted(self.positions, whole * interval_bits)]
        return np.bincount(places // interval_bits, minlength=whole).astype(np.int64)


def count_errors(captured: NDArray[np.integer[Any]] | NDArray[np.bool_], pattern: Pattern) -> ErrorCount:
    """Find the pattern in a capture and count its errors.

    :param captured: shape (symbols,): bits for an NRZ pattern, levels 0..3 for a PAM4 one.
    :raises NoLockError: when the pattern is nowhere to be found (says what is, where it can tell) or slips
        more than 64 times.
    :raises ValueError: for values that are no symbols.
    """
    packed, bits = _packed(captured, pattern)
    return count_errors_packed(packed, bits, pattern)


def count_errors_packed(packed: Packed, bits: int, pattern: Pattern) -> ErrorCount:
    """:func:`count_errors` for a capture that is packed, the first bit received being the least significant
    of its byte (for PAM4, Gray-coded pairs).

    A slip within the capture's last 256 bits cannot be told from errors.

    :param bits: bits of the capture; whole symbols.
    """
    _check_packed(packed, bits, pattern)
    lock = _lock(packed, bits, pattern)
    if lock is None:
        raise NoLockError(_why_not(packed, bits, pattern))
    return _Count(packed, bits, pattern, lock).result()


def find_lock(captured: NDArray[np.integer[Any]] | NDArray[np.bool_], pattern: Pattern) -> Lock:
    """Where a capture stands in the pattern; arguments and errors as of :func:`count_errors`."""
    packed, bits = _packed(captured, pattern)
    lock = _lock(packed, bits, pattern)
    if lock is None:
        raise NoLockError(_why_not(packed, bits, pattern))
    return lock


def level_confusion(captured: NDArray[np.integer[Any]], sent: NDArray[np.integer[Any]]) -> Positions:
    """How often each PAM4 level was read as each: shape (sent, read) = (4, 4).

    Errors between levels that are not neighbours are no noise but a slip, a burst or a wrong threshold.

    :param captured: levels, shape (symbols,).
    :param sent: the levels it ought to show, same shape.
    """
    read, meant = checked_symbols(captured, 4), checked_symbols(sent, 4)
    if read.shape != meant.shape:
        raise ValueError(f"{read.size} symbols were captured, {meant.size} sent")
    return np.bincount(4 * meant + read, minlength=16).reshape(4, 4).astype(np.int64)


def _packed(captured: NDArray[Any], pattern: Pattern) -> tuple[Packed, int]:
    if pattern.bits_per_symbol == 2:
        packed = packed_levels(captured)
    else:
        packed = np.packbits(checked_symbols(captured, 2), bitorder="little")
    return packed, captured.size * pattern.bits_per_symbol


def _check_packed(packed: Packed, bits: int, pattern: Pattern) -> None:
    if packed.dtype != np.uint8 or packed.ndim != 1:
        raise ValueError(f"a packed capture is one row of bytes, got {packed.dtype} of shape {packed.shape}")
    if not 0 < bits <= 8 * packed.size:
        raise ValueError(f"{packed.size} bytes do not hold {bits} bits")
    if bits % pattern.bits_per_symbol:
        raise ValueError(f"{bits} bits are no whole symbols of {pattern.bits_per_symbol} bits")


def _stretch(packed: Packed, first: int, bits: int) -> Symbols:
    """Bits first..first + bits - 1 of a packed capture, one to a byte."""
    skipped = first % 8
    part = packed[first // 8 : (first + bits + 7) // 8]
    return np.unpackbits(part, count=skipped + bits, bitorder="little")[skipped:]


def _places_of_ones(packed: Packed) -> Positions:
    """Places of all ones, ascending; fast when they are few."""
    size = packed.size // 8 * 8
    words = packed[:size].view(np.uint64)
    index = np.flatnonzero(words)
    ones = np.flatnonzero(np.unpackbits(words[index].view(np.uint8), bitorder="little"))
    places = index[ones >> 6] * 64 + (ones & 63)
    if size < packed.size:
        rest = np.flatnonzero(np.unpackbits(packed[size:], bitorder="little")) + 8 * size
        places = np.concatenate([places, rest])
    return np.asarray(places, dtype=np.int64)


def _lock(packed: Packed, bits: int, pattern: Pattern) -> Lock | None:
    if pattern.prbs is not None and pattern.bits_per_symbol == 1:
        # Either polarity shows in the same search.
        return next(_prbs_locks(packed, bits, 0, pattern, pattern.prbs, None), None)
    upright = _relock(packed, bits, 0, pattern)
    if pattern.prbs is not None and upright is not None:
        return upright
    turned = _relock(packed ^ np.uint8(_UPSIDE_DOWN[pattern.bits_per_symbol]), bits, 0, pattern)
    if turned is None:
        return upright
    lock = Lock(turned.offset_bits, True, turned.found_at_bit)
    if upright is None:
        return lock
    return min((upright, lock), key=lambda one: _errors_near(packed, bits, pattern, one))


def _errors_near(packed: Packed, bits: int, pattern: Pattern, lock: Lock) -> float:
    """Ratio of errors over up to a period from where a lock was found."""
    start = lock.found_at_bit // 8 * 8
    size = min(bits - start, pattern.period_bits)
    return float(_differences(packed, start, size, pattern, lock).mean())


def _differences(packed: Packed, start: int, bits: int, pattern: Pattern, lock: Lock) -> Symbols:
    """Which of so many bits from ``start`` on are in error, one to a byte."""
    expected = pattern.packed(bits + start % 8, first=lock.offset_bits + start - start % 8)
    if lock.inverted:
        expected ^= np.uint8(_UPSIDE_DOWN[pattern.bits_per_symbol])
    return _stretch(packed, start, bits) ^ _stretch(expected, start % 8, bits)


def _relock(packed: Packed, bits: int, start: int, pattern: Pattern) -> Lock | None:
    """The pattern's place from a bit of the capture on, in its own polarity."""
    if pattern.prbs is not None:
        return next(_prbs_locks(packed, bits, start, pattern, pattern.prbs, False), None)
    return _repeating_lock(packed, bits, start, pattern)


def _prbs_locks(
    packed: Packed, bits: int, start: int, pattern: Pattern, generator: Prbs, inverted: bool | None
) -> Iterator[Lock]:
    """Places where a PRBS foretells many bits in a row.

    Each bit of a PRBS is the exclusive or of earlier ones; the exclusive or of all of them is then 0 for the
    sequence, and 1 for its inverse, wherever no error is near.
    """
    order, overlap = generator.order, generator.order + _RUN_BITS
    while start + overlap <= bits:
        size = min(_STRETCH_BITS, bits - start)
        stretch = _stretch(packed, start, size)
        parity = stretch[order:].copy()
        for tap in generator.taps:
            parity ^= stretch[order - tap : size - tap]
        edges = np.flatnonzero(np.diff(parity)) + 1
        edges = np.concatenate([[0], edges, [parity.size]])
        for run in np.flatnonzero(np.diff(edges) >= _RUN_BITS):
            place = int(edges[run])
            turned = int(parity[place])
            upside_down = bool(turned) != generator.inverted
            if inverted is not None and upside_down != inverted:
                continue
            row = stretch[place : place + order] ^ turned
            window = int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little")
            if not window:
                continue  # A dead lane fits every recurrence.
            offset = (generator.place(window) - start - place) % generator.period
            lock = Lock(offset, upside_down, start + place)
            if _holds(packed, bits, pattern, lock):
                yield lock
        start += size - overlap + 1


def _holds(packed: Packed, bits: int, pattern: Pattern, lock: Lock) -> bool:
    """Whether the pattern goes on behind the place where it was found."""
    size = min(_CHECK_BITS, bits - lock.found_at_bit)
    wrong = int(_differences(packed, lock.found_at_bit, size, pattern, lock).sum())
    return wrong * _BLOCK_BITS < _SLIPPED * size


def _repeating_lock(packed: Packed, bits: int, start: int, pattern: Pattern) -> Lock | None:
    """By correlation: of up to a whole period first, then of short stretches, which a slip does not spoil."""
    step = pattern.bits_per_symbol
    start = -(-start // step) * step
    attempts = [(start, max(pattern.period_bits, _STRETCH_BITS // 4))]
    attempts += [(place, _STRETCH_BITS // 4) for place in range(start, bits, _STRETCH_BITS)]
    for place, wanted in attempts:
        size = min(wanted, bits - place)
        if size < _RUN_BITS:
            continue
        stretch = _stretch(packed, place, size)
        if stretch.min() == stretch.max():
            continue  # A dark lane.
        row = 1.0 - 2.0 * stretch
        # A stretch that is longer than the pattern adds up onto one period.
        whole = -(-size // pattern.period_bits) * pattern.period_bits
        part = np.concatenate([row, np.zeros(whole - size)]).reshape(-1, pattern.period_bits).sum(axis=0)
        likeness = np.fft.irfft(_spectrum(pattern) * np.fft.rfft(part).conj(), pattern.period_bits)
        best = int(np.argmax(likeness[::step])) * step
        lock = Lock((best - place) % pattern.period_bits, False, place)
        wrong = 0.5 * (size - float(likeness[best]))
        if wrong * _BLOCK_BITS < _SLIPPED * size:
            return lock
    return None


@lru_cache(maxsize=8)
def _spectrum(pattern: Pattern) -> NDArray[np.complex128]:
    return np.fft.rfft(1.0 - 2.0 * pattern.bits(pattern.period_bits))


class _Count:
    """One comparison, chunk by chunk."""

    def __init__(self, packed: Packed, bits: int, pattern: Pattern, lock: Lock) -> None:
        self._bits, self._pattern, self._lock = bits, pattern, lock
        self._packed = packed
        if lock.inverted:
            self._packed = packed ^ np.uint8(_UPSIDE_DOWN[pattern.bits_per_symbol])
        self._accepted: list[Positions] = []
        self._slips: list[Slip] = []
        self._lost: list[tuple[int, int]] = []

    def result(self) -> ErrorCount:
        """Compare it all."""
        offset = self._lock.offset_bits
        since = trusted = self._begin()
        if since:
            self._lost.append((0, since))
        at: int | None = since // _BLOCK_BITS * _BLOCK_BITS
        while at is not None and at < self._bits:
            stop = min(at + _CHUNK_BITS, self._bits)
            places = self._errors_in(at, stop, offset)
            places = places[np.searchsorted(places, since) :]
            at, offset, since, trusted = self._judge(places, at, stop, offset, since, trusted)
        positions = np.concatenate(self._accepted) if self._accepted else np.empty(0, dtype=np.int64)
        return ErrorCount(
            self._pattern.name,
            self._bits - sum(end - start for start, end in self._lost),
            positions,
            self._lock,
            tuple(self._slips),
            tuple(self._lost),
            self._pattern.bits_per_symbol,
        )

    def _begin(self) -> int:
        """Where the pattern begins in the capture: after what another signal left in it, mostly at 0."""
        if self._lock.found_at_bit < _BLOCK_BITS:
            return 0
        stop = min(self._lock.found_at_bit + 2 * _BLOCK_BITS, self._bits)
        offset = self._lock.offset_bits
        size = min(stop, 1 << 16)
        back = np.cumsum(self._wrong(stop - size, size, offset)[::-1] - 0.25)
        whole = size == stop and back[-1] - back.min() < _LOSS_COSTS
        return 0 if whole else stop - 1 - int(np.argmin(back))

    def _errors_in(self, start: int, stop: int, offset: int) -> Positions:
        """Errors of bits start..stop - 1; ``start`` stands on a byte."""
        expected = self._pattern.packed(stop - start, first=offset + start)
        np.bitwise_xor(expected, self._packed[start // 8 : start // 8 + expected.size], out=expected)
        places = _places_of_ones(expected)
        return places[: np.searchsorted(places, stop - start)] + start

    def _judge(
        self, places: Positions, at: int, stop: int, offset: int, since: int, trusted: int
    ) -> tuple[int | None, int, int, int]:
        """Accept a chunk's errors, or find the pattern again behind the first block that has too many.

        :returns: where to go on (None when the rest is lost), with which offset, the first bit to be counted
            there, and the first one whose errors may put the lock in doubt.
        """
        per_block = np.bincount((places - at) // _BLOCK_BITS)
        for block in np.flatnonzero(per_block >= _SLIPPED):
            suspect = at + int(block) * _BLOCK_BITS
            if suspect < trusted:
                continue
            lock = _relock(self._packed, self._bits, suspect, self._pattern)
            if lock is not None and lock.offset_bits == offset:
                trusted = lock.found_at_bit + 1
                continue
            window = max(since, suspect - 2 * _BLOCK_BITS)
            if lock is None:
                end, begin = self._parted(window, self._bits, offset, None)
            else:
                # A correlation finds the new place from somewhat before it begins.
                found = min(lock.found_at_bit + 2 * _BLOCK_BITS, self._bits)
                end, begin = self._parted(window, found, offset, lock.offset_bits)
            self._accepted.append(places)
            self._accepted = [one[: np.searchsorted(one, end)] for one in self._accepted]
            if end < begin:
                self._lost.append((end, begin))
            if lock is None:
                return None, offset, begin, begin
            self._slips.append(Slip(begin, self._least(lock.offset_bits - offset)))
            if len(self._slips) > _MOST_SLIPS:
                raise NoLockError(
                    f"{self._pattern.name} was found and lost {_MOST_SLIPS} times in the first {begin} bits: "
                    "a clock that does not follow, pairs of bits taken out of step, or a like pattern"
                )
            return begin // _BLOCK_BITS * _BLOCK_BITS, lock.offset_bits, begin, begin
        self._accepted.append(places)
        return stop, offset, since, trusted

    def _least(self, bits: int) -> int:
        period = self._pattern.period_bits
        return (bits + period // 2) % period - period // 2

    def _parted(self, start: int, stop: int, before: int, behind: int | None) -> tuple[int, int]:
        """Where the old place of the pattern ends and the new one begins, between them what fits neither:
        the parting that leaves the fewest errors, four lost bits counting as one."""
        size = min(stop - start, 1 << 16)
        gone = np.cumsum(np.concatenate([[0.0], self._wrong(start, size, before) - 0.25]))
        if behind is None:
            end = start + int(np.argmin(gone))
            return end, self._bits
        tail = min(stop - start, 1 << 16)
        if stop - start > size:
            end = start + int(np.argmin(gone))
            late = np.cumsum(self._wrong(stop - tail, tail, behind)[::-1] - 0.25)
            return end, stop - int(np.argmin(np.concatenate([[0.0], late])))
        new = np.concatenate([[0.0], self._wrong(start, size, behind) - 0.25])
        come = new.sum() - np.cumsum(new)
        parting = int(np.argmin(gone + come))
        least = np.minimum.accumulate(gone)
        begin = int(np.argmin(least + come))
        if least[begin] + come[begin] + _LOSS_COSTS < gone[parting] + come[parting]:
            return start + int(np.argmin(gone[: begin + 1])), start + begin
        return start + parting, start + parting

    def _wrong(self, start: int, bits: int, offset: int) -> NDArray[np.float64]:
        lock = Lock(offset, False, start)
        return _differences(self._packed, start, bits, self._pattern, lock).astype(np.float64)


def _why_not(packed: Packed, bits: int, pattern: Pattern) -> str:
    some = min(bits, 1 << 16) // 2 * 2
    stretch = _stretch(packed, 0, some)
    told = f"the capture of {bits} bits does not show {pattern.name}: "
    least = (0 if pattern.prbs is None else pattern.prbs.order) + _RUN_BITS
    if bits < least:
        return told + f"it is too short, {least} bits without an error are needed at least"
    if stretch.min() == stretch.max():
        return told + "its bits are all the same; is the lane dark, squelched or not locked?"
    if pattern.bits_per_symbol == 2:
        pairs = stretch.reshape(-1, 2)
        others = {
            "it does with the two bits of each symbol exchanged": pairs[:, ::-1],
            "it does with both bits of each symbol inverted: "
            "the generator's convention is the other one (inverted=...)": 1 - pairs,
            "it does with the levels read in natural binary code: Gray coding is off at one end": np.stack(
                [pairs[:, 0], pairs[:, 0] ^ pairs[:, 1]], axis=1
            ),
        }
        for words, row in others.items():
            if _lock(np.packbits(row.ravel(), bitorder="little"), some, pattern) is not None:
                return told + words
        levels = pam4_levels(packed, some // 2)
        if _lock(packed_levels((levels + np.roll(levels, 1)) % 4), some, pattern) is not None:
            return told + "it does with 1/(1+D) precoding taken off: precoding is on at one end only"
    return told + "another pattern, two patterns interleaved, or an error ratio above about 5 %"
