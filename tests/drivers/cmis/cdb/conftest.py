"""A small module with CDB behind an smbus2-like object, for the tests of the CDB library.

It keeps to what CMIS says of messages, triggers, lengths and hold-offs, and complains where a host does not.
It knows two banks of firmware. What is to go wrong is set by a test.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.cmis.access import I2cMemory
from drivers.cmis.cdb.message import check_code, parse_message
from drivers.cmis.cdb.session import CdbSession
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import AccessLimits
from drivers.i2c import I2cBus

CMIS_MODULE = 0x18
OK = 0x01


@dataclass
class Bank:
    """One firmware image."""

    valid: bool = True
    revision: tuple[int, int, int] = (1, 0, 1)
    content: bytes = b""


@dataclass
class Firmware:
    """Images and the download in progress."""

    banks: dict[str, Bank] = field(default_factory=lambda: {"A": Bank(), "B": Bank(revision=(0, 9, 7))})
    running: str = "A"
    committed: str = "A"
    factory: bool = False
    memory: bytearray | None = None  # of a download
    expected: bytes | None = None  # what the image must be to pass the check of 0107h
    header: bytes = b""
    size: int = 0
    new_revision: tuple[int, int, int] = (2, 0, 42)
    boots: bool = True  # whether a new image comes up
    blocks: list[tuple[int, int]] = field(default_factory=list)  # (address, bytes) as they came

    one_bank: bool = False

    @property
    def target(self) -> str:
        return "B" if self.running == "A" and not self.one_bank else "A"

    def info(self) -> bytes:
        status = 0
        for shift, name in ((0, "A"), (4, "B")):
            bits = (self.running == name) | (self.committed == name) << 1 | (not self.banks[name].valid) << 2
            status |= bits << shift
        reply = bytes([status, 0x07 if self.factory else 0x03])
        for name in ("A", "B"):
            major, minor, build = self.banks[name].revision
            reply += bytes([major, minor]) + build.to_bytes(2, "big") + f"image {name}".encode().ljust(32)
        return reply + (bytes([0, 1, 0, 1]) + b"factory".ljust(32) if self.factory else bytes(36))


class FakeCdbModule:
    """The module. ``background``, ``trigger_on_stop``, ``extension`` (k) and ``epl_pages`` are advertised."""

    def __init__(
        self,
        clock: Any,
        *,
        background: bool = True,
        trigger_on_stop: bool = True,
        extension: int = 15,
        instances: int = 1,
        epl_code: int = 7,
        busy_t: int = 31,
        mechanism: int = 0x11,
    ) -> None:
        self.clock = clock
        self.background = background
        self.trigger_on_stop = trigger_on_stop
        self.longest_cdb = min(128, 8 * (1 + extension))
        self.lower = bytearray(128)
        self.lower[0], self.lower[1], self.lower[3] = CMIS_MODULE, 0x52, 1 << 1
        self.lower[39:41] = b"\x01\x00"
        self.pages = {(0, 0x00): bytearray(128), (0, 0x01): bytearray(128)}
        for bank in range(instances):
            for page in range(0x9F, 0xB0):
                self.pages[(bank, page)] = bytearray(128)
        advertised = self.pages[(0, 0x01)]
        advertised[163 - 128] = instances << 6 | background << 5 | 1 << 4 | epl_code
        advertised[164 - 128] = extension
        advertised[165 - 128] = trigger_on_stop << 7 | busy_t
        advertised[166 - 128] = 0x80
        self.firmware = Firmware()
        self.header_bytes = 16
        self.mechanism = mechanism
        self.skips_erased = True
        self.aborts = True
        self.max_ms = {"start": 2000, "abort": 100, "write": 200, "complete": 3000, "copy": 0}
        self.max_completion_ms = 1000
        self.durations_s: dict[int, float] = {0x0101: 0.8, 0x0107: 1.5}
        self.default_s = 0.003
        self.capture_s = 0.002
        self.holds_off = True  # while capturing, in the background
        self.boot_s = 1.2
        self.password = b"\x00\x00\x10\x11"
        self.needs_password = False
        self.erases_for_s = 0.0  # after the start command was reported done
        self.erased_s = 0.0
        self.unlocked = False
        self.faults: dict[int, list[int]] = {}  # command: statuses given instead of executing it
        self.replies: dict[int, bytes] = {}  # command: reply instead of its own
        self.break_reply_code = False
        self.silent_until_s = 0.0
        self.reset_at_s: float | None = None
        self.executed: list[tuple[int, int, bytes, bytes]] = []  # (instance, command, lpl, epl)
        self.writes: list[tuple[int, int, int, bytes]] = []  # (bank, page, byte, data); page -1: lower
        self.before_write: Callable[[int, int, bytes], None] | None = None  # (page, byte, data)
        self.running_commands: dict[int, tuple[float, float, int]] = {}  # bank: captured, done, status
        self.results: dict[int, bytes] = {}

    # the bus

    def i2c_rdwr(self, *messages: Any) -> None:
        self._pass_time()
        if self._refuses():
            raise OSError(errno.ENXIO, "no acknowledge")
        if len(messages) == 1:
            pointer, *data = list(messages[0])
            self._write(pointer, bytes(data))
            return
        for address, read in zip(messages[::2], messages[1::2], strict=True):
            pointer = bytes(address)[0]
            limit = self.longest_cdb if pointer >= 128 and self.selected()[1] >= 0x9F else 8
            assert read.len <= limit, f"read of {read.len} bytes at {pointer}; {limit} are allowed"
            answer = (self.lower + self.pages[self.selected()])[pointer : pointer + read.len]
            for index in range(read.len):
                read.buf[index] = bytes([answer[index]])

    def close(self) -> None:
        pass

    def selected(self) -> tuple[int, int]:
        return self.lower[126], self.lower[127]

    def _refuses(self) -> bool:
        now_s = self.clock.now_s()
        if now_s < self.silent_until_s:
            return True
        for captured_s, done_s, _ in self.running_commands.values():
            if self.background and not self.holds_off:
                continue
            if now_s < (captured_s if self.background else done_s):
                return True
        return False

    def _write(self, pointer: int, data: bytes) -> None:
        bank, page = self.selected()
        if pointer < 128:
            page = -1
        if self.before_write is not None:
            self.before_write(page, pointer, data)
            if self._refuses():
                raise OSError(errno.ENXIO, "no acknowledge")
        limit = self.longest_cdb if page >= 0x9F else 8
        assert len(data) <= limit, f"write of {len(data)} bytes on page {page:02X}h; {limit} are allowed"
        self.writes.append((bank, page, pointer, data))
        if page == -1:
            self._write_lower(pointer, data)
            return
        self.pages[(bank, page)][pointer - 128 : pointer - 128 + len(data)] = data
        if page == 0x9F and pointer <= 129 < pointer + len(data):
            alone = (pointer, len(data)) in ((129, 1), (128, 2))
            if self.trigger_on_stop or alone:
                self._trigger(bank)

    def _write_lower(self, pointer: int, data: bytes) -> None:
        if (pointer, len(data)) == (122, 4):
            self.unlocked = data == self.password  # write only: reads as 0
            return
        if (pointer, len(data)) == (118, 4):
            self.password = data
            return
        self.lower[pointer : pointer + len(data)] = data
        if pointer + len(data) == 128 and self.selected() not in self.pages:
            self.lower[126:128] = b"\0\0"

    # time

    def _pass_time(self) -> None:
        now_s = self.clock.now_s()
        if self.reset_at_s is not None and now_s >= self.reset_at_s:
            at_s, self.reset_at_s = self.reset_at_s, None
            self._restart(self.firmware.target if self.firmware.boots else self.firmware.committed, at_s)
        for bank, (captured_s, done_s, status) in list(self.running_commands.items()):
            if now_s >= done_s:
                self.lower[37 + bank] = status
                self._show_reply(bank)
                del self.running_commands[bank]
            elif now_s >= captured_s:
                self.lower[37 + bank] = 0x83

    def _restart(self, image: str, at_s: float) -> None:
        self.running_commands.clear()
        self.lower[37:39] = b"\0\0"
        self.lower[126:128] = b"\0\0"
        self.unlocked = False
        self.firmware.memory = None
        self.firmware.running = image
        self.silent_until_s = max(self.silent_until_s, at_s + self.boot_s)

    def lose_power(self) -> None:
        self._restart(self.firmware.committed, self.clock.now_s())

    # commands

    def _trigger(self, bank: int) -> None:
        page = self.pages[(bank, 0x9F)]
        message = parse_message(bytes(page))
        assert bank not in self.running_commands, "a command was sent while another one runs"
        length = message.epl_length
        epl = b"".join(bytes(self.pages[(bank, 0xA0 + index)]) for index in range(16))[:length]
        queue = self.faults.get(message.command)
        self.results[bank] = b""
        if not message.ok:
            status = 0x45
        elif queue:
            status = queue.pop(0)
        else:
            status, self.results[bank] = self._execute(message.command, message.lpl, epl)
            self.results[bank] = self.replies.get(message.command, self.results[bank])
        self.executed.append((bank + 1, message.command, message.lpl, epl))
        now_s = self.clock.now_s()
        done_s = now_s + self.durations_s.get(message.command, self.default_s)
        self.running_commands[bank] = (min(now_s + self.capture_s, done_s), done_s, status)

    def _show_reply(self, bank: int) -> None:
        body = self.results.get(bank, b"")
        page = self.pages[(bank, 0x9F)]
        if len(body) <= 120:
            page[6] = len(body)
            page[8 : 8 + len(body)] = body
        else:
            pages = -(-len(body) // 128)
            page[6] = 239 + pages
            body = body.ljust(128 * pages, b"\0")
            for index in range(pages):
                self.pages[(bank, 0xA0 + index)][:] = body[128 * index : 128 * index + 128]
        page[7] = check_code(body) if body else 0
        if self.break_reply_code:
            page[7] ^= 0x01

    def _execute(self, command: int, lpl: bytes, epl: bytes) -> tuple[int, bytes]:
        firmware = self.firmware
        if 0x0101 <= command <= 0x010A and self.needs_password and not self.unlocked:
            return 0x46, b""
        if command == 0x0000:
            return OK, bytes([2, int(self.unlocked)])
        if command == 0x0001:
            self.unlocked = lpl == self.password
            return (OK if self.unlocked else 0x46), b""
        if command == 0x0002:
            if self.unlocked:
                self.password = lpl
            return (OK if self.unlocked else 0x46), b""
        if command == 0x0004:
            return OK, b""
        if command == 0x0040:
            bitmap = bytearray(32)
            for known in (0x0000, 0x0001, 0x0002, 0x0004, 0x0040, 0x0041):
                bitmap[known // 8] |= 1 << known % 8
            return OK, bytes(2) + bytes(bitmap) + self.max_completion_ms.to_bytes(2, "big")
        if command == 0x0041:
            flags = 0x80 | self.skips_erased << 2 | 0x02 | self.aborts
            reply = bytes(
                [0, flags, self.header_bytes, 0xFF, self.longest_cdb // 8 - 1, self.mechanism, 0x01, 0]
            )
            return OK, reply + b"".join(self.max_ms[name].to_bytes(2, "big") for name in self.max_ms)
        if command == 0x0100:
            return OK, firmware.info()
        if command == 0x0101 and firmware.memory is not None:
            return 0x47, b""
        if command == 0x0101:
            firmware.size = int.from_bytes(lpl[:4], "big")
            firmware.header = lpl[8:]
            firmware.memory = bytearray(b"\xff" * (firmware.size - len(firmware.header)))
            firmware.banks[firmware.target] = Bank(valid=False, revision=(0, 0, 0))
            self.erased_s = self.clock.now_s() + self.erases_for_s
            return OK, b""
        if command in (0x0102, 0x0103, 0x0104, 0x0107) and firmware.memory is None:
            return 0x47, b""
        if command == 0x0102:
            firmware.memory = None
            return OK, b""
        if command in (0x0103, 0x0104) and self.clock.now_s() < self.erased_s:
            return 0x47, b""
        if command in (0x0103, 0x0104):
            address = int.from_bytes(lpl[:4], "big")
            block = lpl[4:] if command == 0x0103 else epl
            assert firmware.memory is not None
            assert address + len(block) <= len(firmware.memory), "written beyond the image"
            firmware.memory[address : address + len(block)] = block
            firmware.blocks.append((address, len(block)))
            return OK, b""
        if command == 0x0107:
            assert firmware.memory is not None
            content = firmware.header + bytes(firmware.memory)
            if firmware.expected is not None and content != firmware.expected:
                return 0x62, b""
            firmware.banks[firmware.target] = Bank(True, firmware.new_revision, content)
            firmware.memory = None
            return OK, b""
        if command == 0x0108:
            source, copy = ("A", "B") if lpl[0] == 0xAB else ("B", "A")
            firmware.banks[copy] = Bank(True, firmware.banks[source].revision, firmware.banks[source].content)
            return OK, b""
        if command == 0x0109:
            if not firmware.banks[firmware.target].valid:
                return 0x47, b""
            self.reset_at_s = self.clock.now_s() + int.from_bytes(lpl[2:4], "big") / 1e3
            return OK, b""
        if command == 0x010A:
            firmware.committed = firmware.running
            return OK, b""
        return 0x41, b""


@pytest.fixture
def make_session(clock: Any) -> Callable[..., tuple[FakeCdbModule, CdbSession]]:
    """Makes a fake module (with its options) and a session with it (``cdb_limit``: the port's own limit)."""

    def make(
        *,
        cdb_limit: int = 128,
        instance: int = 1,
        strict: bool = True,
        trace: Callable[[str], None] | None = None,
        first_look_s: float = 0.0,
        **options: Any,
    ) -> tuple[FakeCdbModule, CdbSession]:
        fake = FakeCdbModule(clock, **options)
        memory = I2cMemory(I2cBus(fake, clock, name="i2c-1"), clock)  # type: ignore[arg-type]
        memory.limits = AccessLimits(cdb=cdb_limit)
        session = CdbSession(
            CmisModule(memory, clock),
            instance=instance,
            strict=strict,
            trace=trace,
            first_look_s=first_look_s,
        )
        return fake, session

    return make


@pytest.fixture
def image() -> bytes:
    """A firmware file of 16 header bytes and 5000 more, with a stretch of erased bytes in it."""
    body = bytes((7 * index + index // 251) & 0xFF for index in range(5000))
    return b"HEADER-OF-IMAGE!" + body[:2100] + b"\xff" * 700 + body[2800:]
