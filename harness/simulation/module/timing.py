"""How long a module's transitions take: drawn for the specimen, below what the module advertises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.cmis.codes import duration_upper_s
from harness.simulation.module.profile import TimingProfile

MGMT_INIT_BOUND_S = 2.0
"""tMgmtInit (OIF-CMIS-05.4 Table 10-1)."""

TX_DISABLE_BOUND_S = 0.1
"""ton_txdis: OutputDisableTx to transmitter off (Table 10-4)."""

TX_ENABLE_BOUND_S = 0.4
"""toff_txdis: OutputDisableTx cleared to transmitter on (Table 10-4)."""

_CONFIG_BOUND_S = 0.05  # CMIS states no limit for ConfigInProgress; real modules take some 10 ms


@dataclass(frozen=True, slots=True)
class Durations:
    """What this module really takes, seconds."""

    mgmt_init_s: float
    module_power_up_s: float
    module_power_down_s: float
    dp_init_s: float
    dp_deinit_s: float
    dp_tx_turn_on_s: float
    dp_tx_turn_off_s: float
    tx_disable_s: float
    tx_enable_s: float
    config_s: float


def draw_durations(timing: TimingProfile, uniform: Callable[[str], float]) -> Durations:
    """The profile's times, and where it gives none, 30..80 % of the bound; ``uniform(key)`` is in (0, 1)."""

    def actual(name: str, fixed_s: float | None, bound_s: float) -> float:
        return fixed_s if fixed_s is not None else bound_s * (0.3 + 0.5 * uniform(name))

    return Durations(
        mgmt_init_s=actual("mgmt_init", timing.mgmt_init_s, MGMT_INIT_BOUND_S),
        module_power_up_s=actual(
            "module_power_up", timing.module_power_up_s, duration_upper_s(timing.module_power_up_code)
        ),
        module_power_down_s=actual(
            "module_power_down", timing.module_power_down_s, duration_upper_s(timing.module_power_down_code)
        ),
        dp_init_s=actual("dp_init", timing.dp_init_s, duration_upper_s(timing.dp_init_code)),
        dp_deinit_s=actual("dp_deinit", timing.dp_deinit_s, duration_upper_s(timing.dp_deinit_code)),
        dp_tx_turn_on_s=actual(
            "dp_tx_turn_on", timing.dp_tx_turn_on_s, duration_upper_s(timing.dp_tx_turn_on_code)
        ),
        dp_tx_turn_off_s=actual(
            "dp_tx_turn_off", timing.dp_tx_turn_off_s, duration_upper_s(timing.dp_tx_turn_off_code)
        ),
        tx_disable_s=actual("tx_disable", timing.tx_disable_s, TX_DISABLE_BOUND_S),
        tx_enable_s=actual("tx_enable", timing.tx_enable_s, TX_ENABLE_BOUND_S),
        config_s=actual("config", timing.config_s, _CONFIG_BOUND_S),
    )
