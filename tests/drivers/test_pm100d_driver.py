"""Thorlabs PM100D: the wire conversation of every method."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import (
    BenchError,
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NotSettledError,
    OutOfRangeError,
    OverloadError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.interfaces import PowerMeter
from drivers.replies import Reply
from drivers.thorlabs_pm100d import Pm100d, SensorInfo, _sensor

IDN = "THORLABS,PM100D,P0004750,2.4.0"
OK = '+0,"No error"'
SENSOR = "S154C,14011501,01-JUN-2026,1,2,33"


class QueueAsked(list):
    """Settings each followed by a look at this model's error queue."""

    def __init__(self, *commands):
        super().__init__()
        for command in commands:
            self += [(command, None), ("SYST:ERR?", OK)]


@pytest.fixture
def meter(scripted_session, counting_clock):
    return Pm100d(scripted_session, counting_clock, name="meter", options={})


def connect(wire, meter, sensor=SENSOR, limits=("8.0E+02", "1.7E+03")):
    wire.expect(("*IDN?", IDN), ("SYST:ERR?", OK), *QueueAsked("*CLS"), ("SYST:SENS:IDN?", sensor))
    wire.expect(("SENS:CORR:WAV? MIN", limits[0]), ("SENS:CORR:WAV? MAX", limits[1]))
    return meter.connect()


def read_back(unit="W", auto="1", wavelength="1.3110E+03", count="33", attenuation="0.0"):
    return [
        ("SENS:POW:UNIT?", unit),
        ("SENS:POW:RANG:AUTO?", auto),
        ("SENS:CORR:WAV?", wavelength),
        ("SENS:AVER:COUN?", count),
        ("SENS:CORR?", attenuation),
    ]


def configure(wire, meter, answers=None, averaging_s=0.1, samples=33):
    wire.expect(("SYST:ERR?", OK))
    wire.expect(
        *QueueAsked(
            "CONF:POW",
            "SENS:POW:UNIT W",
            "SENS:POW:RANG:AUTO 1",
            "SENS:CORR:WAV 1311.00",
            f"SENS:AVER:COUN {samples}",
            "SENS:CORR 0",
        )
    )
    wire.expect(*(read_back(count=str(samples)) if answers is None else answers))
    meter.configure(wavelength_nm=1311.0, averaging_s=averaging_s, channels=[1])


def test_it_serves_the_role_and_making_it_sends_nothing(wire, meter):
    assert isinstance(meter, PowerMeter)
    assert meter.channels == (1,)
    assert meter.range_dbm == (-60.0, 5.0)
    assert wire.sent == []


def test_connect_tells_meter_and_sensor(wire, meter):
    with pytest.raises(InstrumentError, match="not connected"):
        _ = meter.sensor
    identity = connect(wire, meter)
    assert (identity.model, identity.serial) == ("PM100D", "P0004750")
    assert meter.sensor == SensorInfo("S154C", "14011501", "01-JUN-2026", 1, 2, 33)


@pytest.mark.parametrize(
    "text", ['"S154C","14011501","01-JUN-2026",1,2,33', " S154C , 14011501 , 01-JUN-2026 ,1,2,+33 "]
)
def test_a_sensors_texts_with_and_without_quotes(wire, meter, text):
    connect(wire, meter, sensor=text)
    assert meter.sensor == SensorInfo("S154C", "14011501", "01-JUN-2026", 1, 2, 33)


def test_a_calibration_with_a_comma(wire, meter):
    connect(wire, meter, sensor="S154C,14011501,June 1, 2026,1,2,33")
    assert meter.sensor.calibration == "June 1, 2026"


def test_another_model_is_refused(wire, meter):
    wire.expect(("*IDN?", "THORLABS,PM103E,M1,1.0"))
    with pytest.raises(WrongIdentityError, match=r"expected a Thorlabs PM100D, found.*PM103E"):
        meter.connect()


@pytest.mark.parametrize("sensor", ["no sensor,,,0,0,0", "ES111C,1,01-JUN-2026,2,2,34", "S302C,1,x,1,2,1"])
def test_a_sensor_that_measures_no_power_at_a_wavelength(wire, meter, sensor):
    wire.expect(("*IDN?", IDN), ("SYST:ERR?", OK), *QueueAsked("*CLS"), ("SYST:SENS:IDN?", sensor))
    with pytest.raises(UnsupportedError, match="Plug in a photodiode sensor"):
        meter.connect()


def test_wavelength_limits_that_are_none(wire, meter):
    with pytest.raises(GarbledReplyError, match="no upper limit"):
        connect(wire, meter, limits=("1.7E+03", "8.0E+02"))


def test_configure_in_nanometres_without_suffix_and_read(wire, meter):
    connect(wire, meter)
    configure(wire, meter)
    wire.expect(("READ?", "1.23456E-03"))
    (reading,) = meter.read_powers_w([1])
    assert (reading.channel, reading.power_w) == (1, 1.23456e-3)
    assert wire.limits_ms["READ?"] == 3297  # 3 s and three averages of 33 samples
    assert meter.read_powers_w([]) == ()


def test_the_shortest_average_is_one_sample(wire, meter):
    connect(wire, meter)
    configure(wire, meter, averaging_s=0.003, samples=1)


@pytest.mark.parametrize(
    ("place", "reply"), [(0, '"DBM"'), (1, "0"), (2, "1.31E-06"), (2, "1.55E+03"), (3, "1")]
)
def test_a_setting_that_reads_back_otherwise(wire, meter, place, reply):
    connect(wire, meter)
    answers = read_back()
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        configure(wire, meter, [*answers[:place], (answers[place][0], reply)])
    assert meter.session.dirty
    with pytest.raises(InstrumentError, match="not configured"):
        meter.read_powers_w([1])


@pytest.mark.parametrize(
    "change",
    [
        {"wavelength_nm": 799.0},
        {"wavelength_nm": 1.311e-6},
        {"wavelength_nm": float("nan")},
        {"averaging_s": 31.0},
        {"averaging_s": 0.0},
        {"channels": [2]},
    ],
)
def test_out_of_range_is_refused_before_anything_is_sent(wire, meter, change):
    connect(wire, meter)
    before = list(wire.sent)
    with pytest.raises(OutOfRangeError):
        meter.configure(**{"wavelength_nm": 1311.0, "averaging_s": 0.1, "channels": [1], **change})
    assert wire.sent == before


def test_a_refused_setting_names_the_command(wire, meter):
    connect(wire, meter)
    wire.expect(("SYST:ERR?", OK), ("CONF:POW", None), ("SYST:ERR?", '-113,"Undefined header"'))
    wire.expect(("SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match="CONF:POW"):
        meter.configure(wavelength_nm=1311.0, averaging_s=0.1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("9.9E37", OverloadError),
        ("9.91E37", InvalidReadingError),
        ("3.40282E+38", OverloadError),
        ("-3.2E+01", GarbledReplyError),
        ("", EmptyReplyError),
        ("1E-3,2E-3", GarbledReplyError),
        ("- - -", GarbledReplyError),
    ],
)
def test_replies_that_are_no_power(wire, meter, reply, error):
    connect(wire, meter)
    configure(wire, meter)
    wire.expect(("READ?", reply))
    with pytest.raises(error):
        meter.read_powers_w([1])


def test_zero(wire, meter, counting_clock):
    wire.expect(*QueueAsked("SENS:CORR:COLL:ZERO:INIT"))
    wire.expect(("SENS:CORR:COLL:ZERO:STAT?", "1"), ("SENS:CORR:COLL:ZERO:STAT?", "0"))
    wire.expect(("SYST:ERR?", OK), ("SENS:CORR:COLL:ZERO:MAGN?", "2.1E-10"))
    meter.zero()
    assert counting_clock.sleeps == [0.5]
    meter.zero([])


def test_zero_in_the_light(wire, meter):
    wire.expect(*QueueAsked("SENS:CORR:COLL:ZERO:INIT"))
    wire.expect(("SENS:CORR:COLL:ZERO:STAT?", "0"), ("SYST:ERR?", OK), ("SENS:CORR:COLL:ZERO:MAGN?", "1E-5"))
    with pytest.raises(InstrumentError, match=r"there was light.*Cover"):
        meter.zero([1])


def test_zero_that_does_not_end(wire, meter):
    wire.expect(*QueueAsked("SENS:CORR:COLL:ZERO:INIT"), *[("SENS:CORR:COLL:ZERO:STAT?", "1")] * 121)
    with pytest.raises(NotSettledError, match="not over after 60 s"):
        meter.zero([1])


def test_making_safe_sends_nothing(wire, meter):
    assert meter.make_safe() == ()
    assert wire.sent == []


@pytest.mark.parametrize("options", [{"lowest_dbm": 6.0}, {"highest_dbm": 60.0}, {"lowest_dbm": -101}])
def test_options_that_make_no_sense(scripted_session, counting_clock, options):
    with pytest.raises(BenchError, match="lowest_dbm"):
        Pm100d(scripted_session, counting_clock, name="meter", options=options)


@given(st.one_of(st.text(), st.lists(st.sampled_from(["S154C", "", "1", "33", '"', "1E9"])).map(",".join)))
def test_any_sensor_reply_is_parsed_or_refused_by_our_own_errors(text):
    with contextlib.suppress(InstrumentError):
        assert _sensor(Reply("meter", "SYST:SENS:IDN?", text)).flags >= 0
