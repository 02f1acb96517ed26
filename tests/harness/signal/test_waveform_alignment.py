"""Lining a pattern-locked record up with its symbols."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal.filters import bessel_thomson_4_response
from harness.signal.waveform import SignalError, Waveform, aligned, crossing_ui, require_aligned

BAUD = 53.125e9


def _slow(frequencies):
    return bessel_thomson_4_response(frequencies, 26.5625e9)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 8191 * 8 - 1), st.floats(0.1, 10), st.floats(-1e-4, 1e-3))
def test_any_start_is_found(prbs13q, pulses, roll, gain, offset):
    made = pulses(prbs13q, 8, _slow)
    found = aligned(Waveform(gain * np.roll(made.samples_w, roll) + offset, 8, BAUD), prbs13q)
    require_aligned(found, prbs13q)
    # Symmetric edges cross half way between the symbols' middles: symbol 0 begins where it was made to.
    times = np.arange(0.0, 5.0, 0.25)
    assert (found.at(times) - offset) / gain == pytest.approx(made.at(times), abs=2e-5)


def test_a_broken_number_of_samples_per_symbol(prbs13q, pulses):
    made = pulses(prbs13q, 65537 / 8191, _slow)
    assert made.symbols == 8191
    found = aligned(Waveform(np.roll(made.samples_w, 12345), 65537 / 8191, BAUD), prbs13q)
    times = np.arange(0.0, 5.0, 0.25)
    assert found.at(times) == pytest.approx(made.at(times), abs=3e-5)


def test_several_periods_in_one_record(prbs13q, pulses):
    one = pulses(prbs13q[:1000], 8, _slow)
    record = Waveform(np.roll(np.tile(one.samples_w, 3), 777), 8, BAUD)
    assert require_aligned(aligned(record, prbs13q[:1000]), prbs13q[:1000]).size == 3000


def test_crossing_is_where_the_edges_are(prbs13q, pulses):
    made = pulses(prbs13q, 16, _slow)
    assert (crossing_ui(made) + 0.5) % 1.0 == pytest.approx(0.5, abs=0.02)
    later = Waveform(np.roll(made.samples_w, 4), 16, BAUD)
    assert (crossing_ui(later) - crossing_ui(made)) % 1.0 == pytest.approx(0.25, abs=1e-9)


def test_an_inverted_lane_is_named(prbs13q, pulses):
    made = pulses(prbs13q, 8, _slow)
    upside_down = Waveform(2e-3 - made.samples_w, 8, BAUD)
    with pytest.raises(SignalError, match="upside down"):
        aligned(upside_down, prbs13q)
    assert require_aligned(aligned(upside_down, 3 - prbs13q), 3 - prbs13q).size == 8191


def test_another_pattern_is_named(prbs13q, pulses):
    made = pulses(prbs13q, 8, _slow)
    other = np.random.default_rng(3).integers(0, 4, prbs13q.size)
    with pytest.raises(SignalError, match="does not show these symbols"):
        aligned(made, other)
    with pytest.raises(SignalError, match="does not line up"):
        require_aligned(Waveform(np.roll(made.samples_w, 80), 8, BAUD), prbs13q)


@pytest.mark.parametrize(
    ("samples", "per_ui", "text"),
    [
        (np.full(100, 1e-3), 16, "whole periods"),
        (np.ones((4, 16)), 16, "one row"),
        (np.array([1.0, np.nan] * 16), 16, "not numbers"),
        (np.ones(16), 0, "samples_per_ui"),
        (np.full(16, 1e-3), 1, "two samples"),
        (np.ones(0), 16, "one row"),
        (np.full(16, 1.0), 16, r"in watts \(1e-3 for 1 mW\); an average of 1 W"),
        (np.full(16, 870.0), 16, "microwatts"),
    ],
)
def test_records_that_cannot_be(samples, per_ui, text):
    with pytest.raises(SignalError, match=text):
        Waveform(samples, per_ui, BAUD)


@pytest.mark.parametrize("rate", [53.125, 53.125e3, 53.125e12])
def test_a_symbol_rate_in_another_unit_is_named(rate):
    with pytest.raises(SignalError, match=r"in baud \(53\.125e9 for 53\.125 GBd\)"):
        Waveform(np.full(16, 1e-3), 16, rate)


@pytest.mark.parametrize(
    ("symbols", "text"),
    [
        (np.array([0, 1, 4]), "0..3"),
        (np.array([0.0, 1.0]), "whole numbers"),
        (np.array([0, 1, 2, 3, 0]), "no multiple"),
        (np.zeros(4, dtype=int), "correlation"),
    ],
)
def test_symbols_that_cannot_be(symbols, text):
    with pytest.raises(SignalError, match=text):
        aligned(Waveform(np.tile([0.0, 1e-3], 96), 16, BAUD), symbols)


def test_a_dark_record_is_named():
    with pytest.raises(SignalError, match="correlation"):
        aligned(Waveform(np.zeros(64), 16, BAUD), np.array([0, 1, 2, 3]))
    with pytest.raises(SignalError, match="never crosses"):
        crossing_ui(Waveform(np.zeros(64), 16, BAUD))
