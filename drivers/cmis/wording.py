"""Registers and lanes in words, for messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from drivers.cmis.memory_map import FIELDS


def where(name: str) -> str:
    """Address and name of a field: ``11h:202-205 ConfigStatus``."""
    return f"{FIELDS[name].where} {name}"


def lanes_text(lanes: Collection[int]) -> str:
    """``1-8``, ``1, 3-4``."""
    runs: list[list[int]] = []
    for lane in sorted(lanes):
        if runs and lane == runs[-1][-1] + 1:
            runs[-1].append(lane)
        else:
            runs.append([lane])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def host_lanes(lanes: Collection[int]) -> str:
    """``host lane 3``, ``host lanes 1, 3-4``."""
    return _lanes("host", lanes)


def media_lanes(lanes: Collection[int]) -> str:
    """``media lane 3``, ``media lanes 1, 3-4``."""
    return _lanes("media", lanes)


def _lanes(side: str, lanes: Collection[int]) -> str:
    return f"{side} lane{'s' * (len(lanes) > 1)} {lanes_text(lanes)}"


def by_lane(found: Mapping[int, str]) -> str:
    """``DPInit on host lanes 3-4; DPDeactivated on host lane 7``."""
    groups: dict[str, list[int]] = {}
    for lane, text in found.items():
        groups.setdefault(text, []).append(lane)
    return "; ".join(f"{text} on {host_lanes(lanes)}" for text, lanes in groups.items())
