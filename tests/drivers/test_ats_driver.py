"""Temptronic ATS: the wire conversation of every method."""

from __future__ import annotations

import pytest

from drivers.errors import (
    BenchError,
    GarbledReplyError,
    InstrumentReportedError,
    InvalidReadingError,
    OutOfRangeError,
)
from drivers.interfaces import CaseSensor, Thermal
from drivers.temptronic_ats import Ats545, ThermalFaultError

IDN = "Temptronic,ATS-545-M,S1,6.30"


@pytest.fixture
def thermal(scripted_session, counting_clock):
    return Ats545(scripted_session, counting_clock, name="thermal", options={})


def expect_all(wire, *commands):
    wire.expect(("*ESR?", "0"))
    for command in commands:
        wire.expect((command, None), ("*ESR?", "0"))


def test_connect_observes_the_dead_time(wire, thermal, counting_clock):
    assert isinstance(thermal, Thermal)
    assert isinstance(thermal, CaseSensor)
    wire.expect(
        ("*IDN?", IDN),
        ("EROR?", "0"),
        ("*CLS", None),
        ("RSTO", None),
        ("*ESR?", "128"),
        ("CLER", None),
        ("EROR?", "0"),
    )
    thermal.connect()
    assert counting_clock.sleeps == [thermal.dead_time_s]
    assert thermal.dead_time_s > 4.0


@pytest.mark.parametrize(("temperature_c", "number"), [(70.0, 0), (30.0, 0), (25.0, 1), (20.0, 2), (-5.0, 2)])
def test_start_setpoint(wire, thermal, temperature_c, number):
    expect_all(
        wire, "LLIM -40.0", "ULIM 85.0", "ADMD 50", "DSNS 1", "DUTM 1", f"SETN {number}",
        f"SETP {temperature_c:.1f}", "WNDW 1.0", "SOAK 60", "HEAD 1", "FLOW 1",
    )  # fmt: skip
    wire.expect(("SETP?", f"{temperature_c:.1f}"), ("EROR?", "0"))
    thermal.start_setpoint_c(temperature_c, window_c=1.0, soak_s=60.0)


def test_set_point_that_reads_back_otherwise(wire, thermal):
    expect_all(
        wire, "LLIM -40.0", "ULIM 85.0", "ADMD 50", "DSNS 1", "DUTM 1", "SETN 0", "SETP 70.0", "WNDW 1.0",
        "SOAK 60", "HEAD 1", "FLOW 1",
    )  # fmt: skip
    wire.expect(("SETP?", "25.0"))
    with pytest.raises(GarbledReplyError):
        thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)


@pytest.mark.parametrize("status", ["32", "16", "4"])
def test_a_refused_command_is_named(wire, thermal, status):
    wire.expect(("*ESR?", "0"), ("LLIM -40.0", None), ("*ESR?", status))
    with pytest.raises(InstrumentReportedError, match="LLIM"):
        thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)


@pytest.mark.parametrize(
    "change", [{"temperature_c": 90.0}, {"temperature_c": -41.0}, {"window_c": 0.0}, {"soak_s": 10000.0}]
)
def test_out_of_range_is_refused_unsent(wire, thermal, change):
    with pytest.raises(OutOfRangeError):
        thermal.start_setpoint_c(**{"temperature_c": 25.0, "window_c": 1.0, "soak_s": 60.0, **change})
    assert wire.sent == []


def test_at_temperature_is_bit_0_alone(wire, thermal):
    for register, expected in (("0", False), ("2", False), ("1", True), ("5", True), ("4", False)):
        wire.expect(("EROR?", "0"), ("TECR?", register))
        assert thermal.at_temperature() is expected


def test_a_fault_is_named(wire, thermal):
    wire.expect(("EROR?", str(1 << 14 | 16)))
    with pytest.raises(ThermalFaultError, match=r"low pressure.*no DUT sensor") as caught:
        thermal.at_temperature()
    assert caught.value.bits == 1 << 14 | 16


def test_temperatures(wire, thermal):
    wire.expect(("TMPA?", "24.8"), ("TMPD?", "69.9"))
    assert thermal.read_air_c() == 24.8
    assert thermal.read_case_c() == 69.9


def test_a_sensor_that_fell_off(wire, thermal):
    wire.expect(("TMPD?", "999.9"))
    with pytest.raises(InvalidReadingError, match="sensor"):
        thermal.read_case_c()
    wire.expect(("TMPD?", "-300"))
    with pytest.raises(GarbledReplyError):
        thermal.read_case_c()


def test_drain_errors_tells_the_fault_bits_and_clears_them(wire, thermal):
    wire.expect(("EROR?", "8200"), ("CLER", None))
    assert thermal.drain_errors() == ((8, "low flow"), (8192, "a fault without a name"))


def test_make_safe_commands_ambient_air(wire, thermal):
    wire.expect(("*IDN?", IDN), ("DUTM 0", None), ("SETN 1", None), ("SETP 25.0", None), ("FLOW 1", None))
    wire.expect(("SETP?", "25.0"), ("TMPA?", "61.2"))
    (step,) = thermal.make_safe()
    assert step.safe
    assert step.read_back == "set point 25.0 C, air flowing at 61.2 C"


def test_make_safe_that_does_not_take(wire, thermal, no_reply):
    wire.expect(("*IDN?", IDN), ("DUTM 0", None), ("SETN 1", None), ("SETP 25.0", None), ("FLOW 1", None))
    wire.expect(("SETP?", "70.0"), ("TMPA?", "61.2"))
    assert [step.safe for step in thermal.make_safe()] == [False]
    wire.expect(("*IDN?", no_reply))
    assert [step.safe for step in thermal.make_safe()] == [False]


@pytest.mark.parametrize(
    "options", [{"dut_sensor": "j"}, {"highest_air_c": 300.0}, {"lowest_air_c": 30.0}, {"dut_sensor": 1}]
)
def test_impossible_options(scripted_session, counting_clock, options):
    with pytest.raises(BenchError, match="thermal"):
        Ats545(scripted_session, counting_clock, name="thermal", options=options)


def test_limits_are_the_set_point_range(scripted_session, counting_clock):
    options = {"lowest_air_c": -10, "highest_air_c": 75.0}
    thermal = Ats545(scripted_session, counting_clock, name="thermal", options=options)
    assert thermal.temperature_range_c == (-10.0, 75.0)
