"""A session with one instrument that speaks SCPI (or IEEE 488.2-like text) over a pyvisa resource.

What it adds to a pyvisa resource, each because its lack was measured to hurt:

* one lock: two threads on one pyvisa session get each other's replies;
* explicit terminations: without one a raw-socket read ends in a time-out though the data came;
* TCP_NODELAY: on a raw socket of pyvisa-py every write followed by a query stalls for 44 ms otherwise;
* a session knows when it may have a stale reply waiting (a transaction was cut short, a reply could not be
  parsed, bytes wait that nobody asked for) and resynchronises before the next transaction;
* what came of a reply is kept when the rest does not come: pyvisa drops it;
* pyvisa's errors and bare socket errors become :mod:`drivers.errors`, with instrument and command.
"""

from __future__ import annotations

import contextlib
import math
import re
import select
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import pyvisa.constants
import pyvisa.errors
from pyvisa.resources import MessageBasedResource

from drivers.clock import Clock, wait_until, waited
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    NoReplyError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.interfaces import Identity
from drivers.replies import LARGEST_BLOCK_BYTES, BlockHeader, Reply, block_header

__all__ = ["Dialect", "ScpiInstrument", "ScpiSession", "option"]

_LONGEST_TEXT_BYTES = 1024 * 1024
_MOST_ERRORS = 64
"""More entries than any instrument's error queue holds: reading stops there instead of for ever."""
_MOST_TOLERATED = 100
_CHUNK_BYTES = 20 * 1024
_PEEKED_BYTES = 64 * 1024
_LOCK_LIMIT_S = 1.0
_WALL_GRACE_S = 10.0
"""By how much a reply in many parts may take longer in wall time than its limit: in a simulated bench wall
time is not bench time, and bench time may stand still."""
_DEVICE_CLEAR_TRIES = 4
_QUIET_S = (0.1, 1.0)
"""Shortest and longest silence after which the input counts as empty; between: twice the slowest reply."""

_T = TypeVar("_T")


def _status_byte(reply: Reply) -> int:
    return reply.integer(0, 255)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an instrument is found to be in step: the queries of a resynchronisation, with what parses their
    replies, whose forms cannot be taken for each other's. By default ``*IDN?`` and ``*STB?``: asking changes
    nothing (IEEE 488.2, 10.14 and 10.36). ``write_termination`` ends what is sent; None: as the session was
    made."""

    identity_query: str = "*IDN?"
    identity_form: Callable[[Reply], Identity] = Reply.identity
    synchronising_query: str = "*STB?"
    synchronising_form: Callable[[Reply], object] = _status_byte
    write_termination: str | None = None


class ScpiSession:
    """Transactions with one instrument, one at a time.

    ``resource`` is an open pyvisa resource; ``name`` is how errors call the instrument;
    ``time_limit_s`` is the limit of a transaction that gives none; ``error_query`` is what
    :meth:`command` and :meth:`drain_errors` ask, or None for an instrument without an error queue
    (a driver sets it, and ``dialect``, for its model). Nothing is sent when a session is made.

    ``tolerated_errors`` are codes of the error queue that a model leaves behind without harm: a setting
    does not fail on them; they are kept in :attr:`errors_tolerated`.
    """

    resynchronisation_limit_s: float = 4.0
    """Longest that all of a resynchronisation may take, in bench time and in wall time."""

    def __init__(
        self,
        resource: MessageBasedResource,
        clock: Clock,
        *,
        name: str,
        time_limit_s: float = 3.0,
        read_termination: str = "\n",
        write_termination: str = "\n",
        error_query: str | None = ":SYST:ERR?",
    ) -> None:
        self.name = name
        self.time_limit_s = time_limit_s
        self.error_query = error_query
        self.round_trips = 0
        self.errors_at_resynchronisation: tuple[tuple[int, str], ...] = ()
        self._resource = resource
        self._clock = clock
        self._lock = threading.RLock()
        self._dirty = False
        self._distrusted = False
        self._queue_unknown = False
        self.tolerated_errors: frozenset[int] = frozenset()
        self._tolerated: deque[tuple[int, str]] = deque(maxlen=_MOST_TOLERATED)
        self._limit_s = 0.0
        self._deadline_s = 0.0
        self._bench_deadline_s = 0.0
        self._identity: Identity | None = None
        self._timeout_ms: int | None = None
        self._end = read_termination.encode("ascii")
        self._write_termination = write_termination
        self.dialect = Dialect()
        resource.read_termination = read_termination
        resource.write_termination = write_termination
        self._socket = _socket_of(resource)
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def clock(self) -> Clock:
        """The bench's clock, through which all waiting goes."""
        return self._clock

    @property
    def address(self) -> str:
        """The VISA resource's name, in capitals; "" where it has none."""
        return str(getattr(self._resource, "resource_name", "")).upper()

    @property
    def dirty(self) -> bool:
        """Whether a stale reply may be waiting: a transaction was cut short, or a reply made no sense."""
        return self._dirty or self._distrusted

    @property
    def errors_tolerated(self) -> tuple[tuple[int, str], ...]:
        """The latest entries of the error queue that were let pass (:attr:`tolerated_errors`)."""
        return tuple(self._tolerated)

    def keep_secret(self, before: str, secret: str) -> None:
        """``secret`` is a password, which is sent behind ``before``: a resource that writes down what goes
        over the wire (and has a ``hide`` for that) leaves it out."""
        hide = getattr(self._resource, "hide", None)
        if callable(hide):
            hide(before, secret)

    def distrust(self) -> None:
        """A reply made no sense: it may have been the answer to another query, and so may the next one be.
        The next transaction resynchronises first. (A :class:`Reply` that cannot be parsed calls this.)
        """
        self._distrusted = True

    # -- transactions ------------------------------------------------------------------------------

    def query(self, command: str, *, time_limit_s: float | None = None) -> Reply:
        """Send a query and read its one-line reply, still unparsed (see :class:`drivers.replies.Reply`).

        :raises NoReplyError: when nothing came within the limit.
        :raises PartialReplyError: when the reply ended without its terminator.
        :raises ConnectionFailedError: when the connection broke.
        """
        with self._exchange(command, time_limit_s):
            self._queue_unknown = self._queue_unknown or command != self.error_query
            self._send(command)
            return Reply(self.name, command, self._receive(command), self.distrust)

    def query_block(self, command: str, *, time_limit_s: float | None = None) -> bytes:
        """Send a query and read the data of its definite length block (IEEE 488.2, 8.7.9).

        :raises PartialReplyError: when fewer bytes came than the header announces.
        :raises GarbledReplyError: when the header is none, or more follows than the terminator.
        """
        with self._exchange(command, time_limit_s):
            self._queue_unknown = True
            self._send(command)
            return self._receive_block(command)

    def command(self, command: str, check: bool = True, *, time_limit_s: float | None = None) -> None:
        """Send a setting; then, with ``check``, read the instrument's error queue. What queries may have
        left in the queue is read before: it is not this setting's.

        :raises InstrumentReportedError: when the queue holds entries that are not tolerated; its command
            begins with ``before`` when they were there already, and then nothing was sent.
        """
        with self._lock:
            checked = check and self.error_query is not None
            if checked and self._queue_unknown:
                self.check_errors(f"before {command}", time_limit_s=time_limit_s)
            with self._exchange(command, time_limit_s):
                self._queue_unknown = self._queue_unknown or not checked
                self._send(command)
            if checked:
                self.check_errors(command, time_limit_s=time_limit_s)

    def check_errors(self, command: str, *, time_limit_s: float | None = None) -> None:
        """Read the error queue empty; ``command`` is what its entries are laid to.

        :raises InstrumentReportedError: when it holds entries that are not tolerated.
        """
        entries = self.drain_errors(time_limit_s=time_limit_s)
        self._tolerated += (entry for entry in entries if entry[0] in self.tolerated_errors)
        refused = tuple(entry for entry in entries if entry[0] not in self.tolerated_errors)
        if refused:
            raise InstrumentReportedError(self.name, command, refused)

    def send_blind(self, command: str) -> None:
        """Send without resynchronising and without looking at the answer: making safe begins with it, and
        for an instrument that listens but does not answer it is all there is. Does not wait long for a
        transaction that another thread is in: the instrument hears this all the same.
        """
        held = self._lock.acquire(timeout=_LOCK_LIMIT_S)
        try:
            with self._faults_as_errors(command):
                self._distrusted = True
                self._queue_unknown = True
                self._send(command)
        finally:
            if held:
                self._lock.release()

    def wait_complete(self, limit_s: float, *, interval_s: float = 0.1) -> float:
        """Wait until all operations are complete: ``*OPC``, then ``*ESR?`` bit 0 polled through the clock.

        A blocking ``*OPC?`` would need a time-out as long as the operation, and could not be stopped.

        :returns: seconds of bench time that it took.
        :raises NotSettledError: when ``limit_s`` passed.
        """
        with self._lock:
            self.query("*ESR?").integer(0, 255)  # reading clears it: an older completion must not count
            self.command("*OPC", check=False)
            return wait_until(
                self._clock,
                lambda: bool(self.query("*ESR?").integer(0, 255) & 1),
                timeout_s=limit_s,
                interval_s=interval_s,
                error=lambda: NotSettledError(
                    self.name, f"operation not complete after {limit_s:g} s", command="*OPC"
                ),
            )

    def identify(self) -> Identity:
        """Ask who it is (``*IDN?``); the answer is what a later resynchronisation must find again."""
        identity = self.dialect.identity_form(self.query(self.dialect.identity_query))
        self._identity = identity
        return identity

    def probe(self) -> Identity:
        """Ask ``*IDN?`` at once after opening: pyvisa-py opens a closed TCP port without complaint.

        :raises ConnectionFailedError: when nothing answers.
        """
        try:
            return self.identify()
        except NoReplyError as fault:
            raise ConnectionFailedError(
                self.name,
                "nothing answers at this address",
                command=self.dialect.identity_query,
                advice="Check that the instrument is on, its address in the bench file, and its cable.",
            ) from fault

    def drain_errors(self, *, time_limit_s: float | None = None) -> tuple[tuple[int, str], ...]:
        """Read the error queue empty: (code, text) pairs, the oldest first. Reads it a bounded number of
        times; an empty tuple for an instrument without an error queue.

        :raises GarbledReplyError: when the queue does not become empty.
        """
        if self.error_query is None:
            return ()
        return self._read_error_queue(self.error_query, time_limit_s, None)

    def resynchronise(self) -> tuple[tuple[int, str], ...]:
        """Throw away whatever replies are waiting, and prove that the next reply belongs to its query.

        Device clear where the transport has one; else the input is read until it is silent. Then ``*IDN?``
        must answer as before, and a query of another form (:class:`Dialect`) must be answered in
        its form with nothing after: an instrument slower than the silence waited for may send the identity
        twice. The entries of the instrument's error queue (it may say -410, query interrupted) are read,
        returned and kept in ``errors_at_resynchronisation``.

        :raises InstrumentError: when it does not succeed within :attr:`resynchronisation_limit_s`; the
            session then stays dirty.
        """
        with self._lock:
            self._clock.checkpoint()
            return self._resynchronise()

    def round_trip_s(self, repeats: int = 5) -> float:
        """Median wall time of an ``*IDN?`` query, seconds: what the transport costs."""
        durations: list[float] = []
        for _ in range(max(1, repeats)):
            start_s = time.perf_counter()
            self.query(self.dialect.identity_query)
            durations.append(time.perf_counter() - start_s)
        return statistics.median(durations)

    def close(self) -> None:
        """Close the resource, also when another thread does not come back from a transaction; a fault in
        closing is of no consequence and is dropped.
        """
        held = self._lock.acquire(timeout=_LOCK_LIMIT_S)
        try:
            with contextlib.suppress(Exception):
                self._resource.close()
        finally:
            if held:
                self._lock.release()

    # -- below the lock ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _exchange(self, command: str, time_limit_s: float | None) -> Iterator[None]:
        if not command.isascii() or "\n" in command:
            raise OutOfRangeError(self.name, "a command must be one line of ASCII", command=command)
        with self._lock:
            self._clock.checkpoint()
            if self.dirty or self._input_waits():
                self._resynchronise()
            with self._faults_as_errors(command):
                self._limit(self.time_limit_s if time_limit_s is None else time_limit_s)
                # Dirty until the reply is in, so that an interrupt anywhere between leaves it marked.
                self._dirty = True
                self.round_trips += 1
                yield
                self._dirty = False

    def _read_error_queue(
        self, query: str, time_limit_s: float | None, watch: _Watch | None
    ) -> tuple[tuple[int, str], ...]:
        entries: list[tuple[int, str]] = []
        with self._lock:
            for _ in range(_MOST_ERRORS):
                limit_s = (
                    time_limit_s if watch is None else min(self.time_limit_s, self._left_s(watch, query))
                )
                found = self.query(query, time_limit_s=limit_s).error_entries()
                if not found:
                    self._queue_unknown = False
                    return tuple(entries)
                entries += found
        raise GarbledReplyError(
            self.name,
            f"the error queue is not empty after {_MOST_ERRORS} readings",
            command=query,
            reply=entries[-1],
        )

    def _limit(self, time_limit_s: float) -> None:
        self._limit_s = time_limit_s
        self._deadline_s = time.monotonic() + time_limit_s
        self._bench_deadline_s = self._clock.now_s() + time_limit_s
        self._set_timeout(time_limit_s)

    def _set_timeout(self, time_limit_s: float) -> None:
        timeout_ms = max(1, math.ceil(time_limit_s * 1000 - 1e-6))
        if timeout_ms != self._timeout_ms:
            self._timeout_ms = None
            self._resource.timeout = timeout_ms
            self._timeout_ms = timeout_ms

    def _send(self, command: str) -> None:
        termination = self.dialect.write_termination
        self._resource.write(
            command, termination=self._write_termination if termination is None else termination
        )

    def _receive(self, command: str) -> str:
        raw = b""
        ended = False
        while not ended and not raw.endswith(self._end):
            if len(raw) >= _LONGEST_TEXT_BYTES:
                raise GarbledReplyError(
                    self.name, f"a line of over {len(raw)} bytes", command=command, reply=raw[:64]
                )
            part, ended = self._read_part(command, raw, _LONGEST_TEXT_BYTES - len(raw))
            raw += part
        if not raw.endswith(self._end):
            raise PartialReplyError(
                self.name, "the reply ended without its terminator", command=command, reply=raw[:256]
            )
        text = raw[: len(raw) - len(self._end)].decode("latin-1")
        return text.rstrip("\r")

    def _receive_block(self, command: str) -> bytes:
        raw = bytearray()  # every line feed among the data ends a read: there are many parts
        header: BlockHeader | None = None
        while header is None:
            # Byte by byte: what follows the header may end in the middle of a longer read.
            part, ended = self._read_part(command, raw, 1)
            raw += part
            header = block_header(self.name, command, bytes(raw))
            if header is None and ended:
                raise PartialReplyError(
                    self.name, "the block's header is not complete", command=command, reply=bytes(raw[:64])
                )
        # Line feeds inside the data end the reads early: read on until the terminator after the data.
        data_end = header.header_bytes + header.data_bytes
        ended = False
        while not ended and (len(raw) <= data_end or raw[data_end:] == b"\r"):
            wanted = max(1, min(data_end + 1 - len(raw), LARGEST_BLOCK_BYTES))
            part, ended = self._read_part(command, raw, wanted)
            raw += part
        if len(raw) <= data_end:
            raise PartialReplyError(
                self.name, f"the block stopped after {len(raw)} bytes", command=command, reply=bytes(raw[:64])
            )
        if bytes(raw[data_end:]) not in (b"\n", b"\r\n"):
            raise GarbledReplyError(
                self.name,
                "something else than a line feed follows the block's data",
                command=command,
                reply=bytes(raw[data_end : data_end + 64]),
            )
        return bytes(raw[header.header_bytes : data_end])

    def _read_part(self, command: str, before: bytes | bytearray, count: int) -> tuple[bytes, bool]:
        """From one to ``count`` bytes, and whether the transport says that the message ends with them.
        ``before`` is what came of the reply until now, which an error must tell.
        """
        try:
            if before and self._socket is None:
                self._shrink_timeout()
            return self._read_once(count)
        except pyvisa.errors.VisaIOError as fault:
            if before and fault.error_code == pyvisa.constants.StatusCode.error_timeout:
                raise PartialReplyError(
                    self.name,
                    f"the reply stopped after {len(before)} bytes, without its terminator "
                    f"within {self._limit_s:g} s",
                    command=command,
                    reply=bytes(before[:256]),
                ) from fault
            raise self._error_of(fault, command) from fault

    def _shrink_timeout(self) -> None:
        """What a library waits for a further part is no more than what is left of the transaction's limit.

        :raises VisaIOError: time-out when nothing is left.
        """
        left_s = min(
            self._bench_deadline_s - self._clock.now_s(), self._deadline_s + _WALL_GRACE_S - time.monotonic()
        )
        if left_s <= 0.0:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        self._set_timeout(min(left_s, self._limit_s))

    def _read_once(self, count: int) -> tuple[bytes, bool]:
        status = pyvisa.constants.StatusCode
        wanted = min(count, _CHUNK_BYTES)
        if self._socket is not None:
            # pyvisa-py drops what came when the rest does not, and spins when the other end has closed: look
            # first, and ask for no more than is there. It keeps what follows a line feed to itself, where
            # the next look would not see it: never ask beyond one.
            waiting = self._peek(self._socket)
            wanted = min(wanted, (waiting.find(self._end[-1:]) + 1) or len(waiting))
        with self._resource.ignore_warning(status.success_device_not_present, status.success_max_count_read):
            try:
                data, code = self._resource.visalib.read(self._resource.session, wanted)
            except pyvisa.errors.VisaIOError as fault:
                if fault.error_code == status.error_timeout and self._timeout_ms is not None:
                    waited(self._clock, self._timeout_ms / 1000.0)
                raise
        return data, code == status.success or not data

    def _peek(self, interface: socket.socket) -> bytes:
        """What waits in the socket: at least one byte.

        :raises VisaIOError: time-out at the deadline, connection lost when the other end has closed.
        """
        left_s = max(0.0, self._deadline_s - time.monotonic())
        readable, _, _ = select.select([interface], [], [], left_s)
        if not readable:
            waited(self._clock, left_s)
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        waiting = interface.recv(_PEEKED_BYTES, socket.MSG_PEEK)
        if not waiting:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_connection_lost)
        return waiting

    def _input_waits(self) -> bool:
        """Whether a raw socket holds bytes that belong to no query (or has been closed)."""
        if self._socket is None:
            return False
        try:
            return bool(select.select([self._socket], [], [], 0.0)[0])
        except (OSError, ValueError):
            return True

    def _resynchronise(self) -> tuple[tuple[int, str], ...]:
        self._dirty = True
        self._distrusted = False
        watch = _Watch(self._clock, self.resynchronisation_limit_s)
        dialect = self.dialect
        command = dialect.identity_query
        with self._faults_as_errors(command):
            cleared = self._device_clear()
            if not cleared:
                self._drain_input(watch, _QUIET_S[0])
            identity, slowest_s = self._await(command, dialect.identity_form, watch)
            if self._identity is not None and identity != self._identity:
                raise WrongIdentityError(
                    self.name,
                    f"another instrument answers: {identity}, before it was {self._identity}",
                    command=command,
                )
            while True:
                _, took_s = self._await(dialect.synchronising_query, dialect.synchronising_form, watch)
                slowest_s = max(slowest_s, took_s)
                quiet_s = min(max(_QUIET_S[0], 2.0 * slowest_s), _QUIET_S[1])
                if cleared or not self._drain_input(watch, quiet_s):
                    break
        self._identity = identity
        self._dirty = False
        self.errors_at_resynchronisation = ()
        if self.error_query is not None:
            self.errors_at_resynchronisation = self._read_error_queue(self.error_query, None, watch)
        return self.errors_at_resynchronisation

    def _await(self, query: str, parse: Callable[[Reply], _T], watch: _Watch) -> tuple[_T, float]:
        """Ask and read on until a reply parses; also the longest bench time that a reply took."""
        slowest_s = 0.0
        self._send(query)
        self.round_trips += 1
        while True:
            self._limit(min(self.time_limit_s, self._left_s(watch, query)))
            start_s = self._clock.now_s()
            text = self._receive(query)
            slowest_s = max(slowest_s, self._clock.now_s() - start_s)
            with contextlib.suppress(InstrumentError):
                return parse(Reply(self.name, query, text)), slowest_s

    def _left_s(self, watch: _Watch, command: str) -> float:
        """Seconds that a resynchronisation still has.

        :raises GarbledReplyError: when there are none.
        """
        left_s = watch.left_s()
        if left_s <= 0.0:
            raise GarbledReplyError(
                self.name,
                f"replies and queries do not agree, also after {self.resynchronisation_limit_s:g} s",
                command=command,
                advice="Power the instrument off and on, or check that nobody else uses it.",
            )
        return left_s

    def _device_clear(self) -> bool:
        """Clear the device where the transport can; False where it cannot.

        A raw socket has no device clear (pyvisa-py's only empties the input, and never returns when the
        peer has closed), nor has a serial line.
        """
        if self.address.endswith("::SOCKET") or self.address.startswith("ASRL"):
            return False
        for tries_left in range(_DEVICE_CLEAR_TRIES - 1, -1, -1):
            try:
                self._resource.clear()
            except pyvisa.errors.VisaIOError as fault:
                if fault.error_code == pyvisa.constants.StatusCode.error_nonsupported_operation:
                    return False
                raise
            except NotImplementedError:
                return False
            except RuntimeError:
                # pyvisa-py's HiSLIP takes a stale reply for the acknowledgement, and fails; each time it has
                # taken one message away.
                if not tries_left:
                    raise
            else:
                break
        return True

    def _drain_input(self, watch: _Watch, quiet_s: float) -> bool:
        """Read until nothing has come for ``quiet_s``; whether something had come."""
        drained = False
        while True:
            self._limit(min(quiet_s, self._left_s(watch, "")))
            try:
                self._read_once(_CHUNK_BYTES)
            except pyvisa.errors.VisaIOError as fault:
                if fault.error_code == pyvisa.constants.StatusCode.error_timeout:
                    return drained
                raise
            drained = True

    @contextlib.contextmanager
    def _faults_as_errors(self, command: str) -> Iterator[None]:
        try:
            yield
        except BenchError:
            raise
        except Exception as fault:
            # The I/O libraries raise VisaIOError, OSError, EOFError, KeyError, ...: whatever it was, the
            # transaction failed, and the cause is chained.
            raise self._error_of(fault, command) from fault

    def _error_of(self, fault: Exception, command: str) -> InstrumentError:
        status = pyvisa.constants.StatusCode
        code = fault.error_code if isinstance(fault, pyvisa.errors.VisaIOError) else None
        if code == status.error_timeout:
            return NoReplyError(
                self.name,
                f"no reply within {self._limit_s:g} s",
                command=command,
                advice="Check that it is on and connected; its front panel may show an error.",
            )
        if code == status.error_connection_lost:
            return ConnectionFailedError(self.name, "the instrument closed the connection", command=command)
        return ConnectionFailedError(
            self.name,
            f"the connection failed ({type(fault).__name__}: {fault})",
            command=command,
            advice="Check the cable and that nobody else holds the instrument.",
        )


class _Watch:
    """A time limit in bench time and in wall time, whichever passes first: in a simulated bench wall time
    may stand still, on a real one both are the same."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._bench_s = clock.now_s() + limit_s
        self._wall_s = time.monotonic() + limit_s

    def left_s(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return min(self._bench_s - self._clock.now_s(), self._wall_s - time.monotonic())


def _socket_of(resource: MessageBasedResource) -> socket.socket | None:
    """The TCP socket below a resource, where the I/O library lets it be seen; else None."""
    sessions: Any = getattr(getattr(resource, "visalib", None), "sessions", None)
    if not isinstance(sessions, Mapping):
        return None
    interface = getattr(sessions.get(resource.session), "interface", None)
    is_tcp = isinstance(interface, socket.socket) and interface.family in (socket.AF_INET, socket.AF_INET6)
    return interface if is_tcp else None


def option(options: Mapping[str, object], key: str, default: _T, *, instrument: str) -> _T:
    """A bench file's option, of the type of its default (an integer is taken for a float).

    :raises BenchError: when it is of another type.
    """
    value = options.get(key, default)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default):
        raise BenchError(
            f"{instrument}: bench file option {key!r} must be a {type(default).__name__}, got {value!r}"
        )
    return value


class ScpiInstrument:
    """What the drivers of SCPI instruments share. Making one does no I/O.

    A driver sets ``model_pattern`` (what the model field of ``*IDN?`` must match in full),
    ``model_shown`` (for errors) and, where they differ, ``error_query`` and ``tolerated_errors``.
    """

    model_pattern: ClassVar[str]
    model_shown: ClassVar[str]
    error_query: ClassVar[str | None] = ":SYST:ERR?"
    tolerated_errors: ClassVar[frozenset[int]] = frozenset()

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        self._session = session
        self._clock = clock
        self._name = name
        self._options: Mapping[str, object] = dict(options or {})
        self.errors_at_connect: tuple[tuple[int, str], ...] = ()
        session.error_query = self.error_query
        session.tolerated_errors = self.tolerated_errors

    @property
    def name(self) -> str:
        """How errors and records call it: its role in the bench."""
        return self._name

    @property
    def session(self) -> ScpiSession:
        """Its session, for the few who need one: round-trip times, resynchronisation."""
        return self._session

    def connect(self) -> Identity:
        """Probe it, check its model, keep its old error queue in ``errors_at_connect``, clear its status.

        :raises ConnectionFailedError: when nothing answers.
        :raises WrongIdentityError: when another model answers.
        """
        self._log_in()
        identity = self._session.probe()
        if not self._is_expected(identity):
            raise WrongIdentityError(
                self._name,
                f"expected a {self.model_shown}, found {identity.vendor} {identity.model} "
                f"(serial {identity.serial}, firmware {identity.firmware})",
                command="*IDN?",
                advice="Check the driver and the address in the bench file.",
            )
        self.errors_at_connect = self.drain_errors()
        self._session.command("*CLS")
        return identity

    def identify(self) -> Identity:
        """Ask for its identity.

        :raises GarbledReplyError: when the answer has not the four fields of ``*IDN?``.
        """
        return self._session.identify()

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """Read its error queue empty: (code, text) pairs, the oldest first."""
        return self._session.drain_errors()

    def tell(self, command: str) -> None:
        """Send one setting, and look whether it was refused.

        :raises InstrumentReportedError: when it was.
        """
        self._session.command(command)

    def place_of(self, channel: int) -> str:
        """What its commands call a channel (see :mod:`drivers.scpi_property`).

        :raises OutOfRangeError: when it has no such channel.
        """
        raise OutOfRangeError(self._name, f"it has no channels, and so no channel {channel}")

    def _tell_blind_first(self, *commands: str) -> str:
        """Send settings that make safe blind, for nothing may come before them; then resynchronise. Returns
        "", or what keeps it from being more than blind. After "" the caller sends them again: a line that
        had been cut short, or a device clear, may have swallowed the first.
        """
        unsent = ""
        for command in commands:
            try:
                self._session.send_blind(command)
            except InstrumentError as fault:
                unsent = str(fault)
        try:
            self._session.resynchronise()
        except InstrumentError as fault:
            return f"{unsent}; {fault}" if unsent else f"sent {'; '.join(commands)} blindly; {fault}"
        return ""

    def _log_in(self) -> None:
        """What an instrument asks for before it answers anything: of most, nothing."""

    def _is_expected(self, identity: Identity) -> bool:
        return re.fullmatch(self.model_pattern, identity.model) is not None

    def _within(self, value: float, low: float, high: float, what: str, unit: str) -> None:
        """Refuse a setting outside ``low`` .. ``high`` (or not finite) before anything is sent."""
        if not low <= value <= high:
            raise OutOfRangeError(
                self._name, f"{what} {value:g} {unit} is outside {low:g} to {high:g} {unit}; nothing was sent"
            )
