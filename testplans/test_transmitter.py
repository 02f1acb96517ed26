"""The transmitters: eye, spectrum and noise of each lane over temperature and supply.

IEEE 802.3 clause 124, Table 124-6, at TP2, or the transmitter table of the PMD's MSA. Patterns come from the
module's media side generator; light comes back to back, without the compliance fibre and the back-reflection
that TDECQ and RIN-OMA are defined with. Average and OFF power are in the plan of the launch power.

Eyes at all nine corners. Spectrum and noise at 0 / 25 / 70 C and the nominal supply: they follow the laser's
temperature, and the supply hardly. The second opinion on TDECQ once, at 25 C.
"""

from __future__ import annotations

import pytest

from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault
from testplans.corners import NINE

CORNERS = NINE

Value = Measured | Checked | ModuleFault


@pytest.mark.at(case_temps_c=None, vccs_v=[3.3])
def test_wavelength(wavelength: Value, judge: Judge) -> None:
    """Table 124-6, wavelength, each lane, at TP2."""
    judge("wavelength", wavelength)


@pytest.mark.at(case_temps_c=None, vccs_v=[3.3])
def test_side_mode_suppression(smsr: Value, judge: Judge) -> None:
    """Table 124-6, side-mode suppression ratio, each lane, at TP2."""
    judge("smsr", smsr)


@pytest.mark.at(case_temps_c=[25.0], vccs_v=[3.3])
def test_signalling_rate(signalling_rate_offset: Value, judge: Judge) -> None:
    """Table 124-6, signalling rate, each lane."""
    judge("signalling_rate_offset", signalling_rate_offset)


def test_oma_outer(oma_outer: Value, judge: Judge) -> None:
    """Table 124-6, OMAouter, each lane, at TP2."""
    judge("oma_outer", oma_outer)


def test_extinction_ratio(extinction_ratio: Value, judge: Judge) -> None:
    """Table 124-6, extinction ratio, each lane, at TP2."""
    judge("extinction_ratio", extinction_ratio)


def test_rlm(rlm: Value, judge: Judge) -> None:
    """Level separation mismatch ratio (120D.3.1.2 for the electrical signal), each lane: information."""
    judge("rlm", rlm)


def test_tdecq(tdecq: Value, judge: Judge) -> None:
    """Table 124-6, TDECQ (121.8.5.3, 124.8.5), each lane, at TP2, back to back."""
    judge("tdecq", tdecq)


def test_ceq(ceq: Value, judge: Judge) -> None:
    """121.8.5.3, noise enhancement of the reference equaliser, 10log10(Ceq), each lane: information."""
    judge("ceq", ceq)


def test_tdecq_minus_ceq(tdecq_minus_ceq: Value, judge: Judge) -> None:
    """Table 124-6 in later editions, TDECQ - 10log10(Ceq), each lane, at TP2."""
    judge("tdecq_minus_ceq", tdecq_minus_ceq)


def test_oma_outer_minus_tdecq(oma_outer_minus_tdecq: Value, judge: Judge) -> None:
    """Table 124-6, launch power in OMAouter minus TDECQ, by extinction ratio, each lane, at TP2."""
    judge("oma_outer_minus_tdecq", oma_outer_minus_tdecq)


def test_transition_time(transition_time: Value, judge: Judge) -> None:
    """Table 124-6 in later editions, transmitter transition time (the slower edge), each lane, at TP2."""
    judge("transition_time", transition_time)


def test_total_launch_power(total_launch_power: Value, judge: Judge) -> None:
    """Total average launch power, where lanes share a fibre (transmitter tables of 400G-FR4 and LR4-10)."""
    judge("total_launch_power", total_launch_power)


def test_lane_power_difference(lane_power_difference: Value, judge: Judge) -> None:
    """Difference in average launch power between any two lanes (transmitter table of 400G-FR4)."""
    judge("lane_power_difference", lane_power_difference)


def test_lane_oma_difference(lane_oma_difference: Value, judge: Judge) -> None:
    """Difference in OMAouter between any two lanes (transmitter tables of 400G-FR4 and its like)."""
    judge("lane_oma_difference", lane_oma_difference)


def test_oscilloscope_and_power_meter(oscilloscope_power_difference: Value, judge: Judge) -> None:
    """No clause: average power of each lane by two instruments, which finds a bad connector of the bench."""
    judge("oscilloscope_power_difference", oscilloscope_power_difference)


@pytest.mark.at(case_temps_c=[25.0], vccs_v=[3.3])
def test_tdecq_second_opinion(tdecq_difference: Value, judge: Judge) -> None:
    """No clause: TDECQ (121.8.5.3) of the oscilloscope's waveform by the harness, beside its own number."""
    judge("tdecq_difference", tdecq_difference)


@pytest.mark.at(case_temps_c=None, vccs_v=[3.3])
def test_rin_oma(rin_oma: Value, judge: Judge) -> None:
    """Table 124-6, RIN21.4OMA (52.9.6, 124.8.9), each lane, at TP2, without the back-reflection; held against
    (OMA/2)^2, which of two readings of the definition is the stricter."""
    judge("rin_oma", rin_oma)
