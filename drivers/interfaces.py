"""The roles' Protocols: what a plan may ask of an instrument, whatever its make.

All methods raise :class:`drivers.errors.InstrumentError` (a fault of the bench) and
:class:`drivers.clock.StopRequested`. Settings outside an instrument's range raise
:class:`drivers.errors.OutOfRangeError`, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


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
        """Probe, and check that it is the model expected. Settings and outputs stay as they are (an
        instrument that cannot be spoken to without changing one says so): what a measurement needs is set
        where it is asked for, by ``configure`` and the like."""

    def identify(self) -> Identity:
        """Ask for its identity."""

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """Read its error queue empty: (code, text) pairs, the oldest first."""

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Resynchronise, bring every output to its safe state, read that back."""


@runtime_checkable
class SilentAtTimes(Protocol):
    """An instrument that may not answer for a while when it is first met, though nothing is wrong with it."""

    first_contact_limit_s: float
    """How long ``connect`` waits for the first answer. Shorter: what is silent is known sooner, and may still
    be in order."""


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


@dataclass(frozen=True, slots=True)
class LaneErrors:
    """What a BERT counted on one lane within one gate: new counts only.

    ``bits`` were compared with the pattern, ``errors`` of them were wrong; with no error, ``bits`` still says
    how low a ratio was shown. ``locked``: the checker was in step with the pattern during the whole gate; if
    not, the counts say nothing of the lane's bit error ratio. ``gate_s`` is how long was counted, as well as
    it is known; ``bits`` is the truth.
    """

    lane: int
    bits: int
    errors: int
    locked: bool
    gate_s: float

    @property
    def ber(self) -> float | None:
        """Bit error ratio; None when nothing was compared, or without lock."""
        return self.errors / self.bits if self.bits and self.locked else None


@dataclass(frozen=True, slots=True)
class FecStatistics:
    """What a RS(544,514) decoder (KP4) counted within one gate: new counts only.

    ``histogram``: 17 numbers of codewords, by their wrong symbols: 0 to 15, which were corrected, and those
    with more, which could not be. ``gate_s`` is how long was counted, as well as it is known; the codewords
    are the truth: none at all without the frames' alignment.
    """

    histogram: tuple[int, ...]
    gate_s: float

    @property
    def codewords(self) -> int:
        """Codewords seen."""
        return sum(self.histogram)

    @property
    def uncorrectable_codewords(self) -> int:
        """Codewords with more wrong symbols than can be corrected."""
        return self.histogram[-1]

    @property
    def pre_fec_ber(self) -> float | None:
        """Estimate from the wrong symbols (10 bits), one wrong bit to each, 16 to a codeword that could not
        be corrected: the least that there was. None without codewords."""
        wrong = sum(symbols * codewords for symbols, codewords in enumerate(self.histogram))
        return wrong / (self.codewords * 5440) if self.codewords else None


class Bert(Instrument, Protocol):
    """Role ``bert``: sends patterns and counts bit errors, on all its lanes at once.

    It may be an instrument, or the module's own generators and checkers: ``self_measured`` and ``detector``
    tell, and belong into every record of a count. Where the module counts, the methods raise
    :class:`drivers.cmis.errors.CmisError` too: that is the module's fault, not the bench's.
    """

    @property
    def plane(self) -> str:
        """Where errors are counted: ``TP3`` (light into the module), ``TP1a`` (the host's signal into it),
        ``TP4`` (the module's signal to the host)."""

    @property
    def generator_plane(self) -> str:
        """Where its pattern is sent from: ``TP2`` (the module's light), ``TP4``, ``TP1a``."""

    @property
    def detector(self) -> str:
        """What counts, in words."""

    @property
    def self_measured(self) -> bool:
        """Whether the module under test counts its own errors."""

    @property
    def lanes(self) -> tuple[int, ...]:
        """Lanes it has, counted from 1: media lanes at TP2 and TP3, host lanes elsewhere."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that it can both send and check, such as ``PRBS31Q``."""

    @property
    def generator_patterns(self) -> tuple[str, ...]:
        """Patterns that it can send."""

    @property
    def checker_patterns(self) -> tuple[str, ...]:
        """Patterns that it can check."""

    def start_pattern(
        self, pattern: str, lanes: Sequence[int] | None = None, *, generate: bool = True, check: bool = True
    ) -> None:
        """Send a pattern (``generate``), and expect it (``check``), on these lanes (None: all); returns when
        it had time to settle. Other lanes are left alone. Only ``check``: another source sends the pattern.
        Only ``generate``: for patterns that cannot be checked."""

    def stop_pattern(self) -> None:
        """Stop sending and checking on all lanes."""

    def measure_errors(self, lanes: Sequence[int], gate_s: float) -> tuple[LaneErrors, ...]:
        """Count for ``gate_s`` seconds that begin after the call; one result for each lane, in their order.
        A lane without signal or lock is a result, not an error."""


@runtime_checkable
class DecodesFec(Protocol):
    """A BERT that also decodes the frames that come to it."""

    def read_fec_histogram(self, gate_s: float) -> FecStatistics:
        """What its RS(544,514) decoder makes of framed traffic for ``gate_s`` seconds that begin after the
        call, or as many as it needs to have new counts. No lane may send a pattern."""


class Attenuator(Instrument, Protocol):
    """Role ``attenuator``: channels with an attenuation and a shutter each. No offset and no power control:
    losses live in the bench file's wiring."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Its channels."""

    @property
    def attenuation_range_db(self) -> tuple[float, float]:
        """Lowest and highest attenuation that can be set, dB; insertion loss comes on top."""

    def configure(self, *, wavelength_nm: float, channels: Sequence[int] | None = None) -> None:
        """Set the wavelength (nm), take every offset out, leave power control; shutters stay as they are."""

    def set_attenuation_db(self, channel: int, attenuation_db: float) -> None:
        """Set it; returns when light has settled and the setting was read back."""

    def attenuation_db(self, channel: int) -> float:
        """As set, without insertion loss."""

    def set_shutter(self, channel: int, *, open_: bool) -> None:
        """Open or close a channel, and read that back."""

    def shutter_is_open(self, channel: int) -> bool:
        """Whether light goes through a channel."""


@dataclass(frozen=True, slots=True)
class EyeReading:
    """One number that an oscilloscope made of an eye or a pattern.

    ``quantity``: ``tdecq_db``, ``ceq_db``, ``oma_outer_w``, ``extinction_ratio_db``, ``rlm``,
    ``average_power_w``, ``transition_time_s``. ``value`` None: the instrument says that there is none, for
    ``reason``. ``questionable``: it gave one and doubts it, for ``reason``. ``autoscales_failed``: before the
    one that found the scale it was taken with.
    """

    quantity: str
    value: float | None
    questionable: bool = False
    reason: str = ""
    autoscales_failed: int = 0


@dataclass(frozen=True, slots=True)
class CapturedWaveform:
    """A pattern-locked record: whole periods, optical power in watts, equally spaced.

    ``filtered``: the instrument's reference receiver filter is in it already.
    """

    samples_w: Sequence[float]
    samples_per_ui: float
    symbol_rate_bd: float
    filtered: bool


class Oscilloscope(Instrument, Protocol):
    """Role ``oscilloscope``: a sampling oscilloscope with optical inputs and clock recovery."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Its optical inputs, numbered from 1."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quantities of :class:`EyeReading` that it measures."""

    def configure(
        self, channel: int, *, wavelength_nm: float, symbol_rate_bd: float, pattern_symbols: int
    ) -> None:
        """Reference receiver filter, clock recovery, pattern lock, scale; returns when it is locked.

        :raises drivers.errors.NotSettledError: when the clock or the pattern cannot be locked to.
        """

    def measure(
        self, channel: int, quantities: Sequence[str], *, patterns: int = 4
    ) -> tuple[EyeReading, ...]:
        """Take new data of this many pattern periods and measure, in the order asked."""

    def capture(self, channel: int) -> CapturedWaveform:
        """A new record of one pattern period."""

    def noise_w(self, channel: int) -> float:
        """Its own rms noise on a channel behind the reference filter, watts."""

    def measure_dark_noise_w(self, channel: int, *, wavelength_nm: float, symbol_rate_bd: float) -> float:
        """Measure that now, on an input that must be dark, and keep it; the channel is to be configured anew.

        :raises drivers.errors.InstrumentError: when there is light on the input.
        """


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A sweep: wavelengths in nm, powers in dBm within the resolution bandwidth; equally long."""

    wavelengths_nm: Sequence[float]
    powers_dbm: Sequence[float]
    resolution_nm: float


@dataclass(frozen=True, slots=True)
class LaserLine:
    """A single-mode laser in a spectrum: peak wavelength and power, and how far below the strongest side
    mode is; None where no side mode was found."""

    wavelength_nm: float
    power_dbm: float
    smsr_db: float | None


class SpectrumAnalyser(Instrument, Protocol):
    """Role ``spectrum_analyser``."""

    def configure(self, *, centre_nm: float, span_nm: float, resolution_nm: float) -> None:
        """Set the sweep."""

    def sweep(self) -> Spectrum:
        """Sweep once, now, and return it."""

    def laser_line(self) -> LaserLine:
        """Sweep once, now, and analyse it as the spectrum of one laser."""


class ReferenceTransmitter(Instrument, Protocol):
    """Role ``reference_tx``: light for receiver tests, with its own clock.

    ``connect`` and ``identify`` tell who the transmitter is: vendor, part number (``model``), serial number
    and firmware. OMA, extinction ratio and SECQ measured at TP3 belong to that serial number. Dark after
    ``connect``. Whatever it does wrong is a fault of the bench.
    """

    @property
    def lanes(self) -> tuple[int, ...]:
        """Its lanes."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that it sends, by their names in CMIS (``PRBS31Q``, ``SSPRQ``), and ``traffic``: what its
        own host sends. Known once it is connected.

        :raises drivers.errors.InstrumentError: before that, when it cannot be asked.
        """

    def start_pattern(self, pattern: str) -> None:
        """Light every lane, and send a pattern on it; returns when all do so. Takes seconds when it was not
        up, and lights lanes that were switched off.

        :raises drivers.errors.UnsupportedError: for a pattern that it does not send; nothing was changed.
        """

    def stop_pattern(self) -> None:
        """Switch the light of every lane off, and the pattern; returns when it is so. It stays ready, so that
        the next :meth:`start_pattern` is quick."""

    def set_lane(self, lane: int, *, lit: bool) -> None:
        """Switch the light of a lane on or off; returns when it is so. The lane keeps its pattern.

        :raises drivers.errors.OutOfRangeError: for a lane that it does not have.
        :raises drivers.errors.UnsupportedError: where it cannot switch lanes one by one.
        :raises drivers.errors.InstrumentError: to be lit before any pattern was started.
        """

    def lit_lanes(self) -> tuple[int, ...]:
        """Lanes whose light is on, as it says now."""


class Operator(Protocol):
    """Role ``operator``: a person at the bench."""

    @property
    def name(self) -> str:
        """How records call it."""

    def ask(self, request: str, *, answers: Sequence[str]) -> str:
        """Ask for something to be done or looked at; returns one of ``answers``.

        :raises drivers.errors.BenchError: when nobody answers.
        """


Controlled = Literal["case", "air"]
"""What a source of temperature brings to its set point: the module's case by a sensor on it, or the air."""


class Thermal(Instrument, Protocol):
    """Role ``thermal``: brings the module's case to a temperature."""

    @property
    def controls(self) -> Controlled:
        """What follows the set point. ``air``: the module's own heat keeps its case above it, and whoever
        wants a case temperature has to trim the set point."""

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
