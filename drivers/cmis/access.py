"""A module's paged memory over a two-wire bus (OIF-CMIS-05.4 §5.2, §10.2, Appendix B).

The module answers to one address with 256 bytes: lower memory and the selected page. It may refuse to
acknowledge (hold off) for a limited time after most accesses; that is waited for here, and only when the
limit has passed is the module said not to respond.

A module that restarts (reset, brown-out, exchange) has page 00h selected again and tells nobody. So every
access to upper memory reads BankSelect and PageSelect as well, a read in the same bus transaction.

Latched flags are cleared when their read is acknowledged, and a module that refuses does so at an address
byte, never within a read. So a read of flags that was refused has cleared nothing and is simply repeated,
as long as nothing that may be refused follows it in the same transaction: see :func:`transactions_of`. Where
an adapter says only EIO, that is not known: such a read is not repeated, as it would find the flags cleared.

Page 00h is looked for before it is selected: memories of cables may be write-protected, and hold anything
where other modules have their page registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from drivers.clock import Clock
from drivers.cmis.errors import CmisError, ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S, HoldOff, HoldOffWait
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, check_span, page_key
from drivers.cmis.latched import holds_flags
from drivers.cmis.ports import SHORTEST_ACCESS, AccessLimits, Refusals, check_page, span_text
from drivers.errors import BenchError
from drivers.i2c import MAX_MESSAGES, I2cBus, I2cNackError, I2cRefusedByAdapterError, I2cUnclearError

__all__ = [
    "BANK_SELECT",
    "MODULE_ADDRESS",
    "PAGE_SELECT",
    "SHORTEST_TRANSACTION",
    "SOFTWARE_RESET",
    "AccessLimits",
    "I2cMemory",
    "transactions_of",
]

MODULE_ADDRESS = 0x50
BANK_SELECT = 126
PAGE_SELECT = 127
SOFTWARE_RESET = (26, 0x08)
"""Byte and bit of SoftwareReset in lower memory (section 8.2)."""
SHORTEST_TRANSACTION = SHORTEST_ACCESS
"""Bytes that every module takes and gives in one transaction (section 5.2)."""

_MEMORY_MODEL = (2, 0x80)
"""Byte and bit of MemoryModel in lower memory: flat."""

_FIRST_PAUSE_S = 100e-6  # about what a refused address byte costs at 100 kHz; doubled after each refusal
_LONGEST_PAUSE_S = 0.010

_SELECTS = 2  # how often a page is selected before it is said not to be there: a restart may spoil one

_Span = tuple[int, int]
_Result = TypeVar("_Result")


class I2cMemory:
    """:class:`drivers.interfaces.MemoryPort` over a bus; also all the optional Protocols of
    :mod:`drivers.cmis.ports`.

    ``max_read`` and ``max_write``: bytes of one access, as :class:`AccessLimits` (:attr:`limits` sets all).
    8 is what every module must take; 128 is for modules that advertise it
    (:func:`drivers.cmis.polling.advertised_limits`) and for those that give it without saying so.

    ``combine``: several reads may share a bus transaction, joined by repeated starts. Most adapters can
    (Linux takes 42 messages). Those that do one write and one read at most refuse with EOPNOTSUPP before
    anything is transferred; that is noticed, and from then on each read is a transaction of its own, with
    the page looked at after it.
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
        combine: bool = True,
    ) -> None:
        self._limits = AccessLimits(max_read, max_write)
        self._bus = bus
        self._clock = clock
        self._address = address
        self._hold_off = HoldOff(clock, hold_off_s)
        self._combine = combine
        self._selected: tuple[int, int] | None = None
        self._flat = False  # has no page registers that could be believed
        self._accesses = self._refused = 0
        self._longest_refusal_s = 0.0
        self._refused_since_s: float | None = None

    @property
    def limits(self) -> AccessLimits:
        """Longest accesses, bytes."""
        return self._limits

    @limits.setter
    def limits(self, limits: AccessLimits) -> None:
        with self._bus.transaction():
            self._limits = limits

    @property
    def combine(self) -> bool:
        """Whether several reads share a bus transaction; False too once the adapter has refused that."""
        return self._combine

    @property
    def selected(self) -> tuple[int, int] | None:
        """(bank, page) that is believed to be selected, None when it is not known."""
        return self._selected

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte`` (0..255; below 128 bank and page do not matter).

        :raises ValueError: when they do not lie within one half.
        :raises PageUnavailableError: when the module falls back to another page.
        :raises ModuleNotRespondingError: when it does not acknowledge within the hold-off limit.
        :raises drivers.i2c.I2cUnclearError: when the adapter keeps saying EIO, so that module and bus cannot
            be told apart; at once when flags were read, which may be gone then.
        :raises drivers.errors.ConnectionFailedError: when the bus itself fails.
        """
        check_span(byte, length)
        with self._bus.transaction():
            longest = self._limits.longest_read(_page_of(page, byte))
            end = byte + length
            spans = [(start, min(longest, end - start)) for start in range(byte, end, longest)]
            return b"".join(self.read_several(bank, page, spans))

    def read_several(self, bank: int, page: int, spans: Sequence[_Span]) -> list[bytes]:
        """Read ``spans`` of (byte, length), all in lower memory or all in upper memory.

        They share bus transactions as far as :func:`transactions_of` lets them. Answers come in the order of
        the spans; a span that is named twice is read once. Raises what :meth:`read` raises; flags that were
        read before stand in the notes of the exception, as the module has forgotten them.

        :raises ValueError: for spans of both halves, and for one longer than :attr:`limits` allows.
        """
        if not spans:
            return []
        check_page(bank, page)
        for byte, length in spans:
            check_span(byte, length)
        if len({byte < HALF for byte, _ in spans}) > 1:
            raise ValueError("spans of lower and of upper memory are read separately")
        area = _page_of(page, spans[0][0])

        def doing() -> str:
            first, last = min(byte for byte, _ in spans), max(sum(span) for span in spans)
            return f"reading {span_text(bank, page, first, last - first)}"

        with self._bus.transaction():
            longest = self._limits.longest_read(area)
            for byte, length in spans:
                if length > longest:
                    raise ValueError(f"{length} bytes from byte {byte} in one access; {longest} are allowed")
            answers: dict[_Span, bytes] = {}
            try:
                for together in transactions_of(area, tuple(dict.fromkeys(spans)), combine=self._combine):
                    answers.update(zip(together, self._read_spans(bank, page, together, doing), strict=True))
            except (CmisError, BenchError) as error:
                for (byte, length), data in answers.items():
                    if holds_flags(area, byte, length):
                        error.add_note(
                            f"Read before, flags among it that were cleared by that: "
                            f"{span_text(bank, page, byte, length)}: {data.hex(' ')}"
                        )
                raise
            return [answers[span] for span in spans]

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write ``data`` from ``byte`` on; raises what :meth:`read` raises.

        More bytes than :attr:`limits` allows go in several transactions, one after the other.
        """
        check_span(byte, len(data))
        check_page(bank, page)

        def doing() -> str:
            return f"writing {span_text(bank, page, byte, len(data))}"

        with self._bus.transaction():
            if _spoils_selection(byte, data):
                self.forget_page()
            longest = self._limits.longest_write(_page_of(page, byte))
            for start in range(0, len(data), longest):
                part = data[start : start + longest]
                if byte >= HALF:
                    self._read_on_page(bank, page, (), doing)
                self._write_now(byte + start, part, doing)
                self._hold_off.wrote(_page_of(page, byte), byte + start, len(part))

    def read_plainly(self, byte: int, length: int) -> bytes:
        """One read from ``byte`` (0..255) on, whatever page is selected, beyond the end of a half too:
        for tests of the module's interface. Raises what :meth:`read` raises.

        :raises ValueError: for a byte that is not 0..255, or more than :attr:`limits` allows.
        """
        if not 0 <= byte <= 0xFF or not 1 <= length <= self._limits.read:
            raise ValueError(f"{length} bytes from byte {byte} in one read of at most {self._limits.read}")
        with self._bus.transaction():
            return self._read_together(
                None, ((bytes([byte]), length),), lambda: f"reading from byte {byte} on"
            )[0]

    def take_refusals(self) -> Refusals:
        """Accesses and refusals since the last call."""
        with self._bus.transaction():
            found = Refusals(self._accesses, self._refused, self._longest_refusal_s)
            self._accesses = self._refused = 0
            self._longest_refusal_s = 0.0
            return found

    def transaction(self) -> AbstractContextManager[bool]:
        """Hold the bus for a read and the write that depends on it."""
        return self._bus.transaction()

    def expect_hold_off(self, limit_s: float) -> None:
        """The next access may be refused for up to ``limit_s`` seconds, if that is longer than usual: a
        foreground CDB command runs (tCDBF, advertised, up to 4.96 s) or is being captured (tCDBC, 80 ms).

        Holds until the module acknowledges once, or has not done so for that long.

        :raises ValueError: for a limit that is not 0 or more.
        """
        with self._bus.transaction():
            self._hold_off.expect(limit_s)

    def forget_page(self) -> None:
        """Select the page anew at the next access: the module was reset or exchanged."""
        with self._bus.transaction():
            self._selected = None
            self._flat = False

    def _read_spans(
        self, bank: int, page: int, spans: Sequence[_Span], doing: Callable[[], str]
    ) -> list[bytes]:
        parts = tuple((bytes([byte]), length) for byte, length in spans)
        if spans[0][0] < HALF:
            return self._read_now(None, parts, doing)
        return self._read_on_page(bank, page, parts, doing)

    def _read_on_page(
        self, bank: int, page: int, parts: tuple[tuple[bytes, int], ...], doing: Callable[[], str]
    ) -> list[bytes]:
        """Read ``parts`` of upper memory together with what says which page they are from."""
        wanted = page_key(bank, page)
        selects = 0
        if wanted == (0, 0) and self._selected is None:
            self._look_for_page_00h(doing)
        if wanted == (0, 0) and self._flat:
            return self._read_now(page, parts, doing) if parts else []
        while True:
            if self._selected != wanted:
                self._selected = None
                self._write_now(BANK_SELECT, bytes(wanted), lambda: f"selecting page {page:02X}h bank {bank}")
                selects += 1
            (found_bank, found_page), answers = self._read_with_selection(page, parts, doing)
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

    def _look_for_page_00h(self, doing: Callable[[], str]) -> None:
        """Whether page 00h is selected already, or is the only one: then nothing needs to be written."""
        if self._flat:
            return
        _, found_page = self._read_together(None, ((bytes([BANK_SELECT]), 2),), doing)[0]
        if found_page == 0:
            self._selected = (0, 0)
            return
        byte, bit = _MEMORY_MODEL
        self._flat = bool(self._read_together(None, ((bytes([byte]), 1),), doing)[0][0] & bit)

    def _read_with_selection(
        self, page: int, parts: tuple[tuple[bytes, int], ...], doing: Callable[[], str]
    ) -> tuple[bytes, list[bytes]]:
        selection = (bytes([BANK_SELECT]), 2)
        if self._combine or not parts:
            try:
                first, *answers = self._read_together(page, (selection, *parts), doing)
            except I2cRefusedByAdapterError:
                if not parts:
                    raise
                self._combine = False
            else:
                return first, answers
        # What is selected after the data was selected before them: no module selects a page by itself
        # but page 00h.
        answers = [self._read_together(page, (part,), doing)[0] for part in parts]
        return self._read_together(None, (selection,), doing)[0], answers

    def _read_now(
        self, page: int | None, parts: tuple[tuple[bytes, int], ...], doing: Callable[[], str]
    ) -> list[bytes]:
        if self._combine or len(parts) == 1:
            try:
                return self._read_together(page, parts, doing)
            except I2cRefusedByAdapterError:
                if len(parts) == 1:
                    raise
                self._combine = False
        return [self._read_together(page, (part,), doing)[0] for part in parts]

    def _read_together(
        self, page: int | None, parts: tuple[tuple[bytes, int], ...], doing: Callable[[], str]
    ) -> list[bytes]:
        clears = any(holds_flags(page, address[0], length) for address, length in parts)
        return list(
            self._persist(lambda: self._bus.write_read_several(self._address, parts), doing, clears=clears)
        )

    def _write_now(self, byte: int, data: bytes, doing: Callable[[], str]) -> None:
        self._persist(lambda: self._bus.write(self._address, bytes([byte]) + data), doing)

    def _persist(
        self, transfer: Callable[[], _Result], doing: Callable[[], str], *, clears: bool = False
    ) -> _Result:
        waiting: HoldOffWait | None = None
        while True:
            self._accesses += 1
            try:
                result = transfer()
            except I2cNackError as nack:
                self._note_refusal()
                if clears and isinstance(nack, I2cUnclearError):
                    self.forget_page()
                    raise I2cUnclearError(
                        self._bus.name,
                        f"{doing()}, module at I2C address 0x{self._address:02X}: the adapter says EIO, "
                        "which may be the module or the bus. Latched flags were to be read: they may have "
                        "been cleared without having arrived, so this is not repeated",
                        advice="Do not take flags that read 0 now for flags that were not set.",
                    ) from nack
                waiting = waiting or self._wait()
                if not waiting.pause():
                    self.forget_page()
                    raise self._silent(nack, doing(), waiting) from nack
            else:
                self._refused_since_s = None
                self._hold_off.answered()
                return result

    def _note_refusal(self) -> None:
        now_s = self._clock.now_s()
        if self._refused_since_s is None:
            self._refused_since_s = now_s
        self._refused += 1
        self._longest_refusal_s = max(self._longest_refusal_s, now_s - self._refused_since_s)

    def _wait(self) -> HoldOffWait:
        # Pauses grow from far below tBPC, of which modules that advertise 01h:169 need a fraction only, so
        # that no wait is much longer than the hold-off it is for.
        longest_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, self._hold_off.limit_s / 20))
        return self._hold_off.wait(first_pause_s=_FIRST_PAUSE_S, longest_pause_s=longest_s)

    def _silent(
        self, nack: I2cNackError, doing: str, waited: HoldOffWait
    ) -> I2cUnclearError | ModuleNotRespondingError:
        if isinstance(nack, I2cUnclearError):
            return I2cUnclearError(
                self._bus.name,
                f"{doing}, module at I2C address 0x{self._address:02X}: EIO for "
                f"{waited.elapsed_s * 1e3:.1f} ms, by which an adapter may mean a module that does not "
                "acknowledge or a fault of the bus: whose fault it is cannot be told",
                advice="See whether another target on this bus answers, and check the cable; "
                "then the module's supply, ModSelL, ResetL and that it is seated.",
            )
        return ModuleNotRespondingError(
            f"module at I2C address 0x{self._address:02X} on {self._bus.name}: no acknowledge "
            f"while {doing}, for {waited.elapsed_s * 1e3:.1f} ms (it may hold off for "
            f"{waited.limit_s * 1e3:g} ms). Check its supply, ModSelL, ResetL and that it is seated."
        )


def transactions_of(
    page: int | None, spans: Sequence[_Span], *, combine: bool = True
) -> list[tuple[_Span, ...]]:
    """How reads of one page (None: lower memory) are joined into bus transactions.

    Never more messages than Linux takes, the look at the page registers included. A span that holds latched
    flags is the last of its transaction: whatever is refused after it was read would take its answer along,
    and the flags are cleared by then. So there is at most one in a transaction.
    """
    if not combine:
        return [(span,) for span in spans]
    most = MAX_MESSAGES // 2 - (page is not None)
    flags = [span for span in spans if holds_flags(page, *span)]
    plain = [span for span in spans if span not in flags]
    joined: list[tuple[_Span, ...]] = []
    while plain or flags:
        room = most - bool(flags)
        last, flags = flags[:1], flags[1:]
        joined.append((*plain[:room], *last))
        plain = plain[room:]
    return joined


def _page_of(page: int, byte: int) -> int | None:
    return None if byte < HALF else page


def _spoils_selection(byte: int, data: bytes) -> bool:
    """Whether this write makes the module select another page: by its page registers or by a reset."""
    end = byte + len(data)
    reset_byte, reset_bit = SOFTWARE_RESET
    resets = byte <= reset_byte < end and bool(data[reset_byte - byte] & reset_bit)
    return resets or byte <= BANK_SELECT < end or byte <= PAGE_SELECT < end
