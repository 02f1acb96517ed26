"""Every register's address, size and scale, typed in from OIF-CMIS-05.4 section 8 and not from the tables.

Host and simulated module share one set of tables, so a wrong address would go unseen between the two.

A line is ``page start type names``. ``start``: ``9`` or ``138-139`` bytes, ``1.7-4`` bits; with ``8.0+``
each name is the next bit, with ``128+2`` the next two bytes. ``type``: ``u`` unsigned, ``s`` signed, ``a``
text, ``x`` raw, ``l`` a bit for each lane, ``n`` a nibble for each lane; then bytes of one element, ``x8``
for an element for each of 8 lanes, ``f`` is F16, ``U`` little-endian, and ``*`` what a step is worth.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

import pytest

from drivers.cmis.fields import Access, Field, Kind
from drivers.cmis.memory_map import FIELDS

LOWER = """
lower 0        u SFF8024Identifier
lower 1.7-4    u CmisRevisionMajor
lower 1.3-0    u CmisRevisionMinor
lower 2.7      u MemoryModel
lower 2.6      u SteppedConfigOnly
lower 2.5-2    u MciMaxSpeed
lower 2.1-0    u AutoCommissioning
lower 3.3-1    u ModuleState
lower 3.0      u InterruptDeasserted
lower 4.0+     u FlagSummaryLanesBank0 FlagSummaryLaserBank0 FlagSummaryDiagnosticsBank0 FlagSummaryVDMBank0
lower 5.0+     u FlagSummaryLanesBank1 FlagSummaryLaserBank1 FlagSummaryDiagnosticsBank1 FlagSummaryVDMBank1
lower 6.0+     u FlagSummaryLanesBank2 FlagSummaryLaserBank2 FlagSummaryDiagnosticsBank2 FlagSummaryVDMBank2
lower 7.0+     u FlagSummaryLanesBank3 FlagSummaryLaserBank3 FlagSummaryDiagnosticsBank3 FlagSummaryVDMBank3
lower 8.0+     u ModuleStateChangedFlag ModuleFirmwareErrorFlag DataPathFirmwareErrorFlag AbnormalFirmwareFlag
lower 8.6+     u CdbCmdCompleteFlag1 CdbCmdCompleteFlag2
lower 9.0+     u TempMonHighAlarmFlag TempMonLowAlarmFlag TempMonHighWarningFlag TempMonLowWarningFlag
lower 9.4+     u VccMonHighAlarmFlag VccMonLowAlarmFlag VccMonHighWarningFlag VccMonLowWarningFlag
lower 10.0+    u Aux1MonHighAlarmFlag Aux1MonLowAlarmFlag Aux1MonHighWarningFlag Aux1MonLowWarningFlag
lower 10.4+    u Aux2MonHighAlarmFlag Aux2MonLowAlarmFlag Aux2MonHighWarningFlag Aux2MonLowWarningFlag
lower 11.0+    u Aux3MonHighAlarmFlag Aux3MonLowAlarmFlag Aux3MonHighWarningFlag Aux3MonLowWarningFlag
lower 11.4+    u CustomMonHighAlarmFlag CustomMonLowAlarmFlag CustomMonHighWarningFlag CustomMonLowWarningFlag
lower 14-15    s2*1/256 TempMonValue
lower 16-17    u2*1/10000 VccMonVoltage
lower 18+2     s2 Aux1MonValue Aux2MonValue Aux3MonValue
lower 24-25    x2 CustomMonValue
lower 26.3+    u SoftwareReset LowPwrRequestSW SquelchMethodSelect LowPwrAllowRequestHW BankBroadcastEnable
lower 27       u MciSpeedConfiguration
lower 31.0+    u ModuleStateChangedMask ModuleFirmwareErrorMask DataPathFirmwareErrorMask AbnormalFirmwareMask
lower 31.6+    u CdbCmdCompleteMask1 CdbCmdCompleteMask2
lower 32.0+    u TempMonHighAlarmMask TempMonLowAlarmMask TempMonHighWarningMask TempMonLowWarningMask
lower 32.4+    u VccMonHighAlarmMask VccMonLowAlarmMask VccMonHighWarningMask VccMonLowWarningMask
lower 33.0+    u Aux1MonHighAlarmMask Aux1MonLowAlarmMask Aux1MonHighWarningMask Aux1MonLowWarningMask
lower 33.4+    u Aux2MonHighAlarmMask Aux2MonLowAlarmMask Aux2MonHighWarningMask Aux2MonLowWarningMask
lower 34.0+    u Aux3MonHighAlarmMask Aux3MonLowAlarmMask Aux3MonHighWarningMask Aux3MonLowWarningMask
lower 34.4+    u CustomMonHighAlarmMask CustomMonLowAlarmMask CustomMonHighWarningMask CustomMonLowWarningMask
lower 37.7     u CdbIsBusy1
lower 37.6     u CdbHasFailed1
lower 37.5-0   u CdbCommandResult1
lower 38.7     u CdbIsBusy2
lower 38.6     u CdbHasFailed2
lower 38.5-0   u CdbCommandResult2
lower 39+1     u ModuleActiveFirmwareMajorRevision ModuleActiveFirmwareMinorRevision ModuleFaultCause
lower 42.3-0   u PasswordCommandResult
lower 56+1     u CmisSmSupport ModuleFunctionType
lower 60+1     u TransceiverSubtype FiberFaceType
lower 85       u MediaType
lower 118+4    x4 PasswordChangeEntryArea PasswordEntryArea
lower 126+1    u BankSelect PageSelect
"""

PAGE_00H = """
00h 128        u SFF8024IdentifierCopy
00h 129-144    a16 VendorName
00h 145-147    x3 VendorOUI
00h 148-163    a16 VendorPN
00h 164-165    a2 VendorRev
00h 166-181    a16 VendorSN
00h 182-189    a8 DateCode
00h 190-199    a10 CLEICode
00h 200.7-5    u ModulePowerClass
00h 201        u*1/4 MaxPower
00h 202.7-6    u CableAssemblyLengthMultiplier
00h 202.5-0    u CableAssemblyLengthBase
00h 203        u ConnectorType
00h 204+1      u CopperAttenuationAt5GHz CopperAttenuationAt7GHz CopperAttenuationAt12p9GHz
00h 207+1      u CopperAttenuationAt25p8GHz CopperAttenuationAt53p1GHz
00h 210        l MediaLaneUnsupported
00h 211+1      u FarEndConfiguration MediaInterfaceTechnology
00h 222        u PageChecksum00h
00h 223-255    x33 Custom00h
"""

PAGE_01H = """
01h 128+1      u ModuleInactiveFirmwareMajorRevision ModuleInactiveFirmwareMinorRevision
01h 130+1      u ModuleHardwareMajorRevision ModuleHardwareMinorRevision
01h 132.7-6    u LengthMultiplierSMF
01h 132.5-0    u BaseLengthSMF
01h 133+1      u*2 LengthOM5 LengthOM4 LengthOM3
01h 136        u LengthOM2
01h 137.7-6    u LengthMultiplierSMF2
01h 138-139    u2*1/20 NominalWavelength
01h 140-141    u2*1/200 WavelengthTolerance
01h 142.2+     u Page03hSupported FormFactorPagesSupported CoherentPagesSupported DiagnosticPagesSupported
01h 142.6+     u VDMPagesSupported NetworkPathPagesSupported
01h 142.1-0    u BanksSupported
01h 143.7-5    u ModSelWaitTimeExponent
01h 143.4-0    u ModSelWaitTimeMantissa
01h 144.7-4    u MaxDurationDPDeinit
01h 144.3-0    u MaxDurationDPInit
01h 145.0+     u Aux1MonObservable Aux2MonObservable Aux3MonObservable TimingPage15hSupported ePPSSupported
01h 145.6-5    u TxInputClockingCapabilities
01h 145.7      u CoolingImplemented
01h 146+1      s ModuleTempMax ModuleTempMin
01h 148-149    u2*10 PropagationDelay
01h 150        u*1/50 OperatingVoltageMin
01h 151.0+     u TxDisableIsModuleWide TxDisableIsFast RxLOSIsFast RxLOSType RxPowerMeasurementType
01h 151.6-5    u RxOutputEqType
01h 151.7      u OpticalDetectorType
01h 152        u*1/100 CDRPowerSavedPerLane
01h 153.7-4    u RxOutputLevelSupported
01h 153.3-0    u TxInputEqMax
01h 154.7-4    u RxOutputEqPostCursorMax
01h 154.3-0    u RxOutputEqPreCursorMax
01h 155.0+     u InputPolarityFlipTxSupported OutputDisableTxSupported AutoSquelchDisableTxSupported
01h 155.3      u ForcedSquelchTxSupported
01h 155.5-4    u SquelchMethodTx
01h 155.6+     u TransmitterIsTunable WavelengthControlSupported
01h 156.0+     u OutputPolarityFlipRxSupported OutputDisableRxSupported AutoSquelchDisableRxSupported
01h 156.7      u BankBroadcastSupported
01h 157.0+     u FailureFlagTxSupported LOSFlagTxSupported CDRLOLFlagTxSupported
01h 157.3      u AdaptiveInputEqFailFlagTxSupported
01h 158.1+     u LOSFlagRxSupported CDRLOLFlagRxSupported
01h 159.0+     u TempMonSupported VccMonSupported Aux1MonSupported Aux2MonSupported Aux3MonSupported
01h 159.5      u CustomMonSupported
01h 160.0+     u TxBiasMonSupported TxOpticalPowerMonSupported RxOpticalPowerMonSupported
01h 160.4-3    u TxBiasCurrentScalingFactor
01h 161.0+     u TxCDRSupported TxCDRBypassControlSupported TxInputEqHostControlSupported
01h 161.3+     u TxInputAdaptiveEqSupported TxInputEqFreezeSupported
01h 161.6-5    u TxInputEqRecallBuffersSupported
01h 162.0+     u RxCDRSupported RxCDRBypassControlSupported RxOutputAmplitudeControlSupported
01h 162.4-3    u RxOutputEqControlSupported
01h 162.5+     u StagedControlSet1Supported UnidirectionalConfigSupported
01h 163.7-6    u CdbInstancesSupported
01h 163.5      u CdbBackgroundModeSupported
01h 163.4      u CdbAutoPagingSupported
01h 163.3-0    u CdbMaxPagesEPL
01h 164        u CdbReadWriteLengthExtension
01h 165.7      u CdbCommandTriggerMethod
01h 165.4-0    u CdbExtMaxBusyTime
01h 166.7      u CdbMaxBusySpecMethod
01h 166.6-0    u CdbMaxBusyTime
01h 167.7-4    u MaxDurationModulePwrDn
01h 167.3-0    u MaxDurationModulePwrUp
01h 168.7-4    u MaxDurationDPTxTurnOff
01h 168.3-0    u MaxDurationDPTxTurnOn
01h 169.3-0    u MaxDurationBPCExponent
01h 251.1-0    u FullPageReadSupported
01h 255        u PageChecksum01h
"""

PAGE_02H = """
02h 128+2 s2*1/256   TempMonHighAlarmThreshold TempMonLowAlarmThreshold
02h 132+2 s2*1/256   TempMonHighWarningThreshold TempMonLowWarningThreshold
02h 136+2 u2*1/10000 VccMonHighAlarmThreshold VccMonLowAlarmThreshold
02h 140+2 u2*1/10000 VccMonHighWarningThreshold VccMonLowWarningThreshold
02h 144+2 s2 Aux1MonHighAlarmThreshold Aux1MonLowAlarmThreshold
02h 148+2 s2 Aux1MonHighWarningThreshold Aux1MonLowWarningThreshold
02h 152+2 s2 Aux2MonHighAlarmThreshold Aux2MonLowAlarmThreshold
02h 156+2 s2 Aux2MonHighWarningThreshold Aux2MonLowWarningThreshold
02h 160+2 s2 Aux3MonHighAlarmThreshold Aux3MonLowAlarmThreshold
02h 164+2 s2 Aux3MonHighWarningThreshold Aux3MonLowWarningThreshold
02h 168+2 x2 CustomMonHighAlarmThreshold CustomMonLowAlarmThreshold
02h 172+2 x2 CustomMonHighWarningThreshold CustomMonLowWarningThreshold
02h 176+2 u2*1/10000000 TxPowerHighAlarmThreshold TxPowerLowAlarmThreshold
02h 180+2 u2*1/10000000 TxPowerHighWarningThreshold TxPowerLowWarningThreshold
02h 184+2 u2*2/1000 TxBiasHighAlarmThreshold TxBiasLowAlarmThreshold
02h 188+2 u2*2/1000 TxBiasHighWarningThreshold TxBiasLowWarningThreshold
02h 192+2 u2*1/10000000 RxPowerHighAlarmThreshold RxPowerLowAlarmThreshold
02h 196+2 u2*1/10000000 RxPowerHighWarningThreshold RxPowerLowWarningThreshold
02h 255   u PageChecksum02h
"""

PAGE_10H = """
10h 128+1       l DPDeinit InputPolarityFlipTx OutputDisableTx AutoSquelchDisableTx OutputSquelchForceTx
10h 134         l AdaptiveInputEqFreezeTx
10h 135-136     x2 AdaptiveInputEqStoreTx
10h 137+1       l OutputPolarityFlipRx OutputDisableRx AutoSquelchDisableRx
10h 143+1       l ApplyDPInit ApplyImmediate
10h 145-152     ux8 SCS0_DPConfig
10h 145-152.7-4 ux8 SCS0_AppSel
10h 145-152.3-1 ux8 SCS0_DataPathID
10h 145-152.0   ux8 SCS0_ExplicitControl
10h 153         l SCS0_AdaptiveInputEqEnableTx
10h 154-155     x2 SCS0_AdaptiveInputEqRecallTx
10h 156-159     n SCS0_FixedInputEqTargetTx
10h 160+1       l SCS0_CDREnableTx SCS0_CDREnableRx
10h 162-165     n SCS0_OutputEqPreCursorTargetRx
10h 166-169     n SCS0_OutputEqPostCursorTargetRx
10h 170-173     n SCS0_OutputAmplitudeTargetRx
10h 176+1       l ApplyImmediateTx ApplyImmediateRx
10h 178+1       l SCS1_ApplyDPInit SCS1_ApplyImmediate
10h 180-187     ux8 SCS1_DPConfig
10h 180-187.7-4 ux8 SCS1_AppSel
10h 180-187.3-1 ux8 SCS1_DataPathID
10h 180-187.0   ux8 SCS1_ExplicitControl
10h 188         l SCS1_AdaptiveInputEqEnableTx
10h 189-190     x2 SCS1_AdaptiveInputEqRecallTx
10h 191-194     n SCS1_FixedInputEqTargetTx
10h 195+1       l SCS1_CDREnableTx SCS1_CDREnableRx
10h 197-200     n SCS1_OutputEqPreCursorTargetRx
10h 201-204     n SCS1_OutputEqPostCursorTargetRx
10h 205-208     n SCS1_OutputAmplitudeTargetRx
10h 213+1       l DPStateChangedMask FailureMaskTx LOSMaskTx CDRLOLMaskTx AdaptiveInputEqFailMaskTx
10h 218+1       l OpticalPowerHighAlarmMaskTx OpticalPowerLowAlarmMaskTx
10h 220+1       l OpticalPowerHighWarningMaskTx OpticalPowerLowWarningMaskTx
10h 222+1       l LaserBiasHighAlarmMaskTx LaserBiasLowAlarmMaskTx
10h 224+1       l LaserBiasHighWarningMaskTx LaserBiasLowWarningMaskTx
10h 226+1       l LOSMaskRx CDRLOLMaskRx OpticalPowerHighAlarmMaskRx OpticalPowerLowAlarmMaskRx
10h 230+1       l OpticalPowerHighWarningMaskRx OpticalPowerLowWarningMaskRx OutputStatusChangedMaskRx
10h 240-255     x16 Custom10h
"""

# Bytes 214-234 are the staged set's order again; how CMIS itself divides them is not certain.
PAGE_11H = """
11h 128-131     n DPStateHostLane
11h 132+1       l OutputStatusRx OutputStatusTx
11h 134+1       l DPStateChangedFlag FailureFlagTx LOSFlagTx CDRLOLFlagTx AdaptiveInputEqFailFlagTx
11h 139+1       l OpticalPowerHighAlarmFlagTx OpticalPowerLowAlarmFlagTx
11h 141+1       l OpticalPowerHighWarningFlagTx OpticalPowerLowWarningFlagTx
11h 143+1       l LaserBiasHighAlarmFlagTx LaserBiasLowAlarmFlagTx
11h 145+1       l LaserBiasHighWarningFlagTx LaserBiasLowWarningFlagTx
11h 147+1       l LOSFlagRx CDRLOLFlagRx OpticalPowerHighAlarmFlagRx OpticalPowerLowAlarmFlagRx
11h 151+1       l OpticalPowerHighWarningFlagRx OpticalPowerLowWarningFlagRx OutputStatusChangedFlagRx
11h 154-169     u2x8*1/10000000 TxPower
11h 170-185     u2x8*2/1000 TxBias
11h 186-201     u2x8*1/10000000 RxPower
11h 202-205     n ConfigStatus
11h 206-213     ux8 ACS_DPConfig
11h 206-213.7-4 ux8 ACS_AppSel
11h 206-213.3-1 ux8 ACS_DataPathID
11h 206-213.0   ux8 ACS_ExplicitControl
11h 214         l ACS_AdaptiveInputEqEnableTx
11h 215-216     x2 ACS_AdaptiveInputEqRecallTx
11h 217-220     n ACS_FixedInputEqTargetTx
11h 221+1       l ACS_CDREnableTx ACS_CDREnableRx
11h 223-226     n ACS_OutputEqPreCursorTargetRx
11h 227-230     n ACS_OutputEqPostCursorTargetRx
11h 231-234     n ACS_OutputAmplitudeTargetRx
11h 235         l DPInitPending
11h 240-247     ux8 MediaLaneMappingTx
11h 248-255     ux8 MediaLaneMappingRx
"""


PAGE_03H = "03h 128-255 x128 UserEEPROM"

PAGE_04H = """
04h 128.0+  u GridSupported3p125GHz GridSupported6p25GHz GridSupported12p5GHz GridSupported25GHz
04h 128.4+  u GridSupported50GHz GridSupported100GHz GridSupported33GHz GridSupported75GHz
04h 129.5+  u GridSupported300GHz GridSupported150GHz FineTuningSupported
04h 130+2   s2 LowChannel3p125GHz HighChannel3p125GHz LowChannel6p25GHz HighChannel6p25GHz
04h 138+2   s2 LowChannel12p5GHz HighChannel12p5GHz LowChannel25GHz HighChannel25GHz
04h 146+2   s2 LowChannel50GHz HighChannel50GHz LowChannel100GHz HighChannel100GHz
04h 154+2   s2 LowChannel33GHz HighChannel33GHz LowChannel75GHz HighChannel75GHz
04h 162+2   s2 LowChannel150GHz HighChannel150GHz LowChannel300GHz HighChannel300GHz
04h 190-191 u2*1/1000 FineTuningResolution
04h 192+2   s2*1/1000 FineTuningLowOffset FineTuningHighOffset
04h 196.7   u ProgOutputPowerPerLaneSupported
04h 198+2   s2*1/100 ProgOutputPowerMin ProgOutputPowerMax
04h 255     u PageChecksum04h
"""

PAGE_12H = """
12h 128-135.7-4 ux8 GridSpacingTx
12h 128-135.0   ux8 FineTuningEnableTx
12h 136-151     s2x8 ChannelNumberTx
12h 152-167     s2x8 FineTuningOffsetTx
12h 168-199     u4x8 CurrentLaserFrequencyTx
12h 200-215     s2x8*1/100 TargetOutputPowerTx
12h 222-229.0   ux8 WavelengthIsUnlockedTx
12h 222-229.1   ux8 TuningInProgressTx
12h 230         l LaserTuningFlagSummaryTx
12h 231-238.0   ux8 TuningCompleteFlagTx
12h 231-238.1   ux8 WavelengthUnlockedFlagTx
12h 231-238.2   ux8 InvalidChannelFlagTx
12h 231-238.3   ux8 TuningNotAcceptedFlagTx
12h 231-238.4   ux8 FineTuningOutOfRangeFlagTx
12h 231-238.5   ux8 TargetOutputPowerOutOfRangeFlagTx
12h 239-246.0   ux8 TuningCompleteMaskTx
12h 239-246.1   ux8 WavelengthUnlockedMaskTx
12h 239-246.2   ux8 InvalidChannelMaskTx
12h 239-246.3   ux8 TuningNotAcceptedMaskTx
12h 239-246.4   ux8 FineTuningOutOfRangeMaskTx
12h 239-246.5   ux8 TargetOutputPowerOutOfRangeMaskTx
"""

# Bits of 129 and the masks' order are not certain.
PAGE_13H = """
13h 128.0+  u MediaSideOutputLoopbackSupported MediaSideInputLoopbackSupported
13h 128.2+  u HostSideOutputLoopbackSupported HostSideInputLoopbackSupported
13h 128.4+  u PerLaneHostLoopbacksSupported PerLaneMediaLoopbacksSupported
13h 128.6   u SimultaneousHostAndMediaLoopbacksSupported
13h 129.2+  u AutoRestartGatingSupported PerLaneGatingTimersSupported
13h 129.4+  u PeriodicUpdatesSupported GatingResultsSupported
13h 129.7-6 u GatingSupported
13h 130.0+  u BitErrorRatioResultsSupported BitsAndErrorsCountingSupported
13h 130.4+  u HostSideInputSNRSupported MediaSideInputSNRSupported HostSideFECSupported MediaSideFECSupported
13h 131.0+  u HostSideCheckerPostFECSupported HostSideCheckerPreFECSupported
13h 131.2+  u HostSideGeneratorPostFECSupported HostSideGeneratorPreFECSupported
13h 131.4+  u MediaSideCheckerPostFECSupported MediaSideCheckerPreFECSupported
13h 131.6+  u MediaSideGeneratorPostFECSupported MediaSideGeneratorPreFECSupported
13h 132+2   U2 HostSideGeneratorPatterns MediaSideGeneratorPatterns
13h 136+2   U2 HostSideCheckerPatterns MediaSideCheckerPatterns
13h 140.7-4 u GeneratorClockCapabilities
13h 140.3-0 u UserPatternLengthCode
13h 141.7-0 u HostSidePatternFeatures
13h 142.7-0 u MediaSidePatternFeatures
13h 144+1   l HostSideGeneratorEnable HostSideGeneratorDataInvert HostSideGeneratorByteSwap
13h 147     l HostSideGeneratorPreFEC
13h 148-151 n HostSideGeneratorPatternSelect
13h 152+1   l MediaSideGeneratorEnable MediaSideGeneratorDataInvert MediaSideGeneratorByteSwap
13h 155     l MediaSideGeneratorPreFEC
13h 156-159 n MediaSideGeneratorPatternSelect
13h 160+1   l HostSideCheckerEnable HostSideCheckerDataInvert HostSideCheckerByteSwap
13h 163     l HostSideCheckerPostFEC
13h 164-167 n HostSideCheckerPatternSelect
13h 168+1   l MediaSideCheckerEnable MediaSideCheckerDataInvert MediaSideCheckerByteSwap
13h 171     l MediaSideCheckerPostFEC
13h 172-175 n MediaSideCheckerPatternSelect
13h 176.7-4 u HostSideGeneratorClockSource
13h 176.3-0 u MediaSideGeneratorClockSource
13h 177.7   u StartStopIsGlobal
13h 177.5   u ResetErrorInformation
13h 177.4   u AutoRestartGating
13h 177.3-1 u MeasurementTime
13h 177.0   u UpdatePeriodSelect
13h 178-179 u2 CheckerClockSource
13h 180+1   l MediaSideOutputLoopbackEnable MediaSideInputLoopbackEnable
13h 182+1   l HostSideOutputLoopbackEnable HostSideInputLoopbackEnable
13h 184-191 x8 DiagnosticsScratchpad
13h 206.7   u LossOfReferenceClockMask
13h 208+1   l GatingCompleteMaskHost GatingCompleteMaskMedia
13h 210+1   l PatternGeneratorLOLMaskHost PatternGeneratorLOLMaskMedia
13h 212+1   l PatternCheckerLOLMaskHost PatternCheckerLOLMaskMedia
13h 224-255 x32 UserPattern
"""

PAGE_14H = """
14h 128     u DiagnosticsSelector
14h 132.7   u LossOfReferenceClockFlag
14h 134+1   l GatingCompleteFlagHost GatingCompleteFlagMedia
14h 136+1   l PatternGeneratorLOLFlagHost PatternGeneratorLOLFlagMedia
14h 138+1   l PatternCheckerLOLFlagHost PatternCheckerLOLFlagMedia
14h 192-255 x64 DiagnosticsData
14h 192-207 f2x8 BitErrorRatioHost
14h 208-223 f2x8 BitErrorRatioMedia
14h 192-255 U8x8 ErrorAndBitCounters
14h 208-223 U2x8*1/256 SNRHost
14h 240-255 U2x8*1/256 SNRMedia
"""

VDM = """
20h 128-255 u2x64 VDMDescriptorsGroup1
21h 128-255 u2x64 VDMDescriptorsGroup2
22h 128-255 u2x64 VDMDescriptorsGroup3
23h 128-255 u2x64 VDMDescriptorsGroup4
24h 128-255 u2x64 VDMSamplesGroup1
25h 128-255 u2x64 VDMSamplesGroup2
26h 128-255 u2x64 VDMSamplesGroup3
27h 128-255 u2x64 VDMSamplesGroup4
28h 128-255 u2x64 VDMThresholdsGroup1
29h 128-255 u2x64 VDMThresholdsGroup2
2Ah 128-255 u2x64 VDMThresholdsGroup3
2Bh 128-255 u2x64 VDMThresholdsGroup4
2Ch 128-159 nx64 VDMFlagsGroup1
2Ch 160-191 nx64 VDMFlagsGroup2
2Ch 192-223 nx64 VDMFlagsGroup3
2Ch 224-255 nx64 VDMFlagsGroup4
2Dh 128-159 nx64 VDMMasksGroup1
2Dh 160-191 nx64 VDMMasksGroup2
2Dh 192-223 nx64 VDMMasksGroup3
2Dh 224-255 nx64 VDMMasksGroup4
2Fh 128.1-0 u VDMGroupsSupported
2Fh 129-130 u2*1/10000 VDMFineIntervalLength
2Fh 144.6+  u VDMPowerSavingMode VDMFreezeRequest
2Fh 145.6+  u VDMUnfreezeDone VDMFreezeDone
"""

CDB = """
9Fh 128+2   u2 CdbCommandID CdbEPLLength
9Fh 132+1   u CdbLPLLength CdbChkCode CdbRPLLength CdbRPLChkCode
9Fh 136-255 x120 CdbLPL
""" + "\n".join(f"{0x9F + n:02X}h 128-255 x128 CdbEPLPage{n}" for n in range(1, 17))


def _applications() -> str:
    """Descriptors of four bytes: 1..8 from lower:86, 9..15 from 01h:223; media lanes from 01h:176."""
    lines = []
    for number in range(1, 16):
        page, byte = ("lower", 86 + 4 * (number - 1)) if number <= 8 else ("01h", 223 + 4 * (number - 9))
        lines += [
            f"{page} {byte}+1 u HostInterfaceIDApp{number} MediaInterfaceIDApp{number}",
            f"{page} {byte + 2}.7-4 u HostLaneCountApp{number}",
            f"{page} {byte + 2}.3-0 u MediaLaneCountApp{number}",
            f"{page} {byte + 3} l HostLaneAssignmentOptionsApp{number}",
            f"01h {175 + number} l MediaLaneAssignmentOptionsApp{number}",
        ]
    return "\n".join(lines)


class Expected(NamedTuple):
    where: str
    kind: Kind
    length: int
    lanes: int
    scale: float
    little_endian: bool


_KINDS = {
    "u": Kind.UINT,
    "s": Kind.SINT,
    "a": Kind.ASCII,
    "x": Kind.RAW,
    "l": Kind.LANE_BITS,
    "n": Kind.LANE_NIBBLES,
    "f": Kind.F16,
    "U": Kind.UINT,
}


def _rows(table: str) -> dict[str, Expected]:
    rows: dict[str, Expected] = {}
    for line in filter(None, table.splitlines()):
        page, start, form, *names = line.split()
        kind, length, lanes, step = re.fullmatch(r"(.)(\d*)(?:x(\d+))?(?:\*(.+))?", form).groups()  # type: ignore[union-attr]
        for index, name in enumerate(names):
            where = start
            if start.endswith(".0+") or re.fullmatch(r"\d+\.\d\+", start):
                byte, bit = start[:-1].split(".")
                where = f"{byte}.{int(bit) + index}"
            elif "+" in start:
                first, size = map(int, start.split("+"))
                first += size * index
                where = str(first) if size == 1 else f"{first}-{first + size - 1}"
            assert name not in rows, name
            rows[name] = Expected(
                f"{page}:{where}",
                _KINDS[kind],
                int(length or 1),
                int(lanes or (8 if kind == "n" else 1)),
                float(Fraction(step or 1)),
                kind == "U",
            )
    return rows


_PAGES = (LOWER, PAGE_00H, PAGE_01H, PAGE_02H, PAGE_03H, PAGE_04H, PAGE_10H, PAGE_11H, PAGE_12H, PAGE_13H)
EXPECTED = _rows("\n".join((*_PAGES, PAGE_14H, VDM, CDB, _applications())))


def test_the_table_covers_every_field() -> None:
    assert EXPECTED.keys() == FIELDS.keys()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_field_lies_where_cmis_puts_it(name: str) -> None:
    field: Field = FIELDS[name]
    lanes = 1 if field.kind is Kind.LANE_BITS else field.lanes
    found = Expected(field.where, field.kind, field.length, lanes, field.scale, field.little_endian)
    assert found[:4] == EXPECTED[name][:4]
    assert found.scale == pytest.approx(EXPECTED[name].scale, rel=1e-12)
    assert field.offset == (1.0 if name == "ModulePowerClass" else 0.0)  # code 0 is class 1
    assert found.little_endian == EXPECTED[name].little_endian


def _bytes_of(*accesses: Access) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for field in FIELDS.values():
        if field.access in accesses:
            page = field.where.split(":")[0]
            found.setdefault(page, set()).update(range(field.byte, field.byte + field.size))
    return found


_UPPER = set(range(128, 256))


def test_the_host_may_do_what_cmis_says() -> None:
    assert _bytes_of(Access.RO_COR) == {
        "lower": {8, 9, 10, 11},
        "11h": set(range(134, 154)),
        "12h": set(range(231, 239)),
        "14h": {132, *range(134, 140)},
        "2Ch": _UPPER,
    }
    assert _bytes_of(Access.WO) == {
        "lower": set(range(118, 126)),
        "10h": {135, 136, 143, 144, 176, 177, 178, 179},
    }
    assert _bytes_of(Access.RW_SC) == {"lower": {26}}
    writable = _bytes_of(Access.RW)
    assert writable["lower"] == {26, 27, 31, 32, 33, 34, 126, 127}
    assert writable["10h"] == (
        {*range(128, 133), 134, 137, 138, 139}
        | set(range(145, 174))
        | set(range(180, 209))
        | set(range(213, 233))
        | set(range(240, 256))
    )
    assert writable["12h"] == {*range(128, 168), *range(200, 216), *range(239, 247)}
    assert writable["13h"] == {*range(144, 192), 206, *range(208, 214), *range(224, 256)}
    assert writable["14h"] == {128}
    assert writable["2Fh"] == {144}
    assert writable["9Fh"] == _UPPER - {134, 135}
    whole_pages = {"03h", "2Dh", *(f"{page:02X}h" for page in range(0xA0, 0xB0))}
    assert all(writable[page] == _UPPER for page in whole_pages)
    assert writable.keys() == {"lower", "10h", "12h", "13h", "14h", "2Fh", "9Fh"} | whole_pages
    assert all(field.banked == (field.page >= 0x10) for field in FIELDS.values())
