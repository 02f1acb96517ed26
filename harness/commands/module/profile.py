"""``lanewise module profile``: a dump of a real module becomes a profile for the simulated one."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from harness.commands.module.printing import complain, write
from harness.commands.module.running import DONE, Parser, UsageError, guarded

_SUFFIX = ".toml"


def main(argv: Sequence[str]) -> int:
    """``lanewise module profile DUMP``."""
    parser = Parser(
        "profile",
        "Turn a dump of a module's memory into a profile for the simulated module. Its registers then\n"
        "stand still and read as the dump does, byte for byte; with --live a simulated module takes the\n"
        "dump's identity, advertising and thresholds, and lives.",
        epilog="To use it: lanewise module show sim-dr4 --module ./FILE.toml. docs/profiles.md tells more.",
    )
    parser.add_argument("dump", metavar="DUMP", help="the dump, in any form that `decode` reads")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"write there, a name that ends with {_SUFFIX} (default: standard output)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--name", default="", metavar="TEXT", help="description of the profile")
    parser.add_argument("--live", action="store_true", help="let it live instead of standing still")
    return guarded("profile", parser, argv, _profile)


def _profile(arguments: argparse.Namespace) -> int:
    from drivers.cmis.dump import load_dump
    from drivers.cmis.errors import CmisError, DumpFormatError

    # Found when it is called: nothing outside of it imports the simulation.
    simulation = importlib.import_module("harness.simulation.module.profile.from_dump")

    if arguments.out is not None and not arguments.out.endswith(_SUFFIX):
        raise UsageError(
            f"--out: {arguments.out!a} does not end with {_SUFFIX}: no one would take it for a profile"
        )
    try:
        text: str = simulation.profile_text(
            load_dump(Path(arguments.dump)), description=arguments.name, frozen=not arguments.live
        )
    except DumpFormatError as error:
        raise UsageError(f"{arguments.dump!a}: {error}") from error
    except simulation.NotForLivingError as error:
        raise UsageError(
            f"{arguments.dump!a}: cannot live: {error}. Without --live it stands still."
        ) from error
    except CmisError as error:
        raise UsageError(
            f"{arguments.dump!a}: no profile without lower memory and page 00h: {error}"
        ) from error
    if arguments.out is None:
        write(text)
        return DONE
    _write_file(Path(arguments.out), text, force=arguments.force)
    for line in text.splitlines()[1:]:
        if not line.startswith("# "):
            break
        complain(line.removeprefix("# "))
    return DONE


def _write_file(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="ascii") as file:
            file.write(text)
    except FileExistsError as fault:
        raise UsageError(f"{str(path)!a} exists already; --force overwrites it") from fault
    except (OSError, ValueError) as fault:
        raise UsageError(f"--out: {str(path)!a}: {fault}") from fault
