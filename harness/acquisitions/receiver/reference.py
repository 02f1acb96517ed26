"""What the reference transmitter sends: from its calibration, or, where there is none, measured in the run.

A calibration (``lanewise bench calibrate BENCH --reference``) is the better one: warm, on SSPRQ, four times.
Measured in the run it is by PRBS13Q, after a short warm-up; TDECQ is then that of PRBS13Q, which tells
a clean transmitter from a stressed one and no more, so that where it comes near the PMD's SECQ the lane is
measured by SSPRQ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from drivers.errors import BenchError, InstrumentError, NotSettledError
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.lane_light import route
from harness.acquisitions.launch_power import METER_WAVELENGTH_NM
from harness.calibration.levels import read_levels
from harness.calibration.reference import (
    ReferenceLane,
    command,
    newest_reference,
    oma_to_average_slope,
    reference_calibration,
)
from harness.calibration.reference_measuring import PATTERN_SYMBOLS, judge_lane
from harness.judging.measured import ModuleFault, NotOffered
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.text import printable_text
from harness.wiring import REFERENCE, OpticalPath, Port

NAME = "reference_transmitter"
PRBS13Q, SSPRQ = "PRBS13Q", "SSPRQ"
ACQUISITIONS: Mapping[str, int] = {PRBS13Q: 4, SSPRQ: 2}
"""In the run, of the oscilloscope for each lane. PRBS13Q has one run of seven threes and one of six zeros, so
that its extinction ratio scatters by some 0.1 dB."""
TDECQ_ACQUISITIONS = 2
"""Of those with TDECQ, which costs an oscilloscope more time than all else."""
WARM_UP_S = 20.0
"""In the run, from light to the first reading. Shorter than for a calibration: what a tap shows at each
measurement is what counts, and the extinction ratio settles with the bias. Assumed."""
STRESSED_WITHIN_DB = 1.0
"""Of the PMD's stressed SECQ, from which on TDECQ by PRBS13Q calls for SSPRQ: the two differ by some tenths
of a dB. Assumed."""
CALIBRATED = "calibrated"
IN_THIS_RUN = "measured in this run"
_QUANTITIES = ("oma_outer_w", "extinction_ratio_db", "tdecq_db", "rlm")


@dataclass(frozen=True, slots=True)
class Source:
    """The reference as this run knows it. ``known_by``: ``calibrated <date> (<record>)`` or ``measured in
    this run``; ``secq_pattern``: by lane, what its SECQ was measured by."""

    lanes: Mapping[int, ReferenceLane]
    known_by: str
    secq_pattern: Mapping[int, str]


def reference_transmitter(run: Run, lanes: Sequence[int]) -> Acquired:
    """Extinction ratio and SECQ of the reference's lanes, once in a run; its average power is recorded too.

    Gives ``reference_extinction_ratio`` (dB) and ``reference_secq`` (dB). Everything else of a lane is in the
    record, from which :func:`source_of` has it. The reference is dark afterwards.

    :raises BenchError: when the calibration is no good or overdue, an instrument fails, a lane does not
        arrive, or meter and oscilloscope disagree.
    """
    bench = run.bench
    start_s = bench.clock.now_s()
    identity = bench.identities.get(REFERENCE)
    lacking = ""
    source: Source | None = None
    readings: dict[str, Any] = {}
    if identity is None:
        lacking = f"the bench {bench.spec.name} has no reference_tx"
    elif run.pmd.multiplexed:
        lacking = (
            f"the lanes of {run.pmd.name} share the fibre: a reference whose lanes share it cannot be "
            f"calibrated without a demultiplexer"
        )
    elif newest_reference(bench.spec, identity) is not None:
        source = _from_history(run, lanes)
    else:
        ways = _ways(run, lanes)
        if isinstance(ways, NotOffered):
            lacking = ways.reason
        else:
            source, readings = _measured_now(run, ways)
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"known_by": source.known_by if source else "not at all"},
        data={
            "reference": asdict(identity) if identity else None,
            "lanes": [lane.to_json() for lane in source.lanes.values()] if source else [],
            "secq_pattern": {str(lane): name for lane, name in source.secq_pattern.items()} if source else {},
            "readings": readings,
            "not_offered": lacking,
        },
        budget=[],
    )
    return Acquired(record, _values(run, record, lanes, source, lacking))


def source_of(before: Mapping[str, Acquired | ModuleFault]) -> Source | NotOffered:
    """The reference, as :func:`reference_transmitter` had it in this run."""
    acquired = before.get(NAME)
    if not isinstance(acquired, Acquired):
        return NotOffered("the reference transmitter was not looked at")
    data = acquired.record.data
    if data["not_offered"]:
        return NotOffered(data["not_offered"])
    names = {entry.name for entry in fields(ReferenceLane)}
    listed = [ReferenceLane(**{k: v for k, v in entry.items() if k in names}) for entry in data["lanes"]]
    return Source(
        {lane.lane: lane for lane in listed},
        acquired.record.conditions["known_by"],
        {int(lane): name for lane, name in data["secq_pattern"].items()},
    )


def _from_history(run: Run, lanes: Sequence[int]) -> Source:
    spec = run.bench.spec
    found = reference_calibration(
        spec,
        run.bench.identities[REFERENCE],
        lanes=lanes,
        accept_overdue=run.accept_overdue,
        on=run.judged_on,
    )
    late = ", OVERDUE" if found.overdue is not None else ""
    return Source(
        {lane: found.lanes[lane] for lane in lanes},
        f"{CALIBRATED} {found.date} ({printable_text(found.record)}){late}",
        dict.fromkeys(lanes, found.pattern),
    )


# -- measured in the run ---------------------------------------------------------------------------------


def _ways(run: Run, lanes: Sequence[int]) -> dict[int, dict[str, OpticalPath]] | NotOffered:
    """By lane and role, without attenuators."""
    bench, spec = run.bench, run.bench.spec
    advice = f"Calibrate it: {command(spec)}"
    if not bench.has("oscilloscope"):
        return NotOffered(
            f"the reference transmitter ({printable_text(bench.identities[REFERENCE].serial)}) was never "
            f"calibrated on this bench, which has no oscilloscope to measure it by. {advice}"
        )
    found: dict[int, dict[str, OpticalPath]] = {}
    for lane in lanes:
        found[lane] = {}
        for role in ("power_meter", "oscilloscope"):
            ways = [way for way in spec.wiring.paths(Port(REFERENCE, str(lane)), role) if not way.attenuators]
            if not ways:
                return NotOffered(
                    f"the reference transmitter was never calibrated on this bench, and no way leads from "
                    f"{REFERENCE}.{lane} to {role} to measure it. {advice}"
                )
            found[lane][role] = min(ways, key=lambda way: (len(way.hops), way.uncertainty_db))
    return found


def _measured_now(run: Run, ways: Mapping[int, Mapping[str, OpticalPath]]) -> tuple[Source, dict[str, Any]]:
    bench = run.bench
    reference = bench.reference_tx
    if PRBS13Q not in reference.patterns:
        raise BenchError(
            f"reference_tx: it sends {', '.join(reference.patterns)} and no {PRBS13Q}, so that it cannot be "
            f"measured in the run. Calibrate it: {command(bench.spec)}"
        )
    lanes: dict[int, ReferenceLane] = {}
    patterns: dict[int, str] = {}
    raw: dict[str, Any] = {}
    if bench.has("optical_switch"):
        bench.optical_switch.disconnect_all()  # none of its light may come to the module unlooked at
    try:
        reference.start_pattern(PRBS13Q)
        bench.clock.sleep(WARM_UP_S)
        for lane in ways:
            lanes[lane], raw[str(lane)] = _lane(run, lane, ways[lane], PRBS13Q)
            patterns[lane] = PRBS13Q
        again = [lane for lane, found in lanes.items() if _may_be_stressed(run, found)]
        if again and SSPRQ in reference.patterns:
            reference.start_pattern(SSPRQ)
            for lane in again:
                lanes[lane], raw[f"{lane}, {SSPRQ}"] = _lane(run, lane, ways[lane], SSPRQ)
                patterns[lane] = SSPRQ
    finally:
        reference.stop_pattern()
        if bench.has("optical_switch"):
            bench.optical_switch.disconnect_all()
    return Source(lanes, IN_THIS_RUN, patterns), raw


def _may_be_stressed(run: Run, lane: ReferenceLane) -> bool:
    wanted_db = run.pmd.stressed_secq_db
    return wanted_db is not None and abs(lane.secq_db - wanted_db) <= STRESSED_WITHIN_DB


def _lane(
    run: Run, lane: int, ways: Mapping[str, OpticalPath], pattern: str
) -> tuple[ReferenceLane, dict[str, Any]]:
    bench = run.bench
    meter, scope_way = ways["power_meter"], ways["oscilloscope"]
    port, scope, channel = meter.end.number, bench.oscilloscope, scope_way.end.number
    route(run, meter)
    before = read_levels(bench, [port])[port]
    route(run, scope_way)
    readings: dict[str, list[float]] = {
        name: [] for name in _QUANTITIES if name != "rlm" or name in scope.quantities
    }
    try:
        scope.configure(
            channel,
            wavelength_nm=METER_WAVELENGTH_NM,
            symbol_rate_bd=run.pmd.symbol_rate_bd,
            pattern_symbols=PATTERN_SYMBOLS[pattern],
        )
    except NotSettledError as fault:
        raise InstrumentError(
            "reference_tx",
            f"lane {lane}: the oscilloscope does not lock on its {pattern} by {' > '.join(scope_way.hops)}: "
            f"{fault}",
            advice="Check that way and the reference module.",
        ) from fault
    for count in range(ACQUISITIONS[pattern]):
        wanted = [name for name in readings if name != "tdecq_db" or count < TDECQ_ACQUISITIONS]
        for reading in scope.measure(channel, wanted, patterns=1):
            if reading.value is None or reading.questionable:
                raise InstrumentError(
                    "oscilloscope",
                    f"no {reading.quantity} of lane {lane} of the reference to rely on: {reading.reason}",
                    advice=f"Look at its eye, or calibrate it: {command(bench.spec)}",
                )
            readings[reading.quantity].append(reading.value)
    route(run, meter)
    after = read_levels(bench, [port])[port]
    uncertainty_db = bench.spec.instruments["power_meter"].uncertainty or 0.0
    found = judge_lane(lane, ways, before, after, readings, meter_db=uncertainty_db)
    return found.lane, {
        "pattern": pattern,
        "power_before_w": list(before.readings_w),
        "power_after_w": list(after.readings_w),
        **readings,
    }


def _values(
    run: Run, record: Acquisition, lanes: Sequence[int], source: Source | None, lacking: str
) -> dict[tuple[str, int | None], Value]:
    found: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        if source is None:
            found["reference_extinction_ratio", lane] = NotOffered(lacking)
            found["reference_secq", lane] = NotOffered(lacking)
            continue
        known = source.lanes[lane]
        conditions = {"known_by": source.known_by, "pattern": source.secq_pattern[lane]}
        ratio_u_db = known.oma_to_average_uncertainty_db / oma_to_average_slope(known.extinction_ratio_db)
        for name, value, uncertainty in (
            ("reference_extinction_ratio", known.extinction_ratio_db, ratio_u_db),
            ("reference_secq", known.secq_db, known.secq_uncertainty_db),
        ):
            make = run.measured_from(record, lane=lane, uncertainty=uncertainty)
            found[name, lane] = make(
                value=value, unit="dB", plane="TP3", detector="oscilloscope", conditions=conditions
            )
    return found
