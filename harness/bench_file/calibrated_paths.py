"""``[[calibrated_path]]`` of a bench file: ways whose loss is what ``lanewise bench calibrate`` found last.

The bench file names the way; the newest record of it in the bench's history gives loss, uncertainty and due
date. A record of a way that goes by other ports than the wiring has now is none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.errors import BenchError
from harness.bench_file.history import Kept, dates_in, history_folder, number_in, of_this_bench, read_history
from harness.run_folder.folder import safe_name
from harness.tables import Table, TableError
from harness.text import printable_text
from harness.wiring import OpticalPath, PathCalibration, Port, Wiring
from harness.wiring.pieces import HIGHEST_LOSS_DB, HIGHEST_UNCERTAINTY_DB
from harness.wiring.reading import read_port

KIND = "path"
_LEAST_UNCERTAINTY_DB = 0.001
"""No way is known better: the meter's linearity alone is ten times this."""


@dataclass(frozen=True, slots=True)
class CalibratedPathSpec:
    """A way as the bench file names it; ``via``: a port that it goes by, where several ways lead there."""

    start: Port
    end: Port
    via: Port | None = None

    @property
    def arguments(self) -> str:
        """What ``lanewise bench calibrate`` is told to calibrate it."""
        by = f" --via {self.via}" if self.via is not None else ""
        return f"--path {self.start} {self.end}{by}"


class _Bench(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def wiring(self) -> Wiring: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def calibrated_paths(self) -> Sequence[CalibratedPathSpec]: ...


def read_calibrated_paths(table: Table, wiring: Wiring) -> tuple[CalibratedPathSpec, ...]:
    """The section; each entry is a way that the wiring has."""
    found: list[CalibratedPathSpec] = []
    hops: set[tuple[str, ...]] = set()
    for part in table.tables("calibrated_path"):
        start, end = read_port(part, "from"), read_port(part, "to")
        via = read_port(part, "via") if part.has("via") else None
        part.end()
        if start is None or end is None or (via is None and part.has("via")):
            continue
        if end.role != "power_meter":
            part.complain("to", f"{end}: a way is calibrated to a port of the power meter")
            continue
        entry = CalibratedPathSpec(start, end, via)
        try:
            way = wiring.way(start, end, via)
        except BenchError as fault:
            part.complain("", str(fault))
            continue
        if way is None:
            part.complain("", f"no fibres lead from {start} to {end}{f' by {via}' if via else ''}")
        elif way.hops in hops:
            part.complain("", "this way is named already")
        else:
            hops.add(way.hops)
            found.append(entry)
    return tuple(found)


def record_name(start: Port, end: Port) -> str:
    """What the records of the ways from one port to another are called."""
    return f"{KIND}-{safe_name(f'{start}-{end}')}"


def path_calibrations(spec: _Bench) -> tuple[PathCalibration, ...]:
    """The newest calibration of each way that the bench file names, whether or not it is overdue.

    :raises TableError: with one line for each way that was not calibrated, or whose record is no good.
    """
    folder = history_folder(spec)
    found, complaints = [], []
    for entry in spec.calibrated_paths:
        way = spec.wiring.way(entry.start, entry.end, entry.via)
        try:
            if way is None:
                raise ValueError("the wiring has no such way")  # noqa: TRY301 - one line each, at the end
            found.append(_newest(spec, folder, way))
        except (ValueError, TypeError) as fault:
            name = printable_text(spec.path.name)
            complaints.append(
                f"{name}: calibrated_path: {entry.start} to {entry.end}: {printable_text(str(fault))}; run "
                f"lanewise bench calibrate {name} {entry.arguments}"
            )
    if complaints:
        raise TableError(complaints)
    return tuple(found)


def _newest(spec: _Bench, folder: Path, way: OpticalPath) -> PathCalibration:
    kept, damaged = read_history(folder, record_name(way.start, way.end))
    if damaged:
        # It may be the newest; who took an older one for it would measure with the wrong loss.
        raise ValueError(f"{damaged[0]}: move that file out of the history")
    ours = [
        record
        for record in kept
        if of_this_bench(record.content, bench=spec.name, simulated=spec.simulated, seed=spec.seed)
        and (record.content.get("start"), record.content.get("end")) == (str(way.start), str(way.end))
    ]
    if not ours:
        others = " (those that are there are of another bench, simulated or not)" if kept else ""
        raise ValueError(f"was never calibrated: {folder} has no record of it{others}")
    this_way = [record for record in ours if record.content.get("through") == list(way.hops)]
    if not this_way:
        raise ValueError(
            f"its records are of another way than {' > '.join(way.hops)}: the wiring was changed since"
        )
    return _calibration(this_way[-1], way.hops)


def _calibration(record: Kept, hops: tuple[str, ...]) -> PathCalibration:
    content = record.content
    try:
        date, due = dates_in(content)
        uncertainty_db = number_in(content, "uncertainty_db", _LEAST_UNCERTAINTY_DB, HIGHEST_UNCERTAINTY_DB)
        # Noise may leave a way of no loss a little below nothing.
        loss_db = max(0.0, number_in(content, "loss_db", -uncertainty_db, HIGHEST_LOSS_DB))
    except ValueError as fault:
        raise ValueError(f"{record.path.name}: {fault}") from fault
    return PathCalibration(hops, loss_db, uncertainty_db, date, due, record.path.name, record.sha256)
