"""What was proven and calibrated of a bench: one dated file each, never changed and never written over."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from drivers.interfaces import Identity
from harness.bench import Bench
from harness.bench_file.reading import BENCHES_FOLDER, BenchSpec
from harness.run_folder.folder import safe_name

FOLDER = "calibration"
SCHEMA = 1
_LARGEST_FILE = 4 * 1024 * 1024
_MOST_OF_A_NAME = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of the history, as it was read."""

    path: Path
    content: Mapping[str, Any]

    @property
    def at(self) -> str:
        """When it was made (ISO 8601, UTC)."""
        return str(self.content["at"])


def history_folder(spec: BenchSpec, out: Path | None = None) -> Path:
    """Where a bench's history is: ``calibration/<bench>`` beside the bench file, or below ``out``. Of a bench
    that is shipped, below the current folder: the installation is no place for a lab's records."""
    beside = Path.cwd() if spec.path.resolve().parent == BENCHES_FOLDER else spec.path.parent
    return (out if out is not None else beside / FOLDER) / safe_name(spec.name)


def bench_record(
    kind: str, bench: Bench, *, roles: Collection[str], moment: datetime.datetime, **content: Any
) -> dict[str, Any]:
    """A record's content: what was done, and with what. ``roles``: whose instruments had a part in it."""
    spec = bench.spec
    return {
        "schema": SCHEMA,
        "kind": kind,
        "at": moment.isoformat(timespec="seconds"),
        "bench": spec.name,
        "bench_file": spec.path.name,
        "bench_sha256": spec.sha256,
        "simulated": spec.simulated,
        **content,
        "instruments": [_instrument(bench, role) for role in bench.own_roles() if role in roles],
        "software": {"lanewise": _version("lanewise"), "python": platform.python_version()},
    }


def _instrument(bench: Bench, role: str) -> dict[str, Any]:
    part = bench.spec.instruments[role]
    identity = bench.identities.get(role, Identity("", "", "", ""))
    return {
        "role": role,
        "driver": part.driver,
        "address": part.address,
        **asdict(identity),
        "calibration": asdict(part.calibration) if part.calibration else {},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


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


def read_history(folder: Path, name: str) -> tuple[list[Kept], list[str]]:
    """A bench's records of a name, the oldest first; and a line for each file that is no such record."""
    found: list[Kept] = []
    complaints: list[str] = []
    for path in sorted(folder.glob(f"{name}-*.json")):
        try:
            found.append(Kept(path, _read(path)))
        except (OSError, ValueError, RecursionError) as fault:
            complaints.append(f"{path}: is no record of a calibration: {fault}")
    return sorted(found, key=lambda kept: (kept.at, kept.path.stem)), complaints


def _read(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"larger than {_LARGEST_FILE} bytes")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of fault: of the file
    if content.get("schema") != SCHEMA:
        raise ValueError(f"of version {content.get('schema')!r}; this program reads version {SCHEMA}")
    datetime.datetime.fromisoformat(str(content.get("at")))
    return content
