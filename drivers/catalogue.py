"""Which drivers there are: a literal table from the name in a bench file to where the driver's class is.

The table imports nothing of what it names; :func:`load` resolves a target when a bench is opened.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.errors import BenchError

__all__ = ["DRIVERS", "DriverInfo", "check_options", "info", "load", "names"]


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """What a bench needs to know of a driver before it loads it.

    ``target`` is ``package.module:Class``; ``transport`` is ``visa`` or ``i2c``; ``options`` maps the
    option names a bench file may set to their types, or is None where the driver checks them itself;
    ``proven_on_hardware`` says whether this project has run the driver on a real instrument.
    """

    target: str
    roles: tuple[str, ...]
    transport: str
    proven_on_hardware: bool = False
    options: Mapping[str, type] | None = field(default_factory=dict)


DRIVERS: Mapping[str, DriverInfo] = MappingProxyType(
    {
        "keysight-n7744c": DriverInfo(
            "drivers.keysight_n77xx:N7744C", ("power_meter",), "visa", options={"block_reading": bool}
        ),
        "keysight-n7745c": DriverInfo(
            "drivers.keysight_n77xx:N7745C", ("power_meter",), "visa", options={"block_reading": bool}
        ),
        "polatis": DriverInfo(
            "drivers.polatis:Polatis",
            ("optical_switch",),
            "visa",
            options={"switching_time_s": float, "settling_s": float},
        ),
        "keysight-e36312a": DriverInfo(
            "drivers.keysight_e36300:E36312A",
            ("power_supply",),
            "visa",
            options={"overcurrent_protection": bool},
        ),
        "temptronic-ats545": DriverInfo(
            "drivers.temptronic_ats:Ats545",
            ("thermal", "case_sensor"),
            "visa",
            options={
                "dut_sensor": str,
                "lowest_air_c": float,
                "highest_air_c": float,
                "air_to_dut_limit_c": float,
            },
        ),
        "i2c-host-board": DriverInfo("drivers.host_board:I2cHostBoard", ("host_board",), "i2c", options=None),
    }
)


def names() -> tuple[str, ...]:
    """The names a bench file may use, sorted."""
    return tuple(sorted(DRIVERS))


def info(name: str) -> DriverInfo:
    """The table's entry for ``name``.

    :raises BenchError: when there is none; names the nearest.
    """
    try:
        return DRIVERS[name]
    except KeyError:
        near = difflib.get_close_matches(name, DRIVERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise BenchError(f"no driver is called {name!r}.{hint} There are: {', '.join(names())}") from None


def load(name: str) -> type[Any]:
    """The driver's class, imported now. Construct it as ``Driver(session, clock, name=..., options=...)``.

    :raises BenchError: when there is no such driver, or its module cannot be imported.
    """
    module_name, _, class_name = info(name).target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as fault:
        raise BenchError(f"driver {name!r} cannot be loaded from {module_name}: {fault}") from fault
    if not isinstance(found, type):
        raise BenchError(f"driver {name!r}: {module_name}:{class_name} is not a class")
    return found


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Check a bench file's options of a driver against the table, before anything is opened.

    :raises BenchError: on an option the driver does not have or of another type (an integer is taken
        where a float is asked for).
    """
    allowed = info(name).options
    if allowed is None:
        return
    for key, value in options.items():
        if key not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise BenchError(f"driver {name!r} has no option {key!r}; its options: {known}")
        wanted = allowed[key]
        is_number = wanted is float and isinstance(value, int) and not isinstance(value, bool)
        if not is_number and type(value) is not wanted:
            raise BenchError(f"driver {name!r}: option {key!r} must be a {wanted.__name__}, got {value!r}")
