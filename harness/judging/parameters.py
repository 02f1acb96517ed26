"""The names of everything that is measured, judged or reported, in one place.

A plan, an acquisition, a limit file and a report call a parameter by its name here. A plan of one's own may
have parameters of its own: they need a title and a unit in the limit file that limits them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """``title``: as people call it. ``decimals``: as a table shows it where no uncertainty says better; None:
    in scientific notation. ``per_lane``: whether there is one of each lane."""

    name: str
    title: str
    unit: str
    decimals: int | None
    per_lane: bool = True


@dataclass(frozen=True, slots=True)
class Fact:
    """What a limit's rule or condition may ask for beside the value."""

    name: str
    unit: str
    meaning: str


# (name, title, unit, decimals, one of each lane), by the plan that measures it.
_ROWS: tuple[tuple[str, str, str, int | None, bool], ...] = (
    # transmitter
    ("signalling_rate_offset", "Signalling rate offset", "ppm", 1, True),
    ("wavelength", "Wavelength", "nm", 2, True),
    ("smsr", "Side-mode suppression ratio", "dB", 1, True),
    ("average_launch_power", "Average launch power", "dBm", 2, True),
    ("average_launch_power_off", "Average launch power of OFF transmitter", "dBm", 1, True),
    ("total_launch_power", "Total average launch power", "dBm", 2, False),
    ("lane_power_difference", "Difference in launch power between lanes", "dB", 2, False),
    ("lane_oma_difference", "Difference in OMAouter between lanes", "dB", 2, False),
    ("oscilloscope_power_difference", "Average power, oscilloscope less power meter", "dB", 2, True),
    ("oma_outer", "OMAouter", "dBm", 2, True),
    ("oma_outer_minus_tdecq", "OMAouter - TDECQ", "dBm", 2, True),
    ("tdecq", "TDECQ", "dB", 2, True),
    ("ceq", "10log10(Ceq)", "dB", 2, True),
    ("tdecq_minus_ceq", "TDECQ - 10log10(Ceq)", "dB", 2, True),
    ("tdecq_difference", "TDECQ, oscilloscope less harness", "dB", 2, False),
    ("extinction_ratio", "Extinction ratio", "dB", 2, True),
    ("rlm", "Level separation mismatch ratio (RLM)", "1", 3, True),
    ("transition_time", "Transmitter transition time", "ps", 1, True),
    ("rin_oma", "RIN-OMA", "dB/Hz", 1, True),
    ("optical_return_loss_tolerance", "Optical return loss tolerance", "dB", 1, True),
    ("transmitter_reflectance", "Transmitter reflectance", "dB", 1, True),
    # receiver and reach
    ("damage_threshold", "Damage threshold", "dBm", 1, True),
    ("average_receive_power", "Average receive power", "dBm", 2, True),
    ("receive_oma_outer", "Receive OMAouter", "dBm", 2, True),
    ("receive_lane_power_difference", "Difference in receive power between lanes", "dB", 2, False),
    ("receiver_reflectance", "Receiver reflectance", "dB", 1, True),
    ("receiver_sensitivity_oma", "Receiver sensitivity OMAouter", "dBm", 2, True),
    ("stressed_receiver_sensitivity_oma", "Stressed receiver sensitivity OMAouter", "dBm", 2, True),
    ("stressed_sensitivity_weaker_aggressors", "Stressed sensitivity, aggressors too weak", "dBm", 2, True),
    ("reference_extinction_ratio", "Extinction ratio of the reference", "dB", 2, True),
    ("reference_secq", "SECQ of the reference", "dB", 2, True),
    ("ber_at_channel_loss", "Bit error ratio at the channel's insertion loss", "1", None, True),
    ("channel_margin", "Margin at the channel's insertion loss", "dB", 2, True),
    ("overload_ber", "Bit error ratio at the highest receive power", "1", None, True),
    ("reflection_penalty", "Penalty of a reflective pair", "dB", 2, True),
    ("link_margin", "Link margin, own transmitter to own receiver", "dB", 2, True),
    ("los_assert", "LOS assert level", "dBm", 1, True),
    ("los_deassert", "LOS deassert level", "dBm", 1, True),
    ("los_hysteresis", "LOS hysteresis", "dB", 2, True),
    ("lane_map", "Lane map", "", 0, True),
    ("lane_polarity", "Lane polarity", "", 0, True),
    # bit errors
    ("pre_fec_ber", "Pre-FEC bit error ratio", "1", None, True),
    ("link_ber", "Bit error ratio, own transmitter to own receiver", "1", None, True),
    ("host_lane_ber", "Bit error ratio of a host lane, end to end", "1", None, True),
    ("stressed_loop_ber", "Bit error ratio at the level chosen for statistics", "1", None, True),
    ("ber_counters_agree", "The module's and the host's count of the same light", "", 0, True),
    ("error_bursts", "Errors sufficiently random", "", 0, True),
    ("soak_ber", "Bit error ratio of the soak", "1", None, True),
    ("soak_events", "Soak without an event", "", 0, True),
    ("frame_loss_ratio", "Frame loss ratio after FEC", "1", None, False),
    ("frame_loss_margin", "Margin of the frame loss ratio", "dB", 1, False),
    ("burst_overdispersion", "Overdispersion of symbol errors (bursts)", "1", 2, False),
    ("error_floor", "Error floor", "1", None, True),
    ("vdm_ber_error", "VDM pre-FEC BER against the error counter", "%", 0, True),
    ("vdm_frame_error_error", "VDM frame errors against the error counter", "%", 0, False),
    ("ppm_relock", "Relock time at a signalling rate offset", "s", 3, False),
    # heat and supply
    ("case_temperature", "Case temperature", "degC", 1, False),
    ("supply_voltage", "Supply voltage at the connector", "V", 3, False),
    ("power_consumption", "Power consumption", "W", 2, False),
    ("advertised_max_power", "Advertised maximum power", "W", 2, False),
    ("tx_drift", "Drift of launch power while warming up", "dB", 2, True),
    ("wavelength_drift", "Drift of wavelength with case temperature", "nm/K", 3, True),
    ("warm_up_time", "Warm-up until launch power is stable", "s", 0, False),
    ("throttling_temperature", "Case temperature at which the module throttles", "degC", 1, False),
    ("warm_up_stable", "Stable after a cold start", "", 0, False),
    ("launch_power_hysteresis", "Launch power, way down less way up", "dB", 2, True),
    ("way_power_step", "Largest step of launch power between visits", "dB", 2, True),
    ("way_power_excursion", "Launch power beyond that of both visits", "dB", 2, True),
    ("way_lowest_power", "Lowest launch power between visits", "dBm", 2, True),
    ("way_highest_power", "Highest launch power between visits", "dBm", 2, True),
    ("tx_bias", "Laser bias", "mA", 1, True),
    ("power_class_consumption", "Power consumption, against the power class", "W", 2, False),
    ("temperature_flags", "Temperature flags", "", 0, False),
    ("high_temperature_alarm", "High temperature alarm", "", 0, False),
    ("thermal_runaway", "Thermal runaway", "", 0, False),
    ("power_cycles", "Power cycles", "", 0, False),
    ("power_cycle_failures", "Failed power cycles", "1", 0, False),
    ("power_cycle_light_change", "Change of launch power over power cycles", "dB", 2, True),
    # screening
    ("screening_identity", "Identity, checksums, application", "", 0, False),
    ("los_with_light", "No LOS with light", "", 0, True),
    ("los_in_the_dark", "LOS in the dark", "", 0, True),
    ("tx_monitors_follow", "Tx monitors follow the light", "", 0, True),
    ("rx_monitor_follows", "Rx monitor follows the light", "", 0, True),
    ("lowest_launch_power", "Lowest launch power over supply", "dBm", 2, True),
    ("highest_launch_power", "Highest launch power over supply", "dBm", 2, True),
    # the module's own monitors, against instruments
    ("temperature_monitor_error", "Temperature monitor error", "K", 2, False),
    ("vcc_monitor_error", "Supply voltage monitor error", "%", 2, False),
    ("tx_power_monitor_error", "Tx power monitor error", "dB", 2, True),
    ("rx_power_monitor_error", "Rx power monitor error", "dB", 2, True),
    ("bias_monitor_error", "Laser bias monitor error", "%", 1, True),
    # management interface
    ("bring_up", "Bring-up", "", 0, False),
    ("bring_up_time", "Bring-up, share of the advertised time", "%", 1, False),
    ("bring_up_duration", "Bring-up, from power to light on all lanes", "s", 2, False),
    ("management_init_duration", "Management interface initialisation", "s", 3, False),
    ("module_power_up_duration", "Module power-up", "s", 3, False),
    ("module_power_down_duration", "Module power-down", "s", 3, False),
    ("data_path_init_duration", "Data path initialisation", "s", 3, False),
    ("data_path_deinit_duration", "Data path deinitialisation", "s", 3, False),
    ("tx_turn_on_duration", "Tx turn-on", "s", 4, False),
    ("tx_turn_off_duration", "Tx turn-off", "s", 4, False),
    ("management_init_share", "Management interface after ResetL, share of tMgmtInit", "%", 1, False),
    ("module_power_up_share", "ModulePwrUp, share of the advertised time", "%", 1, False),
    ("module_power_down_share", "ModulePwrDn, share of the advertised time", "%", 1, False),
    ("dp_init_share", "DPInit, share of the advertised time", "%", 1, False),
    ("dp_deinit_share", "DPDeinit, share of the advertised time", "%", 1, False),
    ("dp_tx_turn_on_share", "DPTxTurnOn, share of the advertised time", "%", 1, False),
    ("dp_tx_turn_off_share", "DPTxTurnOff, share of the advertised time", "%", 1, False),
    ("hold_off_after_write", "Hold-off after a write, share of tWRITE", "%", 1, False),
    ("hold_off_after_page_change", "Hold-off after a page change, share of tBPC", "%", 1, False),
    ("refused_share", "Accesses that were not acknowledged", "%", 1, False),
    ("reserved_status_bits", "Reserved bits of lower:3 that are set", "1", 0, False),
    ("config_status_time", "From ApplyDPInit to its result", "s", 3, False),
    ("low_power_consumption", "Consumption in ModuleLowPwr", "W", 2, False),
)  # fmt: skip

PARAMETERS: Mapping[str, Parameter] = {row[0]: Parameter(*row) for row in _ROWS}

FACTS: Mapping[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact("extinction_ratio", "dB", "extinction ratio of the same lane and capture"),
        Fact("tdecq", "dB", "TDECQ of the same lane and capture"),
        Fact("secq", "dB", "SECQ of the reference transmitter's lane"),
        Fact("max_power_w", "W", "the most power that the module says it takes"),
        Fact("power_class_w", "W", "the ceiling of the power class that the module says it is of"),
    )
}


def parameter_rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, title, unit and ``lane`` or ``module``, for tables."""
    for entry in (Parameter(*row) for row in _ROWS):
        yield entry.name, entry.title, entry.unit, "lane" if entry.per_lane else "module"
