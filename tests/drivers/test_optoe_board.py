"""A host board over optoe's file and pins over files of sysfs: what is written, read back and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.clock import StopFlag
from drivers.cmis.bringup import require_module
from drivers.cmis.codes import ModuleState
from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    OutOfRangeError,
    UnsupportedError,
)
from drivers.optoe_board import OptoeHostBoard
from drivers.sysfs_file import check_sysfs_path
from harness.simulation.world import VirtualClock, World

ADMIN = (b"\x18Vendor          \0\0\0Part            A1Serial          250101  ").ljust(128, b"\0")
SIZE = 0x8080


def place(page: int, byte: int) -> int:
    return byte if byte < 128 else page * 128 + byte


@pytest.fixture
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree in the place of /sys, with a module's memory that stands still."""
    root = tmp_path / "sys"
    root.mkdir()
    monkeypatch.setattr("drivers.sysfs_file.SYSFS", root)
    memory = bytearray(SIZE)
    memory[0], memory[1] = 0x18, 0x50
    memory[3] = ModuleState.ModuleLowPwr << 1
    memory[128:256] = ADMIN
    for page in (0x01, 0x10, 0x11):
        memory[place(page, 128) : place(page, 256)] = bytes([page + 1]) * 128
    (root / "eeprom").write_bytes(memory)
    for pin, level in (("reset", 0), ("low_power", 0), ("present", 1)):
        (root / pin).write_text(f"{level}\n", encoding="ascii")
    return root


@pytest.fixture
def make_board(sysfs: Path) -> Callable[..., OptoeHostBoard]:
    def make(**options: object) -> OptoeHostBoard:
        return OptoeHostBoard(
            str(sysfs / "eeprom"), VirtualClock(World(1), StopFlag()), name="host_board", options=options
        )

    return make


@pytest.fixture
def with_pins(make_board: Callable[..., OptoeHostBoard], sysfs: Path) -> OptoeHostBoard:
    files = {"reset_l": "reset", "lpmode": "low_power", "modprs_l": "present"}
    return make_board(
        pins={pin: str(sysfs / file) for pin, file in files.items()}, asserted_levels={"modprs_l": 1}
    )


def test_the_memory_is_the_files(make_board: Callable[..., OptoeHostBoard]) -> None:
    board = make_board()
    assert board.connect().model == "optoe host board"
    assert board.memory.read(0, 0x00, 129, 6) == b"Vendor"
    assert board.memory.read(0, 0x11, 128, 2) == b"\x12\x12"
    board.close()


def test_pins_are_driven_and_read_back(with_pins: OptoeHostBoard, sysfs: Path) -> None:
    with_pins.connect()
    assert (sysfs / "reset").read_text(encoding="ascii").strip() == "1"  # released
    assert (sysfs / "low_power").read_text(encoding="ascii").strip() == "1"  # asserted
    pins = with_pins.pins
    assert not pins.reset_asserted()
    pins.set_reset(asserted=True)
    assert pins.reset_asserted()
    assert (sysfs / "reset").read_text(encoding="ascii").strip() == "0"
    pins.set_low_power(asserted=False)
    assert (sysfs / "low_power").read_text(encoding="ascii").strip() == "0"
    assert pins.module_present()
    require_module(pins)
    (sysfs / "present").write_text("0x0\n", encoding="ascii")
    assert not pins.module_present()


def test_pins_without_a_file_say_so(make_board: Callable[..., OptoeHostBoard]) -> None:
    pins = make_board().pins
    pins.set_selected(asserted=True)  # which optoe itself sees to
    for ask, pin in (
        (lambda: pins.set_reset(asserted=True), "reset_l"),
        (pins.reset_asserted, "reset_l"),
        (lambda: pins.set_low_power(asserted=False), "lpmode"),
        (lambda: pins.set_selected(asserted=False), "modsel_l"),
        (pins.module_present, "modprs_l"),
        (pins.interrupt_asserted, "int_l"),
    ):
        with pytest.raises(UnsupportedError, match=f"host_board: has no pin {pin}.*option pins"):
            ask()


def test_a_pin_that_does_not_follow(
    with_pins: OptoeHostBoard, sysfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(with_pins.pins), "asserted", lambda *_: False)
    with pytest.raises(InstrumentError, match=r"pin reset_l does not follow: .*still reads 1 after 0"):
        with_pins.pins.set_reset(asserted=True)


@pytest.mark.parametrize("content", [b"", b"2\n", b"in\n", b"\xff\xfe", b"-1", b"1" * 5000])
def test_what_is_no_level(with_pins: OptoeHostBoard, sysfs: Path, content: bytes) -> None:
    (sysfs / "present").write_bytes(content)
    with pytest.raises(GarbledReplyError, match="holds no level of modprs_l"):
        with_pins.pins.module_present()


def test_it_is_made_safe_by_its_pins(with_pins: OptoeHostBoard, sysfs: Path) -> None:
    before = (sysfs / "eeprom").read_bytes()
    steps = with_pins.make_safe()
    assert [(step.action, step.safe) for step in steps] == [("assert reset_l", True), ("assert lpmode", True)]
    assert (sysfs / "reset").read_text(encoding="ascii").strip() == "0"
    assert (sysfs / "eeprom").read_bytes() == before


def test_reset_alone_makes_a_module_safe_that_does_not_answer(
    make_board: Callable[..., OptoeHostBoard], sysfs: Path
) -> None:
    board = make_board(pins={"reset_l": str(sysfs / "reset")})
    (sysfs / "reset").write_text("1\n", encoding="ascii")
    (sysfs / "eeprom").unlink()
    assert [(step.action, step.safe) for step in board.make_safe()] == [("assert reset_l", True)]
    assert (sysfs / "reset").read_text(encoding="ascii").strip() == "0"


def test_where_reset_does_not_follow_the_registers_are_used_too(
    with_pins: OptoeHostBoard, sysfs: Path
) -> None:
    (sysfs / "reset").unlink()
    steps = with_pins.make_safe()
    assert [(step.action, step.safe) for step in steps] == [
        ("assert reset_l", False),
        ("assert lpmode", True),
        ("transmitters off", True),
        ("low power requested by register", True),
        ("module in low power", True),
    ]
    assert (sysfs / "eeprom").read_bytes()[place(0x10, 130)] == 0xFF


def test_without_them_it_is_made_safe_by_its_registers(
    make_board: Callable[..., OptoeHostBoard], sysfs: Path
) -> None:
    steps = make_board().make_safe()
    assert [(step.action, step.read_back, step.safe) for step in steps] == [
        ("transmitters off", "10h:130 reads back FFh", True),
        ("low power requested by register", "lower:26.4 reads back 1", True),
        ("module in low power", "lower:3.3-1 ModuleState reads ModuleLowPwr", True),
    ]
    after = (sysfs / "eeprom").read_bytes()
    assert after[place(0x10, 130)] == 0xFF
    assert after[26] & 0x10


def test_a_module_that_stays_up_is_not_safe(make_board: Callable[..., OptoeHostBoard], sysfs: Path) -> None:
    memory = bytearray((sysfs / "eeprom").read_bytes())
    memory[3] = ModuleState.ModuleReady << 1
    (sysfs / "eeprom").write_bytes(memory)
    *_, last = make_board().make_safe()
    assert (last.read_back, last.safe) == ("lower:3.3-1 ModuleState reads ModuleReady", False)


def test_a_file_that_went_away_is_not_safe(make_board: Callable[..., OptoeHostBoard], sysfs: Path) -> None:
    board = make_board()
    (sysfs / "eeprom").unlink()
    steps = board.make_safe()
    assert len(steps) == 3
    assert not any(step.safe for step in steps)
    assert all("eeprom" in step.read_back for step in steps)
    with pytest.raises(ConnectionFailedError, match="Is the driver loaded"):
        board.connect()


def test_links_out_of_sysfs_are_not_followed(make_board: Callable[..., OptoeHostBoard], sysfs: Path) -> None:
    elsewhere = sysfs.parent / "dump.bin"
    elsewhere.write_bytes(bytes(SIZE))
    (sysfs / "eeprom").unlink()
    (sysfs / "eeprom").symlink_to(elsewhere)
    board = make_board()
    with pytest.raises(ConnectionFailedError, match="which is no file of sysfs: nothing was opened"):
        board.connect()
    assert not any(step.safe for step in board.make_safe())
    assert elsewhere.read_bytes() == bytes(SIZE)
    with pytest.raises(ConnectionFailedError, match="no file of sysfs"):
        make_board(pins={"reset_l": str(sysfs / "eeprom")}).pins.set_reset(asserted=True)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/sys",
        "/sys/",
        "/sys/../etc/passwd",
        "/sys/a/./b",
        "/sys//a",
        "/system/a",
        "sys/a",
        "",
        "/sys/a\n",
        "/sys/a\0",
        "/sys/a b",
        "/sys/\u00e4",
        "/sys/" + "a" * 2000,
    ],
)
def test_odd_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no file of sysfs"):
        check_sysfs_path(path)


def test_plain_paths_are_taken() -> None:
    for path in ("/sys/bus/i2c/devices/1-0050/eeprom", "/sys/devices/x@0/pci0000:00/gpio/gpio4/value"):
        assert check_sysfs_path(path) == path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gpio": {}}, "unknown option 'gpio'; there are: pins, asserted_levels"),
        ({"pins": []}, "option pins is a table of pins"),
        ({"pins": {"reset": "/sys/x"}}, "option pins is a table of pins"),
        ({"pins": {"reset_l": "/tmp/x"}}, r"option pins\.reset_l: '/tmp/x' is no file of sysfs"),
        ({"pins": {"reset_l": 4}}, r"option pins\.reset_l: '4' is no file of sysfs"),
        (
            {"asserted_levels": {"reset_l": 1}},
            r"option asserted_levels\.reset_l: pins has no file for reset_l",
        ),
    ],
)
def test_options_are_checked(
    make_board: Callable[..., OptoeHostBoard], options: dict[str, object], told: str
) -> None:
    with pytest.raises(OutOfRangeError, match=f"host_board: {told}"):
        make_board(**options)


@pytest.mark.parametrize("level", [2, -1, True, "1", None])
def test_levels_are_0_or_1(make_board: Callable[..., OptoeHostBoard], sysfs: Path, level: object) -> None:
    with pytest.raises(OutOfRangeError, match=r"asserted_levels\.reset_l must be 0 or 1"):
        make_board(pins={"reset_l": str(sysfs / "reset")}, asserted_levels={"reset_l": level})
