"""The thermal plan's own numbers (``testplans/thermal.toml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from harness.tables import read_table

DEFINITION_FILE: Final = Path(__file__).resolve().parents[3] / "testplans" / "thermal.toml"


@dataclass(frozen=True, slots=True)
class Stable:
    """When a module is stable: for ``over_s``, its temperature monitor and the power of each lane within
    these spans, read every ``interval_s``. Given up after ``time_limit_s``."""

    temperature_monitor_k: float
    launch_power_db: float
    over_s: float
    interval_s: float
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class ThermalDefinition:
    """``stable``; ``cold_off_s``: without supply before a cold start; ``power_cycles`` and within what the
    light must be back after each; ``flags_near_k``: so near to a threshold either state of a flag is
    right."""

    stable: Stable
    cold_off_s: float
    power_cycles: int
    light_within_db: float
    flags_near_k: float


@cache
def thermal_definition() -> ThermalDefinition:
    """The shipped one."""
    return read_definition(DEFINITION_FILE)


def read_definition(path: Path) -> ThermalDefinition:
    """Read a definition.

    :raises TableError: with one line for each mistake.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    stable, cold = table.table("stable"), table.table("cold_start")
    cycles, flags = table.table("power_cycles"), table.table("temperature_flags")
    found = ThermalDefinition(
        Stable(
            temperature_monitor_k=stable.quantity("temperature_monitor", "K", low=0.01, high=20.0),
            launch_power_db=stable.quantity("launch_power", "dB", low=0.001, high=5.0),
            over_s=stable.quantity("over", "s", low=1.0, high=3600.0),
            interval_s=stable.quantity("interval", "s", low=0.2, high=600.0),
            time_limit_s=stable.quantity("time_limit", "s", low=1.0, high=86_400.0),
        ),
        cold_off_s=cold.quantity("off", "s", low=1.0, high=86_400.0),
        power_cycles=cycles.integer("count", low=1, high=100_000),
        light_within_db=cycles.quantity("light_within", "dB", low=0.01, high=10.0),
        flags_near_k=flags.quantity("near", "K", low=0.0, high=20.0),
    )
    if found.stable.over_s < 2.0 * found.stable.interval_s:
        stable.complain("over", "is shorter than two intervals: nothing would be seen to be stable")
    if found.stable.time_limit_s < found.stable.over_s:
        stable.complain("time_limit", "is shorter than over")
    for part in (stable, cold, cycles, flags, table):
        part.end()
    table.finish()
    return found
