"""Diagnostics results behind a selector (OIF-CMIS-05.4 section 8.13, page 14h).

14h:128 says what 14h:192-255 show, and they are valid tDDCS (10 ms) later. Nothing confirms that, and who
reads early gets what was selected before. So selecting, waiting and reading is one transaction here, which
keeps everybody else off the bus meanwhile.

Some modules are slower than CMIS allows and show zeros for up to 100 ms. Zeros can be real too (no error, no
signal), so data that is all zero is read a second time after the longer delay, and what is there then counts.
A module that is found out that way, or whose part number is in :data:`SLOW_PART_NUMBERS`, is waited for the
longer delay from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.diagnostics.capabilities import Side
from drivers.cmis.errors import NotAdvertisedError, WriteNotTakenError
from drivers.cmis.fields import decode_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import bus_held
from drivers.cmis.wording import where

__all__ = [
    "RESULT_DELAY_S",
    "SLOW_PART_NUMBERS",
    "SLOW_RESULT_DELAY_S",
    "ErrorCount",
    "SelectedResults",
    "SelectorPolicy",
]

RESULT_DELAY_S = 0.010
"""tDDCS (Table 10-2): from writing the selector to valid data."""
SLOW_RESULT_DELAY_S = 0.100
"""What slow modules take for it, as public hosts found."""
SLOW_PART_NUMBERS = frozenset({"QDD-400G-XDR4"})
"""Part numbers (00h:148-163) of modules known to be slow [uncertain: the family is known, not each number].
Others are found out."""

_BER, _SNR, _GATED = 0x01, 0x06, 0x10  # selectors; _GATED is added to another
_COUNTERS: Mapping[tuple[Side, int], int] = {  # by side and group of four lanes
    (Side.HOST, 0): 0x02,
    (Side.HOST, 1): 0x03,
    (Side.MEDIA, 0): 0x04,
    (Side.MEDIA, 1): 0x05,
}
_GROUP = 4
_SETTLED_READS = 3


@dataclass(frozen=True, slots=True)
class SelectorPolicy:
    """How long to wait between writing 14h:128 and reading the data: ``delay_s`` for a module that keeps
    tDDCS, ``slow_delay_s`` for one that does not and before zeros are believed."""

    delay_s: float = RESULT_DELAY_S
    slow_delay_s: float = SLOW_RESULT_DELAY_S

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay_s <= self.slow_delay_s:
            raise ValueError(
                f"delays of {self.delay_s} s and {self.slow_delay_s} s: 0 <= delay <= slow delay"
            )


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Counters of one checker. ``bits`` is even: the lowest bit of its register is no count but says that
    the pattern was lost, see ``synchronised``.

    ``gate_s``: seconds that were counted, None for a plain reading of running counters. ``gated``: whether
    the module timed them, else the host did, and ``bits`` is the better truth.
    """

    side: Side
    lane: int
    errors: int
    bits: int
    synchronised: bool
    gate_s: float | None = None
    gated: bool = False

    @property
    def ber(self) -> float | None:
        """Bit error ratio; None when nothing was counted, or the pattern was lost."""
        return self.errors / self.bits if self.bits and self.synchronised else None


class SelectedResults:
    """Reads what the selector of one bank offers. Does no I/O when it is constructed."""

    def __init__(self, module: CmisModule, bank: int, policy: SelectorPolicy) -> None:
        self.policy = policy
        self._module = module
        self._bank = bank
        self._slow: bool | None = None

    def forget(self) -> None:
        """To be called when the module was exchanged: whether it is slow is found out anew."""
        self._slow = None

    def ber(self, side: Side, *, gated: bool) -> tuple[float, ...]:
        """Bit error ratios of 8 lanes."""
        return self._lane_numbers(_BER + _GATED * gated, f"BitErrorRatio{side.value}")

    def snr_db(self, side: Side) -> tuple[float, ...]:
        """Signal to noise ratios of 8 lanes, dB."""
        return self._lane_numbers(_SNR, f"SNR{side.value}")

    def counters(self, side: Side, lanes: Collection[int], *, gated: bool) -> tuple[ErrorCount, ...]:
        """Counters of these lanes, in order of lanes."""
        found: list[ErrorCount] = []
        for group in sorted({(lane - 1) // _GROUP for lane in lanes}):
            selector = _COUNTERS[side, group] + _GATED * gated
            found += _decoded_counters(
                side, group, self._read_selected(selector, "ErrorAndBitCounters", settled=True)
            )
        return tuple(count for count in found if count.lane in lanes)

    def _is_slow(self) -> bool:
        if self._slow is None:
            self._slow = information.get_text(self._module.registers, "VendorPN") in SLOW_PART_NUMBERS
        return self._slow

    def _read_selected(self, selector: int, name: str, *, settled: bool = False) -> bytes:
        """Bytes of a field of 14h:192-255 behind a selector.

        The selector is written even when it is there already: that is what brings new data. ``settled``:
        read until two readings agree, for errors and bits of one update; counters that run on never do,
        and of those the third is taken.
        """
        field = FIELDS[name]
        slow = self._is_slow()
        waited_s = self.policy.slow_delay_s if slow else self.policy.delay_s
        with bus_held(self._module.memory):
            self._module.set("DiagnosticsSelector", selector, self._bank)
            self._module.clock.sleep(waited_s)
            self._require_selected(selector)

            def read() -> bytes:
                return self._module.memory.read(self._bank, field.page, field.byte, field.size)

            data = read()
            if not any(data) and waited_s < self.policy.slow_delay_s:
                self._module.clock.sleep(self.policy.slow_delay_s - waited_s)
                data = read()
                self._slow = slow or any(data)
            for _ in range(_SETTLED_READS - 1 if settled else 0):
                data, previous = read(), data
                if data == previous:
                    break
            self._require_selected(selector)
            return data

    def _require_selected(self, selector: int) -> None:
        found = information.get_int(self._module.registers, "DiagnosticsSelector", self._bank)
        if found == selector:
            return
        if found == 0:
            raise NotAdvertisedError(
                f"{where('DiagnosticsSelector')} reads back 0 after {selector:02X}h was written: the module "
                f"does not have these results, whatever 13h:129-130 advertise (or it restarted)"
            )
        self._module.forget_page()
        raise WriteNotTakenError(
            f"{where('DiagnosticsSelector')} reads back {found:02X}h after {selector:02X}h was written"
        )

    def _lane_numbers(self, selector: int, name: str) -> tuple[float, ...]:
        value = decode_bytes(FIELDS[name], self._read_selected(selector, name))
        if not isinstance(value, tuple):
            raise TypeError(f"{name} is not a lane field")
        return tuple(float(item) for item in value)


def _decoded_counters(side: Side, group: int, data: bytes) -> Iterable[ErrorCount]:
    value = decode_bytes(FIELDS["ErrorAndBitCounters"], data)
    numbers = [int(item) for item in value] if isinstance(value, tuple) else []
    for index in range(_GROUP):
        errors, bits = numbers[2 * index : 2 * index + 2]
        lane = group * _GROUP + index + 1
        yield ErrorCount(side, lane, errors, bits & ~1, synchronised=not bits & 1)
