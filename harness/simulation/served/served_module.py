"""One slot of a server: a module in a world of its own, its board and bus, and what clients may ask of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.building import build_module
from harness.simulation.module.profile import Profile
from harness.simulation.served import protocol
from harness.simulation.served.pace import WallPace, advance_for
from harness.simulation.served.pins import PinHub
from harness.simulation.served.protocol import Pin, ProtocolError, Quantity, Status
from harness.simulation.served.surroundings import ServedSurroundings
from harness.simulation.smbus import MessageNack, SimulatedI2cBus
from harness.simulation.world import World

BITRATE_HZ = 400_000
"""Of the bus where time is by request; with the wall clock a transfer takes what its connection takes."""

PIN_BITS: Mapping[str, int] = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}
"""The board's expander."""

_LONGEST_SERIAL = 16
_CATCH_UP_S = 0.02  # of processor time that an access spends on what was missed
_DONE = bytes([Status.DONE])


class Wait:
    """A reply that has to wait until the module's time has come to ``target_ns``."""

    def __init__(self, module: ServedModule, target_ns: int) -> None:
        self.module = module
        self._target_ns = target_ns

    @property
    def over(self) -> bool:
        """Whether the module's time has come there, by whomever it was moved."""
        return self.module.world.now_ns >= self._target_ns

    def go_on(self, budget_s: float) -> bytes | None:
        """Let time pass for about ``budget_s`` of processor time; the reply when it has come."""
        module = self.module
        with module.world.lock:
            if not advance_for(module.world, self._target_ns, budget_s):
                return None
            return _DONE + module.times()


class ServedModule:
    """A module of a profile; ``specimen`` says which, as in :class:`SimulatedModule`.

    ``speed``: module seconds per second of the wall clock; None: time moves by request alone.

    Public for those in the same process, who hold ``world.lock`` meanwhile: ``world``, ``module``, ``board``,
    ``bus``, ``surroundings``.
    """

    def __init__(
        self, profile: Profile, *, speed: float | None = 1.0, seed: int = 1, specimen: int = 0
    ) -> None:
        self.profile = profile
        self.world = World(seed)
        self.surroundings = ServedSurroundings(self.world, profile)
        self.module = build_module(
            self.world,
            profile,
            self.surroundings,
            host=self.surroundings,
            name=f"specimen {specimen}",
            specimen=specimen,
        )
        self._pins = PinHub(self.module)
        self.bus = SimulatedI2cBus(self.world, BITRATE_HZ if speed is None else None)
        self.board = SimulatedHostBoard(self.world, self.bus, self._pins, PIN_BITS)
        # The board's wish; who drives the pins by requests need not care for ModSelL.
        self._pins.set_selected(asserted=True)
        self.surroundings.connect(self.module)
        self.speed = speed
        self._pace = None if speed is None else WallPace(self.world, speed)
        self._operations: dict[bytes, Callable[[bytes], bytes | Wait]] = {
            protocol.TRANSFER: self._transfer,
            protocol.PINS_OP: self._drive_pins,
            protocol.CLOCK: self._clock,
            protocol.SURROUND: self._surround,
            protocol.LIGHT_OUT: self._light_out,
        }

    def answer(self, operation: bytes, body: bytes) -> bytes | Wait:
        """The content of the reply to a request, or what has to be waited for.

        :raises ProtocolError: for a request that is refused; the text is for whoever sent it.
        """
        handler = self._operations.get(operation)
        if handler is None:
            raise ProtocolError(f"there is no operation {operation!a}")
        with self.world.lock:
            if self._pace is not None:
                self._pace.catch_up(_CATCH_UP_S, lose=True)
            try:
                return handler(body)
            except struct.error as fault:
                raise ProtocolError(f"operation {operation.decode()} has another body: {fault}") from fault

    def keep_pace(self, budget_s: float) -> bool:
        """Let time pass while nobody asks; whether the module is in the present."""
        if self._pace is None:
            return True
        with self.world.lock:
            return self._pace.catch_up(budget_s, lose=False)

    def times(self) -> bytes:
        """Module time, and what of it was lost, in nanoseconds."""
        return protocol.TIMES.pack(self.world.now_ns, self._pace.lost_ns if self._pace else 0)

    def _transfer(self, body: bytes) -> bytes:
        messages = protocol.decode_transfer(body)
        try:
            return _DONE + b"".join(self.bus.transfer(messages))
        except MessageNack as nack:
            return bytes([Status.NOT_ACKNOWLEDGED, nack.index])

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
        return _DONE + bytes([sum(bit for bit, asserted in found if asserted)])

    def _clock(self, body: bytes) -> bytes | Wait:
        (advance_ns,) = protocol.ADVANCE.unpack(body)
        if not advance_ns:
            return _DONE + self.times()
        if self._pace is not None:
            raise ProtocolError("time follows the wall clock here; only a manual clock can be advanced")
        if advance_ns > protocol.LONGEST_ADVANCE_NS:
            raise ProtocolError(f"{advance_ns} ns at once; an hour is the most")
        return Wait(self, self.world.now_ns + advance_ns)

    def _surround(self, body: bytes) -> bytes:
        quantity, lane, value = protocol.SURROUNDINGS.unpack(body)
        around = self.surroundings
        try:
            if quantity == Quantity.VCC_V:
                around.set_vcc_v(value)
            elif quantity == Quantity.CASE_TEMP_C:
                around.set_case_temp_c(value)
            elif quantity == Quantity.INSERTED:
                self._plug(value)
            elif quantity == Quantity.RX_LIGHT_DBM:
                around.set_light_dbm(lane, value)
            elif quantity == Quantity.RX_LOOPBACK_DB:
                around.set_loopback_db(lane, value)
            else:
                raise ProtocolError(f"there is no quantity {quantity}")
        except ValueError as fault:
            raise ProtocolError(str(fault)) from fault
        return _DONE

    def _plug(self, value: float) -> None:
        if value not in (0.0, 1.0):
            raise ProtocolError(f"inserted is 1 or 0, not {value}")
        self.board.set_inserted(bool(value))
        self.surroundings.set_plugged(bool(value))

    def _light_out(self, body: bytes) -> bytes:
        if len(body) != 1 or not 1 <= body[0] <= self.profile.media_lanes:
            raise ProtocolError(f"light: one byte, the media lane: 1 to {self.profile.media_lanes}")
        power_w = self.module.launch_power_w(body[0])
        assert math.isfinite(power_w)
        return _DONE + protocol.POWER.pack(power_w)


def modules_of(
    profiles: Sequence[Profile], *, speed: float | None = 1.0, seed: int = 1
) -> list[ServedModule]:
    """A module for each profile in turn. Where a profile comes again it is another specimen, and no two have
    the same serial number: it is counted on.
    """
    specimens: Counter[str] = Counter()
    taken: set[str] = set()
    modules = []
    for profile in profiles:
        specimen = specimens[profile.name]
        specimens[profile.name] += 1
        first = profile.identity.serial
        serial = next(
            serial for steps in itertools.count(specimen) if (serial := counted_on(first, steps)) not in taken
        )
        taken.add(serial)
        identity = dataclasses.replace(profile.identity, serial=serial)
        own = dataclasses.replace(profile, identity=identity)
        modules.append(ServedModule(own, speed=speed, seed=seed, specimen=specimen))
    return modules


def counted_on(serial: str, steps: int) -> str:
    """The serial number that comes so many behind this one: the digits at its end are a number.

    A number that grows takes from the characters before it, so that no serial is longer than its register.
    """
    if steps == 0:
        return serial
    match = re.search(r"[0-9]*$", serial)
    digits = match[0] if match else ""
    number = str(int(digits or "0") + steps).zfill(len(digits))[-_LONGEST_SERIAL:]
    return serial[: min(len(serial) - len(digits), _LONGEST_SERIAL - len(number))] + number
