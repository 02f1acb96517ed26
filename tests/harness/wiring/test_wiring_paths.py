"""Fibres and matrices: ports, ways through the bench, what they lose and how well that is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wiring import MODULE, Fibre, InsertionLoss, Port, Wiring, parse_port, wiring_complaints

PASS = {"optical_switch": InsertionLoss(1.0, 0.08)}


def fibre(start: str, end: str, loss_db: float = 0.4, uncertainty_db: float = 0.1) -> Fibre:
    return Fibre(parse_port(start), parse_port(end), loss_db, uncertainty_db)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("module.tx1", Port("module", "tx1")),
        ("module.rx8", Port("module", "rx8")),
        ("optical_switch.17", Port("optical_switch", "17")),
        ("power_meter.008", Port("power_meter", "8")),
    ],
)
def test_ports(text, port):
    assert parse_port(text) == port
    assert parse_port(str(port)) == port


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "module",
            "module.",
            "module.tx0",
            "module.tx9",
            "module.1",
            "module.TX1",
            "module.tx1.2",
            ".1",
        ),
        *("power_meter.0", "power_meter.-1", "power_meter.10000", "power_meter.x", "power_meter.²", "a b.1"),
        *("power_meter.1 ", "power_meter.1_0", "power_meter." + "9" * 5000),
    ],
    ids=range(18),
)
def test_what_is_no_port(text):
    with pytest.raises(ValueError):
        parse_port(text)


@given(st.text(max_size=40))
def test_any_text_is_a_port_or_a_value_error(text):
    try:
        port = parse_port(text)
    except ValueError:
        return
    assert port.number >= 1
    assert parse_port(str(port)) == port


def test_numbers_of_ports():
    assert Port(MODULE, "tx3").number == 3
    assert Port("power_meter", "12").number == 12


# -- ways -------------------------------------------------------------------------------------------


def test_a_direct_fibre_is_a_way():
    (way,) = Wiring([fibre("module.tx1", "power_meter.2", 0.5, 0.1)], {}).paths(
        Port(MODULE, "tx1"), "power_meter"
    )
    assert (way.start, way.end) == (Port(MODULE, "tx1"), Port("power_meter", "2"))
    assert way.hops == ("module.tx1", "power_meter.2")
    assert (way.loss_db, way.uncertainty_db, way.routes) == (0.5, pytest.approx(0.1), ())


def test_a_way_through_a_matrix_adds_losses_and_squares_of_uncertainties():
    wiring = Wiring(
        [
            fibre("module.tx1", "optical_switch.1", 0.42, 0.10),
            fibre("optical_switch.17", "power_meter.1", 0.25, 0.06),
        ],
        PASS,
    )
    (way,) = wiring.paths(Port(MODULE, "tx1"), "power_meter")
    assert way.loss_db == pytest.approx(0.42 + 1.00 + 0.25)
    assert way.uncertainty_db == pytest.approx(math.sqrt(0.10**2 + 0.08**2 + 0.06**2))
    assert way.routes == (("optical_switch", 1, 17),)
    assert way.hops == ("module.tx1", "optical_switch.1", "optical_switch.17", "power_meter.1")


def test_every_exit_of_a_matrix_that_leads_there_is_a_way():
    wiring = Wiring(
        [fibre("module.tx1", "optical_switch.1")]
        + [fibre(f"optical_switch.{16 + n}", f"power_meter.{n}") for n in (3, 1, 2)]
        + [fibre("optical_switch.30", "module.rx1")],
        PASS,
    )
    ways = wiring.paths(Port(MODULE, "tx1"), "power_meter")
    assert [way.end.number for way in ways] == [1, 2, 3]
    assert [way.routes[0][2] for way in ways] == [17, 18, 19]


def test_a_patch_back_into_the_same_matrix_is_no_way_without_end():
    wiring = Wiring(
        [
            fibre("module.tx1", "optical_switch.1"),
            fibre("optical_switch.17", "optical_switch.2"),
            fibre("optical_switch.18", "power_meter.1"),
        ],
        PASS,
    )
    (way,) = wiring.paths(Port(MODULE, "tx1"), "power_meter")
    assert way.routes == (("optical_switch", 1, 18),)


def test_no_way_through_what_lets_no_light_through_or_from_an_unplugged_port():
    fibres = [fibre("module.tx1", "attenuator.1"), fibre("attenuator.2", "power_meter.1")]
    assert Wiring(fibres, {}).paths(Port(MODULE, "tx1"), "power_meter") == ()
    assert Wiring(fibres, {}).paths(Port(MODULE, "tx2"), "power_meter") == ()


def test_fibres_are_found_from_both_ends():
    piece = fibre("module.tx1", "power_meter.1")
    wiring = Wiring([piece], {})
    assert wiring.fibre_from(Port(MODULE, "tx1")) is piece
    assert wiring.fibre_into(Port("power_meter", "1")) is piece
    assert wiring.fibre_into(Port(MODULE, "tx1")) is None
    assert wiring.fibre_from(Port("power_meter", "1")) is None


# -- a port for each transmitter ----------------------------------------------------------------------


def _through_a_matrix(meter_ports: tuple[int, ...], lanes: tuple[int, ...] = (1, 2, 3, 4)) -> list[Fibre]:
    return [fibre(f"module.tx{lane}", f"optical_switch.{lane}") for lane in lanes] + [
        fibre(f"optical_switch.{16 + port}", f"power_meter.{port}") for port in meter_ports
    ]


def test_each_transmitter_goes_to_the_port_of_its_number():
    ways = Wiring(_through_a_matrix((4, 3, 2, 1)), PASS).transmitter_paths((1, 2, 3, 4), "power_meter")
    assert {lane: way.end.number for lane, way in ways.items()} == {1: 1, 2: 2, 3: 3, 4: 4}


def test_other_numbers_serve_too_and_no_port_serves_two():
    ways = Wiring(_through_a_matrix((5, 6, 7, 8)), PASS).transmitter_paths((1, 2, 3, 4), "power_meter")
    assert {lane: way.end.number for lane, way in ways.items()} == {1: 5, 2: 6, 3: 7, 4: 8}


def test_a_lane_does_not_take_the_port_of_another():
    # Lane 1 cannot have port 1; port 2 belongs to lane 2, whatever the order.
    ways = Wiring(_through_a_matrix((2, 3)), PASS).transmitter_paths((1, 2), "power_meter")
    assert {lane: way.end.number for lane, way in ways.items()} == {1: 3, 2: 2}


def test_a_lane_without_a_port_of_its_own_is_left_out():
    ways = Wiring(_through_a_matrix((1, 2)), PASS).transmitter_paths((1, 2, 3), "power_meter")
    assert list(ways) == [1, 2]


@given(
    meter_ports=st.sets(st.integers(1, 9), max_size=6).map(tuple),
    lanes=st.sets(st.integers(1, 8), max_size=6).map(tuple),
)
def test_as_many_lanes_as_ports_are_served_each_by_one(meter_ports, lanes):
    ways = Wiring(_through_a_matrix(meter_ports, lanes), PASS).transmitter_paths(lanes, "power_meter")
    assert len(ways) == min(len(lanes), len(meter_ports))
    assert len({way.end for way in ways.values()}) == len(ways)
    assert all(ways[lane].end.number == lane for lane in lanes if lane in meter_ports)


# -- what is impossible -------------------------------------------------------------------------------


def complaints(*fibres: Fibre, passes: tuple[str, ...] = ("optical_switch",)) -> list[tuple[str, str]]:
    numbered = [(f"fibre[{index}]", piece) for index, piece in enumerate(fibres, start=1)]
    return wiring_complaints(numbered, passes=passes)


def test_a_bench_in_order_has_no_complaint():
    assert complaints(*_through_a_matrix((1, 2, 3, 4)), fibre("optical_switch.30", "module.rx1")) == []
    assert complaints(fibre("module.tx1", "module.rx1"), passes=()) == []


def test_what_cannot_be():
    assert complaints(fibre("module.rx1", "power_meter.1")) == [
        ("fibre[1].from", "module.rx1 is a receiver: light cannot come from it")
    ]
    assert complaints(fibre("optical_switch.17", "module.tx1")) == [
        ("fibre[1].to", "module.tx1 is a transmitter: light cannot go into it")
    ]
    assert complaints(fibre("module.tx1", "power_meter.1"), fibre("module.tx2", "power_meter.1")) == [
        ("fibre[2].to", "power_meter.1 is plugged already, in fibre[1]")
    ]
    assert complaints(fibre("optical_switch.1", "optical_switch.1")) == [
        ("fibre[1].from", "optical_switch.1 is an input as well as an output (see fibre[1])")
    ]


def test_a_role_that_lets_no_light_through_is_told_once():
    (one,) = complaints(*_through_a_matrix((1, 2, 3, 4)), passes=())
    assert one == (
        "fibre[5].from",
        "optical_switch lets no light through: give it [instruments.optical_switch.pass]",
    )
