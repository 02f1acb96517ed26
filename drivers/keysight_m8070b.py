"""Keysight M8040A bit error ratio tester, through the M8070B software on its controller.

Never run on hardware by this project. Commands, by how well they are known (section 1.5 of the instrument
notes): from the vendor's guide: location identifiers in quotes, ``:SOURce:FREQuency``, ``:DATA:LINecoding``
and its mapping, ``:DATA:SEQuence:SET``, ``:SOURce:VOLTage:AMPLitude``, ``:OUTPut:STATe`` and ``:GLOBal``,
``:INPut:CDR``, ``:CLOCk:SOURce``, ``:FETCh:BCOunter?`` and what its numbers mean; seen in public drivers
only: ``:INPut:ALIGnment:EYE:AUTO`` with ``:INPut:ALIGnment:STATus:VALue?`` (option ``alignment_status``),
``:PLUGin:ERATio`` with all below it, ``:OUTPut:EINSertion``, ``:STATus:INSTrument``; uncertain: how sequence
and measurements' names read back (quotes are optional here), whether an analyser takes a line coding of its
own, that ``*OPC`` waits for an alignment, ranges of amplitude and symbol rate, the ports of the software's
server. That PRBS with PAM4 and Gray mapping is PRBSnQ follows from IEEE 802.3, 120.5.11.2. Not offered, for
their commands are not known well enough: SSPRQ and other pattern files, jitter and noise of a stressed
source, jitter tolerance, de-emphasis, the multiplexer's mode (option ``clock_factor`` says what is set up).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from drivers.clock import Clock, polls
from drivers.errors import InstrumentError, NotSettledError, OutOfRangeError, UnsupportedError
from drivers.host_side_bert import HostSideBert
from drivers.interfaces import Identity, LaneErrors, SafetyStep
from drivers.replies import Reply
from drivers.scpi import ScpiInstrument, ScpiSession, option
from drivers.scpi_property import BoundSetting, Number, Setting, Switch, Whole, Words

__all__ = ["M8070B", "BitCounters", "InputStatus", "parse_counters", "parse_names"]

_LANES = range(1, 9)
_LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,39}")
_FIELD = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^,\"']*))\s*(?:,|$)")
_LARGEST_COUNT = 1e18
_FEWEST, _MOST = 4, 32  # numbers of a set after its location
_MOST_FIELDS = 1025
_ALIGNMENT_POLL_S = 0.5
_RUN_POLL_S = 0.1
_RUN_MARGIN_S = 10.0
_EXPONENTS = range(1, 13)
_CLOCK_SHARE = 1e-6
"""A lane's symbol rate may be 100 ppm off (IEEE 802.3, 120E), the clock of a tester far less."""


@dataclass(frozen=True, slots=True)
class BitCounters:
    """A set of the analyser's counters. ``symbols``: what follows for PAM4, as it came: compared and errored
    symbols, in total and of each symbol 0 to 3; empty for NRZ."""

    location: str
    time_s: float
    ones: int
    zeros: int
    errored_ones: int
    errored_zeros: int
    symbols: tuple[float, ...] = ()

    @property
    def bits(self) -> int:
        """Bits compared."""
        return self.ones + self.zeros

    @property
    def errors(self) -> int:
        """Of these, wrong."""
        return self.errored_ones + self.errored_zeros


@dataclass(frozen=True, slots=True)
class InputStatus:
    """What the analyser's input lacks."""

    clock_lost: bool
    data_lost: bool
    synchronisation_lost: bool

    @property
    def good(self) -> bool:
        """Whether it lacks nothing."""
        return not (self.clock_lost or self.data_lost or self.synchronisation_lost)


class M8070B(HostSideBert, ScpiInstrument):
    """One analyser lane and one or two generator lanes, at host lanes of the module. Never run on hardware by
    this project.

    Options: ``generators`` (locations, default ``["M1.DataOut1"]``) and ``generator_lanes`` (the host lane
    that each drives, default 1, 2), ``analyser`` (default ``"M2.DataIn"``) and ``analyser_lane`` (default:
    the first generator's), ``clock`` (``"M1.ClkGen"``), ``system`` (``"M1.System"``), ``measurement`` (name
    of the error ratio measurement that it makes for itself, ``"lanewise"``), ``symbol_rate_bd`` (default
    26.5625e9: a lane of 400GAUI-8), ``clock_factor`` (frequency of the clock per symbol rate, default 1; 2
    with a multiplexer that is set up so), ``amplitude_v`` (default 0.4), ``clock_recovery`` (default true;
    false: the analyser takes the system's clock), ``alignment_status`` (default true: ask
    ``STATus:VALue?`` how an alignment went; false: ``SALoss?``), ``alignment_limit_s`` (default 60),
    ``error_insertion`` (default true; false: the generators take no ``:OUTPut:EINSertion``).

    An alignment that fails for want of a signal is not an error: the lane is then not locked, and the next
    count tries to align again.
    """

    model_pattern = r"M80(?:40A|70[AB])(?:\b.*)?"
    model_shown = "Keysight M8070B"

    amplitude_range_v: ClassVar[tuple[float, float]] = (0.05, 0.9)
    """Single-ended, peak to peak; from memory."""
    symbol_rate_range_bd: ClassVar[tuple[float, float]] = (2e9, 64e9)
    """From memory."""
    gate_range_s: ClassVar[tuple[float, float]] = (0.1, 86_400.0)
    """A driver's choice: the software's own limits are not known."""
    status_interval_s: ClassVar[float] = 5.0
    """While a gate runs, the input is looked at this often."""
    sequences: ClassVar[Mapping[str, str]] = MappingProxyType(
        {f"PRBS{order}Q": f"2^{order}-1" for order in (7, 9, 13, 15, 23, 31)}
    )
    """Patterns to what the instrument calls their bits; orders from memory."""

    # Each at a location: 'M1.DataOut1'.
    frequency_hz = Setting(
        ":SOUR:FREQ '{at}',{value:.9G}",
        Number("Hz", (0.125 * symbol_rate_range_bd[0], 8.0 * symbol_rate_range_bd[1]), share=_CLOCK_SHARE),
        "Frequency of a clock.",
    )
    generator_amplitude_v = Setting(
        ":SOUR:VOLT:AMPL '{at}',{value:.9G}",
        Number("V", amplitude_range_v, share=1e-3),
        "Amplitude of a generator, by its host lane, as set: single-ended, peak to peak.",
    )
    line_coding = Setting(":DATA:LIN '{at}',{value}", Words("PAM4"), "What a symbol is.")
    pam4_mapping = Setting(":DATA:LIN:PAM4:MAPP '{at}',{value}", Words("GRAY"), "Which bits a symbol is.")
    output_is_on = Setting(":OUTP:STAT '{at}',{value}", Switch("0", "1"), "Whether a generator sends.")
    outputs_are_on = Setting(
        ":OUTP:GLOB:STAT '{at}',{value}", Switch("0", "1"), "Whether those generators send that are on."
    )
    errors_are_inserted = Setting(
        ":OUTP:EINS:STAT '{at}',{value}", Switch("0", "1"), "Whether a generator inserts errors."
    )
    insertion_mode = Setting(":OUTP:EINS:MODE '{at}',{value}", Words("ERATio"), "How it inserts errors.")
    insertion_ratio = Setting(
        ":OUTP:EINS:RAT '{at}',{value}",
        Words(*(f"RM{exponent}" for exponent in range(1, 13))),
        "Share of its bits that a generator sends wrong: RM6 is 1e-6.",
    )
    recovers_clock = Setting(
        ":INP:CDR:STAT '{at}',{value}", Switch("0", "1"), "Whether an analyser recovers its clock."
    )
    clock_source = Setting(
        ":CLOC:SOUR '{at}',{value}", Words("CDR", "SYS=SYST=SYSTEM"), "Where an analyser's clock is from."
    )
    alignment_threshold = Setting(
        ":INP:ALIG:EYE:THR '{at}',{value:.9G}",
        Number("1", (1e-9, 1e-1), share=1e-3),
        "Error ratio of the contour that an alignment looks for.",
    )
    # Of an error ratio measurement, by its name.
    measurement_end = Setting(":PLUG:ERAT:ACQ:AEND '{at}',{value}", Words("FDURation"), "What ends it.")
    measurement_kind = Setting(":PLUG:ERAT:ACQ:DUR '{at}',{value}", Words("FTIMe"), "What its length is of.")
    gate_s = Setting(
        ":PLUG:ERAT:ACQ:TIME '{at}',{value:.9G}", Number("s", gate_range_s, share=1e-3), "How long it counts."
    )
    interval_s = Setting(
        ":PLUG:ERAT:ACQ:INT '{at}',{value:.9G}", Number("s", gate_range_s, share=1e-3), "Time of one result."
    )
    history = Setting(":PLUG:ERAT:ACQ:HIST '{at}',{value}", Whole("1", (1, 1)), "Results that it keeps.")

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        generators = option(self._options, "generators", ["M1.DataOut1"], instrument=name)
        if not 1 <= len(generators) <= 2 or len(set(map(str, generators))) != len(generators):
            raise OutOfRangeError(name, f"option generators: one or two locations, not {generators}")
        lanes = option(self._options, "generator_lanes", list(_LANES[: len(generators)]), instrument=name)
        if len(lanes) != len(generators) or len(set(map(str, lanes))) != len(lanes):
            raise OutOfRangeError(
                name, f"option generator_lanes: a host lane for each of {len(generators)}, not {lanes}"
            )
        self._generators = {
            self._lane(lane, "generator_lanes"): self._location(place, "generators")
            for lane, place in zip(lanes, generators, strict=True)
        }
        first = next(iter(self._generators))
        self._analyser_lane = self._lane(
            option(self._options, "analyser_lane", first, instrument=name), "analyser_lane"
        )
        self._analyser = self._text("analyser", "M2.DataIn")
        self._clock_location = self._text("clock", "M1.ClkGen")
        self._system = self._text("system", "M1.System")
        self._measurement = self._text("measurement", "lanewise")
        self._symbol_rate_bd = option(self._options, "symbol_rate_bd", 26.5625e9, instrument=name)
        self._within(self._symbol_rate_bd, *self.symbol_rate_range_bd, "option symbol_rate_bd", "Bd")
        self._clock_factor = option(self._options, "clock_factor", 1.0, instrument=name)
        self._within(self._clock_factor, 0.125, 8.0, "option clock_factor", "")
        amplitude_v = option(self._options, "amplitude_v", 0.4, instrument=name)
        self._within(amplitude_v, *self.amplitude_range_v, "option amplitude_v", "V")
        self._amplitudes_v = dict.fromkeys(self._generators, amplitude_v)
        self._recovers_clock = option(self._options, "clock_recovery", True, instrument=name)
        self._asks_status = option(self._options, "alignment_status", True, instrument=name)
        self._alignment_limit_s = option(self._options, "alignment_limit_s", 60.0, instrument=name)
        self._within(self._alignment_limit_s, 1.0, 600.0, "option alignment_limit_s", "s")
        self._has_insertion = option(self._options, "error_insertion", True, instrument=name)
        self._inserted: dict[int, int] = {}
        """Exponents of the errors that were asked for, by host lane."""
        self._clock_set = False
        self._checking = ""
        self._aligned = False

    # -- what it is ----------------------------------------------------------------------------------

    @property
    def detector(self) -> str:
        """What counts, in words."""
        return f"M8040A analyser {self._analyser}"

    @property
    def lanes(self) -> tuple[int, ...]:
        """The host lane on which it counts errors."""
        return (self._analyser_lane,)

    @property
    def generator_lanes(self) -> tuple[int, ...]:
        """Host lanes that it drives."""
        return tuple(self._generators)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that it both sends and checks."""
        return tuple(self.sequences)

    # -- patterns ------------------------------------------------------------------------------------

    def connect(self) -> Identity:
        """Probe, check the model, clear the status. Outputs and settings stay as they are.

        :raises WrongIdentityError: when another model answers.
        """
        self._clock_set = self._aligned = False
        self._checking = ""
        self._inserted.clear()
        return super().connect()

    def start_pattern(
        self, pattern: str, lanes: Sequence[int] | None = None, *, generate: bool = True, check: bool = True
    ) -> None:
        """Send ``pattern`` (PAM4, Gray) from the generators of these host lanes and expect it at the
        analyser, which is aligned to what it sees; all settings are read back. ``lanes`` None: every
        generator, and the analyser. Errors are inserted as :meth:`set_error_insertion` said, and not as
        somebody else left it.

        :raises UnsupportedError: for a pattern that it has not, or a lane without generator or analyser.
        :raises ValueError: when neither sending nor checking is asked for.
        :raises InstrumentReportedError: when it refuses a setting.
        :raises GarbledReplyError: when what is read back is not what was set.
        :raises NotSettledError: when an alignment does not end.
        """
        if not (generate or check):
            raise ValueError("neither sending nor checking is asked for")
        if pattern not in self.sequences:
            raise UnsupportedError(
                self._name, f"it has no pattern {pattern}; it has {', '.join(self.sequences)}"
            )
        sending = self.generator_lanes if lanes is None else tuple(lanes)
        if generate:
            for lane in sending:
                self.place_of(lane)
        if check and lanes is not None:
            self._require_analyser(lanes)
        self._set_clock()
        if generate:
            for lane in sending:
                self._send(lane, pattern)
            self.outputs_are_on.set(True, self._system)
        if check:
            self._expect(pattern)
            self.align()

    def stop_pattern(self) -> None:
        """Turn the generators' outputs off, and forget what was to be checked."""
        self._checking, self._aligned = "", False
        for location in self._generators.values():
            self.output_is_on.set(False, location)

    def align(self) -> bool:
        """Set the analyser's thresholds and sampling point by what it sees; whether that succeeded.

        :raises NotSettledError: when it has not ended after ``alignment_limit_s``.
        """
        self._aligned = False
        if self._recovers_clock:
            self._session.command(f":INP:CDR:RELO '{self._analyser}'", check=False)
        self._session.command(f":INP:ALIG:EYE:AUTO '{self._analyser}'", check=False)
        self._session.wait_complete(self._alignment_limit_s, interval_s=_ALIGNMENT_POLL_S)
        self._session.drain_errors()  # what it says of an alignment that failed is asked for in words below
        if self._asks_status:
            reply = self._session.query(f":INP:ALIG:STAT:VAL? '{self._analyser}'")
            word = reply.unquoted().strip().upper()
            if word == "INPROGRESS":
                raise NotSettledError(
                    self._name, "it calls the alignment complete and in progress", command=reply.command
                )
            if word not in ("SUCCESS", "FAILED", "ABORTED", "UNKNOWN"):
                raise reply.garbled("not the status of an alignment")
            self._aligned = word == "SUCCESS"
        else:
            self._aligned = not self._flag("SAL")
        return self._aligned

    def set_alignment_threshold(self, ratio: float) -> None:
        """Error ratio of the contour that an alignment looks for.

        :raises OutOfRangeError: outside 1e-9 to 1e-1; nothing was sent.
        """
        self.alignment_threshold.set(ratio, self._analyser)

    # -- counting ------------------------------------------------------------------------------------

    def measure_errors(self, lanes: Sequence[int], gate_s: float) -> tuple[LaneErrors, ...]:
        """Count for ``gate_s`` on the analyser's host lane. Not locked: the alignment failed, or clock, data
        or synchronisation was lost at its begin or end or at a look between (every 5 s).

        :raises UnsupportedError: for other lanes than the analyser's.
        :raises OutOfRangeError: when the gate is out of range; nothing was sent.
        :raises InstrumentError: before :meth:`start_pattern` with ``check``.
        :raises NotSettledError: when the measurement does not end.
        """
        self._require_analyser(lanes)
        self._within(gate_s, *self.gate_range_s, "gate", "s")
        if not self._checking:
            raise InstrumentError(
                self._name, "no pattern is checked", advice="Call start_pattern() with check first."
            )
        if not self._aligned:
            self.align()
        self._prepare(gate_s)
        locked = self.input_status().good and self._aligned
        start_s = self._clock.now_s()
        self._session.command(f":PLUG:ERAT:STAR '{self._measurement}'")
        while (left_s := start_s + gate_s - self._clock.now_s()) > self.status_interval_s:
            self._clock.sleep(self.status_interval_s)
            locked = self.input_status().good and locked
        self._clock.sleep(max(0.0, left_s))
        self._wait_for_end(gate_s)
        locked = self.input_status().good and locked
        reply = self._session.query(f":PLUG:ERAT:FETC:DATA? '{self._measurement}'")
        counted = self._one_set(reply)
        return tuple(LaneErrors(lane, counted.bits, counted.errors, locked, gate_s) for lane in lanes)

    def counters(self) -> BitCounters:
        """The analyser's counters since they last were reset, not gated."""
        return self._one_set(self._session.query(f":FETC:BCO? '{self._analyser}'"))

    def input_status(self) -> InputStatus:
        """What the analyser's input lacks now."""
        return InputStatus(self._flag("CLOS"), self._flag("DLOS"), self._flag("SLOS"))

    # -- the generators ------------------------------------------------------------------------------

    def set_amplitude_v(self, lane: int, amplitude_v: float) -> None:
        """Amplitude of a generator, single-ended, peak to peak, volts; kept for later patterns too.

        :raises OutOfRangeError: when it is out of range; nothing was sent.
        :raises UnsupportedError: when no generator drives that host lane.
        """
        self.generator_amplitude_v.set(amplitude_v, lane)
        self._amplitudes_v[lane] = amplitude_v

    def amplitude_v(self, lane: int) -> float:
        """As set, volts."""
        return self.generator_amplitude_v(lane)

    def set_error_insertion(self, lane: int, ratio: float | None) -> None:
        """Make a generator send this share of its bits wrong; None: none.

        :raises OutOfRangeError: for what is not 1e-1, 1e-2, ... or 1e-12; nothing was sent.
        :raises UnsupportedError: when no generator drives that host lane.
        """
        location = self.place_of(lane)
        if not self._has_insertion:
            raise UnsupportedError(self._name, "by its option error_insertion it inserts no errors")
        if ratio is None:
            self._inserted.pop(lane, None)
            self._set_insertion(lane, location)
            return
        exponent = next((item for item in _EXPONENTS if abs(ratio * 10.0**item - 1.0) < 1e-6), None)
        if exponent is None:
            raise OutOfRangeError(
                self._name, f"it inserts errors at 1e-1, 1e-2, ... 1e-12, not {ratio:g}; nothing was sent"
            )
        self._inserted[lane] = exponent
        self._set_insertion(lane, location)

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Turn all outputs off, and then the insertion of errors, blind; then resynchronise, do it again and
        read it back."""
        self._inserted.clear()
        generators = self._generators.values()
        wanted = [("output", self.outputs_are_on, self._system)]
        wanted += [("output", self.output_is_on, location) for location in generators]
        if self._has_insertion:
            wanted += [("error insertion", self.errors_are_inserted, location) for location in generators]
        told = self._tell_blind_first(*(switch.to(False, place).command for _, switch, place in wanted))
        if told:
            return tuple(SafetyStep(f"{what} {place} off", told, safe=False) for what, _, place in wanted)
        return tuple(self._turn_off(f"{what} {place} off", switch, place) for what, switch, place in wanted)

    # -- inside --------------------------------------------------------------------------------------

    def _set_insertion(self, lane: int, location: str) -> None:
        exponent = self._inserted.get(lane)
        if exponent is None:
            self.errors_are_inserted.set(False, location)
            return
        self.insertion_mode.set("ERAT", location)
        self.insertion_ratio.set(f"RM{exponent}", location)
        self.errors_are_inserted.set(True, location)

    def _turn_off(self, action: str, switch: BoundSetting[bool], place: str) -> SafetyStep:
        try:
            self._session.command(switch.to(False, place).command, check=False)
            on = switch(place)
        except InstrumentError as fault:
            return SafetyStep(action, str(fault), safe=False)
        return SafetyStep(action, "on" if on else "off", safe=not on)

    def _set_clock(self) -> None:
        if not self._clock_set:
            self.frequency_hz.set(self._symbol_rate_bd * self._clock_factor, self._clock_location)
            self._clock_set = True

    def _send(self, lane: int, pattern: str) -> None:
        location = self._generators[lane]
        self._set_pattern(location, pattern)
        self.generator_amplitude_v.set(self._amplitudes_v[lane], location)
        if self._has_insertion:
            # Errors that somebody left switched on would be counted as the module's.
            self._set_insertion(lane, location)
        self.output_is_on.set(True, location)

    def _expect(self, pattern: str) -> None:
        self._checking, self._aligned = "", False
        self._set_pattern(self._analyser, pattern)
        self.recovers_clock.set(self._recovers_clock, self._analyser)
        self.clock_source.set("CDR" if self._recovers_clock else "SYS", self._analyser)
        self._checking = pattern

    def _set_pattern(self, location: str, pattern: str) -> None:
        self.line_coding.set("PAM4", location)
        self.pam4_mapping.set("GRAY", location)
        sequence = self.sequences[pattern]
        self._session.command(f":DATA:SEQ:SET '{location}',PRBS,'{sequence}'")
        reply = self._session.query(f":DATA:SEQ:SET? '{location}'")
        if parse_names(reply) != ("PRBS", sequence):
            raise reply.garbled(f"not PRBS,'{sequence}', as was set: it reads back otherwise")

    def _prepare(self, gate_s: float) -> None:
        """A measurement of our own, gated by time; others' are left alone."""
        name = f"'{self._measurement}'"
        if self._measurement not in parse_names(self._session.query(":PLUG:ERAT:CAT?")):
            self._session.command(f":PLUG:ERAT:NEW {name}")
        self._session.command(f":PLUG:ERAT:RES {name}")
        acquisition = ":PLUG:ERAT:ACQ"
        self._session.command(f"{acquisition}:ALOC {name},'{self._analyser}'")
        reply = self._session.query(f"{acquisition}:ALOC? {name}")
        if parse_names(reply) != (self._analyser,):
            raise reply.garbled(f"not {self._analyser}, as was set: it reads back otherwise")
        self.measurement_end.set("FDUR", self._measurement)
        self.measurement_kind.set("FTIM", self._measurement)
        self.gate_s.set(gate_s, self._measurement)
        # One result, over all of the time, instead of a history.
        self.interval_s.set(gate_s, self._measurement)
        self.history.set(1, self._measurement)

    def _wait_for_end(self, gate_s: float) -> None:
        limit_s = 0.1 * gate_s + _RUN_MARGIN_S
        query = f":PLUG:ERAT:RUN? '{self._measurement}'"
        for _ in polls(self._clock, self._clock.now_s() + limit_s, _RUN_POLL_S):
            if not self._session.query(query).boolean():
                return
        raise NotSettledError(
            self._name,
            f"the error ratio measurement still runs {limit_s:g} s after its {gate_s:g} s",
            command=query,
        )

    def _one_set(self, reply: Reply) -> BitCounters:
        sets = parse_counters(reply)
        if len(sets) != 1 or sets[0].location != self._analyser:
            raise reply.garbled(f"not one set of counters, of {self._analyser}")
        return sets[0]

    def _flag(self, what: str) -> bool:
        return self._session.query(f":STAT:INST:{what}? '{self._analyser}'").boolean()

    def place_of(self, channel: int) -> str:
        """The location of the generator of a host lane.

        :raises UnsupportedError: when none drives it.
        """
        if channel not in self._generators:
            driven = ", ".join(map(str, self._generators))
            raise UnsupportedError(self._name, f"its generators drive host lanes {driven}, not {channel}")
        return self._generators[channel]

    def _require_analyser(self, lanes: Sequence[int]) -> None:
        if not lanes or set(lanes) != {self._analyser_lane}:
            raise UnsupportedError(
                self._name,
                f"it has one analyser, on host lane {self._analyser_lane}; asked for {list(lanes)}",
            )

    def _text(self, key: str, default: str) -> str:
        return self._location(option(self._options, key, default, instrument=self._name), key)

    def _location(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not _LOCATION.fullmatch(value):
            raise OutOfRangeError(
                self._name, f"option {key}: {value!r} is no identifier such as 'M1.DataOut1'"
            )
        return value

    def _lane(self, value: object, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in _LANES:
            raise OutOfRangeError(self._name, f"option {key}: host lanes are 1 to 8, not {value!r}")
        return value


def parse_counters(reply: Reply) -> tuple[BitCounters, ...]:
    """Sets of counters: ``(time,"location",ones,zeros,errored ones,errored zeros[,symbols ...])``, one or
    several in the same parentheses or each in its own.

    :raises GarbledReplyError: for anything else, and for counts that cannot be.
    :raises EmptyReplyError: for an empty reply.
    :raises InvalidReadingError: for SCPI's "not a number".
    """
    fields = _fields(reply, re.sub(r"\)\s*,?\s*\(", ",", _bare(reply)))
    starts = [place - 1 for place, (_, quoted) in enumerate(fields) if quoted]
    if not starts or starts[0] != 0:
        raise reply.garbled("not sets of counters with a location each")
    sets = []
    for start, end in zip(starts, [*starts[1:], len(fields)], strict=True):
        time_s, *numbers = (
            reply.part(text).real() for text, quoted in _numbers(reply, fields[start:end]) if not quoted
        )
        if not _FEWEST <= len(numbers) <= _MOST or not all(0.0 <= n <= _LARGEST_COUNT for n in numbers):
            raise reply.garbled("not four counts or more after a location")
        ones, zeros, errored_ones, errored_zeros = (int(number) for number in numbers[:_FEWEST])
        if errored_ones > ones or errored_zeros > zeros:
            raise reply.garbled("more errors than bits")
        sets.append(
            BitCounters(
                fields[start + 1][0],
                time_s,
                ones,
                zeros,
                errored_ones,
                errored_zeros,
                tuple(numbers[_FEWEST:]),
            )
        )
    return tuple(sets)


def parse_names(reply: Reply) -> tuple[str, ...]:
    """Words with commas between, with or without quotes and parentheses; none for an empty reply.

    :raises GarbledReplyError: for anything else.
    """
    if reply.text.strip() in ("", "()", '""', "''"):
        return ()
    return tuple(text for text, _ in _fields(reply, _bare(reply)))


def _bare(reply: Reply) -> str:
    """Without the parentheses around it."""
    reply.fields(*range(1, _MOST_FIELDS))  # plain ASCII, and not too much of it
    text = reply.text.strip()
    opened, closed = text.startswith("("), text.endswith(")")
    if opened is not closed:
        raise reply.garbled("not in parentheses on both sides")
    return text[1:-1] if opened else text


def _fields(reply: Reply, text: str) -> list[tuple[str, bool]]:
    """What stands between commas, and whether it was in quotes."""
    fields: list[tuple[str, bool]] = []
    position = 0
    while position < len(text):
        match = _FIELD.match(text, position)
        if match is None:
            raise reply.garbled("not fields with commas between")
        double, single, plain = match.groups()
        quoted = double if double is not None else single
        word = plain.strip() if quoted is None else quoted
        if not word.isprintable() or not word or "(" in word or ")" in word:
            raise reply.garbled("not fields with something in them")
        fields.append((word, quoted is not None))
        position = match.end()
    if not fields or text.endswith(","):
        raise reply.garbled("not complete")
    return fields


def _numbers(reply: Reply, fields: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """A set's fields: a number, a location, numbers."""
    if len(fields) < 2 or [quoted for _, quoted in fields].count(True) != 1:
        raise reply.garbled("not a time and a location before its counts")
    return fields
