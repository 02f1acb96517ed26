"""Simple settings and readings of an instrument, each declared in one line of its driver's class::

    current_limit_a = Setting(
        "CURR {value:.4f},(@{at})", Number("A", limits_of=_current_range_a, tolerance=2e-3),
        "Current at which an output limits.")
    measure_voltage_v = Reading("MEAS:VOLT? (@{at})", Number("V", (-30.0, 30.0)), "Voltage at the load.")

and then ``supply.measure_voltage_v(1)``, ``supply.current_limit_a.set(2.5, 1)``, or, when several belong
together, ``set_all(supply.current_limit_a.to(2.5, 1), ...)``: all are sent, then all are read back.

What such a line says is held to: a value out of range raises :class:`~drivers.errors.OutOfRangeError` and
nothing is sent, of :func:`set_all` nothing at all; what was set is read back, and another value raises
:class:`~drivers.errors.GarbledReplyError` (a setting that cannot be read back says why); a reply of another
form raises a typed error. ``{at}`` in a command is where it goes: a channel number, which the driver's
:meth:`~drivers.scpi.ScpiInstrument.place_of` turns into what the instrument calls it, or the instrument's own
name of a place, as it is. An attribute is named for its unit (``wavelength_nm``).

What needs more than that (waiting until it has settled, a second condition, a reply of several parts) is
a method of its driver, which may use such a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, Never, Protocol, Self, TypeVar, cast, overload

from drivers.errors import GarbledReplyError, OutOfRangeError, UnsupportedError
from drivers.replies import Reply
from drivers.scpi import ScpiInstrument

__all__ = [
    "BoundReading",
    "BoundSetting",
    "Form",
    "Number",
    "Prepared",
    "Reading",
    "Setting",
    "Switch",
    "Whole",
    "Words",
    "set_all",
]

_T = TypeVar("_T")
_Limits = tuple[float, float]


class Form(Protocol[_T]):
    """What a value is: which are taken, what is sent for them, what the replies look like."""

    unit: str
    """Of the value; "1" of a number without unit, "" of what is no number."""

    def check(self, instrument: ScpiInstrument, what: str, value: _T, at: int | str) -> None:
        """Return when ``value`` can be set.

        :raises OutOfRangeError: when it cannot.
        """

    def sent(self, value: _T) -> object:
        """What stands for ``{value}`` in the command."""

    def parse(self, reply: Reply) -> _T:
        """The value of a reply.

        :raises InstrumentError: when it is none.
        """

    def agrees(self, wanted: _T, found: _T) -> bool:
        """Whether what is read back is what was set."""

    def plausible(self, instrument: ScpiInstrument, value: _T, at: int | str) -> bool:
        """Whether a reading can be."""


class _InRange:
    """Limits: constants; ``limits``, a method of the driver's class (the instrument's options or what it said
    of itself); or ``limits_of``, one that takes the channel's number."""

    def __init__(
        self,
        unit: str,
        limits: _Limits | Callable[[Never], _Limits] | None = None,
        *,
        limits_of: Callable[[Never, int], _Limits] | None = None,
    ) -> None:
        if (limits is None) is (limits_of is None):
            raise TypeError("a number has limits or limits_of")
        self.unit = unit
        self._limits = limits
        self._limits_of = limits_of

    def range_of(self, instrument: ScpiInstrument, at: int | str = "") -> _Limits:
        """Lowest and highest value."""
        if isinstance(self._limits, tuple):
            return self._limits
        # The driver's class declares both, the limits and the property: the instrument is one of its own.
        if self._limits is not None:
            return cast("Callable[[ScpiInstrument], _Limits]", self._limits)(instrument)
        if not isinstance(at, int):
            raise TypeError("these limits are those of a channel's number")
        return cast("Callable[[ScpiInstrument, int], _Limits]", self._limits_of)(instrument, at)

    def check(self, instrument: ScpiInstrument, what: str, value: float, at: int | str) -> None:
        """Refuse what is out of range, or no number."""
        low, high = self.range_of(instrument, at)
        if not low <= value <= high:
            unit = "" if self.unit == "1" else f" {self.unit}"
            raise OutOfRangeError(
                instrument.name,
                f"{what} {value:g}{unit} is outside {low:g} to {high:g}{unit}; nothing was sent",
            )

    def plausible(self, instrument: ScpiInstrument, value: float, at: int | str) -> bool:
        """Whether it is in range."""
        low, high = self.range_of(instrument, at)
        return low <= value <= high


class Number(_InRange):
    """A number in ``unit``; see there for the limits. What is read back may differ by ``tolerance`` (in
    ``unit``) or by this ``share`` of it, whichever is more. ``reply_unit`` is what one of the replies' units
    is in ``unit``: 1e9 where the replies are metres and the unit is nm; ``sent_unit`` the same of what is
    sent, where a command does not name the unit. ``among``: all that can be set, where that is
    not every number."""

    def __init__(
        self,
        unit: str,
        limits: _Limits | Callable[[Never], _Limits] | None = None,
        *,
        limits_of: Callable[[Never, int], _Limits] | None = None,
        tolerance: float = 0.0,
        share: float = 0.0,
        reply_unit: float = 1.0,
        sent_unit: float = 1.0,
        among: tuple[float, ...] = (),
    ) -> None:
        super().__init__(unit, limits, limits_of=limits_of)
        self.tolerance = tolerance
        self.share = share
        self.reply_unit = reply_unit
        self.sent_unit = sent_unit
        self.among = among

    def check(self, instrument: ScpiInstrument, what: str, value: float, at: int | str) -> None:
        """Refuse what is out of range, no number, or none of those that can be set."""
        super().check(instrument, what, value, at)
        if self.among and value not in self.among:
            known = ", ".join(f"{known:g}" for known in self.among)
            raise OutOfRangeError(
                instrument.name, f"{what} {value:g} is none of {known} {self.unit}; nothing was sent"
            )

    def sent(self, value: float) -> object:
        """The number: the command says how it is written."""
        return value / self.sent_unit

    def parse(self, reply: Reply) -> float:
        """NR1, NR2 or NR3; SCPI's infinity and "not a number" raise."""
        return reply.real() * self.reply_unit

    def agrees(self, wanted: float, found: float) -> bool:
        """Within tolerance."""
        return abs(found - wanted) <= max(self.tolerance, self.share * abs(wanted))


class Whole(_InRange):
    """A whole number, which is read back exactly (as NR1, or as NR3 without a fraction)."""

    def check(self, instrument: ScpiInstrument, what: str, value: float, at: int | str) -> None:
        """Refuse what is out of range, or not whole."""
        super().check(instrument, what, value, at)
        if value != int(value):
            raise OutOfRangeError(instrument.name, f"{what} {value:g} is not whole; nothing was sent")

    def sent(self, value: int) -> object:
        """Its digits."""
        return int(value)

    def parse(self, reply: Reply) -> int:
        """A number without a fraction."""
        value = reply.real()
        if not value.is_integer():
            raise reply.garbled("not a whole number")
        return int(value)

    def agrees(self, wanted: int, found: int) -> bool:
        """The same."""
        return wanted == found


class Switch:
    """On or off. ``off`` and ``on`` are sent for them; these, 0 and 1, OFF and ON are taken as replies."""

    unit = ""

    def __init__(self, off: str, on: str) -> None:
        self.words = (off, on)

    def check(self, instrument: ScpiInstrument, what: str, value: bool, at: int | str) -> None:
        """Refuse what is neither True nor False."""
        if not isinstance(value, bool):
            raise OutOfRangeError(instrument.name, f"{what}: True or False, not {value!r}; nothing was sent")

    def sent(self, value: bool) -> object:
        """Its word."""
        return self.words[value]

    def parse(self, reply: Reply) -> bool:
        """Its words, or a boolean."""
        text = reply.text.strip().upper()
        return text == self.words[True] if text in self.words else reply.boolean()

    def agrees(self, wanted: bool, found: bool) -> bool:
        """The same."""
        return wanted is found

    def plausible(self, instrument: ScpiInstrument, value: bool, at: int | str) -> bool:
        """Any is."""
        return True


class Words:
    """One of several words. Each is given as a manual writes it, ``"CRECovery"``: it may be answered in its
    short form CREC or its long one CRECOVERY, quoted or not. Other answers that mean the same stand behind
    it: ``"MID=2"`` for an instrument that answers some words with numbers.

    A value is what is sent, as it is: any of these forms. What is read is the short form.
    """

    unit = ""

    def __init__(self, *words: str) -> None:
        self.choices: dict[str, str] = {}
        """Every form, to the word it stands for."""
        for word in words:
            shown, *others = word.split("=")
            short = re.sub("[a-z]", "", shown)
            self.choices |= dict.fromkeys((short, shown.upper(), *others), short)

    def check(self, instrument: ScpiInstrument, what: str, value: str, at: int | str) -> None:
        """Refuse what is none of them."""
        if value not in self.choices:
            known = ", ".join(dict.fromkeys(self.choices.values()))
            raise OutOfRangeError(instrument.name, f"{what}: one of {known}, not {value!r}; nothing was sent")

    def sent(self, value: str) -> object:
        """The word itself."""
        return value

    def parse(self, reply: Reply) -> str:
        """The short form of one of them."""
        word = reply.unquoted().strip().upper()
        found = self.choices.get(word) or self.choices.get(word.removeprefix("+"))
        if found is None:
            raise reply.garbled(f"none of {', '.join(dict.fromkeys(self.choices.values()))}")
        return found

    def agrees(self, wanted: str, found: str) -> bool:
        """The same word."""
        return self.choices[wanted] == found

    def plausible(self, instrument: ScpiInstrument, value: str, at: int | str) -> bool:
        """Any is."""
        return True


class Reading(Generic[_T]):
    """What an instrument answers to ``query``; ``doc`` says what it is. Called, it asks. The limits of its
    form are what can be: an answer outside of them is garbage."""

    def __init__(self, query: str, form: Form[_T], doc: str) -> None:
        self.query = query
        self.form = form
        self.name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instrument: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instrument: ScpiInstrument, owner: type) -> BoundReading[_T]: ...
    def __get__(self, instrument: ScpiInstrument | None, owner: type) -> Self | BoundReading[_T]:
        """Itself of the class; of an instrument what can be asked."""
        return self if instrument is None else BoundReading(self, instrument)

    @property
    def shown(self) -> str:
        """What errors call it: its name as words, without its unit."""
        words = self.name.strip("_").split("_")
        unit = re.split(r"\W+", self.form.unit.lower())
        return " ".join(words[: -len(unit)] if words[-len(unit) :] == unit else words)


class Setting(Reading[_T]):
    """What ``command`` sets, with ``{value}`` in it. It is read back by ``query``, by default the
    command's own with its other parameters: ``VOLT {value:.4f},(@{at})`` by ``VOLT? (@{at})``.
    ``unread``: why it is not read back, and cannot be asked for."""

    def __init__(self, command: str, form: Form[_T], doc: str, *, query: str = "", unread: str = "") -> None:
        header, _, parameters = command.partition(" ")
        others = ",".join(item for item in parameters.split(",") if "{value" not in item)
        super().__init__(query or f"{header}? {others}".rstrip(), form, doc)
        self.command = command
        self.unread = unread

    @overload
    def __get__(self, instrument: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instrument: ScpiInstrument, owner: type) -> BoundSetting[_T]: ...
    def __get__(self, instrument: ScpiInstrument | None, owner: type) -> Self | BoundSetting[_T]:
        """Itself of the class; of an instrument what can be asked and set."""
        return self if instrument is None else BoundSetting(self, instrument)


class BoundReading(Generic[_T]):
    """A reading of one instrument."""

    def __init__(self, declared: Reading[_T], instrument: ScpiInstrument) -> None:
        self._reading = declared
        self._instrument = instrument
        self.__doc__ = declared.__doc__

    def __call__(self, channel: int | str = "") -> _T:
        """Ask for it.

        :raises InstrumentError: of a type that says what is wrong with the answer, or with the channel.
        """
        _, value = self.asked(channel)
        return value

    def asked(self, at: int | str = "") -> tuple[Reply, _T]:
        """The reply, and its value."""
        reply = self._ask(at)
        return reply, self._value(reply, at)

    def _ask(self, at: int | str) -> Reply:
        declared = self._reading
        if isinstance(declared, Setting) and declared.unread:
            raise UnsupportedError(self._instrument.name, f"{declared.shown}: {declared.unread}")
        return self._instrument.session.query(self._line(declared.query, at))

    def _value(self, reply: Reply, at: int | str) -> _T:
        declared = self._reading
        value = declared.form.parse(reply)
        if not isinstance(declared, Setting) and not declared.form.plausible(self._instrument, value, at):
            raise reply.garbled(f"no {declared.shown} that it can have")
        return value

    def _line(self, template: str, at: int | str, value: object = None) -> str:
        """A command or query as it is sent."""
        if ("{at}" in template) is (at == ""):
            raise TypeError(f"{self._reading.name}: {template!r}, called with the channel {at!r}")
        place = self._instrument.place_of(at) if isinstance(at, int) else at
        return template.format(value=value, at=place)


class BoundSetting(BoundReading[_T]):
    """A setting of one instrument."""

    def __init__(self, declared: Setting[_T], instrument: ScpiInstrument) -> None:
        super().__init__(declared, instrument)
        self._setting = declared

    def set(self, value: _T, channel: int | str = "") -> None:
        """Set it and read it back.

        :raises OutOfRangeError: when it cannot be set; nothing was sent.
        :raises InstrumentReportedError: when the instrument refuses it.
        :raises GarbledReplyError: when what is read back is not what was set.
        """
        set_all(self.to(value, channel))

    def to(self, value: _T, channel: int | str = "") -> Prepared:
        """What sets it to ``value``, for :func:`set_all`.

        :raises OutOfRangeError: when it cannot be set; nothing is sent.
        """
        declared, instrument = self._setting, self._instrument
        where = f"channel {channel}: " if isinstance(channel, int) else f"{channel}: " if channel else ""
        if isinstance(channel, int):
            instrument.place_of(channel)  # a channel that is none has no limits either
        declared.form.check(instrument, f"{where}{declared.shown}", value, channel)
        command = self._line(declared.command, channel, declared.form.sent(value))

        def read_back() -> None:
            if declared.unread:
                return
            reply = self._ask(channel)
            try:
                same = declared.form.agrees(value, self._value(reply, channel))
            except GarbledReplyError:
                same = False
            if not same:
                shown = f"{value:.9g}" if isinstance(value, float) else value
                raise reply.garbled(f"not the {shown} that was set: it reads back otherwise")

        return Prepared(command, lambda: instrument.tell(command), read_back)


class Prepared:
    """A setting with a value that can be set: what sends it, and what reads it back."""

    def __init__(self, command: str, send: Callable[[], None], read_back: Callable[[], None]) -> None:
        self.command = command
        self.send = send
        self.read_back = read_back


def set_all(*settings: Prepared) -> None:
    """Send these settings in their order, then read all of them back.

    :raises InstrumentReportedError: when the instrument refuses one.
    :raises GarbledReplyError: when what is read back is not what was set.
    """
    for setting in settings:
        setting.send()
    for setting in settings:
        setting.read_back()
