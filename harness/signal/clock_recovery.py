"""Clock recovery: a record as it is seen against a clock that follows its slow jitter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.waveform import (
    LEVELS,
    Array,
    SignalError,
    Symbols,
    Waveform,
    crossings_ui,
    require_aligned,
)

CORNER_HZ: Final = 4e6
"""Corner of the reference receiver's clock recovery (121.8.5.1; recalled, not read)."""
_FARTHEST_UI: Final = 0.4
"""Edges further than this from their place may belong to the next one."""


def recovered(
    waveform: Waveform, symbols: NDArray[np.integer[Any]], *, corner_hz: float = CORNER_HZ
) -> Waveform:
    """The record with the jitter taken out that a first-order clock recovery would follow.

    Of jitter at a frequency f, jf / (jf + corner) is left: 6 dB less an octave below the corner, all of it
    above. The time of each edge is compared with the mean of its kind (levels before and behind it), so that
    intersymbol interference moves the clock little; where there is no edge, its neighbours tell.

    Meant for records in real time (a real-time oscilloscope's, or computed ones), of which neighbouring
    samples were taken one after the other. An equivalent-time oscilloscope's trace has its hardware clock
    recovery in it already, and neighbouring samples are many patterns apart: jitter shows there as noise and
    not as a movement in time, and in an averaged trace not at all. On such a trace this function does nothing
    of use: it follows what interference is left.

    Jitter slower than the record is long cannot be told from a wrong symbol rate; it must end where it began.
    A periodic record knows multiples of one over its length only: one SSPRQ at 53.125 GBd, of 811 kHz.

    :param waveform: lined up with its symbols (:func:`harness.signal.waveform.aligned`), eight samples per
        symbol at least; the result is interpolated between them.
    :param symbols: one period of the pattern.
    :param corner_hz: -3 dB corner of what is left.
    :raises SignalError: when the record does not line up, has no edges, or edges stray more than 0.4 UI from
        their places.
    :raises ValueError: when the corner is not above zero.
    """
    if not corner_hz > 0.0:
        raise ValueError(f"a corner must be above zero, got {corner_hz} Hz")
    expected = require_aligned(waveform, symbols)
    late = edge_times_ui(waveform, expected)
    frequencies = np.fft.rfftfreq(late.size, waveform.ui_s)
    followed = np.fft.irfft(np.fft.rfft(late) / (1.0 + 1j * frequencies / corner_hz), late.size)
    # The mean is where the record stands, which is no jitter.
    followed -= followed.mean()
    per_ui = waveform.samples_w.size / waveform.symbols
    times = waveform.start_ui + np.arange(waveform.samples_w.size) / per_ui
    moved = times + np.interp(times, np.arange(late.size), followed, period=late.size)
    return replace(waveform, samples_w=waveform.at(moved))


def edge_times_ui(waveform: Waveform, expected: Symbols) -> Array:
    """How late each symbol begins, in UI, shape (symbols,): the time-interval error.

    :param expected: one symbol per UI of a record that lines up with them.
    :raises SignalError: as :func:`recovered`.
    """
    count = expected.size
    times = crossings_ui(waveform, waveform.average_power_w) + waveform.start_ui
    place = np.rint(times).astype(np.intp)
    late = times - place
    place %= count
    kinds = LEVELS * np.roll(expected, 1).astype(np.intp) + expected
    # Only edges from a level below the average power to one above it, or back, cross it once.
    crosses = (np.roll(expected, 1) < LEVELS // 2) != (expected < LEVELS // 2)
    alone = np.bincount(place, minlength=count) == 1
    real = (crosses & alone)[place]
    place, late = place[real], late[real]
    if place.size < count / 16:
        raise SignalError(
            f"only {place.size} of {count} symbols begin with one edge through the average power: "
            "too few to recover a clock from"
        )
    kind = kinds[place]
    mean = np.bincount(kind, late, LEVELS**2) / np.maximum(np.bincount(kind, minlength=LEVELS**2), 1)
    late = late - mean[kind]
    if float(np.quantile(np.abs(late), 0.999)) > _FARTHEST_UI:
        raise SignalError(
            f"edges stray more than {_FARTHEST_UI} UI from their places: too much jitter, or the symbol rate "
            "is not the record's"
        )
    order = np.argsort(place)
    return np.asarray(np.interp(np.arange(count), place[order], late[order], period=count))
