"""A scripted pyvisa resource, for asserting drivers' wire conversations."""

from __future__ import annotations

import contextlib

import pytest
import pyvisa.errors
from pyvisa.constants import StatusCode

from drivers.line_session import LineSession
from drivers.scpi import ScpiSession

TIMEOUT = pyvisa.errors.VisaIOError(StatusCode.error_timeout)
NO_ERROR = '+0,"No error"'


class ScriptedResource:
    """A resource that expects exactly the lines of a script, and answers with theirs.

    An answer is text (a line feed is added), bytes (sent as they are), an exception (raised by the read)
    or None (nothing to read).
    """

    def __init__(self, resource_name: str = "TCPIP0::scripted::5025::SOCKET") -> None:
        self.resource_name = resource_name
        self.session = 1
        self.timeout = 2000
        self.read_termination = None
        self.write_termination = None
        self.line_end = "\n"
        self.script: list[tuple[str, object]] = []
        self.sent: list[str] = []
        self.limits_ms: dict[str, int] = {}
        self.clears = 0
        self._input = b""
        self._fault: BaseException | None = None

    def expect(self, *lines: tuple[str, object]) -> None:
        self.script += lines

    def expect_set(self, *commands: str) -> None:
        """Settings that are each followed by a look at the error queue that finds nothing."""
        for command in commands:
            self.script += [(command, None), (":SYST:ERR?", NO_ERROR)]

    def write(self, message: str, termination: str | None = None) -> int:
        self.sent.append(message)
        self.limits_ms[message] = self.timeout
        assert self.script, f"not expected: {message!r}"
        wanted, answer = self.script.pop(0)
        assert message == wanted
        assert (self.write_termination if termination is None else termination) == self.line_end
        if isinstance(answer, BaseException):
            self._fault = answer
        elif answer is not None:
            self._input += answer if isinstance(answer, bytes) else f"{answer}\n".encode()
        return len(message)

    @property
    def visalib(self) -> ScriptedResource:
        return self

    def ignore_warning(self, *_codes: StatusCode) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def read(self, session: int, count: int) -> tuple[bytes, StatusCode]:
        """As a VISA library reads with the termination character enabled: what comes without one is lost in
        a time-out.
        """
        assert session == self.session
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        end = self._input.find(b"\n", 0, count) + 1
        if not end and len(self._input) < count:
            self._input = b""
            raise TIMEOUT
        length = end or count
        data, self._input = self._input[:length], self._input[length:]
        return (
            data,
            StatusCode.success_termination_character_read if end else StatusCode.success_max_count_read,
        )

    def expect_resynchronisation(
        self, identity: str, *, error_query: str | None = ":SYST:ERR?", no_error: str = NO_ERROR
    ) -> None:
        self.script += [("*IDN?", identity), ("*STB?", "0")]
        if error_query is not None:
            self.script.append((error_query, no_error))

    def leave_stale(self, data: bytes) -> None:
        self._input += data

    def clear(self) -> None:
        self.clears += 1
        self._input = b""

    def close(self) -> None:
        pass


@pytest.fixture
def wire():
    """The scripted resource; at the end everything scripted must have been sent."""
    resource = ScriptedResource()
    yield resource
    assert resource.script == [], "the driver did not send all that was expected"


@pytest.fixture
def scripted_session(wire, counting_clock):
    return ScpiSession(wire, counting_clock, name="meter", time_limit_s=3.0)


@pytest.fixture
def no_reply():
    """The answer that never comes."""
    return TIMEOUT


class ScriptedPort:
    """A pyserial port that expects exactly the lines of a script, and answers with theirs.

    An answer is text (CR LF is added), bytes (as they are), an exception (raised by the next read) or None
    (nothing). ``""`` is a bare line end. A read of nothing takes its time-out on the clock.
    """

    def __init__(self, clock) -> None:
        self.timeout = None
        self.script: list[tuple[str, object]] = []
        self.sent: list[str] = []
        self.closed = False
        self._clock = clock
        self._input = b""
        self._fault: BaseException | None = None

    def expect(self, *lines: tuple[str, object]) -> None:
        self.script += lines

    def write(self, data: bytes) -> int:
        line = data.decode("ascii")
        assert line.endswith("\r\n")
        line = line[:-2]
        self.sent.append(line)
        assert self.script, f"not expected: {line!r}"
        wanted, answer = self.script.pop(0)
        assert line == wanted
        if isinstance(answer, BaseException):
            self._fault = answer
        elif answer is not None:
            self._input += answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        return len(data)

    @property
    def in_waiting(self) -> int:
        return len(self._input)

    def read(self, size: int = 1) -> bytes:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        data, self._input = self._input[:size], self._input[size:]
        if len(data) < size:
            self._clock.sleeps.append(self.timeout)
        return data

    def leave_stale(self, data: bytes) -> None:
        self._input += data

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def scripted_port(counting_clock):
    """The scripted port; at the end everything scripted must have been sent."""
    port = ScriptedPort(counting_clock)
    yield port
    assert port.script == [], "the driver did not send all that was expected"


@pytest.fixture
def line_session(scripted_port, counting_clock):
    return LineSession(scripted_port, counting_clock, name="chamber")
