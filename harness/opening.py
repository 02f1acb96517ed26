"""The one place that opens a bench: sessions over pyvisa, pyserial and smbus2, and drivers on top of them.

A simulated bench differs from a lab in the libraries' back ends alone: a VISA library whose resources are
simulated instruments, a URL scheme of pyserial's with such behind it, a bus of smbus2's shape, a clock that
moves the world.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection
from typing import Any, Protocol

from drivers.catalogue import DRIVERS, load
from drivers.clock import Clock, StopFlag, WallClock
from drivers.errors import BenchError, ConnectionFailedError
from drivers.i2c import I2cBus, SmbusLike
from drivers.interfaces import Instrument, ModulePins
from drivers.line_session import LineSession, SerialPort
from drivers.operator_prompt import Terminal
from drivers.scpi import ScpiSession
from drivers.serial_address import SerialAddress
from harness.bench import Bench
from harness.bench_file.reading import BenchSpec, InstrumentSpec

OPEN_LIMIT_S = 5.0


class SupportsClose(Protocol):
    """What is closed with the bench."""

    def close(self) -> None:
        """Close it."""


class Backend(Protocol):
    """Where sessions come from."""

    @property
    def clock(self) -> Clock:
        """The bench's time."""

    def visa_resource(self, address: str) -> Any:
        """Open a pyvisa message-based resource."""

    def serial_port(self, address: str) -> SerialPort:
        """Open a pyserial port (:mod:`drivers.serial_address`)."""

    def smbus(self, address: str) -> SmbusLike:
        """Open a bus (``i2c:1``)."""

    def sysfs_file(self, address: str) -> str:
        """Where a file of sysfs is (``/sys/...``). Its driver opens it."""

    def close(self) -> None:
        """Close the libraries."""


def open_serial_line(address: str, *, write_limit_s: float) -> SerialPort:
    """Open a line (:mod:`drivers.serial_address`), for us alone where the system can, or a socket.

    :raises SerialException: when it cannot be opened, or another process has it.
    """
    import serial

    line = SerialAddress.parse(address)
    exclusive = {"exclusive": True} if line.baud is not None and os.name == "posix" else {}
    port: SerialPort = serial.serial_for_url(
        line.port, write_timeout=write_limit_s, **line.settings, **exclusive
    )
    return port


class LabBackend:
    """The lab's own buses."""

    def __init__(self, spec: BenchSpec, stop: StopFlag) -> None:
        self._closing = contextlib.ExitStack()
        self._stop = stop
        self.clock: Clock = self._remote_clock(spec) if spec.clock == "remote" else WallClock(stop)
        self._library = spec.visa_library
        self._manager: Any = None
        self._lock = threading.Lock()

    def visa_resource(self, address: str) -> Any:
        """Open a resource with the VISA library that the bench file names."""
        import pyvisa

        with self._lock:
            if self._manager is None:
                self._manager = pyvisa.ResourceManager(self._library)
        # A session over the network shares nothing with another one, and one whose host is gone takes its
        # time to open. What hangs on an adapter of this computer is opened one after the other: libraries
        # look through their adapters for it.
        alone = contextlib.nullcontext() if address.upper().startswith("TCPIP") else self._lock
        with alone:
            return self._manager.open_resource(address, open_timeout=int(OPEN_LIMIT_S * 1000))

    def serial_port(self, address: str) -> SerialPort:
        """Open a line, for us alone where the system can, or a socket."""
        return open_serial_line(address, write_limit_s=OPEN_LIMIT_S)

    def smbus(self, address: str) -> SmbusLike:
        """Open ``/dev/i2c-N``, or a served module's bus."""
        if address.startswith("sim:"):
            return open_served_module(address.removeprefix("sim:"), self._stop)[0]
        from smbus2 import SMBus

        bus: SmbusLike = SMBus(int(address.removeprefix("i2c:")))
        return bus

    def sysfs_file(self, address: str) -> str:
        """This computer's own."""
        return address

    def close(self) -> None:
        """Close the VISA library's sessions, and the connection to a remote clock."""
        with self._closing:
            if self._manager is not None:
                self._manager.close()

    def _remote_clock(self, spec: BenchSpec) -> Clock:
        """The time of a served bench."""
        bus, _, clock = open_served_module(spec.clock_address, self._stop)
        self._closing.callback(bus.close)
        return clock


class _Io:
    """Sessions opened so far, to be counted and closed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.sessions: list[ScpiSession | LineSession] = []
        self.buses: dict[str, I2cBus] = {}
        self.files: list[SupportsClose] = []
        self._buses_lock = threading.Lock()

    @property
    def clock(self) -> Clock:
        return self._backend.clock

    def bus_transactions(self) -> int:
        return sum(bus.transactions for bus in self.buses.values())

    def round_trips(self) -> int:
        return sum(session.round_trips for session in self.sessions)

    def close(self) -> None:
        with contextlib.ExitStack() as stack:  # one that does not close keeps none of the others open
            stack.callback(self._backend.close)
            for bus in self.buses.values():
                stack.callback(bus.close)
            for session in self.sessions:
                stack.callback(session.close)
            for file in self.files:
                stack.callback(file.close)

    def instrument(self, spec: InstrumentSpec) -> Instrument:
        info = DRIVERS[spec.driver]
        driver = load(spec.driver)
        try:
            return self._OPENERS[info.transport](self, driver, spec)
        except BenchError:
            raise
        except Exception as fault:
            raise ConnectionFailedError(
                spec.role,
                f"{spec.address} cannot be opened: {type(fault).__name__}: {fault}",
                advice="Check the address in the bench file, the cable, and that nobody else holds it.",
            ) from fault

    def _open_visa(self, driver: Callable[..., Any], spec: InstrumentSpec) -> Instrument:
        resource = self._backend.visa_resource(spec.address)
        session = ScpiSession(resource, self.clock, name=spec.role)
        self.sessions.append(session)
        instrument: Instrument = driver(session, self.clock, name=spec.role, options=spec.options)
        return instrument

    def _open_serial(self, driver: Callable[..., Any], spec: InstrumentSpec) -> Instrument:
        session = LineSession(self._backend.serial_port(spec.address), self.clock, name=spec.role)
        self.sessions.append(session)
        instrument: Instrument = driver(session, self.clock, name=spec.role, options=spec.options)
        return instrument

    def _open_i2c(self, driver: Callable[..., Any], spec: InstrumentSpec) -> Instrument:
        with self._buses_lock:  # two boards may sit on one bus
            bus = self.buses.get(spec.address)
            if bus is None:
                bus = I2cBus(self._backend.smbus(spec.address), self.clock, name=spec.role)
                self.buses[spec.address] = bus
        instrument: Instrument = driver(bus, self.clock, name=spec.role, options=spec.options)
        return instrument

    def _open_file(self, driver: Callable[..., Any], spec: InstrumentSpec) -> Instrument:
        path = self._backend.sysfs_file(spec.address)
        board = driver(path, self.clock, name=spec.role, options=spec.options)
        self.files.append(board)
        instrument: Instrument = board
        return instrument

    def _open_person(self, driver: Callable[..., Any], spec: InstrumentSpec) -> Instrument:
        operator: Instrument = driver(Terminal(), self.clock, name=spec.role, options=spec.options)
        return operator

    _OPENERS: dict[str, Callable[..., Instrument]] = {  # noqa: RUF012
        "visa": _open_visa,
        "serial": _open_serial,
        "i2c": _open_i2c,
        "file": _open_file,
        "person": _open_person,
    }


def open_bench(spec: BenchSpec, stop: StopFlag | None = None, backend: Backend | None = None) -> Bench:
    """Open every session of a bench. Nothing is asked of an instrument yet: see :meth:`Bench.connect`.

    ``backend``: where sessions come from, for a caller that holds one (a world of its own); by default what
    the bench file describes.

    :raises BenchError: when an address cannot be opened; what was opened before is closed again.
    """
    bench, faults = open_what_can_be(spec, stop, backend)
    if faults:
        bench.close()
        raise next(iter(faults.values()))
    return bench


class Opening:
    """A bench that is being opened, one instrument after the other or several at the same time.

    :raises BenchError: when there is nothing to open it over, such as a simulated bench that cannot be made.
    """

    def __init__(self, spec: BenchSpec, stop: StopFlag | None = None, backend: Backend | None = None) -> None:
        self.spec = spec
        self._stop = stop or StopFlag()
        self._io = _Io(backend or bench_backend(spec, self._stop))
        self._instruments: dict[str, Instrument] = {}

    @property
    def own_roles(self) -> tuple[str, ...]:
        """Roles with an instrument of their own, in the bench file's order."""
        return tuple(role for role, part in self.spec.instruments.items() if not part.shared_with)

    @property
    def in_lockstep(self) -> bool:
        """Whether bench time moves only when somebody waits, and then for all: on a served bench that does
        not follow the wall clock."""
        return bool(getattr(self._io.clock, "in_lockstep", False))

    def open(self, role: str) -> Instrument:
        """Open the instrument of one of :attr:`own_roles`. Nothing is asked of it. May be called by several
        threads, each for a role of its own.

        :raises BenchError: when it cannot be opened.
        """
        instrument = self._io.instrument(self.spec.instruments[role])
        self._instruments[role] = instrument
        return instrument

    def bench(self, *, without: Collection[str] = ()) -> Bench:
        """The bench with what is open, but for the roles ``without``. Closing it closes these too."""
        opened = {role: self._instruments[role] for role in self.own_roles if role in self._instruments}
        for role, part in self.spec.instruments.items():
            if part.shared_with in opened:
                opened[role] = opened[part.shared_with]
        left_out = {*without, *(r for r, p in self.spec.instruments.items() if p.shared_with in without)}
        ordered = {
            role: opened[role] for role in self.spec.instruments if role in opened and role not in left_out
        }
        return Bench(self.spec, self._io, self._stop, ordered)


def open_what_can_be(
    spec: BenchSpec, stop: StopFlag | None = None, backend: Backend | None = None
) -> tuple[Bench, dict[str, BenchError]]:
    """Open a bench as far as it goes; also returns why some roles could not be opened."""
    opening = Opening(spec, stop, backend)
    faults: dict[str, BenchError] = {}
    for role in opening.own_roles:
        try:
            opening.open(role)
        except BenchError as fault:
            faults[role] = fault
    return opening.bench(), faults


def open_served_module(address: str, stop: StopFlag | None = None) -> tuple[SmbusLike, ModulePins, Clock]:
    """Bus, pins and clock of a simulated module that is served on a socket (``HOST:PORT/SLOT``).

    :raises ValueError: for an address that is none.
    :raises BenchError: when no such server, or no such slot, is there.
    """
    from harness.simulation.served.client import open_served

    return open_served(address, stop)


def bench_backend(spec: BenchSpec, stop: StopFlag) -> Backend:
    """Where a bench file's sessions come from: the lab's libraries, or a simulated world behind them.

    :raises BenchError: when a simulated bench cannot be made.
    """
    if spec.simulation is None:
        return LabBackend(spec, stop)
    # At call time: a lab's bench needs none of the simulation.
    from harness.simulation.bench import SimulatedBackend

    return SimulatedBackend(spec, spec.simulation, stop)
