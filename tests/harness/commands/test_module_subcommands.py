"""``lanewise module``: the table of subcommands, and what starting one costs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands.module import SUBCOMMANDS, main

HEAVY = ("numpy", "pint", "pyvisa", "smbus2", "pytest", "harness.simulation", "harness.opening")


def modules_after(*arguments: str, names: tuple[str, ...]) -> str:
    program = (
        "import io, sys\nfrom harness.cli import main\nout, sys.stdout = sys.stdout, io.StringIO()\n"
        f"main({list(arguments)!r})\nprint([name for name in {names!r} if name in sys.modules], file=out)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_is_there_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, function = SUBCOMMANDS[name][1].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert main([name, "--help"]) == 0
    assert f"usage: lanewise module {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_subcommand_without_arguments_says_what_it_needs(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "fields":
        assert main([name]) == 0
        return
    assert main([name]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"usage: lanewise module {name}" in printed.err


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_help_loads_neither_the_library_nor_the_other_subcommands(name: str) -> None:
    others = tuple(
        module
        for module in {entry[1].partition(":")[0] for entry in SUBCOMMANDS.values()}
        if module != SUBCOMMANDS[name][1].partition(":")[0]
    )
    assert modules_after("module", name, "--help", names=("drivers.cmis", *others, *HEAVY)) == "[]"


def test_a_dump_is_shown_without_a_bench(dump_file: Path) -> None:
    assert modules_after("module", "show", str(dump_file), names=HEAVY) == "[]"
    assert modules_after("module", "read", str(dump_file), "VendorName", names=HEAVY) == "[]"


def test_arguments_with_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", "\x1b[2J", "\x1b]0;x\x07"]) == 2
    assert main(["show", "no-such-\x1b[2J"]) == 2
    assert main(["read", "x.json", "\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err
