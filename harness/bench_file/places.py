"""Where an address leads: one name for one place, by whichever library it is reached.

An instrument that two roles share says so with ``shared_with``. Two addresses that differ and lead to one
place would open two sessions that know nothing of each other: what one asks the other reads. Names are
compared as they are written: two names of one host, or a LAN and a USB address of one instrument, are not
seen here, but by ``lanewise bench check``, which asks.
"""

from __future__ import annotations

import os
import re

__all__ = ["host_of", "place_of"]

_LINE = re.compile(r"ASRL(.+?)::INSTR", re.IGNORECASE)
_LAN = re.compile(r"TCPIP\d*::([^:]+|\[[^\]]+\])::(.+)::(SOCKET|INSTR)", re.IGNORECASE)
_USB = re.compile(
    r"USB\d*::(0x[0-9a-f]+|\d+)::(0x[0-9a-f]+|\d+)::([^:]+)(?:::(\d+))?::(INSTR|RAW)", re.IGNORECASE
)
_SOCKET = re.compile(r"socket://(\[[^\]]+\]|[^:]+):(\d+)")
_HISLIP_PORT = "4880"


def place_of(transport: str, address: str) -> str:
    """The place that a checked address of a transport leads to.

    ``COM3`` and ``ASRL3`` are one line, so are a link of ``/dev/serial/by-id`` and its device; a raw socket
    is one, whether VISA opens it or pyserial; interfaces of the network are not told apart by their number.
    """
    if transport == "serial":
        return _serial_place(address)
    if transport == "i2c":
        return _bus_place(address)
    if transport != "visa":
        return address
    if line := _LINE.fullmatch(address):
        return _line_place(line[1])
    if lan := _LAN.fullmatch(address):
        host, device = lan[1].lower(), lan[2].lower()
        if lan[3].upper() == "SOCKET":
            return f"tcp {host} {int(device) if device.isdecimal() else device}"
        return f"lan {host} {device.removesuffix(f',{_HISLIP_PORT}')}"
    if usb := _USB.fullmatch(address):
        maker, model = (int(number, 0) for number in usb.group(1, 2))
        return f"usb {maker:04x} {model:04x} {usb[3]} {usb[4] or 0} {usb[5].upper()}"
    return address


def host_of(address: str) -> str:
    """The host that a LAN address names, in small letters; "" of an address that names none."""
    found = _LAN.fullmatch(address) or _SOCKET.fullmatch(address)
    return found[1].lower() if found else ""


def _serial_place(address: str) -> str:
    if found := _SOCKET.fullmatch(address):
        return f"tcp {found[1].lower()} {int(found[2])}"
    return _line_place(address.removeprefix("serial:").partition("?")[0])


def _bus_place(address: str) -> str:
    """A bus has one board: two modules on one would both answer at 50h."""
    kind, _, rest = address.partition(":")
    if kind == "i2c":
        return f"i2c {int(rest)}"
    server, slash, slot = rest.rpartition("/")
    if not slash:
        server, slot = rest, "0"
    return f"sim {server if server.startswith('unix:') else server.lower()}/{int(slot)}"


def _line_place(device: str) -> str:
    if device.isdecimal():
        device = f"COM{int(device)}"
    return f"line {device.upper() if not device.startswith('/') else os.path.realpath(device)}"
