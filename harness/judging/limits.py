"""Limits as data: what a parameter must keep to, said by which document, known how well.

A limit file is one layer of one PMD. Layers are loaded in order and the last one that binds a side of a
parameter wins; what a bound came from stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.tables import Table, TableError, read_table

LIMITS_FOLDER = Path(__file__).resolve().parents[2] / "testplans" / "limits"
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


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a limit, resolved to a number."""

    value: float
    force: Force
    grade: str
    source: str
    layer: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What a parameter must keep to, resolved for a case."""

    parameter: str
    unit: str
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class When:
    """A row holds only while a quantity is at least, or below, a value."""

    quantity: str
    at_least: float | None
    below: float | None

    def holds(self, facts: Mapping[str, float]) -> bool:
        """Whether it holds; a quantity that is not known makes no row hold."""
        value = facts.get(self.quantity)
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
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

    def value(self, facts: Mapping[str, float]) -> float | None:
        """The bound, or None when the fact is not known."""
        fact = facts.get(self.quantity)
        if fact is None:
            return None
        if self.name == "advertised" or self.constant is None:
            return fact + self.offset
        return max(self.constant, fact + self.offset)

    def text(self) -> str:
        """The rule in words."""
        if self.name == "advertised":
            return f"advertised: {self.quantity}{f' {self.offset:+g}' if self.offset else ''}"
        return f"max({self.constant:g}, {self.quantity} {self.offset:+g})"


RULES = ("advertised", "max_offset_of")


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One row of a limit file."""

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


@dataclass(frozen=True, slots=True)
class LimitSet:
    """The limits of a PMD, all layers."""

    pmd: str
    edition: str
    rows: tuple[LimitRow, ...]
    layers: tuple[str, ...]
    files: tuple[Path, ...]

    def parameters(self) -> tuple[str, ...]:
        """Names of all limited parameters, in the files' order."""
        return tuple(dict.fromkeys(row.parameter for row in self.rows))

    def title(self, parameter: str) -> str:
        """The parameter as a person calls it."""
        return next(
            (row.title for row in self.rows if row.parameter == parameter), parameter.replace("_", " ")
        )

    def resolve(self, parameter: str, facts: Mapping[str, float] | None = None) -> Limit | None:
        """The limit of a parameter in a case, or None when none applies. ``facts``: what ``when`` and rules
        ask for (``extinction_ratio`` in dB, ``max_power_w``, ...)."""
        known = facts or {}
        low: Bound | None = None
        high: Bound | None = None
        unit = ""
        for row in self.rows:
            if row.parameter != parameter or (row.when is not None and not row.when.holds(known)):
                continue
            unit = row.unit
            low = _bound(row, row.low, known) or low
            high = _bound(row, row.high, known) or high
        if low is None and high is None:
            return None
        return Limit(parameter, unit, low, high)


def _bound(row: LimitRow, side: float | Rule | None, facts: Mapping[str, float]) -> Bound | None:
    value = side.value(facts) if isinstance(side, Rule) else side
    if value is None:
        return None
    return Bound(value, row.force, row.grade, row.source, row.layer)


def load_limits(paths: Sequence[Path]) -> LimitSet:
    """Read layers in order.

    :raises TableError: with one line per mistake, naming file and key.
    """
    rows: list[LimitRow] = []
    layers: list[str] = []
    pmd, edition = "", ""
    for path in paths:
        table = read_table(path)
        table.integer("schema", low=1, high=1)
        layer = table.text("layer")
        named = table.text("pmd")
        if pmd and named != pmd:
            table.complain("pmd", f"{named!r} does not go with {pmd!r} of the layer before")
        pmd, edition = pmd or named, edition or table.text("edition")
        table.text("edition", "")
        table.text("note", "")
        document = table.text("document")
        for entry in table.tables("limit"):
            row = _row(entry, layer=layer, document=document)
            units = {other.unit for other in rows if other.parameter == row.parameter}
            if units - {row.unit}:
                entry.complain(
                    "unit", f"{row.parameter} is limited in {units.pop()} before, here in {row.unit}"
                )
            rows.append(row)
        layers.append(layer)
        table.end()
        table.finish()
    return LimitSet(pmd, edition, tuple(rows), tuple(layers), tuple(paths))


def _row(entry: Table, *, layer: str, document: str) -> LimitRow:
    grade = entry.text("grade", choices=GRADES)
    force = entry.text("force", choices=[str(force) for force in Force])
    if grade == "D" and force not in {"unverified", "informative"}:
        entry.complain("force", "a grade D value is not verified and must not fail a module: use unverified")
    low, high = _side(entry, "low"), _side(entry, "high")
    if low is None and high is None:
        entry.complain("low", "a limit needs low, high or both")
    elif isinstance(low, float) and isinstance(high, float) and low > high:
        entry.complain("low", f"{low:g} is above high, {high:g}: nothing can keep to it")
    row = LimitRow(
        parameter=entry.text("parameter"),
        title=entry.text("title"),
        unit=entry.text("unit"),
        low=low,
        high=high,
        grade=grade,
        force=Force(force) if force in set(Force) else Force.UNVERIFIED,
        source=f"{entry.text('document', document)}, {entry.text('clause')}",
        layer=layer,
        note=entry.text("note", ""),
        when=_when(entry),
    )
    entry.end()
    return row


def _side(entry: Table, key: str) -> float | Rule | None:
    rule_key = f"{key}_rule"
    if not entry.has(rule_key):
        return entry.optional_number(key)
    table = entry.table(rule_key)
    name = table.text("name", choices=RULES)
    rule = Rule(name, table.text("quantity"), table.number("offset", 0.0), table.optional_number("constant"))
    if name == "max_offset_of" and rule.constant is None:
        table.complain("constant", "is missing; the rule max_offset_of needs it")
    table.end()
    return rule


def _when(entry: Table) -> When | None:
    if not entry.has("when"):
        return None
    table = entry.table("when")
    when = When(table.text("quantity"), table.optional_number("at_least"), table.optional_number("below"))
    if when.at_least is None and when.below is None:
        table.complain("at_least", "a condition needs at_least, below or both")
    table.end()
    return when


def available_pmds() -> dict[str, Path]:
    """The PMDs that limits are shipped for: name as in the file's ``pmd``, upper case, to its file."""
    return {path.stem.upper(): path for path in sorted(LIMITS_FOLDER.glob("*.toml"))}


def limits_of_pmd(pmd: str) -> LimitSet:
    """The shipped limits of a PMD, by name (case does not matter).

    :raises TableError: when there are none.
    """
    known = available_pmds()
    path = known.get(pmd.upper())
    if path is None:
        raise TableError([f"no limits for {pmd!r}; there are limits for {', '.join(known)}"])
    return load_limits([path])
