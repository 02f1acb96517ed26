"""Which PAM4 symbols a lane sends, from the codes of a module's pattern generator."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from drivers.cmis.diagnostics.patterns import USER_PATTERN, pattern_name
from harness.signal.patterns import Pattern as BitPattern
from harness.signal.patterns import pattern as known_pattern
from harness.signal.patterns import repeating_pattern
from harness.signal.waveform import Symbols
from harness.simulation.signals import UNKNOWN, Pattern

_SWAPPED = np.array([0, 3, 2, 1], dtype=np.uint8)
"""Level of a Gray-coded pair whose two bits are exchanged: 00, 10, 11, 01 in place of 00, 01, 11, 10."""
_LONGEST_STORED = 1 << 16


class UnknownPatternError(ValueError):
    """No symbols are defined for a pattern's code, or not so many can be made."""


def period_symbols(pattern: Pattern | None) -> int | None:
    """Symbols after which a lane's signal repeats; None for what never does: traffic and unknown bits.

    :raises UnknownPatternError: for a code that says no pattern, or is the vendor's own.
    """
    return None if pattern is None or pattern == UNKNOWN else _bit_pattern(pattern).period_symbols


def symbols_of(
    pattern: Pattern | None, symbols: int | None = None, *, rng: np.random.Generator | None = None
) -> Symbols:
    """Symbols 0..3 of a lane, from the beginning of its pattern; shape (symbols,), read-only.

    Inverted data are the levels upside down (n becomes 3 - n). Swapped data exchange the two bits of each
    symbol, which says nothing of a pattern with one bit per symbol (uncertain: the specification's words are
    not at hand). A pattern without Q has one bit per symbol and is sent on the outer levels. A user pattern
    is taken byte by byte, the most significant bit first (uncertain). FEC-framed traffic is scrambled: it
    stands as random symbols.

    :param symbols: how many; one period when not given, which is refused above 65536.
    :param rng: draws traffic and unknown bits; wanted for nothing else.
    :raises UnknownPatternError: for a code that says no pattern, a count that is missing where the pattern
        does not repeat soon, or traffic without ``rng``.
    """
    if symbols is not None and symbols < 1:
        raise UnknownPatternError(f"a lane sends one symbol at least, not {symbols}")
    if pattern is None or pattern == UNKNOWN:
        if symbols is None or rng is None:
            raise UnknownPatternError("traffic does not repeat: say how many symbols, and give rng")
        return rng.integers(0, 4, symbols, dtype=np.uint8)
    period = _bit_pattern(pattern).period_symbols
    count = period if symbols is None else symbols
    if period <= _LONGEST_STORED:
        one = _one_period(pattern)
        return one if count == period else np.resize(one, count)
    if symbols is None:
        raise UnknownPatternError(
            f"{_bit_pattern(pattern).name} repeats after {period} symbols: say how many are wanted"
        )
    return _made(pattern, count)


@lru_cache(maxsize=8)
def _one_period(pattern: Pattern) -> Symbols:
    result = _made(pattern, _bit_pattern(pattern).period_symbols)
    result.setflags(write=False)
    return result


def _made(pattern: Pattern, count: int) -> Symbols:
    source = _bit_pattern(pattern)
    result = source.symbols(count)
    if source.bits_per_symbol == 1:
        result = result * np.uint8(3)
    elif pattern.bytes_swapped:
        result = _SWAPPED[result]
    return np.asarray(3 - result if pattern.inverted else result, dtype=np.uint8)


@lru_cache(maxsize=32)
def _bit_pattern(pattern: Pattern) -> BitPattern:
    name = pattern_name(pattern.code)
    if name == USER_PATTERN:
        if not pattern.user:
            raise UnknownPatternError("the user pattern is empty: nothing was written to 13h:224-255")
        bits = np.unpackbits(np.frombuffer(pattern.user, dtype=np.uint8))
        pairs = 2 * bits[0::2] + bits[1::2]
        return repeating_pattern(np.array([0, 1, 3, 2], dtype=np.uint8)[pairs], name=name)
    try:
        return known_pattern(name)
    except ValueError as error:
        raise UnknownPatternError(
            f"pattern code {pattern.code} ({name}) names no symbols that are known here"
        ) from error
