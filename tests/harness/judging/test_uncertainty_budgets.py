"""Budgets after the GUM: known answers, and what they may never do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judging.uncertainty import Contribution, expanded, from_expanded, from_half_width, from_readings


def test_an_expanded_uncertainty_is_halved():
    found = from_expanded("meter", 0.12, "dB", "C-1")
    assert found == Contribution("meter", 0.06, "dB", "C-1", "normal, stated with k = 2")


def test_a_half_width_is_rectangular():
    found = from_half_width("step", 0.5, "K", "register")
    assert found.standard == pytest.approx(0.288675, abs=1e-6)
    assert (found.name, found.unit, found.source) == ("step", "K", "register")


def test_readings_give_the_standard_deviation_of_their_mean():
    found = from_readings("repeatability", [1.0, 2.0, 3.0, 4.0], "dB")
    # s = sqrt(5/3), divided by sqrt(4); and t of three degrees of freedom over 2
    assert found.standard == pytest.approx(math.sqrt(5.0 / 3.0) / 2.0 * 3.31 / 2.0)
    assert found.source == "4 readings"
    assert from_readings("r", [7.0, 7.0], "dB").standard == 0.0


@pytest.mark.parametrize("readings", [[], [1.0]])
def test_one_reading_says_nothing_of_its_spread(readings):
    with pytest.raises(ValueError, match="two readings or more"):
        from_readings("r", readings, "dB")


def test_contributions_add_in_squares_and_are_expanded():
    parts = [Contribution("a", 3.0, "dB", ""), Contribution("b", 4.0, "dB", "")]
    assert expanded(parts) == pytest.approx(10.0)
    assert expanded([]) == 0.0


@given(st.lists(st.floats(min_value=0.0, max_value=1e6), max_size=6))
def test_a_contribution_never_makes_it_smaller(standards):
    parts = [Contribution(str(index), value, "dB", "") for index, value in enumerate(standards)]
    whole = expanded(parts)
    assert all(whole >= expanded([part]) * (1.0 - 1e-12) for part in parts)
    assert whole <= 2.0 * sum(standards) * (1.0 + 1e-12)


@given(st.floats(min_value=0.0, max_value=1e6))
def test_what_a_certificate_states_comes_out_again(stated):
    assert expanded([from_expanded("x", stated, "dB", "")]) == pytest.approx(stated)
