"""What patterns and error counting cost: PRBS31 made and captured bits compared at 1e9 bit/s or better, on
one core. Run with `make bench`; ``bit_per_s`` in the extra information is from the fastest round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.signal.counting import count_errors, count_errors_packed
from harness.signal.kp4 import histogram_of, margin_from_histogram, symbol_errors_per_codeword
from harness.signal.patterns import pattern

BITS = 1 << 27


def _timed(benchmark: BenchmarkFixture, bits: int, job: Callable[[], Any]) -> Any:
    result = benchmark.pedantic(job, rounds=5, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["bit_per_s"] = f"{bits / benchmark.stats.stats.min:.3g}"
    return result


@pytest.mark.parametrize("name", ["PRBS31", "PRBS23", "PRBS13", "SSPRQ"])
def test_packed_pattern(benchmark: BenchmarkFixture, name: str) -> None:
    sent = pattern(name)
    packed = _timed(benchmark, BITS, lambda: sent.packed(BITS, first=12_345))
    assert packed.size == BITS // 8


def test_pam4_symbols(benchmark: BenchmarkFixture) -> None:
    symbols = _timed(benchmark, BITS // 4, lambda: pattern("PRBS31Q").symbols(BITS // 8))
    assert symbols.size == BITS // 8


@pytest.fixture(scope="module")
def wrong() -> np.ndarray:
    """Places of errors at the FEC limit."""
    rng = np.random.default_rng(1)
    return np.unique(rng.integers(0, BITS, int(2.4e-4 * BITS)))


@pytest.mark.parametrize("name", ["PRBS31", "PRBS31Q", "SSPRQ"])
def test_count_on_packed_bits(benchmark: BenchmarkFixture, name: str, wrong: np.ndarray) -> None:
    captured = pattern(name).packed(BITS, first=98)
    np.bitwise_xor.at(captured, wrong // 8, (1 << wrong % 8).astype(np.uint8))
    counted = _timed(benchmark, BITS, lambda: count_errors_packed(captured, BITS, pattern(name)))
    assert counted.errors == wrong.size


@pytest.mark.parametrize("name", ["PRBS31", "PRBS31Q"])
def test_count_on_symbols(benchmark: BenchmarkFixture, name: str) -> None:
    """One bit or PAM4 symbol to a byte, as a capture comes from an error detector's memory."""
    sent = pattern(name)
    captured = sent.symbols(BITS // sent.bits_per_symbol, first=99)
    captured[:: 1 << 12] ^= 1
    bits = captured.size * sent.bits_per_symbol
    assert _timed(benchmark, bits, lambda: count_errors(captured, sent)).errors == captured.size >> 12


def test_fec_histogram_and_margin(benchmark: BenchmarkFixture, wrong: np.ndarray) -> None:
    def judged() -> float:
        histogram = histogram_of(symbol_errors_per_codeword(wrong, BITS))
        return margin_from_histogram(histogram).codeword_error_ratio

    assert 1e-13 < _timed(benchmark, BITS, judged) < 1e-11
