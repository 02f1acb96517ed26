"""Running a plan against a recording: a back end that knows nothing but what was recorded.

Each thread's exchanges, and each instrument's, must be asked for in their order, exactly, and each thread
must sleep as long between its exchanges as it did, within a tolerance. The first thing that is asked
otherwise ends the replay: a :class:`ReplayDifferenceError` says what was recorded, what is asked now, and
what stood before; whatever is asked afterwards, of any instrument, gets the same error, and the run is asked
to stop.

How much one read asks for is free, for it depends on how bytes happened to arrive: a read gives what was
recorded, in as many parts as it is asked in.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyvisa.constants
import pyvisa.errors

from drivers.clock import Clock, StopFlag
from drivers.errors import BenchError, ConnectionFailedError, UnsupportedError
from drivers.i2c import SmbusLike
from drivers.line_session import SerialPort
from harness.exchange.form import UNNAMED_THREAD, Exchange, Fault, Message, shown, shown_messages, thread_name
from harness.exchange.hidden import HiddenWords, ModuleSecrets, masked
from harness.exchange.reading import Recording

if TYPE_CHECKING:
    from smbus2 import i2c_msg

__all__ = ["ReplayBackend", "ReplayClock", "ReplayDifferenceError"]

_NS_PER_S = 1_000_000_000
_CONTEXT = 5
_SLEEP_TOLERANCE = 0.01
_SLEEP_TOLERANCE_S = 0.1
"""A sleep may end at a set time, and a recording of a lab does not hold the time that the program took."""
_VIRTUAL_SLEEP_TOLERANCE_S = 1e-3
"""Where only sleeping takes time: sums of rounded times."""
_I2C_M_RD = 0x0001
_STATUS = pyvisa.constants.StatusCode


class ReplayDifferenceError(BenchError):
    """The code asks something else than was recorded. Attribute ``number``: which exchange was expected; None
    when there is none left."""

    def __init__(self, text: str, number: int | None) -> None:
        super().__init__(text)
        self.number = number


class ReplayFault(Exception):  # noqa: N818 - stands for another program's exception
    """An exception of an I/O library that was recorded, of a type that is not made again."""


class ReplayClock:
    """Bench time as it was recorded (:class:`drivers.clock.Clock`): an exchange brings it to when it ended,
    sleeping moves it on at once. Each thread has a time of its own, which begins at the latest of all, for
    threads need not take turns as they did.
    """

    kind = "replay"

    def __init__(self, stop: StopFlag) -> None:
        self._stop = stop
        self._latest_ns = 0
        self._own = threading.local()

    def now_s(self) -> float:
        """Seconds since the recording began."""
        return self._now_ns() / _NS_PER_S

    def sleep(self, duration_s: float) -> None:
        """Move on; takes no time."""
        self.checkpoint()
        slept_ns = round(max(0.0, duration_s) * _NS_PER_S)
        self._own.slept_ns = self.slept_ns + slept_ns
        self.move_to(self._now_ns() + slept_ns)
        self.checkpoint()

    @property
    def slept_ns(self) -> int:
        """How long this thread has slept since :meth:`awoke`."""
        slept_ns: int = getattr(self._own, "slept_ns", 0)
        return slept_ns

    def awoke(self) -> None:
        """This thread asks for something: what it sleeps from now on is counted anew."""
        self._own.slept_ns = 0

    def checkpoint(self) -> None:
        """Raise :class:`drivers.clock.StopRequested` if the run was told to stop."""
        self._stop.raise_if_requested()

    def shield(self) -> AbstractContextManager[None]:
        """As :meth:`drivers.clock.StopFlag.shield`."""
        return self._stop.shield()

    def move_to(self, when_ns: int) -> None:
        """Move this thread's time on, never back."""
        self._own.ns = max(when_ns, self._now_ns())
        self._latest_ns = max(self._latest_ns, self._own.ns)

    def _now_ns(self) -> int:
        if threading.current_thread() is threading.main_thread():
            return self._latest_ns
        own: int | None = getattr(self._own, "ns", None)
        return self._latest_ns if own is None else own


class ReplayBackend:
    """A back end over a recording (:class:`harness.opening.Backend`)."""

    def __init__(self, recording: Recording, stop: StopFlag) -> None:
        self.recording = recording
        self.difference: ReplayDifferenceError | None = None
        self._clock = ReplayClock(stop)
        self.clock: Clock = self._clock
        self._stop = stop
        self._channels: dict[str, Channel] = {}
        self._places = dict.fromkeys(recording.threads, 0)
        virtual = recording.header.clock == "virtual"
        self._sleep_tolerance = 0.0 if virtual else _SLEEP_TOLERANCE
        self._sleep_tolerance_s = _VIRTUAL_SLEEP_TOLERANCE_S if virtual else _SLEEP_TOLERANCE_S

    def visa_resource(self, address: str) -> Any:
        """Open a resource."""
        channel = self._channel(address)
        return ReplayedResource(address, channel, raw_socket=channel.opened().raw_socket)

    def serial_port(self, address: str) -> SerialPort:
        """Open a port."""
        channel = self._channel(address)
        channel.opened()
        return ReplayedPort(channel)

    def smbus(self, address: str) -> SmbusLike:
        """Open a bus."""
        channel = self._channel(address)
        channel.opened()
        return ReplayedBus(channel)

    def sysfs_file(self, address: str) -> str:
        """Its driver opens it by itself, so that nobody sees what goes over it.

        :raises UnsupportedError: always.
        """
        raise UnsupportedError(address, "what goes over a file of sysfs cannot be replayed")

    def close(self) -> None:
        """There is nothing to close."""

    def remarks(self) -> tuple[str, ...]:
        """What a person should know after the replay: where it differs, what was not asked any more. Empty
        when everything was asked and nothing else.
        """
        torn = ("the recording is torn: its closing line is missing or not whole, and more may be",)
        said = torn if self.recording.torn else ()
        if self.difference is not None:
            return (*said, str(self.difference))
        left = [channel for channel in self._channels.values() if channel.left]
        never = sorted(set(self.recording.channels) - set(self._channels))
        lines = [
            f"{channel.on}: {channel.left} exchanges were recorded that the code does not ask for any more, "
            f"from exchange {channel.upcoming().number}: {channel.upcoming()}"
            for channel in left
        ]
        lines += [f"{on}: was recorded, and is not opened any more" for on in never]
        return (*said, *lines)

    def differs(self, channel: Channel, asked: str) -> ReplayDifferenceError:
        """The error for what was asked at a channel; the first one stays, and stops the run."""
        if self.difference is None:
            self.difference = _difference(channel, asked, self.recording, self._due_for(channel))
            number = self.difference.number
            place = "at the end" if number is None else f"at exchange {number}"
            self._stop.request(f"the replay differs from the recording {place}")
        return self.difference

    def _due_for(self, channel: Channel) -> Exchange | None:
        if channel.left and self.is_due(channel.upcoming()):
            return channel.upcoming()
        return self.due()

    def due(self) -> Exchange | None:
        """What this thread asked next when the run was recorded; None: nothing more, or it is not known."""
        name = thread_name()
        exchanges, place = self.recording.threads.get(name, ()), self._places.get(name, 0)
        return exchanges[place] if place < len(exchanges) else None

    def is_due(self, exchange: Exchange) -> bool:
        """Whether an exchange is this thread's next. Of threads without a name it is not known."""
        if exchange.by == UNNAMED_THREAD:
            return thread_name() == UNNAMED_THREAD
        return self.due() is exchange

    def slept_as_recorded(self, exchange: Exchange) -> bool:
        """Whether this thread has slept as long as it did before an exchange."""
        allowed_ns = self._sleep_tolerance_s * _NS_PER_S + self._sleep_tolerance * exchange.slept_ns
        return abs(self._clock.slept_ns - exchange.slept_ns) <= allowed_ns

    def slept_s(self) -> float:
        """How long this thread has slept since its last exchange."""
        return self._clock.slept_ns / _NS_PER_S

    def arrived(self, exchange: Exchange) -> None:
        """An exchange was asked for: time moves to its end, the thread goes on to its next."""
        self._clock.awoke()
        self._clock.move_to(exchange.t_ns)
        if exchange.by in self._places:
            self._places[exchange.by] += 1

    def waited(self, duration_s: float, within: Exchange) -> None:
        """Time moves on within an exchange, at most to its end."""
        self._clock.move_to(min(round((self._clock.now_s() + duration_s) * _NS_PER_S), within.t_ns))

    def _channel(self, address: str) -> Channel:
        if address not in self.recording.channels:
            raise ConnectionFailedError(
                address,
                "the recording has nothing from this address",
                advice=f"Recorded were {', '.join(sorted(self.recording.channels))}.",
            )
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = Channel(self, address, self.recording.channels[address])
        return channel


class Channel:
    """What was recorded of an address, and how far it was asked for, over all its sessions."""

    def __init__(self, backend: ReplayBackend, on: str, exchanges: Sequence[Exchange]) -> None:
        self.on = on
        self.exchanges = exchanges
        self.place = 0
        self._backend = backend
        # What is asked and what was recorded are covered alike, and then compared: a recording of an earlier
        # version may hold what is covered now.
        self.secrets_asked, self.secrets_recorded = ModuleSecrets(), ModuleSecrets()
        self._rest = b""
        self._nothing = 0

    @property
    def left(self) -> int:
        """Exchanges not asked for yet."""
        return len(self.exchanges) - self.place

    def upcoming(self) -> Exchange:
        """The next one (there must be one left)."""
        return self.exchanges[self.place]

    def next_is(self, *kinds: str) -> bool:
        """Whether the next exchange is of one of these kinds, and this thread's next."""
        return (
            bool(self.left)
            and self.upcoming().do in kinds
            and self._backend.difference is None
            and self._backend.is_due(self.upcoming())
        )

    def opened(self) -> Exchange:
        """The session is opened."""
        exchange = self.take("open", "open")
        _raise(exchange.fault)
        return exchange

    def take(self, do: str, asked: str) -> Exchange:
        """The next exchange, which must be of a kind.

        :raises ReplayDifferenceError: when it is of another; ``asked`` says what is wanted instead.
        """
        if self._rest or self._nothing or not self.next_is(do):
            raise self._backend.differs(self, asked)
        exchange = self.upcoming()
        if not self._backend.slept_as_recorded(exchange):
            raise self._backend.differs(self, f"{asked}, after {self._backend.slept_s():.6g} s of sleep")
        self.place += 1
        self._backend.arrived(exchange)
        return exchange

    def wrote(self, data: bytes, secrets: tuple[tuple[int, int], ...] = ()) -> None:
        """Bytes are sent: those that were recorded. Passwords were not: as many bytes stand for each."""
        asked = f"write {shown(data, secrets)}"
        if (
            not self.next_is("write")
            or self.upcoming().secrets != secrets
            or masked(self.upcoming().data, secrets) != masked(data, secrets)
        ):
            raise self._backend.differs(self, asked)
        _raise(self.take("write", asked).fault)

    def read(self, count: int) -> tuple[bytes, int]:
        """Up to ``count`` recorded bytes, and VISA's status with them."""
        if not self._rest:
            exchange = self.take("read", f"read up to {count} bytes")
            _raise(exchange.fault)
            self._rest, self._status = exchange.data, exchange.status
        data, self._rest = self._rest[:count], self._rest[count:]
        return data, int(_STATUS.success_max_count_read) if self._rest else self._status

    def read_serial(self, size: int, timeout_s: float) -> bytes:
        """Up to ``size`` recorded bytes of a serial port, or nothing where nothing came for ``timeout_s``."""
        if not self._rest and not self._nothing and self.next_is("nothing"):
            self._nothing = max(1, self.upcoming().count)
        if not self._nothing:
            return self.read(size)[0]
        self._nothing -= 1
        if self._nothing:
            self._backend.waited(timeout_s, self.upcoming())
        else:
            self.take("nothing", "read")
        return b""

    def differs(self, asked: str) -> ReplayDifferenceError:
        """What is asked is not what was recorded."""
        return self._backend.differs(self, asked)

    def readable(self) -> bool:
        """Whether something read comes next: it had arrived, or its like would not have been read."""
        return bool(self._rest) or self.next_is("read")

    def looked(self) -> bytes:
        """What a look into a raw socket shows where it is readable: b"" when the other end had closed."""
        if self._rest:
            return self._rest
        exchange = self.upcoming()
        if exchange.fault is None:
            return exchange.data
        if exchange.fault.code == _STATUS.error_connection_lost:
            self.take("read", "look")
            return b""
        return b"?"  # the read that follows fails as it did


def _difference(
    channel: Channel, asked: str, recording: Recording, due: Exchange | None
) -> ReplayDifferenceError:
    before = [
        f"    {exchange.number:>7}  {exchange}"
        for exchange in channel.exchanges[max(0, channel.place - _CONTEXT) : channel.place]
    ]
    expected = channel.upcoming() if channel.left else None
    end = "nothing: the recording of this instrument ends here"
    torn = " (it is torn: the rest is missing)" if recording.torn else ""
    if expected is not None and due is not expected:
        recorded = f"{expected}, by another thread" if due is None else f"first {due.on}: {due}"
        expected = due or expected
    else:
        recorded = str(expected or end + torn)
        if expected is not None and expected.slept_ns:
            recorded += f", after {expected.slept_ns / _NS_PER_S:.6g} s of sleep"
    number = expected.number if expected else None
    place = f"exchange {number} of {recording.exchanges}" if expected else "the end"
    lines = [
        f"{channel.on}: the code asks something else than was recorded, at {place}",
        f"  recorded: {recorded}",
        f"  asked:    {asked}",
        "  before it, with this instrument:",
        *(before or ["    nothing"]),
    ]
    return ReplayDifferenceError("\n".join(lines), number)


def _raise(fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.kind == "visa":
        raise pyvisa.errors.VisaIOError(fault.code)
    if fault.kind == "os":
        raise OSError(fault.code, fault.text)
    raise ReplayFault(fault.text)


class ReplayedResource:
    """A pyvisa resource as :class:`drivers.scpi.ScpiSession` uses one."""

    session = 1

    def __init__(self, address: str, channel: Channel, *, raw_socket: bool) -> None:
        self.resource_name = address
        self.timeout: float = 2000.0
        self.read_termination: str | None = None
        self.write_termination: str | None = None
        self._channel = channel
        self._hidden = HiddenWords()
        self._socket = LookedIntoSocket(channel) if raw_socket else None
        self.visalib = _ReplayedLibrary(self, channel, self._socket)

    @contextlib.contextmanager
    def ignore_warning(self, *_: Any) -> Iterator[None]:
        """Nothing warns."""
        yield

    def write(self, message: str, termination: str | None = None) -> int:
        """Send a command."""
        end = self.write_termination if termination is None else termination
        data = f"{message}{end or ''}".encode("ascii")
        self._channel.wrote(data, self._hidden.places(data))
        return len(data)

    def hide(self, before: str, secret: str) -> None:
        """As :meth:`harness.exchange.recording.RecordedResource.hide`."""
        self._hidden.add(before, secret)

    def clear(self) -> None:
        """Device clear."""
        _raise(self._channel.take("clear", "device clear").fault)

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()


class _ReplayedLibrary:
    def __init__(self, resource: ReplayedResource, channel: Channel, looked: LookedIntoSocket | None) -> None:
        self._resource = resource
        self._channel = channel
        self._raw = looked is not None
        if looked is not None:
            self.sessions = MappingProxyType({resource.session: SimpleNamespace(interface=looked)})

    def read(self, session: Any, count: int) -> tuple[bytes, Any]:
        """Read up to ``count`` bytes."""
        data, status = self._channel.read(count)
        return data, _STATUS(status)


class LookedIntoSocket(socket.socket):
    """Stands for the socket below a raw-socket resource: readable, as far as the system is concerned, when
    the recording goes on with something read. What a look into it shows is the recording's.

    Where nothing was recorded, whoever waits for it waits as long as in the run, in wall time.
    """

    def __init__(self, channel: Channel) -> None:
        near, self._far = socket.socketpair()
        super().__init__(near.family, near.type, near.proto, near.detach())
        self._channel = channel
        self._readable = False

    def setsockopt(self, *_: Any) -> None:
        """It is no TCP socket."""

    @property
    def family(self) -> socket.AddressFamily:
        """It passes for one."""
        return socket.AF_INET

    def fileno(self) -> int:
        """The descriptor, made readable or not: it is asked for when the socket is waited for."""
        descriptor = super().fileno()
        if descriptor >= 0:
            self._show(readable=self._channel.readable())
        return descriptor

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What waits; it is left there, as with MSG_PEEK."""
        return self._channel.looked()[:size]

    def close(self) -> None:
        """Close both ends."""
        self._far.close()
        super().close()

    def _show(self, *, readable: bool) -> None:
        if readable and not self._readable:
            self._far.send(b"x")
        elif self._readable and not readable:
            super().recv(1)
        self._readable = readable


class ReplayedPort:
    """A pyserial port as :class:`drivers.line_session.SerialPort`."""

    def __init__(self, channel: Channel) -> None:
        self.timeout: float | None = None
        self._channel = channel

    @property
    def in_waiting(self) -> int:
        """Bytes that could be read at once."""
        if not self._channel.next_is("waiting"):
            return 0
        exchange = self._channel.take("waiting", "look whether bytes wait")
        _raise(exchange.fault)
        return exchange.count

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes."""
        return self._channel.read_serial(size, self.timeout or 0.0)

    def write(self, data: bytes) -> int:
        """Send bytes."""
        self._channel.wrote(bytes(data))
        return len(data)

    def close(self) -> None:
        """There is nothing to close."""


class ReplayedBus:
    """A bus of smbus2's shape (:class:`drivers.i2c.SmbusLike`)."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._open = True

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Transfer messages, filling the buffers of reads."""
        if not self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        told: list[tuple[int, bytes | int]] = [
            (
                message.addr,
                message.len if message.flags & _I2C_M_RD else ctypes.string_at(message.buf, message.len),
            )
            for message in i2c_msgs
        ]
        asked = _covered(told, self._channel.secrets_asked)
        text = f"transfer {shown_messages(asked)}"
        if not self._channel.next_is("transfer"):
            raise self._channel.differs(text)
        messages = self._channel.upcoming().messages
        recorded = _covered(
            [(m.address, m.data if m.length is None else m.length) for m in messages],
            self._channel.secrets_recorded,
        )
        if recorded != asked:
            raise self._channel.differs(text)
        exchange = self._channel.take("transfer", text)
        _raise(exchange.fault)
        answers = [message.data for message in messages if message.length is not None]
        self._channel.secrets_asked.answered(answers)
        self._channel.secrets_recorded.answered(answers)
        for message, one in zip(i2c_msgs, exchange.messages, strict=True):
            if one.length is not None:
                ctypes.memmove(message.buf, one.data, len(one.data))

    def close(self) -> None:
        """Close the bus."""
        self._open = False


def _covered(messages: Sequence[tuple[int, bytes | int]], secrets: ModuleSecrets) -> tuple[Message, ...]:
    """A transfer without passwords, and without what was read."""
    return tuple(
        Message(address, data, content if isinstance(content, int) else None)
        for (address, content), data in zip(messages, secrets.asked(messages), strict=True)
    )
