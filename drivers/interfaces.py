"""The roles' Protocols: what a plan may ask of an instrument, whatever its make.

All methods raise :class:`drivers.errors.InstrumentError` (a fault of the bench) and
:class:`drivers.clock.StopRequested`. Settings outside an instrument's range raise
:class:`drivers.errors.OutOfRangeError`, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at an address: the four fields of ``*IDN?``, untrusted text."""

    vendor: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class SafetyStep:
    """One output brought to its safe state and read back."""

    action: str
    read_back: str
    safe: bool


@dataclass(frozen=True, slots=True)
class PowerReading:
    """Optical power at one port of a power meter, in watts; noise may make a dark reading negative."""

    channel: int
    power_w: float


@runtime_checkable
class Instrument(Protocol):
    """What every instrument can do."""

    @property
    def name(self) -> str:
        """How errors and records call it: its role in the bench."""

    def connect(self) -> Identity:
        """Probe, check that it is the model expected, and bring it to a known state."""

    def identify(self) -> Identity:
        """Ask for its identity."""

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """Read its error queue empty: (code, text) pairs, the oldest first."""

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Resynchronise, bring every output to its safe state, read that back."""


class PowerMeter(Instrument, Protocol):
    """Role ``power_meter``."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Its ports."""

    @property
    def range_dbm(self) -> tuple[float, float]:
        """Lowest and highest power it measures, dBm (data sheet)."""

    def configure(
        self, *, wavelength_nm: float, averaging_s: float, channels: Sequence[int] | None = None
    ) -> None:
        """Set wavelength (nm) and averaging time (s), automatic range and software trigger."""

    def read_powers_w(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        """Trigger a new measurement now and return it: never a value from before the call."""


class OpticalSwitch(Instrument, Protocol):
    """Role ``optical_switch``: a matrix. Ports are numbered as on its front, inputs first."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Input ports."""

    @property
    def outputs(self) -> tuple[int, ...]:
        """Output ports."""

    def route(self, routes: Mapping[int, int]) -> None:
        """Connect inputs to outputs, leaving other routes alone; returns when light has settled and the
        routes were read back."""

    def routes(self) -> dict[int, int]:
        """Input to output, as the switch reports it."""

    def disconnect_all(self) -> None:
        """Open every route."""


class PowerSupply(Instrument, Protocol):
    """Role ``power_supply``."""

    def configure_output(
        self, channel: int, *, current_limit_a: float, overvoltage_v: float, remote_sense: bool
    ) -> None:
        """Set the limits and the sense wiring of an output, before it is turned on."""

    def set_voltage_v(self, channel: int, voltage_v: float) -> None:
        """Set the output voltage."""

    def set_output(self, channel: int, *, on: bool) -> None:
        """Turn an output on or off and read it back."""

    def output_is_on(self, channel: int) -> bool:
        """Whether the output is on."""

    def measure_voltage_v(self, channel: int) -> float:
        """Voltage at the sense points."""

    def measure_current_a(self, channel: int) -> float:
        """Output current."""


class Thermal(Instrument, Protocol):
    """Role ``thermal``: brings the module's case to a temperature."""

    @property
    def temperature_range_c(self) -> tuple[float, float]:
        """Lowest and highest set point, Celsius."""

    def start_setpoint_c(self, temperature_c: float, *, window_c: float, soak_s: float) -> None:
        """Begin to bring the controlled temperature to a set point."""

    def at_temperature(self) -> bool:
        """Whether it has stayed in the window for the soak time."""

    def read_air_c(self) -> float:
        """Air temperature."""


class CaseSensor(Instrument, Protocol):
    """Role ``case_sensor``: the temperature of the module's case."""

    def read_case_c(self) -> float:
        """Case temperature, Celsius."""


class ModulePins(Protocol):
    """The module's control and status pins, as their meaning and not as levels."""

    def set_reset(self, *, asserted: bool) -> None:
        """Assert (True) or release ResetL."""

    def reset_asserted(self) -> bool:
        """Whether ResetL is low now."""

    def set_low_power(self, *, asserted: bool) -> None:
        """Assert or release LPMode."""

    def set_selected(self, *, asserted: bool) -> None:
        """Select the module's two-wire interface (ModSelL low) or deselect it."""

    def module_present(self) -> bool:
        """Whether ModPrsL says that a module is inserted."""

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""


class MemoryPort(Protocol):
    """Paged module memory, as any CMIS host library needs it: two calls."""

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte`` (0..255; below 128 bank and page do not matter)."""

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on."""


class HostBoard(Instrument, Protocol):
    """Role ``host_board``: what the module is plugged into."""

    @property
    def pins(self) -> ModulePins:
        """The module's pins."""

    @property
    def memory(self) -> MemoryPort:
        """The module's memory."""
