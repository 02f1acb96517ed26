"""The proof that each lane's light arrives at the lane's port, as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.run_folder.records import Acquisition
from reports.text import number, plain, with_unit

_NAME = "lane_walk"


@dataclass(frozen=True, slots=True)
class WalkTable:
    """One walk. ``ports``: heads of the columns, each lane with its port. ``steps``: which transmitters were
    off, and what each port saw. ``remarks``: what was not as it should be."""

    at: str
    ports: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    remarks: tuple[str, ...]


def walk_tables(acquisitions: Iterable[Acquisition]) -> tuple[WalkTable, ...]:
    """The walks of a run; what a record does not hold, or not as it should, is left out."""
    return tuple(_table(record) for record in acquisitions if record.name == _NAME)


def _table(record: Acquisition) -> WalkTable:
    ports, levels = _mapping(record.data.get("port")), _mapping(record.data.get("meter_w"))
    disabled = _list(record.data.get("disabled"))
    steps = tuple(
        (_off(lanes), tuple(_level(_list(levels.get(lane)), step) for lane in ports))
        for step, lanes in enumerate(disabled)
    )
    heads = tuple(f"Lane {lane}, {plain(port)}" for lane, port in ports.items())
    return WalkTable(
        record.at, heads, steps, tuple(plain(text) for text in _list(record.data.get("remarks")))
    )


def _off(lanes: object) -> str:
    listed = plain(lanes)
    return f"off: {listed}" if listed else "all on"


def _level(levels_w: list[Any], step: int) -> str:
    level_w = levels_w[step] if step < len(levels_w) else None
    if isinstance(level_w, bool) or not isinstance(level_w, int | float):
        return ""
    if not 1e-15 < level_w < math.inf:
        return "none"
    return with_unit(number(10.0 * math.log10(level_w) + 30.0, 1), "dBm")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
