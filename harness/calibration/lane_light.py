"""A walk that lights one lane at a time: its light must be at the lane's port, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from drivers.units import ratio_from_db, w_from_dbm
from harness.acquisitions.lane_walk import LIT_DBM
from harness.acquisitions.launch_power import route_transmitters, transmitters_disabled
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import Level, read_levels, shown_dbm
from harness.calibration.lit_module import light_only, no_light, why_lanes_cannot_be_switched
from harness.run import Run
from harness.wiring import OpticalPath

STEP = "one lane at a time"
ISOLATION_DB = 20.0
"""At any other port a lane leaves at least this much less than at its own: 1 %, 0.04 dB."""
_ROLES = ("power_meter", "optical_switch", "host_board", "power_supply", "thermal")


def check_lanes(run: Run, lanes: Sequence[int]) -> list[Check]:
    """Light each lane alone, and read all ports of the meter, whatever is wired to them. Afterwards all lanes
    are lit again.

    :raises NoLightError: when the lanes cannot be switched.
    :raises BenchError: when the bench file has no way for a lane, or an instrument fails.
    :raises CmisError: when the module does not answer as it must.
    """
    why_not = why_lanes_cannot_be_switched(run.module)
    if why_not:
        raise no_light(why_not)
    bench = run.bench
    paths = route_transmitters(bench, lanes)
    ports = bench.power_meter.channels
    with transmitters_disabled(run.module, bench, lanes):
        off = read_levels(bench, ports)
        lit = {}
        for lane in lanes:
            light_only(run.module, bench, lanes, [lane])
            lit[lane] = read_levels(bench, ports)
    return judge_walk(paths, off, lit)


def judge_walk(
    paths: Mapping[int, OpticalPath], off: Mapping[int, Level], lit: Mapping[int, Mapping[int, Level]]
) -> list[Check]:
    """What a walk shows. ``off``: the ports' levels with no lane lit; ``lit``: with one lane lit, by lane."""
    rise_w = {
        lane: {port: level.mean_w - off[port].mean_w for port, level in levels.items()}
        for lane, levels in lit.items()
    }
    arrived = {lane: _arrivals(rise, paths[lane]) for lane, rise in rise_w.items()}
    cause = likely_cause(paths, arrived)
    checks = []
    for lane, path in paths.items():
        own = path.end.number
        right = arrived[lane] == {own}
        foreign = sorted(arrived[lane] - {own})
        if right:
            found = f"{shown_dbm(rise_w[lane][own]):.2f} dBm at {path.end}, and at no other port"
        elif not arrived[lane]:
            found = f"lane {lane} arrives at no port of the meter, {path.end} expected"
        elif own in arrived[lane]:
            found = f"lane {lane} arrives at {path.end} and also at {_named(foreign)}"
        else:
            found = f"lane {lane} arrives at {_named(foreign)}, {path.end} expected"
        checks.append(
            Check(
                STEP,
                str(path.start),
                Outcome.PASSED if right else Outcome.FAILED,
                found,
                "" if right else f"{cause} Then prove again.",
                {
                    "path": list(path.hops),
                    "arrived_at": sorted(arrived[lane]),
                    "rise_w": {str(port): value for port, value in rise_w[lane].items()},
                    "off_w": {str(port): level.mean_w for port, level in off.items()},
                },
                _ROLES,
            )
        )
    return checks


def _arrivals(rise_w: Mapping[int, float], path: OpticalPath) -> set[int]:
    """Ports that a lane's light is at: those with light of a lane in operation, and those with more than a
    hundredth of the brightest of them."""
    lit_w = w_from_dbm(LIT_DBM - path.loss_db)
    brightest_w = max(rise_w.values())
    if brightest_w < lit_w:
        return set()
    return {port for port, value in rise_w.items() if value > brightest_w * ratio_from_db(-ISOLATION_DB)}


def likely_cause(paths: Mapping[int, OpticalPath], arrived: Mapping[int, Set[int]]) -> str:
    """What most likely makes lanes arrive elsewhere than the bench file says, and what to look at."""
    wrong = [lane for lane in paths if arrived[lane] != {paths[lane].end.number}]
    lane_at = {path.end.number: lane for lane, path in paths.items()}
    lanes = sorted(paths)
    starts = ", ".join(str(paths[lane].start) for lane in wrong)
    if all(not arrived[lane] for lane in paths):
        return (
            "No lane arrives at all: look at what they share: the MPO plug (pushed home?), its key (up or "
            "down), the cable's polarity (type B belongs here), the fan-out, and the matrix."
        )
    if any(len(arrived[lane]) > 1 for lane in wrong):
        return (
            f"Light of {starts} comes to several ports: look for a matrix route that is not closed, a "
            f"splitter that the bench file does not name, or a transmitter that is not off when it should "
            f"be."
        )
    seen = {lane: lane_at.get(next(iter(arrived[lane]))) for lane in wrong if arrived[lane]}
    if len(wrong) == len(lanes) > 2 and all(
        seen.get(lane) == lanes[-1 - index] for index, lane in enumerate(lanes)
    ):
        return (
            "The lanes arrive in reverse order: the cassette or fan-out counts from its other end; turn "
            "or replace it."
        )
    swapped = [
        (lane, other)
        for lane, other in seen.items()
        if other is not None and lane < other and seen.get(other) == lane
    ]
    if swapped:
        pairs = " and ".join(
            f"{paths[lane].start} with {paths[other].start}, or {paths[lane].end} with {paths[other].end}"
            for lane, other in swapped
        )
        return (
            f"Two fibres are exchanged: {pairs}, at the fan-out, at the matrix or at the meter. Put them "
            f"right."
        )
    missing = [lane for lane in wrong if not arrived[lane]]
    if len(missing) == len(wrong):
        ways = "; ".join(" > ".join(paths[lane].hops) for lane in missing)
        return f"A fibre is unplugged, broken or very dirty: follow {ways}, and clean each end on the way."
    return (
        f"Fibres from {starts} are plugged elsewhere than the bench file says: follow each, or correct "
        f"the file."
    )


def _named(ports: Sequence[int]) -> str:
    return ", ".join(f"power_meter.{port}" for port in ports)
