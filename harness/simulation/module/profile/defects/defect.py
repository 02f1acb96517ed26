"""What a kind of defect is: data, and a pure function that changes a profile's numbers.

The physics knows parameters only, never defects: a kind is applied once, when its profile is loaded.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.simulation.module.profile.profile import Profile

Apply: TypeAlias = Callable[[Profile, tuple[int, ...], float], Profile]
"""The profile with the defect on these media lanes (1..; none for a defect of the whole module) at a severity
of 0 (none: nothing changes) to 1. Linear in the quantity that ``at_1`` names."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of defect.

    ``at_1``: what a severity of 1 means, with its unit. ``shown_by``: the measurement that shows it, and the
    limit that it crosses. ``in_shared_fibre``: only a module whose lanes share a fibre can have it.
    """

    kind: str
    per_lane: bool
    at_1: str
    shown_by: str
    apply: Apply
    in_shared_fibre: bool = False


def with_section(profile: Profile, section: str, **values: Any) -> Profile:
    """The profile with other values of some keys of one section.

    :raises TypeError: for a section or key that there is not.
    """
    changed = dataclasses.replace(getattr(profile, section), **values)
    return dataclasses.replace(profile, **{section: changed})


def on_lanes(
    values: Sequence[float], lanes: Collection[int], change: Callable[[float], float]
) -> tuple[float, ...]:
    """Values per media lane, of which those of ``lanes`` (1..) are changed."""
    return tuple(change(value) if lane in lanes else value for lane, value in enumerate(values, start=1))


def more(section: str, key: str, at_1: float) -> Apply:
    """Adds ``at_1`` times the severity to a number of the whole module."""

    def apply(profile: Profile, _lanes: tuple[int, ...], severity: float) -> Profile:
        value = getattr(getattr(profile, section), key) + at_1 * severity
        return with_section(profile, section, **{key: value})

    return apply


def more_on_lanes(
    section: str, key: str, at_1: float, *, least: float = -math.inf, most: float = math.inf
) -> Apply:
    """Adds ``at_1`` times the severity to the lanes' numbers, within what the key may hold."""

    def apply(profile: Profile, lanes: tuple[int, ...], severity: float) -> Profile:
        values = getattr(getattr(profile, section), key)
        changed = on_lanes(values, lanes, lambda value: max(least, min(most, value + at_1 * severity)))
        return with_section(profile, section, **{key: changed})

    return apply
