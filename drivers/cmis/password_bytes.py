"""Where passwords may lie in a module's memory, so that no dump and no comparison shows one.

lower:118-125 (OIF-CMIS-05.4 section 8.2) are there to be written only, and yet some modules give back what
was written. On page 9Fh a password command (0001h, 0002h) carries one from byte 136 on, which
stays there until something else is written over it.
"""

from __future__ import annotations

from drivers.cmis.errors import CmisError
from drivers.cmis.image import MemoryImage, Span
from drivers.cmis.memory_map import FIELDS

__all__ = ["PASSWORD_AREA", "PASSWORD_FIELDS", "password_bytes", "without_passwords"]

PASSWORD_FIELDS = ("PasswordChangeEntryArea", "PasswordEntryArea")
"""Fields of lower memory that hold nothing but a password."""
PASSWORD_AREA = frozenset(
    byte
    for name in PASSWORD_FIELDS
    for byte in range(FIELDS[name].byte, FIELDS[name].byte + FIELDS[name].size)
)
"""Their bytes, lower:118-125."""

_COMMANDS = (b"\x00\x01", b"\x00\x02")  # CDB: enter and change password
_COMMAND = FIELDS["CdbCommandID"]
_BODY = range(FIELDS["CdbLPL"].byte, FIELDS["CdbLPL"].byte + 4)


def password_bytes(image: MemoryImage, bank: int, page: int | None) -> frozenset[int]:
    """Numbers of the bytes of a half (``page`` None: lower memory) that may hold a password."""
    if page is None:
        return PASSWORD_AREA
    if page != _COMMAND.page:
        return frozenset()
    try:
        command = image.get(bank, page, _COMMAND.byte, _COMMAND.size)
    except CmisError:
        return frozenset(_BODY)  # whose body it is cannot be told
    return frozenset(_BODY) if command in _COMMANDS else frozenset()


def without_passwords(image: MemoryImage) -> tuple[MemoryImage, tuple[Span, ...]]:
    """The image with such bytes unread, and where that took something away. Bytes that are all 0 hide
    nothing and stay."""
    taken: list[Span] = []
    halves: list[tuple[int, int | None]] = [(0, None)] if image.has_lower else []
    halves += [(bank, page) for bank, page in image.pages() if page == _COMMAND.page]
    clean = image.copy()
    for bank, page in halves:
        hidden = sorted(password_bytes(image, bank, page))
        known = {
            byte: value for first, data in image.known(bank, page) for byte, value in enumerate(data, first)
        }
        if hidden and any(known.get(byte) for byte in hidden):
            clean.mark_unread(bank, page or 0, hidden[0], len(hidden))
            taken.append(Span(bank if page is not None else 0, page, hidden[0], hidden[-1]))
    return clean, tuple(taken)
