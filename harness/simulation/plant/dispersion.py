"""Chromatic dispersion of standard single-mode fibre (G.652), textbook: D = S0/4 (L - L0^4 / L^3) times the
length, negative below L0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SLOPE_PS_NM2_KM = 0.092
"""S0 of a typical fibre; at most 0.093."""
ZERO_DISPERSION_NM = (1300.0, 1324.0)
"""L0 lies within."""


@dataclass(frozen=True, slots=True)
class Glass:
    """Fibres one behind the other, for asking at many wavelengths: D = ``linear`` L - ``cubic`` / L^3."""

    linear: float
    cubic: float

    @classmethod
    def of(cls, pieces: Iterable[tuple[float, float]]) -> Glass:
        """``pieces``: length in km and wavelength without dispersion in nm of each."""
        linear = cubic = 0.0
        for length_km, zero_nm in pieces:
            share = 0.25 * SLOPE_PS_NM2_KM * length_km
            linear += share
            cubic += share * zero_nm**4
        return cls(linear, cubic)

    def dispersion_ps_nm(self, wavelength_nm: float) -> float:
        """Of all of them together."""
        return self.linear * wavelength_nm - self.cubic / wavelength_nm**3
