"""What the keys of a section may hold, as metadata of its fields;
:mod:`harness.simulation.module.profile.section_reading` lists what it understands."""

from __future__ import annotations

from typing import Any

PER_LANE = "media_lanes"
"""``length`` of a list with one value per media lane."""

QUAD = 4
"""``length`` of thresholds: high alarm, low alarm, high warning, low warning."""


def limits(low: float, high: float) -> dict[str, Any]:
    """A number within these ends, which belong to it."""
    return {"low": low, "high": high}


def per_lane(low: float, high: float) -> dict[str, Any]:
    """A list with one number per media lane, each within these ends. One value as default is each lane's."""
    return {"low": low, "high": high, "length": PER_LANE}
