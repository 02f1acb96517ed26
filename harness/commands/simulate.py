"""``lanewise simulate``: serve what is simulated to any host."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

# Resolved when called: nothing outside of it imports the simulation.
_SUBCOMMANDS = {
    "module": ("serve simulated modules on a socket", "harness.simulation.served.command:main"),
}


def main(argv: Sequence[str]) -> int:
    """Run ``lanewise simulate SUBCOMMAND ...``; ``argv`` begins with the subcommand. Returns an exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(
            f"usage: lanewise simulate <subcommand> ...\n\n{_overview()}", file=None if argv else sys.stderr
        )
        return 0 if argv else 2
    entry = _SUBCOMMANDS.get(argv[0])
    if entry is None:
        print(f"lanewise simulate: there is no subcommand {argv[0]!a}\n{_overview()}", file=sys.stderr)
        return 2
    module, _, name = entry[1].partition(":")
    function: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return function(argv[1:])


def _overview() -> str:
    return "subcommands:\n" + "\n".join(f"  {name:<10} {text}" for name, (text, _) in _SUBCOMMANDS.items())
