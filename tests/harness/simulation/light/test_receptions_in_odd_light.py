"""Light that receivers and instruments do not often see: strong steady light, saturation, crawling edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.simulation.light.beam import (
    STEADY,
    Beam,
    Echo,
    Modulation,
    even_levels,
    loudest,
    loudest_oma_w,
    strongest,
)
from harness.simulation.light.oscilloscope import NoTraceError, OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.reception import ReceiverParameters, receive
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern, multiplexed

SIGNAL = Beam("tx", 0.5e-3, 1311.0, TRAFFIC, Modulation(even_levels(5.0)))
STEADY_LIGHT = Beam("leak", 1e-3, 1312.0, TRAFFIC, STEADY)
PRBS13Q = Pattern(6)


def test_a_receiver_locks_on_the_largest_oma_and_not_on_the_most_light() -> None:
    assert strongest([STEADY_LIGHT, SIGNAL]) is STEADY_LIGHT
    assert loudest([STEADY_LIGHT, SIGNAL]) is SIGNAL
    assert loudest([STEADY_LIGHT]) is None
    assert loudest_oma_w([STEADY_LIGHT, SIGNAL]) == SIGNAL.oma_w
    assert loudest_oma_w([STEADY_LIGHT]) == 0.0
    found = receive((STEADY_LIGHT, SIGNAL), ReceiverParameters())
    assert found.oma_w == SIGNAL.oma_w
    assert found.ber < 1e-9


def test_full_saturation_closes_the_eye_and_nothing_else() -> None:
    found = receive((replace(SIGNAL, power_w=25e-3),), ReceiverParameters(overload_w=1e-6))
    assert found.closed
    assert found.ber == pytest.approx(0.375)
    assert (found.snr_db, found.ltp_db) == (0.0, 0.0)


def test_a_transmitter_too_slow_to_be_drawn_gives_no_trace() -> None:
    slow = replace(
        SIGNAL, signal=LineSignal((PRBS13Q,)), modulation=Modulation(even_levels(5.0), bandwidth_hz=0.5e9)
    )
    with pytest.raises(NoTraceError, match=r"of tx: .*bandwidth"):
        seen_by_oscilloscope([slow], None, OscilloscopeFrontEnd(26.5625e9))


def test_multiplexed_streams_keep_their_errors_and_the_lane_has_the_mean_of_their_events() -> None:
    clean, worse = LineSignal((PRBS13Q,)), LineSignal((PRBS13Q,), 3e-4, 4.0)
    single = LineSignal((PRBS13Q,), 1e-4)
    both = multiplexed([worse, single])
    assert both.ber == pytest.approx(2e-4)
    assert both.burst_bits == pytest.approx(4e-4 / (3e-4 / 4.0 + 1e-4))
    assert (both.stream(0), both.stream(1)) == (worse, single)
    assert multiplexed([clean, clean]) == LineSignal((PRBS13Q, PRBS13Q))
    later = multiplexed([clean, worse]).worsened(1e-5)
    assert later.stream(0) == LineSignal((PRBS13Q,), 1e-5, 1.0)
    assert later.stream(1).ber == pytest.approx(3e-4 + 1e-5 - 6e-9)


def test_one_pair_of_reflections_costs_next_to_nothing_on_average() -> None:
    """Two reflections of -26 dB, any phase: the error ratio at a fixed power costs 0.008 dB rms of optical
    power, where closure of the eye by the same echo would be of the order of 0.02 dB rms (0.20 dB at its
    worst). A
    receiver's thresholds follow the levels, which takes out the echo's mean shift, and of its spread few
    symbols feel the worst."""
    receiver = ReceiverParameters()
    power_w = SIGNAL.power_w * 10.0 ** (-0.38)

    def q_of(power_db: float, *echoes: Echo) -> float:
        beam = replace(SIGNAL, power_w=power_w * 10.0 ** (power_db / 10.0), echoes=echoes)
        return receive((beam,), receiver).q

    slope = (q_of(0.05) - q_of(-0.05)) / 0.1
    ratio = 10.0 ** (-52.0 / 20.0)
    penalties = np.array(
        [
            (q_of(0.0) - q_of(0.0, Echo(ratio, 1000.0, phase))) / slope
            for phase in np.arange(64) * math.tau / 64
        ]
    )
    assert math.sqrt(float(np.square(penalties).mean())) == pytest.approx(0.008, abs=0.002)
    assert float(np.abs(penalties).max()) < 0.02
