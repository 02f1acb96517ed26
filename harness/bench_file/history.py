"""What was proven and calibrated of a bench: one dated file each, never changed and never written over.

Files are untrusted when they are read back: their size is bounded, and numbers are taken by
:func:`number_in` alone.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.bench_file.shipped import BENCHES_FOLDER
from harness.run_folder.folder import safe_name

FOLDER = "calibration"
SCHEMA = 1
LONGEST_VALIDITY_DAYS = 3650
_LARGEST_FILE = 4 * 1024 * 1024
_MOST_OF_A_NAME = 1000


class _OfABench(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of the history, as it was read; ``sha256``: of its file."""

    path: Path
    content: Mapping[str, Any]
    sha256: str = ""

    @property
    def at(self) -> str:
        """When it was made (ISO 8601, UTC)."""
        return str(self.content["at"])

    @property
    def moment(self) -> datetime.datetime:
        """The same, as a time; one without a zone is UTC."""
        return _moment(self.content)


def history_folder(spec: _OfABench, out: Path | None = None) -> Path:
    """Where a bench's history is: ``calibration/<bench>`` beside the bench file, or below ``out``. Of a bench
    that is shipped, below the current folder: the installation is no place for a lab's records."""
    beside = Path.cwd() if spec.path.resolve().parent == BENCHES_FOLDER else spec.path.parent
    return (out if out is not None else beside / FOLDER) / safe_name(spec.name)


def keep(folder: Path, name: str, record: Mapping[str, Any]) -> Path:
    """Write a record durably as ``<name>-<time>.json``, beside those of before.

    :raises OSError: when it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.fromisoformat(record["at"]).strftime("%Y%m%dT%H%M%SZ")
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=True) + "\n"
    for attempt in range(1, _MOST_OF_A_NAME):
        path = folder / f"{name}-{stamp}{'' if attempt == 1 else f'-{attempt}'}.json"
        try:
            file = path.open("x", encoding="ascii")
        except FileExistsError:
            continue
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return path
    raise FileExistsError(f"{folder}: a thousand records {name}-{stamp} exist already")


def copy_records(spec: _OfABench, names: Iterable[str], beside: Path) -> None:
    """Copy records of a bench's history, by the names of their files, to where they are found for a copy of
    its bench file in the folder ``beside``. Names without a file are left out.

    :raises OSError: when they cannot be read or written.
    """
    folder, to = history_folder(spec), beside / FOLDER / safe_name(spec.name)
    for name in names:
        if (folder / name).is_file():
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, to / name)


def read_history(folder: Path, name: str) -> tuple[list[Kept], list[str]]:
    """A bench's records of a name, the oldest first; and a line for each file that is no such record."""
    found: list[Kept] = []
    complaints: list[str] = []
    for path in sorted(folder.glob(f"{name}-*.json")):
        try:
            found.append(_read(path))
        except (OSError, ValueError, RecursionError) as fault:
            complaints.append(f"{path}: is no record of a calibration: {fault}")
    return sorted(found, key=lambda kept: (kept.moment, kept.path.stem)), complaints


def _read(path: Path) -> Kept:
    with path.open("rb") as file:
        data = file.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise ValueError(f"larger than {_LARGEST_FILE} bytes")
    content = json.loads(data.decode("utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of fault: of the file
    if content.get("schema") != SCHEMA:
        raise ValueError(f"of version {content.get('schema')!r}; this program reads version {SCHEMA}")
    _moment(content)
    return Kept(path, content, hashlib.sha256(data).hexdigest())


def _moment(content: Mapping[str, Any]) -> datetime.datetime:
    """:raises ValueError: when it is no time."""
    moment = datetime.datetime.fromisoformat(str(content.get("at"))[:40])
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)


def number_in(content: Mapping[str, Any], key: str, low: float, high: float) -> float:
    """A finite number of a record, within bounds.

    :raises ValueError: when it is none.
    """
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, found {str(value)[:40]!r}")  # noqa: TRY004
    if not low <= value <= high:  # neither is what is no number at all
        raise ValueError(f"{key}: {str(value)[:40]} is not within {low:g} .. {high:g}")
    return float(value)


def dates_in(content: Mapping[str, Any]) -> tuple[str, str]:
    """Day of a calibration and the day when it is due (ISO 8601).

    :raises ValueError: when it has none, or they cannot be.
    """
    made = _moment(content).date()
    due = datetime.date.fromisoformat(str(content.get("due"))[:40])
    if not 0 <= (due - made).days <= LONGEST_VALIDITY_DAYS:
        raise ValueError(
            f"due: {due.isoformat()} is not within {LONGEST_VALIDITY_DAYS} days after {made.isoformat()}"
        )
    return made.isoformat(), due.isoformat()


def of_this_bench(content: Mapping[str, Any], *, bench: str, simulated: bool, seed: int | None) -> bool:
    """Whether a record was made on such a bench: those of two whose names make one folder are not mixed, nor
    simulated ones with a lab's, nor those of one simulated world with another's. ``seed``: None of a lab, and
    where only a server knows it."""
    if content.get("simulated") is not simulated or content.get("bench", bench) != bench:
        return False
    return not simulated or seed is None or content.get("seed") == seed
