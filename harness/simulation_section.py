"""Section ``[simulation]`` of a bench file: the module, the reference transmitter, what goes wrong.

What each kind of fault says is one row of a table; the world's side of it is ``harness/simulation``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.tables import Table
from harness.wiring import REFERENCE, Port, Wiring
from harness.wiring.reading import read_port

_LEGS = ("tx", "rx", "both")
_POLARITIES = ("A", "C")
_MOST_LANES = 8
_MOST_AIRFLOW_M_PER_S = 50.0
_CABLE_LANES = 4
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

    Attributes: ``port``: where the fibre is plugged; ``severity``: 0 the least that is worth a name, 1
    plainly bad; ``lanes``, ``legs`` (``tx``, ``rx`` or ``both``): of a swap.
    """

    kind: str
    at_s: float = 0.0
    port: Port | None = None
    severity: float = 1.0
    loss_db: float = 0.0
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
    }
)
"""What each kind says beside its time."""


@dataclass(frozen=True, slots=True)
class ReferenceSpec:
    """The simulated reference transmitter: a golden module with a clock of its own.

    Attributes: the launch power is drawn per lane within ``spread_db`` of ``average_power_dbm``;
    ``bandwidth_hz``: of the transmitter, a 4th-order Bessel-Thomson low pass; ``multiplexed``: its lanes lie
    on the CWDM grid and leave at port 1 together; ``lit``: from the beginning; ``*_uncertainty``: expanded
    (k = 2), of its calibration.
    """

    lanes: int
    multiplexed: bool
    lit: bool
    average_power_dbm: float
    spread_db: float
    extinction_ratio_db: float
    bandwidth_hz: float
    rin_db_hz: float
    wavelength_nm: float
    power_uncertainty_db: float
    extinction_ratio_uncertainty_db: float
    secq_uncertainty_db: float
    wavelength_uncertainty_nm: float


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """What the simulated bench is made of; ``None`` in :class:`harness.benchfile.BenchSpec` means a lab.

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
        room_temp_c=part.quantity("room_temp", "degC", "23 degC"),
        specimen=part.integer("specimen", 0, low=0),
        airflow_m_per_s=part.quantity("airflow", "m/s", "0 m/s", low=0.0),
        faults=tuple(_fault(entry, roles) for entry in part.tables("fault")),
        reference=read_reference(part.table("reference_tx")) if part.has("reference_tx") else None,
    )
    if spec.airflow_m_per_s > _MOST_AIRFLOW_M_PER_S:
        part.complain("airflow", f"is above {_MOST_AIRFLOW_M_PER_S:g} m/s, which no fan gives")
    part.end()
    return spec


def read_reference(part: Table) -> ReferenceSpec:
    """``[simulation.reference_tx]``; what is left out is a good transmitter's."""
    multiplexed = part.boolean("multiplexed", default=False)
    if multiplexed and part.has("wavelength"):
        part.complain("wavelength", "of a multiplexed transmitter is given by the CWDM grid; leave it out")
    spec = ReferenceSpec(
        lanes=part.integer("lanes", 4, low=1, high=4 if multiplexed else _MOST_LANES),
        multiplexed=multiplexed,
        lit=part.boolean("lit", default=True),
        average_power_dbm=part.quantity("average_power", "dBm", "2 dBm", low=-40.0),
        spread_db=part.quantity("spread", "dB", "0.3 dB", low=0.0),
        extinction_ratio_db=part.quantity("extinction_ratio", "dB", "5 dB", low=0.1),
        bandwidth_hz=part.quantity("bandwidth", "Hz", "34 GHz", low=1e9),
        rin_db_hz=part.quantity("rin", "dB/Hz", "-152 dB/Hz", low=-200.0),
        wavelength_nm=part.quantity("wavelength", "nm", "1311 nm", low=1200.0),
        power_uncertainty_db=part.quantity("power_uncertainty", "dB", "0.15 dB", low=0.0),
        extinction_ratio_uncertainty_db=part.quantity(
            "extinction_ratio_uncertainty", "dB", "0.2 dB", low=0.0
        ),
        secq_uncertainty_db=part.quantity("secq_uncertainty", "dB", "0.2 dB", low=0.0),
        wavelength_uncertainty_nm=part.quantity("wavelength_uncertainty", "nm", "0.05 nm", low=0.0),
    )
    highest = (
        ("average_power", spec.average_power_dbm, 20.0, "dBm"),
        ("spread", spec.spread_db, 3.0, "dB"),
        ("extinction_ratio", spec.extinction_ratio_db, 20.0, "dB"),
        ("bandwidth", spec.bandwidth_hz, 1e12, "Hz"),
        ("rin", spec.rin_db_hz, -100.0, "dB/Hz"),
        ("wavelength", spec.wavelength_nm, 1700.0, "nm"),
    )
    for key, value, high, unit in highest:
        if value > high:
            part.complain(key, f"{value:g} {unit} is above {high:g} {unit}")
    part.end()
    return spec


def check_simulation(
    table: Table, simulation: SimulationSpec | None, wiring: Wiring, can_fail: Mapping[str, Collection[str]]
) -> None:
    """What the section speaks of is there: instruments that go wrong (``can_fail``: how those in a role can),
    fibres that do, and ports of the reference transmitter."""
    for index, fault in enumerate(simulation.faults if simulation else (), start=1):
        place = f"simulation.fault[{index}]"
        if isinstance(fault, FaultSpec):
            if fault.role and fault.kind not in can_fail.get(fault.role, ()):
                table.complain(
                    f"{place}.role", f"{fault.role} is no instrument of this bench that can fail so"
                )
        elif fault.port is not None and not wiring.is_plugged(fault.port):
            table.complain(f"{place}.port", f"no fibre is plugged at {fault.port}")
    reference = simulation.reference if simulation else None
    if reference is not None:
        ports = 1 if reference.multiplexed else reference.lanes
        for fibre in wiring.fibres:
            if fibre.start.role == REFERENCE and fibre.start.number > ports:
                has = "port 1 alone" if ports == 1 else f"ports 1 .. {ports}"
                table.complain(
                    "simulation.reference_tx", f"a fibre is plugged at {fibre.start}, but it has {has}"
                )


def _fault(part: Table, roles: Collection[str]) -> FaultSpec | WiringFaultSpec:
    kind = part.text("kind", choices=(*INSTRUMENT_FAULTS, *WIRING_FAULTS))
    at_s = part.quantity("at", "s", "0 s", low=0.0)
    if kind in WIRING_FAULTS:
        said = {name: _READ[name](part) for name in WIRING_FAULTS[kind]}
        part.end()
        return WiringFaultSpec(kind, at_s, **said)
    if kind in INSTRUMENT_FAULTS:
        role = part.text("role", choices=roles)
        said = {name: _READ[name](part) for name in INSTRUMENT_FAULTS[kind]}
        part.end()
        return FaultSpec(role if role in roles else "", kind, at_s, **said)
    return FaultSpec("", kind, at_s)  # of a kind that there is not nothing more is to be said


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
        or not all(type(lane) is int and 1 <= lane <= _CABLE_LANES for lane in lanes)
        or lanes[0] == lanes[1]
    ):
        part.complain("lanes", f"expected two different lanes of 1 .. {_CABLE_LANES}, such as [1, 2]")
        return ()
    return tuple(lanes)


_READ: Mapping[str, Any] = {
    "port": lambda part: read_port(part, "port"),
    "severity": _severity,
    "loss_db": lambda part: part.quantity("loss", "dB", low=0.0),
    "polarity": lambda part: part.text("polarity", choices=_POLARITIES),
    "lanes": _lanes,
    "legs": lambda part: part.text("legs", "tx", choices=_LEGS),
    "count": lambda part: part.integer("count", 0, low=1, high=_MOST_REPLIES) if part.has("count") else 0,
    "for_s": lambda part: part.quantity("for", "s", "0 s", low=0.0),
    "delay_s": lambda part: part.quantity("delay", "s", "1 s", low=0.0),
}
