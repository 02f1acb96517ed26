"""States of the simulated module beyond those that registers show (:mod:`drivers.cmis.codes`)."""

from __future__ import annotations

import enum

from drivers.cmis.codes import DataPathState
from drivers.cmis.codes import ModuleState as ModuleStateCode


class ModuleState(enum.IntEnum):
    """Module states. Values above Fh never appear in a register: the interface is silent then."""

    LOW_PWR = ModuleStateCode.ModuleLowPwr
    PWR_UP = ModuleStateCode.ModulePwrUp
    READY = ModuleStateCode.ModuleReady
    PWR_DN = ModuleStateCode.ModulePwrDn
    FAULT = ModuleStateCode.ModuleFault
    UNPOWERED = 0x10
    RESET = 0x11
    MGMT_INIT = 0x12

    @property
    def answers(self) -> bool:
        """Whether the management interface works in this state."""
        return self < ModuleState.UNPOWERED


_NO_LIGHT = frozenset({DataPathState.DPDeactivated, DataPathState.DPInit, DataPathState.DPDeinit})


def may_emit(state: DataPathState) -> bool:
    """Whether transmitters of a data path in this state may be on."""
    return state not in _NO_LIGHT
