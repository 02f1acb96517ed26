"""Passive optics: no network of fibres, matrices, attenuators, splitters and wrong cables gains power, and
light goes both ways alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.light.beam import Beam, total_power_w
from harness.simulation.plant import FibrePlant
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Leg, Port, Splitter, Wiring, parse_port, wiring_complaints

LAUNCHED_W = 1e-3
LEAVE = 100  # outputs of the random matrix count from here


class LitBody:
    """A module of which some transmitters are lit, each at its CWDM wavelength."""

    def __init__(self, *lit: int) -> None:
        self.lit = lit

    def launched(self, port: int) -> tuple[Beam, ...]:
        power_w = LAUNCHED_W if port in self.lit else 0.0
        return (Beam(f"module.tx{port}", power_w, 1251.0 + 20.0 * port),)


@dataclass
class Network:
    fibres: list[Fibre] = field(default_factory=list)
    splitters: list[Splitter] = field(default_factory=list)
    routes: dict[int, int] = field(default_factory=dict)
    attenuations_db: dict[int, float] = field(default_factory=dict)
    meters: list[int] = field(default_factory=list)
    passes: dict[str, InsertionLoss] = field(default_factory=dict)

    def plant(self, seed: int = 1, faults: tuple[WiringFaultSpec, ...] = ()) -> FibrePlant:
        wiring = Wiring(self.fibres, self.passes, self.splitters)
        made = FibrePlant(World(seed), wiring, faults=faults)
        made.set_routes("optical_switch", self.routes)
        for channel, attenuation_db in self.attenuations_db.items():
            made.set_attenuation("attenuator", channel, attenuation_db)
        return made

    def arriving_w(self, made: FibrePlant) -> float:
        meters_w = [made.power_w("power_meter", port) for port in self.meters]
        return math.fsum(meters_w) + math.fsum(total_power_w(made.rx_light(port)) for port in range(1, 5))


LOSSES = st.floats(0.0, 3.0)


@st.composite
def networks(draw: st.DrawFn, uncertain: bool = True) -> Network:
    made = Network()
    doubt = st.floats(0.0, 1.0) if uncertain else st.just(0.0)
    made.passes = {
        role: InsertionLoss(draw(LOSSES), draw(doubt)) for role in ("optical_switch", "attenuator")
    }
    free = [Port("module", f"tx{lane}") for lane in range(1, 5)]

    def plug(end: str) -> None:
        start = free.pop(draw(st.integers(0, len(free) - 1)))
        length_m = draw(st.sampled_from([0.0, 2.0, 10_000.0]))
        made.fibres.append(Fibre(start, parse_port(end), draw(LOSSES), draw(doubt), length_m))

    entries = 0
    kinds = ("matrix", "attenuator", "splitter", "combiner", "multiplexer")
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=7)), start=1):
        if not free:
            break
        if kind == "matrix":
            entries += 1
            plug(f"optical_switch.{entries}")
            free.append(Port("optical_switch", str(LEAVE + entries)))
        elif kind == "attenuator":
            plug(f"attenuator.{number}")
            free.append(Port("attenuator", str(number)))
            made.attenuations_db[number] = draw(st.floats(0.0, 20.0))
        else:
            name = f"tap{number}"
            count = draw(st.integers(1, 4))
            waves = [1271.0 + 20.0 * index if kind == "multiplexer" else None for index in range(count)]
            shares = [1.0] * count if kind == "multiplexer" else draw(_shares(count))
            made.splitters.append(
                Splitter(
                    name,
                    tuple(
                        Leg(-10.0 * math.log10(share), draw(doubt), wave)
                        for share, wave in zip(shares, waves, strict=True)
                    ),
                )
            )
            if kind == "splitter":
                plug(f"{name}.in")
                free += [Port(name, str(leg)) for leg in range(1, count + 1)]
            else:
                for leg in range(1, min(count, len(free)) + 1):
                    plug(f"{name}.{leg}")
                free.append(Port(name, "in"))
    for lane in range(1, 1 + draw(st.integers(0, min(4, len(free))))):
        plug(f"module.rx{lane}")
    while free:
        made.meters.append(len(made.meters) + 1)
        plug(f"power_meter.{made.meters[-1]}")
    leaves = draw(st.permutations(range(1, entries + 1)))
    made.routes = {entry: LEAVE + leave for entry, leave in enumerate(leaves, start=1)}
    return made


def _shares(count: int) -> st.SearchStrategy[list[float]]:
    """Of the light, for each leg, together not more than all of it."""
    weights = st.lists(st.floats(0.05, 1.0), min_size=count, max_size=count)
    return weights.map(lambda listed: [weight / sum(listed) for weight in listed])


FAULTS = st.lists(
    st.sampled_from(
        [
            WiringFaultSpec("cable_polarity", polarity="A"),
            WiringFaultSpec("cable_polarity", polarity="C"),
            WiringFaultSpec("key_flipped"),
            WiringFaultSpec("miswired_cassette"),
            WiringFaultSpec("lane_swap", lanes=(1, 2), legs="both"),
        ]
    ),
    max_size=3,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(network=networks(), seed=st.integers(0, 1000), faults=FAULTS)
def test_no_network_gains_power(network, seed, faults):
    numbered = [(f"fibre[{n}]", piece) for n, piece in enumerate(network.fibres, start=1)]
    splitters = {splitter.name: splitter for splitter in network.splitters}
    assert wiring_complaints(numbered, passes=network.passes, splitters=splitters) == []
    assert not any(splitter.would_amplify for splitter in network.splitters)
    made = network.plant(seed, faults)
    arrived_w = []
    for lane in range(1, 5):
        made.connect_module(LitBody(lane))
        arrived_w.append(network.arriving_w(made))
        assert arrived_w[-1] <= LAUNCHED_W * (1.0 + 1e-9)
    # Powers of different sources add, in watts.
    made.connect_module(LitBody(1, 2, 3, 4))
    assert network.arriving_w(made) == pytest.approx(math.fsum(arrived_w), rel=1e-9, abs=1e-15)


def test_however_its_legs_are_drawn_a_splitter_gives_no_more_than_it_gets():
    network = Network(
        fibres=[
            Fibre(Port("module", "tx1"), Port("tap", "in"), 0.0, 0.0),
            Fibre(Port("tap", "1"), Port("power_meter", "1"), 0.0, 0.0),
            Fibre(Port("tap", "2"), Port("power_meter", "2"), 0.0, 0.0),
        ],
        splitters=[Splitter("tap", (Leg(3.01, 1.0), Leg(3.01, 1.0)))],
        meters=[1, 2],
    )
    arrived_w = []
    for seed in range(200):
        made = network.plant(seed)
        made.connect_module(LitBody(1))
        arrived_w.append(network.arriving_w(made))
    assert max(arrived_w) <= LAUNCHED_W * (1.0 + 1e-9)
    assert min(arrived_w) > 0.7 * LAUNCHED_W  # a splitter that loses a decibel, as its legs may


@settings(max_examples=40, deadline=None)
@given(network=networks(uncertain=False), data=st.data())
def test_light_goes_both_ways_alike(network, data):
    if not network.meters:
        return
    lane = data.draw(st.integers(1, 4))
    meter = data.draw(st.sampled_from(network.meters))
    made = network.plant()
    made.connect_module(LitBody(lane))
    there_w = made.power_w("power_meter", meter)
    # The same light, sent from the meter: a laser of the same wavelength takes its place.
    turned = replace(network, fibres=[], routes={leave: entry for entry, leave in network.routes.items()})
    ends = {
        Port("power_meter", str(meter)): Port("module", f"tx{lane}"),
        **{Port("module", f"tx{n}"): Port("power_meter", str(500 + n)) for n in range(1, 5)},
    }
    for piece in network.fibres:
        start, end = ends.get(piece.end, piece.end), ends.get(piece.start, piece.start)
        if start.role != "power_meter" and not start.port.startswith("rx"):
            turned.fibres.append(replace(piece, start=start, end=end))
    back = turned.plant()
    back.connect_module(LitBody(lane))
    assert back.power_w("power_meter", 500 + lane) == pytest.approx(there_w, rel=1e-9, abs=1e-15)


@given(step_db=st.sampled_from([0.1, 1.0, 10.0]), start_db=st.floats(0.0, 40.0))
def test_a_step_of_an_attenuator_is_that_step_of_the_light(step_db, start_db):
    network = Network(
        fibres=[
            Fibre(Port("module", "tx1"), Port("attenuator", "1"), 0.4, 0.1),
            Fibre(Port("attenuator", "1"), Port("power_meter", "1"), 0.3, 0.1),
        ],
        passes={"attenuator": InsertionLoss(1.5, 0.2)},
    )
    made = network.plant()
    made.connect_module(LitBody(1))
    made.set_attenuation("attenuator", 1, start_db)
    before_w = made.power_w("power_meter", 1)
    made.set_attenuation("attenuator", 1, start_db + step_db)
    assert 10.0 * math.log10(before_w / made.power_w("power_meter", 1)) == pytest.approx(step_db, abs=1e-9)
