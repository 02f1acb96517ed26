"""The E36312A driver on the simulated supply: accuracy, protection, making safe."""

from __future__ import annotations

import pytest

from drivers.errors import InstrumentReportedError
from drivers.keysight_e36300 import ProtectionTrippedError

SUPPLY = "keysight-e36312a"


@pytest.fixture(params=["SOCKET", "INSTR"])
def supply(small_bench, request):
    return small_bench.open(SUPPLY, transport=request.param)


def turn_on(supply, current_limit_a=3.0):
    supply.configure_output(1, current_limit_a=current_limit_a, overvoltage_v=3.8, remote_sense=True)
    supply.set_voltage_v(1, 3.3)
    supply.set_output(1, on=True)


def test_programming_and_readback_have_their_own_errors(small_bench, supply):
    turn_on(supply)
    assert small_bench.rail.source["remote_sense"] is True
    true_v = small_bench.rail.sense_voltage_v()
    assert true_v == pytest.approx(3.3, abs=0.005)
    assert true_v != 3.3
    measured_v = supply.measure_voltage_v(1)
    assert measured_v == pytest.approx(true_v, abs=0.006)
    assert measured_v != true_v
    assert supply.measure_current_a(1) == pytest.approx(1.0, abs=0.01)
    supply.check_protection(1)


def test_off_takes_the_voltage_away(small_bench, supply):
    turn_on(supply)
    supply.set_output(1, on=False)
    assert small_bench.rail.source["on"] is False
    assert supply.measure_voltage_v(1) == pytest.approx(0.0, abs=0.005)


def test_current_limit_holds_the_current(supply):
    turn_on(supply, current_limit_a=0.5)
    assert supply.measure_current_a(1) == pytest.approx(0.5, abs=0.01)
    assert supply.measure_voltage_v(1) == pytest.approx(1.65, abs=0.03)
    assert supply.output_is_on(1)


def test_overcurrent_protection_turns_it_off_after_its_delay(small_bench):
    supply = small_bench.open(SUPPLY, options={"overcurrent_protection": True})
    turn_on(supply)
    small_bench.clock.sleep(10.0)
    supply.check_protection(1)
    small_bench.rail.load_ohm = 0.5
    small_bench.clock.sleep(0.2)
    assert small_bench.rail.source["on"] is False
    with pytest.raises(ProtectionTrippedError, match="over-current"):
        supply.check_protection(1)
    with pytest.raises(InstrumentReportedError, match="-221"):
        supply.set_output(1, on=True)
    small_bench.rail.load_ohm = 3.3
    supply.clear_protection(1)
    supply.set_output(1, on=True)


def test_overvoltage_protection(small_bench, supply):
    turn_on(supply)
    supply.session.command("VOLT:PROT 3.0,(@1)")
    assert small_bench.rail.source["on"] is False
    with pytest.raises(ProtectionTrippedError, match="over-voltage"):
        supply.check_protection(1)


def test_make_safe_turns_every_output_off(small_bench, supply):
    turn_on(supply)
    supply.session.command("VOLT 12,(@2)")
    supply.session.command("OUTP ON,(@2)")
    steps = supply.make_safe()
    assert [step.safe for step in steps] == [True, True, True]
    assert small_bench.rail.source["on"] is False
    assert supply.session.query("OUTP? (@1,2,3)").text == "0,0,0"


def test_make_safe_reports_a_dead_supply(small_bench, supply):
    turn_on(supply)
    small_bench.peers[SUPPLY].die()
    assert [step.safe for step in supply.make_safe()] == [False, False, False]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("VOLT 7,(@1)", -222),
        ("VOLT 7,(@1,2)", -222),
        ("VOLT 1,(@4)", -222),
        ("VOLT 1 A,(@1)", -131),
        ("VOLT one,(@1)", -104),
        ("OUTP MAYBE,(@1)", -224),
        ("OUTP ON,(@1),5", -108),
    ],
)
def test_what_it_refuses_it_does_not_do(small_bench, supply, command, code):
    with pytest.raises(InstrumentReportedError) as caught:
        supply.session.command(command)
    assert [entry for entry, _ in caught.value.entries] == [code]
    assert supply.session.query("VOLT? (@1:3)").reals(3) == (0.0, 0.0, 0.0)
    assert not supply.output_is_on(1)


def test_apply_and_short_forms(supply):
    supply.session.command("APPL CH2,12,0.5")
    assert supply.session.query(":SOURce:VOLTage:LEVel:IMMediate:AMPLitude? (@2)").real() == 12.0
    assert supply.session.query("CURR? (@2)").real() == 0.5
    supply.session.command("VOLT MAX,(@2);CURR 200 MA,(@2)")
    assert supply.session.query("VOLT? (@2)").real() == pytest.approx(25.75)
    assert supply.session.query("CURR? (@2)").real() == pytest.approx(0.2)
