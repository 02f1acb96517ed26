"""The provisional receiver model against values worked out by hand."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.units import w_from_dbm
from harness.simulation.module.lanes import receiver
from harness.simulation.module.profile import load_profile

PROFILE = load_profile("good-dr4").receiver
LANE = receiver.draw_receivers(PROFILE, 1, lambda key, lane: 0.5)[0]  # in the middle of all spreads


def _ber(power_dbm: float) -> float:
    return receiver.bit_error_ratio(LANE.q_factor(w_from_dbm(power_dbm)))


def test_the_sensitivity_is_where_kp4_corrects() -> None:
    assert _ber(PROFILE.sensitivity_dbm) == pytest.approx(2.4e-4)
    assert LANE.q_factor(w_from_dbm(PROFILE.sensitivity_dbm)) == pytest.approx(3.414, abs=0.001)


def test_the_spread_moves_the_sensitivity_and_nothing_else() -> None:
    lane = receiver.draw_receivers(PROFILE, 1, lambda key, lane: 1.0 if "sensitivity" in key else 0.5)[0]
    worse_dbm = PROFILE.sensitivity_dbm + PROFILE.sensitivity_spread_db
    assert receiver.bit_error_ratio(lane.q_factor(w_from_dbm(worse_dbm))) == pytest.approx(2.4e-4)
    assert lane.best_q == LANE.best_q


def test_pam4_errors_by_hand() -> None:
    assert receiver.bit_error_ratio(0.0) == 0.375
    assert receiver.bit_error_ratio(3.0) == pytest.approx(0.75 * 1.349898e-3, rel=1e-6)  # 3/4 of the tail
    assert receiver.snr_db(2.0) == pytest.approx(10 * math.log10(20.0))
    assert receiver.level_transition_db(4.0) == pytest.approx(10 * math.log10(math.exp(8.0) / 2.0))
    assert receiver.snr_db(0.0) == receiver.level_transition_db(0.0) == 0.0


@given(st.lists(st.floats(-40.0, 12.0), min_size=2, max_size=10))
def test_more_light_is_never_worse(powers_dbm: list[float]) -> None:
    for less, more in itertools.pairwise(sorted(powers_dbm)):
        assert _ber(more) <= _ber(less)


def test_no_light_beats_the_error_floor() -> None:
    assert _ber(30.0) == pytest.approx(receiver.bit_error_ratio(PROFILE.best_q), rel=0.01)


@pytest.mark.parametrize(("ber", "ratio"), [(0.0, 0.0), (1e-7, 0.0), (0.01, 1.0), (0.5, 1.0), (1.0, 1.0)])
def test_frame_errors_at_the_ends(ber: float, ratio: float) -> None:
    assert receiver.frame_error_ratio([ber]) == pytest.approx(ratio, abs=1e-6)


@pytest.mark.parametrize("ber", [2.4e-4, 1e-3, 2e-3, 3e-3, 5e-3])
def test_frame_errors_are_the_binomial_tail_beyond_15_symbols(ber: float) -> None:
    wrong = 1 - (1 - ber) ** 10
    tail = math.fsum(math.comb(544, k) * wrong**k * (1 - wrong) ** (544 - k) for k in range(16, 545))
    assert receiver.frame_error_ratio([ber]) == pytest.approx(tail, rel=1e-6)
    assert receiver.frame_error_ratio([2 * ber, 0.0]) == pytest.approx(tail, rel=1e-6)  # spread over lanes
