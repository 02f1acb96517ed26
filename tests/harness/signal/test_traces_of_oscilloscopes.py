"""Exported traces, times and powers, to waveforms."""

from __future__ import annotations

import numpy as np
import pytest

from harness.signal.filters import bessel_thomson_4_response
from harness.signal.trace import from_trace
from harness.signal.waveform import SignalError, Waveform, aligned

BAUD = 53.125e9


@pytest.fixture(scope="module")
def made(prbs13q, pulses) -> Waveform:
    return pulses(prbs13q, 16, lambda frequencies: bessel_thomson_4_response(frequencies, 0.5 * BAUD))


def _times(wave, start_s=-3.7e-6):
    return start_s + np.arange(wave.samples_w.size) / 16 / BAUD


def test_equal_spacing_is_taken_as_it_is(made):
    found = from_trace(_times(made), made.samples_w, BAUD)
    assert np.array_equal(found.samples_w, made.samples_w)
    assert (found.samples_per_ui, found.symbols, found.symbol_rate_bd) == (16.0, 8191, BAUD)


def test_times_rounded_on_export_are_still_equally_spaced(made):
    rounded = np.round(_times(made, 0.0), 14)  # Hundredths of a picosecond, of 1.18 ps.
    assert np.array_equal(from_trace(rounded, made.samples_w, BAUD).samples_w, made.samples_w)


def test_a_broken_number_of_samples_per_symbol(prbs13q, pulses):
    wave = pulses(prbs13q, 65537 / 8191)
    times = np.arange(65537) * (8191 / BAUD / 65537)
    assert from_trace(times, wave.samples_w, BAUD).symbols == 8191


def test_unequal_spacing_is_interpolated(made, prbs13q):
    rng = np.random.default_rng(7)
    size = made.samples_w.size
    # Every sample somewhere in its own sixteenth: gaps from nothing to an eighth of a symbol.
    places = (np.arange(size) + 0.9 * rng.random(size)) / 16
    found = from_trace(1.0e-6 + places / BAUD, made.at(places), BAUD)
    assert (found.samples_per_ui, found.symbols) == (16.0, 8191)
    # Its time 0 is the first sample's.
    assert np.abs(found.samples_w - made.at(np.arange(size) / 16 + places[0])).max() < 3e-6
    with pytest.raises(SignalError, match=r"8190\.[67]\d* symbols long"):
        from_trace(places[:-5] / BAUD, made.at(places[:-5]), BAUD)
    denser = from_trace(places / BAUD, made.at(places), BAUD, samples_per_ui=32)
    times = np.arange(0.0, 20.0, 0.3)
    assert aligned(denser, prbs13q).at(times) == pytest.approx(aligned(made, prbs13q).at(times), abs=3e-5)


def test_a_record_that_is_not_whole_symbols_says_how_long_it_is(made):
    times, powers = _times(made), made.samples_w
    with pytest.raises(SignalError, match=r"8190\.5000 symbols long, .* whole periods"):
        from_trace(times[:-8], powers[:-8], BAUD)
    with pytest.raises(SignalError, match=r"8191\.0625 symbols .* leave the last one out"):
        from_trace(np.append(times, times[-1] + 1 / 16 / BAUD), np.append(powers, powers[0]), BAUD)
    with pytest.raises(SignalError, match="give the exact symbol rate"):
        from_trace(times, powers, 53.12e9)
    # Whole symbols, but no whole pattern: what looks for the pattern tells.
    short = from_trace(times[:-160], powers[:-160], BAUD)
    with pytest.raises(SignalError, match="no multiple"):
        aligned(short, np.zeros(8191, dtype=int))


def test_columns_that_cannot_be(made):
    times, powers = _times(made)[:1600], made.samples_w[:1600]
    for wrong, text in (
        ((times[:-1], powers), "two columns"),
        ((times.reshape(2, -1), powers.reshape(2, -1)), "two columns"),
        ((np.append(times[:-1], np.nan), powers), "not numbers"),
        ((times, np.append(powers[:-1], np.inf)), "not numbers"),
        ((times[::-1], powers), "times must rise"),
        ((powers, times), "times must rise"),
        ((np.round(times, 11), powers), "times must rise"),
        ((times * 1e12, powers), "times in seconds"),
        ((np.delete(times, range(800, 816)), np.delete(powers, range(800, 816))), "between samples 799 and"),
        ((times, powers * 1e3), "in watts"),
    ):
        with pytest.raises(SignalError, match=text):
            from_trace(*wrong, BAUD)
    with pytest.raises(SignalError, match="in baud"):
        from_trace(times, powers, 53.125)
    with pytest.raises(SignalError, match="whole number"):
        from_trace(times, powers, BAUD, samples_per_ui=1)
