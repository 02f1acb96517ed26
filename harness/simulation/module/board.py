"""The board a simulated module is plugged into: a PCA9535 whose pins are the module's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from harness.simulation.module.simulated_module import I2C_ADDRESS
from harness.simulation.smbus import I2cTarget, Nack, SimulatedI2cBus
from harness.simulation.world import World

EXPANDER_ADDRESS = 0x20
"""Address with A0..A2 tied low."""

_PORTS = 2
_OUTPUT, _POLARITY, _CONFIGURATION = 2, 4, 6  # first register of each pair; inputs are 0 and 1
_REGISTERS = 8


class PluggedModule(Protocol):
    """The module's side of the connector."""

    @property
    def interface(self) -> I2cTarget:
        """Its two-wire interface."""

    def set_reset(self, *, asserted: bool) -> None:
        """Drive ResetL."""

    def set_low_power(self, *, asserted: bool) -> None:
        """Drive LPMode."""

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL."""

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""


class SimulatedHostBoard:
    """Module and expander on a bus. Pins that the expander does not drive are pulled up.

    ``pin_bits``: expander pin of ``reset_l``, ``lpmode``, ``modsel_l``, ``modprs_l`` and ``int_l``.
    The expander is an I2C target with the PCA9535's registers: a command byte, then data that alternate
    between the two registers of a pair.
    """

    def __init__(
        self,
        world: World,
        bus: SimulatedI2cBus,
        module: PluggedModule,
        pin_bits: Mapping[str, int],
        *,
        expander_address: int = EXPANDER_ADDRESS,
        module_address: int = I2C_ADDRESS,
    ) -> None:
        self._world = world
        self._module = module
        self._pins = dict(pin_bits)
        self._registers = bytearray(_REGISTERS)
        self._command = 0
        self._inserted = True
        self._driven: dict[str, bool] = {}
        bus.attach(expander_address, self)
        bus.attach(module_address, _Socket(self, module.interface))
        self.power_on()

    @property
    def inserted(self) -> bool:
        """Whether the module is plugged in."""
        return self._inserted

    def set_inserted(self, inserted: bool) -> None:
        """Plug the module in or pull it out. Its supply is the world's matter."""
        with self._world.lock:
            self._inserted = inserted

    def power_on(self) -> None:
        """The expander's power-on state: all pins inputs, output registers all ones."""
        with self._world.lock:
            self._registers[:] = bytes((0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF))
            self._command = 0
            self._drive()

    # -- the expander as a target ----------------------------------------------------------------------

    def acknowledges(self) -> bool:
        """An expander is never busy."""
        return True

    def write(self, data: bytes) -> None:
        """Command byte, then data.

        :raises Nack: for a command that the expander does not have.
        """
        if not data:
            return
        if data[0] >= _REGISTERS:
            raise Nack
        self._command = data[0]
        for value in data[1:]:
            if self._command >= _OUTPUT:  # input registers ignore writes
                self._registers[self._command] = value
            self._command ^= 1
        if len(data) > 1:
            self._drive()

    def read(self, length: int) -> bytes:
        """Data from the commanded register on, alternating within its pair."""
        values = bytearray()
        inputs = self._inputs() if self._command < _OUTPUT else b""
        for _ in range(length):
            values.append(inputs[self._command] if inputs else self._registers[self._command])
            self._command ^= 1
        return bytes(values)

    # -- inside ----------------------------------------------------------------------------------------

    def _pair(self, register: int) -> int:
        return int.from_bytes(self._registers[register : register + _PORTS], "little")

    def _levels(self) -> int:
        """Levels that the expander and the pull-ups give; inputs from the module not included."""
        return self._pair(_OUTPUT) | self._pair(_CONFIGURATION)

    def _inputs(self) -> bytes:
        levels = self._levels()
        inputs = self._pair(_CONFIGURATION)
        for pin, low in (
            ("modprs_l", self._inserted),
            ("int_l", self._inserted and self._module.interrupt_asserted()),
        ):
            bit = 1 << self._pins[pin]
            if low and inputs & bit:
                levels &= ~bit
        return (levels ^ self._pair(_POLARITY)).to_bytes(_PORTS, "little")

    def _drive(self) -> None:
        levels = self._levels()
        asserted = {
            "reset_l": not levels >> self._pins["reset_l"] & 1,
            "lpmode": bool(levels >> self._pins["lpmode"] & 1),
            "modsel_l": not levels >> self._pins["modsel_l"] & 1,
        }
        actions = {
            "reset_l": self._module.set_reset,
            "lpmode": self._module.set_low_power,
            "modsel_l": self._module.set_selected,
        }
        for pin, value in asserted.items():
            if self._driven.get(pin) != value:
                self._driven[pin] = value
                actions[pin](asserted=value)


class _Socket:
    """The module's place on the bus: nobody answers there while it is empty."""

    def __init__(self, board: SimulatedHostBoard, interface: I2cTarget) -> None:
        self._board = board
        self._interface = interface

    def acknowledges(self) -> bool:
        return self._board.inserted and self._interface.acknowledges()

    def write(self, data: bytes) -> None:
        self._interface.write(data)

    def read(self, length: int) -> bytes:
        return self._interface.read(length)
