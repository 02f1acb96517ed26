"""A laser and what it brings into the fibres of the lanes that it feeds: pure functions of parameters,
temperature, supply.

Textbook L-I curve: above the threshold current the power grows in proportion, P = eta (I - Ith), with
Ith ~ exp(T/T0) and eta ~ exp(-T/T1). T is the junction's temperature, which rises with what the laser
dissipates, V I - P, times a thermal resistance: that bends the curve over (thermal roll-off). An automatic
power control (APC) raises the bias until the monitor photodiode sees its target, up to the bias limit.

Powers are referred to the fibres (TP2): the slope includes coupling loss, splitter, and modulators at
quadrature. The monitor photodiodes sit behind the modulators: one whose bias point has moved lets another
share of the light through, and the loop gives the laser more or less bias to make up for it, as far as the
limit lets it. A laser that feeds several lanes has one loop, which holds the sum of their monitors; each lane
gets its fixed share of the laser's light, and of that what its own modulator lets through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from drivers.units import ratio_from_db

REFERENCE_TEMP_C = 25.0
"""Temperature at which a profile states a laser's nominal values."""

NOMINAL_VCC_V = 3.3

_BOLTZMANN_EV_PER_K = 8.617e-5
_ZERO_C_K = 273.15

# Ageing: gradual and thermally activated (textbook; Arrhenius with 0.7 eV, usual for InP lasers). How fast is
# an assumption: a logarithmic 20 % more threshold and 10 % less slope in 100 000 hours at 55 C.
_ACTIVATION_EV = 0.7
_AGEING_REFERENCE_C = 55.0
_THRESHOLD_PER_HOUR = 0.2e-5
_SLOPE_PER_HOUR = -0.1e-5

HOTTEST_JUNCTION_C = 300.0
"""No junction gets hotter: no laser lives there. What would follow is not simulated."""

_QUANTUM_NM_W_PER_A = 1239.84  # h c / q

_SETTLED_A = 1e-15
_MOST_STEPS = 300  # of a power control that creeps along just below the roll-off's top
_HEAT_STEPS = 60

_RIN_FLOOR_SHARE = 0.5  # of the nominal noise; an assumption
_NOISIEST_DB_HZ = -110.0  # of light below threshold; an assumption


@dataclass(frozen=True, slots=True)
class Laser:
    """One laser.

    Attributes: ``threshold_a`` and ``slope_w_per_a`` at a junction of 25 C, ``slope_w_per_a`` into all its
    fibres together; ``target_w``: what the APC holds, in watts in all its fibres at 25 C; ``junction_rise_c``
    above the case at any bias, and ``thermal_resistance_k_per_w`` for what its bias adds to that;
    ``diode_v`` and ``series_resistance_ohm``: its voltage is V = diode + R I; ``wavelength_nm`` at a junction
    of 25 C and at ``nominal_bias_a``; ``rin_db_hz`` and ``smsr_db`` at ``nominal_overdrive``, which is
    I/Ith - 1 at that bias.
    """

    threshold_a: float
    slope_w_per_a: float
    t0_k: float
    t1_k: float
    bias_limit_a: float
    target_w: float
    wavelength_nm: float
    wavelength_slope_nm_per_c: float
    wavelength_slope_nm_per_a: float = 0.0
    junction_rise_c: float = 0.0
    thermal_resistance_k_per_w: float = 0.0
    diode_v: float = 1.0
    series_resistance_ohm: float = 5.0
    rin_db_hz: float = -math.inf
    smsr_db: float = math.inf
    nominal_bias_a: float = 0.0
    nominal_overdrive: float = 1.0


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where a laser settles: its bias, its junction, the threshold there, and its power, as watts in all its
    fibres at 25 C with the modulators at quadrature. ``held``: the APC has its target."""

    bias_a: float
    junction_c: float
    threshold_a: float
    power_w: float
    held: bool

    @property
    def overdrive(self) -> float:
        """Bias over threshold, less 1; not above 0 where it does not lase."""
        return self.bias_a / self.threshold_a - 1.0


@dataclass(frozen=True, slots=True)
class Outlet:
    """A lane's way from its laser into its fibre.

    Attributes: ``share`` of the laser's power; ``tracking_db``: monitor to fibre deviation 45 C away from
    25 C, signed; ``coupling_loss_db``: behind the monitor photodiode, so that the module does not see it;
    ``supply_db_per_v``; ``off_w``: leakage when the output is disabled.
    """

    share: float
    tracking_db: float
    coupling_loss_db: float
    supply_db_per_v: float
    off_w: float


def threshold_current_a(laser: Laser, junction_c: float) -> float:
    """Threshold current, amperes: Ith0 exp((T - 25) / T0)."""
    return laser.threshold_a * math.exp((junction_c - REFERENCE_TEMP_C) / laser.t0_k)


def slope_efficiency_w_per_a(laser: Laser, junction_c: float) -> float:
    """Slope efficiency, W/A: eta0 exp(-(T - 25) / T1)."""
    return laser.slope_w_per_a * math.exp(-(junction_c - REFERENCE_TEMP_C) / laser.t1_k)


def power_at_junction_w(laser: Laser, bias_a: float, junction_c: float) -> float:
    """L-I curve of a junction whose temperature is held, watts; 0 below threshold (its spontaneous light is
    left out)."""
    above_a = bias_a - threshold_current_a(laser, junction_c)
    return max(0.0, slope_efficiency_w_per_a(laser, junction_c) * above_a)


def junction_c(laser: Laser, case_c: float, bias_a: float) -> float:
    """Temperature of the junction at a bias, Celsius: case, rise, and what it dissipates by V I - P.

    P is that in the fibres, a little less than what leaves the chip: it errs towards the hot side. Solved by
    fixed-point steps, which close in by at least a factor of two each for any laser that lases at all. At
    most :data:`HOTTEST_JUNCTION_C`.
    """
    base_c = case_c + laser.junction_rise_c
    resistance = laser.thermal_resistance_k_per_w
    found_c = base_c
    if resistance > 0.0:
        electrical_w = _electrical_w(laser, bias_a)
        for _ in range(_HEAT_STEPS):
            before_c = found_c
            power_w = min(power_at_junction_w(laser, bias_a, found_c), electrical_w)
            found_c = min(base_c + resistance * (electrical_w - power_w), HOTTEST_JUNCTION_C)
            if abs(found_c - before_c) < 1e-12 * resistance:
                break
    return found_c


def power_at_bias_w(laser: Laser, case_c: float, bias_a: float) -> float:
    """L-I curve with the laser's own heat in it (thermal roll-off), watts in all its fibres."""
    return power_at_junction_w(laser, bias_a, junction_c(laser, case_c, bias_a))


def quantum_limit_w_per_a(wavelength_nm: float) -> float:
    """The most slope efficiency there is, W/A: a photon for each electron, h c / (q wavelength) (textbook);
    0.946 W/A at 1310 nm."""
    return _QUANTUM_NM_W_PER_A / wavelength_nm


def operating_point(laser: Laser, case_c: float, *, transmission: float = 1.0) -> OperatingPoint:
    """Where the APC settles: at the least bias that gives the target, or at the limit where none does.

    ``transmission``: what the modulators let through to the monitors, over that at quadrature, weighted by
    the lanes' shares; the laser has to give its target divided by it.

    A power control that integrates its error starts from below, so it finds the least one; its steps here
    are those of the loop (bias from the junction's temperature, temperature from the bias), which rise to it.
    Past the top of the roll-off they rise without end: the limit.
    """
    base_c = at_c = case_c + laser.junction_rise_c
    target_w = laser.target_w / transmission
    bias_a = 0.0
    for _ in range(_MOST_STEPS):
        before_a = bias_a
        bias_a = _wanted_bias_a(laser, at_c, target_w)
        if bias_a > laser.bias_limit_a:
            return _at_limit(laser, case_c)
        if laser.thermal_resistance_k_per_w == 0.0 or bias_a - before_a < _SETTLED_A:
            break
        heat_w = max(0.0, _electrical_w(laser, bias_a) - target_w)
        at_c = min(base_c + laser.thermal_resistance_k_per_w * heat_w, HOTTEST_JUNCTION_C)
    return OperatingPoint(bias_a, at_c, threshold_current_a(laser, at_c), target_w, held=True)


def _wanted_bias_a(laser: Laser, at_c: float, target_w: float) -> float:
    slope = slope_efficiency_w_per_a(laser, at_c)
    return threshold_current_a(laser, at_c) + target_w / slope if slope > 0.0 else math.inf


def _at_limit(laser: Laser, case_c: float) -> OperatingPoint:
    limit_a = laser.bias_limit_a
    at_c = junction_c(laser, case_c, limit_a)
    return OperatingPoint(
        limit_a,
        at_c,
        threshold_current_a(laser, at_c),
        power_at_junction_w(laser, limit_a, at_c),
        held=False,
    )


def _electrical_w(laser: Laser, bias_a: float) -> float:
    return bias_a * (laser.diode_v + laser.series_resistance_ohm * bias_a)


def characterised(laser: Laser) -> Laser:
    """The laser with its nominal bias and overdrive: those at a case of 25 C."""
    point = operating_point(laser, REFERENCE_TEMP_C)
    return replace(laser, nominal_bias_a=point.bias_a, nominal_overdrive=point.overdrive)


def weakened(laser: Laser, efficiency: float) -> Laser:
    """The laser with this share of its slope left, 0 to 1; 0: dead."""
    return replace(laser, slope_w_per_a=laser.slope_w_per_a * efficiency)


def aged(laser: Laser, hours: float, junction_c: float) -> Laser:
    """The laser after operating hours at a temperature of its junction: more threshold, less slope.

    Threshold and slope change by a constant ratio each hour, which the temperature speeds up by Arrhenius'
    law with 0.7 eV. Nothing changes in 0 hours. Rates are an assumption (see this module's constants).
    """
    inverse_k = 1.0 / (_AGEING_REFERENCE_C + _ZERO_C_K) - 1.0 / (junction_c + _ZERO_C_K)
    equivalent = hours * math.exp(_ACTIVATION_EV / _BOLTZMANN_EV_PER_K * inverse_k)
    # Far beyond any laser's life it is dead; there is no need for larger numbers.
    equivalent = min(equivalent, 1e8)
    return replace(
        laser,
        threshold_a=laser.threshold_a * math.exp(_THRESHOLD_PER_HOUR * equivalent),
        slope_w_per_a=laser.slope_w_per_a * math.exp(_SLOPE_PER_HOUR * equivalent),
    )


def wavelength_nm(laser: Laser, point: OperatingPoint) -> float:
    """Centre wavelength, nanometres: about 0.09 nm/C for a DFB laser that is not cooled (textbook)."""
    return (
        laser.wavelength_nm
        + laser.wavelength_slope_nm_per_c * (point.junction_c - REFERENCE_TEMP_C)
        + laser.wavelength_slope_nm_per_a * (point.bias_a - laser.nominal_bias_a)
    )


def rin_db_hz(laser: Laser, point: OperatingPoint) -> float:
    """Relative intensity noise, dB/Hz.

    RIN ~ 1 / (I/Ith - 1)^3 above a floor (textbook), taken so that half of the nominal noise is floor, which
    is an assumption, as are the -110 dB/Hz that it does not exceed.
    """
    ratio = point.overdrive / laser.nominal_overdrive if laser.nominal_overdrive > 0.0 else 1.0
    if ratio <= 0.0:
        return max(laser.rin_db_hz, _NOISIEST_DB_HZ)
    grown = _RIN_FLOOR_SHARE + (1.0 - _RIN_FLOOR_SHARE) * min(ratio**-3, 1e30)
    return min(laser.rin_db_hz + 10.0 * math.log10(grown), max(laser.rin_db_hz, _NOISIEST_DB_HZ))


def smsr_db(laser: Laser, point: OperatingPoint) -> float:
    """Side-mode suppression ratio, dB; 0 below threshold.

    The side mode's power stays about what it is at threshold while the main one's grows with I/Ith - 1
    (textbook), so that the ratio follows the overdrive.
    """
    ratio = point.overdrive / laser.nominal_overdrive if laser.nominal_overdrive > 0.0 else 1.0
    return max(0.0, laser.smsr_db + 10.0 * math.log10(ratio)) if ratio > 0.0 else 0.0


def tracking_error_db(outlet: Outlet, case_c: float) -> float:
    """Deviation of the fibre's power from the monitor's, dB; grows with the distance from 25 C."""
    return outlet.tracking_db * abs(case_c - REFERENCE_TEMP_C) / 45.0


def launch_power_w(
    outlet: Outlet, laser_power_w: float, *, case_c: float, vcc_v: float, wander_db: float
) -> float:
    """Average power in a lane's fibre at TP2 with the output on, watts."""
    deviation_db = (
        tracking_error_db(outlet, case_c)
        + outlet.supply_db_per_v * (vcc_v - NOMINAL_VCC_V)
        + wander_db
        - outlet.coupling_loss_db
    )
    return max(outlet.off_w, laser_power_w * outlet.share * ratio_from_db(deviation_db))
