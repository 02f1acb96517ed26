"""TDECQ by the harness, of the waveform that an oscilloscope hands out."""

from __future__ import annotations

import numpy as np

from drivers.interfaces import CapturedWaveform
from harness.signal.patterns import pattern as known_pattern
from harness.signal.tdecq import EDITION_2017, EyeClosedError, TdecqResult, tdecq
from harness.signal.waveform import SignalError, Waveform

__all__ = ["METHOD", "EyeClosedError", "SignalError", "as_waveform", "own_tdecq"]

METHOD = EDITION_2017
"""Thresholds and histograms where the levels put them, as the oscilloscope does unless told otherwise; what
later editions let move is worth about 0.1 dB."""


def as_waveform(captured: CapturedWaveform) -> Waveform:
    """As :mod:`harness.signal` takes it.

    :raises SignalError: when it is no waveform.
    """
    return Waveform(np.asarray(captured.samples_w), captured.samples_per_ui, captured.symbol_rate_bd)


def own_tdecq(captured: CapturedWaveform, pattern: str, *, scope_noise_w: float = 0.0) -> TdecqResult:
    """TDECQ of one period of a pattern, back to back.

    :raises EyeClosedError: when the equalised eye is closed.
    :raises SignalError: when the record does not show the pattern.
    """
    found = known_pattern(pattern)
    return tdecq(
        as_waveform(captured),
        found.symbols(found.period_symbols),
        reference_filter_applied=captured.filtered,
        method=METHOD,
        scope_noise_w=scope_noise_w,
    )
