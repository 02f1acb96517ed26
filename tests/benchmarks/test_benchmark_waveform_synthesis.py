"""What a waveform costs: 2^20 PAM4 symbols with noise and bandwidth at 16 samples per symbol are to take
under 1 s. Run with `make bench`, OPENBLAS_NUM_THREADS=1 for one core."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.signal.patterns import pattern
from harness.signal.synthesis import pam4_waveform

BAUD = 53.125e9
LEVELS_W = (0.5e-3, 0.5e-3 + 1e-3 / 3, 0.5e-3 + 2e-3 / 3, 1.5e-3)


@pytest.mark.parametrize(
    "noise_w", [0.0, 1e-5, (0.5e-5, 0.7e-5, 0.9e-5, 1.1e-5)], ids=["clean", "even", "by_level"]
)
def test_a_million_symbols(benchmark: BenchmarkFixture, noise_w: float | tuple[float, ...]) -> None:
    symbols = pattern("PRBS31Q").symbols(1 << 20)
    rng = np.random.default_rng(1)

    def made() -> float:
        wave = pam4_waveform(
            symbols,
            LEVELS_W,
            samples_per_ui=16,
            symbol_rate_bd=BAUD,
            bandwidth_hz=0.5 * BAUD,
            noise_w=noise_w,
            rng=rng,
        )
        return wave.average_power_w

    assert benchmark.pedantic(made, rounds=5, warmup_rounds=1) == pytest.approx(1e-3, rel=0.01)
