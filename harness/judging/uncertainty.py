"""Uncertainty budgets after the GUM: independent contributions, added in squares, expanded with k = 2."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COVERAGE_FACTOR = 2.0
_STUDENT_T = (13.97, 4.53, 3.31, 2.87, 2.65, 2.52, 2.43, 2.37, 2.32, 2.28)  # Table G.2, 1 to 10 degrees


@dataclass(frozen=True, slots=True)
class Contribution:
    """One contribution, as standard uncertainty in the measurand's unit (sensitivity included).
    ``distribution``: what it was stated or taken as."""

    name: str
    standard: float
    unit: str
    source: str
    distribution: str = "normal"


def from_expanded(name: str, expanded: float, unit: str, source: str) -> Contribution:
    """A contribution stated as expanded uncertainty (k = 2), as certificates do."""
    return Contribution(name, expanded / COVERAGE_FACTOR, unit, source, "normal, stated with k = 2")


def from_half_width(name: str, half_width: float, unit: str, source: str) -> Contribution:
    """A contribution known only to lie within +/- ``half_width``: rectangular, so half width / sqrt(3)."""
    return Contribution(name, half_width / math.sqrt(3.0), unit, source, "rectangular")


def from_readings(name: str, readings: Sequence[float], unit: str) -> Contribution:
    """Type A: the standard deviation of the mean of repeated readings, by the ratio of Student's t to k = 2
    larger where the readings are few (GUM, JCGM 100:2008, Table G.2, 95.45 %).

    :raises ValueError: with fewer than two readings, whose spread says nothing.
    """
    if len(readings) < 2:
        raise ValueError(f"repeatability needs two readings or more, got {len(readings)}")
    standard = statistics.stdev(readings) / math.sqrt(len(readings)) * student_ratio(len(readings) - 1)
    return Contribution(name, standard, unit, f"{len(readings)} readings", "Student's t")


def student_ratio(degrees_of_freedom: int) -> float:
    """t for 95.45 % over 2.

    :raises ValueError: without a degree of freedom.
    """
    if degrees_of_freedom < 1:
        raise ValueError(f"a spread has one degree of freedom at least, not {degrees_of_freedom}")
    if degrees_of_freedom <= len(_STUDENT_T):
        return _STUDENT_T[degrees_of_freedom - 1] / 2.0
    # Beyond the table the excess over 1 falls as one over the degrees: within 0.5 % of it at 20.
    return 1.0 + (_STUDENT_T[-1] / 2.0 - 1.0) * len(_STUDENT_T) / degrees_of_freedom


def expanded(contributions: Iterable[Contribution]) -> float:
    """Expanded uncertainty (k = 2) of independent contributions."""
    return COVERAGE_FACTOR * math.sqrt(sum(c.standard**2 for c in contributions))
