"""The host's electrical lanes: what it sends to the module, and what it makes of what comes back.

A host sends framed traffic on every lane, unless a BERT in its place sends a pattern. The lanes themselves
make no errors (left out: the electrical channel): what is wrong at TP4 went wrong on the light's way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from harness.signal.kp4 import CODEWORDS_PER_S, CORRECTABLE
from harness.simulation.light.errors import error_count, fec_histogram
from harness.simulation.light.reception import HIGHEST_LOCKED_BER
from harness.simulation.module.monitoring.checkers import Checker, Count
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern
from harness.simulation.world import NS_PER_S, Event, World

__all__ = ["LANE_BITS_PER_S", "FecDecoder", "HostCounters", "HostLanes", "HostOutputs"]

LANE_BITS_PER_S: Final = 53.125e9
"""Of a lane of 400GAUI-8."""

_LOOK_NS: Final = NS_PER_S // 4  # coarse: a look at all lanes costs a millisecond


class HostOutputs(Protocol):
    """What the host sees of a module."""

    def host_output_signal(self, host_lane: int) -> LineSignal | None:
        """What the module sends to the host on host lane 1..; None: nothing."""


class HostLanes:
    """Both directions of every host lane, from 1 (a :class:`harness.simulation.ports.HostSurroundings`)."""

    def __init__(self) -> None:
        self._patterns: dict[int, LineSignal] = {}
        self._module: HostOutputs | None = None

    def connect_module(self, module: HostOutputs) -> None:
        """The module that is plugged in."""
        self._module = module

    def send(self, host_lane: int, pattern: Pattern | None, *, ber: float = 0.0) -> None:
        """Send a pattern from now on, this share of its bits wrong; None: traffic."""
        if pattern is None:
            self._patterns.pop(host_lane, None)
        else:
            self._patterns[host_lane] = LineSignal((pattern,), ber)

    def host_signal(self, host_lane: int) -> LineSignal | None:
        """What the host sends on a lane."""
        return self._patterns.get(host_lane, TRAFFIC)

    def received(self, host_lane: int) -> LineSignal | None:
        """What the module sends on a lane."""
        return None if self._module is None else self._module.host_output_signal(host_lane)


class HostCounters:
    """Checkers of one pattern on ``lanes`` host lanes, and a KP4 decoder of the traffic on all of them.

    They look at the lanes every 0.25 s of the world's time, whoever reads them when, and show what they have
    counted as of the last whole ``update_s``. They work from :meth:`watch` to :meth:`rest`. ``name`` keys
    their draws.
    """

    def __init__(
        self, world: World, host_lanes: HostLanes, *, name: str, lanes: int, update_s: float = 1.0
    ) -> None:
        self._world = world
        self._host_lanes = host_lanes
        self._name = name
        self._lanes = range(1, lanes + 1)
        self._update_ns = max(1, round(update_s * NS_PER_S / _LOOK_NS)) * _LOOK_NS
        self._pattern: Pattern | None = None
        self._checkers = {lane: Checker(self._draws(lane)) for lane in self._lanes}
        self._event: Event | None = None
        self._fec = FecDecoder(world, name=name, lanes=lanes)
        self.shown: dict[int, Count] = {}
        """Bits and errors of each lane since the last :meth:`clear`; empty before the first update."""
        self.shown_fec: tuple[int, ...] = ()
        """17 numbers, as :data:`harness.signal.kp4.Histogram`; empty before the first update."""

    @property
    def watching(self) -> bool:
        """Whether they count."""
        return self._event is not None

    def locked(self, lane: int) -> bool:
        """Whether a lane's checker was in step with its pattern when it last looked."""
        return self._checkers[lane].locked

    def watch(self) -> None:
        """Count from now on."""
        if self._event is None:
            self.clear()
            self._plan()

    def rest(self) -> None:
        """Count no more; what is shown stays."""
        if self._event is not None:
            self._event.cancel()
            self._event = None
            for checker in self._checkers.values():
                checker.stop()

    def expect(self, pattern: Pattern | None) -> None:
        """The pattern of all checkers from now on; clears."""
        self._pattern = pattern
        self.clear()

    def clear(self) -> None:
        """Begin at 0."""
        now_ns = self._world.now_ns
        signals = self._signals()
        for lane, checker in self._checkers.items():
            checker.start(now_ns, self._pattern, signals[lane - 1], gate_ns=0, update_ns=0)
        self._fec.start(now_ns, signals)
        self.shown, self.shown_fec = {}, ()

    def _plan(self) -> None:
        self._event = self._world.at((self._world.now_ns // _LOOK_NS + 1) * _LOOK_NS, self._look)

    def _look(self) -> None:
        now_ns = self._world.now_ns
        signals = self._signals()
        for lane, checker in self._checkers.items():
            checker.look(now_ns, signals[lane - 1], LANE_BITS_PER_S)
        self._fec.look(now_ns, signals)
        if now_ns % self._update_ns == 0:
            self.shown = {lane: checker.count for lane, checker in self._checkers.items()}
            self.shown_fec = self._fec.counted(now_ns)
        self._plan()

    def _signals(self) -> tuple[LineSignal | None, ...]:
        return tuple(self._host_lanes.received(lane) for lane in self._lanes)

    def _draws(self, lane: int) -> Callable[[float, float, int], int]:
        return lambda mean, burst_bits, start_ns: error_count(
            self._world.noise, mean, burst_bits, self._name, lane, "bit errors", start_ns
        )


_Quality = tuple[tuple[float, float], ...]
"""Bit error ratio and burst length of each lane."""


class FecDecoder:
    """A KP4 decoder of the traffic on all lanes of a port; looks when it is told to.

    It is aligned while all lanes carry traffic whose errors let them lock; what comes while it is not is not
    counted. Left out: the time that alignment takes.
    """

    def __init__(self, world: World, *, name: str, lanes: int) -> None:
        self._noise = world.noise
        self._name = name
        self._per_s = CODEWORDS_PER_S * lanes / 8.0
        self._counts = [0] * (CORRECTABLE + 2)
        self._quality: _Quality | None = None
        self._from_ns = 0
        self._to_ns = 0

    def start(self, now_ns: int, signals: tuple[LineSignal | None, ...]) -> None:
        """Begin at 0."""
        self._counts = [0] * (CORRECTABLE + 2)
        self._quality = _quality(signals)
        self._from_ns = self._to_ns = now_ns

    def look(self, now_ns: int, signals: tuple[LineSignal | None, ...]) -> None:
        """What lies between two looks counts as the later one finds it."""
        quality = _quality(signals)
        if quality != self._quality:
            self._count()
            # Nothing counts until the alignment was found twice running.
            self._from_ns = self._to_ns if self._quality is not None else now_ns
            self._quality = quality
        self._to_ns = now_ns

    def counted(self, now_ns: int) -> tuple[int, ...]:
        """The codewords counted up to now, by their wrong symbols."""
        self._count()
        self._from_ns = self._to_ns = now_ns
        return tuple(self._counts)

    def _count(self) -> None:
        codewords = round(self._per_s * (self._to_ns - self._from_ns) / NS_PER_S)
        if self._quality is None or codewords == 0:
            return
        bers, bursts = zip(*_representatives(self._quality), strict=True)
        found = fec_histogram(
            self._noise, (self._name, "codewords", self._from_ns), list(bers), list(bursts), codewords
        )
        self._counts = [had + int(new) for had, new in zip(self._counts, found, strict=True)]


def _quality(signals: tuple[LineSignal | None, ...]) -> _Quality | None:
    """None where the decoder is not aligned."""
    found = []
    for signal in signals:
        if signal is None or not signal.is_traffic or signal.ber >= HIGHEST_LOCKED_BER:
            return None
        found.append((signal.ber, signal.burst_bits))
    return tuple(found)


def _representatives(quality: _Quality) -> _Quality:
    """One lane for each that are alike, where that leaves the mixture as it is: fewer to be worked out."""
    numbers = Counter(quality)
    return tuple(numbers) if len(set(numbers.values())) == 1 else quality
