"""A simulated 400G module: registers, state machines, lasers and receivers of one module.

It is a :class:`harness.simulation.ports.ModuleBody` for the world around it, a target on the two-wire bus
for its host, and has the control pins of its form factor. All methods are called with the world's lock
held, or from one thread.

Not built: tunable lasers, and adaptive equalisers that fail. Neither is advertised.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.codes import DataPathState
from drivers.cmis.fields import encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.light.beam import Beam
from harness.simulation.module.body.case import Case
from harness.simulation.module.body.consumption import Consumption
from harness.simulation.module.body.supply import Supply
from harness.simulation.module.commands.advertising import LPL_PAGE, cdb_pages
from harness.simulation.module.commands.cdb import Cdb
from harness.simulation.module.contents.power_on import fill, is_flat, make_registers
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.host_writes import HostWrites
from harness.simulation.module.interface.registers import LOWER
from harness.simulation.module.interface.two_wire import TwoWireInterface
from harness.simulation.module.lanes.lanes import Lanes
from harness.simulation.module.machines import lane_registers
from harness.simulation.module.machines.configuration import Configuration
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.machines.module_machine import ModuleMachine
from harness.simulation.module.monitoring.monitoring import Monitoring
from harness.simulation.module.monitoring.polling import Polling
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.module.specimen import draws_of
from harness.simulation.module.states import ModuleState
from harness.simulation.module.timing import draw_durations, too_short_to_flag
from harness.simulation.ports import HostSurroundings, ModuleSurroundings
from harness.simulation.signals import LineSignal
from harness.simulation.world import World

I2C_ADDRESS = 0x50
"""A0h as an 8-bit address (OIF-CMIS-05.4 App. B)."""

# ModuleFaultCause: program memory, and the module's temperature
_PROGRAM_CORRUPT, _TOO_HOT = 3, 6


class SimulatedModule:
    """One module of a profile: specimen number ``specimen``, which draws its natural spread (launch power,
    calibration, durations) whatever the world's seed; the same module on another bench stays the same module.
    ``name`` tells modules in one world apart and keys what varies with time. ``looks_when_asked``: as of
    :class:`harness.simulation.module.monitoring.polling.Polling`.
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
        looks_when_asked: bool = False,
    ) -> None:
        self.name = name
        self.profile = profile
        self._surroundings = surroundings
        uniform = draws_of(profile, specimen)
        self._flat = is_flat(profile)
        self._fibres = fibres_of(profile.medium, profile.media_lanes)
        # The pins as their pull-ups leave them when nothing drives them.
        self._low_power_pin = True
        self._selected = False

        registers = self._registers = make_registers(profile, cdb_pages(profile.cdb))
        self._flags = FlagRegisters(registers)
        self.interface = TwoWireInterface(
            world, registers, self, profile.management, profile.cdb, profile.quirks
        )

        durations = draw_durations(profile.timing, uniform)
        faults = profile.faults
        self._fault_cause = faults.module_fault_cause
        self._machine = ModuleMachine(
            world,
            durations,
            self,
            powers_up=faults.powers_up,
            faults=faults.module_fault_cause > 0,
            fault_after_s=faults.module_fault_after_s,
            flat=self._flat,
        )
        paths = self._data_paths = DataPaths(
            world,
            durations,
            profile.applications,
            profile.media_lanes,
            self,
            unflagged=too_short_to_flag(profile.timing),
            stuck_init_host_lanes=faults.stuck_init_host_lanes,
            stepped=profile.configuration.stepped_config_only,
        )
        self._configuration = Configuration(world, durations.config_s, profile, paths, registers)

        self._supply = Supply(world, surroundings, self._machine, profile.management.lowest_vcc_v)
        self._case = Case(surroundings)
        self._lanes = Lanes(
            world,
            profile,
            surroundings,
            host,
            registers,
            self._flags,
            paths,
            uniform,
            case_temp_c=self._case.temp_c,
            vcc_v=lambda: self._supply.vcc_v,
            squelch_changed=self._squelch_changed,
            name=name,
        )
        self._consumption = Consumption(profile, paths, self._lanes.emitted, self._case, flat=self._flat)
        self._monitoring = Monitoring(
            world,
            profile,
            registers,
            self._flags,
            paths,
            self._lanes,
            self._case,
            uniform,
            name=name,
            flat=self._flat,
        )
        self._polling = Polling(world, profile.management, self._look, when_asked=looks_when_asked)

        self._cdb = Cdb(
            world,
            registers,
            profile,
            uniform=uniform,
            hold_off=self.interface.hold_off,
            latch=self._flags.latch,
            reset=self._machine.software_reset,
        )
        self._writes = HostWrites(
            registers,
            {
                LOWER: (self._cdb.passwords.host_wrote, self._power_controls_written),
                FIELDS["DPDeinit"].page: (self._configuration.host_wrote, self._lane_controls_written),
                **self._monitoring.reactions(self._judge),
                LPL_PAGE: (self._cdb.host_wrote,),
            },
        )

    # -- pins ------------------------------------------------------------------------------------------

    def set_reset(self, *, asserted: bool) -> None:
        """Drive ResetL."""
        self._machine.set_reset(asserted)

    def set_low_power(self, *, asserted: bool) -> None:
        """Drive LPMode."""
        self._low_power_pin = asserted
        self._reevaluate()

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL: a module that is not selected does not answer."""
        self._selected = asserted

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low: a flag that is not masked is set."""
        if not self._machine.state.answers:
            return False
        self._polling.asked()
        return self._flags.interrupting()

    # -- the module as a body --------------------------------------------------------------------------

    @property
    def state(self) -> ModuleState:
        """The true module state, for tests and displays; the host reads its register."""
        return self._machine.state

    def data_path_states(self) -> tuple[DataPathState, ...]:
        """The true data path state per host lane, for tests and displays."""
        return self._data_paths.host_lane_states()

    def supply_changed(self) -> None:
        """The voltage at the connector changed."""
        self._supply.changed()

    def consumption_w(self) -> float:
        """Electrical power drawn now, watts. A constant-power load: independent of the voltage."""
        return self._consumption.power_w(self._machine.state)

    def launch_power_w(self, lane: int) -> float:
        """Average power leaving transmitter ``lane`` at TP2, watts: 0 while no data path feeds it."""
        return self._lanes.emitted.launch_power_w(lane)

    def wavelength_nm(self, lane: int) -> float:
        """Centre wavelength of transmitter ``lane``, nanometres."""
        return self._lanes.emitted.wavelength_nm(lane)

    def launched(self, port: int) -> tuple[Beam, ...]:
        """Light in transmitting fibre ``port``, at TP2."""
        lanes = self._fibres[port - 1] if 1 <= port <= len(self._fibres) else ()
        beams = (self._lanes.beam(lane) for lane in lanes)
        return tuple(beam for beam in beams if beam.power_w > 0.0)

    def transmitted_signal(self, lane: int) -> LineSignal | None:
        """What the light of transmitter ``lane`` carries; None while it is off."""
        return self._lanes.signals.transmitted(lane)

    def host_output_signal(self, host_lane: int) -> LineSignal | None:
        """What the module sends to the host on ``host_lane``."""
        return self._lanes.signals.at_host(host_lane)

    # -- the registers' side ---------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether the two-wire interface works now."""
        return self._selected and self._machine.state.answers

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring up to date what is put together when it is read."""
        self._polling.asked()
        self._monitoring.before_host_read(page, first, last)

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """A flag that was cleared by reading comes back as long as its condition lasts."""
        self._monitoring.after_host_read(page, first, last)

    def host_wrote(self, bank: int, page: int, written: dict[int, int]) -> None:
        """Act on what the host wrote."""
        self._writes.host_wrote(bank, page, written)

    def _power_controls_written(self, written: dict[int, int]) -> None:
        byte = FIELDS["SoftwareReset"].byte  # LowPwrRequestSW and LowPwrAllowRequestHW are there as well
        if written.get(byte, 0):
            self._machine.software_reset()
        elif byte in written:
            self._reevaluate()

    def _lane_controls_written(self, _written: dict[int, int]) -> None:
        self._lanes.read_controls()
        self._lanes.host.squelch()
        self._data_paths.evaluate()
        self._judge()

    # -- what the state machines ask and tell ----------------------------------------------------------

    def module_state(self) -> ModuleState:
        """For the data paths: a module of flat memory has none."""
        return ModuleState.LOW_PWR if self._flat else self._machine.state

    def low_power_requested(self) -> bool:
        """LowPwrS: LowPwrRequestSW, or LowPwrAllowRequestHW and the LPMode pin."""
        registers = self._registers
        return registers.bit("LowPwrRequestSW") or (
            registers.bit("LowPwrAllowRequestHW") and self._low_power_pin
        )

    def configuring_mask(self) -> int:
        """ConfigInProgress per host lane."""
        return self._configuration.in_progress_mask()

    def data_paths_deactivated(self) -> bool:
        """For the module state machine: half of LowPwrExS."""
        return self._data_paths.all_deactivated()

    def firmware_runs(self) -> bool:
        """Whether a valid image was found; else only the boot loader runs."""
        return self._cdb.firmware.running is not None

    def deinit_mask(self) -> int:
        """DPDeinit per host lane."""
        return lane_registers.deinit_mask(self._registers)

    def output_off_mask(self) -> int:
        """OutputDisableTx or OutputSquelchForceTx per media lane."""
        return lane_registers.output_off_mask(self._registers)

    def squelched_mask(self) -> int:
        """Media lanes without a signal from the host."""
        return self._lanes.host.squelched

    def module_state_entered(self, state: ModuleState) -> None:
        """The module state changed."""
        if state is ModuleState.FAULT:
            cause = self._fault_cause if self.firmware_runs() else _PROGRAM_CORRUPT
            encode(FIELDS["ModuleFaultCause"], cause, self._registers)
        if state.answers:
            self._polling.start()
        else:
            self._start_over()
        encode(FIELDS["ModuleState"], state if state.answers else 0, self._registers)
        self._data_paths.evaluate()
        self._supply.check_soon()

    def module_state_settled(self, state: ModuleState) -> None:
        """The module stays in this state."""
        self._flags.latch("ModuleStateChangedFlag", 1)

    def data_paths_changed(self) -> None:
        """Show the data paths in their registers."""
        profile = self.profile
        lane_registers.show_data_paths(
            self._registers,
            self._data_paths,
            profile.media_lanes,
            pending_shown=not profile.quirks.dp_init_pending_never_set,
        )
        self._judge()
        if self._data_paths.all_deactivated():
            self._machine.evaluate()
        self._supply.check_soon()

    def data_path_settled(self, host_lanes: Sequence[int]) -> None:
        """A data path stays in a steady state."""
        self._flags.latch("DPStateChangedFlag", sum(1 << lane - 1 for lane in host_lanes))

    # -- inside ----------------------------------------------------------------------------------------

    def _reevaluate(self) -> None:
        self._machine.evaluate()
        self._data_paths.evaluate()

    def _squelch_changed(self) -> None:
        self._data_paths.evaluate()
        self.data_paths_changed()

    def _start_over(self) -> None:
        """Power loss or reset: dark at once, registers as after power-on."""
        self._polling.stop()
        self._data_paths.reset()
        self._configuration.reset()
        self.interface.reset()
        fill(self._registers, self.profile)
        self._cdb.restart()
        self._monitoring.reset()
        self._fault_cause = self.profile.faults.module_fault_cause
        self._lanes.reset()
        self._configuration.show_status()
        self.data_paths_changed()

    def _look(self) -> None:
        """What the module's firmware does at every instant of its own grid: read its converters, look for
        light, latch what holds."""
        # First what may restart the module: a supply that collapses when it is looked at.
        vcc_v = self._surroundings.vcc_v()
        if self._machine.state.answers:
            self._monitoring.look(vcc_v)
            self._protect()
            self._judge()

    def _protect(self) -> None:
        """Shut down when it is too hot, as the module's own sensor has it."""
        if self._monitoring.temperature_c() > self.profile.power.shutdown_temp_c:
            if self._machine.state is not ModuleState.FAULT:
                self._fault_cause = _TOO_HOT
            self._machine.fail()

    def _judge(self, _written: object = None) -> None:
        """Latch the flags of all conditions that hold, and show the receivers' outputs."""
        if self._machine.state.answers:
            self._monitoring.judge()
