"""The modulator against the textbook: transfer, RLM, extinction ratio and OMAouter worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.signal.pam4 import extinction_ratio_db, rlm
from harness.simulation.light import modulator as physics
from harness.simulation.light.beam import even_levels
from harness.simulation.light.modulator import Modulator, mean_transmission, printed_levels


@pytest.mark.parametrize(
    ("voltage", "leaves"), [(0.0, 0.0), (1 / 3, 0.25), (0.5, 0.5), (2 / 3, 0.75), (1.0, 1.0), (1.5, 0.5)]
)
def test_the_transfer_is_sin_squared(voltage: float, leaves: float) -> None:
    assert physics.transmission(voltage) == pytest.approx(leaves, abs=1e-15)


@given(wanted=st.floats(0, 1))
def test_predistortion_undoes_the_transfer(wanted: float) -> None:
    assert physics.transmission(physics.drive_of(wanted)) == pytest.approx(wanted, abs=1e-12)


def test_more_than_all_light_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        physics.drive_of(1.1)


@pytest.mark.parametrize(
    ("ratio_db", "oma_over_average_db"),
    [(3.5, -1.164), (4.5, -0.212), (5.0, 0.166), (6.0, 0.781), (8.0, 1.622)],
)
def test_oma_over_average_power_follows_from_the_extinction_ratio(
    ratio_db: float, oma_over_average_db: float
) -> None:
    levels = printed_levels(ratio_db, bias_error=0.0, level_mismatch=0.0)
    assert 10 * math.log10(levels[3] - levels[0]) == pytest.approx(oma_over_average_db, abs=6e-4)
    assert levels == pytest.approx(even_levels(ratio_db), rel=1e-12)


@pytest.mark.parametrize(("mismatch", "expected"), [(0.0, 1.0), (0.01, 0.94), (-0.01, 0.94), (0.03, 0.82)])
def test_rlm_loses_six_times_the_mismatch_of_the_inner_levels(mismatch: float, expected: float) -> None:
    levels = printed_levels(5.0, bias_error=0.0, level_mismatch=mismatch)
    assert rlm(levels) == pytest.approx(expected)
    assert extinction_ratio_db(levels[0], levels[3]) == pytest.approx(5.0)


def test_a_bias_point_off_quadrature_bends_the_levels_by_the_tangent_of_its_angle() -> None:
    # P = 1 + sin(asin(m x) + pi e): RLM = 1 - 3 (sqrt(1 - m^2/9) - sqrt(1 - m^2)) / m tan(pi e).
    r = 10**0.5
    m = (r - 1) / (r + 1)
    bend = 3 * (math.sqrt(1 - m * m / 9) - math.sqrt(1 - m * m)) / m
    high, low = (printed_levels(5.0, bias_error=error, level_mismatch=0.0) for error in (0.05, -0.05))
    assert rlm(high) == pytest.approx(1 - bend * math.tan(0.05 * math.pi))
    assert rlm(high) == pytest.approx(0.881, abs=1e-3)
    assert rlm(low) == pytest.approx(rlm(high))
    outer = m * math.cos(0.05 * math.pi)
    lift = math.sqrt(1 - m * m) * math.sin(0.05 * math.pi)
    assert high[3] / high[0] == pytest.approx((1 + outer + lift) / (1 - outer + lift))
    assert low[3] / low[0] == pytest.approx((1 + outer - lift) / (1 - outer - lift))


@given(
    ratio_db=st.floats(0.1, 20),
    error=st.floats(-0.49, 0.49),
    mismatch=st.floats(-0.15, 0.15),
)
def test_levels_are_light_and_their_mean_is_1(ratio_db: float, error: float, mismatch: float) -> None:
    levels = printed_levels(ratio_db, bias_error=error, level_mismatch=mismatch)
    assert min(levels) >= 0.0
    assert math.fsum(levels) / 4 == pytest.approx(1.0)
    assert levels[3] > levels[0]


def test_impossible_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0 dB"):
        printed_levels(0.0, bias_error=0.0, level_mismatch=0.0)
    with pytest.raises(ValueError, match="at most 1/3"):
        printed_levels(5.0, bias_error=0.0, level_mismatch=0.4)


def test_temperature_and_supply_move_what_they_should() -> None:
    lane = Modulator(5.0, 0.4, bias_error_per_c=0.001, bandwidth_hz=34e9, bandwidth_hz_per_c=-0.03e9)
    at_rest = physics.levels(lane, case_c=25.0, vcc_v=3.3)
    assert at_rest == pytest.approx(even_levels(5.0))
    high = physics.levels(lane, case_c=25.0, vcc_v=3.465)
    assert extinction_ratio_db(high[0], high[3]) == pytest.approx(5.066)
    hot = physics.levels(lane, case_c=70.0, vcc_v=3.3)
    assert rlm(hot) < 0.91
    assert rlm(at_rest) == pytest.approx(1.0)
    assert physics.bandwidth_hz(lane, 70.0) == pytest.approx(34e9 - 45 * 0.03e9)


def test_no_temperature_or_supply_takes_a_modulator_out_of_what_exists() -> None:
    lane = Modulator(
        1.0, 10.0, bias_error=0.4, bias_error_per_c=0.01, bandwidth_hz=34e9, bandwidth_hz_per_c=-1e9
    )
    levels = physics.levels(lane, case_c=110.0, vcc_v=2.7)
    assert 0.0 <= levels[0] < levels[3]
    assert physics.bandwidth_hz(lane, 110.0) == pytest.approx(3.4e9)


def test_a_moved_bias_point_lets_another_share_through() -> None:
    # Small swings: sin^2 of 45 degrees and 0.15 of 90 degrees is 0.727, over 0.5 (textbook).
    swing_db = 0.001
    assert mean_transmission(Modulator(swing_db, bias_error=0.15), 25.0) == pytest.approx(1.45399, abs=1e-4)
    assert mean_transmission(Modulator(swing_db, bias_error=-0.15), 25.0) == pytest.approx(0.54601, abs=1e-4)
    # 5 dB: 0.709 instead of 0.5.
    assert mean_transmission(Modulator(5.0, bias_error=0.15), 25.0) == pytest.approx(1.418, abs=2e-3)


@pytest.mark.parametrize("level_mismatch", [-0.15, 0.0, 0.15])
def test_at_quadrature_nothing_changes(level_mismatch: float) -> None:
    assert mean_transmission(Modulator(5.0, level_mismatch=level_mismatch), 70.0) == 1.0
