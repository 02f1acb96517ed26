"""Control registers of the diagnostics, changed for some lanes and read back (pages 13h and 14h)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.diagnostics.capabilities import Side, Unit
from drivers.cmis.diagnostics.patterns import pattern_name
from drivers.cmis.errors import DiagnosticsStateError, WriteNotTakenError
from drivers.cmis.fields import LANES, encode_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.ports import bus_held
from drivers.cmis.wording import lanes_text, where

ALL_LANES = tuple(range(1, LANES + 1))
_GATING = ("MeasurementTime", "AutoRestartGating")
_BLOCK = 8
"""Control bytes of a side's generators or checkers."""


@dataclass(frozen=True, slots=True)
class PatternControls:
    """The 8 control bytes of a side's generators or checkers, to be restored. ``gating``: for checkers,
    length and restarting of the bank's gates (13h:177.3-1 and 177.4); None for generators."""

    side: Side
    unit: Unit
    data: bytes
    gating: tuple[int, int] | None = None

    @property
    def running(self) -> tuple[int, ...]:
        """Lanes (1..8) that are enabled."""
        return tuple(lane for lane in ALL_LANES if self.data[0] >> (lane - 1) & 1)


class ControlRegisters:
    """Registers of one bank. Whatever depends on what was read before is written in the same transaction."""

    def __init__(self, module: CmisModule, bank: int) -> None:
        self.module = module
        self.bank = bank

    def undisturbed(self) -> AbstractContextManager[object]:
        """Keep everybody else off the bus within this context."""
        return bus_held(self.module.memory)

    def number(self, name: str) -> int:
        """Value of a field that is an integer."""
        return information.get_int(self.module.registers, name, self.bank)

    def lanes_set(self, name: str) -> tuple[int, ...]:
        """Lanes (1..8) whose bit is set; reading flags clears them."""
        return information.lanes_set(self.module.registers, name, self.bank)

    def put_pattern(self, name: str, lanes: tuple[int, ...], code: int) -> None:
        """Set the pattern code of some lanes and read all back.

        :raises WriteNotTakenError: when a lane reads back otherwise.
        """
        old = information.get_codes(self.module.registers, name, self.bank)
        new = tuple(code if lane in lanes else old[lane - 1] for lane in ALL_LANES)
        if new == old:
            return
        field = FIELDS[name]
        self.module.memory.write(self.bank, field.page, field.byte, encode_bytes(field, new))
        found = information.get_codes(self.module.registers, name, self.bank)
        if found != new:
            self.module.forget_page()
            wrong = [lane for lane in ALL_LANES if found[lane - 1] != new[lane - 1]]
            raise WriteNotTakenError(
                f"{where(name)} reads back {pattern_name(found[wrong[0] - 1])} on lane {wrong[0]} after "
                f"{pattern_name(code)} was written for lanes {lanes_text(lanes)}; lanes {lanes_text(wrong)} "
                f"are wrong. A module may have one pattern for all its lanes (13h:142)."
            )

    def put_lanes(
        self, name: str, lanes: Collection[int], *, on: bool, verified: Collection[int] = ALL_LANES
    ) -> None:
        """Set or clear the bits of some lanes and read them back, those of ``verified`` lanes.

        Nothing is written where nothing changes.

        :raises ValueError: for no lanes, or lanes beyond 1..8.
        :raises WriteNotTakenError: when a lane reads back otherwise.
        """
        chosen = checked_lanes(lanes)
        with self.undisturbed():
            old = self.lanes_set(name)
            new = set(old).union(chosen) if on else set(old).difference(chosen)
            if new == set(old):
                return
            self.module.set(name, lane_bits(new), self.bank)
            found = self.lanes_set(name)
            wrong = set(found).symmetric_difference(new).intersection(verified)
            if wrong:
                self.module.forget_page()
                raise WriteNotTakenError(
                    f"{where(name)} reads back as on for {_some(found)} after it was turned "
                    f"{'on' if on else 'off'} for lanes {lanes_text(chosen)} (before: {_some(old)})"
                )

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write bytes from a field on and read them back.

        :raises WriteNotTakenError: when they read back otherwise.
        """
        field = FIELDS[name]
        with self.undisturbed():
            self.module.memory.write(self.bank, field.page, field.byte, data)
            self._verify(name, data, self.module.memory.read(self.bank, field.page, field.byte, len(data)))

    def _verify(self, name: str, expected: bytes, found: bytes) -> None:
        if found != expected:
            self.module.forget_page()
            raise WriteNotTakenError(
                f"{where(name)} and on reads back {found.hex()} after {expected.hex()} was written"
            )

    def running(self, side: Side, unit: Unit) -> tuple[int, ...]:
        """Lanes whose generator or checker is enabled."""
        return self.lanes_set(register_name(side, unit, "Enable"))

    def require_running(self, side: Side, lanes: tuple[int, ...], advice: str) -> None:
        """:raises DiagnosticsStateError: when a checker of these lanes is not enabled."""
        stopped = set(lanes).difference(self.running(side, Unit.CHECKER))
        if stopped:
            raise DiagnosticsStateError(
                f"the {side} side checker of lanes {lanes_text(stopped)} does not run "
                f"({where(register_name(side, Unit.CHECKER, 'Enable'))}): {advice}"
            )

    def losses(self, side: Side, unit: Unit) -> tuple[int, ...]:
        """Lanes whose loss of lock was latched since this was called last."""
        return self.lanes_set(f"Pattern{unit.value}LOLFlag{side.value}")

    def controls(self, side: Side, unit: Unit) -> PatternControls:
        """How a side's generators or checkers are set now, for :meth:`restore`."""
        field = FIELDS[register_name(side, unit, "Enable")]
        data = self.module.memory.read(self.bank, field.page, field.byte, _BLOCK)
        if unit is not Unit.CHECKER:
            return PatternControls(side, unit, data)
        length, restart = (self.number(name) for name in _GATING)
        return PatternControls(side, unit, data, (length, restart))

    def restore(self, controls: PatternControls) -> None:
        """Bring a side's generators or checkers back to how they were.

        :raises WriteNotTakenError: when they read back otherwise.
        """
        field = FIELDS[register_name(controls.side, controls.unit, "Enable")]
        with self.undisturbed():
            if self.controls(controls.side, controls.unit) == controls:
                return
            # Off first: a pattern is not to change under a running generator.
            self.module.memory.write(self.bank, field.page, field.byte, bytes(1))
            self.module.memory.write(self.bank, field.page, field.byte + 1, controls.data[1:])
            for name, value in zip(_GATING, controls.gating or (), strict=False):
                if self.number(name) != value:  # before the start of a checker, which starts its gate
                    self.module.set_and_verify(name, value, self.bank)
            self.module.memory.write(self.bank, field.page, field.byte, controls.data[:1])
            found = self.controls(controls.side, controls.unit)
            self._verify(field.name, controls.data, found.data)


def register_name(side: Side, unit: Unit, what: str) -> str:
    """Name of a register of a side's generators or checkers, such as ``MediaSideCheckerEnable``."""
    return f"{side.value}Side{unit.value}{what}"


def checked_lanes(lanes: Collection[int]) -> tuple[int, ...]:
    """These lanes in order, each once.

    :raises ValueError: for none, and for lanes that are not 1..8.
    """
    lane_bits(lanes)  # raises for lanes that are none
    if not lanes:
        raise ValueError("no lanes are given")
    return tuple(sorted(set(lanes)))


def _some(lanes: Collection[int]) -> str:
    return f"lanes {lanes_text(lanes)}" if lanes else "no lane"
