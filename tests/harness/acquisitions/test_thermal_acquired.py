"""Cold starts, ways, visits and power cycles on the simulated bench, against what its world knows."""

from __future__ import annotations

import dataclasses

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from harness.acquisitions.housekeeping import housekeeping
from harness.acquisitions.launch_power import launch_power
from harness.acquisitions.thermal import definition
from harness.acquisitions.thermal.definition import read_definition, thermal_definition
from harness.acquisitions.thermal.power_cycles import power_cycles
from harness.acquisitions.thermal.visit import thermal_visit
from harness.acquisitions.thermal.warm_up import warm_up
from harness.acquisitions.thermal.way import go_watched, way
from harness.bench_file.reading import find_bench_file, load_bench, with_simulation
from harness.conditions.corner import Corner
from harness.judging.limits import limits_of_pmd
from harness.judging.measured import Checked, Measured, NotOffered
from harness.opening import open_bench
from harness.run import RanAwayError, Run
from harness.run_folder.folder import RunFolder
from harness.run_folder.manifest_of_run import build_manifest
from harness.run_folder.records import Acquisition, Measurement
from harness.tables import TableError

LANES = (1, 2, 3, 4)
MILD, WARM = Corner(1, 25.0, 3.3), Corner(2, 50.0, 3.3)


class OnABench:
    """A run on the shipped bench, its module up."""

    def __init__(self, out, *, module="good-dr4", seed=1):
        spec = with_simulation(load_bench(find_bench_file("sim-dr4")), module=str(module), seed=seed)
        self.bench = open_bench(spec, StopFlag())
        self.run = Run(self.bench, limits_of_pmd("400GBASE-DR4"), plan="thermal", out=out)
        self.run.power_and_identify()
        self.run.begin(build_manifest(self.run, plan_files=(), items=1, corners=(), lanes=LANES))
        result, _ = self.run.bring_up("400GBASE-DR4")
        assert result.ok

    def visit(self, corner):
        reached = go_watched(self.run, corner, LANES)
        power = launch_power(self.run, LANES)
        before = {"launch_power": power, "housekeeping": housekeeping(self.run)}
        return reached, before

    def records(self, kind):
        return RunFolder(self.run.folder).of_type(kind)


@pytest.fixture
def on_a_bench(tmp_path):
    made = []

    def make(**options):
        made.append(OnABench(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for one in made:
        one.run.finish("completed")


def profile(tmp_path, text):
    path = tmp_path / "module.toml"
    path.write_text(f'extends = "good-dr4"\n{text}', encoding="utf-8")
    return path


def test_a_visit_and_the_way_to_it(on_a_bench):
    lab = on_a_bench()
    _, before = lab.visit(MILD)
    first = thermal_visit(lab.run, LANES, before)
    # Nothing to compare the first visit of a temperature with.
    assert isinstance(first.of("launch_power_hysteresis", 1), NotOffered)
    truth_ma = [monitor.bias_ma for monitor in lab.run.module.lane_monitors()[:4]]
    for lane in LANES:
        bias = first.of("tx_bias", lane)
        assert isinstance(bias, Measured)
        assert bias.value == pytest.approx(truth_ma[lane - 1], rel=0.01)
        assert bias.uncertainty == pytest.approx(2.0 * 0.1 * bias.value / 3.0**0.5)
    drawn = first.of("power_class_consumption")
    assert isinstance(drawn, Measured)
    assert drawn.facts["power_class_w"] == 10.0  # class 5
    flags, alarm = first.of("temperature_flags"), first.of("high_temperature_alarm")
    assert isinstance(flags, Checked)
    assert flags.passed
    assert isinstance(alarm, NotOffered)
    assert "high alarm is at 80 C" in alarm.reason
    assert "the module allows 70 C" in alarm.reason

    moves = lab.run.conditioner.chamber_moves
    _, before = lab.visit(WARM)
    assert lab.run.conditioner.chamber_moves == moves + 1
    seen = way(lab.run, LANES, before)
    line = seen.record.data["timeline"]
    assert line[0]["case_c"] < 27.0 < 49.0 < line[-1]["case_c"]
    assert len(line) > 10
    assert [look["at_s"] for look in line] == sorted(look["at_s"] for look in line)
    for lane in LANES:
        low, high = (seen.of(f"way_{side}_power", lane) for side in ("lowest", "highest"))
        step, beyond = (seen.of(f"way_power_{what}", lane) for what in ("step", "excursion"))
        here = before["launch_power"].of("average_launch_power", lane)
        assert low.value - 0.1 <= here.value <= high.value + 0.1
        assert high.value - low.value < 0.5  # as far as the laser's control lets it move
        assert 0.0 <= beyond.value < 0.1
        assert 0.0 < step.value < 0.1

    _, before = lab.visit(Corner(3, 25.0, 3.3))
    back = thermal_visit(lab.run, LANES, before)
    for lane in LANES:
        change = back.of("launch_power_hysteresis", lane)
        assert isinstance(change, Measured)
        # The simulated module has none.
        assert abs(change.value) <= change.uncertainty
        assert change.uncertainty < 0.1
        assert change.conditions["first_visit"] == 1


def test_a_way_that_nobody_watched_is_the_benchs_fault(on_a_bench):
    lab = on_a_bench()
    lab.run.go_to(MILD)
    with pytest.raises(BenchError, match="nothing was watched on the way to visit 1"):
        way(lab.run, LANES)


def test_a_cold_start_ends_stable_and_up(on_a_bench):
    lab = on_a_bench()
    lab.visit(MILD)
    found = warm_up(lab.run, LANES)
    wanted = thermal_definition()
    data = found.record.data
    assert found.of("warm_up_stable").passed
    assert found.record.duration_s > wanted.cold_off_s
    # From the supply on, not from the bring-up: that takes its time first.
    assert 5.0 < found.of("warm_up_time").value < 60.0
    assert data["at_s"][-1] - found.of("warm_up_time").value >= wanted.stable.over_s
    for lane in LANES:
        drift = found.of("tx_drift", lane)
        levels = data["at_tp2_dbm"][str(lane)]
        assert drift.value == pytest.approx(levels[0] - levels[-1], abs=0.05)
        assert abs(drift.value) < 0.1
    lab.run.require_module_up()
    assert abs(lab.bench.case_sensor.read_case_c() - 25.0) <= 1.0


def test_a_laser_that_wanders_is_not_stable(on_a_bench, tmp_path, monkeypatch):
    short = dataclasses.replace(thermal_definition().stable, time_limit_s=40.0)
    monkeypatch.setattr(
        "harness.acquisitions.thermal.warm_up.thermal_definition",
        lambda: dataclasses.replace(thermal_definition(), stable=short),
    )
    lab = on_a_bench(module=profile(tmp_path, "[transmitter]\nwander_db = 0.3\n"))
    lab.visit(MILD)
    found = warm_up(lab.run, LANES)
    stable = found.of("warm_up_stable")
    assert isinstance(stable, Checked)
    assert not stable.passed
    assert "not stable within 40 s" in stable.text
    assert isinstance(found.of("tx_drift", 1), NotOffered)


def test_power_cycles_come_up_with_their_light(on_a_bench):
    lab = on_a_bench()
    lab.visit(MILD)
    found = power_cycles(lab.run, LANES, count=2)
    assert found.of("power_cycles").passed
    assert "2 of 2 cycles" in found.of("power_cycles").text
    assert found.of("power_cycle_failures").value == 0.0
    for lane in LANES:
        assert abs(found.of("power_cycle_light_change", lane).value) < 0.1
    lab.run.require_module_up()


def test_a_module_that_runs_away_is_without_supply_long_before_harm(on_a_bench, tmp_path):
    lab = on_a_bench(module=profile(tmp_path, "[power]\nleakage_w = 0.2\n"))
    lab.run.go_to(MILD)
    with pytest.raises(RanAwayError, match="ran away and was switched off"):
        lab.run.go_to(Corner(2, 70.0, 3.3))
    assert not lab.bench.power_supply.output_is_on(1)
    (record,) = [one for one in lab.records(Acquisition) if one.name == "thermal_runaway"]
    line = record.data["timeline"]
    assert max(look["case_c"] for look in line) < 72.0
    assert max(look["power_w"] for look in line) < 13.0
    assert all(step["safe"] for step in record.data["made_safe"])
    (row,) = [one for one in lab.records(Measurement) if one.parameter == "thermal_runaway"]
    assert row.verdict == "fail"
    # It stays without, whatever is asked for.
    with pytest.raises(RanAwayError):
        lab.run.watch_heat()


def test_the_definition_is_checked(tmp_path):
    path = tmp_path / "thermal.toml"
    text = definition.DEFINITION_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('over = "20 s"', 'over = "3 s"').replace("count = 5", "count = 0"))
    with pytest.raises(TableError) as caught:
        read_definition(path)
    assert "stable.over" in str(caught.value)
    assert "power_cycles.count" in str(caught.value)
