"""TDECQ against values known in closed form or from independent calculations, on SSPRQ."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from harness.signal.filters import bessel_thomson_4, bessel_thomson_4_response
from harness.signal.tdecq import EDITION_2017, LATER_EDITIONS, secq, tdecq
from harness.signal.waveform import Waveform

BAUD = 53.125e9
NO_EQUALISER = replace(EDITION_2017, taps=1, main_taps=(0,))
SHIFTED = replace(LATER_EDITIONS, taps=1, main_taps=(0,), least_main_tap=None, threshold_adjustment=0.0)
TOLERANCE_DB = 0.03


def _bessel(bandwidth_per_baud):
    return lambda frequencies: bessel_thomson_4_response(frequencies, bandwidth_per_baud * BAUD)


def _ideal(wave, symbols, method=NO_EQUALISER, **arguments):
    return tdecq(wave, symbols, reference_filter_applied=True, method=method, band_limited=False, **arguments)


def test_ideal_levels(ssprq, stairs):
    result = _ideal(stairs(ssprq), ssprq)
    assert result.tdecq_db == pytest.approx(0.008, abs=0.002)
    assert result.ceq == 1.0
    assert result.oma_outer_w == pytest.approx(1e-3)
    assert result.thresholds_w == pytest.approx((0.5e-3 + 1e-3 / 6, 1e-3, 1.5e-3 - 1e-3 / 6), rel=1e-5)
    assert result.sigma_g_w == pytest.approx(1e-3 / 6 / 3.414, rel=3e-3)


def test_ideal_equiprobable_levels(stairs):
    """By definition 0 dB."""
    symbols = np.random.default_rng(2).permutation(np.repeat(np.arange(4, dtype=np.uint8), 3000))
    symbols[:13] = [0] * 6 + [3] * 7
    result = _ideal(stairs(symbols, 8), symbols)
    assert result.tdecq_db == pytest.approx(0.0, abs=0.002)


def _exactly_gaussian(symbols, samples_per_ui, sigma, seed):
    """Noise whose every column holds, for each level, the quantiles of a Gaussian in random order."""
    rng, noise = np.random.default_rng(seed), np.empty((symbols.size, samples_per_ui))
    for level in range(4):
        rows = np.flatnonzero(symbols == level)
        quantiles = [NormalDist().inv_cdf((rank + 0.5) / rows.size) for rank in range(rows.size)]
        for column in range(samples_per_ui):
            noise[rows, column] = rng.permutation(quantiles)
    return sigma * noise.ravel()


@pytest.mark.parametrize(("share", "expected_db"), [(0.3, 0.205), (0.5, 0.625), (0.7, 1.462)])
def test_ideal_levels_with_noise(ssprq, stairs, share, expected_db):
    """-5 log10(1 - r^2) for noise of r times that of an ideal receiver."""
    made = stairs(ssprq, 8)
    noise = _exactly_gaussian(ssprq, 8, share * 1e-3 / 6 / 3.4142, seed=1)
    result = _ideal(Waveform(made.samples_w + noise, 8, BAUD), ssprq, oma_outer_w=1e-3)
    assert result.tdecq_db == pytest.approx(expected_db + 0.008, abs=TOLERANCE_DB)


@pytest.mark.parametrize(("shift", "expected_db"), [(0.01, 0.030), (0.03, 0.188)])
def test_shifted_inner_levels(ssprq, stairs, shift, expected_db):
    wave = stairs(ssprq, 8, levels=(0.0, 1 / 3 - shift, 2 / 3 - shift, 1.0))
    assert _ideal(wave, ssprq).tdecq_db == pytest.approx(expected_db, abs=0.003)
    # Thresholds that may follow win some of it back.
    followed = _ideal(wave, ssprq, method=replace(NO_EQUALISER, threshold_adjustment=0.01))
    assert followed.tdecq_db < expected_db - 0.005
    nominal = followed.average_power_w + 1e-3 / 3 * np.array([-1, 0, 1])
    assert np.abs(followed.thresholds_w - nominal).max() <= 0.0100001e-3


def test_rectangular_pulses_without_equaliser(ssprq, pulses):
    result = tdecq(pulses(ssprq), ssprq, reference_filter_applied=False, method=SHIFTED)
    assert result.tdecq_db == pytest.approx(0.725, abs=TOLERANCE_DB)


def test_rectangular_pulses_equalised(ssprq, pulses):
    result = tdecq(pulses(ssprq), ssprq, reference_filter_applied=False)
    assert result.tdecq_db == pytest.approx(0.33, abs=TOLERANCE_DB)


@pytest.mark.parametrize(("bandwidth", "expected_db"), [(0.75, 0.73), (0.60, 0.97), (0.40, 1.92)])
def test_slow_transmitter(ssprq, pulses, bandwidth, expected_db):
    """The three read 0.01 to 0.03 dB lower than the check values: 0.721, 0.962 and 1.890.

    Found by computing with alternatives, for bandwidths of 0.75, 0.60 and 0.40:

    * thresholds that may move win 0.000, 0.001 and 0.011 dB: EDITION_2017 reads 0.721, 0.963 and 1.901. The
      common shift of the windows, the main tap's least weight and the intersymbol interference in OMAouter
      (1e-4 of it) matter for less than 0.001 dB; another main tap is worse (the first but one: 0.001, 0.004
      and 0.026 dB);
    * a plain calculation (frequency domain, eight points in each window of 0.04 UI) with the taps of
      EDITION_2017 gives 1.903 for the last;
    * each window taken as five samples 0.01 UI apart, both ends counted in full, is as wide as 0.049 UI: with
      the same taps that reads 0.728, 0.973 and 1.925, each within 0.005 dB of the check value. Windows
      without any width read 0.707, 0.944 and 1.863;
    * least-squares taps instead of the best ones then read 0.734, 0.975 and 1.931.

    So the check values are those of fixed thresholds with histograms a fifth too wide, as far as can be told
    from here: how their author took the samples is not known. The code is left as it is.
    """
    wave = pulses(ssprq, response=_bessel(bandwidth))
    here = tdecq(wave, ssprq, reference_filter_applied=False)
    assert here.tdecq_db == pytest.approx(expected_db, abs=TOLERANCE_DB)
    assert "filter was applied" in here.notes[0]
    filtered = bessel_thomson_4(wave, 0.5 * BAUD)
    there = secq(filtered, ssprq, reference_filter_applied=True)
    assert there.tdecq_db == pytest.approx(here.tdecq_db, abs=0.003)
    assert there.notes == ()
    assert there.tdecq_less_ceq_db == pytest.approx(there.tdecq_db - 10 * math.log10(there.ceq))
    assert there.taps.sum() == pytest.approx(1.0)


def test_slow_transmitter_with_the_check_values_own_windows(ssprq, pulses):
    """Fixed thresholds and windows of 0.049 UI: see :func:`test_slow_transmitter`."""
    method = replace(EDITION_2017, window_width_ui=0.049)
    wave = pulses(ssprq, response=_bessel(0.40))
    assert tdecq(wave, ssprq, reference_filter_applied=False, method=method).tdecq_db == pytest.approx(
        1.92, abs=0.008
    )


def test_filtering_twice_reads_high(ssprq, pulses):
    """What the flag is for."""
    filtered = bessel_thomson_4(pulses(ssprq, 8, _bessel(0.4)), 0.5 * BAUD)
    once = tdecq(filtered, ssprq, reference_filter_applied=True).tdecq_db
    twice = tdecq(filtered, ssprq, reference_filter_applied=False).tdecq_db
    assert 0.7 < twice - once < 2.0


def test_few_samples_a_symbol_are_enough(ssprq, pulses):
    """Within 0.02 dB of 64 samples per symbol."""
    results = [
        tdecq(pulses(ssprq, per_ui, _bessel(0.6)), ssprq, reference_filter_applied=False).tdecq_db
        for per_ui in (16, 64)
    ]
    assert results[0] == pytest.approx(results[1], abs=0.005)
