"""PAM4 waveforms made from symbols: samples of a continuous signal, without the aliasing of filtered stairs.

What a filter makes of one rectangular pulse is known in closed form, and it has died away after a few
symbols: so each sample is a short sum over its neighbouring symbols, and a record of any length takes time in
proportion. The record is circular, as all records here are: symbol 0 follows the last one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.filters import bessel_thomson_4_delay_s
from harness.signal.patterns import checked_symbols
from harness.signal.waveform import LEVELS, Array, SignalError, Symbols, Waveform

_SLOWEST: Final = 1.0 / 64.0
"""Least bandwidth, in symbol rates: below it a pulse lasts for hundreds of symbols and there is no eye."""
_SETTLED: Final = 14.0
"""Time, in delays of the filter, after which its step response is within 1e-12 of its end."""
_SYMBOLS_AT_ONCE: Final = 1 << 12
_SAMPLES_AT_ONCE: Final = 1 << 16
_DRAWS_AT_ONCE: Final = 32


def pam4_waveform(
    symbols: NDArray[np.integer[Any]],
    levels_w: Sequence[float],
    *,
    samples_per_ui: int,
    symbol_rate_bd: float,
    bandwidth_hz: float | None,
    transition_ui: float = 0.0,
    noise_w: float | Sequence[float] = 0.0,
    rng: np.random.Generator | None = None,
) -> Waveform:
    """Rectangular pulses behind a 4th-order Bessel-Thomson filter whose delay is taken out, with noise.

    Symbol k lies from k to k + 1 UI; sample i is the value at i / samples_per_ui UI, exact to 1e-9 of the
    levels' range whatever the number of samples.

    :param symbols: shape (symbols,), values 0..3; one whole record.
    :param levels_w: settled power of levels 0..3, in watts.
    :param samples_per_ui: whole, 2 at least.
    :param bandwidth_hz: -3 dB bandwidth, 1/64 of the symbol rate at least; None for no filter.
    :param transition_ui: length of the edges in front of the filter, 0 to 1: straight lines (0 % to 100 %)
        about the symbol's boundary.
    :param noise_w: rms in watts of Gaussian noise in the record. It is white in front of the filter and has
        the filter's spectrum in the record; white from sample to sample without one. Four values give the rms
        at each level, were that level held (RIN and shot noise grow with the power).
    :param rng: where the noise comes from; wanted where there is some.
    :raises SignalError: for symbols, levels or numbers that cannot be.
    """
    row = _checked(symbols, levels_w, samples_per_ui, symbol_rate_bd, bandwidth_hz, transition_ui)
    relative = None if bandwidth_hz is None else bandwidth_hz / symbol_rate_bd
    samples = _clean(row, np.array(levels_w, dtype=np.float64), samples_per_ui, relative, transition_ui)
    noise = np.asarray(noise_w, dtype=np.float64)
    if noise.shape not in ((), (LEVELS,)):
        raise SignalError(f"noise is one rms value or one for each of the four levels, got {noise_w}")
    noise = np.broadcast_to(noise, (LEVELS,))
    if not (np.isfinite(noise).all() and noise.min() >= 0.0):
        raise SignalError(f"noise must be zero or above, got {noise_w} W")
    if noise.any():
        if rng is None:
            raise SignalError("noise needs a source: give rng")
        _add_noise(samples, row, noise, relative, rng)
    return Waveform(samples.ravel(), float(samples_per_ui), symbol_rate_bd)


def _checked(
    symbols: NDArray[np.integer[Any]],
    levels_w: Sequence[float],
    samples_per_ui: int,
    symbol_rate_bd: float,
    bandwidth_hz: float | None,
    transition_ui: float,
) -> Symbols:
    try:
        row = checked_symbols(symbols, LEVELS)
    except ValueError as error:
        raise SignalError(str(error)) from error
    if len(levels_w) != LEVELS or not np.isfinite(levels_w).all():
        raise SignalError(f"PAM4 has four levels, in watts; got {levels_w}")
    if samples_per_ui < 2 or samples_per_ui % 1:
        raise SignalError(f"whole samples per symbol are made, two at least; got {samples_per_ui}")
    if not (math.isfinite(symbol_rate_bd) and symbol_rate_bd > 0.0):
        raise SignalError(f"a symbol rate must be above zero, got {symbol_rate_bd} Bd")
    if bandwidth_hz is not None and not _SLOWEST * symbol_rate_bd <= bandwidth_hz < math.inf:
        raise SignalError(
            f"a bandwidth must be 1/64 of the symbol rate of {symbol_rate_bd:.6g} Bd at least, "
            f"got {bandwidth_hz} Hz"
        )
    if not 0.0 <= transition_ui <= 1.0:
        raise SignalError(f"edges last from 0 to 1 UI, got {transition_ui}")
    return row


def _clean(
    symbols: Symbols, levels_w: Array, per_ui: int, bandwidth_per_baud: float | None, transition_ui: float
) -> Array:
    """The signal without noise, shape (symbols, samples per UI)."""
    latest, pulse = _pulse(per_ui, bandwidth_per_baud, transition_ui)
    reach = pulse.shape[0]
    around = np.arange(latest - reach + 1, symbols.size + latest)
    # Counted from the middle, so that no digit is lost on the average power.
    middle = 0.5 * float(levels_w.min() + levels_w.max())
    powers = (levels_w - middle)[symbols.take(around, mode="wrap")]
    windows = np.lib.stride_tricks.sliding_window_view(powers, reach)
    result = np.empty((symbols.size, per_ui))
    for start in range(0, symbols.size, _SYMBOLS_AT_ONCE):
        stop = start + _SYMBOLS_AT_ONCE
        np.matmul(windows[start:stop], pulse, out=result[start:stop])
        result[start:stop] += middle
    return result


@lru_cache(maxsize=16)
def _pulse(per_ui: int, bandwidth_per_baud: float | None, transition_ui: float) -> tuple[int, Array]:
    """What each symbol near a sample adds to it.

    :returns: how many symbols ahead the latest one is, and the shares, shape (symbols, samples per UI), the
        latest symbol last.
    """
    delay = tail = 0.0
    if bandwidth_per_baud is not None:
        delay = bessel_thomson_4_delay_s(bandwidth_per_baud)
        tail = _SETTLED * delay
    latest = math.ceil(0.5 * transition_ui + delay)
    earliest = math.ceil(0.5 * transition_ui + tail) + 1
    ahead = np.arange(-earliest, latest + 1, dtype=np.float64)[:, np.newaxis]
    times = np.arange(per_ui) / per_ui - ahead
    return latest, _edge(times, delay, transition_ui) - _edge(times - 1.0, delay, transition_ui)


def _edge(times_ui: Array, delay_ui: float, transition_ui: float) -> Array:
    """The filter's answer to an edge from 0 to 1 about time 0; the filter's delay is taken out."""
    if not transition_ui:
        if not delay_ui:
            return np.asarray(times_ui >= 0.0, dtype=np.float64)
        return _answer(times_ui / delay_ui + 1.0, 1)
    if not delay_ui:
        return np.asarray(np.clip(times_ui / transition_ui + 0.5, 0.0, 1.0))
    half = 0.5 * transition_ui
    begun, ended = (_answer((times_ui + shift) / delay_ui + 1.0, 2) for shift in (half, -half))
    return (begun - ended) * (delay_ui / transition_ui)


def _answer(times: Array, order: int) -> Array:
    """The filter's answer to an impulse (0), a step (1) or a ramp (2) at time 0; the filter's delay is the
    unit of time."""
    poles, residues = _partial_fractions()
    # What becomes of a far time does not matter: there only the steady part is left.
    after = np.clip(times, 0.0, 2.0 * _SETTLED)
    steady = (np.zeros(after.shape), np.ones(after.shape), np.maximum(times, 0.0) - 1.0)[order]
    fading = np.zeros(after.shape)
    for pole, residue in zip(poles, residues, strict=True):
        fading += (residue * pole ** (-order) * np.exp(pole * after)).real
    return np.where(times >= 0.0, steady + fading, 0.0)


@lru_cache(maxsize=1)
def _partial_fractions() -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Poles of 105 / (s^4 + 10 s^3 + 45 s^2 + 105 s + 105), and their residues."""
    denominator = np.array([1.0, 10.0, 45.0, 105.0, 105.0])
    poles = np.asarray(np.roots(denominator), dtype=np.complex128)
    return poles, np.asarray(105.0 / np.polyval(np.polyder(denominator), poles), dtype=np.complex128)


def _add_noise(
    samples: Array,
    symbols: Symbols,
    noise_w: Array,
    bandwidth_per_baud: float | None,
    rng: np.random.Generator,
) -> None:
    """Put noise on the samples, shape (symbols, samples per UI), in place."""
    count, per_ui = samples.shape
    drawn = per_ui if bandwidth_per_baud is None else _draws_per_ui(per_ui, bandwidth_per_baud)
    # Single precision: the noise's own seventh digit is of no account.
    white = rng.standard_normal(count * drawn, dtype=np.float32).reshape(count, drawn)
    if noise_w.min() == noise_w.max():
        white *= np.float32(noise_w[0])
    else:
        white *= noise_w.astype(np.float32)[symbols][:, np.newaxis]
    if bandwidth_per_baud is None:
        samples += white
        return
    behind, weights = _noise_weights(per_ui, drawn, bandwidth_per_baud)
    reach, made = weights.shape
    blocks = -(-white.size // _DRAWS_AT_ONCE)
    around = np.arange(-behind, (blocks - 1) * _DRAWS_AT_ONCE + reach - behind)
    drawn_around = white.ravel().take(around, mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(drawn_around, reach)[::_DRAWS_AT_ONCE]
    flat = samples.reshape(-1)
    step = max(1, _SAMPLES_AT_ONCE // made)
    for start in range(0, blocks, step):
        part = (windows[start : start + step] @ weights).ravel()
        row = flat[start * made : start * made + part.size]
        row += part[: row.size]


def _draws_per_ui(per_ui: int, bandwidth_per_baud: float) -> int:
    """Random numbers for each UI: as few as the filter does not tell from white noise, 16 in the inverse of
    its bandwidth, where the samples are that many."""
    wanted = 16.0 * bandwidth_per_baud
    return next((n for n in range(1, per_ui) if per_ui % n == 0 and n >= wanted), per_ui)


@lru_cache(maxsize=16)
def _noise_weights(per_ui: int, drawn: int, bandwidth_per_baud: float) -> tuple[int, NDArray[np.float32]]:
    """What each random number near a block of samples adds to them, for noise of rms 1.

    :returns: how many numbers before the block the first one is, and the weights, shape (numbers, samples).
    """
    delay = bessel_thomson_4_delay_s(bandwidth_per_baud)
    behind, ahead = math.ceil(_SETTLED * delay * drawn), math.ceil(delay * drawn)
    made = _DRAWS_AT_ONCE * per_ui // drawn
    numbers = np.arange(-behind, _DRAWS_AT_ONCE + ahead)[:, np.newaxis]
    times = np.arange(made) / per_ui - (numbers + 0.5) / drawn
    weights = _answer(times / delay + 1.0, 0)
    weights /= math.sqrt(float(np.square(weights).sum()) / made)
    return behind, weights.astype(np.float32)
