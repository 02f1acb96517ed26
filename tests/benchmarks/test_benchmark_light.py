"""What explicit waveforms of light cost: SSPRQ (65 535 symbols, 16 samples per symbol) from beam to trace is
to take under 0.3 s on one core, without dispersion. Run with `make bench`, OPENBLAS_NUM_THREADS=1 for one
core."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.light.explicit_reception import received_symbols
from harness.simulation.light.oscilloscope import OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.reception import ReceiverParameters
from harness.simulation.noise import Noise
from harness.simulation.signals import LineSignal, Pattern

BAUD = 53.125e9
SSPRQ = Pattern(12)
MODULATION = Modulation(even_levels(5.0), bandwidth_hz=34e9, rin_db_hz=-150.0)


@pytest.mark.parametrize("dispersion_ps_nm", [0.0, 0.8], ids=["back to back", "500 m"])
def test_ssprq_from_beam_to_trace(benchmark: BenchmarkFixture, dispersion_ps_nm: float) -> None:
    beam = Beam("tx", 1e-3, 1311.0, LineSignal((SSPRQ,)), MODULATION, dispersion_ps_nm)
    front_end = OscilloscopeFrontEnd(0.5 * BAUD, noise_w=10e-6)
    rng = Noise(1).generator("trace")
    trace = benchmark(seen_by_oscilloscope, [beam], SSPRQ, front_end, samples_per_ui=16, rng=rng)
    assert trace.samples_w.size == 65535 * 16


def test_a_receiver_symbol_by_symbol(benchmark: BenchmarkFixture) -> None:
    beam = Beam("tx", 0.4e-3, 1311.0, LineSignal((SSPRQ,)), MODULATION)
    parameters = ReceiverParameters(bandwidth_hz=26.6e9, responsivity_a_per_w=0.8)
    symbols = Noise(1).generator("symbols").integers(0, 4, 1 << 17, dtype=np.uint8)
    rng = Noise(1).generator("noise")
    received = benchmark(received_symbols, [beam], symbols, parameters, rng=rng, samples_per_ui=4)
    assert received.ser < 1e-2
