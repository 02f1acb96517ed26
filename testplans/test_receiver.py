"""Receiver and reach of a DR4 module, lit by the reference transmitter with its own clock, all lanes at once.

IEEE 802.3 clause 124, Table 124-7, as data sheets quote it, at TP3: OMAouter there is what fixed taps and the
reference's extinction ratio say, never what an attenuator is set to. The module's media side checker counts.
Sensitivity and errors at the channel's loss at 0 / 25 / 70 C; the others at 25 C; supply 3.3 V.
"""

from __future__ import annotations

import pytest

from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault
from testplans.corners import COLD_AMBIENT_HOT

CORNERS = COLD_AMBIENT_HOT

at_ambient = pytest.mark.at(case_temps_c=[25.0])


def test_reference_extinction_ratio(reference_extinction_ratio: Measured, judge: Judge) -> None:
    """No clause: extinction ratio of the reference, by which the taps' power becomes OMAouter."""
    judge("reference_extinction_ratio", reference_extinction_ratio)


def test_reference_secq(reference_secq: Measured, judge: Judge) -> None:
    """IEEE 802.3 124.8.10: SECQ of the reference at TP3, by patch cords."""
    judge("reference_secq", reference_secq)


def test_lane_map(lane_map: Checked | ModuleFault, judge: Judge) -> None:
    """Wiring of the bench, page 11h byte 147: each lane alone is seen by its own receiver."""
    judge("lane_map", lane_map)


def test_lane_polarity(lane_polarity: Checked | ModuleFault, judge: Judge) -> None:
    """OIF-CMIS-05.4 page 14h, bytes 138-139: each lane's checker finds the reference's pattern."""
    judge("lane_polarity", lane_polarity)


def test_ber_at_channel_loss(ber_at_channel_loss: Measured | ModuleFault, judge: Judge) -> None:
    """124.1.1 and 124.7: errors at the OMAouter that the worst compliant link leaves, each lane, at TP3."""
    judge("ber_at_channel_loss", ber_at_channel_loss)


def test_channel_margin(channel_margin: Measured | ModuleFault, judge: Judge) -> None:
    """No clause: how much more the channel may lose until the limit of the bit error ratio, each lane."""
    judge("channel_margin", channel_margin)


def test_receiver_sensitivity(receiver_sensitivity_oma: Measured | ModuleFault, judge: Judge) -> None:
    """Table 124-7, receiver sensitivity OMAouter (informative), each lane, at TP3."""
    judge("receiver_sensitivity_oma", receiver_sensitivity_oma)


def test_rx_power_monitor(rx_power_monitor_error: Measured | ModuleFault, judge: Judge) -> None:
    """Rx power monitor (page 11h, bytes 186-201) against the tap, each lane."""
    judge("rx_power_monitor_error", rx_power_monitor_error)


@at_ambient
def test_stressed_receiver_sensitivity(
    stressed_receiver_sensitivity_oma: Measured | ModuleFault, judge: Judge
) -> None:
    """Table 124-7, 124.8.9: stressed receiver sensitivity OMAouter, each lane, at TP3."""
    judge("stressed_receiver_sensitivity_oma", stressed_receiver_sensitivity_oma)


@at_ambient
def test_stressed_sensitivity_with_weaker_aggressors(
    stressed_sensitivity_weaker_aggressors: Measured | ModuleFault, judge: Judge
) -> None:
    """Table 124-7, 124.8.9 but for the other lanes' OMAouter: what fails here cannot comply."""
    judge("stressed_sensitivity_weaker_aggressors", stressed_sensitivity_weaker_aggressors)


@at_ambient
def test_overload(overload_ber: Measured | ModuleFault, judge: Judge) -> None:
    """Table 124-7, average receive power (maximum) and receive OMAouter (maximum), each lane, at TP3."""
    judge("overload_ber", overload_ber)


@at_ambient
def test_los_assert(los_assert: Measured | ModuleFault, judge: Judge) -> None:
    """Data sheets; OIF-CMIS-05.4 page 11h byte 147: level at which LOS is asserted, each lane, at TP3."""
    judge("los_assert", los_assert)


@at_ambient
def test_los_deassert(los_deassert: Measured | ModuleFault, judge: Judge) -> None:
    """Data sheets; OIF-CMIS-05.4 page 11h byte 147: level at which LOS is released, each lane, at TP3."""
    judge("los_deassert", los_deassert)


@at_ambient
def test_los_hysteresis(los_hysteresis: Measured | ModuleFault, judge: Judge) -> None:
    """Data sheets: between both levels, each lane."""
    judge("los_hysteresis", los_hysteresis)


@at_ambient
def test_reflection_penalty(reflection_penalty: Measured | ModuleFault, judge: Judge) -> None:
    """No clause: the worst errors of a minute against their mean, each lane, at TP3."""
    judge("reflection_penalty", reflection_penalty)


@at_ambient
def test_link_margin(link_margin: Measured | ModuleFault, judge: Judge) -> None:
    """No clause: the module's own transmitter to its own receiver, each lane."""
    judge("link_margin", link_margin)
