"""Section ``[faults]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """Defects of the module's firmware. All default to none."""

    stuck_config_host_lanes: tuple[int, ...] = field(default=(), metadata={**limits(1, 8), "longest": 8})
    """Host lanes whose ConfigStatus never leaves ConfigInProgress."""
    stuck_init_host_lanes: tuple[int, ...] = field(default=(), metadata={**limits(1, 8), "longest": 8})
    """Host lanes whose data path never leaves DPInit."""
    slower_than_advertised: bool = False
    """The times of ``[timing]`` may be above what the module advertises, or the standard allows."""
    powers_up: bool = True
    """False: the module stays in ModulePwrUp."""
    module_fault_cause: int = field(default=0, metadata=limits(0, 6))
    """Above 0: the module ends its power-up in ModuleFault with this cause."""
    module_fault_after_s: float = field(default=0.0, metadata=limits(0, 1e6))
    """Above 0: only this long after it reached ModuleReady."""
    rejected_config_host_lanes: tuple[int, ...] = field(default=(), metadata={**limits(1, 8), "longest": 8})
    """Host lanes of which every configuration is rejected."""
    config_rejection_code: int = field(
        default=2, metadata={**limits(2, 15), "choices": (2, 3, 4, 5, 6, 7, 8, 13, 14, 15)}
    )
    """ConfigStatus of those."""
