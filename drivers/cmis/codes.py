"""What coded values mean: states and results of CMIS, and the code tables of SFF-8024.

Codes that nobody defined do not raise: a module may be newer than these tables, or wrong.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from typing import Self

from drivers.cmis.errors import InvalidMemoryError


class _Code(enum.IntEnum):
    """A code of a few bits. Reserved values are members too, called ``Reserved_<hex>``."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value <= 0xFF:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"Reserved_{value:X}"
        member._value_ = value
        return member


BANKS_BY_CODE: Mapping[int, int] = {0: 1, 1: 2, 2: 4}
"""01h:142.1-0: number of banks of 8 lanes; code 3 refers to another register and counts as one bank here."""


class ModuleState(_Code):
    """lower:3.3-1 (OIF-CMIS-05.4 §6.3.2)."""

    ModuleLowPwr = 1
    ModulePwrUp = 2
    ModuleReady = 3
    ModulePwrDn = 4
    ModuleFault = 5


class DataPathState(_Code):
    """11h:128-131 (OIF-CMIS-05.4 §6.3.3)."""

    DPDeactivated = 1
    DPInit = 2
    DPDeinit = 3
    DPActivated = 4
    DPTxTurnOn = 5
    DPTxTurnOff = 6
    DPInitialized = 7


STEADY_DATA_PATH_STATES = frozenset(
    {DataPathState.DPDeactivated, DataPathState.DPInitialized, DataPathState.DPActivated}
)
"""States in which a data path stays until it is told otherwise."""


class ConfigStatus(_Code):
    """11h:202-205: result of the last configuration command of a host lane."""

    ConfigUndefined = 0
    ConfigSuccess = 1
    ConfigRejected = 2
    ConfigRejectedInvalidAppSel = 3
    ConfigRejectedInvalidDataPath = 4
    ConfigRejectedInvalidSI = 5
    ConfigRejectedLanesInUse = 6
    ConfigRejectedPartialDataPath = 7
    ConfigRejectedNoEmulation = 8
    ConfigInProgress = 0xC

    @property
    def explanation(self) -> str:
        """The result in words."""
        return _CONFIG_STATUS_TEXT.get(self, f"a reserved or vendor-specific result, code {self:X}h")


_CONFIG_STATUS_TEXT: Mapping[int, str] = {
    0x0: "no configuration command has been executed on this lane",
    0x1: "the configuration was accepted",
    0x2: "the configuration was rejected without a more precise reason",
    0x3: "the AppSel code names no application that the module advertises",
    0x4: "the host lanes do not form a data path that this application may use",
    0x5: "the signal integrity settings are not supported",
    0x6: "a lane belongs to a data path that is in use",
    0x7: "the command covers only a part of the lanes of a data path",
    0x8: "the module cannot reconfigure without intervention in this state",
    0xC: "the module is still executing the command",
    0xD: "rejected for a vendor-specific reason, code Dh",
    0xE: "rejected for a vendor-specific reason, code Eh",
    0xF: "rejected for a vendor-specific reason, code Fh",
}

UNBOUNDED_DURATION_S = 7200.0
"""Taken for duration code Dh, for which CMIS gives a lower bound (50 min) and no upper one."""

_DURATION_UPPER_S = (
    0.001, 0.005, 0.010, 0.050, 0.100, 0.500, 1.0,
    5.0, 10.0, 60.0, 300.0, 600.0, 3000.0, UNBOUNDED_DURATION_S,
)  # fmt: skip


def duration_upper_s(code: int, *, what: str = "a maximum duration") -> float:
    """Upper bound, in seconds, that a 4-bit duration code of page 01h stands for.

    :raises InvalidMemoryError: for the reserved codes Eh and Fh; ``what`` names the register.
    """
    if not 0 <= code < len(_DURATION_UPPER_S):
        raise InvalidMemoryError(f"{what} holds duration code {code:X}h, which is reserved")
    return _DURATION_UPPER_S[code]


class MediaType(enum.IntEnum):
    """lower:85."""

    UNDEFINED = 0
    MMF = 1
    SMF = 2
    PASSIVE_COPPER = 3
    ACTIVE_CABLE = 4
    BASE_T = 5


_MEDIA_INTERFACE_TABLES: Mapping[int, str] = {
    MediaType.MMF: "media_interface_mmf",
    MediaType.SMF: "media_interface_smf",
    MediaType.PASSIVE_COPPER: "media_interface_passive_copper",
    MediaType.ACTIVE_CABLE: "media_interface_active_cable",
    MediaType.BASE_T: "media_interface_base_t",
}

BIAS_MULTIPLIERS: Mapping[int, int] = {0: 1, 1: 2, 2: 4}
"""01h:160.4-3; code 3 is reserved."""

SMF_LENGTH_MULTIPLIERS_KM: Mapping[int, float] = {0: 0.1, 1: 1.0, 2: 10.0}
"""01h:132.7-6; code 3 refers to :data:`SMF_LENGTH_MULTIPLIERS_2_KM`."""

SMF_LENGTH_MULTIPLIERS_2_KM: Mapping[int, float] = {0: 50.0, 1: 100.0, 2: 200.0, 3: 500.0}
"""01h:137.7-6 [uncertain: one source]."""

CABLE_LENGTH_MULTIPLIERS_M: Mapping[int, float] = {0: 0.1, 1: 1.0, 2: 10.0, 3: 100.0}
"""00h:202.7-6."""

_TABLES: Mapping[str, Mapping[int, str]] = {
    "memory_model": {0: "paged", 1: "flat"},
    "mci_speed": {0: "400 kHz", 1: "1 MHz", 2: "3.4 MHz"},
    "module_state": {state.value: state.name for state in ModuleState},
    "data_path_state": {state.value: state.name for state in DataPathState},
    "config_status": {status.value: status.name for status in ConfigStatus},
    "media_type": {
        0: "undefined",
        1: "multimode fibre",
        2: "single-mode fibre",
        3: "passive copper cable",
        4: "active cable assembly",
        5: "BASE-T",
    },
    "fault_cause": {
        0: "no fault, or not supported",
        1: "thermo-electric cooler runaway",
        2: "data memory corrupted",
        3: "program memory corrupted",
        4: "transmitter fault",
        5: "receiver fault",
        6: "temperature fault",
    },
    "duration": {
        0: "< 1 ms", 1: "< 5 ms", 2: "< 10 ms", 3: "< 50 ms", 4: "< 100 ms", 5: "< 500 ms", 6: "< 1 s",
        7: "< 5 s", 8: "< 10 s", 9: "< 1 min", 10: "< 5 min", 11: "< 10 min", 12: "< 50 min", 13: ">= 50 min",
    },
    "banks": {0: "bank 0", 1: "banks 0 and 1", 2: "banks 0 to 3"},
    "aux1": {0: "custom", 1: "TEC current"},
    "aux2": {0: "laser temperature", 1: "TEC current"},
    "aux3": {0: "laser temperature", 1: "second supply voltage"},
    "detector": {0: "PIN", 1: "APD"},
    "rx_power_type": {0: "OMA", 1: "average power"},
    "rx_los_type": {0: "OMA", 1: "average power"},
    "bias_multiplier": {code: f"x{factor}" for code, factor in BIAS_MULTIPLIERS.items()},
    "smf_length_multiplier": {0: "0.1 km", 1: "1 km", 2: "10 km", 3: "as 01h:137 says"},
    "smf_length_multiplier_2": {0: "50 km", 1: "100 km", 2: "200 km", 3: "500 km"},
    "cable_length_multiplier": {0: "0.1 m", 1: "1 m", 2: "10 m", 3: "100 m"},
    "epl_pages": {0: "none", 1: "1", 2: "2", 3: "3", 4: "4", 5: "8", 6: "12", 7: "16"},
    "supported": {0: "unknown", 1: "not supported", 2: "supported"},
    "grid_spacing": {
        0: "3.125 GHz", 1: "6.25 GHz", 2: "12.5 GHz", 3: "25 GHz", 4: "50 GHz", 5: "100 GHz", 6: "33 GHz",
        7: "75 GHz", 8: "150 GHz", 9: "300 GHz",
    },
    "pattern": {
        0: "PRBS31Q", 1: "PRBS31", 2: "PRBS23Q", 3: "PRBS23", 4: "PRBS15Q", 5: "PRBS15", 6: "PRBS13Q",
        7: "PRBS13", 8: "PRBS9Q", 9: "PRBS9", 10: "PRBS7Q", 11: "PRBS7", 12: "SSPRQ", 14: "custom",
        15: "user pattern",
    },
    "gating": {0: "not supported", 1: "accuracy 2 ms", 2: "accuracy 20 ms", 3: "accuracy worse than 20 ms"},
    "measurement_time": {
        0: "not gated", 1: "5 s", 2: "10 s", 3: "30 s", 4: "60 s", 5: "120 s", 6: "300 s", 7: "custom",
    },
    "update_period": {0: "1 s", 1: "5 s"},
    "diagnostics_selector": {
        0x00: "nothing",
        0x01: "bit error ratios",
        0x02: "counters, host lanes 1-4",
        0x03: "counters, host lanes 5-8",
        0x04: "counters, media lanes 1-4",
        0x05: "counters, media lanes 5-8",
        0x06: "SNR",
        0x11: "gated bit error ratios",
        0x12: "gated counters, host lanes 1-4",
        0x13: "gated counters, host lanes 5-8",
        0x14: "gated counters, media lanes 1-4",
        0x15: "gated counters, media lanes 5-8",
    },
}  # fmt: skip


@cache
def _sff8024() -> Mapping[str, Mapping[int, str]]:
    import tomllib  # only when a code is to be named
    from importlib import resources

    text = resources.files(__package__).joinpath("sff8024.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return {
        name: {int(code, 16): meaning for code, meaning in entries.items()}
        for name, entries in document.items()
    }


_VENDOR_SPECIFIC: Mapping[str, range] = {
    "identifier": range(0x80, 0x100),
    "connector": range(0x80, 0x100),
    "host_interface": range(0xC0, 0xFF),
    "media_interface": range(0xC0, 0x100),
}


CMIS_IDENTIFIERS = frozenset({0x18, 0x19, 0x1A, 0x1B, 0x1E, 0x1F, 0x20, 0x21, 0x22}) | frozenset(
    _VENDOR_SPECIFIC["identifier"]
)
"""Identifiers whose memory may be laid out as CMIS says; 1Ah and 1Bh have other layouts in old modules."""


def table(name: str) -> Mapping[int, str]:
    """The table that a field's ``codes`` names.

    ``media_interface`` alone is none: which table holds depends on the media type, see
    :func:`media_interface_name`.

    :raises KeyError: when there is no such table.
    """
    return _TABLES[name] if name in _TABLES else _sff8024()[name]


def meaning(name: str, code: int) -> str:
    """What ``code`` means in a table; says so when the table does not have it."""
    known = table(name).get(code)
    if known is not None:
        return known
    family = "media_interface" if name.startswith("media_interface") else name
    if code in _VENDOR_SPECIFIC.get(family, ()):
        return f"vendor-specific code {code:02X}h"
    return f"unknown code {code:02X}h"


def media_interface_name(media_type: int, code: int) -> str:
    """Name of a media interface, in the table that the media type (lower:85) selects."""
    name = _MEDIA_INTERFACE_TABLES.get(media_type)
    if name is None:
        return f"code {code:02X}h of an undefined media type"
    return meaning(name, code)
