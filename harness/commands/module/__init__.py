"""``lanewise module``: what can be done with one module, or with a dump of its memory.

A literal table of subcommands, each resolved when it is called: none imports what another needs.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from harness.commands.module.printing import say

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "show": (
        "identity, states, monitors against their limits, lanes, applications",
        "harness.commands.module.show:main",
    ),
    "monitor": (
        "monitors, states and flags of a live module, again and again",
        "harness.commands.module.monitor:main",
    ),
    "dump": (
        "read all pages into a file, or bring a dump into another form",
        "harness.commands.module.dump:main",
    ),
    "decode": ("explain a dump of a module's memory", "harness.commands.module.show:decode"),
    "diff": ("what is different between two modules or dumps", "harness.commands.module.diff:main"),
    "prbs": (
        "the module's own pattern generators, checkers and loopbacks",
        "harness.commands.module.prbs:main",
    ),
    "firmware": ("tell which firmware a module holds, or update it", "harness.commands.module.firmware:main"),
    "read": ("read registers by name or address", "harness.commands.module.registers:read"),
    "write": ("write one register by name or address", "harness.commands.module.registers:write"),
    "profile": (
        "turn a dump into a profile for the simulated module",
        "harness.commands.module.profile:main",
    ),
    "fields": ("the registers that have names, and what they mean", "harness.commands.module.fields:main"),
}


def main(argv: Sequence[str]) -> int:
    """Run ``lanewise module <subcommand> ...``; ``argv`` begins with the subcommand. Returns an exit code."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        say(f"usage: lanewise module SUBCOMMAND ...\n\n{overview()}", sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    entry = SUBCOMMANDS.get(argv[0])
    if entry is None:
        say(f"lanewise module: there is no subcommand {argv[0]!a}\n\n{overview()}", sys.stderr)
        return 2
    module, _, name = entry[1].partition(":")
    function: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return function(argv[1:])


def overview() -> str:
    """What subcommands there are."""
    width = max(map(len, SUBCOMMANDS))
    return "".join(f"  {name:<{width}}  {text}\n" for name, (text, _) in SUBCOMMANDS.items()) + (
        "\n`lanewise module SUBCOMMAND --help` tells more of one. Exit code: 0 done, 1 the module failed\n"
        "something, 2 a problem of bench, file or usage.\n"
    )
