"""One table ``[[defect]]`` of a profile, as the profile states it."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits

MOST_DEFECTS = 64
"""Tables ``[[defect]]`` of one profile."""


@dataclass(frozen=True, slots=True)
class StatedDefect:
    """What is wrong with a module, and how badly; the kinds are in
    :data:`harness.simulation.module.profile.defects.DEFECTS`."""

    kind: str = field(metadata={"longest": 40})
    lanes: tuple[int, ...] = field(default=(), metadata={**limits(1, 8), "longest": 8})
    """Media lanes; none: all. A loaded profile names them all, and none for a defect of the whole module."""
    severity: float = field(default=1.0, metadata=limits(0, 1))
    """0: none; 1: plainly out of specification."""
