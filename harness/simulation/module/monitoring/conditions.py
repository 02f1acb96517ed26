"""The conditions behind a module's flags: what holds now, from all that it monitors."""

from __future__ import annotations

from drivers.cmis.codes import DataPathState
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.lanes.host_watch import HostWatch
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.monitoring.diagnostics import Diagnostics
from harness.simulation.module.monitoring.monitors import Monitors
from harness.simulation.module.monitoring.vdm_monitors import VdmMonitors
from harness.simulation.module.profile import Profile


class Conditions:
    """Latches the flags of what holds."""

    def __init__(
        self,
        profile: Profile,
        flags: FlagRegisters,
        data_paths: DataPaths,
        light: ReceivedLight,
        host: HostWatch,
        monitors: Monitors,
        vdm: VdmMonitors,
        diagnostics: Diagnostics,
    ) -> None:
        self._profile = profile
        self._flags = flags
        self._data_paths = data_paths
        self._light = light
        self._host = host
        self._monitors = monitors
        self._vdm = vdm
        self._diagnostics = diagnostics
        self._holding: dict[str, int] = {}

    def reset(self) -> None:
        """Nothing holds."""
        self._holding = {}

    def judge(self) -> None:
        """Find out what holds, and latch it."""
        self._holding = self._found()
        self.latch()

    def latch(self) -> None:
        """Set the flags of what was found to hold."""
        self._flags.latch_all(self._holding)

    def _found(self) -> dict[str, int]:
        found = dict(self._monitors.conditions)
        lost = sum(
            1 << lane - 1
            for lane, state in enumerate(self._data_paths.media_lane_states(), start=1)
            if self._light.dark(lane) and state is not DataPathState.DPDeactivated
        )
        if lost:
            found |= {"LOSFlagRx": lost, "CDRLOLFlagRx": lost}
        silent = self._host.silent
        if silent:
            found["LOSFlagTx"] = silent
            if self._profile.signal_integrity.cdr_tx:
                found["CDRLOLFlagTx"] = silent
        failed = sum(
            1 << lane - 1 for lane in self._profile.faults.dead_media_lanes if self._data_paths.lit(lane)
        )
        if failed:
            found["FailureFlagTx"] = failed
        found |= self._vdm.conditions
        if self._profile.diagnostics.supported:
            found |= self._diagnostics.conditions()
        return found
