"""The module's two-wire interface: address counter, page mapping, hold-off (OIF-CMIS-05.4 §5.2, App. B)."""

from __future__ import annotations

from typing import Protocol

from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.profile import ManagementProfile
from harness.simulation.module.registers import Registers
from harness.simulation.smbus import Nack
from harness.simulation.world import World, ns_from_s

_BANK_SELECT = FIELDS["BankSelect"].byte
_PAGE_SELECT = FIELDS["PageSelect"].byte


class RegisterOwner(Protocol):
    """The module behind the interface."""

    def answers(self) -> bool:
        """Whether the interface works now (power, reset, initialisation, ModSelL)."""

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring registers ``first``..``last`` of the page (or lower memory) up to date."""

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """These registers were read: latched flags were cleared by it."""

    def host_wrote(self, page: int, written: dict[int, int]) -> None:
        """The host wrote these bytes; value: the trigger bits it set there."""


class TwoWireInterface:
    """The target at the module's address."""

    def __init__(
        self, world: World, registers: Registers, owner: RegisterOwner, profile: ManagementProfile
    ) -> None:
        self._world = world
        self._registers = registers
        self._owner = owner
        self._longest_read = profile.longest_read_bytes
        self._longest_write = profile.longest_write_bytes
        self._write_hold_off_ns = ns_from_s(profile.write_hold_off_s)
        self._page_hold_off_ns = ns_from_s(profile.page_change_hold_off_s)
        self._busy_until_ns = 0
        self._counter = 0
        self._bank = 0
        self._page = 0

    def reset(self) -> None:
        """Back to bank 0, page 00h, no hold-off."""
        self._busy_until_ns = 0
        self._counter = 0
        self._bank = 0
        self._page = 0

    def acknowledges(self) -> bool:
        """Not while the module is silent or holds off."""
        return self._owner.answers() and self._world.now_ns >= self._busy_until_ns

    def write(self, data: bytes) -> None:
        """A register address, and values to write from there on.

        :raises Nack: for more bytes than the module takes; nothing is written then.
        """
        if not data:
            return
        payload = data[1:]
        if len(payload) > self._longest_write:
            raise Nack
        self._counter = data[0]
        if not payload:
            return
        start = self._counter
        base = start & HALF
        written: dict[int, int] = {}
        for offset, value in enumerate(payload):
            byte = base | (start + offset) & (HALF - 1)
            written[byte] = self._registers.host_write(self._bank, self._page, byte, value)
        self._counter = base | (start + len(payload)) & (HALF - 1)
        hold_off_ns = self._write_hold_off_ns
        page = self._page
        if _PAGE_SELECT in written:
            self._map_page()
            if written.keys() <= {_BANK_SELECT, _PAGE_SELECT}:
                hold_off_ns = self._page_hold_off_ns
        self._busy_until_ns = self._world.now_ns + hold_off_ns
        self._owner.host_wrote(page, written)

    def read(self, length: int) -> bytes:
        """Bytes from the address counter on; it rolls over within its half.

        :raises Nack: for more bytes than the module gives in one access.
        """
        if length > self._longest_read:
            raise Nack
        start = self._counter
        base = start & HALF
        end = start + length
        last = end - 1 if end <= base + HALF else base + HALF - 1
        first = start if end <= base + HALF else base
        self._owner.before_host_read(self._page, first, last)
        pieces = []
        position, left = start, length
        while left:
            size = min(left, base + HALF - position)
            pieces.append(self._registers.host_read(self._bank, self._page, position, size))
            left -= size
            position = base if position + size >= base + HALF else position + size
        self._counter = position
        self._owner.after_host_read(self._page, first, last)
        return b"".join(pieces)

    def _map_page(self) -> None:
        """A write of PageSelect takes effect, together with what BankSelect holds then."""
        bank = self._registers.get(0, 0, _BANK_SELECT, 1)[0]
        page = self._registers.get(0, 0, _PAGE_SELECT, 1)[0]
        if not self._registers.has(bank, page):
            page = 0
            self._registers.put(0, 0, _PAGE_SELECT, bytes(1))
        self._bank, self._page = bank, page
