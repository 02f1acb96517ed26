"""RIN-OMA: the definition's arithmetic, and the noise of a square wave."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.signal.filters import noise_bandwidth_hz
from harness.signal.rin import noise_of_rin_w, rin_oma_db_hz, rin_oma_of_laser_db_hz, square_wave
from harness.signal.synthesis import pam4_waveform
from harness.signal.waveform import SignalError, Waveform, aligned

BAUD = 53.125e9
BANDWIDTH_HZ = noise_bandwidth_hz(26.5625e9)


def test_noise_held_against_oma_squared():
    """-136 dB/Hz is 2.64 % of OMA by the definition without the factor of two."""
    assert noise_of_rin_w(-136.0, 1.0, BANDWIDTH_HZ, definition="oma") == pytest.approx(0.0264, abs=1e-4)


def test_definitions_are_six_db_apart():
    both = [rin_oma_db_hz(2e-5, 1e-3, BANDWIDTH_HZ, definition=name) for name in ("modulation_power", "oma")]
    assert both[0] - both[1] == pytest.approx(20 * math.log10(2))


@given(st.floats(-170, -110), st.floats(1e-6, 1e-2), st.sampled_from(["modulation_power", "oma"]))
def test_there_and_back(rin_db_hz, oma_w, definition):
    noise_w = noise_of_rin_w(rin_db_hz, oma_w, BANDWIDTH_HZ, definition=definition)
    assert rin_oma_db_hz(noise_w, oma_w, BANDWIDTH_HZ, definition=definition) == pytest.approx(rin_db_hz)


def test_the_oscilloscopes_noise_is_taken_off_as_a_power():
    seen = math.hypot(2e-5, 1.5e-5)
    assert rin_oma_db_hz(seen, 1e-3, BANDWIDTH_HZ, scope_noise_w=1.5e-5) == pytest.approx(
        rin_oma_db_hz(2e-5, 1e-3, BANDWIDTH_HZ)
    )
    with pytest.raises(SignalError, match="oscilloscope's own"):
        rin_oma_db_hz(1.5e-5, 1e-3, BANDWIDTH_HZ, scope_noise_w=1.5e-5)
    with pytest.raises(ValueError, match="above zero"):
        rin_oma_db_hz(1e-5, 0.0, BANDWIDTH_HZ)


def test_noise_of_a_square_wave_is_what_changes_from_period_to_period():
    periods = 400
    symbols = np.repeat(np.array([3, 0], dtype=np.uint8), 8)
    ideal = np.repeat(0.5e-3 + symbols / 3 * 1e-3, 16)
    # Droop and ringing, the same in every period, are no noise.
    one = ideal * (1.0 + 0.05 * np.sin(np.arange(ideal.size) / 9.0))
    spread = np.repeat(np.where(symbols == 3, 3e-5, 1e-5), 16)
    noise = np.random.default_rng(21).normal(size=(periods, ideal.size)) * spread
    record = Waveform(np.roll((one + noise).ravel(), 100), 16, BAUD)
    found = square_wave(aligned(record, symbols))
    assert found.noise_high_w == pytest.approx(3e-5, rel=0.01)
    assert found.noise_low_w == pytest.approx(1e-5, rel=0.01)
    assert found.noise_w == pytest.approx(math.sqrt(5) * 1e-5, rel=0.01)
    assert found.outer.oma_outer_w == pytest.approx(1e-3, rel=0.08)


def test_one_period_shows_no_noise():
    symbols = np.repeat(np.array([3, 0], dtype=np.uint8), 8)
    wave = Waveform(np.repeat(symbols * 1e-3, 16), 16, BAUD)
    with pytest.raises(SignalError, match="two periods"):
        square_wave(wave)
    with pytest.raises(ValueError, match="settled"):
        square_wave(wave, settled_ui=9)


@pytest.mark.parametrize(
    ("ratio", "definition", "more_db"),
    [
        (1e12, "modulation_power", 10 * math.log10(2)),
        (1e12, "oma", -10 * math.log10(2)),
        (3.0, "modulation_power", 10 * math.log10(5)),
        (3.0, "oma", 10 * math.log10(1.25)),
    ],
)
def test_rin_oma_of_a_lasers_own_rin(ratio, definition, more_db):
    """Levels 0 and 1, and levels 1 and 3: (9 + 1) / 2 over 1, and over 4."""
    found = rin_oma_of_laser_db_hz(-145.0, 10 * math.log10(ratio), definition=definition)
    assert found == pytest.approx(-145.0 + more_db, abs=1e-9)
    with pytest.raises(ValueError, match="extinction ratio"):
        rin_oma_of_laser_db_hz(-145.0, 0.0)


def test_rin_oma_of_a_laser_is_what_a_square_wave_shows():
    """Noise in proportion to each level, seen through the receiver's filter."""
    symbols = np.tile(np.repeat(np.array([3, 0], dtype=np.uint8), 8), 4000)
    powers = (0.5e-3, 0.8e-3, 1.2e-3, 1.5e-3)
    rms = [power * math.sqrt(10**-14.0 * BANDWIDTH_HZ) for power in powers]
    wave = pam4_waveform(
        symbols,
        powers,
        samples_per_ui=4,
        symbol_rate_bd=BAUD,
        bandwidth_hz=26.5625e9,
        noise_w=rms,
        rng=np.random.default_rng(23),
    )
    seen = square_wave(wave)
    found = rin_oma_db_hz(seen.noise_w, seen.outer.oma_outer_w, BANDWIDTH_HZ)
    expected = rin_oma_of_laser_db_hz(-140.0, seen.outer.extinction_ratio_db)
    assert found == pytest.approx(expected, abs=0.05)
