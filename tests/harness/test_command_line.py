"""The command line: a literal table, each entry of which is there; exit codes; nothing heavy for a help."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import cli
from harness.cli import COMMANDS, main, usage

COMMAND = "import sys; from harness.cli import main; sys.exit(main())"


def lanewise(*arguments: str, code: str = COMMAND, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help_lists_every_command(flag, capsys):
    assert main([flag]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, (text, _) in COMMANDS.items():
        assert any(line.split(maxsplit=1) == [name, text] for line in lines)


def test_help_as_a_program():
    done = lanewise("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == usage() + "\n"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_no_command_is_an_error_with_the_same_text(capsys):
    assert main([]) == 2
    assert capsys.readouterr().out == usage() + "\n"


@pytest.mark.parametrize("name", ["calibrate", "", "-x", "Bench", "bench\x1b[31m"])
def test_an_unknown_command(name, capsys):
    assert main([name]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"lanewise: no command {name!r}\n")
    assert usage() in printed.err
    assert "\x1b" not in printed.err


def test_ctrl_c_where_no_command_handles_it_is_one_line(monkeypatch, capsys):
    def interrupted(target):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_resolve", interrupted)
    assert main(["limits"]) == 2
    assert capsys.readouterr().err == "lanewise: stopped\n"


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lanewise ")
    assert main(["-V"]) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_resolved_and_explains_itself(name):
    target = COMMANDS[name][1]
    assert callable(cli._resolve(target))
    module, _, function = target.partition(":")
    assert module
    assert function


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name, capsys):
    try:
        code: object = main([name, "--help"])
    except SystemExit as stop:
        code = stop.code
    assert code in {0, None}
    assert f"usage: lanewise {name}" in capsys.readouterr().out


def test_a_command_gets_its_arguments_and_gives_the_exit_code(monkeypatch):
    seen: list[object] = []
    monkeypatch.setattr(cli, "_resolve", lambda target: lambda argv: seen.append((target, argv)) or 1)
    assert main(["qualify", "--bench", "x"]) == 1
    assert seen == [("fixtures.qualify:main", ["--bench", "x"])]


def test_the_programs_own_arguments_are_the_default(monkeypatch):
    seen: list[object] = []
    monkeypatch.setattr(sys, "argv", ["lanewise", "limits", "--x"])
    monkeypatch.setattr(cli, "_resolve", lambda _: lambda argv: seen.extend(argv) or 0)
    assert main() == 0
    assert seen == ["--x"]


def test_a_help_imports_none_of_the_heavy_libraries():
    code = (
        "import sys; from harness.cli import main; main(['--help']); "
        "print([name for name in ('pytest', 'numpy', 'pint', 'pyvisa', 'matplotlib', 'drivers', 'fixtures') "
        "if name in sys.modules])"
    )
    assert lanewise(code=code).stdout.endswith("\n[]\n")


@pytest.mark.parametrize("verdict", [0, 1])
def test_output_that_nobody_takes_is_never_a_pass(verdict):
    # `lanewise ... | head`: what was not read may have been the verdict.
    code = (
        "import sys; from harness import cli\n"
        f"cli._resolve = lambda _: lambda argv: print('VERDICT  FAIL ' * 10_000) or {verdict}\n"
        "sys.exit(cli.main(['qualify']))"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    errors = program.stderr.read()
    program.stderr.close()
    assert program.wait(timeout=60) == 2
    assert errors == ""
