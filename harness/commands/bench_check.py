"""``lanewise bench check``: open every instrument, ask who it is, and say what each path can reach.

All are opened and asked at the same time, each within a limit of its own: what is silent, slow or wrong holds
up none of the others, and all that is wrong is known within seconds. (On a served bench in lockstep one after
the other.)
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.clock import StopFlag
from drivers.errors import BenchError
from drivers.interfaces import Identity, Instrument, SilentAtTimes
from harness.bench import Bench
from harness.bench_file.places import host_of
from harness.bench_file.reading import BenchSpec, InstrumentSpec, find_bench_file, load_bench
from harness.calibration.due import overdue, today
from harness.commands.bench_options import add_bench
from harness.commands.bench_receivers import fault_lines, receivers_table
from harness.judging.pmd import pmd_by_name
from harness.opening import Opening
from harness.tables import TableError
from harness.text import columns, printable_text
from harness.wiring import MODULE, OpticalPath

DESCRIPTION = (
    "Validate a bench file, open every instrument and print identity, firmware, error queue, "
    "round-trip time, and the power range each path can reach. Nothing is turned on. "
    "Exit code: 0 all in order, 2 not."
)
ASK_LIMIT_S = 10.0
"""Wall time for one instrument: to be opened, connected to, and asked a few times more."""
SLOW_S = 1.0
"""Wall time of a round trip from which on it is complained about."""
_FIRST_CONTACT_LIMIT_S = 3.0
"""Who looks at a bench wants to know in seconds what is silent."""
_ROUND_TRIPS = 5
_NO_SERIALS = ("", "0")
_THIS_COMPUTER = ("127.0.0.1", "localhost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_bench(parser)
    parser.add_argument(
        "--pmd", default="400GBASE-DR4", help="PMD whose lanes are looked at (default: %(default)s)"
    )


def check(arguments: argparse.Namespace) -> int:
    """Check a bench; returns the exit code."""
    return check_bench(arguments.file, arguments.pmd)


def check_bench(name: str, pmd_name: str) -> int:
    """Check a bench; returns the exit code."""
    stop = StopFlag()
    try:
        spec = load_bench(find_bench_file(name))
        lanes = pmd_by_name(pmd_name).lane_numbers()
    except (TableError, BenchError) as fault:
        print(f"{fault}", file=sys.stderr)
        return 2
    try:
        opening = Opening(spec, stop)
    except BenchError as fault:  # the simulated module's profile
        print(f"{spec.path.name}: {fault}", file=sys.stderr)
        return 2
    answers: dict[str, _Answer] = {}
    late: tuple[str, ...] = ()
    try:
        answers = _ask_all(opening)
        late = tuple(role for role, answer in answers.items() if answer.late)
        if late:
            stop.request("the check of the bench is over")  # for those who are still at it
        bench = opening.bench(without=late)
        complaints = {role: answer.complaint for role, answer in answers.items() if answer.complaint}
        rows = [_instrument_row(part, answers) for part in spec.instruments.values()]
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
                f"was due on {entry.due}; {entry.advice}, or correct the bench file"
            )
    finally:
        opening.bench().close()
    addresses = {role: spec.instruments[role].address for role in answers}
    for line in twins(addresses, {role: answer.identity for role, answer in answers.items()}):
        print(f"\nWARNING {line}")
    for role, complaint in complaints.items():
        print(f"\nPROBLEM {role}: {complaint}")
    print(f"\n{'NOT in order: ' + ', '.join(complaints) if complaints else 'in order'}")
    return 2 if complaints else 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one instrument. ``trip_s``: median wall time of a round trip; ``late``: it is still being
    asked."""

    shown: str = ""
    complaint: str = ""
    identity: Identity | None = None
    entries: tuple[tuple[int, str], ...] = ()
    trip_s: float = 0.0
    late: bool = False


def _ask_all(opening: Opening) -> dict[str, _Answer]:
    """Open and ask all instruments at the same time, in the bench file's order. In lockstep one after the
    other: the bench's time moves for all of them when one waits, and would use up the others' time limits.
    """
    came: dict[str, _Answer] = {}

    def ask(role: str) -> None:
        came[role] = _ask(opening, role)

    threads = {
        role: threading.Thread(target=ask, args=(role,), name=f"check {role}", daemon=True)
        for role in opening.own_roles
    }
    end_s = time.monotonic() + ASK_LIMIT_S
    for thread in threads.values():
        thread.start()
        if opening.in_lockstep:
            thread.join(ASK_LIMIT_S)
    for thread in threads.values():
        thread.join(max(0.0, end_s - time.monotonic()))
    still = _Answer(
        "STILL NOT DONE",
        f"was not opened and asked within {ASK_LIMIT_S:g} s: it is slow or busy, or its bus hangs",
        late=True,
    )
    return {role: came.get(role, still) for role in threads}


def _ask(opening: Opening, role: str) -> _Answer:
    try:
        instrument = opening.open(role)
    except BenchError as fault:
        return _Answer("CANNOT BE OPENED", str(fault))
    if isinstance(instrument, SilentAtTimes):
        instrument.first_contact_limit_s = _FIRST_CONTACT_LIMIT_S
    try:
        identity = instrument.connect()
        trip_s = _round_trip_s(instrument)
        entries = instrument.drain_errors()
    except BenchError as fault:
        return _Answer("DOES NOT ANSWER AS IT SHOULD", str(fault))
    except KeyboardInterrupt:  # a stop request, when nobody waits for this any more
        return _Answer(late=True)
    except Exception as fault:  # a driver's mistake is told, and is no reason to tell nothing of the others
        return _Answer("DOES NOT ANSWER AS IT SHOULD", f"{type(fault).__name__}: {fault}")
    who = " ".join(part for part in (identity.vendor, identity.model, identity.serial) if part)
    complaint = ""
    if entries:
        complaint = "its error queue holds " + ", ".join(f"{code} {text!r}" for code, text in entries)
    elif trip_s >= SLOW_S:
        complaint = f"is slow: it takes {trip_s:.1f} s to say who it is"
    return _Answer(printable_text(who), complaint, identity, entries, trip_s)


def _instrument_row(part: InstrumentSpec, answers: Mapping[str, _Answer]) -> tuple[str, ...]:
    if part.shared_with:
        return (part.role, "", f"same as {part.shared_with}", "", "", "", "")
    answer = answers[part.role]
    start = (part.role, part.driver, part.address, answer.shown)
    if answer.identity is None:
        return (*start, "", "", "")
    queue = f"{len(answer.entries)} entries" if answer.entries else "empty"
    firmware = printable_text(answer.identity.firmware) or "-"
    return (*start, firmware, queue, f"{1e3 * answer.trip_s:.2f} ms")


def _round_trip_s(instrument: Instrument) -> float:
    times: list[float] = []
    while len(times) < _ROUND_TRIPS and max(times, default=0.0) < SLOW_S:
        start_s = time.perf_counter()
        instrument.identify()
        times.append(time.perf_counter() - start_s)
    return sorted(times)[len(times) // 2]


def twins(addresses: Mapping[str, str], identities: Mapping[str, Identity | None]) -> list[str]:
    """Roles whose addresses differ and that may be one instrument's, as lines for people: they answer as the
    same one, or are at one host and not all answer. Two sessions that know nothing of each other would set it
    and take each other's replies. (This computer itself is no such host: on it everything has its own port.)
    """
    lines = []
    for (role, here), (other_role, there) in itertools.combinations(addresses.items(), 2):
        one, other = identities.get(role), identities.get(other_role)
        roles, places = f"{role} and {other_role}", f"{here} and {there}"
        same_host = bool(host_of(here)) and host_of(here) == host_of(there)
        if one is not None and one == other and (same_host or one.serial not in _NO_SERIALS):
            who = printable_text(f"{one.vendor} {one.model} {one.serial}".strip())
            lines.append(
                f"{roles}: {places} answer as one instrument ({who}); if it is one, write shared_with"
            )
        elif same_host and (one is None or other is None) and host_of(here) not in _THIS_COMPUTER:
            silent = role if one is None else other_role
            lines.append(
                f"{roles}: {places} are at one host, and {silent} does not answer as it should; if they are "
                "one instrument, write shared_with"
            )
    return lines


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
