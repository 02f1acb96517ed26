"""``lanewise plan`` and ``lanewise qualify --dry-run``."""

from __future__ import annotations

import pytest

from fixtures.qualify import main as qualify
from harness.commands.plan import main


def test_plans_and_suites_are_listed(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "launch_power  Launch power of a DR4 transmitter over temperature and supply" in out
    assert "full" in out


def test_a_parameter_is_traced_from_its_clause_to_its_instruments(capsys):
    assert main(["show", "launch_power"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("Average launch power  ")]
    assert "<= 4 dBm (normative, A); >= -2.9 dBm (necessary, A)" in line
    assert "IEEE 802.3 Table 124-6" in line
    assert "launch_power::test_average_launch_power" in line
    assert any(line.startswith("launch_power ") and "power_meter" in line for line in out.splitlines())
    assert "Electrical signals at TP1a and TP4" in out


def test_what_the_bench_cannot_do_is_told(capsys, tmp_path, bench_file):
    path = bench_file(('from = "module.tx3"', 'from = "module.tx5"'))
    assert main(["show", "launch_power", "--bench", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"Skipped on {path}:" in out
    assert "no way from module.tx to power_meter for lane 3" in out
    assert "launch_power (skipped)" in out


@pytest.mark.parametrize(
    "arguments", [["show", "nothing"], ["show", "full", "--pmd", "none"], ["show", "full", "--bench", "x"]]
)
def test_what_is_not_there_is_one_line(arguments, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lanewise plan: ")
    assert "Traceback" not in printed.err


def test_a_dry_run_says_order_and_time_and_opens_nothing(capsys, tmp_path):
    out = tmp_path / "runs"
    assert qualify(["--bench", "sim-dr4", "--dry-run", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if "visit" in line]
    assert len(rows) == 9
    assert rows[0].startswith("0 °C, 3.135 V, visit 1")
    assert all("launch_power, housekeeping, launch_power_off" in row for row in rows)
    assert "if each test were done by itself, lane by lane" in printed
    assert not out.exists()


def test_a_dry_run_of_a_plan_that_cannot_be_read_fails(capsys, tmp_path):
    plan = tmp_path / "test_broken.py"
    plan.write_text("def", encoding="utf-8")
    assert qualify(["--bench", "sim-dr4", "--dry-run", "--plan", str(plan)]) == 2
