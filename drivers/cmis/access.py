"""A module's paged memory over a two-wire bus (OIF-CMIS-05.4 §5.2, §10.2, Appendix B).

The module answers to one address with 256 bytes: lower memory and the selected page. It may refuse to
acknowledge (hold off) for a limited time after most accesses; that is waited for here, and only when the
limit has passed is the module said not to respond.

A module that restarts (reset, brown-out, exchange) has page 00h selected again and tells nobody. So every
access to upper memory reads BankSelect and PageSelect as well, a read in the same bus transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from drivers.clock import Clock
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, check_span, page_key
from drivers.i2c import I2cBus, I2cNackError

MODULE_ADDRESS = 0x50
BANK_SELECT = 126
PAGE_SELECT = 127
SOFTWARE_RESET = (26, 0x08)
"""Byte and bit of SoftwareReset in lower memory (section 8.2)."""
SHORTEST_TRANSACTION = 8
"""Bytes that every module takes and gives in one transaction (section 5.2)."""

WRITE_HOLD_OFF_S = 0.010
"""tWRITE and tBPC: longest hold-off after a volatile write or a page change (Table 10-2)."""
NV_WRITE_HOLD_OFF_S = 0.080
"""tWRITENV: longest hold-off after a write to non-volatile memory (Table 10-2)."""
NV_PAGES = frozenset({0x03})
"""Pages whose registers are non-volatile: the user EEPROM."""

_CLOCK_STEP_S = 1e-6
"""Rests shorter than this are not waited for: sums of seconds would never quite reach the limit."""

_SELECTS = 2  # how often a page is selected before it is said not to be there: a restart may spoil one

_Result = TypeVar("_Result")


class I2cMemory:
    """:class:`drivers.interfaces.MemoryPort` over a bus.

    ``max_read`` and ``max_write``: bytes of one transaction, even and at least 8, so that no two-byte
    value is read in halves of different age. 8 is what every module must take; 128 is for modules that
    advertise it (01h:251 for reads [uncertain which bits]).
    """

    def __init__(
        self,
        bus: I2cBus,
        clock: Clock,
        *,
        address: int = MODULE_ADDRESS,
        max_read: int = 8,
        max_write: int = 8,
        hold_off_s: float = WRITE_HOLD_OFF_S,
    ) -> None:
        if not all(SHORTEST_TRANSACTION <= size <= HALF and size % 2 == 0 for size in (max_read, max_write)):
            raise ValueError(
                f"transactions have an even number of {SHORTEST_TRANSACTION}..{HALF} bytes, "
                f"not {max_read} read and {max_write} written"
            )
        self._bus = bus
        self._clock = clock
        self._address = address
        self._max_read = max_read
        self._max_write = max_write
        self._hold_off_s = hold_off_s
        self._after_nv_write = False
        self._selected: tuple[int, int] | None = None

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte`` (0..255; below 128 bank and page do not matter).

        :raises ValueError: when they do not lie within one half.
        :raises PageUnavailableError: when the module falls back to another page.
        :raises ModuleNotRespondingError: when it does not acknowledge within the hold-off limit.
        :raises drivers.errors.ConnectionFailedError: when the bus itself fails.
        """
        check_span(byte, length)
        _check_page(bank, page)

        def where() -> str:
            return f"reading {_where(bank, page, byte, length)}"

        with self._bus.transaction():
            parts: list[bytes] = []
            for start in range(byte, byte + length, self._max_read):
                wanted = (bytes([start]), min(self._max_read, byte + length - start))
                if byte < HALF:
                    parts += self._read_now((wanted,), where)
                else:
                    parts += self._read_on_page(bank, page, (wanted,), where)
            return b"".join(parts)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on; raises what :meth:`read` raises.

        More than ``max_write`` bytes go in several transactions, one after the other.
        """
        check_span(byte, len(data))
        _check_page(bank, page)

        def where() -> str:
            return f"writing {_where(bank, page, byte, len(data))}"

        with self._bus.transaction():
            if _spoils_selection(byte, data):
                self.forget_page()
            for start in range(0, len(data), self._max_write):
                part = data[start : start + self._max_write]
                if byte >= HALF:
                    self._read_on_page(bank, page, (), where)
                self._write_now(byte + start, part, where)
                self._after_nv_write = byte >= HALF and page in NV_PAGES

    def transaction(self) -> AbstractContextManager[bool]:
        """Hold the bus for a read and the write that depends on it."""
        return self._bus.transaction()

    def forget_page(self) -> None:
        """Select the page anew at the next access: the module was reset or exchanged."""
        with self._bus.transaction():
            self._selected = None

    def _read_on_page(
        self, bank: int, page: int, parts: tuple[tuple[bytes, int], ...], where: Callable[[], str]
    ) -> list[bytes]:
        """Read ``parts`` of upper memory together with what says which page they are from."""
        wanted = page_key(bank, page)
        selects = 0
        while True:
            if self._selected != wanted:
                self._selected = None
                self._write_now(BANK_SELECT, bytes(wanted), lambda: f"selecting page {page:02X}h bank {bank}")
                selects += 1
            (found_bank, found_page), *answers = self._read_now(((bytes([BANK_SELECT]), 2), *parts), where)
            # A module without this page falls back to page 00h and says so in no other way.
            if found_page == page and (page < FIRST_BANKED_PAGE or found_bank == bank):
                self._selected = wanted
                return answers
            self._selected = None
            if selects >= _SELECTS:
                raise PageUnavailableError(
                    bank,
                    page,
                    f"after it was selected the module has page {found_page:02X}h bank {found_bank} selected",
                )

    def _read_now(self, parts: tuple[tuple[bytes, int], ...], doing: Callable[[], str]) -> list[bytes]:
        return list(self._persist(lambda: self._bus.write_read_several(self._address, parts), doing))

    def _write_now(self, byte: int, data: bytes, doing: Callable[[], str]) -> None:
        self._persist(lambda: self._bus.write(self._address, bytes([byte]) + data), doing)

    def _persist(self, transfer: Callable[[], _Result], doing: Callable[[], str]) -> _Result:
        limit_s = max(self._hold_off_s, NV_WRITE_HOLD_OFF_S if self._after_nv_write else 0.0)
        pause_s = min(0.010, max(0.0005, limit_s / 20))
        start_s = self._clock.now_s()
        while True:
            try:
                result = transfer()
            except I2cNackError as nack:
                elapsed_s = self._clock.now_s() - start_s
                if elapsed_s >= limit_s - _CLOCK_STEP_S:
                    self.forget_page()
                    raise ModuleNotRespondingError(
                        f"module at I2C address 0x{self._address:02X} on {self._bus.name}: no acknowledge "
                        f"while {doing()}, for {elapsed_s * 1e3:.1f} ms (it may hold off for "
                        f"{limit_s * 1e3:g} ms). Check its supply, ModSelL, ResetL and that it is seated."
                    ) from nack
                self._clock.sleep(min(pause_s, limit_s - elapsed_s))
            else:
                self._after_nv_write = False
                return result


def _check_page(bank: int, page: int) -> None:
    if not (0 <= bank <= 0xFF and 0 <= page <= 0xFF):
        raise ValueError(f"bank {bank}, page {page}: both must be 0..255")


def _spoils_selection(byte: int, data: bytes) -> bool:
    """Whether this write makes the module select another page: by its page registers or by a reset."""
    end = byte + len(data)
    reset_byte, reset_bit = SOFTWARE_RESET
    resets = byte <= reset_byte < end and bool(data[reset_byte - byte] & reset_bit)
    return resets or byte <= BANK_SELECT < end or byte <= PAGE_SELECT < end


def _where(bank: int, page: int, byte: int, length: int) -> str:
    area = "lower memory" if byte < HALF else f"page {page:02X}h bank {bank}"
    return f"{area} bytes {byte}..{byte + length - 1}"
