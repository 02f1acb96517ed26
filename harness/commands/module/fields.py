"""``lanewise module fields``: the registers that have names, from the tables that the library works by."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.commands.module.printing import say, say_json
from harness.commands.module.running import DONE, Parser, UsageError, guarded

if TYPE_CHECKING:
    from drivers.cmis.fields import Field

_PAGE = re.compile(r"lower|(?:0x[0-9A-Fa-f]{1,2}|[0-9A-Fa-f]{2}[hH]|[0-9][0-9A-Fa-f])", re.ASCII)
_SHORT = {"RO_COR": "RO/COR", "RW_SC": "RW/SC"}


def main(argv: Sequence[str]) -> int:
    """``lanewise module fields [PATTERN]``."""
    parser = Parser(
        "fields",
        "List registers: name, address, kind, scale and unit, access, and what they are for.",
        epilog="access: RO read only, RW read and write, WO write only, RO/COR latched and cleared by\n"
        "reading, RW/SC cleared by the module. An address like 11h:128-131 is page 11h, bytes 128 to 131.",
    )
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="TEXT",
        help="a page (11h, lower), or a part of a name or of the words; of several, all must be there",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return guarded("fields", parser, argv, _fields)


def _fields(arguments: argparse.Namespace) -> int:
    from drivers.cmis.memory_map import FIELDS

    chosen = [
        field for field in FIELDS.values() if all(_matches(field, pattern) for pattern in arguments.patterns)
    ]
    if not chosen:
        raise UsageError(
            f"no register's page, name or words have {' and '.join(map(ascii, arguments.patterns))}"
        )
    if arguments.json:
        say_json([_json(field) for field in chosen])
        return DONE
    say("\n".join((*_lines(chosen), "", f"{len(chosen)} register{'s' * (len(chosen) != 1)}")) + "\n")
    return DONE


def _lines(chosen: Sequence[Field]) -> Iterator[str]:
    """Two lines or more for each: where it is, and what it is. At most 100 columns."""
    name_width = max(len(field.name) for field in chosen)
    where_width = max(len(_where(field)) for field in chosen)
    for field in chosen:
        yield (
            f"{field.name:<{name_width}}  {_where(field):<{where_width}}  {_access(field):<6}  {_kind(field)}"
        ).rstrip()
        yield from textwrap.wrap(_words(field), 100, initial_indent="    ", subsequent_indent="    ")


def _where(field: Field) -> str:
    return field.where + (", banked" if field.banked else "")


def _matches(field: Field, pattern: str) -> bool:
    if _PAGE.fullmatch(pattern):
        page = field.where.partition(":")[0].lower().removesuffix("h")
        return page == pattern.lower().removesuffix("h").removeprefix("0x").rjust(2, "0")
    return pattern.lower() in field.name.lower() or pattern.lower() in field.doc.lower()


def _access(field: Field) -> str:
    return _SHORT.get(field.access.name, field.access.name)


def _kind(field: Field) -> str:
    from drivers.cmis.fields import Kind

    if field.kind is Kind.LANE_BITS:
        return "a bit for each lane"
    lanes = f", {field.lanes} lanes" if field.lanes > 1 else ""
    if field.kind is Kind.LANE_NIBBLES:
        return f"4 bits{lanes}"
    if field.kind in (Kind.ASCII, Kind.RAW):
        return f"{'text' if field.kind is Kind.ASCII else 'bytes'}, {field.length}{lanes}"
    if field.kind is Kind.F16:
        return f"F16{lanes}"
    return f"{field.bits} bit{'s' * (field.bits != 1)}{' signed' * (field.kind is Kind.SINT)}{lanes}"


def _words(field: Field) -> str:
    scale = ""
    if field.scale != 1.0 or field.offset:
        scale = f"steps of {field.scale:g} {field.unit}".rstrip()
        scale += f" from {field.offset:g}" if field.offset else ""
    elif field.unit:
        scale = f"in {field.unit}"
    since = f"since {field.since}" if field.since != "4.0" else ""
    codes = f"codes: {field.codes}" if field.codes else ""
    return "; ".join(part for part in (field.doc, scale, codes, since) if part)


def _json(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "where": field.where,
        "page": None if field.byte < 128 else field.page,
        "byte": field.byte,
        "bytes": field.size,
        "bits": None if field.msb is None else [field.msb, field.lsb],
        "kind": field.kind.name.lower(),
        "lanes": field.lanes,
        "scale": field.scale,
        "offset": field.offset,
        "unit": field.unit,
        "access": _access(field),
        "banked": field.banked,
        "codes": field.codes,
        "since": field.since,
        "doc": field.doc,
    }
