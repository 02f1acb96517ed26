"""Instruments on raw sockets: whose reply is whose, and what a client may do to the others."""

from __future__ import annotations

import socket
import struct
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError, NoReplyError
from drivers.scpi import ScpiSession
from harness.bench_file.reading import find_bench_file, load_bench
from harness.opening import open_bench
from harness.simulation.served.client import open_served
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]
Connect = Callable[[BenchServer, str], Any]
IDENTITIES = {
    "power_meter": b"N7745C",
    "optical_switch": b"Polatis",
    "power_supply": b"E36312A",
    "thermal": b"ATS-545",
}


def test_every_instrument_says_who_it_is(serve: Serve, connect: Connect) -> None:
    server = serve()
    for role, model in IDENTITIES.items():
        assert model in connect(server, role).ask(b"*IDN?")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \r\n"])
def test_lines_end_with_a_line_feed_whatever_comes_before(serve: Serve, connect: Connect, end: bytes) -> None:
    client = connect(serve(), "power_supply")
    client.send(b"VOLT 1.5,(@1)" + end + b"VOLT? (@1)" + end)
    assert float(client.line()) == pytest.approx(1.5)


def test_a_message_may_come_in_single_bytes(serve: Serve, connect: Connect) -> None:
    server = serve()
    client, other = connect(server, "power_supply"), connect(server, "power_supply")
    for byte in b"VOLT 2.25,(@1);VOLT? (@1)\n":
        client.send(bytes([byte]))
        assert b"E36312A" in other.ask(b"*IDN?")  # in between, another client's replies are its own
    assert float(client.line()) == pytest.approx(2.25)


def test_each_of_many_clients_gets_its_own_replies(serve: Serve, connect: Connect) -> None:
    server = serve()
    clients = [connect(server, "power_supply") for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(b"VOLT? (@1)\n" if number % 2 else b"*IDN?\n")
    replies = [client.line() for client in clients]
    assert all((b"E36312A" in reply) != bool(number % 2) for number, reply in enumerate(replies))


def test_one_that_hangs_up_in_the_middle_of_a_reply_disturbs_nobody(serve: Serve, connect: Connect) -> None:
    server = serve()
    for _ in range(3):
        client = connect(server, "power_supply")
        client.send(b"*IDN?;VOLT? (@1)\n" * 300)
        client.socket.recv(10)
        # Off, without waiting for what is under way: the server's next bytes are answered by a reset.
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert b"E36312A" in connect(server, "power_supply").ask(b"*IDN?")


def test_one_that_sends_no_more_gets_its_reply_first(serve: Serve, connect: Connect) -> None:
    client = connect(serve(), "power_supply")
    client.send(b"*IDN?\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert b"E36312A" in client.line()
    assert client.socket.recv(10) == b""


def test_an_instrument_that_drops_its_clients_hangs_up(serve: Serve, connect: Connect) -> None:
    server = serve()
    client = connect(server, "power_supply")
    client.ask(b"*IDN?")
    with server.backend.world.lock:
        server.backend.peers["power_supply"].fail("disconnects")
    client.send(b"*IDN?\n")
    came = b""
    while part := client.socket.recv(100):
        came += part
    assert came
    assert not came.endswith(b"\n")


def test_eight_threads_on_one_session_get_no_crossed_reply(serve: Serve, visa: Any, address_of: Any) -> None:
    server = serve()
    session = ScpiSession(visa(address_of(server, "power_supply")), server.backend.clock, name="supply")
    session.command("VOLT 1,(@1)")
    session.command("VOLT 2,(@2)")
    wrong: list[str] = []

    def hammer(number: int) -> None:
        channel = 1 + number % 2
        for _ in range(40):
            volts = session.query(f"VOLT? (@{channel})").real()
            if volts != channel:
                wrong.append(f"{volts} V on channel {channel}")

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert session.round_trips >= 8 * 40  # no thread gave up


def test_both_ends_of_a_connection_send_at_once(serve: Serve, visa: Any, address_of: Any) -> None:
    # Without it on either side a setting and the query behind it stall for 40 ms and more.
    server = serve()
    resource = visa(address_of(server, "power_supply"))
    session = ScpiSession(resource, server.backend.clock, name="supply")
    session.query("*IDN?")
    ends = [channel._socket for channel in server._channels] + [
        resource.visalib.sessions[resource.session].interface
    ]
    assert [end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for end in ends] == [1, 1]


class TestLockstep:
    def test_time_stands_still_unless_a_reply_is_owed(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        clock = open_served(server.control).clock
        client = connect(server, "power_supply")
        client.ask(b"*IDN?")
        asked_s = clock.now_s()
        client.send(b"VOLT 1,(@1)\n")  # a setting owes nothing
        assert clock.now_s() == asked_s
        client.ask(b"VOLT? (@1)")
        assert 0.0 < clock.now_s() - asked_s < 0.1
        clock._connection.close()

    def test_what_was_sent_before_time_moved_happens_before(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        clock = open_served(server.control).clock
        client = connect(server, "power_supply")
        client.send(b"VOLT 3.3,(@1);:CURR 4.5,(@1)\n")
        for _ in range(20):
            client.send(b"OUTP ON,(@1)\n")
            clock.sleep(0.5)
            with server.backend.world.lock:
                assert server.backend.rail.connector_v() > 3.2
            client.send(b"OUTP OFF,(@1)\n")
            clock.sleep(0.5)
            with server.backend.world.lock:
                assert server.backend.rail.connector_v() == 0.0
        clock._connection.close()

    def test_a_slow_reply_takes_the_time_that_it_takes(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        clock = open_served(server.control).clock
        with server.backend.world.lock:
            server.backend.peers["power_supply"].fail("slow", delay_s=30.0)
        connect(server, "power_supply").ask(b"*IDN?")
        assert 30.0 < clock.now_s() < 31.0
        clock._connection.close()

    @pytest.mark.parametrize("way", ["socket", "hislip"])
    def test_a_time_out_is_bench_time_as_well(
        self, serve: Serve, visa: Any, address_of: Any, way: str
    ) -> None:
        server = serve()
        client = open_served(server.control)
        session = ScpiSession(
            visa(address_of(server, "power_supply", way)), client.clock, name="supply", time_limit_s=0.2
        )
        with server.backend.world.lock:
            server.backend.peers["power_supply"].die()
        before_s = client.clock.now_s()
        with pytest.raises(NoReplyError):
            session.query("*IDN?")
        assert client.clock.now_s() - before_s == pytest.approx(0.2, abs=0.02)
        client.bus.close()

    def test_what_comes_too_late_is_not_waited_for(self, serve: Serve, connect: Connect) -> None:
        server = serve(reply_limit_s=10.0)
        clock = open_served(server.control).clock
        with server.backend.world.lock:
            server.backend.peers["power_supply"].fail("slow", delay_s=30.0)
        client = connect(server, "power_supply")
        client.send(b"*IDN?\n")
        assert b"ATS" in connect(server, "thermal").ask(b"*IDN?")
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.line()
        assert clock.now_s() < 1.0
        clock.sleep(30.0)
        client.socket.settimeout(20)
        assert b"E36312A" in client.line()
        clock._connection.close()


def test_with_the_wall_clock_a_reply_comes_when_the_world_is_there(serve: Serve, connect: Connect) -> None:
    server = serve(speed=100.0)
    with server.backend.world.lock:
        server.backend.peers["power_supply"].fail("slow", delay_s=20.0)
        began_s = server.backend.world.now_s
    assert b"E36312A" in connect(server, "power_supply").ask(b"*IDN?")
    assert server.backend.world.now_s - began_s >= 20.0


def test_a_bench_opens_over_its_served_file(serve: Serve, write_bench: Any) -> None:
    server = serve()
    spec = load_bench(write_bench(server))
    assert spec.simulated
    bench = open_bench(spec, StopFlag())
    try:
        bench.connect()
        assert bench.clock.kind == "remote"
        assert bench.host_board.pins.module_present()
        bench.clock.sleep(5.0)
        assert bench.clock.now_s() == server.backend.world.now_s
        assert server.backend.pins["host_board"].low_power_asserted
    finally:
        bench.close()


def test_pins_are_there_by_requests_too(serve: Serve) -> None:
    server = serve()
    bus, pins, _ = open_served(f"{server.control}/0")
    pins.set_reset(asserted=True)
    assert server.backend.pins["host_board"].reset_asserted
    assert pins.module_present()
    bus.close()


def test_what_surrounds_a_module_on_a_bench_is_the_benchs(serve: Serve) -> None:
    client = open_served(serve().control)
    with pytest.raises(OSError, match="no operation b'E'"):
        client.surroundings.set_vcc_v(3.3)
    client.bus.close()


def test_without_its_server_a_bench_says_so(serve: Serve, write_bench: Any) -> None:
    server = serve()
    spec = load_bench(write_bench(server))
    server.close()
    with pytest.raises(BenchError, match="lanewise simulate"):
        open_bench(spec)


def test_a_labs_bench_cannot_be_served() -> None:
    spec = load_bench(find_bench_file("lab-example"))
    with pytest.raises(BenchError, match="no simulated bench"):
        BenchServer(spec)


@pytest.mark.parametrize("host", ["", "::1", "127.0.0.1:80"])
def test_where_to_listen_is_a_host(host: str) -> None:
    with pytest.raises(ValueError, match="without port"):
        BenchServer(load_bench(find_bench_file("sim-dr4")), listen=host)


@pytest.mark.parametrize("bench", ["sim-dr4", "sim-dr4-full"])
def test_the_served_file_says_what_its_source_says(serve: Serve, write_bench: Any, bench: str) -> None:
    served_path = write_bench(serve(bench), bench, sockets_only=True)
    load_bench(served_path)
    source, served = (
        tomllib.loads(path.read_text(encoding="utf-8")) for path in (find_bench_file(bench), served_path)
    )
    for content in (source, served):
        for key in ("simulation", "clock", "io"):
            content.pop(key, None)
        for part in content["instruments"].values():
            part.pop("address", None)
    assert served == source


def test_texts_survive_in_the_served_file(tmp_path: Path, serve: Serve, write_bench: Any) -> None:
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    odd = r"a \"quoted\" \\ back\tslash, é and \u007f"
    said = "Simulated DR4 bench: launch power over temperature and supply"
    source = tmp_path / "odd.toml"
    source.write_text(text.replace(said, odd), encoding="utf-8")
    served = load_bench(write_bench(serve(source), source))
    assert served.description == load_bench(source).description
