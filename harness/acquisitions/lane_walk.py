"""Which lane arrives at which port of the power meter, shown by switching the transmitters off one by one.

A cassette or fan-out that swaps lanes, or two fibres exchanged at a matrix, give each lane a likely power:
that of another lane. So before a power is laid to a lane, its own OutputDisableTx must darken its port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from drivers.cmis.errors import CmisError
from drivers.errors import BenchError, InstrumentError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.launch_power import (
    AVERAGING_S,
    LOWEST_MONITORED_DBM,
    MONITOR_REFRESH_S,
    disable_settling_s,
    meter_ports,
    meter_wavelengths_nm,
    read_at_meter_w,
    route_transmitters,
    transmitters_disabled,
    wavelengths_shown,
)
from harness.run import Run
from harness.run_folder.records import Acquisition, Skipped
from harness.wiring import OpticalPath

NAME = "lane_walk"
# A port with less, as at TP2, is dark: 17 dB under the lowest launch power permitted, 5 dB under what an OFF
# transmitter may emit (Table 124-6).
LIT_DBM = -20.0
# What is left at a port that went dark, at most. An OFF transmitter within its limit leaves a fifteenth of
# the lowest launch power; what neighbours do to each other is far below a half.
_LEFT = 0.5


@dataclass(frozen=True, slots=True)
class LaneWalk:
    """What the walk found. ``proven``: lanes that alone darken their own port. ``remarks``: what is to be
    known of others. ``fault``: the bench's, with which no power can be laid to a lane."""

    record: Acquisition
    proven: tuple[int, ...]
    remarks: tuple[str, ...]
    fault: BenchError | None


class LaneProof:
    """A run's proof that each lane arrives at its own port: walked for once, when first there is light."""

    def __init__(self, run: Run, lanes: Sequence[int]) -> None:
        self._run = run
        self._lanes = tuple(lanes)
        self._done = False
        self._walk: LaneWalk | None = None

    def require(self) -> None:
        """Walk, unless that was done. A module that does not let itself be walked is not at fault here: that
        is recorded as skipped, and what it does wrong is for its measurements to show.

        :raises BenchError: when lanes do not arrive where the bench file says, or an instrument fails.
        """
        if not self._done:
            self._attempt()
        if self._walk is not None and self._walk.fault is not None:
            raise self._walk.fault

    def _attempt(self) -> None:
        run = self._run
        try:
            reason = _why_not(run, self._lanes)
            if not reason:
                self._walk = walk_lanes(run, self._lanes)
                self._done = self._walk is not None
                return
            self._done = True
        except CmisError as fault:
            reason = str(fault)
        run.record(Skipped(run.timestamp(), NAME, f"lanes and ports were not compared: {reason}"))


def _why_not(run: Run, lanes: Sequence[int]) -> str:
    """Why these lanes cannot be walked on this bench with this module; "" when they can."""
    shared_nm = run.pmd.wavelengths_in_one_fibre_nm
    paths = run.bench.spec.wiring.transmitter_paths(lanes, "power_meter", shared_nm)
    without = [lane for lane in lanes if lane not in paths]
    if without:
        return f"{_lanes(without)}: the bench has no way to a port of power_meter of its own"
    if not run.module.get("OutputDisableTxSupported"):
        return "the module does not advertise OutputDisableTx"
    if run.module.get("TxDisableIsModuleWide"):
        return "the module turns its transmitters off only all together (TxDisableIsModuleWide)"
    return ""


def walk_lanes(run: Run, lanes: Sequence[int]) -> LaneWalk | None:
    """Switch the lanes' transmitters off, one more at each step, and read all ports at each step; afterwards
    they are lit again. None when no port is lit: there is nothing to compare then.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when an instrument fails.
    """
    bench, module = run.bench, run.module
    start_s = bench.clock.now_s()
    run.require_module_up()
    paths = route_transmitters(bench, lanes, run.pmd.wavelengths_in_one_fibre_nm)
    bench.set_up_power_meter(meter_wavelengths_nm(run.pmd, paths), AVERAGING_S, meter_ports(paths))
    levels_w = [read_at_meter_w(bench, paths)]
    lit_w = {lane: w_from_dbm(LIT_DBM - path.loss_db) for lane, path in paths.items()}
    if all(levels_w[0][lane] < lit_w[lane] for lane in lanes):
        return None
    settling_s = disable_settling_s(module)
    monitors_w: dict[int, float | None] = {}
    with transmitters_disabled(module, bench, lanes[:1]):
        levels_w.append(read_at_meter_w(bench, paths))
        for count in range(2, len(lanes) + 1):
            module.set_output_disable_tx(lanes[:count])
            bench.clock.sleep(settling_s)
            levels_w.append(read_at_meter_w(bench, paths))
        darkened = _darkened(lanes, levels_w, lit_w)
        lasting = [
            lane
            for step, lane in enumerate(lanes)
            if not darkened[lane] and levels_w[step][lane] >= lit_w[lane]
        ]
        if lasting:
            bench.clock.sleep(MONITOR_REFRESH_S)
            monitors_w = {m.lane: m.tx_power_w for m in module.lane_monitors() if m.lane in lasting}
    proven = tuple(lane for lane in lanes if darkened[lane] == {lane})
    remarks = [
        f"OutputDisableTx of lane {lane} darkens {_ports(darkened[lane], paths)} together"
        for lane in lanes
        if lane in darkened[lane] and lane not in proven
    ]
    remarks += [
        f"OutputDisableTx of lane {lane} darkens no port, though {paths[lane].end} is lit: it has no effect, "
        f"or the light there is not of this lane"
        for lane in lasting
    ]
    last_dbm = {lane: dbm_from_w(max(levels_w[-1][lane], 1e-15)) + paths[lane].loss_db for lane in lanes}
    fault = _misled(run, darkened, paths) or _foreign_light(lasting, monitors_w, last_dbm, paths)
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={
            "wavelength_nm": wavelengths_shown(run.pmd, lanes),
            "averaging_s": AVERAGING_S,
            "transmitters": "disabled one after the other",
        },
        data={
            "port": {str(lane): str(path.end) for lane, path in paths.items()},
            "disabled": [list(lanes[:count]) for count in range(len(levels_w))],
            "meter_w": {str(lane): [step[lane] for step in levels_w] for lane in lanes},
            "tx_power_monitor_w": {str(lane): value for lane, value in monitors_w.items()},
            "darkened": {str(lane): sorted(ports) for lane, ports in darkened.items()},
            "remarks": [*remarks, *([str(fault)] if fault else [])],
        },
        budget=[],
    )
    return LaneWalk(record, proven, tuple(remarks), fault)


def _darkened(
    lanes: Sequence[int], levels_w: Sequence[Mapping[int, float]], lit_w: Mapping[int, float]
) -> dict[int, set[int]]:
    """By lane, the lanes whose ports went dark when its transmitter was switched off."""
    steps = zip(lanes, levels_w, levels_w[1:], strict=False)
    return {
        lane: {
            other
            for other in lanes
            if before_w[other] >= lit_w[other] and after_w[other] <= _LEFT * before_w[other]
        }
        for lane, before_w, after_w in steps
    }


def _misled(
    run: Run, darkened: Mapping[int, Set[int]], paths: Mapping[int, OpticalPath]
) -> BenchError | None:
    """Lanes that darken ports of others instead of their own."""
    misled = {lane: ports for lane, ports in darkened.items() if ports and lane not in ports}
    if not misled:
        return None
    found = ", ".join(
        f"lane {lane} arrives at {_ports(ports, paths)} (port of {_lanes(sorted(ports))})"
        for lane, ports in misled.items()
    )
    return InstrumentError(
        "power_meter",
        f"{found}, as each transmitter was switched off in turn",
        advice=(
            f"Check cassette, fan-out and matrix wiring, or correct {run.bench.spec.path.name}: no power can "
            "be laid to a lane."
        ),
    )


def _foreign_light(
    lasting: Sequence[int],
    monitors_w: Mapping[int, float | None],
    last_dbm: Mapping[int, float],
    paths: Mapping[int, OpticalPath],
) -> BenchError | None:
    """Ports that stay lit though the module's own monitor says that the lane is dark."""
    for lane in lasting:
        monitor_w = monitors_w.get(lane)
        if monitor_w is None or last_dbm[lane] < LOWEST_MONITORED_DBM:
            continue
        if monitor_w < w_from_dbm(LOWEST_MONITORED_DBM):
            return InstrumentError(
                "power_meter",
                f"{paths[lane].end} stays lit ({last_dbm[lane]:.1f} dBm) with all transmitters switched off, "
                f"and the module's monitor says that lane {lane} is dark",
                advice="Look for light of another source, and for a meter whose readings stand still.",
            )
    return None


def _ports(lanes: Set[int], paths: Mapping[int, OpticalPath]) -> str:
    return ", ".join(str(paths[lane].end) for lane in sorted(lanes))


def _lanes(lanes: Sequence[int]) -> str:
    return f"lane{'s' if len(lanes) > 1 else ''} {', '.join(map(str, lanes))}"
