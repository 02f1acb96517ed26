"""What can be wrong with a module's management interface, as types.

These are findings about the *module* (or about a dump of one), so none of them is a
:class:`drivers.errors.BenchError`: a broken adapter raises that, a silent module raises one of these.
"""

from __future__ import annotations

__all__ = [
    "CmisError",
    "DumpFormatError",
    "InvalidMemoryError",
    "ModuleNotRespondingError",
    "PageUnavailableError",
    "ReadOnlyMemoryError",
    "WriteNotTakenError",
]


class CmisError(Exception):
    """The module's management interface, or a copy of its memory, is not as CMIS says."""


class ModuleNotRespondingError(CmisError):
    """The module does not acknowledge for longer than CMIS lets it."""


class PageUnavailableError(CmisError):
    """The module, or the dump, does not have this page.

    Attributes: ``bank``, ``page`` (None for lower memory).
    """

    def __init__(self, bank: int, page: int | None, reason: str) -> None:
        self.bank = bank
        self.page = page
        where = "lower memory" if page is None else f"page {page:02X}h"
        if page is not None and page >= 0x10:  # pages below exist once, whatever the bank
            where += f" bank {bank}"
        super().__init__(f"{where} is not available: {reason}")


class InvalidMemoryError(CmisError):
    """A register holds what its definition does not allow."""


class WriteNotTakenError(CmisError):
    """A register read back something else than was written to it, without any refusal."""


class ReadOnlyMemoryError(CmisError):
    """A write was asked of a memory that cannot be written, such as a dump."""


class DumpFormatError(CmisError):
    """A file is not a memory dump of a form that can be read."""
