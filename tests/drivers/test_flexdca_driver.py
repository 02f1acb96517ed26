"""Keysight FlexDCA: the wire conversation of every method."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.errors import (
    BenchError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.interfaces import EyeReading, Oscilloscope
from drivers.keysight_flexdca import FlexDca
from drivers.replies import Reply

IDN = "Keysight Technologies,N1010A,MY1,A.06.60"
ERRORS, OK = ":SYST:ERR? STR", '0,"No error"'
BAUD = 53.125e9


class Talk:
    """Writes the script of a conversation, with the looks at the error queue where a session has them: behind
    every setting, and before one that follows a query."""

    def __init__(self, wire):
        self._wire = wire
        self._unknown = False

    def sets(self, *commands):
        for command in commands:
            if self._unknown:
                self._wire.expect((ERRORS, OK))
            self._wire.expect((command, None), (ERRORS, OK))
            self._unknown = False

    def asks(self, query, reply):
        self._wire.expect((query, reply))
        self._unknown = True

    def resets(self):
        self._wire.expect(("*RST", None), ("*ESR?", "0"), ("*OPC", None), ("*ESR?", "0"), ("*ESR?", "1"))
        self._unknown = True

    def operates(self, command, *, polls=1, errors=()):
        """An operation: its end is polled for, then the queue is read."""
        self._wire.expect((command, None), ("*ESR?", "128"), ("*OPC", None))
        self._wire.expect(*[("*ESR?", "0")] * (polls - 1), ("*ESR?", "1"))
        self._wire.expect(*[(ERRORS, error) for error in errors], (ERRORS, OK))
        self._unknown = False

    def never_ends(self, command, limit_s):
        self._wire.expect((command, None), ("*ESR?", "0"), ("*OPC", None))
        self._wire.expect(*[("*ESR?", "0")] * (int(limit_s / 0.5) + 1), (ERRORS, OK))
        self._unknown = False


@pytest.fixture
def talk(wire):
    return Talk(wire)


@pytest.fixture
def make(scripted_session, counting_clock):
    def made(**options):
        return FlexDca(scripted_session, counting_clock, name="scope", options=options)

    return made


def shows(talk, names, shown):
    for name in names:
        talk.sets(f":CHAN{name}:DISP {'ON' if name == shown else 'OFF'}")
        talk.asks(f":CHAN{name}:DISP?", str(int(name == shown)))


def clock_reads_back(talk, trigger="FPAN", slot=1, divider="SUB4"):
    talk.asks(":TRIG:SOUR?", trigger)
    talk.asks(":TRIG:BWL?", "CLOC")
    talk.asks(f":CREC{slot}:SOUR?", "OPT")
    talk.asks(f":CREC{slot}:CRAT?", "5.3125E+10")
    talk.asks(f":CREC{slot}:ODR:AUTO?", "0")
    talk.asks(f":CREC{slot}:ODR?", divider)


def up_to_the_clock(talk, *, source="CHAN1A", others=("1B", "1C", "1D"), reset=True):
    if reset:
        talk.resets()
    talk.sets(":ACQ:STOP", ":SYST:MODE EYE")
    talk.asks(":SYST:MODE?", "EYE")
    names = sorted([*others, source[4:]])
    shows(talk, names, source[4:])
    talk.sets(f":{source}:WAV:VAL 1.311000E-06")
    talk.asks(f":{source}:WAV:VAL?", "1.311000E-06")
    talk.sets(f":{source}:SIRC ON", f":{source}:SIRC:FBAN 2.656250E+10")
    talk.asks(f":{source}:SIRC?", "1")
    talk.asks(f":{source}:SIRC:FBAN?", "2.65625E+10")
    talk.sets(":TRIG:SOUR FPAN", ":TRIG:BWL CLOC", ":CREC1:SOUR OPT", ":CREC1:CRAT 5.312500E+10")
    talk.sets(":CREC1:ODR:AUTO OFF", ":CREC1:ODR SUB4")
    clock_reads_back(talk)


def locks(talk, *, symbols=65535):
    talk.operates(":CREC1:REL", polls=3)
    talk.asks(":CREC1:LOCK?", "1")
    talk.sets(":TRIG:PLEN:AUT OFF", f":TRIG:PLEN {symbols}")
    talk.asks(":TRIG:PLEN:AUT?", "0")
    talk.asks(":TRIG:PLEN?", str(symbols))
    talk.operates(":TRIG:PLOC ON", polls=2)
    talk.asks(":TRIG:PLOC?", "1")


def sets_tdecq(talk, *, source="CHAN1A", edition=("OFF", "OFF", ())):
    time, thresholds, limit = edition
    talk.sets(":FUNC1:FOP TEQ", f":FUNC1:OPER1 {source}", ":FUNC1:DISP ON")
    talk.sets(":SPR1:TEQ:TAPS:COUN 5", ":SPR1:TEQ:TSP:TPUI 1", ":SPR1:TEQ:NPR 2")
    talk.sets(":MEAS:TDEQ:TSER 4.80E-04", ":MEAS:TDEQ:HWID 4.00E-02", ":MEAS:TDEQ:OHS 1.00E-01")
    talk.sets(f":MEAS:TDEQ:OHT {time}", f":MEAS:TDEQ:OHTH {thresholds}", *limit)
    talk.asks(":SPR1:TEQ:TAPS:COUN?", "5")
    talk.asks(":SPR1:TEQ:TSP:TPUI?", "1")
    talk.asks(":SPR1:TEQ:NPR?", "2")
    talk.asks(":MEAS:TDEQ:TSER?", "4.8E-04")
    talk.asks(":MEAS:TDEQ:HWID?", "0.04")
    talk.asks(":MEAS:TDEQ:OHS?", "0.1")
    talk.asks(":MEAS:TDEQ:OHT?", str(int(time == "ON")))
    talk.asks(":MEAS:TDEQ:OHTH?", str(int(thresholds == "ON")))
    if limit:
        talk.asks(":MEAS:TDEQ:TAL?", "1.0")


def configure(talk, scope, channel=1, *, source="CHAN1A", others=("1B", "1C", "1D"), symbols=65535, **more):
    up_to_the_clock(talk, source=source, others=others, reset=not scope._is_reset)
    locks(talk, symbols=symbols)
    talk.operates(":SYST:AUT")
    sets_tdecq(talk, source=source, **more)
    scope.configure(channel, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=symbols)


def test_it_serves_the_role_and_connecting_sets_nothing(wire, talk, make):
    scope = make()
    assert isinstance(scope, Oscilloscope)
    assert scope.channels == (1, 2, 3, 4)
    wire.expect(("*IDN?", IDN), (ERRORS, '-113,"old"'), (ERRORS, OK))
    talk.sets("*CLS")
    assert scope.connect().model == "N1010A"
    assert scope.errors_at_connect == ((-113, "old"),)


def test_another_instrument_is_refused(wire, make):
    wire.expect(("*IDN?", "Keysight Technologies,N7745C,MY1,V1"))
    with pytest.raises(WrongIdentityError, match="FlexDCA"):
        make().connect()


def test_configure_sets_and_locks_everything(talk, make, counting_clock):
    configure(talk, make())
    assert set(counting_clock.sleeps) == {0.5}  # polled, never a blocking *OPC?


def test_another_channel_edition_filter_and_clock_by_options(talk, make):
    scope = make(
        channels=["2A", "2B"],
        tdecq_edition="802.3cd",
        filter="FILTer3",
        clock_recovery_slot=3,
        trigger_source="clock_recovery",
        output_clock_divider=1,
    )
    talk.resets()
    talk.sets(":ACQ:STOP", ":SYST:MODE EYE")
    talk.asks(":SYST:MODE?", "EYE")
    shows(talk, ["2A", "2B"], "2B")
    talk.sets(":CHAN2B:WAV:VAL 1.311000E-06")
    talk.asks(":CHAN2B:WAV:VAL?", "1.311E-06")
    talk.sets(":CHAN2B:FSEL FILTER3", ":CHAN2B:FILT ON")
    talk.asks(":CHAN2B:FSEL?", "FILT3")
    talk.asks(":CHAN2B:FILT?", "1")
    talk.sets(":TRIG:SOUR CREC", ":TRIG:BWL CLOC", ":CREC3:SOUR OPT", ":CREC3:CRAT 5.312500E+10")
    talk.sets(":CREC3:ODR:AUTO OFF", ":CREC3:ODR UNIT")
    clock_reads_back(talk, "CREC", 3, "UNIT")
    talk.operates(":CREC3:REL")
    talk.asks(":CREC3:LOCK?", "1")
    talk.sets(":TRIG:PLEN:AUT OFF", ":TRIG:PLEN 8191")
    talk.asks(":TRIG:PLEN:AUT?", "0")
    talk.asks(":TRIG:PLEN?", "8191")
    talk.operates(":TRIG:PLOC ON")
    talk.asks(":TRIG:PLOC?", "1")
    talk.operates(":SYST:AUT")
    sets_tdecq(talk, source="CHAN2B", edition=("ON", "ON", (":MEAS:TDEQ:TAL 1.0",)))
    scope.configure(2, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=8191)


@pytest.mark.parametrize("wrong", [":TRIG:SOUR?", ":TRIG:BWL?", ":CREC1:SOUR?", ":CREC1:ODR?"])
def test_a_clock_set_otherwise_is_found_before_it_is_locked(wire, talk, make, wrong):
    up_to_the_clock(talk)
    place = next(place for place, (command, _) in enumerate(wire.script) if command == wrong)
    wire.script[place:] = [(wrong, "ELEC")]
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)


@pytest.mark.parametrize(
    "wrong",
    [":SPR1:TEQ:TSP:TPUI?", ":SPR1:TEQ:NPR?", ":MEAS:TDEQ:OHT?", ":MEAS:TDEQ:OHTH?", ":MEAS:TDEQ:TAL?"],
)
def test_a_tdecq_method_set_otherwise_is_found(wire, talk, make, wrong):
    up_to_the_clock(talk)
    locks(talk)
    talk.operates(":SYST:AUT")
    sets_tdecq(talk, edition=("ON", "ON", (":MEAS:TDEQ:TAL 1.0",)))
    place = next(place for place, (command, _) in enumerate(wire.script) if command == wrong)
    wire.script[place:] = [(wrong, "0")]
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        make(tdecq_edition="802.3cd").configure(
            1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535
        )


def test_a_clock_that_does_not_lock_says_what_to_check(talk, make):
    up_to_the_clock(talk)
    talk.operates(":CREC1:REL", errors=['-200,"no data"'])
    talk.asks(":CREC1:LOCK?", "0")
    with pytest.raises(NotSettledError, match=r"53\.125 GBd.*-200.*transmitter is on.*routed") as caught:
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)
    assert caught.value.command == ":CREC1:REL"


def test_a_clock_that_searches_for_ever_is_given_up(talk, make, counting_clock):
    up_to_the_clock(talk)
    talk.never_ends(":CREC1:REL", 60.0)
    talk.asks(":CREC1:LOCK?", "0")
    with pytest.raises(NotSettledError, match="not within 60 s"):
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)
    assert counting_clock.now_s() == pytest.approx(60.0 + 0.5)  # the reset's half second


def test_a_pattern_that_is_not_there_says_what_to_check(talk, make):
    up_to_the_clock(talk)
    talk.operates(":CREC1:REL")
    talk.asks(":CREC1:LOCK?", "1")
    talk.sets(":TRIG:PLEN:AUT OFF", ":TRIG:PLEN 65535")
    talk.asks(":TRIG:PLEN:AUT?", "0")
    talk.asks(":TRIG:PLEN?", "65535")
    talk.operates(":TRIG:PLOC ON")
    talk.asks(":TRIG:PLOC?", "0")
    with pytest.raises(NotSettledError, match=r"65535 symbols.*SSPRQ"):
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)


def test_autoscale_is_tried_again_and_then_given_up(talk, make):
    up_to_the_clock(talk)
    locks(talk)
    talk.operates(":SYST:AUT", errors=['-200,"failed"'])
    talk.sets(":ACQ:STOP")
    talk.never_ends(":SYST:AUT", 60.0)
    talk.sets(":ACQ:STOP")
    scope = make(autoscale_tries=2)
    with pytest.raises(NotSettledError, match="autoscale failed 2 times, not within 60 s"):
        scope.configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)
    assert scope.autoscales_failed == 2


def test_it_is_reset_before_it_is_first_set_and_anew_after_a_connection(wire, talk, make):
    scope = make()
    configure(talk, scope)
    configure(talk, scope, 2, source="CHAN1B", others=("1A", "1C", "1D"))
    assert wire.sent.count("*RST") == 1
    wire.expect(("*IDN?", IDN), (ERRORS, OK), ("*CLS", None), (ERRORS, OK))
    scope.connect()
    talk._unknown = False
    configure(talk, scope)
    assert wire.sent.count("*RST") == 2


def test_a_reading_tells_how_often_autoscale_failed_before_it(talk, make):
    scope = make()
    up_to_the_clock(talk)
    locks(talk)
    talk.operates(":SYST:AUT", errors=['-200,"failed"'])
    talk.sets(":ACQ:STOP")
    talk.operates(":SYST:AUT")
    sets_tdecq(talk)
    scope.configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)
    talk.sets(":ACQ:STOP", ":ACQ:CDIS", ":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    locked(talk)
    talk.sets(":LTES:ACQ:CTYP:PATT 4", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "4")
    talk.operates(":ACQ:RUN")
    locked(talk)
    identifies(talk, ":MEAS:EYE:OER", "CORR")
    talk.asks(":MEAS:EYE:OER?", "5.0")
    (reading,) = scope.measure(1, ["extinction_ratio_db"])
    assert reading == EyeReading("extinction_ratio_db", 5.0, autoscales_failed=1)
    configure(talk, scope)
    assert (scope._failed_autoscales, scope.autoscales_failed) == (0, 1)


def test_a_setting_that_is_refused_or_does_not_take_is_found(wire, talk, make):
    talk.resets()
    wire.expect((ERRORS, OK), (":ACQ:STOP", None), (ERRORS, '-221,"Settings conflict"'), (ERRORS, OK))
    with pytest.raises(InstrumentReportedError, match="-221"):
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)
    wire.expect(("*RST", None), ("*ESR?", "0"), ("*OPC", None), ("*ESR?", "1"), (ERRORS, OK))
    wire.expect((":ACQ:STOP", None), (ERRORS, OK), (":SYST:MODE EYE", None), (ERRORS, OK))
    talk.asks(":SYST:MODE?", "OSC")
    with pytest.raises(GarbledReplyError, match="EYE"):
        make().configure(1, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=65535)


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": 5},
        {"wavelength_nm": 850.0},
        {"wavelength_nm": math.nan},
        {"symbol_rate_bd": 100e9},
        {"pattern_symbols": 1},
        {"pattern_symbols": 8191.5},
    ],
)
def test_what_is_out_of_range_is_refused_before_anything_is_sent(make, wire, wrong):
    asked = {"channel": 1, "wavelength_nm": 1311.0, "symbol_rate_bd": BAUD, "pattern_symbols": 8191} | wrong
    with pytest.raises(OutOfRangeError):
        make().configure(asked.pop("channel"), **asked)
    assert wire.sent == []


@pytest.mark.parametrize(
    "options",
    [
        {"channels": []},
        {"channels": ["1A", "1A"]},
        {"channels": [1]},
        {"channels": ["9A"]},
        {"clock_recovery_slot": 9},
        {"trigger_source": "front"},
        {"output_clock_divider": 0},
        {"filter": "FILT1;*RST"},
        {"tdecq_edition": "802.3zz"},
        {"samples_per_ui": 2},
        {"autoscale_tries": 0},
        {"acquisition_limit_s": 0.0},
        {"channel_noise_w": -1.0},
        {"channel_noise_w": "little"},
    ],
)
def test_options_are_checked(make, options):
    with pytest.raises(BenchError):
        make(**options)


def locked(talk, clock="1", pattern="1"):
    talk.asks(":CREC1:LOCK?", clock)
    if clock == "1":
        talk.asks(":TRIG:PLOC?", pattern)


def installs(talk, *, source="CHAN1A"):
    talk.sets(":ACQ:STOP", ":ACQ:CDIS")
    talk.sets(":MEAS:EYE:TDEQ:SOUR1 FUNC1", ":MEAS:EYE:TDEQ")
    talk.sets(f":MEAS:EYE:OOMA:SOUR1 {source}", ":MEAS:EYE:OOMA:UNIT WATT")
    talk.asks(":MEAS:EYE:OOMA:UNIT?", "WATT")
    talk.sets(":MEAS:EYE:OOMA")


def identifies(talk, node, status, *, source="CHAN1A"):
    talk.sets(f"{node}:SOUR1 {source}")
    talk.asks(f"{node}:STAT?", status)


def test_measure_installs_acquires_and_asks_in_the_order_asked(talk, make):
    scope = make()
    configure(talk, scope)
    installs(talk)
    talk.sets(":MEAS:EYE:CEQ:SOUR1 FUNC1", ":MEAS:EYE:CEQ")
    talk.sets(":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    talk.sets(":MEAS:EYE:PAM:LIN:SOUR1 CHAN1A", ":MEAS:EYE:PAM:LIN")
    talk.sets(":MEAS:EYE:APOW:SOUR1 CHAN1A", ":MEAS:EYE:APOW:UNIT WATT")
    talk.asks(":MEAS:EYE:APOW:UNIT?", "WATT")
    talk.sets(":MEAS:EYE:APOW")
    talk.sets(":MEAS:EYE:TTIM:SOUR1 CHAN1A", ":MEAS:EYE:TTIM:TRAN SLOW", ":MEAS:EYE:TTIM")
    talk.asks(":CREC1:LOCK?", "1")
    talk.asks(":TRIG:PLOC?", "1")
    talk.sets(":LTES:ACQ:CTYP:PATT 7", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "7")
    talk.operates(":ACQ:RUN", polls=4)
    locked(talk)
    answers = [
        (":MEAS:EYE:TDEQ", "FUNC1", "1.234E+00"),
        (":MEAS:EYE:OOMA", "CHAN1A", "1.05E-03"),
        (":MEAS:EYE:CEQ", "FUNC1", "0.7"),
        (":MEAS:EYE:OER", "CHAN1A", "4.9"),
        (":MEAS:EYE:PAM:LIN", "CHAN1A", "0.985"),
        (":MEAS:EYE:APOW", "CHAN1A", "1.0E-03"),
        (":MEAS:EYE:TTIM", "CHAN1A", "1.1E-11"),
    ]
    for node, source, value in answers:
        identifies(talk, node, "CORR", source=source)
        talk.asks(f"{node}?", value)
    readings = scope.measure(
        1,
        [
            "tdecq_db",
            "oma_outer_w",
            "ceq_db",
            "extinction_ratio_db",
            "rlm",
            "average_power_w",
            "transition_time_s",
        ],
        patterns=7,
    )
    assert [reading.value for reading in readings] == [1.234, 1.05e-3, 0.7, 4.9, 0.985, 1e-3, 1.1e-11]
    assert not any(reading.questionable or reading.reason for reading in readings)


def test_invalid_questionable_and_no_number(talk, make):
    scope = make()
    configure(talk, scope)
    installs(talk)
    talk.asks(":CREC1:LOCK?", "1")
    talk.asks(":TRIG:PLOC?", "1")
    talk.sets(":LTES:ACQ:CTYP:PATT 4", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "4")
    talk.operates(":ACQ:RUN")
    locked(talk)
    identifies(talk, ":MEAS:EYE:TDEQ", '"INV"', source="FUNC1")
    talk.asks(":MEAS:EYE:TDEQ:STAT:REAS?", '"the eye is closed"')
    identifies(talk, ":MEAS:EYE:OOMA", "QUES")
    talk.asks(":MEAS:EYE:OOMA:STAT:REAS?", "clipped")
    talk.asks(":MEAS:EYE:OOMA?", "1E-3")
    closed, clipped = scope.measure(1, ["tdecq_db", "oma_outer_w"])
    assert closed == EyeReading("tdecq_db", None, reason="the eye is closed")
    assert clipped == EyeReading("oma_outer_w", 1e-3, questionable=True, reason="clipped")

    talk.sets(":ACQ:STOP", ":ACQ:CDIS", ":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    talk.asks(":CREC1:LOCK?", "1")
    talk.asks(":TRIG:PLOC?", "1")
    talk.sets(":LTES:ACQ:CTYP:PATT 4", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "4")
    talk.operates(":ACQ:RUN")
    locked(talk)
    identifies(talk, ":MEAS:EYE:OER", "CORR")
    talk.asks(":MEAS:EYE:OER?", "9.91E+37")
    talk.asks(":MEAS:EYE:OER:STAT:REAS?", '""')
    (reading,) = scope.measure(1, ["extinction_ratio_db"])
    assert reading == EyeReading("extinction_ratio_db", None, reason="the instrument gives no reason")


@pytest.mark.parametrize(
    ("clock", "pattern", "said"),
    [("0", "1", "the clock recovery has lost its lock"), ("1", "0", "the pattern lock is lost")],
)
def test_a_lock_lost_while_it_acquires_leaves_no_value(talk, make, clock, pattern, said):
    scope = make()
    configure(talk, scope)
    talk.sets(":ACQ:STOP", ":ACQ:CDIS", ":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    locked(talk)
    talk.sets(":LTES:ACQ:CTYP:PATT 4", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "4")
    talk.operates(":ACQ:RUN")
    locked(talk, clock, pattern)
    identifies(talk, ":MEAS:EYE:OER", "CORR")
    (reading,) = scope.measure(1, ["extinction_ratio_db"])
    assert reading == EyeReading("extinction_ratio_db", None, reason=f"{said} while it acquired")


def test_without_lock_nothing_is_acquired_and_power_is_measured_all_the_same(talk, make):
    scope = make()
    configure(talk, scope)
    talk.sets(":ACQ:STOP", ":ACQ:CDIS", ":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    talk.sets(":MEAS:EYE:APOW:SOUR1 CHAN1A", ":MEAS:EYE:APOW:UNIT WATT")
    talk.asks(":MEAS:EYE:APOW:UNIT?", "WATT")
    talk.sets(":MEAS:EYE:APOW")
    talk.asks(":CREC1:LOCK?", "0")
    identifies(talk, ":MEAS:EYE:OER", "CORR")  # stale: not believed
    identifies(talk, ":MEAS:EYE:APOW", "CORR")
    talk.asks(":MEAS:EYE:APOW?", "-3.1E-08")
    er, power = scope.measure(1, ["extinction_ratio_db", "average_power_w"])
    assert er == EyeReading("extinction_ratio_db", None, reason="the clock recovery has lost its lock")
    assert power == EyeReading("average_power_w", -3.1e-8)


def test_an_acquisition_that_does_not_end_is_stopped(wire, talk, make, counting_clock):
    scope = make(acquisition_limit_s=3.0)
    configure(talk, scope)
    before_s = counting_clock.now_s()
    talk.sets(":ACQ:STOP", ":ACQ:CDIS", ":MEAS:EYE:OER:SOUR1 CHAN1A", ":MEAS:EYE:OER")
    talk.asks(":CREC1:LOCK?", "1")
    talk.asks(":TRIG:PLOC?", "1")
    talk.sets(":LTES:ACQ:CTYP:PATT 4", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "4")
    talk.never_ends(":ACQ:RUN", 3.0)
    wire.expect((":ACQ:STOP", None))
    with pytest.raises(NotSettledError, match="stopped, not within 3 s"):
        scope.measure(1, ["extinction_ratio_db"])
    assert counting_clock.now_s() - before_s == pytest.approx(3.0)


def test_what_cannot_be_measured_is_refused_before_anything_is_sent(wire, make):
    with pytest.raises(UnsupportedError, match="'jitter_s'; it does: tdecq_db"):
        make().measure(1, ["jitter_s"])
    with pytest.raises(OutOfRangeError, match="patterns"):
        make().measure(1, ["rlm"], patterns=0)
    with pytest.raises(OutOfRangeError, match="not 9"):
        make().measure(9, ["rlm"])
    for method in (lambda scope: scope.measure(1, ["rlm"]), lambda scope: scope.capture(1)):
        with pytest.raises(InstrumentError, match="configure"):
            method(make())
    assert wire.sent == []


def test_only_the_channel_configured_last_can_be_measured(talk, make):
    scope = make()
    configure(talk, scope, 2, source="CHAN1B", others=("1A", "1C", "1D"))
    with pytest.raises(InstrumentError, match="channel 1 is not the one configured last"):
        scope.measure(1, ["rlm"])


def block(values, order="<"):
    data = struct.pack(f"{order}{len(values)}f", *values)
    length = str(len(data))
    return f"#{len(length)}{length}".encode() + data + b"\n"


SYMBOLS, PER_UI = 8, 4
POINTS = SYMBOLS * PER_UI
STEP_S = 1.0 / (PER_UI * BAUD)
POWERS = [1e-3 * (1.0 + 0.5 * math.sin(2.0 * math.pi * place / POINTS)) for place in range(POINTS)]
EVEN_S = [24e-9 + place * STEP_S for place in range(POINTS)]


def takes_a_waveform(talk, *, complete="1"):
    talk.sets(":ACQ:STOP", ":SYST:MODE OSC", ":ACQ:EPAT ON", ":ACQ:SPUI:MODE MAN", f":ACQ:SPUI {PER_UI}")
    talk.sets(":TIM:UNIT UINT", ":ACQ:CDIS", f":TIM:UIR {SYMBOLS}")
    talk.asks(":ACQ:SPUI?", str(PER_UI))
    talk.sets(":LTES:ACQ:CTYP:PATT 1", ":LTES:ACQ:STAT ON")
    talk.asks(":LTES:ACQ:CTYP:PATT?", "1")
    talk.operates(":ACQ:RUN", polls=2)
    talk.sets(":ACQ:STOP", ":WAV:SOUR CHAN1A")
    talk.asks(":WAV:PATT:COMP?", complete)


def reads_a_waveform(talk, times_s=EVEN_S, powers_w=POWERS, *, points=POINTS, powers=None):
    talk.asks(":WAV:STAT?", "CORR")
    talk.sets(":SYST:BORDER LEND")
    talk.asks(":WAV:XYF:POIN?", str(points))
    if points == POINTS:
        talk.asks(":WAV:XYF:FLO:XDAT?", block(times_s))
        talk.asks(":WAV:XYF:FLO:YDAT?", powers or block(powers_w))


def goes_back(talk):
    talk.sets(":SYST:MODE EYE")
    talk.operates(":SYST:AUT")


@pytest.fixture
def capturing(talk, make):
    scope = make(samples_per_ui=PER_UI)
    configure(talk, scope, symbols=SYMBOLS)
    return scope


def test_capture_takes_one_period_and_goes_back_to_eye_mode(talk, capturing):
    takes_a_waveform(talk)
    reads_a_waveform(talk)
    goes_back(talk)
    captured = capturing.capture(1)
    assert captured.samples_w == pytest.approx(POWERS, rel=1e-6)
    assert (captured.samples_per_ui, captured.symbol_rate_bd, captured.filtered) == (PER_UI, BAUD, True)


def test_unevenly_spaced_points_are_put_on_an_even_grid(talk, capturing):
    places = [0.0] + [place + 0.4 * math.sin(7.0 * place) for place in range(1, POINTS)]
    powers_w = [1e-3 * (1.0 + 0.5 * math.sin(2.0 * math.pi * place / POINTS)) for place in places]
    takes_a_waveform(talk)
    # From the trigger on: float32 would blur the steps of a few picoseconds behind 24 ns.
    reads_a_waveform(talk, [place * STEP_S for place in places], powers_w)
    goes_back(talk)
    assert capturing.capture(1).samples_w == pytest.approx(POWERS, abs=1e-6)
    assert max(abs(a - b) for a, b in zip(powers_w, POWERS, strict=True)) > 2e-5


@pytest.mark.parametrize(
    ("wire_has", "error"),
    [
        ({"points": POINTS + 1}, GarbledReplyError),
        ({"powers": block(POWERS[:-1])}, PartialReplyError),
        ({"powers": block([*POWERS, 1e-3])}, GarbledReplyError),
        ({"powers": block([math.nan] * POINTS)}, GarbledReplyError),
        ({"powers": block([0.5] * POINTS)}, GarbledReplyError),
    ],
)
def test_a_waveform_that_is_none_is_refused(wire, talk, capturing, wire_has, error):
    takes_a_waveform(talk)
    reads_a_waveform(talk, **wire_has)
    wire.expect_resynchronisation(IDN, error_query=ERRORS, no_error=OK)
    talk.sets(":SYST:MODE EYE")
    with pytest.raises(error):
        capturing.capture(1)
    with pytest.raises(InstrumentError, match="configure"):
        capturing.capture(1)


def test_times_of_another_rate_are_refused(talk, capturing):
    takes_a_waveform(talk)
    reads_a_waveform(talk, [2.0 * time_s for time_s in EVEN_S])
    goes_back(talk)
    with pytest.raises(GarbledReplyError, match="do not rise through one period"):
        capturing.capture(1)


def test_a_waveform_that_the_instrument_doubts_is_not_read(talk, capturing):
    takes_a_waveform(talk, complete="0")
    talk.sets(":SYST:MODE EYE")
    with pytest.raises(NotSettledError, match="not complete"):
        capturing.capture(1)


def test_an_invalid_waveform_gives_the_instrument_s_reason(talk, capturing):
    takes_a_waveform(talk)
    talk.asks(":WAV:STAT?", "INV")
    talk.asks(":WAV:STAT:REAS?", '"no pattern lock"')
    talk.sets(":SYST:MODE EYE")
    with pytest.raises(InvalidReadingError, match="no pattern lock"):
        capturing.capture(1)


def measures_noise(talk, noise="1.2E-05", power="2.0E-07"):
    talk.resets()
    talk.sets(":ACQ:STOP", ":TRIG:PLOC OFF", ":TRIG:SOUR FRUN", ":SYST:MODE OSC", ":CHAN1A:DISP ON")
    talk.sets(":CHAN1A:WAV:VAL 1.310000E-06")
    talk.asks(":CHAN1A:WAV:VAL?", "1.31E-06")
    talk.sets(":CHAN1A:SIRC ON", ":CHAN1A:SIRC:FBAN 2.656250E+10")
    talk.asks(":CHAN1A:SIRC?", "1")
    talk.asks(":CHAN1A:SIRC:FBAN?", "2.65625E+10")
    talk.sets(":ACQ:CDIS", ":MEAS:OSC:VRMS:SOUR1 CHAN1A", ":MEAS:OSC:VRMS:TYP AC", ":MEAS:OSC:VRMS:ARE DISP")
    talk.sets(":MEAS:OSC:VRMS", ":MEAS:OSC:APOW:SOUR1 CHAN1A", ":MEAS:OSC:APOW:UNIT WATT", ":MEAS:OSC:APOW")
    talk.sets(":LTES:ACQ:CTYP:WAV 16", ":LTES:ACQ:STAT ON")
    talk.operates(":ACQ:RUN")
    talk.asks(":MEAS:OSC:VRMS:STAT?", "CORR")
    talk.asks(":MEAS:OSC:VRMS?", noise)
    talk.asks(":MEAS:OSC:APOW:STAT?", "CORR")
    talk.asks(":MEAS:OSC:APOW?", power)
    talk.sets(":TRIG:SOUR FPAN", ":SYST:MODE EYE")


def test_noise_is_measured_in_the_dark_or_stated_in_the_bench_file(talk, make):
    scope = make()
    with pytest.raises(InstrumentError, match="channel_noise_w"):
        scope.noise_w(1)
    measures_noise(talk)
    assert scope.measure_dark_noise_w(1) == scope.noise_w(1) == 1.2e-5
    with pytest.raises(InstrumentError):
        scope.noise_w(2)
    assert make(channel_noise_w=9e-6).noise_w(4) == 9e-6
    with pytest.raises(OutOfRangeError):
        make(channel_noise_w=9e-6).noise_w(5)


@pytest.mark.parametrize(
    ("readings", "message"),
    [({"power": "1.0E-03"}, "not dark"), ({"noise": "0"}, "no noise"), ({"noise": "0.5"}, "no noise")],
)
def test_noise_that_is_none_is_refused(talk, make, readings, message):
    scope = make()
    measures_noise(talk, **readings)
    with pytest.raises(InstrumentError, match=message):
        scope.measure_dark_noise_w(1)
    with pytest.raises(InstrumentError):
        scope.noise_w(1)


def test_there_is_nothing_to_make_safe(wire, make):
    assert make().make_safe() == ()
    assert wire.sent == []


class Babbling:
    """A session whose instrument answers every query, from one on, with the same words."""

    clock = None
    time_limit_s = 1.0
    error_query = None
    tolerated_errors = frozenset()

    def __init__(self, words):
        self._words = words
        self.data = b""

    def query(self, command, **_):
        return Reply("scope", command, self._words.get(command, "1"), lambda: None)

    def query_block(self, command, **_):
        return self.data

    def command(self, *_, **__):
        pass

    def distrust(self):
        pass

    def drain_errors(self, **_):
        return ()

    def wait_complete(self, *_, **__):
        return 0.0


def babbled(**words):
    return FlexDca(Babbling(words), None, name="scope", options={"samples_per_ui": 4})


@given(st.sampled_from(["CORR", "QUES", "INV", "9"]), st.text(max_size=300), st.text(max_size=40))
@example("CORR", "", "1e999")
@example("CORR", "", "-9.9E37")
@example("QUES", "\x00\n\r", "1E-3")
def test_no_reply_makes_anything_but_a_reading_or_our_error(status, reason, value):
    node = ":MEAS:EYE:OER"
    scope = babbled(**{f"{node}:STAT?": status, f"{node}:STAT:REAS?": reason, f"{node}?": value})
    try:
        reading = scope._reading("extinction_ratio_db", "CHAN1A", "")
    except InstrumentError:
        return
    assert reading.value is None or math.isfinite(reading.value)
    assert reading.reason.isprintable()
    assert len(reading.reason) <= 200
    assert bool(reading.reason) is (reading.value is None or status == "QUES")


@given(st.binary(max_size=200), st.text(max_size=20))
@example(struct.pack("<32f", *POWERS), "32")
def test_no_waveform_makes_anything_but_powers_or_our_error(data, points):
    scope = babbled(**{":WAV:XYF:POIN?": points, ":WAV:STAT?": "CORR"})
    scope._session.data = data
    try:
        _, powers_w = scope._xy_data(POINTS)
    except InstrumentError:
        return
    assert len(powers_w) == POINTS
    assert all(abs(power_w) < 0.1 for power_w in powers_w)
