"""Page 03h, user EEPROM (OIF-CMIS-05.4 §8.6): non-volatile, there where 01h:142.2 says so."""

from __future__ import annotations

from drivers.cmis.fields import Access, Field, Kind

FIELDS: tuple[Field, ...] = (
    Field("UserEEPROM", 0x03, 128, Kind.RAW, 128, access=Access.RW, doc="the host's own, non-volatile"),
)
