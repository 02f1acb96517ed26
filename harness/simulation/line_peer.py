"""A simulated instrument that speaks in lines and not in SCPI: one line in, one line out.

A peer answers the lines in their order, each after a while of its own. It has no status registers and no
error queue: what it makes of a line is its answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import ClassVar

from harness.simulation.failing import FailingPeer
from harness.simulation.faults import Faulted, WireFaults
from harness.simulation.world import Event, World

__all__ = ["LineClient", "LinePeer"]

_LONGEST_LINE_BYTES = 256
MOST_WAITING = 64
"""Lines of one client that wait to be answered. What it sends beyond waits unread: one client neither fills
the memory nor holds up others for long."""


class LineClient:
    """One client of a peer (:class:`harness.simulation.visa.Connection`)."""

    def __init__(self, peer: LinePeer) -> None:
        self._peer = peer
        self._input = bytearray()
        self._output = bytearray()
        self._overlong = False  # what comes up to the next line feed belongs to a line that was given up
        self.lost = False
        self.waiting = 0

    def receive(self, data: bytes, *, end: bool) -> None:
        """Bytes from the client; complete lines go to the peer. What is longer than any line is dropped."""
        if self.lost or self._peer.silent:
            return
        self._input += data
        self.hand_on()

    def hand_on(self) -> None:
        """Lines that are complete go to the peer, as long as not too many wait there."""
        if self._overlong:
            _, ended, rest = bytes(self._input).partition(b"\n")
            self._input[:] = rest
            self._overlong = not ended
        while not self.is_full and (end := self._input.find(b"\n")) >= 0:
            line = self._input[:end].decode("latin-1")
            del self._input[: end + 1]
            self._peer.submit(self, line.strip("\r"))
        if not self.is_full and len(self._input) > _LONGEST_LINE_BYTES:
            self._input.clear()
            self._overlong = True

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no more is to be taken from the client."""
        return self.waiting >= MOST_WAITING

    def forget(self) -> None:
        """The peer has thrown away what waited."""
        self.waiting = 0
        self._input.clear()

    def take(self, count: int, stop_at: int | None) -> tuple[bytes, bool]:
        """Reply bytes that are ready; a line has no other mark of its end than its last byte."""
        found = -1 if stop_at is None else self._output.find(stop_at, 0, count)
        length = min(count, len(self._output)) if found < 0 else found + 1
        part = bytes(self._output[:length])
        del self._output[:length]
        return part, False

    def next_event_ns(self) -> int | None:
        """When the peer's next answer is due."""
        return self._peer.next_event_ns()

    @property
    def owes_reply(self) -> bool:
        """Whether a line of this client is not answered yet."""
        return self._peer.owes(self)

    def read_unasked(self) -> None:
        """A line tells an instrument nothing of being read."""

    def status_byte(self) -> int:
        """There is none on a line."""
        return 0

    def device_clear(self) -> None:
        """There is none on a line."""

    def close(self) -> None:
        """The client has gone."""
        self.lost = True
        self._input.clear()
        self._peer.disconnected(self)

    def deliver(self, data: bytes) -> None:
        """An answer of the peer."""
        if not self.lost:
            self._output += data

    def put(self, faulted: Faulted) -> None:
        """What leaves instead of an answer, as it is."""
        self.deliver(faulted.data)
        self.lost = self.lost or faulted.hangs_up


class LinePeer(FailingPeer):
    """A simulated instrument; subclasses override :meth:`answer`.

    ``role``: its role in the bench. ``answer_s``: world time from a line to its answer. Faults can be
    injected: :meth:`fail`, :meth:`die`, :meth:`garble`, :meth:`drop_connections`.
    """

    identity_lines: ClassVar[Mapping[str, str]] = {}
    """What it is asked when it is asked who it is, and what another instrument answers to that."""

    def __init__(self, world: World, *, role: str, answer_s: float, end: str = "\r\n") -> None:
        self.world = world
        self.role = role
        self.answer_s = answer_s
        self.silent = False
        self._end = end.encode("ascii")
        self.faults = WireFaults(world, role, self._go_on)
        self._clients: list[LineClient] = []
        self._inbox: deque[tuple[LineClient, str]] = deque()
        self._event: Event | None = None

    def answer(self, line: str) -> str | None:
        """What it answers to a line, without the end; None: nothing."""
        raise NotImplementedError

    def answer_to(self, client: LineClient, line: str) -> str | None:
        """The same, where it matters who asks."""
        return self.answer(line)

    # -- faults ------------------------------------------------------------------------------------

    def die(self) -> None:
        """From now on it answers nothing."""
        self.silent = True
        self._inbox.clear()
        for client in self._clients:
            client.forget()
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def open_connections(self) -> tuple[LineClient, ...]:
        """Those of its clients now."""
        return tuple(self._clients)

    # -- transports --------------------------------------------------------------------------------

    def connect(self, *, marks_end: bool) -> LineClient:
        """A new client; a line marks its ends by its bytes alone."""
        client = LineClient(self)
        self._clients.append(client)
        return client

    def disconnected(self, client: LineClient) -> None:
        """A client has hung up; its lines that were taken up are still carried out."""
        self._clients = [other for other in self._clients if other is not client]

    def submit(self, client: LineClient, line: str) -> None:
        """A complete line; answered after those before it."""
        client.waiting += 1
        self._inbox.append((client, line))
        self._go_on()

    def owes(self, client: LineClient) -> bool:
        """Whether a line of a client waits to be answered."""
        return client.waiting > 0

    def next_event_ns(self) -> int | None:
        """When the next answer is due."""
        if self._event is None and self._inbox and self.faults.is_busy:
            return self.faults.busy_until_ns()
        return None if self._event is None else self._event.when_ns

    def _go_on(self) -> None:
        if self._inbox and self._event is None and not self.faults.is_busy:
            self._event = self.world.after(self.answer_s + self.faults.delay_s, self._answer_next)

    def _answer_next(self) -> None:
        self._event = None
        client, line = self._inbox.popleft()
        client.waiting -= 1
        client.hand_on()
        text = self.answer_to(client, line)
        if text is not None:
            for asked, other in self.identity_lines.items():
                if asked in line:
                    text = self.faults.identity(text, other)
            data = text.encode("latin-1")
            faulted = self.faults.reply(data, self._end)
            if faulted is None:
                client.deliver(data + self._end)
            else:
                client.put(faulted)
        self._go_on()
