"""What a PAM4 receiver makes of the light on its photodiode: error ratios without a waveform.

The chain: photodiode (shot noise), amplifier (thermal noise, soft saturation, a 4th-order Bessel-Thomson low
pass), T-spaced feed-forward equaliser, three thresholds. It locks on the beam of the largest OMAouter; what
else shines on the photodiode disturbs it.

* Pulse: a symbol's rectangle behind the transmitter's and the receiver's low pass; dispersion weighs each
  frequency with cos(p) - chirp sin(p), p = pi L^2 D f^2 / c (weak modulation, as
  :func:`harness.signal.dispersion.dispersed_weakly`).
* Equaliser: least mean squares on the sampled pulse, with the noise's true autocorrelation, at the sampling
  phase that leaves the least error; of settings for much, middling and little noise the best one counts.
* Cursors that are left: the largest by their exact distribution over all symbols, the rest as Gaussian.
* Noise of each level: thermal, shot (2 e P B / R), the laser's (RIN P^2 B), echoes (2 r sqrt(Pk Pj) cos phi:
  the strongest exactly, over the four levels of the late symbol), jitter on the pulse's slopes, other light
  and electrical crosstalk (variance 5/36 OMA^2 for even levels), and the receiver's own imperfection in
  proportion to OMA.
* Thresholds weighted with the levels' rms noise, or the best ones where the eye is closed; errors to the next
  level only, one bit each: BER = SER / 2.

Left out: non-linearity but for saturation of settled levels, beats between lasers, decision feedback's gain
(only its errors are known, as error propagation), clock recovery's transfer of slow jitter. Textbook models,
except where marked as assumption.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.signal.dispersion import dispersion_phase_rad
from harness.signal.error_ratio import CLOSED_BER, ser_of_q, snr_db_of_q
from harness.signal.ffe import toeplitz
from harness.signal.filters import (
    bessel_thomson_4_response,
    noise_autocorrelation,
    noise_bandwidth_hz,
    reference_bandwidth_hz,
)
from harness.signal.gaussian import tail
from harness.simulation.light.beam import PAM4_RATE_BD, Beam, Echo, loudest

Array = NDArray[np.float64]

HIGHEST_LOCKED_BER: Final = 0.02
"""Beyond it the signal processor holds no lock (assumption: where equalisers that adapt by their own
decisions come to rest no more)."""
LOCK_RANGE_PPM: Final = 120.0
"""How far off its nominal rate a symbol clock may drift before lock on it is lost: beyond the 100 ppm that a
transmitter may be off (802.3 Table 124-6), so that a receiver's hysteresis lies outside of them
(assumption)."""
EVEN_LEVELS_VARIANCE: Final = 5.0 / 36.0
"""Variance of four even, equally frequent levels over OMAouter squared."""
ELEMENTARY_CHARGE_C: Final = 1.602176634e-19

_STANDARD: Final = NormalDist()
_SHARPNESS: Final = 2.0
# Momentary power over the saturated output where the output is 1 dB below what a linear amplifier gives.
_KNEE: Final = (10.0 ** (0.2 * _SHARPNESS) - 1.0) ** (0.5 / _SHARPNESS)
BEND_TO_GAIN: Final = -0.5 / _SHARPNESS
"""Exponent of :func:`bend`."""
_RECOVERY_BITS: Final = 20.0  # of a saturated amplifier, per share of the signal that is lost (assumption)
_LOST_AT_LEAST: Final = 0.02
_SLIP_BITS: Final = 8.0  # errors come in such bursts where lock is about to be lost (assumption)

_DESIGN_SNR_DB: Final = (16.0, 22.0, 30.0)
_EXACT: Final = 3
_CURSOR_AT_LEAST: Final = (
    0.004  # a smaller cursor moves a level by 0.2 % of OMAouter at most: as good as Gaussian
)
_SYMBOLS: Final = tuple(
    np.array(list(itertools.product(range(4), repeat=count)), dtype=np.intp) for count in range(_EXACT + 1)
)
_CLOSED_SER: Final = 0.02  # from here on lock is about to be lost, and the best thresholds are looked for
_TRIED: Final = 41
_REFINEMENTS: Final = 3
_SPAN_UI: Final = 64
_PER_UI: Final = 64
_SQUARE: Final = 16.0  # symbol rates of bandwidth, from which on a symbol is a rectangle
_PHASES: Final = 5
_PHASE_STEP: Final = _PER_UI // 8
_INTERFERENCE_AT_LEAST: Final = 3e-5  # of the levels' variance: 0.02 dB at a good receiver's error floor
_LEAST_W2: Final = 1e-30  # far below any photon's


@dataclass(frozen=True, slots=True)
class ReceiverParameters:
    """One receiver; the defaults are an ideal one of -5.3 dBm OMAouter sensitivity
    (q = 3.414 at 2.4e-4, 6 q sigma; check value).

    Attributes: ``thermal_noise_w``: rms, referred to the optical input, in the noise bandwidth;
    ``responsivity_a_per_w`` (infinite: no shot noise); ``overload_w``: momentary power that the amplifier
    compresses by 1 dB (infinite: never); ``bandwidth_hz``: -3 dB of a 4th-order Bessel-Thomson low pass
    (infinite, or beyond 16 symbol rates: no intersymbol interference from here, noise as in the reference
    receiver's bandwidth);
    ``equaliser_taps``: T-spaced; ``implementation_noise``: rms at the thresholds over OMAouter, which bounds
    q at 1 / (6 x this); ``jitter_ui_rms`` of the sampling instant; ``error_propagation``: chance that a wrong
    symbol makes the next one wrong, as in a decision feedback equaliser; ``symbol_rates_bd``: what it locks
    to.

    :raises ValueError: for values that no receiver has.
    """

    thermal_noise_w: float = 14.4e-6
    responsivity_a_per_w: float = math.inf
    overload_w: float = math.inf
    bandwidth_hz: float = math.inf
    equaliser_taps: int = 5
    implementation_noise: float = 0.0
    jitter_ui_rms: float = 0.0
    error_propagation: float = 0.0
    symbol_rates_bd: tuple[float, ...] = (PAM4_RATE_BD,)

    def __post_init__(self) -> None:
        for name in ("thermal_noise_w", "implementation_noise", "jitter_ui_rms", "error_propagation"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and not below zero, got {getattr(self, name)}")
        for name in ("responsivity_a_per_w", "overload_w", "bandwidth_hz"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")
        if self.error_propagation >= 1.0:
            raise ValueError(f"error_propagation must be below 1, got {self.error_propagation}")
        if self.equaliser_taps < 1:
            raise ValueError(f"an equaliser has one tap at least, not {self.equaliser_taps}")
        if not self.symbol_rates_bd:
            raise ValueError("a receiver locks to one symbol rate at least")

    def off_rate_ppm(self, symbol_rate_bd: float) -> float:
        """How far a symbol rate is from the nearest that this receiver locks to."""
        return min(abs(symbol_rate_bd / rate - 1.0) for rate in self.symbol_rates_bd) * 1e6


@dataclass(frozen=True, slots=True)
class Reception:
    """What a receiver finds.

    Attributes: ``q``: of a symmetric eye with the same symbol error ratio, before errors propagate;
    ``eye_q``: of the lower, middle and upper eye, from levels and rms noise; ``ser``, ``ber``: wrong symbols,
    wrong bits; ``snr_db``, ``ltp_db``: as a module measures them at its thresholds; ``oma_w``, ``average_w``:
    OMAouter and average of the beam that it locks on; ``burst_bits``: wrong bits of an event, on average;
    ``off_rate_ppm`` of the symbols; ``noise_w``: rms at the thresholds by cause, in watts at the photodiode,
    mean of the levels.
    """

    q: float
    eye_q: tuple[float, float, float]
    ser: float
    ber: float
    snr_db: float
    ltp_db: float
    oma_w: float
    average_w: float
    burst_bits: float = 1.0
    off_rate_ppm: float = 0.0
    noise_w: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def closed(self) -> bool:
        """Whether there is no eye at all."""
        return self.q <= 0.0

    @property
    def locked(self) -> bool:
        """Whether a signal processor would hold it; without hysteresis."""
        return self.ber <= HIGHEST_LOCKED_BER and self.off_rate_ppm <= LOCK_RANGE_PPM


DARK = Reception(0.0, (0.0, 0.0, 0.0), 2.0 * CLOSED_BER, CLOSED_BER, 0.0, 0.0, 0.0, 0.0)
"""No light, or none with symbols."""


def receive(
    beams: Iterable[Beam], parameters: ReceiverParameters, *, aggressor_oma_w: float = 0.0
) -> Reception:
    """What becomes of the light on one photodiode.

    :param beams: all of it; that of the largest OMAouter is the signal.
    :param aggressor_oma_w: OMAouter of electrical crosstalk, as if it came with the light; of several
        aggressors the root of the sum of squares.
    """
    beams = tuple(beams)
    beam = loudest(beams)
    if beam is None:
        return DARK
    others = [other for other in beams if other is not beam]
    disturbed = _Disturbed.of(beam, others, parameters, aggressor_oma_w)
    outcomes = [_outcome(disturbed, setting) for setting in _settings_of(beam, parameters)]
    best = min(outcomes, key=lambda outcome: outcome.ser)
    # Errors that a search has found may be an ulp fewer than all.
    closed = best.ser >= 2.0 * CLOSED_BER * (1.0 - 1e-9)
    q = 0.0 if closed else max(0.0, -_STANDARD.inv_cdf(max(min(best.ser, 2.0 * CLOSED_BER) / 1.5, 1e-300)))
    propagated = 1.0 / (1.0 - parameters.error_propagation)
    ser = min(best.ser * propagated, 2.0 * CLOSED_BER)
    snr = disturbed.swing_w2 / best.total_w2 if best.total_w2 > 0.0 else math.inf
    return Reception(
        q=q,
        eye_q=best.eye_q,
        ser=ser,
        ber=0.5 * ser,
        # No swing at all is left where every level saturates.
        snr_db=10.0 * math.log10(snr) if snr > 1.0 else 0.0,
        ltp_db=_level_transition_db(best.eye_q),
        oma_w=beam.oma_w,
        average_w=beam.power_w,
        burst_bits=propagated * _burst_bits(0.5 * ser, disturbed.lost),
        off_rate_ppm=parameters.off_rate_ppm(beam.modulation.symbol_rate_bd),
        noise_w=disturbed.noise_w(best.setting),
    )


def undisturbed(parameters: ReceiverParameters) -> Reception:
    """The best that a receiver's own imperfection leaves: what an electrical loopback shows."""
    q = 1.0 / (6.0 * parameters.implementation_noise) if parameters.implementation_noise > 0.0 else math.inf
    ser = ser_of_q(q)
    snr_db = max(0.0, snr_db_of_q(q))
    return Reception(q, (q, q, q), ser, 0.5 * ser, snr_db, _level_transition_db((q, q, q)), 0.0, 0.0)


def worst_echo_closure_db(beam: Beam) -> float:
    """How much the strongest echo narrows the upper eye at its worst phase and symbols, dB of optical power:
    both levels at the top, a beat of 2 r P3 against half an eye (0.20 dB for one pair of -26 dB reflections
    at an extinction ratio of 5 dB). Error ratios feel less, for few symbols beat so."""
    ratio = max((abs(echo.field_ratio) for echo in beam.echoes), default=0.0)
    levels = beam.modulation.levels
    half_eye = 0.5 * (levels[3] - levels[2])
    room = 1.0 - 2.0 * ratio * levels[3] / half_eye if half_eye > 0.0 else 0.0
    return -10.0 * math.log10(room) if room > 0.0 else math.inf


# -- inside --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Disturbed:
    """Levels and what disturbs them in front of the equaliser; powers in watts at the photodiode, by level.

    ``centres_w``: settled levels behind the amplifier, moved by the echoes' means; ``swing_w``: settled
    levels about their mean; ``echo_w``: what the strongest echo adds for each level of the late symbol, about
    its mean; ``more_echoes_w2``: variance of the others; ``fixed_w2``: of the receiver's imperfection;
    ``light_w2``: of other light; ``jitter_w2``: per square of the pulse's slope; ``lost``: share of the top
    level that saturation takes.
    """

    centres_w: Sequence[float]
    swing_w: Sequence[float]
    swing_w2: float
    thermal_w2: float
    shot_w2: Sequence[float]
    rin_w2: Sequence[float]
    echo_w: Sequence[Sequence[float]]
    more_echoes_w2: Sequence[float]
    fixed_w2: float
    light_w2: float
    crosstalk_w2: float
    jitter_w2: float
    lost: float

    @classmethod
    def of(
        cls, beam: Beam, others: Sequence[Beam], parameters: ReceiverParameters, aggressor_oma_w: float
    ) -> _Disturbed:
        modulation = beam.modulation
        levels_w = [level * beam.power_w for level in modulation.levels]
        others_w = math.fsum(other.power_w for other in others)
        gains, slopes = _saturation([level_w + others_w for level_w in levels_w], parameters.overload_w)
        settled_w = [level_w * gain for level_w, gain in zip(levels_w, gains, strict=True)]
        mean_w = sum(settled_w) / 4.0
        swing_w = [level_w - mean_w for level_w in settled_w]
        swing_w2 = sum(w * w for w in swing_w) / 4.0
        band_hz = _noise_band_hz(parameters, modulation.symbol_rate_bd)
        rin = 10.0 ** (modulation.rin_db_hz / 10.0) * band_hz
        shot_w = 2.0 * ELEMENTARY_CHARGE_C * band_hz / parameters.responsivity_a_per_w
        shifts_w, echo_w, more_echoes_w2 = _echoes(beam.echoes, levels_w, slopes)
        return cls(
            centres_w=[w + shift for w, shift in zip(settled_w, shifts_w, strict=True)],
            swing_w=swing_w,
            swing_w2=swing_w2,
            thermal_w2=parameters.thermal_noise_w**2,
            shot_w2=[shot_w * (w + others_w) * g * g for w, g in zip(levels_w, slopes, strict=True)],
            rin_w2=[rin * (w * g) ** 2 for w, g in zip(levels_w, slopes, strict=True)],
            echo_w=echo_w,
            more_echoes_w2=more_echoes_w2,
            fixed_w2=(parameters.implementation_noise * beam.oma_w) ** 2,
            light_w2=math.fsum(_variance_w2(other) for other in others),
            crosstalk_w2=EVEN_LEVELS_VARIANCE * aggressor_oma_w**2,
            jitter_w2=parameters.jitter_ui_rms**2 * swing_w2,
            lost=1.0 - gains[3],
        )

    def noise_w(self, setting: _Setting) -> Mapping[str, float]:
        """Rms at the thresholds by cause, mean of the levels."""
        echoes_w2 = sum(
            more + sum(w * w for w in atoms) / len(atoms)
            for more, atoms in zip(self.more_echoes_w2, self.echo_w, strict=True)
        )
        squares = {
            "thermal": setting.gain * self.thermal_w2,
            "shot": setting.gain * sum(self.shot_w2) / 4.0,
            "laser": setting.gain * sum(self.rin_w2) / 4.0,
            "intersymbol": setting.interference2 * self.swing_w2,
            "echoes": echoes_w2 / 4.0,
            "jitter": setting.slopes2 * self.jitter_w2,
            "other light": setting.energy * self.light_w2,
            "crosstalk": setting.energy * self.crosstalk_w2,
            "implementation": self.fixed_w2,
        }
        return MappingProxyType({cause: math.sqrt(square) for cause, square in squares.items()})


@dataclass(frozen=True, slots=True)
class _Outcome:
    """With one setting of the equaliser; ``total_w2``: noise at the thresholds, mean of the levels."""

    setting: _Setting
    ser: float
    eye_q: tuple[float, float, float]
    total_w2: float


def _outcome(light: _Disturbed, setting: _Setting) -> _Outcome:
    varying_w2 = [shot + rin for shot, rin in zip(light.shot_w2, light.rin_w2, strict=True)]
    # The equaliser mixes the noise of a symbol with that of its neighbours, which have any level.
    common_w2 = (
        setting.gain * (light.thermal_w2 + (1.0 - setting.own) * sum(varying_w2) / 4.0)
        + light.fixed_w2
        + setting.rest2 * light.swing_w2
        + setting.slopes2 * light.jitter_w2
        + setting.energy * (light.light_w2 + light.crosstalk_w2)
    )
    gaussian_w2 = [
        common_w2 + setting.gain * setting.own * varying + more
        for varying, more in zip(varying_w2, light.more_echoes_w2, strict=True)
    ]
    left_w2 = setting.cursors2 * light.swing_w2
    total_w2 = [
        gaussian + left_w2 + sum(w * w for w in atoms) / len(atoms)
        for gaussian, atoms in zip(gaussian_w2, light.echo_w, strict=True)
    ]
    sigma_w = [math.sqrt(max(square, _LEAST_W2)) for square in total_w2]
    centres_w = light.centres_w
    weights = [below + above for below, above in itertools.pairwise(sigma_w)]
    eyes = [(centres_w[i + 1] - centres_w[i]) / weights[i] for i in range(3)]
    thresholds_w = [
        (sigma_w[i + 1] * centres_w[i] + sigma_w[i] * centres_w[i + 1]) / weights[i] for i in range(3)
    ]
    errors = _errors_exactly if setting.cursors else _errors_beside_echoes
    ser = errors(light, setting, gaussian_w2, thresholds_w)
    if ser > _CLOSED_SER:
        ser = max(_CLOSED_SER, min(ser, _errors_at_best(light, setting, gaussian_w2)))
    return _Outcome(
        setting=setting,
        ser=ser,
        eye_q=(max(0.0, eyes[0]), max(0.0, eyes[1]), max(0.0, eyes[2])),
        total_w2=sum(total_w2) / 4.0,
    )


# Six ways to err: each level but the last past the threshold above it, each but the first past that below.
_WAYS: Final = ((0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0), (1, 0, -1.0), (2, 1, -1.0), (3, 2, -1.0))


def _errors_beside_echoes(
    light: _Disturbed, setting: _Setting, gaussian_w2: Sequence[float], thresholds_w: Sequence[float]
) -> float:
    """Symbol error ratio where no cursor but the main one matters."""
    wrong = 0.0
    for level, threshold, sign in _WAYS:
        scale = 1.0 / math.sqrt(2.0 * max(gaussian_w2[level], _LEAST_W2))
        room_w = sign * (thresholds_w[threshold] - light.centres_w[level])
        atoms = light.echo_w[level]
        wrong += math.fsum(math.erfc((room_w - sign * atom) * scale) for atom in atoms) / len(atoms)
    return 0.125 * wrong


def _errors_exactly(
    light: _Disturbed, setting: _Setting, gaussian_w2: Sequence[float], thresholds_w: Sequence[float]
) -> float:
    """The same over all symbols that the largest cursors bring in."""
    swing_w = np.array(light.swing_w)
    cursors = np.array(setting.cursors)
    intersymbol_w = swing_w[_SYMBOLS[cursors.size]] @ cursors
    places: list[Array] = []
    for level, threshold, sign in _WAYS:
        room_w = sign * (thresholds_w[threshold] - light.centres_w[level])
        moved_w = np.add.outer(np.array(light.echo_w[level]), intersymbol_w).ravel()
        places.append((room_w - sign * moved_w) / math.sqrt(max(gaussian_w2[level], _LEAST_W2)))
    return float(tail(np.concatenate(places)).sum()) / (4.0 * places[0].size)


def _errors_at_best(light: _Disturbed, setting: _Setting, gaussian_w2: Sequence[float]) -> float:
    """The same with the threshold of each eye where it makes the fewest errors: in a closed eye of discrete
    cursors the weighted one is so far off that noise could help. With the best, it cannot: noise that is the
    same on both levels averages the errors over thresholds about it."""
    swing_w = np.array(light.swing_w)
    cursors = np.array(setting.cursors)
    intersymbol_w = swing_w[_SYMBOLS[cursors.size]] @ cursors if cursors.size else np.zeros(1)
    sigma_w = [math.sqrt(max(square, _LEAST_W2)) for square in gaussian_w2]
    atoms_w = [
        light.centres_w[level] + np.add.outer(np.array(light.echo_w[level]), intersymbol_w).ravel()
        for level in range(4)
    ]
    return 0.25 * sum(_least_errors(*atoms_w[i : i + 2], *sigma_w[i : i + 2]) for i in range(3))


def _least_errors(lower_w: Array, upper_w: Array, lower_sigma_w: float, upper_sigma_w: float) -> float:
    """Share of the lower level's symbols above the best threshold, and of the upper level's below it."""

    def wrong(thresholds_w: Array) -> Array:
        above = tail((thresholds_w[:, None] - lower_w) / lower_sigma_w).mean(axis=1)
        below = tail((upper_w - thresholds_w[:, None]) / upper_sigma_w).mean(axis=1)
        total: Array = above + below
        return total

    low_w = min(float(lower_w.min()) - 4.0 * lower_sigma_w, float(upper_w.min()) - 4.0 * upper_sigma_w)
    high_w = max(float(lower_w.max()) + 4.0 * lower_sigma_w, float(upper_w.max()) + 4.0 * upper_sigma_w)
    for _ in range(_REFINEMENTS):
        thresholds_w = np.linspace(low_w, high_w, _TRIED)
        errors = wrong(thresholds_w)
        best = int(np.argmin(errors))
        low_w, high_w = thresholds_w[max(best - 1, 0)], thresholds_w[min(best + 1, _TRIED - 1)]
    return float(errors[best])


_Power = TypeVar("_Power", float, Array)


def bend(power_w: _Power, overload_w: float) -> _Power:
    """1 + (x/s)^4 of momentary powers x, with s such that 1 dB is lost at the overload power; to the power of
    :data:`BEND_TO_GAIN` the amplifier's gain (Rapp's model, textbook)."""
    bent: _Power = 1.0 + (power_w * (_KNEE / overload_w)) ** (2.0 * _SHARPNESS)
    return bent


def _saturation(powers_w: Sequence[float], overload_w: float) -> tuple[list[float], list[float]]:
    """Gain of the amplifier at momentary powers, and its slope there; 1 when it is never overloaded."""
    if overload_w == math.inf:
        return [1.0] * len(powers_w), [1.0] * len(powers_w)
    bent = [bend(power_w, overload_w) for power_w in powers_w]
    gains = [value**BEND_TO_GAIN for value in bent]
    return gains, [gain / value for gain, value in zip(gains, bent, strict=True)]


def _burst_bits(ber: float, lost: float) -> float:
    """Wrong bits of an event without error propagation: 1, but for an amplifier that has to recover from
    saturation and a clock that is about to slip (assumptions)."""
    slipping = min(1.0, max(0.0, 2.0 * ber / HIGHEST_LOCKED_BER - 1.0))
    return (1.0 + _RECOVERY_BITS * lost * (lost > _LOST_AT_LEAST)) * (1.0 + (_SLIP_BITS - 1.0) * slipping)


def _noise_band_hz(parameters: ReceiverParameters, symbol_rate_bd: float) -> float:
    square = parameters.bandwidth_hz > _SQUARE * symbol_rate_bd
    return _bt4_band_hz(reference_bandwidth_hz(symbol_rate_bd) if square else parameters.bandwidth_hz)


@lru_cache(maxsize=64)
def _bt4_band_hz(bandwidth_hz: float) -> float:
    return noise_bandwidth_hz(bandwidth_hz)


def _variance_w2(beam: Beam) -> float:
    levels = beam.modulation.levels
    mean = sum(levels) / 4.0
    return beam.power_w**2 * sum((level - mean) ** 2 for level in levels) / 4.0


_NONE: Final = (0.0, 0.0, 0.0, 0.0)
_NO_ECHO: Final = ((0.0,),) * 4


def _echoes(
    echoes: Sequence[Echo], levels_w: Sequence[float], slopes: Sequence[float]
) -> tuple[Sequence[float], Sequence[Sequence[float]], Sequence[float]]:
    """Mean shift of each level; what the strongest echo adds about that, for each level of its own symbol;
    variance of the others."""
    if not echoes:
        return _NONE, _NO_ECHO, _NONE
    factors = sorted((2.0 * echo.field_ratio * math.cos(echo.phase_rad) for echo in echoes), key=abs)
    roots = [math.sqrt(level_w) for level_w in levels_w]
    mean_root = sum(roots) / 4.0
    spread2 = sum((root - mean_root) ** 2 for root in roots) / 4.0
    beats = [root * slope for root, slope in zip(roots, slopes, strict=True)]
    total, more = math.fsum(factors), math.fsum(factor * factor for factor in factors[:-1])
    return (
        [total * beat * mean_root for beat in beats],
        [[factors[-1] * beat * (root - mean_root) for root in roots] for beat in beats],
        [more * beat * beat * spread2 for beat in beats],
    )


def _level_transition_db(eye_q: Sequence[float]) -> float:
    """LTP, the histogram's density at the levels over that midway between them: exp(q^2 / 2) / 2 in each eye
    (Gaussian; [?]: CMIS leaves the averaging open, here the valleys' mean counts); never below 0."""
    valleys = sum(math.exp(-0.5 * min(q, 30.0) ** 2) for q in eye_q) / 3.0
    return max(0.0, -10.0 * math.log10(2.0 * valleys))


@dataclass(frozen=True, slots=True)
class _Setting:
    """The equaliser set for one pulse and one amount of noise; the main cursor is 1.

    ``gain``: noise power behind over that in front; ``own``: share of it that comes through the main tap;
    ``energy``: of the taps, for what is not correlated from symbol to symbol; ``cursors``: the largest that
    are left, as far as they matter; ``cursors2``: sum of their squares; ``rest2``: of the smaller ones;
    ``slopes2``: of the pulse's slopes, per UI.
    """

    gain: float = 1.0
    own: float = 1.0
    energy: float = 1.0
    cursors: tuple[float, ...] = ()
    cursors2: float = 0.0
    rest2: float = 0.0
    slopes2: float = 0.0

    @property
    def interference2(self) -> float:
        """Sum of the squares of all cursors that are left."""
        return self.cursors2 + self.rest2


def _settings_of(beam: Beam, parameters: ReceiverParameters) -> tuple[_Setting, ...]:
    modulation = beam.modulation
    rate_bd = modulation.symbol_rate_bd
    turn_rad = 0.0
    if beam.dispersion_ps_nm:
        turned = dispersion_phase_rad(0.5 * rate_bd, beam.dispersion_ps_nm, beam.wavelength_nm)
        turn_rad = round(float(turned), 3)
    return _settings(
        _rounded(modulation.bandwidth_hz / rate_bd),
        _rounded(parameters.bandwidth_hz / rate_bd),
        turn_rad,
        round(modulation.chirp, 2) if turn_rad else 0.0,
        parameters.equaliser_taps,
    )


def _rounded(bandwidth_per_baud: float) -> float:
    """To 0.2 %: what a modulator's drift changes by less is not worked out anew; infinite when it is as
    good as that."""
    if bandwidth_per_baud > _SQUARE:
        return math.inf
    return math.exp(round(math.log(bandwidth_per_baud) * 500.0) / 500.0)


@lru_cache(maxsize=512)
def _settings(
    transmitter_bandwidth: float, receiver_bandwidth: float, turn_rad: float, chirp: float, taps: int
) -> tuple[_Setting, ...]:
    """Bandwidths over the symbol rate; ``turn_rad``: dispersion's phase at half the symbol rate."""
    if transmitter_bandwidth == receiver_bandwidth == math.inf and turn_rad == 0.0:
        return (_Setting(),)
    samples = _pulse(transmitter_bandwidth, receiver_bandwidth, turn_rad, chirp)
    if receiver_bandwidth < math.inf:
        correlation = toeplitz(noise_autocorrelation(taps, receiver_bandwidth, 1.0))
    else:
        correlation = np.eye(taps)
    peak = int(np.argmax(samples))
    starts = [peak + _PHASE_STEP * (phase - _PHASES // 2) for phase in range(_PHASES)]
    found = [
        min(
            (_least_squares(samples, start, taps, correlation, snr_db) for start in starts),
            key=lambda of_start: of_start[0],
        )[1]
        for snr_db in _DESIGN_SNR_DB
    ]
    # Ordered by falling noise: what gains no interference to speak of by more noise is not needed.
    kept = found[:1]
    for setting in found[1:]:
        if kept[-1].interference2 - setting.interference2 > _INTERFERENCE_AT_LEAST:
            kept.append(setting)
    return tuple(kept)


def _pulse(transmitter_bandwidth: float, receiver_bandwidth: float, turn_rad: float, chirp: float) -> Array:
    """A symbol's rectangle at the sampler, about the middle of the span; shape (span x samples per UI,)."""
    size = _SPAN_UI * _PER_UI
    f: Array = np.fft.rfftfreq(size, 1.0 / _PER_UI).astype(np.float64)  # over the symbol rate
    response = np.sinc(f).astype(np.complex128)
    for bandwidth in (transmitter_bandwidth, receiver_bandwidth):
        if bandwidth < math.inf:
            response *= bessel_thomson_4_response(f, bandwidth)
    if turn_rad:
        phase = turn_rad * np.square(2.0 * f)
        response *= np.cos(phase) - chirp * np.sin(phase)
    return np.roll(np.fft.irfft(response, size) * _PER_UI, size // 2)


def _least_squares(
    samples: Array, start: int, taps: int, correlation: Array, snr_db: float
) -> tuple[float, _Setting]:
    """Mean square error, and what the taps make of pulse and noise."""
    reach = min(_SPAN_UI // 2 - 2, 12 + taps)
    places = start + _PER_UI * np.arange(-reach, reach + 1)
    slopes = 0.5 * _PER_UI * (samples[places + 1] - samples[places - 1])
    shifted, leaning = _shifted(samples[places], taps), _shifted(slopes, taps)
    solved = np.linalg.solve(shifted @ shifted.T + 10.0 ** (-snr_db / 10.0) * correlation, shifted)
    explained = np.einsum("ij,ij->j", shifted, solved)
    main = int(np.argmax(explained))
    weights = solved[:, main]
    response = weights @ shifted
    scale = float(response[main])
    weights, response = weights / scale, response / scale
    left = np.delete(response, main)
    left = left[np.argsort(-np.abs(left))]
    exact = left[:_EXACT]
    exact = exact[np.abs(exact) > _CURSOR_AT_LEAST]
    gain = float(weights @ correlation @ weights)
    return 1.0 - float(explained[main]), _Setting(
        gain=gain,
        own=min(1.0, float(np.square(weights).max()) / gain),
        energy=float(weights @ weights),
        cursors=tuple(map(float, exact)),
        cursors2=float(exact @ exact),
        rest2=float(np.square(left[exact.size :]).sum()),
        slopes2=float(np.square(weights @ leaning).sum()),
    )


def _shifted(row: Array, taps: int) -> Array:
    """A row as each tap sees it, shape (taps, row + taps - 1)."""
    rows = np.zeros((taps, row.size + taps - 1))
    for tap in range(taps):
        rows[tap, tap : tap + row.size] = row
    return rows
