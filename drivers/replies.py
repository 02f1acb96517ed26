"""Strict parsers of instrument replies.

What an instrument sends is untrusted: every function here either returns a value of the declared type or
raises one of the library's own errors naming the instrument, the command and the reply. Nothing is
guessed, and no foreign exception (``ValueError``, ``struct.error``) comes out.

Forms follow IEEE 488.2 (NR1, NR2, NR3, string, definite length block) and SCPI-99 (not-a-number 9.91E+37,
infinities +/-9.9E+37, channel lists, error queue entries).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InvalidReadingError,
    OverloadError,
    PartialReplyError,
)
from drivers.interfaces import Identity

__all__ = [
    "LARGEST_BLOCK_BYTES",
    "BlockHeader",
    "Reply",
    "block_header",
    "float32_values",
    "float64_values",
    "is_not_a_number",
    "uint16_pairs",
]

LARGEST_BLOCK_BYTES = 64 * 1024 * 1024
"""A block announced longer than this is taken for garbage: nothing on this bench sends more."""

_LONGEST_NUMBER = 64
_LONGEST_IDENTITY = 256
_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_QUOTED = re.compile(r"\"((?:[^\"]|\"\")*)\"|'((?:[^']|'')*)'")
_ERROR_ENTRY = re.compile(r"\s*([+-]?[0-9]{1,6})\s*,\s*(\"(?:[^\"]|\"\")*\"|[^\",]*)\s*(?:,|$)")
_CHANNEL_LISTS = re.compile(r"\(@[0-9, ]*\)(?:\s*,\s*\(@[0-9, ]*\))*")
_CHANNEL_LIST = re.compile(r"\(@([0-9, ]*)\)")
_LARGEST_PORT = 99_999

# SCPI-99 vol. 1, 7.2.1.4 and 7.2.1.5: 9.91E37 stands for "not a number", 9.9E37 for infinity.
_SCPI_INFINITY = 9.9e37
_SCPI_NAN = (9.905e37, 9.915e37)


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """``#<digits><length>`` of an IEEE 488.2 definite length block: sizes in bytes."""

    header_bytes: int
    data_bytes: int


class Reply:
    """One reply, with where it came from, so that every error can say so.

    ``text`` is the reply without its terminator. All methods raise
    :class:`~drivers.errors.EmptyReplyError` when nothing is in it and
    :class:`~drivers.errors.GarbledReplyError` when it has another form than asked for, after calling
    ``on_garbage``: a reply of another form may be the answer to another query.
    """

    __slots__ = ("_on_garbage", "command", "instrument", "text")

    def __init__(
        self, instrument: str, command: str, text: str, on_garbage: Callable[[], None] | None = None
    ) -> None:
        self.instrument = instrument
        self.command = command
        self.text = text
        self._on_garbage = on_garbage

    def integer(self, low: int | None = None, high: int | None = None) -> int:
        """NR1, within ``low`` and ``high`` when these are given."""
        text = self._stripped()
        if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
            raise self._garbled("an integer")
        value = int(text)
        if (low is not None and value < low) or (high is not None and value > high):
            raise self._garbled(f"an integer within {low} and {high}")
        return value

    def real(self) -> float:
        """NR1, NR2 or NR3 (``+1.33E-006``).

        :raises OverloadError: on 3.40282E+38 and on SCPI's infinity, either sign.
        :raises InvalidReadingError: on SCPI's 9.91E+37, "not a number".
        """
        return self.checked(self.unchecked_real())

    def unchecked_real(self) -> float:
        """As :meth:`real`, with the huge values that stand for something else left as they are."""
        text = self._stripped()
        if len(text) > _LONGEST_NUMBER or not _REAL.fullmatch(text):
            raise self._garbled("a number")
        return float(text)

    def reals(self, count: int) -> tuple[float, ...]:
        """Exactly ``count`` numbers with commas between; each checked as by :meth:`real`."""
        parts = self._stripped().split(",")
        if len(parts) != count:
            raise self._garbled(f"{count} numbers with commas between")
        return tuple(Reply(self.instrument, self.command, part, self._on_garbage).real() for part in parts)

    def fields(self, *counts: int) -> tuple[Reply, ...]:
        """What stands between commas, each as a reply of its own, which may be empty; as many as one of
        ``counts``."""
        parts = self._stripped().split(",")
        if len(parts) not in counts:
            raise self._garbled(f"{' or '.join(map(str, counts))} fields with commas between")
        return tuple(Reply(self.instrument, self.command, part, self._on_garbage) for part in parts)

    def part(self, text: str) -> Reply:
        """A piece of it, as a reply of its own."""
        return Reply(self.instrument, self.command, text, self._on_garbage)

    def checked(self, value: float) -> float:
        """``value`` itself if it is a reading, else the error for what it stands for."""
        if is_not_a_number(value):
            raise InvalidReadingError(
                self.instrument,
                "it has no valid value (9.91E+37)",
                command=self.command,
                reply=self.text,
                advice="It may not have been triggered, or the signal is missing.",
            )
        if abs(value) >= _SCPI_INFINITY:
            raise OverloadError(
                self.instrument,
                "the input is beyond its range",
                command=self.command,
                reply=self.text,
                advice="Check what is connected to this input, and the range set.",
            )
        return value

    def boolean(self) -> bool:
        """``0`` or ``1``, with or without a sign; ``ON`` and ``OFF``."""
        meaning = {"0": False, "+0": False, "OFF": False, "1": True, "+1": True, "ON": True}
        text = self._stripped().upper()
        if text not in meaning:
            raise self._garbled("0 or 1")
        return meaning[text]

    def string(self) -> str:
        """Text in double or single quotes; the quotes taken off."""
        match = _QUOTED.fullmatch(self._stripped())
        if match is None:
            raise self._garbled("a string in quotes")
        double, single = match.groups()
        return str(double).replace('""', '"') if double is not None else str(single).replace("''", "'")

    def unquoted(self) -> str:
        """Text that some firmware quotes and some does not."""
        text = self._stripped()
        return self.string() if text[0] in "\"'" else text

    def identity(self) -> Identity:
        """The four fields of ``*IDN?``: vendor, model, serial, firmware (which may itself hold commas)."""
        text = self._stripped()
        fields = [field.strip() for field in text.split(",", 3)]
        if len(text) > _LONGEST_IDENTITY or len(fields) != 4 or not fields[1] or not text.isprintable():
            raise self._garbled("four fields with commas between: vendor, model, serial, firmware")
        return Identity(*fields)

    def error_entries(self) -> tuple[tuple[int, str], ...]:
        """What an error query answers: (code, text) pairs without the ``0`` that says "empty".

        Takes ``+0,"No error"``, ``0,"No error"``, ``+0,No Error`` and several entries in one reply.
        """
        text = self._stripped()
        entries: list[tuple[int, str]] = []
        position = 0
        while position < len(text):
            match = _ERROR_ENTRY.match(text, position)
            if match is None:
                raise self._garbled('an error queue entry such as +0,"No error"')
            code, words = int(match[1]), match[2].strip()
            if words.startswith('"'):
                words = words[1:-1].replace('""', '"')
            if code != 0:
                entries.append((code, words))
            position = match.end()
        if text.endswith(","):
            raise self._garbled("an error queue entry that is complete")
        return tuple(entries)

    def channel_lists(self, count: int) -> tuple[tuple[int, ...], ...]:
        """Exactly ``count`` channel lists: ``(@1,2),(@17,18)``; ``(@)`` is an empty one."""
        text = self._stripped()
        if not _CHANNEL_LISTS.fullmatch(text):
            raise self._garbled("channel lists such as (@1,2),(@17,18)")
        lists: list[tuple[int, ...]] = []
        for inner in _CHANNEL_LIST.findall(text):
            parts = [part.strip() for part in inner.split(",")] if inner.strip() else []
            if not all(_INTEGER.fullmatch(part) and len(part) <= 5 for part in parts):
                raise self._garbled("channel lists with a number between commas")
            ports = tuple(int(part) for part in parts)
            if any(not 0 < port <= _LARGEST_PORT for port in ports):
                raise self._garbled("channel lists with ports from 1 on")
            lists.append(ports)
        if len(lists) != count:
            raise self._garbled(f"{count} channel lists")
        return tuple(lists)

    def _stripped(self) -> str:
        text = self.text.strip(" \t\r\n")
        if not text:
            self._distrust()
            raise EmptyReplyError(
                self.instrument, "the reply is empty", command=self.command, reply=self.text
            )
        if not text.isascii():
            raise self._garbled("plain ASCII")
        return text

    def garbled(self, what: str) -> GarbledReplyError:
        """The error for a reply that makes no sense, to be raised by a caller who knows better what would."""
        self._distrust()
        return GarbledReplyError(
            self.instrument, f"the reply is {what}", command=self.command, reply=self.text
        )

    def _garbled(self, wanted: str) -> GarbledReplyError:
        return self.garbled(f"not {wanted}")

    def _distrust(self) -> None:
        if self._on_garbage is not None:
            self._on_garbage()


def is_not_a_number(value: float) -> bool:
    """Whether it is one, as IEEE 754 or as SCPI says it (9.91E37)."""
    return math.isnan(value) or _SCPI_NAN[0] <= abs(value) <= _SCPI_NAN[1]


def block_header(instrument: str, command: str, data: bytes) -> BlockHeader | None:
    """The header of a definite length block at the start of ``data``, or None while it is incomplete.

    :raises GarbledReplyError: when this cannot become such a header (``#0``, the indefinite form, included).
    """
    if not data:
        return None
    digits = data[1:2]
    shown = data[:16]
    if data[:1] != b"#" or (digits and not (digits.isdigit() and digits != b"0")):
        raise GarbledReplyError(
            instrument, "the reply is not a definite length block", command=command, reply=shown
        )
    if not digits:
        return None
    header_bytes = 2 + int(digits)
    length = data[2:header_bytes]
    if length and not length.isdigit():
        raise GarbledReplyError(
            instrument, "the block's length is not a number", command=command, reply=shown
        )
    if len(data) < header_bytes:
        return None
    data_bytes = int(length)
    if data_bytes > LARGEST_BLOCK_BYTES:
        raise GarbledReplyError(
            instrument, f"the block announces {data_bytes} bytes", command=command, reply=shown
        )
    return BlockHeader(header_bytes, data_bytes)


def float32_values(instrument: str, command: str, block: bytes, count: int) -> tuple[float, ...]:
    """Exactly ``count`` little-endian float32 values of a block's data, as they are: infinite, not a number,
    or huge ones on one input of many must be laid to that input, by the caller (:meth:`Reply.checked`).

    :raises PartialReplyError: when there are fewer.
    :raises GarbledReplyError: when there are more.
    """
    _check_size(instrument, command, block, count, 4, "float32 values")
    return struct.unpack(f"<{count}f", block)


def float64_values(instrument: str, command: str, block: bytes, count: int) -> tuple[float, ...]:
    """As :func:`float32_values`, of float64 values."""
    _check_size(instrument, command, block, count, 8, "float64 values")
    return struct.unpack(f"<{count}d", block)


def uint16_pairs(instrument: str, command: str, block: bytes) -> tuple[tuple[int, int], ...]:
    """Pairs of little-endian uint16 values of a block's data.

    :raises GarbledReplyError: when the block is no whole number of pairs.
    :raises EmptyReplyError: when there is none.
    """
    if not block:
        raise EmptyReplyError(instrument, "the block is empty", command=command, reply=block)
    if len(block) % 4:
        raise GarbledReplyError(instrument, "no whole number of pairs", command=command, reply=block[:64])
    flat = struct.unpack(f"<{len(block) // 2}H", block)
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _check_size(instrument: str, command: str, block: bytes, count: int, size: int, what: str) -> None:
    if len(block) == count * size:
        return
    kind = PartialReplyError if len(block) < count * size else GarbledReplyError
    raise kind(
        instrument,
        f"the block has {len(block)} bytes where {count} {what} take {count * size}",
        command=command,
        reply=block[:64],
    )
