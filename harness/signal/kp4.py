"""KP4 forward error correction, RS(544,514) over 10-bit symbols: codeword and frame losses, from an error
ratio or from measured symbol errors (802.3 clause 119 and 91.5; the numbers are those of 400GBASE-R).

A decoder corrects a codeword with up to 15 wrong symbols, whatever they are: so it is enough to know where
errors fall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.error_ratio import CLOSED_BER, q_of_ber
from harness.signal.gaussian import tail_inverse
from harness.signal.statistics import (
    Dispersion,
    Interval,
    binomial_interval,
    binomial_tail,
    dispersion_of_histogram,
    poisson_tail,
    poisson_upper,
)
from harness.signal.waveform import Array

SYMBOL_BITS: Final = 10
CODEWORD_SYMBOLS: Final = 544
MESSAGE_SYMBOLS: Final = 514
CORRECTABLE: Final = 15
"""Wrong symbols that a decoder puts right in a codeword."""
CODEWORD_BITS: Final = CODEWORD_SYMBOLS * SYMBOL_BITS
CODEWORDS_PER_S: Final = 78.125e6
"""Of 400GBASE-R: 425 Gb/s by 5440 bits."""
INTERLEAVED: Final = 2
"""Codewords that 400GBASE-R deals its symbols to in turn."""
FRAMES_PER_CODEWORD: Final = MESSAGE_SYMBOLS * SYMBOL_BITS * 256 / 257 / (84 * 8)
"""64-octet frames, with preamble and gap, in a codeword's message of 257-bit blocks: 7.62."""
BER_LIMIT: Final = 2.4e-4
"""Bit error ratio of independent errors that the PMD clauses allow (124.1.1)."""

_BINS: Final = CORRECTABLE + 2
_BURST_SHARE: Final = 5e-3
_UNLIKELY: Final = 1e-4
"""Chance below which a tail is no chance."""
_GROSS: Final = 3.0
"""How many times more codewords than expected make a tail another law's: a smaller excess is what a law that
is right but for its shape leaves in millions of codewords."""

Histogram = NDArray[np.int64]
"""Codewords by their wrong symbols, shape (17,): bins 0..15 are those that were corrected, bin 16 those that
were not."""


def symbol_error_ratio(bit_error_ratio: float) -> float:
    """FEC symbols in error, 1 - (1 - BER)^10, for independent bit errors."""
    _check_ratio(bit_error_ratio)
    if bit_error_ratio == 1.0:
        return 1.0
    return -math.expm1(SYMBOL_BITS * math.log1p(-bit_error_ratio))


def codeword_error_ratio(bit_error_ratio: float) -> float:
    """Codewords that cannot be corrected, for independent bit errors: 8.15e-13 at 2.4e-4."""
    return binomial_tail(CORRECTABLE + 1, CODEWORD_SYMBOLS, symbol_error_ratio(bit_error_ratio))


def bit_error_ratio_for(wanted_codeword_error_ratio: float) -> float:
    """The inverse of :func:`codeword_error_ratio`: the ratio of independent bit errors that loses as many
    codewords.

    :raises ValueError: when it is not inside (0, 1).
    """
    if not 0.0 < wanted_codeword_error_ratio < 1.0:
        raise ValueError(f"an error ratio must lie between 0 and 1, got {wanted_codeword_error_ratio}")
    low, high = math.log(1e-30), 0.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        if codeword_error_ratio(math.exp(middle)) < wanted_codeword_error_ratio:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))


def frame_loss_ratio(codeword_errors: float, *, interleaved: int = INTERLEAVED) -> float:
    """64-octet frames lost, from the codeword error ratio: interleaved x CER x (1 + MFC) / MFC, at most 1.

    MFC is the number of frames in the interleaved codewords, 15.24 in two: one codeword lost spoils them all,
    and on average one that only begins or ends in them. 1.74e-12 for 400GBASE-R at a BER of 2.4e-4.

    :param interleaved: codewords that share each frame.
    """
    _check_ratio(codeword_errors)
    if interleaved < 1:
        raise ValueError(f"the interleaved codewords must be above zero, got {interleaved}")
    frames = interleaved * FRAMES_PER_CODEWORD
    return min(1.0, interleaved * codeword_errors * (1.0 + frames) / frames)


def expected_histogram(bit_error_ratio: float) -> Array:
    """Share of codewords with 0..15 wrong symbols, and with more, for independent errors: shape (17,)."""
    ratio = np.array([symbol_error_ratio(bit_error_ratio)])
    return np.asarray(_shares(ratio, np.zeros(1))[0])


def corrected_symbols_per_codeword(bit_error_ratio: float) -> float:
    """Mean of wrong symbols in a codeword, 544 pS: 1.30 at 2.4e-4."""
    return CODEWORD_SYMBOLS * symbol_error_ratio(bit_error_ratio)


def symbol_errors_per_codeword(
    positions: NDArray[np.integer[Any]],
    bits: int,
    *,
    first_bit: int = 0,
    interleaved: int = INTERLEAVED,
    multiplexed: int = 1,
) -> NDArray[np.int64]:
    """Wrong symbols in each codeword that the bits would make up, from the places of the bit errors.

    As if the lane alone carried the codewords, which is how lanes are judged on a PRBS: in 400GBASE-R a
    codeword is shared by all lanes. Its symbols are taken row by row from the ``multiplexed`` streams, and
    dealt in turn to the ``interleaved`` codewords, one further in each row. A codeword that is not whole is
    left out.

    :param positions: places of bit errors, as :class:`harness.signal.counting.ErrorCount` has them.
    :param bits: bits of the capture.
    :param first_bit: where the first codeword begins.
    :param interleaved: 2 for 400GBASE-R; 1 for a plain row of codewords.
    :param multiplexed: PCS lanes whose bits alternate in the lane: 4 in each lane of 400GBASE-DR4
        (recalled, not read), where a burst then spreads over more symbols; 1 for none.
    :returns: shape (codewords,).
    :raises ValueError: when no codeword fits, or the numbers do not go together.
    """
    if interleaved < 1 or multiplexed < 1 or (multiplexed > 1 and multiplexed % interleaved):
        raise ValueError(
            f"{multiplexed} lanes cannot be dealt to {interleaved} codewords: "
            "their number must be 1 or a multiple"
        )
    # A block is as many codewords as begin and end together.
    rows = CODEWORD_SYMBOLS * interleaved
    blocks_rows = rows * multiplexed // math.gcd(rows, multiplexed) // multiplexed
    codewords = blocks_rows * multiplexed // CODEWORD_SYMBOLS
    block_bits = codewords * CODEWORD_BITS
    blocks = (bits - first_bit) // block_bits
    if not 0 <= first_bit < bits or blocks < 1:
        raise ValueError(f"{bits} bits from bit {first_bit} on hold no block of {block_bits} bits")
    places = np.asarray(positions, dtype=np.int64) - first_bit
    places = places[(places >= 0) & (places < blocks * block_bits)]
    lane, row = places % multiplexed, places // (multiplexed * SYMBOL_BITS)
    symbols = np.unique(row * multiplexed + lane)
    row, lane = symbols // multiplexed, symbols % multiplexed
    owner = symbols // rows * interleaved + (row + lane) % interleaved
    return np.bincount(owner, minlength=blocks * codewords).astype(np.int64)


def histogram_of(symbol_errors: NDArray[np.integer[Any]]) -> Histogram:
    """Histogram, shape (17,), of wrong symbols per codeword, shape (codewords,)."""
    return np.bincount(np.minimum(symbol_errors, CORRECTABLE + 1), minlength=_BINS).astype(np.int64)


@dataclass(frozen=True, slots=True)
class BurstIndication:
    """Whether errors come together."""

    dispersion: Dispersion | None
    """Scatter of wrong symbols per codeword against the binomial; None with fewer than two errors."""
    from_bin: int
    """First bin of the tail: beyond it are 0.5 % of the codewords at most, when errors are independent; 6 at
    a BER of 2.4e-4."""
    observed: int
    """Codewords in the tail."""
    expected: float
    """Codewords in the tail when errors are as independent as those below it."""
    rarest_bin: int
    """The bin of the tail, 16 included, from which up the codewords are the least likely."""
    probability: float
    """Chance of as many or more there, when errors are independent, times the number of bins looked at; at
    most 1."""
    bursts: bool
    """The tail's chance is below 1e-4, or the scatter more than 5 standard deviations too great."""


def burst_indication(histogram: NDArray[np.integer[Any]]) -> BurstIndication:
    """Compare measured wrong symbols per codeword with independent errors.

    How many errors there are is told by the bins below the tail alone; every bin of the tail is then judged
    together with those above it, so that a single lost codeword on a clean lane is seen.

    :param histogram: as :data:`Histogram`; a shorter one has zeros behind it.
    :raises ValueError: for another shape, values below zero or no codewords.
    """
    counts = _checked(histogram)
    codewords = int(counts.sum())
    values = np.arange(_BINS)
    # What an uncorrectable codeword held is not known: the least it can be. That hides no burst.
    errors = int(counts @ values)
    ratio = errors / codewords / CODEWORD_SYMBOLS
    from_bin = _first_of_tail(ratio)
    for _ in range(CORRECTABLE):
        # Without the tail the ratio is lower, and so the tail may begin earlier.
        ratio = _ratio_below(counts, from_bin, ratio)
        if _first_of_tail(ratio) == from_bin:
            break
        from_bin = _first_of_tail(ratio)
    # A ratio from few errors is not well known: no tail is called unlikely that its upper end would explain.
    below = int(counts[:from_bin] @ values[:from_bin])
    highest = (
        ratio
        if not counts[:from_bin].any()
        else ratio + (poisson_upper(below, 0.99) - below) / (codewords * CODEWORD_SYMBOLS)
    )
    tails = np.cumsum(counts[::-1])[::-1]
    chances = {
        bin_: poisson_tail(
            int(tails[bin_]), codewords * binomial_tail(bin_, CODEWORD_SYMBOLS, min(highest, 1.0))
        )
        for bin_ in range(from_bin, _BINS)
    }
    rarest = min(chances, key=lambda bin_: chances[bin_])
    observed = int(tails[from_bin])
    expected = codewords * binomial_tail(from_bin, CODEWORD_SYMBOLS, ratio)
    probability = min(1.0, chances[rarest] * len(chances))
    scatter = None
    if errors >= 2 and codewords >= 2:
        scatter = dispersion_of_histogram(values, counts, trials=CODEWORD_SYMBOLS)
    bursts = probability < _UNLIKELY or (scatter is not None and scatter.z > 5.0 and observed > expected)
    return BurstIndication(scatter, from_bin, observed, expected, rarest, probability, bursts)


def _first_of_tail(ratio: float) -> int:
    """The first bin beyond which are few codewords. A tail of one wrong symbol says nothing: their number is
    given."""
    return next(
        (
            bin_
            for bin_ in range(2, CORRECTABLE + 1)
            if binomial_tail(bin_, CODEWORD_SYMBOLS, ratio) <= _BURST_SHARE
        ),
        CORRECTABLE + 1,
    )


def _ratio_below(counts: Histogram, end: int, otherwise: float) -> float:
    """The symbol error ratio of the greatest likelihood, by the codewords below a bin."""
    some = counts[:end]
    if not some.any():
        return otherwise
    values = np.arange(end)
    mean = float(some @ values) / float(some.sum())
    if mean == 0.0:
        return 0.0
    low, high = math.log(1e-20), math.log(otherwise) + 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        weights = _log_ways()[:end] + values * (middle - math.log1p(-min(math.exp(middle), 0.999)))
        shares = np.exp(weights - weights.max())
        reached = float(shares @ values) / float(shares.sum())
        low, high = (middle, high) if reached < mean else (low, middle)
    return min(math.exp(0.5 * (low + high)), 1.0)


@dataclass(frozen=True, slots=True)
class FecMargin:
    """What a measurement says of losses too rare to be counted."""

    codeword_error_ratio: float
    """Best estimate, and never below the ratio that was observed. Where the tail contradicts the law: the
    observed ratio, or the highest that none lost allows."""
    interval: Interval
    """Of the codeword error ratio. It covers that of the observed loss when codewords were lost or the tail
    contradicts the law."""
    bit_error_ratio: float
    """The ratio of independent bit errors that would lose as many codewords: bursts cost what it is above the
    counted one. 0 when nothing was lost or can be expected."""
    margin_db: float
    """Optical margin to the BER limit, 10 log10(q / q limit) of those ratios, where noise does not grow with
    power; infinite without errors."""
    margin_interval_db: tuple[float, float]
    """Lowest and highest margin in the interval."""
    clustering: float
    """Beta-binomial spread of the symbol error ratio from codeword to codeword: 0 for independent errors."""
    tail_fits: bool | None
    """False when the histogram's tail contradicts the law fitted to it: the extrapolation is void, and ratio,
    interval and margin are those of the observed loss. None where there was no histogram to tell."""
    notes: tuple[str, ...]
    """What a reader of the margin must know: what contradicts what."""

    @property
    def frame_loss_ratio(self) -> float:
        """Of 400GBASE-R, see :func:`frame_loss_ratio`."""
        return frame_loss_ratio(self.codeword_error_ratio)

    @property
    def frame_loss_interval(self) -> Interval:
        """Of 400GBASE-R."""
        low, high = (frame_loss_ratio(end) for end in (self.interval.low, self.interval.high))
        return Interval(low, high, self.interval.confidence)


def margin_from_errors(
    errors: int, bits: int, *, confidence: float = 0.95, ber_limit: float = BER_LIMIT
) -> FecMargin:
    """Margin from counted bit errors, taking them for independent; a histogram tells whether they are.

    :raises ValueError: for counts that cannot be.
    """
    ends = binomial_interval(errors, bits, confidence)
    interval = Interval(codeword_error_ratio(ends.low), codeword_error_ratio(ends.high), confidence)
    return _margin(codeword_error_ratio(errors / bits), interval, ber_limit)


def margin_from_histogram(
    histogram: NDArray[np.integer[Any]], *, confidence: float = 0.95, ber_limit: float = BER_LIMIT
) -> FecMargin:
    """Margin from measured wrong symbols per codeword, extrapolated to 16 and more.

    The codewords' symbol error ratio is taken to scatter by a beta distribution, which is none at all for
    independent errors and makes the tail the heavier, the more errors cluster. Mean and spread are those of
    the greatest likelihood; the interval is that of the profile likelihood, so that a histogram too small to
    rule out bursts has a high upper end.

    What was observed goes before the law. The ratio is never below that of the codewords lost. Where a tail
    holds three times as many codewords as the law has, or no loss was seen where the law wants many, and
    chance does not explain it (1e-4), the law is not the lane's: a mixture, say, of a clean lane and a few
    bad codewords once a second. Nothing is extrapolated then, see :attr:`FecMargin.tail_fits`: with no
    codeword lost the ratio is the highest that allows (3.7 by the codewords at 95 %), and only counting
    longer brings it down. Bursts that the histogram never saw are in no law.

    :param histogram: as :data:`Histogram`; a shorter one has zeros behind it.
    :raises ValueError: for another shape, values below zero, no codewords, or none that is free of error or
        corrected.
    """
    counts = _checked(histogram)
    codewords = int(counts.sum())
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence must lie between 0 and 1, got {confidence}")
    lost = int(counts[-1])
    seen = binomial_interval(lost, codewords, confidence)
    if lost == codewords:
        raise ValueError("no codeword could be corrected: there is nothing to extrapolate from")
    if counts[0] == codewords:
        return _margin(0.0, seen, ber_limit, tail_fits=True)
    mean, spread, interval = _fitted(counts, confidence)
    shares = np.asarray(_shares(np.array([mean]), np.array([spread]))[0])
    estimate = float(shares[-1])
    against = _against(counts, shares)
    if against is not None:
        estimate = lost / codewords if lost else seen.high
        interval = seen
    else:
        estimate = max(estimate, lost / codewords)
        ends = (interval, seen) if lost or interval.low > seen.high else (interval,)
        interval = Interval(
            min(estimate, *(end.low for end in ends)),
            max(estimate, *(end.high for end in ends)),
            confidence,
        )
    return _margin(
        estimate,
        interval,
        ber_limit,
        spread,
        tail_fits=against is None,
        notes=() if against is None else (against,),
    )


def _against(counts: Histogram, shares: Array) -> str | None:
    """What in a histogram contradicts the law fitted to it; None when nothing does."""
    codewords = int(counts.sum())
    tails = np.cumsum(counts[::-1])[::-1]
    expected = codewords * np.cumsum(shares[::-1])[::-1]
    bins = [bin_ for bin_ in range(2, _BINS) if tails[bin_] > _GROSS * expected[bin_]]
    chances = {bin_: poisson_tail(int(tails[bin_]), float(expected[bin_])) for bin_ in bins}
    rarest = min(chances, key=lambda bin_: chances[bin_], default=0)
    if rarest and chances[rarest] * (_BINS - 2) < _UNLIKELY:
        return (
            f"codewords with {rarest} or more wrong symbols: {tails[rarest]}, where the law of the others "
            f"has {expected[rarest]:.2g}; bursts of another kind: the loss is the observed one, "
            "not extrapolated"
        )
    few = float(expected[-1])
    if _GROSS * counts[-1] < few and 1.0 - poisson_tail(int(counts[-1]) + 1, few) < _UNLIKELY:
        return (
            f"codewords lost: {counts[-1]}, where the law of the others has {few:.2g}; "
            "the loss is the observed one, not extrapolated"
        )
    return None


def _margin(
    estimate: float,
    interval: Interval,
    ber_limit: float,
    clustering: float = 0.0,
    *,
    tail_fits: bool | None = None,
    notes: tuple[str, ...] = (),
) -> FecMargin:
    limit = q_of_ber(ber_limit)

    def in_db(ratio: float) -> float:
        if ratio <= 0.0:
            return math.inf
        reached = q_of_ber(min(bit_error_ratio_for(ratio), CLOSED_BER)) if ratio < 1.0 else 0.0
        return 10.0 * math.log10(reached / limit) if reached > 0.0 else -math.inf

    bit_errors = bit_error_ratio_for(estimate) if 0.0 < estimate < 1.0 else estimate
    return FecMargin(
        estimate,
        interval,
        bit_errors,
        in_db(estimate),
        (in_db(interval.high), in_db(interval.low)),
        clustering,
        tail_fits,
        notes,
    )


@lru_cache(maxsize=1)
def _log_ways() -> Array:
    """ln of the ways to choose 0..15 of 544 symbols."""
    return np.array([math.log(math.comb(CODEWORD_SYMBOLS, wrong)) for wrong in range(CORRECTABLE + 1)])


def _shares(mean: Array, spread: Array) -> Array:
    """Share of codewords with 0..15 wrong symbols and with more, by the beta-binomial distribution.

    :param mean: symbol error ratios, shape (n,).
    :param spread: 1 / (alpha + beta) of the beta distribution, shape (n,); 0 makes it the binomial.
    :returns: shape (n, 17).
    """
    steps = np.arange(CODEWORD_SYMBOLS, dtype=np.float64)
    more = spread[:, np.newaxis] * steps
    with np.errstate(divide="ignore"):
        wrong = np.cumsum(np.log(mean[:, np.newaxis] + more), axis=1)
        right = np.cumsum(np.log1p(more - mean[:, np.newaxis]), axis=1)
    all_ = np.log1p(more).sum(axis=1)
    few = np.arange(CORRECTABLE + 1)
    logs = right[:, CODEWORD_SYMBOLS - 1 - few] - all_[:, np.newaxis] + _log_ways()
    logs[:, 1:] += wrong[:, few[1:] - 1]
    shares = np.exp(logs)
    # A small tail term by term, which one less the rest would lose; a large one the other way, for there the
    # terms may overflow.
    rest = 1.0 - shares.sum(axis=1)
    with np.errstate(all="ignore"):
        small = _small_tail(mean, more, wrong, right, all_)
    tail = np.where(rest > 0.5, rest, small)
    return np.concatenate([shares, tail[:, np.newaxis]], axis=1)


def _small_tail(mean: Array, more: Array, wrong: Array, right: Array, all_: Array) -> Array:
    """Share of codewords with more wrong symbols than can be corrected, where it is below a half."""
    steps = np.arange(CODEWORD_SYMBOLS, dtype=np.float64)
    ratios = (mean[:, np.newaxis] + more)[:, CORRECTABLE + 1 :] * (
        (CODEWORD_SYMBOLS - steps) / (steps + 1.0)
    )[CORRECTABLE + 1 :]
    ratios /= 1.0 - mean[:, np.newaxis] + more[:, CODEWORD_SYMBOLS - 2 - CORRECTABLE :: -1]
    first = np.exp(
        wrong[:, CORRECTABLE]
        + right[:, CODEWORD_SYMBOLS - 2 - CORRECTABLE]
        - all_
        + math.log(math.comb(CODEWORD_SYMBOLS, CORRECTABLE + 1))
    )
    return np.asarray(first * (1.0 + np.cumprod(ratios, axis=1).sum(axis=1)))


def _fitted(counts: Histogram, confidence: float) -> tuple[float, float, Interval]:
    """Most likely mean and spread, and the profile-likelihood interval of the codeword error ratio."""
    codewords = int(counts.sum())
    errors = float(counts @ np.arange(_BINS))
    # Deviations are judged by chi squared of one degree of freedom.
    allowed = 0.5 * tail_inverse(0.5 * (1.0 - confidence)) ** 2

    def likelihood(means: Array, spreads: Array) -> tuple[Array, Array]:
        shares = _shares(means, spreads)
        occupied = counts > 0
        with np.errstate(divide="ignore"):
            return np.log(shares[:, occupied]) @ counts[occupied], shares[:, -1]

    ratio = errors / codewords / CODEWORD_SYMBOLS
    # Spreads that matter lie around the mean's own size; the grid closes in on the region that is allowed.
    width = 8.0 / math.sqrt(errors)
    log_means = (math.log(ratio) - width, min(math.log(ratio) + width, -1e-9))
    roots = (0.0, 2.0 * math.sqrt(ratio))
    best = (-math.inf, ratio, 0.0)
    low, high = math.inf, 0.0
    for _ in range(12):
        means = np.exp(np.linspace(*log_means, 41))
        spreads = np.square(np.linspace(*roots, 41))
        mean_grid, spread_grid = (axis.ravel() for axis in np.meshgrid(means, spreads))
        logs, losses = likelihood(mean_grid, spread_grid)
        place = int(np.argmax(logs))
        if logs[place] > best[0]:
            best = (float(logs[place]), float(mean_grid[place]), float(spread_grid[place]))
        inside = logs >= best[0] - allowed
        if inside.any():
            low, high = float(losses[inside].min()), float(losses[inside].max())
        near = (logs >= best[0] - 3.0 * allowed).reshape(41, 41)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if rows.size >= 12 and columns.size >= 12:
            break
        log_means = _closer(np.log(means), columns)
        roots = _closer(np.sqrt(spreads), rows)
    return best[1], best[2], Interval(low, high, confidence)


def _closer(axis: Array, near: NDArray[np.integer[Any]]) -> tuple[float, float]:
    """The part of an axis that holds what is near, with a step more on each side."""
    step = float(axis[1] - axis[0])
    return max(float(axis[0]), float(axis[near[0]]) - step), float(axis[near[-1]]) + step


def _checked(histogram: NDArray[np.integer[Any]]) -> Histogram:
    given = np.asarray(histogram)
    if given.ndim != 1 or not 0 < given.size <= _BINS or given.dtype.kind not in "ui":
        raise ValueError(
            f"a histogram is up to {_BINS} whole numbers, the codewords with 0..15 and with more wrong "
            f"symbols; got {given.dtype} of shape {given.shape}"
        )
    if int(given.min()) < 0 or int(given.sum()) == 0:
        raise ValueError("a histogram holds no numbers below zero, and one codeword at least")
    counts = np.zeros(_BINS, dtype=np.int64)
    counts[: given.size] = given
    return counts


def _check_ratio(ratio: float) -> None:
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"an error ratio must lie between 0 and 1, got {ratio}")
