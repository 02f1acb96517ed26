"""One glance at a module's light and bits: while it lasts nothing changes, so nothing is worked out twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")


class Glance:
    """``with glance:`` around what only looks: what was found once holds until the outermost of them ends.

    Loopbacks of both sides, or of the fibres outside, may close a ring: a question that comes back to itself
    has no answer, and an answer that such a cut went into is good for nobody but who asked there.
    """

    def __init__(self) -> None:
        self.light_only = False
        """Whether the module's own light is wanted without its bits, which may hang on that very light."""
        self._depth = 0
        self._found: dict[Hashable, object] = {}
        self._asking: set[Hashable] = set()
        self._cuts: set[Hashable] = set()

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._found.clear()
            self._cuts.clear()

    def kept(self, key: Hashable, find: Callable[[], _T]) -> _T:
        """What ``find()`` gives; within a glance it is asked once, unless a ring cut it short."""
        if not self._depth:
            return find()
        if key in self._found:
            return self._found[key]  # type: ignore[return-value]
        outer, self._cuts = self._cuts, set()
        try:
            value = find()
        finally:
            cuts, self._cuts = self._cuts, outer
            cuts.discard(key)
            outer |= cuts
        if not cuts:
            self._found[key] = value
        return value

    def once(self, key: Hashable, find: Callable[[], _T | None]) -> _T | None:
        """The same, in a glance in any case; None where it asks for itself."""
        if key in self._asking:
            self._cuts.add(key)
            return None
        self._asking.add(key)
        try:
            with self:
                return self.kept(key, find)
        finally:
            self._asking.remove(key)
