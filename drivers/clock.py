"""Time on a bench. All waiting goes through one :class:`Clock`.

A lab uses :class:`WallClock`; a simulated bench brings a clock of its own whose ``sleep`` moves the
simulated world. Watchdogs and locks use wall time instead and never a ``Clock``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, runtime_checkable

from drivers.errors import BenchError

RESOLUTION_S = 1e-6
"""Shorter waits count as over: sums of seconds would never quite reach the limit, and so short a rest never
passes on a clock that only sleeping moves."""


class StopRequested(KeyboardInterrupt):
    """The run was told to stop. Raised only between transactions, so that no reply is left half read."""


class StopFlag:
    """Set by a signal handler; honoured by every clock at its checkpoints.

    While the bench is being made safe nothing may be stopped any more: :meth:`shield` sees to that.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._shields = 0
        self._lock = threading.Lock()

    @property
    def reason(self) -> str | None:
        """Why a stop was asked for, or None."""
        return self._reason

    def request(self, reason: str) -> None:
        """Ask for a stop. Safe in a signal handler; the first reason is kept."""
        if self._reason is None:
            self._reason = reason

    def raise_if_requested(self) -> None:
        """Raise :class:`StopRequested` if a stop was asked for and nothing shields from it."""
        if self._reason is not None and not self._shields:
            raise StopRequested(self._reason)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Within this context a stop request is kept but not raised."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1


class Clock(Protocol):
    """Bench time."""

    @property
    def kind(self) -> str:
        """``wall``, ``virtual`` or ``remote``."""

    def now_s(self) -> float:
        """Seconds of bench time, from an arbitrary origin, never going back."""

    def sleep(self, duration_s: float) -> None:
        """Wait ``duration_s`` seconds of bench time.

        :raises StopRequested: when the run was told to stop, before or while waiting.
        """

    def checkpoint(self) -> None:
        """Called by sessions between transactions.

        :raises StopRequested: when the run was told to stop.
        """


@runtime_checkable
class CanShield(Protocol):
    """A clock that can put off stop requests."""

    def shield(self) -> AbstractContextManager[object]:
        """Within this context a stop request is kept but not raised."""


def shielded(clock: Clock) -> AbstractContextManager[object]:
    """Put off stop requests within this context, for the short work that must not be left half done; a
    clock that cannot (:class:`CanShield`) goes on raising them."""
    return clock.shield() if isinstance(clock, CanShield) else nullcontext()


@runtime_checkable
class StandsStill(Protocol):
    """A clock that does not move by itself while somebody waits for an instrument."""

    def waited(self, duration_s: float) -> None:
        """``duration_s`` seconds were waited for an instrument, in vain: let them pass."""


def waited(clock: Clock, duration_s: float) -> None:
    """An instrument was waited for through a port's own time-out, in vain. Most clocks have moved meanwhile;
    one that has not (:class:`StandsStill`) catches up, so that what was to happen in that time happens."""
    if isinstance(clock, StandsStill):
        clock.waited(duration_s)


class WallClock:
    """The clock of a lab."""

    kind = "wall"
    _SLICE_S = 0.2  # how long a stop request may go unnoticed in a sleep

    def __init__(self, stop: StopFlag | None = None) -> None:
        self._stop = stop or StopFlag()

    def now_s(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Sleep in slices, so that a stop request is honoured soon."""
        end_s = time.monotonic() + duration_s
        while True:
            self.checkpoint()
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, self._SLICE_S))

    def checkpoint(self) -> None:
        """Raise :class:`StopRequested` if the run was told to stop."""
        self._stop.raise_if_requested()

    def shield(self) -> AbstractContextManager[None]:
        """As :meth:`StopFlag.shield`."""
        return self._stop.shield()


def polls(clock: Clock, until_s: float, interval_s: float | Callable[[], float]) -> Iterator[None]:
    """When to look for something that is awaited: at once, then after every interval, last at ``until_s``.

    ``until_s``: by ``clock.now_s()``. ``interval_s``: seconds, or what gives the seconds to the next look.
    Nothing is yielded any more once the time is up: what follows the loop is what to do then. There is
    always a first look, and one after the last wait, so that a slow look cannot miss what came in time.
    """
    while True:
        yield
        left_s = until_s - clock.now_s()
        if left_s <= RESOLUTION_S:
            return
        clock.sleep(min(interval_s() if callable(interval_s) else interval_s, left_s))


def wait_until(
    clock: Clock,
    condition: Callable[[], bool],
    *,
    timeout_s: float,
    interval_s: float,
    error: Callable[[], BenchError],
) -> float:
    """Poll ``condition`` every ``interval_s`` until it holds; return the seconds that took.

    :raises BenchError: what ``error()`` makes, when ``timeout_s`` passed without it. The condition is
        asked once more after the last wait, so that a slow poll cannot miss an event that came in time.
    """
    start_s = clock.now_s()
    for _ in polls(clock, start_s + timeout_s, interval_s):
        if condition():
            return clock.now_s() - start_s
    raise error()
