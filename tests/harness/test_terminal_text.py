"""Text for terminals: untrusted words made harmless, durations as people say them, columns."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text import columns, duration_text, figure_text, printable_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("LW26000001", "LW26000001"),
        ("25 °C ± 1 µW", "25 °C ± 1 µW"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("one\ntwo\ttab\r", "one\\ntwo\\ttab\\r"),
        ("\x00\x9b", "\\x00\\x9b"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("a\u2028b", "a\\u2028b"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_known_texts(text, shown):
    assert printable_text(text) == shown


def test_text_is_bounded():
    assert printable_text("x" * 400) == "x" * 400
    assert printable_text("x" * 401) == "x" * 400 + "..."
    assert printable_text("abcdef", longest=3) == "abc..."


@given(st.text(alphabet=st.characters(), max_size=60))
def test_whatever_it_is_it_is_one_line_without_control(text):
    shown = printable_text(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character)[0] for character in shown} & {"C"}
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=60))
def test_what_can_be_shown_is_shown_as_it_is(text):
    assert printable_text(text) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.4, "0 s"),
        (42.0, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (65.0, "1 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7800.0, "2 h 10 min"),
        (259200.0, "72 h 00 min"),
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_columns_are_aligned_and_end_without_blanks():
    assert columns(("a", "long header"), [("wide cell", "x"), ("y", "")]) == (
        "a          long header\n---------  -----------\nwide cell  x\ny"
    )
    assert columns(("a", "b"), []) == "a  b\n-  -"


@pytest.mark.parametrize(
    ("value", "shown", "signed"),
    [
        (-5.3, "-5.300", "-5.300"),
        (0.955, "0.955", "+0.955"),
        (0.0, "0.000", "+0.000"),
        (3.1e-4, "0.00031", "+0.00031"),  # a bit error ratio is not 0.000
        (1.7e-12, "1.7e-12", "+1.7e-12"),
        (-7e-5, "-7e-05", "-7e-05"),
    ],
)
def test_figures_show_what_they_are(value, shown, signed):
    assert figure_text(value) == shown
    assert figure_text(value, signed=True) == signed
