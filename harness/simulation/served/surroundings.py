"""What a served module is surrounded by: supply, light, heat and a host, each a value that clients set."""

from __future__ import annotations

import math
from collections.abc import Callable

from drivers.units import ratio_from_db, w_from_dbm
from harness.simulation.heat import CaseHeat
from harness.simulation.ports import ModuleBody
from harness.simulation.signals import TRAFFIC, LineSignal
from harness.simulation.world import World

NOMINAL_VCC_V = 3.3
DEFAULT_LIGHT_DBM = 0.0
_HIGHEST_VCC_V = 5.0
_COLDEST_C, _HOTTEST_C = -60.0, 150.0
_BRIGHTEST_DBM = 20.0
_MOST_LOSS_DB = 100.0


class ServedSurroundings:
    """Both :class:`harness.simulation.ports.ModuleSurroundings` and ``LineSurroundings``.

    At first: 3.3 V, still air of ``room_temp_c`` in which the case warms by what the module dissipates, and
    on each receiver light of 0 dBm that carries traffic. The host sends traffic on every lane.
    """

    def __init__(self, world: World, media_lanes: int, *, room_temp_c: float = 25.0) -> None:
        self._lanes = range(1, media_lanes + 1)
        self._heat = CaseHeat(world, room_temp_c=room_temp_c)
        self._case_c: float | None = None
        self._vcc_v = NOMINAL_VCC_V
        self._plugged = True
        self._light_w = dict.fromkeys(self._lanes, w_from_dbm(DEFAULT_LIGHT_DBM))
        self._loopback: dict[int, float] = {}
        self._body: ModuleBody | None = None
        self._sent: Callable[[int], LineSignal | None] = lambda lane: None

    def connect(self, body: ModuleBody, sent: Callable[[int], LineSignal | None]) -> None:
        """The module that sits here; ``sent(lane)``: what the light of its transmitters carries."""
        self._body = body
        self._sent = sent
        self._heat.connect_load(body.consumption_w)
        body.supply_changed()

    # -- what the module feels ---------------------------------------------------------------------------

    def vcc_v(self) -> float:
        """Supply voltage at the connector; nothing reaches a module that is pulled out."""
        return self._vcc_v if self._plugged else 0.0

    def case_temp_c(self) -> float:
        """Case temperature."""
        return self._heat.case_temp_c() if self._case_c is None else self._case_c

    def rx_power_w(self, lane: int) -> float:
        """Average optical power at a receiver."""
        if lane in self._loopback:
            return self._loopback[lane] * (self._body.launch_power_w(lane) if self._body else 0.0)
        return self._light_w.get(lane, 0.0)

    def rx_signal(self, lane: int) -> LineSignal | None:
        """What that light carries."""
        if lane in self._loopback:
            return self._sent(lane)
        return TRAFFIC if self._light_w.get(lane, 0.0) > 0.0 else None

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
