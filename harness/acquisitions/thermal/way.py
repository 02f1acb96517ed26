"""Launch power while the case is brought from one visit to the next: steps and dips that no visit shows.

The bench waits for the case anyway; meanwhile the light of all lanes goes to the power meter, and it is
read at each look at the thermal source. So a way costs a tenth of a second for each look, and nothing is
moved for it. The time line is recorded as ``way``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from drivers.cmis.errors import CmisError
from drivers.errors import BenchError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.launch_power import (
    AVERAGING_S,
    meter_ports,
    meter_wavelengths_nm,
    read_at_meter_w,
    route_transmitters,
    wavelengths_shown,
)
from harness.conditions.conditioner import Conditions
from harness.conditions.corner import Corner
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, ModuleFault, NotOffered
from harness.judging.uncertainty import expanded, from_expanded
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.wiring import OpticalPath

NAME = "way"
PARAMETERS = ("way_power_step", "way_power_excursion", "way_lowest_power", "way_highest_power")
_FEWEST_LOOKS = 3
_EVERY_S = 4.0
"""Steps are seen to this: light is read no more often, for the module is asked each time, too."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way that was watched. ``levels_dbm``: by lane, at TP2, one for each look; never below what the meter
    can see. ``between``: for each look, whether the case was between where it came from and where it went, to
    the window of the source. ``fault``: why it was not watched to its end."""

    record: Acquisition
    paths: Mapping[int, OpticalPath]
    levels_dbm: Mapping[int, Sequence[float]]
    between: Sequence[bool]
    fault: str


def go_watched(run: Run, corner: Corner, lanes: Sequence[int]) -> Conditions:
    """As :meth:`Run.go_to`, and the light is read on the way, where the case has one to go.

    :raises BenchError: when the corner cannot be reached. What goes wrong with meter or module meanwhile ends
        the watching alone, and is told when the way is asked for.
    """
    watch = _Watch(run, lanes)
    before, run.conditioner.on_the_way = run.conditioner.on_the_way, watch.look
    try:
        reached = run.go_to(corner)
    finally:
        run.conditioner.on_the_way = before
    if reached.chamber_moved:
        watch.look()
        run.memory.setdefault(NAME, {})[corner.visit] = watch.way(corner.case_temp_c)
    return reached


class _Watch:
    def __init__(self, run: Run, lanes: Sequence[int]) -> None:
        self._run = run
        self._lanes = tuple(lanes)
        self._start_s = run.bench.clock.now_s()
        self._paths: dict[int, OpticalPath] = {}
        self._looks: list[dict[str, Any]] = []
        self._fault = ""

    def look(self) -> None:
        """Read everything once, unless that was just done, or went wrong before."""
        bench, module = self._run.bench, self._run.module
        at_s = bench.clock.now_s() - self._start_s
        if self._fault or (self._looks and at_s - self._looks[-1]["at_s"] < _EVERY_S):
            return
        try:
            if not self._paths:
                pmd = self._run.pmd
                paths = route_transmitters(bench, self._lanes, pmd.wavelengths_in_one_fibre_nm)
                wavelengths_nm = meter_wavelengths_nm(pmd, paths)
                bench.set_up_power_meter(wavelengths_nm, AVERAGING_S, meter_ports(paths))
                self._paths = paths
            look: dict[str, Any] = {
                "at_s": at_s,
                "case_c": bench.case_sensor.read_case_c(),
                "air_c": bench.thermal.read_air_c(),
                "meter_w": {str(lane): w for lane, w in read_at_meter_w(bench, self._paths).items()},
            }
            monitors = {monitor.lane: monitor for monitor in module.lane_monitors()}
            look["temperature_monitor_c"] = module.temperature_c()
            look["tx_power_monitor_w"] = {str(lane): monitors[lane].tx_power_w for lane in self._lanes}
            look["tx_bias_ma"] = {str(lane): monitors[lane].bias_ma for lane in self._lanes}
        except (BenchError, CmisError) as fault:
            self._fault = str(fault)
            return
        self._looks.append(look)

    def way(self, to_c: float) -> Way:
        """Record what was seen on the way to a case temperature."""
        record = self._run.record_acquisition(
            NAME,
            self._start_s,
            conditions={
                "wavelength_nm": wavelengths_shown(self._run.pmd, self._lanes),
                "averaging_s": AVERAGING_S,
            },
            data={
                "timeline": self._looks,
                "path_loss_db": {str(lane): path.loss_db for lane, path in self._paths.items()},
                "fault": self._fault,
            },
            budget=[],
        )
        floor_w = w_from_dbm(self._run.bench.power_meter.range_dbm[0])
        levels = {
            lane: [
                dbm_from_w(max(look["meter_w"][str(lane)], floor_w)) + path.loss_db for look in self._looks
            ]
            for lane, path in self._paths.items()
        }
        window_k = self._run.bench.spec.thermal.window_c
        ends_c = [to_c, *(look["case_c"] for look in self._looks[:1])]
        between = [min(ends_c) - window_k <= look["case_c"] <= max(ends_c) + window_k for look in self._looks]
        return Way(record, dict(self._paths), levels, between, self._fault)


def way(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """What the launch power did on the way to this visit.

    Gives, per lane, ``way_power_step`` (dB, the largest change from one look to the next),
    ``way_power_excursion`` (dB, how far it left the range between its values at both ends),
    ``way_lowest_power`` and ``way_highest_power`` (dBm, TP2), both while the case was between the visits:
    where it overshoots nothing is asked of a module. A lane of which ``launch_power`` (``before``) found
    bench and module in contradiction has that here too.

    :raises BenchError: when nothing was watched though the chamber moved.
    """
    assert run.conditions is not None
    seen: Way | None = run.memory.get(NAME, {}).get(run.conditions.corner.visit)
    if seen is None:
        raise BenchError(
            f"nothing was watched on the way to visit {run.conditions.corner.visit}: the bench came to it "
            "before this plan asked for anything there"
        )
    power = before.get("launch_power")
    measured: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        at_visit = power.measured.get(("average_launch_power", lane)) if isinstance(power, Acquired) else None
        if isinstance(at_visit, Contradiction):
            found: Mapping[str, Value] = dict.fromkeys(PARAMETERS, at_visit)
        elif seen.fault or len(seen.levels_dbm.get(lane, ())) < _FEWEST_LOOKS:
            why = seen.fault or "it was over at once"
            found = dict.fromkeys(PARAMETERS, NotOffered(f"the way was not watched: {why}"))
        else:
            found = _of_lane(run, seen, lane)
        measured |= {(parameter, lane): value for parameter, value in found.items()}
    return Acquired(seen.record, measured)


def _of_lane(run: Run, seen: Way, lane: int) -> dict[str, Value]:
    levels, path = seen.levels_dbm[lane], seen.paths[lane]
    step_db = max(abs(later - earlier) for earlier, later in pairwise(levels))
    low_dbm, high_dbm = sorted((levels[0], levels[-1]))
    excursion_db = max(low_dbm - min(levels), max(levels) - high_dbm)
    asked = [level for level, between in zip(levels, seen.between, strict=True) if between]
    meter = run.bench.spec.instruments["power_meter"]
    certificate = meter.calibration.certificate if meter.calibration else "bench file, no certificate"
    of_power = budget_of("average_launch_power").contributions(
        {
            "meter": from_expanded("power meter", meter.uncertainty or 0.0, "dB", certificate),
            "path": from_expanded("path loss", path.uncertainty_db, "dB", " > ".join(path.hops)),
        }
    )
    of_change = budget_of("way_power_step").contributions()
    # Not of the record: that was written when the bench arrived, for whoever asks.
    shown = {"looks": len(levels), "budget": [asdict(entry) for entry in of_change]}
    change = run.measured_from(seen.record, lane=lane, uncertainty=expanded(of_change))
    power = run.measured_from(seen.record, lane=lane, uncertainty=expanded(of_power))
    at = {"plane": "TP2", "detector": "power_meter"}
    return {
        "way_power_step": change(value=step_db, unit="dB", conditions=shown, **at),
        "way_power_excursion": change(value=excursion_db, unit="dB", conditions=shown, **at),
        "way_lowest_power": power(value=min(asked), unit="dBm", conditions={"way": "lowest"}, **at),
        "way_highest_power": power(value=max(asked), unit="dBm", conditions={"way": "highest"}, **at),
    }
