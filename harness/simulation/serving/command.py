"""``lanewise simulate BENCH``: a server of a whole simulated bench in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers.errors import BenchError
from harness.bench_file.reading import find_bench_file, load_bench, with_simulation
from harness.simulation.served.threaded import ended_by_signals
from harness.simulation.serving.bench_file import served_bench_file
from harness.simulation.serving.bench_server import REPLY_LIMIT_S, BenchServer
from harness.tables import TableError
from harness.text import columns

_SLOWEST, _FASTEST = 0.01, 1000.0
_LONGEST_REPLY_S = 3600.0


def main(argv: Sequence[str]) -> int:
    """Serve until a signal ends it. Returns 0, or 2 when it cannot be begun."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    speed = None if arguments.lockstep else arguments.speed
    try:
        source = find_bench_file(arguments.bench)
        spec = with_simulation(
            load_bench(source, from_history=False), module=arguments.module, seed=arguments.seed
        )
        server = BenchServer(spec, listen=arguments.listen, speed=speed, reply_limit_s=arguments.reply_limit)
    except (TableError, BenchError, ValueError) as fault:
        return _complain(str(fault))
    except OSError as fault:
        return _complain(f"cannot listen at {arguments.listen!a}: {fault.strerror or fault}")
    try:
        text = served_bench_file(source, server, sockets_only=arguments.sockets_only)
        if arguments.out is not None:
            arguments.out.write_text(text, encoding="utf-8")
        with ended_by_signals(server):
            sys.stdout.write(_banner(server, speed, arguments.out, text))
            sys.stdout.flush()
            server.serve()
    except OSError as fault:
        return _complain(f"{arguments.out}: cannot be written: {fault.strerror or fault}")
    finally:
        server.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lanewise simulate bench",
        description="Serve every instrument of a simulated bench: raw TCP sockets, HiSLIP where the bench "
        "file has it or VXI-11, pseudo terminals for serial lines, the module's bus. A bench file with "
        "the addresses is printed, or written with --out: `lanewise qualify --bench THAT` runs over them. "
        "Ctrl-C ends it.",
    )
    parser.add_argument("bench", metavar="BENCH", help="bench file, or the name of a shipped one")
    parser.add_argument("--listen", default="127.0.0.1", metavar="HOST", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the bench file there")
    parser.add_argument(
        "--sockets-only", action="store_true", help="name raw sockets in the bench file, and not HiSLIP"
    )
    time = parser.add_mutually_exclusive_group()
    time.add_argument(
        "--speed",
        type=_number(_SLOWEST, _FASTEST),
        default=1.0,
        metavar="N",
        help="bench seconds per second of the wall clock (default: 1)",
    )
    time.add_argument(
        "--lockstep",
        action="store_true",
        help="time moves when a client on the control channel says so, and while a reply is owed",
    )
    parser.add_argument(
        "--reply-limit",
        type=_number(0.001, _LONGEST_REPLY_S),
        default=REPLY_LIMIT_S,
        metavar="S",
        help="in lockstep, bench time that a reply may take and is waited for (default: %(default)g)",
    )
    parser.add_argument("--module", metavar="PROFILE", help="another module's profile than the bench file's")
    parser.add_argument("--seed", type=int, metavar="N", help="another seed than the bench file's")
    return parser


def _number(low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{low:g} to {high:g}")
        return value

    return number


def _banner(server: BenchServer, speed: float | None, out: Path | None, text: str) -> str:
    when = "in lockstep" if speed is None else f"{speed:g} s of bench time a second"
    rows = [
        (served.role, served.driver, address)
        for served in server.instruments
        for address in served.addresses.values()
    ]
    warning = (
        ""
        if server.is_local
        else "WARNING: other machines reach these addresses, and whoever does may do with the bench what he "
        "likes.\nThere, put this machine's address into the bench file where it says 127.0.0.1 or 0.0.0.0.\n"
    )
    where = f"bench file: {out}\nto try: lanewise qualify --bench {out}\n" if out else f"\n{text}\n"
    return (
        f"serving, {when}; control channel {server.control}\n{warning}\n"
        f"{columns(('role', 'driver', 'address'), rows)}\n\n{where}"
        f"to make an instrument go wrong: lanewise simulate fault {server.control} ROLE KIND\n"
        "Ctrl-C ends it\n"
    )


def _complain(text: str) -> int:
    sys.stderr.write(f"lanewise simulate bench: {text}\n")
    return 2
