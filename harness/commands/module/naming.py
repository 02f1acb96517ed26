"""Registers as people name them on a command line: by name, or by page and byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.cmis.fields import Field
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF
from drivers.cmis.memory_map import FIELDS
from harness.commands.module.running import UsageError

_NAME = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_]*)(?:@(?P<bank>[0-9]{1,3}))?", re.ASCII)
_ADDRESS = re.compile(
    r"(?P<page>lower|0x[0-9A-Fa-f]{1,2}|[0-9A-Fa-f]{2}h?)(?:@(?P<bank>[0-9]{1,3}))?:(?P<byte>[0-9]{1,3}|0x[0-9A-Fa-f]{1,2})"
    r"(?:\+(?P<length>[0-9]{1,3})|-(?P<last>[0-9]{1,3}))?",
    re.ASCII,
)
_SUGGESTIONS = 4


@dataclass(frozen=True, slots=True)
class NamedRegister:
    """A field of the register tables, in a bank."""

    field: Field
    bank: int

    @property
    def label(self) -> str:
        """As it may be written."""
        return self.field.name + (f"@{self.bank}" if self.bank else "")


@dataclass(frozen=True, slots=True)
class RawBytes:
    """Bytes by address. ``page``: None for lower memory. ``length``: None where none was given."""

    bank: int
    page: int | None
    byte: int
    length: int | None

    @property
    def page_name(self) -> str:
        """``lower``, ``11h``, ``11h@1``."""
        if self.page is None:
            return "lower"
        return f"{self.page:02X}h" + (f"@{self.bank}" if self.bank else "")

    def label(self, length: int) -> str:
        """``11h:154-169``."""
        last = self.byte + length - 1
        return f"{self.page_name}:{self.byte}" + (f"-{last}" if last > self.byte else "")


def parse_register(text: str) -> NamedRegister | RawBytes:
    """``VendorName``, ``OutputDisableTx@1``, ``11h:154+16``, ``11h:154-169``, ``lower:26``, ``10h@1:130``.

    A page is hexadecimal however it is written: ``11h``, ``11`` and ``0x11`` are the same.

    :raises UsageError: for anything else; with the names that come near.
    """
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        return _raw(text, address)
    match = _NAME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!a} is neither a register's name nor like 11h:154+16, lower:26 or 10h@1:130")
    field = _field(match["name"])
    bank = _bank(text, match["bank"])
    if bank and not field.banked:
        raise UsageError(f"{text!a}: {field.name} ({field.where}) exists once, not in banks")
    return NamedRegister(field, bank)


def _field(name: str) -> Field:
    if name in FIELDS:
        return FIELDS[name]
    by_lower_case = {known.lower(): known for known in FIELDS}
    if name.lower() in by_lower_case:
        return FIELDS[by_lower_case[name.lower()]]
    import difflib

    near = difflib.get_close_matches(name.lower(), by_lower_case, n=_SUGGESTIONS, cutoff=0.6)
    near += [known for known in by_lower_case if name.lower() in known and known not in near]
    names = ", ".join(by_lower_case[known] for known in near[:_SUGGESTIONS])
    hint = f"; there are {names}" if names else ""
    raise UsageError(f"no register is called {name!a}{hint}. `lanewise module fields TEXT` lists them.")


def _raw(text: str, match: re.Match[str]) -> RawBytes:
    page = None if match["page"] == "lower" else int(match["page"].removesuffix("h").removeprefix("0x"), 16)
    byte = int(match["byte"], 0) if match["byte"].startswith("0x") else int(match["byte"])
    bank = _bank(text, match["bank"])
    length = None
    if match["length"] is not None:
        length = int(match["length"])
    elif match["last"] is not None:
        length = int(match["last"]) - byte + 1
    start = 0 if page is None else HALF
    if not (start <= byte < start + HALF and 1 <= (1 if length is None else length) <= start + HALF - byte):
        area = "lower memory has bytes 0 to 127" if page is None else "an upper page has bytes 128 to 255"
        raise UsageError(f"{text!a}: {area}")
    if bank and (page is None or page < FIRST_BANKED_PAGE):
        raise UsageError(f"{text!a}: pages below 10h exist once, not in banks")
    return RawBytes(bank, page, byte, length)


def _bank(text: str, digits: str | None) -> int:
    bank = int(digits or 0)
    if bank > 0xFF:
        raise UsageError(f"{text!a}: banks are 0 to 255")
    return bank
