"""The module over temperature: from cold to hot and back, a cold start, what happens in between.

Every visit of 0, 25, 50 and 70 C, up and down, at 3.3 V. Launch power, bias, consumption and monitors are
measured at each; eyes, spectra and error ratios at the nine corners are of other plans. Cold starts at 0
and at 70 C, power cycles at 25 C. What "stable" means, how many cycles and the like:
testplans/thermal.toml.
"""

from __future__ import annotations

import pytest

from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault
from testplans.corners import UP_AND_DOWN

CORNERS = UP_AND_DOWN

Value = Measured | Checked | ModuleFault
COLD_AND_HOT = pytest.mark.at(visits=[1, 4])
DOWN = pytest.mark.at(visits=[5, 6, 7])


@COLD_AND_HOT
def test_drift_while_warming_up(tx_drift: Value, judge: Judge) -> None:
    """No clause: launch power right after a cold start less that once stable, each lane, at TP2."""
    judge("tx_drift", tx_drift)


@COLD_AND_HOT
def test_stable_after_cold_start(warm_up_stable: Value, judge: Judge) -> None:
    """No clause: the module becomes stable (testplans/thermal.toml) after a cold start."""
    judge("warm_up_stable", warm_up_stable)


@COLD_AND_HOT
def test_warm_up_time(warm_up_time: Value, judge: Judge) -> None:
    """No clause: seconds from the supply until the module is stable."""
    judge("warm_up_time", warm_up_time)


def test_average_launch_power(launch_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane, at TP2, on the way up and on the way down."""
    judge("average_launch_power", launch_power)


def test_tx_power_monitor(tx_power_monitor_error: Value, judge: Judge) -> None:
    """Tx power monitor (page 11h, bytes 154-169) against the power meter, each lane."""
    judge("tx_power_monitor_error", tx_power_monitor_error)


def test_temperature_monitor(temperature_monitor_error: Value, judge: Judge) -> None:
    """Temperature monitor (lower memory, bytes 14-15) against the case sensor, at each visit."""
    judge("temperature_monitor_error", temperature_monitor_error)


def test_power_consumption(power_consumption: Value, judge: Judge) -> None:
    """Consumption at the connector against the advertised maximum (page 00h, byte 201)."""
    judge("power_consumption", power_consumption)


def test_lowest_power_on_the_way(way_lowest_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane: the lowest on the way to the visit."""
    judge("average_launch_power", way_lowest_power)


def test_highest_power_on_the_way(way_highest_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane: the highest on the way to the visit."""
    judge("average_launch_power", way_highest_power)


def test_power_step_on_the_way(way_power_step: Value, judge: Judge) -> None:
    """No clause: largest change of a lane's power from one reading to the next, on the way to the visit."""
    judge("way_power_step", way_power_step)


def test_power_excursion_on_the_way(way_power_excursion: Value, judge: Judge) -> None:
    """No clause: how far a lane's power left the range between both ends of the way."""
    judge("way_power_excursion", way_power_excursion)


def test_bias(tx_bias: Value, judge: Judge) -> None:
    """Laser bias of each lane by the module's own monitor (page 11h, bytes 170-185): information."""
    judge("tx_bias", tx_bias)


@DOWN
def test_hysteresis(launch_power_hysteresis: Value, judge: Judge) -> None:
    """No clause: launch power on the way down less that on the way up, each lane."""
    judge("launch_power_hysteresis", launch_power_hysteresis)


def test_power_class(power_class_consumption: Value, judge: Judge) -> None:
    """Consumption against the ceiling of the power class (page 00h, byte 200)."""
    judge("power_class_consumption", power_class_consumption)


def test_temperature_flags(temperature_flags: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.2 lower:9: temperature flags agree with monitor and thresholds (02h:128-135)."""
    judge("temperature_flags", temperature_flags)


@pytest.mark.at(visits=[4])
def test_high_temperature_alarm(high_temperature_alarm: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.2 lower:9.0: the high alarm, where the module may be heated so far."""
    judge("high_temperature_alarm", high_temperature_alarm)


def test_no_thermal_runaway(thermal_runaway: Value, judge: Judge) -> None:
    """No clause: the module stays as warm as the bench holds it, and is watched while it is measured."""
    judge("thermal_runaway", thermal_runaway)


@pytest.mark.at(visits=[2])
def test_power_cycles(power_cycles: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 6.3.2 and 6.3.3: each power cycle ends in light, in the advertised times."""
    judge("power_cycles", power_cycles)


@pytest.mark.at(visits=[2])
def test_power_cycle_failures(power_cycle_failures: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 6.3.2 and 6.3.3: how many power cycles failed; the plan stops at the first."""
    judge("power_cycle_failures", power_cycle_failures)


@pytest.mark.at(visits=[2])
def test_light_over_power_cycles(power_cycle_light_change: Value, judge: Judge) -> None:
    """No clause: launch power after a power cycle less that before the first, each lane, the largest."""
    judge("power_cycle_light_change", power_cycle_light_change)
