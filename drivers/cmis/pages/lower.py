"""Lower memory, bytes 0..127 (OIF-CMIS-05.4 §8.2)."""

from __future__ import annotations

from drivers.cmis.fields import Access, Field, Kind

_RO, _RW, _WO, _COR, _SC = Access.RO, Access.RW, Access.WO, Access.RO_COR, Access.RW_SC


def _bits(
    name: str,
    byte: int,
    msb: int,
    lsb: int | None = None,
    *,
    access: Access = _RO,
    codes: str | None = None,
    since: str = "4.0",
    doc: str = "",
) -> Field:
    low = msb if lsb is None else lsb
    return Field(name, 0, byte, Kind.UINT, msb=msb, lsb=low, access=access, codes=codes, since=since, doc=doc)


_MONITOR_SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")  # bit 0 first
_MONITOR_NIBBLES = (  # monitor, byte of its flags, its lowest bit
    ("TempMon", 9, 0),
    ("VccMon", 9, 4),
    ("Aux1Mon", 10, 0),
    ("Aux2Mon", 10, 4),
    ("Aux3Mon", 11, 0),
    ("CustomMon", 11, 4),
)
_STATE_FLAGS = (  # flags of byte 8
    ("ModuleStateChanged", 0, "4.0"),
    ("ModuleFirmwareError", 1, "4.0"),
    ("DataPathFirmwareError", 2, "4.0"),
    ("AbnormalFirmware", 3, "5.3"),
    ("CdbCmdComplete", 6, "4.0"),
    ("CdbCmdComplete", 7, "4.0"),
)
_MASK_OFFSET = 23  # masks of flag bytes 8..13 lie in 31..36


def _flags(byte_offset: int, suffix: str, access: Access) -> tuple[Field, ...]:
    state = tuple(
        _bits(
            f"{name}{suffix}{bit - 5 if bit >= 6 else ''}",
            8 + byte_offset,
            bit,
            access=access,
            since=since,
            doc=f"{name}, {'instance ' + str(bit - 5) if bit >= 6 else 'module level'}",
        )
        for name, bit, since in _STATE_FLAGS
    )
    monitors = tuple(
        _bits(
            f"{monitor}{side}{suffix}",
            byte + byte_offset,
            low + index,
            access=access,
            doc=f"{monitor} {side}",
        )
        for monitor, byte, low in _MONITOR_NIBBLES
        for index, side in enumerate(_MONITOR_SIDES)
    )
    return state + monitors


_FLAG_SUMMARIES = tuple(
    _bits(f"FlagSummary{part}Bank{bank}", 4 + bank, bit, doc=f"a flag is set on page {page} of bank {bank}")
    for bank in range(4)
    for part, bit, page in (
        ("Lanes", 0, "11h"),
        ("Laser", 1, "12h"),
        ("Diagnostics", 2, "14h"),
        ("VDM", 3, "2Ch"),
    )
)


def application_descriptor(app_sel: int, page: int, byte: int) -> tuple[Field, ...]:
    """Fields of the application descriptor of four bytes at ``page:byte``."""
    since = "4.0"
    return (
        Field(
            f"HostInterfaceIDApp{app_sel}",
            page,
            byte,
            Kind.UINT,
            codes="host_interface",
            since=since,
            doc="host interface, SFF-8024 Table 4-5; FFh ends the list",
        ),
        Field(
            f"MediaInterfaceIDApp{app_sel}",
            page,
            byte + 1,
            Kind.UINT,
            codes="media_interface",
            since=since,
            doc="media interface, in the SFF-8024 table that MediaType selects",
        ),
        Field(
            f"HostLaneCountApp{app_sel}",
            page,
            byte + 2,
            Kind.UINT,
            msb=7,
            lsb=4,
            doc="0: see the interface's definition",
        ),
        Field(
            f"MediaLaneCountApp{app_sel}",
            page,
            byte + 2,
            Kind.UINT,
            msb=3,
            lsb=0,
            doc="0: see the interface's definition",
        ),
        Field(
            f"HostLaneAssignmentOptionsApp{app_sel}",
            page,
            byte + 3,
            Kind.LANE_BITS,
            doc="host lanes on which a data path of this application may begin",
        ),
    )


FIELDS: tuple[Field, ...] = (
    Field("SFF8024Identifier", 0, 0, Kind.UINT, codes="identifier", doc="module type, SFF-8024 Table 4-1"),
    _bits("CmisRevisionMajor", 1, 7, 4, doc="CMIS revision X of X.Y"),
    _bits("CmisRevisionMinor", 1, 3, 0, doc="CMIS revision Y of X.Y"),
    _bits("MemoryModel", 2, 7, codes="memory_model", doc="1: flat, lower memory and page 00h only"),
    _bits("SteppedConfigOnly", 2, 6, since="5.0", doc="1: no intervention-free reconfiguration"),
    _bits("MciMaxSpeed", 2, 5, 2, codes="mci_speed", doc="fastest two-wire clock (CMIS 4.0: bits 3-2)"),
    _bits(
        "AutoCommissioning",
        2,
        1,
        0,
        since="5.0",
        doc="which commissioning triggers act in a stepped configuration",
    ),
    _bits(
        "ModuleState", 3, 3, 1, codes="module_state", doc="bits 7-4 are reserved, yet real modules set them"
    ),
    _bits("InterruptDeasserted", 3, 0, doc="0: IntL is asserted"),
    *_FLAG_SUMMARIES,
    *_flags(0, "Flag", _COR),
    Field("TempMonValue", 0, 14, Kind.SINT, 2, scale=1 / 256, unit="degC", doc="module temperature"),
    Field(
        "VccMonVoltage", 0, 16, Kind.UINT, 2, scale=1e-4, unit="V", doc="supply voltage, in steps of 100 uV"
    ),
    Field("Aux1MonValue", 0, 18, Kind.SINT, 2, doc="meaning by 01h:145.0"),
    Field("Aux2MonValue", 0, 20, Kind.SINT, 2, doc="meaning by 01h:145.1"),
    Field("Aux3MonValue", 0, 22, Kind.SINT, 2, doc="meaning by 01h:145.2"),
    Field("CustomMonValue", 0, 24, Kind.RAW, 2, doc="vendor's own"),
    _bits("BankBroadcastEnable", 26, 7, access=_RW, doc="writes to page 10h go to all banks"),
    _bits("LowPwrAllowRequestHW", 26, 6, access=_RW, doc="1 (default): the LPMode pin counts"),
    _bits("SquelchMethodSelect", 26, 5, access=_RW, doc="0: reduce OMA, 1: reduce average power"),
    _bits("LowPwrRequestSW", 26, 4, access=_RW, doc="1: request low power"),
    _bits("SoftwareReset", 26, 3, access=_SC, doc="1: reset the module"),
    Field(
        "MciSpeedConfiguration",
        0,
        27,
        Kind.UINT,
        access=_RW,
        since="5.4",
        doc="bus speed; bits not interpreted",
    ),
    *_flags(_MASK_OFFSET, "Mask", _RW),
    *(
        field
        for instance, byte in ((1, 37), (2, 38))
        for field in (
            _bits(f"CdbIsBusy{instance}", byte, 7, doc="a command is being executed"),
            _bits(f"CdbHasFailed{instance}", byte, 6, doc="the last command failed"),
            _bits(f"CdbCommandResult{instance}", byte, 5, 0, doc="result, in the table that bits 7-6 select"),
        )
    ),
    Field(
        "ModuleActiveFirmwareMajorRevision",
        0,
        39,
        Kind.UINT,
        doc="0.0: none reported, 255.255: invalid image",
    ),
    Field(
        "ModuleActiveFirmwareMinorRevision",
        0,
        40,
        Kind.UINT,
        doc="0.0: none reported, 255.255: invalid image",
    ),
    Field(
        "ModuleFaultCause",
        0,
        41,
        Kind.UINT,
        codes="fault_cause",
        since="5.0",
        doc="why the module is in ModuleFault",
    ),
    _bits("PasswordCommandResult", 42, 3, 0, since="5.4", doc="result of the last password command"),
    Field(
        "CmisSmSupport", 0, 56, Kind.UINT, since="5.4", doc="state machines supported; bits not interpreted"
    ),
    Field("ModuleFunctionType", 0, 57, Kind.UINT, since="5.4", doc="transmission or resource module"),
    Field("TransceiverSubtype", 0, 60, Kind.UINT, since="5.4", doc="SFF-8024 Table 4-11"),
    Field("FiberFaceType", 0, 61, Kind.UINT, since="5.4", doc="SFF-8024 Table 4-12"),
    Field("MediaType", 0, 85, Kind.UINT, codes="media_type", doc="selects the table of media interfaces"),
    *(
        field
        for app_sel in range(1, 9)
        for field in application_descriptor(app_sel, 0, 86 + 4 * (app_sel - 1))
    ),
    Field(
        "PasswordChangeEntryArea",
        0,
        118,
        Kind.RAW,
        4,
        access=_WO,
        doc="new password, in one write of four bytes",
    ),
    Field("PasswordEntryArea", 0, 122, Kind.RAW, 4, access=_WO, doc="password, in one write of four bytes"),
    Field(
        "BankSelect",
        0,
        126,
        Kind.UINT,
        access=_RW,
        doc="bank of the upper memory; write together with PageSelect",
    ),
    Field(
        "PageSelect",
        0,
        127,
        Kind.UINT,
        access=_RW,
        doc="page of the upper memory; an unsupported one reads back 0",
    ),
)
