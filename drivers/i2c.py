"""A two-wire bus over an object of smbus2's shape (its ``i2c_rdwr`` alone is used).

``i2c_rdwr`` because SMBus block reads stop at 32 bytes while a module's page has 128, and because a
register address and the read that follows it must be one transaction.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from drivers.clock import Clock
from drivers.errors import ConnectionFailedError, NoReplyError

if TYPE_CHECKING:
    from smbus2 import i2c_msg  # elsewhere when it is used: dumps and other ways to a module need no bus

# What Linux bus drivers return when the target does not acknowledge; which one depends on the adapter. EIO
# is none of them: adapters give it for a missing acknowledge and for faults of the bus alike. ENODEV is an
# adapter that was unplugged.
_NACK_ERRNOS = frozenset({errno.ENXIO, errno.EREMOTEIO})

_ARBITRATION_RETRIES = 3
_ARBITRATION_PAUSE_S = 0.001  # longer than a short transaction of the other master at 100 kHz

MAX_MESSAGES = 42
"""Messages that Linux takes in one transaction (I2C_RDWR_IOCTL_MAX_MSGS); a read behind an address is two."""


class SmbusLike(Protocol):
    """The part of ``smbus2.SMBus`` that is used."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer messages in one transaction with repeated starts."""

    def close(self) -> None:
        """Close the bus."""


class I2cNackError(NoReplyError):
    """The target did not acknowledge. A module that is busy does this for as long as it may."""


class I2cUnclearError(I2cNackError):
    """The target did not acknowledge, or the bus failed: with EIO an adapter may mean either, and the
    transaction may have been carried out in part. Nobody is to blame for it alone."""


class I2cRefusedByAdapterError(ConnectionFailedError):
    """The adapter cannot do a transaction of this form (EOPNOTSUPP). Linux finds that out before anything
    is transferred, so nothing has happened on the bus."""


class I2cBus:
    """One bus, one lock. Counts its transactions, so that a plan's cost can be told."""

    def __init__(self, smbus: SmbusLike, clock: Clock, *, name: str) -> None:
        self.name = name
        self._smbus = smbus
        self._clock = clock
        self._lock = threading.RLock()
        self._closed = False
        self.transactions = 0

    def transaction(self) -> AbstractContextManager[bool]:
        """Hold the bus for several transfers that belong together (page select and read)."""
        return self._lock

    def write(self, address: int, data: bytes) -> None:
        """Write bytes to a 7-bit address.

        :raises I2cNackError: when the target does not acknowledge; :class:`I2cUnclearError`, which is one,
            when that may be a fault of the bus instead.
        :raises ConnectionFailedError: on any other fault of the bus.
        """
        from smbus2 import i2c_msg

        self._transfer(address, i2c_msg.write(address, data))

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        """Write ``data``, then read ``length`` bytes after a repeated start.

        :raises I2cNackError: when the target does not acknowledge.
        :raises ConnectionFailedError: on any other fault of the bus.
        """
        return self.write_read_several(address, ((data, length),))[0]

    def write_read_several(self, address: int, parts: Sequence[tuple[bytes, int]]) -> tuple[bytes, ...]:
        """Write and read as :meth:`write_read` for each of ``parts`` (data, length), all in one transaction
        with repeated starts: nobody else comes between them. Counts as one transaction.

        :raises ValueError: for more parts than :data:`MAX_MESSAGES` allows.
        :raises I2cNackError: when the target does not acknowledge one of the messages.
        :raises I2cRefusedByAdapterError: when the adapter cannot join as many messages.
        :raises ConnectionFailedError: on any other fault of the bus.
        """
        if 2 * len(parts) > MAX_MESSAGES:
            raise ValueError(f"{len(parts)} reads in one transaction; {MAX_MESSAGES // 2} are possible")
        from smbus2 import i2c_msg

        answers = [i2c_msg.read(address, length) for _, length in parts]
        messages: list[i2c_msg] = []
        for (data, _), answer in zip(parts, answers, strict=True):
            messages += (i2c_msg.write(address, data), answer)
        self._transfer(address, *messages)
        return tuple(bytes(answer) for answer in answers)

    def close(self) -> None:
        """Close the underlying bus. A later transfer raises :class:`ConnectionFailedError`."""
        with self._lock:
            self._closed = True
            self._smbus.close()

    def _transfer(self, address: int, *messages: i2c_msg) -> None:
        with self._lock:
            where = f"I2C address 0x{address:02X}"
            if self._closed:
                raise ConnectionFailedError(
                    self.name, f"{where}: the bus was closed", advice="Open the bus anew."
                )
            try:
                self._transfer_once(messages)
            except OSError as fault:
                if fault.errno in _NACK_ERRNOS:
                    raise I2cNackError(self.name, f"{where} does not acknowledge") from fault
                if fault.errno == errno.EIO:
                    raise I2cUnclearError(
                        self.name,
                        f"{where} does not acknowledge, or the bus failed: the adapter says only EIO",
                        advice="See whether another target on this bus answers, and check the cable.",
                    ) from fault
                if fault.errno == errno.EOPNOTSUPP:
                    raise I2cRefusedByAdapterError(
                        self.name,
                        f"{where}: the adapter cannot do a transaction of {len(messages)} messages: {fault}",
                        advice="Use an adapter that joins messages with repeated starts.",
                    ) from fault
                raise ConnectionFailedError(
                    self.name,
                    f"{where}: {fault}",
                    advice="Check that the adapter is plugged in and that this user may open it.",
                ) from fault

    def _transfer_once(self, messages: Sequence[i2c_msg]) -> None:
        """Transfer, and once more where another master won the arbitration (EAGAIN): nothing of it went
        through then."""
        for retries_left in range(_ARBITRATION_RETRIES, -1, -1):
            self._clock.checkpoint()
            self.transactions += 1
            try:
                self._smbus.i2c_rdwr(*messages)
            except OSError as fault:
                if fault.errno != errno.EAGAIN or not retries_left:
                    raise
            else:
                return
            self._clock.sleep(_ARBITRATION_PAUSE_S)
