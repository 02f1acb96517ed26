"""Conversions between the units the field uses. Floats in, floats out; units stand in the names."""

from __future__ import annotations

import math

LOWEST_DBM = -200.0
"""What no light at all reads as: a number, so that every record stays decimal."""


def dbm_from_w(power_w: float) -> float:
    """Optical power in dBm of a power in watts; zero and below give :data:`LOWEST_DBM`, NaN stays NaN."""
    if math.isnan(power_w):
        return power_w
    return max(LOWEST_DBM, 10.0 * math.log10(power_w * 1e3)) if power_w > 0.0 else LOWEST_DBM


def w_from_dbm(power_dbm: float) -> float:
    """Optical power in watts of a power in dBm."""
    return 1e-3 * math.pow(10.0, power_dbm / 10.0)


def ratio_from_db(gain_db: float) -> float:
    """Power ratio of a gain in dB."""
    return math.pow(10.0, gain_db / 10.0)


def db_from_ratio(ratio: float) -> float:
    """Gain in dB of a power ratio.

    :raises ValueError: when the ratio is not above zero.
    """
    if ratio <= 0.0:
        raise ValueError(f"a power ratio must be above zero, got {ratio}")
    return 10.0 * math.log10(ratio)
