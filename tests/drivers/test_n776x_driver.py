"""Keysight N776x attenuators: the wire conversation of every method."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import (
    BenchError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    NotSettledError,
    OutOfRangeError,
    WrongIdentityError,
)
from drivers.interfaces import Attenuator
from drivers.keysight_n776x import N7761A, N7762A, N7764A
from drivers.scpi import ScpiSession

IDN = "Keysight Technologies,N7764A,MY1,V1.2"
OK = '+0,"No error"'
COMPLETE = [("*ESR?", "+0"), ("*OPC", None), ("*ESR?", "+1")]


@pytest.fixture
def voa(wire, scripted_session, counting_clock):
    return N7764A(scripted_session, counting_clock, name="voa", options={})


def configure(wire, voa, channel=1, slot=1, speed="1000", queue_unknown=False):
    if queue_unknown:
        wire.expect((":SYST:ERR?", OK))
    wire.expect_set(
        f":OUTP{slot}:POW:CONTR 0",
        f":INP{slot}:OFFS 0DB",
        f":INP{slot}:WAV 1310.0000NM",
        f":INP{slot}:ATT:SPE {speed}",
    )
    wire.expect(
        (f":OUTP{slot}:POW:CONTR?", "+0"),
        (f":INP{slot}:OFFS?", "+0.00000000E+000"),
        (f":INP{slot}:WAV?", "+1.31000000E-006"),
        (f":INP{slot}:ATT:SPE?", f"+{speed}"),
    )
    voa.configure(wavelength_nm=1310.0, channels=[channel])


def test_it_serves_the_role_and_making_it_sends_nothing(voa, wire):
    assert isinstance(voa, Attenuator)
    assert voa.channels == (1, 2, 3, 4)
    assert voa.attenuation_range_db == (0.0, 45.0)
    assert (N7761A.default_slots, N7762A.default_slots) == ((1,), (1, 3))
    assert wire.sent == []


def test_connect(wire, voa):
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")
    assert voa.connect().model == "N7764A"


def test_another_model_is_refused(wire, voa):
    wire.expect(("*IDN?", "Keysight Technologies,N7766A,MY1,V1.2"))
    with pytest.raises(WrongIdentityError, match=r"expected a Keysight N7764A, found.*N7766A"):
        voa.connect()


def test_configure_speaks_to_the_slot_of_the_channel(wire, voa):
    configure(wire, voa, channel=4, slot=7)


def test_slots_by_option(wire, scripted_session, counting_clock):
    voa = N7762A(scripted_session, counting_clock, name="voa", options={"slots": [2, 5], "speed_db_s": 20})
    configure(wire, voa, channel=2, slot=5, speed="20")


@pytest.mark.parametrize(
    "options",
    [
        {"slots": [1, 3]},
        {"slots": [1, 3, 5, 5]},
        {"slots": [0, 1, 2, 3]},
        {"slots": [1, 3, 5, "7"]},
        {"slots": [True, 3, 5, 7]},
        {"slots": [1, 3, 5, 100]},
        {"slots": 1},
        {"speed_db_s": 0.0},
        {"speed_db_s": 1e4},
        {"settling_s": -1.0},
        {"settling_s": "long"},
    ],
)
def test_options_that_make_no_sense(scripted_session, counting_clock, options):
    with pytest.raises(BenchError, match=r"slots|speed_db_s|settling_s"):
        N7764A(scripted_session, counting_clock, name="voa", options=options)


@pytest.mark.parametrize("change", [{"wavelength_nm": 850.0}, {"channels": [5]}, {"channels": [1, 0]}])
def test_configuring_out_of_range_is_refused_before_anything_is_sent(wire, voa, change):
    with pytest.raises(OutOfRangeError):
        voa.configure(**{"wavelength_nm": 1310.0, **change})
    assert wire.sent == []


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_a_setting_that_reads_back_otherwise(wire, voa, wrong):
    wire.expect_set(":OUTP1:POW:CONTR 0", ":INP1:OFFS 0DB", ":INP1:WAV 1310.0000NM", ":INP1:ATT:SPE 1000")
    replies = [
        (":OUTP1:POW:CONTR?", "+0", "+1"),
        (":INP1:OFFS?", "+0.0", "-1.2"),
        (":INP1:WAV?", "+1.31E-006", "+1.55E-006"),
        (":INP1:ATT:SPE?", "+1.0E+003", "+80"),
    ]
    for place, (query, right, other) in enumerate(replies[: wrong + 1]):
        wire.expect((query, other if place == wrong else right))
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        voa.configure(wavelength_nm=1310.0, channels=[1])
    with pytest.raises(InstrumentError, match="not configured"):
        voa.set_attenuation_db(1, 3.0)


def test_a_refused_setting_names_the_command(wire, voa):
    wire.expect((":OUTP1:POW:CONTR 0", None), (":SYST:ERR?", '-113,"Undefined header"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=":OUTP1:POW:CONTR 0"):
        voa.configure(wavelength_nm=1310.0, channels=[1])


def test_an_attenuation_that_no_filter_has_is_not_waited_for(wire, scripted_session, counting_clock):
    voa = N7761A(scripted_session, counting_clock, name="voa", options={"speed_db_s": 10, "settling_s": 0.5})
    configure(wire, voa, speed="10")
    wire.expect((":INP1:ATT?", "+1.00000000E+009"), (":SYST:ERR?", OK))
    wire.expect_set(":INP1:ATT 5.0000DB")
    wire.expect(*COMPLETE, (":INP1:ATT?", "+5.00000000E+000"))
    voa.set_attenuation_db(1, 5.0)
    assert counting_clock.now_s() == pytest.approx(40.0 / 10 + 0.5)


def test_setting_an_attenuation_waits_for_the_filter(wire, scripted_session, counting_clock):
    voa = N7761A(scripted_session, counting_clock, name="voa", options={"speed_db_s": 10, "settling_s": 0.5})
    configure(wire, voa, speed="10")
    wire.expect((":INP1:ATT?", "+4.50000000E+001"), (":SYST:ERR?", OK))
    wire.expect_set(":INP1:ATT 5.2500DB")
    wire.expect(*COMPLETE, (":INP1:ATT?", "+5.25000000E+000"))
    voa.set_attenuation_db(1, 5.25)
    assert counting_clock.now_s() == pytest.approx(39.75 / 10 + 0.5)


def test_an_attenuation_that_reads_back_otherwise(wire, voa):
    configure(wire, voa)
    wire.expect((":INP1:ATT?", "+0.0"), (":SYST:ERR?", OK))
    wire.expect_set(":INP1:ATT 5.0000DB")
    wire.expect(*COMPLETE, (":INP1:ATT?", "+6.50000000E+000"))
    with pytest.raises(NotSettledError, match=r"5 dB was set, 6\.5 dB is read back"):
        voa.set_attenuation_db(1, 5.0)


@pytest.mark.parametrize(("channel", "attenuation_db"), [(1, 45.1), (1, -0.1), (1, float("nan")), (5, 1.0)])
def test_attenuations_out_of_range_are_refused_before_anything_is_sent(wire, voa, channel, attenuation_db):
    with pytest.raises(OutOfRangeError):
        voa.set_attenuation_db(channel, attenuation_db)
    assert wire.sent == []


def test_an_attenuation_before_configuring_is_refused(wire, voa):
    with pytest.raises(InstrumentError, match=r"channel 1 is not configured\. Call configure"):
        voa.set_attenuation_db(1, 3.0)
    assert wire.sent == []


@pytest.mark.parametrize(("reply", "attenuation_db"), [("14", 14.0), ("+1.4E+001", 14.0), ("14.000", 14.0)])
def test_reading_an_attenuation(wire, voa, reply, attenuation_db):
    wire.expect((":INP5:ATT?", reply))
    assert voa.attenuation_db(3) == attenuation_db


@pytest.mark.parametrize(("open_", "sent", "reply"), [(True, "1", "+1"), (False, "0", "0")])
def test_shutter(wire, voa, open_, sent, reply):
    wire.expect_set(f":OUTP3 {sent}")
    wire.expect(*COMPLETE, (":OUTP3?", reply))
    voa.set_shutter(2, open_=open_)


def test_a_shutter_that_stays_closed(wire, voa):
    wire.expect_set(":OUTP1 1")
    wire.expect(*COMPLETE, (":OUTP1?", "+0"))
    with pytest.raises(NotSettledError, match=r"to be open and reads back closed.*interlock"):
        voa.set_shutter(1, open_=True)


BLIND = [f":OUTP{slot} 0" for slot in (1, 3, 5, 7)] + [f":INP{slot}:ATT MAX" for slot in (1, 3, 5, 7)]


def test_making_safe_is_blind_first_then_read_back(wire, voa):
    wire.expect(*[(command, None) for command in BLIND])
    wire.expect_resynchronisation(IDN)
    for slot in (1, 3, 5, 7):
        shutter = "+1" if slot == 5 else "+0"
        attenuation = "+3.0" if slot == 7 else "+4.5E+001"
        wire.expect((f":OUTP{slot} 0", None), (f":INP{slot}:ATT MAX", None))
        wire.expect((f":INP{slot}:ATT? MAX", "+4.5E+001"), (f":INP{slot}:ATT?", attenuation))
        wire.expect((f":OUTP{slot}?", shutter))
    steps = voa.make_safe()
    assert [step.safe for step in steps] == [True, True, False, False]
    assert steps[0].read_back == "shutter closed, 45 dB"
    assert steps[2].read_back.startswith("shutter open")


def test_making_safe_without_an_answer_says_so(wire, voa, no_reply):
    wire.expect(*[(command, None) for command in BLIND], ("*IDN?", no_reply))
    steps = voa.make_safe()
    assert len(steps) == 4
    assert not any(step.safe for step in steps)
    assert "blindly" in steps[0].read_back


@given(reply=st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\n")))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_is_a_number_or_our_error(wire, counting_clock, reply):
    voa = N7764A(ScpiSession(wire, counting_clock, name="voa"), counting_clock, name="voa")
    for query, read in ((":INP1:ATT?", voa.attenuation_db), (":OUTP1?", voa.shutter_is_open)):
        wire.expect((query, reply.encode("latin-1") + b"\n"))
        with contextlib.suppress(InstrumentError):
            assert isinstance(read(1), float | bool)
        voa.session._dirty = voa.session._distrusted = False
