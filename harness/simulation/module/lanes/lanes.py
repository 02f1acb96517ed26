"""Light and bits of one module: the parts of this package, connected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.simulation.light.beam import Beam, Modulation
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.emitted_light import EmittedLight
from harness.simulation.module.lanes.glance import Glance
from harness.simulation.module.lanes.host_watch import HostWatch
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import Receivers, draw_receivers
from harness.simulation.module.lanes.receiver_outputs import ReceiverOutputs
from harness.simulation.module.lanes.signal_paths import HostControls, HostTraffic, SignalPaths
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.profile import Profile
from harness.simulation.ports import HostSurroundings, ModuleSurroundings
from harness.simulation.signals import UNSAID, LineSignal
from harness.simulation.world import World


class Lanes:
    """``uniform(*key)`` in (0, 1) draws the specimen's lasers and receivers; ``name`` keys what varies with
    time. ``host`` None: one that sends traffic on every lane."""

    def __init__(
        self,
        world: World,
        profile: Profile,
        surroundings: ModuleSurroundings,
        host: HostSurroundings | None,
        registers: Registers,
        flags: FlagRegisters,
        data_paths: DataPaths,
        uniform: Callable[..., float],
        *,
        case_temp_c: Callable[[], float],
        vcc_v: Callable[[], float],
        squelch_changed: Callable[[], None],
        name: str,
    ) -> None:
        self._registers = registers
        self._sources = [f"{name}.tx{lane}" for lane in range(1, profile.media_lanes + 1)]
        self.glance = Glance()
        """For who only looks at light and bits."""
        self.transmitters = Transmitters(world, profile, uniform, name=name)
        self.emitted = EmittedLight(
            self.transmitters,
            data_paths,
            case_temp_c=lambda: self.glance.kept("case", case_temp_c),
            vcc_v=vcc_v,
        )
        self.receivers = Receivers(
            draw_receivers(profile.receiver, profile.media_lanes, uniform),
            ReceivedLight(profile, surroundings, self.glance),
            self._said,
        )
        self.signals = SignalPaths(data_paths, self.receivers, host or HostTraffic(), self.glance)
        self.host = HostWatch(
            registers, data_paths, self.signals, squelch_changed, detects=profile.host_side.los_tx
        )
        self.outputs = ReceiverOutputs(registers, flags, data_paths, self.signals, self.receivers)

    def beam(self, lane: int) -> Beam:
        """Light of a transmitter, at TP2; what leaks out of one that is off carries no symbols."""
        power_w, wavelength_nm, modulation = self.glance.kept(("emitted", lane), partial(self._emitted, lane))
        signal = UNSAID if self.glance.light_only else self.signals.transmitted(lane)
        return Beam(self._sources[lane - 1], power_w, wavelength_nm, signal, modulation)

    def _said(self, source: str) -> LineSignal | None:
        return self.signals.transmitted(self._sources.index(source) + 1)

    def _emitted(self, lane: int) -> tuple[float, float, Modulation]:
        emitted = self.emitted
        return emitted.launch_power_w(lane), emitted.wavelength_nm(lane), emitted.modulation(lane)

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        self.receivers.reset()
        self.host.reset()
        self.outputs.reset()
        self.read_controls()

    def read_controls(self) -> None:
        """Follow what page 10h holds of the pins towards the host."""
        self.signals.controls = HostControls.from_registers(self._registers)
