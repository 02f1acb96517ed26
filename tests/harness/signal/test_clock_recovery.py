"""Clock recovery: what it follows of jitter, and what TDECQ then says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.signal.clock_recovery import edge_times_ui, recovered
from harness.signal.synthesis import pam4_waveform
from harness.signal.tdecq import tdecq
from harness.signal.waveform import SignalError, aligned

BAUD = 53.125e9
PERIODS = 8
LEVELS_W = (0.5e-3, 0.5e-3 + 1e-3 / 3, 0.5e-3 + 2e-3 / 3, 1.5e-3)
LOWEST_HZ = BAUD / (8191 * PERIODS)


@pytest.fixture(scope="module")
def still(prbs13q):
    made = pam4_waveform(
        np.tile(prbs13q, PERIODS), LEVELS_W, samples_per_ui=8, symbol_rate_bd=BAUD, bandwidth_hz=0.5 * BAUD
    )
    return aligned(made, prbs13q)


def _jittered(still, cycles, amplitude_ui=0.1):
    times = still.start_ui + np.arange(still.samples_w.size) / 8
    late = amplitude_ui * np.sin(2 * np.pi * cycles * times / still.symbols)
    return replace(still, samples_w=still.at(times - late))


def _tdecq_db(wave, symbols):
    return tdecq(wave, symbols, reference_filter_applied=True).tdecq_db


@pytest.fixture(scope="module")
def clean_db(still, prbs13q):
    return _tdecq_db(still, prbs13q)


def test_a_clean_record_stays_as_it_is(still, prbs13q, clean_db):
    assert _tdecq_db(recovered(still, prbs13q), prbs13q) == pytest.approx(clean_db, abs=0.003)


def test_slow_jitter_is_followed(still, prbs13q, clean_db):
    """At 0.81 MHz a corner of 20 MHz leaves 4 %."""
    wave = _jittered(still, 1)
    assert _tdecq_db(wave, prbs13q) > clean_db + 0.4
    assert _tdecq_db(recovered(wave, prbs13q, corner_hz=20e6), prbs13q) == pytest.approx(clean_db, abs=0.01)
    assert _tdecq_db(recovered(wave, prbs13q), prbs13q) == pytest.approx(clean_db, abs=0.025)


def test_fast_jitter_keeps_its_penalty(still, prbs13q, clean_db):
    wave = _jittered(still, 200)
    before = _tdecq_db(wave, prbs13q)
    assert before > clean_db + 0.4
    assert _tdecq_db(recovered(wave, prbs13q), prbs13q) == pytest.approx(before, abs=0.003)


@pytest.mark.parametrize("cycles", [1, 5, 20])
def test_what_is_left_is_a_first_order_high_pass(still, prbs13q, cycles):
    wave, symbols = _jittered(still, cycles), np.tile(prbs13q, PERIODS)
    seen, left = (
        2 * abs(np.fft.rfft(edge_times_ui(one, symbols))[cycles]) / symbols.size
        for one in (wave, recovered(wave, prbs13q))
    )
    assert seen == pytest.approx(0.1, rel=0.01)
    ratio = 1j * cycles * LOWEST_HZ / 4e6
    assert left / seen == pytest.approx(abs(ratio / (1 + ratio)), abs=0.01)


def test_what_cannot_be_recovered_is_refused(still, prbs13q):
    with pytest.raises(ValueError, match="corner"):
        recovered(still, prbs13q, corner_hz=0.0)
    with pytest.raises(SignalError, match="line up"):
        recovered(still, np.roll(prbs13q, 100))
    one_level = np.tile(np.array([0, 1], dtype=np.uint8), 40)
    flat = pam4_waveform(one_level, LEVELS_W, samples_per_ui=8, symbol_rate_bd=BAUD, bandwidth_hz=0.5 * BAUD)
    with pytest.raises(SignalError, match="too few"):
        recovered(flat, one_level)
