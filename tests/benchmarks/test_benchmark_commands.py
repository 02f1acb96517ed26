"""What a user waits for. Run with `make bench`."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.qualify import main as qualify
from harness.bench_file.reading import find_bench_file, load_bench
from harness.judging.limits import limits_of_pmd


def test_help(benchmark: BenchmarkFixture) -> None:
    """The whole process: `lanewise --help` is to answer in under 0.3 s."""
    command = [sys.executable, "-c", "from harness.cli import main; main(['--help'])"]
    done = benchmark.pedantic(
        subprocess.run, args=(command,), kwargs={"capture_output": True, "check": True}, rounds=5
    )
    assert b"qualify" in done.stdout


def test_nine_corner_launch_power_plan(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Bench to report, documents included; the simulation is to take under 5 s."""
    printed = io.StringIO()

    def run() -> int:
        with redirect_stdout(printed):
            return qualify(["--bench", "sim-dr4", "--out", str(tmp_path)])

    assert benchmark.pedantic(run, rounds=3, warmup_rounds=1) == 0
    assert "VERDICT  PASS" in printed.getvalue()


def test_bench_file(benchmark: BenchmarkFixture) -> None:
    """Reading and validating a bench file."""
    spec = benchmark(load_bench, find_bench_file("sim-dr4"))
    assert spec.simulation is not None


def test_limits(benchmark: BenchmarkFixture) -> None:
    """Reading and validating a limit file."""
    assert benchmark(limits_of_pmd, "400GBASE-DR4").rows
