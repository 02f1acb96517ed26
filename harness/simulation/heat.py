"""Heat: the air that the thermal source blows, and the module's case in it.

The case follows with a first-order lag: C dT/dt = (T_air - T_case) / R + P. The air itself follows its
command at a limited rate. Both are worked out exactly over steps of a fixed grid, on which the module's
consumption is sampled, so that the temperature at a time does not depend on who asked before.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.simulation.world import World, ns_from_s

_STEP_S = 1.0
_AIR_RATE_C_PER_S = 8.0  # a thermal stream's ramp; of the order of data sheets', not of one instrument
# A module under a nozzle, and one in still air.
_RESISTANCE_FLOWING_K_PER_W = 0.8
_RESISTANCE_STILL_K_PER_W = 3.0
_CAPACITY_J_PER_K = 45.0


class CaseHeat:
    """Temperature of the module's case and of the air over it (:class:`ports.AirStream`)."""

    def __init__(self, world: World, *, room_temp_c: float) -> None:
        self._world = world
        self._room_c = room_temp_c
        self._target_c = room_temp_c
        self._flowing = False
        self._consumption_w: Callable[[], float] = lambda: 0.0
        self._power_w = 0.0
        self._at_ns = world.now_ns
        self._air_c = room_temp_c
        self._case_c = room_temp_c
        self._tick()

    def connect_load(self, consumption_w: Callable[[], float]) -> None:
        """The module whose case this is."""
        self._consumption_w = consumption_w

    def set_air(self, *, target_c: float, flowing: bool) -> None:
        """Command the air temperature; without flow the air is the room's."""
        self._settle()
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
        ramp_s = min(elapsed_s, abs(way_c) / _AIR_RATE_C_PER_S)
        rate = math.copysign(_AIR_RATE_C_PER_S, way_c)
        # Where the ramp has ended the air is the target itself, not a sum of roundings.
        air_c = self._target_c if ramp_s < elapsed_s else self._air_c + rate * ramp_s
        case_c = self._driven_c(self._case_c, self._air_c, rate, ramp_s)
        return air_c, self._driven_c(case_c, air_c, 0.0, elapsed_s - ramp_s)

    def _driven_c(self, case_c: float, air_c: float, rate: float, elapsed_s: float) -> float:
        """The case ``elapsed_s`` after it was at ``case_c``, in air that starts at ``air_c`` and moves at
        ``rate`` C/s: the answer of a first-order lag to a ramp."""
        resistance = _RESISTANCE_FLOWING_K_PER_W if self._flowing else _RESISTANCE_STILL_K_PER_W
        lag_s = resistance * _CAPACITY_J_PER_K
        behind_c = air_c + self._power_w * resistance - rate * lag_s  # what the case follows, a lag behind
        return behind_c + rate * elapsed_s + (case_c - behind_c) * math.exp(-elapsed_s / lag_s)
