"""What a lane carries, apart from its power: test patterns or traffic, and the errors made on the way."""

from __future__ import annotations

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
    come together, on average.
    """

    streams: tuple[Pattern | None, ...] = (None,)
    ber: float = 0.0
    burst_bits: float = 1.0

    def worsened(self, ber: float, burst_bits: float = 1.0) -> LineSignal:
        """The same bits behind something that gets ``ber`` of them wrong, so many at a time."""
        if ber == 0.0:
            return self
        events = self.ber / self.burst_bits + ber / burst_bits
        return replace(
            self,
            ber=self.ber + ber - 2.0 * self.ber * ber,
            burst_bits=max(1.0, (self.ber + ber) / events),
        )

    @property
    def is_traffic(self) -> bool:
        """Whether a FEC decoder finds its frames."""
        return all(stream is None for stream in self.streams)

    def carries(self, pattern: Pattern) -> bool:
        """Whether a checker of this pattern at this lane's own rate finds it."""
        return self.streams == (pattern,)


TRAFFIC = LineSignal()
"""Traffic without errors."""

NOISE = LineSignal((UNKNOWN,), 0.5)
"""Bits without meaning: what an output that is not squelched carries without light, or without lock."""
