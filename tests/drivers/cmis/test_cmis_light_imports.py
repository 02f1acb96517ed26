"""Each way to a module is imported without what it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pint", "pyvisa", "serial", "smbus2", "harness", "pytest")


@pytest.mark.parametrize("name", ["access", "optoe", "page_cache", "polling", "ports"])
def test_a_way_to_a_module_loads_no_heavy_library(name: str) -> None:
    program = f"import sys, drivers.cmis.{name}\nprint([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_register_tables_are_not_built_before_they_are_needed() -> None:
    program = "import sys, drivers.cmis.access\nprint('drivers.cmis.memory_map' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
