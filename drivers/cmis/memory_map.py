"""All fields of all pages, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.cmis.fields import Field
from drivers.cmis.pages import lower, page_00h, page_01h, page_02h, page_10h, page_11h


def _by_name(*tables: tuple[Field, ...]) -> Mapping[str, Field]:
    fields: dict[str, Field] = {}
    for table in tables:
        for field in table:
            if field.name in fields:
                raise ValueError(f"two fields are called {field.name}")
            fields[field.name] = field
    return MappingProxyType(fields)


FIELDS: Mapping[str, Field] = _by_name(
    lower.FIELDS, page_00h.FIELDS, page_01h.FIELDS, page_02h.FIELDS, page_10h.FIELDS, page_11h.FIELDS
)
"""Every field known, by its unique CMIS name."""
