"""The server: one thread, one selector, any number of clients and modules.

What comes from a client is not trusted: its frames are length-checked, it can neither fill the memory nor
hold up the others, and what it does wrong ends at most its own connection. Whoever reaches the socket may
do with the modules what he likes: it listens on this machine alone unless told otherwise.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from harness.simulation.served import protocol
from harness.simulation.served.addresses import ServerAddress, parse_server
from harness.simulation.served.gate import Gate
from harness.simulation.served.protocol import ClockKind, Greeting, ProtocolError, Status
from harness.simulation.served.slot import ServedSlot, Wait
from harness.simulation.served.threaded import ThreadedServer

LOOPBACK = "127.0.0.1:0"
MOST_CLIENTS = 512

_RECEIVED_AT_ONCE = 65_536
_MOST_UNSENT = 65_536  # more than this waits in a connection: nothing is read from it
_MOST_AHEAD = 262_144  # who sends more than this ahead of a wait is not read from any more, and dropped
_FRAMES_A_TURN = 16
_LONGEST_REASON = 2000
_SLICE_S = 0.005  # of processor time for one module's time to pass, before others have their turn
_WAITS_S = 0.010  # of processor time for all waits, before those who ask have their turn
_KEEP_PACE_EVERY_S = 0.05
_KEEP_PACE_S = 0.02

_log = logging.getLogger(__name__)


class _Client:
    """One connection."""

    __slots__ = ("closing", "events", "received", "sock", "unsent", "wait")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.unsent = bytearray()
        self.wait: Wait | None = None
        self.closing = False
        self.events = selectors.EVENT_READ


class ModuleServer(ThreadedServer):
    """Modules on a socket; the place of a module in ``modules`` is its slot.

    :raises ValueError: for an address that is none, for too many modules, and for modules of different
        speeds: the greeting tells one.
    :raises OSError: when the address cannot be bound.
    """

    def __init__(self, modules: Sequence[ServedSlot], address: str = LOOPBACK) -> None:
        if not 1 <= len(modules) <= protocol.MOST_SLOTS:
            raise ValueError(f"{len(modules)} modules; 1 to {protocol.MOST_SLOTS} can be served")
        speed = modules[0].speed
        if any(module.speed != speed for module in modules):
            raise ValueError("modules behind one server keep the same time: give all the same speed")
        self.modules = tuple(modules)
        self._greeting = bytes([Status.DONE]) + protocol.encode_greeting(
            Greeting(
                protocol.VERSION,
                ClockKind.MANUAL if speed is None else ClockKind.WALL,
                1.0 if speed is None else speed,
                tuple(module.listed for module in modules),
            )
        )
        listener, self.address = _listen(parse_server(address))
        self._selector = selectors.DefaultSelector()
        self._gate = Gate(listener, self._selector, self._welcome)
        super().__init__("simulated modules")
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}  # the one heard of last comes last
        self._busy: dict[_Client, None] = {}  # these have a wait, or complete frames, to go on with
        self._follows_wall = speed is not None
        self._pace_at_s = 0.0
        self._pace_next = 0

    def close(self) -> None:
        """Stop, and close all connections; a Unix socket's file is removed."""
        if not self._end():
            return
        for client in tuple(self._clients.values()):
            self._drop(client)
        self._selector.close()
        for opened in (self._gate, self._waker, self._woken):
            opened.close()
        if self.address.path:
            Path(self.address.path).unlink(missing_ok=True)

    # -- one round -------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """What another selector watches to learn that there is something to do (Linux, macOS)."""
        number: int = self._selector.fileno()  # epoll and kqueue have one
        return number

    @property
    def busy(self) -> bool:
        """Whether there is more to do at once, without anything coming in."""
        return bool(self._busy)

    def round(self, *, wait: bool = True) -> None:
        """Do what there is to do; ``wait``: until there is something."""
        self._gate.open_again()
        for key, events in self._selector.select(self._idle_s() if wait else 0.0):
            if key.fileobj is self._gate:
                self._accept()
            elif key.fileobj is self._woken:
                with contextlib.suppress(OSError):
                    self._woken.recv(64)
            else:
                self._attend(key.data, events)
        for client in tuple(self._busy):
            if client.wait is None:
                self._go_on(client)
        self._wait_on()
        if self._follows_wall and time.monotonic() >= self._pace_at_s:
            self._keep_pace()

    def _idle_s(self) -> float | None:
        """How long nothing has to be done unless something comes in; None: for ever."""
        if self._busy:
            return 0.0
        waits = [_KEEP_PACE_EVERY_S] if self._follows_wall else []
        if (rest_s := self._gate.opens_in_s()) is not None:
            waits.append(rest_s)
        return min(waits, default=None)

    def rests_for_s(self) -> float | None:
        """Wall time until a round is needed to let clients in again; None: they are let in."""
        return self._gate.opens_in_s()

    def _accept(self) -> None:
        sock = self._gate.accept()
        if sock is not None:
            self._gate.welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        if len(self._clients) >= MOST_CLIENTS and not self._drop_one_idle():
            sock.close()
            return
        if sock.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):  # it has gone again, as reading will show
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(sock)
        self._clients[sock] = client
        self._selector.register(sock, client.events, client)

    def _drop_one_idle(self) -> bool:
        """Drop the client that was idle for the longest time; False when all have something under way."""
        idle = next((client for client in self._clients.values() if client not in self._busy), None)
        if idle is None:
            return False
        _log.warning("%d clients are connected: the longest idle one is dropped", len(self._clients))
        self._drop(idle)
        return True

    def _attend(self, client: _Client, events: int) -> None:
        """Send and receive what goes; what came is answered in this round's second half."""
        if self._clients.pop(client.sock, None) is None:
            return  # dropped in this round
        self._clients[client.sock] = client
        if events & selectors.EVENT_WRITE and not self._flush(client):
            return
        if events & selectors.EVENT_READ:
            try:
                data = client.sock.recv(_RECEIVED_AT_ONCE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._drop(client)
                return
            client.received += data
        self._busy[client] = None
        if client.wait is not None and len(client.received) > _MOST_AHEAD:
            # What is left unread would hide that it has gone.
            client.wait = None
            client.received.clear()
            client.unsent += _refused(ProtocolError(f"more than {_MOST_AHEAD} bytes sent ahead of a wait"))
            client.closing = True

    def _go_on(self, client: _Client) -> None:
        """Answer what has come, a few frames at a time and up to a wait; more is for the next round."""
        try:
            more = self._answer_some(client)
        except ProtocolError as fault:  # no telling where the next frame begins
            client.unsent += _refused(fault)
            client.closing = True
            more = False
        if more:
            self._busy[client] = None
        else:
            self._busy.pop(client, None)
        if self._flush(client):
            self._watch(client)

    def _answer_some(self, client: _Client) -> bool:
        for _ in range(_FRAMES_A_TURN):
            if client.closing or len(client.unsent) > _MOST_UNSENT:
                return False
            content = protocol.take_frame(client.received)
            if content is None:
                return False
            answer = self._answer(content)
            if isinstance(answer, Wait):
                client.wait = answer
                return True
            client.unsent += answer
        return True

    def _wait_on(self) -> None:
        """Let time pass for those who wait: for each module once in a round, all within one budget. Who had
        his turn comes last in the next round."""
        end_s = time.perf_counter() + _WAITS_S
        moved: set[ServedSlot] = set()
        for client in tuple(self._busy):
            wait = client.wait
            if wait is None:
                continue
            if not wait.over:
                left_s = end_s - time.perf_counter()
                if wait.slot in moved or left_s <= 0.0:
                    continue
                moved.add(wait.slot)
                del self._busy[client]
                self._busy[client] = None
            try:
                reply = wait.go_on(_SLICE_S)
            except Exception:
                _log.exception("a wait failed")
                reply = _failed()
            if reply is None:
                continue
            client.wait = None
            client.unsent += protocol.frame(reply)
            if self._flush(client):
                self._watch(client)

    def _answer(self, content: bytes) -> bytes | Wait:
        try:
            operation, slot, body = protocol.decode_request(content)
            if operation == protocol.HELLO:
                return protocol.frame(self._greeting)
            answer = self._module(slot).answer(operation, body)
        except ProtocolError as fault:
            return _refused(fault)
        except Exception:
            _log.exception("a request failed: %r", content[:64])
            return protocol.frame(_failed())
        return answer if isinstance(answer, Wait) else protocol.frame(answer)

    def _module(self, slot: int) -> ServedSlot:
        if slot >= len(self.modules):
            raise ProtocolError(f"there is no slot {slot}; there are 0 to {len(self.modules) - 1}")
        return self.modules[slot]

    def _flush(self, client: _Client) -> bool:
        """Send what is there, as far as it goes; False when the connection is gone."""
        if client.unsent:
            try:
                sent = client.sock.send(client.unsent)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                self._drop(client)
                return False
            del client.unsent[:sent]
        if client.closing and not client.unsent:
            self._drop(client)
            return False
        return True

    def _watch(self, client: _Client) -> None:
        """Read on only from those who take their answers and whose requests do not pile up. Who waits is
        always read from: to learn that he has gone."""
        events = 0
        if client.unsent:
            events |= selectors.EVENT_WRITE
        idle = client not in self._busy
        takes_answers = len(client.unsent) <= _MOST_UNSENT
        if not client.closing and (client.wait is not None or (idle and takes_answers)):
            events |= selectors.EVENT_READ
        if events == client.events:
            return
        if client.events == 0:
            self._selector.register(client.sock, events, client)
        elif events == 0:
            self._selector.unregister(client.sock)
        else:
            self._selector.modify(client.sock, events, client)
        client.events = events

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.sock, None) is None:
            return
        self._busy.pop(client, None)
        if client.events:
            self._selector.unregister(client.sock)
        client.sock.close()

    def _keep_pace(self) -> None:
        """Let time pass for modules that nobody asks, in turn, so that none has to make up for hours."""
        end_s = time.perf_counter() + _KEEP_PACE_S
        for _ in self.modules:
            try:
                self.modules[self._pace_next].keep_pace(_SLICE_S)
            except Exception:
                _log.exception("slot %d: the simulation failed", self._pace_next)
            self._pace_next = (self._pace_next + 1) % len(self.modules)
            if time.perf_counter() >= end_s:
                break
        self._pace_at_s = time.monotonic() + _KEEP_PACE_EVERY_S


def _refused(fault: ProtocolError) -> bytes:
    text = str(fault).encode("ascii", "backslashreplace")[:_LONGEST_REASON]
    return protocol.frame(bytes([Status.REFUSED]) + text)


def _failed() -> bytes:
    return bytes([Status.REFUSED]) + b"the simulation failed; the server's log has the reason"


def _listen(address: ServerAddress) -> tuple[socket.socket, ServerAddress]:
    """A listening socket, and the address it has."""
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.path:
            _bind_path(listener, address.path)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address.for_socket)
            host, port = listener.getsockname()[:2]
            address = ServerAddress(host, port)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener, address


def _bind_path(listener: socket.socket, path: str) -> None:
    """Bind to a path that only this user may use; what a dead server left there is removed."""
    try:
        left = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        left = False
    if left:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()
    listener.bind(path)
    Path(path).chmod(0o600)
