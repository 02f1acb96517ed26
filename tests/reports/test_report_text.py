"""How numbers and foreign text are written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import LONGEST_TEXT, decimals_for, difference_unit, interval, moment, number, plain, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 0.5 µm ±2 °C", "Grüße, 0.5 µm ±2 °C"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("line\nbreak\ttab\x00", "line\\x0abreak\\x09tab\\x00"),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        ("tag \U000e0041", "tag \\U000e0041"),
    ],
)
def test_hidden_characters_are_shown_as_code_points(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_shown_text_hides_nothing_and_can_be_encoded(text):
    shown = visible(text)
    shown.encode("utf-8")
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_long_text_is_cut_and_says_so():
    assert visible("x" * 5000) == "x" * LONGEST_TEXT + " … (5000 characters)"


def test_stacked_marks_cannot_paint_over_other_lines():
    assert visible("e\u0301") == "e\u0301"
    assert visible("e" + "\u0301" * 5).count("\\u0301") == 3


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "text"),
    [
        (-4.5, 2, False, "−4.50"),
        (2.9, 2, True, "+2.90"),
        (-0.0004, 2, True, "−0.0004"),
        (0.0, 2, True, "+0.00"),
        (-0.0, 1, False, "0.0"),
        (2.4e-4, None, False, "0.00024"),
        (1e12, 2, False, "1e+12"),
    ],
)
def test_numbers(value, decimals, signed, text):
    assert number(value, decimals, signed=signed) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_a_value_never_changes_its_side_of_zero_by_rounding(value, decimals):
    read = float(number(value, decimals).replace("−", "-"))
    assert (read > 0) == (value > 0)
    assert (read < 0) == (value < 0)


def test_decimals_show_two_digits_of_the_smallest_uncertainty():
    assert decimals_for([0.21, None, 0.9, 0.0]) == 2
    assert decimals_for([0.06]) == 3
    assert decimals_for([12.0]) == 0
    assert decimals_for([None, 0.0]) is None


def test_a_limit_in_words():
    assert interval(-2.9, 4.0, "dBm") == "−2.9 to 4\u00a0dBm"
    assert interval(None, 2.4e-4, "1") == "≤ 0.00024"
    assert interval(5.0, None, "dB") == "≥ 5\u00a0dB"
    assert interval(None, None, "dB") == ""


def test_the_difference_of_two_levels_is_a_ratio():
    assert difference_unit("dBm") == "dB"
    assert difference_unit("W") == "W"


def test_time_stamps():
    assert moment("2026-08-17T14:22:09.123456+00:00") == "2026-08-17 14:22:09 UTC"
    assert moment("yesterday") == "yesterday"


def test_free_fields_of_a_manifest_as_text():
    assert plain(None) == ""
    assert plain([1, 2, 3]) == "1, 2, 3"
    assert plain({"b": 1, "a": [2]}) == '{"a": [2], "b": 1}'
    assert plain(True) == "yes"
