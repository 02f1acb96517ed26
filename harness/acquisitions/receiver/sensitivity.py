"""Receiver sensitivity, bit error ratio at the channel's insertion loss, and stressed sensitivity.

Sources: IEEE 802.3 Table 124-7 and 124.1.1, as data sheets quote them; the practice of sweeps is the trade's.
All lanes are lit by the reference, which has its own clock; OMAouter at TP3 is what the taps show and the
reference's extinction ratio. The module counts its own errors.

The worst compliant link: a transmitter whose TDECQ is the reference's SECQ may launch as little OMAouter as
the transmitter's two limits allow (OMAouter, and OMAouter - TDECQ by the extinction ratio's class), and the
channel may lose its insertion loss. What is left is ``oma_at_channel_loss_dbm``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from drivers.units import dbm_from_w
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.receiver.counting import NO_LOCK_BER, Counted
from harness.acquisitions.receiver.light import ReceiverLight
from harness.acquisitions.receiver.prepared import Before, Prepared, Values, nothing, prepared, with_facts
from harness.acquisitions.receiver.waterfall import Threshold, ber_uncertainty, threshold_of, waterfall
from harness.calibration.reference import ReferenceLane
from harness.judging.budgets import budget_of
from harness.judging.measured import NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_expanded
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.waveform import SignalError
from harness.traffic import TRAFFIC

NAME, STRESSED = "receiver_sensitivity", "stressed_receiver"
PARAMETERS = ("ber_at_channel_loss", "channel_margin", "receiver_sensitivity_oma", "rx_power_monitor_error")
STRESSED_PARAMETERS = ("stressed_receiver_sensitivity_oma", "stressed_sensitivity_weaker_aggressors")
SECQ_WITHIN_DB = 0.3
"""How far the source's calibrated SECQ may be from the PMD's: its own expanded uncertainty by an oscilloscope
is 0.25 dB, so that nearer cannot be told."""
AGGRESSORS_WITHIN_DB = 0.5
"""How far below the stated OMAouter the other lanes may be."""
_REACHED_DB = 0.1
_MONITOR_STEP_W = 0.1e-6  # page 11h, bytes 186-201
_NOT_TESTED = "receiver not conformance-tested: "


def oma_at_channel_loss_dbm(run: Run, lane: int, known: ReferenceLane) -> float | None:
    """OMAouter at TP3 that the worst compliant link leaves of a transmitter like the reference, dBm; None
    where the limits have no lowest OMAouter."""
    facts = {**run.facts, "extinction_ratio": known.extinction_ratio_db, "tdecq": known.secq_db}
    plain = run.limits.resolve("oma_outer", facts, lane=lane)
    less_tdecq = run.limits.resolve("oma_outer_minus_tdecq", facts, lane=lane)
    lowest = []
    if plain is not None and plain.low is not None:
        lowest.append(plain.low.value)
    if less_tdecq is not None and less_tdecq.low is not None:
        lowest.append(less_tdecq.low.value + known.secq_db)
    return max(lowest) - run.pmd.channel_insertion_loss_db if lowest else None


def limit_ber(run: Run) -> float | None:
    """The ratio that the FEC has to be given at most."""
    limit = run.limits.resolve("pre_fec_ber", run.facts)
    return limit.high.value if limit is not None and limit.high is not None else None


def receiver_sensitivity(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """Waterfalls of all lanes at once, from the level of the worst compliant link on.

    Gives, per lane, ``ber_at_channel_loss`` (1), ``channel_margin`` (dB, how much more loss until the limit),
    ``receiver_sensitivity_oma`` (dBm) and ``rx_power_monitor_error`` (dB, monitor less tap, OMA or average as
    the module says, at the level of the worst compliant link).

    A lane without lock has a ratio of 0.5. A sensitivity that is only a bound says so (condition ``bound``).

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, the interlock holds, or light does not arrive.
    """
    start_s = run.bench.clock.now_s()
    bench = prepared(run, lanes, before)
    if isinstance(bench, NotOffered):
        return nothing(run, NAME, start_s, PARAMETERS, lanes, bench)
    threshold_ber = limit_ber(run)
    starts = {lane: oma_at_channel_loss_dbm(run, lane, bench.source.lanes[lane]) for lane in lanes}
    known = {lane: level for lane, level in starts.items() if level is not None}
    if threshold_ber is None or len(known) < len(lanes):
        lacking = NotOffered(
            f"the limits in force say no lowest OMAouter at TP2 or no bit error ratio for {run.pmd.name}"
        )
        return nothing(run, NAME, start_s, PARAMETERS, lanes, lacking)
    monitors: dict[int, float | None] = {}
    of_oma = not run.module.get("RxPowerMeasurementType")
    run.traffic.require(TRAFFIC)
    with bench.light() as light, bench.checker:
        bench.checker.start_pattern(bench.pattern, lanes, generate=False, check=True)

        def read_monitors(_levels: Mapping[int, float]) -> None:
            found = {one.lane: one.rx_power_w for one in run.module.lane_monitors()}
            monitors.update({lane: found[lane] for lane in lanes})

        counted = waterfall(light, bench.checker, bench.lanes, known, threshold_ber, at_start=read_monitors)
    budgets = {lane: _given(light, bench, lane) for lane in counted}
    record = _record(run, NAME, start_s, bench, counted, budgets, light, {"rx_power_monitor_w": monitors})
    measured: Values = {(p, lane): c for lane, c in bench.contradicted.items() for p in PARAMETERS}
    for lane, points in counted.items():
        level_db = expanded(budgets[lane].values())
        common = {**bench.conditions, "oma_at_channel_loss_dbm": known[lane]}
        measured["ber_at_channel_loss", lane] = _ber(
            run, record, bench, lane, points[0], known[lane], level_db, common
        )
        found = _threshold(points, threshold_ber)
        if isinstance(found, NotOffered):
            measured["receiver_sensitivity_oma", lane] = measured["channel_margin", lane] = found
        else:
            value = _oma(run, record, bench, lane, found, budgets[lane], common)
            measured["receiver_sensitivity_oma", lane] = value(
                "receiver_sensitivity_oma", found.level_dbm, "dBm"
            )
            measured["channel_margin", lane] = value("channel_margin", known[lane] - found.level_dbm, "dB")
        measured["rx_power_monitor_error", lane] = _monitor(
            run, record, bench, lane, points[0], monitors.get(lane), budgets[lane], of_oma=of_oma
        )
    return Acquired(record, measured)


def stressed_receiver(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """Sensitivity to a stressed source: each lane's waterfall, the others as strong as the bench can.

    Gives, per lane, ``stressed_receiver_sensitivity_oma`` (dBm) where the reference's SECQ by SSPRQ is within
    0.3 dB of the PMD's and the other lanes have the stated OMAouter; where they are weaker, the value is
    ``stressed_sensitivity_weaker_aggressors``: a receiver that fails there cannot comply, one that passes has
    not been tested for conformance, which the other parameter's reason says.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, the interlock holds, or light does not arrive.
    """
    start_s = run.bench.clock.now_s()
    bench = prepared(run, lanes, before)
    if isinstance(bench, NotOffered):
        why = NotOffered(f"{_NOT_TESTED}{bench.reason}")
        return nothing(run, STRESSED, start_s, STRESSED_PARAMETERS, lanes, why)
    threshold_ber = limit_ber(run)
    lacking = _stress_lacking(run, bench, lanes)
    if lacking or threshold_ber is None:
        why = NotOffered(f"{_NOT_TESTED}{lacking or 'no bit error ratio is known to test for'}")
        return nothing(run, STRESSED, start_s, STRESSED_PARAMETERS, lanes, why)
    limit = run.limits.resolve("stressed_receiver_sensitivity_oma", run.facts)
    wanted_dbm = limit.high.value if limit is not None and limit.high is not None else 0.0
    run.traffic.require(TRAFFIC)
    counted: dict[int, list[Counted]] = {}
    aggressors: dict[int, float] = {}
    with bench.light() as light, bench.checker:
        bench.checker.start_pattern(bench.pattern, lanes, generate=False, check=True)
        for lane in bench.lanes:
            strongest = {other: _strongest(run, light, other) for other in bench.ways if other != lane}
            light.set_levels(strongest)
            start_at = min(wanted_dbm, light.highest_dbm[lane])
            counted |= waterfall(light, bench.checker, [lane], {lane: start_at}, threshold_ber)
            levels = light.read_levels()
            aggressors[lane] = min((levels[other] for other in strongest), default=-99.0)
    budgets = {lane: _given(light, bench, lane) for lane in counted}
    record = _record(
        run, STRESSED, start_s, bench, counted, budgets, light, {"aggressor_oma_dbm": aggressors}
    )
    measured: Values = {(p, lane): c for lane, c in bench.contradicted.items() for p in STRESSED_PARAMETERS}
    stated_dbm = run.pmd.aggressor_oma_dbm
    for lane, points in counted.items():
        full = stated_dbm is not None and aggressors[lane] >= stated_dbm - AGGRESSORS_WITHIN_DB
        name, other = STRESSED_PARAMETERS if full else reversed(STRESSED_PARAMETERS)
        measured[other, lane] = NotOffered(
            "the other lanes had the stated OMAouter"
            if full
            else f"{_NOT_TESTED}the other lanes reach {aggressors[lane]:.1f} dBm OMAouter at TP3 here, "
            f"{stated_dbm if stated_dbm is not None else 'an unknown level'} dBm is stated"
        )
        common = {
            **bench.conditions,
            "secq_db": bench.source.lanes[lane].secq_db,
            "aggressor_oma_dbm": aggressors[lane],
        }
        found = _threshold(points, threshold_ber)
        if isinstance(found, NotOffered):
            measured[name, lane] = found
            continue
        make = _oma(run, record, bench, lane, found, budgets[lane], common)
        measured[name, lane] = make("receiver_sensitivity_oma", found.level_dbm, "dBm")
    return Acquired(record, measured)


# -- inside ----------------------------------------------------------------------------------------------


def _stress_lacking(run: Run, bench: Prepared, lanes: Sequence[int]) -> str:
    wanted_db = run.pmd.stressed_secq_db
    if wanted_db is None:
        return (
            f"at which SECQ the stressed sensitivity of {run.pmd.name} is meant is not known to this project"
        )
    for lane in lanes:
        known, by = bench.source.lanes[lane], bench.source.secq_pattern[lane]
        if abs(known.secq_db - wanted_db) > SECQ_WITHIN_DB:
            return (
                f"the reference is no stressed source: its SECQ is {known.secq_db:.2f} dB on lane {lane}, "
                f"{wanted_db:g} dB within {SECQ_WITHIN_DB:g} dB is wanted"
            )
        if by != "SSPRQ":
            return f"the reference's SECQ was measured by {by}; it is defined with SSPRQ"
    return ""


def _strongest(run: Run, light: ReceiverLight, lane: int) -> float:
    """An aggressor's level: as stated, and no more than the receiver must bear or the bench has."""
    highest = light.highest_dbm[lane]
    stated = run.pmd.aggressor_oma_dbm
    bears = run.limits.resolve("average_receive_power", run.facts, lane=lane)
    if bears is not None and bears.high is not None:
        highest = min(highest, bears.high.value + light.lit[lane].offset_db)
    return highest if stated is None else min(highest, stated)


def _given(light: ReceiverLight, bench: Prepared, lane: int) -> dict[str, Contribution]:
    known = bench.source.lanes[lane]
    ratio = from_expanded(
        "OMAouter over average", known.oma_to_average_uncertainty_db, "dB", bench.source.known_by
    )
    return {**light.contributions(lane), "ratio": ratio}


def _record(
    run: Run,
    name: str,
    start_s: float,
    bench: Prepared,
    counted: Mapping[int, Sequence[Counted]],
    budgets: Mapping[int, Mapping[str, Contribution]],
    light: ReceiverLight,
    more: Mapping[str, Mapping[int, Any]],
) -> Acquisition:
    return run.record_acquisition(
        name,
        start_s,
        conditions={**bench.conditions, "detector": bench.detector},
        data={
            "counts": {str(lane): [one.to_json() for one in points] for lane, points in counted.items()},
            "ways": {
                str(lane): {
                    "through": list(way.path.hops),
                    "tap_port": way.tap_port,
                    "tap_to_tp3_db": way.tap_to_tp3_db,
                }
                for lane, way in light.ways.items()
            },
            "oma_to_average_db": {str(lane): lit.offset_db for lane, lit in light.lit.items()},
            **{key: {str(lane): value for lane, value in values.items()} for key, values in more.items()},
        },
        budget=[
            {"lane": lane, **asdict(entry)} for lane, given in budgets.items() for entry in given.values()
        ],
    )


def _threshold(points: Sequence[Counted], ber: float) -> Threshold | NotOffered:
    try:
        return threshold_of(points, ber)
    except SignalError as error:
        return NotOffered(f"the counts give no level at {ber:g}: {error}")


def _oma(
    run: Run,
    record: Acquisition,
    bench: Prepared,
    lane: int,
    found: Threshold,
    given: Mapping[str, Contribution],
    conditions: Mapping[str, Any],
) -> Callable[[str, float, str], Value]:
    fit = from_expanded("interval of the fit", max(found.interval_db, 1e-4), "dB", "95 % by the counts")
    detail: dict[str, Any] = {"interval_db": found.interval_db}
    if found.lowest_ber is not None:
        detail["lowest_ber"] = found.lowest_ber
    if found.bound:
        detail["bound"] = found.bound

    def make(budget: str, value: float, unit: str) -> Value:
        uncertainty = expanded(budget_of(budget).contributions({**given, "fit": fit}))
        made = run.measured_from(record, lane=lane, uncertainty=uncertainty)(
            value=value, unit=unit, plane="TP3", detector=bench.detector, conditions={**conditions, **detail}
        )
        return with_facts(run, made, bench.source, lane)

    return make


def _ber(
    run: Run,
    record: Acquisition,
    bench: Prepared,
    lane: int,
    one: Counted,
    wanted_dbm: float,
    level_uncertainty_db: float,
    conditions: Mapping[str, Any],
) -> Value:
    if one.level_dbm < wanted_dbm - _REACHED_DB and one.ber > 0.0:
        return NotOffered(
            f"the bench reaches {one.level_dbm:.2f} dBm OMAouter at TP3 on lane {lane}, "
            f"{wanted_dbm - one.level_dbm:.2f} dB less than the worst compliant link"
        )
    by_level, by_counts = ber_uncertainty(one, level_uncertainty_db)
    given = {
        "level": from_expanded("level", max(by_level, 1e-18), "1", "level at TP3, q in proportion"),
        "counts": from_expanded("counts", max(by_counts, 1e-18), "1", "errors counted"),
    }
    uncertainty = expanded(budget_of("ber_at_channel_loss").contributions(given))
    return run.measured_from(record, lane=lane, uncertainty=uncertainty)(
        value=one.ber,
        unit="1",
        plane="TP3",
        detector=bench.detector,
        conditions={
            **conditions,
            "rx_oma_dbm": one.level_dbm,
            "bits": one.bits,
            "errors": one.errors,
            **({} if one.locked else {"no_lock": f"given as {NO_LOCK_BER:g}"}),
        },
    )


def _monitor(
    run: Run,
    record: Acquisition,
    bench: Prepared,
    lane: int,
    one: Counted,
    monitor_w: float | None,
    given: Mapping[str, Contribution],
    *,
    of_oma: bool,
) -> Value:
    if monitor_w is None:
        return NotOffered("the module has no Rx power monitor (page 01h byte 160, bit 2)")
    offset_db = record.data["oma_to_average_db"][str(lane)]
    at_tp3_dbm = one.level_dbm if of_oma else one.level_dbm - offset_db
    known = {name: entry for name, entry in given.items() if of_oma or name != "ratio"}
    uncertainty = expanded(budget_of("rx_power_monitor_error").contributions(known))
    return run.measured_from(record, lane=lane, uncertainty=uncertainty)(
        value=dbm_from_w(max(monitor_w, _MONITOR_STEP_W / 2.0)) - at_tp3_dbm,
        unit="dB",
        plane="TP3",
        detector="module monitor against tap",
        conditions={**bench.conditions, "at_tp3_dbm": at_tp3_dbm, "measures": "OMA" if of_oma else "average"},
    )
