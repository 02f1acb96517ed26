"""Keysight N7761A, N7762A and N7764A variable optical attenuators (one, two, four channels).

Never run on hardware by this project. Commands, by how well they are known (section 1.2 of the instrument
notes): from the 816x mainframes' programming guide: ``:INPut[n]:ATTenuation`` with ``MIN`` and ``MAX`` (the
attenuation read back is the filter's and the offset together); seen in public drivers only:
``:INPut[n]:OFFSet``, ``:WAVelength`` (metres), ``:OUTPut[n][:STATe]``, ``:OUTPut[n]:POWer:CONTRol``, and that
the channels of an N7764A are slots 1, 3, 5 and 7; uncertain: ``:INPut[n]:ATTenuation:SPEed`` and its range,
whether ``*OPC`` waits for a filter that moves (so the time of the move is waited too), that the shutters are
closed after power-on, and the ranges of attenuation and wavelength. Not looked at: the table of offsets by
wavelength that this family can keep; leave it off on the instrument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import InstrumentError, NotSettledError, OutOfRangeError
from drivers.interfaces import Identity, SafetyStep
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Setting, Switch, set_all

__all__ = ["N7761A", "N7762A", "N7764A"]

_RESOLUTION_DB = 0.001
_LARGEST_SLOT = 99
_COMPLETION_INTERVAL_S = 0.02
_COMPLETION_LIMIT_S = 5.0


class _N776x(ScpiInstrument):
    """Channels numbered from 1; what the instrument calls them is a matter of option ``slots``.

    Options: ``slots`` (the instrument's number of every channel, in their order), ``speed_db_s`` (how fast a
    filter moves, default 1000), ``settling_s`` (default 0.1: waited through the clock after a filter has
    stopped or a shutter has moved). Offsets are set to 0 and never used, and so is power control: losses live
    in the bench file, and the sign of an offset differs between makes.
    """

    attenuation_limits_db: ClassVar[tuple[float, float]] = (0.0, 45.0)
    """Data sheet; from memory, and a public driver says so."""
    wavelength_range_nm: ClassVar[tuple[float, float]] = (1260.0, 1640.0)
    """Data sheet; from a public driver."""
    speed_range_db_s: ClassVar[tuple[float, float]] = (0.1, 1000.0)
    """From memory."""
    default_slots: ClassVar[tuple[int, ...]]

    power_control = Setting(
        ":OUTP{at}:POW:CONTR {value}", Switch("0", "1"), "Whether it holds a power instead of an attenuation."
    )
    offset_db = Setting(
        ":INP{at}:OFFS {value:g}DB",
        Number("dB", (0.0, 0.0)),
        "What is added to the attenuation shown: nothing.",
    )
    wavelength_nm = Setting(
        ":INP{at}:WAV {value:.4f}NM",
        Number("nm", wavelength_range_nm, tolerance=5e-3, reply_unit=1e9),
        "Wavelength for which it is calibrated.",
    )
    speed_db_s = Setting(
        ":INP{at}:ATT:SPE {value:.6G}", Number("dB/s", speed_range_db_s, share=0.01), "Speed of a filter."
    )
    attenuation_db = Setting(
        ":INP{at}:ATT {value:.4f}DB",
        Number("dB", attenuation_limits_db, tolerance=1.5 * _RESOLUTION_DB),
        "Attenuation as set, without insertion loss.",
    )
    shutter_is_open = Setting(":OUTP{at} {value}", Switch("0", "1"), "Whether light goes through a channel.")

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        slots = option(self._options, "slots", list(self.default_slots), instrument=name)
        count = len(self.default_slots)
        if (
            len(slots) != count
            or len(set(slots)) != count
            or not all(type(slot) is int and 0 < slot <= _LARGEST_SLOT for slot in slots)
        ):
            raise OutOfRangeError(name, f"option slots: {count} different numbers from 1 on, not {slots}")
        self._slots = dict(enumerate(slots, start=1))
        self._speed_db_s = option(self._options, "speed_db_s", 1000.0, instrument=name)
        self._within(self._speed_db_s, *self.speed_range_db_s, "option speed_db_s", "dB/s")
        self._settling_s = option(self._options, "settling_s", 0.1, instrument=name)
        self._within(self._settling_s, 0.0, 60.0, "option settling_s", "s")
        self._configured: set[int] = set()

    @property
    def channels(self) -> tuple[int, ...]:
        """Its channels, from 1 on."""
        return tuple(self._slots)

    @property
    def attenuation_range_db(self) -> tuple[float, float]:
        """Lowest and highest attenuation that can be set, dB. Data sheet, from memory."""
        return self.attenuation_limits_db

    def connect(self) -> Identity:
        """Probe, check the model, clear the status. Attenuations and shutters stay as they are.

        :raises WrongIdentityError: when another model answers.
        """
        self._configured.clear()
        return super().connect()

    def configure(self, *, wavelength_nm: float, channels: Sequence[int] | None = None) -> None:
        """Power control off, offset 0, ``wavelength_nm`` and speed on ``channels`` (default: all); all of it
        is read back. Shutters stay as they are. Attenuations change where an offset or power control was on.

        :raises OutOfRangeError: when there is no such channel or wavelength; nothing was sent.
        :raises InstrumentReportedError: when the attenuator refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        asked = self.channels if channels is None else tuple(channels)
        wanted = {
            channel: (
                self.power_control.to(False, channel),
                self.offset_db.to(0.0, channel),
                self.wavelength_nm.to(wavelength_nm, channel),
                self.speed_db_s.to(self._speed_db_s, channel),
            )
            for channel in asked
        }
        for channel, settings in wanted.items():
            self._configured.discard(channel)
            set_all(*settings)
            self._configured.add(channel)

    def set_attenuation_db(self, channel: int, attenuation_db: float) -> None:
        """Set it; returns when the filter's time has passed, the attenuator calls it complete, and the
        setting was read back.

        :raises OutOfRangeError: when there is no such channel or attenuation; nothing was sent.
        :raises InstrumentError: when the channel was not configured: its offset is unknown.
        :raises NotSettledError: when the attenuator does not complete, or reads back another attenuation.
        """
        wanted = self.attenuation_db.to(attenuation_db, channel)
        if channel not in self._configured:
            raise InstrumentError(
                self._name, f"channel {channel} is not configured", advice="Call configure() first."
            )
        lowest_db, highest_db = self.attenuation_limits_db
        before_db = min(max(self.attenuation_db(channel), lowest_db), highest_db)  # no filter moves farther
        wanted.send()
        self._settle(abs(attenuation_db - before_db) / self._speed_db_s)
        found_db = self.attenuation_db(channel)
        if abs(found_db - attenuation_db) > 1.5 * _RESOLUTION_DB:
            raise NotSettledError(
                self._name,
                f"channel {channel}: {attenuation_db:g} dB was set, {found_db:g} dB is read back",
                command=wanted.command,
                advice="Check that nobody else controls it, and that power control and offsets are off.",
            )

    def set_shutter(self, channel: int, *, open_: bool) -> None:
        """Open or close a channel; returns when it had time to move and was read back.

        :raises OutOfRangeError: when there is no such channel.
        :raises NotSettledError: when it reads back the other way: an interlock may keep it closed.
        """
        wanted = self.shutter_is_open.to(open_, channel)
        wanted.send()
        self._settle(0.0)
        if self.shutter_is_open(channel) is not open_:
            asked, found = ("open", "closed") if open_ else ("closed", "open")
            raise NotSettledError(
                self._name,
                f"channel {channel}: the shutter was to be {asked} and reads back {found}",
                command=wanted.command,
                advice="Check the remote interlock connector and the front panel.",
            )

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Close every shutter and set the highest attenuation, blind; then resynchronise, do it again and
        read it back."""
        commands = [f":OUTP{slot} 0" for slot in self._slots.values()]
        commands += [f":INP{slot}:ATT MAX" for slot in self._slots.values()]
        told = self._tell_blind_first(*commands)
        actions = [f"channel {channel}: shutter closed, highest attenuation" for channel in self.channels]
        if told:
            return tuple(SafetyStep(action, told, safe=False) for action in actions)
        return tuple(
            self._make_channel_safe(channel, action)
            for channel, action in zip(self.channels, actions, strict=True)
        )

    def _make_channel_safe(self, channel: int, action: str) -> SafetyStep:
        slot = self.place_of(channel)
        try:
            self._session.command(f":OUTP{slot} 0", check=False)
            self._session.command(f":INP{slot}:ATT MAX", check=False)
            highest_db = self._session.query(f":INP{slot}:ATT? MAX").real()
            found_db = self.attenuation_db(channel)
            is_open = self.shutter_is_open(channel)
        except InstrumentError as fault:
            return SafetyStep(action, str(fault), safe=False)
        safe = not is_open and abs(found_db - highest_db) <= 1.5 * _RESOLUTION_DB
        return SafetyStep(action, f"shutter {'open' if is_open else 'closed'}, {found_db:g} dB", safe=safe)

    def _settle(self, moving_s: float) -> None:
        self._clock.sleep(moving_s)
        self._session.wait_complete(_COMPLETION_LIMIT_S, interval_s=_COMPLETION_INTERVAL_S)
        self._clock.sleep(self._settling_s)

    def place_of(self, channel: int) -> str:
        """Its slot.

        :raises OutOfRangeError: when there is no such channel.
        """
        if channel not in self._slots:
            raise OutOfRangeError(self._name, f"it has channels 1 to {len(self._slots)}, not {channel}")
        return str(self._slots[channel])


class N7761A(_N776x):
    """Keysight N7761A: one channel. Never run on hardware by this project."""

    model_pattern = "N7761A"
    model_shown = "Keysight N7761A"
    default_slots = (1,)


class N7762A(_N776x):
    """Keysight N7762A: two channels, in slots 1 and 3. Never run on hardware by this project."""

    model_pattern = "N7762A"
    model_shown = "Keysight N7762A"
    default_slots = (1, 3)


class N7764A(_N776x):
    """Keysight N7764A: four channels, in slots 1, 3, 5 and 7. Never run on hardware by this project."""

    model_pattern = "N7764A"
    model_shown = "Keysight N7764A"
    default_slots = (1, 3, 5, 7)
