"""Wavelength and side-mode suppression of each lane, one sweep of the spectrum analyser for each.

Source: IEEE 802.3 Table 124-6 (wavelength range, side-mode suppression ratio). The wavelength is the main
peak's, in vacuum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from drivers.errors import InvalidReadingError
from drivers.interfaces import LaserLine
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.lane_light import lane_path, route
from harness.acquisitions.launch_power import LOWEST_MONITORED_DBM
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import expanded
from harness.run import Run
from harness.traffic import TRAFFIC

NAME = "spectrum"
SPAN_NM = 30.0
"""Of a lane that has its fibre for itself: 8 nm beyond either end of the range of 13 nm."""
SPAN_IN_SHARED_FIBRE_NM = 19.0
"""Of a lane among others on a grid of 20 nm."""
RESOLUTION_NM = 0.1
# Less than this at the analyser is noise and stray light: no laser in operation.
_LEAST_DBM = -35.0


def spectrum(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Sweeps of all lanes. Gives ``wavelength`` (nm) and ``smsr`` (dB).

    A side mode that does not stand out of the analyser's noise has no ratio: then ``smsr`` is the distance to
    what would (condition ``at_analyser_floor``), a lower bound. A lane that ``launch_power`` (``before``)
    found dark is not measured; where no light arrives of a lane that has some, it is invalid.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    bench = run.bench
    start_s = bench.clock.now_s()
    run.require_module_up()
    run.traffic.require(TRAFFIC)
    analyser = bench.spectrum_analyser
    powers = before.get("launch_power")
    measured: dict[tuple[str, int | None], Value] = {}
    lines: dict[int, LaserLine] = {}
    bounds_db: dict[int, float] = {}
    for lane in lanes:
        power = powers.measured.get(("average_launch_power", lane)) if isinstance(powers, Acquired) else None
        if isinstance(power, Measured) and power.value < LOWEST_MONITORED_DBM:
            dark = NotOffered(f"the lane is dark: it launches {power.value:.1f} dBm")
            measured |= {("wavelength", lane): dark, ("smsr", lane): dark}
            continue
        path = lane_path(run, lane, "spectrum_analyser")
        route(run, path)
        span_nm = SPAN_IN_SHARED_FIBRE_NM if run.pmd.multiplexed else SPAN_NM
        analyser.configure(
            centre_nm=run.pmd.lane_wavelength_nm(lane), span_nm=span_nm, resolution_nm=RESOLUTION_NM
        )
        lines[lane] = line = analyser.laser_line()
        if line.power_dbm < _LEAST_DBM:
            missing = Contradiction(
                InvalidReadingError(
                    "spectrum_analyser",
                    f"lane {lane}: no laser within {span_nm / 2:g} nm of its wavelength: the peak is "
                    f"{line.power_dbm:.1f} dBm, though the lane is lit",
                    advice=f"Check the fibres to {path.end}; the laser may be farther off than this sweep.",
                )
            )
            measured |= {("wavelength", lane): missing, ("smsr", lane): missing}
        elif line.smsr_db is None:
            levels = sorted(analyser.sweep().powers_dbm)
            bounds_db[lane] = line.power_dbm - levels[3 * len(levels) // 4] - _CLEAR_DB
    budgets = {name: budget_of(name).contributions() for name in ("wavelength", "smsr")}
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"resolution_nm": RESOLUTION_NM, "medium": "vacuum", "sweeps": 1},
        data={
            "wavelength_nm": {str(lane): line.wavelength_nm for lane, line in lines.items()},
            "power_dbm": {str(lane): line.power_dbm for lane, line in lines.items()},
            "smsr_db": {str(lane): line.smsr_db for lane, line in lines.items()},
            "smsr_bound_db": {str(lane): bound_db for lane, bound_db in bounds_db.items()},
        },
        budget=[
            {"lane": lane, "parameter": name, **asdict(entry)}
            for lane in lines
            for name, budget in budgets.items()
            for entry in budget
        ],
    )
    for lane, line in lines.items():
        if ("wavelength", lane) in measured:
            continue
        smsr_db = bounds_db[lane] if line.smsr_db is None else line.smsr_db
        for name, value, unit in (("wavelength", line.wavelength_nm, "nm"), ("smsr", smsr_db, "dB")):
            floor = name == "smsr" and line.smsr_db is None
            make = run.measured_from(record, lane=lane, uncertainty=expanded(budgets[name]))
            measured[name, lane] = make(
                value=value,
                unit=unit,
                plane="TP2",
                detector="spectrum_analyser",
                conditions={"at_analyser_floor": True} if floor else {},
            )
    return Acquired(record, measured)


# A side mode that stands so far above the upper quartile of the trace would have been found.
_CLEAR_DB = 9.0
