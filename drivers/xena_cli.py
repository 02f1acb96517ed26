"""The text protocol of Xena (Teledyne LeCroy) chassis, XOA CLI: what stands in an answer.

A setting is answered with a status in angle brackets (``<OK>``, ``<NOTRESERVED>``); a query with its own
words and the values (``0/1 PP_RXPRBSSTATUS [0] 123 4 PRBSON``), or a status that says why not; a line that is
not understood with two lines, a mark and ``#Syntax error in column 24``. From the maker's published
documentation; that words may stand more than one space apart, from a published log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from drivers.errors import InstrumentError
from drivers.interfaces import Identity
from drivers.replies import Reply

__all__ = ["RefusedError", "coded", "keep_alive", "serial_number", "status", "values", "whole_number"]

_STATUS: Final = re.compile(r"<([A-Za-z_0-9]{1,60})>")
_TOKEN: Final = re.compile(r"\"[^\"]*\"|\[[^\]]*\]|[^\s\"\[]+")
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
_ALL_BITS_SET: Final = 2**64 - 1

_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "NOCONNECTIONS": ("it has no connection left", "Close another client's session."),
    "NOTLOGGEDON": ("the session is not logged on", "Check the driver's option password."),
    "NOTRESERVED": ("the port is not reserved by this session", "Check who else uses the chassis."),
    "NOTREADABLE": ("the command cannot be read", ""),
    "NOTWRITABLE": ("the command cannot be set", ""),
    "NOTVALID": ("that is not possible in its present state", ""),
    "BADPARAMETER": ("it does not know the command", "Its software may be older than the command."),
    "BADMODULE": ("it has no such module", "Check the driver's option module in the bench file."),
    "BADPORT": ("the module has no such port", "Check the driver's option port in the bench file."),
    "BADINDEX": ("the port has no such lane", "Check the driver's option lanes in the bench file."),
    "BADSIZE": ("a value is of the wrong size", ""),
    "BADVALUE": ("it does not take the value", ""),
    "FAILED": ("it failed", ""),
    "NOTSUPPORTED": ("this port cannot do that", ""),
    "MEMORYFAILURE": ("it is out of memory", "Power the chassis off and on."),
    "PENDING": ("it answers later", ""),
}


class RefusedError(InstrumentError):
    """The chassis refused a command. Attribute ``status``: its word for why, such as ``NOTRESERVED``."""

    def __init__(self, instrument: str, command: str, status: str) -> None:
        self.status = status
        meaning, advice = _MEANINGS.get(status, ("refused, for a reason that is not documented", ""))
        super().__init__(instrument, meaning, command=command, reply=f"<{status}>", advice=advice)


def status(reply: Reply) -> str:
    """The word of a status, in capitals.

    :raises GarbledReplyError: when the reply is none.
    """
    found = _STATUS.fullmatch(reply.text.strip())
    if found is None:
        raise reply.garbled("no status such as <OK>")
    return found[1].upper()


def values(reply: Reply, query: str) -> tuple[Reply, ...]:
    """What stands behind the query's own words in its answer, each as a reply of its own.

    :raises RefusedError: when a status came instead.
    :raises GarbledReplyError: when it is no answer to this query (``<OK>`` is none).
    """
    if _STATUS.fullmatch(reply.text.strip()):
        word = status(reply)
        if word != "OK":
            raise RefusedError(reply.instrument, query, word)
    if not reply.text.isascii() or _TOKEN.sub("", reply.text).strip():
        raise reply.garbled("not plain words")
    words, own = _TOKEN.findall(reply.text), _TOKEN.findall(query.removesuffix("?"))
    if [_plain(word) for word in words[: len(own)]] != [_plain(word) for word in own]:
        raise reply.garbled("no answer to this query")
    return tuple(reply.part(word.strip('"')) for word in words[len(own) :])


def whole_number(value: Reply) -> int:
    """A whole number of 64 bits; one with all bits set, which the chassis means by "no data", is -1.

    :raises GarbledReplyError: when it is none.
    """
    if not _WHOLE.fullmatch(value.text) or not -(2**63) <= int(value.text) <= _ALL_BITS_SET:
        raise value.garbled("not made of whole numbers")
    number = int(value.text)
    return -1 if number == _ALL_BITS_SET else number


def coded(value: Reply, names: Sequence[str]) -> int:
    """A coded value: the place among ``names`` of its name, or its number (both are allowed in settings).

    :raises GarbledReplyError: when it is none of them.
    """
    text = value.text.upper()
    if text in names:
        return names.index(text)
    if text.isdecimal() and len(text) <= 2 and int(text) < len(names):
        return int(text)
    raise value.garbled(f"none of {', '.join(names)}")


def serial_number(reply: Reply) -> Identity:
    """The answer to ``C_SERIALNO ?`` as an identity with no more than that."""
    found = values(reply, "C_SERIALNO ?")
    if len(found) != 1 or not found[0].text:
        raise reply.garbled("no serial number")
    return Identity("Xena", "", found[0].text, "")


def keep_alive(reply: Reply) -> None:
    """The answer to ``C_KEEPALIVE ?``, which no other query has."""
    if len(values(reply, "C_KEEPALIVE ?")) != 1:
        raise reply.garbled("no answer to C_KEEPALIVE")


def _plain(word: str) -> str:
    return re.sub(r"\s", "", word).upper()
