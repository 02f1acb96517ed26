"""Ways of light to a port, found backwards from it: over fibres, through what is routed, to the sources.

Passive optics work in both directions: light that a wrong cable sends into a receiver's leg runs through the
bench backwards, and arrives where it may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.units import db_from_ratio, ratio_from_db
from harness.simulation.plant.cabling import Cabling
from harness.simulation.plant.dispersion import Glass
from harness.simulation.plant.echoes import Pair, Reflection, pairs
from harness.simulation.plant.fibres import TrueFibre
from harness.simulation.plant.true_losses import TrueLosses
from harness.wiring import ATTENUATOR, MODULE, REFERENCE, SPLITTER_INPUT, Fibre, Port, Wiring

_DARK = 1e-10  # share of a source's light that no instrument of a bench can see any more


@dataclass(frozen=True, slots=True)
class Way:
    """Light of ``source`` comes by it. ``glass``: the fibres on the way; ``bands_nm``: what multiplexers let
    through; ``pairs``: what makes echoes."""

    source: Port
    transmission: float
    glass: Glass
    bands_nm: tuple[tuple[float, float], ...]
    pairs: tuple[Pair, ...]

    def passes(self, wavelength_nm: float) -> bool:
        """Whether light of this wavelength comes through."""
        return all(low <= wavelength_nm <= high for low, high in self.bands_nm)


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
    bands_nm: tuple[tuple[float, float], ...] = ()
    reflections: tuple[Reflection, ...] = ()
    seen: frozenset[tuple[Fibre, bool]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Crossing:
    """Where light that leaves an element came into it, and the share that came through."""

    port: Port
    share: float
    band_nm: tuple[float, float] | None = None


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
        in a ring is followed once."""
        found: list[Way] = []
        left = list(self._last_fibres(port))
        while left:
            way = self._along(left.pop())
            came_from = way.fibre.start if way.forward else way.fibre.end
            source = self._source(came_from)
            if source is not None:
                found.append(_finished(source, way))
                continue
            for crossing in self._crossings(came_from, way.forward):
                left.extend(self._across(way, crossing))
        found.sort(key=lambda way: way.source)
        return tuple(found)

    def _last_fibres(self, port: Port) -> Iterator[_Travelled]:
        if port.role == MODULE:
            leg = self._cabling.leg_of(port.port)
            if leg is not None:
                yield from (_Travelled(fibre, forward) for fibre, forward in self._plugged(Port(MODULE, leg)))
            return
        fibre = self._wiring.fibre_into(port)
        if fibre is not None:
            yield _Travelled(fibre, True)

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
        # Named from the fibre's own start, so that both directions of light share one pair's phase.
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
            bands_nm=way.bands_nm,
            reflections=(
                *way.reflections,
                Reflection(near_key, near.reflectance_db, near_db, way.length_m),
                Reflection(far_key, far.reflectance_db, far_db, far_m),
            ),
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
        if transmission < _DARK:
            return
        band = crossing.band_nm
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
                bands_nm=way.bands_nm if band is None else (*way.bands_nm, band),
                reflections=way.reflections,
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
    return Way(source, way.transmission, Glass.of(way.glass), way.bands_nm, tuple(pairs(way.reflections)))
