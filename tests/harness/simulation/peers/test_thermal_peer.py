"""The ATS driver on the simulated air source: control of the case, soak, dead time, faults."""

from __future__ import annotations

import pytest

from drivers.clock import wait_until
from drivers.errors import InvalidReadingError, NoReplyError, NotSettledError, OutOfRangeError
from drivers.temptronic_ats import ThermalFaultError

ATS = "temptronic-ats545"


@pytest.fixture
def thermal(small_bench):
    return small_bench.open(ATS, transport="INSTR")


def settle(bench, thermal, temperature_c, *, soak_s=60.0, timeout_s=900.0):
    thermal.start_setpoint_c(temperature_c, window_c=1.0, soak_s=soak_s)
    return wait_until(
        bench.clock,
        thermal.at_temperature,
        timeout_s=timeout_s,
        interval_s=2.0,
        error=lambda: NotSettledError("thermal", "case not at temperature"),
    )


@pytest.mark.parametrize("temperature_c", [70.0, 0.0, 25.0])
def test_the_case_and_not_the_air_reaches_the_set_point_and_stays(small_bench, thermal, temperature_c):
    took_s = settle(small_bench, thermal, temperature_c)
    assert took_s >= 60.0
    small_bench.clock.sleep(300.0)
    assert small_bench.air.case_c == pytest.approx(temperature_c, abs=0.6)
    assert thermal.read_case_c() == pytest.approx(small_bench.air.case_c, abs=0.4)
    assert thermal.read_air_c() < temperature_c - 10.0  # the module heats itself
    assert thermal.at_temperature()


def test_air_stays_within_the_limits_of_the_bench_file(small_bench):
    options = {"lowest_air_c": -20.0, "highest_air_c": 75.0}
    thermal = small_bench.open(ATS, transport="INSTR", options=options)
    settle(small_bench, thermal, 70.0)
    settle(small_bench, thermal, 0.0)
    assert small_bench.air.lowest_asked_c >= -20.0
    assert small_bench.air.highest_asked_c <= 75.0
    with pytest.raises(OutOfRangeError):
        thermal.start_setpoint_c(76.0, window_c=1.0, soak_s=1.0)


def test_at_temperature_is_live_and_needs_the_whole_soak(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    assert thermal.session.query("TESR?").integer() & 1
    assert not thermal.session.query("TESR?").integer() & 1  # cleared when read
    small_bench.air.case_c = 60.0
    small_bench.clock.sleep(1.0)
    assert not thermal.at_temperature()
    thermal.start_setpoint_c(70.0, window_c=9.9, soak_s=60.0)
    small_bench.clock.sleep(59.0)
    assert not thermal.at_temperature()


def test_a_new_set_point_is_not_at_temperature_at_once(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    thermal.start_setpoint_c(0.0, window_c=1.0, soak_s=0.0)
    assert not thermal.at_temperature()


def test_nothing_is_heard_during_the_dead_time(small_bench, thermal):
    session = thermal.session
    session.command("RSTO")
    small_bench.clock.sleep(1.0)
    with pytest.raises(NoReplyError):
        session.query("SETP?", time_limit_s=0.5)
    small_bench.clock.sleep(4.0)
    assert session.query("SETP?").real() == 25.0


def test_a_sensor_that_falls_off_is_a_fault_of_the_bench(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    small_bench.peers[ATS].sensor_connected = False
    small_bench.clock.sleep(1.0)
    with pytest.raises(ThermalFaultError, match="no DUT sensor"):
        thermal.at_temperature()
    with pytest.raises(InvalidReadingError):
        thermal.read_case_c()
    small_bench.clock.sleep(60.0)
    assert small_bench.air.target_c == 25.0  # it does not drive the air to its limits
    assert thermal.drain_errors() == ((1 << 14, "no DUT sensor"),)


def test_make_safe_brings_the_air_to_ambient(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    assert [step.safe for step in thermal.make_safe()] == [True]
    small_bench.clock.sleep(60.0)
    assert small_bench.air.flowing
    assert small_bench.air.air_c == pytest.approx(25.0)


def test_refused_commands_show_in_the_event_status(thermal):
    session = thermal.session
    session.query("*ESR?")
    for command, bit in (("SETP 500", 4), ("NONSENSE 1", 5), ("WNDW x", 5), ("SETN 1 2", 5), ("SETN 7", 4)):
        session.command(command)
        assert session.query("*ESR?").integer() == 1 << bit, command


def test_the_set_point_must_fit_its_number(thermal):
    session = thermal.session
    session.query("*ESR?")
    session.command("SETN 2")
    session.command("SETP 70")
    assert session.query("*ESR?").integer() == 1 << 4


def test_with_the_head_up_no_air_reaches_the_module(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    thermal.session.command("HEAD 0")
    small_bench.clock.sleep(0.1)
    assert not small_bench.air.flowing
    assert thermal.session.query("FLWR?").real() > 0.0
    small_bench.clock.sleep(300.0)
    assert small_bench.air.case_c < 45.0
    thermal.session.command("HEAD 1")
    small_bench.clock.sleep(0.1)
    assert small_bench.air.flowing


def test_make_safe_sees_that_no_air_flows(small_bench, thermal):
    peer = small_bench.peers[ATS]

    def deaf_to_flow(connection, message, submit=peer.submit):
        if message != "FLOW 1":
            submit(connection, message)

    peer.submit = deaf_to_flow
    (step,) = thermal.make_safe()
    assert not step.safe
    assert "flow 0" in step.read_back


def test_the_screen_is_told_as_this_model_does(small_bench):
    session = small_bench.session(ATS, transport="INSTR")
    assert session.query("WHAT?").integer() == 63
    session.command("RSTO", check=False)
    small_bench.clock.sleep(4.5)
    assert session.query("WHAT?").integer() == 10


def test_a_ramp_stays_and_slows_the_set_point_until_the_driver_takes_it_away(small_bench, thermal):
    session = thermal.session
    for command in ("DUTM 0", "HEAD 1", "SETN 0", "SETP 30", "FLOW 1"):
        session.command(command, check=False)
    small_bench.clock.sleep(10.0)
    session.command("RAMP 6", check=False)
    session.command("SETP 60", check=False)
    small_bench.clock.sleep(60.0)
    assert thermal.read_air_c() == pytest.approx(36.0, abs=0.2)
    session.command("RSTO", check=False)
    small_bench.clock.sleep(4.5)
    assert session.query("RAMP?").real() == 6.0
    settle(small_bench, thermal, 60.0)
    assert session.query("RAMP?").real() == 9999.0


def test_a_new_set_point_shows_in_the_condition_only_at_the_next_step(small_bench, thermal):
    settle(small_bench, thermal, 70.0)
    small_bench.clock.sleep(0.5 - small_bench.world.now_s % 0.5 + 0.001)
    for command in ("SETN 2", "SETP 0"):
        thermal.session.command(command, check=False)
    assert thermal.session.query("TECR?").integer() == 1
    small_bench.clock.sleep(0.5)
    assert thermal.session.query("TECR?").integer() == 2


def test_control_is_cheap(small_bench, thermal):
    """An hour of control is a few thousand events, not a few million."""
    thermal.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    calls = []
    plain = small_bench.air.set_air
    small_bench.air.set_air = lambda **command: (calls.append(1), plain(**command))
    small_bench.clock.sleep(3600.0)
    assert len(calls) == pytest.approx(7200, abs=2)


def test_one_that_is_the_case_sensor_alone_reads_it_and_leaves_the_air_to_a_chamber(small_bench):
    sensor = small_bench.open(ATS, transport="INSTR", peer_options={"sensor_error_c": 0.0})
    chamber = small_bench.open("espec-p300")
    chamber.start_setpoint_c(40.0, window_c=1.0, soak_s=0.0)
    small_bench.clock.sleep(1200.0)
    assert sensor.read_case_c() == pytest.approx(small_bench.air.case_c, abs=0.15)
    before = (small_bench.air.target_c, small_bench.air.flowing, small_bench.air.rate_c_per_s)
    sensor.connect()
    assert sensor.read_case_c() == pytest.approx(55.0, abs=0.6)
    assert all(step.safe for step in sensor.make_safe())
    small_bench.clock.sleep(5.0)
    assert (small_bench.air.target_c, small_bench.air.flowing, small_bench.air.rate_c_per_s) == before
    assert small_bench.air.air_c == pytest.approx(40.0, abs=0.35)


def test_air_that_it_blew_stops_with_the_head_up(small_bench, thermal):
    thermal.start_setpoint_c(60.0, window_c=1.0, soak_s=0.0)
    assert small_bench.air.flowing
    thermal.session.command("HEAD 0")
    small_bench.clock.sleep(0.1)
    assert not small_bench.air.flowing
