"""Long reads as one bus transaction: what a module gives in pieces of 8 bytes need not be 16 transactions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from drivers.cmis.ports import (
    AccessLimits,
    HasLimits,
    HoldsOff,
    HoldsTheBus,
    KnowsSelection,
    ReadsSeveral,
    RemembersPage,
)
from drivers.interfaces import MemoryPort


@runtime_checkable
class _Joinable(HasLimits, HoldsOff, HoldsTheBus, KnowsSelection, ReadsSeveral, RemembersPage, Protocol):
    """A port that can be joined: :class:`drivers.cmis.access.I2cMemory` is one."""

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """As :class:`MemoryPort`."""

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """As :class:`MemoryPort`."""


def joined(memory: MemoryPort) -> MemoryPort:
    """The same memory, whose long reads take as few transactions as its bus allows; others as they are."""
    return _JoinedReads(memory) if isinstance(memory, _Joinable) else memory


class _JoinedReads:
    """Passes everything through; a read that is longer than one access goes as several joined ones."""

    def __init__(self, port: _Joinable) -> None:
        self._port = port
        self.write = port.write
        self.read_several = port.read_several
        self.forget_page = port.forget_page
        self.expect_hold_off = port.expect_hold_off

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """As :class:`MemoryPort`."""
        longest = self._port.limits.longest_read(None if byte < 128 else page)
        if length <= longest:
            return self._port.read(bank, page, byte, length)
        end = byte + length
        spans = [(start, min(longest, end - start)) for start in range(byte, end, longest)]
        return b"".join(self.read_several(bank, page, spans))

    def transaction(self) -> AbstractContextManager[object]:
        """Hold the bus."""
        return self._port.transaction()

    @property
    def limits(self) -> AccessLimits:
        """Longest accesses."""
        return self._port.limits

    @property
    def selected(self) -> tuple[int, int] | None:
        """What the port believes to be selected."""
        return self._port.selected
