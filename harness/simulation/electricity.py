"""The supply rail: a regulated source, its leads, and the module as a load of constant power."""

from __future__ import annotations

import math
from collections.abc import Callable


class SupplyRail:
    """One output of a supply with the module at the end of its leads (:class:`ports.Rail`).

    A switching regulator in the module makes it a load of constant power P: I = P/V. With local sense the
    connector sees V = (Vs + sqrt(Vs^2 - 4 P R)) / 2 behind lead resistance R; with remote sense the supply
    makes the connector's voltage what it was told. A load that needs more than the current limit, or more
    than the leads can carry (4 P R above Vs^2), pulls the rail down until the output is set anew: the limit
    latches, which is an assumption about the supply. (One that only limits its current would come back when
    the module's under-voltage lockout lets go, and the module would start over and over.) The current limit
    flows into a load that still draws without voltage, none into one behind a lockout.
    """

    def __init__(self, *, lead_resistance_ohm: float) -> None:
        self._lead_resistance_ohm = lead_resistance_ohm
        self._voltage_v = 0.0
        self._on = False
        self._current_limit_a = 0.0
        self._remote_sense = False
        self._collapsed = False
        self._load_w: Callable[[], float] = lambda: 0.0
        self._on_change: Callable[[], None] = lambda: None

    def connect_load(self, consumption_w: Callable[[], float], on_change: Callable[[], None]) -> None:
        """Plug a module in: what it draws, and whom to tell when the voltage changes."""
        self._load_w = consumption_w
        self._on_change = on_change

    def set_source(self, *, voltage_v: float, on: bool, current_limit_a: float, remote_sense: bool) -> None:
        """What the supply's regulator does from now on."""
        self._voltage_v, self._on = voltage_v, on
        self._current_limit_a, self._remote_sense = current_limit_a, remote_sense
        self._collapsed = False
        self._on_change()

    def connector_v(self) -> float:
        """Voltage at the module's connector."""
        if not self._on or self._collapsed or self._voltage_v <= 0.0:
            return 0.0
        connector_v, load_w = self._regulated_v(), self._load_w()
        if load_w > 0.0 and (connector_v <= 0.0 or load_w / connector_v > self._current_limit_a):
            self._collapsed = True
            self._on_change()
            return 0.0
        return connector_v

    def _regulated_v(self) -> float:
        if self._remote_sense:
            return self._voltage_v
        discriminant = self._voltage_v**2 - 4.0 * self._load_w() * self._lead_resistance_ohm
        return (self._voltage_v + math.sqrt(discriminant)) / 2.0 if discriminant > 0.0 else 0.0

    def sense_voltage_v(self) -> float:
        """Voltage at the sense points."""
        connector_v = self.connector_v()
        if self._remote_sense or not self._on:
            return connector_v
        return connector_v + self.current_a() * self._lead_resistance_ohm

    def current_a(self) -> float:
        """Current that flows now."""
        connector_v = self.connector_v()
        if connector_v <= 0.0:
            return self._current_limit_a if self.current_limited() and self._load_w() > 0.0 else 0.0
        return self._load_w() / connector_v

    def current_limited(self) -> bool:
        """Whether the supply is in constant-current operation, or was when its limit latched."""
        self.connector_v()
        return self._on and self._collapsed
