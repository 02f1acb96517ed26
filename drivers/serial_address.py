"""Where a serial instrument is: the one form in which a bench file says it.

``serial:/dev/ttyUSB0?baud=19200`` is a line of this computer (``serial:COM3?baud=9600&parity=even`` on
Windows); ``socket://192.0.2.15:10001`` is a serial server, or an instrument that speaks the same over TCP.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FORMS", "SerialAddress"]

FORMS = "serial:/dev/ttyUSB0?baud=19200 or socket://192.0.2.15:10001"

_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_PARITIES = {"none": "N", "even": "E", "odd": "O"}
_CHOICES: Mapping[str, Mapping[str, Any]] = {
    "baud": {str(baud): baud for baud in _BAUDS},
    "bits": {"7": 7, "8": 8},
    "parity": _PARITIES,
    "stop_bits": {"1": 1, "2": 2},
}
_DEVICE = re.compile(r"/[A-Za-z0-9._:+@/-]{1,250}|COM[1-9][0-9]{0,2}", re.ASCII)
_SOCKET = re.compile(
    r"socket://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """``port`` is what ``serial.serial_for_url`` takes: a device, or a ``socket://`` address, of which
    ``baud`` (bits per second) is None and the rest means nothing. ``parity`` as pyserial writes it."""

    port: str
    baud: int | None
    bits: int = 8
    parity: str = "N"
    stop_bits: int = 1

    @classmethod
    def parse(cls, text: str) -> SerialAddress:
        """Read an address, strictly. The speed of a line has no default: it is what the instrument's panel
        says.

        :raises ValueError: when it is none; says what is wrong with it.
        """
        if text.startswith("socket:"):
            found = _SOCKET.fullmatch(text)
            if found is None or not 1 <= int(found[2]) <= 65535:
                raise ValueError(f"{text!r} is no socket address; write it as socket://192.0.2.15:10001")
            return cls(f"socket://{found[1].lower()}:{int(found[2])}", None)
        kind, colon, rest = text.partition(":")
        device, question, query = rest.partition("?")
        if kind != "serial" or not colon or not _DEVICE.fullmatch(device):
            raise ValueError(f"{text!r} is no serial address; write {FORMS}")
        settings: dict[str, Any] = {}
        for part in query.split("&") if question else ():
            key, _, value = part.partition("=")
            choices = _CHOICES.get(key)
            if choices is None:
                raise ValueError(f"{text!r}: unknown setting {key!r}; known are {', '.join(_CHOICES)}")
            if value not in choices:
                raise ValueError(f"{text!r}: {key}={value} is not one of {', '.join(choices)}")
            if key in settings:
                raise ValueError(f"{text!r}: {key} stands twice")
            settings[key] = choices[value]
        if "baud" not in settings:
            raise ValueError(f"{text!r}: the speed is missing; write serial:{device}?baud=19200")
        return cls(device, **settings)

    @property
    def canonical(self) -> str:
        """One spelling for one line, whatever its settings: links such as those of ``/dev/serial/by-id`` are
        followed."""
        if self.baud is None:
            return self.port
        return f"serial:{os.path.realpath(self.port) if self.port.startswith('/') else self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """The line's settings as ``serial.serial_for_url`` takes them by keyword."""
        if self.baud is None:
            return {}
        return {
            "baudrate": self.baud,
            "bytesize": self.bits,
            "parity": self.parity,
            "stopbits": self.stop_bits,
        }
