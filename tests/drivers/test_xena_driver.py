"""Xena chassis: the wire conversation of every method, and what it makes of replies that are none."""

from __future__ import annotations

import contextlib
import traceback

import pytest
import pyvisa.errors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyvisa.constants import StatusCode

from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InUseError,
    InvalidReadingError,
    NotSettledError,
    OutOfRangeError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.interfaces import FecStatistics
from drivers.scpi import ScpiSession
from drivers.xena_cli import RefusedError
from drivers.xena_xoa import XenaChassis

OK = "<OK>"
LOG_ON = (('C_LOGON "xena"', OK), ('C_OWNER "lanewise"', OK), ("C_TIMEOUT 86400", OK))
WHO = (
    ("C_SERIALNO ?", "C_SERIALNO  123456"),
    ("C_MODEL ?", 'C_MODEL  "Z800 Freya"'),
    ("C_VERSIONNO ?", "C_VERSIONNO  450 31"),
)
RESERVED = "0/0 P_RESERVATION ?"
BY_YOU = (RESERVED, "0/0  P_RESERVATION  RESERVED_BY_YOU")
BY_OTHER = (RESERVED, "0/0  P_RESERVATION  RESERVED_BY_OTHER")
RELEASED = (RESERVED, "0/0  P_RESERVATION  RELEASED")
TYPE = "PHY_LINE PRBS31 NON_INVERTED ACCUMULATIVE"
IS_TYPE = ("0/0 PP_PRBSTYPE ?", f"0/0  PP_PRBSTYPE  {TYPE}")
IN_STEP = (("C_SERIALNO ?", "C_SERIALNO 123456"), ("C_KEEPALIVE ?", "C_KEEPALIVE 7"))


def sends(lane, on):
    word = "PRBSON" if on else "PRBSOFF"
    return (f"0/0 PP_TXPRBSCONFIG [{lane - 1}] ?", f"0/0  PP_TXPRBSCONFIG  [{lane - 1}]  0 {word} ERRORSOFF")


def set_sending(lane, on, reads=None):
    word = "PRBSON" if on else "PRBSOFF"
    return (
        (f"0/0 PP_TXPRBSCONFIG [{lane - 1}] 0 {word} ERRORSOFF", OK),
        sends(lane, on if reads is None else reads),
    )


def status(lane, values):
    return (f"0/0 PP_RXPRBSSTATUS [{lane - 1}] ?", f"0/0 PP_RXPRBSSTATUS [{lane - 1}] {values}")


SILENT = tuple(sends(lane, False) for lane in (1, 2))


@pytest.fixture
def make_chassis(wire, scripted_session, counting_clock):
    wire.line_end = "\r\n"

    def make(**options):
        return XenaChassis(scripted_session, counting_clock, name="bert", options={"lanes": 2, **options})

    return make


@pytest.fixture
def chassis(wire, make_chassis):
    made = make_chassis()
    wire.expect(*LOG_ON, *WHO, RELEASED, *SILENT)
    made.connect()
    return made


@pytest.fixture
def running(wire, chassis):
    wire.expect(BY_YOU, IS_TYPE)
    chassis.start_pattern("PRBS31Q", generate=False)
    return chassis


def test_connect(wire, make_chassis):
    chassis = make_chassis(module=3, port=1, lanes=1, password="top", owner="Bob", idle_limit_s=600)
    wire.expect(('C_LOGON "top"', OK), ('C_OWNER "Bob"', OK), ("C_TIMEOUT 600", OK), *WHO)
    wire.expect(
        ("3/1 P_RESERVATION ?", "3/1 P_RESERVATION RELEASED"),
        ("3/1 PP_TXPRBSCONFIG [0] ?", b"3/1  PP_TXPRBSCONFIG  [0]  0 PRBSOFF ERRORSOFF\r\n"),
    )
    identity = chassis.connect()
    assert (identity.vendor, identity.model) == ("Xena", "Z800 Freya")
    assert (identity.serial, identity.firmware) == ("123456", "450.31")


def test_planes_and_lanes(make_chassis):
    chassis = make_chassis(lanes=8)
    assert (chassis.plane, chassis.generator_plane, chassis.self_measured) == ("TP4", "TP1a", False)
    assert chassis.lanes == tuple(range(1, 9))
    assert "PRBS31Q" in chassis.patterns == chassis.generator_patterns == chassis.checker_patterns
    assert "0/0" in chassis.detector


def test_a_pattern_that_was_left_on_is_stopped_where_another_lane_is_started(wire, make_chassis):
    chassis = make_chassis()
    wire.expect(*LOG_ON, *WHO, RELEASED, sends(1, True), sends(2, True))
    chassis.connect()
    wire.expect(BY_YOU, *set_sending(2, False), IS_TYPE, *set_sending(1, True))
    chassis.start_pattern("PRBS31Q", lanes=[1])
    wire.expect(BY_YOU, IS_TYPE, *set_sending(2, True))
    chassis.start_pattern("PRBS31Q", lanes=[2])  # lane 1 is this session's own


def test_a_pattern_that_was_left_on_is_stopped_where_frames_are_counted(wire, make_chassis):
    chassis = make_chassis()
    wire.expect(*LOG_ON, *WHO, RELEASED, sends(1, True), sends(2, False))
    chassis.connect()
    wire.expect(sends(1, True), sends(2, False))
    wire.expect(RELEASED, ("0/0 P_RESERVATION RESERVE", OK), BY_YOU)
    wire.expect(*set_sending(1, False), *set_sending(2, False))
    wire.expect(BY_YOU, ("0/0 P_RESERVATION RELEASE", OK), RELEASED)
    wire.expect(fec(1000, 10), fec(2000, 20))
    assert chassis.read_fec_histogram(1.0).histogram[:2] == (1000, 10)


def test_connect_to_a_port_of_another_user(wire, make_chassis):
    wire.expect(*LOG_ON, *WHO, BY_OTHER, ("0/0 P_RESERVEDBY ?", '0/0  P_RESERVEDBY  "alex k"'))
    with pytest.raises(InUseError, match=r"port 0/0 is reserved by 'alex k'.*take_over"):
        make_chassis().connect()


@pytest.mark.parametrize("answer", ["Thor,1,2,3", "---^", "<ok", ""])
def test_connect_to_something_else(wire, make_chassis, answer):
    wire.expect(('C_LOGON "xena"', answer))
    with pytest.raises(WrongIdentityError, match="does not answer as one"):
        make_chassis().connect()


def test_connect_to_nothing(wire, make_chassis, no_reply):
    wire.expect(('C_LOGON "xena"', no_reply))
    with pytest.raises(ConnectionFailedError, match="22611"):
        make_chassis().connect()


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ("<NOCONNECTIONS>", InUseError, "no connection left"),
        ("<BADVALUE>", RefusedError, "BADVALUE"),
        ("<SOMETHING_NEW>", RefusedError, "not documented"),
    ],
)
def test_a_logon_that_is_refused(wire, make_chassis, answer, error, says):
    wire.expect(('C_LOGON "xena"', answer))
    with pytest.raises(error, match=says):
        make_chassis().connect()


def test_a_port_that_is_not_there_is_the_bench_file_s_mistake(wire, make_chassis):
    wire.expect(*LOG_ON, *WHO, (RESERVED, "<BADPORT>"))
    with pytest.raises(RefusedError, match="option port in the bench file") as caught:
        make_chassis().connect()
    assert caught.value.status == "BADPORT"


def test_start_pattern(wire, chassis, counting_clock):
    wire.expect(RELEASED, ("0/0 P_RESERVATION RESERVE", OK), BY_YOU)
    wire.expect(("0/0 PP_PRBSTYPE ?", "0/0 PP_PRBSTYPE PHY_LINE PRBS7 NON_INVERTED ACCUMULATIVE"))
    wire.expect(*SILENT, (f"0/0 PP_PRBSTYPE {TYPE}", OK), IS_TYPE)
    wire.expect(*set_sending(1, True), *set_sending(2, True))
    chassis.start_pattern("PRBS31Q")
    assert counting_clock.now_s() == 1.0


def test_start_pattern_with_other_words(wire, make_chassis):
    chassis = make_chassis(inserted_at="CAUI_VIRTUAL", inverted=True, settle_s=0)
    wire.expect(BY_YOU, ("0/0 PP_PRBSTYPE ?", "0/0 pp_prbstype CAUI_VIRTUAL PRBS13 INVERTED accumulative"))
    wire.expect(*set_sending(2, True))
    chassis.start_pattern("PRBS13Q", [2], check=False)


def test_a_pattern_that_is_set_already_leaves_other_lanes_alone(wire, chassis):
    wire.expect(BY_YOU, IS_TYPE, *set_sending(2, True))
    chassis.start_pattern("PRBS31Q", [2])


@pytest.mark.parametrize(("lanes", "generate"), [([1], True), (None, False)])
def test_another_pattern_than_lanes_send_that_stay(wire, chassis, lanes, generate):
    wire.expect(BY_YOU, IS_TYPE, sends(1, False), sends(2, True))
    with pytest.raises(UnsupportedError, match="lanes 2 send another pattern"):
        chassis.start_pattern("PRBS13Q", lanes, generate=generate)


@pytest.mark.parametrize("answer", ["<NOTSUPPORTED>", "<BADVALUE>"])
def test_a_pattern_that_the_port_has_not(wire, chassis, answer):
    wire.expect(BY_YOU, IS_TYPE, *SILENT)
    wire.expect(("0/0 PP_PRBSTYPE PHY_LINE PRBS13 NON_INVERTED ACCUMULATIVE", answer))
    with pytest.raises(UnsupportedError, match="this port has no PRBS13Q"):
        chassis.start_pattern("PRBS13Q")


def test_what_is_refused_before_anything_is_sent(wire, chassis):
    before = len(wire.sent)
    with pytest.raises(UnsupportedError, match="SSPRQ"):
        chassis.start_pattern("SSPRQ")
    for lanes in ([], [0], [3]):
        with pytest.raises(OutOfRangeError):
            chassis.start_pattern("PRBS31Q", lanes)
        with pytest.raises(OutOfRangeError):
            chassis.measure_errors(lanes, 1.0)
    with pytest.raises(OutOfRangeError):
        chassis.start_pattern("PRBS31Q", generate=False, check=False)
    with pytest.raises(InstrumentError, match=r"start_pattern\(\) first"):
        chassis.measure_errors([1], 1.0)
    for gate_s in (-1.0, float("nan"), 1e9):
        with pytest.raises(OutOfRangeError):
            chassis.read_fec_histogram(gate_s)
    assert len(wire.sent) == before


def test_settings_that_do_not_stay(wire, chassis):
    wire.expect(BY_YOU, IS_TYPE, *set_sending(1, True, reads=False))
    with pytest.raises(NotSettledError, match="lane 1 was set to send"):
        chassis.start_pattern("PRBS31Q")
    wire.expect(BY_YOU, IS_TYPE, *SILENT)
    wire.expect(("0/0 PP_PRBSTYPE PHY_LINE PRBS7 NON_INVERTED ACCUMULATIVE", OK), IS_TYPE)
    with pytest.raises(NotSettledError, match="reads PHY_LINE PRBS31"):
        chassis.start_pattern("PRBS7Q")


@pytest.mark.parametrize("word", ["ERRORSON", "1"])
def test_a_lane_that_inserts_errors_is_not_started(wire, chassis, word):
    command, (query, answer) = set_sending(1, True)
    wire.expect(BY_YOU, IS_TYPE, command, (query, answer.replace("ERRORSOFF", word)))
    with pytest.raises(NotSettledError, match="lane 1 was set to insert no errors, and inserts some"):
        chassis.start_pattern("PRBS31Q")


def test_a_reservation_that_does_not_come(wire, chassis):
    wire.expect(RELEASED, ("0/0 P_RESERVATION RESERVE", OK), BY_OTHER)
    with pytest.raises(InUseError, match="reads RESERVED_BY_OTHER"):
        chassis.stop_pattern()


def test_taking_over(wire, make_chassis):
    chassis = make_chassis(take_over=True)
    wire.expect(BY_OTHER, ("0/0 P_RESERVATION RELINQUISH", OK), ("0/0 P_RESERVATION RESERVE", OK), BY_YOU)
    wire.expect(*set_sending(1, False), *set_sending(2, False))
    chassis.stop_pattern()


def test_stop_pattern(wire, chassis):
    wire.expect(BY_YOU, *set_sending(1, False), *set_sending(2, False))
    chassis.stop_pattern()


def test_measure_errors_counts_what_is_new(wire, running, counting_clock):
    wire.expect(BY_YOU, ("0/0 PP_RXCLEAR", OK))
    wire.expect(status(2, "1000 3 PRBSON"), status(1, "1000 0 PRBSONUNSTABLE"))
    wire.expect(status(2, "11000 10 PRBSON"), status(1, "21000 0 1"))
    began_s = counting_clock.now_s()
    second, first = running.measure_errors([2, 1], 5.0)
    assert (second.lane, second.bits, second.errors, second.locked) == (2, 80_000, 7, True)
    assert (first.lane, first.bits, first.errors, first.locked) == (1, 160_000, 0, True)
    assert second.gate_s == 5.0
    assert counting_clock.now_s() - began_s == 6.0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0 0 PRBSOFF", "0 0 PRBSOFF"),
        ("-1 -1 PRBSOFF", "18446744073709551615 18446744073709551615 PRBSOFF"),
        ("1000 0 PRBSON", "9000 0 PRBSOFFUNSTABLE"),
        ("1000 0 PRBSON", "9000 0 PRBSONUNSTABLE"),
        ("0 0 PRBSOFF", "9000 0 PRBSON"),
        ("1000 0 PRBSON", "1000 0 PRBSON"),
    ],
)
def test_a_lane_that_was_not_locked_all_the_time_is_a_result(wire, running, before, after):
    wire.expect(BY_YOU, ("0/0 PP_RXCLEAR", OK), status(1, before), status(1, after))
    (found,) = running.measure_errors([1], 1.0)
    assert not found.locked
    assert found.ber is None


def test_a_short_gate_lasts_until_counters_are_renewed(wire, running, counting_clock):
    wire.expect(BY_YOU, ("0/0 PP_RXCLEAR", OK), status(1, "0 0 PRBSON"), status(1, "8 0 PRBSON"))
    (found,) = running.measure_errors([1], 0.1)
    assert found.gate_s == 1.0


def test_counters_that_go_back(wire, running):
    wire.expect(BY_YOU, ("0/0 PP_RXCLEAR", OK), status(1, "900 0 PRBSON"), status(1, "800 0 PRBSON"))
    with pytest.raises(InvalidReadingError, match="went back"):
        running.measure_errors([1], 1.0)


FEC = "0/0 PP_RXFECSTATS ?"


def fec(*counts):
    zeros = [0] * (17 - len(counts))
    values = [*counts, *zeros]
    return (FEC, f"0/0 PP_RXFECSTATS  0 18 {' '.join(map(str, values))} {sum(values[:-1])}")


def test_read_fec_histogram(wire, chassis, counting_clock):
    wire.expect(*SILENT, fec(1000, 10), fec(78_001_000, 2_000_010, 300))
    found = chassis.read_fec_histogram(1.0)
    assert found == FecStatistics((78_000_000, 2_000_000, 300, *[0] * 14), 1.0)
    assert (found.codewords, found.uncorrectable_codewords) == (80_000_300, 0)
    assert found.pre_fec_ber == pytest.approx(2_000_600 / (80_000_300 * 5440))
    assert counting_clock.now_s() == 2.0


def test_the_documentation_s_example(wire, chassis):
    answer = (
        "0/0 PP_RXFECSTATS  0 18 11585906049992 460533565 106553 86 0 0 0 0 0 0 0 0 0 0 0 0 0 11586366690196"
    )
    wire.expect(*SILENT, fec(), (FEC, answer))
    found = chassis.read_fec_histogram(1.0)
    assert found.codewords == 11586366690196
    assert found.histogram[3] == 86


def test_fec_without_frames(wire, chassis):
    wire.expect(*SILENT, fec(), fec())
    found = chassis.read_fec_histogram(1.0)
    assert (found.codewords, found.pre_fec_ber) == (0, None)


def test_fec_statistics_come_a_while_after_clearing_or_never(wire, chassis, counting_clock):
    nothing = (FEC, f"0/0 PP_RXFECSTATS {' '.join(['-1'] * 20)}")
    wire.expect(*SILENT, nothing, nothing, fec(5), fec(9))
    assert chassis.read_fec_histogram(1.0).histogram[0] == 4
    wire.expect(*SILENT, *[nothing] * 11)
    with pytest.raises(InvalidReadingError, match="no FEC statistics"):
        chassis.read_fec_histogram(1.0)


def test_fec_while_a_pattern_is_sent(wire, chassis):
    wire.expect(sends(1, False), sends(2, True))
    with pytest.raises(InstrumentError, match="lanes 2 send a pattern"):
        chassis.read_fec_histogram(1.0)


def test_fec_of_another_code(wire, chassis):
    wire.expect(*SILENT, (FEC, "0/0 PP_RXFECSTATS 0 10 9 0 0 0 0 0 0 0 0 9"))
    with pytest.raises(UnsupportedError, match="corrects 7 symbols"):
        chassis.read_fec_histogram(1.0)


@pytest.mark.parametrize(
    "values", ["0 18 1 2 3", "0 18", "0", "0 18 x", " ".join(["0 18", *["1"] * 18]), "0 99 -5"]
)
def test_fec_statistics_that_make_no_sense(wire, chassis, values):
    wire.expect(*SILENT, (FEC, f"0/0 PP_RXFECSTATS {values}"))
    with pytest.raises(GarbledReplyError):
        chassis.read_fec_histogram(1.0)


def test_after_garbage_the_session_gets_into_step_first(wire, chassis):
    wire.expect(("C_SERIALNO ?", "C_SERIALNO 123456"), ("C_MODEL ?", "<OK>"))
    with pytest.raises(GarbledReplyError, match="no answer to this query"):
        chassis.identify()
    wire.expect(*IN_STEP, *WHO)
    assert chassis.identify().serial == "123456"


def test_a_syntax_error_is_two_lines(wire, chassis):
    wire.expect(("C_SERIALNO ?", b"---^\r\n#Syntax error in column 3\r\n"))
    with pytest.raises(GarbledReplyError):
        chassis.identify()
    wire.expect(*IN_STEP, *WHO)
    assert chassis.identify().model == "Z800 Freya"


def test_pending_is_refused_and_its_answer_does_not_stay_in_the_way(wire, chassis):
    wire.expect(RELEASED, ("0/0 P_RESERVATION RESERVE", b"<PENDING>\r\n<OK>\r\n"))
    with pytest.raises(RefusedError, match="PENDING"):
        chassis.stop_pattern()
    wire.expect(*IN_STEP, BY_YOU, *set_sending(1, False), *set_sending(2, False))
    chassis.stop_pattern()


def test_another_chassis_answers_all_of_a_sudden(wire, chassis):
    wire.expect(("C_SERIALNO ?", "garbage"))
    with pytest.raises(GarbledReplyError):
        chassis.identify()
    wire.expect(("C_SERIALNO ?", "C_SERIALNO 777"))
    with pytest.raises(WrongIdentityError, match="777"):
        chassis.identify()


def blind(*lanes):
    yield from (('C_LOGON "xena"', OK), ('C_OWNER "lanewise"', OK), ("0/0 P_RESERVATION RESERVE", OK))
    yield from ((f"0/0 PP_TXPRBSCONFIG [{lane - 1}] 0 PRBSOFF ERRORSOFF", OK) for lane in lanes)


@pytest.mark.parametrize("answer", ["no_reply", "<BADVALUE>", "Thor,1,2,3"])
def test_no_error_tells_the_password(wire, make_chassis, no_reply, answer):
    secret = "Tr0ub4dor"
    wire.expect((f'C_LOGON "{secret}"', no_reply if answer == "no_reply" else answer))
    with pytest.raises(InstrumentError) as caught:
        make_chassis(password=secret).connect()
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_make_safe(wire, chassis):
    wire.expect(*blind(1, 2), *IN_STEP)
    wire.expect(BY_YOU, *set_sending(1, False), *set_sending(2, False))
    wire.expect(BY_YOU, ("0/0 P_RESERVATION RELEASE", OK), RELEASED)
    steps = chassis.make_safe()
    assert [(step.action, step.read_back, step.safe) for step in steps] == [
        ("no lane sends a pattern", "off on lanes 1, 2", True),
        ("port released", "RELEASED", True),
    ]


def test_make_safe_tells_what_does_not_come_off(wire, chassis):
    wire.expect(*blind(1, 2), *IN_STEP)
    wire.expect(BY_YOU, *set_sending(1, False, reads=True))
    wire.expect(BY_YOU, ("0/0 P_RESERVATION RELEASE", OK), BY_YOU)
    steps = chassis.make_safe()
    assert [step.safe for step in steps] == [False, False]
    assert "still reserved" in steps[1].read_back


def test_make_safe_of_a_chassis_that_does_not_answer_still_tells_it(wire, chassis, no_reply):
    wire.expect(*((command, None) for command, _ in blind(1, 2)), ("C_SERIALNO ?", no_reply))
    steps = chassis.make_safe()
    assert [step.safe for step in steps] == [False, False]
    assert "blindly" in steps[0].read_back


@pytest.mark.parametrize(
    "options",
    [
        {"module": -1},
        {"port": 300},
        {"lanes": 0},
        {"lanes": True},
        {"password": ""},
        {"password": 'a"b'},
        {"owner": "x" * 33},
        {"owner": "line\nbreak"},
        {"inserted_at": "HERE"},
        {"counter_update_s": -1.0},
        {"settle_s": float("nan")},
        {"idle_limit_s": 1},
    ],
)
def test_options_that_cannot_be(make_chassis, options):
    with pytest.raises(BenchError, match=next(iter(options))):
        make_chassis(**options)


class Parrot:
    """Answers everything with the same bytes; then is silent."""

    resource_name = "TCPIP0::parrot::22611::SOCKET"
    session = 1
    timeout = 0
    read_termination = write_termination = None

    def __init__(self, answer):
        self.answer = answer
        self.waiting = b""

    def write(self, *_args, **_kwargs):
        self.waiting = self.answer

    @property
    def visalib(self):
        return self

    def ignore_warning(self, *_codes):
        return contextlib.nullcontext()

    def read(self, _session, count):
        end = self.waiting.find(b"\n", 0, count) + 1
        if not end:
            self.waiting = b""
            raise pyvisa.errors.VisaIOError(StatusCode.error_timeout)
        part, self.waiting = self.waiting[:end], self.waiting[end:]
        return part, StatusCode.success_termination_character_read


WORDS = st.sampled_from(
    (
        "0/0 PP_RXFECSTATS PP_RXPRBSSTATUS [0] P_RESERVATION RESERVED_BY_YOU 0 18 -1 <OK> <NOTRESERVED> "
        f'"x" " [ PRBSON {"9" * 30} é C_MODEL C_SERIALNO'
    ).split()
)
ANSWERS = st.binary(max_size=40) | st.lists(WORDS, max_size=24).map(
    lambda words: " ".join(words).encode("latin-1")
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWERS)
def test_whatever_it_answers_is_a_value_or_our_error(counting_clock, answer):
    session = ScpiSession(Parrot(answer + b"\r\n"), counting_clock, name="bert")
    chassis = XenaChassis(session, counting_clock, name="bert", options={"lanes": 1})
    for method in (
        chassis.connect,
        chassis.identify,
        lambda: chassis.read_fec_histogram(1.0),
        lambda: chassis.start_pattern("PRBS31Q"),
        lambda: chassis._lane_status(1),
        lambda: chassis._fec_counts(),
    ):
        session._dirty = session._distrusted = False  # each parser sees it, and not only the first
        with contextlib.suppress(BenchError):
            method()
