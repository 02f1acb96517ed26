"""The laser model against values worked out by hand."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.units import dbm_from_w
from harness.simulation.light import laser as physics
from harness.simulation.light.laser import Laser, Outlet, operating_point

LASER = physics.characterised(
    Laser(
        threshold_a=0.012,
        slope_w_per_a=0.03,
        t0_k=60.0,
        t1_k=150.0,
        bias_limit_a=0.115,
        target_w=1.2e-3,
        wavelength_nm=1311.0,
        wavelength_slope_nm_per_c=0.09,
        rin_db_hz=-152.0,
        smsr_db=45.0,
    )
)
OUTLET = Outlet(share=1.0, tracking_db=0.2, coupling_loss_db=0.0, supply_db_per_v=0.0, off_w=1e-7)
BADLY_COOLED = dataclasses.replace(LASER, thermal_resistance_k_per_w=400.0)


def _launch_dbm(laser: Laser, case_c: float, outlet: Outlet = OUTLET) -> float:
    seen_w = operating_point(laser, case_c).power_w
    return dbm_from_w(physics.launch_power_w(outlet, seen_w, case_c=case_c, vcc_v=3.3, wander_db=0.0))


def test_at_25_c_the_bias_is_threshold_plus_power_over_slope() -> None:
    point = operating_point(LASER, 25.0)
    assert point.bias_a == pytest.approx(0.012 + 1.2e-3 / 0.03)
    assert point.power_w == pytest.approx(1.2e-3)
    assert point.overdrive == pytest.approx(0.04 / 0.012)


def test_threshold_grows_by_e_in_t0_and_slope_falls_by_e_in_t1() -> None:
    assert physics.threshold_current_a(LASER, 85.0) == pytest.approx(0.012 * math.e)
    assert physics.slope_efficiency_w_per_a(LASER, 175.0) == pytest.approx(0.03 / math.e)


def test_the_power_control_holds_the_monitor_while_the_fibre_follows_the_tracking_error() -> None:
    hot, room = operating_point(LASER, 70.0), operating_point(LASER, 25.0)
    assert hot.held
    assert hot.power_w == pytest.approx(1.2e-3)
    assert hot.bias_a > room.bias_a
    assert _launch_dbm(LASER, 70.0) - _launch_dbm(LASER, 25.0) == pytest.approx(0.2, abs=1e-6)


def test_at_the_bias_limit_the_power_droops() -> None:
    weak = dataclasses.replace(LASER, bias_limit_a=0.06)
    point = operating_point(weak, 70.0)
    assert (point.bias_a, point.held) == (0.06, False)
    drooped_w = (0.06 - 0.012 * math.exp(45 / 60)) * 0.03 * math.exp(-45 / 150)
    assert point.power_w == pytest.approx(drooped_w)
    assert _launch_dbm(weak, 70.0) < _launch_dbm(LASER, 70.0) - 0.5


def test_below_threshold_only_the_leakage_is_left() -> None:
    dark = dataclasses.replace(LASER, bias_limit_a=0.010)
    point = operating_point(dark, 25.0)
    assert (point.power_w, point.held) == (0.0, False)
    assert _launch_dbm(dark, 25.0) == pytest.approx(-40.0)
    assert physics.smsr_db(dark, point) == 0.0
    assert physics.rin_db_hz(dark, point) == -110.0


def test_a_dead_laser_draws_its_bias_to_the_limit() -> None:
    point = operating_point(physics.weakened(LASER, 0.0), 25.0)
    assert (point.bias_a, point.power_w, point.held) == (LASER.bias_limit_a, 0.0, False)


def test_loss_behind_the_monitor_shows_in_the_fibre_alone() -> None:
    dirty = dataclasses.replace(OUTLET, coupling_loss_db=1.5)
    assert _launch_dbm(LASER, 25.0) - _launch_dbm(LASER, 25.0, dirty) == pytest.approx(1.5)


def test_the_power_follows_the_supply_and_the_share_of_a_splitter() -> None:
    half = dataclasses.replace(OUTLET, share=0.5, supply_db_per_v=0.5)
    low_w = physics.launch_power_w(half, 2e-3, case_c=25.0, vcc_v=3.1, wander_db=0.0)
    assert low_w == pytest.approx(1e-3 * 10**-0.01)


def test_the_wavelength_moves_by_0_09_nm_per_degree() -> None:
    hot, room = (physics.wavelength_nm(LASER, operating_point(LASER, case_c)) for case_c in (70.0, 25.0))
    assert hot - room == pytest.approx(45 * 0.09)
    assert room == pytest.approx(1311.0)


def test_the_wavelength_moves_with_bias_by_its_own_slope_and_by_the_heat() -> None:
    tuned = dataclasses.replace(LASER, wavelength_slope_nm_per_a=5.0, wavelength_slope_nm_per_c=0.0)
    point = operating_point(tuned, 70.0)
    moved_nm = physics.wavelength_nm(tuned, point) - 1311.0
    assert moved_nm == pytest.approx(5.0 * (point.bias_a - 0.052))
    heated = operating_point(BADLY_COOLED, 25.0)
    assert physics.wavelength_nm(BADLY_COOLED, heated) == pytest.approx(
        1311.0 + 0.09 * (heated.junction_c - 25.0)
    )
    assert heated.junction_c > 45.0


class TestRollOff:
    def test_the_junction_is_warmer_by_the_dissipated_power_times_the_thermal_resistance(self) -> None:
        point = operating_point(BADLY_COOLED, 25.0)
        dissipated_w = point.bias_a * (1.0 + 5.0 * point.bias_a) - point.power_w
        assert point.junction_c == pytest.approx(25.0 + 400.0 * dissipated_w, abs=1e-6)
        assert physics.junction_c(BADLY_COOLED, 25.0, point.bias_a) == pytest.approx(
            point.junction_c, abs=1e-6
        )

    def test_the_l_i_curve_rises_to_a_top_and_falls_beyond_it(self) -> None:
        powers = [physics.power_at_bias_w(BADLY_COOLED, 25.0, milliamps * 1e-3) for milliamps in range(200)]
        top = powers.index(max(powers))
        assert 60 < top < 190
        assert powers[:12] == [0.0] * 12
        assert all(a < b for a, b in pairwise(powers[20 : top + 1]))
        assert all(a > b for a, b in pairwise(powers[top:]))

    def test_without_own_heat_the_curve_is_straight(self) -> None:
        powers = [physics.power_at_bias_w(LASER, 25.0, bias_a) for bias_a in (0.03, 0.06, 0.09)]
        assert powers[2] - powers[1] == pytest.approx(powers[1] - powers[0])

    def test_the_power_control_finds_a_bias_on_the_curve_before_its_top(self) -> None:
        point = operating_point(BADLY_COOLED, 25.0)
        assert point.held
        assert physics.power_at_bias_w(BADLY_COOLED, 25.0, point.bias_a) == pytest.approx(1.2e-3, rel=1e-9)
        assert physics.power_at_bias_w(BADLY_COOLED, 25.0, point.bias_a + 1e-3) > 1.2e-3

    def test_where_the_top_is_below_the_target_the_power_control_runs_away_to_its_limit(self) -> None:
        point = operating_point(BADLY_COOLED, 70.0)
        assert (point.bias_a, point.held) == (0.115, False)
        assert point.power_w < 0.5 * 1.2e-3


class TestNoiseAndSideModes:
    def test_both_are_nominal_at_25_c(self) -> None:
        point = operating_point(LASER, 25.0)
        assert physics.rin_db_hz(LASER, point) == pytest.approx(-152.0)
        assert physics.smsr_db(LASER, point) == pytest.approx(45.0)

    def test_half_the_overdrive_is_eight_times_the_noise_above_its_floor_and_half_the_suppression(
        self,
    ) -> None:
        threshold_a = 0.012
        half = dataclasses.replace(
            operating_point(LASER, 25.0), bias_a=threshold_a * (1.0 + 0.5 * LASER.nominal_overdrive)
        )
        assert physics.rin_db_hz(LASER, half) == pytest.approx(-152.0 + 10 * math.log10(0.5 + 0.5 * 8))
        assert physics.smsr_db(LASER, half) == pytest.approx(45.0 - 3.0103, abs=1e-4)

    def test_far_above_threshold_half_of_the_noise_is_left(self) -> None:
        bright = dataclasses.replace(operating_point(LASER, 25.0), bias_a=10.0)
        assert physics.rin_db_hz(LASER, bright) == pytest.approx(-155.01, abs=0.01)


class TestAgeing:
    def test_a_new_laser_is_as_it_was(self) -> None:
        assert physics.aged(LASER, 0.0, 55.0) == LASER

    def test_a_hundred_thousand_hours_at_55_c_cost_a_fifth_of_threshold_and_a_tenth_of_slope(self) -> None:
        old = physics.aged(LASER, 1e5, 55.0)
        assert old.threshold_a / LASER.threshold_a == pytest.approx(math.exp(0.2))
        assert old.slope_w_per_a / LASER.slope_w_per_a == pytest.approx(math.exp(-0.1))
        assert operating_point(old, 25.0).bias_a > operating_point(LASER, 25.0).bias_a

    def test_heat_speeds_it_up_by_arrhenius_law(self) -> None:
        def rate(junction_c: float) -> float:
            return math.log(physics.aged(LASER, 1e4, junction_c).threshold_a / LASER.threshold_a)

        expected = math.exp(0.7 / 8.617e-5 * (1 / 328.15 - 1 / 358.15))
        assert expected == pytest.approx(7.9, abs=0.1)
        assert rate(85.0) / rate(55.0) == pytest.approx(expected)


@given(
    case_c=st.floats(-40, 110),
    limit_a=st.floats(1e-3, 0.3),
    resistance=st.floats(0, 2000),
    efficiency=st.floats(0, 1),
    hours=st.floats(0, 1e6),
    target_w=st.floats(1e-6, 1e-2),
)
def test_no_laser_gives_less_than_nothing_or_more_than_its_target(
    case_c: float, limit_a: float, resistance: float, efficiency: float, hours: float, target_w: float
) -> None:
    laser = dataclasses.replace(
        LASER, bias_limit_a=limit_a, thermal_resistance_k_per_w=resistance, target_w=target_w
    )
    laser = physics.aged(physics.weakened(laser, efficiency), hours, 85.0)
    point = operating_point(laser, case_c)
    assert 0.0 <= point.bias_a <= limit_a
    assert 0.0 <= point.power_w <= target_w * (1 + 1e-9) or not point.held
    assert point.power_w <= max(0.0, point.bias_a * laser.slope_w_per_a * math.exp(65 / 150))
    assert point.junction_c >= case_c - 1e-9
    assert -152.0 - 3.02 <= physics.rin_db_hz(laser, point) <= -110.0
    assert physics.smsr_db(laser, point) >= 0.0


@given(
    case_c=st.floats(0, 70), low_a=st.floats(0, 0.1), more_a=st.floats(0, 0.1), resistance=st.floats(0, 100)
)
def test_below_its_roll_off_more_bias_is_more_light(
    case_c: float, low_a: float, more_a: float, resistance: float
) -> None:
    laser = dataclasses.replace(LASER, thermal_resistance_k_per_w=resistance)
    low_w, high_w = (physics.power_at_bias_w(laser, case_c, bias_a) for bias_a in (low_a, low_a + more_a))
    assert high_w >= low_w - 1e-15


def test_a_modulator_that_lets_less_through_costs_bias_up_to_the_limit() -> None:
    # Half of the light: the laser has to give twice its power.
    half = operating_point(LASER, 25.0, transmission=0.5)
    assert half.bias_a == pytest.approx(0.012 + 2.4e-3 / 0.03)
    assert (half.power_w, half.held) == (pytest.approx(2.4e-3), True)
    third = operating_point(LASER, 25.0, transmission=1.0 / 3.0)
    assert (third.bias_a, third.held) == (LASER.bias_limit_a, False)
    assert third.power_w == pytest.approx((0.115 - 0.012) * 0.03)


@pytest.mark.parametrize("case_c", [-60.0, 25.0, 150.0])
@pytest.mark.parametrize("limit_a", [0.1, 1.0])
@pytest.mark.parametrize("t0_k", [1.0, 60.0, 10_000.0])
def test_no_junction_gets_hotter_than_a_laser_can_live(case_c: float, limit_a: float, t0_k: float) -> None:
    furnace = dataclasses.replace(
        LASER,
        thermal_resistance_k_per_w=5000.0,
        series_resistance_ohm=100.0,
        t0_k=t0_k,
        bias_limit_a=limit_a,
    )
    point = operating_point(furnace, case_c)
    assert point.junction_c <= physics.HOTTEST_JUNCTION_C
    assert physics.junction_c(furnace, case_c, 1.0) <= physics.HOTTEST_JUNCTION_C
    assert all(map(math.isfinite, (point.bias_a, point.threshold_a, point.power_w)))


def test_a_photon_for_each_electron_is_0_946_w_per_a_at_1310_nm() -> None:
    # h c / (q wavelength) = 1.23984 eV um / 1.310 um (textbook).
    assert physics.quantum_limit_w_per_a(1310.0) == pytest.approx(0.9464, abs=1e-4)
