"""How long a module's transitions take: drawn for the specimen, below what the module advertises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from drivers.cmis.codes import DataPathState
from harness.simulation.module.profile.management import TimingProfile

_BRING_UP = frozenset({"module_power_up_s", "dp_init_s", "dp_tx_turn_on_s"})
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


def too_short_to_flag(timing: TimingProfile) -> frozenset[DataPathState]:
    """Transient states advertised as shorter than 1 ms: their end raises no DPStateChangedFlag."""
    codes = {
        DataPathState.DPInit: timing.dp_init_code,
        DataPathState.DPDeinit: timing.dp_deinit_code,
        DataPathState.DPTxTurnOn: timing.dp_tx_turn_on_code,
        DataPathState.DPTxTurnOff: timing.dp_tx_turn_off_code,
    }
    return frozenset(state for state, code in codes.items() if code == 0)


def draw_durations(timing: TimingProfile, uniform: Callable[[str, str], float]) -> Durations:
    """The profile's times, and where it gives none, 30..80 % of the bound; those of the bring-up with their
    excess. ``uniform`` is in (0, 1)."""

    bounds_s = {**timing.bounds_s(), "config_s": _CONFIG_BOUND_S}

    def actual(key: str) -> float:
        fixed_s: float | None = getattr(timing, key)
        own_s = bounds_s[key] * (0.3 + 0.5 * uniform("duration", key[:-2])) if fixed_s is None else fixed_s
        return own_s + timing.bring_up_excess * bounds_s[key] if key in _BRING_UP else own_s

    return Durations(**{item.name: actual(item.name) for item in fields(Durations)})
