"""What an error ratio costs a simulated receiver. Run with `make bench`."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.simulation.light.beam import Beam, Echo, Modulation, even_levels
from harness.simulation.light.errors import codeword_shares
from harness.simulation.light.reception import ReceiverParameters, receive

PARAMETERS = ReceiverParameters(
    responsivity_a_per_w=0.8, bandwidth_hz=32e9, equaliser_taps=11, implementation_noise=0.0235
)
LIGHT = Modulation(even_levels(5.0), bandwidth_hz=34e9, rin_db_hz=-152.0)


@pytest.mark.parametrize("echoes", [(), (Echo(0.0025, 300.0, 0.5),)])
def test_an_error_ratio(benchmark: BenchmarkFixture, echoes: tuple[Echo, ...]) -> None:
    beams = (Beam("tx", 4e-4, 1311.0, None, LIGHT, echoes=echoes),)
    assert benchmark(receive, beams, PARAMETERS).locked


def test_a_codeword_histogram(benchmark: BenchmarkFixture) -> None:
    assert benchmark(codeword_shares, [2.4e-4] * 4, 4.0)[0] > 0.5
