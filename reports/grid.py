"""Measurements of one parameter as a grid: lanes across, corners down. Tables and plots are made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.judging.parameters import PARAMETERS
from harness.run_folder.manifest import LimitEntry
from harness.run_folder.records import Measurement
from reports.text import decimals_for, difference_unit, interval, number, plain, with_unit
from reports.words import VerdictStyle, verdict_style


@dataclass(frozen=True, slots=True)
class Corner:
    """Where a value was taken; all None for a value that belongs to no corner."""

    visit: int | None
    case_temp_c: float | None
    vcc_v: float | None

    @property
    def temperature(self) -> str:
        """``70 °C``."""
        return "" if self.case_temp_c is None else f"{number(self.case_temp_c)}\u00a0°C"

    @property
    def voltage(self) -> str:
        """``3.135 V``."""
        return "" if self.vcc_v is None else f"{self.vcc_v:.3f}\u00a0V"

    @property
    def words(self) -> str:
        """``70 °C, 3.135 V``."""
        return ", ".join(part for part in (self.temperature, self.voltage) if part) or "no corner"

    @property
    def order(self) -> tuple[float, float, float]:
        """Sorts by visit, then temperature, then voltage."""
        visit = -1.0 if self.visit is None else float(self.visit)
        return (visit, -1e9 if self.case_temp_c is None else self.case_temp_c, self.vcc_v or 0.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One item of a parameter: its worst attempt, as text and as record. ``attempts``: how many were made."""

    measurement: Measurement
    attempts: int
    value: str
    uncertainty: str
    margin: str
    style: VerdictStyle

    @property
    def corner(self) -> Corner:
        """Where it was taken."""
        return corner_of(self.measurement)


@dataclass(frozen=True, slots=True)
class ParameterGrid:
    """All of one parameter. ``lanes`` holds None alone for a parameter of the whole module. ``applied``: the
    limit that the values were judged by, in words; several where it depends on the case. ``checked_after``:
    the sources of yes-or-no checks, which have no numeric limit and bind all the same."""

    name: str
    title: str
    unit: str
    decimals: int | None
    lanes: tuple[int | None, ...]
    corners: tuple[Corner, ...]
    cells: Mapping[tuple[int | None, Corner], Cell]
    limits: tuple[LimitEntry, ...]
    applied: tuple[str, ...]
    taken: tuple[str, ...]
    checked_after: tuple[str, ...]

    def worst(self, lane: int | None) -> Cell | None:
        """A lane's worst item over the corners."""
        return worst_cell(cell for (at, _), cell in self.cells.items() if at == lane)

    @property
    def of_module(self) -> bool:
        """Whether it belongs to the module as a whole, not to lanes."""
        return self.lanes == (None,)

    @property
    def of_host_lanes(self) -> bool:
        """Whether it belongs to host lanes, of which there are others than media lanes."""
        return any(cell.measurement.host_lane is not None for cell in self.cells.values())

    def worst_of_all(self) -> Cell | None:
        """The worst item of all lanes and corners."""
        return worst_cell(self.cells.values())

    @property
    def has_corners(self) -> bool:
        """Whether it was taken at corners."""
        return any(corner != Corner(None, None, None) for corner in self.corners)

    @property
    def stays(self) -> tuple[Corner, ...]:
        """The stays at a temperature, as corners without a voltage."""
        return tuple(dict.fromkeys(Corner(corner.visit, corner.case_temp_c, None) for corner in self.corners))

    @property
    def supplies(self) -> tuple[float | None, ...]:
        """The supply voltages, ascending."""
        return tuple(sorted({corner.vcc_v for corner in self.corners}, key=lambda vcc_v: vcc_v or 0.0))

    def at(self, lane: int | None, stay: Corner, vcc_v: float | None) -> Cell | None:
        """The item of a lane at a stay and a voltage."""
        return self.cells.get((lane, Corner(stay.visit, stay.case_temp_c, vcc_v)))

    @property
    def numeric(self) -> bool:
        """Whether there are numbers to plot; a yes or no is none."""
        measurements = (cell.measurement for cell in self.cells.values())
        return any(row.kind == "number" and row.value is not None for row in measurements)


def corner_of(measurement: Measurement) -> Corner:
    """The corner a value belongs to."""
    return Corner(measurement.visit, measurement.case_temp_c, measurement.vcc_v)


def lane_of(measurement: Measurement) -> int | None:
    """The lane a value belongs to: the media lane, else the host lane."""
    return measurement.lane if measurement.lane is not None else measurement.host_lane


def lane_word(lane: int | None) -> str:
    """``lane 3``, or ``module``."""
    return "module" if lane is None else f"lane {lane}"


def nearness(measurement: Measurement) -> float:
    """Margin in units of the expanded uncertainty, so that dB, K and W can be compared; no margin is far."""
    if measurement.margin is None:
        return float("inf")
    if not measurement.uncertainty:
        return float("inf") if measurement.margin >= 0.0 else float("-inf")
    return measurement.margin / measurement.uncertainty


def worst_cell(cells: Iterable[Cell]) -> Cell | None:
    """The worst verdict, and of equal verdicts the one nearest to (or farthest beyond) its limit."""
    return min(cells, key=_badness, default=None)


def _badness(cell: Cell) -> tuple[int, float, float]:
    margin = cell.measurement.margin
    return (cell.style.rank, float("inf") if margin is None else margin, nearness(cell.measurement))


def grids(measurements: Sequence[Measurement], limits: Sequence[LimitEntry]) -> tuple[ParameterGrid, ...]:
    """A grid per parameter: in the order of the limits, then of the measurements."""
    by_parameter: dict[str, list[Measurement]] = {entry.parameter: [] for entry in limits}
    for measurement in measurements:
        by_parameter.setdefault(measurement.parameter, []).append(measurement)
    return tuple(_grid(name, rows, limits) for name, rows in by_parameter.items() if rows)


def title_of(parameter: str, limits: Sequence[LimitEntry]) -> str:
    """A parameter as people call it."""
    named = next((entry.title for entry in limits if entry.parameter == parameter and entry.title), "")
    known = PARAMETERS.get(parameter)
    return named or (known.title if known else parameter.replace("_", " ").capitalize())


def _grid(name: str, rows: Sequence[Measurement], limits: Sequence[LimitEntry]) -> ParameterGrid:
    decimals = decimals_for(row.uncertainty for row in rows)
    items: dict[tuple[int | None, Corner], list[Measurement]] = {}
    for row in rows:
        items.setdefault((lane_of(row), corner_of(row)), []).append(row)
    cells = {item: _worst_attempt(attempts, decimals) for item, attempts in items.items()}
    lanes = sorted({lane for lane, _ in cells}, key=lambda lane: -1 if lane is None else lane)
    return ParameterGrid(
        name=name,
        title=title_of(name, limits),
        unit=next((row.unit for row in rows if row.unit), ""),
        decimals=decimals,
        lanes=tuple(lanes),
        corners=tuple(sorted({corner for _, corner in cells}, key=lambda corner: corner.order)),
        cells=cells,
        limits=tuple(entry for entry in limits if entry.parameter == name),
        applied=tuple(dict.fromkeys(filter(None, (interval(r.low, r.high, r.unit) for r in rows)))),
        taken=_taken(rows),
        checked_after=tuple(
            dict.fromkeys(r.limit_source for r in rows if r.kind == "bool" and r.limit_source)
        ),
    )


def _worst_attempt(attempts: Sequence[Measurement], decimals: int | None) -> Cell:
    cells = [cell_of(attempt, decimals, attempts=len(attempts)) for attempt in attempts]
    return min(cells, key=_badness)


def cell_of(measurement: Measurement, decimals: int | None = None, *, attempts: int = 1) -> Cell:
    """One measurement as text; ``decimals`` as its table has them, else as its uncertainty asks for."""
    if decimals is None:
        decimals = decimals_for([measurement.uncertainty])
    uncertainty = measurement.uncertainty
    margin = measurement.margin
    return Cell(
        measurement=measurement,
        attempts=attempts,
        value=_value(measurement, decimals),
        uncertainty="" if not uncertainty else number(uncertainty, decimals),
        margin="" if margin is None else number(margin, decimals, signed=True),
        style=verdict_style(measurement.verdict),
    )


def _value(measurement: Measurement, decimals: int | None) -> str:
    if measurement.value is None or measurement.kind == "text":
        return measurement.value_text or "no value"
    if measurement.kind == "bool":
        return measurement.value_text or ("yes" if measurement.value else "no")
    return number(measurement.value, decimals)


def full_value(cell: Cell) -> str:
    """``38.6 ± 0.5 %``; of a level its uncertainty is a ratio: ``-4.50 dBm ± 0.20 dB``."""
    unit = cell.measurement.unit
    if cell.measurement.value is None:
        return cell.value
    if not cell.uncertainty:
        return with_unit(cell.value, unit)
    if difference_unit(unit) != unit:
        return f"{with_unit(cell.value, unit)} ± {with_unit(cell.uncertainty, difference_unit(unit))}"
    return with_unit(f"{cell.value} ± {cell.uncertainty}", unit)


def margin_words(cell: Cell) -> str:
    """``-1.60 dB``: the distance to the nearest limit."""
    return with_unit(cell.margin, difference_unit(cell.measurement.unit))


def _taken(rows: Sequence[Measurement]) -> tuple[str, ...]:
    """What all rows share of plane, detector and conditions, and which conditions vary."""
    facts: list[str] = []
    planes, detectors = {row.plane for row in rows} - {""}, {row.detector for row in rows} - {""}
    if planes:
        facts.append(f"plane {' / '.join(sorted(planes))}")
    if detectors:
        facts.append(f"detector {' / '.join(sorted(detectors))}")
    for name in dict.fromkeys(name for row in rows for name in row.conditions):
        values = tuple(dict.fromkeys(plain(row.conditions.get(name)) for row in rows))
        shown = values[0] if len(values) == 1 else f"varies ({len(values)} values)"
        facts.append(f"{name.replace('_', ' ')}: {shown}")
    return tuple(facts)
