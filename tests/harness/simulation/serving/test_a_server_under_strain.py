"""What a server of a bench withstands: no descriptors left, endless lines, a crowd, clients in mid-reply when
it ends, a world that somebody does not let go of. Over real sockets."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bench_file.reading import find_bench_file, load_bench
from harness.simulation.served import threaded
from harness.simulation.served.client import ServedConnection
from harness.simulation.serving import channels
from harness.simulation.serving.bench_server import BenchServer
from harness.simulation.serving.hislip import HEADER, Type, message
from harness.simulation.serving.run_time_faults import FaultsOfServed

Serve = Callable[..., BenchServer]
Connect = Callable[[BenchServer, str], Any]
CROWD = 64


# -- descriptors -----------------------------------------------------------------------------------


@contextlib.contextmanager
def no_descriptors_left() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    holes = []
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                holes.append(os.dup(0))
        yield
    finally:
        for descriptor in holes:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("way", ["instrument", "control"])
def test_without_descriptors_it_rests_and_then_lets_in_who_waited(
    serve: Serve, port_of: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    server = serve()
    served_before = connect(server, "power_supply")
    served_before.ask(b"*IDN?")
    port = port_of(server, "power_supply") if way == "instrument" else int(server.control.split(":")[1])
    rounds = []
    whole_round = server.round
    monkeypatch.setattr(server, "round", lambda: (rounds.append(None), whole_round())[1])
    with socket.socket() as late:
        late.settimeout(20)
        with no_descriptors_left():
            late.connect(("127.0.0.1", port))
            time.sleep(0.5)
            # With the listening socket watched all the while it would be tens of thousands.
            assert 1 <= len(rounds) < 50
            assert b"E36312A" in served_before.ask(b"*IDN?")
        late.sendall(b"*IDN?\n" if way == "instrument" else b"\0\3H\0\0")
        assert (b"E36312A" if way == "instrument" else b"good-dr4") in late.recv(200)


# -- lines -----------------------------------------------------------------------------------------


def test_one_that_sends_a_line_without_end_is_cut_off_at_the_limit(serve: Serve, connect: Connect) -> None:
    server = serve()
    endless, other = connect(server, "power_supply"), connect(server, "power_supply")
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 8 * channels.LONGEST_LINE_BYTES:
            sent += endless.socket.send(b"x" * 65_536)
    with contextlib.suppress(ConnectionResetError):
        assert endless.socket.recv(10) == b""
    assert channels.LONGEST_LINE_BYTES < sent < 8 * channels.LONGEST_LINE_BYTES
    assert b"E36312A" in other.ask(b"*IDN?")
    assert b"-363" in other.ask(b"SYST:ERR?")


def test_over_hislip_too(serve: Serve, port_of: Any) -> None:
    port = port_of(serve(), "power_supply", "hislip")
    with (
        socket.create_connection(("127.0.0.1", port)) as near,
        socket.create_connection(("127.0.0.1", port)) as beside,
    ):
        near.settimeout(20)
        beside.settimeout(20)
        near.sendall(message(Type.INITIALIZE, parameter=0x0100_4C57, payload=b"hislip0"))
        number = HEADER.unpack(near.recv(HEADER.size))[3] & 0xFFFF
        beside.sendall(message(Type.ASYNC_INITIALIZE, parameter=number))
        assert beside.recv(HEADER.size)[:3] == b"HS" + bytes([Type.ASYNC_INITIALIZE_RESPONSE])
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 8 * channels.LONGEST_LINE_BYTES:
                near.sendall(message(Type.DATA, 1, 2, b"x" * 60_000))
                sent += 60_000
        with contextlib.suppress(ConnectionResetError):
            assert near.recv(10) == b""
        assert channels.LONGEST_LINE_BYTES < sent < 8 * channels.LONGEST_LINE_BYTES


def test_what_is_left_of_a_line_that_was_given_up_is_no_message(serve: Serve, connect: Connect) -> None:
    client = connect(serve(), "power_supply")
    client.ask(b"*IDN?")
    client.send(b"VOLT 1,(@1)\n" + b"x" * 70_000)
    time.sleep(0.05)  # let it be given up before the rest comes; the assertions hold either way
    client.send(b"x" * 500 + b";:VOLT 5,(@1)\n")
    assert float(client.ask(b"VOLT? (@1)")) == 1.0
    assert b"-363" in client.ask(b"SYST:ERR?")
    assert b"No error" in client.ask(b"SYST:ERR?")


def test_a_carriage_return_alone_ends_no_line(serve: Serve, connect: Connect) -> None:
    client = connect(serve(), "power_supply")
    client.send(b"VOLT 1.5,(@1)\r")
    client.send(b"\nVOLT? (@1)\r")
    client.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.line()
    client.socket.settimeout(20)
    client.send(b"\n")
    assert float(client.line()) == 1.5


def test_a_crowd_in_fragments_with_all_ends_of_lines(serve: Serve, connect: Connect) -> None:
    """64 clients: messages cut anywhere, the pieces of all mixed; each gets its own replies, in order."""
    server = serve()
    chance = random.Random(5)
    clients = [connect(server, "power_supply") for _ in range(CROWD)]
    pieces: list[list[bytes]] = []
    for number in range(CROWD):
        end = (b"\n", b"\r\n", b" \r\n")[number % 3]
        text = b"".join(b"*ESE %d;*ESE?%s*IDN?%s" % (number, end, end) for _ in range(2))
        cuts = sorted(chance.sample(range(1, len(text)), 8))
        pieces.append([text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)])
    while waiting := [number for number, left in enumerate(pieces) if left]:
        number = chance.choice(waiting)
        clients[number].send(pieces[number].pop(0))
    for number, client in enumerate(clients):
        for _ in range(2):
            assert int(client.line()) == number
            assert b"E36312A" in client.line()


# -- its end ---------------------------------------------------------------------------------------


def test_closing_does_not_wait_for_ever_for_who_holds_the_world(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threaded, "CLOSE_LIMIT_S", 0.2)
    server = BenchServer(load_bench(find_bench_file("sim-dr4")))
    server.start()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with server.backend.world.lock:
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    client = connect(server, "power_supply")
    client.send(b"*IDN?\n")  # for which the server wants the world
    server.close()
    assert "does not end" in caplog.text
    done.set()
    holder.join()
    server.close()
    with contextlib.suppress(EOFError, ConnectionResetError):
        for _ in range(3):  # the reply may have been on its way
            client.line()
        pytest.fail("the connection is still open")


def test_a_signal_ends_it_also_in_mid_reply() -> None:
    """One waits for a reply that is a minute off, one asks for more than it reads, one is in mid-message."""
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "simulate", "sim-dr4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            banner = ""
            for line in process.stdout:
                banner += line
                if line.startswith("Ctrl-C"):
                    break
            ports = dict(re.findall(r"^(\w+) .*::([0-9]+)::SOCKET$", banner, re.MULTILINE))
            (control,) = re.findall(r"control channel (\S+)$", banner, re.MULTILINE)
            with contextlib.closing(ServedConnection(control)) as connection:
                FaultsOfServed(connection).begin("power_meter", "slow", delay="60 s")
            with contextlib.ExitStack() as stack:
                waits, greedy, halfway = (
                    stack.enter_context(socket.create_connection(("127.0.0.1", int(ports[role]))))
                    for role in ("power_meter", "power_supply", "thermal")
                )
                waits.sendall(b"*IDN?\n")
                greedy.settimeout(0.3)
                with contextlib.suppress(TimeoutError):
                    while True:
                        greedy.sendall(b"*IDN?\n" * 1000)
                halfway.sendall(b"*ID")
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
                assert waits.recv(10) == b""
            assert process.stderr.read() == ""
        finally:
            process.kill()


# -- who may come ----------------------------------------------------------------------------------


def test_nobody_but_this_machine_reaches_it(serve: Serve) -> None:
    server = serve()
    assert server.is_local
    listening = [gate._listener.getsockname()[0] for gate in server._gates]
    listening.append(server._modules._gate._listener.getsockname()[0])
    assert set(listening) == {"127.0.0.1"}


def test_a_name_that_looks_local_is_judged_by_what_it_was_bound_to(serve: Serve) -> None:
    assert serve(listen="localhost").is_local
    assert not serve(listen="0.0.0.0").is_local
