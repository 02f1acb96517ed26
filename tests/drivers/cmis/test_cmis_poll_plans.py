"""Poll plans: the fewest reads, no flag cleared that was not asked for, nothing made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.access import I2cMemory
from drivers.cmis.dump import DumpMemory, load_dump
from drivers.cmis.errors import NotReadError, PageUnavailableError
from drivers.cmis.fields import Access, Field, Kind, decode
from drivers.cmis.image import MemoryImage
from drivers.cmis.information import read_lane_monitors
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.page_cache import CachedMemory
from drivers.cmis.polling import (
    PageReads,
    PollPlan,
    Snapshot,
    advertised_limits,
    bus_time_s,
    full_poll_fields,
    plan_reads,
)
from drivers.cmis.ports import AccessLimits
from drivers.i2c import I2cBus

EIGHT = AccessLimits()
PAGES = AccessLimits(read=128)


def elements(names: Any) -> dict[int | None, set[tuple[int, int]]]:
    """(first, last) of what must not be split, by page; worked out anew here."""
    found: dict[int | None, set[tuple[int, int]]] = {}
    for name in names:
        field = FIELDS[name]
        size = field.length if field.kind in (Kind.UINT, Kind.SINT, Kind.F16, Kind.RAW) else 1
        for first in range(field.byte, field.byte + field.size, size):
            page = None if field.byte < 128 else field.page
            found.setdefault(page, set()).add((first, first + size - 1))
    return found


def fewest_windows(items: set[tuple[int, int]], longest: int, barred: frozenset[int]) -> int:
    """The smallest number of windows of at most ``longest`` bytes that hold each item whole and no barred
    byte, by dynamic programming over all windows that there are."""
    windows = [
        (first, last)
        for first in range(256)
        for last in range(first, min(first + longest, 256))
        if (first < 128) == (last < 128) and barred.isdisjoint(range(first, last + 1))
    ]
    ordered = sorted(items)

    @cache
    def needed(done: int) -> int:
        """Windows for the items from ``done`` on, when all before are held."""
        if done == len(ordered):
            return 0
        best = 1000
        for first, last in windows:
            if first <= ordered[done][0] and ordered[done][1] <= last:
                behind = done
                while behind < len(ordered) and first <= ordered[behind][0] and ordered[behind][1] <= last:
                    behind += 1
                best = min(best, 1 + needed(behind))
        return best

    return needed(0)


def test_reads_next_to_each_other_become_one() -> None:
    plan = plan_reads(["TempMonValue", "VccMonVoltage", "ModuleState"])
    assert plan == PollPlan((PageReads(0, None, ((3, 1), (14, 4))),))


def test_the_bytes_between_are_read_along_when_that_saves_a_read() -> None:
    plan = plan_reads(["DPStateHostLane", "ConfigStatus", "DPInitPending"], bank=2, limits=PAGES)
    assert plan.pages == (PageReads(2, 0x11, ((128, 4), (202, 34))),)  # but for the flags in 134-153


def test_no_flag_is_cleared_in_passing() -> None:
    plan = plan_reads(["LOSFlagRx", "OutputStatusTx", "TxPower"], limits=PAGES, clear_on_read=True)
    assert plan.pages == (PageReads(0, 0x11, ((133, 1), (147, 1), (154, 16))),)


def test_asking_for_a_flag_needs_saying_so() -> None:
    with pytest.raises(ValueError, match=r"TempMonHighAlarmFlag \(lower:9\.0\) is cleared by being read"):
        plan_reads(["ModuleState", "TempMonHighAlarmFlag"])


def test_a_number_is_never_split() -> None:
    plan = plan_reads(["RxPower"], limits=AccessLimits(read=10))
    assert plan.pages[0].spans == ((186, 10), (196, 6))
    odd = Field("Odd", 0xB0, 129, Kind.UINT, 2, lanes=6)
    assert plan_reads([odd]).pages[0].spans == ((129, 8), (137, 4))


def test_a_number_that_shares_a_byte_with_a_flag_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bytes 12\.\.15 belong together, but 12 is cleared by being read"):
        plan_reads([Field("Astride", 0, 12, Kind.UINT, 4), Field("Before", 0, 7, Kind.UINT)])


def test_text_longer_than_a_read_is_split() -> None:
    assert plan_reads(["VendorName"]).pages[0].spans == ((129, 8), (137, 8))


def test_an_unknown_name_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"no field called 'TempMonValu'; did you mean TempMonValue"):
        plan_reads(["TempMonValu"])


def test_no_flag_is_read_twice_when_fields_overlap() -> None:
    before, behind = (
        Field("Before", 0, 2, Kind.RAW, 6),
        Field("Behind", 0, 8, Kind.RAW, 6, access=Access.RO_COR),
    )
    plan = plan_reads([before, "ModuleStateChangedFlag", behind], clear_on_read=True)
    assert plan.pages[0].spans == ((2, 6), (8, 6))


def test_fields_that_share_flags_and_fit_into_no_read_are_refused() -> None:
    flags = [Field(f"From{byte}", 0x2C, byte, Kind.RAW, 6, access=Access.RO_COR) for byte in (128, 132)]
    with pytest.raises(ValueError, match=r"bytes 128\.\.137 share flags"):
        plan_reads(flags, clear_on_read=True)
    assert plan_reads(flags, limits=PAGES, clear_on_read=True).pages[0].spans == ((128, 10),)


def test_pages_come_in_order_and_unbanked_ones_have_no_bank() -> None:
    plan = plan_reads(["TxPower", "VendorPN", "TempMonValue", "MaxDurationDPInit"], bank=3, limits=PAGES)
    assert [(item.bank, item.page) for item in plan.pages] == [(0, None), (0, 0x00), (0, 0x01), (3, 0x11)]
    assert plan.page_switches == 3


readable = sorted(name for name, field in FIELDS.items() if field.length <= 8 or field.kind is Kind.RAW)


@given(
    st.lists(st.sampled_from(readable), min_size=1, max_size=25, unique=True),
    st.sampled_from([8, 10, 16, 32]),
)
def test_no_cover_has_fewer_reads_and_each_rule_is_kept(names: list[str], longest: int) -> None:
    names = [name for name in names if FIELDS[name].kind is not Kind.RAW or FIELDS[name].length <= longest]
    limits = AccessLimits(read=longest, cdb=8)
    plan = plan_reads(names, limits=limits, clear_on_read=True)
    asked = {
        page: {
            byte
            for name in names
            for field in (FIELDS[name],)
            if field.access is Access.RO_COR and (None if field.byte < 128 else field.page) == page
            for byte in range(field.byte, field.byte + field.size)
        }
        for page in elements(names)
    }
    assert {item.page for item in plan.pages} == set(elements(names))
    for item in plan.pages:
        wanted = elements(names)[item.page]
        barred = clear_on_read_bytes(item.page) - asked[item.page]
        limit = limits.longest_read(item.page)
        for byte, length in item.spans:
            assert 1 <= length <= limit
            assert (byte < 128) == (byte + length - 1 < 128)
            assert barred.isdisjoint(range(byte, byte + length))
        for first, last in wanted:
            assert any(byte <= first and last < byte + length for byte, length in item.spans)
        assert len(item.spans) == fewest_windows(wanted, limit, frozenset(barred))


class Counted:
    """A port over an image that notes its reads."""

    def __init__(self, image: MemoryImage) -> None:
        self.image = image
        self.noted: list[tuple[int, int, int, int]] = []

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        self.noted.append((bank, page, byte, length))
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        raise AssertionError("a poll writes nothing")


def test_any_port_executes_a_plan() -> None:
    image = MemoryImage(bytes(range(128)))
    image.add_page(0, 0x11, bytes(range(128)))
    port = Counted(image)
    snapshot = plan_reads(["TempMonValue", "ConfigStatus"]).execute(port)
    assert port.noted == [(0, 0, 14, 2), (0, 0x11, 202, 4)]
    assert decode(FIELDS["TempMonValue"], snapshot) == (14 * 256 + 15) / 256
    assert decode(FIELDS["ConfigStatus"], snapshot) == decode(FIELDS["ConfigStatus"], image)


def test_what_was_not_read_is_not_made_up() -> None:
    image = MemoryImage(bytes(128))
    image.add_page(0, 0x11)
    snapshot = plan_reads(["TempMonValue", "DPStateHostLane"]).execute(Counted(image))
    with pytest.raises(NotReadError, match=r"lower memory bytes 16\.\.17 of the snapshot were not read"):
        decode(FIELDS["VccMonVoltage"], snapshot)
    with pytest.raises(NotReadError, match=r"page 11h bank 0 bytes 154\.\.169"):
        decode(FIELDS["TxPower"], snapshot)
    with pytest.raises(NotReadError, match="page 11h bank 1"):
        decode(FIELDS["DPStateHostLane"], snapshot, bank=1)
    with pytest.raises(NotReadError, match="page 02h"):
        decode(FIELDS["TempMonHighAlarmThreshold"], snapshot)
    assert snapshot.has(0, 0x11, 128, 4)
    assert not snapshot.has(0, 0x11, 128, 5)
    assert not snapshot.has(0, 0x02, 128, 1)


def test_flags_read_before_a_failure_are_kept() -> None:
    image = MemoryImage(bytes(range(128)))  # and no page 11h
    kept = Snapshot()
    plan = plan_reads(full_poll_fields(), clear_on_read=True)
    with pytest.raises(PageUnavailableError, match="01h"):
        plan.execute(DumpMemory(image), into=kept)
    assert kept.get(0, 0, 8, 4) == bytes([8, 9, 10, 11])


def test_the_bus_is_held_for_all_reads_of_a_page() -> None:
    class Port:
        depth = taken = 0
        held: list[bool] = []  # noqa: RUF012

        @contextmanager
        def transaction(self) -> Iterator[None]:
            self.taken += 1
            self.depth += 1
            yield
            self.depth -= 1

        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            self.held.append(self.depth == 1)
            return bytes(length)

        def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
            raise AssertionError

    port = Port()
    plan = plan_reads(["TempMonValue", "TxPower", "DPStateHostLane"])
    plan.execute(port)
    assert port.held == [True] * plan.reads
    assert port.taken == 2


def test_a_flat_module_has_a_poll_of_lower_memory_alone() -> None:
    plan = plan_reads(full_poll_fields(lanes=False), clear_on_read=True)
    assert [item.page for item in plan.pages] == [None]


def test_a_poll_without_flags_clears_nothing() -> None:
    plan = plan_reads(full_poll_fields(flags=False), limits=PAGES)
    for item in plan.pages:
        for byte, length in item.spans:
            assert clear_on_read_bytes(item.page).isdisjoint(range(byte, byte + length))


# The full poll of a real module


@pytest.fixture
def xdr4(dump_folder: Path, image_on_a_bus: Any) -> Any:
    return image_on_a_bus(load_dump(dump_folder / "arista-400g-xdr4.json").image)


def memory_of(host: Any, limits: AccessLimits = EIGHT) -> I2cMemory:
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    memory.limits = limits
    return memory


def test_a_full_poll_takes_two_transactions_where_pages_are_read_whole(xdr4: Any) -> None:
    memory = CachedMemory(memory_of(xdr4, PAGES))
    plan = plan_reads(full_poll_fields(), limits=PAGES, clear_on_read=True)
    plan.execute(memory)
    for _ in range(3):
        xdr4.start_counting()
        plan.execute(memory)
        assert (xdr4.transactions, xdr4.selects) == (2, 0)  # required: at most 4 and 2


def test_without_a_cache_it_takes_four_transactions_and_two_page_selects(xdr4: Any) -> None:
    memory = memory_of(xdr4, PAGES)
    plan = plan_reads(full_poll_fields(), limits=PAGES, clear_on_read=True)
    plan.execute(memory)
    for _ in range(3):
        xdr4.start_counting()
        plan.execute(memory)
        # lower memory; the page left selected; the other page with its select
        assert (xdr4.transactions, xdr4.selects) == (4, 1)


def test_eight_bytes_at_a_time_it_takes_the_fewest_reads_that_there_are(xdr4: Any) -> None:
    names = full_poll_fields()
    xdr4.start_counting()
    plan_reads(names, clear_on_read=True).execute(memory_of(xdr4))
    assert max(length for _, length in xdr4.reads) == 8
    fewest = sum(fewest_windows(items, 8, frozenset()) for items in elements(names).values())
    assert len(xdr4.reads) <= 1.25 * fewest  # even of reads that may clear any flag
    unasked = frozenset({12, 13})  # flags that no field names
    assert len(xdr4.reads) == sum(fewest_windows(items, 8, unasked) for items in elements(names).values())


@pytest.mark.parametrize("limits", [EIGHT, PAGES])
def test_a_poll_decodes_to_what_the_dump_holds(xdr4: Any, limits: AccessLimits) -> None:
    expected = xdr4.image.copy()
    snapshot = plan_reads(full_poll_fields(), limits=limits, clear_on_read=True).execute(
        memory_of(xdr4, limits)
    )
    for name in full_poll_fields():
        assert decode(FIELDS[name], snapshot) == decode(FIELDS[name], expected), name
    assert read_lane_monitors(snapshot) == read_lane_monitors(expected)
    assert xdr4.image.get(0, 0x11, 134, 20) == bytes(20)  # each flag was read, once


@pytest.mark.parametrize("limits", [EIGHT, PAGES])
@pytest.mark.parametrize("flags", [True, False])
def test_the_bus_time_of_a_plan_is_what_the_bus_takes(xdr4: Any, limits: AccessLimits, flags: bool) -> None:
    plan = plan_reads(full_poll_fields(flags=flags), limits=limits, clear_on_read=flags)
    xdr4.start_counting()
    plan.execute(memory_of(xdr4, limits))
    # Beside it, a select is followed by nothing: the look at the page is part of the read.
    assert xdr4.bus_s == pytest.approx(bus_time_s(plan), rel=1e-9)
    assert bus_time_s(plan, 1e6) == pytest.approx(0.4 * bus_time_s(plan))
    assert bus_time_s(plan, page_switches=0) < bus_time_s(plan)
    xdr4.start_counting()
    memory = I2cMemory(I2cBus(xdr4.smbus, xdr4.clock, name="i2c-1"), xdr4.clock, combine=False)
    memory.limits = limits
    plan.execute(memory)
    apart_s = bus_time_s(plan, combine=False)
    assert xdr4.bus_s == pytest.approx(apart_s, rel=1e-9)


# What a module advertises


def advertising(*, revision: int = 0x54, model: int = 0, byte_251: int = 0, cdb: int = 0, k: int = 0) -> Any:
    page = bytearray(128)
    page[251 - 128], page[163 - 128], page[164 - 128] = byte_251, cdb, k
    return MemoryImage(bytes([0x18, revision, model << 7]) + bytes(125), {(0, 1): bytes(page)})


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, AccessLimits()),
        ({"byte_251": 2}, AccessLimits(read=128)),
        ({"byte_251": 2, "revision": 0x53}, AccessLimits()),  # reserved there
        ({"byte_251": 1}, AccessLimits()),
        ({"byte_251": 0x10}, AccessLimits()),
        ({"k": 15}, AccessLimits()),  # no CDB
        ({"cdb": 0x40, "k": 0}, AccessLimits(cdb=8)),
        ({"cdb": 0x40, "k": 15}, AccessLimits(cdb=128)),
        ({"cdb": 0x80, "k": 255}, AccessLimits(cdb=2048)),
        ({"model": 1, "byte_251": 2, "cdb": 0x40, "k": 15}, AccessLimits()),
    ],
)
def test_advertised_limits(options: dict[str, int], limits: AccessLimits) -> None:
    assert advertised_limits(advertising(**options)) == limits


def test_the_other_bit_counts_when_one_says_so() -> None:
    assert advertised_limits(advertising(byte_251=0x10), bit_4_counts=True).read == 128


def test_a_flat_module_needs_no_page_01h() -> None:
    assert advertised_limits(MemoryImage(bytes([0x18, 0x54, 0x80]) + bytes(125))) == AccessLimits()
