"""``lanewise module dump``: a module's memory into a file, or a dump into another form."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.module.printing import complain
from harness.commands.module.running import DONE, TROUBLE, Parser, UsageError, add_target, guarded, opened

if TYPE_CHECKING:
    from drivers.cmis.dump.formats import Dump

# The names of drivers.cmis.dump.FORMS, and what they hold; a test keeps the two the same.
FORMS = {
    "json": "keeps everything",
    "binary": "as small, with a header that tells the pages",
    "raw": "lower memory and pages 00h, 01h ... one after the other, of bank 0",
    "text": "hexadecimal text of ethtool's kind, one block for each page",
}
_BINARY = ("binary", "raw")


def main(argv: Sequence[str]) -> int:
    """``lanewise module dump TARGET``."""
    parser = Parser(
        "dump",
        "Read lower memory and every page that the module says it has; after each page the module is\n"
        "asked which one it had selected. Latched flags are left alone, unless --flags is given.\n"
        "A target that is a dump itself is brought into another form.",
        epilog="forms:\n" + "\n".join(f"  {name:<7} {text}" for name, text in FORMS.items()),
    )
    add_target(parser)
    parser.add_argument("--out", metavar="FILE", help="write there (default: standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument(
        "--format", choices=tuple(FORMS), help="form (default: as FILE's suffix says, else json)"
    )
    parser.add_argument("--pages", metavar="LIST", help="these pages only, such as 00h,11h-14h")
    parser.add_argument("--banks", metavar="LIST", help="these banks only, such as 0,1")
    parser.add_argument("--flags", action="store_true", help="read latched flags too, which clears them")
    return guarded("dump", parser, argv, _dump)


def _dump(arguments: argparse.Namespace) -> int:
    from drivers.cmis.dump import format_dump
    from harness.commands.module.quantity import numbers, pages
    from harness.commands.module.reading import read_module

    form = _form(arguments)
    path = None if arguments.out is None else Path(arguments.out)
    if path is not None and not arguments.force and _exists(path):
        raise UsageError(f"{arguments.out!a} exists already; --force overwrites it")
    if path is None and form in _BINARY and sys.stdout.isatty():
        raise UsageError(f"the form {form} is nothing for a terminal: give --out FILE")
    wanted = None if arguments.pages is None else pages(arguments.pages, "--pages")
    banks = None if arguments.banks is None else numbers(arguments.banks, "--banks", low=0, high=255)
    with opened(arguments) as target:
        if target.dump is not None and arguments.flags:
            raise UsageError(f"{target.name!a} is a dump: --flags goes with a live module")
        reading = read_module(target, flags=arguments.flags, pages=wanted, banks=banks)
    # The bench is off again before anything is written: what follows may take a full disk's time.
    data = format_dump(reading.dump, form)
    if path is None:
        _write_out(data)
    else:
        _write_file(path, data, force=arguments.force)
    _tell(reading.dump, arguments.out, reading.cost)
    if wanted is not None:
        missing = sorted(set(wanted) - {page for _, page in reading.dump.image.pages()})
        if missing:
            complain(f"not in the dump: pages {', '.join(f'{page:02X}h' for page in missing)}")
            return TROUBLE
    return DONE


def _form(arguments: argparse.Namespace) -> str:
    if arguments.format is not None:
        return str(arguments.format)
    if arguments.out is None:
        return "json"
    from drivers.cmis.dump import form_of

    try:
        return form_of(Path(arguments.out))
    except ValueError as error:
        raise UsageError(f"--out: {error} (--format)") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as fault:
        raise UsageError(f"--out: {str(path)!a}: {fault}") from fault


def _write_out(data: bytes) -> None:
    sys.stdout.flush()
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:  # a stream of text alone
        sys.stdout.write(data.decode("ascii", "backslashreplace"))
        return
    raw.write(data)
    raw.flush()


def _write_file(path: Path, data: bytes, *, force: bool) -> None:
    """All of it or nothing: a dump that was cut short would be taken for a module's fault one day."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".dump-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(name).chmod(0o666 & ~_umask())
            if not force and path.exists():  # it came into being meanwhile
                raise UsageError(f"{str(path)!a} exists by now; --force overwrites it")
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as fault:
        raise UsageError(f"--out: {str(path)!a}: {fault.strerror or fault}") from fault


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _tell(dump: Dump, out: str | None, cost: str) -> None:
    """What is in it and what is not, on standard error: standard output may be the dump."""
    from drivers.cmis.dump.formats import PageOutcome, halves_of, page_name

    names = ", ".join(page_name(*half) for half in halves_of(dump.image))
    complain(f"{'dump' if out is None else ascii(out)}: {names}; {cost}")
    for record in dump.records:
        name = page_name(record.bank, record.page)
        if record.outcome is not PageOutcome.KEPT:
            complain(f"page {name}: {record.outcome.value}: {record.reason}")
        if record.suspect:
            complain(f"page {name}: {record.suspect}")
    for note in dump.notes:
        complain(note)
