"""What all simulated instruments have in common when something goes wrong with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from harness.simulation.faults import WireFaults


class Droppable(Protocol):
    """A connection that can break. ``lost``: it did."""

    lost: bool


class Failing(Protocol):
    """Something that can be made to go wrong, by kind (``[[simulation.fault]]`` has them)."""

    def fail(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """From now on something goes wrong.

        :raises ValueError: for a kind that it cannot have.
        """

    def recover(self, kind: str = "") -> None:
        """One kind goes wrong no more, or all."""

    def failing(self) -> tuple[str, ...]:
        """What goes wrong now, by kind."""


class FailingPeer(ABC):
    """A peer whose faults begin by name. ``faults``: those on its wire; ``silent``: it has died."""

    faults: WireFaults
    silent: bool

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

    def recover(self, kind: str = "") -> None:
        """What went wrong goes wrong no more: one kind, or all. A connection that is gone stays gone, and
        what is in an error queue stays there until it is read.
        """
        if self.silent and kind in ("", "dies"):
            self.silent = False
            self.revived()
        for running in self.faults.kinds if not kind else (kind,):
            self.faults.stop(running)

    def failing(self) -> tuple[str, ...]:
        """What goes wrong now, by kind."""
        return (*(("dies",) if self.silent else ()), *self.faults.kinds)

    def revived(self) -> None:  # noqa: B027 - most do nothing by themselves
        """It answers again: subclasses go on with what they do by themselves."""

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
