"""``run.json``: what a run was made of. Written once, when the run starts, and never changed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.run_folder.records import SCHEMA_MAJOR, SCHEMA_MINOR


class ManifestError(ValueError):
    """A manifest that cannot be read by this version."""


@dataclass(frozen=True, slots=True)
class InstrumentEntry:
    """One instrument of the bench. ``calibration`` is empty when the bench file states none."""

    role: str
    driver: str
    address: str
    vendor: str
    model: str
    serial: str
    firmware: str
    proven_on_hardware: bool
    uncertainty: str
    calibration: dict[str, str]


@dataclass(frozen=True, slots=True)
class PathEntry:
    """One optical path through the bench, from the port of a lane to one of an instrument. ``calibrated``,
    ``due``, ``record``, ``record_sha256``: of the record in the bench's history that its loss is from; ""
    where it is the sum of what the bench file states of the pieces."""

    lane: int
    start: str
    end: str
    through: str
    loss_db: float
    uncertainty_db: float
    calibrated: str = ""
    due: str = ""
    record: str = ""
    record_sha256: str = ""


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """One row of the limits a run was judged by, as people read it: only sides that no higher layer replaced.
    ``overrode``: what it replaced itself; ``waiver``: the name of the waiver it rests on."""

    parameter: str
    title: str
    unit: str
    low: str
    high: str
    grade: str
    force: str
    source: str
    layer: str
    note: str
    edition: str = ""
    waiver: str = ""
    overrode: str = ""


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One file of limits that was given. ``applied``: whether it was for this module."""

    kind: str
    name: str
    file: str
    sha256: str
    document: str
    edition: str
    applies_to: str
    applied: bool


@dataclass(frozen=True, slots=True)
class WaiverEntry:
    """Leave to be outside a limit. ``expires``: its last day, ISO 8601; ``covers``: parameters."""

    name: str
    reason: str
    expires: str
    granted_by: str
    covers: list[str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about a run that stands before its first measurement. ``replay_of``: the run whose recording
    it was run against, with nothing connected; "" for a run on a bench. ``overdue_accepted``: calibrations
    that were overdue and that the run was told to accept, one line each. ``reference``: the reference
    transmitter and its newest calibration; empty on a bench without one. ``limit_layers``: the files of
    limits, the lowest first; ``waivers``: those that applied."""

    run_id: str
    started_at: str
    plan: str
    plan_sha256: str
    plan_items: int
    corners: list[dict[str, Any]]
    bench: str
    bench_file: str
    bench_sha256: str
    simulated: bool
    simulation: dict[str, Any]
    clock: str
    guardian: str
    decision_rule: str
    decision_rule_text: str
    limits_pmd: str
    limits_edition: str
    limits_sha256: str
    limits: list[LimitEntry]
    module: dict[str, Any]
    instruments: list[InstrumentEntry]
    paths: list[PathEntry]
    software: dict[str, str]
    git_commit: str
    schema_major: int = SCHEMA_MAJOR
    schema_minor: int = SCHEMA_MINOR
    replay_of: str = ""
    overdue_accepted: list[str] = dataclasses.field(default_factory=list)
    reference: dict[str, str] = dataclasses.field(default_factory=dict)
    limit_layers: list[LayerEntry] = dataclasses.field(default_factory=list)
    waivers: list[WaiverEntry] = dataclasses.field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it durably, under a temporary name first."""
        text = json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False, ensure_ascii=True)
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; fields of a newer minor version are left out.

    :raises ManifestError: when it is missing, damaged or of another major version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ManifestError(f"{path}: cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise ManifestError(f"{path}: is not JSON: {fault}") from fault
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: is not a manifest")
    major = content.get("schema_major")
    if major != SCHEMA_MAJOR:
        raise ManifestError(f"{path}: is of version {major!r}; this program reads version {SCHEMA_MAJOR}")
    try:
        return Manifest(
            **{
                **_known(Manifest, content),
                "instruments": [
                    InstrumentEntry(**_known(InstrumentEntry, e)) for e in content["instruments"]
                ],
                "paths": [PathEntry(**_known(PathEntry, e)) for e in content["paths"]],
                "limits": [LimitEntry(**_known(LimitEntry, e)) for e in content["limits"]],
                "limit_layers": [
                    LayerEntry(**_known(LayerEntry, e)) for e in content.get("limit_layers", [])
                ],
                "waivers": [WaiverEntry(**_known(WaiverEntry, e)) for e in content.get("waivers", [])],
            }
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ManifestError(f"{path}: is not a manifest of version {SCHEMA_MAJOR}: {fault}") from fault


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(kind)}
    return {key: value for key, value in content.items() if key in names}
