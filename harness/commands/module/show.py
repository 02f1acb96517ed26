"""``lanewise module show`` and ``decode``: a module, or a dump, as a page that a person likes to read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.commands.module.printing import ascii_texts, complain, only_ascii, say, say_json
from harness.commands.module.running import (
    DONE,
    MODULE_FAILED,
    Parser,
    UsageError,
    add_target,
    guarded,
    opened,
)

if TYPE_CHECKING:
    from drivers.cmis.dump.formats import Dump
    from harness.module_target import ModuleTarget


def main(argv: Sequence[str]) -> int:
    """``lanewise module show TARGET``."""
    parser = Parser(
        "show",
        "Show a module, or a dump of one: identity, states, monitors against their limits, lanes,\n"
        "applications, capabilities. A bench's module is shown in low power, unless --up is given.",
    )
    add_target(parser)
    parser.add_argument(
        "--flags", action="store_true", help="read the latched flags of a live module too, which clears them"
    )
    parser.add_argument(
        "--vdm",
        action="store_true",
        help="freeze the VDM statistics while they are read, so that they are of one time",
    )
    _add_output(parser)
    return guarded("show", parser, argv, _show)


def decode(argv: Sequence[str]) -> int:
    """``lanewise module decode FILE``."""
    parser = Parser(
        "decode",
        "Explain a dump of a module's memory: JSON, raw binary, or text of `ethtool -m ... hex on`,\n"
        "sfputil, hexdump or xxd.",
    )
    parser.add_argument("file", metavar="FILE", help="the dump; - reads standard input")
    _add_output(parser)
    return guarded("decode", parser, argv, _decode)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--ascii", action="store_true", help="bars of plain ASCII")


def _decode(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from drivers.cmis.dump import load_dump, parse_dump
    from drivers.cmis.dump.formats import LARGEST_FILE_BYTES
    from drivers.cmis.errors import DumpFormatError

    try:
        if arguments.file == "-":
            dump = parse_dump(sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1))
        else:
            dump = load_dump(Path(arguments.file))
    except DumpFormatError as error:
        raise UsageError(f"{arguments.file!a}: {error}") from error
    _print(dump, arguments, heading="")
    return DONE


def _show(arguments: argparse.Namespace) -> int:
    with opened(arguments, half_up=True) as target:
        if target.dump is not None:
            if arguments.flags or arguments.vdm:
                raise UsageError(f"{target.name!a} is a dump: --flags and --vdm go with a live module")
            dump, heading = target.dump, ""
        else:
            dump, heading = _read(target, arguments)
        not_up = target.bring_up is not None and not target.bring_up.ok
        _print(dump, arguments, heading=heading, without_flags=target.live and not arguments.flags)
        if not_up and target.bring_up is not None:
            complain(
                f"lanewise module show: the module did not come up: {target.bring_up.stopped_by} "
                "What is shown is how it stands now."
            )
    return MODULE_FAILED if not_up else DONE


def _read(target: ModuleTarget, arguments: argparse.Namespace) -> tuple[Dump, str]:
    from harness.commands.module.reading import read_module

    reading = read_module(target, flags=arguments.flags, frozen=arguments.vdm)
    heading = f"{target.name}, {reading.cost}\n"
    if target.pins is not None and target.bring_up is None:
        heading += "The module was not brought up (--up does that).\n"
    if reading.freeze is not None:
        heading += f"VDM statistics: {reading.freeze}\n"
    return reading.dump, f"{heading}\n"


def _print(dump: Dump, arguments: argparse.Namespace, *, heading: str, without_flags: bool = False) -> None:
    from drivers.cmis.description import describe, render_text

    description = describe(dump.image)
    if without_flags:
        for item in description["unavailable"]:
            if item["section"] == "flags":
                item["reason"] = "not read, for reading clears them: --flags"
    if arguments.json:
        say_json(description)
        return
    plain = arguments.ascii or only_ascii()
    say(heading + render_text(ascii_texts(description) if plain else description, ascii_only=plain))
