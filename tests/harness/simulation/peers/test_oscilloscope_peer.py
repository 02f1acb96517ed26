"""The FlexDCA driver on the simulated oscilloscope: locks, scales, results and their reasons."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from drivers.cmis.diagnostics.patterns import pattern_code
from drivers.errors import (
    GarbledReplyError,
    InstrumentError,
    InvalidReadingError,
    NoReplyError,
    NotSettledError,
)
from drivers.units import dbm_from_w
from harness.signal.pam4 import levels
from harness.signal.pam4 import rlm as signal_rlm
from harness.signal.tdecq import TdecqMethod, tdecq
from harness.signal.waveform import Waveform, aligned
from harness.simulation.light.beam import STEADY, Beam, Modulation, even_levels
from harness.simulation.light.oscilloscope import OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.symbols import symbols_of
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern

SCOPE = "keysight-flexdca"
BAUD = 53.125e9
LONG_RUNS = bytes([0xAA, 0xAA, 0x00, 0x00]) * 4  # eight threes and eight zeros
SHORT = Pattern(pattern_code("user pattern"), user=LONG_RUNS + random.Random(3).randbytes(240))
"""Of a thousand symbols, with the runs and edges that SSPRQ has: quick to make."""
SYMBOLS = 1024
GOOD = Modulation(even_levels(5.0), bandwidth_hz=0.64 * BAUD, rin_db_hz=-152.0)
BEAM = Beam("module.tx1", 1e-3, 1311.0, LineSignal((SHORT,)), GOOD)
FIRST_EDITION = TdecqMethod("802.3bs", main_taps=(0, 1, 2), histogram_shift=False, threshold_adjustment=0.0)

CLEAN = seen_by_oscilloscope([BEAM], None, OscilloscopeFrontEnd(0.5 * BAUD))
"""The light without noise, behind the reference filter."""


def db(ratio: float) -> float:
    return 10.0 * math.log10(ratio)


class LitFibres:
    """What a test puts at a port is there."""

    def __init__(self) -> None:
        self.beams: dict[int, tuple[Beam, ...]] = {1: (BEAM,)}

    def light(self, role, port):
        return self.beams.get(port, ())

    def power_w(self, role, port):
        return sum(beam.power_w for beam in self.light(role, port))

    def wavelength_nm(self, role, port):
        return next((beam.wavelength_nm for beam in self.light(role, port)), None)


class Scope:
    """A small bench with the driver on it, and the light at its ports."""

    def __init__(self, bench, *, peer_options=None, **options) -> None:
        self.fibres = LitFibres()
        bench.surroundings = replace(bench.surroundings, fibres=self.fibres)
        self.world = bench.world
        self.driver = bench.open(SCOPE, options=options, peer_options=peer_options)
        self.session = self.driver.session

    def set_light(self, *beams: Beam, port: int = 1) -> None:
        self.fibres.beams[port] = beams

    def configure(self, channel: int = 1, symbols: int = SYMBOLS) -> None:
        self.driver.configure(channel, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=symbols)

    def measure(self, *quantities: str, channel: int = 1, patterns: int = 4):
        return self.driver.measure(channel, quantities, patterns=patterns)


@pytest.fixture
def scope(small_bench):
    return Scope(small_bench)


@pytest.fixture
def make_scope(another_small_bench):
    def make(seed: int = 1, **options) -> Scope:
        return Scope(another_small_bench(seed), **options)

    return make


def test_what_it_measures_is_what_the_light_is(scope):
    scope.configure()
    start_s = scope.world.now_s
    readings = scope.measure(
        "oma_outer_w", "extinction_ratio_db", "rlm", "average_power_w", "tdecq_db", "ceq_db", patterns=8
    )
    oma_w, er_db, rlm, power_w, tdecq_db, ceq_db = (reading.value for reading in readings)
    assert not any(reading.questionable for reading in readings)
    assert scope.world.now_s - start_s > 8 * SYMBOLS * 16 / 250e3  # it samples slowly
    assert db(oma_w / BEAM.oma_w) == pytest.approx(0.0, abs=0.05)
    assert er_db == pytest.approx(GOOD.extinction_ratio_db, abs=0.05)
    lined_up = aligned(CLEAN, symbols_of(SHORT))
    assert rlm == pytest.approx(levels(lined_up, symbols_of(SHORT)).rlm, abs=0.01)
    assert power_w == pytest.approx(1e-3, rel=0.021)
    expected = tdecq(CLEAN, symbols_of(SHORT), reference_filter_applied=True, method=FIRST_EDITION)
    assert tdecq_db == pytest.approx(expected.tdecq_db, abs=0.1)
    assert ceq_db == pytest.approx(expected.ceq_db, abs=0.1)


def test_its_own_noise_is_credited(make_scope):
    quiet, noisy = (make_scope(peer_options={"noise_w": noise_w}) for noise_w in (0.0, 20e-6))
    values = []
    for scope in (quiet, noisy):
        scope.configure()
        values.append(scope.measure("tdecq_db")[0].value)
    assert values[0] == pytest.approx(values[1], abs=0.1)


def test_what_a_pattern_does_not_show_has_no_value(scope):
    prbs = Pattern(pattern_code("PRBS9Q"))
    scope.set_light(replace(BEAM, signal=LineSignal((prbs,))))
    scope.configure(symbols=511)
    transition, power = scope.measure("transition_time_s", "average_power_w")
    assert transition.value is None
    assert "run" in transition.reason or "edge" in transition.reason
    assert power.value is not None


def test_other_light_other_numbers(scope):
    other = replace(BEAM, power_w=0.5e-3, modulation=replace(GOOD, levels=(0.49, 0.79, 1.14, 1.58)))
    scope.set_light(other)
    scope.configure()
    oma, er, rlm = scope.measure("oma_outer_w", "extinction_ratio_db", "rlm")
    assert db(oma.value / other.oma_w) == pytest.approx(0.0, abs=0.08)
    assert er.value == pytest.approx(other.modulation.extinction_ratio_db, abs=0.08)
    assert rlm.value == pytest.approx(signal_rlm(other.modulation.levels), abs=0.03)


def test_four_channels_err_each_their_own_way_and_the_same_way_again(make_scope):
    def powers_w(seed):
        scope = make_scope(seed)
        found = []
        for port in (1, 2, 3, 4):
            scope.set_light(replace(BEAM, source=f"module.tx{port}"), port=port)
            scope.configure(port)
            found.append(
                [reading.value for reading in scope.measure("average_power_w", "oma_outer_w", channel=port)]
            )
        return found

    first = powers_w(1)
    assert len({power_w for power_w, _ in first}) == 4
    assert powers_w(1) == first
    assert powers_w(2) != first


# -- locks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beams",
    [
        (),
        (replace(BEAM, modulation=STEADY),),
        (replace(BEAM, signal=None),),
        (replace(BEAM, power_w=1e-6),),
        (replace(BEAM, modulation=replace(GOOD, symbol_rate_bd=26.5625e9)),),
    ],
    ids=["dark", "steady", "nothing feeds it", "too little", "half the rate"],
)
def test_without_a_clock_it_cannot_be_configured(scope, beams):
    scope.set_light(*beams)
    with pytest.raises(NotSettledError, match=r"clock recovery does not lock.*transmitter"):
        scope.configure()


@pytest.mark.parametrize(
    ("signal", "symbols"),
    [
        (TRAFFIC, 65535),
        (LineSignal((SHORT, SHORT)), SYMBOLS),
        (LineSignal((Pattern(pattern_code("PRBS31Q")),)), 65535),
        (LineSignal((SHORT,)), 8191),
    ],
    ids=["traffic", "multiplexed", "too long", "another length"],
)
def test_without_its_pattern_it_cannot_be_configured(scope, signal, symbols):
    scope.set_light(replace(BEAM, signal=signal))
    with pytest.raises(NotSettledError, match=r"does not lock to a pattern of"):
        scope.configure(symbols=symbols)


def test_light_that_goes_out_gives_results_without_a_value(scope):
    scope.configure()
    scope.set_light()
    start_s = scope.world.now_s
    readings = scope.measure("tdecq_db", "oma_outer_w", "average_power_w")
    tdecq_reading, oma, power = readings
    for reading in (tdecq_reading, oma):
        assert reading.value is None
        assert reading.reason
    assert abs(power.value) < 1e-6
    assert scope.world.now_s - start_s < 1.0  # nothing was waited for
    scope.set_light(BEAM)
    assert scope.measure("tdecq_db")[0].value is None  # a lock once lost does not come back by itself
    scope.configure()
    assert scope.measure("tdecq_db")[0].value is not None


def test_another_lane_wants_a_new_lock(scope):
    scope.configure()
    scope.set_light(replace(BEAM, source="module.tx2"))
    (reading,) = scope.measure("oma_outer_w")
    assert reading.value is None
    assert "lock" in reading.reason


def test_a_pattern_that_is_switched_off_is_a_lock_lost(scope):
    scope.configure()
    scope.set_light(replace(BEAM, signal=TRAFFIC))
    (reading,) = scope.measure("oma_outer_w")
    assert reading.value is None
    assert "pattern lock" in reading.reason.lower()


def test_light_that_goes_out_in_the_middle_of_an_acquisition(scope):
    scope.configure()
    scope.world.after(0.2, scope.set_light)
    (reading,) = scope.measure("oma_outer_w", patterns=8)
    assert reading.value is None
    assert "lock" in reading.reason


def test_an_acquisition_that_cannot_go_on_is_stopped_and_the_next_one_works(make_scope):
    scope = make_scope(acquisition_limit_s=5.0)
    scope.configure()
    start_s = scope.world.now_s
    scope.session.command(":TRIG:PLOC OFF")
    with pytest.raises(NotSettledError, match="stopped"):
        scope.driver._acquire(4)
    assert scope.world.now_s - start_s == pytest.approx(5.0, abs=0.1)
    assert scope.session.wait_complete(1.0) < 0.1  # nothing is under way any more
    scope.configure()
    assert scope.measure("oma_outer_w")[0].value is not None


def test_a_long_acquisition_is_no_time_out_of_a_query(scope):
    scope.configure()
    scope.measure("oma_outer_w", patterns=4000)
    assert scope.world.now_s > 200.0


def test_a_blocking_wait_for_its_end_would_be_a_time_out(scope):
    scope.configure()
    session = scope.session
    session.command(":LTES:ACQ:CTYP:PATT 100")
    session.command(":LTES:ACQ:STAT ON")
    session.command(":ACQ:RUN")
    start_s = scope.world.now_s
    with pytest.raises(NoReplyError):
        session.query("*OPC?")
    assert scope.world.now_s - start_s == pytest.approx(3.0, abs=0.1)


def test_an_oscilloscope_that_dies_while_it_acquires(scope, small_bench):
    scope.configure()
    small_bench.peers[SCOPE].die_at(scope.world.now_s + 2.0)
    start_s = scope.world.now_s
    with pytest.raises(NoReplyError):
        scope.measure("oma_outer_w", patterns=100)
    assert scope.world.now_s - start_s < 6.0


def test_an_oscilloscope_that_sends_garbage(scope, small_bench):
    scope.configure()
    peer = small_bench.peers[SCOPE]
    peer.garble()
    with pytest.raises(GarbledReplyError):
        scope.measure("oma_outer_w")
    peer.garble(on=False)
    assert scope.measure("oma_outer_w")[0].value is not None


# -- scale -----------------------------------------------------------------------------------------


def test_autoscale_is_tried_again(make_scope):
    scope = make_scope(peer_options={"autoscale_failures": 2})
    scope.configure()
    assert scope.measure("oma_outer_w")[0].value is not None
    with pytest.raises(NotSettledError, match="autoscale failed 3 times"):
        make_scope(peer_options={"autoscale_failures": 3}).configure()


def test_light_that_leaves_the_screen_is_questionable(scope):
    scope.configure()
    for power_w, what in ((2e-3, "clipped"), (0.1e-3, "small")):
        scope.set_light(replace(BEAM, power_w=power_w))
        oma, power = scope.measure("oma_outer_w", "average_power_w")
        assert oma.questionable
        assert what in oma.reason
        assert not power.questionable  # the monitor has no screen


def test_nothing_is_measured_before_the_first_autoscale(scope):
    session = scope.session
    scope.configure()
    session.command("*RST")
    session.wait_complete(10.0)
    for command in (":CREC1:SOUR OPT", ":CREC1:CRAT 53.125GHZ", ":CREC1:REL"):
        session.command(command)
    session.wait_complete(10.0)
    session.command(":TRIG:PLOC ON")
    session.wait_complete(10.0)
    for command in (":LTES:ACQ:CTYP:PATT 1", ":LTES:ACQ:STAT 1", ":MEAS:EYE:OER", ":ACQ:RUN"):
        session.command(command)
    session.wait_complete(10.0)
    assert session.query(":MEAS:EYE:OER:STAT?").text == "INV"
    assert "autoscale" in session.query(":MEAS:EYE:OER:STAT:REAS?").text
    assert session.query(":MEAS:EYE:OER?").text == "9.91E+37"
    with pytest.raises(InvalidReadingError):
        session.query(":MEAS:EYE:OER?").real()
    session.command(":SYST:AUT")
    session.wait_complete(10.0)
    assert session.query(":MEAS:EYE:OER:STAT?").text == "CORR"
    assert session.query(":MEAS:EYE:OER?").real() == pytest.approx(5.0, abs=0.1)


# -- waveforms and noise ---------------------------------------------------------------------------


@pytest.mark.parametrize("uneven_ui", [0.0, 0.03])
def test_a_captured_waveform_is_the_lane_s(make_scope, uneven_ui):
    scope = make_scope(peer_options={"uneven_ui": uneven_ui, "noise_w": 2e-6})
    scope.configure()
    captured = scope.driver.capture(1)
    assert captured.filtered
    wave = Waveform(np.array(captured.samples_w), captured.samples_per_ui, captured.symbol_rate_bd)
    assert wave.symbols == SYMBOLS
    result = tdecq(wave, symbols_of(SHORT), reference_filter_applied=True, method=FIRST_EDITION)
    expected = tdecq(CLEAN, symbols_of(SHORT), reference_filter_applied=True, method=FIRST_EDITION)
    assert result.tdecq_db == pytest.approx(expected.tdecq_db, abs=0.1)
    assert scope.measure("oma_outer_w")[0].value is not None  # it is back in eye mode


def test_a_waveform_of_light_that_went_out(scope):
    scope.configure()
    scope.world.after(0.1, scope.set_light)
    with pytest.raises(InstrumentError):
        scope.driver.capture(1)


def test_noise_of_a_dark_channel(make_scope):
    scope = make_scope(peer_options={"noise_w": 10e-6})
    with pytest.raises(InstrumentError, match="not dark"):
        scope.driver.measure_dark_noise_w(1)
    assert scope.driver.measure_dark_noise_w(2) == pytest.approx(10e-6, rel=0.05)
    assert scope.driver.noise_w(2) == pytest.approx(10e-6, rel=0.05)
    scope.configure()
    assert scope.measure("oma_outer_w")[0].value is not None


# -- commands --------------------------------------------------------------------------------------


def test_long_and_short_forms_and_what_is_refused(scope):
    session = scope.session
    for command in (
        ":SYSTem:MODE EYE",
        ":CHANnel1A:WAVelength:VALue 1310NM",
        ":CHAN1A:SIRC:FBANdwidth 26.5625GHZ",
        ":CRECovery2:CRATe 5.3125E+10",
        ":TRIGger:PLENgth 8191",
        ":FUNCtion1:FOPerator TEQualizer",
        ":FUNCtion1:OPERand1 CHANnel1B",
        ":SPRocess1:TEQualizer:TSPacing:TPUI 1",
        ":MEASure:TDEQ:OHSeparation 1.0E-1",
        ":LTESt:ACQuire:CTYPe:PATTerns 15",
        ":MEASure:EYE:PAM:LINearity:SOURce1 CHAN1A",
    ):
        session.command(command)
    assert session.query(":CHANnel1A:WAVelength:VALue?").real() == pytest.approx(1.31e-6)
    assert session.query(":FUNC1:OPER1?").text == "CHAN1B"
    assert session.query(":FUNC1:FOP?").text == "TEQ"
    for command, code in {
        ":CHAN9A:SIRC ON": -113,
        ":CHAN1A:WAV:VAL 850NM": -222,
        ":SYST:MODE JITTER": -224,
        ":MEAS:EYE:OOMA:SOUR1 CHAN4Z": -224,
        ":MEAS:EYE:JITTER": -113,
        ":TRIG:PLEN 3.5": -104,
    }.items():
        with pytest.raises(InstrumentError, match=str(code)):
            session.command(command)


def test_the_error_queue_tells_its_words_only_when_asked(scope):
    session = scope.session
    session.send_blind(":BOGUS 1")
    session.resynchronise()
    session.send_blind(":BOGUS 1")
    assert session.query(":SYST:ERR:COUN?").integer() == 0  # the resynchronisation has read both
    session.command(":BOGUS 1", check=False)
    assert session.query(":SYST:ERR?").text == "-113"
    assert session.query(":SYST:ERR? STRing").text == '0,"No error"'


def test_units(scope):
    scope.configure()
    (reading,) = scope.measure("average_power_w")
    session = scope.session
    session.command(":MEAS:EYE:APOW:UNIT DBM")
    assert session.query(":MEAS:EYE:APOW?").real() == pytest.approx(dbm_from_w(reading.value), abs=0.01)


def test_a_filter_that_is_off_passes_faster_edges(scope):
    scope.configure()
    (filtered,) = scope.measure("transition_time_s")
    assert 8e-12 < filtered.value < 14e-12  # 34 GHz and 26.6 GHz, 20 % to 80 %
    scope.session.command(":CHAN1A:SIRC OFF")
    (unfiltered,) = scope.measure("transition_time_s")
    assert unfiltered.value < 0.95 * filtered.value


def test_without_its_equaliser_tdecq_is_worse(scope):
    scope.set_light(replace(BEAM, modulation=replace(GOOD, bandwidth_hz=0.9 * BAUD)))
    scope.configure()
    (equalised,) = scope.measure("tdecq_db")
    session = scope.session
    session.command(":MEAS:EYE:TDEQ:SOUR1 CHAN1A")
    session.command(":MEAS:EYE:TDEQ")
    assert session.query(":MEAS:EYE:TDEQ?").real() > equalised.value + 0.5
    session.command(":FUNC1:FOP NONE")
    session.command(":MEAS:EYE:TDEQ:SOUR1 FUNC1")
    assert session.query(":MEAS:EYE:TDEQ:STAT?").text == "INV"


def test_an_eye_that_is_closed_has_no_tdecq(scope):
    scope.set_light(replace(BEAM, modulation=replace(GOOD, bandwidth_hz=0.2 * BAUD)))
    scope.configure()
    tdecq_reading, oma = scope.measure("tdecq_db", "oma_outer_w")
    assert tdecq_reading.value is None
    assert "closed" in tdecq_reading.reason
    assert oma.value is not None
