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
_BANKS = {0: 1, 1: 2, 2: 4}
"""Banks of each code of 01h:142.1-0; 3 is reserved."""


def require_paged_memory(module: CmisModule, *, bank: int = 0) -> None:
    """Check that pages 01h, 10h and 11h are there, in bank 0 and in ``bank``, and not page 00h in disguise.

    Cables with flat memory are seen that claim paged memory (lower:2.7 is 0): a page select falls back to
    page 00h, or seems to work and shows the content of page 00h.

    :raises PageUnavailableError: when the memory is flat, whatever it says of itself, or has no such bank.
    :raises CmisError: when it cannot be read.
    """
    claim = where("MemoryModel")
    if information.get_int(module.registers, "MemoryModel"):
        raise PageUnavailableError(bank, 0x11, f"{claim} is 1, flat: the module has no data paths")
    administrative = module.memory.read(0, 0x00, HALF, _COMPARED)
    if not all(byte in _BLANKS for byte in administrative):  # else nothing by which it could be recognised
        for page in (0x01, 0x10, 0x11):
            _require_page(module, 0, page, administrative, f"{claim} is 0, paged, yet", "The memory is flat.")
    if bank:
        _require_bank(module, bank, administrative)


def _require_bank(module: CmisModule, bank: int, administrative: bytes) -> None:
    """Check that a module with paged memory has this bank too."""
    banks = _BANKS.get(information.get_int(module.registers, "BanksSupported"))
    advertised = f"{where('BanksSupported')} advertises {banks or 'a reserved number'} of them"
    verdict = f"The module has no bank {bank}: {advertised}."
    for page in (0x10, 0x11):
        if banks is not None and bank >= banks:
            raise PageUnavailableError(bank, page, verdict)
        _require_page(module, bank, page, administrative, f"{advertised}, yet in bank {bank}", verdict)


def _require_page(
    module: CmisModule, bank: int, page: int, administrative: bytes, claim: str, verdict: str
) -> None:
    try:
        found = module.memory.read(bank, page, HALF, _COMPARED)
    except PageUnavailableError as error:
        text = f"{claim} the page cannot be selected ({error}). {verdict}"
        raise PageUnavailableError(bank, page, text) from error
    if found == administrative and not all(byte in _BLANKS for byte in administrative):
        text = f"{claim} the page shows the content of page 00h. {verdict}"
        raise PageUnavailableError(bank, page, text)
