"""Kinds of defects of a module's transmitters."""

from __future__ import annotations

from collections.abc import Collection

from harness.simulation.module.profile.defects.defect import (
    Apply,
    Defect,
    more_on_lanes,
    on_lanes,
    with_section,
)
from harness.simulation.module.profile.profile import Profile

_LOW_T0_K = 23.0
_BIAS_POINT = 0.15
_LOW_BANDWIDTH_GHZ = 14.0
_HIGH_RIN_DB_HZ = -128.0
_WAVELENGTH_NM = 10.0
_POOR_SMSR_DB = 24.0
_LOW_EXTINCTION_DB = 2.8
_SKEW_PS = 60_000.0


def towards(key: str, end: float, *, of_laser: bool = False) -> Apply:
    """A key of ``[transmitter]`` goes from where it is to ``end`` as the severity goes from 0 to 1; with
    ``of_laser`` on all lanes of the lasers that feed these lanes."""

    def apply(profile: Profile, lanes: tuple[int, ...], severity: float) -> Profile:
        changed = on_lanes(
            getattr(profile.transmitter, key),
            fed_together(profile, lanes) if of_laser else lanes,
            lambda value: value + severity * (end - value),
        )
        return with_section(profile, "transmitter", **{key: changed})

    return apply


def raised(key: str, by: float) -> Apply:
    """A key of ``[transmitter]`` grows by severity times ``by``, on all lanes of the lasers of these."""
    apply = more_on_lanes("transmitter", key, by)
    return lambda profile, lanes, severity: apply(profile, fed_together(profile, lanes), severity)


def fed_together(profile: Profile, lanes: Collection[int]) -> tuple[int, ...]:
    """These lanes and those that have their laser from the same one."""
    laser_of_lane = profile.transmitter.laser_of_lane
    if not laser_of_lane:
        return tuple(lanes)
    named = {laser_of_lane[lane - 1] for lane in lanes}
    return tuple(lane for lane, laser in enumerate(laser_of_lane, start=1) if laser in named)


def _fail_shared_laser(profile: Profile, lanes: tuple[int, ...], severity: float) -> Profile:
    wavelengths_differ = profile.medium.multiplexed  # lanes of one laser have one
    if severity > 0.0 and not profile.transmitter.laser_of_lane and not wavelengths_differ:
        paired = tuple((lane + 1) // 2 for lane in range(1, profile.media_lanes + 1))
        profile = with_section(profile, "transmitter", laser_of_lane=paired)
    return towards("laser_efficiency", 0.0, of_laser=True)(profile, lanes, severity)


TRANSMITTER_DEFECTS: tuple[Defect, ...] = (
    Defect(
        kind="dead_laser",
        per_lane=True,
        at_1="the laser emits nothing at any bias: 0 % of its slope efficiency is left",
        shown_by="average launch power below -2.9 dBm; FailureFlagTx, bias at its limit",
        apply=towards("laser_efficiency", 0.0, of_laser=True),
    ),
    Defect(
        kind="shared_laser_failure",
        per_lane=True,
        at_1="0 % of the slope efficiency is left of the laser that feeds this lane and its neighbours; a "
        "module with a laser for each lane has one for each two lanes then (1 and 2, 3 and 4), unless its "
        "lanes share a fibre",
        shown_by="average launch power below -2.9 dBm on all lanes of that laser",
        apply=_fail_shared_laser,
    ),
    Defect(
        kind="laser_droop_hot",
        per_lane=True,
        at_1=f"T0 of the laser is {_LOW_T0_K:g} K: its bias meets the limit above 50 °C",
        shown_by="average launch power below -2.9 dBm at 70 °C only",
        apply=towards("t0_k", _LOW_T0_K, of_laser=True),
    ),
    Defect(
        kind="modulator_bias_drift",
        per_lane=True,
        at_1=f"the modulator's bias point is {_BIAS_POINT:g} V_pi off quadrature",
        shown_by="extinction ratio below 3.5 dB; RLM about 0.6; TxBias: the laser makes up for the other "
        "transmission, unless its limit keeps it from that",
        apply=more_on_lanes("transmitter", "modulator_bias_error", _BIAS_POINT),
    ),
    Defect(
        kind="low_extinction",
        per_lane=True,
        at_1=f"extinction ratio {_LOW_EXTINCTION_DB:g} dB",
        shown_by="extinction ratio below 3.5 dB",
        apply=towards("extinction_ratio_db", _LOW_EXTINCTION_DB),
    ),
    Defect(
        kind="low_bandwidth",
        per_lane=True,
        at_1=f"bandwidth of the transmitter {_LOW_BANDWIDTH_GHZ:g} GHz",
        shown_by="TDECQ above 3.4 dB",
        apply=towards("bandwidth_ghz", _LOW_BANDWIDTH_GHZ),
    ),
    Defect(
        kind="high_rin",
        per_lane=True,
        at_1=f"RIN of the laser {_HIGH_RIN_DB_HZ:g} dB/Hz",
        shown_by="RIN21.4OMA above -136 dB/Hz, with the noise over (OMA/2)^2, and over OMA^2 too, which is "
        "6.02 dB less",
        apply=towards("rin_db_hz", _HIGH_RIN_DB_HZ, of_laser=True),
    ),
    Defect(
        kind="wavelength_out_of_band",
        per_lane=True,
        at_1=f"wavelength {_WAVELENGTH_NM:g} nm above the nominal one",
        shown_by="wavelength above 1317.5 nm",
        apply=raised("wavelength_error_nm", _WAVELENGTH_NM),
    ),
    Defect(
        kind="poor_smsr",
        per_lane=True,
        at_1=f"SMSR {_POOR_SMSR_DB:g} dB",
        shown_by="SMSR below 30 dB",
        apply=towards("smsr_db", _POOR_SMSR_DB, of_laser=True),
    ),
    Defect(
        kind="lane_skew",
        per_lane=True,
        at_1=f"the lane is {_SKEW_PS / 1e3:g} ns late",
        shown_by="skew between the lanes above 54 ns (802.3 clause 116.5 at SP3; recalled, not read)",
        apply=more_on_lanes("transmitter", "skew_ps", _SKEW_PS),
    ),
)
"""All of them. The limits are those of 400GBASE-DR4 (802.3 Table 124-6) where no other is named."""
