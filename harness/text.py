"""Text for terminals."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_LONGEST = 400


def printable_text(text: str) -> str:
    """Untrusted text for a terminal: control, format and unassigned characters escaped, bounded in length."""
    shown = "".join(
        character if unicodedata.category(character)[0] != "C" else f"\\x{ord(character):02x}"
        for character in text[:_LONGEST]
    )
    return shown if len(text) <= _LONGEST else f"{shown}..."


def duration_text(duration_s: float) -> str:
    """Seconds as people say them: 42 s, 3 min 05 s, 2 h 10 min."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in lines
    )
