"""What is impossible about the wiring of a bench file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.wiring.pieces import Fibre, Splitter
from harness.wiring.ports import ATTENUATOR, LETTING_THROUGH, MODULE, REFERENCE, SPLITTER_INPUT, Port

Complaints = list[tuple[str, str]]


def wiring_complaints(
    fibres: Sequence[tuple[str, Fibre]],
    *,
    passes: Collection[str],
    splitters: Mapping[str, Splitter] | None = None,
) -> Complaints:
    """What is impossible about a set of fibres: (where in the file, what) pairs. ``passes``: the roles that
    light goes through."""
    splitters = splitters or {}
    complaints: Complaints = []
    starts: dict[Port, str] = {}
    ends: dict[Port, str] = {}
    for place, fibre in fibres:
        complaints += _of_ends(place, fibre)
        for port, seen, key in ((fibre.start, starts, "from"), (fibre.end, ends, "to")):
            if port in seen:
                complaints.append((f"{place}.{key}", f"{port} is plugged already, in {seen[port]}"))
            seen.setdefault(port, place)
            complaints += _of_splitter_port(f"{place}.{key}", port, splitters)
    opaque: set[str] = set()
    for port, place in starts.items():
        if port in ends and port.role not in {MODULE, ATTENUATOR}:
            complaints.append(
                (f"{place}.from", f"{port} is an input as well as an output (see {ends[port]})")
            )
        if port.role not in {MODULE, REFERENCE, *passes, *splitters, *opaque}:
            opaque.add(port.role)
            what = f"{port.role} lets no light through"
            if port.role in LETTING_THROUGH:
                what += f": give it [instruments.{port.role}.pass]"
            complaints.append((f"{place}.from", what))
    return complaints + _of_directions(starts, ends, splitters)


def _of_ends(place: str, fibre: Fibre) -> Complaints:
    complaints: Complaints = []
    start, end = fibre.start, fibre.end
    if start.role == MODULE and start.port.startswith("rx"):
        complaints.append((f"{place}.from", f"{start} is a receiver: light cannot come from it"))
    if end.role == REFERENCE or (end.role == MODULE and end.port.startswith("tx")):
        complaints.append((f"{place}.to", f"{end} is a transmitter: light cannot go into it"))
    if start.role == end.role == ATTENUATOR and start == end:
        complaints.append((f"{place}.to", f"{end} would feed itself"))
    return complaints


def _of_splitter_port(key: str, port: Port, splitters: Mapping[str, Splitter]) -> Complaints:
    splitter = splitters.get(port.role)
    if splitter is None:
        if port.port == SPLITTER_INPUT:
            return [(key, f"{port}: only a splitter has a port {SPLITTER_INPUT}")]
        return []
    if port.number > len(splitter.legs):
        return [
            (key, f"{port}: {port.role} has ports {SPLITTER_INPUT} and the legs 1 .. {len(splitter.legs)}")
        ]
    return []


def _of_directions(
    starts: Mapping[Port, str], ends: Mapping[Port, str], splitters: Mapping[str, Splitter]
) -> Complaints:
    """A splitter is used in one direction: it divides light or joins it."""
    complaints: Complaints = []
    for name in splitters:
        into_leg = [port for port in ends if port.role == name and port.port != SPLITTER_INPUT]
        from_leg = [port for port in starts if port.role == name and port.port != SPLITTER_INPUT]
        feed = Port(name, SPLITTER_INPUT)
        if into_leg and (from_leg or feed in ends):
            complaints.append(
                (
                    f"{ends[into_leg[0]]}.to",
                    f"light goes into {into_leg[0]}, so it must leave by {feed} alone",
                )
            )
    return complaints
