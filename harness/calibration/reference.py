"""What the reference transmitter sends, as it was measured last: for receiver tests.

All of a lane holds at the reference's own output (``reference_tx.N``). OMAouter at TP3 is the average power
there, which a tap shows, times what the lane's extinction ratio makes of it:
``OMA[dBm] = average[dBm] + oma_to_average_db``. Losses between are the bench file's.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drivers.errors import BenchError
from drivers.interfaces import Identity
from drivers.units import db_from_ratio, ratio_from_db
from harness.bench_file.history import Kept, dates_in, history_folder, number_in, of_this_bench, read_history
from harness.bench_file.reading import BenchSpec
from harness.calibration.due import Overdue, is_overdue, refusal, today
from harness.run_folder.folder import safe_name
from harness.text import printable_text
from harness.wiring.pieces import HIGHEST_UNCERTAINTY_DB, WAVELENGTHS_NM

KIND = "reference"
MOST_LANES = 8
_POWERS_DBM = (-40.0, 20.0)
_RATIOS_DB = (0.1, 30.0)
_SECQ_DB = (-1.0, 20.0)
_LEAST_UNCERTAINTY_DB = 0.001
_AGREES_DB = 0.05
"""How far OMA may be from power and ratio in one record: rounding by who edited it, no more."""


@dataclass(frozen=True, slots=True)
class ReferenceLane:
    """One lane at the reference's own output; uncertainties are expanded (k = 2).

    Attributes: ``oma_to_average_db``: OMAouter over average power, from the extinction ratio
    (:func:`oma_to_average_db`); ``secq_db``: at TP3 by patch cords: neither compliance fibre nor
    back-reflection; ``wavelength_nm``: None where the bench had no spectrum analyser.
    """

    lane: int
    average_power_dbm: float
    average_power_uncertainty_db: float
    extinction_ratio_db: float
    extinction_ratio_uncertainty_db: float
    oma_to_average_db: float
    oma_to_average_uncertainty_db: float
    oma_outer_dbm: float
    oma_outer_uncertainty_db: float
    secq_db: float
    secq_uncertainty_db: float
    wavelength_nm: float | None = None
    wavelength_uncertainty_nm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReferenceCalibration:
    """The newest calibration of one reference transmitter. ``date``, ``due``: ISO 8601; ``record``: its file
    in the bench's history, and SHA-256; ``overdue``: what was due before the day it is used, if any."""

    identity: Identity
    pattern: str
    date: str
    due: str
    simulated: bool
    record: str
    sha256: str
    lanes: Mapping[int, ReferenceLane]
    overdue: Overdue | None = None


def oma_to_average_db(extinction_ratio_db: float) -> float:
    """OMAouter over average power, dB, of evenly spaced levels that are equally frequent:
    10 log10(2 (r - 1) / (r + 1)) (textbook; at 5 dB +0.166 dB)."""
    ratio = ratio_from_db(extinction_ratio_db)
    return db_from_ratio(2.0 * (ratio - 1.0) / (ratio + 1.0))


def oma_to_average_slope(extinction_ratio_db: float) -> float:
    """By how many dB that changes for each dB of extinction ratio."""
    ratio = ratio_from_db(extinction_ratio_db)
    return 2.0 * ratio / (ratio * ratio - 1.0)


def record_name(serial: str) -> str:
    """What the records of one reference transmitter are called."""
    return f"{KIND}-{safe_name(serial)}"


def command(spec: BenchSpec) -> str:
    """What calibrates the reference transmitter of a bench."""
    return f"lanewise bench calibrate {printable_text(spec.path.name)} --reference"


def newest_reference(spec: BenchSpec, identity: Identity, folder: Path | None = None) -> Kept | None:
    """The newest record of this very transmitter on this bench, as it was read; None without any.

    :raises BenchError: when a file of that name is no record.
    """
    kept, damaged = read_history(folder or history_folder(spec), record_name(identity.serial))
    if damaged:
        raise BenchError(
            f"reference_tx: {printable_text(damaged[0])}; move that file out of the history, or calibrate "
            f"again and then move it: {command(spec)}"
        )
    ours = [
        record
        for record in kept
        if of_this_bench(record.content, bench=spec.name, simulated=spec.simulated, seed=spec.seed)
        and _table(record.content.get("reference")).get("serial") == identity.serial
        and _table(record.content.get("reference")).get("vendor") == identity.vendor
    ]
    return ours[-1] if ours else None


def reference_calibration(
    spec: BenchSpec,
    identity: Identity,
    folder: Path | None = None,
    *,
    lanes: Collection[int] = (),
    accept_overdue: bool = False,
    on: datetime.date | None = None,
) -> ReferenceCalibration:
    """The calibration of the reference transmitter that is connected now.

    :param identity: what it answers: ``bench.identities["reference_tx"]``.
    :param folder: the bench's history, by default where ``lanewise bench calibrate`` puts it.
    :param lanes: that must be in it.
    :param accept_overdue: take one that is overdue; the result says so then, and a report must.
    :param on: the day by which due dates are judged; today by default. A replay is judged by the day of its
        recording.
    :raises BenchError: when this transmitter was not calibrated on this bench, another one was, its record is
        no good or overdue, or lacks a lane; names the command to run.
    """
    record = newest_reference(spec, identity, folder)
    who = printable_text(f"{identity.vendor} {identity.model} {identity.serial}")
    if record is None:
        others = sorted(_other_serials(spec, folder or history_folder(spec)))
        known = f"; calibrated here: {', '.join(map(printable_text, others))}" if others else ""
        raise BenchError(
            f"reference_tx: the transmitter that is connected ({who}) was never calibrated on bench "
            f"{printable_text(spec.name)}{known}. Calibrate it: {command(spec)}"
        )
    try:
        found = _calibration(record, identity)
    except (ValueError, TypeError) as fault:
        raise BenchError(
            f"reference_tx: {printable_text(record.path.name)} is no calibration: "
            f"{printable_text(str(fault))}. Calibrate it again: {command(spec)}"
        ) from fault
    missing = sorted(set(lanes).difference(found.lanes))
    if missing:
        raise BenchError(
            f"reference_tx: lanes {', '.join(map(str, missing))} are not in the calibration of {found.date} "
            f"({printable_text(found.record)}). Calibrate them: {command(spec)}"
        )
    if not is_overdue(found.due, on or today()):
        return found
    late = Overdue(
        f"reference_tx ({identity.serial})",
        f"of {found.date} ({found.record})",
        found.due,
        f"calibrate it: {command(spec)}",
    )
    if not accept_overdue:
        raise BenchError(refusal(late))
    return ReferenceCalibration(
        **{name: getattr(found, name) for name in ReferenceCalibration.__slots__ if name != "overdue"},
        overdue=late,
    )


def overdue_reference(spec: BenchSpec, identity: Identity, on: datetime.date) -> Overdue | None:
    """What is overdue of the transmitter that is connected, where it has a calibration that can be read."""
    try:
        return reference_calibration(spec, identity, accept_overdue=True, on=on).overdue
    except BenchError:
        return None  # who measures with it will be told


def _other_serials(spec: BenchSpec, folder: Path) -> set[str]:
    kept, _ = read_history(folder, KIND)
    serials = {
        _table(record.content.get("reference")).get("serial")
        for record in kept
        if of_this_bench(record.content, bench=spec.name, simulated=spec.simulated, seed=spec.seed)
    }
    return {serial for serial in serials if isinstance(serial, str)}


def _calibration(record: Kept, identity: Identity) -> ReferenceCalibration:
    content = record.content
    date, due = dates_in(content)
    pattern = content.get("pattern")
    if not isinstance(pattern, str) or not 0 < len(pattern) <= 40:
        raise ValueError("pattern: expected a pattern's name")
    listed = content.get("lanes")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_LANES:
        raise ValueError(f"lanes: expected a list of 1 .. {MOST_LANES} lanes")
    lanes = [_lane(_table(entry)) for entry in listed]
    by_number = {lane.lane: lane for lane in lanes}
    if len(by_number) != len(lanes):
        raise ValueError("lanes: one is there twice")
    return ReferenceCalibration(
        identity,
        pattern,
        date,
        due,
        content.get("simulated") is True,
        record.path.name,
        record.sha256,
        by_number,
    )


def _lane(entry: Mapping[str, Any]) -> ReferenceLane:
    number = number_in(entry, "lane", 1, MOST_LANES)
    if number % 1.0:
        raise ValueError(f"lane: {number:g} is none")
    try:
        return _checked_lane(int(number), entry)
    except ValueError as fault:
        raise ValueError(f"lane {number:g}: {fault}") from fault


def _checked_lane(number: int, entry: Mapping[str, Any]) -> ReferenceLane:
    def u(key: str) -> float:
        return number_in(entry, key, _LEAST_UNCERTAINTY_DB, HIGHEST_UNCERTAINTY_DB)

    wavelength_nm = uncertainty_nm = None
    if entry.get("wavelength_nm") is not None:
        wavelength_nm = number_in(entry, "wavelength_nm", *WAVELENGTHS_NM)
        uncertainty_nm = number_in(entry, "wavelength_uncertainty_nm", 0.0, 10.0)
    lane = ReferenceLane(
        lane=number,
        average_power_dbm=number_in(entry, "average_power_dbm", *_POWERS_DBM),
        average_power_uncertainty_db=u("average_power_uncertainty_db"),
        extinction_ratio_db=number_in(entry, "extinction_ratio_db", *_RATIOS_DB),
        extinction_ratio_uncertainty_db=u("extinction_ratio_uncertainty_db"),
        oma_to_average_db=number_in(entry, "oma_to_average_db", -30.0, 4.0),
        oma_to_average_uncertainty_db=u("oma_to_average_uncertainty_db"),
        oma_outer_dbm=number_in(entry, "oma_outer_dbm", *_POWERS_DBM),
        oma_outer_uncertainty_db=u("oma_outer_uncertainty_db"),
        secq_db=number_in(entry, "secq_db", *_SECQ_DB),
        secq_uncertainty_db=u("secq_uncertainty_db"),
        wavelength_nm=wavelength_nm,
        wavelength_uncertainty_nm=uncertainty_nm,
    )
    off_db = lane.oma_to_average_db - oma_to_average_db(lane.extinction_ratio_db)
    more_db = lane.oma_outer_dbm - lane.average_power_dbm - lane.oma_to_average_db
    if math.hypot(off_db, more_db) > _AGREES_DB:
        raise ValueError("OMAouter, average power and extinction ratio do not go together")
    return lane


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
