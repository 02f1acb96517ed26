"""The same work done here and by galois: PRBS31 made, and wrong symbols counted in codewords of RS(544,514).

Runs where galois is installed, which the project does not need. Results are held against each other before
anything is timed. serdespy makes PRBS31 as one whole period of 2^31 - 1 bits, a bit at a time, and cannot be
asked for less: it is not timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.signal.kp4 import histogram_of, symbol_errors_per_codeword
from harness.signal.patterns import pattern

galois = pytest.importorskip("galois")

BITS = 1 << 18
CODEWORDS = 64
SYMBOLS = 544


def _rate(benchmark: BenchmarkFixture, name: str, amount: int) -> None:
    if benchmark.stats is not None:
        benchmark.extra_info[name] = f"{amount / benchmark.stats.stats.min:.3g}"


def _register() -> Any:
    """x^31 + x^28 + 1 by a Fibonacci register, all ones."""
    made = galois.FLFSR(galois.Poly.Degrees([31, 28, 0]), state=[1] * 31)
    made.step(31)  # What comes out first is the state itself.
    return made


def _bits_of(register: Any) -> np.ndarray:
    """PRBS31 is sent inverted."""
    return 1 - np.asarray(register.step(BITS), dtype=np.uint8)


@pytest.mark.benchmark(group="PRBS31")
def test_prbs31_by_galois(benchmark: BenchmarkFixture) -> None:
    assert np.array_equal(_bits_of(_register()), pattern("PRBS31").bits(BITS))
    register = _register()
    benchmark.pedantic(lambda: _bits_of(register), rounds=3, warmup_rounds=1)
    _rate(benchmark, "bit_per_s", BITS)


@pytest.mark.benchmark(group="PRBS31")
def test_prbs31_here(benchmark: BenchmarkFixture) -> None:
    sent = pattern("PRBS31")
    made = benchmark.pedantic(lambda: sent.bits(BITS), rounds=5, warmup_rounds=1)
    assert made.size == BITS
    _rate(benchmark, "bit_per_s", BITS)


@pytest.fixture(scope="module")
def damaged() -> tuple[Any, np.ndarray, np.ndarray]:
    """The code, codewords with 0 to 15 wrong symbols, shape (codewords, 544), and the places of the wrong
    bits in the row of all of them, first bit the most significant."""
    field = galois.GF(2**10, irreducible_poly=galois.Poly.Degrees([10, 3, 0]))
    # Shortened from the code of 1023 symbols; its first root is 1.
    code = galois.ReedSolomon(1023, 993, field=field, alpha=field(2), c=0)
    rng = np.random.default_rng(31)
    sent = code.encode(field(rng.integers(0, 1024, (CODEWORDS, 514))))
    places = np.sort(
        np.concatenate(
            [
                (word * SYMBOLS + rng.choice(SYMBOLS, word % 16, replace=False)) * 10
                + rng.integers(0, 10, word % 16)
                for word in range(CODEWORDS)
            ]
        )
    )
    received = np.array(sent, dtype=np.uint16)
    received.reshape(-1)[places // 10] ^= (1 << (9 - places % 10)).astype(np.uint16)
    return code, field(received), places


@pytest.mark.benchmark(group="codewords")
def test_codewords_by_galois(
    benchmark: BenchmarkFixture, damaged: tuple[Any, np.ndarray, np.ndarray]
) -> None:
    code, received, _ = damaged
    found = benchmark.pedantic(lambda: code.decode(received, errors=True)[1], rounds=3, warmup_rounds=1)
    assert np.asarray(found).tolist() == [word % 16 for word in range(CODEWORDS)]
    _rate(benchmark, "codewords_per_s", CODEWORDS)


@pytest.mark.benchmark(group="codewords")
def test_codewords_here(benchmark: BenchmarkFixture, damaged: tuple[Any, np.ndarray, np.ndarray]) -> None:
    """From the places of the errors, which a bit error tester knows and a decoder does not: less work."""
    places = damaged[2]
    bits = CODEWORDS * SYMBOLS * 10
    counted = benchmark.pedantic(
        lambda: symbol_errors_per_codeword(places, bits, interleaved=1), rounds=5, warmup_rounds=1
    )
    assert counted.tolist() == [word % 16 for word in range(CODEWORDS)]
    assert histogram_of(counted)[:16].tolist() == [CODEWORDS // 16] * 16
    _rate(benchmark, "codewords_per_s", CODEWORDS)
