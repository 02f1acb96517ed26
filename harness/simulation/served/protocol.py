"""The wire protocol of served modules: frames, requests, replies. No I/O here.

All numbers are big-endian. A frame is a length (u16) and as many bytes of content. A request's content is
an operation (one ASCII letter), a slot (u16) and a body; a reply's is a status (u8) and a body. Each request
gets one reply, in order. ``docs/simulated-module.md`` is the complete description.
"""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from harness.simulation.smbus import BusMessage

VERSION = 1
LONGEST_FRAME = 16_384
"""Bytes of content of a frame, in either direction."""
MOST_MESSAGES = 42
"""Messages of one transfer, as Linux has it."""
MOST_SLOTS = 256
LONGEST_ADVANCE_NS = 3_600_000_000_000
"""Module time that one request may let pass: an hour."""

LENGTH = struct.Struct(">H")
REQUEST = struct.Struct(">cH")
MESSAGE = struct.Struct(">BBH")
PINS = struct.Struct(">BB")
ADVANCE = struct.Struct(">Q")
TIMES = struct.Struct(">QQ")
SURROUNDINGS = struct.Struct(">BBd")
POWER = struct.Struct(">d")
_HELLO = struct.Struct(">BBdH")
_LISTED = struct.Struct(">BB")
_LONGEST_NAME = 40

# Operations.
HELLO, TRANSFER, PINS_OP, CLOCK, SURROUND, LIGHT_OUT, FAULTS = b"H", b"T", b"P", b"C", b"E", b"O", b"F"


class Status(enum.IntEnum):
    """First byte of a reply."""

    DONE = 0
    NOT_ACKNOWLEDGED = 1
    """Body: u8, which message of the transfer, from 0."""
    REFUSED = 2
    """Body: ASCII text: why."""
    BUS_FAILED = 3
    """A transfer failed for the bus. Body: ASCII text: the errno's name, as Linux has it."""


class Pin(enum.IntFlag):
    """Bits of the pins: 1 is asserted, whatever the level."""

    RESET_L = 1
    LPMODE = 2
    MODSEL_L = 4
    MODPRS_L = 8
    INT_L = 16


HOST_PINS = Pin.RESET_L | Pin.LPMODE | Pin.MODSEL_L
"""What the host drives; the others are the module's."""


class Quantity(enum.IntEnum):
    """What can be changed around a module."""

    VCC_V = 1
    CASE_TEMP_C = 2
    """Not a number: the case follows the module's dissipation again."""
    INSERTED = 3
    RX_LIGHT_DBM = 4
    """Of a media lane, 0 for all; minus infinity is dark."""
    RX_LOOPBACK_DB = 5
    """The lane's own transmitter, behind this loss."""


class ClockKind(enum.IntEnum):
    """What moves the modules' time."""

    WALL = 0
    MANUAL = 1


class ProtocolError(ValueError):
    """Bytes that are not of this protocol; the text says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class ListedModule:
    """A module as the greeting lists it; its place in the list is its slot."""

    profile: str
    media_lanes: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """Reply to HELLO. ``speed``: module seconds per second of the wall clock."""

    version: int
    clock: ClockKind
    speed: float
    modules: tuple[ListedModule, ...]


def frame(content: bytes) -> bytes:
    """Content as a frame.

    :raises ProtocolError: for content that is empty or too long.
    """
    if not 1 <= len(content) <= LONGEST_FRAME:
        raise ProtocolError(f"a frame has 1 to {LONGEST_FRAME} bytes, not {len(content)}")
    return LENGTH.pack(len(content)) + content


def take_frame(received: bytearray) -> bytes | None:
    """Remove the first frame of what was received and return its content; None while it is not complete.

    :raises ProtocolError: for a length that no frame has; what follows cannot be told apart any more.
    """
    if len(received) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(received)
    if not 1 <= length <= LONGEST_FRAME:
        raise ProtocolError(f"a frame has 1 to {LONGEST_FRAME} bytes, not {length}")
    end = LENGTH.size + length
    if len(received) < end:
        return None
    content = bytes(received[LENGTH.size : end])
    del received[:end]
    return content


def encode_request(operation: bytes, slot: int, body: bytes = b"") -> bytes:
    """A request as a frame."""
    return frame(REQUEST.pack(operation, slot) + body)


def decode_request(content: bytes) -> tuple[bytes, int, bytes]:
    """Operation, slot and body.

    :raises ProtocolError: for content that is too short.
    """
    if len(content) < REQUEST.size:
        raise ProtocolError(f"a request has {REQUEST.size} bytes at least, not {len(content)}")
    operation, slot = REQUEST.unpack_from(content)
    return operation, slot, content[REQUEST.size :]


def encode_transfer(messages: Sequence[BusMessage]) -> bytes:
    """Body of a transfer."""
    parts = []
    for address, content in messages:
        if isinstance(content, int):
            parts.append(MESSAGE.pack(address, 1, content))
        else:
            parts.append(MESSAGE.pack(address, 0, len(content)) + content)
    return b"".join(parts)


def decode_transfer(body: bytes) -> list[BusMessage]:
    """Messages of a transfer.

    :raises ProtocolError: for a body that is not made of messages, or asks for more than a reply holds.
    """
    messages: list[BusMessage] = []
    position, end, read = 0, len(body), 0
    while position < end:
        if position + MESSAGE.size > end:
            raise ProtocolError(f"message {len(messages)} is cut off")
        address, direction, length = MESSAGE.unpack_from(body, position)
        position += MESSAGE.size
        if address > 0x7F:
            raise ProtocolError(f"0x{address:02X} is not a 7-bit address")
        if direction == 1:
            read += length
            messages.append((address, length))
        elif direction == 0:
            if position + length > end:
                raise ProtocolError(f"message {len(messages)} writes {length} bytes that are not there")
            messages.append((address, body[position : position + length]))
            position += length
        else:
            raise ProtocolError(f"message {len(messages)} has direction {direction}; 0 writes, 1 reads")
    if not 1 <= len(messages) <= MOST_MESSAGES:
        raise ProtocolError(f"a transfer has 1 to {MOST_MESSAGES} messages, not {len(messages)}")
    if read >= LONGEST_FRAME:
        raise ProtocolError(f"{read} bytes to read; a reply holds less than {LONGEST_FRAME}")
    return messages


def encode_greeting(greeting: Greeting) -> bytes:
    """Body of the reply to HELLO."""
    parts = [_HELLO.pack(greeting.version, greeting.clock, greeting.speed, len(greeting.modules))]
    for module in greeting.modules:
        name = module.profile.encode("ascii", "replace")[:_LONGEST_NAME]
        parts.append(_LISTED.pack(module.media_lanes, len(name)) + name)
    return b"".join(parts)


def decode_greeting(body: bytes) -> Greeting:
    """What a server says of itself.

    :raises ProtocolError: for bytes that are no greeting of this version.
    """
    try:
        version, clock, speed, count = _HELLO.unpack_from(body)
        if version != VERSION:
            raise ProtocolError(f"the server speaks version {version} of the protocol, not {VERSION}")
        if not (math.isfinite(speed) and speed > 0.0):
            raise ProtocolError(f"the server's speed is {speed}")
        kind = ClockKind(clock)
        position, modules = _HELLO.size, []
        for _ in range(count):
            lanes, length = _LISTED.unpack_from(body, position)
            position += _LISTED.size
            name = body[position : position + length]
            position += length
            modules.append(ListedModule(name.decode("ascii", "replace"), lanes))
    except (struct.error, ValueError) as fault:
        if isinstance(fault, ProtocolError):
            raise
        raise ProtocolError(f"no greeting: {fault}") from fault
    if position != len(body):
        raise ProtocolError(f"a greeting of {position} bytes has {len(body)}")
    return Greeting(version, kind, speed, tuple(modules))
