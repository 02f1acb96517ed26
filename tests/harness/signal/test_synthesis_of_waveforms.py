"""Waveforms made from symbols, against the same signal made in the frequency domain at many more samples."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from harness.signal.filters import bessel_thomson_4_response, noise_autocorrelation
from harness.signal.synthesis import pam4_waveform
from harness.signal.tdecq import tdecq
from harness.signal.waveform import SignalError

BAUD = 53.125e9
LEVELS_W = (0.5e-3, 0.5e-3 + 1e-3 / 3, 0.5e-3 + 2e-3 / 3, 1.5e-3)


def _made(symbols, bandwidth_per_baud=0.5, samples_per_ui=16, **arguments):
    bandwidth_hz = None if bandwidth_per_baud is None else bandwidth_per_baud * BAUD
    return pam4_waveform(
        symbols,
        arguments.pop("levels_w", LEVELS_W),
        samples_per_ui=samples_per_ui,
        symbol_rate_bd=BAUD,
        bandwidth_hz=bandwidth_hz,
        **arguments,
    )


@pytest.mark.parametrize("transition_ui", [0.0, 0.4])
@pytest.mark.parametrize("bandwidth", [0.1, 0.5, 0.75])
def test_samples_are_those_of_the_continuous_signal(pulses, bandwidth, transition_ui):
    """At 256 samples per symbol nothing above half the sampling rate is left to be missed."""
    symbols = np.random.default_rng(3).integers(0, 4, 500).astype(np.uint8)

    def response(frequencies):
        filter_ = bessel_thomson_4_response(frequencies, bandwidth * BAUD)
        return filter_ * np.sinc(transition_ui * frequencies / BAUD)

    expected = pulses(symbols, 256, response).samples_w
    for per_ui in (2, 16):
        made = _made(symbols, bandwidth, per_ui, transition_ui=transition_ui)
        assert np.abs(made.samples_w - expected[:: 256 // per_ui]).max() < 1e-9 * 1e-3


def test_without_a_filter_there_are_steps_and_straight_edges(stairs):
    symbols = np.array([0, 3, 1, 2, 2], dtype=np.uint8)
    assert _made(symbols, None).samples_w == pytest.approx(stairs(symbols).samples_w, rel=1e-12)
    edges = _made(symbols, None, transition_ui=0.5).samples_w
    place = np.arange(-4, 5)
    assert edges[16 + place] == pytest.approx(0.5e-3 + 1e-3 * (0.5 + place / 8.0), rel=1e-12)


def test_a_record_shorter_than_the_filters_memory_goes_round():
    symbols = np.array([0, 3, 1], dtype=np.uint8)
    assert _made(symbols).samples_w == pytest.approx(_made(np.tile(symbols, 40)).samples_w[:48], abs=1e-12)


def test_noise_is_of_the_given_strength_and_spectrum():
    symbols = np.random.default_rng(4).integers(0, 4, 1 << 17).astype(np.uint8)
    clean = _made(symbols)
    noise = _made(symbols, noise_w=2e-5, rng=np.random.default_rng(5)).samples_w - clean.samples_w
    # 2^17 nearly independent values: 0.2 % rms of the rms.
    assert noise.std() == pytest.approx(2e-5, rel=8e-3)
    assert [noise[phase::16].std() for phase in range(16)] == pytest.approx([2e-5] * 16, rel=8e-3)
    seen = [float(np.mean(noise * np.roll(noise, 16 * lag))) / 4e-10 for lag in range(4)]
    assert seen == pytest.approx(noise_autocorrelation(4, 0.5 * BAUD, BAUD), abs=0.015)
    # Within a UI too: the transform of the filter's power response.
    x = np.linspace(0.0, 6.0, 6001)
    power = np.square(np.abs(bessel_thomson_4_response(x, 0.5)))
    expected = float(power @ np.cos(2 * np.pi * x * 0.25) / power.sum())
    assert float(np.mean(noise * np.roll(noise, 4))) / 4e-10 == pytest.approx(expected, abs=0.01)


def test_noise_can_differ_from_level_to_level():
    symbols = np.repeat(np.array([0, 3, 1, 2], dtype=np.uint8), 50_000)
    wanted = (0.0, 1e-6, 2e-6, 3e-6)
    for bandwidth in (0.5, None):
        made = _made(symbols, bandwidth, 4, noise_w=wanted, rng=np.random.default_rng(6))
        noise = made.samples_w - _made(symbols, bandwidth, 4).samples_w
        inner = [
            noise[4 * start + 400 : 4 * (start + 50_000) - 400].std()
            for start in (0, 100_000, 150_000, 50_000)
        ]
        assert inner == pytest.approx(wanted, rel=0.02, abs=1e-20)


def test_the_same_generator_gives_the_same_noise():
    symbols = np.array([0, 3, 1], dtype=np.uint8)
    first, second = (_made(symbols, noise_w=1e-5, rng=np.random.default_rng(7)).samples_w for _ in range(2))
    assert first.tolist() == second.tolist()


def test_noise_made_here_costs_what_it_should_in_tdecq(prbs13q):
    """Noise of half the found sigma_G leaves sqrt(1 - 0.25) of it: 0.625 dB."""
    clean = _made(prbs13q, 0.5, 8)
    free = tdecq(clean, prbs13q, reference_filter_applied=True)
    noisy = _made(np.tile(prbs13q, 8), 0.5, 8, noise_w=0.5 * free.sigma_g_w, rng=np.random.default_rng(8))
    found = tdecq(noisy, prbs13q, reference_filter_applied=True, oma_outer_w=free.oma_outer_w)
    assert found.tdecq_db - free.tdecq_db == pytest.approx(0.625, abs=0.05)


def test_memory():
    """Little beside the record itself: 8 bytes a sample."""
    symbols = np.random.default_rng(9).integers(0, 4, 1 << 15).astype(np.uint8)
    _made(symbols, noise_w=1e-5, rng=np.random.default_rng(1))
    tracemalloc.start()
    made = _made(symbols, noise_w=1e-5, rng=np.random.default_rng(1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * made.samples_w.nbytes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"levels_w": (0.0, 1.0)}, "four levels"),
        ({"samples_per_ui": 1}, "whole samples"),
        ({"samples_per_ui": 2.5}, "whole samples"),
        ({"bandwidth_per_baud": 0.01}, "1/64"),
        ({"transition_ui": 1.5}, "0 to 1 UI"),
        ({"noise_w": 1e-5}, "give rng"),
        ({"noise_w": -1.0}, "zero or above"),
        ({"noise_w": (1.0, 2.0)}, "each of the four"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(SignalError, match=message):
        _made(np.array([0, 3], dtype=np.uint8), **wrong)
    with pytest.raises(SignalError, match=r"0\.\.3"):
        _made(np.array([0, 4], dtype=np.uint8))
