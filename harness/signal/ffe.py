"""The reference receiver's feed-forward equaliser: taps one UI apart, which sum to one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.signal.filters import filtered, noise_autocorrelation, reference_bandwidth_hz
from harness.signal.waveform import Array, Waveform


def equalised(waveform: Waveform, taps: Array, main_tap: int) -> Waveform:
    """The waveform behind the equaliser.

    :param taps: weights, shape (taps,); the first weighs the latest sample (it equalises the pre-cursor).
    :param main_tap: index of the tap that leaves the waveform where it is.
    :raises ValueError: when there is no such tap.
    """
    if not 0 <= main_tap < taps.size:
        raise ValueError(f"main tap {main_tap} is not one of {taps.size} taps")
    per_ui = waveform.samples_w.size / waveform.symbols
    if per_ui == round(per_ui):
        samples = sum(
            weight * np.roll(waveform.samples_w, (tap - main_tap) * round(per_ui))
            for tap, weight in enumerate(taps)
        )
        return replace(waveform, samples_w=np.asarray(samples))
    phase = -2j * math.pi * waveform.ui_s * waveform.frequencies_hz
    response = sum(weight * np.exp(phase * (tap - main_tap)) for tap, weight in enumerate(taps))
    return filtered(waveform, np.asarray(response))


def noise_enhancement(taps: Array, autocorrelation: Array) -> float:
    """Ceq: the rms noise behind the equaliser, over that in front of it (121.8.5.3).

    :param autocorrelation: of the noise in front of it at 0, 1, ... UI, shape (taps,), 1 at lag zero.
    """
    return math.sqrt(float(taps @ toeplitz(autocorrelation[: taps.size]) @ taps))


def reference_noise_enhancement(taps: Array, symbol_rate_bd: float) -> float:
    """Ceq of white noise behind the reference receiver's filter (half the symbol rate)."""
    bandwidth = reference_bandwidth_hz(symbol_rate_bd)
    return noise_enhancement(taps, noise_autocorrelation(taps.size, bandwidth, symbol_rate_bd))


def toeplitz(first_row: Array) -> Array:
    """The symmetric Toeplitz matrix of a first row, shape (n, n)."""
    index = np.arange(first_row.size)
    return np.asarray(first_row[np.abs(index[:, np.newaxis] - index)])
