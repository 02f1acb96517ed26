"""The eye diagram as a histogram, and the openings of its three eyes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.waveform import Array, SignalError, Waveform, crossings_ui, require_aligned

EYES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class EyeHistogram:
    """How many samples fell where: the eye diagram."""

    counts: NDArray[np.int64]
    """Samples per cell, shape (time bins, power bins)."""
    time_edges_ui: Array
    """Edges of the time bins in unit intervals, shape (time bins + 1,)."""
    power_edges_w: Array
    """Edges of the power bins in watts, shape (power bins + 1,)."""


def eye_histogram(
    waveform: Waveform,
    *,
    span_ui: int = 2,
    time_bins: int = 256,
    power_bins: int = 256,
    power_range_w: tuple[float, float] | None = None,
) -> EyeHistogram:
    """Fold the record onto ``span_ui`` unit intervals, from 0 UI on.

    With fewer samples per UI than time bins per UI and a whole number of them, only some columns fill.

    :param power_range_w: lowest and highest edge; the waveform's own range, widened by 5 %, when not given.
        Samples outside count in the outermost bins.
    :raises ValueError: when a count of bins is not above zero or the range is empty.
    """
    if span_ui < 1 or time_bins < 1 or power_bins < 1:
        raise ValueError("the span and the numbers of bins must be above zero")
    samples = waveform.samples_w
    if power_range_w is None:
        low, high = float(samples.min()), float(samples.max())
        margin = 0.05 * (high - low) or max(abs(high), 1e-9) * 0.05
        low, high = low - margin, high + margin
    else:
        low, high = power_range_w
    if not high > low:
        raise ValueError(f"the power range is empty: {low} W to {high} W")
    times = waveform.start_ui + np.arange(samples.size) * (waveform.symbols / samples.size)
    columns = np.floor((times % span_ui) * (time_bins / span_ui)).astype(np.intp)
    rows = np.floor((samples - low) * (power_bins / (high - low))).astype(np.intp)
    cells = np.clip(columns, 0, time_bins - 1) * power_bins + np.clip(rows, 0, power_bins - 1)
    counts = np.bincount(cells, minlength=time_bins * power_bins).reshape(time_bins, power_bins)
    return EyeHistogram(
        counts=counts.astype(np.int64),
        time_edges_ui=np.linspace(0.0, span_ui, time_bins + 1),
        power_edges_w=np.linspace(low, high, power_bins + 1),
    )


@dataclass(frozen=True, slots=True)
class EyeOpening:
    """One of the three eyes."""

    height_w: float
    """Vertical opening at its time in watts; below zero when closed."""
    width_ui: float
    """Horizontal opening at its threshold in unit intervals; 0 when closed."""
    threshold_w: float
    """The level at which the width was taken: the middle of the vertical opening, in watts."""
    time_ui: float
    """Where in the UI the height was taken."""


def eye_openings(
    waveform: Waveform,
    symbols: NDArray[np.integer],
    *,
    hit_ratio: float = 1e-3,
    width_ui: float = 0.04,
    time_ui: float = 0.5,
) -> tuple[EyeOpening, EyeOpening, EyeOpening]:
    """Height and width of the lower, middle and upper eye.

    The 400GBASE-DR4 clauses set no limit on them and define none: this is the opening that all but
    ``hit_ratio`` of the record's own samples (or crossings, on each side) leave free; nothing is extrapolated
    to lower ratios.

    :param hit_ratio: share that may fall into the opening; 0 for none at all.
    :param width_ui: width of the window the height is taken in.
    :param time_ui: its middle in the UI.
    :raises SignalError: when the record does not line up with the symbols or a level never occurs.
    """
    if not 0.0 <= hit_ratio < 0.5:
        raise ValueError(f"a hit ratio must be at least 0 and under 0.5, got {hit_ratio}")
    expected = require_aligned(waveform, symbols)
    phases = time_ui + width_ui * np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
    powers = waveform.at(np.arange(expected.size) + phases[:, np.newaxis])
    openings = []
    for eye in range(EYES):
        below, above = powers[:, expected <= eye].ravel(), powers[:, expected > eye].ravel()
        if not (below.size and above.size):
            raise SignalError(f"the pattern shows no symbols on both sides of eye {eye}")
        top, bottom = _exceeded_by(above, 1.0 - hit_ratio), _exceeded_by(below, hit_ratio)
        threshold = 0.5 * (top + bottom)
        width = _width_ui(waveform, threshold, hit_ratio) if top > bottom else 0.0
        openings.append(EyeOpening(top - bottom, width, threshold, time_ui))
    return openings[0], openings[1], openings[2]


def _exceeded_by(values: Array, share: float) -> float:
    """The value that ``share`` of all exceed; the extreme one for 0 and 1."""
    index = min(values.size - 1, max(0, math.ceil((1.0 - share) * values.size) - 1))
    if share > 0.5:
        index = min(values.size - 1, math.floor((1.0 - share) * values.size))
    return float(np.partition(values, index)[index])


def _width_ui(waveform: Waveform, threshold_w: float, hit_ratio: float) -> float:
    times = (crossings_ui(waveform, threshold_w) + waveform.start_ui) % 1.0
    if not times.size:
        return 1.0
    # The eye's middle is at 0.5: crossings around 0 and 1 UI belong to the edges on its left and right.
    left = np.where(times > 0.5, times - 1.0, times)
    beyond = math.floor(hit_ratio * left.size)
    ordered = np.partition(left, (beyond, left.size - 1 - beyond))
    return max(0.0, 1.0 - float(ordered[left.size - 1 - beyond] - ordered[beyond]))
