"""The reference receiver's 4th-order Bessel-Thomson response, with its true phase, and what noise it
passes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.waveform import Array, SignalError, Waveform

_MINUS_3_DB: Final = 2.1139176749042
"""Angular frequency at which the response with one second of delay has lost half its power."""


def reference_bandwidth_hz(symbol_rate_bd: float) -> float:
    """-3 dB bandwidth of the PAM4 reference receiver: half the symbol rate (26.5625 GHz at 53.125 GBd),
    121.8.5.1."""
    return 0.5 * symbol_rate_bd


def bessel_thomson_4_response(
    frequencies_hz: Array, bandwidth_hz: float, *, keep_delay: bool = False
) -> NDArray[np.complex128]:
    """Complex amplitude response, shape of ``frequencies_hz``.

    :param bandwidth_hz: where the response is 3 dB down (half the electrical power).
    :param keep_delay: keep the filter's delay at low frequency (about 0.67 UI at half the symbol rate);
        else it is taken out, which moves the waveform and changes nothing of its shape.
    """
    if bandwidth_hz <= 0.0:
        raise ValueError(f"a bandwidth must be above zero, got {bandwidth_hz}")
    s = 1j * (_MINUS_3_DB / bandwidth_hz) * np.asarray(frequencies_hz, dtype=np.float64)
    response = 105.0 / (105.0 + s * (105.0 + s * (45.0 + s * (10.0 + s))))
    return np.asarray(response if keep_delay else response * np.exp(s))


def bessel_thomson_4_delay_s(bandwidth_hz: float) -> float:
    """The filter's delay at low frequency: what ``keep_delay`` keeps."""
    return _MINUS_3_DB / (2.0 * math.pi * bandwidth_hz)


def bessel_thomson_4(waveform: Waveform, bandwidth_hz: float, *, keep_delay: bool = False) -> Waveform:
    """The waveform behind a 4th-order Bessel-Thomson filter, applied once, in the frequency domain.

    Do not use it on a record that an oscilloscope took with its reference filter on: the response would
    count twice, and TDECQ read about 1 dB high.

    :param bandwidth_hz: as for :func:`bessel_thomson_4_response`.
    """
    response = bessel_thomson_4_response(waveform.frequencies_hz, bandwidth_hz, keep_delay=keep_delay)
    return filtered(waveform, response)


def filtered(waveform: Waveform, response: NDArray[np.complex128]) -> Waveform:
    """The waveform behind a linear filter given at ``waveform.frequencies_hz``."""
    frequencies = waveform.samples_w.size // 2 + 1
    if response.shape != (frequencies,):
        raise SignalError(f"the response must have {frequencies} values, got shape {response.shape}")
    spectrum = np.fft.rfft(waveform.samples_w) * response
    return replace(waveform, samples_w=np.fft.irfft(spectrum, waveform.samples_w.size))


def noise_bandwidth_hz(bandwidth_hz: float) -> float:
    """Width of the ideal low pass that passes as much white noise: 1.046 times the -3 dB bandwidth."""
    return bandwidth_hz * _noise_integrals(0.0, 1)[0]


def noise_autocorrelation(lags: int, bandwidth_hz: float, symbol_rate_bd: float) -> Array:
    """Autocorrelation, at 0, 1, ... UI, of white noise behind the filter, 1 at lag zero; shape (lags,)."""
    values = np.array(_noise_integrals(bandwidth_hz / symbol_rate_bd, lags))
    return np.asarray(values / values[0])


@lru_cache(maxsize=64)
def _noise_integrals(bandwidth_per_baud: float, lags: int) -> tuple[float, ...]:
    # The response falls with the eighth power: beyond twelve bandwidths 1e-9 of the noise is left.
    x = np.linspace(0.0, 12.0, 24_001)
    power = np.square(np.abs(bessel_thomson_4_response(x, 1.0)))
    weights = np.full(x.size, x[1])
    weights[[0, -1]] *= 0.5
    # A UI is (bandwidth / baud) long, in units of one over the bandwidth.
    return tuple(
        float((weights * power) @ np.cos(2.0 * math.pi * x * bandwidth_per_baud * lag)) for lag in range(lags)
    )
