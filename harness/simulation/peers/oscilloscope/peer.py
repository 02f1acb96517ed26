"""The simulated instrument: its commands, locks and acquisitions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drivers.units import dbm_from_w
from harness.signal.waveform import Symbols, Waveform
from harness.simulation.light.beam import Beam, loudest, total_power_w
from harness.simulation.light.oscilloscope import NoTraceError, OscilloscopeFrontEnd, locked_symbols
from harness.simulation.light.waveform import is_modulated
from harness.simulation.peers.oscilloscope import shots
from harness.simulation.peers.oscilloscope.shots import NoValueError, Shot, TdecqSetUp
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import Call, ScpiError, ScpiPeer
from harness.simulation.signals import LineSignal
from harness.simulation.world import Event, World

__all__ = ["OscilloscopePeer"]

_NOT_A_NUMBER = "9.91E+37"
_RESET_S, _RELOCK_S, _PATTERN_LOCK_S, _AUTOSCALE_S = 2.0, 3.0, 4.0, 5.0
_NEVER_S = 1e7
_SAMPLES_PER_S = 250e3
_POINTS_OF_A_SWEEP = 1350
_AUTOMATIC_SAMPLES_PER_UI = 16
_LEAST_SCALED_W = 1e-6
_DELAY_S = 24e-9
_RATE_TOLERANCE = 1e-3
_OF_SCALE = (0.25, 1.6)
"""Powers over that at the last autoscale at which the trace is still well on the screen."""
_NOISE_BANDWIDTH_HZ = 26.5625e9
_CHANNEL_BANDWIDTH_HZ = 33e9
_RESPONSIVITY_SLOPE_PER_NM = 4.5e-4  # relative, of an InGaAs detector
_MONITOR_NOISE_W = 50e-9

_EYE_NODES = {
    "tdecq": "MEASure:EYE:TDEQ",
    "ceq": "MEASure:EYE:CEQ",
    "oma": "MEASure:EYE:OOMA",
    "er": "MEASure:EYE:OER",
    "power": "MEASure:EYE:APOWer",
    "linearity": "MEASure:EYE:PAM:LINearity",
    "transition": "MEASure:EYE:TTIMe",
    "osc power": "MEASure:OSCilloscope:APOWer",
    "rms": "MEASure:OSCilloscope:VRMS",
}
_IN_WATTS_OR_DBM = ("oma", "power", "osc power")
_TRANSITIONS = {"RIS": shots.rise_s, "FALL": shots.fall_s, "SLOW": shots.slowest_s}


@dataclass(frozen=True)
class _Channel:
    name: str
    port: int
    gain: float
    monitor_gain: float
    offset_w: float


@dataclass(frozen=True)
class _ClockLock:
    source: str


@dataclass(frozen=True)
class _PatternLock:
    source: str
    streams: tuple[Any, ...]


class OscilloscopePeer(ScpiPeer):
    """Optical inputs on the fibres of ``role``: its port is the channel's place in ``channels``, from 1 on.

    ``noise_w``: rms noise of a channel behind a filter of 26.5625 GHz; ``amplitude_accuracy``,
    ``power_accuracy``: the largest relative error of a channel's trace, and of its average power monitor;
    ``dark_w``: the largest offset of a trace (each channel draws its own within them); ``clock_oma_w``: least
    OMAouter that the clock recovery locks on; ``autoscale_failures``: so many first tries fail;
    ``uneven_ui``: by how much a waveform's points are off an even grid at most. All are guesses at data
    sheets.

    The clock recovery sees the light of the first channel that is displayed; that a lock is lost is noticed
    when somebody asks or an acquisition begins or ends. An acquisition without the locks it needs never ends.
    A trace that was not scaled has no value, one that left the screen since is questionable (it is not
    clipped). Left out: colour grades, histograms, masks, jitter and amplitude modes, files, statistics of
    measurements other than ``COUNt?``, extinction ratio correction.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        model: str = "N1010A",
        serial: str = "SIM0006",
        channels: tuple[str, ...] = ("1A", "1B", "1C", "1D"),
        noise_w: float = 12e-6,
        amplitude_accuracy: float = 0.008,
        power_accuracy: float = 0.02,
        dark_w: float = 0.5e-6,
        clock_oma_w: float = 30e-6,
        autoscale_failures: int = 0,
        uneven_ui: float = 0.0,
    ) -> None:
        super().__init__(
            world,
            role=role,
            identity=f"Keysight Technologies,{model},{serial},A.06.60 simulated",
            has_error_queue=False,
        )

        def draw(name: str, what: str) -> float:
            return 2.0 * world.noise.uniform(role, serial, name, what) - 1.0

        self._fibres = fibres
        self._serial = serial
        self._noise_w = noise_w
        self._clock_oma_w = clock_oma_w
        self._autoscale_failures = autoscale_failures
        self._uneven_ui = uneven_ui
        self._channels = {
            name: _Channel(
                name,
                port,
                gain=1.0 + amplitude_accuracy * draw(name, "gain"),
                monitor_gain=1.0 + power_accuracy * draw(name, "monitor"),
                offset_w=dark_w * draw(name, "dark"),
            )
            for port, name in enumerate(channels, start=1)
        }
        self._presets: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._clock: _ClockLock | None = None
        self._pattern: _PatternLock | None = None
        self._scale_w: dict[str, float] = {}
        self._shots: dict[str, Shot | str] = {}
        self._running: Event | None = None
        self._installed: set[tuple[str, str]] = set()
        self._source: dict[str, str] = {}
        self._declare()
        self._forget()

    def reset(self) -> None:
        """``*RST``: everything as preset, no lock, no data."""
        self._stop()
        self._forget()
        self.begin_operation(_RESET_S, lambda: None)

    def _forget(self) -> None:
        self._values = dict(self._presets)
        self._clock = self._pattern = None
        self._scale_w, self._shots = {}, {}
        self._installed, self._source = set(), {}

    # -- declaring ---------------------------------------------------------------------------------

    def _declare(self) -> None:
        self.query("SYSTem:ERRor", self._error)
        self.query("SYSTem:ERRor:NEXT", self._error)
        self.query("SYSTem:ERRor:COUNt", lambda _: f"{len(self._queue)}")
        self._word("SYSTem:MODE", "mode", "EYE", "OSCilloscope")
        self._word("SYSTem:BORDER", "order", "BENDian", "LENDian")
        self.setting("SYSTem:AUToscale", self._autoscale)
        for name in self._channels:
            self._declare_channel(f"CHANnel{name}", name)
        self._declare_trigger()
        self._declare_acquisition()
        self._declare_tdecq()
        for key, node in _EYE_NODES.items():
            self._declare_measurement(key, node)
        self._declare_waveform()

    def _declare_channel(self, node: str, name: str) -> None:
        self._switch(f"{node}:DISPlay", f"{name} shown", preset=self._channels[name].port == 1)
        self._number(f"{node}:WAVelength:VALue", f"{name} wavelength", 1250e-9, 1600e-9, 1310e-9, unit="M")
        self._switch(f"{node}:FILTer[:STATe]", f"{name} filter", preset=False)
        self._any_word(f"{node}:FSELect", f"{name} selected filter", "FILT1")
        self._switch(f"{node}:SIRC[:STATe]", f"{name} sirc", preset=False)
        self._number(
            f"{node}:SIRC:FBANdwidth", f"{name} bandwidth", 1e9, _CHANNEL_BANDWIDTH_HZ, 26.5625e9, unit="HZ"
        )

    def _declare_trigger(self) -> None:
        self._word("TRIGger:SOURce", "trigger", "FPANel", "CRECovery", "FRUN")
        self._word("TRIGger:BWLimit", "trigger bandwidth", "EDGE", "CLOCk")
        self._switch("TRIGger:PLENgth:AUTodetect", "length automatic", preset=True)
        self._number("TRIGger:PLENgth", "length", 2, 8_388_607, 127, whole=True)
        self.query("TRIGger:PLOCk", lambda _: str(int(not self._unlocked())))
        self.setting("TRIGger:PLOCk", self._lock_pattern)
        recovery = "CRECovery#"
        self._word(f"{recovery}:SOURce", "clock source", "ELECtrical", "OPTical")
        self._number(f"{recovery}:CRATe", "clock rate", 1e9, 64e9, 9.95328e9, unit="HZ")
        self._switch(f"{recovery}:ODRatio:AUTO", "divider automatic", preset=True)
        self._any_word(f"{recovery}:ODRatio", "divider", "SUB4")
        self.setting(f"{recovery}:RELock", self._relock)
        self.query(f"{recovery}:LOCKed", lambda _: str(int(not self._clockless())))

    def _declare_acquisition(self) -> None:
        self._switch("ACQuire:EPATtern", "entire pattern", preset=False)
        self._word("ACQuire:SPUI:MODE", "samples mode", "AUTomatic", "MANual")
        self._number("ACQuire:SPUI", "samples per ui", 2, 256, _AUTOMATIC_SAMPLES_PER_UI, whole=True)
        self._word("TIMebase:UNIT", "time unit", "SECond", "UINTerval")
        self._number("TIMebase:UIRange", "ui range", 1, 8_388_607, 2)
        self._switch("LTESt:ACQuire:STATe", "limit", preset=False)
        for word, key in (("PATTerns", "patterns"), ("WAVeforms", "waveforms"), ("SAMPles", "samples")):
            self.setting(f"LTESt:ACQuire:CTYPe:{word}", lambda call, key=key: self._limit(call, key))  # type: ignore[misc]
            self.query(f"LTESt:ACQuire:CTYPe:{word}", lambda _: str(self._values["limit count"]))
        self._presets |= {"limit of": "waveforms", "limit count": 1}
        self.setting("ACQuire:RUN", lambda _: self._run())
        self.setting("ACQuire:SINGle", lambda _: self._run())
        self.setting("ACQuire:STOP", lambda _: self._stop())
        self.setting("ACQuire:CDISplay", lambda _: self._shots.clear())

    def _declare_tdecq(self) -> None:
        self._word("FUNCtion1:FOPerator", "operator", "NONE", "TEQualizer")
        self.setting("FUNCtion1:OPERand1", lambda call: self._values.update(operand=self._channel_of(call)))
        self.query("FUNCtion1:OPERand1", lambda _: f"CHAN{self._values['operand']}")
        self._presets["operand"] = next(iter(self._channels))
        self._switch("FUNCtion1:DISPlay", "function shown", preset=False)
        equaliser = "SPRocess1:TEQualizer"
        self._number(f"{equaliser}:TAPS:COUNt", "taps", 1, 31, 5, whole=True)
        self._number(f"{equaliser}:TSPacing:TPUI", "taps per ui", 1, 1, 1, whole=True)
        self._number(f"{equaliser}:NPRecursors", "precursors", 0, 30, 2, whole=True)
        method = "MEASure:TDEQ"
        self._number(f"{method}:TSER", "target", 1e-9, 0.1, 5e-4)
        self._number(f"{method}:HWIDth", "width", 1e-3, 0.4, 0.04)
        self._number(f"{method}:OHSeparation", "spacing", 0.01, 0.9, 0.1)
        self._switch(f"{method}:OHTime", "shift", preset=True)
        self._switch(f"{method}:OHTHresholds", "thresholds", preset=True)
        self._number(f"{method}:TALimit", "threshold limit", 0.0, 10.0, 2.0)

    def _declare_measurement(self, key: str, node: str) -> None:
        self.setting(node, lambda call: self._install(call, key))
        self.setting(f"{node}:SOURce#", lambda call: self._identify(call, key))
        self.query(node, lambda _: self._shown(key))
        self.query(f"{node}:STATus", lambda _: self._judged(key)[0])
        for child in ("REASon", "DETails"):
            self.query(f"{node}:STATus:{child}", lambda _: f'"{self._judged(key)[1]}"')
        self.query(f"{node}:COUNt", lambda _: str(int(self._judged(key)[0] != "INV")))
        if key in _IN_WATTS_OR_DBM:
            self._word(f"{node}:UNITs", f"{key} unit", "DBM", "WATT")
        if key == "transition":
            self._word(f"{node}:TRANsition", "edge", "RISing", "FALLing", "SLOWest")
        if key == "rms":
            self._word(f"{node}:TYPe", "rms type", "DC", "AC")
            self._word(f"{node}:AREa", "rms area", "CYCLe", "DISPlay")

    def _declare_waveform(self) -> None:
        self.setting("WAVeform:SOURce", lambda call: self._values.update(wave=self._channel_of(call)))
        self._presets["wave"] = next(iter(self._channels))
        self.query("WAVeform:PATTern:COMPlete", lambda _: str(int(self._waveform() is not None)))
        self.query("WAVeform:STATus", lambda _: "INV" if self._waveform() is None else "CORR")
        self.query("WAVeform:STATus:REASons", lambda _: f'"{self._no_waveform()}"')
        self.query("WAVeform:STATus:REASon", lambda _: f'"{self._no_waveform()}"')
        self.query("WAVeform:XYFormat:POINts", lambda _: str(self._points()))
        self.query("WAVeform:XYFormat:FLOat:XDATa", lambda _: _block(self._xy(0)))
        self.query("WAVeform:XYFormat:FLOat:YDATa", lambda _: _block(self._xy(1)))

    def _switch(self, pattern: str, key: str, *, preset: bool) -> None:
        self._presets[key] = preset
        self.setting(pattern, lambda call: self._values.__setitem__(key, call.boolean()))
        self.query(pattern, lambda _: str(int(self._values[key])))

    def _number(
        self,
        pattern: str,
        key: str,
        low: float,
        high: float,
        preset: float,
        *,
        unit: str = "",
        whole: bool = False,
    ) -> None:
        self._presets[key] = preset

        def take(call: Call) -> None:
            value = call.number(unit=unit, minimum=low, maximum=high, default=preset)
            if whole and value != int(value):
                raise ScpiError(-104)
            call.end()
            self._values[key] = int(value) if whole else value

        self.setting(pattern, take)
        self.query(pattern, lambda _: str(self._values[key]) if whole else f"{self._values[key]:.8E}")

    def _word(self, pattern: str, key: str, *words: str) -> None:
        self._presets[key] = "".join(letter for letter in words[0] if not letter.islower())
        self.setting(pattern, lambda call: self._values.__setitem__(key, call.choice(*words)))
        self.query(pattern, lambda _: self._values[key])

    def _any_word(self, pattern: str, key: str, preset: str) -> None:
        self._presets[key] = preset
        self.setting(pattern, lambda call: self._values.__setitem__(key, call.raw().upper()))
        self.query(pattern, lambda _: self._values[key])

    # -- errors ------------------------------------------------------------------------------------

    def _error(self, call: Call) -> str:
        """The code alone, or with ``STRing`` its text too."""
        with_text = call.has_more and call.choice("STRing") == "STR"
        call.end()
        error = self._queue.popleft() if self._queue else ScpiError(0, "No error")
        return f'{error.code},"{error.text}"' if with_text else f"{error.code}"

    # -- locks -------------------------------------------------------------------------------------

    def _light(self, name: str) -> tuple[Beam, ...]:
        return self._fibres.light(self.role, self._channels[name].port)

    def _shown_channels(self) -> list[str]:
        return [name for name in self._channels if self._values[f"{name} shown"]]

    def _clock_beam(self) -> Beam | None:
        """The light that the clock recovery can follow now."""
        shown = self._shown_channels()
        beam = loudest(self._light(shown[0])) if shown else None
        if beam is None or beam.signal is None or not is_modulated(beam.modulation):
            return None
        off = abs(beam.modulation.symbol_rate_bd / self._values["clock rate"] - 1.0)
        optical = self._values["clock source"] == "OPT"
        return beam if optical and off < _RATE_TOLERANCE and beam.oma_w >= self._clock_oma_w else None

    def _relock(self, call: Call) -> None:
        call.end()
        self._clock = self._pattern = None

        def done() -> None:
            beam = self._clock_beam()
            self._clock = None if beam is None else _ClockLock(beam.source)

        self.begin_operation(_RELOCK_S, done)

    def _clockless(self) -> str:
        """Why there is no clock; "" when there is. A lock once lost does not come back by itself."""
        beam = self._clock_beam()
        if self._clock is not None and (beam is None or beam.source != self._clock.source):
            self._clock = None
        return "" if self._clock is not None else "Clock recovery is not locked"

    def _lock_pattern(self, call: Call) -> None:
        on = call.boolean()
        call.end()
        self._pattern = None
        if not on:
            return

        def done() -> None:
            beam = self._clock_beam()
            if self._clockless() or beam is None or beam.signal is None or self._values["trigger"] == "FRUN":
                self.report(ScpiError(-200, "Pattern lock failed; no clock"))
                return
            shown = self._shown_channels()[0]
            try:
                period = locked_symbols(self._light(shown), self._front_end(shown)).size
            except NoTraceError:
                self.report(ScpiError(-200, "Pattern lock failed; no pattern found"))
                return
            if self._values["length automatic"]:
                self._values["length"] = period
            if self._values["length"] % period:
                self.report(ScpiError(-200, "Pattern lock failed; the pattern has another length"))
                return
            self._pattern = _PatternLock(beam.source, _streams(beam.signal))

        self.begin_operation(_PATTERN_LOCK_S, done)

    def _unlocked(self) -> str:
        """Why there is no pattern lock; "" when there is."""
        lost = self._clockless()
        beam = self._clock_beam()
        if lost or beam is None:
            self._pattern = None
            return lost
        if self._pattern is not None and (
            beam.source != self._pattern.source or _streams(beam.signal) != self._pattern.streams
        ):
            self._pattern = None
        return "" if self._pattern is not None else "Pattern lock is off or lost"

    # -- acquiring ---------------------------------------------------------------------------------

    def _autoscale(self, call: Call) -> None:
        call.end()

        def done() -> None:
            if self._autoscale_failures > 0:
                self._autoscale_failures -= 1
                self.report(ScpiError(-200, "Autoscale failed"))
                return
            self._scale_w = {}
            for name in self._shown_channels():
                power_w = total_power_w(self._light(name))
                if power_w >= _LEAST_SCALED_W:
                    self._scale_w[name] = power_w
            if not self._scale_w or self._clockless():
                self.report(ScpiError(-200, "Autoscale failed; no signal found"))

        self.begin_operation(_AUTOSCALE_S, done)

    def _limit(self, call: Call, key: str) -> None:
        self._values["limit count"] = call.integer(1, 1_000_000)
        call.end()
        self._values["limit of"] = key

    def _unready(self) -> str:
        """Why no acquisition goes on now."""
        if self._values["trigger"] == "FRUN":
            return ""
        return self._unlocked()

    def _run(self) -> None:
        self._stop()
        limited = self._values["limit"]
        by_pattern = limited and self._values["limit of"] == "patterns"
        count = self._values["limit count"] if limited else 1
        samples = count * _POINTS_OF_A_SWEEP
        if by_pattern or not limited:
            samples = count * self._values["length"] * self._samples_per_ui()
        elif self._values["limit of"] == "samples":
            samples = count
        duration_s = _NEVER_S if self._unready() else samples / _SAMPLES_PER_S

        def done() -> None:
            self._running = None
            self._take(count if by_pattern else 1)

        start = self.begin_operation if limited else self.world.after
        self._running = start(duration_s, done)

    def _stop(self) -> None:
        """An acquisition under way is no operation to wait for any more."""
        if self._running is None:
            return
        self._running.cancel()
        self._running = None
        self._complete_ns = self.world.now_ns
        if self._opc_event is not None and not self._opc_event.cancelled:
            self._opc_event.cancel()
            self._event_status |= 1

    def _take(self, patterns: int) -> None:
        lost = self._unready()
        for name in self._shown_channels():
            self._shots[name] = lost or self._shot(name, patterns)

    def _shot(self, name: str, patterns: int = 1) -> Shot:
        channel = self._channels[name]
        return Shot(
            beams=self._light(name),
            front_end=self._front_end(name),
            noise=self.world.noise,
            key=(self.role, self._serial, name, "trace", self.world.now_ns),
            gain=channel.gain * self._responsivity(name),
            offset_w=channel.offset_w,
            patterns=patterns,
            samples_per_ui=self._samples_per_ui(),
            single=self._values["mode"] == "OSC",
            pattern_symbols=self._values["length"],
        )

    def _samples_per_ui(self) -> int:
        manual = self._values["samples mode"] == "MAN" and self._values["mode"] == "OSC"
        return self._values["samples per ui"] if manual else _AUTOMATIC_SAMPLES_PER_UI

    def _front_end(self, name: str) -> OscilloscopeFrontEnd:
        bandwidth_hz = self._values[f"{name} bandwidth"] if self._values[f"{name} sirc"] else 26.5625e9
        return OscilloscopeFrontEnd(
            bandwidth_hz,
            noise_w=self._noise_w * math.sqrt(bandwidth_hz / _NOISE_BANDWIDTH_HZ),
            filter_on=self._values[f"{name} sirc"] or self._values[f"{name} filter"],
            channel_bandwidth_hz=_CHANNEL_BANDWIDTH_HZ,
            clock_oma_w=self._clock_oma_w,
        )

    def _responsivity(self, name: str) -> float:
        """The instrument divides by the responsivity at the wavelength that it was told."""
        light_nm = self._fibres.wavelength_nm(self.role, self._channels[name].port)
        if light_nm is None:
            return 1.0
        told_m: float = self._values[f"{name} wavelength"]
        return 1.0 + _RESPONSIVITY_SLOPE_PER_NM * (light_nm - told_m * 1e9)

    # -- measuring ---------------------------------------------------------------------------------

    def _channel_of(self, call: Call) -> str:
        text = call.raw().upper()
        for name in self._channels:
            if text in (f"CHAN{name}", f"CHANNEL{name}"):
                return name
        raise ScpiError(-224)

    def _identify(self, call: Call, key: str) -> None:
        if call.suffixes != (1,):
            raise ScpiError(-114)
        text = call.raw().upper()
        call.end()
        if text in ("FUNC1", "FUNCTION1"):
            self._source[key] = "FUNC1"
            return
        self._source[key] = self._channel_of(Call("", (), [text]))

    def _install(self, call: Call, key: str) -> None:
        call.end()
        self._installed.add((key, self._source_of(key)))

    def _source_of(self, key: str) -> str:
        return self._source.get(key, next(iter(self._channels)))

    def _judged(self, key: str) -> tuple[str, str, float]:
        """Status, its reason, and the value: 0 when there is none."""
        try:
            value = self._value(key)
        except NoValueError as error:
            return "INV", _words(error), 0.0
        if not math.isfinite(value):
            return "INV", "The result is no number", 0.0
        doubt = self._doubt(key)
        return ("QUES", doubt, value) if doubt else ("CORR", "", value)

    def _shown(self, key: str) -> str:
        status, _, value = self._judged(key)
        if status == "INV":
            return _NOT_A_NUMBER
        if key in _IN_WATTS_OR_DBM and self._values[f"{key} unit"] == "DBM":
            return f"{dbm_from_w(value):.6E}" if value > 0.0 else _NOT_A_NUMBER
        return f"{value:.6E}"

    def _value(self, key: str) -> float:
        if (key, self._source_of(key)) not in self._installed:
            raise NoValueError("The measurement is not installed on this source")
        if (self._values["mode"] == "OSC") is not (key in ("rms", "osc power")):
            raise NoValueError("The measurement belongs to another mode")
        name, equalised = self._channel_behind(self._source_of(key))
        if key in ("power", "osc power"):
            return self._monitored_w(name)
        shot = self._shots.get(name) or self._unready() or "No data: nothing was acquired"
        if isinstance(shot, str):
            raise NoValueError(shot)
        if key == "rms":
            return shot.ac_rms_w()
        if name not in self._scale_w:
            raise NoValueError("The signal is off the screen: autoscale")
        if key in ("tdecq", "ceq"):
            result = shot.tdecq(self._tdecq_set_up(equalised=equalised))
            return result.tdecq_db if key == "tdecq" else result.ceq_db
        edge: str = self._values["edge"]
        functions: dict[str, Callable[[Waveform, Symbols], float]] = {
            "oma": shots.oma_w,
            "er": shots.extinction_ratio_db,
            "linearity": shots.linearity,
            "transition": _TRANSITIONS[edge],
        }
        return shot.measured(functions[key])

    def _doubt(self, key: str) -> str:
        name, _ = self._channel_behind(self._source_of(key))
        shot = self._shots.get(name)
        if key in ("power", "osc power", "rms") or not isinstance(shot, Shot):
            return ""
        ratio = shot.power_w / self._scale_w[name]
        if ratio > _OF_SCALE[1]:
            return "The signal is clipped: autoscale"
        return "The signal is too small on the screen: autoscale" if ratio < _OF_SCALE[0] else ""

    def _channel_behind(self, source: str) -> tuple[str, bool]:
        """The channel of a source, and whether the equaliser is between."""
        if source != "FUNC1":
            return source, False
        if self._values["operator"] != "TEQ" or not self._values["function shown"]:
            raise NoValueError("The function has no waveform")
        return self._values["operand"], True

    def _monitored_w(self, name: str) -> float:
        """The average power monitor: it works without clock and trigger."""
        channel = self._channels[name]
        power_w = total_power_w(self._light(name)) * self._responsivity(name)
        drawn = self.world.noise.normal(self.role, self._serial, name, "monitor", self.world.now_ns)
        return power_w * channel.monitor_gain + _MONITOR_NOISE_W * drawn

    def _tdecq_set_up(self, *, equalised: bool) -> TdecqSetUp:
        values = self._values
        return TdecqSetUp(
            target_ser=values["target"],
            width_ui=values["width"],
            spacing_ui=values["spacing"],
            shift=values["shift"],
            thresholds=values["thresholds"],
            threshold_limit_percent=values["threshold limit"],
            taps=values["taps"] if equalised else 1,
            precursors=values["precursors"],
        )

    # -- waveforms ---------------------------------------------------------------------------------

    def _no_waveform(self) -> str:
        """Why there is no pattern waveform; "" when there is one."""
        shot = self._shots.get(self._values["wave"], "No data: nothing was acquired")
        if isinstance(shot, str):
            return shot
        if not (shot.single and self._values["entire pattern"]):
            return "The record is no entire pattern"
        try:
            shot.trace()
        except NoValueError as error:
            return _words(error)
        return ""

    def _waveform(self) -> Shot | None:
        shot = self._shots.get(self._values["wave"])
        return shot if isinstance(shot, Shot) and not self._no_waveform() else None

    def _points(self) -> int:
        shot = self._waveform()
        return 0 if shot is None else shot.trace()[0].samples_w.size

    def _xy(self, axis: int) -> bytes:
        shot = self._waveform()
        if shot is None:
            raise ScpiError(-230)
        values = shot.xy_data(self._uneven_ui, _DELAY_S)[axis]
        order = "<" if self._values["order"] == "LEND" else ">"
        return struct.pack(f"{order}{len(values)}f", *values.tolist())


def _words(error: NoValueError) -> str:
    """An error's text as it fits between quotes in a reply."""
    return str(error).replace('"', "'").encode("ascii", "replace").decode("ascii")


def _streams(signal: LineSignal | None) -> tuple[Any, ...]:
    return () if signal is None else signal.streams


def _block(data: bytes) -> bytes:
    length = str(len(data)).encode()
    return b"#" + str(len(length)).encode() + length + data
