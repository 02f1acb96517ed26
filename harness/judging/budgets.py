"""Uncertainty budgets as data (``testplans/budgets.toml``): per measurand its contributions, each with its
distribution and source. A contribution is a constant of the method, or is given by the acquisition (what a
certificate, a path or the readings say).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from harness.judging.uncertainty import Contribution, from_expanded, from_half_width
from harness.tables import Table, read_table

BUDGETS_FILE: Final = Path(__file__).resolve().parents[2] / "testplans" / "budgets.toml"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BudgetEntry:
    """One contribution: a constant, or ``given`` by that name. ``optional``: an acquisition may leave it
    out."""

    name: str
    constant: Contribution | None
    given: str
    source: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of a measurand, in its unit (differences in dB for levels in dBm)."""

    parameter: str
    unit: str
    entries: tuple[BudgetEntry, ...]

    def contributions(self, given: Mapping[str, Contribution] | None = None) -> list[Contribution]:
        """All contributions. ``given``: those that this acquisition knows, by the names of the table.

        :raises ValueError: when one is missing, is in another unit, or is not of this budget: a mistake of
            the program.
        """
        known = dict(given or {})
        found = []
        for entry in self.entries:
            if entry.constant is not None:
                found.append(entry.constant)
                continue
            one = known.pop(entry.given, None)
            if one is None and not entry.optional:
                raise ValueError(f"the budget of {self.parameter} needs {entry.given}")
            if one is not None:
                if one.unit != self.unit:
                    raise ValueError(f"{entry.given} of {self.parameter} is in {one.unit}, not {self.unit}")
                found.append(replace(one, name=entry.name))
        if known:
            raise ValueError(f"the budget of {self.parameter} has no {', '.join(sorted(known))}")
        return found


@cache
def budgets() -> Mapping[str, Budget]:
    """The shipped budgets, by parameter."""
    return read_budgets(BUDGETS_FILE)


def budget_of(parameter: str) -> Budget:
    """A shipped budget.

    :raises KeyError: when there is none.
    """
    return budgets()[parameter]


def read_budgets(path: Path) -> dict[str, Budget]:
    """Read budgets.

    :raises TableError: with one line for each mistake.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    found: dict[str, Budget] = {}
    for part in table.tables("budget"):
        unit = part.text("unit")
        entries = tuple(_entry(entry, unit) for entry in part.tables("contribution"))
        listed = part.listed("parameters")
        for name in listed.names() if listed is not None else ():
            parameter = listed.text(name) if listed is not None else ""
            if _NAME.fullmatch(parameter) is None:
                part.complain("parameters", f"{parameter!r} is no parameter's name")
            elif parameter in found:
                part.complain("parameters", f"{parameter} has a budget already")
            found[parameter] = Budget(parameter, unit, entries)
        if not entries:
            part.complain("contribution", "is missing; a budget without contributions claims certainty")
        part.end()
    table.end()
    table.finish()
    return found


def _entry(part: Table, unit: str) -> BudgetEntry:
    name, source = part.text("name"), part.text("source", "")
    kinds = [key for key in ("expanded", "half_width", "given") if part.has(key)]
    given, constant = "", None
    if len(kinds) != 1:
        part.complain("", "expected one of expanded, half_width and given")
        for key in kinds:
            part.raw(key)
    elif kinds == ["given"]:
        given = part.text("given")
        if _NAME.fullmatch(given) is None:
            part.complain("given", f"{given!r} is no name")
    else:
        value = part.number(kinds[0])
        if not value > 0.0:
            part.complain(kinds[0], f"{value:g} is not above 0")
        if not source:
            part.complain(
                "source", "is missing; a constant says where it is from, if only that it is assumed"
            )
        make = from_expanded if kinds == ["expanded"] else from_half_width
        constant = make(name, value, unit, source)
    entry = BudgetEntry(name, constant, given, source, part.boolean("optional", default=False))
    part.end()
    return entry
