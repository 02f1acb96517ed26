"""Attenuators, splitters and the reference transmitter in the wiring: ways through, and what cannot be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wiring import (
    Fibre,
    InsertionLoss,
    Leg,
    Port,
    Splitter,
    Wiring,
    WiringError,
    parse_port,
    wiring_complaints,
)

PASSES = {"optical_switch": InsertionLoss(1.0, 0.08), "attenuator": InsertionLoss(1.5, 0.15)}
TAP = Splitter("tap1", (Leg(0.6, 0.05), Leg(10.4, 0.1)))


def fibre(start: str, end: str, loss_db: float = 0.4, uncertainty_db: float = 0.1) -> Fibre:
    return Fibre(parse_port(start), parse_port(end), loss_db, uncertainty_db)


RECEIVER_TEST = [
    fibre("reference_tx.1", "optical_switch.5"),
    fibre("optical_switch.21", "attenuator.1"),
    fibre("attenuator.1", "optical_switch.9"),
    fibre("optical_switch.25", "tap1.in"),
    fibre("tap1.1", "module.rx1"),
    fibre("tap1.2", "power_meter.5"),
    fibre("optical_switch.26", "optical_switch.10"),
]


def test_ports_of_splitters():
    assert parse_port("tap1.in") == Port("tap1", "in")
    assert parse_port("tap1.2") == Port("tap1", "2")
    assert (Port("tap1", "in").number, Port("tap1", "2").number) == (0, 2)
    with pytest.raises(ValueError, match="the module has ports"):
        parse_port("module.in")


def test_the_way_from_the_reference_transmitter_to_a_receiver():
    ways = Wiring(RECEIVER_TEST, PASSES, [TAP]).ways(parse_port("reference_tx.1"), parse_port("module.rx1"))
    way = next(way for way in ways if way.attenuators and len(way.routes) == 2)
    assert way.hops == (
        *("reference_tx.1", "optical_switch.5", "optical_switch.21", "attenuator.1"),
        *("optical_switch.9", "optical_switch.25", "tap1.in", "tap1.1", "module.rx1"),
    )
    assert way.routes == (("optical_switch", 5, 21), ("optical_switch", 9, 25))
    assert way.attenuators == (Port("attenuator", "1"),)
    assert way.loss_db == pytest.approx(5 * 0.4 + 1.0 + 1.5 + 1.0 + 0.6)
    squares = 5 * 0.1**2 + 2 * 0.08**2 + 0.15**2 + 0.05**2
    assert way.uncertainty_db == pytest.approx(math.sqrt(squares))


def test_ways_with_and_without_the_attenuator_the_shortest_first():
    ways = Wiring(RECEIVER_TEST, PASSES, [TAP]).ways(
        parse_port("reference_tx.1"), parse_port("power_meter.5")
    )
    assert [len(way.hops) for way in ways] == sorted(len(way.hops) for way in ways)
    assert not ways[0].attenuators
    assert ways[0].loss_db == pytest.approx(3 * 0.4 + 1.0 + 10.4)
    assert len({way.routes for way in ways}) == len(ways)
    for way in ways:  # light uses no input and no output of a matrix twice
        for side in (1, 2):
            used = [route[side] for route in way.routes]
            assert len(set(used)) == len(used)


def test_a_search_in_a_matrix_full_of_loops_ends():
    loops = [fibre(f"optical_switch.{200 + n}", f"optical_switch.{n}") for n in range(2, 100)]
    ends = [
        fibre("module.tx1", "optical_switch.1"),
        fibre("optical_switch.300", "power_meter.1"),
    ]
    (shortest, *_) = Wiring([*loops, *ends], PASSES).ways(
        parse_port("module.tx1"), parse_port("power_meter.1")
    )
    assert shortest.routes == (("optical_switch", 1, 300),)


@pytest.mark.parametrize("loops", [0, 20, 60, 150])
def test_the_way_by_the_attenuator_is_found_however_many_loops_a_matrix_has(loops):
    spools = [fibre(f"optical_switch.{500 + n}", f"optical_switch.{100 + n}") for n in range(loops)]
    # The attenuator's ports have the highest numbers: whatever is looked through in order comes before.
    bench = [
        fibre("module.tx1", "optical_switch.1"),
        fibre("optical_switch.900", "attenuator.1"),
        fibre("attenuator.1", "optical_switch.400"),
        fibre("optical_switch.901", "power_meter.1"),
    ]
    wiring = Wiring([*spools, *bench], PASSES)
    ways = wiring.ways(parse_port("module.tx1"), parse_port("power_meter.1"))
    (attenuated,) = [way for way in ways if way.attenuators and len(way.routes) == 2]
    assert attenuated.routes == (("optical_switch", 1, 900), ("optical_switch", 400, 901))


def test_a_way_by_attenuator_and_spool_crosses_the_matrix_three_times():
    spool = fibre("optical_switch.27", "optical_switch.11")
    ways = Wiring([*RECEIVER_TEST, spool], PASSES, [TAP]).ways(
        parse_port("reference_tx.1"), parse_port("module.rx1")
    )
    by_both = (("optical_switch", 5, 21), ("optical_switch", 9, 27), ("optical_switch", 11, 25))
    assert by_both in [way.routes for way in ways]
    assert max(len(way.routes) for way in ways) == 3


def test_a_search_that_was_given_up_says_so_and_not_that_there_is_no_way():
    """Sixteen times divided and joined again, and the only end behind them."""
    fibres, splitters, last = [], [], "module.tx1"
    for stage in range(16):
        splitters += [Splitter(f"{side}{stage}", (Leg(3.1, 0.0), Leg(3.1, 0.0))) for side in "dj"]
        fibres.append(fibre(last, f"d{stage}.in"))
        fibres += [fibre(f"d{stage}.{n}", f"j{stage}.{n}") for n in (1, 2)]
        last = f"j{stage}.in"
    wiring = Wiring([*fibres, fibre(last, "power_meter.1")], {}, splitters)
    tx, meter = parse_port("module.tx1"), parse_port("power_meter.1")
    with pytest.raises(WiringError, match=r"module\.tx1 to power_meter\.1 are too many to look through"):
        wiring.ways(tx, meter)
    with pytest.raises(WiringError, match="to any port of power_meter are too many"):
        wiring.paths(tx, "power_meter")
    assert wiring.ways(tx, parse_port("power_meter.2")) == ()  # where nothing is plugged nothing is searched


def test_stated_ways_keep_to_the_bands_of_multiplexers():
    bands = (Leg(0.5, 0.0, 1271.0), Leg(0.5, 0.0, 1291.0))
    crossed = [
        fibre("module.tx1", "mux.1"),
        fibre("module.tx2", "mux.2"),
        fibre("mux.in", "demux.in"),
        fibre("demux.1", "power_meter.1"),
        fibre("demux.2", "power_meter.2"),
    ]
    wiring = Wiring(crossed, {}, [Splitter("mux", bands), Splitter("demux", bands)])
    for lane in (1, 2):
        tx = parse_port(f"module.tx{lane}")
        assert [way.end.number for way in wiring.paths(tx, "power_meter")] == [lane]
        assert wiring.ways(tx, parse_port(f"power_meter.{3 - lane}")) == ()
    paths = wiring.transmitter_paths((1, 2), "power_meter")
    assert {lane: path.end.number for lane, path in paths.items()} == {1: 1, 2: 2}
    # Bands that overlap let through what is common to both.
    near = Splitter("demux", (Leg(0.5, 0.0, 1280.0),))
    wiring = Wiring([*crossed[:4]], {}, [Splitter("mux", bands), near])
    assert all(wiring.paths(parse_port(f"module.tx{lane}"), "power_meter") for lane in (1, 2))


def test_what_lets_no_light_through_says_how_to_change_that_where_it_can_be():
    assert complaints(fibre("module.tx1", "oscilloscope.1"), fibre("oscilloscope.2", "power_meter.1")) == [
        "fibre[2].from: oscilloscope lets no light through"
    ]


def test_a_splitter_the_other_way_round_joins_light():
    joined = Wiring([fibre("module.tx1", "tap1.2"), fibre("tap1.in", "power_meter.1")], {}, [TAP])
    (way,) = joined.paths(parse_port("module.tx1"), "power_meter")
    assert way.loss_db == pytest.approx(0.8 + 10.4)
    assert way.routes == ()


def test_a_ring_is_no_way_without_end():
    ring = [
        fibre("module.tx1", "tap1.1"),
        fibre("tap1.in", "tap2.in"),
        fibre("tap2.1", "tap1.2"),
        fibre("tap2.2", "power_meter.1"),
    ]
    splitters = [TAP, Splitter("tap2", TAP.legs)]
    ways = Wiring(ring, {}, splitters).ways(parse_port("module.tx1"), parse_port("power_meter.1"))
    assert len(ways) == 1


def test_launch_power_is_not_measured_through_an_attenuator():
    through = [fibre("module.tx1", "attenuator.1"), fibre("attenuator.1", "power_meter.1")]
    wiring = Wiring(through, PASSES)
    (way,) = wiring.paths(parse_port("module.tx1"), "power_meter")
    assert way.attenuators == (Port("attenuator", "1"),)
    assert wiring.transmitter_paths([1], "power_meter") == {}


# -- what cannot be -----------------------------------------------------------------------------------


def complaints(*fibres: Fibre, splitters: tuple[Splitter, ...] = (TAP,)) -> list[str]:
    numbered = [(f"fibre[{index}]", piece) for index, piece in enumerate(fibres, start=1)]
    by_name = {splitter.name: splitter for splitter in splitters}
    found = wiring_complaints(numbered, passes=PASSES, splitters=by_name)
    return [f"{place}: {what}" for place, what in found]


def test_the_receiver_test_is_in_order():
    assert complaints(*RECEIVER_TEST) == []


@pytest.mark.parametrize(
    ("fibres", "expected"),
    [
        (
            [fibre("module.tx1", "reference_tx.1")],
            "fibre[1].to: reference_tx.1 is a transmitter: light cannot go into it",
        ),
        ([fibre("attenuator.1", "attenuator.1")], "fibre[1].to: attenuator.1 would feed itself"),
        (
            [fibre("module.tx1", "optical_switch.in")],
            "fibre[1].to: optical_switch.in: only a splitter has a port in",
        ),
        (
            [fibre("module.tx1", "tap1.in"), fibre("tap1.3", "power_meter.1")],
            "fibre[2].from: tap1.3: tap1 has ports in and the legs 1 .. 2",
        ),
        (
            [fibre("module.tx1", "tap1.in"), fibre("module.tx2", "tap1.1")],
            "fibre[2].to: light goes into tap1.1, so it must leave by tap1.in alone",
        ),
        (
            [fibre("module.tx2", "tap1.1"), fibre("tap1.2", "power_meter.1")],
            "fibre[1].to: light goes into tap1.1, so it must leave by tap1.in alone",
        ),
        (
            [fibre("module.tx1", "optical_switch.1"), fibre("optical_switch.1", "power_meter.1")],
            "fibre[2].from: optical_switch.1 is an input as well as an output (see fibre[1])",
        ),
    ],
)
def test_what_cannot_be(fibres, expected):
    assert complaints(*fibres) == [expected]


@pytest.mark.parametrize(
    ("losses_db", "amplifies"),
    [
        ((3.01, 3.01), False),
        ((3.0, 3.0), False),  # as people write it
        ((2.9, 3.0), True),
        ((0.0,), False),
        ((0.0, 30.0), False),
        ((0.0, 10.0), True),
        ((0.46, 10.0), False),
        ((0.3, 10.0), True),
    ],
)
def test_whether_legs_give_more_light_than_comes_in(losses_db, amplifies):
    legs = tuple(Leg(loss_db, 0.0) for loss_db in losses_db)
    assert Splitter("s", legs).would_amplify is amplifies


def test_legs_of_different_wavelengths_do_not_share_light():
    def mux(*waves_nm: float | None) -> Splitter:
        return Splitter("mux", tuple(Leg(1.0, 0.0, wave_nm) for wave_nm in waves_nm))

    assert not mux(1271.0, 1291.0, 1311.0, 1331.0).would_amplify
    assert mux(1271.0, 1271.0).would_amplify
    assert mux(1271.0, 1280.0).would_amplify  # their bands overlap
    assert mux(1271.0, None).would_amplify


@given(st.lists(st.floats(0.1, 30.0), min_size=1, max_size=6))
def test_what_legs_give_together_is_the_sum_in_watts(losses_db):
    splitter = Splitter("s", tuple(Leg(loss_db, 0.0) for loss_db in losses_db))
    assert splitter.most_out() == pytest.approx(sum(10 ** (-loss_db / 10) for loss_db in losses_db))
