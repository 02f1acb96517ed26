"""The Polatis driver on the simulated switch: dark time, conflicts, lost control."""

from __future__ import annotations

import pytest

from drivers.errors import InstrumentReportedError, NotSettledError

SWITCH = "polatis"


def test_light_is_there_when_route_returns(small_bench):
    switch = small_bench.open(SWITCH)
    assert (len(switch.inputs), switch.outputs[0]) == (16, 17)
    switch.route({1: 17, 2: 18})
    assert small_bench.fibres.routes == {1: 17, 2: 18}
    assert switch.output_of(1) == 17
    assert switch.output_of(3) is None


def test_changed_routes_are_dark_meanwhile_and_others_are_not(small_bench):
    switch = small_bench.open(SWITCH)
    switch.route({1: 17, 2: 18})
    small_bench.world.after(0.010, lambda: seen.append(dict(small_bench.fibres.routes)))
    seen: list[dict[int, int]] = []
    switch.route({1: 20})
    assert seen == [{2: 18}]
    assert small_bench.fibres.routes == {2: 18, 1: 20}


def test_state_is_reported_before_the_light_is_there(small_bench):
    session = small_bench.open(SWITCH).session
    session.command(":OXC:SWIT:CONN:ADD (@1),(@17)", check=False)
    assert session.query(":OXC:SWIT:CONN:STAT?").text == "(@1),(@17)"
    assert small_bench.fibres.routes == {}
    assert session.query("*OPC?").boolean()
    assert small_bench.fibres.routes == {1: 17}


def test_an_output_is_taken_over_from_another_input(small_bench):
    switch = small_bench.open(SWITCH)
    switch.route({1: 17})
    switch.route({2: 17})
    assert switch.routes() == {2: 17}


def test_adding_to_a_connected_port_is_refused_by_the_instrument(small_bench):
    switch = small_bench.open(SWITCH)
    switch.route({1: 17})
    with pytest.raises(InstrumentReportedError, match="-221"):
        switch.session.command(":OXC:SWIT:CONN:ADD (@1),(@18)")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (":OXC:SWIT:CONN:ADD (@1,2),(@17)", -220),
        (":OXC:SWIT:CONN:ADD (@1),(@16)", -222),
        (":OXC:SWIT:CONN:ADD (@1)", -109),
        (":OXC:SWIT:CONN:ADD 1,17", -104),
        (":OXC:SWIT:CONN:ADD (@1),(@17),(@18)", -108),
    ],
)
def test_what_it_refuses(small_bench, command, code):
    session = small_bench.open(SWITCH).session
    with pytest.raises(InstrumentReportedError) as caught:
        session.command(command)
    assert [entry for entry, _ in caught.value.entries] == [code]
    assert session.query(":OXC:SWIT:CONN:STAT?").text == "(@),(@)"


def test_only_and_disconnect_all(small_bench):
    switch = small_bench.open(SWITCH, peer_options={"size": [8, 8]})
    assert switch.outputs == tuple(range(9, 17))
    switch.route({1: 9, 2: 10})
    switch.session.command(":OXC:SWIT:CONN:ONLY (@3),(@9)")
    small_bench.clock.sleep(0.05)
    assert switch.routes() == {3: 9}
    switch.disconnect_all()
    assert small_bench.fibres.routes == {}
    switch.route({1: 9})
    assert [step.safe for step in switch.make_safe()] == [True]
    assert small_bench.fibres.routes == {}


def test_someone_else_takes_the_route_away(small_bench):
    switch = small_bench.open(SWITCH)
    other = small_bench.session(SWITCH)
    small_bench.world.after(0.030, lambda: other._resource.write(":OXC:SWIT:DISC:ALL"))
    with pytest.raises(NotSettledError, match="nobody else"):
        switch.route({1: 17})
