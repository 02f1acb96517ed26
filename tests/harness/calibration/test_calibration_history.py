"""Records of a bench: dated, never written over, read back; and what of them proves a driver."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers.interfaces import Identity
from harness.bench_file.history import history_folder, keep, read_history
from harness.bench_file.reading import find_bench_file, load_bench
from harness.calibration.proven import proven_drivers
from harness.run_folder.manifest_of_run import _instruments as instrument_entries

METER = Identity("Keysight Technologies", "N7745C", "DE123", "V1.10")
RECORD = {
    "schema": 1,
    "kind": "prove",
    "at": "2026-03-02T10:00:00+00:00",
    "simulated": False,
    "passed": True,
    "not_safe": [],
    "proven_roles": ["power_meter"],
    "instruments": [
        {
            "role": role,
            "driver": driver,
            "vendor": "Keysight Technologies",
            "model": "N7745C",
            "serial": "DE123",
            "firmware": "V1.10",
        }
        for role, driver in (("power_meter", "keysight-n7745c"), ("thermal", "temptronic-ats545"))
    ],
}


@pytest.fixture
def lab():
    return load_bench(find_bench_file("lab-example"))


def test_nothing_is_written_over(tmp_path):
    first = keep(tmp_path, "prove", RECORD)
    again = keep(tmp_path, "prove", {**RECORD, "passed": False})
    assert [first.name, again.name] == ["prove-20260302T100000Z.json", "prove-20260302T100000Z-2.json"]
    assert json.loads(first.read_text())["passed"] is True


def test_the_history_is_read_the_oldest_first(tmp_path):
    for at in ("2026-03-02T10:00:00+00:00", "2025-12-31T23:00:00+00:00", "2026-03-02T09:59:59+00:00"):
        keep(tmp_path, "zero", {**RECORD, "at": at})
    kept, complaints = read_history(tmp_path, "zero")
    assert [record.at[:13] for record in kept] == ["2025-12-31T23", "2026-03-02T09", "2026-03-02T10"]
    assert complaints == []
    assert read_history(tmp_path, "prove") == ([], [])


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", "{}", '{"schema": 2}', '{"schema": 1, "at": "never"}', "[" * 10_000]
)
def test_what_is_no_record_is_named_and_left_out(tmp_path, text):
    keep(tmp_path, "prove", RECORD)
    (tmp_path / "prove-damaged.json").write_text(text)
    kept, complaints = read_history(tmp_path, "prove")
    assert len(kept) == 1
    assert len(complaints) == 1
    assert "prove-damaged.json" in complaints[0]


def test_where_the_history_is(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert history_folder(lab) == tmp_path / "calibration" / "lab-example"  # not into the installation
    own = replace(lab, path=tmp_path / "benches" / "mine.toml", name="../bench 7")
    assert history_folder(own) == tmp_path / "benches" / "calibration" / "bench-7"
    assert history_folder(own, tmp_path / "elsewhere") == tmp_path / "elsewhere" / "bench-7"


def test_a_passed_proof_covers_the_drivers_that_took_part(lab, tmp_path):
    keep(tmp_path, "prove", RECORD)
    assert proven_drivers(lab, tmp_path) == {("keysight-n7745c", METER)}
    assert ("keysight-n7745c", replace(METER, firmware="V1.11")) not in proven_drivers(lab, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"passed": False},
        {"simulated": True},
        {"not_safe": ["power_supply: output off: no answer"]},
        {"proven_roles": []},
        {"proven_roles": "power_meter"},
        {"instruments": {"power_meter": 1}},
        {"passed": 1},
    ],
)
def test_anything_less_proves_nothing(lab, tmp_path, change):
    keep(tmp_path, "prove", {**RECORD, **change})
    assert proven_drivers(lab, tmp_path) == frozenset()


def test_nothing_proves_a_simulated_bench(tmp_path):
    keep(tmp_path, "prove", RECORD)
    assert proven_drivers(load_bench(find_bench_file("sim-dr4")), tmp_path) == frozenset()


def test_a_run_on_a_proven_bench_says_so(lab, tmp_path):
    spec = replace(lab, path=tmp_path / "bench.toml")
    keep(history_folder(spec), "prove", RECORD)
    identities = {"power_meter": METER, "thermal": replace(METER, model="ATS-545")}
    run = SimpleNamespace(bench=SimpleNamespace(spec=spec, identities=identities))
    entries = instrument_entries(run)
    assert [entry.role for entry in entries if entry.proven_on_hardware] == ["power_meter"]
    assert len(entries) == 6
