"""Certificates that have run out: no plan measures with them unless it is told to, and then it says so."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from drivers.errors import BenchError
from harness.bench_file.reading import BenchSpec
from harness.text import printable_text


@dataclass(frozen=True, slots=True)
class Overdue:
    """An instrument whose calibration was due before today."""

    role: str
    certificate: str
    due: str

    def text(self) -> str:
        """In one line."""
        return f"{self.role}: the calibration by certificate {self.certificate} was due on {self.due}"


def today() -> datetime.date:
    """The date by which calibrations are judged (UTC)."""
    return datetime.datetime.now(datetime.UTC).date()


def overdue(spec: BenchSpec, on: datetime.date) -> tuple[Overdue, ...]:
    """What was due before a date; on the day itself it still holds."""
    return tuple(
        Overdue(role, part.calibration.certificate, part.calibration.due)
        for role, part in spec.instruments.items()
        if part.calibration is not None and datetime.date.fromisoformat(part.calibration.due) < on
    )


def accepted_overdue(
    spec: BenchSpec, *, accept: bool, on: datetime.date | None = None
) -> tuple[Overdue, ...]:
    """What is overdue on a bench that is to be measured with (``on``: today by default); nothing on most.

    :raises BenchError: when something is and it is not to be accepted; one line for each instrument.
    """
    found = overdue(spec, on or today())
    if found and not accept:
        raise BenchError(
            "\n".join(
                f"{printable_text(entry.text())}; calibrate it and enter the new certificate in "
                f"{printable_text(spec.path.name)}, or give --accept-overdue to have the run and its report "
                f"say so"
                for entry in found
            )
        )
    return found
