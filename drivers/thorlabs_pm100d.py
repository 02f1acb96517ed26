"""Thorlabs PM100D optical power meter (PM100A and PM100USB take the same commands) with a photodiode sensor.

Never run on hardware by this project. From public drivers only, the maker's own examples among them:
``SYST:SENS:IDN?`` with its flags, ``SENS:CORR:WAV`` in **nanometres and without a suffix**,
``SENS:POW:UNIT``, ``SENS:POW:RANG:AUTO``, ``SENS:AVER:COUN``, ``CONF:POW``, ``READ?``,
``SENS:CORR:COLL:ZERO:INIT``, ``:STAT?`` and ``:MAGN?``, ``SYST:ERR?``. Uncertain: about 3 ms for each
averaged sample, that ``:STAT?`` is 1 while it zeroes and 0 afterwards (one driver has it the other way
round), the unit of ``:MAGN?``, how many samples it averages at most, and what it answers to too much light
(SCPI's infinity is taken); and, from memory, ``SENS:CORR`` in dB for the attenuation that a user states in
front of the sensor (option ``neutral_corrections``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from drivers.clock import Clock, wait_until
from drivers.errors import BenchError, InstrumentError, NotSettledError, OutOfRangeError, UnsupportedError
from drivers.interfaces import Identity, PowerReading, SafetyStep
from drivers.replies import Reply
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Setting, Switch, Whole, Words, set_all

__all__ = ["Pm100d", "SensorInfo"]

_CHANNEL = 1
_IMPLAUSIBLE_W = 30.0
"""More than any sensor for it takes: such a number is no power in watts."""
_MEASURES_POWER = 1
_WAVELENGTH_SETTABLE = 32
_ZERO_QUERY = "SENS:CORR:COLL:ZERO:MAGN?"


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """The sensor plugged into the meter. ``flags``: 1 power, 2 energy, 16 responsivity settable, 32
    wavelength settable, 64 time constant settable, 256 temperature."""

    name: str
    serial: str
    calibration: str
    kind: int
    subkind: int
    flags: int


class Pm100d(ScpiInstrument):
    """One channel, in watts. The sensor is half of the meter: its serial number and calibration stand in
    :attr:`sensor` after :meth:`connect`.

    Options: ``lowest_dbm`` and ``highest_dbm`` (what its sensor measures, from the sensor's data sheet;
    defaults -60 and 5, of the order of a fibre-coupled InGaAs photodiode), ``neutral_corrections`` (default
    true: the attenuation that a user can state is set to 0 dB; false: it is left as it is, for a meter that
    does not know the command). Never run on hardware by this
    project.
    """

    model_pattern = r"PM100(?:D|A|USB)"
    model_shown = "Thorlabs PM100D"
    error_query: ClassVar[str | None] = "SYST:ERR?"

    sample_s: ClassVar[float] = 3e-3
    """How long one of the averaged samples takes (uncertain)."""
    most_samples: ClassVar[int] = 10_000
    """From memory."""
    zeroing_limit_s: ClassVar[float] = 60.0
    """Longest that zeroing may take."""
    largest_zero: ClassVar[float] = 1e-7
    """A dark offset beyond this, in W or A (which of them is uncertain; near 1300 nm they are about the
    same), was light (an assumption)."""

    def wavelength_range_nm(self) -> tuple[float, float]:
        """Wavelengths for which its sensor is calibrated, nm.

        :raises InstrumentError: before :meth:`connect`.
        """
        if self._wavelengths_nm is None:
            raise InstrumentError(self._name, "it is not connected", advice="Call connect() first.")
        return self._wavelengths_nm

    power_unit = Setting("SENS:POW:UNIT {value}", Words("W"), "Unit of its powers.")
    automatic_range = Setting("SENS:POW:RANG:AUTO {value}", Switch("0", "1"), "Whether it finds its range.")
    wavelength_nm = Setting(
        "SENS:CORR:WAV {value:.2f}",
        Number("nm", wavelength_range_nm, tolerance=0.51),  # some sensors know whole nanometres only
        "Wavelength of the light.",
    )
    samples = Setting("SENS:AVER:COUN {value}", Whole("1", (1, most_samples)), "Samples that it averages.")
    attenuation_db = Setting(
        "SENS:CORR {value:g}",
        Number("dB", (0.0, 0.0), tolerance=1e-3),
        "Attenuation stated before the sensor: none.",
    )

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._range_dbm = (
            option(self._options, "lowest_dbm", -60.0, instrument=name),
            option(self._options, "highest_dbm", 5.0, instrument=name),
        )
        if not -100.0 <= self._range_dbm[0] < self._range_dbm[1] <= 45.0:
            raise BenchError(f"{name}: lowest_dbm must be below highest_dbm, both within -100 to 45")
        self._neutral = option(self._options, "neutral_corrections", True, instrument=name)
        self._sensor: SensorInfo | None = None
        self._wavelengths_nm: tuple[float, float] | None = None
        self._averaging_s: float | None = None

    @property
    def channels(self) -> tuple[int, ...]:
        """Its one port, 1."""
        return (_CHANNEL,)

    @property
    def range_dbm(self) -> tuple[float, float]:
        """Lowest and highest power it measures, dBm: those of the bench file, for its sensor."""
        return self._range_dbm

    @property
    def sensor(self) -> SensorInfo:
        """The sensor found by :meth:`connect`.

        :raises InstrumentError: before that.
        """
        if self._sensor is None:
            raise InstrumentError(self._name, "it is not connected", advice="Call connect() first.")
        return self._sensor

    def connect(self) -> Identity:
        """Probe, check the model, clear the status, look at the sensor and at the wavelengths it is
        calibrated for.

        :raises WrongIdentityError: when another model answers.
        :raises UnsupportedError: when no sensor for power at a wavelength is plugged in.
        """
        self._sensor = None
        self._averaging_s = None
        identity = super().connect()
        sensor = _sensor(self._session.query("SYST:SENS:IDN?"))
        if not (sensor.flags & _MEASURES_POWER and sensor.flags & _WAVELENGTH_SETTABLE):
            raise UnsupportedError(
                self._name,
                f"its sensor {sensor.name!r} (flags {sensor.flags}) measures no power at a wavelength",
                command="SYST:SENS:IDN?",
                advice="Plug in a photodiode sensor.",
            )
        low_nm = self._session.query("SENS:CORR:WAV? MIN").real()
        reply = self._session.query("SENS:CORR:WAV? MAX")
        high_nm = reply.real()
        if not 0.0 < low_nm < high_nm <= 20_000.0:
            raise reply.garbled(f"no upper limit to {low_nm:g} nm")
        self._wavelengths_nm = (low_nm, high_nm)
        self._sensor = sensor
        return identity

    def configure(
        self, *, wavelength_nm: float, averaging_s: float, channels: Sequence[int] | None = None
    ) -> None:
        """Power in watts, automatic range, no stated attenuation, ``wavelength_nm``, and as many averaged
        samples as ``averaging_s`` holds (rounded, at least one); all of it is read back.

        :raises OutOfRangeError: when the sensor is not calibrated there, or too many samples were needed;
            nothing was sent.
        :raises InstrumentError: before :meth:`connect`.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        self._checked(self.channels if channels is None else channels)
        self._within(averaging_s, self.sample_s, self.most_samples * self.sample_s, "averaging time", "s")
        samples = max(1, round(averaging_s / self.sample_s))
        wanted = [
            self.power_unit.to("W"),
            self.automatic_range.to(True),
            self.wavelength_nm.to(wavelength_nm),
            self.samples.to(samples),
        ]
        if self._neutral:
            wanted.append(self.attenuation_db.to(0.0))
        self._averaging_s = None
        self.tell("CONF:POW")
        set_all(*wanted)
        self._averaging_s = samples * self.sample_s

    def read_powers_w(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        """Start a new measurement now and return it, in watts.

        :raises OverloadError: when the light is beyond the range.
        :raises InvalidReadingError: when there is no valid reading (9.91E+37).
        :raises GarbledReplyError: on a power that no sensor for it takes: not watts.
        :raises InstrumentError: when it was not configured.
        """
        asked = self._checked(channels)
        if self._averaging_s is None:
            raise InstrumentError(self._name, "it is not configured", advice="Call configure() first.")
        if not asked:
            return ()
        # A change of range costs another average, and a second change may follow the first.
        limit_s = self._session.time_limit_s + 3.0 * self._averaging_s
        reply = self._session.query("READ?", time_limit_s=limit_s)
        power_w = reply.real()
        if abs(power_w) >= _IMPLAUSIBLE_W:
            raise reply.garbled("no power that it can measure: it may be in dBm")
        return tuple(PowerReading(channel, power_w) for channel in asked)

    def zero(self, channels: Sequence[int] | None = None) -> None:
        """Zero the sensor, which must be dark.

        :raises NotSettledError: when it takes longer than ``zeroing_limit_s``.
        :raises InstrumentError: when what it found is more than a dark sensor's offset.
        """
        if not self._checked(self.channels if channels is None else channels):
            return
        start = "SENS:CORR:COLL:ZERO:INIT"
        self._session.command(start)
        wait_until(
            self._clock,
            lambda: not self._session.query("SENS:CORR:COLL:ZERO:STAT?").boolean(),
            timeout_s=self.zeroing_limit_s,
            interval_s=0.5,
            error=lambda: NotSettledError(
                self._name, f"zeroing is not over after {self.zeroing_limit_s:g} s", command=start
            ),
        )
        self._session.check_errors(start)
        reply = self._session.query(_ZERO_QUERY)
        if abs(reply.real()) > self.largest_zero:
            raise InstrumentError(
                self._name,
                f"it zeroed {reply.real():g} away: there was light",
                command=_ZERO_QUERY,
                reply=reply.text,
                advice="Cover the sensor or switch the light off, then zero again.",
            )

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off: a meter emits nothing. Sends nothing."""
        return ()

    def _checked(self, channels: Sequence[int]) -> tuple[int, ...]:
        for channel in channels:
            if channel != _CHANNEL:
                raise OutOfRangeError(self._name, f"it has port {_CHANNEL}, not {channel}")
        return tuple(channels)


def _sensor(reply: Reply) -> SensorInfo:
    """``SYST:SENS:IDN?``: name, serial number, calibration (which may itself hold commas), kind, subkind,
    flags; the texts with or without quotes."""
    fields = reply.fields(*range(6, 12))
    texts = [field.text.strip(" \"'") for field in fields[:-3]]
    if not all(text.isprintable() and len(text) <= 80 for text in texts):
        raise reply.garbled("not the name, serial number and calibration of a sensor")
    kind, subkind, flags = (field.integer(0, 0xFFFF) for field in fields[-3:])
    return SensorInfo(texts[0], texts[1], ", ".join(texts[2:]), kind, subkind, flags)
