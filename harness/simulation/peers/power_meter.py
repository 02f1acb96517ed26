"""Simulated Keysight N7744C / N7745C multiport optical power meter."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import After, Call, Client, Result, ScpiError, ScpiPeer
from harness.simulation.world import Event, World, ns_from_s

__all__ = ["PowerMeterPeer"]

OVERLOAD_W = 3.40282e38
"""What an overloaded port answers with (uncertain for this family; the 816x mainframes send it); negative,
what a port sends that has too little light for dBm."""

_WAVELENGTH_M = (1250e-9, 1650e-9, 1550e-9)  # lowest, highest, preset
_AVERAGING_S = (1e-6, 10.0, 0.1)
_RANGES_DBM = (-30.0, -20.0, -10.0, 0.0, 10.0)
_RANGE_HEADROOM_DB = 3.0  # a range displays 3 dB above its nominal value, but for the highest
_ZERO_TIME_S = 5.0
_TOO_BRIGHT_TO_ZERO_W = w_from_dbm(-60.0)
_FREE_RUNS_AFTER_A_MESSAGE = 50
_RESPONSIVITY_SLOPE_PER_NM = 4.5e-4  # relative, of an InGaAs detector between 1310 nm and 1550 nm


@dataclass
class _Port:
    number: int
    gain: float  # true calibration: reading / power
    dark_w: float  # what it reads in the dark until it is zeroed
    wavelength_m: float = _WAVELENGTH_M[2]
    averaging_s: float = _AVERAGING_S[2]
    unit_is_w: bool = False
    auto_range: bool = True
    range_dbm: float = 10.0
    continuous: bool = True
    last_w: float | None = None
    triggered: bool = False
    zero_status: int = 0
    free_runs_left: int = 0
    free_run: Event | None = field(default=None, repr=False)


class PowerMeterPeer(ScpiPeer):
    """``ports`` detectors on the fibres of ``role``.

    ``questionable_in_dark``: a reading of a port in the dark leaves -231 in the error queue, and says
    "less than I can tell" instead of a number (seen on some firmware).
    ``accuracy`` is the largest relative calibration error of a port (each draws its own within it);
    ``noise_w`` the standard deviation of a reading in the dark at 1 s of averaging, watts; ``dark_w`` the
    largest dark offset before zeroing, watts.

    While the trigger is continuous a port measures on its own every averaging time, for 50 times after
    the last message (a real meter never stops); READ then answers, as FETCh does, with the last of these.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        model: str = "N7745C",
        serial: str = "SIM0001",
        ports: int = 8,
        accuracy: float = 0.025,
        noise_w: float = 1.5e-12,
        dark_w: float = 5e-12,
        questionable_in_dark: bool = False,
    ) -> None:
        super().__init__(world, role=role, identity=f"Keysight Technologies,{model},{serial},V1.10 simulated")
        self._fibres = fibres
        self._noise_w = noise_w
        self._questionable_in_dark = questionable_in_dark
        self._ports = {
            number: _Port(
                number,
                gain=1.0 + accuracy * (2.0 * world.noise.uniform(role, serial, number, "gain") - 1.0),
                dark_w=dark_w * (2.0 * world.noise.uniform(role, serial, number, "dark") - 1.0),
            )
            for number in range(1, ports + 1)
        }
        self._declare()

    def reset(self) -> None:
        """``*RST``: preset wavelength, averaging time, range and trigger of all ports."""
        for port in self._ports.values():
            port.wavelength_m, port.averaging_s = _WAVELENGTH_M[2], _AVERAGING_S[2]
            port.unit_is_w, port.auto_range, port.continuous, port.last_w = False, True, True, None

    def _declare(self) -> None:
        sense = "SENSe#[:CHANnel#]:POWer"
        self.query("READ#[:CHANnel#]:POWer", self._read_one)
        self.query("FETCh#[:CHANnel#]:POWer", self._fetch_one)
        self.query("READ:POWer:ALL", self._read_all)
        self.query("FETCh:POWer:ALL", lambda _: self._block(self._last_w))
        self.query("READ#:POWer:ALL:CONFig", self._order)
        self.query("SENSe:POWer:UNIT:ALL:CSV", self._all_units)
        self.query(f"{sense}:UNIT", lambda call: f"{int(self._port(call).unit_is_w):+d}")
        self.setting(f"{sense}:UNIT", self._set_unit)
        self.query(f"{sense}:WAVelength", self._wavelength)
        self.setting(f"{sense}:WAVelength", self._set_wavelength)
        self.setting(f"{sense}:WAVelength:ALL", self._set_all_wavelengths)
        self.query(f"{sense}:ATIMe", lambda call: _nr3(self._port(call).averaging_s))
        self.setting(f"{sense}:ATIMe", self._set_averaging)
        self.query(f"{sense}:RANGe:AUTO", lambda call: f"{int(self._port(call).auto_range):+d}")
        self.setting(f"{sense}:RANGe:AUTO", self._set_auto_range)
        self.query(f"{sense}:RANGe[:UPPer]", lambda call: _nr3(self._port(call).range_dbm))
        self.setting(f"{sense}:RANGe[:UPPer]", self._set_range)
        self.query("INITiate#[:CHANnel#]:CONTinuous", lambda call: f"{int(self._port(call).continuous):+d}")
        self.setting("INITiate#[:CHANnel#]:CONTinuous", self._set_continuous)
        self.setting("INITiate#[:CHANnel#][:IMMediate]", self._trigger)
        zero = "SENSe#[:CHANnel#]:CORRection:COLLect:ZERO"
        self.setting(zero, lambda call: self._zero(call, (self._port(call),)))
        self.setting(f"{zero}:ALL", lambda call: self._zero(call, tuple(self._ports.values())))
        self.query(zero, lambda call: f"{self._port(call).zero_status:+d}")

    # -- measuring ---------------------------------------------------------------------------------

    def submit(self, connection: Client, message: str) -> None:
        """A message wakes the ports that measure continuously."""
        for port in self._ports.values():
            if port.continuous:
                port.free_runs_left = _FREE_RUNS_AFTER_A_MESSAGE
                self._run_free(port)
        super().submit(connection, message)

    def _run_free(self, port: _Port) -> None:
        if port.free_run is None and port.continuous and port.free_runs_left > 0 and not self.silent:
            grid_ns = ns_from_s(max(port.averaging_s, 1e-3))
            port.free_run = self.world.at(
                (self.world.now_ns // grid_ns + 1) * grid_ns, lambda: self._free_run_done(port)
            )

    def _free_run_done(self, port: _Port) -> None:
        port.free_run = None
        if port.continuous:
            port.last_w = self._measured_w(port)
            port.free_runs_left -= 1
            self._run_free(port)

    def _measured_w(self, port: _Port) -> float:
        """What the detector makes of the light at this moment."""
        noise = self.world.noise
        power_w = self._fibres.power_w(self.role, port.number)
        light_nm = self._fibres.wavelength_nm(self.role, port.number)
        correction = 1.0
        if light_nm is not None:
            # The meter divides by the responsivity at the wavelength it was told.
            correction += _RESPONSIVITY_SLOPE_PER_NM * (light_nm - port.wavelength_m * 1e9)
        power_w = power_w * port.gain * correction
        range_dbm = self._range_for(power_w) if port.auto_range else port.range_dbm
        headroom_db = _RANGE_HEADROOM_DB if range_dbm < _RANGES_DBM[-1] else 0.0
        if power_w > w_from_dbm(range_dbm + headroom_db):
            return OVERLOAD_W
        port.range_dbm = range_dbm
        if self._questionable_in_dark and power_w == 0.0:
            return -OVERLOAD_W
        full_scale_w = w_from_dbm(range_dbm)
        sigma_w = math.hypot(self._noise_w, full_scale_w * 1e-6) / math.sqrt(max(port.averaging_s, 1e-4))
        power_w += port.dark_w + sigma_w * noise.normal(self.role, port.number, self.world.now_ns, "power")
        step_w = full_scale_w * 1e-6
        return round(power_w / step_w) * step_w

    def _range_for(self, power_w: float) -> float:
        for range_dbm in _RANGES_DBM:
            if power_w <= w_from_dbm(range_dbm):
                return range_dbm
        return _RANGES_DBM[-1]

    def _measuring_time_s(self, port: _Port) -> float:
        """One averaging time, and another when the automatic range has to change first."""
        if not port.auto_range:
            return port.averaging_s
        wanted = self._range_for(self._fibres.power_w(self.role, port.number) * port.gain)
        return port.averaging_s * (1.0 if wanted == port.range_dbm else 2.0)

    def _read_one(self, call: Call) -> Result | After:
        port = self._port(call)
        call.end()
        if port.continuous:
            return self._shown(port, self._last_w(port))

        def done() -> str:
            port.last_w = self._measured_w(port)
            return self._shown(port, port.last_w)

        return After(self._measuring_time_s(port), done)

    def _fetch_one(self, call: Call) -> str:
        port = self._port(call)
        return self._shown(port, self._last_w(port))

    def _read_all(self, call: Call) -> Result | After:
        call.end()
        triggered = [port for port in self._ports.values() if not port.continuous]

        def done() -> bytes:
            for port in triggered:
                port.last_w = self._measured_w(port)
            return self._block(self._last_w)

        duration_s = max((self._measuring_time_s(port) for port in triggered), default=0.0)
        return After(duration_s, done)

    def _block(self, value_w: Callable[[_Port], float]) -> bytes:
        values = [self._in_unit(port, value_w(port)) for port in self._ports.values()]
        return _definite_block(struct.pack(f"<{len(values)}f", *values))

    def _order(self, call: Call) -> bytes:
        call.end()
        flat = [number for port in self._ports for number in (port, 1)]
        return _definite_block(struct.pack(f"<{len(flat)}H", *flat))

    def _last_w(self, port: _Port) -> float:
        if port.last_w is None:
            raise ScpiError(-230)
        return port.last_w

    def _in_unit(self, port: _Port, power_w: float) -> float:
        if power_w <= -OVERLOAD_W:
            self.report(ScpiError(-231))
        return power_w if port.unit_is_w or abs(power_w) >= OVERLOAD_W else dbm_from_w(power_w)

    def _shown(self, port: _Port, power_w: float) -> str:
        return _nr3(self._in_unit(port, power_w))

    def _trigger(self, call: Call) -> None:
        port = self._port(call)
        call.end()
        if port.continuous or port.triggered:
            raise ScpiError(-213)
        port.triggered = True

        def done() -> None:
            port.triggered = False
            port.last_w = self._measured_w(port)

        self.begin_operation(self._measuring_time_s(port), done)

    def _zero(self, call: Call, ports: tuple[_Port, ...]) -> None:
        call.end()

        def done() -> None:
            for port in ports:
                dark = self._fibres.power_w(self.role, port.number) < _TOO_BRIGHT_TO_ZERO_W
                port.zero_status = 0 if dark else -1
                if dark:
                    port.dark_w = 0.0

        self.begin_operation(_ZERO_TIME_S, done)

    # -- settings ----------------------------------------------------------------------------------

    def _port(self, call: Call) -> _Port:
        slot, channel = call.suffixes
        if slot not in self._ports or channel != 1:
            raise ScpiError(-114)
        return self._ports[slot]

    def _set_unit(self, call: Call) -> None:
        port, word = self._port(call), call.raw().upper()
        call.end()
        units = {"0": False, "DBM": False, "1": True, "W": True, "WATT": True}
        if word not in units:
            raise ScpiError(-224)
        port.unit_is_w = units[word]

    def _all_units(self, call: Call) -> str:
        call.end()
        return ",".join(str(int(port.unit_is_w)) for port in self._ports.values())

    def _wavelength(self, call: Call) -> str:
        port = self._port(call)
        if call.has_more:
            words = {"MIN": _WAVELENGTH_M[0], "MAX": _WAVELENGTH_M[1]}
            return _nr3(words[call.choice("MINimum", "MAXimum")])
        return _nr3(port.wavelength_m)

    def _number_of(self, call: Call, unit: str, limits: tuple[float, float, float]) -> float:
        value = call.number(unit=unit, minimum=limits[0], maximum=limits[1], default=limits[2])
        call.end()
        return value

    def _set_wavelength(self, call: Call) -> None:
        self._port(call).wavelength_m = self._number_of(call, "M", _WAVELENGTH_M)

    def _set_all_wavelengths(self, call: Call) -> None:
        self._port(call)
        wavelength_m = self._number_of(call, "M", _WAVELENGTH_M)
        for port in self._ports.values():
            port.wavelength_m = wavelength_m

    def _set_averaging(self, call: Call) -> None:
        self._port(call).averaging_s = self._number_of(call, "S", _AVERAGING_S)

    def _set_auto_range(self, call: Call) -> None:
        port, on = self._port(call), call.boolean()
        call.end()
        port.auto_range = on

    def _set_range(self, call: Call) -> None:
        port = self._port(call)
        range_dbm = self._number_of(call, "DBM", (_RANGES_DBM[0], _RANGES_DBM[-1], 0.0))
        if port.auto_range:
            raise ScpiError(-221)
        port.range_dbm = math.ceil(range_dbm / 10.0) * 10.0

    def _set_continuous(self, call: Call) -> None:
        port, on = self._port(call), call.boolean()
        call.end()
        port.continuous = on
        if on:
            port.free_runs_left = _FREE_RUNS_AFTER_A_MESSAGE
            self._run_free(port)
        elif port.free_run is not None:
            port.free_run.cancel()
            port.free_run = None


def _nr3(value: float) -> str:
    return f"{value:+.8E}"


def _definite_block(data: bytes) -> bytes:
    length = str(len(data)).encode()
    return b"#" + str(len(length)).encode() + length + data
