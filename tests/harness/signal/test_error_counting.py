"""Pattern lock and error counting: every error put in is found in its place, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal.counting import (
    NoLockError,
    count_errors,
    count_errors_packed,
    find_lock,
    level_confusion,
)
from harness.signal.patterns import pattern, repeating_pattern

NRZ = ["PRBS7", "PRBS9", "PRBS13", "PRBS15", "PRBS23", "PRBS31"]
PAM4 = ["PRBS7Q", "PRBS13Q", "PRBS31Q", "SSPRQ"]


def _upside_down(symbols, sent):
    return (2**sent.bits_per_symbol - 1 - symbols).astype(np.uint8)


def _with_errors(bits, places):
    spoilt = bits.copy()
    spoilt[places] ^= 1
    return spoilt


@given(
    name=st.sampled_from(NRZ),
    first=st.integers(0, 2**31),
    inverted=st.booleans(),
    count=st.integers(3000, 9000),
    places=st.sets(st.integers(0, 2999), max_size=40),
)
@settings(max_examples=60)
def test_bit_errors_in_their_places(name, first, inverted, count, places):
    sent = pattern(name)
    first %= sent.period_bits
    captured = _with_errors(sent.bits(count, first=first), sorted(places))
    result = count_errors(_upside_down(captured, sent) if inverted else captured, sent)
    assert result.positions.tolist() == sorted(places)
    assert result.symbol_positions.tolist() == sorted(places)
    assert (result.lock.offset_bits, result.lock.inverted) == (first, inverted)
    assert (result.bits, result.slips, result.lost) == (count, (), ())
    assert result.bit_error_ratio == len(places) / count


@pytest.mark.parametrize("name", PAM4)
@pytest.mark.parametrize("inverted", [False, True])
def test_symbol_errors_in_their_places(name, inverted):
    sent = pattern(name)
    # SSPRQ is all there: a part of it may be another, upside down.
    count, first = 70_000, 4321
    symbols = sent.symbols(count, first=first)
    places = np.array([0, 5, 17, 18, 40_000, 65_535, 69_999])
    captured = symbols.copy()
    captured[places] = np.where(symbols[places] == 0, 1, symbols[places] - 1)
    result = count_errors(_upside_down(captured, sent) if inverted else captured, sent)
    assert result.symbol_positions.tolist() == places.tolist()
    assert result.errors == places.size, "neighbouring levels differ in one bit"
    assert result.symbol_error_ratio == places.size / count
    assert result.lock.inverted is inverted
    assert result.lock.offset_bits == 2 * first % sent.period_bits


def test_an_error_over_two_levels_is_two_bits():
    sent = pattern("PRBS13Q")
    captured = sent.symbols(5000)
    place = int(np.flatnonzero(captured[:1000] == 0)[0])
    captured[place] = 2
    result = count_errors(captured, sent)
    assert (result.errors, result.symbol_positions.tolist()) == (2, [place])


@pytest.mark.parametrize("name", [*NRZ, *PAM4])
@pytest.mark.parametrize("ratio", [1e-3, 0.03])
def test_many_errors(name, ratio):
    sent = pattern(name)
    bits = 200_000
    packed = sent.packed(bits, first=2 * 777)
    wrong = np.random.default_rng(3).random(bits) < ratio
    captured = packed ^ np.packbits(wrong, bitorder="little")
    result = count_errors_packed(captured, bits, sent)
    assert np.array_equal(result.positions, np.flatnonzero(wrong))
    assert not result.slips
    assert not result.lost


@pytest.mark.parametrize("name", ["PRBS9", "PRBS31", "PRBS13Q", "PRBS31Q", "SSPRQ"])
@pytest.mark.parametrize("slipped", [-3, -1, 1, 2, 40])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_slip_is_no_bit_error(name, slipped, inverted):
    """Symbols lost (above zero) or put in, between errors before and behind."""
    sent, at = pattern(name), 100_123
    before = sent.symbols(at, first=50)
    extra = before[:-slipped] if slipped < 0 else before[:0]
    behind = sent.symbols(90_000, first=50 + at + max(slipped, 0))
    captured = np.concatenate([before, extra, behind])
    for place in (10, 60_000, at + 5000):
        captured[place] ^= 1
    if inverted:
        captured = _upside_down(captured, sent)
    result = count_errors(captured, sent)
    step = sent.bits_per_symbol
    assert [slip.bits for slip in result.slips] == [step * slipped]
    # Bits that happen to go on as before do not show.
    assert abs(result.slips[0].at_bit - step * at) <= 64
    assert result.lost == ()
    assert [place for place in result.symbol_positions if abs(place - at) > 64] == [10, 60_000, at + 5000]
    assert sum(abs(result.symbol_positions - at) <= 64) <= max(0, -slipped)


def test_two_slips_and_a_chunk_of_the_comparison_between():
    sent = pattern("PRBS31")
    pieces = [(0, 3_000_000), (3_000_007, 2_500_000), (5_499_990, 700_000)]
    captured = np.concatenate([sent.bits(count, first=first) for first, count in pieces])
    captured[[5, 4_194_303, 4_194_304, 6_199_999]] ^= 1
    result = count_errors(captured, sent)
    assert [slip.bits for slip in result.slips] == [7, -17]
    assert [slip.at_bit for slip in result.slips] == pytest.approx([3_000_000, 5_500_000], abs=32)
    assert {5, 4_194_303, 4_194_304, 6_199_999} <= set(result.positions.tolist())
    assert result.errors < 4 + 17


def test_a_burst_is_counted():
    """Noise for a while, then the pattern in its old place: errors, not a slip."""
    sent = pattern("PRBS31")
    captured = sent.bits(100_000)
    noise = np.random.default_rng(1).integers(0, 2, 5000).astype(np.uint8)
    expected = np.flatnonzero(captured[30_000:35_000] != noise) + 30_000
    captured[30_000:35_000] = noise
    result = count_errors(captured, sent)
    assert np.array_equal(result.positions, expected)
    assert (result.slips, result.lost) == ((), ())


def test_a_gap_before_another_place_is_lost():
    sent = pattern("PRBS31")
    noise = np.random.default_rng(1).integers(0, 2, 200_000).astype(np.uint8)
    captured = np.concatenate([sent.bits(50_000), noise, sent.bits(50_000, first=1_000_000)])
    result = count_errors(captured, sent)
    assert [slip.bits for slip in result.slips] == [1_000_000 - 250_000]
    ((start, end),) = result.lost
    assert abs(start - 50_000) < 40
    assert abs(end - 250_000) < 40
    assert result.bits == 300_000 - (end - start)
    assert result.lost_bits == end - start
    assert result.errors < 40


@pytest.mark.parametrize("name", ["PRBS31", "PRBS13Q", "SSPRQ"])
def test_signal_lost_for_good_and_late(name):
    sent = pattern(name)
    dark = np.zeros(90_000, dtype=np.uint8)
    result = count_errors(np.concatenate([sent.symbols(70_000), dark]), sent)
    ((start, end),) = result.lost
    assert abs(start - 70_000 * sent.bits_per_symbol) < 80
    assert end == 160_000 * sent.bits_per_symbol
    assert result.errors < 20
    late = count_errors(np.concatenate([dark, sent.symbols(70_000)]), sent)
    ((start, end),) = late.lost
    assert start == 0
    assert abs(end - 90_000 * sent.bits_per_symbol) < 80
    assert late.slips == ()
    assert late.errors < 20


def test_patterns_of_ones_own():
    eights = repeating_pattern(np.repeat(np.array([3, 0]), 8), name="square wave")
    captured = eights.symbols(4000, first=5)
    captured[1234] = 1
    result = count_errors(captured, eights)
    assert result.symbol_positions.tolist() == [1234]
    bits = repeating_pattern(np.array([1, 1, 0, 1, 0, 0, 0]), bits_per_symbol=1)
    captured = 1 - bits.bits(4000, first=3)
    assert find_lock(captured, bits).inverted
    assert count_errors(captured, bits).errors == 0


@pytest.mark.parametrize("name", ["PRBS7", "PRBS31", "PRBS13Q", "SSPRQ"])
def test_what_is_not_the_pattern(name):
    sent = pattern(name)
    levels = 2**sent.bits_per_symbol
    rng = np.random.default_rng(9)
    with pytest.raises(NoLockError, match="another pattern"):
        count_errors(rng.integers(0, levels, 20_000), sent)
    with pytest.raises(NoLockError, match="another pattern"):
        count_errors(pattern("PRBS15Q" if levels == 4 else "PRBS15").symbols(20_000), sent)
    for stuck in range(levels):
        with pytest.raises(NoLockError):
            count_errors(np.full(5000, stuck), sent)
    with pytest.raises(NoLockError, match="all the same"):
        count_errors(np.zeros(5000, dtype=np.uint8), sent)
    with pytest.raises(NoLockError, match="too short"):
        count_errors(sent.symbols(20), sent)


def test_the_fault_is_named_where_it_can_be_told():
    sent = pattern("PRBS31Q")
    symbols = sent.symbols(4000, first=99)
    with pytest.raises(NoLockError, match="exchanged"):
        count_errors(np.array([0, 3, 2, 1])[symbols], sent)
    with pytest.raises(NoLockError, match="convention"):
        count_errors(pattern("PRBS31Q", inverted=False).symbols(4000), sent)
    with pytest.raises(NoLockError, match="natural binary"):
        count_errors(np.array([0, 1, 3, 2])[symbols], sent)
    precoded = [0]
    for symbol in symbols:
        precoded.append((int(symbol) - precoded[-1]) % 4)
    with pytest.raises(NoLockError, match="precoding"):
        count_errors(np.array(precoded), sent)


def test_a_lane_that_slips_all_the_time():
    sent = pattern("PRBS31")
    captured = np.concatenate([sent.bits(1000, first=1010 * piece) for piece in range(200)])
    with pytest.raises(NoLockError, match=r"lost 64 times in the first 6\d{4} bits"):
        count_errors(captured[:-1], sent)
    assert len(count_errors(captured[:20_000], sent).slips) == 19


def test_level_confusion():
    sent = np.array([0, 1, 2, 3, 3, 3])
    table = level_confusion(np.array([0, 2, 2, 3, 2, 0]), sent)
    assert table.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [1, 0, 1, 1]]
    with pytest.raises(ValueError, match="were captured"):
        level_confusion(sent[:3], sent)


def test_errors_per_interval():
    captured = _with_errors(pattern("PRBS31").bits(10_500), [0, 999, 1000, 9999, 10_001])
    result = count_errors(captured, pattern("PRBS31"))
    assert result.errors_per_interval(1000).tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    with pytest.raises(ValueError, match="no interval"):
        result.errors_per_interval(20_000)


def test_what_is_no_capture():
    sent = pattern("PRBS31Q")
    with pytest.raises(ValueError, match=r"0\.\.3"):
        count_errors(np.array([0, 1, 4]), sent)
    with pytest.raises(ValueError, match="whole numbers"):
        count_errors(np.zeros((2, 2), dtype=int), sent)
    with pytest.raises(ValueError, match="whole symbols"):
        count_errors_packed(np.zeros(10, dtype=np.uint8), 79, sent)
    with pytest.raises(ValueError, match="do not hold"):
        count_errors_packed(np.zeros(10, dtype=np.uint8), 82, sent)
    with pytest.raises(ValueError, match="row of bytes"):
        count_errors_packed(np.zeros(10), 80, sent)
