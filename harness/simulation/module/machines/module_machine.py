"""The module state machine (OIF-CMIS-05.4 §6.3.2) on a world's events."""

from __future__ import annotations

from typing import Protocol

from harness.simulation.module.states import ModuleState
from harness.simulation.module.timing import Durations
from harness.simulation.world import Event, World


class ModuleContext(Protocol):
    """What the machine asks of, and tells, the module around it."""

    def low_power_requested(self) -> bool:
        """LowPwrS."""

    def data_paths_deactivated(self) -> bool:
        """Whether every data path is in DPDeactivated."""

    def firmware_runs(self) -> bool:
        """Whether the module found a valid firmware image."""

    def module_state_entered(self, state: ModuleState) -> None:
        """The machine is in ``state`` now."""

    def module_state_settled(self, state: ModuleState) -> None:
        """It stays in ``state`` (LowPwr, Ready, Fault): ModuleStateChangedFlag is due."""


_FLAGGED = (ModuleState.LOW_PWR, ModuleState.READY, ModuleState.FAULT)


class ModuleMachine:
    """Supply, reset and low-power request in; module state out."""

    def __init__(
        self,
        world: World,
        durations: Durations,
        context: ModuleContext,
        *,
        powers_up: bool = True,
        faults: bool = False,
        fault_after_s: float = 0.0,
        flat: bool = False,
    ) -> None:
        """``faults``: it ends its power-up in ModuleFault, or, with ``fault_after_s`` above 0, so long after
        it got ready. ``flat``: flat memory, of which the states do not change."""
        self._world = world
        self._durations = durations
        self._context = context
        self._powers_up = powers_up
        self._faults = faults
        self._fault_after_s = fault_after_s
        self._flat = flat
        self._powered = False
        self._reset = False
        self._timer: Event | None = None
        self.state = ModuleState.UNPOWERED

    def set_powered(self, powered: bool) -> None:
        """The supply came or went."""
        if powered != self._powered:
            self._powered = powered
            self._restart()

    def set_reset(self, asserted: bool) -> None:
        """ResetL was asserted or released."""
        if asserted != self._reset:
            self._reset = asserted
            if self._powered:
                self._restart()

    def software_reset(self) -> None:
        """The SoftwareReset bit: as a pulse of ResetL."""
        self._restart()

    def fail(self) -> None:
        """Something is wrong that the module cannot go on with: ModuleFault, until a reset."""
        if self.state.answers and self.state is not ModuleState.FAULT:
            self._enter(ModuleState.FAULT)

    def evaluate(self) -> None:
        """Take the exits that are open now. Called after any input of the machine changed."""
        context = self._context
        if self._flat:
            return
        if self.state is ModuleState.LOW_PWR and not context.firmware_runs():
            self._enter(ModuleState.FAULT)
        elif self.state is ModuleState.LOW_PWR and not context.low_power_requested():
            up_s = self._durations.module_power_up_s if self._powers_up else None
            at_once = self._faults and not self._fault_after_s
            self._enter(ModuleState.PWR_UP, ModuleState.FAULT if at_once else ModuleState.READY, up_s)
        elif (self.state is ModuleState.PWR_UP and context.low_power_requested()) or (
            self.state is ModuleState.READY
            and context.low_power_requested()
            and context.data_paths_deactivated()
        ):
            self._power_down()

    def _power_down(self) -> None:
        self._enter(ModuleState.PWR_DN, ModuleState.LOW_PWR, self._durations.module_power_down_s)

    def _restart(self) -> None:
        if not self._powered:
            self._enter(ModuleState.UNPOWERED)
        elif self._reset:
            self._enter(ModuleState.RESET)
        else:
            then = ModuleState.READY if self._flat else ModuleState.LOW_PWR
            self._enter(ModuleState.MGMT_INIT, then, self._durations.mgmt_init_s)

    def _enter(
        self, state: ModuleState, then: ModuleState | None = None, after_s: float | None = None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.state = state
        if state is ModuleState.READY and self._faults:
            then, after_s = ModuleState.FAULT, self._fault_after_s
        if then is not None and after_s is not None:
            following = then
            self._timer = self._world.after(after_s, lambda: self._enter(following))
        self._context.module_state_entered(state)
        self.evaluate()
        # Only a state that is not left at once is worth a flag.
        if self.state is state and state in _FLAGGED and not self._flat:
            self._context.module_state_settled(state)
