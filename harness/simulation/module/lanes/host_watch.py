"""Whether the host sends, and what follows for the transmitters: loss of signal and automatic squelch."""

from __future__ import annotations

from collections.abc import Callable

from drivers.cmis.codes import DataPathState
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.signal_paths import SignalPaths
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.states import may_emit


class HostWatch:
    """Of a module that detects it at all (``detects``). ``squelch_changed()``: :attr:`squelched` did."""

    def __init__(
        self,
        registers: Registers,
        data_paths: DataPaths,
        signals: SignalPaths,
        squelch_changed: Callable[[], None],
        *,
        detects: bool,
    ) -> None:
        self._registers = registers
        self._data_paths = data_paths
        self._signals = signals
        self._squelch_changed = squelch_changed
        self._detects = detects
        self.silent = 0
        """Host lanes in use on which the host does not send; bit i - 1 for lane i."""
        self.squelched = 0
        """Media lanes without a signal from the host; bit i - 1 for lane i."""

    def reset(self) -> None:
        """Nothing was found."""
        self.silent = self.squelched = 0

    def look(self) -> None:
        """Called on the module's own grid."""
        if not self._detects:
            return
        self.silent = sum(
            1 << lane - 1
            for path in self._data_paths.paths
            if path.state is not DataPathState.DPDeactivated
            for lane in path.host_lanes
            if self._signals.from_host(lane) is None
        )
        self.squelch()

    def squelch(self) -> None:
        """Squelch transmitters that have nothing to send, where the host did not forbid it."""
        if not self._detects:
            return
        forbidden = self._registers.lane_mask("AutoSquelchDisableTx")
        squelched = sum(
            1 << lane - 1
            for path in self._data_paths.paths
            if may_emit(path.state)
            for lane in path.media_lanes
            if self._signals.egress(lane) is None and not forbidden >> lane - 1 & 1
        )
        if squelched != self.squelched:
            self.squelched = squelched
            self._squelch_changed()
