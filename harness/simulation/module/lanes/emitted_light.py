"""The light that leaves a module: its lasers, as far as data paths switch them on."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulation.light.beam import STEADY, Modulation
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.states import may_emit


class EmittedLight:
    """Per media lane, from 1. ``case_temp_c()``: Celsius; ``vcc_v()``: volts."""

    def __init__(
        self,
        transmitters: Transmitters,
        data_paths: DataPaths,
        *,
        case_temp_c: Callable[[], float],
        vcc_v: Callable[[], float],
    ) -> None:
        self._transmitters = transmitters
        self._lanes = transmitters.lanes
        self._data_paths = data_paths
        self._case_temp_c = case_temp_c
        self._vcc_v = vcc_v

    def launch_power_w(self, lane: int) -> float:
        """Average power at TP2, watts: 0 while no data path feeds the transmitter."""
        path = self._data_paths.path_of_media(lane)
        if path is None or not may_emit(path.state):
            return 0.0
        if not self._data_paths.lit(lane):
            return self._transmitters.off_w
        return self._transmitters.launch_power_w(lane, self._case_temp_c(), self._vcc_v())

    def wavelength_nm(self, lane: int) -> float:
        """Centre wavelength, nanometres."""
        return self._transmitters.wavelength_nm(lane, self._case_temp_c())

    def modulation(self, lane: int) -> Modulation:
        """How symbols are printed on that light: not at all while the transmitter is off."""
        if not self._data_paths.lit(lane):
            return STEADY
        return self._transmitters.modulation(lane, self._case_temp_c(), self._vcc_v())

    def bias_a(self, lane: int, case_c: float) -> float:
        """Bias current of the lane's laser at this temperature of the case, amperes; 0 while none of the
        lanes that it feeds is on."""
        on = any(map(self._data_paths.lit, self._transmitters.lanes_with(lane)))
        return self._transmitters.bias_a(lane, case_c) if on else 0.0

    def total_bias_a(self, case_c: float) -> float:
        """Bias current of all lasers that are on, amperes."""
        return self._transmitters.total_bias_a(filter(self._data_paths.lit, self._lanes), case_c)

    def monitor_power_w(self, lane: int, case_c: float) -> float:
        """What the monitor photodiode sees, watts in the fibre at 25 C."""
        return self._transmitters.monitor_power_w(lane, case_c) if self._data_paths.lit(lane) else 0.0

    def failed_mask(self) -> int:
        """Lanes that are on and whose laser gives next to nothing at its bias limit; lane 1 is bit 0."""
        case_c = self._case_temp_c()
        return sum(
            1 << lane - 1
            for lane in self._lanes
            if self._data_paths.lit(lane) and self._transmitters.failed(lane, case_c)
        )
