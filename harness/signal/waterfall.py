"""Bit error ratio against received power: the waterfall's model fitted to counts, and the sensitivity.

With thermal noise alone q (:mod:`harness.signal.error_ratio`) grows with OMA; shot noise grows with the root
of the power, and what grows with the power itself (RIN, intersymbol interference, reflections) puts a floor
under the errors: 1/q^2 = a / OMA^2 + b / OMA + c (textbook).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.signal.error_ratio import CLOSED_BER, ber_of_q, q_of_ber
from harness.signal.gaussian import tail_inverse
from harness.signal.statistics import Interval, poisson_interval
from harness.signal.waveform import Array, SignalError

LEAST_ERRORS: Final = 10
"""Errors that a point needs to count as one of a known bit error ratio (32 % rms)."""
_HIGHEST_BER: Final = 0.2
"""Beyond it a receiver has lost its lock rather than met noise."""
_TERMS: Final = 3
_LINE_ROUNDS: Final = 8
_LEAST_Q: Final = 0.1
_ROUNDS: Final = 200
_SETTLED: Final = 1e-9
"""Gain in the logarithm of the likelihood that is not worth another round."""
_LEAST_Y: Final = 1.0 / 30.0**2
"""1/q^2 where the bit error ratio is 1e-198: no count tells it from zero."""
_NEAR: Final = 2.5
"""Standard deviations from the wanted q within which a point helps to find it."""
_NEAR_Q: Final = 0.12
"""So does one that is this near, about 0.15 dB: so far a straight line is as good as the curve."""
_FARTHEST: Final = 0.12
"""Share of q by which a point may miss the model beyond its counting noise: half a decibel of power, more
than a power meter errs or a lane drifts."""
_BEYOND_CHANCE: Final = 1.0 - 1e-6
"""Confidence of the counting noise that is allowed for then."""
_UNSTEADY: Final = 5.0
"""Standard deviations of chi squared above its mean from which on the interval is widened."""
_EXPLAINED: Final = 4.0
"""Standard deviations by which q may fall from one point to the next and still be chance."""


@dataclass(frozen=True, slots=True)
class WaterfallPoint:
    """Errors counted at one power."""

    oma_w: float
    """OMAouter at the receiver in watts."""
    errors: int
    """Bits in error; 0 counts in the fit, but gives no bit error ratio to interpolate from."""
    bits: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.oma_w) and self.oma_w > 0.0):
            raise SignalError(f"OMA must be above zero, got {self.oma_w} W")
        if not (0 <= self.errors <= self.bits and self.bits > 0):
            raise SignalError(f"{self.errors} errors in {self.bits} bits cannot be (at {self.oma_w:.4g} W)")
        if self.errors > _HIGHEST_BER * self.bits:
            raise SignalError(
                f"a bit error ratio of {self.errors / self.bits:.2g} at {self.oma_w:.4g} W is no noise but a "
                "lost lock or another pattern: leave the point out"
            )

    @property
    def bit_error_ratio(self) -> float:
        """Errors by bits."""
        return self.errors / self.bits


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Least OMA at which a bit error ratio is reached."""

    oma_w: float
    interval_w: Interval
    """Of the OMA, from the counts alone: power meter and drift have their own uncertainty."""
    bit_error_ratio: float
    points: tuple[WaterfallPoint, ...]
    """What it was interpolated from, by ascending OMA."""


def sensitivity(
    points: Iterable[WaterfallPoint], bit_error_ratio: float, *, confidence: float = 0.95
) -> Sensitivity:
    """OMA at a bit error ratio, by a straight line of q against OMA between the points about it.

    Seen from the lowest power: where the ratio is crossed again at high power (overload), that does not
    count. Where points stand closer than about 0.15 dB, or so close that counting noise makes them cross it
    to and fro, the line is that of the greatest likelihood through all of those. The curve of a receiver with
    a floor of 1e-8 bends away from the line between points 0.5 dB apart by 0.01 dB.

    :param points: of one lane, in any order; those at the same OMA are added up. A point with fewer than ten
        errors does not count here.
    :raises SignalError: when fewer than two points have ten errors, they do not bracket the ratio, or the
        ratio rises with power about it by more than chance.
    :raises ValueError: for a ratio or confidence that cannot be.
    """
    wanted = q_of_ber(bit_error_ratio)
    beyond = _deviations(confidence)
    known = [point for point in _pooled(points) if point.errors >= LEAST_ERRORS]
    if len(known) < 2:
        raise SignalError(
            f"sensitivity needs two points of {LEAST_ERRORS} errors at least, got {len(known)}: "
            "count longer, or attenuate more"
        )
    q = np.array([q_of_ber(point.bit_error_ratio) for point in known])
    spread = np.array([_spread_of_q(point) for point in known])
    first, last = _bracket(known, q, spread, wanted, bit_error_ratio)
    best = int(np.argmax(q))
    while True:
        used = known[first : last + 1]
        line = _line(used, q[first : last + 1])
        if line.steepness > 2.0 * beyond or not (first > 0 or last < best):
            break
        # Counts too few to tell the slope here: it takes points from further away.
        first, last = max(first - 1, 0), max(last, min(last + 1, best))
    if not line.steepness > beyond:
        raise SignalError(
            f"{sum(point.errors for point in used)} errors between {used[0].oma_w:.4g} W and "
            f"{used[-1].oma_w:.4g} W do not tell that the bit error ratio falls there: count longer, or "
            "take points further apart"
        )
    found, low, high = line.crossing(wanted, beyond)
    return Sensitivity(found, Interval(max(0.0, low), high, confidence), bit_error_ratio, tuple(used))


@dataclass(frozen=True, slots=True)
class _Line:
    """q against OMA about the points' middle."""

    oma_w: float
    q: float
    slope: float
    weight: float
    """Inverse of the variance of ``q``."""
    moment: float
    """Inverse of the variance of ``slope``."""

    @property
    def steepness(self) -> float:
        """The slope by its own standard deviation."""
        return self.slope * math.sqrt(self.moment)

    def crossing(self, wanted: float, beyond: float) -> tuple[float, float, float]:
        """OMA at which the line passes a value, and between which ones it may do so: where it is no further
        from the value than so many of its own standard deviations there (Fieller's theorem)."""
        away = self.q - wanted
        square = self.slope**2 - beyond**2 / self.moment
        root = beyond * math.sqrt(away**2 / self.moment + square / self.weight)
        low, high = (self.oma_w + (-self.slope * away + sign * root) / square for sign in (-1.0, 1.0))
        return self.oma_w - away / self.slope, low, high


def _line(points: Sequence[WaterfallPoint], q: Array) -> _Line:
    """The straight line of the greatest likelihood; through two points, the line between them."""
    x = np.array([point.oma_w for point in points])
    errors, bits = (np.array([getattr(point, name) for point in points]) for name in ("errors", "bits"))
    near = q
    for _ in range(_LINE_ROUNDS):
        # Weights follow the line and not the counts, which would favour points that err by chance.
        expected = bits * np.array([ber_of_q(one) for one in near.tolist()])
        slopes = bits * np.array([_slope(one) for one in near.tolist()])
        weights = np.square(slopes) / expected
        aim = near - (errors - expected) / slopes
        weight = float(weights.sum())
        middle_x, middle_q = float(weights @ x) / weight, float(weights @ aim) / weight
        moment = float(weights @ np.square(x - middle_x))
        slope = float(weights @ ((x - middle_x) * aim)) / moment
        near = np.maximum(middle_q + slope * (x - middle_x), _LEAST_Q)
    return _Line(middle_x, middle_q, slope, weight, moment)


@dataclass(frozen=True, slots=True)
class WaterfallFit:
    """1/q^2 = a / OMA^2 + b / OMA + c, of the greatest likelihood."""

    a_w2: float
    """Noise that does not depend on the power (thermal), in W^2; never below zero, like b and c."""
    b_w: float
    """Noise power that grows with the power (shot), in W."""
    c: float
    """What grows with the power's square: the floor."""
    error_floor: float
    """Bit error ratio at any power, 0.75 Q(1 / sqrt(c)); 0 when the points show none."""
    error_floor_interval: Interval
    """Of the floor, by the profile of the likelihood. Where chi squared is more than 5 standard deviations
    above what chance gives, the counts are taken to scatter by as much more (Birge's ratio)."""
    chi_squared: float
    """Pearson's, of the counts against the model: sum (errors - expected)^2 / expected. Far above the degrees
    of freedom, the bench was unsteady or the errors came in bursts; points that miss the model by more than
    half a decibel are refused."""
    degrees_of_freedom: int
    """Points less the terms that are not zero."""

    def q(self, oma_w: float) -> float:
        """The model's q at an OMA in watts."""
        return 1.0 / math.sqrt(self.a_w2 / oma_w**2 + self.b_w / oma_w + self.c)

    def bit_error_ratio(self, oma_w: float) -> float:
        """The model's bit error ratio at an OMA in watts."""
        return ber_of_q(self.q(oma_w))

    def oma_w(self, bit_error_ratio: float) -> float:
        """OMA in watts at which the model has a bit error ratio: may be an extrapolation.

        :raises SignalError: when the floor is not below it.
        """
        room = q_of_ber(bit_error_ratio) ** -2 - self.c
        if not room > 0.0:
            raise SignalError(
                f"a bit error ratio of {bit_error_ratio:.2g} is reached at no power: "
                f"the floor is {self.error_floor:.2g}"
            )
        # The root of room x^2 - b x - a that is above zero, without loss of digits.
        return (self.b_w + math.sqrt(self.b_w**2 + 4.0 * room * self.a_w2)) / (2.0 * room)


def fit_waterfall(points: Iterable[WaterfallPoint], *, confidence: float = 0.95) -> WaterfallFit:
    """Fit the model to counted errors, by the greatest likelihood of Poisson's distribution.

    Each point weighs by what its count is worth; one without errors counts for what it rules out. Points in
    overload do not follow the model: leave them out.

    :raises SignalError: when fewer than three powers have ten errors each, the counts allow no fit, or points
        miss the fit by more than half a decibel of power and counting noise: the text names them.
    :raises ValueError: for a confidence that cannot be.
    """
    rise = _deviations(confidence) ** 2
    row = _pooled(points)
    known = sum(point.errors >= LEAST_ERRORS for point in row)
    if known < _TERMS:
        raise SignalError(
            f"a waterfall takes three powers of {LEAST_ERRORS} errors each at least, got {known}: "
            "count longer, or attenuate more"
        )
    scale = math.exp(sum(math.log(point.oma_w) for point in row) / len(row))
    counts = _Counts(row, scale)
    theta = counts.fitted()
    expected = counts.expected(theta)
    _refuse_what_misses(row, expected)
    chi_squared = float((np.square(counts.errors - expected) / expected).sum())
    freedom = len(row) - int(np.count_nonzero(theta))
    if freedom > 0 and chi_squared > freedom + _UNSTEADY * math.sqrt(2.0 * freedom):
        rise *= chi_squared / freedom
    floor = counts.profile_of_floor(theta, rise)
    return WaterfallFit(
        a_w2=float(theta[0]) * scale**2,
        b_w=float(theta[1]) * scale,
        c=float(theta[2]),
        error_floor=_floor(float(theta[2])),
        error_floor_interval=Interval(_floor(floor[0]), _floor(floor[1]), confidence),
        chi_squared=chi_squared,
        degrees_of_freedom=freedom,
    )


def _refuse_what_misses(points: Sequence[WaterfallPoint], expected: Array) -> None:
    """Raise when the model is not that of some points."""
    wrong = []
    for point, errors in zip(points, expected.tolist(), strict=True):
        counted = poisson_interval(point.errors, _BEYOND_CHANCE)
        model = _q_of(errors / point.bits)
        if not _q_of(counted.high / point.bits) / (1.0 + _FARTHEST) <= model:
            side = "fewer"
        elif not model <= _q_of(counted.low / point.bits) * (1.0 + _FARTHEST):
            side = "more"
        else:
            continue
        wrong.append(
            f"{point.errors} errors in {point.bits:.4g} bits at {point.oma_w:.4g} W, {side} than {errors:.3g}"
        )
    if wrong:
        raise SignalError(
            "no waterfall (1/q^2 = a/OMA^2 + b/OMA + c) describes these points: "
            + "; ".join(wrong)
            + ". Was the power there what it is said to be, the lane locked, the receiver in overload?"
        )


def _q_of(ratio: float) -> float:
    """q of an error ratio; infinite without errors."""
    return q_of_ber(min(ratio, CLOSED_BER)) if ratio > 0.0 else math.inf


def _floor(c: float) -> float:
    return ber_of_q(1.0 / math.sqrt(c)) if c > 0.0 else 0.0


def _deviations(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence must lie between 0 and 1, got {confidence}")
    return tail_inverse(0.5 * (1.0 - confidence))


def _pooled(points: Iterable[WaterfallPoint]) -> list[WaterfallPoint]:
    """By ascending OMA, one for each."""
    ordered = sorted(points, key=lambda point: point.oma_w)
    groups = [list(same) for _, same in itertools.groupby(ordered, key=lambda point: point.oma_w)]
    return [
        WaterfallPoint(same[0].oma_w, sum(p.errors for p in same), sum(p.bits for p in same))
        for same in groups
    ]


def _slope(q: float) -> float:
    """-d BER / d q."""
    return 0.75 * math.exp(-0.5 * q * q) / math.sqrt(2.0 * math.pi)


def _spread_of_q(point: WaterfallPoint) -> float:
    """Standard deviation of q from the count."""
    ratio = point.bit_error_ratio
    return math.sqrt(ratio * (1.0 - ratio) / point.bits) / _slope(q_of_ber(ratio))


def _bracket(
    points: Sequence[WaterfallPoint], q: Array, spread: Array, wanted: float, ratio: float
) -> tuple[int, int]:
    """First and last of the points about the wanted q."""
    above = q >= wanted
    if above.all() or not above.any():
        side = "at or below" if above.all() else "above"
        advice = "attenuate more" if above.all() else "attenuate less, or the receiver has a floor there"
        raise SignalError(
            f"all {len(points)} points with {LEAST_ERRORS} errors, {points[0].oma_w:.4g} W to "
            f"{points[-1].oma_w:.4g} W, have a bit error ratio {side} {ratio:.2g}: {advice}"
        )
    first = int(np.argmax(above)) - 1
    if first < 0:
        raise SignalError(_unsteady(points[0], points[int(np.argmin(above))]))
    last = first + 1
    # Points that fell back by chance belong to the crossing; those that fell further are another effect.
    for index in range(last + 1, len(points)):
        drop = float(wanted - q[index])
        if drop > _EXPLAINED * math.hypot(float(spread[index]), float(spread[last])):
            break
        if drop > 0.0:
            last = min(index + 1, len(points) - 1)
    # So do those that counting noise does not tell from it: where points stand close, two say little.
    near = np.abs(q - wanted) < np.maximum(_NEAR * spread, _NEAR_Q)
    while first > 0 and near[first - 1]:
        first -= 1
    while last < len(points) - 1 and near[last + 1]:
        last += 1
    return first, last


def _unsteady(low: WaterfallPoint, high: WaterfallPoint) -> str:
    return (
        f"the bit error ratio does not fall with power between {low.oma_w:.4g} W "
        f"({low.bit_error_ratio:.2g}) and {high.oma_w:.4g} W ({high.bit_error_ratio:.2g}): "
        "overload, drifting reflections or an unsteady bench?"
    )


class _Counts:
    """The likelihood of the model's three terms; OMA counts in units of the points' mean."""

    def __init__(self, points: Sequence[WaterfallPoint], scale: float) -> None:
        self.errors = np.array([point.errors for point in points], dtype=np.float64)
        self._bits = np.array([point.bits for point in points], dtype=np.float64)
        x = scale / np.array([point.oma_w for point in points])
        self._terms = np.stack([np.square(x), x, np.ones(x.size)], axis=1)

    def expected(self, theta: Array) -> Array:
        """Errors that the model expects, shape (points,)."""
        ratios = [ber_of_q(_q(y)) for y in (self._terms @ theta).tolist()]
        return np.asarray(self._bits * np.array(ratios))

    def fitted(self, floor: float | None = None) -> Array:
        """The terms of the greatest likelihood, with the third one given or free.

        :raises SignalError: when the search does not settle.
        """
        seen = self.errors > 0
        y = np.ones(seen.size)
        y[seen] = [q_of_ber(ratio) ** -2 for ratio in self.errors[seen] / self._bits[seen]]
        # Points with errors first, by what their own ratios say.
        theta = self._least_squares(y, np.where(seen, self._information(y), 0.0), floor)
        likelihood = self._likelihood(theta)
        for _ in range(_ROUNDS):
            y = np.maximum(self._terms @ theta, _LEAST_Y)
            expected = self.expected(theta)
            slopes = self._bits * np.array([_slope_of_y(one) for one in y.tolist()])
            aim = self._least_squares(
                y + (self.errors - expected) / slopes, np.square(slopes) / expected, floor
            )
            step = 1.0
            while (reached := self._likelihood(theta + step * (aim - theta))) < likelihood and step > 1e-6:
                step *= 0.5
            gain = reached - likelihood
            if gain >= 0.0:
                theta, likelihood = theta + step * (aim - theta), reached
            if gain <= _SETTLED:
                return theta
        raise SignalError(
            f"no waterfall fits the {self.errors.size} points: do their bit error ratios fall with power?"
        )

    def profile_of_floor(self, theta: Array, rise: float) -> tuple[float, float]:
        """Least and greatest third term whose likelihood is within half of ``rise`` of the greatest."""
        most = self._likelihood(theta) - 0.5 * rise

        def allowed(floor: float) -> bool:
            return self._likelihood(self.fitted(floor)) >= most

        best = float(theta[2])
        low = 0.0 if best == 0.0 or allowed(0.0) else _edge(allowed, best, 0.0)
        # No floor can be higher than what was seen at the best point, and hardly twice that.
        y = self._terms @ theta
        out = best + float(y.min())
        while allowed(out):
            out *= 2.0
        return low, _edge(allowed, best, out)

    def _information(self, y: Array) -> Array:
        """What each count tells about 1/q^2: the inverse of its variance."""
        slopes = self._bits * np.array([_slope_of_y(one) for one in y.tolist()])
        expected = self._bits * np.array([ber_of_q(_q(one)) for one in y.tolist()])
        return np.asarray(np.square(slopes) / expected)

    def _likelihood(self, theta: Array) -> float:
        expected = self.expected(theta)
        return float(self.errors @ np.log(expected) - expected.sum())

    def _least_squares(self, y: Array, weights: Array, floor: float | None) -> Array:
        """The terms, none below zero, that come nearest to 1/q^2: the best of all choices of which are
        zero."""
        roots = np.sqrt(weights)
        free = _TERMS if floor is None else _TERMS - 1
        aim = roots * (y if floor is None else y - floor)
        best, least = np.zeros(_TERMS), math.inf
        for count in range(free + 1):
            for chosen in itertools.combinations(range(free), count):
                part = roots[:, np.newaxis] * self._terms[:, chosen]
                solved = np.linalg.lstsq(part, aim, rcond=None)[0] if count else np.zeros(0)
                missed = float(np.square(aim - part @ solved).sum())
                if (solved >= 0.0).all() and missed < least:
                    least, best = missed, np.zeros(_TERMS)
                    best[list(chosen)] = solved
        if floor is not None:
            best[-1] = floor
        return best


def _edge(allowed: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where what is allowed ends."""
    for _ in range(30):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if allowed(middle) else (inside, middle)
    return 0.5 * (inside + outside)


def _q(y: float) -> float:
    return 1.0 / math.sqrt(max(y, _LEAST_Y))


def _slope_of_y(y: float) -> float:
    """d BER / d (1/q^2)."""
    q = _q(y)
    return 0.5 * q**3 * _slope(q)
