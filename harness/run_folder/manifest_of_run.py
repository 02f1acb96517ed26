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
from drivers.interfaces import Identity
from harness.bench_file.reading import InstrumentSpec
from harness.calibration.proven import proven_drivers
from harness.conditions.corner import Corner
from harness.judging.limits import LimitRow, Rule
from harness.judging.verdict import DECISION_RULE_TEXT
from harness.run import Run
from harness.run_folder.manifest import InstrumentEntry, LimitEntry, Manifest, PathEntry

_REPOSITORY = Path(__file__).resolve().parents[2]
_VERSIONS_OF = ("lanewise", "numpy", "pytest", "pyvisa", "pyvisa-py", "smbus2")


def build_manifest(
    run: Run,
    *,
    plan_file: Path | None,
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
        plan_sha256=_sha256([plan_file] if plan_file else []),
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
        limits_sha256=_sha256(run.limits.files),
        limits=[limit_entry(row) for row in run.limits.rows],
        module=asdict(run.identity) if run.identity else {"fault": run.identity_fault},
        instruments=_instruments(run),
        paths=_paths(run, lanes),
        software=_software(),
        git_commit=_git_commit(),
        overdue_accepted=list(overdue),
    )


def limit_entry(row: LimitRow) -> LimitEntry:
    """A row of limits as people read it."""
    note = row.note
    if row.when is not None:
        when = row.when
        bounds = [f">= {when.at_least:g}"] if when.at_least is not None else []
        bounds += [f"< {when.below:g}"] if when.below is not None else []
        note = f"when {when.quantity} {' and '.join(bounds)}{'; ' + note if note else ''}"
    return LimitEntry(
        parameter=row.parameter,
        title=row.title,
        unit=row.unit,
        low=_side(row.low),
        high=_side(row.high),
        grade=row.grade,
        force=str(row.force),
        source=row.source,
        layer=row.layer,
        note=note,
    )


def _side(side: float | Rule | None) -> str:
    if side is None:
        return ""
    return side.text() if isinstance(side, Rule) else f"{side:g}"


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
    wiring = run.bench.spec.wiring
    return [
        PathEntry(
            lane=lane,
            start=str(path.start),
            end=str(path.end),
            through=" > ".join(path.hops),
            loss_db=path.loss_db,
            uncertainty_db=path.uncertainty_db,
        )
        for lane, path in wiring.transmitter_paths(lanes, "power_meter").items()
    ]


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


def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
