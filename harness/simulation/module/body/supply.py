"""The supply as a module sees it at its connector."""

from __future__ import annotations

from harness.simulation.module.machines.module_machine import ModuleMachine
from harness.simulation.module.states import ModuleState
from harness.simulation.ports import ModuleSurroundings
from harness.simulation.world import World

_BROWN_OUT_CHECK_S = 1e-3  # after a change of load the supply is looked at again


class Supply:
    """Tells the module state machine whether there is enough of it."""

    def __init__(
        self, world: World, surroundings: ModuleSurroundings, machine: ModuleMachine, lowest_vcc_v: float
    ) -> None:
        self._world = world
        self._surroundings = surroundings
        self._machine = machine
        self._lowest_vcc_v = lowest_vcc_v
        self._check_due = False
        self.vcc_v = 0.0
        """As of the last change, volts."""

    def changed(self) -> None:
        """The voltage at the connector changed."""
        self.vcc_v = self._surroundings.vcc_v()
        self._machine.set_powered(self.vcc_v >= self._lowest_vcc_v)

    def check_soon(self) -> None:
        """The load changed: it may have pulled the supply below what the module needs."""
        if self._machine.state is not ModuleState.UNPOWERED and not self._check_due:
            self._check_due = True
            self._world.after(_BROWN_OUT_CHECK_S, self._check)

    def _check(self) -> None:
        self._check_due = False
        self.changed()
