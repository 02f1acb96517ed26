"""The lasers of one module: drawn for the specimen, driven by what the data paths switch on."""

from __future__ import annotations

from collections.abc import Callable

from drivers.units import w_from_dbm
from harness.simulation.light.beam import Modulation, even_levels
from harness.simulation.module.lanes import physics
from harness.simulation.module.profile import Profile
from harness.simulation.world import World

_WANDER_NS = 100_000_000  # the launch power's wander is redrawn on this grid
_DEAD_SLOPE = 1e-12


class Transmitters:
    """One laser per media lane; lanes count from 1.

    ``uniform(*key)`` in (0, 1) draws what differs between specimens; ``name`` keys what varies with time.
    """

    def __init__(self, world: World, profile: Profile, uniform: Callable[..., float], *, name: str) -> None:
        self._world = world
        self._profile = profile
        self._name = name
        self._lasers = _draw_lasers(profile, uniform)
        self._wander: dict[int, tuple[int, float]] = {}
        self.off_w = w_from_dbm(profile.transmitter.off_power_dbm)
        """What leaks out of a transmitter that is off while its data path may emit, watts."""

    def junction_c(self, case_c: float) -> float:
        """Temperature of the lasers, Celsius."""
        return case_c + self._profile.transmitter.junction_rise_c

    def bias_a(self, lane: int, case_c: float) -> float:
        """Bias current of a laser that is on, amperes."""
        return physics.bias_current_a(self._lasers[lane - 1], self.junction_c(case_c))

    def monitor_power_w(self, lane: int, case_c: float) -> float:
        """What the monitor photodiode of a laser that is on sees, watts in the fibre at 25 C."""
        return physics.monitor_power_w(self._lasers[lane - 1], self.junction_c(case_c))

    def launch_power_w(self, lane: int, case_c: float, vcc_v: float) -> float:
        """Average power in the fibre of a laser that is on, watts."""
        return physics.launch_power_w(
            self._lasers[lane - 1],
            case_c=case_c,
            junction_c=self.junction_c(case_c),
            vcc_v=vcc_v,
            wander_db=self._wander_db(lane),
        )

    def wavelength_nm(self, lane: int, case_c: float) -> float:
        """Centre wavelength, nanometres."""
        return physics.wavelength_nm(self._lasers[lane - 1], self.junction_c(case_c))

    def modulation(self, lane: int) -> Modulation:
        """How a transmitter that is on prints symbols on its light."""
        return Modulation(even_levels(4.5))

    def _wander_db(self, lane: int) -> float:
        period = self._world.now_ns // _WANDER_NS
        cached = self._wander.get(lane)
        if cached is None or cached[0] != period:
            drawn = self._world.noise.normal(
                self._name, self._profile.name, "launch power wander", lane, period
            )
            cached = (period, self._profile.transmitter.wander_db * drawn)
            self._wander[lane] = cached
        return cached[1]


def _draw_lasers(profile: Profile, uniform: Callable[..., float]) -> tuple[physics.Laser, ...]:
    transmitter = profile.transmitter
    lasers = []
    for index in range(profile.media_lanes):
        lane = index + 1
        spread_db = transmitter.launch_power_spread_db * (2.0 * uniform("launch power", lane) - 1.0)
        if transmitter.tracking_db is not None:
            tracking_db = transmitter.tracking_db[index]
        else:
            sign = 1.0 if uniform("tracking sign", lane) < 0.5 else -1.0
            tracking_db = sign * (0.1 + 0.2 * uniform("tracking", lane))
        dead = lane in profile.faults.dead_media_lanes
        lasers.append(
            physics.Laser(
                threshold_a=transmitter.threshold_ma * 1e-3,
                slope_w_per_a=_DEAD_SLOPE if dead else transmitter.slope_mw_per_ma,
                t0_k=transmitter.t0_k,
                t1_k=transmitter.t1_k,
                bias_limit_a=transmitter.bias_limit_ma * 1e-3,
                target_w=w_from_dbm(transmitter.average_launch_power_dbm[index] + spread_db),
                tracking_db=tracking_db,
                coupling_loss_db=transmitter.coupling_loss_db[index],
                off_w=w_from_dbm(transmitter.off_power_dbm),
                wavelength_nm=transmitter.wavelength_nm[index],
                wavelength_slope_nm_per_c=transmitter.wavelength_slope_nm_per_c,
                supply_db_per_v=transmitter.supply_db_per_v,
            )
        )
    return tuple(lasers)
