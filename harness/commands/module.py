"""``lanewise module``: what can be done with one module, or with a dump of its memory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

_FAILED = 2


def main(argv: Sequence[str]) -> int:
    """Run ``lanewise module <subcommand> ...``; ``argv`` begins with the subcommand. Returns an exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        (sys.stdout if argv else sys.stderr).write(
            f"usage: lanewise module <subcommand> ...\n\n{_overview()}"
        )
        return 0 if argv else _FAILED
    entry = _SUBCOMMANDS.get(argv[0])
    if entry is None:
        _say(sys.stderr, f"lanewise module: there is no subcommand {argv[0]!a}\n{_overview()}")
        return _FAILED
    return entry[1](argv[1:])


def decode(argv: Sequence[str]) -> int:
    """``lanewise module decode FILE [--json]``: explain a memory dump. Returns 0, or 2 if unreadable."""
    parser = argparse.ArgumentParser(
        prog="lanewise module decode",
        description="Explain a dump of a CMIS module's memory: JSON with hexadecimal pages, or raw binary.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the dump")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _FAILED

    from drivers.cmis.description import describe, render_text
    from drivers.cmis.dump import load_dump
    from drivers.cmis.errors import DumpFormatError

    try:
        dump = load_dump(arguments.file)
    except DumpFormatError as error:
        _say(sys.stderr, f"lanewise module decode: {str(arguments.file)!a}: {error}\n")
        return _FAILED
    description = describe(dump.image)
    text = json.dumps(description, indent=2) + "\n" if arguments.json else render_text(description)
    _say(sys.stdout, text)
    return 0


_SUBCOMMANDS: dict[str, tuple[str, Callable[[Sequence[str]], int]]] = {
    "decode": ("explain a dump of a module's memory", decode),
}


def _overview() -> str:
    return "subcommands:\n" + "".join(f"  {name:<10} {text}\n" for name, (text, _) in _SUBCOMMANDS.items())


def _say(stream: TextIO, text: str) -> None:
    """Write text that may hold a module's or a file's own words: no control characters, any terminal."""
    safe = "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )
    encoding = stream.encoding or "utf-8"
    stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))
