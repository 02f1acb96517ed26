"""What one way through the bench loses: a steady source at the meter by its reference patch, then by the way.

The source is any that holds still: the operator plugs its patch. The patch is measured before and after, so
that the source's drift and the mating of the patch are in the uncertainty, and the way's end is the port that
the patch was measured at, so that the meter's own calibration cancels. A way through attenuators is measured
with these at 0 dB and their shutters open; afterwards they are as they were before.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from drivers.errors import BenchError
from drivers.units import db_from_ratio, dbm_from_w, w_from_dbm
from harness.acquisitions.launch_power import METER_WAVELENGTH_NM
from harness.bench import Bench
from harness.calibration.darkness import make_dark
from harness.calibration.levels import Level, read_levels, shown_dbm
from harness.calibration.routing import close_way, open_routes
from harness.judging.uncertainty import Contribution, expanded, from_expanded, from_half_width, from_readings
from harness.wiring import OpticalPath, Port

DONE, STOP = "done", "stop"
NO_ATTENUATION_DB = 0.0
"""What attenuators on a way are set to meanwhile: its loss is stated for that."""
LEAST_LIGHT_DBM = -20.0
"""Of the reference patch: with less the meter's noise and stray light would count at the end of a way."""
LARGEST_DRIFT_DB = 0.1
"""Between the reference patch before and after."""
LINEARITY_DB = 0.04
"""Expanded uncertainty (k = 2) of a ratio of two powers at one port. Assumed: see your meter's data sheet."""
CONNECTOR_DB = 0.1
"""Expanded uncertainty (k = 2) of mating the patch with the way's start. Assumed: APC connectors, cleaned."""


@dataclass(frozen=True, slots=True)
class PathLoss:
    """A calibrated way. ``uncertainty_db``: expanded (k = 2), of ``budget``. ``asked``: requests and
    answers. ``via``: the port by which the way was chosen among several."""

    path: OpticalPath
    wavelength_nm: float
    loss_db: float
    uncertainty_db: float
    drift_db: float
    budget: tuple[Contribution, ...]
    readings_w: dict[str, list[float]]
    asked: tuple[dict[str, str], ...]
    via: Port | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "start": str(self.path.start),
            "end": str(self.path.end),
            "through": list(self.path.hops),
            "attenuators": [
                {"channel": str(port), "attenuation_db": NO_ATTENUATION_DB} for port in self.path.attenuators
            ],
            "wavelength_nm": self.wavelength_nm,
            "loss_db": self.loss_db,
            "uncertainty_db": self.uncertainty_db,
            "stated_loss_db": self.path.loss_db,
            "stated_uncertainty_db": self.path.uncertainty_db,
            "drift_db": self.drift_db,
            "budget": [asdict(entry) for entry in self.budget],
            "readings_w": self.readings_w,
            "asked": list(self.asked),
        }


def find_way(bench: Bench, start: Port, end: Port, via: Port | None = None) -> OpticalPath:
    """The way from a port to one of the power meter that a bench file means by these ports
    (:meth:`harness.wiring.Wiring.way`).

    :raises BenchError: when the bench file has none, or the bench no attenuator where it goes through one.
    """
    if end.role != "power_meter" or end.number not in bench.power_meter.channels:
        raise BenchError(f"{end}: a way is calibrated to a port of the power meter, such as power_meter.1")
    way = bench.spec.wiring.way(start, end, via)
    if way is None:
        by = f" by {via}" if via is not None else ""
        raise BenchError(f"{bench.spec.path.name}: no way from {start} to {end}{by}; add the missing fibre")
    return way


def calibrate_path(
    bench: Bench,
    way: OpticalPath,
    *,
    linearity_db: float = LINEARITY_DB,
    connector_db: float = CONNECTOR_DB,
    via: Port | None = None,
) -> PathLoss:
    """Ask the operator through it and measure. The bench must be connected; its own light is taken away.

    :raises BenchError: when the operator stops, the source is dark or moves, or an instrument fails.
    """
    with attenuators_as_before(bench, way.attenuators):
        return _calibrate(bench, way, linearity_db=linearity_db, connector_db=connector_db, via=via)


@contextmanager
def attenuators_as_before(bench: Bench, channels: Sequence[Port]) -> Iterator[None]:
    """Afterwards the attenuation and the shutter of these channels are what they were: the attenuation first,
    so that no more light goes through than did.

    :raises BenchError: when the attenuator fails.
    """
    numbers = [port.number for port in channels]
    if numbers:  # takes offsets out, which would be in what is read back
        bench.attenuator.configure(wavelength_nm=METER_WAVELENGTH_NM, channels=numbers)
    before = [
        (number, bench.attenuator.attenuation_db(number), bench.attenuator.shutter_is_open(number))
        for number in numbers
    ]
    try:
        yield
    finally:
        for channel, attenuation_db, was_open in before:
            bench.attenuator.set_attenuation_db(channel, attenuation_db)
            bench.attenuator.set_shutter(channel, open_=was_open)


def open_attenuators(bench: Bench, channels: Sequence[Port]) -> None:
    """Set these channels, which are configured, to 0 dB and open their shutters; read back by the
    attenuator's driver.

    :raises BenchError: when the attenuator fails, or cannot be set to 0 dB.
    """
    for port in channels:
        bench.attenuator.set_attenuation_db(port.number, NO_ATTENUATION_DB)
        bench.attenuator.set_shutter(port.number, open_=True)


def _calibrate(
    bench: Bench, way: OpticalPath, *, linearity_db: float, connector_db: float, via: Port | None
) -> PathLoss:
    make_dark(bench)
    asked: list[dict[str, str]] = []

    def ask(request: str) -> None:
        answer = bench.operator.ask(request, answers=(DONE, STOP))
        asked.append({"request": request, "answer": answer})
        if answer == STOP:
            raise BenchError("the operator stopped the calibration; nothing was changed")

    ask(
        f"Clean the source's reference patch and plug it into {way.end}, instead of the fibre there. Let "
        f"the source warm up."
    )
    before = _lit(bench, way.end)
    ask(
        f"Plug the fibre into {way.end} again, and the reference patch into the way's start, where "
        f"{way.start} goes."
    )
    close_way(bench, way)
    open_attenuators(bench, way.attenuators)
    through = _read(bench, way.end)
    open_routes(bench)
    if through.mean_w < w_from_dbm(before.dbm - way.loss_db - 20.0):
        raise BenchError(
            f"{shown_dbm(through.mean_w):.1f} dBm by {' > '.join(way.hops)}, about "
            f"{before.dbm - way.loss_db:.1f} dBm expected: a fibre is unplugged or plugged elsewhere. "
            f"Follow the way, then start again"
        )
    ask(f"Plug the reference patch into {way.end} once more.")
    after = _lit(bench, way.end)
    ask(f"Plug the fibre into {way.end} again, and the module's fibre into the way's start.")
    found = judge_path(
        way, before, through, after, asked=asked, linearity_db=linearity_db, connector_db=connector_db
    )
    return replace(found, via=via)


def judge_path(
    way: OpticalPath,
    before: Level,
    through: Level,
    after: Level,
    *,
    asked: Sequence[dict[str, str]] = (),
    linearity_db: float = LINEARITY_DB,
    connector_db: float = CONNECTOR_DB,
) -> PathLoss:
    """Loss and uncertainty from the three levels.

    :raises BenchError: when the source moved too far, or more light came by the way than was sent into it.
    """
    drift_db = db_from_ratio(after.mean_w / before.mean_w)
    if abs(drift_db) > LARGEST_DRIFT_DB:
        raise BenchError(
            f"the reference patch moved by {drift_db:+.2f} dB, at most {LARGEST_DRIFT_DB:g} dB allowed: "
            f"clean it, let the source warm up, then start again"
        )
    loss_db = db_from_ratio((before.mean_w + after.mean_w) / 2.0 / through.mean_w)
    budget = (
        from_expanded("meter linearity", linearity_db, "dB", "one port, two powers"),
        from_expanded("connector", connector_db, "dB", "mating of the patch with the way's start"),
        from_half_width("drift", abs(drift_db) / 2.0, "dB", "reference patch before and after"),
        *(
            from_readings(f"repeatability {name}", [dbm_from_w(w) for w in level.readings_w], "dB")
            for name, level in (("before", before), ("through", through), ("after", after))
        ),
    )
    uncertainty_db = expanded(budget)
    if loss_db < -uncertainty_db:
        raise BenchError(
            f"{-loss_db:.2f} dB more light by the way than by the reference patch: the patch was not "
            f"plugged in fully, or an offset is set in the meter. Clean both, then start again"
        )
    return PathLoss(
        way,
        METER_WAVELENGTH_NM,
        loss_db,
        uncertainty_db,
        drift_db,
        budget,
        {
            "before": list(before.readings_w),
            "through": list(through.readings_w),
            "after": list(after.readings_w),
        },
        tuple(asked),
    )


def due_date(moment: datetime.datetime, valid_days: int) -> str:
    """When a calibration made at a moment is to be made again (ISO 8601)."""
    return (moment.date() + datetime.timedelta(days=valid_days)).isoformat()


def calibrated_path_lines(found: PathLoss) -> str:
    """What to write into the bench file so that this way always has the loss found last."""
    via = f'\nvia = "{found.via}"' if found.via is not None else ""
    return f'[[calibrated_path]]\nfrom = "{found.path.start}"\nto = "{found.path.end}"{via}'


def bench_file_lines(bench: Bench, found: PathLoss) -> str:
    """What to write into the bench file so that every way by the way's first fibre has the loss found: that
    fibre takes up the difference, and all of the uncertainty.

    :raises BenchError: when the rest of the way is stated to lose more than all of it.
    """
    first = bench.spec.wiring.fibre_from(found.path.start)
    if first is None:
        raise BenchError(f"no fibre begins at {found.path.start}")
    loss_db = first.loss_db + found.loss_db - found.path.loss_db
    if round(loss_db, 2) < 0.0:
        raise BenchError(
            f"the way loses {found.loss_db:.2f} dB, less than {found.path.loss_db - first.loss_db:.2f} dB "
            f"that the bench file states for all of it but its first fibre: correct those losses first"
        )
    return (
        f'[[fibre]]\nfrom = "{first.start}"\nto = "{first.end}"\nloss = "{max(0.0, loss_db):.2f} dB"\n'
        f'uncertainty = "{found.uncertainty_db:.2f} dB"'
    )


def _lit(bench: Bench, end: Port) -> Level:
    level = _read(bench, end)
    if level.dbm < LEAST_LIGHT_DBM:
        raise BenchError(
            f"{level.dbm:.1f} dBm at {end} by the reference patch, at least {LEAST_LIGHT_DBM:g} dBm needed: "
            f"turn the source on, look whether the patch is in {end}, then start again"
        )
    return level


def _read(bench: Bench, end: Port) -> Level:
    return read_levels(bench, [end.number])[end.number]
