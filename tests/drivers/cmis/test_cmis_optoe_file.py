"""A module behind optoe's file: its layout, its driver's habits, its errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from drivers.cmis.dump import load_dump
from drivers.cmis.errors import InvalidMemoryError, ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.image import MemoryImage
from drivers.cmis.module import CmisModule
from drivers.cmis.optoe import OptoeMemory, linear_offset
from drivers.cmis.ports import AccessLimits, HasLimits, HoldsOff, HoldsTheBus, RemembersPage
from drivers.errors import ConnectionFailedError

ADMIN = (b"\x18Vendor          \0\0\0Part            A1Serial          250101  ").ljust(128, b"\0")


@pytest.mark.parametrize(
    ("address", "offset"),
    [
        ((0, 0x00, 0), 0),
        ((5, 0x22, 127), 127),
        ((0, 0x00, 128), 128),
        ((0, 0x01, 128), 256),
        ((0, 0xFF, 255), 0x807F),  # one bank ends at 8080h
        ((3, 0x0F, 128), 0x800),  # not banked
        ((1, 0x10, 128), 0x8080),  # and the next begins with page 10h
        ((1, 0xFF, 255), 0xF87F),  # two banks end at F880h
    ],
)
def test_where_the_file_holds_a_byte(address: tuple[int, int, int], offset: int) -> None:
    assert linear_offset(*address) == offset


class Driver:
    """The file functions of an operating system whose one file is optoe's for a module.

    As the driver does: each access to another page than 00h selects it and goes back to page 00h. A page
    that the module does not have shows page 00h.
    """

    O_RDWR, O_RDONLY, O_CLOEXEC = os.O_RDWR, os.O_RDONLY, os.O_CLOEXEC

    def __init__(self, image: MemoryImage, size: int = 0x8080) -> None:
        self.image = image
        self.size = size
        self.log: list[tuple[str, int, int]] = []
        self.faults: list[int] = []
        self.open_faults: list[int] = []
        self.open_files = 0
        self.stuck: int | None = None  # page that the driver could not leave

    def open(self, _path: Path, flags: int) -> int:
        self.log.append(("open", flags & (os.O_RDWR | os.O_RDONLY), 0))
        if self.open_faults:
            number = self.open_faults.pop(0)
            raise OSError(number, os.strerror(number))
        self.open_files += 1
        return 7

    def close(self, _file: int) -> None:
        self.open_files -= 1

    def pread(self, _file: int, length: int, offset: int) -> bytes:
        self.log.append(("read", offset, length))
        self._fail()
        if offset + length > self.size:
            return b""
        return self.image.get(*self._address(offset), length)

    def pwrite(self, _file: int, data: bytes, offset: int) -> int:
        self.log.append(("write", offset, len(data)))
        self._fail()
        if offset == 127:
            self.stuck = None
            return 1
        self.image.put(*self._address(offset), data)
        return len(data)

    def _fail(self) -> None:
        if self.faults:
            number = self.faults.pop(0)
            raise OSError(number, os.strerror(number))

    def _address(self, offset: int) -> tuple[int, int, int]:
        if offset < 128:
            self.image.put(0, 0, 127, bytes([self.stuck or 0]))
            return 0, 0, offset
        number = offset // 128 - 1
        if number == 0 and self.stuck is not None:
            return 0, self.stuck, offset
        bank = 0 if number < 256 else (number - 16) // 240
        page = number - 240 * bank
        return (bank, page if self.image.has(bank, page) else 0, 128 + offset % 128)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    image = MemoryImage(bytes(range(128)), {(0, 0x00): ADMIN})
    for page in (0x01, 0x03, 0x10, 0x11, 0x2C):
        image.add_page(0, page, bytes(range(128)))
    found = Driver(image)
    monkeypatch.setattr("drivers.cmis.optoe.os", found)
    return found


@pytest.fixture
def memory(driver: Driver, clock: Any) -> OptoeMemory:
    return OptoeMemory("/sys/bus/i2c/devices/1-0050/eeprom", clock)


def test_it_is_opened_when_it_is_first_used_and_closed_at_the_end(
    driver: Driver, memory: OptoeMemory
) -> None:
    assert driver.log == []
    with memory:
        assert memory.read(0, 0, 14, 2) == bytes([14, 15])
        memory.read(0, 0, 14, 2)
        assert driver.open_files == 1
    assert driver.open_files == 0
    memory.close()
    assert driver.open_files == 0


def test_it_offers_what_it_can(memory: OptoeMemory) -> None:
    for protocol in (HasLimits, HoldsOff, HoldsTheBus, RemembersPage):
        assert isinstance(memory, protocol)


def test_pages_are_read_and_written_in_their_places(driver: Driver, memory: OptoeMemory) -> None:
    assert memory.read(0, 0x11, 154, 4) == bytes([26, 27, 28, 29])
    assert driver.log[-1] == ("read", 18 * 128 + 26, 4)
    memory.write(0, 0x10, 145, bytes(range(1, 11)))
    assert [entry for entry in driver.log if entry[0] == "write"] == [
        ("write", 17 * 128 + 17, 8),
        ("write", 17 * 128 + 25, 2),
    ]
    assert driver.image.get(0, 0x10, 145, 10) == bytes(range(1, 11))


def test_reads_keep_to_the_limit(driver: Driver, memory: OptoeMemory) -> None:
    memory.limits = AccessLimits(read=32)
    assert memory.read(0, 0x01, 130, 100) == bytes(range(2, 102))
    assert [length for kind, _, length in driver.log[-4:] if kind == "read"] == [32, 32, 32, 4]


def test_a_page_that_the_module_does_not_have_is_not_page_00h(driver: Driver, memory: OptoeMemory) -> None:
    for _ in range(2):
        with pytest.raises(PageUnavailableError, match=r"page 20h bank 0 .*copy of page 00h"):
            memory.read(0, 0x20, 128, 2)
    with pytest.raises(PageUnavailableError, match="page 12h"):
        memory.write(0, 0x12, 128, b"\1")
    assert not any(kind == "write" for kind, *_ in driver.log)


def test_looking_for_a_page_reads_no_flag(driver: Driver, memory: OptoeMemory) -> None:
    memory.read(0, 0x11, 202, 4)
    memory.read(0, 0x2C, 128, 1)
    flags = {18 * 128 + byte - 128 for byte in range(134, 154)} | set(range(0x2D * 128 + 1, 0x2E * 128))
    for kind, offset, length in driver.log:
        assert kind != "read" or flags.isdisjoint(range(offset, offset + length))


def test_a_page_is_looked_for_once_until_it_is_forgotten(driver: Driver, memory: OptoeMemory) -> None:
    memory.read(0, 0x11, 202, 4)
    driver.log.clear()
    memory.read(0, 0x11, 202, 4)
    assert len(driver.log) == 1
    memory.forget_page()
    memory.read(0, 0x11, 202, 4)
    assert len(driver.log) > 3
    memory.write(0, 0, 26, b"\x08")  # a reset
    driver.log.clear()
    memory.read(0, 0x11, 202, 4)
    assert len(driver.log) > 1


def test_a_blank_page_00h_proves_nothing(driver: Driver, memory: OptoeMemory) -> None:
    driver.image.put(0, 0, 128, bytes(128))
    driver.image.put(0, 0x10, 128, bytes(128))
    assert memory.read(0, 0x10, 128, 4) == bytes(4)


def test_looking_for_pages_can_be_left_out(driver: Driver, clock: Any) -> None:
    memory = OptoeMemory("eeprom", clock, check_pages=False)
    assert memory.read(0, 0x20, 129, 6) == b"Vendor"
    assert len(driver.log) == 2


def test_page_00h_is_read_again_when_the_driver_could_not_go_back_to_it(
    driver: Driver, memory: OptoeMemory
) -> None:
    driver.stuck = 0x11
    assert memory.read(0, 0, 129, 6) == b"Vendor"
    assert ("write", 127, 1) in driver.log


def test_another_page_that_stays_selected_is_told(
    driver: Driver, memory: OptoeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "pwrite", lambda *_: 1)
    driver.stuck = 0x11
    with pytest.raises(InvalidMemoryError, match="keeps having another page"):
        memory.read(0, 0, 129, 6)


def test_the_end_of_the_file_is_the_end_of_the_pages(driver: Driver, memory: OptoeMemory) -> None:
    driver.size = 0x900
    with pytest.raises(PageUnavailableError, match=r"page 11h bank 0 .*file ends there \(0 of "):
        memory.read(0, 0x11, 202, 4)
    with pytest.raises(PageUnavailableError, match="bank_size"):
        memory.read(1, 0x11, 202, 4)


def test_what_the_driver_calls_invalid_is_no_page(driver: Driver, memory: OptoeMemory) -> None:
    memory.read(0, 0, 0, 1)
    driver.faults = [errno.EINVAL]
    with pytest.raises(PageUnavailableError, match="no such page"):
        memory.read(0, 0x11, 202, 4)


def test_eio_that_stays_blames_neither_module_nor_bus(driver: Driver, memory: OptoeMemory) -> None:
    driver.faults = [errno.EIO] * 3
    assert memory.read(0, 0, 14, 2) == bytes([14, 15])
    driver.faults = [errno.EIO] * 1000
    with pytest.raises(ConnectionFailedError, match="whether the module or the bus is at fault"):
        memory.read(0, 0, 14, 2)


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_a_read_of_flags_that_may_have_cleared_them_is_not_repeated(
    driver: Driver, memory: OptoeMemory, number: int
) -> None:
    memory.read(0, 0, 3, 1)
    driver.faults = [number]
    with pytest.raises(ConnectionFailedError, match="may have been cleared"):
        memory.read(0, 0, 8, 4)
    assert driver.faults == []


@pytest.mark.parametrize("number", [errno.ENXIO, errno.EREMOTEIO, errno.ETIMEDOUT])
def test_a_refusal_is_waited_for(driver: Driver, memory: OptoeMemory, clock: Any, number: int) -> None:
    driver.faults = [number] * 3
    assert memory.read(0, 0, 14, 2) == bytes([14, 15])
    assert 0.0 < sum(clock.sleeps) <= 0.010
    driver.faults = [number] * 1000
    with pytest.raises(
        ModuleNotRespondingError, match=r"1-0050/eeprom: .*lower memory bytes 14\.\.15.*10 ms"
    ):
        memory.read(0, 0, 14, 2)


def test_longer_refusals_are_waited_for_where_they_are_due(
    driver: Driver, memory: OptoeMemory, clock: Any
) -> None:
    memory.write(0, 0x03, 128, b"\1")
    driver.faults = [errno.ENXIO] * 1000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 80 ms"):
        memory.read(0, 0, 3, 1)
    driver.faults = []
    memory.write(0, 0, 118, b"\0\0\0\0")
    driver.faults = [errno.ENXIO] * 1000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 80 ms"):
        memory.read(0, 0, 3, 1)
    driver.faults = []
    memory.read(0, 0, 3, 1)
    memory.expect_hold_off(1.0)
    driver.faults = [errno.ENXIO] * 1000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 1000 ms"):
        memory.read(0, 0, 3, 1)
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 10 ms"):
        memory.read(0, 0, 3, 1)


def test_a_file_that_may_only_be_read_is_read(driver: Driver, memory: OptoeMemory) -> None:
    driver.open_faults = [errno.EACCES]
    assert memory.read(0, 0, 14, 1) == bytes([14])
    assert [flags for kind, flags, _ in driver.log if kind == "open"] == [os.O_RDWR, os.O_RDONLY]
    driver.faults = [errno.EBADF]
    with pytest.raises(ConnectionFailedError, match="reading only"):
        memory.write(0, 0, 26, b"\0")


@pytest.mark.parametrize(
    ("numbers", "advice"),
    [
        ([errno.ENOENT], "instantiated"),
        ([errno.EACCES, errno.EACCES], "root"),
        ([errno.ENODEV], "unplugged"),
        ([errno.EISDIR], "optoe"),
    ],
)
def test_what_the_bench_lacks_is_not_the_modules_fault(
    driver: Driver, memory: OptoeMemory, numbers: list[int], advice: str
) -> None:
    driver.open_faults = numbers
    with pytest.raises(ConnectionFailedError, match=advice):
        memory.read(0, 0, 0, 1)


@pytest.mark.parametrize("path", ["missing/eeprom", ".", "nul\0character"])
def test_paths_that_are_no_such_file(tmp_path: Path, clock: Any, path: str) -> None:
    with pytest.raises(ConnectionFailedError):
        OptoeMemory(tmp_path / path, clock).read(0, 0, 0, 1)


def test_a_file_of_a_real_modules_bytes(tmp_path: Path, dump_folder: Path, clock: Any) -> None:
    """A plain file stands in for the driver's: the layout alone."""
    image = load_dump(dump_folder / "arista-400g-xdr4.json").image
    data = bytearray(0x8080)
    data[:128] = image.get(0, 0, 0, 128)
    data[127] = 0
    for _, page in image.pages():
        data[128 * (page + 1) : 128 * (page + 2)] = image.get(0, page, 128, 128)
    path = tmp_path / "eeprom"
    path.write_bytes(data)
    with OptoeMemory(path, clock) as memory:
        module = CmisModule(memory, clock)
        assert module.identity().part_number == "QDD-400G-XDR4"
        assert module.lane_monitors()[0].tx_power_dbm == pytest.approx(2.0167, abs=1e-3)
        module.set_output_disable_tx((1, 2))
    assert path.read_bytes()[17 * 128 + 2] == 0x03
