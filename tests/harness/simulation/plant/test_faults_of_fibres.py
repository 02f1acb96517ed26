"""Dirty, bent and reflecting fibres: what they take away, and when."""

from __future__ import annotations

import math

import pytest

from harness.bench_file.simulation_section import WIRING_FAULTS, WiringFaultSpec
from harness.simulation.light.beam import Beam
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.cabling import CABLE_FAULTS
from harness.simulation.plant.true_fibre import FIBRE_FAULTS, true_fibre
from harness.simulation.plant.true_losses import TrueLosses
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Wiring, parse_port

TX2 = parse_port("module.tx2")


class Body:
    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"module.tx{port}", 1e-3, 1310.0),)


def plant(*faults: WiringFaultSpec, world: World | None = None) -> FibrePlant:
    pieces = [
        Fibre(parse_port("module.tx1"), parse_port("power_meter.1"), 0.5, 0.2),
        Fibre(TX2, parse_port("attenuator.2"), 0.5, 0.2),
        Fibre(parse_port("attenuator.2"), parse_port("power_meter.2"), 0.5, 0.2),
    ]
    wiring = Wiring(pieces, {"attenuator": InsertionLoss(1.0, 0.0)})
    made = FibrePlant(world or World(1), wiring, faults=faults)
    made.connect_module(Body())
    return made


def added_db(made: FibrePlant, port: int = 2) -> float:
    return 10.0 * math.log10(plant().power_w("power_meter", port) / made.power_w("power_meter", port))


@pytest.mark.parametrize(("severity", "loss_db"), [(0.0, 0.0), (0.1, 0.1), (0.5, 0.5), (1.0, 1.0)])
def test_dirt_takes_up_to_1_db_from_its_own_fibre_alone(severity, loss_db):
    made = plant(WiringFaultSpec("dirty_end_face", port=TX2, severity=severity))
    assert added_db(made) == pytest.approx(loss_db)
    assert added_db(made, 1) == 0.0


@pytest.mark.parametrize(("port", "loss_db"), [("attenuator.2", 1.0), ("power_meter.2", 1.0)])
def test_dirt_at_the_other_places(port, loss_db):
    made = plant(WiringFaultSpec("dirty_end_face", port=parse_port(port)))
    assert added_db(made) == pytest.approx(loss_db)


def test_no_dirt_is_a_clean_fibre():
    made = plant(WiringFaultSpec("dirty_end_face", port=TX2, severity=0.0))
    assert made.light("power_meter", 2) == plant().light("power_meter", 2)


def test_dirt_makes_no_connector_better_than_it_is():
    face = parse_port("power_meter.1")
    bad = Fibre(parse_port("module.tx1"), face, 0.5, 0.0, reflectance_db=-20.0)
    dirty = true_fibre(bad, TrueLosses(World(1).noise), [WiringFaultSpec("dirty_end_face", port=face)])
    assert (dirty.start.reflectance_db, dirty.end.reflectance_db) == (-20.0, -20.0)


def test_a_bend_takes_what_it_says():
    assert added_db(plant(WiringFaultSpec("bent_fibre", port=TX2, loss_db=2.5))) == pytest.approx(2.5)


def test_faults_add_and_begin_at_their_times():
    world = World(1)
    made = plant(
        WiringFaultSpec("bent_fibre", port=TX2, loss_db=2.0),
        WiringFaultSpec("dirty_end_face", at_s=10.0, port=TX2),
        world=world,
    )
    assert added_db(made) == pytest.approx(2.0)
    world.advance(9.0)
    assert added_db(made) == pytest.approx(2.0)
    world.advance(1.0)
    assert added_db(made) == pytest.approx(3.0)


def test_stray_light_comes_beside_the_benchs_own():
    world = World(1)
    port = parse_port("power_meter.2")
    made = plant(WiringFaultSpec("stray_light", at_s=10.0, port=port, power_dbm=-20.0), world=world)
    before_w, other_w = made.power_w("power_meter", 2), made.power_w("power_meter", 1)
    world.advance(10.0)
    assert made.power_w("power_meter", 2) - before_w == pytest.approx(1e-5)
    assert sum(beam.power_w for beam in made.light("power_meter", 2)) == pytest.approx(before_w + 1e-5)
    assert made.power_w("power_meter", 1) == other_w


def test_every_kind_of_a_bench_file_does_something_in_the_plant():
    assert {*CABLE_FAULTS, *FIBRE_FAULTS, "stray_light"} == set(WIRING_FAULTS)
    assert not {*CABLE_FAULTS} & {*FIBRE_FAULTS}
