"""The eye's histogram and openings."""

from __future__ import annotations

import numpy as np
import pytest

from harness.signal.eye import eye_histogram, eye_openings
from harness.signal.filters import bessel_thomson_4, bessel_thomson_4_response
from harness.signal.gaussian import tail_inverse
from harness.signal.waveform import SignalError, Waveform, aligned

BAUD = 53.125e9


def test_every_sample_is_counted_once(prbs13q, pulses):
    wave = bessel_thomson_4(pulses(prbs13q, 16), 0.5 * BAUD)
    eye = eye_histogram(wave, time_bins=32, power_bins=50)
    assert eye.counts.sum() == wave.samples_w.size
    assert eye.counts.shape == (32, 50)
    # 16 samples a symbol on 32 columns over 2 UI: one row of samples in each.
    assert eye.counts.sum(axis=1).tolist() == pytest.approx([8191 * 16 / 32] * 32, abs=1)
    assert eye.time_edges_ui[[0, -1]].tolist() == [0.0, 2.0]
    assert eye.power_edges_w[0] < wave.samples_w.min() < wave.samples_w.max() < eye.power_edges_w[-1]


def test_samples_beyond_the_range_count_at_its_ends(prbs13q, stairs):
    eye = eye_histogram(stairs(prbs13q), power_bins=4, power_range_w=(0.65e-3, 1.35e-3))
    counts = eye.counts.sum(axis=0) / 16
    assert counts.tolist() == np.bincount(prbs13q, minlength=4).tolist()


def test_columns_follow_the_records_start(stairs):
    symbols = np.tile(np.array([0, 3], dtype=np.uint8), 8)
    wave = stairs(symbols, 4)
    shifted = Waveform(np.roll(wave.samples_w, 2), 4, BAUD, start_ui=-0.5)
    same = [eye_histogram(w, time_bins=8, power_bins=2).counts.tolist() for w in (wave, shifted)]
    assert same[0] == same[1]


@pytest.mark.parametrize("arguments", [{"time_bins": 0}, {"power_range_w": (1.0, 1.0)}, {"span_ui": 0}])
def test_impossible_histograms(prbs13q, stairs, arguments):
    with pytest.raises(ValueError, match=r"must be above zero|empty"):
        eye_histogram(stairs(prbs13q), **arguments)


def test_ideal_eyes_are_a_third_of_oma_high_and_one_ui_wide(prbs13q, stairs):
    for eye, middle_w in zip(eye_openings(stairs(prbs13q), prbs13q), (2 / 3, 1.0, 4 / 3), strict=True):
        assert eye.height_w == pytest.approx(1e-3 / 3)
        assert eye.threshold_w == pytest.approx(middle_w * 1e-3)
        # The steps take one sample.
        assert eye.width_ui == pytest.approx(1.0, abs=1 / 16)


def test_compressed_eye_is_the_smaller_one(prbs13q, stairs):
    lower, middle, upper = eye_openings(stairs(prbs13q, levels=(0.0, 0.4, 0.75, 1.0)), prbs13q)
    assert [eye.height_w for eye in (lower, middle, upper)] == pytest.approx([0.4e-3, 0.35e-3, 0.25e-3])


def test_noise_closes_the_eye_by_its_quantiles(prbs13q, stairs):
    made = stairs(prbs13q, 64)
    # One value a symbol: what the window shows is the noise itself.
    noise = np.repeat(np.random.default_rng(11).normal(0.0, 1e-5, prbs13q.size), 64)
    wave = Waveform(made.samples_w + noise, 64, BAUD)
    for eye in eye_openings(wave, prbs13q, hit_ratio=0.01, width_ui=0.01):
        # Of the symbols on each side, half or a third belong to the level next to the eye.
        assert (
            1e-3 / 3 - 2 * 1e-5 * tail_inverse(0.01)
            <= eye.height_w
            < 1e-3 / 3 - 2 * 1e-5 * tail_inverse(0.04)
        )
    tightest = eye_openings(wave, prbs13q, hit_ratio=0.0)
    assert all(a.height_w < b.height_w for a, b in zip(tightest, eye_openings(wave, prbs13q), strict=True))


def test_slow_eye_is_narrower_and_a_closed_one_is_none(prbs13q, pulses):
    widths = []
    for bandwidth in (0.75, 0.5):
        wave = pulses(prbs13q, 16, lambda f, b=bandwidth: bessel_thomson_4_response(f, b * BAUD))
        eyes = eye_openings(aligned(wave, prbs13q), prbs13q, hit_ratio=0.0)
        widths.append(min(eye.width_ui for eye in eyes))
    assert 0.95 > widths[0] > widths[1] > 0.2
    closed = aligned(pulses(prbs13q, 16, lambda f: bessel_thomson_4_response(f, 0.2 * BAUD)), prbs13q)
    assert all(eye.height_w < 0 and eye.width_ui == 0 for eye in eye_openings(closed, prbs13q))


def test_openings_want_both_sides(stairs):
    symbols = np.tile(np.array([2, 3], dtype=np.uint8), 8)
    with pytest.raises(SignalError, match="both sides of eye 0"):
        eye_openings(stairs(symbols), symbols)
    with pytest.raises(ValueError, match="hit ratio"):
        eye_openings(stairs(symbols), symbols, hit_ratio=0.7)
