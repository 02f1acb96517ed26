"""KP4: error ratios against their published values, counts against codewords of an encoder in this test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.signal import kp4
from harness.signal.counting import count_errors
from harness.signal.patterns import pattern
from harness.signal.statistics import binomial_interval

CHECKED = {1e-3: 1.53e-4, 5e-4: 2.79e-8, 3e-4: 2.14e-11, 2.4e-4: 8.15e-13, 1e-4: 1.36e-18}
PARITY = [76, 598, 13, 552, 444, 804, 166, 690, 397, 790, 68, 2, 783, 894, 33]
PARITY += [520, 333, 656, 603, 617, 60, 946, 505, 632, 606, 741, 10, 595, 750, 987]


class _Field:
    """GF(2^10) by x^10 + x^3 + 1, and RS(544,514) in it: written for these tests alone."""

    def __init__(self):
        self.power, self.log = [1], {}
        for _ in range(1022):
            doubled = self.power[-1] << 1
            self.power.append(doubled ^ 0b10000001001 if doubled >> 10 else doubled)
        self.log = {value: exponent for exponent, value in enumerate(self.power)}
        self.generator = [1]
        for root in range(30):
            shifted = [*self.generator, 0]
            for place, factor in enumerate(self.generator):
                shifted[place + 1] ^= self.times(factor, self.power[root])
            self.generator = shifted

    def times(self, a, b):
        return self.power[(self.log[a] + self.log[b]) % 1023] if a and b else 0

    def encode(self, message):
        rest = [*message, *[0] * 30]
        for place in range(514):
            factor = rest[place]
            if factor:
                for step, coefficient in enumerate(self.generator):
                    rest[place + step] ^= self.times(factor, coefficient)
        return [*message, *rest[514:]]

    def locator_length(self, word):
        """How many wrong symbols a decoder would find (Berlekamp and Massey)."""
        syndromes = []
        for root in range(30):
            total = 0
            for symbol in word:
                total = self.times(total, self.power[root]) ^ symbol
            syndromes.append(total)
        locator, previous, length, since, last = [1], [1], 0, 1, 1
        for at, syndrome in enumerate(syndromes):
            gap = syndrome
            for step in range(1, min(length, len(locator) - 1) + 1):
                gap ^= self.times(locator[step], syndromes[at - step])
            if not gap:
                since += 1
                continue
            scale = self.times(gap, self.power[-self.log[last] % 1023])
            grown = locator + [0] * max(0, len(previous) + since - len(locator))
            for step, coefficient in enumerate(previous):
                grown[step + since] ^= self.times(scale, coefficient)
            if 2 * length <= at:
                length, previous, last, since = at + 1 - length, locator, gap, 1
            else:
                since += 1
            locator = grown
        return length


@pytest.fixture(scope="module")
def field():
    return _Field()


def test_the_published_codeword(field):
    """The encoder below is the standard's."""
    assert field.encode(list(range(514)))[514:] == PARITY


@pytest.mark.parametrize(("ber", "cer"), CHECKED.items())
def test_codeword_error_ratio(ber, cer):
    assert kp4.codeword_error_ratio(ber) == pytest.approx(cer, rel=7e-3)
    assert kp4.expected_histogram(ber)[16] == pytest.approx(kp4.codeword_error_ratio(ber), rel=1e-9)
    assert kp4.bit_error_ratio_for(kp4.codeword_error_ratio(ber)) == pytest.approx(ber, rel=1e-6)


def test_at_the_limit():
    cer = kp4.codeword_error_ratio(2.4e-4)
    assert kp4.frame_loss_ratio(cer) == pytest.approx(1.74e-12, rel=3e-3)
    assert kp4.corrected_symbols_per_codeword(2.4e-4) == pytest.approx(1.30, abs=0.005)
    expected = [0.271, 0.354, 0.231, 0.100, 0.033, 8.5e-3, 1.8e-3, 3.4e-4, 5.5e-5]
    histogram = kp4.expected_histogram(2.4e-4)
    assert histogram[:9] == pytest.approx(expected, rel=0.016)
    assert histogram.shape == (17,)
    assert histogram.sum() == pytest.approx(1.0, rel=1e-12)
    frames = 2 * kp4.FRAMES_PER_CODEWORD
    assert frames == pytest.approx(15.24, abs=0.005)
    assert kp4.CODEWORDS_PER_S == 78.125e6
    assert kp4.CODEWORDS_PER_S * kp4.CODEWORD_BITS == 425e9


def test_ends():
    assert kp4.codeword_error_ratio(0.0) == 0.0
    assert kp4.codeword_error_ratio(1.0) == kp4.symbol_error_ratio(1.0) == 1.0
    assert kp4.frame_loss_ratio(1.0) == 1.0
    assert kp4.symbol_error_ratio(1e-18) == pytest.approx(1e-17)


@pytest.mark.parametrize(("interleaved", "multiplexed"), [(1, 1), (2, 1), (2, 4)])
def test_symbol_errors_are_what_a_decoder_finds(field, interleaved, multiplexed):
    """Codewords dealt to a row of bits one bit at a time, errors put into the bits, and the codewords,
    gathered again, given to a decoder's first step."""
    rng = np.random.default_rng(interleaved + multiplexed)
    count, first_bit = 4, 37
    codewords = [field.encode(rng.integers(0, 1024, 514).tolist()) for _ in range(count)]
    # Where each bit comes from: (codeword, symbol, bit in it).
    origin, taken = [], [0] * count
    rows = count * 544 // multiplexed
    for row in range(rows):
        block = row * multiplexed // (544 * interleaved)
        symbols = []
        for lane in range(multiplexed):
            codeword = block * interleaved + (row + lane) % interleaved
            symbols.append((codeword, taken[codeword]))
            taken[codeword] += 1
        origin += [(*symbols[lane], bit) for bit in range(10) for lane in range(multiplexed)]
    assert taken == [544] * count
    places = set(rng.integers(0, len(origin), 20).tolist()) | set(range(7000, 7060))
    for place in places:
        codeword, symbol, bit = origin[place]
        codewords[codeword][symbol] ^= 1 << bit
    counted = kp4.symbol_errors_per_codeword(
        np.array(sorted(places)) + first_bit,
        len(origin) + first_bit + 5000,
        first_bit=first_bit,
        interleaved=interleaved,
        multiplexed=multiplexed,
    )
    assert counted.tolist() == [field.locator_length(word) for word in codewords]
    assert max(counted) <= 15


def test_sixteen_wrong_symbols_are_too_many(field):
    """A decoder finds the fifteenth but not the sixteenth: what the histogram's last bin means."""
    word = field.encode([0] * 514)
    for wrong in range(1, 16):
        word[30 * wrong] ^= 1 << wrong % 10
        assert field.locator_length(word) == wrong
    word[531] ^= 5
    counted = kp4.histogram_of(np.array([15, 16, 40, 0]))
    assert counted[[0, 15, 16]].tolist() == [1, 1, 2]
    assert counted.sum() == 4


def test_from_a_capture():
    """From bits to codewords: three errors, two of them in one symbol."""
    sent = pattern("PRBS31")
    captured = sent.bits(4 * 5440 + 100)
    captured[[12, 19, 21, 11_000]] ^= 1
    result = count_errors(captured, sent)
    counted = kp4.symbol_errors_per_codeword(result.positions, result.bits)
    # Symbols 1 and 2 belong to the second and the first codeword of a pair, symbol 1100 to the second pair.
    assert counted.tolist() == [1, 1, 1, 0]


def test_counts_of_independent_errors_follow_the_binomial():
    """Errors thrown at random fall into codewords as the closed form says."""
    rng = np.random.default_rng(8)
    bits = 4000 * 5440
    places = np.flatnonzero(rng.random(bits) < 5e-4)
    histogram = kp4.histogram_of(kp4.symbol_errors_per_codeword(places, bits))
    assert histogram.sum() == 4000
    expected = 4000 * kp4.expected_histogram(5e-4)
    few = expected > 20
    assert float((np.square(histogram - expected) / expected)[few].sum()) < 2.5 * few.sum()
    assert not kp4.burst_indication(histogram).bursts


def _drawn(rng, codewords, ber):
    shares = kp4.expected_histogram(ber)
    return rng.multinomial(codewords, shares / shares.sum())


def _burst_shares(events, length):
    """Shares of codewords with 0..15 and more wrong symbols when events are rare and independent, and each
    spoils a geometric number of symbols of a mean: Panjer's recursion."""
    severity = [0.0] + [(1 - 1 / length) ** (n - 1) / length for n in range(1, 16)]
    shares = [math.exp(-events)]
    for total in range(1, 16):
        terms = (part * severity[part] * shares[total - part] for part in range(1, total + 1))
        shares.append(events / total * sum(terms))
    return np.array([*shares, 1.0 - sum(shares)])


@pytest.mark.parametrize("ber", [1e-5, 2.4e-4, 8e-4])
@pytest.mark.parametrize("seed", range(3))
def test_no_bursts_where_there_are_none(ber, seed):
    indication = kp4.burst_indication(_drawn(np.random.default_rng(seed), 10**6, ber))
    assert not indication.bursts
    assert indication.probability > 1e-4
    if ber == 2.4e-4:
        assert indication.from_bin == 6
        assert indication.expected == pytest.approx(2241, rel=0.02)


def test_bursts():
    shares = _burst_shares(0.9, 1.45)
    indication = kp4.burst_indication(np.random.default_rng(0).multinomial(10**6, shares))
    assert indication.bursts
    assert indication.observed > 2 * indication.expected
    assert indication.dispersion.index > 1.5
    # One rare burst on a clean lane is seen by its tail alone.
    assert kp4.burst_indication(np.array([99_990, 9, 0, 0, 0, 0, 1])).bursts


def test_margin_of_independent_errors():
    """The interval holds the truth about as often as it says, and closes in on it."""
    rng = np.random.default_rng(11)
    truth = kp4.codeword_error_ratio(2e-4)
    margins = [kp4.margin_from_histogram(_drawn(rng, 20_000, 2e-4)) for _ in range(12)]
    assert sum(margin.interval.low <= truth <= margin.interval.high for margin in margins) >= 9
    assert all(margin.tail_fits and not margin.notes for margin in margins)
    many = kp4.margin_from_histogram(_drawn(rng, 10**9, 2e-4))
    assert many.codeword_error_ratio == pytest.approx(truth, rel=0.02)
    assert many.interval.high / many.interval.low < 1.05
    assert many.bit_error_ratio == pytest.approx(2e-4, rel=1e-3)
    assert many.margin_db == pytest.approx(10 * math.log10(3.4621 / 3.4142), abs=0.002)
    low, high = many.margin_interval_db
    assert low <= many.margin_db <= high
    assert many.frame_loss_ratio == pytest.approx(2 * 16.24 / 15.24 * many.codeword_error_ratio, rel=1e-4)
    assert many.frame_loss_interval.high == pytest.approx(2 * 16.24 / 15.24 * many.interval.high, rel=1e-4)


@pytest.mark.parametrize(("events", "length"), [(0.6, 1.3), (1.0, 1.5), (1.2, 2.0)])
def test_margin_with_bursts(events, length):
    """Far nearer to the truth than independent errors of the same number would tell."""
    shares = _burst_shares(events, length)
    histogram = np.random.default_rng(2).multinomial(10**7, shares)
    margin = kp4.margin_from_histogram(histogram)
    mean = float(shares @ np.arange(17)) / 5440
    independent = kp4.codeword_error_ratio(mean)
    assert margin.clustering > 0.0
    assert margin.bit_error_ratio > 1.3 * mean
    assert abs(math.log(margin.codeword_error_ratio / shares[16])) < 0.25 * math.log(shares[16] / independent)


def _clean(lost=0):
    """A billion codewords of independent errors at 1e-5, and some that were lost."""
    histogram = np.round(kp4.expected_histogram(1e-5) * 1e9).astype(np.int64)
    histogram[16] = lost
    return histogram


@pytest.mark.parametrize("lost", [1, 3, 100])
def test_codewords_that_were_lost_are_not_extrapolated_away(lost):
    """1e-5 loses a codeword in 5e33 by the binomial: those lost are another population."""
    histogram = _clean(lost)
    margin = kp4.margin_from_histogram(histogram)
    seen = binomial_interval(lost, int(histogram.sum()))
    assert margin.codeword_error_ratio == pytest.approx(lost * 1e-9, rel=1e-6)
    assert (margin.interval.low, margin.interval.high) == (seen.low, seen.high)
    # A loss of 1e-9 is that of 3.7e-4, above the limit of 2.4e-4.
    assert margin.margin_db < 0.0
    assert margin.margin_interval_db[0] <= margin.margin_db <= margin.margin_interval_db[1] < 0.0
    assert margin.tail_fits is False
    assert "not extrapolated" in margin.notes[0]
    indication = kp4.burst_indication(histogram)
    assert indication.bursts
    assert indication.probability < 1e-20
    assert indication.rarest_bin == 16 or lost > 3


def test_losses_on_a_lane_without_any_error():
    margin = kp4.margin_from_histogram(np.array([10**9] + [0] * 15 + [1000]))
    assert margin.codeword_error_ratio == pytest.approx(1e-6, rel=1e-5)
    assert margin.tail_fits is False
    assert kp4.burst_indication(np.array([10**9] + [0] * 15 + [1000])).bursts


def test_the_same_histogram_without_losses_is_extrapolated():
    margin = kp4.margin_from_histogram(_clean())
    assert margin.codeword_error_ratio < 1e-30
    assert margin.tail_fits
    assert margin.notes == ()
    indication = kp4.burst_indication(_clean())
    assert not indication.bursts
    assert indication.probability == 1.0
    assert indication.rarest_bin < 16


def test_a_rare_second_population_makes_the_extrapolation_void():
    """Ten seconds of a clean lane with a burst a second, none of them lost: no more is known than that."""
    histogram = np.round(kp4.expected_histogram(1e-6) * 781_250_000).astype(np.int64)
    histogram[[6, 7, 8, 9, 10, 11, 12]] += [2, 1, 2, 1, 2, 1, 1]
    margin = kp4.margin_from_histogram(histogram)
    assert margin.tail_fits is False
    assert margin.codeword_error_ratio == margin.interval.high == pytest.approx(3.69 / 781_250_000, rel=1e-3)
    assert margin.interval.low == 0.0
    assert kp4.burst_indication(histogram).bursts


def test_a_law_that_wants_more_losses_than_were_seen_is_dropped():
    histogram = np.round(kp4.expected_histogram(5e-4) * 1e9).astype(np.int64)
    assert histogram[16] == 28
    assert kp4.margin_from_histogram(histogram).tail_fits
    histogram[16] = 0
    margin = kp4.margin_from_histogram(histogram)
    assert margin.tail_fits is False
    assert margin.interval.low == 0.0
    assert margin.interval.high == pytest.approx(3.69e-9, rel=1e-3)


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([1e-6, 1e-5, 1e-4, 2.4e-4, 5e-4, 1e-3]),
    st.sampled_from([10**4, 10**7, 10**9]),
    st.dictionaries(st.integers(1, 16), st.integers(0, 10**3), max_size=4),
)
def test_a_margin_never_contradicts_the_losses_that_were_counted(ber, codewords, more):
    histogram = np.round(kp4.expected_histogram(ber) * codewords).astype(np.int64)
    for bin_, count in more.items():
        histogram[bin_] += count
    total, lost = int(histogram.sum()), int(histogram[16])
    margin = kp4.margin_from_histogram(histogram)
    seen = binomial_interval(lost, total)
    assert margin.codeword_error_ratio >= lost / total
    assert margin.interval.low <= margin.codeword_error_ratio <= margin.interval.high
    assert margin.interval.low <= seen.high
    if lost:
        assert margin.interval.low <= seen.low
        assert margin.interval.high >= seen.high
    assert margin.margin_interval_db[0] <= margin.margin_db <= margin.margin_interval_db[1]
    assert bool(margin.notes) is not margin.tail_fits


def test_a_small_histogram_does_not_rule_out_bursts():
    margin = kp4.margin_from_histogram(np.array([980, 20]))
    assert margin.interval.high > 1e6 * margin.codeword_error_ratio
    assert margin.interval.low < margin.codeword_error_ratio


def test_margin_without_errors():
    margin = kp4.margin_from_histogram(np.array([100_000]))
    assert (margin.codeword_error_ratio, margin.bit_error_ratio, margin.margin_db) == (0.0, 0.0, math.inf)
    assert margin.interval.high == pytest.approx(-math.log(0.025) / 1e5, rel=1e-3)
    counted = kp4.margin_from_errors(0, 10**9)
    assert counted.margin_db == counted.margin_interval_db[1] == math.inf
    assert counted.margin_interval_db[0] > 1.0


def test_margin_from_counted_errors():
    margin = kp4.margin_from_errors(24_000, 10**8)
    assert margin.tail_fits is None
    assert margin.margin_db == pytest.approx(0.0, abs=1e-6)
    assert margin.codeword_error_ratio == pytest.approx(8.15e-13, rel=1e-3)
    low, high = margin.margin_interval_db
    assert -0.01 < low < 0.0 < high < 0.01
    assert margin.interval.low < margin.codeword_error_ratio < margin.interval.high
    # 0.75 Q(4.695) is 1e-6.
    better = kp4.margin_from_errors(10_000, 10**10)
    assert better.margin_db == pytest.approx(10 * math.log10(4.695 / 3.414), abs=2e-3)


def test_what_cannot_be():
    for histogram in (np.zeros(17, dtype=int), np.zeros(0, dtype=int), np.ones(18, dtype=int), np.ones(3)):
        with pytest.raises(ValueError, match="histogram"):
            kp4.margin_from_histogram(histogram)
    with pytest.raises(ValueError, match="below zero"):
        kp4.burst_indication(np.array([5, -1]))
    with pytest.raises(ValueError, match="nothing to extrapolate"):
        kp4.margin_from_histogram(np.array([0] * 16 + [7]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        kp4.codeword_error_ratio(1.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        kp4.bit_error_ratio_for(0.0)
    with pytest.raises(ValueError, match="no block"):
        kp4.symbol_errors_per_codeword(np.array([1]), 5440)
    with pytest.raises(ValueError, match="cannot be dealt"):
        kp4.symbol_errors_per_codeword(np.array([1]), 10**6, multiplexed=3)


@pytest.mark.parametrize("ber", [0.01, 0.1, 0.3, 0.5, 0.99, 1.0])
def test_the_expected_histogram_of_hopeless_ratios_is_a_distribution(ber: float) -> None:
    shares = kp4.expected_histogram(ber)
    assert np.isfinite(shares).all()
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] > 0.9
