"""The reference transmitter on the bench: average power, OMAouter, extinction ratio and SECQ of each lane.

The power meter gives the average power, the oscilloscope the extinction ratio and TDECQ; OMAouter is the
former with what the extinction ratio makes of it, so that the oscilloscope's gain does not count. Its own
OMAouter must agree. All lanes are lit and send the pattern meanwhile, as in receiver tests.

TDECQ of light that comes by patch cords is SECQ (802.3 124.8.10, from memory): taken at TP3, without
compliance fibre and without back-reflection. What the ways to the oscilloscope and to TP3 lose is the bench
file's; both are patch cords, whose bandwidth is not limited, so that SECQ and the ratio are the same at the
reference's output, at TP3 and at the oscilloscope.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from drivers.errors import BenchError, NotSettledError
from drivers.interfaces import Identity, ReferenceTransmitter
from drivers.units import dbm_from_w, ratio_from_db
from harness.acquisitions.launch_power import METER_WAVELENGTH_NM
from harness.bench import Bench
from harness.calibration.darkness import make_dark
from harness.calibration.levels import Level, read_levels, shown_dbm
from harness.calibration.reference import MOST_LANES, ReferenceLane, oma_to_average_db, oma_to_average_slope
from harness.calibration.routing import close_way, open_routes
from harness.calibration.two_instruments import OSCILLOSCOPE_DB
from harness.calibration.two_ways import ALLOWED_U
from harness.judging.uncertainty import (
    Contribution,
    expanded,
    from_expanded,
    from_half_width,
    from_readings,
)
from harness.wiring import MODULE, REFERENCE, OpticalPath, Port

ACQUISITIONS = 4
WARM_UP_S = 300.0
"""From light to the first reading: a module's wavelength and power settle within minutes. Assumed."""
EXTINCTION_RATIO_DB = 0.2
"""Expanded uncertainty (k = 2) of an oscilloscope's extinction ratio. Assumed: its dark calibration rules it,
see your data sheet."""
SECQ_DB = 0.25
"""Expanded uncertainty (k = 2) of an oscilloscope's TDECQ. Assumed."""
WAVELENGTH_NM = 0.1
"""Expanded uncertainty (k = 2) of a spectrum analyser's wavelength. Assumed."""
PATTERN_SYMBOLS: Mapping[str, int] = {"SSPRQ": 65_535, "PRBS13Q": 8191}
"""Patterns by which SECQ is measured, the better first: SECQ is defined with SSPRQ."""
SYMBOL_RATE_BD = 53.125e9
PLANE = "output of the reference transmitter (reference_tx.N)"
SECQ_IS = (
    "TDECQ by patch cords, as at TP3: neither compliance fibre nor 21.4 dB back-reflection; the method is "
    "the oscilloscope's (oscilloscope_options)"
)
_LEAST_DBM = -25.0
_QUANTITIES = ("oma_outer_w", "extinction_ratio_db", "tdecq_db")
_IF_IT_CAN = ("rlm", "ceq_db")
_SWEEP_NM = (1301.0, 80.0, 0.1)
"""Centre, span and resolution: all of the O band's CWDM grid."""
_DB_PER_RATIO = 10.0 / math.log(10.0)


@dataclass(frozen=True, slots=True)
class Assumed:
    """Expanded uncertainties (k = 2) that the bench file does not state."""

    extinction_ratio_db: float = EXTINCTION_RATIO_DB
    secq_db: float = SECQ_DB
    wavelength_nm: float = WAVELENGTH_NM


@dataclass(frozen=True, slots=True)
class MeasuredLane:
    """A lane, and everything that it rests on. ``oscilloscope_oma_dbm``: OMAouter as the oscilloscope has it,
    with the loss of its way."""

    lane: ReferenceLane
    oscilloscope_oma_dbm: float
    ways: Mapping[str, OpticalPath]
    readings: Mapping[str, list[float]]
    budgets: Mapping[str, tuple[Contribution, ...]]

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            **self.lane.to_json(),
            "oscilloscope_oma_dbm": self.oscilloscope_oma_dbm,
            "ways": {what: _way_json(way) for what, way in self.ways.items()},
            "at_tp3": [
                {"port": str(way.end), "oma_outer_dbm": self.lane.oma_outer_dbm - way.loss_db}
                for what, way in self.ways.items()
                if what == "tp3"
            ],
            "readings": dict(self.readings),
            "budgets": {what: [asdict(entry) for entry in budget] for what, budget in self.budgets.items()},
        }


@dataclass(frozen=True, slots=True)
class MeasuredReference:
    """All lanes of a transmitter."""

    identity: Identity
    pattern: str
    acquisitions: int
    lanes: tuple[MeasuredLane, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "reference": asdict(self.identity),
            "pattern": self.pattern,
            "symbol_rate_bd": SYMBOL_RATE_BD,
            "acquisitions": self.acquisitions,
            "plane": PLANE,
            "secq_is": SECQ_IS,
            "lanes": [lane.to_json() for lane in self.lanes],
        }


def measure_reference(
    bench: Bench,
    lanes: Collection[int] = (),
    *,
    acquisitions: int = ACQUISITIONS,
    warm_up_s: float = WARM_UP_S,
    assumed: Assumed | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> MeasuredReference:
    """Measure lanes of the reference transmitter (all by default). The bench must be connected; the light of
    the module under test is taken away. Leaves the reference dark and all routes open.

    :raises BenchError: when an instrument or a way is missing, the transmitter sends no pattern that SECQ can
        be measured by or says no serial number, a lane does not arrive or does not lock, the oscilloscope
        doubts a value, or meter and oscilloscope disagree.
    """
    if not 2 <= acquisitions <= 100:
        raise BenchError(f"{acquisitions} acquisitions: expected 2 .. 100")
    reference = bench.reference_tx
    identity = bench.identities[REFERENCE]
    if not identity.serial.strip():
        raise BenchError("reference_tx: it says no serial number, by which its calibration would be known")
    chosen = sorted(lanes) or list(reference.lanes)
    unknown = sorted(set(chosen).difference(reference.lanes))
    if unknown or len(chosen) > MOST_LANES:
        raise BenchError(f"reference_tx: it has lanes {', '.join(map(str, reference.lanes))}, not {unknown}")
    ways = {lane: _ways(bench, lane) for lane in chosen}
    pattern = _pattern(reference)
    make_dark(bench)
    told(f"{pattern} on every lane, {warm_up_s:g} s to warm up")
    found = []
    try:
        reference.start_pattern(pattern)
        bench.clock.sleep(warm_up_s)
        for lane in chosen:
            told(f"lane {lane}")
            found.append(_measure_lane(bench, lane, pattern, ways[lane], acquisitions, assumed or Assumed()))
    finally:
        reference.stop_pattern()
        open_routes(bench)
    return MeasuredReference(identity, pattern, acquisitions, tuple(found))


def judge_lane(
    lane: int,
    ways: Mapping[str, OpticalPath],
    before: Level,
    after: Level,
    readings: Mapping[str, Sequence[float]],
    *,
    meter_db: float,
    wavelength_nm: float | None = None,
    assumed: Assumed | None = None,
) -> MeasuredLane:
    """What was read of a lane, at the reference's output, with uncertainties.

    :param ways: ``power_meter``, ``oscilloscope``, and others that were of use.
    :param before, after: at the meter, before and after the oscilloscope.
    :param readings: by quantity of :class:`drivers.interfaces.EyeReading`, one for each acquisition.
    :param meter_db: expanded uncertainty of the meter.
    :raises BenchError: when the two instruments do not agree about OMAouter.
    """
    allowed = assumed or Assumed()
    to_meter, to_scope = ways["power_meter"], ways["oscilloscope"]
    powers_w = [*before.readings_w, *after.readings_w]
    power_dbm = dbm_from_w(statistics.fmean(powers_w)) + to_meter.loss_db
    drift_db = abs(after.dbm - before.dbm)
    power = (
        from_expanded("power meter", meter_db, "dB", "bench file"),
        from_expanded("way to the meter", to_meter.uncertainty_db, "dB", _source(to_meter)),
        from_half_width("drift", drift_db / 2.0, "dB", "before and after the oscilloscope"),
        from_readings("repeatability of power", [dbm_from_w(w) for w in powers_w], "dB"),
    )
    ratio_db = statistics.fmean(readings["extinction_ratio_db"])
    ratio = (
        from_expanded("oscilloscope's extinction ratio", allowed.extinction_ratio_db, "dB", "assumed"),
        from_readings("repeatability of extinction ratio", readings["extinction_ratio_db"], "dB"),
    )
    slope = oma_to_average_slope(ratio_db)
    to_average_db = oma_to_average_db(ratio_db)
    uneven_db = 0.0
    if readings.get("rlm"):
        # Both inner levels off the same way by (1 - RLM) / 6 of OMAouter each move the average by half of it.
        uneven = max(0.0, 1.0 - statistics.fmean(readings["rlm"])) / 12.0
        uneven_db = _DB_PER_RATIO * uneven * ratio_from_db(to_average_db)
    to_average = (
        *(replace(c, standard=c.standard * slope, source=f"{c.source}; x {slope:.2f}") for c in ratio),
        from_half_width("levels unevenly spaced", uneven_db, "dB", "RLM"),
    )
    secq = (
        from_expanded("oscilloscope's TDECQ", allowed.secq_db, "dB", "assumed"),
        from_readings("repeatability of TDECQ", readings["tdecq_db"], "dB"),
    )
    result = ReferenceLane(
        lane=lane,
        average_power_dbm=power_dbm,
        average_power_uncertainty_db=expanded(power),
        extinction_ratio_db=ratio_db,
        extinction_ratio_uncertainty_db=expanded(ratio),
        oma_to_average_db=to_average_db,
        oma_to_average_uncertainty_db=expanded(to_average),
        oma_outer_dbm=power_dbm + to_average_db,
        oma_outer_uncertainty_db=expanded((*power, *to_average)),
        secq_db=statistics.fmean(readings["tdecq_db"]),
        secq_uncertainty_db=expanded(secq),
        wavelength_nm=wavelength_nm,
        wavelength_uncertainty_nm=None if wavelength_nm is None else allowed.wavelength_nm,
    )
    seen_dbm = dbm_from_w(statistics.fmean(readings["oma_outer_w"])) + to_scope.loss_db
    allowed_db = ALLOWED_U * math.hypot(
        result.oma_outer_uncertainty_db, OSCILLOSCOPE_DB, to_scope.uncertainty_db
    )
    if abs(seen_dbm - result.oma_outer_dbm) > allowed_db:
        raise BenchError(
            f"reference_tx.{lane}: OMAouter is {seen_dbm:.2f} dBm by the oscilloscope and "
            f"{result.oma_outer_dbm:.2f} dBm by the meter and the extinction ratio, {allowed_db:.2f} dB "
            f"apart at most: clean {' > '.join(to_scope.hops)} and {' > '.join(to_meter.hops)}, run the "
            f"oscilloscope's dark calibration, then start again"
        )
    return MeasuredLane(
        result,
        seen_dbm,
        ways,
        {
            "power_before_w": list(before.readings_w),
            "power_after_w": list(after.readings_w),
            **{name: list(values) for name, values in readings.items()},
        },
        {
            "average_power": power,
            "extinction_ratio": ratio,
            "oma_to_average": to_average,
            "oma_outer": (*power, *to_average),
            "secq": secq,
        },
    )


def _measure_lane(
    bench: Bench,
    lane: int,
    pattern: str,
    ways: Mapping[str, OpticalPath],
    acquisitions: int,
    assumed: Assumed,
) -> MeasuredLane:
    before = _power(bench, lane, ways["power_meter"])
    readings = _eye(bench, lane, pattern, ways["oscilloscope"], acquisitions)
    wavelength_nm = _wavelength_nm(bench, ways.get("spectrum_analyser"))
    after = _power(bench, lane, ways["power_meter"])
    return judge_lane(
        lane,
        ways,
        before,
        after,
        readings,
        meter_db=bench.spec.instruments["power_meter"].uncertainty or 0.0,
        wavelength_nm=wavelength_nm,
        assumed=assumed,
    )


def _power(bench: Bench, lane: int, way: OpticalPath) -> Level:
    close_way(bench, way)
    level = read_levels(bench, [way.end.number])[way.end.number]
    if level.dbm < _LEAST_DBM:
        raise BenchError(
            f"reference_tx.{lane}: {shown_dbm(level.mean_w):.1f} dBm at {way.end} by {' > '.join(way.hops)}: "
            f"follow that way; a fibre is unplugged, or lanes are exchanged. Then start again"
        )
    return level


def _eye(
    bench: Bench, lane: int, pattern: str, way: OpticalPath, acquisitions: int
) -> dict[str, list[float]]:
    close_way(bench, way)
    scope, channel = bench.oscilloscope, way.end.number
    try:
        scope.configure(
            channel,
            wavelength_nm=METER_WAVELENGTH_NM,
            symbol_rate_bd=SYMBOL_RATE_BD,
            pattern_symbols=PATTERN_SYMBOLS[pattern],
        )
    except NotSettledError as fault:
        raise BenchError(
            f"reference_tx.{lane}: {way.end} does not lock on {pattern}: {fault}. Check that light arrives "
            f"by {' > '.join(way.hops)}, then start again"
        ) from fault
    wanted = [*_QUANTITIES, *(name for name in _IF_IT_CAN if name in scope.quantities)]
    readings: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(acquisitions):
        for reading in scope.measure(channel, wanted):
            if reading.value is None or reading.questionable or not math.isfinite(reading.value):
                raise BenchError(
                    f"reference_tx.{lane}: the oscilloscope has no {reading.quantity} to rely on: "
                    f"{reading.reason or reading.value}. Look at the eye at {way.end}, then start again"
                )
            readings[reading.quantity].append(reading.value)
    if min(readings["oma_outer_w"]) <= 0.0 or min(readings["extinction_ratio_db"]) <= 0.0:
        raise BenchError(f"reference_tx.{lane}: no modulation at {way.end}; look at the eye")
    return readings


def _wavelength_nm(bench: Bench, way: OpticalPath | None) -> float | None:
    if way is None:
        return None
    close_way(bench, way)
    centre_nm, span_nm, resolution_nm = _SWEEP_NM
    bench.spectrum_analyser.configure(centre_nm=centre_nm, span_nm=span_nm, resolution_nm=resolution_nm)
    return bench.spectrum_analyser.laser_line().wavelength_nm


def _pattern(reference: ReferenceTransmitter) -> str:
    there = reference.patterns
    for pattern in PATTERN_SYMBOLS:
        if pattern in there:
            return pattern
    raise BenchError(
        f"reference_tx: it sends {', '.join(there) or 'no pattern'}; SECQ is measured by "
        f"{' or '.join(PATTERN_SYMBOLS)}. Use a module whose media-side generator has one"
    )


def _ways(bench: Bench, lane: int) -> dict[str, OpticalPath]:
    """By role, and ``tp3`` to the module's receiver of that lane where fibres lead there."""
    start = Port(REFERENCE, str(lane))
    meter, scope = bench.power_meter, bench.oscilloscope
    found = {
        "power_meter": _best(bench, start, "power_meter", meter.channels),
        "oscilloscope": _best(bench, start, "oscilloscope", scope.channels),
    }
    for role, way in found.items():
        if way is None:
            raise BenchError(
                f"{bench.spec.path.name}: no way from {start} to {role} without an attenuator; add the "
                f"missing fibre, or leave the lane out with --lanes"
            )
    if bench.has("spectrum_analyser"):
        found["spectrum_analyser"] = _best(bench, start, "spectrum_analyser", None)
    receiver = Port(MODULE, f"rx{lane}")
    if bench.spec.wiring.is_plugged(receiver):
        found["tp3"] = bench.spec.wiring.way(start, receiver)
    return {what: way for what, way in found.items() if way is not None}


def _best(bench: Bench, start: Port, role: str, ports: Collection[int] | None) -> OpticalPath | None:
    """The way whose loss is known best, without attenuators."""
    ways = [
        way
        for way in bench.spec.wiring.paths(start, role)
        if not way.attenuators and (ports is None or way.end.number in ports)
    ]
    return min(ways, key=lambda way: (way.uncertainty_db, len(way.hops)), default=None)


def _source(way: OpticalPath) -> str:
    return f"calibrated {way.calibration.date}" if way.calibration else "bench file"


def _way_json(way: OpticalPath) -> dict[str, Any]:
    return {
        "through": list(way.hops),
        "loss_db": way.loss_db,
        "uncertainty_db": way.uncertainty_db,
        "record": way.calibration.record if way.calibration else "",
        "attenuators_at_0_db": [str(port) for port in way.attenuators],
    }
