"""Recording a run: a back end that wraps another and writes down what its sessions do.

What is wrapped behaves as before, to the exception. A recording that cannot be written asks for a stop: the
user asked for one.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from json.encoder import encode_basestring_ascii
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TextIO

import pyvisa.constants
import pyvisa.errors

from drivers.clock import Clock, StopFlag, shielded, waited
from drivers.errors import UnsupportedError
from drivers.i2c import SmbusLike
from drivers.line_session import SerialPort
from harness.exchange.form import (
    BENCH_COPY,
    EXCHANGES,
    LONGEST_PIECE_BYTES,
    Fault,
    Header,
    bytes_fields,
    closing_line,
    header_line,
    seal,
    thread_name,
)
from harness.exchange.hidden import HiddenWords, ModuleSecrets, masked

if TYPE_CHECKING:
    from smbus2 import i2c_msg

    from harness.opening import Backend

__all__ = ["Recorder", "RecordingBackend"]

_NS_PER_S = 1_000_000_000
_KEPT_LINES = 200
"""Written to the file together: a run that is killed loses as many."""
_I2C_M_RD = 0x0001
_MORE_FOLLOWS = int(pyvisa.constants.StatusCode.success_max_count_read)
_LOST = int(pyvisa.constants.StatusCode.error_connection_lost)


class Recorder:
    """Takes exchanges, in memory until :meth:`begin` names the folder, and writes them down.

    Attribute ``exchanges`` counts them.
    """

    def __init__(self, clock: Clock, stop: StopFlag) -> None:
        self.exchanges = 0
        self._clock = clock
        self._stop = stop
        self._origin_s = clock.now_s()
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._crc = 0
        self._file: TextIO | None = None
        self._channels: list[Channel] = []
        self._failed = False
        self._own = threading.local()

    def begin(self, raw: Path, header: Header, bench_file: bytes) -> None:
        """Write down what there is and will be, to a run's ``raw`` folder.

        :raises OSError: when it cannot be written.
        """
        (raw / BENCH_COPY).write_bytes(bench_file)  # whose passwords the caller has left out
        with self._lock:
            self._file = (raw / EXCHANGES).open("x", encoding="ascii", newline="\n")
            self._file.write(header_line(header))
            self._flush()

    def channel(self, name: str) -> Channel:
        """Where one session's exchanges go."""
        channel = Channel(self, name)
        self._channels.append(channel)
        return channel

    def now_ns(self) -> int:
        """Bench time since the recording began."""
        return round((self._clock.now_s() - self._origin_s) * _NS_PER_S)

    def slept(self, duration_s: float) -> None:
        """This thread is about to sleep: what it read until now is an exchange of its own."""
        self.turns_to(None)
        self._own.slept_ns = getattr(self._own, "slept_ns", 0) + round(max(0.0, duration_s) * _NS_PER_S)

    def turns_to(self, channel: Channel | None) -> None:
        """This thread turns to a channel: what it read from another one comes before that."""
        before: Channel | None = getattr(self._own, "channel", None)
        if before is not None and before is not channel:
            before.settle_own()
        self._own.channel = channel

    def by(self) -> tuple[str, str]:
        """Fields for this thread: which one it is; how long it has slept since this was last asked."""
        name, slept_ns = thread_name(), getattr(self._own, "slept_ns", 0)
        self._own.slept_ns = 0
        return (
            f',"by":{encode_basestring_ascii(name)}' if name else "",
            f',"slept_ns":{slept_ns}' if slept_ns else "",
        )

    def add(self, on: str, t_ns: int, do: str, what: str) -> None:
        """Keep one exchange; ``on`` is quoted, ``what`` the rest of its fields."""
        with self._lock:
            self.exchanges += 1
            line = f'{{"n":{self.exchanges},"on":{on},"t_ns":{t_ns},"do":"{do}"{what}'
            sealed, self._crc = seal(line, self._crc)
            if not self._failed:
                self._lines.append(sealed)
            if len(self._lines) >= _KEPT_LINES and self._file is not None:
                self._flush()

    def close(self) -> None:
        """Write the rest."""
        for channel in self._channels:
            channel.settle()
        with self._lock:
            if self._file is not None:
                if not self._failed:
                    self._lines.append(closing_line(self.exchanges, self._crc))
                self._flush()
                with contextlib.suppress(OSError):
                    self._file.close()
                self._file = None

    def _flush(self) -> None:
        assert self._file is not None
        try:
            self._file.write("".join(self._lines))
            self._file.flush()
        except OSError as fault:
            self._failed = True
            self._stop.request(f"the exchanges cannot be recorded: {fault}")
        self._lines.clear()


class Channel:
    """One session's exchanges. Parts of a reply that are read one after the other are kept as one."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._on = encode_basestring_ascii(name)
        self._read = bytearray()
        self._read_ns = 0
        self._nothing = 0
        self._read_by = self._read_slept = ""
        self._reader = 0

    def opened(self, fault: Exception | None = None, *, raw_socket: bool = False) -> None:
        """The session was opened, or not."""
        self.did("open", (',"raw_socket":true' if raw_socket else "") + _fault_fields(fault))

    def did(self, do: str, what: str = "") -> None:
        """Anything but a read."""
        self._recorder.turns_to(self)
        if self._read or self._nothing:
            self.settle()
        self._recorder.add(self._on, self._recorder.now_ns(), do, what + "".join(self._recorder.by()))

    def wrote(
        self, data: bytes, fault: Exception | None = None, secrets: tuple[tuple[int, int], ...] = ()
    ) -> None:
        """Bytes were sent, or not. ``secrets``: from where to where passwords stand."""
        if secrets:
            if len(data) > LONGEST_PIECE_BYTES:
                raise ValueError(f"a password within {len(data)} bytes cannot be left out of a recording")
            places = ",".join(f"[{start},{end}]" for start, end in secrets)
            what = f'{bytes_fields(masked(data, secrets))},"secrets":[{places}]'
            self.did("write", what + _fault_fields(fault))
            return
        while len(data) > LONGEST_PIECE_BYTES:
            piece, data = data[:LONGEST_PIECE_BYTES], data[LONGEST_PIECE_BYTES:]
            self.did("write", f'{bytes_fields(piece)},"more":true')
        self.did("write", bytes_fields(data) + _fault_fields(fault))

    def read(self, data: bytes, status: int, fault: Exception | None = None) -> None:
        """Bytes were read, and how the read ended."""
        if self._nothing:
            self.settle()
        self._begins_reading()
        self._read += data
        self._read_ns = self._recorder.now_ns()
        while len(self._read) > LONGEST_PIECE_BYTES:
            self._put(bytes(self._read[:LONGEST_PIECE_BYTES]), _MORE_FOLLOWS, None)
            del self._read[:LONGEST_PIECE_BYTES]
        if status != _MORE_FOLLOWS or fault is not None:
            if fault is not None and self._read:
                self._put(bytes(self._read), _MORE_FOLLOWS, None)
                self._read.clear()
            self._put(bytes(self._read), status, fault)
            self._read.clear()

    def read_nothing(self) -> None:
        """A serial port waited its time out."""
        if self._read:
            self.settle()
        self._begins_reading()
        self._nothing += 1
        self._read_ns = self._recorder.now_ns()

    def settle_own(self) -> None:
        """Write down what this thread read last."""
        if self._reader == threading.get_ident():
            self.settle()

    def settle(self) -> None:
        """Write down what was read last."""
        if self._read:
            self._put(bytes(self._read), _MORE_FOLLOWS, None)
            self._read.clear()
        if self._nothing:
            what = f',"count":{self._nothing}{self._read_by}{self._read_slept}'
            self._recorder.add(self._on, self._read_ns, "nothing", what)
            self._nothing = 0

    def _begins_reading(self) -> None:
        self._recorder.turns_to(self)
        if not self._read and not self._nothing:
            (self._read_by, self._read_slept), self._reader = self._recorder.by(), threading.get_ident()

    def _put(self, data: bytes, status: int, fault: Exception | None) -> None:
        what = (
            f'{bytes_fields(data)},"status":{status}{_fault_fields(fault)}{self._read_by}{self._read_slept}'
        )
        self._recorder.add(self._on, self._read_ns, "read", what)
        self._read_slept = ""


def _fault_fields(fault: Exception | None) -> str:
    if fault is None:
        return ""
    if isinstance(fault, pyvisa.errors.VisaIOError):
        return Fault("visa", int(fault.error_code), "").fields()
    if type(fault).__module__ == "builtins" and isinstance(fault, OSError) and fault.errno is not None:
        return Fault("os", fault.errno, fault.strerror or "").fields()
    return Fault("other", 0, f"{type(fault).__name__}: {fault}").fields()


class RecordingBackend:
    """A back end whose sessions are written down (:class:`harness.opening.Backend`)."""

    def __init__(self, inner: Backend, stop: StopFlag) -> None:
        self._inner = inner
        self.recorder = Recorder(inner.clock, stop)
        self._secrets: dict[str, ModuleSecrets] = {}
        self.clock: Clock = RecordedClock(inner.clock, self.recorder)

    def visa_resource(self, address: str) -> Any:
        """Open a resource."""
        channel = self.recorder.channel(address)
        with _opening(channel):
            resource = self._inner.visa_resource(address)
        sessions = getattr(getattr(resource, "visalib", None), "sessions", None)
        interface = (
            getattr(sessions.get(resource.session), "interface", None)
            if isinstance(sessions, Mapping)
            else None
        )
        recorded = RecordedResource(
            resource, channel, interface if isinstance(interface, socket.socket) else None
        )
        channel.opened(raw_socket=isinstance(interface, socket.socket))
        return recorded

    def serial_port(self, address: str) -> SerialPort:
        """Open a port."""
        channel = self.recorder.channel(address)
        with _opening(channel):
            port = self._inner.serial_port(address)
        channel.opened()
        return RecordedPort(port, channel)

    def smbus(self, address: str) -> SmbusLike:
        """Open a bus."""
        channel = self.recorder.channel(address)
        with _opening(channel):
            bus = self._inner.smbus(address)
        channel.opened()
        # Over all its sessions: a replay goes on where the one before has ended, too.
        return RecordedBus(bus, channel, self._secrets.setdefault(address, ModuleSecrets()))

    def sysfs_file(self, address: str) -> str:
        """Its driver opens it by itself, so that nobody sees what goes over it.

        :raises UnsupportedError: always.
        """
        raise UnsupportedError(address, "what goes over a file of sysfs cannot be recorded")

    def close(self) -> None:
        """Close the libraries, then the recording."""
        try:
            self._inner.close()
        finally:
            self.recorder.close()


class RecordedClock:
    """A bench's clock; how long is slept by it is kept: gates and settling times are decisions too."""

    def __init__(self, clock: Clock, recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder

    @property
    def kind(self) -> str:
        """As the clock's."""
        return self._clock.kind

    def now_s(self) -> float:
        """As the clock's."""
        return self._clock.now_s()

    def sleep(self, duration_s: float) -> None:
        """Wait."""
        self._recorder.slept(duration_s)
        self._clock.sleep(duration_s)

    def checkpoint(self) -> None:
        """As the clock's."""
        self._clock.checkpoint()

    def shield(self) -> AbstractContextManager[object]:
        """As the clock's, if it can."""
        return shielded(self._clock)

    def waited(self, duration_s: float) -> None:
        """As the clock's, if it stands still."""
        waited(self._clock, duration_s)


@contextlib.contextmanager
def _opening(channel: Channel) -> Any:
    try:
        yield
    except Exception as fault:
        channel.opened(fault)
        raise


class RecordedResource:
    """A pyvisa resource as :class:`drivers.scpi.ScpiSession` uses one. Has nothing else, so that nothing goes
    unrecorded. ``interface``: the TCP socket below it, if any."""

    def __init__(self, resource: Any, channel: Channel, interface: socket.socket | None) -> None:
        self._resource = resource
        self._channel = channel
        self._hidden = HiddenWords()
        self._peeked = None if interface is None else PeekedSocket(interface, channel)
        self.visalib = _RecordedLibrary(resource, channel, self._peeked)

    @property
    def session(self) -> Any:
        """VISA's handle."""
        return self._resource.session

    @property
    def resource_name(self) -> str:
        """VISA's name of it."""
        return str(self._resource.resource_name)

    @property
    def timeout(self) -> float:
        """Longest that a read takes, ms."""
        return float(self._resource.timeout)

    @timeout.setter
    def timeout(self, value_ms: float) -> None:
        self._resource.timeout = value_ms

    @property
    def read_termination(self) -> str | None:
        """What ends a reply."""
        ended: str | None = self._resource.read_termination
        return ended

    @read_termination.setter
    def read_termination(self, value: str | None) -> None:
        self._resource.read_termination = value

    @property
    def write_termination(self) -> str | None:
        """What ends a command."""
        ended: str | None = self._resource.write_termination
        return ended

    @write_termination.setter
    def write_termination(self, value: str | None) -> None:
        self._resource.write_termination = value

    def ignore_warning(self, *warnings: Any) -> AbstractContextManager[Any]:
        """As pyvisa's."""
        ignoring: AbstractContextManager[Any] = self._resource.ignore_warning(*warnings)
        return ignoring

    def write(self, message: str, termination: str | None = None) -> int:
        """Send a command."""
        end = self._resource.write_termination if termination is None else termination
        data = f"{message}{end or ''}".encode("ascii")
        try:
            written: int = self._resource.write(message, termination=termination)
        except Exception as fault:
            self._channel.wrote(data, fault, self._hidden.places(data))
            raise
        self._channel.wrote(data, secrets=self._hidden.places(data))
        return written

    def hide(self, before: str, secret: str) -> None:
        """Do not write down ``secret`` where it is sent behind ``before``."""
        self._hidden.add(before, secret)

    def clear(self) -> None:
        """Device clear."""
        try:
            self._resource.clear()
        except Exception as fault:
            self._channel.did("clear", _fault_fields(fault))
            raise
        self._channel.did("clear")

    def close(self) -> None:
        """Close it."""
        if self._peeked is not None:
            self._peeked.detach()  # the resource owns the descriptor
        self._resource.close()


class _RecordedLibrary:
    def __init__(self, resource: Any, channel: Channel, peeked: PeekedSocket | None) -> None:
        self._library = resource.visalib
        self._channel = channel
        if peeked is not None:
            self.sessions = MappingProxyType({resource.session: SimpleNamespace(interface=peeked)})

    def read(self, session: Any, count: int) -> tuple[bytes, Any]:
        """Read up to ``count`` bytes."""
        try:
            data, code = self._library.read(session, count)
        except Exception as fault:
            self._channel.read(b"", 0, fault)
            raise
        self._channel.read(bytes(data), int(code))
        return data, code


class PeekedSocket(socket.socket):
    """The socket below a raw-socket resource, to be looked into: an end of file that is seen there alone is
    written down."""

    def __init__(self, interface: socket.socket, channel: Channel) -> None:
        super().__init__(interface.family, interface.type, interface.proto, interface.fileno())
        self._channel = channel

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As a socket's."""
        data = super().recv(size, flags)
        if not data:
            self._channel.read(b"", 0, pyvisa.errors.VisaIOError(_LOST))
        return data


class RecordedPort:
    """A pyserial port as :class:`drivers.line_session.SerialPort`."""

    def __init__(self, port: SerialPort, channel: Channel) -> None:
        self._port = port
        self._channel = channel

    @property
    def timeout(self) -> float | None:
        """Longest that a read takes, s."""
        return self._port.timeout

    @timeout.setter
    def timeout(self, value_s: float | None) -> None:
        self._port.timeout = value_s

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        try:
            count = self._port.in_waiting
        except Exception as fault:
            self._channel.did("waiting", _fault_fields(fault))
            raise
        if count:
            self._channel.did("waiting", f',"count":{count}')
        return count

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes."""
        try:
            data = self._port.read(size)
        except Exception as fault:
            self._channel.read(b"", 0, fault)
            raise
        if data:
            self._channel.read(bytes(data), _MORE_FOLLOWS)
        else:
            self._channel.read_nothing()
        return data

    def write(self, data: bytes) -> int | None:
        """Send bytes."""
        try:
            written = self._port.write(data)
        except Exception as fault:
            self._channel.wrote(bytes(data), fault)
            raise
        self._channel.wrote(bytes(data))
        return written

    def close(self) -> None:
        """Close it."""
        self._port.close()


class RecordedBus:
    """A bus of smbus2's shape (:class:`drivers.i2c.SmbusLike`). ``secrets``: of the module on it, if the bus
    was opened before."""

    def __init__(self, bus: SmbusLike, channel: Channel, secrets: ModuleSecrets | None = None) -> None:
        self._bus = bus
        self._channel = channel
        self._secrets = secrets or ModuleSecrets()

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer messages."""
        # Before: a message whose bytes are sent may be reused for what comes back.
        written = self._secrets.asked(
            [
                (message.addr, message.len if message.flags & _I2C_M_RD else _bytes_of(message))
                for message in i2c_msgs
            ]
        )
        asked = [
            f'["r",{message.addr},' if message.flags & _I2C_M_RD else f'["w",{message.addr},"{data.hex()}"]'
            for message, data in zip(i2c_msgs, written, strict=True)
        ]
        reads = [(place, message) for place, message in enumerate(i2c_msgs) if message.flags & _I2C_M_RD]
        try:
            self._bus.i2c_rdwr(*i2c_msgs)
        except Exception as fault:
            for place, message in reads:
                asked[place] += f"{message.len}]"
            self._channel.did("transfer", f',"messages":[{",".join(asked)}]{_fault_fields(fault)}')
            raise
        answers = self._secrets.answered([_bytes_of(message) for _, message in reads])
        for (place, _), data in zip(reads, answers, strict=True):
            asked[place] += f'"{data.hex()}"]'
        self._channel.did("transfer", f',"messages":[{",".join(asked)}]')

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()


def _bytes_of(message: i2c_msg) -> bytes:
    # bytes(message) goes byte by byte: ten times as slow.
    return ctypes.string_at(message.buf, message.len)
