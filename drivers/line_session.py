"""A session with one instrument that speaks in lines over a pyserial port: a serial line or a TCP socket.

What it adds to a pyserial port:

* one lock: a query and its reply are one transaction;
* a reply is read to its end or to a time limit, and what came of it is kept when the rest does not come;
* rests between commands where an instrument needs them, through the bench's clock;
* the echo of what was sent (two-wire adapters) is taken off and looked at;
* a session knows when a stale reply may be waiting (a transaction was cut short, a reply made no sense, bytes
  wait that nobody asked for) and resynchronises before the next transaction;
* pyserial's errors become :mod:`drivers.errors`, with instrument and command.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from drivers.clock import Clock, waited
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    EmptyReplyError,
    GarbledReplyError,
    NoReplyError,
    OutOfRangeError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.replies import Reply

__all__ = ["LineForm", "LineSession", "SerialPort"]

_SLICE_S = 0.1
"""Longest that one read of the port blocks."""
_LONGEST_LINE_BYTES = 4096
_LOCK_LIMIT_S = 1.0
_SYNCHRONISATION_TRIES = 3
_MOST_DRAINED_BYTES = 64 * 1024
_WALL_GRACE_S = 10.0
"""By how much wall time may be beyond a limit: in a simulated bench it is not bench time, and bench time may
stand still while bytes drip in."""


class SerialPort(Protocol):
    """What of an open pyserial port is used. A read that gives fewer bytes than asked for has waited
    ``timeout`` seconds."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes."""

    def write(self, data: bytes) -> int | None:
        """Send bytes."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class LineForm:
    """How an instrument speaks.

    Attributes: ``end`` goes behind every command; a reply ends with a line feed, with or without a carriage
    return before it. ``prefix`` goes before every command (an address on a line with several instruments).
    ``echoes``: what is sent comes back first. ``rest_s``: least bench time between a reply and the next
    command. ``quiet_s``: after so long a silence no reply is under way any more. ``proof``: queries with what
    parses their replies, whose forms cannot be taken for each other's; asked to see that replies belong to
    their queries again. ``identity_query``: the one of these that is answered in the same way for as long as
    the same instrument is there.
    """

    end: str = "\r\n"
    prefix: str = ""
    echoes: bool = False
    rest_s: float = 0.0
    quiet_s: float = 1.0
    proof: tuple[tuple[str, Callable[[Reply], object]], ...] = ()
    identity_query: str = ""


class LineSession:
    """Transactions with one instrument, one at a time.

    ``port`` is an open pyserial port; ``name`` is how errors call the instrument; ``time_limit_s`` is how
    long a reply may take. A driver sets ``form`` for its model. Nothing is sent when a session is made.
    """

    def __init__(self, port: SerialPort, clock: Clock, *, name: str, time_limit_s: float = 3.0) -> None:
        self.name = name
        self.time_limit_s = time_limit_s
        self.form = LineForm()
        self.round_trips = 0
        self._port = port
        self._clock = clock
        self._lock = threading.RLock()
        self._dirty = False
        self._identity: object = None
        self._rested_at_s: float | None = None
        port.timeout = _SLICE_S

    @property
    def clock(self) -> Clock:
        """The bench's clock, through which all waiting goes."""
        return self._clock

    @property
    def dirty(self) -> bool:
        """Whether a stale reply may be waiting: a transaction was cut short, or a reply made no sense."""
        return self._dirty

    def distrust(self) -> None:
        """A reply made no sense: the next transaction resynchronises first. (A :class:`Reply` that cannot be
        parsed calls this.)
        """
        self._dirty = True

    def query(self, command: str, *, time_limit_s: float | None = None) -> Reply:
        """Send a line and read the line that answers it, still unparsed (see :class:`drivers.replies.Reply`).

        The limit is that of echo and reply together, also when bytes keep coming.

        :raises NoReplyError: when nothing came within the limit.
        :raises PartialReplyError: when the line had no end within it; what came of it is its ``reply``.
        :raises GarbledReplyError: when no echo came where one is expected.
        :raises ConnectionFailedError: when the port failed.
        """
        self._check(command)
        with self._lock:
            self._rest()
            with self._faults_as_errors(command):
                if self._dirty or self._port.in_waiting:
                    self._resynchronise()
                return self._transact(command, self.time_limit_s if time_limit_s is None else time_limit_s)

    def send_blind(self, command: str) -> None:
        """Send without resynchronising and without looking at the answer: making safe begins with it. Does
        not wait long for a transaction that another thread is in.
        """
        self._check(command)
        held = self._lock.acquire(timeout=_LOCK_LIMIT_S)
        try:
            with self._faults_as_errors(command):
                self._dirty = True
                self._send(command)
                self._rested_at_s = self._clock.now_s() + self.form.rest_s
        finally:
            if held:
                self._lock.release()

    def resynchronise(self, *, anew: bool = False) -> None:
        """Throw away whatever replies are waiting, and prove that the next reply belongs to its query.

        A bare line end first: it ends a command that was cut short, and what that answers is thrown away.
        Then the input is read until it is silent for ``form.quiet_s``, and each query of ``form.proof`` must
        be answered in its form, with nothing after. ``anew``: whoever answers is the one to be found again
        later; else it must be the one found before. It takes no longer than twice the silence and all the
        queries of the proof, each at its slowest.

        :raises WrongIdentityError: when another instrument answers.
        :raises InstrumentError: when it does not succeed; the session then stays dirty.
        """
        with self._lock:
            self._rest()
            with self._faults_as_errors(""):
                if anew:
                    self._identity = None
                self._resynchronise()

    def close(self) -> None:
        """Close the port, also when another thread does not come back from a transaction; a fault in closing
        is of no consequence and is dropped.
        """
        held = self._lock.acquire(timeout=_LOCK_LIMIT_S)
        try:
            with contextlib.suppress(Exception):
                self._port.close()
        finally:
            if held:
                self._lock.release()

    # -- below the lock ----------------------------------------------------------------------------

    def _check(self, command: str) -> None:
        if not command.isascii() or not command.isprintable():
            raise OutOfRangeError(self.name, "a command must be one line of ASCII", command=command)

    def _rest(self) -> None:
        self._clock.checkpoint()
        if self._rested_at_s is not None:
            left_s = self._rested_at_s - self._clock.now_s()
            if left_s > 0.0:
                self._clock.sleep(left_s)

    def _transact(self, command: str, limit_s: float) -> Reply:
        # Dirty until the reply is in, so that an interrupt anywhere between leaves it marked.
        self._dirty = True
        self.round_trips += 1
        watch = _Watch(self._clock, limit_s)
        try:
            sent = self._send(command)
            if self.form.echoes:
                echo = self._receive(command, watch)
                if echo != sent:
                    raise GarbledReplyError(
                        self.name,
                        "the line does not echo what was sent",
                        command=command,
                        reply=echo,
                        advice="Check the driver's option for the echo, and the line's settings.",
                    )
            text = self._receive(command, watch)
        finally:
            self._rested_at_s = self._clock.now_s() + self.form.rest_s
        self._dirty = False
        return Reply(self.name, command, text, self.distrust)

    def _send(self, command: str) -> str:
        line = f"{self.form.prefix}{command}"
        self._port.write(f"{line}{self.form.end}".encode("ascii"))
        return line

    def _receive(self, command: str, watch: _Watch) -> str:
        raw = b""
        while not raw.endswith(b"\n"):
            # Byte by byte: what follows the line's end must stay where in_waiting sees it.
            part = self._read(1, watch)
            raw += part
            if len(raw) > _LONGEST_LINE_BYTES:
                raise GarbledReplyError(
                    self.name, f"a line of over {_LONGEST_LINE_BYTES} bytes", command=command, reply=raw[:64]
                )
            if watch.is_over and not raw.endswith(b"\n"):
                raise self._nothing_more(command, raw, watch.limit_s)
        return raw.rstrip(b"\r\n").decode("latin-1")

    def _read(self, size: int, watch: _Watch) -> bytes:
        part = self._port.read(size)
        if not part:
            waited(self._clock, _SLICE_S)
            watch.silent_s += _SLICE_S
        return part

    def _nothing_more(self, command: str, raw: bytes, limit_s: float) -> BenchError:
        if raw:
            return PartialReplyError(
                self.name,
                f"the reply stopped after {len(raw)} bytes, without its end within {limit_s:g} s",
                command=command,
                reply=raw[:256],
            )
        return NoReplyError(
            self.name,
            f"no reply within {limit_s:g} s",
            command=command,
            advice="Check that it is on, its cable, and speed, parity and address against its panel.",
        )

    def _resynchronise(self) -> None:
        self._dirty = True
        form = self.form
        limit_s = 2.0 * form.quiet_s + len(form.proof) * (self.time_limit_s + form.rest_s)
        watch = _Watch(self._clock, limit_s)
        self._port.write(form.end.encode("ascii"))
        self._drain(form.quiet_s, watch)
        fault: BenchError | None = None
        for _ in range(_SYNCHRONISATION_TRIES):
            identity: object = None
            try:
                for query, parse in form.proof:
                    self._rest()
                    found = parse(self._transact(query, min(self.time_limit_s, max(watch.left_s, _SLICE_S))))
                    self._dirty = True  # until all of it is proven
                    identity = found if query == form.identity_query else identity
            except (GarbledReplyError, EmptyReplyError, PartialReplyError) as wrong:
                fault = wrong
                if watch.is_over:
                    break
                self._drain(form.quiet_s, watch)
                continue
            # With something after the last answer they were answers to older queries.
            if not self._drain(form.quiet_s, watch):
                if form.identity_query:
                    self._recognise(identity)
                self._dirty = False
                return
            if watch.is_over:
                break
        self._dirty = True
        raise GarbledReplyError(
            self.name,
            f"replies and queries do not agree, also after {_SYNCHRONISATION_TRIES} tries or {limit_s:g} s",
            advice="Power the instrument off and on, or check that nobody else uses its line.",
        ) from fault

    def _recognise(self, identity: object) -> None:
        if identity is None:
            return  # the proof does not ask for it
        if self._identity is not None and identity != self._identity:
            raise WrongIdentityError(
                self.name,
                f"another instrument answers: {identity}, before it was {self._identity}",
                command=self.form.identity_query,
                advice="Check what is connected to its line.",
            )
        self._identity = identity

    def _drain(self, quiet_s: float, watch: _Watch) -> bool:
        """Read until nothing has come for ``quiet_s``; whether something had come."""
        silent_s, drained = 0.0, 0
        while silent_s < quiet_s - 1e-9:
            part = self._read(max(1, self._port.in_waiting), watch)
            drained += len(part)
            silent_s = 0.0 if part else silent_s + _SLICE_S
            if drained > _MOST_DRAINED_BYTES or (part and watch.is_over):
                raise GarbledReplyError(
                    self.name,
                    f"{drained} bytes came that nobody asked for, and still more come",
                    advice="Check the line's speed and parity, and what else is connected to it.",
                )
        return drained > 0

    @contextlib.contextmanager
    def _faults_as_errors(self, command: str) -> Iterator[None]:
        try:
            yield
        except BenchError:
            raise
        except Exception as fault:
            # SerialException, OSError, termios.error, TypeError of a port closed meanwhile: whatever it was,
            # the transaction failed, and the cause is chained.
            raise ConnectionFailedError(
                self.name,
                f"the connection failed ({type(fault).__name__}: {fault})",
                command=command,
                advice="Check the cable and that nobody else holds the port.",
            ) from fault


class _Watch:
    """A time limit over several reads, in bench time and, with a grace, in wall time."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._bench_s = clock.now_s() + limit_s
        self._wall_s = time.monotonic() + limit_s + _WALL_GRACE_S
        self.limit_s = limit_s
        self.silent_s = 0.0
        """Time-outs of the port so far: they are counted, for bench time may not pass while it waits."""

    @property
    def left_s(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        left_s = min(self._bench_s - self._clock.now_s(), self._wall_s - time.monotonic())
        return min(left_s, self.limit_s - self.silent_s)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self.left_s <= 1e-9
