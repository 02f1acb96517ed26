"""Printing what a module, a file or an instrument may have said: no control characters, any terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, TextIO

_GLYPHS = "■·±"


def safe(text: str) -> str:
    """Text without control characters but line ends; others are escaped as in a Python string."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )


def say(text: str, stream: TextIO | None = None) -> None:
    """Write untrusted text, on standard output by default, in whatever the stream can hold."""
    write(safe(text), stream)


def write(text: str, stream: TextIO | None = None) -> None:
    """Write text that is safe, in whatever the stream can hold."""
    out = stream if stream is not None else sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "backslashreplace").decode(encoding))


def complain(text: str) -> None:
    """A line on standard error."""
    say(f"{text}\n", sys.stderr)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Write JSON of plain ASCII, which every terminal and parser takes."""
    write(json.dumps(plain(value), indent=indent, allow_nan=False) + "\n")


def plain(value: object) -> Any:
    """What JSON can hold: bytes as hexadecimal digits, numbers that are not finite as None."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def ascii_texts(value: Any) -> Any:
    """The same with texts of ASCII alone: other characters escaped, so that none looks like another."""
    if isinstance(value, str):
        return value.encode("ascii", "backslashreplace").decode("ascii")
    if isinstance(value, dict):
        return {key: ascii_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [ascii_texts(item) for item in value]
    return value


def only_ascii(stream: TextIO | None = None) -> bool:
    """Whether a stream cannot hold the characters that bars are made of."""
    out = stream if stream is not None else sys.stdout
    try:
        _GLYPHS.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False
