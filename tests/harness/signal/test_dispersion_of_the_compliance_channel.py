"""Chromatic dispersion: what the fibre may be, and what it does to modulated light."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.signal.dispersion import compliance_dispersion_ps_nm, dispersed, dispersed_weakly
from harness.signal.filters import bessel_thomson_4_response
from harness.signal.waveform import SignalError, Waveform

BAUD = 53.125e9
LIGHT = 299_792_458.0


def test_limits_of_400gbase_dr4():
    """-0.93 to +0.80 ps/nm over 1304.5..1317.5 nm at 500 m."""
    assert compliance_dispersion_ps_nm(1304.5, 0.5)[0] == pytest.approx(-0.93, abs=0.005)
    assert compliance_dispersion_ps_nm(1317.5, 0.5)[1] == pytest.approx(0.80, abs=0.005)


def test_limits_of_10_km():
    assert compliance_dispersion_ps_nm(1331.0, 10)[1] == pytest.approx(28, abs=0.5)
    assert compliance_dispersion_ps_nm(1271.0, 10)[0] == pytest.approx(-52.5, abs=8)
    with pytest.raises(ValueError, match="impossible"):
        compliance_dispersion_ps_nm(-1, 1)


def _tone(depth: float, cycles: int) -> Waveform:
    time = np.arange(4096) / 4096
    return Waveform(1e-3 * (1 + depth * np.cos(2 * np.pi * cycles * time)), 16, BAUD)


@pytest.mark.parametrize("chirp", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("model", [dispersed, dispersed_weakly])
def test_response_to_weak_modulation(model, chirp):
    """A tone comes out with |cos p - chirp sin p| of its amplitude, p = pi L^2 D f^2 / c."""
    wave = _tone(0.01, cycles := 150)
    frequency = cycles / (4096 / 16 / BAUD)
    phase = math.pi * 1310e-9**2 * 50e-3 * frequency**2 / LIGHT
    assert 0.3 < phase < 1.2
    out = np.fft.rfft(model(wave, 50.0, 1310.0, chirp=chirp).samples_w)
    assert out[0].real / 4096 == pytest.approx(1e-3, rel=1e-9)
    gain = out[cycles] / (0.01e-3 * 4096 / 2)
    assert gain == pytest.approx(math.cos(phase) - chirp * math.sin(phase), abs=2e-3)


def test_first_null_of_unchirped_light():
    cycles = 180
    frequency = cycles / (4096 / 16 / BAUD)
    null_ps_nm = LIGHT / (2 * 1310e-9**2 * frequency**2) * 1e3
    out = np.fft.rfft(dispersed(_tone(0.01, cycles), null_ps_nm, 1310.0).samples_w)
    assert abs(out[cycles]) < 1e-3 * 0.01e-3 * 2048


def test_energy_is_kept_and_none_is_lost_without_dispersion(prbs13q, pulses):
    wave = pulses(prbs13q, 16, lambda f: bessel_thomson_4_response(f, 0.75 * BAUD))
    out = dispersed(wave, 30.0, 1331.0, chirp=0.5)
    assert out.average_power_w == pytest.approx(wave.average_power_w, rel=1e-12)
    assert np.abs(out.samples_w - wave.samples_w).max() > 0.05e-3
    for model in (dispersed, dispersed_weakly):
        assert np.abs(model(wave, 0.0, 1310.0).samples_w - wave.samples_w).max() < 1e-12


def test_dispersion_of_dr4_is_nearly_nothing(prbs13q, pulses):
    wave = pulses(prbs13q, 16, lambda f: bessel_thomson_4_response(f, 0.75 * BAUD))
    out = dispersed(wave, 0.80, 1317.5)
    assert np.abs(out.samples_w - wave.samples_w).max() < 0.03e-3


def test_no_field_at_negative_power():
    with pytest.raises(SignalError, match="no optical field"):
        dispersed(_tone(1.01, 10), 1.0, 1310.0)
