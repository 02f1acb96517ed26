"""Whether two counters counted the same: the ratio of two error ratios, with its exact interval.

Given how many errors both have together, those of the one are binomial with a share that depends on the ratio
alone (textbook: the conditional test of two Poisson means). So there is an answer for no error, for three,
and for a million, and none of them takes a fixed percentage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.signal.statistics import Interval, binomial_interval


@dataclass(frozen=True, slots=True)
class Counted:
    """``errors`` in ``bits``. ``dispersion``: variance over mean of the counts, for errors that come in
    bursts: so many of them count as one."""

    errors: int
    bits: int
    dispersion: float = 1.0

    @property
    def independent(self) -> int:
        """Independent events, rounded down."""
        return math.floor(self.errors / max(1.0, self.dispersion))


def rate_ratio(one: Counted, other: Counted, confidence: float) -> Interval:
    """Interval of the error ratio of ``one`` over that of ``other``; 0 and infinity where errors are too few
    to bound it.

    :raises ValueError: without bits, or for a confidence not inside (0, 1).
    """
    if one.bits < 1 or other.bits < 1:
        raise ValueError("to compare error ratios takes bits on both sides")
    mine, theirs = one.independent, other.independent
    if mine + theirs == 0:
        return Interval(0.0, math.inf, confidence)
    share = binomial_interval(mine, mine + theirs, confidence)

    def ratio(p: float) -> float:
        return math.inf if p >= 1.0 else p / (1.0 - p) * other.bits / one.bits

    return Interval(ratio(share.low), ratio(share.high), confidence)


def agree(
    one: Counted,
    other: Counted,
    *,
    confidence: float,
    expected_ratio: float = 1.0,
    allowed_ratio: float = 1.0,
) -> bool:
    """Whether the counts do not contradict each other: the interval of their ratio meets what may truly lie
    between them, ``expected_ratio`` (light that changed by a known amount, say) times 1 / ``allowed_ratio``
    to ``allowed_ratio``.

    :raises ValueError: as :func:`rate_ratio`, for an expected ratio that is not above 0, or an allowed one
        below 1.
    """
    if not (allowed_ratio >= 1.0 and expected_ratio > 0.0):
        raise ValueError(
            f"the allowed ratio must be 1 or more and the expected one above 0, got {allowed_ratio} and "
            f"{expected_ratio}"
        )
    found = rate_ratio(one, other, confidence)
    return found.low <= expected_ratio * allowed_ratio and found.high >= expected_ratio / allowed_ratio
