"""Ways to a module's memory: what one may offer beyond its two calls, and one made of any two callables.

A :class:`drivers.interfaces.MemoryPort` reads and writes; that is all the library needs. The Protocols
here are optional. Who uses one asks with ``isinstance`` and does without it where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.cmis.errors import InvalidMemoryError, ReadOnlyMemoryError
from drivers.cmis.image import HALF, check_span

__all__ = [
    "AccessLimits",
    "CallableMemory",
    "CountsRefusals",
    "HasLimits",
    "HoldsOff",
    "HoldsTheBus",
    "KnowsSelection",
    "ReadsPlainly",
    "ReadsSeveral",
    "Refusals",
    "RemembersPage",
    "TracksConfiguration",
    "bus_held",
    "check_page",
    "span_text",
]

SHORTEST_ACCESS = 8
"""Bytes that every module takes and gives in one access (OIF-CMIS-05.4 section 5.2)."""
LONGEST_CDB_ACCESS = 2048
"""Bytes of the longest access that 01h:164 can advertise."""
CDB_PAGES = range(0x9F, 0xB0)
"""Pages of CDB messages: 9Fh the local payload, A0h to AFh the extended payload."""


@dataclass(frozen=True, slots=True)
class AccessLimits:
    """Bytes that one access may have: even numbers, so that no two-byte value is split.

    ``read``, ``write``: 8 (what every module must take) to 128 (full pages, where 01h:251 advertises it or
    the bench allows it anyway). ``cdb``: reads and writes of pages 9Fh to AFh, 8 to 2048 (01h:164); one
    access never goes beyond the end of a page here, whatever ``cdb`` is, as auto paging is not used.

    :raises ValueError: when one of them is odd or out of these bounds.
    """

    read: int = SHORTEST_ACCESS
    write: int = SHORTEST_ACCESS
    cdb: int = SHORTEST_ACCESS

    def __post_init__(self) -> None:
        for sizes, longest in (((self.read, self.write), HALF), ((self.cdb,), LONGEST_CDB_ACCESS)):
            if not all(SHORTEST_ACCESS <= size <= longest and size % 2 == 0 for size in sizes):
                raise ValueError(
                    f"one access has an even number of {SHORTEST_ACCESS}..{longest} bytes, "
                    f"not {' or '.join(map(str, sizes))}"
                )

    def longest_read(self, page: int | None) -> int:
        """Bytes of one read of this page (None: lower memory), at most a page."""
        return self._longest(page, self.read)

    def longest_write(self, page: int | None) -> int:
        """Bytes of one write of this page (None: lower memory), at most a page."""
        return self._longest(page, self.write)

    def _longest(self, page: int | None, plain: int) -> int:
        if page is not None and page in CDB_PAGES:
            return min(HALF, max(plain, self.cdb))
        return plain


@runtime_checkable
class RemembersPage(Protocol):
    """A memory that skips page selects it believes to be unnecessary."""

    def forget_page(self) -> None:
        """Select the page anew at the next access to upper memory: the module was reset or exchanged."""


@runtime_checkable
class HoldsTheBus(Protocol):
    """A memory that can keep others away between a read and the write that depends on it."""

    def transaction(self) -> AbstractContextManager[object]:
        """Hold the bus within this context."""


@runtime_checkable
class HoldsOff(Protocol):
    """A memory that waits while its module refuses to acknowledge."""

    def expect_hold_off(self, limit_s: float) -> None:
        """The next access may be refused for up to ``limit_s`` seconds; it alone."""


@runtime_checkable
class ReadsSeveral(Protocol):
    """A memory that reads several spans of one page at the cost of little more than one."""

    def read_several(self, bank: int, page: int, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read ``spans`` of (byte, length), all in one half; answers in the order of the spans."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Accesses since somebody last asked, how many of them were refused (a repetition counts as one more),
    and the longest time from a refusal to another without an answer in between."""

    accesses: int
    refused: int
    longest_s: float


@runtime_checkable
class CountsRefusals(Protocol):
    """A memory that counts how often its module does not acknowledge."""

    def take_refusals(self) -> Refusals:
        """Refusals since the last call."""


@runtime_checkable
class ReadsPlainly(Protocol):
    """A memory that can read as the wire has it, for tests of a module's interface."""

    def read_plainly(self, byte: int, length: int) -> bytes:
        """One read from ``byte`` (0..255) on, whatever page is selected, beyond the end of a half too."""


@runtime_checkable
class HasLimits(Protocol):
    """A memory whose accesses are limited in length."""

    @property
    def limits(self) -> AccessLimits:
        """Longest accesses; can be set."""

    @limits.setter
    def limits(self, limits: AccessLimits) -> None: ...


@runtime_checkable
class KnowsSelection(Protocol):
    """A memory that knows which page its module has selected."""

    @property
    def selected(self) -> tuple[int, int] | None:
        """(bank, page) that is believed to be selected, None when it is not known."""


@runtime_checkable
class TracksConfiguration(Protocol):
    """A memory that keeps what depends on the application in force, and so must know when that is settled."""

    def configuration_settled(self) -> None:
        """The data paths are steady."""


def bus_held(memory: object) -> AbstractContextManager[object]:
    """Hold the bus of a memory that can; do nothing for others."""
    return memory.transaction() if isinstance(memory, HoldsTheBus) else nullcontext()


def check_page(bank: int, page: int) -> None:
    """:raises ValueError: when bank or page is not 0..255; a fault of the caller."""
    if not (0 <= bank <= 0xFF and 0 <= page <= 0xFF):
        raise ValueError(f"bank {bank}, page {page}: both must be 0..255")


def span_text(bank: int, page: int, byte: int, length: int) -> str:
    """A span for people: ``page 11h bank 0 bytes 154..161``."""
    area = "lower memory" if byte < HALF else f"page {page:02X}h bank {bank}"
    return f"{area} bytes {byte}..{byte + length - 1}"


class CallableMemory:
    """:class:`drivers.interfaces.MemoryPort` over two callables of anybody's.

    ``read(bank, page, byte, length)`` returns that many bytes; ``write(bank, page, byte, data)`` writes
    them; without ``write`` the memory is read-only. ``byte`` is absolute (0..255; below 128 bank and page
    do not matter), and no call crosses byte 128.

    What the callables themselves raise passes through unchanged: let them raise
    :class:`drivers.cmis.errors.CmisError` for the module's faults and
    :class:`drivers.errors.BenchError` for the bench's, or callers cannot tell whose fault it is.
    """

    def __init__(
        self,
        read: Callable[[int, int, int, int], bytes],
        write: Callable[[int, int, int, bytes], object] | None = None,
    ) -> None:
        self._read = read
        self._write = write

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte``.

        :raises ValueError: when they do not lie within one half.
        :raises InvalidMemoryError: when the callable does not return ``length`` bytes.
        """
        check_span(byte, length)
        check_page(bank, page)
        answer: object = self._read(bank, page, byte, length)
        if not isinstance(answer, (bytes, bytearray, memoryview)):
            raise InvalidMemoryError(
                f"reading {span_text(bank, page, byte, length)}: the read function returned "
                f"{type(answer).__name__}, expected bytes"
            )
        data = bytes(answer)
        if len(data) != length:
            raise InvalidMemoryError(
                f"reading {span_text(bank, page, byte, length)}: the read function returned {len(data)} "
                f"bytes, expected {length}"
            )
        return data

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on.

        :raises ValueError: when it does not lie within one half.
        :raises ReadOnlyMemoryError: when there is no write function.
        """
        check_span(byte, len(data))
        check_page(bank, page)
        if self._write is None:
            raise ReadOnlyMemoryError(
                f"writing {span_text(bank, page, byte, len(data))}: this memory has no write function"
            )
        self._write(bank, page, byte, bytes(data))
