"""Section ``[medium]`` of a profile: the fibre or cable at the module, and what the module says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drivers.cmis.codes import CABLE_LENGTH_MULTIPLIERS_M, SMF_LENGTH_MULTIPLIERS_KM
from drivers.cmis.fields import LANES, Scalar, Value
from harness.simulation.module.profile.rules import limits

_LONGEST_BASE = 0x3F
_ATTENUATIONS = ("5GHz", "7GHz", "12p9GHz", "25p8GHz", "53p1GHz")


@dataclass(frozen=True, slots=True)
class MediumProfile:
    """The medium."""

    smf_length_km: float = field(default=0.5, metadata=limits(0, 630))
    """Longest single-mode fibre (01h:132)."""
    wavelength_tolerance_nm: float = field(default=6.5, metadata=limits(0, 300))
    """About the mean of the lanes' wavelengths (01h:138-141)."""
    multiplexed: bool = False
    """All media lanes share one pair of fibres, each at its own wavelength; else each has a pair."""
    cable_length_m: float = field(default=0.0, metadata=limits(0, 6300))
    """Of a cable assembly (00h:202); 0: the medium can be unplugged."""
    attenuation_db: tuple[int, ...] = field(default=(), metadata={**limits(0, 255), "longest": 5})
    """Of a copper cable at 5, 7, 12.9, 25.8 and 53.1 GHz (00h:204-208)."""


def fibres_of(medium: MediumProfile, media_lanes: int) -> tuple[tuple[int, ...], ...]:
    """Media lanes in each pair of fibres, in the order of the connector's positions."""
    lanes = tuple(range(1, media_lanes + 1))
    return (lanes,) if medium.multiplexed else tuple((lane,) for lane in lanes)


def medium_contents(medium: MediumProfile, media_lanes: int) -> dict[str, Value | tuple[Scalar, ...]]:
    """What pages 00h, 01h and 11h say of it.

    11h:240-255 as in dumps of real modules: wavelength in the high nibble, fibre in the low one.
    """
    smf_code, smf_base = _length(medium.smf_length_km, SMF_LENGTH_MULTIPLIERS_KM)
    cable_code, cable_base = _length(medium.cable_length_m, CABLE_LENGTH_MULTIPLIERS_M)
    mapping = [
        (lane << 4 | 1) if medium.multiplexed else (1 << 4 | lane) for lane in range(1, media_lanes + 1)
    ]
    mapping += [0] * (LANES - media_lanes)
    return {
        "LengthMultiplierSMF": smf_code,
        "BaseLengthSMF": smf_base,
        "WavelengthTolerance": medium.wavelength_tolerance_nm,
        "CableAssemblyLengthMultiplier": cable_code,
        "CableAssemblyLengthBase": cable_base,
        "MediaLaneMappingTx": tuple(mapping),
        "MediaLaneMappingRx": tuple(mapping),
        **{
            f"CopperAttenuationAt{name}": value
            for name, value in zip(_ATTENUATIONS, medium.attenuation_db, strict=False)
        },
    }


def _length(length: float, multipliers: Any) -> tuple[int, int]:
    """(code of the multiplier, base) in the smallest steps that reach so far."""
    for code, step in sorted(multipliers.items(), key=lambda item: item[1]):
        base = round(length / step)
        if base <= _LONGEST_BASE:
            return code, base
    return max(multipliers, key=multipliers.__getitem__), _LONGEST_BASE
