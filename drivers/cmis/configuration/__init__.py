"""Data paths: staged, applied and brought to traffic, siblings untouched (OIF-CMIS-05.4 §6.2, §6.3).

Names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.lazy import exports

if TYPE_CHECKING:
    from drivers.cmis.configuration.command import (
        active_data_paths,
        commit_signal_integrity,
        configure,
        free,
    )
    from drivers.cmis.configuration.control_sets import (
        ActiveDataPath,
        LaneConfig,
    )
    from drivers.cmis.configuration.result import (
        ConfigurationResult,
        LaneResult,
    )

_HOMES = {
    "command": (
        "active_data_paths",
        "commit_signal_integrity",
        "configure",
        "free",
    ),
    "control_sets": (
        "ActiveDataPath",
        "LaneConfig",
    ),
    "result": (
        "ConfigurationResult",
        "LaneResult",
    ),
}

__all__ = [
    "ActiveDataPath",
    "ConfigurationResult",
    "LaneConfig",
    "LaneResult",
    "active_data_paths",
    "commit_signal_integrity",
    "configure",
    "free",
]

__getattr__ = exports(__name__, _HOMES)
