"""Polatis switch: the wire conversation of every method."""

from __future__ import annotations

import pytest

from drivers.errors import (
    GarbledReplyError,
    InstrumentError,
    NotSettledError,
    OutOfRangeError,
    WrongIdentityError,
)
from drivers.interfaces import OpticalSwitch
from drivers.polatis import Polatis

OK = '0,"No error"'
ERR = ":SYST:ERR:ALL?"
STATE = ":OXC:SWIT:CONN:STAT?"


@pytest.fixture
def switch(wire, scripted_session, counting_clock):
    return Polatis(scripted_session, counting_clock, name="switch", options={})


@pytest.fixture
def connected(wire, switch):
    wire.expect(("*IDN?", "Polatis,6000-16x16,S1,6.6"), (ERR, OK), ("*CLS", None), (ERR, OK))
    wire.expect((":OXC:SWIT:SIZE?", "16,16"))
    switch.connect()
    return switch


def test_role_and_ports(connected):
    assert isinstance(connected, OpticalSwitch)
    assert (connected.inputs[0], connected.inputs[-1]) == (1, 16)
    assert (connected.outputs[0], connected.outputs[-1]) == (17, 32)


def test_ports_are_unknown_before_connect(switch):
    with pytest.raises(InstrumentError, match="connect"):
        _ = switch.inputs


def test_another_maker_is_refused(wire, switch):
    wire.expect(("*IDN?", "DiCon,GP600,S1,1.0"))
    with pytest.raises(WrongIdentityError, match="DiCon GP600"):
        switch.connect()


def test_route_waits_through_the_clock_and_reads_back(wire, connected, counting_clock):
    wire.expect(
        (STATE, "(@),(@)"),
        (ERR, OK),
        (":OXC:SWIT:CONN:ADD (@1,2),(@17,18)", None),
        (ERR, OK),
        (STATE, "(@1,2),(@17,18)"),
    )
    connected.route({1: 17, 2: 18})
    assert counting_clock.now_s() == pytest.approx(0.05)


def test_routes_in_the_way_are_opened_and_others_left(wire, connected):
    wire.expect(
        (STATE, "(@1,2,3),(@17,18,19)"),
        (ERR, OK),
        (":OXC:SWIT:CONN:SUB (@1,2),(@17,18)", None),
        (ERR, OK),
        (":OXC:SWIT:CONN:ADD (@1),(@18)", None),
        (ERR, OK),
        (STATE, "(@1,3),(@18,19)"),
    )
    connected.route({1: 18, 3: 19})


def test_a_route_that_is_there_is_not_touched(wire, connected, counting_clock):
    wire.expect((STATE, "(@1),(@17)"))
    connected.route({1: 17})
    assert counting_clock.sleeps == []


def test_a_route_that_does_not_come_up(wire, connected):
    add = ":OXC:SWIT:CONN:ADD (@1),(@17)"
    wire.expect((STATE, "(@),(@)"), (ERR, OK), (add, None), (ERR, OK), (STATE, "(@),(@)"))
    with pytest.raises(NotSettledError, match=r"\{1: 17\}"):
        connected.route({1: 17})


@pytest.mark.parametrize("routes", [{17: 1}, {1: 33}, {0: 17}, {1: 17, 2: 17}])
def test_impossible_routes_are_refused_unsent(wire, connected, routes):
    before = len(wire.sent)
    with pytest.raises(OutOfRangeError):
        connected.route(routes)
    assert len(wire.sent) == before


@pytest.mark.parametrize("state", ["(@1,2),(@17)", "(@1,1),(@17,18)", "(@1,2),(@17,17)", "(@1)", "nonsense"])
def test_states_that_make_no_sense(wire, connected, state):
    wire.expect((STATE, state))
    with pytest.raises(GarbledReplyError):
        connected.routes()


@pytest.mark.parametrize(("reply", "output"), [('"17"', 17), ("17", 17), ('""', None), ("0", None)])
def test_output_of(wire, connected, reply, output):
    wire.expect((":OXC:SWIT:CONN:PORT? 1", reply))
    assert connected.output_of(1) == output


def test_output_of_garbled(wire, connected):
    wire.expect((":OXC:SWIT:CONN:PORT? 1", '"x"'))
    with pytest.raises(GarbledReplyError):
        connected.output_of(1)
    with pytest.raises(OutOfRangeError):
        connected.output_of(17)


def test_disconnect_all(wire, connected):
    wire.expect((ERR, OK), (":OXC:SWIT:DISC:ALL", None), (ERR, OK), (STATE, "(@),(@)"))
    connected.disconnect_all()


def test_make_safe(wire, connected):
    for state, safe in (("(@),(@)", True), ("(@1),(@17)", False)):
        wire.expect((":OXC:SWIT:DISC:ALL", None))
        wire.expect_resynchronisation("Polatis,6000-16x16,S1,6.6", error_query=ERR, no_error=OK)
        wire.expect((":OXC:SWIT:DISC:ALL", None), (STATE, state))
        assert [step.safe for step in connected.make_safe()] == [safe]


def test_make_safe_of_a_switch_that_does_not_answer_still_tells_it(wire, connected, no_reply):
    wire.expect((":OXC:SWIT:DISC:ALL", None), ("*IDN?", no_reply))
    (step,) = connected.make_safe()
    assert not step.safe
    assert "no reply" in step.read_back
    assert "blindly" in step.read_back
