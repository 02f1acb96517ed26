"""Multipath interference: light that comes twice, and how the phase between both drifts.

Two reflections R1, R2 (dB) send a share of 10^((R1 + R2) / 20) of the field on, times what the field loses on
the way between them, which it goes twice more. What comes by another way of its own has the square root of
the powers' ratio for its field (both textbook).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from harness.simulation.light.beam import Echo
from harness.simulation.world import NS_PER_S, World

GLASS_S_PER_M = 4.9e-9
"""Group delay of fibre at 1310 nm."""
WEAKEST = 1e-4
"""Field ratio below which an echo is left out."""
MOST = 32
"""Echoes of one way: the strongest."""
LEAST_APART_M = 0.1
"""By which two ways of the same stated length differ: nobody cuts fibres to less (assumption)."""
_GRID_NS = 30 * NS_PER_S
_DRIFT_RAD = 2.0  # standard deviation about the middle: about seven cycles come and go in ten minutes


@dataclass(frozen=True, slots=True)
class Reflection:
    """One on a way: ``at_db`` and ``at_m`` are loss and length from it to the end of the way."""

    key: str
    reflectance_db: float
    at_db: float
    at_m: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reflections, or two ways, that make an echo of ``field_ratio``, ``delay_s`` later."""

    key: str
    field_ratio: float
    delay_s: float


def pairs(reflections: Iterable[Reflection]) -> tuple[Pair, ...]:
    """Those that make an echo worth keeping; of very many the strongest."""
    return tuple(heapq.nlargest(MOST, _pairs(reflections), key=lambda pair: pair.field_ratio))


def _pairs(reflections: Iterable[Reflection]) -> Iterator[Pair]:
    for one, other in combinations(reflections, 2):
        between_db = abs(one.at_db - other.at_db)
        # Twice the loss between, in power; the field feels half of that in dB.
        field_ratio = math.pow(10.0, (one.reflectance_db + other.reflectance_db - 2.0 * between_db) / 20.0)
        if field_ratio >= WEAKEST:
            delay_s = 2.0 * abs(one.at_m - other.at_m) * GLASS_S_PER_M
            yield Pair(pair_key(one.key, other.key), field_ratio, delay_s)


def pair_key(one: str, other: str) -> str:
    """The same whichever comes first: light of both directions has one phase between two reflections."""
    return "|".join(sorted((one, other)))


def beside(key: str, transmission_ratio: float, apart_m: float) -> Pair | None:
    """What a weaker way adds to the strongest: light of the same laser, so that fields beat. Taken as
    coherent over any difference of lengths, the worst case. None where it is too weak."""
    field_ratio = math.sqrt(transmission_ratio)
    if field_ratio < WEAKEST:
        return None
    return Pair(key, field_ratio, max(LEAST_APART_M, abs(apart_m)) * GLASS_S_PER_M)


class Phases:
    """Phases of echoes: they drift as fibres warm up and cool down, over minutes. A phase is a function of
    the world's seed, the pair and the time, whoever asked before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._grid: dict[str, tuple[int, float, float]] = {}

    def phase_rad(self, key: str) -> float:
        """Now; anything, not only 0 to 2 pi."""
        period, into = divmod(self._world.now_ns, _GRID_NS)
        known = self._grid.get(key)
        if known is None or known[0] != period:
            known = (period, self._on_grid(key, period), self._on_grid(key, period + 1))
            self._grid[key] = known
        _, before, after = known
        return before + (after - before) * 0.5 * (1.0 - math.cos(math.pi * into / _GRID_NS))

    def _on_grid(self, key: str, period: int) -> float:
        noise = self._world.noise
        middle = 2.0 * math.pi * noise.uniform("echo", key)
        return middle + _DRIFT_RAD * noise.normal("echo", key, period)

    def echo(self, pair: Pair, symbol_rate_bd: float) -> Echo:
        """The echo of a pair, in light of this symbol rate, now."""
        return Echo(pair.field_ratio, pair.delay_s * symbol_rate_bd, self.phase_rad(pair.key))
