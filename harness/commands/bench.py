"""``lanewise bench``: what looks after a bench. A command is one row of a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.commands import (
    bench_calibrate,
    bench_check,
    bench_discover,
    bench_golden,
    bench_prove,
    bench_zero,
)


class _Command(NamedTuple):
    """``help``: one line; ``run``: does it, and returns the exit code."""

    help: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


_COMMANDS: Mapping[str, _Command] = {
    "check": _Command(
        "open every instrument, print who answers and what each path can reach",
        bench_check.DESCRIPTION,
        bench_check.add_arguments,
        bench_check.check,
    ),
    "discover": _Command(
        "find instruments, serial ports and modules, and draft a bench file",
        bench_discover.DESCRIPTION,
        bench_discover.add_arguments,
        bench_discover.discover,
    ),
    "prove": _Command(
        "show with a good module that a bench is what its file says, and keep the proof",
        bench_prove.DESCRIPTION,
        bench_prove.add_arguments,
        bench_prove.prove_bench,
    ),
    "zero": _Command(
        "zero the power meter in the dark, and keep what it showed",
        bench_zero.DESCRIPTION,
        bench_zero.add_arguments,
        bench_zero.zero_bench,
    ),
    "golden": _Command(
        "compare the golden module's launch power with its history",
        bench_golden.DESCRIPTION,
        bench_golden.add_arguments,
        bench_golden.golden_check,
    ),
    "calibrate": _Command(
        "measure what a way loses, against a reference patch",
        bench_calibrate.DESCRIPTION,
        bench_calibrate.add_arguments,
        bench_calibrate.calibrate,
    ),
}


def main(argv: Sequence[str]) -> int:
    """Dispatch ``lanewise bench``."""
    parser = argparse.ArgumentParser(prog="lanewise bench", description="Look after a bench.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in _COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.help, description=command.description))
    arguments = parser.parse_args(argv)
    return _COMMANDS[arguments.command].run(arguments)
