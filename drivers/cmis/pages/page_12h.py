"""Page 12h, control and status of tunable lasers (OIF-CMIS-05.4 §8.11). Banked: 8 lanes each."""

from __future__ import annotations

from drivers.cmis.fields import LANES, Access, Field, Kind

_PAGE = 0x12
_RO, _RW, _COR = Access.RO, Access.RW, Access.RO_COR

_FLAGS: tuple[tuple[str, int, str], ...] = (
    ("TuningComplete", 0, "tuning has ended"),
    ("WavelengthUnlocked", 1, "the laser lost its wavelength"),
    ("InvalidChannel", 2, "the channel is not in the grid's range"),
    ("TuningNotAccepted", 3, "the command came while it could not be executed"),
    ("FineTuningOutOfRange", 4, "the fine offset is out of range"),
    ("TargetOutputPowerOutOfRange", 5, "the target power is out of range"),
)
_FLAG_BYTE, _MASK_BYTE = 231, 239


def _lanes(
    name: str,
    byte: int,
    kind: Kind,
    doc: str,
    *,
    length: int = 1,
    bits: tuple[int, int] | None = None,
    scale: float = 1.0,
    unit: str = "",
    access: Access = _RO,
    codes: str | None = None,
) -> Field:
    msb, lsb = bits or (None, None)
    return Field(
        name,
        _PAGE,
        byte,
        kind,
        length,
        msb=msb,
        lsb=lsb,
        lanes=LANES,
        scale=scale,
        unit=unit,
        access=access,
        banked=True,
        codes=codes,
        doc=doc,
    )


FIELDS: tuple[Field, ...] = (
    _lanes("GridSpacingTx", 128, Kind.UINT, "grid", bits=(7, 4), access=_RW, codes="grid_spacing"),
    _lanes("FineTuningEnableTx", 128, Kind.UINT, "1: add the fine offset", bits=(0, 0), access=_RW),
    _lanes("ChannelNumberTx", 136, Kind.SINT, "channel n of the grid", length=2, access=_RW),
    _lanes("FineTuningOffsetTx", 152, Kind.SINT, "fine offset", length=2, unit="MHz", access=_RW),
    _lanes("CurrentLaserFrequencyTx", 168, Kind.UINT, "where the laser is", length=4, unit="MHz"),
    _lanes(
        "TargetOutputPowerTx",
        200,
        Kind.SINT,
        "power to be launched",
        length=2,
        scale=0.01,
        unit="dBm",
        access=_RW,
    ),
    _lanes("WavelengthIsUnlockedTx", 222, Kind.UINT, "1: no wavelength lock now", bits=(0, 0)),
    _lanes("TuningInProgressTx", 222, Kind.UINT, "1: tuning now", bits=(1, 1)),
    Field(
        "LaserTuningFlagSummaryTx",
        _PAGE,
        230,
        Kind.LANE_BITS,
        lanes=LANES,
        banked=True,
        doc="lanes with a flag in 12h:231-238",
    ),
    *(
        _lanes(f"{name}{word}Tx", byte, Kind.UINT, doc, bits=(bit, bit), access=access)
        for word, byte, access in (("Flag", _FLAG_BYTE, _COR), ("Mask", _MASK_BYTE, _RW))
        for name, bit, doc in _FLAGS
    ),
)
