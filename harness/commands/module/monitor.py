"""``lanewise module monitor``: what changes, refreshed in place."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.commands.module.printing import complain, only_ascii, safe, say, say_json, write
from harness.commands.module.running import DONE, Parser, UsageError, add_target, guarded, opened

if TYPE_CHECKING:
    from harness.commands.module.polled import Look
    from harness.module_target import ModuleTarget

_HOME, _CLEAR_ALL, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"
_LOOKS_IN_VIRTUAL_TIME = 5


def main(argv: Sequence[str]) -> int:
    """``lanewise module monitor TARGET``."""
    parser = Parser(
        "monitor",
        "Watch a live module: states, monitors against their limits, flags since the last look, VDM.\n"
        "Ctrl-C ends it. Each look reads the latched flags, which clears them (--no-flags: it does not).",
    )
    add_target(parser)
    parser.add_argument(
        "--interval", default="1 s", metavar="TIME", help="between two looks (default: %(default)s)"
    )
    parser.add_argument(
        "--count",
        type=int,
        metavar="N",
        help=f"end after N looks (default: until Ctrl-C; {_LOOKS_IN_VIRTUAL_TIME} where time is simulated)",
    )
    parser.add_argument("--no-flags", action="store_true", help="leave the latched flags alone")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each look")
    parser.add_argument("--ascii", action="store_true", help="bars of plain ASCII")
    return guarded("monitor", parser, argv, _monitor)


def _monitor(arguments: argparse.Namespace) -> int:
    from harness.commands.module.quantity import seconds

    interval_s = seconds(arguments.interval, "--interval")
    if arguments.count is not None and arguments.count < 1:
        raise UsageError("--count: at least one look")
    with opened(arguments) as target:
        if not target.live:
            raise UsageError(f"{target.name!a} is a dump, in which nothing changes: `show` prints it")
        count = arguments.count
        if count is None and target.clock.kind != "wall":
            count = _LOOKS_IN_VIRTUAL_TIME
            complain(f"lanewise module monitor: time is simulated here: {count} looks (--count gives others)")
        try:
            _watch(target, arguments, interval_s, count)
        except KeyboardInterrupt as stop:
            if str(stop) not in ("", "SIGINT"):
                raise
    return DONE


def _watch(target: ModuleTarget, arguments: argparse.Namespace, interval_s: float, count: int | None) -> None:
    from harness.commands.module.polled import Poll

    poll = Poll(target, flags=not arguments.no_flags)
    in_place = sys.stdout.isatty() and not arguments.json
    ascii_only = arguments.ascii or only_ascii()
    start_s = target.clock.now_s()
    number = 0
    while count is None or number < count:
        due_s = start_s + number * interval_s
        target.clock.sleep(max(0.0, due_s - target.clock.now_s()))
        number += 1
        look = poll.look(target.clock.now_s() - start_s)
        if arguments.json:
            say_json(look.to_json(), indent=None)
        elif in_place:
            _refresh(look, number, ascii_only=ascii_only)
        else:
            say(f"{_text(look, number, ascii_only=ascii_only)}\n")
        sys.stdout.flush()


def _text(look: Look, number: int, *, ascii_only: bool) -> str:
    return "\n".join((f"look {number}, {look.heading}", *look.lines(ascii_only=ascii_only))) + "\n"


def _refresh(look: Look, number: int, *, ascii_only: bool) -> None:
    """Write over the last look: home, each line cleared to its end, then the rest of the screen."""
    size = os.get_terminal_size(sys.stdout.fileno())
    lines = safe(_text(look, number, ascii_only=ascii_only)).rstrip("\n").split("\n")
    room = max(2, size.lines - 1)
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], f"... {hidden} more lines: make the window higher"]
    shown = "\n".join(line[: size.columns] + _CLEAR_LINE for line in lines)
    write((_CLEAR_ALL if number == 1 else "") + _HOME + shown + "\n" + _CLEAR_REST)
