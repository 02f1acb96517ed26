"""The power meter command tree that Keysight's multiport meters (N77xx) and mainframes (816x) share.

Which of it is how well known stands in the modules of the models. A *place* is what stands behind ``SENSe``,
``READ`` and ``INITiate`` in a command: a slot's number, or slot and channel (``2:CHAN1``). In a mainframe's
dual sensor the first channel is the master: what concerns trigger, averaging, automatic range and zero goes
to it and holds for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InvalidReadingError,
    NoReplyError,
    OutOfRangeError,
    OverloadError,
    PartialReplyError,
)
from drivers.interfaces import PowerReading, SafetyStep
from drivers.replies import float32_values, is_not_a_number, uint16_pairs
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import Number, Prepared, Setting, Switch

__all__ = ["KeysightPowerMeter"]

_HUGE_W = 1e20
_LONGEST_AVERAGING_S = 100.0
"""No model averages for so long. What a reading may take is reckoned from what a meter says of itself."""
_WITHOUT_BLOCK = "Set the option block_reading = false for this instrument."


class KeysightPowerMeter(ScpiInstrument):
    """What both families have in common. A model says which channels it has, where they are, and their
    limits.

    Powers are always read in watts: dBm has no value for the negative readings that noise gives in the
    dark. Option ``block_reading`` (default true): all channels in one round trip by ``:READ:POWer:ALL?``;
    false: one round trip for each channel.
    """

    tolerated_errors: ClassVar[frozenset[int]] = frozenset({-410, -420, -231, -213, -261})
    """Query interrupted and unterminated, data questionable, init ignored, math error: these families leave
    them in their queue without harm (public drivers ignore them)."""

    averaging_range_s: ClassVar[tuple[float, float]]
    """Data sheet; from memory."""
    zeroing_limit_s: ClassVar[float] = 60.0
    """Longest that zeroing may take."""

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._block_reading = option(self._options, "block_reading", True, instrument=name)
        self._averaging_of: dict[str, float] = {}
        """Seconds, by the place of a module."""
        self._configured: set[int] = set()
        self._block_order: tuple[str, ...] = ()

    # -- what a model says of itself ---------------------------------------------------------------

    @property
    def channels(self) -> tuple[int, ...]:
        """Its channels, from 1 on."""
        raise NotImplementedError

    def _wavelength_range_of(self, channel: int) -> tuple[float, float]:
        """Lowest and highest wavelength of a channel, nm."""
        raise NotImplementedError

    def _wavelength_limits_nm(self, channel: int) -> tuple[float, float]:
        return self._wavelength_range_of(channel)

    def _averaging_limits_s(self) -> tuple[float, float]:
        return self.averaging_range_s

    def _module_of(self, channel: int) -> str:
        """The place that takes what concerns a channel's whole module."""
        return self.place_of(channel)

    def _called(self, channel: int) -> str:
        """What errors call a channel."""
        return f"port {channel}"

    def _highest_dbm(self, channel: int) -> float:
        """The highest power that a channel measures."""
        raise NotImplementedError

    def _implausible_w(self, channel: int) -> float:
        """What no channel of the kind survives: such a number is no power in watts."""
        raise NotImplementedError

    def _block_query(self) -> str:
        """What reads all channels, without its question mark."""
        return ":READ:POW:ALL"

    def _together_s(self, averagings_s: Iterable[float]) -> float:
        """How long modules with these averaging times take for a reading of all."""
        return max(averagings_s)

    # -- settings ----------------------------------------------------------------------------------

    wavelength_nm = Setting(
        ":SENS{at}:POW:WAV {value:.4f}NM",
        Number("nm", limits_of=_wavelength_limits_nm, tolerance=5e-3, reply_unit=1e9),
        "Wavelength at which a channel takes its responsivity.",
    )
    in_watts = Setting(
        ":SENS{at}:POW:UNIT {value}",
        Switch("0", "1"),
        "Whether a channel answers in watts; else in dBm.",
    )
    _continuous_trigger = Setting(
        ":INIT{at}:CONT {value}",
        Switch("0", "1"),
        "Whether a module measures by itself: a reading is then the last one made, not a new one.",
    )
    _averaging_s = Setting(
        ":SENS{at}:POW:ATIM {value:.6G}S",
        Number("s", _averaging_limits_s, share=0.01),
        "Averaging time of a module.",
    )
    _automatic_range = Setting(
        ":SENS{at}:POW:RANG:AUTO {value}",
        Switch("0", "1"),
        "Whether a module finds its ranges by itself.",
    )

    def configure(
        self, *, wavelength_nm: float, averaging_s: float, channels: Sequence[int] | None = None
    ) -> None:
        """Watts, ``wavelength_nm``, ``averaging_s``, automatic range and software trigger on ``channels``
        (default: all); all of it is read back. Both channels of a dual sensor have the same averaging time:
        that of the latest call.

        The trigger must not be continuous: with it a reading is the last one made, not a new one.

        :raises OutOfRangeError: when a value is outside what it takes; nothing was sent.
        :raises InstrumentReportedError: when the meter refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        asked = self._checked(self.channels if channels is None else channels)
        steps: list[tuple[int, tuple[Prepared, ...], tuple[Prepared, ...]]] = []
        modules: set[str] = set()
        for channel in asked:
            module = self._module_of(channel)
            watts = self.in_watts.to(True, channel)
            wavelength = self.wavelength_nm.to(wavelength_nm, channel)
            trigger = self._continuous_trigger.to(False, module)
            averaging = self._averaging_s.to(averaging_s, module)
            ranging = self._automatic_range.to(True, module)
            if module in modules:
                steps.append((channel, (watts, wavelength), (watts, wavelength)))
            else:
                in_order = (trigger, watts, wavelength, averaging, ranging)
                steps.append((channel, in_order, (trigger, watts, ranging, wavelength, averaging)))
            modules.add(module)
        for channel, sent, read_back in steps:
            self._configured.discard(channel)
            for setting in sent:
                setting.send()
            for setting in read_back:
                setting.read_back()
            self._averaging_of[self._module_of(channel)] = averaging_s
            self._configured.add(channel)

    # -- readings ----------------------------------------------------------------------------------

    def read_powers_w(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        """Trigger a measurement now and return it for ``channels``, in their order, in watts. A channel that
        answers "less than I can tell" (a huge negative value) reads 0 W: darker than its lowest range.

        :raises OverloadError: when the light on one of them is beyond the range.
        :raises InvalidReadingError: when one of them has no valid reading (9.91E37).
        :raises GarbledReplyError: when one of them has a power that nothing survives: not watts.
        :raises InstrumentError: when one of them was not configured.
        :raises OutOfRangeError: when there is no such channel.
        """
        asked = self._checked(channels)
        for channel in asked:
            if channel not in self._configured:
                raise InstrumentError(
                    self._name,
                    f"{self._called(channel)} is not configured",
                    advice="Call configure() first.",
                )
        if self._block_reading:
            return self._read_block(asked)
        return self._read_one_by_one(asked)

    def _read_block(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        query = f"{self._block_query()}?"
        limit_s = self._limit_s(self._averaging_of.values())
        block = self._session.query_block(query, time_limit_s=limit_s)
        with self._garbage_distrusted():
            values = float32_values(self._name, query, block, len(self._block_order))
        at = dict(zip(self._block_order, values, strict=True))
        return tuple(
            PowerReading(channel, self._power_w(channel, at[self.place_of(channel)], query))
            for channel in channels
        )

    def _read_one_by_one(self, channels: Sequence[int]) -> tuple[PowerReading, ...]:
        """A module's trigger is its master's: reading that triggers all its channels, the others are then
        fetched."""
        of_masters: dict[str, float] = {}
        readings: list[PowerReading] = []
        for channel in channels:
            place, module = self.place_of(channel), self._module_of(channel)
            query = f":READ{module}:POW?"
            if module not in of_masters:
                limit_s = self._limit_s([self._averaging_of[module]])
                reply = self._session.query(query, time_limit_s=limit_s)
                of_masters[module] = reply.unchecked_real()
            value_w = of_masters[module]
            if place != module:
                query = f":FETC{place}:POW?"
                value_w = self._session.query(query).unchecked_real()
            readings.append(PowerReading(channel, self._power_w(channel, value_w, query)))
        return tuple(readings)

    def _power_w(self, channel: int, power_w: float, command: str) -> float:
        """A reading as it came, as a power."""
        if is_not_a_number(power_w):
            raise InvalidReadingError(
                self._name,
                f"{self._called(channel)} has no valid reading",
                command=command,
                reply=power_w,
                advice="It may not have been triggered.",
            )
        if power_w <= -_HUGE_W:
            return 0.0
        if self._implausible_w(channel) <= abs(power_w) < _HUGE_W:
            self._session.distrust()
            raise GarbledReplyError(
                self._name,
                f"{self._called(channel)}: {power_w:g} W is no power that it can measure",
                command=command,
                reply=power_w,
                advice="It may answer in dBm: try the option block_reading = false.",
            )
        if power_w >= _HUGE_W:
            raise OverloadError(
                self._name,
                f"{self._called(channel)}: the light is beyond its range",
                command=command,
                reply=power_w,
                advice=f"It takes at most {self._highest_dbm(channel):g} dBm; check what is routed to it.",
            )
        return power_w

    # -- zero --------------------------------------------------------------------------------------

    def zero(self, channels: Sequence[int] | None = None) -> None:
        """Zero ``channels`` (default: all), which must be dark: "Zeroing fails if the power meter receives
        input light". Both channels of a dual sensor are zeroed together, and must both be dark.

        :raises InstrumentError: when one reports that it failed.
        :raises NotSettledError: when it takes longer than ``zeroing_limit_s``.
        """
        asked = self._checked(self.channels if channels is None else channels)
        modules: dict[str, int] = {}
        for channel in asked:
            modules.setdefault(self._module_of(channel), channel)
        for module, channel in modules.items():
            self._session.command(f":SENS{module}:CORR:COLL:ZERO", check=False)
            self._session.wait_complete(self.zeroing_limit_s, interval_s=0.5)
            query = f":SENS{module}:CORR:COLL:ZERO?"
            status = self._session.query(query)
            if status.integer() != 0:
                raise InstrumentError(
                    self._name,
                    f"zeroing of {self._called(channel)} failed",
                    command=query,
                    reply=status.text,
                    advice="Cover its module's ports or switch the light off, then zero again.",
                )
        self._session.check_errors(":SENS:CORR:COLL:ZERO")

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off: a meter emits nothing. Sends nothing."""
        return ()

    # -- below -------------------------------------------------------------------------------------

    def _ask_averaging(self, modules: Iterable[str]) -> None:
        """What a reading may take, until it is configured.

        :raises GarbledReplyError: for what is no averaging time: a reading would be waited for without end.
        """
        for module in modules:
            reply, averaging_s = self._averaging_s.asked(module)
            if not 0.0 <= averaging_s <= _LONGEST_AVERAGING_S:
                raise reply.garbled("no averaging time that it can have")
            self._averaging_of[module] = averaging_s

    def _ask_block_pairs(self) -> tuple[tuple[int, int], ...]:
        """The (slot, channel) pairs in whose order the block that reads all channels stands.

        :raises NoReplyError: when it does not know the query.
        """
        query = f"{self._block_query()}:CONF?"
        try:
            block = self._session.query_block(query)
        except NoReplyError as fault:
            raise NoReplyError(
                self._name,
                fault.what,
                command=query,
                advice=f"Its firmware may be too old for this query. {_WITHOUT_BLOCK}",
            ) from fault
        with self._garbage_distrusted():
            return uint16_pairs(self._name, query, block)

    def _no_order(self, what: str, pairs: Sequence[tuple[int, int]]) -> GarbledReplyError:
        self._session.distrust()
        return GarbledReplyError(
            self._name,
            f"the block has not {what} once: (slot, channel) = {pairs}",
            command=f"{self._block_query()}:CONF?",
            advice=_WITHOUT_BLOCK,
        )

    def _limit_s(self, averagings_s: Iterable[float]) -> float:
        # A change of range costs another averaging time, and a second change may follow the first.
        return self._session.time_limit_s + 3.0 * self._together_s(averagings_s)

    @contextlib.contextmanager
    def _garbage_distrusted(self) -> Iterator[None]:
        try:
            yield
        except (GarbledReplyError, PartialReplyError, EmptyReplyError):
            self._session.distrust()
            raise

    def _checked(self, channels: Sequence[int]) -> tuple[int, ...]:
        for channel in channels:
            self.place_of(channel)
        return tuple(channels)

    def _no_channel(self, channel: int) -> OutOfRangeError:
        return OutOfRangeError(self._name, f"it has ports 1 to {len(self.channels)}, not {channel}")
