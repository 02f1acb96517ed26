"""Several reads in one bus transaction, limits, hold-off, and adapters that can do less."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from smbus2 import i2c_msg

from drivers.cmis.access import AccessLimits, I2cMemory, transactions_of
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.image import MemoryImage
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.ports import HasLimits, HoldsOff, HoldsTheBus, KnowsSelection, ReadsSeveral, RemembersPage
from drivers.i2c import I2cBus

PAGE = bytes(range(128, 256))


@pytest.fixture
def host(image_on_a_bus: Any) -> Any:
    image = MemoryImage(bytes(range(128)), {(0, page): PAGE for page in (0x00, 0x01, 0x10, 0x11, 0x9F)})
    image.add_page(1, 0x11, bytes([0x22]) * 128)
    return image_on_a_bus(image)


@pytest.fixture
def memory(host: Any) -> I2cMemory:
    return I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)


def test_it_offers_everything_that_is_optional(memory: I2cMemory) -> None:
    for protocol in (HasLimits, HoldsOff, HoldsTheBus, KnowsSelection, ReadsSeveral, RemembersPage):
        assert isinstance(memory, protocol)


def test_spans_of_one_page_share_a_transaction_with_the_look_at_the_page(
    memory: I2cMemory, host: Any
) -> None:
    memory.read(0, 0x11, 128, 1)
    host.start_counting()
    assert memory.read_several(0, 0x11, [(202, 4), (128, 2), (154, 8)]) == [
        bytes(range(202, 206)),
        bytes([128, 129]),
        bytes(range(154, 162)),
    ]
    assert (host.transactions, host.selects) == (1, 0)
    assert host.reads == [(202, 4), (128, 2), (154, 8)]


def test_spans_of_lower_memory_select_nothing(memory: I2cMemory, host: Any) -> None:
    assert memory.read_several(3, 0x11, [(14, 4), (3, 1)]) == [bytes([14, 15, 16, 17]), bytes([3])]
    assert (host.transactions, host.selects) == (1, 0)


def test_no_span_is_no_access(memory: I2cMemory, host: Any) -> None:
    assert memory.read_several(0, 0x11, []) == []
    assert host.transactions == 0


def test_a_span_longer_than_the_limit_is_the_callers_mistake(memory: I2cMemory, host: Any) -> None:
    with pytest.raises(ValueError, match="9 bytes from byte 154 in one access; 8 are allowed"):
        memory.read_several(0, 0x11, [(154, 9)])
    assert host.transactions == 0


def test_spans_of_both_halves_are_the_callers_mistake(memory: I2cMemory) -> None:
    with pytest.raises(ValueError, match="separately"):
        memory.read_several(0, 0, [(3, 1), (128, 1)])


def test_several_spans_of_a_missing_page_are_refused_together(memory: I2cMemory) -> None:
    with pytest.raises(PageUnavailableError, match="20h"):
        memory.read_several(0, 0x20, [(128, 2), (140, 2)])


def test_more_spans_than_linux_takes_go_in_several_transactions(memory: I2cMemory, host: Any) -> None:
    spans = [(byte, 1) for byte in range(160, 201)]
    memory.read(0, 0x11, 128, 1)
    host.start_counting()
    assert b"".join(memory.read_several(0, 0x11, spans)) == bytes(range(160, 201))
    assert host.transactions == 3  # 20 and the page registers, twice; then one
    assert transactions_of(None, spans) == [tuple(spans[:21]), tuple(spans[21:])]


def test_flags_are_the_last_of_their_transaction_and_alone_of_their_kind() -> None:
    assert transactions_of(0x11, [(134, 8), (128, 2), (142, 8), (202, 4)]) == [
        ((128, 2), (202, 4), (134, 8)),
        ((142, 8),),
    ]
    assert transactions_of(None, [(3, 9), (14, 8)]) == [((14, 8), (3, 9))]


@pytest.mark.parametrize("refused_from", range(12))
def test_no_refusal_at_any_moment_loses_a_flag(memory: I2cMemory, host: Any, refused_from: int) -> None:
    """The address byte of every message, one after the other, is not acknowledged once."""
    memory.read(0, 0x11, 160, 1)
    acknowledged = iter(index != refused_from for index in range(1000))
    host.acknowledges = lambda: next(acknowledged)
    first, status, second = memory.read_several(0, 0x11, [(134, 8), (128, 4), (142, 8)])
    assert (first, second) == (bytes(range(134, 142)), bytes(range(142, 150)))
    assert status == bytes(range(128, 132))
    assert host.image.get(0, 0x11, 134, 16) == bytes(16)


class OnePair:
    """An adapter that does one write and one read in a transaction, and no more."""

    def __init__(self, smbus: Any) -> None:
        self._smbus = smbus
        self.refused = 0

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        if len(messages) > 2:
            self.refused += 1
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self._smbus.i2c_rdwr(*messages)

    def close(self) -> None:
        pass


def test_an_adapter_that_joins_nothing_is_noticed_once_and_served(host: Any) -> None:
    adapter = OnePair(host.smbus)
    memory = I2cMemory(I2cBus(adapter, host.clock, name="i2c-1"), host.clock)
    assert memory.read_several(0, 0x11, [(134, 4), (202, 4)]) == [
        bytes(range(134, 138)),
        bytes(range(202, 206)),
    ]
    assert memory.read(1, 0x11, 128, 2) == b"\x22\x22"
    assert memory.read_several(0, 0, [(14, 2), (3, 1)]) == [bytes([14, 15]), bytes([3])]
    assert adapter.refused == 1
    assert not memory.combine


def test_without_joined_reads_the_page_is_looked_at_after_the_data(host: Any) -> None:
    memory = I2cMemory(I2cBus(OnePair(host.smbus), host.clock, name="i2c-1"), host.clock, combine=False)
    memory.read(0, 0x11, 160, 2)
    host.image.put(0, 0, 126, b"\0\0")  # a restart
    assert memory.read(1, 0x11, 160, 2) == b"\x22\x22"
    with pytest.raises(PageUnavailableError, match="20h"):
        memory.read(0, 0x20, 128, 1)


@pytest.mark.parametrize(
    "sizes",
    [{"read": 6}, {"read": 9}, {"read": 130}, {"write": 7}, {"write": 256}, {"cdb": 9}, {"cdb": 2050}],
)
def test_limits_are_even_and_have_bounds(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"even number of 8\.\."):
        AccessLimits(**sizes)


def test_limits_can_be_set_when_it_is_known_what_the_module_allows(memory: I2cMemory, host: Any) -> None:
    memory.limits = AccessLimits(read=128, write=16)
    memory.read(0, 0x01, 128, 128)
    assert host.reads == [(128, 128)]
    host.start_counting()
    memory.write(0, 0x10, 145, bytes(20))
    assert host.transactions == 5  # a select, then for 16 and for 4 bytes a look at the page and the write


def test_cdb_pages_have_a_limit_of_their_own_but_end_at_byte_255(memory: I2cMemory, host: Any) -> None:
    memory.limits = AccessLimits(cdb=2048)
    assert memory.read(0, 0x9F, 136, 120) == bytes(range(136, 256))
    assert host.reads == [(136, 120)]
    memory.write(0, 0x9F, 136, bytes(120))
    assert host.image.get(0, 0x9F, 136, 120) == bytes(120)
    assert memory.limits.longest_read(0x11) == 8
    assert memory.limits.longest_write(0xAF) == 128


def test_an_expected_hold_off_is_waited_for_once(memory: I2cMemory, host: Any) -> None:
    memory.expect_hold_off(4.96)
    until_s = host.clock.now_s() + 4.9
    host.acknowledges = lambda: host.clock.now_s() >= until_s
    assert memory.read(0, 0, 37, 1) == bytes([37])
    assert host.clock.now_s() - until_s < 0.0101
    host.acknowledges = lambda: False
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 10 ms"):
        memory.read(0, 0, 37, 1)


def test_an_expected_hold_off_ends_too(memory: I2cMemory, host: Any) -> None:
    memory.expect_hold_off(0.5)
    host.acknowledges = lambda: False
    for limit in ("may hold off for 500 ms", "may hold off for 10 ms"):
        with pytest.raises(ModuleNotRespondingError, match=limit):
            memory.read(0, 0, 37, 1)


def test_a_hold_off_below_the_usual_one_changes_nothing(memory: I2cMemory, host: Any) -> None:
    memory.expect_hold_off(0.0)
    host.acknowledges = lambda: False
    with pytest.raises(ModuleNotRespondingError, match="10 ms"):
        memory.read(0, 0, 37, 1)
    with pytest.raises(ValueError, match="hold-off"):
        memory.expect_hold_off(float("nan"))


@pytest.mark.parametrize("busy_s", [20e-6, 150e-6, 600e-6, 2.5e-3, 9.5e-3])
def test_little_more_time_passes_than_the_module_holds_off(
    memory: I2cMemory, host: Any, busy_s: float
) -> None:
    """Modules that advertise a short page change do not pay for the longest that CMIS allows."""
    start_s = host.clock.now_s()
    host.acknowledges = lambda: host.clock.now_s() - start_s >= busy_s
    memory.read(0, 0, 3, 1)
    transfer_s = 3e-4
    assert host.clock.now_s() - start_s <= busy_s + max(busy_s, 1.1e-4) + transfer_s


def test_bytes_that_reading_clears() -> None:
    assert clear_on_read_bytes(None) == frozenset(range(8, 14))
    assert clear_on_read_bytes(0x11) == frozenset(range(134, 154))
    assert clear_on_read_bytes(0x2C) == frozenset(range(128, 256))
    assert clear_on_read_bytes(0x02) == clear_on_read_bytes(0xB0) == frozenset()
