"""``report.html``: the qualification report, one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.judging.limits import GRADES
from harness.run_folder.folder import REPORT_HTML, RunFolder
from harness.run_folder.manifest import Manifest
from harness.run_folder.records import (
    Acquisition,
    BringUp,
    CornerReached,
    Invalid,
    Measurement,
    RunFinished,
    SafeState,
    Skipped,
    UnknownRecord,
)
from reports import sections, summary
from reports.checked import check_run
from reports.environment import environment
from reports.files import replaced
from reports.grid import ParameterGrid, grids, lane_word
from reports.lane_walk import walk_tables
from reports.plots import corner_plot
from reports.text import count, plain, seconds
from reports.words import STYLES


def write_report(run: RunFolder) -> Path:
    """Write ``report.html`` from manifest and journal. The same folder gives the same bytes.

    :raises ReportError: when a record is not of its types.
    :raises JournalError, ManifestError, RunFolderError: when the folder is damaged or is no run.
    :raises OSError: when it cannot be written.
    """
    check_run(run)
    path = run.path / REPORT_HTML
    text = environment().get_template("report.html.j2").render(_content(run))
    with replaced(path) as temporary:
        temporary.write_text(text.lstrip(), encoding="utf-8")
    return path


def _content(run: RunFolder) -> dict[str, Any]:
    manifest = run.manifest
    parameter_grids = grids(run.measurements, manifest.limits)
    anchors = {grid.name: f"p{index}" for index, grid in enumerate(parameter_grids, start=1)}
    finished = run.of_type(RunFinished)
    safe_states = run.of_type(SafeState)
    return {
        "manifest": manifest,
        "subject": _subject(manifest),
        "finished": finished[-1] if finished else None,
        "headline": summary.headline(run),
        "nearest": summary.nearest(parameter_grids),
        "counts": summary.counts(run),
        "findings": summary.findings(parameter_grids),
        "safe_states": safe_states,
        "not_safe": summary.not_safe(safe_states),
        "invalid": sections.reasons(run.of_type(Invalid)),
        "skipped": sections.reasons(run.of_type(Skipped)),
        "module_rows": sections.module_rows(manifest.module),
        "grids": parameter_grids,
        "anchors": anchors,
        # SVG of ours, in which matplotlib escaped all text.
        "plots": {grid.name: Markup(corner_plot(grid, anchors[grid.name])) for grid in parameter_grids},  # noqa: S704
        "lanes": _lanes(parameter_grids),
        "corner_words": sections.corner_columns(manifest.corners),
        "styles": STYLES,
        "bring_ups": [
            {"record": record, "steps": sections.step_rows(record)} for record in run.of_type(BringUp)
        ],
        "corners_reached": run.of_type(CornerReached),
        "waivers": _waivers(run.measurements),
        "repeats": _repeats(parameter_grids),
        "unproven": len({entry.driver for entry in manifest.instruments if not entry.proven_on_hardware}),
        "budgets": sections.budgets(run.of_type(Acquisition), run.measurements, manifest.limits),
        "walks": walk_tables(run.of_type(Acquisition)),
        "grades": GRADES,
        "uncertain_limits": sections.uncertain_limits(manifest.limits, run.measurements),
        "unmeasured": sections.unmeasured(manifest, run.measurements),
        "torn": run.journal.torn,
        "unknown_records": len(run.of_type(UnknownRecord)),
        "trace_rows": _trace_rows(manifest, finished[-1] if finished else None),
        "software_rows": [
            *sorted(manifest.software.items()),
            ("Report made by", f"Lanewise {_own_version()}"),
        ],
        "simulation_rows": [
            (name.replace("_", " ").capitalize(), value) for name, value in manifest.simulation.items()
        ]
        if manifest.simulated
        else [],
        "files": sections.file_rows(run),
    }


def _subject(manifest: Manifest) -> str:
    """The module in one line, from whichever of the usual fields are there."""
    wanted = (
        ("vendor", "vendor_name"),
        ("part_number", "vendor_pn"),
        ("serial_number", "serial", "vendor_sn"),
    )
    parts = [
        next((text for key in keys if (text := plain(manifest.module.get(key)).strip())), "")
        for keys in wanted
    ]
    if parts[2]:
        parts[2] = f"serial number {parts[2]}"
    return " · ".join(part for part in parts if part) or "module of unknown identity"


def _lanes(parameter_grids: Sequence[ParameterGrid]) -> list[int]:
    """Media lanes; of host lanes the matrix has the worst, and their own table has all."""
    media = [grid for grid in parameter_grids if not grid.of_host_lanes]
    return sorted({lane for grid in media for lane in grid.lanes if lane is not None})


def _waivers(measurements: Sequence[Measurement]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for measurement in measurements:
        if measurement.waiver:
            found[measurement.waiver] = found.get(measurement.waiver, 0) + 1
    return list(found.items())


def _repeats(parameter_grids: Sequence[ParameterGrid]) -> list[str]:
    return [
        f"{grid.title}, {lane_word(lane)}, {corner.words}: {count(cell.attempts, 'attempt')}"
        for grid in parameter_grids
        for (lane, corner), cell in grid.cells.items()
        if cell.attempts > 1
    ]


def _trace_rows(manifest: Manifest, finished: RunFinished | None) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("Run", manifest.run_id),
        ("Schema", f"{manifest.schema_major}.{manifest.schema_minor}"),
        ("Git commit", manifest.git_commit or "not known"),
        ("Plan", f"{manifest.plan}, SHA-256 {manifest.plan_sha256}"),
        ("Bench file", f"{manifest.bench_file}, SHA-256 {manifest.bench_sha256}"),
        ("Limits", f"{manifest.limits_pmd}, SHA-256 {manifest.limits_sha256}"),
    ]
    if finished is not None:
        rows += [
            ("Ended", finished.ended),
            ("Time on the bench", seconds(finished.bench_time_s)),
            ("Time by the wall", seconds(finished.wall_time_s)),
            ("Module bus", count(finished.bus_transactions, "transaction")),
            ("Instruments", count(finished.instrument_round_trips, "round trip")),
        ]
    return rows


def _own_version() -> str:
    try:
        return version("lanewise")
    except PackageNotFoundError:
        return "of unknown version"
