"""Section ``[simulation]`` of a bench file: the module, the reference module, what goes wrong.

What each kind of fault says is one row of a table; the world's side of it is ``harness/simulation``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.tables import Table
from harness.wiring import REFERENCE, Port, Wiring
from harness.wiring.pieces import HIGHEST_LOSS_DB
from harness.wiring.ports import MPO_LANES
from harness.wiring.reading import read_port

_LEGS = ("tx", "rx", "both")
_POLARITIES = ("A", "C")
_MOST_AIRFLOW_M_PER_S = 50.0
_LONGEST_S = 366 * 86_400.0
_ROOM_C = (-60.0, 150.0)
_MOST_REPLIES = 1_000_000


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A simulated instrument that goes wrong: what happens to the one in ``role``, at a time of the world.
    ``kind`` is one of :data:`INSTRUMENT_FAULTS`, which says what else is set.

    Attributes: ``count``: of replies, or of entries in its error queue; ``for_s``: how long; both 0: for ever
    (one entry); ``delay_s``: how much later it answers.
    """

    role: str
    kind: str
    at_s: float
    count: int = 0
    for_s: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WiringFaultSpec:
    """Fibres that are not as the bench file says, from a time of the world on. ``kind`` is one of
    :data:`WIRING_FAULTS`, which says what else is set; the rest keeps its default.

    Attributes: ``port``: where the fibre is plugged; ``severity``: 0 is none, 1 plainly bad; ``power_dbm``:
    of steady light that comes out of the fibre there; ``lanes``, ``legs`` (``tx``, ``rx`` or ``both``): of a
    swap.
    """

    kind: str
    at_s: float = 0.0
    port: Port | None = None
    severity: float = 1.0
    loss_db: float = 0.0
    power_dbm: float = 0.0
    polarity: str = ""
    lanes: tuple[int, ...] = ()
    legs: str = "tx"


INSTRUMENT_FAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dies": (),
        "garbles": ("count", "for_s"),
        "time_out": ("count", "for_s"),
        "disconnects": (),
        "wrong_terminator": ("count", "for_s"),
        "nan": ("count", "for_s"),
        "error_queue": ("count",),
        "busy": ("for_s",),
        "wrong_identity": ("for_s",),
        "slow": ("for_s", "delay_s"),
    }
)
"""What each kind says beside role and time; docs/wire-faults.md tells what it is."""
FAULTS_OF_TRANSPORTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "visa": tuple(INSTRUMENT_FAULTS),
        "serial": tuple(kind for kind in INSTRUMENT_FAULTS if kind != "error_queue"),
        "i2c": ("dies", "time_out", "disconnects", "slow"),
    }
)
"""Which can happen to an instrument, by what it is connected through: a bus of bytes without checks cannot
garble without the module being blamed, and only SCPI has an error queue."""
WIRING_FAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dirty_end_face": ("port", "severity"),
        "reflective_pair": ("port", "severity"),
        "bent_fibre": ("port", "loss_db"),
        "cable_polarity": ("polarity",),
        "key_flipped": (),
        "miswired_cassette": (),
        "lane_swap": ("lanes", "legs"),
        "stray_light": ("port", "power_dbm"),
    }
)
"""What each kind says beside its time."""


@dataclass(frozen=True, slots=True)
class ReferenceSpec:
    """The simulated reference transmitter: another module, on the host board that ``reference_tx`` in the
    bench file's instruments is. ``module``: its profile; ``specimen``: which module of it."""

    module: str
    specimen: int = 0


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """What the simulated bench is made of; ``None`` in :class:`harness.bench_file.reading.BenchSpec` means a
    lab.

    ``seed`` draws the bench's chance (calibration errors, true losses, noise), ``specimen`` which module of
    the profile it is. ``airflow_m_per_s``: of the room's air along the module's case; 0: still.
    """

    module: str
    seed: int
    room_temp_c: float
    specimen: int = 0
    airflow_m_per_s: float = 0.0
    faults: tuple[FaultSpec | WiringFaultSpec, ...] = ()
    reference: ReferenceSpec | None = None

    @property
    def wiring_faults(self) -> tuple[WiringFaultSpec, ...]:
        """What goes wrong with fibres."""
        return tuple(fault for fault in self.faults if isinstance(fault, WiringFaultSpec))

    @property
    def instrument_faults(self) -> tuple[FaultSpec, ...]:
        """What goes wrong with instruments."""
        return tuple(fault for fault in self.faults if isinstance(fault, FaultSpec))


def read_simulation(table: Table, roles: Collection[str]) -> SimulationSpec | None:
    """The section of a bench file; None without one. ``roles``: those of instruments."""
    if not table.has("simulation"):
        return None
    part = table.table("simulation")
    spec = SimulationSpec(
        module=part.text("module"),
        seed=part.integer("seed", 1),
        room_temp_c=part.quantity("room_temp", "degC", "23 degC", low=_ROOM_C[0], high=_ROOM_C[1]),
        specimen=part.integer("specimen", 0, low=0),
        airflow_m_per_s=part.quantity("airflow", "m/s", "0 m/s", low=0.0, high=_MOST_AIRFLOW_M_PER_S),
        faults=tuple(_fault(entry, roles) for entry in part.tables("fault")),
        reference=read_reference(part.table("reference_tx")) if part.has("reference_tx") else None,
    )
    part.end()
    return spec


def read_reference(part: Table) -> ReferenceSpec:
    """``[simulation.reference_tx]``."""
    spec = ReferenceSpec(part.text("module"), part.integer("specimen", 0, low=0))
    part.end()
    return spec


def check_simulation(
    table: Table, simulation: SimulationSpec | None, wiring: Wiring, can_fail: Mapping[str, Collection[str]]
) -> None:
    """What the section speaks of is there: instruments that go wrong (``can_fail``: how those in a role can),
    fibres that do, and a module for the reference transmitter's board."""
    for index, fault in enumerate(simulation.faults if simulation else (), start=1):
        place = f"simulation.fault[{index}]"
        if isinstance(fault, FaultSpec):
            if fault.role and fault.kind not in can_fail.get(fault.role, ()):
                table.complain(
                    f"{place}.role", f"{fault.role} is no instrument of this bench that can fail so"
                )
        elif fault.port is not None and not wiring.is_plugged(fault.port):
            table.complain(f"{place}.port", f"no fibre is plugged at {fault.port}")
        elif fault.kind == "stray_light" and fault.port is not None and not _is_an_end(wiring, fault.port):
            table.complain(f"{place}.port", f"no fibre ends at {fault.port} to be looked at there")
    if simulation is not None and (REFERENCE in can_fail) != (simulation.reference is not None):
        table.complain(
            f"simulation.{REFERENCE}",
            f"and instruments.{REFERENCE} go together: the module, and the board it is in",
        )


def _is_an_end(wiring: Wiring, port: Port) -> bool:
    """Whether light that comes out of a fibre here goes no further."""
    through = port.role in wiring.passes or port.role in wiring.splitters
    return not through and wiring.fibre_into(port) is not None


def _fault(part: Table, roles: Collection[str]) -> FaultSpec | WiringFaultSpec:
    kind = part.text("kind", choices=(*INSTRUMENT_FAULTS, *WIRING_FAULTS))
    at_s = part.quantity("at", "s", "0 s", low=0.0, high=_LONGEST_S)
    if kind in WIRING_FAULTS:
        said = _said(part, kind, WIRING_FAULTS[kind], "at")
        return WiringFaultSpec(kind, at_s, **said)
    if kind in INSTRUMENT_FAULTS:
        role = part.text("role", choices=roles)
        said = _said(part, kind, INSTRUMENT_FAULTS[kind], "at", "role")
        return FaultSpec(role if role in roles else "", kind, at_s, **said)
    return FaultSpec("", kind, at_s)  # of a kind that there is not nothing more is to be said


def read_fault_now(part: Table, can_fail: Mapping[str, Collection[str]]) -> FaultSpec:
    """A fault of an instrument that begins at once, while the bench is at work: what ``[[simulation.fault]]``
    says, without ``at``. ``can_fail``: as of :func:`check_simulation`."""
    roles = [role for role, kinds in can_fail.items() if kinds]
    role, kind = part.text("role", choices=roles), part.text("kind", choices=INSTRUMENT_FAULTS)
    if role not in roles or kind not in INSTRUMENT_FAULTS:
        return FaultSpec("", kind, 0.0)
    said = _said(part, kind, INSTRUMENT_FAULTS[kind], "role")
    if kind not in can_fail[role]:
        part.complain("kind", f"{role} cannot fail so; it can: {', '.join(can_fail[role])}")
    return FaultSpec(role, kind, 0.0, **said)


def _said(part: Table, kind: str, names: tuple[str, ...], *more: str) -> dict[str, Any]:
    """What a kind says beside ``more``; a word that another kind knows is told to be that."""
    said = {name: _READ[name][1](part) for name in names}
    known = ["kind", *more, *(_READ[name][0] for name in names)]
    for key in sorted({"role", *(key for key, _ in _READ.values())}.difference(known)):
        if part.has(key):
            part.raw(key)
            part.complain(key, f"{kind} has no {key}; it has {', '.join(sorted(known))}")
    part.end()
    return said


def _severity(part: Table) -> float:
    severity = part.number("severity", 1.0)
    if not 0.0 <= severity <= 1.0:
        part.complain("severity", f"{severity:g} is not within 0 .. 1")
    return severity


def _lanes(part: Table) -> tuple[int, ...]:
    listed = part.raw("lanes")
    lanes = listed if isinstance(listed, list) else []
    if (
        len(lanes) != 2
        or not all(type(lane) is int and 1 <= lane <= MPO_LANES for lane in lanes)
        or lanes[0] == lanes[1]
    ):
        part.complain("lanes", f"expected two different lanes of 1 .. {MPO_LANES}, such as [1, 2]")
        return ()
    return tuple(lanes)


# By what a fault says: its key in the file, and how it is read.
_READ: Mapping[str, tuple[str, Any]] = {
    "port": ("port", lambda part: read_port(part, "port")),
    "severity": ("severity", _severity),
    "loss_db": ("loss", lambda part: part.quantity("loss", "dB", low=0.0, high=HIGHEST_LOSS_DB)),
    "power_dbm": ("power", lambda part: part.quantity("power", "dBm", low=-100.0, high=20.0)),
    "polarity": ("polarity", lambda part: part.text("polarity", choices=_POLARITIES)),
    "lanes": ("lanes", _lanes),
    "legs": ("legs", lambda part: part.text("legs", "tx", choices=_LEGS)),
    "count": (
        "count",
        lambda part: part.integer("count", 0, low=1, high=_MOST_REPLIES) if part.has("count") else 0,
    ),
    "for_s": ("for", lambda part: part.quantity("for", "s", "0 s", low=0.0, high=_LONGEST_S)),
    "delay_s": ("delay", lambda part: part.quantity("delay", "s", "1 s", low=0.0, high=_LONGEST_S)),
}
