"""Stated losses against light: what one lane launches is the same, whichever port of the meter it is seen at.

The difference between two ways of a lane must be what the bench file says it is, within the uncertainties.
What all ways of a lane share (its leg from the module to the matrix) cancels: of that nothing is proven here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.units import db_from_ratio, dbm_from_w, w_from_dbm
from harness.acquisitions.lane_walk import LIT_DBM
from harness.bench import Bench
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import read_levels
from harness.calibration.routing import close_way, open_routes
from harness.wiring import MODULE, OpticalPath, Port, Wiring

STEP = "losses"
ALLOWED_U = 1.5
"""How many expanded uncertainties (k = 2) a way may be off: k = 3, for many are compared."""
LARGEST_DRIFT_DB = 0.1
"""How far the light may move meanwhile; with more nothing can be told."""
_ROLES = ("power_meter", "optical_switch", "host_board", "power_supply", "thermal")


@dataclass(frozen=True, slots=True)
class SeenBy:
    """What a lane would launch, as seen by one way: power at its port and the way's stated loss, dBm.
    ``uncertainty_db``: expanded (k = 2), of what the ways of the lane do not share."""

    path: OpticalPath
    launched_dbm: float
    uncertainty_db: float


def own_uncertainty_db(wiring: Wiring, path: OpticalPath, meter_db: float) -> float:
    """Expanded uncertainty (k = 2) of a way and its port of the meter, without the lane's first fibre. Of a
    way that was calibrated as a whole all of it: nothing in it is shared."""
    if path.calibration is not None:
        return math.hypot(path.uncertainty_db, meter_db)
    first = wiring.fibre_from(path.start)
    shared_db = first.uncertainty_db if first is not None else 0.0
    return math.sqrt(max(0.0, path.uncertainty_db**2 - shared_db**2) + meter_db**2)


def check_losses(bench: Bench, lanes: Sequence[int]) -> list[Check]:
    """See each lane by all its ways to the meter, one after the other; all lanes must be lit, and shown to
    arrive where they should. Leaves all routes open.

    :raises BenchError: when an instrument fails.
    """
    wiring = bench.spec.wiring
    meter_db = bench.spec.instruments["power_meter"].uncertainty or 0.0
    checks = []
    for lane in lanes:
        ways = _ways(bench, lane)
        start = f"{MODULE}.tx{lane}"
        if len(ways) < 2:
            checks.append(
                Check(
                    STEP,
                    start,
                    Outcome.NOT_DONE,
                    "the bench has one way of this lane to the meter, and one cannot be compared",
                    "Compare losses by calibration, or by a matrix with two ways to the meter.",
                )
            )
            continue
        powers_w = [_read_way_w(bench, way) for way in ways]
        again_w = _read_way_w(bench, ways[0])
        open_routes(bench)
        dark = [way for way, power_w in zip(ways, powers_w, strict=True) if power_w < _lit_w(way)]
        if dark or again_w < _lit_w(ways[0]):
            checks.append(_dark(start, dark or ways[:1]))
            continue
        drift_db = abs(db_from_ratio(again_w / powers_w[0]))
        seen = [
            SeenBy(way, dbm_from_w(power_w) + way.loss_db, own_uncertainty_db(wiring, way, meter_db))
            for way, power_w in zip(ways, powers_w, strict=True)
        ]
        checks.append(judge_ways(start, seen, drift_db))
    return checks


def judge_ways(start: str, seen: Sequence[SeenBy], drift_db: float) -> Check:
    """Compare what one lane launches by all its ways with the median of the others. ``drift_db``: how far the
    light moved meanwhile."""
    numbers = {
        "drift_db": drift_db,
        "ways": [
            {
                "path": list(entry.path.hops),
                "loss_db": entry.path.loss_db,
                "launched_dbm": entry.launched_dbm,
                "uncertainty_db": entry.uncertainty_db,
            }
            for entry in seen
        ],
    }
    if drift_db > LARGEST_DRIFT_DB:
        return Check(
            STEP,
            start,
            Outcome.FAILED,
            f"the light moved by {drift_db:.2f} dB meanwhile, at most {LARGEST_DRIFT_DB:g} dB allowed",
            "Let the module warm up, fix loose fibres, then prove again; if it stays so, take another "
            "module.",
            numbers,
            _ROLES,
        )
    off = []
    largest = 0.0
    for index, entry in enumerate(seen):
        others = [*seen[:index], *seen[index + 1 :]]
        # With one other way there is no telling which of the two is off: both are named.
        difference_db = entry.launched_dbm - statistics.median(other.launched_dbm for other in others)
        allowed_db = ALLOWED_U * math.hypot(
            entry.uncertainty_db,
            statistics.median(other.uncertainty_db for other in others),
            drift_db / math.sqrt(3.0),
        )
        largest = max(largest, abs(difference_db) / allowed_db)
        if abs(difference_db) > allowed_db:
            off.append((entry, difference_db, allowed_db))
    if not off:
        return Check(
            STEP,
            start,
            Outcome.PASSED,
            f"{len(seen)} ways agree (the worst at {100.0 * largest:.0f} % of what is allowed)",
            "",
            numbers,
            _ROLES,
        )
    found = "; ".join(
        f"by {entry.path.end} it is {difference_db:+.2f} dB off the others, {allowed_db:.2f} dB allowed"
        for entry, difference_db, allowed_db in off
    )
    ways = "; ".join(" > ".join(entry.path.hops[1:]) for entry, _, _ in off)
    more = all(difference_db > 0.0 for _, difference_db, _ in off)
    return Check(
        STEP,
        start,
        Outcome.FAILED,
        found,
        (
            f"Light arrives that the stated loss does not allow for: correct the loss of {ways} in the "
            f"bench file, and see that no offset is set in the meter."
            if more
            else f"Inspect and clean each end of {ways}, then prove again; if it stays so, calibrate these "
            f"losses and correct the bench file."
        ),
        numbers,
        _ROLES,
    )


def _dark(start: str, dark: Sequence[OpticalPath]) -> Check:
    ways = "; ".join(" > ".join(way.hops) for way in dark)
    return Check(
        STEP,
        start,
        Outcome.FAILED,
        f"no light by {ways}",
        "Follow this way: a fibre is unplugged, broken or plugged elsewhere. Then prove again.",
        {"dark": [list(way.hops) for way in dark]},
        _ROLES,
    )


def _ways(bench: Bench, lane: int) -> list[OpticalPath]:
    """A lane's ways to the meter, one for each port, without attenuators (what these are set to matters)."""
    found: dict[Port, OpticalPath] = {}
    for way in bench.spec.wiring.paths(Port(MODULE, f"tx{lane}"), "power_meter"):
        if not way.attenuators and way.end.number in bench.power_meter.channels:
            found.setdefault(way.end, way)
    return list(found.values())


def _lit_w(way: OpticalPath) -> float:
    return w_from_dbm(LIT_DBM - way.loss_db)


def _read_way_w(bench: Bench, way: OpticalPath) -> float:
    """What arrives by a way with no other route closed."""
    close_way(bench, way)
    return read_levels(bench, [way.end.number])[way.end.number].mean_w
