"""Pieces for pytest-html's page, the engineer's view of a run: HTML strings that are safe to insert.

pytest-html 4.x takes lists of HTML strings: ``prefix`` in ``pytest_html_results_summary``, ``cells`` in
``pytest_html_results_table_header`` and ``..._table_row``. A row must have as many cells as the header.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import escape

from harness.run_folder.manifest import Manifest
from harness.run_folder.records import Measurement
from reports import sections
from reports.environment import environment
from reports.grid import cell_of, full_value, grids, margin_words
from reports.text import interval, visible


def summary_html(manifest: Manifest, measurements: Sequence[Measurement]) -> list[str]:
    """For ``prefix``: module, instruments, and a lane by corner table of every parameter with limit, margin
    and verdict. Brings its own style sheet."""
    text = (
        environment()
        .get_template("engineer.html.j2")
        .render(
            manifest=manifest,
            module_rows=sections.module_rows(manifest.module),
            grids=grids(measurements, manifest.limits),
        )
    )
    return [text]


def header_cells() -> list[str]:
    """The ``<th>`` cells that go with :func:`row_cells`."""
    return [
        '<th class="col-lanewise">Value</th>',
        '<th class="col-lanewise">Limit</th>',
        '<th class="col-lanewise">Margin</th>',
        '<th class="sortable" data-column-type="verdict">Verdict</th>',
    ]


def row_cells(measurement: Measurement | None) -> list[str]:
    """Value, limit, margin and verdict of a test's measurement as ``<td>`` cells; empty ones without."""
    if measurement is None:
        return [_td(""), _td(""), _td(""), '<td class="col-verdict"></td>']
    cell = cell_of(measurement)
    return [
        _td(full_value(cell)),
        _td(interval(measurement.low, measurement.high, measurement.unit)),
        _td(margin_words(cell) if cell.margin else ""),
        f'<td class="col-verdict lw-{escape(cell.style.css)}">{escape(visible(cell.style.word))}</td>',
    ]


def _td(text: str) -> str:
    return f'<td class="col-lanewise">{escape(visible(text))}</td>'
