"""Confidence in counted errors, against published values and exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from harness.signal.gaussian import tail_inverse
from harness.signal.statistics import (
    binomial_interval,
    binomial_tail,
    binomial_upper,
    dispersion,
    error_free_bits,
    error_free_time_s,
    poisson_interval,
    poisson_tail,
    poisson_upper,
)


@pytest.mark.parametrize(("count", "bound"), [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.96), (100, 118.1)])
def test_one_sided_upper_bounds(count, bound):
    assert poisson_upper(count, 0.95) == pytest.approx(bound, rel=5e-4)
    assert binomial_upper(count, 10**12) * 1e12 == pytest.approx(bound, rel=5e-4)


@pytest.mark.parametrize(("count", "low", "high"), [(3, 0.619, 8.767), (10, 4.795, 18.39)])
def test_two_sided_intervals(count, low, high):
    interval = poisson_interval(count)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-3)
    assert interval.confidence == 0.95


def test_no_error():
    assert poisson_interval(0).low == 0.0
    assert poisson_interval(0).high == pytest.approx(-math.log(0.025))
    assert error_free_bits(1e-12) == pytest.approx(2.9957e12, rel=1e-4)
    assert error_free_time_s(1e-12, 106.25e9) == pytest.approx(28.2, abs=0.05)
    assert error_free_time_s(2.4e-4, 106.25e9) < 1e-6


def _at_most(count, trials, probability):
    p = Fraction(probability)
    return float(sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(count + 1)))


@pytest.mark.parametrize("trials", [1, 2, 3, 11, 60])
def test_binomial_intervals_are_clopper_and_pearsons(trials):
    for errors in range(0, trials + 1, 1 + trials // 10):
        interval = binomial_interval(errors, trials, 0.9)
        assert 0.0 <= interval.low <= errors / trials <= interval.high <= 1.0
        if errors < trials:
            assert _at_most(errors, trials, interval.high) == pytest.approx(0.05, rel=1e-9)
        if errors:
            assert 1 - _at_most(errors - 1, trials, interval.low) == pytest.approx(0.05, rel=1e-9)
    assert binomial_interval(0, trials).low == 0.0
    assert binomial_interval(trials, trials).high == 1.0


@pytest.mark.parametrize("errors", [10, 10**4, 10**6, 10**8])
def test_large_counts(errors):
    """Poisson's where errors are rare, and a Gaussian's where they are many."""
    rare, many = poisson_interval(errors), binomial_interval(errors, 10**15)
    assert (many.low * 1e15, many.high * 1e15) == pytest.approx((rare.low, rare.high), rel=1e-6)
    if errors >= 10**6:
        half = tail_inverse(0.025) * math.sqrt(errors)
        assert (rare.high - rare.low) / 2 == pytest.approx(half, rel=1e-3)


def test_tails():
    assert binomial_tail(3, 10, 0.2) == pytest.approx(1 - _at_most(2, 10, 0.2), rel=1e-12)
    assert binomial_tail(1, 10, 0.2) == pytest.approx(1 - 0.8**10, rel=1e-12)
    assert binomial_tail(10, 10, 0.2) == pytest.approx(0.2**10, rel=1e-12)
    assert binomial_tail(11, 10, 0.2) == 0.0
    assert binomial_tail(2, 10, 0.0) == 0.0
    assert binomial_tail(10, 10, 1.0) == 1.0
    assert binomial_tail(16, 544, 1e-20) == pytest.approx(math.comb(544, 16) * 1e-320, rel=1e-2)
    assert binomial_tail(0, 10, 0.2) == poisson_tail(0, 5.0) == 1.0
    direct = 1 - math.exp(-4.0) * sum(4.0**k / math.factorial(k) for k in range(7))
    assert poisson_tail(7, 4.0) == pytest.approx(direct, rel=1e-12)
    assert poisson_tail(2, 4.0) == pytest.approx(1 - 5 * math.exp(-4.0), rel=1e-12)
    assert poisson_tail(100, 1.0) == pytest.approx(
        math.exp(-1) / math.factorial(100) * (1 + 1 / 101), rel=1e-3
    )
    assert poisson_tail(3, 0.0) == 0.0


def test_dispersion_tells_bursts():
    rng = np.random.default_rng(4)
    independent = dispersion(rng.poisson(2.0, 20_000))
    assert independent.index == pytest.approx(1.0, abs=0.05)
    assert abs(independent.z) < 4.0
    bursts = dispersion(3 * rng.poisson(2.0 / 3.0, 20_000))
    assert bursts.index == pytest.approx(3.0, rel=0.05)
    assert bursts.z > 100.0
    frequent = dispersion(rng.binomial(10, 0.5, 20_000), trials=10)
    assert frequent.index == pytest.approx(1.0, abs=0.05)


def test_dispersion_keeps_to_its_scale():
    """For rare errors too: one standard deviation is one."""
    rng = np.random.default_rng(5)
    z = [dispersion(rng.poisson(0.02, 5000)).z for _ in range(400)]
    assert np.std(z) == pytest.approx(1.0, abs=0.15)
    assert np.mean(z) == pytest.approx(0.0, abs=0.2)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="below zero"):
        poisson_interval(-1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        poisson_upper(1, 1.0)
    with pytest.raises(ValueError, match="cannot be"):
        binomial_interval(3, 2)
    with pytest.raises(ValueError, match="cannot be"):
        binomial_upper(0, 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        error_free_bits(0.0)
    with pytest.raises(ValueError, match="above zero"):
        error_free_time_s(1e-12, 0.0)
    with pytest.raises(ValueError, match="two intervals and two errors"):
        dispersion(np.array([0, 1]))
    with pytest.raises(ValueError, match="not be below"):
        dispersion(np.array([-1, 3]))
