"""Certificates and calibrations that have run out: no plan measures with them unless it is told to, and then
it says so."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from drivers.errors import BenchError
from harness.bench_file.reading import BenchSpec
from harness.text import printable_text


@dataclass(frozen=True, slots=True)
class Overdue:
    """What was due to be calibrated before today. ``role``: of an instrument, or a way, in words;
    ``calibration``: by which it was; ``advice``: what to do."""

    role: str
    calibration: str
    due: str
    advice: str

    def text(self) -> str:
        """In one line."""
        return f"{self.role}: the calibration {self.calibration} was due on {self.due}"


def today() -> datetime.date:
    """The date by which calibrations are judged (UTC)."""
    return datetime.datetime.now(datetime.UTC).date()


def is_overdue(due: str, on: datetime.date) -> bool:
    """Whether a calibration does not hold any more; on the day it is due it still does."""
    return datetime.date.fromisoformat(due) < on


def overdue(spec: BenchSpec, on: datetime.date) -> tuple[Overdue, ...]:
    """Instruments and ways that were due before a date; on the day itself they still hold."""
    file = printable_text(spec.path.name)
    instruments = [
        Overdue(
            role,
            f"by certificate {part.calibration.certificate}",
            part.calibration.due,
            f"calibrate it and enter the new certificate in {file}",
        )
        for role, part in spec.instruments.items()
        if part.calibration is not None and is_overdue(part.calibration.due, on)
    ]
    ways = []
    for entry in spec.calibrated_paths:
        way = spec.wiring.way(entry.start, entry.end, entry.via)
        found = way.calibration if way is not None else None
        if found is not None and is_overdue(found.due, on):
            ways.append(
                Overdue(
                    f"way from {entry.start} to {entry.end}",
                    f"of {found.date} ({found.record})",
                    found.due,
                    f"calibrate it: lanewise bench calibrate {file} {entry.arguments}",
                )
            )
    return (*instruments, *ways)


def accepted_overdue(
    spec: BenchSpec, *, accept: bool, on: datetime.date | None = None
) -> tuple[Overdue, ...]:
    """What is overdue on a bench that is to be measured with (``on``: today by default); nothing on most.

    :raises BenchError: when something is and it is not to be accepted; one line for each.
    """
    found = overdue(spec, on or today())
    if found and not accept:
        raise BenchError("\n".join(refusal(entry) for entry in found))
    return found


def refusal(entry: Overdue) -> str:
    """Why a plan does not run, in one line."""
    return (
        f"{printable_text(entry.text())}; {printable_text(entry.advice)}, or give --accept-overdue to have "
        f"the run and its report say so"
    )
