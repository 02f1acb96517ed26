"""Page 02h, monitor thresholds (OIF-CMIS-05.4 §8.5). Values may change with the application."""

from __future__ import annotations

from drivers.cmis.fields import Field, Kind

_PAGE = 0x02
_SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
_MONITORS: tuple[tuple[str, int, Kind, float, str], ...] = (
    ("TempMon", 128, Kind.SINT, 1 / 256, "degC"),
    ("VccMon", 136, Kind.UINT, 1e-4, "V"),
    ("Aux1Mon", 144, Kind.SINT, 1.0, ""),
    ("Aux2Mon", 152, Kind.SINT, 1.0, ""),
    ("Aux3Mon", 160, Kind.SINT, 1.0, ""),
    ("CustomMon", 168, Kind.RAW, 1.0, ""),
    ("TxPower", 176, Kind.UINT, 1e-7, "W"),
    ("TxBias", 184, Kind.UINT, 0.002, "mA"),
    ("RxPower", 192, Kind.UINT, 1e-7, "W"),
)

FIELDS: tuple[Field, ...] = (
    *(
        Field(
            f"{monitor}{side}Threshold",
            _PAGE,
            byte + 2 * index,
            kind,
            2,
            scale=scale,
            unit=unit,
            doc=f"{monitor} limit" + (", times the multiplier of 01h:160" if monitor == "TxBias" else ""),
        )
        for monitor, byte, kind, scale, unit in _MONITORS
        for index, side in enumerate(_SIDES)
    ),
    Field("PageChecksum02h", _PAGE, 255, Kind.UINT, doc="low 8 bits of the sum of 128..254"),
)
