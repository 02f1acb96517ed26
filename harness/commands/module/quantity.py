"""Numbers with units, lanes and pages as people write them on a command line."""

from __future__ import annotations

import re

from harness.commands.module.running import UsageError

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", re.ASCII)
_PAGES = re.compile(r"(?:0x)?([0-9A-Fa-f]{2})h?(?:-(?:0x)?([0-9A-Fa-f]{2})h?)?", re.ASCII)
_LONGEST_S = 7 * 86400.0


def seconds(text: str, option: str) -> float:
    """``10 s``, ``500ms``, ``2 min``; a bare number is of seconds. Above 0.

    :raises UsageError: naming ``option``.
    """
    from harness.tables import parse_quantity

    try:
        value = parse_quantity(f"{text} s" if _NUMBER.fullmatch(text.strip()) else text, "s")
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
    if not 0.0 < value <= _LONGEST_S:
        raise UsageError(f"{option}: {text!a} is not a time above 0 and up to a week")
    return value


def numbers(text: str, option: str, *, low: int, high: int) -> tuple[int, ...]:
    """``1,3-4`` as numbers in order, each once.

    :raises UsageError: naming ``option``.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else -1
        last = int(match[2] or match[1]) if match else -1
        if not low <= first <= last <= high:
            raise UsageError(f"{option}: {part.strip()!a} is not like 1 or 3-4, within {low}..{high}")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def pages(text: str, option: str) -> tuple[int, ...]:
    """``00h,11h-14h`` as page numbers.

    :raises UsageError: naming ``option``.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _PAGES.fullmatch(part.strip())
        if match is None or int(match[1], 16) > int(match[2] or match[1], 16):
            raise UsageError(f"{option}: {part.strip()!a} is not like 11h or 11h-14h")
        found.update(range(int(match[1], 16), int(match[2] or match[1], 16) + 1))
    return tuple(sorted(found))
