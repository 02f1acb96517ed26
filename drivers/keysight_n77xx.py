"""Keysight N7744C and N7745C multiport optical power meters (N7744A/N7745A take the same commands).

Never run on hardware by this project. Commands, by how well they are known (section 1.1 of the
instrument notes): from Keysight's programming guide: ``:READ[n]:POWer?``, ``:FETCh[n]:POWer?``,
``:READ:POWer:ALL?`` with its little-endian float32 block, ``:READ:POWer:ALL:CONFig?``,
``:SENSe[n]:POWer:UNIT``, ``:WAVelength``, ``:ATIMe``, zeroing; seen in public drivers only:
``:RANGe:AUTO``, ``:INITiate[n]:CONTinuous``, ``:SYSTem:ERRor?``; uncertain: which value of the zeroing
query means success (0 is assumed), the huge values that stand for an overload and for too little light,
the (slot, channel) pairs of ``CONFig?`` (their order is used, their channel numbers are not looked at), and
whether the block of ``:READ:POWer:ALL?`` follows ``UNIT`` (so powers that no port survives are refused).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InvalidReadingError,
    OutOfRangeError,
    OverloadError,
    PartialReplyError,
)
from drivers.interfaces import Identity, PowerReading, SafetyStep
from drivers.replies import float32_values, is_not_a_number, uint16_pairs
from drivers.scpi import ScpiInstrument, ScpiSession, option

__all__ = ["N7744C", "N7745C"]

_HUGE_W = 1e20
_IMPLAUSIBLE_W = 0.1
"""20 dBm, far above what a port survives: such a number is no power in watts."""
_READ_ALL = ":READ:POW:ALL?"
_READ_ALL_ORDER = ":READ:POW:ALL:CONF?"


class _N77xx(ScpiInstrument):
    """A multiport meter: one detector a port, all measuring at once.

    Powers are always read in watts: dBm has no value for the negative readings that noise gives in the
    dark. Option ``block_reading`` (default true): all ports in one round trip by ``:READ:POWer:ALL?``;
    false: ``:READ<n>:POWer?`` port by port, for firmware on which the block misbehaves.
    """

    tolerated_errors: ClassVar[frozenset[int]] = frozenset({-410, -420, -231, -213, -261})
    """Query interrupted and unterminated, data questionable, init ignored, math error: this family leaves
    them in its queue without harm (public drivers ignore them)."""

    port_count: ClassVar[int]
    wavelength_range_nm: ClassVar[tuple[float, float]] = (1250.0, 1650.0)
    """Data sheet; from memory."""
    averaging_range_s: ClassVar[tuple[float, float]] = (1e-6, 10.0)
    """Data sheet; from memory."""
    zeroing_limit_s: ClassVar[float] = 60.0
    """Longest that zeroing may take."""

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._block_reading = option(self._options, "block_reading", True, instrument=name)
        self._averaging_s: dict[int, float] = {}
        self._configured: set[int] = set()
        self._block_order: tuple[int, ...] = ()

    @property
    def channels(self) -> tuple[int, ...]:
        """Its ports, from 1 on."""
        return tuple(range(1, self.port_count + 1))

    @property
    def range_dbm(self) -> tuple[float, float]:
        """Lowest and highest power it measures, dBm. Data sheet, from memory: check before relying on it."""
        return (-80.0, 10.0)

    def connect(self) -> Identity:
        """Probe, check the model, clear the status, read the averaging times, and ask for the order of the
        block that reads all ports.

        :raises WrongIdentityError: when another model answers.
        :raises GarbledReplyError: when the block has not every port once.
        """
        identity = super().connect()
        self._configured.clear()
        for channel in self.channels:
            self._averaging_s[channel] = self._session.query(f":SENS{channel}:POW:ATIM?").real()
        if self._block_reading:
            block = self._session.query_block(_READ_ALL_ORDER)
            with self._garbage_distrusted():
                pairs = uint16_pairs(self._name, _READ_ALL_ORDER, block)
            self._block_order = tuple(slot for slot, _ in pairs)
            if sorted(self._block_order) != list(self.channels):
                self._session.distrust()
                raise GarbledReplyError(
                    self._name,
                    f"the block has not every port once: (slot, channel) = {pairs}",
                    command=_READ_ALL_ORDER,
                    advice="Set the option block_reading = false for this instrument.",
                )
        return identity

    def configure(
        self, *, wavelength_nm: float, averaging_s: float, channels: Sequence[int] | None = None
    ) -> None:
        """Watts, ``wavelength_nm``, ``averaging_s``, automatic range and software trigger on ``channels``
        (default: all); all of it is read back.

        The trigger must not be continuous: with it a reading is the last one made, not a new one.

        :raises OutOfRangeError: when a value is outside the data sheet's range; nothing was sent.
        :raises InstrumentReportedError: when the meter refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        self._within(wavelength_nm, *self.wavelength_range_nm, "wavelength", "nm")
        self._within(averaging_s, *self.averaging_range_s, "averaging time", "s")
        for channel in self._checked(self.channels if channels is None else channels):
            self._configured.discard(channel)
            power = f":SENS{channel}:POW"
            self._session.command(f":INIT{channel}:CONT 0")
            self._session.command(f"{power}:UNIT 1")
            self._session.command(f"{power}:WAV {wavelength_nm:.4f}NM")
            self._session.command(f"{power}:ATIM {averaging_s:.6G}S")
            self._session.command(f"{power}:RANG:AUTO 1")
            self._must_be(f":INIT{channel}:CONT?", 0.0, 0.0)
            self._must_be(f"{power}:UNIT?", 1.0, 0.0)
            self._must_be(f"{power}:RANG:AUTO?", 1.0, 0.0)
            self._must_be(f"{power}:WAV?", wavelength_nm * 1e-9, 5e-12)
            self._must_be(f"{power}:ATIM?", averaging_s, 0.01 * averaging_s)
            self._averaging_s[channel] = averaging_s
            self._configured.add(channel)

    def read_powers_w(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        """Trigger a measurement now and return it for ``channels``, in their order, in watts. A port that
        answers "less than I can tell" (a huge negative value) reads 0 W: darker than its lowest range.

        :raises OverloadError: when the light on one of them is beyond the range.
        :raises InvalidReadingError: when one of them has no valid reading (9.91E37).
        :raises GarbledReplyError: when one of them has a power that no port survives: not watts.
        :raises InstrumentError: when one of them was not configured.
        :raises OutOfRangeError: when there is no such port.
        """
        asked = self._checked(channels)
        for channel in asked:
            if channel not in self._configured:
                raise InstrumentError(
                    self._name, f"port {channel} is not configured", advice="Call configure() first."
                )
        if not self._block_reading:
            return tuple(PowerReading(channel, self._read_one_w(channel)) for channel in asked)
        limit_s = self._time_limit_s(self.channels)
        block = self._session.query_block(_READ_ALL, time_limit_s=limit_s)
        with self._garbage_distrusted():
            values = float32_values(self._name, _READ_ALL, block, self.port_count)
        of_port = dict(zip(self._block_order, values, strict=True))
        return tuple(
            PowerReading(channel, self._power_w(channel, of_port[channel], _READ_ALL)) for channel in asked
        )

    def zero(self, channels: Sequence[int] | None = None) -> None:
        """Zero ``channels`` (default: all), which must be dark: "Zeroing fails if the power meter receives
        input light" is what a meter of the same family documents.

        :raises InstrumentError: when a port reports that it failed.
        :raises NotSettledError: when it takes longer than ``zeroing_limit_s``.
        """
        asked = self._checked(self.channels if channels is None else channels)
        for channel in asked:
            self._session.command(f":SENS{channel}:CORR:COLL:ZERO", check=False)
            self._session.wait_complete(self.zeroing_limit_s, interval_s=0.5)
            query = f":SENS{channel}:CORR:COLL:ZERO?"
            status = self._session.query(query)
            if status.integer() != 0:
                raise InstrumentError(
                    self._name,
                    f"zeroing of port {channel} failed",
                    command=query,
                    reply=status.text,
                    advice="Cover the port or switch the light off, then zero again.",
                )
        self._session.check_errors(":SENS:CORR:COLL:ZERO")

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off: a meter emits nothing. Sends nothing."""
        return ()

    def _read_one_w(self, channel: int) -> float:
        command = f":READ{channel}:POW?"
        reply = self._session.query(command, time_limit_s=self._time_limit_s((channel,)))
        return self._power_w(channel, reply.unchecked_real(), command)

    def _power_w(self, channel: int, power_w: float, command: str) -> float:
        """A reading as it came, as a power."""
        if is_not_a_number(power_w):
            raise InvalidReadingError(
                self._name,
                f"port {channel} has no valid reading",
                command=command,
                reply=power_w,
                advice="It may not have been triggered.",
            )
        if power_w <= -_HUGE_W:
            return 0.0
        if _IMPLAUSIBLE_W <= abs(power_w) < _HUGE_W:
            self._session.distrust()
            raise GarbledReplyError(
                self._name,
                f"port {channel}: {power_w:g} W is no power that it can measure",
                command=command,
                reply=power_w,
                advice="It may answer in dBm: try the option block_reading = false.",
            )
        if power_w >= _HUGE_W:
            raise OverloadError(
                self._name,
                f"port {channel}: the light is beyond its range",
                command=command,
                reply=power_w,
                advice=f"It takes at most {self.range_dbm[1]:g} dBm; check what is routed to it.",
            )
        return power_w

    def _time_limit_s(self, channels: Sequence[int]) -> float:
        # A change of range costs another averaging time, and a second change may follow the first.
        return self._session.time_limit_s + 3.0 * max(self._averaging_s[channel] for channel in channels)

    def _must_be(self, query: str, wanted: float, tolerance: float) -> None:
        reply = self._session.query(query)
        if abs(reply.real() - wanted) > tolerance:
            raise reply.garbled(f"not the {wanted:.6g} that was set: it reads back otherwise")

    @contextlib.contextmanager
    def _garbage_distrusted(self) -> Iterator[None]:
        try:
            yield
        except (GarbledReplyError, PartialReplyError, EmptyReplyError):
            self._session.distrust()
            raise

    def _checked(self, channels: Sequence[int]) -> tuple[int, ...]:
        for channel in channels:
            if channel not in self.channels:
                raise OutOfRangeError(self._name, f"it has ports 1 to {self.port_count}, not {channel}")
        return tuple(channels)


class N7744C(_N77xx):
    """Keysight N7744C (or N7744A): four ports. Never run on hardware by this project."""

    model_pattern = r"N7744[AC]"
    model_shown = "Keysight N7744C"
    port_count = 4


class N7745C(_N77xx):
    """Keysight N7745C (or N7745A): eight ports. Never run on hardware by this project."""

    model_pattern = r"N7745[AC]"
    model_shown = "Keysight N7745C"
    port_count = 8
