"""The flags of the register tables, as data: what each means, how grave it is, what says that it exists.

VDM's flags are not here: there are four for each instance, see :func:`drivers.cmis.vdm.vdm_flags`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from drivers.cmis.fields import Access
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.wording import where

Area = Literal["module", "lanes", "laser", "diagnostics", "VDM"]
Severity = Literal["alarm", "warning", "event"]
Side = Literal["module", "host", "media"]

AREAS: tuple[Area, ...] = ("module", "lanes", "laser", "diagnostics", "VDM")
"""Where flags lie: lower memory, pages 11h, 12h, 14h, 2Ch."""


@dataclass(frozen=True, slots=True)
class FlagDefinition:
    """One flag of the register tables. ``name`` and ``mask``: fields; ``side``: whose lanes its lanes are;
    ``advertisement``: the field that says that the module has it, empty where nothing does."""

    name: str
    mask: str
    words: str
    area: Area
    severity: Severity
    side: Side
    advertisement: str = ""

    @property
    def register(self) -> str:
        """Its address and name."""
        return where(self.name)

    @property
    def of_lanes(self) -> bool:
        """Whether it has a bit for each of 8 lanes."""
        return FIELDS[self.name].lanes > 1


_LIMITS: tuple[tuple[str, str, Severity], ...] = (
    ("HighAlarm", "above its high alarm threshold", "alarm"),
    ("LowAlarm", "below its low alarm threshold", "alarm"),
    ("HighWarning", "above its high warning threshold", "warning"),
    ("LowWarning", "below its low warning threshold", "warning"),
)
_MODULE_MONITORS: tuple[tuple[str, str], ...] = (
    ("TempMon", "module temperature"),
    ("VccMon", "supply voltage"),
    ("Aux1Mon", "auxiliary monitor 1"),
    ("Aux2Mon", "auxiliary monitor 2"),
    ("Aux3Mon", "auxiliary monitor 3"),
    ("CustomMon", "custom monitor"),
)
_LANE_MONITORS: tuple[tuple[str, str, str, str], ...] = (
    ("OpticalPower", "Tx", "launched power", "TxOpticalPowerMonSupported"),
    ("LaserBias", "Tx", "laser bias", "TxBiasMonSupported"),
    ("OpticalPower", "Rx", "received power", "RxOpticalPowerMonSupported"),
)
_DIAGNOSTICS: tuple[tuple[str, str, Severity], ...] = (
    ("GatingComplete", "gate of the checker ended", "event"),
    ("PatternGeneratorLOL", "pattern generator not locked", "alarm"),
    ("PatternCheckerLOL", "pattern checker not locked", "alarm"),
)
_HOST_AND_MEDIA: tuple[Side, ...] = ("host", "media")
_VDM_FLAGS = 0x2C

_Row = tuple[str, str, Area, Severity, Side, str]

_SINGLE: tuple[_Row, ...] = (
    # name, words, area, severity, side, advertisement
    ("ModuleStateChangedFlag", "module state changed", "module", "event", "module", ""),
    ("ModuleFirmwareErrorFlag", "error of the module's firmware", "module", "alarm", "module", ""),
    ("DataPathFirmwareErrorFlag", "error of a data path's firmware", "module", "alarm", "module", ""),
    ("AbnormalFirmwareFlag", "abnormal firmware", "module", "alarm", "module", ""),
    ("CdbCmdCompleteFlag1", "CDB command complete, instance 1", "module", "event", "module", ""),
    ("CdbCmdCompleteFlag2", "CDB command complete, instance 2", "module", "event", "module", ""),
    ("DPStateChangedFlag", "data path reached a steady state", "lanes", "event", "host", ""),
    ("FailureFlagTx", "transmitter failed", "lanes", "alarm", "media", "FailureFlagTxSupported"),
    ("LOSFlagTx", "no signal at the host input", "lanes", "alarm", "host", "LOSFlagTxSupported"),
    ("CDRLOLFlagTx", "CDR of the host input not locked", "lanes", "alarm", "host", "CDRLOLFlagTxSupported"),
    (
        "AdaptiveInputEqFailFlagTx",
        "adaptive equaliser of the host input failed",
        "lanes",
        "alarm",
        "host",
        "AdaptiveInputEqFailFlagTxSupported",
    ),
    ("LOSFlagRx", "no light at the receiver", "lanes", "alarm", "media", "LOSFlagRxSupported"),
    ("CDRLOLFlagRx", "CDR of the receiver not locked", "lanes", "alarm", "media", "CDRLOLFlagRxSupported"),
    ("OutputStatusChangedFlagRx", "host output became valid or invalid", "lanes", "event", "host", ""),
    ("TuningCompleteFlagTx", "tuning ended", "laser", "event", "media", "TransmitterIsTunable"),
    ("WavelengthUnlockedFlagTx", "wavelength lock lost", "laser", "alarm", "media", "TransmitterIsTunable"),
    ("InvalidChannelFlagTx", "channel out of the grid", "laser", "warning", "media", "TransmitterIsTunable"),
    ("TuningNotAcceptedFlagTx", "tuning refused", "laser", "warning", "media", "TransmitterIsTunable"),
    (
        "FineTuningOutOfRangeFlagTx",
        "fine tuning out of range",
        "laser",
        "warning",
        "media",
        "TransmitterIsTunable",
    ),
    (
        "TargetOutputPowerOutOfRangeFlagTx",
        "target power out of range",
        "laser",
        "warning",
        "media",
        "TransmitterIsTunable",
    ),
    (
        "LossOfReferenceClockFlag",
        "reference clock lost",
        "diagnostics",
        "alarm",
        "module",
        "DiagnosticPagesSupported",
    ),
)


def _definitions() -> Mapping[str, FlagDefinition]:
    rows: list[_Row] = [
        *_SINGLE,
        *(
            (
                f"{monitor}{limit}Flag",
                f"{words} {beyond}",
                "module",
                severity,
                "module",
                f"{monitor}Supported",
            )
            for monitor, words in _MODULE_MONITORS
            for limit, beyond, severity in _LIMITS
        ),
        *(
            (
                f"{monitor}{limit}Flag{direction}",
                f"{words} {beyond}",
                "lanes",
                severity,
                "media",
                advertisement,
            )
            for monitor, direction, words, advertisement in _LANE_MONITORS
            for limit, beyond, severity in _LIMITS
        ),
        *(
            (
                f"{name}Flag{side.title()}",
                words,
                "diagnostics",
                severity,
                side,
                "DiagnosticPagesSupported",
            )
            for name, words, severity in _DIAGNOSTICS
            for side in _HOST_AND_MEDIA
        ),
    ]
    by_name = {row[0]: row for row in rows}
    ordered = {}
    for field in FIELDS.values():  # in the order of memory, and so that none is forgotten
        if field.access is Access.RO_COR and field.page != _VDM_FLAGS:
            name, words, area, severity, side, advertisement = by_name[field.name]
            ordered[name] = FlagDefinition(
                name, name.replace("Flag", "Mask"), words, area, severity, side, advertisement
            )
    return MappingProxyType(ordered)


FLAGS: Mapping[str, FlagDefinition] = _definitions()
"""Every flag but VDM's, by the name of its field."""
