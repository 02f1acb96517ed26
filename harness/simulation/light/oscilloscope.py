"""What a sampling oscilloscope shows of beams: a pattern-locked trace with its bandwidth and noise.

It knows the physics only; commands, channels and screens are its peer's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.signal.filters import noise_bandwidth_hz
from harness.signal.waveform import Array, SignalError, Symbols, Waveform
from harness.simulation.light.beam import Beam, loudest, strongest
from harness.simulation.light.symbols import UnknownPatternError, period_symbols, symbols_of
from harness.simulation.light.waveform import (
    SAMPLES_PER_UI,
    filter_response,
    filtered_light,
    is_modulated,
    optical_record,
)
from harness.simulation.signals import Pattern


class NoTraceError(Exception):
    """The oscilloscope has no trace to show: the bench or the lane's set-up is at fault, not its light."""


class NoClockError(NoTraceError):
    """There is no modulated light that the clock recovery could lock on."""


class NoPatternLockError(NoTraceError):
    """The light's symbols do not repeat, or not within what the pattern lock finds."""


@dataclass(frozen=True, slots=True)
class OscilloscopeFrontEnd:
    """An optical input.

    Attributes: ``bandwidth_hz``: -3 dB bandwidth of the reference receiver, 4th-order Bessel-Thomson, that
    the input is with its filter on (26.5625 GHz at 53.125 GBd); ``noise_w``: its rms noise there, referred to
    the optical power; ``filter_on``; ``channel_bandwidth_hz``: that of the input without the filter, taken as
    Bessel-Thomson too, with noise as white (None: it cannot be switched off); ``clock_oma_w``: least OMAouter
    that the clock recovery locks on; ``longest_pattern_symbols``: most symbols in a period that the pattern
    lock finds (the default holds SSPRQ; an assumption, instruments differ).
    """

    bandwidth_hz: float
    noise_w: float = 0.0
    filter_on: bool = True
    channel_bandwidth_hz: float | None = None
    clock_oma_w: float = 0.0
    longest_pattern_symbols: int = 65_535

    @property
    def response_bandwidth_hz(self) -> float:
        """-3 dB bandwidth as it is set.

        :raises ValueError: when the filter is off and the bandwidth without it was not given.
        """
        if self.filter_on:
            return self.bandwidth_hz
        if self.channel_bandwidth_hz is None:
            raise ValueError("the filter is off: give channel_bandwidth_hz, the input's own bandwidth")
        return self.channel_bandwidth_hz

    @property
    def noise_density(self) -> float:
        """One-sided density of its noise, W^2/Hz."""
        return self.noise_w**2 / noise_bandwidth_hz(self.bandwidth_hz)

    @property
    def noise_now_w(self) -> float:
        """The rms noise of a trace as the filter is set: what a dark trace shows."""
        return math.sqrt(self.noise_density * noise_bandwidth_hz(self.response_bandwidth_hz))


def locked_symbols(
    beams: Sequence[Beam], front_end: OscilloscopeFrontEnd, pattern: Pattern | None = None
) -> Symbols:
    """One period of the symbols that the oscilloscope locks on: those of the beam with
    the largest OMAouter.

    :param pattern: as the oscilloscope was told; None when it finds out by itself.
    :raises NoClockError: in the dark, and in light that nothing modulates, or too little.
    :raises NoPatternLockError: on traffic, multiplexed streams, patterns too long (PRBS31Q) or another one
        than the oscilloscope was told.
    """
    main = loudest(beams) or strongest(beams)
    if main is None:
        raise NoClockError("no light at the oscilloscope's input: is the transmitter on and the path closed?")
    if main.signal is None or not is_modulated(main.modulation):
        raise NoClockError(f"the light of {main.source} is not modulated: no clock can be recovered from it")
    if main.oma_w < front_end.clock_oma_w:
        raise NoClockError(
            f"OMAouter of {main.oma_w * 1e3:.3g} mW is too little for the clock recovery, which wants "
            f"{front_end.clock_oma_w * 1e3:.3g} mW"
        )
    if len(main.signal.streams) != 1 or main.signal.streams[0] is None:
        raise NoPatternLockError(
            f"{main.source} sends traffic or multiplexed streams, which do not repeat: switch the module's "
            "media-side pattern generator on (SSPRQ or PRBS13Q)"
        )
    sent = main.signal.streams[0]
    try:
        period = period_symbols(sent)
        if period is None:
            raise NoPatternLockError(f"{main.source} sends bits that repeat nowhere")
        if period > front_end.longest_pattern_symbols:
            raise NoPatternLockError(
                f"the pattern of {main.source} repeats after {period} symbols; the pattern lock finds "
                f"{front_end.longest_pattern_symbols} at most: use SSPRQ or PRBS13Q"
            )
        symbols = symbols_of(sent)
        if pattern is not None and pattern != sent and not _same(symbols, pattern):
            raise NoPatternLockError(f"{main.source} sends another pattern than the one to be locked on")
    except UnknownPatternError as error:
        raise NoPatternLockError(str(error)) from error
    return symbols


def seen_by_oscilloscope(
    beams: Sequence[Beam],
    pattern: Pattern | None,
    front_end: OscilloscopeFrontEnd,
    *,
    samples_per_ui: int = SAMPLES_PER_UI,
    periods: int = 1,
    averages: int = 1,
    rng: np.random.Generator | None = None,
) -> Waveform:
    """One pattern-locked trace: whole periods, through the front end, with the lasers' and its own noise.

    The lasers' noise (RIN) is white in front of the front end's filter and grows with the momentary power.
    Averages leave the waveform and divide the rms noise by their square root. Noise of neighbouring samples
    is that of continuous time behind the filter, as if the trace were taken in one sweep; samples a symbol
    apart are all but independent either way. Light of another laser whose pattern is not the locked one runs
    free: it is drawn like noise. Clock recovery follows the locked beam without jitter, and the record
    begins with its symbols, ``skew_ui`` included in ``start_ui``.

    :param pattern: as the oscilloscope was told; None when it finds out by itself.
    :param periods: of the pattern in the record.
    :param rng: of the trace, from ``World.noise.generator(...)``: same seed and key, same trace. None: no
        noise at all, as after endless averaging.
    :raises NoClockError, NoPatternLockError: as :func:`locked_symbols`.
    :raises NoTraceError: for light that no waveform can be made of, such as that of a transmitter whose
        answer to a symbol is longer than the synthesis follows it.
    :raises ValueError: when ``periods`` or ``averages`` is below 1.
    """
    if periods < 1 or averages < 1:
        raise ValueError(f"periods and averages must be 1 at least, got {periods} and {averages}")
    symbols = locked_symbols(beams, front_end, pattern)
    try:
        return _trace(beams, symbols, front_end, samples_per_ui, periods, averages, rng)
    except SignalError as error:
        sources = ", ".join(beam.source for beam in beams if beam.power_w > 0.0)
        raise NoTraceError(f"no trace can be made of the light of {sources}: {error}") from error


def _trace(
    beams: Sequence[Beam],
    symbols: Symbols,
    front_end: OscilloscopeFrontEnd,
    samples_per_ui: int,
    periods: int,
    averages: int,
    rng: np.random.Generator | None,
) -> Waveform:
    if periods > 1:
        symbols = np.tile(symbols, periods)
    lit = [beam for beam in beams if beam.power_w > 0.0]
    locked = [beam for beam in lit if _runs_with(beam, lit)]
    free = [beam for beam in lit if not _runs_with(beam, lit)]
    rows = [symbols if beam.signal is not None and is_modulated(beam.modulation) else None for beam in locked]
    record = optical_record(locked, rows, samples_per_ui=samples_per_ui)
    wave = record.waveform
    power = wave.samples_w
    noise = np.zeros(power.size)
    if rng is None:
        power = power + sum(beam.power_w for beam in free)
    else:
        noise += record.noise_w(rng)
        for beam in free:
            drawn = symbols_of(None, symbols.size, rng=rng)
            other = optical_record([beam], drawn, samples_per_ui=samples_per_ui)
            power = power + beam.power_w
            noise += other.waveform.samples_w - beam.power_w + other.noise_w(rng)
        if front_end.noise_w:
            half_rate_hz = 0.5 * samples_per_ui * wave.symbol_rate_bd
            white = rng.standard_normal(power.size, dtype=np.float32)
            noise += math.sqrt(front_end.noise_density * half_rate_hz) * white
        noise *= 1.0 / math.sqrt(averages)
    return filtered_light(replace(wave, samples_w=power + noise), front_end.response_bandwidth_hz)


def dark_trace_w(
    front_end: OscilloscopeFrontEnd, samples: int, *, sampling_rate_hz: float, rng: np.random.Generator
) -> Array:
    """The oscilloscope's own noise without light, watts, shape (samples,): what its noise is measured on."""
    density = math.sqrt(0.5 * front_end.noise_density * sampling_rate_hz)
    white = rng.standard_normal(samples) * density
    response = filter_response(samples, 1.0 / sampling_rate_hz, front_end.response_bandwidth_hz)
    return np.asarray(np.fft.irfft(np.fft.rfft(white) * response, samples))


def _runs_with(beam: Beam, beams: Sequence[Beam]) -> bool:
    """Whether a beam stands still on a screen that is locked on the loudest one."""
    main = loudest(beams)
    if main is None or main.signal is None or beam.signal is None or not is_modulated(beam.modulation):
        return True
    return (
        beam.signal.streams == main.signal.streams
        and beam.modulation.symbol_rate_bd == main.modulation.symbol_rate_bd
    )


def _same(symbols: Symbols, pattern: Pattern) -> bool:
    """Whether another code says the same symbols (an inverted pattern twice, a user pattern like another)."""
    period = period_symbols(pattern)
    return period == symbols.size and np.array_equal(symbols_of(pattern), symbols)
