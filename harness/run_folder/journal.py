"""The journal of a run: append-only, durable, chained.

One line is one record. Each line carries its sequence number, as ``line_sha256`` the SHA-256 of its own
text up to there, and as ``prev`` that of the line before it; so an edited, lost or reordered record, the last
one too, is found by reading alone. Lines lost at the end leave a run without its ``run_finished``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.run_folder.records import SCHEMA_MAJOR, Record, RecordError, RunStarted, record_from_json

_FIRST_PREV = "0" * 64
_LONGEST_LINE = 16 * 1024 * 1024
_SEAL = re.compile(rb',"line_sha256":"([0-9a-f]{64})"\}')
_SEAL_LENGTH = len(',"line_sha256":""}') + 64


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
        self._length = 0

    def append(self, *records: Record) -> None:
        """Write the records of one acquisition in one write and make them durable.

        :raises OSError: when the disk does not take them; then none of them is acknowledged, and what was
            written of them is taken back, so that later records can be read.
        :raises ValueError: when a record holds a number that is none (NaN, infinity) or is too long; nothing
            is written then.
        """
        data = b""
        prev, sequence = self._prev, self._sequence
        for record in records:
            line, prev = _sealed({"seq": sequence, "prev": prev, **record.to_json()})
            if len(line) >= _LONGEST_LINE:
                raise ValueError(
                    f"a record of {len(line)} bytes is too long; put raw data in a file beside it"
                )
            data += line + b"\n"
            sequence += 1
        if not data:
            return
        try:
            written = self._file.write(data)
            if written != len(data):
                raise OSError(  # noqa: TRY301 - handled like what write itself raises
                    f"{self.path}: only {written} of {len(data)} bytes were written; is the disk full?"
                )
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            raise
        self._prev, self._sequence, self._length = prev, sequence, self._length + len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _sealed(content: dict[str, Any]) -> tuple[bytes, str]:
    """A line without its end, and its SHA-256."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    return text[:-1] + f',"line_sha256":"{digest}"}}'.encode(), digest


def _unsealed(line: bytes) -> tuple[dict[str, Any], str] | None:
    """What :func:`_sealed` made a line of, and its SHA-256; None when the line is not as it was written."""
    seal = _SEAL.fullmatch(line[-_SEAL_LENGTH:])
    text = line[:-_SEAL_LENGTH] + b"}"
    digest = hashlib.sha256(text).hexdigest()
    if seal is None or seal[1].decode() != digest:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return (content, digest) if isinstance(content, dict) else None


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
        unsealed = _unsealed(line)
        if unsealed is None:
            raise JournalError(f"{where} is not as it was written: edited or damaged")
        content, digest = unsealed
        sequence, follows = content.pop("seq", None), content.pop("prev", None)
        if sequence != number - 1 or follows != prev:
            raise JournalError(
                f"{where} does not follow the line before it: lines were lost, put in or moved "
                f"(expected record {number - 1}, found {sequence!r})"
            )
        try:
            record = record_from_json(content)
        except RecordError as fault:
            raise JournalError(f"{where}: {fault}") from fault
        if isinstance(record, RunStarted) and record.schema_major != SCHEMA_MAJOR:
            raise JournalError(
                f"{where}: the journal is of version {record.schema_major!r}; "
                f"this program reads version {SCHEMA_MAJOR}"
            )
        records.append(record)
        prev = digest
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
