"""A simulated bench behind the I/O libraries' own extension points, as its bench file describes it."""

from __future__ import annotations

import functools
from typing import Any

import pyvisa
import serial

from drivers.catalogue import DRIVERS
from drivers.clock import Clock, StopFlag
from drivers.cmis.codes import MediaType
from drivers.errors import BenchError, UnsupportedError
from drivers.host_board import HostBoardOptions
from drivers.line_session import SerialPort
from drivers.reference_module import ReferenceOptions
from drivers.serial_address import SerialAddress
from harness.bench_file.reading import BenchSpec, InstrumentSpec
from harness.bench_file.simulation_section import FaultSpec, SimulationSpec, WiringFaultSpec
from harness.simulation.electricity import SupplyRail
from harness.simulation.failing import Failing
from harness.simulation.heat import CaseHeat
from harness.simulation.host_lanes import HostLanes
from harness.simulation.light.beam import Beam
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.building import AnyModule, build_module
from harness.simulation.module.profile import Profile, ProfileError, load_profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.peers.catalogue import (
    SimulatedInstrument,
    SimulatedSurroundings,
    as_stated,
    build_peer,
)
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.cabling import check_cable_fault
from harness.simulation.reference_place import ReferencePlace
from harness.simulation.serial_port import SerialLines
from harness.simulation.served.pins import PinHub
from harness.simulation.smbus import BITRATE_HZ, SimulatedI2cBus
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World
from harness.wiring import MODULE, REFERENCE, Wiring
from harness.wiring.ports import MATRIX

_USUAL_SIZE = 16


class ModuleSite:
    """Where the module sits: its supply, its air, its fibres (:class:`ports.ModuleSurroundings`)."""

    def __init__(self, rail: SupplyRail, heat: CaseHeat, fibres: FibrePlant) -> None:
        self._rail = rail
        self._heat = heat
        self._fibres = fibres

    def vcc_v(self) -> float:
        """Supply voltage at the connector."""
        return self._rail.connector_v()

    def case_temp_c(self) -> float:
        """Case temperature."""
        return self._heat.case_temp_c()

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """Light in a receiving fibre."""
        return self._fibres.rx_light(port)


class SimulatedBackend:
    """A world with everything the bench file names, and sessions into it.

    Public attributes for tests and for the world's faults: ``world``, ``module``, ``peers`` by role,
    ``boards``, their ``modules`` and ``pins`` by role, ``rail``, ``heat``, ``fibres``, ``host_lanes``;
    ``reference``: the reference module's place, or None.

    :raises BenchError: when the profile cannot be loaded, or its module has fewer fibres than are wired, or
        not the cable that goes wrong.
    """

    def __init__(
        self,
        spec: BenchSpec,
        simulation: SimulationSpec,
        stop: StopFlag,
        *,
        bitrate_hz: int | None = BITRATE_HZ,
    ) -> None:
        profile = _profile(simulation.module)
        self.world = World(simulation.seed)
        self.clock: Clock = VirtualClock(self.world, stop)
        # True leads are off what the bench file states by what it states of their uncertainty.
        off_ohm = self.world.noise.deviation(spec.supply.lead_uncertainty_ohm, "lead resistance")
        lead_ohm = spec.supply.lead_resistance_ohm + off_ohm
        self.rail = SupplyRail(lead_resistance_ohm=max(0.0, lead_ohm))
        self.heat = CaseHeat(
            self.world, room_temp_c=simulation.room_temp_c, airflow_m_per_s=simulation.airflow_m_per_s
        )
        pairs = _fibre_pairs(profile)
        _require_fibres(spec, profile, MODULE, pairs)
        _require_cables(spec, simulation, pairs)
        self.fibres = FibrePlant(
            self.world,
            spec.wiring,
            pairs=pairs,
            faults=simulation.wiring_faults,
        )
        self.host_lanes = HostLanes()
        site = ModuleSite(self.rail, self.heat, self.fibres)
        self.module = build_module(
            self.world, profile, site, host=self.host_lanes, specimen=simulation.specimen
        )
        self.rail.connect_load(self.module.consumption_w, self.module.supply_changed)
        self.heat.connect_load(self.module.consumption_w)
        self.fibres.connect_module(self.module)
        self.host_lanes.connect_module(self.module)
        self.reference = self._placed_reference(spec, simulation)
        surroundings = SimulatedSurroundings(
            self.fibres,
            self.heat,
            {spec.supply.channel: self.rail},
            self.host_lanes,
            matrix_size=_matrix_size(spec.wiring),
        )
        self._library = SimulatedVisaLibrary.create(self.world)
        self._manager = pyvisa.ResourceManager(self._library)
        self._lines = SerialLines(self.world)
        self.peers: dict[str, SimulatedInstrument] = {}
        self.boards: dict[str, SimulatedHostBoard] = {}
        self.modules: dict[str, AnyModule] = {}
        self.pins: dict[str, PinHub] = {}
        self._bitrate_hz = bitrate_hz
        self._buses: dict[str, SimulatedI2cBus] = {}
        self._bus_of: dict[str, str] = {}
        for part in spec.instruments.values():
            if not part.shared_with:
                self._place(part, surroundings)
        for planned in simulation.instrument_faults:
            self.world.after(planned.at_s, functools.partial(self._fail, planned))

    def _placed_reference(self, spec: BenchSpec, simulation: SimulationSpec) -> ReferencePlace | None:
        """None where the bench has none, or nobody needs it now."""
        if simulation.reference is None or REFERENCE not in spec.instruments:
            return None
        profile = _profile(simulation.reference.module)
        _require_fibres(spec, profile, REFERENCE, _fibre_pairs(profile))
        place = ReferencePlace(self.world, profile, simulation.reference, room_temp_c=simulation.room_temp_c)
        self.fibres.connect_reference(place.module)
        return place

    def failing(self, role: str) -> Failing:
        """What goes wrong where a role's instrument is: its peer, or the bus that its board sits on.

        :raises KeyError: for a role without an instrument of its own.
        """
        return self.peers[role] if role in self.peers else self._buses[self._bus_of[role]]

    def _fail(self, fault: FaultSpec) -> None:
        self.failing(fault.role).fail(fault.kind, count=fault.count, for_s=fault.for_s, delay_s=fault.delay_s)

    def _place(self, part: InstrumentSpec, surroundings: SimulatedSurroundings) -> None:
        if DRIVERS[part.driver].transport in ("person", "file"):
            return  # of flesh and blood, on a simulated bench too; and there are no files
        if DRIVERS[part.driver].transport == "i2c":
            self._place_board(part)
            return
        stated = as_stated(part.driver, part.options)
        peer = build_peer(part.driver, self.world, surroundings, part.role, stated)
        if DRIVERS[part.driver].transport == "serial":
            self._lines.attach(SerialAddress.parse(part.address), peer)
        else:
            self._library.attach(part.address, peer)
        self.peers[part.role] = peer

    def _place_board(self, part: InstrumentSpec) -> None:
        module: AnyModule = self.module
        options = part.options
        if part.role == REFERENCE and self.reference is not None:
            module = self.reference.module
            options = ReferenceOptions(options, name=part.role).board
        board = HostBoardOptions.parse(options, name=part.role)
        bus = self._buses.setdefault(part.address, SimulatedI2cBus(self.world, self._bitrate_hz))
        self._bus_of[part.role] = part.address
        self.modules[part.role] = module
        self.pins[part.role] = PinHub(module)
        self.boards[part.role] = SimulatedHostBoard(
            self.world, bus, self.pins[part.role], board.pin_bits, expander_address=board.expander_address
        )

    def visa_resource(self, address: str) -> Any:
        """Open a resource of the simulated VISA library."""
        return self._manager.open_resource(address)

    def serial_port(self, address: str) -> SerialPort:
        """Open a port of pyserial on a simulated line."""
        line = SerialAddress.parse(address)
        port: SerialPort = serial.serial_for_url(self._lines.url(line), **line.settings)
        return port

    def smbus(self, address: str) -> SimulatedI2cBus:
        """The simulated bus of that address."""
        return self._buses[address]

    def sysfs_file(self, address: str) -> str:
        """There are no files on a simulated bench.

        :raises UnsupportedError: always.
        """
        raise UnsupportedError(
            address, "a simulated bench has no files of sysfs", advice="Use i2c-host-board there."
        )

    def close(self) -> None:
        """Close the library's sessions."""
        self._manager.close()


def _require_cables(spec: BenchSpec, simulation: SimulationSpec, pairs: int) -> None:
    """The module has the cables that go wrong."""
    for index, fault in enumerate(simulation.faults, start=1):
        if isinstance(fault, WiringFaultSpec):
            try:
                check_cable_fault(fault, pairs)
            except BenchError as wrong:
                raise BenchError(f"{spec.path.name}: simulation.fault[{index}].kind: {wrong}") from wrong


def _matrix_size(wiring: Wiring) -> tuple[int, int]:
    """The square matrix that the file's numbers are of: outputs are counted after the inputs."""
    outputs = [fibre.start.number for fibre in wiring.fibres if fibre.start.role == MATRIX]
    inputs = min(outputs, default=_USUAL_SIZE + 1) - 1
    return (inputs, inputs) if inputs else (_USUAL_SIZE, _USUAL_SIZE)


def _fibre_pairs(profile: Profile) -> int:
    """How many a module has; none without optics."""
    optical = profile.identity.media_type in (MediaType.MMF, MediaType.SMF)
    return len(fibres_of(profile.medium, profile.media_lanes)) if optical else 0


def _profile(name: str) -> Profile:
    try:
        return load_profile(name)
    except ProfileError as fault:
        raise BenchError(str(fault)) from fault


def _require_fibres(spec: BenchSpec, profile: Profile, role: str, count: int) -> None:
    """What is wired is at a port of the module in this role that is there, unless none of the wiring's
    instruments is."""
    ends = [port for fibre in spec.wiring.fibres for port in (fibre.start, fibre.end)]
    if not any(port.role in spec.instruments for port in ends):
        return
    whose = "the module" if role == MODULE else "the reference module"
    for fibre in spec.wiring.fibres:
        for here, there in ((fibre.start, fibre.end), (fibre.end, fibre.start)):
            if here.role == role and here.number > count:
                pairs = "one pair" if count == 1 else f"{count} pairs"
                has = f"{profile.media_lanes} media lanes in {pairs} of fibres" if count else "no fibres"
                raise BenchError(
                    f"{here} is wired to {there}, but {whose} of profile {profile.name} "
                    f"has {has}. Use a bench file with its wiring, or the module alone (lanewise module)."
                )
