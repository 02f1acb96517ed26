"""The simulated VISA library, through real pyvisa resources."""

from __future__ import annotations

import threading

import pytest
import pyvisa
from pyvisa.constants import BufferOperation, StatusCode

from drivers.errors import NoReplyError
from drivers.scpi import ScpiSession
from harness.simulation.scpi_tree import After, ScpiPeer
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World

SOCKET = "TCPIP0::echo::5025::SOCKET"
INSTR = "TCPIP0::echo::inst0::INSTR"


class EchoPeer(ScpiPeer):
    """Answers what it is asked, at once or after a while."""

    def __init__(self, world: World) -> None:
        super().__init__(world, role="echo", identity="Maker,Echo,S1,1.0")
        self.level = 0.0
        self.query("ECHO", lambda call: call.raw())
        self.query("SLOW", lambda call: self._slow(call.number()))
        self.query("BLOCk", lambda _: b"#15a\nb\nc")
        self.query("LEVel", lambda _: f"{self.level:+.3f}")
        self.setting("LEVel", self._set_level)

    def _slow(self, duration_s: float) -> After:
        return After(duration_s, lambda: f"{self.world.now_s:.6f}")

    def _set_level(self, call) -> None:
        self.level = call.number()


class Rig:
    def __init__(self) -> None:
        self.world = World(3)
        self.peer = EchoPeer(self.world)
        self.library = SimulatedVisaLibrary.create(self.world)
        self.library.attach(SOCKET, self.peer)
        self.library.attach(INSTR, self.peer)
        self.manager = pyvisa.ResourceManager(self.library)

    def resource(self, address=SOCKET):
        return self.manager.open_resource(address, read_termination="\n", write_termination="\n")

    def session(self, address=SOCKET):
        return ScpiSession(self.manager.open_resource(address), VirtualClock(self.world), name="echo")


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.manager.close()


@pytest.mark.parametrize("address", [SOCKET, INSTR])
def test_query(rig, address):
    assert rig.resource(address).query("ECHO? hello") == "hello"


def test_each_world_has_a_library_and_manager_of_its_own(rig):
    other = Rig()
    try:
        assert other.library is not rig.library
        assert other.manager is not rig.manager
        rig.resource().write("LEV 5")
        rig.world.advance(1.0)
        assert (rig.peer.level, other.peer.level) == (5.0, 0.0)
        assert other.world.now_s == 0.0
    finally:
        other.manager.close()


def test_a_late_reply_moves_the_world_to_when_it_is_ready(rig):
    resource = rig.resource()
    resource.timeout = 10_000
    assert float(resource.query("SLOW? 4")) == pytest.approx(4.001)
    assert rig.world.now_s == pytest.approx(4.001)


def test_a_time_out_moves_the_world_by_the_time_out_and_no_more(rig):
    resource = rig.resource()
    resource.timeout = 500
    with pytest.raises(pyvisa.errors.VisaIOError) as caught:
        resource.query("SLOW? 4")
    assert caught.value.error_code == StatusCode.error_timeout
    assert rig.world.now_s == pytest.approx(0.5)
    rig.world.advance(4.0)
    assert float(resource.read()) == pytest.approx(4.001)  # the stale reply is there, as on a real socket


def test_writing_takes_no_time_and_is_carried_out_as_time_goes_on(rig):
    resource = rig.resource()
    resource.write("LEV 1")
    resource.write("LEV 2")
    assert (rig.world.now_s, rig.peer.level) == (0.0, 0.0)
    rig.world.advance(0.0015)
    assert rig.peer.level == 1.0
    rig.world.advance(0.001)
    assert rig.peer.level == 2.0


def test_reads_in_small_chunks(rig):
    resource = rig.resource()
    resource.chunk_size = 3
    assert resource.query("ECHO? 0123456789") == "0123456789"
    assert resource.last_status == StatusCode.success_termination_character_read


def test_termination_character_stops_a_read_inside_a_block_and_the_rest_stays(rig):
    resource = rig.resource()
    resource.write("BLOC?")
    assert resource.read_raw() == b"#15a\n"
    assert resource.read_raw() == b"b\n"
    assert resource.read_raw() == b"c\n"


def test_without_termination_character_an_instr_ends_and_a_socket_times_out(rig):
    framed = rig.manager.open_resource(INSTR, write_termination="\n")
    framed.write("BLOC?")
    assert framed.read_raw() == b"#15a\nb\nc\n"
    stream = rig.manager.open_resource(SOCKET, write_termination="\n")
    stream.write("BLOC?")
    with pytest.raises(pyvisa.errors.VisaIOError, match="TMO"):
        stream.read_raw()


def test_a_socket_message_needs_its_line_feed_and_an_instr_does_not(rig):
    assert rig.session(INSTR).query("*IDN?").text.startswith("Maker")
    framed = rig.manager.open_resource(INSTR, write_termination="", read_termination="\n")
    assert framed.query("ECHO? 1") == "1"
    stream = rig.manager.open_resource(SOCKET, write_termination="", read_termination="\n")
    with pytest.raises(pyvisa.errors.VisaIOError, match="TMO"):
        stream.query("ECHO? 1")


def test_reading_what_was_not_asked_for_is_minus_420_over_instr_only(rig):
    for address, codes in ((INSTR, [-420]), (SOCKET, [])):
        resource = rig.resource(address)
        with pytest.raises(pyvisa.errors.VisaIOError, match="TMO"):
            resource.read()
        session = rig.session(address)
        assert [code for code, _ in session.drain_errors()] == codes


@pytest.mark.parametrize(
    ("address", "replies", "error"), [(INSTR, ["second"], "-410"), (SOCKET, ["first", "second"], "+0")]
)
def test_an_unread_reply_is_discarded_with_minus_410_and_on_a_stream_stays(rig, address, replies, error):
    resource = rig.resource(address)
    resource.write("ECHO? first")
    rig.world.advance(0.1)
    resource.write("ECHO? second")
    assert [resource.read() for _ in replies] == replies
    assert resource.query(":SYST:ERR?").startswith(error)


def test_replies_left_on_a_stream_by_another_user_of_the_session_are_passed_over(rig):
    session = rig.session(SOCKET)
    session.identify()
    session._resource.write("ECHO? 1")
    session._resource.write("*IDN?")
    session.send_blind("*IDN?")
    assert session.query("ECHO? mine").text == "mine"
    assert session.query("ECHO? again").text == "again"


def test_device_clear_drops_what_is_under_way(rig):
    resource = rig.resource(INSTR)
    resource.write("SLOW? 100")
    rig.world.advance(0.1)
    resource.clear()
    assert resource.query("ECHO? next") == "next"
    assert rig.world.now_s < 1.0
    with pytest.raises(pyvisa.errors.VisaIOError, match="NSUP"):
        rig.resource(SOCKET).clear()


@pytest.mark.parametrize("address", [SOCKET, INSTR])
def test_a_session_recovers_from_a_time_out_without_a_crossed_reply(rig, address):
    session = rig.session(address)
    session.identify()
    with pytest.raises(NoReplyError):
        session.query("SLOW? 1.5", time_limit_s=1.0)
    assert session.dirty
    assert session.query("ECHO? after").text == "after"
    assert not session.dirty


def test_serial_poll_shows_message_and_error_queue(rig):
    resource = rig.resource(INSTR)
    assert resource.read_stb() == 0
    resource.write("ECHO? 1")
    rig.world.advance(0.1)
    assert resource.read_stb() == 16
    resource.read()
    resource.write("NONSENSE")
    rig.world.advance(0.1)
    assert resource.read_stb() == 4


def test_flush_discards_the_read_buffer(rig):
    resource = rig.resource()
    resource.write("ECHO? stale")
    rig.world.advance(0.1)
    resource.flush(BufferOperation.discard_read_buffer)
    assert resource.query("ECHO? fresh") == "fresh"


def test_lists_and_opens_what_is_attached(rig):
    assert rig.manager.list_resources() == (INSTR,)
    assert set(rig.manager.list_resources("?*")) == {SOCKET, INSTR}
    with pytest.raises(pyvisa.errors.VisaIOError, match="RSRC_NFOUND"):
        rig.manager.open_resource("TCPIP0::nobody::5025::SOCKET")
    with pytest.raises(ValueError, match="two simulated instruments"):
        rig.library.attach(SOCKET, rig.peer)


def test_attributes_resources_and_locks(rig):
    resource = rig.resource()
    assert resource.resource_name == SOCKET
    assert resource.resource_class == "SOCKET"
    assert resource.timeout == 2000
    with pytest.raises(pyvisa.errors.VisaIOError, match="NSUP_ATTR"):
        resource.get_visa_attribute(pyvisa.constants.ResourceAttribute.asrl_baud_rate)
    with resource.lock_context():
        assert resource.query("ECHO? 1") == "1"
    resource.close()
    with pytest.raises(pyvisa.errors.InvalidSession):
        resource.query("ECHO? 1")


def test_an_endless_read_of_nothing_is_a_mistake_and_does_not_hang(rig):
    resource = rig.resource()
    resource.timeout = None
    with pytest.raises(RuntimeError, match="endless"):
        resource.read()


def test_two_clients_of_one_instrument_get_their_own_replies(rig):
    one, two = rig.resource(), rig.resource()
    one.write("SLOW? 1")
    two.write("ECHO? two")
    assert two.read() == "two"
    assert rig.world.now_s > 1.0  # it works on one message after the other
    assert float(one.read()) == pytest.approx(1.001)


def test_eight_threads_on_one_session_get_their_own_replies(rig):
    session = rig.session()
    wrong: list[str] = []

    def hammer(number: int) -> None:
        for turn in range(100):
            asked = f"{number}.{turn}"
            if session.query(f"ECHO? {asked}").text != asked:
                wrong.append(asked)

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert session.drain_errors() == ()


def test_threads_on_different_sessions_share_one_world(rig):
    sessions = [rig.session() for _ in range(4)]
    faults: list[BaseException] = []

    def measure(session: ScpiSession) -> None:
        try:
            for _ in range(20):
                session.query("SLOW? 0.01", time_limit_s=10.0).real()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=measure, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert rig.world.now_s == pytest.approx(4 * 20 * 0.011)
