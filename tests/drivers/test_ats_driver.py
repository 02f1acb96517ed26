"""Temptronic ATS: the wire conversation of every method."""

from __future__ import annotations

import pytest

from drivers.errors import (
    BenchError,
    GarbledReplyError,
    InstrumentReportedError,
    InvalidReadingError,
    NotSettledError,
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


def expect_set_point(wire, *, temperature_c=70.0, number=0, soak_s=60.0, head="1", **replies):
    """All that a set point takes; ``replies``: what reads back otherwise, the last that is asked; ``head``:
    what is answered when it is asked for, one letter each time."""
    expect_all(
        wire, "LLIM -40.0", "ULIM 85.0", "ADMD 50", "DSNS 1", "DUTM 1", f"SETN {number}",
        "RAMP 9999", f"SETP {temperature_c:.1f}", "WNDW 1.0", f"SOAK {soak_s:.0f}",
    )  # fmt: skip
    answers = {
        "LLIM": "-40.0", "ULIM": "85.0", "ADMD": "50", "DSNS": "1", "DUTM": "1", "SETN": str(number),
        "RAMP": "9999", "SETP": f"{temperature_c:.1f}", "WNDW": "1.0", "SOAK": f"{soak_s:.0f}",
    }  # fmt: skip
    for word, answer in answers.items():
        wire.expect((f"{word}?", replies.get(word, answer)))
        if word in replies:
            return
    wire.expect(("HEAD 1", None), ("*ESR?", "0"), *(("HEAD?", answer) for answer in head))
    if head[-1] == "1":
        wire.expect(("FLOW 1", None), ("*ESR?", "0"))


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
    expect_set_point(wire, temperature_c=temperature_c, number=number)
    wire.expect(("EROR?", "0"), ("TMPD?", "69.9"))
    thermal.start_setpoint_c(temperature_c, window_c=1.0, soak_s=60.0)
    assert thermal.read_case_c() == 69.9  # the sensor was selected already


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        ("LLIM", "-99.0"),
        ("ULIM", "225.0"),
        ("ADMD", "300"),
        ("DSNS", "2"),
        ("DUTM", "0"),
        ("SETN", "1"),
        ("RAMP", "10.0"),
        ("SETP", "25.0"),
        ("WNDW", "9.9"),
        ("SOAK", "0"),
    ],
)
def test_a_setting_that_reads_back_otherwise(wire, thermal, word, reply):
    expect_set_point(wire, **{word: reply})
    with pytest.raises(GarbledReplyError, match="reads back otherwise") as caught:
        thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    assert caught.value.command == f"{word}?"


def test_air_waits_for_the_head(wire, thermal, counting_clock):
    expect_set_point(wire, head="0001")
    wire.expect(("EROR?", "0"))
    thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    assert counting_clock.now_s() == pytest.approx(1.5)


def test_a_head_that_stays_up_is_told_and_no_air_flows(wire, thermal, counting_clock):
    expect_set_point(wire, head="0" * 41)
    with pytest.raises(NotSettledError, match="thermal: its head is not down 20 s after"):
        thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    assert counting_clock.now_s() == pytest.approx(20.0)


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


def select_sensor(wire, *, read_back="1", number=1):
    expect_all(wire, f"DSNS {number}")
    wire.expect(("DSNS?", read_back))


def test_the_first_case_temperature_selects_the_sensor(wire, thermal):
    wire.expect(("TMPA?", "24.8"))
    assert thermal.read_air_c() == 24.8
    select_sensor(wire)
    wire.expect(("TMPD?", "69.9"), ("TMPD?", "69.8"))
    assert [thermal.read_case_c(), thermal.read_case_c()] == [69.9, 69.8]


def test_the_sensor_of_the_bench_file_is_selected(wire, scripted_session, counting_clock):
    sensor = Ats545(scripted_session, counting_clock, name="case_sensor", options={"dut_sensor": "K"})
    select_sensor(wire, read_back="2", number=2)
    wire.expect(("TMPD?", "69.9"))
    assert sensor.read_case_c() == 69.9


def test_another_sensor_that_reads_back_is_selected_anew_at_the_next_reading(wire, thermal):
    select_sensor(wire, read_back="0")
    with pytest.raises(GarbledReplyError, match="not the 1 that was set"):
        thermal.read_case_c()
    wire.expect_resynchronisation(IDN, error_query=None)
    select_sensor(wire)
    wire.expect(("TMPD?", "69.9"))
    assert thermal.read_case_c() == 69.9


def test_a_sensor_that_is_refused(wire, thermal):
    wire.expect(("*ESR?", "0"), ("DSNS 1", None), ("*ESR?", "16"))
    with pytest.raises(InstrumentReportedError, match="DSNS"):
        thermal.read_case_c()


def test_it_controls_the_case(thermal):
    assert thermal.controls == "case"


def test_a_sensor_that_fell_off(wire, thermal):
    select_sensor(wire)
    wire.expect(("TMPD?", "999.9"))
    with pytest.raises(InvalidReadingError, match="sensor"):
        thermal.read_case_c()
    wire.expect(("TMPD?", "-300"))
    with pytest.raises(GarbledReplyError):
        thermal.read_case_c()


def test_drain_errors_tells_the_fault_bits_and_clears_them(wire, thermal):
    wire.expect(("EROR?", "8200"), ("CLER", None))
    assert thermal.drain_errors() == ((8, "low flow"), (8192, "a fault without a name"))


AMBIENT = ("DUTM 0", "SETN 1", "SETP 25.0", "FLOW 1")


def expect_ambient_air(wire, *, status=("0", "0", "0", "0"), **replies):
    answers = {"DUTM?": "0", "SETN?": "1", "SETP?": "25.0", "FLWR?": "12.5", "TMPA?": "61.2", **replies}
    wire.expect(*[(command, None) for command in AMBIENT])
    wire.expect_resynchronisation(IDN, error_query=None)
    wire.expect(("*ESR?", "0"))
    for command, register in zip(AMBIENT, status, strict=True):
        wire.expect((command, None), ("*ESR?", register))
        if register != "0":
            return
    wire.expect(*[(query, reply) for query, reply in answers.items() if reply is not None])


def test_make_safe_commands_ambient_air(wire, thermal):
    expect_ambient_air(wire)
    (step,) = thermal.make_safe()
    assert step.safe
    assert step.read_back == "air control, set point 1: 25.0 C, flow 12.5, air 61.2 C"


@pytest.mark.parametrize(
    "replies",
    [
        {"SETP?": "70.0"},
        {"SETN?": "0"},
        {"DUTM?": "1"},
        {"TMPA?": "<garbage>"},
        {"TMPA?": "999.9"},
        {"FLWR?": "none", "TMPA?": None},
        {"SETN?": "x", "SETP?": None, "FLWR?": None, "TMPA?": None},
    ],
)
def test_make_safe_that_reads_back_otherwise_is_not_safe(wire, thermal, replies):
    expect_ambient_air(wire, **replies)
    assert [step.safe for step in thermal.make_safe()] == [False]


def test_air_that_does_not_flow_is_not_safe(wire, thermal):
    thermal.flow_limit_s = 0.5
    expect_ambient_air(wire, **{"FLWR?": "0", "TMPA?": None})
    wire.expect(("FLWR?", "0"), ("TMPA?", "61.2"))
    (step,) = thermal.make_safe()
    assert not step.safe
    assert "flow 0" in step.read_back


@pytest.mark.parametrize("place", range(4))
def test_a_refused_safe_command_is_not_safe(wire, thermal, place):
    expect_ambient_air(wire, status=tuple("16" if place == turn else "0" for turn in range(4)))
    (step,) = thermal.make_safe()
    assert not step.safe
    assert AMBIENT[place] in step.read_back


def test_make_safe_of_a_source_that_does_not_answer_still_tells_it(wire, thermal, no_reply):
    wire.expect(*[(command, None) for command in AMBIENT], ("*IDN?", no_reply))
    (step,) = thermal.make_safe()
    assert not step.safe
    assert "blindly" in step.read_back


def begin(wire, thermal, *, soak_s):
    expect_set_point(wire, soak_s=soak_s)
    wire.expect(("EROR?", "0"))
    thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=soak_s)


def reached(wire, thermal, register):
    wire.expect(("EROR?", "0"), ("TECR?", register))
    return thermal.at_temperature()


def test_the_last_set_points_bit_does_not_count_for_the_new_one(wire, thermal, counting_clock):
    begin(wire, thermal, soak_s=60.0)
    assert not reached(wire, thermal, "1")
    counting_clock.sleep(59.0)
    assert not reached(wire, thermal, "1")
    counting_clock.sleep(1.0)
    assert reached(wire, thermal, "1")


def test_a_bit_that_was_seen_low_counts_at_once(wire, thermal):
    begin(wire, thermal, soak_s=60.0)
    assert not reached(wire, thermal, "2")
    assert reached(wire, thermal, "1")


def test_without_a_soak_the_register_still_has_time_to_change(wire, thermal, counting_clock):
    begin(wire, thermal, soak_s=0.0)
    assert not reached(wire, thermal, "1")
    counting_clock.sleep(thermal.condition_delay_s)
    assert reached(wire, thermal, "1")


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
