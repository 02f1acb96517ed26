"""Limits as data: what a parameter must keep to, said by which document, known how well.

A set of limits is a stack of layers, one TOML file each: standard, MSA, customer, vendor, part number,
firmware, waiver. The last layer that binds a side of a parameter wins; what a bound came from stays with it.
The order in which files are given never matters: of one kind of layer the strictest bound counts.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from harness.judging.layers import (
    AppliesTo,
    Identified,
    Layer,
    NamedModule,
    Waiver,
    complaints,
    in_order,
    replaces,
)
from harness.judging.limit_files import ANY_PMD, edition_keys, read_layer
from harness.judging.limit_rows import (
    GRADES,
    SIDES,
    Bound,
    Force,
    LayerKind,
    Limit,
    LimitRow,
    Rule,
    Side,
    When,
    is_looser,
    side_text,
    strictest,
)
from harness.judging.parameters import PARAMETERS
from harness.judging.pmd_table import Pmd
from harness.tables import TableError
from harness.text import printable_text

__all__ = [
    "GRADES",
    "LIMITS_FOLDER",
    "AppliesTo",
    "Bound",
    "Force",
    "Identified",
    "Layer",
    "LayerKind",
    "Limit",
    "LimitRow",
    "LimitSet",
    "NamedModule",
    "Rule",
    "StandingRow",
    "Waiver",
    "When",
    "available_pmds",
    "find_pmd",
    "limits_of_pmd",
    "load_limits",
    "side_text",
]

LIMITS_FOLDER = Path(__file__).resolve().parents[2] / "testplans" / "limits"
_OF_ANY_MODULE = LIMITS_FOLDER / "common" / "module.toml"


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A row with the sides that no higher layer replaces, and what it replaces itself."""

    row: LimitRow
    overrode: tuple[LimitRow, ...]

    def overrode_text(self) -> str:
        """``high 3.4 (standard, normative)``, the nearest layer first."""
        return "; ".join(
            f"{side} {side_text(other.side(side))} ({other.layer}, {other.force})"
            for other in self.overrode
            for side in SIDES
            if other.side(side) is not None
        )


@dataclass(frozen=True, slots=True)
class LimitSet:
    """The limits of a PMD. ``pmd``: as ``--pmd`` takes it, with its edition unless that is the default.
    ``loaded``: all layers, the lowest first; ``layers``: those of them that apply to
    the module; ``rows``: theirs. Until the module is known, layers for certain modules do not apply."""

    pmd: str
    edition: str
    loaded: tuple[Layer, ...]
    layers: tuple[Layer, ...]
    rows: tuple[LimitRow, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was read."""
        return tuple(layer.path for layer in self.loaded)

    @property
    def physical(self) -> Pmd | None:
        """What is said of the PMD beside its limits."""
        return next((layer.physical for layer in self.loaded if layer.physical is not None), None)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """Those that apply."""
        return tuple(waiver for layer in self.layers for waiver in layer.waivers)

    def for_module(self, module: Identified | None) -> LimitSet:
        """The limits of a module whose identity was read; None: one that does not tell it.

        :raises TableError: when layers that apply to it together do not go together.
        """
        layers = tuple(layer for layer in self.loaded if layer.is_for(module))
        if mistakes := complaints(layers):
            raise TableError(mistakes)
        return replace(self, layers=layers, rows=tuple(row for layer in layers for row in layer.rows))

    def parameters(self) -> tuple[str, ...]:
        """Names of all limited parameters, in the order of :data:`PARAMETERS`, then in the files' order."""
        limited = dict.fromkeys(row.parameter for row in self.rows)
        known = [name for name in PARAMETERS if name in limited]
        return tuple(dict.fromkeys([*known, *limited]))

    def title(self, parameter: str) -> str:
        """The parameter as a person calls it."""
        named = next((row.title for row in self.rows if row.parameter == parameter), "")
        known = PARAMETERS.get(parameter)
        return named or (known.title if known else parameter.replace("_", " "))

    def resolve(
        self, parameter: str, facts: Mapping[str, float] | None = None, *, lane: int | None = None
    ) -> Limit | None:
        """The limit of a parameter in a case, or None when none applies. ``facts``: what ``when`` and rules
        ask for (``extinction_ratio`` in dB, ``max_power_w``, ...). ``lane``: the media lane, from 1.

        :raises ValueError: when a fact is no number: no limit may be chosen by it.
        """
        known = facts or {}
        for name, value in known.items():
            if not math.isfinite(value):
                raise ValueError(f"{name}, which a limit may depend on, is no finite number: {value}")
        rows = [row for row in self.rows if row.parameter == parameter and row.applies(known, lane)]
        low, high = (_decide(rows, side, known) for side in SIDES)
        if low is None and high is None:
            return None
        return Limit(parameter, rows[0].unit, low, high)

    def standing(self) -> tuple[StandingRow, ...]:
        """The rows that count, in the order of their parameters. Where two layers' bounds depend on the case
        both stand; of those the stricter counts."""
        found = []
        for parameter in self.parameters():
            rows = [row for row in self.rows if row.parameter == parameter]
            found += [standing for row in rows if (standing := _standing(row, rows)) is not None]
        return tuple(found)


def _decide(rows: Sequence[LimitRow], side: Side, facts: Mapping[str, float]) -> Bound | None:
    """The last layer wins, but none loosens what binds, unless it is a waiver."""
    decided: Bound | None = None
    for kind, group in groupby(rows, key=lambda row: row.kind):
        bound = strictest(side, [found for row in group if (found := row.bound(side, facts)) is not None])
        if bound is None:
            continue
        if decided is None or kind is LayerKind.WAIVER or not is_looser(side, bound, decided):
            decided = bound
    return decided


def _standing(row: LimitRow, rows: Sequence[LimitRow]) -> StandingRow | None:
    gone = {side for side in SIDES if any(replaces(other, row, side) for other in rows)}
    kept = replace(row, low=None if "low" in gone else row.low, high=None if "high" in gone else row.high)
    if kept.low is None and kept.high is None:
        return None
    overrode = []
    for other in reversed(rows):
        sides = {side for side in SIDES if replaces(kept, other, side)}
        if sides:
            low, high = (other.side(side) if side in sides else None for side in SIDES)
            overrode.append(replace(other, low=low, high=high))
    return StandingRow(kept, tuple(overrode))


def load_limits(
    paths: Sequence[Path], *, edition: str | None = None, on: datetime.date | None = None
) -> LimitSet:
    """Read layers, in any order. ``edition``: the key of one of the lowest layer's editions (default: its
    first). ``on``: the day on which waivers must hold (default: today, UTC).

    :raises TableError: with one line per mistake, naming file and key.
    """
    mistakes: list[str] = []
    layers: list[Layer] = []
    for index, path in enumerate(paths):
        try:
            layers.append(read_layer(path, edition=edition if index == 0 else None, on=on))
        except TableError as fault:
            mistakes += fault.complaints
    if mistakes:
        raise TableError(mistakes)
    pmds = list(dict.fromkeys(layer.pmd for layer in layers if layer.pmd != ANY_PMD))
    mistakes = [
        f"{layer.path.name}: pmd: {layer.pmd!r} does not go with {pmds[0]!r} of the other layers"
        for layer in layers
        if layer.pmd not in {ANY_PMD, *pmds[:1]}
    ]
    repeated = [path for number, path in enumerate(paths) if path.resolve() in _resolved(paths[:number])]
    mistakes += [f"{printable_text(str(path))}: is given twice" for path in repeated]
    loaded = in_order(layers)
    general = tuple(layer for layer in loaded if layer.applies_to is None)
    mistakes += complaints(general)
    for layer in loaded:
        # Found now rather than on the first module of that kind.
        if layer.applies_to is not None:
            mistakes += complaints(in_order((*general, layer)))
    if mistakes:
        raise TableError([printable_text(line, longest=1500) for line in dict.fromkeys(mistakes)])
    edition_text = next((layer.edition for layer in layers if layer.edition), "")
    physical = next((layer.physical for layer in layers if layer.physical is not None), None)
    name = physical.name if physical is not None else next(iter(pmds), ANY_PMD)
    return LimitSet(name, edition_text, loaded, (), ()).for_module(None)


def _resolved(paths: Sequence[Path]) -> set[Path]:
    return {path.resolve() for path in paths}


def available_pmds() -> dict[str, tuple[Path, str]]:
    """The names that ``--pmd`` takes, to file and edition. ``400GBASE-DR4`` is a file's default edition,
    ``400GBASE-DR4-2017`` another one."""
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(LIMITS_FOLDER.glob("*.toml")):
        for index, key in enumerate(edition_keys(path)):
            found[path.stem.upper() if index == 0 else f"{path.stem}-{key}".upper()] = (path, key)
    return found


def find_pmd(name: str) -> tuple[Path, str | None] | None:
    """The file and edition (None: its default) of a name that ``--pmd`` takes; None when there is none. Case
    does not matter."""
    stems = {path.stem.upper(): path for path in LIMITS_FOLDER.glob("*.toml")}
    if name.upper() in stems:
        return stems[name.upper()], None
    return available_pmds().get(name.upper())


def limits_of_pmd(pmd: str, *, layers: Sequence[Path] = (), on: datetime.date | None = None) -> LimitSet:
    """The shipped limits of a PMD, by name (case does not matter), with further layers. ``on``: as
    :func:`load_limits`.

    :raises TableError: when there are none, or a layer has mistakes.
    """
    found = find_pmd(pmd)
    if found is None:
        known = ", ".join(available_pmds())
        raise TableError([f"no limits for {printable_text(pmd)!r}; there are limits for {known}"])
    path, edition = found
    return load_limits([path, _OF_ANY_MODULE, *layers], edition=edition, on=on)
