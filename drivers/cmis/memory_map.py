"""All fields of all pages, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.cmis.fields import Field
from drivers.cmis.pages import (
    cdb,
    lower,
    page_00h,
    page_01h,
    page_02h,
    page_03h,
    page_04h,
    page_10h,
    page_11h,
    page_12h,
    page_13h,
    page_14h,
    vdm,
)


def _by_name(*tables: tuple[Field, ...]) -> Mapping[str, Field]:
    fields: dict[str, Field] = {}
    for table in tables:
        for field in table:
            if field.name in fields:
                raise ValueError(f"two fields are called {field.name}")
            fields[field.name] = field
    return MappingProxyType(fields)


FIELDS: Mapping[str, Field] = _by_name(
    lower.FIELDS,
    page_00h.FIELDS,
    page_01h.FIELDS,
    page_02h.FIELDS,
    page_03h.FIELDS,
    page_04h.FIELDS,
    page_10h.FIELDS,
    page_11h.FIELDS,
    page_12h.FIELDS,
    page_13h.FIELDS,
    page_14h.FIELDS,
    vdm.FIELDS,
    cdb.FIELDS,
)
"""Every field known, by its unique CMIS name."""
