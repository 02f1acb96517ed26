"""``lanewise module profile``: a dump becomes a profile."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from drivers.cmis.dump import load_dump
from harness.commands.module import main

Captured = pytest.CaptureFixture[str]


def test_a_dump_turned_into_a_profile_reads_back_the_same(
    dump_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    dump, profile, again = (
        dump_folder / "arista-400g-xdr4.json",
        tmp_path / "xdr4.toml",
        tmp_path / "again.json",
    )
    assert main(["profile", str(dump), "--out", str(profile)]) == 0
    pages = ",".join(f"{page:02X}h" for _, page in load_dump(dump).image.pages())
    assert (
        main(["dump", "sim-dr4", "--module", str(profile), "--flags", "--pages", pages, "--out", str(again)])
        == 0
    )
    passwords = 118  # are not read, and the page selection behind them is as the last reader left it
    was, found = load_dump(dump).image, load_dump(again).image
    assert found.get(0, 0, 0, passwords) == was.get(0, 0, 0, passwords)
    assert {key: found.get(*key, 128, 128) for key in found.pages()} == {
        key: was.get(*key, 128, 128) for key in was.pages()
    }
    capsys.readouterr()
    assert main(["decode", str(dump)]) == 0
    decoded = capsys.readouterr().out
    assert main(["decode", str(again)]) == 0
    assert capsys.readouterr().out == decoded


def test_it_goes_to_standard_output(dump_file: Path, capsys: Captured) -> None:
    assert main(["profile", str(dump_file), "--name", 'an "odd" name']) == 0
    content = tomllib.loads(capsys.readouterr().out)
    assert content["description"] == 'an "odd" name'
    assert content["memory"]["frozen"] is True
    assert set(content["memory"]["pages"]) == {"lower", "00h", "01h", "02h", "10h", "11h"}


def test_what_cannot_live_is_told(dump_file: Path, capsys: Captured) -> None:
    assert main(["profile", str(dump_file), "--live"]) == 2
    assert "cannot live" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "said"), [("x.json", "does not end with .toml"), ("no/such/folder.toml", "No such file")]
)
def test_where_it_cannot_be_written_is_told(
    dump_file: Path, tmp_path: Path, capsys: Captured, out: str, said: str
) -> None:
    assert main(["profile", str(dump_file), "--out", str(tmp_path / out)]) == 2
    assert said in capsys.readouterr().err


def test_a_file_is_not_overwritten_unasked(dump_file: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("precious")
    assert main(["profile", str(dump_file), "--out", str(path)]) == 2
    assert "exists already; --force overwrites it" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert main(["profile", str(dump_file), "--out", str(path), "--force"]) == 0
    assert path.read_text().startswith("# Made from a dump")


def test_a_file_that_is_no_dump_is_told(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "note.txt"
    path.write_text("hello")
    assert main(["profile", str(path)]) == 2
    assert "note.txt" in capsys.readouterr().err
