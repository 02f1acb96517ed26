"""Text for terminals."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_LONGEST = 400
_LINE_ENDS = frozenset({"Zl", "Zp"})


def printable_text(text: str, *, longest: int = _LONGEST) -> str:
    """Untrusted text for a terminal, on one line: control, format and unassigned characters and line
    separators escaped as in a Python string, at most ``longest`` characters of it."""
    shown = "".join(
        character
        if unicodedata.category(character)[0] != "C" and unicodedata.category(character) not in _LINE_ENDS
        else character.encode("unicode_escape").decode()
        for character in text[:longest]
    )
    return shown if len(text) <= longest else f"{shown}..."


def duration_text(duration_s: float) -> str:
    """Seconds as people say them: 42 s, 3 min 05 s, 2 h 10 min."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns; cells are untrusted text."""
    rows = [[printable_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in lines
    )
