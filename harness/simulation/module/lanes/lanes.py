"""Light and bits of one module: the parts of this package, connected."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.emitted_light import EmittedLight
from harness.simulation.module.lanes.host_watch import HostWatch
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import draw_receivers
from harness.simulation.module.lanes.receiver_outputs import ReceiverOutputs
from harness.simulation.module.lanes.signal_paths import HostControls, HostTraffic, SignalPaths
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.profile import Profile
from harness.simulation.ports import LineSurroundings, ModuleSurroundings
from harness.simulation.world import World


class Lanes:
    """``uniform(*key)`` in (0, 1) draws the specimen's lasers and receivers; ``name`` keys what varies with
    time. ``line`` None: traffic from the host and from any light."""

    def __init__(
        self,
        world: World,
        profile: Profile,
        surroundings: ModuleSurroundings,
        line: LineSurroundings | None,
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
        self.transmitters = Transmitters(world, profile, uniform, name=name)
        self.emitted = EmittedLight(self.transmitters, data_paths, case_temp_c=case_temp_c, vcc_v=vcc_v)
        self.received = ReceivedLight(world, profile, surroundings)
        self.signals = SignalPaths(
            data_paths,
            draw_receivers(profile.receiver, profile.media_lanes, uniform),
            line or HostTraffic(),
            rx_power_w=self.received.power_w,
            dark=self.received.dark,
        )
        self.host = HostWatch(
            registers, data_paths, self.signals, squelch_changed, detects=profile.host_side.los_tx
        )
        self.outputs = ReceiverOutputs(registers, flags, data_paths, self.signals, self.received)

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        self.received.reset()
        self.host.reset()
        self.outputs.reset()
        self.read_controls()

    def read_controls(self) -> None:
        """Follow what page 10h holds of the pins towards the host."""
        self.signals.controls = HostControls.from_registers(self._registers)
