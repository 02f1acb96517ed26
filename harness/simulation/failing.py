"""What all simulated instruments have in common when something goes wrong with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from harness.simulation.faults import WireFaults


class Droppable(Protocol):
    """A connection that can break. ``lost``: it did."""

    lost: bool


class FailingPeer(ABC):
    """A peer whose faults begin by name. ``faults``: those on its wire."""

    faults: WireFaults

    @abstractmethod
    def die(self) -> None:
        """From now on it answers nothing."""

    @abstractmethod
    def open_connections(self) -> Iterable[Droppable]:
        """Those of its clients now."""

    def fail(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """From now on something goes wrong: ``dies``, or a kind of :mod:`harness.simulation.faults`.

        :raises ValueError: for a kind that this peer cannot have.
        """
        if kind == "dies":
            self.die()
        else:
            self.faults.start(kind, count=count, for_s=for_s, delay_s=delay_s)

    def garble(self, *, on: bool = True) -> None:
        """From now on (or no more) its replies are garbage of the same length, still terminated."""
        if on:
            self.faults.start("garbles")
        else:
            self.faults.stop("garbles")

    def drop_connections(self) -> None:
        """Break every open connection."""
        for connection in self.open_connections():
            connection.lost = True
