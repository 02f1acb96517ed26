"""A module host board on a two-wire bus: the module at 50h, its pins on a PCA9535-compatible I/O expander.

Pins by their form-factor names: ``reset_l``, ``lpmode``, ``modsel_l`` (outputs), ``modprs_l``, ``int_l``
(inputs, with pull-ups on the board). All ``_l`` pins are active low, ``lpmode`` is active high.

Never run on hardware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.clock import Clock
from drivers.cmis.access import I2cMemory
from drivers.errors import InstrumentError, OutOfRangeError
from drivers.i2c import I2cBus
from drivers.interfaces import Identity, SafetyStep
from drivers.io_expander import PIN_COUNT, IoExpander

RESET_HOLD_S = 100e-6
"""How long ResetL is held at least: CMIS asks for 10 us (OIF-CMIS-05.4 Table 10-1)."""

OUTPUT_PINS = ("reset_l", "lpmode", "modsel_l")
INPUT_PINS = ("modprs_l", "int_l")
_ASSERTED_LEVEL = {"reset_l": 0, "lpmode": 1, "modsel_l": 0, "modprs_l": 0, "int_l": 0}
_AFTER_CONNECT = {"reset_l": False, "lpmode": True, "modsel_l": True}  # asserted or not
_SAFE = {"reset_l": True, "lpmode": True}
_OPTIONS = ("expander_address", "pin_bits", "max_read_bytes")


@dataclass(frozen=True, slots=True)
class HostBoardOptions:
    """Options of a bench file, checked.

    ``expander_address``: 7-bit address; ``pin_bits``: pin name to expander pin 0..15 (8 and up: port 1);
    ``max_read_bytes``: bytes of one read of the module (8, or an even number up to 128 for modules that give
    more; odd ones would split two-byte values).
    """

    expander_address: int
    pin_bits: Mapping[str, int]
    max_read_bytes: int = 8

    @classmethod
    def parse(cls, options: Mapping[str, object], *, name: str) -> HostBoardOptions:
        """From a bench file's table.

        :raises OutOfRangeError: naming the option that is missing, unknown or out of range.
        """
        for key in options:
            if key not in _OPTIONS:
                raise OutOfRangeError(name, f"unknown option {key!r}; there are: {', '.join(_OPTIONS)}")
        address = _whole(name, "expander_address", options.get("expander_address"), 0x08, 0x77)
        max_read = _whole(name, "max_read_bytes", options.get("max_read_bytes", 8), 8, 128)
        if max_read % 2:
            raise OutOfRangeError(name, f"option max_read_bytes must be even, got {max_read}")
        listed = options.get("pin_bits")
        wanted = (*OUTPUT_PINS, *INPUT_PINS)
        if not isinstance(listed, Mapping) or set(listed) != set(wanted):
            raise OutOfRangeError(name, f"option pin_bits must give a bit for each of {', '.join(wanted)}")
        bits = {pin: _whole(name, f"pin_bits.{pin}", listed[pin], 0, PIN_COUNT - 1) for pin in wanted}
        if len(set(bits.values())) != len(bits):
            raise OutOfRangeError(name, "option pin_bits puts two pins on one bit of the expander")
        return cls(address, bits, max_read)


def _whole(name: str, option: str, value: object, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise OutOfRangeError(name, f"option {option} must be a whole number {low}..{high}, got {value!r}")


class ExpanderPins:
    """The module's pins on the expander. Every level that is set is read back at the pin."""

    def __init__(
        self, expander: IoExpander, clock: Clock, memory: I2cMemory, pin_bits: Mapping[str, int]
    ) -> None:
        self._expander = expander
        self._clock = clock
        self._memory = memory
        self._masks = {pin: 1 << bit for pin, bit in pin_bits.items()}

    def set_reset(self, *, asserted: bool) -> None:
        """Assert ResetL, and hold it for the shortest pulse that counts, or release it.

        :raises InstrumentError: when the pin does not follow.
        """
        self.drive({"reset_l": asserted})
        if asserted:
            self._clock.sleep(RESET_HOLD_S)
        self._memory.forget_page()  # a reset module has page 00h selected

    def reset_asserted(self) -> bool:
        """Whether ResetL is low."""
        return self.asserted("reset_l")

    def set_low_power(self, *, asserted: bool) -> None:
        """Assert or release LPMode.

        :raises InstrumentError: when the pin does not follow.
        """
        self.drive({"lpmode": asserted})

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL.

        :raises InstrumentError: when the pin does not follow.
        """
        self.drive({"modsel_l": asserted})

    def module_present(self) -> bool:
        """Whether ModPrsL is low."""
        return self.asserted("modprs_l")

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""
        return self.asserted("int_l")

    def asserted(self, pin: str) -> bool:
        """Whether a pin is at its asserted level, as the expander's input register shows it."""
        return self._is_asserted(pin, self._expander.read_inputs())

    def drive(self, pins: Mapping[str, bool]) -> None:
        """Bring output pins to their asserted (True) or released level, and read that back.

        :raises InstrumentError: naming the pins that do not follow.
        """
        wrong = [pin for pin, followed in self.try_drive(pins).items() if not followed]
        if wrong:
            raise InstrumentError(
                self._expander.name,
                f"pin {', '.join(wrong)} of the expander at 0x{self._expander.address:02X} does not follow "
                "its output",
                advice="Check pin_bits in the bench file against the board, and the board for a short.",
            )

    def try_drive(self, pins: Mapping[str, bool]) -> dict[str, bool]:
        """As :meth:`drive`, but tell which pins follow."""
        self.push(pins)
        inputs = self._expander.read_inputs()
        return {pin: self._is_asserted(pin, inputs) == asserted for pin, asserted in pins.items()}

    def push(self, pins: Mapping[str, bool]) -> None:
        """As :meth:`drive`, without a look at what the pins do."""
        mask = sum(self._masks[pin] for pin in pins)
        levels = sum(
            self._masks[pin] for pin, asserted in pins.items() if asserted == bool(_ASSERTED_LEVEL[pin])
        )
        # Levels before directions: a pin that becomes an output must not glitch.
        self._expander.write_outputs(levels, mask)
        self._expander.write_directions(0, mask)

    def prepare(self) -> None:
        """No inversion on our pins; inputs are inputs."""
        self._expander.write_inversions(0, sum(self._masks.values()))
        inputs = sum(self._masks[pin] for pin in INPUT_PINS)
        self._expander.write_directions(inputs, inputs)

    def _is_asserted(self, pin: str, inputs: int) -> bool:
        return bool(inputs & self._masks[pin]) == bool(_ASSERTED_LEVEL[pin])


class I2cHostBoard:
    """:class:`drivers.interfaces.HostBoard` of an expander and a module on one bus.

    ``options``: see :class:`HostBoardOptions`. Never run on hardware.
    """

    def __init__(self, bus: I2cBus, clock: Clock, *, name: str, options: Mapping[str, object]) -> None:
        checked = HostBoardOptions.parse(options, name=name)
        self.name = name
        self._expander = IoExpander(bus, checked.expander_address, name=name)
        self._memory = I2cMemory(bus, clock, max_read=checked.max_read_bytes)
        self._pins = ExpanderPins(self._expander, clock, self._memory, checked.pin_bits)

    @property
    def pins(self) -> ExpanderPins:
        """The module's pins."""
        return self._pins

    @property
    def memory(self) -> I2cMemory:
        """The module's memory at 50h."""
        return self._memory

    def connect(self) -> Identity:
        """Take the pins over: LPMode asserted, module selected and not in reset; read back.

        :raises InstrumentError: when a pin does not follow.
        """
        self._pins.prepare()
        self._pins.drive(_AFTER_CONNECT)
        self._memory.forget_page()
        return self.identify()

    def identify(self) -> Identity:
        """An expander has no identity of its own; that it answers is all that is checked.

        :raises drivers.i2c.I2cNackError: when it does not.
        """
        self._expander.read_inputs()
        return Identity("", "I2C host board", "", "")

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """It has no error queue."""
        return ()

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Hold the module in low power and in reset: it emits no light then.

        Each pin is driven before anything is looked at, whatever becomes of the others. Raises nothing but a
        stop request: what went wrong is in the steps.
        """
        faults: dict[str, InstrumentError] = {}
        for pin, asserted in _SAFE.items():
            try:
                self._pins.push({pin: asserted})
            except InstrumentError as fault:
                faults[pin] = fault
        self._memory.forget_page()
        try:
            self._pins.prepare()  # without it a pin that is inverted would read back as its opposite
        except InstrumentError as fault:
            for pin in _SAFE:
                faults.setdefault(pin, fault)
        return tuple(self._read_back(pin, asserted, faults.get(pin)) for pin, asserted in _SAFE.items())

    def _read_back(self, pin: str, asserted: bool, fault: InstrumentError | None) -> SafetyStep:
        action = f"assert {pin}"
        try:
            found = self._pins.asserted(pin)
        except InstrumentError as silent:
            return SafetyStep(action, f"not confirmed: {fault or silent}", safe=False)
        read_back = f"pin {'asserted' if found else 'released'}"
        if fault is not None:
            return SafetyStep(action, f"{read_back}, but: {fault}", safe=False)
        return SafetyStep(action, read_back, safe=found == asserted)
