"""Whether a module really has the pages that it claims to have."""

from __future__ import annotations

from drivers.cmis import information
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.image import HALF
from drivers.cmis.module import CmisModule
from drivers.cmis.wording import where

_COMPARED = 6
"""Bytes compared. On page 11h no flag lies among them, as reading would clear those."""
_BLANKS = (0x00, 0xFF)


def require_paged_memory(module: CmisModule, *, bank: int = 0) -> None:
    """Check that pages 01h, 10h and 11h are there and are not page 00h in disguise.

    Cables with flat memory are seen that claim paged memory (lower:2.7 is 0): a page select falls back to
    page 00h, or seems to work and shows the content of page 00h.

    :raises PageUnavailableError: when the memory is flat, whatever it says of itself.
    :raises CmisError: when it cannot be read.
    """
    claim = where("MemoryModel")
    if information.get_int(module.registers, "MemoryModel"):
        raise PageUnavailableError(bank, 0x11, f"{claim} is 1, flat: the module has no data paths")
    administrative = module.memory.read(0, 0x00, HALF, _COMPARED)
    if all(byte in _BLANKS for byte in administrative):
        return  # nothing by which it could be recognised
    for page in (0x01, 0x10, 0x11):
        try:
            found = module.memory.read(bank if page >= 0x10 else 0, page, HALF, _COMPARED)
        except PageUnavailableError as error:
            text = f"{claim} is 0, paged, yet the page cannot be selected ({error}). The memory is flat."
            raise PageUnavailableError(bank, page, text) from error
        if found == administrative:
            text = f"{claim} is 0, paged, yet the page shows the content of page 00h. The memory is flat."
            raise PageUnavailableError(bank, page, text)
