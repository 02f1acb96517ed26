"""What TDECQ costs: one record as long as SSPRQ (65 535 symbols, 16 samples per symbol) is to take under
250 ms on one core, tap optimisation included. Run with `make bench`, OPENBLAS_NUM_THREADS=1 for one core."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.signal.filters import bessel_thomson_4
from harness.signal.tdecq import tdecq
from harness.signal.waveform import Waveform

BAUD = 53.125e9


@pytest.fixture(scope="module")
def symbols() -> np.ndarray:
    """As many symbols as SSPRQ has, with the runs that OMAouter wants."""
    made = np.random.default_rng(1).integers(0, 4, 65535).astype(np.uint8)
    made[:13] = [0] * 6 + [3] * 7
    return made


@pytest.mark.parametrize("reference_filter_applied", [True, False])
@pytest.mark.parametrize("bandwidth_per_baud", [0.4, 0.75])
def test_tdecq_of_one_record(
    benchmark: BenchmarkFixture,
    symbols: np.ndarray,
    bandwidth_per_baud: float,
    reference_filter_applied: bool,
) -> None:
    stairs = Waveform(np.repeat(0.5e-3 + symbols / 3e3, 16), 16, BAUD)
    wave = bessel_thomson_4(stairs, bandwidth_per_baud * BAUD)
    if reference_filter_applied:
        wave = bessel_thomson_4(wave, 0.5 * BAUD)
    result = benchmark(tdecq, wave, symbols, reference_filter_applied=reference_filter_applied)
    assert 0.4 < result.tdecq_db < 2.5
