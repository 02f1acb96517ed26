"""The receivers of a module: how a specimen differs, what its checkers count, its lock and loss of light."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.units import w_from_dbm
from harness.signal.error_ratio import ber_of_q
from harness.signal.statistics import binomial_interval
from harness.simulation.light.beam import STEADY, Beam, Modulation, even_levels
from harness.simulation.light.reception import receive
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import Receivers, draw_receivers
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern

if TYPE_CHECKING:
    from conftest import ModuleBench

GOOD = load_profile("good-dr4")
MIDDLE = draw_receivers(GOOD.receiver, 4, lambda *_: 0.5)
LIGHT = Modulation(even_levels(5.0))
THERMAL_W = 14.4e-6
BIT_RATE = 106.25e9


def _changed(**receiver: object) -> Profile:
    return dataclasses.replace(GOOD, receiver=dataclasses.replace(GOOD.receiver, **receiver))


IDEAL = _changed(
    thermal_noise_uw=(1e6 * THERMAL_W,) * 4,
    thermal_noise_spread_db=0.0,
    responsivity_a_per_w=100.0,
    bandwidth_ghz=10_000.0,
    implementation_noise=0.0001,
    jitter_ps=0.0,
    overload_dbm=(40.0,) * 4,
    crosstalk_db=(200.0,) * 4,
)


class _Prbs:
    """Light with the pattern of the media side's checker."""

    def rx_signal(self, lane: int) -> LineSignal | None:
        return LineSignal((Pattern(0),))

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return TRAFFIC


def _counters(bench: ModuleBench) -> list[tuple[int, int]]:
    """(errors, bits) of four lanes, after the selector was set."""
    raw = bench.get(0, 0x14, 192, 64)
    numbers = [int.from_bytes(raw[start : start + 8], "little") for start in range(0, 64, 8)]
    return [(errors, bits & ~1) for errors, bits in zip(numbers[::2], numbers[1::2], strict=True)]


def _oma_dbm_of(q: float) -> float:
    return 10.0 * math.log10(6.0 * q * THERMAL_W / 1e-3)


def _ideal(make_bench: Callable[..., ModuleBench], q_of_lanes: tuple[float, ...]) -> ModuleBench:
    """A bench whose lanes get so much light that an ideal receiver has these q factors, counting."""
    bench = make_bench(IDEAL, line=_Prbs())
    ratio = LIGHT.oma_ratio
    bench.surroundings.rx_w = [w_from_dbm(_oma_dbm_of(q)) / ratio for q in q_of_lanes]
    bench.activate()
    bench.world.advance(0.3)
    bench.write("DiagnosticsSelector", 0x04)
    bench.write("MediaSideCheckerEnable", 0x0F)
    return bench


def test_a_waterfall_by_the_module_s_own_checker_lies_on_the_closed_form(
    make_bench: Callable[..., ModuleBench],
) -> None:
    # Eight points of 3 s each, 1e-3 to 4e-9.
    for q_of_lanes in ((3.0, 3.414, 3.8, 4.2), (4.6, 5.0, 5.4, 5.7)):
        bench = _ideal(make_bench, q_of_lanes)
        bench.world.advance(3.05)
        for q, (errors, bits) in zip(q_of_lanes, _counters(bench), strict=True):
            interval = binomial_interval(errors, bits, 0.9999)
            # Shot noise and converters are not quite nothing: 0.02 % of q.
            assert interval.high > ber_of_q(q * 1.0002)
            assert interval.low < ber_of_q(q * 0.9998)


def test_counted_errors_pass_a_chi_squared_test(make_bench: Callable[..., ModuleBench]) -> None:
    bench = _ideal(make_bench, (5.5, 5.6, 5.7, 5.8))
    receivers = draw_receivers(IDEAL.receiver, 4, lambda *_: 0.5)
    expected = [
        receive(bench.surroundings.rx_light(lane), receivers[lane - 1].parameters).ber for lane in range(1, 5)
    ]
    start = bench.world.now_ns // 10**8 + 1
    bench.world.advance_to(start * 10**8 + 5 * 10**7)
    before = _counters(bench)
    chi2, slices = [0.0] * 4, 500
    for index in range(1, slices + 1):
        bench.world.advance_to((start + index) * 10**8 + 5 * 10**7)
        now = _counters(bench)
        for lane, ((errors, bits), (errors_before, bits_before)) in enumerate(zip(now, before, strict=True)):
            mean = expected[lane] * (bits - bits_before)
            chi2[lane] += (errors - errors_before - mean) ** 2 / mean
        before = now
    # 500 degrees of freedom: 1 in 1e4 is beyond 3.9 standard deviations of sqrt(1000).
    assert all(abs(value - slices) < 4.0 * math.sqrt(2.0 * slices) for value in chi2), chi2


# -- specimen ------------------------------------------------------------------------------------------


def test_the_spread_moves_the_noise_and_nothing_else() -> None:
    noisier = draw_receivers(GOOD.receiver, 1, lambda key, lane: 1.0 if "noise" in key else 0.5)[0]
    spread_db = GOOD.receiver.thermal_noise_spread_db
    assert noisier.parameters.thermal_noise_w == pytest.approx(7.6e-6 * 10 ** (spread_db / 10))
    assert (
        dataclasses.replace(noisier.parameters, thermal_noise_w=MIDDLE[0].parameters.thermal_noise_w)
        == MIDDLE[0].parameters
    )


@pytest.mark.parametrize("name", ["good-dr4", "good-fr4", "good-lr4"])
def test_good_receivers_meet_their_standard_with_margin(name: str) -> None:
    profile = load_profile(name)
    limit_dbm = {"good-dr4": -4.4, "good-fr4": -4.6, "good-lr4": -6.1}[name]
    for lane in draw_receivers(profile.receiver, 4, lambda *_: 1.0):  # the noisiest there is
        modulation = dataclasses.replace(LIGHT, bandwidth_hz=34e9, rin_db_hz=-150.0)
        beam = Beam("tx", w_from_dbm(limit_dbm - 0.5) / modulation.oma_ratio, 1311.0, TRAFFIC, modulation)
        assert receive((beam,), lane.parameters).ber < 2.4e-4
        assert receive((dataclasses.replace(beam, power_w=1e-3),), lane.parameters).ber < 1e-9


# -- loss of light and of lock -------------------------------------------------------------------------


class _Light:
    """Light on every fibre, as a test sets it."""

    def __init__(self) -> None:
        self.beams: tuple[Beam, ...] = (Beam("tx", 1e-3, 1311.0, TRAFFIC, LIGHT),)

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        return self.beams

    def vcc_v(self) -> float:
        return 3.3

    def case_temp_c(self) -> float:
        return 25.0

    def set(self, power_dbm: float, **changes: object) -> None:
        beam = Beam("tx", w_from_dbm(power_dbm), 1311.0, TRAFFIC, LIGHT)
        self.beams = (dataclasses.replace(beam, **changes),)


def _receivers(light: _Light, profile: Profile = GOOD) -> Receivers:
    drawn = draw_receivers(profile.receiver, 4, lambda *_: 0.5)
    return Receivers(drawn, ReceivedLight(profile, light))


def test_lock_is_lost_with_errors_and_comes_back_only_below_fewer() -> None:
    light = _Light()
    receivers = _receivers(light)

    def locked_at(power_dbm: float) -> bool:
        light.set(power_dbm)
        receivers.look()
        return receivers.locked(1)

    down = [power for power in range(-800, -1100, -5) if locked_at(power / 100.0)]
    up = [power for power in range(-1100, -800, 5) if locked_at(power / 100.0)]
    lost_dbm, found_dbm = min(down) / 100.0, min(up) / 100.0
    light.set(lost_dbm)
    assert receivers.reception(1).ber == pytest.approx(0.02, rel=0.1)
    light.set(found_dbm)
    assert receivers.reception(1).ber == pytest.approx(0.015, rel=0.1)
    assert 0.1 < found_dbm - lost_dbm < 0.6
    assert not receivers.dark(1)


def test_lock_is_lost_with_the_symbol_rate_and_without_symbols() -> None:
    light = _Light()
    receivers = _receivers(light)
    for ppm, locked in ((0.0, True), (115.0, True), (125.0, False), (110.0, False), (100.0, True)):
        light.set(0.0, modulation=dataclasses.replace(LIGHT, symbol_rate_bd=53.125e9 * (1 + ppm * 1e-6)))
        receivers.look()
        assert receivers.locked(1) == locked, ppm
    light.set(0.0, signal=None)
    receivers.look()
    assert not receivers.locked(1)
    light.set(0.0, modulation=STEADY)
    receivers.look()
    assert not receivers.locked(1)
    assert not receivers.dark(1)


@pytest.mark.parametrize(
    ("measures", "shift_db"), [("average", 0.0), ("oma", -10 * math.log10(LIGHT.oma_ratio))]
)
def test_loss_of_signal_goes_by_average_or_by_oma(measures: str, shift_db: float) -> None:
    profile = _changed(los_measures=measures, power_measures=measures)
    light = _Light()
    receivers = _receivers(light, profile)
    for power_dbm, dark in ((-12.9, False), (-13.1, True), (-11.6, True), (-11.4, False)):
        light.set(power_dbm + shift_db)
        monitored_w = receivers.look()
        assert receivers.dark(1) == dark
        assert monitored_w[0] == pytest.approx(w_from_dbm(power_dbm))
    light.set(0.0, modulation=STEADY)
    receivers.look()
    assert receivers.dark(1) == (measures == "oma")  # steady light has power, but no OMA


@pytest.mark.parametrize(("measures", "bits"), [("average", 0b11), ("oma", 0b00)])
def test_the_module_says_what_it_measures(
    make_bench: Callable[..., ModuleBench], measures: str, bits: int
) -> None:
    bench = make_bench(_changed(los_measures=measures, power_measures=measures))
    bench.power_on()
    assert bench.get(0, 0x01, 151, 1)[0] >> 3 & 0b11 == bits


def test_light_too_weak_for_a_lock_is_flagged_and_takes_the_output_down(bench: ModuleBench) -> None:
    bench.surroundings.rx_w[0] = w_from_dbm(-11.0)
    bench.activate()
    bench.world.advance(0.3)
    bench.get(0, 0x11, 134, 20)
    assert bench.read("CDRLOLFlagRx")[:4] == (True, False, False, False)
    assert bench.read("LOSFlagRx")[:4] == (False,) * 4
    assert bench.read("OutputStatusRx") == (False, False) + (True,) * 6
    carried = bench.module.host_output_signal(1)
    assert carried is not None
    assert carried.ber == 0.5


def test_quality_is_worked_out_once_for_the_same_light() -> None:
    light = _Light()
    receivers = _receivers(light)
    receivers.look()
    assert receivers.reception(2) is receivers.reception(2)
    light.set(-5.0)
    # Of light that is rounded to 1e-4 of its power and its levels.
    assert receivers.reception(2).oma_w == pytest.approx(w_from_dbm(-5.0) * LIGHT.oma_ratio, rel=2e-4)
