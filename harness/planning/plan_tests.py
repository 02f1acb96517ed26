"""The tests of plans, read without running them: what each judges, after which clause, by which fixtures.

A plan is a program and may be anybody's; here it is only parsed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.planning.matrix import AcquisitionRow, Matrix

_JUDGE: Final = "judge"


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test function. ``clause``: its docstring in one line; ``parameters``: names given to ``judge``;
    ``fixtures``: its arguments."""

    plan: str
    name: str
    clause: str
    fixtures: tuple[str, ...]
    parameters: tuple[str, ...]

    def acquisitions(self, matrix: Matrix) -> tuple[AcquisitionRow, ...]:
        """What it needs done on the bench, in the matrix's order."""
        known = matrix.by_fixture
        needed = {known[name][0].name for name in self.fixtures if name in known}
        needed |= {row.name for row in matrix.acquisitions if row.fixture in self.fixtures}
        return tuple(row for row in matrix.acquisitions if row.name in needed)


def plan_title(path: Path) -> str:
    """The first sentence of a plan's docstring.

    :raises ValueError: when it is no Python.
    """
    return _sentence(ast.get_docstring(_parsed(path)) or "")


def planned_tests(path: Path) -> tuple[PlannedTest, ...]:
    """All tests of a plan, in its order.

    :raises ValueError: when it is no Python.
    """
    plan = path.stem.removeprefix("test_")
    return tuple(
        PlannedTest(
            plan=plan,
            name=node.name,
            clause=" ".join((ast.get_docstring(node) or "").split()),
            fixtures=tuple(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)),
            parameters=tuple(dict.fromkeys(_judged(node))),
        )
        for node in _parsed(path).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def _judged(node: ast.FunctionDef) -> Iterator[str]:
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        target = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        if isinstance(target, ast.Name) and target.id == _JUDGE and isinstance(call.args[0].value, str):
            yield call.args[0].value


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError) as fault:
        raise ValueError(f"{path.name}: is no plan: {fault}") from fault


def _sentence(text: str) -> str:
    first = text.strip().partition("\n\n")[0]
    return " ".join(first.split())
