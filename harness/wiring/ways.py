"""Ways that light can take through the bench, with their stated losses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from drivers.errors import BenchError
from harness.wiring.pieces import Fibre, InsertionLoss, Leg, Splitter
from harness.wiring.ports import ATTENUATOR, MODULE, SPLITTER_INPUT, Port

_MOST_CROSSINGS = 3  # of one matrix, between two ports: to an attenuator, to a spool, and to the end
_MOST_BEGUN = 10_000  # in a search: a bench file may describe more ways than anybody can wait for


@dataclass(frozen=True, slots=True)
class OpticalPath:
    """A way through the bench. ``routes``: per switching role the input and output port it needs.
    ``attenuators``: the channels it goes through; what they are set to comes on top of ``loss_db``."""

    start: Port
    end: Port
    hops: tuple[str, ...]
    loss_db: float
    uncertainty_db: float
    routes: tuple[tuple[str, int, int], ...]
    attenuators: tuple[Port, ...] = ()


class WiringError(BenchError):
    """No light can go that way."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A way up to a port ``here`` that light comes out of."""

    here: Port
    hops: tuple[str, ...]
    fibres: tuple[Fibre, ...] = ()
    through: tuple[InsertionLoss | Leg, ...] = ()
    routes: tuple[tuple[str, int, int], ...] = ()
    attenuators: tuple[Port, ...] = ()

    def along(self, fibre: Fibre) -> _Begun:
        return _Begun(
            fibre.end,
            (*self.hops, str(fibre.end)),
            (*self.fibres, fibre),
            self.through,
            self.routes,
            self.attenuators,
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
        )


class Wiring:
    """The fibres of a bench, and the matrices, attenuators and splitters between them. ``passes``: by role,
    what a pass through its instrument loses."""

    def __init__(
        self,
        fibres: Sequence[Fibre],
        passes: Mapping[str, InsertionLoss],
        splitters: Sequence[Splitter] = (),
    ) -> None:
        self.fibres = tuple(fibres)
        self.passes = dict(passes)
        self.splitters = {splitter.name: splitter for splitter in splitters}
        self._from = {fibre.start: fibre for fibre in fibres}
        self._into = {fibre.end: fibre for fibre in fibres}

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
        first."""
        found = self._search(start, lambda port: port.role == role, crossings=1)
        return tuple(sorted(found, key=lambda path: (len(path.hops), path.end.number)))

    def ways(self, start: Port, end: Port) -> tuple[OpticalPath, ...]:
        """All ways from one port to another, the shortest hops first. A matrix may be crossed up to three
        times, by other ports: to an attenuator and back, to a spool and back. Of more ways than can be
        searched in reasonable time, the shortest."""
        return tuple(self._search(start, lambda port: port == end, crossings=_MOST_CROSSINGS))

    def transmitter_paths(self, lanes: Sequence[int], role: str) -> dict[int, OpticalPath]:
        """A way for each of the module's transmitters to a port of its own: the port of the lane's number
        where that can be. A lane that no port is left for is not in the answer. Ways through an attenuator
        are not taken: who measures along them must know what it is set to."""
        ways = {
            lane: [way for way in self.paths(Port(MODULE, f"tx{lane}"), role) if not way.attenuators]
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

    def _search(self, start: Port, arrived: Callable[[Port], bool], *, crossings: int) -> list[OpticalPath]:
        found: list[OpticalPath] = []
        begun = deque([_Begun(start, (str(start),))])
        started = 1
        while begun:
            way = begun.popleft()
            fibre = self._from.get(way.here)
            if fibre is None or fibre in way.fibres:
                continue
            way = way.along(fibre)
            if arrived(fibre.end):
                found.append(_path(start, way))
                continue
            crossed = sum(role == fibre.end.role for role, _, _ in way.routes)
            if crossed < crossings and started < _MOST_BEGUN:
                onward = [way.across(leave, loss) for leave, loss in self._exits(fibre.end)]
                started += len(onward)
                begun.extend(onward)
        return sorted(found, key=lambda path: len(path.hops))

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
            exits = (port for port in self._from if port.role == entry.role)
            for leave in sorted(exits, key=lambda port: port.number):
                yield leave, loss


def _path(start: Port, way: _Begun) -> OpticalPath:
    pieces: list[Fibre | InsertionLoss | Leg] = [*way.fibres, *way.through]
    return OpticalPath(
        start=start,
        end=way.here,
        hops=way.hops,
        loss_db=sum(piece.loss_db for piece in pieces),
        # Calibrated one by one against different connectors: independent, so they add in squares.
        uncertainty_db=math.sqrt(sum(piece.uncertainty_db**2 for piece in pieces)),
        routes=way.routes,
        attenuators=way.attenuators,
    )
