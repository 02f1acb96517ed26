"""Reading what cannot change only once.

What is kept stands in one table, :data:`CONSTANT_SPANS`. Of those spans, only bytes that the register tables
do not call writable or latched are kept. Everything else passes to the memory behind at every access.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from drivers.cmis.access import SOFTWARE_RESET
from drivers.cmis.fields import Access
from drivers.cmis.image import HALF, check_span, half_key
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.ports import (
    AccessLimits,
    HasLimits,
    HoldsOff,
    HoldsTheBus,
    KnowsSelection,
    ReadsSeveral,
    RemembersPage,
    check_page,
)
from drivers.interfaces import MemoryPort

__all__ = ["CONSTANT_SPANS", "CachedMemory", "ConstantSpan"]


@dataclass(frozen=True, slots=True)
class ConstantSpan:
    """Bytes ``first`` to ``last`` of a page (None: lower memory) that stay while the module runs on.

    ``until_configured``: they may change with the application that is commissioned.
    """

    page: int | None
    first: int
    last: int
    until_configured: bool
    what: str


CONSTANT_SPANS: tuple[ConstantSpan, ...] = (
    ConstantSpan(None, 0, 2, False, "identifier, revision, memory model"),
    ConstantSpan(None, 56, 57, False, "kind of module"),
    ConstantSpan(None, 60, 61, False, "subtype, fibre face"),
    ConstantSpan(None, 85, 117, False, "media type, applications 1 to 8"),
    ConstantSpan(0x00, 128, 255, False, "administrative information"),
    # 128-129 is the revision of the inactive firmware image, which a download changes.
    ConstantSpan(0x01, 130, 255, False, "advertisements"),
    ConstantSpan(0x02, 128, 255, True, "monitor thresholds"),
    ConstantSpan(0x04, 128, 255, False, "laser capabilities"),
    ConstantSpan(0x13, 128, 143, False, "diagnostic capabilities"),
    *(ConstantSpan(page, 128, 255, True, "VDM descriptors") for page in range(0x20, 0x24)),
    *(ConstantSpan(page, 128, 255, True, "VDM thresholds") for page in range(0x28, 0x2C)),
)

_CONFIGURING: tuple[tuple[int | None, int, int], ...] = (
    (None, 26, 26),  # low power: what is staged is commissioned on the way back up
    (0x10, 128, 128),  # DPDeinit: likewise
    (0x10, 143, 144),  # ApplyDPInit, ApplyImmediate of Staged Control Set 0
    (0x10, 176, 179),  # ApplyImmediateTx and Rx, and the triggers of Staged Control Set 1
)
"""Writes after which another application may be commissioned, at once or some time later."""

_RUN_FIRMWARE = (0x9F, 128, b"\x01\x09")  # CDB command 0109h
_BLOCK = 8


class CachedMemory:
    """:class:`drivers.interfaces.MemoryPort` that reads constant bytes of ``port`` once.

    Forgotten: what is written to; all after a software reset, a CDB command that runs another firmware
    image, :meth:`forget_page` and :meth:`forget`; what depends on the application after each write that may
    commission another. The module does that in its own time, so the dependent bytes are then read anew each
    time until :meth:`configuration_settled` says that its data paths are steady.

    The owner must call :meth:`forget_page` when the module was exchanged, reset by its pin, or has started
    another firmware image: a module tells nobody.

    All optional Protocols of :mod:`drivers.cmis.ports` pass through to ``port``, and do nothing where it does
    not have them. Reads of constant bytes are widened to whole groups of 8 (to 128 where the limits of
    ``port`` allow it), as far as they are constant: no flag is ever read by that.

    Attributes: ``hits`` and ``misses`` count reads that the port was spared and was not spared.
    """

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.hits = 0
        self.misses = 0
        self._lock = threading.RLock()
        self._known: dict[tuple[int, int] | None, dict[int, int]] = {}
        self._settled = True
        self._steady, self._dependent = _constant_bytes()

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """Read ``length`` bytes from ``byte``; raises what the port raises."""
        check_span(byte, length)
        check_page(bank, page)
        with self.transaction():
            found = self._look_up(bank, page, byte, length)
            if found is not None:
                self.hits += 1
                return found
            self.misses += 1
            first, behind = self._widened(page, byte, length)
            data = self.port.read(bank, page, first, behind - first)
            self._keep(bank, page, first, data)
            return data[byte - first : byte - first + length]

    def read_several(self, bank: int, page: int, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read several spans of one half; those that are not known go to the port together."""
        check_page(bank, page)
        with self.transaction():
            answers: dict[tuple[int, int], bytes] = {}
            missing: list[tuple[int, int]] = []
            for byte, length in dict.fromkeys(spans):
                check_span(byte, length)
                found = self._look_up(bank, page, byte, length)
                if found is None:
                    missing.append((byte, length))
                else:
                    answers[byte, length] = found
            self.hits += len(answers)
            self.misses += len(missing)
            for span, data in zip(missing, self._read_missing(bank, page, missing), strict=True):
                self._keep(bank, page, span[0], data)
                answers[span] = data
            return [answers[span] for span in spans]

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Write to the port, and forget what that may change; raises what the port raises."""
        check_span(byte, len(data))
        check_page(bank, page)
        with self.transaction():
            try:
                self.port.write(bank, page, byte, data)
            finally:  # also when it failed: some of it may have arrived
                self._after_write(bank, page, byte, data)

    def forget(self) -> None:
        """Read everything anew: the module was reset or exchanged, or runs another firmware image."""
        with self.transaction():
            self._known.clear()

    def forget_page(self) -> None:
        """As :meth:`forget`; and the port selects its page anew. What depends on the application is read anew
        each time until :meth:`configuration_settled`."""
        with self.transaction():
            self._known.clear()
            self._settled = False
            if isinstance(self.port, RemembersPage):
                self.port.forget_page()

    def configuration_settled(self) -> None:
        """The data paths are steady: what depends on the application may be kept again. Configuring and
        bringing up by this library say so at their end."""
        with self.transaction():
            self._settled = True

    def transaction(self) -> AbstractContextManager[object]:
        """Hold the port's bus; the one lock that there is."""
        return self.port.transaction() if isinstance(self.port, HoldsTheBus) else self._lock

    def expect_hold_off(self, limit_s: float) -> None:
        """Told to the port."""
        if isinstance(self.port, HoldsOff):
            self.port.expect_hold_off(limit_s)

    @property
    def limits(self) -> AccessLimits:
        """The port's; 8 bytes when it has none. Setting them sets the port's.

        :raises ValueError: when limits are set and the port has none.
        """
        return self.port.limits if isinstance(self.port, HasLimits) else AccessLimits()

    @limits.setter
    def limits(self, limits: AccessLimits) -> None:
        if not isinstance(self.port, HasLimits):
            what = f"the memory behind the cache, {type(self.port).__name__}, has no limits to set"
            raise ValueError(what)  # noqa: TRY004
        self.port.limits = limits

    @property
    def selected(self) -> tuple[int, int] | None:
        """What the port believes to be selected."""
        return self.port.selected if isinstance(self.port, KnowsSelection) else None

    def _read_missing(self, bank: int, page: int, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        if not spans:
            return []
        if isinstance(self.port, ReadsSeveral):
            return self.port.read_several(bank, page, spans)
        return [self.port.read(bank, page, byte, length) for byte, length in spans]

    def _keeps(self, page: int | None) -> frozenset[int]:
        steady = self._steady.get(page, frozenset())
        return steady | self._dependent.get(page, frozenset()) if self._settled else steady

    def _look_up(self, bank: int, page: int, byte: int, length: int) -> bytes | None:
        known = self._known.get(half_key(bank, page, byte))
        if not known:
            return None
        try:
            return bytes([known[at] for at in range(byte, byte + length)])
        except KeyError:
            return None

    def _keep(self, bank: int, page: int, byte: int, data: bytes) -> None:
        keeps = self._keeps(None if byte < HALF else page)
        if keeps:
            known = self._known.setdefault(half_key(bank, page, byte), {})
            known.update((at, value) for at, value in enumerate(data, byte) if at in keeps)

    def _widened(self, page: int, byte: int, length: int) -> tuple[int, int]:
        """The span to read for this one: with its constant neighbours when it is constant."""
        area = None if byte < HALF else page
        keeps = self._keeps(area)
        first, behind = byte, byte + length
        if not keeps.issuperset(range(first, behind)):
            return first, behind
        block = HALF if self.limits.longest_read(area) >= HALF else _BLOCK
        while first % block and first - 1 in keeps:
            first -= 1
        while behind % block and behind in keeps:
            behind += 1
        return first, behind

    def _after_write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        area, behind = None if byte < HALF else page, byte + len(data)
        known = self._known.get(half_key(bank, page, byte), {})
        for at in range(byte, behind):
            known.pop(at, None)
        reset_byte, reset_bit = SOFTWARE_RESET
        if byte <= reset_byte < behind and data[reset_byte - byte] & reset_bit:
            self._known.clear()
        command_page, command_byte, command = _RUN_FIRMWARE
        if area == command_page and byte <= command_byte and data[command_byte - byte :][:2] == command:
            self._known.clear()
        if any(area == of_page and byte <= last and first < behind for of_page, first, last in _CONFIGURING):
            self._settled = False
            for key in [key for key in self._known if key is not None and key[1] in self._dependent]:
                for at in self._dependent[key[1]]:
                    self._known[key].pop(at, None)


_Bytes = dict[int | None, frozenset[int]]


def _constant_bytes() -> tuple[_Bytes, _Bytes]:
    """Bytes that are always constant, and those that are until another application is commissioned."""
    changing: dict[int | None, set[int]] = {}
    for field in FIELDS.values():
        if field.access is not Access.RO:
            page = None if field.byte < HALF else field.page
            changing.setdefault(page, set()).update(range(field.byte, field.byte + field.size))
    steady: _Bytes = {}
    dependent: _Bytes = {}
    for span in CONSTANT_SPANS:
        table = dependent if span.until_configured else steady
        found = frozenset(range(span.first, span.last + 1)) - changing.get(span.page, set())
        table[span.page] = table.get(span.page, frozenset()) | found
    return steady, dependent
