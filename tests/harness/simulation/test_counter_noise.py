"""Noise by key: the same number for the same seed and key, whatever was asked before."""

from __future__ import annotations

import hashlib
import itertools
import math
import statistics
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation import noise as noise_module
from harness.simulation.noise import Noise

keys = st.lists(st.text(alphabet="abcxyz_", max_size=6) | st.integers(0, 10**12), min_size=1, max_size=4)


@given(seed=st.integers(-(2**63), 2**63), key=keys)
def test_the_same_key_gives_the_same_number(seed, key):
    assert Noise(seed).uniform(*key) == Noise(seed).uniform(*key)
    assert Noise(seed).normal(*key) == Noise(seed).normal(*key)
    assert 0.0 < Noise(seed).uniform(*key) < 1.0
    assert math.isfinite(Noise(seed).normal(*key))


@given(first=keys, second=keys)
def test_the_order_of_asking_does_not_matter(first, second):
    one, other = Noise(7), Noise(7)
    forwards = (one.uniform(*first), one.normal(*second))
    backwards = (other.normal(*second), other.uniform(*first))
    assert forwards == backwards[::-1]


def test_a_known_number():
    # The keyed digest, by hand: BLAKE2b of the parts joined by 1Fh, the seed as 16 bytes of key.
    digest = hashlib.blake2b(b"meter\x1f3\x1f1000", digest_size=8, key=(42).to_bytes(16, "little")).digest()
    expected = int.from_bytes(digest, "little") / 2.0**64
    assert Noise(42).uniform("meter", 3, 1000) == pytest.approx(expected, abs=2.0**-50)
    assert Noise(42).normal("meter", 3, 1000) == pytest.approx(NormalDist().inv_cdf(expected), abs=1e-9)


def test_other_seeds_and_other_keys_give_other_numbers():
    numbers = [Noise(seed).uniform("x", key) for seed in range(50) for key in range(50)]
    assert len(set(numbers)) == 2500
    assert Noise(1).uniform("ab", "c") != Noise(1).uniform("a", "bc")
    assert Noise(1).uniform("a", 11) != Noise(1).uniform("a", 1, 1)


def test_uniform_numbers_are_uniform():
    source = Noise(2026)
    numbers = sorted(source.uniform("u", index) for index in range(4000))
    assert statistics.fmean(numbers) == pytest.approx(0.5, abs=0.015)
    assert statistics.pvariance(numbers) == pytest.approx(1.0 / 12.0, rel=0.05)
    # Kolmogorov-Smirnov against the straight line: 1.63 / sqrt(n) at 1 %
    worst = max(abs(number - (index + 0.5) / 4000) for index, number in enumerate(numbers))
    assert worst < 1.63 / math.sqrt(4000)


def test_normal_numbers_are_normal():
    source = Noise(2026)
    numbers = [source.normal("n", index) for index in range(4000)]
    assert statistics.fmean(numbers) == pytest.approx(0.0, abs=0.05)
    assert statistics.pstdev(numbers) == pytest.approx(1.0, abs=0.04)
    beyond_two = sum(abs(number) > 2.0 for number in numbers) / 4000
    assert beyond_two == pytest.approx(0.0455, abs=0.01)


def test_neighbouring_times_are_not_correlated():
    source = Noise(1)
    numbers = [source.normal("port", 1, time_ns) for time_ns in range(0, 4_000_000, 1000)]
    pairs = list(itertools.pairwise(numbers))
    assert abs(statistics.correlation([a for a, _ in pairs], [b for _, b in pairs])) < 0.05


@pytest.mark.parametrize("mean", [0.3, 4.0, 29.0, 31.0, 1e4])
def test_counts_of_rare_events_have_their_mean_as_variance(mean):
    source = Noise(7)
    counts = [source.poisson(mean, "errors", index) for index in range(4000)]
    assert statistics.fmean(counts) == pytest.approx(mean, abs=4 * math.sqrt(mean / 4000))
    assert statistics.pvariance(counts) == pytest.approx(mean, rel=0.12)
    assert counts == [source.poisson(mean, "errors", index) for index in range(4000)]


def test_what_never_happens_is_never_counted():
    assert {Noise(seed).poisson(0.0, "errors") for seed in range(20)} == {0}
    assert {Noise(seed).poisson(1e-9, "errors") for seed in range(20)} == {0}


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_the_ends_of_the_range_stay_inside_it(monkeypatch, byte):
    # 1.0 has no place in a normal distribution.
    class Digest:
        def digest(self) -> bytes:
            return bytes([byte]) * 8

    monkeypatch.setattr(noise_module.hashlib, "blake2b", lambda *_, **__: Digest())
    assert 0.0 < Noise(1).uniform("k") < 1.0
    assert math.isfinite(Noise(1).normal("k"))
    assert all(0 <= Noise(1).poisson(mean, "k") < 1e5 for mean in (1e-9, 1.0, 30.0, 1e4))
