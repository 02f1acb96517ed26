"""A module's password is in no recording, whichever way it is entered, and a replay takes any."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import Clock, StopFlag
from drivers.cmis.access import I2cMemory
from drivers.cmis.cdb.commands import COMMANDS
from drivers.cmis.cdb.message import build_message
from drivers.cmis.cdb.session import CdbSession
from drivers.cmis.module import CmisModule
from drivers.i2c import I2cBus
from harness.exchange.form import Header
from harness.exchange.hidden import ModuleSecrets
from harness.exchange.reading import read_recording
from harness.exchange.recording import RecordingBackend
from harness.exchange.replaying import ReplayBackend, ReplayDifferenceError
from harness.simulation.module.profile import load_profile
from harness.simulation.served.served_module import ServedModule
from harness.simulation.world import VirtualClock, World

HEADER = Header("r1", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", "virtual", "now")
PASSWORD = bytes.fromhex("c0ffee11")
SELECT_9F = b"\x7e\x00\x9f"


def kept_of(*writes: bytes) -> list[bytes]:
    secrets = ModuleSecrets()
    return [secrets.asked([(0x50, data)])[0] for data in writes]


def whole(number: int, body: bytes) -> bytes:
    return b"\x80" + build_message(number, body, 0)


@pytest.mark.parametrize("number", [0x0001, 0x0002, 0x0003])
def test_a_password_command_in_one_write(number: int) -> None:
    """OIF-CMIS-05.4, 9.3.2 to 9.3.4: the body is the password; its check code is a sum with it."""
    data = whole(number, PASSWORD)
    (_, kept) = kept_of(SELECT_9F, data)
    assert kept == data[:6] + b"\0" + data[7:9] + bytes(4) + data[13:]
    assert len(kept) == len(data)


@pytest.mark.parametrize("size", [1, 2, 8, 16])
def test_in_pieces_with_the_number_last(size: int) -> None:
    message = build_message(0x0001, PASSWORD, 0)
    pieces = [
        bytes([130 + start]) + message[2:][start : start + size] for start in range(0, len(message) - 2, size)
    ]
    kept = b"".join(kept_of(SELECT_9F, *pieces, b"\x80" + message[:2])[1:])
    for start in range(3):
        assert PASSWORD[start : start + 2] not in kept or PASSWORD[start : start + 2] in message[:8]
    assert kept.endswith(b"\x80\x00\x01")


@pytest.mark.parametrize("number", [n for n, command in COMMANDS.items() if not command.secret])
def test_other_commands_are_kept(number: int) -> None:
    data = whole(number, PASSWORD)
    assert kept_of(SELECT_9F, data) == [SELECT_9F, data]


def test_a_longer_body_is_kept_also_in_pieces() -> None:
    message = build_message(0x0103, PASSWORD * 3, 0)
    pieces = [b"\x82" + message[2:10], b"\x8a" + message[10:], b"\x80" + message[:2]]
    assert kept_of(SELECT_9F, *pieces) == [SELECT_9F, *pieces]


def test_other_pages_are_kept() -> None:
    data = whole(0x0001, PASSWORD)
    assert kept_of(b"\x7e\x00\x10", data)[1] == data
    assert kept_of(SELECT_9F, b"\x7f\x10", data)[2] == data
    assert data not in kept_of(data)  # which page it is on is not known


def test_the_page_is_learnt_from_what_is_read() -> None:
    secrets, data = ModuleSecrets(), whole(0x0001, PASSWORD)
    secrets.asked([(0x50, b"\x7e"), (0x50, 2)])
    assert secrets.answered([b"\x00\x10"]) == [b"\x00\x10"]
    assert secrets.asked([(0x50, data)]) == [data]
    secrets.asked([(0x50, b"\x7e"), (0x50, 2)])
    secrets.answered([b"\x00\x9f"])
    assert secrets.asked([(0x50, data)]) != [data]


def test_what_a_module_gives_back_is_covered_too() -> None:
    secrets = ModuleSecrets()
    secrets.asked([(0x50, b"\x76"), (0x50, 8)])
    assert secrets.answered([PASSWORD * 2]) == [bytes(8)]
    secrets.asked([(0x50, SELECT_9F)])
    secrets.asked([(0x50, whole(0x0001, PASSWORD))])
    secrets.asked([(0x50, b"\x88"), (0x50, 4)])
    assert secrets.answered([PASSWORD]) == [bytes(4)]
    secrets.asked([(0x50, whole(0x0040, b""))])  # its reply lies where the password was
    secrets.asked([(0x50, b"\x88"), (0x50, 4)])
    assert secrets.answered([PASSWORD]) == [PASSWORD]


@given(
    st.lists(
        st.tuples(st.sampled_from([0x20, 0x50]), st.binary(max_size=20) | st.integers(0, 20)), max_size=12
    )
)
def test_covers_keep_lengths_and_do_not_depend_on_being_covered(
    messages: list[tuple[int, bytes | int]],
) -> None:
    """So that a recording may be compared covered, whether it was so or not."""
    plain, again = ModuleSecrets(), ModuleSecrets()
    for address, content in messages:
        (kept,) = plain.asked([(address, content)])
        (twice,) = again.asked([(address, content if isinstance(content, int) else kept)])
        assert twice == kept
        if isinstance(content, int):
            for secrets in (plain, again):
                (answer,) = secrets.answered([bytes(content)])
                assert answer == bytes(content)
        else:
            assert len(kept) == len(content)


# -- recorded and replayed -------------------------------------------------------------------------


class Backend:
    """A bus in a world."""

    def __init__(self, clock: Clock, bus: Any) -> None:
        self.clock = clock
        self._bus = bus

    def smbus(self, address: str) -> Any:
        return self._bus

    def close(self) -> None:
        pass


def powered(profile: str) -> tuple[Clock, Any]:
    """A simulated module of a profile that has started: its bench's clock, and its bus."""
    module = ServedModule(load_profile(profile), speed=None)
    module.world.advance(5.0)
    return VirtualClock(module.world), module.bus


def entering(password: bytes, *, by_register: bool = False) -> Callable[[Any], None]:
    def use(backend: Any) -> None:
        bus = I2cBus(backend.smbus("i2c:1"), backend.clock, name="host_board")
        module = CmisModule(I2cMemory(bus, backend.clock), backend.clock)
        CdbSession(module).enter_password(password, by_register=by_register)

    return use


@pytest.mark.parametrize("profile", ["good-dr4", "dr4-foreground-cdb"])
@pytest.mark.parametrize("by_register", [False, True])
def test_a_session_with_a_module(tmp_path: Path, profile: str, by_register: bool) -> None:
    """Through the driver, over a recorded bus, to a simulated module that takes it; then replayed, also with
    another password."""
    clock, bus = powered(profile)
    recording = RecordingBackend(Backend(clock, bus), StopFlag())  # type: ignore[arg-type]
    secret = bytes.fromhex("00001011")  # OIF-CMIS-05.4, 8.2: what modules are delivered with
    entering(secret, by_register=by_register)(recording)
    (tmp_path / "raw").mkdir()
    recording.recorder.begin(tmp_path / "raw", HEADER, b"bench")
    recording.close()
    kept = (tmp_path / "raw" / "exchanges.jsonl").read_text()
    assert "00001011" not in kept
    for password in (secret, PASSWORD):
        replay = ReplayBackend(read_recording(tmp_path), StopFlag())
        entering(password, by_register=by_register)(replay)
        assert replay.remarks() == ()


def test_a_recording_from_before_is_replayed_and_a_difference_tells_nothing(tmp_path: Path) -> None:
    """An earlier version kept the body of a password command."""

    class Bus:
        def i2c_rdwr(self, *_: Any) -> None:
            pass

        def close(self) -> None:
            pass

    class Plain(ModuleSecrets):
        def asked(self, messages: Any) -> list[bytes]:
            return [b"" if isinstance(content, int) else content for _, content in messages]

    def write(backend: Any, *data: bytes) -> None:
        bus = I2cBus(backend.smbus("i2c:1"), backend.clock, name="host_board")
        for part in data:
            bus.write(0x50, part)

    inner = Backend(VirtualClock(World(1)), Bus())
    recording = RecordingBackend(inner, StopFlag())  # type: ignore[arg-type]
    recording._secrets["i2c:1"] = Plain()
    data = whole(0x0001, PASSWORD)
    write(recording, SELECT_9F, data, b"\x80\x01")
    shutil.rmtree(tmp_path / "raw", ignore_errors=True)
    (tmp_path / "raw").mkdir()
    recording.recorder.begin(tmp_path / "raw", HEADER, b"bench")
    recording.close()
    assert PASSWORD.hex() in (tmp_path / "raw" / "exchanges.jsonl").read_text()
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    write(replay, SELECT_9F, data, b"\x80\x01")
    assert replay.remarks() == ()
    replay = ReplayBackend(read_recording(tmp_path), StopFlag())
    other = bytes.fromhex("badf000d")
    with pytest.raises(ReplayDifferenceError) as raised:
        write(replay, SELECT_9F, whole(0x0002, other), b"\x80\x01")
    assert other.hex(" ") not in str(raised.value)
