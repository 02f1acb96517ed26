"""One slot of a server: a host board in a world, and what clients may ask of it: bus, pins, time."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.served import protocol
from harness.simulation.served.pace import WallPace, advance_for
from harness.simulation.served.pins import PinHub
from harness.simulation.served.protocol import ListedModule, Pin, ProtocolError, Status
from harness.simulation.smbus import MessageNack, SimulatedI2cBus
from harness.simulation.world import World

__all__ = ["DONE", "BoardOnABus", "ServedSlot", "Wait"]

_CATCH_UP_S = 0.02  # of processor time that an access spends on what was missed
DONE = bytes([Status.DONE])


class Wait:
    """A reply that has to wait until the slot's time has come to ``target_ns``."""

    def __init__(self, slot: ServedSlot, target_ns: int) -> None:
        self.slot = slot
        self._target_ns = target_ns

    @property
    def over(self) -> bool:
        """Whether the slot's time has come there, by whomever it was moved."""
        return self.slot.world.now_ns >= self._target_ns

    def go_on(self, budget_s: float) -> bytes | None:
        """Let time pass for about ``budget_s`` of processor time; the reply when it has come."""
        slot = self.slot
        slot.before()
        with slot.world.lock:
            if not advance_for(slot.world, self._target_ns, budget_s):
                return None
            return DONE + slot.times()


class BoardOnABus(NamedTuple):
    """A host board with the bus it sits on and the module's pins."""

    bus: SimulatedI2cBus
    board: SimulatedHostBoard
    pins: PinHub


class ServedSlot:
    """A board with a module in ``world``.

    ``pace``: how the world follows the wall clock; None: time moves by request alone. ``before``: called
    before anything is done and before time moves, for a server that has to take in first what was sent to
    others in the same world. ``listed``: what the greeting says of the slot. ``more``: operations that go
    beyond a module, each from the request's body to the reply; a ``ProtocolError`` refuses.
    """

    def __init__(
        self,
        world: World,
        place: BoardOnABus,
        pace: WallPace | None,
        listed: ListedModule,
        *,
        before: Callable[[], None] = lambda: None,
        more: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType({}),
    ) -> None:
        self.world = world
        self.bus = place.bus
        self.board = place.board
        self.listed = listed
        self.before = before
        self.pace = pace
        self._pins = place.pins
        self._operations: dict[bytes, Callable[[bytes], bytes | Wait]] = {
            protocol.TRANSFER: self._transfer,
            protocol.PINS_OP: self._drive_pins,
            protocol.CLOCK: self._clock,
            **more,
        }

    @property
    def speed(self) -> float | None:
        """The slot's seconds per second of the wall clock; None: by request."""
        return None if self.pace is None else self.pace.speed

    def answer(self, operation: bytes, body: bytes) -> bytes | Wait:
        """The content of the reply to a request, or what has to be waited for.

        :raises ProtocolError: for a request that is refused; the text is for whoever sent it.
        """
        handler = self._operations.get(operation)
        if handler is None:
            raise ProtocolError(f"there is no operation {operation!a}")
        self.before()
        with self.world.lock:
            if self.pace is not None:
                self.pace.catch_up(_CATCH_UP_S, lose=True)
            try:
                return handler(body)
            except struct.error as fault:
                raise ProtocolError(f"operation {operation.decode()} has another body: {fault}") from fault

    def keep_pace(self, budget_s: float) -> bool:
        """Let time pass while nobody asks; whether the slot is in the present."""
        if self.pace is None:
            return True
        with self.world.lock:
            return self.pace.catch_up(budget_s, lose=False)

    def times(self) -> bytes:
        """The world's time, and what of it was lost, in nanoseconds."""
        return protocol.TIMES.pack(self.world.now_ns, self.pace.lost_ns if self.pace else 0)

    def _transfer(self, body: bytes) -> bytes:
        messages = protocol.decode_transfer(body)
        try:
            return DONE + b"".join(self.bus.transfer(messages))
        except MessageNack as nack:
            return bytes([Status.NOT_ACKNOWLEDGED, nack.index])
        except OSError as fault:
            name = errno.errorcode.get(fault.errno or 0, "EIO")
            return bytes([Status.BUS_FAILED]) + name.encode("ascii")

    def _drive_pins(self, body: bytes) -> bytes:
        mask, values = protocol.PINS.unpack(body)
        if mask & ~protocol.HOST_PINS:
            raise ProtocolError(f"pins {mask:#04x}: a host drives ResetL 1, LPMode 2 and ModSelL 4 only")
        pins = self._pins
        for bit, drive in (
            (Pin.MODSEL_L, pins.set_selected),
            (Pin.LPMODE, pins.set_low_power),
            (Pin.RESET_L, pins.set_reset),
        ):
            if mask & bit:
                drive(asserted=bool(values & bit))
        inserted = self.board.inserted
        found = (
            (Pin.RESET_L, pins.reset_asserted),
            (Pin.LPMODE, pins.low_power_asserted),
            (Pin.MODSEL_L, pins.selected),
            (Pin.MODPRS_L, inserted),
            (Pin.INT_L, inserted and pins.interrupt_asserted()),
        )
        return DONE + bytes([sum(bit for bit, asserted in found if asserted)])

    def _clock(self, body: bytes) -> bytes | Wait:
        (advance_ns,) = protocol.ADVANCE.unpack(body)
        if not advance_ns:
            return DONE + self.times()
        if self.pace is not None:
            raise ProtocolError("time follows the wall clock here; only a manual clock can be advanced")
        if advance_ns > protocol.LONGEST_ADVANCE_NS:
            raise ProtocolError(f"{advance_ns} ns at once; an hour is the most")
        return Wait(self, self.world.now_ns + advance_ns)
