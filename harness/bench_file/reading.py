"""The bench file: which instruments stand in which role, and how everything is connected.

A file is validated completely before anything is opened; every mistake is one line with file and key.
"""

from __future__ import annotations

import datetime
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
from drivers.serial_address import SerialAddress
from drivers.sysfs_file import check_sysfs_path
from harness.bench_file.calibrated_paths import (
    CalibratedPathSpec,
    path_calibrations,
    read_calibrated_paths,
)
from harness.bench_file.places import place_of
from harness.bench_file.shipped import BENCHES_FOLDER
from harness.bench_file.simulation_section import (
    FAULTS_OF_TRANSPORTS,
    SimulationSpec,
    check_simulation,
    read_simulation,
)
from harness.judging.verdict import DECISION_RULE
from harness.tables import Table, TableError, read_table
from harness.text import printable_text
from harness.wiring import REFERENCE, InsertionLoss, Wiring
from harness.wiring.ports import LETTING_THROUGH
from harness.wiring.reading import read_loss, read_wiring

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
_CLOCKS = ("wall", "virtual", "remote")
_I2C_ADDRESS = re.compile(r"i2c:\d{1,3}", re.ASCII)
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST_AND_PORT = rf"(?:[A-Za-z0-9][A-Za-z0-9.-]{{0,252}}|\[[0-9A-Fa-f:.]{{2,45}}\]):{_PORT}"
_SERVED_BUS = re.compile(
    rf"sim:(?:{_HOST_AND_PORT}(?:/[0-9]{{1,5}})?|unix:[^\0]{{1,100}}/[0-9]{{1,5}})", re.ASCII
)
_PERSONS = ("terminal", "nobody")
_SERVED_CLOCK = re.compile(_HOST_AND_PORT, re.ASCII)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a certificate says, as written in the bench file."""

    certificate: str
    date: str
    due: str


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """One instrument in a role. ``shared_with`` names the role whose instrument it is, if it is the same
    one. ``uncertainty``: expanded (k = 2), in ``uncertainty_unit``, of what the role measures.
    ``launch_power_dbm``: of a reference transmitter, average of each lane, about; None: not stated."""

    role: str
    driver: str
    address: str
    options: Mapping[str, Any]
    shared_with: str
    uncertainty: float | None
    uncertainty_unit: str
    calibration: Calibration | None
    launch_power_dbm: float | None = None


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
    """How the thermal source reaches the module's case. ``largest_trim_c``: how far from the case's
    temperature the air may be set, where the source controls the air."""

    window_c: float
    soak_s: float
    time_limit_s: float
    largest_trim_c: float


@dataclass(frozen=True, slots=True)
class BenchSpec:
    """A bench, as its file describes it. ``clock_address``: of the server whose time a ``remote`` clock is,
    else empty. ``calibrated_paths``: ways whose loss comes from the bench's history."""

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
    clock_address: str = ""
    calibrated_paths: tuple[CalibratedPathSpec, ...] = ()

    @property
    def seed(self) -> int | None:
        """Which simulated world it is; None for a lab, and for a served bench, whose server knows."""
        return self.simulation.seed if self.simulation is not None else None

    @property
    def simulated(self) -> bool:
        """Whether nothing of it is real: it is simulated in this process, or a served simulation."""
        return self.simulation is not None or self.clock == "remote"


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


def load_bench(path: Path, *, from_history: bool = True) -> BenchSpec:
    """Read and validate a bench file.

    ``from_history``: take the losses of its ``[[calibrated_path]]`` from the bench's history. Without, these
    ways have their stated losses: for who is about to calibrate them, or needs no losses.

    :raises TableError: with one line per mistake, naming file and key; for a way that is to be calibrated
        and is not.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    bench = table.table("bench")
    name = bench.text("name")
    description = bench.text("description", "")
    decision_rule = bench.text("decision_rule", DECISION_RULE, choices=[DECISION_RULE])
    bench.end()
    simulation = read_simulation(table, ROLES)
    clock_table = table.table("clock")
    clock = clock_table.text("kind", choices=_CLOCKS)
    clock_address = ""
    if clock == "remote":
        clock_address = clock_table.text("address")
        if clock_address and not _SERVED_CLOCK.fullmatch(clock_address):
            clock_table.complain(
                "address", f"{clock_address!r} is no address of a served bench, such as 127.0.0.1:40123"
            )
    clock_table.end()
    if clock in _CLOCKS and (clock == "virtual") != (simulation is not None):
        clock_table.complain(
            "kind", "a virtual clock and a [simulation] table go together: have both or neither"
        )
    io = table.table("io", required=False)
    visa_library = io.text("visa_library", "@py")
    io.end()
    instruments, passes = _instruments(table.table("instruments"))
    wiring = _wiring(table, instruments, passes)
    can_fail = {
        role: FAULTS_OF_TRANSPORTS.get(_transport(part.driver), ()) for role, part in instruments.items()
    }
    check_simulation(table, simulation, wiring, can_fail)
    calibrated_paths = read_calibrated_paths(table, wiring)
    supply = _supply(table.table("supply"))
    thermal = _thermal(table.table("thermal"))
    table.end()
    table.finish()
    spec = BenchSpec(
        path=path,
        sha256=table.sha256,
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
        clock_address=clock_address,
        calibrated_paths=calibrated_paths,
    )
    return with_calibrated_paths(spec) if from_history else spec


def with_calibrated_paths(spec: BenchSpec) -> BenchSpec:
    """A bench whose ``[[calibrated_path]]`` have the losses of its history: for who changed the seed
    (:func:`with_simulation`) of one that was loaded without.

    :raises TableError: for a way that was not calibrated.
    """
    if not spec.calibrated_paths:
        return spec
    return replace(spec, wiring=spec.wiring.with_calibrated(path_calibrations(spec)))


def with_simulation(spec: BenchSpec, *, module: str | None = None, seed: int | None = None) -> BenchSpec:
    """A simulated bench with another module profile (a name or a file) or seed; None: as its file says.

    :raises TableError: for a lab's bench that is given any of them, for a seed out of range, and when ways
        have their losses from the history and were not calibrated with that seed.
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
    changed = replace(spec, simulation=simulation)
    return with_calibrated_paths(changed) if spec.wiring.calibrated else changed


def _instruments(table: Table) -> tuple[dict[str, InstrumentSpec], dict[str, InsertionLoss]]:
    specs: dict[str, InstrumentSpec] = {}
    passes: dict[str, InsertionLoss] = {}
    places: dict[str, str] = {}
    for role, part in table.named():
        if role not in ROLES:
            table.complain(role, f"is not a role; roles are {', '.join(ROLES)}")
            continue
        specs[role] = _instrument(role, part)
        if part.has("pass"):
            loss = part.table("pass")
            passes[role] = read_loss(loss)
            loss.end()
            if role not in LETTING_THROUGH:
                part.complain("pass", f"light goes through {' and '.join(LETTING_THROUGH)} alone")
        part.end()
        address = _canonical(specs[role])
        place = place_of(_transport(specs[role].driver), address) if address else ""
        if place in places:
            part.complain(
                "address", f"{address} is used already, by {places[place]}; write shared_with instead"
            )
        if place:
            places.setdefault(place, role)
    for role in REQUIRED_ROLES:
        if role not in specs:
            table.complain(role, "is missing: every bench needs this role")
    for role, spec in specs.items():
        _check_shared(table, role, spec, specs)
    return specs, passes


def _transport(driver: str) -> str:
    return DRIVERS[driver].transport if driver in DRIVERS else ""


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
            if address:
                try:
                    _ADDRESSES[info.transport](address)
                except ValueError as fault:
                    part.complain("address", str(fault))
    unit = _UNCERTAINTY_UNITS.get(role, "")
    uncertainty = part.quantity("uncertainty", unit, low=0.0) if unit else None
    calibration = _calibration(part)
    launch_power_dbm = None
    if role == REFERENCE and part.has("launch_power"):
        launch_power_dbm = part.quantity("launch_power", "dBm", low=-40.0, high=20.0)
    return InstrumentSpec(
        role, driver, address, options, shared_with, uncertainty, unit, calibration, launch_power_dbm
    )


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


def _canonical(spec: InstrumentSpec) -> str:
    """The one spelling of an instrument's address; ``""`` where there is none, or a wrong one."""
    transport = _transport(spec.driver)
    try:
        return _ADDRESSES[transport](spec.address) if transport and spec.address else ""
    except ValueError:
        return ""


def _visa_address(address: str) -> str:
    # Here: who only validates limits or decodes a dump needs no VISA.
    from pyvisa import rname

    try:
        return str(rname.ResourceName.from_string(address))
    except ValueError:
        raise ValueError(f"{address!r} is no VISA address, such as TCPIP0::192.0.2.1::inst0::INSTR") from None


def _i2c_address(address: str) -> str:
    if not _I2C_ADDRESS.fullmatch(address) and not _SERVED_BUS.fullmatch(address):
        raise ValueError(
            f"{address!r} is no I2C bus; write i2c:1 for /dev/i2c-1, or sim:HOST:PORT/SLOT for a served one"
        )
    return address


def _serial_address(address: str) -> str:
    return SerialAddress.parse(address).canonical


def _person_address(address: str) -> str:
    if address not in _PERSONS:
        raise ValueError(f"{address!r} is no operator; write {' or '.join(_PERSONS)}")
    return address


def _file_address(address: str) -> str:
    return check_sysfs_path(address)


# For each transport: the canonical form of an address; ValueError says what is wrong with one.
_ADDRESSES = {
    "visa": _visa_address,
    "i2c": _i2c_address,
    "serial": _serial_address,
    "file": _file_address,
    "person": _person_address,
}


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
    table: Table,
    instruments: Mapping[str, InstrumentSpec],
    passes: Mapping[str, InsertionLoss],
) -> Wiring:
    return read_wiring(
        table,
        passes,
        present=list(instruments),
        # About a required role that lacks, or about all of them, there is a complaint already.
        complained=REQUIRED_ROLES if instruments else ROLES,
        roles=ROLES,
    )


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
        largest_trim_c=part.quantity("largest_trim", "K", "25 K", low=0.0),
    )
    part.end()
    return spec
