"""Page 01h, advertising (OIF-CMIS-05.4 §8.4)."""

from __future__ import annotations

from drivers.cmis.fields import Field, Kind
from drivers.cmis.pages.lower import application_descriptor

_PAGE = 0x01


def _bits(
    name: str,
    byte: int,
    msb: int,
    lsb: int | None = None,
    *,
    codes: str | None = None,
    since: str = "4.0",
    doc: str,
) -> Field:
    low = msb if lsb is None else lsb
    return Field(name, _PAGE, byte, Kind.UINT, msb=msb, lsb=low, codes=codes, since=since, doc=doc)


def _byte(
    name: str,
    byte: int,
    *,
    scale: float = 1.0,
    unit: str = "",
    kind: Kind = Kind.UINT,
    length: int = 1,
    doc: str,
) -> Field:
    return Field(name, _PAGE, byte, kind, length, scale=scale, unit=unit, doc=doc)


FIELDS: tuple[Field, ...] = (
    _byte("ModuleInactiveFirmwareMajorRevision", 128, doc="of the image that does not run"),
    _byte("ModuleInactiveFirmwareMinorRevision", 129, doc="of the image that does not run"),
    _byte("ModuleHardwareMajorRevision", 130, doc="hardware revision X of X.Y"),
    _byte("ModuleHardwareMinorRevision", 131, doc="hardware revision Y of X.Y"),
    _bits("LengthMultiplierSMF", 132, 7, 6, codes="smf_length_multiplier", doc="of the base length, in km"),
    _bits("BaseLengthSMF", 132, 5, 0, doc="reach over single-mode fibre"),
    _byte("LengthOM5", 133, scale=2.0, unit="m", doc="reach over OM5"),
    _byte("LengthOM4", 134, scale=2.0, unit="m", doc="reach over OM4"),
    _byte("LengthOM3", 135, scale=2.0, unit="m", doc="reach over OM3"),
    _byte("LengthOM2", 136, unit="m", doc="reach over OM2"),
    _bits(
        "LengthMultiplierSMF2",
        137,
        7,
        6,
        codes="smf_length_multiplier_2",
        since="5.3",
        doc="in km, used with code 3 of LengthMultiplierSMF [uncertain: one source]",
    ),
    _byte("NominalWavelength", 138, length=2, scale=0.05, unit="nm", doc="nominal wavelength"),
    _byte("WavelengthTolerance", 140, length=2, scale=0.005, unit="nm", doc="plus or minus this, worst case"),
    _bits("NetworkPathPagesSupported", 142, 7, since="5.0", doc="pages 16h and 17h"),
    _bits("VDMPagesSupported", 142, 6, doc="pages 20h to 2Fh"),
    _bits("DiagnosticPagesSupported", 142, 5, doc="pages 13h and 14h"),
    _bits("CoherentPagesSupported", 142, 4, since="5.0", doc="pages of C-CMIS"),
    _bits("FormFactorPagesSupported", 142, 3, since="5.0", doc="form-factor specific pages"),
    _bits("Page03hSupported", 142, 2, doc="user EEPROM"),
    _bits("BanksSupported", 142, 1, 0, codes="banks", doc="banks of the banked pages"),
    _bits("ModSelWaitTimeExponent", 143, 7, 5, doc="wait is mantissa * 2**exponent us"),
    _bits("ModSelWaitTimeMantissa", 143, 4, 0, doc="wait is mantissa * 2**exponent us"),
    _bits("MaxDurationDPDeinit", 144, 7, 4, codes="duration", doc="longest DPDeinit"),
    _bits("MaxDurationDPInit", 144, 3, 0, codes="duration", doc="longest DPInit"),
    _bits("CoolingImplemented", 145, 7, doc="1: cooled transmitter"),
    _bits("TxInputClockingCapabilities", 145, 6, 5, doc="which lanes must share a clock"),
    _bits("ePPSSupported", 145, 4, doc="enhanced pulse per second"),
    _bits("TimingPage15hSupported", 145, 3, doc="page 15h"),
    _bits("Aux3MonObservable", 145, 2, codes="aux3", doc="what Aux3 is"),
    _bits("Aux2MonObservable", 145, 1, codes="aux2", doc="what Aux2 is"),
    _bits("Aux1MonObservable", 145, 0, codes="aux1", doc="what Aux1 is"),
    _byte(
        "ModuleTempMax",
        146,
        kind=Kind.SINT,
        unit="degC",
        doc="highest case temperature; 0 for both: not given",
    ),
    _byte(
        "ModuleTempMin",
        147,
        kind=Kind.SINT,
        unit="degC",
        doc="lowest case temperature; 0 for both: not given",
    ),
    _byte("PropagationDelay", 148, length=2, scale=10.0, unit="ns", doc="of an active or passive cable"),
    _byte("OperatingVoltageMin", 150, scale=0.02, unit="V", doc="lowest supply voltage; 0: not given"),
    _bits("OpticalDetectorType", 151, 7, codes="detector", doc="receiver"),
    _bits("RxOutputEqType", 151, 6, 5, doc="how the output amplitude behaves with equalisation"),
    _bits("RxPowerMeasurementType", 151, 4, codes="rx_power_type", doc="what RxPower measures"),
    _bits("RxLOSType", 151, 3, codes="rx_los_type", doc="what LOSFlagRx responds to"),
    _bits("RxLOSIsFast", 151, 2, doc="fast LOS"),
    _bits("TxDisableIsFast", 151, 1, doc="fast Tx disable"),
    _bits("TxDisableIsModuleWide", 151, 0, doc="Tx disable acts on all lanes together"),
    _byte("CDRPowerSavedPerLane", 152, scale=0.01, unit="W", doc="by bypassing a CDR"),
    _bits("RxOutputLevelSupported", 153, 7, 4, doc="bit n: amplitude code n"),
    _bits("TxInputEqMax", 153, 3, 0, doc="highest fixed equalisation code"),
    _bits("RxOutputEqPostCursorMax", 154, 7, 4, doc="highest post-cursor code"),
    _bits("RxOutputEqPreCursorMax", 154, 3, 0, doc="highest pre-cursor code"),
    _bits("WavelengthControlSupported", 155, 7, doc="wavelength control"),
    _bits("TransmitterIsTunable", 155, 6, doc="pages 04h and 12h"),
    _bits("SquelchMethodTx", 155, 5, 4, doc="0 none, 1 OMA, 2 average power, 3 selectable"),
    _bits("ForcedSquelchTxSupported", 155, 3, doc="10h:132"),
    _bits("AutoSquelchDisableTxSupported", 155, 2, doc="10h:131"),
    _bits("OutputDisableTxSupported", 155, 1, doc="10h:130"),
    _bits("InputPolarityFlipTxSupported", 155, 0, doc="10h:129"),
    _bits("BankBroadcastSupported", 156, 7, doc="lower:26.7"),
    _bits("AutoSquelchDisableRxSupported", 156, 2, doc="10h:139"),
    _bits("OutputDisableRxSupported", 156, 1, doc="10h:138"),
    _bits("OutputPolarityFlipRxSupported", 156, 0, doc="10h:137"),
    _bits("AdaptiveInputEqFailFlagTxSupported", 157, 3, doc="11h:138"),
    _bits("CDRLOLFlagTxSupported", 157, 2, doc="11h:137"),
    _bits("LOSFlagTxSupported", 157, 1, doc="11h:136"),
    _bits("FailureFlagTxSupported", 157, 0, doc="11h:135"),
    _bits("CDRLOLFlagRxSupported", 158, 2, doc="11h:148"),
    _bits("LOSFlagRxSupported", 158, 1, doc="11h:147"),
    _bits("CustomMonSupported", 159, 5, doc="lower:24-25"),
    _bits("Aux3MonSupported", 159, 4, doc="lower:22-23"),
    _bits("Aux2MonSupported", 159, 3, doc="lower:20-21"),
    _bits("Aux1MonSupported", 159, 2, doc="lower:18-19"),
    _bits("VccMonSupported", 159, 1, doc="lower:16-17"),
    _bits("TempMonSupported", 159, 0, doc="lower:14-15"),
    _bits(
        "TxBiasCurrentScalingFactor",
        160,
        4,
        3,
        codes="bias_multiplier",
        doc="multiplies TxBias and its thresholds",
    ),
    _bits("RxOpticalPowerMonSupported", 160, 2, doc="11h:186-201"),
    _bits("TxOpticalPowerMonSupported", 160, 1, doc="11h:154-169"),
    _bits("TxBiasMonSupported", 160, 0, doc="11h:170-185"),
    _bits("TxInputEqRecallBuffersSupported", 161, 6, 5, doc="buffers for store and recall"),
    _bits("TxInputEqFreezeSupported", 161, 4, doc="10h:134"),
    _bits("TxInputAdaptiveEqSupported", 161, 3, doc="10h:153"),
    _bits("TxInputEqHostControlSupported", 161, 2, doc="10h:156-159"),
    _bits("TxCDRBypassControlSupported", 161, 1, doc="10h:160"),
    _bits("TxCDRSupported", 161, 0, doc="there is a CDR at the host input"),
    _bits("UnidirectionalConfigSupported", 162, 6, since="5.0", doc="10h:176-177"),
    _bits("StagedControlSet1Supported", 162, 5, doc="10h:178-212"),
    _bits("RxOutputEqControlSupported", 162, 4, 3, doc="0 none, 1 pre, 2 post, 3 both"),
    _bits("RxOutputAmplitudeControlSupported", 162, 2, doc="10h:170-173"),
    _bits("RxCDRBypassControlSupported", 162, 1, doc="10h:161"),
    _bits("RxCDRSupported", 162, 0, doc="there is a CDR in the receiver"),
    _bits("CdbInstancesSupported", 163, 7, 6, doc="0: no CDB"),
    _bits("CdbBackgroundModeSupported", 163, 5, doc="the module answers while a command runs"),
    _bits("CdbAutoPagingSupported", 163, 4, doc="an access to EPL runs on to the next page"),
    _bits("CdbMaxPagesEPL", 163, 3, 0, codes="epl_pages", doc="pages A0h and up"),
    _byte("CdbReadWriteLengthExtension", 164, doc="k: 8 * (1 + k) bytes in one access"),
    _bits("CdbCommandTriggerMethod", 165, 7, doc="1: the STOP of any write that includes 9Fh:129"),
    _bits("CdbExtMaxBusyTime", 165, 4, 0, doc="T: max(1, T) * 160 ms"),
    _bits("CdbMaxBusySpecMethod", 166, 7, doc="0: CdbMaxBusyTime counts [uncertain: texts conflict]"),
    _bits("CdbMaxBusyTime", 166, 6, 0, doc="S: max(0, 80 - S) ms [uncertain: texts conflict]"),
    _bits("MaxDurationModulePwrDn", 167, 7, 4, codes="duration", doc="longest ModulePwrDn"),
    _bits("MaxDurationModulePwrUp", 167, 3, 0, codes="duration", doc="longest ModulePwrUp"),
    _bits("MaxDurationDPTxTurnOff", 168, 7, 4, codes="duration", doc="longest DPTxTurnOff"),
    _bits("MaxDurationDPTxTurnOn", 168, 3, 0, codes="duration", doc="longest DPTxTurnOn"),
    _bits("MaxDurationBPCExponent", 169, 3, 0, since="5.4", doc="page change takes at most 10 ms / 2**this"),
    *(
        Field(
            f"MediaLaneAssignmentOptionsApp{app_sel}",
            _PAGE,
            175 + app_sel,
            Kind.LANE_BITS,
            doc="media lanes on which this application may begin",
        )
        for app_sel in range(1, 16)
    ),
    *(
        field
        for app_sel in range(9, 16)
        for field in application_descriptor(app_sel, _PAGE, 223 + 4 * (app_sel - 9))
    ),
    _bits(
        "FullPageReadSupported", 251, 1, 0, since="5.4", doc="2: 128 bytes in one read [uncertain: or bit 4]"
    ),
    _byte("PageChecksum01h", 255, doc="low 8 bits of the sum of 130..254"),
)
