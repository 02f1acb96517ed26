"""ESPEC P300: the wire conversation of every method."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import espec_p300
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    NotSettledError,
    OutOfRangeError,
    WrongIdentityError,
)
from drivers.espec_p300 import ChamberAlarmError, EspecP300
from drivers.interfaces import Thermal
from drivers.line_session import LineSession
from drivers.replies import Reply
from harness.safety import TIME_LIMIT_S

IN_STEP = [("", "NA:CMD ERR"), ("TYPE?", "T,P300,150.0"), ("MODE?", "STANDBY")]


@pytest.fixture
def chamber(line_session, counting_clock):
    return EspecP300(line_session, counting_clock, name="chamber", options={"command_interval_s": 0.0})


def start(port, chamber, temperature_c=70.0, *, soak_s=60.0, mode="STANDBY"):
    port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", mode))
    port.expect((f"TEMP, S{temperature_c:.1f}", f"OK:TEMP,S{temperature_c:.1f}"))
    port.expect(("MODE, CONSTANT", "OK:MODE,CONSTANT"))
    port.expect(("TEMP?", f"23.1,{temperature_c:.1f},150.0,-40.0"), ("MODE?", "CONSTANT"))
    chamber.start_setpoint_c(temperature_c, window_c=1.0, soak_s=soak_s)


def test_it_serves_the_role_and_making_it_sends_nothing(chamber, scripted_port):
    assert isinstance(chamber, Thermal)
    assert chamber.temperature_range_c == (-40.0, 85.0)
    assert scripted_port.sent == []


@pytest.mark.parametrize("kind", ["T,P300,150.0", "T,T,P300,150.0", "T, T, SCP-220, 100.0"])
def test_connect(scripted_port, chamber, kind):
    scripted_port.expect(("", "NA:CMD ERR"), ("TYPE?", kind), ("MODE?", "OFF"))
    scripted_port.expect(("TYPE?", kind), ("ROM?", "P3-1.20"), ("ALARM?", "0"))
    identity = chamber.connect()
    assert identity.vendor == "ESPEC"
    assert identity.model in ("P300", "SCP-220")
    assert (identity.serial, identity.firmware) == ("", "P3-1.20")


def test_connect_to_nothing(scripted_port, chamber):
    scripted_port.expect(("", None), ("TYPE?", None))
    with pytest.raises(ConnectionFailedError, match="nothing answers at this address"):
        chamber.connect()


def test_another_controller_is_refused_unless_the_bench_file_names_it(
    scripted_port, chamber, line_session, counting_clock
):
    lines = [("TYPE?", "T,T,S2,160.0"), ("ROM?", "1")]
    scripted_port.expect(("", None), lines[0], ("MODE?", "OFF"), *lines)
    with pytest.raises(WrongIdentityError, match=r"found 'S2'.*option controller"):
        chamber.connect()
    named = EspecP300(line_session, counting_clock, name="chamber", options={"controller": "S2"})
    scripted_port.expect(("", None), lines[0], ("MODE?", "OFF"), *lines, ("ALARM?", "0"))
    assert named.connect().model == "S2"


def test_connect_with_an_alarm(scripted_port, chamber):
    scripted_port.expect(*IN_STEP, ("TYPE?", "T,P300,150.0"), ("ROM?", "1"), ("ALARM?", "2,14,3"))
    with pytest.raises(ChamberAlarmError, match="alarm 14, 3") as raised:
        chamber.connect()
    assert raised.value.codes == (14, 3)


@pytest.mark.parametrize("temperature_c", [70.0, -5.0, 0.0])
def test_start_setpoint(scripted_port, chamber, temperature_c):
    start(scripted_port, chamber, temperature_c)


def test_start_setpoint_of_a_chamber_that_is_off_waits_until_it_is_ready(
    scripted_port, chamber, counting_clock
):
    scripted_port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", "OFF"))
    scripted_port.expect(("POWER, ON", "OK:POWER,ON"))
    scripted_port.expect(("TEMP, S70.0", "NA:CHB NOT READY-2"), ("TEMP, S70.0", "OK:TEMP, S70.0"))
    scripted_port.expect(("MODE, CONSTANT", "NA:CHB NOT READY-2"), ("MODE, CONSTANT", "OK: MODE"))
    scripted_port.expect(("TEMP?", "23.1,70.0,150.0,-40.0"), ("MODE?", "CONSTANT"))
    chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    assert counting_clock.now_s() == pytest.approx(2.0)


def test_a_chamber_that_never_is_ready(scripted_port, chamber):
    scripted_port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", "STANDBY"))
    scripted_port.expect(*[("TEMP, S70.0", "NA:CHB NOT READY-2")] * 31)
    with pytest.raises(NotSettledError, match=r"still not ready after 30 s.*TEMP, S70"):
        chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature_c": 85.1},
        {"temperature_c": -41.0},
        {"temperature_c": float("nan")},
        {"window_c": 0.0},
        {"soak_s": -1.0},
    ],
)
def test_out_of_range_is_refused_unsent(scripted_port, chamber, change):
    with pytest.raises(OutOfRangeError):
        chamber.start_setpoint_c(**{"temperature_c": 25.0, "window_c": 1.0, "soak_s": 60.0, **change})
    assert scripted_port.sent == []


def test_the_chambers_own_limits_hold_too(scripted_port, chamber):
    scripted_port.expect(("TEMP?", "23.1,25.0,60.0,-40.0"))
    with pytest.raises(OutOfRangeError, match="chamber's own limits"):
        chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)


def test_a_refused_command_is_named_with_its_reason(scripted_port, chamber):
    scripted_port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", "STANDBY"))
    scripted_port.expect(("TEMP, S70.0", "NA:PROTECT ON"))
    with pytest.raises(InstrumentReportedError, match=r"PROTECT ON.*TEMP, S70"):
        chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)


@pytest.mark.parametrize("answer", ["OK:MODE,CONSTANT", "OK", "70.0", "OK:"])
def test_an_ok_for_another_command_is_none(scripted_port, chamber, answer):
    scripted_port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", "STANDBY"))
    scripted_port.expect(("TEMP, S70.0", answer))
    with pytest.raises(GarbledReplyError, match="not OK: with the command"):
        chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    assert chamber.session.dirty


@pytest.mark.parametrize(
    "read_back",
    [[("TEMP?", "23.1,25.0,150.0,-40.0")], [("TEMP?", "23.1,70.0,150.0,-40.0"), ("MODE?", "STANDBY")]],
)
def test_what_reads_back_otherwise(scripted_port, chamber, read_back):
    scripted_port.expect(("TEMP?", "23.1,25.0,150.0,-40.0"), ("ALARM?", "0"), ("MODE?", "STANDBY"))
    scripted_port.expect(("TEMP, S70.0", "OK:TEMP,S70.0"), ("MODE, CONSTANT", "OK:MODE,CONSTANT"), *read_back)
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        chamber.start_setpoint_c(70.0, window_c=1.0, soak_s=60.0)
    with pytest.raises(NotSettledError, match="no set point"):
        chamber.at_temperature()


def test_the_soak_is_counted_from_the_first_look_within_the_window(scripted_port, chamber, counting_clock):
    start(scripted_port, chamber, soak_s=30.0)
    course = [(68.9, 0.0), (69.0, 29.0), (71.1, 1.0), (70.9, 30.0), (70.2, 0.0)]
    found = []
    for air_c, then_s in course:
        scripted_port.expect(("MON?", f"{air_c},,CONSTANT,0"))
        found.append(chamber.at_temperature())
        counting_clock.sleeps.append(then_s)
    assert found == [False, False, False, False, True]


def test_air_that_was_not_watched_has_not_soaked(scripted_port, chamber, counting_clock):
    start(scripted_port, chamber, soak_s=30.0)
    for expected, then_s in ((False, 61.0), (False, 30.0), (True, 0.0)):
        scripted_port.expect(("MON?", "70.0,CONSTANT,0"))
        assert chamber.at_temperature() is expected
        counting_clock.sleeps.append(then_s)


def test_without_soak_it_is_there_at_once(scripted_port, chamber):
    start(scripted_port, chamber, soak_s=0.0)
    scripted_port.expect(("MON?", "69.0,45,CONSTANT,0"))
    assert chamber.at_temperature()


def test_a_visit_that_somebody_stopped(scripted_port, chamber):
    start(scripted_port, chamber)
    scripted_port.expect(("MON?", "69.0,,STANDBY,0"))
    with pytest.raises(NotSettledError, match="its mode is STANDBY and not CONSTANT"):
        chamber.at_temperature()


def test_a_visit_that_ended_in_an_alarm(scripted_port, chamber):
    start(scripted_port, chamber)
    scripted_port.expect(("MON?", "69.0,,STANDBY,1"), ("ALARM?", "1,14"))
    with pytest.raises(ChamberAlarmError, match="alarm 14"):
        chamber.at_temperature()


def test_air_and_alarms(scripted_port, chamber):
    scripted_port.expect(("TEMP?", " 23.4, 70.0, 150.0, -40.0"), ("ALARM?", "1,14"), ("ALARM?", "0"))
    assert chamber.read_air_c() == 23.4
    assert chamber.drain_errors() == ((14, "alarm"),)
    assert chamber.drain_errors() == ()


@pytest.mark.parametrize(
    ("mode", "commands", "after", "set_c", "safe"),
    [
        ("CONSTANT", ["TEMP, S25.0"], None, 25.0, True),
        ("RUN", ["MODE, CONSTANT", "TEMP, S25.0"], "CONSTANT", 25.0, True),
        ("CONSTANT", ["TEMP, S25.0"], None, 70.0, False),
        ("RUN", ["MODE, CONSTANT", "TEMP, S25.0"], "RUN", 25.0, False),
        ("STANDBY", [], None, 70.0, True),
        ("OFF", [], None, 70.0, True),
    ],
)
def test_make_safe(scripted_port, chamber, mode, commands, after, set_c, safe):
    scripted_port.expect(("TEMP, S25.0", "OK:TEMP,S25.0"), ("", "NA:CMD ERR"), ("MODE?", mode))
    scripted_port.expect(*[(command, f"OK:{command}") for command in commands])
    if after is not None:
        scripted_port.expect(("MODE?", after))
    scripted_port.expect(("TEMP?", f"61.0,{set_c},150.0,-40.0"))
    (step,) = chamber.make_safe()
    assert step.safe is safe
    assert f"{after or mode}, set point {set_c:.1f} C, air 61.0 C" in step.read_back


def test_make_safe_on_a_line_that_is_cut_reports_it(scripted_port, chamber):
    scripted_port.expect(("TEMP, S25.0", None), ("", None), ("MODE?", None))
    (step,) = chamber.make_safe()
    assert not step.safe
    assert "no reply" in step.read_back


class SlowPort:
    """A healthy chamber whose answers take their time."""

    timeout = 0.1

    def __init__(self, clock, late_s):
        self.clock, self.late_s, self.set_c = clock, late_s, "85.0"
        self._out, self._due_s = b"", 0.0

    @property
    def in_waiting(self):
        return len(self._out) if self.clock.now_s() >= self._due_s else 0

    def write(self, data):
        line = data.decode().strip()
        if line.startswith("TEMP, S"):
            self.set_c = line[7:]
        told = {"TYPE?": "T,P300,150.0", "MODE?": "CONSTANT", "TEMP?": f"85.0,{self.set_c},150.0,-40.0"}
        if line:
            self._out += f"{told.get(line, f'OK:{line}')}\r\n".encode()
            self._due_s = self.clock.now_s() + self.late_s
        return len(data)

    def read(self, size=1):
        if not self.in_waiting:
            self.clock.sleep(0.1)
            return b""
        data, self._out = self._out[:size], self._out[size:]
        return data

    def close(self):
        pass


@pytest.mark.parametrize("rest_s", [0.3, 1.0])
@pytest.mark.parametrize("late_s", [0.05, 0.5, 1.0])
def test_a_slow_but_healthy_chamber_is_made_safe_within_a_benchs_limit(counting_clock, rest_s, late_s):
    session = LineSession(SlowPort(counting_clock, late_s), counting_clock, name="chamber")
    slow = EspecP300(session, counting_clock, name="chamber", options={"command_interval_s": rest_s})
    form = session.form
    (step,) = slow.make_safe()
    assert step.safe
    assert counting_clock.now_s() < 8.0 < TIME_LIMIT_S
    assert session.form == form


def test_several_chambers_on_one_line(scripted_port, line_session, counting_clock):
    chamber = EspecP300(line_session, counting_clock, name="chamber", options={"address": 3, "echo": True})
    scripted_port.expect(("3,TEMP?", b"3,TEMP?\r\n23.4,70.0,150.0,-40.0\r\n"))
    assert chamber.read_air_c() == 23.4


@pytest.mark.parametrize(
    "options",
    [
        {"lowest_c": 30.0},
        {"highest_c": 300.0},
        {"address": 17},
        {"address": -1},
        {"command_interval_s": 1.1},
    ],
)
def test_options_that_make_no_sense(line_session, counting_clock, options):
    with pytest.raises(BenchError, match="chamber: "):
        EspecP300(line_session, counting_clock, name="chamber", options=options)


PARSERS = {
    "TEMP?": espec_p300._temperatures,
    "MON?": espec_p300._monitor,
    "MODE?": espec_p300._mode,
    "ALARM?": espec_p300._alarm_codes,
    "TYPE?": espec_p300._type,
}


@pytest.mark.parametrize("query", sorted(PARSERS))
@pytest.mark.parametrize(
    "text", ["", ",", ",,,", "NA:CMD ERR", "1,2,3", "9E99,1,2,3", "nan,0,OFF,0", '"', "23.0,OFF,-1", "OFF;"]
)
def test_replies_of_another_form_are_refused(query, text):
    marked = []
    with pytest.raises((GarbledReplyError, EmptyReplyError)):
        PARSERS[query](Reply("chamber", query, text, lambda: marked.append(1)))
    assert marked


@given(
    query=st.sampled_from(sorted(PARSERS)),
    text=st.one_of(
        st.text(), st.lists(st.sampled_from(["1", "-40.0", "OFF", "", "1e99", "P300"])).map(",".join)
    ),
)
def test_any_reply_is_parsed_or_refused_by_our_own_errors(query, text):
    with contextlib.suppress(InstrumentError):
        PARSERS[query](Reply("chamber", query, text))
