"""What a served module does, seen through the documented protocol alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.simulation.light.beam import total_power_w
from harness.simulation.served.server import ModuleServer

Serve = Callable[..., ModuleServer]
Connect = Callable[..., Any]

RESET, LPMODE, MODSEL, PRESENT, INTERRUPT = 1, 2, 4, 8, 16
SUPPLY, CASE, INSERTED, LIGHT, LOOPBACK = 1, 2, 3, 4, 5
NOT_ACKNOWLEDGED, REFUSED = 1, 2


def started(raw: Connect, server: ModuleServer, slot: int = 0) -> Any:
    """A client of a module that answers (tMgmtInit is 2 s)."""
    client = raw(server, slot)
    client.advance(2.0)
    return client


def activated(raw: Connect, server: ModuleServer) -> Any:
    client = started(raw, server)
    client.pins(LPMODE, 0)
    client.advance(15.0)
    assert client.try_write(126, bytes([0, 0x11]))[0] == 0
    client.advance(0.01)
    assert client.try_read(128, 1) == (0, b"\x44")
    return client


def test_hello_tells_clock_and_modules(serve: Serve, raw: Connect) -> None:
    status, body = raw(serve(count=2)).request(b"H", slot=9)
    assert status == 0
    assert body == struct.pack(">BBdH", 1, 1, 1.0, 2) + b"\4\x08good-dr4" * 2
    assert raw(serve(speed=20.0)).request(b"H")[1][:10] == struct.pack(">BBd", 1, 0, 20.0)


def test_a_module_acknowledges_when_it_has_initialised_and_not_before(serve: Serve, raw: Connect) -> None:
    client = raw(serve())
    assert client.try_read(0, 1) == (NOT_ACKNOWLEDGED, b"\0")
    client.advance(2.0)
    assert client.try_read(0, 1) == (0, b"\x18")


def test_a_module_holds_off_after_a_write_and_no_longer(serve: Serve, raw: Connect) -> None:
    client = started(raw, serve())  # holds off for 2 ms after a write, 0.5 ms after a change of the page
    assert client.try_write(118, bytes(4))[0] == 0
    assert client.try_read(0, 1) == (NOT_ACKNOWLEDGED, b"\0")
    client.advance(1.8e-3)
    assert client.try_read(0, 1) == (NOT_ACKNOWLEDGED, b"\0")
    client.advance(0.2e-3)
    assert client.try_read(0, 1)[0] == 0
    assert client.try_write(126, b"\0\0")[0] == 0
    client.advance(0.5e-3)
    assert client.try_read(0, 1)[0] == 0


def test_the_message_that_was_not_acknowledged_is_told(serve: Serve, raw: Connect) -> None:
    client = started(raw, serve())
    assert client.try_read(0, 200) == (NOT_ACKNOWLEDGED, b"\1")  # more than the module gives at once
    nobody = struct.pack(">BBH", 0x51, 1, 1)
    assert client.request(b"T", struct.pack(">BBH", 0x50, 1, 1) * 2 + nobody) == (NOT_ACKNOWLEDGED, b"\2")


def test_modules_of_one_profile_are_told_apart_by_their_serial_numbers(serve: Serve, raw: Connect) -> None:
    server = serve(count=3)
    clients = [started(raw, server, slot) for slot in range(3)]
    assert [client.try_read(166, 16)[1] for client in clients] == [
        b"LW26000001      ",
        b"LW26000002      ",
        b"LW26000003      ",
    ]


def test_manual_time_is_each_modules_own_and_to_the_nanosecond(serve: Serve, raw: Connect) -> None:
    server = serve(count=2)
    first, second = raw(server, 0), raw(server, 1)
    first.advance(1.5)
    assert first.done(b"C", struct.pack(">Q", 1)) == struct.pack(">QQ", 1_500_000_001, 0)
    assert second.now_s() == 0.0


def test_the_same_requests_give_the_same_answers(serve: Serve, raw: Connect) -> None:
    def story() -> list[tuple[int, bytes]]:
        client = activated(raw, serve())
        answers = []
        for _ in range(20):
            client.advance(0.13)
            answers += [client.try_read(154, 8), client.try_read(14, 4), client.request(b"C", bytes(8))]
        return answers

    assert story() == story()


def test_time_on_the_wall_cannot_be_advanced_and_passes_by_itself(
    serve: Serve, raw: Connect, wait_for: Callable[[Callable[[], bool]], None]
) -> None:
    client = raw(serve(speed=100.0))
    status, reason = client.request(b"C", struct.pack(">Q", 1))
    assert (status, b"manual" in reason) == (REFUSED, True)
    begun_s = client.now_s()
    wait_for(lambda: client.now_s() > begun_s + 2.0)
    assert client.try_read(0, 1) == (0, b"\x18")


def test_time_on_the_wall_passes_for_modules_that_nobody_asks(
    serve: Serve, wait_for: Callable[[Callable[[], bool]], None]
) -> None:
    server = serve(count=2, speed=50.0)
    wait_for(lambda: all(module.world.now_s > 3.0 for module in server.modules))


def test_pins_are_what_was_driven_last(serve: Serve, raw: Connect) -> None:
    client = started(raw, serve())
    assert client.pins() == LPMODE | MODSEL | PRESENT | INTERRUPT  # ModuleStateChanged, not masked
    assert client.try_read(8, 1) == (0, b"\1")
    assert client.pins() == LPMODE | MODSEL | PRESENT
    assert client.pins(RESET | LPMODE, RESET) == RESET | MODSEL | PRESENT
    assert client.try_read(0, 1)[0] == NOT_ACKNOWLEDGED
    assert client.pins(RESET, 0) == MODSEL | PRESENT
    client.advance(2.0)
    assert client.try_read(0, 1)[0] == 0


def test_a_module_that_is_not_selected_is_silent(serve: Serve, raw: Connect) -> None:
    client = started(raw, serve())
    client.pins(MODSEL, 0)
    assert client.try_read(0, 1)[0] == NOT_ACKNOWLEDGED
    client.pins(MODSEL, MODSEL)
    assert client.try_read(0, 1)[0] == 0


def test_the_interrupt_line_is_right_at_the_moment_it_is_looked_at(serve: Serve, raw: Connect) -> None:
    client = activated(raw, serve())
    for byte in (134, 147, 153):  # flags of starting up
        assert client.try_read(byte, 1)[0] == 0
    assert client.try_read(8, 6)[0] == 0
    client.advance(0.2)
    assert not client.pins() & INTERRUPT
    client.surround(LIGHT, -math.inf, lane=2)
    assert not client.pins() & INTERRUPT  # no time has passed
    client.advance(0.2)
    assert client.pins() & INTERRUPT
    assert client.try_read(147, 1) == (0, b"\2")


def test_light_reaches_the_receivers_it_is_set_for(serve: Serve, raw: Connect) -> None:
    client = activated(raw, serve())
    client.surround(LIGHT, -3.0)
    client.surround(LIGHT, -math.inf, lane=4)
    client.advance(0.3)
    powers = struct.unpack(">4H", client.try_read(186, 8)[1])
    expected = 10_000 * 10 ** (-3.0 / 10)  # steps of 0.1 uW
    assert all(abs(10 * math.log10(power / expected)) < 2.0 for power in powers[:3])  # calibration
    assert powers[3] == 0


def test_own_light_comes_back_behind_its_loss(serve: Serve, raw: Connect) -> None:
    server = serve()
    client = activated(raw, server)
    client.surround(LOOPBACK, 3.0)
    around, module = server.modules[0].surroundings, server.modules[0].module
    with server.modules[0].world.lock:
        for lane in range(1, 5):
            ratio = total_power_w(around.rx_light(lane)) / module.launch_power_w(lane)
            assert 10 * math.log10(ratio) == pytest.approx(-3.0)
    for byte, data in ((126, b"\0\x10"), (130, b"\1"), (126, b"\0\x11")):  # lane 1's transmitter off
        assert client.try_write(byte, data)[0] == 0
        client.advance(0.5)
    assert client.try_read(147, 1)[1][0] & 1 == 1


def test_light_out_is_the_true_power(serve: Serve, raw: Connect) -> None:
    server = serve()
    client = activated(raw, server)
    with server.modules[0].world.lock:
        true_w = [server.modules[0].module.launch_power_w(lane) for lane in range(1, 5)]
    assert [client.launch_power_w(lane) for lane in range(1, 5)] == true_w
    assert min(true_w) > 1e-4


def test_a_module_without_supply_and_one_pulled_out_are_silent_and_start_anew(
    serve: Serve, raw: Connect
) -> None:
    client = activated(raw, serve())
    client.surround(SUPPLY, 0.0)
    assert client.try_read(0, 1)[0] == NOT_ACKNOWLEDGED
    assert client.launch_power_w(1) == 0.0
    client.surround(SUPPLY, 3.3)
    assert client.try_read(0, 1)[0] == NOT_ACKNOWLEDGED
    client.advance(2.0)
    assert client.try_read(0, 1)[0] == 0
    client.surround(INSERTED, 0)
    assert not client.pins() & (PRESENT | INTERRUPT)
    client.surround(INSERTED, 1)
    assert client.pins() & PRESENT
    assert client.try_read(0, 1)[0] == NOT_ACKNOWLEDGED
    client.advance(2.0)
    assert client.try_read(0, 1)[0] == 0


def test_the_case_warms_by_itself_or_is_held(serve: Serve, raw: Connect) -> None:
    client = activated(raw, serve())

    def case_c() -> float:
        client.advance(0.3)
        (steps,) = struct.unpack(">h", client.try_read(14, 2)[1])
        return float(steps) / 256

    early_c = case_c()
    client.advance(300.0)
    assert case_c() > early_c + 5.0
    client.surround(CASE, 60.0)
    assert case_c() == pytest.approx(60.0, abs=3.0)
    client.surround(CASE, math.nan)
    assert case_c() < 59.0


@pytest.mark.parametrize(
    ("operation", "body", "reason"),
    [
        (b"X", b"", b"no operation"),
        (b"T", b"", b"1 to 42"),
        (b"P", b"\1", b"another body"),
        (b"P", b"\x08\x08", b"ResetL"),
        (b"C", b"", b"another body"),
        (b"C", struct.pack(">Q", 2**64 - 1), b"an hour"),
        (b"E", b"\1\0", b"another body"),
        (b"E", struct.pack(">BBd", 9, 0, 0.0), b"no quantity 9"),
        (b"E", struct.pack(">BBd", SUPPLY, 0, 12.0), b"supply: 0 .. 5 V"),
        (b"E", struct.pack(">BBd", SUPPLY, 0, math.nan), b"supply"),
        (b"E", struct.pack(">BBd", CASE, 0, math.inf), b"case temperature"),
        (b"E", struct.pack(">BBd", INSERTED, 0, 0.5), b"1 or 0"),
        (b"E", struct.pack(">BBd", LIGHT, 5, 0.0), b"no media lane 5"),
        (b"E", struct.pack(">BBd", LIGHT, 1, math.nan), b"light"),
        (b"E", struct.pack(">BBd", LIGHT, 1, 30.0), b"light"),
        (b"E", struct.pack(">BBd", LOOPBACK, 0, -1.0), b"loss"),
        (b"O", b"\0", b"media lane"),
        (b"O", b"", b"media lane"),
    ],
)
def test_what_is_refused_says_why_and_ends_nothing(
    serve: Serve, raw: Connect, operation: bytes, body: bytes, reason: bytes
) -> None:
    client = raw(serve())
    status, answer = client.request(operation, body)
    assert status == REFUSED
    assert reason in answer
    assert client.request(b"C", bytes(8))[0] == 0


def test_a_slot_that_is_not_there_is_refused(serve: Serve, raw: Connect) -> None:
    status, answer = raw(serve(), 7).request(b"P", bytes(2))
    assert (status, answer) == (REFUSED, b"there is no slot 7; there are 0 to 0")


def test_a_unix_socket_is_for_this_user_and_goes_with_the_server(
    serve: Serve, raw: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "module.sock"
    server = serve(address=f"unix:{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    assert raw(server).request(b"H")[0] == 0
    with pytest.raises(OSError, match="in use"):  # somebody serves there
        serve(address=f"unix:{path}")
    server.close()
    assert not path.exists()


def test_what_a_dead_server_left_is_no_obstacle_but_a_file_is(serve: Serve, tmp_path: Path) -> None:
    import socket

    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    serve(address=f"unix:{path}")
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        serve(address=f"unix:{file}")
    assert file.read_text() == "mine"
