"""Bringing a bench to its safe state: light off first, then supply off, temperature to ambient.

Each instrument is made safe in a thread of its own with a wall-time limit, so that one that hangs cannot
keep the others hot. What could not be reached is reported by name as not safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.interfaces import SafetyStep

TIME_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class SafetyResult:
    """What making one instrument safe did."""

    role: str
    step: SafetyStep


def make_all_safe(
    groups: Sequence[Sequence[tuple[str, Callable[[], Sequence[SafetyStep]]]]],
    *,
    limit_s: float = TIME_LIMIT_S,
) -> tuple[SafetyResult, ...]:
    """Make groups of instruments safe, one group after the other, the members of a group at once.

    Never raises: an instrument that fails or does not come back in time gives a result with ``safe`` False.
    """
    return tuple(result for group in groups for result in _group_safe(group, limit_s))


def _group_safe(
    group: Sequence[tuple[str, Callable[[], Sequence[SafetyStep]]]], limit_s: float
) -> list[SafetyResult]:
    outcomes: dict[int, list[SafetyStep]] = {}

    def run(index: int, action: Callable[[], Sequence[SafetyStep]]) -> None:
        try:
            outcomes[index] = list(action())
        except BaseException as fault:
            outcomes[index] = _not_safe(fault)

    threads = [
        threading.Thread(target=run, args=(index, action), name=f"safe-{role}", daemon=True)
        for index, (role, action) in enumerate(group)
    ]
    for index, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as fault:  # the system gives no more threads
            outcomes[index] = _not_safe(fault)
    # One time limit for all of them: several that hang must not keep the next group hot one after the other.
    deadline_s = time.monotonic() + limit_s
    results: list[SafetyResult] = []
    for index, (role, _) in enumerate(group):
        if threads[index].ident is not None:
            threads[index].join(max(0.0, deadline_s - time.monotonic()))
        steps = outcomes.get(index)
        if steps is None:
            steps = [SafetyStep("make safe", f"no answer within {limit_s:g} s", safe=False)]
        results += [SafetyResult(role, step) for step in steps]
    return results


def _not_safe(fault: BaseException) -> list[SafetyStep]:
    return [SafetyStep("make safe", f"{type(fault).__name__}: {fault}", safe=False)]
