"""A module's monitors: the world's quantities seen through sensors with calibration errors.

Values are taken once per update period of the module and stay in the registers until the next, as in a
module whose firmware polls its converters, whether a host looks or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add

from drivers.cmis.fields import Field, Kind, decode
from drivers.cmis.memory_map import FIELDS
from drivers.units import ratio_from_db
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile.monitors import MonitorProfile

THRESHOLD_SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
"""Of a monitor's four thresholds, in the order of a profile's."""

# Half widths of the spread between modules, well inside what data sheets allow (3 C, 3 %, 3 dB, 10 %).
_TEMPERATURE_SPREAD_C = 1.0
_VCC_SPREAD_PERCENT = 1.0
_TX_POWER_SPREAD_DB = 0.8
_RX_POWER_SPREAD_DB = 0.8
_BIAS_SPREAD_PERCENT = 4.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How wrong a module's sensors are. Factors multiply the true value; tuples are per media lane."""

    temperature_error_c: float
    vcc_factor: float
    tx_factors: tuple[float, ...]
    rx_factors: tuple[float, ...]
    bias_factors: tuple[float, ...]


def draw_calibration(
    profile: MonitorProfile, media_lanes: int, uniform: Callable[[str, int], float]
) -> Calibration:
    """The profile's errors; those it leaves out come from ``uniform(key, lane)`` in (0, 1)."""

    def spread(key: str, half_width: float, lane: int = 0) -> float:
        return half_width * (2.0 * uniform(key, lane) - 1.0)

    def per_lane(fixed: tuple[float, ...] | None, key: str, half_width: float) -> tuple[float, ...]:
        if fixed is not None:
            return fixed
        return tuple(spread(key, half_width, lane) for lane in range(1, media_lanes + 1))

    temperature_c, vcc_percent = profile.temperature_error_c, profile.vcc_error_percent
    if temperature_c is None:
        temperature_c = spread("temperature monitor", _TEMPERATURE_SPREAD_C)
    if vcc_percent is None:
        vcc_percent = spread("vcc monitor", _VCC_SPREAD_PERCENT)
    tx_db = per_lane(profile.tx_power_monitor_error_db, "tx power monitor", _TX_POWER_SPREAD_DB)
    rx_db = per_lane(profile.rx_power_monitor_error_db, "rx power monitor", _RX_POWER_SPREAD_DB)
    bias_percent = per_lane(profile.bias_monitor_error_percent, "bias monitor", _BIAS_SPREAD_PERCENT)
    return Calibration(
        temperature_error_c=temperature_c + profile.temperature_offset_c,
        vcc_factor=1.0 + (vcc_percent + profile.vcc_offset_percent) / 100.0,
        tx_factors=tuple(map(ratio_from_db, map(add, tx_db, profile.tx_power_monitor_offset_db))),
        rx_factors=tuple(map(ratio_from_db, map(add, rx_db, profile.rx_power_monitor_offset_db))),
        bias_factors=tuple(
            1.0 + percent / 100.0 for percent in map(add, bias_percent, profile.bias_monitor_offset_percent)
        ),
    )


@dataclass(frozen=True, slots=True)
class Quantities:
    """What the sensors look at; tuples are per media lane.

    ``transmitting``: lanes whose transmitter is on; low-side flags of the others mean nothing.
    ``receiving``: lanes whose data path is in use.
    """

    temperature_c: float
    vcc_v: float
    tx_w: tuple[float, ...]
    bias_ma: tuple[float, ...]
    rx_w: tuple[float, ...]
    transmitting: tuple[bool, ...]
    receiving: tuple[bool, ...]


class Monitors:
    """Writes monitor registers and says which threshold flags hold."""

    def __init__(self, registers: Registers, calibration: Calibration, *, bias_multiplier: int = 1) -> None:
        self._registers = registers
        self._bias_multiplier = bias_multiplier
        self._calibration = calibration
        self._thresholds: dict[str, tuple[float, ...]] = {}
        self.conditions: dict[str, int] = {}
        """Flag field to the bits that hold now (for a module-wide flag, 1)."""
        self.temperature_c = -math.inf
        """As last shown, Celsius; before the first sample minus infinity."""

    def reset(self) -> None:
        """Forget the conditions and read the thresholds of page 02h anew."""
        self.conditions = {}
        self.temperature_c = -math.inf
        self._thresholds = {
            monitor: tuple(self._threshold(f"{monitor}{side}Threshold") for side in THRESHOLD_SIDES)
            for monitor in ("TempMon", "VccMon", "TxPower", "TxBias", "RxPower")
        }

    def take(self, true: Quantities) -> None:
        """Take a sample into the registers and judge it against the thresholds."""
        calibration = self._calibration
        tx_w = tuple(map(float.__mul__, true.tx_w, calibration.tx_factors))
        bias_ma = tuple(map(float.__mul__, true.bias_ma, calibration.bias_factors))
        rx_w = tuple(map(float.__mul__, true.rx_w, calibration.rx_factors))
        shown = {
            name: self._show(FIELDS[name], values)
            for name, values in (
                ("TempMonValue", (true.temperature_c + calibration.temperature_error_c,)),
                ("VccMonVoltage", (true.vcc_v * calibration.vcc_factor,)),
                ("TxPower", tx_w),
                ("TxBias", tuple(value / self._bias_multiplier for value in bias_ma)),
                ("RxPower", rx_w),
            )
        }
        (self.temperature_c,) = shown["TempMonValue"]
        self.conditions = {
            **self._judge("TempMon", "TempMon{side}Flag", shown["TempMonValue"], (True,)),
            **self._judge("VccMon", "VccMon{side}Flag", shown["VccMonVoltage"], (True,)),
            **self._judge("TxPower", "OpticalPower{side}FlagTx", shown["TxPower"], true.transmitting),
            **self._judge("TxBias", "LaserBias{side}FlagTx", shown["TxBias"], true.transmitting),
            **self._judge("RxPower", "OpticalPower{side}FlagRx", shown["RxPower"], true.receiving),
        }

    def _show(self, field: Field, values: Sequence[float]) -> tuple[float, ...]:
        """Quantise to the register's steps, saturating at its ends as a converter does, and store."""
        bits = field.bits
        low, high = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if field.kind is Kind.SINT else (0, (1 << bits) - 1)
        )
        steps = [max(low, min(high, round(value / field.scale))) for value in values]
        raw = b"".join(step.to_bytes(field.length, signed=step < 0) for step in steps)
        self._registers.put(0, field.page, field.byte, raw.ljust(field.size, b"\0"))
        return tuple(step * field.scale for step in steps)

    def _judge(
        self, monitor: str, pattern: str, values: Sequence[float], valid: Sequence[bool]
    ) -> dict[str, int]:
        high_alarm, low_alarm, high_warning, low_warning = self._thresholds[monitor]
        bits = [0, 0, 0, 0]
        for index, (value, holds) in enumerate(zip(values, valid, strict=True)):
            if holds:
                bits[0] |= (value > high_alarm) << index
                bits[1] |= (value < low_alarm) << index
                bits[2] |= (value > high_warning) << index
                bits[3] |= (value < low_warning) << index
        return {
            pattern.format(side=side): found
            for side, found in zip(THRESHOLD_SIDES, bits, strict=True)
            if found
        }

    def _threshold(self, name: str) -> float:
        value = decode(FIELDS[name], self._registers)
        assert isinstance(value, (int, float))
        return float(value)
