"""What TDECQ costs: one record of SSPRQ (65 535 symbols, 16 samples per symbol) is to take under
250 ms on one core, tap optimisation included. Run with `make bench`, OPENBLAS_NUM_THREADS=1 for one core."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.signal.filters import bessel_thomson_4
from harness.signal.patterns import pattern
from harness.signal.synthesis import pam4_waveform
from harness.signal.tdecq import tdecq

BAUD = 53.125e9


@pytest.fixture(scope="module")
def symbols() -> np.ndarray:
    return pattern("SSPRQ").symbols()


@pytest.mark.parametrize("reference_filter_applied", [True, False])
@pytest.mark.parametrize("bandwidth_per_baud", [0.4, 0.75])
def test_tdecq_of_one_record(
    benchmark: BenchmarkFixture,
    symbols: np.ndarray,
    bandwidth_per_baud: float,
    reference_filter_applied: bool,
) -> None:
    wave = pam4_waveform(
        symbols,
        (0.5e-3, 0.5e-3 + 1e-3 / 3, 0.5e-3 + 2e-3 / 3, 1.5e-3),
        samples_per_ui=16,
        symbol_rate_bd=BAUD,
        bandwidth_hz=bandwidth_per_baud * BAUD,
    )
    if reference_filter_applied:
        wave = bessel_thomson_4(wave, 0.5 * BAUD)
    result = benchmark(tdecq, wave, symbols, reference_filter_applied=reference_filter_applied)
    assert 0.4 < result.tdecq_db < 2.5
