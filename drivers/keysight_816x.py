"""Keysight (Agilent, HP) 8163A/B and 8164A/B mainframes with power sensor modules, as one power meter.

Never run on hardware by this project. Over GPIB; the mainframes' RS-232 is not built. From the programming
guide of the 8163A/B, 8164A/B and 8166A/B (in editions of both makers' names): slots from 1 to 2 and from 0 to
4, where 0 holds no power sensor and is meant when no slot is said; ``:SLOT[n]:EMPTy?`` and ``:IDN?``;
``:READ[n][:CHANnel[m]]:POWer?``, ``:FETCh``; ``:READ[n]:POWer:ALL?`` and ``:ALL:CONFig?`` from firmware 3.0
on: little-endian float32, always in watts, in the order of slots and channels, where masters of dual sensors
are read (triggered) and their slaves fetched; ``:SENSe[n][:CHANnel[m]]:POWer:UNIT``, ``:WAVelength`` with MIN
and MAX, ``:ATIMe``, ``:RANGe:AUTO``, ``:INITiate``, zeroing. Of a dual sensor, ``ATIMe``, ``RANGe:AUTO``,
``INITiate`` and zeroing go to the master, channel 1, and hold for both. Uncertain: that a slave's reading
cannot be triggered by itself (it is fetched, which is right in either case), which value of the zeroing query
means success (0 is assumed) and whether ``*OPC`` waits for it, whether ``:ALL?`` reads modules at once or one
after the other (time is left for the latter), and that 3.40282E+038 stands for too much light and its
negative for too little (the guide has FLT_MAX for what went wrong with 8153A modules). The modules' power
ranges and averaging times are from memory and public drivers: check before relying on them.

Four channels of power take one round trip by the block. Without it (older firmware, option
``block_reading = false``) they take one for each channel, and the averaging times of all modules one after
the other: four channels on two dual sensors are four round trips and two averaging times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import BenchError, InstrumentError, OutOfRangeError, UnsupportedError
from drivers.interfaces import Identity
from drivers.keysight_power_tree import KeysightPowerMeter
from drivers.scpi import ScpiSession, option

__all__ = ["SENSOR_MODULES", "Keysight8163", "Keysight8164", "Sensor", "SensorModule"]

_LONGEST_WAVELENGTH_NM = 20_000.0
_SENSOR = re.compile(r"([1-9])\.([12])")
_MASTER = 1


@dataclass(frozen=True, slots=True)
class SensorModule:
    """What a module with power sensors has: ``channels``, the lowest and highest power that it measures
    (dBm), and a power that it does not survive (W)."""

    channels: int
    range_dbm: tuple[float, float]
    implausible_w: float = 0.1


SENSOR_MODULES: Mapping[str, SensorModule] = {
    "81630B": SensorModule(1, (-70.0, 28.0), 2.0),
    "81632A": SensorModule(1, (-80.0, 10.0)),
    "81632B": SensorModule(1, (-80.0, 10.0)),
    "81633A": SensorModule(1, (-90.0, 10.0)),
    "81633B": SensorModule(1, (-90.0, 10.0)),
    "81634A": SensorModule(1, (-110.0, 10.0)),
    "81634B": SensorModule(1, (-110.0, 10.0)),
    "81635A": SensorModule(2, (-80.0, 10.0)),
    "81635B": SensorModule(2, (-80.0, 10.0)),
    "81636B": SensorModule(1, (-80.0, 10.0)),
    "81637B": SensorModule(1, (-80.0, 10.0)),
}
"""By model. Interfaces for optical heads (81618A, 81619A) are not built: their sensors have other limits."""
_ANY_RANGE_DBM = (
    max(module.range_dbm[0] for module in SENSOR_MODULES.values()),
    min(module.range_dbm[1] for module in SENSOR_MODULES.values()),
)


@dataclass(frozen=True, slots=True)
class Sensor:
    """One power sensor: where it is, the module that it is in, and the wavelengths (nm) that it says it is
    calibrated for."""

    slot: int
    channel: int
    module: Identity
    wavelengths_nm: tuple[float, float]


class _Mainframe(KeysightPowerMeter):
    """A mainframe whose sensors are the role's channels. Lasers and attenuators in it are left alone.

    Options: ``sensors`` (default: all that it has, in the order of slots and channels): the ``slot.channel``
    of the role's channels 1, 2, ..., such as ``["1.1", "1.2", "2.1"]``; ``block_reading``.
    """

    slots: ClassVar[tuple[int, ...]]
    """Those that can hold power sensors."""
    averaging_range_s: ClassVar[tuple[float, float]] = (100e-6, 10.0)

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        no_sensors: list[object] = []
        stated = option(self._options, "sensors", no_sensors, instrument=name)
        self._stated = tuple(self._slot_and_channel(text) for text in stated)
        if len(set(self._stated)) < len(self._stated):
            raise BenchError(f"{name}: bench file option 'sensors' has one of them twice: {stated!r}")
        self._places = self._stated
        self._sensors: tuple[Sensor, ...] = ()

    def _slot_and_channel(self, text: object) -> tuple[int, int]:
        match = _SENSOR.fullmatch(text) if isinstance(text, str) else None
        if match is None or int(match[1]) not in self.slots:
            raise BenchError(
                f"{self._name}: bench file option 'sensors' has {text!r}; write slot.channel, such as "
                f'"1.2", with slots {self.slots[0]} to {self.slots[-1]} and channels 1 and 2'
            )
        return int(match[1]), int(match[2])

    @property
    def channels(self) -> tuple[int, ...]:
        """From 1 on: the sensors of the bench file, else those that :meth:`connect` found; none before."""
        return tuple(range(1, len(self._places) + 1))

    @property
    def range_dbm(self) -> tuple[float, float]:
        """Lowest and highest power that all its sensors measure, dBm; before :meth:`connect`, that all
        models do. Data sheets, from memory: check before relying on it."""
        if not self._sensors:
            return _ANY_RANGE_DBM
        ranges = [SENSOR_MODULES[sensor.module.model].range_dbm for sensor in self._sensors]
        return max(low for low, _ in ranges), min(high for _, high in ranges)

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The sensors of channels 1, 2, ..., found by :meth:`connect`. Their modules have serial numbers
        and calibrations of their own.

        :raises InstrumentError: before that.
        """
        if not self._sensors:
            raise InstrumentError(self._name, "it is not connected", advice="Call connect() first.")
        return self._sensors

    def place_of(self, channel: int) -> str:
        """Slot and channel, as its commands have them.

        :raises OutOfRangeError: when there is no such channel, or it is not connected and the bench file
            says nothing of sensors.
        """
        if channel in self.channels:
            return _place(*self._places[channel - 1])
        if not self._places:
            raise OutOfRangeError(
                self._name,
                f"its sensors are not known yet, and so no port {channel}",
                advice="Call connect() first.",
            )
        raise self._no_channel(channel)

    def connect(self) -> Identity:
        """Probe, check the model, clear the status, look which sensors are in its slots and what they are
        calibrated for, and ask for the order of the block that reads all, and for averaging times.

        :raises WrongIdentityError: when another model answers.
        :raises UnsupportedError: when there is no power sensor that it knows.
        :raises InstrumentError: when a sensor of the bench file is not there.
        :raises NoReplyError: when its firmware does not know the block; see option ``block_reading``.
        :raises GarbledReplyError: when the block has not every sensor once.
        """
        self._configured.clear()
        self._averaging_of.clear()
        self._sensors = ()
        identity = super().connect()
        modules = self._look_into_slots()
        places = self._stated or tuple(
            (slot, channel)
            for slot, module in modules.items()
            for channel in range(1, SENSOR_MODULES[module.model].channels + 1)
        )
        sensors = tuple(self._sensor(slot, channel, modules[slot]) for slot, channel in places)
        self._places = places
        read = {_place(slot, _MASTER) for slot, _ in places}
        if self._block_reading:
            pairs = self._ask_block_pairs()
            if len(set(pairs)) < len(pairs) or not set(places) <= set(pairs):
                raise self._no_order("every sensor", pairs)
            self._block_order = tuple(_place(*pair) for pair in pairs)
            # Sensors that nobody asked for are read with the rest.
            read |= {_place(slot, _MASTER) for slot, _ in pairs}
        self._ask_averaging(sorted(read))
        self._sensors = sensors
        return identity

    def _look_into_slots(self) -> dict[int, Identity]:
        """The modules with power sensors, by slot: those of the bench file, else all."""
        found: dict[int, Identity] = {}
        others: list[str] = []
        for slot in self.slots:
            stated = [channel for at, channel in self._stated if at == slot]
            if self._stated and not stated:
                continue
            if self._session.query(f":SLOT{slot}:EMPT?").boolean():
                if stated:
                    raise InstrumentError(
                        self._name,
                        f"slot {slot} is empty",
                        command=f":SLOT{slot}:EMPT?",
                        advice="Check the option sensors in the bench file.",
                    )
                continue
            module = self._session.query(f":SLOT{slot}:IDN?").identity()
            known = SENSOR_MODULES.get(module.model)
            if known is not None and all(channel <= known.channels for channel in stated):
                found[slot] = module
            elif stated:
                raise UnsupportedError(
                    self._name,
                    f"the {module.vendor} {module.model} in slot {slot} has no channel {max(stated)} that "
                    "measures power, or is not known",
                    command=f":SLOT{slot}:IDN?",
                    advice=f"Known are {', '.join(SENSOR_MODULES)}. Check the option sensors.",
                )
            else:
                others.append(f"{module.model} in slot {slot}")
        if not found:
            raise UnsupportedError(
                self._name,
                f"it has no power sensor that is known{'; there is: ' if others else ''}{', '.join(others)}",
                advice=f"Known are {', '.join(SENSOR_MODULES)}.",
            )
        return found

    def _sensor(self, slot: int, channel: int, module: Identity) -> Sensor:
        query = f":SENS{_place(slot, channel)}:POW:WAV?"
        low_nm = round(self._session.query(f"{query} MIN").real() * 1e9, 3)
        reply = self._session.query(f"{query} MAX")
        high_nm = round(reply.real() * 1e9, 3)
        if not 0.0 < low_nm < high_nm <= _LONGEST_WAVELENGTH_NM:
            raise reply.garbled(f"no upper limit to {low_nm:g} nm")
        return Sensor(slot, channel, module, (low_nm, high_nm))

    # -- for the tree ------------------------------------------------------------------------------

    def _sensor_of(self, channel: int) -> Sensor:
        return self.sensors[channel - 1]

    def _wavelength_range_of(self, channel: int) -> tuple[float, float]:
        return self._sensor_of(channel).wavelengths_nm

    def _module_of(self, channel: int) -> str:
        self.place_of(channel)
        return _place(self._places[channel - 1][0], _MASTER)

    def _called(self, channel: int) -> str:
        slot, channel_in_slot = self._places[channel - 1]
        return f"port {channel} (sensor {slot}.{channel_in_slot})"

    def _highest_dbm(self, channel: int) -> float:
        return SENSOR_MODULES[self._sensor_of(channel).module.model].range_dbm[1]

    def _implausible_w(self, channel: int) -> float:
        return SENSOR_MODULES[self._sensor_of(channel).module.model].implausible_w

    def _block_query(self) -> str:
        # Without a slot an 8164 takes slot 0, where a laser is, or nothing.
        return f":READ{self._places[0][0]}:POW:ALL"

    def _together_s(self, averagings_s: Iterable[float]) -> float:
        """Whether they measure at once is not known: no less than one after the other."""
        return sum(averagings_s)


class Keysight8163(_Mainframe):
    """Keysight 8163B (or 8163A): two slots. Never run on hardware by this project."""

    model_pattern = r"(?:HP ?)?8163[AB]"
    model_shown = "Keysight 8163B"
    slots = (1, 2)


class Keysight8164(_Mainframe):
    """Keysight 8164B (or 8164A): four slots besides the laser's. Never run on hardware by this project."""

    model_pattern = r"(?:HP ?)?8164[AB]"
    model_shown = "Keysight 8164B"
    slots = (1, 2, 3, 4)


def _place(slot: int, channel: int) -> str:
    return f"{slot}:CHAN{channel}"
