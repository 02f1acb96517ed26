"""``lanewise bench calibrate``: measure what a way through the bench loses, against a reference patch."""

from __future__ import annotations

import argparse
import datetime
import sys

from drivers.clock import StopRequested
from drivers.errors import BenchError
from harness.bench_file.reading import find_bench_file, load_bench
from harness.calibration.history import bench_record, history_folder, keep
from harness.calibration.lit_module import bench_at_work
from harness.calibration.path_loss import (
    CONNECTOR_DB,
    LINEARITY_DB,
    PathLoss,
    bench_file_lines,
    calibrate_path,
    due_date,
    find_way,
)
from harness.commands.bench_options import add_bench, add_history
from harness.judging.pmd import pmd_by_name
from harness.run_folder.folder import safe_name
from harness.tables import TableError
from harness.text import printable_text
from harness.wiring import parse_port

DESCRIPTION = (
    "Measure the loss of a way with a steady source: its reference patch at the meter, then by the way, "
    "then at the meter again. The operator is asked to plug. Keeps a dated file in the bench's history and "
    "prints the lines for the bench file. Exit code: 0 done, 2 not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    parser.add_argument(
        "--path",
        nargs=2,
        required=True,
        metavar=("START", "END"),
        help="from where to where, such as module.tx1 power_meter.1",
    )
    parser.add_argument(
        "--linearity-db",
        type=float,
        default=LINEARITY_DB,
        metavar="DB",
        help="expanded uncertainty of a ratio of powers at one port (default: %(default)g)",
    )
    parser.add_argument(
        "--connector-db",
        type=float,
        default=CONNECTOR_DB,
        metavar="DB",
        help="expanded uncertainty of mating the patch (default: %(default)g)",
    )
    parser.add_argument(
        "--valid-days", type=int, default=180, metavar="N", help="days until it is due (default: %(default)s)"
    )
    add_history(parser)


def calibrate(arguments: argparse.Namespace) -> int:
    """Calibrate a way; returns the exit code."""
    moment = datetime.datetime.now(datetime.UTC)
    if not 1 <= arguments.valid_days <= 3650:
        print("lanewise bench calibrate: --valid-days: expected 1 .. 3650", file=sys.stderr)
        return 2
    try:
        spec = load_bench(find_bench_file(arguments.file))
        start, end = (parse_port(text) for text in arguments.path)
        mark = " (SIMULATED)" if spec.simulated else ""
        print(f"{printable_text(spec.name)}: calibrating {start} to {end}{mark}", flush=True)
        with bench_at_work(spec, pmd_by_name("400GBASE-DR4"), "bench calibrate") as (run, not_safe):
            bench = run.bench
            bench.operator  # noqa: B018 - a bench without one is told so before anything is done
            bench.connect()
            found = calibrate_path(
                bench,
                find_way(bench, start, end),
                linearity_db=arguments.linearity_db,
                connector_db=arguments.connector_db,
            )
            due = due_date(moment, arguments.valid_days)
            record = bench_record(
                "path",
                bench,
                roles=("power_meter", "optical_switch", "operator"),
                moment=moment,
                due=due,
                **found.to_json(),
            )
            path = keep(history_folder(spec, arguments.out), f"path-{safe_name(f'{start}-{end}')}", record)
            print(_words(found, due))
            print(f"\nrecord   {path}")
            print(f"For {printable_text(spec.path.name)}, in place of the fibre of that name:\n")
            print(bench_file_lines(bench, found))
    except (TableError, BenchError, ValueError, OSError) as fault:
        print(f"lanewise bench calibrate: {fault}", file=sys.stderr)
        return 2
    except StopRequested as stop:
        print(f"lanewise bench calibrate: stopped: {stop}. Nothing was calibrated.", file=sys.stderr)
        return 2
    for line in not_safe:
        print(f"NOT SAFE {printable_text(line)}", file=sys.stderr)
    return 2 if not_safe else 0


def _words(found: PathLoss, due: str) -> str:
    stated = found.path
    agrees = (
        abs(found.loss_db - stated.loss_db) <= (found.uncertainty_db**2 + stated.uncertainty_db**2) ** 0.5
    )
    return (
        f"\n{' > '.join(stated.hops)} at {found.wavelength_nm:g} nm\n"
        f"loses {found.loss_db:.2f} dB ± {found.uncertainty_db:.2f} dB (k = 2), due {due}; the bench file "
        f"says "
        f"{stated.loss_db:.2f} dB ± {stated.uncertainty_db:.2f} dB: "
        f"{'they agree' if agrees else 'THEY DO NOT AGREE'}"
    )
