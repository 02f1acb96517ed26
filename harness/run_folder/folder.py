"""A run's folder on disk: where it is made, what its files are called, how it is read.

The journal is the truth. ``measurements.parquet`` and the documents are made from it and may be deleted
and made again at any time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from harness.run_folder.journal import JournalReading, read_journal
from harness.run_folder.manifest import Manifest, read_manifest
from harness.run_folder.records import Measurement, Record

MANIFEST = "run.json"
JOURNAL = "journal.jsonl"
MEASUREMENTS = "measurements.parquet"
RAW = "raw"
ENGINEER_HTML = "engineer.html"
REPORT_HTML = "report.html"
JUNIT_XML = "junit.xml"

R = TypeVar("R", bound=Record)
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


class RunFolderError(ValueError):
    """A folder that is not a run."""


def safe_name(text: str) -> str:
    """Text from a module as a part of a file name: letters, digits and dashes, bounded, never empty."""
    return _UNSAFE.sub("-", text).strip("-")[:40] or "unknown"


def create_run_folder(parent: Path, *, stamp: str, serial: str, plan: str) -> Path:
    """Make a new folder ``<stamp>-<serial>-<plan>`` below ``parent``, never one that exists.

    :raises OSError: when it cannot be made.
    """
    base = f"{safe_name(stamp)}-{safe_name(serial)}-{safe_name(plan)}"
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 1000):
        path = parent / (base if attempt == 1 else f"{base}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        (path / RAW).mkdir()
        return path
    raise FileExistsError(f"{parent / base}: a thousand runs of this name exist already")


def discard_run_folder(path: Path) -> None:
    """Remove the folder of a run that never began: documents about nothing, and no journal.

    :raises RunFolderError: when it has a journal; what was recorded is never removed.
    """
    if (path / JOURNAL).exists():
        raise RunFolderError(f"{path}: has a journal and is kept")
    for name in (MANIFEST, ENGINEER_HTML, REPORT_HTML, JUNIT_XML):
        (path / name).unlink(missing_ok=True)
    for folder in (path / RAW, path):
        if folder.is_dir():
            folder.rmdir()


@dataclass(frozen=True)
class RunFolder:
    """A run, read."""

    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """What the run was made of.

        :raises ManifestError: when it is missing or damaged.
        """
        return read_manifest(self.path / MANIFEST)

    @cached_property
    def journal(self) -> JournalReading:
        """What happened.

        :raises JournalError: when it is damaged.
        """
        path = self.path / JOURNAL
        if not path.is_file():
            raise RunFolderError(f"{self.path}: is not a run folder: {JOURNAL} is missing")
        return read_journal(path)

    def of_type(self, kind: type[R]) -> tuple[R, ...]:
        """All records of a type, in order."""
        return tuple(record for record in self.journal.records if isinstance(record, kind))

    @cached_property
    def measurements(self) -> tuple[Measurement, ...]:
        """All measurement rows, in the order they were judged."""
        return self.of_type(Measurement)
