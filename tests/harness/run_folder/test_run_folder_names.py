"""Run folders: named after what a module says of itself, and still only ever below where runs go."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.run_folder.folder import (
    JOURNAL,
    RAW,
    RunFolder,
    RunFolderError,
    create_run_folder,
    discard_run_folder,
    safe_name,
)
from harness.run_folder.journal import Journal, JournalError
from harness.run_folder.records import RunStarted, Skipped

HOSTILE = [
    "../../x",
    "/etc/passwd",
    "..",
    ".",
    "",
    "   ",
    "a/b\\c",
    "\0",
    "CON:",
    "x\ny",
    "\u202e\x1b[2J",
    "~root",
    "$(rm -rf)",
    "-rf",
    "é" * 50,
    "A" * 5000,
]


@given(st.text(max_size=60))
@example("../../x")
def test_a_safe_name_is_letters_digits_and_dashes(text):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}", safe_name(text))


@given(st.lists(st.text(alphabet="abcXYZ0189", min_size=1, max_size=6), min_size=1, max_size=5).map("-".join))
def test_what_is_safe_already_keeps_its_words(text):
    assert safe_name(text) == text


def test_known_names():
    assert safe_name("../../x") == "x"
    assert safe_name("LW26000001") == "LW26000001"
    assert safe_name("AB 12/3_4") == "AB-12-3-4"
    assert safe_name("") == safe_name("...") == safe_name("日本") == "unknown"


@pytest.mark.parametrize("serial", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_serial_number_stays_below_the_folder_of_runs(tmp_path, serial):
    parent = tmp_path / "runs"
    path = create_run_folder(parent, stamp="20260817T142209Z", serial=serial, plan=serial)
    assert path.resolve().parent == parent.resolve()
    assert [entry.name for entry in tmp_path.iterdir()] == ["runs"]
    assert (path / RAW).is_dir()
    assert path.name.startswith("20260817T142209Z-")


def test_the_name_tells_time_module_and_plan(tmp_path):
    path = create_run_folder(
        tmp_path / "a" / "b", stamp="20260817T142209Z", serial="SN 1", plan="launch_power"
    )
    assert path == tmp_path / "a" / "b" / "20260817T142209Z-SN-1-launch-power"


def test_folders_never_collide(tmp_path):
    made = [create_run_folder(tmp_path, stamp="t", serial="s", plan="p") for _ in range(5)]
    assert [path.name for path in made] == ["t-s-p", "t-s-p-2", "t-s-p-3", "t-s-p-4", "t-s-p-5"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(["a", "a/", "../a", "A", "b"]), min_size=2, max_size=5))
def test_modules_of_like_names_get_folders_of_their_own(tmp_path, serials):
    made = [create_run_folder(tmp_path, stamp="t", serial=serial, plan="p") for serial in serials]
    assert len(set(made)) == len(made)


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "t-s-p").write_text("mine")
    assert create_run_folder(tmp_path, stamp="t", serial="s", plan="p").name == "t-s-p-2"
    assert (tmp_path / "t-s-p").read_text() == "mine"


def test_names_without_end_are_given_up_on(tmp_path, monkeypatch):
    def exists(*_, **__):
        raise FileExistsError

    monkeypatch.setattr("pathlib.Path.mkdir", lambda path, **options: None if options else exists())
    with pytest.raises(FileExistsError, match="a thousand runs of this name"):
        create_run_folder(tmp_path, stamp="t", serial="s", plan="p")


# -- reading ------------------------------------------------------------------------------------------


def test_a_folder_is_read_by_type(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    journal.append(RunStarted("r", "t"), Skipped("t", "x", "a"), Skipped("t", "y", "b"))
    journal.close()
    folder = RunFolder(tmp_path)
    assert [skipped.test_id for skipped in folder.of_type(Skipped)] == ["x", "y"]
    assert folder.measurements == ()
    assert folder.journal.torn is False


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match=r"is not a run folder: journal\.jsonl is missing"):
        _ = RunFolder(tmp_path).journal


def test_a_damaged_journal_is_told_by_its_line(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b"{}\n")
    with pytest.raises(JournalError, match="line 1"):
        _ = RunFolder(tmp_path).measurements


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    path = create_run_folder(tmp_path, stamp="t", serial="s", plan="p")
    for name in ("run.json", "junit.xml", "engineer.html"):
        (path / name).write_text("x")
    discard_run_folder(path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_is_never_removed(tmp_path):
    path = create_run_folder(tmp_path, stamp="t", serial="s", plan="p")
    (path / JOURNAL).write_bytes(b"")
    with pytest.raises(RunFolderError, match="has a journal and is kept"):
        discard_run_folder(path)
    assert (path / JOURNAL).exists()
