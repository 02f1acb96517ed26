"""The module's own light on its own receivers, its own generator and checker: what the host's count is held
against, and the level at which a lane makes errors enough.

No plane of the standard: light goes from TP2 through the bench to TP3 of the same module, with one clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.ber.counts import Count, budget, counts_of, measured, shown, unlocked
from harness.acquisitions.ber.own_light import PLANE, arrived, own_light
from harness.acquisitions.ber.settings import ber_settings
from harness.acquisitions.ber.stress import bring_to
from harness.acquisitions.receiver.behind_the_tap import dark_behind_the_tap
from harness.acquisitions.receiver.counting import common_pattern, module_checker
from harness.judging.measured import ModuleFault, NotOffered
from harness.run import Run

NAME = "ber_loop"
PARAMETER = "stressed_loop_ber"


def ber_loop(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Bring every lane to the bit error ratio of the settings, by the module's own count, through the
    attenuator.

    Gives ``stressed_loop_ber`` (information: a level is chosen for it). ``before``: ``launch_power``.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, light does not arrive, or the interlock says no.
    """
    start_s = run.bench.clock.now_s()
    run.require_module_up()
    checker = module_checker(run)
    pattern = checker if isinstance(checker, NotOffered) else common_pattern(checker, run.traffic.offered())
    own = own_light(run, lanes, before, attenuated=True)
    found: dict[tuple[str, int | None], Value] = own.values((PARAMETER,), lanes)
    lacking = pattern if isinstance(pattern, NotOffered) else None
    if lacking is None and not isinstance(pattern, NotOffered):
        lacking = run.traffic.require(pattern)
    if lacking is not None or own.light is None:
        record = run.record_acquisition(
            NAME, start_s, conditions={}, data={"not_offered": str(lacking or own.lacking)}, budget=[]
        )
        return Acquired(record, found | {(PARAMETER, lane): lacking for lane in lanes if lacking is not None})
    assert not isinstance(checker, NotOffered)
    assert not isinstance(pattern, NotOffered)
    settings = ber_settings()

    def count() -> dict[int, Count]:
        return counts_of(checker.measure_errors(own.lanes, settings.prbs.gate_s))

    with own.light as light:
        arrived(light)
        with checker:
            checker.start_pattern(pattern, own.lanes, generate=False)
            stressed = bring_to(light, count, settings.fec)
        lost = [lane for lane, one in stressed.counts.items() if one.ber is None]
        not_received = dark_behind_the_tap(run, light, lost)
    conditions = {"pattern": pattern, "clock": "module's", "self_measured": True}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions=conditions,
        data={
            "stressed": shown(stressed.counts),
            "level_dbm": {str(lane): level for lane, level in stressed.levels_dbm.items()},
            "reached": {str(lane): yes for lane, yes in stressed.reached.items()},
            "steps": stressed.steps,
            "loss_db": {str(lane): loss for lane, loss in own.loss_db.items()},
        },
        budget=budget(stressed.counts),
    )
    for lane in own.lanes:
        counted, level = stressed.counts[lane], stressed.levels_dbm[lane]
        if lane in not_received:
            found[PARAMETER, lane] = not_received[lane]
            continue
        if counted.ber is None:
            text = f"lane {lane}: no lock on its own {pattern} with {level:.1f} dBm at TP3"
            found[PARAMETER, lane] = unlocked(record, lane, text)
            continue
        found[PARAMETER, lane] = measured(
            run,
            record,
            counted,
            lane=lane,
            plane=PLANE,
            detector=checker.detector,
            conditions={**conditions, "rx_dbm": round(level, 2)},
        )
    return Acquired(record, found)


def stressed_of(before: Mapping[str, Acquired | ModuleFault]) -> tuple[dict[int, float], dict[int, Count]]:
    """Levels (dBm, by the tap) and counts of the lanes that :func:`ber_loop` brought to errors enough; empty
    where it did not."""
    acquired = before.get(NAME)
    if not isinstance(acquired, Acquired) or "stressed" not in acquired.record.data:
        return {}, {}
    data = acquired.record.data
    counts = {int(lane): Count(**entry) for lane, entry in data["stressed"].items()}
    good = [lane for lane, count in counts.items() if count.ber and data["reached"][str(lane)]]
    return {lane: data["level_dbm"][str(lane)] for lane in good}, {lane: counts[lane] for lane in good}
