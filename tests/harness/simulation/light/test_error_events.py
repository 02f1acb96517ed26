"""Errors as random events: counts, bursts, and histograms of wrong symbols per codeword."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal import kp4
from harness.simulation.light.errors import (
    binomial_count,
    codeword_error_ratio,
    codeword_shares,
    error_count,
    fec_histogram,
)
from harness.simulation.noise import Noise
from harness.simulation.signals import LineSignal

NOISE = Noise(7)


@pytest.mark.parametrize("ber", [1e-5, 1e-4, 2.4e-4, 1e-3, 5e-3, 2e-2])
@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_independent_errors_are_binomial(ber: float, lanes: int) -> None:
    assert codeword_shares([ber] * lanes) == pytest.approx(kp4.expected_histogram(ber), rel=1e-9, abs=1e-300)


def test_a_bad_lane_is_not_the_mean_of_all() -> None:
    # Its share of each codeword is binomial by itself: a little less spread than the mean ratio everywhere.
    uneven = codeword_shares([8e-4, 0.0, 0.0, 0.0])
    shares = 136
    wrong = kp4.symbol_error_ratio(8e-4)
    by_hand = [
        math.comb(shares, count) * wrong**count * (1.0 - wrong) ** (shares - count) for count in range(16)
    ]
    assert uneven[:16] == pytest.approx(by_hand, rel=1e-9)
    assert uneven[-1] < codeword_shares([2e-4] * 4)[-1] * 1.01


@pytest.mark.parametrize("burst_bits", [1.0, 1.5, 4.0, 20.0])
def test_bursts_keep_the_number_of_codewords_and_lift_the_tail(burst_bits: float) -> None:
    shares = codeword_shares([2.4e-4] * 4, burst_bits)
    assert float(shares.sum()) == pytest.approx(1.0, abs=1e-9)
    if burst_bits > 1.0:
        # Against independent errors that make as many symbols wrong, as a decoder's counters see them.
        wrong = float(shares @ np.arange(17)) / kp4.CODEWORD_SYMBOLS
        independent = kp4.expected_histogram(1.0 - (1.0 - wrong) ** 0.1)
        assert np.all(shares[8:] > independent[8:])
        assert codeword_error_ratio([2.4e-4] * 4, burst_bits) > float(independent[-1])


def test_bursts_by_simulation() -> None:
    """Against bursts laid out bit by bit on one lane whose symbols two codewords share."""
    ber, burst = 1e-3, 6.0
    rng = np.random.default_rng(5)
    codewords = 4000
    symbols = codewords * kp4.CODEWORD_SYMBOLS * kp4.SYMBOL_BITS // 2  # PAM4 symbols of the lane
    starts = rng.integers(0, symbols, rng.poisson(symbols * 2 * ber / burst))
    lengths = rng.geometric(1.0 / burst, starts.size)
    wrong = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])
    counts = kp4.symbol_errors_per_codeword(np.unique(2 * wrong), 2 * symbols, multiplexed=1)
    seen = kp4.histogram_of(counts) / counts.size
    # Half of a lane's symbols are a codeword's: as if the lane alone carried it.
    expected = codeword_shares([ber], burst)
    assert seen[:6] == pytest.approx(expected[:6], abs=4.0 * math.sqrt(0.25 / codewords))
    mean = float(seen @ np.arange(17))
    assert mean == pytest.approx(float(expected @ np.arange(17)), rel=0.05)


@pytest.mark.parametrize(("burst_bits", "found"), [(1.0, False), (8.0, True)])
def test_the_burst_indication_finds_them_in_drawn_histograms(burst_bits: float, found: bool) -> None:
    drawn = fec_histogram(NOISE, ("lane", 3), [2.4e-4] * 4, burst_bits, 10_000_000)
    assert drawn.sum() == 10_000_000
    indication = kp4.burst_indication(drawn)
    assert indication.bursts == found
    assert drawn[:6] / 1e7 == pytest.approx(codeword_shares([2.4e-4] * 4, burst_bits)[:6], rel=0.02)


def test_histograms_are_those_of_their_key() -> None:
    first = fec_histogram(NOISE, ("a", 1), [1e-4, 2e-4], [1.0, 3.0], 100_000)
    assert np.array_equal(first, fec_histogram(Noise(7), ("a", 1), [1e-4, 2e-4], [1.0, 3.0], 100_000))
    assert not np.array_equal(first, fec_histogram(NOISE, ("a", 2), [1e-4, 2e-4], [1.0, 3.0], 100_000))
    assert not np.array_equal(first, fec_histogram(Noise(8), ("a", 1), [1e-4, 2e-4], [1.0, 3.0], 100_000))


def test_drawn_histograms_scatter_as_they_should() -> None:
    """Chi squared of 300 small histograms against what is expected, bins 0 to 5."""
    expected = kp4.expected_histogram(2.4e-4) * 1000
    drawn = np.array([fec_histogram(NOISE, ("slice", n), [2.4e-4], 1.0, 1000) for n in range(300)])
    share = expected / 1000
    chi2 = (np.square(drawn - expected) / (expected * (1.0 - share)))[:, :6].sum(axis=0)
    assert np.all(np.abs(chi2 - 300) < 5.0 * math.sqrt(600))


@pytest.mark.parametrize(("mean", "burst_bits"), [(3.0, 1.0), (12.0, 4.0), (400.0, 4.0)])
def test_counts_have_the_mean_and_the_scatter_of_their_process(mean: float, burst_bits: float) -> None:
    """500 slices: chi squared of independent errors; a compound Poisson has (2 b - 1) times the variance."""
    counts = np.array([error_count(NOISE, mean, burst_bits, "slice", n) for n in range(500)])
    variance = mean * (2.0 * burst_bits - 1.0)
    chi2 = float(np.square(counts - mean).sum() / variance)
    kurtosis_allowance = 2.0 if burst_bits > 1.0 else 1.0
    assert abs(counts.mean() - mean) < 4.0 * math.sqrt(variance / 500)
    assert abs(chi2 - 500) < 4.0 * math.sqrt(1000) * kurtosis_allowance


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.integers(0, 10**6))
def test_a_binomial_count_is_among_its_trials(trials: int, chance: float, key: int) -> None:
    count = binomial_count(NOISE, trials, chance, key)
    assert 0 <= count <= trials
    if chance in (0.0, 1.0):
        assert count == trials * chance


def test_nothing_is_made_of_nonsense() -> None:
    with pytest.raises(ValueError, match="one wrong bit at least"):
        error_count(NOISE, 3.0, 0.5, "x")
    with pytest.raises(ValueError, match="ratios are 0 to 1"):
        codeword_shares([1.5])
    with pytest.raises(ValueError, match="1 to 544 lanes"):
        codeword_shares([])
    with pytest.raises(ValueError, match="2 ratios and 1 bursts"):
        codeword_shares([1e-4, 1e-4], [1.0])
    with pytest.raises(ValueError, match="no -1 codewords"):
        fec_histogram(NOISE, ("x",), [1e-4], 1.0, -1)


def test_signals_remember_what_comes_together() -> None:
    clean = LineSignal()
    burst = clean.worsened(1e-4, 4.0)
    assert (burst.ber, burst.burst_bits) == (1e-4, 4.0)
    # As many single errors again: five bits in two kinds of events, 1.25e-4 / s to 2e-4 bits.
    both = burst.worsened(1e-4)
    assert both.burst_bits == pytest.approx(2e-4 / (1e-4 / 4.0 + 1e-4))
    assert clean.worsened(0.0, 4.0) is clean
