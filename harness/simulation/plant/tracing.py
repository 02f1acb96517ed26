"""Ways of light to a port, found backwards from it: over fibres, through what is routed, to the sources.

Passive optics work in both directions: light that a wrong cable sends into a receiver's leg runs through the
bench backwards, and arrives where it may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from drivers.errors import BenchError
from drivers.units import db_from_ratio, ratio_from_db
from harness.simulation.plant.cabling import Cabling
from harness.simulation.plant.dispersion import Glass
from harness.simulation.plant.echoes import Pair, Reflection, pairs
from harness.simulation.plant.true_fibre import TrueFibre
from harness.simulation.plant.true_losses import TrueLosses
from harness.wiring import ATTENUATOR, MODULE, REFERENCE, SPLITTER_INPUT, Fibre, Port, Wiring
from harness.wiring.pieces import ALL_WAVELENGTHS, Band, narrowed

_DARK = 1e-10  # share of a source's light that no instrument of a bench can see any more
_MOST_BRANCHES = 10_000  # of one search: a bench file may describe more than anybody can wait for
_MOST_PIECES = 100  # one behind the other
MODULE_REFLECTANCE_DB = -30.0
"""Of a port of the module: a good one, 4 dB better than the worst that 802.3 Table 124-7 allows a receiver
(assumption)."""
INSTRUMENT_REFLECTANCE_DB = -40.0
"""Of a port of an instrument, or of the reference transmitter (assumption; data sheets say 35 to 45 dB)."""


@dataclass(frozen=True)
class Way:
    """Light of ``source`` comes by it. ``glass``: the fibres on the way; ``band_nm``: what multiplexers let
    through; ``names``: of the fibres, the last one first."""

    source: Port
    transmission: float
    glass: Glass
    length_m: float
    band_nm: Band
    reflections: tuple[Reflection, ...]
    names: tuple[str, ...]

    def passes(self, wavelength_nm: float) -> bool:
        """Whether light of this wavelength comes through."""
        low_nm, high_nm = self.band_nm
        return low_nm <= wavelength_nm <= high_nm

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """What makes echoes."""
        return pairs(self.reflections)


@dataclass(slots=True)
class Settings:
    """What instruments do to the light now. ``routes``: of matrices, outputs by input; ``attenuation_db`` and
    ``closed`` shutters: by channel."""

    routes: dict[str, dict[int, int]]
    attenuation_db: dict[Port, float]
    closed: set[Port]


@dataclass(frozen=True, slots=True)
class _Travelled:
    """From a fibre's far end back to where light came into it. ``forward``: as the bench file says."""

    fibre: Fibre
    forward: bool
    transmission: float = 1.0
    loss_db: float = 0.0
    length_m: float = 0.0
    glass: tuple[tuple[float, float], ...] = ()
    band_nm: Band = ALL_WAVELENGTHS
    reflections: tuple[Reflection, ...] = ()
    names: tuple[str, ...] = ()
    seen: frozenset[tuple[Fibre, bool]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Crossing:
    """Where light that leaves an element came into it, and the share that came through."""

    port: Port
    share: float
    band_nm: Band | None = None


class Tracer:
    """``fibres``: as they truly are, now."""

    def __init__(
        self,
        wiring: Wiring,
        losses: TrueLosses,
        settings: Settings,
        cabling: Cabling,
        fibres: Mapping[Fibre, TrueFibre],
    ) -> None:
        self._wiring = wiring
        self._losses = losses
        self._settings = settings
        self._cabling = cabling
        self._fibres = fibres
        self._shares = {
            name: losses.leg_transmissions(splitter) for name, splitter in wiring.splitters.items()
        }

    def ways_to(self, port: Port) -> tuple[Way, ...]:
        """All ways by which light comes to a port of an instrument or the module's receivers. Light that runs
        in a ring is followed once.

        :raises BenchError: when they are more than can be followed.
        """
        found: list[Way] = []
        left = list(self._last_fibres(port))
        begun = len(left)
        while left:
            way = self._along(left.pop())
            came_from = way.fibre.start if way.forward else way.fibre.end
            source = self._source(came_from)
            if source is not None:
                found.append(_finished(source, way))
                continue
            if len(way.names) == _MOST_PIECES:
                raise BenchError(
                    f"light on its way to {port} goes through more than {_MOST_PIECES} fibres, one behind "
                    "the other: take fibres out of the bench file, or routes out of its matrix"
                )
            for crossing in self._crossings(came_from, way.forward):
                onward = list(self._across(way, crossing))
                begun += len(onward)
                left.extend(onward)
            if begun > _MOST_BRANCHES:
                raise BenchError(
                    f"light can come to {port} by more than {_MOST_BRANCHES} ways, too many to follow: use "
                    "fewer splitters one behind the other, or take routes out of the bench's matrix"
                )
        found.sort(key=lambda way: way.source)
        return tuple(found)

    def _last_fibres(self, port: Port) -> Iterator[_Travelled]:
        ended = (Reflection(f"{port}", _port_reflectance_db(port), 0.0, 0.0),)
        if port.role == MODULE:
            leg = self._cabling.leg_of(port.port)
            if leg is not None:
                plugged = self._plugged(Port(MODULE, leg))
                yield from (_Travelled(fibre, forward, reflections=ended) for fibre, forward in plugged)
            return
        fibre = self._wiring.fibre_into(port)
        if fibre is not None:
            # An attenuator's channel lets light on: what it reflects is not known.
            yield _Travelled(fibre, True, reflections=() if port.role == ATTENUATOR else ended)

    def _plugged(self, port: Port) -> Iterator[tuple[Fibre, bool]]:
        """Fibres that bring light to a port: forwards those that end there, backwards those that start."""
        into, leaving = self._wiring.fibre_into(port), self._wiring.fibre_from(port)
        if into is not None:
            yield into, True
        if leaving is not None:
            yield leaving, False

    def _along(self, way: _Travelled) -> _Travelled:
        """To the fibre's other end."""
        true = self._fibres[way.fibre]
        near, far = (true.end, true.start) if way.forward else (true.start, true.end)
        name = f"{way.fibre.start}>{way.fibre.end}"
        near_db = way.loss_db + near.loss_db
        far_db = near_db + true.glass_db
        far_m = way.length_m + true.length_m
        # By the fibre's own ends: a connector has one name, whichever way light comes to it.
        near_key, far_key = (
            (f"{name}:end", f"{name}:start") if way.forward else (f"{name}:start", f"{name}:end")
        )
        return _Travelled(
            fibre=way.fibre,
            forward=way.forward,
            transmission=way.transmission * true.transmission,
            loss_db=far_db + far.loss_db,
            length_m=far_m,
            glass=(*way.glass, (true.length_m / 1000.0, true.zero_dispersion_nm)),
            band_nm=way.band_nm,
            reflections=(
                *way.reflections,
                Reflection(near_key, near.reflectance_db, near_db, way.length_m),
                Reflection(far_key, far.reflectance_db, far_db, far_m),
            ),
            names=(*way.names, name),
            seen=way.seen | {(way.fibre, way.forward)},
        )

    def _source(self, port: Port) -> Port | None:
        if port.role == REFERENCE:
            return port
        if port.role == MODULE:
            own = self._cabling.port_of(port.port)
            if own is not None and own.startswith("tx"):
                return Port(MODULE, own)
        return None

    def _across(self, way: _Travelled, crossing: _Crossing) -> Iterator[_Travelled]:
        transmission = way.transmission * crossing.share
        band_nm = narrowed(way.band_nm, crossing.band_nm)
        if transmission < _DARK or band_nm[0] > band_nm[1]:
            return
        for fibre, forward in self._plugged(crossing.port):
            # A channel's input and output have one name: light does not turn round in it.
            turned = crossing.port.role == ATTENUATOR and forward is not way.forward
            if turned or (fibre, forward) in way.seen:
                continue
            yield _Travelled(
                fibre=fibre,
                forward=forward,
                transmission=transmission,
                loss_db=way.loss_db - db_from_ratio(crossing.share),
                length_m=way.length_m,
                glass=way.glass,
                band_nm=band_nm,
                reflections=way.reflections,
                names=way.names,
                seen=way.seen,
            )

    def _crossings(self, leave: Port, forward: bool) -> Iterator[_Crossing]:
        """Ports of an element where light that leaves it at ``leave`` came in."""
        splitter = self._wiring.splitters.get(leave.role)
        if splitter is not None:
            shares = self._shares[leave.role]
            if leave.port != SPLITTER_INPUT:
                leg = splitter.legs[leave.number - 1]
                entry = Port(leave.role, SPLITTER_INPUT)
                yield _Crossing(entry, shares[leave.number - 1], leg.band_nm)
                return
            for number, (leg, share) in enumerate(zip(splitter.legs, shares, strict=True), start=1):
                yield _Crossing(Port(leave.role, str(number)), share, leg.band_nm)
        elif leave.role in self._wiring.passes:
            if leave.role == ATTENUATOR:
                if leave not in self._settings.closed:
                    setting = ratio_from_db(-self._settings.attenuation_db.get(leave, 0.0))
                    yield _Crossing(leave, setting * self._pass(leave.role, leave.number, leave.number))
                return
            routes = self._settings.routes.get(leave.role, {})
            for entry_number, leave_number in routes.items():
                here, there = (leave_number, entry_number) if forward else (entry_number, leave_number)
                if here == leave.number:
                    share = self._pass(leave.role, entry_number, leave_number)
                    yield _Crossing(Port(leave.role, str(there)), share)

    def _pass(self, role: str, entry: int, leave: int) -> float:
        return ratio_from_db(-self._losses.pass_db(role, entry, leave, self._wiring.passes[role]))


def _finished(source: Port, way: _Travelled) -> Way:
    launching = Reflection(f"{source}", _port_reflectance_db(source), way.loss_db, way.length_m)
    return Way(
        source=source,
        transmission=way.transmission,
        glass=Glass.of(way.glass),
        length_m=way.length_m,
        band_nm=way.band_nm,
        reflections=(*way.reflections, launching),
        names=way.names,
    )


def _port_reflectance_db(port: Port) -> float:
    return MODULE_REFLECTANCE_DB if port.role == MODULE else INSTRUMENT_REFLECTANCE_DB
