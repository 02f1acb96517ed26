"""One lane's light at an instrument that takes one after the other: oscilloscope, spectrum analyser."""

from __future__ import annotations

from harness.planning.matrix import Way
from harness.planning.offered import ways_of
from harness.run import Run
from harness.wiring import OpticalPath, WiringError


def lane_path(run: Run, lane: int, role: str) -> OpticalPath:
    """The shortest way of a lane's light to any port of a role, through no attenuator.

    :raises WiringError: when the bench file has none.
    """
    spec = run.bench.spec
    for path in ways_of(spec, run.pmd, Way("module.tx", role), lane):
        if not path.attenuators:
            return path
    raise WiringError(f"{spec.path.name}: no way from lane {lane} of module.tx to {role}; add the fibre")


def route(run: Run, path: OpticalPath) -> None:
    """Have the matrix's routes that a way needs, unless they stand.

    The module is watched, too: lanes one after the other take minutes, and it may be hot.

    :raises InstrumentError: when the matrix does not take them.
    :raises RanAwayError: when the module runs away (:meth:`Run.watch_heat`).
    """
    run.watch_heat()
    if not path.routes:
        return
    standing = run.bench.optical_switch.routes()
    missing = {entry: leave for _, entry, leave in path.routes if standing.get(entry) != leave}
    if missing:
        run.bench.optical_switch.route(missing)
