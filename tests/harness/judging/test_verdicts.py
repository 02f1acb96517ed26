"""ILAC-G8:09/2019, 4.2.3, guard band U (k = 2): where each verdict begins, and what a run amounts to."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judging.limits import Bound, Force, Limit
from harness.judging.verdict import DECISION_RULE, DECISION_RULE_TEXT, Verdict, judge, worst


def bound(value: float, force: Force = Force.NORMATIVE, grade: str = "A") -> Bound:
    return Bound(value, force, grade, "Table 124-6", "standard")


def limit(low: float | None = None, high: float | None = None, force: Force = Force.NORMATIVE) -> Limit:
    return Limit(
        "p",
        "dB",
        None if low is None else bound(low, force),
        None if high is None else bound(high, force),
    )


# All numbers are exact in binary, so that the edges are the edges.
@pytest.mark.parametrize(
    ("value", "verdict", "margin"),
    [
        (2.0, Verdict.PASS, 2.0),
        (3.5, Verdict.PASS, 0.5),  # inside by U exactly
        (3.75, Verdict.CONDITIONAL_PASS, 0.25),
        (4.0, Verdict.CONDITIONAL_PASS, 0.0),  # on the limit
        (4.25, Verdict.CONDITIONAL_FAIL, -0.25),
        (4.5, Verdict.CONDITIONAL_FAIL, -0.5),  # outside by U exactly
        (4.75, Verdict.FAIL, -0.75),
    ],
)
@pytest.mark.parametrize("side", ["high", "low"])
def test_the_edges_of_a_limit_of_4_with_u_of_one_half(value, verdict, margin, side):
    found = judge(value, 0.5, limit(high=4.0)) if side == "high" else judge(-value, 0.5, limit(low=-4.0))
    assert (found.verdict, found.margin) == (verdict, margin)
    assert found.bound is not None
    assert abs(found.bound.value) == 4.0


def test_without_uncertainty_there_is_no_band():
    assert judge(4.0, 0.0, limit(high=4.0)).verdict is Verdict.PASS
    assert judge(math.nextafter(4.0, 5.0), 0.0, limit(high=4.0)).verdict is Verdict.FAIL


def test_the_worse_side_decides():
    both = limit(low=-2.0, high=4.0)
    found = judge(3.75, 0.5, both)
    assert (found.verdict, found.margin) == (Verdict.CONDITIONAL_PASS, 0.25)
    assert found.bound == both.high
    found = judge(-3.0, 0.5, both)
    assert (found.verdict, found.margin, found.bound) == (Verdict.FAIL, -1.0, both.low)
    found = judge(0.0, 0.5, both)
    assert (found.verdict, found.margin, found.bound) == (Verdict.PASS, 2.0, both.low)


def test_a_band_wider_than_the_limits_passes_nothing():
    assert judge(0.0, 5.0, limit(low=-1.0, high=1.0)).verdict is Verdict.CONDITIONAL_PASS


@pytest.mark.parametrize("force", [Force.NORMATIVE, Force.NECESSARY])
def test_normative_and_necessary_limits_fail_a_module(force):
    assert judge(9.0, 0.5, limit(high=4.0, force=force)).verdict is Verdict.FAIL


@pytest.mark.parametrize("force", [Force.INFORMATIVE, Force.UNVERIFIED])
def test_informative_and_unverified_limits_give_a_margin_and_no_verdict(force):
    found = judge(9.0, 0.5, limit(high=4.0, force=force))
    assert (found.verdict, found.margin) == (Verdict.INFO, -5.0)


def test_a_binding_side_decides_over_one_that_does_not_bind():
    mixed = Limit("p", "dB", bound(-2.0, Force.INFORMATIVE), bound(4.0))
    found = judge(-9.0, 0.5, mixed)
    assert (found.verdict, found.bound) == (Verdict.PASS, mixed.high)


@pytest.mark.parametrize("nothing", [None, Limit("p", "dB", None, None)])
def test_where_no_limit_applies(nothing):
    found = judge(1.0, 0.1, nothing)
    assert (found.verdict, found.margin, found.bound) == (Verdict.INFO, None, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_judged(value):
    # NaN compares false with everything: unchecked it was a failure of the module.
    with pytest.raises(ValueError, match="finite number"):
        judge(value, 0.5, limit(high=4.0))


@pytest.mark.parametrize("uncertainty", [-0.1, math.nan, math.inf])
def test_an_impossible_uncertainty_is_refused(uncertainty):
    # As NaN it was a conditional pass.
    with pytest.raises(ValueError, match="expanded uncertainty"):
        judge(1.0, uncertainty, limit(high=4.0))


_numbers = st.floats(min_value=-1e6, max_value=1e6)
_widths = st.floats(min_value=0.0, max_value=1e3)
_order = [Verdict.PASS, Verdict.CONDITIONAL_PASS, Verdict.CONDITIONAL_FAIL, Verdict.FAIL]


@given(value=_numbers, further=_widths, uncertainty=_widths, high=_numbers)
def test_going_outwards_never_betters_the_verdict(value, further, uncertainty, high):
    inside = judge(value, uncertainty, limit(high=high)).verdict
    outside = judge(value + further, uncertainty, limit(high=high)).verdict
    assert _order.index(outside) >= _order.index(inside)


@given(value=_numbers, uncertainty=_widths, low=_numbers)
def test_the_verdict_is_what_the_margin_says(value, uncertainty, low):
    found = judge(value, uncertainty, limit(low=low))
    assert found.margin == value - low
    assert found.verdict.fails_module == (found.margin < 0.0)
    assert (found.verdict is Verdict.PASS) == (found.margin >= uncertainty)
    assert (found.verdict is Verdict.FAIL) == (found.margin < -uncertainty)


@given(value=_numbers, uncertainty=_widths, low=_numbers, high=_numbers)
def test_two_sides_are_as_bad_as_the_worse_of_them(value, uncertainty, low, high):
    both = judge(value, uncertainty, limit(low=low, high=high)).verdict
    sides = [judge(value, uncertainty, limit(low=low)), judge(value, uncertainty, limit(high=high))]
    assert both is max((side.verdict for side in sides), key=_order.index)


# -- a run --------------------------------------------------------------------------------------------


def test_the_worst_verdict_is_the_runs():
    by_badness = [Verdict.PASS, Verdict.CONDITIONAL_PASS, Verdict.CONDITIONAL_FAIL, Verdict.FAIL]
    for better, worse in itertools.combinations(by_badness, 2):
        assert worst([better, worse, better]) is worse
        assert worst([worse, Verdict.INFO, better]) is worse


def test_with_the_bench_at_fault_no_failure_is_proven():
    assert worst([Verdict.PASS, Verdict.INVALID, Verdict.FAIL]) is Verdict.INVALID


@pytest.mark.parametrize("verdicts", [[], [Verdict.INFO], [Verdict.INFO] * 3])
def test_a_run_that_judged_nothing_is_invalid(verdicts):
    assert worst(verdicts) is Verdict.INVALID


def test_what_fails_a_module():
    failing = {verdict for verdict in Verdict if verdict.fails_module}
    assert failing == {Verdict.FAIL, Verdict.CONDITIONAL_FAIL}


def test_the_rule_says_what_it_is():
    assert DECISION_RULE == "ilac-g8-guard-band"
    assert "ILAC-G8:09/2019, 4.2.3" in DECISION_RULE_TEXT
    assert "k = 2" in DECISION_RULE_TEXT
