"""How the parts of the simulated bench see each other: small Protocols, so that each can be built and
tested without the others."""

from __future__ import annotations

from typing import Protocol

from harness.simulation.signals import LineSignal


class ModuleSurroundings(Protocol):
    """What a module feels of the bench."""

    def vcc_v(self) -> float:
        """Supply voltage at the module's connector, volts; 0 when the supply is off."""

    def case_temp_c(self) -> float:
        """Case temperature, Celsius."""

    def rx_power_w(self, lane: int) -> float:
        """Average optical power at the module's receiver port of media lane 1.., watts."""


class LineSurroundings(Protocol):
    """What reaches a module's data lanes; None: nothing does. Powers are another Protocol's matter."""

    def rx_signal(self, lane: int) -> LineSignal | None:
        """What the light at the receiver port of media lane 1.. carries."""

    def host_signal(self, host_lane: int) -> LineSignal | None:
        """What the host sends on host lane 1.. ."""


class ModuleBody(Protocol):
    """What the bench feels of a module."""

    def consumption_w(self) -> float:
        """Electrical power it draws now, watts; 0 without supply."""

    def launch_power_w(self, lane: int) -> float:
        """Average optical power leaving transmitter ``lane`` (1..), watts, at TP2."""

    def wavelength_nm(self, lane: int) -> float:
        """Centre wavelength of that light, nanometres."""

    def supply_changed(self) -> None:
        """Called after the voltage at the connector changed (power on, off, brown-out)."""


class Rail(Protocol):
    """A supply output with the module at the end of its leads, as the supply's own circuits see it."""

    def set_source(self, *, voltage_v: float, on: bool, current_limit_a: float, remote_sense: bool) -> None:
        """What the supply's regulator does from now on."""

    def sense_voltage_v(self) -> float:
        """Voltage at the sense points: the connector with remote sense, else the supply's terminals."""

    def current_a(self) -> float:
        """Current that flows now."""

    def current_limited(self) -> bool:
        """Whether the supply is in constant-current operation."""


class AirStream(Protocol):
    """The air that a thermal source blows over the module, as the source's own controller sees it."""

    def set_air(self, *, target_c: float, flowing: bool) -> None:
        """Command the air temperature; the air follows at a limited rate. No flow: room temperature."""

    def air_temp_c(self) -> float:
        """Air temperature at the nozzle."""

    def case_temp_c(self) -> float:
        """True temperature of the module's case, for a sensor attached to it."""


class Fibres(Protocol):
    """Light at the ports of instruments."""

    def power_w(self, role: str, port: int) -> float:
        """Total optical power arriving at a port of the instrument in ``role``, watts."""

    def wavelength_nm(self, role: str, port: int) -> float | None:
        """Power-weighted mean wavelength of that light, nanometres; None when dark."""

    def set_routes(self, role: str, routes: dict[int, int]) -> None:
        """What a matrix connects from now on: input port to output port (``{}`` = nothing)."""
