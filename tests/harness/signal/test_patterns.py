"""Test patterns against their published digests and against a register stepped bit by bit."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal.patterns import (
    PRBS,
    packed_levels,
    pam4_levels,
    pattern,
    repeating_pattern,
)

PAM4_NAMES = [f"{name}Q" for name in PRBS]
SHORT = ["PRBS7", "PRBS9", "PRBS11", "PRBS13", "PRBS15"]


def _digest(symbols):
    assert symbols.dtype == np.uint8
    return sha256(symbols.tobytes()).hexdigest()


def _text(symbols):
    return "".join(str(symbol) for symbol in symbols)


def _run_starts(symbols, level, length):
    """Starts of runs of just that length, round the pattern's end."""
    row = _text(np.concatenate([symbols, symbols[:length]]))
    run = str(level) * length
    return [at for at in range(symbols.size) if row.startswith(run, at)]


def _stepped(name, bits):
    """The register as optics books draw it."""
    generator = PRBS[name]
    stages = [generator.seed >> stage & 1 for stage in range(generator.order)]
    sent = []
    for _ in range(bits):
        fed_back = 0
        for tap in generator.taps:
            fed_back ^= stages[tap - 1]
        sent.append(fed_back ^ generator.inverted)
        stages = [fed_back, *stages[:-1]]
    return np.array(sent, dtype=np.uint8)


def test_prbs13q():
    symbols = pattern("PRBS13Q").symbols()
    assert symbols.shape == (8191,)
    assert _text(symbols).startswith("1031320220111130103121231210012102121023131112")
    assert _digest(symbols) == "13c35313f944a67a294d841d43c621c0232fbd3723a635d405c6e52224becfc9"
    assert np.bincount(symbols).tolist() == [2047, 2048, 2048, 2048]
    assert _run_starts(symbols, 3, 7) == [6916]
    assert _run_starts(symbols, 0, 6) == [6012]


def test_prbs31q():
    symbols = pattern("prbs31q").symbols(65536)
    assert _text(symbols).startswith("22222222222222012222222222220002222222222201201222")
    assert _digest(symbols) == "caa773249025ff047c5a92633234d03940f430dd92030e41d83b46ec4952f7df"


def test_ssprq(ssprq):
    symbols = pattern("SSPRQ").symbols()
    assert symbols.shape == (65535,)
    assert _text(symbols).startswith("2222222222222132222222222221221222222222213213222222222122222122")
    assert np.bincount(symbols).tolist() == [15215, 17553, 17552, 15215]
    assert _digest(symbols) == "f17f5effb8e68863e5355258186456e1c3b3c48b5519c1a0c46dac855fae3582"
    assert np.array_equal(symbols, ssprq)


@pytest.mark.parametrize("name", PRBS)
def test_generators_step_by_step(name):
    """Long enough for every width of stretch."""
    assert np.array_equal(pattern(name).bits(9000), _stepped(name, 9000))


@pytest.mark.parametrize("name", SHORT)
def test_periods(name):
    """Each window but that of zeros once in a period, as of a register of greatest period only."""
    sent = pattern(name)
    order = PRBS[name].order
    bits = sent.bits(sent.period_bits + order - 1) ^ PRBS[name].inverted
    windows = sum(bits[place : place + sent.period_bits].astype(int) << place for place in range(order))
    assert np.array_equal(np.sort(windows), np.arange(1, 2**order))


@pytest.mark.parametrize(("name", "zeros"), [("PRBS9", 8), ("PRBS11", 10), ("PRBS13", 12), ("PRBS15", 15)])
def test_longest_run_of_zeros(name, zeros):
    """As ITU-T O.150 tells inverted sequences from others by."""
    bits = pattern(name).bits(2 * pattern(name).period_bits)
    assert max(len(run) for run in _text(bits).split("1")) == zeros


@pytest.mark.parametrize("name", [*PRBS, *PAM4_NAMES, "SSPRQ"])
def test_any_cut_is_the_same_pattern(name):
    sent = pattern(name)
    period = sent.period_bits
    for first in (0, 1, 7, 8, 131, 4099, period - 3, 5 * period + 2, -1):
        cut = sent.bits(200, first=first)
        assert np.array_equal(cut[9:], sent.bits(191, first=first + 9))
        assert np.array_equal(cut, sent.bits(200, first=first + period))


@given(name=st.sampled_from(sorted(PRBS)), place=st.integers(0, 2**31), count=st.integers(0, 700))
@settings(max_examples=60)
def test_windows_and_their_places(name, place, count):
    generator = PRBS[name]
    place %= generator.period
    window = generator.window(place)
    row = pattern(name, inverted=False).bits(generator.order + count, first=place)
    assert [window >> bit & 1 for bit in range(generator.order)] == row[: generator.order].tolist()
    assert generator.place(window) == place
    assert np.array_equal(
        row[count:], pattern(name, inverted=False).bits(generator.order, first=place + count)
    )


def test_no_such_window():
    with pytest.raises(ValueError, match="no window"):
        PRBS["PRBS31"].place(0)
    with pytest.raises(ValueError, match="no window"):
        PRBS["PRBS7"].place(128)


@pytest.mark.parametrize("name", PAM4_NAMES)
def test_q_patterns_are_gray_coded_pairs(name):
    sent, bits = pattern(name), pattern(name.removesuffix("Q"))
    assert sent.period_symbols == bits.period_bits
    levels = {(0, 0): 0, (0, 1): 1, (1, 1): 2, (1, 0): 3}
    pairs = bits.bits(1000).reshape(-1, 2).tolist()
    assert sent.symbols(500).tolist() == [levels[first, second] for first, second in pairs]
    assert np.array_equal(sent.symbols(300, first=200), sent.symbols(500)[200:])


def test_the_other_convention():
    assert np.array_equal(pattern("PRBS31", inverted=False).bits(999), 1 - pattern("PRBS31").bits(999))
    assert np.array_equal(pattern("PRBS9", inverted=True).bits(999), 1 - pattern("PRBS9").bits(999))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=70))
def test_levels_packed_and_back(levels):
    packed = packed_levels(np.array(levels))
    assert packed.size == (len(levels) + 3) // 4
    assert pam4_levels(packed, len(levels)).tolist() == levels


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(-100, 100), st.integers(1, 150))
def test_patterns_of_ones_own(levels, first, count):
    sent = repeating_pattern(np.array(levels))
    assert sent.period_symbols == len(levels)
    expected = [levels[(first + place) % len(levels)] for place in range(count)]
    assert sent.symbols(count, first=first).tolist() == expected
    bits = repeating_pattern(np.array(levels) % 2, bits_per_symbol=1)
    assert bits.symbols(count, first=first).tolist() == [level % 2 for level in expected]


def test_what_is_no_pattern():
    for name in ("PRBS8", "SSPRQQ", "Q", ""):
        with pytest.raises(ValueError, match="is no pattern known here"):
            pattern(name)
    with pytest.raises(ValueError, match=r"0\.\.3"):
        repeating_pattern(np.array([0, 4]))
    with pytest.raises(ValueError, match="one row of whole numbers"):
        repeating_pattern(np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="below zero"):
        pattern("PRBS31").packed(-1)
    with pytest.raises(ValueError, match="hold 4 symbols"):
        pam4_levels(np.zeros(1, dtype=np.uint8), 5)
