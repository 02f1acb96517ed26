"""Firmware of a simulated module: its image format, and the banks it lives in (OIF-CMIS-05.4 §9.7).

The simulated vendor's image is a header of :data:`HEADER_BYTES` and a body; big-endian::

    0   4  magic "LWFW"
    4   1  header format, 1
    5   1  0
    6  16  target: the part number it is for, ASCII, padded with spaces
    22  2  version, major and minor
    24  2  build
    26  4  length of the body
    30  4  CRC-32 (zlib) of the body
    34 32  free text, ASCII, padded with spaces
    66  2  0
    68  4  CRC-32 of bytes 0..67

The header is what a host sends with Start (StartCmdPayloadSize); the body is what it writes in blocks, from
address 0 on. So a wrong file, another product's image, a damaged header and a damaged body are told apart.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import zlib
from dataclasses import dataclass, field

HEADER_BYTES = 72
ERASED_BYTE = 0xFF
BANK_BYTES = 4 << 20
"""Room for a body."""

DEFAULT_TARGET = "LW-400G-DR4-SIM"
"""Part number of the profile ``good-dr4``."""

_MAGIC = b"LWFW"
_FORMAT = 1
_HEADER = struct.Struct(">4sBx16sBBHII32sxx")
_TEXT = 32
_COPY_HEADS = {0xAB: ("A", "B"), 0xBA: ("B", "A")}


class Result(enum.IntEnum):
    """CdbCommandResult of a command that failed (lower:37 and 38, bits 5-0)."""

    UNSPECIFIC = 0
    UNKNOWN_COMMAND = 1
    PARAMETER = 2
    CHECK_CODE = 5
    PASSWORD = 6
    NOT_NOW = 7
    REJECTED = 32
    FORMAT = 33
    CHECKSUM = 34
    AUTHENTICATION = 35
    WRONG_TARGET = 36
    INVALID_LOAD = 37
    NO_HITLESS = 38
    NO_PRESERVING = 39
    EXECUTION = 40
    RESOURCES = 41


class RefusedError(Exception):
    """A command fails; ``result`` says how."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.name)
        self.result = result


class RunMode(enum.IntEnum):
    """Second byte of Run Firmware Image (0109h)."""

    RESET_TO_INACTIVE = 0
    HITLESS_TO_INACTIVE = 1
    RESET_TO_RUNNING = 2
    HITLESS_TO_RUNNING = 3
    PRESERVING_RESET_TO_INACTIVE = 4
    PRESERVING_RESET_TO_RUNNING = 5


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself."""

    target: str
    major: int
    minor: int
    build: int
    length: int
    crc: int
    text: str

    def encode(self) -> bytes:
        """The :data:`HEADER_BYTES` bytes.

        :raises ValueError: when a part does not fit.
        """
        try:
            packed = _HEADER.pack(
                _MAGIC,
                _FORMAT,
                self.target.encode("ascii").ljust(16),
                self.major,
                self.minor,
                self.build,
                self.length,
                self.crc,
                self.text.encode("ascii").ljust(_TEXT),
            )
        except (struct.error, UnicodeEncodeError) as fault:
            raise ValueError(f"a firmware image cannot say {self}: {fault}") from fault
        if len(self.target) > 16 or len(self.text) > _TEXT:
            raise ValueError(f"target {self.target!r} or text {self.text!r} of a firmware image is too long")
        return packed + zlib.crc32(packed).to_bytes(4)

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """:raises RefusedError: FORMAT when it is no header or its texts are not ASCII, CHECKSUM when it is a
        damaged one."""
        if len(data) != HEADER_BYTES or data[:5] != _MAGIC + bytes([_FORMAT]):
            raise RefusedError(Result.FORMAT)
        packed = data[: _HEADER.size]
        if zlib.crc32(packed).to_bytes(4) != data[_HEADER.size :]:
            raise RefusedError(Result.CHECKSUM)
        _, _, target, major, minor, build, length, crc, text = _HEADER.unpack(packed)
        if not (target.isascii() and text.isascii()):
            raise RefusedError(Result.FORMAT)
        return cls(_text(target), major, minor, build, length, crc, _text(text))


def make_image(
    version: tuple[int, int] = (2, 5),
    build: int = 1,
    size: int = 4096,
    *,
    target: str = DEFAULT_TARGET,
    text: str = "",
    erased_bytes: int = 0,
) -> bytes:
    """An image file of ``size`` bytes, header included, that the simulated module for ``target`` accepts.

    ``erased_bytes``: so many bytes in the middle of the body have the value of erased memory. The same
    arguments give the same bytes.

    :raises ValueError: for a size without room for a body, and for what the header cannot hold.
    """
    length = size - HEADER_BYTES
    if not 1 <= length <= BANK_BYTES or not 0 <= erased_bytes <= length:
        raise ValueError(
            f"an image of {size} bytes with {erased_bytes} erased ones: it has {HEADER_BYTES} bytes of "
            f"header and 1..{BANK_BYTES} of body"
        )
    body = bytearray(hashlib.shake_128(f"{target} {version} {build}".encode()).digest(length))
    first = (length - erased_bytes) // 2
    body[first : first + erased_bytes] = bytes([ERASED_BYTE]) * erased_bytes
    header = Header(target, *version, build, length, zlib.crc32(body), text)
    return header.encode() + body


def _text(raw: bytes) -> str:
    return raw.decode("ascii").rstrip(" \0")


@dataclass(slots=True)
class Slot:
    """One bank of the memory. ``header`` None: empty, or what it holds cannot be told."""

    header: Header | None = None
    body: bytes = b""
    valid: bool = False
    spoilt: bool = False
    """Written to, and not found valid since."""

    @property
    def version(self) -> tuple[int, int]:
        """As registers show it: FF.FF for an invalid image, 0.0 for none."""
        if self.valid and self.header is not None:
            return self.header.major, self.header.minor
        return (0xFF, 0xFF) if self.spoilt else (0, 0)

    def erase(self) -> None:
        """Begin to write it: whatever happens now, what it held is gone."""
        self.header, self.body, self.valid, self.spoilt = None, b"", False, True


@dataclass(slots=True)
class Download:
    """A download between Start and Complete or Abort."""

    bank: str
    header: Header
    body: bytearray
    received: bytearray = field(repr=False)
    writable_from_ns: int = 0


class FirmwareStore:
    """The banks of one module. They are non-volatile; the download and which image runs are not."""

    def __init__(
        self, part_number: str, version: tuple[int, int], *, banks: int, skips_erased: bool, corrupt: bool
    ) -> None:
        """:param version: of the image in bank A, which runs and is committed.
        :param banks: 2, or 1: then a download overwrites the image that runs (from the module's RAM).
        :param corrupt: bank A's image has been damaged, and no other is there.
        """
        self._target = part_number
        self._skips_erased = skips_erased
        image = make_image(version, 1, 1024, target=part_number, text="delivered")
        header, body = Header.decode(image[:HEADER_BYTES]), image[HEADER_BYTES:]
        self.slots = {"A": Slot(header, body, valid=not corrupt, spoilt=corrupt)}
        if banks == 2:
            self.slots["B"] = Slot()
        self.committed = "A"
        self.running: str | None = None
        self.running_header: Header | None = None
        self.download: Download | None = None

    @property
    def inactive(self) -> str:
        """The bank that a download goes to."""
        if len(self.slots) == 1:
            return "A"
        if self.running is not None:
            return "B" if self.running == "A" else "A"
        return "B" if self.committed == "A" else "A"

    def boot(self, bank: str | None) -> None:
        """The module starts: it runs ``bank``, if that is valid, or the committed image, or what is left."""
        self.download = None
        self.running = next(
            (name for name in (bank, self.committed, *self.slots) if name and self.slots[name].valid), None
        )
        self.running_header = self.slots[self.running].header if self.running else None

    @property
    def active_version(self) -> tuple[int, int]:
        """lower:39-40: of the image that runs; FF.FF when there is none that can."""
        header = self.running_header
        return (header.major, header.minor) if header else (0xFF, 0xFF)

    @property
    def inactive_version(self) -> tuple[int, int]:
        """01h:128-129; 0.0 for a module with one bank."""
        return self.slots[self.inactive].version if len(self.slots) > 1 else (0, 0)

    def information(self) -> bytes:
        """Reply of Get Firmware Info (0100h): 110 bytes. There is no factory image."""
        status = present = 0
        for index, (name, slot) in enumerate(self.slots.items()):
            bits = (self.running == name) | (self.committed == name) << 1 | (not slot.valid) << 2
            status |= bits << 4 * index
            present |= slot.valid << index
        if len(self.slots) == 1:
            status |= 1 << 6  # bank B is empty
        versions = b"".join(_version_of(self.slots.get(name)) for name in "AB")
        return bytes([status, present]) + versions + bytes(36)

    def start(self, size: int, vendor_data: bytes) -> Download:
        """Check a new image's header and erase the bank; :meth:`begin_writing` ends that.

        :raises RefusedError: and nothing is erased.
        """
        if self.download is not None:
            raise RefusedError(Result.NOT_NOW)
        header = Header.decode(vendor_data)
        if header.target != self._target:
            raise RefusedError(Result.WRONG_TARGET)
        if size != HEADER_BYTES + header.length:
            raise RefusedError(Result.FORMAT)
        if header.length > BANK_BYTES:
            raise RefusedError(Result.RESOURCES)
        self.slots[self.inactive].erase()
        body = bytearray([ERASED_BYTE]) * header.length
        return Download(self.inactive, header, body, bytearray(header.length))

    def begin_writing(self, download: Download) -> None:
        """The bank is erased."""
        self.download = download

    def check_block(self, address: int, length: int, now_ns: int) -> Download:
        """:raises RefusedError: when no download runs, or the block is not within the body."""
        download = self.download
        if download is None or now_ns < download.writable_from_ns:
            raise RefusedError(Result.NOT_NOW)
        if not length or address + length > len(download.body):
            raise RefusedError(Result.PARAMETER)
        return download

    def complete(self) -> None:
        """Judge what was written.

        :raises RefusedError: and the bank stays invalid; the download is over either way.
        """
        download = self.download
        if download is None:
            raise RefusedError(Result.NOT_NOW)
        self.download = None
        if not self._skips_erased and not all(download.received):
            raise RefusedError(Result.INVALID_LOAD)
        if zlib.crc32(download.body) != download.header.crc:
            raise RefusedError(Result.CHECKSUM)
        slot = self.slots[download.bank]
        slot.header, slot.body, slot.valid, slot.spoilt = (
            download.header, bytes(download.body), True, False,
        )  # fmt: skip

    def abort(self) -> None:
        """:raises RefusedError: when no download runs."""
        if self.download is None:
            raise RefusedError(Result.NOT_NOW)
        self.download = None

    def copied(self, direction: int) -> tuple[Slot, Slot]:
        """Source and target of Copy Firmware Image, the target erased.

        :raises RefusedError: for an unknown direction, an invalid source, a target that runs.
        """
        if direction not in _COPY_HEADS:
            raise RefusedError(Result.PARAMETER)
        source, target = _COPY_HEADS[direction]
        if self.download is not None or self.running == target:
            raise RefusedError(Result.NOT_NOW)
        if not self.slots[source].valid:
            raise RefusedError(Result.INVALID_LOAD)
        self.slots[target].erase()
        return self.slots[source], self.slots[target]

    def bank_to_run(self, mode: int) -> str:
        """:raises RefusedError: when this way of running an image is not there, or no valid image is."""
        if mode > max(RunMode):
            raise RefusedError(Result.PARAMETER)
        if mode in (RunMode.HITLESS_TO_INACTIVE, RunMode.HITLESS_TO_RUNNING):
            raise RefusedError(Result.NO_HITLESS)
        if mode >= RunMode.PRESERVING_RESET_TO_INACTIVE:
            raise RefusedError(Result.NO_PRESERVING)
        if self.download is not None:
            raise RefusedError(Result.NOT_NOW)
        bank = self.inactive if mode == RunMode.RESET_TO_INACTIVE else self.running
        if bank is None or not self.slots[bank].valid:
            raise RefusedError(Result.INVALID_LOAD)
        return bank

    def commit(self) -> None:
        """The image that runs is run after every reset from now on.

        :raises RefusedError: when its bank no longer holds a valid image.
        """
        if self.running is None or not self.slots[self.running].valid:
            raise RefusedError(Result.NOT_NOW)
        self.committed = self.running

    def read_back(self, address: int, length: int) -> bytes:
        """A block of the inactive bank's image.

        :raises RefusedError: when there is none, or the block is not within it.
        """
        slot = self.slots[self.inactive]
        if not slot.valid:
            raise RefusedError(Result.NOT_NOW)
        if not length or address + length > len(slot.body):
            raise RefusedError(Result.PARAMETER)
        return slot.body[address : address + length]


def _version_of(slot: Slot | None) -> bytes:
    if slot is None or not slot.valid or slot.header is None:
        return bytes(36)
    header = slot.header
    return struct.pack(">BBH32s", header.major, header.minor, header.build, header.text.encode("ascii"))
