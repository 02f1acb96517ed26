"""How the parts of the simulated bench see each other: small Protocols, so that each can be built and
tested without the others."""

from __future__ import annotations

from typing import Protocol

from harness.simulation.light.beam import Beam
from harness.simulation.signals import LineSignal


class ModuleSurroundings(Protocol):
    """What a module feels of the bench."""

    def vcc_v(self) -> float:
        """Supply voltage at the module's connector, volts; 0 when the supply is off."""

    def case_temp_c(self) -> float:
        """Case temperature, Celsius."""

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """Light that arrives in the module's receiving fibre 1.. (``module.rx1``)."""


class HostSurroundings(Protocol):
    """The host at a module's electrical lanes."""

    def host_signal(self, host_lane: int) -> LineSignal | None:
        """What the host sends on host lane 1..; None: nothing."""


class Launcher(Protocol):
    """What sends light into the bench's fibres."""

    def launched(self, port: int) -> tuple[Beam, ...]:
        """Light that leaves it in its transmitting fibre 1.. (``module.tx1``), at TP2."""


class ModuleBody(Launcher, Protocol):
    """What the bench feels of a module."""

    def consumption_w(self) -> float:
        """Electrical power it draws now, watts; 0 without supply."""

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

    def set_air(self, *, target_c: float, flowing: bool, rate_c_per_s: float = ...) -> None:
        """Command the air temperature; the air follows at a rate, by default a thermal stream's. No flow:
        room temperature."""

    def air_temp_c(self) -> float:
        """Air temperature at the nozzle."""

    def case_temp_c(self) -> float:
        """True temperature of the module's case, for a sensor attached to it."""


class Fibres(Protocol):
    """Light at the ports of instruments."""

    def light(self, role: str, port: int) -> tuple[Beam, ...]:
        """All light that arrives at a port of the instrument in ``role``."""

    def power_w(self, role: str, port: int) -> float:
        """Total optical power arriving at a port of the instrument in ``role``, watts."""

    def wavelength_nm(self, role: str, port: int) -> float | None:
        """Power-weighted mean wavelength of that light, nanometres; None when dark."""

    def set_routes(self, role: str, routes: dict[int, int]) -> None:
        """What a matrix connects from now on: input port to output port (``{}`` = nothing)."""

    def set_attenuation(self, role: str, port: int, attenuation_db: float) -> None:
        """What a channel of an attenuator takes away from now on, dB; its insertion loss is the plant's."""

    def set_shutter(self, role: str, port: int, *, open_: bool) -> None:
        """Whether light goes through a channel of an attenuator from now on."""
