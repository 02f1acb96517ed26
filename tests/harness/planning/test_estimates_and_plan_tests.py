"""Bench time of a plan in its order and in the naive one; what is read of a plan without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conditions.corner import corner_grid
from harness.planning.estimate import PlannedItem, naive_s, stays
from harness.planning.matrix import matrix
from harness.planning.plan_tests import plan_title, planned_tests
from harness.planning.suites import plan_names, shipped_plans

POWER, HOUSE = matrix().named("launch_power"), matrix().named("housekeeping")


def test_the_order_of_a_plan_saves_moves_and_acquisitions():
    corners = corner_grid(case_temps_c=(0.0, 70.0), vccs_v=(3.135, 3.465))
    items = [
        PlannedItem(test, corner, lane, (row,))
        for corner in corners
        for test, row, lanes in (("power", POWER, (1, 2, 3, 4)), ("house", HOUSE, (None,)))
        for lane in lanes
    ]
    known = matrix()
    found = stays(items, known)
    assert [stay.corner for stay in found] == list(corners)
    assert [stay.items for stay in found] == [5] * 4
    once_s = POWER.time_s + HOUSE.time_s
    assert [stay.measuring_s for stay in found] == pytest.approx([once_s] * 4)
    move_s, step_s = known.chamber_move_s, known.supply_step_s
    assert [stay.moving_s for stay in found] == [move_s, step_s, move_s, step_s]
    # Two tests through two visits each; power for each lane anew.
    by_hand_s = 2 * (2 * move_s + 2 * step_s) + 4 * (4 * POWER.time_s + HOUSE.time_s)
    assert naive_s(items, known) == pytest.approx(by_hand_s)


def test_what_is_outside_of_corners_moves_nothing():
    (stay,) = stays([PlannedItem("bring_up", None, None, ())], matrix())
    assert (stay.corner, stay.moving_s, stay.measuring_s, stay.acquisitions) == (None, 0.0, 0.0, ())


@pytest.mark.parametrize("name", plan_names())
def test_every_test_of_the_shipped_plans_names_its_clause_and_what_it_judges(name):
    (path,) = shipped_plans(name)
    assert plan_title(path)
    tests = planned_tests(path)
    assert tests
    for test in tests:
        assert test.clause, test.name
        assert test.parameters, test.name
        assert "judge" in test.fixtures


def test_a_plan_is_parsed_and_not_run(tmp_path: Path):
    path = tmp_path / "test_mine.py"
    path.write_text(
        '"""My plan.\n\nMore."""\nraise SystemExit\n'
        "def test_a(launch_power, judge):\n"
        '    """Table 124-6,\n    power."""\n'
        '    judge("average_launch_power", launch_power)\n'
        '    judge.check("looks", passed=True, text="", source="")\n',
        encoding="utf-8",
    )
    assert plan_title(path) == "My plan."
    (test,) = planned_tests(path)
    assert (test.plan, test.name, test.clause) == ("mine", "test_a", "Table 124-6, power.")
    assert test.parameters == ("average_launch_power", "looks")
    assert [row.name for row in test.acquisitions(matrix())] == ["launch_power"]
    path.write_text("def", encoding="utf-8")
    with pytest.raises(ValueError, match=r"test_mine\.py: is no plan"):
        planned_tests(path)
