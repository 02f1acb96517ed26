"""The report's smaller tables, from records and manifest to rows of text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.judging.limits import Force
from harness.run_folder.folder import (
    ENGINEER_HTML,
    JOURNAL,
    JUNIT_XML,
    MANIFEST,
    MEASUREMENTS,
    RAW,
    REPORT_HTML,
    RunFolder,
)
from harness.run_folder.manifest import LimitEntry, Manifest, PathEntry
from harness.run_folder.records import Acquisition, BringUp, Invalid, Measurement, Skipped
from reports.grid import title_of
from reports.text import difference_unit, number, plain, seconds, with_unit

_MODULE_LABELS = {
    "vendor": "Vendor",
    "vendor_name": "Vendor",
    "vendor_oui": "Vendor OUI",
    "oui": "Vendor OUI",
    "part_number": "Part number",
    "vendor_pn": "Part number",
    "revision": "Revision",
    "vendor_rev": "Revision",
    "serial": "Serial number",
    "serial_number": "Serial number",
    "vendor_sn": "Serial number",
    "date_code": "Date code",
    "lot_code": "Lot code",
    "clei_code": "CLEI code",
    "firmware": "Firmware",
    "active_firmware": "Firmware, active",
    "inactive_firmware": "Firmware, inactive",
    "hardware_revision": "Hardware revision",
    "cmis_revision": "CMIS revision",
    "identifier": "Identifier",
    "form_factor": "Form factor",
    "media_type": "Media type",
    "power_class": "Power class",
    "max_power_w": "Maximum power (W)",
    "application": "Application",
    "connector": "Connector",
}
_LISTED_ITEMS = 12
_LISTED_TRACES = 50
_LARGEST_HASHED_FILE = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a bring-up. ``share``: elapsed of allowed time in percent, None when not both are known."""

    name: str
    passed: bool
    elapsed: str
    allowed: str
    share: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Contribution:
    """One line of an uncertainty budget; ``low`` and ``high`` differ where acquisitions differ."""

    name: str
    standard: str
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The uncertainty budget of one kind of acquisition. ``combined``: root of the sum of squares of one
    lane's contributions, of the lane with the largest; empty when they are not of one unit. ``reported``:
    parameter and expanded uncertainty as rows state."""

    acquisition: str
    contributions: tuple[Contribution, ...]
    combined: str
    combined_unit: str
    reported: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Planned items that share a reason. ``more``: how many are not listed."""

    reason: str
    items: tuple[str, ...]
    total: int

    @property
    def more(self) -> int:
        """How many items are not listed."""
        return self.total - len(self.items)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of the folder; ``octets`` and ``sha256`` of the files that hold the truth."""

    name: str
    meaning: str
    octets: int | None
    sha256: str


def module_rows(module: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Label and text of all that is known of the module, the usual fields first."""
    ordered = [name for name in _MODULE_LABELS if name in module]
    ordered += [name for name in module if name not in _MODULE_LABELS]
    return tuple(
        (_MODULE_LABELS.get(name) or name.replace("_", " ").capitalize(), plain(module[name]) or "not stated")
        for name in ordered
    )


def step_rows(bring_up: BringUp) -> tuple[StepRow, ...]:
    """The steps of a bring-up."""
    return tuple(_step(step) for step in bring_up.steps)


def _step(step: Mapping[str, Any]) -> StepRow:
    elapsed, allowed = _number(step.get("elapsed_s")), _number(step.get("allowed_s"))
    passed = step.get("passed") is True
    lanes = plain(step.get("lanes"))
    parts = [f"lanes {lanes}"] if lanes else []
    if not passed:
        expected, found = plain(step.get("expected")), plain(step.get("found"))
        register = plain(step.get("register"))
        parts += [f"register {register}"] if register else []
        parts += [f"expected {expected}, found {found}"] if expected or found else []
    parts += [plain(step["explanation"])] if step.get("explanation") else []
    return StepRow(
        name=plain(step.get("name")) or "unnamed step",
        passed=passed,
        elapsed="" if elapsed is None else seconds(elapsed),
        allowed="" if allowed is None else seconds(allowed),
        # A step that was found done proves no time.
        share=100.0 * elapsed / allowed
        if elapsed is not None and allowed and step.get("measured") is not False
        else None,
        detail="; ".join(parts),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e15 else None


def budgets(
    acquisitions: Sequence[Acquisition], measurements: Sequence[Measurement], limits: Sequence[LimitEntry]
) -> tuple[Budget, ...]:
    """The budgets of all kinds of acquisitions that have one."""
    by_name: dict[str, list[Acquisition]] = {}
    for acquisition in acquisitions:
        if acquisition.budget:
            by_name.setdefault(acquisition.name, []).append(acquisition)
    return tuple(_budget(name, group, measurements, limits) for name, group in by_name.items())


def _budget(
    name: str, group: Sequence[Acquisition], measurements: Sequence[Measurement], limits: Sequence[LimitEntry]
) -> Budget:
    values: dict[tuple[str, str, str], list[float]] = {}
    for acquisition in group:
        for entry in acquisition.budget:
            standard = _standard(entry)
            key = (plain(entry.get("name")), plain(entry.get("unit")), plain(entry.get("source")))
            values.setdefault(key, []).extend([] if standard is None else [standard])
    contributions = tuple(
        Contribution(what, _range(found, ""), unit, source) for (what, unit, source), found in values.items()
    )
    combined, unit = _combined(group)
    return Budget(name, contributions, combined, unit, _reported(group, measurements, limits))


def _range(values: Sequence[float], unit: str) -> str:
    if not values:
        return "not stated"
    low, high = f"{min(values):#.2g}", f"{max(values):#.2g}"
    return with_unit(low if low == high else f"{low} to {high}", unit)


def _standard(entry: Mapping[str, Any]) -> float | None:
    stated = (_number(entry.get(key)) for key in ("standard_uncertainty", "standard", "u"))
    return next((value for value in stated if value is not None), None)


def _combined(group: Sequence[Acquisition]) -> tuple[str, str]:
    """Contributions of one lane in one acquisition belong together; those of different lanes do not."""
    squares: list[float] = []
    units: set[str] = set()
    for acquisition in group:
        by_lane: dict[str, float] = {}
        for entry in acquisition.budget:
            standard = _standard(entry)
            if standard is None:
                return "", ""
            units.add(plain(entry.get("unit")))
            lane = plain(entry.get("lane"))
            by_lane[lane] = by_lane.get(lane, 0.0) + standard**2
        squares += by_lane.values()
    if len(units) != 1:
        return "", ""
    return f"{math.sqrt(max(squares)):#.2g}", units.pop()


def _reported(
    group: Sequence[Acquisition], measurements: Sequence[Measurement], limits: Sequence[LimitEntry]
) -> tuple[tuple[str, str], ...]:
    ids = {acquisition.acquisition_id for acquisition in group}
    reported: dict[tuple[str, str], list[float]] = {}
    for row in measurements:
        if row.acquisition_id in ids and row.uncertainty is not None:
            reported.setdefault((row.parameter, row.unit), []).append(row.uncertainty)
    return tuple(
        (title_of(parameter, limits), _range(us, difference_unit(unit)))
        for (parameter, unit), us in reported.items()
    )


def reasons(records: Iterable[Skipped | Invalid]) -> tuple[Reason, ...]:
    """Items grouped by their reason, in order."""
    grouped: dict[str, list[str]] = {}
    for record in records:
        grouped.setdefault(record.reason or "no reason given", []).append(record.test_id)
    return tuple(
        Reason(reason, tuple(items[:_LISTED_ITEMS]), len(items)) for reason, items in grouped.items()
    )


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """``titles``: of parameters that have a binding limit and that nothing was measured of. ``limited``: how
    many parameters have one."""

    titles: tuple[str, ...]
    limited: int

    def text(self, most: int | None = None) -> str:
        """``SMSR, OMAouter, ... (12 of 25 limited parameters)``, with at most so many titles."""
        shown = self.titles if most is None or len(self.titles) <= most else (*self.titles[:most], "...")
        return f"{', '.join(shown)} ({len(self.titles)} of {self.limited} limited parameters)"


def unmeasured(manifest: Manifest, measurements: Sequence[Measurement]) -> Unmeasured:
    """What a pass says nothing about. A parameter whose limits never fail a module is not counted."""
    binding = {entry.parameter for entry in manifest.limits if _binds(entry)}
    limited = dict.fromkeys(entry.parameter for entry in manifest.limits if entry.parameter in binding)
    measured = {row.parameter for row in measurements}
    missing = [title_of(parameter, manifest.limits) for parameter in limited if parameter not in measured]
    return Unmeasured((*missing, *_on_some_lanes(manifest, measurements, limited)), len(limited))


def _on_some_lanes(
    manifest: Manifest, measurements: Sequence[Measurement], limited: Collection[str]
) -> list[str]:
    """Parameters that other lanes than those measured have as well."""
    lanes = {row.lane for row in measurements if row.lane is not None}
    partly = []
    for parameter in limited:
        rows = [row for row in measurements if row.parameter == parameter]
        seen = {row.lane for row in rows if row.lane is not None}
        if seen and seen < lanes:
            unseen = ", ".join(map(str, sorted(lanes - seen)))
            partly.append(f"{title_of(parameter, manifest.limits)} of lane {unseen}")
    return partly


def _binds(entry: LimitEntry) -> bool:
    # A force that this version does not know is not hidden.
    return entry.force not in set(Force) or Force(entry.force).binds


def uncertain_limits(
    limits: Sequence[LimitEntry], measurements: Sequence[Measurement]
) -> tuple[LimitEntry, ...]:
    """Limits used in the run that rest on less than two sources."""
    used = {row.parameter for row in measurements}
    return tuple(entry for entry in limits if entry.parameter in used and entry.grade != "A")


def calibration_words(calibration: Mapping[str, str], at: str = "") -> str:
    """An instrument's calibration in one line, or that none is stated; says when it was overdue ``at`` a date
    and time (both ISO 8601)."""
    if not calibration:
        return "none stated"
    labels = {"certificate": "certificate", "date": "of", "due": "due"}
    known = [f"{label} {calibration[key]}" for key, label in labels.items() if calibration.get(key)]
    known += [
        f"{key.replace('_', ' ')} {text}" for key, text in calibration.items() if key not in labels and text
    ]
    due = plain(calibration.get("due"))
    if due and at and due < at[: len("2026-01-01")]:
        known.append("OVERDUE when this run was made")
    return ", ".join(known) or "none stated"


def path_calibration_words(path: PathEntry, at: str = "") -> str:
    """Where a way's loss comes from; says when its calibration was overdue ``at`` a date and time (ISO
    8601)."""
    if not path.calibrated:
        return "sum of stated losses"
    return calibration_words({"date": path.calibrated, "due": path.due}, at)


def corner_columns(corners: Sequence[Mapping[str, Any]]) -> str:
    """The planned corners in one line: ``0 / 25 / 70 °C × 3.135 / 3.300 / 3.465 V``."""
    temperatures = _distinct(corners, "case_temp_c")
    voltages = _distinct(corners, "vcc_v") or _distinct(corners, "vcc_nominal_v")
    parts = []
    if temperatures:
        parts.append(f"case {' / '.join(number(value) for value in temperatures)} °C")
    if voltages:
        parts.append(f"{' / '.join(f'{value:.3f}' for value in voltages)} V")
    return " × ".join(parts)


def _distinct(corners: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return list(dict.fromkeys(value for corner in corners if (value := _number(corner.get(key))) is not None))


def file_rows(run: RunFolder) -> tuple[FileRow, ...]:
    """The folder's files. Only what the documents are made from is measured and hashed: the documents
    themselves come and go."""
    rows = [
        _file(run.path / MANIFEST, MANIFEST, "what the run was made of"),
        _file(run.path / JOURNAL, JOURNAL, "every record in order, hash-chained; the truth"),
    ]
    raw = run.path / RAW
    traces = sorted(path for path in raw.rglob("*") if path.is_file() and not path.is_symlink())
    rows += [
        _file(path, path.relative_to(run.path).as_posix(), "raw trace") for path in traces[:_LISTED_TRACES]
    ]
    if len(traces) > _LISTED_TRACES:
        rows.append(FileRow(f"{RAW}/ \u2026", f"{len(traces) - _LISTED_TRACES} more raw traces", None, ""))
    rows += [
        FileRow(MEASUREMENTS, "the measurement rows as a table; made from the journal", None, ""),
        FileRow(REPORT_HTML, "this document; made from the folder", None, ""),
        FileRow(ENGINEER_HTML, "the test runner's own view, with logs", None, ""),
        FileRow(JUNIT_XML, "the test runner's result for CI systems", None, ""),
    ]
    return tuple(rows)


def _file(path: Path, name: str, meaning: str) -> FileRow:
    octets = path.stat().st_size
    if octets > _LARGEST_HASHED_FILE:
        return FileRow(name, meaning, octets, "not hashed: too large")
    with path.open("rb") as file:
        return FileRow(name, meaning, octets, hashlib.file_digest(file, "sha256").hexdigest())
