"""What a served module is surrounded by: supply, light, heat and a host, each a value that clients set."""

from __future__ import annotations

import math

from drivers.units import ratio_from_db, w_from_dbm
from harness.simulation.heat import CaseHeat
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.ports import ModuleBody
from harness.simulation.signals import TRAFFIC, LineSignal
from harness.simulation.world import World

NOMINAL_VCC_V = 3.3
DEFAULT_LIGHT_DBM = 0.0
_HIGHEST_VCC_V = 5.0
_COLDEST_C, _HOTTEST_C = -60.0, 150.0
_BRIGHTEST_DBM = 20.0
_MOST_LOSS_DB = 100.0
_GOOD = Modulation(even_levels(5.0))  # of the light that a client sets


class ServedSurroundings:
    """Both :class:`harness.simulation.ports.ModuleSurroundings` and ``HostSurroundings``.

    At first: 3.3 V, still air of ``room_temp_c`` in which the case warms by what the module dissipates, and
    on each receiver light of 0 dBm that carries traffic. The host sends traffic on every lane.
    """

    def __init__(self, world: World, profile: Profile, *, room_temp_c: float = 25.0) -> None:
        self._lanes = range(1, profile.media_lanes + 1)
        self._fibres = fibres_of(profile.medium, profile.media_lanes)
        self._wavelengths_nm = profile.transmitter.wavelength_nm
        self._heat = CaseHeat(world, room_temp_c=room_temp_c)
        self._case_c: float | None = None
        self._vcc_v = NOMINAL_VCC_V
        self._plugged = True
        self._light_w = dict.fromkeys(self._lanes, w_from_dbm(DEFAULT_LIGHT_DBM))
        self._loopback: dict[int, float] = {}
        self._body: ModuleBody | None = None

    def connect(self, body: ModuleBody) -> None:
        """The module that sits here."""
        self._body = body
        self._heat.connect_load(body.consumption_w)
        body.supply_changed()

    # -- what the module feels ---------------------------------------------------------------------------

    def vcc_v(self) -> float:
        """Supply voltage at the connector; nothing reaches a module that is pulled out."""
        return self._vcc_v if self._plugged else 0.0

    def case_temp_c(self) -> float:
        """Case temperature."""
        return self._heat.case_temp_c() if self._case_c is None else self._case_c

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """Light in a receiving fibre: what was set, or the module's own."""
        return tuple(
            beam
            for lane in (self._fibres[port - 1] if 1 <= port <= len(self._fibres) else ())
            for beam in self._on_lane(port, lane)
        )

    def _on_lane(self, port: int, lane: int) -> tuple[Beam, ...]:
        if lane in self._loopback:
            own = self._body.launched(port) if self._body else ()
            name = f".tx{lane}"
            return tuple(beam.through(self._loopback[lane]) for beam in own if beam.source.endswith(name))
        power_w = self._light_w.get(lane, 0.0)
        if power_w <= 0.0:
            return ()
        wavelength_nm = self._wavelengths_nm[lane - 1]
        return (Beam(f"light on lane {lane}", power_w, wavelength_nm, TRAFFIC, _GOOD),)

    def host_signal(self, host_lane: int) -> LineSignal | None:
        """What the host sends."""
        return TRAFFIC

    # -- what a client sets ------------------------------------------------------------------------------

    def set_vcc_v(self, voltage_v: float) -> None:
        """Set the supply; 0 turns it off.

        :raises ValueError: outside 0 .. 5 V.
        """
        self._vcc_v = _checked("supply", voltage_v, 0.0, _HIGHEST_VCC_V, "V")
        self._tell()

    def set_case_temp_c(self, case_temp_c: float) -> None:
        """Hold the case at a temperature; not a number: let it follow the module's dissipation again.

        :raises ValueError: outside -60 .. 150 C.
        """
        if math.isnan(case_temp_c):
            self._case_c = None
        else:
            self._case_c = _checked("case temperature", case_temp_c, _COLDEST_C, _HOTTEST_C, "C")

    def set_plugged(self, plugged: bool) -> None:
        """Plug the module in, or pull it out: it loses its supply."""
        self._plugged = plugged
        self._tell()

    def set_light_dbm(self, lane: int, power_dbm: float) -> None:
        """Light that carries traffic on the receiver of a lane (0: of all); minus infinity: none.

        :raises ValueError: for a lane that is not there, and above 20 dBm.
        """
        if power_dbm == -math.inf:
            power_w = 0.0
        else:
            power_w = w_from_dbm(_checked("light", power_dbm, -200.0, _BRIGHTEST_DBM, "dBm"))
        for chosen in self._chosen(lane):
            self._loopback.pop(chosen, None)
            self._light_w[chosen] = power_w

    def set_loopback_db(self, lane: int, loss_db: float) -> None:
        """Lead the light of a lane's transmitter (0: of all) to its own receiver, through a loss.

        :raises ValueError: for a lane that is not there, and outside 0 .. 100 dB.
        """
        ratio = ratio_from_db(-_checked("loss", loss_db, 0.0, _MOST_LOSS_DB, "dB"))
        for chosen in self._chosen(lane):
            self._loopback[chosen] = ratio

    def _chosen(self, lane: int) -> range | tuple[int, ...]:
        if lane == 0:
            return self._lanes
        if lane not in self._lanes:
            raise ValueError(f"there is no media lane {lane}; there are 1 to {len(self._lanes)}")
        return (lane,)

    def _tell(self) -> None:
        if self._body is not None:
            self._body.supply_changed()


def _checked(what: str, value: float, low: float, high: float, unit: str) -> float:
    if not low <= value <= high:  # nan fails as well
        raise ValueError(f"{what}: {low:g} .. {high:g} {unit}, not {value}")
    return value
