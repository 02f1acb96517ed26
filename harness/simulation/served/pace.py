"""How a served module's time goes: with the wall clock, or by request alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.simulation.world import World

_STEP_NS = 100_000_000  # after this much module time it is seen whether there is budget left


def advance_for(world: World, target_ns: int, budget_s: float) -> bool:
    """Advance towards ``target_ns`` for about ``budget_s`` of processor time; whether it was reached."""
    if target_ns - world.now_ns <= _STEP_NS:
        world.advance_to(target_ns)
        return True
    end_s = time.perf_counter() + budget_s
    while world.now_ns < target_ns:
        world.advance_to(min(target_ns, world.now_ns + _STEP_NS))
        if time.perf_counter() >= end_s:
            return world.now_ns >= target_ns
    return True


class WallPace:
    """``speed`` module seconds pass in a second of the wall clock.

    A machine that is too slow for that loses time: :attr:`lost_ns` says how much module time did not pass.
    """

    def __init__(
        self, world: World, speed: float = 1.0, wall_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        if not 0.0 < speed < float("inf"):
            raise ValueError(f"a speed above 0 is needed, got {speed}")
        self._world = world
        self.speed = speed
        self._wall_ns = wall_ns
        self._origin_ns = wall_ns()
        self.lost_ns = 0

    def catch_up(self, budget_s: float, *, lose: bool) -> bool:
        """Bring the world to the present; whether that was possible in about ``budget_s``.

        ``lose``: what was not made up is lost for good, so that nobody waits for it.
        """
        passed_ns = int((self._wall_ns() - self._origin_ns) * self.speed)
        target_ns = passed_ns - self.lost_ns
        if advance_for(self._world, target_ns, budget_s):
            return True
        if lose:
            self.lost_ns += target_ns - self._world.now_ns
        return False
