"""Light and electricity of one transmitter lane: pure functions of temperature, time and parameters.

Laser model (textbook L-I curve): threshold current and slope efficiency follow exponentials with the
characteristic temperatures T0 and T1, and an automatic power control (APC) sets the bias so that the
monitor photodiode sees its target, up to the bias limit. Wavelength: about 0.09 nm/C for an uncooled DFB.
Powers are referred to the fibre (TP2): slope efficiency includes modulator and coupling loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.units import ratio_from_db

REFERENCE_TEMP_C = 25.0
"""Temperature at which a profile states a laser's nominal values."""

NOMINAL_VCC_V = 3.3


@dataclass(frozen=True, slots=True)
class Laser:
    """Parameters of one lane's laser.

    Attributes: ``threshold_a`` and ``slope_w_per_a`` at 25 C junction temperature, ``t0_k``, ``t1_k``,
    ``bias_limit_a``, ``target_w`` (what the APC holds, in watts in the fibre at 25 C), ``tracking_db``
    (monitor to fibre deviation 45 C away from 25 C, signed), ``coupling_loss_db`` (behind the monitor
    photodiode, so that the module does not see it), ``off_w`` (leakage when the output is disabled).
    """

    threshold_a: float
    slope_w_per_a: float
    t0_k: float
    t1_k: float
    bias_limit_a: float
    target_w: float
    tracking_db: float
    coupling_loss_db: float
    off_w: float
    wavelength_nm: float
    wavelength_slope_nm_per_c: float
    supply_db_per_v: float


def threshold_current_a(laser: Laser, junction_c: float) -> float:
    """Threshold current, amperes: Ith0 exp((T - 25) / T0)."""
    return laser.threshold_a * math.exp((junction_c - REFERENCE_TEMP_C) / laser.t0_k)


def slope_efficiency_w_per_a(laser: Laser, junction_c: float) -> float:
    """Slope efficiency, W/A: eta0 exp(-(T - 25) / T1)."""
    return laser.slope_w_per_a * math.exp(-(junction_c - REFERENCE_TEMP_C) / laser.t1_k)


def bias_current_a(laser: Laser, junction_c: float) -> float:
    """Bias the APC settles at: what the target needs, or the limit."""
    wanted_a = threshold_current_a(laser, junction_c) + laser.target_w / slope_efficiency_w_per_a(
        laser, junction_c
    )
    return min(wanted_a, laser.bias_limit_a)


def monitor_power_w(laser: Laser, junction_c: float) -> float:
    """Power the monitor photodiode sees, as fibre power at 25 C: the target, or less at the bias limit."""
    above_a = bias_current_a(laser, junction_c) - threshold_current_a(laser, junction_c)
    return max(0.0, slope_efficiency_w_per_a(laser, junction_c) * above_a)


def tracking_error_db(laser: Laser, case_c: float) -> float:
    """Deviation of the fibre's power from the monitor's, dB; grows with the distance from 25 C."""
    return laser.tracking_db * abs(case_c - REFERENCE_TEMP_C) / 45.0


def launch_power_w(
    laser: Laser, *, case_c: float, junction_c: float, vcc_v: float, wander_db: float
) -> float:
    """Average power in the fibre at TP2 with the output on, watts."""
    deviation_db = (
        tracking_error_db(laser, case_c)
        + laser.supply_db_per_v * (vcc_v - NOMINAL_VCC_V)
        + wander_db
        - laser.coupling_loss_db
    )
    return max(laser.off_w, monitor_power_w(laser, junction_c) * ratio_from_db(deviation_db))


def wavelength_nm(laser: Laser, junction_c: float) -> float:
    """Centre wavelength, nanometres."""
    return laser.wavelength_nm + laser.wavelength_slope_nm_per_c * (junction_c - REFERENCE_TEMP_C)
