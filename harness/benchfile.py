"""The bench file: which instruments stand in which role, and how everything is connected.

A file is validated completely before anything is opened; every mistake is one line with file and key.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drivers.catalogue import DRIVERS, check_options, load
from drivers.errors import BenchError, InstrumentError
from harness.tables import Table, TableError, read_table
from harness.text import printable_text
from harness.verdict import DECISION_RULE
from harness.wiring import MODULE, Fibre, InsertionLoss, Wiring, parse_port, wiring_complaints

BENCHES_FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "benches"
ROLES = (
    "power_meter",
    "attenuator",
    "optical_switch",
    "oscilloscope",
    "bert",
    "spectrum_analyser",
    "power_supply",
    "thermal",
    "case_sensor",
    "host_board",
    "reference_tx",
    "operator",
)
REQUIRED_ROLES = ("power_meter", "power_supply", "thermal", "case_sensor", "host_board")
FAULT_KINDS = ("dies", "garbles")
_CLOCKS = ("wall", "virtual")
_I2C_ADDRESS = re.compile(r"i2c:\d{1,3}")


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a certificate says, as written in the bench file."""

    certificate: str
    date: str
    due: str


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """One instrument in a role. ``shared_with`` names the role whose instrument it is, if it is the same
    one. ``uncertainty``: expanded (k = 2), in ``uncertainty_unit``, of what the role measures."""

    role: str
    driver: str
    address: str
    options: Mapping[str, Any]
    shared_with: str
    uncertainty: float | None
    uncertainty_unit: str
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class SupplySpec:
    """How the supply reaches the module's connector."""

    channel: int
    remote_sense: bool
    lead_resistance_ohm: float
    lead_uncertainty_ohm: float
    current_limit_a: float
    overvoltage_v: float
    tolerance_v: float
    settling_s: float
    voltage_uncertainty_v: float
    current_uncertainty_a: float


@dataclass(frozen=True, slots=True)
class ThermalSpec:
    """How the thermal source reaches the module's case."""

    window_c: float
    soak_s: float
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A simulated instrument that goes wrong: what happens to the one in ``role``, at a time of the world.

    ``dies``: it answers nothing any more; ``garbles``: its replies are garbage.
    """

    role: str
    kind: str
    at_s: float


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """What the simulated bench is made of; ``None`` in :class:`BenchSpec` means a lab.

    ``seed`` draws the bench's chance (calibration errors, true losses, noise), ``specimen`` which module of
    the profile it is.
    """

    module: str
    seed: int
    room_temp_c: float
    specimen: int = 0
    faults: tuple[FaultSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchSpec:
    """A bench, as its file describes it."""

    path: Path
    sha256: str
    name: str
    description: str
    decision_rule: str
    clock: str
    visa_library: str
    instruments: Mapping[str, InstrumentSpec]
    wiring: Wiring
    supply: SupplySpec
    thermal: ThermalSpec
    simulation: SimulationSpec | None


# What each role's stated uncertainty is expressed in.
_UNCERTAINTY_UNITS = {"power_meter": "dB", "case_sensor": "K"}


def find_bench_file(name: str) -> Path:
    """A bench file by path, or by the name of one that is shipped (``sim-dr4``).

    :raises TableError: when there is none.
    """
    path = Path(name)
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises on names that no file can have
        return path
    shipped = {file.stem: file for file in BENCHES_FOLDER.glob("*.toml")}
    if name in shipped:
        return shipped[name]
    known = ", ".join(sorted(shipped))
    raise TableError(
        [f"{printable_text(name)}: no such bench file; shipped ones can be named alone: {known}"]
    )


def load_bench(path: Path) -> BenchSpec:
    """Read and validate a bench file.

    :raises TableError: with one line per mistake, naming file and key.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    bench = table.table("bench")
    name = bench.text("name")
    description = bench.text("description", "")
    decision_rule = bench.text("decision_rule", DECISION_RULE, choices=[DECISION_RULE])
    bench.end()
    simulation = _simulation(table)
    clock_table = table.table("clock")
    clock = clock_table.text("kind", choices=_CLOCKS)
    clock_table.end()
    if clock in _CLOCKS and (clock == "virtual") != (simulation is not None):
        clock_table.complain(
            "kind", "a virtual clock and a [simulation] table go together: have both or neither"
        )
    io = table.table("io", required=False)
    visa_library = io.text("visa_library", "@py")
    io.end()
    instruments, passes = _instruments(table.table("instruments"))
    _check_faults(table, simulation, instruments)
    wiring = _wiring(table, instruments, passes)
    supply = _supply(table.table("supply"))
    thermal = _thermal(table.table("thermal"))
    table.end()
    table.finish()
    return BenchSpec(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        name=name,
        description=description,
        decision_rule=decision_rule,
        clock=clock,
        visa_library=visa_library,
        instruments=instruments,
        wiring=wiring,
        supply=supply,
        thermal=thermal,
        simulation=simulation,
    )


def with_simulation(spec: BenchSpec, *, module: str | None = None, seed: int | None = None) -> BenchSpec:
    """A simulated bench with another module profile (a name or a file) or seed; None: as its file says.

    :raises TableError: for a lab's bench that is given any of them, and for a seed out of range.
    """
    if module is None and seed is None:
        return spec
    if spec.simulation is None:
        raise TableError(
            [f"{spec.path.name}: --module and --seed go with a simulated bench only; this is a lab's"]
        )
    if seed is not None and not 0 <= seed < 2**63:
        raise TableError([f"--seed: {seed} is not within 0 .. 2^63 - 1"])
    simulation = replace(
        spec.simulation,
        module=spec.simulation.module if module is None else module,
        seed=spec.simulation.seed if seed is None else seed,
    )
    return replace(spec, simulation=simulation)


def _simulation(table: Table) -> SimulationSpec | None:
    if not table.has("simulation"):
        return None
    part = table.table("simulation")
    spec = SimulationSpec(
        module=part.text("module"),
        seed=part.integer("seed", 1),
        room_temp_c=part.quantity("room_temp", "degC", "23 degC"),
        specimen=part.integer("specimen", 0, low=0),
        faults=tuple(_fault(entry) for entry in part.tables("fault")),
    )
    part.end()
    return spec


def _fault(part: Table) -> FaultSpec:
    fault = FaultSpec(
        role=part.text("role", choices=ROLES),
        kind=part.text("kind", choices=FAULT_KINDS),
        at_s=part.quantity("at", "s", low=0.0),
    )
    part.end()
    return fault


def _instruments(table: Table) -> tuple[dict[str, InstrumentSpec], dict[str, InsertionLoss]]:
    specs: dict[str, InstrumentSpec] = {}
    passes: dict[str, InsertionLoss] = {}
    addresses: dict[str, str] = {}
    for role, part in table.named():
        if role not in ROLES:
            table.complain(role, f"is not a role; roles are {', '.join(ROLES)}")
            continue
        specs[role] = _instrument(role, part)
        if part.has("pass"):
            loss = part.table("pass")
            passes[role] = InsertionLoss(
                loss.quantity("loss", "dB", low=0.0), loss.quantity("uncertainty", "dB", low=0.0)
            )
            loss.end()
        part.end()
        address = _canonical(specs[role].address)
        if address and address in addresses:
            part.complain(
                "address", f"{address} is used already, by {addresses[address]}; write shared_with instead"
            )
        addresses.setdefault(address, role)
    for role in REQUIRED_ROLES:
        if role not in specs:
            table.complain(role, "is missing: every bench needs this role")
    for role, spec in specs.items():
        _check_shared(table, role, spec, specs)
    return specs, passes


def _check_faults(
    table: Table, simulation: SimulationSpec | None, instruments: Mapping[str, InstrumentSpec]
) -> None:
    for index, fault in enumerate(simulation.faults if simulation else (), start=1):
        part = instruments.get(fault.role)
        if fault.role not in ROLES:
            continue  # complained about where it was read
        if part is None or part.driver not in DRIVERS or DRIVERS[part.driver].transport != "visa":
            table.complain(
                f"simulation.fault[{index}].role",
                f"{fault.role} is no instrument of this bench that can fail so",
            )


def _check_shared(table: Table, role: str, spec: InstrumentSpec, specs: Mapping[str, InstrumentSpec]) -> None:
    if not spec.shared_with:
        return
    owner = specs.get(spec.shared_with)
    if owner is None and spec.shared_with in REQUIRED_ROLES:
        return  # the bench lacks it: that was complained about
    if owner is None or owner.shared_with:
        table.complain(
            f"{role}.shared_with", f"{spec.shared_with!r} is no role with an instrument of its own"
        )
    elif owner.driver in DRIVERS and role not in DRIVERS[owner.driver].roles:
        table.complain(f"{role}.shared_with", f"{owner.driver} cannot be a {role}")


def _instrument(role: str, part: Table) -> InstrumentSpec:
    shared_with = part.text("shared_with", "")
    driver = address = ""
    options: Mapping[str, Any] = {}
    if not shared_with:
        driver = part.text("driver")
        address = part.text("address")
        part.raw("options")  # of a driver that is not known nothing can be said about them
        info = DRIVERS.get(driver)
        if driver and info is None:
            part.complain("driver", f"unknown driver {driver!r}; known are {', '.join(sorted(DRIVERS))}")
        elif info is not None:
            if role not in info.roles:
                part.complain("driver", f"{driver} cannot be a {role}; it can be {', '.join(info.roles)}")
            options = _options(part, driver, role)
            if address and info.transport == "i2c" and not _I2C_ADDRESS.fullmatch(address):
                part.complain("address", f"{address!r} is no I2C bus; write i2c:1 for /dev/i2c-1")
            if address and info.transport == "visa" and not _canonical(address):
                part.complain(
                    "address", f"{address!r} is no VISA address, such as TCPIP0::192.0.2.1::inst0::INSTR"
                )
    unit = _UNCERTAINTY_UNITS.get(role, "")
    uncertainty = part.quantity("uncertainty", unit, low=0.0) if unit else None
    return InstrumentSpec(role, driver, address, options, shared_with, uncertainty, unit, _calibration(part))


def _options(part: Table, driver: str, role: str) -> dict[str, Any]:
    table = part.table("options", required=False)
    options = {key: table.raw(key) for key in table.names()}
    wrong: dict[str, str] = {}
    for key, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            wrong[key] = f"{value} is not a finite number"
            continue
        try:
            check_options(driver, {key: value})
        except BenchError as fault:
            wrong[key] = str(fault)
    for key, what in wrong.items():
        table.complain(key, what)
    if not wrong:
        try:
            # A driver's constructor talks to nobody, so it can say what it thinks of values, too.
            load(driver)(SimpleNamespace(), SimpleNamespace(), name=role, options=options)
        except BenchError as fault:
            table.complain("", fault.what if isinstance(fault, InstrumentError) else str(fault))
    return options


def _canonical(address: str) -> str:
    """The one spelling of an address: of a VISA address its full form, ``""`` of one that is none."""
    if "::" not in address:
        return address if _I2C_ADDRESS.fullmatch(address) else ""
    # Here: who only validates limits or decodes a dump needs no VISA.
    from pyvisa import rname

    try:
        return str(rname.ResourceName.from_string(address))
    except ValueError:
        return ""


def _calibration(part: Table) -> Calibration | None:
    if not part.has("calibration"):
        return None
    table = part.table("calibration")
    date, due = table.date("date"), table.date("due")
    if datetime.date.min not in (date, due) and due < date:
        table.complain("due", f"{due} is before the calibration itself, {date}")
    calibration = Calibration(table.text("certificate"), date.isoformat(), due.isoformat())
    table.end()
    return calibration


def _wiring(
    table: Table, instruments: Mapping[str, InstrumentSpec], passes: Mapping[str, InsertionLoss]
) -> Wiring:
    fibres: list[tuple[str, Fibre]] = []
    # About a required role that lacks, or about all of them, there is a complaint already.
    complained = set(REQUIRED_ROLES if instruments else ROLES)
    for index, part in enumerate(table.tables("fibre"), start=1):
        ports = []
        for key in ("from", "to"):
            text = part.text(key)
            try:
                port = parse_port(text)
            except ValueError as fault:
                if text:
                    part.complain(key, str(fault))
                continue
            if port.role == MODULE or port.role in instruments:
                ports.append(port)
            elif port.role not in complained:
                complained.add(port.role)
                part.complain(key, f"the bench has no {port.role}")
        loss_db = part.quantity("loss", "dB", low=0.0)
        uncertainty_db = part.quantity("uncertainty", "dB", low=0.0)
        part.end()
        if len(ports) == 2:
            fibres.append((f"fibre[{index}]", Fibre(ports[0], ports[1], loss_db, uncertainty_db)))
    for key, complaint in wiring_complaints(fibres, matrices=passes):
        table.complain(key, complaint)
    return Wiring([fibre for _, fibre in fibres], passes)


def _supply(part: Table) -> SupplySpec:
    sense = part.text("sense", choices=("remote", "local"))
    remote = sense == "remote"
    if not remote and not part.has("lead_resistance"):
        part.complain(
            "lead_resistance", "is missing; with local sense it is needed to know the module's voltage"
        )
    spec = SupplySpec(
        channel=part.integer("channel", low=1, high=16),
        remote_sense=remote,
        lead_resistance_ohm=part.quantity("lead_resistance", "ohm", "0 ohm", low=0.0),
        lead_uncertainty_ohm=part.quantity("lead_uncertainty", "ohm", "0 ohm", low=0.0),
        current_limit_a=part.quantity("current_limit", "A", low=0.0),
        overvoltage_v=part.quantity("overvoltage", "V", low=0.0),
        tolerance_v=part.quantity("tolerance", "V", "10 mV", low=0.0),
        settling_s=part.quantity("settling", "s", "0.2 s", low=0.0),
        voltage_uncertainty_v=part.quantity("voltage_uncertainty", "V", low=0.0),
        current_uncertainty_a=part.quantity("current_uncertainty", "A", low=0.0),
    )
    part.end()
    return spec


def _thermal(part: Table) -> ThermalSpec:
    spec = ThermalSpec(
        window_c=part.quantity("window", "K", "1 K", low=0.0),
        soak_s=part.quantity("soak", "s", low=0.0),
        time_limit_s=part.quantity("time_limit", "s", low=0.0),
    )
    part.end()
    return spec
