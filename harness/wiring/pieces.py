"""What lies between ports, and what it loses. All uncertainties are expanded (k = 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.units import ratio_from_db
from harness.wiring.ports import Port

PATCH_CORD_M = 2.0
APC_REFLECTANCE_DB = -55.0
CWDM_NM = (1271.0, 1291.0, 1311.0, 1331.0)
"""Wavelengths of the four lanes of 400G-FR4 and LR4-6 (the CWDM grid of ITU-T G.694.2)."""
CWDM_HALF_BAND_NM = 6.5
"""A lane of 400G-FR4 lies within its wavelength and 6.5 nm to either side (FR4 MSA)."""
HIGHEST_LOSS_DB = 200.0
"""No piece of a bench is stated with more; light behind it is beyond any instrument."""
HIGHEST_UNCERTAINTY_DB = 10.0
LONGEST_FIBRE_M = 100_000.0
WORST_REFLECTANCE_DB = -14.0
"""Of glass against air (-14.7 dB, Fresnel): a connector that is open. No fibre end reflects more."""
LEAST_GLASS_DB_PER_KM = 0.3
"""Standard single-mode fibre (G.652) loses no less anywhere in the O band."""
WAVELENGTHS_NM = (1200.0, 1700.0)
"""What light of a bench can be."""
_ROUNDING_DB = 0.02  # "3 dB" is written for 3.01 dB

Band = tuple[float, float]
"""Wavelengths from and to, nanometres; empty when the first is above the second."""
ALL_WAVELENGTHS: Band = (0.0, math.inf)


def narrowed(band: Band, by: Band | None) -> Band:
    """What is in both; None: all."""
    return band if by is None else (max(band[0], by[0]), min(band[1], by[1]))


@dataclass(frozen=True, slots=True)
class Fibre:
    """Light goes from ``start`` to ``end``. ``loss_db``: all of it, with the connectors at both ends, which
    reflect ``reflectance_db`` each."""

    start: Port
    end: Port
    loss_db: float
    uncertainty_db: float
    length_m: float = PATCH_CORD_M
    reflectance_db: float = APC_REFLECTANCE_DB


@dataclass(frozen=True, slots=True)
class InsertionLoss:
    """What a pass through an instrument (a matrix, an attenuator set to 0 dB) loses."""

    loss_db: float
    uncertainty_db: float


@dataclass(frozen=True, slots=True)
class PathCalibration:
    """What a whole way was measured to lose, in place of the sum of its pieces; of a way through attenuators,
    with these at 0 dB. ``hops``: the ports it goes by; ``date``, ``due``: ISO 8601; ``record``: the file in
    the bench's history, and its SHA-256."""

    hops: tuple[str, ...]
    loss_db: float
    uncertainty_db: float
    date: str
    due: str
    record: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a splitter: what is lost between it and the input. ``wavelength_nm``: of a wavelength
    multiplexer, where only light within 6.5 nm of it passes; None: all."""

    loss_db: float
    uncertainty_db: float
    wavelength_nm: float | None = None

    @property
    def band_nm(self) -> Band | None:
        """What passes, from and to, nanometres; None: all."""
        if self.wavelength_nm is None:
            return None
        return self.wavelength_nm - CWDM_HALF_BAND_NM, self.wavelength_nm + CWDM_HALF_BAND_NM


@dataclass(frozen=True, slots=True)
class Splitter:
    """A passive coupler, tap or multiplexer: ports ``in`` and ``1`` .. one for each leg. Light into ``in``
    leaves by the legs; light into a leg leaves by ``in``, with the same loss."""

    name: str
    legs: tuple[Leg, ...]

    def most_out(self, transmissions: tuple[float, ...] | None = None) -> float:
        """Share of the light into it that leaves by all legs together, at the wavelength with most of it.
        ``transmissions``: of the legs, where they are not those of the stated losses."""
        shares = transmissions or tuple(ratio_from_db(-leg.loss_db) for leg in self.legs)
        bands = [leg.band_nm for leg in self.legs]
        # What leaves at a wavelength changes at the edges of bands alone, and at an edge both sides count.
        edges = {edge for band in bands if band for edge in band} or {0.0}
        return max(
            sum(
                share
                for share, band in zip(shares, bands, strict=True)
                if band is None or band[0] <= edge <= band[1]
            )
            for edge in edges
        )

    @property
    def would_amplify(self) -> bool:
        """Whether the stated losses would let out more light than comes in."""
        return self.most_out() > ratio_from_db(_ROUNDING_DB)
