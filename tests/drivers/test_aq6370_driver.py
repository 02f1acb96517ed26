"""Yokogawa AQ6370D: the wire conversation of every method."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.interfaces import Spectrum, SpectrumAnalyser
from drivers.replies import Reply, float64_values
from drivers.scpi import ScpiSession
from drivers.yokogawa_aq6370 import AQ6370D, _laser_line

IDN = "YOKOGAWA,AQ6370D,91P0,02.01"
OK = '0,"No error"'
NOW = ":STAT:OPER:EVEN?"

WAVELENGTHS_NM = [1309.0 + 0.1 * place for place in range(21)]
POWERS_DBM = [-75.0] * 21
POWERS_DBM[10], POWERS_DBM[19] = -3.0, -48.0
SPECTRUM = Spectrum(WAVELENGTHS_NM, POWERS_DBM, 0.05)
DFB = "+1.2E-010,+1.3100E-006,-3.00E+000,+9.0E-010,+4.50E+001"


@pytest.fixture
def osa(wire, scripted_session, counting_clock):
    wire.resource_name = "GPIB0::1::INSTR"
    return AQ6370D(scripted_session, counting_clock, name="osa", options={})


def expect_set(wire, *commands):
    wire.expect(*[line for command in commands for line in ((command, None), (":SYST:ERR?", OK))])


def connect(wire, osa):
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    expect_set(wire, "*CLS")
    return osa.connect()


SETTINGS = [
    ":ABOR",
    ":CAL:ZERO OFF",
    ":INIT:SMOD SING",
    ":SENS:WAV:CENT 1310.000NM",
    ":SENS:WAV:SPAN 2.0NM",
    ":SENS:BAND:RES 0.05NM",
    ":SENS:SENS MID",
    ":SENS:SWE:POIN:AUTO ON",
    ":SENS:CORR:RVEL:MED VAC",
    ":TRAC:ACT TRA",
    ":TRAC:ATTR:TRA WRIT",
    ":DISP:TRAC:Y1:SPAC LOG",
    ":DISP:TRAC:Y1:UNIT DBM",
]
READ_BACK = [
    (":CAL:ZERO?", "0"),
    (":INIT:SMOD?", "1"),
    (":SENS:WAV:CENT?", "+1.31000000E-006"),
    (":SENS:WAV:SPAN?", "+2.00000000E-009"),
    (":SENS:BAND:RES?", "+5.00000000E-011"),
    (":SENS:SENS?", "2"),
    (":SENS:SWE:POIN:AUTO?", "1"),
    (":SENS:CORR:RVEL:MED?", "1"),
    (":TRAC:ACT?", "TRA"),
    (":TRAC:ATTR:TRA?", "0"),
    (":DISP:TRAC:Y1:SPAC?", "0"),
    (":DISP:TRAC:Y1:UNIT?", "0"),
]


UNSHIFT = [":SENS:CORR:LEV:SHIF 0DB", ":SENS:CORR:WAV:SHIF 0NM"]
UNSHIFTED = [(":SENS:CORR:LEV:SHIF?", "+0.00E+000"), (":SENS:CORR:WAV:SHIF?", "+0.00E+000")]


def configure(wire, osa, form="ASC", read_back="ASCII", automatic_offset=False):
    turned_off = 0 if automatic_offset else 1
    expect_set(wire, SETTINGS[0], *SETTINGS[2 - turned_off :], f":FORM:DATA {form}", *UNSHIFT)
    wire.expect(*READ_BACK[1 - turned_off :], (":FORM:DATA?", read_back), *UNSHIFTED)
    osa.configure(centre_nm=1310.0, span_nm=2.0, resolution_nm=0.05)


def expect_offset(wire):
    wire.expect((":CAL:ZERO ONCE", None), ("*ESR?", "0"), ("*OPC", None), ("*ESR?", "1"), (":SYST:ERR?", OK))


def expect_sweep(wire, *, offset, polls=("0", "1"), wavelengths=None, powers=None):
    if offset:
        expect_offset(wire)
    wire.expect((NOW, "1"), (":SYST:ERR?", OK))
    expect_set(wire, ":INIT")
    wire.expect(*[(NOW, reply) for reply in polls])
    wire.expect((":SYST:ERR?", OK), (":TRAC:DATA:SNUM? TRA", "21"))
    if wavelengths is None:
        wavelengths = ",".join(f"{wavelength_nm * 1e-9:+.8E}" for wavelength_nm in WAVELENGTHS_NM)
    wire.expect((":TRAC:X? TRA", wavelengths))
    if powers is None:
        powers = ",".join(f"{power_dbm:+.8E}" for power_dbm in POWERS_DBM)
    wire.expect((":TRAC:Y? TRA", powers))


def test_it_serves_the_role_and_making_it_sends_nothing(wire, osa):
    assert isinstance(osa, SpectrumAnalyser)
    assert wire.sent == []


def test_connect_without_login(wire, osa):
    assert connect(wire, osa).model == "AQ6370D"
    assert wire.limits_ms["*IDN?"] == 45_000  # it may be in its automatic offset when it is met
    assert wire.limits_ms["*CLS"] == 45_000  # the automatic offset may stall it for half a minute


def test_connect_on_a_raw_socket_logs_in_once(wire, osa):
    wire.resource_name = "TCPIP0::osa::10001::SOCKET"
    wire.expect(('OPEN "anonymous"', "AUTHENTICATE CRAM-MD5.\r"), (" ", "ready\r"))
    connect(wire, osa)
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    expect_set(wire, "*CLS")
    osa.connect()


@pytest.mark.parametrize(
    "answers",
    [["HTTP/1.1 400 Bad Request"], ["AUTHENTICATE CRAM-MD5.", "NG"], ["AUTHENTICATE CRAM-MD5.", ""]],
)
def test_a_refused_login(wire, osa, answers):
    wire.resource_name = "TCPIP0::osa::10001::SOCKET"
    wire.expect(*zip(['OPEN "anonymous"', " "], answers, strict=False))
    with pytest.raises(ConnectionFailedError, match=r"login is refused.*anonymous"):
        osa.connect()
    assert osa.session.dirty


@pytest.mark.parametrize("address", ["GPIB0::1::INSTR", "TCPIP0::osa::10001::SOCKET"])
@pytest.mark.parametrize(("limit_s", "said"), [(None, "longer than an automatic offset"), (3.0, "try again")])
def test_a_silent_analyser(wire, osa, no_reply, address, limit_s, said):
    wire.resource_name = address
    first = 'OPEN "anonymous"' if address.endswith("SOCKET") else "*IDN?"
    wire.expect((first, no_reply))
    osa.first_contact_limit_s = limit_s or osa.first_contact_limit_s
    with pytest.raises(ConnectionFailedError, match=f"within {limit_s or 45:g} s.*{said}"):
        osa.connect()
    assert wire.limits_ms[first] == 1_000 * (limit_s or 45)


def test_an_analyser_in_its_automatic_offset_is_waited_for(wire, osa, no_reply):
    osa.first_contact_limit_s = 3.0
    wire.expect(("*IDN?", no_reply))
    with pytest.raises(ConnectionFailedError, match="automatic offset"):
        osa.connect()
    del osa.first_contact_limit_s
    wire.expect_resynchronisation(IDN, no_error=OK)
    connect(wire, osa)


def test_after_the_login_it_may_stall(wire, osa, no_reply):
    wire.resource_name = "TCPIP0::osa::10001::SOCKET"
    wire.expect(('OPEN "anonymous"', "AUTHENTICATE CRAM-MD5."), (" ", "ready"), ("*IDN?", no_reply))
    with pytest.raises(ConnectionFailedError):
        osa.connect()
    assert wire.limits_ms["*IDN?"] == 45_000


def test_corrections_are_left_alone_by_option(wire, scripted_session, counting_clock):
    wire.resource_name = "GPIB0::1::INSTR"
    osa = AQ6370D(scripted_session, counting_clock, name="osa", options={"neutral_corrections": False})
    expect_set(wire, *SETTINGS, ":FORM:DATA ASC")
    wire.expect(*READ_BACK, (":FORM:DATA?", "ASCII"))
    osa.configure(centre_nm=1310.0, span_nm=2.0, resolution_nm=0.05)


def test_automatic_offset_by_option(wire, scripted_session, counting_clock):
    wire.resource_name = "GPIB0::1::INSTR"
    osa = AQ6370D(scripted_session, counting_clock, name="osa", options={"automatic_offset": True})
    wire.expect(("*IDN?", IDN), (":SYST:ERR?", OK))
    expect_set(wire, "*CLS")
    osa.connect()
    configure(wire, osa, automatic_offset=True)
    expect_sweep(wire, offset=False)
    osa.sweep()


def test_another_model_is_refused(wire, osa):
    wire.expect(("*IDN?", "YOKOGAWA,AQ6380,91P0,02.01"))
    with pytest.raises(WrongIdentityError, match="expected a Yokogawa AQ6370D"):
        osa.connect()


def test_configure(wire, osa):
    connect(wire, osa)
    configure(wire, osa)


def test_configure_reads_words_back_too(wire, osa):
    expect_set(wire, *SETTINGS, ":FORM:DATA ASC", *UNSHIFT)
    words = ["OFF", "SINGLE", None, None, None, "MID", "ON", "VACuum", "TRA", "WRIT", "LOG", '"DBM"']
    wire.expect(
        *[(query, word or reply) for (query, reply), word in zip(READ_BACK, words, strict=True)],
        (":FORM:DATA?", "ASC"),
        *UNSHIFTED,
    )
    osa.configure(centre_nm=1310.0, span_nm=2.0, resolution_nm=0.05)


@pytest.mark.parametrize("wrong", range(len(READ_BACK) + 3))
def test_a_setting_that_reads_back_otherwise(wire, osa, wrong):
    expect_set(wire, *SETTINGS, ":FORM:DATA ASC", *UNSHIFT)
    replies = [*READ_BACK, (":FORM:DATA?", "ASCII"), *UNSHIFTED]
    wire.expect(*replies[:wrong], (replies[wrong][0], "3"))
    with pytest.raises(GarbledReplyError, match=r"was set|were set"):
        osa.configure(centre_nm=1310.0, span_nm=2.0, resolution_nm=0.05)
    with pytest.raises(InstrumentError, match="not configured"):
        osa.sweep()


@pytest.mark.parametrize(
    "change",
    [
        {"centre_nm": 1.31e-6},
        {"centre_nm": 1800.0},
        {"span_nm": 0.0},
        {"span_nm": 1200.0},
        {"resolution_nm": 0.06},
        {"resolution_nm": float("nan")},
    ],
)
def test_out_of_range_is_refused_before_anything_is_sent(wire, osa, change):
    with pytest.raises(OutOfRangeError):
        osa.configure(**{"centre_nm": 1310.0, "span_nm": 2.0, "resolution_nm": 0.05, **change})
    assert wire.sent == []


@pytest.mark.parametrize(
    "options",
    [
        {"sensitivity": "HIGHEST"},
        {"sensitivity": 2},
        {"binary_traces": 1},
        {"offset_interval_s": 0.0},
        {"sweep_limit_s": -1.0},
    ],
)
def test_options_that_make_no_sense(scripted_session, counting_clock, options):
    (name,) = options
    with pytest.raises(BenchError, match=name):
        AQ6370D(scripted_session, counting_clock, name="osa", options=options)


def test_a_refused_setting_names_the_command(wire, osa):
    wire.expect((":ABOR", None), (":SYST:ERR?", '-113,"Undefined header"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=":ABOR"):
        osa.configure(centre_nm=1310.0, span_nm=2.0, resolution_nm=0.05)


def test_sweep_takes_the_offset_when_it_is_due(wire, osa, counting_clock):
    connect(wire, osa)
    configure(wire, osa)
    expect_sweep(wire, offset=True)
    spectrum = osa.sweep()
    assert spectrum.wavelengths_nm == pytest.approx(WAVELENGTHS_NM)
    assert spectrum.powers_dbm == pytest.approx(POWERS_DBM)
    assert spectrum.resolution_nm == 0.05
    expect_sweep(wire, offset=False, polls=["1"])
    osa.sweep()
    counting_clock.sleep(600.0)
    expect_sweep(wire, offset=True, polls=["1"])
    osa.sweep()


def test_sweep_of_binary_traces(wire, scripted_session, counting_clock):
    wire.resource_name = "GPIB0::1::INSTR"
    osa = AQ6370D(scripted_session, counting_clock, name="osa", options={"binary_traces": True})
    configure(wire, osa, form="REAL,64", read_back="REAL,64")

    def block(values, count=21):
        return b"#3%03d" % (8 * count) + struct.pack(f"<{count}d", *values[:count]) + b"\n"

    in_metres = [wavelength_nm * 1e-9 for wavelength_nm in WAVELENGTHS_NM]
    expect_sweep(wire, offset=True, wavelengths=block(in_metres), powers=block(POWERS_DBM))
    assert osa.sweep().powers_dbm == tuple(POWERS_DBM)
    expect_sweep(wire, offset=False, wavelengths=block(in_metres, 20))
    del wire.script[-1]
    with pytest.raises(PartialReplyError):
        osa.sweep()
    assert osa.session.dirty


def rising(first_nm, step_nm):
    return ",".join(f"{(first_nm + step_nm * place) * 1e-9:.9E}" for place in range(21))


@pytest.mark.parametrize(
    "wavelengths",
    [
        rising(1550.0, 0.1),
        rising(1311.0, -0.1),
        rising(1309.0, 0.0),
        rising(1308.0, 0.2),
        rising(1.3e12, 1e8),
    ],
)
def test_wavelengths_that_are_no_sweep(wire, osa, wavelengths):
    configure(wire, osa)
    expect_sweep(wire, offset=True, wavelengths=wavelengths)
    with pytest.raises(GarbledReplyError, match=r"no sweep of 1309 to 1311 nm"):
        osa.sweep()
    assert osa.session.dirty


@pytest.mark.parametrize("level", ["+1.0E+002", "-3.0E+002"])
def test_levels_that_are_no_dbm(wire, osa, level):
    configure(wire, osa)
    expect_sweep(wire, offset=True, powers=",".join(["-60.0"] * 20 + [level]))
    with pytest.raises(GarbledReplyError, match="levels in dBm"):
        osa.sweep()


def test_a_sweep_that_does_not_end_is_aborted(wire, scripted_session, counting_clock):
    wire.resource_name = "GPIB0::1::INSTR"
    osa = AQ6370D(scripted_session, counting_clock, name="osa", options={"sweep_limit_s": 1.0})
    configure(wire, osa)
    expect_offset(wire)
    wire.expect((NOW, "0"), (":SYST:ERR?", OK))
    expect_set(wire, ":INIT")
    wire.expect(*[(NOW, "0")] * 6, (":ABOR", None))
    with pytest.raises(NotSettledError, match="not complete after 1 s"):
        osa.sweep()


def test_sweep_before_configuring(wire, osa):
    with pytest.raises(InstrumentError, match="not configured"):
        osa.sweep()
    assert wire.sent == []


def test_laser_line(wire, osa):
    configure(wire, osa)
    expect_sweep(wire, offset=True)
    wire.expect((":SYST:ERR?", OK))
    expect_set(wire, ":CALC:CAT DFBL", ":CALC:PAR:DFBL SMSR,SMOD,SMSR1", ":CALC:PAR:DFBL SMSR,SMAS,0NM")
    wire.expect((":CALC:PAR:DFBL? SMSR,SMOD", "SMSR1"), (":CALC:PAR:DFBL? SMSR,SMAS", "+0.0E+000"))
    wire.expect((":SYST:ERR?", OK))
    expect_set(wire, ":CALC")
    wire.expect((":CALC:DATA?", DFB))
    line = osa.laser_line()
    assert (line.wavelength_nm, line.power_dbm, line.smsr_db) == pytest.approx((1310.0, -3.0, 45.0))


def laser_line_of(text, spectrum=SPECTRUM):
    distrusted = []
    line = _laser_line(Reply("osa", ":CALC:DATA?", text, lambda: distrusted.append(True)), spectrum)
    assert distrusted == []
    return line


def test_laser_line_of_twelve_fields():
    left, right = "+6.2E+001,+4.5E+001", "-8.0E-010,+9.0E-010"
    text = f"+1.31E-006,-3.0,+1.31E-006,+1.2E-010,{left},{right},+7.0E+001,-2.9,+1E-11,+2E-11"
    assert laser_line_of(text).smsr_db == 45.0


def test_a_side_mode_in_the_noise_is_none():
    powers_dbm = [*POWERS_DBM[:19], -68.0, -75.0]
    noisy = Spectrum(WAVELENGTHS_NM, powers_dbm, 0.05)
    assert laser_line_of("1.2E-10,1.31E-06,-3,9E-10,65", noisy).smsr_db is None
    assert laser_line_of("1.2E-10,1.31E-06,-3,0,0").smsr_db is None


@pytest.mark.parametrize(
    "text",
    [
        "1.31E-06,-3,9E-10,45,1.2E-10",  # another order
        "1.2E-10,1.55E-06,-3,9E-10,45",  # outside of the sweep
        "1.2E-10,1.3099E-06,-75,9E-10,45",  # not the highest
        "1.2E-10,1.3102E-06,-3,9E-10,45",
        "1.2E-10,1.31E-06,-8,9E-10,45",  # another level
        "1.2E-10,1.31E-06,-3,9E-10,30",  # no such side mode
        "1.2E-10,1.31E-06,-3,9E-09,45",
        "1.2E-10,1.31E-06,-3,9E-10,-45",
        "1.2E-10,1.31E-06,-3,9E-10",
        "1.2E-10,1.31E-06,-3,9E-10,",
        "1.2E-10,1.31E-06,-3,9E-10,9.91E+37",
        "",
    ],
)
def test_an_analysis_that_is_not_of_the_trace(text):
    with pytest.raises(InstrumentError):
        laser_line_of(text)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:.6E}"),
    st.sampled_from(["1.31E-06", "-3", "45", "9E-10", "0", "", "9.91E+37", '"x"']),
)


@settings(max_examples=150)
@given(
    st.one_of(
        st.lists(NUMBERS, min_size=4, max_size=13).map(",".join),
        st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=255)),
    )
)
def test_whatever_the_analysis_answers_is_a_line_of_the_trace_or_our_error(text):
    try:
        line = _laser_line(Reply("osa", ":CALC:DATA?", text), SPECTRUM)
    except InstrumentError:
        return
    assert line.wavelength_nm == pytest.approx(1310.0, abs=0.2)
    assert line.power_dbm == pytest.approx(-3.0, abs=1.0)


@given(data=st.binary(max_size=100), count=st.integers(0, 12))
def test_whatever_is_in_a_block_is_as_many_numbers_or_our_error(data, count):
    try:
        values = float64_values("osa", ":TRAC:Y? TRA", data, count)
    except (GarbledReplyError, PartialReplyError):
        assert len(data) != 8 * count
        return
    assert struct.pack(f"<{count}d", *values) == data


LINES = st.one_of(
    st.lists(NUMBERS, min_size=2, max_size=4).map(",".join),
    st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\n"), max_size=30),
    st.just("1.3095E-06,1.31E-06,1.3105E-06"),
    st.just("-60,-3,-60"),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.sampled_from(["3", "2", "-1", "60000", "x"]), wavelengths=LINES, powers=LINES)
def test_whatever_a_trace_is_read_as_is_a_sweep_or_our_error(
    wire, counting_clock, count, wavelengths, powers
):
    wire.resource_name = "GPIB0::1::INSTR"
    wire.script.clear()
    osa = AQ6370D(ScpiSession(wire, counting_clock, name="osa"), counting_clock, name="osa")
    wire.expect((":TRAC:DATA:SNUM? TRA", count))
    wire.expect((":TRAC:X? TRA", f"{wavelengths}\n".encode("latin-1")))
    wire.expect((":TRAC:Y? TRA", f"{powers}\n".encode("latin-1")))
    try:
        spectrum = osa._trace(1309.0, 1311.0)
    except InstrumentError:
        wire.script.clear()
        return
    assert list(spectrum.wavelengths_nm) == sorted(set(spectrum.wavelengths_nm))
    assert len(spectrum.wavelengths_nm) == len(spectrum.powers_dbm) == int(count)


def test_calibrate_offset_that_is_refused(wire, osa):
    wire.expect((":CAL:ZERO ONCE", None), ("*ESR?", "0"), ("*OPC", None), ("*ESR?", "1"))
    wire.expect((":SYST:ERR?", '-221,"Settings conflict"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=":CAL:ZERO ONCE"):
        osa.calibrate_offset()


def test_making_safe_sends_nothing(wire, osa):
    assert osa.make_safe() == ()
    assert wire.sent == []
