"""``lanewise simulate module``: what it prints works, and it ends tidily."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import simulate

_LANEWISE = [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())"]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command in a process of its own, and the lines it greets with."""
    command = [*_LANEWISE, "simulate", "module", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith("Ctrl-C"):
                    break
            yield process, lines
        finally:
            process.kill()


def test_the_line_to_try_works(tmp_path: Path) -> None:
    with running("good-dr4", "--speed", "20") as (_, lines):
        (line,) = [line for line in lines if line.startswith("to try: ")]
        command = line.removeprefix("to try: lanewise ").split()
        tried = subprocess.run(
            [*_LANEWISE, *command],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
    assert (tried.stderr, tried.returncode) == ("", 0)
    assert "LANEWISE" in tried.stdout
    assert "DPActivated" in tried.stdout


def test_it_says_what_it_serves() -> None:
    with running("good-dr4", "dr4-lane3-weak", "--count", "2") as (_, lines):
        assert re.match(r"serving on 127\.0\.0\.1:\d+, 1 s of module time a second$", lines[0])
        listed = [line.split()[:3] for line in lines if re.match(r"\d", line)]
    assert [row[:2] for row in listed] == [
        ["0", "good-dr4"],
        ["1", "good-dr4"],
        ["2", "dr4-lane3-weak"],
        ["3", "dr4-lane3-weak"],
    ]
    assert len({row[2] for row in listed}) == 4  # serial numbers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_tidily_also_with_clients(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    with running("good-dr4", "--manual-clock", "--listen", f"unix:{path}") as (process, lines):
        assert "time moves by request" in lines[0]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"\0\3H\0\0")
            assert client.recv(100)[2:4] == b"\0\1"
            process.send_signal(number)
            assert process.wait(30) == 0
            assert client.recv(100) == b""
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not path.exists()


def test_an_address_that_others_reach_is_warned_of() -> None:
    with running("good-dr4", "--listen", "0.0.0.0:0") as (_, lines):
        assert any("Whoever reaches this address" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-profile"], "no module profile named 'no-such-profile'; there are: "),
        (["good-dr4", "--listen", "nowhere"], "HOST:PORT"),
        (["good-dr4", "--listen", "203.0.113.1:0"], "cannot listen on '203.0.113.1:0'"),
        (["good-dr4", "--count", "0"], "1 to 256"),
        (["good-dr4", "dr4-lane3-weak", "--count", "200"], "400 modules; 256"),
        (["good-dr4", "--speed", "0"], "0.01 to 1000"),
        (["good-dr4", "--speed", "nan"], "0.01 to 1000"),
        (["good-dr4", "--speed", "2", "--manual-clock"], "not allowed with"),
        (["good-dr4", "--light", "40"], "light: "),
        (["good-dr4", "--light", "-inf", "--listen", "nowhere"], "HOST:PORT"),
        (["good-dr4", "--light", "-1e1", "--listen", "nowhere"], "HOST:PORT"),
        (["good-dr4", "--light", "--seed"], "expected one argument"),
        (["good-dr4", "--loopback", "-1"], "loss: "),
        ([], "PROFILE"),
    ],
)
def test_what_cannot_be_served_is_said(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "module", *arguments]) == 2
    output = capsys.readouterr()
    assert complaint in output.err
    assert output.out == ""


def test_help_names_the_subcommands_and_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--help"]) == 0
    assert "serve simulated modules" in capsys.readouterr().out
    assert simulate.main(["module", "--help"]) == 0
    assert "good-dr4" in capsys.readouterr().out
    assert simulate.main([]) == 2
    assert simulate.main(["cat"]) == 2
    assert "no subcommand 'cat'" in capsys.readouterr().err
