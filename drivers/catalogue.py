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

    ``target`` is ``package.module:Class``; ``transport`` is ``visa``, ``serial``, ``i2c``, ``file`` (of
    sysfs) or ``person``; ``options`` maps the option names a bench file may set to their types, or is None
    where the driver checks them itself;
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
        "keysight-8163b": DriverInfo(
            "drivers.keysight_816x:Keysight8163",
            ("power_meter",),
            "visa",
            options={"sensors": list, "block_reading": bool},
        ),
        "keysight-8164b": DriverInfo(
            "drivers.keysight_816x:Keysight8164",
            ("power_meter",),
            "visa",
            options={"sensors": list, "block_reading": bool},
        ),
        "thorlabs-pm100d": DriverInfo(
            "drivers.thorlabs_pm100d:Pm100d",
            ("power_meter",),
            "visa",
            options={"lowest_dbm": float, "highest_dbm": float},
        ),
        "polatis": DriverInfo(
            "drivers.polatis:Polatis",
            ("optical_switch",),
            "visa",
            options={"switching_time_s": float, "settling_s": float},
        ),
        "keysight-n7761a": DriverInfo(
            "drivers.keysight_n776x:N7761A",
            ("attenuator",),
            "visa",
            options={"slots": list, "speed_db_s": float, "settling_s": float},
        ),
        "keysight-n7762a": DriverInfo(
            "drivers.keysight_n776x:N7762A",
            ("attenuator",),
            "visa",
            options={"slots": list, "speed_db_s": float, "settling_s": float},
        ),
        "keysight-n7764a": DriverInfo(
            "drivers.keysight_n776x:N7764A",
            ("attenuator",),
            "visa",
            options={"slots": list, "speed_db_s": float, "settling_s": float},
        ),
        "keysight-flexdca": DriverInfo(
            "drivers.keysight_flexdca:FlexDca",
            ("oscilloscope",),
            "visa",
            options={
                "channels": list,
                "clock_recovery_slot": int,
                "trigger_source": str,
                "output_clock_divider": int,
                "filter": str,
                "tdecq_edition": str,
                "samples_per_ui": int,
                "autoscale_tries": int,
                "acquisition_limit_s": float,
                "channel_noise_w": float,
            },
        ),
        "yokogawa-aq6370d": DriverInfo(
            "drivers.yokogawa_aq6370:AQ6370D",
            ("spectrum_analyser",),
            "visa",
            options={
                "sensitivity": str,
                "binary_traces": bool,
                "automatic_offset": bool,
                "offset_interval_s": float,
                "sweep_limit_s": float,
            },
        ),
        "keysight-e36312a": DriverInfo(
            "drivers.keysight_e36300:E36312A",
            ("power_supply",),
            "visa",
            options={"overcurrent_protection": bool},
        ),
        "xena-xoa": DriverInfo(
            "drivers.xena_xoa:XenaChassis",
            ("bert",),
            "visa",
            options={
                "module": int,
                "port": int,
                "lanes": int,
                "password": str,
                "owner": str,
                "take_over": bool,
                "inserted_at": str,
                "inverted": bool,
                "counter_update_s": float,
                "settle_s": float,
                "idle_limit_s": int,
            },
        ),
        "keysight-m8070b": DriverInfo(
            "drivers.keysight_m8070b:M8070B",
            ("bert",),
            "visa",
            options={
                "generators": list,
                "generator_lanes": list,
                "analyser": str,
                "analyser_lane": int,
                "clock": str,
                "system": str,
                "measurement": str,
                "symbol_rate_bd": float,
                "clock_factor": float,
                "amplitude_v": float,
                "clock_recovery": bool,
                "alignment_status": bool,
                "alignment_limit_s": float,
            },
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
        "espec-p300": DriverInfo(
            "drivers.espec_p300:EspecP300",
            ("thermal",),
            "serial",
            options={
                "lowest_c": float,
                "highest_c": float,
                "address": int,
                "echo": bool,
                "command_interval_s": float,
                "controller": str,
            },
        ),
        "operator-terminal": DriverInfo("drivers.operator_prompt:TerminalOperator", ("operator",), "person"),
        "operator-headless": DriverInfo(
            "drivers.operator_prompt:HeadlessOperator", ("operator",), "person", options={"answers": list}
        ),
        "i2c-host-board": DriverInfo("drivers.host_board:I2cHostBoard", ("host_board",), "i2c", options=None),
        "optoe-host-board": DriverInfo(
            "drivers.optoe_board:OptoeHostBoard", ("host_board",), "file", options=None
        ),
        "reference-module": DriverInfo(
            "drivers.reference_module:ReferenceModule", ("reference_tx",), "i2c", options=None
        ),
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
