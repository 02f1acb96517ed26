"""The oscilloscope's average power against the power meter's: one lane's light, by two ways, to both."""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.cmis.diagnostics import Side
from drivers.cmis.errors import CmisError
from drivers.cmis.module_prbs import ModulePrbs
from drivers.errors import BenchError, NotSettledError
from drivers.units import dbm_from_w
from harness.acquisitions.launch_power import METER_WAVELENGTH_NM
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import read_levels
from harness.calibration.routing import close_way, open_routes
from harness.calibration.two_ways import ALLOWED_U, own_uncertainty_db
from harness.run import Run
from harness.wiring import MODULE, OpticalPath, Port

STEP = "oscilloscope against meter"
OSCILLOSCOPE_DB = 0.5
"""Expanded uncertainty (k = 2) of an oscilloscope's average power. Assumed: the bench file states none."""
_PATTERN, _PATTERN_SYMBOLS = "PRBS13Q", 8191
_SYMBOL_RATE_BD = 53.125e9
_ROLES = ("power_meter", "oscilloscope", "optical_switch", "host_board", "power_supply", "thermal")


def check_oscilloscope(run: Run, lanes: Sequence[int]) -> list[Check]:
    """Measure each lane with both. All lanes must be lit; they send PRBS13Q meanwhile, for the oscilloscope's
    clock recovery. Leaves routes open.

    :raises BenchError: when an instrument fails.
    """
    bench = run.bench
    if not bench.has("oscilloscope"):
        return [
            Check(
                STEP,
                "oscilloscope",
                Outcome.NOT_DONE,
                "the bench has no oscilloscope",
                "Nothing is to be done; with one, add it to the bench file and prove again.",
            )
        ]
    ways = bench.spec.wiring.transmitter_paths(lanes, "power_meter")
    checks = []
    with ModulePrbs(run.module, side=Side.MEDIA) as generator:
        try:
            generator.start_pattern(_PATTERN, check=False)
        except (CmisError, BenchError) as fault:
            return [_not_done("oscilloscope", f"the module does not send {_PATTERN}: {fault}")]
        for lane in lanes:
            found = bench.spec.wiring.paths(Port(MODULE, f"tx{lane}"), "oscilloscope")
            straight = [way for way in found if not way.attenuators]
            if not straight:
                checks.append(
                    _not_done(f"{MODULE}.tx{lane}", "the bench file has no way to the oscilloscope")
                )
                continue
            checks.append(_compare(run, ways[lane], straight[0]))
    open_routes(bench)
    return checks


def _compare(run: Run, to_meter: OpticalPath, to_scope: OpticalPath) -> Check:
    bench = run.bench
    close_way(bench, to_meter)
    meter_w = read_levels(bench, [to_meter.end.number])[to_meter.end.number].mean_w
    close_way(bench, to_scope)
    try:
        bench.oscilloscope.configure(
            to_scope.end.number,
            wavelength_nm=METER_WAVELENGTH_NM,
            symbol_rate_bd=_SYMBOL_RATE_BD,
            pattern_symbols=_PATTERN_SYMBOLS,
        )
    except NotSettledError as fault:
        return Check(
            STEP,
            str(to_scope.start),
            Outcome.FAILED,
            f"{to_scope.end} does not lock: {fault}",
            f"Check that light arrives by {' > '.join(to_scope.hops)}, and the oscilloscope's clock "
            f"recovery. Then prove again.",
            {"meter_w": meter_w},
            _ROLES,
        )
    reading = bench.oscilloscope.measure(to_scope.end.number, ("average_power_w",))[0]
    wiring = bench.spec.wiring
    meter_db = bench.spec.instruments["power_meter"].uncertainty or 0.0
    allowed_db = ALLOWED_U * math.hypot(
        own_uncertainty_db(wiring, to_meter, meter_db), own_uncertainty_db(wiring, to_scope, OSCILLOSCOPE_DB)
    )
    return judge_two(to_meter, to_scope, meter_w, reading.value, allowed_db, reading.reason)


def judge_two(
    to_meter: OpticalPath,
    to_scope: OpticalPath,
    meter_w: float,
    scope_w: float | None,
    allowed_db: float,
    reason: str = "",
) -> Check:
    """Compare what a lane launches as the meter and the oscilloscope see it."""
    subject = str(to_meter.start)
    numbers = {
        "meter_w": meter_w,
        "oscilloscope_w": scope_w,
        "meter_path": list(to_meter.hops),
        "oscilloscope_path": list(to_scope.hops),
        "allowed_db": allowed_db,
    }
    if scope_w is None or scope_w <= 0.0 or meter_w <= 0.0:
        return Check(
            STEP,
            subject,
            Outcome.FAILED,
            f"no reading: {reason or 'no light'}",
            f"Check that light arrives by {' > '.join(to_scope.hops)} and {' > '.join(to_meter.hops)}. Then "
            f"prove again.",
            numbers,
            _ROLES,
        )
    difference_db = dbm_from_w(scope_w) + to_scope.loss_db - dbm_from_w(meter_w) - to_meter.loss_db
    passed = abs(difference_db) <= allowed_db
    return Check(
        STEP,
        subject,
        Outcome.PASSED if passed else Outcome.FAILED,
        f"{to_scope.end} shows {difference_db:+.2f} dB against {to_meter.end}, {allowed_db:.2f} dB allowed",
        ""
        if passed
        else f"Clean both ends of {' > '.join(to_scope.hops[1:])}, run the oscilloscope's dark calibration, "
        f"take every offset out of it, then prove again.",
        numbers,
        _ROLES,
    )


def _not_done(subject: str, found: str) -> Check:
    return Check(
        STEP, subject, Outcome.NOT_DONE, found, "Wire it and name it in the bench file, then prove again."
    )
