"""Keysight N77xx: the wire conversation of every method."""

from __future__ import annotations

import struct

import pytest

from drivers.errors import (
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
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


def connect(wire, meter):
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", '-113,"old"'), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")
    wire.expect(*[(f":SENS{n}:POW:ATIM?", "+1.0E-001") for n in range(1, 5)])
    wire.expect((":READ:POW:ALL:CONF?", block(ORDER)))
    return meter.connect()


def configure(wire, meter, channels=(1, 2, 3, 4), averaging="0.5", wavelength="1310.0000"):
    for n in channels:
        wire.expect_set(
            f":INIT{n}:CONT 0",
            f":SENS{n}:POW:UNIT 1",
            f":SENS{n}:POW:WAV {wavelength}NM",
            f":SENS{n}:POW:ATIM {averaging}S",
            f":SENS{n}:POW:RANG:AUTO 1",
        )
        wire.expect((f":SENS{n}:POW:WAV?", "+1.31000000E-006"), (f":SENS{n}:POW:ATIM?", f"+{averaging}"))
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


def test_ports_in_another_order_are_refused(wire, meter):
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")
    wire.expect(*[(f":SENS{n}:POW:ATIM?", "+1.0E-001") for n in range(1, 5)])
    wire.expect((":READ:POW:ALL:CONF?", block(ORDER[4:] + ORDER[:4])))
    with pytest.raises(GarbledReplyError, match="block_reading"):
        meter.connect()


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
    configure(wire, meter, channels=(2,))
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


def test_short_block_is_partial(wire, meter):
    connect(wire, meter)
    configure(wire, meter)
    wire.expect((":READ:POW:ALL?", block(POWERS[:12])))
    with pytest.raises(PartialReplyError, match="12 bytes"):
        meter.read_powers_w([1])


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


def test_wavelength_that_reads_back_otherwise(wire, meter):
    wire.expect_set(
        ":INIT1:CONT 0",
        ":SENS1:POW:UNIT 1",
        ":SENS1:POW:WAV 1310.0000NM",
        ":SENS1:POW:ATIM 0.1S",
        ":SENS1:POW:RANG:AUTO 1",
    )
    wire.expect((":SENS1:POW:WAV?", "+1.55000000E-006"))
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1, channels=[1])


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
