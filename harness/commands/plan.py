"""``lanewise plan``: which plans there are, and how each parameter comes from its clause to its verdict."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from drivers.errors import BenchError
from harness.bench_file.reading import BenchSpec, find_bench_file, load_bench
from harness.judging.limits import LimitSet, limits_of_pmd, side_text
from harness.judging.pmd import DEFAULT_PMD, pmd_by_name
from harness.planning.matrix import AcquisitionRow, matrix
from harness.planning.offered import missing
from harness.planning.plan_tests import PlannedTest, plan_title, planned_tests
from harness.planning.suites import find_plans, plan_names, shipped_plans, suites
from harness.tables import TableError
from harness.text import columns, printable_text

_ACQUIRED = ("acquisition", "what is done", "plane", "sends", "lit", "clock", "detector", "instruments")


def main(argv: Sequence[str]) -> int:
    """See ``lanewise plan --help``. Exit codes: 0 shown, 2 a problem of file or usage."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.what is None:
            print(_listed())
            return 0
        print(_shown(arguments))
    except (TableError, BenchError, ValueError) as fault:
        lines = fault.complaints if isinstance(fault, TableError) else (str(fault),)
        print("\n".join(f"lanewise plan: {printable_text(line)}" for line in lines), file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lanewise plan",
        description="Without arguments: the plans there are. `show`: for each parameter its limit, clause, "
        "test, acquisition and instruments, and what no plan covers.",
    )
    parser.add_argument("what", nargs="?", choices=["show"])
    parser.add_argument("plan", nargs="?", default="full", help="plan, suite or .py file (default: full)")
    parser.add_argument(
        "--pmd", default=DEFAULT_PMD, help="PMD whose limits are shown (default: %(default)s)"
    )
    parser.add_argument(
        "--limits", metavar="FILE", action="append", default=[], type=Path, help="a further layer of limits"
    )
    parser.add_argument("--bench", metavar="B", help="also say what this bench cannot do, and why")
    return parser


def _listed() -> str:
    rows = [(name, plan_title(shipped_plans(name)[0])) for name in plan_names()]
    rows += [(suite.name, f"{suite.title} ({', '.join(suite.plans)})") for suite in suites().values()]
    return columns(("plan", "what it does"), rows, width=_width())


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _shown(arguments: argparse.Namespace) -> str:
    limits = limits_of_pmd(arguments.pmd, layers=arguments.limits)
    tests = [test for path in find_plans(arguments.plan) for test in planned_tests(path)]
    spec = load_bench(find_bench_file(arguments.bench)) if arguments.bench is not None else None
    lacking = _lacking(spec, limits) if spec is not None else {}
    width = _width()
    done = {row.name: row for test in tests for row in test.acquisitions(matrix())}
    ordered = [row for row in matrix().acquisitions if row.name in done]
    rows = [_judged_row(test, parameter, limits, lacking) for test in tests for parameter in test.parameters]
    judged = {parameter for test in tests for parameter in test.parameters}
    elsewhere, uncovered = _uncovered(limits, judged)
    parts = [
        columns(("parameter", "limit", "clause", "test", "from"), rows, width=width),
        "",
        columns(_ACQUIRED, [_acquired_row(row) for row in ordered], width=width),
    ]
    skipped = [f"  {name}: {reason}" for name, reason in lacking.items() if name in done]
    parts += ["", f"Skipped on {arguments.bench}:", *skipped] if skipped else []
    parts += ["", "Measured by other plans: " + "; ".join(elsewhere)] if elsewhere else []
    parts += ["", columns(("not covered by any plan", "clause", "why"), uncovered, width=width)]
    return "\n".join(parts)


def _lacking(spec: BenchSpec, limits: LimitSet) -> Mapping[str, str]:
    pmd = pmd_by_name(limits.pmd)
    found = {row.name: missing(spec, pmd, row, pmd.lane_numbers()) for row in matrix().acquisitions}
    return {name: reason for name, reason in found.items() if reason}


def _judged_row(
    test: PlannedTest, parameter: str, limits: LimitSet, lacking: Mapping[str, str]
) -> tuple[str, ...]:
    done = test.acquisitions(matrix())
    clauses = (
        entry.clause
        for row in done
        for entry in row.measures
        if entry.parameter == parameter and entry.fixture in test.fixtures
    )
    names = [f"{row.name}{' (skipped)' if row.name in lacking else ''}" for row in done]
    return (
        limits.title(parameter),
        _limit_text(limits, parameter),
        next(clauses, test.clause),
        f"{test.plan}::{test.name}",
        ", ".join(names) or "bring-up",
    )


def _acquired_row(row: AcquisitionRow) -> tuple[str, ...]:
    roles = ", ".join(row.roles) or "none required"
    return (row.name, row.title, row.plane, row.traffic, row.lit, row.clock, row.detector, roles)


def _limit_text(limits: LimitSet, parameter: str) -> str:
    """All cases of a parameter's limits; a check has none but its clause."""
    parts = []
    for standing in limits.standing():
        row = standing.row
        if row.parameter != parameter:
            continue
        bounds = [f">= {side_text(row.low)}"] * (row.low is not None)
        bounds += [f"<= {side_text(row.high)}"] * (row.high is not None)
        parts.append(f"{' and '.join(bounds)} {row.unit} ({row.force}, {row.grade})")
    return "; ".join(dict.fromkeys(parts)) or "-"


def _uncovered(limits: LimitSet, judged: set[str]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Limited parameters that these plans leave to others, and what no plan measures."""
    measured = {entry.parameter for row in matrix().acquisitions for entry in row.measures}
    measured |= {
        parameter
        for name in plan_names()
        for test in planned_tests(shipped_plans(name)[0])
        for parameter in test.parameters
    }
    rows = {standing.row.parameter: standing.row for standing in limits.standing()}
    named = {entry.parameter for entry in matrix().uncovered}
    elsewhere = [limits.title(name) for name in rows if name in measured - judged]
    unknown = [row for name, row in rows.items() if name not in measured | judged | named]
    return elsewhere, [
        *((entry.what, entry.clause, entry.why) for entry in matrix().uncovered),
        *((limits.title(row.parameter), row.source, "no plan measures it yet") for row in unknown),
    ]
