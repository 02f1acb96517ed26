"""Bars of values against limits: what they show is what the limits say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.description.bars import ASCII, UNICODE, bar

LIMITS = (0.0, 20.0, 80.0, 100.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.1, "<..|.....|.]"),
        (0.0, "[#.|.....|.]"),
        (19.9, "[##|.....|.]"),
        (20.0, "[##|#....|.]"),
        (50.0, "[##|###..|.]"),
        (80.0, "[##|#####|.]"),
        (80.1, "[##|#####|#]"),
        (100.0, "[##|#####|#]"),
        (100.1, "[##|#####|#>"),
    ],
)
def test_a_value_falls_into_its_zone(value: float, text: str) -> None:
    assert bar(value, *LIMITS, width=10, style=ASCII) == text


def test_both_styles_have_the_same_shape() -> None:
    unicode_bar, ascii_bar = (bar(20.0, *LIMITS, style=style) for style in (UNICODE, ASCII))
    assert unicode_bar.replace("■", "#").replace("·", ".") == ascii_bar
    assert ascii_bar.isascii()


@pytest.mark.parametrize(
    "limits",
    [
        (0.0, 0.0, 0.0, 0.0),
        (5.0, 0.0, 70.0, 75.0),
        (-5.0, 0.0, 80.0, 75.0),
        (-5.0, 40.0, 30.0, 75.0),
        (-math.inf, 0.0, 70.0, 75.0),
        (-1e308, 0.0, 70.0, 1e308),
    ],
)
def test_limits_that_make_no_sense_draw_nothing(limits: tuple[float, float, float, float]) -> None:
    assert bar(20.0, *limits) == ""


def test_a_value_that_is_no_number_draws_nothing() -> None:
    assert bar(math.nan, *LIMITS) == ""


@given(
    st.lists(st.integers(-1000, 1000), min_size=4, max_size=4, unique=True).map(sorted),
    st.integers(-1100, 1100),
    st.integers(4, 40),
)
def test_the_ends_and_strokes_tell_the_verdict(limits: list[int], value: int, width: int) -> None:
    low_alarm, low_warning, high_warning, high_alarm = map(float, limits)
    text = bar(float(value), low_alarm, low_warning, high_warning, high_alarm, width=width, style=ASCII)
    assert len(text) == width + 2
    assert text[1:-1].count("|") == 2
    assert (text[0] == "<") is (value < low_alarm)
    assert (text[-1] == ">") is (value > high_alarm)
    before, between, after = text[1:-1].split("|")
    if value <= high_warning:
        assert "#" not in after
    if value < low_warning:
        assert "#" not in between
    if value > high_warning and after:
        assert "#" in after
    if low_alarm <= value < low_warning and before:
        assert "#" in before
