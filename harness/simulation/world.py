"""The simulated bench's time: one world, one lock, events in order.

Time is an integer number of nanoseconds and moves only inside :meth:`World.advance_to`, which a thread
calls while it is in an I/O call or in ``Clock.sleep``. Things that happen later (a reply becoming ready,
a module reaching its next state) are scheduled as events; they run, in the order of their times, with the
world's clock standing at exactly their time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from drivers.clock import StopFlag
from harness.simulation.noise import Noise

NS_PER_S = 1_000_000_000
_SLICE_NS = 5 * NS_PER_S  # how much time of the world may pass before a stop request is seen


def ns_from_s(duration_s: float) -> int:
    """Whole nanoseconds of a duration in seconds."""
    return round(duration_s * NS_PER_S)


class Event:
    """Something scheduled; may be cancelled."""

    __slots__ = ("action", "cancelled", "when_ns")

    def __init__(self, when_ns: int, action: Callable[[], None]) -> None:
        self.when_ns = when_ns
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        """Do not run it."""
        self.cancelled = True


class World:
    """Virtual time, its events and its noise."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.noise = Noise(seed)
        self.lock = threading.RLock()
        self._now_ns = 0
        self._events: list[tuple[int, int, Event]] = []
        self._order = itertools.count()

    @property
    def now_ns(self) -> int:
        """Virtual time since the world began, in nanoseconds."""
        return self._now_ns

    @property
    def now_s(self) -> float:
        """Virtual time since the world began, in seconds."""
        return self._now_ns / NS_PER_S

    def at(self, when_ns: int, action: Callable[[], None]) -> Event:
        """Schedule ``action``; a time in the past means as soon as time moves."""
        event = Event(max(when_ns, self._now_ns), action)
        with self.lock:
            heapq.heappush(self._events, (event.when_ns, next(self._order), event))
        return event

    def after(self, delay_s: float, action: Callable[[], None]) -> Event:
        """Schedule ``action`` ``delay_s`` seconds from now."""
        return self.at(self._now_ns + ns_from_s(delay_s), action)

    def advance_to(self, when_ns: int) -> None:
        """Move time to ``when_ns``, running what falls due on the way; never moves it back."""
        with self.lock:
            while self._events and self._events[0][0] <= when_ns:
                due_ns, _, event = heapq.heappop(self._events)
                if not event.cancelled:
                    self._now_ns = max(self._now_ns, due_ns)
                    event.action()
            self._now_ns = max(self._now_ns, when_ns)

    def spend(self, duration_ns: int) -> None:
        """Move time on by a little, cheaply. The caller holds the lock."""
        when_ns = self._now_ns + duration_ns
        if self._events and self._events[0][0] <= when_ns:
            self.advance_to(when_ns)
        else:
            self._now_ns = when_ns

    def advance(self, duration_s: float) -> None:
        """Move time on by ``duration_s`` seconds."""
        with self.lock:
            self.advance_to(self._now_ns + ns_from_s(duration_s))


class VirtualClock:
    """The :class:`drivers.clock.Clock` of an in-process world: sleeping moves the world."""

    kind = "virtual"

    def __init__(self, world: World, stop: StopFlag | None = None) -> None:
        self._world = world
        self._stop = stop or StopFlag()

    def now_s(self) -> float:
        """Virtual seconds since the world began."""
        return self._world.now_s

    def sleep(self, duration_s: float) -> None:
        """Advance the world, in slices, so that a stop request is honoured soon: a long time takes a while
        to compute."""
        left_ns = ns_from_s(max(0.0, duration_s))
        self.checkpoint()
        while left_ns > _SLICE_NS:
            self._world.advance(_SLICE_NS / NS_PER_S)
            left_ns -= _SLICE_NS
            self.checkpoint()
        self._world.advance(left_ns / NS_PER_S)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Raise :class:`drivers.clock.StopRequested` if the run was told to stop."""
        self._stop.raise_if_requested()

    def shield(self) -> AbstractContextManager[None]:
        """As :meth:`drivers.clock.StopFlag.shield`."""
        return self._stop.shield()
