"""``lanewise bench calibrate``: measure what a way through the bench loses against a reference patch, or what
the reference transmitter sends."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.clock import StopRequested
from drivers.errors import BenchError
from harness.bench import Bench
from harness.bench_file import calibrated_paths
from harness.bench_file.history import LONGEST_VALIDITY_DAYS, history_folder, keep
from harness.bench_file.reading import (
    BenchSpec,
    find_bench_file,
    load_bench,
    with_calibrated_paths,
    with_simulation,
)
from harness.calibration import reference
from harness.calibration.lit_module import bench_at_work
from harness.calibration.path_loss import (
    CONNECTOR_DB,
    LINEARITY_DB,
    PathLoss,
    bench_file_lines,
    calibrate_path,
    calibrated_path_lines,
    due_date,
    find_way,
)
from harness.calibration.record import bench_record
from harness.calibration.reference_measuring import (
    ACQUISITIONS,
    EXTINCTION_RATIO_DB,
    SECQ_DB,
    WARM_UP_S,
    WAVELENGTH_NM,
    Assumed,
    MeasuredReference,
    measure_reference,
)
from harness.commands.bench_options import add_bench, add_history
from harness.judging.pmd import pmd_by_name
from harness.tables import TableError
from harness.text import columns, printable_text
from harness.wiring import REFERENCE, parse_port

DESCRIPTION = (
    "Measure the loss of a way with a steady source (--path): its reference patch at the meter, then by the "
    "way, then at the meter again; the operator is asked to plug. Or measure average power, OMAouter, "
    "extinction ratio and SECQ of the reference transmitter's lanes (--reference). Keeps a dated file in the "
    "bench's history. Exit code: 0 done, 2 not."
)
_PATH_ROLES = ("power_meter", "optical_switch", "attenuator", "operator")
_REFERENCE_ROLES = (REFERENCE, "power_meter", "oscilloscope", "spectrum_analyser", "optical_switch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--path", nargs=2, metavar=("START", "END"), help="from where to where: module.tx1 power_meter.1"
    )
    what.add_argument("--reference", action="store_true", help="the reference transmitter")
    parser.add_argument("--seed", type=int, help="seed of the simulated bench")
    parser.add_argument(
        "--valid-days", type=int, default=180, metavar="N", help="days until it is due (default: %(default)s)"
    )
    add_history(parser)
    path = parser.add_argument_group("of a way")
    path.add_argument("--via", metavar="PORT", help="the way by this port, such as attenuator.1")
    _add_number(path, "--linearity-db", LINEARITY_DB, "DB", "expanded uncertainty of a ratio at one port")
    _add_number(path, "--connector-db", CONNECTOR_DB, "DB", "expanded uncertainty of mating the patch")
    sent = parser.add_argument_group("of the reference transmitter")
    sent.add_argument("--lanes", type=int, nargs="+", metavar="LANE", default=[], help="default: all")
    sent.add_argument(
        "--acquisitions",
        type=int,
        default=ACQUISITIONS,
        metavar="N",
        help="of the oscilloscope for each lane (default: %(default)s)",
    )
    _add_number(sent, "--warm-up-s", WARM_UP_S, "S", "from light to the first reading")
    _add_number(
        sent,
        "--er-db",
        EXTINCTION_RATIO_DB,
        "DB",
        "expanded uncertainty of the oscilloscope's ER",
    )
    _add_number(sent, "--secq-db", SECQ_DB, "DB", "expanded uncertainty of the oscilloscope's TDECQ")
    _add_number(sent, "--wavelength-nm", WAVELENGTH_NM, "NM", "expanded uncertainty of a wavelength")


def _add_number(group: Any, name: str, default: float, unit: str, what: str) -> None:
    group.add_argument(name, type=float, default=default, metavar=unit, help=f"{what} (default: %(default)g)")


def calibrate(arguments: argparse.Namespace) -> int:
    """Calibrate; returns the exit code."""
    moment = datetime.datetime.now(datetime.UTC)
    complaint = _complaint(arguments)
    if complaint:
        print(f"lanewise bench calibrate: {complaint}", file=sys.stderr)
        return 2
    try:
        spec = load_bench(find_bench_file(arguments.file), from_history=False)
        spec = with_simulation(spec, seed=arguments.seed)
        if arguments.reference:  # a way that is about to be calibrated may never have been before
            spec = with_calibrated_paths(spec)
        work = _reference if arguments.reference else _path
        not_safe = work(arguments, spec, moment)
    except (TableError, BenchError, ValueError, OSError) as fault:
        print(f"lanewise bench calibrate: {fault}", file=sys.stderr)
        return 2
    except StopRequested as stop:
        print(f"lanewise bench calibrate: stopped: {stop}. Nothing was calibrated.", file=sys.stderr)
        return 2
    for line in not_safe:
        print(f"NOT SAFE {printable_text(line)}", file=sys.stderr)
    return 2 if not_safe else 0


def _complaint(arguments: argparse.Namespace) -> str:
    if not 1 <= arguments.valid_days <= LONGEST_VALIDITY_DAYS:
        return f"--valid-days: expected 1 .. {LONGEST_VALIDITY_DAYS}"
    for name in ("linearity_db", "connector_db", "er_db", "secq_db", "wavelength_nm"):
        if not 0.0 <= getattr(arguments, name) <= 10.0:
            return f"--{name.replace('_', '-')}: expected 0 .. 10"
    if not 0.0 <= arguments.warm_up_s <= 86_400.0:
        return "--warm-up-s: expected 0 .. 86400"
    return ""


def _begin(spec: BenchSpec, what: str) -> None:
    mark = " (SIMULATED)" if spec.simulated else ""
    print(f"{printable_text(spec.name)}: calibrating {what}{mark}", flush=True)


def _path(arguments: argparse.Namespace, spec: BenchSpec, moment: datetime.datetime) -> list[str]:
    start, end = (parse_port(text) for text in arguments.path)
    via = parse_port(arguments.via) if arguments.via else None
    _begin(spec, f"{start} to {end}")
    with bench_at_work(spec, pmd_by_name("400GBASE-DR4"), "bench calibrate") as (run, not_safe):
        bench = run.bench
        _ = bench.operator  # a bench without one is told so before anything is done
        bench.connect()
        found = calibrate_path(
            bench,
            find_way(bench, start, end, via),
            linearity_db=arguments.linearity_db,
            connector_db=arguments.connector_db,
            via=via,
        )
        due = due_date(moment, arguments.valid_days)
        record = bench_record(
            calibrated_paths.KIND, bench, roles=_PATH_ROLES, moment=moment, due=due, **found.to_json()
        )
        path = _keep(arguments, spec, calibrated_paths.record_name(start, end), record)
        print(_path_words(found, due))
        print(f"\nrecord   {path}")
        _print_what_to_write(bench, found)
    return not_safe


def _reference(arguments: argparse.Namespace, spec: BenchSpec, moment: datetime.datetime) -> list[str]:
    _begin(spec, "the reference transmitter")
    with bench_at_work(spec, pmd_by_name("400GBASE-DR4"), "bench calibrate") as (run, not_safe):
        bench = run.bench
        _ = bench.reference_tx, bench.oscilloscope  # a bench without is told so before anything is done
        bench.connect()
        found = measure_reference(
            bench,
            arguments.lanes,
            acquisitions=arguments.acquisitions,
            warm_up_s=arguments.warm_up_s,
            assumed=Assumed(arguments.er_db, arguments.secq_db, arguments.wavelength_nm),
            told=lambda what: print(f"  {what}", flush=True),
        )
        due = due_date(moment, arguments.valid_days)
        record = bench_record(
            reference.KIND,
            bench,
            roles=_REFERENCE_ROLES,
            moment=moment,
            due=due,
            oscilloscope_options=dict(spec.instruments["oscilloscope"].options),
            **found.to_json(),
        )
        path = _keep(arguments, spec, reference.record_name(found.identity.serial), record)
        print(f"\n{_reference_table(found)}\n\ndue      {due}\nrecord   {path}")
    return not_safe


def _keep(arguments: argparse.Namespace, spec: BenchSpec, name: str, record: dict[str, Any]) -> Path:
    folder = history_folder(spec, arguments.out)
    path = keep(folder, name, record)
    usual = history_folder(spec)
    if folder.resolve() != usual.resolve():
        print(f"NOTE: plans look for calibrations in {usual}; copy the record there for them to find it")
    return path


def _print_what_to_write(bench: Bench, found: PathLoss) -> None:
    file = printable_text(bench.spec.path.name)
    if any(
        (entry.start, entry.end, entry.via) == (found.path.start, found.path.end, found.via)
        for entry in bench.spec.calibrated_paths
    ):
        print(f"{file} takes this way's loss from the history: nothing is to be written")
        return
    print(f"For {file}, so that this way always has the loss found last:\n\n{calibrated_path_lines(found)}")
    if not found.path.attenuators:
        print(
            f"\nOr, for every way by its first fibre, in place of that:\n\n{bench_file_lines(bench, found)}"
        )


def _path_words(found: PathLoss, due: str) -> str:
    stated = found.path
    agrees = (
        abs(found.loss_db - stated.loss_db) <= (found.uncertainty_db**2 + stated.uncertainty_db**2) ** 0.5
    )
    at = f", {', '.join(map(str, stated.attenuators))} at 0 dB" if stated.attenuators else ""
    return (
        f"\n{' > '.join(stated.hops)} at {found.wavelength_nm:g} nm{at}\n"
        f"loses {found.loss_db:.2f} dB ± {found.uncertainty_db:.2f} dB (k = 2), due {due}; the bench file "
        f"says "
        f"{stated.loss_db:.2f} dB ± {stated.uncertainty_db:.2f} dB: "
        f"{'they agree' if agrees else 'THEY DO NOT AGREE'}"
    )


def _reference_table(found: MeasuredReference) -> str:
    def cell(value: float | None, uncertainty: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.2f} ± {uncertainty or 0.0:.2f} {unit}"

    rows: list[Sequence[str]] = [
        (
            str(lane.lane),
            cell(lane.average_power_dbm, lane.average_power_uncertainty_db, "dBm"),
            cell(lane.oma_outer_dbm, lane.oma_outer_uncertainty_db, "dBm"),
            cell(lane.extinction_ratio_db, lane.extinction_ratio_uncertainty_db, "dB"),
            cell(lane.secq_db, lane.secq_uncertainty_db, "dB"),
            cell(lane.wavelength_nm, lane.wavelength_uncertainty_nm, "nm"),
        )
        for lane in (entry.lane for entry in found.lanes)
    ]
    who = found.identity
    return (
        f"{printable_text(f'{who.vendor} {who.model} {who.serial}')}, {found.pattern}, at its output "
        f"(k = 2)\n"
        + columns(("lane", "average power", "OMAouter", "extinction ratio", "SECQ", "wavelength"), rows)
    )
