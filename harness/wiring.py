"""The bench's fibres: what is plugged where, what each piece loses, and how well that is known.

Losses live here and nowhere else. No instrument's own offset register is ever used: their signs differ
between makes, and a wrong one would defeat the damage interlock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from drivers.errors import BenchError

MODULE = "module"
_MODULE_PORT = re.compile(r"(tx|rx)([1-8])")


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """An optical port: of the module (``tx1``) or of an instrument's role (a number)."""

    role: str
    port: str

    def __str__(self) -> str:
        return f"{self.role}.{self.port}"

    @property
    def number(self) -> int:
        """The port's number: the lane of a module port, the port of an instrument."""
        return int(self.port[2:] if self.role == MODULE else self.port)


def parse_port(text: str) -> Port:
    """``module.tx1``, ``optical_switch.17``.

    :raises ValueError: when it is not of that form.
    """
    role, dot, port = text.partition(".")
    if role == MODULE and dot:
        if _MODULE_PORT.fullmatch(port):
            return Port(role, port)
        raise ValueError(f"{text!r}: the module has ports tx1 .. tx8 and rx1 .. rx8")
    if dot and role.isidentifier() and port.isascii() and port.isdigit() and 0 < int(port) < 10_000:
        return Port(role, str(int(port)))
    raise ValueError(f"{text!r} is not a port; write module.tx1 or the role and its port: optical_switch.17")


@dataclass(frozen=True, slots=True)
class Fibre:
    """Light goes from ``start`` to ``end``. ``loss_db`` with connectors, ``uncertainty_db`` with k = 2."""

    start: Port
    end: Port
    loss_db: float
    uncertainty_db: float


@dataclass(frozen=True, slots=True)
class InsertionLoss:
    """What a pass through an instrument (a switch matrix) loses."""

    loss_db: float
    uncertainty_db: float


@dataclass(frozen=True, slots=True)
class OpticalPath:
    """A way through the bench. ``routes``: per switching role the input and output port it needs."""

    start: Port
    end: Port
    hops: tuple[str, ...]
    loss_db: float
    uncertainty_db: float
    routes: tuple[tuple[str, int, int], ...]


class WiringError(BenchError):
    """No light can go that way."""


class Wiring:
    """The fibres of a bench and the matrices between them."""

    def __init__(self, fibres: Sequence[Fibre], passes: Mapping[str, InsertionLoss]) -> None:
        self.fibres = tuple(fibres)
        self.passes = dict(passes)
        self._from = {fibre.start: fibre for fibre in fibres}
        self._into = {fibre.end: fibre for fibre in fibres}

    def fibre_into(self, port: Port) -> Fibre | None:
        """The fibre that ends at a port."""
        return self._into.get(port)

    def fibre_from(self, port: Port) -> Fibre | None:
        """The fibre that starts at a port."""
        return self._from.get(port)

    def paths(self, start: Port, role: str) -> tuple[OpticalPath, ...]:
        """All ways from a port to any port of an instrument, the shortest hops first."""
        found: list[OpticalPath] = []
        self._walk(start, role, [], [], [], found)
        return tuple(sorted(found, key=lambda path: (len(path.hops), path.end.number)))

    def transmitter_paths(self, lanes: Sequence[int], role: str) -> dict[int, OpticalPath]:
        """A way for each of the module's transmitters to a port of its own: the port of the lane's number
        where that can be. A lane that no port is left for is not in the answer."""
        ways = {lane: self.paths(Port(MODULE, f"tx{lane}"), role) for lane in lanes}
        chosen = {lane: way for lane in lanes for way in ways[lane] if way.end.number == lane}
        for lane in lanes:
            taken = {way.end for way in chosen.values()}
            free = [way for way in ways[lane] if way.end not in taken]
            if lane not in chosen and free:
                chosen[lane] = free[0]
        return {lane: chosen[lane] for lane in lanes if lane in chosen}

    def _walk(
        self,
        start: Port,
        role: str,
        fibres: list[Fibre],
        through: list[InsertionLoss],
        routes: list[tuple[str, int, int]],
        found: list[OpticalPath],
    ) -> None:
        here = Port(routes[-1][0], str(routes[-1][2])) if routes else start
        fibre = self._from.get(here)
        if fibre is None:
            return
        fibres = [*fibres, fibre]
        if fibre.end.role == role:
            found.append(_path(start, fibres, through, routes))
            return
        matrix = fibre.end.role
        if matrix not in self.passes or any(route[0] == matrix for route in routes):
            return
        for exit_port in self._exits(matrix):
            step = (matrix, fibre.end.number, exit_port.number)
            self._walk(start, role, fibres, [*through, self.passes[matrix]], [*routes, step], found)

    def _exits(self, matrix: str) -> list[Port]:
        return sorted((port for port in self._from if port.role == matrix), key=lambda port: port.number)


def _path(
    start: Port,
    fibres: Sequence[Fibre],
    through: Sequence[InsertionLoss],
    routes: Sequence[tuple[str, int, int]],
) -> OpticalPath:
    pieces: list[Fibre | InsertionLoss] = [*fibres, *through]
    hops = [str(start)]
    for index, fibre in enumerate(fibres):
        hops.append(str(fibre.end))
        if index < len(routes):
            hops.append(f"{routes[index][0]}.{routes[index][2]}")
    return OpticalPath(
        start=start,
        end=fibres[-1].end,
        hops=tuple(hops),
        loss_db=sum(piece.loss_db for piece in pieces),
        # Calibrated one by one against different connectors: independent, so they add in squares.
        uncertainty_db=math.sqrt(sum(piece.uncertainty_db**2 for piece in pieces)),
        routes=tuple(routes),
    )


def wiring_complaints(
    fibres: Sequence[tuple[str, Fibre]], *, matrices: Collection[str]
) -> list[tuple[str, str]]:
    """What is impossible about a set of fibres: (where in the file, what) pairs."""
    complaints: list[tuple[str, str]] = []
    starts: dict[Port, str] = {}
    ends: dict[Port, str] = {}
    for place, fibre in fibres:
        if fibre.start.role == MODULE and fibre.start.port.startswith("rx"):
            complaints.append((f"{place}.from", f"{fibre.start} is a receiver: light cannot come from it"))
        if fibre.end.role == MODULE and fibre.end.port.startswith("tx"):
            complaints.append((f"{place}.to", f"{fibre.end} is a transmitter: light cannot go into it"))
        for port, seen, key in ((fibre.start, starts, "from"), (fibre.end, ends, "to")):
            if port in seen:
                complaints.append((f"{place}.{key}", f"{port} is plugged already, in {seen[port]}"))
            seen.setdefault(port, place)
    opaque: set[str] = set()
    for port, place in starts.items():
        if port in ends and port.role != MODULE:
            complaints.append(
                (f"{place}.from", f"{port} is an input as well as an output (see {ends[port]})")
            )
        if port.role not in {MODULE, *matrices, *opaque}:
            opaque.add(port.role)
            complaints.append(
                (
                    f"{place}.from",
                    f"{port.role} lets no light through: give it [instruments.{port.role}.pass]",
                )
            )
    return complaints
