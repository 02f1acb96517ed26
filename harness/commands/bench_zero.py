"""``lanewise bench zero``: zero the power meter in the dark, and keep what it showed."""

from __future__ import annotations

import argparse
import datetime
import sys

from drivers.clock import StopRequested
from drivers.errors import BenchError
from harness.bench_file.history import history_folder, keep
from harness.bench_file.reading import find_bench_file, load_bench
from harness.calibration.checks import all_passed, check_lines
from harness.calibration.lit_module import bench_at_work
from harness.calibration.record import bench_record
from harness.calibration.zeroing import STEP, zero_meter
from harness.commands.bench_options import add_bench, add_darkness, add_history
from harness.judging.pmd import pmd_by_name
from harness.tables import TableError
from harness.text import printable_text

DESCRIPTION = (
    "Zero the power meter: the module's supply off, all routes open, all shutters closed, every port looked "
    "at; those that are dark are zeroed and read again. Keeps a dated file in the bench's history. Exit "
    "code: 0 all ports zeroed, 2 not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    add_darkness(parser)
    add_history(parser)


def zero_bench(arguments: argparse.Namespace) -> int:
    """Zero a bench's meter; returns the exit code."""
    moment = datetime.datetime.now(datetime.UTC)
    try:
        spec = load_bench(find_bench_file(arguments.file), from_history=False)
        mark = " (SIMULATED)" if spec.simulated else ""
        print(f"{printable_text(spec.name)}: zeroing the power meter{mark}", flush=True)
        with bench_at_work(spec, pmd_by_name("400GBASE-DR4"), "bench zero") as (run, not_safe):
            checks = zero_meter(run.bench, dark_dbm=arguments.dark_dbm)
            passed = all_passed(checks, [STEP])
            record = bench_record(
                "zero",
                run.bench,
                roles=("power_meter",),
                moment=moment,
                passed=passed,
                checks=[check.to_json() for check in checks],
            )
        record["not_safe"] = not_safe
        path = keep(history_folder(spec, arguments.out), "zero", record)
    except (TableError, BenchError, OSError) as fault:
        print(f"lanewise bench zero: {fault}\nThe meter may not be zeroed.", file=sys.stderr)
        return 2
    except StopRequested as stop:
        print(f"lanewise bench zero: stopped: {stop}. The meter may not be zeroed.", file=sys.stderr)
        return 2
    print(f"\n{check_lines(checks)}\n\nrecord   {path}")
    for line in not_safe:
        print(f"NOT SAFE {printable_text(line)}", file=sys.stderr)
    print(f"{'ZEROED' if passed else 'NOT ALL ZEROED'}{mark}")
    return 0 if passed and not not_safe else 2
