"""What a module's memory holds when its management interface wakes up: the profile, encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.cmis.fields import Scalar, Value, encode
from drivers.cmis.image import CHECKSUM_PAGES, HALF, page_checksum
from drivers.cmis.memory_map import FIELDS
from drivers.units import w_from_dbm
from harness.simulation.module.commands.advertising import advertising, profile_in_effect
from harness.simulation.module.contents.stored_contents import lay_under
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.interface.spare_banks import fill_spare_banks, spare_pages
from harness.simulation.module.machines.data_paths import default_config
from harness.simulation.module.machines.lane_settings import settings_contents
from harness.simulation.module.monitoring.diagnostics import diagnostics_contents, diagnostics_pages
from harness.simulation.module.monitoring.monitors import THRESHOLD_SIDES
from harness.simulation.module.monitoring.vdm_monitors import vdm_contents, vdm_pages
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.medium import medium_contents
from harness.simulation.module.profile.quirks import vendor_name

_ALWAYS = ((0, 0x00), (0, 0x01), (0, 0x02), (0, 0x10), (0, 0x11))

_NO_MORE_APPLICATIONS = 0xFF
_MCI_1_MHZ = 1
_FULL_PAGE_READ = 2  # in 01h:251 bits 1-0 [?]: another clause of CMIS says bit 4
_PASSIVE_COPPER, _COPPER_UNEQUALIZED, _CONNECTOR_NONE = 3, 0x0A, 0x23
_BIAS_MULTIPLIER_CODES = {1: 0, 2: 1, 4: 2}
_BANK_CODES = {1: 0, 2: 1, 4: 2}
_USER_EEPROM = (0, FIELDS["UserEEPROM"].page)
_BPC_BOUND_S = 0.01
_LONGEST_BPC_EXPONENT = 15


def pages_of(profile: Profile) -> tuple[tuple[int, int], ...]:
    """(bank, page) of the module's upper pages but those of CDB; no tunable laser."""
    return (
        *_ALWAYS,
        *((_USER_EEPROM,) if profile.management.user_eeprom else ()),
        *spare_pages(profile.management),
        *diagnostics_pages(profile.diagnostics),
        *vdm_pages(profile.vdm, profile.media_lanes),
    )


def is_flat(profile: Profile) -> bool:
    """Whether the module has page 00h alone, whatever it says of it."""
    return profile.management.flat_memory or profile.quirks.copper_claims_paged_memory


def make_registers(profile: Profile, more_pages: Sequence[tuple[int, int]]) -> Registers:
    """Memory of a module of this profile; ``more_pages``: those of CDB."""
    return Registers(
        (*pages_of(profile), *more_pages),
        selectable=((0, 0x00),) if is_flat(profile) else None,
        absent=_absent(profile),
        lasting=(_USER_EEPROM,),
    )


def _absent(profile: Profile) -> tuple[str, ...]:
    """Fields that the host may write in modules that have them, and this one has not."""
    configuration, host_side = profile.configuration, profile.host_side
    there = {
        "BankBroadcastEnable": False,
        "SquelchMethodSelect": False,
        "ApplyImmediateTx": configuration.unidirectional,
        "ApplyImmediateRx": configuration.unidirectional,
        "InputPolarityFlipTx": host_side.polarity_flip_tx,
        "OutputPolarityFlipRx": host_side.polarity_flip_rx,
        "AutoSquelchDisableTx": host_side.auto_squelch_disable_tx,
        "AutoSquelchDisableRx": host_side.auto_squelch_disable_rx,
        **{name: configuration.staged_control_set_1 for name in FIELDS if name.startswith("SCS1_")},
    }
    return tuple(name for name, has in there.items() if not has)


def fill(registers: Registers, profile: Profile) -> None:
    """Write all registers of a module that has just initialised its management interface."""
    registers.clear()
    values: dict[str, Value | Sequence[Scalar]] = {
        **_identity(profile),
        **_applications(profile),
        **_advertising(profile),
        **medium_contents(profile.medium, profile.media_lanes),
        **_host_side(profile),
        **settings_contents(profile.signal_integrity, ("ACS", *_control_sets(profile))),
        **advertising(profile_in_effect(profile)),
        **_thresholds(profile),
        **diagnostics_contents(profile.diagnostics),
        **vdm_contents(profile.vdm, profile.media_lanes),
    }
    for name, value in values.items():
        encode(FIELDS[name], value, registers)
    staged = tuple(config.byte for config in default_config(profile.applications[0]))
    for control_set in _control_sets(profile):
        encode(FIELDS[f"{control_set}_DPConfig"], staged, registers)
    fill_spare_banks(registers, profile.management)
    deviations = lay_under(registers, profile)
    _apply_quirks(registers, profile)
    for page in CHECKSUM_PAGES:
        if not registers.has(0, page):
            continue
        checksum = page_checksum(page, registers.get(0, page, HALF, HALF))
        wrong = profile.management.wrong_checksum_page == f"{page:02X}h"
        stored = checksum.computed + deviations.get(page, 0) & 0xFF
        registers.put(0, page, checksum.byte, bytes([stored ^ wrong]))


def _control_sets(profile: Profile) -> tuple[str, ...]:
    return ("SCS0", "SCS1") if profile.configuration.staged_control_set_1 else ("SCS0",)


def _apply_quirks(registers: Registers, profile: Profile) -> None:
    """What quirks change of the contents."""
    quirks = profile.quirks
    name = vendor_name(quirks)
    if name is not None:
        registers.put(0, 0, FIELDS["VendorName"].byte, name)
    state = FIELDS["ModuleState"]
    reserved = quirks.status_reserved_bits
    registers.put_bits(0, state.byte, reserved, reserved)
    if quirks.copper_claims_paged_memory:
        encode(FIELDS["MediaType"], _PASSIVE_COPPER, registers)
        encode(FIELDS["MediaInterfaceTechnology"], _COPPER_UNEQUALIZED, registers)
        encode(FIELDS["ConnectorType"], _CONNECTOR_NONE, registers)


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
        "MediaType": identity.media_type,
        "MemoryModel": int(profile.management.flat_memory),
        "SteppedConfigOnly": int(profile.configuration.stepped_config_only),
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
        "NominalWavelength": wavelength_nm,
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
        "RxPowerMeasurementType": int(profile.receiver.power_measures == "average"),
        "RxLOSType": int(profile.receiver.los_measures == "average"),
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
        "TxBiasCurrentScalingFactor": _BIAS_MULTIPLIER_CODES[profile.quirks.bias_multiplier],
        "StagedControlSet1Supported": int(profile.configuration.staged_control_set_1),
        "UnidirectionalConfigSupported": int(profile.configuration.unidirectional),
        "BanksSupported": _BANK_CODES[management.banks],
        "Page03hSupported": int(management.user_eeprom),
        "FullPageReadSupported": _FULL_PAGE_READ if management.longest_read_bytes >= HALF else 0,
    }


def _host_side(profile: Profile) -> dict[str, Value]:
    host_side = profile.host_side
    return {
        "LOSFlagTxSupported": int(host_side.los_tx),
        "CDRLOLFlagTxSupported": int(host_side.los_tx and profile.signal_integrity.cdr_tx),
        "AutoSquelchDisableTxSupported": int(host_side.auto_squelch_disable_tx),
        "AutoSquelchDisableRxSupported": int(host_side.auto_squelch_disable_rx),
        "InputPolarityFlipTxSupported": int(host_side.polarity_flip_tx),
        "OutputPolarityFlipRxSupported": int(host_side.polarity_flip_rx),
    }


def _thresholds(profile: Profile) -> dict[str, Value]:
    thresholds = profile.thresholds
    quads: dict[str, tuple[float, ...]] = {
        "TempMon": thresholds.temperature_c,
        "VccMon": thresholds.vcc_v,
        "TxPower": tuple(w_from_dbm(power_dbm) for power_dbm in thresholds.tx_power_dbm),
        "TxBias": tuple(value / profile.quirks.bias_multiplier for value in thresholds.bias_ma),
        "RxPower": tuple(w_from_dbm(power_dbm) for power_dbm in thresholds.rx_power_dbm),
    }
    return {
        f"{monitor}{side}Threshold": value
        for monitor, quad in quads.items()
        for side, value in zip(THRESHOLD_SIDES, quad, strict=True)
    }


def _bpc_exponent(hold_off_s: float) -> int:
    """Largest e with a hold-off of at most 10 ms / 2**e (01h:169)."""
    if hold_off_s <= 0.0:
        return _LONGEST_BPC_EXPONENT
    return max(0, min(_LONGEST_BPC_EXPONENT, math.floor(math.log2(_BPC_BOUND_S / hold_off_s))))
