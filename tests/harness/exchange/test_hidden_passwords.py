"""No password is in a recording, nor in the text of a difference; and a replay does without."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import StopFlag, WallClock
from drivers.errors import BenchError
from drivers.i2c import I2cBus
from drivers.scpi import ScpiSession
from drivers.xena_xoa import XenaChassis
from harness.exchange.form import Header
from harness.exchange.hidden import HiddenWords, ModuleSecrets, without_passwords_of_bench
from harness.exchange.reading import read_recording
from harness.exchange.recording import RecordingBackend
from harness.exchange.replaying import ReplayBackend, ReplayDifferenceError

HEADER = Header("r1", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", "wall", "now")
SECRET = "s3cret-of-the-lab"
ADDRESS = "TCPIP0::192.0.2.1::22611::SOCKET"


class Chassis:
    """Takes commands; its connection fails when a reply is read."""

    session = 1
    resource_name = ADDRESS
    timeout = 1.0
    read_termination = write_termination = "\n"

    def __init__(self) -> None:
        self.visalib = self
        self.sent: list[str] = []

    def write(self, message: str, termination: str | None = None) -> int:
        self.sent.append(message)
        return len(message)

    def read(self, *_: object) -> Any:
        raise ConnectionResetError(104, "Connection reset by peer")

    def ignore_warning(self, *_: Any) -> Any:
        return contextlib.nullcontext()

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass


class Bus:
    def i2c_rdwr(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        pass


class Backend:
    clock = WallClock()

    def __init__(self) -> None:
        self.chassis, self.bus = Chassis(), Bus()

    def visa_resource(self, address: str) -> Any:
        return self.chassis

    def serial_port(self, address: str) -> Any:
        raise NotImplementedError

    def smbus(self, address: str) -> Any:
        return self.bus

    def close(self) -> None:
        pass


def log_on(backend: Any, password: str) -> None:
    session = ScpiSession(backend.visa_resource(ADDRESS), backend.clock, name="bert")
    driver = XenaChassis(session, backend.clock, name="bert", options={"password": password})
    with pytest.raises(BenchError) as raised:
        driver.connect()
    assert password.startswith("*") or password not in str(raised.value)


def recorded(folder: Path, use: Callable[[Any], object]) -> tuple[Backend, bytes]:
    shutil.rmtree(folder / "raw", ignore_errors=True)
    inner = Backend()
    recording = RecordingBackend(inner, StopFlag())
    use(recording)
    (folder / "raw").mkdir()
    recording.recorder.begin(folder / "raw", HEADER, b"bench")
    recording.close()
    return inner, (folder / "raw" / "exchanges.jsonl").read_bytes()


def test_the_password_of_a_chassis_is_sent_and_not_kept(tmp_path: Path) -> None:
    inner, kept = recorded(tmp_path, lambda backend: log_on(backend, SECRET))
    assert f'C_LOGON "{SECRET}"' in inner.chassis.sent[0]
    assert SECRET.encode() not in kept
    written = next(e for e in read_recording(tmp_path).channels[ADDRESS] if e.do == "write")
    assert written.data == b'C_LOGON "' + b"*" * len(SECRET) + b'"\r\n'


@pytest.mark.parametrize("password", [SECRET, "*" * len(SECRET)])
def test_a_replay_takes_the_password_or_what_stands_for_it(password: str, tmp_path: Path) -> None:
    recorded(tmp_path, lambda backend: log_on(backend, SECRET))
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    log_on(replay, password)
    assert replay.remarks() == ()


def test_a_difference_does_not_tell_a_password(tmp_path: Path) -> None:
    recorded(tmp_path, lambda backend: log_on(backend, SECRET))
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    log_on(replay, "another-secret")  # of another length
    assert replay.difference is not None
    assert "another-secret" not in str(replay.difference)
    assert 'asked:    write \'C_LOGON "**************"' in str(replay.difference)


def test_only_where_a_password_is_sent_it_is_left_out() -> None:
    hidden = HiddenWords()
    hidden.add('LOGON "', "1")
    assert hidden.places(b'LOGON "1"; PORT 1') == ((7, 8),)
    assert hidden.places(b"PORT 1") == ()


def test_the_password_registers_of_a_module_are_not_kept(tmp_path: Path) -> None:
    def enter(password: bytes) -> Callable[[Any], None]:
        def use(backend: Any) -> None:
            bus = I2cBus(backend.smbus("i2c:1"), backend.clock, name="host_board")
            bus.write(0x50, b"\x7a" + password)
            bus.write(0x50, b"\x80" + password)

        return use

    _, kept = recorded(tmp_path, enter(b"\xc0\xff\xee\x11"))
    assert kept.count(b"c0ffee11") == 1  # what is no password register is kept
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    enter(b"\xc0\xff\xee\x11")(replay)
    assert replay.remarks() == ()
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    with pytest.raises(ReplayDifferenceError) as raised:
        enter(b"\xba\xad\xf0\x0d")(replay)  # differs in the second write alone
    assert "asked:    transfer 0x50: write 80 ba ad f0 0d" in str(raised.value)
    assert "1  open" in str(raised.value)
    assert "2  transfer 0x50: write 7a 00 00 00 00" in str(raised.value)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"\x75" + bytes(range(1, 12)), b"\x75\x01" + b"\0" * 8 + b"\x0a\x0b"),  # 117 to 127
        (b"\x7d\x09", b"\x7d\x00"),
        (b"\x7e\x09", b"\x7e\x09"),
        (b"\x7a", b"\x7a"),
        (b"", b""),
    ],
)
def test_where_the_password_registers_are(data: bytes, kept: bytes) -> None:
    """OIF-CMIS-05.4, 8.2: lower:118-125."""
    assert ModuleSecrets().asked([(0x50, data)]) == [kept]
    assert ModuleSecrets().asked([(0x51, data)]) == [data]


def test_the_bench_file_is_kept_without_passwords() -> None:
    bench = b"""[instruments.bert]
driver = "xena_xoa"  # password = "old"
options = { password = "s3\\"cret", owner = "me" }
[a]
"password" = 'two'
no-password = "three"
"""
    kept = without_passwords_of_bench(bench)
    assert (
        kept
        == b"""[instruments.bert]
driver = "xena_xoa"  # password = "***"
options = { password = "*******", owner = "me" }
[a]
"password" = "***"
no-password = "three"
"""
    )
    assert without_passwords_of_bench(kept) == kept
    assert without_passwords_of_bench(b"x = 1\n") == b"x = 1\n"


def test_a_password_that_cannot_be_left_out_refuses_the_recording() -> None:
    with pytest.raises(ValueError, match="cannot be left out") as raised:
        without_passwords_of_bench(b"password = '''\nabc'''\n")
    assert "abc" not in str(raised.value)
