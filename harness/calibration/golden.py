"""The golden module: a module that is kept, whose launch power tells whether the bench still measures as it
did.

Measured before and after a day's work, each lane is compared with the baseline: the first record of this
module on this bench, or the last that was declared to be one. What has moved is the bench's fault until shown
otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from drivers.cmis.module import ModuleIdentity
from harness.acquisitions.launch_power import MONITOR_REFRESH_S, route_transmitters
from harness.bench_file.history import Kept
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import read_levels
from harness.calibration.lit_module import light_up, module_faults_as_no_light, no_light
from harness.judging.pmd import Pmd
from harness.run import Run

STEP = "golden module"
DRIFT_DB = 0.3
"""How far a lane may have moved: two matings of its connector and the laser's own ageing. Assumed; set it to
what your own history shows."""
LARGEST_CASE_DIFFERENCE_C = 3.0
"""How far the case may be from where it was at the baseline, for the light follows it."""


@dataclass(frozen=True, slots=True)
class GoldenReading:
    """What a module launches, dBm by lane at TP2, and the temperature of its case meanwhile."""

    identity: ModuleIdentity
    launched_dbm: Mapping[int, float]
    case_temp_c: float

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "module": {key: value for key, value in asdict(self.identity).items() if isinstance(value, str)},
            "launched_dbm": {str(lane): value for lane, value in self.launched_dbm.items()},
            "case_temp_c": self.case_temp_c,
        }


def measure_golden(run: Run, pmd: Pmd) -> GoldenReading:
    """Bring the module up as always and read all lanes at once.

    :raises NoLightError: when the module does not give light on every lane.
    :raises BenchError: when an instrument fails, or the bench has no way for a lane.
    """
    with module_faults_as_no_light():
        light_up(run, pmd)
    if run.identity is None:
        raise no_light(run.identity_fault)
    bench = run.bench
    paths = route_transmitters(bench, pmd.lane_numbers())
    bench.clock.sleep(MONITOR_REFRESH_S)
    levels = read_levels(bench, [path.end.number for path in paths.values()])
    launched = {lane: levels[path.end.number].dbm + path.loss_db for lane, path in paths.items()}
    return GoldenReading(run.identity, launched, bench.case_sensor.read_case_c())


def of_module(history: Sequence[Kept], serial: str, *, simulated: bool) -> list[Kept]:
    """The records of one module; simulated ones are not mixed with others."""
    return [
        kept
        for kept in history
        if _table(kept.content.get("module")).get("serial_number") == serial
        and kept.content.get("simulated") is simulated
    ]


def baseline_of(history: Sequence[Kept]) -> Kept | None:
    """The last record that is a baseline; None without any."""
    return next((kept for kept in reversed(history) if kept.content.get("baseline") is True), None)


def compare(
    now: GoldenReading, meter_serial: str, baseline: Kept, *, drift_db: float = DRIFT_DB
) -> list[Check]:
    """Each lane against the baseline. ``meter_serial``: of the power meter now."""
    was = _table(baseline.content.get("launched_dbm"))
    moved_c = now.case_temp_c - _number(baseline.content.get("case_temp_c"))
    instruments = baseline.content.get("instruments")
    meters = [
        entry.get("serial")
        for entry in (instruments if isinstance(instruments, list) else [])
        if isinstance(entry, dict) and entry.get("role") == "power_meter"
    ]
    checks = []
    if meters != [meter_serial]:
        checks.append(
            Check(
                STEP,
                "power_meter",
                Outcome.FAILED,
                f"another meter ({meter_serial}) than at the baseline "
                f"({', '.join(map(str, meters)) or 'none'})",
                "Prove the bench (lanewise bench prove), then start a new baseline with --baseline.",
            )
        )
    # Written so that a number that is none fails too.
    if not abs(moved_c) <= LARGEST_CASE_DIFFERENCE_C:
        checks.append(
            Check(
                STEP,
                "case_sensor",
                Outcome.FAILED,
                f"the case is {moved_c:+.1f} K from where it was at the baseline",
                "See that the sensor touches the case, let the module settle, then start again.",
            )
        )
    for lane, power_dbm in now.launched_dbm.items():
        then_dbm = _number(was.get(str(lane)))
        drift = power_dbm - then_dbm
        passed = abs(drift) <= drift_db
        checks.append(
            Check(
                STEP,
                f"module.tx{lane}",
                Outcome.PASSED if passed else Outcome.FAILED,
                f"{power_dbm:.2f} dBm, {drift:+.2f} dB from the baseline of {baseline.at[:10]}, "
                f"{drift_db:g} dB allowed",
                ""
                if passed
                else "Clean the module's MPO and the fan-out, then start again. If it stays so, prove the "
                "bench (lanewise bench prove) and measure a second golden module; what was measured since "
                "the last good check is in doubt.",
                {
                    "power_dbm": power_dbm,
                    "baseline_dbm": then_dbm if math.isfinite(then_dbm) else None,
                    "allowed_db": drift_db,
                },
                ("power_meter", "optical_switch", "host_board"),
            )
        )
    return checks


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
