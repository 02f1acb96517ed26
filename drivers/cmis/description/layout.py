"""Text for people: aligned pairs and tables that are at most :data:`WIDTH` columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100
_INDENT = "  "
_GAP = "  "
_NARROWEST = 8


def pairs(title: str, rows: Iterable[tuple[str, object]]) -> list[str]:
    """A title and lines of ``label  value``; rows whose value is None or empty are left out."""
    shown = [(label, str(value)) for label, value in rows if value not in (None, "")]
    width = max((len(label) for label, _ in shown), default=0)
    lines = [title]
    for label, value in shown:
        room = max(_NARROWEST, WIDTH - len(_INDENT) - width - len(_GAP))
        parts = wrapped(value, room) or [""]
        for index, part in enumerate(parts):
            lines.append(f"{_INDENT}{label if index == 0 else '':<{width}}{_GAP}{part}".rstrip())
    return lines if shown else []


def table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> list[str]:
    """A title and a table; the columns in ``right`` are aligned to the right. What would be wider than the
    page goes on in the next line of the same column. Columns and a head of nothing but empty cells are left
    out."""
    cells = [list(heads), *(list(row) for row in rows)]
    used = [column for column in range(len(heads)) if any(row[column] for row in cells)]
    right = [index for index, column in enumerate(used) if column in right]
    cells = [[row[column] for column in used] for row in cells if row != list(heads) or any(heads)]
    widths = _fitted([max(len(row[column]) for row in cells) for column in range(len(used))])
    lines = [title]
    for row in cells:
        columns = [wrapped(text, width) or [""] for text, width in zip(row, widths, strict=True)]
        for index in range(max(len(parts) for parts in columns)):
            texts = (parts[index] if index < len(parts) else "" for parts in columns)
            lines.append(
                (
                    _INDENT
                    + _GAP.join(
                        text.rjust(width) if column in right else text.ljust(width)
                        for column, (text, width) in enumerate(zip(texts, widths, strict=True))
                    )
                ).rstrip()
            )
    return lines


def sentences(title: str, texts: Iterable[str], mark: str = "- ") -> list[str]:
    """A title and one item for each text, wrapped."""
    lines = [title]
    for text in texts:
        parts = wrapped(text, WIDTH - len(_INDENT) - len(mark)) or [""]
        lines += [
            f"{_INDENT}{mark if index == 0 else ' ' * len(mark)}{part}" for index, part in enumerate(parts)
        ]
    return lines if len(lines) > 1 else []


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` characters; a text that fits is not touched."""
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _fitted(widths: list[int]) -> list[int]:
    """Column widths that fit the page: the widest column gives way, again and again."""
    room = WIDTH - len(_INDENT) - len(_GAP) * (len(widths) - 1)
    fitted = list(widths)
    while sum(fitted) > room:
        widest = max(range(len(fitted)), key=lambda column: fitted[column])
        if fitted[widest] <= _NARROWEST:
            break
        fitted[widest] -= 1
    return fitted
