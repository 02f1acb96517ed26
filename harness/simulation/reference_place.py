"""Where the reference module is: a board, a supply and air of its own, beside the module under test."""

from __future__ import annotations

from harness.bench_file.simulation_section import ReferenceSpec
from harness.simulation.electricity import SupplyRail
from harness.simulation.heat import CaseHeat
from harness.simulation.light.beam import Beam
from harness.simulation.module.building import AnyModule, build_module
from harness.simulation.module.profile import Profile
from harness.simulation.world import World
from harness.wiring import REFERENCE

_SUPPLY_V, _LIMIT_A = 3.3, 10.0
_CASE_STEP_C = 0.02
_AIRFLOW_M_PER_S = 3.0  # of a fan on its board, in the room's air (an assumption)


class ReferencePlace:
    """A module of ``profile`` (specimen: that of ``spec``) with a supply that is always on; no light comes to
    its receivers, and its host sends traffic.

    Public attributes: ``module``; ``rail``; ``heat``.
    """

    def __init__(self, world: World, profile: Profile, spec: ReferenceSpec, *, room_temp_c: float) -> None:
        self.rail = SupplyRail(lead_resistance_ohm=0.0)
        self.heat = CaseHeat(world, room_temp_c=room_temp_c, airflow_m_per_s=_AIRFLOW_M_PER_S)
        self.module: AnyModule = build_module(
            world, profile, self, name=REFERENCE, specimen=spec.specimen, looks_when_asked=True
        )
        self.rail.connect_load(self.module.consumption_w, self.module.supply_changed)
        self.heat.connect_load(self.module.consumption_w)
        self.rail.set_source(voltage_v=_SUPPLY_V, on=True, current_limit_a=_LIMIT_A, remote_sense=True)

    def vcc_v(self) -> float:
        """Supply voltage at its connector."""
        return self.rail.connector_v()

    def case_temp_c(self) -> float:
        """Its case temperature, in steps: each costs working out its lasers anew."""
        return round(self.heat.case_temp_c() / _CASE_STEP_C) * _CASE_STEP_C

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """None."""
        return ()
