"""Counted bit errors as measured values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from drivers.interfaces import LaneErrors
from harness.acquisitions.acquired import Value
from harness.judging.measured import Checked, Measured
from harness.judging.uncertainty import Contribution
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.statistics import binomial_interval, binomial_upper

K2_CONFIDENCE = 0.9545
"""What an expanded uncertainty (k = 2) is of a Gaussian."""


@dataclass(frozen=True, slots=True)
class Count:
    """Errors among bits of one lane, over any number of gates. ``locked``: during all of them."""

    errors: int = 0
    bits: int = 0
    locked: bool = True

    def __add__(self, other: Count) -> Count:
        return Count(self.errors + other.errors, self.bits + other.bits, self.locked and other.locked)

    @property
    def ber(self) -> float | None:
        """None without bits, or where lock was lost."""
        return self.errors / self.bits if self.bits and self.locked else None

    @property
    def uncertainty(self) -> float:
        """Of the ratio by counting alone (k = 2): the longer side of the exact interval, which takes errors
        for independent. Without errors: how high it may be."""
        if not self.errors:
            return binomial_upper(0, self.bits, K2_CONFIDENCE)
        ends = binomial_interval(self.errors, self.bits, K2_CONFIDENCE)
        ratio = self.errors / self.bits
        return max(ends.high - ratio, ratio - ends.low)


def counts_of(found: Iterable[LaneErrors]) -> dict[int, Count]:
    """By lane."""
    return {one.lane: Count(one.errors, one.bits, one.locked and one.bits > 0) for one in found}


def shown(counts: Mapping[int, Count]) -> dict[str, Any]:
    """As it is recorded."""
    return {str(lane): asdict(count) for lane, count in counts.items()}


def counting(count: Count) -> Contribution:
    """The budget of a counted ratio."""
    return Contribution("counting", count.uncertainty / 2.0, "1", "Clopper-Pearson, 95.45 %", "binomial")


def budget(counts: Mapping[int, Count], key: str = "lane") -> list[dict[str, Any]]:
    """As it is recorded, of those lanes that have a ratio."""
    return [{key: lane, **asdict(counting(count))} for lane, count in counts.items() if count.ber is not None]


def measured(
    run: Run,
    record: Acquisition,
    count: Count,
    *,
    lane: int | None = None,
    host_lane: int | None = None,
    plane: str,
    detector: str,
    conditions: Mapping[str, Any],
) -> Measured:
    """A ratio as a measured value."""
    ratio = count.ber
    assert ratio is not None
    found = run.measured_from(record, lane=lane, uncertainty=count.uncertainty)(
        value=ratio,
        unit="1",
        plane=plane,
        detector=detector,
        conditions={"errors": count.errors, "bits": count.bits, **conditions},
    )
    return found if host_lane is None else replace(found, host_lane=host_lane)


def unlocked(record: Acquisition, lane: int, text: str, *, host_lane: int | None = None) -> Value:
    """The module's failure: a lane whose light arrives and whose pattern is not found."""
    return Checked(
        False,
        text,
        "pattern lock; OIF-CMIS-05.4 14h:138-139, 11h:147-148",
        record.acquisition_id,
        record.at,
        lane=None if host_lane is not None else lane,
        host_lane=host_lane,
    )
