"""The journal: what was appended is read back; what was edited, lost, moved or torn is found and named."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.run_folder import journal as journal_module
from harness.run_folder.journal import Journal, JournalError, read_journal
from harness.run_folder.records import Acquisition, Invalid, RunStarted, Skipped, UnknownRecord

RECORDS = [
    RunStarted("run-1", "2026-08-17T14:22:09Z"),
    Skipped("t1", "test_a", "not wired"),
    Invalid("t2", "test_b", "meter silent"),
    Skipped("t3", "test_c", 'odd "text" \\ \n ° \U0001f4a1 \ud800'),
    Skipped("t4", "test_d", "last"),
]


@pytest.fixture
def written(tmp_path):
    """A journal of five records on disk."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(*RECORDS[:2])
    journal.append(RECORDS[2])
    journal.append(*RECORDS[3:])
    journal.close()
    return path


def lines_of(path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def refused(path) -> str:
    with pytest.raises(JournalError) as raised:
        read_journal(path)
    return str(raised.value)


def sealed(content: dict[str, object]) -> tuple[bytes, str]:
    """A line as the journal seals it, made here by hand from the format's description."""
    text = json.dumps(content, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    return text[:-1] + b',"line_sha256":"' + digest.encode() + b'"}\n', digest


def test_records_come_back_in_order(written):
    reading = read_journal(written)
    assert list(reading.records) == RECORDS
    assert reading.torn is False


def test_the_format_is_one_sealed_and_chained_object_a_line(written):
    previous = "0" * 64
    for number, line in enumerate(lines_of(written)):
        assert line.endswith(b"\n")
        content = json.loads(line)
        assert content["seq"] == number
        assert content["prev"] == previous
        assert line.isascii()
        stated = content.pop("line_sha256")
        again, previous = sealed(content)
        assert again == line
        assert stated == previous


def test_an_existing_journal_is_never_opened_again(written):
    with pytest.raises(FileExistsError):
        Journal(written)


def test_records_of_one_append_are_one_write_and_one_sync(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j")
    writes: list[int] = []
    synced: list[int] = []
    real = journal._file

    class Watched:
        def write(self, data):
            writes.append(len(data))
            return real.write(data)

        def fileno(self):
            return real.fileno()

        def close(self):
            real.close()

    journal._file = Watched()
    monkeypatch.setattr(os, "fdatasync", lambda fileno: synced.append(len(writes)))
    journal.append(*RECORDS)
    journal.close()
    assert len(writes) == 1
    assert synced == [1]  # after the write
    assert len(read_journal(journal.path).records) == 5


def test_nothing_to_append_writes_nothing(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append()
    journal.append(RECORDS[0])
    journal.append()
    journal.close()
    assert list(read_journal(journal.path).records) == RECORDS[:1]


# -- damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(5))
def test_an_edited_line_is_named(written, index):
    lines = lines_of(written)
    before = lines[index]
    lines[index] = before.replace(b"t", b"u", 1) if b"t" in before else before
    assert lines[index] != before
    written.write_bytes(b"".join(lines))
    assert f"line {index + 1} is not as it was written" in refused(written)


def test_the_last_line_is_protected_too(written):
    # No later line holds its hash; the run's verdict stands in it.
    lines = lines_of(written)
    lines[-1] = lines[-1].replace(b'"last"', b'"best"')
    written.write_bytes(b"".join(lines))
    assert "line 5 is not as it was written" in refused(written)


@pytest.mark.parametrize("index", range(4))
def test_a_lost_line_is_found_where_the_next_stands(written, index):
    lines = lines_of(written)
    del lines[index]
    written.write_bytes(b"".join(lines))
    message = refused(written)
    assert f"line {index + 1} does not follow the line before it" in message
    assert f"expected record {index}, found {index + 1}" in message


@pytest.mark.parametrize("index", range(4))
def test_two_lines_that_changed_places_are_found(written, index):
    lines = lines_of(written)
    lines[index], lines[index + 1] = lines[index + 1], lines[index]
    written.write_bytes(b"".join(lines))
    assert f"line {index + 1} does not follow the line before it" in refused(written)


def test_a_doubled_line_is_found(written):
    lines = lines_of(written)
    written.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))
    assert "line 3 does not follow the line before it" in refused(written)


def test_a_line_put_in_with_a_seal_of_its_own_breaks_the_chain(written):
    lines = lines_of(written)
    lines[2], _ = sealed(
        {"seq": 2, "prev": "0" * 64, "type": "skipped", "at": "", "test_id": "", "reason": ""}
    )
    written.write_bytes(b"".join(lines))
    assert "line 3 does not follow the line before it" in refused(written)


def test_the_first_line_must_be_the_first(written):
    lines = lines_of(written)
    lines[0], _ = sealed(
        {"seq": 0, "prev": "1" * 64, "type": "skipped", "at": "", "test_id": "", "reason": ""}
    )
    written.write_bytes(lines[0])
    assert "line 1 does not follow the line before it" in refused(written)


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_last_line_is_left_out_and_said(written, cut):
    whole = written.read_bytes()
    written.write_bytes(whole[:-cut])
    reading = read_journal(written)
    assert reading.torn is True
    assert list(reading.records) == RECORDS[:-1]


def test_lines_lost_at_the_end_leave_a_journal_that_is_not_torn(written):
    # As after a crash between two appends: what is there is whole; that the run did not end is seen by the
    # record that is not there.
    written.write_bytes(b"".join(lines_of(written)[:3]))
    reading = read_journal(written)
    assert reading.torn is False
    assert list(reading.records) == RECORDS[:3]


@pytest.mark.parametrize("index", range(4))
def test_a_line_cut_short_in_the_middle_is_named(written, index):
    lines = lines_of(written)
    lines[index] = lines[index][:-30] + b"\n"
    written.write_bytes(b"".join(lines))
    assert f"line {index + 1} is not as it was written" in refused(written)


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"[" * 5000 + b"\n"], ids=range(6)
)
def test_a_line_that_is_no_record_is_named(written, line):
    written.write_bytes(b"".join([*lines_of(written)[:2], line]))
    assert "line 3 is not as it was written" in refused(written)


def test_an_empty_journal_has_no_records(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"")
    assert read_journal(path).records == ()
    assert read_journal(path).torn is False


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "_LONGEST_LINE", 1000)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"x" * 5000)
    assert "line 1 is longer than 1000 bytes" in refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_single_changed_byte_never_goes_unseen(written, position, value):
    whole = written.read_bytes()
    position %= len(whole)
    if whole[position] == value:
        return
    copy = written.with_name("changed.jsonl")
    copy.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
    if position == len(whole) - 1:  # the very last line feed: a torn line
        assert read_journal(copy).torn is True
    else:
        with pytest.raises(JournalError, match=r"line [1-5] "):
            read_journal(copy)


# -- what is not written ------------------------------------------------------------------------------


def _acquisition(value: object) -> Acquisition:
    return Acquisition("a1", "x", 1, "t", 0.0, 0.0, None, None, None, data={"reading": value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_nothing_is_written(tmp_path, value):
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(RECORDS[1], _acquisition([1.0, value]))
    journal.append(RECORDS[2])
    journal.close()
    assert list(read_journal(journal.path).records) == [RECORDS[0], RECORDS[2]]


def test_what_json_does_not_know_is_refused_and_nothing_is_written(tmp_path):
    journal = Journal(tmp_path / "j")
    with pytest.raises(TypeError):
        journal.append(_acquisition(object()))
    journal.append(RECORDS[0])
    journal.close()
    assert list(read_journal(journal.path).records) == RECORDS[:1]


def test_a_record_that_no_reader_would_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "_LONGEST_LINE", 1000)
    journal = Journal(tmp_path / "j")
    with pytest.raises(ValueError, match="too long"):
        journal.append(_acquisition("x" * 2000))
    journal.append(RECORDS[0])
    journal.close()
    assert list(read_journal(journal.path).records) == RECORDS[:1]


class FailingDisk:
    """Takes only part of the first write it is given, or fails it outright."""

    def __init__(self, file, takes: int | None) -> None:
        self._file = file
        self._takes = takes
        self.failed = False

    def write(self, data):
        if self.failed:
            return self._file.write(data)
        self.failed = True
        if self._takes is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data[: self._takes])

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("takes", [0, 1, 150, None])
def test_a_write_that_the_disk_does_not_take_is_told_and_taken_back(tmp_path, takes):
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    journal._file = FailingDisk(journal._file, takes)
    with pytest.raises(OSError, match=r"is the disk full|No space left"):
        journal.append(RECORDS[1], RECORDS[2])
    # The last records of a run still find a journal that can be read.
    journal.append(RECORDS[3])
    journal.close()
    reading = read_journal(journal.path)
    assert list(reading.records) == [RECORDS[0], RECORDS[3]]
    assert reading.torn is False


def test_records_that_were_not_made_durable_are_taken_back(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            journal.append(RECORDS[1])
    journal.append(RECORDS[2])
    journal.close()
    assert list(read_journal(journal.path).records) == [RECORDS[0], RECORDS[2]]


# -- versions -----------------------------------------------------------------------------------------


def test_unknown_records_are_kept_and_unknown_fields_ignored(tmp_path):
    path = tmp_path / "j"
    first, digest = sealed(
        {"seq": 0, "prev": "0" * 64, "type": "run_started", "run_id": "r", "at": "t", "schema_major": 1}
        | {"schema_minor": 7, "colour": "green"}
    )
    second, _ = sealed({"seq": 1, "prev": digest, "type": "weather", "rain": True})
    path.write_bytes(first + second)
    started, weather = read_journal(path).records
    assert started == RunStarted("r", "t", 1, 7)
    assert weather == UnknownRecord({"type": "weather", "rain": True})


@pytest.mark.parametrize("major", [0, 2, "1", None])
def test_a_journal_of_another_major_version_is_refused(tmp_path, major):
    path = tmp_path / "j"
    line, _ = sealed(
        {"seq": 0, "prev": "0" * 64, "type": "run_started", "run_id": "r", "at": "t", "schema_major": major}
    )
    path.write_bytes(line)
    assert f"line 1: the journal is of version {major!r}; this program reads version 1" in refused(path)


def test_a_record_that_misses_a_field_is_named(tmp_path):
    path = tmp_path / "j"
    line, _ = sealed({"seq": 0, "prev": "0" * 64, "type": "skipped", "at": "t", "test_id": "x"})
    path.write_bytes(line)
    assert "line 1: record of type skipped" in refused(path)
    assert "reason" in refused(path)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    batches=st.lists(
        st.lists(st.dictionaries(st.text(max_size=8), _json, max_size=3), max_size=3), max_size=4
    )
)
def test_whatever_is_appended_is_read_back(tmp_path, batches):
    path = tmp_path / "any.jsonl"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    expected = []
    for batch in batches:
        records = [
            Acquisition("a", "n", 1, "t", 0.5, 0.25, None, None, None, data=content) for content in batch
        ]
        journal.append(*records)
        expected += records
    journal.close()
    assert list(read_journal(path).records) == expected
