"""Budgets of uncertainty from a table, and what is wrong with one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.judging.budgets import Budget, budget_of, budgets, read_budgets
from harness.judging.uncertainty import (
    Contribution,
    expanded,
    from_expanded,
    from_readings,
    student_ratio,
)
from harness.planning.matrix import matrix
from harness.tables import TableError

GOOD = """
schema = 1
[[budget]]
parameters = ["tdecq"]
unit = "dB"
[[budget.contribution]]
name = "oscilloscope"
half_width = 0.3
source = "assumed"
[[budget.contribution]]
name = "its certificate"
given = "certificate"
[[budget.contribution]]
name = "repeatability"
given = "repeatability"
optional = true
"""


def read(tmp_path: Path, text: str) -> dict[str, Budget]:
    path = tmp_path / "budgets.toml"
    path.write_text(text, encoding="utf-8")
    return read_budgets(path)


def test_constants_and_what_is_given_add_in_squares(tmp_path):
    budget = read(tmp_path, GOOD)["tdecq"]
    found = budget.contributions({"certificate": from_expanded("", 0.2, "dB", "SC-1")})
    assert [entry.name for entry in found] == ["oscilloscope", "its certificate"]
    assert [entry.distribution for entry in found] == ["rectangular", "normal, stated with k = 2"]
    assert expanded(found) == pytest.approx(2.0 * math.hypot(0.3 / math.sqrt(3.0), 0.1))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "the budget of tdecq needs certificate"),
        ({"certificate": Contribution("", 0.1, "W", "")}, "is in W, not dB"),
        (
            {"certificate": Contribution("", 0.1, "dB", ""), "path": Contribution("", 0.1, "dB", "")},
            "the budget of tdecq has no path",
        ),
    ],
)
def test_what_is_given_is_what_the_budget_wants(tmp_path, given, expected):
    with pytest.raises(ValueError, match=expected):
        read(tmp_path, GOOD)["tdecq"].contributions(given)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("half_width = 0.3", "", "expected one of expanded, half_width and given"),
        ("half_width = 0.3", "half_width = 0.3\nexpanded = 0.1", "expected one of"),
        ("half_width = 0.3", "half_width = 0.0", "half_width: 0 is not above 0"),
        ('source = "assumed"', "", "source: is missing; a constant says where it is from"),
        ('given = "certificate"', 'given = "No name"', "'No name' is no name"),
        ('["tdecq"]', '["tdecq", "tdecq"]', "tdecq has a budget already"),
        ('["tdecq"]', '["Tdecq"]', "'Tdecq' is no parameter's name"),
        ("schema = 1", "schema = 2", "schema: 2 is not within 1 .. 1"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, old, new, expected):
    with pytest.raises(TableError) as raised:
        read(tmp_path, GOOD.replace(old, new, 1))
    (line,) = raised.value.complaints
    assert line.startswith("budgets.toml: ")
    assert expected in line


def test_a_budget_without_contributions_is_refused(tmp_path):
    with pytest.raises(TableError, match="claims certainty"):
        read(tmp_path, 'schema = 1\n[[budget]]\nparameters = ["tdecq"]\nunit = "dB"\n')


def test_shipped_budgets_are_of_parameters_that_are_measured():
    measured = {entry.parameter for row in matrix().acquisitions for entry in row.measures}
    assert set(budgets()) <= measured
    assert budget_of("average_launch_power").unit == "dB"


def test_few_readings_count_for_less():
    """GUM (JCGM 100:2008) Table G.2, 95.45 %: t of 3 degrees of freedom is 3.31."""
    four = from_readings("repeatability", [1.0, 2.0, 3.0, 4.0], "dB")
    assert four.standard == pytest.approx(math.sqrt(5.0 / 3.0) / 2.0 * 3.31 / 2.0)
    assert four.distribution == "Student's t"
    assert student_ratio(1) == pytest.approx(13.97 / 2.0)
    assert student_ratio(20) == pytest.approx(2.13 / 2.0, abs=0.006)  # G.2 has 2.13
    assert student_ratio(100) == pytest.approx(2.025 / 2.0, abs=0.003)  # and 2.025
    assert [student_ratio(n) for n in range(1, 60)] == sorted(
        (student_ratio(n) for n in range(1, 60)), reverse=True
    )
    with pytest.raises(ValueError, match="one degree of freedom"):
        student_ratio(0)
