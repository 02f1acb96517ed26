"""Cold start: light from a module that was just brought up, until it is stable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from drivers.cmis.errors import CmisError
from drivers.errors import NotSettledError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.launch_power import (
    AVERAGING_S,
    LOWEST_MONITORED_DBM,
    meter_ports,
    meter_wavelengths_nm,
    read_at_meter_w,
    route_transmitters,
)
from harness.acquisitions.thermal.definition import Stable, thermal_definition
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, Contradiction, NotOffered
from harness.judging.uncertainty import expanded, from_half_width
from harness.run import Run

NAME = "warm_up"


@dataclass(frozen=True, slots=True)
class _Seen:
    """One reading; seconds since the supply was turned on. ``levels_dbm``: at TP2, by lane."""

    at_s: float
    monitor_c: float
    case_c: float
    levels_dbm: dict[int, float]


def warm_up(run: Run, lanes: Sequence[int]) -> Acquired:
    """Take the supply away until the module is cold, bring it up, and read its light until it is stable.

    Gives ``tx_drift`` (dB, per lane: the first reading after the bring-up less the mean once stable),
    ``warm_up_time`` (s: from the supply to the beginning of the time over which it was stable) and
    ``warm_up_stable`` (whether it became stable). ``stable`` is what ``testplans/thermal.toml`` says. The
    module is up and the supply at the corner's voltage afterwards.

    :raises CmisError: when the module does not come up.
    :raises BenchError: when the bench is at fault.
    """
    bench, wanted = run.bench, thermal_definition()
    assert run.conditions is not None
    corner = run.conditions.corner
    run.require_module_up()
    paths = route_transmitters(bench, lanes, run.pmd.wavelengths_in_one_fibre_nm)
    bench.set_up_power_meter(meter_wavelengths_nm(run.pmd, paths), AVERAGING_S, meter_ports(paths))
    start_s = bench.clock.now_s()
    run.conditioner.power_off()
    bench.clock.sleep(wanted.cold_off_s)
    cold_c = bench.case_sensor.read_case_c()
    result, _ = run.bring_up(run.pmd.media_interface)
    if not result.ok:
        raise CmisError(f"the module did not come up from cold ({cold_c:.1f} C): {result.stopped_by}")
    powered_at_s = run.conditioner.powered_at_s
    floor_w = w_from_dbm(bench.power_meter.range_dbm[0])
    seen: list[_Seen] = []
    deadline_s = bench.clock.now_s() + wanted.stable.time_limit_s
    while not _stable(seen, wanted.stable) and bench.clock.now_s() < deadline_s:
        if seen:
            bench.clock.sleep(wanted.stable.interval_s)
            run.watch_heat()
        at_s = bench.clock.now_s() - powered_at_s
        levels = {
            lane: dbm_from_w(max(power_w, floor_w)) + paths[lane].loss_db
            for lane, power_w in read_at_meter_w(bench, paths).items()
        }
        seen.append(_Seen(at_s, run.module.temperature_c(), bench.case_sensor.read_case_c(), levels))
    run.conditioner.set_vcc(corner.vcc_v)
    run.conditioner.wait_for_case(corner.case_temp_c)
    of_drift = budget_of("tx_drift").contributions()
    of_time = [
        from_half_width("interval of the readings", wanted.stable.interval_s, "s", "testplans/thermal.toml")
    ]
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"off_s": wanted.cold_off_s, "stable": asdict(wanted.stable), "case_cold_c": cold_c},
        data={
            "at_s": [look.at_s for look in seen],
            "temperature_monitor_c": [look.monitor_c for look in seen],
            "case_c": [look.case_c for look in seen],
            "at_tp2_dbm": {str(lane): [look.levels_dbm[lane] for look in seen] for lane in lanes},
        },
        budget=[{"lane": None, **asdict(entry)} for entry in (*of_drift, *of_time)],
    )
    measured: dict[tuple[str, int | None], Value] = {}
    last = _last(seen, wanted.stable)
    stable = _stable(seen, wanted.stable)
    source = "testplans/thermal.toml (this project's choice)"
    text = (
        f"stable {last[0].at_s:.1f} s after the supply"
        if stable
        else f"not stable within {wanted.stable.time_limit_s:g} s: {_spans(last)}"
    )
    moved_k = max(look.case_c for look in last) - min(look.case_c for look in last)
    if not stable and moved_k > bench.spec.thermal.window_c:
        unsteady = Contradiction(
            NotSettledError(
                "thermal",
                f"the case moves by {moved_k:.1f} K within {wanted.stable.over_s:g} s",
                advice="Check the thermal source: a module is not stable on a case that is not.",
            )
        )
        measured["warm_up_stable", None] = measured["warm_up_time", None] = unsteady
        return Acquired(record, measured | {("tx_drift", lane): unsteady for lane in lanes})
    measured["warm_up_stable", None] = Checked(stable, text, source, record.acquisition_id, record.at)
    unknown = NotOffered(text)
    timed = run.measured_from(record, lane=None, uncertainty=expanded(of_time))
    measured["warm_up_time", None] = (
        timed(value=last[0].at_s, unit="s", plane="TP2, module monitor", detector="power_meter")
        if stable
        else unknown
    )
    for lane in lanes:
        final_dbm = _mean_dbm([look.levels_dbm[lane] for look in last])
        drift = run.measured_from(record, lane=lane, uncertainty=expanded(of_drift))
        if not stable:
            value: Value = unknown
        elif final_dbm < LOWEST_MONITORED_DBM:
            value = NotOffered(f"the lane is dark: {final_dbm:.1f} dBm at TP2")
        else:
            value = drift(
                value=seen[0].levels_dbm[lane] - final_dbm,
                unit="dB",
                plane="TP2",
                detector="power_meter",
                conditions={"first_at_s": seen[0].at_s, "case_cold_c": cold_c},
            )
        measured["tx_drift", lane] = value
    return Acquired(record, measured)


def _last(seen: Sequence[_Seen], wanted: Stable) -> Sequence[_Seen]:
    """The readings of the last ``over_s``, with the one just before it."""
    count = sum(look.at_s > seen[-1].at_s - wanted.over_s for look in seen)
    return seen[-count - 1 :] if count < len(seen) else seen


def _stable(seen: Sequence[_Seen], wanted: Stable) -> bool:
    if not seen or seen[-1].at_s - seen[0].at_s < wanted.over_s:
        return False
    last = _last(seen, wanted)
    temperatures = [look.monitor_c for look in last]
    return max(temperatures) - min(temperatures) <= wanted.temperature_monitor_k and all(
        max(levels) - min(levels) <= wanted.launch_power_db for levels in _levels(last).values()
    )


def _levels(seen: Sequence[_Seen]) -> dict[int, list[float]]:
    return {lane: [look.levels_dbm[lane] for look in seen] for lane in seen[0].levels_dbm}


def _spans(seen: Sequence[_Seen]) -> str:
    temperatures = [look.monitor_c for look in seen]
    powers = ", ".join(
        f"lane {lane} {max(levels) - min(levels):.2f} dB" for lane, levels in _levels(seen).items()
    )
    return f"temperature monitor {max(temperatures) - min(temperatures):.2f} K, {powers}"


def _mean_dbm(levels_dbm: Sequence[float]) -> float:
    return dbm_from_w(sum(map(w_from_dbm, levels_dbm)) / len(levels_dbm))
