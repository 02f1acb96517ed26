"""An instrument of a served bench goes wrong in the middle of a session, and is right again when it is
told to be: over real sockets, through the control channel, as `lanewise simulate fault` does it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.clock import StopFlag
from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InstrumentReportedError,
    InvalidReadingError,
    NoReplyError,
    PartialReplyError,
)
from drivers.i2c import I2cNackError
from drivers.scpi import ScpiSession
from drivers.serial_address import SerialAddress
from harness.bench_file.reading import find_bench_file, load_bench
from harness.commands.simulate import main as simulate
from harness.opening import open_bench
from harness.simulation.module.profile import load_profile
from harness.simulation.served.client import RequestRefusedError, ServedConnection, open_served
from harness.simulation.served.served_module import modules_of
from harness.simulation.served.server import ModuleServer
from harness.simulation.serving.bench_server import BenchServer
from harness.simulation.serving.run_time_faults import FaultsOfServed

Serve = Callable[..., BenchServer]
LIMIT_S = 0.15
ATS = 'driver = "temptronic-ats545"\naddress = "GPIB0::18::INSTR"'


@pytest.fixture
def faults_of() -> Iterator[Callable[[BenchServer], FaultsOfServed]]:
    """``faults_of(server)``: faults through its control channel."""
    with contextlib.ExitStack() as stack:

        def connect(server: BenchServer) -> FaultsOfServed:
            connection = ServedConnection(server.control)
            stack.callback(connection.close)
            return FaultsOfServed(connection)

        yield connect


@pytest.fixture(scope="module")
def still_bench() -> Iterator[BenchServer]:
    """A served bench for those who do not change it."""
    with BenchServer(load_bench(find_bench_file("sim-dr4"))) as server:
        yield server


@pytest.fixture
def session_of(visa: Any, address_of: Any) -> Callable[..., ScpiSession]:
    """``session_of(server, way)``: with the supply, by the server's clock."""

    def make(server: BenchServer, way: str) -> ScpiSession:
        clock = server.backend.clock
        session = ScpiSession(visa(address_of(server, "power_supply", way)), clock, name="power_supply")
        session.time_limit_s = LIMIT_S
        session.resynchronisation_limit_s = 4 * LIMIT_S
        return session

    return make


WHAT_A_QUERY_MEETS = {
    "dies": NoReplyError,
    "time_out": NoReplyError,
    "busy": NoReplyError,
    "garbles": GarbledReplyError,
    "nan": InvalidReadingError,
    "wrong_terminator": (PartialReplyError, GarbledReplyError),
    "slow": NoReplyError,
}


@pytest.mark.parametrize("kind", WHAT_A_QUERY_MEETS)
@pytest.mark.parametrize("way", ["socket", "hislip"])
def test_a_session_meets_a_fault_and_goes_on_when_it_is_over(
    serve: Serve, faults_of: Any, session_of: Any, way: str, kind: str
) -> None:
    server = serve(reply_limit_s=1.0)
    faults, session = faults_of(server), session_of(server, way)
    session.command("VOLT 3.25,(@1)")

    def volts() -> float:
        volts: float = session.query("VOLT? (@1)").real()
        return volts

    assert volts() == 3.25
    assert faults.begin("power_supply", kind, **({"delay": "5 s"} if kind == "slow" else {}))[
        "power_supply"
    ] == (kind,)
    with pytest.raises(WHAT_A_QUERY_MEETS[kind]):
        volts()
    assert not any(faults.clear("power_supply").values())
    if kind == "slow":  # what was taken up so slowly is still under way
        with server.backend.world.lock:
            server.backend.world.advance(10.0)
    session.distrust()
    assert volts() == 3.25
    session.command("VOLT 3.5,(@1)")
    assert volts() == 3.5


def test_a_connection_that_is_gone_stays_gone_and_a_new_one_works(
    serve: Serve, faults_of: Any, session_of: Any
) -> None:
    server = serve()
    faults, session = faults_of(server), session_of(server, "socket")
    session.identify()
    faults.begin("power_supply", "disconnects")
    with pytest.raises(InstrumentError):
        session.identify()
    faults.clear()
    with pytest.raises(ConnectionFailedError):
        session.identify()
    assert session_of(server, "socket").identify().model == "E36312A"


def test_entries_in_the_error_queue_stay_until_they_are_read(
    serve: Serve, faults_of: Any, session_of: Any
) -> None:
    server = serve()
    faults, session = faults_of(server), session_of(server, "socket")
    session.command("VOLT 1,(@1)")
    faults.begin("power_supply", "error_queue", count=2)
    faults.clear("power_supply", "error_queue")
    with pytest.raises(InstrumentReportedError, match="-240") as told:
        session.command("VOLT 2,(@1)")
    assert [code for code, _ in told.value.entries] == [-240, -240]
    session.command("VOLT 2,(@1)")


def test_another_instrument_answers_for_a_while(serve: Serve, faults_of: Any, session_of: Any) -> None:
    server = serve()
    faults, session = faults_of(server), session_of(server, "hislip")
    faults.begin("power_supply", "wrong_identity", **{"for": "20 s"})
    assert session.identify().model == "OTHER-1"
    open_clock = server.backend.world
    with open_clock.lock:
        open_clock.advance(20.0)
    assert session.identify().model == "E36312A"
    assert not any(faults.running().values())


def test_a_count_is_of_replies(serve: Serve, faults_of: Any, connect: Any) -> None:
    server = serve()
    client = connect(server, "power_supply")
    faults_of(server).begin("power_supply", "garbles", count=2)
    replies = [client.ask(b"*IDN?") for _ in range(3)]
    assert [b"E36312A" in reply for reply in replies] == [False, False, True]


def test_one_goes_wrong_and_the_others_do_not(serve: Serve, faults_of: Any, connect: Any) -> None:
    server = serve()
    faults = faults_of(server)
    faults.begin("power_supply", "garbles")
    faults.begin("thermal", "dies")
    running = faults.begin("thermal", "slow", delay="2 s")
    assert {role: kinds for role, kinds in running.items() if kinds} == {
        "power_supply": ("garbles",),
        "thermal": ("dies", "slow"),
    }
    assert b"N7745C" in connect(server, "power_meter").ask(b"*IDN?")
    assert faults.clear("thermal", "dies")["thermal"] == ("slow",)
    assert faults.clear(kind="garbles")["power_supply"] == ()
    assert b"ATS-545" in connect(server, "thermal").ask(b"*IDN?")


@pytest.mark.parametrize(
    ("kind", "number"),
    [("dies", errno.ENXIO), ("time_out", errno.ETIMEDOUT), ("disconnects", errno.ENODEV)],
)
def test_a_bus_fails_as_linux_says_it_and_works_again(
    serve: Serve, faults_of: Any, kind: str, number: int
) -> None:
    server = serve()
    faults = faults_of(server)
    with contextlib.closing(open_served(server.control).bus) as bus:
        levels = bus.read_i2c_block_data(0x20, 0, 2)  # the board's expander
        faults.begin("host_board", kind)
        with pytest.raises(OSError, match=os.strerror(number)) as told:
            bus.read_i2c_block_data(0x20, 0, 2)
        assert told.value.errno == number
        faults.clear("host_board")
        assert bus.read_i2c_block_data(0x20, 0, 2) == levels


def test_a_drivers_bus_says_what_failed(serve: Serve, write_bench: Any, faults_of: Any) -> None:
    server = serve()
    faults = faults_of(server)
    bench = open_bench(load_bench(write_bench(server)), StopFlag())
    try:
        assert bench.host_board.pins.module_present()
        faults.begin("host_board", "dies")
        with pytest.raises(I2cNackError):
            bench.host_board.pins.module_present()
        faults.begin("host_board", "time_out", count=1)
        faults.clear("host_board", "dies")
        with pytest.raises(ConnectionFailedError, match="timed out"):
            bench.host_board.pins.module_present()
        assert bench.host_board.pins.module_present()
    finally:
        bench.close()


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "kind", "more", "said"),
    [
        ("power_mter", "dies", {}, "begin.role: 'power_mter' is not one of"),
        ("case_sensor", "dies", {}, "begin.role: 'case_sensor' is not one of"),  # it is the thermal source
        ("power_meter", "melts", {}, "begin.kind: 'melts' is not one of"),
        ("power_meter", "bent_fibre", {}, "begin.kind"),
        ("power_meter", "dies", {"count": 3}, "begin.count: dies has no count; it has kind, role"),
        ("power_meter", "dies", {"at": "3 s"}, "begin.at: unknown key"),
        ("power_meter", "garbles", {"count": 0}, "begin.count: 0 is not within 1 .."),
        ("power_meter", "garbles", {"for": "3 dB"}, "begin.for"),
        ("power_meter", "slow", {"delay": "-1 s"}, "begin.delay: '-1 s' is below 0 s"),
        ("host_board", "garbles", {}, "host_board cannot fail so; it can: dies, time_out, disconnects, slow"),
    ],
)
def test_the_checks_are_those_of_a_bench_file(
    still_bench: BenchServer, faults_of: Any, role: str, kind: str, more: dict[str, Any], said: str
) -> None:
    faults = faults_of(still_bench)
    with pytest.raises(RequestRefusedError) as refused:
        faults.begin(role, kind, **more)
    assert said in str(refused.value)
    assert not any(faults.running().values())


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"\xff", b'{"begin": 1}', b'{"end": {}}', b"[" * 9000])
def test_what_is_no_request_is_refused_and_the_channel_goes_on(still_bench: BenchServer, body: bytes) -> None:
    with contextlib.closing(ServedConnection(still_bench.control)) as connection:
        with pytest.raises(RequestRefusedError):
            connection.request(b"F", body)
        assert set(FaultsOfServed(connection).running()) >= {"power_meter", "host_board"}


@pytest.mark.parametrize("more", ['"clear": {}', '"junk": 1'])
def test_of_a_request_that_is_refused_nothing_is_done(still_bench: BenchServer, more: str) -> None:
    body = '{"begin": {"role": "power_meter", "kind": "dies"}, ' + more + "}"
    with contextlib.closing(ServedConnection(still_bench.control)) as connection:
        with pytest.raises(RequestRefusedError, match="unknown key"):
            connection.request(b"F", body.encode())
        assert not any(FaultsOfServed(connection).running().values())


def test_a_module_alone_has_no_instruments() -> None:
    with (
        ModuleServer(modules_of([load_profile("good-dr4")], speed=None)) as server,
        contextlib.closing(ServedConnection(str(server.address))) as connection,
        pytest.raises(RequestRefusedError, match="no operation b'F'"),
    ):
        FaultsOfServed(connection).running()


# -- the command -----------------------------------------------------------------------------------


def test_the_command_begins_shows_and_ends(
    serve: Serve, connect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    client = connect(server, "power_supply")
    assert simulate(["fault", server.control, "power_supply", "garbles", "--for", "20 s"]) == 0
    assert b"E36312A" not in client.ask(b"*IDN?")
    assert simulate(["fault", server.control]) == 0
    assert simulate(["fault", server.control, "power_supply", "--clear"]) == 0
    assert b"E36312A" in client.ask(b"*IDN?")
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if line.startswith("power_supply")]
    assert rows == [["power_supply", "garbles"], ["power_supply", "garbles"], ["power_supply", "-"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["power_meter"], "what goes wrong?"),
        (["--count", "3"], "what goes wrong?"),
        (["power_meter", "dies", "--clear", "--count", "3"], "--clear goes with no --count"),
        (["power_meter", "slow", "--delay", "soon"], "begin.delay"),
        (["power_meter", "dies", "--for", "3 s"], "dies has no for"),
    ],
)
def test_what_the_command_refuses(
    still_bench: BenchServer, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert simulate(["fault", still_bench.control, *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1"])
def test_without_a_control_channel(capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert simulate(["fault", address]) == 2
    assert capsys.readouterr().err.startswith("lanewise simulate fault: ")


# -- a pseudo terminal -----------------------------------------------------------------------------


def test_a_serial_instrument_goes_wrong_and_right_again(serve: Serve, faults_of: Any, tmp_path: Path) -> None:
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    text = text.replace(ATS, 'driver = "espec-p300"\naddress = "serial:/dev/ttyUSB0?baud=19200"')
    bench = tmp_path / "chamber.toml"
    bench.write_text(text.replace('shared_with = "thermal"', ATS), encoding="utf-8")
    server = serve(bench)
    (address,) = (s.addresses["line"] for s in server.instruments if s.role == "thermal")
    line = SerialAddress.parse(address)
    faults = faults_of(server)
    with serial.serial_for_url(line.port, timeout=5.0, **line.settings) as port:

        def ask() -> bytes:
            with server.backend.world.lock:
                server.backend.world.advance(1.0)  # it is deaf for a while after each answer
            port.write(b"TEMP?\r\n")
            reply: bytes = port.readline()
            return reply

        assert ask().count(b",") == 3
        faults.begin("thermal", "garbles")
        assert ask().count(b",") != 3
        faults.clear()
        assert ask().count(b",") == 3
        faults.begin("thermal", "dies")
        port.timeout = 0.1
        assert ask() == b""
        faults.clear()
        port.timeout = 5.0
        assert ask().count(b",") == 3
