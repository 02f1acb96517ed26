"""What can go wrong on a bench, as types.

Every error here is a fault of the *bench*: an instrument, a connection, a setting. None of them says
anything about the module under test, and nothing may turn one into a failure of the module. Errors of
the module's management interface live in :mod:`drivers.cmis.errors`.
"""

from __future__ import annotations

__all__ = [
    "BenchError",
    "ConnectionFailedError",
    "EmptyReplyError",
    "GarbledReplyError",
    "InUseError",
    "InstrumentError",
    "InstrumentReportedError",
    "InvalidReadingError",
    "NoReplyError",
    "NotSettledError",
    "OutOfRangeError",
    "OverloadError",
    "PartialReplyError",
    "UnsupportedError",
    "WrongIdentityError",
    "printable",
]

_SHOWN_CHARACTERS = 120


def printable(raw: object) -> str:
    """Show what an instrument sent without trusting it: escaped, and cut to a length a person reads."""
    text = repr(raw)
    return (
        text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"
    )


class BenchError(Exception):
    """A fault of the bench, never of the module."""


class InstrumentError(BenchError):
    """A fault of one instrument: says which, on what command, what came back, and what to do.

    Attributes: ``instrument`` (role or name and address), ``command`` (as sent, or ``""``),
    ``reply`` (as received, untrusted, or ``None``), ``advice``.
    """

    def __init__(
        self, instrument: str, what: str, *, command: str = "", reply: object = None, advice: str = ""
    ) -> None:
        self.instrument = instrument
        self.what = what
        self.command = command
        self.reply = reply
        self.advice = advice
        parts = [f"{instrument}: {what}"]
        if command:
            parts.append(f"command {printable(command)}")
        if reply is not None:
            parts.append(f"reply {printable(reply)}")
        text = "; ".join(parts)
        super().__init__(f"{text}. {advice}" if advice else text)


class ConnectionFailedError(InstrumentError):
    """The instrument cannot be opened, or the connection broke."""


class NoReplyError(InstrumentError):
    """Nothing came back within the time limit."""


class PartialReplyError(InstrumentError):
    """A reply began but its end never came."""


class EmptyReplyError(InstrumentError):
    """A reply with nothing in it."""


class GarbledReplyError(InstrumentError):
    """A reply that is not of the form the command answers with."""


class OverloadError(InstrumentError):
    """The input is beyond the instrument's range (for instance 3.40282E+38 from a power meter)."""


class InvalidReadingError(InstrumentError):
    """The instrument says that it has no valid value (SCPI's 9.91E+37)."""


class InstrumentReportedError(InstrumentError):
    """The instrument's own error queue holds entries after a command.

    Attribute ``entries``: tuple of (code, text), in the queue's order.
    """

    def __init__(self, instrument: str, command: str, entries: tuple[tuple[int, str], ...]) -> None:
        self.entries = entries
        shown = ", ".join(f"{code} {printable(text)}" for code, text in entries)
        super().__init__(instrument, f"the instrument reports {shown}", command=command)


class OutOfRangeError(InstrumentError, ValueError):
    """A setting outside what the instrument takes. Nothing was sent: settings are never clipped."""


class UnsupportedError(InstrumentError):
    """This instrument cannot do that; a plan skips what needs it, with this text as the reason."""


class InUseError(InstrumentError):
    """Another user holds the instrument, or the part of it that is asked for."""


class WrongIdentityError(InstrumentError):
    """Another instrument answers at this address than the bench file says."""


class NotSettledError(InstrumentError):
    """A condition (temperature, voltage, route) was not reached within its time limit."""
