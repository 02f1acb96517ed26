"""Every port of the power meter in the dark: no light of the bench's own, no stray light, no offset."""

from __future__ import annotations

from harness.bench import Bench
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import DARK_DBM, darkness_dbm, read_levels
from harness.wiring import Port

STEP = "dark"


def make_dark(bench: Bench) -> tuple[str, ...]:
    """Take the light away that the bench can: the module's supply off, the reference's lanes off, routes
    open, shutters closed. Returns what was done. Call after :meth:`Bench.connect`.

    :raises BenchError: when an instrument fails.
    """
    done = []
    bench.power_supply.set_output(bench.spec.supply.channel, on=False)
    done.append("module's supply off")
    if bench.has("reference_tx"):
        for lane in bench.reference_tx.lanes:
            bench.reference_tx.set_lane(lane, lit=False)
        done.append("reference transmitter off")
    if bench.has("optical_switch"):
        bench.optical_switch.disconnect_all()
        done.append("all routes open")
    if bench.has("attenuator"):
        for channel in bench.attenuator.channels:
            bench.attenuator.set_shutter(channel, open_=False)
        done.append("all shutters closed")
    return tuple(done)


def check_darkness(bench: Bench, *, dark_dbm: float = DARK_DBM) -> list[Check]:
    """Read every port of the meter; the bench must be dark (:func:`make_dark`).

    :raises BenchError: when the meter fails.
    """
    limit_dbm = darkness_dbm(bench, dark_dbm)
    levels = read_levels(bench, bench.power_meter.channels)
    checks = []
    for port, level in levels.items():
        dark = level.size_dbm <= limit_dbm
        checks.append(
            Check(
                STEP,
                f"power_meter.{port}",
                Outcome.PASSED if dark else Outcome.FAILED,
                f"{level.mean_w:+.1e} W ({level.size_dbm:.1f} dBm), at most {limit_dbm:g} dBm expected",
                "" if dark else _advice(bench, port, negative=level.mean_w < 0.0),
                {"readings_w": list(level.readings_w), "mean_w": level.mean_w, "limit_dbm": limit_dbm},
                ("power_meter",),
            )
        )
    return checks


def _advice(bench: Bench, port: int, *, negative: bool) -> str:
    if negative:
        return f"Zero the meter: lanewise bench zero {bench.spec.path.name}; then prove again."
    fibre = bench.spec.wiring.fibre_into(Port("power_meter", str(port)))
    if fibre is None:
        return "Nothing is wired to this port: put its cap on, then prove again."
    return (
        f"Light comes from {fibre.start}: look for a source that is not of this bench, a route that the "
        f"matrix does not report, or an open end under the room's light. If the fibre is dark, zero the "
        f"meter: lanewise bench zero {bench.spec.path.name}."
    )
