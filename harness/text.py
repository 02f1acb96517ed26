"""Text for terminals."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata
from collections.abc import Sequence

_LONGEST = 400
_LINE_ENDS = frozenset({"Zl", "Zp"})
_GAP = "  "
_NARROWEST = 8


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


def figure_text(value: float, *, signed: bool = False) -> str:
    """A measured number: to three decimals, or to three digits where those would show little of it, as of a
    bit error ratio."""
    few = 0.0 < abs(value) < 0.01
    text = f"{value:.3g}" if few else f"{value:.3f}"
    return f"+{text}" if signed and not text.startswith("-") else text


def duration_text(duration_s: float) -> str:
    """Seconds as people say them: 42 s, 3 min 05 s, 2 h 10 min."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """A table in aligned columns; cells are untrusted text. ``width``: of the terminal: what does not fit is
    broken at words, the widest columns first; None: one line for each row, however long."""
    cells = [[printable_text(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    if width is not None:
        widths = _fitted(cells, widths, width - len(_GAP) * (len(widths) - 1))
    top, *below = [_lines(row, widths) for row in cells]
    return "\n".join(["\n".join(lines) for lines in (top, _lines(["-" * w for w in widths], widths), *below)])


def _fitted(cells: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> list[int]:
    """The widths of columns in a room: the widest give way, at first between words, then within them, but
    none below its name or :data:`_NARROWEST`."""
    fitted = list(widths)
    words = [max(len(word) for row in cells for word in (row[i].split() or [""])) for i in range(len(fitted))]
    names = [max(len(name), _NARROWEST) for name in cells[0]]
    for floors in ([max(pair) for pair in zip(words, names, strict=True)], names):
        while sum(fitted) > room:
            spare = [index for index, wide in enumerate(fitted) if wide > floors[index]]
            if not spare:
                break
            fitted[max(spare, key=lambda index: fitted[index])] -= 1
    return fitted


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row of a table, each cell broken into lines of its column's width."""
    broken = [
        [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
        for cell, width in zip(row, widths, strict=True)
    ]
    return [
        _GAP.join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in itertools.zip_longest(*broken, fillvalue="")
    ]
