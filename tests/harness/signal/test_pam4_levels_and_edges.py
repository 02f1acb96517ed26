"""OMAouter, extinction ratio, RLM, transition times, over- and undershoot, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.signal.filters import bessel_thomson_4, bessel_thomson_4_response
from harness.signal.pam4 import (
    OuterLevels,
    excursion,
    extinction_ratio_db,
    levels,
    oma_outer_w,
    outer_levels,
    rlm,
    runs,
    transition_times,
)
from harness.signal.waveform import SignalError, Waveform, aligned

BAUD = 53.125e9


def _bessel(bandwidth_hz):
    return lambda frequencies: bessel_thomson_4_response(frequencies, bandwidth_hz)


def test_prbs13q_has_one_run_of_each(prbs13q):
    starts, lengths = runs(prbs13q, 3)
    assert starts[lengths == 7].tolist() == [6916]
    starts, lengths = runs(prbs13q, 0)
    assert starts[lengths == 6].tolist() == [6012]


def test_runs_round_the_end():
    starts, lengths = runs(np.array([3, 3, 0, 3, 1, 3], dtype=np.uint8), 3)
    assert dict(zip(starts.tolist(), lengths.tolist(), strict=True)) == {3: 1, 5: 3}
    assert runs(np.array([2, 2], dtype=np.uint8), 2)[1].tolist() == [2]
    assert runs(np.array([2, 2], dtype=np.uint8), 1)[0].size == 0


@pytest.mark.parametrize("pattern", ["prbs13q", "ssprq"])
def test_outer_levels_are_settled_ones(pattern, request, pulses):
    symbols = request.getfixturevalue(pattern)
    slow = pulses(symbols, 8, _bessel(0.4 * BAUD))
    found = outer_levels(aligned(Waveform(np.roll(slow.samples_w, 999), 8, BAUD), symbols), symbols)
    assert found.p0_w == pytest.approx(0.5e-3, rel=2e-3)
    assert found.p3_w == pytest.approx(1.5e-3, rel=2e-3)
    assert found.oma_outer_w == pytest.approx(1e-3, rel=2e-3)
    assert found.extinction_ratio_db == pytest.approx(10 * math.log10(3), abs=0.02)


@pytest.mark.parametrize(
    ("ratio_db", "oma_over_average_db"),
    [(3.5, -1.164), (4.5, -0.212), (5, 0.166), (6, 0.781), (8, 1.622)],
)
def test_oma_extinction_ratio_and_average_power_belong_together(
    prbs13q, stairs, ratio_db, oma_over_average_db
):
    made = stairs(prbs13q)
    p0 = 1e-3 / (10 ** (ratio_db / 10) - 1)
    wave = Waveform(made.samples_w - 0.5e-3 + p0, 16, BAUD)
    assert outer_levels(wave, prbs13q).extinction_ratio_db == pytest.approx(ratio_db, abs=1e-9)
    over_average = 10 * math.log10(oma_outer_w(wave, prbs13q) / wave.average_power_w)
    # PRBS13Q is short of one zero: its average lies 0.01 % above the middle.
    assert over_average == pytest.approx(oma_over_average_db, abs=2e-3)


def test_a_dark_level_below_zero_has_no_ratio():
    with pytest.raises(SignalError, match="dark level"):
        extinction_ratio_db(-1e-6, 1e-3)


def test_a_pattern_without_long_runs_is_named(stairs):
    symbols = np.tile(np.array([0, 1, 2, 3], dtype=np.uint8), 20)
    with pytest.raises(SignalError, match="no run of 6 symbols of level 0"):
        outer_levels(stairs(symbols), symbols)


def test_levels_and_their_spread(prbs13q, stairs):
    made = stairs(prbs13q, levels=(0.0, 0.3, 0.7, 1.0))
    noise = np.random.default_rng(5).normal(0.0, 1e-5, made.samples_w.size)
    found = levels(Waveform(made.samples_w + noise, 16, BAUD), prbs13q)
    assert found.mean_w == pytest.approx((0.5e-3, 0.8e-3, 1.2e-3, 1.5e-3), abs=1e-6)
    # Interpolating between samples takes some of the white noise away.
    assert all(0.7e-5 < spread < 1.05e-5 for spread in found.noise_w)
    assert found.rlm == pytest.approx(2 - 3 * (0.2 / 0.5), abs=5e-3)


@pytest.mark.parametrize(
    ("powers", "expected"),
    [
        ((0.0, 1.0, 2.0, 3.0), 1.0),
        ((1.0, 2.0, 3.0, 4.0), 1.0),
        ((0.0, 0.9, 2.1, 3.0), 2 - 3 * 0.4),
        ((0.0, 1.1, 1.9, 3.0), 3 * (0.4 / 1.5)),
        ((0.0, 1.1, 2.1, 3.0), 3 * (0.4 / 1.5)),
        ((3.0, 2.0, 1.0, 0.0), 1.0),
    ],
)
def test_rlm(powers, expected):
    assert rlm(powers) == pytest.approx(expected)


def test_rlm_without_modulation():
    with pytest.raises(SignalError, match="no modulation"):
        rlm((1.0, 1.0, 1.0, 1.0))


def test_a_missing_level_is_named(stairs):
    symbols = np.tile(np.array([0] * 8 + [3] * 8, dtype=np.uint8), 4)
    with pytest.raises(SignalError, match="never shows level 1"):
        levels(stairs(symbols), symbols)


def _edge_of_bessel_filter_ui(bandwidth_per_baud: float) -> float:
    """20 % to 80 % of the step response, from the poles of the transfer function."""
    poles = np.roots([1.0, 10.0, 45.0, 105.0, 105.0])
    gains = [105.0 / (p * np.prod([p - q for q in poles if q != p])) for p in poles]
    times = np.linspace(0.0, 4.0, 400_001)
    step = 1.0 + sum((gain * np.exp(p * times)).real for gain, p in zip(gains, poles, strict=True))
    early, late = (times[np.argmax(step >= level)] for level in (0.2, 0.8))
    return (late - early) * 2.113917675 / (2 * math.pi * bandwidth_per_baud)


@pytest.mark.parametrize(
    ("pattern", "runs", "bandwidth"),
    [
        ("prbs13q", {"before": 3, "after": 3}, 0.3),
        ("prbs13q", {"before": 3, "after": 3}, 0.75),
        ("ssprq", {}, 0.5),
    ],
)
def test_transition_times_of_a_filter(pattern, runs, request, pulses, bandwidth):
    symbols = request.getfixturevalue(pattern)
    made = aligned(pulses(symbols, 16, _bessel(bandwidth * BAUD)), symbols)
    found = transition_times(made, symbols, **runs)
    expected_s = _edge_of_bessel_filter_ui(bandwidth) / BAUD
    assert found.rise_s == pytest.approx(expected_s, rel=0.01)
    assert found.fall_s == pytest.approx(expected_s, rel=0.01)
    assert found.slowest_s == max(found.rise_s, found.fall_s)


def test_rise_and_fall_are_told_apart():
    """Straight edges of 0.5 UI up and 1 UI down: 60 % of each."""
    symbols = np.repeat(np.array([0, 3], dtype=np.uint8), 8)
    corners_ui = [0.0, 0.5, 7.75, 8.25, 15.5, 16.0]
    powers = [1e-3, 0.5e-3, 0.5e-3, 1.5e-3, 1.5e-3, 1e-3]
    wave = Waveform(np.interp(np.arange(16 * 64) / 64, corners_ui, powers), 64, BAUD)
    found = transition_times(wave, symbols, outer=OuterLevels(0.5e-3, 1.5e-3))
    assert found.rise_s * BAUD == pytest.approx(0.3, abs=1e-3)
    assert found.fall_s * BAUD == pytest.approx(0.6, abs=1e-3)


def test_a_pattern_without_edges_between_settled_levels_is_named(stairs):
    symbols = np.repeat(np.array([0, 1, 3, 2], dtype=np.uint8), 8)
    with pytest.raises(SignalError, match="no edge from 5 symbols of level 0"):
        transition_times(stairs(symbols), symbols, outer=OuterLevels(0.5e-3, 1.5e-3))


def test_overshoot_and_undershoot():
    samples = np.full(10_000, 1e-3)
    samples[:4000], samples[4000:8000] = 0.5e-3, 1.5e-3
    samples[8000:8100] = 1.70e-3
    samples[8100:8101] = 1.65e-3
    samples[8200:8250] = 0.3e-3
    found = excursion(Waveform(samples, 16, BAUD), OuterLevels(0.5e-3, 1.5e-3))
    # A hundred samples, one percent, may lie beyond: the next one is the peak.
    assert found.p_max_w == 1.65e-3
    assert found.overshoot_percent == pytest.approx(15.0)
    assert found.undershoot_percent == pytest.approx(0.0)
    assert found.power_excursion_w == pytest.approx(1.65e-3 - samples.mean())
    strict = excursion(Waveform(samples, 16, BAUD), OuterLevels(0.5e-3, 1.5e-3), hit_ratio=0.0)
    assert strict.overshoot_percent == pytest.approx(20.0)
    assert strict.undershoot_percent == pytest.approx(20.0)


def test_overshoot_of_a_slow_signal_is_not_above_zero_and_of_a_peaked_one_is(prbs13q, pulses):
    slow = bessel_thomson_4(pulses(prbs13q, 16), 0.3 * BAUD)
    peaked = pulses(prbs13q, 16, lambda f: _bessel(0.5 * BAUD)(f) * (1 + 0.3 * (f / BAUD) ** 2 * 4))
    outer = OuterLevels(0.5e-3, 1.5e-3)
    assert excursion(slow, outer).overshoot_percent < 1.0
    assert excursion(peaked, outer).overshoot_percent > 5.0


def test_excursion_refuses_what_makes_no_sense(prbs13q, stairs):
    wave = stairs(prbs13q)
    with pytest.raises(ValueError, match="hit ratio"):
        excursion(wave, OuterLevels(0.5e-3, 1.5e-3), hit_ratio=0.5)
    with pytest.raises(SignalError, match="OMAouter"):
        excursion(wave, OuterLevels(1.5e-3, 0.5e-3))
