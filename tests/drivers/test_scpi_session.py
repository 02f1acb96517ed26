"""The session: what goes over the wire, what becomes of faults, and what is never left behind."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
import pyvisa
import pyvisa.errors
from pyvisa.constants import StatusCode

from drivers.clock import StopRequested, WallClock
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    NoReplyError,
    NotSettledError,
    OutOfRangeError,
    PartialReplyError,
    WrongIdentityError,
)
from drivers.interfaces import Identity
from drivers.scpi import ScpiSession, option

IDN = "Maker,Model,S1,1.0"
OK = '+0,"No error"'


def test_query_sends_one_line_and_returns_the_reply(wire, scripted_session):
    wire.expect(("A?", "+1.0"))
    assert scripted_session.query("A?").real() == 1.0
    assert scripted_session.round_trips == 1
    assert (wire.read_termination, wire.write_termination) == ("\n", "\n")


def test_carriage_return_before_the_line_feed_is_taken_off(wire, scripted_session):
    wire.expect(("A?", b"25.1\r\n"))
    assert scripted_session.query("A?").text == "25.1"


def test_time_limit_is_set_for_each_call(wire, scripted_session):
    wire.expect(("A?", "1"), ("B?", "1"), ("C?", "1"))
    scripted_session.query("A?")
    scripted_session.query("B?", time_limit_s=12.5)
    scripted_session.query("C?")
    assert wire.limits_ms == {"A?": 3000, "B?": 12500, "C?": 3000}


def test_command_reads_the_error_queue_until_empty(wire, scripted_session):
    wire.expect(("V 9", None), (":SYST:ERR?", '-222,"Data out of range"'), (":SYST:ERR?", OK))
    with pytest.raises(InstrumentReportedError, match=r"meter.*-222.*V 9") as caught:
        scripted_session.command("V 9")
    assert caught.value.entries == ((-222, "Data out of range"),)


def test_error_queue_that_never_empties_is_bounded(wire, scripted_session):
    wire.expect(*[(":SYST:ERR?", '-350,"Queue overflow"')] * 64)
    with pytest.raises(GarbledReplyError, match="not empty"):
        scripted_session.drain_errors()


def test_unchecked_command_and_instrument_without_queue(wire, scripted_session):
    wire.expect(("A", None), ("B", None))
    scripted_session.command("A", check=False)
    scripted_session.error_query = None
    scripted_session.command("B")
    assert scripted_session.drain_errors() == ()


def test_two_lines_in_one_command_are_refused_unsent(wire, scripted_session):
    with pytest.raises(OutOfRangeError):
        scripted_session.command("A\nB")
    assert not scripted_session.dirty


def test_block_with_line_feeds_inside(wire, scripted_session):
    data = b"\n\n1234\n"
    wire.expect(("B?", b"#17" + data + b"\n"), ("A?", "1"))
    assert scripted_session.query_block("B?") == data
    assert scripted_session.query("A?").text == "1"  # nothing of the block was left behind


def test_block_with_crlf(wire, scripted_session):
    wire.expect(("B?", b"#12ab\r\n"))
    assert scripted_session.query_block("B?") == b"ab"


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"#216abc\n", PartialReplyError),
        (b"#2\n", GarbledReplyError),
        (b"#\n", GarbledReplyError),
        (b"+1.0\n", GarbledReplyError),
        (b"\n", GarbledReplyError),
        (b"#12abX\n", GarbledReplyError),
        (b"#12abcdef\n", GarbledReplyError),
        (b"#12", PartialReplyError),
        (b"", NoReplyError),
    ],
)
def test_bad_blocks(wire, scripted_session, raw, error):
    wire.expect(("B?", raw))
    with pytest.raises(error):
        scripted_session.query_block("B?")
    assert scripted_session.dirty


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (pyvisa.errors.VisaIOError(StatusCode.error_timeout), NoReplyError),
        (pyvisa.errors.VisaIOError(StatusCode.error_connection_lost), ConnectionFailedError),
        (pyvisa.errors.InvalidSession(), ConnectionFailedError),
        (BrokenPipeError(32, "Broken pipe"), ConnectionFailedError),
        (ConnectionResetError(104, "reset"), ConnectionFailedError),
        (EOFError(), ConnectionFailedError),
    ],
)
def test_faults_of_the_library_become_ours(wire, scripted_session, fault, error):
    wire.expect(("A?", fault))
    with pytest.raises(error, match=r"meter.*A\?") as caught:
        scripted_session.query("A?")
    assert caught.value.__cause__ is fault
    assert scripted_session.dirty


def test_probe_says_that_nothing_answers(wire, scripted_session, no_reply):
    wire.expect(("*IDN?", no_reply))
    with pytest.raises(ConnectionFailedError, match="nothing answers"):
        scripted_session.probe()


def test_a_stop_request_is_honoured_between_transactions_only(wire, scripted_session, counting_clock):
    wire.expect(("A?", "1"))
    scripted_session.query("A?")
    counting_clock.stop.request("enough")
    with pytest.raises(StopRequested):
        scripted_session.query("A?")
    assert not scripted_session.dirty


def test_after_an_interrupt_the_stale_reply_is_never_taken_for_the_next(wire, scripted_session):
    wire.expect(("*IDN?", IDN), ("A?", KeyboardInterrupt()))
    scripted_session.identify()
    with pytest.raises(KeyboardInterrupt):
        scripted_session.query("A?")
    assert scripted_session.dirty
    wire.leave_stale(b"+1.111\n")
    wire.expect(
        ("*IDN?", IDN),
        ("*STB?", "+4"),
        (":SYST:ERR?", '-410,"Query INTERRUPTED"'),
        (":SYST:ERR?", OK),
        ("B?", "+2.0"),
    )
    assert scripted_session.query("B?").real() == 2.0
    assert scripted_session.errors_at_resynchronisation == ((-410, "Query INTERRUPTED"),)


def test_a_reply_that_comes_late_while_resynchronising_is_passed_over(wire, scripted_session, no_reply):
    wire.expect(("*IDN?", IDN), ("A?", no_reply))
    scripted_session.identify()
    with pytest.raises(NoReplyError):
        scripted_session.query("A?")
    wire.expect(("*IDN?", b"+1.111\n" + IDN.encode() + b"\n"), ("*STB?", "0"), (":SYST:ERR?", OK))
    assert scripted_session.resynchronise() == ()
    assert not scripted_session.dirty


def test_resynchronising_finds_another_instrument(wire, scripted_session):
    wire.expect(("*IDN?", IDN))
    scripted_session.identify()
    wire.expect(("*IDN?", "Other,Thing,S2,1.0"))
    with pytest.raises(WrongIdentityError):
        scripted_session.resynchronise()
    assert scripted_session.dirty


def test_device_clear_is_used_where_the_transport_has_one(wire, scripted_session):
    wire.resource_name = "TCPIP0::scripted::inst0::INSTR"
    wire.leave_stale(b"stale\n")
    wire.expect_resynchronisation(IDN)
    scripted_session.resynchronise()
    assert wire.clears == 1


def test_raw_sockets_are_drained_and_not_cleared(wire, scripted_session):
    wire.leave_stale(b"stale\nstale\n")
    wire.expect_resynchronisation(IDN)
    scripted_session.resynchronise()
    assert wire.clears == 0


@pytest.mark.parametrize(
    ("reply", "parse"),
    [
        ("^", lambda reply: reply.real()),
        ("", lambda reply: reply.real()),
        ("12", lambda reply: reply.string()),
        ("300", lambda reply: reply.integer(0, 255)),
        ("1,2", lambda reply: reply.reals(3)),
        ("A,B", lambda reply: reply.identity()),
    ],
)
def test_a_reply_that_makes_no_sense_leaves_the_session_dirty(wire, scripted_session, reply, parse):
    wire.expect(("A?", reply))
    asked = scripted_session.query("A?")
    assert not scripted_session.dirty
    with pytest.raises(InstrumentError):
        parse(asked)
    assert scripted_session.dirty
    wire.expect_resynchronisation(IDN)
    wire.expect(("B?", "7"))
    assert scripted_session.query("B?").real() == 7.0
    assert not scripted_session.dirty


def test_what_follows_the_synchronising_reply_is_stale_and_it_is_asked_again(wire, scripted_session):
    wire.expect(("*IDN?", IDN))
    scripted_session.identify()
    wire.expect(
        ("*IDN?", IDN),
        ("*STB?", IDN.encode() + b"\n0\n+1.5\n"),  # a second identity before, a reading after
        ("*STB?", "0"),
        (":SYST:ERR?", OK),
    )
    scripted_session.resynchronise()
    assert not scripted_session.dirty


def test_resynchronising_ends_in_time_though_every_reply_comes_in_time(
    wire, scripted_session, counting_clock
):
    class Chatter:
        """Something is always there to read, a second of bench time later."""

        sessions = None

        def read(self, session, count):
            counting_clock.sleeps.append(1.0)
            return b"x\n", StatusCode.success_termination_character_read

    wire.__class__ = type("Chattering", (type(wire),), {"visalib": Chatter()})
    with pytest.raises(GarbledReplyError, match="do not agree"):
        scripted_session.resynchronise()
    assert counting_clock.now_s() <= scripted_session.resynchronisation_limit_s + 1.0
    assert scripted_session.dirty


def test_what_a_query_left_in_the_error_queue_is_not_laid_to_the_next_setting(wire, scripted_session):
    wire.expect(("A?", "1"), (":SYST:ERR?", '-222,"left"'), (":SYST:ERR?", OK))
    scripted_session.query("A?")
    with pytest.raises(InstrumentReportedError, match="before V 1") as caught:
        scripted_session.command("V 1")
    assert caught.value.entries == ((-222, "left"),)
    wire.expect_set("V 1", "V 2")  # the queue was read empty: nothing is asked before
    scripted_session.command("V 1")
    scripted_session.command("V 2")


def test_tolerated_errors_are_kept_and_not_raised(wire, scripted_session):
    scripted_session.tolerated_errors = frozenset({-231})
    wire.expect(("A?", "1"), (":SYST:ERR?", '-231,"questionable"'), (":SYST:ERR?", OK))
    wire.expect(
        ("V 1", None), (":SYST:ERR?", '-231,"again"'), (":SYST:ERR?", '-222,"no"'), (":SYST:ERR?", OK)
    )
    scripted_session.query("A?")
    with pytest.raises(InstrumentReportedError) as caught:
        scripted_session.command("V 1")
    assert caught.value.entries == ((-222, "no"),)
    assert scripted_session.errors_tolerated == ((-231, "questionable"), (-231, "again"))


@pytest.mark.parametrize("action", ["close", "send_blind"])
def test_a_thread_that_does_not_come_back_holds_up_neither_closing_nor_making_safe(
    wire, scripted_session, monkeypatch, action
):
    monkeypatch.setattr("drivers.scpi._LOCK_LIMIT_S", 0.01)
    entered, let_go = threading.Event(), threading.Event()
    closed = []
    monkeypatch.setattr(wire, "close", lambda: closed.append(True))

    def read(session, count):
        entered.set()
        let_go.wait(30)
        return b"1\n", StatusCode.success_termination_character_read

    monkeypatch.setattr(wire, "read", read)
    wire.expect(("A?", None), *([("OUTP OFF", None)] if action == "send_blind" else []))
    thread = threading.Thread(target=scripted_session.query, args=("A?",), daemon=True)
    thread.start()
    assert entered.wait(30)
    try:
        if action == "close":
            scripted_session.close()
            assert closed == [True]
        else:
            scripted_session.send_blind("OUTP OFF")
            assert wire.sent[-1] == "OUTP OFF"
        assert thread.is_alive()  # and it still holds the session
    finally:
        let_go.set()
        thread.join(30)
    if action == "send_blind":
        assert scripted_session.dirty  # also after the transaction that it went across


def test_blind_sending_leaves_the_session_dirty(wire, scripted_session):
    wire.expect(("OUTP OFF", None))
    scripted_session.send_blind("OUTP OFF")
    assert scripted_session.dirty


def test_wait_complete_polls_through_the_clock(wire, scripted_session, counting_clock):
    wire.expect(("*ESR?", "1"), ("*OPC", None), ("*ESR?", "0"), ("*ESR?", "0"), ("*ESR?", "1"))
    assert scripted_session.wait_complete(10.0, interval_s=0.5) == pytest.approx(1.0)
    assert counting_clock.sleeps == [0.5, 0.5]


def test_wait_complete_gives_up(wire, scripted_session):
    wire.expect(("*ESR?", "0"), ("*OPC", None), ("*ESR?", "0"), ("*ESR?", "0"), ("*ESR?", "0"))
    with pytest.raises(NotSettledError, match="1 s"):
        scripted_session.wait_complete(1.0, interval_s=0.5)


def test_round_trip_measures(wire, scripted_session):
    wire.expect(*[("*IDN?", IDN)] * 3)
    assert scripted_session.round_trip_s(3) >= 0.0
    assert scripted_session.round_trips == 3


def test_options_are_typed():
    assert option({"x": 2}, "x", 1.0, instrument="opm") == 2.0
    assert option({}, "x", True, instrument="opm") is True
    with pytest.raises(BenchError, match=r"opm.*'x'.*bool"):
        option({"x": 1}, "x", True, instrument="opm")


# -- pyvisa-py over real sockets -----------------------------------------------------------------------


class LineServer:
    """Answers ``*IDN?`` and ``:SYST:ERR?``; what else ends in ``?`` it answers with itself, or as told."""

    def __init__(self, *, hang_up_on: str = "") -> None:
        self._hang_up_on = hang_up_on
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            with client, client.makefile("rb") as lines:
                for line in lines:
                    text = line.decode().strip()
                    if text == self._hang_up_on:
                        return
                    answers = {"*IDN?": IDN, "*STB?": "+0", ":SYST:ERR?": OK}
                    if text.endswith("?"):
                        client.sendall(answers.get(text, text).encode() + b"\n")

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def over_tcp():
    servers, managers = [], []

    def opened(server: LineServer, time_limit_s: float = 3.0) -> ScpiSession:
        servers.append(server)
        manager = pyvisa.ResourceManager("@py")
        managers.append(manager)
        resource = manager.open_resource(f"TCPIP::127.0.0.1::{server.port}::SOCKET")
        return ScpiSession(resource, WallClock(), name="tcp", time_limit_s=time_limit_s)

    yield opened
    for manager in managers:
        manager.close()
    for server in servers:
        server.close()


def test_nodelay_is_set_on_the_socket_itself(over_tcp):
    session = over_tcp(LineServer())
    resource = session._resource
    interface = resource.visalib.sessions[resource.session].interface
    assert interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    session.command("SET 1")
    assert session.query("A?").text == "A?"
    assert session.identify() == Identity("Maker", "Model", "S1", "1.0")


def test_peer_that_hangs_up_is_a_broken_connection_and_no_time_out(over_tcp):
    session = over_tcp(LineServer(hang_up_on="BYE?"), time_limit_s=0.3)
    session.identify()
    with pytest.raises(ConnectionFailedError, match=r"closed the connection.*BYE\?"):
        session.query("BYE?")
    for _ in range(3):  # later a raw BrokenPipeError comes out of pyvisa-py
        with pytest.raises(ConnectionFailedError):
            session.query("A?")


class ScriptServer:
    """Answers each line with what ``answer(line)`` gives: bytes sent one after the other, numbers waited for
    (seconds), None hangs up.
    """

    def __init__(self, answer) -> None:
        self._answer = answer
        self.heard: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, client.makefile("rb") as lines:
                for line in lines:
                    text = line.decode().strip()
                    self.heard.append(text)
                    for part in self._answer(text):
                        if part is None:
                            client.shutdown(socket.SHUT_RDWR)
                            return
                        if isinstance(part, bytes):
                            client.sendall(part)
                        else:
                            self._done.wait(part)

    def close(self) -> None:
        self._done.set()
        self._listener.close()
        self._thread.join(5)


USUAL = {"*IDN?": [IDN.encode() + b"\n"], "*STB?": [b"0\n"], ":SYST:ERR?": [OK.encode() + b"\n"]}


def answering(**replies):
    """``ScriptServer``'s answers: the usual ones, and those given (``A`` for ``A?``)."""
    table = {**USUAL, **{f"{key}?": parts for key, parts in replies.items()}}
    return lambda line: table.get(line, [])


def test_a_stray_line_shifts_one_reply_and_no_more(over_tcp):
    turns = iter([[b"^\n25.0\n"], [b"25.0\n"]])
    table = {**USUAL, "TMPD?": [b"70.0\n"], "SETP?": [b"55.0\n"]}
    session = over_tcp(ScriptServer(lambda line: next(turns) if line == "TMPA?" else table.get(line, [])))
    session.identify()
    with pytest.raises(GarbledReplyError):
        session.query("TMPA?").real()
    assert [session.query(q).real() for q in ("TMPD?", "SETP?", "TMPD?", "TMPA?")] == [70, 55, 70, 25]


def test_a_line_that_nobody_asked_for_is_noticed_before_the_next_query(over_tcp):
    session = over_tcp(ScriptServer(answering(A=[b"1.0\n^\n"], B=[b"2.0\n"])))
    session.identify()
    assert session.query("A?").real() == 1.0
    assert [session.query("B?").real() for _ in range(2)] == [2.0, 2.0]


def test_an_instrument_slower_than_the_drain_does_not_leave_a_second_identity(over_tcp):
    late = iter([0.5])
    table = {"*IDN?": IDN, "*STB?": "0", "V?": "3.3", "I?": "1.7"}
    session = over_tcp(
        ScriptServer(lambda line: [next(late, 0.15), table[line].encode() + b"\n"]), time_limit_s=0.3
    )
    session.error_query = None
    with pytest.raises(NoReplyError):
        session.identify()
    assert [session.query(q).real() for q in ("V?", "I?", "V?")] == [3.3, 1.7, 3.3]
    assert session.identify() == Identity("Maker", "Model", "S1", "1.0")


@pytest.mark.parametrize("part", [b"+1.3", b"#216ab\ncd"])
def test_what_came_of_a_reply_is_told_when_the_rest_does_not_come(over_tcp, part):
    session = over_tcp(ScriptServer(answering(A=[part])), time_limit_s=0.3)
    session.identify()
    ask = session.query_block if part.startswith(b"#") else session.query
    with pytest.raises(PartialReplyError, match=r"A\?") as caught:
        ask("A?")
    assert caught.value.reply == part
    assert session.dirty


@pytest.mark.parametrize("part", [b"", b"+1.3", b"#216ab\ncd"])
def test_a_peer_that_closes_in_the_middle_of_a_reply_is_known_at_once(over_tcp, part):
    """With a time limit of an hour: a read that waits for it does not end, whatever the machine."""
    session = over_tcp(ScriptServer(answering(A=[part, None])), time_limit_s=3600.0)
    session.identify()
    ask = session.query_block if part.startswith(b"#") else session.query
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        ask("A?")


def test_a_reply_in_small_pieces_is_one_reply(over_tcp):
    line = [bytes([byte]) for byte in b"+1.25\n"]
    block = [bytes([byte]) for byte in b"#2100123\n\n6789\n"]
    session = over_tcp(ScriptServer(answering(A=line, B=block)))
    assert session.query("A?").real() == 1.25
    assert session.query_block("B?") == b"0123\n\n6789"
    assert session.query("A?").real() == 1.25


def test_eight_threads_on_one_session_get_their_own_replies(over_tcp):
    session = over_tcp(LineServer())
    wrong: list[tuple[str, str]] = []

    def hammer(number: int) -> None:
        for turn in range(40):
            asked = f"T{number}:N{turn}?"
            answer = session.query(asked).text
            if answer != asked:
                wrong.append((asked, answer))

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert session.round_trips == 320


class TricklingResource:
    """A library's resource (no raw socket) whose parts come each within its time-out, and never end."""

    resource_name = "USB0::1::2::3::INSTR"
    session = 1
    read_termination = write_termination = None

    def __init__(self, clock, part: bytes, every_s: float) -> None:
        self._clock, self._part, self._every_s = clock, part, every_s
        self.timeout = 2000
        self.timeouts_ms: list[int] = []

    @property
    def visalib(self):
        return self

    def ignore_warning(self, *codes):
        return contextlib.nullcontext()

    def write(self, message, termination=None):
        return len(message)

    def read(self, session, count):
        self.timeouts_ms.append(self.timeout)
        if self._every_s > self.timeout / 1000:
            self._clock.sleeps.append(self.timeout / 1000)
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        self._clock.sleeps.append(self._every_s)
        return self._part[:count], pyvisa.constants.StatusCode.success_max_count_read


@pytest.mark.parametrize(("part", "every_s"), [(b"x", 0.09), (b"x", 0.8), (b"#", 2.0)])
def test_a_reply_in_parts_has_one_limit_on_every_transport(counting_clock, part, every_s):
    resource = TricklingResource(counting_clock, part, every_s)
    session = ScpiSession(resource, counting_clock, name="meter", time_limit_s=3.0)
    with pytest.raises(PartialReplyError, match=r"without its terminator within 3 s") as caught:
        session.query("READ?")
    assert counting_clock.now_s() == pytest.approx(3.0)
    assert caught.value.reply == part * int(3.0 / every_s)
    assert resource.timeouts_ms[0] == 3000  # the first part may take all of it, a later one what is left
    assert resource.timeouts_ms[-1] <= every_s * 1000 + 1


def test_a_block_in_parts_has_one_limit_on_every_transport(counting_clock):
    class Block(TricklingResource):
        header = list(b"#9000000099")  # noqa: RUF012

        def read(self, session, count):
            self._part = bytes([self.header.pop(0)]) if self.header else b"d"
            return super().read(session, count)

    resource = Block(counting_clock, b"", 0.5)
    session = ScpiSession(resource, counting_clock, name="meter", time_limit_s=10.0)
    with pytest.raises(PartialReplyError):
        session.query_block("DATA?")
    assert counting_clock.now_s() == pytest.approx(10.0)
