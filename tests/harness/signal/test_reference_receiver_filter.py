"""The 4th-order Bessel-Thomson response, against its polynomial's own properties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.signal.ffe import equalised, noise_enhancement, reference_noise_enhancement
from harness.signal.filters import (
    bessel_thomson_4,
    bessel_thomson_4_response,
    filtered,
    noise_autocorrelation,
    noise_bandwidth_hz,
    reference_bandwidth_hz,
)
from harness.signal.gaussian import tail, tail_inverse
from harness.signal.waveform import SignalError, Waveform

BAUD = 53.125e9


def test_half_the_power_is_left_at_the_bandwidth():
    assert reference_bandwidth_hz(BAUD) == 26.5625e9
    response = bessel_thomson_4_response(np.array([0.0, 26.5625e9]), 26.5625e9)
    assert abs(response[0]) == 1.0
    assert abs(response[1]) ** 2 == pytest.approx(0.5, rel=1e-9)


def test_attenuation_at_other_frequencies():
    """Fourth-order Bessel-Thomson: values of the ITU-T G.957 reference receiver, 0.75 of the bit rate."""
    bit_rate = 1.0
    relative = np.array([0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0, 1.05, 1.2, 1.35, 1.5, 2.0])
    attenuation_db = [0.1, 0.4, 1.0, 1.9, 3.0, 4.5, 5.7, 6.4, 8.5, 10.9, 13.4, 21.5]
    response = bessel_thomson_4_response(relative, 0.75 * bit_rate)
    assert -20 * np.log10(np.abs(response)) == pytest.approx(attenuation_db, abs=0.06)


def test_phase_is_the_filters_own_and_only_the_delay_is_taken_out():
    frequencies = np.linspace(0, 26.5625e9, 100)
    kept = bessel_thomson_4_response(frequencies, 26.5625e9, keep_delay=True)
    taken = bessel_thomson_4_response(frequencies, 26.5625e9)
    delay_s = 2.113917675 / (2 * math.pi * 26.5625e9)
    assert np.abs(kept) == pytest.approx(np.abs(taken))
    assert np.unwrap(np.angle(taken * kept.conj())) == pytest.approx(2 * np.pi * frequencies * delay_s)
    # The delay is flat: little is left of the phase at the bandwidth, but not nothing.
    assert 0.0 < abs(np.angle(taken[-1])) < math.radians(5)


def test_impulse_response_is_causal():
    impulse = np.zeros(1024)
    impulse[0] = 1.0
    out = bessel_thomson_4(Waveform(impulse, 16, BAUD), 26.5625e9, keep_delay=True).samples_w
    assert np.abs(out[512:]).max() < 2e-3 * out.max()
    assert out.sum() == pytest.approx(1.0)


def test_a_bandwidth_must_be_above_zero():
    with pytest.raises(ValueError, match="bandwidth"):
        bessel_thomson_4_response(np.array([1.0]), 0.0)


def test_a_response_of_another_length_is_refused():
    with pytest.raises(SignalError, match="65 values"):
        filtered(Waveform(np.full(128, 1e-3), 16, BAUD), np.ones(10, dtype=complex))


def test_noise_behind_the_filter():
    assert noise_bandwidth_hz(1.0) == pytest.approx(1.046, abs=1e-3)
    assert noise_autocorrelation(5, 26.5625e9, BAUD) == pytest.approx(
        [1, 0.02056, 0.00135, -0.00008, 0], abs=5e-6
    )


@pytest.mark.parametrize(
    ("taps", "ceq"), [((0, -0.1, 1.2, -0.1, 0), 1.20422), ((0, -0.2, 1.4, -0.2, 0), 1.42024), ((1,), 1.0)]
)
def test_noise_enhancement(taps, ceq):
    assert reference_noise_enhancement(np.array(taps, dtype=float), BAUD) == pytest.approx(ceq, abs=2e-5)
    assert noise_enhancement(np.array(taps, dtype=float), np.eye(5)[0]) == pytest.approx(np.linalg.norm(taps))


@pytest.mark.parametrize("samples_per_ui", [8, 8.25])
def test_equaliser_takes_out_known_interference(pulses, samples_per_ui):
    """y = x + 0.2 x(one UI earlier), undone by the first terms of the inverse series."""
    symbols = np.random.default_rng(7).integers(0, 4, 400)
    clean = pulses(symbols, samples_per_ui, lambda f: bessel_thomson_4_response(f, 20e9))
    echoed = pulses(
        symbols,
        samples_per_ui,
        lambda f: bessel_thomson_4_response(f, 20e9) * (1 + 0.2 * np.exp(-2j * np.pi * f / BAUD)) / 1.2,
    )
    taps = 1.2 * np.array([0.0, 1.0, -0.2, 0.04, -0.008, 0.0016])
    out = equalised(echoed, taps, main_tap=1)
    assert out.samples_w == pytest.approx(clean.samples_w, abs=0.2**5 * 2e-3)
    with pytest.raises(ValueError, match="main tap"):
        equalised(echoed, taps, main_tap=6)


def test_gaussian_tail():
    x = np.linspace(-8, 8, 1001)
    exact = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in x])
    assert tail(x) == pytest.approx(exact, rel=5e-5)
    assert tail(np.array([-50.0, 50.0])) == pytest.approx([1.0, 0.0], abs=1e-18)
    assert tail_inverse(4.8e-4 / 1.5) == pytest.approx(3.414, abs=5e-4)
    with pytest.raises(ValueError, match="probability"):
        tail_inverse(0.0)
