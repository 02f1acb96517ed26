"""Simulated Thorlabs PM100D optical power meter with a fibre-coupled photodiode sensor."""

from __future__ import annotations

import math
from functools import partial

from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import After, Call, ScpiError, ScpiPeer
from harness.simulation.world import Event, World

__all__ = ["Pm100dPeer"]

OVERLOAD_W = 9.9e37
"""What it answers with too much light (assumed: SCPI's infinity)."""

_PORT = 1
_WAVELENGTHS_NM = (800.0, 1700.0, 1310.0)  # lowest, highest, at power-up
_COUNTS = (1, 10_000)
_SAMPLE_S = 3e-3
_RANGES_DBM = (-50.0, -40.0, -30.0, -20.0, -10.0, 0.0, 5.0)
_FLAGS = 1 | 32
_ZEROING_S = 2.0
_ZERO_SATURATES_W = 1e-5
_MEASURED = 1 << 9  # of the operation register: a new value is there (which bit it is: from a public driver)
_RESPONSIVITY_SLOPE_PER_NM = 4.5e-4  # relative, of an InGaAs detector between 1310 nm and 1550 nm


class Pm100dPeer(ScpiPeer):
    """One photodiode on the fibre at port 1 of ``role``.

    ``accuracy`` is the largest relative calibration error (one is drawn within it); ``noise_w`` the standard
    deviation of a single sample in the dark, watts; ``dark_w`` the largest dark offset before zeroing, watts;
    ``flags``: what the sensor can, as in ``SYST:SENS:IDN?``. Zeroing takes away what it sees, light too.
    Wavelengths are in nanometres and take no suffix; ``READ?`` lasts as long as its average, and as long
    again when the automatic range has to change. ``FETCh?`` waits for a measurement that
    ``INITiate`` has begun.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        serial: str = "SIM0008",
        accuracy: float = 0.03,
        noise_w: float = 2e-10,
        dark_w: float = 5e-10,
        flags: int = _FLAGS,
    ) -> None:
        super().__init__(world, role=role, identity=f"THORLABS,PM100D,{serial},2.6.0 simulated")
        self._fibres = fibres
        self._sensor = f"S154C,{serial}S,01-Jun-2026,1,2,{flags}"
        self._gain = 1.0 + accuracy * (2.0 * world.noise.uniform(role, serial, "gain") - 1.0)
        self._dark_w = dark_w * (2.0 * world.noise.uniform(role, serial, "dark") - 1.0)
        self._noise_w = noise_w
        self._zero_w = 0.0
        self._zeroing = False
        self._last_w: float | None = None
        self._measuring: Event | None = None
        self._operation = 0
        self._transitions = {"PTRansition": 0x7FFF, "NTRansition": 0}
        self.reset()
        self._declare()

    def reset(self) -> None:
        """``*RST``: power-up settings; the zero stays."""
        self._wavelength_nm = _WAVELENGTHS_NM[2]
        self._count = 1
        self._attenuation_db = 0.0
        self._in_watts = True
        self._auto_range = True
        self._range_dbm = _RANGES_DBM[-1]

    def _declare(self) -> None:
        self.query("SYSTem:SENSor:IDN", lambda _: self._sensor)
        self.query("[:SENSe]:CORRection:WAVelength", self._wavelength)
        self.setting("[:SENSe]:CORRection:WAVelength", self._set_wavelength)
        self.query("[:SENSe]:POWer[:DC]:UNIT", lambda _: "W" if self._in_watts else "DBM")
        self.setting("[:SENSe]:POWer[:DC]:UNIT", self._set_unit)
        self.query("[:SENSe]:POWer[:DC]:RANGe:AUTO", lambda _: str(int(self._auto_range)))
        self.setting("[:SENSe]:POWer[:DC]:RANGe:AUTO", self._set_auto_range)
        self.query("[:SENSe]:POWer[:DC]:RANGe[:UPPer]", lambda _: _nr3(w_from_dbm(self._range_dbm)))
        self.setting("[:SENSe]:POWer[:DC]:RANGe[:UPPer]", self._set_range)
        self.query("[:SENSe]:AVERage[:COUNt]", lambda _: str(self._count))
        self.setting("[:SENSe]:AVERage[:COUNt]", self._set_count)
        self.query("[:SENSe]:CORRection[:LOSS[:INPut[:MAGNitude]]]", lambda _: _nr3(self._attenuation_db))
        self.setting("[:SENSe]:CORRection[:LOSS[:INPut[:MAGNitude]]]", self._set_attenuation)
        self.setting("CONFigure[:SCALar][:POWer]", self._abort)
        self.query("CONFigure", lambda _: "POW")
        self.query("READ", self._read)
        self.query("MEASure[:SCALar][:POWer]", self._read)
        self.query("FETCh", self._fetch)
        self.setting("INITiate[:IMMediate]", self._initiate)
        self.setting("MEASure[:SCALar][:POWer]", self._initiate)
        self.setting("ABORt", self._abort)
        self.query("STATus:OPERation[:EVENt]", self._operation_event)
        for edge in self._transitions:
            self.query(f"STATus:OPERation:{edge}", partial(self._edge, edge))
            self.setting(f"STATus:OPERation:{edge}", partial(self._set_edge, edge))
        self.setting("[:SENSe]:CORRection:COLLect:ZERO:INITiate", self._start_zero)
        self.query("[:SENSe]:CORRection:COLLect:ZERO:STATe", lambda _: str(int(self._zeroing)))
        self.query("[:SENSe]:CORRection:COLLect:ZERO[:MAGNitude]", lambda _: _nr3(self._zero_w))

    # -- measuring ---------------------------------------------------------------------------------

    def _seen_w(self) -> float:
        """What the photodiode makes of the light now, without noise and zero."""
        power_w = self._fibres.power_w(self.role, _PORT)
        light_nm = self._fibres.wavelength_nm(self.role, _PORT)
        correction = 1.0
        if light_nm is not None:
            # The meter divides by the responsivity at the wavelength it was told.
            correction += _RESPONSIVITY_SLOPE_PER_NM * (light_nm - self._wavelength_nm)
        return power_w * self._gain * correction + self._dark_w

    def _range_for(self, power_w: float) -> float:
        for range_dbm in _RANGES_DBM:
            if power_w <= w_from_dbm(range_dbm):
                return range_dbm
        return _RANGES_DBM[-1]

    def _measured_w(self) -> float:
        power_w = self._seen_w()
        if self._auto_range:
            self._range_dbm = self._range_for(power_w)
        full_scale_w = w_from_dbm(self._range_dbm)
        if power_w > full_scale_w * 1.05:
            return OVERLOAD_W
        sigma_w = math.hypot(self._noise_w, full_scale_w * 1e-5) / math.sqrt(self._count)
        seen_w = (
            power_w - self._zero_w + sigma_w * self.world.noise.normal(self.role, self.world.now_ns, "power")
        )
        reckoned_in: float = 10.0 ** (self._attenuation_db / 10.0)
        return seen_w * reckoned_in

    def _lasting_s(self) -> float:
        changes = self._auto_range and self._range_for(self._seen_w()) != self._range_dbm
        return self._count * _SAMPLE_S * (2.0 if changes else 1.0)

    def _measured(self) -> str:
        self._measuring = None
        self._last_w = self._measured_w()
        if self._transitions["PTRansition"] & _MEASURED:
            self._operation |= _MEASURED
        return self._shown(self._last_w)

    def _read(self, call: Call) -> After:
        self._abort(call)
        return After(self._lasting_s(), self._measured)

    def _initiate(self, call: Call) -> None:
        self._abort(call)
        self._measuring = self.begin_operation(self._lasting_s(), self._complete)

    def _complete(self) -> None:
        self._measured()

    def _abort(self, call: Call) -> None:
        call.end()
        if self._measuring is not None:
            self._measuring.cancel()
            self._measuring = None

    def _fetch(self, call: Call) -> str | After:
        call.end()
        if self._measuring is not None:
            left_s = (self._measuring.when_ns - self.world.now_ns) * 1e-9
            return After(max(0.0, left_s), lambda: self._fetch(call))
        if self._last_w is None:
            raise ScpiError(-230)
        return self._shown(self._last_w)

    def _operation_event(self, call: Call) -> str:
        call.end()
        value, self._operation = self._operation, 0
        return str(value)

    def _edge(self, edge: str, call: Call) -> str:
        call.end()
        return str(self._transitions[edge])

    def _set_edge(self, edge: str, call: Call) -> None:
        self._transitions[edge] = call.integer(0, 0x7FFF)

    def _shown(self, power_w: float) -> str:
        return _nr3(power_w if self._in_watts or power_w >= OVERLOAD_W else dbm_from_w(power_w))

    def _start_zero(self, call: Call) -> None:
        call.end()
        self._zeroing = True

        def done() -> None:
            self._zeroing = False
            self._zero_w = min(self._seen_w(), _ZERO_SATURATES_W)

        self.begin_operation(_ZEROING_S, done)

    # -- settings ----------------------------------------------------------------------------------

    def _wavelength(self, call: Call) -> str:
        words = {"MIN": _WAVELENGTHS_NM[0], "MAX": _WAVELENGTHS_NM[1]}
        return _nr3(words[call.choice("MINimum", "MAXimum")] if call.has_more else self._wavelength_nm)

    def _set_wavelength(self, call: Call) -> None:
        low_nm, high_nm, preset_nm = _WAVELENGTHS_NM
        wavelength_nm = call.number(minimum=low_nm, maximum=high_nm, default=preset_nm)
        call.end()
        self._wavelength_nm = wavelength_nm

    def _set_unit(self, call: Call) -> None:
        word = call.choice("W", "DBM")
        call.end()
        self._in_watts = word == "W"

    def _set_auto_range(self, call: Call) -> None:
        on = call.boolean()
        call.end()
        self._auto_range = on

    def _set_range(self, call: Call) -> None:
        power_w = call.number(unit="W", minimum=0.0, maximum=w_from_dbm(_RANGES_DBM[-1]))
        call.end()
        self._auto_range = False
        self._range_dbm = self._range_for(power_w)

    def _set_attenuation(self, call: Call) -> None:
        attenuation_db = call.number(unit="DB", minimum=-60.0, maximum=60.0)
        call.end()
        self._attenuation_db = attenuation_db

    def _set_count(self, call: Call) -> None:
        count = call.integer(*_COUNTS)
        call.end()
        self._count = count


def _nr3(value: float) -> str:
    return f"{value:.8E}"
