"""The pins of a served module, driven by an expander on its board, by requests, or by both in turn."""

from __future__ import annotations

from harness.simulation.module.board import PluggedModule
from harness.simulation.smbus import I2cTarget


class PinHub:
    """The module's side of the connector, for :class:`harness.simulation.module.board.SimulatedHostBoard`;
    knows what was driven last, by whoever."""

    def __init__(self, module: PluggedModule) -> None:
        self._module = module
        self.reset_asserted = False
        self.low_power_asserted = True
        self.selected = False

    @property
    def interface(self) -> I2cTarget:
        """The module's two-wire interface."""
        return self._module.interface

    def set_reset(self, *, asserted: bool) -> None:
        """Drive ResetL."""
        self.reset_asserted = asserted
        self._module.set_reset(asserted=asserted)

    def set_low_power(self, *, asserted: bool) -> None:
        """Drive LPMode."""
        self.low_power_asserted = asserted
        self._module.set_low_power(asserted=asserted)

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL."""
        self.selected = asserted
        self._module.set_selected(asserted=asserted)

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""
        return self._module.interrupt_asserted()
