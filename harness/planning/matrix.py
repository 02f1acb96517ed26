"""The matrix (``testplans/matrix.toml``): per measurement its traffic, pattern, plane, detector, clock, lit
lanes and instruments. From it come fixtures, the order on the bench, skips with their reason, and the table
that leads from a parameter to its clause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

from harness.bench_file.reading import ROLES
from harness.tables import Table, read_table

MATRIX_FILE: Final = Path(__file__).resolve().parents[2] / "testplans" / "matrix.toml"

Per = Literal["lane", "host_lane", "module"]
_PER: Final = ("lane", "host_lane", "module")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_TARGET: Final = re.compile(r"[a-z][a-z0-9_.]{0,99}:[a-z][a-z0-9_]{0,59}", re.ASCII)
_WAY: Final = re.compile(r"(module\.tx|reference_tx) -> (module\.rx|[a-z_]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Way:
    """Light that an acquisition needs, for each of its lanes: from a port of ``start`` to one of ``end``
    (``module.tx`` and ``module.rx`` with the lane's number, or a role)."""

    start: str
    end: str

    def __str__(self) -> str:
        return f"{self.start} -> {self.end}"


@dataclass(frozen=True, slots=True)
class MeasuredParameter:
    """One parameter that an acquisition gives. ``fixture``: under which name tests ask for it; ``clause``:
    what defines it; ``per``: what has a value each."""

    parameter: str
    fixture: str
    per: Per
    clause: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class AcquisitionRow:
    """One thing that is done on the bench, at a corner or once in a run.

    Attributes: ``target``: ``package.module:function``, called with the run, its lanes and, where ``after``
    names any, what those acquisitions gave; ``traffic``: what the module sends meanwhile (``traffic``, a
    pattern, ``off``); ``clock``: whose clock the symbols have; ``lit``: which lanes have light; ``light``:
    lanes are proven before (:mod:`harness.acquisitions.lane_walk`); ``roles``, ``ways``: what it needs of a
    bench; ``at_corner``: whether it belongs to a corner; ``time_s``: bench time as estimated.
    """

    name: str
    title: str
    target: str
    traffic: str
    plane: str
    detector: str
    clock: str
    lit: str
    roles: tuple[str, ...]
    ways: tuple[Way, ...]
    after: tuple[str, ...]
    light: bool
    at_corner: bool
    time_s: float
    measures: tuple[MeasuredParameter, ...]

    @property
    def fixture(self) -> str:
        """The name of its fixture."""
        return f"{self.name}_acquired"


@dataclass(frozen=True, slots=True)
class Uncovered:
    """What the plans do not measure, and why. ``parameter``: of a limit, where there is one."""

    what: str
    clause: str
    why: str
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """All acquisitions, in the order in which a bench wants them at a corner."""

    acquisitions: tuple[AcquisitionRow, ...]
    uncovered: tuple[Uncovered, ...]
    chamber_move_s: float
    supply_step_s: float

    def named(self, name: str) -> AcquisitionRow:
        """An acquisition.

        :raises KeyError: when there is none of that name.
        """
        return {row.name: row for row in self.acquisitions}[name]

    @property
    def by_fixture(self) -> Mapping[str, tuple[AcquisitionRow, MeasuredParameter]]:
        """What tests may ask for."""
        return {measured.fixture: (row, measured) for row in self.acquisitions for measured in row.measures}

    def place(self, fixtures: Sequence[str]) -> int:
        """Where in the order a test with these fixtures stands: with the last of its acquisitions; -1 without
        any."""
        return max(
            (index for index, row in enumerate(self.acquisitions) if row.fixture in fixtures), default=-1
        )


@cache
def matrix() -> Matrix:
    """The shipped matrix."""
    return read_matrix(MATRIX_FILE)


def read_matrix(path: Path) -> Matrix:
    """Read a matrix.

    :raises TableError: with one line for each mistake.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    estimates = table.table("estimates")
    rows = tuple(_acquisition(part) for part in table.tables("acquisition"))
    uncovered = tuple(_uncovered(part) for part in table.tables("uncovered"))
    found = Matrix(
        rows,
        uncovered,
        chamber_move_s=estimates.quantity("chamber_move", "s", low=0.0, high=1e5),
        supply_step_s=estimates.quantity("supply_step", "s", low=0.0, high=1e5),
    )
    estimates.end()
    _check(table, found)
    table.end()
    table.finish()
    return found


def _uncovered(part: Table) -> Uncovered:
    found = Uncovered(
        part.text("what"), part.text("clause", ""), part.text("why"), part.text("parameter", "")
    )
    part.end()
    return found


def _acquisition(part: Table) -> AcquisitionRow:
    name = _word(part, "name", _NAME)
    row = AcquisitionRow(
        name=name,
        title=part.text("title"),
        target=_word(part, "target", _TARGET),
        traffic=part.text("traffic"),
        plane=part.text("plane"),
        detector=part.text("detector"),
        clock=part.text("clock", "module's"),
        lit=part.text("lit", "all"),
        roles=_texts(part, "roles", ROLES),
        ways=tuple(_ways(part)),
        after=_texts(part, "after"),
        light=part.boolean("light", default=False),
        at_corner=part.boolean("at_corner", default=True),
        time_s=part.quantity("time", "s", low=0.0, high=1e7),
        measures=tuple(_measured(entry) for entry in part.tables("measures")),
    )
    part.end()
    return row


def _measured(part: Table) -> MeasuredParameter:
    parameter = _word(part, "parameter", _NAME)
    measured = MeasuredParameter(
        parameter,
        _word(part, "fixture", _NAME) if part.has("fixture") else parameter,
        cast("Per", part.text("per", "lane", choices=_PER)),
        part.text("clause"),
        part.text("title", ""),
    )
    part.end()
    return measured


def _word(part: Table, key: str, form: re.Pattern[str]) -> str:
    text = part.text(key)
    if text and form.fullmatch(text) is None:
        part.complain(key, f"{text!r} is not of the form {form.pattern}")
    return text


def _texts(part: Table, key: str, choices: Sequence[str] | None = None) -> tuple[str, ...]:
    listed = part.listed(key, required=False)
    if listed is None:
        return ()
    return tuple(listed.text(name, choices=choices) for name in listed.names())


def _ways(part: Table) -> list[Way]:
    found = []
    for text in _texts(part, "ways"):
        match = _WAY.fullmatch(text)
        if match is None:
            part.complain("ways", f"{text!r} is not a way such as 'module.tx -> power_meter'")
        else:
            found.append(Way(match[1], match[2]))
    return found


def _check(table: Table, found: Matrix) -> None:
    """Names are there once, and what comes after something comes after it."""
    seen: set[str] = set()
    fixtures: set[str] = set()
    for row in found.acquisitions:
        place = f"acquisition.{row.name}"
        if row.name in seen:
            table.complain(place, "is there twice")
        for earlier in row.after:
            if earlier not in seen:
                table.complain(place, f"comes after {earlier}, which must stand before it")
        seen.add(row.name)
        for measured in row.measures:
            if measured.fixture in fixtures:
                table.complain(
                    place, f"{measured.fixture} is measured twice; give one of them a fixture's name"
                )
            fixtures.add(measured.fixture)


__all__ = [
    "MATRIX_FILE",
    "AcquisitionRow",
    "Matrix",
    "MeasuredParameter",
    "Uncovered",
    "Way",
    "matrix",
    "read_matrix",
]
