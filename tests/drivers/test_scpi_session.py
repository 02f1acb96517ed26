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
