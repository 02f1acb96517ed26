"""What a recording does not hold: passwords that a driver names, those of the bench file, and what is
written to the password registers of a module. As many asterisks (to a module: zeros) stand there instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from drivers.cmis.password_bytes import PASSWORD_AREA

__all__ = ["HiddenWords", "masked", "without_password", "without_passwords_of_bench"]

_MODULE_ADDRESS = 0x50
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


def without_password(address: int, data: bytes) -> bytes:
    """What is written to a module, first the register's number: with zeros for the password registers of its
    lower memory (OIF-CMIS-05.4, 8.2), which hold nothing else."""
    if address != _MODULE_ADDRESS or not data or data[0] > max(PASSWORD_AREA):
        return data
    covered = bytearray(data)
    for place in range(1, len(data)):
        if data[0] + place - 1 in PASSWORD_AREA:
            covered[place] = 0
    return bytes(covered)


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
