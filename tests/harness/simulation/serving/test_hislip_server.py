"""HiSLIP: by pyvisa-py, which is somebody else's, and message by message as IVI-6.1 has them."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drivers.clock import WallClock
from drivers.errors import NoReplyError
from drivers.scpi import ScpiSession
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]
HEADER = struct.Struct(">2sBBIQ")
ROLE = "power_supply"


class RawHislip:
    """Both connections of a client."""

    def __init__(self, port: int) -> None:
        self.synchronous = socket.create_connection(("127.0.0.1", port))
        self.asynchronous = socket.create_connection(("127.0.0.1", port))
        for sock in (self.synchronous, self.asynchronous):
            sock.settimeout(20)

    def initialize(self) -> None:
        self.send(self.synchronous, 0, 0, 0x0100 << 16 | 0x7878, b"hislip0")
        kind, control, parameter, _ = self.receive(self.synchronous)
        assert (kind, control, parameter >> 16) == (1, 0, 0x0100)
        self.send(self.asynchronous, 17, 0, parameter & 0xFFFF)
        assert self.receive(self.asynchronous)[0] == 18

    def send(
        self, sock: socket.socket, kind: int, control: int, parameter: int, payload: bytes = b""
    ) -> None:
        sock.sendall(HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload)

    def receive(self, sock: socket.socket) -> tuple[int, int, int, bytes]:
        prologue, kind, control, parameter, length = HEADER.unpack(self._exactly(sock, HEADER.size))
        assert prologue == b"HS"
        return kind, control, parameter, self._exactly(sock, length)

    def beside(self, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> Any:
        self.send(self.asynchronous, kind, control, parameter, payload)
        return self.receive(self.asynchronous)

    def close(self) -> None:
        self.synchronous.close()
        self.asynchronous.close()

    @staticmethod
    def _exactly(sock: socket.socket, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = sock.recv(length - len(data))
            if not part:
                raise EOFError("the server closed the connection")
            data += part
        return data


@pytest.fixture
def server(serve: Serve) -> BenchServer:
    return serve()


@pytest.fixture
def client(server: BenchServer, port_of: Any) -> Iterator[Callable[[], RawHislip]]:
    with contextlib.ExitStack() as stack:

        def connect(*, initialized: bool = True) -> RawHislip:
            made = RawHislip(port_of(server, ROLE, "hislip"))
            stack.callback(made.close)
            if initialized:
                made.initialize()
            return made

        yield connect


class TestByPyvisa:
    def test_settings_and_queries(self, server: BenchServer, visa: Any, address_of: Any) -> None:
        resource = visa(address_of(server, ROLE, "hislip"))
        resource.write("VOLT 1.25,(@1)")
        assert float(resource.query("VOLT? (@1)")) == pytest.approx(1.25)
        assert "E36312A" in resource.query("*IDN?")

    def test_status_byte(self, server: BenchServer, visa: Any, address_of: Any) -> None:
        resource = visa(address_of(server, ROLE, "hislip"))
        assert resource.read_stb() & 0x04 == 0
        resource.write("NONSENSE 1;*ESR?")
        resource.write("*IDN?")
        resource.read()
        assert resource.read_stb() & 0x04  # the error queue is not empty

    def test_device_clear_drops_what_was_asked(self, server: BenchServer, visa: Any, address_of: Any) -> None:
        resource = visa(address_of(server, ROLE, "hislip"))
        with server.backend.world.lock:
            server.backend.peers[ROLE].fail("busy")
        resource.write("*IDN?")
        resource.clear()
        with server.backend.world.lock:
            server.backend.peers[ROLE].faults.stop("busy")
        assert float(resource.query("VOLT? (@1)")) == pytest.approx(0.0, abs=10.0)

    def test_a_session_resynchronises(self, server: BenchServer, visa: Any, address_of: Any) -> None:
        resource = visa(address_of(server, ROLE, "hislip"))
        session = ScpiSession(resource, server.backend.clock, name=ROLE)
        assert session.identify().model == "E36312A"
        session.distrust()
        assert session.query("*IDN?").identity().model == "E36312A"

    def test_a_reply_that_came_too_late_is_no_answer_to_what_follows(
        self, serve: Serve, visa: Any, address_of: Any
    ) -> None:
        server = serve(speed=1.0)
        resource = visa(address_of(server, ROLE, "hislip"))
        session = ScpiSession(resource, WallClock(), name=ROLE)
        session.command("VOLT 1.5,(@1)")
        session.identify()
        with server.backend.world.lock:
            server.backend.peers[ROLE].fail("slow", delay_s=0.3)
        with pytest.raises(NoReplyError):
            session.query("VOLT? (@2)", time_limit_s=0.05)
        with server.backend.world.lock:
            server.backend.peers[ROLE].faults.stop("slow")
        assert select.select([resource.visalib.sessions[resource.session].interface._sync], [], [], 20)[0]
        assert session.query("VOLT? (@1)").real() == pytest.approx(1.5)
        assert session.query("*IDN?").identity().model == "E36312A"

    def test_clients_side_by_side(self, server: BenchServer, visa: Any, address_of: Any) -> None:
        address = address_of(server, ROLE, "hislip")
        first, second = visa(address), visa(address)
        first.write("VOLT? (@1)")
        second.write("*IDN?")
        assert float(first.read()) >= 0.0
        assert "E36312A" in second.read()


def test_a_reply_bears_the_number_of_its_message(client: Callable[..., RawHislip]) -> None:
    one = client()
    one.send(one.synchronous, 6, 0, 0xFFFFFF00, b"*ID")  # Data, then DataEND
    one.send(one.synchronous, 7, 0, 0xFFFFFF02, b"N?")
    kind, control, parameter, payload = one.receive(one.synchronous)
    assert (kind, control, parameter) == (7, 0, 0xFFFFFF02)
    assert payload.endswith(b"\n")


def test_message_size_is_negotiated(client: Callable[..., RawHislip]) -> None:
    kind, _, _, payload = client().beside(15, payload=struct.pack(">Q", 1 << 30))
    assert kind == 16
    assert struct.unpack(">Q", payload)[0] == 1024 * 1024


def test_message_available_until_the_client_says_that_it_has_it(client: Callable[..., RawHislip]) -> None:
    one = client()
    one.send(one.synchronous, 7, 0, 0xFFFFFF00, b"*IDN?")
    one.receive(one.synchronous)
    assert one.beside(21, 0, 0xFFFFFF00)[:2] == (22, 0x10)
    assert one.beside(21, 1, 0xFFFFFF00)[:2] == (22, 0)


def test_a_message_before_the_reply_was_read_interrupts_it(
    client: Callable[..., RawHislip], server: BenchServer, connect: Any
) -> None:
    one = client()
    one.send(one.synchronous, 7, 0, 0xFFFFFF00, b"*IDN?")
    one.receive(one.synchronous)
    one.send(one.synchronous, 7, 0, 0xFFFFFF02, b"VOLT? (@1)")  # RMT-delivered is not set
    assert one.receive(one.synchronous)[:3] == (13, 0, 0xFFFFFF02)
    assert one.receive(one.asynchronous)[:3] == (14, 0, 0xFFFFFF02)
    assert one.receive(one.synchronous)[0] == 7
    assert b"-410" in connect(server, ROLE).ask(b"SYST:ERR?")


def test_device_clear_goes_through_its_four_steps(client: Callable[..., RawHislip]) -> None:
    one = client()
    one.send(one.synchronous, 6, 0, 0xFFFFFF00, b"VOLT 3")  # cut short
    assert one.beside(19)[0] == 23
    one.send(one.synchronous, 7, 0, 0xFFFFFF02, b"*IDN?")  # on its way when it was cleared
    one.send(one.synchronous, 8, 0, 0)
    assert one.receive(one.synchronous)[0] == 9
    one.send(one.synchronous, 7, 0, 0xFFFFFF00, b"VOLT? (@1)")
    kind, _, parameter, payload = one.receive(one.synchronous)
    assert (kind, parameter) == (7, 0xFFFFFF00)
    float(payload)


class TestLocks:
    def test_others_wait_for_an_exclusive_lock(self, client: Callable[..., RawHislip]) -> None:
        holder, other = client(), client()
        assert holder.beside(4, 1, 0)[:2] == (5, 1)
        assert other.beside(24)[:3] == (25, 1, 1)
        assert other.beside(4, 1, 0)[:2] == (5, 0)  # refused at once
        assert other.beside(4, 1, 50)[:2] == (5, 0)  # refused after 50 ms
        other.send(other.synchronous, 7, 0, 0xFFFFFF00, b"*IDN?")
        holder.send(holder.synchronous, 7, 0, 0xFFFFFF00, b"VOLT? (@1)")
        float(holder.receive(holder.synchronous)[3])
        other.synchronous.settimeout(0.05)
        with pytest.raises(TimeoutError):
            other.receive(other.synchronous)
        other.synchronous.settimeout(20)
        assert holder.beside(4, 0, 0)[:2] == (5, 1)
        assert b"E36312A" in other.receive(other.synchronous)[3]

    def test_a_lock_is_granted_when_its_holder_is_gone(self, client: Callable[..., RawHislip]) -> None:
        holder, other = client(), client()
        holder.beside(4, 1, 0)
        other.send(other.asynchronous, 4, 1, 60_000)
        holder.close()
        assert other.receive(other.asynchronous)[:2] == (5, 1)

    def test_a_shared_lock_is_for_those_who_know_its_name(self, client: Callable[..., RawHislip]) -> None:
        one, two, stranger = client(), client(), client()
        assert one.beside(4, 1, 0, b"ours")[:2] == (5, 1)
        assert two.beside(4, 1, 0, b"ours")[:2] == (5, 1)
        assert stranger.beside(4, 1, 0, b"theirs")[:2] == (5, 0)
        assert one.beside(4, 1, 0)[:2] == (5, 0)  # exclusive only when nobody shares
        assert stranger.beside(24)[:3] == (25, 0, 2)
        assert two.beside(4, 0, 0)[:2] == (5, 2)
        assert one.beside(4, 1, 0)[:2] == (5, 1)

    def test_what_is_not_held_cannot_be_given_back(self, client: Callable[..., RawHislip]) -> None:
        one = client()
        assert one.beside(4, 0, 0)[:2] == (5, 3)
        one.beside(4, 1, 0)
        assert one.beside(4, 1, 0)[:2] == (5, 3)  # nor taken twice


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"XX" + bytes(14), 1),
        (HEADER.pack(b"HS", 0, 0, 0, 1 << 40), 1),
        (HEADER.pack(b"HS", 7, 0, 0, 0), 3),
        (HEADER.pack(b"HS", 17, 0, 4711, 0), 3),
    ],
)
def test_what_is_no_hislip_ends_its_own_connection(
    client: Callable[..., RawHislip], data: bytes, code: int
) -> None:
    good, bad = client(), client(initialized=False)
    bad.synchronous.sendall(data)
    assert bad.receive(bad.synchronous)[:2] == (2, code)
    assert bad.synchronous.recv(1) == b""
    good.send(good.synchronous, 7, 0, 0xFFFFFF00, b"*IDN?")
    assert b"E36312A" in good.receive(good.synchronous)[3]


def test_messages_before_both_connections_stand_are_refused(client: Callable[..., RawHislip]) -> None:
    one = client(initialized=False)
    one.send(one.synchronous, 0, 0, 0x0100 << 16, b"hislip0")
    one.receive(one.synchronous)
    one.send(one.synchronous, 7, 0, 0xFFFFFF00, b"*IDN?")
    assert one.receive(one.synchronous)[:2] == (2, 2)


def test_an_unknown_message_is_answered_as_such(client: Callable[..., RawHislip]) -> None:
    one = client()
    assert one.beside(77)[:2] == (3, 1)
    one.send(one.synchronous, 77, 0, 0)
    assert one.receive(one.synchronous)[:2] == (3, 1)
