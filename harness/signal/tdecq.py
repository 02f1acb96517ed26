"""TDECQ, TECQ and SECQ: how much less noise a signal tolerates than an ideal one (121.8.5.3, used by
124.8.5).

The method as known from public descriptions of clause 121; the text itself was not at hand. Added Gaussian
noise ``sigma_G``, coloured by the reference receiver's filter and enhanced by the equaliser (``Ceq``), is
raised until the worse of two windows of the equalised eye shows the target symbol error ratio. Decisions are
judged against the transmitted symbols; where the eye is open that is the histogram method, and where it is
closed, no false optimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.ffe import noise_enhancement, toeplitz
from harness.signal.filters import noise_autocorrelation, reference_bandwidth_hz
from harness.signal.gaussian import tail_inverse
from harness.signal.tdecq_record import Record
from harness.signal.tdecq_search import (
    NOMINAL_THRESHOLDS,
    EyeClosedError,
    Goal,
    Samples,
    Tally,
    Trial,
    at_target,
    improved,
    least_squares_taps,
)
from harness.signal.waveform import Array, Waveform

__all__ = [
    "EDITION_2017",
    "LATER_EDITIONS",
    "EyeClosedError",
    "TdecqMethod",
    "TdecqResult",
    "WindowResult",
    "secq",
    "tdecq",
]

_SEARCH_SYMBOLS: Final = 4096
"""Symbols that the search for the sampling time looks at, in blocks all over the record."""
_POLISH_SYMBOLS: Final = 16384
"""Symbols that the final taps are found on; their result is then taken from all symbols."""
_BLOCK: Final = 128
_FARTHEST_SHIFT_UI: Final = 0.35
_SCAN_STEP_UI: Final = 0.05
_FINEST_STEP_UI: Final = 0.01
_GAUSS_POINTS: Final = 0.5 / math.sqrt(3.0)
"""Two points at +/- this share of a window's width stand for the whole window (Gauss-Legendre)."""


@dataclass(frozen=True, slots=True)
class TdecqMethod:
    """Which edition's rules apply. Shares of OMAouter and unit intervals are plain numbers."""

    name: str
    target_ser: float = 4.8e-4
    """Symbol error ratio to be reached: twice the pre-FEC bit error ratio of 2.4e-4."""
    taps: int = 5
    """Taps of the equaliser, one UI apart; 1 for no equaliser."""
    main_taps: tuple[int, ...] = (0, 1, 2)
    """Where the main tap may stand, counted from 0 (uncertain: recalled)."""
    least_main_tap: float | None = None
    """Least weight of the main tap, if any is demanded."""
    window_times_ui: tuple[float, float] = (0.45, 0.55)
    """Middles of the two windows after the eye's mean crossing."""
    window_width_ui: float = 0.04
    histogram_shift: bool = True
    """Both windows may move together."""
    threshold_adjustment: float = 0.01
    """How far each threshold may be moved from its nominal place, as a share of OMAouter."""

    def __post_init__(self) -> None:
        if not 0.0 < self.target_ser < 0.5:
            raise ValueError(
                f"the target symbol error ratio must lie between 0 and 0.5, got {self.target_ser}"
            )
        if self.taps < 1:
            raise ValueError(f"an equaliser has one tap at least, got {self.taps}")
        if not any(0 <= tap < self.taps for tap in self.main_taps):
            raise ValueError(f"no main tap of {self.main_taps} is one of {self.taps} taps")
        if not 0.0 <= self.threshold_adjustment < 1.0 / 6.0:
            raise ValueError(
                f"thresholds can move by less than 1/6 of OMAouter, got {self.threshold_adjustment}"
            )
        if not 0.0 < self.window_width_ui < 0.5:
            raise ValueError(f"a window must be narrower than half a UI, got {self.window_width_ui}")


EDITION_2017: Final = TdecqMethod(
    "802.3bs-2017", main_taps=(0, 1, 2, 3, 4), histogram_shift=False, threshold_adjustment=0.0
)
"""Windows fixed at 0.45 and 0.55 UI, thresholds at Pave and Pave -/+ OMAouter/3; any tap may be the main one
(uncertain: whether the first edition restricted it)."""

LATER_EDITIONS: Final = TdecqMethod("802.3cd and later", least_main_tap=0.8)
"""Common shift of the windows, thresholds within 1 % of OMAouter, main tap among taps 1 to 3 and at least 0.8
(all recalled, not read)."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowResult:
    """One of the two windows."""

    time_ui: float
    """Its middle after the eye's mean crossing."""
    symbol_error_ratio: float
    """At ``sigma_g_w``; the target's in the worse window."""
    shares: Array
    """Histogram of the equalised samples in the window, shape (bins,); sums to one."""
    edges_w: Array
    """Edges of its bins in watts, shape (bins + 1,)."""


@dataclass(frozen=True, slots=True, eq=False)
class TdecqResult:
    """TDECQ and what it rests on."""

    tdecq_db: float
    """10 log10(OMAouter / (6 Qt R))."""
    ceq: float
    """Noise enhancement of the equaliser, an amplitude ratio."""
    sigma_g_w: float
    """Noise that may be added in front of the equaliser, rms, in watts."""
    noise_w: float
    """R, that noise and the oscilloscope's together, rms, in watts."""
    oma_outer_w: float
    average_power_w: float
    taps: Array
    """Weights of the equaliser, shape (taps,); they sum to one; the first weighs the latest sample."""
    main_tap: int
    """Index of the main tap."""
    thresholds_w: tuple[float, float, float]
    eye_start_ui: float
    """Where symbol 0 begins in the record, by the eye's mean crossing: in UI after the record's first
    sample."""
    shift_ui: float
    """By how much both windows were moved from their nominal times."""
    windows: tuple[WindowResult, WindowResult]
    """Left and right."""
    method: TdecqMethod
    notes: tuple[str, ...]
    """What a reader of the value must know."""

    @property
    def ceq_db(self) -> float:
        """10 log10(Ceq)."""
        return 10.0 * math.log10(self.ceq)

    @property
    def tdecq_less_ceq_db(self) -> float:
        """TDECQ - 10 log10(Ceq), which later editions limit too."""
        return self.tdecq_db - self.ceq_db


def tdecq(
    waveform: Waveform,
    symbols: NDArray[np.integer],
    *,
    reference_filter_applied: bool,
    method: TdecqMethod = LATER_EDITIONS,
    scope_noise_w: float = 0.0,
    oma_outer_w: float | None = None,
    band_limited: bool = True,
) -> TdecqResult:
    """TDECQ of a pattern-locked record; it need not line up with the symbols.

    It is TDECQ when the light came through the compliance fibre with 21.4 dB of back-reflection; what came
    back to back says so in its own name. Noise of a single-valued record is taken as it is; noise that an
    oscilloscope averaged away is missing in the result.

    :param symbols: one period of the pattern, values 0..3 (SSPRQ for compliance).
    :param reference_filter_applied: True when the record already has the 4th-order Bessel-Thomson response of
        the reference receiver (the oscilloscope's filter was on). It is applied here when False. Applied
        twice it costs about 1 dB.
    :param scope_noise_w: rms noise of the oscilloscope behind that response, measured without light; its
        share is credited to the transmitter.
    :param oma_outer_w: OMAouter, when it was measured on another pattern.
    :param band_limited: False for a synthetic record with steps: the windows then take the record's own
        samples, without interpolation.
    :raises SignalError: when the record does not show the symbols or OMAouter cannot be measured on them.
    :raises EyeClosedError: when the equalised eye misses the target without any added noise.
    """
    if not (math.isfinite(scope_noise_w) and scope_noise_w >= 0.0):
        raise ValueError(f"the oscilloscope's noise must be zero or above, got {scope_noise_w}")
    part = _part_of(waveform.symbols, method.taps, _SEARCH_SYMBOLS)
    record = Record(
        waveform,
        symbols,
        reference_filter_applied=reference_filter_applied,
        band_limited=band_limited,
        oma_outer_w=oma_outer_w,
        part=part.index if method.histogram_shift else None,
    )
    bandwidth = reference_bandwidth_hz(waveform.symbol_rate_bd)
    autocorrelation = noise_autocorrelation(method.taps, bandwidth, waveform.symbol_rate_bd)
    found = _searched(record, method, autocorrelation, part)
    trial, main_tap = found.trial, found.goal.main_tap
    windows, kappa = _judged(record, method, found)
    ceq = noise_enhancement(trial.taps, autocorrelation)
    sigma_g = kappa / ceq * record.oma_w
    noise = math.hypot(sigma_g, scope_noise_w)
    ideal = record.oma_w / (6.0 * tail_inverse(method.target_ser / 1.5))
    thresholds = record.average_w + record.oma_w * trial.thresholds
    return TdecqResult(
        tdecq_db=10.0 * math.log10(ideal / noise),
        ceq=ceq,
        sigma_g_w=sigma_g,
        noise_w=noise,
        oma_outer_w=record.oma_w,
        average_power_w=record.average_w,
        taps=trial.taps,
        main_tap=main_tap,
        thresholds_w=(float(thresholds[0]), float(thresholds[1]), float(thresholds[2])),
        eye_start_ui=record.begin_ui,
        shift_ui=found.shift_ui,
        windows=windows,
        method=method,
        notes=tuple(_notes(method, found, reference_filter_applied)),
    )


def secq(
    waveform: Waveform,
    symbols: NDArray[np.integer],
    *,
    reference_filter_applied: bool,
    method: TdecqMethod = LATER_EDITIONS,
    scope_noise_w: float = 0.0,
    oma_outer_w: float | None = None,
) -> TdecqResult:
    """SECQ of a stressed receiver's test signal: the method of TDECQ, at the point where the receiver is put,
    without fibre or back-reflection (124.8.10). Arguments, result and errors are those of :func:`tdecq`."""
    return tdecq(
        waveform,
        symbols,
        reference_filter_applied=reference_filter_applied,
        method=method,
        scope_noise_w=scope_noise_w,
        oma_outer_w=oma_outer_w,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    error: float
    goal: Goal
    shift_ui: float
    taps: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    goal: Goal
    shift_ui: float
    trial: Trial

    @property
    def log_sigma(self) -> float:
        return self.trial.log_sigma_at(self.goal.target_ser)


def _searched(record: Record, method: TdecqMethod, autocorrelation: Array, part_of: _PartOf) -> _Found:
    """The best sampling time, main tap, taps and thresholds, found on parts of the symbols."""
    ideal = 1.0 / (6.0 * tail_inverse(method.target_ser / 1.5))
    part = _Part(record, method, part_of)
    goals = [
        Goal(
            method.target_ser,
            toeplitz(autocorrelation),
            method.threshold_adjustment,
            main,
            method.least_main_tap,
        )
        for main in method.main_taps
        if main < method.taps
    ]
    if method.taps == 1:
        goals = [Goal(method.target_ser, np.ones((1, 1)), method.threshold_adjustment, 0, None)]
    steps = round(_FARTHEST_SHIFT_UI / _SCAN_STEP_UI) if method.histogram_shift else 0
    shifts = _SCAN_STEP_UI * np.arange(-steps, steps + 1, dtype=np.float64)
    starts = part.least_squares(shifts, goals, 0.7 * ideal)
    rivals = []
    for goal in goals:
        own = [start for start in starts if start.goal is goal]
        # Equal errors (an ideal eye is equally good everywhere) leave the windows where they are.
        start = min(own, key=lambda start: (round(start.error, 9), abs(start.shift_ui)))
        rival = part.best_at(goal, start.shift_ui, start.taps, NOMINAL_THRESHOLDS, 0.8 * ideal)
        if rival is not None:
            rivals.append(rival)
    if not rivals:
        raise EyeClosedError(
            f"the equalised eye is closed: its symbol error ratio misses {method.target_ser:.2g} "
            "without added noise"
        )
    found = max(rivals, key=lambda rival: rival.log_sigma)
    if method.histogram_shift:
        found = part.shifted(found)
    whole = _Part(record, method, _part_of(record.symbols.size, method.taps, _POLISH_SYMBOLS))
    return whole.near(found, found.shift_ui) or found


def _judged(
    record: Record, method: TdecqMethod, found: _Found
) -> tuple[tuple[WindowResult, WindowResult], float]:
    """What the found taps make of all symbols, and the noise behind them at which the target is reached."""
    trial, main_tap = found.trial, found.goal.main_tap
    points = method.window_width_ui * _GAUSS_POINTS * np.array([-1.0, 1.0])
    times = np.array(method.window_times_ui) + found.shift_ui
    powers = record.at(np.add.outer(times, points).ravel())
    equalised = np.zeros(powers.shape)
    for tap, weight in enumerate(trial.taps):
        equalised += weight * np.roll(powers, tap - main_tap, axis=1)
    tally = Tally([equalised[:2], equalised[2:]], record.symbols)
    start = trial.sigma * math.sqrt(float(trial.taps @ found.goal.correlation @ trial.taps))
    kappa, ratios = tally.kappa_at(method.target_ser, trial.thresholds, start)
    edges = record.average_w + record.oma_w * (np.append(tally.powers, np.inf) - 0.5 * tally.width)
    edges[-1] = 2.0 * edges[-2] - edges[-3]
    left, right = (
        WindowResult(float(time), ratio, counts.sum(axis=0), edges)
        for time, ratio, counts in zip(times, ratios, tally.counts, strict=True)
    )
    return (left, right), kappa


def _notes(method: TdecqMethod, found: _Found, reference_filter_applied: bool) -> Iterator[str]:
    taps, main_tap = found.trial.taps, found.goal.main_tap
    if not reference_filter_applied:
        yield "the reference receiver's filter was applied to the record here"
    if method.least_main_tap is not None and taps[main_tap] < method.least_main_tap + 1e-6:
        yield f"main tap held at {method.least_main_tap:g}, its least weight"
    if main_tap != int(np.abs(taps).argmax()):
        yield "the main tap is not the largest"
    if abs(found.shift_ui) > _FARTHEST_SHIFT_UI - _SCAN_STEP_UI:
        yield f"windows moved as far as is looked at, {found.shift_ui:+.3f} UI"


@dataclass(frozen=True, slots=True, eq=False)
class _PartOf:
    """Some of a record's symbols, in blocks with their neighbours."""

    index: NDArray[np.intp]
    keep: NDArray[np.bool_]
    """False for the neighbours."""


def _part_of(count: int, margin: int, wanted: int) -> _PartOf:
    if count <= wanted:
        starts, length = np.zeros(1, dtype=np.intp), count
    else:
        blocks = wanted // _BLOCK
        starts, length = np.arange(blocks) * count // blocks, _BLOCK
    within = np.arange(-margin, length + margin)
    index = (starts[:, np.newaxis] + within).ravel() % count
    return _PartOf(index, np.tile((within >= 0) & (within < length), starts.size))


class _Part:
    """Some of the record's symbols, which stand for all while searching."""

    def __init__(self, record: Record, method: TdecqMethod, part: _PartOf) -> None:
        self._record, self._method = record, method
        self._index, self._keep = part.index, part.keep
        self._symbols = record.symbols[part.index]

    def least_squares(self, shifts_ui: Array, goals: Sequence[Goal], noise: float) -> list[_Start]:
        """For each goal and shift the taps of least mean square error, sampled between the windows."""
        taps, seen = self._method.taps, np.flatnonzero(self._keep)
        ideal = (self._symbols[seen] - 1.5) / 3.0
        middles = sum(self._method.window_times_ui) / 2.0 + shifts_ui
        starts = []
        for shift, powers in zip(shifts_ui, self._record.at(middles, self._index), strict=True):
            rows = np.stack([powers[seen + offset] for offset in range(1 - taps, taps)])
            gram, cross = rows @ rows.T / seen.size, rows @ ideal / seen.size
            for goal in goals:
                order = taps - 1 + goal.main_tap - np.arange(taps)
                weights, error = least_squares_taps(gram[np.ix_(order, order)], cross[order], goal, noise)
                starts.append(_Start(error, goal, float(shift), weights))
        return starts

    def shifted(self, start: _Found) -> _Found:
        """The best sampling time near a start."""
        best, tried, step = start, [start], _SCAN_STEP_UI / 2.0
        while step >= _FINEST_STEP_UI:
            for side in (step, -step):
                rival = self.near(best, best.shift_ui + side)
                if rival is None:
                    continue
                tried.append(rival)
                if rival.log_sigma > best.log_sigma + 1e-6:
                    best = rival
                    break
            else:
                step /= 2.0
            if abs(best.shift_ui) >= _FARTHEST_SHIFT_UI:
                break
        return self._balanced(tried, best)

    def _balanced(self, tried: list[_Found], best: _Found) -> _Found:
        """Where both windows are equally bad, if that lies near the best: there the optimum has its edge."""
        for _ in range(2):
            left = [found for found in tried if found.trial.imbalance > 0.0]
            right = [found for found in tried if found.trial.imbalance <= 0.0]
            if not (left and right):
                break
            near = min(left, key=lambda found: abs(found.shift_ui - best.shift_ui))
            far = min(right, key=lambda found: abs(found.shift_ui - best.shift_ui))
            share = near.trial.imbalance / (near.trial.imbalance - far.trial.imbalance)
            rival = self.near(best, near.shift_ui + share * (far.shift_ui - near.shift_ui))
            if rival is None or rival.log_sigma <= best.log_sigma + 1e-5:
                break
            tried.append(rival)
            best = rival
        return best

    def near(self, found: _Found, shift_ui: float) -> _Found | None:
        """The best taps and thresholds at a shift, starting from those of another; None when closed there."""
        trial = found.trial
        return self.best_at(found.goal, shift_ui, trial.taps, trial.thresholds, trial.sigma)

    def best_at(
        self, goal: Goal, shift_ui: float, taps: Array, thresholds: Array, sigma: float
    ) -> _Found | None:
        """The best taps and thresholds at a shift; None when the eye is closed there."""
        windows = self._record.at(np.array(self._method.window_times_ui) + shift_ui, self._index)
        samples = Samples(list(windows), self._symbols, goal.main_tap, self._method.taps, self._keep)
        try:
            start = at_target(samples, goal, taps, thresholds, sigma, within=0.5)
            return _Found(goal, shift_ui, improved(samples, goal, start, 4))
        except EyeClosedError:
            return None
