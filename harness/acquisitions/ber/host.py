"""End to end: the host's pattern through the module's transmitters, by its own light, and back to the host.

With 400GAUI-8 two host lanes are multiplexed into each media lane. So a PRBS31Q on host lanes is none on the
fibre, the media side's checker cannot follow it, and both host lanes of a media lane see that lane's errors:
their counts together are the lane's. The media side counts the same light with its own pattern before or
after; whether both counted the same is decided by the exact interval of the ratio of their counts, and by how
far the light drifted meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from drivers.errors import InstrumentError
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.ber.counts import Count, budget, counts_of, measured, shown, unlocked
from harness.acquisitions.ber.loop import stressed_of
from harness.acquisitions.ber.own_light import PLANE, OwnLight, arrived, own_light
from harness.acquisitions.ber.settings import AgreementSettings, ber_settings
from harness.acquisitions.ber.stress import LEAST_SLOPE, TAP_READINGS, Stressed, bring_to, per_db
from harness.acquisitions.receiver.behind_the_tap import dark_behind_the_tap
from harness.acquisitions.receiver.counting import PATTERNS
from harness.acquisitions.receiver.light import ReceiverLight
from harness.judging.measured import Checked, Contradiction, ModuleFault, NotOffered
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.rate_ratio import Counted, agree, rate_ratio
from harness.traffic import TRAFFIC

NAME = "ber_host"
LANE_PARAMETERS = ("link_ber", "ber_counters_agree")
HOST_LANES_PER_LANE = 2
"""Of 400GAUI-8 and 100GAUI-2: 53.125 Gb/s each."""


def host_lanes_of(lane: int) -> tuple[int, ...]:
    """The host lanes that are multiplexed into a media lane, of applications of 53.125 Gb/s a host lane."""
    first = HOST_LANES_PER_LANE * (lane - 1) + 1
    return tuple(range(first, first + HOST_LANES_PER_LANE))


def ber_host(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """All host lanes at once, with the most light there is by the shortest way, then at the level of
    :func:`harness.acquisitions.ber.loop.ber_loop`, or at one that is found here.

    Gives ``host_lane_ber`` (per host lane), ``link_ber`` and ``ber_counters_agree`` (per lane, a yes or no).
    ``before``: ``launch_power``, ``ber_loop``.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, light does not arrive, or the interlock says no.
    """
    start_s = run.bench.clock.now_s()
    run.require_module_up()
    run.traffic.require(TRAFFIC)
    bert = run.bench.bert
    patterns = [name for name in PATTERNS if name in bert.patterns]
    straight = own_light(run, lanes, before, attenuated=False)
    hosts = [host for lane in straight.lanes for host in host_lanes_of(lane)]
    lacking = straight.lacking
    if lacking is None and not patterns:
        lacking = NotOffered(
            f"the BERT sends {', '.join(bert.patterns)}, and no PRBS of {PATTERNS[0]}'s kind"
        )
    if lacking is None and not set(hosts) <= set(bert.lanes):
        lacking = NotOffered(f"the BERT has lanes {', '.join(map(str, bert.lanes))}, not {hosts}")
    if lacking is not None or straight.light is None:
        return _nothing(run, lanes, start_s, straight, lacking)
    pattern = patterns[0]
    settings = ber_settings()
    flags: dict[int, tuple[str, ...]] = {}
    stressed: Stressed | None = None
    again: dict[int, Count] = {}
    counts: dict[int, Count] = {}

    def count(want: Sequence[int] = straight.lanes) -> dict[int, Count]:
        found = counts_of(
            bert.measure_errors([h for n in want for h in host_lanes_of(n)], settings.prbs.gate_s)
        )
        counts.clear()
        counts.update(found)
        return {n: _together(found, n) for n in want}

    try:
        with straight.light as light:
            levels = arrived(light)
            bert.start_pattern(pattern, hosts)
            run.module.flags()  # what was latched while the light came
            open_lanes = count()
            open_hosts = dict(counts)
            flags = lost_flags(run)
            lost = [lane for lane, one in open_lanes.items() if one.ber is None]
            not_received = dark_behind_the_tap(run, light, lost)
            light.require_arriving(light.read_levels(), levels)
        stress = own_light(run, straight.lanes, before, attenuated=True)
        if stress.light is not None:
            stressed, again = _stressed(stress.light, count, stressed_of(before)[0])
    finally:
        bert.stop_pattern()
    _, theirs = stressed_of(before)
    conditions = {"pattern": pattern, "clock": "host's", "self_measured": False}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions=conditions,
        data={
            "host_lanes": shown(open_hosts),
            "lanes": shown(open_lanes),
            "rx_dbm": {str(lane): level for lane, level in levels.items()},
            "flags": {str(lane): names for lane, names in flags.items()},
            "stressed": shown(again),
            "level_dbm": _text_keys(stressed.levels_dbm if stressed else {}),
            "reached": _text_keys(stressed.reached if stressed else {}),
            "loss_db": _text_keys(straight.loss_db),
        },
        budget=[*budget(open_lanes), *budget(open_hosts, "host_lane")],
    )
    found = straight.values(LANE_PARAMETERS, lanes)
    for lane in straight.lanes:
        found |= _of_lane(run, record, lane, open_hosts, levels[lane], flags, bert.detector, conditions)
        if lane in not_received:
            hosts_of = [("host_lane_ber", host) for host in host_lanes_of(lane)]
            found |= dict.fromkeys([("link_ber", lane), *hosts_of], not_received[lane])
        if isinstance(found["link_ber", lane], Contradiction | Checked):
            found["ber_counters_agree", lane] = found["link_ber", lane]
        elif stressed is None or lane not in theirs or again[lane].ber is None:
            found["ber_counters_agree", lane] = NotOffered(
                "the module's checker and the host did not both count errors of this lane's own light"
            )
        else:
            drift_db = stressed.levels_dbm[lane] - stressed_of(before)[0][lane]
            found["ber_counters_agree", lane] = _agreement(
                record, lane, theirs[lane], again[lane], drift_db, settings.agreement
            )
    for lane in straight.dark:
        found |= {
            ("host_lane_ber", host): _on_host(straight.dark[lane], host) for host in host_lanes_of(lane)
        }
    return Acquired(record, found)


def lost_flags(run: Run) -> dict[int, tuple[str, ...]]:
    """Lanes whose receiver said that light or lock was lost since the flags were last read.

    :raises CmisError: when the module does not answer as it must.
    """
    found: dict[int, tuple[str, ...]] = {}
    for name, lanes in run.module.flags().lanes.items():
        if name in ("LOSFlagRx", "CDRLOLFlagRx"):
            for lane in lanes:
                found[lane] = (*found.get(lane, ()), name)
    return found


def _stressed(
    light: ReceiverLight, count: Any, levels: Mapping[int, float]
) -> tuple[Stressed, dict[int, Count]]:
    """Where ``ber_loop`` was; else where the host's own count leads."""
    with light:
        arrived(light)
        if set(levels) == set(light.ways):
            light.set_levels(levels)
            counted = count()
            reached = light.read_levels(TAP_READINGS)
            return Stressed(reached, counted, dict.fromkeys(levels, True)), counted
        found = bring_to(light, count, ber_settings().fec)
        return found, dict(found.counts)


def _together(counts: Mapping[int, Count], lane: int) -> Count:
    parts = [counts[host] for host in host_lanes_of(lane)]
    return sum(parts[1:], parts[0])


def _of_lane(
    run: Run,
    record: Acquisition,
    lane: int,
    hosts: Mapping[int, Count],
    level_dbm: float,
    flags: Mapping[int, tuple[str, ...]],
    detector: str,
    conditions: Mapping[str, Any],
) -> dict[tuple[str, int | None], Value]:
    on_lane = {**conditions, "rx_dbm": round(level_dbm, 2)}
    found: dict[tuple[str, int | None], Value] = {}
    for host in host_lanes_of(lane):
        if hosts[host].ber is None:
            found["host_lane_ber", host] = _lost(record, lane, host, level_dbm, flags)
            continue
        found["host_lane_ber", host] = measured(
            run,
            record,
            hosts[host],
            host_lane=host,
            plane="TP4",
            detector=detector,
            conditions={**on_lane, "media_lane": lane},
        )
    together = _together(hosts, lane)
    if together.ber is not None:
        found["link_ber", lane] = measured(
            run, record, together, lane=lane, plane=PLANE, detector=detector, conditions=on_lane
        )
    else:
        lost = next(found["host_lane_ber", h] for h in host_lanes_of(lane) if hosts[h].ber is None)
        found["link_ber", lane] = (
            replace(lost, lane=lane, host_lane=None) if isinstance(lost, Checked) else lost
        )
    return found


def _lost(
    record: Acquisition, lane: int, host: int, level_dbm: float, flags: Mapping[int, tuple[str, ...]]
) -> Value:
    """Who lost it: the module, which says so, or something between module and BERT."""
    if flags.get(lane):
        text = (
            f"host lane {host} does not see its pattern with {level_dbm:.1f} dBm at TP3 of lane {lane}, and "
            f"the module flags {', '.join(flags[lane])}"
        )
        return unlocked(record, lane, text, host_lane=host)
    return Contradiction(
        InstrumentError(
            "bert",
            f"host lane {host} does not see its pattern, but the receiver of lane {lane} flags no loss of "
            f"light or lock with {level_dbm:.1f} dBm at TP3",
            advice="Check the host board's lanes, their order and polarity, and the BERT's settings.",
        )
    )


def _agreement(
    record: Acquisition,
    lane: int,
    module: Count,
    host: Count,
    drift_db: float,
    settings: AgreementSettings,
) -> Value:
    """Both on the same light, but for what the taps show (``drift_db``: host's less module's) and what they
    do not."""
    slope = per_db((module.errors + host.errors + 1) / (module.bits + host.bits))
    expected = math.exp(0.5 * (1.0 + LEAST_SLOPE) * slope * drift_db)
    unseen_db = settings.drift_db + 0.5 * (1.0 - LEAST_SLOPE) * abs(drift_db)
    allowed = math.exp(slope * unseen_db)
    one, other = Counted(module.errors, module.bits), Counted(host.errors, host.bits)
    interval = rate_ratio(one, other, settings.confidence)
    passed = agree(one, other, confidence=settings.confidence, expected_ratio=expected, allowed_ratio=allowed)
    text = (
        f"module {module.errors} in {module.bits:.3g} bits, host {host.errors} in {host.bits:.3g}: ratio "
        f"{interval.low:.3f} .. {interval.high:.3f} ({100 * settings.confidence:g} %); the taps show "
        f"{drift_db:+.3f} dB between them, for which {expected / allowed:.3f} .. {expected * allowed:.3f} is "
        f"allowed"
    )
    return Checked(
        passed,
        text,
        "OIF-CMIS-05.4 14h:192-255, against the host's error counter",
        record.acquisition_id,
        record.at,
        lane=lane,
        conditions={"drift_db": drift_db},
    )


def _nothing(
    run: Run, lanes: Sequence[int], start_s: float, own: OwnLight, lacking: NotOffered | None
) -> Acquired:
    reason = lacking or own.lacking
    record = run.record_acquisition(
        NAME, start_s, conditions={}, data={"not_offered": str(reason)}, budget=[]
    )
    found: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        value = own.dark.get(lane, reason)
        assert value is not None
        found |= {(parameter, lane): value for parameter in LANE_PARAMETERS}
        found |= {("host_lane_ber", host): _on_host(value, host) for host in host_lanes_of(lane)}
    return Acquired(record, found)


def _on_host(value: Value, host: int) -> Value:
    return replace(value, lane=None, host_lane=host) if isinstance(value, Checked) else value


def _text_keys(values: Mapping[int, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in values.items()}
