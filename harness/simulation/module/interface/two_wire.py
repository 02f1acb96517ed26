"""The module's two-wire interface: address counter, page mapping, hold-off (OIF-CMIS-05.4 §5.2, App. B)."""

from __future__ import annotations

from typing import Protocol

from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.cdb import FIRST_EPL_PAGE
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile.cdb import CdbProfile
from harness.simulation.module.profile.management import ManagementProfile
from harness.simulation.module.profile.quirks import QuirkProfile
from harness.simulation.smbus import Nack
from harness.simulation.world import World, ns_from_s

_BANK_SELECT = FIELDS["BankSelect"].byte
_PAGE_SELECT = FIELDS["PageSelect"].byte
_LPL_PAGE = FIELDS["CdbLPL"].page
_NV_PAGE = FIELDS["UserEEPROM"].page
SHORTEST_ACCESS = 8
"""Bytes that every module takes and gives in one access."""


class RegisterOwner(Protocol):
    """The module behind the interface."""

    def answers(self) -> bool:
        """Whether the interface works now (power, reset, initialisation, ModSelL)."""

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring registers ``first``..``last`` of the page (or lower memory) up to date."""

    def after_host_read(self, page: int, first: int, last: int) -> None:
        """These registers were read: latched flags were cleared by it."""

    def host_wrote(self, bank: int, page: int, written: dict[int, int]) -> None:
        """The host wrote these bytes; value: the trigger bits it set there."""


class TwoWireInterface:
    """The target at the module's address."""

    def __init__(
        self,
        world: World,
        registers: Registers,
        owner: RegisterOwner,
        profile: ManagementProfile,
        cdb: CdbProfile,
        quirks: QuirkProfile | None = None,
    ) -> None:
        quirks = quirks or QuirkProfile()
        self._world = world
        self._registers = registers
        self._owner = owner
        self._longest_read = SHORTEST_ACCESS if quirks.full_page_reads_refused else profile.longest_read_bytes
        self._mirrors = quirks.unsupported_pages_mirror_00h
        self._stretch_ns = ns_from_s(quirks.clock_stretch_s)
        self._longest_write = profile.longest_write_bytes
        self._write_hold_off_ns = ns_from_s(profile.write_hold_off_s)
        self._nv_hold_off_ns = ns_from_s(profile.nv_write_hold_off_s)
        self._page_hold_off_ns = ns_from_s(profile.page_change_hold_off_s)
        self._cdb = cdb
        self._cdb_writes = 0
        self._last_epl_page = FIRST_EPL_PAGE + cdb.epl_pages - 1
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

    def hold_off(self, until_ns: int) -> None:
        """Acknowledge nothing before ``until_ns``."""
        self._busy_until_ns = max(self._busy_until_ns, until_ns)

    def write(self, data: bytes) -> None:
        """A register address, and values to write from there on.

        :raises Nack: for more bytes than the module takes; nothing is written then.
        """
        if not data:
            return
        payload = data[1:]
        if len(payload) > self._longest(self._longest_write, data[0]):
            raise Nack
        if payload and self._loses_write(data[0]):
            raise Nack
        self._counter = data[0]
        if not payload:
            return
        bank = self._bank
        page = written_page = self._page
        base = self._counter & HALF
        written: dict[int, int] = {}
        for value in payload:
            byte = self._counter
            written[byte] = self._registers.host_write(bank, written_page, byte, value)
            self._counter = base | byte + 1 & (HALF - 1)
            if byte == 2 * HALF - 1:
                written_page = self._page_after(written_page)
        self._turn_to(written_page)
        hold_off_ns = self._write_hold_off_ns
        if base and page == _NV_PAGE:
            hold_off_ns = self._nv_hold_off_ns
        if _PAGE_SELECT in written:
            self._map_page()
            if written.keys() <= {_BANK_SELECT, _PAGE_SELECT}:
                hold_off_ns = self._page_hold_off_ns
        self._busy_until_ns = self._world.now_ns + hold_off_ns
        self._owner.host_wrote(bank, page, written)

    def read(self, length: int) -> bytes:
        """Bytes from the address counter on; it rolls over within its half.

        :raises Nack: for more bytes than the module gives in one access.
        """
        if length > self._longest(self._longest_read, self._counter):
            raise Nack
        if self._stretch_ns:
            self._world.advance_to(self._world.now_ns + self._stretch_ns)
            if not self._owner.answers():
                raise Nack
        start = self._counter
        base = start & HALF
        end = start + length
        page = read_page = self._page
        if start < end < base + HALF:  # as nearly always: neither the end of the half nor nothing
            self._owner.before_host_read(page, start, end - 1)
            data = self._registers.host_read(self._bank, page, start, length)
            self._counter = end
            self._owner.after_host_read(page, start, end - 1)
            return data
        first, last = (start, end - 1) if end <= base + HALF else (base, base + HALF - 1)
        self._owner.before_host_read(page, first, last)
        pieces = []
        position, left = start, length
        while left:
            size = min(left, base + HALF - position)
            pieces.append(self._registers.host_read(self._bank, read_page, position, size))
            left -= size
            position += size
            if position == base + HALF:
                position = base
                read_page = self._page_after(read_page) if base else read_page
        self._counter = position
        self._turn_to(read_page)
        self._owner.after_host_read(page, first, last)
        return b"".join(pieces)

    def _longest(self, elsewhere: int, start: int) -> int:
        """Bytes of one access: on the pages of CDB as many as 01h:164 advertises, if that is more."""
        if start < HALF or not _LPL_PAGE <= self._page <= self._last_epl_page:
            return elsewhere
        advertised = 8 * (1 + self._cdb.length_extension)
        return max(elsewhere, min(advertised, HALF) if self._page == _LPL_PAGE else advertised)

    def _loses_write(self, start: int) -> bool:
        """A weakness of some modules: they miss one of so many writes to the pages of CDB."""
        every = self._cdb.nack_every_n_writes
        if not every or start < HALF or self._page < _LPL_PAGE:
            return False
        self._cdb_writes += 1
        return self._cdb_writes % every == 0

    def _page_after(self, page: int) -> int:
        """Where the address counter goes from byte 255: CdbAutoPaging joins the EPL pages.

        Behind the last one it rolls over within that page [?].
        """
        joined = self._cdb.auto_paging and FIRST_EPL_PAGE <= page < self._last_epl_page
        return page + 1 if joined else page

    def _turn_to(self, page: int) -> None:
        """The address counter went on to another page: PageSelect shows it [?]."""
        if page != self._page:
            self._page = page
            self._registers.put(0, 0, _PAGE_SELECT, bytes([page]))

    def _map_page(self) -> None:
        """A write of PageSelect takes effect, together with what BankSelect holds then."""
        bank = self._registers.get(0, 0, _BANK_SELECT, 1)[0]
        page = self._registers.get(0, 0, _PAGE_SELECT, 1)[0]
        if not self._registers.selectable(bank, page):
            page = 0
            if not self._mirrors:
                self._registers.put(0, 0, _PAGE_SELECT, bytes(1))
        self._bank, self._page = bank, page
