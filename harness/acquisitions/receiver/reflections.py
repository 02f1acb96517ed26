"""What reflections cost: errors over a dwell of a minute, at their most against their mean.

Two reflections on a way make an echo whose phase drifts over minutes, so that a short count sees one phase
only. An echo is a ratio of the field, and costs the same at any power; at the worst compliant link a good
receiver makes no errors to see it by, so the dwell is where there are some, a little above the sensitivity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from types import MappingProxyType

from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.counting import Counted, count
from harness.acquisitions.receiver.prepared import Before, Values, nothing, prepared
from harness.acquisitions.receiver.sensitivity import NAME as SENSITIVITY
from harness.judging.budgets import budget_of
from harness.judging.measured import Measured, NotOffered
from harness.judging.uncertainty import expanded
from harness.run import Run
from harness.signal.error_ratio import q_of_ber

NAME = "reflection_dwell"
PARAMETERS = ("reflection_penalty",)
DWELL_S, GATE_S = 60.0, 4.0
"""Of the dwell, at least, and of a count in it. Phases of echoes drift over minutes: a longer dwell sees more
of them."""
ABOVE_SENSITIVITY_DB = 0.5
"""Where the dwell is: about 2e-5, 10^7 errors in a count."""
_ENOUGH_ERRORS = 1000


def reflection_dwell(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """All lanes 0.5 dB above their sensitivity, for a minute.

    Gives, per lane, ``reflection_penalty`` (dB): by how much more power the worst count would have been as
    good as the mean, q being proportional to OMA; the light's own drift, by the tap, taken off.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, or the interlock holds.
    """
    start_s = run.bench.clock.now_s()
    bench = prepared(run, lanes, before)
    if isinstance(bench, NotOffered):
        return nothing(run, NAME, start_s, PARAMETERS, lanes, bench)
    found = before.get(SENSITIVITY)
    targets = {}
    for lane in bench.lanes:
        value = (
            found.measured.get(("receiver_sensitivity_oma", lane)) if isinstance(found, Acquired) else None
        )
        if isinstance(value, Measured) and "bound" not in value.conditions:
            targets[lane] = value.value + ABOVE_SENSITIVITY_DB
    if not targets:
        why = NotOffered("no lane's sensitivity was found, near which errors would show an echo")
        return nothing(run, NAME, start_s, PARAMETERS, lanes, why)
    counted: dict[int, list[Counted]] = {lane: [] for lane in targets}
    with bench.light() as light, bench.checker:
        light.set_levels(dict.fromkeys(light.ways, min(targets.values())) | targets)
        light.read_levels()
        light.set_levels(targets)
        bench.checker.start_pattern(bench.pattern, lanes, generate=False, check=True)
        until_s = run.bench.clock.now_s() + DWELL_S
        while run.bench.clock.now_s() < until_s:
            levels = light.read_levels()
            for lane, one in count(bench.checker, list(targets), levels, GATE_S).items():
                counted[lane].append(one)
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={**bench.conditions, "dwell_s": DWELL_S, "gate_s": GATE_S},
        data={"counts": {str(lane): [one.to_json() for one in all_] for lane, all_ in counted.items()}},
        budget=[
            {"lane": lane, **asdict(entry)}
            for lane in targets
            for entry in budget_of("reflection_penalty").contributions()
        ],
    )
    measured: Values = {("reflection_penalty", lane): value for lane, value in bench.contradicted.items()}
    for lane in bench.lanes:
        penalty_db = _penalty_db(counted.get(lane, ()))
        if penalty_db is None:
            measured["reflection_penalty", lane] = NotOffered(
                "too few errors, or no lock, during the dwell: what an echo costs does not show"
            )
            continue
        make = run.measured_from(
            record, lane=lane, uncertainty=expanded(budget_of("reflection_penalty").contributions())
        )
        measured["reflection_penalty", lane] = make(
            value=penalty_db,
            unit="dB",
            plane="TP3",
            detector=bench.detector,
            conditions={
                **bench.conditions,
                "dwell_s": DWELL_S,
                "worst_ber": max(one.ber for one in counted[lane]),
                "mean_ber": sum(one.errors for one in counted[lane]) / sum(one.bits for one in counted[lane]),
            },
        )
    return Acquired(record, measured)


def _penalty_db(counted: Sequence[Counted]) -> float | None:
    if len(counted) < 2 or not all(one.locked and one.errors >= _ENOUGH_ERRORS for one in counted):
        return None
    # q at one level, so that what the light itself did does not count.
    mean_dbm = sum(one.level_dbm for one in counted) / len(counted)
    at_mean = [q_of_ber(one.ber) * 10.0 ** ((mean_dbm - one.level_dbm) / 10.0) for one in counted]
    return 10.0 * math.log10((sum(at_mean) / len(at_mean)) / min(at_mean))
