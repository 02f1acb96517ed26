"""Simulated Yokogawa AQ6370D optical spectrum analyser."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from drivers.units import dbm_from_w, w_from_dbm
from harness.signal.waveform import Array
from harness.simulation.light.beam import total_power_w
from harness.simulation.light.spectrum import spectrum_w
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import Call, Client, Result, ScpiError, ScpiPeer
from harness.simulation.world import Event, World, ns_from_s

__all__ = ["SpectrumAnalyserPeer"]

_WAVELENGTH_M = (600e-9, 1700e-9)
_SPAN_M = (0.0, 1100e-9)
_RESOLUTIONS_M = (0.02e-9, 0.05e-9, 0.1e-9, 0.2e-9, 0.5e-9, 1e-9, 2e-9)
_POINTS = (101, 50_001)
_POINTS_PER_RESOLUTION = 5
_TRACES = ("TRA", "TRB", "TRC", "TRD", "TRE", "TRF", "TRG")
_SINGLE, _REPEAT = 1, 2
_MODES = ("SINGle", "REPeat", "AUTO", "SEGMent")
_SENSITIVITIES = ("NHLD", "NAUT", "MID", "HIGH1", "HIGH2", "HIGH3", "NORMal")
# Standard deviation of a sample in the dark (dBm), and how long 100 nm in 1001 points take (s).
_NOISE_DBM = (-63.0, -66.0, -78.0, -83.0, -88.0, -93.0, -70.0)
_SWEEP_S = (0.5, 0.5, 2.0, 5.0, 20.0, 75.0, 1.0)
_TURN_ROUND_S = 0.2
_STRAY_DB = -73.0
_AIR_INDEX = 1.00027
_OFFSET_PERIOD_S = 600.0
_OFFSET_TIME_S = 30.0
_REPEATS_AFTER_A_MESSAGE = 50
_DARKEST_DBM = -210.0
_CATEGORIES = {"DFBLd": 5, "SMSR": 8}
_MODE_DIFFERENCE_DB = 3.0
_WIDTH_DB = 20.0
_USER = "anonymous"
_LONGEST_LOGIN_BYTES = 1024


@dataclass
class _Settings:
    centre_m: float = 1150e-9
    span_m: float = 1100e-9
    resolution_m: float = 1e-9
    sensitivity: int = 1
    points: int = 1001
    points_auto: bool = True
    twice_as_fast: bool = False
    interval_s: float = 0.0
    mode: int = _SINGLE
    vacuum: bool = False
    level_shift_db: float = 0.0
    wavelength_shift_m: float = 0.0
    adjacent_side_mode: bool = False
    side_mode_mask_m: float = 0.0
    linear: bool = False
    reference_dbm: float = -10.0
    position: int = 8
    unit: int = 0
    form: str = "ASCII"
    active: int = 0
    category: int = 5
    attributes: list[int] = field(default_factory=lambda: [0] + [1] * (len(_TRACES) - 1))


@dataclass(frozen=True)
class _Trace:
    wavelengths_m: Array
    powers_w: Array

    def levels_dbm(self) -> Array:
        watts = np.maximum(self.powers_w, w_from_dbm(_DARKEST_DBM))
        levels: Array = 10.0 * np.log10(watts * 1e3)
        return levels


class SpectrumAnalyserPeer(ScpiPeer):
    """An analyser at port 1 of ``role``.

    ``wavelength_accuracy_nm``, ``level_accuracy_db``: largest errors of its scales (each analyser draws its
    own within them; data sheet, from memory). The noise, the sweep's time and how both depend on the
    sensitivity are from memory, as are the settings at power-on, the medium among them: ``AIR``. The noise
    of a sample is normally distributed about the stray light (73 dB below all light that comes in) and the
    offset's drift (``drift_w_per_h`` at most, since the offset was last taken). What is there at the end of
    a sweep is what the sweep shows.

    Every 10 min the analyser takes its offset by itself (unless ``:CALibration:ZERO OFF``) when it does not
    sweep, and executes nothing for 30 s. On a raw socket it wants a login, and ends its lines with CRLF. The
    error buffer holds the latest error alone. Left out: frequency mode, linear levels, averaging, the sweep
    modes AUTO and SEGMent, and analyses other than DFB-LD and SMSR.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        model: str = "AQ6370D",
        serial: str = "SIM0009",
        wavelength_accuracy_nm: float = 0.1,
        level_accuracy_db: float = 0.4,
        drift_w_per_h: float = 2e-12,
    ) -> None:
        super().__init__(
            world,
            role=role,
            identity=f"YOKOGAWA,{model},{serial},02.01 simulated",
            error_format='{code:d},"{text}"',
        )
        self._fibres = fibres

        def draw(what: str) -> float:
            return 2.0 * world.noise.uniform(role, serial, what) - 1.0

        self._shift_nm = wavelength_accuracy_nm * draw("wavelength")
        self._gain = 10.0 ** (level_accuracy_db * draw("level") / 10.0)
        self._drift_w_per_h = drift_w_per_h * draw("drift")
        self._settings = _Settings()
        self._traces: dict[int, _Trace] = {}
        self._result: tuple[float, ...] | None = None
        self._marker: int | None = None
        self._sweeping: Event | None = None
        self._sweeps_left = 0
        self._swept = False
        self._idle_since_ns = 0
        self._automatic = True
        self._offset_begun_ns = -ns_from_s(_OFFSET_TIME_S)
        self._declare()

    def connect(self, *, marks_end: bool) -> Client:
        """A new client; on a stream it has to log in."""
        if marks_end:
            return super().connect(marks_end=True)
        client = _SocketClient(self)
        self._connections.append(client)
        return client

    def reset(self) -> None:
        """``*RST``: settings of power-on; traces and the offset stay."""
        self._abort()
        self._settings = _Settings()

    def report(self, error: ScpiError) -> None:
        """The latest error alone is kept."""
        self._queue.clear()
        super().report(error)

    def submit(self, connection: Client, message: str) -> None:
        """A message keeps repeated sweeps going: a real analyser never stops."""
        self._sweeps_left = _REPEATS_AFTER_A_MESSAGE
        super().submit(connection, message)

    def _declare(self) -> None:
        sense, trace, scale = "[:SENSe]", "TRACe", "DISPlay[:WINDow]:TRACe:Y1[:SCALe]"
        self.setting("CFORM#", self._set_command_form)
        self.setting("CLOSE", lambda call: call.end())
        for name, unit, limits in (
            ("CENTer", "centre", _WAVELENGTH_M),
            ("SPAN", "span", _SPAN_M),
            ("STARt", "start", _WAVELENGTH_M),
            ("STOP", "stop", _WAVELENGTH_M),
        ):
            self._declare_wavelength(f"{sense}:WAVelength:{name}", unit, limits)
        for width in ("BANDwidth", "BWIDth"):
            self.query(f"{sense}:{width}[:RESolution]", lambda _: _nr3(self._settings.resolution_m))
            self.setting(f"{sense}:{width}[:RESolution]", self._set_resolution)
        self.query(f"{sense}:SENSe", lambda _: str(self._settings.sensitivity))
        self.setting(f"{sense}:SENSe", self._set_sensitivity)
        self.query(f"{sense}:SWEep:POINts", lambda _: str(self._point_count()))
        self.setting(f"{sense}:SWEep:POINts", self._set_points)
        self.query(f"{sense}:SWEep:POINts:AUTO", lambda _: str(int(self._settings.points_auto)))
        self.setting(f"{sense}:SWEep:POINts:AUTO", self._set_points_auto)
        self.query(f"{sense}:SWEep:SPEed", lambda _: str(int(self._settings.twice_as_fast)))
        self.setting(f"{sense}:SWEep:SPEed", self._set_speed)
        self.query(f"{sense}:SWEep:TIME:INTerval", lambda _: f"{self._settings.interval_s:g}")
        self.setting(f"{sense}:SWEep:TIME:INTerval", self._set_interval)
        self.query(f"{sense}:CORRection:RVELocity:MEDium", lambda _: str(int(self._settings.vacuum)))
        self.setting(f"{sense}:CORRection:RVELocity:MEDium", self._set_medium)
        self._declare_number(f"{sense}:CORRection:LEVel:SHIFt", "level_shift_db", "DB", 60.0)
        self._declare_number(f"{sense}:CORRection:WAVelength:SHIFt", "wavelength_shift_m", "M", 5e-9)
        self.query("CALCulate:PARameter[:CATegory]:DFBLd", self._dfb_parameter)
        self.setting("CALCulate:PARameter[:CATegory]:DFBLd", self._set_dfb_parameter)
        self.query("INITiate:SMODe", lambda _: str(self._settings.mode))
        self.setting("INITiate:SMODe", self._set_mode)
        self.setting("INITiate[:IMMediate]", self._initiate)
        self.setting("ABORt", self._abort_commanded)
        self.query("STATus:OPERation[:EVENt]", self._read_event)
        self.query("STATus:OPERation:CONDition", lambda _: str(int(self._sweeping is None)))
        self.query("CALibration:ZERO[:AUTO]", lambda _: str(int(self._automatic)))
        self.setting("CALibration:ZERO[:AUTO]", self._set_offset)
        self.query(f"{trace}:ACTive", lambda _: _TRACES[self._settings.active])
        self.setting(f"{trace}:ACTive", self._set_active)
        self.query(f"{trace}[:DATA]:X", lambda call: self._data(self._asked(call).wavelengths_m))
        self.query(f"{trace}[:DATA]:Y", lambda call: self._data(self._asked(call).levels_dbm()))
        self.query(f"{trace}[:DATA]:SNUMber", lambda call: str(len(self._asked(call).powers_w)))
        self.setting(f"{trace}:COPY", self._copy)
        self.setting(f"{trace}:DELete", self._delete)
        self.setting(f"{trace}:DELete:ALL", self._delete_all)
        for number, name in enumerate(_TRACES):
            self._declare_attribute(f"{trace}:ATTRibute:{name}", number)
        self.query(f"{scale}:SPACing", lambda _: str(int(self._settings.linear)))
        self.setting(f"{scale}:SPACing", self._set_spacing)
        self.query(f"{scale}:UNIT", lambda _: str(self._settings.unit))
        self.setting(f"{scale}:UNIT", self._set_unit)
        self.query(f"{scale}:RLEVel", lambda _: _nr3(self._settings.reference_dbm))
        self.setting(f"{scale}:RLEVel", self._set_reference)
        self.query("DISPlay[:WINDow]:TRACe:Y1:RPOSition", lambda _: str(self._settings.position))
        self.setting("DISPlay[:WINDow]:TRACe:Y1:RPOSition", self._set_position)
        self.query("FORMat[:DATA]", lambda _: self._settings.form)
        self.setting("FORMat[:DATA]", self._set_form)
        self.query("CALCulate:CATegory", lambda _: str(self._settings.category))
        self.setting("CALCulate:CATegory", self._set_category)
        self.setting("CALCulate[:IMMediate]", self._analyse)
        self.query("CALCulate:DATA", self._analysis)
        self.setting("CALCulate:MARKer:MAXimum", self._mark_highest)
        self.setting("CALCulate:MARKer:MAXimum:SRLevel", self._highest_to_reference)
        self.setting("CALCulate:MARKer:MAXimum:SCENter", self._highest_to_centre)
        self.query("CALCulate:MARKer:X", lambda call: _nr3(self._at_marker(call)[0]))
        self.query("CALCulate:MARKer:Y", lambda call: _nr3(self._at_marker(call)[1]))

    # -- time --------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Nothing is executed while the offset is taken."""
        until_ns = self._busy_with_offset_until_ns()
        if self._work is not None and until_ns > self.world.now_ns:
            self._work.event = self.world.at(until_ns, self._go_on)
            return
        super()._go_on()

    def _busy_with_offset_until_ns(self) -> int:
        now_ns, period_ns = self.world.now_ns, ns_from_s(_OFFSET_PERIOD_S)
        due_ns = self._offset_begun_ns + period_ns
        if self._automatic and due_ns <= now_ns and self._sweeping is None:
            due_ns += (now_ns - due_ns) // period_ns * period_ns
            self._offset_begun_ns = max(due_ns, self._idle_since_ns)
        return self._offset_begun_ns + ns_from_s(_OFFSET_TIME_S)

    def _set_offset(self, call: Call) -> None:
        word = call.raw().upper()
        call.end()
        if word in {"ONCE", "2"}:
            if self._sweeping is not None:
                raise ScpiError(-221)
            self._offset_begun_ns = self.world.now_ns
            self.begin_operation(_OFFSET_TIME_S, lambda: None)
        elif word in {"ON", "1", "OFF", "0"}:
            self._automatic = word in {"ON", "1"}
        else:
            raise ScpiError(-224)

    def _initiate(self, call: Call) -> None:
        call.end()
        if self._settings.mode not in {_SINGLE, _REPEAT}:
            raise ScpiError(-200, "Sweep mode not simulated")
        self._abort()
        self._sweeps_left = _REPEATS_AFTER_A_MESSAGE
        self._begin_sweep()

    def _begin_sweep(self) -> None:
        settings = self._settings
        share = max(self._point_count() / 1001.0, settings.span_m / 100e-9)
        duration_s = _TURN_ROUND_S + share * _SWEEP_S[settings.sensitivity] / (1 + settings.twice_as_fast)
        self._sweeping = self.begin_operation(duration_s, self._end_sweep)

    def _end_sweep(self) -> None:
        settings = self._settings
        self._sweeping = None
        self._swept = True
        self._idle_since_ns = self.world.now_ns
        if settings.attributes[settings.active] == 0:  # WRITE; FIX and the others stay as they are
            self._traces[settings.active] = self._measured()
            self._result = None
        self._sweeps_left -= 1
        if settings.mode == _REPEAT and self._sweeps_left > 0 and not self.silent:
            self._begin_sweep()

    def _abort(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
            self._complete_ns = self._idle_since_ns = self.world.now_ns

    def _abort_commanded(self, call: Call) -> None:
        call.end()
        self._abort()

    def _read_event(self, call: Call) -> str:
        call.end()
        swept, self._swept = self._swept, False
        return str(int(swept))

    # -- light -------------------------------------------------------------------------------------

    def _measured(self) -> _Trace:
        settings, noise = self._settings, self.world.noise
        start_m, stop_m = self._limits_m()
        wavelengths_m = np.linspace(start_m, stop_m, self._point_count())
        shown_nm = wavelengths_m * 1e9 * (1.0 if settings.vacuum else _AIR_INDEX)
        beams = self._fibres.light(self.role, 1)
        stray_w = total_power_w(beams) * 10.0 ** (_STRAY_DB / 10.0)
        powers_w = self._gain * spectrum_w(
            beams, shown_nm - self._shift_nm, resolution_nm=settings.resolution_m * 1e9, floor_w=stray_w
        )
        age_h = (self.world.now_ns - self._offset_begun_ns) / ns_from_s(3600.0)
        sigma_w = w_from_dbm(_NOISE_DBM[settings.sensitivity])
        drawn = noise.generator(self.role, "trace", self.world.now_ns).standard_normal(len(wavelengths_m))
        seen_w = powers_w + self._drift_w_per_h * age_h + sigma_w * drawn
        return _Trace(
            wavelengths_m + settings.wavelength_shift_m, seen_w * 10.0 ** (settings.level_shift_db / 10.0)
        )

    def _limits_m(self) -> tuple[float, float]:
        half_m = self._settings.span_m / 2.0
        return self._settings.centre_m - half_m, self._settings.centre_m + half_m

    def _point_count(self) -> int:
        settings = self._settings
        if not settings.points_auto:
            return settings.points
        wanted = math.ceil(_POINTS_PER_RESOLUTION * settings.span_m / settings.resolution_m - 1e-9) + 1
        return min(max(wanted, _POINTS[0]), _POINTS[1])

    # -- settings ----------------------------------------------------------------------------------

    def _declare_wavelength(self, pattern: str, what: str, limits: tuple[float, float]) -> None:
        def shown(_: Call) -> str:
            start_m, stop_m = self._limits_m()
            settings = self._settings
            values = {"centre": settings.centre_m, "span": settings.span_m, "start": start_m, "stop": stop_m}
            return _nr3(values[what])

        def set_(call: Call) -> None:
            value_m = call.number(unit="M", minimum=limits[0], maximum=limits[1])
            call.end()
            settings = self._settings
            start_m, stop_m = self._limits_m()
            if what == "centre":
                settings.centre_m = value_m
            elif what == "span":
                settings.span_m = value_m
            else:
                start_m, stop_m = (value_m, stop_m) if what == "start" else (start_m, value_m)
                if stop_m < start_m:
                    raise ScpiError(-221)
                settings.centre_m, settings.span_m = (start_m + stop_m) / 2.0, stop_m - start_m

        self.query(pattern, shown)
        self.setting(pattern, set_)

    def _declare_attribute(self, pattern: str, number: int) -> None:
        def set_(call: Call) -> None:
            self._settings.attributes[number] = _numbered(call, "WRITe", "FIX", "MAX", "MIN")

        self.query(pattern, lambda _: str(self._settings.attributes[number]))
        self.setting(pattern, set_)

    def _set_command_form(self, call: Call) -> None:
        call.end()
        if call.suffixes[0] != 1:
            raise ScpiError(-200, "Command form not simulated")

    def _set_resolution(self, call: Call) -> None:
        wanted_m = call.number(unit="M", minimum=_RESOLUTIONS_M[0], maximum=_RESOLUTIONS_M[-1])
        call.end()
        self._settings.resolution_m = min(_RESOLUTIONS_M, key=lambda own_m: abs(own_m - wanted_m))

    def _set_sensitivity(self, call: Call) -> None:
        self._settings.sensitivity = _numbered(call, *_SENSITIVITIES)

    def _set_points(self, call: Call) -> None:
        points = call.integer(*_POINTS)
        call.end()
        self._settings.points, self._settings.points_auto = points, False

    def _set_points_auto(self, call: Call) -> None:
        on = call.boolean()
        call.end()
        self._settings.points_auto = on

    def _set_speed(self, call: Call) -> None:
        word = call.raw().upper()
        call.end()
        if word not in {"0", "1", "1X", "2X"}:
            raise ScpiError(-224)
        self._settings.twice_as_fast = word in {"1", "2X"}

    def _set_interval(self, call: Call) -> None:
        interval_s = call.number(unit="S", minimum=0.0, maximum=99_999.0)
        call.end()
        self._settings.interval_s = interval_s

    def _declare_number(self, pattern: str, name: str, unit: str, largest: float) -> None:
        def set_(call: Call) -> None:
            value = call.number(unit=unit, minimum=-largest, maximum=largest)
            call.end()
            setattr(self._settings, name, value)

        self.query(pattern, lambda _: _nr3(getattr(self._settings, name)))
        self.setting(pattern, set_)

    def _dfb_parameter(self, call: Call) -> str:
        call.choice("SMSR")
        what = call.choice("SMODe", "SMASk")
        call.end()
        if what == "SMOD":
            return "SMSR2" if self._settings.adjacent_side_mode else "SMSR1"
        return _nr3(self._settings.side_mode_mask_m)

    def _set_dfb_parameter(self, call: Call) -> None:
        call.choice("SMSR")
        if call.choice("SMODe", "SMASk") == "SMOD":
            adjacent = call.choice("SMSR1", "SMSR2") == "SMSR2"
            call.end()
            self._settings.adjacent_side_mode = adjacent
        else:
            mask_m = call.number(unit="M", minimum=0.0, maximum=99.99e-9)
            call.end()
            self._settings.side_mode_mask_m = mask_m

    def _set_medium(self, call: Call) -> None:
        self._settings.vacuum = bool(_numbered(call, "AIR", "VACuum"))

    def _set_mode(self, call: Call) -> None:
        self._settings.mode = _numbered(call, *_MODES, first=1)

    def _set_spacing(self, call: Call) -> None:
        if _numbered(call, "LOGarithmic", "LINear"):
            raise ScpiError(-200, "Linear levels not simulated")

    def _set_unit(self, call: Call) -> None:
        if _numbered(call, "DBM", "W", "DBM/NM", "W/NM"):
            raise ScpiError(-200, "Level unit not simulated")

    def _set_reference(self, call: Call) -> None:
        level_dbm = call.number(unit="DBM", minimum=-90.0, maximum=30.0)
        call.end()
        self._settings.reference_dbm = level_dbm

    def _set_position(self, call: Call) -> None:
        position = call.integer(0, 12)
        call.end()
        self._settings.position = position

    def _set_form(self, call: Call) -> None:
        word = call.choice("ASCii", "REAL")
        size = call.raw() if call.has_more else ("" if word == "ASC" else "64")
        call.end()
        forms = {("ASC", ""): "ASCII", ("REAL", "64"): "REAL,64", ("REAL", "32"): "REAL,32"}
        if (word, size) not in forms:
            raise ScpiError(-224)
        self._settings.form = forms[word, size]

    def _set_category(self, call: Call) -> None:
        word = call.raw().upper()
        call.end()
        for name, number in _CATEGORIES.items():
            if word in {name.upper(), name.rstrip("d").upper(), str(number)}:
                self._settings.category = number
                return
        raise ScpiError(-224)

    # -- traces ------------------------------------------------------------------------------------

    def _named(self, call: Call) -> int:
        word = call.raw().upper()
        if word not in _TRACES:
            raise ScpiError(-224)
        return _TRACES.index(word)

    def _asked(self, call: Call) -> _Trace:
        number = self._named(call)
        if number not in self._traces:
            raise ScpiError(-230)
        return self._traces[number]

    def _data(self, values: Array) -> Result:
        if self._settings.form == "ASCII":
            return ",".join(map(_nr3, values.tolist()))
        letter = "d" if self._settings.form == "REAL,64" else "f"
        data = struct.pack(f"<{len(values)}{letter}", *values.tolist())
        length = str(len(data)).encode()
        return b"#" + str(len(length)).encode() + length + data

    def _set_active(self, call: Call) -> None:
        number = self._named(call)
        call.end()
        self._settings.active = number

    def _copy(self, call: Call) -> None:
        source, sink = self._asked(call), self._named(call)
        call.end()
        self._traces[sink] = source

    def _delete(self, call: Call) -> None:
        number = self._named(call)
        call.end()
        self._traces.pop(number, None)

    def _delete_all(self, call: Call) -> None:
        call.end()
        self._traces.clear()

    # -- analysis ----------------------------------------------------------------------------------

    def _active_trace(self) -> _Trace:
        if self._settings.active not in self._traces:
            raise ScpiError(-230)
        return self._traces[self._settings.active]

    def _analyse(self, call: Call) -> None:
        call.end()
        trace = self._active_trace()
        levels = trace.levels_dbm().tolist()
        wavelengths = trace.wavelengths_m.tolist()
        modes = sorted(_modes(levels), key=lambda place: levels[place], reverse=True) or [0]
        peak = modes[0]
        mask_m = self._settings.side_mode_mask_m
        sides = [place for place in modes[1:] if abs(wavelengths[place] - wavelengths[peak]) > mask_m]
        if self._settings.adjacent_side_mode:
            sides.sort(key=lambda place: abs(wavelengths[place] - wavelengths[peak]))
        side = sides[0] if sides else peak
        offset_m = wavelengths[side] - wavelengths[peak]
        smsr_db = levels[peak] - levels[side]
        if self._settings.category == _CATEGORIES["SMSR"]:
            self._result = (
                wavelengths[peak],
                levels[peak],
                wavelengths[side],
                levels[side],
                offset_m,
                smsr_db,
            )
            return
        width_m = _width_m(wavelengths, levels, peak)
        self._result = (width_m, wavelengths[peak], levels[peak], offset_m, smsr_db)

    def _analysis(self, call: Call) -> str:
        call.end()
        if self._result is None:
            raise ScpiError(-400, "Query error")
        return ",".join(map(_nr3, self._result))

    def _mark_highest(self, call: Call) -> None:
        call.end()
        self._marker = int(np.argmax(self._active_trace().powers_w))

    def _highest_to_reference(self, call: Call) -> None:
        call.end()
        level_dbm = dbm_from_w(float(np.max(self._active_trace().powers_w)))
        self._settings.reference_dbm = min(max(level_dbm, -90.0), 30.0)

    def _highest_to_centre(self, call: Call) -> None:
        call.end()
        trace = self._active_trace()
        self._settings.centre_m = float(trace.wavelengths_m[int(np.argmax(trace.powers_w))])

    def _at_marker(self, call: Call) -> tuple[float, float]:
        number = call.integer(0, 4)
        call.end()
        trace = self._active_trace()
        if number or self._marker is None or self._marker >= len(trace.powers_w):
            raise ScpiError(-221)
        return float(trace.wavelengths_m[self._marker]), float(trace.levels_dbm()[self._marker])


class _SocketClient(Client):
    """A client on a raw socket: nothing is executed before the login, and lines end with CRLF. (The serial
    interface, which has no login, cannot be told from it.)"""

    _OPEN = re.compile(rb'\s*open\s+"([^"]{0,64})"\s*', re.IGNORECASE)

    def __init__(self, peer: ScpiPeer) -> None:
        super().__init__(peer, marks_end=False)
        self._user: str | None = None
        self._logged_in = False

    def receive(self, data: bytes, *, end: bool) -> None:
        """Bytes from the client."""
        if self._logged_in:
            super().receive(data, end=end)
            return
        if self.lost or self._peer.silent:
            return
        self._input += data
        while b"\n" in self._input:
            line, _, rest = bytes(self._input).partition(b"\n")
            self._input = bytearray(rest)
            if self._take_line(line):
                self._logged_in = True
                super().receive(b"", end=end)
                return
        if len(self._input) > _LONGEST_LOGIN_BYTES:
            self.lost = True

    def _take_line(self, line: bytes) -> bool:
        """Go on with the login; whether it is done."""
        opened = self._OPEN.fullmatch(line)
        if opened is not None:
            self._user = opened[1].decode("latin-1")
            self._output += b"AUTHENTICATE CRAM-MD5.\r\n"
        elif self._user == _USER:  # whose password may be anything
            self._output += b"ready\r\n"
            return True
        elif self._user is not None:
            self.lost = True
        return False

    def reply(self, data: bytes) -> None:
        """A reply is complete."""
        super().reply(data.removesuffix(b"\n") + b"\r\n")


def _numbered(call: Call, *words: str, first: int = 0) -> int:
    """The next and last parameter as one of the words of a guide, or its number."""
    text = call.raw().upper()
    call.end()
    for number, word in enumerate(words, start=first):
        short = "".join(letter for letter in word if not letter.islower())
        if text in {short, word.upper(), str(number)}:
            return number
    raise ScpiError(-224)


def _modes(levels: Sequence[float]) -> list[int]:
    """Places of maxima before which the trace rises, and after which it falls, by the mode difference."""
    found: list[int] = []
    rising = True
    low, high, place = math.inf, -math.inf, 0
    for here, level in enumerate(levels):
        if rising:
            if level > high:
                high, place = level, here
            elif level < high - _MODE_DIFFERENCE_DB:
                found.append(place)
                rising, low = False, level
        elif level < low:
            low = level
        elif level > low + _MODE_DIFFERENCE_DB:
            rising, high, place = True, level, here
    return found


def _width_m(wavelengths_m: Sequence[float], levels: Sequence[float], peak: int) -> float:
    """Width of the line where it is 20 dB below its peak; 0 where the sweep ends before."""
    edges: list[float] = []
    for step in (-1, 1):
        place = peak
        while 0 <= place < len(levels) and levels[place] > levels[peak] - _WIDTH_DB:
            place += step
        if not 0 <= place < len(levels):
            return 0.0
        edges.append(wavelengths_m[place])
    return edges[1] - edges[0]


def _nr3(value: float) -> str:
    return f"{value:+.8E}"
