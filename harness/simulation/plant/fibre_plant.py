"""The bench's light as its parts see it: what arrives at each port now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from drivers.units import w_from_dbm
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.light.beam import Beam, mean_wavelength_nm
from harness.simulation.plant.cabling import CABLE_FAULTS, Cabling, check_cable_fault
from harness.simulation.plant.echoes import MOST, Phases, beside, pair_key
from harness.simulation.plant.tracing import Settings, Tracer, Way
from harness.simulation.plant.true_fibre import FIBRE_FAULTS, TrueFibre, true_fibre
from harness.simulation.plant.true_losses import TrueLosses
from harness.simulation.ports import Launcher
from harness.simulation.world import World
from harness.wiring import MODULE, REFERENCE, Fibre, Port, Wiring
from harness.wiring.ports import MPO_LANES

_STRAY_NM = 1310.0  # of light whose source is nobody's


class FibrePlant:
    """Everything passive between the sources and the instruments (:class:`ports.Fibres`).

    ``pairs``: of fibres that the module has, one for a duplex connector. ``faults`` begin at their times.
    Ways are found once and kept until a route, an attenuator, a shutter or a fault changes.

    :raises BenchError: for a fault of a cable that this module has not, and where light can come to a port by
        more ways than can be followed. Asking for light raises it, too, where routes make them so many.
    """

    def __init__(
        self,
        world: World,
        wiring: Wiring,
        *,
        pairs: int = MPO_LANES,
        faults: Sequence[WiringFaultSpec] = (),
    ) -> None:
        self._world = world
        self._wiring = wiring
        self._losses = TrueLosses(world.noise)
        self._settings = Settings({}, {}, set())
        self._pairs = pairs
        self._cabling = Cabling(pairs)
        self._fibres: dict[Fibre, TrueFibre] = {
            fibre: true_fibre(fibre, self._losses, ()) for fibre in wiring.fibres
        }
        self._phases = Phases(world)
        self._tracer = Tracer(wiring, self._losses, self._settings, self._cabling, self._fibres)
        self._launchers: dict[str, Launcher] = {}
        self._faults: list[WiringFaultSpec] = []
        self._stray: dict[Port, tuple[Beam, ...]] = {}
        self._ways: dict[Port, tuple[Way, ...]] = {}
        for fibre in wiring.fibres:
            # Without any route: what splitters alone make too many is refused before anything runs.
            if fibre.end.role not in wiring.splitters:
                self._tracer.ways_to(fibre.end)
        for fault in faults:
            check_cable_fault(fault, pairs)
            if fault.at_s <= 0.0:
                self.begin(fault)
            else:
                world.after(fault.at_s, partial(self.begin, fault))

    def connect_module(self, body: Launcher) -> None:
        """The module whose transmitters feed the fibres at ``module.tx1`` .."""
        self._launchers[MODULE] = body

    def connect_reference(self, body: Launcher) -> None:
        """What feeds the fibres at ``reference_tx.1`` ..; nothing does until this is called."""
        self._launchers[REFERENCE] = body

    # -- what instruments do to the light --------------------------------------------------------------

    def set_routes(self, role: str, routes: dict[int, int]) -> None:
        """What a matrix connects from now on: output ports by input port.

        :raises ValueError: when two inputs are to be connected to one output.
        """
        if len(set(routes.values())) != len(routes):
            raise ValueError(f"{role}: no mirror sends two inputs to one output: {routes}")
        self._settings.routes[role] = dict(routes)
        self._ways.clear()

    def set_attenuation(self, role: str, port: int, attenuation_db: float) -> None:
        """What an attenuator's channel is set to from now on, beside its insertion loss.

        :raises ValueError: below 0 dB.
        """
        if not 0.0 <= attenuation_db < math.inf:
            raise ValueError(f"{role}.{port}: an attenuator does not attenuate by {attenuation_db} dB")
        self._settings.attenuation_db[Port(role, str(port))] = attenuation_db
        self._ways.clear()

    def set_shutter(self, role: str, port: int, *, open_: bool) -> None:
        """Whether light comes through an attenuator's channel; it does until this is called."""
        channel = Port(role, str(port))
        (self._settings.closed.discard if open_ else self._settings.closed.add)(channel)
        self._ways.clear()

    # -- what arrives ----------------------------------------------------------------------------------

    def light(self, role: str, port: int) -> tuple[Beam, ...]:
        """All light that arrives at a port of an instrument (an attenuator's: at its input)."""
        return self._arriving(Port(role, str(port)))

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """Light that arrives in a receiving fibre of the module."""
        return self._arriving(Port(MODULE, f"rx{port}"))

    def power_w(self, role: str, port: int) -> float:
        """Optical power arriving at an instrument's port."""
        at = Port(role, str(port))
        return math.fsum(
            (
                *(
                    beam.power_w * way.transmission
                    for way in self._ways_to(at)
                    for beam in self._launched(way)
                ),
                *(beam.power_w for beam in self._stray.get(at, ())),
            )
        )

    def wavelength_nm(self, role: str, port: int) -> float | None:
        """Wavelength of the light arriving there; None when dark."""
        return mean_wavelength_nm(self.light(role, port))

    def _arriving(self, port: Port) -> tuple[Beam, ...]:
        arriving = [(way, beam) for way in self._ways_to(port) for beam in self._launched(way)]
        by_source: dict[str, list[tuple[Way, Beam]]] = {}
        for way, beam in arriving:
            by_source.setdefault(beam.source, []).append((way, beam))
        stray = self._stray.get(port, ())
        if len(by_source) == len(arriving):
            return (*(self._after(way, beam) for way, beam in arriving), *stray)
        return (*(self._joined(parts) for parts in by_source.values()), *stray)

    def _ways_to(self, port: Port) -> tuple[Way, ...]:
        ways = self._ways.get(port)
        if ways is None:
            ways = self._ways[port] = self._tracer.ways_to(port)
        return ways

    def _launched(self, way: Way) -> tuple[Beam, ...]:
        launcher = self._launchers.get(way.source.role)
        beams = launcher.launched(way.source.number) if launcher is not None else ()
        return tuple(beam for beam in beams if way.passes(beam.wavelength_nm))

    def _after(self, way: Way, beam: Beam) -> Beam:
        echoes = beam.echoes
        if way.pairs:
            rate_bd = beam.modulation.symbol_rate_bd
            echoes += tuple(self._phases.echo(pair, rate_bd) for pair in way.pairs)
        return replace(
            beam,
            power_w=beam.power_w * way.transmission,
            dispersion_ps_nm=beam.dispersion_ps_nm + way.glass.dispersion_ps_nm(beam.wavelength_nm),
            echoes=echoes,
        )

    def _joined(self, parts: list[tuple[Way, Beam]]) -> Beam:
        """Light of one laser that comes by several ways. It is the light of the strongest; the others beat
        with it as echoes do, and bring their power."""
        parts = sorted(parts, key=lambda part: -part[0].transmission)
        main, launched = parts[0]
        echoes = []
        for way, _ in parts[1 : 1 + MOST]:
            key = pair_key(">>".join(main.names), ">>".join(way.names))
            pair = beside(key, way.transmission / main.transmission, way.length_m - main.length_m)
            if pair is not None:
                echoes.append(self._phases.echo(pair, launched.modulation.symbol_rate_bd))
        beam = self._after(main, launched)
        power_w = math.fsum(part.power_w * way.transmission for way, part in parts)
        return replace(beam, power_w=power_w, echoes=beam.echoes + tuple(echoes))

    # -- what goes wrong -------------------------------------------------------------------------------

    def begin(self, fault: WiringFaultSpec) -> None:
        """A fault is there from now on.

        :raises BenchError: for a fault of a cable that this module has not.
        """
        check_cable_fault(fault, self._pairs)
        self._faults.append(fault)
        if fault.kind == "stray_light" and fault.port is not None:
            stray = Beam(f"stray light at {fault.port}", w_from_dbm(fault.power_dbm), _STRAY_NM)
            self._stray[fault.port] = (*self._stray.get(fault.port, ()), stray)
        if fault.kind in CABLE_FAULTS:
            self._cabling.become([each for each in self._faults if each.kind in CABLE_FAULTS])
        fibre = self._fibre_at(fault.port)
        if fibre is not None:
            self._fibres[fibre] = true_fibre(fibre, self._losses, self._faults_of(fibre))
        self._ways.clear()

    def _faults_of(self, fibre: Fibre) -> list[WiringFaultSpec]:
        """In the order in which they began."""
        return [
            fault
            for fault in self._faults
            if fault.kind in FIBRE_FAULTS and self._fibre_at(fault.port) == fibre
        ]

    def _fibre_at(self, port: Port | None) -> Fibre | None:
        """Where two fibres are plugged at one port (an attenuator's channel), the one that ends there."""
        if port is None:
            return None
        return self._wiring.fibre_into(port) or self._wiring.fibre_from(port)
