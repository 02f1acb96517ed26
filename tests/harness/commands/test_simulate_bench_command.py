"""``lanewise simulate BENCH``: from its banner to the signal that ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.bench_file.reading import load_bench
from harness.commands import simulate

Begin = Callable[..., "tuple[subprocess.Popen[str], str]"]
BEGIN = "import sys; from harness.cli import main; sys.exit(main())"


@pytest.fixture
def begun() -> Iterator[Begin]:
    """Starts the command in a process of its own, and reads its banner."""
    processes = []

    def begin(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, "simulate", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        banner = ""
        for line in process.stdout:
            banner += line
            if line.startswith("Ctrl-C"):
                break
        return process, banner

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def ask_and_signal(process: subprocess.Popen[str], banner: str, number: int) -> None:
    (port,) = re.findall(r"^optical_switch .*::([0-9]+)::SOCKET$", banner, re.MULTILINE)
    with socket.create_connection(("127.0.0.1", int(port))) as client:
        client.settimeout(20)
        client.sendall(b"*IDN?\n")
        assert b"Polatis" in client.recv(200)
        os.kill(process.pid, number)  # also while somebody is connected
        assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_in_lockstep_with_the_bench_file_written_until_interrupted(begun: Begin, tmp_path: Path) -> None:
    out = tmp_path / "served.toml"
    process, banner = begun("sim-dr4", "--lockstep", "--out", str(out))
    assert "in lockstep" in banner
    assert f"lanewise qualify --bench {out}" in banner
    assert load_bench(out).clock == "remote"
    assert 'kind = "remote"' not in banner
    ask_and_signal(process, banner, signal.SIGINT)


def test_by_the_wall_clock_with_the_bench_file_printed_until_terminated(begun: Begin) -> None:
    process, banner = begun("bench", "sim-dr4", "--sockets-only", "--speed", "5")
    assert "5 s of bench time a second" in banner
    table, _, file = banner.partition("schema")
    assert 'kind = "remote"' in file
    assert "hislip" in table
    assert "hislip" not in file
    ask_and_signal(process, banner, signal.SIGTERM)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["cat"], "no subcommand 'cat', and cat: no such bench file"),
        (["lab-example"], "no simulated bench"),
        (["sim-dr4", "--listen", "192.0.2.1"], "cannot listen at '192.0.2.1'"),
        (["sim-dr4", "--listen", "127.0.0.1:80"], "without port"),
        (["sim-dr4", "--module", "no-such-module"], "no-such-module"),
        (["sim-dr4", "--seed", "-1"], "--seed"),
        (["sim-dr4", "--speed", "0"], "0.01 to 1000"),
        (["sim-dr4", "--speed", "1", "--lockstep"], "not allowed with"),
        (["sim-dr4", "--out", "/no/such/folder/x.toml"], "/no/such/folder/x.toml"),
    ],
)
def test_what_cannot_be_begun(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate.main(arguments) == 2
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert printed.out == ""
