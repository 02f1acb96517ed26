"""What goes wrong on the wire between a simulated instrument and its host, whatever its language.

A peer asks its :class:`WireFaults` before a reply leaves, before it takes up a message, and when it is asked
who it is. What a bench makes of each kind is told in docs/wire-faults.md. The kinds that need the
instrument's own language or its end (``dies``, ``error_queue``) are the peers'.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass

from harness.simulation.world import Event, World, ns_from_s

__all__ = ["Faulted", "Running", "RunningFaults", "WireFaults"]

NOT_A_NUMBER = 9.91e37  # SCPI-99 vol. 1, 7.2.1.5
OTHER_IDENTITY = "Another Maker,OTHER-1,0,0"
_REAL = rb"[+-]?[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?"
_REALS = re.compile(rb"\s*" + _REAL + rb"(?:\s*,\s*" + _REAL + rb")*\s*")
_ONE_REAL = re.compile(_REAL)
_BLOCK = re.compile(rb"#([1-9])")
_PRINTABLE = bytes(range(0x21, 0x7E))
_SHORT_BYTES = 8
_MARKS = b"!$%&*/:;<=>?@[]^_`{|}~"
"""Garbage in the place of a short reply: of digits, signs and letters it would now and then be a reply."""
_FAR_NS = ns_from_s(3600.0)
KINDS = ("garbles", "time_out", "disconnects", "wrong_terminator", "nan", "busy", "wrong_identity", "slow")


@dataclass(frozen=True, slots=True)
class Faulted:
    """What leaves instead of a reply: these bytes, terminator included, and then perhaps nothing ever."""

    data: bytes
    hangs_up: bool = False


@dataclass(slots=True)
class Running:
    """A fault that has begun. ``left``: replies it still takes; 0: any number."""

    left: int
    delay_s: float
    end: Event | None


class RunningFaults:
    """The faults of one instrument that have begun, by kind, each until its count or its time is over.

    ``kinds``: those that there can be; ``of``: of what, for the error; ``ended``: called with each that ends.
    """

    def __init__(
        self, world: World, kinds: Collection[str], of: str, ended: Callable[[str], None] = lambda _: None
    ) -> None:
        self._world = world
        self._kinds = kinds
        self._of = of
        self._ended = ended
        self._running: dict[str, Running] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that run."""
        return tuple(self._running)

    def start(self, kind: str, *, count: int = 0, for_s: float = 0.0, delay_s: float = 0.0) -> None:
        """Begin a fault, or begin it anew: for ``count`` replies and ``for_s`` seconds, whichever ends first
        (0: for ever). ``delay_s``: of ``slow``.

        :raises ValueError: for a kind that there is not.
        """
        if kind not in self._kinds:
            raise ValueError(f"{kind!r} is no fault {self._of}; there are {', '.join(self._kinds)}")
        self.stop(kind)
        end = self._world.after(for_s, lambda: self.stop(kind)) if for_s > 0.0 else None
        self._running[kind] = Running(count, delay_s, end)

    def stop(self, kind: str) -> None:
        """End a fault; one that is not there is none."""
        fault = self._running.pop(kind, None)
        if fault is None:
            return
        if fault.end is not None:
            fault.end.cancel()
        self._ended(kind)

    def strikes(self, kind: str) -> bool:
        """Whether a fault takes this reply."""
        fault = self._running.get(kind)
        if fault is None:
            return False
        if fault.left:
            fault.left -= 1
            if not fault.left:
                self.stop(kind)
        return True

    @property
    def delay_s(self) -> float:
        """How much later than usual something is taken up."""
        return self._running["slow"].delay_s if "slow" in self._running else 0.0


class WireFaults(RunningFaults):
    """The faults of one instrument. ``went_on``: called when it stops being busy."""

    def __init__(self, world: World, role: str, went_on: Callable[[], None]) -> None:
        super().__init__(world, KINDS, "on the wire", lambda kind: went_on() if kind == "busy" else None)
        self._role = role

    @property
    def is_busy(self) -> bool:
        """Whether nothing that comes in is taken up."""
        return "busy" in self._running

    def busy_until_ns(self) -> int:
        """World time at which something may happen again."""
        end = self._running["busy"].end
        return self._world.now_ns + _FAR_NS if end is None else end.when_ns

    def identity(self, text: str, other: str = OTHER_IDENTITY) -> str:
        """Who it says that it is: ``text``, or ``other``."""
        return other if self.strikes("wrong_identity") else text

    def reply(self, data: bytes, end: bytes) -> Faulted | None:
        """What leaves instead of the reply ``data``; None: the reply as it is."""
        if not self._running:
            return None
        if self.strikes("time_out"):
            return Faulted(b"")
        made = data
        if ("nan" in self._running) and (numbers := _without_numbers(data)) is not None:
            self.strikes("nan")
            made = numbers
        if self.strikes("garbles"):
            draw, now_ns = self._world.noise.uniform, self._world.now_ns
            letters = _MARKS if len(data) <= _SHORT_BYTES else _PRINTABLE
            made = bytes(
                letters[int(len(letters) * draw(self._role, "garble", now_ns, place))]
                for place in range(len(data))
            )
        if self.strikes("disconnects"):
            return Faulted(made[: max(1, len(made) // 2)], hangs_up=True)
        if self.strikes("wrong_terminator"):
            return Faulted(made + b"\r")
        return None if made is data else Faulted(made + end)


def _without_numbers(data: bytes) -> bytes | None:
    """A reply of real numbers, or a block of float32, with SCPI's not-a-number in their places; None for
    another reply."""
    if _REALS.fullmatch(data):
        return _ONE_REAL.sub(b"%+.8E" % NOT_A_NUMBER, data)
    header = _BLOCK.match(data)
    if header is None:
        return None
    start = 2 + int(header[1])
    values, odd = divmod(len(data) - start, 4)
    return None if odd or not values else data[:start] + struct.pack("<f", NOT_A_NUMBER) * values
