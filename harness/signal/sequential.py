"""Sequential test of an error ratio: count until it is certain that the ratio is low enough, or too high.

Wald's sequential probability ratio test of two simple hypotheses (textbook: A. Wald, Sequential Analysis,
1947). Of all tests that err as rarely it needs the fewest bits on average. It may be looked at as often as
one likes: that is what a fixed count with a confidence interval must not be.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Decision(enum.Enum):
    """What is certain by now."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """``good`` and ``bad``: error ratios; what lies between may be called either. ``alpha``: chance that one
    that is good is called bad; ``beta``: that a bad one is called good. By Wald's inequalities the true
    chances are at most alpha / (1 - beta) and beta / (1 - alpha).

    :raises ValueError: unless 0 < good < bad < 1 and both chances are inside (0, 0.5).
    """

    good: float
    bad: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not 0.0 < self.good < self.bad < 1.0:
            raise ValueError(f"error ratios: expected 0 < good < bad < 1, got {self.good} and {self.bad}")
        if not (0.0 < self.alpha < 0.5 and 0.0 < self.beta < 0.5):
            raise ValueError(f"chances of error must lie inside (0, 0.5), got {self.alpha} and {self.beta}")

    @property
    def per_error(self) -> float:
        """What an error adds to the log-likelihood ratio of bad over good."""
        return math.log(self.bad / self.good)

    @property
    def per_bit(self) -> float:
        """What a bit without error takes from it."""
        return math.log1p(-self.good) - math.log1p(-self.bad)

    @property
    def bounds(self) -> tuple[float, float]:
        """Log-likelihood ratios at which it is good, and bad."""
        return math.log(self.beta / (1.0 - self.alpha)), math.log((1.0 - self.beta) / self.alpha)

    @property
    def error_free_bits(self) -> float:
        """Bits without an error that show a good one."""
        return -self.bounds[0] / self.per_bit

    def decide(self, errors: int, bits: int, *, dispersion: float = 1.0) -> Decision:
        """What so many errors among so many bits say. ``dispersion``: variance over mean of the counts;
        errors that come in bursts say less (quasi-likelihood; a ratio below 1 counts as 1).

        :raises ValueError: for counts that cannot be.
        """
        if not 0 <= errors <= bits:
            raise ValueError(f"{errors} errors in {bits} bits cannot be")
        ratio = (errors * self.per_error - (bits - errors) * self.per_bit) / max(1.0, dispersion)
        low, high = self.bounds
        if ratio <= low:
            return Decision.GOOD
        return Decision.BAD if ratio >= high else Decision.OPEN

    def expected_bits(self, error_ratio: float) -> float:
        """About how many bits it takes on average at one of the hypotheses (Wald's approximation, which
        leaves out by how much a bound is overstepped).

        :raises ValueError: for another ratio than ``good`` and ``bad``.
        """
        low, high = self.bounds
        if error_ratio == self.good:
            reached = self.alpha * high + (1.0 - self.alpha) * low
        elif error_ratio == self.bad:
            reached = (1.0 - self.beta) * high + self.beta * low
        else:
            raise ValueError(f"{error_ratio} is neither of the hypotheses")
        drift = error_ratio * self.per_error - (1.0 - error_ratio) * self.per_bit
        return reached / drift
