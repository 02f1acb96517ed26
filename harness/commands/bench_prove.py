"""``lanewise bench prove``: show that a bench is what its file says, and keep the proof."""

from __future__ import annotations

import argparse
import datetime
import sys

from drivers.clock import StopRequested
from drivers.errors import BenchError
from harness.bench_file.history import history_folder, keep
from harness.bench_file.reading import find_bench_file, load_bench, with_calibrated_paths, with_simulation
from harness.calibration.checks import check_lines
from harness.calibration.due import overdue, today
from harness.calibration.lit_module import bench_at_work
from harness.calibration.proving import Proof, prove
from harness.calibration.record import bench_record
from harness.commands.bench_options import add_bench, add_darkness, add_history, add_module
from harness.judging.pmd import pmd_by_name
from harness.tables import TableError
from harness.text import printable_text

DESCRIPTION = (
    "Prove a bench with a module that is known to be good: dark readings of every meter port, a walk that "
    "lights one lane at a time, losses by several ways, a 3 dB step, the oscilloscope against the meter. "
    "Turns the module on. Keeps a dated file in the bench's history. Exit code: 0 proven, 2 not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    add_module(parser)
    add_darkness(parser)
    add_history(parser)


def prove_bench(arguments: argparse.Namespace) -> int:
    """Prove a bench; returns the exit code."""
    moment = datetime.datetime.now(datetime.UTC)
    try:
        spec = load_bench(find_bench_file(arguments.file), from_history=False)
        spec = with_simulation(spec, module=arguments.module, seed=arguments.seed)
        spec = with_calibrated_paths(spec)
        pmd = pmd_by_name(arguments.pmd)
        mark = " (SIMULATED)" if spec.simulated else ""
        expired = [entry.text() for entry in overdue(spec, today())]
        print(f"{printable_text(spec.name)}: proving the bench{mark}", flush=True)
        with bench_at_work(spec, pmd, "bench prove") as (run, not_safe):
            proof = prove(
                run, pmd, dark_dbm=arguments.dark_dbm, told=lambda what: print(f"  {what}", flush=True)
            )
            record = bench_record(
                "prove",
                run.bench,
                roles=run.bench.own_roles(),
                moment=moment,
                passed=proof.passed,
                overdue=expired,
                proven_roles=sorted(proof.proven_roles),
                module=run.identity.serial_number if run.identity else "",
                checks=[check.to_json() for check in proof.checks],
            )
        record["not_safe"] = not_safe
        path = keep(history_folder(spec, arguments.out), "prove", record)
    except (TableError, BenchError, OSError) as fault:
        print(f"lanewise bench prove: {fault}\nThe bench is not proven.", file=sys.stderr)
        return 2
    except StopRequested as stop:
        print(f"lanewise bench prove: stopped: {stop}. The bench is not proven.", file=sys.stderr)
        return 2
    print(f"\n{check_lines(proof.checks)}\n\nrecord   {path}")
    for line in expired:
        print(f"OVERDUE {printable_text(line)}; calibrate it: until then the proof is worth no more than it")
    return conclude(proof, not_safe, mark)


def conclude(proof: Proof, not_safe: list[str], mark: str) -> int:
    """Say whether it is proven; returns the exit code."""
    for line in not_safe:
        print(f"NOT SAFE {printable_text(line)}", file=sys.stderr)
    print(f"{'PROVEN' if proof.passed else 'NOT PROVEN'}{mark}")
    return 0 if proof.passed and not not_safe else 2
