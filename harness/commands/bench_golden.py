"""``lanewise bench golden``: does the bench still measure the golden module as it did?"""

from __future__ import annotations

import argparse
import datetime
import sys

from drivers.clock import StopRequested
from drivers.errors import BenchError
from harness.bench_file.history import history_folder, keep, read_history
from harness.bench_file.reading import find_bench_file, load_bench, with_calibrated_paths, with_simulation
from harness.calibration.checks import Outcome, check_lines
from harness.calibration.golden import DRIFT_DB, baseline_of, compare, measure_golden, of_module
from harness.calibration.lit_module import bench_at_work
from harness.calibration.record import bench_record
from harness.commands.bench_options import add_bench, add_history, add_module
from harness.judging.pmd import pmd_by_name
from harness.run_folder.folder import safe_name
from harness.tables import TableError
from harness.text import printable_text

DESCRIPTION = (
    "Measure the golden module's launch power and compare each lane with its history on this bench; before "
    "a day's work, and after it. The first record is the baseline. Exit code: 0 within the drift limit, 2 "
    "not."
)
_PART = ("power_meter", "optical_switch", "thermal", "power_supply", "host_board")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    add_module(parser)
    parser.add_argument(
        "--drift-db",
        type=float,
        default=DRIFT_DB,
        metavar="DB",
        help="how far a lane may be from the baseline (default: %(default)g)",
    )
    parser.add_argument(
        "--baseline",
        action="store_true",
        help="let this measurement be the new baseline (after a change of the bench that was proven)",
    )
    add_history(parser)


def golden_check(arguments: argparse.Namespace) -> int:
    """Measure and compare; returns the exit code."""
    moment = datetime.datetime.now(datetime.UTC)
    try:
        spec = load_bench(find_bench_file(arguments.file), from_history=False)
        spec = with_simulation(spec, module=arguments.module, seed=arguments.seed)
        spec = with_calibrated_paths(spec)
        pmd = pmd_by_name(arguments.pmd)
        mark = " (SIMULATED)" if spec.simulated else ""
        print(f"{printable_text(spec.name)}: measuring the golden module{mark}", flush=True)
        folder = history_folder(spec, arguments.out)
        with bench_at_work(spec, pmd, "bench golden") as (run, not_safe):
            now = measure_golden(run, pmd)
            serial = now.identity.serial_number
            kept, complaints = read_history(folder, "golden")
            baseline = baseline_of(of_module(kept, serial, simulated=spec.simulated))
            new = arguments.baseline or baseline is None
            meter = run.bench.identities["power_meter"].serial
            checks = [] if baseline is None else compare(now, meter, baseline, drift_db=arguments.drift_db)
            passed = all(check.outcome is Outcome.PASSED for check in checks)
            record = bench_record(
                "golden",
                run.bench,
                roles=_PART,
                moment=moment,
                passed=passed,
                baseline=new,
                compared_with=baseline.path.name if baseline else "",
                checks=[check.to_json() for check in checks],
                **now.to_json(),
            )
        record["not_safe"] = not_safe
        path = keep(folder, f"golden-{safe_name(serial)}", record)
    except (TableError, BenchError, OSError) as fault:
        print(f"lanewise bench golden: {fault}\nNothing was compared.", file=sys.stderr)
        return 2
    except StopRequested as stop:
        print(f"lanewise bench golden: stopped: {stop}. Nothing was compared.", file=sys.stderr)
        return 2
    for line in complaints:
        print(f"left out {printable_text(line)}", file=sys.stderr)
    if checks:
        print(f"\n{check_lines(checks)}")
    print(f"\nrecord   {path}")
    for line in not_safe:
        print(f"NOT SAFE {printable_text(line)}", file=sys.stderr)
    if new:
        print(f"BASELINE of module {printable_text(serial)}: later checks compare with this one{mark}")
    else:
        print(f"{'AS BEFORE' if passed else 'MOVED'}{mark}")
    return 0 if (passed or new) and not not_safe else 2
