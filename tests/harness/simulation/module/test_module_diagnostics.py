"""Pages 13h and 14h of the simulated module: generators, checkers, loopbacks, counters, gates, selectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.units import w_from_dbm
from harness.simulation.light.reception import ReceiverParameters, receive
from harness.simulation.module.lanes.receiver import draw_receivers
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.diagnostics import DiagnosticsProfile
from harness.simulation.signals import UNKNOWN, LineSignal, Pattern

if TYPE_CHECKING:
    from conftest import ModuleBench

MEDIA_RATE = 106.25e9
PRBS31Q, PRBS13Q, PRBS7Q, SSPRQ, USER = 0, 6, 10, 12, 15
ALL_MEDIA = 0x0F


def _with(**changes: object) -> Profile:
    good = load_profile("good-dr4")
    return dataclasses.replace(good, diagnostics=dataclasses.replace(good.diagnostics, **changes))


def _select(bench: ModuleBench, selector: int) -> None:
    bench.write("DiagnosticsSelector", selector)
    bench.world.advance(0.02)


def _patterns(code: int) -> tuple[int, ...]:
    return (code,) * 8


def _loop_own_generator(bench: ModuleBench, lanes: int = ALL_MEDIA, code: int = PRBS31Q) -> None:
    """Media-side generator, back to the checker inside the module: an electrical loopback."""
    bench.write("MediaSideGeneratorPatternSelect", _patterns(code))
    bench.write("MediaSideCheckerPatternSelect", _patterns(code))
    bench.write("MediaSideOutputLoopbackEnable", lanes)
    bench.write("MediaSideGeneratorEnable", lanes)


def _counters(bench: ModuleBench, selector: int = 0x04) -> list[tuple[int, int, int]]:
    """(errors, bits, lost) of four lanes."""
    _select(bench, selector)
    raw = bench.get(0, 0x14, 192, 64)
    numbers = [int.from_bytes(raw[start : start + 8], "little") for start in range(0, 64, 8)]
    return [(errors, bits & ~1, bits & 1) for errors, bits in zip(numbers[::2], numbers[1::2], strict=True)]


class Line:
    """What a test lets the light and the host carry."""

    def __init__(self) -> None:
        self.light: LineSignal | None = LineSignal((Pattern(PRBS31Q),))
        self.host: dict[int, LineSignal | None] = {}

    def rx_signal(self, lane: int) -> LineSignal | None:
        return self.light

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return self.host.get(host_lane, LineSignal())


@pytest.fixture
def lit(make_bench: Callable[..., ModuleBench]) -> tuple[ModuleBench, Line]:
    """A module in operation that receives PRBS31Q on every lane."""
    line = Line()
    bench = make_bench(line=line)
    bench.activate()
    bench.world.advance(0.2)
    return bench, line


def test_page_13h_says_what_the_profile_can(bench: ModuleBench) -> None:
    bench.power_on()
    assert bench.get(0, 0x01, 142, 1)[0] & 0x20
    assert bench.get(0, 0x13, 128, 3) == bytes([0x7F, 0b01111100, 0b00100011])
    # PRBS 31Q, 23Q, 15Q, 13Q, 9Q, 7Q; towards the fibre also SSPRQ and the user's: little-endian bit maps
    assert bench.get(0, 0x13, 132, 8) == bytes([0x55, 0x05, 0x55, 0x95, 0x55, 0x05, 0x55, 0x85])


def test_a_module_may_have_no_diagnostics(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(_with(supported=False))
    bench.activate()
    assert not bench.get(0, 0x01, 142, 1)[0] & 0x20
    bench.bus.write(0x50, bytes([126, 0, 0x13]))
    bench.world.advance(0.02)
    assert bench.bus.write_read(0x50, bytes([127]), 1) == b"\0"


def test_a_checker_finds_its_own_generator_and_counts_at_the_line_rate(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    started_s = bench.world.now_s
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    bench.world.advance(2.0)
    counted = _counters(bench)
    elapsed_s = bench.world.now_s - started_s
    for errors, bits, lost in counted:
        assert (errors, lost) == (0, 0)
        assert elapsed_s - 0.15 < bits / MEDIA_RATE <= elapsed_s
    assert bench.read("PatternCheckerLOLFlagMedia") == (False,) * 8
    _select(bench, 0x01)
    assert bench.get(0, 0x14, 192, 64) == bytes(64)


@pytest.mark.parametrize(
    ("register", "value"),
    [
        ("MediaSideGeneratorPatternSelect", _patterns(PRBS7Q)),
        ("MediaSideGeneratorDataInvert", 0x0F),
        ("MediaSideCheckerDataInvert", 0x0F),
        ("MediaSideGeneratorByteSwap", 0x0F),
        ("MediaSideGeneratorEnable", 0),  # traffic instead
        ("MediaSideOutputLoopbackEnable", 0),  # the light carries traffic
    ],
)
def test_a_checker_finds_nothing_but_its_own_pattern(
    bench: ModuleBench, register: str, value: object
) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write(register, value)
    bench.write("MediaSideCheckerEnable", 0b0101)
    bench.world.advance(1.0)
    assert _counters(bench)[0] == _counters(bench)[2] == (0, 0, 1)
    assert _counters(bench)[1] == (0, 0, 0)  # not enabled
    _select(bench, 0x01)
    ratios = bench.read("BitErrorRatioMedia")
    assert ratios == (0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)  # never error free
    assert bench.read("PatternCheckerLOLFlagMedia") == (True, False, True) + (False,) * 5


def test_inverting_both_ends_is_the_same_pattern(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MediaSideGeneratorDataInvert", 0x0F)
    bench.write("MediaSideCheckerDataInvert", 0x0F)
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    bench.world.advance(0.5)
    assert all(bits > 0 and not lost for _, bits, lost in _counters(bench))


def test_a_generator_without_its_pattern_or_its_data_path_has_no_lock(bench: ModuleBench) -> None:
    bench.power_on()
    bench.write("MediaSideGeneratorEnable", 0b0001)
    assert bench.read("PatternGeneratorLOLFlagMedia")[0]  # nothing is initialised
    bench.write("MediaSideGeneratorEnable", 0)
    bench.activate()
    bench.read("PatternGeneratorLOLFlagMedia")
    bench.write("MediaSideGeneratorPatternSelect", (PRBS31Q, 1, *(PRBS31Q,) * 6))  # 1: PRBS31, not PAM4
    bench.write("MediaSideGeneratorEnable", 0b0011)
    assert bench.read("PatternGeneratorLOLFlagMedia") == (False, True) + (False,) * 6
    assert bench.module.transmitted_signal(1) == LineSignal((Pattern(PRBS31Q),))
    assert bench.module.transmitted_signal(2) is None


def test_the_light_carries_what_the_generator_sends(bench: ModuleBench) -> None:
    bench.activate()
    assert bench.module.transmitted_signal(3) == LineSignal((None, None))  # traffic of two host lanes
    bench.put(0, 0x13, 224, bytes(range(8)))
    bench.write("MediaSideGeneratorPatternSelect", (SSPRQ, USER, SSPRQ, SSPRQ, 0, 0, 0, 0))
    bench.write("MediaSideGeneratorEnable", 0b0110)
    assert bench.module.transmitted_signal(2).streams[0].user[:8] == bytes(range(8))
    assert bench.module.transmitted_signal(3) == LineSignal((Pattern(SSPRQ),))
    assert bench.module.transmitted_signal(4) == LineSignal((None, None))
    bench.write("OutputDisableTx", 0b0100)
    bench.world.advance(0.2)
    assert bench.module.transmitted_signal(3) is None


def test_a_host_pattern_crosses_the_module_but_is_no_pattern_of_the_fibre(
    lit: tuple[ModuleBench, Line],
) -> None:
    bench, line = lit
    line.host = {1: LineSignal((Pattern(PRBS31Q),)), 2: LineSignal((Pattern(PRBS13Q),))}
    sent = bench.module.transmitted_signal(1)
    assert sent == LineSignal((Pattern(PRBS31Q), Pattern(PRBS13Q)))
    assert not sent.carries(Pattern(PRBS31Q))
    line.light = sent  # a fibre from transmitter to receiver
    assert bench.module.host_output_signal(2).streams == (Pattern(PRBS13Q),)
    assert bench.module.host_output_signal(2).ber > 0.0  # the receiver's errors
    line.light = LineSignal((Pattern(PRBS31Q),))  # made at the fibre's rate: halves of it are nothing
    assert bench.module.host_output_signal(2).streams == (UNKNOWN,)


def test_the_media_side_input_loopback_sends_back_what_the_light_brought(
    lit: tuple[ModuleBench, Line],
) -> None:
    bench, line = lit
    assert not bench.module.transmitted_signal(1).carries(Pattern(PRBS31Q))
    bench.write("MediaSideInputLoopbackEnable", 0b0001)
    assert bench.module.transmitted_signal(1).carries(Pattern(PRBS31Q))
    assert bench.module.transmitted_signal(1).ber > 0.0
    assert not bench.module.transmitted_signal(2).carries(Pattern(PRBS31Q))
    bench.surroundings.rx_w[0] = 0.0
    bench.world.advance(0.2)
    assert bench.module.transmitted_signal(1) is None
    line.light = None


def test_the_host_side_s_loopbacks_feed_its_own_checker(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    line.host = {3: LineSignal((Pattern(PRBS13Q),))}
    bench.write("HostSideInputLoopbackEnable", 0b100)
    assert bench.module.host_output_signal(3) == LineSignal((Pattern(PRBS13Q),))
    bench.write("HostSideInputLoopbackEnable", 0)
    bench.write("HostSideGeneratorEnable", 0xFF)
    bench.write("HostSideOutputLoopbackEnable", 0xFF)
    bench.write("HostSideCheckerEnable", 0xFF)
    bench.world.advance(1.0)
    for selector in (0x02, 0x03):
        for errors, bits, lost in _counters(bench, selector):
            assert (errors, lost) == (0, 0)
            assert bits / (MEDIA_RATE / 2) == pytest.approx(1.0, abs=0.15)


class _OwnFibre(Line):
    """A fibre from each transmitter back to the receiver beside it."""

    bench: ModuleBench

    def rx_signal(self, lane: int) -> LineSignal | None:
        return self.bench.module.transmitted_signal(lane)


def test_a_checker_finds_its_own_light_behind_a_fibre_with_the_receiver_s_errors(
    make_bench: Callable[..., ModuleBench],
) -> None:
    line = _OwnFibre()
    line.bench = bench = make_bench(line=line)
    bench.surroundings.rx_w = [w_from_dbm(-7.0)] * 4
    bench.activate()
    bench.write("MediaSideGeneratorEnable", 0b0111)
    bench.world.advance(0.2)  # until the receivers have found the light's symbols
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    bench.world.advance(1.0)
    counted = _counters(bench)
    assert all(1e-6 < errors / bits < 1e-3 and not lost for errors, bits, lost in counted[:3])
    assert counted[3] == (0, 0, 1)  # traffic
    bench.write("MediaSideGeneratorEnable", 0)
    bench.write("MediaSideInputLoopbackEnable", 0b0001)  # light that nobody feeds with bits
    assert bench.module.transmitted_signal(1) is None
    bench.write("MediaSideInputLoopbackEnable", 0)
    bench.write("HostSideOutputLoopbackEnable", 0xFF)
    assert bench.module.host_output_signal(1) is None


def test_loopbacks_in_a_ring_carry_nothing(bench: ModuleBench) -> None:
    bench.activate()
    bench.write("MediaSideOutputLoopbackEnable", 0x0F)
    bench.write("HostSideOutputLoopbackEnable", 0xFF)
    assert bench.module.transmitted_signal(1) is None
    assert bench.module.host_output_signal(1) is None


def test_the_host_has_a_signal_in_the_dark_when_it_comes_from_inside(bench: ModuleBench) -> None:
    bench.activate()
    bench.surroundings.rx_w = [0.0] * 4
    bench.world.advance(0.2)
    assert bench.read("OutputStatusRx") == (False,) * 8
    bench.write("MediaSideOutputLoopbackEnable", 0b0001)
    assert bench.read("OutputStatusRx") == (True, True) + (False,) * 6


def test_loopbacks_that_a_module_does_not_have_are_not_taken(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(_with(loopbacks=("media_output", "host_output"), simultaneous_loopbacks=False))
    bench.activate()
    assert bench.get(0, 0x13, 128, 1)[0] == 0b00110101
    bench.write("MediaSideInputLoopbackEnable", 0x0F)
    assert bench.read("MediaSideInputLoopbackEnable") == (False,) * 8
    bench.write("MediaSideOutputLoopbackEnable", 0x01)
    bench.write("HostSideOutputLoopbackEnable", 0xFF)
    assert bench.read("HostSideOutputLoopbackEnable") == (False,) * 8
    assert bench.read("MediaSideOutputLoopbackEnable")[0]


def _sensitivity_dbm(bench: ModuleBench, parameters: ReceiverParameters) -> float:
    """Average power of the surroundings' light at which 2.4e-4 of the bits are wrong."""
    (beam,) = bench.surroundings.rx_light(1)
    low_dbm, high_dbm = -12.0, 0.0
    while high_dbm - low_dbm > 1e-4:
        middle_dbm = 0.5 * (low_dbm + high_dbm)
        light = dataclasses.replace(beam, power_w=w_from_dbm(middle_dbm))
        if receive((light,), parameters).ber > 2.4e-4:
            low_dbm = middle_dbm
        else:
            high_dbm = middle_dbm
    return high_dbm


def test_errors_follow_the_light_and_are_those_of_a_known_ratio(lit: tuple[ModuleBench, Line]) -> None:
    bench, _ = lit
    profile = bench.module.profile.receiver
    nominal = draw_receivers(profile, 1, lambda *_: 0.5)[0].parameters
    sensitivity_dbm = _sensitivity_dbm(bench, nominal)
    spread_db = profile.thermal_noise_spread_db
    levels_dbm = [sensitivity_dbm + offset for offset in (spread_db + 0.01, 0.0, -spread_db - 0.01)]
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    ratios = []
    for power_dbm in (0.0, -3.0, *levels_dbm):
        bench.surroundings.rx_w = [w_from_dbm(power_dbm)] * 4
        bench.world.advance(0.2)
        bench.write("ResetErrorInformation", 1)
        bench.write("ResetErrorInformation", 0)
        bench.world.advance(1.0)
        _select(bench, 0x01)
        ratios.append(bench.read("BitErrorRatioMedia")[:4])
    for lane in range(4):
        of_lane = [row[lane] for row in ratios]
        assert of_lane == sorted(of_lane)
        assert of_lane[0] < of_lane[1] < of_lane[2]
        # 2.4e-4 at the sensitivity of this specimen's lane, which is within its spread
        assert of_lane[2] < 2.4e-4 < of_lane[4]
    assert len(set(ratios[3])) == 4


def test_snr_follows_the_light_little_endian(lit: tuple[ModuleBench, Line]) -> None:
    bench, _ = lit
    bench.surroundings.rx_w = [w_from_dbm(power_dbm) for power_dbm in (0.0, -5.0, -7.5, -30.0)]
    bench.world.advance(0.2)
    _select(bench, 0x06)
    shown = bench.read("SNRMedia")
    assert shown[0] > shown[1] > shown[2] > 12.0
    assert shown[3:] == (0.0,) * 5
    raw = bench.get(0, 0x14, 240, 2)
    assert (raw[0] | raw[1] << 8) / 256 == shown[0]
    assert bench.read("SNRHost") == (0.0,) * 8


def test_a_selector_s_data_come_later_and_until_then_are_those_before(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    bench.world.advance(1.0)
    _select(bench, 0x06)
    snr = bench.get(0, 0x14, 192, 64)
    assert any(snr)
    bench.bus.write(0x50, bytes([128, 0x04]))
    bench.world.advance(0.0025)
    assert bench.bus.write_read(0x50, bytes([192]), 64) == snr
    bench.world.advance(0.010)
    assert bench.bus.write_read(0x50, bytes([192]), 64) != snr


def test_a_slow_module_shows_zeros_meanwhile(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(_with(slow_selector_s=0.1))
    bench.activate()
    bench.world.advance(0.2)
    bench.write("DiagnosticsSelector", 0x06)
    bench.world.advance(0.05)
    assert bench.get(0, 0x14, 192, 64) == bytes(64)
    bench.world.advance(0.06)
    assert bench.get(0, 0x14, 192, 64) != bytes(64)


@pytest.mark.parametrize("selector", [0x05, 0x07, 0x10, 0x16, 0x80, 0xFF])
def test_an_unsupported_selector_reads_back_0(bench: ModuleBench, selector: int) -> None:
    bench.activate()
    _select(bench, selector)
    assert bench.read("DiagnosticsSelector") == 0
    assert bench.get(0, 0x14, 192, 64) == bytes(64)


def test_loss_of_lock_is_latched_comes_back_and_interrupts_unless_masked(
    lit: tuple[ModuleBench, Line],
) -> None:
    bench, line = lit
    bench.write("MediaSideCheckerEnable", 0b0001)
    bench.world.advance(0.5)
    for byte in (8, 9, 10, 11):
        bench.get(0, 0, byte, 1)
    bench.get(0, 0x11, 134, 20)
    assert bench.read("PatternCheckerLOLFlagMedia") == (False,) * 8
    assert not bench.host.pins.interrupt_asserted()
    line.light = None
    bench.world.advance(0.2)
    assert bench.host.pins.interrupt_asserted()
    assert bench.read("FlagSummaryDiagnosticsBank0") == 1
    bench.write("PatternCheckerLOLMaskMedia", 0b0001)
    bench.write("CDRLOLMaskRx", 0b1111)  # light without symbols, so that the receivers have no lock either
    bench.write("OutputStatusChangedMaskRx", 0xFF)
    assert not bench.host.pins.interrupt_asserted()
    for _ in range(2):
        assert bench.read("PatternCheckerLOLFlagMedia")[0]
    line.light = LineSignal((Pattern(PRBS31Q),))
    bench.world.advance(0.2)
    assert bench.read("PatternCheckerLOLFlagMedia")[0]  # latched by the last reading
    assert not bench.read("PatternCheckerLOLFlagMedia")[0]
    assert bench.read("FlagSummaryDiagnosticsBank0") == 0
    _, bits, lost = _counters(bench)[0]
    assert lost == 1  # until the counters are reset
    assert bits > 0
    bench.write("ResetErrorInformation", 1)
    assert _counters(bench)[0] == (0, 0, 0)


def test_the_time_without_the_pattern_is_not_counted(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    bench.world.advance_to((bench.world.now_ns // 10**8 + 1) * 10**8 + 10**7)
    bench.write("MediaSideCheckerEnable", 0b0001)
    pattern, line.light = line.light, None
    bench.world.advance_to((bench.world.now_ns // 10**8 + 1) * 10**8 - 10**7)  # before it looks again
    line.light = pattern
    bench.write("HostSideCheckerEnable", 0)  # any write makes it look
    before = _counters(bench)[0][1]
    assert before / MEDIA_RATE < 0.1
    line.light = None
    bench.world.advance(1.0)
    lost_at = _counters(bench)[0][1]
    line.light = pattern
    bench.world.advance_to((bench.world.now_ns // 10**8 + 1) * 10**8 + 10**7)  # found again just now
    assert _counters(bench)[0][1] == lost_at
    bench.world.advance(0.1)
    assert _counters(bench)[0][1] > lost_at


def test_a_gate_ends_by_itself_to_the_nanosecond(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MeasurementTime", 1)  # 5 s
    bench.write("MediaSideCheckerEnable", 0b0011)
    bench.world.advance(4.9)
    assert bench.read("GatingCompleteFlagMedia") == (False,) * 8
    assert _counters(bench, 0x14)[0] == (0, 0, 0)
    partial = _counters(bench, 0x04)[0][1]
    assert partial / MEDIA_RATE == pytest.approx(4.0, abs=0.11)  # renewed once a second
    bench.world.advance(0.2)
    assert bench.read("GatingCompleteFlagMedia") == (True, True) + (False,) * 6
    assert bench.read("GatingCompleteFlagMedia") == (False,) * 8
    exactly = round(5 * MEDIA_RATE) & ~1
    assert [bits for _, bits, _ in _counters(bench, 0x14)] == pytest.approx([exactly, exactly, 0, 0], abs=64)
    bench.world.advance(20.0)
    assert bench.read("GatingCompleteFlagMedia") == (False,) * 8
    assert _counters(bench, 0x04)[0] == _counters(bench, 0x14)[0]


def test_gates_follow_each_other_when_told_so(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.put(0, 0x13, 177, bytes([0x10 | 1 << 1 | 1]))  # restart, 5 s, partial results every 5 s
    bench.write("MediaSideCheckerEnable", 0b0001)
    for _ in range(3):
        bench.world.advance(5.0)
        assert bench.read("GatingCompleteFlagMedia")[0]
        assert _counters(bench, 0x14)[0][1] / MEDIA_RATE == pytest.approx(5.0)
    bench.write("MediaSideCheckerEnable", 0)
    bench.world.advance(10.0)
    assert not bench.read("GatingCompleteFlagMedia")[0]


def test_global_start_starts_all_anew(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MediaSideCheckerEnable", 0b0001)
    bench.world.advance(3.0)
    bench.write("StartStopIsGlobal", 1)
    bench.write("MediaSideCheckerEnable", 0b0011)
    bench.world.advance(1.0)
    first, second = _counters(bench)[:2]
    assert first == second
    assert first[1] / MEDIA_RATE < 1.2


def test_a_stopped_checker_keeps_its_result_and_starts_anew(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MediaSideCheckerEnable", 0b0001)
    bench.world.advance(2.0)
    bench.write("MediaSideCheckerEnable", 0)
    kept = _counters(bench)[0]
    assert kept[1] / MEDIA_RATE == pytest.approx(2.0, abs=0.05)
    bench.world.advance(2.0)
    assert _counters(bench)[0] == kept
    bench.write("MediaSideCheckerEnable", 0b0001)
    bench.world.advance(1.0)
    assert _counters(bench)[0][1] < kept[1]


def test_a_reset_forgets_everything(bench: ModuleBench) -> None:
    bench.activate()
    _loop_own_generator(bench)
    bench.write("MeasurementTime", 1)
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    bench.world.advance(1.0)
    bench.host.pins.set_reset(asserted=True)
    bench.world.advance(0.1)
    bench.host.pins.set_reset(asserted=False)
    bench.world.advance(20.0)
    assert bench.read("MediaSideCheckerEnable") == (False,) * 8
    assert bench.module.transmitted_signal(1) == LineSignal((None, None))
    assert bench.get(0, 0x14, 132, 8) == bytes(8)


def _counted(bench: ModuleBench, looks: int) -> list[tuple[int, int, int]]:
    bench.activate()
    bench.world.advance_to(30_000_000_000)
    bench.surroundings.rx_w = [w_from_dbm(power_dbm) for power_dbm in (-6.0, -7.0, -8.0, -9.0)]
    bench.write("DiagnosticsSelector", 0x04)
    bench.world.advance_to(31_030_000_000)
    bench.write("MediaSideCheckerEnable", ALL_MEDIA)
    for _ in range(looks):
        bench.get(0, 0x14, 192, 64)
        bench.read("FlagSummaryDiagnosticsBank0")
        bench.module.transmitted_signal(2)
        bench.world.advance(0.013)
    bench.world.advance_to(34_090_000_000)
    return _counters(bench)


def test_the_same_seed_counts_the_same_errors_whoever_looks(make_bench: Callable[..., ModuleBench]) -> None:
    counted = _counted(make_bench(seed=5, line=Line()), looks=0)
    assert all(errors > 0 for errors, _, _ in counted)
    assert _counted(make_bench(seed=5, line=Line()), looks=40) == counted
    other = _counted(make_bench(seed=6, line=Line()), looks=0)
    assert [bits for _, bits, _ in other] == [bits for _, bits, _ in counted]
    assert [errors for errors, _, _ in other] != [errors for errors, _, _ in counted]


def test_defaults_are_a_module_with_everything() -> None:
    assert load_profile("good-dr4").diagnostics == DiagnosticsProfile()
