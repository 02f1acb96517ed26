"""Between the module's connector and the fan-out legs that the bench file names: right or wrong.

An MPO-12 has four transmitters at positions 1 to 4 and four receivers at 12, 11, 10 and 9 (IEC 61754-7). What
is between may exchange positions, and light takes it in both directions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from drivers.errors import BenchError
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.wiring.ports import MPO_LANES

POSITIONS = tuple(range(1, 13))
Permutation = Mapping[int, int]
"""Position at the legs by position at the module."""

IDENTITY: Permutation = MappingProxyType({p: p for p in POSITIONS})
FLIPPED: Permutation = MappingProxyType({p: 13 - p for p in POSITIONS})
"""A type-A cable where a type-B one belongs, and a connector whose key is upside down."""
PAIRS_FLIPPED: Permutation = MappingProxyType({p: 13 - (p + 1 if p % 2 else p - 1) for p in POSITIONS})
"""A type-C cable where a type-B one belongs."""
MISWIRED: Permutation = MappingProxyType(
    {**IDENTITY, **{p: 5 - p for p in range(1, 5)}, **{p: 21 - p for p in range(9, 13)}}
)
"""A cassette that counts from the wrong end: lane i is 5 - i on both sides."""


def position(port: str) -> int:
    """Of ``tx1`` .. ``tx4``, ``rx1`` .. ``rx4`` on an MPO-12."""
    lane = int(port[2:])
    return lane if port.startswith("tx") else 13 - lane


def port_at(place: int) -> str | None:
    """What a position is for; None: dark."""
    if place <= MPO_LANES:
        return f"tx{place}"
    return f"rx{13 - place}" if place > 12 - MPO_LANES else None


def swapped(lanes: tuple[int, ...], legs: str) -> Permutation:
    """Two lanes exchanged, among the transmitters' legs (``tx``), the receivers' (``rx``) or ``both``."""
    first, second = lanes
    exchanged = dict(IDENTITY)
    for side in ("tx", "rx") if legs == "both" else (legs,):
        one, other = position(f"{side}{first}"), position(f"{side}{second}")
        exchanged[one], exchanged[other] = other, one
    return exchanged


CABLE_FAULTS: Mapping[str, Callable[[WiringFaultSpec], Permutation]] = MappingProxyType(
    {
        "cable_polarity": lambda fault: {"A": FLIPPED, "C": PAIRS_FLIPPED}[fault.polarity],
        "key_flipped": lambda fault: FLIPPED,
        "miswired_cassette": lambda fault: MISWIRED,
        "lane_swap": lambda fault: swapped(fault.lanes, fault.legs),
    }
)
"""Kinds that exchange fibres, and how, in the order in which light from the module meets them."""
_IN_ORDER = tuple(CABLE_FAULTS)


def permutation(faults: Sequence[WiringFaultSpec]) -> Permutation:
    """What all faults of a cable make together."""
    result = IDENTITY
    for fault in sorted(faults, key=lambda fault: _IN_ORDER.index(fault.kind)):
        step = CABLE_FAULTS[fault.kind](fault)
        result = {start: step[end] for start, end in result.items()}
    return result


def check_cable_fault(fault: WiringFaultSpec, pairs: int) -> None:
    """Whether the cable of a module with so many pairs of fibres can have a fault.

    :raises BenchError: when it cannot.
    """
    if fault.kind not in CABLE_FAULTS:
        return
    if pairs == 1:
        if fault.kind != "cable_polarity" or fault.polarity != "A":
            raise BenchError(
                f"{fault.kind}{' C' if fault.polarity else ''} is of an MPO-12 cable, and this module has a "
                "duplex connector; there, cable_polarity A exchanges its two fibres"
            )
    elif pairs != MPO_LANES:
        raise BenchError(
            f"{fault.kind} is of an MPO-12 cable with {MPO_LANES} lanes, and this module has {pairs} pairs "
            "of fibres"
        )


class Cabling:
    """Which leg is at which port of the module. ``pairs``: of fibres that the module has; with one pair its
    connector is a duplex one."""

    def __init__(self, pairs: int) -> None:
        self._pairs = pairs
        self._leg_of: dict[str, str | None] = {}
        self._port_of: dict[str, str | None] = {}

    def become(self, faults: Sequence[WiringFaultSpec]) -> None:
        """These faults of the cable are there, and no others."""
        self._leg_of, self._port_of = {}, {}
        if not faults:
            return
        if self._pairs == 1:
            if len(faults) % 2:
                self._leg_of = {"tx1": "rx1", "rx1": "tx1"}
        else:
            for start, end in permutation(faults).items():
                port = port_at(start)
                if port is not None:
                    self._leg_of[port] = port_at(end)
        self._port_of = {leg: port for port, leg in self._leg_of.items() if leg is not None}

    def leg_of(self, port: str) -> str | None:
        """The leg that a port of the module is connected to; None: a dark position."""
        return self._leg_of.get(port, port)

    def port_of(self, leg: str) -> str | None:
        """The port of the module that a leg is connected to; None: a dark position."""
        return self._port_of.get(leg, None if self._leg_of else leg)
