"""Latched flags, their masks, the summaries and the interrupt (OIF-CMIS-05.4 §8.2.3, §8.10.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from drivers.cmis.fields import Access, Field
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import LOWER, Registers, half_of


def _flag_fields() -> tuple[tuple[str, Field], ...]:
    return tuple((name, field) for name, field in FIELDS.items() if field.access is Access.RO_COR)


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive bytes of flags, and the masks in the same order: (page, first byte) of each."""

    page: int
    byte: int
    mask_page: int
    mask_byte: int
    length: int


def _runs() -> tuple[_Run, ...]:
    """All flags and their masks, in as few stretches as their order allows."""
    masks: dict[tuple[int, int], tuple[int, int]] = {}
    for name, field in _flag_fields():
        mask = FIELDS[name.replace("Flag", "Mask")]
        for index in range(field.size):
            masks[field.page, field.byte + index] = (mask.page, mask.byte + index)
    runs: list[_Run] = []
    for (page, byte), (mask_page, mask_byte) in sorted(masks.items(), key=lambda item: item[0]):
        last = runs[-1] if runs else None
        if (
            last is not None
            and (page, byte) == (last.page, last.byte + last.length)
            and (mask_page, mask_byte) == (last.mask_page, last.mask_byte + last.length)
            and byte != HALF
        ):
            runs[-1] = replace(last, length=last.length + 1)
        else:
            runs.append(_Run(page, byte, mask_page, mask_byte, 1))
    return tuple(runs)


_RUNS = _runs()


def _marked(fields: Iterable[Field]) -> dict[int, bytes]:
    """Bytes of these fields, marked with a 1 in their half."""
    marked: dict[int, bytearray] = {}
    for field in fields:
        half = marked.setdefault(half_of(field), bytearray(HALF))
        start = field.byte % HALF
        half[start : start + field.size] = b"\1" * field.size
    return {page: bytes(half) for page, half in marked.items()}


def _touches(marked: dict[int, bytes], page: int, first: int, last: int) -> bool:
    half = marked.get(LOWER if first < HALF else page)
    return half is not None and half.find(1, first % HALF, last % HALF + 1) >= 0


# These are put together when they are read, from flags and masks.
_PUT_TOGETHER = _marked(
    field for name, field in FIELDS.items() if name == "InterruptDeasserted" or name.startswith("FlagSummary")
)
_CLEARED_BY_READING = _marked(field for _, field in _flag_fields())

_SUMMARIES = {
    0x11: FIELDS["FlagSummaryLanesBank0"],
    0x12: FIELDS["FlagSummaryLaserBank0"],
    0x14: FIELDS["FlagSummaryDiagnosticsBank0"],
    0x2C: FIELDS["FlagSummaryVDMBank0"],
}
_DEASSERTED = FIELDS["InterruptDeasserted"]
_SUMMARY_BITS = sum(1 << (field.lsb or 0) for field in _SUMMARIES.values())


class FlagRegisters:
    """The flags of one module; they live in its registers, where reading clears them."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._runs = tuple(run for run in _RUNS if run.byte < HALF or registers.has(0, run.page))

    def before_host_read(self, page: int, first: int, last: int) -> None:
        """Bring the summaries up to date if these bytes hold them."""
        if _touches(_PUT_TOGETHER, page, first, last):
            self.show_summaries()

    @staticmethod
    def cleared_by_reading(page: int, first: int, last: int) -> bool:
        """Whether these bytes hold flags."""
        return _touches(_CLEARED_BY_READING, page, first, last)

    def latch(self, name: str, bits: int) -> None:
        """Set a flag; ``bits``: lanes for a lane flag, 1 for a module-wide one, and for a field of several
        bytes all of its bits, those of its first byte the lowest."""
        field = FIELDS[name]
        raw = bits << (field.lsb or 0)
        if raw <= 0xFF:
            self._registers.latch(0, field.page, field.byte, raw)
            return
        for index, byte in enumerate(raw.to_bytes(field.size, "little")):
            if byte:
                self._registers.latch(0, field.page, field.byte + index, byte)

    def latch_all(self, conditions: Mapping[str, int]) -> None:
        """Set the flags of all conditions that hold."""
        for name, bits in conditions.items():
            self.latch(name, bits)

    def interrupting(self) -> bool:
        """Whether any flag that is not masked is set."""
        number = self._registers.number
        for run in self._runs:
            flags = number(0, run.page, run.byte, run.length)
            if flags and flags & ~number(0, run.mask_page, run.mask_byte, run.length):
                return True
        return False

    def show_summaries(self) -> None:
        """Bring flag summary and InterruptDeasserted up to date.

        The summary counts masked flags as well [?]: CMIS can be read either way.
        """
        registers = self._registers
        summary = 0
        for run in self._runs:
            if run.byte >= HALF and registers.number(0, run.page, run.byte, run.length):
                summary |= 1 << (_SUMMARIES[run.page].lsb or 0)
        registers.put_bits(0, _SUMMARIES[0x11].byte, _SUMMARY_BITS, summary)
        registers.put_bits(0, _DEASSERTED.byte, 1, int(not self.interrupting()))
