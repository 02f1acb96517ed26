"""What the oscilloscope shows of a beam, measured by the signal library: the whole chain's check values."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.cmis.diagnostics.patterns import pattern_code
from harness.signal.filters import noise_bandwidth_hz
from harness.signal.pam4 import levels, outer_levels, rlm
from harness.signal.rin import Definition, noise_of_rin_w, rin_oma_db_hz, rin_oma_of_laser_db_hz, square_wave
from harness.signal.tdecq import tdecq
from harness.signal.waveform import aligned
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.light.oscilloscope import (
    NoClockError,
    NoPatternLockError,
    OscilloscopeFrontEnd,
    dark_trace_w,
    seen_by_oscilloscope,
)
from harness.simulation.light.symbols import symbols_of
from harness.simulation.noise import Noise
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern

BAUD = 53.125e9
CLEAN = OscilloscopeFrontEnd(0.5 * BAUD)
NOISY = OscilloscopeFrontEnd(0.5 * BAUD, noise_w=12e-6)
GOOD = Modulation(even_levels(5.0), bandwidth_hz=0.64 * BAUD)


def coded(name: str, **options: object) -> Pattern:
    return Pattern(pattern_code(name), **options)  # type: ignore[arg-type]


SSPRQ, PRBS13Q = coded("SSPRQ"), coded("PRBS13Q")
SQUARE = coded("user pattern", user=bytes([0xAA, 0xAA, 0x00, 0x00]) * 8)


def beam(
    pattern: Pattern | None,
    modulation: Modulation = GOOD,
    *,
    power_w: float = 1e-3,
    source: str = "module.tx1",
) -> Beam:
    return Beam(source, power_w, 1311.0, LineSignal((pattern,)), modulation)


@pytest.mark.parametrize(("bandwidth", "tdecq_db"), [(0.75, 0.73), (0.60, 0.97), (0.40, 1.92)])
def test_tdecq_of_a_slow_transmitter_is_the_reference_s(bandwidth: float, tdecq_db: float) -> None:
    """Check values: a transmitter of b fb in front of the reference receiver, +/-0.03 dB."""
    modulation = Modulation(even_levels(5.0), bandwidth_hz=bandwidth * BAUD)
    trace = seen_by_oscilloscope([beam(SSPRQ, modulation)], SSPRQ, CLEAN, samples_per_ui=8)
    result = tdecq(trace, symbols_of(SSPRQ), reference_filter_applied=True)
    assert result.tdecq_db == pytest.approx(tdecq_db, abs=0.03)


def test_levels_of_the_trace_are_those_of_the_beam() -> None:
    light = beam(PRBS13Q, replace(GOOD, levels=(0.49, 0.79, 1.14, 1.58)), power_w=0.8e-3)
    trace = aligned(seen_by_oscilloscope([light], None, CLEAN), symbols_of(PRBS13Q))
    outer = outer_levels(trace, symbols_of(PRBS13Q))
    assert 10.0 * math.log10(outer.oma_outer_w / light.oma_w) == pytest.approx(0.0, abs=0.02)
    assert outer.extinction_ratio_db == pytest.approx(light.modulation.extinction_ratio_db, abs=0.02)
    assert levels(trace, symbols_of(PRBS13Q)).rlm == pytest.approx(rlm(light.modulation.levels), abs=0.005)


@pytest.mark.parametrize("definition", ["modulation_power", "oma"])
def test_rin_of_the_square_wave_is_what_the_laser_s_means(definition: Definition) -> None:
    light = beam(SQUARE, replace(GOOD, rin_db_hz=-140.0))
    trace = seen_by_oscilloscope(
        [light], SQUARE, NOISY, samples_per_ui=8, periods=400, rng=Noise(2).generator("rin")
    )
    seen = square_wave(aligned(trace, symbols_of(SQUARE)))
    band_hz = noise_bandwidth_hz(NOISY.bandwidth_hz)
    rin = rin_oma_db_hz(
        seen.noise_w, seen.outer.oma_outer_w, band_hz, scope_noise_w=NOISY.noise_w, definition=definition
    )
    expected = rin_oma_of_laser_db_hz(-140.0, 5.0, definition=definition)
    assert rin == pytest.approx(expected, abs=0.15)
    p3_w, p0_w = light.power_w * light.modulation.levels[3], light.power_w * light.modulation.levels[0]
    # The laser's noise on each level stands to the other as the levels do.
    own = [math.sqrt(noise**2 - NOISY.noise_w**2) for noise in (seen.noise_high_w, seen.noise_low_w)]
    assert own[0] / own[1] == pytest.approx(p3_w / p0_w, rel=0.1)
    assert math.hypot(*own) / math.sqrt(2.0) == pytest.approx(
        noise_of_rin_w(expected, light.oma_w, band_hz, definition=definition), rel=0.03
    )


def test_tdecq_credits_the_oscilloscope_s_noise() -> None:
    light = [beam(SSPRQ)]
    clean = seen_by_oscilloscope(light, None, CLEAN, samples_per_ui=8)
    noisy = seen_by_oscilloscope(light, None, NOISY, samples_per_ui=8, rng=Noise(1).generator("a"))
    symbols = symbols_of(SSPRQ)
    expected = tdecq(clean, symbols, reference_filter_applied=True).tdecq_db
    corrected = tdecq(noisy, symbols, reference_filter_applied=True, scope_noise_w=NOISY.noise_w)
    blind = tdecq(noisy, symbols, reference_filter_applied=True)
    assert corrected.tdecq_db == pytest.approx(expected, abs=0.05)
    assert blind.tdecq_db > expected + 0.1


def test_averages_divide_the_noise_by_their_square_root() -> None:
    light = [beam(PRBS13Q, replace(GOOD, rin_db_hz=-140.0))]
    still = seen_by_oscilloscope(light, None, NOISY, samples_per_ui=8)
    noises = [
        seen_by_oscilloscope(light, None, NOISY, samples_per_ui=8, averages=n, rng=Noise(1).generator("a", n))
        for n in (1, 64)
    ]
    one, many = (float((trace.samples_w - still.samples_w).std()) for trace in noises)
    assert one / many == pytest.approx(8.0, rel=0.05)


def test_dark_and_lit_noise_are_the_front_end_s() -> None:
    rng = Noise(1).generator("dark")
    dark_w = dark_trace_w(NOISY, 1 << 16, sampling_rate_hz=8 * BAUD, rng=rng)
    assert float(dark_w.std()) == pytest.approx(NOISY.noise_w, rel=0.03)
    light = [beam(PRBS13Q)]
    lit = seen_by_oscilloscope(light, None, NOISY, samples_per_ui=8, rng=rng).samples_w
    lit = lit - seen_by_oscilloscope(light, None, NOISY, samples_per_ui=8).samples_w
    assert float(lit.std()) == pytest.approx(NOISY.noise_w, rel=0.03)


def test_without_the_filter_the_trace_is_faster_and_noisier() -> None:
    wide = replace(NOISY, filter_on=False, channel_bandwidth_hz=60e9)
    assert wide.noise_now_w == pytest.approx(NOISY.noise_w * math.sqrt(60e9 / NOISY.bandwidth_hz))
    edges = [
        float(
            np.abs(
                np.diff(seen_by_oscilloscope([beam(PRBS13Q)], None, end, samples_per_ui=8).samples_w)
            ).max()
        )
        for end in (wide, NOISY)
    ]
    assert edges[0] > 1.2 * edges[1]
    with pytest.raises(ValueError, match="channel_bandwidth_hz"):
        seen_by_oscilloscope([beam(PRBS13Q)], None, replace(NOISY, filter_on=False))


def test_a_trace_belongs_to_seed_and_key() -> None:
    light = [beam(PRBS13Q, replace(GOOD, rin_db_hz=-140.0))]

    def trace(seed: int, *key: str | int) -> np.ndarray:
        rng = Noise(seed).generator(*key)
        return seen_by_oscilloscope(light, None, NOISY, samples_per_ui=4, rng=rng).samples_w

    first = trace(1, "scope", "1A", 10)
    assert np.array_equal(first, trace(1, "scope", "1A", 10))
    assert not np.array_equal(first, trace(1, "scope", "1A", 11))
    assert not np.array_equal(first, trace(2, "scope", "1A", 10))


def test_light_of_another_pattern_runs_through_the_trace_and_averages_out() -> None:
    light = [beam(PRBS13Q), beam(None, power_w=0.1e-3, source="module.tx2")]
    still = seen_by_oscilloscope(light[:1], None, CLEAN, samples_per_ui=4).samples_w + 0.1e-3
    rng = Noise(4).generator("a")
    once, often = (
        seen_by_oscilloscope(light, None, CLEAN, samples_per_ui=4, averages=n, rng=rng).samples_w
        for n in (1, 400)
    )
    assert float((once - still).std()) == pytest.approx(20.0 * float((often - still).std()), rel=0.1)
    assert float((once - still).std()) > 0.2 * light[1].oma_w


@pytest.mark.parametrize(
    "beams",
    [
        [],
        [beam(SSPRQ, power_w=0.0)],
        [Beam("leak", 1e-6, 1311.0)],
        [replace(beam(SSPRQ), signal=None)],
        [beam(SSPRQ, power_w=1e-6)],
    ],
    ids=["dark", "no power", "leak", "no signal", "too weak"],
)
def test_without_modulated_light_there_is_no_clock(beams: list[Beam]) -> None:
    with pytest.raises(NoClockError):
        seen_by_oscilloscope(beams, None, replace(CLEAN, clock_oma_w=50e-6))


@pytest.mark.parametrize(
    ("light", "words"),
    [
        (beam(coded("PRBS31Q")), "2147483647 symbols"),
        (replace(beam(None), signal=TRAFFIC), "traffic"),
        (replace(beam(None), signal=LineSignal((SSPRQ, SSPRQ))), "multiplexed"),
        (beam(coded("custom")), "custom"),
        (beam(PRBS13Q), "another pattern"),
    ],
)
def test_what_does_not_repeat_or_is_not_the_one_wanted_is_not_locked_on(light: Beam, words: str) -> None:
    with pytest.raises(NoPatternLockError, match=words):
        seen_by_oscilloscope([light], SSPRQ, CLEAN)


def test_the_same_symbols_under_another_code_are_locked_on() -> None:
    twice = coded("user pattern", user=SQUARE.user[:4])
    longer = coded("user pattern", user=bytes([0xAA, 0xAA, 0, 0]))
    assert seen_by_oscilloscope([beam(twice)], longer, CLEAN, samples_per_ui=4).symbols == 16
