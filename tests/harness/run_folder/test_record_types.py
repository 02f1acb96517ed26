"""Records: what is written down comes back; older and newer files open; nothing foreign is raised."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.run_folder import records
from harness.run_folder.records import (
    Acquisition,
    AirTrimmed,
    BringUp,
    CornerReached,
    Invalid,
    Measurement,
    Record,
    RecordError,
    RunFinished,
    RunStarted,
    SafeState,
    Skipped,
    UnknownRecord,
    record_from_json,
)

KINDS: dict[str, type[Record]] = {
    "run_started": RunStarted,
    "bring_up": BringUp,
    "corner_reached": CornerReached,
    "air_trimmed": AirTrimmed,
    "acquisition": Acquisition,
    "measurement": Measurement,
    "skipped": Skipped,
    "invalid": Invalid,
    "safe_state": SafeState,
    "run_finished": RunFinished,
}

_floats = st.floats(allow_nan=False, allow_infinity=False)
_values = {
    "str": st.text(max_size=20),
    "int": st.integers(-(2**53), 2**53),
    "float": _floats,
    "bool": st.booleans(),
    "int | None": st.none() | st.integers(1, 8),
    "float | None": st.none() | _floats,
    "dict[str, int]": st.dictionaries(st.text(max_size=5), st.integers(0, 99), max_size=3),
    "dict[str, Any]": st.dictionaries(st.text(max_size=5), _floats | st.text(max_size=5), max_size=3),
    "list[dict[str, Any]]": st.lists(st.dictionaries(st.text(max_size=5), _floats, max_size=2), max_size=2),
}


def _of(kind: type[Record]) -> st.SearchStrategy[Record]:
    return st.builds(kind, **{field.name: _values[str(field.type)] for field in dataclasses.fields(kind)})


any_record = st.sampled_from(sorted(KINDS)).flatmap(lambda name: _of(KINDS[name]))


def test_every_record_type_is_known_to_the_reader():
    declared = {
        value
        for value in vars(records).values()
        if isinstance(value, type) and issubclass(value, Record) and value not in {Record, UnknownRecord}
    }
    assert declared == set(KINDS.values())
    assert {name: kind.TYPE for name, kind in KINDS.items()} == {name: name for name in KINDS}


@settings(max_examples=30, deadline=None)
@given(any_record)
def test_a_record_comes_back_through_json(record):
    assert record_from_json(json.loads(json.dumps(record.to_json()))) == record


@settings(max_examples=30, deadline=None)
@given(any_record, st.dictionaries(st.text(min_size=1, max_size=9).map("new_{}".format), _floats, min_size=1))
def test_fields_of_a_newer_minor_version_are_ignored(record, more):
    assert record_from_json({**record.to_json(), **more}) == record


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_field_is_named(name):
    kind = KINDS[name]
    whole = {field.name: None for field in dataclasses.fields(kind)}
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    assert needed
    for missing in needed:
        content = {"type": name, **{key: value for key, value in whole.items() if key != missing}}
        with pytest.raises(RecordError, match=f"record of type {name}: .*'{missing}'"):
            record_from_json(content)


def test_fields_with_a_default_may_lack_in_older_files():
    assert record_from_json({"type": "run_started", "run_id": "r", "at": "t"}) == RunStarted("r", "t", 1, 0)
    old = record_from_json({"type": "bring_up", "at": "t", "bench_time_s": 1.0, "ok": True, "stopped_by": ""})
    assert old == BringUp("t", 1.0, ok=True, stopped_by="", steps=[])


@settings(max_examples=30, deadline=None)
@given(
    st.text(max_size=12).filter(lambda name: name not in KINDS),
    st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=5), max_size=4),
)
def test_a_record_of_an_unknown_type_is_kept_as_it_was(name, content):
    whole = {**content, "type": name}
    record = record_from_json(whole)
    assert isinstance(record, UnknownRecord)
    assert record.to_json() == whole


@pytest.mark.parametrize(
    "content", [{}, {"type": None}, {"type": 3}, {"type": ["skipped"]}, {"kind": "skipped"}]
)
def test_a_record_without_a_type(content):
    with pytest.raises(RecordError, match="has no type"):
        record_from_json(content)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["type", "at", "reason", "test_id", "role"]), st.text() | st.integers())
)
def test_any_object_is_a_record_or_a_record_error(content):
    with contextlib.suppress(RecordError):
        assert isinstance(record_from_json(content), Record)
