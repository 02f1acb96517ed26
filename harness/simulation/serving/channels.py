"""Ways of a client to a simulated instrument: a raw socket, a pseudo terminal. HiSLIP has a file of its own.

A channel is fed by the server's one thread. What comes from a client is not trusted: it can neither fill the
memory nor hold up others, and what it does wrong ends at most its own connection. One that sends a line
without an end is cut off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from abc import ABC, abstractmethod

from drivers.serial_address import SerialAddress
from harness.simulation.visa import Connection, Peer
from harness.simulation.world import World, ns_from_s

__all__ = ["Channel", "LineChannel", "SocketChannel"]

RECEIVED_AT_ONCE = 65_536
MOST_UNSENT = 4 * 1024 * 1024
"""Bytes that wait for a client that does not read: nothing more is taken from it then."""


LONGEST_LINE_BYTES = 1024 * 1024
"""A client that sends more without ending the line is hung up on. (An instrument gives up on a line much
earlier: with -363, or by dropping it.)"""

_log = logging.getLogger(__name__)


class Channel(ABC):
    """One client of one instrument.

    ``reply_limit_s``: how long in the world's time a reply may take that others wait for. Attributes:
    ``closed``: the server forgets it then; ``asked_ns``: since when a reply is owed.
    """

    def __init__(self, world: World, connection: Connection) -> None:
        self.world = world
        self.connection = connection
        self.closed = False
        self.asked_ns: int | None = None
        self._line_bytes = 0

    @abstractmethod
    def fileno(self) -> int:
        """What the server's selector watches."""

    @property
    @abstractmethod
    def wants_to_read(self) -> bool:
        """Whether more is taken from the client now."""

    @property
    @abstractmethod
    def wants_to_write(self) -> bool:
        """Whether something waits to be sent."""

    @abstractmethod
    def take_in(self) -> None:
        """Read what has come, and hand it to the instrument. The caller holds the world's lock."""

    @abstractmethod
    def give_out(self) -> None:
        """Send what the instrument has to say, as far as it goes. The caller holds the world's lock."""

    def due_ns(self, limit_ns: int) -> int | None:
        """When in the world's time the instrument goes on with what the client waits for; None when it waits
        for nothing, or for what comes later than ``limit_ns`` after it was asked for."""
        if self.closed or not self.connection.owes_reply:
            self.asked_ns = None
            return None
        if self.asked_ns is None:
            self.asked_ns = self.world.now_ns
        due_ns = self.connection.next_event_ns()
        return due_ns if due_ns is not None and due_ns <= self.asked_ns + limit_ns else None

    def hand_on(self, data: bytes, *, end: bool) -> None:
        """Hand bytes to the instrument; ``end``: the transport says that a message ends here. Hangs up on one
        whose line is longer than :data:`LONGEST_LINE_BYTES`."""
        _, feed, rest = data.rpartition(b"\n")
        self._line_bytes = len(rest) if feed else self._line_bytes + len(data)
        if end:
            self._line_bytes = 0
        if self._line_bytes > LONGEST_LINE_BYTES:
            _log.warning("a client has sent over %d bytes without a line's end: cut off", LONGEST_LINE_BYTES)
            self.close()
            return
        if not self.connection.owes_reply:
            self.asked_ns = None  # what was owed has come since time was last looked at
        self.connection.receive(data, end=end)

    def close(self) -> None:
        """Hang up."""
        if not self.closed:
            self.closed = True
            self.connection.close()


class SocketChannel(Channel):
    """A raw TCP socket: a line feed ends a message, with or without a carriage return before it."""

    def __init__(self, world: World, peer: Peer, sock: socket.socket) -> None:
        super().__init__(world, peer.connect(marks_end=False))
        self._socket = sock
        self._unsent = bytearray()
        self._ended = False  # the client sends no more; it may still wait for a reply

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    @property
    def wants_to_read(self) -> bool:
        """Not from one that does not read its replies, or sends more than its instrument carries out."""
        return not (self._ended or self.connection.is_full) and len(self._unsent) < MOST_UNSENT

    @property
    def wants_to_write(self) -> bool:
        """Whether a reply waits to be sent."""
        return bool(self._unsent)

    def take_in(self) -> None:
        """Read what has come."""
        data = received(self._socket)
        if data:
            self.hand_on(data, end=False)
        elif data is not None:
            self._ended = True

    def give_out(self) -> None:
        """Send what is ready; hang up when either side has."""
        while part := self.connection.take(RECEIVED_AT_ONCE, None)[0]:
            self._unsent += part
        if not send_some(self._socket, self._unsent) or (
            not self._unsent
            and (self.connection.lost or (self._ended and self.connection.next_event_ns() is None))
        ):
            self.close()

    def close(self) -> None:
        """Close the socket."""
        if not self.closed:
            super().close()
            self._socket.close()


class LineChannel(Channel):
    """A pseudo terminal with a serial instrument at its end.

    ``bits_take_time``: bytes take the time of their bits at the line's speed; not with the wall clock, where
    they take what they take. The terminal stays while clients come and go: the instrument does not notice.
    It stays too when the instrument drops the connection: what was under way is lost, and the line is there
    again.
    """

    def __init__(self, world: World, peer: Peer, line: SerialAddress, *, bits_take_time: bool) -> None:
        import tty

        super().__init__(world, peer.connect(marks_end=False))
        self._peer = peer
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._unsent = bytearray()
        bits = 1 + line.bits + (line.parity != "N") + line.stop_bits
        self._byte_s = bits / line.baud if bits_take_time and line.baud else 0.0

    def fileno(self) -> int:
        """The master side's."""
        return self._master

    @property
    def wants_to_read(self) -> bool:
        """Not from one that sends more than its instrument carries out: the terminal fills up."""
        return not self.connection.is_full

    @property
    def wants_to_write(self) -> bool:
        """Whether a reply waits to be sent."""
        return bool(self._unsent)

    def take_in(self) -> None:
        """Read what has come."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, RECEIVED_AT_ONCE)
            self.world.spend(ns_from_s(len(data) * self._byte_s))
            self.connection.receive(data, end=False)

    def give_out(self) -> None:
        """Send what is ready. What nobody reads is lost when the line is full, as on a real one."""
        while part := self.connection.take(RECEIVED_AT_ONCE, None)[0]:
            self.world.spend(len(part) * ns_from_s(self._byte_s))
            self._unsent += part
        del self._unsent[: max(0, len(self._unsent) - RECEIVED_AT_ONCE)]
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                del self._unsent[: os.write(self._master, self._unsent)]
        if self.connection.lost:
            self.connection.close()
            self.connection = self._peer.connect(marks_end=False)
            self.asked_ns = None

    def close(self) -> None:
        """Close both sides."""
        if not self.closed:
            super().close()
            master, self._master = self._master, -1
            os.close(master)
            os.close(self._slave)


def received(sock: socket.socket) -> bytes | None:
    """What has come; empty when the client sends no more or the connection broke, None when nothing is
    there."""
    try:
        return sock.recv(RECEIVED_AT_ONCE)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def send_some(sock: socket.socket, unsent: bytearray) -> bool:
    """Send as much as goes and take it off; False when the connection is gone."""
    if unsent:
        try:
            del unsent[: sock.send(unsent)]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
    return True
