"""The grid on which a module's firmware looks around."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulation.module.profile.management import ManagementProfile
from harness.simulation.world import Event, World, ns_from_s

_LONGEST_PERIOD_NS = 100_000_000  # the receiver looks for light at least this often: ton_los


class Polling:
    """Calls ``look()`` at every instant of the grid, from :meth:`start` until :meth:`stop`.

    ``when_asked``: a module to which nothing happens that its host does not do, so that it need not look
    until somebody asks it: then at the first question after an instant of the grid, and not in between.
    """

    def __init__(
        self,
        world: World,
        management: ManagementProfile,
        look: Callable[[], None],
        *,
        when_asked: bool = False,
    ) -> None:
        self._world = world
        self._look = look
        self._when_asked = when_asked
        self._period_ns = min(ns_from_s(management.monitor_update_s), _LONGEST_PERIOD_NS)
        self._event: Event | None = None
        self._due_ns: int | None = None

    def start(self) -> None:
        """The first look is due now, if it does not go on already."""
        if self._event is None:
            self._event = self._world.at(self._world.now_ns, self._poll)

    def stop(self) -> None:
        """Look no more."""
        if self._event is not None:
            self._event.cancel()
            self._event = None
        self._due_ns = None

    def asked(self) -> None:
        """Somebody asks the module: it catches up with what it did not look at."""
        if self._due_ns is not None and self._world.now_ns >= self._due_ns:
            self._poll()

    def _poll(self) -> None:
        # The next one first: what is seen may stop it.
        next_ns = (self._world.now_ns // self._period_ns + 1) * self._period_ns
        if self._when_asked:
            self._due_ns = next_ns
        else:
            self._event = self._world.at(next_ns, self._poll)
        self._look()
