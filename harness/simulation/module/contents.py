"""What a module's memory holds when its management interface wakes up: the profile, encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.cmis.fields import Scalar, Value, encode
from drivers.cmis.image import CHECKSUM_PAGES, HALF, page_checksum
from drivers.cmis.memory_map import FIELDS
from drivers.units import w_from_dbm
from harness.simulation.module.data_paths import default_config
from harness.simulation.module.profile import Profile
from harness.simulation.module.registers import Registers

PAGES = ((0, 0x00), (0, 0x01), (0, 0x02), (0, 0x10), (0, 0x11))
"""(bank, page) of the upper pages: one bank; no diagnostics, VDM, CDB or tunable laser."""

_SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
_NO_MORE_APPLICATIONS = 0xFF
_SINGLE_MODE = 2
_MCI_1_MHZ = 1
_FULL_PAGE_READ = 2  # in 01h:251 bits 1-0 [?]: another clause of CMIS says bit 4
_BPC_BOUND_S = 0.01
_LONGEST_BPC_EXPONENT = 15


def fill(registers: Registers, profile: Profile) -> None:
    """Write all registers of a module that has just initialised its management interface."""
    registers.clear()
    values: dict[str, Value | Sequence[Scalar]] = {
        **_identity(profile),
        **_applications(profile),
        **_advertising(profile),
        **_thresholds(profile),
    }
    for name, value in values.items():
        encode(FIELDS[name], value, registers)
    staged = tuple(config.byte for config in default_config(profile.applications[0]))
    for control_set in ("SCS0", "SCS1"):
        encode(FIELDS[f"{control_set}_DPConfig"], staged, registers)
    for page in CHECKSUM_PAGES:
        checksum = page_checksum(page, registers.get(0, page, HALF, HALF))
        wrong = profile.management.wrong_checksum_page == f"{page:02X}h"
        registers.put(0, page, checksum.byte, bytes([checksum.computed ^ wrong]))


def _identity(profile: Profile) -> dict[str, Value]:
    identity, power = profile.identity, profile.power
    return {
        "SFF8024Identifier": identity.identifier,
        "SFF8024IdentifierCopy": identity.identifier,
        "CmisRevisionMajor": identity.cmis_major,
        "CmisRevisionMinor": identity.cmis_minor,
        "MciMaxSpeed": _MCI_1_MHZ,
        "LowPwrAllowRequestHW": 1,
        "ModuleActiveFirmwareMajorRevision": identity.firmware_major,
        "ModuleActiveFirmwareMinorRevision": identity.firmware_minor,
        "MediaType": _SINGLE_MODE,
        "VendorName": identity.vendor,
        "VendorOUI": identity.oui.to_bytes(3),
        "VendorPN": identity.part_number,
        "VendorRev": identity.revision,
        "VendorSN": identity.serial,
        "DateCode": identity.date_code,
        "CLEICode": identity.clei,
        "ModulePowerClass": power.class_code,
        "MaxPower": power.advertised_max_w,
        "ConnectorType": identity.connector,
        "MediaLaneUnsupported": 0xFF << profile.media_lanes & 0xFF,
        "MediaInterfaceTechnology": identity.media_technology,
        "ModuleHardwareMajorRevision": identity.hardware_major,
        "ModuleHardwareMinorRevision": identity.hardware_minor,
    }


def _applications(profile: Profile) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for app_sel, application in enumerate(profile.applications, start=1):
        values |= {
            f"HostInterfaceIDApp{app_sel}": application.host_interface,
            f"MediaInterfaceIDApp{app_sel}": application.media_interface,
            f"HostLaneCountApp{app_sel}": application.host_lanes,
            f"MediaLaneCountApp{app_sel}": application.media_lanes,
            f"HostLaneAssignmentOptionsApp{app_sel}": application.host_lane_assignment,
            f"MediaLaneAssignmentOptionsApp{app_sel}": application.media_lane_assignment,
        }
    end = len(profile.applications) + 1
    if f"HostInterfaceIDApp{end}" in FIELDS:
        values[f"HostInterfaceIDApp{end}"] = _NO_MORE_APPLICATIONS
    return values


def _advertising(profile: Profile) -> dict[str, Value]:
    timing, management = profile.timing, profile.management
    wavelength_nm = sum(profile.transmitter.wavelength_nm) / profile.media_lanes
    return {
        "BaseLengthSMF": 5,  # x 0.1 km: 400GBASE-DR4 is defined for 500 m
        "NominalWavelength": wavelength_nm,
        "WavelengthTolerance": 6.5,
        "MaxDurationDPDeinit": timing.dp_deinit_code,
        "MaxDurationDPInit": timing.dp_init_code,
        "MaxDurationModulePwrDn": timing.module_power_down_code,
        "MaxDurationModulePwrUp": timing.module_power_up_code,
        "MaxDurationDPTxTurnOff": timing.dp_tx_turn_off_code,
        "MaxDurationDPTxTurnOn": timing.dp_tx_turn_on_code,
        "MaxDurationBPCExponent": _bpc_exponent(management.page_change_hold_off_s),
        "ModuleTempMax": 70,
        "ModuleTempMin": 0,
        "OperatingVoltageMin": 3.12,
        "RxPowerMeasurementType": 1,  # average power
        "RxLOSType": 1,  # average power
        "OutputDisableTxSupported": 1,
        "ForcedSquelchTxSupported": 1,
        "SquelchMethodTx": 2,  # average power
        "OutputDisableRxSupported": 1,
        "FailureFlagTxSupported": 1,
        "LOSFlagRxSupported": 1,
        "CDRLOLFlagRxSupported": 1,
        "TempMonSupported": 1,
        "VccMonSupported": 1,
        "RxOpticalPowerMonSupported": 1,
        "TxOpticalPowerMonSupported": 1,
        "TxBiasMonSupported": 1,
        "StagedControlSet1Supported": 1,
        "RxCDRSupported": 1,
        "FullPageReadSupported": _FULL_PAGE_READ if management.longest_read_bytes >= HALF else 0,
    }


def _thresholds(profile: Profile) -> dict[str, Value]:
    thresholds = profile.thresholds
    quads: dict[str, tuple[float, ...]] = {
        "TempMon": thresholds.temperature_c,
        "VccMon": thresholds.vcc_v,
        "TxPower": tuple(w_from_dbm(power_dbm) for power_dbm in thresholds.tx_power_dbm),
        "TxBias": thresholds.bias_ma,
        "RxPower": tuple(w_from_dbm(power_dbm) for power_dbm in thresholds.rx_power_dbm),
    }
    return {
        f"{monitor}{side}Threshold": value
        for monitor, quad in quads.items()
        for side, value in zip(_SIDES, quad, strict=True)
    }


def _bpc_exponent(hold_off_s: float) -> int:
    """Largest e with a hold-off of at most 10 ms / 2**e (01h:169)."""
    if hold_off_s <= 0.0:
        return _LONGEST_BPC_EXPONENT
    return max(0, min(_LONGEST_BPC_EXPONENT, math.floor(math.log2(_BPC_BOUND_S / hold_off_s))))
