"""The ESPEC driver on the simulated chamber: slow air, rests, a way back into step, safe states."""

from __future__ import annotations

import pytest

from drivers.clock import wait_until
from drivers.errors import ConnectionFailedError, InstrumentError, NoReplyError, NotSettledError
from drivers.espec_p300 import ChamberAlarmError

CHAMBER = "espec-p300"


@pytest.fixture
def chamber(small_bench):
    return small_bench.open(CHAMBER)


def settle(bench, chamber, temperature_c, *, soak_s=60.0, timeout_s=7200.0):
    chamber.start_setpoint_c(temperature_c, window_c=1.0, soak_s=soak_s)
    return wait_until(
        bench.clock,
        chamber.at_temperature,
        timeout_s=timeout_s,
        interval_s=10.0,
        error=lambda: NotSettledError("thermal", "air not at temperature"),
    )


@pytest.mark.parametrize(("temperature_c", "rate_c_per_min"), [(55.0, 3.0), (5.0, 2.0)])
def test_the_air_gets_there_at_a_chambers_rate_and_stays(small_bench, chamber, temperature_c, rate_c_per_min):
    took_s = settle(small_bench, chamber, temperature_c)
    way_s = (abs(temperature_c - 25.0) - 1.0) / rate_c_per_min * 60.0
    assert took_s == pytest.approx(way_s + 60.0, abs=30.0)
    small_bench.clock.sleep(60.0)
    assert small_bench.air.air_c == pytest.approx(temperature_c, abs=0.35)
    assert chamber.read_air_c() == pytest.approx(temperature_c, abs=0.2)
    assert chamber.at_temperature() is False  # unwatched for longer than a gap may be: it soaks anew


def test_connecting_leaves_its_mode_alone(small_bench, chamber):
    assert small_bench.peers[CHAMBER].mode == "STANDBY"
    assert not small_bench.air.flowing


def test_a_chamber_that_is_off_is_switched_on_and_waited_for(small_bench, chamber):
    chamber.session.query("MODE, OFF")
    start_s = small_bench.world.now_s
    chamber.start_setpoint_c(40.0, window_c=1.0, soak_s=0.0)
    assert small_bench.peers[CHAMBER].mode == "CONSTANT"
    assert small_bench.world.now_s - start_s > 5.0


def test_commands_too_close_together_are_lost_without_the_rest(small_bench):
    chamber = small_bench.open(CHAMBER, options={"command_interval_s": 0.0}, peer_options={"rest_s": 0.0})
    assert chamber.read_air_c() == pytest.approx(25.0, abs=0.4)
    small_bench.peers[CHAMBER]._rest_ns = 200_000_000
    chamber.session.query("TEMP?")
    with pytest.raises(NoReplyError):
        chamber.session.query("TEMP?")


def test_it_listens_to_its_own_address_on_a_shared_line(another_small_bench):
    own = another_small_bench().open(CHAMBER, options={"address": 3}, peer_options={"address": 3})
    assert own.read_air_c() == pytest.approx(25.0, abs=0.4)
    with pytest.raises(ConnectionFailedError, match="nothing answers"):
        another_small_bench().open(CHAMBER, options={"address": 3}, peer_options={"address": 4})


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("TEMPERATURE, S20", "CMD ERR"),
        ("NONSENSE?", "CMD ERR"),
        ("TEMP, X20", "PARA ERR"),
        ("TEMP, S200", "DATA OUT OF RANGE"),
        ("MODE, SLEEP", "PARA ERR"),
        ("TEMP?,NOW", "PARA ERR"),
    ],
)
def test_refusals(chamber, command, refusal):
    assert chamber.session.query(command).text == f"NA:{refusal}"


def test_make_safe_brings_the_air_to_ambient_however_it_runs(small_bench, chamber):
    settle(small_bench, chamber, 40.0, soak_s=0.0)
    small_bench.peers[CHAMBER].run_program()
    assert [step.safe for step in chamber.make_safe()] == [True]
    assert small_bench.peers[CHAMBER].mode == "CONSTANT"
    small_bench.clock.sleep(3600.0)
    assert small_bench.air.air_c == pytest.approx(25.0, abs=0.35)


def test_a_chamber_at_rest_stays_at_rest_when_made_safe(small_bench, chamber):
    (step,) = chamber.make_safe()
    assert step.safe
    assert step.read_back.startswith("STANDBY")
    assert not small_bench.air.flowing


def test_a_chamber_that_died_is_reported_not_safe(small_bench, chamber):
    settle(small_bench, chamber, 30.0, soak_s=0.0)
    small_bench.peers[CHAMBER].die()
    (step,) = chamber.make_safe()
    assert not step.safe


def test_an_alarm_ends_the_visit(small_bench, chamber):
    chamber.start_setpoint_c(60.0, window_c=1.0, soak_s=60.0)
    small_bench.peers[CHAMBER].raise_alarm(14)
    with pytest.raises(ChamberAlarmError, match="alarm 14"):
        chamber.at_temperature()
    with pytest.raises(ChamberAlarmError):
        chamber.start_setpoint_c(60.0, window_c=1.0, soak_s=60.0)
    assert chamber.drain_errors() == ((14, "alarm"),)


def test_garbage_is_an_error_and_the_next_transaction_finds_its_step(small_bench, chamber):
    peer = small_bench.peers[CHAMBER]
    peer.garble()
    with pytest.raises(InstrumentError, match=CHAMBER):
        chamber.read_air_c()
    peer.garble(on=False)
    assert chamber.read_air_c() == pytest.approx(25.0, abs=0.4)


def test_a_reply_that_comes_too_late_is_not_taken_for_the_next(small_bench, chamber):
    peer = small_bench.peers[CHAMBER]
    peer.answer_s = 3.5
    with pytest.raises(NoReplyError):
        chamber.session.query("MODE?")
    peer.answer_s = 0.05
    assert chamber.read_air_c() == pytest.approx(25.0, abs=0.4)


def test_a_cut_line_is_told(small_bench, chamber):
    small_bench.peers[CHAMBER].drop_connections()
    with pytest.raises(ConnectionFailedError, match="device disconnected"):
        chamber.read_air_c()
