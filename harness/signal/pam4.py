"""Levels, OMAouter, extinction ratio, RLM, transition time, over- and undershoot of a PAM4 waveform.

Every function that takes symbols wants a waveform that lines up with them
(:func:`harness.signal.waveform.aligned`), as seen behind the reference receiver's filter and without an
equaliser. The IEEE text was not at hand: definitions follow oscilloscope manuals and module data sheets, and
what is uncertain is marked so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.waveform import LEVELS, Array, SignalError, Symbols, Waveform, require_aligned

ZEROS_RUN: Final = 6
"""Length of the run of zeros on which P0 is measured."""
THREES_RUN: Final = 7
"""Length of the run of threes on which P3 is measured."""
HIT_RATIO: Final = 1e-2
"""Share of the samples that may lie beyond the peak (overshoot, undershoot, power excursion), 802.3cu."""
_STEPS_PER_UI: Final = 16


@dataclass(frozen=True, slots=True)
class OuterLevels:
    """Powers of the outermost levels, each settled in a long run."""

    p0_w: float
    """Mean power of the central 2 UI of runs of six zeros."""
    p3_w: float
    """Mean power of the central 2 UI of runs of seven threes."""

    @property
    def oma_outer_w(self) -> float:
        """Outer optical modulation amplitude in watts, P3 - P0 (121.8.4 and 124.8.4)."""
        return self.p3_w - self.p0_w

    @property
    def extinction_ratio_db(self) -> float:
        """10 log10(P3 / P0) (121.8.6).

        :raises SignalError: when P0 is not above zero: a dark level that is not calibrated.
        """
        return extinction_ratio_db(self.p0_w, self.p3_w)


def outer_levels(
    waveform: Waveform,
    symbols: NDArray[np.integer],
    *,
    zeros_run: int = ZEROS_RUN,
    threes_run: int = THREES_RUN,
) -> OuterLevels:
    """P0 and P3 as OMAouter and the extinction ratio want them (121.8.4): settled, in the middle of long
    runs.

    All runs of exactly the wanted length count alike; in a pattern without one, the runs of the next length
    that it has. PRBS13Q has one of each.

    :raises SignalError: when the pattern has no run that long (a square wave needs shorter runs to be asked
        for) or the record does not line up with the symbols.
    """
    expected = require_aligned(waveform, symbols)
    return OuterLevels(
        p0_w=_run_mean_w(waveform, expected, 0, zeros_run),
        p3_w=_run_mean_w(waveform, expected, 3, threes_run),
    )


def oma_outer_w(waveform: Waveform, symbols: NDArray[np.integer]) -> float:
    """OMAouter in watts: :func:`outer_levels`, P3 - P0."""
    return outer_levels(waveform, symbols).oma_outer_w


def extinction_ratio_db(p0_w: float, p3_w: float) -> float:
    """Extinction ratio in dB of the outer levels' powers in watts.

    :raises SignalError: when either power is not above zero.
    """
    if p0_w <= 0.0 or p3_w <= 0.0:
        raise SignalError(
            f"levels of {p0_w:.3g} W and {p3_w:.3g} W have no ratio: "
            "was the oscilloscope's dark level calibrated?"
        )
    return 10.0 * math.log10(p3_w / p0_w)


@dataclass(frozen=True, slots=True)
class Levels:
    """The eye's four levels."""

    mean_w: tuple[float, float, float, float]
    """Mean power of each level in the middle of the UI, in watts."""
    noise_w: tuple[float, float, float, float]
    """Standard deviation of each level there, in watts: noise and intersymbol interference together."""

    @property
    def rlm(self) -> float:
        """Ratio of level mismatch: :func:`rlm`."""
        return rlm(self.mean_w)


def levels(waveform: Waveform, symbols: NDArray[np.integer], *, width_ui: float = 0.1) -> Levels:
    """Mean and spread of each of the four levels, over ``width_ui`` in the middle of the UI.

    :raises SignalError: when a level never occurs, or the record does not line up with the symbols.
    """
    expected = require_aligned(waveform, symbols)
    phases = 0.5 + width_ui * (np.arange(5) - 2.0) / 5.0
    powers = waveform.at(np.arange(expected.size) + phases[:, np.newaxis])
    means, spreads = [], []
    for level in range(LEVELS):
        at_level = powers[:, expected == level]
        if not at_level.size:
            raise SignalError(f"the pattern never shows level {level}: no PAM4 levels can be told from it")
        means.append(float(at_level.mean()))
        spreads.append(float(at_level.std()))
    return Levels((means[0], means[1], means[2], means[3]), (spreads[0], spreads[1], spreads[2], spreads[3]))


def rlm(levels_w: tuple[float, float, float, float]) -> float:
    """Ratio of level mismatch of four powers, 1 when they are evenly spaced (120D.3.1.2).

    RLM = min(3 ES1, 3 ES2, 2 - 3 ES1, 2 - 3 ES2), ES1 = (P1 - Pmid) / (P0 - Pmid), ES2 = (P2 - Pmid) / (P3 -
    Pmid), Pmid = (P0 + P3) / 2.

    :raises SignalError: when the outer levels are the same.
    """
    p0, p1, p2, p3 = levels_w
    if p3 == p0:
        raise SignalError("level 3 and level 0 have the same power: no modulation")
    middle = 0.5 * (p0 + p3)
    es1, es2 = (p1 - middle) / (p0 - middle), (p2 - middle) / (p3 - middle)
    return min(3.0 * es1, 3.0 * es2, 2.0 - 3.0 * es1, 2.0 - 3.0 * es2)


@dataclass(frozen=True, slots=True)
class TransitionTimes:
    """20 % to 80 % transition times between the outer levels."""

    rise_s: float
    """Mean of the rising edges, in seconds."""
    fall_s: float
    """Mean of the falling edges, in seconds."""

    @property
    def slowest_s(self) -> float:
        """The longer of the two: what the limit is for."""
        return max(self.rise_s, self.fall_s)


def transition_times(
    waveform: Waveform,
    symbols: NDArray[np.integer],
    *,
    before: int = 5,
    after: int = 6,
    outer: OuterLevels | None = None,
) -> TransitionTimes:
    """Times between 20 % and 80 % of OMAouter on edges between settled zeros and settled threes.

    :param before: equal symbols at least before the edge.
    :param after: equal symbols at least behind it. Five and six are an oscilloscope's defaults for the IEEE
        method (802.3cd, not read); SSPRQ has two such edges either way, PRBS13Q none.
    :param outer: P0 and P3 when they were measured on another pattern.
    :raises SignalError: when the pattern has no such edge, or the record does not line up with the symbols.
    """
    expected = require_aligned(waveform, symbols)
    known = outer_levels(waveform, symbols) if outer is None else outer
    return TransitionTimes(
        rise_s=_edge_time_s(waveform, expected, known, (0, 3), before, after),
        fall_s=_edge_time_s(waveform, expected, known, (3, 0), before, after),
    )


@dataclass(frozen=True, slots=True)
class Excursion:
    """How far the waveform runs beyond its outer levels."""

    overshoot_percent: float
    """(Pmax - P3) / OMAouter in percent; below zero when the peaks stay under the settled level."""
    undershoot_percent: float
    """(P0 - Pmin) / OMAouter in percent."""
    p_max_w: float
    """Smallest power that no more than the hit ratio of all samples exceeds, in watts."""
    p_min_w: float
    """Largest power that no more than the hit ratio of all samples undercuts, in watts."""
    power_excursion_w: float
    """The larger distance of Pmax and Pmin from the average power, in watts (uncertain: definition of 802.3cu
    recalled, not read)."""


def excursion(waveform: Waveform, outer: OuterLevels, *, hit_ratio: float = HIT_RATIO) -> Excursion:
    """Over- and undershoot of all samples of the record (802.3cu): the waveform need not line up with
    anything.

    :param outer: the settled levels, from :func:`outer_levels`.
    :raises SignalError: when OMAouter is not above zero.
    :raises ValueError: when the hit ratio is not in [0, 0.5).
    """
    if not 0.0 <= hit_ratio < 0.5:
        raise ValueError(f"a hit ratio must be at least 0 and under 0.5, got {hit_ratio}")
    if outer.oma_outer_w <= 0.0:
        raise SignalError(f"OMAouter must be above zero, got {outer.oma_outer_w:.3g} W")
    samples = waveform.samples_w
    beyond = math.floor(hit_ratio * samples.size)
    ordered = np.partition(samples, (beyond, samples.size - 1 - beyond))
    p_min, p_max = float(ordered[beyond]), float(ordered[samples.size - 1 - beyond])
    average = waveform.average_power_w
    return Excursion(
        overshoot_percent=100.0 * (p_max - outer.p3_w) / outer.oma_outer_w,
        undershoot_percent=100.0 * (outer.p0_w - p_min) / outer.oma_outer_w,
        p_max_w=p_max,
        p_min_w=p_min,
        power_excursion_w=max(p_max - average, average - p_min),
    )


def runs(symbols: Symbols, level: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First index and length of every run of a level, round the end of the pattern; shapes (runs,).

    A pattern of nothing but the level has one run, from index 0.
    """
    here = symbols == level
    starts = np.flatnonzero(here & ~np.roll(here, 1))
    if not starts.size:
        whole = np.arange(1, dtype=np.intp) if here.all() and here.size else np.arange(0, dtype=np.intp)
        return whole, np.full(whole.size, symbols.size, dtype=np.intp)
    ends = np.flatnonzero(here & ~np.roll(here, -1))
    if ends[0] < starts[0]:
        ends = np.roll(ends, -1)
    return starts, (ends - starts) % symbols.size + 1


def run_middles(symbols: Symbols, level: int, length: int) -> Array:
    """Middles, in UI, of all runs of a level of the shortest length that reaches ``length``, shape (runs,).

    :raises SignalError: when there is none.
    """
    starts, lengths = runs(symbols, level)
    long_enough = lengths[lengths >= length]
    if not long_enough.size:
        raise SignalError(
            f"the pattern has no run of {length} symbols of level {level} (longest: "
            f"{int(lengths.max()) if lengths.size else 0}): measure OMA on PRBS13Q or SSPRQ"
        )
    chosen = lengths == long_enough.min()
    return np.asarray(starts[chosen] + 0.5 * lengths[chosen])


def _run_mean_w(waveform: Waveform, symbols: Symbols, level: int, length: int) -> float:
    offsets = (np.arange(2 * _STEPS_PER_UI) + 0.5) / _STEPS_PER_UI - 1.0
    return float(waveform.at(run_middles(symbols, level, length)[:, np.newaxis] + offsets).mean())


def _edge_time_s(
    waveform: Waveform, symbols: Symbols, outer: OuterLevels, edge: tuple[int, int], before: int, after: int
) -> float:
    first, last = edge
    starts, lengths = runs(symbols, last)
    if starts.size and lengths[0] == symbols.size:
        starts = starts[:0]
        lengths = lengths[:0]
    settled = lengths >= after
    for step in range(1, before + 1):
        settled &= symbols.take(starts - step, mode="wrap") == first
    starts = starts[settled]
    if not starts.size:
        raise SignalError(
            f"the pattern has no edge from {before} symbols of level {first} to {after} of level {last}: "
            "measure transition times on SSPRQ, or ask for shorter runs (PRBS13Q has 3 and 3)"
        )
    # The window reaches from the middle of the symbol before the edge to the end of the settled run.
    times = np.arange(-1.0, after, 1.0 / (4 * _STEPS_PER_UI))
    powers = waveform.at(starts[:, np.newaxis] + times).mean(axis=0)
    risen = (powers - outer.p0_w) / outer.oma_outer_w
    if first == 3:
        risen = 1.0 - risen
    late = _first_crossing(times, risen, 0.8)
    early = _last_crossing_before(times, risen, 0.2, late)
    return (late - early) * waveform.ui_s


def _first_crossing(times: Array, values: Array, level: float) -> float:
    above = np.flatnonzero(values >= level)
    if not above.size or above[0] == 0:
        raise SignalError(f"an edge between the outer levels never passes {100 * level:.0f} % of OMAouter")
    index = int(above[0])
    return _interpolated(times, values, level, index)


def _last_crossing_before(times: Array, values: Array, level: float, end: float) -> float:
    below = np.flatnonzero((values <= level) & (times < end))
    if not below.size:
        raise SignalError(f"an edge between the outer levels never passes {100 * level:.0f} % of OMAouter")
    return _interpolated(times, values, level, int(below[-1]) + 1)


def _interpolated(times: Array, values: Array, level: float, index: int) -> float:
    before, here = float(values[index - 1]), float(values[index])
    part = (level - before) / (here - before) if here != before else 1.0
    return float(times[index - 1] + part * (times[index] - times[index - 1]))
