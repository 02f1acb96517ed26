"""What a module draws from its supply."""

from __future__ import annotations

import math

from drivers.cmis.codes import DataPathState
from harness.simulation.light.laser import NOMINAL_VCC_V, REFERENCE_TEMP_C
from harness.simulation.module.body.case import Case
from harness.simulation.module.lanes.emitted_light import EmittedLight
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.profile import Profile
from harness.simulation.module.states import ModuleState


class Consumption:
    """A constant-power load: independent of the voltage, and none below the lockout (``UNPOWERED``), where
    the module's converters are off."""

    def __init__(
        self, profile: Profile, data_paths: DataPaths, light: EmittedLight, case: Case, *, flat: bool
    ) -> None:
        self._power = profile.power
        self._lanes = range(1, profile.media_lanes + 1)
        self._data_paths = data_paths
        self._light = light
        self._case = case
        self._flat = flat

    def power_w(self, state: ModuleState) -> float:
        """Electrical power drawn now, watts."""
        power = self._power
        if state is ModuleState.UNPOWERED:
            return 0.0
        if state in (ModuleState.RESET, ModuleState.MGMT_INIT):
            return power.initialising_w
        if state in (ModuleState.LOW_PWR, ModuleState.FAULT) or self._flat:
            return power.low_power_w
        case_c = self._case.temp_c()
        used = sum(
            len(path.media_lanes)
            for path in self._data_paths.paths
            if path.state is not DataPathState.DPDeactivated
        )
        return (
            power.ready_w
            + power.data_path_w * used / len(self._lanes)
            + power.temperature_w_per_c * (case_c - REFERENCE_TEMP_C)
            + power.leakage_w * math.exp2((case_c - REFERENCE_TEMP_C) / power.leakage_doubling_c)
            + self._light.total_bias_a(case_c) * NOMINAL_VCC_V / power.laser_supply_efficiency
        )
