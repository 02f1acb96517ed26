"""All that one module measures and reports: the parts of this package, connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.simulation.module.body.case import Case
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.host_writes import Reaction
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.lanes import Lanes
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.monitoring import diagnostics, vdm_monitors
from harness.simulation.module.monitoring.conditions import Conditions
from harness.simulation.module.monitoring.diagnostics import Diagnostics
from harness.simulation.module.monitoring.monitors import Monitors, draw_calibration
from harness.simulation.module.monitoring.sampling import MonitorSampling
from harness.simulation.module.monitoring.vdm_monitors import VdmMonitors
from harness.simulation.module.profile import Profile
from harness.simulation.world import World


class Monitoring:
    """``uniform(*key)`` in (0, 1) draws the specimen's errors; ``name`` keys what varies with time."""

    def __init__(
        self,
        world: World,
        profile: Profile,
        registers: Registers,
        flags: FlagRegisters,
        data_paths: DataPaths,
        lanes: Lanes,
        case: Case,
        uniform: Callable[..., float],
        *,
        name: str,
        flat: bool,
    ) -> None:
        self._flags = flags
        self._lanes = lanes
        self._flat = flat
        calibration = draw_calibration(profile.monitors, profile.media_lanes, uniform)
        monitors = self._monitors = Monitors(
            registers, calibration, bias_multiplier=profile.quirks.bias_multiplier
        )
        self._sampling = MonitorSampling(world, profile, monitors, data_paths, lanes.emitted, case)
        self._diagnostics = Diagnostics(
            world, registers, flags, profile, data_paths, lanes.signals, name=name
        )
        self._vdm = VdmMonitors(
            world,
            registers,
            profile,
            data_paths,
            lanes.signals,
            uniform,
            laser_temp_c=lambda: lanes.transmitters.junction_c(case.temp_c()),
            name=name,
        )
        self._has_vdm = profile.vdm.supported
        self._conditions = Conditions(
            profile,
            flags,
            data_paths,
            lanes.receivers,
            lanes.emitted,
            lanes.host,
            monitors,
            self._vdm,
            self._diagnostics,
        )

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        for part in (self._sampling, self._diagnostics, self._vdm, self._conditions):
            part.reset()

    def look(self, vcc_v: float) -> None:
        """Look at everything; called on the module's own grid. ``vcc_v``: the supply now, volts."""
        rx_w = self._lanes.receivers.look()
        self._lanes.host.look()
        with self._lanes.glance:
            self._diagnostics.look()
            if self._has_vdm:
                self._vdm.look()
        if not self._flat:
            self._sampling.look(vcc_v, rx_w)

    def temperature_c(self) -> float:
        """What the module takes for its temperature, Celsius; before the first sample minus infinity."""
        return self._monitors.temperature_c

    def judge(self) -> None:
        """Latch the flags of all conditions that hold, and show the receivers' outputs."""
        with self._lanes.glance:
            self._conditions.judge()
            self._lanes.outputs.show()

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring up to date what is put together when it is read."""
        self._diagnostics.before_host_read(page, last)
        self._vdm.before_host_read(page, last)
        self._flags.before_host_read(page, first, last)

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """A flag that was cleared by reading comes back as long as its condition lasts."""
        if self._flags.cleared_by_reading(page, first, last):
            self._conditions.latch()

    def reactions(self, judge: Reaction) -> Mapping[int, Sequence[Reaction]]:
        """What acts on writes to its pages; ``judge`` after a change of the diagnostics."""
        return {
            diagnostics.CONTROLS_PAGE: (self._diagnostics.host_wrote_controls, judge),
            diagnostics.RESULTS_PAGE: (self._diagnostics.host_wrote_selector, judge),
            vdm_monitors.CONTROL_PAGE: (self._vdm.host_wrote,),
        }
