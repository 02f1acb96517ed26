"""The laser model against values worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from drivers.units import dbm_from_w
from harness.simulation.module.lanes import physics

LASER = physics.Laser(
    threshold_a=0.012,
    slope_w_per_a=0.03,
    t0_k=60.0,
    t1_k=150.0,
    bias_limit_a=0.115,
    target_w=1.2e-3,
    tracking_db=0.2,
    coupling_loss_db=0.0,
    off_w=1e-7,
    wavelength_nm=1311.0,
    wavelength_slope_nm_per_c=0.09,
    supply_db_per_v=0.0,
)


def _launch_dbm(laser: physics.Laser, case_c: float) -> float:
    power_w = physics.launch_power_w(laser, case_c=case_c, junction_c=case_c, vcc_v=3.3, wander_db=0.0)
    return dbm_from_w(power_w)


def test_at_25_c_the_bias_is_threshold_plus_power_over_slope() -> None:
    assert physics.bias_current_a(LASER, 25.0) == pytest.approx(0.012 + 1.2e-3 / 0.03)
    assert physics.monitor_power_w(LASER, 25.0) == pytest.approx(1.2e-3)


def test_threshold_grows_by_e_in_t0_and_slope_falls_by_e_in_t1() -> None:
    assert physics.threshold_current_a(LASER, 85.0) == pytest.approx(0.012 * math.e)
    assert physics.slope_efficiency_w_per_a(LASER, 175.0) == pytest.approx(0.03 / math.e)


def test_the_power_control_holds_the_monitor_while_the_fibre_follows_the_tracking_error() -> None:
    assert physics.monitor_power_w(LASER, 70.0) == pytest.approx(1.2e-3)
    assert physics.bias_current_a(LASER, 70.0) > physics.bias_current_a(LASER, 25.0)
    assert _launch_dbm(LASER, 70.0) - _launch_dbm(LASER, 25.0) == pytest.approx(0.2, abs=1e-6)


def test_at_the_bias_limit_the_power_droops() -> None:
    weak = dataclasses.replace(LASER, bias_limit_a=0.06)
    assert physics.bias_current_a(weak, 70.0) == 0.06
    drooped_w = (0.06 - 0.012 * math.exp(45 / 60)) * 0.03 * math.exp(-45 / 150)
    assert physics.monitor_power_w(weak, 70.0) == pytest.approx(drooped_w)
    assert _launch_dbm(weak, 70.0) < _launch_dbm(LASER, 70.0) - 0.5


def test_below_threshold_only_the_leakage_is_left() -> None:
    dead = dataclasses.replace(LASER, bias_limit_a=0.010)
    assert physics.monitor_power_w(dead, 25.0) == 0.0
    assert _launch_dbm(dead, 25.0) == pytest.approx(-40.0)


def test_loss_behind_the_monitor_is_not_seen_by_it() -> None:
    dirty = dataclasses.replace(LASER, coupling_loss_db=1.5)
    assert physics.monitor_power_w(dirty, 25.0) == physics.monitor_power_w(LASER, 25.0)
    assert _launch_dbm(LASER, 25.0) - _launch_dbm(dirty, 25.0) == pytest.approx(1.5)


def test_the_wavelength_moves_with_temperature() -> None:
    assert physics.wavelength_nm(LASER, 70.0) == pytest.approx(1311.0 + 45 * 0.09)
