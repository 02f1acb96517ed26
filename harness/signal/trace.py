"""From what an oscilloscope exported, times and powers, to a waveform."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.signal.waveform import SYMBOL_RATES_BD, Array, SignalError, Waveform

_EQUAL: Final = 0.05
"""Share of the spacing by which a time may miss an equal spacing: a column rounded on export."""
_WHOLE_SAMPLES: Final = 0.25
_WHOLE_SYMBOLS: Final = 0.02
"""A record is whole symbols when it misses them by less than this, in samples and in symbols."""
_WIDEST_GAP_UI: Final = 0.5


def from_trace(
    times_s: ArrayLike, powers_w: ArrayLike, symbol_rate_bd: float, *, samples_per_ui: int | None = None
) -> Waveform:
    """The waveform of an exported trace of whole pattern periods.

    Equally spaced samples are taken as they are. Others are put on equal steps by the cubic through their
    four neighbours, round the end of the record, as :meth:`Waveform.at` does; that takes a little of the
    noise, the less the denser they are.

    Where the pattern begins in the record does not matter: its length has to be whole symbols, the last
    sample being one spacing before the first one's next turn.

    :param times_s: times of the samples in seconds, rising, shape (samples,); the first may be any time.
    :param powers_w: optical powers in watts, shape (samples,).
    :param symbol_rate_bd: symbols per second, exact to 1 in 1e7 for a record of 65535 symbols.
    :param samples_per_ui: samples per symbol of the waveform, 2 at least; without it those of the trace, or
        for unequal spacing the next whole number above their mean.
    :raises SignalError: when the columns are not two rows of numbers of the same length, times do not rise,
        a gap is wider than half a symbol, the record is not whole symbols (the text says how many it is), or
        for what :class:`Waveform` refuses.
    """
    times, powers = (np.asarray(column, dtype=np.float64) for column in (times_s, powers_w))
    if times.ndim != 1 or times.shape != powers.shape or times.size < 4:
        raise SignalError(
            "a trace is two columns of the same length, times and powers, four samples at least; "
            f"got shapes {times.shape} and {powers.shape}"
        )
    if not (np.isfinite(times).all() and np.isfinite(powers).all()):
        raise SignalError("the trace holds values that are not numbers (a header line, an invalid region?)")
    if not SYMBOL_RATES_BD[0] <= symbol_rate_bd <= SYMBOL_RATES_BD[1]:
        raise SignalError(
            f"the symbol rate is wanted in baud (53.125e9 for 53.125 GBd), got {symbol_rate_bd:g}"
        )
    if samples_per_ui is not None and (samples_per_ui < 2 or samples_per_ui % 1):
        raise SignalError(f"samples per symbol are a whole number, two at least, got {samples_per_ui}")
    # From the first sample on, or the times' own digits are lost.
    places = (times - times[0]) * symbol_rate_bd
    gaps = np.diff(places)
    if not gaps.min() > 0.0:
        at = int(gaps.argmin())
        raise SignalError(
            f"times must rise: sample {at + 1} is at {times[at + 1]:.9g} s after {times[at]:.9g} s "
            "(columns swapped, samples not in order, or rounded on export?)"
        )
    if gaps.max() > _WIDEST_GAP_UI:
        at = int(gaps.argmax())
        raise SignalError(
            f"between samples {at} and {at + 1} lie {gaps[at]:.3g} symbols, half a symbol at most is wanted: "
            "are the times in seconds and the rate in baud, and no samples missing?"
        )
    spacing = float(places[-1]) / gaps.size
    even = bool(np.abs(places - np.arange(times.size) * spacing).max() <= _EQUAL * spacing)
    # Unequal samples may begin and end anywhere within the gap that is left between them.
    missing = min(_WHOLE_SAMPLES * spacing, _WHOLE_SYMBOLS) if even else float(gaps.max())
    symbols = _whole_symbols(float(places[-1]), spacing, missing)
    if even and samples_per_ui is None:
        return Waveform(powers, times.size / symbols, symbol_rate_bd)
    per_ui = samples_per_ui or max(2, math.ceil(times.size / symbols - 1e-9))
    wanted = np.arange(symbols * per_ui) / per_ui
    return Waveform(_interpolated(places, powers, symbols, wanted), float(per_ui), symbol_rate_bd)


def _whole_symbols(last_ui: float, spacing_ui: float, allowed_ui: float) -> int:
    """Symbols in a record, from the place of its last sample and the mean spacing."""
    length_ui = last_ui + spacing_ui
    symbols = round(length_ui)
    missed = length_ui - symbols
    if symbols > last_ui and abs(missed) <= allowed_ui:
        return symbols
    samples = missed / spacing_ui
    advice = (
        "it repeats its first sample at the end: leave the last one out"
        if abs(samples - 1.0) < _WHOLE_SAMPLES
        else "export whole periods of the pattern, and give the exact symbol rate"
    )
    raise SignalError(
        f"the trace is {length_ui:.4f} symbols long, {samples:+.2f} samples off {symbols} symbols; it must "
        f"be whole periods of the pattern: {advice}"
    )


def _interpolated(places: Array, powers: Array, period: int, wanted: Array) -> Array:
    """Values of a periodic row at other places, by the cubic through two neighbours on each side.

    :param places: rising, from 0 to below ``period``.
    """
    before, after = places[-2:] - period, places[:2] + period
    x = np.concatenate((before, places, after))
    y = np.concatenate((powers[-2:], powers, powers[:2]))
    second = np.clip(np.searchsorted(x, wanted, side="right") - 1, 1, x.size - 3)
    nodes = [second + step for step in (-1, 0, 1, 2)]
    result = np.zeros(wanted.shape)
    for node in nodes:
        weight = np.ones(wanted.shape)
        for other in nodes:
            if other is not node:
                weight *= (wanted - x[other]) / (x[node] - x[other])
        result += weight * y[node]
    return result
