"""Heat: the air that the thermal source blows or that flows through a chassis, and the module's case in it.

The case follows with a first-order lag: C dT/dt = (T_air - T_case) / R + P. The air itself follows its
command at a limited rate. Both are worked out exactly over steps of a fixed grid, on which the module's
consumption is sampled, so that the temperature at a time does not depend on who asked before.

A module that consumes the more the hotter it is may have no stable temperature: if T_air + R P(T) is above T
for every T, the case goes up until the module shuts down or loses its supply; the world itself stops at
:data:`HOTTEST_C`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.simulation.world import World, ns_from_s

HOTTEST_C = 150.0
"""No case gets hotter: what happens to a real module then is not simulated."""

_STEP_S = 1.0
_AIR_RATE_C_PER_S = 8.0  # a thermal stream's ramp; of the order of data sheets', not of one instrument
# A module under a nozzle, and one in still air.
_RESISTANCE_FLOWING_K_PER_W = 0.8
_RESISTANCE_STILL_K_PER_W = 3.0
_NOZZLE_M_PER_S = 10.0  # assumed: the speed at which air along a case cools it as the nozzle does
_FLOW_EXPONENT = 0.8  # turbulent forced convection, h ~ v^0.8 (textbook: Dittus-Boelter)
_CAPACITY_J_PER_K = 45.0


def resistance_k_per_w(airflow_m_per_s: float) -> float:
    """Thermal resistance from case to air, K/W, in air of this speed along the case, metres per second.

    Free convection and radiation (3.0 K/W in still air) and forced convection as v^0.8 (textbook) carry heat
    side by side; 0.8 K/W at 10 m/s. The three numbers are assumptions about a module in its heat sink.
    """
    ratio = _RESISTANCE_STILL_K_PER_W / _RESISTANCE_FLOWING_K_PER_W - 1.0
    forced = ratio * math.pow(airflow_m_per_s / _NOZZLE_M_PER_S, _FLOW_EXPONENT)
    return _RESISTANCE_STILL_K_PER_W / (1.0 + forced)


class CaseHeat:
    """Temperature of the module's case and of the air over it (:class:`ports.AirStream`).

    ``airflow_m_per_s``: speed of the room's air along the case while the thermal source does not blow; 0:
    still air.
    """

    def __init__(self, world: World, *, room_temp_c: float, airflow_m_per_s: float = 0.0) -> None:
        self._world = world
        self._room_c = room_temp_c
        self._room_resistance = resistance_k_per_w(airflow_m_per_s)
        self._target_c = room_temp_c
        self._flowing = False
        self._air_rate_c_per_s = _AIR_RATE_C_PER_S
        self._consumption_w: Callable[[], float] = lambda: 0.0
        self._power_w = 0.0
        self._at_ns = world.now_ns
        self._air_c = room_temp_c
        self._case_c = room_temp_c
        self._tick()

    def connect_load(self, consumption_w: Callable[[], float]) -> None:
        """The module whose case this is."""
        self._consumption_w = consumption_w

    def set_air(self, *, target_c: float, flowing: bool, rate_c_per_s: float = _AIR_RATE_C_PER_S) -> None:
        """Command the air temperature, which moves at a rate; without flow the air is the room's."""
        self._settle()
        self._air_rate_c_per_s = rate_c_per_s
        self._target_c = target_c if flowing else self._room_c
        self._flowing = flowing

    def air_temp_c(self) -> float:
        """Air temperature at the nozzle now."""
        return self._state(self._elapsed_s())[0]

    def case_temp_c(self) -> float:
        """Temperature of the module's case now."""
        return self._state(self._elapsed_s())[1]

    def _elapsed_s(self) -> float:
        return (self._world.now_ns - self._at_ns) * 1e-9

    def _tick(self) -> None:
        self._settle()
        self._power_w = self._consumption_w()
        self._world.at(self._world.now_ns + ns_from_s(_STEP_S), self._tick)

    def _settle(self) -> None:
        self._air_c, self._case_c = self._state(self._elapsed_s())
        self._at_ns = self._world.now_ns

    def _state(self, elapsed_s: float) -> tuple[float, float]:
        """Air and case ``elapsed_s`` after the last settled state: the air's ramp, then its hold."""
        way_c = self._target_c - self._air_c
        ramp_s = min(elapsed_s, abs(way_c) / self._air_rate_c_per_s)
        rate = math.copysign(self._air_rate_c_per_s, way_c)
        # Where the ramp has ended the air is the target itself, not a sum of roundings.
        air_c = self._target_c if ramp_s < elapsed_s else self._air_c + rate * ramp_s
        case_c = self._driven_c(self._case_c, self._air_c, rate, ramp_s)
        case_c = self._driven_c(case_c, air_c, 0.0, elapsed_s - ramp_s)
        return air_c, min(case_c, HOTTEST_C)

    def _driven_c(self, case_c: float, air_c: float, rate: float, elapsed_s: float) -> float:
        """The case ``elapsed_s`` after it was at ``case_c``, in air that starts at ``air_c`` and moves at
        ``rate`` C/s: the answer of a first-order lag to a ramp."""
        resistance = _RESISTANCE_FLOWING_K_PER_W if self._flowing else self._room_resistance
        lag_s = resistance * _CAPACITY_J_PER_K
        behind_c = air_c + self._power_w * resistance - rate * lag_s  # what the case follows, a lag behind
        return behind_c + rate * elapsed_s + (case_c - behind_c) * math.exp(-elapsed_s / lag_s)
