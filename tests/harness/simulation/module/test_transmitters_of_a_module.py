"""What a module's transmitters do together: specimens within their limits, shared lasers, age, supply."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drivers.units import dbm_from_w
from harness.signal.pam4 import rlm
from harness.signal.patterns import pattern
from harness.signal.rin import rin_oma_of_laser_db_hz
from harness.signal.tdecq import tdecq
from harness.simulation.light.beam import STEADY, Beam, Modulation
from harness.simulation.light.waveform import optical_waveform
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.specimen import draws_of
from harness.simulation.world import World

if TYPE_CHECKING:
    from conftest import ModuleBench

CORNERS = tuple(itertools.product((0.0, 25.0, 70.0), (3.135, 3.3, 3.465)))
SPECIMENS = range(20)


@dataclass(frozen=True)
class TxLimits:
    """Per lane (802.3 Table 124-6; the MSA of 400G-FR4 and 400G-LR4-10)."""

    power_dbm: tuple[float, float]
    oma_dbm: tuple[float, float]
    bands_nm: tuple[tuple[float, float], ...]


CWDM_NM = ((1264.5, 1277.5), (1284.5, 1297.5), (1304.5, 1317.5), (1324.5, 1337.5))
LIMITS = {
    "good-dr4": TxLimits((-2.9, 4.0), (-0.8, 4.2), ((1304.5, 1317.5),) * 4),
    "good-fr4": TxLimits((-3.3, 3.5), (-0.3, 3.7), CWDM_NM),
    "good-lr4": TxLimits((-2.7, 5.1), (-1.1 + 1.4, 4.4), CWDM_NM),
}


def transmitters_of(profile: Profile, specimen: int = 0) -> Transmitters:
    return Transmitters(World(1), profile, draws_of(profile, specimen), name="module")


def beams_of(profile: Profile, specimens: range) -> Iterator[tuple[int, Beam]]:
    """Lane and light of all lanes of specimens at all corners."""
    for specimen in specimens:
        transmitters = transmitters_of(profile, specimen)
        for lane, (case_c, vcc_v) in itertools.product(transmitters.lanes, CORNERS):
            yield lane, beam_of(transmitters, lane, case_c, vcc_v)


def beam_of(transmitters: Transmitters, lane: int, case_c: float = 25.0, vcc_v: float = 3.3) -> Beam:
    return Beam(
        f"tx{lane}",
        transmitters.launch_power_w(lane, case_c, vcc_v),
        transmitters.wavelength_nm(lane, case_c),
        modulation=transmitters.modulation(lane, case_c, vcc_v),
    )


@pytest.mark.parametrize("name", LIMITS)
def test_good_modules_meet_every_limit_of_a_transmitter_at_all_corners(name: str) -> None:
    limits, profile = LIMITS[name], load_profile(name)
    assert profile.transmitter.off_power_dbm < -20.0
    for lane, beam in beams_of(profile, SPECIMENS):
        modulation = beam.modulation
        low_nm, high_nm = limits.bands_nm[lane - 1]
        assert limits.power_dbm[0] < dbm_from_w(beam.power_w) < limits.power_dbm[1]
        assert limits.oma_dbm[0] < dbm_from_w(beam.oma_w) < limits.oma_dbm[1]
        assert low_nm < beam.wavelength_nm < high_nm
        assert modulation.smsr_db > 30.0
        assert modulation.extinction_ratio_db > 3.5
        assert rlm(modulation.levels) >= 0.98
        rin_oma = rin_oma_of_laser_db_hz(modulation.rin_db_hz, modulation.extinction_ratio_db)
        assert rin_oma < -136.0


@pytest.mark.parametrize(("specimen", "case_c"), [(0, 70.0), (1, 0.0), (2, 25.0)])
def test_good_lanes_have_a_tdecq_of_about_1_db(specimen: int, case_c: float) -> None:
    beam = beam_of(transmitters_of(load_profile("good-dr4"), specimen), 1 + specimen, case_c)
    symbols = pattern("SSPRQ").symbols()
    waveform = optical_waveform([beam], symbols, rng=np.random.default_rng(specimen))
    found = tdecq(waveform, symbols, reference_filter_applied=False)
    assert 0.8 < found.tdecq_db < 1.6
    assert dbm_from_w(beam.oma_w) - found.tdecq_db > -2.2


def test_specimens_differ_within_the_stated_half_widths(changed: Callable[..., Profile]) -> None:
    good = changed(transmitter={"modulator_bias_error_per_c": 0.0, "launch_power_spread_db": 0.2})
    found = [transmitters_of(good, specimen) for specimen in SPECIMENS]
    of_lane_2 = [transmitters.modulation(2, 25.0, 3.3) for transmitters in found]
    for values, middle, half_width in (
        ([m.extinction_ratio_db for m in of_lane_2], 5.0, 0.2),
        ([m.bandwidth_hz * 1e-9 for m in of_lane_2], 34.0, 1.0),
        ([m.rin_db_hz for m in of_lane_2], -152.0, 1.5),
        ([m.smsr_db for m in of_lane_2], 45.0, 2.0),
    ):
        assert middle - half_width - 1e-9 <= min(values) < middle < max(values) <= middle + half_width + 1e-9
        assert len(set(values)) == len(SPECIMENS)
        assert max(values) - min(values) > half_width


def test_a_specimen_is_the_same_whoever_asks_and_in_whatever_order() -> None:
    good = load_profile("good-dr4")
    one, other = transmitters_of(good, 3), transmitters_of(good, 3)
    forwards = [one.modulation(lane, 40.0, 3.3) for lane in (1, 2, 3, 4)]
    assert forwards == [other.modulation(lane, 40.0, 3.3) for lane in (4, 3, 2, 1)][::-1]


def test_age_takes_bias_and_moves_the_modulator(changed: Callable[..., Profile]) -> None:
    def of_age(hours: float, drift: float) -> Transmitters:
        return transmitters_of(
            changed(transmitter={"age_hours": hours, "modulator_bias_error_per_khour": drift})
        )

    new, old, drifted = of_age(0.0, 0.0005), of_age(50_000.0, 0.0), of_age(50_000.0, 0.0005)
    assert old.bias_a(1, 25.0) > 1.05 * new.bias_a(1, 25.0)
    assert old.monitor_power_w(1, 25.0) == pytest.approx(new.monitor_power_w(1, 25.0))
    assert old.modulation(1, 25.0, 3.3).rin_db_hz > new.modulation(1, 25.0, 3.3).rin_db_hz
    assert rlm(drifted.modulation(1, 25.0, 3.3).levels) < rlm(new.modulation(1, 25.0, 3.3).levels) - 0.02


def test_power_and_extinction_ratio_follow_the_supply() -> None:
    transmitters = transmitters_of(load_profile("good-dr4"))
    low, high = (beam_of(transmitters, 1, 25.0, vcc_v) for vcc_v in (3.135, 3.465))
    assert dbm_from_w(high.power_w) - dbm_from_w(low.power_w) == pytest.approx(0.05 * 0.33)
    gained_db = high.modulation.extinction_ratio_db - low.modulation.extinction_ratio_db
    assert gained_db == pytest.approx(0.3 * 0.33, abs=1e-3)


def test_skew_is_counted_from_the_first_lane(changed: Callable[..., Profile]) -> None:
    skewed = transmitters_of(changed(transmitter={"skew_ps": (10.0, 10.0, 47.647, 0.0)}))
    shown = [skewed.modulation(lane, 25.0, 3.3).skew_ui for lane in (1, 2, 3, 4)]
    assert shown == pytest.approx([0.0, 0.0, 2.0, -0.53125], abs=1e-4)


class TestSharedLasers:
    @pytest.fixture
    def shared(self, changed: Callable[..., Profile]) -> Profile:
        """Two lasers for four lanes."""
        return changed(
            transmitter={
                "laser_of_lane": (1, 1, 2, 2),
                "average_launch_power_dbm": (1.0, 0.0, 1.0, 1.0),
                "launch_power_spread_db": 0.0,
                "tracking_db": (0.0, 0.0, 0.0, 0.0),
                "wander_db": 0.0,
            }
        )

    def test_the_bias_is_that_for_the_sum_and_both_lanes_show_it(self, shared: Profile) -> None:
        transmitters = transmitters_of(shared)
        junction_k_above = 5.0
        threshold_a = 0.012 * np.exp(junction_k_above / 60)
        slope = 2 * 0.03 * np.exp(-junction_k_above / 150)
        expected_a = threshold_a + (10**0.1 + 1.0) * 1e-3 / slope
        assert transmitters.bias_a(1, 25.0) == pytest.approx(expected_a)
        assert transmitters.bias_a(2, 25.0) == transmitters.bias_a(1, 25.0)
        assert transmitters.bias_a(3, 25.0) > transmitters.bias_a(1, 25.0)
        assert transmitters.total_bias_a((1, 2, 3, 4), 25.0) == pytest.approx(
            transmitters.bias_a(1, 25.0) + transmitters.bias_a(3, 25.0)
        )

    def test_each_lane_has_its_own_power(self, shared: Profile) -> None:
        transmitters = transmitters_of(shared)
        powers_dbm = [dbm_from_w(transmitters.launch_power_w(lane, 25.0, 3.3)) for lane in (1, 2, 3, 4)]
        assert powers_dbm == pytest.approx([1.0, 0.0, 1.0, 1.0])

    def test_a_droop_takes_both_lanes_by_as_much(self, shared: Profile) -> None:
        weak = dataclasses.replace(
            shared, transmitter=dataclasses.replace(shared.transmitter, t0_k=(23.0, 60.0, 60.0, 60.0))
        )
        good, bad = transmitters_of(shared), transmitters_of(weak)
        lost = [bad.launch_power_w(n, 70.0, 3.3) / good.launch_power_w(n, 70.0, 3.3) for n in (1, 2, 3, 4)]
        assert lost[0] == pytest.approx(lost[1])
        assert lost[0] < 0.5
        assert lost[2:] == pytest.approx([1.0, 1.0])

    def test_both_lanes_have_its_wavelength_and_noise(self, shared: Profile) -> None:
        transmitters = transmitters_of(shared)
        assert transmitters.wavelength_nm(1, 25.0) == transmitters.wavelength_nm(2, 25.0)
        one, two = (transmitters.modulation(lane, 25.0, 3.3) for lane in (1, 2))
        assert (one.rin_db_hz, one.smsr_db) == (two.rin_db_hz, two.smsr_db)
        assert one.extinction_ratio_db != two.extinction_ratio_db

    def test_a_lane_that_is_off_still_shows_the_bias_of_its_neighbour(
        self, shared: Profile, make_bench: Callable[..., ModuleBench]
    ) -> None:
        bench = make_bench(shared)
        bench.activate()
        bench.write("OutputDisableTx", 0b0001)
        bench.world.advance(0.3)
        assert bench.read("TxPower")[0] == 0.0 < bench.read("TxPower")[1]
        assert bench.read("TxBias")[0] > 20.0
        before_w = bench.module.consumption_w()
        bench.write("OutputDisableTx", 0b0011)
        bench.world.advance(0.3)
        assert bench.read("TxBias")[:2] == (0.0, 0.0)
        assert bench.read("TxBias")[3] > 20.0
        assert bench.module.consumption_w() < before_w - 0.1


def test_light_of_a_lane_that_is_off_or_dead_carries_nothing(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(transmitter={"laser_efficiency": (1.0, 0.0, 1.0, 1.0)}))
    bench.activate()
    bench.write("OutputDisableTx", 0b1000)
    bench.world.advance(0.3)
    lights: list[Modulation] = [bench.module.launched(port)[0].modulation for port in (1, 2, 3, 4)]
    assert [light is STEADY for light in lights] == [False, True, False, True]


class TestBiasPointOfAModulator:
    """The monitor sits behind the modulator: what that lets through, the laser's bias makes up for."""

    @pytest.mark.parametrize("error", [0.15, -0.15])
    def test_the_bias_follows_and_the_power_stays(
        self, changed: Callable[..., Profile], error: float
    ) -> None:
        good = transmitters_of(changed(transmitter={"modulator_bias_error": (0.0,) * 4}))
        moved = transmitters_of(changed(transmitter={"modulator_bias_error": (0.0, error, 0.0, 0.0)}))
        share = 0.709 / 0.5 if error > 0.0 else 0.291 / 0.5
        threshold_a = 0.012 * np.exp(5.0 / 60)  # a junction 5 C above the case
        above = (moved.bias_a(2, 25.0) - threshold_a) / (good.bias_a(2, 25.0) - threshold_a)
        assert above == pytest.approx(1.0 / share, rel=5e-3)
        assert moved.monitor_power_w(2, 25.0) == pytest.approx(good.monitor_power_w(2, 25.0))
        assert moved.launch_power_w(2, 25.0, 3.3) == pytest.approx(good.launch_power_w(2, 25.0, 3.3))
        assert moved.bias_a(1, 25.0) == good.bias_a(1, 25.0)

    def test_at_the_limit_the_power_falls(self, changed: Callable[..., Profile]) -> None:
        dim = transmitters_of(changed(transmitter={"modulator_bias_error": (0.0, -0.35, 0.0, 0.0)}))
        good = transmitters_of(changed(transmitter={}))
        assert dim.bias_a(2, 25.0) == 0.115
        assert dim.launch_power_w(2, 25.0, 3.3) < 0.6 * good.launch_power_w(2, 25.0, 3.3)
        assert dim.monitor_power_w(2, 25.0) < 0.6 * good.monitor_power_w(2, 25.0)
        assert not dim.failed(2, 25.0)

    def test_one_loop_holds_the_sum_of_two_lanes_and_each_follows_its_modulator(
        self, changed: Callable[..., Profile]
    ) -> None:
        two = {"laser_of_lane": (1, 1, 2, 2)}
        good = transmitters_of(changed(transmitter=two))
        moved = transmitters_of(changed(transmitter={**two, "modulator_bias_error": (0.15, 0.0, 0.0, 0.0)}))
        seen = [
            [transmitters.monitor_power_w(lane, 25.0) for lane in (1, 2)] for transmitters in (good, moved)
        ]
        assert sum(seen[1]) == pytest.approx(sum(seen[0]))
        ratio = (seen[1][0] / seen[1][1]) / (seen[0][0] / seen[0][1])
        assert ratio == pytest.approx(0.709 / 0.5, rel=5e-3)
        assert moved.launch_power_w(2, 25.0, 3.3) < 0.9 * good.launch_power_w(2, 25.0, 3.3)
        assert moved.bias_a(1, 25.0) == moved.bias_a(2, 25.0) < good.bias_a(1, 25.0)
        assert moved.bias_a(3, 25.0) == good.bias_a(3, 25.0)
