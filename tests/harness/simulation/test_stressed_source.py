"""SECQ of the modules that are shipped as references: worked out from their simulated light."""

from __future__ import annotations

import pytest

from harness.bench_file.simulation_section import ReferenceSpec
from harness.signal.tdecq import secq
from harness.simulation.light.beam import Beam
from harness.simulation.light.symbols import symbols_of
from harness.simulation.light.waveform import optical_record
from harness.simulation.module.profile import load_profile
from harness.simulation.reference_place import ReferencePlace
from harness.simulation.signals import Pattern
from harness.simulation.world import World


def secq_db(profile: str) -> float:
    """SECQ of SSPRQ as the module's light carries it, by our own analysis; without the laser's noise."""
    world = World(1)
    place = ReferencePlace(world, load_profile(profile), ReferenceSpec(profile), room_temp_c=23.0)
    modulation = place.module._lanes.transmitters.modulation(1, 31.5, 3.3)  # type: ignore[union-attr]
    symbols = symbols_of(Pattern(12))
    record = optical_record((Beam("lane", 1e-3, 1311.0, None, modulation),), symbols, samples_per_ui=8)
    return secq(record.waveform, symbols, reference_filter_applied=False).tdecq_db


def test_the_golden_module_is_clean() -> None:
    assert secq_db("reference-dr4") < 1.0


def test_the_stressed_source_is_stressed() -> None:
    """802.3 Table 124-7: stressed receiver conformance test at SECQ 3.4 dB."""
    assert secq_db("stressed-source-dr4") == pytest.approx(3.4, abs=0.1)
