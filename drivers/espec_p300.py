"""ESPEC environmental chambers with a P300 or SCP-220 controller, over a serial line or TCP port 10001.

Never run on hardware by this project. From public drivers only, one of them the maker's own: ``TEMP?``,
``TEMP, S``, ``MON?``, ``MODE, CONSTANT|STANDBY|OFF``, ``MODE?``, ``POWER, ON``, ``ALARM?``, ``TYPE?``,
``ROM?``, answers ``OK:`` with the command and ``NA:`` with a reason, CR LF, the address before the command on
a line with several chambers, and that a TCP bridge ignores that address. Uncertain: how long it must rest
between commands (option ``command_interval_s``), what ``TYPE?`` calls the controller (option ``controller``),
how exactly ``OK:`` repeats the command (its first word alone is looked at), how long ``NA:CHB NOT READY`` may
last after ``POWER, ON``, and whether 0.1 C is the finest set point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from drivers.clock import Clock, wait_until
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    InstrumentError,
    InstrumentReportedError,
    NoReplyError,
    NotSettledError,
    OutOfRangeError,
    WrongIdentityError,
)
from drivers.interfaces import Controlled, Identity, SafetyStep
from drivers.line_session import LineForm, LineSession
from drivers.replies import Reply
from drivers.scpi import option

__all__ = ["ChamberAlarmError", "EspecP300"]

_REFUSED = "NA:"
_WITHOUT_NUMBER = -1
"""Its refusals have no numbers; :class:`InstrumentReportedError` wants one."""
_MODE = re.compile(r"OFF|STANDBY|CONSTANT|(?:RMT )?RUN(?: [A-Z ]{1,16})?")
_AT_REST = ("OFF", "STANDBY")
_WORD = re.compile(r"[A-Z]+")
_MOST_ALARMS = 99
_LONGEST_NAME = 40
_RESOLUTION_C = 0.06
_PLAUSIBLE_C = (-100.0, 250.0)


class ChamberAlarmError(InstrumentError):
    """The chamber reports alarms of its own. Attribute ``codes``: their numbers, as in its manual."""

    def __init__(self, instrument: str, codes: tuple[int, ...]) -> None:
        self.codes = codes
        shown = ", ".join(map(str, codes)) or "without a number"
        super().__init__(
            instrument,
            f"it reports alarm {shown}",
            command="ALARM?",
            advice="Look the number up in the chamber's manual; clear it at its panel.",
        )


@dataclass(frozen=True, slots=True)
class _Monitor:
    temperature_c: float
    mode: str
    alarms: int


@dataclass(slots=True)
class _Visit:
    """A set point on its way: what was asked for, and since when the air has been seen within the window."""

    temperature_c: float
    window_c: float
    soak_s: float
    inside_since_s: float | None = None
    looked_s: float = 0.0


class EspecP300:
    """A chamber that controls the temperature of its air, not of the module's case. Role ``thermal``.

    It knows neither window nor soak: the driver judges both, by the bench's clock, from what it sees of the
    air whenever :meth:`at_temperature` is asked. A case that makes heat ends up above its air.

    Options: ``lowest_c`` and ``highest_c`` (set points allowed, defaults -40 and 85: what an unpowered module
    is commonly stored at), ``address`` (of several chambers on one RS-485 line, 1 to 16; 0, the default:
    none), ``echo`` (the adapter gives back what is sent, default false), ``command_interval_s`` (rest between
    commands, default 0.3, at most 1: seconds count when it is made safe), ``controller`` (what ``TYPE?``
    calls it; default: anything with P300 or SCP220 in it). Never run on hardware by this project.
    """

    ambient_c: ClassVar[float] = 25.0
    """What :meth:`make_safe` commands."""
    longest_gap_s: ClassVar[float] = 60.0
    """Air that was not looked at for longer has to soak anew: what it did meanwhile is not known."""
    safe_quiet_s: ClassVar[float] = 0.5
    """While it is made safe, a silence of this length says that no answer is under way any more. An answer
    that comes later costs another try, and is not taken for another's: their forms differ."""
    ready_limit_s: ClassVar[float] = 30.0
    """How long it may be "not ready" after ``POWER, ON`` (an assumption)."""

    def __init__(
        self, session: LineSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        given = dict(options or {})
        self._session = session
        self._clock = clock
        self._name = name
        self._visit: _Visit | None = None
        self._lowest_c = option(given, "lowest_c", -40.0, instrument=name)
        self._highest_c = option(given, "highest_c", 85.0, instrument=name)
        address = option(given, "address", 0, instrument=name)
        rest_s = option(given, "command_interval_s", 0.3, instrument=name)
        self._controller = option(given, "controller", "", instrument=name)
        if not _PLAUSIBLE_C[0] <= self._lowest_c <= self.ambient_c <= self._highest_c <= _PLAUSIBLE_C[1]:
            raise BenchError(f"{name}: lowest_c takes -100 to 25, highest_c 25 to 250")
        if not (0 <= address <= 16 and 0.0 <= rest_s <= 1.0):
            raise BenchError(f"{name}: address takes 0 to 16, command_interval_s 0 to 1")
        session.form = LineForm(
            end="\r\n",
            prefix=f"{address}," if address else "",
            echoes=option(given, "echo", False, instrument=name),
            rest_s=rest_s,
            proof=(("TYPE?", _type), ("MODE?", _mode)),
            identity_query="TYPE?",
        )

    @property
    def name(self) -> str:
        """How errors and records call it: its role in the bench."""
        return self._name

    @property
    def session(self) -> LineSession:
        """Its session."""
        return self._session

    @property
    def controls(self) -> Controlled:
        """Its air: a case that makes heat ends up above it."""
        return "air"

    @property
    def temperature_range_c(self) -> tuple[float, float]:
        """Lowest and highest set point, Celsius: those of the bench file. The chamber's own limits are looked
        at besides, before a set point is sent."""
        return (self._lowest_c, self._highest_c)

    def connect(self) -> Identity:
        """Resynchronise, check what it is, and that it has no alarm. Its mode is left as it is.

        :raises ConnectionFailedError: when nothing answers.
        :raises WrongIdentityError: when another controller answers.
        :raises ChamberAlarmError: when it has an alarm.
        """
        try:
            self._session.resynchronise(anew=True)
            identity = self.identify()
        except NoReplyError as fault:
            raise ConnectionFailedError(
                self._name, "nothing answers at this address", command=fault.command, advice=fault.advice
            ) from fault
        bare = re.sub(r"[^A-Z0-9]", "", identity.model.upper())
        known = identity.model == self._controller if self._controller else re.search("P300|SCP220", bare)
        if not known:
            raise WrongIdentityError(
                self._name,
                f"expected {self._controller or 'a P300 or SCP-220'}, found {identity.model!r}",
                command="TYPE?",
                advice="Check driver and address in the bench file; if it is this chamber, name what "
                "it answers in the option controller.",
            )
        self._require_no_alarm()
        return identity

    def identify(self) -> Identity:
        """What ``TYPE?`` and ``ROM?`` tell: controller and firmware. It tells no serial number.

        :raises GarbledReplyError: when an answer has another form.
        """
        controller = _type(self._ask("TYPE?"))
        return Identity("ESPEC", controller, "", _text(self._ask("ROM?")))

    def start_setpoint_c(self, temperature_c: float, *, window_c: float, soak_s: float) -> None:
        """Begin to bring the air to ``temperature_c``: power on if it is off, set point, constant mode; set
        point and mode are read back.

        :raises OutOfRangeError: set point outside :attr:`temperature_range_c` or the chamber's own limits,
            window outside 0.1 to 10 C, soak outside 0 to 36000 s; nothing was set.
        :raises InstrumentReportedError: when it refuses a command.
        :raises ChamberAlarmError: when it has an alarm.
        :raises GarbledReplyError: when set point or mode read back otherwise.
        """
        self._within(temperature_c, *self.temperature_range_c, "set point", "C")
        self._within(window_c, 0.1, 10.0, "window", "C")
        self._within(soak_s, 0.0, 36000.0, "soak time", "s")
        self._visit = None
        _, _, high_c, low_c = self._temperatures_c()
        self._within(temperature_c, low_c, high_c, "set point (by the chamber's own limits)", "C")
        self._require_no_alarm()
        if _mode(self._ask("MODE?")) == "OFF":
            self._set("POWER, ON")
        self._set_when_ready(f"TEMP, S{temperature_c:.1f}")
        self._set_when_ready("MODE, CONSTANT")
        reply = self._ask("TEMP?")
        if abs(_temperatures(reply)[1] - temperature_c) > _RESOLUTION_C:
            raise reply.garbled(f"not the set point {temperature_c:g} C: it reads back otherwise")
        reply = self._ask("MODE?")
        if _mode(reply) != "CONSTANT":
            raise reply.garbled("not CONSTANT, as was set: it reads back otherwise")
        self._visit = _Visit(temperature_c, window_c, soak_s)

    def at_temperature(self) -> bool:
        """Whether the air has been seen within the window for the soak time, without a gap between two looks
        of more than :attr:`longest_gap_s`.

        :raises ChamberAlarmError: when it has an alarm: it would never get there.
        :raises NotSettledError: when it does not run any more, or no set point was asked for.
        """
        visit = self._visit
        if visit is None:
            raise NotSettledError(
                self._name, "no set point was started", advice="Call start_setpoint_c() first."
            )
        monitor = _monitor(self._ask("MON?"))
        if monitor.alarms:
            raise ChamberAlarmError(self._name, self._alarms())
        if monitor.mode != "CONSTANT":
            raise NotSettledError(
                self._name,
                f"its mode is {monitor.mode} and not CONSTANT: somebody stopped it",
                command="MON?",
                advice="Look at its panel, then begin the visit anew.",
            )
        now_s = self._clock.now_s()
        if abs(monitor.temperature_c - visit.temperature_c) > visit.window_c:
            visit.inside_since_s = None
        elif visit.inside_since_s is None or now_s - visit.looked_s > self.longest_gap_s:
            visit.inside_since_s = now_s
        visit.looked_s = now_s
        return visit.inside_since_s is not None and now_s - visit.inside_since_s >= visit.soak_s

    def read_air_c(self) -> float:
        """Temperature of the chamber's air, Celsius."""
        return self._temperatures_c()[0]

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """It has no error queue: the alarms that stand, as (number, text). They are cleared at its panel."""
        return tuple((code, "alarm") for code in self._alarms())

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Command ambient air: set point 25 C; at once, blind, and then again with the answer looked at. A
        program that runs is replaced by constant mode. A chamber that is off or in standby stays so: it
        neither heats nor cools. Read back: set point, mode, air temperature.

        It goes on running on purpose: air at ambient brings a hot module down and a cold one up without dew.
        """
        action = "air to ambient"
        command = f"TEMP, S{self.ambient_c:.1f}"
        self._visit = None
        told = ""
        try:
            self._session.send_blind(command)
        except InstrumentError as fault:
            told = f"{fault}; "
        form, modes = self._session.form, [""]

        def see_mode(reply: Reply) -> None:
            modes.append(_mode(reply))

        try:
            # Seconds count: a bench gives each instrument ten. Its mode is the proof that it is in step, and
            # whichever chamber it is, ambient is safe for it.
            self._session.form = replace(
                form, quiet_s=self.safe_quiet_s, proof=(("MODE?", see_mode),), identity_query=""
            )
            self._session.resynchronise()
            mode = modes[-1]
            if mode not in _AT_REST:
                if mode == "CONSTANT":
                    self._set(command)
                else:
                    self._set("MODE, CONSTANT")
                    self._set(command)
                    mode = _mode(self._ask("MODE?"))
            air_c, set_c, _, _ = self._temperatures_c()
        except InstrumentError as fault:
            return (SafetyStep(action, f"{told}{fault}", safe=False),)
        finally:
            self._session.form = form
        at_ambient = mode == "CONSTANT" and abs(set_c - self.ambient_c) < _RESOLUTION_C
        read_back = f"{mode}, set point {set_c:.1f} C, air {air_c:.1f} C"
        return (SafetyStep(action, read_back, safe=mode in _AT_REST or at_ambient),)

    # -- below -------------------------------------------------------------------------------------

    def _ask(self, query: str) -> Reply:
        """A query's answer.

        :raises InstrumentReportedError: when it is a refusal.
        """
        reply = self._session.query(query)
        if reply.text.strip().upper().startswith(_REFUSED):
            raise InstrumentReportedError(
                self._name, query, ((_WITHOUT_NUMBER, reply.text.strip()[len(_REFUSED) :]),)
            )
        return reply

    def _set(self, command: str) -> None:
        reply = self._ask(command)
        wanted = _WORD.match(command)
        match = re.match(r"OK:\s*(?:[0-9]+\s*,\s*)?([A-Z]+)", reply.text.strip().upper())
        if match is None or wanted is None or match[1] != wanted[0]:
            raise reply.garbled(f"not OK: with the command {command!r}")

    def _set_when_ready(self, command: str) -> None:
        """Set; while it says that it is not ready, again, for :attr:`ready_limit_s`."""
        wait_until(
            self._clock,
            lambda: self._takes(command),
            timeout_s=self.ready_limit_s,
            interval_s=1.0,
            error=lambda: NotSettledError(
                self._name,
                f"it is still not ready after {self.ready_limit_s:g} s",
                command=command,
                advice="Look at its panel: door, alarms, main switch.",
            ),
        )

    def _takes(self, command: str) -> bool:
        try:
            self._set(command)
        except InstrumentReportedError as fault:
            if fault.entries[0][1].upper().startswith("CHB NOT READY"):
                return False
            raise
        return True

    def _temperatures_c(self) -> tuple[float, float, float, float]:
        return _temperatures(self._ask("TEMP?"))

    def _alarms(self) -> tuple[int, ...]:
        return _alarm_codes(self._ask("ALARM?"))

    def _require_no_alarm(self) -> None:
        codes = self._alarms()
        if codes:
            raise ChamberAlarmError(self._name, codes)

    def _within(self, value: float, low: float, high: float, what: str, unit: str) -> None:
        if not low <= value <= high:
            raise OutOfRangeError(
                self._name, f"{what} {value:g} {unit} is outside {low:g} to {high:g} {unit}; nothing was set"
            )


def _text(reply: Reply) -> str:
    text = reply.unquoted().strip()
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise reply.garbled("not a short text")
    return text


def _celsius(field: Reply, whole: Reply) -> float:
    value_c = field.unchecked_real()
    if not _PLAUSIBLE_C[0] <= value_c <= _PLAUSIBLE_C[1]:
        raise whole.garbled("not a temperature that a chamber has")
    return value_c


def _temperatures(reply: Reply) -> tuple[float, float, float, float]:
    """``TEMP?``: air, set point, upper limit, lower limit."""
    air, setting, high, low = (_celsius(field, reply) for field in reply.fields(4))
    return air, setting, high, low


def _monitor(reply: Reply) -> _Monitor:
    """``MON?``: air, humidity (empty, or left out, where there is none), mode, number of alarms."""
    fields = reply.fields(3, 4)
    return _Monitor(_celsius(fields[0], reply), _mode(fields[-2]), fields[-1].integer(0, _MOST_ALARMS))


def _mode(reply: Reply) -> str:
    text = reply.unquoted().strip().upper()
    if not _MODE.fullmatch(text):
        raise reply.garbled("not a mode such as STANDBY or CONSTANT")
    return text


def _alarm_codes(reply: Reply) -> tuple[int, ...]:
    """``ALARM?``: how many, then their numbers."""
    count, *codes = reply.fields(*range(1, _MOST_ALARMS + 2))
    numbers = tuple(code.integer(0, 9999) for code in codes)
    if count.integer(0, _MOST_ALARMS) != len(numbers):
        raise reply.garbled("not as many alarms as it says")
    return numbers


def _type(reply: Reply) -> str:
    """``TYPE?``: sensors (one or two), controller, highest temperature. Its controller."""
    fields = reply.fields(3, 4)
    _celsius(fields[-1], reply)
    if not all(_text(sensor).isalpha() for sensor in fields[:-2]):
        raise reply.garbled("not sensors, controller and highest temperature")
    return _text(fields[-2])
