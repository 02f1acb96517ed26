"""Plans by name, suites of them, and what is wrong with a table of suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.planning.suites import (
    find_plans,
    plan_digest,
    plan_file_names,
    plan_names,
    read_suites,
    shipped_plans,
    suites,
)
from harness.tables import TableError


def test_the_full_suite_has_every_plan_but_those_for_other_purposes():
    assert set(suites()["full"].plans) == set(plan_names()) - {"screening"}
    assert find_plans("full")[0].stem == "test_launch_power"


def test_a_plan_is_a_name_or_a_file(tmp_path):
    (found,) = find_plans("launch_power")
    assert found.name == "test_launch_power.py"
    mine = tmp_path / "mine.py"
    mine.write_text("", encoding="utf-8")
    assert find_plans(str(mine)) == (mine,)


@pytest.mark.parametrize("name", ["nothing", "../launch_power", "LAUNCH_POWER", "", "corners"])
def test_what_is_no_plan_is_told_with_those_there_are(name):
    assert shipped_plans(name) == ()
    with pytest.raises(ValueError, match=r"one of .*full.*launch_power"):
        find_plans(name)


def test_the_digest_does_not_depend_on_the_order(tmp_path):
    one, two = tmp_path / "test_one.py", tmp_path / "test_two.py"
    one.write_text("1", encoding="utf-8")
    two.write_text("2", encoding="utf-8")
    assert plan_digest([one, two]) == plan_digest([two, one]) != plan_digest([one])
    assert plan_file_names([two, one]) == "test_one.py test_two.py"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "full"\ntitle = ""\nplans = ["nothing"]', "there is no plan 'nothing'"),
        ('name = "full"\ntitle = ""\nplans = ["../x"]', "there is no plan '../x'"),
        ('name = "launch_power"\ntitle = ""\nplans = []', "'launch_power' is no name that is free"),
        ('name = "full"\ntitle = ""', "plans: is missing"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text, expected):
    path = tmp_path / "suites.toml"
    path.write_text(f"schema = 1\n[[suite]]\n{text}\n", encoding="utf-8")
    with pytest.raises(TableError) as raised:
        read_suites(path)
    (line,) = raised.value.complaints
    assert expected in line
