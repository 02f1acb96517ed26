"""Memory dumps as files: JSON, raw, our own binary form, and the text that other tools print.

Names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.lazy import exports

if TYPE_CHECKING:
    from drivers.cmis.dump.files import (
        FORMS,
        DumpMemory,
        form_of,
        format_dump,
        load_dump,
        only_pages,
        parse_dump,
        save_dump,
    )
    from drivers.cmis.dump.formats import (
        LARGEST_FILE_BYTES,
        Dump,
        PageOutcome,
        PageRecord,
    )

_HOMES = {
    "files": (
        "DumpMemory",
        "FORMS",
        "form_of",
        "format_dump",
        "load_dump",
        "only_pages",
        "parse_dump",
        "save_dump",
    ),
    "formats": (
        "Dump",
        "LARGEST_FILE_BYTES",
        "PageOutcome",
        "PageRecord",
    ),
}

__all__ = [
    "FORMS",
    "LARGEST_FILE_BYTES",
    "Dump",
    "DumpMemory",
    "PageOutcome",
    "PageRecord",
    "form_of",
    "format_dump",
    "load_dump",
    "only_pages",
    "parse_dump",
    "save_dump",
]

__getattr__ = exports(__name__, _HOMES)
