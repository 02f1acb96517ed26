"""Errors as random events, and what they do to KP4 codewords.

An event is a wrong bit, alone or at the head of a burst. Events are independent of each other (Poisson); the
wrong bits of a burst are one to a symbol, in consecutive symbols, and their number is geometric. All draws
are :class:`~harness.simulation.noise.Noise`'s: the same key, the same errors.

Codewords (RS(544,514) over 10-bit symbols): each lane carries an equal share of every codeword; on a lane,
symbols of two codewords take turns, so that a burst is shared between them (as 400GBASE-R interleaves; left
out, an assumption: that the bits of a lane are multiplexed from two streams).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.kp4 import (
    CODEWORD_SYMBOLS,
    CORRECTABLE,
    INTERLEAVED,
    SYMBOL_BITS,
    Histogram,
    symbol_error_ratio,
)
from harness.simulation.noise import Noise

Array = NDArray[np.float64]

_BITS_PER_PAM4: Final = 2
_PAM4_PER_SYMBOL: Final = SYMBOL_BITS // _BITS_PER_PAM4
_TERMS: Final = 96  # codewords with more wrong symbols count as all the others that are lost
_FEW: Final = 30.0
_HARMLESS_BER: Final = 2e-5  # of independent errors: below it fewer than one codeword in 1e28 is lost
_STANDARD: Final = NormalDist()


def error_count(noise: Noise, mean: float, burst_bits: float, *key: str | int) -> int:
    """Wrong bits where ``mean`` were to be expected, in bursts of ``burst_bits`` on average.

    :raises ValueError: for bursts shorter than one bit.
    """
    if burst_bits < 1.0:
        raise ValueError(f"a burst has one wrong bit at least, not {burst_bits}")
    if burst_bits == 1.0:
        return noise.poisson(mean, *key)
    events = noise.poisson(mean / burst_bits, *key)
    further = burst_bits - 1.0
    if events > _FEW:
        drawn = events * further + math.sqrt(events * burst_bits * further) * noise.normal(*key, "bursts")
        return events + max(0, round(drawn))
    # A geometric number by its inverse, one for each event.
    log_further = math.log(further / burst_bits)
    return events + sum(
        int(math.log(noise.uniform(*key, "burst", event)) / log_further) for event in range(events)
    )


def codeword_shares(bers: Sequence[float], burst_bits: Sequence[float] | float = 1.0) -> Array:
    """Share of codewords with 0..15 wrong symbols and with more, shape (17,).

    For independent errors, and the same ratio on all lanes, :func:`harness.signal.kp4.expected_histogram`.

    :param bers: wrong bits of each lane that carries a share of the codewords.
    :param burst_bits: wrong bits of an event, of each lane or of all.
    :raises ValueError: for no lane, more lanes than symbols, ratios outside 0..1 or bursts below one bit.
    """
    lanes = _lanes(bers, burst_bits)
    product = np.zeros(_TERMS)
    product[0] = 1.0
    mean = 0.0
    for index, (ber, burst) in enumerate(lanes):
        symbols = CODEWORD_SYMBOLS // len(lanes) + (index < CODEWORD_SYMBOLS % len(lanes))
        # An event begins in a symbol.
        begins = symbol_error_ratio(ber / burst)
        own, other = _symbols_of_event(burst)
        for spread in (own, other):
            if spread[0] == 1.0:
                continue
            factor = begins * spread
            factor[0] += 1.0 - begins
            product = _times(product, _power(factor, symbols))
            mean += symbols * begins * float(spread @ np.arange(spread.size))
    few = product[: CORRECTABLE + 1]
    # Term by term where the tail is small: one less the others would lose it.
    lost = 1.0 - float(few.sum()) if mean > CORRECTABLE else float(product[CORRECTABLE + 1 :].sum())
    return np.append(few, max(0.0, lost))


def codeword_error_ratio(bers: Sequence[float], burst_bits: Sequence[float] | float = 1.0) -> float:
    """Share of codewords with more wrong symbols than can be corrected; arguments and errors as for
    :func:`codeword_shares`. 0 for what would not be seen in the age of the world."""
    lanes = _lanes(bers, burst_bits)
    if all(burst == 1.0 for _, burst in lanes) and sum(ber for ber, _ in lanes) < _HARMLESS_BER * len(lanes):
        return 0.0
    return float(codeword_shares(bers, burst_bits)[-1])


def fec_histogram(
    noise: Noise,
    key: Sequence[str | int],
    bers: Sequence[float],
    burst_bits: Sequence[float] | float,
    codewords: int,
) -> Histogram:
    """Codewords of a slice of time by their wrong symbols, as a decoder counts them: shape (17,), bins 0..15
    and those that it could not correct.

    :param key: names the slice; the same key draws the same histogram.
    :param bers: as for :func:`codeword_shares`; errors likewise.
    """
    if codewords < 0:
        raise ValueError(f"a slice of time has no {codewords} codewords")
    shares = codeword_shares(bers, burst_bits)
    counts = np.zeros(shares.size, dtype=np.int64)
    left, left_share = codewords, 1.0
    # The rarest first: what is left over at the end is the most frequent, which no rounding hurts.
    for bin_ in sorted(range(shares.size), key=lambda item: float(shares[item]))[:-1]:
        share = float(shares[bin_])
        counts[bin_] = binomial_count(noise, left, min(1.0, share / left_share), *key, "codewords", bin_)
        left -= int(counts[bin_])
        left_share -= share
    counts[int(np.argmax(shares))] += left
    return counts


def binomial_count(noise: Noise, trials: int, chance: float, *key: str | int) -> int:
    """How often something of this chance happened in so many trials."""
    if chance > 0.5:
        return trials - binomial_count(noise, trials, 1.0 - chance, *key)
    mean = trials * chance
    if mean <= 0.0:
        return 0
    drawn = noise.uniform(*key)
    if mean > _FEW:
        width = math.sqrt(mean * (1.0 - chance))
        return min(trials, max(0, round(mean + width * _STANDARD.inv_cdf(drawn))))
    odds = chance / (1.0 - chance)
    count, share = 0, math.exp(trials * math.log1p(-chance))
    total = share
    while drawn > total and count < trials and share > 0.0:
        share *= (trials - count) / (count + 1) * odds
        count += 1
        total += share
    return count


# -- inside --------------------------------------------------------------------------------------------


def _lanes(bers: Sequence[float], burst_bits: Sequence[float] | float) -> list[tuple[float, float]]:
    bursts = [float(burst_bits)] * len(bers) if isinstance(burst_bits, (int, float)) else list(burst_bits)
    if not 1 <= len(bers) <= CODEWORD_SYMBOLS or len(bursts) != len(bers):
        raise ValueError(
            f"codewords are spread over 1 to {CODEWORD_SYMBOLS} lanes, each with its ratio and its bursts; "
            f"got {len(bers)} ratios and {len(bursts)} bursts"
        )
    if not all(0.0 <= ber <= 1.0 for ber in bers) or not all(burst >= 1.0 for burst in bursts):
        raise ValueError(f"ratios are 0 to 1 and bursts 1 bit or longer; got {list(bers)} and {bursts}")
    return list(zip(bers, bursts, strict=True))


@lru_cache(maxsize=256)
def _spread_of(burst_bits: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    more = 1.0 - 1.0 / burst_bits
    own, other = np.zeros(_TERMS), np.zeros(_TERMS)
    # The first wrong bit is anywhere in its symbol.
    longest = _TERMS * _PAM4_PER_SYMBOL
    lengths = np.arange(1, longest + 1)
    chances = (1.0 - more) * more ** (lengths - 1.0)
    chances[-1] += more**longest
    for place in range(_PAM4_PER_SYMBOL):
        touched = (place + lengths - 1) // _PAM4_PER_SYMBOL + 1
        np.add.at(own, -(-touched // INTERLEAVED), chances / _PAM4_PER_SYMBOL)
        np.add.at(other, touched // INTERLEAVED, chances / _PAM4_PER_SYMBOL)
    return tuple(own), tuple(other)


def _symbols_of_event(burst_bits: float) -> tuple[Array, Array]:
    """Chances that an event makes 0, 1, ... symbols wrong of the codeword that it begins in, and of the other
    whose symbols lie between; shape (96,) each."""
    own, other = _spread_of(burst_bits)
    return np.array(own), np.array(other)


def _times(first: Array, second: Array) -> Array:
    """Product of two series, as far as they are kept. All terms are positive: small ones stay exact."""
    return np.asarray(np.convolve(first, second)[:_TERMS])


def _power(factor: Array, exponent: int) -> Array:
    result = np.zeros(_TERMS)
    result[0] = 1.0
    while exponent:
        if exponent & 1:
            result = _times(result, factor)
        exponent >>= 1
        if exponent:
            factor = _times(factor, factor)
    return result
