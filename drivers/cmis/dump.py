"""Memory dumps in files: JSON with hexadecimal pages, and raw binary. Files are untrusted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from drivers.cmis.errors import DumpFormatError, PageUnavailableError, ReadOnlyMemoryError
from drivers.cmis.image import HALF, MemoryImage, check_span
from drivers.errors import printable

LARGEST_FILE_BYTES = 1 << 20
_PAGE_NAME = re.compile(r"([0-9A-Fa-f]{2})h")
_PAGES_IN_A_BANK = 256


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump as read. ``source`` is untrusted text of the file, empty for binary dumps."""

    image: MemoryImage
    source: str = ""


class DumpMemory:
    """:class:`drivers.interfaces.MemoryPort` over an image; cannot be written."""

    def __init__(self, image: MemoryImage) -> None:
        self._image = image

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read from the image.

        :raises PageUnavailableError: when the dump does not hold that page.
        """
        check_span(byte, length)
        try:
            return self._image.get(bank, page, byte, length)
        except PageUnavailableError as error:
            raise PageUnavailableError(error.bank, error.page, "the dump does not hold it") from None

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """:raises ReadOnlyMemoryError: always."""
        raise ReadOnlyMemoryError(f"a dump cannot be written (page {page:02X}h bank {bank} byte {byte})")


def load_dump(path: Path) -> Dump:
    """Read a dump file.

    JSON: an object whose ``pages`` maps ``lower``, ``00h``, ``01h`` ... to 256 hexadecimal digits each, with
    an optional ``bank``. Binary: 128 bytes (lower memory), 256 (lower memory and page 00h), or more pages
    of 128 bytes in order (01h, 02h ...), as Linux's optoe driver lays them out.

    :raises DumpFormatError: when the file cannot be read or is neither.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise DumpFormatError(f"it has {size} bytes, a dump has at most {LARGEST_FILE_BYTES}")
        data = path.read_bytes()
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise DumpFormatError(f"it cannot be read: {reason}") from fault
    return parse_dump(data)


def parse_dump(data: bytes) -> Dump:
    """Read a dump from a file's contents.

    :raises DumpFormatError: when they are neither form that :func:`load_dump` describes.
    """
    if data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"{", b"["):
        return _from_json(data)
    return _from_binary(data)


def _from_binary(data: bytes) -> Dump:
    halves = len(data) // HALF
    if not data or len(data) % HALF or halves > 1 + _PAGES_IN_A_BANK:
        raise DumpFormatError(
            f"it has {len(data)} bytes and is not JSON; a binary dump has 128 bytes or a multiple of that, "
            f"up to {HALF * (1 + _PAGES_IN_A_BANK)}"
        )
    image = MemoryImage(data[:HALF])
    for page in range(halves - 1):
        image.add_page(0, page, data[HALF * (page + 1) : HALF * (page + 2)])
    return Dump(image)


def _from_json(data: bytes) -> Dump:
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise DumpFormatError(f"it is not valid JSON: {printable(str(fault))}") from fault
    pages = document.get("pages") if isinstance(document, dict) else None
    if not isinstance(pages, dict) or not pages:
        raise DumpFormatError("it has no object 'pages' with at least one page")
    bank = _bank(document.get("bank", 0))
    lower = _page_bytes("lower", pages["lower"]) if "lower" in pages else None
    image = MemoryImage(lower)
    for name, digits in pages.items():
        if name == "lower":
            continue
        match = _PAGE_NAME.fullmatch(name)
        if match is None:
            raise DumpFormatError(f"page name {printable(name)} is neither 'lower' nor like '11h'")
        image.add_page(bank, int(match[1], 16), _page_bytes(name, digits))
    source = document.get("source")
    return Dump(image, source if isinstance(source, str) else "")


def _bank(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFF:
        raise DumpFormatError(f"bank {printable(value)} is not a number 0..255")
    return value


def _page_bytes(name: str, digits: object) -> bytes:
    if not isinstance(digits, str):
        raise DumpFormatError(f"page {printable(name)} is not text")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise DumpFormatError(f"page {printable(name)} is not pairs of hexadecimal digits") from None
    if len(data) != HALF:
        raise DumpFormatError(f"page {printable(name)} has {len(data)} bytes, expected {HALF}")
    return data
