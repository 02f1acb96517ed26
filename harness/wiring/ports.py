"""Names of optical ports."""

from __future__ import annotations

import re
from dataclasses import dataclass

MODULE = "module"
REFERENCE = "reference_tx"
"""Light only comes from its ports."""
ATTENUATOR = "attenuator"
"""A role of channels: input and output of a channel have one number, and light goes from one to the other."""
MATRIX = "optical_switch"
LETTING_THROUGH = (MATRIX, ATTENUATOR)
"""Roles of instruments that light goes through."""
SPLITTER_INPUT = "in"
MPO_LANES = 4
"""Of an MPO-12 as parallel optics use it (IEC 61754-7)."""
_MODULE_PORT = re.compile(r"(tx|rx)([1-8])")


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """An optical port: of the module (``tx1``), of an instrument's role (a number) or of a splitter (``in``
    or the number of a leg)."""

    role: str
    port: str

    def __str__(self) -> str:
        return f"{self.role}.{self.port}"

    @property
    def number(self) -> int:
        """The port's number: the lane of a module port, the port of an instrument, the leg of a splitter; 0
        for a splitter's input."""
        if self.port == SPLITTER_INPUT:
            return 0
        return int(self.port[2:] if self.role == MODULE else self.port)


def parse_port(text: str) -> Port:
    """``module.tx1``, ``optical_switch.17``, ``reference_tx.1``, ``tap1.in``.

    :raises ValueError: when it is not of that form.
    """
    role, dot, port = text.partition(".")
    if role == MODULE and dot:
        if _MODULE_PORT.fullmatch(port):
            return Port(role, port)
        raise ValueError(f"{text!r}: the module has ports tx1 .. tx8 and rx1 .. rx8")
    if dot and role.isidentifier():
        if port == SPLITTER_INPUT:
            return Port(role, port)
        if port.isascii() and port.isdigit() and len(port) < 10 and 0 < int(port) < 10_000:
            return Port(role, str(int(port)))
    raise ValueError(f"{text!r} is not a port; write module.tx1 or the role and its port: optical_switch.17")
