"""Clients of served modules: a bus of smbus2's shape, a module's pins, its time, and what surrounds it.

A connection serves one slot; :func:`open_served` opens one. With these, drivers work as on hardware:

    bus, pins, clock = open_served("127.0.0.1:40123/0")
    memory = I2cMemory(I2cBus(bus, clock, name="slot 0"), clock)

Whoever needs none of the project's code finds the protocol in ``docs/simulated-module.md``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from drivers.clock import StopFlag
from drivers.errors import ConnectionFailedError
from harness.simulation.served import protocol
from harness.simulation.served.addresses import parse_module
from harness.simulation.served.protocol import (
    ClockKind,
    Greeting,
    Pin,
    ProtocolError,
    Quantity,
    Status,
)
from harness.simulation.smbus import BusMessage

if TYPE_CHECKING:
    from types import TracebackType

    from smbus2 import i2c_msg

TIMEOUT_S = 30.0
"""Wall time for a reply."""

_I2C_M_RD = 0x0001
_RESET_HOLD_S = 100e-6  # as a host board holds ResetL; CMIS asks for 10 us
_SLEEP_SLICE_S = 0.2  # of wall time: how long a stop request may go unnoticed
_ADVANCE_SLICE_S = 1.0  # of module time, the same

_ERRNOS = {name: number for number, name in errno.errorcode.items()}

_Result = TypeVar("_Result")


class NotAcknowledgedError(OSError):
    """A message of a transfer was not acknowledged (errno ENXIO, as on Linux). ``index``: which one."""

    def __init__(self, index: int) -> None:
        super().__init__(errno.ENXIO, os.strerror(errno.ENXIO))
        self.index = index


class RequestRefusedError(OSError):
    """The server refuses a request (errno EINVAL); the text is the server's."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


class ServedConnection:
    """One connection to one slot. Thread-safe: requests wait for each other.

    :raises OSError: when nothing listens there.
    :raises ProtocolError: when what listens there is no such server, or has no such slot.
    """

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        server, slot = parse_module(address)
        self.name = f"{server}/{slot}"
        self._slot = slot
        self._lock = threading.Lock()
        self._received = bytearray()
        self._socket: socket.socket | None = socket.socket(server.family, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(server.for_socket)
            if not server.path:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.greeting: Greeting = protocol.decode_greeting(self.request(protocol.HELLO))
            self._require_slot()
        except BaseException:
            self.close()
            raise

    def _require_slot(self) -> None:
        there = len(self.greeting.modules)
        if self._slot >= there:
            raise ProtocolError(f"{self.name}: there are slots 0 to {there - 1}, not {self._slot}")

    def request(self, operation: bytes, body: bytes = b"") -> bytes:
        """Ask, and return the body of the reply.

        :raises NotAcknowledgedError: for a transfer.
        :raises RequestRefusedError: when the server refuses.
        :raises OSError: with the bus's errno, for a transfer that fails for the bus.
        :raises OSError: when the connection fails; it is closed then, for a late reply must not answer
            another request.
        """
        with self._lock:
            if self._socket is None:
                raise OSError(errno.EBADF, f"{self.name}: the connection is closed")
            try:
                self._socket.sendall(protocol.encode_request(operation, self._slot, body))
                reply = self._receive(self._socket)
            except BaseException:
                self._shut()
                raise
        if reply[0] == Status.DONE:
            return reply[1:]
        if reply[0] == Status.NOT_ACKNOWLEDGED and len(reply) == 2:
            raise NotAcknowledgedError(reply[1])
        if reply[0] == Status.BUS_FAILED:
            number = _ERRNOS.get(reply[1:].decode("ascii", "replace"), errno.EIO)
            raise OSError(number, os.strerror(number))
        raise RequestRefusedError(reply[1:].decode("ascii", "replace"))

    def close(self) -> None:
        """Close the connection; the module goes on."""
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, sock: socket.socket) -> bytes:
        while True:
            try:
                content = protocol.take_frame(self._received)
            except ProtocolError as fault:
                raise OSError(errno.EPROTO, f"{self.name}: {fault}") from fault
            if content is not None:
                return content
            data = sock.recv(65_536)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, f"{self.name}: the server closed the connection")
            self._received += data


class ServedBus:
    """The bus of a slot, in the shape of ``smbus2.SMBus``: the module at 50h, the board's expander at 20h.

    Every method raises ``OSError``: ENXIO when a target does not acknowledge, EOPNOTSUPP for messages with
    other flags than a read's, EINVAL for more messages than Linux takes, others when the connection fails.
    """

    def __init__(self, connection: ServedConnection) -> None:
        self.connection = connection

    def __enter__(self) -> ServedBus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def transfer(self, messages: Sequence[BusMessage]) -> bytes:
        """Transfer (address, bytes to write or length to read) in one transaction; the bytes of all reads."""
        try:
            body = protocol.encode_transfer(messages)
        except struct.error as fault:
            raise OSError(errno.EINVAL, str(fault)) from fault
        answer = self.connection.request(protocol.TRANSFER, body)
        expected = sum(content for _, content in messages if isinstance(content, int))
        if len(answer) != expected:
            raise OSError(errno.EPROTO, f"{self.connection.name}: {len(answer)} bytes for {expected}")
        return answer

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer ``smbus2.i2c_msg`` objects in one transaction, filling the buffers of reads."""
        messages: list[BusMessage] = []
        for message in i2c_msgs:
            if message.flags & ~_I2C_M_RD:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            messages.append((message.addr, message.len if message.flags else bytes(message)))
        try:
            answer = self.transfer(messages)
        except NotAcknowledgedError as nack:
            raise OSError(nack.errno, nack.strerror) from nack  # itself, as smbus2 raises it
        position = 0
        for message in i2c_msgs:
            if message.flags:
                ctypes.memmove(message.buf, answer[position : position + message.len], message.len)
                position += message.len

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        """One byte from a register address."""
        return self.transfer(((i2c_addr, bytes([register])), (i2c_addr, 1)))[0]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        """One byte to a register address."""
        self.transfer(((i2c_addr, bytes([register, value])),))

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Up to 32 bytes from a register address on, as with SMBus."""
        if not 0 < length <= 32:
            raise ValueError(f"1 to 32 bytes with SMBus, not {length}; i2c_rdwr reads more")
        return list(self.transfer(((i2c_addr, bytes([register])), (i2c_addr, length))))

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        """Up to 32 bytes to a register address on, as with SMBus."""
        if len(data) > 32:
            raise ValueError(f"up to 32 bytes with SMBus, not {len(data)}; i2c_rdwr writes more")
        self.transfer(((i2c_addr, bytes([register, *data])),))

    def close(self) -> None:
        """Close the connection; pins and clock of it go with it."""
        self.connection.close()


class RemoteClock:
    """:class:`drivers.clock.Clock` of a served module. With a manual clock ``sleep`` advances the module's
    world; else it waits, shorter or longer as the server's speed is.

    :raises ConnectionFailedError: every method but ``checkpoint``, when the connection fails.
    """

    kind = "remote"

    def __init__(self, connection: ServedConnection, stop: StopFlag | None = None) -> None:
        self._connection = connection
        self._stop = stop or StopFlag()

    @property
    def in_lockstep(self) -> bool:
        """Whether module time moves by request alone, and then for every client."""
        return self._connection.greeting.clock is ClockKind.MANUAL

    def now_s(self) -> float:
        """Module time, seconds since the server began."""
        return self._times(0)[0] / 1e9

    def lost_s(self) -> float:
        """Module time that did not pass because the server's machine was too slow for its speed."""
        return self._times(0)[1] / 1e9

    def sleep(self, duration_s: float) -> None:
        """Let module time pass."""
        self.checkpoint()
        if self.in_lockstep:
            left_ns = round(duration_s * 1e9)
            while left_ns > 0:
                part_ns = min(left_ns, round(_ADVANCE_SLICE_S * 1e9))
                self._times(part_ns)
                left_ns -= part_ns
                self.checkpoint()
            return
        end_s = time.monotonic() + duration_s / self._connection.greeting.speed
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLEEP_SLICE_S))
            self.checkpoint()

    def waited(self, duration_s: float) -> None:
        """Time that was waited for an instrument: in lockstep it passes; with the wall clock it has."""
        if self.in_lockstep:
            self._times(round(duration_s * 1e9))

    def checkpoint(self) -> None:
        """Raise :class:`drivers.clock.StopRequested` if the run was told to stop."""
        self._stop.raise_if_requested()

    def shield(self) -> AbstractContextManager[None]:
        """As :meth:`drivers.clock.StopFlag.shield`."""
        return self._stop.shield()

    def _times(self, advance_ns: int) -> tuple[int, int]:
        def ask() -> tuple[int, int]:
            reply = self._connection.request(protocol.CLOCK, protocol.ADVANCE.pack(advance_ns))
            now_ns, lost_ns = protocol.TIMES.unpack(reply)
            return now_ns, lost_ns

        return _on_bench(self._connection, ask)


class ServedPins:
    """:class:`drivers.interfaces.ModulePins` of a slot: pins as their meaning.

    OSFP's multilevel pins mean the same: its host pulls RSTn down on INT/RSTn for ResetL and LPWn down on
    LPWn/PRSn for LPMode; its module says INT on the first for IntL and PRSn on the second for ModPrsL. It
    has no ModSelL: a served module is selected from the beginning.

    :raises ConnectionFailedError: every method, when the connection fails.
    """

    def __init__(self, connection: ServedConnection, clock: RemoteClock) -> None:
        self._connection = connection
        self._clock = clock

    def set_reset(self, *, asserted: bool) -> None:
        """Assert ResetL, and hold it for the shortest pulse that counts, or release it."""
        self._drive(Pin.RESET_L, asserted)
        if asserted:
            self._clock.sleep(_RESET_HOLD_S)

    def reset_asserted(self) -> bool:
        """Whether ResetL is low."""
        return bool(self.read() & Pin.RESET_L)

    def set_low_power(self, *, asserted: bool) -> None:
        """Assert or release LPMode."""
        self._drive(Pin.LPMODE, asserted)

    def set_selected(self, *, asserted: bool) -> None:
        """Drive ModSelL."""
        self._drive(Pin.MODSEL_L, asserted)

    def module_present(self) -> bool:
        """Whether ModPrsL is low."""
        return bool(self.read() & Pin.MODPRS_L)

    def interrupt_asserted(self) -> bool:
        """Whether IntL is low."""
        return bool(self.read() & Pin.INT_L)

    def read(self) -> Pin:
        """All pins at once; a bit that is set is asserted."""
        return self._request(0, 0)

    def _drive(self, pin: Pin, asserted: bool) -> None:
        self._request(pin, pin if asserted else 0)

    def _request(self, mask: int, values: int) -> Pin:
        def ask() -> Pin:
            return Pin(self._connection.request(protocol.PINS_OP, protocol.PINS.pack(mask, values))[0] & 0x1F)

        return _on_bench(self._connection, ask)


class ServedSurroundings:
    """What a client changes around a module, and the light it sends. Media lanes count from 1; 0: all.

    :raises RequestRefusedError: for values that the server refuses.
    :raises OSError: when the connection fails.
    """

    def __init__(self, connection: ServedConnection) -> None:
        self._connection = connection

    def set_vcc_v(self, voltage_v: float) -> None:
        """Supply voltage at the module's connector; 0 turns it off."""
        self._set(Quantity.VCC_V, 0, voltage_v)

    def set_case_temp_c(self, case_temp_c: float | None) -> None:
        """Hold the case at a temperature; None: let it follow what the module dissipates."""
        self._set(Quantity.CASE_TEMP_C, 0, float("nan") if case_temp_c is None else case_temp_c)

    def set_inserted(self, inserted: bool) -> None:
        """Plug the module in or pull it out."""
        self._set(Quantity.INSERTED, 0, float(inserted))

    def set_light_dbm(self, lane: int, power_dbm: float) -> None:
        """Average power on a receiver; minus infinity is dark."""
        self._set(Quantity.RX_LIGHT_DBM, lane, power_dbm)

    def set_loopback_db(self, lane: int, loss_db: float) -> None:
        """Lead a lane's own light back to its receiver through a loss."""
        self._set(Quantity.RX_LOOPBACK_DB, lane, loss_db)

    def launch_power_w(self, lane: int) -> float:
        """True average power that leaves a transmitter, watts."""
        power: float = protocol.POWER.unpack(self._connection.request(protocol.LIGHT_OUT, bytes([lane])))[0]
        return power

    def _set(self, quantity: Quantity, lane: int, value: float) -> None:
        self._connection.request(protocol.SURROUND, protocol.SURROUNDINGS.pack(quantity, lane, value))


class ServedModuleClient(NamedTuple):
    """What :func:`open_served` returns; ``bus.close()`` ends it."""

    bus: ServedBus
    pins: ServedPins
    clock: RemoteClock

    @property
    def surroundings(self) -> ServedSurroundings:
        """What surrounds the module."""
        return ServedSurroundings(self.bus.connection)


def open_served(address: str, stop: StopFlag | None = None) -> ServedModuleClient:
    """Bus, pins and clock of a served module: ``HOST:PORT/SLOT`` or ``unix:PATH/SLOT``.

    :raises ValueError: for an address that is none.
    :raises ConnectionFailedError: when no such server, or no such slot, is there.
    """
    parse_module(address)
    try:
        connection = ServedConnection(address)
    except (OSError, ProtocolError, struct.error) as fault:
        raise ConnectionFailedError(
            address,
            f"no served module: {fault}",
            advice="Start one with `lanewise simulate module PROFILE` and take the address it prints.",
        ) from fault
    clock = RemoteClock(connection, stop)
    return ServedModuleClient(ServedBus(connection), ServedPins(connection, clock), clock)


def _on_bench(connection: ServedConnection, ask: Callable[[], _Result]) -> _Result:
    try:
        return ask()
    except (OSError, struct.error, IndexError) as fault:
        raise ConnectionFailedError(
            connection.name, f"{fault}", advice="See whether the server still runs, then connect anew."
        ) from fault
