"""``lanewise simulate``: serve what is simulated to any host."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from harness.bench_file.reading import find_bench_file
from harness.tables import TableError

# Resolved when called: nothing outside of it imports the simulation.
_SUBCOMMANDS = {
    "bench": ("serve every instrument of a simulated bench", "harness.simulation.serving.command:main"),
    "fault": (
        "make an instrument of a served bench go wrong, or right again",
        "harness.simulation.serving.fault_command:main",
    ),
    "module": ("serve simulated modules on a socket", "harness.simulation.served.command:main"),
}


def main(argv: Sequence[str]) -> int:
    """Run ``lanewise simulate SUBCOMMAND ...``, or ``lanewise simulate BENCH ...``, which is ``simulate bench
    BENCH``: what is no subcommand is taken for a bench. Returns an exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(
            "usage: lanewise simulate <subcommand> ...\n"
            "       lanewise simulate BENCH ...   the same as `simulate bench BENCH`\n\n"
            f"{_overview()}",
            file=None if argv else sys.stderr,
        )
        return 0 if argv else 2
    entry = _SUBCOMMANDS.get(argv[0])
    if entry is None:
        try:
            find_bench_file(argv[0])
        except TableError as fault:
            print(
                f"lanewise simulate: there is no subcommand {argv[0]!a}, and {fault}\n{_overview()}",
                file=sys.stderr,
            )
            return 2
        return main(["bench", *argv])
    module, _, name = entry[1].partition(":")
    function: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return function(argv[1:])


def _overview() -> str:
    return "subcommands:\n" + "\n".join(f"  {name:<10} {text}" for name, (text, _) in _SUBCOMMANDS.items())
