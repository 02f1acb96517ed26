"""Pages 20h to 2Fh of the simulated module: descriptors, live samples, statistics, freeze, flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.fields import f16_to_float
from drivers.units import w_from_dbm
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.monitors import VdmProfile
from harness.simulation.signals import LineSignal, Pattern

if TYPE_CHECKING:
    from conftest import ModuleBench

# Index of the first of four lanes, as the default profile's observables follow each other.
TEMPERATURE, SNR, LTP, BER_MIN, BER_MAX, BER_AVERAGE, BER_NOW, FERC_MIN = 0, 4, 8, 12, 16, 20, 24, 28
HIGH_ALARM, LOW_ALARM, HIGH_WARNING, LOW_WARNING = 1, 2, 4, 8


def _with(**changes: object) -> Profile:
    good = load_profile("good-dr4")
    return dataclasses.replace(good, vdm=dataclasses.replace(good.vdm, **changes))


def _word(bench: ModuleBench, index: int) -> int:
    raw = bench.get(0, 0x24, 128, 128)
    return raw[2 * index] << 8 | raw[2 * index + 1]


def _ratios(bench: ModuleBench, first: int) -> list[float]:
    return [f16_to_float(_word(bench, first + lane)) for lane in range(4)]


def _flags(bench: ModuleBench) -> list[int]:
    """A nibble per instance, read once: instance 1 in the low half of the first byte."""
    raw = bench.get(0, 0x2C, 128, 128)
    return [raw[index // 2] >> 4 * (index % 2) & 0xF for index in range(32)]


def _light(bench: ModuleBench, *powers_dbm: float) -> None:
    bench.surroundings.rx_w = [w_from_dbm(power_dbm) for power_dbm in powers_dbm]


def _freeze(bench: ModuleBench) -> float:
    """Seconds from request to FreezeDone."""
    bench.put(0, 0x2F, 144, b"\x80")
    started_s = bench.world.now_s
    while not bench.get(0, 0x2F, 145, 1)[0] & 0x80:
        assert bench.world.now_s - started_s < 0.1
        bench.world.advance(0.0005)
    return bench.world.now_s - started_s


@pytest.fixture
def active(bench: ModuleBench) -> ModuleBench:
    """A module in operation with light at -4.5 dBm, where errors are few and countable."""
    _light(bench, -4.5, -4.5, -4.5, -4.5)
    bench.activate()
    bench.world.advance_to((bench.world.now_ns // 10**9 + 3) * 10**9)
    return bench


def test_the_static_pages_hold_what_the_profile_lists(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.get(0, 0x01, 142, 1)[0] & 0x40
    descriptors = bench.get(0, 0x20, 128, 128)
    assert descriptors[:8] == bytes([0x00, 4, 0x01, 4, 0x02, 4, 0x03, 4])  # set 0, lanes 1-4, laser temp.
    assert descriptors[8:12] == bytes([0x10, 5, 0x11, 5])  # set 1, SNR of the media side
    assert [descriptors[2 * index + 1] for index in (8, 12, 16, 20, 24)] == [7, 9, 11, 13, 15]
    assert descriptors[56:64] == bytes([0x4F, 17, 0x4F, 19, 0x4F, 21, 0x4F, 23])  # set 4, no lane
    assert descriptors[64:] == bytes(64)
    thresholds = bench.get(0, 0x28, 128, 128)
    assert thresholds[:8] == (95 * 256).to_bytes(2) + bytes([0xF1, 0x00]) + (90 * 256).to_bytes(2) + b"\xf6\0"
    assert [f16_to_float(int.from_bytes(thresholds[start : start + 2])) for start in (24, 26, 28, 30)] == [
        2.4e-4,
        0.0,
        1e-5,
        0.0,
    ]
    assert bench.get(0, 0x2D, 128, 128) == b"\xff" * 128
    assert bench.get(0, 0x2F, 128, 3) == bytes([0, *(10_000).to_bytes(2)])  # one group, 1 s


@pytest.mark.parametrize("page", [0x20, 0x24, 0x2C, 0x2F])
def test_a_module_may_have_no_vdm(make_bench: Callable[..., ModuleBench], page: int) -> None:
    bench = make_bench(_with(supported=False))
    bench.activate()
    assert not bench.get(0, 0x01, 142, 1)[0] & 0x40
    bench.bus.write(0x50, bytes([126, 0, page]))
    bench.world.advance(0.02)
    assert bench.bus.write_read(0x50, bytes([127]), 1) == b"\0"


def test_only_the_groups_in_use_have_pages(bench: ModuleBench) -> None:
    bench.power_on()
    for page in (0x21, 0x25, 0x29, 0x2E):
        bench.bus.write(0x50, bytes([126, 0, page]))
        bench.world.advance(0.02)
        assert bench.bus.write_read(0x50, bytes([127]), 1) == b"\0"


def test_what_is_not_in_use_shows_nothing_and_flags_nothing(bench: ModuleBench) -> None:
    bench.power_on()
    bench.world.advance(3.0)
    assert bench.get(0, 0x24, 136, 120) == bytes(120)
    assert _word(bench, TEMPERATURE) / 256 == pytest.approx(30.0, abs=1.6)  # case 25 C, 5 C below the laser
    assert _flags(bench) == [0] * 32


def test_laser_temperature_is_signed(bench: ModuleBench) -> None:
    bench.surroundings.case_c = -15.0
    bench.power_on()
    bench.world.advance(2.0)
    word = _word(bench, TEMPERATURE + 3)
    assert (word - 0x10000) / 256 == pytest.approx(-10.0, abs=1.6)


def test_quality_follows_the_light(active: ModuleBench) -> None:
    _light(active, 0.0, -4.5, -7.5, -40.0)
    active.world.advance(1.1)
    for first, spread in ((SNR, 0.6), (LTP, 0.6)):
        shown = [_word(active, first + lane) / 256 for lane in range(4)]
        assert shown[0] > shown[1] > shown[2] + spread > shown[2] > 0.0
        assert shown[3] == 0.0
    assert _word(active, LTP) == 0xFFFF  # no sample midway between the levels
    ratios = _ratios(active, BER_NOW)
    assert ratios[0] < ratios[1] < 1e-4 < ratios[2] < ratios[3] == 0.5


def test_samples_stay_for_an_update_period(active: ModuleBench) -> None:
    before = active.get(0, 0x24, 128, 128)
    _light(active, -7.5, -7.5, -7.5, -7.5)
    active.world.advance(0.8)
    assert active.get(0, 0x24, 128, 128) == before
    active.world.advance(0.25)
    assert active.get(0, 0x24, 128, 128) != before


def test_statistics_cover_the_interval_since_the_last_freeze(active: ModuleBench) -> None:
    active.world.advance(0.05)
    _freeze(active)
    active.put(0, 0x2F, 144, b"\0")
    _light(active, -7.5, -4.5, -4.5, -4.5)
    active.world.advance(2.0)
    _light(active, -6.0, -4.5, -4.5, -4.5)
    active.world.advance(2.0)
    lowest, highest = _ratios(active, BER_MIN)[0], _ratios(active, BER_MAX)[0]
    average, now = _ratios(active, BER_AVERAGE)[0], _ratios(active, BER_NOW)[0]
    assert lowest * 10 < highest
    assert average == pytest.approx((lowest + highest) / 2, rel=0.05)
    assert now == pytest.approx(lowest, rel=0.01)
    _freeze(active)
    active.put(0, 0x2F, 144, b"\0")
    active.world.advance(1.1)
    assert _ratios(active, BER_MAX)[0] == pytest.approx(lowest, rel=0.01)  # a new interval


def test_freeze_is_done_within_10_ms_and_holds_only_the_statistics(active: ModuleBench) -> None:
    assert active.get(0, 0x2F, 145, 1) == b"\0"
    assert 0.001 < _freeze(active) <= 0.010
    assert active.get(0, 0x2F, 145, 1) == b"\x80"
    frozen = [_ratios(active, first) for first in (BER_MIN, BER_MAX, BER_AVERAGE)]
    now = _ratios(active, BER_NOW)
    _light(active, -7.5, -7.5, -7.5, -7.5)
    active.world.advance(3.0)
    assert [_ratios(active, first) for first in (BER_MIN, BER_MAX, BER_AVERAGE)] == frozen
    assert _ratios(active, BER_NOW) != now
    active.put(0, 0x2F, 144, b"\0")
    assert active.get(0, 0x2F, 145, 1) == b"\0"
    active.world.advance(0.010)
    assert active.get(0, 0x2F, 145, 1) == b"\x40"
    assert _ratios(active, BER_MAX)[0] > 100 * frozen[1][0]
    active.put(0, 0x2F, 144, b"\x80")
    assert active.get(0, 0x2F, 145, 1) == b"\0"  # neither, until it is done


def test_the_interval_of_the_next_statistics_begins_with_the_freeze(active: ModuleBench) -> None:
    _freeze(active)
    _light(active, -7.5, -7.5, -7.5, -7.5)
    active.world.advance(2.0)  # while frozen
    _light(active, -4.5, -4.5, -4.5, -4.5)
    active.put(0, 0x2F, 144, b"\0")
    active.world.advance(2.0)
    assert _ratios(active, BER_MAX)[0] > 100 * _ratios(active, BER_NOW)[0]


def test_power_saving_is_kept_beside_the_freeze_request(active: ModuleBench) -> None:
    active.put(0, 0x2F, 144, b"\x40")
    assert active.get(0, 0x2F, 145, 1) == b"\0"
    active.put(0, 0x2F, 144, b"\xc0")
    active.world.advance(0.01)
    assert active.get(0, 0x2F, 144, 2) == b"\xc0\x80"


def test_a_module_without_statistics_does_not_answer_to_freeze(
    make_bench: Callable[..., ModuleBench],
) -> None:
    bench = make_bench(_with(observables=("media_snr", "media_prefec_ber_current")))
    bench.activate()
    bench.put(0, 0x2F, 144, b"\x80")
    bench.world.advance(1.0)
    assert bench.get(0, 0x2F, 144, 2) == b"\x80\0"
    assert bench.get(0, 0x20, 128, 4) == bytes([0x10, 5, 0x11, 5])


def test_thresholds_raise_flags_with_the_next_sample_and_keep_them(active: ModuleBench) -> None:
    active.world.advance(0.05)
    _flags(active)
    assert _flags(active) == [0] * 32
    _light(active, -4.5, -9.0, -4.5, -4.5)
    active.world.advance(0.5)
    assert _flags(active) == [0] * 32
    active.world.advance(0.6)
    _light(active, -4.5, -4.5, -4.5, -4.5)
    active.world.advance(3.0)
    assert active.read("FlagSummaryVDMBank0") == 1
    flags = _flags(active)
    assert flags[BER_NOW : BER_NOW + 4] == [0, HIGH_ALARM | HIGH_WARNING, 0, 0]
    assert flags[SNR : SNR + 4] == [0, LOW_ALARM | LOW_WARNING, 0, 0]
    assert flags[FERC_MIN + 3] == HIGH_ALARM | HIGH_WARNING
    assert flags[TEMPERATURE : TEMPERATURE + 4] == [0] * 4
    again = _flags(active)
    assert again[BER_NOW + 1] == again[SNR + 1] == 0  # the condition is over
    assert again[BER_MAX + 1] == HIGH_ALARM | HIGH_WARNING  # the interval's maximum is not


def test_flags_come_back_while_the_condition_lasts(active: ModuleBench) -> None:
    active.surroundings.case_c = 95.0
    active.world.advance(1.1)
    for _ in range(3):
        assert _flags(active)[TEMPERATURE : TEMPERATURE + 4] == [HIGH_ALARM | HIGH_WARNING] * 4


def test_masks_hold_back_the_interrupt_until_they_are_lifted(active: ModuleBench) -> None:
    def clear() -> None:
        active.get(0, 0x00, 8, 4)
        active.get(0, 0x11, 134, 20)

    _light(active, -7.0, -4.5, -4.5, -4.5)  # nothing that page 11h complains about for long
    active.write("OpticalPowerLowAlarmMaskRx", 0xFF)
    active.write("OpticalPowerLowWarningMaskRx", 0xFF)
    active.world.advance(1.1)
    clear()
    assert active.read("FlagSummaryVDMBank0") == 1
    assert not active.host.pins.interrupt_asserted()
    active.put(0, 0x2D, 128 + BER_NOW // 2, b"\xf0")
    assert active.host.pins.interrupt_asserted()


def test_frame_errors_appear_where_the_code_s_strength_ends(active: ModuleBench) -> None:
    _light(active, -4.5, -4.5, -4.5, -4.5)
    active.world.advance(1.1)
    assert f16_to_float(_word(active, FERC_MIN + 3)) == 0.0
    _light(active, -8.6, -8.6, -8.6, -8.6)
    active.world.advance(1.1)
    assert 1e-4 < f16_to_float(_word(active, FERC_MIN + 3)) < 0.9


class _PatternOnLane2:
    def rx_signal(self, lane: int) -> LineSignal | None:
        return LineSignal((Pattern(0),)) if lane == 2 else LineSignal()

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return LineSignal()


def test_a_lane_without_framed_traffic_is_no_good_lane(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(line=_PatternOnLane2())
    bench.activate()
    bench.world.advance(2.0)
    assert _ratios(bench, BER_NOW)[1] == _ratios(bench, BER_MIN)[1] == 0.5
    assert max(_ratios(bench, BER_NOW)[::2]) < 1e-4
    assert f16_to_float(_word(bench, FERC_MIN + 3)) == 1.0
    assert _word(bench, SNR + 1) / 256 > 18.0  # the light itself is good


def _shown(bench: ModuleBench, looks: int) -> bytes:
    _light(bench, -4.5, -6.0, -8.0, -7.5)
    bench.activate()
    bench.world.advance_to(30_000_000_000)
    for _ in range(looks):
        bench.get(0, 0x24, 128, 128)
        bench.get(0, 0x2C, 128, 128)
        bench.host.pins.interrupt_asserted()
        bench.world.advance(0.07)
    bench.world.advance_to(40_050_000_000)
    return bench.get(0, 0x24, 128, 128)


def test_the_same_seed_shows_the_same_whoever_looks(make_bench: Callable[..., ModuleBench]) -> None:
    shown = _shown(make_bench(seed=3), looks=0)
    assert _shown(make_bench(seed=3), looks=60) == shown
    assert _shown(make_bench(seed=4), looks=0) != shown


def test_a_reset_ends_a_freeze(active: ModuleBench) -> None:
    active.put(0, 0x2F, 144, b"\x80")
    active.host.pins.set_reset(asserted=True)
    active.world.advance(0.1)
    active.host.pins.set_reset(asserted=False)
    active.world.advance(20.0)
    assert active.get(0, 0x2F, 144, 2) == b"\0\0"


def test_defaults_are_those_of_the_good_module() -> None:
    assert load_profile("good-dr4").vdm == VdmProfile()
