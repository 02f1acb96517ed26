"""A value against its limits as a bar of characters that is readable in black and white."""

from __future__ import annotations

import math
from dataclasses import dataclass

DEFAULT_WIDTH = 14


@dataclass(frozen=True, slots=True)
class BarStyle:
    """Characters of a bar: the part up to the value, the part beyond it, the warning limits, and the ends,
    which turn into ``below`` and ``above`` when the value lies beyond an alarm limit."""

    filled: str
    empty: str
    warning: str = "|"
    left: str = "["
    right: str = "]"
    below: str = "<"
    above: str = ">"


UNICODE = BarStyle(filled="■", empty="·")
ASCII = BarStyle(filled="#", empty=".")


def bar(
    value: float,
    low_alarm: float,
    low_warning: float,
    high_warning: float,
    high_alarm: float,
    *,
    width: int = DEFAULT_WIDTH,
    style: BarStyle = UNICODE,
) -> str:
    """``[··|■■■■■·····|··]``: brackets at the alarm limits, strokes at the warning limits, filled up to the
    value. ``width`` cells between the brackets, strokes included.

    A value beyond an alarm limit shows as ``<`` or ``>`` in place of the bracket. Empty text when the limits
    are not finite, all the same or not in order (low alarm <= low warning < high warning <= high alarm), or
    the value is not finite: there is nothing to draw it against.
    """
    numbers = (value, low_alarm, low_warning, high_warning, high_alarm)
    if not all(math.isfinite(number) for number in numbers) or width < 4:
        return ""
    span = high_alarm - low_alarm
    if not (low_alarm <= low_warning < high_warning <= high_alarm and math.isfinite(span)):
        return ""

    def cell(number: float) -> int:
        return min(width - 1, max(0, int((number - low_alarm) / span * width)))

    low_mark, high_mark = cell(low_warning), cell(high_warning)
    if low_mark == high_mark:  # limits closer together than a cell
        low_mark, high_mark = max(0, low_mark - 1), min(width - 1, low_mark + 1)
    last_filled = cell(value) if low_alarm <= value else -1
    if value < low_warning:
        last_filled = min(last_filled, low_mark)
    elif value <= high_warning:
        last_filled = min(last_filled, high_mark)
    cells = [style.filled if index <= last_filled else style.empty for index in range(width)]
    cells[low_mark] = cells[high_mark] = style.warning
    # A stroke hides the value in its cell: the next cell then shows that the limit is passed.
    for mark, passed in ((low_mark, value >= low_warning), (high_mark, value > high_warning)):
        if passed and last_filled <= mark and cells[min(mark + 1, width - 1)] == style.empty:
            cells[mark + 1] = style.filled
    left = style.below if value < low_alarm else style.left
    right = style.above if value > high_alarm else style.right
    return left + "".join(cells) + right
