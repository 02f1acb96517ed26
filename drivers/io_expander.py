"""A 16-bit I/O expander with the register set of the NXP PCA9535.

Source: NXP PCA9535 data sheet, command byte table: input 0/1, output 2/3, polarity inversion 4/5,
configuration 6/7 (bit 1 = input). Bits 0..7 are port 0, bits 8..15 port 1. After power-on every pin is an
input and every output register bit is 1. A register pair is read and written in one transfer.

Never run on hardware.
"""

from __future__ import annotations

from drivers.errors import OutOfRangeError
from drivers.i2c import I2cBus

_INPUT = 0
_OUTPUT = 2
_POLARITY = 4
_CONFIGURATION = 6
PIN_COUNT = 16


class IoExpander:
    """The expander at one address. Reads back from the chip; keeps no copy of its registers."""

    def __init__(self, bus: I2cBus, address: int, *, name: str) -> None:
        if not 0x08 <= address <= 0x77:
            raise OutOfRangeError(name, f"0x{address:X} is not a usable 7-bit I2C address (0x08..0x77)")
        self.name = name
        self.address = address
        self._bus = bus

    def read_inputs(self) -> int:
        """Levels at the pins, bit n = pin n (whatever the direction)."""
        return self._read(_INPUT)

    def read_outputs(self) -> int:
        """The output register: what the output pins are driven to."""
        return self._read(_OUTPUT)

    def read_directions(self) -> int:
        """The configuration register: bit 1 = input, 0 = output."""
        return self._read(_CONFIGURATION)

    def read_inversions(self) -> int:
        """The polarity register: bit 1 = the input register shows the inverse of the pin."""
        return self._read(_POLARITY)

    def write_outputs(self, levels: int, mask: int) -> None:
        """Set the output register bits in ``mask`` to those of ``levels``; leave the others."""
        self._change(_OUTPUT, levels, mask)

    def write_directions(self, inputs: int, mask: int) -> None:
        """Make the pins in ``mask`` inputs where ``inputs`` has a 1, outputs where it has a 0."""
        self._change(_CONFIGURATION, inputs, mask)

    def write_inversions(self, inverted: int, mask: int) -> None:
        """Set the polarity register bits in ``mask``."""
        self._change(_POLARITY, inverted, mask)

    def _read(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self.address, bytes((register,)), 2), "little")

    def _change(self, register: int, value: int, mask: int) -> None:
        if not 0 <= mask < 1 << PIN_COUNT or not 0 <= value < 1 << PIN_COUNT:
            raise OutOfRangeError(
                self.name, f"pins are bits 0..{PIN_COUNT - 1}: value {value:#x}, mask {mask:#x}"
            )
        with self._bus.transaction():
            changed = self._read(register) & ~mask | value & mask
            self._bus.write(self.address, bytes((register,)) + changed.to_bytes(2, "little"))
