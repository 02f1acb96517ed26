"""The simulated lab of a DR4 as a whole: what its drivers set reaches the module's receivers and the taps."""

from __future__ import annotations

import dataclasses
import math

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from harness.bench_file.reading import BenchSpec, find_bench_file, load_bench
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.opening import open_bench
from harness.simulation.bench import SimulatedBackend
from harness.simulation.light.beam import PAM4_RATE_BD, total_power_w
from harness.wiring import parse_port

LANES = range(1, 5)


def lab(*faults: WiringFaultSpec, module: str = "good-dr4") -> BenchSpec:
    spec = load_bench(find_bench_file("sim-dr4-full"))
    assert spec.simulation is not None
    return dataclasses.replace(
        spec, simulation=dataclasses.replace(spec.simulation, faults=faults, module=module)
    )


def opened(spec: BenchSpec) -> SimulatedBackend:
    assert spec.simulation is not None
    return SimulatedBackend(spec, spec.simulation, StopFlag())


def lit(spec: BenchSpec) -> SimulatedBackend:
    """With the light of the reference transmitter."""
    backend = opened(spec)
    bench = open_bench(spec, StopFlag(), backend)
    bench.reference_tx.connect()
    bench.reference_tx.start_pattern("PRBS31Q")
    return backend


def route(
    backend: SimulatedBackend, spec: BenchSpec, start: str, end: str, *, attenuated: bool = False
) -> float:
    """Set the matrix as the shortest way needs; its loss as the wiring states it, dB."""
    ways = spec.wiring.ways(parse_port(start), parse_port(end))
    way = next(way for way in ways if bool(way.attenuators) is attenuated)
    backend.fibres.set_routes("optical_switch", {entry: leave for _, entry, leave in way.routes})
    return way.loss_db


def test_the_reference_transmitter_reaches_every_receiver_and_its_tap():
    spec = lab()
    backend = lit(spec)
    assert backend.reference is not None
    reference = backend.reference.module
    for lane in LANES:
        loss_db = route(backend, spec, f"reference_tx.{lane}", f"module.rx{lane}")
        (beam,) = backend.fibres.rx_light(lane)
        (launched,) = reference.launched(lane)
        assert beam.source == f"reference_tx.tx{lane}"
        assert 10 * math.log10(launched.power_w / beam.power_w) == pytest.approx(loss_db, abs=0.5)
        assert beam.modulation.symbol_rate_bd != PAM4_RATE_BD
        # The tap and its fibres say what arrives at TP3, within what is stated of them.
        tapped_w = backend.fibres.power_w("power_meter", lane + 4)
        apart_db = 10 * math.log10(beam.power_w / tapped_w)
        assert apart_db == pytest.approx(10.4 - 0.6 + 0.2 - 0.4, abs=0.4)
    backend.close()


def test_light_by_way_of_the_spool_gathers_its_dispersion():
    backend = lit(lab())
    fibres = backend.fibres
    fibres.set_routes("optical_switch", {5: 29})
    (direct,) = fibres.rx_light(1)
    fibres.set_routes("optical_switch", {5: 33, 9: 29})
    (spooled,) = fibres.rx_light(1)
    assert 1.0 < 10 * math.log10(direct.power_w / spooled.power_w) < 2.5
    assert abs(direct.dispersion_ps_nm) < 0.02
    assert abs(spooled.dispersion_ps_nm) <= 0.8
    backend.close()


def test_a_flipped_key_exchanges_what_the_bench_sees_of_the_module():
    spec = lab(WiringFaultSpec("key_flipped", at_s=60.0))
    backend = lit(spec)
    backend.fibres.set_routes("optical_switch", {5: 29})
    assert total_power_w(backend.fibres.rx_light(1)) > 0.0
    backend.world.advance(60.0)
    # The receivers look into the transmitters' legs, whose fibres lead to the matrix's inputs.
    assert all(backend.fibres.rx_light(lane) == () for lane in LANES)
    backend.close()


def test_an_attenuator_between_the_matrix_and_itself():
    spec = lab()
    wiring = spec.wiring
    backend = lit(spec)
    loss_db = route(backend, spec, "reference_tx.1", "module.rx1", attenuated=True)
    (way, *_) = [
        w for w in wiring.ways(parse_port("reference_tx.1"), parse_port("module.rx1")) if w.attenuators
    ]
    assert loss_db == way.loss_db
    (channel,) = way.attenuators
    full_w = total_power_w(backend.fibres.rx_light(1))
    tapped_w = backend.fibres.power_w("power_meter", 5)
    backend.fibres.set_attenuation("attenuator", channel.number, 6.0)
    assert total_power_w(backend.fibres.rx_light(1)) == pytest.approx(full_w * 10**-0.6)
    assert backend.fibres.power_w("power_meter", 5) == pytest.approx(tapped_w * 10**-0.6)
    backend.fibres.set_shutter("attenuator", channel.number, open_=False)
    assert backend.fibres.rx_light(1) == ()
    backend.close()


@pytest.mark.parametrize("module", ["good-fr4", "flat-dac"])
def test_modules_without_these_fibres_are_refused(module):
    with pytest.raises(BenchError, match="is wired to"):
        opened(lab(module=module))
