"""The supply taken away and given back, again and again: each time the module must come up as advertised, and
its light must be back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from drivers.cmis.errors import CmisError
from drivers.errors import InstrumentError
from drivers.units import db_from_ratio, dbm_from_w, w_from_dbm
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.launch_power import (
    AVERAGING_S,
    LOWEST_MONITORED_DBM,
    MONITOR_REFRESH_S,
    meter_ports,
    meter_wavelengths_nm,
    read_at_meter_w,
    route_transmitters,
)
from harness.acquisitions.thermal.definition import thermal_definition
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, NotOffered
from harness.judging.uncertainty import expanded
from harness.run import Run

NAME = "power_cycles"
_SOURCE = "OIF-CMIS-05.4 6.3.2, 6.3.3; count and light within: testplans/thermal.toml"


def power_cycles(run: Run, lanes: Sequence[int], *, count: int | None = None) -> Acquired:
    """Cycle the supply ``count`` times (None: as ``testplans/thermal.toml`` says), with a bring-up each.

    Gives ``power_cycles`` (whether each came up in its advertised times, with its light back),
    ``power_cycle_failures`` (how many did not) and, per lane, ``power_cycle_light_change`` (dB, the largest,
    with its sign, of the light after a cycle against the light before the first). Once a cycle failed no
    further one is made; the module is brought up anew if it can be.

    :raises CmisError: when it cannot be brought up any more.
    :raises BenchError: when the bench is at fault.
    """
    bench, wanted = run.bench, thermal_definition()
    assert run.conditions is not None
    run.require_module_up()
    paths = route_transmitters(bench, lanes, run.pmd.wavelengths_in_one_fibre_nm)
    bench.set_up_power_meter(meter_wavelengths_nm(run.pmd, paths), AVERAGING_S, meter_ports(paths))
    start_s = bench.clock.now_s()
    before_w = read_at_meter_w(bench, paths)
    floor_w = w_from_dbm(bench.power_meter.range_dbm[0])
    dark = [
        lane
        for lane in lanes
        if dbm_from_w(max(before_w[lane], floor_w)) + paths[lane].loss_db < LOWEST_MONITORED_DBM
    ]
    cycles: list[dict[str, Any]] = []
    changes: dict[int, list[float]] = {lane: [] for lane in lanes if lane not in dark}
    failure = ""
    planned = count or wanted.power_cycles
    for number in range(1, planned + 1):
        result, _ = run.bring_up(run.pmd.media_interface)
        if not result.ok:
            failure = f"cycle {number}: {result.stopped_by}"
            cycles.append({"stopped_by": result.stopped_by})
            break
        after_w = read_at_meter_w(bench, paths)
        moved = {lane: db_from_ratio(max(after_w[lane], floor_w) / before_w[lane]) for lane in changes}
        for lane, change_db in moved.items():
            changes[lane].append(change_db)
        cycles.append(
            {
                "elapsed_s": {step.name: step.elapsed_s for step in result.steps},
                "meter_w": {str(lane): after_w[lane] for lane in lanes},
            }
        )
        lost = {lane: db for lane, db in moved.items() if abs(db) > wanted.light_within_db}
        if lost:
            _require_dark(
                run, {lane: dbm_from_w(max(after_w[lane], floor_w)) + paths[lane].loss_db for lane in lost}
            )
            listed = ", ".join(f"lane {lane} {db:+.2f} dB" for lane, db in lost.items())
            failure = f"cycle {number}: light is not back within {wanted.light_within_db:g} dB: {listed}"
            break
        run.watch_heat()
    budget = budget_of("power_cycle_light_change").contributions()
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"cycles": planned, "light_within_db": wanted.light_within_db},
        data={"before_w": {str(lane): before_w[lane] for lane in lanes}, "cycles": cycles},
        budget=[{"lane": None, **asdict(entry)} for entry in budget],
    )
    if failure:
        result, _ = run.bring_up(run.pmd.media_interface)
        if not result.ok:
            raise CmisError(f"{failure}; nor could it be brought up once more: {result.stopped_by}")
    run.conditioner.set_vcc(run.conditions.corner.vcc_v)
    run.conditioner.wait_for_case(run.conditions.corner.case_temp_c)
    text = failure or (
        f"{len(cycles)} of {planned} cycles came up in time, light within {wanted.light_within_db:g} dB"
    )
    measured: dict[tuple[str, int | None], Value] = {
        ("power_cycles", None): Checked(not failure, text, _SOURCE, record.acquisition_id, record.at),
        ("power_cycle_failures", None): run.measured_from(record, lane=None, uncertainty=0.0)(
            value=float(bool(failure)),
            unit="1",
            plane="management interface, TP2",
            detector="host, power_meter",
            conditions={"cycles": len(cycles)},
        ),
    }
    for lane in lanes:
        change = run.measured_from(record, lane=lane, uncertainty=expanded(budget))
        found = changes.get(lane)
        measured["power_cycle_light_change", lane] = (
            change(
                value=max(found, key=abs),
                unit="dB",
                plane="TP2",
                detector="power_meter",
                conditions={"cycles": len(found)},
            )
            if found
            else NotOffered("the lane was dark before" if lane in dark else text)
        )
    return Acquired(record, measured)


def _require_dark(run: Run, levels_dbm: Mapping[int, float]) -> None:
    """Before light that is missing is laid to the module.

    :raises InstrumentError: when nothing arrives of a lane whose own monitor shows light.
    """
    run.bench.clock.sleep(MONITOR_REFRESH_S)
    for monitor in run.module.lane_monitors():
        level_dbm = levels_dbm.get(monitor.lane, 0.0)
        if level_dbm < LOWEST_MONITORED_DBM and (monitor.tx_power_w or 0.0) >= w_from_dbm(
            LOWEST_MONITORED_DBM
        ):
            raise InstrumentError(
                "power_meter",
                f"lane {monitor.lane}: {level_dbm:.1f} dBm arrives after a power cycle, and the module's "
                "monitor shows light",
                advice="Check the fibres to the power meter: was one pulled meanwhile?",
            )
