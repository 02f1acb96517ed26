"""The server of a bench: one thread, one selector, every instrument of one world.

Two things move the world. With ``speed`` it follows the wall clock. In lockstep (``speed`` None) it stands
still, but for two reasons: a client on the control channel asks for time to pass (its ``Clock.sleep``), or an
instrument owes a client a reply, and then time goes on to when the reply is ready. Before time moves, all
that has arrived is taken in: what a client sent first happens first, whichever way it went.

The control channel is the module's: slot n of the module protocol is the n-th host board of the bench, and
its clock operation is the world's. Faults are begun and ended there, too (:mod:`.run_time_faults`).
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drivers.catalogue import DRIVERS
from drivers.clock import StopFlag
from drivers.errors import BenchError
from drivers.serial_address import SerialAddress
from harness.bench_file.reading import BenchSpec, InstrumentSpec
from harness.simulation.bench import SimulatedBackend
from harness.simulation.served import protocol
from harness.simulation.served.gate import Gate
from harness.simulation.served.pace import WallPace, advance_for
from harness.simulation.served.protocol import ListedModule
from harness.simulation.served.server import ModuleServer
from harness.simulation.served.slot import BoardOnABus, ServedSlot
from harness.simulation.served.threaded import ThreadedServer
from harness.simulation.serving.channels import Channel, LineChannel, SocketChannel
from harness.simulation.serving.hislip import HislipConnection, HislipDevice
from harness.simulation.serving.run_time_faults import FaultDesk
from harness.simulation.smbus import BITRATE_HZ
from harness.simulation.visa import Peer
from harness.simulation.world import ns_from_s

__all__ = ["REPLY_LIMIT_S", "BenchServer", "ServedInstrument"]

REPLY_LIMIT_S = 60.0
"""World time that a reply may take in lockstep, unless told otherwise."""

_TICK_S = 0.05
_BUDGET_S = 0.02  # of processor time for time to pass, before clients have their turn
_MOST_CHANNELS = 512
_MOST_PASSES = 8  # of reading before time moves: no client can keep it from moving

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedInstrument:
    """Where an instrument is: ``addresses`` by way (``socket``, ``hislip``, ``line``, ``i2c``), each as a
    bench file writes it; ``usual`` is the way nearest to that of its own bench file."""

    role: str
    driver: str
    addresses: dict[str, str]
    usual: str


class BenchServer(ThreadedServer):
    """A simulated bench on sockets. ``with BenchServer(spec) as server`` serves it in a thread.

    ``speed``: world seconds per second of the wall clock; None: lockstep. ``listen``: this machine's address
    (IPv4) or name to listen at. ``reply_limit_s``: in lockstep, world time that a reply may take; what would
    come later is not waited for, and its client runs into its own time-out. Public attributes: ``backend``
    (whoever uses it holds ``backend.world.lock``), ``instruments`` in the bench file's order, ``control``:
    the control channel's address.

    :raises ValueError: for an address that cannot be listened at in this way.
    :raises BenchError: when the bench is not simulated, or cannot be made.
    :raises OSError: when the address cannot be bound.
    """

    def __init__(
        self,
        spec: BenchSpec,
        *,
        listen: str = "127.0.0.1",
        speed: float | None = None,
        reply_limit_s: float = REPLY_LIMIT_S,
    ) -> None:
        if spec.simulation is None:
            raise BenchError(f"{spec.path.name} is no simulated bench: there is nothing to serve")
        if not listen or ":" in listen:
            raise ValueError(f"{listen!a}: listen at an IPv4 address or a name of this machine, without port")
        self.speed = speed
        self._host = listen
        self._reply_limit_ns = ns_from_s(reply_limit_s)
        bitrate_hz = BITRATE_HZ if speed is None else None
        self.backend = SimulatedBackend(spec, spec.simulation, StopFlag(), bitrate_hz=bitrate_hz)
        self._world = self.backend.world
        self._pace = None if speed is None else WallPace(self._world, speed)
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Any, int] = {}
        self._channels: list[Channel] = []
        self._devices: list[HislipDevice] = []
        self._gates: list[Gate] = []
        self._busy = False
        super().__init__("simulated bench")
        with contextlib.ExitStack() as stack:
            self._closing = stack
            stack.callback(self.backend.close)
            stack.callback(self._selector.close)
            stack.callback(self._close_channels)
            for sock in (self._waker, self._woken):
                stack.callback(sock.close)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._modules = self._serve_boards(spec)
            stack.callback(self._modules.close)
            self._selector.register(self._modules, selectors.EVENT_READ)
            self.control = str(self._modules.address)
            self.instruments = tuple(
                self._serve(part)
                for part in spec.instruments.values()
                if not part.shared_with and DRIVERS[part.driver].transport != "person"
            )
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Stop, and close all connections."""
        if self._end():
            self._closing.close()

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine can reach it."""
        return self._modules.address.is_local  # as it was bound, whatever name it was told

    # -- placing -----------------------------------------------------------------------------------

    def _serve_boards(self, spec: BenchSpec) -> ModuleServer:
        backend, desk = self.backend, FaultDesk(spec, self.backend)
        slots = [
            ServedSlot(
                self._world,
                BoardOnABus(backend.smbus(spec.instruments[role].address), board, backend.pins[role]),
                self._pace,
                ListedModule(backend.modules[role].profile.name, backend.modules[role].profile.media_lanes),
                before=self._take_in,
                more={protocol.FAULTS: desk.answer},
            )
            for role, board in backend.boards.items()
        ]
        return ModuleServer(slots, f"{self._host}:0")

    def _serve(self, part: InstrumentSpec) -> ServedInstrument:
        transport = DRIVERS[part.driver].transport
        if transport == "i2c":
            slot = list(self.backend.boards).index(part.role)
            address = f"sim:{self._reachable(self._modules.address.port, '{host}:{port}')}/{slot}"
            return ServedInstrument(part.role, part.driver, {"i2c": address}, "i2c")
        peer = self.backend.peers[part.role]
        if transport == "serial":
            return self._serve_line(part, peer)
        addresses = {"socket": self._listen_raw(peer, "TCPIP0::{host}::{port}::SOCKET")}
        usual = "socket"
        if "::INST0" in part.address.upper() or "::HISLIP" in part.address.upper():
            addresses["hislip"] = self._listen_hislip(peer)
            usual = "hislip"
        return ServedInstrument(part.role, part.driver, addresses, usual)

    def _serve_line(self, part: InstrumentSpec, peer: Peer) -> ServedInstrument:
        line = SerialAddress.parse(part.address)
        if line.baud is None:
            address = self._listen_raw(peer, "socket://{host}:{port}")
            return ServedInstrument(part.role, part.driver, {"socket": address}, "socket")
        channel = LineChannel(self._world, peer, line, bits_take_time=self._pace is None)
        self._channels.append(channel)
        address = f"serial:{channel.path}?{part.address.partition('?')[2]}"
        return ServedInstrument(part.role, part.driver, {"line": address}, "line")

    def _listen_raw(self, peer: Peer, form: str) -> str:
        return self._listen(lambda sock: SocketChannel(self._world, peer, sock), form)

    def _listen_hislip(self, peer: Peer) -> str:
        device = HislipDevice(self._world, peer)
        self._devices.append(device)
        return self._listen(
            lambda sock: HislipConnection(device, sock), "TCPIP0::{host}::hislip0,{port}::INSTR"
        )

    def _listen(self, accepted: Callable[[socket.socket], Channel], form: str) -> str:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._closing.callback(listener.close)
        listener.bind((self._host, 0))
        listener.listen(128)
        self._gates.append(Gate(listener, self._selector, accepted))
        return self._reachable(listener.getsockname()[1], form)

    def _reachable(self, port: int, form: str) -> str:
        return form.format(host="127.0.0.1" if self._host == "0.0.0.0" else self._host, port=port)  # noqa: S104

    # -- one round ---------------------------------------------------------------------------------

    def round(self) -> None:
        """Take in, let time pass, give out; waits until there is something to do."""
        self._watch()
        for gate in self._gates:
            gate.open_again()
        self._selector.select(self._idle_s())
        with contextlib.suppress(OSError):
            self._woken.recv(64)
        self._take_in()
        self._modules.round(wait=False)
        self._let_time_pass()
        for device in self._devices:
            device.answer_waiting()
        self._give_out()

    def _idle_s(self) -> float | None:
        """How long nothing has to be done unless something comes in; None: for ever."""
        if self._busy or self._modules.busy:
            return 0.0
        waits = [wait_s for device in self._devices if (wait_s := device.wakes_in_s()) is not None]
        rests = (self._modules.rests_for_s(), *(gate.opens_in_s() for gate in self._gates))
        waits += [rest_s for rest_s in rests if rest_s is not None]
        if self._pace is not None:
            waits.append(_TICK_S)
            now_ns = self._world.now_ns
            for channel in self._channels:
                due_ns = channel.connection.next_event_ns()
                if due_ns is not None:
                    waits.append(max(0.0, (due_ns - now_ns) * 1e-9 / self._pace.speed))
        return min(waits) if waits else None

    def _take_in(self) -> None:
        """Take in all that has arrived: also called before time moves by request."""
        for _ in range(_MOST_PASSES):
            came = False
            for key, events in self._selector.select(0):
                if isinstance(key.fileobj, Gate):
                    came |= self._accept(key.fileobj)
                elif isinstance(key.fileobj, Channel) and events & selectors.EVENT_READ:
                    came = True
                    if key.fileobj.closed:
                        continue
                    self._with(key.fileobj, key.fileobj.take_in)
            if not came:
                return
            self._watch()

    def _accept(self, gate: Gate) -> bool:
        sock = gate.accept()
        if sock is None:
            return False
        if len(self._channels) >= _MOST_CHANNELS:
            _log.warning("%d clients are connected: another one is refused", len(self._channels))
            sock.close()
            return True
        with contextlib.suppress(OSError):  # it has gone again, as reading will show
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._world.lock:
            self._channels.append(gate.welcome(sock))
        return True

    def _let_time_pass(self) -> None:
        """With the wall clock: up to the present. In lockstep: as long as somebody waits for a reply."""
        self._busy = False
        world = self._world
        try:
            with world.lock:
                if self._pace is not None:
                    self._pace.catch_up(_BUDGET_S, lose=True)
                    return
                end_s = time.perf_counter() + _BUDGET_S
                while (due_ns := self._next_due_ns()) is not None:
                    left_s = end_s - time.perf_counter()
                    if left_s <= 0.0 or not advance_for(world, due_ns, left_s):
                        self._busy = True
                        return
        except Exception:
            _log.exception("the simulation failed")

    def _next_due_ns(self) -> int | None:
        """When the first reply that is waited for goes on."""
        due = [channel.due_ns(self._reply_limit_ns) for channel in self._channels]
        return min((due_ns for due_ns in due if due_ns is not None), default=None)

    def _give_out(self) -> None:
        for channel in tuple(self._channels):
            if not channel.closed:
                self._with(channel, channel.give_out)
        self._watch()
        # Giving out may let in what a lock had kept out.
        if self._pace is None and self._next_due_ns() is not None:
            self._busy = True

    def _with(self, channel: Channel, action: Callable[[], None]) -> None:
        """Do something for a client; what goes wrong ends its connection alone."""
        try:
            with self._world.lock:
                action()
        except Exception:
            _log.exception("a connection failed")
            with self._world.lock:
                channel.close()

    def _watch(self) -> None:
        """Watch each channel for what it waits for, and forget those that are closed."""
        for channel in tuple(self._channels):
            wanted = 0
            if not channel.closed:
                wanted = selectors.EVENT_READ if channel.wants_to_read else 0
                wanted |= selectors.EVENT_WRITE if channel.wants_to_write else 0
            before = self._watched.get(channel, 0)
            if wanted != before:
                self._change(channel, before, wanted)
            if channel.closed:
                self._channels.remove(channel)

    def _change(self, channel: Channel, before: int, wanted: int) -> None:
        if before == 0:
            self._selector.register(channel, wanted)
        elif wanted == 0:
            self._selector.unregister(channel)
        else:
            self._selector.modify(channel, wanted)
        if wanted:
            self._watched[channel] = wanted
        else:
            self._watched.pop(channel, None)

    def _close_channels(self) -> None:
        with self._world.lock:
            for channel in self._channels:
                channel.close()
