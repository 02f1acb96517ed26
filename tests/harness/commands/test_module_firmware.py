"""``lanewise module firmware``."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from harness.commands.module import main
from harness.simulation.module.commands.firmware import make_image

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    path = tmp_path / "new.bin"
    path.write_bytes(make_image((2, 5), size=6000))
    return path


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def test_info_tells_the_images(capsys: Captured) -> None:
    assert main(["firmware", "info", "sim-dr4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["running"] == found["committed"] == "A"
    assert found["images"][0]["revision"] == "1.4.1"
    assert (found["serial_number"], found["simulated"]) == ("LW26000001", True)
    assert main(["firmware", "info", "sim-dr4"]) == 0
    output = capsys.readouterr().out
    assert "runs, committed" in output
    assert "no image" in output


def test_an_update_tells_before_and_afterwards(image_file: Path, capsys: Captured) -> None:
    assert main(["firmware", "update", "sim-dr4", str(image_file), "--yes"]) == 0
    printed = capsys.readouterr()
    assert "write 6000 bytes over image B" in printed.err
    assert "the module RESETS" in printed.err
    assert "the supply is checked" in printed.err
    assert "2.5.1" in printed.out
    assert "it starts image B 2.5.1" in printed.out
    assert hashlib.sha256(image_file.read_bytes()).hexdigest() in printed.out
    assert "image B: no image" in printed.err
    assert "INVALID" not in printed.err
    assert "begins anew" in printed.err


@pytest.mark.parametrize(
    ("option", "running", "committed"), [("--no-run", "A", "A"), ("--no-commit", "B", "A")]
)
def test_an_update_can_end_earlier(
    option: str, running: str, committed: str, image_file: Path, capsys: Captured
) -> None:
    assert main(["firmware", "update", "sim-dr4", str(image_file), "--yes", "--json", option]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"]
    assert (result["after"]["running"], result["after"]["committed"]) == (running, committed)
    assert result["file"] == {
        "name": str(image_file),
        "bytes": 6000,
        "sha256": hashlib.sha256(image_file.read_bytes()).hexdigest(),
    }
    assert result["serial_number"] == "LW26000001"
    (writing,) = [phase for phase in result["phases"] if phase["name"] == "write"]
    assert writing["allowed_s"] is None


def test_a_wrong_image_is_refused_by_the_module(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(make_image(size=6000, target="OTHER"))
    assert main(["firmware", "update", "sim-dr4", str(path), "--yes"]) == 1
    error = capsys.readouterr().err
    assert re.search(r"other\.bin': wrong target\n.*failed in phase start", error)
    assert "Abort" not in error
    assert "it starts image A 1.4.1" in error


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("no\n", 2), ("y\n", 2), ("", 2)])
def test_nothing_is_written_without_a_yes(
    typed: str, code: int, image_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert main(["firmware", "update", "sim-dr4", str(image_file)]) == code
    assert ("Nothing was written" in capsys.readouterr().err) is (code == 2)


def test_ctrl_c_at_the_question_ends_it_at_once(
    image_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    class Impatient(Terminal):
        def readline(self, size: int | None = -1, /) -> str:
            signal.raise_signal(signal.SIGINT)
            return "yes\n"

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "stdin", Impatient())
    assert main(["firmware", "update", "sim-dr4", str(image_file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "stopped" in printed.err
    assert signal.getsignal(signal.SIGINT) is before


def test_where_nobody_can_be_asked_nothing_is_begun(
    image_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert main(["firmware", "update", "sim-dr4", str(image_file)]) == 2
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code"), [("00001011\n", 0), ("0x00001011", 0), ("0BADF00D", 1), ("secret77", 2)]
)
def test_a_password_comes_from_a_file_and_is_never_shown(
    content: str, code: int, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "password"
    path.write_text(content)
    assert main(["firmware", "info", "sim-dr4", "--password-file", str(path)]) == code
    printed = capsys.readouterr()
    for stream in (printed.out, printed.err):
        assert content.strip() not in stream
        assert "0bad" not in stream.lower()
    assert ("the module refused this password" in printed.err) is (code == 1)
    for stream in (printed.out, printed.err):
        assert "1011" not in stream


def test_a_module_that_wants_a_password_says_how_to_give_it(
    image_file: Path, tmp_path: Path, capsys: Captured
) -> None:
    update = ["firmware", "update", "sim-dr4", str(image_file), "--yes", "--module", "dr4-foreground-cdb"]
    assert main(update) == 1
    assert "--password-file FILE" in capsys.readouterr().err
    path = tmp_path / "password"
    path.write_text("00001011")
    assert main([*update, "--password-file", str(path)]) == 0
    assert "it starts image B 2.5.1" in capsys.readouterr().out


def test_a_password_is_asked_for_unseen(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr("getpass.getpass", lambda prompt: "00001011")
    assert main(["firmware", "info", "sim-dr4", "--password"]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["firmware", "info", "sim-dr4", "--password"]) == 2
    assert "--password-file" in capsys.readouterr().err


def test_mistakes_are_told(dump_file: Path, image_file: Path, tmp_path: Path, capsys: Captured) -> None:
    empty = tmp_path / "empty.bin"
    empty.touch()
    for arguments, words in (
        (["info", str(dump_file)], "is a dump"),
        (["update", "sim-dr4", str(tmp_path / "gone.bin"), "--yes"], "No such file"),
        (["update", "sim-dr4", str(empty), "--yes"], "is empty"),
        (["update", "sim-dr4", str(image_file), "--no-run", "--no-commit", "--yes"], "--no-run includes"),
        (["info", "sim-dr4", "--password-file", str(tmp_path / "gone")], "No such file"),
        (["explode"], "info"),
    ):
        assert main(["firmware", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert "Traceback" not in error


def test_a_module_without_cdb_is_no_failure_of_it(
    monkeypatch: pytest.MonkeyPatch, image_on_a_bus, image, capsys: Captured
) -> None:
    bus = image_on_a_bus(image)
    monkeypatch.setattr("smbus2.SMBus", lambda number: bus.smbus)
    assert main(["firmware", "info", "i2c:7"]) == 2
    assert "does not support CDB" in capsys.readouterr().err
