"""A module's memory through the file that Linux's optoe driver offers for it (``.../eeprom`` in sysfs).

optoe lays lower memory and all pages out in one linear file and selects pages by itself, with nobody else
able to come between. What it does on the bus is its own: how many bytes one access has (its ``write_max``
and its SMBus fall-back say), and that it goes back to page 00h after each access to another page. So

* the page registers cannot tell whether a module has a page: they read 00h afterwards in any case. A module
  without it answers with page 00h, and that is what :class:`OptoeMemory` looks for, see there;
* page 00h is read without being selected. When the driver could not go back to it, because the module was
  busy, what is read for page 00h is another page; that is noticed and put right here;
* it hides why an access failed: ETIMEDOUT is taken for a module that does not answer, as it mostly is, and
  EIO for a fault that may be the bus's. It repeats failed accesses by itself, whatever they clear.

Never run on hardware.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from drivers.clock import Clock
from drivers.cmis.access import PAGE_SELECT, SOFTWARE_RESET
from drivers.cmis.errors import InvalidMemoryError, ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S, HoldOff, HoldOffWait
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, check_span, page_key
from drivers.cmis.latched import clear_on_read_bytes, holds_flags
from drivers.cmis.ports import AccessLimits, check_page, span_text
from drivers.errors import ConnectionFailedError

__all__ = ["OptoeMemory", "linear_offset"]

PAGES_IN_A_BANK = 0x100 - FIRST_BANKED_PAGE

_NOT_RESPONDING = frozenset({errno.ENXIO, errno.EREMOTEIO, errno.EIO, errno.ETIMEDOUT})
_UNCLEAR = frozenset({errno.EIO, errno.ETIMEDOUT})
"""After these the access may have been carried out in part."""
_ADVICE = {
    errno.ENOENT: "Is the module's optoe device instantiated, and is the path right?",
    errno.EACCES: "Run as root, or give this user the right to the file.",
    errno.EPERM: "Run as root, or give this user the right to the file.",
    errno.EROFS: "The file cannot be written; check how sysfs is mounted.",
    errno.ENODEV: "The device went away: was the adapter unplugged or the driver removed?",
}
_FIRST_PAUSE_S = 500e-6
_LONGEST_PAUSE_S = 0.010
_PROBES = ((129, 16), (148, 16), (166, 16), (182, 8))
"""Spans of page 00h that tell one module from another: vendor, part number, serial number, date."""

_Result = TypeVar("_Result")


def linear_offset(bank: int, page: int, byte: int, *, pages_in_a_bank: int = PAGES_IN_A_BANK) -> int:
    """Where optoe's file holds a byte (0..255).

    Lower memory at 0, page p at 128 * (p + 1); further banks follow page FFh with their pages 10h to FFh, as
    the driver of SONiC has it since banks were added to it. [uncertain: discussed there with 256 pages in a
    bank as well, so ``pages_in_a_bank`` can be given.]
    """
    if byte < HALF:
        return byte
    bank, page = page_key(bank, page)
    return (bank * pages_in_a_bank + page) * HALF + byte


class OptoeMemory:
    """:class:`drivers.interfaces.MemoryPort` over optoe's ``eeprom`` file. Opens it at the first access.

    ``limits``: bytes of one call; the driver may split it further. ``check_pages``: at the first access to a
    page, compare bytes of it with page 00h, of which a module without that page shows a copy. No latched flag
    is read for it. What cannot be told: whether page 2Ch is there (all of it is latched flags), whether any
    page is there when page 00h holds no text at all, and that a page is lost later on; :meth:`forget_page`
    has pages checked anew.

    A context manager; :meth:`close` closes the file.
    """

    def __init__(
        self,
        path: Path | str,
        clock: Clock,
        *,
        limits: AccessLimits | None = None,
        hold_off_s: float = WRITE_HOLD_OFF_S,
        pages_in_a_bank: int = PAGES_IN_A_BANK,
        check_pages: bool = True,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._limits = limits or AccessLimits(read=HALF)
        self._hold_off = HoldOff(clock, hold_off_s)
        self._pages_in_a_bank = pages_in_a_bank
        self._check_pages = check_pages
        self._descriptor: int | None = None
        self._lock = threading.RLock()
        self._found: set[tuple[int, int]] = set()

    def __enter__(self) -> OptoeMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. The next access opens it again."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None
            self._found.clear()

    @property
    def limits(self) -> AccessLimits:
        """Longest accesses, bytes."""
        return self._limits

    @limits.setter
    def limits(self, limits: AccessLimits) -> None:
        with self._lock:
            self._limits = limits

    def transaction(self) -> AbstractContextManager[bool]:
        """Keep this object's other users away. Users of the file itself are not kept away."""
        return self._lock

    def expect_hold_off(self, limit_s: float) -> None:
        """The next access may fail for up to ``limit_s`` seconds; until one succeeds.

        :raises ValueError: for a limit that is not 0 or more.
        """
        with self._lock:
            self._hold_off.expect(limit_s)

    def forget_page(self) -> None:
        """Check anew which pages there are: the module was reset or exchanged."""
        with self._lock:
            self._found.clear()

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte`` (0..255; below 128 bank and page do not matter).

        :raises ValueError: when they do not lie within one half.
        :raises PageUnavailableError: when the driver says that there is no such page, or a copy of page 00h
            stands in its place.
        :raises ModuleNotRespondingError: when the module does not answer within the hold-off limit.
        :raises drivers.errors.ConnectionFailedError: when the file cannot be opened or used.
        """
        check_span(byte, length)
        check_page(bank, page)
        with self._lock:
            if byte < HALF:
                return self._read_in_pieces(bank, page, byte, length)
            if page_key(bank, page) == (0, 0):
                return self._read_page_00h(byte, length)
            self._check_there(bank, page)
            return self._read_in_pieces(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on; raises what :meth:`read` raises."""
        check_span(byte, len(data))
        check_page(bank, page)
        with self._lock:
            if byte >= HALF:
                if page_key(bank, page) == (0, 0):
                    self._go_back_to_page_00h()
                else:
                    self._check_there(bank, page)
            longest = self._limits.longest_write(None if byte < HALF else page)
            for start in range(0, len(data), longest):
                self._write_piece(bank, page, byte + start, data[start : start + longest])
                area, end = None if byte < HALF else page, min(start + longest, len(data))
                self._hold_off.wrote(area, byte + start, end - start)
            reset_byte, reset_bit = SOFTWARE_RESET
            if byte <= reset_byte < byte + len(data) and data[reset_byte - byte] & reset_bit:
                self._found.clear()

    def _read_page_00h(self, byte: int, length: int) -> bytes:
        for _ in range(2):
            data = self._read_in_pieces(0, 0, byte, length)
            if not self._go_back_to_page_00h():
                return data
        raise InvalidMemoryError(
            f"reading {span_text(0, 0, byte, length)} through {self.path}: the module keeps having another "
            "page selected. Is something else using it?"
        )

    def _go_back_to_page_00h(self) -> bool:
        """Select page 00h where the driver left another one; whether it had."""
        left = self._read_in_pieces(0, 0, PAGE_SELECT, 1) != b"\0"
        if left:
            self._write_piece(0, 0, PAGE_SELECT, b"\0")
        return left

    def _check_there(self, bank: int, page: int) -> None:
        key = page_key(bank, page)
        if not self._check_pages or key in self._found:
            return
        latched = clear_on_read_bytes(page)
        for byte, length in _PROBES:
            if not latched.isdisjoint(range(byte, byte + length)):
                continue
            expected = self._read_page_00h(byte, length)
            if len(set(expected)) < length // 4:  # blank: a page of zeros would look the same
                continue
            if self._read_in_pieces(bank, page, byte, length) == expected:
                raise PageUnavailableError(bank, page, "the module shows a copy of page 00h in its place")
            break
        self._found.add(key)

    def _read_in_pieces(self, bank: int, page: int, byte: int, length: int) -> bytes:
        longest = self._limits.longest_read(None if byte < HALF else page)
        return b"".join(
            self._read_piece(bank, page, start, min(longest, byte + length - start))
            for start in range(byte, byte + length, longest)
        )

    def _read_piece(self, bank: int, page: int, byte: int, length: int) -> bytes:
        offset = linear_offset(bank, page, byte, pages_in_a_bank=self._pages_in_a_bank)
        data = self._persist(
            lambda file: os.pread(file, length, offset),
            bank,
            page,
            f"reading {span_text(bank, page, byte, length)}",
            clears=holds_flags(None if byte < HALF else page, byte, length),
        )
        if len(data) != length:
            self._refuse(bank, page, byte, f"its file ends there ({len(data)} of {length} bytes came)")
        return data

    def _write_piece(self, bank: int, page: int, byte: int, data: bytes) -> None:
        offset = linear_offset(bank, page, byte, pages_in_a_bank=self._pages_in_a_bank)
        written = self._persist(
            lambda file: os.pwrite(file, data, offset),
            bank,
            None if byte < HALF else page,
            f"writing {span_text(bank, page, byte, len(data))}",
        )
        if written != len(data):
            self._refuse(bank, page, byte, f"its file ends there ({written} of {len(data)} bytes went)")

    def _refuse(self, bank: int, page: int, byte: int, reason: str) -> None:
        hint = " For banks above 0, set the driver's bank_size." if bank and byte >= HALF else ""
        raise PageUnavailableError(bank, None if byte < HALF else page, f"{self.path}: {reason}.{hint}")

    def _persist(
        self,
        transfer: Callable[[int], _Result],
        bank: int,
        page: int | None,
        doing: str,
        *,
        clears: bool = False,
    ) -> _Result:
        waiting = self._hold_off.wait(
            first_pause_s=_FIRST_PAUSE_S, longest_pause_s=_LONGEST_PAUSE_S, since_s=self._clock.now_s()
        )
        while True:
            self._clock.checkpoint()
            file = self._opened()
            try:
                result = transfer(file)
            except OSError as fault:
                if fault.errno == errno.EINVAL:
                    raise PageUnavailableError(
                        bank, page, f"{self.path}: the driver says that the module has no such page"
                    ) from fault
                if fault.errno not in _NOT_RESPONDING:
                    raise self._unusable(fault) from fault
                if clears and fault.errno in _UNCLEAR:
                    raise ConnectionFailedError(
                        str(self.path),
                        f"{doing} failed, {fault.strerror}. Latched flags were to be read: they may have "
                        "been cleared without having arrived, so this is not repeated",
                        advice="Do not take flags that read 0 now for flags that were not set.",
                    ) from fault
                if not waiting.pause():
                    self._found.clear()
                    raise self._silent(fault, doing, waiting) from fault
            else:
                self._hold_off.answered()
                return result

    def _silent(
        self, fault: OSError, doing: str, waited: HoldOffWait
    ) -> ConnectionFailedError | ModuleNotRespondingError:
        if fault.errno == errno.EIO:
            return ConnectionFailedError(
                str(self.path),
                f"{doing} failed for {waited.elapsed_s * 1e3:.1f} ms with EIO: whether the module or "
                "the bus is at fault cannot be told",
                advice="See whether another target on this bus answers; then check the module's "
                "supply, ModSelL, ResetL and that it is seated.",
            )
        return ModuleNotRespondingError(
            f"module at {self.path}: no answer while {doing}, for {waited.elapsed_s * 1e3:.1f} ms (it "
            f"may hold off for {waited.limit_s * 1e3:g} ms): {fault.strerror}. Check its supply, "
            "ModSelL, ResetL and that it is seated."
        )

    def _opened(self) -> int:
        if self._descriptor is None:
            try:
                try:
                    self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                except PermissionError:
                    # Some switches let users read only; a write then fails with EBADF.
                    self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except (OSError, ValueError) as fault:
                raise self._unusable(fault) from fault
        return self._descriptor

    def _unusable(self, fault: OSError | ValueError) -> ConnectionFailedError:
        number = fault.errno if isinstance(fault, OSError) else None
        advice = "Check that this is an optoe eeprom file."
        if number == errno.EBADF:
            advice = "The file was opened for reading only: run as root to write."
        return ConnectionFailedError(
            str(self.path),
            (fault.strerror if isinstance(fault, OSError) else None) or str(fault),
            advice=_ADVICE.get(number, advice) if number is not None else advice,
        )
