"""The matrix: what it says is there, and what is wrong with one is told."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bench_file.reading import find_bench_file, load_bench
from harness.judging.pmd import pmd_by_name
from harness.planning.matrix import MATRIX_FILE, matrix, read_matrix
from harness.planning.offered import missing
from harness.tables import TableError
from harness.wiring import Wiring

LANES = (1, 2, 3, 4)
TEXT = MATRIX_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", matrix().acquisitions, ids=lambda row: row.name)
def test_every_acquisition_is_there_and_takes_what_it_is_given(row):
    module, _, name = row.target.partition(":")
    acquire = getattr(importlib.import_module(module), name)
    assert inspect.getdoc(acquire)
    arguments = [object(), LANES, {}] if row.after else [object(), LANES]
    inspect.signature(acquire).bind(*arguments)
    assert row.measures
    assert row.title
    assert row.time_s > 0.0


def test_the_order_of_the_file_is_the_order_at_a_corner():
    found = matrix()
    places = [found.place([row.fixture]) for row in found.acquisitions]
    assert places == list(range(len(found.acquisitions)))
    assert found.place(["run", "judge"]) == -1
    assert found.named("launch_power").time_s < found.named("launch_power_off").time_s


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "housekeeping"', 'name = "launch_power"', "acquisition.launch_power: is there twice"),
        ('after = ["launch_power"]', 'after = ["later"]', "comes after later, which must stand before it"),
        ('roles = ["power_meter"]', 'roles = ["power_metre"]', "is not one of"),
        ('ways = ["module.tx -> power_meter"]', 'ways = ["module.tx"]', "is not a way such as"),
        ('fixture = "launch_power_off"', 'fixture = "launch_power"', "launch_power is measured twice"),
        ('time = "1.5 s"', 'time = "1.5 m"', "acquisition[2].time"),
        ('target = "harness.acquisitions.launch_power:launch_power"', 'target = "os:system x"', "form"),
        ('per = "module"', 'per = "fibre"', "'fibre' is not one of"),
        ('chamber_move = "120 s"', 'chamber_moves = "120 s"', "estimates"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, old, new, expected):
    assert old in TEXT
    path = tmp_path / "matrix.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TableError, match=r"matrix\.toml") as raised:
        read_matrix(path)
    assert any(expected in line for line in raised.value.complaints)


def test_what_a_bench_lacks_is_the_reason():
    spec = load_bench(find_bench_file("sim-dr4"))
    pmd = pmd_by_name("400GBASE-DR4")
    row = matrix().named("launch_power")
    assert missing(spec, pmd, row, LANES) == ""
    assert missing(spec, pmd, replace(row, roles=("oscilloscope", "bert")), LANES) == (
        "the bench sim-dr4 has no oscilloscope and no bert"
    )
    fibres = [fibre for fibre in spec.wiring.fibres if str(fibre.start) != "module.tx3"]
    cut = replace(spec, wiring=Wiring(fibres, spec.wiring.passes))
    assert missing(cut, pmd, row, LANES) == (
        "the bench sim-dr4 has no way from module.tx to power_meter for lane 3"
    )
    dark = replace(spec, wiring=Wiring([], spec.wiring.passes))
    assert missing(dark, pmd, row, LANES).endswith("to power_meter for any lane")
