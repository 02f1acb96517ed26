"""Serial lines over a simulated world, plugged in where pyserial lets a port be plugged in.

``serial.protocol_handler_packages`` names packages in which pyserial looks for ``protocol_<scheme>``: with
this project's package there, ``serial.serial_for_url("simulated://bench-3/...")`` opens a port at whose other
end a simulated instrument is (:mod:`harness.simulation.protocol_simulated`). The host in the address is the
bench's own name: two benches in a process do not meet. Waiting for a reply moves the world's time; so do bits
on a line, at its speed.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import serial
from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from drivers.serial_address import SerialAddress
from harness.simulation.visa import Connection, Peer
from harness.simulation.world import World, ns_from_s

__all__ = ["SerialLines", "SimulatedSerial"]

SCHEME = "simulated"
_HANDLERS = "harness.simulation"
_numbers = itertools.count(1)
_benches: weakref.WeakValueDictionary[str, SerialLines] = weakref.WeakValueDictionary()


class SerialLines:
    """The serial lines of one world, each with an instrument at its end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = f"bench-{next(_numbers)}"
        self._peers: dict[str, Peer] = {}
        _benches[self.name] = self
        if _HANDLERS not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(_HANDLERS)

    def attach(self, address: SerialAddress, peer: Peer) -> None:
        """Put an instrument at the end of a line.

        :raises ValueError: when one is there already.
        """
        if address.canonical in self._peers:
            raise ValueError(f"two simulated instruments at {address.canonical}")
        self._peers[address.canonical] = peer

    def url(self, address: SerialAddress) -> str:
        """What ``serial.serial_for_url`` opens that line by."""
        return f"{SCHEME}://{self.name}/{quote(address.canonical, safe='')}"

    def peer_at(self, canonical: str) -> Peer | None:
        """The instrument at the end of a line."""
        return self._peers.get(canonical)


class SimulatedSerial(SerialBase):  # type: ignore[misc]  # pyserial ships no types
    """A pyserial port on a line of :class:`SerialLines`.

    A line of this computer carries a start bit, the data bits, a parity bit if any and the stop bits at its
    speed; a socket's bytes take no time. Modem control lines and breaks are not there.
    """

    is_open: bool

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._connection: Connection | None = None
        self._world: World | None = None
        self._bits_take_time = False
        self._buffer = bytearray()
        super().__init__(*args, **settings)

    def open(self) -> None:
        """Connect with the instrument that the address names.

        :raises SerialException: when there is no such bench or line, or it is open already.
        """
        if self.is_open:
            raise SerialException("Port is already open.")
        parts = urlsplit(self.port or "")
        bench = _benches.get(parts.hostname or "")
        canonical = unquote(parts.path.removeprefix("/"))
        peer = None if bench is None else bench.peer_at(canonical)
        if bench is None or peer is None:
            raise SerialException(f"could not open port {self.port}: no instrument is simulated there")
        self._world = bench.world
        self._bits_take_time = canonical.startswith("serial:")
        with bench.world.lock:
            self._connection = peer.connect(marks_end=False)
        self._buffer.clear()
        self.is_open = True

    def close(self) -> None:
        """Hang up."""
        connection, world = self._connection, self._world
        self._connection = None
        self.is_open = False
        if connection is not None and world is not None:
            with world.lock:
                connection.close()

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        connection, world = self._opened()
        with world.lock:
            self._gather(connection)
            return len(self._buffer)

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes; fewer when ``timeout`` seconds of the world's time are over.

        :raises SerialException: when the instrument has dropped the connection.
        """
        connection, world = self._opened()
        with world.lock:
            deadline_ns = None if self._timeout is None else world.now_ns + ns_from_s(self._timeout)
            while True:
                self._gather(connection)
                if len(self._buffer) >= size:
                    break
                if connection.lost:
                    raise SerialException("device disconnected")
                if deadline_ns is not None and world.now_ns >= deadline_ns:
                    break
                next_ns = connection.next_event_ns()
                if next_ns is None and deadline_ns is None:
                    raise RuntimeError(f"{self.port}: an endless read of a reply that cannot come")
                world.advance_to(min(at for at in (next_ns, deadline_ns) if at is not None))
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._spend(world, len(data))
        return data

    def write(self, data: bytes, /) -> int:
        """Send bytes; returns when the last bit has left.

        :raises SerialException: when the instrument has dropped the connection.
        """
        connection, world = self._opened()
        with world.lock:
            if connection.lost:
                raise SerialException("device disconnected")
            self._spend(world, len(data))
            connection.receive(bytes(data), end=False)
        return len(data)

    def flush(self) -> None:
        """Everything written has left already."""

    def reset_input_buffer(self) -> None:
        """Forget what has arrived."""
        connection, world = self._opened()
        with world.lock:
            self._gather(connection)
            self._buffer.clear()

    def reset_output_buffer(self) -> None:
        """Nothing waits to be sent, ever."""

    def _reconfigure_port(self) -> None:
        """Settings take effect as they are used."""

    def _opened(self) -> tuple[Connection, World]:
        if self._connection is None or self._world is None:
            raise PortNotOpenError
        return self._connection, self._world

    def _gather(self, connection: Connection) -> None:
        while part := connection.take(1 << 16, None)[0]:
            self._buffer += part

    def _spend(self, world: World, count: int) -> None:
        if self._bits_take_time:
            parity = 0 if self._parity == serial.PARITY_NONE else 1
            bits = count * (1 + self._bytesize + parity + self._stopbits)
            world.spend(ns_from_s(bits / self._baudrate))
