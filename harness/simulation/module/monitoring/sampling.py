"""When a module samples its monitors, and of what."""

from __future__ import annotations

from drivers.cmis.codes import DataPathState
from harness.simulation.module.body.case import Case
from harness.simulation.module.lanes.emitted_light import EmittedLight
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.monitoring.monitors import Monitors, Quantities
from harness.simulation.module.monitoring.sticking import StickingSensors
from harness.simulation.module.profile import Profile
from harness.simulation.world import World, ns_from_s


class MonitorSampling:
    """Samples on the grid of the update period, which the quirk of stale monitors makes longer."""

    def __init__(
        self,
        world: World,
        profile: Profile,
        monitors: Monitors,
        data_paths: DataPaths,
        light: EmittedLight,
        case: Case,
    ) -> None:
        self._world = world
        self._monitors = monitors
        self._data_paths = data_paths
        self._light = light
        self._case = case
        self._lanes = range(1, profile.media_lanes + 1)
        self._period_ns = ns_from_s(max(profile.management.monitor_update_s, profile.quirks.stale_monitors_s))
        self._sensors = StickingSensors(profile.monitors)
        self._due_ns = 0
        self._seen: Quantities | None = None

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        self._monitors.reset()
        self._sensors.reset(self._world.now_s)
        self._due_ns = 0
        self._seen = None

    def look(self, vcc_v: float, rx_w: tuple[float, ...]) -> None:
        """Take a sample if it is due; volts, and watts per media lane."""
        now_ns = self._world.now_ns
        if now_ns < self._due_ns:
            return
        self._due_ns = (now_ns // self._period_ns + 1) * self._period_ns
        case_c = self._case.temp_c()
        true = Quantities(
            temperature_c=case_c,
            vcc_v=vcc_v,
            tx_w=tuple(self._light.monitor_power_w(lane, case_c) for lane in self._lanes),
            bias_ma=tuple(1e3 * self._light.bias_a(lane, case_c) for lane in self._lanes),
            rx_w=rx_w,
            transmitting=tuple(self._data_paths.lit(lane) for lane in self._lanes),
            receiving=tuple(
                state is not DataPathState.DPDeactivated for state in self._data_paths.media_lane_states()
            ),
        )
        seen = self._sensors.seen(true, self._world.now_s)
        if seen != self._seen:
            self._seen = seen
            self._monitors.take(seen)
