"""A soak: the host's pattern on all lanes for a stated time, and everything that happens meanwhile on a time
line: lock losses, flags, bursts, temperatures.

End to end by the module's own light, as in :mod:`harness.acquisitions.ber.host`. The counters are renewed for
each slice, which leaves a second or two between slices uncounted; flags are latched, so that what happens
then is on the time line all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.clock import StopRequested
from drivers.cmis.errors import CmisError
from drivers.errors import BenchError, InstrumentError
from drivers.interfaces import LaneErrors
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.ber.counts import Count, budget, measured, shown
from harness.acquisitions.ber.host import host_lanes_of
from harness.acquisitions.ber.own_light import PLANE, OwnLight, arrived, own_light
from harness.acquisitions.ber.settings import ber_settings
from harness.acquisitions.receiver.behind_the_tap import dark_behind_the_tap
from harness.acquisitions.receiver.counting import PATTERNS
from harness.acquisitions.receiver.light import ReceiverLight
from harness.judging.measured import Checked, Contradiction, ModuleFault, NotOffered
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.statistics import poisson_tail
from harness.text import duration_text
from harness.traffic import TRAFFIC

NAME = "ber_soak"
PARAMETERS = ("soak_ber", "soak_events")
RECEIVER_FLAGS = ("LOSFlagRx", "CDRLOLFlagRx")
TRANSMITTER_FLAGS = ("FailureFlagTx",)
HOST_FLAGS = ("LOSFlagTx", "CDRLOLFlagTx")
"""The module misses the host's signal: per host lane, and the bench's."""
_RARE = 1e-9
"""Chance of a slice's errors, by the slices before, from which on they are called a burst."""
_GROSS = 3.0
"""And so many times more than before: light that wanders is no burst."""
_LEAST_EARLIER = 3
_MOST_EVENTS = 1000


@dataclass
class _Line:
    """What happened, in seconds since the soak began. ``rows``: per slice, end, errors of each lane, module's
    and case's temperature, level at TP3 of each lane."""

    events: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    lost: int = 0
    counted: Counter[tuple[str, int | None]] = field(default_factory=Counter)

    def add(self, at_s: float, kind: str, lane: int | None, text: str) -> None:
        # Of each kind and lane: notes that go on for days must not crowd out what fails a lane.
        if self.counted[kind, lane] >= _MOST_EVENTS:
            self.lost += 1
            return
        self.counted[kind, lane] += 1
        self.events.append({"at_s": round(at_s, 3), "kind": kind, "lane": lane, "text": text})

    def of(self, lane: int) -> list[dict[str, Any]]:
        return [event for event in self.events if event["lane"] == lane]


def ber_soak(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Soak for ``run.soak_s``, or the default of the settings.

    Gives, per lane, ``soak_ber`` (of the slices with lock) and ``soak_events`` (a yes or no: nothing happened
    on it). A lane that the host lost while the module flags nothing is the bench's. ``before``:
    ``launch_power``. When the bench fails meanwhile, what was seen until then is recorded first.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, light does not arrive, or the interlock says no.
    """
    start_s = run.bench.clock.now_s()
    run.require_module_up()
    run.traffic.require(TRAFFIC)
    bert = run.bench.bert
    own = own_light(run, lanes, before, attenuated=False)
    hosts = [host for lane in own.lanes for host in host_lanes_of(lane)]
    pattern = next((name for name in PATTERNS if name in bert.patterns), None)
    lacking = own.lacking
    if lacking is None and (pattern is None or not set(hosts) <= set(bert.lanes)):
        lacking = NotOffered("the BERT has no PRBS for all host lanes")
    if lacking is not None or own.light is None or pattern is None:
        record = run.record_acquisition(
            NAME, start_s, conditions={}, data={"not_offered": str(lacking)}, budget=[]
        )
        found = own.values(PARAMETERS, lanes)
        for lane in lanes:
            for name in PARAMETERS:
                if lacking is not None:
                    found.setdefault((name, lane), lacking)
        return Acquired(record, found)
    length_s = ber_settings().soak.default_s if run.soak_s is None else run.soak_s
    line, counts = _Line(), dict.fromkeys(own.lanes, Count())
    try:
        with own.light as light:
            arrived(light)
            bert.start_pattern(pattern, hosts)
            _soak(run, light, own, length_s, line, counts)
            not_received = dark_behind_the_tap(run, light, [lane for lane in own.lanes if line.of(lane)])
    except (BenchError, CmisError, StopRequested) as fault:
        whose = "module" if isinstance(fault, CmisError) else "bench"
        line.add(run.bench.clock.now_s() - start_s, whose, None, str(fault))
        _record(run, start_s, own, pattern, length_s, line, counts)
        raise
    finally:
        bert.stop_pattern()
    record = _record(run, start_s, own, pattern, length_s, line, counts)
    found = own.values(PARAMETERS, lanes)
    for lane in own.lanes:
        found["soak_events", lane] = not_received.get(lane) or _events(record, lane, line, length_s)
        if not counts[lane].bits:
            found["soak_ber", lane] = found["soak_events", lane]
            continue
        found["soak_ber", lane] = measured(
            run,
            record,
            counts[lane],
            lane=lane,
            plane=PLANE,
            detector=bert.detector,
            conditions={"pattern": pattern, "length_s": length_s, "events": len(line.of(lane))},
        )
    return Acquired(record, found)


def _soak(
    run: Run,
    light: ReceiverLight,
    own: OwnLight,
    length_s: float,
    line: _Line,
    counts: dict[int, Count],
) -> None:
    bench, clock = run.bench, run.bench.clock
    hosts = [host for lane in own.lanes for host in host_lanes_of(lane)]
    slice_s = ber_settings().soak.slice_of_s(length_s)
    run.module.flags()  # what was latched while light and pattern came
    start_s = clock.now_s()
    while (left_s := start_s + length_s - clock.now_s()) > 0.0:
        # The gate is what is left of a slice beside the counters' renewal.
        errors = {one.lane: one for one in bench.bert.measure_errors(hosts, min(slice_s, left_s))}
        now_s = clock.now_s() - start_s
        flagged = _flags(run, now_s, line)
        seen = {lane: [errors[host] for host in host_lanes_of(lane)] for lane in own.lanes}
        for lane, both in seen.items():
            _slice(lane, both, now_s, line, counts, flagged)
        levels = light.read_levels()
        line.rows.append(
            [
                round(now_s, 1),
                [sum(one.errors for one in both) for both in seen.values()],
                round(run.module.temperature_c(), 2),
                round(bench.case_sensor.read_case_c(), 2) if bench.has("case_sensor") else None,
                [round(levels[lane], 2) for lane in own.lanes],
            ]
        )


def _slice(
    lane: int,
    both: Sequence[LaneErrors],
    now_s: float,
    line: _Line,
    counts: dict[int, Count],
    flagged: Mapping[int, Sequence[str]],
) -> None:
    unlocked = [one.lane for one in both if not one.locked]
    if unlocked:
        who = "lock" if flagged.get(lane) else "lock, not flagged"
        line.add(now_s, who, lane, f"host lanes {', '.join(map(str, unlocked))} lost the pattern")
        return
    new = Count(sum(one.errors for one in both), sum(one.bits for one in both))
    earlier = counts[lane]
    if earlier.bits >= _LEAST_EARLIER * new.bits:
        mean = (earlier.errors + 1.0) * new.bits / earlier.bits
        if new.errors > _GROSS * mean and poisson_tail(new.errors, mean) < _RARE:
            text = f"{new.errors} errors, {mean:.3g} expected by the slices before"
            line.add(now_s, "burst", lane, text)
    counts[lane] = earlier + new


def _flags(run: Run, now_s: float, line: _Line) -> dict[int, list[str]]:
    """Put flags that were raised since the last look on the time line; by media lane, those of the lane."""
    flags = run.module.flags()
    found: dict[int, list[str]] = {}
    for name, lanes in flags.lanes.items():
        if name in (*RECEIVER_FLAGS, *TRANSMITTER_FLAGS):
            for lane in lanes:
                found.setdefault(lane, []).append(name)
                line.add(now_s, "flag", lane, name)
        elif name in HOST_FLAGS:
            line.add(now_s, "host", None, f"{name} on host lanes {', '.join(map(str, lanes))}")
        elif lanes:
            line.add(now_s, "note", None, f"{name} on lanes {', '.join(map(str, lanes))}")
    for name in flags.module:
        line.add(now_s, "note", None, name)
    return found


def _events(record: Acquisition, lane: int, line: _Line, length_s: float) -> Value:
    events = line.of(lane)
    silent = [event for event in events if event["kind"] == "lock, not flagged"]
    host = [event for event in line.events if event["kind"] == "host"]
    if silent or (host and events):
        first = (host or silent)[0]
        return Contradiction(
            InstrumentError(
                "bert",
                f"lane {lane}, {duration_text(first['at_s'])} into the soak: {first['text']}, and no flag of "
                f"the receiver says so",
                advice="Check the host board's lanes and the BERT; what happened is in the record ber_soak.",
            )
        )
    text = f"{duration_text(length_s)} without an event"
    if events:
        told = "; ".join(f"{event['at_s']:.0f} s: {event['text']}" for event in events[:3])
        text = f"{len(events)} events in {duration_text(length_s)}: {told}"
    return Checked(
        not events,
        text,
        "soak: no loss of lock, no flag, no burst",
        record.acquisition_id,
        record.at,
        lane=lane,
    )


def _record(
    run: Run,
    start_s: float,
    own: OwnLight,
    pattern: str,
    length_s: float,
    line: _Line,
    counts: Mapping[int, Count],
) -> Acquisition:
    return run.record_acquisition(
        NAME,
        start_s,
        conditions={"pattern": pattern, "length_s": length_s, "clock": "host's"},
        data={
            "lanes": shown(counts),
            "events": line.events,
            "events_left_out": line.lost,
            "columns": ["at_s", "errors", "module_temp_c", "case_temp_c", "rx_dbm"],
            "slices": line.rows,
            "loss_db": {str(lane): loss for lane, loss in own.loss_db.items()},
        },
        budget=budget(counts),
    )
