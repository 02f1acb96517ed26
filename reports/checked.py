"""Whether what a folder holds is of the types its records promise.

A journal line can be whole JSON and still say ``"value": "high"``. Documents are made from checked records
only, so that a damaged or forged folder is refused in one line instead of breaking half-way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from harness.run_folder.folder import JOURNAL, MANIFEST, RunFolder
from harness.run_folder.records import RunStarted, UnknownRecord

_LARGEST_INTEGER = 2**53


class ReportError(ValueError):
    """A run folder that no document can be made from: says where and why."""


def check_run(run: RunFolder) -> None:
    """Check manifest and records of a run.

    :raises ReportError: naming the record or field that is not of its type.
    :raises ManifestError, JournalError, RunFolderError, OSError: when the folder cannot be read at all.
    """
    if not run.path.is_dir():
        raise ReportError(f"{run.path}: there is no such folder")
    if not (run.path / MANIFEST).is_file():
        raise ReportError(f"{run.path}: is not a run folder: {MANIFEST} is missing")
    manifest = run.manifest
    _check(manifest, str(run.path / MANIFEST))
    for started in run.of_type(RunStarted):
        digest = hashlib.sha256((run.path / MANIFEST).read_bytes()).hexdigest()
        if started.manifest_sha256 not in {"", digest}:
            raise ReportError(f"{run.path / MANIFEST}: is not what this run began with: edited or exchanged")
    for position, record in enumerate(run.journal.records, start=1):
        if not isinstance(record, UnknownRecord):
            _check(record, f"{run.path / JOURNAL}: line {position}")


def _check(value: Any, where: str) -> None:
    for name, kind in _fields(value.__class__).items():
        found = getattr(value, name)
        if not _fits(found, kind):
            shown = repr(found)[:80]
            raise ReportError(f"{where}: field {name!r} is not {_words(kind)}: {shown}")
        for entry in found if isinstance(found, list) else ():
            if dataclasses.is_dataclass(entry):
                _check(entry, f"{where}: {name}")


@cache
def _fields(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}


def _fits(value: object, kind: Any) -> bool:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return any(_fits(value, choice) for choice in get_args(kind))
    if origin is list:
        return isinstance(value, list) and all(_fits(item, get_args(kind)[0]) for item in value)
    if origin is dict:
        item_kind = get_args(kind)[1]
        return isinstance(value, Mapping) and all(_fits(item, item_kind) for item in value.values())
    if kind is Any:
        return True
    if kind is types.NoneType:
        return value is None
    return _fits_plain(value, kind)


def _fits_plain(value: object, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int):
        return kind in {int, float} and abs(value) < _LARGEST_INTEGER
    if isinstance(value, float):
        return kind is float and math.isfinite(value)
    return isinstance(value, kind)


def _words(kind: Any) -> str:
    return str(kind).replace("<class '", "").replace("'>", "").replace("typing.", "")
