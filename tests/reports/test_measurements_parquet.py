"""``measurements.parquet``: what another program reads from it."""

from __future__ import annotations

import dataclasses
import json

import pyarrow.parquet as pq
import pytest

from harness.run_folder.records import Measurement
from reports.checked import ReportError
from reports.parquet import COLUMN_NAMES, write_measurements


def test_the_columns_are_the_fields_of_a_measurement():
    assert tuple(field.name for field in dataclasses.fields(Measurement)) == COLUMN_NAMES


def test_every_row_comes_back_as_it_was_judged(make_run):
    run = make_run("failing")
    table = pq.read_table(write_measurements(run))
    rows = table.to_pylist()
    assert len(rows) == len(run.measurements) == 127
    for row, measurement in zip(rows, run.measurements, strict=True):
        expected = {name: getattr(measurement, name) for name in COLUMN_NAMES}
        assert {**row, "conditions": json.loads(row["conditions"])} == expected
    assert table.schema.metadata[b"lanewise.run_id"] == run.manifest.run_id.encode()


def test_types_do_not_depend_on_what_the_rows_hold(make_run):
    def without_lanes(record):
        return None if isinstance(record, Measurement) else record

    empty = pq.read_schema(write_measurements(make_run("good", edit=without_lanes)))
    full = pq.read_schema(write_measurements(make_run("good")))
    assert empty.equals(full)
    assert str(full.field("lane").type) == "int64"
    assert str(full.field("value").type) == "double"
    assert str(full.field("conditions").type) == "string"


def test_a_lone_surrogate_is_kept_as_its_escape(make_run):
    def smuggle(record):
        return (
            dataclasses.replace(record, module_sn="A\ud800B") if isinstance(record, Measurement) else record
        )

    table = pq.read_table(write_measurements(make_run("good", edit=smuggle)))
    assert set(table["module_sn"].to_pylist()) == {"A\\ud800B"}


@pytest.mark.parametrize(
    ("field", "value"), [("value", "high"), ("lane", 1.5), ("lane", True), ("conditions", []), ("unit", None)]
)
def test_a_record_of_wrong_types_is_refused_with_its_line(make_run, field, value):
    def damage(record):
        if isinstance(record, Measurement) and record.parameter == "bring_up_time":
            return dataclasses.replace(record, **{field: value})
        return record

    run = make_run("good", edit=damage)
    with pytest.raises(ReportError, match=rf"line 3: field '{field}' is not "):
        write_measurements(run)
    assert not (run.path / "measurements.parquet").exists()
    assert not list(run.path.glob(".*"))
