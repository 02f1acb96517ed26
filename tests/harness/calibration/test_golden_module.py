"""The golden module's launch power against its history: within the drift limit or not, and what to do."""

from __future__ import annotations

import json

import pytest

from drivers.cmis.module import ModuleIdentity
from harness.bench_file.history import Kept
from harness.calibration.checks import Outcome
from harness.calibration.golden import GoldenReading, baseline_of, compare, of_module

BENT = '[[simulation.fault]]\nkind = "bent_fibre"\nport = "power_meter.2"\nloss = "1 dB"\nat = "0 s"'


def test_baseline_then_as_before_then_moved(bench_command, changed_bench):
    good = changed_bench()
    first = bench_command("golden", good)
    assert first.code == 0, first.printed + first.complained
    assert first.printed.splitlines()[-1].startswith("BASELINE of module ")
    assert (first.records[0]["baseline"], first.records[0]["checks"]) == (True, [])
    again = bench_command("golden", good)
    assert again.code == 0, again.printed
    assert again.printed.splitlines()[-1] == "AS BEFORE (SIMULATED)"
    before = {path: path.read_bytes() for path in again.paths}
    moved = bench_command("golden", changed_bench(more=BENT))
    assert moved.code == 2
    assert moved.printed.splitlines()[-1] == "MOVED (SIMULATED)"
    assert "Clean the module's MPO" in moved.printed
    assert {path: path.read_bytes() for path in before} == before
    last = next(json.loads(path.read_text()) for path in moved.paths if path not in before)
    assert last["compared_with"] == first.paths[0].name
    wrong = [check for check in last["checks"] if check["outcome"] == "failed"]
    assert [check["subject"] for check in wrong] == ["module.tx2"]
    numbers = wrong[0]["numbers"]
    assert numbers["power_dbm"] - numbers["baseline_dbm"] == pytest.approx(-1.0, abs=0.05)


IDENTITY = ModuleIdentity(
    "QSFP-DD",
    0x18,
    "5.2",
    "Example",
    "",
    "PN-1",
    "A",
    "G1",
    "260101",
    6,
    10.0,
    "MPO 1x12",
    "SMF",
    "",
    "1.0",
    False,
)


def reading(*powers_dbm: float, case_c: float = 35.0) -> GoldenReading:
    return GoldenReading(IDENTITY, dict(enumerate(powers_dbm, start=1)), case_c)


def record(tmp_path, **changes) -> Kept:
    content = {
        "at": "2026-01-02T03:04:05+00:00",
        "simulated": False,
        "baseline": True,
        "module": {"serial_number": "G1"},
        "launched_dbm": {"1": 1.0, "2": 2.0},
        "case_temp_c": 35.0,
        "instruments": [{"role": "power_meter", "serial": "DE1"}],
    }
    return Kept(tmp_path / "golden.json", {**content, **changes})


def outcomes(checks):
    return {check.subject: check.outcome for check in checks}


def test_a_lane_may_move_by_the_limit_and_no_more(tmp_path):
    checks = compare(reading(1.29, 1.69), "DE1", record(tmp_path), drift_db=0.3)
    assert outcomes(checks) == {"module.tx1": Outcome.PASSED, "module.tx2": Outcome.FAILED}
    assert "-0.31 dB from the baseline of 2026-01-02" in checks[1].found


@pytest.mark.parametrize(
    ("now", "meter", "changes", "subject"),
    [
        ((1.0, 2.0, 38.5), "DE1", {}, "case_sensor"),
        ((1.0, 2.0, 35.0), "DE2", {}, "power_meter"),
        ((1.0, 2.0, 35.0), "DE1", {"case_temp_c": None}, "case_sensor"),
        ((1.0, 2.0, 35.0), "DE1", {"instruments": 3}, "power_meter"),
        ((1.0, 2.0, 35.0), "DE1", {"launched_dbm": {"1": 1.0}}, "module.tx2"),
        ((1.0, 2.0, 35.0), "DE1", {"launched_dbm": {"1": 1.0, "2": "2.0"}}, "module.tx2"),
    ],
)
def test_what_cannot_be_compared_fails(tmp_path, now, meter, changes, subject):
    checks = compare(reading(*now[:2], case_c=now[2]), meter, record(tmp_path, **changes))
    assert [name for name, outcome in outcomes(checks).items() if outcome is Outcome.FAILED] == [subject]
    assert all(check.advice for check in checks if check.outcome is Outcome.FAILED)


def test_the_baseline_is_the_last_that_was_declared_of_this_module(tmp_path):
    old, new = record(tmp_path), record(tmp_path, launched_dbm={"1": 3.0})
    other = record(tmp_path, module={"serial_number": "G2"})
    simulated, plain = record(tmp_path, simulated=True), record(tmp_path, baseline=False)
    broken = record(tmp_path, module="G1")
    history = [old, new, plain, other, simulated, broken]
    assert of_module(history, "G1", simulated=False) == [old, new, plain]
    assert baseline_of(of_module(history, "G1", simulated=False)) is new
    assert baseline_of([plain]) is None
