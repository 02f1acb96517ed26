"""The Xena driver on the simulated chassis: sessions, reservations, refusals, idle sessions, wire faults."""

from __future__ import annotations

import pytest

from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InUseError,
    NoReplyError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.xena_cli import RefusedError
from drivers.xena_xoa import XenaChassis
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern

XENA = "xena-xoa"
PRBS31Q, PRBS13Q = Pattern(0), Pattern(6)


class Wire:
    """A module that sends back, on each lane, what it gets."""

    def __init__(self, lanes):
        self.lanes = lanes
        self.broken = False

    def host_output_signal(self, host_lane):
        return None if self.broken else self.lanes.host_signal(host_lane)


@pytest.fixture
def lanes(small_bench):
    found = small_bench.surroundings.host_lanes
    found.connect_module(Wire(found))
    return found


@pytest.fixture
def another_user(small_bench):
    def make(**options):
        session = small_bench.session(XENA)
        return XenaChassis(session, small_bench.clock, name="other", options=options)

    return make


def test_what_it_sends_and_what_comes_back(small_bench, lanes):
    chassis = small_bench.open(XENA)
    chassis.start_pattern("PRBS31Q", [1, 8])
    assert [lanes.host_signal(lane) for lane in (1, 2, 8)] == [
        LineSignal((PRBS31Q,)),
        TRAFFIC,
        LineSignal((PRBS31Q,)),
    ]
    first, last = chassis.measure_errors([1, 8], 2.0)
    assert (first.locked, last.locked, first.errors) == (True, True, 0)
    chassis.stop_pattern()
    assert lanes.host_signal(1) is TRAFFIC
    assert chassis.read_fec_histogram(1.0).histogram == (78_125_000, *[0] * 16)


def test_changing_the_pattern_of_all_lanes(small_bench, lanes):
    chassis = small_bench.open(XENA)
    chassis.start_pattern("PRBS31Q")
    chassis.start_pattern("PRBS13Q")
    assert {lanes.host_signal(lane) for lane in range(1, 9)} == {LineSignal((PRBS13Q,))}
    assert all(lane.locked for lane in chassis.measure_errors(chassis.lanes, 1.0))
    with pytest.raises(UnsupportedError, match="lanes 3, 4, 5, 6, 7, 8 send another"):
        chassis.start_pattern("PRBS31Q", [1, 2])


def test_a_pattern_that_the_port_lacks(small_bench, lanes):
    chassis = small_bench.open(XENA, peer_options={"polynomials": ["PRBS31"]})
    with pytest.raises(UnsupportedError, match="this port has no PRBS9Q"):
        chassis.start_pattern("PRBS9Q")


def test_another_user_s_reservation(small_bench, lanes, another_user):
    first = small_bench.open(XENA)
    first.start_pattern("PRBS31Q")
    with pytest.raises(InUseError, match="port 0/0 is reserved by 'lanewise'"):
        another_user(owner="Bob").connect()
    first.make_safe()
    another_user(owner="Bob").connect()


def test_the_port_is_taken_from_us(small_bench, lanes, another_user):
    chassis = small_bench.open(XENA)
    chassis.start_pattern("PRBS31Q")
    other = another_user(owner="Bob", take_over=True)
    other.connect()
    other.start_pattern("PRBS31Q")
    with pytest.raises(InUseError, match="Bob"):
        chassis.measure_errors([1], 1.0)
    patterns, reservation = chassis.make_safe()
    assert not patterns.safe
    assert "Bob" in patterns.read_back
    assert reservation.read_back == "RESERVED_BY_OTHER"


def test_a_user_who_only_looks_is_not_in_the_way(small_bench, lanes):
    chassis = small_bench.open(XENA)
    small_bench.peers[XENA].reserve_for("Bob")
    assert chassis.read_fec_histogram(1.0).codewords == 78_125_000
    with pytest.raises(InUseError):
        chassis.start_pattern("PRBS31Q")
    small_bench.peers[XENA].reserve_for("")
    chassis.start_pattern("PRBS31Q")


def test_a_reservation_outlives_its_session_for_its_owner(small_bench, lanes, another_user):
    first = small_bench.open(XENA)
    first.start_pattern("PRBS31Q")
    first.session.close()
    with pytest.raises(InUseError, match="lanewise"):
        another_user(owner="Bob").connect()
    again = another_user()
    again.connect()  # who looks changes nothing
    assert lanes.host_signal(1) is not TRAFFIC
    assert again.read_fec_histogram(1.0).codewords > 0  # stops the pattern that was left on
    assert lanes.host_signal(1) is TRAFFIC
    another_user(owner="Bob").connect()


def test_make_safe_without_connecting(small_bench, lanes, another_user):
    first = small_bench.open(XENA)
    first.start_pattern("PRBS31Q")
    first.session.close()
    steps = another_user().make_safe()
    assert [step.safe for step in steps] == [True, True]
    assert {lanes.host_signal(lane) for lane in range(1, 9)} == {TRAFFIC}


def test_the_wrong_password_and_the_wrong_place(small_bench, lanes):
    with pytest.raises(RefusedError, match="BADVALUE"):
        small_bench.open(XENA, options={"password": "wrong"})
    with pytest.raises(RefusedError, match="option module"):
        small_bench.open(XENA, options={"module": 1})
    with pytest.raises(RefusedError, match="option port"):
        small_bench.open(XENA, options={"port": 1})
    with pytest.raises(RefusedError, match="option lanes"):
        small_bench.open(XENA, options={"lanes": 9})


def test_before_logging_on_it_tells_nothing(small_bench, another_user):
    with pytest.raises(RefusedError, match="not logged on"):
        another_user().identify()


def test_an_idle_session_is_closed_unless_it_asked_for_longer(small_bench, lanes):
    patient = small_bench.open(XENA)
    small_bench.clock.sleep(3000.0)
    assert patient.identify().vendor == "Xena"
    hasty = small_bench.open(XENA, options={"idle_limit_s": 20})
    small_bench.clock.sleep(19.0)
    hasty.identify()
    small_bench.clock.sleep(21.0)
    with pytest.raises(ConnectionFailedError):
        hasty.identify()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("", ""),
        ("sync", "<SYNC>"),
        ("c_keepalive ?", "C_KEEPALIVE  1"),
        ("0/0 p_reservation ?", "0/0  P_RESERVATION  RESERVED_BY_YOU"),
        ("0/0 P_RESERVATION 5", "<BADVALUE>"),
        ("0/0 PP_TXPRBSCONFIG [ 0 ] 0 1 0", "<OK>"),
        ("0/0 PP_TXPRBSCONFIG [0] 0 PRBSON", "<BADSIZE>"),
        ("0/0 PP_TXPRBSCONFIG [0] 0 PRBSON ERRORSOFF 1", "<BADSIZE>"),
        ("0/0 PP_TXPRBSCONFIG [0] x PRBSON ERRORSOFF", "<BADVALUE>"),
        ("0/0 PP_TXPRBSCONFIG [0] 0 PRBSON ERRORSON", "<NOTSUPPORTED>"),
        ("0/0 PP_TXPRBSCONFIG [8] ?", "<BADINDEX>"),
        ("0/0 PP_RXCLEAR ?", "<NOTREADABLE>"),
        ("0/0 PP_RXFECSTATS 1", "<NOTWRITABLE>"),
        ("1/0 PP_RXFECSTATS ?", "<BADMODULE>"),
        ("0/7 PP_RXFECSTATS ?", "<BADPORT>"),
        ('C_OWNER "lanewise"', "<OK>"),
        ("C_OWNER lanewise", "<BADVALUE>"),
    ],
)
def test_its_answers(small_bench, lanes, line, answer):
    chassis = small_bench.open(XENA)
    chassis.stop_pattern()
    client = next(iter(small_bench.peers[XENA]._sessions))
    small_bench.peers[XENA]._kept_alive = 0
    assert small_bench.peers[XENA].answer_to(client, line) == answer


def test_a_setting_needs_the_reservation_and_a_reservation_an_owner(small_bench, another_user):
    session = another_user().session
    assert session.query('C_LOGON "xena"').text == "<OK>"
    assert session.query("0/0 PP_RXCLEAR").text == "<NOTRESERVED>"
    assert session.query("0/0 P_RESERVATION RESERVE").text == "<NOTVALID>"
    assert session.query("0/0 P_RESERVATION RELEASE").text == "<NOTRESERVED>"
    assert session.query("0/0 P_RESERVATION RELINQUISH").text == "<NOTVALID>"


def test_an_unknown_command_is_answered_with_two_lines(small_bench):
    session = small_bench.open(XENA).session
    assert session.query("*IDN?").text.endswith("^")
    assert session.query("C_SERIALNO ?").text == "#Syntax error in column 1"


def test_total_statistics_are_of_the_same_codewords(small_bench, lanes):
    chassis = small_bench.open(XENA)
    query = chassis.session.query
    assert query("0/0 PP_RXTOTALSTATS ?").text.endswith(" ".join(["-1"] * 7))
    small_bench.clock.sleep(2.0)
    bits, codewords, *rest = map(int, query("0/0 PP_RXTOTALSTATS ?").text.split()[2:])
    assert bits == 5440 * codewords > 0
    assert rest == [0, 0, 0, -(bits // 3), -(bits // 3)]


def test_a_broken_wire(small_bench, lanes):
    chassis = small_bench.open(XENA)
    chassis.start_pattern("PRBS31Q")
    lanes._module.broken = True
    small_bench.clock.sleep(1.0)
    assert not any(lane.locked for lane in chassis.measure_errors(chassis.lanes, 1.0))


def test_a_chassis_that_dies_or_talks_nonsense(small_bench, lanes):
    chassis = small_bench.open(XENA)
    chassis.start_pattern("PRBS31Q")
    small_bench.peers[XENA].garble()
    with pytest.raises(GarbledReplyError):
        chassis.measure_errors([1], 1.0)
    assert not any(step.safe for step in chassis.make_safe())
    small_bench.peers[XENA].garble(on=False)
    assert all(step.safe for step in chassis.make_safe())
    small_bench.peers[XENA].die()
    with pytest.raises(NoReplyError):
        chassis.identify()
    with pytest.raises(InstrumentError):
        chassis.stop_pattern()
    small_bench.peers[XENA].drop_connections()
    with pytest.raises(ConnectionFailedError):
        chassis.identify()


def test_another_chassis_is_found_when_it_gets_in_step(small_bench):
    chassis = small_bench.open(XENA)
    small_bench.peers[XENA].fail("wrong_identity")
    with pytest.raises(WrongIdentityError, match="another instrument answers"):
        chassis.session.resynchronise()
