"""A simulated instrument that speaks SCPI: command tree, error queue, status, message exchange.

A peer declares its commands as they stand in a programming guide
(``SENSe#[:CHANnel#]:POWer:WAVelength[:ALL]``) with a handler each. What happens around them follows
IEEE 488.2 and SCPI-99: short and long forms exactly, optional nodes, numeric suffixes, the header path
carried across ``;`` within one message, an error queue that overflows with -350. On transports that mark the
end of a message: -410 when a new message interrupts an unread reply, -420 when a reply is read that was never
asked for; on a raw socket or a serial line replies leave as they are made, and queue up unread. Messages are
executed one after the other in the world's time, and a handler may take time (:class:`After`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.simulation.failing import FailingPeer
from harness.simulation.faults import Faulted, WireFaults
from harness.simulation.world import Event, World

__all__ = ["After", "Call", "Client", "Result", "ScpiError", "ScpiPeer"]

LATENCY_S = 1e-3
"""World time from the end of a message to its execution."""

_QUEUE_DEPTH = 30
_LONGEST_MESSAGE_BYTES = 64 * 1024
MOST_WAITING = 64
"""Messages of one client that wait to be executed. What it sends beyond waits unread: one client neither
fills the memory nor holds up others for long."""
_KNOWN_HEADERS = 4096
_LARGEST_PORT = 9999

_ERROR_TEXTS: Mapping[int, str] = {
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -151: "Invalid string data",
    -200: "Execution error",
    -213: "Init ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -231: "Data questionable",
    -240: "Hardware error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}

# Multipliers of suffixes, by the unit a parameter has (SCPI-99 vol. 1, 7.7; IEEE 488.2, 7.7.3).
_SUFFIXES: Mapping[str, Mapping[str, float]] = {
    "": {},
    "M": {"M": 1.0, "MM": 1e-3, "UM": 1e-6, "NM": 1e-9, "PM": 1e-12},
    "S": {"S": 1.0, "MS": 1e-3, "US": 1e-6, "NS": 1e-9},
    "DB": {"DB": 1.0},
    "DBM": {"DBM": 1.0},
    "W": {"W": 1.0, "MW": 1e-3, "UW": 1e-6, "NW": 1e-9},
    "V": {"V": 1.0, "MV": 1e-3, "UV": 1e-6},
    "A": {"A": 1.0, "MA": 1e-3, "UA": 1e-6},
    "HZ": {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9},
}

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-z]*)")
_HEADER = re.compile(r":?[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z][A-Za-z0-9_]*)*\??|\*[A-Za-z]{3}\??")
_CHANNEL_LIST = re.compile(r"\(@([0-9, ]*(?::[0-9]+)?[0-9, :]*)\)")

Result = str | bytes | None


@dataclass(frozen=True, slots=True)
class After:
    """A handler's answer that it takes time: ``then`` is called ``delay_s`` later and may return another."""

    delay_s: float
    then: Callable[[], Result | After]


class ScpiError(Exception):
    """An entry for the instrument's error queue; what a handler raises to refuse."""

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = _ERROR_TEXTS.get(code, "Device-specific error") if text is None else text
        super().__init__(f"{code} {self.text}")


class Call:
    """One command as received: its numeric suffixes and its parameters, taken one after the other."""

    def __init__(self, header: str, suffixes: tuple[int, ...], parameters: list[str]) -> None:
        self.header = header
        self.suffixes = suffixes
        self._parameters = deque(parameters)

    @property
    def has_more(self) -> bool:
        """Whether a parameter is left."""
        return bool(self._parameters)

    def raw(self) -> str:
        """The next parameter as it stands (-109 when there is none)."""
        if not self._parameters:
            raise ScpiError(-109)
        return self._parameters.popleft()

    def number(
        self,
        *,
        unit: str = "",
        minimum: float | None = None,
        maximum: float | None = None,
        default: float | None = None,
    ) -> float:
        """The next parameter as a number in ``unit``; ``MIN``, ``MAX`` and ``DEF`` where these are given.

        -104 when it is none, -131 on a wrong unit, -138 where no unit is taken, -222 outside the limits.
        """
        text = self.raw()
        words = {"MIN": minimum, "MINIMUM": minimum, "MAX": maximum, "MAXIMUM": maximum}
        words |= {"DEF": default, "DEFAULT": default}
        word = words.get(text.upper())
        if word is not None:
            return word
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ScpiError(-104)
        value, suffix = float(match[1]), match[2].upper()
        if suffix:
            if not unit:
                raise ScpiError(-138)
            if suffix not in _SUFFIXES[unit]:
                raise ScpiError(-131)
            value *= _SUFFIXES[unit][suffix]
        if (minimum is not None and value < minimum * (1 - 1e-9) - 1e-30) or (
            maximum is not None and value > maximum * (1 + 1e-9) + 1e-30
        ):
            # The tolerance is for the decimal places of a unit suffix, not for values beyond a limit.
            raise ScpiError(-222)
        return value

    def integer(self, low: int, high: int) -> int:
        """The next parameter as a whole number within ``low`` .. ``high``."""
        value = self.number(minimum=low, maximum=high)
        if value != int(value):
            raise ScpiError(-104)
        return int(value)

    def boolean(self) -> bool:
        """The next parameter as ``0|1|ON|OFF``."""
        text = self.raw().upper()
        if text in {"1", "ON", "+1"}:
            return True
        if text in {"0", "OFF", "+0"}:
            return False
        raise ScpiError(-224)

    def choice(self, *words: str) -> str:
        """The next parameter as one of ``words`` (written as in a guide: ``INTernal``), in its short form."""
        text = self.raw().upper()
        for word in words:
            short = _short(word)
            if text in {short, word.upper()}:
                return short
        raise ScpiError(-224)

    def channels(self) -> tuple[int, ...]:
        """The next parameter as a channel list ``(@1,3:5)``."""
        match = _CHANNEL_LIST.fullmatch(self.raw())
        if match is None:
            raise ScpiError(-104)
        ports: list[int] = []
        for part in filter(None, (piece.strip() for piece in match[1].split(","))):
            first, colon, last = part.partition(":")
            try:
                low, high = int(first), int(last if colon else first)
            except ValueError:
                raise ScpiError(-104) from None
            if high > _LARGEST_PORT:
                raise ScpiError(-222)
            ports += range(low, high + 1)
        return tuple(ports)

    def end(self) -> None:
        """No parameter may be left (-108)."""
        if self._parameters:
            raise ScpiError(-108)


Handler = Callable[[Call], Result | After]


@dataclass(frozen=True, slots=True)
class _Command:
    pattern: re.Pattern[str]
    handler: Handler
    is_query: bool


class Client:
    """One client of a peer: bytes in, bytes out."""

    def __init__(self, peer: ScpiPeer, *, marks_end: bool) -> None:
        self._peer = peer
        self._marks_end = marks_end
        self._input = bytearray()
        self._output = bytearray()
        self._overlong = False  # what comes up to the next line feed belongs to a line that was given up
        self.lost = False
        self.waiting = 0
        self.waiting_queries = 0

    def receive(self, data: bytes, *, end: bool) -> None:
        """Bytes from the client; complete messages go to the peer."""
        if self.lost or self._peer.silent:
            return
        self._input += data
        if end and self._marks_end:
            self._input += b"\n"
        self.hand_on()

    def hand_on(self) -> None:
        """Messages that are complete go to the peer, as long as not too many wait there."""
        if self._overlong:
            _, ended, rest = bytes(self._input).partition(b"\n")
            self._input[:] = rest
            self._overlong = not ended
        while not self.is_full and (length := self._input.find(b"\n")) >= 0:
            message = self._input[:length].strip().decode("latin-1")
            del self._input[: length + 1]
            if length > _LONGEST_MESSAGE_BYTES:
                self._peer.report(ScpiError(-363))
            elif message:
                self._peer.submit(self, message)
        if not self.is_full and len(self._input) > _LONGEST_MESSAGE_BYTES:
            self._input.clear()
            self._overlong = True
            self._peer.report(ScpiError(-363))

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no more is to be taken from the client."""
        return self.waiting >= MOST_WAITING

    def forget(self) -> None:
        """The peer has thrown away what waited."""
        self.waiting = self.waiting_queries = 0
        self._input.clear()

    def take(self, count: int, stop_at: int | None) -> tuple[bytes, bool]:
        """Reply bytes that are ready."""
        found = -1 if stop_at is None else self._output.find(stop_at, 0, count)
        length = min(count, len(self._output)) if found < 0 else found + 1
        part = bytes(self._output[:length])
        del self._output[:length]
        return part, bool(part) and self._marks_end and not self._output and not self.lost

    def next_event_ns(self) -> int | None:
        """When the peer goes on, if it has work of this client."""
        return self._peer.next_event_ns(self)

    @property
    def owes_reply(self) -> bool:
        """Whether a query of this client is not answered yet, or may be among what waits unread."""
        return self.is_full or self._peer.owes(self)

    def read_unasked(self) -> None:
        """-420, over a transport that tells the instrument to talk."""
        if self._marks_end and not self._peer.silent:
            self._peer.report(ScpiError(-420))

    def status_byte(self) -> int:
        """Status byte with this client's message-available bit."""
        return self._peer.status_byte(message_available=bool(self._output))

    def device_clear(self) -> None:
        """Drop input, output and work under way for this client."""
        self._overlong = False
        self._input.clear()
        self._output.clear()
        self._peer.abort(self)

    def close(self) -> None:
        """The client has gone."""
        self.lost = True
        self._input.clear()
        self._peer.disconnected(self)

    def reply(self, data: bytes) -> None:
        """The peer's reply to a message is complete."""
        self._output += data

    def put(self, faulted: Faulted) -> None:
        """What leaves instead of a reply, as it is."""
        self._output += faulted.data
        self.lost = self.lost or faulted.hangs_up

    def interrupted(self) -> bool:
        """Whether a reply was unread when a new message is taken up; discards it. On a stream it has left
        the instrument already, and stays.
        """
        if not self._marks_end:
            return False
        unread = bool(self._output)
        self._output.clear()
        return unread


class _Work:
    """The message being executed."""

    def __init__(self, connection: Client, message: str) -> None:
        self.connection = connection
        self.asks = _asks(message)
        self.units = _split(message, ";")
        self.path: tuple[str, ...] = ()
        self.replies: list[bytes] = []
        self.event: Event | None = None


class ScpiPeer(FailingPeer):
    """A simulated SCPI instrument; subclasses declare commands in their ``__init__``.

    ``role`` is the instrument's role in the bench (what fibres and noise are keyed by); ``identity`` is
    the reply to ``*IDN?``. Faults can be injected: :meth:`fail`, :meth:`die`, :meth:`die_at`,
    :meth:`garble`, :meth:`drop_connections`.
    """

    def __init__(
        self,
        world: World,
        *,
        role: str,
        identity: str,
        error_format: str = '{code:+d},"{text}"',
        has_error_queue: bool = True,
    ) -> None:
        self.world = world
        self.role = role
        self.identity = identity
        self.silent = False
        self.faults = WireFaults(world, role, self._next_message)
        self._error_format = error_format
        self._commands: list[_Command] = []
        self._found: dict[str, tuple[_Command, tuple[int, ...]]] = {}
        self._queue: deque[ScpiError] = deque()
        self._inbox: deque[tuple[Client, str]] = deque()
        self._work: _Work | None = None
        self._connections: list[Client] = []
        self._complete_ns = 0
        self._opc_event: Event | None = None
        self._event_status = 1 << 7  # power on
        self._event_enable = 0
        self._service_enable = 0
        self._declare_common()
        if has_error_queue:
            self._declare_error_queue()

    # -- declaring ---------------------------------------------------------------------------------

    def query(self, pattern: str, handler: Handler) -> None:
        """Declare ``pattern`` followed by ``?``."""
        self._commands.append(_Command(_compile(pattern), handler, is_query=True))

    def setting(self, pattern: str, handler: Handler) -> None:
        """Declare ``pattern`` without ``?``."""
        self._commands.append(_Command(_compile(pattern), handler, is_query=False))

    def reset(self) -> None:
        """What ``*RST`` does besides; subclasses override it."""

    def begin_operation(self, duration_s: float, done: Callable[[], None]) -> Event:
        """Start an overlapped operation: ``done`` runs later, ``*OPC`` waits for it, commands go on."""
        event = self.world.after(duration_s, done)
        self._complete_ns = max(self._complete_ns, event.when_ns)
        return event

    # -- faults, for showing what a bench does with them -------------------------------------------

    def fail(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """From now on something goes wrong: ``dies``, ``error_queue`` (``count`` entries, one by default), or
        a kind of :mod:`harness.simulation.faults`.

        :raises ValueError: for a kind that there is not.
        """
        if kind == "error_queue":
            for _ in range(count or 1):
                self.report(ScpiError(-240))
        else:
            super().fail(kind, count=count, for_s=for_s, delay_s=delay_s)

    def die(self) -> None:
        """From now on it answers nothing."""
        self.silent = True
        self._inbox.clear()
        if self._work is not None and self._work.event is not None:
            self._work.event.cancel()
        self._work = None
        for connection in self._connections:
            connection.forget()
            connection.interrupted()

    def die_at(self, time_s: float) -> None:
        """Die at ``time_s`` seconds of world time."""
        self.world.at(round(time_s * 1e9), self.die)

    def open_connections(self) -> tuple[Client, ...]:
        """Those of its clients now."""
        return tuple(self._connections)

    # -- transports --------------------------------------------------------------------------------

    def connect(self, *, marks_end: bool) -> Client:
        """A new client."""
        connection = Client(self, marks_end=marks_end)
        self._connections.append(connection)
        return connection

    def disconnected(self, connection: Client) -> None:
        """A client has closed: its messages that were taken up are still carried out, as on a real
        instrument, and what they answer is lost.
        """
        self._connections = [other for other in self._connections if other is not connection]

    def submit(self, connection: Client, message: str) -> None:
        """A complete message; executed after those before it."""
        connection.waiting += 1
        connection.waiting_queries += _asks(message)
        self._inbox.append((connection, message))
        if self._work is None:
            self._next_message()

    def abort(self, connection: Client) -> None:
        """Drop what was asked by ``connection``, the message being executed included."""
        self._inbox = deque(item for item in self._inbox if item[0] is not connection)
        connection.forget()
        if self._work is not None and self._work.connection is connection:
            if self._work.event is not None:
                self._work.event.cancel()
            self._work = None
            self._next_message()

    def owes(self, connection: Client) -> bool:
        """Whether a query of ``connection`` waits to be answered."""
        if self._work is not None and self._work.connection is connection and self._work.asks:
            return True
        return connection.waiting_queries > 0

    def next_event_ns(self, connection: Client) -> int | None:
        """When execution goes on, if any work of ``connection`` is left."""
        work = self._work
        if work is None and self.faults.is_busy and connection.waiting:
            return self.faults.busy_until_ns()
        if work is None or work.event is None:
            return None
        if work.connection is connection or connection.waiting:
            return work.event.when_ns
        return None

    # -- status ------------------------------------------------------------------------------------

    def report(self, error: ScpiError) -> None:
        """Put an error into the queue and its bit into the event status register."""
        if len(self._queue) >= _QUEUE_DEPTH:
            self._queue[-1] = ScpiError(-350)
        else:
            self._queue.append(error)
        bit = {-1: 5, -2: 4, -3: 3, -4: 2}.get(int(error.code / 100) if error.code < 0 else 0, 3)
        self._event_status |= 1 << bit

    def status_byte(self, *, message_available: bool) -> int:
        """Status byte: error queue (bit 2), message available (4), event status (5), service request (6)."""
        value = (4 if self._queue else 0) | (16 if message_available else 0)
        value |= 32 if self._event_status & self._event_enable else 0
        return value | (64 if value & self._service_enable else 0)

    # -- executing ---------------------------------------------------------------------------------

    def _next_message(self) -> None:
        if self._inbox and self._work is None and not self.faults.is_busy:
            connection, message = self._inbox.popleft()
            self._work = work = _Work(connection, message)
            connection.waiting -= 1
            connection.waiting_queries -= work.asks
            connection.hand_on()
            if connection.interrupted():
                self.report(ScpiError(-410))
            work.event = self.world.after(LATENCY_S + self.faults.delay_s, self._go_on)

    def _go_on(self) -> None:
        work = self._work
        if work is None:
            return
        while work.units:
            unit = work.units.pop(0).strip()
            if unit and not self._settle(work, lambda unit=unit: self._execute(work, unit)):  # type: ignore[misc]
                return
        self._finish(work)

    def _settle(self, work: _Work, action: Callable[[], Result | After]) -> bool:
        """Run one step; False when it takes time and the rest follows later."""
        try:
            result = action()
        except ScpiError as error:
            self.report(error)
            if -200 < error.code <= -100:
                work.units.clear()  # after a command error the rest of the message is not trusted
            return True
        if isinstance(result, After):
            then = result.then

            def later() -> None:
                if self._work is work and self._settle(work, then):
                    self._go_on()

            work.event = self.world.after(result.delay_s, later)
            return False
        if result is not None:
            work.replies.append(result.encode("latin-1") if isinstance(result, str) else result)
        return True

    def _execute(self, work: _Work, unit: str) -> Result | After:
        header, *remainder = unit.split(None, 1)
        rest = remainder[0] if remainder else ""
        if not _HEADER.fullmatch(header):
            raise ScpiError(-102)
        if not header.startswith("*"):
            nodes = tuple(header.lstrip(":").rstrip("?").split(":"))
            if not header.startswith(":"):
                nodes = work.path + nodes
            work.path = nodes[:-1]
            header = ":" + ":".join(nodes) + ("?" if header.endswith("?") else "")
        command, suffixes = self._find(header.upper())
        parameters = [part.strip() for part in _split(rest, ",")] if rest.strip() else []
        call = Call(header, suffixes, parameters)
        result = command.handler(call)
        call.end()
        return result

    def _find(self, header: str) -> tuple[_Command, tuple[int, ...]]:
        found = self._found.get(header)
        if found is not None:
            return found
        is_query, bare = header.endswith("?"), header.rstrip("?")
        for command in self._commands:
            if command.is_query is not is_query:
                continue
            match = command.pattern.fullmatch(bare)
            if match is not None:
                suffixes = tuple(int(group) if group else 1 for group in match.groups())
                if len(self._found) < _KNOWN_HEADERS:
                    self._found[header] = (command, suffixes)
                return command, suffixes
        raise ScpiError(-113)

    def _finish(self, work: _Work) -> None:
        self._work = None
        if work.replies:
            data = b";".join(work.replies)
            faulted = self.faults.reply(data, b"\n")
            if faulted is None:
                work.connection.reply(data + b"\n")
            else:
                work.connection.put(faulted)
        self._next_message()

    # -- common commands ---------------------------------------------------------------------------

    def _declare_common(self) -> None:
        self.query("*IDN", lambda _: self.faults.identity(self.identity))
        self.query("*OPC", lambda _: self._when_complete("1"))
        self.setting("*OPC", self._arm_opc)
        self.setting("*WAI", lambda _: self._when_complete(None))
        self.setting("*CLS", self._clear_status)
        self.setting("*RST", self._reset_all)
        self.query("*ESR", self._read_event_status)
        self.query("*STB", lambda _: f"{self.status_byte(message_available=False):+d}")
        self.query("*ESE", lambda _: f"{self._event_enable:+d}")
        self.setting("*ESE", self._set_event_enable)
        self.query("*SRE", lambda _: f"{self._service_enable:+d}")
        self.setting("*SRE", self._set_service_enable)
        self.query("*TST", lambda _: "+0")

    def _declare_error_queue(self) -> None:
        self.query("SYSTem:ERRor[:NEXT]", self._next_error)
        self.query("SYSTem:ERRor:COUNt", lambda _: f"{len(self._queue):+d}")
        self.query("SYSTem:ERRor:ALL", self._all_errors)
        self.query("SYSTem:VERSion", lambda _: "1999.0")

    def _when_complete(self, result: Result) -> Result | After:
        left_ns = self._complete_ns - self.world.now_ns
        return After(left_ns * 1e-9, lambda: self._when_complete(result)) if left_ns > 0 else result

    def _arm_opc(self, _: Call) -> None:
        def complete() -> None:
            self._event_status |= 1

        if self._opc_event is not None:
            self._opc_event.cancel()
        if self._complete_ns <= self.world.now_ns:
            complete()
        else:
            self._opc_event = self.world.at(self._complete_ns, complete)

    def _clear_status(self, _: Call) -> None:
        self._queue.clear()
        self._event_status = 0
        if self._opc_event is not None:
            self._opc_event.cancel()

    def _reset_all(self, _: Call) -> None:
        if self._opc_event is not None:
            self._opc_event.cancel()
        self.reset()

    def _read_event_status(self, _: Call) -> str:
        value, self._event_status = self._event_status, 0
        return f"{value:+d}"

    def _set_event_enable(self, call: Call) -> None:
        self._event_enable = call.integer(0, 255)

    def _set_service_enable(self, call: Call) -> None:
        self._service_enable = call.integer(0, 255)

    def _next_error(self, _: Call) -> str:
        if not self._queue:
            return self._error_format.format(code=0, text="No error")
        error = self._queue.popleft()
        return self._error_format.format(code=error.code, text=error.text)

    def _all_errors(self, call: Call) -> str:
        entries = [self._next_error(call)]
        while self._queue:
            entries.append(self._next_error(call))
        return ",".join(entries)


def _asks(message: str) -> bool:
    """Whether a message has a query in it; a question mark within a string makes none."""
    return any(unit.split(None, 1)[0].endswith("?") for unit in _split(message, ";") if unit.strip())


def _short(mnemonic: str) -> str:
    return "".join(letter for letter in mnemonic if not letter.islower())


def _tokens(pattern: str) -> list[str]:
    return list(re.findall(r"[\[\]:]|\*?[A-Za-z0-9]+#?", pattern))


def _compile(pattern: str) -> re.Pattern[str]:
    """A guide's header as a regular expression over an upper-case header that begins with a colon."""
    expression = ""
    rooted = pattern if pattern.startswith(("*", ":", "[:")) else ":" + pattern
    for piece in _tokens(rooted):
        if piece == "[":
            expression += "(?:"
        elif piece == "]":
            expression += ")?"
        elif piece == ":":
            expression += ":"
        else:
            mnemonic = piece.rstrip("#")
            forms = {re.escape(_short(mnemonic)), re.escape(mnemonic.upper())}
            expression += f"(?:{'|'.join(sorted(forms))})" + ("([0-9]{0,3})" if piece.endswith("#") else "")
    return re.compile(expression)


def _split(text: str, separator: str) -> list[str]:
    """Split at ``separator`` outside quotes and brackets."""
    parts: list[str] = []
    part = ""
    quote = ""
    depth = 0
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(0, depth - 1)
        elif letter == separator and depth == 0:
            parts.append(part)
            part = ""
            continue
        part += letter
    parts.append(part)
    return parts
