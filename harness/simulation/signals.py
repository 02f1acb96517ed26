"""What a lane carries, apart from its power: test patterns or traffic, and the errors made on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Pattern:
    """A test pattern as generators send it and checkers expect it; a checker locks on its equal.

    ``code``: as in 13h:148 (codes table ``pattern``). ``user``: the bytes of a user pattern, else empty.
    """

    code: int
    inverted: bool = False
    bytes_swapped: bool = False
    user: bytes = b""


UNKNOWN = Pattern(-1)
"""Bits that no checker knows: half of a pattern that was sent as a whole, or the reverse."""


@dataclass(frozen=True, slots=True)
class LineSignal:
    """The bits of one lane.

    ``streams``: what was multiplexed into the lane, one item for each lane of the other side (of 8 host
    lanes two make a lane of 4), or one alone for what was made at this lane's rate. None stands for
    FEC-framed traffic. ``ber``: share of the bits that are wrong by now; ``burst_bits``: how many of them
    come together, on average. ``errors_of_streams``: both of each stream, where they differ; their mean is
    that of the lane.
    """

    streams: tuple[Pattern | None, ...] = (None,)
    ber: float = 0.0
    burst_bits: float = 1.0
    errors_of_streams: tuple[tuple[float, float], ...] = ()

    def worsened(self, ber: float, burst_bits: float = 1.0) -> LineSignal:
        """The same bits behind something that gets ``ber`` of them wrong, so many at a time."""
        if ber == 0.0:
            return self
        total, together = _worse(self.ber, self.burst_bits, ber, burst_bits)
        streams = self.errors_of_streams
        if streams:
            streams = tuple(_worse(*of_stream, ber, burst_bits) for of_stream in streams)
        return replace(self, ber=total, burst_bits=together, errors_of_streams=streams)

    def stream(self, index: int) -> LineSignal:
        """One of the streams by itself, with the errors that it has."""
        if not self.errors_of_streams:
            return LineSignal((self.streams[index],), self.ber, self.burst_bits)
        return LineSignal((self.streams[index],), *self.errors_of_streams[index])

    @property
    def is_traffic(self) -> bool:
        """Whether a FEC decoder finds its frames."""
        return all(stream is None for stream in self.streams)

    def carries(self, pattern: Pattern) -> bool:
        """Whether a checker of this pattern at this lane's own rate finds it."""
        return self.streams == (pattern,)


def multiplexed(signals: Sequence[LineSignal]) -> LineSignal:
    """Lanes of one rate as the streams of one lane, bit by bit: each keeps its errors. What was multiplexed
    already is known to nobody any more."""
    if len(signals) == 1 and len(signals[0].streams) == 1:
        return signals[0]
    bers = [signal.ber for signal in signals]
    events = sum(signal.ber / signal.burst_bits for signal in signals)
    of_streams = tuple((signal.ber, signal.burst_bits) for signal in signals)
    return LineSignal(
        tuple(signal.streams[0] if len(signal.streams) == 1 else UNKNOWN for signal in signals),
        sum(bers) / len(bers),
        max(1.0, sum(bers) / events) if events else 1.0,
        of_streams if any(each != of_streams[0] for each in of_streams) else (),
    )


def _worse(ber: float, burst_bits: float, more_ber: float, more_burst_bits: float) -> tuple[float, float]:
    """Ratio and burst of errors on top of errors."""
    events = ber / burst_bits + more_ber / more_burst_bits
    return ber + more_ber - 2.0 * ber * more_ber, max(1.0, (ber + more_ber) / events)


TRAFFIC = LineSignal()
"""Traffic without errors."""

UNSAID = LineSignal((Pattern(-2),))
"""In a module's own light that comes back to it: bits that it has not asked itself for yet."""

NOISE = LineSignal((UNKNOWN,), 0.5)
"""Bits without meaning: what an output that is not squelched carries without light, or without lock."""
