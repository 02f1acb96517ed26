"""Light against time: levels, bandwidth, echoes, dispersion and noise of the explicit waveform."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal.dispersion import dispersed
from harness.signal.pam4 import levels, outer_levels, rlm
from harness.signal.waveform import SignalError
from harness.simulation.light.beam import Beam, Echo, Modulation, even_levels
from harness.simulation.light.symbols import symbols_of
from harness.simulation.light.waveform import optical_record, optical_waveform
from harness.simulation.noise import Noise
from harness.simulation.signals import Pattern

BAUD = 53.125e9
PRBS13Q = symbols_of(Pattern(6))
CLEAN = Modulation(even_levels(5.0), bandwidth_hz=0.64 * BAUD)


def beam(modulation: Modulation = CLEAN, **rest: object) -> Beam:
    return Beam(
        **{"source": "tx", "power_w": 1e-3, "wavelength_nm": 1311.0, "modulation": modulation, **rest}
    )  # type: ignore[arg-type]


def test_levels_ratio_and_average_are_those_of_the_beam() -> None:
    uneven = replace(CLEAN, levels=(0.5, 0.78, 1.13, 1.59))
    light = beam(uneven, power_w=0.7e-3)
    wave = optical_waveform([light], PRBS13Q, samples_per_ui=8)
    outer = outer_levels(wave, PRBS13Q)
    assert 10.0 * math.log10(outer.oma_outer_w / light.oma_w) == pytest.approx(0.0, abs=0.02)
    assert outer.extinction_ratio_db == pytest.approx(uneven.extinction_ratio_db, abs=0.02)
    assert levels(wave, PRBS13Q).rlm == pytest.approx(rlm(uneven.levels), abs=0.005)
    assert wave.average_power_w == pytest.approx(0.7e-3, rel=1e-3)
    assert wave.symbols == PRBS13Q.size


def test_an_echo_is_the_interference_of_two_fields() -> None:
    echo = Echo(field_ratio=0.05, delay_ui=300.25, phase_rad=0.7)
    main = optical_waveform([beam()], PRBS13Q, samples_per_ui=8).samples_w
    both = optical_waveform([beam(echoes=(echo,))], PRBS13Q, samples_per_ui=8).samples_w
    field = np.sqrt(main) + 0.05 * np.sqrt(np.roll(main, 2402)) * np.exp(0.7j)
    np.testing.assert_allclose(both, np.square(np.abs(field)), rtol=1e-12)


def test_dispersion_is_that_of_the_field_with_chirp() -> None:
    chirped = replace(CLEAN, chirp=0.5)
    plain = optical_waveform([beam(chirped)], PRBS13Q, samples_per_ui=8)
    seen = optical_waveform([beam(chirped, dispersion_ps_nm=-30.0)], PRBS13Q, samples_per_ui=8)
    expected = dispersed(plain, -30.0, 1311.0, chirp=0.5).samples_w
    np.testing.assert_allclose(seen.samples_w, expected, rtol=1e-5)
    assert np.ptp(seen.samples_w - plain.samples_w) > 1e-4
    assert seen.average_power_w == pytest.approx(plain.average_power_w, rel=1e-3)


def test_a_patch_cord_s_dispersion_changes_nothing() -> None:
    plain, seen = (
        optical_waveform([beam(dispersion_ps_nm=d)], PRBS13Q, samples_per_ui=8).samples_w for d in (0.0, 0.01)
    )
    assert np.array_equal(seen, plain)


@pytest.mark.parametrize("rin_db_hz", [-150.0, -130.0])
def test_laser_noise_is_in_proportion_to_the_momentary_power(rin_db_hz: float) -> None:
    record = optical_record([beam(replace(CLEAN, rin_db_hz=rin_db_hz))], PRBS13Q, samples_per_ui=8)
    relative = record.noise_w(Noise(1).generator("rin")) / record.waveform.samples_w
    density = float(relative.var()) / (4.0 * BAUD)
    assert 10.0 * math.log10(density) == pytest.approx(rin_db_hz, abs=0.1)
    bright = record.waveform.samples_w > record.waveform.average_power_w
    assert float(relative[bright].std()) == pytest.approx(float(relative[~bright].std()), rel=0.03)


def test_skew_moves_the_record_s_time_and_other_beams_by_their_difference() -> None:
    first, late = beam(), beam(replace(CLEAN, skew_ui=0.375), power_w=0.5e-3)
    alone = optical_waveform([first], PRBS13Q, samples_per_ui=8)
    assert optical_waveform([late], PRBS13Q, samples_per_ui=8).start_ui == -0.375
    both = optical_waveform([first, late], PRBS13Q, samples_per_ui=8)
    expected = alone.samples_w + 0.5 * np.roll(alone.samples_w, 3)
    np.testing.assert_allclose(both.samples_w, expected, rtol=1e-9)


@settings(max_examples=20)
@given(st.lists(st.floats(1e-6, 5e-3), min_size=1, max_size=4), st.floats(0.3, 2.0))
def test_powers_of_different_lasers_add(powers_w: list[float], bandwidth: float) -> None:
    symbols = PRBS13Q[:1024]
    modulation = replace(CLEAN, bandwidth_hz=bandwidth * BAUD)
    beams = [beam(modulation, power_w=power_w) for power_w in powers_w]
    both = optical_waveform(beams, symbols, samples_per_ui=4).samples_w
    singly = sum(optical_waveform([one], symbols, samples_per_ui=4).samples_w for one in beams)
    np.testing.assert_allclose(both, singly, rtol=1e-12)
    assert both.min() > 0.0


def test_unmodulated_light_is_a_pedestal() -> None:
    leak = Beam("leak", 0.1e-3, 1311.0)
    alone = optical_waveform([beam()], PRBS13Q, samples_per_ui=4).samples_w
    assert optical_waveform([beam(), leak], PRBS13Q, samples_per_ui=4).samples_w == pytest.approx(
        alone + 1e-4
    )


def test_what_makes_no_record_is_refused() -> None:
    with pytest.raises(SignalError, match="dark"):
        optical_waveform([], PRBS13Q)
    with pytest.raises(SignalError, match="dark"):
        optical_waveform([beam(power_w=0.0)], PRBS13Q)
    with pytest.raises(SignalError, match="one symbol rate"):
        optical_waveform([beam(), beam(replace(CLEAN, symbol_rate_bd=26.5625e9))], PRBS13Q)
    with pytest.raises(SignalError, match="2 rows"):
        optical_waveform([beam(), beam()], [PRBS13Q])
    with pytest.raises(SignalError, match="one length"):
        optical_waveform([beam(), beam()], [PRBS13Q, PRBS13Q[:100]])
