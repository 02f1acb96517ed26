"""A simulated module that is nothing but bytes of a real one: ``[memory]`` of its profile, frozen.

Its registers stand as the dump has them, whatever happens around it. What the host writes to a register that
it may write stays there until a reset; page selection works; flags are not cleared by reading, as if their
conditions went on. It emits no light and does nothing that it is told, but for a reset.
"""

from __future__ import annotations

from drivers.cmis.codes import DataPathState
from drivers.cmis.fields import LANES, decode
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from harness.simulation.light.beam import Beam
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.interface.two_wire import TwoWireInterface
from harness.simulation.module.machines.module_machine import ModuleMachine
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.cdb import CdbProfile
from harness.simulation.module.specimen import draws_of
from harness.simulation.module.states import ModuleState
from harness.simulation.module.timing import draw_durations
from harness.simulation.ports import HostSurroundings, ModuleSurroundings
from harness.simulation.signals import LineSignal
from harness.simulation.world import World

_RESET = FIELDS["SoftwareReset"]
_INTERRUPT = FIELDS["InterruptDeasserted"]
_BANK_SELECT = FIELDS["BankSelect"]


class StoredRegisters(Registers):
    """Registers whose flags reading does not clear."""

    def host_read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """The host reads bytes within one half, and changes nothing by it."""
        return self.get(bank, page, byte, length)


def stored_registers(profile: Profile) -> StoredRegisters:
    """Memory with the pages that the profile holds."""
    halves = profile.memory.halves
    return StoredRegisters((half.bank, half.page) for half in halves if half.page is not None)


def restore(registers: Registers, profile: Profile) -> None:
    """All bytes as the profile holds them."""
    for half in profile.memory.halves:
        registers.put(half.bank, half.page or 0, 0 if half.page is None else HALF, half.data)


class StoredModule:
    """One module of a profile whose memory stands still; used as
    :class:`harness.simulation.module.simulated_module.SimulatedModule` is.

    It answers when it has its supply and tMgmtInit is over, and is silent while ResetL is asserted.
    """

    def __init__(
        self,
        world: World,
        profile: Profile,
        surroundings: ModuleSurroundings,
        *,
        host: HostSurroundings | None = None,
        name: str = "module",
        specimen: int = 0,
    ) -> None:
        self.name = name
        self.profile = profile
        self._surroundings = surroundings
        self._registers = stored_registers(profile)
        no_cdb = CdbProfile(auto_paging=False, epl_pages=0)  # its pages are pages as any other
        self.interface = TwoWireInterface(
            world, self._registers, self, profile.management, no_cdb, profile.quirks
        )
        durations = draw_durations(profile.timing, draws_of(profile, specimen))
        self._machine = ModuleMachine(world, durations, self, flat=True)
        self._selected = False
        restore(self._registers, profile)

    # -- pins ------------------------------------------------------------------------------------------

    def set_reset(self, *, asserted: bool) -> None:
        """Drive ResetL."""
        self._machine.set_reset(asserted)

    def set_low_power(self, *, asserted: bool) -> None:
        """Drive LPMode, which changes nothing."""

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL: a module that is not selected does not answer."""
        self._selected = asserted

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low: what the stored register says."""
        return self._machine.state.answers and not decode(_INTERRUPT, self._registers)

    # -- the module as a body --------------------------------------------------------------------------

    @property
    def state(self) -> ModuleState:
        """Whether it has its supply and answers; what its register says is another matter."""
        return self._machine.state

    def data_path_states(self) -> tuple[DataPathState, ...]:
        """None of its data paths does anything."""
        return (DataPathState.DPDeactivated,) * LANES

    def supply_changed(self) -> None:
        """The voltage at the connector changed."""
        self._machine.set_powered(self._surroundings.vcc_v() >= self.profile.management.lowest_vcc_v)

    def consumption_w(self) -> float:
        """Electrical power drawn now, watts: that of low power, as it does nothing."""
        return 0.0 if self._machine.state is ModuleState.UNPOWERED else self.profile.power.low_power_w

    def launch_power_w(self, lane: int) -> float:
        """No light."""
        return 0.0

    def wavelength_nm(self, lane: int) -> float:
        """0: no light."""
        return 0.0

    def launched(self, port: int) -> tuple[Beam, ...]:
        """No light."""
        return ()

    def transmitted_signal(self, lane: int) -> LineSignal | None:
        """No signal."""
        return None

    def host_output_signal(self, host_lane: int) -> LineSignal | None:
        """No signal."""
        return None

    # -- the registers' side ---------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether the two-wire interface works now."""
        return self._selected and self._machine.state.answers

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Nothing has to be brought up to date."""

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """Reading changes nothing."""

    def host_wrote(self, bank: int, page: int, written: dict[int, int]) -> None:
        """Of what can be triggered there is SoftwareReset alone."""
        if written.get(_RESET.byte, 0):
            self._machine.software_reset()

    # -- what the machine asks and tells ---------------------------------------------------------------

    def low_power_requested(self) -> bool:
        """It knows no power modes."""
        return True

    def data_paths_deactivated(self) -> bool:
        """It has no data paths."""
        return True

    def firmware_runs(self) -> bool:
        """It has no firmware."""
        return True

    def module_state_entered(self, state: ModuleState) -> None:
        """Start over at a reset and without supply."""
        if not state.answers:
            self.interface.reset()
            restore(self._registers, self.profile)
            return
        # The module was left with this page selected when it was dumped.
        bank, page = self._registers.get(0, 0, _BANK_SELECT.byte, 2)
        if self._registers.selectable(bank, page):
            self.interface.write(bytes([_BANK_SELECT.byte, bank, page]))

    def module_state_settled(self, state: ModuleState) -> None:
        """Nothing is flagged."""
