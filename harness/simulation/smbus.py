"""A simulated two-wire bus of smbus2's shape, on a world's virtual time.

Each message costs what it costs on a real bus: a start condition, nine clock periods per byte (the
address byte included) and, after the last message, a stop condition. A target that does not acknowledge
costs its address byte only and gives the ``OSError(ENXIO)`` that Linux gives.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Protocol

from harness.simulation.world import NS_PER_S, World

if TYPE_CHECKING:
    from smbus2 import i2c_msg

_I2C_M_RD = 0x0001  # Linux: the message is a read
_BITS_PER_BYTE = 9  # eight and the acknowledgement
_CONDITION_BITS = 1  # a start, repeated start or stop condition takes about one clock period


class Nack(Exception):  # noqa: N818 - an answer of the bus, not a fault of the program
    """A target does not acknowledge (busy, or it refuses a byte)."""


class I2cTarget(Protocol):
    """Something that answers at an address of the bus."""

    def acknowledges(self) -> bool:
        """Whether it acknowledges its address now."""

    def write(self, data: bytes) -> None:
        """Take the bytes of one write message.

        :raises Nack: when it refuses them.
        """

    def read(self, length: int) -> bytes:
        """Give the bytes of one read message.

        :raises Nack: when it refuses.
        """


class SimulatedI2cBus:
    """An object with the methods of ``smbus2.SMBus`` that this project uses.

    Attributes: ``transactions`` counts calls of :meth:`i2c_rdwr`, ``messages`` the messages in them.
    """

    def __init__(self, world: World, bitrate_hz: int = 400_000) -> None:
        if bitrate_hz <= 0:
            raise ValueError(f"the bus needs a bit rate above zero, got {bitrate_hz}")
        self._world = world
        self._bit_ns = NS_PER_S // bitrate_hz
        self._targets: dict[int, I2cTarget] = {}
        self._open = True
        self.transactions = 0
        self.messages = 0

    def attach(self, address: int, target: I2cTarget) -> None:
        """Put a target at a 7-bit address.

        :raises ValueError: when the address is not 7 bits or already taken.
        """
        if not 0 <= address <= 0x7F:
            raise ValueError(f"0x{address:02X} is not a 7-bit I2C address")
        if address in self._targets:
            raise ValueError(f"two targets at I2C address 0x{address:02X}")
        self._targets[address] = target

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer messages in one transaction, filling the buffers of reads.

        :raises OSError: ENXIO when a target does not acknowledge, EBADF when the bus is closed.
        """
        with self._world.lock:
            if not self._open:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self.transactions += 1
            try:
                for message in i2c_msgs:
                    self._transfer(message)
            except Nack as nack:
                raise OSError(errno.ENXIO, os.strerror(errno.ENXIO)) from nack
            finally:
                self._spend(_CONDITION_BITS)  # stop

    def close(self) -> None:
        """Close the bus: further transfers fail."""
        self._open = False

    def _transfer(self, message: i2c_msg) -> None:
        self.messages += 1
        self._spend(_CONDITION_BITS + _BITS_PER_BYTE)
        target = self._targets.get(message.addr)
        if target is None or not target.acknowledges():
            raise Nack
        length: int = message.len
        self._spend(_BITS_PER_BYTE * length)
        if not message.flags & _I2C_M_RD:
            target.write(bytes(message))
            return
        answer = target.read(length)
        if len(answer) != length:
            raise ValueError(f"a target gave {len(answer)} bytes where {length} were read")
        ctypes.memmove(message.buf, answer, length)

    def _spend(self, bits: int) -> None:
        self._world.advance_to(self._world.now_ns + bits * self._bit_ns)
