"""HiSLIP (IVI-6.1), the smallest useful server: synchronised mode, device clear, status query, locks.

A client has two connections to one port: a synchronous one for messages, an asynchronous one for what goes
beside them. A message has 16 bytes of header (``HS``, type u8, control code u8, parameter u32, payload length
u64, big-endian) and a payload. Not built: overlapped mode, service requests, triggers (taken and ignored),
encryption and credentials; the server speaks version 1.0.

A reply has left the instrument when it is sent. Whether the client has read it is told by its next message
(the RMT-delivered bit): a message that comes without interrupts the reply (-410, and both channels are told).
"""

from __future__ import annotations

import enum
import itertools
import socket
import struct
import time
from collections import deque

from harness.simulation.scpi_tree import ScpiError, ScpiPeer
from harness.simulation.serving.channels import MOST_UNSENT, Channel, received, send_some
from harness.simulation.visa import Peer
from harness.simulation.world import World

__all__ = ["HEADER", "HislipConnection", "HislipDevice", "Type"]

HEADER = struct.Struct(">2sBBIQ")
_PROLOGUE = b"HS"
_VERSION = 0x0100
_VENDOR = 0x4C57
_LONGEST_PAYLOAD = 1024 * 1024
_LONGEST_LOCK_STRING = 256
_LARGEST_MESSAGE = struct.pack(">Q", _LONGEST_PAYLOAD)
_RMT_DELIVERED = 1
_MESSAGE_AVAILABLE = 0x10
_MOST_WAITING = 64


class Type(enum.IntEnum):
    """Message types (IVI-6.1, Table 4)."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    INTERRUPTED = 13
    ASYNC_INTERRUPTED = 14
    ASYNC_MAXIMUM_MESSAGE_SIZE = 15
    ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_SERVICE_REQUEST = 20
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


class _Lock(enum.IntEnum):
    """Control codes of a lock's response."""

    FAILURE = 0
    SUCCESS = 1
    SUCCESS_SHARED = 2
    ERROR = 3


class _BrokenError(Exception):
    """What the client sent is no HiSLIP; ``code`` is the fatal error's."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


def message(kind: Type, control: int = 0, parameter: int = 0, payload: bytes = b"") -> bytes:
    """A message as it goes over the wire."""
    return HEADER.pack(_PROLOGUE, kind, control, parameter, len(payload)) + payload


class HislipDevice:
    """One instrument behind a port: its sessions, and who holds its locks."""

    def __init__(self, world: World, peer: Peer) -> None:
        self.world = world
        self.peer = peer
        self._numbers = itertools.count(1)
        self.sessions: dict[int, _Session] = {}
        self.exclusive: _Session | None = None
        self.shared: set[_Session] = set()
        self.shared_name = b""
        self.waiting: deque[_LockRequest] = deque()

    def open_session(self, connection: HislipConnection) -> _Session:
        """A new session over its synchronous connection."""
        number = next(n for n in self._numbers if n & 0xFFFF and n & 0xFFFF not in self.sessions) & 0xFFFF
        self.sessions[number] = session = _Session(self, number, connection)
        return session

    def may_talk(self, session: _Session) -> bool:
        """Whether no other session's lock keeps a session from its instrument."""
        if self.exclusive is not None:
            return self.exclusive is session
        return not self.shared or session in self.shared

    def request_lock(self, session: _Session, name: bytes, timeout_s: float) -> None:
        """Grant a lock, refuse it, or keep the request until it can be granted or its time is over."""
        request = _LockRequest(session, name, time.monotonic() + timeout_s)
        if len(self.waiting) >= _MOST_WAITING or not self._answer(request):
            self.waiting.append(request)
            self.answer_waiting()

    def release_lock(self, session: _Session) -> _Lock:
        """Give back the exclusive lock, or else the shared one."""
        if self.exclusive is session:
            self.exclusive = None
            result = _Lock.SUCCESS
        elif session in self.shared:
            self.shared.discard(session)
            result = _Lock.SUCCESS_SHARED
        else:
            return _Lock.ERROR
        self.answer_waiting()
        return result

    def holders(self) -> int:
        """How many sessions hold locks."""
        return len(self.shared | ({self.exclusive} if self.exclusive else set()))

    def answer_waiting(self) -> None:
        """Grant what can be granted now, and refuse what has waited for too long."""
        left: deque[_LockRequest] = deque()
        now_s = time.monotonic()
        for request in self.waiting:
            if request.session.closed or self._answer(request):
                continue
            if request.until_s <= now_s:
                request.session.tell(message(Type.ASYNC_LOCK_RESPONSE, _Lock.FAILURE))
            else:
                left.append(request)
        self.waiting = left

    def wakes_in_s(self) -> float | None:
        """Wall time until a request for a lock has to be refused; None when none waits."""
        if not self.waiting:
            return None
        return max(0.0, min(request.until_s for request in self.waiting) - time.monotonic())

    def forget(self, session: _Session) -> None:
        """A session is over: its locks are free."""
        self.sessions.pop(session.number, None)
        if self.exclusive is session:
            self.exclusive = None
        self.shared.discard(session)
        self.answer_waiting()

    def _answer(self, request: _LockRequest) -> bool:
        """Grant a request or say that it is wrong; False: not now."""
        session, name = request.session, request.name
        if self.exclusive is session or (name and session in self.shared):
            session.tell(message(Type.ASYNC_LOCK_RESPONSE, _Lock.ERROR))
            return True
        if self.exclusive is not None:
            return False
        if name:
            if self.shared and name != self.shared_name:
                return False
            self.shared_name = name
            self.shared.add(session)
        else:
            if self.shared - {session}:
                return False
            self.exclusive = session
        session.tell(message(Type.ASYNC_LOCK_RESPONSE, _Lock.SUCCESS))
        return True


class _LockRequest:
    def __init__(self, session: _Session, name: bytes, until_s: float) -> None:
        self.session = session
        self.name = name
        self.until_s = until_s


class _Session:
    """Both connections of one client, and the state they share."""

    def __init__(self, device: HislipDevice, number: int, synchronous: HislipConnection) -> None:
        self.device = device
        self.number = number
        self.synchronous = synchronous
        self.asynchronous: HislipConnection | None = None
        self.message_id = 0
        self.reply_unread = False
        self.clearing = False
        self.closed = False

    def tell(self, data: bytes) -> None:
        """Send over the asynchronous connection."""
        if self.asynchronous is not None:
            self.asynchronous.unsent += data

    def close(self) -> None:
        """Close both connections."""
        if self.closed:
            return
        self.closed = True
        self.device.forget(self)
        self.synchronous.close()
        if self.asynchronous is not None:
            self.asynchronous.close()


class HislipConnection(Channel):
    """One of a client's two connections; which of them its first message says."""

    def __init__(self, device: HislipDevice, sock: socket.socket) -> None:
        super().__init__(device.world, device.peer.connect(marks_end=True))
        self._device = device
        self._socket = sock
        self._session: _Session | None = None
        self._received = bytearray()
        self._reply = bytearray()
        self._ending = False
        self.unsent = bytearray()

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    @property
    def is_synchronous(self) -> bool:
        """Whether messages go over this one."""
        return self._session is not None and self._session.synchronous is self

    @property
    def wants_to_read(self) -> bool:
        """Not from one that does not read its replies, or whose instrument another has locked."""
        return not self._ending and len(self.unsent) < MOST_UNSENT and len(self._received) < _LONGEST_PAYLOAD

    @property
    def wants_to_write(self) -> bool:
        """Whether a message waits to be sent."""
        return bool(self.unsent)

    def take_in(self) -> None:
        """Read what has come, and go through the messages that are complete."""
        data = received(self._socket)
        if data is None:
            return
        if not data:
            self.close()
            return
        self._received += data
        self._go_through()

    def give_out(self) -> None:
        """Send what is ready: a complete reply as one message."""
        if self._received and not self._ending:
            self._go_through()  # another client may have given its lock back
        self._collect_reply()
        sent = send_some(self._socket, self.unsent)
        if not sent or ((self._ending or self.connection.lost) and not self.unsent):
            self.close()

    def close(self) -> None:
        """Close the socket, and with it the session."""
        if not self.closed:
            super().close()
            self._socket.close()
            if self._session is not None:
                self._session.close()

    # -- what comes in -----------------------------------------------------------------------------

    def _go_through(self) -> None:
        try:
            while not self._is_held_up() and (taken := self._take_message()):
                self._act(*taken)
        except _BrokenError as fault:
            self.unsent += message(Type.FATAL_ERROR, fault.code, payload=str(fault).encode("ascii"))
            self._ending = True
            self._received.clear()

    def _is_held_up(self) -> bool:
        """Whether what has come is not gone through now: closed, too much waits, another has the lock."""
        session = self._session
        if self.closed or (self.connection.is_full and not (session is not None and session.clearing)):
            return True
        return session is not None and self.is_synchronous and not self._device.may_talk(session)

    def _take_message(self) -> tuple[int, int, int, bytes] | None:
        if len(self._received) < HEADER.size:
            return None
        prologue, kind, control, parameter, length = HEADER.unpack_from(self._received)
        if prologue != _PROLOGUE:
            raise _BrokenError(1, "poorly formed message header")
        if length > _LONGEST_PAYLOAD:
            raise _BrokenError(1, f"a payload has up to {_LONGEST_PAYLOAD} bytes here")
        end = HEADER.size + length
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEADER.size : end])
        del self._received[:end]
        return kind, control, parameter, payload

    def _act(self, kind: int, control: int, parameter: int, payload: bytes) -> None:
        session = self._session
        if session is None:
            self._begin(kind, parameter)
        elif self.is_synchronous:
            self._act_synchronously(session, kind, control, parameter, payload)
        else:
            self._act_beside(session, kind, control, parameter, payload)

    def _begin(self, kind: int, parameter: int) -> None:
        if kind == Type.INITIALIZE:
            self._session = session = self._device.open_session(self)
            self.unsent += message(Type.INITIALIZE_RESPONSE, 0, _VERSION << 16 | session.number)
        elif kind == Type.ASYNC_INITIALIZE:
            known = self._device.sessions.get(parameter)
            if known is None or known.asynchronous is not None:
                raise _BrokenError(3, "invalid initialization sequence")
            self._session = known
            known.asynchronous = self
            self.unsent += message(Type.ASYNC_INITIALIZE_RESPONSE, 0, _VENDOR)
        else:
            raise _BrokenError(3, "invalid initialization sequence")

    def _act_synchronously(
        self, session: _Session, kind: int, control: int, parameter: int, payload: bytes
    ) -> None:
        if session.asynchronous is None:
            raise _BrokenError(2, "both channels have to be established")
        if kind in (Type.DATA, Type.DATA_END):
            if session.clearing:
                return
            self._interrupt_if_unread(session, control, parameter)
            session.message_id = parameter
            self.hand_on(payload, end=kind == Type.DATA_END)
        elif kind == Type.DEVICE_CLEAR_COMPLETE:
            session.clearing = False
            self._clear(session)
            self.unsent += message(Type.DEVICE_CLEAR_ACKNOWLEDGE)
        elif kind == Type.TRIGGER:
            session.message_id = parameter
        elif kind != Type.ERROR:
            self.unsent += message(Type.ERROR, 1, payload=b"unrecognized message type")

    def _interrupt_if_unread(self, session: _Session, control: int, parameter: int) -> None:
        if session.reply_unread and not control & _RMT_DELIVERED:
            told = message(Type.INTERRUPTED, 0, parameter)
            self.unsent += told
            session.tell(message(Type.ASYNC_INTERRUPTED, 0, parameter))
            if isinstance(self._device.peer, ScpiPeer):
                self._device.peer.report(ScpiError(-410))
        session.reply_unread = False

    def _act_beside(self, session: _Session, kind: int, control: int, parameter: int, payload: bytes) -> None:
        if kind == Type.ASYNC_MAXIMUM_MESSAGE_SIZE:
            self.unsent += message(Type.ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE, payload=_LARGEST_MESSAGE)
        elif kind == Type.ASYNC_STATUS_QUERY:
            if control & _RMT_DELIVERED:
                session.reply_unread = False
            status = session.synchronous.connection.status_byte() & ~_MESSAGE_AVAILABLE
            status |= _MESSAGE_AVAILABLE if session.reply_unread else 0
            self.unsent += message(Type.ASYNC_STATUS_RESPONSE, status)
        elif kind == Type.ASYNC_DEVICE_CLEAR:
            session.clearing = True
            session.synchronous.abandon(session)
            self.unsent += message(Type.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)
        elif kind == Type.ASYNC_LOCK and control == 1:
            self._device.request_lock(session, payload[:_LONGEST_LOCK_STRING], parameter / 1000.0)
        elif kind == Type.ASYNC_LOCK:
            self.unsent += message(Type.ASYNC_LOCK_RESPONSE, self._device.release_lock(session))
        elif kind == Type.ASYNC_LOCK_INFO:
            held = int(self._device.exclusive is not None)
            self.unsent += message(Type.ASYNC_LOCK_INFO_RESPONSE, held, self._device.holders())
        elif kind == Type.ASYNC_REMOTE_LOCAL_CONTROL:
            self.unsent += message(Type.ASYNC_REMOTE_LOCAL_RESPONSE)
        else:
            self.unsent += message(Type.ERROR, 1, payload=b"unrecognized message type")

    def abandon(self, session: _Session) -> None:
        """Forget replies that are not on their way yet, and what the client sent for them."""
        self._clear(session)
        self._received.clear()

    def _clear(self, session: _Session) -> None:
        self.connection.device_clear()
        self._reply.clear()
        session.reply_unread = False

    # -- what goes out -----------------------------------------------------------------------------

    def _collect_reply(self) -> None:
        session = self._session
        if session is None or not self.is_synchronous or session.clearing:
            return
        while True:
            part, ended = self.connection.take(_LONGEST_PAYLOAD, None)
            if not part:
                return
            self._reply += part
            if ended or self.connection.lost or len(self._reply) >= _LONGEST_PAYLOAD:
                kind = Type.DATA_END if ended else Type.DATA
                self.unsent += message(kind, 0, session.message_id, bytes(self._reply))
                self._reply.clear()
                session.reply_unread = ended
