"""CDB messages as bytes (OIF-CMIS-05.4 §8.25): header and local payload on page 9Fh, their check codes.

A message begins at 9Fh:128: CMDID (2), EPLLength (2), LPLLength, CdbChkCode, RPLLength, RPLChkCode, and
the local payload (LPL) of up to 120 bytes from byte 136. The extended payload (EPL) lies on pages A0h and
up, and no check code covers it in a command.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cmis.errors import CdbReplyError
from drivers.cmis.fields import Value, decode_bytes, encode_bytes
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.cdb import EPL_PAGES, LPL_BYTES

__all__ = [
    "EPL_BYTES",
    "HEADER_BYTES",
    "LPL_BYTES",
    "Message",
    "ReplyHeader",
    "build_message",
    "check_code",
    "check_reply",
    "parse_message",
    "parse_reply_header",
]

HEADER_BYTES = 8
"""From the CMDID to the RPLChkCode, 9Fh:128-135."""
EPL_BYTES = EPL_PAGES * HALF
"""Longest extended payload, bytes."""

_FIRST_EPL_REPLY = 240  # RPLLength of a reply in one page of EPL; one more for each page more
_CHECKED = 5  # header bytes that the check code covers: those before it


def check_code(body: bytes) -> int:
    """One's complement of the low 8 bits of the sum of ``body``.

    For a command ``body`` is 9Fh:128-132 and the local payload; for a reply, the reply's body.
    """
    return ~sum(body) & 0xFF


@dataclass(frozen=True, slots=True)
class Message:
    """A command as it lies on page 9Fh. Its repr does not show the payload, which may be a password."""

    command: int
    epl_length: int
    lpl_length: int
    stored_check_code: int
    computed_check_code: int
    lpl: bytes

    def __repr__(self) -> str:
        return (
            f"Message({self.command:04X}h, {self.lpl_length} bytes of LPL, {self.epl_length} bytes of EPL, "
            f"check code {self.stored_check_code:02X}h)"
        )

    @property
    def ok(self) -> bool:
        """Whether its length is possible and its check code right."""
        return self.lpl_length == len(self.lpl) and self.stored_check_code == self.computed_check_code


def build_message(command: int, lpl: bytes = b"", epl_length: int = 0) -> bytes:
    """Header and local payload of a command, to be written from 9Fh:128 on.

    ``epl_length``: bytes that lie on pages A0h and up.

    :raises ValueError: for a command or a payload that does not fit.
    """
    if not 0 <= command <= 0xFFFF:
        raise ValueError(f"CDB commands are 0000h..FFFFh, not {command}")
    if len(lpl) > LPL_BYTES:
        raise ValueError(f"{len(lpl)} bytes of local payload; {LPL_BYTES} fit on page 9Fh")
    if not 0 <= epl_length <= EPL_BYTES:
        raise ValueError(f"{epl_length} bytes of extended payload; 0..{EPL_BYTES} fit on pages A0h..AFh")
    checked = b"".join(
        encode_bytes(FIELDS[name], value)
        for name, value in (
            ("CdbCommandID", command),
            ("CdbEPLLength", epl_length),
            ("CdbLPLLength", len(lpl)),
        )
    )
    return checked + bytes([check_code(checked + lpl), 0, 0]) + lpl


def parse_message(raw: bytes) -> Message:
    """A command from page 9Fh, as its module reads it. ``raw``: the page from byte 128 on, with the header.

    Never raises for what the bytes hold: see :attr:`Message.ok`.

    :raises ValueError: for fewer bytes than a header has.
    """
    if len(raw) < HEADER_BYTES:
        raise ValueError(f"a CDB header has {HEADER_BYTES} bytes, not {len(raw)}")
    length = _number("CdbLPLLength", raw)
    lpl = bytes(raw[HEADER_BYTES : HEADER_BYTES + length])
    return Message(
        command=_number("CdbCommandID", raw),
        epl_length=_number("CdbEPLLength", raw),
        lpl_length=length,
        stored_check_code=_number("CdbChkCode", raw),
        computed_check_code=check_code(raw[:_CHECKED] + lpl),
        lpl=lpl,
    )


@dataclass(frozen=True, slots=True)
class ReplyHeader:
    """9Fh:134-135. A reply lies in ``lpl_bytes`` bytes of LPL or on ``epl_pages`` pages of EPL."""

    length: int
    check_code: int

    @property
    def epl_pages(self) -> int:
        """Pages of extended payload that the reply fills; 0: it lies in the local payload."""
        return max(0, self.length - _FIRST_EPL_REPLY + 1)

    @property
    def lpl_bytes(self) -> int:
        """Bytes of local payload that the reply has."""
        return 0 if self.epl_pages else self.length


def parse_reply_header(raw: bytes, *, what: str = "the reply") -> ReplyHeader:
    """The two bytes 9Fh:134-135.

    :raises CdbReplyError: when RPLLength is one that nothing stands for (121..239).
    """
    length, code = raw[0], raw[1]
    if LPL_BYTES < length < _FIRST_EPL_REPLY:
        raise CdbReplyError(
            f"{what}: RPLLength ({FIELDS['CdbRPLLength'].where}) is {length}; expected 0..{LPL_BYTES} bytes "
            f"of LPL, or {_FIRST_EPL_REPLY}..255 for pages of EPL"
        )
    return ReplyHeader(length, code)


def check_reply(header: ReplyHeader, body: bytes, *, strict: bool = True, what: str = "the reply") -> None:
    """Check a reply against its check code.

    ``strict``: the code must be right; else it must only not be 0, which is what some hosts look for. An
    empty reply has nothing to check. For a reply on pages of EPL the code 0 is let pass, for CMIS does not
    say plainly whether the code covers them [uncertain].

    :raises CdbReplyError: shows the code as stored and as computed, and never the reply itself.
    """
    if not body:
        return
    computed = check_code(body)
    if header.check_code == computed or (header.epl_pages and not header.check_code):
        return
    if not strict and header.check_code:
        return
    raise CdbReplyError(
        f"{what}: RPLChkCode ({FIELDS['CdbRPLChkCode'].where}) is {header.check_code:02X}h, but the "
        f"{len(body)} bytes read have {computed:02X}h. The reply was damaged on the bus, or the module "
        "computes the code otherwise (then open the CDB session with strict=False)."
    )


def _number(name: str, raw: bytes) -> int:
    field = FIELDS[name]
    start = field.byte - HALF
    value: Value = decode_bytes(field, bytes(raw[start : start + field.size]))
    if not isinstance(value, int):
        raise TypeError(f"{name} is not an integer")
    return value
