"""Average launch power at TP2, with the transmitters on and with them disabled.

Source: IEEE 802.3 clause 124 (Table 124-6), average launch power and average launch power of OFF
transmitter. The meter reads at the end of the bench's path; the path's loss from the wiring is added.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from drivers.cmis.codes import DataPathState
from drivers.cmis.errors import CmisError
from drivers.cmis.module import CmisModule
from drivers.errors import BenchError, InstrumentError
from drivers.units import db_from_ratio, dbm_from_w, w_from_dbm
from harness.acquisitions.acquired import Acquired, Value
from harness.bench import Bench
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.pmd import Pmd
from harness.judging.uncertainty import Contribution, expanded, from_expanded, from_readings
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.traffic import TRAFFIC
from harness.wiring import OpticalPath, WiringError

METER_WAVELENGTH_NM = 1311.0  # the middle of 1304.5 .. 1317.5 nm, Table 124-6
AVERAGING_S = 0.1
# Below this a lane is not in operation: 7 dB under the lowest average launch power permitted.
LOWEST_MONITORED_DBM = -10.0
# A lane that is off and brighter than this, 5 dB under the limit of Table 124-6, is looked at twice.
_NOT_DARK_DBM = -20.0
_FOREIGN_SHARE = 0.1  # of the light: more that is not the module's, and its own is not known within 0.5 dB
_MONITOR_STEP_W = 0.1e-6  # page 11h, bytes 154-169
READINGS = 4
# OIF-CMIS-05.4, Table 10-5: Tx disable acts within 100 ms, enable within 400 ms.
TX_DISABLE_S = 0.1
TX_ENABLE_S = 0.4
# The module refreshes its monitors at a rate it does not tell; a reading must be newer than the light.
MONITOR_REFRESH_S = 1.0
# In dB around a power far above the noise, 1 % is 0.0432 dB.
_DB_PER_RATIO = 10.0 / math.log(10.0)


def route_transmitters(
    bench: Bench, lanes: Sequence[int], wavelengths_nm: Mapping[int, float] = MappingProxyType({})
) -> dict[int, OpticalPath]:
    """Send each lane's light to a port of the power meter of its own, and return the ways taken.
    ``wavelengths_nm``: of the lanes, where all share a fibre.

    :raises WiringError: when the bench file has no such way.
    :raises InstrumentError: when a switch does not take the routes.
    """
    paths = bench.spec.wiring.transmitter_paths(lanes, "power_meter", wavelengths_nm)
    without = [lane for lane in lanes if lane not in paths]
    if without:
        origins = ", ".join(_origin(lane, wavelengths_nm) for lane in without)
        raise WiringError(
            f"{bench.spec.path.name}: no way from {origins} to a port of power_meter of its own; add the "
            "missing fibre"
        )
    routes = {entry: leave for path in paths.values() for _, entry, leave in path.routes}
    if routes:
        standing = bench.optical_switch.routes()
        missing = {entry: leave for entry, leave in routes.items() if standing.get(entry) != leave}
        if missing:
            bench.optical_switch.route(missing)
    return paths


def _origin(lane: int, wavelengths_nm: Mapping[int, float]) -> str:
    return f"module.tx1 at {wavelengths_nm[lane]:g} nm" if wavelengths_nm else f"module.tx{lane}"


def meter_wavelengths_nm(pmd: Pmd, paths: Mapping[int, OpticalPath]) -> dict[int, float]:
    """What the meter's ports are to be set to: the middle of what each lane's wavelength may be."""
    return {path.end.number: pmd.lane_wavelength_nm(lane) for lane, path in paths.items()}


def wavelengths_shown(pmd: Pmd, lanes: Sequence[int]) -> float | dict[str, float]:
    """What the meter was set to, as records have it: one number, or where lanes differ one of each."""
    of = {str(lane): pmd.lane_wavelength_nm(lane) for lane in lanes}
    return of if len(set(of.values())) > 1 else next(iter(of.values()))


def disable_settling_s(module: CmisModule) -> float:
    """Seconds from OutputDisableTx to dark, at most: the disable's own and what the module advertises."""
    return TX_DISABLE_S + module.duration_s("MaxDurationDPTxTurnOff")


@contextmanager
def transmitters_disabled(module: CmisModule, bench: Bench, lanes: Sequence[int]) -> Iterator[None]:
    """Within this context the lanes' transmitters are off (OutputDisableTx, page 10h byte 130); afterwards
    the register is as before, and the data paths too.

    :raises CmisError: when the data paths do not come back in time. A fault of the bench that happened
        meanwhile is raised instead: with it nothing is proven of the module.
    """
    before, disabled = module.data_path_states(), module.get("OutputDisableTx")
    settling_s = disable_settling_s(module)
    fault: BaseException | None = None
    try:
        module.set_output_disable_tx(lanes)
        bench.clock.sleep(settling_s)
        yield
    except BaseException as error:
        fault = error
        raise
    finally:
        try:
            module.set_and_verify("OutputDisableTx", disabled)
        except (CmisError, BenchError) as second:
            if not isinstance(fault, BenchError):
                raise
            fault.add_note(f"the transmitters could not be enabled again: {second}")
    _wait_for_light(module, bench, before)


def _wait_for_light(module: CmisModule, bench: Bench, before: tuple[DataPathState, ...]) -> None:
    """Wait until the data paths are where they were.

    :raises CmisError: when they are not within the advertised time: the module's failure.
    """
    allowed_s = TX_ENABLE_S + module.duration_s("MaxDurationDPTxTurnOn")
    start_s = bench.clock.now_s()
    while (now := module.data_path_states()) != before:
        if bench.clock.now_s() - start_s >= allowed_s:
            late = [lane for lane, (a, b) in enumerate(zip(now, before, strict=True), start=1) if a is not b]
            raise CmisError(
                f"host lanes {', '.join(map(str, late))}: data path is {now[late[0] - 1].name}, "
                f"not {before[late[0] - 1].name}, {allowed_s:g} s after OutputDisableTx was released"
            )
        bench.clock.sleep(0.05)


def launch_power(run: Run, lanes: Sequence[int]) -> Acquired:
    """Average launch power of all lanes at once, and the module's own Tx power monitor beside it.

    Gives ``average_launch_power`` (dBm, TP2) and ``tx_power_monitor_error`` (dB, monitor minus meter) of each
    lane, ``total_launch_power`` (dBm) and ``lane_power_difference`` (dB) of the module. A
    reading at or below the meter's lowest range is reported as that range (condition ``at_meter_floor``):
    the lane is darker than that, and its monitor has nothing to be compared with.
    """
    seen = _at_the_meter(
        run,
        "launch_power",
        lanes,
        _monitors_refreshed(run.bench),
        conditions={"readings": READINGS},
        beside=lambda _paths, _readings_w: {"tx_power_monitor_w": _tx_power_monitors_w(run.module, lanes)},
    )
    monitors_w = seen.record.data["tx_power_monitor_w"]
    measured: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        common = run.measured_from(seen.record, lane=lane, uncertainty=seen.uncertainty_db(lane))
        level = seen.levels[lane]
        measured["average_launch_power", lane] = common(
            value=level.at_tp2_dbm,
            unit="dBm",
            plane="TP2",
            detector="power_meter",
            conditions={"at_meter_floor": True} if level.at_floor else {},
        )
        monitor_w = monitors_w[str(lane)]
        if monitor_w is None:
            error: Value = NotOffered("the module has no Tx power monitor (page 01h byte 160, bit 1)")
        elif level.at_tp2_dbm < LOWEST_MONITORED_DBM <= dbm_from_w(monitor_w):
            dark = InstrumentError(
                "power_meter",
                f"lane {lane}: {level.at_tp2_dbm:.1f} dBm arrives, but the module's monitor says "
                f"{dbm_from_w(monitor_w):.1f} dBm",
                advice=f"Check and clean the fibres of {level.path.start} to {level.path.end}.",
            )
            measured["average_launch_power", lane] = error = Contradiction(dark)
        elif level.at_tp2_dbm < LOWEST_MONITORED_DBM:
            error = NotOffered(
                f"the lane launches {level.at_tp2_dbm:.1f} dBm; a monitor's accuracy is specified for a "
                f"lane in operation, taken here as {LOWEST_MONITORED_DBM:g} dBm or more"
            )
        else:
            error = common(
                # A register that reads 0 means less than half its step: bounded, not minus infinity.
                value=dbm_from_w(max(monitor_w, _MONITOR_STEP_W / 2.0)) - level.at_tp2_dbm,
                unit="dB",
                plane="TP2",
                detector="module monitor against power_meter",
            )
        measured["tx_power_monitor_error", lane] = error
    measured |= _of_all_lanes(run, seen, measured)
    contradicted = any(isinstance(value, Contradiction) for value in measured.values())
    if contradicted and len(lanes) > 1 and seen.all_dark:
        shared = Contradiction(_nothing_arrives(seen, [lane for lane in lanes if monitors_w[str(lane)]]))
        measured = dict.fromkeys(measured, shared)
    return Acquired(seen.record, measured)


def _of_all_lanes(
    run: Run, seen: _AtTheMeter, measured: Mapping[tuple[str, int | None], Value]
) -> dict[tuple[str, int | None], Value]:
    """``total_launch_power`` (dBm, of lanes that share a fibre) and ``lane_power_difference`` (dB)."""
    levels = [measured["average_launch_power", lane] for lane in seen.levels]
    for value in levels:
        if isinstance(value, Contradiction):
            return {("total_launch_power", None): value, ("lane_power_difference", None): value}
    found = [value for value in levels if isinstance(value, Measured)]
    total_w = math.fsum(w_from_dbm(value.value) for value in found)
    # As if all erred together: the meter is one, and so is the way up to the demultiplexer.
    total_db = math.fsum(w_from_dbm(value.value) / total_w * value.uncertainty for value in found)
    total: Value = run.measured_from(seen.record, lane=None, uncertainty=total_db)(
        value=dbm_from_w(total_w), unit="dBm", plane="TP2", detector="power_meter"
    )
    if not run.pmd.multiplexed:
        total = NotOffered("each lane has a fibre of its own: there is no total power in a fibre")
    highest = max(found, key=lambda value: value.value)
    lowest = min(found, key=lambda value: value.value)
    difference = run.measured_from(
        seen.record, lane=None, uncertainty=math.hypot(highest.uncertainty, lowest.uncertainty)
    )(
        value=highest.value - lowest.value,
        unit="dB",
        plane="TP2",
        detector="power_meter",
        conditions={"lanes": [highest.lane, lowest.lane], "of": "average power"},
    )
    return {("total_launch_power", None): total, ("lane_power_difference", None): difference}


def _nothing_arrives(seen: _AtTheMeter, lit: Sequence[int]) -> InstrumentError:
    """One fault for all lanes: what they share is more likely than as many dirty fibres."""
    ports = ", ".join(str(level.path.end) for level in seen.levels.values())
    return InstrumentError(
        "power_meter",
        f"no lane's light arrives (at {ports}), but the module's monitors show light on "
        f"lane{'s' if len(lit) > 1 else ''} {', '.join(map(str, lit))}",
        advice=(
            "Look at what all lanes share: the MPO plug (pushed home? cable pulled?), its key (up or down), "
            "the cable's polarity, and the matrix."
        ),
    )


def launch_power_off(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Average launch power of the transmitters while they are disabled.

    Gives ``average_launch_power_off`` (dBm, TP2). A reading at or below the meter's lowest range is
    reported as that range, which is then an upper bound (condition ``at_meter_floor``). Light of a lane
    that is off is looked at again with the bench's matrix open: what remains then is not the module's.

    ``before``: what :func:`launch_power` gave at the same corner. Where it found bench and module in
    contradiction, darkness proves nothing of the transmitter, and the contradiction stands here too.
    """
    lit = before.get("launch_power")
    seen = _at_the_meter(
        run,
        "launch_power_off",
        lanes,
        transmitters_disabled(run.module, run.bench, lanes),
        conditions={"transmitters": "disabled"},
        beside=lambda paths, readings_w: _light_past_the_matrix(run.bench, paths, readings_w),
        near_floor=True,
    )
    foreign_w: Mapping[str, float] = seen.record.data.get("matrix_open_w", {})
    measured: dict[tuple[str, int | None], Value] = {}
    for lane, level in seen.levels.items():
        on = lit.measured.get(("average_launch_power", lane)) if isinstance(lit, Acquired) else None
        if isinstance(on, Contradiction):
            measured["average_launch_power_off", lane] = on
            continue
        remains_w = foreign_w.get(str(lane), 0.0)
        if remains_w > _FOREIGN_SHARE * level.seen_w:
            measured["average_launch_power_off", lane] = _not_the_modules(level, remains_w)
            continue
        common = run.measured_from(seen.record, lane=lane, uncertainty=seen.uncertainty_db(lane))
        measured["average_launch_power_off", lane] = common(
            value=level.at_tp2_dbm,
            unit="dBm",
            plane="TP2",
            detector="power_meter",
            conditions={"transmitters": "disabled", "at_meter_floor": level.at_floor},
        )
    return Acquired(seen.record, measured)


def _light_past_the_matrix(
    bench: Bench, paths: Mapping[int, OpticalPath], readings_w: Mapping[int, Sequence[float]]
) -> dict[str, Any]:
    """Where a lane that is off is not dark: what its port sees with the matrix open, W by lane. The routes
    are as before afterwards."""
    lit = [
        lane
        for lane, path in paths.items()
        if path.routes and statistics.fmean(readings_w[lane]) >= w_from_dbm(_NOT_DARK_DBM - path.loss_db)
    ]
    if not lit:
        return {}
    routes = bench.optical_switch.routes()
    try:
        bench.optical_switch.disconnect_all()
        seen_w = read_at_meter_w(bench, paths)
    finally:
        bench.optical_switch.route(routes)
    return {"matrix_open_w": {str(lane): seen_w[lane] for lane in lit}}


def _not_the_modules(level: _Level, remains_w: float) -> Contradiction:
    end = level.path.end
    return Contradiction(
        InstrumentError(
            "power_meter",
            f"with the transmitters disabled {dbm_from_w(level.seen_w):.1f} dBm arrive at {end}, and "
            f"{dbm_from_w(remains_w):.1f} dBm of it with the matrix open: that is not the module's light",
            advice=f"Look for light of another source at {end}, and for a meter whose readings stand still.",
        )
    )


def require_own_light(bench: Bench, paths: Mapping[int, OpticalPath]) -> None:
    """Look whether ports that are lit though their transmitters are off are lit by something else: that is no
    fault of the module.

    :raises BenchError: when they are, or when an instrument fails.
    """
    seen_w = read_at_meter_w(bench, paths)
    beside = _light_past_the_matrix(bench, paths, {lane: [power_w] for lane, power_w in seen_w.items()})
    for key, remains_w in beside.get("matrix_open_w", {}).items():
        level = _level(bench, paths[int(key)], [seen_w[int(key)]])
        if remains_w > _FOREIGN_SHARE * level.seen_w:
            raise _not_the_modules(level, remains_w).fault


@contextmanager
def _monitors_refreshed(bench: Bench) -> Iterator[None]:
    bench.clock.sleep(MONITOR_REFRESH_S)
    yield


def _tx_power_monitors_w(module: CmisModule, lanes: Sequence[int]) -> dict[str, float | None]:
    monitors = {monitor.lane: monitor for monitor in module.lane_monitors()}
    return {str(lane): monitors[lane].tx_power_w for lane in lanes}


@dataclass(frozen=True, slots=True)
class _Level:
    """One lane's light, which came by ``path``: at the meter (W, never below its lowest range) and, with the
    path's loss, at TP2 (dBm). ``relative_db``: the readings around their mean."""

    path: OpticalPath
    seen_w: float
    at_tp2_dbm: float
    at_floor: bool
    relative_db: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _AtTheMeter:
    """All lanes' light at the power meter, recorded. By lane: level, and the budget of its uncertainty."""

    record: Acquisition
    levels: Mapping[int, _Level]
    budgets: Mapping[int, Sequence[Contribution]]

    def uncertainty_db(self, lane: int) -> float:
        """Expanded uncertainty (k = 2) of a lane's level."""
        return expanded(self.budgets[lane])

    @property
    def all_dark(self) -> bool:
        """Whether no lane is in operation, as the meter sees it."""
        return all(level.at_tp2_dbm < LOWEST_MONITORED_DBM for level in self.levels.values())


def _at_the_meter(
    run: Run,
    name: str,
    lanes: Sequence[int],
    light: AbstractContextManager[None],
    *,
    conditions: Mapping[str, Any],
    beside: Callable[
        [Mapping[int, OpticalPath], Mapping[int, Sequence[float]]], Mapping[str, Any]
    ] = lambda _paths, _readings_w: {},
    near_floor: bool = False,
) -> _AtTheMeter:
    """Bring all lanes' light to the power meter at once, read it ``READINGS`` times, record it as ``name``.

    ``light``: within this context the light is as it shall be. ``conditions``: what is recorded of it, beside
    the meter's setting. ``beside``: what is read after the meter, and recorded with it; it is given the
    ways and the readings (W), by lane. ``near_floor``: the
    light is so weak that the meter's noise counts.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    bench = run.bench
    start_s = bench.clock.now_s()
    run.require_module_up()
    run.traffic.require(TRAFFIC)
    paths = route_transmitters(bench, lanes, run.pmd.wavelengths_in_one_fibre_nm)
    bench.set_up_power_meter(meter_wavelengths_nm(run.pmd, paths), AVERAGING_S, meter_ports(paths))
    with light:
        readings_w = _read(bench, paths)
    read_beside = beside(paths, readings_w)
    levels = {lane: _level(bench, path, readings_w[lane]) for lane, path in paths.items()}
    budgets = {lane: _budget(run, level, near_floor=near_floor) for lane, level in levels.items()}
    record = run.record_acquisition(
        name,
        start_s,
        conditions={
            "wavelength_nm": wavelengths_shown(run.pmd, lanes),
            "averaging_s": AVERAGING_S,
            **conditions,
        },
        data={
            "meter_w": {str(lane): values for lane, values in readings_w.items()},
            **read_beside,
            "path_loss_db": {str(lane): path.loss_db for lane, path in paths.items()},
        },
        budget=[{"lane": lane, **asdict(entry)} for lane, budget in budgets.items() for entry in budget],
    )
    return _AtTheMeter(record, levels, budgets)


def read_at_meter_w(bench: Bench, paths: Mapping[int, OpticalPath]) -> dict[int, float]:
    """What arrives now at the end of each lane's path, W by lane: one reading of all ports at once.

    :raises BenchError: when the meter fails; it is set up anew at its next use then.
    """
    lane_of = {path.end.number: lane for lane, path in paths.items()}
    try:
        readings = bench.power_meter.read_powers_w(meter_ports(paths))
        return {lane_of[reading.channel]: reading.power_w for reading in readings}
    except BenchError:
        bench.forget_set_ups()
        raise


def _read(bench: Bench, paths: Mapping[int, OpticalPath]) -> dict[int, list[float]]:
    readings = [read_at_meter_w(bench, paths) for _ in range(READINGS)]
    return {lane: [reading[lane] for reading in readings] for lane in paths}


def meter_ports(paths: Mapping[int, OpticalPath]) -> tuple[int, ...]:
    """The meter's ports that these paths end at."""
    return tuple(path.end.number for path in paths.values())


def _level(bench: Bench, path: OpticalPath, readings_w: Sequence[float]) -> _Level:
    floor_w = w_from_dbm(bench.power_meter.range_dbm[0])
    mean_w = statistics.fmean(readings_w)
    at_floor = mean_w <= floor_w
    seen_w = max(mean_w, floor_w)
    relative_db = () if at_floor else tuple(_DB_PER_RATIO * (w / mean_w - 1.0) for w in readings_w)
    return _Level(path, seen_w, dbm_from_w(seen_w) + path.loss_db, at_floor, relative_db)


def _budget(run: Run, level: _Level, *, near_floor: bool) -> list[Contribution]:
    spec = run.bench.spec.instruments["power_meter"]
    certificate = spec.calibration.certificate if spec.calibration else "bench file, no certificate"
    given = {
        "meter": from_expanded("power meter", spec.uncertainty or 0.0, "dB", certificate),
        "path": from_expanded("path loss", level.path.uncertainty_db, "dB", " > ".join(level.path.hops)),
    }
    if level.relative_db:
        given["repeatability"] = from_readings("repeatability", level.relative_db, "dB")
    if near_floor:
        floor_w = w_from_dbm(run.bench.power_meter.range_dbm[0])
        noise_db = db_from_ratio(1.0 + floor_w / level.seen_w)
        given["floor"] = from_expanded("meter noise floor", noise_db, "dB", "lowest range of the meter")
    return budget_of("average_launch_power").contributions(given)
