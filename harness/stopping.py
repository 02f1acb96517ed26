"""Signals as stop requests: honoured between transactions, never in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from drivers.clock import StopFlag

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(stop: StopFlag) -> Callable[[], None]:
    """Let signals ask for a stop at the next transaction; an exception in the middle of a query would leave
    a stale reply behind. Returns what restores the handlers of before.

    Outside the main thread nothing is done: whoever runs us there keeps the handlers.
    """

    def handler(number: int, frame: FrameType | None) -> None:
        # The first asks; the second does not wait for a transaction that may never come.
        again = stop.reason is not None
        stop.request(signal.Signals(number).name)
        if again:
            stop.raise_if_requested()

    try:
        before = {number: signal.signal(number, handler) for number in SIGNALS}
    except ValueError:
        return lambda: None

    def restore() -> None:
        for number, old in before.items():
            signal.signal(number, old)

    return restore
