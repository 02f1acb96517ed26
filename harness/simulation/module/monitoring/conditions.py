"""The conditions behind a module's flags: what holds now, from all that it monitors."""

from __future__ import annotations

from drivers.cmis.codes import DataPathState
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.lanes.emitted_light import EmittedLight
from harness.simulation.module.lanes.host_watch import HostWatch
from harness.simulation.module.lanes.receiver import Receivers
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
        receivers: Receivers,
        emitted: EmittedLight,
        host: HostWatch,
        monitors: Monitors,
        vdm: VdmMonitors,
        diagnostics: Diagnostics,
    ) -> None:
        self._profile = profile
        self._flags = flags
        self._data_paths = data_paths
        self._receivers = receivers
        self._emitted = emitted
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
        for flag, lost in (
            ("LOSFlagRx", self._receivers.dark),
            ("CDRLOLFlagRx", lambda lane: not self._receivers.locked(lane)),
        ):
            mask = sum(
                1 << lane - 1
                for lane, state in enumerate(self._data_paths.media_lane_states(), start=1)
                if state is not DataPathState.DPDeactivated and lost(lane)
            )
            if mask:
                found[flag] = mask
        silent = self._host.silent
        if silent:
            found["LOSFlagTx"] = silent
            if self._profile.signal_integrity.cdr_tx:
                found["CDRLOLFlagTx"] = silent
        failed = self._emitted.failed_mask()
        if failed:
            found["FailureFlagTx"] = failed
        found |= self._vdm.conditions
        if self._profile.diagnostics.supported:
            found |= self._diagnostics.conditions()
        return found
