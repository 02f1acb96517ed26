"""Ways that light can take through the bench, with their stated losses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drivers.errors import BenchError
from harness.wiring.pieces import (
    ALL_WAVELENGTHS,
    Band,
    Fibre,
    InsertionLoss,
    Leg,
    PathCalibration,
    Splitter,
    narrowed,
)
from harness.wiring.ports import ATTENUATOR, MODULE, SPLITTER_INPUT, Port

_MOST_CROSSINGS = 3  # of one matrix, between two ports: to an attenuator, to a spool, and to the end
_MOST_BEGUN = 10_000  # in a search: a bench file may describe more ways than anybody can wait for


@dataclass(frozen=True, slots=True)
class OpticalPath:
    """A way through the bench. ``routes``: per switching role the input and output port it needs.
    ``attenuators``: the channels it goes through; what they are set to comes on top of ``loss_db``.
    ``calibration``: where loss and uncertainty come from when they were measured of the way as a whole; None:
    they are the sum of what the bench file states of its pieces. ``band_nm``: what its multiplexers let
    through."""

    start: Port
    end: Port
    hops: tuple[str, ...]
    loss_db: float
    uncertainty_db: float
    routes: tuple[tuple[str, int, int], ...]
    attenuators: tuple[Port, ...] = ()
    calibration: PathCalibration | None = None
    band_nm: Band = ALL_WAVELENGTHS

    def separates(self, lane: int, wavelengths_nm: Mapping[int, float]) -> bool:
        """Whether of lanes in one fibre this one alone comes through, each at its wavelength."""
        low_nm, high_nm = self.band_nm
        return {other for other, nm in wavelengths_nm.items() if low_nm <= nm <= high_nm} == {lane}


class WiringError(BenchError):
    """No light can go that way, or the ways are too many to find out."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A way up to a port ``here`` that light comes out of. ``band_nm``: the wavelengths that come so far."""

    here: Port
    hops: tuple[str, ...]
    fibres: tuple[Fibre, ...] = ()
    through: tuple[InsertionLoss | Leg, ...] = ()
    routes: tuple[tuple[str, int, int], ...] = ()
    attenuators: tuple[Port, ...] = ()
    band_nm: Band = ALL_WAVELENGTHS

    def along(self, fibre: Fibre) -> _Begun:
        return _Begun(
            fibre.end,
            (*self.hops, str(fibre.end)),
            (*self.fibres, fibre),
            self.through,
            self.routes,
            self.attenuators,
            self.band_nm,
        )

    def across(self, leave: Port, loss: InsertionLoss | Leg) -> _Begun:
        channel = leave.role == ATTENUATOR
        switched = not channel and isinstance(loss, InsertionLoss)
        return _Begun(
            leave,
            self.hops if channel else (*self.hops, str(leave)),
            self.fibres,
            (*self.through, loss),
            (*self.routes, (leave.role, self.here.number, leave.number)) if switched else self.routes,
            (*self.attenuators, leave) if channel else self.attenuators,
            narrowed(self.band_nm, loss.band_nm) if isinstance(loss, Leg) else self.band_nm,
        )


class Wiring:
    """The fibres of a bench, and the matrices, attenuators and splitters between them. ``passes``: by role,
    what a pass through its instrument loses. ``calibrated``: ways whose loss was measured as a whole."""

    def __init__(
        self,
        fibres: Sequence[Fibre],
        passes: Mapping[str, InsertionLoss],
        splitters: Sequence[Splitter] = (),
        calibrated: Sequence[PathCalibration] = (),
    ) -> None:
        self.fibres = tuple(fibres)
        self.passes = dict(passes)
        self.splitters = {splitter.name: splitter for splitter in splitters}
        self.calibrated = {entry.hops: entry for entry in calibrated}
        self._from = {fibre.start: fibre for fibre in fibres}
        self._into = {fibre.end: fibre for fibre in fibres}
        self._leaving: dict[str, list[Port]] = {}
        self._entering: dict[str, list[Port]] = {}
        for port in sorted(self._from, key=lambda port: port.number):
            self._leaving.setdefault(port.role, []).append(port)
        for port in self._into:
            self._entering.setdefault(port.role, []).append(port)

    def with_calibrated(self, calibrated: Sequence[PathCalibration]) -> Wiring:
        """The same fibres, with these ways calibrated and no others."""
        return Wiring(self.fibres, self.passes, tuple(self.splitters.values()), calibrated)

    def fibre_into(self, port: Port) -> Fibre | None:
        """The fibre that ends at a port."""
        return self._into.get(port)

    def fibre_from(self, port: Port) -> Fibre | None:
        """The fibre that starts at a port."""
        return self._from.get(port)

    def is_plugged(self, port: Port) -> bool:
        """Whether a fibre is plugged at a port."""
        return port in self._from or port in self._into

    def paths(self, start: Port, role: str) -> tuple[OpticalPath, ...]:
        """All ways from a port to any port of an instrument that cross no matrix twice, the shortest hops
        first.

        :raises WiringError: as :meth:`ways`.
        """
        found = self._search(start, lambda port: port.role == role, f"any port of {role}", crossings=1)
        return tuple(sorted(found, key=lambda path: (len(path.hops), path.end.number)))

    def ways(self, start: Port, end: Port) -> tuple[OpticalPath, ...]:
        """All ways from one port to another, the shortest hops first. A matrix may be crossed up to three
        times, by other ports: to an attenuator and back, to a spool and back. Of more ways than can be
        searched in reasonable time, those with the fewest crossings.

        :raises WiringError: when so much was searched and none was found: there may be one or not.
        """
        return tuple(self._search(start, lambda port: port == end, str(end), crossings=_MOST_CROSSINGS))

    def way(self, start: Port, end: Port, via: Port | None = None) -> OpticalPath | None:
        """The shortest way from one port to another, by the port ``via`` where it is given. Without that, one
        through an attenuator is taken only where no other is; None: there is none.

        :raises WiringError: as :meth:`ways`.
        """
        found = [way for way in self.ways(start, end) if via is None or str(via) in way.hops]
        plain = [way for way in found if not way.attenuators]
        return next(iter(plain if via is None and plain else found), None)

    def transmitter_paths(
        self, lanes: Sequence[int], role: str, wavelengths_nm: Mapping[int, float] = MappingProxyType({})
    ) -> dict[int, OpticalPath]:
        """A way for each of the module's transmitters to a port of its own: the port of the lane's number
        where that can be. A lane that no port is left for is not in the answer. Ways through an attenuator
        are not taken: who measures along them must know what it is set to.

        ``wavelengths_nm``: by lane, where all share a fibre, which leaves the module at ``tx1``: only ways
        that separate a lane from the others are taken then.

        :raises WiringError: as :meth:`ways`.
        """
        ways = {
            lane: [
                way
                for way in self.paths(Port(MODULE, "tx1" if wavelengths_nm else f"tx{lane}"), role)
                if not way.attenuators and (not wavelengths_nm or way.separates(lane, wavelengths_nm))
            ]
            for lane in lanes
        }
        chosen: dict[int, OpticalPath] = {}
        for lane in lanes:
            own = [way for way in ways[lane] if way.end.number == lane]
            if own:
                chosen[lane] = own[0]
        for lane in lanes:
            taken = {way.end for way in chosen.values()}
            free = [way for way in ways[lane] if way.end not in taken]
            if lane not in chosen and free:
                chosen[lane] = free[0]
        return {lane: chosen[lane] for lane in lanes if lane in chosen}

    def _search(
        self, start: Port, arrived: Callable[[Port], bool], where: str, *, crossings: int
    ) -> list[OpticalPath]:
        """Ways with few crossings of matrices before those with more, whatever else is between them, so that
        many of the latter hide none of the former."""
        needs = {role: self._crossings_left(arrived, role) for role in ("", *self._matrices())}
        found: dict[OpticalPath, None] = {}
        for most in range(1, crossings + 1):
            more, spent = self._search_within(start, arrived, needs, most)
            found.update(dict.fromkeys(more))
            if spent and not found:
                raise WiringError(
                    f"the ways from {start} to {where} are too many to look through: of {_MOST_BEGUN} that "
                    "were begun none arrived; leave out of the bench file the fibres that it does not need"
                )
            if spent:
                break
        return sorted(found, key=lambda path: len(path.hops))

    def _search_within(
        self,
        start: Port,
        arrived: Callable[[Port], bool],
        needs: Mapping[str, Mapping[Port, int]],
        crossings: int,
    ) -> tuple[list[OpticalPath], bool]:
        """Ways that cross no matrix more often than that, and whether the search was given up. None is begun
        that could not arrive."""
        found: list[OpticalPath] = []
        known: dict[tuple[object, ...], list[tuple[Port, InsertionLoss | Leg]]] = {}
        begun = deque([_Begun(start, (str(start),))])
        started = 1
        spent = False
        while begun:
            way = begun.popleft()
            fibre = self._from.get(way.here)
            if fibre is None or fibre in way.fibres:
                continue
            way = way.along(fibre)
            if arrived(fibre.end):
                found.append(self._path(start, way))
                continue
            room = self._room(way, crossings)
            # All inputs of a matrix have the same outputs before them.
            place = fibre.end.role if fibre.end.role in room else fibre.end
            exits = known.get((place, *room.values()))
            if exits is None:
                exits = known[place, *room.values()] = [
                    (leave, loss)
                    for leave, loss in self._exits(fibre.end)
                    if all(left.get(leave, math.inf) <= room[role] for role, left in needs.items())
                ]
            for leave, loss in exits:
                onward = way.across(leave, loss)
                if onward.band_nm[0] > onward.band_nm[1]:
                    continue
                if started == _MOST_BEGUN:
                    spent = True
                    break
                begun.append(onward)
                started += 1
        return found, spent

    def _matrices(self) -> list[str]:
        return [role for role in self.passes if role != ATTENUATOR]

    def _room(self, way: _Begun, crossings: int) -> dict[str, int]:
        """How often each matrix may be crossed behind the element that a way has come to."""
        roles = [role for role, _, _ in way.routes]
        return {
            role: crossings - roles.count(role) - (role == way.here.role) for role in ("", *self._matrices())
        }

    def _crossings_left(self, arrived: Callable[[Port], bool], role: str) -> dict[Port, int]:
        """For each port that a fibre starts at and light can arrive from: how often at least it has to cross
        one matrix until it is there."""
        left: dict[Port, int] = {}
        near = deque((fibre.start, 0) for fibre in self.fibres if arrived(fibre.end))
        crossed: set[str] = set()
        while near:
            port, count = near.popleft()
            if port in left:
                continue
            left[port] = count
            if port.role in self.splitters:
                legs = self._entering.get(port.role, [])
                entries = [
                    each for each in legs if (each.port == SPLITTER_INPUT) != (port.port == SPLITTER_INPUT)
                ]
            elif port.role == ATTENUATOR:
                entries = [port] if port in self._into else []
            elif port.role in self.passes and port.role not in crossed:
                crossed.add(port.role)
                entries = self._entering.get(port.role, [])
            else:
                continue
            for entry in entries:
                if port.role == role:
                    near.append((self._into[entry].start, count + 1))
                else:
                    near.appendleft((self._into[entry].start, count))
        return left

    def _exits(self, entry: Port) -> Iterator[tuple[Port, InsertionLoss | Leg]]:
        """Where light that comes to a port of an element can leave it, and what that loses."""
        if entry.role in self.splitters:
            legs = self.splitters[entry.role].legs
            if entry.port != SPLITTER_INPUT:
                yield Port(entry.role, SPLITTER_INPUT), legs[entry.number - 1]
                return
            for number, leg in enumerate(legs, start=1):
                yield Port(entry.role, str(number)), leg
        elif entry.role in self.passes:
            loss = self.passes[entry.role]
            if entry.role == ATTENUATOR:
                yield entry, loss
                return
            for leave in self._leaving.get(entry.role, []):
                yield leave, loss

    def _path(self, start: Port, way: _Begun) -> OpticalPath:
        pieces: list[Fibre | InsertionLoss | Leg] = [*way.fibres, *way.through]
        calibration = self.calibrated.get(way.hops)
        return OpticalPath(
            start=start,
            end=way.here,
            hops=way.hops,
            loss_db=calibration.loss_db if calibration else sum(piece.loss_db for piece in pieces),
            # Calibrated one by one against different connectors: independent, so they add in squares.
            uncertainty_db=calibration.uncertainty_db
            if calibration
            else math.sqrt(sum(piece.uncertainty_db**2 for piece in pieces)),
            routes=way.routes,
            attenuators=way.attenuators,
            calibration=calibration,
            band_nm=way.band_nm,
        )
