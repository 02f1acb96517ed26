"""Registers as a host sees them: banks, coherence, flags with their masks and summaries, non-volatile memory
(OIF-CMIS-05.4 §5.2, §8.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.fields import Access
from drivers.cmis.memory_map import FIELDS
from drivers.i2c import I2cNackError
from harness.simulation.module.profile import Profile

if TYPE_CHECKING:
    from conftest import ModuleBench

ADDRESS = 0x50


def patiently(bench: ModuleBench, *data: int, limit_s: float = 0.1) -> float:
    """Write when the module acknowledges; seconds until it did."""
    start_s = bench.world.now_s
    while True:
        try:
            bench.bus.write(ADDRESS, bytes(data))
        except I2cNackError:
            assert bench.world.now_s - start_s < limit_s
            bench.world.advance(0.0005)
        else:
            return bench.world.now_s - start_s


def read_now(bench: ModuleBench, byte: int, length: int) -> bytes:
    patiently(bench, byte)
    return bench.bus.write_read(ADDRESS, bytes([byte]), length)


def selection(bench: ModuleBench, bank: int, page: int) -> tuple[int, int]:
    """What the page registers hold after a selection."""
    patiently(bench, 126, bank, page)
    found = read_now(bench, 126, 2)
    return found[0], found[1]


@pytest.mark.parametrize("banks", [1, 2, 4])
def test_banks_that_there_are_can_be_selected_and_others_fall_back(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile], banks: int
) -> None:
    bench = make_bench(changed(management={"banks": banks}))
    bench.power_on()
    for bank in range(5):
        for page in (0x10, 0x11):
            assert selection(bench, bank, page) == (bank, page if bank < banks else 0)
        assert selection(bench, bank, 0x01) == (bank, 0x01)  # pages below 10h are the same in every bank
        assert selection(bench, bank, 0x12)[1] == 0
    assert bench.read("BanksSupported") == {1: 0, 2: 1, 4: 2}[banks]


def test_banks_have_registers_of_their_own(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"banks": 2}))
    bench.power_on()
    bench.host.memory.write(1, 0x10, 130, b"\x55")
    assert bench.host.memory.read(0, 0x10, 130, 1) == b"\x00"
    assert bench.host.memory.read(1, 0x10, 130, 1) == b"\x55"


def test_a_write_of_page_select_alone_keeps_the_bank(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"banks": 2}))
    bench.power_on()
    assert selection(bench, 1, 0x10) == (1, 0x10)
    patiently(bench, 127, 0x11)
    assert read_now(bench, 126, 2) == bytes([1, 0x11])
    assert read_now(bench, 128, 4) == b"\x11" * 4
    patiently(bench, 126, 0)  # of no effect until PageSelect is written
    assert read_now(bench, 154, 2) == bytes(2)
    patiently(bench, 127, 0x11)
    assert read_now(bench, 126, 2) == bytes([0, 0x11])


def test_a_read_of_two_bytes_is_of_one_moment_and_two_reads_are_not(bench: ModuleBench) -> None:
    bench.power_on()
    shown_c = bench.read("TempMonValue")
    assert isinstance(shown_c, float)
    error_c = shown_c - bench.surroundings.case_c
    below_c, above_c = 30.0 - error_c - 0.1, 30.0 - error_c + 0.1
    bench.surroundings.case_c = below_c
    bench.world.advance(0.2)
    high = read_now(bench, 14, 1)
    bench.surroundings.case_c = above_c
    bench.world.advance(0.2)
    torn_c = int.from_bytes(high + read_now(bench, 15, 1)) / 256
    assert torn_c == pytest.approx(29.1, abs=0.02)
    assert int.from_bytes(read_now(bench, 14, 2)) / 256 == pytest.approx(30.1, abs=0.02)


def test_what_a_host_may_write_reads_back_and_nothing_else(bench: ModuleBench) -> None:
    bench.power_on()
    bench.write("DPDeinit", 0xFF)
    for page in (0x10, 0x11):
        readable = {
            field.byte + index: field.access
            for field in FIELDS.values()
            if field.page == page and field.byte >= 128
            for index in range(field.size)
        }
        for byte, access in readable.items():
            name = [field.name for field in FIELDS.values() if field.page == page and field.byte == byte]
            if byte == 128 or any("Flip" in text or "AutoSquelch" in text for text in name):
                continue  # DPDeinit holds; the others this module does not have
            before = bench.host.memory.read(0, page, byte, 1)
            bench.host.memory.write(0, page, byte, b"\xa5")
            after = bench.host.memory.read(0, page, byte, 1)
            if access is Access.RW:
                assert after == b"\xa5", (page, byte)
            elif access is Access.WO:
                assert after == b"\0", (page, byte)
            elif not 202 <= byte <= 235:  # what the triggers among them changed
                assert after == before or access is Access.RO_COR, (page, byte)


def test_each_lane_flag_interrupts_unless_it_is_masked_and_shows_in_the_summary(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (4,) * 8, limit_s=20.0)
    for byte in range(8, 14):
        bench.host.memory.read(0, 0, byte, 1)
    bench.host.memory.read(0, 0x11, 134, 8)
    bench.host.memory.read(0, 0x11, 142, 8)
    bench.host.memory.read(0, 0x11, 150, 4)
    assert not bench.host.pins.interrupt_asserted()
    assert bench.read("InterruptDeasserted") == 1
    assert bench.read("FlagSummaryLanesBank0") == 0
    bench.surroundings.rx_w[2] = 1e-9
    bench.world.advance(0.2)
    assert bench.host.pins.interrupt_asserted()
    assert bench.read("InterruptDeasserted") == 0
    assert bench.read("FlagSummaryLanesBank0") == 1
    bench.write("LOSMaskRx", 0b0100)
    assert bench.host.pins.interrupt_asserted()  # CDR, power and output flags still count
    for mask in ("CDRLOLMaskRx", "OpticalPowerLowAlarmMaskRx", "OpticalPowerLowWarningMaskRx"):
        bench.write(mask, 0b0100)
    bench.write("OutputStatusChangedMaskRx", 0xFF)
    assert not bench.host.pins.interrupt_asserted()
    assert bench.read("FlagSummaryLanesBank0") == 1
    assert bench.read("LOSFlagRx") == (False, False, True) + (False,) * 5
    assert bench.read("LOSFlagRx") == (False, False, True) + (False,) * 5  # it lasts
    bench.surroundings.rx_w[2] = 1e-3
    bench.world.advance(0.2)
    assert bench.read("LOSFlagRx") == (False, False, True) + (False,) * 5
    assert bench.read("LOSFlagRx") == (False,) * 8


def test_user_memory_survives_resets_and_takes_its_time(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"user_eeprom": True, "nv_write_hold_off_s": 0.06}))
    bench.power_on()
    assert bench.read("Page03hSupported") == 1
    assert selection(bench, 0, 3) == (0, 3)
    patiently(bench, 130, 1, 2, 3)
    assert patiently(bench, 130) == pytest.approx(0.06, abs=0.002)
    bench.write("SoftwareReset", 1)
    bench.host.memory.forget_page()
    bench.world.advance(2.0)
    assert bench.host.memory.read(0, 3, 128, 8) == bytes([0, 0, 1, 2, 3, 0, 0, 0])
    bench.surroundings.vcc = 0.0
    bench.module.supply_changed()
    bench.surroundings.vcc = 3.3
    bench.module.supply_changed()
    bench.world.advance(2.0)
    bench.host.memory.forget_page()
    assert bench.host.memory.read(0, 3, 130, 3) == bytes([1, 2, 3])


def test_flat_memory_has_page_00h_alone(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"flat_memory": True}, identity={"media_type": 3}))
    bench.host.connect()
    bench.module.supply_changed()
    bench.world.advance(2.0)
    for page in (0x01, 0x02, 0x10, 0x11, 0x13, 0x20, 0x2F, 0x9F, 0xA0):
        assert selection(bench, 0, page) == (0, 0)
    assert bench.read("MediaType") == 3
    assert [bench.module.launch_power_w(lane) for lane in range(1, 5)] == [0.0] * 4
    assert bench.module.consumption_w() == pytest.approx(1.2)
