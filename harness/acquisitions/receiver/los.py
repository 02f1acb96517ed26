"""Loss of signal: at which level LOSFlagRx is asserted on the way down and released on the way up.

Source: practice of data sheets; a ramp in 0.1 dB, all lanes at once, each by its own attenuator's channel.
Where the edges are is found in coarse steps first. At every level the advertised time of the flag is waited
(OIF-CMIS-05.4 Table 10-4: ton_los and toff_los 100 ms, fast 1 ms), the latched flag read away, and read again
after ton_flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.cmis.information import lanes_set
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.light import ReceiverLight
from harness.acquisitions.receiver.prepared import Before, Prepared, Values, nothing, prepared
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_expanded
from harness.run import Run
from harness.run_folder.records import Acquisition

NAME = "receiver_los"
PARAMETERS = ("los_assert", "los_deassert", "los_hysteresis")
COARSE_DB, UP_DB, FINE_DB = 1.0, 0.5, 0.1
"""Steps to find an edge: down, up, and for both then."""
HIGHER_DB = 6.0
"""Where LOS is asserted at the start, the ramp begins so much higher."""
START_DBM = -9.0
"""Average power from which the way down begins, where LOS is not asserted there; 1 dB above what data sheets
have for the release at the most."""
LOS_S, FAST_LOS_S = 0.1, 0.001
FLAG_S = 0.2
"""ton_flag: after a latched flag was read, a condition that lasts sets it again within this."""
LOWEST_DBM = -32.0
"""A LOS that is not asserted there is asserted nowhere."""


@dataclass
class _Edges:
    """Of one lane, OMAouter at TP3, dBm: every level with what LOS was, and the edges, if any."""

    history: list[tuple[float, bool]] = field(default_factory=list)
    assert_dbm: float | None = None
    deassert_dbm: float | None = None


def receiver_los(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """LOS of all lanes, down and up.

    Gives, per lane, ``los_assert``, ``los_deassert`` (dBm, OMAouter or average power as the module says that
    LOS looks at, at TP3) and ``los_hysteresis`` (dB).

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, or light does not arrive.
    """
    start_s = run.bench.clock.now_s()
    bench = prepared(run, lanes, before)
    if not isinstance(bench, NotOffered) and not run.module.get("LOSFlagRxSupported"):
        bench = NotOffered("the module does not advertise LOSFlagRx (page 01h byte 158, bit 1)")
    if isinstance(bench, NotOffered):
        return nothing(run, NAME, start_s, PARAMETERS, lanes, bench)
    of_oma = not run.module.get("RxLOSType")
    los_s = FAST_LOS_S if run.module.get("RxLOSIsFast") else LOS_S
    edges = {lane: _Edges() for lane in bench.lanes}
    with bench.light() as light:
        _Ramp(run, light, edges, los_s).walk()
        given = {lane: _given(bench, light, lane, of_oma=of_oma) for lane in edges}
        offset = {lane: 0.0 if of_oma else light.lit[lane].offset_db for lane in edges}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={
            **bench.conditions,
            "los_measures": "OMA" if of_oma else "average power",
            "waited_s": los_s + FLAG_S,
            "step_db": FINE_DB,
        },
        data={
            "ramp": {
                str(lane): [{"oma_dbm": level, "los": los} for level, los in edge.history]
                for lane, edge in edges.items()
            },
            "oma_to_average_db": {str(lane): light.lit[lane].offset_db for lane in edges},
        },
        budget=[
            {"lane": lane, **asdict(entry)}
            for lane, known in given.items()
            for entry in budget_of("los_assert").contributions(known)
        ],
    )
    measured: Values = {(p, lane): c for lane, c in bench.contradicted.items() for p in PARAMETERS}
    for lane, edge in edges.items():
        common: dict[str, Any] = {
            "plane": "TP3",
            "detector": "module's LOSFlagRx",
            "conditions": {**bench.conditions, "los_measures": record.conditions["los_measures"]},
        }
        levels = {"los_assert": edge.assert_dbm, "los_deassert": edge.deassert_dbm}
        for name, level in levels.items():
            if level is None:
                measured[name, lane] = _never(run, record, lane, name, edge, light.lit[lane].offset_db)
                continue
            uncertainty = expanded(budget_of(name).contributions(given[lane]))
            make = run.measured_from(record, lane=lane, uncertainty=uncertainty)
            measured[name, lane] = make(value=level - offset[lane], unit="dBm", **common)
        if edge.assert_dbm is None or edge.deassert_dbm is None:
            measured["los_hysteresis", lane] = NotOffered("LOSFlagRx has not both edges")
            continue
        make = run.measured_from(
            record, lane=lane, uncertainty=expanded(budget_of("los_hysteresis").contributions())
        )
        measured["los_hysteresis", lane] = make(
            value=edge.deassert_dbm - edge.assert_dbm, unit="dB", **common
        )
    return Acquired(record, measured)


@dataclass(frozen=True, slots=True)
class _Edge:
    """The first level at which LOS was as asked: as it was set, and as the tap showed it."""

    target_dbm: float
    seen_dbm: float


class _Ramp:
    """The attenuators' ramp. Levels are OMAouter here; LOS by average power goes along."""

    def __init__(self, run: Run, light: ReceiverLight, edges: Mapping[int, _Edges], los_s: float) -> None:
        self._run, self._light, self._edges, self._los_s = run, light, edges, los_s

    def walk(self) -> None:
        """Down in coarse steps, down in fine ones from above the edge, up in coarse ones, up in fine ones
        from below the edge."""
        highest = self._light.highest_dbm
        start = {
            lane: min(START_DBM + self._light.lit[lane].offset_db, highest[lane]) for lane in self._edges
        }
        lost = self._step(start, arriving=True)
        if any(lost.values()):  # thresholds that are higher than usual
            start = {
                lane: min(level + HIGHER_DB, highest[lane]) if lost[lane] else level
                for lane, level in start.items()
            }
            self._step(start)
        coarse = self._until(start, -COARSE_DB, lost=True)
        self._step({lane: start[lane] for lane in coarse})  # released again
        down = self._until(
            {lane: edge.target_dbm + COARSE_DB for lane, edge in coarse.items()}, -FINE_DB, lost=True
        )
        for lane, edge in down.items():
            # The edge lies half a step before the first level beyond it.
            self._edges[lane].assert_dbm = edge.seen_dbm + FINE_DB / 2.0
        coarse = self._until({lane: edge.target_dbm for lane, edge in down.items()}, UP_DB, lost=False)
        self._step({lane: down[lane].target_dbm - COARSE_DB for lane in coarse})  # asserted again
        up = self._until(
            {lane: edge.target_dbm - UP_DB for lane, edge in coarse.items()}, FINE_DB, lost=False
        )
        for lane, edge in up.items():
            self._edges[lane].deassert_dbm = edge.seen_dbm - FINE_DB / 2.0

    def _until(self, start: Mapping[int, float], step_db: float, *, lost: bool) -> dict[int, _Edge]:
        """Step on from the levels until LOS is as asked. Lanes on which it never is are left out."""
        targets, found = dict(start), {}
        highest = self._light.highest_dbm
        while targets:
            seen = self._step(targets)
            for lane in list(targets):
                ended = targets[lane] < LOWEST_DBM if step_db < 0.0 else targets[lane] > highest[lane]
                if seen[lane] is lost:
                    found[lane] = _Edge(targets.pop(lane), self._edges[lane].history[-1][0])
                elif ended:
                    targets.pop(lane)
                else:
                    targets[lane] += step_db
        return found

    def _step(self, targets: Mapping[int, float], *, arriving: bool = False) -> dict[int, bool]:
        """Set levels; by lane, whether LOS is asserted there."""
        run = self._run
        if not targets:
            return {}
        self._light.set_levels(targets)
        levels = self._light.read_levels()
        if arriving:
            self._light.require_arriving(levels, targets)
        run.bench.clock.sleep(self._los_s)
        lanes_set(run.module.registers, "LOSFlagRx")  # latched on the way here
        run.bench.clock.sleep(FLAG_S)
        asserted = lanes_set(run.module.registers, "LOSFlagRx")
        for lane in targets:
            self._edges[lane].history.append((levels[lane], lane in asserted))
        return {lane: lane in asserted for lane in targets}


def _given(bench: Prepared, light: ReceiverLight, lane: int, *, of_oma: bool) -> dict[str, Contribution]:
    given = light.contributions(lane)
    if of_oma:
        known = bench.source.lanes[lane]
        given["ratio"] = from_expanded(
            "OMAouter over average", known.oma_to_average_uncertainty_db, "dB", bench.source.known_by
        )
    return given


def _never(
    run: Run, record: Acquisition, lane: int, name: str, edge: _Edges, offset_db: float
) -> Checked | NotOffered:
    """An edge that was not found: the module's failure where light was certainly little, or much, enough."""
    levels = [level - offset_db for level, _ in edge.history]
    if name == "los_assert":
        least_dbm = min(levels)
        text = f"LOSFlagRx was not asserted down to {least_dbm:.1f} dBm average at TP3"
        failed = least_dbm + offset_db <= LOWEST_DBM + COARSE_DB
    else:
        most_dbm = max((level - offset_db for level, los in edge.history if los), default=-99.0)
        text = f"LOSFlagRx was asserted, up to {most_dbm:.1f} dBm average at TP3, and not released"
        works = run.limits.resolve("average_receive_power", run.facts, lane=lane)
        failed = works is not None and works.low is not None and most_dbm > works.low.value + COARSE_DB
    if not failed:
        return NotOffered(text)
    return Checked(
        False, text, "OIF-CMIS-05.4 page 11h byte 147", record.acquisition_id, record.at, lane=lane
    )
