"""Gathers what goes into a run's manifest."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from drivers.catalogue import DRIVERS
from drivers.errors import BenchError
from drivers.interfaces import Identity
from harness.bench_file.history import dates_in
from harness.bench_file.reading import InstrumentSpec
from harness.calibration.proven import proven_drivers
from harness.calibration.reference import newest_reference
from harness.conditions.corner import Corner
from harness.judging.limits import Layer, LimitRow, LimitSet, StandingRow, side_text
from harness.judging.verdict import DECISION_RULE_TEXT
from harness.planning.suites import plan_digest
from harness.run import Run
from harness.run_folder.manifest import (
    InstrumentEntry,
    LayerEntry,
    LimitEntry,
    Manifest,
    PathEntry,
    WaiverEntry,
)
from harness.wiring import REFERENCE, OpticalPath

_REPOSITORY = Path(__file__).resolve().parents[2]
_VERSIONS_OF = ("lanewise", "numpy", "pytest", "pyvisa", "pyvisa-py", "smbus2")


def build_manifest(
    run: Run,
    *,
    plan_files: Sequence[Path],
    items: int,
    corners: Sequence[Corner],
    lanes: Sequence[int],
    overdue: Sequence[str] = (),
) -> Manifest:
    """The manifest of a run that is about to begin. ``overdue``: calibrations that it was told to accept."""
    spec = run.bench.spec
    return Manifest(
        run_id=run.run_id,
        started_at=run.timestamp(),
        plan=run.plan,
        plan_sha256=plan_digest(plan_files),
        plan_items=items,
        corners=[asdict(corner) for corner in corners],
        bench=spec.name,
        bench_file=spec.path.name,
        bench_sha256=spec.sha256,
        simulated=spec.simulated,
        simulation=asdict(spec.simulation) if spec.simulation else {},
        clock=run.bench.clock.kind,
        guardian="no guardian: a run that is killed leaves the bench as it stands",
        decision_rule=spec.decision_rule,
        decision_rule_text=DECISION_RULE_TEXT,
        limits_pmd=run.limits.pmd,
        limits_edition=run.limits.edition,
        limits_sha256=_over_all(run.limits.loaded),
        limits=[limit_entry(standing) for standing in run.limits.standing()],
        limit_layers=[_layer_entry(layer, run.limits) for layer in run.limits.loaded],
        waivers=_waivers(run.limits),
        module=asdict(run.identity) if run.identity else {"fault": run.identity_fault},
        instruments=_instruments(run),
        paths=_paths(run, lanes),
        software=_software(),
        git_commit=_git_commit(),
        overdue_accepted=list(overdue),
        reference=_reference(run),
    )


def limit_entry(standing: StandingRow) -> LimitEntry:
    """A row of limits as people read it."""
    row = standing.row
    return LimitEntry(
        parameter=row.parameter,
        title=row.title,
        unit=row.unit,
        low=side_text(row.low),
        high=side_text(row.high),
        grade=row.grade,
        force=str(row.force),
        source=row.source,
        layer=row.layer,
        note="; ".join(part for part in (_case(row), row.note) if part),
        edition=row.edition,
        waiver=row.waiver,
        overrode=standing.overrode_text(),
    )


def _case(row: LimitRow) -> str:
    parts = []
    if row.lanes:
        parts.append(f"lane{'s' if len(row.lanes) > 1 else ''} {', '.join(map(str, row.lanes))}")
    if row.when is not None:
        parts.append(f"when {row.when.text()}")
    return "; ".join(parts)


def _layer_entry(layer: Layer, limits: LimitSet) -> LayerEntry:
    return LayerEntry(
        kind=str(layer.kind),
        name=layer.name,
        file=layer.path.name,
        sha256=layer.sha256,
        document=layer.document,
        edition=layer.edition,
        applies_to=layer.applies_to.text() if layer.applies_to else "",
        applied=layer in limits.layers,
    )


def _waivers(limits: LimitSet) -> list[WaiverEntry]:
    return [
        WaiverEntry(
            name=waiver.name,
            reason=waiver.reason,
            expires=waiver.expires.isoformat(),
            granted_by=waiver.granted_by,
            covers=sorted({row.parameter for row in layer.rows if row.waiver == waiver.name}),
        )
        for layer in limits.layers
        for waiver in layer.waivers
    ]


def _uncertainty(run: Run, part: InstrumentSpec) -> str:
    if part.role == "power_supply":
        supply = run.bench.spec.supply
        volts, amperes = supply.voltage_uncertainty_v, supply.current_uncertainty_a
        return f"{volts * 1e3:g} mV, {amperes * 1e3:g} mA (k = 2)"
    return f"{part.uncertainty:g} {part.uncertainty_unit} (k = 2)" if part.uncertainty is not None else ""


def _instruments(run: Run) -> list[InstrumentEntry]:
    entries = []
    proven = proven_drivers(run.bench.spec)
    for role, part in run.bench.spec.instruments.items():
        owner = run.bench.spec.instruments[part.shared_with] if part.shared_with else part
        identity = run.bench.identities.get(owner.role, Identity("", "", "", ""))
        entries.append(
            InstrumentEntry(
                role=role,
                driver=owner.driver,
                address=owner.address,
                vendor=identity.vendor,
                model=identity.model,
                serial=identity.serial,
                firmware=identity.firmware,
                proven_on_hardware=DRIVERS[owner.driver].proven_on_hardware
                or (owner.driver, identity) in proven,
                uncertainty=_uncertainty(run, part),
                calibration=asdict(part.calibration) if part.calibration else {},
            )
        )
    return entries


def _paths(run: Run, lanes: Sequence[int]) -> list[PathEntry]:
    """The ways that launch power is measured by, then the other ways that are calibrated."""
    spec = run.bench.spec
    paths = spec.wiring.transmitter_paths(lanes, "power_meter", run.pmd.wavelengths_in_one_fibre_nm)
    entries = [_path_entry(lane, path) for lane, path in paths.items()]
    for entry in spec.calibrated_paths:
        path = spec.wiring.way(entry.start, entry.end, entry.via)
        if path is not None and not any(known.through == _through(path) for known in entries):
            entries.append(_path_entry(entry.start.number, path))
    return entries


def _path_entry(lane: int, path: OpticalPath) -> PathEntry:
    found = path.calibration
    return PathEntry(
        lane=lane,
        start=str(path.start),
        end=str(path.end),
        through=_through(path),
        loss_db=path.loss_db,
        uncertainty_db=path.uncertainty_db,
        calibrated=found.date if found else "",
        due=found.due if found else "",
        record=found.record if found else "",
        record_sha256=found.sha256 if found else "",
    )


def _through(path: OpticalPath) -> str:
    return " > ".join(path.hops)


def _reference(run: Run) -> dict[str, str]:
    """Whether it is good enough is for the plan to say that uses it."""
    spec, identity = run.bench.spec, run.bench.identities.get(REFERENCE)
    if identity is None:
        return {}
    entry = asdict(identity)
    try:
        found = newest_reference(spec, identity)
        if found is not None:
            date, due = dates_in(found.content)
            entry |= {
                "calibrated": date,
                "due": due,
                "record": found.path.name,
                "record_sha256": found.sha256,
            }
    except (BenchError, ValueError) as fault:
        entry["fault"] = str(fault)
    return entry


def _software() -> dict[str, str]:
    versions: dict[str, str] = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _git_commit() -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(_REPOSITORY), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _over_all(layers: Sequence[Layer]) -> str:
    """Over the SHA-256 of each, in their order: of what was judged by, whatever became of the files since."""
    return hashlib.sha256("".join(layer.sha256 for layer in layers).encode("ascii")).hexdigest()
