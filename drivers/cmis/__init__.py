"""Host side of CMIS modules (OIF-CMIS-05.4, 4.0 and up): a library that can be used on its own.

Names are resolved when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.lazy import exports

if TYPE_CHECKING:
    from drivers.cmis.access import (
        I2cMemory,
    )
    from drivers.cmis.application import (
        DataPathRequest,
        breakout,
        find_applications,
    )
    from drivers.cmis.bringup import (
        BringUpResult,
        BringUpStep,
        bring_up,
        power_down,
    )
    from drivers.cmis.cdb import (
        CdbSession,
        read_firmware_info,
        update_firmware,
    )
    from drivers.cmis.codes import (
        ConfigStatus,
        DataPathState,
        ModuleState,
    )
    from drivers.cmis.comparison import (
        Difference,
        compare,
        render_comparison,
    )
    from drivers.cmis.configuration import (
        ConfigurationResult,
        LaneResult,
        configure,
        free,
    )
    from drivers.cmis.description import (
        describe,
        render_text,
    )
    from drivers.cmis.diagnostics import (
        Diagnostics,
        Loopback,
        Side,
        read_capabilities,
    )
    from drivers.cmis.dump import (
        Dump,
        DumpMemory,
        load_dump,
        save_dump,
    )
    from drivers.cmis.errors import (
        CmisError,
    )
    from drivers.cmis.fields import (
        Access,
        Field,
        Kind,
        decode,
        encode,
    )
    from drivers.cmis.flags import (
        FlagReport,
        interrupt,
        read_flags,
        set_mask,
    )
    from drivers.cmis.image import (
        MemoryImage,
    )
    from drivers.cmis.information import (
        Application,
        LaneMonitor,
        ModuleIdentity,
    )
    from drivers.cmis.lane_controls import (
        LaneControl,
        set_lanes,
    )
    from drivers.cmis.memory_map import (
        FIELDS,
    )
    from drivers.cmis.module import (
        CmisModule,
    )
    from drivers.cmis.module_prbs import (
        ModulePrbs,
    )
    from drivers.cmis.monitors import (
        MonitorReading,
        read_lane_readings,
        read_module_monitors,
    )
    from drivers.cmis.optoe import (
        OptoeMemory,
    )
    from drivers.cmis.page_cache import (
        CachedMemory,
    )
    from drivers.cmis.polling import (
        PollPlan,
        advertised_limits,
        full_poll_fields,
        plan_reads,
    )
    from drivers.cmis.ports import (
        AccessLimits,
        CallableMemory,
    )
    from drivers.cmis.signal_integrity import (
        SignalIntegrity,
    )
    from drivers.cmis.snapshot import (
        take_snapshot,
    )
    from drivers.cmis.vdm import (
        VdmReading,
        frozen_statistics,
        read_statistics,
        read_vdm,
    )

_HOMES = {
    "access": ("I2cMemory",),
    "application": (
        "DataPathRequest",
        "breakout",
        "find_applications",
    ),
    "bringup": (
        "BringUpResult",
        "BringUpStep",
        "bring_up",
        "power_down",
    ),
    "cdb": (
        "CdbSession",
        "read_firmware_info",
        "update_firmware",
    ),
    "codes": (
        "ConfigStatus",
        "DataPathState",
        "ModuleState",
    ),
    "comparison": (
        "Difference",
        "compare",
        "render_comparison",
    ),
    "configuration": (
        "ConfigurationResult",
        "LaneResult",
        "configure",
        "free",
    ),
    "description": (
        "describe",
        "render_text",
    ),
    "diagnostics": (
        "Diagnostics",
        "Loopback",
        "Side",
        "read_capabilities",
    ),
    "dump": (
        "Dump",
        "DumpMemory",
        "load_dump",
        "save_dump",
    ),
    "errors": ("CmisError",),
    "fields": (
        "Access",
        "Field",
        "Kind",
        "decode",
        "encode",
    ),
    "flags": (
        "FlagReport",
        "interrupt",
        "read_flags",
        "set_mask",
    ),
    "image": ("MemoryImage",),
    "information": (
        "Application",
        "LaneMonitor",
        "ModuleIdentity",
    ),
    "lane_controls": (
        "LaneControl",
        "set_lanes",
    ),
    "memory_map": ("FIELDS",),
    "module": ("CmisModule",),
    "module_prbs": ("ModulePrbs",),
    "monitors": (
        "MonitorReading",
        "read_lane_readings",
        "read_module_monitors",
    ),
    "optoe": ("OptoeMemory",),
    "page_cache": ("CachedMemory",),
    "polling": (
        "PollPlan",
        "advertised_limits",
        "full_poll_fields",
        "plan_reads",
    ),
    "ports": (
        "AccessLimits",
        "CallableMemory",
    ),
    "signal_integrity": ("SignalIntegrity",),
    "snapshot": ("take_snapshot",),
    "vdm": (
        "VdmReading",
        "frozen_statistics",
        "read_statistics",
        "read_vdm",
    ),
}

__all__ = [
    "FIELDS",
    "Access",
    "AccessLimits",
    "Application",
    "BringUpResult",
    "BringUpStep",
    "CachedMemory",
    "CallableMemory",
    "CdbSession",
    "CmisError",
    "CmisModule",
    "ConfigStatus",
    "ConfigurationResult",
    "DataPathRequest",
    "DataPathState",
    "Diagnostics",
    "Difference",
    "Dump",
    "DumpMemory",
    "Field",
    "FlagReport",
    "I2cMemory",
    "Kind",
    "LaneControl",
    "LaneMonitor",
    "LaneResult",
    "Loopback",
    "MemoryImage",
    "ModuleIdentity",
    "ModulePrbs",
    "ModuleState",
    "MonitorReading",
    "OptoeMemory",
    "PollPlan",
    "Side",
    "SignalIntegrity",
    "VdmReading",
    "advertised_limits",
    "breakout",
    "bring_up",
    "compare",
    "configure",
    "decode",
    "describe",
    "encode",
    "find_applications",
    "free",
    "frozen_statistics",
    "full_poll_fields",
    "interrupt",
    "load_dump",
    "plan_reads",
    "power_down",
    "read_capabilities",
    "read_firmware_info",
    "read_flags",
    "read_lane_readings",
    "read_module_monitors",
    "read_statistics",
    "read_vdm",
    "render_comparison",
    "render_text",
    "save_dump",
    "set_lanes",
    "set_mask",
    "take_snapshot",
    "update_firmware",
]

__getattr__ = exports(__name__, _HOMES)
