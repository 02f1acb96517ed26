"""Counting errors of one lane: lock, counters, gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.simulation.light.reception import HIGHEST_LOCKED_BER
from harness.simulation.signals import LineSignal, Pattern
from harness.simulation.world import NS_PER_S


@dataclass(frozen=True, slots=True)
class Count:
    """Errors among bits. ``lost``: the pattern was lost, or not found, while they were counted."""

    errors: int = 0
    bits: int = 0
    lost: bool = False

    @property
    def ratio(self) -> float | None:
        """Errors per bit; None without any bit."""
        return self.errors / self.bits if self.bits else None


class Checker:
    """The checker of one lane. It never looks by itself: :meth:`look` is called at instants that do not
    depend on who reads, and what lies between two of them is counted as the later one finds it.

    ``draw(mean, burst_bits, start_ns)``: number of errors in the slice from ``start_ns`` on, where so many
    are to be expected, so many at a time.
    """

    def __init__(self, draw: Callable[[float, float, int], int]) -> None:
        self._draw = draw
        self.reset()

    def reset(self) -> None:
        """As after power-on."""
        self.pattern: Pattern | None = None
        self.running = False
        self.locked = False
        self.held = False
        self.gate_end_ns: int | None = None
        self.count = Count()
        """What was counted since the start, or since the gate began."""
        self.shown = Count()
        """The same as of the last update."""
        self.gated = Count()
        """The last gate's result."""
        self._counted_to_ns = 0
        self._update_ns = 0
        self._next_update_ns = 0

    def start(
        self, now_ns: int, pattern: Pattern | None, signal: LineSignal | None, *, gate_ns: int, update_ns: int
    ) -> None:
        """Begin anew. ``pattern`` None: one that this checker does not have, which it never finds.
        ``gate_ns`` 0: until it is stopped; ``update_ns``: period of results while a gate runs."""
        self.pattern, self.running = pattern, True
        self.gate_end_ns = now_ns + gate_ns if gate_ns else None
        self._update_ns = update_ns if gate_ns else 0
        self._next_update_ns = now_ns + self._update_ns
        self._counted_to_ns = now_ns
        self.locked = self._finds(signal)
        self.count = self.shown = Count(lost=not self.locked)

    def stop(self) -> None:
        """Keep what was counted up to the last look."""
        self.shown = self.count
        self.running = self.locked = False
        self.gate_end_ns = None

    def hold_reset(self, now_ns: int, held: bool) -> None:
        """Keep the counters at 0, or let them count from now on."""
        if held or self.held:
            self.count = self.shown = Count(lost=self.running and not self.locked)
            self._counted_to_ns = now_ns
        self.held = held

    def look(self, now_ns: int, signal: LineSignal | None, bit_rate: float) -> None:
        """Find or lose the pattern, and count the time since the last look."""
        if not self.running:
            return
        found = self._finds(signal)
        bits = round(bit_rate * (now_ns - self._counted_to_ns) / NS_PER_S)
        if found and self.locked and bits > 0 and not self.held:
            assert signal is not None
            errors = min(bits, self._draw(signal.ber * bits, signal.burst_bits, self._counted_to_ns))
            self.count = Count(self.count.errors + errors, self.count.bits + bits, self.count.lost)
        elif not found and not self.held:
            self.count = Count(self.count.errors, self.count.bits, lost=True)
        self.locked = found
        self._counted_to_ns = now_ns
        if now_ns >= self._next_update_ns:
            self.shown = self.count
            if self._update_ns:
                self._next_update_ns += self._update_ns

    def end_gate(self, now_ns: int, gate_ns: int | None) -> None:
        """The gate is over, and was counted to its end; ``gate_ns``: another follows at once."""
        self.gated = self.shown = self.count
        self.gate_end_ns = None
        if gate_ns is None:
            self.running = False
            return
        self.count = Count(lost=not self.locked)
        self.gate_end_ns = now_ns + gate_ns
        self._next_update_ns = now_ns + self._update_ns

    def _finds(self, signal: LineSignal | None) -> bool:
        return (
            signal is not None
            and self.pattern is not None
            and signal.carries(self.pattern)
            and signal.ber < HIGHEST_LOCKED_BER
        )
