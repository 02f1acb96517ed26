"""Pre-FEC bit error ratio and error floor of each lane, with the reference's light, by the module's checker.

Source: IEEE 802.3 124.1.1 (bit error ratio below 2.4e-4), PRBS31Q as in receiver tests; known from
descriptions only. What counts is a part of the module (``self_measured``): beside the host's count of the
same light see :mod:`harness.acquisitions.ber.host`.

The floor is found by a sequential test: gates go on until every lane's ratio is certainly below, or certainly
above, at stated chances of error, or the time is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from drivers.errors import BenchError
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.ber.counts import Count, budget, counts_of, measured, shown, unlocked
from harness.acquisitions.ber.own_light import arrived
from harness.acquisitions.ber.settings import FloorSettings, ber_settings
from harness.acquisitions.receiver.behind_the_tap import dark_behind_the_tap
from harness.acquisitions.receiver.counting import common_pattern, module_checker
from harness.acquisitions.receiver.light import LitLane, ReceiverLight, lit_by, require_harmless
from harness.acquisitions.receiver.reference import source_of
from harness.acquisitions.receiver.ways import ReceiveWay, receive_ways
from harness.judging.measured import ModuleFault, NotOffered
from harness.run import Run
from harness.signal.sequential import Decision
from harness.traffic import TRAFFIC

NAME = "ber_reference"
PARAMETERS = ("pre_fec_ber", "error_floor")


def ber_reference(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Errors of all lanes at once, lit by the reference with the most light that does no harm.

    Gives ``pre_fec_ber`` (of the first gate) and ``error_floor`` (of all gates of the sequential test). A
    lane whose light arrives and whose checker finds no pattern is the module's failure; where it is at the
    tap and the receiver sees none, nothing is laid to the module.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, no light arrives, or the interlock says no.
    """
    bench, settings = run.bench, ber_settings()
    start_s = bench.clock.now_s()
    run.require_module_up()
    checker, source = module_checker(run), source_of(before)
    lacking: NotOffered | None = next((o for o in (checker, source) if isinstance(o, NotOffered)), None)
    pattern = ""
    if not isinstance(checker, NotOffered):
        common = common_pattern(checker, bench.reference_tx.patterns)
        lacking = common if isinstance(common, NotOffered) else lacking
        pattern = common if isinstance(common, str) else ""
    ways: dict[int, ReceiveWay] | NotOffered | None = None
    if lacking is None:
        assert not isinstance(source, NotOffered)
        lit = lit_by(source, lanes)
        ways = _ways(run, lanes, lit)
        lacking = ways if isinstance(ways, NotOffered) else None
    if lacking is not None:
        record = run.record_acquisition(
            NAME, start_s, conditions={}, data={"not_offered": lacking.reason}, budget=[]
        )
        return Acquired(record, {(name, lane): lacking for name in PARAMETERS for lane in lanes})
    assert isinstance(ways, dict)
    assert not isinstance(checker, NotOffered)
    run.traffic.require(TRAFFIC)
    light = ReceiverLight(
        run,
        ways,
        lit,
        on=lambda: bench.reference_tx.start_pattern(pattern),
        off=bench.reference_tx.stop_pattern,
    )
    gates: list[dict[int, Count]] = []
    with light:
        levels = arrived(light)
        with checker:
            checker.start_pattern(pattern, lanes, generate=False)
            gates.append(counts_of(checker.measure_errors(lanes, settings.prbs.gate_s)))
            floor_start_s = bench.clock.now_s() - settings.prbs.gate_s
            total = gates[0]
            while (
                _undecided(total, settings.floor)
                and bench.clock.now_s() - floor_start_s < settings.floor.longest_s
            ):
                run.watch_heat()
                gates.append(counts_of(checker.measure_errors(lanes, settings.floor.gate_s)))
                total = {lane: total[lane] + gates[-1][lane] for lane in lanes}
            floor_s = bench.clock.now_s() - floor_start_s
        after = light.read_levels()
        lost = [lane for lane in lanes if total[lane].ber is None]
        not_received = dark_behind_the_tap(run, light, lost)
    light.require_arriving(after, levels)
    test = settings.floor.test
    conditions = {"pattern": pattern, "clock": "reference's", "self_measured": checker.self_measured}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions=conditions,
        data={
            "gates": [shown(gate) for gate in gates],
            "rx_oma_dbm": {str(lane): level for lane, level in levels.items()},
            "rx_oma_after_dbm": {str(lane): level for lane, level in after.items()},
            "hypotheses": {"good": test.good, "bad": test.bad, "alpha": test.alpha, "beta": test.beta},
            "floor_time_s": floor_s,
        },
        budget=[*budget(gates[0])],
    )
    found: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        if lane in not_received:
            found |= {(name, lane): not_received[lane] for name in PARAMETERS}
            continue
        if gates[0][lane].ber is None:
            text = f"lane {lane}: no lock on {pattern} with OMAouter {levels[lane]:.1f} dBm at TP3"
            found |= {(name, lane): unlocked(record, lane, text) for name in PARAMETERS}
            continue
        on_lane = {**conditions, "rx_oma_dbm": round(levels[lane], 2)}
        found["pre_fec_ber", lane] = measured(
            run, record, gates[0][lane], lane=lane, plane="TP3", detector=checker.detector, conditions=on_lane
        )
        if total[lane].ber is None:
            text = f"lane {lane}: lost its lock within {floor_s:.0f} s at OMAouter {levels[lane]:.1f} dBm"
            found["error_floor", lane] = unlocked(record, lane, text)
            continue
        decision = test.decide(total[lane].errors, total[lane].bits)
        found["error_floor", lane] = measured(
            run,
            record,
            total[lane],
            lane=lane,
            plane="TP3",
            detector=checker.detector,
            conditions={**on_lane, "decision": _said(decision, settings.floor), "bench_time_s": floor_s},
        )
    return Acquired(record, found)


def _ways(run: Run, lanes: Sequence[int], lit: Mapping[int, LitLane]) -> dict[int, ReceiveWay] | NotOffered:
    """The straight way, or through the attenuator where that would be too much light."""
    straight = receive_ways(run.bench.spec, run.pmd, lanes, attenuated=False)
    if not isinstance(straight, NotOffered):
        try:
            for lane, way in straight.items():
                require_harmless(run, way, lit[lane])
        except BenchError:
            pass  # the interlock: it is asked again on the other way
        else:
            return straight
    return receive_ways(run.bench.spec, run.pmd, lanes)


def _undecided(total: Mapping[int, Count], settings: FloorSettings) -> bool:
    """A lane that lost its lock is decided."""
    return any(
        count.locked and settings.test.decide(count.errors, count.bits) is Decision.OPEN
        for count in total.values()
    )


def _said(decision: Decision, settings: FloorSettings) -> str:
    test = settings.test
    return {
        Decision.GOOD: f"below {test.bad:g} (chance of error {test.beta:g})",
        Decision.BAD: f"above {test.good:g} (chance of error {test.alpha:g})",
        Decision.OPEN: f"not decided within {settings.longest_s:g} s",
    }[decision]
