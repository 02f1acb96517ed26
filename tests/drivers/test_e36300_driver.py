"""Keysight E36312A: the wire conversation of every method."""

from __future__ import annotations

import pytest

from drivers.errors import GarbledReplyError, InstrumentError, InstrumentReportedError, OutOfRangeError
from drivers.interfaces import PowerSupply
from drivers.keysight_e36300 import E36312A, ProtectionTrippedError

IDN = "Keysight Technologies,E36312A,MY1,2.1"
OK = '+0,"No error"'


@pytest.fixture
def supply(scripted_session, counting_clock):
    return E36312A(scripted_session, counting_clock, name="supply", options={})


def expect_limits(wire, *, protection="OFF"):
    wire.expect(("OUTP? (@1)", "0"), (":SYST:ERR?", OK))  # what the query left is not the setting's
    wire.expect_set(
        "CURR 3.0000,(@1)", "VOLT:PROT 3.7000,(@1)", f"CURR:PROT:STAT {protection},(@1)", "VOLT:SENS EXT,(@1)"
    )
    wire.expect(("CURR? (@1)", "+3.00000000E+00"), ("VOLT:PROT? (@1)", "+3.70000000E+00"))
    wire.expect(("CURR:PROT:STAT? (@1)", "1" if protection == "ON" else "0"), ("VOLT:SENS? (@1)", "EXT"))


LIMITS = {"current_limit_a": 3.0, "overvoltage_v": 3.7, "remote_sense": True}


def test_connect(wire, supply):
    assert isinstance(supply, PowerSupply)
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")
    assert supply.connect().serial == "MY1"


def test_configure_output(wire, supply):
    expect_limits(wire)
    supply.configure_output(1, **LIMITS)


def test_a_sense_that_reads_back_otherwise(wire, supply):
    expect_limits(wire)
    wire.script[-1] = ("VOLT:SENS? (@1)", "INT")
    with pytest.raises(GarbledReplyError, match="not the EXT that was set"):
        supply.configure_output(1, **LIMITS)


def test_overcurrent_protection_is_an_option(wire, scripted_session, counting_clock):
    supply = E36312A(
        scripted_session, counting_clock, name="supply", options={"overcurrent_protection": True}
    )
    expect_limits(wire, protection="ON")
    supply.configure_output(1, **LIMITS)


def test_limits_of_an_output_that_is_on_stay(wire, supply):
    wire.expect(("OUTP? (@1)", "1"))
    with pytest.raises(InstrumentError, match="is on"):
        supply.configure_output(1, **LIMITS)


def test_set_voltage_reads_back_and_settles(wire, supply, counting_clock):
    wire.expect_set("VOLT 3.3000,(@1)")
    wire.expect(("VOLT? (@1)", "+3.30000000E+00"))
    supply.set_voltage_v(1, 3.3)
    assert counting_clock.sleeps == [supply.settling_s]


def test_voltage_that_reads_back_otherwise(wire, supply):
    wire.expect_set("VOLT 3.3000,(@1)")
    wire.expect(("VOLT? (@1)", "+5.00000000E+00"))
    with pytest.raises(GarbledReplyError):
        supply.set_voltage_v(1, 3.3)


@pytest.mark.parametrize(
    ("channel", "voltage_v"), [(1, 6.5), (1, -0.1), (2, 26.0), (4, 1.0), (1, float("nan"))]
)
def test_voltage_out_of_range_is_refused_unsent(wire, supply, channel, voltage_v):
    with pytest.raises(OutOfRangeError):
        supply.set_voltage_v(channel, voltage_v)
    assert wire.sent == []


def test_voltage_must_stay_below_the_overvoltage_protection(wire, supply):
    expect_limits(wire)
    supply.configure_output(1, **LIMITS)
    with pytest.raises(OutOfRangeError, match="over-voltage"):
        supply.set_voltage_v(1, 3.7)


@pytest.mark.parametrize("change", [{"current_limit_a": 5.1}, {"overvoltage_v": 7.0}])
def test_limits_out_of_range_are_refused_unsent(wire, supply, change):
    with pytest.raises(OutOfRangeError):
        supply.configure_output(1, **{**LIMITS, **change})
    assert wire.sent == []


def test_output_on_and_off(wire, supply):
    wire.expect_set("OUTP ON,(@1)")
    wire.expect(("VOLT:PROT:TRIP? (@1)", "0"), ("CURR:PROT:TRIP? (@1)", "0"), ("OUTP? (@1)", "1"))
    supply.set_output(1, on=True)
    wire.expect((":SYST:ERR?", OK))
    wire.expect_set("OUTP OFF,(@1)")
    wire.expect(("OUTP? (@1)", "0"))
    supply.set_output(1, on=False)


def test_output_that_does_not_come_on(wire, supply):
    wire.expect_set("OUTP ON,(@1)")
    wire.expect(("VOLT:PROT:TRIP? (@1)", "0"), ("CURR:PROT:TRIP? (@1)", "0"), ("OUTP? (@1)", "0"))
    with pytest.raises(InstrumentError, match="output 1 is off after"):
        supply.set_output(1, on=True)


def test_tripped_protection(wire, supply):
    wire.expect_set("OUTP ON,(@1)")
    wire.expect(("VOLT:PROT:TRIP? (@1)", "1"))
    with pytest.raises(ProtectionTrippedError, match="over-voltage") as caught:
        supply.set_output(1, on=True)
    assert caught.value.channel == 1
    wire.expect(("VOLT:PROT:TRIP? (@2)", "0"), ("CURR:PROT:TRIP? (@2)", "1"))
    with pytest.raises(ProtectionTrippedError, match="over-current"):
        supply.check_protection(2)
    wire.expect((":SYST:ERR?", OK))
    wire.expect_set("OUTP OFF,(@2)", "OUTP:PROT:CLE (@2)")
    supply.clear_protection(2)


def test_measurements(wire, supply):
    wire.expect(("MEAS:VOLT? (@1)", "+3.29910000E+00"), ("MEAS:CURR? (@1)", "+2.5E+00"))
    assert supply.measure_voltage_v(1) == 3.2991
    assert supply.measure_current_a(1) == 2.5


def test_a_refused_setting(wire, supply):
    wire.expect(("VOLT 3.3000,(@1)", None), (":SYST:ERR?", '-222,"Data out of range"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError):
        supply.set_voltage_v(1, 3.3)


def test_make_safe_waits_for_the_discharge(wire, supply, counting_clock):
    wire.expect(("OUTP OFF,(@1,2,3)", None))
    wire.expect_resynchronisation(IDN)
    wire.expect(("OUTP OFF,(@1,2,3)", None))
    wire.expect(
        ("OUTP? (@1)", "0"), ("MEAS:VOLT? (@1)", "+2.0"), ("OUTP? (@1)", "0"), ("MEAS:VOLT? (@1)", "+0.1")
    )
    wire.expect(("OUTP? (@2)", "0"), ("MEAS:VOLT? (@2)", "+0.0"))
    wire.expect(("OUTP? (@3)", "1"), ("MEAS:VOLT? (@3)", "+0.0"))
    supply.discharge_limit_s = supply.settling_s
    wire.expect(("OUTP? (@3)", "1"), ("MEAS:VOLT? (@3)", "+0.0"))
    steps = supply.make_safe()
    assert [step.safe for step in steps] == [True, True, False]
    assert steps[0].read_back == "off, 0.100 V"


def test_make_safe_of_a_supply_that_does_not_answer_still_tells_it(wire, supply, no_reply):
    wire.expect(("OUTP OFF,(@1,2,3)", None), ("*IDN?", no_reply))
    steps = supply.make_safe()
    assert [step.safe for step in steps] == [False] * 3
    assert "blindly" in steps[0].read_back
