"""The lasers and modulators of one module: drawn for the specimen, driven by what data paths switch on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from drivers.units import w_from_dbm
from harness.simulation.light import laser as lasers
from harness.simulation.light import modulator as modulators
from harness.simulation.light.beam import PAM4_RATE_BD, STEADY, Modulation
from harness.simulation.light.laser import Laser, OperatingPoint, Outlet
from harness.simulation.light.modulator import Modulator
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.transmitter import TransmitterProfile
from harness.simulation.world import World

_WANDER_NS = 100_000_000  # the launch power's wander is redrawn on this grid
_CASE_STEP_C, _VCC_STEP_V = 0.01, 0.001  # modulation is looked up on this grid
_MOST_REMEMBERED = 4096
_FAILED_SHARE = 0.1
_KHOUR = 1000.0
_LOWEST_BANDWIDTH_GHZ = 1.0

_Uniform = Callable[..., float]


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane: the laser that feeds it, its way to the fibre, its modulator."""

    laser: int
    outlet: Outlet
    modulator: Modulator


@dataclass(frozen=True, slots=True)
class _Settled:
    """A laser at a temperature of the case. ``passed``: what the modulator of each of its lanes lets through,
    over that at quadrature; ``together``: all of them, weighted by the lanes' shares."""

    case_c: float
    point: OperatingPoint
    passed: dict[int, float]
    together: float


class Transmitters:
    """A modulator per media lane, and the lasers that feed them; lanes count from 1.

    ``uniform(*key)`` in (0, 1) draws what differs between specimens; ``name`` keys what varies with time.
    """

    def __init__(self, world: World, profile: Profile, uniform: _Uniform, *, name: str) -> None:
        self._world = world
        self._profile = profile
        self._name = name
        self._lasers, self._lanes = _drawn(profile.transmitter, profile.media_lanes, uniform)
        self._fed = tuple(
            tuple(lane for lane, other in enumerate(self._lanes, start=1) if other.laser == laser)
            for laser in range(len(self._lasers))
        )
        self._symbol_rate_bd = PAM4_RATE_BD * (1.0 + profile.transmitter.clock_error_ppm * 1e-6)
        self._settled: dict[int, _Settled] = {}
        self._modulations: dict[tuple[int, int, int], Modulation] = {}
        self._wander: dict[int, tuple[int, float]] = {}
        self.lanes = range(1, profile.media_lanes + 1)
        self.off_w = w_from_dbm(profile.transmitter.off_power_dbm)
        """What leaks out of a transmitter that is off while its data path may emit, watts."""

    def junction_c(self, case_c: float) -> float:
        """Temperature of the hottest laser when all are on, Celsius."""
        return max(self._at(laser, case_c).point.junction_c for laser in range(len(self._lasers)))

    def lanes_with(self, lane: int) -> tuple[int, ...]:
        """The lanes that this one's laser feeds, itself among them."""
        return self._fed[self._lanes[lane - 1].laser]

    def bias_a(self, lane: int, case_c: float) -> float:
        """Bias current of a lane's laser when it is on, amperes; lanes that share a laser have the same."""
        return self._point_of(lane, case_c).bias_a

    def total_bias_a(self, lanes: Iterable[int], case_c: float) -> float:
        """Bias current of all lasers that these lanes need, amperes: each laser once."""
        used = sorted({self._lanes[lane - 1].laser for lane in lanes})
        return sum(self._at(laser, case_c).point.bias_a for laser in used)

    def monitor_power_w(self, lane: int, case_c: float) -> float:
        """What a lane's monitor photodiode sees when its laser is on, watts in the fibre at 25 C."""
        return self._behind_modulator_w(lane, case_c) * self._lanes[lane - 1].outlet.share

    def failed(self, lane: int, case_c: float) -> bool:
        """Whether the power control gave up: bias at its limit and less than a tenth of the target seen."""
        laser = self._lanes[lane - 1].laser
        settled = self._at(laser, case_c)
        seen_w = settled.point.power_w * settled.together
        return not settled.point.held and seen_w < _FAILED_SHARE * self._lasers[laser].target_w

    def launch_power_w(self, lane: int, case_c: float, vcc_v: float) -> float:
        """Average power in the fibre of a lane that is on, watts."""
        return lasers.launch_power_w(
            self._lanes[lane - 1].outlet,
            self._behind_modulator_w(lane, case_c),
            case_c=case_c,
            vcc_v=vcc_v,
            wander_db=self._wander_db(lane),
        )

    def wavelength_nm(self, lane: int, case_c: float) -> float:
        """Centre wavelength, nanometres."""
        return lasers.wavelength_nm(self._lasers[self._lanes[lane - 1].laser], self._point_of(lane, case_c))

    def modulation(self, lane: int, case_c: float, vcc_v: float) -> Modulation:
        """How a transmitter that is on prints symbols on its light; to 0.01 C and 1 mV."""
        key = (lane, round(case_c / _CASE_STEP_C), round(vcc_v / _VCC_STEP_V))
        known = self._modulations.get(key)
        if known is None:
            if len(self._modulations) >= _MOST_REMEMBERED:
                self._modulations.clear()
            known = self._printed(lane, key[1] * _CASE_STEP_C, key[2] * _VCC_STEP_V)
            self._modulations[key] = known
        return known

    def _printed(self, lane: int, case_c: float, vcc_v: float) -> Modulation:
        of_lane = self._lanes[lane - 1]
        laser = self._lasers[of_lane.laser]
        point = self._settle(of_lane.laser, case_c).point
        if point.power_w <= 0.0:
            return STEADY  # what leaks was never modulated
        return Modulation(
            modulators.levels(of_lane.modulator, case_c=case_c, vcc_v=vcc_v),
            symbol_rate_bd=self._symbol_rate_bd,
            bandwidth_hz=modulators.bandwidth_hz(of_lane.modulator, case_c),
            rin_db_hz=lasers.rin_db_hz(laser, point),
            smsr_db=lasers.smsr_db(laser, point),
            skew_ui=of_lane.modulator.skew_s * PAM4_RATE_BD,
            chirp=of_lane.modulator.chirp,
        )

    def _point_of(self, lane: int, case_c: float) -> OperatingPoint:
        return self._at(self._lanes[lane - 1].laser, case_c).point

    def _behind_modulator_w(self, lane: int, case_c: float) -> float:
        """Power of a lane's laser as far as the lane's modulator lets it through, watts in all its fibres."""
        settled = self._at(self._lanes[lane - 1].laser, case_c)
        return settled.point.power_w * settled.passed[lane]

    def _at(self, laser: int, case_c: float) -> _Settled:
        known = self._settled.get(laser)
        if known is None or known.case_c != case_c:
            known = self._settled[laser] = self._settle(laser, case_c)
        return known

    def _settle(self, laser: int, case_c: float) -> _Settled:
        """One loop holds the sum of the monitors of all lanes of a laser; each lane follows its modulator. A
        lane that is off counts as if it were on: its light is cut off behind its monitor (an assumption).
        """
        passed = {
            lane: modulators.mean_transmission(self._lanes[lane - 1].modulator, case_c)
            for lane in self._fed[laser]
        }
        together = 1.0 + math.fsum(
            self._lanes[lane - 1].outlet.share * (share - 1.0) for lane, share in passed.items()
        )
        point = lasers.operating_point(self._lasers[laser], case_c, transmission=together)
        return _Settled(case_c, point, passed, together)

    def _wander_db(self, lane: int) -> float:
        if not self._profile.transmitter.wander_db:
            return 0.0
        period = self._world.now_ns // _WANDER_NS
        cached = self._wander.get(lane)
        if cached is None or cached[0] != period:
            drawn = self._world.noise.normal(
                self._name, self._profile.name, "launch power wander", lane, period
            )
            cached = (period, self._profile.transmitter.wander_db * drawn)
            self._wander[lane] = cached
        return cached[1]


def _drawn(
    profile: TransmitterProfile, media_lanes: int, uniform: _Uniform
) -> tuple[tuple[Laser, ...], tuple[_Lane, ...]]:
    """The lasers, and the lanes that they feed."""
    numbers = range(1, media_lanes + 1)
    laser_of_lane = profile.laser_of_lane or tuple(numbers)
    fed = {
        number: [lane for lane in numbers if laser_of_lane[lane - 1] == number] for number in laser_of_lane
    }
    targets_w = tuple(
        w_from_dbm(
            profile.average_launch_power_dbm[lane - 1]
            + _spread(uniform, "launch power", lane, profile.launch_power_spread_db)
        )
        for lane in numbers
    )
    order = {number: index for index, number in enumerate(fed)}
    found = tuple(_laser(profile, lanes, targets_w, uniform) for lanes in fed.values())
    return found, tuple(
        _Lane(
            laser=order[number],
            outlet=_outlet(
                profile, lane, targets_w[lane - 1] / math.fsum(targets_w[n - 1] for n in fed[number]), uniform
            ),
            modulator=_modulator(profile, lane, uniform),
        )
        for lane, number in zip(numbers, laser_of_lane, strict=True)
    )


def _laser(
    profile: TransmitterProfile, lanes: Sequence[int], targets_w: Sequence[float], uniform: _Uniform
) -> Laser:
    """The laser that feeds these lanes. Of what is stated per lane, the first one's holds."""
    first = lanes[0]
    good = lasers.characterised(
        Laser(
            threshold_a=profile.threshold_ma * 1e-3,
            slope_w_per_a=profile.slope_mw_per_ma * len(lanes),
            t0_k=profile.t0_k[first - 1],
            t1_k=profile.t1_k,
            bias_limit_a=profile.bias_limit_ma * 1e-3,
            target_w=math.fsum(targets_w[lane - 1] for lane in lanes),
            wavelength_nm=profile.wavelength_nm[first - 1] + profile.wavelength_error_nm[first - 1],
            wavelength_slope_nm_per_c=profile.wavelength_slope_nm_per_c,
            wavelength_slope_nm_per_a=profile.wavelength_slope_nm_per_ma * 1e3,
            junction_rise_c=profile.junction_rise_c,
            thermal_resistance_k_per_w=profile.thermal_resistance_k_per_w,
            diode_v=profile.diode_v,
            series_resistance_ohm=profile.series_resistance_ohm,
            rin_db_hz=profile.rin_db_hz[first - 1] + _spread(uniform, "rin", first, profile.rin_spread_db),
            smsr_db=profile.smsr_db[first - 1] + _spread(uniform, "smsr", first, profile.smsr_spread_db),
        )
    )
    efficiency = min(profile.laser_efficiency[lane - 1] for lane in lanes)
    return lasers.aged(lasers.weakened(good, efficiency), profile.age_hours, profile.age_junction_c)


def _outlet(profile: TransmitterProfile, lane: int, share: float, uniform: _Uniform) -> Outlet:
    if profile.tracking_db is not None:
        tracking_db = profile.tracking_db[lane - 1]
    else:
        sign = 1.0 if uniform("tracking sign", lane) < 0.5 else -1.0
        tracking_db = sign * (0.1 + 0.2 * uniform("tracking", lane))
    return Outlet(
        share=share,
        tracking_db=tracking_db,
        coupling_loss_db=profile.coupling_loss_db[lane - 1],
        supply_db_per_v=profile.supply_db_per_v,
        off_w=w_from_dbm(profile.off_power_dbm),
    )


def _modulator(profile: TransmitterProfile, lane: int, uniform: _Uniform) -> Modulator:
    index = lane - 1
    extinction_ratio_db = profile.extinction_ratio_db[index] + _spread(
        uniform, "extinction ratio", lane, profile.extinction_ratio_spread_db
    )
    bandwidth_ghz = profile.bandwidth_ghz[index] + _spread(
        uniform, "transmitter bandwidth", lane, profile.bandwidth_spread_ghz
    )
    return Modulator(
        extinction_ratio_db=extinction_ratio_db,
        extinction_ratio_db_per_v=profile.extinction_ratio_supply_db_per_v,
        bias_error=profile.modulator_bias_error[index]
        + profile.modulator_bias_error_per_khour * profile.age_hours / _KHOUR,
        bias_error_per_c=profile.modulator_bias_error_per_c,
        level_mismatch=profile.level_mismatch[index],
        bandwidth_hz=max(bandwidth_ghz, _LOWEST_BANDWIDTH_GHZ) * 1e9,
        bandwidth_hz_per_c=profile.bandwidth_slope_ghz_per_c * 1e9,
        skew_s=(profile.skew_ps[index] - profile.skew_ps[0]) * 1e-12,
        chirp=profile.chirp[index],
    )


def _spread(uniform: _Uniform, key: str, lane: int, half_width: float) -> float:
    """A draw within a half width about 0."""
    return half_width * (2.0 * uniform(key, lane) - 1.0)
