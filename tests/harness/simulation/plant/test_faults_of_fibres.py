"""Dirty, bent and reflecting fibres: what they take away, and when."""

from __future__ import annotations

import math

import pytest

from harness.simulation.light.beam import Beam
from harness.simulation.plant import FibrePlant
from harness.simulation.world import World
from harness.simulation_section import WiringFaultSpec
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


@pytest.mark.parametrize(("severity", "loss_db"), [(0.0, 0.3), (0.5, 0.65), (1.0, 1.0)])
def test_dirt_takes_0_3_to_1_db_from_its_own_fibre_alone(severity, loss_db):
    made = plant(WiringFaultSpec("dirty_end_face", port=TX2, severity=severity))
    assert added_db(made) == pytest.approx(loss_db)
    assert added_db(made, 1) == 0.0


@pytest.mark.parametrize(("port", "loss_db"), [("attenuator.2", 1.0), ("power_meter.2", 1.0)])
def test_dirt_at_the_other_places(port, loss_db):
    made = plant(WiringFaultSpec("dirty_end_face", port=parse_port(port)))
    assert added_db(made) == pytest.approx(loss_db)


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
