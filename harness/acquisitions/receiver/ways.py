"""How light comes to the receivers, and what a tap on the way says of it.

Power at TP3 is what a fixed tap shows, more or less by what the tap's two legs and their fibres lose: never
what an attenuator is set to. A tap counts when it is the last thing before the module: nothing but a fibre
lies between its leg and the receiver.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.bench_file.reading import BenchSpec
from harness.judging.measured import NotOffered
from harness.judging.pmd import Pmd
from harness.planning.matrix import Way
from harness.planning.offered import ways_of
from harness.wiring import OpticalPath, Wiring
from harness.wiring.ports import SPLITTER_INPUT, Port, parse_port

REFERENCE_TX = "reference_tx"
MODULE_TX = "module.tx"
MODULE_RX = "module.rx"


@dataclass(frozen=True, slots=True)
class ReceiveWay:
    """One lane's way to its receiver. ``tap_port``: of the power meter; ``tap_to_tp3_db``: power at TP3 over
    power at that port, dB, with its expanded uncertainty."""

    lane: int
    path: OpticalPath
    tap_port: int
    tap_to_tp3_db: float
    tap_uncertainty_db: float

    @property
    def channel(self) -> int | None:
        """Of the attenuator; None: the way goes through none."""
        return self.path.attenuators[0].number if self.path.attenuators else None


def receive_ways(
    spec: BenchSpec,
    pmd: Pmd,
    lanes: Sequence[int],
    *,
    start: str = REFERENCE_TX,
    attenuated: bool = True,
    long_fibre: bool = False,
) -> dict[int, ReceiveWay] | NotOffered:
    """A way for each lane, all open at the same time, each by an attenuator's channel of its own (or by none)
    and with a tap; or why there is none. ``long_fibre``: the way with the most, else the least loss.

    :raises WiringError: when the bench file has more ways than can be looked through.
    """
    if pmd.multiplexed:
        return NotOffered(
            f"the lanes of {pmd.name} share the fibre: a tap shows their powers together, and the bench has "
            f"no demultiplexer in front of one"
        )
    kind = "through an attenuator" if attenuated else "without an attenuator"
    found: dict[int, ReceiveWay] = {}
    for lane in lanes:
        ways = [
            path
            for path in ways_of(spec, pmd, Way(start, MODULE_RX), lane)
            if len(path.attenuators) == (1 if attenuated else 0)
        ]
        if not ways:
            return NotOffered(f"the bench {spec.name} has no way from {start} to {MODULE_RX}{lane} {kind}")
        taken = {hop for way in found.values() for hop in way.path.hops}
        free = [path for path in ways if taken.isdisjoint(path.hops)]
        if not free:
            return NotOffered(
                f"the bench {spec.name} has ways from {start} to {MODULE_RX} {kind} for {len(found)} of "
                f"{len(lanes)} lanes at a time only: all lanes have to be lit at once"
            )
        best = min(free, key=lambda path: _rank(spec.wiring, lane, path, long_fibre=long_fibre))
        tapped = _tap(spec.wiring, lane, best)
        if tapped is None:
            return NotOffered(
                f"the bench {spec.name} has no tap before {MODULE_RX}{lane} that leads to the power meter: "
                f"nothing says how much light arrives"
            )
        found[lane] = tapped
    return found


def longest_fibre_m(spec: BenchSpec, way: ReceiveWay) -> float:
    """Length of all fibres of a way, metres."""
    return _length_m(spec.wiring, way.path)


def _rank(wiring: Wiring, lane: int, path: OpticalPath, *, long_fibre: bool) -> tuple[float, int, float]:
    """The least comes first. A lane takes the ports of its own number, so that none is left without."""
    length_m = -round(_length_m(wiring, path), -1) if long_fibre else 0.0
    own = sum(port.number == lane for port in path.attenuators)
    return length_m, -own, path.loss_db


def _length_m(wiring: Wiring, path: OpticalPath) -> float:
    hops = [parse_port(hop) for hop in path.hops]
    fibres = [wiring.fibre_from(hop) for hop in hops]
    return sum(fibre.length_m for fibre in fibres if fibre is not None)


def _tap(wiring: Wiring, lane: int, path: OpticalPath) -> ReceiveWay | None:
    last = parse_port(path.hops[-2])
    splitter = wiring.splitters.get(last.role)
    to_module = wiring.fibre_from(last)
    if splitter is None or last.port == SPLITTER_INPUT or to_module is None:
        return None
    own = splitter.legs[last.number - 1]
    for number, leg in enumerate(splitter.legs, start=1):
        fibre = wiring.fibre_from(Port(splitter.name, str(number)))
        if fibre is None or fibre.end.role != "power_meter":
            continue
        pieces = (own, to_module, leg, fibre)
        return ReceiveWay(
            lane,
            path,
            fibre.end.number,
            leg.loss_db + fibre.loss_db - own.loss_db - to_module.loss_db,
            math.hypot(*(piece.uncertainty_db for piece in pieces)),
        )
    return None
