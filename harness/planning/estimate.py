"""How much bench time a plan takes, from the matrix's estimates: in its own order, and in the naive one, in
which each test is done by itself and lane by lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.conditions.corner import Corner
from harness.planning.matrix import AcquisitionRow, Matrix


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item of a plan. ``test``: the function it is of."""

    test: str
    corner: Corner | None
    lane: int | None
    acquisitions: tuple[AcquisitionRow, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """What is done at one corner (None: outside of corners)."""

    corner: Corner | None
    items: int
    acquisitions: tuple[AcquisitionRow, ...]
    moving_s: float
    measuring_s: float


def stays(items: Sequence[PlannedItem], matrix: Matrix) -> tuple[Stay, ...]:
    """Corner by corner in the order of the items, each acquisition once."""
    found: list[Stay] = []
    standing: Corner | None = None
    for corner in dict.fromkeys(item.corner for item in items):
        here = [item for item in items if item.corner == corner]
        needed = {row.name for item in here for row in item.acquisitions if row.at_corner == bool(corner)}
        done = tuple(row for row in matrix.acquisitions if row.name in needed)
        moving_s = _moving_s(standing, corner, matrix)
        found.append(Stay(corner, len(here), done, moving_s, sum(row.time_s for row in done)))
        standing = corner or standing
    return tuple(found)


def naive_s(items: Sequence[PlannedItem], matrix: Matrix) -> float:
    """Each test function by itself through all its corners; what a test needs is acquired anew for each of
    its lanes, where it has lanes."""
    total_s = 0.0
    standing: Corner | None = None
    for test in dict.fromkeys(item.test for item in items):
        for item in (item for item in items if item.test == test):
            total_s += _moving_s(standing, item.corner, matrix)
            total_s += sum(row.time_s for row in item.acquisitions)
            standing = item.corner or standing
    return total_s


def _moving_s(standing: Corner | None, corner: Corner | None, matrix: Matrix) -> float:
    if corner is None or corner == standing:
        return 0.0
    if standing is None or standing.visit != corner.visit:
        return matrix.chamber_move_s
    return matrix.supply_step_s
