"""dBm, watts, ratios: known values, and that each undoes the other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.units import LOWEST_DBM, db_from_ratio, dbm_from_w, ratio_from_db, w_from_dbm


@pytest.mark.parametrize(
    ("power_w", "power_dbm"),
    [
        (1e-3, 0.0),
        (2e-3, 3.0102999566),
        (0.5e-3, -3.0102999566),
        (1e-6, -30.0),
        (1e-11, -80.0),
        (1.0, 30.0),
        (2.511886432e-3, 4.0),  # the highest average launch power of DR4
    ],
)
def test_known_powers(power_w, power_dbm):
    assert dbm_from_w(power_w) == pytest.approx(power_dbm, abs=1e-8)
    assert w_from_dbm(power_dbm) == pytest.approx(power_w, rel=1e-8)


@pytest.mark.parametrize("power_w", [0.0, -0.0, -1e-12, -1.0, 1e-300, 5e-324])
def test_no_light_is_a_number(power_w):
    assert dbm_from_w(power_w) == LOWEST_DBM == -200.0


@pytest.mark.parametrize(
    ("ratio", "gain_db"), [(1.0, 0.0), (10.0, 10.0), (0.5, -3.0103), (1.5849, 2.0), (0.01, -20.0)]
)
def test_known_ratios(ratio, gain_db):
    assert db_from_ratio(ratio) == pytest.approx(gain_db, abs=1e-4)
    assert ratio_from_db(gain_db) == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize("ratio", [0.0, -0.0, -1.0, -math.inf])
def test_a_ratio_that_is_none(ratio):
    with pytest.raises(ValueError, match="must be above zero"):
        db_from_ratio(ratio)


@given(st.floats(min_value=-150.0, max_value=40.0))
def test_dbm_and_watts_undo_each_other(power_dbm):
    assert dbm_from_w(w_from_dbm(power_dbm)) == pytest.approx(power_dbm, abs=1e-9)


@given(st.floats(min_value=-150.0, max_value=150.0))
def test_db_and_ratios_undo_each_other(gain_db):
    assert db_from_ratio(ratio_from_db(gain_db)) == pytest.approx(gain_db, abs=1e-9)


@given(power_dbm=st.floats(min_value=-60.0, max_value=20.0), loss_db=st.floats(min_value=0.0, max_value=40.0))
def test_a_loss_in_db_is_subtracted_in_dbm(power_dbm, loss_db):
    behind_w = w_from_dbm(power_dbm) * ratio_from_db(-loss_db)
    assert dbm_from_w(behind_w) == pytest.approx(power_dbm - loss_db, abs=1e-9)


@given(st.floats(min_value=1e-20, max_value=1e3), st.floats(min_value=1e-20, max_value=1e3))
def test_more_light_is_never_fewer_dbm(first_w, second_w):
    lower, higher = sorted((first_w, second_w))
    assert dbm_from_w(lower) <= dbm_from_w(higher)
