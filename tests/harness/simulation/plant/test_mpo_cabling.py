"""What wrong cables do to an MPO-12: known answers by position and by lane."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BenchError
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.light.beam import Beam, total_power_w
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.cabling import (
    POSITIONS,
    Cabling,
    check_cable_fault,
    permutation,
    port_at,
    position,
)
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Leg, Splitter, Wiring, parse_port

FLIP = WiringFaultSpec("key_flipped")
TYPE_A = WiringFaultSpec("cable_polarity", polarity="A")
TYPE_C = WiringFaultSpec("cable_polarity", polarity="C")
CASSETTE = WiringFaultSpec("miswired_cassette")
PORTS = tuple(f"{side}{lane}" for side in ("tx", "rx") for lane in range(1, 5))


def legs(*faults: WiringFaultSpec) -> dict[str, str | None]:
    cabling = Cabling(4)
    cabling.become(faults)
    found = {port: cabling.leg_of(port) for port in PORTS}
    assert {leg: cabling.port_of(leg) for leg in found.values() if leg} == {
        leg: port for port, leg in found.items() if leg
    }
    return found


def test_positions_of_an_mpo_12():
    assert [position(port) for port in PORTS] == [1, 2, 3, 4, 12, 11, 10, 9]
    assert [port_at(place) for place in POSITIONS] == [
        *("tx1", "tx2", "tx3", "tx4", None, None, None, None, "rx4", "rx3", "rx2", "rx1")
    ]


def test_a_right_cable_changes_nothing():
    assert legs() == {port: port for port in PORTS}


@pytest.mark.parametrize("fault", [FLIP, TYPE_A], ids=["key flipped", "type A"])
def test_a_flipped_connector_exchanges_transmitters_and_receivers(fault):
    expected = {**{f"tx{n}": f"rx{n}" for n in range(1, 5)}, **{f"rx{n}": f"tx{n}" for n in range(1, 5)}}
    assert legs(fault) == expected


def test_a_type_c_cable_exchanges_the_neighbours_too():
    found = legs(TYPE_C)
    assert {port: found[port] for port in ("tx1", "tx2", "tx3", "tx4")} == {
        "tx1": "rx2",
        "tx2": "rx1",
        "tx3": "rx4",
        "tx4": "rx3",
    }


def test_a_miswired_cassette_counts_from_the_other_end():
    expected = {f"{side}{n}": f"{side}{5 - n}" for side in ("tx", "rx") for n in range(1, 5)}
    assert legs(CASSETTE) == expected


def test_two_lanes_exchanged_among_the_transmitters_or_both():
    swap = WiringFaultSpec("lane_swap", lanes=(1, 3))
    found = legs(swap)
    assert (found["tx1"], found["tx2"], found["tx3"], found["rx1"]) == ("tx3", "tx2", "tx1", "rx1")
    found = legs(WiringFaultSpec("lane_swap", lanes=(1, 3), legs="both"))
    assert (found["tx1"], found["rx1"], found["rx3"], found["rx4"]) == ("tx3", "rx3", "rx1", "rx4")


def test_two_flips_are_none():
    assert legs(FLIP, TYPE_A) == {port: port for port in PORTS}


@given(st.permutations([FLIP, TYPE_C, CASSETTE, WiringFaultSpec("lane_swap", lanes=(2, 4))]))
def test_what_the_faults_make_does_not_depend_on_when_they_began(faults):
    made = permutation(faults)
    assert sorted(made) == sorted(made.values()) == list(POSITIONS)
    assert made == permutation(sorted(faults, key=lambda fault: fault.kind))


def test_a_duplex_connector_has_one_way_to_be_wrong():
    cabling = Cabling(1)
    check_cable_fault(TYPE_A, 1)
    cabling.become([TYPE_A])
    assert (cabling.leg_of("tx1"), cabling.leg_of("rx1")) == ("rx1", "tx1")
    assert (cabling.port_of("rx1"), cabling.port_of("tx1")) == ("tx1", "rx1")
    for fault in (FLIP, TYPE_C, CASSETTE):
        with pytest.raises(BenchError, match="duplex connector"):
            check_cable_fault(fault, 1)


@pytest.mark.parametrize("pairs", [0, 2, 8])
def test_other_modules_have_no_such_cable(pairs):
    with pytest.raises(BenchError, match=f"this module has {pairs} pairs"):
        FibrePlant(World(1), Wiring([], {}), pairs=pairs, faults=[FLIP])


# -- what the light does -----------------------------------------------------------------------------


class Body:
    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"module.tx{port}", port * 1e-3, 1310.0),)


def plant(*faults: WiringFaultSpec, fibres: list[tuple[str, str]]) -> FibrePlant:
    wiring = Wiring(
        [Fibre(parse_port(start), parse_port(end), 0.5, 0.0) for start, end in fibres],
        {"attenuator": InsertionLoss(1.0, 0.0), "optical_switch": InsertionLoss(1.0, 0.0)},
        [Splitter("tap", (Leg(3.5, 0.0), Leg(3.5, 0.0)))],
    )
    made = FibrePlant(World(1), wiring, faults=faults)
    made.connect_module(Body())
    return made


METERS = [(f"module.tx{n}", f"power_meter.{n}") for n in range(1, 5)]


def test_a_flipped_key_makes_all_legs_dark():
    made = plant(FLIP, fibres=METERS)
    assert [made.power_w("power_meter", port) for port in range(1, 5)] == [0.0] * 4
    assert made.light("power_meter", 1) == ()


def test_a_cassette_brings_lane_4_where_lane_1_belongs():
    made = plant(CASSETTE, fibres=METERS)
    sources = [beam.source for port in range(1, 5) for beam in made.light("power_meter", port)]
    assert sources == ["module.tx4", "module.tx3", "module.tx2", "module.tx1"]


def test_light_in_a_receivers_leg_runs_backwards():
    # tx1 > attenuator > rx1; with a flipped key it goes round the other way, and loses the same.
    loop = [("module.tx1", "attenuator.1"), ("attenuator.1", "module.rx1")]
    right, wrong = plant(fibres=loop), plant(FLIP, fibres=loop)
    for made in (right, wrong):
        made.set_attenuation("attenuator", 1, 3.0)
        (beam,) = made.rx_light(1)
        assert beam.source == "module.tx1"
        assert beam.power_w == pytest.approx(1e-3 * 10 ** (-0.5))
        made.set_shutter("attenuator", 1, open_=False)
        assert made.rx_light(1) == ()
        made.set_shutter("attenuator", 1, open_=True)
        assert total_power_w(made.rx_light(1)) > 0.0


def test_it_runs_backwards_through_a_matrix_too():
    loop = [("module.tx1", "optical_switch.1"), ("optical_switch.17", "module.rx1")]
    for faults in ((), (FLIP,)):
        made = plant(*faults, fibres=loop)
        assert made.rx_light(1) == ()
        made.set_routes("optical_switch", {1: 17})
        (beam,) = made.rx_light(1)
        assert (beam.source, beam.power_w) == ("module.tx1", pytest.approx(1e-3 * 10**-0.2))


def test_both_directions_of_a_pass_lose_the_same_however_uncertain():
    loop = [("module.tx1", "optical_switch.1"), ("optical_switch.17", "module.rx1")]
    wiring = Wiring(
        [Fibre(parse_port(start), parse_port(end), 1.0, 0.5) for start, end in loop],
        {"optical_switch": InsertionLoss(2.0, 1.0)},
    )
    for seed in range(20):
        powers_w = []
        for faults in ((), (FLIP,)):
            made = FibrePlant(World(seed), wiring, faults=faults)
            made.connect_module(Body())
            made.set_routes("optical_switch", {1: 17})
            powers_w.append(total_power_w(made.rx_light(1)))
        assert powers_w[0] == pytest.approx(powers_w[1], rel=1e-12)


def test_it_does_not_turn_round_in_an_attenuator():
    # Tx1's light comes out of Rx1's leg and runs back through tap and attenuator, away from the meter.
    tapped = [
        ("module.tx2", "attenuator.1"),
        ("attenuator.1", "tap.in"),
        ("tap.1", "module.rx1"),
        ("tap.2", "power_meter.1"),
    ]
    assert plant(fibres=tapped).power_w("power_meter", 1) > 0.0
    assert plant(FLIP, fibres=tapped).power_w("power_meter", 1) == 0.0


def test_a_cable_goes_wrong_at_its_time():
    world = World(1)
    wiring = Wiring([Fibre(parse_port("module.tx1"), parse_port("power_meter.1"), 0.5, 0.0)], {})
    made = FibrePlant(world, wiring, faults=[WiringFaultSpec("key_flipped", at_s=60.0)])
    made.connect_module(Body())
    assert made.power_w("power_meter", 1) > 0.0
    world.advance(59.9)
    assert made.power_w("power_meter", 1) > 0.0
    world.advance(0.2)
    assert made.power_w("power_meter", 1) == 0.0
