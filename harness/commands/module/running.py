"""What all subcommands share: arguments that name a target, and errors turned into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from harness.commands.module.printing import complain, say
from harness.target_forms import FORMS

if TYPE_CHECKING:
    from harness.module_target import ModuleTarget, TargetOptions

DONE, MODULE_FAILED, TROUBLE = 0, 1, 2


class UsageError(Exception):
    """What was asked cannot be done that way; the text says what to do."""


class ModuleFailedError(Exception):
    """The module did not do what it should."""


class Parser(argparse.ArgumentParser):
    """A parser of one subcommand, whose complaints hold no control characters."""

    def __init__(self, name: str, description: str, *, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"lanewise module {name}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        say(f"{self.format_usage()}{self.prog}: {message}\n", sys.stderr)
        raise SystemExit(TROUBLE)


def add_target(parser: argparse.ArgumentParser, name: str = "target", *, bench: bool = True) -> None:
    """The argument TARGET, and how it is to be opened."""
    parser.add_argument(name, metavar=name.upper(), help=FORMS)
    if bench:
        add_bench_options(parser)


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """How a target is to be opened."""
    group = parser.add_argument_group("opening the target")
    group.add_argument(
        "--up",
        action="store_true",
        help="bench: bring the module up to traffic first; without, it is left in low power",
    )
    group.add_argument(
        "--media",
        metavar="NAME",
        help="media interface of the application for --up (default: 400GBASE-DR4, or else the first that "
        "the module advertises)",
    )
    group.add_argument("--module", metavar="PROFILE", help="simulated bench: another module profile")
    group.add_argument("--seed", type=int, metavar="N", help="simulated bench: another seed")
    group.add_argument(
        "--max-read",
        type=_access_bytes,
        metavar="BYTES",
        help="bytes of one read, even, 8 to 128 (default: what the module advertises)",
    )


def _access_bytes(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not (8 <= number <= 128 and number % 2 == 0):
        raise argparse.ArgumentTypeError(f"{text!a} is not an even number from 8 to 128")
    return number


def options_of(arguments: argparse.Namespace) -> TargetOptions:
    """The options of :func:`add_bench_options`."""
    from harness.module_target import TargetOptions

    if arguments.media is not None and not arguments.up:
        raise UsageError("--media says what --up brings the module up to: give --up too")
    return TargetOptions(
        max_read_bytes=arguments.max_read,
        up=arguments.up,
        media_interface=arguments.media,
        module=arguments.module,
        seed=arguments.seed,
    )


@contextlib.contextmanager
def opened(arguments: argparse.Namespace, *, half_up: bool = False) -> Iterator[ModuleTarget]:
    """The target, open. ``half_up``: go on with a module that could not be brought up.

    :raises ModuleFailedError: when ``--up`` was asked for and the module did not come up.
    """
    from harness.module_target import open_target

    with open_target(arguments.target, options_of(arguments)) as target:
        if not half_up:
            require_up(target)
        yield target


def require_up(target: ModuleTarget) -> None:
    """:raises ModuleFailedError: when the module was to be brought up, and was not."""
    if target.bring_up is not None and not target.bring_up.ok:
        raise ModuleFailedError(f"the module did not come up: {target.bring_up.stopped_by}")


def guarded(name: str, parser: Parser, argv: Sequence[str], body: Callable[[argparse.Namespace], int]) -> int:
    """Parse, run, and turn every foreseeable error into a line for a person and an exit code."""
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else TROUBLE
    from drivers.cmis.errors import CmisError
    from drivers.errors import BenchError
    from harness.tables import TableError

    try:
        return body(arguments)
    except BrokenPipeError:  # whoever read our output has seen enough
        raise
    except (UsageError, TableError, BenchError) as problem:
        return _told(name, problem, TROUBLE)
    except ModuleFailedError as failure:
        return _told(name, failure, MODULE_FAILED)
    except CmisError as error:
        return _told(name, error, code_of(error))
    except KeyboardInterrupt as stop:
        sys.stdout.flush()
        return _told(name, stop, TROUBLE, f"stopped ({stop})" if str(stop) else "stopped")
    except OSError as fault:
        where = f"{fault.filename!a}: " if fault.filename is not None else ""
        return _told(name, fault, TROUBLE, f"{where}{fault.strerror or fault}")


def _told(name: str, error: BaseException, code: int, text: str = "") -> int:
    lines = (text or str(error)).split("\n")
    for line in (*lines, *getattr(error, "__notes__", ())):
        complain(f"lanewise module {name}: {line}")
    return code


def code_of(error: Exception) -> int:
    """1 when an error says that the module failed; 2 when more was asked than it or a file has."""
    from drivers.cmis import errors

    asked_too_much = (
        errors.NotAdvertisedError,
        errors.PageUnavailableError,
        errors.ReadOnlyMemoryError,
        errors.DumpFormatError,
        errors.ConfigurationRefusedError,
        errors.FirmwareUpdateRefusedError,
    )
    return TROUBLE if isinstance(error, asked_too_much) else MODULE_FAILED
