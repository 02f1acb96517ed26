"""CDB messages of a simulated module: what is captured, what is answered, and what a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

QUERY_STATUS, ABORT, START = 0x0000, 0x0004, 0x0101

EARLIEST_SHARE, LATEST_SHARE = 0.3, 0.8
"""Of the advertised limit, what a command really takes."""

LARGEST_U16 = 0xFFFF


@dataclass(frozen=True, slots=True)
class Message:
    """A command as captured."""

    command: int
    lpl: bytes
    epl: bytes
    intact: bool
    """Its check code is right."""
    fits: bool
    """LPL and EPL can have the lengths that it states."""

    def u32(self, offset: int) -> int:
        """Big-endian number in the LPL body."""
        return int.from_bytes(self.lpl[offset : offset + 4])


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command leaves in LPL or EPL."""

    lpl: bytes = b""
    epl: bytes = b""


Finish: TypeAlias = Callable[[], Reply]
"""The end of an execution. Raises RefusedError when the command fails after all."""


@dataclass(frozen=True, slots=True)
class Command:
    """``begin`` checks the parameters and starts the execution, which ``longest_s`` bounds."""

    begin: Callable[[Message], Finish]
    longest_s: float
    lpl_bytes: int = 0
    """Shortest LPL body."""
    guarded: bool = False
    """Needs the host password where the profile asks for it."""


def complement(data: bytes) -> int:
    """One's complement of the low 8 bits of the sum: CdbChkCode and RPLChkCode."""
    return ~sum(data) & 0xFF


def delay_s(message: Message) -> float:
    """The delay that Query Status asks for."""
    return int.from_bytes(message.lpl[:2]) * 1e-3


def ms_field(duration_s: float, step: int) -> bytes:
    """Milliseconds in steps of ``step``, rounded up, in a U16 that saturates."""
    return min(LARGEST_U16, -(-round(duration_s * 1e3) // step)).to_bytes(2)
