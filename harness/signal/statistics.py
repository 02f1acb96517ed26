"""Confidence in counted errors: intervals that are exact, from Poisson's and the binomial distribution.

Probabilities are computed from the point probability in Loader's saddle-point form, which keeps its digits
for any counts, and a sum over neighbours: numpy alone, and as good for 10 errors in 1e13 bits as for 1e6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.gaussian import tail_inverse

_LOG_ROOT_TWO_PI: Final = 0.5 * math.log(2.0 * math.pi)
_NEGLIGIBLE: Final = 1e-17


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float
    confidence: float


def poisson_interval(count: int, confidence: float = 0.95) -> Interval:
    """Exact (Garwood) interval of the expected number when ``count`` events were counted; half of what is
    left of the confidence on each side, so that a count of zero has the low end 0.

    :raises ValueError: for a count below zero or a confidence not inside (0, 1).
    """
    _check(count, confidence)
    beyond = 0.5 * (1.0 - confidence)
    low = _poisson_bound(count - 1, 1.0 - beyond) if count else 0.0
    return Interval(low, _poisson_bound(count, beyond), confidence)


def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of the expected number: chi2.ppf(confidence, 2 count + 2) / 2; 2.996 for no event
    at 95 %."""
    _check(count, confidence)
    return _poisson_bound(count, 1.0 - confidence)


def binomial_interval(errors: int, trials: int, confidence: float = 0.95) -> Interval:
    """Exact (Clopper-Pearson) interval of an error ratio; both sides share what is left of the confidence.

    It takes the errors for independent: see :func:`dispersion` first.

    :raises ValueError: for counts that cannot be, or a confidence not inside (0, 1).
    """
    _check(errors, confidence)
    _check_trials(errors, trials)
    beyond = 0.5 * (1.0 - confidence)
    return Interval(_binomial_low(errors, trials, beyond), _binomial_high(errors, trials, beyond), confidence)


def binomial_upper(errors: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of an error ratio (Clopper-Pearson)."""
    _check(errors, confidence)
    _check_trials(errors, trials)
    return _binomial_high(errors, trials, 1.0 - confidence)


def error_free_bits(bit_error_ratio: float, confidence: float = 0.95) -> float:
    """Bits without an error that show a ratio to be below a limit: -ln(1 - confidence) / ratio."""
    if not 0.0 < bit_error_ratio < 1.0:
        raise ValueError(f"an error ratio must lie between 0 and 1, got {bit_error_ratio}")
    _check(0, confidence)
    return -math.log1p(-confidence) / bit_error_ratio


def error_free_time_s(bit_error_ratio: float, bit_rate_bps: float, confidence: float = 0.95) -> float:
    """Seconds for :func:`error_free_bits` at a bit rate: 28.2 s for 1e-12 at 106.25 Gb/s."""
    if not bit_rate_bps > 0.0:
        raise ValueError(f"a bit rate must be above zero, got {bit_rate_bps}")
    return error_free_bits(bit_error_ratio, confidence) / bit_rate_bps


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much counts in equal intervals scatter."""

    index: float
    """Variance over mean of the counts; 1 for independent rare errors, more with bursts."""
    z: float
    """By how many standard deviations that is above what independent errors show. Some way beyond a
    Gaussian's for few errors: judge it from 4 up."""


def dispersion(counts: NDArray[np.integer[Any]], *, trials: int | None = None) -> Dispersion:
    """Index of dispersion of errors counted in equal intervals: tells bursts from independent errors.

    :param counts: errors per interval, shape (intervals,).
    :param trials: bits (or symbols) per interval, for error ratios that are not small; without it, Poisson's
        distribution is taken.
    :raises ValueError: with fewer than two intervals or two errors.
    """
    values, repeats = np.unique(np.asarray(counts), return_counts=True)
    return dispersion_of_histogram(values, repeats, trials=trials)


def dispersion_of_histogram(
    values: NDArray[np.integer[Any]], repeats: NDArray[np.integer[Any]], *, trials: int | None = None
) -> Dispersion:
    """:func:`dispersion` of counts given by how often each value occurred.

    :param values: errors per interval, shape (values,).
    :param repeats: intervals that had them, shape (values,).
    """
    x, times = np.asarray(values, dtype=np.float64), np.asarray(repeats, dtype=np.float64)
    if x.size and (x.min() < 0.0 or times.min() < 0.0):
        raise ValueError("counts must not be below zero")
    intervals, total = float(times.sum()), float(times @ x)
    if intervals < 2 or total < 2:
        raise ValueError("to tell bursts takes two intervals and two errors at least")
    mean = total / intervals
    share = 0.0 if trials is None else mean / trials
    if share >= 1.0:
        raise ValueError("all trials are errors")
    index = float(times @ np.square(x - mean)) / (intervals - 1.0) / (mean * (1.0 - share))
    # Given the total, the sum of squares of multinomial counts scatters by this.
    spread = math.sqrt(2.0 / (intervals - 1.0) * (1.0 - 1.0 / total))
    return Dispersion(index, (index - 1.0) / spread)


def poisson_tail(count: int, mean: float) -> float:
    """P(X >= count) of Poisson's distribution."""
    if mean < 0.0 or math.isnan(mean):
        raise ValueError(f"a mean must not be below zero, got {mean}")
    if count <= 0:
        return 1.0
    return 1.0 - _poisson_at_most(count - 1, mean) if count <= mean else _poisson_at_least(count, mean)


def binomial_tail(count: int, trials: int, probability: float) -> float:
    """P(X >= count) of the binomial distribution."""
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"a probability must lie between 0 and 1, got {probability}")
    if count <= 0:
        return 1.0
    if count > trials:
        return 0.0
    if count <= trials * probability:
        return 1.0 - _binomial_at_most(count - 1, trials, probability)
    return _binomial_at_least(count, trials, probability)


def _check(count: int, confidence: float) -> None:
    if count < 0:
        raise ValueError(f"a count must not be below zero, got {count}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence must lie between 0 and 1, got {confidence}")


def _check_trials(errors: int, trials: int) -> None:
    if errors > trials or trials < 1:
        raise ValueError(f"{errors} errors in {trials} trials cannot be")


def _stirling_rest(n: float) -> float:
    """ln n! less Stirling's (n + 1/2) ln n - n + ln(2 pi) / 2."""
    if n < 16.0:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - _LOG_ROOT_TWO_PI if n else 0.0
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n


def _deviance(x: float, mean: float) -> float:
    """x ln(x / mean) + mean - x without loss of digits where they are close."""
    if x == 0.0:
        return mean
    if abs(x - mean) > 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    ratio = (x - mean) / (x + mean)
    result, term, order = (x - mean) * ratio, 2.0 * x * ratio, 1
    while True:
        term *= ratio * ratio
        order += 2
        more = result + term / order
        if more == result:
            return more
        result = more


def _poisson_point(count: int, mean: float) -> float:
    if mean == 0.0:
        return float(count == 0)
    if count == 0:
        return math.exp(-mean)
    rest = -_stirling_rest(count) - _deviance(count, mean)
    return math.exp(rest) / math.sqrt(2.0 * math.pi * count)


def _binomial_point(count: int, trials: int, probability: float) -> float:
    if probability in (0.0, 1.0):
        return float(count == trials * probability)
    if count == 0:
        return math.exp(trials * math.log1p(-probability))
    if count == trials:
        return math.exp(trials * math.log(probability))
    other = trials - count
    rest = (
        _stirling_rest(trials)
        - _stirling_rest(count)
        - _stirling_rest(other)
        - _deviance(count, trials * probability)
        - _deviance(other, trials * (1.0 - probability))
    )
    return math.exp(rest) * math.sqrt(trials / (2.0 * math.pi * count * other))


def _series(ratio: Callable[[NDArray[np.float64]], NDArray[np.float64]], scale: float) -> float:
    """1 + r(0) + r(0) r(1) + ... until the terms vanish; ``scale`` is about how many count."""
    total, last, done = 1.0, 1.0, 0
    size = 16 + int(scale)
    while True:
        terms = last * np.cumprod(ratio(np.arange(done, done + size, dtype=np.float64)))
        total += float(terms.sum())
        last, done = float(terms[-1]), done + size
        if last <= _NEGLIGIBLE * total:
            return total


def _poisson_at_most(count: int, mean: float) -> float:
    if mean == 0.0:
        return 1.0
    point = _poisson_point(count, mean)
    if point == 0.0:
        return float(count > mean)
    return min(1.0, point * _series(lambda i: np.maximum(count - i, 0.0) / mean, math.sqrt(count)))


def _poisson_at_least(count: int, mean: float) -> float:
    point = _poisson_point(count, mean)
    return min(1.0, point * _series(lambda i: mean / (count + 1.0 + i), math.sqrt(count)))


def _binomial_at_most(count: int, trials: int, probability: float) -> float:
    if probability == 0.0:
        return 1.0
    if probability == 1.0:
        return float(count >= trials)
    point = _binomial_point(count, trials, probability)
    if point == 0.0:
        return float(count > trials * probability)
    odds = (1.0 - probability) / probability
    return min(
        1.0,
        point
        * _series(lambda i: np.maximum(count - i, 0.0) / (trials - count + 1.0 + i) * odds, math.sqrt(count)),
    )


def _binomial_at_least(count: int, trials: int, probability: float) -> float:
    point = _binomial_point(count, trials, probability)
    if probability in (0.0, 1.0):
        return point
    odds = probability / (1.0 - probability)
    return min(
        1.0,
        point
        * _series(lambda i: np.maximum(trials - count - i, 0.0) / (count + 1.0 + i) * odds, math.sqrt(count)),
    )


def _solved(
    log_probability: Callable[[float], tuple[float, float]], target: float, start: float, highest: float
) -> float:
    """Where a falling log-probability reaches ln(target), by Newton's steps, which converge for a concave
    one; the function also gives its slope."""
    x, goal = min(start, 0.999 * highest), math.log(target)
    for _ in range(100):
        value, slope = log_probability(x)
        step = (goal - value) / slope
        # No step may leave the numbers that are possible.
        x += min(max(step, -0.5 * x), 0.5 * (highest - x))
        if abs(step) <= 1e-13 * x:
            break
    return x


def _poisson_start(count: int, at_most: float) -> float:
    """Wilson and Hilferty's approximation of the mean with P(X <= count) = ``at_most``."""
    n = count + 1.0
    root = 1.0 - 1.0 / (9.0 * n) + tail_inverse(at_most) / (3.0 * math.sqrt(n))
    return float(n * max(root, 0.1) ** 3)


def _poisson_bound(count: int, at_most: float) -> float:
    """The mean with P(X <= count) = ``at_most``."""
    if count == 0:
        return -math.log(at_most)

    def at(mean: float) -> tuple[float, float]:
        probability = _poisson_at_most(count, mean)
        return math.log(probability), -_poisson_point(count, mean) / probability

    return _solved(at, at_most, _poisson_start(count, at_most), math.inf)


def _binomial_high(count: int, trials: int, beyond: float) -> float:
    """The probability with P(X <= count) = ``beyond``."""
    if count == trials:
        return 1.0
    if 2 * count >= trials > 1:
        return 1.0 - _binomial_low(trials - count, trials, beyond)
    return _binomial_bound(count, trials, beyond)


def _binomial_low(count: int, trials: int, beyond: float) -> float:
    """The probability with P(X >= count) = ``beyond``."""
    if count == 0:
        return 0.0
    if 2 * count > trials:
        return 1.0 - _binomial_high(trials - count, trials, beyond)
    return _binomial_bound(count - 1, trials, 1.0 - beyond)


def _binomial_bound(count: int, trials: int, at_most: float) -> float:
    """The probability with P(X <= count) = ``at_most``, for fewer than half of the trials."""
    if count == 0:
        return -math.expm1(math.log(at_most) / trials)

    def at(mean: float) -> tuple[float, float]:
        share = mean / trials
        probability = _binomial_at_most(count, trials, share)
        return math.log(probability), -_binomial_point(count, trials - 1, share) / probability

    # The binomial is narrower than Poisson's distribution: with many errors, by many standard deviations.
    narrower = math.sqrt(1.0 - min(count + 1.0, 0.999 * trials) / trials)
    start = count + 1.0 + narrower * (_poisson_start(count, at_most) - count - 1.0)
    return _solved(at, at_most, start, float(trials)) / trials
