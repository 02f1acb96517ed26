"""``lanewise bench discover``: find instruments, ports and modules, and draft a bench file."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.errors import BenchError
from harness.bench_file.draft import draft_bench
from harness.discovery import Found, find_i2c, find_serial, find_visa, i2c_buses, who
from harness.text import columns

DESCRIPTION = (
    "List what hangs on this computer and on named hosts, say which driver knows it, and write a bench "
    "file's draft. USB and GPIB instruments and named hosts are asked *IDN?. What is in the network without "
    "being named, serial ports and two-wire buses are listed and left alone, because opening them could "
    "disturb: another bench, an instrument that resets with its line, memory and monitors on a computer's "
    "own buses. Exit code: 0 done, 2 not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--hosts",
        nargs="+",
        default=[],
        metavar="HOST",
        help="ask these hosts: HiSLIP, port 5025, VXI-11, the first that answers",
    )
    parser.add_argument(
        "--serial",
        action="store_true",
        help="open every serial port and look for chambers (this moves the ports' DTR and RTS lines)",
    )
    parser.add_argument(
        "--i2c",
        action="store_true",
        help="read byte 0 at address 50h of every two-wire bus, and nothing else",
    )
    parser.add_argument(
        "--visa-library", default="@py", metavar="NAME", help="VISA library (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench-draft.toml"),
        metavar="FILE",
        help="where the draft goes; never over a file that exists (default: %(default)s)",
    )


def discover(arguments: argparse.Namespace) -> int:
    """Discover; returns the exit code."""
    out: Path = arguments.out
    if out.exists():
        print(f"{out}: exists already; name another file with --out", file=sys.stderr)
        return 2
    try:
        found = [
            *_visa(arguments.visa_library, arguments.hosts),
            *find_serial(_comports(), ask=arguments.serial),
            *find_i2c(i2c_buses(), ask=arguments.i2c),
        ]
        draft = draft_bench(found, visa_library=arguments.visa_library)
        with out.open("x", encoding="utf-8") as file:
            file.write(draft)
    except (OSError, ValueError, BenchError) as fault:
        print(f"lanewise bench discover: {fault}", file=sys.stderr)
        return 2
    rows = [(thing.address, who(thing), ", ".join(thing.drivers), thing.note) for thing in found]
    print(columns(("address", "identity", "drivers", "remark"), rows))
    known = sum(bool(thing.drivers) for thing in found)
    print(f"\n{len(found)} found, {known} known. The draft is in {out}: fill in what it asks for, then")
    print(f"lanewise bench check {out}")
    return 0


def _visa(library: str, hosts: Sequence[str]) -> list[Found]:
    import pyvisa

    with warnings.catch_warnings():
        # pyvisa-py says so for every optional package that it could search the network better with.
        warnings.simplefilter("ignore", UserWarning)
        manager = pyvisa.ResourceManager(library)
        try:
            return list(find_visa(manager, hosts))
        finally:
            manager.close()


def _comports() -> list[Any]:
    from serial.tools import list_ports

    return list(list_ports.comports())
