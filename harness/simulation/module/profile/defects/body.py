"""Kinds of defects of a module's body: monitors, consumption, heat, supply, times.

What data sheets allow monitors: temperature 3 C, supply 3 %, power 3 dB, bias 10 %.
"""

from __future__ import annotations

from harness.simulation.module.profile.defects.defect import (
    Apply,
    Defect,
    more,
    more_on_lanes,
    on_lanes,
    with_section,
)
from harness.simulation.module.profile.profile import Profile


def _stuck(key: str) -> Apply:
    def apply(profile: Profile, _lanes: tuple[int, ...], severity: float) -> Profile:
        return with_section(profile, "monitors", **{key: max(severity, getattr(profile.monitors, key))})

    return apply


def _stuck_on_lanes(key: str) -> Apply:
    def apply(profile: Profile, lanes: tuple[int, ...], severity: float) -> Profile:
        shares = on_lanes(getattr(profile.monitors, key), lanes, lambda share: max(severity, share))
        return with_section(profile, "monitors", **{key: shares})

    return apply


_EXCESS_OF_ADVERTISED = 0.35


def _excess_power(profile: Profile, _lanes: tuple[int, ...], severity: float) -> Profile:
    more_w = _EXCESS_OF_ADVERTISED * profile.power.advertised_max_w * severity
    return with_section(profile, "power", ready_w=profile.power.ready_w + more_w)


_STANDS_STILL = "its reading stands still from 30 s after power-up (`monitors.stuck_after_s`)"

BODY_DEFECTS: tuple[Defect, ...] = (
    Defect(
        "temperature_miscalibration",
        per_lane=False,
        at_1="temperature monitor 6 °C high",
        shown_by="temperature monitor beside the case's sensor: off by more than 3 °C",
        apply=more("monitors", "temperature_offset_c", 6.0),
    ),
    Defect(
        "vcc_miscalibration",
        per_lane=False,
        at_1="supply monitor 6 % high",
        shown_by="supply monitor beside the voltage at the connector: off by more than 3 %",
        apply=more("monitors", "vcc_offset_percent", 6.0),
    ),
    Defect(
        "tx_power_miscalibration",
        per_lane=True,
        at_1="TxPower monitor 6 dB high",
        shown_by="TxPower monitor beside the power meter: off by more than 3 dB",
        apply=more_on_lanes("monitors", "tx_power_monitor_offset_db", 6.0),
    ),
    Defect(
        "rx_power_miscalibration",
        per_lane=True,
        at_1="RxPower monitor 6 dB high",
        shown_by="RxPower monitor beside the known power at the receiver: off by more than 3 dB",
        apply=more_on_lanes("monitors", "rx_power_monitor_offset_db", 6.0),
    ),
    Defect(
        "bias_miscalibration",
        per_lane=True,
        at_1="TxBias monitor 20 % high",
        shown_by="TxBias monitor beside other modules of the type: off by more than 10 %; alarm when hot",
        apply=more_on_lanes("monitors", "bias_monitor_offset_percent", 20.0),
    ),
    Defect(
        "stuck_temperature_monitor",
        per_lane=False,
        at_1=f"{_STANDS_STILL}; over-temperature is not noticed",
        shown_by="temperature monitor beside the case's sensor, when that moves: off by more than 3 °C",
        apply=_stuck("temperature_stuck"),
    ),
    Defect(
        "stuck_vcc_monitor",
        per_lane=False,
        at_1=_STANDS_STILL,
        shown_by="supply monitor at 3.135 V and 3.465 V: off by more than 3 %",
        apply=_stuck("vcc_stuck"),
    ),
    Defect(
        "stuck_tx_power_monitor",
        per_lane=True,
        at_1=_STANDS_STILL,
        shown_by=(
            "TxPower monitor after OutputDisableTx, if there was light 30 s after power-up: still shows light"
        ),
        apply=_stuck_on_lanes("tx_power_monitor_stuck"),
    ),
    Defect(
        "stuck_rx_power_monitor",
        per_lane=True,
        at_1=_STANDS_STILL,
        shown_by="RxPower monitor over an attenuator's steps: does not follow, off by more than 3 dB",
        apply=_stuck_on_lanes("rx_power_monitor_stuck"),
    ),
    Defect(
        "stuck_bias_monitor",
        per_lane=True,
        at_1=_STANDS_STILL,
        shown_by=(
            "TxBias monitor at 0 and 70 °C: does not move; after OutputDisableTx, if there was light 30 s "
            "after power-up: still shows bias"
        ),
        apply=_stuck_on_lanes("bias_monitor_stuck"),
    ),
    Defect(
        "thermal_runaway",
        per_lane=False,
        at_1=(
            "0.05 W of leakage at 25 °C, doubling every `power.leakage_doubling_c`: no stable temperature in "
            "still air of 50 °C"
        ),
        shown_by=(
            "power consumption at 70 °C: more than advertised (00h:201); case temperature in still air of "
            "50 °C: climbs until the module shuts down (ModuleFault, cause 6), at less than 4.5 A"
        ),
        apply=more("power", "leakage_w", 0.05),
    ),
    Defect(
        "excess_power",
        per_lane=False,
        at_1="35 % of the advertised maximum (00h:201) more in ModuleReady",
        shown_by="supply voltage times current with all lanes running: above 00h:201 and the power class",
        apply=_excess_power,
    ),
    Defect(
        "supply_sensitivity",
        per_lane=False,
        at_1="launch power moves by 28 dB/V",
        shown_by="average launch power at 3.135 V and 3.465 V: below -2.9 dBm and above 4.0 dBm",
        apply=more("transmitter", "supply_db_per_v", 28.0),
    ),
    Defect(
        "slow_bring_up",
        per_lane=False,
        at_1="ModulePwrUp, DPInit and DPTxTurnOn longer by 1.5 times what is advertised",
        shown_by="time from the request to the state (11h:128, lower:3): above 01h:144, 01h:167-168",
        apply=more("timing", "bring_up_excess", 1.5),
    ),
)
