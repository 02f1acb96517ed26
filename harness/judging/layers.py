"""Layers of limits: which is over which, for which module, and what one may do to those below it.

A later layer may tighten. To loosen what binds (normative or necessary) takes a waiver: with a name, a reason
and a day on which it ends.
"""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from harness.judging.limit_rows import SIDES, LayerKind, LimitRow, Looser, Side, looser, side_text
from harness.judging.pmd_table import Pmd
from harness.text import printable_text


class Identified(Protocol):
    """What a layer may ask of a module. Texts are the module's own: untrusted."""

    @property
    def vendor(self) -> str:
        """Vendor name."""

    @property
    def part_number(self) -> str:
        """Vendor part number."""

    @property
    def serial_number(self) -> str:
        """Vendor serial number."""

    @property
    def firmware(self) -> str:
        """Active firmware, ``1.2``."""


@dataclass(frozen=True, slots=True)
class NamedModule:
    """A module that is not there, by what is known of it."""

    vendor: str = ""
    part_number: str = ""
    serial_number: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class AppliesTo:
    """Patterns with ``*`` and ``?`` that a module's identity must match, all of them; "": any."""

    vendor: str = ""
    part_number: str = ""
    serial_number: str = ""
    firmware: str = ""

    def matches(self, module: Identified | None) -> bool:
        """Whether they match; a module that does not say who it is matches nothing."""
        return module is not None and all(
            fnmatch.fnmatchcase(getattr(module, name).strip(), pattern) for name, pattern in self._stated()
        )

    def text(self) -> str:
        """``part number LW-400G-DR4*, firmware 1.*``."""
        return ", ".join(f"{name.replace('_', ' ')} {pattern}" for name, pattern in self._stated())

    def _stated(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):
            if pattern := getattr(self, field.name):
                yield field.name, pattern


APPLIES_TO_KEYS = tuple(field.name for field in fields(AppliesTo))


@dataclass(frozen=True, slots=True)
class Waiver:
    """Leave to be outside a limit. ``expires``: the last day on which it holds."""

    name: str
    reason: str
    expires: datetime.date
    granted_by: str

    def text(self) -> str:
        """``D-0012, until 2027-03-31``."""
        return f"{self.name}, until {self.expires.isoformat()}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One limit file. ``pmd``: "*" when it is for any. ``physical``: what it says of the PMD beside limits;
    the lowest layer of a set does. ``edition``: in words. ``sha256``: of the file, as it was read."""

    kind: LayerKind
    name: str
    pmd: str
    edition: str
    document: str
    note: str
    applies_to: AppliesTo | None
    rows: tuple[LimitRow, ...]
    waivers: tuple[Waiver, ...]
    physical: Pmd | None
    path: Path
    sha256: str = ""

    def text(self) -> str:
        """``customer: Example Cloud``."""
        return layer_text(self.kind, self.name)

    def is_for(self, module: Identified | None) -> bool:
        """Whether it applies to a module."""
        return self.applies_to is None or self.applies_to.matches(module)


def layer_text(kind: LayerKind, name: str) -> str:
    """A layer as people call it."""
    words = kind.replace("_", " ")
    return f"{words}: {name}" if name else words


def in_order(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The lowest first, whatever order they were given in; of one kind by name, so that it never matters."""
    return tuple(
        sorted(layers, key=lambda layer: (layer.kind.rank, layer.path.name, layer.name, str(layer.path)))
    )


def complaints(layers: Sequence[Layer]) -> list[str]:
    """What layers that apply together do to each other and may not: one line each, with file and key."""
    rows = [row for layer in layers for row in layer.rows]
    found: list[str] = []
    for row in rows:
        others = [other for other in rows if other.parameter == row.parameter and other is not row]
        below = [other for other in others if other.kind.rank < row.kind.rank and row.overlaps(other)]
        units = {other.unit: other for other in others if other.unit != row.unit and _before(other, row)}
        if units:
            unit, other = next(iter(units.items()))
            found.append(
                f"{row.place}.unit: {row.parameter} is limited in {unit} before ({other.place}), "
                f"here in {row.unit}"
            )
        elif row.kind is not LayerKind.WAIVER:
            for side in SIDES:
                found += _loosening(row, side, below)
    return [printable_text(line, longest=1500) for line in found]


def _before(other: LimitRow, row: LimitRow) -> bool:
    return (other.kind.rank, other.place) < (row.kind.rank, row.place)


def _loosening(row: LimitRow, side: Side, below: Sequence[LimitRow]) -> Iterator[str]:
    stated = row.side(side)
    if stated is None:
        return
    for other in below:
        bound = other.side(side)
        if bound is None or not other.force.binds:
            continue
        against = f"{_words(side, bound)} {row.unit} ({other.layer}, {other.force}, {other.place}"
        case = f"when {other.when.text()}" if other.when else ""
        against += f", {case})" if case else ")"
        if not row.force.binds:
            yield (
                f"{row.place}.force: {row.parameter} made {row.force} would pass modules that fail "
                f"{against}; only a layer of the kind waiver may do that"
            )
            return
        if looser(side, stated, bound) is Looser.ALWAYS:
            yield (
                f"{row.place}.{side}: {row.parameter} {_words(side, stated)} is looser than {against}; a "
                f"later layer may only tighten it, and only a layer of the kind waiver may loosen it"
            )
            return


def _words(side: Side, bound: object) -> str:
    return f"{'<=' if side == 'high' else '>='} {side_text(bound)}"  # type: ignore[arg-type]


def replaces(row: LimitRow, other: LimitRow, side: Side) -> bool:
    """Whether a side of a row of a lower layer never counts any more because of a row of a higher one,
    whatever the case."""
    new, old = row.side(side), other.side(side)
    if new is None or old is None or row.kind.rank <= other.kind.rank or not row.covers(other):
        return False
    if not isinstance(new, float) and (isinstance(old, float) or new.quantity != old.quantity):
        return False  # where the fact is not known, the other one counts
    if row.kind is LayerKind.WAIVER or not other.force.binds:
        return True
    return row.force.binds and looser(side, new, old) is Looser.NEVER
