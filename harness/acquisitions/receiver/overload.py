"""Errors at the highest receive power that the PMD allows.

Through the bypass, or by an attenuator where the light is too strong for that. The level is the highest
average receive power, or that at which OMAouter is at its highest, whichever is less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from drivers.errors import InstrumentError
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.counting import Counted, count
from harness.acquisitions.receiver.light import highest_at_tp3_dbm, lit_by
from harness.acquisitions.receiver.prepared import Before, Prepared, Values, nothing, prepared
from harness.acquisitions.receiver.sensitivity import limit_ber
from harness.acquisitions.receiver.waterfall import ber_uncertainty
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, NotOffered
from harness.judging.uncertainty import expanded, from_expanded
from harness.run import Run

NAME = "receiver_overload"
PARAMETERS = ("overload_ber",)
TOO_LITTLE_DB = 0.3
"""How far below the highest power the light may stay."""
TOO_MUCH_DB = 0.1
"""How far above it: more than that the receiver need not work with."""


def receiver_overload(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """All lanes at the highest power that the limits have them work with.

    Gives, per lane, ``overload_ber`` (1).

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, or the interlock holds.
    """
    start_s = run.bench.clock.now_s()
    by_bypass = prepared(run, lanes, before, attenuated=False)
    by_attenuator = prepared(run, lanes, before)
    offered = [one for one in (by_bypass, by_attenuator) if isinstance(one, Prepared)]
    if not offered:
        assert isinstance(by_bypass, NotOffered)
        return nothing(run, NAME, start_s, PARAMETERS, lanes, by_bypass)
    targets = {lane: _target_dbm(run, offered[0], lane) for lane in lanes}
    wanted = {lane: level for lane, level in targets.items() if level is not None}
    if len(wanted) < len(lanes):
        why = NotOffered(f"the limits in force have no highest receive power for {run.pmd.name}")
        return nothing(run, NAME, start_s, PARAMETERS, lanes, why)
    bench, lacking = _chosen(run, offered, wanted)
    if bench is None:
        return nothing(run, NAME, start_s, PARAMETERS, lanes, NotOffered(lacking))
    with bench.light() as light, bench.checker:
        attenuated = {lane: wanted[lane] for lane, way in light.ways.items() if way.channel is not None}
        if attenuated:
            light.set_levels(attenuated)
            light.read_levels()
            light.set_levels(attenuated)  # as the taps show them
        bench.checker.start_pattern(bench.pattern, lanes, generate=False, check=True)
        levels = light.read_levels(2)
        counted = count(bench.checker, bench.lanes, levels)
        given = {lane: light.contributions(lane) for lane in bench.lanes}
        offsets = {lane: lit.offset_db for lane, lit in light.lit.items()}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={**bench.conditions, "detector": bench.detector},
        data={
            "counts": {str(lane): one.to_json() for lane, one in counted.items()},
            "wanted_oma_dbm": {str(lane): level for lane, level in wanted.items()},
            "oma_to_average_db": {str(lane): offset for lane, offset in offsets.items()},
            "ways": {str(lane): list(way.path.hops) for lane, way in light.ways.items()},
        },
        budget=[{"lane": lane, **asdict(entry)} for lane, known in given.items() for entry in known.values()],
    )
    measured: Values = {("overload_ber", lane): value for lane, value in bench.contradicted.items()}
    for lane, one in counted.items():
        short_db = wanted[lane] - one.level_dbm
        if short_db > TOO_LITTLE_DB:
            measured["overload_ber", lane] = NotOffered(
                _missing(lane, one.level_dbm, wanted[lane], offsets[lane])
            )
            continue
        ber = limit_ber(run)
        if -short_db > TOO_MUCH_DB and ber is not None and one.ber > ber:
            strong = InstrumentError(
                "reference_tx",
                f"lane {lane}: {one.level_dbm - offsets[lane]:.2f} dBm average came to TP3, {-short_db:.2f} "
                "dB more than a receiver must work with: that it errs there proves nothing",
                advice="Calibrate the reference anew, or add a pad to the way.",
            )
            measured["overload_ber", lane] = Contradiction(strong)
            continue
        # A ratio in overload rises with power; by how much is not known of one level.
        _, by_counts = ber_uncertainty(one, 0.0)
        uncertainty = expanded(
            budget_of("overload_ber").contributions(
                {
                    "level": from_expanded("level", _by_level(one), "1", "0.25 dB of power: assumed"),
                    "counts": from_expanded("counts", max(by_counts, 1e-18), "1", "errors counted"),
                }
            )
        )
        measured["overload_ber", lane] = run.measured_from(record, lane=lane, uncertainty=uncertainty)(
            value=one.ber,
            unit="1",
            plane="TP3",
            detector=bench.detector,
            conditions={
                **bench.conditions,
                "rx_average_dbm": one.level_dbm - offsets[lane],
                "rx_oma_dbm": one.level_dbm,
                "bits": one.bits,
                "errors": one.errors,
            },
        )
    return Acquired(record, measured)


def _by_level(one: Counted) -> float:
    """What a quarter of a decibel of power is worth, taken as what it is worth far from overload: more than
    the level's own uncertainty. Assumed."""
    return max(ber_uncertainty(one, 0.25)[0], 1e-18)


def _target_dbm(run: Run, bench: Prepared, lane: int) -> float | None:
    """OMAouter at TP3 that is wanted; None where no limit says."""
    offset_db = bench.source.lanes[lane].oma_to_average_db
    found = []
    for name, more_db in (("average_receive_power", offset_db), ("receive_oma_outer", 0.0)):
        limit = run.limits.resolve(name, run.facts, lane=lane)
        if limit is not None and limit.high is not None:
            found.append(limit.high.value + more_db)
    return min(found, default=None)


def _chosen(
    run: Run, offered: Sequence[Prepared], wanted: Mapping[int, float]
) -> tuple[Prepared | None, str]:
    """What brings the power nearest to what is wanted, or what is missing. A way that could damage a receiver
    is none."""
    why = ""
    for bench in offered:
        lit = lit_by(bench.source, tuple(bench.ways))
        lanes = {
            lane: lit[lane].average_dbm - way.path.loss_db + lit[lane].offset_db
            for lane, way in bench.ways.items()
        }
        attenuated = all(way.channel is not None for way in bench.ways.values())
        if attenuated:
            lowest_db = run.bench.attenuator.attenuation_range_db[0]
            lanes = {lane: level - lowest_db for lane, level in lanes.items()}
        most = {lane: level - wanted[lane] for lane, level in lanes.items()}
        short = min(most, key=most.__getitem__)
        strong = max(most, key=most.__getitem__)
        if most[short] < -TOO_LITTLE_DB - bench.ways[short].path.uncertainty_db:
            why = why or _missing(short, lanes[short], wanted[short], lit[short].offset_db)
            continue
        if not attenuated and most[strong] > TOO_MUCH_DB:
            highest = highest_at_tp3_dbm(bench.ways[strong], lit[strong])
            why = (
                f"by the way without an attenuator up to {highest:.1f} dBm average would come to TP3 of lane "
                f"{strong}, more than the receiver must work with; by the attenuator too little does"
            )
            continue
        return bench, ""
    return None, why


def _missing(lane: int, level_dbm: float, wanted_dbm: float, offset_db: float) -> str:
    return (
        f"the bench brings {level_dbm - offset_db:.1f} dBm average to TP3 of lane {lane}, a receiver has "
        f"to work with up to {wanted_dbm - offset_db:.1f} dBm: {wanted_dbm - level_dbm:.1f} dB missing"
    )
