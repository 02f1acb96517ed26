"""Clients that do wrong harm themselves alone."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.simulation.module.profile import load_profile
from harness.simulation.served.served_module import modules_of
from harness.simulation.served.server import ModuleServer
from harness.simulation.served.slot import Wait

Serve = Callable[..., ModuleServer]
Connect = Callable[..., Any]
HOUR = b"\0\x0bC\0\0" + struct.pack(">Q", 3_600_000_000_000)
"""A request to let an hour pass in slot 0."""


@pytest.mark.parametrize("length", [0, 16_385, 65_535])
def test_a_frame_of_a_wrong_length_ends_its_connection_alone(serve: Serve, raw: Connect, length: int) -> None:
    server = serve()
    good, bad = raw(server), raw(server)
    bad.send(struct.pack(">H", length) + b"x" * 100)
    status, reason = bad.reply()
    assert (status, str(length).encode() in reason) == (2, True)
    assert bad.is_closed()
    assert good.request(b"H")[0] == 0


def test_good_requests_before_a_bad_frame_are_answered(serve: Serve, raw: Connect) -> None:
    client = raw(serve())
    client.send(b"\0\3H\0\0" * 3 + b"\0\0")
    assert [client.reply()[0] for _ in range(4)] == [0, 0, 0, 2]
    assert client.is_closed()


@pytest.mark.parametrize("content", [b"H", b"HH"])
def test_a_request_that_is_too_short_is_refused(serve: Serve, raw: Connect, content: bytes) -> None:
    client = raw(serve())
    client.send(struct.pack(">H", len(content)) + content)
    assert client.reply()[0] == 2
    assert client.request(b"H")[0] == 0


def test_one_that_goes_in_the_middle_of_a_frame_leaves_nothing_behind(
    serve: Serve, raw: Connect, wait_for: Callable[[Callable[[], bool]], None]
) -> None:
    server = serve()
    for cut in range(1, 12):
        client = raw(server)
        client.send((b"\0\x0bC\0\0" + bytes(8))[:cut])
        client.close()
    good = raw(server)
    assert good.request(b"H")[0] == 0
    wait_for(lambda: len(server._clients) == 1)


def test_one_that_sends_a_frame_byte_by_byte_is_served(serve: Serve, raw: Connect) -> None:
    client = raw(serve())
    for byte in b"\0\3H\0\0":
        client.send(bytes([byte]))
    assert client.reply()[0] == 0


def test_one_that_takes_no_answers_is_not_read_from_and_the_others_are_served(
    serve: Serve, raw: Connect
) -> None:
    server = serve(count=60)
    greedy, good = raw(server), raw(server)
    greedy.socket.settimeout(1.0)

    def send_on() -> None:
        for _ in range(4000):  # 200 MB
            greedy.socket.sendall(b"\0\3H\0\0" * 10_000)

    with pytest.raises(TimeoutError):  # in the end the server does not read on
        send_on()
    (client,) = [client for client in server._clients.values() if client.unsent]
    assert len(client.unsent) + len(client.received) < 400_000
    assert good.request(b"H")[0] == 0


def test_one_that_waits_long_holds_up_nobody(serve: Serve, raw: Connect) -> None:
    server = serve(count=2)
    patient, other = raw(server, 0), raw(server, 1)
    long = struct.pack(">Q", 1_200_000_000_000)
    patient.send(b"\0\x0bC\0\0" + long)
    other.advance(0.01)
    assert other.now_s() == pytest.approx(0.01)
    with server.modules[0].world.lock:
        assert server.modules[0].world.now_s < 1200.0
    assert patient.reply() == (0, long + bytes(8))


def test_one_that_goes_while_it_waits_is_waited_for_no_more(
    serve: Serve, raw: Connect, wait_for: Callable[[Callable[[], bool]], None]
) -> None:
    server = serve()
    client = raw(server)
    client.send(b"\0\x0bC\0\0" + struct.pack(">Q", 3_600_000_000_000))
    wait_for(lambda: server.modules[0].world.now_s > 1.0)
    client.close()
    wait_for(lambda: not server._clients)
    assert server.modules[0].world.now_s < 3600.0


def test_there_is_an_end_to_what_is_sent_ahead_of_a_wait(serve: Serve, raw: Connect) -> None:
    server = serve()
    client = raw(server)
    with contextlib.suppress(OSError):
        client.send(HOUR * 100_000)
    assert client.is_closed()
    assert raw(server).request(b"H")[0] == 0
    assert server.modules[0].world.now_s < 3600.0


@pytest.mark.parametrize("ahead", [2, 2000, 15_000])
def test_one_that_goes_with_requests_sent_ahead_takes_them_along(
    serve: Serve, raw: Connect, wait_for: Callable[[Callable[[], bool]], None], ahead: int
) -> None:
    server = serve()
    client = raw(server)
    client.send(HOUR * ahead)
    wait_for(lambda: server.modules[0].world.now_s > 0.0)
    client.close()
    wait_for(lambda: not server._clients)
    assert server.modules[0].world.now_s < 3600.0


def test_in_a_round_all_waits_share_one_budget_and_a_module_moves_once(
    serve: Serve, raw: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.simulation.served.server._WAITS_S", 10.0)
    server = ModuleServer(modules_of([load_profile("good-dr4")] * 3, speed=None))
    clients = [raw(server) for _ in range(5)]
    went: list[object] = []

    def go_on(wait: Wait, budget_s: float) -> None:
        went.append(wait.slot)

    monkeypatch.setattr(Wait, "go_on", go_on)
    for client, slot in zip(clients, (0, 0, 0, 1, 2), strict=True):
        client.send(HOUR[:4] + bytes([slot]) + HOUR[5:])
    while sum(client.wait is not None for client in server._clients.values()) < len(clients):
        server.round()
    went.clear()
    server.round()
    assert sorted(map(server.modules.index, went)) == [0, 1, 2]
    monkeypatch.setattr("harness.simulation.served.server._WAITS_S", 0.0)
    server.round()
    assert len(went) == 3  # the budget was spent before
    server.close()


def test_requests_sent_ahead_are_answered_in_order(serve: Serve, raw: Connect) -> None:
    client = raw(serve())
    step = b"\0\x0bC\0\0" + struct.pack(">Q", 300_000_000)
    client.send(step * 100)
    times = [struct.unpack(">QQ", client.reply()[1])[0] for _ in range(100)]
    assert times == [300_000_000 * number for number in range(1, 101)]


def test_there_is_an_end_to_how_many_connect(
    serve: Serve, raw: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.simulation.served.server.MOST_CLIENTS", 3)
    server = serve()
    clients = [raw(server) for _ in range(3)]
    assert [client.request(b"H")[0] for client in (*clients, clients[0])] == [0, 0, 0, 0]
    newcomer = raw(server)
    assert newcomer.request(b"H")[0] == 0  # idle ones lock nobody out
    assert clients[1].is_closed()  # idle for the longest time
    assert [client.request(b"H")[0] for client in (clients[0], clients[2], newcomer)] == [0, 0, 0]


def test_one_that_waits_is_not_dropped_for_a_newcomer(
    serve: Serve,
    raw: Connect,
    wait_for: Callable[[Callable[[], bool]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.simulation.served.server.MOST_CLIENTS", 1)
    server = serve()
    patient = raw(server)
    patient.send(HOUR)
    wait_for(lambda: server.modules[0].world.now_s > 0.0)
    assert raw(server).is_closed()
    assert len(server._clients) == 1


def test_a_fault_of_the_simulation_is_answered_and_logged_and_ends_nothing(
    serve: Serve, raw: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    client = raw(server)

    def broken(lane: int) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(server.modules[0].module, "launch_power_w", broken)
    status, reason = client.request(b"O", b"\1")
    assert (status, b"the server's log" in reason) == (2, True)
    assert "ZeroDivisionError" in caplog.text
    assert client.request(b"H")[0] == 0


def test_a_fault_while_nobody_asks_is_logged_and_ends_nothing(
    serve: Serve,
    raw: Connect,
    wait_for: Callable[[Callable[[], bool]], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve(speed=1.0)

    def broken() -> None:
        raise ZeroDivisionError

    with server.modules[0].world.lock:
        server.modules[0].world.after(0.05, broken)
    wait_for(lambda: "slot 0" in caplog.text and "ZeroDivisionError" in caplog.text)
    assert raw(server).request(b"H")[0] == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=64))
def test_any_content_gets_one_reply(one_server: tuple[Any, Any], content: bytes) -> None:
    fuzzed, good = one_server
    if content[:1] == b"C":
        content = content[:5]  # not an hour for each example
    fuzzed.send(struct.pack(">H", len(content)) + content)
    assert fuzzed.reply()[0] in (0, 1, 2)
    assert good.request(b"H")[0] == 0


@pytest.fixture
def one_server(serve: Serve, raw: Connect) -> tuple[Any, Any]:
    server = serve()
    return raw(server), raw(server)
