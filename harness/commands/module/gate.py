"""A clock that tells how far a long gate is, and that lets Ctrl-C end one soon on any bench."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from drivers.clock import RESOLUTION_S, Clock, shielded
from harness.commands.module.printing import write

_SLICE_S = 0.5
_SHORTEST_TOLD_S = 2.0
"""A gate that is over sooner needs no progress."""


class GateClock:
    """A :class:`drivers.clock.Clock` that sleeps in slices, with a look at the stop flag after each: a
    simulated bench moves its world in one go otherwise, which for a long gate takes a while.

    Between :meth:`begin` and :meth:`end` a line on standard error is written over, where that is a terminal.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s = 0.0
        self._gate_s = 0.0
        self._shown = False

    @property
    def kind(self) -> str:
        """As the clock that it goes by."""
        return self._clock.kind

    def now_s(self) -> float:
        """As the clock that it goes by."""
        return self._clock.now_s()

    def sleep(self, duration_s: float) -> None:
        """Wait in slices; raises what the clock that it goes by raises."""
        end_s = self._clock.now_s() + duration_s
        left_s = duration_s
        while left_s > _SLICE_S:
            self._clock.sleep(_SLICE_S)
            self._tell()
            left_s = end_s - self._clock.now_s()
        if left_s > RESOLUTION_S or left_s == duration_s:
            self._clock.sleep(max(0.0, left_s))

    def checkpoint(self) -> None:
        """As the clock that it goes by."""
        self._clock.checkpoint()

    def shield(self) -> AbstractContextManager[object]:
        """As the clock that it goes by."""
        return shielded(self._clock)

    def begin(self, gate_s: float) -> None:
        """A gate of this length begins."""
        self._began_s, self._gate_s = self._clock.now_s(), gate_s

    def end(self) -> float:
        """It is over, however it ended. Returns how long it took, seconds."""
        if self._shown:
            write("\r\x1b[K", sys.stderr)
            sys.stderr.flush()
        self._shown, self._gate_s = False, 0.0
        return self._clock.now_s() - self._began_s

    def _tell(self) -> None:
        if self._gate_s < _SHORTEST_TOLD_S or not sys.stderr.isatty():
            return
        done_s = self._clock.now_s() - self._began_s
        left_s = max(0.0, self._gate_s - done_s)
        write(f"\rcounting: {done_s:.0f} of {self._gate_s:g} s, {left_s:.0f} s left\x1b[K", sys.stderr)
        sys.stderr.flush()
        self._shown = True
