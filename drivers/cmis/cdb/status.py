"""CdbStatus, lower:37 and 38, in words (OIF-CMIS-05.4 §8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ABORTED", "NOT_NOW", "NO_RESULT", "SUCCESS", "CdbStatus"]

SUCCESS = 0x01
"""The status byte of a command that was executed."""
ABORTED = 0x03
"""Of one that was aborted."""
NO_RESULT = 0x00
"""Since the module started, until the first command."""
NOT_NOW = 0x47
"""Of one that the module's state does not allow."""

_BUSY: Mapping[int, str] = {
    1: "the command is being captured",
    2: "the command is being checked",
    3: "the command is being executed",
}
_DONE: Mapping[int, str] = {
    0: "no result: no command was executed since the module started",
    1: "success",
    3: "the command was aborted",
}
_FAILED: Mapping[int, tuple[str, str]] = {
    0: ("failed, no reason given", ""),
    1: ("unknown command", "The module does not have it: see command 0040h for those it has."),
    2: ("parameter out of range, or not supported", "Check the command's body."),
    4: (
        "checking the command took the module too long",
        "The command was not executed: it may be sent again.",
    ),
    5: (
        "wrong check code",
        "The command was damaged on the bus and not executed: it may be sent again. Check the bus.",
    ),
    6: (
        "password or privilege missing",
        "Enter the host's password first (CdbSession.enter_password); it is asked anew after a reset.",
    ),
    7: (
        "not possible now",
        "Neither the module's state nor what was commanded before allows it; a restart ends a download.",
    ),
    32: ("firmware: rejected", ""),
    33: ("firmware: the image's format is wrong", "Check that the file is for this module."),
    34: ("firmware: the image's checksum is wrong", "Write the image again; check the file."),
    35: ("firmware: authentication failed", "The image is not signed as this module wants it."),
    36: ("firmware: wrong target", "The image is for another module or another part of it."),
    37: ("firmware: invalid load", ""),
    38: ("firmware: a hitless start is not possible", "Run it with a reset instead."),
    39: ("firmware: settings cannot be preserved", "Run it without preserving them."),
    40: ("firmware: execution failed", ""),
    41: ("firmware: out of resources", ""),
}


@dataclass(frozen=True, slots=True)
class CdbStatus:
    """One status byte. ``busy`` prevails: while it is set, ``result`` says how far the command is."""

    busy: bool
    failed: bool
    result: int

    @classmethod
    def decode(cls, raw: int) -> CdbStatus:
        """From the byte: bit 7 busy, bit 6 failed, bits 5-0 result. Reserved codes do not raise."""
        return cls(bool(raw & 0x80), bool(raw & 0x40), raw & 0x3F)

    @property
    def raw(self) -> int:
        """The byte."""
        return self.busy << 7 | self.failed << 6 | self.result

    @property
    def succeeded(self) -> bool:
        """Whether the last command was executed: 01h and nothing else."""
        return self.raw == SUCCESS

    @property
    def text(self) -> str:
        """The status in words."""
        if self.busy:
            known = _BUSY.get(self.result)
        elif self.failed:
            known = _FAILED[self.result][0] if self.result in _FAILED else None
        else:
            known = _DONE.get(self.result)
        if known is None:
            kind = "busy" if self.busy else "failed" if self.failed else "done"
            known = f"{kind}, reserved or vendor-specific code {self.result}"
        return f"{self.raw:02X}h, {known}"

    @property
    def advice(self) -> str:
        """What to do about a failure, or nothing."""
        if self.busy or not self.failed:
            return ""
        return _FAILED.get(self.result, ("", ""))[1]
