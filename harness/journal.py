"""The journal of a run: append-only, durable, chained.

One line is one record. Each line carries its sequence number and, as ``prev``, the SHA-256 of the line
before it, so that an edited, lost or reordered record is found by reading alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records import Record, RecordError, record_from_json

_FIRST_PREV = "0" * 64
_LONGEST_LINE = 16 * 1024 * 1024


class JournalError(ValueError):
    """A journal that was damaged or edited: says at which line."""


@dataclass(frozen=True, slots=True)
class JournalReading:
    """What a journal holds. ``torn`` tells of an unfinished last line (a crash while writing it), which was
    never acknowledged and is left out."""

    records: tuple[Record, ...]
    torn: bool


class Journal:
    """Appends records; what :meth:`append` returned from is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        self._prev = _FIRST_PREV
        self._sequence = 0

    def append(self, *records: Record) -> None:
        """Write the records of one acquisition in one write and make them durable.

        :raises OSError: when the disk does not take them; then none of them is acknowledged.
        """
        lines = []
        prev, sequence = self._prev, self._sequence
        for record in records:
            line = _encode({"seq": sequence, "prev": prev, **record.to_json()})
            lines.append(line)
            prev, sequence = hashlib.sha256(line).hexdigest(), sequence + 1
        data = b"\n".join(lines) + b"\n"
        written = self._file.write(data)
        if written != len(data):
            raise OSError(f"{self.path}: only {written} of {len(data)} bytes were written; is the disk full?")
        os.fdatasync(self._file.fileno())
        self._prev, self._sequence = prev, sequence

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def read_journal(path: Path) -> JournalReading:
    """Read a journal and check its chain.

    :raises JournalError: when a line is damaged, missing, edited or out of order; says which.
    """
    return JournalReading(*_collect(_lines(path), path))


def _collect(lines: Iterator[tuple[int, bytes, bool]], path: Path) -> tuple[tuple[Record, ...], bool]:
    records: list[Record] = []
    prev = _FIRST_PREV
    for number, line, complete in lines:
        if not complete:
            return tuple(records), True
        where = f"{path}: line {number}"
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise JournalError(f"{where} is not JSON: {fault}") from fault
        if not isinstance(content, dict):
            raise JournalError(f"{where} is not a record")
        if content.pop("seq", None) != number - 1 or content.pop("prev", None) != prev:
            raise JournalError(f"{where} does not follow the line before it: edited, lost or out of order")
        try:
            records.append(record_from_json(content))
        except RecordError as fault:
            raise JournalError(f"{where}: {fault}") from fault
        prev = hashlib.sha256(line).hexdigest()
    return tuple(records), False


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            complete = line.endswith(b"\n")
            if not complete and len(line) == _LONGEST_LINE:
                raise JournalError(f"{path}: line {number} is longer than {_LONGEST_LINE} bytes")
            yield number, line.rstrip(b"\n"), complete
