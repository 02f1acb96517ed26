"""``lanewise simulate fault``: make an instrument of a served bench go wrong at run time, or right again."""

from __future__ import annotations

import argparse
import contextlib
import struct
import sys
from collections.abc import Mapping, Sequence

from harness.bench_file.simulation_section import INSTRUMENT_FAULTS
from harness.simulation.served.client import RequestRefusedError, ServedConnection
from harness.simulation.served.protocol import ProtocolError
from harness.simulation.serving.run_time_faults import FaultsOfServed
from harness.text import columns, printable_text

_OPTIONS = ("count", "for", "delay")


def main(argv: Sequence[str]) -> int:
    """Ask the server, and print what goes wrong then. Returns 0, or 2 when it cannot be done."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        more = {name: value for name in _OPTIONS if (value := getattr(arguments, name)) is not None}
        if arguments.clear and more:
            parser.error(f"--clear goes with no --{next(iter(more))}")
        if not arguments.clear and ((arguments.role and not arguments.kind) or (more and not arguments.kind)):
            parser.error(f"what goes wrong? One of {', '.join(INSTRUMENT_FAULTS)}; or --clear")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        with contextlib.closing(ServedConnection(arguments.control)) as connection:
            running = _asked(FaultsOfServed(connection), arguments, more)
    except (ValueError, ProtocolError) as fault:
        return _complain(str(fault))
    except RequestRefusedError as fault:
        return _complain(fault.strerror or str(fault))
    except (OSError, struct.error) as fault:
        return _complain(
            f"{arguments.control} is no control channel of a served bench, or does not answer: {fault}"
        )
    rows = [
        (printable_text(role), printable_text(", ".join(kinds)) or "-") for role, kinds in running.items()
    ]
    sys.stdout.write(columns(("role", "goes wrong"), rows) + "\n")
    return 0


def _asked(
    faults: FaultsOfServed, arguments: argparse.Namespace, more: Mapping[str, int | str]
) -> Mapping[str, tuple[str, ...]]:
    if arguments.clear:
        return faults.clear(arguments.role, arguments.kind)
    if arguments.kind:
        return faults.begin(arguments.role, arguments.kind, **more)
    return faults.running()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lanewise simulate fault",
        description="Make an instrument of a served bench go wrong at once, while clients are at work, or "
        "let it be right again. What each kind is, and what the harness makes of it, is told in "
        "docs/wire-faults.md. Times are the served bench's. Without a role it is shown what goes wrong.",
    )
    parser.add_argument(
        "control", metavar="CONTROL", help="control channel, as `lanewise simulate BENCH` prints it"
    )
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="whose instrument")
    parser.add_argument(
        "kind", nargs="?", default="", metavar="KIND", help=f"one of {', '.join(INSTRUMENT_FAULTS)}"
    )
    parser.add_argument("--count", type=int, metavar="N", help="for so many replies (or entries)")
    parser.add_argument("--for", metavar="TIME", help='for so long, such as "20 s"')
    parser.add_argument("--delay", metavar="TIME", help='how much later it answers, such as "1.5 s" (slow)')
    parser.add_argument(
        "--clear",
        action="store_true",
        help="end it: that kind of that role, all of that role, or all of all",
    )
    return parser


def _complain(text: str) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"lanewise simulate fault: {printable_text(line)}\n")
    return 2
