"""The power meter as the witness of what the module says of its light."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.units import dbm_from_w
from harness.acquisitions.cmis.checks import Checks
from harness.acquisitions.launch_power import (
    AVERAGING_S,
    meter_ports,
    meter_wavelengths_nm,
    read_at_meter_w,
    require_own_light,
    route_transmitters,
)
from harness.run import Run
from harness.wiring import OpticalPath, WiringError

_LEAST_W = 1e-15


def route_or_not(checks: Checks, lanes: Sequence[int], *parameters: str) -> dict[int, OpticalPath] | None:
    """Each lane's way to a port of the meter; without one, these parameters are not offered.

    :raises BenchError: when a switch or the meter fails.
    """
    bench, pmd = checks.run.bench, checks.run.pmd
    if not bench.has("power_meter"):
        checks.leave(f"the bench {bench.spec.name} has no power_meter", *parameters)
        return None
    try:
        paths = route_transmitters(bench, lanes, pmd.wavelengths_in_one_fibre_nm)
    except WiringError as absent:
        checks.leave(str(absent), *parameters)
        return None
    bench.set_up_power_meter(meter_wavelengths_nm(pmd, paths), AVERAGING_S, meter_ports(paths))
    return paths


def levels_dbm(run: Run, lanes: Sequence[int]) -> dict[int, float]:
    """Power at TP2 of each lane now, dBm; of a dark one what the meter's noise says.

    :raises BenchError: when the meter fails.
    """
    paths = route_transmitters(run.bench, lanes, run.pmd.wavelengths_in_one_fibre_nm)
    seen_w = read_at_meter_w(run.bench, paths)
    return {lane: dbm_from_w(max(seen_w[lane], _LEAST_W)) + path.loss_db for lane, path in paths.items()}


def require_modules_own(run: Run, lanes: Sequence[int]) -> None:
    """Before light is laid to transmitters that are off.

    :raises BenchError: when it is not theirs, or an instrument fails.
    """
    require_own_light(run.bench, route_transmitters(run.bench, lanes, run.pmd.wavelengths_in_one_fibre_nm))


__all__ = ["levels_dbm", "require_modules_own", "route_or_not"]
