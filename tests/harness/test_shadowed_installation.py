"""A user's folder of the name of one of our packages is refused before any of it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import installation
from harness.installation import shadowed

HOME = Path(harness.__file__).resolve().parent.parent
COMMAND = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


def run_from(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As a user starts it in a folder of theirs: that folder first on the path, the installation after it."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{HOME}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_our_own_installation_is_in_order():
    assert shadowed() is None


@pytest.mark.parametrize("name", ["drivers", "reports", "fixtures", "testplans"])
def test_a_package_that_shadows_ours_is_refused(tmp_path, name):
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('a stranger drives the bench')\n")
    done = run_from(tmp_path, "bench", "check", "sim-dr4")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == (
        f"lanewise: the package {name!r} would come from {package.resolve()} instead of {HOME / name}; "
        f"rename that folder, or start from another one"
    )


def test_a_file_that_shadows_ours_is_refused(tmp_path):
    (tmp_path / "drivers.py").write_text("")
    done = run_from(tmp_path, "limits")
    assert done.returncode == 2
    assert f"would come from {(tmp_path / 'drivers.py').resolve()} instead" in done.stderr


def test_a_folder_beside_an_installation_that_is_found_last_is_refused(tmp_path, monkeypatch):
    # Without __init__.py it is a namespace: it shadows what only a finder behind the path would find.
    (tmp_path / "drivers").mkdir()

    class Namespace:
        origin = None
        submodule_search_locations = (str(tmp_path / "drivers"),)

    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda _: Namespace)
    fault = shadowed()
    assert fault is not None
    assert f"would come from {(tmp_path / 'drivers').resolve()} instead of {HOME / 'drivers'}" in fault


def test_a_package_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda _: None)
    assert "'drivers' would come from nowhere" in (shadowed() or "")


def test_a_folder_of_another_name_does_not_matter(tmp_path):
    (tmp_path / "my_plans").mkdir()
    assert run_from(tmp_path, "limits").returncode == 0
