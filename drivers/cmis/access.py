"""A module's paged memory over a two-wire bus (OIF-CMIS-05.4 §5.2, §10.2, Appendix B).

The module answers to one address with 256 bytes: lower memory and the selected page. It may refuse to
acknowledge (hold off) for a limited time after most accesses; that is waited for here, and only when the
limit has passed is the module said not to respond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from drivers.clock import Clock
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, check_span, page_key
from drivers.i2c import I2cBus, I2cNackError

MODULE_ADDRESS = 0x50
BANK_SELECT = 126
PAGE_SELECT = 127

WRITE_HOLD_OFF_S = 0.010
"""tWRITE and tBPC: longest hold-off after a volatile write or a page change (Table 10-2)."""
NV_WRITE_HOLD_OFF_S = 0.080
"""tWRITENV: longest hold-off after a write to non-volatile memory (Table 10-2)."""
RESET_HOLD_OFF_S = 2.0
"""tMgmtInit: longest time from power-on or reset to a usable management interface (Table 10-1)."""
NV_PAGES = frozenset({0x03})
"""Pages whose registers are non-volatile: the user EEPROM."""

_CLOCK_STEP_S = 1e-6
"""Rests shorter than this are not waited for: sums of seconds would never quite reach the limit."""

_Result = TypeVar("_Result")


class I2cMemory:
    """:class:`drivers.interfaces.MemoryPort` over a bus.

    ``max_read`` and ``max_write``: bytes of one transaction. 8 is what every module must take; 128 is
    for modules that advertise it (01h:251 for reads [uncertain which bits]).
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
        if not (1 <= max_read <= HALF and 1 <= max_write <= HALF):
            raise ValueError(
                f"transactions have 1..{HALF} bytes, not {max_read} read and {max_write} written"
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
        with self._bus.transaction():
            self._select_for(bank, page, byte)
            parts = []
            for start in range(byte, byte + length, self._max_read):
                count = min(self._max_read, byte + length - start)
                parts.append(self._read_now(start, count, lambda: _where(bank, page, byte, length)))
            return b"".join(parts)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on; raises what :meth:`read` raises.

        More than ``max_write`` bytes go in several transactions, one after the other.
        """
        check_span(byte, len(data))
        with self._bus.transaction():
            self._select_for(bank, page, byte)
            if byte <= PAGE_SELECT < byte + len(data) or byte <= BANK_SELECT < byte + len(data):
                self.forget_page()
            for start in range(0, len(data), self._max_write):
                part = data[start : start + self._max_write]
                self._write_now(byte + start, part, lambda: _where(bank, page, byte, len(data)))
                self._after_nv_write = byte >= HALF and page in NV_PAGES

    def forget_page(self) -> None:
        """Select the page anew at the next access: the module was reset or exchanged."""
        self._selected = None

    @contextmanager
    def hold_off(self, limit_s: float) -> Iterator[None]:
        """Within this context the module may refuse to acknowledge for ``limit_s`` seconds."""
        before_s = self._hold_off_s
        self._hold_off_s = limit_s
        try:
            yield
        finally:
            self._hold_off_s = before_s

    def _select_for(self, bank: int, page: int, byte: int) -> None:
        if not (0 <= bank <= 0xFF and 0 <= page <= 0xFF):
            raise ValueError(f"bank {bank}, page {page}: both must be 0..255")
        if byte < HALF:
            return
        wanted = page_key(bank, page)
        if self._selected == wanted:
            return
        self._selected = None

        def where() -> str:
            return f"selecting page {page:02X}h bank {bank}"

        self._write_now(BANK_SELECT, bytes(wanted), where)
        # A module without this page falls back to page 00h and says so in no other way.
        found_bank, found_page = self._read_now(BANK_SELECT, 2, where)
        if found_page != page or (page >= FIRST_BANKED_PAGE and found_bank != bank):
            raise PageUnavailableError(
                bank,
                page,
                f"after it was selected the module has page {found_page:02X}h bank {found_bank} selected",
            )
        self._selected = wanted

    def _read_now(self, byte: int, length: int, where: Callable[[], str]) -> bytes:
        return self._persist(
            lambda: self._bus.write_read(self._address, bytes([byte]), length), lambda: f"reading {where()}"
        )

    def _write_now(self, byte: int, data: bytes, where: Callable[[], str]) -> None:
        self._persist(
            lambda: self._bus.write(self._address, bytes([byte]) + data), lambda: f"writing {where()}"
        )

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


def _where(bank: int, page: int, byte: int, length: int) -> str:
    area = "lower memory" if byte < HALF else f"page {page:02X}h bank {bank}"
    return f"{area} bytes {byte}..{byte + length - 1}"
