"""Simulated Keysight M8040A behind its M8070B software, plugged into host lanes of the module.

What the vendor's guide and public drivers leave open, this one does so [?]: an unknown location is -224, an
alignment that fails leaves -200 in the error queue, ``*OPC`` waits for alignments and measurements, a
measurement that never ran is fetched as ``()``, counters begin at 0 with a new sequence or alignment.

Left out: the electrical channel (amplitude is kept and does nothing), jitter and noise of a stressed source,
NRZ at the module, any difference between clock recovery and the system's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.simulation.host_lanes import LANE_BITS_PER_S, HostLanes
from harness.simulation.light.errors import binomial_count, error_count
from harness.simulation.light.reception import HIGHEST_LOCKED_BER, LOCK_RANGE_PPM
from harness.simulation.module.monitoring.checkers import Checker, Count
from harness.simulation.scpi_tree import Call, ScpiError, ScpiPeer
from harness.simulation.signals import UNKNOWN, LineSignal, Pattern
from harness.simulation.world import NS_PER_S, Event, World

__all__ = ["M8070bPeer"]

_BITS_PER_SYMBOL: Final = 2
_SYMBOL_RATE_BD: Final = LANE_BITS_PER_S / _BITS_PER_SYMBOL
_FREQUENCY_HZ: Final = (1e9, 64e9)
_AMPLITUDE_V: Final = (0.05, 0.9)
_THRESHOLD: Final = (1e-9, 1e-1)
_LOOK_NS: Final = NS_PER_S // 10
_EPOCH_S: Final = 1.7e9
# Bits of the sequence, to the code of its PAM4 form (13h:148).
_PATTERN_CODES: Final = {
    "2^31-1": 0, "2^23-1": 2, "2^15-1": 4, "2^13-1": 6, "2^9-1": 8, "2^7-1": 10,
}  # fmt: skip


@dataclass
class _Data:
    """What a data output or input has in common."""

    coding: str = "NRZ"
    mapping: str = "NONE"
    sequence: str = "2^31-1"

    @property
    def pattern(self) -> Pattern:
        """What it sends or expects; in NRZ, or not Gray coded, nothing that a module knows."""
        known = self.coding == "PAM4" and self.mapping == "GRAY"
        return Pattern(_PATTERN_CODES[self.sequence]) if known else UNKNOWN


@dataclass
class _Output(_Data):
    lane: int = 1
    amplitude_v: float = 0.1
    on: bool = False
    inserting: bool = False
    insertion_mode: str = "ERAT"
    insertion_exponent: int = 6

    @property
    def inserted_ber(self) -> float:
        """Share of its bits that it sends wrong."""
        return 10.0**-self.insertion_exponent if self.inserting else 0.0


@dataclass
class _Input(_Data):
    recovering: bool = False
    clock: str = "SYS"
    threshold: float = 1e-3
    alignment: str = "UNKNOWN"
    aligning: Event | None = field(default=None, repr=False)


@dataclass
class _Measurement:
    location: str = ""
    end: str = "FDUR"
    duration: str = "IND"
    time_s: float = 1.0
    interval_s: float = 1.0
    history: float = 10.0
    running: Event | None = field(default=None, repr=False)
    before: Count = field(default_factory=Count)
    result: Count | None = None


class M8070bPeer(ScpiPeer):
    """One analyser and one or two generators, each at a host lane; by default as the driver's options have
    it.

    A generator drives its host lane while its output and the global one are on; else the host is there. The
    analyser sees its pattern once it is aligned, which takes up to ``alignment_s``.
    """

    def __init__(
        self,
        world: World,
        host_lanes: HostLanes,
        *,
        role: str,
        serial: str = "SIM0009",
        generators: Sequence[str] = ("M1.DataOut1", "M1.DataOut2"),
        generator_lanes: Sequence[int] | None = None,
        analyser: str = "M2.DataIn",
        analyser_lane: int | None = None,
        clock: str = "M1.ClkGen",
        system: str = "M1.System",
        alignment_s: float = 40.0,
    ) -> None:
        super().__init__(
            world,
            role=role,
            identity=f"Keysight Technologies,M8070B,{serial},10.0.0.0 simulated",
            error_format='{code},"{text}"',
        )
        self._host_lanes = host_lanes
        self._serial = serial
        lanes = generator_lanes or range(1, len(generators) + 1)
        self._places = dict(zip(generators, lanes, strict=True))
        self._analyser, self._lane = analyser, analyser_lane or lanes[0]
        self._clock, self._system = clock, system
        self._alignment_s = alignment_s
        self._checker = Checker(self._draw)
        self._look_event: Event | None = None
        self._measurements: dict[str, _Measurement] = {}
        self._global_on = False
        self._frequency_hz = 10e9
        self._outputs: dict[str, _Output] = {}
        self._input = _Input()
        self._preset()
        self._declare()

    def reset(self) -> None:
        """``*RST``: outputs off, NRZ, nothing aligned, measurements gone."""
        for event in (self._input.aligning, self._look_event):
            if event is not None:
                event.cancel()
        for measurement in self._measurements.values():
            if measurement.running is not None:
                measurement.running.cancel()
        self._look_event = None
        self._measurements.clear()
        self._checker.stop()
        self._preset()
        self._drive()

    def _preset(self) -> None:
        self._global_on = False
        self._frequency_hz = 10e9
        self._outputs = {place: _Output(lane=lane) for place, lane in self._places.items()}
        self._input = _Input()

    def _declare(self) -> None:
        self.setting("SOURce:FREQuency", self._set_frequency)
        self.query("SOURce:FREQuency", lambda call: self._of_clock(call, f"{self._frequency_hz:.9E}"))
        self._word("DATA:LINecoding", self._data, "coding", "NRZ", "PAM4")
        self._word("DATA:LINecoding:PAM4:MAPPing", self._data, "mapping", "NONE", "GRAY", "CUSTom")
        self.setting("DATA:SEQuence:SET", self._set_sequence)
        self.query("DATA:SEQuence:SET", lambda call: f'PRBS,"{self._data(call).sequence}"')
        self._number("SOURce:VOLTage:AMPLitude", self._output, "amplitude_v", _AMPLITUDE_V)
        self._flag("OUTPut:STATe", self._output, "on")
        self.setting("OUTPut:GLOBal:STATe", self._set_global)
        self.query("OUTPut:GLOBal:STATe", self._global)
        self._word("OUTPut:EINSertion:MODE", self._output, "insertion_mode", "ERATio", "EXTernal")
        self.setting("OUTPut:EINSertion:RATio", self._set_insertion)
        self.query("OUTPut:EINSertion:RATio", lambda call: f"RM{self._output(call).insertion_exponent}")
        self._flag("OUTPut:EINSertion:STATe", self._output, "inserting")
        self._flag("INPut:CDR:STATe", self._of_input, "recovering")
        self.setting("INPut:CDR:RELOck", self._relock)
        self._word("CLOCk:SOURce", self._of_input, "clock", "SYS", "CLK", "CDR", "AUXClk")
        self._number("INPut:ALIGnment:EYE:THReshold", self._of_input, "threshold", _THRESHOLD)
        self.setting("INPut:ALIGnment:EYE:AUTO", self._align)
        self.query("INPut:ALIGnment:STATus:VALue", lambda call: self._of_input(call).alignment)
        status = "STATus:INSTrument"
        self.query(f"{status}:CLOSs", lambda call: self._shown(call, self._signal() is None))
        self.query(f"{status}:DLOSs", lambda call: self._shown(call, self._incoming() is None))
        self.query(f"{status}:SLOSs", lambda call: self._shown(call, not self._looked().locked))
        self.query(f"{status}:SALoss", lambda call: self._shown(call, not self._aligned))
        self.query("FETCh:BCOunter", self._fetch_counters)
        self.query("FETCh:IBERate", self._fetch_ratio)
        plugin = "PLUGin:ERATio"
        self.query(f"{plugin}:CATalog", lambda _: ",".join(f'"{name}"' for name in self._measurements))
        self.setting(f"{plugin}:NEW", self._new)
        self.setting(f"{plugin}:DELete", self._delete)
        self.setting(f"{plugin}:RESet", self._reset_measurement)
        self.setting(f"{plugin}:ACQuisition:ALOCation", self._set_location)
        self.query(f"{plugin}:ACQuisition:ALOCation", lambda call: f'"{self._measurement(call).location}"')
        self._word(f"{plugin}:ACQuisition:AEND", self._measurement, "end", "FDURation", "BERatio")
        self._word(f"{plugin}:ACQuisition:DURation", self._measurement, "duration", "FTIMe", "INDefinite")
        self._number(f"{plugin}:ACQuisition:TIME", self._measurement, "time_s", (0.1, 1e6))
        self._number(f"{plugin}:ACQuisition:INTerval", self._measurement, "interval_s", (0.1, 1e6))
        self._number(f"{plugin}:ACQuisition:HISTory", self._measurement, "history", (1.0, 1e4))
        self.setting(f"{plugin}:STARt", self._start)
        self.setting(f"{plugin}:STOP", self._stop)
        self.query(f"{plugin}:RUN", lambda call: f"{int(self._measurement(call).running is not None)}")
        self.query(f"{plugin}:FETCh:DATA", self._fetch_measured)

    # -- what is asked of a location --------------------------------------------------------------

    def _word(self, pattern: str, find: Callable[[Call], object], name: str, *words: str) -> None:
        def set_word(call: Call) -> None:
            target, word = find(call), call.choice(*words)
            call.end()
            setattr(target, name, word)
            self._changed(target)

        self.setting(pattern, set_word)
        self.query(pattern, lambda call: str(getattr(find(call), name)))

    def _number(
        self, pattern: str, find: Callable[[Call], object], name: str, limits: tuple[float, float]
    ) -> None:
        def set_number(call: Call) -> None:
            target, value = find(call), call.number(minimum=limits[0], maximum=limits[1])
            call.end()
            setattr(target, name, value)

        self.setting(pattern, set_number)
        self.query(pattern, lambda call: f"{getattr(find(call), name):.9E}")

    def _flag(self, pattern: str, find: Callable[[Call], object], name: str) -> None:
        def set_flag(call: Call) -> None:
            target, on = find(call), call.boolean()
            call.end()
            setattr(target, name, on)
            self._changed(target)

        self.setting(pattern, set_flag)
        self.query(pattern, lambda call: str(int(getattr(find(call), name))))

    def _output(self, call: Call) -> _Output:
        return self._outputs[_one_of(call, tuple(self._outputs))]

    def _of_input(self, call: Call) -> _Input:
        _one_of(call, (self._analyser,))
        return self._input

    def _data(self, call: Call) -> _Data:
        place = _one_of(call, (*self._outputs, self._analyser))
        return self._outputs.get(place, self._input)

    def _measurement(self, call: Call) -> _Measurement:
        return self._measurements[_one_of(call, tuple(self._measurements))]

    def _of_clock(self, call: Call, shown: str) -> str:
        _one_of(call, (self._clock,))
        return shown

    def _shown(self, call: Call, lost: bool) -> str:
        self._of_input(call)
        return str(int(lost))

    # -- settings ----------------------------------------------------------------------------------

    def _changed(self, target: object) -> None:
        if isinstance(target, _Output):
            self._drive()
        elif target is self._input:
            self._restart()

    def _set_frequency(self, call: Call) -> None:
        _one_of(call, (self._clock,))
        frequency_hz = call.number(unit="HZ", minimum=_FREQUENCY_HZ[0], maximum=_FREQUENCY_HZ[1])
        call.end()
        self._frequency_hz = frequency_hz
        self._drive()
        self._restart()

    def _set_sequence(self, call: Call) -> None:
        data = self._data(call)
        call.choice("PRBS")
        sequence = _quoted(call)
        call.end()
        if sequence not in _PATTERN_CODES:
            raise ScpiError(-224)
        data.sequence = sequence
        self._changed(data)

    def _set_global(self, call: Call) -> None:
        _one_of(call, (self._system,))
        on = call.boolean()
        call.end()
        self._global_on = on
        self._drive()

    def _global(self, call: Call) -> str:
        _one_of(call, (self._system,))
        return str(int(self._global_on))

    def _set_insertion(self, call: Call) -> None:
        output, word = self._output(call), call.raw().upper()
        call.end()
        exponents = {f"RM{exponent}": exponent for exponent in range(1, 13)}
        if word not in exponents:
            raise ScpiError(-224)
        output.insertion_exponent = exponents[word]
        self._drive()

    def _drive(self) -> None:
        """What the host lanes carry from now on."""
        in_range = abs(self._frequency_hz / _SYMBOL_RATE_BD - 1.0) <= LOCK_RANGE_PPM * 1e-6
        for output in self._outputs.values():
            pattern = output.pattern if in_range else UNKNOWN
            driven = output.on and self._global_on
            self._host_lanes.send(output.lane, pattern if driven else None, ber=output.inserted_ber)

    # -- the analyser ------------------------------------------------------------------------------

    @property
    def _aligned(self) -> bool:
        return self._input.alignment == "SUCCESS"

    def _incoming(self) -> LineSignal | None:
        return self._host_lanes.received(self._lane)

    def _signal(self) -> LineSignal | None:
        """What comes in, with a clock to sample it by."""
        clocked = self._input.clock == "SYS" or (self._input.clock == "CDR" and self._input.recovering)
        in_range = abs(self._frequency_hz / _SYMBOL_RATE_BD - 1.0) <= LOCK_RANGE_PPM * 1e-6
        return self._incoming() if clocked and in_range else None

    def _relock(self, call: Call) -> None:
        """It locks by itself as soon as it can."""
        self._of_input(call)

    def _align(self, call: Call) -> None:
        self._of_input(call)
        call.end()
        if self._input.aligning is not None:
            raise ScpiError(-213)
        self._input.alignment = "INPROGRESS"
        self._checker.stop()
        share = self.world.noise.uniform(self.role, self._serial, self.world.now_ns, "alignment")
        duration_s = self._alignment_s * (0.5 + 0.5 * share)
        self._input.aligning = self.begin_operation(duration_s, self._align_done)

    def _align_done(self) -> None:
        self._input.aligning = None
        signal = self._signal()
        found = signal is not None and self._input.coding == "PAM4" and signal.ber < HIGHEST_LOCKED_BER
        self._input.alignment = "SUCCESS" if found else "FAILED"
        if not found:
            self.report(ScpiError(-200, "Execution error;alignment failed"))
        self._restart()

    def _restart(self) -> None:
        """Counters begin at 0, for what is expected now."""
        if not self._aligned:
            self._checker.stop()
            return
        self._checker.start(self.world.now_ns, self._input.pattern, self._signal(), gate_ns=0, update_ns=0)
        if self._look_event is None:
            self._plan_look()

    def _plan_look(self) -> None:
        self._look_event = self.world.at((self.world.now_ns // _LOOK_NS + 1) * _LOOK_NS, self._look)

    def revived(self) -> None:
        """A checker that runs is looked at again."""
        if self._look_event is None and self._checker.running:
            self._plan_look()

    def _look(self) -> None:
        self._look_event = None
        if self._checker.running and not self.silent:
            self._looked()
            self._plan_look()

    def _looked(self) -> Checker:
        if self._checker.running:
            self._checker.look(self.world.now_ns, self._signal(), LANE_BITS_PER_S)
        return self._checker

    def _draw(self, mean: float, burst_bits: float, start_ns: int) -> int:
        return error_count(self.world.noise, mean, burst_bits, self.role, self._serial, "errors", start_ns)

    # -- counters ----------------------------------------------------------------------------------

    def _fetch_counters(self, call: Call) -> str:
        self._of_input(call)
        return self._counters(self._looked().count)

    def _fetch_ratio(self, call: Call) -> str:
        self._of_input(call)
        ratio = self._looked().count.ratio
        shown = "9.91E+37" if ratio is None else f"{ratio:.6e}"
        return f'({self._time()},"{self._analyser}",{shown})'

    def _counters(self, count: Count) -> str:
        """Bits by halves, errors as they fall; a wrong bit is a wrong symbol, for the coding is Gray's."""

        def share(of: int, chance: float, *key: str | int) -> int:
            # Keyed by what is shared out: the same counters read twice are the same.
            return binomial_count(self.world.noise, of, chance, self.role, self._serial, count.bits, *key)

        ones, errored_ones = count.bits // 2, share(count.errors, 0.5, "ones")
        numbers = [ones, count.bits - ones, min(ones, errored_ones), count.errors - min(ones, errored_ones)]
        symbols = count.bits // _BITS_PER_SYMBOL
        errored = min(symbols, count.errors)
        numbers += [symbols, errored]
        for level in range(4):
            compared = symbols // (4 - level)
            wrong = min(compared, share(errored, 1.0 / (4 - level), "symbols", level))
            numbers += [compared, wrong]
            symbols, errored = symbols - compared, errored - wrong
        return f'({self._time()},"{self._analyser}",{",".join(f"{number:.12e}" for number in numbers)})'

    def _time(self) -> str:
        return f"{_EPOCH_S + self.world.now_s:.12e}"

    # -- measurements ------------------------------------------------------------------------------

    def _new(self, call: Call) -> None:
        name = _quoted(call)
        call.end()
        if not name or name in self._measurements:
            raise ScpiError(-224)
        self._measurements[name] = _Measurement()

    def _delete(self, call: Call) -> None:
        name = _one_of(call, tuple(self._measurements))
        call.end()
        self._end(self._measurements.pop(name))

    def _reset_measurement(self, call: Call) -> None:
        measurement = self._measurement(call)
        call.end()
        self._end(measurement)
        measurement.result = None

    def _set_location(self, call: Call) -> None:
        measurement = self._measurement(call)
        place = _one_of(call, (self._analyser,))
        call.end()
        measurement.location = place

    def _start(self, call: Call) -> None:
        measurement = self._measurement(call)
        call.end()
        if measurement.running is not None:
            raise ScpiError(-213)
        if not measurement.location or measurement.duration != "FTIM":
            raise ScpiError(-221)
        measurement.before = self._looked().count
        measurement.result = None
        measurement.running = self.begin_operation(measurement.time_s, lambda: self._end(measurement))

    def _stop(self, call: Call) -> None:
        measurement = self._measurement(call)
        call.end()
        self._end(measurement)

    def _end(self, measurement: _Measurement) -> None:
        if measurement.running is None:
            return
        measurement.running.cancel()
        measurement.running = None
        now, before = self._looked().count, measurement.before
        # Counters that began anew meanwhile hold less than before.
        since = Count() if now.bits < before.bits else before
        measurement.result = Count(now.errors - since.errors, now.bits - since.bits)

    def _fetch_measured(self, call: Call) -> str:
        measurement = self._measurement(call)
        call.end()
        return "()" if measurement.result is None else self._counters(measurement.result)


def _quoted(call: Call) -> str:
    text = call.raw()
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        raise ScpiError(-151)
    return text[1:-1]


def _one_of(call: Call, names: tuple[str, ...]) -> str:
    """A name in quotes, which tells capitals and small letters apart."""
    name = _quoted(call)
    if name not in names:
        raise ScpiError(-224)
    return name
