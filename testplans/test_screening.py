"""Incoming inspection: gross faults that show at ambient, in a minute from insertion to verdict.

The chamber is not moved and nothing is waited for: a case that is not at 15 to 45 C makes it invalid. Light
of the module goes to its own receivers at about the channel's insertion loss; one eye, of the lane with the
most errors. What does not show in a minute at ambient: wavelength, SMSR, RIN on all lanes, eyes of the
other lanes, droop when hot, sensitivity, overload, bursts, LOS thresholds,
skew.
"""

from __future__ import annotations

from drivers.cmis.bringup import BringUpResult
from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault

Value = Measured | Checked | ModuleFault


def test_bring_up(bring_up: BringUpResult, judge: Judge) -> None:
    """OIF-CMIS-05.4, 6.3.2 and 6.3.3: from power-on to all data paths Activated in the advertised times."""
    judge.check(
        "bring_up",
        passed=bring_up.ok,
        text=bring_up.stopped_by or f"all {len(bring_up.steps)} steps in time",
        source="OIF-CMIS-05.4, 6.3.2, 6.3.3; page 01h bytes 144, 167, 168",
    )


def test_case_temperature(case_temperature: Value, judge: Judge) -> None:
    """No clause: the temperature at which the module was screened."""
    judge("case_temperature", case_temperature)


def test_identity(screening_identity: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.3 to 8.5: identity, every checksum, and the application of the PMD (lower:86-117)."""
    judge("screening_identity", screening_identity)


def test_average_launch_power(screening_launch_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane, at TP2."""
    judge("average_launch_power", screening_launch_power)


def test_tx_power_monitor(screening_tx_power_monitor_error: Value, judge: Judge) -> None:
    """Tx power monitor (page 11h, bytes 154-169) against the power meter, each lane."""
    judge("tx_power_monitor_error", screening_tx_power_monitor_error)


def test_temperature_monitor(screening_temperature_monitor_error: Value, judge: Judge) -> None:
    """Temperature monitor (lower memory, bytes 14-15) against the case sensor."""
    judge("temperature_monitor_error", screening_temperature_monitor_error)


def test_power_consumption(screening_power_consumption: Value, judge: Judge) -> None:
    """Consumption at the connector against the advertised maximum (page 00h, byte 201)."""
    judge("power_consumption", screening_power_consumption)


def test_vcc_monitor(screening_vcc_monitor_error: Value, judge: Judge) -> None:
    """Supply monitor (lower memory, bytes 16-17) against the connector."""
    judge("vcc_monitor_error", screening_vcc_monitor_error)


def test_bias_plausible(screening_tx_bias_plausible: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.10 11h:170-185: bias of each lane within its own alarms (02h:184-191)."""
    judge("tx_bias_plausible", screening_tx_bias_plausible)


def test_bit_errors(screening_ber: Value, judge: Judge) -> None:
    """124.1.1, bit error ratio at about the channel's insertion loss, each lane: own light, own checker."""
    judge("ber_at_channel_loss", screening_ber)


def test_rx_power_monitor(screening_rx_power_monitor_error: Value, judge: Judge) -> None:
    """Rx power monitor (page 11h, bytes 186-201) against launch power less the way's loss, each lane."""
    judge("rx_power_monitor_error", screening_rx_power_monitor_error)


def test_los_with_light(los_with_light: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.10 11h:147: no loss of signal while there is light, each lane."""
    judge("los_with_light", los_with_light)


def test_oma_outer(screening_oma_outer: Value, judge: Judge) -> None:
    """Table 124-6, OMAouter, at TP2, of the lane with the most errors."""
    judge("oma_outer", screening_oma_outer)


def test_extinction_ratio(screening_extinction_ratio: Value, judge: Judge) -> None:
    """Table 124-6, extinction ratio, at TP2, of the lane with the most errors."""
    judge("extinction_ratio", screening_extinction_ratio)


def test_rlm(screening_rlm: Value, judge: Judge) -> None:
    """Level separation mismatch ratio of the lane with the most errors: information."""
    judge("rlm", screening_rlm)


def test_tdecq(screening_tdecq: Value, judge: Judge) -> None:
    """Table 124-6, TDECQ, at TP2, back to back, of the lane with the most errors."""
    judge("tdecq", screening_tdecq)


def test_oma_outer_minus_tdecq(screening_oma_outer_minus_tdecq: Value, judge: Judge) -> None:
    """Table 124-6, OMAouter - TDECQ, by extinction ratio, of the lane with the most errors."""
    judge("oma_outer_minus_tdecq", screening_oma_outer_minus_tdecq)


def test_transition_time(screening_transition_time: Value, judge: Judge) -> None:
    """Table 124-6 in later editions, transition time, of the lane with the most errors."""
    judge("transition_time", screening_transition_time)


def test_average_launch_power_of_off_transmitter(screening_launch_power_off: Value, judge: Judge) -> None:
    """Table 124-6, average launch power of OFF transmitter, each lane, at TP2."""
    judge("average_launch_power_off", screening_launch_power_off)


def test_los_in_the_dark(los_in_the_dark: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.10 11h:147: loss of signal in the dark, each lane."""
    judge("los_in_the_dark", los_in_the_dark)


def test_tx_monitors_follow(tx_monitors_follow: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.10 11h:154-185: Tx power and bias monitors fall with the light, each lane."""
    judge("tx_monitors_follow", tx_monitors_follow)


def test_rx_monitor_follows(rx_monitor_follows: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4, 8.10 11h:186-201: the Rx power monitor falls when the light goes, each lane."""
    judge("rx_monitor_follows", rx_monitor_follows)


def test_lowest_power_over_supply(lowest_launch_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane, at TP2: the lower of 3.135 V and 3.465 V."""
    judge("average_launch_power", lowest_launch_power)


def test_highest_power_over_supply(highest_launch_power: Value, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane, at TP2: the higher of 3.135 V and 3.465 V."""
    judge("average_launch_power", highest_launch_power)


def test_vcc_monitor_over_supply(screening_vcc_monitor_error_over_supply: Value, judge: Judge) -> None:
    """Supply monitor (lower memory, bytes 16-17) against the connector, at 3.135 V and 3.465 V."""
    judge("vcc_monitor_error", screening_vcc_monitor_error_over_supply)
