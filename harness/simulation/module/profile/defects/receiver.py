"""Kinds of defects of a module's receivers."""

from __future__ import annotations

from harness.simulation.module.profile.defects.defect import Defect, more_on_lanes, with_section
from harness.simulation.module.profile.profile import Profile

_HIGHEST_PROPAGATION = 0.95


_LOS_SHIFT_DB = 6.0


def _los_thresholds_off(profile: Profile, _lanes: tuple[int, ...], severity: float) -> Profile:
    receiver = profile.receiver
    return with_section(
        profile,
        "receiver",
        los_assert_dbm=receiver.los_assert_dbm + _LOS_SHIFT_DB * severity,
        los_deassert_dbm=receiver.los_deassert_dbm + _LOS_SHIFT_DB * severity,
    )


RECEIVER_DEFECTS: tuple[Defect, ...] = (
    Defect(
        "receiver_imbalance",
        per_lane=True,
        at_1="4 dB more loss between fibre and photodiode",
        shown_by=(
            "receiver sensitivity of the lane beside the others: above -3.9 dBm OMAouter; RxPower monitor: "
            "more than 3 dB low"
        ),
        apply=more_on_lanes("receiver", "coupling_loss_db", 4.0),
    ),
    Defect(
        "receiver_overload",
        per_lane=True,
        at_1="amplifier compresses by 1 dB at 6 dB less power",
        shown_by="bit error ratio at 4.0 dBm average receive power: above 2.4e-4, and better with less light",
        apply=more_on_lanes("receiver", "overload_dbm", -6.0, least=-30.0),
    ),
    Defect(
        "noisy_tia",
        per_lane=True,
        at_1="15 µW more thermal noise, rms, as optical power",
        shown_by="receiver sensitivity: above -3.9 dBm OMAouter; the waterfall keeps its slope",
        apply=more_on_lanes("receiver", "thermal_noise_uw", 15.0),
    ),
    Defect(
        "crosstalk",
        per_lane=True,
        at_1="neighbouring lanes 30 dB stronger in the lane's amplifier",
        shown_by=(
            "receiver sensitivity with the other lanes at 4.2 dBm OMAouter: above -3.9 dBm; good while they "
            "are dark"
        ),
        apply=more_on_lanes("receiver", "crosstalk_db", -30.0, least=0.0),
    ),
    Defect(
        "los_thresholds_off",
        per_lane=False,
        at_1="LOS asserts and deasserts 6 dB higher",
        shown_by="ramp of the attenuator: LOS deasserts above -10 dBm",
        apply=_los_thresholds_off,
    ),
    Defect(
        "error_propagation",
        per_lane=True,
        at_1="three of four wrong symbols make the next one wrong",
        shown_by="FEC symbol errors per codeword: an excess over the binomial from bin 6 up (bursts)",
        apply=more_on_lanes("receiver", "error_propagation", 0.75, most=_HIGHEST_PROPAGATION),
    ),
    Defect(
        "demux_leak",
        per_lane=True,
        at_1="20 dB less isolation from other wavelengths in a shared fibre",
        shown_by="bit error ratio with all wavelengths lit: above 2.4e-4; good with the lane's own alone",
        apply=more_on_lanes("receiver", "demux_isolation_db", -20.0, least=0.0),
        in_shared_fibre=True,
    ),
)
