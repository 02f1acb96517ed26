"""Pages 9Fh to AFh, Command Data Block messages (OIF-CMIS-05.4 §8.25, §9).

A CDB instance is a bank: instance 1 is bank 0. Everything is volatile.
"""

from __future__ import annotations

from drivers.cmis.fields import Access, Field, Kind

_PAGE = 0x9F
FIRST_EPL_PAGE = 0xA0
EPL_PAGES = 16
LPL_BYTES = 120


def _number(name: str, byte: int, length: int, access: Access, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.UINT, length, access=access, banked=True, doc=doc)


FIELDS: tuple[Field, ...] = (
    _number("CdbCommandID", 128, 2, Access.RW, "writing it starts the command, see 01h:165.7"),
    _number("CdbEPLLength", 130, 2, Access.RW, "bytes of the command's body on pages A0h and up"),
    _number("CdbLPLLength", 132, 1, Access.RW, "bytes of the command's body in 9Fh:136-255"),
    _number("CdbChkCode", 133, 1, Access.RW, "one's complement of the sum of header and LPL body"),
    _number("CdbRPLLength", 134, 1, Access.RO, "bytes of the reply in LPL; 240 and up: pages of EPL"),
    _number("CdbRPLChkCode", 135, 1, Access.RO, "one's complement of the sum of the reply's body"),
    Field(
        "CdbLPL",
        _PAGE,
        136,
        Kind.RAW,
        LPL_BYTES,
        access=Access.RW,
        banked=True,
        doc="local payload, command and reply",
    ),
    *(
        Field(
            f"CdbEPLPage{index + 1}",
            FIRST_EPL_PAGE + index,
            128,
            Kind.RAW,
            128,
            access=Access.RW,
            banked=True,
            doc="extended payload, command and reply",
        )
        for index in range(EPL_PAGES)
    ),
)
