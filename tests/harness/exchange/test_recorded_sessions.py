"""What sessions do over wrapped objects is written down, and replayed to the byte: VISA over a real TCP
socket, a serial line, a two-wire bus."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import StopFlag, StopRequested, WallClock
from drivers.errors import ConnectionFailedError, NoReplyError
from drivers.i2c import I2cBus, I2cNackError
from drivers.line_session import LineSession
from drivers.scpi import ScpiSession
from drivers.serial_address import SerialAddress
from harness.exchange.form import Header, RecordingError
from harness.exchange.reading import read_recording
from harness.exchange.recording import Recorder, RecordingBackend
from harness.exchange.replaying import ReplayBackend, ReplayDifferenceError
from harness.simulation.line_peer import LinePeer
from harness.simulation.serial_port import SerialLines
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

HEADER = Header("r1", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", "wall", "now")


class Backend:
    """Gives out what it was made with."""

    def __init__(self, clock: Any, session: Any) -> None:
        self.clock = clock
        self._session = session

    def visa_resource(self, address: str) -> Any:
        return self._session(address)

    serial_port = smbus = visa_resource

    def close(self) -> None:
        pass


def recorded_and_replayed(
    folder: Path, clock: Any, session: Any, kind: str, address: str, use: Callable[[Any, Any], object]
) -> tuple[object, object, ReplayBackend]:
    """What ``use(session, clock)`` gives when recorded, and from the recording."""
    stop = StopFlag()
    recording = RecordingBackend(Backend(clock, session), stop)  # type: ignore[arg-type]
    opened = getattr(recording, kind)(address)
    first = use(opened, recording.clock)
    (folder / "raw").mkdir(parents=True)
    recording.recorder.begin(folder / "raw", HEADER, b"bench")
    opened.close()
    recording.close()
    replay = ReplayBackend(read_recording(folder), stop)
    again = getattr(replay, kind)(address)
    second = use(again, replay.clock)
    again.close()
    return first, second, replay


# -- VISA over TCP, with pyvisa-py -----------------------------------------------------------------


@contextmanager
def served(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """A TCP instrument on this computer: ``answer(line)``; None hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as lines:
                for line in lines:
                    said = answer(line)
                    if said is None:
                        break
                    client.sendall(said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2.0)


ANSWERS = {
    b"*IDN?\n": b"Maker,Model,1,2\n",
    b"*STB?\n": b"0\n",
    b":SYST:ERR?\n": b'+0,"No error"\n',
    b"DATA?\n": b"#3256" + bytes(range(256)) + b"\n",
    b"MUTE?\n": b"",
    b"TWICE?\n": b"1.5\nsurplus\n",
}


def over_visa(resource: Any, clock: Any) -> object:
    session = ScpiSession(resource, clock, name="meter", time_limit_s=0.2)
    seen: list[object] = [session.probe(), session.query_block("DATA?")]
    session.command("SET 1")
    seen.append(session.query("TWICE?").real())
    seen.append(session.identify())  # the surplus is found, and thrown away first
    try:
        session.query("MUTE?")
    except NoReplyError as fault:
        seen.append(str(fault))
    seen.append(session.identify())
    try:
        session.query("QUIT?")
    except ConnectionFailedError as fault:
        seen.append(str(fault))
    return seen


def test_a_raw_socket_with_stray_bytes_a_time_out_and_a_hang_up(tmp_path: Path) -> None:
    manager = pyvisa.ResourceManager("@py")
    with served(lambda line: None if line == b"QUIT?\n" else ANSWERS.get(line, b"")) as port:
        address = f"TCPIP0::127.0.0.1::{port}::SOCKET"
        first, second, replay = recorded_and_replayed(
            tmp_path, WallClock(), manager.open_resource, "visa_resource", address, over_visa
        )
    manager.close()
    assert isinstance(first, list)
    assert first[1] == bytes(range(256))
    assert first[2] == 1.5
    assert len(first) == 7
    assert second == first
    assert replay.remarks() == ()


def test_what_the_driver_cannot_see_recorded_it_cannot_use(tmp_path: Path) -> None:
    backend = RecordingBackend(Backend(WallClock(), lambda _: _Resource()), StopFlag())  # type: ignore[arg-type]
    resource = backend.visa_resource("GPIB0::1::INSTR")
    with pytest.raises(AttributeError):
        resource.query_binary_values("DATA?")


class _Resource:
    session = 1
    visalib = None


# -- a serial line ---------------------------------------------------------------------------------


class Echo(LinePeer):
    """Answers what it is asked; ``LATE?`` never."""

    def answer(self, line: str) -> str | None:
        return None if line == "LATE?" else f"[{line}]"


def over_a_line(port: Any, clock: Any) -> object:
    session = LineSession(port, clock, name="chamber", time_limit_s=0.5)
    seen: list[object] = [session.query("ONE?").text, clock.now_s()]
    with pytest.raises(NoReplyError):
        session.query("LATE?")
    seen += [clock.now_s(), session.query("TWO?").text, clock.now_s()]
    return seen


def test_a_serial_line(tmp_path: Path) -> None:
    world = World(1)
    address = SerialAddress.parse("serial:/dev/ttyS9?baud=9600")
    lines = SerialLines(world)
    lines.attach(address, Echo(world, role="thermal", answer_s=0.25))

    def opened(_: str) -> Any:
        import serial

        return serial.serial_for_url(lines.url(address), **address.settings)

    first, second, replay = recorded_and_replayed(
        tmp_path, VirtualClock(world), opened, "serial_port", "serial:/dev/ttyS9?baud=9600", over_a_line
    )
    assert isinstance(first, list)
    assert (first[0], first[3]) == ("[ONE?]", "[TWO?]")
    assert second == first
    assert replay.remarks() == ()
    # Byte by byte was read; reply by reply is kept.
    kept = [str(e) for e in replay.recording.channels["serial:/dev/ttyS9?baud=9600"]]
    assert "read '[ONE?]\\r\\n'" in kept


# -- a two-wire bus --------------------------------------------------------------------------------


class Memory:
    """256 bytes behind a pointer."""

    def __init__(self) -> None:
        self.bytes = bytearray(range(256))
        self.pointer = 0
        self.busy = False

    def acknowledges(self) -> bool:
        return not self.busy

    def write(self, data: bytes) -> None:
        self.pointer = data[0]
        self.bytes[data[0] : data[0] + len(data) - 1] = data[1:]

    def read(self, length: int) -> bytes:
        return bytes(self.bytes[self.pointer : self.pointer + length])


def test_a_two_wire_bus(tmp_path: Path) -> None:
    world = World(1)
    bus = SimulatedI2cBus(world)
    bus.attach(0x50, Memory())

    def use(smbus: Any, clock: Any) -> object:
        i2c = I2cBus(smbus, clock, name="host_board")
        i2c.write(0x50, b"\x10\xaa\xbb")
        seen: list[object] = [i2c.write_read_several(0x50, ((b"\x0f", 4), (b"\x80", 2)))]
        with pytest.raises(I2cNackError):
            i2c.write_read(0x51, b"\0", 1)
        return [*seen, clock.now_s()]

    first, second, replay = recorded_and_replayed(
        tmp_path, VirtualClock(world), lambda _: bus, "smbus", "i2c:1", use
    )
    assert isinstance(first, list)
    assert first[0] == (b"\x0f\xaa\xbb\x12", b"\x80\x81")
    assert second == first
    assert replay.remarks() == ()


def test_another_byte_on_the_bus_is_a_difference_and_stays_one(tmp_path: Path) -> None:
    world = World(1)
    bus = SimulatedI2cBus(world)
    bus.attach(0x50, Memory())
    addresses = iter((b"\x10", b"\x11"))

    def use(smbus: Any, clock: Any) -> object:
        i2c = I2cBus(smbus, clock, name="host_board")
        i2c.write(0x50, b"\x05\x01")
        return i2c.write_read(0x50, next(addresses), 2)

    with pytest.raises(ReplayDifferenceError) as raised:
        recorded_and_replayed(tmp_path, VirtualClock(world), lambda _: bus, "smbus", "i2c:1", use)
    text = str(raised.value)
    assert "at exchange 3 of 3" in text
    assert "recorded: transfer 0x50: write 10; 0x50: read 2" in text
    assert "asked:    transfer 0x50: write 11; 0x50: read 2" in text
    assert "2  transfer 0x50: write 05 01" in text


def test_after_a_difference_everything_gets_it_and_the_run_is_to_stop(tmp_path: Path) -> None:
    bus = SimulatedI2cBus(World(1))
    bus.attach(0x50, Memory())
    stop = StopFlag()
    recording = RecordingBackend(Backend(VirtualClock(World(1)), lambda _: bus), stop)  # type: ignore[arg-type]
    for bus_of in [I2cBus(recording.smbus(a), recording.clock, name=a) for a in ("i2c:1", "i2c:2")]:
        bus_of.write_read(0x50, b"\0", 1)
    (tmp_path / "raw").mkdir()
    recording.recorder.begin(tmp_path / "raw", HEADER, b"bench")
    recording.close()
    replay = ReplayBackend(read_recording(tmp_path), stop)
    one, two = (I2cBus(replay.smbus(a), WallClock(), name=a) for a in ("i2c:1", "i2c:2"))
    with pytest.raises(ReplayDifferenceError) as first:
        one.write(0x50, b"\0\0")
    with pytest.raises(ReplayDifferenceError) as second:
        two.write_read(0x50, b"\0", 1)  # which would be right
    assert str(second.value) == str(first.value)
    with pytest.raises(StopRequested, match="the replay differs from the recording at exchange 3"):
        replay.clock.checkpoint()


def test_an_address_that_was_not_recorded_is_told(tmp_path: Path) -> None:
    bus = SimulatedI2cBus(World(1))
    _, _, replay = recorded_and_replayed(
        tmp_path, VirtualClock(World(1)), lambda _: bus, "smbus", "i2c:1", lambda *_: None
    )
    with pytest.raises(ConnectionFailedError, match=r"nothing from this address.*Recorded were i2c:1"):
        replay.smbus("i2c:2")


def test_an_adapter_that_goes_away_is_recorded_as_what_it_is(tmp_path: Path) -> None:
    class Gone:
        def i2c_rdwr(self, *_: object) -> None:
            raise OSError(errno.ENODEV, "No such device")

        def close(self) -> None:
            pass

    def use(smbus: Any, clock: Any) -> object:
        with pytest.raises(ConnectionFailedError) as raised:
            I2cBus(smbus, clock, name="host_board").write_read(0x50, b"\0", 8)
        return str(raised.value)

    first, second, _ = recorded_and_replayed(
        tmp_path, VirtualClock(World(1)), lambda _: Gone(), "smbus", "i2c:1", use
    )
    assert "No such device" in str(first)
    assert second == first


# -- the file --------------------------------------------------------------------------------------


@given(
    pieces=st.lists(
        st.tuples(st.sampled_from(["wrote", "read"]), st.binary(max_size=300) | st.just(b"\xff\n" * 60_000)),
        max_size=6,
    )
)
def test_any_bytes_are_kept_as_they_are(pieces: list[tuple[str, bytes]], tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("kept")
    recorder = Recorder(VirtualClock(World(1)), StopFlag())
    channel = recorder.channel('odd "name"\n')
    for do, data in pieces:
        channel.wrote(data) if do == "wrote" else channel.read(data, 0)
    (folder / "raw").mkdir()
    recorder.begin(folder / "raw", HEADER, b"")
    recorder.close()
    text = (folder / "raw" / "exchanges.jsonl").read_text()
    assert max(map(len, text.splitlines())) < 400_000
    recording = read_recording(folder)
    kept = recording.channels.get('odd "name"\n', ())
    sent = [e.data for e in kept if e.do == "write"]
    assert sent == [data for do, data in pieces if do == "wrote"]
    assert b"".join(e.data for e in kept if e.do == "read") == b"".join(d for do, d in pieces if do == "read")


@given(noise=st.binary(max_size=200), place=st.integers(0, 4))
def test_garbage_in_the_file_is_refused_and_never_raises_anything_else(
    noise: bytes, place: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    recorder = Recorder(VirtualClock(World(1)), StopFlag())
    channel = recorder.channel("i2c:1")
    for _ in range(3):
        channel.wrote(b"x")
    (folder / "raw").mkdir()
    recorder.begin(folder / "raw", HEADER, b"")
    recorder.close()
    path = folder / "raw" / "exchanges.jsonl"
    lines = path.read_bytes().splitlines()
    lines.insert(place, noise)
    path.write_bytes(b"\n".join(lines) + b"\n")
    with contextlib.suppress(RecordingError):
        assert read_recording(folder).exchanges <= 3
