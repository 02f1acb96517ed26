"""Uncertainty budgets after the GUM: independent contributions, added in squares, expanded with k = 2."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COVERAGE_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Contribution:
    """One contribution, as standard uncertainty in the measurand's unit (sensitivity included)."""

    name: str
    standard: float
    unit: str
    source: str


def from_expanded(name: str, expanded: float, unit: str, source: str) -> Contribution:
    """A contribution stated as expanded uncertainty (k = 2), as certificates do."""
    return Contribution(name, expanded / COVERAGE_FACTOR, unit, source)


def from_half_width(name: str, half_width: float, unit: str, source: str) -> Contribution:
    """A contribution known only to lie within +/- ``half_width``: rectangular, so half width / sqrt(3)."""
    return Contribution(name, half_width / math.sqrt(3.0), unit, source)


def from_readings(name: str, readings: Sequence[float], unit: str) -> Contribution:
    """Type A: the standard deviation of the mean of repeated readings.

    :raises ValueError: with fewer than two readings, whose spread says nothing.
    """
    if len(readings) < 2:
        raise ValueError(f"repeatability needs two readings or more, got {len(readings)}")
    standard = statistics.stdev(readings) / math.sqrt(len(readings))
    return Contribution(name, standard, unit, f"{len(readings)} readings")


def expanded(contributions: Iterable[Contribution]) -> float:
    """Expanded uncertainty (k = 2) of independent contributions."""
    return COVERAGE_FACTOR * math.sqrt(sum(c.standard**2 for c in contributions))
