"""Dumps as JSON: the form that keeps everything.

An object with these members; only ``pages`` must be there:

``pages``
    Maps ``lower``, ``00h``, ``11h`` ... to the 128 bytes of that half, two hexadecimal digits each. ``11h``
    is of the bank that ``bank`` names, ``11h@1`` is of bank 1 whatever ``bank`` says. A byte that nobody
    read is ``--`` in place of its digits.
``bank``
    Bank of the pages whose names have none; 0 when it is missing.
``source``, ``taken_at``, ``module``, ``notes``
    Where it comes from, when it was taken (ISO 8601), who the module said it is (name to text), and a list
    of sentences.
``reading``
    How each page was read: a list of ``{"page", "outcome", "selected", "reason", "suspect"}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from drivers.cmis.dump.formats import (
    UNREAD_BYTE,
    Dump,
    PageOutcome,
    PageRecord,
    half_digits,
    halves_of,
    mark_unread,
    page_name,
    parse_page_name,
)
from drivers.cmis.errors import DumpFormatError
from drivers.cmis.image import HALF, MemoryImage
from drivers.errors import printable

FORM = "json"


def parse_json(data: bytes) -> Dump:
    """Read a dump.

    :raises DumpFormatError: naming the member that is not as the module's docstring says.
    """
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise DumpFormatError(f"it is not valid JSON: {printable(str(fault))}") from fault
    pages = document.get("pages") if isinstance(document, dict) else None
    if not isinstance(pages, dict) or not pages:
        raise DumpFormatError("it has no object 'pages' with at least one page")
    default_bank = _bank(document.get("bank", 0))
    image = MemoryImage(None)
    seen: dict[tuple[int, int | None], str] = {}
    for name, digits in pages.items():
        bank, page = _place(name, default_bank)
        other = seen.setdefault((bank, page), name)
        if other != name:
            raise DumpFormatError(f"pages {printable(other)} and {printable(name)} are the same page")
        _put_half(image, bank, page, name, digits)
    return Dump(
        image,
        source=_text(document.get("source")),
        form=FORM,
        taken_at=_text(document.get("taken_at")),
        module=_texts(document.get("module")),
        records=tuple(_records(document.get("reading"))),
        notes=tuple(item for item in _list(document.get("notes")) if isinstance(item, str)),
    )


def format_json(dump: Dump) -> bytes:
    """Write a dump, losing nothing of it; :func:`parse_json` reads it back."""
    document: dict[str, Any] = {}
    if dump.source:
        document["source"] = dump.source
    if dump.taken_at:
        document["taken_at"] = dump.taken_at
    if dump.module:
        document["module"] = dict(dump.module)
    if dump.notes:
        document["notes"] = list(dump.notes)
    if dump.records:
        document["reading"] = [_record_json(record) for record in dump.records]
    document["bank"] = 0
    document["pages"] = {
        page_name(bank, page): "".join(half_digits(dump.image, bank, page))
        for bank, page in halves_of(dump.image)
    }
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()


def _place(name: str, default_bank: int) -> tuple[int, int | None]:
    if name == "lower":
        return 0, None
    place = parse_page_name(name)
    if place is None:
        raise DumpFormatError(
            f"page name {printable(name)} is neither 'lower' nor like '11h' or, in bank 1, '11h@1'"
        )
    bank, page = place
    return (default_bank if bank is None else bank) if page >= 0x10 else 0, page


def _put_half(image: MemoryImage, bank: int, page: int | None, name: str, digits: object) -> None:
    if not isinstance(digits, str):
        raise DumpFormatError(f"page {printable(name)} is not text")
    unread: list[int] = []
    digits = "".join(digits.split())
    if UNREAD_BYTE in digits:
        unread = [
            index for index in range(len(digits) // 2) if digits[2 * index : 2 * index + 2] == UNREAD_BYTE
        ]
        digits = "".join(
            "00" if digits[index : index + 2] == UNREAD_BYTE else digits[index : index + 2]
            for index in range(0, len(digits), 2)
        )
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise DumpFormatError(
            f"page {printable(name)} is not pairs of hexadecimal digits, or {UNREAD_BYTE} for a byte not read"
        ) from None
    if len(data) != HALF:
        raise DumpFormatError(f"page {printable(name)} has {len(data)} bytes, expected {HALF}")
    start = HALF
    if page is None:
        image.add_lower(data)
        start = 0
    else:
        image.add_page(bank, page, data)
    mark_unread(image, bank, page, (start + index for index in unread))


def _bank(value: object) -> int:
    number: object = value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 0xFF:
        raise DumpFormatError(f"bank {printable(value)} is not a number 0..255")
    return number


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> Mapping[str, str]:
    """Metadata is for people: what is no text is left out, it is no reason to refuse the bytes."""
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(item, str)}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _record_json(record: PageRecord) -> dict[str, Any]:
    return {
        "page": page_name(record.bank, record.page),
        "outcome": record.outcome.value,
        "selected": None if record.selected is None else page_name(*record.selected),
        "reason": record.reason,
        "suspect": record.suspect,
    }


def _records(value: object) -> Iterable[PageRecord]:
    for item in _list(value):
        if not isinstance(item, dict):
            continue
        place = parse_page_name(_text(item.get("page")))
        try:
            outcome = PageOutcome(item.get("outcome"))
        except ValueError:
            continue
        if place is None:
            continue
        selected = parse_page_name(_text(item.get("selected")))
        yield PageRecord(
            place[0] or 0,
            place[1],
            outcome,
            None if selected is None else (selected[0] or 0, selected[1]),
            _text(item.get("reason")),
            _text(item.get("suspect")),
        )
