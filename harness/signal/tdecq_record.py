"""The record that TDECQ looks at: behind the reference filter, its pattern found, sampled where it is asked.

Only the samples that are asked for are computed: each is a short weighted sum of the record's own samples
around it, whose weights are the filter's impulse response (or, when the oscilloscope has filtered already, a
sinc long enough to keep the rms of white noise). A transform of the whole record would cost several times the
search itself.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.filters import bessel_thomson_4_response
from harness.signal.pam4 import THREES_RUN, ZEROS_RUN, run_middles
from harness.signal.waveform import (
    Array,
    SignalError,
    Symbols,
    Waveform,
    checked_centre_ui,
    crossing_times,
    tiled,
)

_SINC_SAMPLES: Final = 32
_SINC_STEPS: Final = 512
_SINC_SHAPE: Final = 6.0
"""Kaiser's beta: ripple under 0.03 % in the signal's band, and at most 1.3 % of the rms of white noise
lost."""
_RESPONSE_BEFORE_UI: Final = 2
_RESPONSE_AFTER_UI: Final = 5
"""Where the filter's impulse response, its delay taken out, has died down: exp(-3.1 per UI)."""
_RESPONSE_PERIOD_UI: Final = 16
_RESPONSE_STEPS: Final = 2048
_PHASES: Final = 16


class Record:
    """A record in units of OMAouter, counted from its average power; times count from the eye's mean
    crossing."""

    def __init__(
        self,
        waveform: Waveform,
        symbols: NDArray[np.integer],
        *,
        reference_filter_applied: bool,
        band_limited: bool,
        oma_outer_w: float | None,
        part: NDArray[np.intp] | None,
    ) -> None:
        """
        :param part: symbols whose edges tell the crossing, in runs; all when None.
        """
        self.symbols: Symbols = tiled(symbols, waveform)
        self.average_w = waveform.average_power_w
        self._rows = _in_rows(waveform)
        self._filtered, self._band_limited = reference_filter_applied, band_limited
        # Two samples a symbol tell which symbol is where.
        halves = self._rows[:, [0, self._rows.shape[1] // 2]].ravel()
        # Where symbol 0 begins, in UI after the first sample.
        self.begin_ui = checked_centre_ui(np.fft.rfft(halves), self.symbols) - 0.5
        self._scale_w = 1.0
        crossing = self._crossing(np.arange(self.symbols.size) if part is None else part)
        self.begin_ui += (crossing + 0.5) % 1.0 - 0.5
        self._scale_w = self._measured_oma_w() if oma_outer_w is None else oma_outer_w
        if not (math.isfinite(self._scale_w) and self._scale_w > 0.0):
            raise SignalError(f"OMAouter must be above zero, got {self._scale_w:.3g} W")

    @property
    def oma_w(self) -> float:
        """OMAouter in watts."""
        return self._scale_w

    def at(self, times_ui: Array, symbols: NDArray[np.intp] | None = None) -> Array:
        """Powers at times within symbols (all of them when None), shape (times, symbols)."""
        times = np.asarray(times_ui) + self.begin_ui
        first, weights = self._weights(times)
        if symbols is None:
            powers = np.zeros((self._rows.shape[0], times.size))
            for step, row_weights in enumerate(weights):
                powers += np.roll(self._rows @ row_weights, -(first + step), axis=0)
        else:
            powers = np.zeros((symbols.size, times.size))
            for step, row_weights in enumerate(weights):
                powers += self._rows.take(symbols + first + step, axis=0, mode="wrap") @ row_weights
        return np.ascontiguousarray(((powers - self.average_w) / self._scale_w).T)

    def _weights(self, times_ui: Array) -> tuple[int, Array]:
        """What each of the record's samples counts: the first symbol concerned, relative to the one asked
        for, and weights of shape (symbols, samples per symbol, times)."""
        per_ui = self._rows.shape[1]
        if not self._filtered:
            before, after = _RESPONSE_AFTER_UI, _RESPONSE_BEFORE_UI
        elif self._band_limited:
            before = after = -(-_SINC_SAMPLES // per_ui)
        else:
            before = after = 1
        first, last = math.floor(times_ui.min()) - before, math.floor(times_ui.max()) + after
        own = np.arange(first * per_ui, (last + 1) * per_ui) / per_ui
        lags = times_ui - own[:, np.newaxis]
        if not self._filtered:
            response_lags, response = _impulse_response(per_ui)
            weights = np.interp(lags, response_lags, response, left=0.0, right=0.0)
        elif self._band_limited:
            sinc_lags, sinc = _windowed_sinc()
            weights = np.interp(lags * per_ui, sinc_lags, sinc, left=0.0, right=0.0)
        else:
            weights = np.zeros(lags.shape)
            weights[np.abs(lags).argmin(axis=0), np.arange(times_ui.size)] = 1.0
        weights /= weights.sum(axis=0)
        return first, weights.reshape(last + 1 - first, per_ui, times_ui.size)

    def _crossing(self, symbols: NDArray[np.intp]) -> float:
        """Mean time within the UI at which the edges of some symbols cross the average power."""
        powers = self.at(np.arange(_PHASES) / _PHASES, symbols).T.ravel()
        times = crossing_times(powers, 0.0) / _PHASES
        # Where the symbols asked for do not follow one another, a step is no edge.
        broken = np.flatnonzero(np.diff(symbols, append=symbols[0]) % self.symbols.size != 1)
        edge = np.isin(np.floor(times), broken) & (times % 1.0 > 1.0 - 1.0 / _PHASES)
        times = times[~edge]
        if not times.size:
            raise SignalError("the waveform never crosses its average power: no modulation in this record")
        return cmath.phase(complex(np.exp(2j * math.pi * times).mean())) / (2.0 * math.pi)

    def _measured_oma_w(self) -> float:
        steps = (np.arange(2 * _PHASES) + 0.5) / _PHASES - 1.0
        means = []
        for level, length in ((0, ZEROS_RUN), (3, THREES_RUN)):
            middles = run_middles(self.symbols, level, length)
            whole = np.floor(middles)
            part = float(middles[0] - whole[0])
            means.append(float(self.at(steps + part, whole.astype(np.intp)).mean()))
        return means[1] - means[0]


def _in_rows(waveform: Waveform) -> Array:
    """The samples, one row a symbol; a record with a broken number of samples per symbol is resampled."""
    samples, count = waveform.samples_w, waveform.symbols
    if samples.size % count:
        size = count * math.ceil(samples.size / count)
        samples = np.fft.irfft(np.fft.rfft(samples), size) * (size / samples.size)
    return samples.reshape(count, -1)


@lru_cache(maxsize=1)
def _windowed_sinc() -> tuple[Array, Array]:
    """Interpolation between samples: lags in samples and weights, finely tabulated."""
    lags = np.arange(-_SINC_SAMPLES * _SINC_STEPS, _SINC_SAMPLES * _SINC_STEPS + 1) / _SINC_STEPS
    window = np.i0(_SINC_SHAPE * np.sqrt(1.0 - np.square(lags / _SINC_SAMPLES)))
    return lags, np.sinc(lags) * window / np.i0(_SINC_SHAPE)


@lru_cache(maxsize=8)
def _impulse_response(samples_per_ui: int) -> tuple[Array, Array]:
    """The reference filter's response to one sample: lags in UI and weights, finely tabulated."""
    highest = _RESPONSE_PERIOD_UI * samples_per_ui // 2
    # Frequencies count in symbol rates: the filter's bandwidth is half of one.
    spectrum = bessel_thomson_4_response(np.arange(highest + 1) / _RESPONSE_PERIOD_UI, 0.5)
    response = np.fft.irfft(spectrum, _RESPONSE_PERIOD_UI * _RESPONSE_STEPS)
    earliest = -_RESPONSE_BEFORE_UI * _RESPONSE_STEPS
    response = np.roll(response, -earliest)[: (_RESPONSE_BEFORE_UI + _RESPONSE_AFTER_UI) * _RESPONSE_STEPS]
    return (np.arange(response.size) + earliest) / _RESPONSE_STEPS, response
