"""OutputStatusRx: on which host lanes the module sends a signal."""

from __future__ import annotations

from drivers.cmis.fields import encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.receiver import Receivers
from harness.simulation.module.lanes.signal_paths import SignalPaths
from harness.simulation.module.machines.data_paths import DataPath, DataPaths
from harness.simulation.module.states import may_emit


class ReceiverOutputs:
    """The outputs towards the host, in their register and its flag."""

    def __init__(
        self,
        registers: Registers,
        flags: FlagRegisters,
        data_paths: DataPaths,
        signals: SignalPaths,
        receivers: Receivers,
    ) -> None:
        self._registers = registers
        self._flags = flags
        self._data_paths = data_paths
        self._signals = signals
        self._receivers = receivers
        self._shown = 0

    def reset(self) -> None:
        """The registers were filled anew."""
        self._shown = 0

    def show(self) -> None:
        """Bring the register up to date; a change is flagged."""
        disabled = self._registers.lane_mask("OutputDisableRx")
        valid = 0
        for path in self._data_paths.paths:
            valid |= self._valid_lanes(path, disabled)
        changed = valid ^ self._shown
        if changed:
            self._shown = valid
            encode(FIELDS["OutputStatusRx"], valid, self._registers)
            self._flags.latch("OutputStatusChangedFlagRx", changed)

    def _valid_lanes(self, path: DataPath, disabled: int) -> int:
        """Host lanes of a path whose output carries a signal: each needs the lock of its media lane."""
        if not may_emit(path.state):
            return 0
        ratio = len(path.host_lanes) / len(path.media_lanes)
        valid = 0
        for index, host_lane in enumerate(path.host_lanes):
            media_lane = path.media_lanes[int(index / ratio)]
            fed = self._receivers.locked(media_lane) or self._signals.host_output_is_own(host_lane)
            if fed and not disabled >> host_lane - 1 & 1:
                valid |= 1 << host_lane - 1
        return valid
