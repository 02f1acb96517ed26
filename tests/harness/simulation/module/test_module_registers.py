"""The register interface: pages, access rights, clear-on-read, hold-off, address counter."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smbus2 import i2c_msg

from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.fields import Access
from drivers.cmis.image import page_checksum
from drivers.cmis.memory_map import FIELDS
from drivers.i2c import I2cNackError
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile import load_profile

if TYPE_CHECKING:
    from conftest import ModuleBench

ADDRESS = 0x50


def _raw_read(bench: ModuleBench, byte: int, length: int) -> bytes:
    return bench.bus.write_read(ADDRESS, bytes([byte]), length)


def _raw_write(bench: ModuleBench, *data: int) -> None:
    bench.bus.write(ADDRESS, bytes(data))
    bench.world.advance(0.02)


def test_identity_and_checksums_are_as_the_profile_says(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.read("VendorName") == "LANEWISE"
    assert bench.read("VendorSN") == "LW26000001"
    assert bench.get(0, 0, 0, 1) == bench.get(0, 0, 128, 1) == b"\x18"
    assert bench.get(0, 0, 86, 8) == bytes([0x11, 0x1C, 0x84, 0x01, 0x0D, 0x14, 0x21, 0x55])
    assert bench.get(0, 0, 94, 1) == b"\xff"
    assert bench.get(0, 0, 200, 2) == bytes([0x80, 40])  # class 5, 10 W
    assert bench.get(0, 0, 210, 1) == b"\xf0"
    for page in (0, 1, 2):
        assert page_checksum(page, bench.get(0, page, 128, 128)).ok


def test_a_profile_may_spoil_a_checksum(make_bench: Callable[..., ModuleBench]) -> None:
    good = load_profile("good-dr4")
    management = dataclasses.replace(good.management, wrong_checksum_page="01h")
    bench = make_bench(dataclasses.replace(good, management=management))
    bench.power_on()
    found = {page: page_checksum(page, bench.get(0, page, 128, 128)).ok for page in (0, 1, 2)}
    assert found == {0: True, 1: False, 2: True}


@pytest.mark.parametrize(("bank", "page"), [(0, 0x03), (0, 0x12), (1, 0x10), (1, 0x9F), (0, 0xFF)])
def test_an_unsupported_page_falls_back_to_page_00h(bench: ModuleBench, bank: int, page: int) -> None:
    bench.power_on()
    _raw_write(bench, 126, bank, page)
    assert _raw_read(bench, 127, 1) == b"\0"
    assert _raw_read(bench, 129, 8) == b"LANEWISE"
    with pytest.raises(PageUnavailableError):
        bench.get(bank, page, 128, 1)


def test_a_write_of_the_bank_alone_waits_for_the_page(bench: ModuleBench) -> None:
    bench.power_on()
    _raw_write(bench, 127, 0x11)
    _raw_write(bench, 126, 5)
    assert _raw_read(bench, 126, 2) == bytes([5, 0x11])
    _raw_write(bench, 130, 1)  # still page 11h, where this is a status register
    _raw_write(bench, 127, 0x01)  # pages below 10h have no banks
    assert _raw_read(bench, 127, 1) == b"\1"


def test_the_host_cannot_write_what_is_read_only(bench: ModuleBench) -> None:
    bench.power_on()
    before = bench.get(0, 0, 129, 16)
    bench.put(0, 0, 129, b"SOMEBODY ELSE   ")
    assert bench.get(0, 0, 129, 16) == before
    bench.put(0, 0, 2, b"\xff")
    assert bench.read("MemoryModel") == 0


def test_only_writable_bits_of_a_byte_change(bench: ModuleBench) -> None:
    bench.power_on()
    bench.put(0, 0, 26, b"\xb7")  # everything but LowPwrAllowRequestHW and SoftwareReset
    # Bits 7 and 5 are controls that this module does not have, 2-0 are not defined, 3 clears itself.
    assert bench.get(0, 0, 26, 1) == b"\x10"


def test_flags_are_cleared_by_reading_and_come_back_while_the_condition_lasts(bench: ModuleBench) -> None:
    bench.activate()
    assert bench.read("LOSFlagRx") == (False,) * 8
    bench.surroundings.rx_w[1] = 1e-6
    bench.world.advance(0.1)
    lane_2 = (False, True) + (False,) * 6
    assert bench.read("LOSFlagRx") == lane_2
    assert bench.read("LOSFlagRx") == lane_2
    bench.surroundings.rx_w[1] = 1e-3
    bench.world.advance(0.1)
    assert bench.read("LOSFlagRx") == lane_2  # latched by the last reading
    assert bench.read("LOSFlagRx") == (False,) * 8


def test_a_flag_stays_latched_until_it_is_read(bench: ModuleBench) -> None:
    bench.activate()
    bench.surroundings.case_c = 90.0
    bench.world.advance(0.2)
    assert bench.host.pins.interrupt_asserted()
    bench.surroundings.case_c = 25.0
    bench.world.advance(5.0)
    assert bench.read("TempMonHighAlarmFlag") == 1
    assert bench.read("TempMonHighAlarmFlag") == 0


def test_reading_beside_a_flag_does_not_clear_it(bench: ModuleBench) -> None:
    bench.power_on()
    bench.get(0, 0, 0, 8)
    bench.get(0, 0, 14, 4)
    assert bench.read("ModuleStateChangedFlag") == 1


def test_masks_keep_a_flag_from_the_interrupt_but_not_from_its_register(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.host.pins.interrupt_asserted()
    assert bench.read("InterruptDeasserted") == 0
    bench.write("ModuleStateChangedMask", 1)
    assert not bench.host.pins.interrupt_asserted()
    assert bench.read("InterruptDeasserted") == 1
    assert bench.read("ModuleStateChangedFlag") == 1


def test_the_summary_tells_of_lane_flags(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.read("FlagSummaryLanesBank0") == 0
    bench.activate()
    assert bench.read("FlagSummaryLanesBank0") == 1
    bench.get(0, 0x11, 134, 20)
    assert bench.read("FlagSummaryLanesBank0") == 0


def test_writes_hold_the_module_off_for_as_long_as_the_profile_says(bench: ModuleBench) -> None:
    bench.power_on()
    hold_off_s = bench.module.profile.management.write_hold_off_s
    bench.bus.write(ADDRESS, bytes([31, 0]))
    with pytest.raises(I2cNackError):
        _raw_read(bench, 0, 1)
    bench.world.advance(hold_off_s - 0.0002)
    with pytest.raises(I2cNackError):
        _raw_read(bench, 0, 1)
    bench.world.advance(0.0002)
    assert _raw_read(bench, 0, 1) == b"\x18"


def test_a_page_change_holds_off_within_what_is_advertised(bench: ModuleBench) -> None:
    bench.power_on()
    exponent = bench.read("MaxDurationBPCExponent")
    assert isinstance(exponent, int)
    bench.bus.write(ADDRESS, bytes([126, 0, 0x11]))
    with pytest.raises(I2cNackError):
        _raw_read(bench, 0, 1)
    bench.world.advance(0.010 / 2**exponent)
    assert _raw_read(bench, 126, 2) == bytes([0, 0x11])


def test_a_register_address_alone_holds_nothing_off(bench: ModuleBench) -> None:
    bench.power_on()
    bench.bus.write(ADDRESS, bytes([129]))
    answer = i2c_msg.read(ADDRESS, 8)
    bench.smbus.i2c_rdwr(answer)
    assert bytes(answer) == b"LANEWISE"


def test_the_address_counter_rolls_over_within_its_half(bench: ModuleBench) -> None:
    bench.power_on()
    lower = _raw_read(bench, 0, 8)
    upper = _raw_read(bench, 128, 8)
    assert _raw_read(bench, 124, 8)[4:] == lower[:4]
    assert _raw_read(bench, 252, 8)[4:] == upper[:4]
    bench.bus.write(ADDRESS, bytes([255]))
    first, second = i2c_msg.read(ADDRESS, 1), i2c_msg.read(ADDRESS, 1)
    bench.smbus.i2c_rdwr(first)
    bench.smbus.i2c_rdwr(second)
    assert bytes(second) == upper[:1]


def test_what_is_not_built_does_not_stay_written(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.memory.write(0, 0, 26, b"\xf0")
    assert bench.read("BankBroadcastEnable") == 0
    assert bench.read("SquelchMethodSelect") == 0
    assert (bench.read("LowPwrAllowRequestHW"), bench.read("LowPwrRequestSW")) == (1, 1)


def test_long_accesses_are_given_or_refused_by_the_profile(make_bench: Callable[..., ModuleBench]) -> None:
    good = load_profile("good-dr4")
    bench = make_bench(good)
    bench.power_on()
    assert len(_raw_read(bench, 128, 128)) == 128
    assert bench.read("FullPageReadSupported") == 2
    strict = make_bench(
        dataclasses.replace(good, management=dataclasses.replace(good.management, longest_read_bytes=8))
    )
    strict.power_on()
    assert len(_raw_read(strict, 128, 8)) == 8
    with pytest.raises(I2cNackError):
        _raw_read(strict, 128, 9)
    assert strict.read("FullPageReadSupported") == 0


def test_a_write_that_is_too_long_has_no_effect(bench: ModuleBench) -> None:
    bench.power_on()
    with pytest.raises(I2cNackError):
        bench.bus.write(ADDRESS, bytes([31]) + b"\xff" * 9)
    assert bench.get(0, 0, 31, 4) == bytes(4)


def test_a_module_that_is_not_selected_does_not_answer(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_selected(asserted=False)
    with pytest.raises(I2cNackError):
        _raw_read(bench, 0, 1)
    bench.host.pins.set_selected(asserted=True)
    assert _raw_read(bench, 0, 1) == b"\x18"


def test_an_empty_cage_does_not_answer(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.host.pins.module_present()
    bench.board.set_inserted(False)
    assert not bench.host.pins.module_present()
    with pytest.raises(I2cNackError):
        _raw_read(bench, 0, 1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    page=st.sampled_from([0x00, 0x01, 0x02, 0x10, 0x11]),
    byte=st.integers(0, 255),
    values=st.binary(min_size=1, max_size=8),
)
def test_no_write_changes_a_byte_that_no_field_lets_the_host_write(
    page: int, byte: int, values: bytes
) -> None:
    registers = Registers([(0, page)])
    for offset, value in enumerate(values):
        target = byte & 0x80 | byte + offset & 0x7F
        registers.host_write(0, page, target, value)
    writable = {
        (field.byte < 128, field.byte + index)
        for field in FIELDS.values()
        if field.access is Access.RW and (field.byte < 128 or field.page == page)
        for index in range(field.size)
    }
    for start in (0, 128):
        for index, value in enumerate(registers.get(0, page, start, 128), start=start):
            assert not value or (start == 0, index) in writable


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.binary(min_size=1, max_size=10), max_size=6), length=st.integers(1, 128))
def test_whatever_is_written_the_bus_answers_with_data_or_a_nack(
    make_bench: Callable[..., ModuleBench], writes: list[bytes], length: int
) -> None:
    bench = make_bench()
    bench.power_on()
    for data in writes:
        with contextlib.suppress(I2cNackError):
            bench.bus.write(ADDRESS, data)
        bench.world.advance(0.02)
    answer = i2c_msg.read(ADDRESS, length)
    if bench.module.state.answers:
        bench.smbus.i2c_rdwr(answer)
        assert len(bytes(answer)) == length
    else:  # one of the writes asked for a reset
        with pytest.raises(OSError) as refused:
            bench.smbus.i2c_rdwr(answer)
        assert refused.value.errno == errno.ENXIO
