"""What the oscilloscope has taken of one channel, and what it measures on that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from harness.signal.pam4 import levels, outer_levels, transition_times
from harness.signal.tdecq import EyeClosedError, TdecqMethod, TdecqResult, tdecq
from harness.signal.waveform import Array, SignalError, Symbols, Waveform, aligned
from harness.simulation.light.beam import Beam, total_power_w
from harness.simulation.light.oscilloscope import (
    NoTraceError,
    OscilloscopeFrontEnd,
    dark_trace_w,
    locked_symbols,
    seen_by_oscilloscope,
)
from harness.simulation.noise import Noise

_SYMBOLS_ENOUGH = 65_535
"""More symbols than this in a record make no number better; a real one goes on averaging."""
_DARK_SAMPLES = 1 << 15
_RATE_IN_THE_DARK_HZ = 16 * 53.125e9


class NoValueError(Exception):
    """The oscilloscope has no number for this; the text is its reason."""


@dataclass(frozen=True, slots=True)
class TdecqSetUp:
    """``:MEASure:TDEQ`` and the equaliser of a function."""

    target_ser: float
    width_ui: float
    spacing_ui: float
    shift: bool
    thresholds: bool
    threshold_limit_percent: float
    taps: int
    precursors: int

    def method(self) -> TdecqMethod:
        """As the signal library takes it; a main tap of 0.8 at least belongs to the editions that move
        thresholds."""
        return TdecqMethod(
            "as set on the oscilloscope",
            target_ser=self.target_ser,
            taps=self.taps,
            main_taps=tuple(range(min(self.taps, self.precursors + 1))),
            least_main_tap=0.8 if self.thresholds else None,
            window_times_ui=(0.5 - 0.5 * self.spacing_ui, 0.5 + 0.5 * self.spacing_ui),
            window_width_ui=self.width_ui,
            histogram_shift=self.shift,
            threshold_adjustment=0.01 * self.threshold_limit_percent if self.thresholds else 0.0,
        )


@dataclass(eq=False)
class Shot:
    """One acquisition of one channel: the light at its end, and what the channel makes of it.

    ``gain`` and ``offset_w`` are the channel's calibration errors; ``key`` names its draw of noise;
    ``pattern_symbols``: of the pattern as it was told, a multiple of the light's. Nothing is computed before
    it is asked for, and nothing twice.
    """

    beams: tuple[Beam, ...]
    front_end: OscilloscopeFrontEnd
    noise: Noise
    key: tuple[str | int, ...]
    gain: float
    offset_w: float
    patterns: int
    samples_per_ui: int
    single: bool = False
    pattern_symbols: int = 0
    _trace: tuple[Waveform, Symbols] | None = field(default=None, init=False, repr=False)
    _lined_up: Waveform | None = field(default=None, init=False, repr=False)
    _tdecq: dict[TdecqSetUp, TdecqResult | str] = field(default_factory=dict, init=False, repr=False)
    _measured: dict[Callable[[Waveform, Symbols], float], float] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def power_w(self) -> float:
        """Average power of the light."""
        return total_power_w(self.beams)

    def trace(self) -> tuple[Waveform, Symbols]:
        """The record, which begins anywhere in the pattern, and one period of its symbols.

        :raises NoValueError: without modulated light, or a pattern that repeats.
        """
        if self._trace is None:
            try:
                symbols = locked_symbols(self.beams, self.front_end)
                if self.single:
                    periods = max(1, self.pattern_symbols // symbols.size)
                else:
                    periods = min(self.patterns, -(-_SYMBOLS_ENOUGH // symbols.size))
                seen = seen_by_oscilloscope(
                    self.beams,
                    None,
                    self.front_end,
                    samples_per_ui=self.samples_per_ui,
                    periods=periods,
                    rng=self.noise.generator(*self.key),
                )
            except NoTraceError as error:
                raise NoValueError(str(error)) from error
            begin = int(self.noise.uniform(*self.key, "begin") * symbols.size) * self.samples_per_ui
            samples_w = np.roll(seen.samples_w * self.gain + self.offset_w, begin)
            self._trace = (replace(seen, samples_w=samples_w), symbols)
        return self._trace

    def tdecq(self, set_up: TdecqSetUp) -> TdecqResult:
        """:raises NoValueError: as :meth:`trace`, and for a closed eye."""
        if set_up not in self._tdecq:
            waveform, symbols = self.trace()
            try:
                self._tdecq[set_up] = tdecq(
                    waveform,
                    symbols,
                    reference_filter_applied=True,
                    method=set_up.method(),
                    scope_noise_w=self.front_end.noise_now_w * self.gain,
                )
            except (EyeClosedError, SignalError, ValueError) as error:
                self._tdecq[set_up] = str(error)
        found = self._tdecq[set_up]
        if isinstance(found, str):
            raise NoValueError(found)
        return found

    def measured(self, what: Callable[[Waveform, Symbols], float]) -> float:
        """A number of the record lined up with its symbols: one of the functions below.

        :raises NoValueError: where the record does not show it.
        """
        waveform, symbols = self.trace()
        try:
            if self._lined_up is None:
                self._lined_up = aligned(waveform, symbols)
            if what not in self._measured:
                self._measured[what] = what(self._lined_up, symbols)
            return self._measured[what]
        except SignalError as error:
            raise NoValueError(str(error)) from error

    def ac_rms_w(self) -> float:
        """Rms of the free-running trace about its mean: noise, and the spread of the settled levels."""
        dark_w = dark_trace_w(
            self.front_end,
            _DARK_SAMPLES,
            sampling_rate_hz=_RATE_IN_THE_DARK_HZ,
            rng=self.noise.generator(*self.key, "dark"),
        )
        spread_w2 = sum(beam.power_w**2 * float(np.var(beam.modulation.levels)) for beam in self.beams)
        return self.gain * math.sqrt(float(np.var(dark_w)) + spread_w2)

    def xy_data(self, uneven_ui: float, delay_s: float) -> tuple[Array, Array]:
        """Times in seconds and powers in watts of the record; the times off an even grid by ``uneven_ui`` at
        most, as on a real one."""
        waveform, _ = self.trace()
        count = waveform.samples_w.size
        places_ui = np.arange(count) / self.samples_per_ui
        powers_w = waveform.samples_w
        if uneven_ui:
            drawn = self.noise.generator(*self.key, "times").uniform(-1.0, 1.0, count)
            places_ui = places_ui + uneven_ui * drawn
            powers_w = waveform.at(places_ui + waveform.start_ui)
        return delay_s + places_ui * waveform.ui_s, powers_w


def oma_w(waveform: Waveform, symbols: Symbols) -> float:
    """OMAouter, watts."""
    return outer_levels(waveform, symbols).oma_outer_w


def extinction_ratio_db(waveform: Waveform, symbols: Symbols) -> float:
    """Extinction ratio of the outer levels, dB."""
    return outer_levels(waveform, symbols).extinction_ratio_db


def linearity(waveform: Waveform, symbols: Symbols) -> float:
    """RLM."""
    return levels(waveform, symbols).rlm


def rise_s(waveform: Waveform, symbols: Symbols) -> float:
    """20 % to 80 % of the rising edges, seconds."""
    return transition_times(waveform, symbols).rise_s


def fall_s(waveform: Waveform, symbols: Symbols) -> float:
    """20 % to 80 % of the falling edges, seconds."""
    return transition_times(waveform, symbols).fall_s


def slowest_s(waveform: Waveform, symbols: Symbols) -> float:
    """The longer of both, seconds."""
    return transition_times(waveform, symbols).slowest_s
