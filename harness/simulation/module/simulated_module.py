"""A simulated 400G module: registers, state machines, lasers and receivers of one module.

It is a :class:`harness.simulation.ports.ModuleBody` for the world around it, a target on the two-wire bus
for its host, and has the control pins of its form factor. All methods are called with the world's lock
held, or from one thread.

Not built: tunable lasers, and adaptive equalisers that fail. Neither is advertised.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.codes import DataPathState
from drivers.cmis.fields import Field, Kind, decode, encode
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF
from drivers.cmis.memory_map import FIELDS
from drivers.units import w_from_dbm
from harness.simulation.module import physics, spare_banks
from harness.simulation.module.cdb import Cdb, cdb_pages
from harness.simulation.module.configuration import TRIGGERS, Configuration
from harness.simulation.module.contents import fill, is_flat, make_registers
from harness.simulation.module.data_paths import DataPath, DataPaths, LaneConfig
from harness.simulation.module.diagnostics import Diagnostics
from harness.simulation.module.flags import FlagRegisters
from harness.simulation.module.lane_settings import LaneSettings
from harness.simulation.module.module_machine import ModuleMachine
from harness.simulation.module.monitors import Monitors, Quantities, draw_calibration
from harness.simulation.module.profile import Profile, TimingProfile
from harness.simulation.module.receiver import draw_receivers
from harness.simulation.module.registers import LOWER, half_of
from harness.simulation.module.signal_paths import HostControls, HostTraffic, SignalPaths
from harness.simulation.module.states import ModuleState, may_emit
from harness.simulation.module.timing import draw_durations
from harness.simulation.module.transmitters import Transmitters
from harness.simulation.module.two_wire import TwoWireInterface
from harness.simulation.module.vdm_monitors import VdmMonitors
from harness.simulation.noise import Noise
from harness.simulation.ports import LineSurroundings, ModuleSurroundings
from harness.simulation.signals import LineSignal
from harness.simulation.world import Event, World, ns_from_s

I2C_ADDRESS = 0x50
"""A0h as an 8-bit address (OIF-CMIS-05.4 App. B)."""

_LONGEST_POLL_NS = 100_000_000  # the receiver looks for light at least this often: ton_los
_PROGRAM_CORRUPT = 3  # ModuleFaultCause: program memory
_BROWN_OUT_CHECK_S = 1e-3  # after a change of load the supply is looked at again

_DIAGNOSTICS_PAGES = {FIELDS["MediaSideCheckerEnable"].page, FIELDS["DiagnosticsSelector"].page}

# These are put together when they are read, from flags and masks.
_SUMMARIES = ("InterruptDeasserted", *(name for name in FIELDS if name.startswith("FlagSummary")))


def _live_bytes(names: Sequence[str]) -> dict[int, bytes]:
    """Bytes of these fields, marked with a 1 in their half."""
    live: dict[int, bytearray] = {}
    for name in names:
        field = FIELDS[name]
        half = live.setdefault(half_of(field), bytearray(HALF))
        start = field.byte % HALF
        half[start : start + field.size] = b"\1" * field.size
    return {page: bytes(half) for page, half in live.items()}


_LIVE = _live_bytes(_SUMMARIES)
_CLEARED_BY_READING = _live_bytes(FlagRegisters.names())


def _touches(marked: dict[int, bytes], page: int, first: int, last: int) -> bool:
    half = marked.get(LOWER if first < HALF else page)
    return half is not None and half.find(1, first % HALF, last % HALF + 1) >= 0


def _too_short_to_flag(timing: TimingProfile) -> frozenset[DataPathState]:
    """Transient states advertised as shorter than 1 ms: their end raises no DPStateChangedFlag."""
    codes = {
        DataPathState.DPInit: timing.dp_init_code,
        DataPathState.DPDeinit: timing.dp_deinit_code,
        DataPathState.DPTxTurnOn: timing.dp_tx_turn_on_code,
        DataPathState.DPTxTurnOff: timing.dp_tx_turn_off_code,
    }
    return frozenset(state for state, code in codes.items() if code == 0)


class SimulatedModule:
    """One module of a profile: specimen number ``specimen``, which draws its natural spread (launch power,
    calibration, durations) whatever the world's seed; the same module on another bench stays the same module.
    ``name`` tells modules in one world apart and keys what varies with time.
    """

    def __init__(
        self,
        world: World,
        profile: Profile,
        surroundings: ModuleSurroundings,
        *,
        line: LineSurroundings | None = None,
        name: str = "module",
        specimen: int = 0,
    ) -> None:
        self.name = name
        self._specimen = Noise(specimen)
        self.profile = profile
        self._world = world
        self._surroundings = surroundings
        self._durations = draw_durations(profile.timing, lambda key: self._uniform("duration", key))
        self._transmitters = Transmitters(world, profile, self._uniform, name=name)
        self._flat = is_flat(profile)
        self._registers = make_registers(profile, cdb_pages(profile.cdb))
        self._flags = FlagRegisters(self._registers)
        calibration = draw_calibration(profile.monitors, profile.media_lanes, self._uniform)
        self._monitors = Monitors(
            self._registers, calibration, bias_multiplier=profile.quirks.bias_multiplier
        )
        self._data_paths = DataPaths(
            world,
            self._durations,
            profile.applications,
            profile.media_lanes,
            self,
            unflagged=_too_short_to_flag(profile.timing),
            stuck_init_host_lanes=profile.faults.stuck_init_host_lanes,
            stepped=profile.configuration.stepped_config_only,
        )
        self._signals = SignalPaths(
            self._data_paths,
            draw_receivers(profile.receiver, profile.media_lanes, self._uniform),
            line or HostTraffic(),
            rx_power_w=self._rx_power_w,
            dark=lambda lane: self._dark[lane - 1],
        )
        self._diagnostics = Diagnostics(
            world, self._registers, self._flags, profile, self._data_paths, self._signals, name=name
        )
        self._vdm = VdmMonitors(
            world,
            self._registers,
            profile,
            self._data_paths,
            self._signals,
            self._uniform,
            laser_temp_c=lambda: self._transmitters.junction_c(self._case_temp_c()),
            name=name,
        )
        self._configuration = Configuration(
            world,
            self._durations.config_s,
            profile,
            self._data_paths,
            LaneSettings(self._registers, profile.signal_integrity),
            self._show_config_status,
        )
        self._machine = ModuleMachine(
            world,
            self._durations,
            self,
            powers_up=profile.faults.powers_up,
            faults=profile.faults.module_fault_cause > 0,
            fault_after_s=profile.faults.module_fault_after_s,
            flat=self._flat,
        )
        self.interface = TwoWireInterface(
            world, self._registers, self, profile.management, profile.cdb, profile.quirks
        )
        self._cdb = Cdb(
            world,
            self._registers,
            profile,
            uniform=self._uniform,
            hold_off=self.interface.hold_off,
            latch=self._flags.latch,
            reset=self._machine.software_reset,
        )
        # The pins as their pull-ups leave them when nothing drives them.
        self._low_power_pin = True
        self._selected = False
        self._vcc_v = 0.0
        self._case_c = physics.REFERENCE_TEMP_C
        self._asking_case = False
        self._supply_check_due = False
        self._poll_ns = min(ns_from_s(profile.management.monitor_update_s), _LONGEST_POLL_NS)
        self._monitor_ns = ns_from_s(
            max(profile.management.monitor_update_s, profile.quirks.stale_monitors_s)
        )
        self._poll_event: Event | None = None
        self._monitor_due_ns = 0
        self._seen: Quantities | None = None
        self._polled: tuple[int, tuple[float, ...]] = (-1, ())
        self._dark = [False] * profile.media_lanes
        self._host_silent = 0
        self._squelched = 0
        self._output_status_rx = 0
        self._conditions: dict[str, int] = {}

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
        self._vcc_v = self._surroundings.vcc_v()
        self._machine.set_powered(self._vcc_v >= self.profile.management.lowest_vcc_v)

    def consumption_w(self) -> float:
        """Electrical power drawn now, watts. A constant-power load: independent of the voltage."""
        power, state = self.profile.power, self._machine.state
        if state is ModuleState.UNPOWERED:
            return 0.0
        if state in (ModuleState.RESET, ModuleState.MGMT_INIT):
            return power.initialising_w
        if state in (ModuleState.LOW_PWR, ModuleState.FAULT) or self._flat:
            return power.low_power_w
        case_c = self._case_temp_c()
        bias_a = sum(self._bias_a(lane, case_c) for lane in self._lanes)
        used = sum(
            len(path.media_lanes)
            for path in self._data_paths.paths
            if path.state is not DataPathState.DPDeactivated
        )
        return (
            power.ready_w
            + power.data_path_w * used / self.profile.media_lanes
            + power.temperature_w_per_c * (case_c - physics.REFERENCE_TEMP_C)
            + bias_a * physics.NOMINAL_VCC_V / power.laser_supply_efficiency
        )

    def launch_power_w(self, lane: int) -> float:
        """Average power leaving transmitter ``lane`` at TP2, watts: 0 while no data path feeds it."""
        path = self._data_paths.path_of_media(lane)
        if path is None or not may_emit(path.state):
            return 0.0
        if not self._data_paths.lit(lane):
            return self._transmitters.off_w
        return self._transmitters.launch_power_w(lane, self._case_temp_c(), self._vcc_v)

    def wavelength_nm(self, lane: int) -> float:
        """Centre wavelength of transmitter ``lane``, nanometres."""
        return self._transmitters.wavelength_nm(lane, self._case_temp_c())

    def transmitted_signal(self, lane: int) -> LineSignal | None:
        """What the light of transmitter ``lane`` carries; None while it is off."""
        return self._signals.transmitted(lane)

    def host_output_signal(self, host_lane: int) -> LineSignal | None:
        """What the module sends to the host on ``host_lane``."""
        return self._signals.at_host(host_lane)

    # -- the registers' side ---------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether the two-wire interface works now."""
        return self._selected and self._machine.state.answers

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring the summaries up to date; everything else is by itself."""
        self._diagnostics.before_host_read(page, last)
        self._vdm.before_host_read(page, last)
        if _touches(_LIVE, page, first, last):
            self._flags.show_summaries()

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """A flag that was cleared by reading comes back as long as its condition lasts."""
        if _touches(_CLEARED_BY_READING, page, first, last):
            self._flags.latch_all(self._conditions)

    def host_wrote(self, bank: int, page: int, written: dict[int, int]) -> None:
        """Act on what the host wrote."""
        if bank and min(written) >= HALF and page >= FIRST_BANKED_PAGE:
            spare_banks.host_wrote(self._registers, bank, page, written)
            return
        self._cdb.host_wrote(page, written)
        if min(written) < HALF:
            reset = FIELDS["SoftwareReset"]
            if written.get(reset.byte, 0):
                self._machine.software_reset()
            elif reset.byte in written:  # the byte of LowPwrRequestSW and LowPwrAllowRequestHW
                self._reevaluate()
            return
        self._vdm.host_wrote(page, written)
        if page in _DIAGNOSTICS_PAGES:
            self._diagnostics.host_wrote(page, written)
            self._judge()
        if page != FIELDS["DPDeinit"].page:
            return
        for trigger in TRIGGERS:
            lanes = written.get(FIELDS[trigger.register].byte, 0)
            if lanes:
                self._configuration.trigger(lanes, self._staged(trigger.control_set), trigger)
        self._signals.controls = self._host_controls()
        self._squelch()
        self._data_paths.evaluate()
        self._judge()

    # -- what the state machines ask and tell ----------------------------------------------------------

    def module_state(self) -> ModuleState:
        """For the data paths: a module of flat memory has none."""
        return ModuleState.LOW_PWR if self._flat else self._machine.state

    def low_power_requested(self) -> bool:
        """LowPwrS: LowPwrRequestSW, or LowPwrAllowRequestHW and the LPMode pin."""
        return self._bit("LowPwrRequestSW") or (self._bit("LowPwrAllowRequestHW") and self._low_power_pin)

    def data_paths_deactivated(self) -> bool:
        """For the module state machine: half of LowPwrExS."""
        return self._data_paths.all_deactivated()

    def firmware_runs(self) -> bool:
        """Whether a valid image was found; else only the boot loader runs."""
        return self._cdb.firmware.running is not None

    def deinit_mask(self) -> int:
        """DPDeinit per host lane."""
        return self._mask("DPDeinit")

    def output_off_mask(self) -> int:
        """OutputDisableTx or OutputSquelchForceTx per media lane."""
        return self._mask("OutputDisableTx") | self._mask("OutputSquelchForceTx")

    def squelched_mask(self) -> int:
        """Media lanes without a signal from the host."""
        return self._squelched

    def module_state_entered(self, state: ModuleState) -> None:
        """The module state changed."""
        if state is ModuleState.FAULT:
            cause = self.profile.faults.module_fault_cause if self.firmware_runs() else _PROGRAM_CORRUPT
            encode(FIELDS["ModuleFaultCause"], cause, self._registers)
        if not state.answers:
            self._start_over()
        elif self._poll_event is None:
            self._poll_event = self._world.at(self._world.now_ns, self._poll)
        encode(FIELDS["ModuleState"], state if state.answers else 0, self._registers)
        self._data_paths.evaluate()
        self._check_supply_soon()

    def module_state_settled(self, state: ModuleState) -> None:
        """The module stays in this state."""
        self._flags.latch("ModuleStateChangedFlag", 1)

    def data_paths_changed(self) -> None:
        """Show the data paths in their registers."""
        paths = self._data_paths
        registers = self._registers
        encode(FIELDS["DPStateHostLane"], paths.host_lane_states(), registers)
        encode(FIELDS["ACS_DPConfig"], tuple(config.byte for config in paths.config), registers)
        if not self.profile.quirks.dp_init_pending_never_set:
            encode(FIELDS["DPInitPending"], paths.pending_mask(), registers)
        lit = sum(1 << lane - 1 for lane in self._lanes if paths.lit(lane))
        encode(FIELDS["OutputStatusTx"], lit, registers)
        self._judge()
        if paths.all_deactivated():
            self._machine.evaluate()
        self._check_supply_soon()

    def data_path_settled(self, host_lanes: Sequence[int]) -> None:
        """A data path stays in a steady state."""
        self._flags.latch("DPStateChangedFlag", sum(1 << lane - 1 for lane in host_lanes))

    # -- inside ----------------------------------------------------------------------------------------

    @property
    def _lanes(self) -> range:
        return range(1, self.profile.media_lanes + 1)

    def _uniform(self, *key: str | int) -> float:
        return self._specimen.uniform(self.profile.name, *key)

    def _case_temp_c(self) -> float:
        # The case's temperature may itself depend on what the module consumes: answer with the last one then.
        if not self._asking_case:
            self._asking_case = True
            try:
                self._case_c = self._surroundings.case_temp_c()
            finally:
                self._asking_case = False
        return self._case_c

    def _rx_power_w(self, lane: int) -> float:
        polled_ns, rx_w = self._polled
        return rx_w[lane - 1] if polled_ns == self._world.now_ns else self._surroundings.rx_power_w(lane)

    def _bias_a(self, lane: int, case_c: float) -> float:
        if not self._data_paths.lit(lane):
            return 0.0
        return self._transmitters.bias_a(lane, case_c)

    def _bit(self, name: str) -> bool:
        field: Field = FIELDS[name]
        assert field.lsb is not None
        return bool(self._registers.get(0, field.page, field.byte, 1)[0] >> field.lsb & 1)

    def _mask(self, name: str) -> int:
        field = FIELDS[name]
        assert field.kind is Kind.LANE_BITS
        return self._registers.get(0, field.page, field.byte, 1)[0]

    def _staged(self, control_set: str) -> tuple[LaneConfig, ...]:
        raw = decode(FIELDS[f"{control_set}_DPConfig"], self._registers)
        assert isinstance(raw, tuple)
        return tuple(LaneConfig.from_byte(int(value)) for value in raw)

    def _reevaluate(self) -> None:
        self._machine.evaluate()
        self._data_paths.evaluate()

    def _start_over(self) -> None:
        """Power loss or reset: dark at once, registers as after power-on."""
        self._data_paths.reset()
        self._configuration.reset()
        self.interface.reset()
        fill(self._registers, self.profile)
        self._cdb.restart()
        self._monitors.reset()
        self._diagnostics.reset()
        self._vdm.reset()
        if self._poll_event is not None:
            self._poll_event.cancel()
            self._poll_event = None
        self._monitor_due_ns = 0
        self._seen = None
        self._dark = [False] * self.profile.media_lanes
        self._host_silent = self._squelched = 0
        self._signals.controls = self._host_controls()
        self._output_status_rx = 0
        self._conditions = {}
        self._show_config_status()
        self.data_paths_changed()

    def _check_supply_soon(self) -> None:
        # A load that grew may have pulled the supply below what the module needs.
        if self._machine.state is not ModuleState.UNPOWERED and not self._supply_check_due:
            self._supply_check_due = True
            self._world.after(_BROWN_OUT_CHECK_S, self._check_supply)

    def _check_supply(self) -> None:
        self._supply_check_due = False
        self.supply_changed()

    def _show_config_status(self) -> None:
        encode(FIELDS["ConfigStatus"], tuple(self._configuration.status), self._registers)

    def _path_states(self) -> tuple[DataPathState, ...]:
        """Data path state per media lane."""
        states = [DataPathState.DPDeactivated] * self.profile.media_lanes
        for path in self._data_paths.paths:
            for lane in path.media_lanes:
                states[lane - 1] = path.state
        return tuple(states)

    def _poll(self) -> None:
        """What the module's firmware does at every instant of its own grid: read its converters, look for
        light, latch what holds. It goes on until a reset or the end of the supply."""
        now_ns = self._world.now_ns
        self._poll_event = self._world.at((now_ns // self._poll_ns + 1) * self._poll_ns, self._poll)
        # First what may restart the module: a supply that collapses when it is looked at.
        vcc_v = self._surroundings.vcc_v()
        if not self._machine.state.answers:
            return
        rx_w = tuple(self._surroundings.rx_power_w(lane) for lane in self._lanes)
        self._polled = (now_ns, rx_w)
        self._look_for_light(rx_w)
        self._look_for_host()
        self._diagnostics.look()
        if self.profile.vdm.supported:
            self._vdm.look()
        if now_ns >= self._monitor_due_ns and not self._flat:
            self._monitor_due_ns = (now_ns // self._monitor_ns + 1) * self._monitor_ns
            self._sample_monitors(vcc_v, rx_w)
        self._judge()

    def _sample_monitors(self, vcc_v: float, rx_w: tuple[float, ...]) -> None:
        case_c = self._case_temp_c()
        lit = tuple(self._data_paths.lit(lane) for lane in self._lanes)
        seen = Quantities(
            temperature_c=case_c,
            vcc_v=vcc_v,
            tx_w=tuple(
                self._transmitters.monitor_power_w(lane, case_c) if on else 0.0
                for lane, on in zip(self._lanes, lit, strict=True)
            ),
            bias_ma=tuple(1e3 * self._bias_a(lane, case_c) for lane in self._lanes),
            rx_w=rx_w,
            transmitting=lit,
            receiving=tuple(state is not DataPathState.DPDeactivated for state in self._path_states()),
        )
        if seen != self._seen:
            self._seen = seen
            self._monitors.take(seen)

    def _look_for_light(self, rx_w: tuple[float, ...]) -> None:
        receiver = self.profile.receiver
        assert_w, deassert_w = w_from_dbm(receiver.los_assert_dbm), w_from_dbm(receiver.los_deassert_dbm)
        self._dark = [
            power_w < (deassert_w if dark else assert_w)
            for power_w, dark in zip(rx_w, self._dark, strict=True)
        ]

    def _look_for_host(self) -> None:
        """Whether the host sends, on host lanes in use; and what follows for the transmitters."""
        if not self.profile.host_side.los_tx:
            return
        self._host_silent = sum(
            1 << lane - 1
            for path in self._data_paths.paths
            if path.state is not DataPathState.DPDeactivated
            for lane in path.host_lanes
            if self._signals.from_host(lane) is None
        )
        self._squelch()

    def _squelch(self) -> None:
        """Squelch transmitters that have nothing to send, where the host did not forbid it."""
        if not self.profile.host_side.los_tx:
            return
        forbidden = self._mask("AutoSquelchDisableTx")
        squelched = sum(
            1 << lane - 1
            for path in self._data_paths.paths
            if may_emit(path.state)
            for lane in path.media_lanes
            if self._signals.egress(lane) is None and not forbidden >> lane - 1 & 1
        )
        if squelched != self._squelched:
            self._squelched = squelched
            self._data_paths.evaluate()
            self.data_paths_changed()

    def _host_controls(self) -> HostControls:
        return HostControls(
            flipped_tx=self._mask("InputPolarityFlipTx"),
            flipped_rx=self._mask("OutputPolarityFlipRx"),
            disabled_rx=self._mask("OutputDisableRx"),
            unsquelched_rx=self._mask("AutoSquelchDisableRx"),
        )

    def _judge(self) -> None:
        """Latch the flags of all conditions that hold, and show the receivers' outputs."""
        if not self._machine.state.answers:
            return
        states = self._path_states()
        lost = sum(
            1 << index
            for index, state in enumerate(states)
            if self._dark[index] and state is not DataPathState.DPDeactivated
        )
        conditions = dict(self._monitors.conditions)
        if lost:
            conditions |= {"LOSFlagRx": lost, "CDRLOLFlagRx": lost}
        if self._host_silent:
            conditions["LOSFlagTx"] = self._host_silent
            if self.profile.signal_integrity.cdr_tx:
                conditions["CDRLOLFlagTx"] = self._host_silent
        failed = sum(
            1 << lane - 1 for lane in self.profile.faults.dead_media_lanes if self._data_paths.lit(lane)
        )
        if failed:
            conditions["FailureFlagTx"] = failed
        conditions |= self._vdm.conditions
        if self.profile.diagnostics.supported:
            conditions |= self._diagnostics.conditions()
        self._conditions = conditions
        self._flags.latch_all(conditions)
        self._show_rx_outputs()

    def _show_rx_outputs(self) -> None:
        disabled = self._mask("OutputDisableRx")
        valid = 0
        for path in self._data_paths.paths:
            valid |= self._valid_rx_lanes(path, disabled)
        changed = valid ^ self._output_status_rx
        if changed:
            self._output_status_rx = valid
            encode(FIELDS["OutputStatusRx"], valid, self._registers)
            self._flags.latch("OutputStatusChangedFlagRx", changed)

    def _valid_rx_lanes(self, path: DataPath, disabled: int) -> int:
        """Host lanes of a path whose output carries a signal: each needs the light of its media lane."""
        if not may_emit(path.state):
            return 0
        ratio = len(path.host_lanes) / len(path.media_lanes)
        valid = 0
        for index, host_lane in enumerate(path.host_lanes):
            media_lane = path.media_lanes[int(index / ratio)]
            fed = not self._dark[media_lane - 1] or self._signals.host_output_is_own(host_lane)
            if fed and not disabled >> host_lane - 1 & 1:
                valid |= 1 << host_lane - 1
        return valid
