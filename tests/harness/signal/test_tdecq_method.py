"""What TDECQ must not depend on, what it must, and that the noise it finds does what it says."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal.ffe import toeplitz
from harness.signal.filters import bessel_thomson_4, bessel_thomson_4_response, noise_autocorrelation
from harness.signal.tdecq import EDITION_2017, LATER_EDITIONS, EyeClosedError, TdecqMethod, tdecq
from harness.signal.tdecq_record import Record
from harness.signal.tdecq_search import NOMINAL_THRESHOLDS, Goal, Samples, evaluate
from harness.signal.waveform import SignalError, Waveform

BAUD = 53.125e9


def _bessel(bandwidth_per_baud):
    return lambda frequencies: bessel_thomson_4_response(frequencies, bandwidth_per_baud * BAUD)


@pytest.fixture(scope="module")
def seen(prbs13q, pulses):
    """A slow, compressed transmitter behind the reference receiver's filter."""
    made = pulses(prbs13q, 8, _bessel(0.55), levels=(0.0, 0.345, 0.69, 1.0))
    return bessel_thomson_4(made, 0.5 * BAUD)


@pytest.fixture(scope="module")
def result(seen, prbs13q):
    return tdecq(seen, prbs13q, reference_filter_applied=True)


@settings(max_examples=8, deadline=None)
@given(
    gain=st.floats(1e-3, 5.0),
    offset=st.floats(-1e-3, 1e-2),
    start=st.integers(0, 8190),
    inverted=st.booleans(),
)
def test_scale_offset_start_and_polarity_do_not_matter(seen, result, prbs13q, gain, offset, start, inverted):
    samples = np.roll(seen.samples_w, 8 * start)
    symbols = prbs13q
    if inverted:
        samples, symbols = 2e-3 - samples, 3 - prbs13q
    other = tdecq(
        Waveform(gain * (samples + offset), 8, BAUD),
        symbols,
        reference_filter_applied=True,
        oma_outer_w=gain * result.oma_outer_w,
    )
    # The search looks at blocks of symbols, which lie elsewhere in a rolled pattern.
    assert other.tdecq_db == pytest.approx(result.tdecq_db, abs=0.004)
    assert other.sigma_g_w == pytest.approx(gain * result.sigma_g_w, rel=1e-3)


def test_the_same_record_gives_the_same_result(seen, result, prbs13q):
    again = tdecq(seen, prbs13q, reference_filter_applied=True)
    assert again.tdecq_db == result.tdecq_db
    assert again.taps.tolist() == result.taps.tolist()


def _ratio(powers, symbols, thresholds, sigma):
    """Symbol error ratio by definition, with the library's own error function."""
    errors = 0.0
    for power, symbol in zip(powers.tolist(), symbols.tolist(), strict=True):
        if symbol > 0:
            errors += 0.5 * math.erfc((power - thresholds[symbol - 1]) / sigma / math.sqrt(2))
        if symbol < 3:
            errors += 0.5 * math.erfc((thresholds[symbol] - power) / sigma / math.sqrt(2))
    return errors / powers.size


@pytest.fixture(scope="module")
def inputs(seen, result, prbs13q):
    """What the equaliser sees in both windows, two points each, by another interpolation: (2, 2, symbols)."""
    fine = np.fft.irfft(np.fft.rfft(seen.samples_w), 8 * seen.samples_w.size) * 8
    wave = Waveform(fine, 64, BAUD)
    symbols = np.arange(prbs13q.size) + result.eye_start_ui
    times = np.array([[w.time_ui - 0.01155, w.time_ui + 0.01155] for w in result.windows])
    return wave.at(np.add.outer(times, symbols))


def _equalised(inputs, result, taps):
    return sum(c * np.roll(inputs, tap - result.main_tap, axis=-1) for tap, c in enumerate(taps))


def test_found_noise_gives_the_target_error_ratio(inputs, result, prbs13q):
    noise = result.sigma_g_w * result.ceq
    ratios = [
        np.mean([_ratio(row, prbs13q, result.thresholds_w, noise) for row in window])
        for window in _equalised(inputs, result, result.taps)
    ]
    assert max(ratios) == pytest.approx(4.8e-4, rel=0.01)
    assert ratios == pytest.approx([window.symbol_error_ratio for window in result.windows], rel=0.01)


def test_no_other_taps_are_better(inputs, result, prbs13q):
    """Nearby equalisers reach no lower an error ratio at the noise that was found."""
    correlation = toeplitz(noise_autocorrelation(5, 0.5 * BAUD, BAUD))
    rng = np.random.default_rng(31)
    for _ in range(6):
        taps = result.taps + rng.normal(0.0, 0.02, 5)
        taps[result.main_tap] += 1.0 - taps.sum()
        noise = result.sigma_g_w * math.sqrt(taps @ correlation @ taps)
        rows = _equalised(inputs, result, taps)
        worst = max(
            np.mean([_ratio(row, prbs13q, result.thresholds_w, noise) for row in window]) for window in rows
        )
        assert worst > 4.8e-4
    assert all(abs(a - b) < 1.01e-2 * result.oma_outer_w for a, b in _threshold_moves(result))


def _threshold_moves(result):
    step = result.oma_outer_w / 3
    middle = result.average_power_w
    return zip(result.thresholds_w, (middle - step, middle, middle + step), strict=True)


def test_monte_carlo(inputs, result, prbs13q):
    """Noise with the receiver's spectrum is added in front of the found equaliser, and errors are counted."""
    count = 1 << 16
    # The spectrum of that noise when it is sampled once a symbol: the filter's, folded.
    folds = np.add.outer(np.arange(-12, 13), np.arange(count // 2 + 1) / count)
    spectrum = np.square(np.abs(bessel_thomson_4_response(np.abs(folds), 0.5))).sum(axis=0)
    shape = np.sqrt(spectrum / np.mean(np.concatenate([spectrum, spectrum[1:]])))
    rng = np.random.default_rng(77)
    periods = 8
    symbols = np.tile(prbs13q, periods)
    worst = int(np.argmax([window.symbol_error_ratio for window in result.windows]))
    clean = np.tile(_equalised(inputs, result, result.taps)[worst], periods)
    errors = trials = 0
    for turn in range(60):
        white = np.fft.rfft(rng.normal(0.0, result.sigma_g_w, count))
        noise = np.fft.irfft(white * shape, count)
        received = clean[turn % 2] + _equalised(noise, result, result.taps)[: symbols.size]
        errors += int((np.digitize(received, result.thresholds_w) != symbols).sum())
        trials += symbols.size
    expected = 4.8e-4 * trials
    assert abs(errors - expected) < 3.0 * math.sqrt(expected)


def test_derivatives_of_the_search(prbs13q):
    rng = np.random.default_rng(1)
    symbols = prbs13q[:3000]
    ideal = (symbols - 1.5) / 3
    windows = [ideal + rng.normal(0, 0.02, 3000) + 0.05 * np.roll(ideal, 1) + 0.01 * w for w in (0, 1)]
    correlation = toeplitz(noise_autocorrelation(5, 0.5, 1.0))
    goal = Goal(4.8e-4, correlation, 0.01, 2, None)
    samples = Samples(windows, symbols, 2, 5, np.ones(3000, dtype=bool))
    here = np.concatenate(([0.01, -0.05, 1.1, -0.07, 0.01], NOMINAL_THRESHOLDS + 0.003))

    def at(place, sigma=0.04):
        return evaluate(samples, goal, place[:5], place[5:], sigma)

    trial, step = at(here), 1e-5
    ahead, behind = ([at(here + sign * step * axis) for axis in np.eye(8)] for sign in (1, -1))
    slopes = [(a.log_ser - b.log_ser) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    assert np.abs(trial.gradients.T - slopes).max() < 1e-3 * np.abs(trial.gradients).max()
    curves = [(a.gradients - b.gradients) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    assert np.abs(trial.hessians - np.swapaxes(curves, 0, 1)).max() < 1e-3 * np.abs(trial.hessians).max()
    assert trial.log_slopes == pytest.approx((at(here, 0.04004).log_ser - trial.log_ser) / 1e-3, rel=1e-2)


def test_the_oscilloscopes_noise_is_credited(seen, result, prbs13q):
    quiet = tdecq(seen, prbs13q, reference_filter_applied=True, scope_noise_w=0.4 * result.sigma_g_w)
    assert quiet.tdecq_db == pytest.approx(result.tdecq_db - 5 * math.log10(1.16), abs=1e-9)
    assert quiet.noise_w == pytest.approx(math.sqrt(1.16) * result.sigma_g_w)
    with pytest.raises(ValueError, match="noise"):
        tdecq(seen, prbs13q, reference_filter_applied=True, scope_noise_w=-1.0)


def test_noise_in_the_record_keeps_its_strength(seen, prbs13q):
    """White from sample to sample, as an equivalent-time oscilloscope records it."""
    noise = np.random.default_rng(5).normal(0.0, 1e-5, seen.samples_w.size)
    records = [
        Record(
            Waveform(samples, 8, BAUD),
            prbs13q,
            reference_filter_applied=True,
            band_limited=True,
            oma_outer_w=1.0,
            part=None,
        )
        for samples in (seen.samples_w, seen.samples_w + noise)
    ]
    for time in np.linspace(0.4, 0.6, 7):
        moved = records[0].begin_ui - records[1].begin_ui
        apart = records[1].at(np.array([time + moved])) - records[0].at(np.array([time]))
        assert apart.std() == pytest.approx(1e-5, rel=0.03)


def test_filter_applied_here_is_the_filter(prbs13q, pulses):
    """The short sums that stand for it agree with the filter applied to the whole record."""
    made = pulses(prbs13q, 8, _bessel(0.75))
    whole = bessel_thomson_4(made, 0.5 * BAUD)
    record = Record(
        made, prbs13q, reference_filter_applied=False, band_limited=True, oma_outer_w=1.0, part=None
    )
    times = np.arange(0.0, 1.0, 0.125) - record.begin_ui % 0.125
    index = np.rint((times + record.begin_ui)[:, np.newaxis] * 8 + 8 * np.arange(prbs13q.size)).astype(int)
    expected = whole.samples_w[index % whole.samples_w.size] - whole.average_power_w
    assert np.abs(record.at(times) - expected).max() < 2e-8


@pytest.mark.parametrize("samples_per_ui", [4, 65537 / 8191, 19.5])
def test_other_numbers_of_samples_per_symbol(prbs13q, pulses, samples_per_ui):
    symbols = np.append(prbs13q, 0).astype(np.uint8) if samples_per_ui == 19.5 else prbs13q
    results = [
        tdecq(pulses(symbols, per_ui, _bessel(0.6)), symbols, reference_filter_applied=False).tdecq_db
        for per_ui in (samples_per_ui, 16)
    ]
    assert results[0] == pytest.approx(results[1], abs=0.01)


def test_editions_differ(seen, prbs13q, result):
    first = tdecq(seen, prbs13q, reference_filter_applied=True, method=EDITION_2017)
    assert first.shift_ui == 0.0
    assert [window.time_ui for window in first.windows] == [0.45, 0.55]
    assert np.diff(first.thresholds_w) == pytest.approx(first.oma_outer_w / 3)
    # Whoever may move thresholds and windows never reads higher.
    assert first.tdecq_db > result.tdecq_db + 0.01
    assert result.main_tap in (0, 1, 2)


def test_windows_histogram_all_samples(result):
    for window in result.windows:
        assert window.shares.sum() == pytest.approx(1.0)
        middles = 0.5 * (window.edges_w[1:] + window.edges_w[:-1])
        assert middles @ window.shares == pytest.approx(result.average_power_w, rel=1e-3)


def test_a_held_main_tap_is_said(prbs13q, pulses):
    peaked = pulses(prbs13q, 8, lambda f: _bessel(0.75)(f) * (1 + (f / BAUD / 0.5) ** 2) ** 0.75)
    free = tdecq(
        peaked, prbs13q, reference_filter_applied=False, method=replace(LATER_EDITIONS, least_main_tap=None)
    )
    held = tdecq(
        peaked,
        prbs13q,
        reference_filter_applied=False,
        method=replace(LATER_EDITIONS, least_main_tap=0.9),
    )
    assert free.taps[free.main_tap] < 0.89
    assert held.taps[held.main_tap] == pytest.approx(0.9, abs=1e-6)
    assert any("held at 0.9" in note for note in held.notes)
    assert held.tdecq_db >= free.tdecq_db - 0.002


def test_a_closed_eye_has_no_value(prbs13q, pulses):
    wave = pulses(prbs13q, 8, _bessel(0.12))
    with pytest.raises(EyeClosedError, match="without added noise"):
        tdecq(wave, prbs13q, reference_filter_applied=False)


def test_another_pattern_and_an_inverted_lane_are_named(seen, prbs13q, ssprq):
    with pytest.raises(SignalError, match="no multiple"):
        tdecq(seen, ssprq, reference_filter_applied=True)
    with pytest.raises(SignalError, match="upside down"):
        tdecq(seen, 3 - prbs13q, reference_filter_applied=True)
    with pytest.raises(SignalError, match="OMAouter"):
        tdecq(seen, prbs13q, reference_filter_applied=True, oma_outer_w=0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target_ser": 0.0},
        {"taps": 0},
        {"main_taps": (7,)},
        {"threshold_adjustment": 0.2},
        {"window_width_ui": 0.6},
    ],
)
def test_methods_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"got|one of"):
        TdecqMethod("wrong", **wrong)


def test_memory(ssprq, pulses):
    """A whole SSPRQ at 16 samples per symbol stays under 200 MB."""
    wave = pulses(ssprq, 16, _bessel(0.6))
    tracemalloc.start()
    tdecq(wave, ssprq, reference_filter_applied=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
