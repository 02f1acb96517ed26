"""Dumps as text for people: rows of an offset and bytes in hexadecimal, with headings that name pages.

Read are the outputs of ``ethtool -m DEV hex on`` (also with ``page``, ``bank``, ``offset`` and ``length``),
of SONiC's ``sfputil show eeprom-hexdump``, of ``hexdump -C``, ``xxd`` and ``i2cdump``, and plain lines of
hexadecimal digits; several of them one after the other, and mixed with a terminal's other lines.

Offsets 00h..7Fh are lower memory and 80h..FFh the upper page that the heading above names. Without a heading
offsets run on linearly, as in a raw dump: 80h..FFh is page 00h, 100h..17Fh page 01h and so on, from lower
memory on. Headings are ``Upper page 11h``, ``page 11h bank 1``, ``# page 0x11``, and command lines such as
``ethtool -m eth0 hex on page 0x11 offset 0x80 length 128``. A byte that could not be read may be ``--`` or
``XX``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.cmis.dump.as_binary import parse_raw
from drivers.cmis.dump.formats import (
    LAST_PAGE,
    UNREAD_BYTE,
    Dump,
    PageOutcome,
    PageRecord,
    half_digits,
    halves_of,
    mark_unread,
    page_name,
)
from drivers.cmis.errors import DumpFormatError
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, MemoryImage, page_key
from drivers.errors import printable

FORM = "text"

_ROW = re.compile(
    r"\s*(?:(0x[0-9A-Fa-f]{1,8}):?|([0-9A-Fa-f]{4,8})(:?)|([0-9A-Fa-f]{2}):)(?:\s+(.*))?", re.ASCII
)
_BYTES = re.compile(r"(?:[0-9A-Fa-f]{2})+|--|XX", re.ASCII)
_FRAMED = re.compile(r"((?:(?:[0-9A-Fa-f]{2}|--|XX)+\s+)+)\|.*\|", re.ASCII)
_PLAIN = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)
_NUMBER = r"(0[xX][0-9A-Fa-f]{1,2}|[0-9A-Fa-f]{1,2}h|[0-9]{1,3})"
_PAGE = re.compile(rf"\bpage[ =:]+{_NUMBER}\b", re.ASCII | re.IGNORECASE)
_BANK = re.compile(rf"\bbank[ =:]+{_NUMBER}\b", re.ASCII | re.IGNORECASE)
_PORT = re.compile(r"EEPROM hexdump for port (\S+)", re.ASCII)
_COMMAND = re.compile(r"\bethtool\b", re.ASCII)
_SFP = re.compile(r"\bA[02]h dump\b", re.ASCII)
_FAILED = re.compile(r"Failed to read EEPROM for page ([0-9A-Fa-f]{1,2})h", re.ASCII)
_LONGEST_LINE = 4096
_LARGEST_OFFSET = HALF * (LAST_PAGE + 2)


def is_text(data: bytes) -> bool:
    """Whether these may be lines of text: no control characters but those that lay out lines."""
    return bool(data.strip()) and not re.search(rb"[^\t\n\r\f\x20-\x7e\x80-\xff]", data)


def parse_text(data: bytes) -> Dump:
    """Read a dump.

    :raises DumpFormatError: naming the line, what it holds and what was expected.
    """
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    plain = _plain_digits(text)
    if plain is not None:
        return Dump(parse_raw(plain).image, form=FORM)
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > _LONGEST_LINE:
            raise DumpFormatError(f"line {number} has {len(line)} characters, a row of a dump is shorter")
        reader.take(number, line)
    return reader.finish()


def format_text(dump: Dump) -> bytes:
    """Write a dump as headings and rows of 16 bytes with their ASCII column; :func:`parse_text` reads it."""
    lines: list[str] = []
    for bank, page in halves_of(dump.image):
        if page is None:
            lines.append("Lower page 0h")
        else:
            lines.append(f"Upper page {page:x}h" + (f" bank {bank}" if page >= FIRST_BANKED_PAGE else ""))
        digits = half_digits(dump.image, bank, page)
        start = 0 if page is None else HALF
        for offset in range(0, HALF, 16):
            row = digits[offset : offset + 16]
            shown = "".join(
                chr(int(byte, 16)) if byte != UNREAD_BYTE and 0x20 <= int(byte, 16) < 0x7F else "."
                for byte in row
            )
            lines.append(f"{start + offset:08x} {' '.join(row[:8])}  {' '.join(row[8:])} |{shown}|")
        lines.append("")
    return ("\n".join(lines)).encode("ascii")


def _plain_digits(text: str) -> bytes | None:
    """Bytes of a file that is nothing but lines of hexadecimal digits, else None."""
    lines = text.split()
    if not lines or len(lines) != len([line for line in text.splitlines() if line.strip()]):
        return None
    if len("".join(lines)) < 2 * HALF or not all(_PLAIN.fullmatch(line) for line in lines):
        return None
    return bytes.fromhex("".join(lines))


_Key: TypeAlias = tuple[int, int | None]  # bank and page; page None for lower memory


@dataclass(frozen=True, slots=True)
class _Heading:
    """What the lines above say of the rows below. ``page`` None: no page, offsets run on linearly.
    ``low`` and ``high``: offsets that may follow. ``may_begin_at_a_page``: rows need not begin in lower
    memory to be of page 00h and on."""

    page: int | None = None
    bank: int = 0
    low: int = 0
    high: int = _LARGEST_OFFSET
    may_begin_at_a_page: bool = False


_NO_HEADING = _Heading()


@dataclass(slots=True)
class _Reader:
    """State while the lines of one file are read."""

    heading: _Heading = _NO_HEADING
    next_offset: int | None = None  # that the next row must have; None where a run of rows begins
    last_row: list[int | None] = field(default_factory=list)
    star: int | None = None  # line of a '*', which stands for repetitions of the last row
    port: str = ""
    found: dict[_Key, dict[int, int | None]] = field(default_factory=dict)
    twice: set[_Key] = field(default_factory=set)
    refused: list[PageRecord] = field(default_factory=list)

    def take(self, number: int, line: str) -> None:
        """Take one more line."""
        if line.strip() == "*":
            if not self.last_row:
                raise DumpFormatError(f"line {number} is '*', which repeats a row: there is none above it")
            self.star = number
            return
        row = _row(number, line)
        if row is None:
            self._other_line(number, line)
            return
        offset, values = row
        self._follow(number, offset)
        self._store(number, offset, values)
        self.next_offset, self.last_row = offset + len(values), values

    def finish(self) -> Dump:
        """The dump, after the last line."""
        self._no_open_star()
        if not self.found:
            raise DumpFormatError(
                "it is text, but no line of it is an offset and bytes in hexadecimal digits, "
                "like '0x0080:  18 40 04 06'"
            )
        image = MemoryImage(None)
        for (bank, page), values in self.found.items():
            start = 0 if page is None else HALF
            half = bytes(values.get(byte) or 0 for byte in range(start, start + HALF))
            if page is None:
                image.add_lower(half)
            else:
                image.add_page(bank, page, half)
            unread = (byte for byte in range(start, start + HALF) if values.get(byte) is None)
            mark_unread(image, bank, page, unread)
        notes = tuple(
            f"the file holds bytes of {'lower memory' if page is None else page_name(bank, page)} more than "
            "once; the last ones count"
            for bank, page in self.found
            if (bank, page) in self.twice
        )
        return Dump(image, source=self.port, form=FORM, records=tuple(self.refused), notes=notes)

    def _other_line(self, number: int, line: str) -> None:
        """Take a line that is no row: a heading, or nothing of interest."""
        if _SFP.search(line):
            raise DumpFormatError(
                f"line {number}: {printable(line.strip())} is of an SFP (SFF-8472), which is no CMIS module"
            )
        failed = _FAILED.search(line)
        if failed:
            reason = "the program that took the dump could not read it"
            self.refused.append(PageRecord(0, int(failed[1], 16), PageOutcome.REFUSED, reason=reason))
            return
        port = _PORT.search(line)
        if port:
            if self.port and port[1] != self.port:
                raise DumpFormatError(
                    f"line {number} begins port {printable(port[1])}, after port {printable(self.port)}: "
                    "a dump is of one module. Keep the lines of one port"
                )
            self.port = port[1]
            self._begin(_NO_HEADING)  # the page that may stand in this line is named again below
            return
        page, bank, command = _PAGE.search(line), _BANK.search(line), bool(_COMMAND.search(line))
        if page is None:
            if command:  # ethtool's default is page 00h
                self._begin(_Heading(may_begin_at_a_page=True))
            return
        half = line.strip()[:5].lower()
        self._begin(
            _Heading(
                _number(number, page[1], "page", plain_is_decimal=command),
                0 if bank is None else _number(number, bank[1], "bank", plain_is_decimal=True),
                low=HALF if half == "upper" else 0,
                high=HALF if half == "lower" else 2 * HALF,
            )
        )

    def _begin(self, heading: _Heading) -> None:
        self._no_open_star()
        self.heading, self.next_offset, self.last_row = heading, None, []

    def _no_open_star(self) -> None:
        if self.star is not None:
            raise DumpFormatError(f"line {self.star} is '*', and no offset below it says where it ends")

    def _follow(self, number: int, offset: int) -> None:
        """Check that a row follows the one above it; give repetitions in between their bytes."""
        expected = self.next_offset
        if self.star is not None and expected is not None:
            step = len(self.last_row)
            if not expected < offset <= _LARGEST_OFFSET or (offset - expected) % step:
                raise DumpFormatError(
                    f"line {number} has offset {offset:#x}, at which no repetition of {step} bytes from "
                    f"{expected:#x} on ends ('*' in line {self.star})"
                )
            for start in range(expected, offset, step):
                self._store(number, start, self.last_row)
            self.star = None
        elif offset == 0 and expected:
            self._begin(_NO_HEADING)  # another dump of the same module
        elif expected is not None and offset != expected:
            raise DumpFormatError(
                f"line {number} has offset {offset:#x}, expected {expected:#x}: rows are missing, a heading "
                "that names the page is, or offsets are not hexadecimal"
            )
        if self.next_offset is None:
            self._check_begin(number, offset)

    def _check_begin(self, number: int, offset: int) -> None:
        if offset >= HALF and self.heading.page is None and not self.heading.may_begin_at_a_page:
            raise DumpFormatError(
                f"line {number} begins at offset {offset:#x} and nothing says of which page: put a line such "
                "as 'page 11h' or 'page 11h bank 0' above it"
            )

    def _store(self, number: int, offset: int, values: list[int | None]) -> None:
        for at, value in enumerate(values, start=offset):
            if not self.heading.low <= at < self.heading.high:
                raise DumpFormatError(
                    f"line {number} has offset {at:#x}, expected {self.heading.low:#x}.."
                    f"{self.heading.high - 1:#x} here"
                )
            key, byte = self._place(at)
            half = self.found.setdefault(key, {})
            if byte in half:
                self.twice.add(key)
                self._check_same_module(number, key, byte, half[byte], value)
            half[byte] = value

    def _place(self, offset: int) -> tuple[_Key, int]:
        if offset < HALF:
            return (0, None), offset
        if self.heading.page is not None:
            return page_key(self.heading.bank, self.heading.page), offset
        return (0, offset // HALF - 1), HALF + offset % HALF

    def _check_same_module(
        self, number: int, key: _Key, byte: int, before: int | None, value: int | None
    ) -> None:
        if key == (0, 0) and before is not None and value is not None and before != value:
            raise DumpFormatError(  # page 00h never changes
                f"line {number}: byte {byte} of page 00h is {value:02X}h and was {before:02X}h further up: "
                "these are dumps of two modules"
            )


def _row(number: int, line: str) -> tuple[int, list[int | None]] | None:
    """(offset, bytes; None for one not read) of a row, or None when the line is none."""
    match = _ROW.fullmatch(line.rstrip())
    if match is None:
        return None
    hexadecimal, bare, colon, short, rest = match[1], match[2], match[3], match[4], match[5] or ""
    offset = int(hexadecimal or bare or short, 16)
    certain = bool(hexadecimal or colon or short)
    framed = _FRAMED.fullmatch(rest)
    if framed:  # hexdump -C and sfputil: the ASCII column stands between strokes
        cells = framed[1]
    elif certain and not hexadecimal:  # xxd and i2cdump: it stands after two spaces
        cells = re.split(r"\s{2,}", rest, maxsplit=1)[0]
    else:
        cells = rest
    tokens = cells.split()
    if not tokens:
        return (offset, []) if (certain or len(bare or "") == 8) else None
    if not _BYTES.fullmatch(tokens[0]) and not certain:
        return None  # a word that happens to look like an offset
    values: list[int | None] = []
    for token in tokens:
        if not _BYTES.fullmatch(token):
            raise DumpFormatError(f"line {number}: {printable(token)} is no byte in two hexadecimal digits")
        if token in (UNREAD_BYTE, "XX"):
            values.append(None)
            continue
        if len(token) > 2 and not colon:
            raise DumpFormatError(
                f"line {number} has {printable(token)} where bytes of two digits were expected: hexdump "
                "without -C swaps bytes; use hexdump -C or xxd"
            )
        values += bytes.fromhex(token)
    return offset, values


def _number(number: int, text: str, what: str, *, plain_is_decimal: bool) -> int:
    if text[:2].lower() == "0x":
        return int(text, 16)
    if text[-1] in "hH":
        return int(text[:-1], 16)
    if not plain_is_decimal and len(text) > 1:
        raise DumpFormatError(
            f"line {number}: {what} {text} may be decimal or hexadecimal: write {text}h or {int(text):#x}"
        )
    value = int(text)
    if value > LAST_PAGE:
        raise DumpFormatError(f"line {number}: {what} {value} is not 0..255")
    return value
