"""The search inside TDECQ: taps and thresholds that let the most noise be added before the target is reached.

Powers here are counted from the average power in units of OMAouter. For given sampling times the margins of
all samples to their thresholds are linear in the taps, and the tolerable noise falls with Ceq, a norm of the
taps: the best taps are the only optimum there is, and Newton's method finds them in a few steps from the
least-squares ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.gaussian import density, tail
from harness.signal.waveform import LEVELS, Array, SignalError, Symbols

_SHARPNESS: Final = 16.0
"""Power in the mean of the two windows' error ratios that stands for their maximum while searching."""
_LONGEST_STEP: Final = 0.15
_MODEL_STEPS: Final = 12
_NEAR: Final = 0.3
"""How far ln(SER) may be from the target's while searching."""
_CLOSED_AT: Final = 2e-4
"""Noise, in units of OMAouter, at which an eye that still misses the target counts as closed."""
_OUT_OF_REACH: Final = 50.0
_WORTHWHILE: Final = 1e-4
"""Gain in ln(noise) that a step must promise: 0.0004 dB."""
NOMINAL_THRESHOLDS: Final = np.array([-1.0 / 3.0, 0.0, 1.0 / 3.0])


class EyeClosedError(SignalError):
    """Even without added noise the symbol error ratio exceeds the target: TDECQ has no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What is to be reached, and what may be changed."""

    target_ser: float
    correlation: Array
    """Toeplitz matrix of the noise autocorrelation at 0, 1, ... UI, shape (taps, taps)."""
    threshold_adjustment: float
    """How far each threshold may leave its nominal place, in units of OMAouter."""
    main_tap: int
    least_main_tap: float | None


class Samples:
    """What the equaliser sees at each symbol, in both windows, put together by transmitted level."""

    def __init__(
        self, windows: Sequence[Array], symbols: Symbols, main_tap: int, taps: int, keep: NDArray[np.bool_]
    ) -> None:
        """
        :param windows: for each window the power at its middle, shape (symbols,), neighbours side by side.
        :param keep: which symbols count, shape (symbols,).
        """
        kept = np.flatnonzero(keep)
        order = kept[np.argsort(symbols[kept], kind="stable")]
        counts = np.bincount(symbols[kept], minlength=LEVELS)
        if not counts.all():
            raise SignalError(f"the pattern shows level {int(counts.argmin())} too rarely to judge its eyes")
        self.counts = counts
        self.starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        inputs = order - (np.arange(taps) - main_tap)[:, np.newaxis]
        self.rows = np.stack([window.take(inputs, mode="wrap") for window in windows])
        """What each tap weighs, shape (windows, taps, symbols)."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Error ratios and their derivatives for one set of taps, thresholds and noise.

    Gradients and curvatures are those of the logarithm of each window's error ratio, by the taps and then the
    thresholds.
    """

    taps: Array
    thresholds: Array
    sigma: float
    """The added noise in front of the equaliser, rms, in units of OMAouter."""
    log_ser: Array
    """ln of the symbol error ratio of each window, shape (windows,)."""
    log_slopes: Array
    """Its derivative by ln(sigma), shape (windows,)."""
    gradients: Array
    """Shape (windows, taps + thresholds)."""
    hessians: Array
    """Shape (windows, taps + thresholds, taps + thresholds)."""

    def log_sigma_at(self, target_ser: float) -> float:
        """ln of the noise that makes the worse window reach the target, to first order."""
        worse, share = _softest(self.log_ser)
        return math.log(self.sigma) + (math.log(target_ser) - worse) / self.log_slope(share)

    def log_slope(self, share: Array) -> float:
        """The windows' slopes put together, never so flat that a step by them would be wild."""
        return max(float(share @ self.log_slopes), 1e-3)

    @property
    def imbalance(self) -> float:
        """ln of the first window's error ratio over the last one's."""
        return float(self.log_ser[0] - self.log_ser[-1])


def _softest(logs: Array) -> tuple[float, Array]:
    """A smooth stand-in for the greatest of some logarithms, and how much each counts in it."""
    share = np.exp(_SHARPNESS * (logs - logs.max()))
    total = float(share.sum())
    return float(logs.max()) + math.log(total / share.size) / _SHARPNESS, share / total


def evaluate(samples: Samples, goal: Goal, taps: Array, thresholds: Array, sigma: float) -> Trial:
    """Symbol error ratios with noise ``sigma`` in front of the equaliser, and how they change."""
    ceq = math.sqrt(float(taps @ goal.correlation @ taps))
    kappa = ceq * sigma
    slope_ceq = goal.correlation @ taps / ceq**2
    outer = np.outer(slope_ceq, slope_ceq)
    curve_ceq = 3.0 * outer - goal.correlation / ceq**2
    windows, count = samples.rows.shape[0], samples.rows.shape[2]
    powers = taps @ samples.rows
    # The outermost levels have a threshold on one side only: the other is out of reach.
    below = np.repeat(np.concatenate(([-_OUT_OF_REACH], thresholds)), samples.counts)
    above = np.repeat(np.concatenate((thresholds, [_OUT_OF_REACH])), samples.counts)
    down, up = (powers - below) / kappa, (above - powers) / kappa
    ser = np.maximum((tail(down) + tail(up)).sum(axis=1) / count, 1e-300)
    d_down, d_up = density(down), density(up)
    du_down, du_up = d_down * down, d_up * up
    weight = du_down + du_up
    pull, twice = d_down - d_up, du_down * down - du_up * up
    size = taps.size
    gradients = np.empty((windows, size + LEVELS - 1))
    hessians = np.empty((windows, size + LEVELS - 1, size + LEVELS - 1))
    slopes = weight.sum(axis=1)
    cubes = np.einsum("ws,ws,ws->w", du_down, down, down) + np.einsum("ws,ws,ws->w", du_up, up, up)
    for window in range(windows):
        rows = samples.rows[window]
        s1, v = rows @ pull[window] / kappa, rows @ twice[window] / kappa
        d_lower, d_upper = (np.add.reduceat(d[window], samples.starts) for d in (d_down, d_up))
        du_lower, du_upper = (np.add.reduceat(d[window], samples.starts) for d in (du_down, du_up))
        at_threshold = (d_lower[1:] - d_upper[:-1]) / kappa
        twice_at = np.add.reduceat(du_down[window] * down[window], samples.starts)[1:]
        twice_at = (twice_at - np.add.reduceat(du_up[window] * up[window], samples.starts)[:-1]) / kappa
        rows_at = np.add.reduceat(rows * du_down[window], samples.starts, axis=1)[:, 1:]
        rows_at = (rows_at + np.add.reduceat(rows * du_up[window], samples.starts, axis=1)[:, :-1]) / kappa**2
        gradient = np.concatenate((slopes[window] * slope_ceq - s1, at_threshold))
        cross = np.outer(s1 - v, slope_ceq)
        hessian = hessians[window]
        hessian[:size, :size] = (rows * weight[window]) @ rows.T / kappa**2 + cross + cross.T
        hessian[:size, :size] += cubes[window] * outer - slopes[window] * curve_ceq
        hessian[:size, size:] = np.outer(slope_ceq, twice_at - at_threshold) - rows_at
        hessian[size:, :size] = hessian[:size, size:].T
        hessian[size:, size:] = np.diag((du_lower[1:] + du_upper[:-1]) / kappa**2)
        # From derivatives of the sum to those of the logarithm of the ratio.
        scale = 1.0 / (count * ser[window])
        gradients[window] = scale * gradient
        hessian *= scale
        hessian -= np.outer(gradients[window], gradients[window])
    return Trial(
        taps=taps,
        thresholds=thresholds,
        sigma=sigma,
        log_ser=np.log(ser),
        log_slopes=slopes / (count * ser),
        gradients=gradients,
        hessians=hessians,
    )


def at_target(
    samples: Samples, goal: Goal, taps: Array, thresholds: Array, sigma: float, *, within: float
) -> Trial:
    """The trial at the noise where the worse window reaches the target error ratio, to a relative accuracy.

    :raises EyeClosedError: when no noise is small enough.
    """
    trial = evaluate(samples, goal, taps, thresholds, sigma)
    for _ in range(60):
        worse, share = _softest(trial.log_ser)
        gap = math.log(goal.target_ser) - worse
        if abs(gap) <= within:
            return trial
        if trial.sigma <= _CLOSED_AT and gap < 0.0:
            break
        sigma = trial.sigma * math.exp(min(0.7, max(-0.7, gap / trial.log_slope(share))))
        trial = evaluate(samples, goal, taps, thresholds, max(sigma, 0.99 * _CLOSED_AT))
    raise EyeClosedError(_closed(math.exp(float(trial.log_ser.max())), goal.target_ser))


def improved(samples: Samples, goal: Goal, start: Trial, steps: int) -> Trial:
    """Newton's steps from a trial towards the taps and thresholds that tolerate the most noise."""
    best = start
    for _ in range(steps):
        step, promised = _step(goal, best)
        if promised < _WORTHWHILE * best.log_slope(_softest(best.log_ser)[1]):
            break
        for _ in range(3):
            taps, thresholds = best.taps + step[: best.taps.size], best.thresholds + step[best.taps.size :]
            candidate = evaluate(samples, goal, taps, thresholds, best.sigma)
            if _softest(candidate.log_ser)[0] < _softest(best.log_ser)[0]:
                break
            step = 0.3 * step
        else:
            break
        best = candidate
        # Stay near the target, where the two windows weigh as they will in the end.
        if abs(_softest(best.log_ser)[0] - math.log(goal.target_ser)) > _NEAR:
            sigma = math.exp(min(0.7, best.log_sigma_at(goal.target_ser) - math.log(best.sigma))) * best.sigma
            best = at_target(samples, goal, taps, thresholds, sigma, within=_NEAR)
    return best


def _step(goal: Goal, trial: Trial) -> tuple[Array, float]:
    """Newton's step for taps and thresholds, and by how much it should lower ln(SER) of the worse window.

    Along directions that keep the sum of the taps, within the thresholds' limits, and not below the main
    tap's.
    """
    taps, main = trial.taps.size, goal.main_tap
    others = [tap for tap in range(taps) if tap != main]
    step, promised = _model_step(goal, trial, others, main)
    least = goal.least_main_tap
    if least is None or taps == 1 or trial.taps[main] + step[main] >= least:
        return step, promised
    above = trial.taps[main] - least
    if above > 1e-9:
        share = above / -step[main]
        return step * share, promised * share
    # It would sink further: hold it, and let the other taps change among themselves.
    return _model_step(goal, trial, others[1:], others[0])


def _model_step(goal: Goal, trial: Trial, free: Sequence[int], pivot: int) -> tuple[Array, float]:
    """The step to the minimum of the windows' quadratic models, the worse of which counts."""
    taps = trial.taps.size
    adjustable = LEVELS - 1 if goal.threshold_adjustment else 0
    basis = np.zeros((taps + LEVELS - 1, len(free) + adjustable))
    for column, tap in enumerate(free):
        basis[tap, column], basis[pivot, column] = 1.0, -1.0
    if not basis.shape[1]:
        return np.zeros(taps + LEVELS - 1), 0.0
    for threshold in range(adjustable):
        basis[taps + threshold, len(free) + threshold] = 1.0
    limits = np.full(basis.shape[1], _LONGEST_STEP)
    low, high = -limits, limits.copy()
    if adjustable:
        away = trial.thresholds - NOMINAL_THRESHOLDS
        low[len(free) :], high[len(free) :] = (
            -goal.threshold_adjustment - away,
            goal.threshold_adjustment - away,
        )
    slopes = trial.gradients @ basis
    # What curves downwards is taken as flat: the model must have a minimum.
    values, vectors = np.linalg.eigh(basis.T @ trial.hessians @ basis)
    values = np.maximum(values, 1e-4 * np.abs(values).max(axis=1, keepdims=True) + 1e-9)
    curves = np.einsum("wij,wj,wkj->wik", vectors, values, vectors)

    def model(at: Array) -> Array:
        return np.asarray(trial.log_ser + slopes @ at + 0.5 * np.einsum("i,wij,j->w", at, curves, at))

    here = np.zeros(basis.shape[1])
    start = now = _softest(model(here))[0]
    for _ in range(_MODEL_STEPS):
        share = _softest(model(here))[1]
        gradients = slopes + curves @ here
        gradient = share @ gradients
        apart = gradients - gradient
        curve = np.tensordot(share, curves, 1) + _SHARPNESS * (apart.T * share) @ apart
        moving = ~(((here <= low) & (gradient > 0.0)) | ((here >= high) & (gradient < 0.0)))
        if not moving.any():
            break
        move = np.zeros(here.size)
        move[moving] = np.linalg.solve(curve[np.ix_(moving, moving)], -gradient[moving])
        for _ in range(6):
            there = np.clip(here + move, low, high)
            value = _softest(model(there))[0]
            if value < now:
                break
            move *= 0.4
        else:
            break
        gain, here, now = now - value, there, value
        if gain < 1e-4:
            break
    return np.asarray(basis @ here), start - now


def least_squares_taps(gram: Array, cross: Array, goal: Goal, noise: float) -> tuple[Array, float]:
    """The taps of least mean square error for given noise, summing to one, and that error.

    :param gram: mean products of the equaliser's inputs, shape (taps, taps).
    :param cross: their mean products with the ideal level, shape (taps,).
    :param noise: rms noise in front of the equaliser. All in units of OMAouter.
    """
    matrix = gram + noise**2 * goal.correlation
    ones = np.ones(cross.size)
    pair = np.linalg.solve(matrix, np.stack([cross, ones], axis=1))
    taps = pair[:, 0] + pair[:, 1] * ((1.0 - pair[:, 0].sum()) / pair[:, 1].sum())
    least = goal.least_main_tap
    if least is not None and cross.size > 1 and taps[goal.main_tap] < least:
        # Hold the main tap at its least value: one more condition on the same quadratic form.
        hold = np.zeros(cross.size)
        hold[goal.main_tap] = 1.0
        conditions = np.stack([ones, hold])
        spread = np.linalg.solve(matrix, conditions.T)
        missing = np.array([1.0, least]) - conditions @ pair[:, 0]
        taps = pair[:, 0] + spread @ np.linalg.solve(conditions @ spread, missing)
    return taps, float(taps @ matrix @ taps - 2.0 * taps @ cross)


class Tally:
    """Histograms of the equalised samples of both windows, by transmitted level: what the result is taken
    from."""

    _BINS: Final = 2048
    _RANGE: Final = 1.25
    """Powers beyond +/- this much of OMAouter from the average count at its ends."""

    def __init__(self, windows: Sequence[Array], symbols: Symbols) -> None:
        """:param windows: equalised powers of each window, shape (points, symbols)."""
        self.width = 2.0 * self._RANGE / (self._BINS - 1)
        self.powers = np.linspace(-self._RANGE, self._RANGE, self._BINS)
        size = LEVELS * self._BINS
        offset = symbols.astype(np.intp) * self._BINS
        self.counts = []
        for window in windows:
            place = np.clip((window + self._RANGE) / self.width, 0.0, self._BINS - 1.001)
            below = place.astype(np.intp)
            part = (place - below).ravel()
            cell = (below + offset).ravel()
            # Shared between the two nearest bins, so that the mean of every margin is kept.
            upper = np.bincount(cell, part, size)
            counts = np.bincount(cell, minlength=size) - upper + np.roll(upper, 1)
            self.counts.append(counts.reshape(LEVELS, self._BINS) / window.size)

    def error_ratios(self, thresholds: Array, kappa: float) -> tuple[tuple[float, ...], float]:
        """Symbol error ratio of each window with noise ``kappa`` behind the equaliser, and
        d ln(SER) / d ln(kappa) of the worse one."""
        sers, slopes = [], []
        for counts in self.counts:
            ser = slope = 0.0
            for threshold, place in enumerate(thresholds):
                u = (self.powers - place) / kappa
                gone_down, gone_up = counts[threshold + 1], counts[threshold]
                ser += float(gone_down @ tail(u) + gone_up @ tail(-u))
                slope += float((gone_down - gone_up) @ (density(u) * u))
            sers.append(max(ser, 1e-300))
            slopes.append(slope / sers[-1])
        return tuple(sers), slopes[int(np.argmax(sers))]

    def kappa_at(self, target_ser: float, thresholds: Array, kappa: float) -> tuple[float, tuple[float, ...]]:
        """The noise behind the equaliser at which the worse window reaches the target, and each window's
        ratio there.

        :raises EyeClosedError: when no noise is small enough.
        """
        for _ in range(60):
            sers, slope = self.error_ratios(thresholds, kappa)
            gap = math.log(target_ser / max(sers))
            if abs(gap) < 1e-6:
                return kappa, sers
            if kappa <= _CLOSED_AT and gap < 0.0:
                break
            kappa = max(kappa * math.exp(min(0.7, max(-0.7, gap / max(slope, 1e-3)))), 0.99 * _CLOSED_AT)
        raise EyeClosedError(_closed(max(sers), target_ser))


def _closed(ser: float, target_ser: float) -> str:
    return (
        f"the equalised eye is closed: the symbol error ratio is {ser:.2g} without added noise, "
        f"the target {target_ser:.2g}"
    )
