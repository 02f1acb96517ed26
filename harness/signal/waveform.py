"""A pattern-locked optical waveform, and how it lines up with its symbols.

A record is one or more whole periods of a repeating pattern, so that every filter and every shift here is
circular: nothing is lost at the ends.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Symbols = NDArray[np.uint8]

LEVELS: Final = 4
"""PAM4's levels, numbered 0 (darkest) to 3 (brightest)."""
SYMBOL_RATES_BD: Final = (1e6, 1e12)
"""Lowest and highest symbol rate that is taken for one in baud: a rate in GBd or MBd is below, one in mBd
above."""
HIGHEST_POWER_W: Final = 0.1
"""Highest average power that is taken for one in watts: 20 dBm, thirty times what damages a receiver (5 dBm).
A module's light counted in milliwatts or microwatts is above."""
_MANY_PER_UI: Final = 8
_LOWEST_CORRELATION: Final = 0.4


class SignalError(ValueError):
    """The record cannot be analysed as asked: not a whole period, another pattern, no such run, an eye
    closed.

    It says nothing about the module: a wrong pattern or a lost lock is the bench's fault, and the caller, who
    knows the bench, is to decide.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Optical power against time over a whole number of symbols."""

    samples_w: Array
    """Optical power in watts, shape (samples,); equally spaced. Its average is 0.1 W at most
    (:data:`HIGHEST_POWER_W`): more is another unit."""
    samples_per_ui: float
    """Samples per symbol; need not be whole (a real-time oscilloscope's is not)."""
    symbol_rate_bd: float
    """Symbols per second, 1e6 to 1e12 (:data:`SYMBOL_RATES_BD`)."""
    start_ui: float = 0.0
    """Time of the first sample after the beginning of symbol 0, in unit intervals."""

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples_w, dtype=np.float64)
        if samples.ndim != 1 or not samples.size:
            raise SignalError(f"samples must be one row of numbers, got shape {samples.shape}")
        if not np.isfinite(samples).all():
            raise SignalError(
                "the record holds samples that are not numbers (an invalid region of the trace?)"
            )
        for name in ("samples_per_ui", "symbol_rate_bd"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise SignalError(f"{name} must be above zero, got {value}")
        if not SYMBOL_RATES_BD[0] <= self.symbol_rate_bd <= SYMBOL_RATES_BD[1]:
            raise SignalError(
                f"the symbol rate is wanted in baud (53.125e9 for 53.125 GBd), got {self.symbol_rate_bd:g}"
            )
        if abs(float(samples.mean())) > HIGHEST_POWER_W:
            raise SignalError(
                f"samples are wanted in watts (1e-3 for 1 mW); an average of {samples.mean():.4g} W is none "
                "of an optical lane: in milliwatts or microwatts?"
            )
        if not math.isfinite(self.start_ui):
            raise SignalError(f"start_ui must be a number, got {self.start_ui}")
        if self.samples_per_ui < 2.0:
            raise SignalError(f"two samples per symbol at least are needed, got {self.samples_per_ui}")
        object.__setattr__(self, "samples_w", samples)
        if not self.symbols or abs(samples.size / self.samples_per_ui - self.symbols) > 1e-4:
            raise SignalError(
                f"{samples.size} samples at {self.samples_per_ui} per symbol are "
                f"{samples.size / self.samples_per_ui:.4f} symbols: "
                "the record must be whole periods of the pattern"
            )

    @property
    def symbols(self) -> int:
        """Symbols in the record."""
        return round(self.samples_w.size / self.samples_per_ui)

    @property
    def ui_s(self) -> float:
        """The unit interval in seconds."""
        return 1.0 / self.symbol_rate_bd

    @property
    def average_power_w(self) -> float:
        """Mean optical power in watts."""
        return float(self.samples_w.mean())

    @property
    def frequencies_hz(self) -> Array:
        """Frequencies of the record's one-sided spectrum, shape (samples // 2 + 1,)."""
        spacing_s = self.ui_s * self.symbols / self.samples_w.size
        return np.asarray(np.fft.rfftfreq(self.samples_w.size, spacing_s), dtype=np.float64)

    def at(self, times_ui: Array) -> Array:
        """Power in watts at times counted in unit intervals from the beginning of symbol 0 (any shape).

        Cubic interpolation between four neighbours, round the end of the record: exact enough from eight
        samples per symbol on, and it does not ring at a step.
        """
        place = (np.asarray(times_ui) - self.start_ui) * (self.samples_w.size / self.symbols)
        first = np.floor(place)
        part = place - first
        index = first.astype(np.intp)
        result = np.zeros(np.shape(place))
        for offset, weight in zip((-1, 0, 1, 2), lagrange_4(part), strict=True):
            result += weight * self.samples_w.take(index + offset, mode="wrap")
        return result


def lagrange_4(part: Array | float) -> tuple[Array | float, Array | float, Array | float, Array | float]:
    """Weights of the samples at -1, 0, 1, 2 for the value at ``part``, between 0 and 1."""
    before, after, beyond = part + 1.0, part - 1.0, part - 2.0
    return (
        -part * after * beyond / 6.0,
        before * after * beyond / 2.0,
        -before * part * beyond / 2.0,
        before * part * after / 6.0,
    )


def tiled(symbols: NDArray[np.integer], waveform: Waveform) -> Symbols:
    """The symbols of every period in the record: shape (waveform.symbols,), values 0..3.

    :raises SignalError: when the symbols are not PAM4 levels or the record is not whole periods of them.
    """
    levels = np.asarray(symbols)
    if levels.ndim != 1 or not levels.size or not np.issubdtype(levels.dtype, np.integer):
        raise SignalError(
            f"symbols must be one row of whole numbers, got {levels.dtype} of shape {levels.shape}"
        )
    if levels.min() < 0 or levels.max() >= LEVELS:
        raise SignalError(f"PAM4 symbols are 0..3, got {levels.min()}..{levels.max()}")
    if waveform.symbols % levels.size:
        raise SignalError(
            f"the record holds {waveform.symbols} symbols, no multiple of the pattern's {levels.size}: "
            "was the oscilloscope locked to another pattern length?"
        )
    return np.tile(levels.astype(np.uint8), waveform.symbols // levels.size)


def pulse_centre_ui(spectrum: NDArray[np.complex128], symbols: Symbols) -> tuple[float, float]:
    """Where the middle of symbol 0's pulse lies, in unit intervals after the first sample, and how alike they
    are.

    :param spectrum: ``rfft`` of the record.
    :param symbols: one per symbol of the record.
    :returns: the time (within the record) and the correlation coefficient there, in the band below half
        the symbol rate; the latter is negative for an inverted lane.
    """
    count = symbols.size
    pattern = np.fft.rfft(symbols - symbols.mean())
    highest = min(count // 2, spectrum.size - 1)
    cross = np.zeros(count + 1, dtype=np.complex128)
    cross[1 : highest + 1] = spectrum[1 : highest + 1] * pattern[1 : highest + 1].conj()
    size = math.sqrt(
        float(np.square(np.abs(spectrum[1 : highest + 1])).sum())
        * float(np.square(np.abs(pattern[1 : highest + 1])).sum())
    )
    if size == 0.0:
        return 0.0, 0.0
    likeness = np.fft.irfft(cross, 2 * count) * (count / size)
    best, inverted = int(likeness.argmax()), int(likeness.argmin())
    # A square wave is its own opposite half a period later: that is not upside down.
    if -likeness[inverted] > 1.001 * likeness[best]:
        best = inverted
    left, middle, right = (float(likeness[(best + step) % likeness.size]) for step in (-1, 0, 1))
    curve = left - 2.0 * middle + right
    offset = 0.0 if curve == 0.0 else 0.5 * (left - right) / curve
    return (best + offset) / 2.0, middle


def checked_centre_ui(spectrum: NDArray[np.complex128], symbols: Symbols) -> float:
    """:func:`pulse_centre_ui`, refused when the record does not show these symbols.

    :raises SignalError: for another pattern, or an inverted lane.
    """
    centre, likeness = pulse_centre_ui(spectrum, symbols)
    if likeness < -_LOWEST_CORRELATION:
        raise SignalError(
            "the waveform is the pattern upside down: swap the lane's polarity or invert the symbols"
        )
    if likeness < _LOWEST_CORRELATION:
        raise SignalError(
            f"the waveform does not show these symbols (correlation {likeness:.2f}): another pattern, "
            "another bit order, or no pattern lock"
        )
    return centre


def crossing_ui(waveform: Waveform, level_w: float | None = None) -> float:
    """Mean time at which the waveform crosses a level (its average power), in UI after the first sample,
    modulo 1.

    The eye's 0 UI and 1 UI are there (clause 95.8.5 as used by 121.8.5.3).

    :raises SignalError: when it never crosses the level.
    """
    level = waveform.average_power_w if level_w is None else level_w
    times = crossings_ui(waveform, level)
    if not times.size:
        raise SignalError("the waveform never crosses its average power: no modulation in this record")
    return (cmath.phase(complex(np.exp(2j * math.pi * times).mean())) / (2.0 * math.pi)) % 1.0


def crossings_ui(waveform: Waveform, level_w: float) -> Array:
    """Times of all crossings of a level, in UI after the first sample, shape (crossings,)."""
    return crossing_times(waveform.samples_w, level_w) * (waveform.symbols / waveform.samples_w.size)


def crossing_times(values: Array, level: float) -> Array:
    """Places between samples, counted in samples, where a periodic row of values crosses a level."""
    away = values - level
    above = away >= 0.0
    index = np.flatnonzero(above != np.roll(above, -1))
    here, there = away[index], away.take(index + 1, mode="wrap")
    return np.asarray(index + here / (here - there))


def aligned(waveform: Waveform, symbols: NDArray[np.integer]) -> Waveform:
    """The same record, rolled by whole samples so that symbol k lies from k to k + 1 UI.

    Finds the pattern by correlation, then puts the mean crossing of the average power at whole UI. What is
    left of the shift stands in ``start_ui``, so that no sample is changed.

    :raises SignalError: when the record does not show the symbols.
    """
    expected = tiled(symbols, waveform)
    centre = checked_centre_ui(np.fft.rfft(waveform.samples_w), expected)
    crossing = crossing_ui(waveform)
    # The crossing nearest to half a UI before the pulse's middle is where symbol 0 begins.
    begin = centre - 0.5
    begin += (crossing - begin + 0.5) % 1.0 - 0.5
    per_ui = waveform.samples_w.size / waveform.symbols
    shift = math.floor(begin * per_ui)
    return replace(waveform, samples_w=np.roll(waveform.samples_w, -shift), start_ui=shift / per_ui - begin)


def _middles(waveform: Waveform, symbols: int) -> Array:
    """Power at the middle of each symbol; the nearest sample where there are many, which tells symbols apart
    as well and is had ten times faster."""
    middles = np.arange(symbols, dtype=np.float64) + 0.5
    per_ui = waveform.samples_w.size / waveform.symbols
    if per_ui < _MANY_PER_UI:
        return waveform.at(middles)
    places = np.rint((middles - waveform.start_ui) * per_ui).astype(np.intp)
    return waveform.samples_w.take(places, mode="wrap")


def require_aligned(waveform: Waveform, symbols: NDArray[np.integer]) -> Symbols:
    """One symbol per UI of a record that shows them, symbol k from k to k + 1 UI.

    :raises SignalError: when it does not: call :func:`aligned` first.
    """
    expected = tiled(symbols, waveform)
    middle = _middles(waveform, expected.size)
    ideal = expected - expected.mean()
    middle -= middle.mean()
    size = math.sqrt(float(middle @ middle) * float(ideal @ ideal))
    likeness = float(middle @ ideal) / size if size else 0.0
    if likeness < _LOWEST_CORRELATION:
        raise SignalError(
            f"the waveform does not line up with the symbols (correlation {likeness:.2f}): "
            "use aligned() first, and check the pattern and the lane's polarity"
        )
    return expected
