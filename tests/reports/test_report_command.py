"""``lanewise report``."""

from __future__ import annotations

import dataclasses

import pytest

from harness.run_folder.records import Measurement
from reports.command import main


@pytest.mark.parametrize(("kind", "word"), [("good", "pass"), ("failing", "fail"), ("invalid", "invalid")])
def test_it_prints_the_paths_and_the_verdict_and_ends_with_zero(make_run, capsys, kind, word):
    run = make_run(kind)
    assert main([str(run.path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(run.path / "measurements.parquet"),
        str(run.path / "report.html"),
        f"verdict: {word}",
    ]
    assert (run.path / "report.html").stat().st_size > 50_000


def _refused(capsys, path):
    assert main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("lanewise report: ")
    return err


def test_a_folder_that_is_no_run(capsys, tmp_path):
    assert "is not a run folder: run.json is missing" in _refused(capsys, tmp_path)
    assert "there is no such folder" in _refused(capsys, tmp_path / "nowhere")


def test_a_missing_journal(make_run, capsys):
    run = make_run("good")
    (run.path / "journal.jsonl").unlink()
    assert "journal.jsonl is missing" in _refused(capsys, run.path)


def test_a_damaged_manifest(make_run, capsys):
    run = make_run("good")
    (run.path / "run.json").write_text('{"schema_major": 9}', encoding="ascii")
    assert "is of version 9; this program reads version 1" in _refused(capsys, run.path)


def test_an_edited_journal_is_refused_with_its_line(make_run, capsys):
    run = make_run("failing")
    path = run.path / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[5] = lines[5].replace(b'"lane":1', b'"lane":2')
    path.write_bytes(b"\n".join(lines))
    assert "line 6 is not as it was written" in _refused(capsys, run.path)
    assert not (run.path / "report.html").exists()


def test_a_record_of_wrong_types(make_run, capsys):
    def damage(record):
        return dataclasses.replace(record, verdict=7) if isinstance(record, Measurement) else record

    assert "line 3: field 'verdict' is not str: 7" in _refused(capsys, make_run("good", edit=damage).path)


def test_a_journal_that_is_newer_than_this_program_is_still_read(make_run):
    from harness.run_folder.records import UnknownRecord

    run = make_run("good", extra=(UnknownRecord({"type": "hologram", "depth": [1, {"a": None}]}),))
    assert main([str(run.path)]) == 0
