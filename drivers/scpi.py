"""A session with one instrument that speaks SCPI (or IEEE 488.2-like text) over a pyvisa resource.

What it adds to a pyvisa resource, each because its lack was measured to hurt:

* one lock: two threads on one pyvisa session get each other's replies;
* explicit terminations: without one a raw-socket read ends in a time-out though the data came;
* TCP_NODELAY: on a raw socket of pyvisa-py every write followed by a query stalls for 44 ms otherwise;
* a session knows when it may have a stale reply waiting, and resynchronises before the next transaction;
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
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import pyvisa.constants
import pyvisa.errors
from pyvisa.resources import MessageBasedResource

from drivers.clock import Clock, wait_until
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

__all__ = ["ScpiInstrument", "ScpiSession", "option"]

_LONGEST_TEXT_BYTES = 1024 * 1024
_MOST_ERRORS = 64
"""More entries than any instrument's error queue holds: reading stops there instead of for ever."""
_MOST_STALE_REPLIES = 32
_DRAIN_LIMIT_S = 0.1

_T = TypeVar("_T")


class ScpiSession:
    """Transactions with one instrument, one at a time.

    ``resource`` is an open pyvisa resource; ``name`` is how errors call the instrument;
    ``time_limit_s`` is the limit of a transaction that gives none; ``error_query`` is what
    :meth:`command` and :meth:`drain_errors` ask, or None for an instrument without an error queue
    (a driver sets it for its model). Nothing is sent when a session is made.
    """

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
        self._identity: Identity | None = None
        self._timeout_ms: int | None = None
        self._end = read_termination.encode("ascii")
        self._write_termination = write_termination
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
    def dirty(self) -> bool:
        """Whether a transaction was cut short, so that a stale reply may be waiting."""
        return self._dirty

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the session for several transactions that belong together."""
        with self._lock:
            yield

    # -- transactions ------------------------------------------------------------------------------

    def query(self, command: str, *, time_limit_s: float | None = None) -> Reply:
        """Send a query and read its one-line reply, still unparsed (see :class:`drivers.replies.Reply`).

        :raises NoReplyError: when nothing came within the limit.
        :raises PartialReplyError: when the reply ended without its terminator.
        :raises ConnectionFailedError: when the connection broke.
        """
        with self._exchange(command, time_limit_s):
            self._send(command)
            return Reply(self.name, command, self._receive(command))

    def query_block(self, command: str, *, time_limit_s: float | None = None) -> bytes:
        """Send a query and read the data of its definite length block (IEEE 488.2, 8.7.9).

        :raises PartialReplyError: when fewer bytes came than the header announces.
        :raises GarbledReplyError: when the header is none, or more follows than the terminator.
        """
        with self._exchange(command, time_limit_s):
            self._send(command)
            return self._receive_block(command)

    def command(self, command: str, check: bool = True, *, time_limit_s: float | None = None) -> None:
        """Send a setting; then, with ``check``, read the instrument's error queue.

        :raises InstrumentReportedError: when the queue holds entries.
        """
        with self._lock:
            with self._exchange(command, time_limit_s):
                self._send(command)
            if check and self.error_query is not None:
                entries = self.drain_errors(time_limit_s=time_limit_s)
                if entries:
                    raise InstrumentReportedError(self.name, command, entries)

    def send_blind(self, command: str) -> None:
        """Send without resynchronising and without looking at the answer: the last means of making safe
        an instrument that listens but does not answer.
        """
        with self._lock, self._faults_as_errors(command):
            self._dirty = True
            self._send(command)

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
        """Ask ``*IDN?``; the answer is what a later resynchronisation must find again."""
        identity = self.query("*IDN?").identity()
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
                command="*IDN?",
                advice="Check that the instrument is on, its address in the bench file, and its cable.",
            ) from fault

    def drain_errors(self, *, time_limit_s: float | None = None) -> tuple[tuple[int, str], ...]:
        """Read the error queue empty: (code, text) pairs, the oldest first. Reads it a bounded number of
        times; an empty tuple for an instrument without an error queue.

        :raises GarbledReplyError: when the queue does not become empty.
        """
        if self.error_query is None:
            return ()
        entries: list[tuple[int, str]] = []
        with self._lock:
            for _ in range(_MOST_ERRORS):
                found = self.query(self.error_query, time_limit_s=time_limit_s).error_entries()
                if not found:
                    return tuple(entries)
                entries += found
        raise GarbledReplyError(
            self.name,
            f"the error queue is not empty after {_MOST_ERRORS} readings",
            command=self.error_query,
            reply=entries[-1],
        )

    def resynchronise(self) -> tuple[tuple[int, str], ...]:
        """Throw away whatever replies are waiting, and prove it with an ``*IDN?`` that matches.

        Device clear where the transport has one; else the input is read until it is empty. The entries of
        the instrument's error queue (it may say -410, query interrupted) are read, returned and kept in
        ``errors_at_resynchronisation``.

        :raises InstrumentError: when it does not succeed; the session then stays dirty.
        """
        with self._lock:
            self._clock.checkpoint()
            self._resynchronise()
            self.errors_at_resynchronisation = self.drain_errors()
            return self.errors_at_resynchronisation

    def round_trip_s(self, repeats: int = 5) -> float:
        """Median wall time of an ``*IDN?`` query, seconds: what the transport costs."""
        durations: list[float] = []
        for _ in range(max(1, repeats)):
            start_s = time.perf_counter()
            self.query("*IDN?")
            durations.append(time.perf_counter() - start_s)
        return statistics.median(durations)

    def close(self) -> None:
        """Close the resource; a fault in closing is of no consequence and is dropped."""
        with self._lock, contextlib.suppress(Exception):
            self._resource.close()

    # -- below the lock ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _exchange(self, command: str, time_limit_s: float | None) -> Iterator[None]:
        if not command.isascii() or "\n" in command:
            raise OutOfRangeError(self.name, "a command must be one line of ASCII", command=command)
        with self._lock:
            self._clock.checkpoint()
            if self._dirty:
                self._resynchronise()
                self.errors_at_resynchronisation = self.drain_errors()
            with self._faults_as_errors(command):
                self._limit(self.time_limit_s if time_limit_s is None else time_limit_s)
                # Dirty until the reply is in, so that an interrupt anywhere between leaves it marked.
                self._dirty = True
                self.round_trips += 1
                yield
                self._dirty = False

    def _limit(self, time_limit_s: float) -> None:
        timeout_ms = max(1, math.ceil(time_limit_s * 1000))
        if timeout_ms != self._timeout_ms:
            self._timeout_ms = None
            self._resource.timeout = timeout_ms
            self._timeout_ms = timeout_ms

    def _send(self, command: str) -> None:
        self._resource.write(command, termination=self._write_termination)

    def _receive(self, command: str) -> str:
        raw = self._resource.read_bytes(_LONGEST_TEXT_BYTES, break_on_termchar=True)
        if not raw.endswith(self._end):
            raise PartialReplyError(
                self.name, "the reply ended without its terminator", command=command, reply=raw[:256]
            )
        text = raw[: len(raw) - len(self._end)].decode("latin-1")
        return text.rstrip("\r")

    def _receive_block(self, command: str) -> bytes:
        raw = b""
        header: BlockHeader | None = None
        while header is None:
            try:
                raw += self._resource.read_bytes(_LONGEST_TEXT_BYTES, break_on_termchar=True)
            except pyvisa.errors.VisaIOError as fault:
                raise self._cut_short(command, raw, fault) from fault
            header = block_header(self.name, command, raw)
            if header is None and raw.endswith(b"\n"):
                raise PartialReplyError(
                    self.name, "the block's header is not complete", command=command, reply=raw[:64]
                )
        # Line feeds inside the data ended the reads early: read on until the terminator after the data.
        data_end = header.header_bytes + header.data_bytes
        while len(raw) <= data_end or raw[data_end:] == b"\r":
            try:
                raw += self._resource.read_bytes(max(1, min(data_end + 1 - len(raw), LARGEST_BLOCK_BYTES)))
            except pyvisa.errors.VisaIOError as fault:
                raise self._cut_short(command, raw, fault) from fault
        if raw[data_end:] not in (b"\n", b"\r\n"):
            raise GarbledReplyError(
                self.name,
                f"{len(raw) - data_end} bytes follow the block's data where only a line feed may",
                command=command,
                reply=raw[data_end : data_end + 64],
            )
        return raw[header.header_bytes : data_end]

    def _cut_short(self, command: str, raw: bytes, fault: pyvisa.errors.VisaIOError) -> InstrumentError:
        """The error of a block read that failed: partial when something had come."""
        if raw and fault.error_code == pyvisa.constants.StatusCode.error_timeout:
            return PartialReplyError(
                self.name, f"the block stopped after {len(raw)} bytes", command=command, reply=raw[:64]
            )
        return self._error_of(fault, command)

    def _resynchronise(self) -> None:
        self._dirty = True
        command = "*IDN?"
        with self._faults_as_errors(command):
            cleared = self._device_clear()
            if not cleared:
                self._drain_input()
            self._limit(self.time_limit_s)
            self._send(command)
            self.round_trips += 1
            identity = self._await_identity(command)
            if self._identity is not None and identity != self._identity:
                raise WrongIdentityError(
                    self.name,
                    f"another instrument answers: {identity}, before it was {self._identity}",
                    command=command,
                )
            if not cleared:
                self._drain_input()  # the answer may itself have been a stale one
        self._identity = identity
        self._dirty = False

    def _await_identity(self, command: str) -> Identity:
        for _ in range(_MOST_STALE_REPLIES):
            text = self._receive(command)
            with contextlib.suppress(InstrumentError):
                return Reply(self.name, command, text).identity()
        raise GarbledReplyError(
            self.name,
            f"{_MOST_STALE_REPLIES} stale replies and no identity",
            command=command,
            advice="Power the instrument off and on, or check that nobody else uses it.",
        )

    def _device_clear(self) -> bool:
        """Clear the device where the transport can; False where it cannot.

        A raw socket has no device clear (pyvisa-py's only empties the input, and never returns when the
        peer has closed), nor has a serial line.
        """
        resource_name = str(getattr(self._resource, "resource_name", "")).upper()
        if resource_name.endswith("::SOCKET") or resource_name.startswith("ASRL"):
            return False
        try:
            self._resource.clear()
        except pyvisa.errors.VisaIOError as fault:
            if fault.error_code == pyvisa.constants.StatusCode.error_nonsupported_operation:
                return False
            raise
        except NotImplementedError:
            return False
        return True

    def _drain_input(self) -> None:
        self._limit(_DRAIN_LIMIT_S)
        for _ in range(_MOST_STALE_REPLIES):
            try:
                self._resource.read_bytes(_LONGEST_TEXT_BYTES, break_on_termchar=True)
            except pyvisa.errors.VisaIOError as fault:
                if fault.error_code == pyvisa.constants.StatusCode.error_timeout:
                    return
                raise
        raise GarbledReplyError(self.name, "it does not stop sending")

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
        timeout = pyvisa.constants.StatusCode.error_timeout
        if isinstance(fault, pyvisa.errors.VisaIOError) and fault.error_code == timeout:
            if not self._peer_closed():
                limit = "" if self._timeout_ms is None else f" within {self._timeout_ms / 1000:g} s"
                return NoReplyError(
                    self.name,
                    f"no reply{limit}",
                    command=command,
                    advice="Check that it is on and connected; its front panel may show an error.",
                )
            return ConnectionFailedError(self.name, "the instrument closed the connection", command=command)
        return ConnectionFailedError(
            self.name,
            f"the connection failed ({type(fault).__name__}: {fault})",
            command=command,
            advice="Check the cable and that nobody else holds the instrument.",
        )

    def _peer_closed(self) -> bool:
        """Whether the other end of the raw socket has closed: pyvisa-py reports that as a time-out."""
        if self._socket is None:
            return False
        try:
            readable, _, _ = select.select([self._socket], [], [], 0.0)
            return bool(readable) and self._socket.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True


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
    ``model_shown`` (for errors) and, where it differs, ``error_query``.
    """

    model_pattern: ClassVar[str]
    model_shown: ClassVar[str]
    error_query: ClassVar[str | None] = ":SYST:ERR?"

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        self._session = session
        self._clock = clock
        self._name = name
        self._options: Mapping[str, object] = dict(options or {})
        self.errors_at_connect: tuple[tuple[int, str], ...] = ()
        session.error_query = self.error_query

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

    def _is_expected(self, identity: Identity) -> bool:
        return re.fullmatch(self.model_pattern, identity.model) is not None

    def _within(self, value: float, low: float, high: float, what: str, unit: str) -> None:
        """Refuse a setting outside ``low`` .. ``high`` (or not finite) before anything is sent."""
        if not low <= value <= high:
            raise OutOfRangeError(
                self._name, f"{what} {value:g} {unit} is outside {low:g} to {high:g} {unit}; nothing was sent"
            )
