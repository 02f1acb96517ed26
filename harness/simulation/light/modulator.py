"""A modulator and its driver: from drive to levels of light. Pure functions.

A Mach-Zehnder modulator (textbook): of the light that enters, T = sin^2(pi/2 v) leaves, with v the voltage
from a null in units of V_pi. The driver predistorts its four voltages for quadrature, v = 1/2 in the middle,
so that the powers are even there. A bias point that has moved makes them uneven and changes the extinction
ratio. The same model stands for electro-absorption modulators, whose transfer is another one but bends too.

A moved bias point also changes how much light leaves on average. The power control's monitor sits behind the
modulator and the laser makes up for that (:func:`mean_transmission`); levels here are over their mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.simulation.light.laser import NOMINAL_VCC_V, REFERENCE_TEMP_C

Levels = tuple[float, float, float, float]

_POSITIONS = (-1.0, -1.0 / 3.0, 1.0 / 3.0, 1.0)
_LOWEST_EXTINCTION_DB = 0.1
_LARGEST_BIAS_ERROR = 0.49


@dataclass(frozen=True, slots=True)
class Modulator:
    """One lane's modulator with its driver; nominal values at 25 C and 3.3 V.

    Attributes: ``extinction_ratio_db``, ``extinction_ratio_db_per_v`` of supply; ``bias_error``: how far the
    bias point is from quadrature, as a share of V_pi, ``bias_error_per_c`` of distance from 25 C;
    ``level_mismatch``: both inner levels too high by this share of OMAouter; ``bandwidth_hz``: 3 dB, of the
    whole transmitter, a 4th-order Bessel-Thomson low pass, ``bandwidth_hz_per_c``; ``skew_s``: later than the
    module's first lane; ``chirp``: linewidth enhancement factor.
    """

    extinction_ratio_db: float
    extinction_ratio_db_per_v: float = 0.0
    bias_error: float = 0.0
    bias_error_per_c: float = 0.0
    level_mismatch: float = 0.0
    bandwidth_hz: float = math.inf
    bandwidth_hz_per_c: float = 0.0
    skew_s: float = 0.0
    chirp: float = 0.0


def transmission(voltage: float) -> float:
    """Share of the light that leaves, 0 to 1, at a voltage in units of V_pi from a null: sin^2(pi/2 v)."""
    return math.sin(0.5 * math.pi * voltage) ** 2


def drive_of(wanted: float) -> float:
    """Voltage in units of V_pi, 0 to 1, at which this share of the light leaves: the predistortion.

    :raises ValueError: for a share that is not within 0 and 1.
    """
    if not 0.0 <= wanted <= 1.0:
        raise ValueError(f"a modulator lets 0 to 1 of the light through, not {wanted}")
    return 2.0 / math.pi * math.asin(math.sqrt(wanted))


def printed_levels(extinction_ratio_db: float, *, bias_error: float, level_mismatch: float) -> Levels:
    """Powers of symbols 0..3 over their mean.

    :param extinction_ratio_db: that the drive has at quadrature, above 0 dB.
    :param bias_error: distance from quadrature as a share of V_pi; RLM and extinction ratio follow.
    :param level_mismatch: d: both inner levels are too high by this share of OMAouter, so that RLM is
        1 - 6 |d| at quadrature.
    :raises ValueError: when the ratio is not above 0 dB, or the inner levels leave the outer ones' range.
    """
    if not extinction_ratio_db > 0.0:
        raise ValueError(f"an extinction ratio is above 0 dB, not {extinction_ratio_db}")
    if not abs(level_mismatch) <= 1.0 / 3.0:
        raise ValueError(f"inner levels stay between the outer ones: at most 1/3 off, not {level_mismatch}")
    powers = _powers(extinction_ratio_db, bias_error, level_mismatch)
    mean = math.fsum(powers) / len(powers)
    zero, one, two, three = (power / mean for power in powers)
    return zero, one, two, three


def _powers(extinction_ratio_db: float, bias_error: float, level_mismatch: float) -> list[float]:
    """Of symbols 0..3, as shares of the light that enters."""
    ratio = 10.0 ** (-extinction_ratio_db / 10.0)
    depth = (1.0 - ratio) / (1.0 + ratio)
    inner = 2.0 * level_mismatch
    positions = (_POSITIONS[0], _POSITIONS[1] + inner, _POSITIONS[2] + inner, _POSITIONS[3])
    return [transmission(drive_of(min(1.0, 0.5 * (1.0 + depth * place))) + bias_error) for place in positions]


def mean_transmission(modulator: Modulator, case_c: float) -> float:
    """Average of the light that leaves over that at quadrature, where about half leaves; exactly 1 without an
    error of the bias point. At the nominal supply: what another one makes of the swing changes next to
    nothing here."""
    error = bias_error(modulator, case_c)
    if error == 0.0:
        return 1.0
    moved, at_quadrature = (
        math.fsum(_powers(modulator.extinction_ratio_db, at, modulator.level_mismatch)) for at in (error, 0.0)
    )
    return moved / at_quadrature


def extinction_ratio_db(modulator: Modulator, vcc_v: float) -> float:
    """That the drive has at quadrature, dB; a failing supply leaves 0.1 dB."""
    wanted_db = modulator.extinction_ratio_db + modulator.extinction_ratio_db_per_v * (vcc_v - NOMINAL_VCC_V)
    return max(_LOWEST_EXTINCTION_DB, wanted_db)


def bias_error(modulator: Modulator, case_c: float) -> float:
    """Distance of the bias point from quadrature, as a share of V_pi; short of a half, where the symbols
    would swap."""
    moved = modulator.bias_error + modulator.bias_error_per_c * (case_c - REFERENCE_TEMP_C)
    return max(-_LARGEST_BIAS_ERROR, min(_LARGEST_BIAS_ERROR, moved))


def levels(modulator: Modulator, *, case_c: float, vcc_v: float) -> Levels:
    """Powers of symbols 0..3 over their mean."""
    return printed_levels(
        extinction_ratio_db(modulator, vcc_v),
        bias_error=bias_error(modulator, case_c),
        level_mismatch=modulator.level_mismatch,
    )


def bandwidth_hz(modulator: Modulator, case_c: float) -> float:
    """Bandwidth of the transmitter, hertz; a tenth of the nominal one at least."""
    moved = modulator.bandwidth_hz + modulator.bandwidth_hz_per_c * (case_c - REFERENCE_TEMP_C)
    return max(moved, 0.1 * modulator.bandwidth_hz)
