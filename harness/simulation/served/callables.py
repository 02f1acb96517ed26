"""A simulated module as two callables, in this process: what any host library can be driven with."""

from __future__ import annotations

from harness.simulation.module.simulated_module import I2C_ADDRESS, SimulatedModule
from harness.simulation.smbus import BusMessage, MessageNack, SimulatedI2cBus
from harness.simulation.world import World

_HALF = 128
_BANK_SELECT = 126
_PAUSE_S = 100e-6
_LONGEST_HOLD_OFF_S = 5.0  # beyond the longest a module may advertise: 4.96 s for a foreground command


class TwoCallables:
    """``read(bank, page, byte, length)`` and ``write(bank, page, byte, data)`` of a module.

    Each does on a bus of its own what a host does: select the page, split what is longer than the module
    takes, and wait while the module holds off: by advancing ``world``, since nobody else does. The module
    has to have its supply and to be selected.
    """

    def __init__(
        self, world: World, module: SimulatedModule, *, hold_off_limit_s: float = _LONGEST_HOLD_OFF_S
    ) -> None:
        self._world = world
        self._limit_s = hold_off_limit_s
        self._longest_read = module.profile.management.longest_read_bytes
        self._longest_write = module.profile.management.longest_write_bytes
        self._bus = SimulatedI2cBus(world)
        self._bus.attach(I2C_ADDRESS, module.interface)
        self._name = module.name

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """``length`` bytes from ``byte`` (0..255) on; below 128 bank and page do not matter.

        :raises ValueError: when they do not lie within one half, or the module has no such page.
        :raises TimeoutError: when the module does not acknowledge for longer than a module may hold off.
        """
        _check(byte, length)
        parts = []
        for start in range(byte, byte + length, self._longest_read):
            size = min(self._longest_read, byte + length - start)
            if byte >= _HALF:
                self._select(bank, page)
            parts.append(self._transfer(((I2C_ADDRESS, bytes([start])), (I2C_ADDRESS, size)))[0])
        return b"".join(parts)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write from ``byte`` on; raises what :meth:`read` raises."""
        _check(byte, len(data))
        for start in range(0, len(data), self._longest_write):
            if byte >= _HALF:
                self._select(bank, page)
            part = data[start : start + self._longest_write]
            self._transfer(((I2C_ADDRESS, bytes([byte + start]) + part),))

    def _select(self, bank: int, page: int) -> None:
        """Map the page, if it is not: the module itself is asked, for a reset maps page 00h."""
        if self._selected() == bytes([bank, page]):
            return
        self._transfer(((I2C_ADDRESS, bytes([_BANK_SELECT, bank, page])),))
        if self._selected()[1] != page:
            raise ValueError(f"{self._name} has no page {page:02X}h in bank {bank}")

    def _selected(self) -> bytes:
        return self._transfer(((I2C_ADDRESS, bytes([_BANK_SELECT])), (I2C_ADDRESS, 2)))[0]

    def _transfer(self, messages: tuple[BusMessage, ...]) -> list[bytes]:
        world = self._world
        end_s: float | None = None
        while True:
            try:
                return self._bus.transfer(messages)
            except MessageNack as nack:
                end_s = world.now_s + self._limit_s if end_s is None else end_s
                if world.now_s >= end_s:
                    raise TimeoutError(
                        f"{self._name} does not acknowledge for {self._limit_s:g} s: has it its supply, and "
                        "is it selected and out of reset?"
                    ) from nack
                world.advance(_PAUSE_S)


def _check(byte: int, length: int) -> None:
    if not (byte >= 0 and length > 0 and byte // _HALF == (byte + length - 1) // _HALF <= 1):
        raise ValueError(f"bytes {byte}..{byte + length - 1} do not lie within one half of the memory")
