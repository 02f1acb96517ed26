"""Wald's sequential test and the ratio of two counts, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.signal.rate_ratio import Counted, agree, rate_ratio
from harness.signal.sequential import Decision, SequentialTest
from harness.signal.statistics import binomial_interval, binomial_tail

TEST = SequentialTest(good=1e-10, bad=1e-9, alpha=1e-3, beta=1e-3)


def test_error_free_bits_are_walds():
    # ln((1 - alpha) / beta) / (bad - good), for ratios this small
    assert TEST.error_free_bits == pytest.approx(math.log(999.0) / 9e-10, rel=1e-6)
    bits = math.ceil(TEST.error_free_bits)
    assert TEST.decide(0, bits) is Decision.GOOD
    assert TEST.decide(0, bits - 100) is Decision.OPEN


def test_an_error_costs_as_many_bits_as_theory_says():
    more = TEST.per_error / TEST.per_bit
    assert more == pytest.approx(math.log(10.0) / 9e-10, rel=1e-6)
    bits = TEST.error_free_bits + more
    assert TEST.decide(1, math.ceil(bits * 1.001)) is Decision.GOOD
    assert TEST.decide(1, math.floor(bits * 0.999)) is Decision.OPEN


def test_bad_is_certain_after_three_errors_at_once():
    # ln(999) / ln(10) = 2.9996: three errors say bad unless bits enough came with them
    assert TEST.decide(3, 3) is Decision.BAD
    assert TEST.decide(2, 3) is Decision.OPEN


def test_average_length_at_the_hypotheses():
    reached = 0.001 * math.log(999.0) - 0.999 * math.log(999.0)
    drift = 1e-10 * math.log(10.0) - 9e-10
    assert TEST.expected_bits(1e-10) == pytest.approx(reached / drift, rel=1e-6)
    assert TEST.expected_bits(1e-9) > 0.0
    with pytest.raises(ValueError, match="neither"):
        TEST.expected_bits(5e-10)


@pytest.mark.parametrize(("ratio", "wrong"), [(1e-10, Decision.BAD), (1e-9, Decision.GOOD)])
def test_it_errs_no_oftener_than_stated(ratio, wrong):
    test = SequentialTest(good=1e-10, bad=1e-9, alpha=0.05, beta=0.05)
    random = np.random.default_rng(7)
    step = 10**9
    mistakes = 0
    for _ in range(800):
        errors = bits = 0
        while (said := test.decide(errors, bits + 1)) is Decision.OPEN:
            errors += int(random.poisson(ratio * step))
            bits += step
        mistakes += said is wrong
    # Wald: at most 0.05 / 0.95 = 5.3 %, so 42 of 800; three standard deviations more
    assert mistakes <= 42 + 3 * math.sqrt(42)


def test_bursts_say_less():
    assert TEST.decide(3, 3, dispersion=4.0) is Decision.OPEN


@pytest.mark.parametrize(
    "wrong", [(1e-9, 1e-10, 0.1, 0.1), (1e-10, 1e-9, 0.0, 0.1), (1e-10, 1e-9, 0.1, 0.5), (0.0, 0.1, 0.1, 0.1)]
)
def test_impossible_tests_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|inside"):
        SequentialTest(*wrong)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="cannot be"):
        TEST.decide(2, 1)


def test_ratio_of_counts_is_clopper_and_pearsons():
    # 5 and 15 errors in as many bits: share 5 of 20, [0.0866, 0.4910] at 95 % (published tables)
    found = rate_ratio(Counted(5, 1000), Counted(15, 1000), 0.95)
    assert found.low == pytest.approx(0.0866 / (1 - 0.0866), rel=2e-3)
    assert found.high == pytest.approx(0.4910 / (1 - 0.4910), rel=2e-3)


def test_bits_count_too():
    assert rate_ratio(Counted(5, 2000), Counted(15, 1000), 0.95).high == pytest.approx(
        0.5 * rate_ratio(Counted(5, 1000), Counted(15, 1000), 0.95).high
    )


def test_without_errors_nothing_is_bounded():
    assert (rate_ratio(Counted(0, 10), Counted(0, 10), 0.99).low) == 0.0
    assert agree(Counted(0, 10**11), Counted(2, 10**11), confidence=0.999)
    assert not agree(Counted(0, 10**11), Counted(30, 10**11), confidence=0.999)


def test_a_percent_shows_in_a_million_errors_and_bursts_hide_it():
    one, other = Counted(1_000_000, 10**10), Counted(1_010_000, 10**10)
    assert not agree(one, other, confidence=0.999)
    assert agree(one, other, confidence=0.999, allowed_ratio=1.01)
    assert agree(one, other, confidence=0.999, expected_ratio=1 / 1.01)
    assert agree(Counted(1_000_000, 10**10, 50.0), Counted(1_010_000, 10**10, 50.0), confidence=0.999)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_interval_holds_the_estimate_and_turns_over(mine, theirs, bits, other_bits):
    one, other = Counted(min(mine, bits), bits), Counted(min(theirs, other_bits), other_bits)
    found, back = rate_ratio(one, other, 0.99), rate_ratio(other, one, 0.99)
    assert found.low <= found.high
    if one.errors and other.errors:
        assert found.low <= one.errors / bits / (other.errors / other_bits) <= found.high
        assert back.low == pytest.approx(1 / found.high, rel=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.45, 0.5, 0.7])
@pytest.mark.parametrize("trials", [1000, 20_000_000])
def test_intervals_of_frequent_events_exist_at_high_confidence(share, trials):
    errors = round(share * trials)
    found = binomial_interval(errors, trials, 0.999)
    assert 1 - binomial_tail(errors + 1, trials, found.high) == pytest.approx(5e-4, rel=1e-4)
    assert binomial_tail(errors, trials, found.low) == pytest.approx(5e-4, rel=1e-4)
