"""Which part of a module acts on what the host wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from drivers.cmis.image import FIRST_BANKED_PAGE, HALF
from harness.simulation.module.interface import spare_banks
from harness.simulation.module.interface.registers import LOWER, Registers

Reaction: TypeAlias = Callable[[dict[int, int]], None]
"""Takes bytes that were written; value: the trigger bits that the host set there."""


class HostWrites:
    """``reactions``: page, or ``LOWER``, to those that act on a write to it, in that order."""

    def __init__(self, registers: Registers, reactions: Mapping[int, Sequence[Reaction]]) -> None:
        self._registers = registers
        self._reactions = reactions

    def host_wrote(self, bank: int, page: int, written: dict[int, int]) -> None:
        """One write of the host, within one half."""
        half = LOWER if min(written) < HALF else page
        if bank and half >= FIRST_BANKED_PAGE:
            spare_banks.host_wrote(self._registers, bank, page, written)
            return
        for react in self._reactions.get(half, ()):
            react(written)
