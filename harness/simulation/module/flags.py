"""Latched flags, their masks, the summaries and the interrupt (OIF-CMIS-05.4 §8.2.3, §8.10.2)."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.cmis.fields import Access, Field, encode
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.registers import Registers


def _flag_fields() -> tuple[tuple[str, Field], ...]:
    return tuple((name, field) for name, field in FIELDS.items() if field.access is Access.RO_COR)


def _flags_and_masks() -> tuple[tuple[Field, Field], ...]:
    """One pair of fields per flag byte: a flag, and the mask that lies in the same bit of its byte."""
    pairs = {
        (field.page, field.byte): (field, FIELDS[name.replace("Flag", "Mask")])
        for name, field in _flag_fields()
    }
    return tuple(pairs.values())


_PAIRS = _flags_and_masks()


class FlagRegisters:
    """The flags of one module; they live in its registers, where reading clears them."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    @staticmethod
    def names() -> tuple[str, ...]:
        """All flags that the register tables know."""
        return tuple(name for name, _ in _flag_fields())

    def latch(self, name: str, bits: int) -> None:
        """Set a flag; ``bits``: lanes for a lane flag, 1 for a module-wide one."""
        field = FIELDS[name]
        self._registers.latch(0, field.page, field.byte, bits << (field.lsb or 0))

    def latch_all(self, conditions: Mapping[str, int]) -> None:
        """Set the flags of all conditions that hold."""
        for name, bits in conditions.items():
            self.latch(name, bits)

    def interrupting(self) -> bool:
        """Whether any flag that is not masked is set."""
        return any(self._raw(flag) & ~self._raw(mask) & 0xFF for flag, mask in _PAIRS)

    def show_summaries(self) -> None:
        """Bring flag summary and InterruptDeasserted up to date.

        The summary counts masked flags as well [?]: CMIS can be read either way.
        """
        lanes = any(self._raw(flag) for flag, _ in _PAIRS if flag.byte >= HALF)
        encode(FIELDS["FlagSummaryLanesBank0"], int(lanes), self._registers)
        encode(FIELDS["InterruptDeasserted"], int(not self.interrupting()), self._registers)

    def _raw(self, field: Field) -> int:
        return self._registers.get(0, field.page, field.byte, 1)[0]
