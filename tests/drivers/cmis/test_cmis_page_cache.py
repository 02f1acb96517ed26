"""What is read once, what is read anew, and when what was read is forgotten."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.access import I2cMemory
from drivers.cmis.fields import Access
from drivers.cmis.image import MemoryImage
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.page_cache import CONSTANT_SPANS, CachedMemory
from drivers.cmis.ports import (
    AccessLimits,
    CallableMemory,
    HasLimits,
    HoldsOff,
    HoldsTheBus,
    KnowsSelection,
    ReadsSeveral,
    RemembersPage,
)
from drivers.i2c import I2cBus

PAGES = (0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x13, 0x20, 0x28, 0x2C, 0x9F, 0xB0)


class Port:
    """A plain port that notes its reads."""

    def __init__(self) -> None:
        self.image = MemoryImage(bytes(range(128)), {(0, page): bytes(128) for page in PAGES})
        self.image.add_page(1, 0x20, b"\1" * 128)
        self.noted: list[tuple[int, int, int]] = []
        self.fault: Exception | None = None

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        self.noted.append((page, byte, length))
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.image.put(bank, page, byte, data)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def cache(port: Port) -> CachedMemory:
    return CachedMemory(port)


@pytest.mark.parametrize(
    ("page", "byte", "length"),
    [
        (0, 0, 3),
        (0, 86, 32),
        (0, 129, 16),
        (1, 160, 1),
        (2, 128, 8),
        (0x04, 128, 2),
        (0x13, 128, 16),
        (0x20, 128, 4),
    ],
)
def test_what_cannot_change_is_read_once(
    cache: CachedMemory, port: Port, page: int, byte: int, length: int
) -> None:
    first = cache.read(0, page, byte, length)
    noted = list(port.noted)
    assert cache.read(0, page, byte, length) == first == port.image.get(0, page, byte, length)
    assert port.noted == noted
    assert (cache.hits, cache.misses) == (1, 1)


@pytest.mark.parametrize(
    ("page", "byte"),
    [(0, 3), (0, 8), (0, 14), (0, 26), (0, 37), (0, 39), (1, 128), (1, 129), (0x10, 145), (0x11, 128),
     (0x13, 144), (0x2C, 128), (0x9F, 136), (0xB0, 128)],
)  # fmt: skip
def test_what_may_change_is_read_each_time(cache: CachedMemory, port: Port, page: int, byte: int) -> None:
    for value in (1, 2):
        port.image.put(0, page, byte, bytes([value]))
        assert cache.read(0, page, byte, 1) == bytes([value])
    assert port.noted == [(page, byte, 1)] * 2


def test_no_span_of_the_table_holds_what_is_written_or_cleared() -> None:
    changing = [field for field in FIELDS.values() if field.access is not Access.RO]
    for span in CONSTANT_SPANS:
        for field in changing:
            page = None if field.byte < 128 else field.page
            assert page != span.page or field.byte > span.last or field.byte + field.size <= span.first


def test_constant_bytes_are_read_in_groups_but_nothing_else_with_them(
    cache: CachedMemory, port: Port
) -> None:
    cache.read(0, 1, 130, 1)  # 128 and 129 may change
    cache.read(0, 0, 90, 1)
    cache.read(0, 0, 117, 1)  # 118 on is the password
    cache.read(0, 0x13, 143, 1)
    assert port.noted == [(1, 130, 6), (0, 88, 8), (0, 112, 6), (0x13, 136, 8)]
    cache.read(0, 1, 131, 5)
    assert cache.hits == 1


def test_where_pages_may_be_read_whole_one_read_gets_the_page(image_on_a_bus: Any) -> None:
    host = image_on_a_bus(Port().image)
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    memory.limits = AccessLimits(read=128)
    cache = CachedMemory(memory)
    cache.read(0, 0, 148, 16)
    cache.read(0, 0, 200, 2)
    cache.read(0, 0x11, 130, 1)
    assert host.reads == [(128, 128), (130, 1)]


@given(
    st.sampled_from([(0, page) for page in (0, 1, 2, 0x11, 0x13, 0x20, 0x2C)]),
    st.integers(0, 255),
    st.integers(1, 128),
)
def test_no_read_is_widened_over_a_flag(key: tuple[int, int], byte: int, length: int) -> None:
    length = min(length, (128 if byte < 128 else 256) - byte)
    port = Port()
    CachedMemory(port).read(*key, byte, length)
    ((page, first, read),) = port.noted
    area = None if byte < 128 else page
    beside = set(range(first, first + read)) - set(range(byte, byte + length))
    assert clear_on_read_bytes(area).isdisjoint(beside)


def test_each_bank_has_its_own(cache: CachedMemory) -> None:
    assert cache.read(0, 0x20, 128, 2) == b"\0\0"
    assert cache.read(1, 0x20, 128, 2) == b"\1\1"
    assert cache.read(0, 0x20, 128, 2) == b"\0\0"
    cache.read(0, 0x00, 148, 2)
    cache.read(1, 0x00, 148, 2)
    assert cache.hits == 2


def test_what_is_written_is_read_anew(cache: CachedMemory) -> None:
    cache.read(0, 1, 200, 4)
    cache.write(0, 1, 202, b"\x77")
    assert cache.read(0, 1, 200, 4) == b"\0\0\x77\0"


def test_a_write_that_fails_may_have_arrived(cache: CachedMemory, port: Port) -> None:
    cache.read(0, 1, 200, 4)
    port.fault = OSError("broken")
    with pytest.raises(OSError, match="broken"):
        cache.write(0, 1, 202, b"\x77")
    assert cache.read(0, 1, 202, 1) == b"\x77"


APPLIES = [(0x10, 143), (0x10, 144), (0x10, 176), (0x10, 177), (0x10, 178), (0x10, 179), (0x10, 128), (0, 26)]


@pytest.mark.parametrize(("page", "byte"), APPLIES)
@pytest.mark.parametrize("dependent", [0x02, 0x20, 0x28])
def test_thresholds_are_read_anew_from_an_apply_until_the_data_paths_are_steady(
    cache: CachedMemory, port: Port, page: int, byte: int, dependent: int
) -> None:
    cache.read(0, dependent, 128, 2)
    cache.read(0, 0, 148, 2)
    cache.write(0, page, byte, b"\x01")
    for value in (b"\0\0", b"\5\5", b"\6\6"):  # the module changes them in its own time
        port.image.put(0, dependent, 128, value)
        assert cache.read(0, dependent, 128, 2) == value
    assert cache.read(0, 0, 148, 2) == b"\0\0"
    assert cache.hits == 1  # who the module is does not depend on it
    cache.configuration_settled()
    for _ in range(3):
        cache.read(0, dependent, 128, 2)
    assert cache.hits == 3


def test_an_apply_within_a_longer_write_counts_and_one_beside_it_does_not(
    cache: CachedMemory, port: Port
) -> None:
    cache.read(0, 2, 128, 2)
    cache.write(0, 0x10, 145, bytes(8))
    cache.read(0, 2, 128, 2)
    assert cache.hits == 1
    cache.write(0, 0x10, 140, bytes(8))
    cache.read(0, 2, 128, 2)
    assert cache.hits == 1


@pytest.mark.parametrize(
    ("page", "byte", "data"),
    [
        (0, 26, b"\x08"),
        (0, 25, b"\x00\x48"),
        (0x9F, 128, b"\x01\x09"),
        (0x9F, 128, b"\x01\x09\0\0\4\xf1\0\0"),
    ],
)
def test_a_reset_and_another_firmware_make_all_forgotten(
    cache: CachedMemory, page: int, byte: int, data: bytes
) -> None:
    cache.read(0, 0, 148, 2)
    cache.write(0, page, byte, data)
    cache.read(0, 0, 148, 2)
    assert cache.hits == 0


@pytest.mark.parametrize(
    ("page", "byte", "data"),
    [(0, 27, b"\x08"), (0x9F, 128, b"\x01\x03"), (0x9F, 136, b"\x01\x09"), (0x10, 130, b"\xff")],
)
def test_other_writes_make_nothing_forgotten(cache: CachedMemory, page: int, byte: int, data: bytes) -> None:
    cache.read(0, 0, 148, 2)
    cache.write(0, page, byte, data)
    cache.read(0, 0, 148, 2)
    assert cache.hits == 1


def test_an_exchanged_module_is_read_anew(cache: CachedMemory, port: Port) -> None:
    for forget in (cache.forget, cache.forget_page):
        cache.read(0, 0, 148, 2)
        port.image.put(0, 0, 148, b"XY")
        forget()
        assert cache.read(0, 0, 148, 2) == b"XY"


def test_limits_are_set_through_the_cache(image_on_a_bus: Any, cache: CachedMemory) -> None:
    host = image_on_a_bus(Port().image)
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    CachedMemory(memory).limits = AccessLimits(read=128)
    assert memory.limits == AccessLimits(read=128)
    with pytest.raises(ValueError, match="Port, has no limits"):
        cache.limits = AccessLimits(read=128)


def test_after_an_exchange_thresholds_are_kept_again_when_data_paths_are_settled(
    cache: CachedMemory, port: Port
) -> None:
    cache.forget_page()
    for _ in range(2):
        cache.read(0, 0x02, 128, 2)
    assert cache.hits == 0
    CmisModule(cache, None).configuration_settled()  # type: ignore[arg-type]
    for _ in range(2):
        cache.read(0, 0x02, 128, 2)
    assert cache.hits == 1


def test_several_spans_go_to_the_port_together_but_for_what_is_known(image_on_a_bus: Any) -> None:
    host = image_on_a_bus(Port().image)
    cache = CachedMemory(I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock))
    cache.read_several(0, 0x13, [(128, 8), (180, 4)])
    host.start_counting()
    assert cache.read_several(0, 0x13, [(180, 4), (128, 8), (144, 8)]) == [bytes(4), bytes(8), bytes(8)]
    assert host.reads == [(180, 4), (144, 8)]
    assert host.transactions == 1
    host.start_counting()
    assert cache.read_several(0, 0x13, [(130, 2), (130, 2)]) == [bytes(2)] * 2
    assert host.transactions == 0


def test_what_the_port_offers_passes_through(image_on_a_bus: Any) -> None:
    host = image_on_a_bus(Port().image)
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    cache = CachedMemory(memory)
    for protocol in (HasLimits, HoldsOff, HoldsTheBus, KnowsSelection, ReadsSeveral, RemembersPage):
        assert isinstance(cache, protocol)
    memory.limits = AccessLimits(read=64)
    assert cache.limits == memory.limits
    cache.read(0, 0x11, 128, 1)
    assert cache.selected == (0, 0x11)
    cache.forget_page()
    assert cache.selected is None
    cache.expect_hold_off(1.0)
    until_s = host.clock.now_s() + 0.9
    host.acknowledges = lambda: host.clock.now_s() >= until_s
    assert cache.read(0, 0, 3, 1) == bytes([3])


def test_a_port_without_any_of_that_is_served_all_the_same(cache: CachedMemory) -> None:
    assert cache.limits == AccessLimits()
    assert cache.selected is None
    cache.expect_hold_off(1.0)
    cache.forget_page()
    assert cache.read_several(0, 0x11, [(128, 2), (140, 1)]) == [b"\0\0", b"\0"]
    assert CachedMemory(CallableMemory(lambda *_: b"\7")).read(0, 0x11, 128, 1) == b"\7"


def test_the_cache_has_no_lock_beside_the_buss(image_on_a_bus: Any) -> None:
    """Or two threads could each hold one of them and wait for the other."""
    host = image_on_a_bus(Port().image)
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    cache = CachedMemory(memory)
    done: list[bytes] = []
    with memory.transaction():
        other = threading.Thread(target=lambda: done.append(cache.read(0, 0x11, 128, 1)), daemon=True)
        other.start()
        assert cache.read(0, 0x00, 128, 1) == b"\0"
        assert done == []
    other.join(timeout=10.0)
    assert done == [b"\0"]
