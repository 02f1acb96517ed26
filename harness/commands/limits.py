"""``lanewise limits``: what a PMD must keep to, said by which layer and document, known how well."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.judging.limits import (
    GRADES,
    LimitRow,
    LimitSet,
    NamedModule,
    available_pmds,
    limits_of_pmd,
    side_text,
)
from harness.judging.parameters import PARAMETERS, parameter_rows
from harness.judging.pmd import DEFAULT_PMD
from harness.run_folder.manifest_of_run import limit_entry
from harness.tables import TableError, did_you_mean
from harness.text import columns, printable_text

_HEADER = ("parameter", "case", "low", "high", "unit", "force", "grade", "layer", "edition", "source")
_NOBODY = "Nobody of this project has read the licensed standard; where a document is named, it is quoted."


def main(argv: Sequence[str]) -> int:
    """Print the limits of a PMD; see ``lanewise limits --help``."""
    arguments = _parser().parse_args(argv)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if arguments.parameters:
        print(columns(("name", "parameter", "unit", "one of each"), list(parameter_rows()), width=width))
        return 0
    try:
        limits = limits_of_pmd(arguments.pmd, layers=arguments.limits)
        module = _module(arguments)
        if module is not None:
            limits = limits.for_module(module)
    except TableError as fault:
        print("\n".join(f"lanewise limits: {line}" for line in fault.complaints), file=sys.stderr)
        return 2
    if arguments.why is not None:
        return _why(limits, arguments.why, width)
    _print_all(limits, width)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lanewise limits",
        description="Print the limits of a PMD: of each parameter the rows that count, the layer that each "
        "comes from, and what it replaced.",
    )
    parser.add_argument(
        "pmd", nargs="?", default=DEFAULT_PMD, help="default: %(default)s, in the later editions"
    )
    parser.add_argument(
        "--limits",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="a further layer (customer, vendor, part number, firmware, waiver); may be repeated",
    )
    parser.add_argument("--why", metavar="PARAMETER", help="every row of one parameter, and which count")
    parser.add_argument("--parameters", action="store_true", help="print the names of all parameters")
    module = parser.add_argument_group(
        "module", "whose layers apply; without them, those of no certain module"
    )
    module.add_argument("--vendor", default="")
    module.add_argument("--part-number", metavar="P", default="")
    module.add_argument("--serial-number", metavar="S", default="")
    module.add_argument("--firmware", metavar="V", default="")
    return parser


def _module(arguments: argparse.Namespace) -> NamedModule | None:
    module = NamedModule(arguments.vendor, arguments.part_number, arguments.serial_number, arguments.firmware)
    return None if module == NamedModule() else module


def _print_all(limits: LimitSet, width: int | None) -> None:
    standing = limits.standing()
    _print_head(limits)
    overrode = any(entry.overrode for entry in standing)
    header = (*_HEADER, "instead of") if overrode else _HEADER
    rows = []
    for entry in standing:
        cells = _cells(entry.row)
        rows.append((*cells, entry.overrode_text()) if overrode else cells)
    print(columns(header, rows, width=width))
    notes = {f"{entry.row.title}: {entry.row.note}" for entry in standing if entry.row.note}
    print("\nnotes\n  " + "\n  ".join(printable_text(note) for note in sorted(notes)))
    for layer in limits.layers:
        for waiver in layer.waivers:
            print(printable_text(f"waiver {waiver.text()}: {waiver.reason}"))
    print("\ngrades: " + "; ".join(f"{grade} {text}" for grade, text in GRADES.items()))
    print(_NOBODY)
    print(f"PMDs with limits: {', '.join(available_pmds())}")


def _print_head(limits: LimitSet) -> None:
    print(f"{limits.pmd}, {limits.edition}")
    print(f"layers: {printable_text(', '.join(dict.fromkeys(layer.text() for layer in limits.layers)))}")
    for layer in limits.loaded:
        if layer not in limits.layers and layer.applies_to is not None:
            print(printable_text(f"not applied: {layer.text()}, which is for {layer.applies_to.text()}"))
    print()


def _cells(row: LimitRow) -> tuple[str, ...]:
    case = [f"lane {', '.join(map(str, row.lanes))}"] if row.lanes else []
    case += [row.when.text()] if row.when else []
    layer = f"{row.layer}, {row.waiver}" if row.waiver else row.layer
    return (
        row.title,
        "; ".join(case),
        side_text(row.low),
        side_text(row.high),
        row.unit,
        str(row.force),
        row.grade,
        layer,
        row.edition,
        row.source,
    )


def _why(limits: LimitSet, parameter: str, width: int | None) -> int:
    """Every row of one parameter, the lowest layer first, and what became of it."""
    rows = [row for row in limits.rows if row.parameter == parameter]
    if not rows:
        known = parameter in PARAMETERS
        near = "" if known else did_you_mean(parameter, {*limits.parameters(), *PARAMETERS})
        what = "has no limit in this set" if known else "is no parameter"
        print(
            f"lanewise limits: {printable_text(parameter)} {what}{f'; {near}' if near else ''}",
            file=sys.stderr,
        )
        return 2
    standing = {entry.row.place: entry for entry in limits.standing() if entry.row.parameter == parameter}
    _print_head(limits)
    cells = []
    for row in rows:
        kept = standing.get(row.place)
        cells.append((*_cells(row), row.place, _fate(row, kept.row if kept else None)))
    print(columns((*_HEADER, "file", "counts"), cells, width=width))
    for entry in standing.values():
        if note := limit_entry(entry).note:
            print(printable_text(f"\n{note}"))
    print(
        "\nOf one kind of layer the strictest row of the case counts; a later layer replaces it, but "
        "never loosens it unless it is a waiver."
    )
    return 0


def _fate(row: LimitRow, kept: LimitRow | None) -> str:
    if kept is None:
        return "no: replaced"
    lost = [
        side for side in ("low", "high") if getattr(row, side) is not None and getattr(kept, side) is None
    ]
    return f"yes, but {lost[0]} is replaced" if lost else "yes"
