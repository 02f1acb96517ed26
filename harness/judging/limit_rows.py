"""A row of limits: its bounds, its rules, and where it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Side = Literal["low", "high"]
SIDES: tuple[Side, Side] = ("low", "high")
Facts = Mapping[str, float]

GRADES = {
    "A": "two or more independent sources, or one that closes arithmetically",
    "B": "one source",
    "C": "recalled, and closes arithmetically with grade A values",
    "D": "recalled only",
}


class Force(StrEnum):
    """How a limit binds."""

    NORMATIVE = "normative"
    NECESSARY = "necessary"
    INFORMATIVE = "informative"
    UNVERIFIED = "unverified"

    @property
    def binds(self) -> bool:
        """Whether a module can fail on it."""
        return self in {Force.NORMATIVE, Force.NECESSARY}


class LayerKind(StrEnum):
    """What a layer of limits is, the lowest first."""

    STANDARD = "standard"
    MSA = "msa"
    CUSTOMER = "customer"
    VENDOR = "vendor"
    PART_NUMBER = "part_number"
    FIRMWARE = "firmware"
    WAIVER = "waiver"

    @property
    def rank(self) -> int:
        """Its place, from 0: a higher one is over a lower one."""
        return tuple(LayerKind).index(self)


class Looser(StrEnum):
    """Whether one bound is looser than another."""

    NEVER = "never"
    SOMETIMES = "sometimes"  # it depends on facts of the case
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a limit, resolved to a number. ``waiver``: the name of the waiver it rests on, if any."""

    value: float
    force: Force
    grade: str
    source: str
    layer: str
    waiver: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a parameter must keep to, resolved for a case."""

    parameter: str
    unit: str
    low: Bound | None
    high: Bound | None

    @property
    def waiver(self) -> str:
        """The names of the waivers that it rests on, whichever side decides; "" without any."""
        names = [side.waiver for side in (self.low, self.high) if side is not None and side.waiver]
        return ", ".join(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class When:
    """A row holds only while a quantity is at least, or below, a value."""

    quantity: str
    at_least: float | None
    below: float | None

    def holds(self, facts: Facts) -> bool:
        """Whether it holds; a quantity that is not known makes no row hold."""
        value = facts.get(self.quantity)
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
        )

    def text(self) -> str:
        """``extinction_ratio >= 3.5 and < 5``."""
        bounds = [f">= {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"< {self.below:g}"] if self.below is not None else []
        return f"{self.quantity} {' and '.join(bounds)}"

    def range(self) -> tuple[float, float]:
        """From (included) and to (not included)."""
        return (
            -math.inf if self.at_least is None else self.at_least,
            math.inf if self.below is None else self.below,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A bound that depends on a fact of the case.

    ``advertised``: the fact itself, for instance what the module's memory says of its power class.
    ``max_offset_of``: the larger of ``constant`` and fact + ``offset``.
    """

    name: str
    quantity: str
    offset: float
    constant: float | None

    def value(self, facts: Facts) -> float | None:
        """The bound, or None when the fact is not known."""
        fact = facts.get(self.quantity)
        if fact is None:
            return None
        return max(self.least(), fact + self.offset)

    def least(self) -> float:
        """What it is never below, whatever the fact."""
        return -math.inf if self.name == "advertised" or self.constant is None else self.constant

    def text(self) -> str:
        """The rule in words."""
        if self.name == "advertised":
            return f"advertised: {self.quantity}{f' {self.offset:+g}' if self.offset else ''}"
        return f"max({self.constant:g}, {self.quantity} {self.offset:+g})"


RULES = ("advertised", "max_offset_of")


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One row of a limit file. ``layer``: its layer as people call it. ``lanes``: media lanes that it is for;
    empty: all, and what belongs to no lane. ``waiver``: the name of the waiver it rests on. ``place``: file
    and key."""

    parameter: str
    title: str
    unit: str
    low: float | Rule | None
    high: float | Rule | None
    grade: str
    force: Force
    source: str
    layer: str
    note: str
    when: When | None
    kind: LayerKind = LayerKind.STANDARD
    lanes: tuple[int, ...] = ()
    edition: str = ""
    waiver: str = ""
    place: str = ""

    def side(self, side: Side) -> float | Rule | None:
        """One side, as the file states it."""
        return self.low if side == "low" else self.high

    def applies(self, facts: Facts, lane: int | None) -> bool:
        """Whether it is for a case. A row of certain lanes is not for what belongs to no lane."""
        return (not self.lanes or lane in self.lanes) and (self.when is None or self.when.holds(facts))

    def bound(self, side: Side, facts: Facts) -> Bound | None:
        """One side as a number; None where it has none, or a fact of its rule is not known."""
        stated = self.side(side)
        value = stated.value(facts) if isinstance(stated, Rule) else stated
        if value is None:
            return None
        return Bound(value, self.force, self.grade, self.source, self.layer, self.waiver)

    def overlaps(self, other: LimitRow) -> bool:
        """Whether both can be for the same case."""
        if self.lanes and other.lanes and not set(self.lanes) & set(other.lanes):
            return False
        if self.when is None or other.when is None or self.when.quantity != other.when.quantity:
            return True
        (low, high), (other_low, other_high) = self.when.range(), other.when.range()
        return max(low, other_low) < min(high, other_high)

    def covers(self, other: LimitRow) -> bool:
        """Whether it is for every case that the other is for."""
        if self.lanes and (not other.lanes or set(other.lanes) - set(self.lanes)):
            return False
        if self.when is None:
            return True
        if other.when is None or self.when.quantity != other.when.quantity:
            return False
        (low, high), (other_low, other_high) = self.when.range(), other.when.range()
        return low <= other_low and other_high <= high


def side_text(side: float | Rule | None) -> str:
    """One side in words; "" where there is none."""
    if side is None:
        return ""
    return side.text() if isinstance(side, Rule) else f"{side:g}"


def is_looser(side: Side, new: Bound, old: Bound) -> bool:
    """Whether a bound lets a module pass that the other fails."""
    if not old.force.binds:
        return False
    return not new.force.binds or _beyond(side, new.value, old.value)


def looser(side: Side, new: float | Rule, old: float | Rule) -> Looser:
    """Whether a bound's value is looser than another's, as far as the files alone tell."""
    if not isinstance(new, Rule) and not isinstance(old, Rule):
        return Looser.ALWAYS if _beyond(side, new, old) else Looser.NEVER
    if isinstance(new, Rule) and isinstance(old, Rule):
        return _looser_rule(side, new, old)
    if isinstance(old, Rule):
        # A rule is never below its constant, and may be anything above.
        if side == "low":
            return Looser.ALWAYS if _number(new) < old.least() else Looser.SOMETIMES
        return Looser.NEVER if _number(new) <= old.least() else Looser.SOMETIMES
    least = new.least() if isinstance(new, Rule) else new
    if side == "high":
        return Looser.ALWAYS if least > old else Looser.SOMETIMES
    return Looser.NEVER if least >= old else Looser.SOMETIMES


def _looser_rule(side: Side, new: Rule, old: Rule) -> Looser:
    if new.quantity != old.quantity:
        return Looser.SOMETIMES
    steps = [(new.offset, old.offset), (new.least(), old.least())]
    beyond = [_beyond(side, one, other) for one, other in steps]
    if not any(beyond):
        return Looser.NEVER
    within = [_beyond(side, other, one) for one, other in steps]
    return Looser.SOMETIMES if any(within) else Looser.ALWAYS


def _beyond(side: Side, value: float, than: float) -> bool:
    return value > than if side == "high" else value < than


def _number(side: float | Rule) -> float:
    return math.inf if isinstance(side, Rule) else side


def strictest(side: Side, bounds: list[Bound]) -> Bound | None:
    """The strictest of the bounds of one layer, in whatever order they come: one that binds before one that
    does not, then the tightest, then the stronger force and the better known."""

    def order(bound: Bound) -> tuple[bool, float, int, str, str, str]:
        tightness = bound.value if side == "high" else -bound.value
        force = tuple(Force).index(bound.force)
        return (not bound.force.binds, tightness, force, bound.grade, bound.layer, bound.source)

    return min(bounds, key=order, default=None)
