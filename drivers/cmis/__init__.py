"""Host side of CMIS modules (OIF-CMIS-05.4, 4.0 and up): a library that can be used on its own.

Names are resolved when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drivers.cmis.access import I2cMemory
    from drivers.cmis.bringup import BringUpResult, BringUpStep, bring_up, power_down
    from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
    from drivers.cmis.description import describe, render_text
    from drivers.cmis.dump import DumpMemory, load_dump
    from drivers.cmis.errors import CmisError
    from drivers.cmis.fields import Access, Field, Kind, decode, encode
    from drivers.cmis.image import MemoryImage
    from drivers.cmis.information import Application, LaneMonitor, ModuleIdentity
    from drivers.cmis.memory_map import FIELDS
    from drivers.cmis.module import CmisModule

_HOMES = {
    "access": ("I2cMemory",),
    "bringup": ("BringUpResult", "BringUpStep", "bring_up", "power_down"),
    "codes": ("ConfigStatus", "DataPathState", "ModuleState"),
    "description": ("describe", "render_text"),
    "dump": ("DumpMemory", "load_dump"),
    "errors": ("CmisError",),
    "fields": ("Access", "Field", "Kind", "decode", "encode"),
    "image": ("MemoryImage",),
    "information": ("Application", "LaneMonitor", "ModuleIdentity"),
    "memory_map": ("FIELDS",),
    "module": ("CmisModule",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "FIELDS",
    "Access",
    "Application",
    "BringUpResult",
    "BringUpStep",
    "CmisError",
    "CmisModule",
    "ConfigStatus",
    "DataPathState",
    "DumpMemory",
    "Field",
    "I2cMemory",
    "Kind",
    "LaneMonitor",
    "MemoryImage",
    "ModuleIdentity",
    "ModuleState",
    "bring_up",
    "decode",
    "describe",
    "encode",
    "load_dump",
    "power_down",
    "render_text",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
