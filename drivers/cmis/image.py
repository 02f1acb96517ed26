"""A module's memory as plain bytes: lower memory and upper pages, with their checksums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.cmis.errors import BytesNotReadError, InvalidMemoryError, PageUnavailableError

HALF = 128
"""Bytes of lower memory, and of every upper page."""

FIRST_BANKED_PAGE = 0x10
"""Pages below this exist once, whatever bank is selected."""

_CHECKSUMS: dict[int, tuple[int, int, int]] = {  # page: (stored at, first byte summed, last byte summed)
    0x00: (222, 128, 221),
    0x01: (255, 130, 254),  # without the firmware revision in 128-129, which an update changes
    0x02: (255, 128, 254),
    0x04: (255, 128, 254),
}


def page_key(bank: int, page: int) -> tuple[int, int]:
    """(bank, page), with the bank of an unbanked page set to 0."""
    return (bank if page >= FIRST_BANKED_PAGE else 0, page)


def half_key(bank: int, page: int, byte: int) -> tuple[int, int] | None:
    """The half in which a byte (0..255) lies: None for lower memory, else as :func:`page_key`."""
    return None if byte < HALF else page_key(bank, page)


def check_span(byte: int, length: int) -> None:
    """Check that ``length`` bytes from ``byte`` lie within one half of the 256 visible bytes.

    :raises ValueError: when they do not; a fault of the caller, never of the module.
    """
    if length < 1 or byte < 0 or byte + length > (HALF if byte < HALF else 2 * HALF):
        raise ValueError(f"{length} bytes from byte {byte} do not lie within bytes 0..127 or 128..255")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Consecutive bytes of one half. ``page`` is None for lower memory, whose bank is 0."""

    bank: int
    page: int | None
    first: int
    last: int

    def __str__(self) -> str:
        where = "lower" if self.page is None else f"{self.page:02X}h"
        if self.page is not None and self.bank:
            where += f"@{self.bank}"
        return f"{where}:{self.first}" + (f"-{self.last}" if self.last > self.first else "")


class MemoryImage:
    """Lower memory (may be missing in a dump) and upper pages of 128 bytes, keyed by (bank, page).

    Single bytes may be missing too, such as flags that a dump did not want to clear by reading them
    (:meth:`mark_unread`): they are refused like a missing page, never given as zeros.
    """

    def __init__(
        self, lower: bytes | None = bytes(HALF), pages: Mapping[tuple[int, int], bytes] | None = None
    ) -> None:
        """:raises InvalidMemoryError: when a part does not have 128 bytes."""
        self._lower: bytearray | None = None if lower is None else bytearray(lower)
        if self._lower is not None and len(self._lower) != HALF:
            raise InvalidMemoryError(f"lower memory has {len(self._lower)} bytes, expected {HALF}")
        self._pages: dict[tuple[int, int], bytearray] = {}
        self._unread: dict[tuple[int, int] | None, set[int]] = {}  # None: lower memory
        for (bank, page), data in (pages or {}).items():
            self.add_page(bank, page, data)

    def add_page(self, bank: int, page: int, data: bytes = bytes(HALF)) -> None:
        """Create or replace an upper page.

        :raises InvalidMemoryError: when it does not have 128 bytes, or bank or page is not 0..255.
        """
        if not (0 <= bank <= 0xFF and 0 <= page <= 0xFF):
            raise InvalidMemoryError(f"bank {bank}, page {page}: both must be 0..255")
        if len(data) != HALF:
            raise InvalidMemoryError(f"page {page:02X}h bank {bank} has {len(data)} bytes, expected {HALF}")
        self._pages[page_key(bank, page)] = bytearray(data)
        self._unread.pop(page_key(bank, page), None)

    def discard_page(self, bank: int, page: int) -> None:
        """Forget an upper page, if it is there."""
        self._pages.pop(page_key(bank, page), None)
        self._unread.pop(page_key(bank, page), None)

    def add_lower(self, data: bytes) -> None:
        """Create or replace lower memory.

        :raises InvalidMemoryError: when it does not have 128 bytes.
        """
        if len(data) != HALF:
            raise InvalidMemoryError(f"lower memory has {len(data)} bytes, expected {HALF}")
        self._lower = bytearray(data)
        self._unread.pop(None, None)

    def mark_unread(self, bank: int, page: int, byte: int, length: int) -> None:
        """Say that these bytes of a half that the image holds are not known, until they are written.

        :raises PageUnavailableError: when the image does not hold that half.
        """
        check_span(byte, length)
        self._half(bank, page, byte)
        self._unread.setdefault(half_key(bank, page, byte), set()).update(range(byte, byte + length))

    def unread(self) -> tuple[Span, ...]:
        """Bytes that are not known within the halves that the image holds, lower memory first."""
        keys = sorted(self._unread, key=lambda key: (-1, -1) if key is None else key)
        return tuple(span for key in keys for span in _spans(key, self._unread[key]))

    def known(self, bank: int, page: int | None) -> tuple[tuple[int, bytes], ...]:
        """(first byte, bytes) of every known stretch of a half, in order; ``page`` None: lower memory.

        :raises PageUnavailableError: when the image does not hold that half.
        """
        start = 0 if page is None else HALF
        half = self._half(bank, page or 0, start)
        key = half_key(bank, page or 0, start)
        known = set(range(start, start + HALF)) - self._unread.get(key, set())
        return tuple(
            (span.first, bytes(half[span.first - start : span.last - start + 1]))
            for span in _spans(key, known)
        )

    def has(self, bank: int, page: int) -> bool:
        """Whether this upper page is there."""
        return page_key(bank, page) in self._pages

    @property
    def has_lower(self) -> bool:
        """Whether lower memory is there."""
        return self._lower is not None

    def pages(self) -> Iterator[tuple[int, int]]:
        """(bank, page) of every upper page, in order."""
        return iter(sorted(self._pages))

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte`` (0..255; below 128 bank and page do not matter).

        :raises PageUnavailableError: when the image does not hold them; :class:`BytesNotReadError`, which
            is one, when it holds the page but not all of these bytes.
        """
        check_span(byte, length)
        half = self._half(bank, page, byte)
        if self._unread:
            self._check_known(bank, page, byte, length)
        start = byte % HALF
        return bytes(half[start : start + length])

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on.

        :raises PageUnavailableError: when the image does not hold that page.
        """
        check_span(byte, len(data))
        start = byte % HALF
        self._half(bank, page, byte)[start : start + len(data)] = data
        if self._unread:
            self._unread.get(half_key(bank, page, byte), set()).difference_update(
                range(byte, byte + len(data))
            )

    def copy(self) -> MemoryImage:
        """An independent copy."""
        twin = MemoryImage(
            None if self._lower is None else bytes(self._lower),
            {key: bytes(data) for key, data in self._pages.items()},
        )
        twin._unread = {key: set(unread) for key, unread in self._unread.items()}
        return twin

    def _check_known(self, bank: int, page: int, byte: int, length: int) -> None:
        key = half_key(bank, page, byte)
        missing = self._unread.get(key, set()).intersection(range(byte, byte + length))
        if missing:
            spans = ", ".join(str(span) for span in _spans(key, missing))
            raise BytesNotReadError(bank, None if byte < HALF else page, spans)

    def _half(self, bank: int, page: int, byte: int) -> bytearray:
        if byte < HALF:
            if self._lower is None:
                raise PageUnavailableError(0, None, "the image does not hold it")
            return self._lower
        try:
            return self._pages[page_key(bank, page)]
        except KeyError:
            raise PageUnavailableError(bank, page, "the image does not hold it") from None


def _spans(key: tuple[int, int] | None, numbers: set[int]) -> Iterator[Span]:
    """Runs of consecutive byte numbers."""
    bank, page = key if key is not None else (0, None)
    first: int | None = None
    for byte in sorted(numbers):
        if first is None:
            first = byte
        if byte + 1 not in numbers:
            yield Span(bank, page, first, byte)
            first = None


@dataclass(frozen=True, slots=True)
class Checksum:
    """A page's checksum as stored and as computed."""

    page: int
    byte: int
    stored: int
    computed: int

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return self.stored == self.computed


CHECKSUM_PAGES: tuple[int, ...] = tuple(_CHECKSUMS)
"""Pages that end with a checksum."""


def page_checksum(page: int, data: bytes) -> Checksum:
    """Checksum of one of :data:`CHECKSUM_PAGES`: the low 8 bits of a sum (OIF-CMIS-05.4 §8.3 to §8.5).

    ``data``: the page's 128 bytes, byte 128 first.
    """
    at, first, last = _CHECKSUMS[page]
    return Checksum(page, at, data[at - HALF], sum(data[first - HALF : last - HALF + 1]) & 0xFF)


def update_checksums(image: MemoryImage) -> None:
    """Store the right checksum in every page of the image that has one."""
    for page in CHECKSUM_PAGES:
        if image.has(0, page):
            checksum = page_checksum(page, image.get(0, page, HALF, HALF))
            image.put(0, page, checksum.byte, bytes([checksum.computed]))


_MIRROR_BYTES = 16
_MIRROR_SHARE = 1 / 2


def mirrored_pages(image: MemoryImage) -> tuple[tuple[int, int], ...]:
    """(bank, page) of the upper pages that hold what page 00h holds.

    A module that does not have a page presents page 00h in its place, so these are probably not there.
    They are the same byte for byte, or in half of the bytes of page 00h that are no padding, of which there
    must be 16: page 00h of many published dumps was edited afterwards (there mirrors share 72 % and other
    pages 1 % of these bytes). None without page 00h.
    """
    if not image.has(0, 0):
        return ()
    reference = _known_bytes(image, 0, 0)
    telling = {byte for byte, value in reference.items() if value not in (0x00, 0x20, 0xFF)}
    return tuple(
        (bank, page)
        for bank, page in image.pages()
        if (bank, page) != (0, 0) and _mirrors(_known_bytes(image, bank, page), reference, telling)
    )


def _mirrors(mine: dict[int, int], reference: dict[int, int], telling: set[int]) -> bool:
    shared = mine.keys() & reference.keys()
    if not telling & shared:
        return False
    if len(shared) >= HALF // 2 and all(mine[byte] == reference[byte] for byte in shared):
        return True
    told = telling & shared
    same = sum(mine[byte] == reference[byte] for byte in told)
    return len(told) >= _MIRROR_BYTES and same >= _MIRROR_SHARE * len(told)


def _known_bytes(image: MemoryImage, bank: int, page: int) -> dict[int, int]:
    return {
        byte: value for first, data in image.known(bank, page) for byte, value in enumerate(data, start=first)
    }
