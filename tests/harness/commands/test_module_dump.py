"""``lanewise module dump``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.cmis.dump import FORMS as LIBRARY_FORMS
from drivers.cmis.dump import load_dump
from drivers.cmis.image import MemoryImage
from harness.commands.module import main
from harness.commands.module.dump import FORMS

Captured = pytest.CaptureFixture[str]


def test_the_forms_are_those_of_the_library() -> None:
    assert tuple(FORMS) == LIBRARY_FORMS


def test_a_live_module_goes_into_a_file_and_is_decoded_from_it(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "sim.json"
    assert main(["dump", "sim-dr4", "--out", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "lower, 00h, 01h, 02h, 10h, 11h, 13h, 14h" in printed.err
    assert "flags were not read, as that clears them" in printed.err
    dump = load_dump(path)
    assert dump.module["serial_number"] == "LW26000001"
    assert "lower:8-13" in [str(span) for span in dump.image.unread()]
    assert main(["decode", str(path)]) == 0
    assert "LW-400G-DR4-SIM" in capsys.readouterr().out


def test_with_flags_nothing_but_passwords_is_left_unread(tmp_path: Path) -> None:
    path = tmp_path / "sim.bin"
    assert main(["dump", "sim-dr4", "--flags", "--out", str(path)]) == 0
    assert [str(span) for span in load_dump(path).image.unread()] == ["lower:118-125"]


def test_without_a_file_it_is_json_on_standard_output(dump_file: Path, capsys: Captured) -> None:
    assert main(["dump", str(dump_file)]) == 0
    assert set(json.loads(capsys.readouterr().out)["pages"]) == {"lower", "00h", "01h", "02h", "10h", "11h"}


@pytest.mark.parametrize("form", FORMS)
def test_a_dump_goes_into_every_other_form_and_back(
    form: str, dump_file: Path, tmp_path: Path, image: MemoryImage
) -> None:
    path = tmp_path / "copy.dump"
    pages = ["--pages", "00h-02h"] if form == "raw" else []  # which has no way to leave pages out
    assert main(["dump", str(dump_file), "--format", form, "--out", str(path), *pages]) == 0
    copy = load_dump(path).image
    assert list(copy.pages()) == ([(0, 0), (0, 1), (0, 2)] if pages else list(image.pages()))
    for bank, page in copy.pages():
        assert copy.get(bank, page, 128, 128) == image.get(bank, page, 128, 128)
    assert copy.get(0, 0, 0, 128) == image.get(0, 0, 0, 128)


def test_a_file_is_not_overwritten_unless_forced(dump_file: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "kept.json"
    path.write_text("mine")
    assert main(["dump", str(dump_file), "--out", str(path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["dump", str(dump_file), "--out", str(path), "--force"]) == 0
    assert load_dump(path).image.has(0, 0x11)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["kept.json", "module.json"]


def test_pages_that_the_module_does_not_have_are_told(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "some.json"
    assert main(["dump", "sim-dr4", "--pages", "11h,30h", "--out", str(path)]) == 2
    error = capsys.readouterr().err
    assert "page 30h: fell back" in error
    assert "not in the dump: pages 30h" in error
    assert load_dump(path).image.has(0, 0x11)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pages", "11"], None),
        (["--pages", "11h-10h"], "11h or 11h-14h"),
        (["--pages", "lower"], "11h or 11h-14h"),
        (["--banks", "256"], "0..255"),
        (["--out", "dump.doc"], ".json"),
        (["--out", "no/such/folder/dump.json"], "No such file or directory"),
        (["--out", "raw.raw", "--format", "raw"], "raw"),
        (["--flags"], "--flags"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str],
    words: str | None,
    dump_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["dump", str(dump_file), *arguments])
    error = capsys.readouterr().err
    if words is None:
        assert code == 0
        return
    assert code == 2
    assert words in error
    assert "Traceback" not in error
    assert [item.name for item in tmp_path.iterdir()] == ["module.json"]
