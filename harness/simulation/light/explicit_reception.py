"""A receiver worked through symbol by symbol: the slow path that the fast one is held against.

The same receiver as in :mod:`harness.simulation.light.reception`, on an explicit waveform: photodiode with
shot noise, saturating amplifier, thermal noise, low pass, sampling with jitter, equaliser, decisions. Nothing
is taken as Gaussian or small here that the physics does not make so. Left out: error propagation of a
decision feedback equaliser, and what a lost lock does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.counting import level_confusion
from harness.signal.filters import noise_bandwidth_hz, reference_bandwidth_hz
from harness.signal.waveform import Array, SignalError, Symbols, Waveform
from harness.simulation.light.beam import Beam, loudest, total_power_w
from harness.simulation.light.reception import BEND_TO_GAIN, ELEMENTARY_CHARGE_C, ReceiverParameters, bend
from harness.simulation.light.symbols import symbols_of
from harness.simulation.light.waveform import filtered_light, is_modulated, levels_w, optical_record

_TRAINING_SYMBOLS: Final = 1 << 15
_TAIL: Final = 0.01
_WRONG_BITS: Final = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
"""Bits of a Gray-coded pair that differ between two levels."""


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedSymbols:
    """What came out."""

    sent: Symbols
    decided: Symbols
    """Shape (symbols,), as ``sent``."""
    equalised_w: Array
    """What was decided on, watts at the photodiode about the average, shape (symbols,)."""
    thresholds_w: tuple[float, float, float]
    taps: Array
    """The equaliser's weights, shape (taps,), the first one for the latest sample, in front of a gain."""
    phase_ui: float
    """Where in the symbol the samples were taken."""

    @property
    def symbol_errors(self) -> int:
        """Symbols decided wrongly."""
        return int(np.count_nonzero(self.decided != self.sent))

    @property
    def ser(self) -> float:
        """Share of wrong symbols."""
        return self.symbol_errors / self.sent.size

    @property
    def ber(self) -> float:
        """Share of wrong bits, Gray-coded."""
        confusion = level_confusion(self.decided, self.sent)
        return float((confusion * _WRONG_BITS).sum()) / (2 * self.sent.size)


def received_symbols(
    beams: Sequence[Beam],
    symbols: NDArray[np.integer],
    parameters: ReceiverParameters,
    *,
    rng: np.random.Generator,
    aggressor_oma_w: float = 0.0,
    samples_per_ui: int = 8,
) -> ReceivedSymbols:
    """The symbols that a receiver decides on.

    It samples at the phase, with the taps, that leave the least mean square error on 32768 symbols it knows;
    each threshold stands where the tails of the two levels beside it (their outermost per cent) meet. Other
    beams, and the electrical aggressor, carry random symbols of the same rate.

    :param symbols: of the beam with the largest OMAouter, shape (symbols,), values 0..3; 1024 at least, all
        four levels.
    :param rng: of all noise.
    :param aggressor_oma_w: as for :func:`harness.simulation.light.reception.receive`.
    :raises SignalError: in the dark, in light without modulation, for too few symbols.
    """
    main = loudest(beams)
    if main is None:
        raise SignalError("no modulated light: a receiver finds no symbols in it")
    sent = np.asarray(symbols, dtype=np.uint8)
    if sent.size < 1024 or np.unique(sent).size < 4:
        raise SignalError("a receiver adapts to 1024 symbols at least, among them all four levels")
    rows = [
        sent
        if beam is main
        else symbols_of(None, sent.size, rng=rng)
        if is_modulated(beam.modulation)
        else None
        for beam in beams
    ]
    record = optical_record(beams, rows, samples_per_ui=samples_per_ui)
    wave = record.waveform
    shot = 2.0 * ELEMENTARY_CHARGE_C / parameters.responsivity_a_per_w
    density = record.rin_density + shot * wave.samples_w
    front = _limited if parameters.bandwidth_hz < math.inf else _unlimited
    wave = front(wave, density, parameters, rng)
    offsets = np.arange(samples_per_ui)
    average_w = wave.average_power_w
    best = min((_adapted(wave, sent, parameters.equaliser_taps, int(place)) for place in offsets), key=_error)
    samples = _sampled(wave, best.place, parameters.jitter_ui_rms, rng) - average_w
    if aggressor_oma_w:
        samples += aggressor_oma_w * (symbols_of(None, sent.size, rng=rng) / 3.0 - 0.5)
    if parameters.jitter_ui_rms or aggressor_oma_w:
        best = _fitted(samples, sent, parameters.equaliser_taps, best.place)
    equalised = _equalised(samples, best)
    # As large as the settled levels: to them the receiver's own imperfection is in proportion.
    settled_w = _compressed_w(
        np.array(levels_w(main)) + total_power_w(beams) - main.power_w, parameters.overload_w
    )
    seen_w = equalised[sent == 3].mean() - equalised[sent == 0].mean()
    equalised *= (settled_w[3] - settled_w[0]) / seen_w
    equalised += parameters.implementation_noise * main.oma_w * rng.standard_normal(sent.size)
    thresholds = _thresholds(equalised, sent)
    return ReceivedSymbols(
        sent=sent,
        decided=np.searchsorted(np.array(thresholds), equalised).astype(np.uint8),
        equalised_w=equalised,
        thresholds_w=thresholds,
        taps=best.taps,
        phase_ui=best.place / samples_per_ui,
    )


def _limited(
    wave: Waveform, density: Array, parameters: ReceiverParameters, rng: np.random.Generator
) -> Waveform:
    """Noise white up to half the sampling rate, then the amplifier's own low pass."""
    half_rate_hz = 0.5 * wave.samples_per_ui * wave.symbol_rate_bd
    thermal = parameters.thermal_noise_w**2 / noise_bandwidth_hz(parameters.bandwidth_hz)
    return filtered_light(
        _amplified(wave, density, thermal, half_rate_hz, parameters, rng), parameters.bandwidth_hz
    )


def _unlimited(
    wave: Waveform, density: Array, parameters: ReceiverParameters, rng: np.random.Generator
) -> Waveform:
    """No low pass, but noise as in the reference receiver's band."""
    band_hz = noise_bandwidth_hz(reference_bandwidth_hz(wave.symbol_rate_bd))
    thermal = parameters.thermal_noise_w**2 / band_hz
    return _amplified(wave, density, thermal, band_hz, parameters, rng)


def _amplified(
    wave: Waveform,
    density: Array,
    thermal_density: float,
    band_hz: float,
    parameters: ReceiverParameters,
    rng: np.random.Generator,
) -> Waveform:
    power = wave.samples_w
    if density.any():
        power = power + np.sqrt(band_hz * density) * rng.standard_normal(power.size, dtype=np.float32)
    power = _compressed_w(power, parameters.overload_w)
    thermal_w = math.sqrt(band_hz * thermal_density)
    return replace(wave, samples_w=power + thermal_w * rng.standard_normal(power.size, dtype=np.float32))


def _compressed_w(power_w: Array, overload_w: float) -> Array:
    if overload_w == math.inf:
        return power_w
    return np.asarray(power_w * bend(power_w, overload_w) ** BEND_TO_GAIN)


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    place: int
    main_tap: int
    taps: Array
    error: float


def _error(setting: _Setting) -> float:
    return setting.error


def _adapted(wave: Waveform, sent: Symbols, taps: int, place: int) -> _Setting:
    per_ui = round(wave.samples_per_ui)
    return _fitted(wave.samples_w[place::per_ui] - wave.average_power_w, sent, taps, place)


def _fitted(samples: Array, sent: Symbols, taps: int, place: int) -> _Setting:
    """Least squares on known symbols, for every position of the main tap."""
    some = min(samples.size, _TRAINING_SYMBOLS)
    # The levels as they arrive, so that uneven ones count as no error.
    settled = np.array([samples[sent == level].mean() for level in range(4)])
    wanted = settled[sent[:some]]
    found = []
    for main_tap in range(taps):
        rows = np.stack([samples.take(np.arange(some) + main_tap - tap, mode="wrap") for tap in range(taps)])
        weights = np.linalg.solve(rows @ rows.T, rows @ wanted)
        error = float(np.square(wanted - weights @ rows).mean()) / float(
            np.square(wanted - wanted.mean()).mean()
        )
        found.append(_Setting(place, main_tap, weights, error))
    return min(found, key=_error)


def _equalised(samples: Array, setting: _Setting) -> Array:
    result = np.zeros(samples.size)
    for tap, weight in enumerate(setting.taps):
        result += weight * np.roll(samples, tap - setting.main_tap)
    return result


def _sampled(wave: Waveform, place: int, jitter_ui_rms: float, rng: np.random.Generator) -> Array:
    per_ui = round(wave.samples_per_ui)
    if not jitter_ui_rms:
        return wave.samples_w[place::per_ui].copy()
    times = np.arange(wave.symbols) + place / per_ui + wave.start_ui
    return wave.at(times + jitter_ui_rms * rng.standard_normal(wave.symbols))


def _thresholds(values: Array, sent: Symbols) -> tuple[float, float, float]:
    low, high, middle = np.empty(4), np.empty(4), np.empty(4)
    for level in range(4):
        low[level], middle[level], high[level] = np.quantile(values[sent == level], [_TAIL, 0.5, 1.0 - _TAIL])
    above, below = high - middle, middle - low
    first, second, third = (
        float((middle[eye] * below[eye + 1] + middle[eye + 1] * above[eye]) / (below[eye + 1] + above[eye]))
        for eye in range(3)
    )
    return first, second, third
