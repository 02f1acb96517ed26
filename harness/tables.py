"""Strict reading of TOML tables that people write: bench files, limits, profiles.

A :class:`Table` hands out values by key and type and collects every complaint as one line with file and
key, so that a file with three mistakes names three. Files are untrusted: their size is bounded and nothing
in them is evaluated.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import math
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.text import printable_text

_LARGEST_FILE = 1024 * 1024
_LONGEST_TEXT = 1000
_LONGEST_QUANTITY = 100
_LONGEST_PLACE = 120
_LONGEST_COMPLAINT = 1500
_LONGEST_NAME, _NEAR = 60, 0.7  # of names that are looked for among those that are known
_QUANTITY = re.compile(
    r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-zµΩ°%/]{1,20})\s*"
)


class TableError(ValueError):
    """A file that does not say what it must. ``complaints``: one line each, with file and key."""

    def __init__(self, complaints: Collection[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(self.complaints))


class Table:
    """One table of a file. Every getter notes a complaint instead of raising and returns a harmless value;
    :meth:`finish` raises them all."""

    def __init__(
        self, content: Mapping[str, Any], *, file: str, key: str, complaints: list[str], sha256: str = ""
    ) -> None:
        self.sha256 = sha256
        """Of the file, as it was read; of the table that is the whole file only."""
        self._content = content
        self._file = file
        self._key = key
        self._complaints = complaints
        self._used: set[str] = set()

    def complain(self, key: str, what: str) -> None:
        """Note a complaint about a key of this table (``""``: about the table itself)."""
        place = ".".join(part for part in (self._key, key) if part)
        # Keys and texts are the file's: one complaint stays one line, whatever is in them.
        where = printable_text(place, longest=_LONGEST_PLACE) or "the file"
        self._complaints.append(
            f"{printable_text(self._file)}: {where}: {printable_text(what, longest=_LONGEST_COMPLAINT)}"
        )

    def has(self, key: str) -> bool:
        """Whether the key is present."""
        return key in self._content

    def names(self) -> tuple[str, ...]:
        """All keys, for tables whose keys are names."""
        return tuple(self._content)

    def _get(self, key: str, kinds: type | tuple[type, ...], called: str, default: Any) -> Any:
        self._used.add(key)
        if key not in self._content:
            if default is not _REQUIRED:
                return default
            self.complain(key, f"is missing; expected {called}")
            return None
        value = self._content[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in _as_tuple(kinds)):
            self.complain(key, f"expected {called}, found {found_words(value)}")
            return None if default is _REQUIRED else default
        return value

    def text(self, key: str, default: str | None = None, *, choices: Collection[str] | None = None) -> str:
        """A string, bounded in length; ``choices`` restricts it."""
        value = self._get(key, str, "text", _REQUIRED if default is None else default)
        if value is None:
            return ""
        if len(value) > _LONGEST_TEXT:
            self.complain(key, f"is longer than {_LONGEST_TEXT} characters")
            return ""
        if choices is not None and value not in choices:
            self.complain(key, f"{_shown(value)} is not one of {', '.join(sorted(choices))}")
        return str(value)

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """true or false."""
        return bool(self._get(key, bool, "true or false", _REQUIRED if default is None else default))

    def integer(self, key: str, default: int | None = None, *, low: int = -(2**63), high: int = 2**63) -> int:
        """A whole number within bounds."""
        value = self._get(key, int, "a whole number", _REQUIRED if default is None else default)
        if value is None:
            return 0
        if not low <= value <= high:
            self.complain(key, f"{_shown(value)} is not within {low} .. {high}")
        return int(value)

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._get(key, (int, float), "a number", _REQUIRED if default is None else default)
        if value is None:
            return 0.0
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.complain(key, f"{_shown(value)} is not a finite number")
            return 0.0
        return number

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None when absent."""
        return self.number(key) if self.has(key) else None

    def quantity(
        self,
        key: str,
        unit: str,
        default: str | None = None,
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> float:
        """A number with its unit, as text (``"0.35 dB"``, ``"20 mohm"``), in ``unit``."""
        called = f'a quantity such as "1.5 {unit}"'
        text = self._get(key, str, called, _REQUIRED if default is None else default)
        if text is None:
            return 0.0
        try:
            value = parse_quantity(text, unit)
        except ValueError as fault:
            self.complain(key, str(fault))
            return 0.0
        if value < low:
            self.complain(key, f"{_shown(text)} is below {low:g} {unit}")
        elif value > high:
            self.complain(key, f"{_shown(text)} is above {high:g} {unit}")
        return value

    def date(self, key: str) -> datetime.date:
        """A date (TOML's own: 2026-03-31, without quotes); ``date.min`` when there is none."""
        value: datetime.date | None = self._get(key, datetime.date, "a date such as 2026-03-31", _REQUIRED)
        if isinstance(value, datetime.datetime):
            self.complain(key, f"expected a date such as 2026-03-31, without time, found {value.isoformat()}")
            return datetime.date.min
        return datetime.date.min if value is None else value

    def table(self, key: str, *, required: bool = True) -> Table:
        """A table below this one; an absent optional one is empty. One that had to be there and is not makes
        one complaint, and none about what would have been in it."""
        value = self._get(key, dict, "a table", _REQUIRED if required else {})
        if value is None:
            return Table({}, file=self._file, key=key, complaints=[])
        return self._child(key, value)

    def tables(self, key: str) -> list[Table]:
        """An array of tables; empty when absent."""
        value = self._get(key, list, "an array of tables", [])
        children = []
        for index, entry in enumerate(value or []):
            name = f"{key}[{index + 1}]"
            if isinstance(entry, dict):
                children.append(self._child(name, entry))
            else:
                self.complain(name, f"expected a table, found {found_words(entry)}")
        return children

    def raw(self, key: str) -> Any:
        """The value as it stands, for options whose owner checks them; None when absent."""
        self._used.add(key)
        return self._content.get(key)

    def named(self) -> Iterator[tuple[str, Table]]:
        """Every entry as a table, for tables whose keys are names."""
        for key in self._content:
            yield key, self.table(key)

    def listed(self, key: str, *, required: bool = True) -> Table | None:
        """The entries of a list, as a table whose keys are ``key[1]``, ``key[2]`` and so on; None when there
        is no list."""
        value = self._get(key, list, "a list", _REQUIRED if required else None)
        if value is None:
            return None
        content = {f"{key}[{number}]": entry for number, entry in enumerate(value, start=1)}
        return Table(content, file=self._file, key=self._key, complaints=self._complaints)

    def _child(self, key: str, content: Mapping[str, Any]) -> Table:
        place = ".".join(part for part in (self._key, key) if part)
        return Table(content, file=self._file, key=place, complaints=self._complaints)

    def end(self) -> None:
        """Complain about every key that nothing asked for."""
        for key in self._content:
            if key not in self._used:
                known = ", ".join(sorted(self._used)) or "nothing"
                self.complain(key, f"unknown key; {did_you_mean(key, self._used) or f'known here: {known}'}")

    def finish(self) -> None:
        """Raise what was noted, if anything.

        :raises TableError: with one line per complaint.
        """
        if self._complaints:
            raise TableError(self._complaints)


class _Required:
    pass


_REQUIRED: Any = _Required()


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``did you mean ...?`` with the names that are nearest to a misspelt one; empty: none is near."""
    near = difflib.get_close_matches(word[:_LONGEST_NAME], sorted(known), n=2, cutoff=_NEAR)
    return f"did you mean {' or '.join(near)}?" if near else ""


def found_words(value: object) -> str:
    """A value of a file with its kind, in words."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.date, datetime.time)):
        return f"the date or time {value.isoformat()}"
    return f"the {'text' if isinstance(value, str) else 'number'} {_shown(value)}"


def _as_tuple(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python is willing to print
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]}..."


def read_table(path: Path, *, shown: str | None = None) -> Table:
    """Read a TOML file.

    :raises TableError: when it cannot be read, is too large or is not TOML.
    """
    name = printable_text(shown or path.name)
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise TableError([f"{printable_text(str(path))}: cannot be read: {why}"]) from fault
    if len(data) > _LARGEST_FILE:
        raise TableError([f"{name}: is larger than {_LARGEST_FILE} bytes"])
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as fault:  # ValueError: also a number of too many digits
        raise TableError([f"{name}: is not TOML: {printable_text(str(fault))}"]) from fault
    digest = hashlib.sha256(data).hexdigest()
    return Table(content, file=name, key="", complaints=[], sha256=digest)


def parse_quantity(text: str, unit: str) -> float:
    """The number of ``text`` ("20 mohm") in ``unit`` ("ohm"). pint knows the units; the number is ours,
    so that no expression is ever evaluated.

    :raises ValueError: when it is no quantity, its unit is unknown, or it cannot be converted.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_QUANTITY else None
    if match is None:
        raise ValueError(f'{_shown(text)} is not a number with a unit, such as "1.5 {unit}"')
    value, given = float(match[1]), match[2]
    if given != unit:
        from harness.quantities import convert

        value = convert(value, given, unit)
    if not math.isfinite(value):
        raise ValueError(f"{_shown(text)} is not a finite number of {unit}")
    return value
