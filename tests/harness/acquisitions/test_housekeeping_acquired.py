"""What the module draws, and its temperature monitor against the bench's sensor."""

from __future__ import annotations

import math

import pytest

from harness.acquisitions.housekeeping import housekeeping


def test_consumption_is_voltage_times_current_at_the_connector(small_run):
    power = housekeeping(small_run.run).of("power_consumption")
    assert power.value == pytest.approx(3.3 * 2.5)
    assert (power.unit, power.plane, power.detector) == ("W", "connector", "power_supply")
    # 4 mV x 2.5 A and 12 mA x 3.3 V, in squares
    assert power.uncertainty == pytest.approx(math.hypot(0.010, 0.0396))


def test_the_temperature_monitors_error_is_monitor_less_case(small_run):
    error = housekeeping(small_run.run).of("temperature_monitor_error")
    assert error.value == pytest.approx(26.0 - 25.4)
    assert error.unit == "K"
    # The sensor's 0.6 K, and half a step of 1/256 C as a rectangle
    step = (1.0 / 512.0) / math.sqrt(3.0)
    assert error.uncertainty == pytest.approx(2.0 * math.sqrt(0.3**2 + step**2))


def test_the_record_holds_what_was_read(small_run):
    record = housekeeping(small_run.run).record
    assert small_run.records[-1] == record
    assert record.data == {
        "connector_v": 3.3,
        "connector_a": 2.5,
        "case_c": 25.4,
        "temperature_monitor_c": 26.0,
        "vcc_monitor_v": 3.31,
    }
    assert [entry["name"] for entry in record.budget] == [
        "case sensor",
        "monitor resolution",
        "supply read-back (V and A)",
    ]
    assert [entry["unit"] for entry in record.budget] == ["K", "K", "W"]


def test_monitors_are_given_time_to_refresh(small_run):
    assert housekeeping(small_run.run).record.duration_s >= 1.0
