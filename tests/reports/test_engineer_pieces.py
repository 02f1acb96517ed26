"""Pieces for pytest-html's page, tried in pytest-html itself too."""

from __future__ import annotations

import dataclasses
import html
import json
import re

import pytest

from reports.engineer import header_cells, row_cells, summary_html

EVIL = "<script>alert(1)</script>\u202e"


def _cell_text(cell):
    return html.unescape(re.sub(r"<[^>]+>", "", cell)).replace("\u00a0", " ")


def test_a_row_has_value_limit_margin_and_verdict(make_run):
    run = make_run("failing")
    row = next(m for m in run.measurements if m.parameter == "average_launch_power" and m.lane == 3)
    cells = [_cell_text(cell) for cell in row_cells(row)]
    assert cells == [f"−{-row.value:.2f} dBm ± 0.21 dB", "−2.9 to 4 dBm", f"−{-row.margin:.2f} dB", "fail"]


def test_rows_and_header_have_the_same_number_of_cells(make_run):
    assert len(row_cells(None)) == len(row_cells(make_run("good").measurements[0])) == len(header_cells())
    assert [_cell_text(cell) for cell in row_cells(None)] == [""] * 4


def test_the_summary_shows_module_instruments_and_a_table_per_parameter(make_run):
    run = make_run("failing")
    (text,) = summary_html(run.manifest, run.measurements)
    for wanted in (
        "LW400-00017",
        "mOPM-C1",
        "never run on hardware",
        "lane 4",
        "70\u00a0°C, 3.465\u00a0V, visit 3",
        "lw-fail",
        "Average launch power (dBm): −2.9 to 4\u00a0dBm",
        "SIMULATED",
    ):
        assert wanted in text
    assert "http" not in text


def test_foreign_text_is_escaped(make_run):
    run = make_run("good")
    manifest = dataclasses.replace(run.manifest, module={"vendor": EVIL})
    poisoned = dataclasses.replace(run.measurements[0], unit=EVIL, verdict=EVIL, value_text=EVIL)
    pieces = "".join([*summary_html(manifest, [poisoned]), *row_cells(poisoned)])
    assert "<script" not in pieces
    assert "\u202e" not in pieces
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in pieces


@pytest.fixture
def engineer_page(make_run, tmp_path):
    """A page that pytest-html made with the pieces, in a run of its own."""
    import subprocess
    import sys

    run = make_run("failing")
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from harness.run_folder.folder import RunFolder\n"
        "from reports.engineer import header_cells, row_cells, summary_html\n"
        f"RUN = RunFolder(Path({str(run.path)!r}))\n"
        "def pytest_html_results_summary(prefix):\n"
        "    prefix.extend(summary_html(RUN.manifest, RUN.measurements))\n"
        "def pytest_html_results_table_header(cells):\n"
        "    cells[2:2] = header_cells()\n"
        "def pytest_html_results_table_row(cells):\n"
        "    cells[2:2] = row_cells(RUN.measurements[0])\n",
        encoding="utf-8",
    )
    (folder / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:lanewise",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        "--html",
        str(folder / "engineer.html"),
        "--self-contained-html",
        str(folder),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "engineer.html").read_text(encoding="utf-8")


def test_pytest_html_takes_the_pieces(engineer_page):
    assert "Average launch power (dBm)" in engineer_page
    blob = re.search(r'data-jsonblob="([^"]*)"', engineer_page)
    assert blob is not None
    (rows,) = json.loads(html.unescape(blob[1]))["tests"].values()
    assert rows[0]["verdict"] == "pass"
    assert [_cell_text(cell) for cell in rows[0]["resultsTableRow"]][2:6] == [
        "38.60 ± 0.50 %",
        "≤ 100 %",
        "+61.40 %",
        "pass",
    ]
