"""Simulated Keysight optical power meters: N7744C / N7745C multiport meters, and what they share with the
816x mainframes (:mod:`harness.simulation.peers.power_meter_mainframe`)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from drivers.units import dbm_from_w, w_from_dbm
from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import After, Call, Client, Result, ScpiError, ScpiPeer
from harness.simulation.world import Event, World, ns_from_s

__all__ = ["Detector", "KeysightMeterPeer", "MeterModule", "Port", "PowerMeterPeer"]

OVERLOAD_W = 3.40282e38
"""What an overloaded port answers with (uncertain for these families); negative, what a port sends that has
too little light for dBm."""

_RANGE_HEADROOM_DB = 3.0  # a range displays 3 dB above its nominal value, but for the highest
_ZERO_TIME_S = 5.0
_TOO_BRIGHT_TO_ZERO_W = w_from_dbm(-60.0)
_FREE_RUNS_AFTER_A_MESSAGE = 50
_RESPONSIVITY_SLOPE_PER_NM = 4.5e-4  # relative, of an InGaAs detector between 1310 nm and 1550 nm


@dataclass(frozen=True)
class Detector:
    """A kind of detector. ``wavelengths_m`` and ``averagings_s``: lowest, highest, preset; ``ranges_dbm``:
    nominal, the lowest first; ``accuracy``: largest relative calibration error (each port draws its own
    within it); ``noise_w``: standard deviation of a reading in the dark at 1 s of averaging; ``dark_w``:
    largest dark offset before zeroing."""

    wavelengths_m: tuple[float, float, float] = (1250e-9, 1650e-9, 1550e-9)
    averagings_s: tuple[float, float, float] = (1e-6, 10.0, 0.1)
    ranges_dbm: tuple[float, ...] = (-30.0, -20.0, -10.0, 0.0, 10.0)
    accuracy: float = 0.025
    noise_w: float = 1.5e-12
    dark_w: float = 5e-12


@dataclass
class Port:
    """One optical input. ``number``: of the role's port, to which a fibre goes; ``slot`` and ``channel``:
    where commands find it."""

    number: int
    slot: int
    channel: int
    gain: float  # true calibration: reading / power
    dark_w: float  # what it reads in the dark until it is zeroed
    wavelength_m: float
    range_dbm: float
    unit_is_w: bool = False
    last_w: float | None = None


@dataclass
class MeterModule:
    """Ports that are triggered, averaged and zeroed together: the first is the master. Of a multiport meter
    each port is a module of its own."""

    detector: Detector
    ports: Sequence[Port]
    averaging_s: float
    auto_range: bool = True
    continuous: bool = True
    triggered: bool = False
    zero_status: int = 0
    free_runs_left: int = 0
    free_run: Event | None = field(default=None, repr=False)


class KeysightMeterPeer(ScpiPeer):
    """Modules with detectors on the fibres of ``role``.

    ``questionable_in_dark``: a reading of a port in the dark leaves -231 in the error queue, and says
    "less than I can tell" instead of a number (seen on some firmware).

    While the trigger is continuous a module measures on its own every averaging time, for 50 times after
    the last message (a real meter never stops); READ then answers, as FETCh does, with the last of these.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        serial: str,
        identity: str,
        questionable_in_dark: bool = False,
    ) -> None:
        super().__init__(world, role=role, identity=identity)
        self._fibres = fibres
        self._serial = serial
        self._questionable_in_dark = questionable_in_dark
        self._modules: list[MeterModule] = []
        self._ports: dict[int, Port] = {}
        self._at: dict[tuple[int, int], tuple[MeterModule, Port]] = {}

    def add_module(self, detector: Detector, places: Iterable[tuple[int, int, int]]) -> None:
        """A module whose ports are at these (number, slot, channel), the master first."""
        ports = [self._port_drawn(detector, *place) for place in places]
        module = MeterModule(detector, ports, averaging_s=detector.averagings_s[2])
        self._modules.append(module)
        for port in ports:
            self._ports[port.number] = port
            self._at[port.slot, port.channel] = (module, port)

    def _port_drawn(self, detector: Detector, number: int, slot: int, channel: int) -> Port:
        def drawn(largest: float, what: str) -> float:
            return largest * (2.0 * self.world.noise.uniform(self.role, self._serial, number, what) - 1.0)

        return Port(
            number,
            slot,
            channel,
            gain=1.0 + drawn(detector.accuracy, "gain"),
            dark_w=drawn(detector.dark_w, "dark"),
            wavelength_m=detector.wavelengths_m[2],
            range_dbm=detector.ranges_dbm[-1],
        )

    def reset(self) -> None:
        """``*RST``: preset wavelength, averaging time, range and trigger of all ports."""
        for module in self._modules:
            module.averaging_s = module.detector.averagings_s[2]
            module.auto_range = module.continuous = True
            for port in module.ports:
                port.wavelength_m = module.detector.wavelengths_m[2]
                port.unit_is_w, port.last_w = False, None

    def declare_tree(self) -> None:
        """The commands that both families have; after all modules were added."""
        sense = "SENSe#[:CHANnel#]:POWer"
        initiate = "INITiate#[:CHANnel#]"
        self.query("READ#[:CHANnel#]:POWer", self._read_one)
        self.query("FETCh#[:CHANnel#]:POWer", self._fetch_one)
        self.query("READ#[:CHANnel#]:POWer:ALL", self._read_all)
        self.query("FETCh#[:CHANnel#]:POWer:ALL", lambda _: self._block(self._last_w))
        self.query("READ#[:CHANnel#]:POWer:ALL:CONFig", self._order)
        self.query("SENSe:POWer:UNIT:ALL:CSV", self._all_units)
        self.query(f"{sense}:UNIT", lambda call: f"{int(self._port(call).unit_is_w):+d}")
        self.setting(f"{sense}:UNIT", self._set_unit)
        self.query(f"{sense}:WAVelength", self._wavelength)
        self.setting(f"{sense}:WAVelength", self._set_wavelength)
        self.setting(f"{sense}:WAVelength:ALL", self._set_all_wavelengths)
        self.query(f"{sense}:ATIMe", lambda call: _nr3(self._master(call).averaging_s))
        self.setting(f"{sense}:ATIMe", self._set_averaging)
        self.query(f"{sense}:RANGe:AUTO", lambda call: f"{int(self._master(call).auto_range):+d}")
        self.setting(f"{sense}:RANGe:AUTO", self._set_auto_range)
        self.query(f"{sense}:RANGe[:UPPer]", lambda call: _nr3(self._port(call).range_dbm))
        self.setting(f"{sense}:RANGe[:UPPer]", self._set_range)
        self.query(f"{initiate}:CONTinuous", lambda call: f"{int(self._master(call).continuous):+d}")
        self.setting(f"{initiate}:CONTinuous", self._set_continuous)
        self.setting(f"{initiate}[:IMMediate]", self._trigger)
        zero = "SENSe#[:CHANnel#]:CORRection:COLLect:ZERO"
        self.setting(zero, lambda call: self._zero(call, (self._master(call),)))
        self.setting(f"{zero}:ALL", lambda call: self._zero(call, tuple(self._modules)))
        self.query(zero, lambda call: f"{self._master(call).zero_status:+d}")

    # -- where the families differ -----------------------------------------------------------------

    def _place(self, call: Call) -> tuple[int, int]:
        """Slot and channel of a command."""
        slot, channel = call.suffixes
        return slot, channel

    def _no_such_port(self) -> ScpiError:
        return ScpiError(-114)

    def _not_a_master(self) -> ScpiError:
        raise NotImplementedError

    def _block_value(self, port: Port, power_w: float) -> float:
        """A reading as it stands in the block that has all: in watts, or in the port's unit."""
        return self._in_unit(port, power_w)

    def _together_s(self, durations_s: Iterable[float]) -> float:
        """How long a reading of modules that take this long each takes."""
        return max(durations_s, default=0.0)

    # -- measuring ---------------------------------------------------------------------------------

    def submit(self, connection: Client, message: str) -> None:
        """A message wakes the modules that measure continuously."""
        for module in self._modules:
            if module.continuous:
                module.free_runs_left = _FREE_RUNS_AFTER_A_MESSAGE
                self._run_free(module)
        super().submit(connection, message)

    def _run_free(self, module: MeterModule) -> None:
        if module.free_run is None and module.continuous and module.free_runs_left > 0 and not self.silent:
            grid_ns = ns_from_s(max(module.averaging_s, 1e-3))
            module.free_run = self.world.at(
                (self.world.now_ns // grid_ns + 1) * grid_ns, lambda: self._free_run_done(module)
            )

    def _free_run_done(self, module: MeterModule) -> None:
        module.free_run = None
        if module.continuous:
            self._measure(module)
            module.free_runs_left -= 1
            self._run_free(module)

    def _measure(self, module: MeterModule) -> None:
        for port in module.ports:
            port.last_w = self._measured_w(module, port)

    def _measured_w(self, module: MeterModule, port: Port) -> float:
        """What the detector makes of the light at this moment."""
        detector, noise = module.detector, self.world.noise
        power_w = self._fibres.power_w(self.role, port.number)
        light_nm = self._fibres.wavelength_nm(self.role, port.number)
        correction = 1.0
        if light_nm is not None:
            # The meter divides by the responsivity at the wavelength it was told.
            correction += _RESPONSIVITY_SLOPE_PER_NM * (light_nm - port.wavelength_m * 1e9)
        power_w = power_w * port.gain * correction
        range_dbm = _range_for(detector, power_w) if module.auto_range else port.range_dbm
        headroom_db = _RANGE_HEADROOM_DB if range_dbm < detector.ranges_dbm[-1] else 0.0
        if power_w > w_from_dbm(range_dbm + headroom_db):
            return OVERLOAD_W
        port.range_dbm = range_dbm
        if self._questionable_in_dark and power_w == 0.0:
            return -OVERLOAD_W
        full_scale_w = w_from_dbm(range_dbm)
        sigma_w = math.hypot(detector.noise_w, full_scale_w * 1e-6) / math.sqrt(max(module.averaging_s, 1e-4))
        power_w += port.dark_w + sigma_w * noise.normal(self.role, port.number, self.world.now_ns, "power")
        step_w = full_scale_w * 1e-6
        return round(power_w / step_w) * step_w

    def _measuring_time_s(self, module: MeterModule) -> float:
        """One averaging time, and another when the automatic range of one of its ports has to change."""
        if not module.auto_range:
            return module.averaging_s
        changes = any(
            _range_for(module.detector, self._fibres.power_w(self.role, port.number) * port.gain)
            != port.range_dbm
            for port in module.ports
        )
        return module.averaging_s * (2.0 if changes else 1.0)

    def _read_one(self, call: Call) -> Result | After:
        module, port = self._master(call), self._port(call)
        call.end()
        if module.continuous:
            return self._shown(port, self._last_w(port))

        def done() -> str:
            self._measure(module)
            return self._shown(port, self._last_w(port))

        return After(self._measuring_time_s(module), done)

    def _fetch_one(self, call: Call) -> str:
        port = self._port(call)
        return self._shown(port, self._last_w(port))

    def _read_all(self, call: Call) -> Result | After:
        self._slot_named(call)
        call.end()
        triggered = [module for module in self._modules if not module.continuous]

        def done() -> bytes:
            for module in triggered:
                self._measure(module)
            return self._block(self._last_w)

        return After(self._together_s(map(self._measuring_time_s, triggered)), done)

    def _slot_named(self, call: Call) -> None:
        """A slot in a command that concerns all of them."""

    def _in_order(self) -> list[Port]:
        return [port for _, (_, port) in sorted(self._at.items())]

    def _block(self, value_w: Callable[[Port], float]) -> bytes:
        values = [self._block_value(port, value_w(port)) for port in self._in_order()]
        return _definite_block(struct.pack(f"<{len(values)}f", *values))

    def _order(self, call: Call) -> bytes:
        self._slot_named(call)
        call.end()
        flat = [number for port in self._in_order() for number in (port.slot, port.channel)]
        return _definite_block(struct.pack(f"<{len(flat)}H", *flat))

    def _last_w(self, port: Port) -> float:
        if port.last_w is None:
            raise ScpiError(-230)
        return port.last_w

    def _questioned(self, power_w: float) -> float:
        """The reading itself; one that is none stands in the error queue."""
        if power_w <= -OVERLOAD_W:
            self.report(ScpiError(-231))
        return power_w

    def _in_unit(self, port: Port, power_w: float) -> float:
        power_w = self._questioned(power_w)
        return power_w if port.unit_is_w or abs(power_w) >= OVERLOAD_W else dbm_from_w(power_w)

    def _shown(self, port: Port, power_w: float) -> str:
        return _nr3(self._in_unit(port, power_w))

    def _trigger(self, call: Call) -> None:
        module = self._master(call)
        call.end()
        if module.continuous or module.triggered:
            raise ScpiError(-213)
        module.triggered = True

        def done() -> None:
            module.triggered = False
            self._measure(module)

        self.begin_operation(self._measuring_time_s(module), done)

    def _zero(self, call: Call, modules: tuple[MeterModule, ...]) -> None:
        call.end()

        def done() -> None:
            for module in modules:
                dark = all(
                    self._fibres.power_w(self.role, port.number) < _TOO_BRIGHT_TO_ZERO_W
                    for port in module.ports
                )
                module.zero_status = 0 if dark else -1
                for port in module.ports if dark else ():
                    port.dark_w = 0.0

        self.begin_operation(_ZERO_TIME_S, done)

    # -- settings ----------------------------------------------------------------------------------

    def _addressed(self, call: Call) -> tuple[MeterModule, Port]:
        place = self._place(call)
        if place not in self._at:
            raise self._no_such_port()
        return self._at[place]

    def _port(self, call: Call) -> Port:
        return self._addressed(call)[1]

    def _master(self, call: Call) -> MeterModule:
        """The module of a command that only its master takes."""
        module, port = self._addressed(call)
        if port is not module.ports[0]:
            raise self._not_a_master()
        return module

    def _set_unit(self, call: Call) -> None:
        port, word = self._port(call), call.raw().upper()
        call.end()
        units = {"0": False, "DBM": False, "1": True, "W": True, "WATT": True}
        if word not in units:
            raise ScpiError(-224)
        port.unit_is_w = units[word]

    def _all_units(self, call: Call) -> str:
        call.end()
        return ",".join(str(int(port.unit_is_w)) for port in self._in_order())

    def _wavelength(self, call: Call) -> str:
        module, port = self._addressed(call)
        if call.has_more:
            low_m, high_m, _ = module.detector.wavelengths_m
            return _nr3({"MIN": low_m, "MAX": high_m}[call.choice("MINimum", "MAXimum")])
        return _nr3(port.wavelength_m)

    def _number_of(self, call: Call, unit: str, limits: tuple[float, float, float]) -> float:
        value = call.number(unit=unit, minimum=limits[0], maximum=limits[1], default=limits[2])
        call.end()
        return value

    def _set_wavelength(self, call: Call) -> None:
        module, port = self._addressed(call)
        port.wavelength_m = self._number_of(call, "M", module.detector.wavelengths_m)

    def _set_all_wavelengths(self, call: Call) -> None:
        module, _ = self._addressed(call)
        wavelength_m = self._number_of(call, "M", module.detector.wavelengths_m)
        for port in self._ports.values():
            port.wavelength_m = wavelength_m

    def _set_averaging(self, call: Call) -> None:
        module = self._master(call)
        module.averaging_s = self._number_of(call, "S", module.detector.averagings_s)

    def _set_auto_range(self, call: Call) -> None:
        module, on = self._master(call), call.boolean()
        call.end()
        module.auto_range = on

    def _set_range(self, call: Call) -> None:
        module, port = self._addressed(call)
        ranges_dbm = module.detector.ranges_dbm
        range_dbm = self._number_of(call, "DBM", (ranges_dbm[0], ranges_dbm[-1], 0.0))
        if module.auto_range:
            raise ScpiError(-221)
        port.range_dbm = math.ceil(range_dbm / 10.0) * 10.0

    def _set_continuous(self, call: Call) -> None:
        module, on = self._master(call), call.boolean()
        call.end()
        module.continuous = on
        if on:
            module.free_runs_left = _FREE_RUNS_AFTER_A_MESSAGE
            self._run_free(module)
        elif module.free_run is not None:
            module.free_run.cancel()
            module.free_run = None


class PowerMeterPeer(KeysightMeterPeer):
    """N7744C / N7745C: ``ports`` detectors, each a module of its own; see :class:`Detector` for ``accuracy``,
    ``noise_w`` and ``dark_w``. The block that has all ports follows each port's unit."""

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
        super().__init__(
            world,
            fibres,
            role=role,
            serial=serial,
            identity=f"Keysight Technologies,{model},{serial},V1.10 simulated",
            questionable_in_dark=questionable_in_dark,
        )
        detector = Detector(accuracy=accuracy, noise_w=noise_w, dark_w=dark_w)
        for number in range(1, ports + 1):
            self.add_module(detector, [(number, number, 1)])
        self.declare_tree()


def _range_for(detector: Detector, power_w: float) -> float:
    for range_dbm in detector.ranges_dbm:
        if power_w <= w_from_dbm(range_dbm):
            return range_dbm
    return detector.ranges_dbm[-1]


def _nr3(value: float) -> str:
    return f"{value:+.8E}"


def _definite_block(data: bytes) -> bytes:
    length = str(len(data)).encode()
    return b"#" + str(len(length)).encode() + length + data
