"""The supply rail: constant power behind leads, remote sense, and what collapses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.electricity import SupplyRail

LEAD_OHM = 0.05


class Load:
    """A module that draws power as long as it has voltage, and notes when it was told of a change."""

    def __init__(self, rail: SupplyRail, power_w: float) -> None:
        self.power_w = power_w
        self.told = 0
        rail.connect_load(lambda: self.power_w, self._changed)

    def _changed(self) -> None:
        self.told += 1


def rail_with(
    power_w: float = 10.0, *, volts: float = 3.3, limit_a: float = 5.0, remote: bool = False, on: bool = True
) -> tuple[SupplyRail, Load]:
    rail = SupplyRail(lead_resistance_ohm=LEAD_OHM)
    load = Load(rail, power_w)
    rail.set_source(voltage_v=volts, on=on, current_limit_a=limit_a, remote_sense=remote)
    return rail, load


def test_with_remote_sense_the_connector_has_what_was_set():
    rail, _ = rail_with(remote=True)
    assert rail.connector_v() == 3.3
    assert rail.sense_voltage_v() == 3.3
    assert rail.current_a() == pytest.approx(10.0 / 3.3)
    assert not rail.current_limited()


def test_with_local_sense_the_leads_take_their_share():
    rail, _ = rail_with()
    # V = (Vs + sqrt(Vs^2 - 4 P R)) / 2
    connector_v = (3.3 + math.sqrt(3.3**2 - 4 * 10.0 * 0.05)) / 2.0
    assert connector_v == pytest.approx(3.140805, abs=1e-6)
    assert rail.connector_v() == pytest.approx(connector_v)
    assert rail.current_a() == pytest.approx(10.0 / connector_v)
    assert rail.sense_voltage_v() == pytest.approx(3.3)


@given(
    volts=st.floats(min_value=2.5, max_value=4.0),
    power_w=st.floats(min_value=0.0, max_value=12.0),
)
def test_ohms_law_holds_round_the_loop(volts, power_w):
    rail, _ = rail_with(power_w, volts=volts, limit_a=100.0)
    connector_v, current_a = rail.connector_v(), rail.current_a()
    assert connector_v + current_a * LEAD_OHM == pytest.approx(volts)
    assert connector_v * current_a == pytest.approx(power_w, abs=1e-9)


def test_an_output_that_is_off_gives_nothing():
    rail, _ = rail_with(on=False)
    assert (rail.connector_v(), rail.sense_voltage_v(), rail.current_a()) == (0.0, 0.0, 0.0)
    assert not rail.current_limited()


def test_a_load_that_draws_nothing_sees_the_whole_voltage():
    rail, _ = rail_with(0.0)
    assert (rail.connector_v(), rail.current_a()) == (3.3, 0.0)


@pytest.mark.parametrize("remote", [True, False])
def test_above_the_current_limit_the_rail_collapses_and_says_so_once(remote):
    rail, load = rail_with(10.0, limit_a=2.0, remote=remote)
    told = load.told
    assert rail.connector_v() == 0.0
    assert load.told == told + 1
    assert rail.current_limited()
    assert rail.current_a() == 2.0
    assert rail.connector_v() == 0.0
    assert load.told == told + 1


def test_just_below_the_current_limit_it_holds():
    rail, _ = rail_with(6.6 * 0.999, limit_a=2.0, remote=True)
    assert rail.connector_v() == 3.3
    assert not rail.current_limited()


def test_a_collapsed_rail_stays_down_until_the_output_is_set_anew():
    rail, load = rail_with(10.0, limit_a=2.0, remote=True)
    assert rail.connector_v() == 0.0
    load.power_w = 1.0
    assert rail.connector_v() == 0.0
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=2.0, remote_sense=True)
    assert rail.connector_v() == 3.3
    assert not rail.current_limited()


def test_more_than_the_leads_can_carry_collapses_too():
    # 4 P R above Vs^2: there is no voltage at which this much power arrives.
    rail, load = rail_with(60.0, limit_a=100.0)
    told = load.told
    assert rail.connector_v() == 0.0
    assert load.told == told + 1
    assert rail.current_limited()
    load.power_w = 1.0
    assert rail.connector_v() == 0.0


def test_an_output_set_to_zero_is_not_a_collapse():
    rail, _ = rail_with(10.0, volts=0.0, remote=True)
    assert rail.connector_v() == 0.0
    assert rail.current_a() == 0.0
    assert not rail.current_limited()


def test_every_change_at_the_source_is_told():
    rail, load = rail_with(1.0)
    before = load.told
    rail.set_source(voltage_v=3.465, on=True, current_limit_a=5.0, remote_sense=False)
    rail.set_source(voltage_v=3.465, on=False, current_limit_a=5.0, remote_sense=False)
    assert load.told == before + 2


def test_a_load_that_asks_for_the_voltage_while_it_is_told_gets_an_answer():
    rail = SupplyRail(lead_resistance_ohm=LEAD_OHM)
    seen: list[float] = []
    rail.connect_load(lambda: 50.0, lambda: seen.append(rail.connector_v()))
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=2.0, remote_sense=True)
    assert seen[-1] == 0.0
    assert rail.current_limited()


class LoadWithLockout(Load):
    """Draws nothing once it was told that its voltage is gone, until it was told that it is back."""

    def _changed(self) -> None:
        super()._changed()
        self.volts = self.rail.connector_v()
        self.power_w = self.wanted_w if self.volts > 2.7 else 0.0

    def __init__(self, rail: SupplyRail, wanted_w: float) -> None:
        self.rail, self.wanted_w, self.volts = rail, wanted_w, 0.0
        super().__init__(rail, 0.0)


def test_a_load_behind_a_lockout_draws_nothing_from_a_rail_that_collapsed() -> None:
    rail = SupplyRail(lead_resistance_ohm=LEAD_OHM)
    load = LoadWithLockout(rail, 5.0)
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=2.0, remote_sense=True)
    assert load.volts == 3.3
    load.power_w = 10.0
    assert rail.connector_v() == 0.0
    assert (load.volts, load.power_w) == (0.0, 0.0)
    assert (rail.connector_v(), rail.current_a()) == (0.0, 0.0)
    assert rail.current_limited()
    rail.set_source(voltage_v=3.3, on=True, current_limit_a=2.0, remote_sense=True)
    assert (rail.connector_v(), load.volts) == (3.3, 3.3)
    assert rail.current_a() == pytest.approx(5.0 / 3.3)
