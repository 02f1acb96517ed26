"""Keysight N77xx: the wire conversation of every method."""

from __future__ import annotations

import struct

import pytest

from drivers.errors import (
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    OutOfRangeError,
    OverloadError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.interfaces import PowerMeter
from drivers.keysight_n77xx import N7744C, N7745C

IDN = "Keysight Technologies,N7744C,MY1,V1.1"
OK = '+0,"No error"'


def block(data: bytes) -> bytes:
    return b"#2%02d" % len(data) + data + b"\n"


ORDER = struct.pack("<8H", 1, 1, 2, 1, 3, 1, 4, 1)
POWERS = struct.pack("<4f", 1e-3, 2e-3, -3e-12, 4e-3)


@pytest.fixture
def meter(wire, scripted_session, counting_clock):
    return N7744C(scripted_session, counting_clock, name="meter", options={})


def connect(wire, meter, order=ORDER):
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", '-113,"old"'), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")
    wire.expect(*[(f":SENS{n}:POW:ATIM?", "+1.0E-001") for n in range(1, 5)])
    wire.expect((":READ:POW:ALL:CONF?", block(order)))
    return meter.connect()


def settings_read_back(n, averaging):
    """Queries after the settings of a port, with what a meter answers that took them."""
    return [
        (f":INIT{n}:CONT?", "+0"),
        (f":SENS{n}:POW:UNIT?", "+1"),
        (f":SENS{n}:POW:RANG:AUTO?", "+1"),
        (f":SENS{n}:POW:WAV?", "+1.31000000E-006"),
        (f":SENS{n}:POW:ATIM?", f"+{averaging}"),
    ]


def configure(
    wire, meter, channels=(1, 2, 3, 4), averaging="0.5", wavelength="1310.0000", after_queries=True
):
    for turn, n in enumerate(channels):
        if turn or after_queries:
            wire.expect((":SYST:ERR?", OK))
        wire.expect_set(
            f":INIT{n}:CONT 0",
            f":SENS{n}:POW:UNIT 1",
            f":SENS{n}:POW:WAV {wavelength}NM",
            f":SENS{n}:POW:ATIM {averaging}S",
            f":SENS{n}:POW:RANG:AUTO 1",
        )
        wire.expect(*settings_read_back(n, averaging))
    meter.configure(wavelength_nm=1310.0, averaging_s=float(averaging), channels=channels)


def test_it_serves_the_role_and_making_it_sends_nothing(meter):
    assert isinstance(meter, PowerMeter)
    assert meter.channels == (1, 2, 3, 4)
    assert N7745C.port_count == 8


def test_connect(wire, meter):
    identity = connect(wire, meter)
    assert (identity.model, identity.firmware) == ("N7744C", "V1.1")
    assert meter.errors_at_connect == ((-113, "old"),)


def test_another_model_is_refused(wire, meter):
    wire.expect(("*IDN?", "Keysight Technologies,N7745C,MY1,V1.1"))
    with pytest.raises(WrongIdentityError, match=r"expected a Keysight N7744C, found.*N7745C"):
        meter.connect()


def test_ports_are_read_in_the_order_reported_whatever_their_channel_numbers(wire, meter):
    connect(wire, meter, order=struct.pack("<8H", 2, 7, 1, 7, 3, 0, 4, 0))
    configure(wire, meter)
    wire.expect((":READ:POW:ALL?", block(POWERS)))
    assert [reading.power_w for reading in meter.read_powers_w([1, 2])] == pytest.approx([2e-3, 1e-3])


@pytest.mark.parametrize("slots", [(1, 2, 3), (1, 2, 3, 3), (1, 2, 3, 5)])
def test_a_block_without_every_port_is_refused(wire, meter, slots):
    with pytest.raises(GarbledReplyError, match="block_reading"):
        connect(wire, meter, order=b"".join(struct.pack("<2H", slot, 1) for slot in slots))
    assert meter.session.dirty


def test_configure_and_read_all_in_one_round_trip(wire, meter):
    connect(wire, meter)
    configure(wire, meter)
    wire.expect((":READ:POW:ALL?", block(POWERS)))
    before = meter.session.round_trips
    readings = meter.read_powers_w([3, 1])
    assert meter.session.round_trips == before + 1
    assert [reading.channel for reading in readings] == [3, 1]
    assert [reading.power_w for reading in readings] == pytest.approx([-3e-12, 1e-3])
    assert wire.limits_ms[":READ:POW:ALL?"] == 4500  # 3 s and three averaging times


def test_port_by_port(wire, scripted_session, counting_clock):
    meter = N7744C(scripted_session, counting_clock, name="meter", options={"block_reading": False})
    configure(wire, meter, channels=(2,), after_queries=False)
    wire.expect((":READ2:POW?", "+1.33555600E-006"))
    assert meter.read_powers_w([2])[0].power_w == 1.335556e-6
    wire.expect((":READ2:POW?", "+3.40282300E+038"))
    with pytest.raises(OverloadError):
        meter.read_powers_w([2])


def test_overload_names_the_port_and_spares_the_others(wire, meter):
    connect(wire, meter)
    configure(wire, meter)
    overloaded = block(struct.pack("<4f", 1e-3, 3.40282e38, 0.0, 0.0))
    wire.expect((":READ:POW:ALL?", overloaded), (":READ:POW:ALL?", overloaded))
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(1e-3)
    with pytest.raises(OverloadError, match="port 2"):
        meter.read_powers_w([1, 2])


def test_short_block_is_partial_and_leaves_the_session_dirty(wire, meter):
    connect(wire, meter)
    configure(wire, meter)
    wire.expect((":READ:POW:ALL?", block(POWERS[:12])))
    with pytest.raises(PartialReplyError, match="12 bytes"):
        meter.read_powers_w([1])
    assert meter.session.dirty


@pytest.mark.parametrize(
    "change",
    [{"wavelength_nm": 850.0}, {"averaging_s": 20.0}, {"averaging_s": float("nan")}, {"channels": [5]}],
)
def test_out_of_range_is_refused_before_anything_is_sent(wire, meter, change):
    with pytest.raises(OutOfRangeError):
        meter.configure(**{"wavelength_nm": 1310.0, "averaging_s": 0.1, "channels": [1], **change})
    assert wire.sent == []


def test_reading_a_port_that_was_not_configured(wire, meter):
    with pytest.raises(InstrumentError, match="not configured"):
        meter.read_powers_w([1])
    with pytest.raises(OutOfRangeError):
        meter.read_powers_w([0])
    assert wire.sent == []


def test_a_refused_setting_names_the_command(wire, meter):
    wire.expect((":INIT1:CONT 0", None), (":SYST:ERR?", '-113,"Undefined header"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=":INIT1:CONT 0"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1, channels=[1])


@pytest.mark.parametrize(
    ("place", "reply"), [(0, "+1"), (1, "+0"), (2, "+0"), (3, "+1.55000000E-006"), (4, "+1.0E+000")]
)
def test_a_setting_that_reads_back_otherwise(wire, meter, place, reply):
    wire.expect_set(
        ":INIT1:CONT 0",
        ":SENS1:POW:UNIT 1",
        ":SENS1:POW:WAV 1310.0000NM",
        ":SENS1:POW:ATIM 0.1S",
        ":SENS1:POW:RANG:AUTO 1",
    )
    queries = settings_read_back(1, "0.1")
    wire.expect(*queries[:place], (queries[place][0], reply))
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1, channels=[1])
    assert meter.session.dirty


def ready(wire, scripted_session, counting_clock, block_reading):
    """A meter, and how to answer its next reading of port 1."""
    options = {"block_reading": block_reading}
    meter = N7744C(scripted_session, counting_clock, name="meter", options=options)
    if block_reading:
        connect(wire, meter)
    configure(wire, meter, channels=(1,), after_queries=block_reading)

    def answer(value):
        if block_reading:
            wire.expect((":READ:POW:ALL?", block(struct.pack("<4f", value, 1e-3, 1e-3, 1e-3))))
        else:
            wire.expect((":READ1:POW?", f"{value:+.8E}"))

    return meter, answer


@pytest.mark.parametrize("block_reading", [True, False])
@pytest.mark.parametrize(
    ("value", "error", "leaves_dirty"),
    [
        (9.91e37, InvalidReadingError, False),
        (3.40282e38, OverloadError, False),
        (-2.5, GarbledReplyError, True),  # -2.5 dBm: the unit did not take
        (0.9, GarbledReplyError, True),
        (0.1001, GarbledReplyError, True),
    ],
)
def test_values_that_are_no_power(
    wire, scripted_session, counting_clock, block_reading, value, error, leaves_dirty
):
    meter, answer = ready(wire, scripted_session, counting_clock, block_reading)
    answer(value)
    with pytest.raises(error, match="port 1"):
        meter.read_powers_w([1])
    assert meter.session.dirty is leaves_dirty


@pytest.mark.parametrize("block_reading", [True, False])
def test_too_little_light_reads_no_light(wire, scripted_session, counting_clock, block_reading):
    meter, answer = ready(wire, scripted_session, counting_clock, block_reading)
    answer(-3.40282e38)
    assert meter.read_powers_w([1])[0].power_w == 0.0
    answer(0.099)
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(0.099)


@pytest.mark.parametrize(
    ("value", "error"), [(float("inf"), OverloadError), (float("nan"), InvalidReadingError)]
)
def test_what_is_no_number_is_laid_to_its_own_port(wire, meter, value, error):
    connect(wire, meter)
    configure(wire, meter)
    answer = (":READ:POW:ALL?", block(struct.pack("<4f", 1e-3, value, 1e-3, float("-inf"))))
    wire.expect(answer, answer, answer)
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(1e-3)
    assert meter.read_powers_w([4])[0].power_w == 0.0
    with pytest.raises(error, match="port 2"):
        meter.read_powers_w([2])


def test_errors_that_this_family_leaves_behind_are_kept_and_not_raised(wire, meter):
    connect(wire, meter)
    wire.expect((":SYST:ERR?", '-231,"Data questionable"'))
    configure(wire, meter, channels=(1,))
    assert meter.session.errors_tolerated == ((-231, "Data questionable"),)


def test_zero(wire, meter):
    wire.expect((":SENS1:CORR:COLL:ZERO", None), ("*ESR?", "+0"), ("*OPC", None), ("*ESR?", "+1"))
    wire.expect((":SENS1:CORR:COLL:ZERO?", "+0"), (":SYST:ERR?", OK))
    meter.zero([1])


def test_zero_in_the_light_fails(wire, meter):
    wire.expect((":SENS1:CORR:COLL:ZERO", None), ("*ESR?", "+0"), ("*OPC", None), ("*ESR?", "+1"))
    wire.expect((":SENS1:CORR:COLL:ZERO?", "-1"))
    with pytest.raises(InstrumentError, match=r"zeroing of port 1 failed.*Cover"):
        meter.zero([1])


def test_making_safe_sends_nothing(wire, meter):
    assert meter.make_safe() == ()
    assert wire.sent == []
