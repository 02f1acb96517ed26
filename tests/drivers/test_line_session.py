"""A session in lines: whole replies or typed errors, echo, rests, and a way back into step."""

from __future__ import annotations

import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import StopRequested
from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    NoReplyError,
    OutOfRangeError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.line_session import LineForm, LineSession

PROOF = (("A?", lambda reply: reply.integer()), ("B?", lambda reply: reply.string()))


def test_a_query_and_its_reply(scripted_port, line_session):
    scripted_port.expect(("TEMP?", "23.0"), ("MODE?", b"OFF\n"))
    assert line_session.query("TEMP?").real() == 23.0
    assert line_session.query("MODE?").text == "OFF"
    assert (line_session.round_trips, line_session.dirty) == (2, False)


def test_no_reply_takes_the_limit_and_leaves_the_session_dirty(scripted_port, line_session, counting_clock):
    scripted_port.expect(("TEMP?", None))
    with pytest.raises(NoReplyError, match=r"chamber: no reply within 2 s.*TEMP\?"):
        line_session.query("TEMP?", time_limit_s=2.0)
    assert counting_clock.now_s() == pytest.approx(2.0)
    assert line_session.dirty


def test_what_came_of_a_reply_is_kept(scripted_port, line_session):
    scripted_port.expect(("TEMP?", b"23.0,70"))
    with pytest.raises(PartialReplyError, match="stopped after 7 bytes") as raised:
        line_session.query("TEMP?")
    assert raised.value.reply == b"23.0,70"
    assert line_session.dirty


def test_a_line_without_end_is_given_up(scripted_port, line_session):
    scripted_port.expect(("TEMP?", b"x" * 10_000))
    with pytest.raises(GarbledReplyError, match="over 4096 bytes"):
        line_session.query("TEMP?")


@pytest.mark.parametrize(
    "fault", [serial.SerialException("gone"), OSError(5, "I/O error"), TypeError("port is None")]
)
def test_faults_of_the_port_are_ours(scripted_port, line_session, fault):
    scripted_port.expect(("TEMP?", fault))
    with pytest.raises(ConnectionFailedError, match=type(fault).__name__) as raised:
        line_session.query("TEMP?")
    assert raised.value.__cause__ is fault
    assert line_session.dirty


@pytest.mark.parametrize("command", ["A\nB", "A\rB", "Ä", "\x00"])
def test_a_command_is_one_line(line_session, scripted_port, command):
    for send in (line_session.query, line_session.send_blind):
        with pytest.raises(OutOfRangeError):
            send(command)
    assert scripted_port.sent == []


def test_prefix_and_echo(scripted_port, line_session):
    line_session.form = LineForm(prefix="3,", echoes=True)
    scripted_port.expect(("3,TEMP?", b"3,TEMP?\r\n23.0\r\n"))
    assert line_session.query("TEMP?").real() == 23.0
    scripted_port.expect(("3,TEMP?", b"23.0\r\n"))
    with pytest.raises(GarbledReplyError, match="does not echo"):
        line_session.query("TEMP?")
    assert line_session.dirty


def test_commands_have_their_rest_between(scripted_port, line_session, counting_clock):
    line_session.form = LineForm(rest_s=0.5)
    scripted_port.expect(("A?", "1"), ("A?", "1"))
    line_session.query("A?")
    assert counting_clock.sleeps == []
    counting_clock.sleeps.append(0.2)
    line_session.query("A?")
    assert counting_clock.sleeps == pytest.approx([0.2, 0.3])


def test_after_a_reply_that_makes_no_sense_it_finds_its_step_again(scripted_port, line_session):
    line_session.form = LineForm(proof=PROOF)
    scripted_port.expect(("A?", "nonsense"))
    with pytest.raises(GarbledReplyError):
        line_session.query("A?").integer()
    assert line_session.dirty
    scripted_port.expect(("", "NA:CMD ERR"), ("A?", "1"), ("B?", '"b"'), ("C?", "2"))
    assert line_session.query("C?").integer() == 2
    assert not line_session.dirty


def test_bytes_that_nobody_asked_for_are_thrown_away_first(scripted_port, line_session):
    line_session.form = LineForm(proof=PROOF)
    scripted_port.leave_stale(b"5\r\n")
    scripted_port.expect(("", None), ("A?", "1"), ("B?", '"b"'), ("C?", "2"))
    assert line_session.query("C?").integer() == 2


def test_answers_that_lag_behind_are_no_proof(scripted_port, line_session):
    """An instrument slower than the silence waited for: its late reply is one too many."""
    line_session.form = LineForm(proof=PROOF)
    line_session.distrust()
    scripted_port.expect(("", None), ("A?", b"9\r\n1\r\n"), ("B?", '"b"'))
    scripted_port.expect(("A?", "1"), ("B?", '"b"'), ("C?", "2"))
    assert line_session.query("C?").integer() == 2


def test_it_does_not_try_for_ever(scripted_port, line_session):
    line_session.form = LineForm(proof=PROOF)
    scripted_port.expect(("", None), ("A?", "x"), ("A?", "x"), ("A?", "x"))
    with pytest.raises(GarbledReplyError, match="do not agree, also after 3 tries"):
        line_session.resynchronise()
    assert line_session.dirty


class DrippingPort:
    """A byte every 90 ms, for ever: a device that talks by itself, or noise at the wrong speed."""

    timeout = None
    in_waiting = 0

    def __init__(self, clock, data=b"x"):
        self._clock, self._data = clock, data

    def read(self, size=1):
        self._clock.sleeps.append(0.09)
        return self._data

    def write(self, line):
        return len(line)


def test_bytes_that_drip_in_do_not_stretch_a_querys_limit(counting_clock):
    session = LineSession(DrippingPort(counting_clock), counting_clock, name="chamber", time_limit_s=3.0)
    session.form = LineForm(echoes=True)
    with pytest.raises(PartialReplyError, match="without its end within 3 s"):
        session.query("TEMP?")
    assert counting_clock.now_s() == pytest.approx(3.0, abs=0.2)


@pytest.mark.parametrize("data", [b"x", b"\n"])
def test_bytes_that_drip_in_do_not_stretch_the_way_into_step(counting_clock, data):
    session = LineSession(DrippingPort(counting_clock, data), counting_clock, name="chamber")
    session.form = LineForm(proof=PROOF)
    with pytest.raises(InstrumentError):
        session.resynchronise()
    assert counting_clock.now_s() == pytest.approx(2 * 1.0 + 2 * 3.0, abs=0.2)
    assert session.dirty


def test_another_instrument_is_found_when_it_gets_in_step(scripted_port, line_session):
    line_session.form = LineForm(proof=PROOF, identity_query="A?")
    scripted_port.expect(("", None), ("A?", "1"), ("B?", '"b"'))
    line_session.resynchronise()
    scripted_port.expect(("", None), ("A?", "2"), ("B?", '"b"'))
    with pytest.raises(WrongIdentityError, match="another instrument answers: 2, before it was 1"):
        line_session.resynchronise()
    assert line_session.dirty
    scripted_port.expect(("", None), ("A?", "2"), ("B?", '"b"'))
    line_session.resynchronise(anew=True)
    assert not line_session.dirty


def test_chatter_without_end_is_given_up(scripted_port, line_session):
    line_session.distrust()
    scripted_port.expect(("", b"\x00" * 100_000))
    with pytest.raises(GarbledReplyError, match="nobody asked for"):
        line_session.query("A?")


def test_blind_sending_needs_no_step_and_leaves_none(scripted_port, line_session):
    line_session.distrust()
    scripted_port.expect(("TEMP, S25.0", "OK:TEMP"))
    line_session.send_blind("TEMP, S25.0")
    assert line_session.dirty


def test_a_stop_is_honoured_before_a_transaction_and_not_within(scripted_port, line_session, counting_clock):
    counting_clock.stop.request("SIGTERM")
    with pytest.raises(StopRequested):
        line_session.query("A?")
    assert scripted_port.sent == []
    assert not line_session.dirty


def test_a_stop_while_it_finds_its_step_leaves_it_dirty(scripted_port, line_session, counting_clock):
    def stop(reply):
        counting_clock.stop.request("SIGTERM")

    line_session.form = LineForm(proof=(("A?", stop), ("B?", stop)))
    scripted_port.expect(("", None), ("A?", "1"))
    with pytest.raises(StopRequested):
        line_session.resynchronise()
    assert line_session.dirty


def test_closing_closes_the_port(scripted_port, line_session):
    line_session.close()
    assert scripted_port.closed


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=80))
def test_whatever_comes_is_a_line_or_our_error(counting_clock, data):
    class Port:
        timeout = None
        waiting = data

        @property
        def in_waiting(self):
            return 0

        def read(self, size=1):
            part, self.waiting = self.waiting[:size], self.waiting[size:]
            return part

        def write(self, line):
            return len(line)

    try:
        reply = LineSession(Port(), counting_clock, name="x").query("A?")
    except InstrumentError:
        assert b"\n" not in data
    else:
        assert reply.text == data[: data.index(b"\n")].rstrip(b"\r\n").decode("latin-1")
