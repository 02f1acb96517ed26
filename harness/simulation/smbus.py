"""A simulated two-wire bus of smbus2's shape, on a world's virtual time.

Each message costs what it costs on a real bus: a start condition, nine clock periods per byte (the
address byte included) and, after the last message, a stop condition. A target that does not acknowledge
costs its address byte only and gives the ``OSError(ENXIO)`` that Linux gives.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from harness.simulation.faults import RunningFaults
from harness.simulation.world import NS_PER_S, World, ns_from_s

if TYPE_CHECKING:
    from smbus2 import i2c_msg

BITRATE_HZ = 400_000
"""Of a bus in fast mode."""
_I2C_M_RD = 0x0001  # Linux: the message is a read
_BITS_PER_BYTE = 9  # eight and the acknowledgement
_CONDITION_BITS = 1  # a start, repeated start or stop condition takes about one clock period
_ADDRESS_BITS = _CONDITION_BITS + _BITS_PER_BYTE
_HELD_NS = NS_PER_S  # what Linux's bus drivers wait for by default
_ERRNOS = {"dies": errno.ENXIO, "time_out": errno.ETIMEDOUT, "disconnects": errno.ENODEV}


class Nack(Exception):  # noqa: N818 - an answer of the bus, not a fault of the program
    """A target does not acknowledge (busy, or it refuses a byte)."""


class MessageNack(Nack):
    """A message of a transaction was not acknowledged. Attribute ``index``: which one, from 0."""

    def __init__(self, index: int) -> None:
        super().__init__(f"message {index} was not acknowledged")
        self.index = index


BusMessage = tuple[int, bytes | int]
"""7-bit address, and the bytes to write or the number of bytes to read."""


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

    ``bitrate_hz`` None: transfers take no time of the world, for one that follows another clock.
    Attributes: ``transactions`` counts calls of :meth:`i2c_rdwr`, ``messages`` the messages in them.
    """

    def __init__(self, world: World, bitrate_hz: int | None = BITRATE_HZ) -> None:
        if bitrate_hz is not None and bitrate_hz <= 0:
            raise ValueError(f"the bus needs a bit rate above zero, got {bitrate_hz}")
        self._world = world
        self._bit_ns = 0 if bitrate_hz is None else NS_PER_S // bitrate_hz
        self._targets: dict[int, I2cTarget] = {}
        self._open = True
        self._faults = RunningFaults(world, (*_ERRNOS, "slow"), "of a two-wire bus")
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

    def fail(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """From now on something goes wrong, for ``count`` transactions and ``for_s`` seconds, whichever ends
        first (0: for ever): ``dies``: nobody acknowledges; ``time_out``: somebody holds the clock, ETIMEDOUT
        after a second; ``disconnects``: the adapter is gone; ``slow``: each takes ``delay_s`` longer.

        :raises ValueError: for a kind that there is not.
        """
        self._faults.start(kind, count=count, for_s=for_s, delay_s=delay_s)

    def recover(self, kind: str = "") -> None:
        """What went wrong goes wrong no more: one kind, or all."""
        for running in self._faults.kinds if not kind else (kind,):
            self._faults.stop(running)

    def failing(self) -> tuple[str, ...]:
        """What goes wrong now, by kind."""
        return self._faults.kinds

    def _suffer(self) -> None:
        """The faults, if there are any.

        :raises OSError: as Linux says it.
        """
        self._world.advance_to(self._world.now_ns + ns_from_s(self._faults.delay_s))
        for kind, number in _ERRNOS.items():
            if self._faults.strikes(kind):
                if kind == "time_out":
                    self._world.advance_to(self._world.now_ns + _HELD_NS)
                raise OSError(number, os.strerror(number))

    def transfer(self, messages: Sequence[BusMessage]) -> list[bytes]:
        """Transfer messages in one transaction; returns the bytes of each read, in order.

        What :meth:`i2c_rdwr` does, without smbus2's buffers: for servers and fast hosts in this process.

        :raises MessageNack: when a target does not acknowledge; messages before it took effect.
        :raises OSError: EBADF when the bus is closed; what :meth:`fail` says.
        """
        answers: list[bytes] = []
        spend, bit_ns = self._world.spend, self._bit_ns
        done = 0
        with self._world.lock:
            if not self._open:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self.transactions += 1
            if self._faults.kinds:
                self._suffer()
            try:
                for address, content in messages:
                    self.messages += 1
                    spend(_ADDRESS_BITS * bit_ns)
                    target = self._addressed(address)
                    if isinstance(content, int):
                        spend(_BITS_PER_BYTE * content * bit_ns)
                        answer = target.read(content)
                        if len(answer) != content:
                            raise ValueError(f"a target gave {len(answer)} bytes where {content} were read")
                        answers.append(answer)
                    else:
                        spend(_BITS_PER_BYTE * len(content) * bit_ns)
                        target.write(content)
                    done += 1
            except Nack as nack:
                raise MessageNack(done) from nack
            finally:
                spend(_CONDITION_BITS * bit_ns)  # stop
        return answers

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer messages in one transaction, filling the buffers of reads.

        :raises OSError: ENXIO when a target does not acknowledge, EBADF when the bus is closed.
        """
        reads = [message for message in i2c_msgs if message.flags & _I2C_M_RD]
        try:
            answers = self.transfer(
                [
                    (message.addr, message.len if message.flags & _I2C_M_RD else bytes(message))
                    for message in i2c_msgs
                ]
            )
        except MessageNack as nack:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO)) from nack
        for message, answer in zip(reads, answers, strict=True):
            ctypes.memmove(message.buf, answer, len(answer))

    def close(self) -> None:
        """Close the bus: further transfers fail."""
        self._open = False

    def _addressed(self, address: int) -> I2cTarget:
        target = self._targets.get(address)
        if target is None or not target.acknowledges():
            raise Nack
        return target
