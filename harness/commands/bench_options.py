"""Options that several of the ``lanewise bench`` commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.calibration.levels import DARK_DBM


def add_bench(parser: argparse.ArgumentParser) -> None:
    """Which bench."""
    parser.add_argument("file", help="bench file, or the name of a shipped one")


def add_module(parser: argparse.ArgumentParser) -> None:
    """Which module is on it."""
    parser.add_argument("--pmd", default="400GBASE-DR4", help="PMD of the module (default: %(default)s)")
    parser.add_argument(
        "--module", metavar="PROFILE", help="profile of the simulated module: a name or a file"
    )
    parser.add_argument("--seed", type=int, help="seed of the simulated bench")


def add_darkness(parser: argparse.ArgumentParser) -> None:
    """What counts as dark."""
    parser.add_argument(
        "--dark-dbm",
        type=float,
        default=DARK_DBM,
        metavar="DBM",
        help="a port with more than this is not dark (default: %(default)g)",
    )


def add_history(parser: argparse.ArgumentParser) -> None:
    """Where the history is."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the benches' histories are (default: calibration/ beside the bench file)",
    )
