"""What a reader wants first: the run's verdict, what it rests on, and what did not simply pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.judging.verdict import Verdict
from harness.run_folder.folder import RunFolder
from harness.run_folder.records import Invalid, Measurement, RunFinished, SafeState, Skipped
from reports.grid import Cell, ParameterGrid, lane_word, nearness
from reports.sections import unmeasured
from reports.text import count
from reports.words import INCOMPLETE, VerdictStyle, verdict_style

_SENTENCES = {
    Verdict.PASS: "Every judged item lies inside its limits by at least its measurement uncertainty.",
    Verdict.CONDITIONAL_PASS: (
        "Every judged item lies inside its limits, at least one of them by less than its uncertainty."
    ),
    Verdict.CONDITIONAL_FAIL: (
        "At least one item lies outside its limit, by no more than its measurement uncertainty."
    ),
    Verdict.FAIL: "At least one item lies outside its limit by more than its measurement uncertainty.",
}
_INVALID_BENCH = (
    "The bench, not the module, kept this run from a verdict. Nothing in this report is proof of a failure "
    "of the module. Repair the bench and run the plan again."
)
_FAILED_CHECK = "At least one required check failed; what stands behind it was not measured."
_INVALID_EMPTY = "Nothing was judged against a binding limit, so there is no verdict on the module."
_INCOMPLETE = (
    "The run did not end: its journal has no final record. There is no verdict. "
    "What was recorded until then is shown."
)


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in words. ``notes``: what a reader must know before believing it."""

    style: VerdictStyle
    sentence: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Items of one parameter and lane with the same verdict: how many of how many, and the worst of them."""

    grid: ParameterGrid
    lane: int | None
    style: VerdictStyle
    worst: Cell
    affected: int
    total: int

    @property
    def where(self) -> str:
        """``lane 3``, or ``module``."""
        return lane_word(self.lane)


def headline(run: RunFolder) -> Headline:
    """The verdict as the journal states it, never made up: a run that did not end has none."""
    finished = run.of_type(RunFinished)
    measurements, invalid = run.measurements, run.of_type(Invalid)
    notes: list[str] = []
    if not finished:
        return Headline(INCOMPLETE, _INCOMPLETE, ())
    end = finished[-1]
    style = verdict_style(end.verdict)
    if end.ended != "completed":
        notes.append(f"The run ended early: {end.ended}.")
    worse = _worse_row(style, measurements)
    if worse is not None:
        notes.append(
            f"The run states \u201c{style.word}\u201d, but its rows hold a worse verdict: {worse.word}."
        )
    if end.verdict == Verdict.INVALID:
        failing = [m for m in measurements if m.verdict in {Verdict.FAIL, Verdict.CONDITIONAL_FAIL}]
        if invalid and failing:
            notes.append(
                f"{count(len(failing), 'measured value')} outside a limit: "
                "to be repeated on a sound bench before they count against the module."
            )
        bench = bool(invalid) or any(m.verdict == Verdict.INVALID for m in measurements)
        return Headline(style, _INVALID_BENCH if bench else _INVALID_EMPTY, tuple(notes))
    sentence = _SENTENCES.get(Verdict(end.verdict), "") if style.letter != "?" else ""
    failed = [m for m in measurements if m.verdict == Verdict.FAIL]
    if end.verdict == Verdict.FAIL and failed and all(m.kind != "number" for m in failed):
        sentence = _FAILED_CHECK
    missing = unmeasured(run.manifest, measurements)
    if missing.titles and end.verdict in {Verdict.PASS, Verdict.CONDITIONAL_PASS}:
        notes.append(f"Not measured, so this verdict says nothing of them: {missing.text()}.")
    return Headline(style, sentence, tuple(notes))


def _worse_row(style: VerdictStyle, measurements: Sequence[Measurement]) -> VerdictStyle | None:
    """The worst verdict among the rows, where it is worse than the run's own: an edited or forged run."""
    if style.key == Verdict.INVALID:
        return None
    rows = [verdict_style(m.verdict) for m in measurements]
    worst = min(rows, key=lambda row: row.rank, default=style)
    return worst if worst.rank < style.rank and worst.letter != "?" else None


def counts(run: RunFolder) -> tuple[tuple[VerdictStyle | None, str, int], ...]:
    """Style, word and number of everything that was planned or judged; zeros are left out."""
    by_verdict: dict[str, int] = {}
    for measurement in run.measurements:
        by_verdict[measurement.verdict] = by_verdict.get(measurement.verdict, 0) + 1
    styles = sorted((verdict_style(verdict) for verdict in by_verdict), key=lambda style: -style.rank)
    rows: list[tuple[VerdictStyle | None, str, int]] = [
        (style, style.word, by_verdict[style.key]) for style in styles
    ]
    skipped, invalid = len(run.of_type(Skipped)), len(run.of_type(Invalid))
    if skipped:
        rows.append((None, "skipped", skipped))
    if invalid:
        rows.append((verdict_style(Verdict.INVALID), "made impossible by the bench", invalid))
    return tuple(rows)


def nearest(parameter_grids: Iterable[ParameterGrid]) -> tuple[ParameterGrid, Cell] | None:
    """The item of the whole run that is worst: by verdict, then by margin in units of its uncertainty."""
    items = [
        (grid, cell)
        for grid in parameter_grids
        for cell in grid.cells.values()
        if cell.measurement.margin is not None and cell.style.key != Verdict.INFO
    ]
    return min(items, key=lambda item: (item[1].style.rank, nearness(item[1].measurement)), default=None)


def findings(parameter_grids: Iterable[ParameterGrid]) -> tuple[Finding, ...]:
    """Everything that did not simply pass, the worst first."""
    found: list[Finding] = []
    for grid in parameter_grids:
        for lane in grid.lanes:
            cells = [cell for (at, _), cell in grid.cells.items() if at == lane]
            worst = grid.worst(lane)
            if worst is None or worst.style.key in {Verdict.PASS, Verdict.INFO}:
                continue
            affected = sum(cell.style.key == worst.style.key for cell in cells)
            found.append(Finding(grid, lane, worst.style, worst, affected, len(cells)))
    return tuple(sorted(found, key=lambda finding: finding.style.rank))


def not_safe(states: Sequence[SafeState]) -> tuple[SafeState, ...]:
    """Outputs whose last proof says that they are not safe."""
    last: dict[tuple[str, str], SafeState] = {}
    for state in states:
        last[state.role, state.action] = state
    return tuple(state for state in last.values() if not state.safe)
