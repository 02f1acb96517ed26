"""``measurements.parquet``: the journal's measurement rows as a table. The one place that uses pyarrow.

A cache: deleted, it is made again from the journal, byte for byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.run_folder.folder import MEASUREMENTS, RunFolder
from harness.run_folder.records import SCHEMA_MAJOR, SCHEMA_MINOR, Measurement
from reports.checked import check_run
from reports.files import replaced

_TEXT, _INTEGER, _NUMBER = pa.string(), pa.int64(), pa.float64()
# Name and type of every column, in the order of the record. Only what a row may lack can be null.
_COLUMNS: tuple[tuple[str, Any, bool], ...] = (
    ("run_id", _TEXT, False),
    ("module_sn", _TEXT, False),
    ("plan", _TEXT, False),
    ("test_id", _TEXT, False),
    ("parameter", _TEXT, False),
    ("kind", _TEXT, False),
    ("lane", _INTEGER, True),
    ("host_lane", _INTEGER, True),
    ("visit", _INTEGER, True),
    ("case_temp_c", _NUMBER, True),
    ("case_temp_measured_c", _NUMBER, True),
    ("vcc_v", _NUMBER, True),
    ("plane", _TEXT, False),
    ("detector", _TEXT, False),
    ("conditions", _TEXT, False),
    ("value", _NUMBER, True),
    ("value_text", _TEXT, False),
    ("unit", _TEXT, False),
    ("uncertainty", _NUMBER, True),
    ("low", _NUMBER, True),
    ("high", _NUMBER, True),
    ("limit_source", _TEXT, False),
    ("limit_grade", _TEXT, False),
    ("limit_force", _TEXT, False),
    ("limit_layer", _TEXT, False),
    ("waiver", _TEXT, False),
    ("decision_rule", _TEXT, False),
    ("margin", _NUMBER, True),
    ("verdict", _TEXT, False),
    ("attempt", _INTEGER, False),
    ("acquired_at", _TEXT, False),
    ("acquisition_id", _TEXT, False),
)
COLUMN_NAMES = tuple(name for name, _, _ in _COLUMNS)


def write_measurements(run: RunFolder) -> Path:
    """Write ``measurements.parquet`` from the run's journal; ``conditions`` is a JSON string.

    :raises ReportError: when a record is not of its types.
    :raises JournalError, ManifestError, RunFolderError: when the folder is damaged or is no run.
    :raises OSError: when it cannot be written.
    """
    check_run(run)
    path = run.path / MEASUREMENTS
    schema = pa.schema(
        [pa.field(name, kind, nullable=nullable) for name, kind, nullable in _COLUMNS],
        metadata={
            "lanewise.schema": f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}",
            "lanewise.run_id": _utf8(run.manifest.run_id),
        },
    )
    table = pa.Table.from_pylist([_row(measurement) for measurement in run.measurements], schema=schema)
    with replaced(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return path


def _row(measurement: Measurement) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, kind, _ in _COLUMNS:
        value = getattr(measurement, name)
        if name == "conditions":
            value = json.dumps(value, sort_keys=True, ensure_ascii=True)
        row[name] = _utf8(value) if kind is _TEXT else value
    return row


def _utf8(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate, which JSON can smuggle in, is shown as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
