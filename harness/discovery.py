"""What hangs on this computer and on named hosts, and a bench file's draft of it.

Nothing is opened where opening could disturb, unless it is told to:

* what a VISA library finds in the *network* belongs to anybody: it is listed, and asked ``*IDN?`` only when
  its host was named. USB and GPIB are cables of this computer: those are asked;
* opening a *serial port* moves its DTR and RTS lines, which resets some instruments, and a query at the wrong
  speed is noise to whatever is there: ports are listed, and asked only with ``serial=True``;
* a *two-wire bus* carries more than modules (memory, monitors, batteries): buses are listed, and only with
  ``i2c=True`` is byte 0 of address 50h read, which no module and no EEPROM minds. Nothing else is read there.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.catalogue import DRIVERS, load
from drivers.clock import Clock, WallClock
from drivers.cmis.codes import CMIS_IDENTIFIERS, table
from drivers.errors import BenchError
from drivers.i2c import I2cBus, I2cNackError, SmbusLike
from drivers.interfaces import Identity
from drivers.line_session import LineSession, SerialPort
from drivers.scpi import ScpiSession
from harness.opening import open_serial_line
from harness.text import printable_text

__all__ = [
    "Found",
    "find_i2c",
    "find_serial",
    "find_visa",
    "i2c_buses",
    "matching_drivers",
    "who",
]

ANSWER_LIMIT_S = 2.0
REACH_LIMIT_S = 1.0
MODULE_ADDRESS = 0x50
_ASKED_ON_SERIAL = {"espec-p300": (9600, 19200)}
"""Drivers that are tried on a serial line, with their usual speeds: their connecting changes nothing."""
_PORTS = (
    (4880, "TCPIP0::{host}::hislip0::INSTR"),
    (5025, "TCPIP0::{host}::5025::SOCKET"),
    (111, "TCPIP0::{host}::inst0::INSTR"),
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """Something at an address. ``drivers``: those that say it is theirs, the likeliest first; ``note``: what
    a person should know of it. ``identity`` is untrusted text."""

    address: str
    identity: Identity | None = None
    drivers: tuple[str, ...] = ()
    note: str = ""


Reach = Callable[[str, int], bool]


def reachable(host: str, port: int) -> bool:
    """Whether a TCP port of a host takes a connection within a second."""
    try:
        with socket.create_connection((host, port), timeout=REACH_LIMIT_S):
            return True
    except OSError:
        return False


def find_visa(
    manager: Any, hosts: Sequence[str] = (), *, reach: Reach = reachable, clock: Clock | None = None
) -> Iterator[Found]:
    """What a VISA library lists, and the named hosts (HiSLIP, port 5025, VXI-11; the first that answers).

    :raises ValueError: when a host is no host's name or address.
    :raises BenchError: when the library cannot tell what it has found.
    """
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no host; write a name or an IPv4 address")
    clock = clock or WallClock()
    answered: set[str] = set()
    try:
        listed = sorted(set(manager.list_resources("?*")))
    except Exception as fault:  # pyvisa's back ends raise what they like
        raise BenchError(
            f"the VISA library does not list what it finds ({type(fault).__name__}: {fault}); check its "
            "installation and its resource manager's service, or take another one with --visa-library"
        ) from fault
    for address in listed:
        if address.upper().startswith(("ASRL", "PRLGX")):
            continue  # a serial port: pyserial lists them, with what is known of each
        host = _host_of(address)
        if host and host not in hosts:
            note = f"in the network, not asked: it may be another bench's; give --hosts {host}"
            yield Found(address, note=note)
            continue
        if not address.upper().endswith(("::INSTR", "::SOCKET")):
            yield Found(address, note="not asked: it does not speak in messages")
            continue
        found = _ask_visa(manager, address, clock)
        if found.identity is not None and host:
            answered.add(host)
        yield found
    for host in hosts:
        if host not in answered:
            yield _ask_host(manager, host, reach, clock)


def _ask_host(manager: Any, host: str, reach: Reach, clock: Clock) -> Found:
    said: list[str] = []
    for port, form in _PORTS:
        if not reach(host, port):
            said.append(f"port {port} is closed")
            continue
        found = _ask_visa(manager, form.format(host=host), clock)
        if found.identity is not None:
            return found
        said.append(f"port {port}: {found.note}")
    return Found(f"TCPIP0::{host}", note="; ".join(said))


def _ask_visa(manager: Any, address: str, clock: Clock) -> Found:
    """Ask ``*IDN?`` at a VISA address, and close it again."""
    try:
        resource = manager.open_resource(address, open_timeout=int(ANSWER_LIMIT_S * 1000))
    except Exception as fault:  # pyvisa's back ends raise what they like
        return Found(address, note=f"cannot be opened: {type(fault).__name__}: {fault}")
    session = ScpiSession(resource, clock, name=address, time_limit_s=ANSWER_LIMIT_S)
    try:
        identity = session.probe()
    except BenchError as fault:
        return Found(address, note=str(fault))
    finally:
        session.close()
    drivers = matching_drivers(identity)
    return Found(address, identity, drivers, "" if drivers else "no driver of this project knows it")


def matching_drivers(identity: Identity) -> tuple[str, ...]:
    """The drivers whose pattern this model has, in the catalogue's order."""
    texts = (identity.model, f"{identity.vendor} {identity.model}")
    found = []
    for name, info in DRIVERS.items():
        if info.transport != "visa":
            continue
        pattern = getattr(load(name), "model_pattern", "")
        if pattern and any(re.fullmatch(pattern, text) for text in texts):
            found.append(name)
    # N7744A and N7744C share a driver: the name that stands in the catalogue's is the likelier.
    return tuple(sorted(found, key=lambda name: identity.model.lower() not in name))


def find_serial(
    ports: Iterable[Any],
    *,
    ask: bool = False,
    open_port: Callable[[str, int], SerialPort] | None = None,
    clock: Clock | None = None,
) -> Iterator[Found]:
    """Serial ports (as ``serial.tools.list_ports.comports()`` gives them); with ``ask``, what is there."""
    for port in sorted(ports, key=lambda port: str(port.device)):
        device = str(port.device)
        words = " ".join(
            str(text) for text in (port.description, port.hwid) if text and text not in ("n/a", device)
        )
        if not ask:
            note = f"{words}; not opened: that moves its lines; give --serial"
            yield Found(f"serial:{device}", note=note.lstrip("; "))
            continue
        yield _ask_serial(device, words, open_port or _open_serial, clock or WallClock())


def _ask_serial(device: str, words: str, open_port: Callable[[str, int], SerialPort], clock: Clock) -> Found:
    for driver, speeds in _ASKED_ON_SERIAL.items():
        for baud in speeds:
            address = f"serial:{device}?baud={baud}"
            try:
                port = open_port(device, baud)
            except Exception as fault:
                return Found(f"serial:{device}", note=f"{words}; cannot be opened: {fault}".lstrip("; "))
            session = LineSession(port, clock, name=address, time_limit_s=1.0)
            try:
                instrument = load(driver)(session, clock, name=address, options={})
                return Found(address, instrument.connect(), (driver,), words)
            except BenchError:
                continue
            finally:
                session.close()
    return Found(f"serial:{device}", note=f"{words}; nothing known answers".lstrip("; "))


def _open_serial(device: str, baud: int) -> SerialPort:
    """As a run opens it: for us alone, so that a port that a run holds is not disturbed."""
    return open_serial_line(f"serial:{device}?baud={baud}", write_limit_s=REACH_LIMIT_S)


def i2c_buses(folder: Path = Path("/dev")) -> tuple[str, ...]:
    """The two-wire buses of this computer, as a bench file writes them (``i2c:1``)."""
    numbers = [path.name.removeprefix("i2c-") for path in folder.glob("i2c-*")]
    return tuple(f"i2c:{number}" for number in sorted(map(int, filter(str.isdecimal, numbers))))


def find_i2c(
    buses: Sequence[str],
    *,
    ask: bool = False,
    open_bus: Callable[[str], SmbusLike] | None = None,
    clock: Clock | None = None,
) -> Iterator[Found]:
    """Two-wire buses; with ``ask``, whether a module is at 50h of each."""
    for address in buses:
        if not ask:
            yield Found(address, note="not touched; give --i2c to look for a module at 50h")
        else:
            yield _ask_bus(address, open_bus or _open_bus, clock or WallClock())


def _ask_bus(address: str, open_bus: Callable[[str], SmbusLike], clock: Clock) -> Found:
    try:
        smbus = open_bus(address)
    except OSError as fault:
        return Found(address, note=f"cannot be opened: {fault.strerror or fault}")
    with contextlib.closing(I2cBus(smbus, clock, name=address)) as bus:
        try:
            identifier = bus.write_read(MODULE_ADDRESS, b"\0", 1)[0]
        except I2cNackError:
            return Found(address, note="nobody acknowledges 50h: no module, or it is not selected or powered")
        except BenchError as fault:
            return Found(address, note=str(fault))
    name = table("identifier").get(identifier, "")
    said = f"50h acknowledges, identifier {identifier:02X}h{f' ({name})' if name else ''}"
    if identifier not in CMIS_IDENTIFIERS:
        return Found(address, note=f"{said}: no CMIS module")
    module = Identity("", name, "", "")
    return Found(address, module, ("i2c-host-board",), f"{said}; the pins' expander is for you to say")


def _open_bus(address: str) -> SmbusLike:
    from smbus2 import SMBus

    bus: SmbusLike = SMBus(int(address.removeprefix("i2c:")))
    return bus


def _host_of(address: str) -> str:
    """The host of a TCPIP resource; "" of another."""
    parts = address.split("::")
    return parts[1].partition(",")[0] if parts[0].upper().startswith("TCPIP") and len(parts) > 2 else ""


def who(found: Found) -> str:
    """Its identity for people, on one line."""
    identity = found.identity
    if identity is None:
        return ""
    fields = (identity.vendor, identity.model, identity.serial, identity.firmware)
    return printable_text(" ".join(field for field in fields if field))
