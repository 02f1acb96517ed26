"""Keysight 816x mainframes: the wire conversation of every method."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import (
    BenchError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NoReplyError,
    OutOfRangeError,
    OverloadError,
    PartialReplyError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.interfaces import Identity, PowerMeter
from drivers.keysight_816x import SENSOR_MODULES, Keysight8163, Keysight8164
from drivers.scpi import ScpiSession

IDN = "Agilent Technologies,8163B,DE1,V5.25"
IDN_8164 = "HEWLETT-PACKARD,HP8164A,DE2,V4.02"
OK = '+0,"No error"'
DUAL = "HEWLETT-PACKARD, 81635A,DE3,07-Aug-98"
SINGLE = "Agilent Technologies, 81630B,DE4,V4.02"
LASER = "Agilent Technologies, 81657A,DE5,V4.02"
FLT_MAX = 3.40282e38


def block(data):
    return b"#2%02d" % len(data) + data + b"\n"


def order(*pairs):
    return block(struct.pack(f"<{2 * len(pairs)}H", *(number for pair in pairs for number in pair)))


def powers(*values):
    return block(struct.pack(f"<{len(values)}f", *values))


FOUR = order((1, 1), (1, 2), (2, 1), (2, 2))


@pytest.fixture
def make(scripted_session, counting_clock):
    def meter(driver=Keysight8163, **options):
        return driver(scripted_session, counting_clock, name="meter", options=options)

    return meter


def wavelengths(place, low="+8.00000000E-007", high="+1.65000000E-006"):
    return [(f":SENS{place}:POW:WAV? MIN", low), (f":SENS{place}:POW:WAV? MAX", high)]


def averaging(*slots):
    return [(f":SENS{slot}:CHAN1:POW:ATIM?", "+2.00000000E-001") for slot in slots]


def greet(wire, identity=IDN):
    wire.expect(("*IDN?", identity), (":SYST:ERR?", OK))
    wire.expect_set("*CLS")


def connect(wire, meter, *, config=FOUR):
    """Two dual sensors in an 8163B."""
    greet(wire)
    for slot in (1, 2):
        wire.expect((f":SLOT{slot}:EMPT?", "0"), (f":SLOT{slot}:IDN?", DUAL))
    for place in ("1:CHAN1", "1:CHAN2", "2:CHAN1", "2:CHAN2"):
        wire.expect(*wavelengths(place))
    if config is not None:
        wire.expect((":READ1:POW:ALL:CONF?", config))
    wire.expect(*averaging(1, 2))
    return meter.connect()


def set_one(wire, place, *, master):
    """What configuring a channel sends at 1310 nm and 0.5 s."""
    module = place[0] + ":CHAN1"
    own = [f":SENS{place}:POW:UNIT 1", f":SENS{place}:POW:WAV 1310.0000NM"]
    if not master:
        wire.expect_set(*own)
        wire.expect((f":SENS{place}:POW:UNIT?", "+1"), (f":SENS{place}:POW:WAV?", "+1.31000000E-006"))
        return
    wire.expect_set(
        f":INIT{module}:CONT 0", *own, f":SENS{module}:POW:ATIM 0.5S", f":SENS{module}:POW:RANG:AUTO 1"
    )
    wire.expect(
        (f":INIT{module}:CONT?", "0"),
        (f":SENS{place}:POW:UNIT?", "+1"),
        (f":SENS{module}:POW:RANG:AUTO?", "+1"),
        (f":SENS{place}:POW:WAV?", "+1.31000000E-006"),
        (f":SENS{module}:POW:ATIM?", "+5.00000000E-001"),
    )


def configure(wire, meter, *steps):
    """``steps``: (channel, place, master)."""
    for _, place, master in steps:
        wire.expect((":SYST:ERR?", OK))  # the queries before may have left something
        set_one(wire, place, master=master)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.5, channels=[step[0] for step in steps])


ALL = [(1, "1:CHAN1", True), (2, "1:CHAN2", False), (3, "2:CHAN1", True), (4, "2:CHAN2", False)]


def test_it_serves_the_role_and_has_no_channels_until_it_knows_its_sensors(wire, make):
    meter = make()
    assert isinstance(meter, PowerMeter)
    assert meter.channels == ()
    assert meter.range_dbm == (-70.0, 10.0)
    with pytest.raises(OutOfRangeError, match="not known yet"):
        meter.read_powers_w([1])
    with pytest.raises(InstrumentError, match="not connected"):
        _ = meter.sensors
    assert make(sensors=["1.1", "2.1"]).channels == (1, 2)
    assert wire.sent == []


def test_connect_finds_the_sensors_of_all_slots(wire, make):
    meter = make()
    assert connect(wire, meter).model == "8163B"
    assert meter.channels == (1, 2, 3, 4)
    assert [(sensor.slot, sensor.channel) for sensor in meter.sensors] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert meter.sensors[1].module == Identity("HEWLETT-PACKARD", "81635A", "DE3", "07-Aug-98")
    assert meter.sensors[1].wavelengths_nm == (800.0, 1650.0)
    assert meter.range_dbm == (-80.0, 10.0)


def test_connect_passes_by_what_is_no_power_sensor(wire, make):
    meter = make(Keysight8164)
    greet(wire, IDN_8164)
    wire.expect((":SLOT1:EMPT?", "+1"), (":SLOT2:EMPT?", "+0"), (":SLOT2:IDN?", LASER))
    wire.expect((":SLOT3:EMPT?", "0"), (":SLOT3:IDN?", SINGLE), (":SLOT4:EMPT?", "1"))
    wire.expect(*wavelengths("3:CHAN1", "+9.70000000E-007"))
    wire.expect((":READ3:POW:ALL:CONF?", order((3, 1))), *averaging(3))
    meter.connect()
    assert meter.channels == (1,)
    assert meter.range_dbm == SENSOR_MODULES["81630B"].range_dbm


def test_the_bench_file_numbers_sensors_and_only_their_slots_are_looked_into(wire, make):
    meter = make(Keysight8164, sensors=["2.2", "1.1"])
    greet(wire, IDN_8164)
    wire.expect((":SLOT1:EMPT?", "0"), (":SLOT1:IDN?", SINGLE), (":SLOT2:EMPT?", "0"), (":SLOT2:IDN?", DUAL))
    wire.expect(*wavelengths("2:CHAN2"), *wavelengths("1:CHAN1"))
    # Slot 4 has a sensor that nobody asked for: it is read with the others, and takes its time.
    wire.expect((":READ2:POW:ALL:CONF?", order((1, 1), (2, 1), (2, 2), (4, 1))), *averaging(1, 2))
    wire.expect((":SENS4:CHAN1:POW:ATIM?", "+1.00000000E+001"))
    meter.connect()
    configure(wire, meter, (1, "2:CHAN2", True), (2, "1:CHAN1", True))
    wire.expect((":READ2:POW:ALL?", powers(1e-3, 2e-3, 3e-3, 4e-3)))
    first, second = meter.read_powers_w([1, 2])
    assert (first.power_w, second.power_w) == pytest.approx((3e-3, 1e-3))
    assert wire.limits_ms[":READ2:POW:ALL?"] == 3000 + 3 * (500 + 500 + 10000)


def test_four_channels_are_one_round_trip(wire, make):
    meter = make()
    connect(wire, meter)
    configure(wire, meter, *ALL)
    wire.expect((":READ1:POW:ALL?", powers(1e-3, 2e-3, -3e-12, 4e-3)))
    before = meter.session.round_trips
    readings = meter.read_powers_w([3, 1, 2, 4])
    assert meter.session.round_trips == before + 1
    assert [reading.channel for reading in readings] == [3, 1, 2, 4]
    assert [reading.power_w for reading in readings] == pytest.approx([-3e-12, 1e-3, 2e-3, 4e-3])
    assert wire.limits_ms[":READ1:POW:ALL?"] == 6000  # 3 s, and three averaging times of two modules


def test_without_the_block_masters_are_read_and_slaves_fetched(wire, make):
    meter = make(block_reading=False)
    connect(wire, meter, config=None)
    configure(wire, meter, *ALL)
    wire.expect((":READ2:CHAN1:POW?", "+2.10000000E-003"), (":FETC2:CHAN2:POW?", "+2.20000000E-003"))
    wire.expect((":READ1:CHAN1:POW?", "+1.10000000E-003"), (":FETC1:CHAN2:POW?", "+1.20000000E-003"))
    before = meter.session.round_trips
    readings = meter.read_powers_w([3, 4, 1, 2])
    assert meter.session.round_trips == before + 4
    assert [(reading.channel, reading.power_w) for reading in readings] == [
        (3, 2.1e-3),
        (4, 2.2e-3),
        (1, 1.1e-3),
        (2, 1.2e-3),
    ]
    assert wire.limits_ms[":READ2:CHAN1:POW?"] == 4500


def test_without_the_block_a_slave_alone_is_triggered_by_its_master_whose_light_does_not_matter(wire, make):
    meter = make(block_reading=False)
    connect(wire, meter, config=None)
    configure(wire, meter, (2, "1:CHAN2", True))
    wire.expect((":READ1:CHAN1:POW?", "+3.40282300E+038"), (":FETC1:CHAN2:POW?", "-3.40282300E+038"))
    assert meter.read_powers_w([2])[0].power_w == 0.0
    wire.expect((":READ1:CHAN1:POW?", "+1.0E-003"), (":FETC1:CHAN2:POW?", "+3.40282300E+038"))
    with pytest.raises(OverloadError, match=r"port 2 \(sensor 1\.2\).*at most 10 dBm"):
        meter.read_powers_w([2])


@pytest.mark.parametrize("answer", ["+1.00000000E+009", "-1.00000000E+000"])
def test_an_averaging_time_that_is_none_is_not_waited_for(wire, make, answer):
    greet(wire)
    for slot in (1, 2):
        wire.expect((f":SLOT{slot}:EMPT?", "0"), (f":SLOT{slot}:IDN?", DUAL))
    for place in ("1:CHAN1", "1:CHAN2", "2:CHAN1", "2:CHAN2"):
        wire.expect(*wavelengths(place))
    wire.expect((":READ1:POW:ALL:CONF?", FOUR), (":SENS1:CHAN1:POW:ATIM?", answer))
    with pytest.raises(GarbledReplyError, match="the reply is no averaging time"):
        make().connect()


@pytest.mark.parametrize(
    ("value", "error"),
    [(FLT_MAX, OverloadError), (9.91e37, InvalidReadingError), (float("nan"), InvalidReadingError)],
)
def test_what_is_no_power_is_laid_to_its_own_channel(wire, make, value, error):
    meter = make()
    connect(wire, meter)
    configure(wire, meter, *ALL)
    answer = (":READ1:POW:ALL?", powers(1e-3, value, 1e-3, -FLT_MAX))
    wire.expect(answer, answer)
    assert [reading.power_w for reading in meter.read_powers_w([1, 4])] == pytest.approx([1e-3, 0.0])
    with pytest.raises(error, match=r"port 2 \(sensor 1\.2\)"):
        meter.read_powers_w([2])
    assert not meter.session.dirty


@pytest.mark.parametrize(("module", "refused_w"), [(DUAL, 0.11), (SINGLE, 2.1)])
def test_a_power_that_nothing_survives_is_none(wire, make, module, refused_w):
    meter = make(sensors=["1.1"], block_reading=False)
    greet(wire)
    wire.expect((":SLOT1:EMPT?", "0"), (":SLOT1:IDN?", module), *wavelengths("1:CHAN1"), *averaging(1))
    meter.connect()
    configure(wire, meter, (1, "1:CHAN1", True))
    wire.expect((":READ1:CHAN1:POW?", f"{refused_w * 0.9:.8E}"), (":READ1:CHAN1:POW?", f"-{refused_w:.8E}"))
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(refused_w * 0.9)
    with pytest.raises(GarbledReplyError, match="no power that it can measure"):
        meter.read_powers_w([1])
    assert meter.session.dirty


def test_a_short_block_is_partial(wire, make):
    meter = make()
    connect(wire, meter)
    configure(wire, meter, *ALL)
    wire.expect((":READ1:POW:ALL?", powers(1e-3, 1e-3)))
    with pytest.raises(PartialReplyError, match="8 bytes"):
        meter.read_powers_w([1])
    assert meter.session.dirty


@pytest.mark.parametrize("pairs", [[(1, 1), (1, 2), (2, 1)], [(1, 1), (1, 2), (2, 1), (2, 2), (2, 2)]])
def test_a_block_without_every_sensor_once_is_refused(wire, make, pairs):
    meter = make()
    greet(wire)
    for slot in (1, 2):
        wire.expect((f":SLOT{slot}:EMPT?", "0"), (f":SLOT{slot}:IDN?", DUAL))
    for place in ("1:CHAN1", "1:CHAN2", "2:CHAN1", "2:CHAN2"):
        wire.expect(*wavelengths(place))
    wire.expect((":READ1:POW:ALL:CONF?", order(*pairs)))
    with pytest.raises(GarbledReplyError, match=r"every sensor once.*block_reading"):
        meter.connect()
    assert meter.session.dirty


def test_firmware_that_does_not_know_the_block(wire, make, no_reply):
    meter = make(sensors=["1.1"])
    greet(wire)
    wire.expect((":SLOT1:EMPT?", "0"), (":SLOT1:IDN?", SINGLE), *wavelengths("1:CHAN1"))
    wire.expect((":READ1:POW:ALL:CONF?", no_reply))
    with pytest.raises(NoReplyError, match=r"too old.*block_reading = false"):
        meter.connect()


def test_another_model_is_refused(wire, make):
    wire.expect(("*IDN?", IDN_8164))
    with pytest.raises(WrongIdentityError, match=r"expected a Keysight 8163B, found.*8164A"):
        make().connect()


def test_a_stated_slot_that_is_empty(wire, make):
    greet(wire)
    wire.expect((":SLOT2:EMPT?", "+1"))
    with pytest.raises(InstrumentError, match="slot 2 is empty"):
        make(sensors=["2.1"]).connect()


@pytest.mark.parametrize(("sensor", "module"), [("1.1", LASER), ("1.2", SINGLE)])
def test_a_stated_sensor_that_its_module_has_not(wire, make, sensor, module):
    greet(wire)
    wire.expect((":SLOT1:EMPT?", "0"), (":SLOT1:IDN?", module))
    with pytest.raises(UnsupportedError, match="in slot 1 has no channel"):
        make(sensors=[sensor]).connect()


def test_a_mainframe_without_power_sensors(wire, make):
    greet(wire)
    wire.expect((":SLOT1:EMPT?", "1"), (":SLOT2:EMPT?", "0"), (":SLOT2:IDN?", LASER))
    with pytest.raises(UnsupportedError, match=r"no power sensor.*81657A in slot 2"):
        make().connect()


def test_wavelength_limits_that_are_none(wire, make):
    greet(wire)
    wire.expect((":SLOT1:EMPT?", "0"), (":SLOT1:IDN?", SINGLE), *wavelengths("1:CHAN1", high="+8.0E-007"))
    with pytest.raises(GarbledReplyError, match="no upper limit to 800 nm"):
        make(sensors=["1.1"]).connect()


@pytest.mark.parametrize(
    "sensors",
    [["1"], ["1.1", "1.1"], ["3.1"], ["0.1"], ["1.3"], [1.1], [["1.1"]], ["1.1 "], ["11.1"], "1.1", ["١.1"]],
)
def test_options_that_make_no_sense_are_refused_at_once(wire, make, sensors):
    with pytest.raises(BenchError, match="sensors"):
        make(sensors=sensors)
    assert wire.sent == []


def test_the_averaging_time_of_a_module_is_set_once_whichever_of_its_channels_come_first(wire, make):
    meter = make()
    connect(wire, meter)
    configure(wire, meter, (2, "1:CHAN2", True), (1, "1:CHAN1", False))
    with pytest.raises(InstrumentError, match=r"port 3 \(sensor 2\.1\) is not configured"):
        meter.read_powers_w([1, 2, 3])


@pytest.mark.parametrize(
    "change",
    [
        {"wavelength_nm": 799.0},
        {"wavelength_nm": float("nan")},
        {"averaging_s": 20.0},
        {"averaging_s": 1e-5},
        {"channels": [1, 5]},
        {"channels": [0]},
    ],
)
def test_out_of_range_is_refused_before_anything_is_sent(wire, make, change):
    meter = make()
    connect(wire, meter)
    sent = len(wire.sent)
    with pytest.raises(OutOfRangeError):
        meter.configure(**{"wavelength_nm": 1310.0, "averaging_s": 0.1, "channels": [1], **change})
    assert len(wire.sent) == sent


def test_the_wavelength_limits_are_those_of_each_sensor(wire, make):
    meter = make()
    connect(wire, meter)
    configure(wire, meter, *ALL[:1])
    assert meter.sensors[0].wavelengths_nm == (800.0, 1650.0)
    with pytest.raises(OutOfRangeError, match=r"channel 1.*outside 800 to 1650 nm"):
        meter.configure(wavelength_nm=1650.5, averaging_s=0.5)


def test_a_refused_setting_names_the_command(wire, make):
    meter = make()
    connect(wire, meter)
    wire.expect((":SYST:ERR?", OK))
    wire.expect((":INIT1:CHAN1:CONT 0", None), (":SYST:ERR?", '-306,"No"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=":INIT1:CHAN1:CONT 0"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1, channels=[1])


def test_a_setting_that_reads_back_otherwise(wire, make):
    meter = make()
    connect(wire, meter)
    wire.expect((":SYST:ERR?", OK))
    wire.expect_set(
        ":INIT1:CHAN1:CONT 0",
        ":SENS1:CHAN2:POW:UNIT 1",
        ":SENS1:CHAN2:POW:WAV 1310.0000NM",
        ":SENS1:CHAN1:POW:ATIM 0.1S",
        ":SENS1:CHAN1:POW:RANG:AUTO 1",
    )
    wire.expect((":INIT1:CHAN1:CONT?", "0"), (":SENS1:CHAN2:POW:UNIT?", "+0"))
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1, channels=[2])
    assert meter.session.dirty


def zeroing(slot, status="+0"):
    command = f":SENS{slot}:CHAN1:CORR:COLL:ZERO"
    return [(command, None), ("*ESR?", "+0"), ("*OPC", None), ("*ESR?", "+1"), (f"{command}?", status)]


def test_zero_once_for_each_module(wire, make):
    meter = make()
    connect(wire, meter)
    wire.expect(*zeroing(2), *zeroing(1), (":SYST:ERR?", OK))
    meter.zero([4, 2, 3])


def test_zero_in_the_light_fails(wire, make):
    meter = make()
    connect(wire, meter)
    wire.expect(*zeroing(1, "-1"))
    with pytest.raises(InstrumentError, match=r"zeroing of port 2 \(sensor 1\.2\) failed.*Cover"):
        meter.zero([2])


def test_making_safe_sends_nothing(wire, make):
    assert make().make_safe() == ()
    assert wire.sent == []


class SleepingClock:
    """Time passes by sleeping alone."""

    kind = "virtual"

    def __init__(self):
        self._now_s = 0.0

    def now_s(self):
        return self._now_s

    def sleep(self, duration_s):
        self._now_s += duration_s

    def checkpoint(self):
        pass


class RandomReplies:
    """A line that answers every query with the next of some replies, and nothing when they are used up."""

    resource_name = "GPIB0::20::INSTR"
    session = 1
    timeout = 0
    read_termination = write_termination = None

    def __init__(self, replies):
        self._replies = list(replies)
        self._input = b""
        self.visalib = self

    def write(self, message, termination=None):
        if "?" in message:
            self._input = self._replies.pop(0) + b"\n" if self._replies else b""

    def ignore_warning(self, *_codes):
        return contextlib.nullcontext()

    def read(self, session, count):
        import pyvisa.errors
        from pyvisa.constants import StatusCode

        if not self._input:
            raise pyvisa.errors.VisaIOError(StatusCode.error_timeout)
        end = self._input.find(b"\n") + 1
        length = min(count, end)
        data, self._input = self._input[:length], self._input[length:]
        return data, StatusCode.success_termination_character_read

    def clear(self):
        self._input = b""

    def close(self):
        pass


GREETING = [IDN.encode(), OK.encode(), OK.encode()]
LIKELY = st.sampled_from(
    [
        *(b"0", b"1", b"+1", b"+8.0E-7", b"+1.65E-6", b"9.91E37", b'"0"', b"", b"-----"),
        *(DUAL.encode(), LASER.encode(), OK.encode(), FOUR[:-1], b"#14\1\0\1\0"),
    ]
)


@settings(max_examples=60, deadline=None)
@given(replies=st.lists(LIKELY | st.binary(max_size=24), max_size=24), stated=st.booleans())
def test_random_replies_raise_only_our_errors(replies, stated):
    clock = SleepingClock()
    session = ScpiSession(RandomReplies(GREETING + replies), clock, name="meter")
    options = {"sensors": ["1.1", "1.2"]} if stated else {}
    meter = Keysight8163(session, clock, name="meter", options=options)
    with contextlib.suppress(InstrumentError):
        meter.connect()
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
        assert all(abs(reading.power_w) < 0.1 for reading in meter.read_powers_w(meter.channels))
    with contextlib.suppress(InstrumentError):
        meter.zero()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=16, max_size=16))
def test_whatever_a_block_holds_a_power_is_plausible_or_an_error(data):
    replies = [*GREETING, *[b"0", DUAL.encode()] * 2, *[b"8E-7", b"1.65E-6"] * 4, FOUR[:-1], b"0.2", b"0.2"]
    resource = RandomReplies(replies)
    clock = SleepingClock()
    session = ScpiSession(resource, clock, name="meter")
    meter = Keysight8163(session, clock, name="meter", options={})
    meter.connect()
    meter._configured = {1, 2, 3, 4}
    for channel in meter.channels:
        resource._replies = [b"#216" + data]
        resource._input = b""
        try:
            (reading,) = meter.read_powers_w([channel])
        except InstrumentError:
            session._dirty = session._distrusted = False
        else:
            assert abs(reading.power_w) < 0.1
