"""Section ``[cdb]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.simulation.module.profile.quirks import QuirkProfile
from harness.simulation.module.profile.rules import limits

EPL_PAGES = (0, 1, 2, 3, 4, 8, 12, 16)
"""What ``epl_pages`` may be, in the order of the codes of CdbMaxPagesEPL."""

LONGEST_FOREGROUND_S = 4.96
"""Longest time that a module without background mode can advertise (01h:165)."""


@dataclass(frozen=True, slots=True)
class CdbProfile:
    """Command messaging and firmware management."""

    supported: bool = False
    background: bool = True
    """False: the module acknowledges nothing while a command runs."""
    trigger_any_write: bool = True
    """Trigger method 1; False: only a write of 9Fh:129 or 128-129 starts a command."""
    auto_paging: bool = True
    length_extension: int = field(default=15, metadata=limits(0, 255))
    """k: 8 * (1 + k) bytes in one access to pages 9Fh and up."""
    epl_pages: int = field(default=16, metadata=limits(0, 16))
    """0, 1, 2, 3, 4, 8, 12 or 16."""
    max_busy_s: float = field(default=0.08, metadata=limits(0.01, LONGEST_FOREGROUND_S))
    """Longest execution of commands that have no limit of their own."""
    start_max_s: float = field(default=4.0, metadata=limits(0.01, 600))
    write_max_s: float = field(default=0.08, metadata=limits(0.01, 60))
    complete_max_s: float = field(default=2.0, metadata=limits(0.01, 600))
    banks: int = field(default=2, metadata=limits(1, 2))
    """1: an update overwrites the image that runs."""
    abort_supported: bool = True
    """Abort Firmware Download."""
    copy_supported: bool = True
    readback_supported: bool = False
    skips_erased: bool = True
    """Blocks of FFh need not be written."""
    password_required: bool = False
    """Firmware commands need the host password."""
    host_password: int = field(default=0x00001011, metadata=limits(0, 0x7FFFFFFF))
    nack_every_n_writes: int = field(default=0, metadata=limits(0, 10_000))
    """Every n-th write to pages 9Fh and up is not acknowledged; 0: none."""
    completion_flag: bool = True
    """False: CdbCmdCompleteFlag is never set."""
    abort_shows_aborted: bool = True
    """Abort Processing ends with status 03h, the command before was aborted; False: with 01h, success [?]."""
    start_returns_early: bool = False
    """Start reports success before the memory is erased; blocks are refused until then."""
    bad_flash_address: int = field(default=-1, metadata=limits(-1, 0xFFFFFFFF))
    """The block with this address cannot be stored; -1: none."""
    firmware_corrupt: bool = False
    """No valid image: the module ends in ModuleFault with cause 3."""


def with_quirks(cdb: CdbProfile, quirks: QuirkProfile) -> CdbProfile:
    """What the quirks make of it: a slow start is advertised."""
    return replace(cdb, start_max_s=max(cdb.start_max_s, quirks.firmware_start_s))
