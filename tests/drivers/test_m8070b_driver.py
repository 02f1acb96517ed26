"""Keysight M8070B: the wire conversation of every method, and what its parsers take."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NotSettledError,
    OutOfRangeError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.interfaces import Bert, LaneErrors
from drivers.keysight_m8070b import M8070B, BitCounters, InputStatus, parse_counters, parse_names
from drivers.replies import Reply

IDN = "Keysight Technologies,M8070B,DE123,10.0.220.1"
NONE = '0,"No error"'
OUT, IN = "'M1.DataOut1'", "'M2.DataIn'"
DATA = '(1.366014336e9,"M2.DataIn",1.2222e10,1.112345e10,5.1e1,7.2e2)'


@pytest.fixture
def bert(scripted_session, counting_clock):
    return M8070B(scripted_session, counting_clock, name="bert", options={})


def with_options(session, clock, **options):
    return M8070B(session, clock, name="bert", options=options)


class Script:
    """Settings and queries as they follow each other: after a query the error queue is read once more before
    the next setting, and after each setting."""

    def __init__(self, wire) -> None:
        self.wire = wire
        self.unknown = False

    def set(self, *commands):
        for command in commands:
            if self.unknown:
                self.wire.expect((":SYST:ERR?", NONE))
            self.wire.expect((command, None), (":SYST:ERR?", NONE))
            self.unknown = False
        return self

    def ask(self, query, reply):
        self.wire.expect((query, reply))
        self.unknown = True
        return self

    def tell(self, command):
        self.wire.expect((command, None))
        self.unknown = True
        return self

    def drain(self, *entries):
        self.wire.expect(*[(":SYST:ERR?", entry) for entry in (*entries, NONE)])
        self.unknown = False
        return self

    def set_back(self, header, place, value, reply=None):
        self.set(f"{header} {place},{value}")
        return self.ask(f"{header}? {place}", value if reply is None else reply)

    def pattern(self, place, order=13):
        self.set_back(":DATA:LIN", place, "PAM4").set_back(":DATA:LIN:PAM4:MAPP", place, "GRAY")
        self.set(f":DATA:SEQ:SET {place},PRBS,'2^{order}-1'")
        return self.ask(f":DATA:SEQ:SET? {place}", f'PRBS,"2^{order}-1"')

    def generator(self, place=OUT, order=13, amplitude="0.4"):
        self.pattern(place, order)
        self.set_back(":SOUR:VOLT:AMPL", place, amplitude, "4.000000000E-01")
        self.set_back(":OUTP:EINS:STAT", place, "0")
        return self.set_back(":OUTP:STAT", place, "1")

    def clock(self):
        return self.set_back(":SOUR:FREQ", "'M1.ClkGen'", "2.65625E+10", "26562500000")

    def alignment(self, *entries, status="SUCCESS", polls=("0", "1")):
        self.tell(f":INP:CDR:RELO {IN}").tell(f":INP:ALIG:EYE:AUTO {IN}")
        self.ask("*ESR?", "0").tell("*OPC")
        for poll in polls:
            self.ask("*ESR?", poll)
        return self.drain(*entries).ask(f":INP:ALIG:STAT:VAL? {IN}", status)

    def analyser(self, order=13):
        self.pattern(IN, order)
        return self.set_back(":INP:CDR:STAT", IN, "1").set_back(":CLOC:SOUR", IN, "CDR")

    def measurement(self, gate="1", catalogue='"others"'):
        self.ask(":PLUG:ERAT:CAT?", catalogue)
        if "lanewise" not in catalogue:
            self.set(":PLUG:ERAT:NEW 'lanewise'")
        self.set(":PLUG:ERAT:RES 'lanewise'", f":PLUG:ERAT:ACQ:ALOC 'lanewise',{IN}")
        self.ask(":PLUG:ERAT:ACQ:ALOC? 'lanewise'", '"M2.DataIn"')
        for what, value in (("AEND", "FDUR"), ("DUR", "FTIM"), ("TIME", gate), ("INT", gate), ("HIST", "1")):
            self.set_back(f":PLUG:ERAT:ACQ:{what}", "'lanewise'", value)
        return self

    def status(self, clock="0", data="0", sync="0"):
        for what, lost in (("CLOS", clock), ("DLOS", data), ("SLOS", sync)):
            self.ask(f":STAT:INST:{what}? {IN}", lost)
        return self


@pytest.fixture
def script(wire):
    return Script(wire)


def start(script, bert, pattern="PRBS13Q", order=13):
    script.clock().generator(order=order).set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
    script.analyser(order).alignment()
    bert.start_pattern(pattern)


def test_what_it_is(bert):
    assert isinstance(bert, Bert)
    assert (bert.plane, bert.generator_plane) == ("TP4", "TP1a")
    assert bert.detector == "M8040A analyser M2.DataIn"
    assert not bert.self_measured
    assert bert.lanes == bert.generator_lanes == (1,)
    assert {"PRBS13Q", "PRBS31Q"} <= set(bert.patterns)
    assert bert.patterns == bert.generator_patterns == bert.checker_patterns


def test_connect(script, bert):
    script.ask("*IDN?", IDN).drain().set("*CLS")
    assert bert.connect().model == "M8070B"


def test_connect_to_something_else(wire, bert):
    wire.expect(("*IDN?", "Keysight Technologies,M9999,DE1,1"))
    with pytest.raises(WrongIdentityError):
        bert.connect()


@pytest.mark.parametrize("order", [7, 13, 31])
def test_start_pattern_sets_up_both_ends_and_aligns(script, bert, counting_clock, order):
    start(script, bert, f"PRBS{order}Q", order)
    assert counting_clock.sleeps == [0.5]  # one look at an alignment that was not complete


def test_a_second_pattern_does_not_set_the_clock_again(script, bert):
    start(script, bert)
    script.analyser(31).alignment()
    bert.start_pattern("PRBS31Q", generate=False)


def test_generating_only(script, bert):
    script.clock().generator().set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
    bert.start_pattern("PRBS13Q", [1], check=False)


def test_two_generators_and_the_systems_clock(script, scripted_session, counting_clock):
    bert = with_options(
        scripted_session,
        counting_clock,
        generators=["M1.DataOut1", "M1.DataOut2"],
        generator_lanes=[3, 4],
        analyser_lane=4,
        clock_recovery=False,
        alignment_status=False,
        clock_factor=2,
    )
    assert (bert.generator_lanes, bert.lanes) == ((3, 4), (4,))
    script.set_back(":SOUR:FREQ", "'M1.ClkGen'", "5.3125E+10")
    script.generator().generator("'M1.DataOut2'").set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
    script.pattern(IN).set_back(":INP:CDR:STAT", IN, "0").set_back(":CLOC:SOUR", IN, "SYS")
    script.tell(f":INP:ALIG:EYE:AUTO {IN}").ask("*ESR?", "0").tell("*OPC").ask("*ESR?", "1").drain()
    script.ask(f":STAT:INST:SAL? {IN}", "0")
    bert.start_pattern("PRBS13Q")


@pytest.mark.parametrize("reply", ["NRZ", '"x"', "1", "NAN,3"])
def test_a_coding_that_reads_back_otherwise(script, bert, reply):
    script.clock().set_back(":DATA:LIN", OUT, "PAM4", reply)
    with pytest.raises(GarbledReplyError):
        bert.start_pattern("PRBS13Q")


@pytest.mark.parametrize("reply", ['PRBS,"2^31-1"', '"2^13-1"', "PRBS"])
def test_a_sequence_that_reads_back_otherwise(script, bert, reply):
    script.clock().set_back(":DATA:LIN", OUT, "PAM4").set_back(":DATA:LIN:PAM4:MAPP", OUT, "GRAY")
    script.set(f":DATA:SEQ:SET {OUT},PRBS,'2^13-1'").ask(f":DATA:SEQ:SET? {OUT}", reply)
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        bert.start_pattern("PRBS13Q")


def test_a_refused_setting_is_named(wire, bert):
    wire.expect((":SOUR:FREQ 'M1.ClkGen',2.65625E+10", None))
    wire.expect((":SYST:ERR?", '-224,"Illegal parameter value"'), (":SYST:ERR?", NONE))
    with pytest.raises(InstrumentReportedError, match="SOUR:FREQ"):
        bert.start_pattern("PRBS13Q")


@pytest.mark.parametrize(
    ("method", "arguments", "fault"),
    [
        ("start_pattern", {"pattern": "SSPRQ"}, UnsupportedError),
        ("start_pattern", {"pattern": "PRBS13Q", "lanes": [2]}, UnsupportedError),
        ("start_pattern", {"pattern": "PRBS13Q", "lanes": [2], "generate": False}, UnsupportedError),
        ("start_pattern", {"pattern": "PRBS13Q", "lanes": [], "generate": False}, UnsupportedError),
        ("start_pattern", {"pattern": "PRBS13Q", "generate": False, "check": False}, ValueError),
        ("measure_errors", {"lanes": [1, 2], "gate_s": 1.0}, UnsupportedError),
        ("measure_errors", {"lanes": [1], "gate_s": 0.0}, OutOfRangeError),
        ("measure_errors", {"lanes": [1], "gate_s": math.nan}, OutOfRangeError),
        ("measure_errors", {"lanes": [1], "gate_s": 1.0}, InstrumentError),
        ("set_amplitude_v", {"lane": 1, "amplitude_v": 1.0}, OutOfRangeError),
        ("set_amplitude_v", {"lane": 2, "amplitude_v": 0.4}, UnsupportedError),
        ("amplitude_v", {"lane": 2}, UnsupportedError),
        ("set_error_insertion", {"lane": 1, "ratio": 2e-6}, OutOfRangeError),
        ("set_error_insertion", {"lane": 1, "ratio": 0.0}, OutOfRangeError),
        ("set_error_insertion", {"lane": 2, "ratio": 1e-6}, UnsupportedError),
        ("set_alignment_threshold", {"ratio": 0.5}, OutOfRangeError),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_unsent(wire, bert, method, arguments, fault):
    with pytest.raises(fault):
        getattr(bert, method)(**arguments)
    assert wire.sent == []


@pytest.mark.parametrize(
    "options",
    [
        {"generators": []},
        {"generators": ["M1.DataOut1"] * 2},
        {"generators": ["a", "b", "c"]},
        {"generators": ["it's"]},
        {"generators": [1]},
        {"generator_lanes": [9]},
        {"generator_lanes": [True]},
        {"generator_lanes": [1, 2]},
        {"generators": ["a", "b"], "generator_lanes": [1, 1]},
        {"analyser_lane": 0},
        {"analyser": "M2.DataIn'"},
        {"measurement": ""},
        {"symbol_rate_bd": 1.0},
        {"clock_factor": 0.0},
        {"amplitude_v": 5.0},
        {"alignment_limit_s": 0.0},
    ],
)
def test_impossible_options(scripted_session, counting_clock, options):
    with pytest.raises(OutOfRangeError, match="bert: option"):
        with_options(scripted_session, counting_clock, **options)


def test_stop_pattern(script, bert):
    script.set_back(":OUTP:STAT", OUT, "0")
    bert.stop_pattern()
    with pytest.raises(InstrumentError, match="no pattern is checked"):
        bert.measure_errors([1], 1.0)


# -- alignment -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "aligned"), [("SUCCESS", True), ('"FAILED"', False), ("Unknown", False)])
def test_align(script, bert, status, aligned):
    script.alignment('-200,"Execution error;alignment failed"', status=status)
    assert bert.align() is aligned


def test_an_alignment_that_does_not_end(script, bert, counting_clock):
    script.tell(f":INP:CDR:RELO {IN}").tell(f":INP:ALIG:EYE:AUTO {IN}").ask("*ESR?", "0").tell("*OPC")
    for _ in range(121):
        script.ask("*ESR?", "0")
    with pytest.raises(NotSettledError):
        bert.align()
    assert counting_clock.now_s() == pytest.approx(60.0)


def test_an_alignment_that_is_complete_and_in_progress(script, bert):
    script.alignment(status="INPROGRESS")
    with pytest.raises(NotSettledError):
        bert.align()


def test_a_status_of_an_alignment_that_is_none(script, bert):
    script.alignment(status="MAYBE")
    with pytest.raises(GarbledReplyError):
        bert.align()


def test_alignment_threshold(script, bert):
    script.set_back(":INP:ALIG:EYE:THR", IN, "0.001", "1.000000000E-03")
    bert.set_alignment_threshold(1e-3)


# -- counting ------------------------------------------------------------------------------------------


def test_a_gated_count(script, bert, counting_clock):
    start(script, bert)
    counting_clock.sleeps.clear()
    script.measurement().status().set(":PLUG:ERAT:STAR 'lanewise'")
    script.ask(":PLUG:ERAT:RUN? 'lanewise'", "1").ask(":PLUG:ERAT:RUN? 'lanewise'", "0").status()
    script.ask(":PLUG:ERAT:FETC:DATA? 'lanewise'", DATA)
    found = bert.measure_errors([1], 1.0)
    assert found == (LaneErrors(1, 23345450000, 771, True, 1.0),)
    assert counting_clock.sleeps == [1.0, 0.1]


def test_a_long_gate_looks_at_the_input_meanwhile_and_uses_its_measurement_again(
    script, bert, counting_clock
):
    start(script, bert)
    counting_clock.sleeps.clear()
    script.measurement("12", catalogue='("others","lanewise")').status()
    script.set(":PLUG:ERAT:STAR 'lanewise'").status().status(sync="1")
    script.ask(":PLUG:ERAT:RUN? 'lanewise'", "0").status().ask(":PLUG:ERAT:FETC:DATA? 'lanewise'", DATA)
    (found,) = bert.measure_errors([1], 12.0)
    assert counting_clock.sleeps == [5.0, 5.0, 2.0]
    assert not found.locked
    assert found.ber is None


def test_after_a_failed_alignment_a_count_aligns_again(script, bert):
    script.clock().generator().set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
    script.analyser().alignment(status="FAILED")
    bert.start_pattern("PRBS13Q")
    script.alignment(status="FAILED").measurement().status("1", "1", "1")
    script.set(":PLUG:ERAT:STAR 'lanewise'").ask(":PLUG:ERAT:RUN? 'lanewise'", "0").status("1", "1", "1")
    script.ask(":PLUG:ERAT:FETC:DATA? 'lanewise'", '(1.7e9,"M2.DataIn",0,0,0,0)')
    (found,) = bert.measure_errors([1], 1.0)
    assert (found.bits, found.errors, found.locked) == (0, 0, False)


def test_a_measurement_that_does_not_end(script, bert):
    start(script, bert)
    script.measurement().status().set(":PLUG:ERAT:STAR 'lanewise'")
    for _ in range(102):
        script.ask(":PLUG:ERAT:RUN? 'lanewise'", "1")
    with pytest.raises(NotSettledError, match=r"still runs 10\.1 s"):
        bert.measure_errors([1], 1.0)


def test_another_location_is_not_believed(script, bert):
    script.ask(f":FETC:BCO? {IN}", DATA.replace("M2.DataIn", "M3.DataIn"))
    with pytest.raises(GarbledReplyError, match=r"of M2\.DataIn"):
        bert.counters()


def test_counters_and_status(script, bert):
    script.ask(f":FETC:BCO? {IN}", DATA).status("0", "1", "1")
    assert bert.counters().bits == 23345450000
    assert bert.input_status() == InputStatus(False, True, True)


# -- generators ----------------------------------------------------------------------------------------


def test_amplitude_is_set_read_and_kept_for_the_next_pattern(script, bert):
    script.set_back(":SOUR:VOLT:AMPL", OUT, "0.25", "2.5E-01").ask(f":SOUR:VOLT:AMPL? {OUT}", "2.5E-01")
    bert.set_amplitude_v(1, 0.25)
    assert bert.amplitude_v(1) == 0.25
    script.clock().pattern(OUT).set_back(":SOUR:VOLT:AMPL", OUT, "0.25")
    script.set_back(":OUTP:EINS:STAT", OUT, "0").set_back(":OUTP:STAT", OUT, "1")
    script.set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
    bert.start_pattern("PRBS13Q", check=False)


def test_an_amplitude_that_reads_back_otherwise(script, bert):
    script.set_back(":SOUR:VOLT:AMPL", OUT, "0.25", "0.2")
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        bert.set_amplitude_v(1, 0.25)


@pytest.mark.parametrize(("ratio", "word"), [(1e-6, "RM6"), (0.1, "RM1"), (1e-12, "RM12")])
def test_error_insertion(script, bert, ratio, word):
    script.set_back(":OUTP:EINS:MODE", OUT, "ERAT", "ERATio").set_back(":OUTP:EINS:RAT", OUT, word)
    script.set_back(":OUTP:EINS:STAT", OUT, "1")
    bert.set_error_insertion(1, ratio)
    script.set_back(":OUTP:EINS:STAT", OUT, "0")
    bert.set_error_insertion(1, None)


def test_errors_asked_for_are_inserted_into_the_next_pattern_too_until_made_safe(script, wire, bert):
    def inserted(word):
        script.set_back(":OUTP:EINS:MODE", OUT, "ERAT").set_back(":OUTP:EINS:RAT", OUT, word)
        script.set_back(":OUTP:EINS:STAT", OUT, "1")

    def started():
        script.set_back(":OUTP:STAT", OUT, "1").set_back(":OUTP:GLOB:STAT", "'M1.System'", "1")
        bert.start_pattern("PRBS13Q", check=False)

    inserted("RM3")
    bert.set_error_insertion(1, 1e-3)
    script.clock().pattern(OUT).set_back(":SOUR:VOLT:AMPL", OUT, "0.4")
    inserted("RM3")
    started()
    wire.expect(*[(command, None) for command in OFF])
    wire.expect_resynchronisation(IDN, no_error=NONE)
    for command in OFF:
        wire.expect((command, None), (f"{command[:-2].replace(' ', '? ')}", "0"))
    script.unknown = True
    assert all(step.safe for step in bert.make_safe())
    script.pattern(OUT).set_back(":SOUR:VOLT:AMPL", OUT, "0.4").set_back(":OUTP:EINS:STAT", OUT, "0")
    started()


def test_a_generator_without_error_insertion(scripted_session, wire, counting_clock):
    bert = with_options(scripted_session, counting_clock, error_insertion=False)
    with pytest.raises(UnsupportedError, match="option error_insertion"):
        bert.set_error_insertion(1, 1e-3)
    wire.expect(*[(command, None) for command in OFF[:2]])
    wire.expect_resynchronisation(IDN, no_error=NONE)
    wire.expect((OFF[0], None), (":OUTP:GLOB:STAT? 'M1.System'", "0"))
    wire.expect((OFF[1], None), (f":OUTP:STAT? {OUT}", "0"))
    assert len(bert.make_safe()) == 2


@pytest.mark.parametrize("frequency", ["26562600000", "2.6588E+10"])
def test_a_clock_that_is_some_ppm_off_is_refused(script, bert, frequency):
    script.set_back(":SOUR:FREQ", "'M1.ClkGen'", "2.65625E+10", frequency)
    with pytest.raises(GarbledReplyError, match="reads back otherwise"):
        bert.start_pattern("PRBS13Q", check=False)


# -- safe state ----------------------------------------------------------------------------------------

OFF = (":OUTP:GLOB:STAT 'M1.System',0", f":OUTP:STAT {OUT},0", f":OUTP:EINS:STAT {OUT},0")


@pytest.mark.parametrize(("reply", "safe"), [("0", True), ("1", False), ("x", False)])
@pytest.mark.parametrize("which", [1, 2])
def test_make_safe(wire, bert, reply, safe, which):
    replies = ["0", "0", "0"]
    replies[which] = reply
    wire.expect(*[(command, None) for command in OFF])
    wire.expect_resynchronisation(IDN, no_error=NONE)
    wire.expect((OFF[0], None), (":OUTP:GLOB:STAT? 'M1.System'", replies[0]))
    wire.expect((OFF[1], None), (f":OUTP:STAT? {OUT}", replies[1]))
    if which == 1 and reply == "x":
        wire.expect_resynchronisation(IDN, no_error=NONE)
    wire.expect((OFF[2], None), (f":OUTP:EINS:STAT? {OUT}", replies[2]))
    steps = bert.make_safe()
    assert [step.safe for step in steps] == [True, safe or which != 1, safe or which != 2]
    assert [step.action for step in steps] == [
        "output M1.System off",
        "output M1.DataOut1 off",
        "error insertion M1.DataOut1 off",
    ]


def test_make_safe_of_one_that_does_not_answer_still_tells_it(wire, bert, no_reply):
    wire.expect(*[(command, None) for command in OFF], ("*IDN?", no_reply))
    assert [step.safe for step in bert.make_safe()] == [False, False, False]


# -- parsers -------------------------------------------------------------------------------------------


def reply(text):
    return Reply("bert", ":FETC:BCO?", text)


SET = BitCounters("M2.DataIn", 1.366014336e9, 12222000000, 11123450000, 51, 720)
OTHER = BitCounters("M2.DataIn2", 2.0, 3, 4, 1, 2, (7.0, 3.0))


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        (DATA, (SET,)),
        (DATA[1:-1], (SET,)),
        (DATA.replace('"', "'").replace(",", " , "), (SET,)),
        (f'{DATA},(2.0,"M2.DataIn2",3,4,1,2,7,3)', (SET, OTHER)),
        (f'{DATA}(2.0,"M2.DataIn2",3,4,1,2,7,3)', (SET, OTHER)),
        (f'{DATA[:-1]},2.0,"M2.DataIn2",+3,4.,1.0E+00,2,7,3)', (SET, OTHER)),
    ],
)
def test_counters_in_every_form(text, sets):
    assert parse_counters(reply(text)) == sets
    assert SET.bits == 23345450000
    assert SET.errors == 771


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", EmptyReplyError),
        ("()", GarbledReplyError),
        (DATA[:-1], GarbledReplyError),
        (DATA[1:], GarbledReplyError),
        ('("M2.DataIn",1,1,0,0)', GarbledReplyError),
        ('(1.0,"M2.DataIn",1,1,0)', GarbledReplyError),
        ("(1.0,M2.DataIn,1,1,0,0)", GarbledReplyError),
        ('(1.0,"M2.DataIn",1,1,0,-1)', GarbledReplyError),
        ('(1.0,"M2.DataIn",1,1,0,2)', GarbledReplyError),
        ('(1.0,"M2.DataIn",1,1,0,,)', GarbledReplyError),
        ('(1.0,"M2.DataIn",1,1,0,----)', GarbledReplyError),
        ('(1.0,"M2.DataIn",9.91E+37,1,0,0)', InvalidReadingError),
        ('(1.0,"M2.DataIn,1,1,0,0)', GarbledReplyError),
        ('(1.0,"a","b",1,1,0,0)', GarbledReplyError),
        (f'(1.0,"M2.DataIn"{",1" * 40})', GarbledReplyError),
        (f'(1.0,"M2.DataIn"{",1" * 4000})', GarbledReplyError),
        ('(1.0,"M2.D\xe4taIn",1,1,0,0)', GarbledReplyError),
        (NONE, GarbledReplyError),
    ],
)
def test_what_are_no_counters(text, fault):
    with pytest.raises(fault):
        parse_counters(reply(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ('""', ()),
        ("()", ()),
        ('"a","b"', ("a", "b")),
        ("('a', b)", ("a", "b")),
        ('PRBS,"2^13-1"', ("PRBS", "2^13-1")),
        ('"a, b"', ("a, b",)),
    ],
)
def test_names_in_every_form(text, names):
    assert parse_names(reply(text)) == names


@given(st.text(max_size=60) | st.text("()\"',.0123456789eE+-M2DataIn ", max_size=80))
def test_no_reply_makes_a_parser_raise_anything_foreign(text):
    for parse in (parse_counters, parse_names):
        try:
            parse(reply(text))
        except InstrumentError:
            continue


numbers = st.integers(0, 10**12)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=4), st.booleans())
def test_what_was_put_together_comes_apart(sets, together):
    written = [
        f'1.5,"M{place}.DataIn",{ones + bad_ones},{zeros + bad_zeros},{bad_ones},{bad_zeros}'
        for place, (ones, zeros, bad_ones, bad_zeros) in enumerate(sets)
    ]
    text = f"({','.join(written)})" if together else ",".join(f"({one})" for one in written)
    found = parse_counters(reply(text))
    assert [(one.errored_ones, one.errored_zeros) for one in found] == [tuple(one[2:]) for one in sets]
    assert [one.bits for one in found] == [sum(one) for one in sets]
    assert [one.location for one in found] == [f"M{place}.DataIn" for place in range(len(sets))]
