"""KP4's counts against a decoder of another make: what the histogram calls corrected is what it corrects."""

from __future__ import annotations

import numpy as np
import pytest
import reedsolo

from harness.signal import kp4

PARITY = [76, 598, 13, 552, 444, 804, 166, 690, 397, 790, 68, 2, 783, 894, 33]
PARITY += [520, 333, 656, 603, 617, 60, 946, 505, 632, 606, 741, 10, 595, 750, 987]


@pytest.fixture(scope="module")
def codec():
    """RS(544,514) over GF(2^10) by x^10 + x^3 + 1, first root 1."""
    return reedsolo.RSCodec(30, nsize=544, fcr=0, prim=0x409, generator=2, c_exp=10)


def test_the_published_parity(codec):
    assert list(codec.encode(list(range(514))))[514:] == PARITY


def _received(sent, places):
    """Codewords, shape (codewords, 544), with bits turned over at places in their row of bits."""
    bits = np.unpackbits(sent.astype(">u2").view(np.uint8).reshape(*sent.shape, 2), axis=-1)[..., 6:].ravel()
    bits[places] ^= 1
    weights = 1 << np.arange(9, -1, -1)
    return bits.reshape(*sent.shape, 10) @ weights


def _places(rng, codeword, symbols):
    """Bit errors in so many symbols of a codeword, from one to three in each."""
    chosen = rng.choice(544, symbols, replace=False)
    return [
        codeword * 5440 + int(symbol) * 10 + int(bit)
        for symbol in chosen
        for bit in rng.choice(10, rng.integers(1, 4), replace=False)
    ]


def test_codewords_are_corrected_up_to_fifteen_wrong_symbols(codec):
    rng = np.random.default_rng(15)
    wanted = [0, 1, 2, 7, 14, 15, 15, 16, 16, 20]
    sent = np.array([list(codec.encode(rng.integers(0, 1024, 514).tolist())) for _ in wanted])
    places = np.sort(np.concatenate([_places(rng, n, wrong) for n, wrong in enumerate(wanted)]).astype(int))
    received = _received(sent, places)
    counted = kp4.symbol_errors_per_codeword(places, received.size * 10, interleaved=1)
    assert counted.tolist() == wanted
    for ours, good, word in zip(counted, sent, received, strict=True):
        if ours <= kp4.CORRECTABLE:
            message, whole, corrected = codec.decode(word.tolist())
            assert list(message) == good[:514].tolist()
            assert list(whole) == good.tolist()
            assert len(corrected) == ours
        else:
            with pytest.raises(reedsolo.ReedSolomonError):
                codec.decode(word.tolist())
    histogram = kp4.histogram_of(counted)
    assert (histogram[15], histogram[16]) == (2, 3)


def test_errors_thrown_at_random_are_counted_as_the_decoder_corrects_them(codec):
    """A bit error ratio of 1e-3, thrown without regard to symbols."""
    rng = np.random.default_rng(16)
    sent = np.array([list(codec.encode(rng.integers(0, 1024, 514).tolist())) for _ in range(6)])
    places = np.flatnonzero(rng.random(sent.size * 10) < 1e-3)
    counted = kp4.symbol_errors_per_codeword(places, sent.size * 10, interleaved=1)
    corrected = [len(codec.decode(word.tolist())[2]) for word in _received(sent, places)]
    assert counted.tolist() == corrected
