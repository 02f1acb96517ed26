"""The two-wire bus: what goes over it, what a missing acknowledge is, and who may hold it."""

from __future__ import annotations

import errno
import threading

import pytest

from drivers.clock import StopRequested
from drivers.errors import BenchError, ConnectionFailedError, NoReplyError
from drivers.i2c import MAX_MESSAGES, I2cBus, I2cNackError, I2cRefusedByAdapterError, I2cUnclearError

I2C_M_RD = 0x0001


class FakeSmbus:
    """Notes each message as (address, read, bytes or length) and answers reads with ``answer``."""

    def __init__(self) -> None:
        self.transfers: list[list[tuple[int, bool, bytes]]] = []
        self.answer = bytes(range(256))
        self.fault: OSError | None = None
        self.closed = 0

    def i2c_rdwr(self, *messages):
        noted = []
        for message in messages:
            reads = bool(message.flags & I2C_M_RD)
            noted.append((message.addr, reads, bytes(message.len) if reads else bytes(message)))
        self.transfers.append(noted)
        if self.fault:
            raise self.fault
        for message in messages:
            if message.flags & I2C_M_RD:
                for index in range(message.len):
                    message.buf[index] = self.answer[index : index + 1]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def smbus() -> FakeSmbus:
    return FakeSmbus()


@pytest.fixture
def bus(smbus, counting_clock) -> I2cBus:
    return I2cBus(smbus, counting_clock, name="host_board")


def test_a_write_is_one_message(bus, smbus):
    bus.write(0x50, b"\x1a\x10")
    assert smbus.transfers == [[(0x50, False, b"\x1a\x10")]]


def test_an_address_and_its_read_are_one_transaction_with_a_repeated_start(bus, smbus):
    assert bus.write_read(0x50, b"\x80", 128) == bytes(range(128))
    assert smbus.transfers == [[(0x50, False, b"\x80"), (0x50, True, bytes(128))]]


def test_several_reads_are_one_transaction(bus, smbus):
    assert bus.write_read_several(0x50, ((b"\x7e", 2), (b"\x9a", 8))) == (bytes(range(2)), bytes(range(8)))
    assert smbus.transfers == [
        [(0x50, False, b"\x7e"), (0x50, True, bytes(2)), (0x50, False, b"\x9a"), (0x50, True, bytes(8))]
    ]
    assert bus.transactions == 1


@pytest.mark.parametrize("length", [1, 8, 33, 128])
def test_reads_of_any_length_come_back_whole(bus, length):
    assert bus.write_read(0x50, b"\x00", length) == bytes(range(length))


def test_transactions_are_counted_whether_they_succeed_or_not(bus, smbus):
    bus.write(0x50, b"\x00")
    bus.write_read(0x50, b"\x00", 4)
    smbus.fault = OSError(errno.ENXIO, "No such device or address")
    with pytest.raises(I2cNackError):
        bus.write(0x50, b"\x00")
    assert bus.transactions == 3


@pytest.mark.parametrize("number", [errno.ENXIO, errno.EREMOTEIO])
def test_a_missing_acknowledge_is_told_apart(bus, smbus, number):
    smbus.fault = OSError(number, "whatever the adapter says")
    with pytest.raises(I2cNackError, match=r"^host_board: I2C address 0x50 does not acknowledge$") as raised:
        bus.write_read(0x50, b"\x00", 1)
    assert isinstance(raised.value, NoReplyError)
    assert isinstance(raised.value, BenchError)
    assert raised.value.__cause__ is smbus.fault


@pytest.mark.parametrize(
    "number", [errno.ENODEV, errno.EACCES, errno.ETIMEDOUT, errno.EAGAIN, errno.EOPNOTSUPP]
)
def test_any_other_fault_is_the_buss(bus, smbus, number):
    smbus.fault = OSError(number, "Permission denied")
    with pytest.raises(
        ConnectionFailedError, match=r"host_board: I2C address 0x20: .*Permission denied"
    ) as raised:
        bus.write(0x20, b"\x00")
    assert not isinstance(raised.value, I2cNackError)
    assert "adapter" in raised.value.advice


def test_eio_blames_neither_the_target_nor_the_bus(bus, smbus):
    smbus.fault = OSError(errno.EIO, "Input/output error")
    with pytest.raises(I2cUnclearError, match="does not acknowledge, or the bus failed") as raised:
        bus.write(0x50, b"\x00")
    assert isinstance(raised.value, BenchError)
    assert len(smbus.transfers) == 1


@pytest.mark.parametrize(("losses", "arrives"), [(1, True), (3, True), (4, False)])
def test_a_lost_arbitration_is_tried_again_a_few_times(
    bus, smbus, counting_clock, monkeypatch, losses, arrives
):
    plain, left = smbus.i2c_rdwr, iter([OSError(errno.EAGAIN, "arbitration lost")] * losses + [None] * 9)

    def transfer(*messages):
        smbus.fault = next(left)
        plain(*messages)

    monkeypatch.setattr(smbus, "i2c_rdwr", transfer)
    if arrives:
        assert bus.write_read(0x50, b"\x00", 2) == b"\x00\x01"
    else:
        with pytest.raises(ConnectionFailedError, match="arbitration lost"):
            bus.write_read(0x50, b"\x00", 2)
    assert len(smbus.transfers) == min(losses + 1, 4)
    assert len(counting_clock.sleeps) == len(smbus.transfers) - 1


def test_a_closed_bus_says_so(bus, smbus):
    bus.close()
    with pytest.raises(ConnectionFailedError, match="the bus was closed"):
        bus.write_read(0x50, b"\x00", 2)
    assert smbus.transfers == []


def test_a_stop_is_honoured_between_transactions_and_never_inside_one(bus, smbus, counting_clock):
    counting_clock.stop.request("SIGTERM")
    with pytest.raises(StopRequested):
        bus.write(0x50, b"\x00")
    assert smbus.transfers == []
    assert bus.transactions == 0


def test_transfers_that_belong_together_are_not_parted(bus, smbus):
    started = threading.Event()
    done = threading.Event()

    def other() -> None:
        started.set()
        bus.write(0x20, b"other")
        done.set()

    with bus.transaction():
        bus.write(0x50, b"page")
        thread = threading.Thread(target=other)
        thread.start()
        assert started.wait(5.0)
        bus.write_read(0x50, b"\x80", 1)
        assert not done.is_set()
    thread.join(5.0)
    assert done.is_set()
    assert [transfer[0][0] for transfer in smbus.transfers] == [0x50, 0x50, 0x20]


def test_the_lock_is_free_again_after_a_fault(bus, smbus):
    smbus.fault = OSError(errno.EIO, "x")
    with pytest.raises(I2cNackError), bus.transaction():
        bus.write(0x50, b"\x00")
    smbus.fault = None
    written: list[bool] = []
    thread = threading.Thread(target=lambda: written.append(bus.write(0x50, b"\x00") is None))
    thread.start()
    thread.join(5.0)
    assert written == [True]


def test_closing_closes_the_adapter(bus, smbus):
    bus.close()
    assert smbus.closed == 1


def test_more_reads_than_linux_joins_are_the_callers_mistake(bus, smbus):
    parts = [(b"\x80", 1)] * (MAX_MESSAGES // 2)
    assert len(bus.write_read_several(0x50, parts)) == 21
    with pytest.raises(ValueError, match="22 reads in one transaction; 21 are possible"):
        bus.write_read_several(0x50, [*parts, (b"\x80", 1)])
    assert len(smbus.transfers) == 1


def test_an_adapter_that_cannot_join_messages_is_told_from_a_broken_one(bus, smbus):
    smbus.fault = OSError(errno.EOPNOTSUPP, "Operation not supported")
    with pytest.raises(I2cRefusedByAdapterError, match="a transaction of 4 messages"):
        bus.write_read_several(0x50, [(b"\x7e", 2), (b"\x80", 1)])
    assert issubclass(I2cRefusedByAdapterError, ConnectionFailedError)
