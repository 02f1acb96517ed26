"""A module's monitors, each with its limits: of the module, auxiliary ones, and of each media lane.

Lower memory 14-25, page 11h:154-201, limits on page 02h (OIF-CMIS-05.4 §8.2, §8.5, §8.10). Only monitors that
01h:159-160 advertise are read. A source is anything with ``get(bank, page, byte, length)``.

What VDM observes is read by :mod:`drivers.cmis.vdm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from drivers.cmis import codes, information
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.fields import Field, Kind, ReadableImage, decode_bytes
from drivers.cmis.information import Thresholds
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import PortImage
from drivers.cmis.polling import Snapshot, plan_reads
from drivers.cmis.wording import where

__all__ = [
    "ModuleMonitor",
    "MonitorReading",
    "read_lane_readings",
    "read_module_monitors",
    "state_of",
]


@dataclass(frozen=True, slots=True)
class MonitorReading:
    """One monitor.

    ``key``: short name for programs; ``name``: in words; ``value``: in ``unit``, None when the module does
    not have the monitor (``supported``) or no value of it can be given; ``thresholds``: None when they could
    not be read or make no sense; ``lane``: media lane 1..8, None for the module; ``raw``: its 16 bits;
    ``uncertain``: the scale is not settled; ``reason``: why there is no value, or no thresholds.
    """

    key: str
    name: str
    value: float | None
    unit: str
    thresholds: Thresholds | None
    supported: bool
    lane: int | None = None
    raw: int | None = None
    uncertain: bool = False
    reason: str = ""

    @property
    def state(self) -> str:
        """``ok``, ``warning``, ``alarm``, ``no thresholds`` or ``no value``: the value against its limits.

        The module's own latched flags say more: see :mod:`drivers.cmis.flags`.
        """
        return "no value" if self.value is None else state_of(self.value, self.thresholds)

    @property
    def verdict(self) -> str:
        """As :attr:`state`, with the side: ``high alarm``, ``low warning``."""
        if self.value is None or self.thresholds is None or self.thresholds.problem:
            return self.state
        return self.thresholds.verdict(self.value)


ModuleMonitor: TypeAlias = MonitorReading
"""A monitor of the module as a whole: ``lane`` is None."""


def state_of(value: float, thresholds: Thresholds | None) -> str:
    """``ok``, ``warning``, ``alarm`` or ``no thresholds``."""
    verdict = "not set" if thresholds is None else thresholds.verdict(value)
    return "no thresholds" if verdict == "not set" else verdict.split()[-1]


@dataclass(frozen=True, slots=True)
class _Scale:
    """How 16 bits of a monitor and of its limits become numbers."""

    meaning: str
    kind: Kind
    scale: float
    unit: str
    uncertain: bool = False


_TEMPERATURE = _Scale("laser temperature", Kind.SINT, 1 / 256, "degC")
_TEC_CURRENT = _Scale("TEC current", Kind.SINT, 100 / 32767, "%")
_CUSTOM = _Scale("vendor's own, raw", Kind.UINT, 1.0, "", uncertain=True)
# The tables call Aux3 signed, whatever it is. 3.3 V in steps of 100 uV do not fit: it is read as VccMon is.
_SUPPLY = _Scale("second supply voltage", Kind.UINT, 1e-4, "V", uncertain=True)

_AUXILIARY: Mapping[str, Mapping[int, _Scale]] = {  # by 01h:145.0, .1, .2
    "Aux1Mon": {0: _CUSTOM, 1: _TEC_CURRENT},
    "Aux2Mon": {0: _TEMPERATURE, 1: _TEC_CURRENT},
    "Aux3Mon": {0: _TEMPERATURE, 1: _SUPPLY},
}
_MODULE_MONITORS: tuple[tuple[str, str, str, str], ...] = (  # monitor, key, name, register of its value
    ("TempMon", "temperature", "module temperature", "TempMonValue"),
    ("VccMon", "vcc", "supply voltage", "VccMonVoltage"),
    ("Aux1Mon", "aux1", "auxiliary monitor 1", "Aux1MonValue"),
    ("Aux2Mon", "aux2", "auxiliary monitor 2", "Aux2MonValue"),
    ("Aux3Mon", "aux3", "auxiliary monitor 3", "Aux3MonValue"),
    ("CustomMon", "custom", "custom monitor", "CustomMonValue"),
)
_SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")


def read_module_monitors(source: ReadableImage) -> tuple[ModuleMonitor, ...]:
    """Temperature, supply, three auxiliary monitors and the custom one, in this order.

    All six are given; those that 01h:159 does not advertise have no value and are not ``supported``. What an
    auxiliary monitor is, 01h:145 says. Custom ones are given as the unsigned 16 bits that they are, without
    limits, for whether they are signed is the vendor's own.

    :raises CmisError: when the module cannot be read.
    """
    if information.get_int(source, "MemoryModel"):
        reason = f"the module's memory is flat ({where('MemoryModel')}): it advertises no monitors"
        return tuple(
            MonitorReading(key, name, None, "", None, False, reason=reason)
            for _, key, name, _ in _MODULE_MONITORS
        )
    return tuple(_module_monitor(source, *entry) for entry in _MODULE_MONITORS)


def _module_monitor(
    source: ReadableImage, monitor: str, key: str, name: str, register: str
) -> MonitorReading:
    scale = _scale(source, monitor, FIELDS[register])
    if monitor not in ("TempMon", "VccMon", "CustomMon"):
        name = f"{name}: {scale.meaning}"
    advertisement = f"{monitor}Supported"
    if not information.get_int(source, advertisement):
        reason = f"the module does not advertise it ({where(advertisement)} is 0)"
        return MonitorReading(key, name, None, scale.unit, None, False, reason=reason)
    field = FIELDS[register]
    data = source.get(0, field.page, field.byte, field.size)
    thresholds, reason = _module_thresholds(source, monitor, scale)
    return MonitorReading(
        key,
        name,
        _number(data, scale),
        scale.unit,
        thresholds,
        True,
        raw=int.from_bytes(data, "big"),
        uncertain=scale.uncertain,
        reason=reason,
    )


def _scale(source: ReadableImage, monitor: str, field: Field) -> _Scale:
    if monitor in _AUXILIARY:
        return _AUXILIARY[monitor][information.get_int(source, f"{monitor}Observable")]
    if monitor == "CustomMon":
        return _CUSTOM
    return _Scale("", field.kind, field.scale, field.unit)


def _module_thresholds(source: ReadableImage, monitor: str, scale: _Scale) -> tuple[Thresholds | None, str]:
    if scale is _CUSTOM:
        return None, "limits of a custom monitor are not judged: whether it is signed is the vendor's own"
    first = FIELDS[f"{monitor}{_SIDES[0]}Threshold"]
    try:
        data = source.get(0, first.page, first.byte, first.size * len(_SIDES))
    except PageUnavailableError as error:
        return None, f"no thresholds: {error}"
    thresholds = Thresholds(*(_number(data[at : at + 2], scale) for at in range(0, len(data), 2)))
    return _usable(thresholds, f"{first.page:02X}h:{first.byte}-{first.byte + 7}")


def _usable(thresholds: Thresholds, register: str) -> tuple[Thresholds | None, str]:
    if thresholds.problem:
        return None, f"no thresholds: {thresholds.problem} ({register})"
    return thresholds, ""


def _number(data: bytes, scale: _Scale) -> float:
    value = decode_bytes(Field("monitor", 0, 14, scale.kind, 2, scale=scale.scale, unit=scale.unit), data)
    assert isinstance(value, (int, float))
    return float(value)


_LANE_MONITORS: tuple[tuple[str, str, str, str, str, str], ...] = (
    # key, name, unit, attribute of LaneMonitor, key of its thresholds, advertisement
    ("tx_power", "launched power", "W", "tx_power_w", "tx_power_w", "TxOpticalPowerMonSupported"),
    ("tx_bias", "laser bias", "mA", "bias_ma", "tx_bias_ma", "TxBiasMonSupported"),
    ("rx_power", "received power", "W", "rx_power_w", "rx_power_w", "RxOpticalPowerMonSupported"),
)


_LANE_VALUES = {entry[0].title().replace("_", ""): entry[5] for entry in _LANE_MONITORS}
"""Register of each monitor's values: its advertisement."""
_LANE_ADVERTISEMENTS = (
    *_LANE_VALUES.values(),
    "TxBiasCurrentScalingFactor",
    "RxPowerMeasurementType",
    "MediaLaneUnsupported",
)
_LIMITS = tuple(
    f"{monitor}{side}Threshold"
    for monitor in ("TempMon", "VccMon", "TxPower", "TxBias", "RxPower")
    for side in _SIDES
)


def _read_together(
    source: ReadableImage, names: Iterable[str], bank: int = 0, *, into: ReadableImage | None = None
) -> ReadableImage:
    """What holds these registers: of a port, what a plan has read, put ``into``; else the source."""
    if not isinstance(source, PortImage):
        return source
    snapshot = into if isinstance(into, Snapshot) else None
    return plan_reads(names, bank=bank, limits=source.limits).execute(source.memory, into=snapshot)


def read_lane_readings(source: ReadableImage, bank: int = 0) -> tuple[MonitorReading, ...]:
    """Launched power, bias and received power of each implemented media lane (00h:210), with their limits.

    Received power is OMA or average, as 01h:151.4 says; ``name`` tells which. From a port, each page is read
    once (:func:`drivers.cmis.polling.plan_reads`).

    :raises CmisError: when the module cannot be read.
    """
    if information.get_int(source, "MemoryModel"):
        return ()
    port, source = source, _read_together(source, _LANE_ADVERTISEMENTS)
    values = [
        monitor
        for monitor, advertisement in _LANE_VALUES.items()
        if information.get_int(source, advertisement)
    ]
    values_source = _read_together(port, values, bank, into=source)
    monitors = information.read_lane_monitors(values_source, bank)
    try:
        limits, missing = information.read_thresholds(_read_together(port, _LIMITS, into=source)), ""
    except PageUnavailableError as error:
        limits, missing = {}, f"no thresholds: {error}"
    measured = codes.meaning("rx_power_type", information.get_int(source, "RxPowerMeasurementType"))
    lanes = information.media_lanes_present(source)
    found = []
    for key, plain_name, unit, attribute, limits_key, advertisement in _LANE_MONITORS:
        name = f"{plain_name} ({measured})" if key == "rx_power" else plain_name
        supported = bool(information.get_int(source, advertisement))
        thresholds, reason = None, missing
        if limits_key in limits:
            thresholds, reason = _usable(limits[limits_key], "page 02h")
        for lane in lanes:
            value = getattr(monitors[lane - 1], attribute)
            why = reason
            if not supported:
                why = f"the module does not advertise it ({where(advertisement)} is 0)"
            elif value is None:
                why = f"no value: the bias multiplier ({where('TxBiasCurrentScalingFactor')}) is reserved"
            found.append(
                MonitorReading(
                    key,
                    name,
                    value,
                    unit,
                    thresholds if supported else None,
                    supported,
                    lane=lane,
                    reason=why,
                )
            )
    return tuple(found)
