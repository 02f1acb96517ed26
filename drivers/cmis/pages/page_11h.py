"""Page 11h, lane status (OIF-CMIS-05.4 §8.10). Banked: 8 lanes in each bank."""

from __future__ import annotations

from drivers.cmis.fields import LANES, Access, Field, Kind

_PAGE = 0x11

LATCHED: tuple[tuple[str, int, str], ...] = (
    ("DPStateChanged", 134, "a data path reached a steady state"),
    ("FailureTx", 135, "transmitter failed"),
    ("LOSTx", 136, "no signal at the host input"),
    ("CDRLOLTx", 137, "CDR of the host input lost its lock"),
    ("AdaptiveInputEqFailTx", 138, "adaptive equaliser of the host input failed"),
    *(
        (f"{monitor}{side}{direction}", first + index, f"{monitor} beyond its {side} threshold")
        for monitor, direction, first in (("OpticalPower", "Tx", 139), ("LaserBias", "Tx", 143))
        for index, side in enumerate(("HighAlarm", "LowAlarm", "HighWarning", "LowWarning"))
    ),
    ("LOSRx", 147, "no light at the receiver"),
    ("CDRLOLRx", 148, "CDR of the receiver lost its lock"),
    *(
        (f"OpticalPower{side}Rx", 149 + index, f"OpticalPower beyond its {side} threshold")
        for index, side in enumerate(("HighAlarm", "LowAlarm", "HighWarning", "LowWarning"))
    ),
    ("OutputStatusChangedRx", 153, "an output of the receiver became valid or invalid"),
)
"""Latched lane flags: (name without ``Flag``, byte, meaning)."""


def latched_name(name: str, word: str) -> str:
    """CMIS puts ``Flag`` or ``Mask`` before the direction: ``LOSFlagTx``, ``DPStateChangedFlag``."""
    for direction in ("Tx", "Rx"):
        if name.endswith(direction):
            return f"{name.removesuffix(direction)}{word}{direction}"
    return f"{name}{word}"


def data_path_config(prefix: str, page: int, byte: int, access: Access) -> tuple[Field, ...]:
    """The 8 bytes of DPConfig of a control set at ``page:byte``, whole and by their parts."""

    def part(name: str, msb: int | None, lsb: int | None, doc: str) -> Field:
        return Field(
            f"{prefix}_{name}",
            page,
            byte,
            Kind.UINT,
            msb=msb,
            lsb=lsb,
            lanes=LANES,
            access=access,
            banked=True,
            doc=doc,
        )

    return (
        part("DPConfig", None, None, "AppSel, DataPathID and ExplicitControl of each host lane"),
        part("AppSel", 7, 4, "application, 0: the lane is unused"),
        part("DataPathID", 3, 1, "lowest host lane of the data path, less one"),
        part("ExplicitControl", 0, 0, "1: signal integrity as staged, 0: as the application has it"),
    )


def signal_integrity(prefix: str, page: int, byte: int, access: Access) -> tuple[Field, ...]:
    """The 21 bytes of signal integrity settings of a control set at ``page:byte``."""

    def bits(name: str, offset: int, doc: str) -> Field:
        return Field(
            f"{prefix}_{name}",
            page,
            byte + offset,
            Kind.LANE_BITS,
            lanes=LANES,
            access=access,
            banked=True,
            doc=doc,
        )

    def nibbles(name: str, offset: int, doc: str) -> Field:
        return Field(
            f"{prefix}_{name}",
            page,
            byte + offset,
            Kind.LANE_NIBBLES,
            lanes=LANES,
            access=access,
            banked=True,
            doc=doc,
        )

    recall = Field(
        f"{prefix}_AdaptiveInputEqRecallTx",
        page,
        byte + 1,
        Kind.RAW,
        2,
        access=access,
        banked=True,
        doc="2 bits a lane",
    )
    return (
        bits("AdaptiveInputEqEnableTx", 0, "adaptive equaliser of the host input"),
        recall,
        nibbles("FixedInputEqTargetTx", 3, "fixed equalisation of the host input"),
        bits("CDREnableTx", 7, "CDR of the host input"),
        bits("CDREnableRx", 8, "CDR of the receiver"),
        nibbles("OutputEqPreCursorTargetRx", 9, "host output's pre-cursor"),
        nibbles("OutputEqPostCursorTargetRx", 13, "host output's post-cursor"),
        nibbles("OutputAmplitudeTargetRx", 17, "host output's amplitude"),
    )


def _nibbles(name: str, byte: int, codes: str, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.LANE_NIBBLES, lanes=LANES, banked=True, codes=codes, doc=doc)


def _bits(name: str, byte: int, doc: str, access: Access = Access.RO) -> Field:
    return Field(name, _PAGE, byte, Kind.LANE_BITS, lanes=LANES, banked=True, access=access, doc=doc)


def _monitor(name: str, byte: int, scale: float, unit: str, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.UINT, 2, lanes=LANES, scale=scale, unit=unit, banked=True, doc=doc)


FIELDS: tuple[Field, ...] = (
    _nibbles(
        "DPStateHostLane", 128, "data_path_state", "state of the data path that this host lane belongs to"
    ),
    _bits("OutputStatusRx", 132, "1: the host output carries a valid signal"),
    _bits("OutputStatusTx", 133, "1: the media output carries a valid signal"),
    *(_bits(latched_name(name, "Flag"), byte, doc, Access.RO_COR) for name, byte, doc in LATCHED),
    _monitor("TxPower", 154, 1e-7, "W", "launched optical power of each media lane"),
    _monitor("TxBias", 170, 0.002, "mA", "laser bias of each media lane, times the multiplier of 01h:160"),
    _monitor("RxPower", 186, 1e-7, "W", "received optical power of each media lane"),
    _nibbles(
        "ConfigStatus", 202, "config_status", "result of the last configuration command of each host lane"
    ),
    *data_path_config("ACS", _PAGE, 206, Access.RO),
    # Real modules' dumps show that the Active Control Set is laid out as the staged ones are.
    *signal_integrity("ACS", _PAGE, 214, Access.RO),
    _bits("DPInitPending", 235, "a configuration is accepted and waits for DPInit"),
    Field(
        "MediaLaneMappingTx",
        _PAGE,
        240,
        Kind.UINT,
        lanes=LANES,
        banked=True,
        doc="wavelength and fibre, one nibble each",
    ),
    Field(
        "MediaLaneMappingRx",
        _PAGE,
        248,
        Kind.UINT,
        lanes=LANES,
        banked=True,
        doc="wavelength and fibre, one nibble each",
    ),
)
