"""What an acquisition returns: measured values by parameter and lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.errors import BenchError
from harness.judging.measured import Checked, Contradiction, Measured, NotOffered
from harness.run_folder.records import Acquisition

Value = Measured | Checked | NotOffered | Contradiction


@dataclass(frozen=True, slots=True)
class Acquired:
    """An acquisition's record and the values derived from it, keyed by (parameter, lane or host lane or
    None)."""

    record: Acquisition
    measured: Mapping[tuple[str, int | None], Value]

    def of(self, parameter: str, lane: int | None = None) -> Measured | Checked | NotOffered:
        """The value of a parameter.

        :raises BenchError: when the acquisition has none, or found bench and module in contradiction.
        """
        try:
            value = self.measured[parameter, lane]
        except KeyError:
            where = "" if lane is None else f" on lane {lane}"
            raise BenchError(f"the acquisition {self.record.name} has no {parameter}{where}") from None
        if isinstance(value, Contradiction):
            raise value.fault
        return value
