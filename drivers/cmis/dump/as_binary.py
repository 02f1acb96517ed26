"""Dumps as bytes: the linear layout, which says nothing of itself, and a binary form that does.

**raw** is the linear layout of Linux's optoe driver and of older ``ethtool -m DEV raw on``: lower memory,
then the upper halves of pages 00h, 01h, 02h ... of bank 0, without gaps, 128 bytes each. 128 bytes alone are
lower memory. It cannot say that a page or a byte is missing, so only what has no gaps is written so, but for
lower:118-125, where passwords are entered: not read, they are written as 0, as those registers are there to
be written only.

**binary** holds any dump's bytes: the 16 bytes ``LANEWISE CMIS 1`` and a line feed; for each half one
record of 148 bytes: bank, page, 0 for lower memory or 1 for an upper page, 0, then 16 bytes of which bit
``7 - i % 8`` of byte ``i // 8`` says whether byte ``i`` of the half was read, then its 128 bytes, 0 where
not read; last the CRC-32 (as zlib's) of all before it, big-endian. Words (source, time, how pages were
read) are only in JSON.
"""

from __future__ import annotations

import zlib

from drivers.cmis.dump.formats import LAST_PAGE, Dump, halves_of, mark_unread, page_name, some_of
from drivers.cmis.errors import DumpFormatError
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.password_bytes import PASSWORD_AREA

RAW_FORM = "raw"
BINARY_FORM = "binary"
MAGIC = b"LANEWISE CMIS 1\n"
_MASK_BYTES = HALF // 8
_ALL_READ = (1 << HALF) - 1
_RECORD_BYTES = 4 + _MASK_BYTES + HALF
_CRC_BYTES = 4
_MOST_NAMED = 32


def parse_raw(data: bytes) -> Dump:
    """Read the linear layout.

    :raises DumpFormatError: when the length is none that it can have.
    """
    halves = len(data) // HALF
    if not data or len(data) % HALF or halves > 1 + LAST_PAGE + 1:
        raise DumpFormatError(
            f"it has {len(data)} bytes and is neither JSON nor a text dump; a raw dump has 128 bytes or a "
            f"multiple of that, up to {HALF * (LAST_PAGE + 2)}"
        )
    image = MemoryImage(data[:HALF])
    for page in range(halves - 1):
        image.add_page(0, page, data[HALF * (page + 1) : HALF * (page + 2)])
    return Dump(image, form=RAW_FORM)


def format_raw(dump: Dump) -> bytes:
    """Write the linear layout.

    :raises DumpFormatError: when something would be lost or made up: it names what.
    """
    image = dump.image.copy()
    if not image.has_lower:
        raise DumpFormatError("a raw dump begins with lower memory, which is not there")
    known = {byte for first, data in image.known(0, None) for byte in range(first, first + len(data))}
    for byte in PASSWORD_AREA - known:
        image.put(0, 0, byte, b"\0")
    unread = image.unread()
    if unread:
        raise DumpFormatError(
            f"a raw dump cannot say that {', '.join(some_of(unread, _MOST_NAMED))} were not read; write JSON "
            "or the binary form"
        )
    pages = tuple(image.pages())
    linear = tuple((0, number) for number in range(len(pages)))
    lost = tuple(page_name(*page) for page in pages if page not in linear)
    if lost:
        raise DumpFormatError(
            "a raw dump has pages 00h, 01h, 02h ... of bank 0 without gaps; "
            f"{', '.join(some_of(lost, _MOST_NAMED))} would lie "
            "beyond a gap. Write JSON or the binary form, or leave these pages out"
        )
    return b"".join((image.get(0, 0, 0, HALF), *(image.get(bank, page, HALF, HALF) for bank, page in pages)))


def parse_binary(data: bytes) -> Dump:
    """Read the binary form.

    :raises DumpFormatError: when it is damaged.
    """
    body, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    records = body[len(MAGIC) :]
    if not body.startswith(MAGIC) or not records or len(records) % _RECORD_BYTES:
        raise DumpFormatError(
            f"it has {len(data)} bytes; a binary dump has {len(MAGIC)}, {_RECORD_BYTES} for each half and "
            f"{_CRC_BYTES} of checksum: it is cut off or damaged"
        )
    if zlib.crc32(body).to_bytes(_CRC_BYTES, "big") != crc:
        raise DumpFormatError("its checksum is wrong: the file is damaged")
    image = MemoryImage(None)
    for start in range(0, len(records), _RECORD_BYTES):
        bank, page, upper, _ = records[start : start + 4]
        mask = records[start + 4 : start + 4 + _MASK_BYTES]
        half = records[start + 4 + _MASK_BYTES : start + _RECORD_BYTES]
        if upper > 1 or (image.has(bank, page) if upper else image.has_lower):
            raise DumpFormatError(
                f"record {start // _RECORD_BYTES + 1} is of no half, or of one given before"
            )
        if upper:
            image.add_page(bank, page, half)
        else:
            image.add_lower(half)
        first = HALF if upper else 0
        read = int.from_bytes(mask, "big")  # byte 0 of the half is its highest bit
        if read != _ALL_READ:
            unread = (first + index for index in range(HALF) if not read >> (HALF - 1 - index) & 1)
            mark_unread(image, bank, page if upper else None, unread)
    return Dump(image, form=BINARY_FORM)


def format_binary(dump: Dump) -> bytes:
    """Write the binary form: all bytes that are known, and which are not."""
    parts = [MAGIC]
    for bank, page in halves_of(dump.image):
        start = 0 if page is None else HALF
        mask, half = bytearray(_MASK_BYTES), bytearray(HALF)
        for first, data in dump.image.known(bank, page):
            half[first - start : first - start + len(data)] = data
            for index in range(first - start, first - start + len(data)):
                mask[index // 8] |= 0x80 >> index % 8
        parts += [bytes((bank, page or 0, page is not None, 0)), bytes(mask), bytes(half)]
    body = b"".join(parts)
    return body + zlib.crc32(body).to_bytes(_CRC_BYTES, "big")
