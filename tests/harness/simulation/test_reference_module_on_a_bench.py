"""The reference module as a part of the bench: its light at the receivers, its clock, faults and cost."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.clock import StopFlag
from drivers.cmis.bringup import bring_up
from drivers.cmis.diagnostics import Side
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.errors import BenchError, InstrumentError
from drivers.units import dbm_from_w
from harness.bench import Bench
from harness.bench_file.reading import BENCHES_FOLDER, BenchSpec, find_bench_file, load_bench
from harness.bench_file.simulation_section import ReferenceSpec
from harness.opening import open_bench
from harness.simulation.bench import SimulatedBackend
from harness.simulation.light.beam import PAM4_RATE_BD
from harness.simulation.module.profile import load_profile
from harness.simulation.reference_place import ReferencePlace
from harness.simulation.world import World

LANES = (1, 2, 3, 4)
TO_RECEIVERS = {4 + lane: 28 + lane for lane in LANES}
FULL = (BENCHES_FOLDER / "sim-dr4-full.toml").read_text(encoding="utf-8")


@functools.cache
def full_lab() -> BenchSpec:
    return load_bench(find_bench_file("sim-dr4-full"))


def lab(reference: str = "reference-dr4", *, module: str = "good-dr4", specimen: int = 0) -> BenchSpec:
    spec = full_lab()
    assert spec.simulation is not None
    return dataclasses.replace(
        spec,
        simulation=dataclasses.replace(
            spec.simulation, module=module, reference=ReferenceSpec(reference, specimen)
        ),
    )


def opened(spec: BenchSpec) -> tuple[Bench, SimulatedBackend]:
    assert spec.simulation is not None
    backend = SimulatedBackend(spec, spec.simulation, StopFlag())
    return open_bench(spec, StopFlag(), backend), backend


@pytest.fixture(scope="module")
def receiving() -> Iterator[tuple[Bench, SimulatedBackend, ModulePrbs]]:
    """A bench whose reference sends PRBS31Q by the matrix into a module that is up, and the module's
    checkers."""
    bench, backend = opened(lab())
    bench.connect()
    supply = bench.power_supply
    supply.configure_output(1, current_limit_a=4.5, overvoltage_v=3.8, remote_sense=True)
    supply.set_voltage_v(1, 3.3)
    supply.set_output(1, on=True)
    bench.reference_tx.start_pattern("PRBS31Q")
    bench.optical_switch.route(TO_RECEIVERS)
    module = CmisModule(bench.host_board.memory, bench.clock)
    assert bring_up(module, bench.host_board.pins, bench.clock).ok
    prbs = ModulePrbs(module, side=Side.MEDIA)
    prbs.start_pattern("PRBS31Q", generate=False)
    yield bench, backend, prbs
    bench.close()


def test_the_modules_checkers_lock_to_the_references_pattern(receiving) -> None:
    _, backend, prbs = receiving
    found = prbs.measure_errors(LANES, 2.0)
    assert [lane.locked for lane in found] == [True] * 4
    assert all(lane.bits > 1e11 for lane in found)
    # About 0 dBm of OMA at the receivers, 7 dB above their sensitivity: next to no errors.
    assert all((lane.ber or 0.0) < 1e-9 for lane in found)
    beams = [backend.fibres.rx_light(lane)[0] for lane in LANES]
    assert [beam.source for beam in beams] == [f"reference_tx.tx{lane}" for lane in LANES]
    # Two clocks: its own crystal is 12 ppm off.
    assert {beam.modulation.symbol_rate_bd for beam in beams} == {PAM4_RATE_BD * (1 + 12e-6)}


def test_a_lane_that_is_switched_off_is_lost_alone(receiving) -> None:
    bench, backend, prbs = receiving
    bench.reference_tx.set_lane(3, lit=False)
    assert dbm_from_w(backend.fibres.power_w("power_meter", 7)) < -40.0
    found = prbs.measure_errors(LANES, 1.0)
    assert [lane.locked for lane in found] == [True, True, False, True]
    bench.reference_tx.set_lane(3, lit=True)
    assert prbs.measure_errors((3,), 1.0)[0].locked


def test_errors_follow_the_light(receiving) -> None:
    bench, _, prbs = receiving
    # Lane 1 by way of the attenuator: outputs 37 to attenuator.1 to input 13.
    bench.optical_switch.route({5: 37, 13: 29})
    bench.attenuator.configure(wavelength_nm=1310.0, channels=(1,))
    bench.attenuator.set_shutter(1, open_=True)
    try:
        ratios = []
        for attenuation_db in (4.0, 5.0, 6.0):
            bench.attenuator.set_attenuation_db(1, attenuation_db)
            (lane,) = prbs.measure_errors((1,), 2.0)
            assert lane.locked
            ratios.append(lane.ber)
    finally:
        bench.optical_switch.route(TO_RECEIVERS)
    assert ratios[0] < ratios[1] < ratios[2]
    assert 1e-6 < ratios[2] < 2e-2


def test_another_pattern_is_not_the_checkers(receiving) -> None:
    bench, _, prbs = receiving
    bench.reference_tx.start_pattern("SSPRQ")
    assert not any(lane.locked for lane in prbs.measure_errors(LANES, 1.0))
    bench.reference_tx.start_pattern("PRBS31Q")
    assert all(lane.locked for lane in prbs.measure_errors(LANES, 1.0))


def test_it_is_made_safe_with_the_bench() -> None:
    bench, backend = opened(lab())
    bench.connect()
    bench.reference_tx.start_pattern("PRBS31Q")
    steps = [result.step for result in bench.make_safe() if result.role == "reference_tx"]
    assert [(step.action, step.safe) for step in steps] == [("assert reset_l", True), ("assert lpmode", True)]
    assert backend.reference is not None
    assert [backend.reference.module.launched(lane) for lane in LANES] == [()] * 4
    bench.close()


def test_its_bus_that_dies_is_a_fault_of_the_bench_and_names_it() -> None:
    bench, backend = opened(lab())
    bench.connect()
    backend.failing("reference_tx").fail("dies")
    with pytest.raises(InstrumentError, match=r"^reference_tx: "):
        bench.reference_tx.start_pattern("PRBS31Q")
    bench.host_board.identify()  # on a bus of its own
    assert not all(result.step.safe for result in bench.make_safe() if result.role == "reference_tx")
    bench.close()


def test_a_bench_without_its_board_is_dark_there() -> None:
    spec = lab()
    instruments = {role: part for role, part in spec.instruments.items() if role != "reference_tx"}
    bench, backend = opened(dataclasses.replace(spec, instruments=instruments))
    assert backend.reference is None
    backend.fibres.set_routes("optical_switch", TO_RECEIVERS)
    assert all(backend.fibres.rx_light(lane) == () for lane in LANES)
    bench.close()


@pytest.mark.parametrize("profile", ["reference-fr4-that-is-none", "good-fr4", "flat-dac"])
def test_modules_that_cannot_be_this_benchs_reference(profile: str) -> None:
    told = (
        "no module profile named"
        if profile.endswith("none")
        else "reference_tx.* but the reference module of profile"
    )
    with pytest.raises(BenchError, match=f"(?i){told}"):
        opened(lab(profile))


def test_a_multiplexed_one_shines_from_port_1(tmp_path: Path) -> None:
    text = FULL.replace('module = "reference-dr4"', 'module = "good-fr4"', 1)
    for lane in (2, 3, 4):
        text = text.replace(f'from = "reference_tx.{lane}"', f'from = "attenuator.{lane + 4}"')
    path = tmp_path / "fr4.toml"
    path.write_text(text, encoding="utf-8")
    bench, backend = opened(load_bench(path))
    bench.reference_tx.connect()
    bench.reference_tx.start_pattern("PRBS31Q")
    backend.fibres.set_routes("optical_switch", {5: 25})
    beams = backend.fibres.light("power_meter", 1)
    assert [round(beam.wavelength_nm, -1) for beam in beams] == [1270.0, 1290.0, 1310.0, 1330.0]
    bench.reference_tx.set_lane(2, lit=False)
    lit = [beam.source for beam in backend.fibres.light("power_meter", 1) if beam.power_w > 1e-5]
    assert lit == ["reference_tx.tx1", "reference_tx.tx3", "reference_tx.tx4"]
    bench.close()


def test_another_specimen_is_another_module_and_a_module_of_its_profile_too() -> None:
    """The reference draws its own specimen and keys: it is no twin of the module under test."""
    powers = []
    for specimen in (0, 1):
        world = World(1)
        place = ReferencePlace(
            world, load_profile("reference-dr4"), ReferenceSpec("reference-dr4", specimen), room_temp_c=23.0
        )
        powers.append([place.module._lanes.transmitters.launch_power_w(lane, 25.0, 3.3) for lane in LANES])
    assert powers[0] != powers[1]
    assert all(2.0 < dbm_from_w(power_w) < 3.0 for power_w in powers[0] + powers[1])


def test_it_does_not_look_around_until_it_is_asked() -> None:
    """A second module that polls would cost as much as the first."""
    bench, backend = opened(lab())
    bench.reference_tx.connect()
    bench.reference_tx.start_pattern("PRBS31Q")
    assert backend.reference is not None
    looks = []
    polling = backend.reference.module._polling  # type: ignore[union-attr]
    look, polling._look = polling._look, lambda: (looks.append(backend.world.now_ns), look())
    backend.world.advance(100.0)
    assert looks == []
    assert bench.reference_tx.lit_lanes() == LANES
    assert 1 <= len(looks) <= 3
    bench.close()


def test_its_case_warms_in_the_rooms_air() -> None:
    bench, backend = opened(lab())
    assert backend.reference is not None
    bench.reference_tx.connect()
    bench.reference_tx.start_pattern("PRBS31Q")
    backend.world.advance(600.0)
    assert 30.0 < backend.reference.heat.case_temp_c() < 40.0
    assert backend.heat.case_temp_c() == pytest.approx(23.0)
    bench.close()
