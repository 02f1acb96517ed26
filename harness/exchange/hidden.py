"""What a recording does not hold: passwords that a driver names, those of the bench file, and those of a
module, in its registers and in commands. As many asterisks (of a module: zeros) stand there instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from drivers.cmis.cdb.commands import COMMANDS
from drivers.cmis.cdb.secret import PASSWORD_BYTES
from drivers.cmis.password_bytes import PASSWORD_AREA

__all__ = ["HiddenWords", "ModuleSecrets", "masked", "without_passwords_of_bench"]

_MODULE_ADDRESS = 0x50
_PAGE_SELECT = 127
_COMMAND_PAGE = 0x9F
_COMMAND_NUMBER = range(128, 130)
_BODY_LENGTH = 132
_CHECK_CODE = 133
_BODY = 136
_SECRET = frozenset(number for number, command in COMMANDS.items() if command.secret)
_OPTION = "password"
_OPTION_LINE = re.compile(
    rb"""((?<![\w-])["']?password["']?\s*=\s*)("(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*')(?!["'])"""
)


def masked(data: bytes, places: tuple[tuple[int, int], ...]) -> bytes:
    """Bytes with asterisks from and up to these places."""
    covered = bytearray(data)
    for start, end in places:
        covered[start:end] = b"*" * len(covered[start:end])
    return bytes(covered)


class HiddenWords:
    """Passwords of one session, each with the text that stands before it where it is sent."""

    def __init__(self) -> None:
        self._words: set[tuple[bytes, bytes]] = set()

    def add(self, before: str, secret: str) -> None:
        """One more."""
        if secret:
            self._words.add((before.encode(), secret.encode()))

    def places(self, data: bytes) -> tuple[tuple[int, int], ...]:
        """From where to where passwords stand in what is sent, in ascending order."""
        found = []
        for before, secret in self._words:
            start = data.find(before + secret)
            while start >= 0:
                found.append((start + len(before), start + len(before) + len(secret)))
                start = data.find(before + secret, start + 1)
        return tuple(sorted(found))


class ModuleSecrets:
    """Covers the passwords of the module on a bus, transfer by transfer (OIF-CMIS-05.4, 8.2 and 9.3):

    * what is written to lower:118-125, and what some modules give back from there;
    * on page 9Fh the body, from 136 on, and the check code, 133, of the commands whose body is a password
      (0001h, 0002h, 0003h). A command's number may be written last; until it is known, what goes with a body
      of four bytes, or with one whose length is not known, is covered. So is what is read back of it.

    Zeros stand there instead. The page is followed by what is written to and read from byte 127; while it is
    not known it may be 9Fh. The same transfers give the same covers: a replay covers what it is asked, and
    compares.
    """

    def __init__(self) -> None:
        self._page: int | None = None
        self._register = 0
        self._body_bytes: int | None = None
        self._kept = False
        self._reads: list[int | None] = []

    def asked(self, messages: Sequence[tuple[int, bytes | int]]) -> list[bytes]:
        """A transfer begins: 7-bit addresses, with the bytes to write, first the register's number, or how
        many to read. Returns the bytes as they may be kept; none for a read."""
        kept = []
        self._reads = []
        for address, content in messages:
            here = address == _MODULE_ADDRESS
            if isinstance(content, int):
                self._reads.append(self._register if here else None)
                self._register += content if here else 0
                kept.append(b"")
            else:
                kept.append(self._written(content) if here and content else content)
        return kept

    def answered(self, answers: Sequence[bytes]) -> list[bytes]:
        """The transfer has ended well: what was read, message by message. Returns it as it may be kept."""
        return [
            data if register is None else self._read(register, data)
            for register, data in zip(self._reads, answers, strict=True)
        ]

    def _written(self, data: bytes) -> bytes:
        self._register = data[0] + len(data) - 1
        if len(data) == 1 or not self._matters(data[0], len(data) - 1):
            return data
        covered = bytearray(data)
        command: int | None = None
        for place in range(1, len(data)):
            register, value = data[0] + place - 1, data[place]
            if register in PASSWORD_AREA:
                covered[place] = 0
            elif register == _PAGE_SELECT:
                self._page = value
            elif self._page not in (None, _COMMAND_PAGE):
                continue
            elif register == _COMMAND_NUMBER.start:
                command = value << 8
            elif register == _COMMAND_NUMBER.stop - 1:
                command = (command or 0) | value
            elif register == _BODY_LENGTH:
                self._body_bytes = value
            elif register == _CHECK_CODE or register >= _BODY:
                secret = self._body_bytes in (None, PASSWORD_BYTES) if command is None else command in _SECRET
                if secret:
                    covered[place] = 0
                    self._kept = True
        if command is not None:  # it is executed; what comes next belongs to another one
            self._kept = command in _SECRET
            self._body_bytes = None
        return bytes(covered)

    def _read(self, register: int, data: bytes) -> bytes:
        if not self._matters(register, len(data)):
            return data
        covered = bytearray(data)
        for place, value in enumerate(data):
            here = register + place
            if here in PASSWORD_AREA:
                covered[place] = 0
            elif here == _PAGE_SELECT:
                self._page = value
            elif (
                self._kept and (here == _CHECK_CODE or here >= _BODY) and self._page in (None, _COMMAND_PAGE)
            ):
                covered[place] = 0
        return bytes(covered)

    def _matters(self, register: int, length: int) -> bool:
        """Whether there may be a password in these bytes, or the number of the page."""
        if register > _PAGE_SELECT:
            return self._page in (None, _COMMAND_PAGE)
        return register + length > min(PASSWORD_AREA)


def without_passwords_of_bench(content: bytes) -> bytes:
    """A bench file with asterisks for the values of all options called ``password``.

    :raises ValueError: when a value stands there in a way that this does not cover; does not show it.
    """
    kept = _OPTION_LINE.sub(_covered, content)
    try:
        left = [value for value in _passwords(tomllib.loads(kept.decode())) if value.strip("*")]
    except ValueError:
        left = [""]
    if left:
        raise ValueError('a password of the bench file cannot be left out: write it as password = "..."')
    return kept


def _covered(found: re.Match[bytes]) -> bytes:
    value = tomllib.loads(f"value = {found[2].decode()}")["value"]
    return found[1] + b'"' + b"*" * len(value) + b'"'


def _passwords(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key == _OPTION and isinstance(value, str):
                yield value
            else:
                yield from _passwords(value)
    elif isinstance(content, list):
        for value in content:
            yield from _passwords(value)
