"""Faults of a line and of a two-wire bus, and what sessions make of them; how long each lasts."""

from __future__ import annotations

import errno
import itertools
import struct
from typing import Any

import pytest
import serial

from drivers.clock import Clock
from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    NoReplyError,
    PartialReplyError,
)
from drivers.i2c import I2cBus, I2cNackError
from drivers.line_session import LineForm, LineSession
from drivers.replies import Reply
from drivers.serial_address import SerialAddress
from harness.simulation.faults import KINDS, WireFaults
from harness.simulation.line_peer import LinePeer
from harness.simulation.serial_port import SerialLines
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

ADDRESS = SerialAddress.parse("socket://192.0.2.9:10001")


class Thermometer(LinePeer):
    """Tells its name, a temperature, and an echo."""

    identity_lines = {"NAME?": "Another Maker,OTHER-1,0,0"}  # noqa: RUF012

    def answer(self, line: str) -> str | None:
        return {"NAME?": "THERMOMETER", "TEMP?": "23.5"}.get(line, line)


class Bench:
    """A thermometer on a line, and a session with it."""

    def __init__(self) -> None:
        self.world = World(3)
        self.clock: Clock = VirtualClock(self.world)
        self.peer = Thermometer(self.world, role="thermal", answer_s=0.05)
        lines = SerialLines(self.world)
        lines.attach(ADDRESS, self.peer)
        self._lines = lines
        self.session = LineSession(serial.serial_for_url(lines.url(ADDRESS)), self.clock, name="thermal")
        self.session.form = LineForm(quiet_s=0.3, proof=(("TEMP?", lambda reply: reply.real()),))

    def temperature_c(self) -> float:
        return self.session.query("TEMP?").real()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("time_out", NoReplyError, "no reply within 3 s"),
        ("wrong_terminator", PartialReplyError, "without its end"),
        ("garbles", GarbledReplyError, "TEMP"),
        ("busy", NoReplyError, "no reply within 3 s"),
    ],
)
def test_a_line_that_fails_for_a_while_and_is_in_step_again(
    kind: str, error: type[InstrumentError], said: str, bench: Bench
) -> None:
    bench.peer.fail(kind, for_s=4.0)
    begun_s = bench.clock.now_s()
    with pytest.raises(error, match=said):
        bench.temperature_c()
    assert bench.clock.now_s() - begun_s <= 3.2
    bench.clock.sleep(5.0)
    assert bench.temperature_c() == 23.5


def test_not_a_number(bench: Bench) -> None:
    bench.peer.fail("nan", count=1)
    assert bench.session.query("TEMP?").text == "+9.91000000E+37"
    assert bench.temperature_c() == 23.5


def test_a_line_that_drops_in_mid_reply(bench: Bench) -> None:
    bench.peer.fail("disconnects")
    for _ in range(2):
        with pytest.raises(ConnectionFailedError, match="disconnected"):
            bench.temperature_c()


def test_another_instrument_answers_to_its_name_alone(bench: Bench) -> None:
    bench.peer.fail("wrong_identity", for_s=1.0)
    assert bench.session.query("NAME?").text == "Another Maker,OTHER-1,0,0"
    assert bench.temperature_c() == 23.5
    bench.clock.sleep(1.0)
    assert bench.session.query("NAME?").text == "THERMOMETER"


def test_a_slow_line(bench: Bench) -> None:
    bench.peer.fail("slow", delay_s=0.7)
    begun_s = bench.clock.now_s()
    assert bench.temperature_c() == 23.5
    assert bench.clock.now_s() - begun_s == pytest.approx(0.75)


def test_a_count_ends_a_fault(bench: Bench) -> None:
    bench.peer.fail("garbles", count=2)
    replies = [bench.session.query("ABC").text for _ in range(3)]
    assert [reply == "ABC" for reply in replies] == [False, False, True]


@pytest.mark.parametrize("kind", ["error_queue", "melts"])
def test_a_line_has_no_such_fault(kind: str, bench: Bench) -> None:
    with pytest.raises(ValueError, match="there are garbles, "):
        bench.peer.fail(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_that_ends_leaves_nothing_behind(kind: str) -> None:
    world = World(1)
    ended: list[str] = []
    faults = WireFaults(world, "x", lambda: ended.append(kind))
    faults.start(kind, for_s=2.0, delay_s=1.0)
    faults.start(kind, for_s=5.0, delay_s=1.0)  # anew: the first end is none any more
    world.advance(3.0)
    assert kind in ("busy", "slow", "wrong_identity") or faults.reply(b"1.5", b"\n") is not None
    faults.start(kind, for_s=1.0, delay_s=1.0)
    world.advance(2.0)
    assert faults.reply(b"1.5", b"\n") is None
    assert (faults.is_busy, faults.delay_s, faults.identity("me")) == (False, 0.0, "me")
    assert bool(ended) is (kind == "busy")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"+1.50E-03", b"+9.91000000E+37"),
        (b"1.5, -2.", b"+9.91000000E+37, +9.91000000E+37"),
        (b"#14\x00\x00\x00\x00", b"#14" + struct.pack("<f", 9.91e37)),
        (b"42", None),
        (b'+0,"No error"', None),
        (b"#15abcde", None),
        (b"", None),
    ],
)
def test_which_replies_can_be_not_a_number(reply: bytes, expected: bytes | None) -> None:
    faults = WireFaults(World(1), "x", lambda: None)
    faults.start("nan")
    made = faults.reply(reply, b"\n")
    assert (None if made is None else made.data) == (None if expected is None else expected + b"\n")


class Register:
    """One byte."""

    def acknowledges(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        pass

    def read(self, length: int) -> bytes:
        return bytes(length)


@pytest.mark.parametrize(
    ("kind", "error", "number", "takes_s"),
    [
        ("dies", I2cNackError, errno.ENXIO, 0.0),
        ("time_out", ConnectionFailedError, errno.ETIMEDOUT, 1.0),
        ("disconnects", ConnectionFailedError, errno.ENODEV, 0.0),
    ],
)
def test_a_two_wire_bus(kind: str, error: type[InstrumentError], number: int, takes_s: float) -> None:
    world = World(1)
    smbus: Any = SimulatedI2cBus(world)
    smbus.attach(0x50, Register())
    bus = I2cBus(smbus, VirtualClock(world), name="host_board")
    smbus.fail(kind, count=1)
    with pytest.raises(error) as raised:
        bus.write_read(0x50, b"\0", 1)
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == number
    assert world.now_s == pytest.approx(takes_s, abs=0.01)
    assert bus.write_read(0x50, b"\0", 1) == b"\0"
    smbus.fail("slow", delay_s=0.25, for_s=10.0)
    begun_s = world.now_s
    bus.write_read(0x50, b"\0", 1)
    assert world.now_s - begun_s == pytest.approx(0.25, abs=0.01)
    world.advance(10.0)
    begun_s = world.now_s
    bus.write_read(0x50, b"\0", 1)
    assert world.now_s - begun_s < 0.01
    with pytest.raises(ValueError, match="no fault of a two-wire bus"):
        smbus.fail("nan")


def test_garbage_is_never_a_short_reply() -> None:
    world = World(7)
    faults = WireFaults(world, "attenuator", lambda: None)
    faults.start("garbles")
    for sent, parse in itertools.product(
        (b"1", b"0", b"-1", b"+0", b"ON", b"2.5E0"),
        (Reply.boolean, Reply.real, lambda reply: reply.integer()),
    ):
        for _ in range(200):
            world.advance_to(world.now_ns + 1000)
            faulted = faults.reply(sent, b"\n")
            assert faulted is not None
            assert len(faulted.data) == len(sent) + 1
            with pytest.raises(GarbledReplyError):
                parse(Reply("attenuator", "X?", faulted.data[:-1].decode("ascii")))


def test_a_line_instrument_that_is_flooded_holds_up_nobody() -> None:
    world = World(7)
    peer = Thermometer(world, role="thermal", answer_s=0.05)
    flood, other = peer.connect(marks_end=False), peer.connect(marks_end=False)
    flood.receive(b"NAME?\n" * 20_000, end=False)
    assert flood.is_full
    assert flood.owes_reply
    assert not other.is_full
    other.receive(b"NAME?\n", end=False)
    world.advance_to(world.now_ns + 3_400_000_000)  # those 64 before it, 50 ms each, and its own
    assert other.take(100, None)[0] == b"THERMOMETER\r\n"
    flood.close()
    world.advance_to(world.now_ns + 3_400_000_000)
    assert peer.next_event_ns() is None  # what had not been taken up has gone with it


def test_all_of_what_is_sent_at_once_is_answered_in_its_order() -> None:
    world = World(7)
    peer = Thermometer(world, role="thermal", answer_s=0.001)
    client = peer.connect(marks_end=False)
    client.receive(b"".join(b"%d\n" % number for number in range(500)) + b"part", end=False)
    world.advance_to(world.now_ns + 1_000_000_000)
    assert client.take(10_000, None)[0] == b"".join(b"%d\r\n" % number for number in range(500))
    client.receive(b"ial\n", end=False)
    world.advance_to(world.now_ns + 1_000_000_000)
    assert client.take(10_000, None)[0] == b"partial\r\n"
    assert not client.owes_reply
