"""``run.json``: written whole or not at all, read by this version or refused with a reason."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.judging.limits import Force, LimitRow, Rule, StandingRow, When
from harness.run_folder.manifest import (
    InstrumentEntry,
    LayerEntry,
    LimitEntry,
    Manifest,
    ManifestError,
    PathEntry,
    WaiverEntry,
    read_manifest,
)
from harness.run_folder.manifest_of_run import limit_entry


def manifest(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        field.name: {"str": "text °", "int": 3, "bool": True}.get(str(field.type), {})
        for field in dataclasses.fields(Manifest)
    }
    fields |= {
        "corners": [{"visit": 1, "case_temp_c": 25.0, "vcc_v": 3.3}],
        "limits": [LimitEntry("p", "P", "dB", "", "3.4", "A", "normative", "Doc", "standard", "")],
        "limit_layers": [LayerEntry("customer", "C", "c.toml", "00", "Doc", "1", "", applied=True)],
        "waivers": [WaiverEntry("W", "because", "2027-01-31", "", ["p"])],
        "instruments": [
            InstrumentEntry("thermal", "d", "GPIB0::1::INSTR", "V", "M", "S", "1", False, "", {"due": "2027"})
        ],
        "paths": [PathEntry(1, "module.tx1", "power_meter.1", "a > b", 1.67, 0.14)],
        "schema_major": 1,
        "schema_minor": 0,
    }
    return Manifest(**{**fields, **changes})


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "run.json"
    manifest().write(path)
    return path


def refused(path) -> str:
    with pytest.raises(ManifestError) as raised:
        read_manifest(path)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_a_manifest_comes_back(written):
    assert read_manifest(written) == manifest()
    assert written.read_bytes().isascii()
    assert [path.name for path in written.parent.iterdir()] == ["run.json"]


def test_a_number_that_is_none_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        manifest(corners=[{"case_temp_c": math.nan}]).write(tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_what_was_there(written, monkeypatch):
    def fail(_):
        raise OSError(5, "Input/output error")

    before = written.read_bytes()
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        manifest(plan="other").write(written)
    assert written.read_bytes() == before


def test_fields_of_a_newer_minor_version_are_left_out(written):
    content = json.loads(written.read_text())
    content |= {"schema_minor": 9, "weather": "rain"}
    content["instruments"][0]["colour"] = "green"
    content["paths"][0]["length_m"] = 3
    content["limits"][0]["weight"] = "none"
    written.write_text(json.dumps(content))
    assert read_manifest(written) == manifest(schema_minor=9)


def test_missing_and_damaged_manifests(tmp_path):
    path = tmp_path / "run.json"
    assert "cannot be read: No such file" in refused(path)
    path.write_bytes(b"{")
    assert "is not JSON" in refused(path)
    path.write_bytes(b"\xff")
    assert "is not JSON" in refused(path)
    path.write_bytes(b"[" * 100_000)
    assert "is not JSON" in refused(path)
    path.write_bytes(b"[]")
    assert "is not a manifest" in refused(path)


@pytest.mark.parametrize("major", [0, 2, "1", None])
def test_another_major_version_is_refused(written, major):
    content = json.loads(written.read_text()) | {"schema_major": major}
    written.write_text(json.dumps(content))
    assert f"is of version {major!r}; this program reads version 1" in refused(written)


@pytest.mark.parametrize(
    "key",
    [
        f.name
        for f in dataclasses.fields(Manifest)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ],
)
def test_a_missing_field_is_told(written, key):
    content = json.loads(written.read_text())
    del content[key]
    written.write_text(json.dumps(content))
    assert "is not a manifest of version 1" in refused(written)
    assert key in refused(written)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    key=st.sampled_from(["instruments", "paths", "limits", "limit_layers", "waivers"]),
    value=st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_whatever_stands_in_its_lists_nothing_foreign_is_raised(written, key, value):
    content = dataclasses.asdict(manifest()) | {key: value}
    path = written.with_name("damaged.json")
    path.write_text(json.dumps(content))
    with contextlib.suppress(ManifestError):
        assert isinstance(read_manifest(path), Manifest)


# -- limits as people read them -----------------------------------------------------------------------


def row(**changes: object) -> StandingRow:
    fields: dict[str, object] = {
        "parameter": "tdecq",
        "title": "TDECQ",
        "unit": "dB",
        "low": None,
        "high": 3.4,
        "grade": "A",
        "force": Force.NECESSARY,
        "source": "IEEE 802.3, Table 124-6",
        "layer": "standard",
        "note": "",
        "when": None,
    }
    return StandingRow(LimitRow(**{**fields, **changes}), ())


def test_a_row_of_limits_in_words():
    assert limit_entry(row()) == LimitEntry(
        parameter="tdecq",
        title="TDECQ",
        unit="dB",
        low="",
        high="3.4",
        grade="A",
        force="necessary",
        source="IEEE 802.3, Table 124-6",
        layer="standard",
        note="",
    )


def test_numbers_keep_their_digits_and_rules_are_spelled_out():
    entry = limit_entry(row(low=-136.0, high=Rule("max_offset_of", "secq", -5.3, -3.9)))
    assert (entry.low, entry.high) == ("-136", "max(-3.9, secq -5.3)")
    assert limit_entry(row(high=2.4e-4)).high == "0.00024"
    assert limit_entry(row(low=1304.5)).low == "1304.5"
    assert limit_entry(row(low=0.0)).low == "0"


@pytest.mark.parametrize(
    ("when", "note", "expected"),
    [
        (When("er", 5.0, None), "", "when er >= 5"),
        (When("er", None, 5.0), "", "when er < 5"),
        (When("er", 3.5, 5.0), "", "when er >= 3.5 and < 5"),
        (When("er", 5.0, None), "see there", "when er >= 5; see there"),
        (None, "see there", "see there"),
    ],
)
def test_a_condition_stands_in_the_note(when, note, expected):
    assert limit_entry(row(when=when, note=note)).note == expected


def test_lanes_waivers_and_what_a_row_replaced_are_said():
    below = row(layer="standard", force=Force.NORMATIVE).row
    entry = limit_entry(StandingRow(row(lanes=(1, 3), waiver="W-1", edition="2", note="n").row, (below,)))
    assert (entry.note, entry.waiver, entry.edition) == ("lanes 1, 3; n", "W-1", "2")
    assert entry.overrode == "high 3.4 (standard, normative)"
    assert limit_entry(row(lanes=(2,))).note == "lane 2"
