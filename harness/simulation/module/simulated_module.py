"""A simulated 400G module: registers, state machines, lasers and receivers of one module.

It is a :class:`harness.simulation.ports.ModuleBody` for the world around it, a target on the two-wire bus
for its host, and has the control pins of its form factor. All methods are called with the world's lock
held, or from one thread.

Not built: diagnostics pages 13h/14h, VDM, CDB, tunable lasers, signal integrity controls and the host-side
inputs (no Tx LOS, Tx CDR LOL or automatic Tx squelch). None of these is advertised.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.codes import DataPathState
from drivers.cmis.fields import Field, Kind, decode, encode
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.units import w_from_dbm
from harness.simulation.module import physics
from harness.simulation.module.configuration import Configuration
from harness.simulation.module.contents import PAGES, fill
from harness.simulation.module.data_paths import DataPath, DataPaths, LaneConfig
from harness.simulation.module.flags import FlagRegisters
from harness.simulation.module.module_machine import ModuleMachine
from harness.simulation.module.monitors import Monitors, Quantities, draw_calibration
from harness.simulation.module.profile import Profile, TimingProfile
from harness.simulation.module.registers import LOWER, Registers, half_of
from harness.simulation.module.states import ModuleState, may_emit
from harness.simulation.module.timing import draw_durations
from harness.simulation.module.two_wire import TwoWireInterface
from harness.simulation.noise import Noise
from harness.simulation.ports import ModuleSurroundings
from harness.simulation.world import Event, World, ns_from_s

I2C_ADDRESS = 0x50
"""A0h as an 8-bit address (OIF-CMIS-05.4 App. B)."""

_WANDER_NS = 100_000_000  # the launch power's wander is redrawn on this grid
_LONGEST_POLL_NS = 100_000_000  # the receiver looks for light at least this often: ton_los
_BROWN_OUT_CHECK_S = 1e-3  # after a change of load the supply is looked at again
_DEAD_SLOPE = 1e-12

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
        name: str = "module",
        specimen: int = 0,
    ) -> None:
        self.name = name
        self._specimen = Noise(specimen)
        self.profile = profile
        self._world = world
        self._surroundings = surroundings
        self._durations = draw_durations(profile.timing, lambda key: self._uniform("duration", key))
        self._lasers = self._draw_lasers()
        self._registers = Registers(PAGES)
        self._flags = FlagRegisters(self._registers)
        calibration = draw_calibration(profile.monitors, profile.media_lanes, self._uniform)
        self._monitors = Monitors(self._registers, calibration)
        self._data_paths = DataPaths(
            world,
            self._durations,
            profile.applications,
            profile.media_lanes,
            self,
            unflagged=_too_short_to_flag(profile.timing),
            stuck_init_host_lanes=profile.faults.stuck_init_host_lanes,
        )
        self._configuration = Configuration(
            world,
            self._durations.config_s,
            profile.applications,
            self._data_paths,
            self._show_config_status,
            stuck_host_lanes=profile.faults.stuck_config_host_lanes,
        )
        self._machine = ModuleMachine(
            world,
            self._durations,
            self,
            powers_up=profile.faults.powers_up,
            faults=profile.faults.module_fault_cause > 0,
        )
        self.interface = TwoWireInterface(world, self._registers, self, profile.management)
        # The pins as their pull-ups leave them when nothing drives them.
        self._low_power_pin = True
        self._selected = False
        self._vcc_v = 0.0
        self._case_c = physics.REFERENCE_TEMP_C
        self._asking_case = False
        self._supply_check_due = False
        self._monitor_ns = ns_from_s(profile.management.monitor_update_s)
        self._poll_ns = min(self._monitor_ns, _LONGEST_POLL_NS)
        self._poll_event: Event | None = None
        self._monitor_due_ns = 0
        self._seen: Quantities | None = None
        self._dark = [False] * profile.media_lanes
        self._output_status_rx = 0
        self._conditions: dict[str, int] = {}
        self._wander: dict[int, tuple[int, float]] = {}
        self._off_w = w_from_dbm(profile.transmitter.off_power_dbm)

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
        if state in (ModuleState.LOW_PWR, ModuleState.FAULT):
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
            return self._off_w
        case_c = self._case_temp_c()
        return physics.launch_power_w(
            self._lasers[lane - 1],
            case_c=case_c,
            junction_c=self._junction_c(case_c),
            vcc_v=self._vcc_v,
            wander_db=self._wander_db(lane),
        )

    def wavelength_nm(self, lane: int) -> float:
        """Centre wavelength of transmitter ``lane``, nanometres."""
        return physics.wavelength_nm(self._lasers[lane - 1], self._junction_c(self._case_temp_c()))

    # -- the registers' side ---------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether the two-wire interface works now."""
        return self._selected and self._machine.state.answers

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring the summaries up to date; everything else is by itself."""
        if _touches(_LIVE, page, first, last):
            self._flags.show_summaries()

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """A flag that was cleared by reading comes back as long as its condition lasts."""
        if _touches(_CLEARED_BY_READING, page, first, last):
            self._flags.latch_all(self._conditions)

    def host_wrote(self, page: int, written: dict[int, int]) -> None:
        """Act on what the host wrote."""
        if min(written) < HALF:
            reset = FIELDS["SoftwareReset"]
            if written.get(reset.byte, 0):
                self._machine.software_reset()
            elif reset.byte in written:  # the byte of LowPwrRequestSW and LowPwrAllowRequestHW
                self._reevaluate()
            return
        if page != FIELDS["DPDeinit"].page:
            return
        for prefix, control_set in (("", "SCS0"), ("SCS1_", "SCS1")):
            for name, immediate in (("ApplyDPInit", False), ("ApplyImmediate", True)):
                lanes = written.get(FIELDS[f"{prefix}{name}"].byte, 0)
                if lanes:
                    self._configuration.trigger(lanes, self._staged(control_set), immediate=immediate)
        self._data_paths.evaluate()
        self._judge()

    # -- what the state machines ask and tell ----------------------------------------------------------

    def module_state(self) -> ModuleState:
        """For the data paths."""
        return self._machine.state

    def low_power_requested(self) -> bool:
        """LowPwrS: LowPwrRequestSW, or LowPwrAllowRequestHW and the LPMode pin."""
        return self._bit("LowPwrRequestSW") or (self._bit("LowPwrAllowRequestHW") and self._low_power_pin)

    def data_paths_deactivated(self) -> bool:
        """For the module state machine: half of LowPwrExS."""
        return self._data_paths.all_deactivated()

    def deinit_mask(self) -> int:
        """DPDeinit per host lane."""
        return self._mask("DPDeinit")

    def output_off_mask(self) -> int:
        """OutputDisableTx or OutputSquelchForceTx per media lane."""
        return self._mask("OutputDisableTx") | self._mask("OutputSquelchForceTx")

    def module_state_entered(self, state: ModuleState) -> None:
        """The module state changed."""
        if state is ModuleState.FAULT:
            encode(FIELDS["ModuleFaultCause"], self.profile.faults.module_fault_cause, self._registers)
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

    def _draw_lasers(self) -> tuple[physics.Laser, ...]:
        transmitter = self.profile.transmitter
        lasers = []
        for index in range(self.profile.media_lanes):
            lane = index + 1
            spread_db = transmitter.launch_power_spread_db * (2.0 * self._uniform("launch power", lane) - 1.0)
            if transmitter.tracking_db is not None:
                tracking_db = transmitter.tracking_db[index]
            else:
                sign = 1.0 if self._uniform("tracking sign", lane) < 0.5 else -1.0
                tracking_db = sign * (0.1 + 0.2 * self._uniform("tracking", lane))
            dead = lane in self.profile.faults.dead_media_lanes
            lasers.append(
                physics.Laser(
                    threshold_a=transmitter.threshold_ma * 1e-3,
                    slope_w_per_a=_DEAD_SLOPE if dead else transmitter.slope_mw_per_ma,
                    t0_k=transmitter.t0_k,
                    t1_k=transmitter.t1_k,
                    bias_limit_a=transmitter.bias_limit_ma * 1e-3,
                    target_w=w_from_dbm(transmitter.average_launch_power_dbm[index] + spread_db),
                    tracking_db=tracking_db,
                    coupling_loss_db=transmitter.coupling_loss_db[index],
                    off_w=w_from_dbm(transmitter.off_power_dbm),
                    wavelength_nm=transmitter.wavelength_nm[index],
                    wavelength_slope_nm_per_c=transmitter.wavelength_slope_nm_per_c,
                    supply_db_per_v=transmitter.supply_db_per_v,
                )
            )
        return tuple(lasers)

    def _case_temp_c(self) -> float:
        # The case's temperature may itself depend on what the module consumes: answer with the last one then.
        if not self._asking_case:
            self._asking_case = True
            try:
                self._case_c = self._surroundings.case_temp_c()
            finally:
                self._asking_case = False
        return self._case_c

    def _junction_c(self, case_c: float) -> float:
        return case_c + self.profile.transmitter.junction_rise_c

    def _bias_a(self, lane: int, case_c: float) -> float:
        if not self._data_paths.lit(lane):
            return 0.0
        return physics.bias_current_a(self._lasers[lane - 1], self._junction_c(case_c))

    def _wander_db(self, lane: int) -> float:
        period = self._world.now_ns // _WANDER_NS
        cached = self._wander.get(lane)
        if cached is None or cached[0] != period:
            drawn = self._world.noise.normal(
                self.name, self.profile.name, "launch power wander", lane, period
            )
            cached = (period, self.profile.transmitter.wander_db * drawn)
            self._wander[lane] = cached
        return cached[1]

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
        self._monitors.reset()
        if self._poll_event is not None:
            self._poll_event.cancel()
            self._poll_event = None
        self._monitor_due_ns = 0
        self._seen = None
        self._dark = [False] * self.profile.media_lanes
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
        self._look_for_light(rx_w)
        if now_ns >= self._monitor_due_ns:
            self._monitor_due_ns = (now_ns // self._monitor_ns + 1) * self._monitor_ns
            self._sample_monitors(vcc_v, rx_w)
        self._judge()

    def _sample_monitors(self, vcc_v: float, rx_w: tuple[float, ...]) -> None:
        case_c = self._case_temp_c()
        junction_c = self._junction_c(case_c)
        lit = tuple(self._data_paths.lit(lane) for lane in self._lanes)
        seen = Quantities(
            temperature_c=case_c,
            vcc_v=vcc_v,
            tx_w=tuple(
                physics.monitor_power_w(laser, junction_c) if on else 0.0
                for laser, on in zip(self._lasers, lit, strict=True)
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
        failed = sum(
            1 << lane - 1 for lane in self.profile.faults.dead_media_lanes if self._data_paths.lit(lane)
        )
        if failed:
            conditions["FailureFlagTx"] = failed
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
            if not self._dark[media_lane - 1] and not disabled >> host_lane - 1 & 1:
                valid |= 1 << host_lane - 1
        return valid
