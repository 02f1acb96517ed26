"""Bit errors before and after FEC, over temperature.

IEEE 802.3 124.1.1: bit error ratio below 2.4e-4 where errors are random enough for a frame loss ratio below
1.7e-12. With the reference transmitter's light by the module's checker; end to end with the module's own
light by the host's BERT, where with 400GAUI-8 two host lanes are multiplexed into one media lane: a pattern
of the host is none on the fibre.

Patterns at 0 / 25 / 70 C and the nominal supply; frames, bursts and VDM at 25 and 70 C; soak at 70 C
(``lanewise qualify --soak 72h``).
"""

from __future__ import annotations

import pytest

from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault
from testplans.corners import COLD_AMBIENT_HOT

CORNERS = COLD_AMBIENT_HOT

Value = Measured | Checked | ModuleFault


def test_pre_fec_ber(pre_fec_ber: Value, judge: Judge) -> None:
    """124.1.1, bit error ratio before FEC, each lane, at TP3, by the module's own checker (self-measured)."""
    judge("pre_fec_ber", pre_fec_ber)


def test_error_floor(error_floor: Value, judge: Judge) -> None:
    """124.1.1, bit error ratio at a comfortable power, each lane, by a sequential test at stated chances of
    error: its floor."""
    judge("error_floor", error_floor)


def test_link_ber(link_ber: Value, judge: Judge) -> None:
    """124.1.1, each lane, own transmitter to own receiver over less than the channel's loss, by the BERT."""
    judge("link_ber", link_ber)


def test_host_lane_ber(host_lane_ber: Value, judge: Judge) -> None:
    """124.1.1, each host lane, end to end, two to a media lane (400GAUI-8): information beside the lane."""
    judge("host_lane_ber", host_lane_ber)


def test_stressed_loop_ber(stressed_loop_ber: Value, judge: Judge) -> None:
    """No clause: each lane at a level chosen so that errors can be compared, by the module's checker."""
    judge("stressed_loop_ber", stressed_loop_ber)


def test_counters_agree(ber_counters_agree: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4 14h:192-255: the module's count of errors against the host's, same light, each lane."""
    judge("ber_counters_agree", ber_counters_agree)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_frame_loss_ratio(frame_loss_ratio: Value, judge: Judge) -> None:
    """124.1.1, frame loss ratio of 64-octet frames, from wrong symbols per codeword, with its upper bound."""
    judge("frame_loss_ratio", frame_loss_ratio)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_frame_loss_margin(frame_loss_margin: Value, judge: Judge) -> None:
    """124.1.1, as decibels of light to the BER limit: information."""
    judge("frame_loss_margin", frame_loss_margin)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_burst_overdispersion(burst_overdispersion: Value, judge: Judge) -> None:
    """124.1.1, scatter of wrong symbols per codeword against the binomial: information."""
    judge("burst_overdispersion", burst_overdispersion)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_error_bursts(error_bursts: Value, judge: Judge) -> None:
    """124.1.1, errors sufficiently random, each lane: tail of wrong symbols per codeword."""
    judge("error_bursts", error_bursts)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_vdm_ber(vdm_ber_error: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.18, observable 13: VDM pre-FEC BER against the BERT, each lane."""
    judge("vdm_ber_error", vdm_ber_error)


@pytest.mark.at(case_temps_c=[25.0, 70.0], vccs_v=None)
def test_vdm_frame_errors(vdm_frame_error_error: Value, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.18, observable 21: VDM frame errors against the BERT's FEC decoder."""
    judge("vdm_frame_error_error", vdm_frame_error_error)


@pytest.mark.at(case_temps_c=[70.0], vccs_v=None)
def test_soak_ber(soak_ber: Value, judge: Judge) -> None:
    """124.1.1, each lane, over the soak."""
    judge("soak_ber", soak_ber)


@pytest.mark.at(case_temps_c=[70.0], vccs_v=None)
def test_soak_events(soak_events: Value, judge: Judge) -> None:
    """No clause, practice: no loss of lock, no flag and no burst during the soak, each lane."""
    judge("soak_events", soak_events)
