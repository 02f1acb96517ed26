"""Memory dumps in files: whatever a bench, a switch or a lab may have, in; JSON, raw and more, out.

Files are untrusted: each is either read or refused with :class:`DumpFormatError`, which says what was
expected and where.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from drivers.cmis.dump import as_binary, as_json, as_text
from drivers.cmis.dump.formats import LARGEST_FILE_BYTES, Dump
from drivers.cmis.errors import BytesNotReadError, DumpFormatError, PageUnavailableError, ReadOnlyMemoryError
from drivers.cmis.image import FIRST_BANKED_PAGE, MemoryImage, check_span
from drivers.cmis.password_bytes import without_passwords

_WRITERS: Mapping[str, Callable[[Dump], bytes]] = {
    as_json.FORM: as_json.format_json,
    as_binary.BINARY_FORM: as_binary.format_binary,
    as_binary.RAW_FORM: as_binary.format_raw,
    as_text.FORM: as_text.format_text,
}
FORMS: tuple[str, ...] = tuple(_WRITERS)
"""Names of the forms that can be written: ``json`` (keeps everything), ``binary``, ``raw``, ``text``."""

_FORM_OF_SUFFIX: Mapping[str, str] = {
    ".json": as_json.FORM,
    ".bin": as_binary.BINARY_FORM,
    ".raw": as_binary.RAW_FORM,
    ".txt": as_text.FORM,
    ".hex": as_text.FORM,
}


class DumpMemory:
    """:class:`drivers.interfaces.MemoryPort` over an image; cannot be written."""

    def __init__(self, image: MemoryImage) -> None:
        self._image = image

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read from the image.

        :raises PageUnavailableError: when the dump does not hold that page, or not these bytes of it.
        """
        check_span(byte, length)
        try:
            return self._image.get(bank, page, byte, length)
        except BytesNotReadError:
            raise
        except PageUnavailableError as error:
            raise PageUnavailableError(error.bank, error.page, "the dump does not hold it") from None

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """:raises ReadOnlyMemoryError: always."""
        raise ReadOnlyMemoryError(f"a dump cannot be written (page {page:02X}h bank {bank} byte {byte})")


def load_dump(path: Path) -> Dump:
    """Read a dump file, whose form its contents tell.

    JSON (:mod:`drivers.cmis.dump.as_json`); the binary form and raw bytes, which are lower memory and
    pages 00h, 01h ... in order (:mod:`drivers.cmis.dump.as_binary`); text of ``ethtool -m ... hex on``,
    ``sfputil show eeprom-hexdump``, ``hexdump -C``, ``xxd`` (:mod:`drivers.cmis.dump.as_text`).

    :raises DumpFormatError: when the file cannot be read or is none of these.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise DumpFormatError(f"it has {size} bytes, a dump has at most {LARGEST_FILE_BYTES}")
        with path.open("rb") as file:  # a device or a growing file may hold more than it said
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise DumpFormatError(f"it cannot be read: {reason}") from fault
    return parse_dump(data)


def parse_dump(data: bytes) -> Dump:
    """Read a dump from a file's contents.

    :raises DumpFormatError: when they are of no form that :func:`load_dump` describes.
    """
    if len(data) > LARGEST_FILE_BYTES:
        raise DumpFormatError(
            f"it has more than {LARGEST_FILE_BYTES} bytes, a dump has at most {LARGEST_FILE_BYTES}"
        )
    if data.startswith(as_binary.MAGIC):
        return as_binary.parse_binary(data)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what some consoles write into a file
        data = _from_utf_16(data)
    if data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"{", b"["):
        return as_json.parse_json(data)
    if as_text.is_text(data):
        return as_text.parse_text(data)
    return as_binary.parse_raw(data)


def format_dump(dump: Dump, form: str = as_json.FORM, *, keep_passwords: bool = False) -> bytes:
    """A file's contents in one of :data:`FORMS`.

    Files go from hand to hand, so bytes that may hold a password (lower:118-125, and 9Fh:136-139 after a
    password command) are written as not read where they are not 0, and a note says so, where the form has
    notes. ``keep_passwords`` writes them as they are: for a copy of another program's dump, byte for byte.
    The raw form, which cannot say that a byte is missing, has 0 for lower:118-125.

    :raises DumpFormatError: when the form cannot hold this dump without losing or inventing bytes.
    :raises ValueError: for a form that is none of :data:`FORMS`.
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise ValueError(f"form {form!r} of a dump is none of {', '.join(FORMS)}")
    return writer(dump if keep_passwords else _masked(dump))


def _masked(dump: Dump) -> Dump:
    image, taken = without_passwords(dump.image)
    if not taken:
        return dump
    note = "left out, as passwords may lie there: " + ", ".join(str(span) for span in taken)
    return replace(dump, image=image, notes=(*dump.notes, note))


def save_dump(
    dump: Dump | MemoryImage,
    to: Path | BinaryIO,
    form: str | None = None,
    *,
    keep_passwords: bool = False,
) -> None:
    """Write a dump. ``form`` None: as the path's suffix says (:func:`form_of`); JSON for a stream.
    ``keep_passwords``: see :func:`format_dump`.

    :raises DumpFormatError: when the form cannot hold this dump; nothing is written then.
    :raises ValueError: for an unknown form or suffix.
    :raises OSError: when the file cannot be written.
    """
    whole = dump if isinstance(dump, Dump) else Dump(dump)
    if isinstance(to, Path):
        to.write_bytes(format_dump(whole, form or form_of(to), keep_passwords=keep_passwords))
    else:
        to.write(format_dump(whole, form or as_json.FORM, keep_passwords=keep_passwords))


def form_of(path: Path) -> str:
    """The form that a file name's suffix stands for: ``.json``, ``.bin`` (binary), ``.raw``, ``.txt``.

    :raises ValueError: for another suffix.
    """
    form = _FORM_OF_SUFFIX.get(path.suffix.lower())
    if form is None:
        raise ValueError(
            f"file name {path.name!r} does not say which form the dump is to have: end it in "
            f"{', '.join(_FORM_OF_SUFFIX)}, or name one of {', '.join(FORMS)}"
        )
    return form


def only_pages(dump: Dump, pages: Collection[int], banks: Collection[int] | None = None) -> Dump:
    """The same dump with lower memory and these pages only, for a form that cannot hold all.

    Pages below 10h exist once and are kept whatever ``banks`` says.
    """
    kept = dump.image.copy()
    for bank, page in dump.image.pages():
        banked = page >= FIRST_BANKED_PAGE
        if page not in pages or (banked and banks is not None and bank not in banks):
            kept.discard_page(bank, page)
    records = tuple(record for record in dump.records if kept.has(record.bank, record.page))
    return replace(dump, image=kept, records=records)


def _from_utf_16(data: bytes) -> bytes:
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError:
        return data
