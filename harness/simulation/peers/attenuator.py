"""Simulated Keysight N7761A / N7762A / N7764A variable optical attenuator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import Call, ScpiError, ScpiPeer
from harness.simulation.world import Event, World

__all__ = ["AttenuatorPeer"]

_HIGHEST_DB = 45.0
_OFFSET_DB = 200.0
_WAVELENGTH_M = (1260e-9, 1640e-9, 1550e-9)  # lowest, highest, preset
_SPEED_DB_S = (0.1, 1000.0, 1000.0)
_SHUTTER_S = 0.05
_MOST_STEPS_OF_A_MOVE = 20
_STEP_OF_A_MOVE_S = 5e-3
_RESOLUTION_DB = 0.001
_RIPPLE_PERIOD_DB = (7.0, 13.0)
_LONGER_WAVELENGTH_PER_NM = 2e-4  # relative, of the attenuation: a filter calibrated for another wavelength


@dataclass
class _Channel:
    number: int
    slot: int
    slope_db: float  # true less set, at the highest attenuation
    ripple_db: float
    ripple_period_db: float
    filter_db: float = 0.0  # what the filter is told
    now_db: float = 0.0  # where it is on its way there
    offset_db: float = 0.0
    wavelength_m: float = _WAVELENGTH_M[2]
    speed_db_s: float = _SPEED_DB_S[2]
    open_: bool = False
    opens_at_power_on: bool = False
    power_control: bool = False
    power_dbm: float = 0.0
    unit_is_w: bool = False
    moves: int = 0
    moving: Event | None = field(default=None, repr=False)

    def error_db(self, filter_db: float) -> float:
        """True attenuation less ``filter_db``, at the wavelength set: 0 at 0 dB."""
        ripple = math.sin(2.0 * math.pi * filter_db / self.ripple_period_db)
        return self.slope_db * filter_db / _HIGHEST_DB + self.ripple_db * ripple


class AttenuatorPeer(ScpiPeer):
    """Attenuators in the fibres of ``role``: its port is the channel's number, from 1 on; ``slots`` are what
    the commands call them (``[1, 3, 5, 7]``).

    ``accuracy_db``: the largest error of a channel's attenuation against 0 dB (each draws a slope and a
    ripple within it); ``repeatability_db``: standard deviation of a setting against the same one before.
    Both are guesses at a data sheet. A filter slews at the speed set, in steps; a shutter takes 50 ms, and
    is closed at power-on. The attenuation set is the filter's and the offset together. Power control holds
    the output power as it is when it is entered, from the light that arrives then; setting an attenuation
    leaves it. The error of a wavelength set wrong is that of the light there when the filter moved. Left
    out: the built-in power monitor (-113), and offsets by wavelength.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        model: str = "N7764A",
        serial: str = "SIM0005",
        slots: tuple[int, ...] = (1, 3, 5, 7),
        accuracy_db: float = 0.1,
        repeatability_db: float = 0.005,
    ) -> None:
        super().__init__(world, role=role, identity=f"Keysight Technologies,{model},{serial},V1.20 simulated")
        self._fibres = fibres
        self._serial = serial
        self._repeatability_db = repeatability_db
        self._channels = {
            slot: self._drawn(number, slot, accuracy_db) for number, slot in enumerate(slots, start=1)
        }
        self._declare()
        for channel in self._channels.values():
            self._fibres.set_shutter(self.role, channel.number, open_=False)
            self._show(channel)

    def reset(self) -> None:
        """``*RST``: no attenuation, offset or power control, shutters closed."""
        for channel in self._channels.values():
            channel.offset_db, channel.power_control, channel.unit_is_w = 0.0, False, False
            channel.wavelength_m, channel.speed_db_s = _WAVELENGTH_M[2], _SPEED_DB_S[2]
            self._move(channel, 0.0)
            self._shut(channel, open_=False)

    def _drawn(self, number: int, slot: int, accuracy_db: float) -> _Channel:
        def draw(what: str) -> float:
            return self.world.noise.uniform(self.role, self._serial, number, what)

        low_db, high_db = _RIPPLE_PERIOD_DB
        return _Channel(
            number,
            slot,
            slope_db=0.5 * accuracy_db * (2.0 * draw("slope") - 1.0),
            ripple_db=0.5 * accuracy_db * (2.0 * draw("ripple") - 1.0),
            ripple_period_db=low_db + (high_db - low_db) * draw("period"),
        )

    def _declare(self) -> None:
        attenuation, output = "INPut#[:CHANnel#]", "OUTPut#[:CHANnel#]"
        self.query(f"{attenuation}:ATTenuation", self._attenuation)
        self.setting(f"{attenuation}:ATTenuation", self._set_attenuation)
        self.query(f"{attenuation}:OFFSet", lambda call: _nr3(self._channel(call).offset_db))
        self.setting(f"{attenuation}:OFFSet", self._set_offset)
        self.query(f"{attenuation}:WAVelength", self._wavelength)
        self.setting(f"{attenuation}:WAVelength", self._set_wavelength)
        self.query(f"{attenuation}:ATTenuation:SPEed", lambda call: _nr3(self._channel(call).speed_db_s))
        self.setting(f"{attenuation}:ATTenuation:SPEed", self._set_speed)
        self.query(f"{output}[:STATe]", lambda call: f"{int(self._channel(call).open_):+d}")
        self.setting(f"{output}[:STATe]", self._set_shutter)
        self.query(f"{output}[:STATe]:APOWeron", lambda call: f"{int(self._channel(call).opens_at_power_on)}")
        self.setting(f"{output}[:STATe]:APOWeron", self._set_at_power_on)
        self.query(f"{output}:POWer", self._power)
        self.setting(f"{output}:POWer", self._set_power)
        self.query(f"{output}:POWer:UNit", lambda call: f"{int(self._channel(call).unit_is_w):+d}")
        self.setting(f"{output}:POWer:UNit", self._set_unit)
        self.query(f"{output}:POWer:CONTRol", lambda call: f"{int(self._channel(call).power_control):+d}")
        self.setting(f"{output}:POWer:CONTRol", self._set_power_control)

    # -- light -------------------------------------------------------------------------------------

    def _move(self, channel: _Channel, filter_db: float) -> None:
        """Start towards ``filter_db``; ``*OPC`` waits for the end."""
        channel.filter_db = filter_db
        if channel.moving is not None:
            channel.moving.cancel()
            channel.moving = None
        way_db = filter_db - channel.now_db
        if not way_db:
            return
        channel.moves += 1
        duration_s = abs(way_db) / channel.speed_db_s
        self.begin_operation(duration_s, lambda: None)
        steps = min(max(1, round(duration_s / _STEP_OF_A_MOVE_S)), _MOST_STEPS_OF_A_MOVE)
        self._step(channel, way_db / steps, duration_s / steps, steps)

    def _step(self, channel: _Channel, step_db: float, step_s: float, left: int) -> None:
        def done() -> None:
            channel.moving = None
            channel.now_db = channel.filter_db if left == 1 else channel.now_db + step_db
            self._show(channel)
            if left > 1:
                self._step(channel, step_db, step_s, left - 1)

        channel.moving = self.world.after(step_s, done)

    def _show(self, channel: _Channel) -> None:
        light_nm = self._fibres.wavelength_nm(self.role, channel.number)
        scale = 1.0
        if light_nm is not None:
            scale += _LONGER_WAVELENGTH_PER_NM * (light_nm - channel.wavelength_m * 1e9)
        true_db = (channel.now_db + channel.error_db(channel.now_db)) * scale
        if channel.moves:
            drawn = self.world.noise.normal(self.role, self._serial, channel.number, channel.moves)
            true_db += self._repeatability_db * drawn
        self._fibres.set_attenuation(self.role, channel.number, max(0.0, true_db))

    def _shut(self, channel: _Channel, *, open_: bool) -> None:
        channel.open_ = open_
        self.begin_operation(
            _SHUTTER_S,
            lambda: self._fibres.set_shutter(self.role, channel.number, open_=channel.open_),
        )

    # -- commands ----------------------------------------------------------------------------------

    def _channel(self, call: Call) -> _Channel:
        slot, channel = call.suffixes
        if slot not in self._channels or channel != 1:
            raise ScpiError(-114)
        return self._channels[slot]

    def _attenuation(self, call: Call) -> str:
        channel = self._channel(call)
        filter_db = channel.filter_db
        if call.has_more:
            words = {"MIN": 0.0, "DEF": 0.0, "MAX": _HIGHEST_DB}
            filter_db = words[call.choice("MINimum", "DEFault", "MAXimum")]
        return _nr3(filter_db + channel.offset_db)

    def _set_attenuation(self, call: Call) -> None:
        channel = self._channel(call)
        low_db = channel.offset_db
        wanted_db = call.number(unit="DB", minimum=low_db, maximum=low_db + _HIGHEST_DB, default=low_db)
        call.end()
        channel.power_control = False
        self._move(channel, round((wanted_db - low_db) / _RESOLUTION_DB) * _RESOLUTION_DB)

    def _set_offset(self, call: Call) -> None:
        channel = self._channel(call)
        offset_db = call.number(unit="DB", minimum=-_OFFSET_DB, maximum=_OFFSET_DB, default=0.0)
        call.end()
        channel.offset_db = offset_db

    def _wavelength(self, call: Call) -> str:
        channel = self._channel(call)
        if call.has_more:
            words = dict(zip(("MIN", "MAX", "DEF"), _WAVELENGTH_M, strict=True))
            return _nr3(words[call.choice("MINimum", "MAXimum", "DEFault")])
        return _nr3(channel.wavelength_m)

    def _set_wavelength(self, call: Call) -> None:
        channel = self._channel(call)
        low_m, high_m, preset_m = _WAVELENGTH_M
        wavelength_m = call.number(unit="M", minimum=low_m, maximum=high_m, default=preset_m)
        call.end()
        channel.wavelength_m = wavelength_m
        self._show(channel)

    def _set_speed(self, call: Call) -> None:
        channel = self._channel(call)
        low, high, preset = _SPEED_DB_S
        speed_db_s = call.number(minimum=low, maximum=high, default=preset)
        call.end()
        channel.speed_db_s = speed_db_s

    def _set_shutter(self, call: Call) -> None:
        channel, open_ = self._channel(call), call.boolean()
        call.end()
        self._shut(channel, open_=open_)

    def _set_at_power_on(self, call: Call) -> None:
        channel, opens = self._channel(call), call.boolean()
        call.end()
        channel.opens_at_power_on = opens

    def _power(self, call: Call) -> str:
        channel = self._channel(call)
        return _nr3(w_from_dbm(channel.power_dbm) if channel.unit_is_w else channel.power_dbm)

    def _set_power(self, call: Call) -> None:
        channel = self._channel(call)
        if channel.unit_is_w:
            power_w = call.number(unit="W", minimum=1e-9, maximum=1.0)
            power_dbm = dbm_from_w(power_w)
        else:
            power_dbm = call.number(unit="DBM", minimum=-60.0, maximum=30.0)
        call.end()
        channel.power_dbm = power_dbm
        self._control_power(channel)

    def _set_unit(self, call: Call) -> None:
        channel, word = self._channel(call), call.raw().upper()
        call.end()
        units = {"0": False, "DBM": False, "1": True, "W": True, "WATT": True}
        if word not in units:
            raise ScpiError(-224)
        channel.unit_is_w = units[word]

    def _set_power_control(self, call: Call) -> None:
        channel, on = self._channel(call), call.boolean()
        call.end()
        if on:
            self._control_power(channel)
        channel.power_control = on

    def _control_power(self, channel: _Channel) -> None:
        channel.power_control = True
        arriving_dbm = dbm_from_w(self._fibres.power_w(self.role, channel.number))
        self._move(channel, min(max(arriving_dbm - channel.power_dbm, 0.0), _HIGHEST_DB))


def _nr3(value: float) -> str:
    return f"{value:+.8E}"
