"""Corners and visits."""

from __future__ import annotations

import pytest

from harness.conditions.corner import Corner, corner_grid, select


def test_every_supply_at_every_temperature_one_visit_each():
    grid = corner_grid([0, 25, 70], [3.135, 3.3, 3.465])
    assert len(grid) == 9
    assert grid[0] == Corner(1, 0.0, 3.135)
    assert [corner.visit for corner in grid] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [corner.case_temp_c for corner in grid[::3]] == [0.0, 25.0, 70.0]


def test_the_way_up_and_the_way_down_are_two_visits():
    grid = corner_grid([25, 70, 25], [3.3])
    assert grid == (Corner(1, 25.0, 3.3), Corner(2, 70.0, 3.3), Corner(3, 25.0, 3.3))
    assert len(set(grid)) == 3


def test_corners_sort_by_visit_first():
    grid = corner_grid([70, 0], [3.465, 3.135])
    assert max(grid).visit == 2
    assert [corner.case_temp_c for corner in sorted(grid)] == [70.0, 70.0, 0.0, 0.0]


@pytest.mark.parametrize(("temps", "vccs"), [([], [3.3]), ([25], []), ([], [])])
def test_an_empty_grid_is_refused(temps, vccs):
    with pytest.raises(ValueError, match="at least one temperature and one supply"):
        corner_grid(temps, vccs)


def test_selecting():
    grid = corner_grid([0, 25], [3.135, 3.3])
    assert select(grid, case_temps_c=None, vccs_v=None) == grid
    assert select(grid, case_temps_c=[25], vccs_v=[3.3]) == (Corner(2, 25.0, 3.3),)
    assert select(grid, case_temps_c=[70], vccs_v=None) == ()


def test_as_people_and_test_names_read_it():
    corner = Corner(2, 25.0, 3.135)
    assert str(corner) == "25C-3.135V-visit2"
    assert corner.text() == "25 °C, 3.135 V"
