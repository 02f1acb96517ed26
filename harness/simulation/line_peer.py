"""A simulated instrument that speaks in lines and not in SCPI: one line in, one line out.

A peer answers the lines in their order, each after a while of its own. It has no status registers and no
error queue: what it makes of a line is its answer.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from harness.simulation.faults import Faulted, WireFaults
from harness.simulation.world import Event, World

__all__ = ["LineClient", "LinePeer"]

_LONGEST_LINE_BYTES = 256


class LineClient:
    """One client of a peer (:class:`harness.simulation.visa.Connection`)."""

    def __init__(self, peer: LinePeer) -> None:
        self._peer = peer
        self._input = bytearray()
        self._output = bytearray()
        self.lost = False

    def receive(self, data: bytes, *, end: bool) -> None:
        """Bytes from the client; complete lines go to the peer. What is longer than any line is dropped."""
        if self.lost or self._peer.silent:
            return
        self._input += data
        *lines, self._input = self._input.split(b"\n")
        if len(self._input) > _LONGEST_LINE_BYTES:
            self._input.clear()
        for line in lines:
            self._peer.submit(self, line.decode("latin-1").strip("\r"))

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
        self._peer.disconnected(self)

    def deliver(self, data: bytes) -> None:
        """An answer of the peer."""
        if not self.lost:
            self._output += data

    def put(self, faulted: Faulted) -> None:
        """What leaves instead of an answer, as it is."""
        self.deliver(faulted.data)
        self.lost = self.lost or faulted.hangs_up


class LinePeer:
    """A simulated instrument; subclasses override :meth:`answer`.

    ``role``: its role in the bench. ``answer_s``: world time from a line to its answer. Faults can be
    injected: :meth:`fail`, :meth:`die`, :meth:`garble`, :meth:`drop_connections`.
    """

    identity_lines: ClassVar[tuple[str, ...]] = ()
    """What it is asked when it is asked who it is."""

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

    def fail(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """From now on something goes wrong: ``dies``, or a kind of :mod:`harness.simulation.faults`.

        :raises ValueError: for a kind that there is not; ``error_queue`` is none, for it has no such queue.
        """
        if kind == "dies":
            self.die()
        else:
            self.faults.start(kind, count=count, for_s=for_s, delay_s=delay_s)

    def die(self) -> None:
        """From now on it answers nothing."""
        self.silent = True
        self._inbox.clear()
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def garble(self, *, on: bool = True) -> None:
        """From now on (or no more) its answers are garbage of the same length, still ended."""
        if on:
            self.faults.start("garbles")
        else:
            self.faults.stop("garbles")

    def drop_connections(self) -> None:
        """Break every open connection."""
        for client in self._clients:
            client.lost = True

    # -- transports --------------------------------------------------------------------------------

    def connect(self, *, marks_end: bool) -> LineClient:
        """A new client; a line marks its ends by its bytes alone."""
        client = LineClient(self)
        self._clients.append(client)
        return client

    def disconnected(self, client: LineClient) -> None:
        """A client has hung up; what it sent in full is still carried out."""
        self._clients = [other for other in self._clients if other is not client]

    def submit(self, client: LineClient, line: str) -> None:
        """A complete line; answered after those before it."""
        self._inbox.append((client, line))
        self._go_on()

    def owes(self, client: LineClient) -> bool:
        """Whether a line of a client waits to be answered."""
        return any(waiting is client for waiting, _ in self._inbox)

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
        text = self.answer_to(client, line)
        if text is not None:
            if any(asked in line for asked in self.identity_lines):
                text = self.faults.identity(text)
            data = text.encode("latin-1")
            faulted = self.faults.reply(data, self._end)
            if faulted is None:
                client.deliver(data + self._end)
            else:
                client.put(faulted)
        self._go_on()
