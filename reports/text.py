"""How numbers and foreign text are written in documents.

Text of a module, an instrument or a bench file is untrusted: it is bounded, and characters that a reader
cannot see (control, formatting, bidirectional override, unassigned) are shown as their code point.
Escaping for HTML is the templates' business.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable

LONGEST_TEXT = 2_000
MINUS = "\u2212"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MOST_DECIMALS = 6
_STACKED_MARKS = 2
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")


def visible(text: str) -> str:
    """Text with nothing hidden in it: ``\\u202e`` for a right-to-left override, ``\\x1b`` for an escape.

    Combining marks beyond two on one letter, which would paint over the lines above, are shown escaped too.
    """
    shown: list[str] = []
    marks = 0
    for character in text[:LONGEST_TEXT]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        hidden = category in _HIDDEN or marks > _STACKED_MARKS
        shown.append(_code_point(character) if hidden else character)
    if len(text) > LONGEST_TEXT:
        shown.append(f" \u2026 ({len(text)} characters)")
    return "".join(shown)


def _code_point(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def plain(value: object) -> str:
    """Any JSON value as text: what a manifest holds in its free fields."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value)) if abs(value) < 1e15 else str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(plain(item) for item in value)
    return json.dumps(value, sort_keys=True, default=str)


def decimals_for(uncertainties: Iterable[float | None]) -> int | None:
    """Decimals that show two digits of the smallest expanded uncertainty; None when there is none."""
    known = [u for u in uncertainties if u is not None and u > 0.0]
    if not known:
        return None
    return max(0, min(_MOST_DECIMALS, 1 - math.floor(math.log10(min(known)))))


def number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number with a typographic minus; without ``decimals`` to four significant digits.

    A value that is not zero is never rounded to zero: a margin of -0.0004 dB stays a negative margin.
    """
    text = _digits(value, decimals)
    if value != 0.0 and float(text) == 0.0:
        text = f"{value:.1g}"
    if float(text) == 0.0:
        text = text.lstrip("-")
    if signed and not text.startswith("-"):
        text = f"+{text}"
    return text.replace("-", MINUS)


def _digits(value: float, decimals: int | None) -> str:
    if decimals is None:
        return f"{value:.4g}"
    return f"{value:.{decimals}f}" if abs(value) < 1e9 else f"{value:.4g}"


def with_unit(text: str, unit: str) -> str:
    """Number and unit, not torn apart at a line's end; a plain ratio has no unit."""
    if unit in {"", "1"}:
        return text
    return f"{text}\u00a0{unit}"


def difference_unit(unit: str) -> str:
    """The unit of a difference of two values: dB for two levels in dBm."""
    return "dB" if unit == "dBm" else unit


def moment(stamp: str) -> str:
    """A UTC time stamp for people: ``2026-08-17 14:22:09 UTC``; another spelling is left as it is."""
    match = _STAMP.fullmatch(stamp)
    return f"{match[1]} {match[2]} UTC" if match else stamp


def interval(low: float | None, high: float | None, unit: str) -> str:
    """A limit in words: ``-2.9 to 4 dBm``, ``at most 12 W``; empty without one."""
    if low is not None and high is not None:
        return with_unit(f"{_limit(low)} to {_limit(high)}", unit)
    if low is not None:
        return with_unit(f"\u2265 {_limit(low)}", unit)
    if high is not None:
        return with_unit(f"\u2264 {_limit(high)}", unit)
    return ""


def _limit(value: float) -> str:
    return f"{value:.6g}".replace("-", MINUS)


def count(quantity: int, singular: str, plural: str = "") -> str:
    """``1 instrument``, ``3 instruments``."""
    return f"{quantity} {singular if quantity == 1 else plural or singular + 's'}"


def size(octets: int) -> str:
    """A file's size for people."""
    if octets < 10_000:
        return f"{octets} B"
    return f"{octets / 1000:.0f} kB" if octets < 10_000_000 else f"{octets / 1e6:.1f} MB"


def seconds(duration_s: float) -> str:
    """A duration: ``0.35 s``, ``12 min 05 s``, ``3 h 20 min``."""
    if duration_s < 60.0:
        return f"{duration_s:.3g}\u00a0s"
    whole = round(duration_s)
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60:02d}\u00a0s"
    return f"{whole // 3600}\u00a0h {whole % 3600 // 60:02d}\u00a0min"


def lower_first(title: str) -> str:
    """A title within a sentence: ``average launch power``, but ``OMAouter`` and ``TDECQ`` as they are."""
    word = title.split(" ")[0]
    return title[0].lower() + title[1:] if len(word) > len("Tx") and word[1:].islower() else title
