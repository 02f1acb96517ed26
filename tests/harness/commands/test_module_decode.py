"""``lanewise module decode``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage, update_checksums
from drivers.cmis.memory_map import FIELDS
from harness.commands.module import main

_DUMPS = Path(__file__).parents[3] / "../shared/eeprom"


@pytest.fixture
def real_dump() -> Path:
    if not _DUMPS.is_dir():
        pytest.skip("the folder of real modules' dumps is not here (../shared/eeprom)")
    return _DUMPS / "arista-400g-xdr4.json"


@pytest.fixture
def binary_dump(tmp_path: Path) -> Path:
    image = MemoryImage(bytes(128), {(0, 0x00): bytes(128), (0, 0x01): bytes(128)})
    encode(FIELDS["SFF8024Identifier"], 0x18, image)
    encode(FIELDS["VendorName"], "Example", image)
    update_checksums(image)
    path = tmp_path / "dump.bin"
    path.write_bytes(image.get(0, 0, 0, 128) + image.get(0, 0, 128, 128) + image.get(0, 1, 128, 128))
    return path


def test_a_real_module_is_explained(real_dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", str(real_dump)]) == 0
    output = capsys.readouterr().out
    for part in (
        "Arista Networks",
        "QDD-400G-XDR4",
        "XKT231212112",
        "400GAUI-8 C2M",
        "400GBASE-DR4",
        "DPActivated",
    ):
        assert part in output
    (first,) = [line for line in output.splitlines() if line.startswith("     1  ") and "2.02" in line]
    assert first.split()[::2] == ["1", "[■|■■■■■■··|·]", "[■|■■■■■■■■·|]", "[|■■■■■■■■■·|]"]
    assert first.split()[1::2] == ["2.02", "2.24", "101.7"]


def test_json_holds_the_same(real_dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--json", str(real_dump)]) == 0
    description = json.loads(capsys.readouterr().out)
    assert description["identity"]["serial_number"] == "XKT231212112"
    assert description["applications"][0]["host_lanes"] == 8
    assert description["media_lanes"][0]["tx_power_dbm"]["value"] == pytest.approx(2.017, abs=1e-3)


def test_a_binary_dump_is_explained(binary_dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", str(binary_dump)]) == 0
    output = capsys.readouterr().out
    assert "Example" in output
    assert "page 11h" in output.split("Not available")[1]


def test_an_unreadable_file_gives_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is no dump")
    assert main(["decode", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert "notes.txt" in line
    assert "no line of it is an offset and bytes" in line


def test_a_missing_file_gives_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(tmp_path / "gone\x1b[2J.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No such file" in line
    assert "\x1b" not in line


def test_control_characters_of_a_module_do_not_reach_the_terminal(
    binary_dump: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(binary_dump.read_bytes())
    data[129 : 129 + 8] = b"\x1b]0;x\x07\x9b\r"
    binary_dump.write_bytes(data)
    for arguments in ([], ["--json"]):
        assert main(["decode", str(binary_dump), *arguments]) == 0
        output = capsys.readouterr().out
        assert not any(ord(character) < 0x20 and character != "\n" for character in output)
        assert "\x9b" not in output


def test_a_terminal_without_unicode_is_served(binary_dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(binary_dump.read_bytes())
    data[129] = 0xFF
    binary_dump.write_bytes(data)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["decode", str(binary_dump)]) == 0
    stream.flush()
    assert b"\\ufffdxample" in stream.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("argv", [["explode"], ["\x1b[2J"]])
def test_an_unknown_subcommand_lists_what_there_is(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "decode" in error
    assert "\x1b" not in error


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "decode" in capsys.readouterr().out
    assert main(["decode", "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def test_a_wrong_command_line_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["decode"]) == 2
    assert "FILE" in capsys.readouterr().err


def test_a_dump_comes_by_standard_input(
    dump_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for data, code in ((dump_file.read_bytes(), 0), (b"nothing", 2)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert main(["decode", "-"]) == code
    printed = capsys.readouterr()
    assert "PN-1" in printed.out
    assert "decode: '-': " in printed.err
