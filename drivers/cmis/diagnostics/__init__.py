"""Pattern generators, checkers, loopbacks, error counters and SNR of a module (OIF-CMIS-05.4 §8.12, §8.13).

Names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.lazy import exports

if TYPE_CHECKING:
    from drivers.cmis.diagnostics.capabilities import (
        DiagnosticsCapabilities,
        Loopback,
        Side,
        Unit,
        read_capabilities,
    )
    from drivers.cmis.diagnostics.control import (
        Diagnostics,
    )
    from drivers.cmis.diagnostics.registers import (
        PatternControls,
    )
    from drivers.cmis.diagnostics.results import (
        ErrorCount,
        SelectorPolicy,
    )

_HOMES = {
    "capabilities": (
        "DiagnosticsCapabilities",
        "Loopback",
        "Side",
        "Unit",
        "read_capabilities",
    ),
    "control": ("Diagnostics",),
    "registers": ("PatternControls",),
    "results": (
        "ErrorCount",
        "SelectorPolicy",
    ),
}

__all__ = [
    "Diagnostics",
    "DiagnosticsCapabilities",
    "ErrorCount",
    "Loopback",
    "PatternControls",
    "SelectorPolicy",
    "Side",
    "Unit",
    "read_capabilities",
]

__getattr__ = exports(__name__, _HOMES)
