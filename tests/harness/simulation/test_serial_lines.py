"""Simulated serial lines: opened by pyserial itself, each bench its own, in the world's time."""

from __future__ import annotations

import gc

import pytest
import serial

from drivers.serial_address import SerialAddress
from harness.simulation.line_peer import LinePeer
from harness.simulation.serial_port import SerialLines
from harness.simulation.world import World

LINE = SerialAddress.parse("serial:/dev/ttyUSB0?baud=9600&parity=even&stop_bits=2")
SOCKET = SerialAddress.parse("socket://192.0.2.15:10001")


class Parrot(LinePeer):
    def __init__(self, world, says="", answer_s=0.5):
        super().__init__(world, role="parrot", answer_s=answer_s)
        self.says = says

    def answer(self, line):
        return None if line == "hush" else f"{self.says}{line}"


@pytest.fixture
def lines():
    return SerialLines(World(1))


def open_port(lines, address, timeout=2.0):
    return serial.serial_for_url(lines.url(address), timeout=timeout, **address.settings)


def test_pyserial_opens_it_and_a_line_is_answered(lines):
    lines.attach(SOCKET, Parrot(lines.world))
    with open_port(lines, SOCKET) as port:
        port.write(b"one\r\ntwo\n")
        assert port.in_waiting == 0
        assert port.read_until(b"\n") == b"one\r\n"
        assert lines.world.now_s == pytest.approx(0.5)
        assert port.readline() == b"two\r\n"
        assert lines.world.now_s == pytest.approx(1.0)
    with pytest.raises(serial.PortNotOpenError):
        port.read()


def test_a_read_waits_its_time_out_in_the_worlds_time_and_gives_what_there_is(lines):
    lines.attach(SOCKET, Parrot(lines.world))
    port = open_port(lines, SOCKET, timeout=3.0)
    port.write(b"abc\n")
    assert port.read(100) == b"abc\r\n"
    assert lines.world.now_s == pytest.approx(3.0)
    assert port.read(1) == b""
    assert lines.world.now_s == pytest.approx(6.0)
    port.timeout = 0
    assert port.read(1) == b""
    port.timeout = None
    with pytest.raises(RuntimeError, match="endless read"):
        port.read(1)


def test_bits_take_their_time_on_a_line_and_none_on_a_socket(lines):
    lines.attach(LINE, Parrot(lines.world, answer_s=0.0))
    port = open_port(lines, LINE)
    port.write(b"x" * 99 + b"\n")
    bit_s = 1.0 / 9600.0
    assert lines.world.now_s == pytest.approx(100 * 12 * bit_s, rel=1e-6)  # start, 8, parity, 2 stop
    assert len(port.read(101)) == 101
    assert lines.world.now_s == pytest.approx(201 * 12 * bit_s, rel=1e-6)


def test_two_benches_at_the_same_address_do_not_meet(lines):
    other = SerialLines(World(2))
    lines.attach(SOCKET, Parrot(lines.world, "here "))
    other.attach(SOCKET, Parrot(other.world, "there "))
    ports = [open_port(bench, SOCKET) for bench in (lines, other)]
    for port in ports:
        port.write(b"x\n")
    assert [port.readline() for port in ports] == [b"here x\r\n", b"there x\r\n"]


def test_what_is_not_there_cannot_be_opened(lines):
    with pytest.raises(serial.SerialException, match="no instrument is simulated there"):
        open_port(lines, SOCKET)
    lines.attach(SOCKET, Parrot(lines.world))
    with pytest.raises(ValueError, match="two simulated instruments"):
        lines.attach(SOCKET, Parrot(lines.world))
    url = lines.url(SOCKET)
    port = serial.serial_for_url(url)
    with pytest.raises(serial.SerialException, match="already open"):
        port.open()
    port.close()
    gone = SerialLines(World(3)).url(SOCKET)
    gc.collect()
    with pytest.raises(serial.SerialException, match="no instrument"):
        serial.serial_for_url(gone)


def test_discarding_what_arrived(lines):
    lines.attach(SOCKET, Parrot(lines.world))
    port = open_port(lines, SOCKET)
    port.write(b"x\n")
    lines.world.advance(1.0)
    assert port.in_waiting == 3
    port.reset_input_buffer()
    assert port.in_waiting == 0


def test_an_instrument_that_hangs_up_dies_or_babbles(lines):
    peer = Parrot(lines.world)
    lines.attach(SOCKET, peer)
    port = open_port(lines, SOCKET)
    port.write(b"hush\nlouder\n")
    assert port.readline() == b"louder\r\n"
    peer.garble()
    port.write(b"louder\n")
    garbage = port.readline()
    assert len(garbage) == 8
    assert garbage != b"louder\r\n"
    port.write(b"one\n")
    peer.die()
    assert port.readline() == b""
    port.write(b"x" * 1000)
    peer.drop_connections()
    with pytest.raises(serial.SerialException, match="disconnected"):
        port.read()
    with pytest.raises(serial.SerialException, match="disconnected"):
        port.write(b"x")


def test_a_line_longer_than_any_is_dropped(lines):
    lines.attach(SOCKET, Parrot(lines.world))
    port = open_port(lines, SOCKET)
    port.write(b"x" * 1000)
    port.write(b"\nshort\n")  # its tail is dropped with it
    assert port.readline() == b"short\r\n"
