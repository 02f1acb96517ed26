"""Symbols of a lane from the codes of its pattern generator."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from drivers.cmis.diagnostics.patterns import pattern_code
from harness.signal.patterns import pattern as bit_pattern
from harness.simulation.light.symbols import UnknownPatternError, period_symbols, symbols_of
from harness.simulation.noise import Noise
from harness.simulation.signals import UNKNOWN, Pattern


def coded(name: str, **options: object) -> Pattern:
    return Pattern(pattern_code(name), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("PRBS13Q", "13c35313f944a67a294d841d43c621c0232fbd3723a635d405c6e52224becfc9"),
        ("SSPRQ", "f17f5effb8e68863e5355258186456e1c3b3c48b5519c1a0c46dac855fae3582"),
    ],
)
def test_one_period_of_a_pattern_is_its_published_one(name: str, digest: str) -> None:
    assert sha256(symbols_of(coded(name)).tobytes()).hexdigest() == digest


def test_long_patterns_are_cut_to_a_length() -> None:
    digest = "caa773249025ff047c5a92633234d03940f430dd92030e41d83b46ec4952f7df"
    assert sha256(symbols_of(coded("PRBS31Q"), 65536).tobytes()).hexdigest() == digest
    assert period_symbols(coded("PRBS31Q")) == 2**31 - 1
    with pytest.raises(UnknownPatternError, match="2147483647 symbols"):
        symbols_of(coded("PRBS31Q"))


def test_a_count_beyond_the_period_repeats_it() -> None:
    one = symbols_of(coded("PRBS7Q"))
    assert one.size == 127
    assert np.array_equal(symbols_of(coded("PRBS7Q"), 300), np.tile(one, 3)[:300])


def test_inverted_data_are_upside_down_and_swapped_ones_exchange_the_bits() -> None:
    plain = symbols_of(coded("PRBS9Q"))
    bits = bit_pattern("PRBS9Q").bits(2 * plain.size).reshape(-1, 2)
    swapped = np.array([0, 1, 3, 2])[2 * bits[:, 1] + bits[:, 0]]
    assert np.array_equal(symbols_of(coded("PRBS9Q", inverted=True)), 3 - plain)
    assert np.array_equal(symbols_of(coded("PRBS9Q", bytes_swapped=True)), swapped)
    assert np.array_equal(symbols_of(coded("PRBS9Q", inverted=True, bytes_swapped=True)), 3 - swapped)


def test_a_pattern_of_one_bit_a_symbol_uses_the_outer_levels() -> None:
    bits = bit_pattern("PRBS9").symbols()
    assert np.array_equal(symbols_of(coded("PRBS9")), 3 * bits)
    assert np.array_equal(symbols_of(coded("PRBS9", inverted=True)), 3 - 3 * bits)


def test_a_user_pattern_makes_the_square_wave() -> None:
    square = coded("user pattern", user=bytes([0xAA, 0xAA, 0x00, 0x00]) * 8)
    assert np.array_equal(symbols_of(square), np.tile(np.repeat([3, 0], 8), 8))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [(coded("custom"), "custom"), (Pattern(13), "13"), (coded("user pattern"), "13h:224-255")],
)
def test_codes_without_defined_symbols_are_refused(pattern: Pattern, words: str) -> None:
    with pytest.raises(UnknownPatternError, match=words):
        symbols_of(pattern, 100)


@pytest.mark.parametrize("pattern", [None, UNKNOWN])
def test_traffic_is_random_and_belongs_to_its_key(pattern: Pattern | None) -> None:
    assert period_symbols(pattern) is None
    noise = Noise(3)
    drawn = symbols_of(pattern, 40_000, rng=noise.generator("lane", 1))
    counts = np.bincount(drawn, minlength=4)
    assert float((np.square(counts - 1e4) / 1e4).sum()) < 21.1  # chi-squared, 3 degrees of freedom, 1e-4
    assert np.array_equal(drawn, symbols_of(pattern, 40_000, rng=noise.generator("lane", 1)))
    assert not np.array_equal(drawn, symbols_of(pattern, 40_000, rng=noise.generator("lane", 2)))
    with pytest.raises(UnknownPatternError, match="does not repeat"):
        symbols_of(pattern)
