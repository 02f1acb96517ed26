"""``lanewise bench``. ``check``: open every instrument, ask who it is, and say what each path can reach."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from drivers.errors import BenchError
from drivers.interfaces import Instrument
from harness.bench import Bench
from harness.bench_file.reading import BenchSpec, find_bench_file, load_bench
from harness.calibration.due import overdue, today
from harness.commands import bench_calibrate, bench_discover, bench_golden, bench_prove, bench_zero
from harness.commands.bench_receivers import fault_lines, receivers_table
from harness.judging.pmd import pmd_by_name
from harness.opening import open_what_can_be
from harness.tables import TableError
from harness.text import columns, printable_text
from harness.wiring import MODULE, OpticalPath

_ROUND_TRIPS = 5


def main(argv: Sequence[str]) -> int:
    """Dispatch ``lanewise bench``."""
    parser = argparse.ArgumentParser(prog="lanewise bench", description="Look after a bench.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="open every instrument, print who answers and what each path can reach",
        description="Validate a bench file, open every instrument and print identity, firmware, error queue, "
        "round-trip time, and the power range each path can reach. Nothing is turned on. "
        "Exit code: 0 all in order, 2 not.",
    )
    check.add_argument("file", help="bench file, or the name of a shipped one")
    check.add_argument(
        "--pmd", default="400GBASE-DR4", help="PMD whose lanes are looked at (default: %(default)s)"
    )
    find = commands.add_parser(
        "discover",
        help="find instruments, serial ports and modules, and draft a bench file",
        description=bench_discover.DESCRIPTION,
    )
    bench_discover.add_arguments(find)
    proof = commands.add_parser(
        "prove",
        help="show with a good module that a bench is what its file says, and keep the proof",
        description=bench_prove.DESCRIPTION,
    )
    bench_prove.add_arguments(proof)
    zero = commands.add_parser(
        "zero",
        help="zero the power meter in the dark, and keep what it showed",
        description=bench_zero.DESCRIPTION,
    )
    bench_zero.add_arguments(zero)
    golden = commands.add_parser(
        "golden",
        help="compare the golden module's launch power with its history",
        description=bench_golden.DESCRIPTION,
    )
    bench_golden.add_arguments(golden)
    path = commands.add_parser(
        "calibrate",
        help="measure what a way loses, against a reference patch",
        description=bench_calibrate.DESCRIPTION,
    )
    bench_calibrate.add_arguments(path)
    arguments = parser.parse_args(argv)
    if arguments.command == "discover":
        return bench_discover.discover(arguments)
    if arguments.command == "prove":
        return bench_prove.prove_bench(arguments)
    if arguments.command == "zero":
        return bench_zero.zero_bench(arguments)
    if arguments.command == "golden":
        return bench_golden.golden_check(arguments)
    if arguments.command == "calibrate":
        return bench_calibrate.calibrate(arguments)
    return check_bench(arguments.file, arguments.pmd)


def check_bench(name: str, pmd_name: str) -> int:
    """Check a bench; returns the exit code."""
    try:
        spec = load_bench(find_bench_file(name))
        lanes = pmd_by_name(pmd_name).lane_numbers()
    except (TableError, BenchError) as fault:
        print(f"{fault}", file=sys.stderr)
        return 2
    try:
        bench, faults = open_what_can_be(spec)
    except BenchError as fault:  # the simulated module's profile
        print(f"{spec.path.name}: {fault}", file=sys.stderr)
        return 2
    try:
        complaints = {role: str(fault) for role, fault in faults.items()}
        rows = [_instrument_row(bench, spec, role, complaints) for role in spec.instruments]
        title = printable_text(f"{spec.name}: {spec.description or 'bench'}")
        print(f"{title}{' (SIMULATED)' if spec.simulated else ''}\n")
        print(
            columns(("role", "driver", "address", "identity", "firmware", "error queue", "round trip"), rows)
        )
        print(f"\n{_paths_table(bench, spec, lanes, complaints)}")
        print(f"\n{receivers_table(bench, spec, lanes, complaints)}")
        faults_to_come = fault_lines(spec)
        if faults_to_come:
            print("\n" + "\n".join(faults_to_come))
        for entry in overdue(spec, today()):
            complaints[f"calibration of {entry.role}"] = (
                f"was due on {entry.due}; calibrate it, or correct the bench file"
            )
    finally:
        bench.close()
    for role, complaint in complaints.items():
        print(f"\nPROBLEM {role}: {complaint}")
    print(f"\n{'NOT in order: ' + ', '.join(complaints) if complaints else 'in order'}")
    return 2 if complaints else 0


def _instrument_row(bench: Bench, spec: BenchSpec, role: str, complaints: dict[str, str]) -> tuple[str, ...]:
    part = spec.instruments[role]
    if part.shared_with:
        return (role, "", f"same as {part.shared_with}", "", "", "", "")
    start = (role, part.driver, part.address)
    instrument = bench.instruments.get(role)
    if instrument is None:
        return (*start, "CANNOT BE OPENED", "", "", "")
    try:
        identity = instrument.connect()
        trip_ms = _round_trip_ms(instrument)
        entries = instrument.drain_errors()
    except BenchError as fault:
        complaints[role] = str(fault)
        return (*start, "DOES NOT ANSWER AS IT SHOULD", "", "", "")
    if entries:
        complaints[role] = "its error queue holds " + ", ".join(f"{code} {text!r}" for code, text in entries)
    who = " ".join(part for part in (identity.vendor, identity.model, identity.serial) if part)
    queue = "empty" if not entries else f"{len(entries)} entries"
    return (*start, printable_text(who), printable_text(identity.firmware) or "-", queue, f"{trip_ms:.2f} ms")


def _round_trip_ms(instrument: Instrument) -> float:
    times = []
    for _ in range(_ROUND_TRIPS):
        start = time.perf_counter()
        instrument.identify()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2]


def _paths_table(bench: Bench, spec: BenchSpec, lanes: Sequence[int], complaints: dict[str, str]) -> str:
    rows: list[tuple[str, ...]] = []
    paths: dict[int, OpticalPath] = {}
    try:
        paths = spec.wiring.transmitter_paths(lanes, "power_meter")
    except BenchError as fault:
        complaints["paths to the power meter"] = str(fault)
        lanes = ()
    for lane in lanes:
        path = paths.get(lane)
        if path is None:
            complaints[f"path of lane {lane}"] = (
                f"no way from {MODULE}.tx{lane} to a port of power_meter of its own; add the missing fibre"
            )
            continue
        meter = bench.instruments.get("power_meter")
        reach = "unknown: no power meter"
        if meter is not None:
            low_dbm, high_dbm = bench.power_meter.range_dbm
            reach = f"{low_dbm + path.loss_db:.1f} .. {high_dbm + path.loss_db:.1f} dBm"
            ports = bench.power_meter.channels
            if path.end.number not in ports:
                reach = "none: no such port"
                complaints[f"path of lane {lane}"] = (
                    f"ends at {path.end}, but this meter has ports {ports[0]} to {ports[-1]}"
                )
        rows.append(
            (
                f"Tx{lane}",
                " > ".join(path.hops),
                f"{path.loss_db:.2f} dB",
                f"± {path.uncertainty_db:.2f} dB",
                reach,
            )
        )
    return columns(("lane", "path", "loss", "U (k = 2)", "power at TP2 that can be measured"), rows)
