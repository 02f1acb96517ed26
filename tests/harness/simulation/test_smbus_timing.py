"""The simulated bus: true bus time, NACKs as Linux reports them, reads that fill smbus2's buffers."""

from __future__ import annotations

import errno

import pytest
from smbus2 import i2c_msg

from harness.simulation.smbus import MessageNack, Nack, SimulatedI2cBus
from harness.simulation.world import World


class Target:
    def __init__(self, world: World) -> None:
        self.world = world
        self.busy = False
        self.refuses = False
        self.seen: list[tuple[int, bytes]] = []

    def acknowledges(self) -> bool:
        return not self.busy

    def write(self, data: bytes) -> None:
        if self.refuses:
            raise Nack
        self.seen.append((self.world.now_ns, data))

    def read(self, length: int) -> bytes:
        return bytes(range(1, length + 1))


@pytest.fixture
def world() -> World:
    return World(0)


@pytest.fixture
def bus(world: World) -> SimulatedI2cBus:
    return SimulatedI2cBus(world, bitrate_hz=400_000)


def test_a_write_takes_nine_bits_per_byte_and_is_delivered_at_its_end(
    world: World, bus: SimulatedI2cBus
) -> None:
    target = Target(world)
    bus.attach(0x50, target)
    bus.i2c_rdwr(i2c_msg.write(0x50, [1, 2, 3]))
    # start, address and three bytes, at 2.5 us a bit; then the stop
    assert target.seen == [((1 + 9 * 4) * 2500, b"\1\2\3")]
    assert world.now_ns == (1 + 9 * 4 + 1) * 2500


def test_a_combined_transfer_fills_the_buffer_and_has_one_stop(world: World, bus: SimulatedI2cBus) -> None:
    bus.attach(0x50, Target(world))
    answer = i2c_msg.read(0x50, 128)
    bus.i2c_rdwr(i2c_msg.write(0x50, [0]), answer)
    assert bytes(answer) == bytes(range(1, 129))
    assert world.now_ns == ((1 + 9 * 2) + (1 + 9 * 129) + 1) * 2500
    assert (bus.transactions, bus.messages) == (1, 2)


def test_an_empty_address_gives_enxio_after_its_address_byte(world: World, bus: SimulatedI2cBus) -> None:
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(i2c_msg.write(0x51, bytes(100)))
    assert caught.value.errno == errno.ENXIO
    assert world.now_ns == (1 + 9 + 1) * 2500


def test_a_busy_target_and_a_refusing_one_give_enxio(world: World, bus: SimulatedI2cBus) -> None:
    target = Target(world)
    bus.attach(0x50, target)
    target.busy = True
    with pytest.raises(OSError) as busy:
        bus.i2c_rdwr(i2c_msg.write(0x50, [1]))
    target.busy, target.refuses = False, True
    with pytest.raises(OSError) as refused:
        bus.i2c_rdwr(i2c_msg.write(0x50, [1]))
    assert busy.value.errno == refused.value.errno == errno.ENXIO
    assert target.seen == []


def test_a_closed_bus_transfers_nothing(world: World, bus: SimulatedI2cBus) -> None:
    target = Target(world)
    bus.attach(0x50, target)
    bus.close()
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(i2c_msg.write(0x50, [1]))
    assert caught.value.errno == errno.EBADF
    assert target.seen == []


def test_events_due_during_a_transfer_run_before_it_is_delivered(world: World, bus: SimulatedI2cBus) -> None:
    target = Target(world)
    bus.attach(0x50, target)
    order: list[str] = []
    world.at(2500 * 20, lambda: order.append("event"))
    bus.i2c_rdwr(i2c_msg.write(0x50, [1, 2, 3]))
    order.append(f"delivered {len(target.seen)}")
    assert order == ["event", "delivered 1"]


def test_two_targets_at_one_address_are_refused(world: World, bus: SimulatedI2cBus) -> None:
    bus.attach(0x50, Target(world))
    with pytest.raises(ValueError, match="0x50"):
        bus.attach(0x50, Target(world))
    with pytest.raises(ValueError, match="7-bit"):
        bus.attach(0xA0, Target(world))


def test_a_transfer_without_smbus2_gives_the_reads_and_takes_as_long(
    world: World, bus: SimulatedI2cBus
) -> None:
    bus.attach(0x50, Target(world))
    assert bus.transfer([(0x50, b"\0"), (0x50, 128), (0x50, b"\7"), (0x50, 2)]) == [
        bytes(range(1, 129)),
        b"\1\2",
    ]
    assert world.now_ns == ((1 + 9 * 2) + (1 + 9 * 129) + (1 + 9 * 2) + (1 + 9 * 3) + 1) * 2500
    assert (bus.transactions, bus.messages) == (1, 4)


def test_a_transfer_says_which_message_was_not_acknowledged(world: World, bus: SimulatedI2cBus) -> None:
    target = Target(world)
    bus.attach(0x50, target)
    with pytest.raises(MessageNack) as caught:
        bus.transfer([(0x50, b"\1"), (0x50, 1), (0x51, 1), (0x50, b"\2")])
    assert caught.value.index == 2
    assert [data for _, data in target.seen] == [b"\1"]


def test_a_bus_without_a_bit_rate_takes_no_time(world: World) -> None:
    bus = SimulatedI2cBus(world, None)
    bus.attach(0x50, Target(world))
    bus.transfer([(0x50, b"\0"), (0x50, 128)])
    assert world.now_ns == 0
    with pytest.raises(ValueError, match="bit rate"):
        SimulatedI2cBus(world, 0)
