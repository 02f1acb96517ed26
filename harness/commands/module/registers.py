"""``lanewise module read`` and ``write``: registers by name, or bytes by address."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.commands.module.printing import complain, say, say_json
from harness.commands.module.running import DONE, Parser, UsageError, add_target, guarded, opened
from harness.commands.module.subject import heading, subject_of

if TYPE_CHECKING:
    from drivers.cmis.fields import Field, Value
    from drivers.cmis.polling import Snapshot
    from drivers.interfaces import MemoryPort
    from harness.commands.module.naming import NamedRegister, RawBytes
    from harness.module_target import ModuleTarget

_BYTES_IN_A_LINE = 16
_PASSWORDS = range(118, 126)
_PAGE_REGISTERS = range(126, 128)


def read(argv: Sequence[str]) -> int:
    """``lanewise module read TARGET REGISTER...``."""
    parser = Parser(
        "read",
        "Read registers by name (VendorName, OutputDisableTx@1 for bank 1) or bytes by address\n"
        "(11h:154+16, 0x11:154-169, lower:26, 10h@1:130; pages are hexadecimal).\n"
        "`lanewise module fields` lists the names. Bias currents are given multiplied (01h:160.4-3).\n"
        "Latched flags are cleared by being read; that is said.",
    )
    add_target(parser)
    parser.add_argument("registers", nargs="+", metavar="REGISTER", help="name or address")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return guarded("read", parser, argv, _read)


def write(argv: Sequence[str]) -> int:
    """``lanewise module write TARGET REGISTER VALUE...``."""
    parser = Parser(
        "write",
        "Write one register and read it back. Values: numbers (12, 0x0C, 0Ch), with a unit where the\n"
        "register has one; lanes (1,3-4, none, all); for registers of several lanes one value for all,\n"
        "one for each, or 3=VALUE; text. To an address: bytes in hexadecimal digits.",
    )
    add_target(parser)
    parser.add_argument("register", metavar="REGISTER", help="name or address")
    parser.add_argument("value", nargs="+", metavar="VALUE", help="what to write")
    parser.add_argument("--force", action="store_true", help="write to a register that is read only, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return guarded("write", parser, argv, _write)


# -- read ----------------------------------------------------------------------------------------------


def _read(arguments: argparse.Namespace) -> int:
    from harness.commands.module.naming import NamedRegister, RawBytes, parse_register

    items = [parse_register(text) for text in arguments.registers]
    named = [item for item in items if isinstance(item, NamedRegister)]
    with opened(arguments) as target:
        memory = target.memory
        snapshots = _read_named(memory, named)
        raw = {item: _read_raw(memory, item) for item in items if isinstance(item, RawBytes)}
        factor = _bias_factor(target, named)
        notes = _notes(target, items, factor)
        subject = subject_of(target)
    if arguments.json:
        say_json(
            {
                **subject,
                "values": [
                    _named_json(item, snapshots[item.bank], factor)
                    if isinstance(item, NamedRegister)
                    else {"where": item.label(len(raw[item])), "bytes": raw[item]}
                    for item in items
                ],
            }
        )
    else:
        say(f"{heading(subject)}\n")
        if named:
            _print_table(items, snapshots, raw, factor)
        else:
            say("".join(_hexdump(item, raw[item]) for item in items if isinstance(item, RawBytes)))
    for note in notes:
        complain(note)
    return DONE


def _read_named(memory: MemoryPort, named: Sequence[NamedRegister]) -> dict[int, Snapshot]:
    """By bank; each byte is read once, so that flags of one byte are all told."""
    from drivers.cmis.polling import Snapshot, plan_reads
    from drivers.cmis.ports import AccessLimits, HasLimits

    limits = memory.limits if isinstance(memory, HasLimits) else AccessLimits(read=128)
    found: dict[int, Snapshot] = {}
    for bank in dict.fromkeys(item.bank for item in named):
        fields = [item.field for item in named if item.bank == bank]
        plan = plan_reads(fields, bank=bank, limits=limits, clear_on_read=True)
        found[bank] = plan.execute(memory, into=Snapshot())
    return found


def _read_raw(memory: MemoryPort, item: RawBytes) -> bytes:
    return memory.read(item.bank, item.page or 0, item.byte, item.length or 1)


def _bias_factor(target: ModuleTarget, named: Sequence[NamedRegister]) -> int | None:
    """What bias currents are multiplied by (01h:160.4-3): read only where one is asked for. None: the module
    gives the reserved code, or does not show it."""
    from drivers.cmis.errors import CmisError
    from drivers.cmis.information import bias_multiplier
    from drivers.cmis.quantities import is_bias_current

    if not any(is_bias_current(item.field) for item in named):
        return 1
    try:
        return bias_multiplier(target.module.registers)
    except CmisError:
        return None


def _notes(target: ModuleTarget, items: Sequence[NamedRegister | RawBytes], factor: int | None) -> list[str]:
    from drivers.cmis.image import HALF
    from drivers.cmis.latched import holds_flags
    from drivers.cmis.quantities import is_bias_current
    from harness.commands.module.naming import NamedRegister

    notes = []
    for item in items:
        if isinstance(item, NamedRegister):
            field = item.field
            page = None if field.byte < HALF else field.page
            label, byte, length = item.label, field.byte, field.size
            if is_bias_current(field) and factor is None:
                notes.append(f"{label}: its multiplier (01h:160.4-3) is not known, so it is given without")
            elif is_bias_current(field) and factor != 1:
                notes.append(
                    f"{label}: multiplied by {factor}, as 01h:160.4-3 TxBiasCurrentScalingFactor says"
                )
        else:
            page, byte, length = item.page, item.byte, item.length or 1
            label = item.label(length)
        if target.live and holds_flags(page, byte, length):
            notes.append(f"{label}: latched flags, which reading has cleared, with all others of their bytes")
    return list(dict.fromkeys(notes))


def _value(item: NamedRegister, snapshot: Snapshot, factor: int | None) -> tuple[Value, Value | None]:
    """A register's value, bias currents multiplied; and the number that a bias register holds, else None."""
    from dataclasses import replace

    from drivers.cmis.fields import decode
    from drivers.cmis.quantities import is_bias_current

    value = decode(item.field, snapshot, item.bank)
    if not is_bias_current(item.field):
        return value, None
    raw = decode(replace(item.field, scale=1.0), snapshot, item.bank)
    if factor in (None, 1):
        return value, raw
    return _times(value, factor), raw


def _times(value: Value, factor: int | None) -> Value:
    if isinstance(value, tuple):
        return tuple(item * factor if isinstance(item, float) and factor else item for item in value)
    return value * factor if isinstance(value, float) and factor else value


def _named_json(item: NamedRegister, snapshot: Snapshot, factor: int | None) -> dict[str, Any]:
    from harness.commands.module.values import meaning_of

    field = item.field
    value, raw = _value(item, snapshot, factor)
    elements = value if isinstance(value, tuple) else (value,)
    meanings = [meaning_of(field, element) for element in elements]
    return {
        "name": field.name,
        "bank": item.bank,
        "where": field.where,
        "value": value,
        "unit": field.unit,
        "meaning": (meanings if isinstance(value, tuple) else meanings[0]) if any(meanings) else None,
        **({} if raw is None else {"raw": raw, "multiplier": factor}),
    }


def _print_table(
    items: Sequence[NamedRegister | RawBytes],
    snapshots: dict[int, Snapshot],
    raw: dict[RawBytes, bytes],
    factor: int | None,
) -> None:
    from harness.commands.module.naming import NamedRegister
    from harness.commands.module.values import texts_of
    from harness.text import columns

    rows: list[tuple[str, str, str, str, str]] = []
    for item in items:
        if not isinstance(item, NamedRegister):
            rows += (("", place, "", digits, text) for place, digits, text in _byte_lines(item, raw[item]))
            continue
        shown, held = _value(item, snapshots[item.bank], factor)
        numbers = held if isinstance(held, tuple) else (held,)
        for index, (lane, value, meaning) in enumerate(texts_of(item.field, shown)):
            if held is not None:
                meaning = f"raw {numbers[index]!s}"
            first = lane in ("", "1")
            rows.append(
                (item.label if first else "", item.field.where if first else "", lane, value, meaning)
            )
    say(columns(("register", "where", "lane", "value", "meaning"), rows) + "\n")


def _hexdump(item: RawBytes, data: bytes) -> str:
    return "".join(
        f"{place:<11}  {digits:<{3 * _BYTES_IN_A_LINE - 1}}  {text}\n"
        for place, digits, text in _byte_lines(item, data)
    )


def _byte_lines(item: RawBytes, data: bytes) -> Iterator[tuple[str, str, str]]:
    """(address, hexadecimal digits, the same as text) of 16 bytes after the other."""
    for start in range(0, len(data), _BYTES_IN_A_LINE):
        part = data[start : start + _BYTES_IN_A_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{item.page_name}:{item.byte + start}", part.hex(" "), text


# -- write ---------------------------------------------------------------------------------------------


def _write(arguments: argparse.Namespace) -> int:
    from harness.commands.module.naming import NamedRegister, parse_register

    item = parse_register(arguments.register)
    if isinstance(item, NamedRegister):
        _require_writable(item, force=arguments.force)
    with opened(arguments) as target:
        if not target.live:
            raise UsageError(f"{target.name!a} is a dump, which cannot be written")
        told = (
            _write_named(target, item, " ".join(arguments.value))
            if isinstance(item, NamedRegister)
            else _write_raw(target, item, "".join(arguments.value), force=arguments.force)
        )
        subject = subject_of(target)
    if arguments.json:
        say_json({**subject, **told})
    else:
        say(f"{heading(subject)}\n")
        before = "" if told["before"] is None else f"{told['before'].hex(' ')} -> "
        say(f"{told['register']}: {before}{told['written'].hex(' ')}, {told['outcome']}\n")
    if target.supply_is_watched:
        complain("The bench is off again: the module has forgotten what is not kept without its supply.")
    return DONE


def _require_writable(item: NamedRegister, *, force: bool) -> None:
    from drivers.cmis.fields import Access

    field = item.field
    if field.byte in _PASSWORDS and field.page == 0 and field.byte < 128:
        _refuse_password()
    if field.access in (Access.RO, Access.RO_COR) and not force:
        raise UsageError(f"{field.name} ({field.where}) is {field.access.value}; --force writes to it anyway")


def _refuse_password() -> None:
    raise UsageError(
        "passwords are not written from a command line, where all users of the machine see them: "
        "`firmware --password-file` takes them from a file"
    )


def _write_named(target: ModuleTarget, item: NamedRegister, text: str) -> dict[str, Any]:
    from drivers.cmis.errors import WriteNotTakenError
    from drivers.cmis.fields import Access, decode_bytes, encode_bytes
    from drivers.cmis.ports import bus_held
    from harness.commands.module.values import parse_value

    field, bank = item.field, item.bank if item.field.banked else 0
    memory = target.memory
    with bus_held(memory):  # nobody else changes the rest of the byte between the read and the write
        old = memory.read(bank, field.page, field.byte, field.size)

        def held() -> Value:
            return decode_bytes(field, old)

        try:
            data = encode_bytes(field, parse_value(field, text, held), old)
        except ValueError as error:
            raise UsageError(str(error)) from error
        memory.write(bank, field.page, field.byte, data)
    outcome = "not read back, for the module acts on it and clears it"
    if field.access not in (Access.WO, Access.RW_SC):
        found = memory.read(bank, field.page, field.byte, field.size)
        if _own_bits(field, found) != _own_bits(field, data):
            target.module.forget_page()
            raise WriteNotTakenError(
                f"{field.name} ({field.where}) reads back {found.hex(' ')} after {data.hex(' ')} was written"
            )
        outcome = "read back"
    return {
        "register": f"{item.label} ({field.where})",
        "before": None if field.access is Access.WO else old,
        "written": data,
        "outcome": outcome,
    }


def _own_bits(field: Field, data: bytes) -> bytes:
    if field.msb is None or field.lsb is None:
        return data
    mask = ((1 << field.bits) - 1) << field.lsb
    return bytes(byte & mask for byte in data)


def _write_raw(target: ModuleTarget, item: RawBytes, digits: str, *, force: bool) -> dict[str, Any]:
    from drivers.cmis.errors import WriteNotTakenError
    from drivers.cmis.image import HALF
    from harness.commands.module.values import parse_bytes

    data = parse_bytes(digits)
    if not data or item.length not in (None, len(data)):
        raise UsageError(f"{len(data)} bytes were given for {item.label(item.length or 1)}")
    if item.byte + len(data) > (HALF if item.page is None else 2 * HALF):
        raise UsageError(f"{len(data)} bytes from {item.label(1)} go beyond the end of its half")
    span = range(item.byte, item.byte + len(data))
    verified = _check_span(item, span, force=force)
    before = target.memory.read(item.bank, item.page or 0, item.byte, len(data)) if verified else None
    target.memory.write(item.bank, item.page or 0, item.byte, data)
    outcome = "not read back, for not all of it is known to keep what is written"
    if verified:
        found = target.memory.read(item.bank, item.page or 0, item.byte, len(data))
        if found != data:
            target.module.forget_page()
            raise WriteNotTakenError(
                f"{item.label(len(data))} reads back {found.hex(' ')} after {data.hex(' ')} was written"
            )
        outcome = "read back"
    return {"register": item.label(len(data)), "before": before, "written": data, "outcome": outcome}


def _check_span(item: RawBytes, span: range, *, force: bool) -> bool:
    """Whether all of a span is known to keep what is written.

    :raises UsageError: when some of it must not be written, or is read only.
    """
    from drivers.cmis.fields import Access
    from drivers.cmis.image import HALF
    from drivers.cmis.memory_map import FIELDS

    if item.page is None:
        if any(byte in _PASSWORDS for byte in span):
            _refuse_password()
        if any(byte in _PAGE_REGISTERS for byte in span):
            raise UsageError("lower:126-127 select the page, which every access does by itself")
    access: dict[int, set[Access]] = {byte: set() for byte in span}
    for field in FIELDS.values():
        if (field.byte < HALF) != (item.page is None) or field.page != (item.page or 0):
            continue
        for byte in range(field.byte, field.byte + field.size):
            if byte in access:
                access[byte].add(field.access)
    closed = [byte for byte, kinds in access.items() if kinds and kinds <= {Access.RO, Access.RO_COR}]
    if closed and not force:
        raise UsageError(f"{item.page_name}:{closed[0]} is read only; --force writes to it anyway")
    return all(kinds == {Access.RW} for kinds in access.values())
