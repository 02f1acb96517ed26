"""A module alone in a slot of a server: in a world of its own, with surroundings that clients set."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.building import build_module
from harness.simulation.module.profile import Profile
from harness.simulation.served import protocol
from harness.simulation.served.pace import WallPace
from harness.simulation.served.pins import PinHub
from harness.simulation.served.protocol import ListedModule, ProtocolError, Quantity
from harness.simulation.served.slot import DONE, BoardOnABus, ServedSlot
from harness.simulation.served.surroundings import ServedSurroundings
from harness.simulation.smbus import BITRATE_HZ, SimulatedI2cBus
from harness.simulation.world import World

PIN_BITS: Mapping[str, int] = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}
"""The board's expander."""

_LONGEST_SERIAL = 16


class ServedModule(ServedSlot):
    """A module of a profile; ``specimen`` says which, as in :class:`SimulatedModule`.

    ``speed``: module seconds per second of the wall clock; None: time moves by request alone.

    Public for those in the same process, who hold ``world.lock`` meanwhile: ``world``, ``module``, ``board``,
    ``bus``, ``surroundings``.
    """

    def __init__(
        self, profile: Profile, *, speed: float | None = 1.0, seed: int = 1, specimen: int = 0
    ) -> None:
        self.profile = profile
        world = World(seed)
        self.surroundings = ServedSurroundings(world, profile)
        self.module = build_module(
            world,
            profile,
            self.surroundings,
            host=self.surroundings,
            name=f"specimen {specimen}",
            specimen=specimen,
        )
        pins = PinHub(self.module)
        # With the wall clock a transfer takes what its connection takes.
        bus = SimulatedI2cBus(world, BITRATE_HZ if speed is None else None)
        board = SimulatedHostBoard(world, bus, pins, PIN_BITS)
        # The board's wish; who drives the pins by requests need not care for ModSelL.
        pins.set_selected(asserted=True)
        self.surroundings.connect(self.module)
        super().__init__(
            world,
            BoardOnABus(bus, board, pins),
            None if speed is None else WallPace(world, speed),
            ListedModule(profile.name, profile.media_lanes),
        )
        self._operations[protocol.SURROUND] = self._surround
        self._operations[protocol.LIGHT_OUT] = self._light_out

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
        return DONE

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
        return DONE + protocol.POWER.pack(power_w)


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
