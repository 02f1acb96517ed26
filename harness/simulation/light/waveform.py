"""Light against time: the explicit waveform of beams at one place of a fibre, before any instrument.

A record is whole periods of its symbols and circular, as those of :mod:`harness.signal` are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.signal.dispersion import dispersed, dispersion_phase_rad
from harness.signal.filters import bessel_thomson_4_response
from harness.signal.synthesis import pam4_waveform
from harness.signal.waveform import Array, SignalError, Symbols, Waveform
from harness.simulation.light.beam import Beam, Modulation, loudest, strongest

SAMPLES_PER_UI = 16
_MARGIN_UI = 64
"""More than the answer of any filter or fibre here lasts."""
_NO_DISPERSION_RAD = 1e-3
"""A fibre that turns the symbol rate's phase by less is not worth its two Fourier transforms."""
_LEAST_POWER = 1e-6
"""Of the average: a transmitter's filter undershoots, light does not fall below nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class OpticalRecord:
    """What is in the fibre."""

    waveform: Waveform
    """Power without noise, watts. Time 0 is where the symbols of the module's first lane begin."""
    rin_density: Array
    """One-sided density of the lasers' noise at each sample, W^2/Hz, shape (samples,): that of the momentary
    power of each laser, added over the lasers."""

    def noise_w(self, rng: np.random.Generator) -> Array:
        """One draw of the lasers' noise, watts, shape (samples,): white up to half the sampling rate."""
        half_rate_hz = 0.5 * self.waveform.samples_w.size / (self.waveform.symbols * self.waveform.ui_s)
        drawn = rng.standard_normal(self.rin_density.size, dtype=np.float32)
        return np.asarray(np.sqrt(self.rin_density * half_rate_hz) * drawn, dtype=np.float64)


def optical_waveform(
    beams: Sequence[Beam],
    symbols: NDArray[np.integer] | Sequence[NDArray[np.integer] | None],
    *,
    samples_per_ui: int = SAMPLES_PER_UI,
    rng: np.random.Generator | None = None,
) -> Waveform:
    """Power at the fibre: that of :func:`optical_record`, with one draw of the lasers' noise when ``rng`` is
    given."""
    record = optical_record(beams, symbols, samples_per_ui=samples_per_ui)
    if rng is None:
        return record.waveform
    return replace(record.waveform, samples_w=record.waveform.samples_w + record.noise_w(rng))


def optical_record(
    beams: Sequence[Beam],
    symbols: NDArray[np.integer] | Sequence[NDArray[np.integer] | None],
    *,
    samples_per_ui: int = SAMPLES_PER_UI,
) -> OpticalRecord:
    """The light of several lasers in one fibre. Their powers add, their fields do not.

    Each beam: symbols to settled powers without memory, the 4th-order Bessel-Thomson low pass of the
    transmitter without its delay, the fibre's dispersion by the optical field with the modulator's chirp,
    each echo by its field (the strongest polarisation, to the nearest sample), and a delay of ``skew_ui``.
    The echoes come on top of ``Beam.power_w``, which is the average of the main light alone. Echoes of
    echoes, and the noise's own way through fibre and echoes, are left out. A transmitter of no limited
    bandwidth has edges that last one sample.

    :param symbols: shape (symbols,), values 0..3: of every beam that has levels, or one row (None: no
        modulation) for each beam; all of one length.
    :param samples_per_ui: 4 at least.
    :raises SignalError: without beams, for rows that do not fit, or beams of different symbol rates.
    """
    rows = _rows(beams, symbols)
    if samples_per_ui < 4:
        raise SignalError(f"a waveform wants 4 samples per UI at least, got {samples_per_ui}")
    main = loudest(beams) or strongest(beams)
    if main is None:
        raise SignalError("there is no light: a dark fibre has no waveform")
    rate_bd, skew_ui = main.modulation.symbol_rate_bd, main.modulation.skew_ui
    count = next((row.size for row in rows if row is not None), 1)
    power = np.zeros(count * samples_per_ui)
    density = np.zeros(power.size)
    for beam, row in zip(beams, rows, strict=True):
        if beam.power_w <= 0.0:
            continue
        if row is None:
            own = np.full(power.size, beam.power_w)
        else:
            if beam.modulation.symbol_rate_bd != rate_bd:
                raise SignalError(
                    f"{beam.source} runs at {beam.modulation.symbol_rate_bd:.6g} Bd and {main.source} at "
                    f"{rate_bd:.6g} Bd: one record has one symbol rate"
                )
            own = _modulated(beam, row, samples_per_ui, beam.modulation.skew_ui - skew_ui)
        power += own
        if beam.modulation.rin_db_hz > -math.inf:
            density += 10.0 ** (beam.modulation.rin_db_hz / 10.0) * np.square(own)
    return OpticalRecord(Waveform(power, float(samples_per_ui), rate_bd, -skew_ui), density)


def levels_w(beam: Beam) -> tuple[float, float, float, float]:
    """Settled powers of symbols 0..3, watts."""
    p0, p1, p2, p3 = (beam.power_w * level for level in beam.modulation.levels)
    return p0, p1, p2, p3


def is_modulated(modulation: Modulation) -> bool:
    """Whether there is anything to see of the symbols."""
    return max(modulation.levels) > min(modulation.levels)


def extended(waveform: Waveform, work: Callable[[Waveform], Waveform]) -> Waveform:
    """The record behind something whose answer is short against 64 UI.

    ``work`` sees a longer record, which goes on at both ends as the period does, of a length that its Fourier
    transforms are quick for (65535 symbols of SSPRQ take ten times as long as 65610). What it returns is cut
    back.
    """
    per_ui = round(waveform.samples_per_ui)
    count = waveform.symbols
    total = _quick_size(count + 2 * _MARGIN_UI)
    index = np.arange(-_MARGIN_UI * per_ui, (total - _MARGIN_UI) * per_ui)
    longer = replace(waveform, samples_w=waveform.samples_w.take(index, mode="wrap"))
    middle = slice(_MARGIN_UI * per_ui, (_MARGIN_UI + count) * per_ui)
    return replace(waveform, samples_w=work(longer).samples_w[middle])


def filtered_light(waveform: Waveform, bandwidth_hz: float) -> Waveform:
    """The waveform behind a 4th-order Bessel-Thomson low pass, its delay taken out, whatever the record's
    length."""

    def work(longer: Waveform) -> Waveform:
        spectrum = np.fft.rfft(longer.samples_w)
        spacing = longer.symbols / (longer.samples_w.size * longer.symbol_rate_bd)
        spectrum *= filter_response(longer.samples_w.size, spacing, bandwidth_hz)
        return replace(longer, samples_w=np.fft.irfft(spectrum, longer.samples_w.size))

    return extended(waveform, work)


@lru_cache(maxsize=2)
def filter_response(samples: int, spacing_s: float, bandwidth_hz: float) -> NDArray[np.complex128]:
    """Of a 4th-order Bessel-Thomson low pass, for a record's one-sided spectrum."""
    frequencies_hz = np.asarray(np.fft.rfftfreq(samples, spacing_s), dtype=np.float64)
    return bessel_thomson_4_response(frequencies_hz, bandwidth_hz)


def _modulated(beam: Beam, symbols: Symbols, per_ui: int, later_ui: float) -> Array:
    modulation = beam.modulation
    limited = math.isfinite(modulation.bandwidth_hz)
    wave = pam4_waveform(
        symbols,
        levels_w(beam),
        samples_per_ui=per_ui,
        symbol_rate_bd=modulation.symbol_rate_bd,
        bandwidth_hz=modulation.bandwidth_hz if limited else None,
        transition_ui=0.0 if limited else 1.0 / per_ui,
    )
    fibre_counts = abs(_fibre_phase_rad(beam)) > _NO_DISPERSION_RAD
    if fibre_counts or beam.echoes:
        least_w = _LEAST_POWER * beam.power_w
        wave = replace(wave, samples_w=np.maximum(wave.samples_w, least_w))
    if fibre_counts:
        wave = extended(
            wave,
            lambda longer: dispersed(
                longer, beam.dispersion_ps_nm, beam.wavelength_nm, chirp=modulation.chirp
            ),
        )
    main = total = wave.samples_w
    for echo in beam.echoes:
        late = np.roll(main, round(echo.delay_ui * per_ui))
        beat = 2.0 * echo.field_ratio * math.cos(echo.phase_rad)
        total = total + beat * np.sqrt(np.maximum(main * late, 0.0)) + echo.field_ratio**2 * late
    if later_ui:
        place = np.arange(total.size) / per_ui - later_ui
        total = replace(wave, samples_w=total).at(place)
    return total


def _fibre_phase_rad(beam: Beam) -> float:
    """By how much the fibre turns the phase of a sideband at the symbol rate."""
    rate_bd = beam.modulation.symbol_rate_bd
    return float(dispersion_phase_rad(rate_bd, beam.dispersion_ps_nm, beam.wavelength_nm))


def _rows(
    beams: Sequence[Beam], symbols: NDArray[np.integer] | Sequence[NDArray[np.integer] | None]
) -> list[Symbols | None]:
    if not beams:
        raise SignalError("there is no light: a dark fibre has no waveform")
    if isinstance(symbols, np.ndarray):
        given: list[NDArray[np.integer] | None] = [
            symbols if is_modulated(beam.modulation) else None for beam in beams
        ]
    else:
        given = list(symbols)
    if len(given) != len(beams):
        raise SignalError(f"{len(beams)} beams want {len(beams)} rows of symbols, got {len(given)}")
    lengths = {row.size for row in given if row is not None}
    if len(lengths) > 1:
        raise SignalError(f"all rows of symbols must be of one length, got {sorted(lengths)}")
    return [None if row is None else np.asarray(row, dtype=np.uint8) for row in given]


@lru_cache(maxsize=16)
def _quick_size(least: int) -> int:
    """The next number that has no prime factor above 5."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best
