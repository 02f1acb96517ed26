"""Link margin: the module's own transmitters to its own receivers, through fibre and attenuator.

No clause: transmitter and receiver have one clock, and neither is a worst case. What the link loses is the
launch power at TP2 less the power at TP3 by the tap, so that no attenuator's setting counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from types import MappingProxyType

from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.counting import common_pattern, module_checker
from harness.acquisitions.receiver.light import LitLane, ReceiverLight, damage_threshold_dbm
from harness.acquisitions.receiver.prepared import Before, Values, contradicted_lanes, nothing
from harness.acquisitions.receiver.sensitivity import limit_ber
from harness.acquisitions.receiver.waterfall import threshold_of, waterfall
from harness.acquisitions.receiver.ways import MODULE_TX, longest_fibre_m, receive_ways
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, Measured, NotOffered
from harness.judging.uncertainty import expanded, from_expanded
from harness.run import Run
from harness.signal.waveform import SignalError

NAME = "link"
PARAMETERS = ("link_margin",)
START_DB = 4.0
"""Less than the least receive power that a receiver must work with is not where the search begins: so far
above the lowest average receive power, or as high as the bench reaches."""


def link(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """Waterfalls of all lanes of the module on its own light, by average power at TP3.

    Gives, per lane, ``link_margin`` (dB): the loss between TP2 and TP3 at the limit of the bit error ratio,
    less the PMD's channel insertion loss. Information only.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, or the interlock holds.
    """
    start_s = run.bench.clock.now_s()
    run.require_module_up()
    why = _lacking(run, lanes, before)
    ways = receive_ways(run.bench.spec, run.pmd, lanes, start=MODULE_TX, long_fibre=True)
    checker, threshold_ber = module_checker(run), limit_ber(run)
    for one in (ways, checker):
        why = why or (one.reason if isinstance(one, NotOffered) else "")
    if why or threshold_ber is None or isinstance(ways, NotOffered) or isinstance(checker, NotOffered):
        return nothing(run, NAME, start_s, PARAMETERS, lanes, NotOffered(why or "no limit of the ratio"))
    pattern = common_pattern(checker, run.traffic.offered())
    lacking = pattern if isinstance(pattern, NotOffered) else run.traffic.require(pattern)
    if isinstance(pattern, NotOffered) or lacking is not None:
        assert lacking is not None
        return nothing(run, NAME, start_s, PARAMETERS, lanes, lacking)
    launch = {lane: _launch(before, lane) for lane in lanes}
    lit = {lane: LitLane(value.value, value.uncertainty) for lane, value in launch.items()}
    contradicted = contradicted_lanes(before, lanes)
    measurable = [lane for lane in lanes if lane not in contradicted]
    if not measurable:
        raise next(iter(contradicted.values())).fault
    with ReceiverLight(run, ways, lit) as light, checker:
        checker.start_pattern(pattern, lanes, generate=False, check=True)
        least = {lane: _least_dbm(run, lane) for lane in lanes}
        start = {lane: min(least[lane] + START_DB, level) for lane, level in light.highest_dbm.items()}
        light.set_levels({lane: level for lane, level in start.items() if lane not in measurable})
        counted = waterfall(light, checker, measurable, start, threshold_ber)
        given = {lane: light.contributions(lane) for lane in measurable}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"pattern": pattern, "clock": "one for both ends", "detector": checker.detector},
        data={
            "counts": {str(lane): [one.to_json() for one in points] for lane, points in counted.items()},
            "launch_dbm": {str(lane): value.value for lane, value in launch.items()},
            "ways": {str(lane): list(way.path.hops) for lane, way in ways.items()},
        },
        budget=[{"lane": lane, **asdict(entry)} for lane, known in given.items() for entry in known.values()],
    )
    measured: Values = {("link_margin", lane): value for lane, value in contradicted.items()}
    for lane, points in counted.items():
        try:
            found = threshold_of(points, threshold_ber)
        except SignalError as error:
            measured["link_margin", lane] = NotOffered(f"the counts give no level: {error}")
            continue
        uncertainty = expanded(
            budget_of("link_margin").contributions(
                {
                    **given[lane],
                    "launch": from_expanded("launch power", lit[lane].uncertainty_db, "dB", "launch_power"),
                    "fit": from_expanded("fit", max(found.interval_db, 1e-4), "dB", "95 % by the counts"),
                }
            )
        )
        loss_db = lit[lane].average_dbm - found.level_dbm
        measured["link_margin", lane] = run.measured_from(record, lane=lane, uncertainty=uncertainty)(
            value=loss_db - run.pmd.channel_insertion_loss_db,
            unit="dB",
            plane="link",
            detector=f"{checker.detector} (self_measured)",
            conditions={
                "pattern": pattern,
                "clock": "one for both ends",
                "fibre_m": longest_fibre_m(run.bench.spec, ways[lane]),
                "loss_db": loss_db,
                **({"bound": found.bound} if found.bound else {}),
            },
        )
    return Acquired(record, measured)


def _lacking(run: Run, lanes: Sequence[int], before: Before) -> str:
    if any(damage_threshold_dbm(run, lane) is None for lane in lanes):
        return f"the damage threshold of a {run.pmd.name} receiver is not known to this project"
    found = before.get("launch_power")
    if not isinstance(found, Acquired):
        return "the launch power could not be measured, from which the link's loss is known"
    for lane in lanes:
        value = found.measured.get(("average_launch_power", lane))
        if isinstance(value, Contradiction):
            return f"lane {lane}: its launch power is not known, for bench and module contradict each other"
        if not isinstance(value, Measured) or value.conditions.get("at_meter_floor"):
            return f"lane {lane} launches no light"
    return ""


def _launch(before: Before, lane: int) -> Measured:
    found = before["launch_power"]
    assert isinstance(found, Acquired)
    value = found.measured["average_launch_power", lane]
    assert isinstance(value, Measured)  # _lacking() has looked
    return value


def _least_dbm(run: Run, lane: int) -> float:
    limit = run.limits.resolve("average_receive_power", run.facts, lane=lane)
    return limit.low.value if limit is not None and limit.low is not None else -6.0
