"""Which lane of the reference arrives at which receiver: one lane lit at a time.

A receiver that sees another lane's light than the tap before it shows is a matter of fibres, for all that the
bench can tell: nothing is laid to a lane of the module then. What no receiver sees though the tap shows it,
neither: a fibre behind the tap may be dark as well as a photodiode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from drivers.errors import BenchError, InstrumentError, UnsupportedError
from drivers.interfaces import ReferenceTransmitter
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.behind_the_tap import LIT_DBM, told_by_receivers
from harness.acquisitions.receiver.light import ReceiverLight
from harness.acquisitions.receiver.prepared import LANE_MAP, Before, Values, nothing, prepared
from harness.judging.measured import Checked, Contradiction, NotOffered
from harness.run import Run
from harness.run_folder.records import Acquisition

NAME = LANE_MAP
PARAMETERS = ("lane_map", "lane_polarity")
LEVEL_DBM = -3.0
"""Average power at TP3, or what the bench reaches: far above any LOS, far below any damage."""


def receive_lane_map(run: Run, lanes: Sequence[int], before: Before = MappingProxyType({})) -> Acquired:
    """Once in a run: every lane of the reference alone, at all taps and all receivers; then all together, for
    the checkers.

    Gives, per lane, ``lane_map`` (the receiver sees its own lane alone) and ``lane_polarity`` (its checker
    finds the pattern, which it does not when a pair of wires is exchanged).

    A receiver sees light when LOS says so, or, where the module has no LOS, its power monitor; lanes that
    leak to one another are not told apart from dark ones. Where LOS tells of another wiring than the bench's
    while all monitors tell of that one, it is LOS that is wrong, and the module fails on its lane.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when a tap shows another lane's light than it should, or none: the wiring before it is
        not as the bench file says.
    """
    start_s = run.bench.clock.now_s()
    bench = prepared(run, lanes, before)
    if isinstance(bench, NotOffered):
        return nothing(run, NAME, start_s, PARAMETERS, lanes, bench)
    reference = run.bench.reference_tx
    at_taps: dict[int, dict[int, float]] = {}
    seen: dict[int, dict[int, bool]] = {}
    metered: dict[int, dict[int, bool]] = {}
    monitors: dict[int, dict[int, float | None]] = {}
    has_los, has_monitor = (
        bool(run.module.get(name)) for name in ("LOSFlagRxSupported", "RxOpticalPowerMonSupported")
    )
    if not has_los and not has_monitor:
        why = NotOffered(
            "the module has neither LOSFlagRx nor an Rx power monitor (page 01h, bytes 158, 160)"
        )
        return nothing(run, NAME, start_s, PARAMETERS, lanes, why)
    with bench.light() as light, bench.checker:
        targets = {
            lane: min(LEVEL_DBM + light.lit[lane].offset_db, level)
            for lane, level in light.highest_dbm.items()
        }
        light.set_levels(targets)
        bench.checker.start_pattern(bench.pattern, lanes, generate=False, check=True)
        locked = bench.checker.diagnostics.checker_locked(bench.checker.side)
        lit = list(lanes)
        for lane in lanes:
            lit = _light_alone(reference, lane, lanes, lit)
            at_taps[lane] = light.read_powers_w()
            _require_own_tap(lane, at_taps[lane], light)
            by_los, by_monitor, monitors[lane] = told_by_receivers(run, lanes)
            seen[lane] = by_los or by_monitor or {}
            metered[lane] = by_monitor or {}
    wrong_los = _wrong_los(lanes, seen, metered) if has_los and has_monitor else {}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={
            **bench.conditions,
            "lit": "one lane at a time",
            "seen_by": "LOS" if has_los else "RxPower",
        },
        data={
            "tap_w": {str(lane): {str(k): w for k, w in powers.items()} for lane, powers in at_taps.items()},
            "seen": {
                str(lane): [other for other, yes in found.items() if yes] for lane, found in seen.items()
            },
            "rx_power_monitor_w": {
                str(lane): {str(k): w for k, w in found.items()} for lane, found in monitors.items()
            },
            "checker_locked": [lane for lane in lanes if locked[lane - 1]],
        },
        budget=[],
    )
    found = _values(run, record, lanes, metered if wrong_los else seen, locked)
    for lane, text in wrong_los.items():
        found["lane_map", lane] = Checked(
            False,
            text,
            "OIF-CMIS-05.4 page 11h byte 147 against bytes 186-201",
            record.acquisition_id,
            record.at,
            lane=lane,
        )
    return Acquired(record, found)


def _wrong_los(
    lanes: Sequence[int],
    by_los: Mapping[int, Mapping[int, bool]],
    by_monitor: Mapping[int, Mapping[int, bool]],
) -> dict[int, str]:
    """Receivers whose LOS is wrong, in words: by the monitors each lane is seen by its own receiver alone,
    and by LOS it is not."""
    if any(by_monitor[lane][other] is not (lane == other) for lane in lanes for other in lanes):
        return {}
    wrong: dict[int, str] = {}
    for lane in lanes:
        said = {lit: by_los[lit][lane] for lit in lanes if by_los[lit][lane] is not (lit == lane)}
        if said:
            listed = ", ".join(map(str, said))
            flag = "not set in the dark" if any(said.values()) else "set in the light"
            wrong[lane] = (
                f"LOSFlagRx of lane {lane} is {flag}, with lane {listed} of the reference lit alone; all Rx "
                f"power monitors agree with the taps"
            )
    return wrong


def _light_alone(
    reference: ReferenceTransmitter, lane: int, lanes: Sequence[int], lit: Sequence[int]
) -> list[int]:
    """Only this lane of the reference is lit afterwards.

    :raises InstrumentError: when the reference does not switch lanes one by one.
    """
    try:
        if lane not in lit:
            reference.set_lane(lane, lit=True)
        for other in lit:
            if other != lane:
                reference.set_lane(other, lit=False)
    except UnsupportedError as fault:
        raise InstrumentError(
            "reference_tx",
            f"its lanes cannot be lit one by one ({fault}), so that nothing shows which of lanes "
            f"{', '.join(map(str, lanes))} arrives where",
            advice="Use a reference module with OutputDisableTx of each lane.",
        ) from fault
    return [lane]


def _require_own_tap(lane: int, powers_w: Mapping[int, float], light: ReceiverLight) -> None:
    arriving = [other for other, power_w in powers_w.items() if power_w >= w_from_dbm(LIT_DBM)]
    if arriving == [lane]:
        return
    way = light.ways[lane]
    taps = ", ".join(f"power_meter.{light.ways[other].tap_port} (lane {other})" for other in arriving)
    shown = dbm_from_w(max(powers_w[lane], 1e-12))
    raise InstrumentError(
        "power_meter",
        f"lane {lane} of the reference alone was lit; light is at {taps or 'no tap'}, and {shown:.1f} dBm at "
        f"TP3 of its own, power_meter.{way.tap_port}",
        advice=f"Check the fibres of {' > '.join(way.path.hops)} and those of the taps: two are exchanged.",
    )


def _values(
    run: Run,
    record: Acquisition,
    lanes: Sequence[int],
    seen: Mapping[int, Mapping[int, bool]],
    locked: Sequence[bool],
) -> Values:
    found: Values = {}
    for lane in lanes:
        receivers = [other for other in lanes if seen[lane][other]]
        others = [other for other in lanes if other != lane and seen[other][lane]]
        if receivers != [lane] or others:
            fault: BenchError = InstrumentError(
                "reference_tx",
                _what(lane, receivers, others),
                advice=(
                    "Check and clean what is between the taps and the module's receivers: fan-out, cassette, "
                    "MPO. With fibres that are in order it is the module's: exchange two legs to see."
                ),
            )
            found["lane_map", lane] = found["lane_polarity", lane] = Contradiction(fault)
            continue
        found["lane_map", lane] = Checked(
            True,
            f"lane {lane} of the reference is seen by receiver {lane} alone",
            "wiring of the bench; OIF-CMIS-05.4 page 11h byte 147",
            record.acquisition_id,
            record.at,
            lane=lane,
        )
        found["lane_polarity", lane] = Checked(
            locked[lane - 1],
            f"the checker of lane {lane} {'finds' if locked[lane - 1] else 'does not find'} "
            f"{record.conditions['pattern']} of the reference",
            "OIF-CMIS-05.4 page 14h bytes 138-139",
            record.acquisition_id,
            record.at,
            lane=lane,
        )
    return found


def _what(lane: int, receivers: Sequence[int], others: Sequence[int]) -> str:
    listed = ", ".join(map(str, receivers))
    if receivers and lane not in receivers:
        return (
            f"lane {lane} of the reference arrives at its tap, and receiver {listed} "
            f"sees it instead of {lane}: legs are exchanged behind the taps"
        )
    if not receivers:
        return f"lane {lane} of the reference arrives at its tap, and no receiver sees it"
    if len(receivers) > 1:
        return f"lane {lane} of the reference alone is lit, and receivers {listed} see light"
    return f"receiver {lane} sees light of lane {', '.join(map(str, others))} of the reference"
