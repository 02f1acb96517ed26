"""The templates' environment: everything printed is escaped, and nothing hidden is printed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from markupsafe import Markup

from reports import sections
from reports.grid import full_value, lane_of, lane_word, margin_words, title_of
from reports.text import (
    MINUS,
    count,
    interval,
    lower_first,
    moment,
    number,
    plain,
    seconds,
    size,
    visible,
    with_unit,
)
from reports.words import force_words, grade_words

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The environment, with the documents' filters and functions."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "css_string": _css_string,
        "lower_first": lower_first,
        "moment": moment,
        "typographic": _typographic,
    }
    made.globals |= {
        "calibration_words": sections.calibration_words,
        "path_calibration_words": sections.path_calibration_words,
        "count": count,
        "force_words": force_words,
        "full_value": full_value,
        "grade_words": grade_words,
        "interval": interval,
        "lane_of": lane_of,
        "lane_word": lane_word,
        "margin_words": margin_words,
        "number": number,
        "percent": lambda share: with_unit(number(share, 0 if share >= 10.0 else 1), "%"),
        "seconds": seconds,
        "size": size,
        "title_of": title_of,
        "with_unit": with_unit,
    }
    return made


def _shown(value: object) -> object:
    if isinstance(value, Undefined):
        return value
    return value if isinstance(value, Markup) else visible(plain(value))


def _css_string(text: str) -> str:
    """Text that can stand inside a quoted CSS string, whatever it was."""
    return re.sub(r"[^A-Za-z0-9 ._:+-]", "?", text)[:80]


def _typographic(text: str) -> str:
    return re.sub(r"(?<![\w])-(?=\d)", MINUS, text)
