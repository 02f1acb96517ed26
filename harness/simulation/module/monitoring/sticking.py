"""Monitors that stick: they follow only a share of what happens after they stuck, or nothing of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.simulation.module.monitoring.monitors import Quantities
from harness.simulation.module.profile.monitors import MonitorProfile


class StickingSensors:
    """Between the world and a module's converters. A sensor of which the share s is stuck sees
    x + s (x0 - x), where x0 is what there was when it stuck (``stuck_after_s`` after power-up or reset)."""

    def __init__(self, profile: MonitorProfile) -> None:
        self._after_s = profile.stuck_after_s
        self._temperature, self._vcc = profile.temperature_stuck, profile.vcc_stuck
        self._tx, self._bias = profile.tx_power_monitor_stuck, profile.bias_monitor_stuck
        self._rx = profile.rx_power_monitor_stuck
        self._any = any((self._temperature, self._vcc, *self._tx, *self._bias, *self._rx))
        self._since_s = 0.0
        self._held: Quantities | None = None

    def reset(self, now_s: float) -> None:
        """Power or reset: they come loose."""
        self._since_s = now_s
        self._held = None

    def seen(self, true: Quantities, now_s: float) -> Quantities:
        """What the converters see of the world's quantities; same units."""
        if not self._any or now_s < self._since_s + self._after_s:
            return true
        held = self._held = self._held or true
        return dataclasses.replace(
            true,
            temperature_c=_stuck(true.temperature_c, held.temperature_c, self._temperature),
            vcc_v=_stuck(true.vcc_v, held.vcc_v, self._vcc),
            tx_w=_all_stuck(true.tx_w, held.tx_w, self._tx),
            bias_ma=_all_stuck(true.bias_ma, held.bias_ma, self._bias),
            rx_w=_all_stuck(true.rx_w, held.rx_w, self._rx),
        )


def _stuck(true: float, held: float, share: float) -> float:
    return true + share * (held - true)


def _all_stuck(true: Sequence[float], held: Sequence[float], shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(_stuck, true, held, shares))
