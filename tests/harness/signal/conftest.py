"""Patterns and waveforms for the tests of signal analysis, made independently of the code under test.

Waveforms are made in the frequency domain, from the transform of the symbols: rectangular pulses of any
bandwidth, so that the same signal can be had at any number of samples per symbol, without the stairs of a
sample-and-hold.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.signal.waveform import Waveform

BAUD = 53.125e9
OMA_W = 1e-3
P0_W = 0.5e-3
EVEN = (0.0, 1 / 3, 2 / 3, 1.0)

MakeWave = Callable[..., Waveform]
Symbols = NDArray[np.uint8]


def _shift_register(seed: list[int], taps: tuple[int, ...], length: int, invert: bool) -> list[int]:
    register, bits = list(seed), []
    for _ in range(length):
        fed_back = 0
        for tap in taps:
            fed_back ^= register[tap]
        bits.append(fed_back ^ invert)
        register = [fed_back, *register[:-1]]
    return bits


def _gray(bits: list[int]) -> Symbols:
    pairs = np.array(bits).reshape(-1, 2)
    return np.array([0, 1, 3, 2], dtype=np.uint8)[2 * pairs[:, 0] + pairs[:, 1]]


@pytest.fixture(scope="session")
def ssprq() -> Symbols:
    """65535 symbols; checked against its published digest."""
    first: list[int] = []
    for seed, length in ((0x00000002, 10924), (0x34013FF7, 10922), (0x0CCCCCCC, 10922)):
        first += _shift_register([(seed >> bit) & 1 for bit in range(31)], (27, 30), length, True)
    second = (first + first)[1:-1]
    symbols = np.concatenate(
        [_gray(first), 3 - _gray(first), _gray(second[:32766]), 3 - _gray(second[-32768:])]
    ).astype(np.uint8)
    assert (
        sha256(symbols.tobytes()).hexdigest()
        == "f17f5effb8e68863e5355258186456e1c3b3c48b5519c1a0c46dac855fae3582"
    )
    return symbols


@pytest.fixture(scope="session")
def prbs13q() -> Symbols:
    """8191 symbols; checked against its published digest."""
    bits = _shift_register([int(bit) for bit in "0000010101011"], (0, 1, 11, 12), 8191, False)
    symbols = _gray(bits + bits)
    assert (
        sha256(symbols.tobytes()).hexdigest()
        == "13c35313f944a67a294d841d43c621c0232fbd3723a635d405c6e52224becfc9"
    )
    return symbols


def _stairs(symbols: Symbols, samples_per_ui: int = 16, levels: tuple[float, ...] = EVEN) -> Waveform:
    powers = P0_W + OMA_W * np.array(levels)[symbols]
    return Waveform(np.repeat(powers, samples_per_ui), samples_per_ui, BAUD)


@pytest.fixture(scope="session")
def stairs() -> MakeWave:
    """``stairs(symbols, samples_per_ui=16, levels=...)``: ideal steps; levels in units of OMA above P0."""
    return _stairs


def _pulses(
    symbols: Symbols,
    samples_per_ui: float = 16,
    response: Callable[[NDArray[np.float64]], NDArray[np.complex128]] | None = None,
    levels: tuple[float, ...] = EVEN,
) -> Waveform:
    count = symbols.size
    size = round(count * samples_per_ui)
    bins = np.arange(size // 2 + 1)
    frequencies = bins / count
    spectrum = np.fft.fft(P0_W + OMA_W * np.array(levels)[symbols])[bins % count] * (size / count)
    spectrum *= np.sinc(frequencies) * np.exp(-1j * np.pi * frequencies)
    if response is not None:
        spectrum *= response(frequencies * BAUD)
    return Waveform(np.fft.irfft(spectrum, size), samples_per_ui, BAUD)


@pytest.fixture(scope="session")
def pulses() -> MakeWave:
    """``pulses(symbols, samples_per_ui=16, response=None, levels=...)``: rectangular pulses behind a
    filter."""
    return _pulses
