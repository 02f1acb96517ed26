"""The expander driver: exact wire conversations."""

from __future__ import annotations

import pytest
from smbus2 import i2c_msg

from drivers.clock import WallClock
from drivers.errors import OutOfRangeError
from drivers.i2c import I2cBus
from drivers.io_expander import IoExpander


class Wire:
    """Records what goes over the bus and answers reads from a register file."""

    def __init__(self) -> None:
        self.registers = bytearray((0x34, 0x12, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF))
        self.said: list[tuple[str, bytes]] = []
        self._command = 0

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        for message in messages:
            assert message.addr == 0x21
            if message.flags & 1:
                data = bytes(self.registers[self._command : self._command + message.len])
                for index, value in enumerate(data):
                    message.buf[index] = value
                self.said.append(("read", data))
            else:
                data = bytes(message)
                self._command = data[0]
                self.registers[data[0] : data[0] + len(data) - 1] = data[1:]
                self.said.append(("write", data))

    def close(self) -> None: ...


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def expander(wire: Wire) -> IoExpander:
    return IoExpander(I2cBus(wire, WallClock(), name="bus"), 0x21, name="expander")


def test_port_1_is_the_upper_byte(wire: Wire, expander: IoExpander) -> None:
    assert expander.read_inputs() == 0x1234
    assert wire.said == [("write", b"\x00"), ("read", b"\x34\x12")]


def test_outputs_change_only_where_the_mask_says(wire: Wire, expander: IoExpander) -> None:
    expander.write_outputs(0x0002, 0x0106)
    assert wire.said == [("write", b"\x02"), ("read", b"\xff\xff"), ("write", b"\x02\xfb\xfe")]
    assert expander.read_outputs() == 0xFEFB


def test_directions_and_inversions_have_their_own_registers(wire: Wire, expander: IoExpander) -> None:
    expander.write_directions(0x0100, 0x0103)
    expander.write_inversions(0x8000, 0x8001)
    assert wire.said[2] == ("write", b"\x06\xfc\xff")
    assert wire.said[5] == ("write", b"\x04\x00\x80")
    assert (expander.read_directions(), expander.read_inversions()) == (0xFFFC, 0x8000)


@pytest.mark.parametrize(("value", "mask"), [(0x10000, 1), (0, 0x10000), (-1, 1)])
def test_there_are_sixteen_pins(wire: Wire, expander: IoExpander, value: int, mask: int) -> None:
    with pytest.raises(OutOfRangeError, match=r"0\.\.15"):
        expander.write_outputs(value, mask)
    assert wire.said == []


def test_an_address_of_more_than_seven_bits_is_refused(wire: Wire) -> None:
    with pytest.raises(OutOfRangeError, match="0x80"):
        IoExpander(I2cBus(wire, WallClock(), name="bus"), 0x40 << 1, name="expander")
