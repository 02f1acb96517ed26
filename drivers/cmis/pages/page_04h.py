"""Page 04h, laser capabilities of tunable modules (OIF-CMIS-05.4 §8.7), there where 01h:155.6 says so."""

from __future__ import annotations

from drivers.cmis.fields import Field, Kind

_PAGE = 0x04

GRIDS: tuple[tuple[str, str, int, int, int], ...] = (
    # name, spacing, byte and bit that advertise it, first byte of its channels
    ("3p125", "3.125 GHz", 128, 0, 130),
    ("6p25", "6.25 GHz", 128, 1, 134),
    ("12p5", "12.5 GHz", 128, 2, 138),
    ("25", "25 GHz", 128, 3, 142),
    ("50", "50 GHz", 128, 4, 146),
    ("100", "100 GHz", 128, 5, 150),
    ("33", "33 GHz", 128, 6, 154),
    ("75", "75 GHz", 128, 7, 158),
    ("150", "150 GHz", 129, 6, 162),
    ("300", "300 GHz", 129, 5, 166),
)
"""Grids in the order of their channel ranges."""


def _bit(name: str, byte: int, bit: int, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.UINT, msb=bit, lsb=bit, doc=doc)


def _word(
    name: str, byte: int, doc: str, *, kind: Kind = Kind.SINT, scale: float = 1.0, unit: str = ""
) -> Field:
    return Field(name, _PAGE, byte, kind, 2, scale=scale, unit=unit, doc=doc)


FIELDS: tuple[Field, ...] = (
    *(_bit(f"GridSupported{name}GHz", byte, bit, f"{text} grid") for name, text, byte, bit, _ in GRIDS),
    _bit("FineTuningSupported", 129, 7, "fine tuning between channels"),
    *(
        field
        for name, text, _, _, byte in GRIDS
        for field in (
            _word(f"LowChannel{name}GHz", byte, f"lowest channel number of the {text} grid"),
            _word(f"HighChannel{name}GHz", byte + 2, f"highest channel number of the {text} grid"),
        )
    ),
    _word("FineTuningResolution", 190, "step of fine tuning", kind=Kind.UINT, scale=0.001, unit="GHz"),
    _word("FineTuningLowOffset", 192, "lowest fine offset", scale=0.001, unit="GHz"),
    _word("FineTuningHighOffset", 194, "highest fine offset", scale=0.001, unit="GHz"),
    _bit("ProgOutputPowerPerLaneSupported", 196, 7, "12h:200-215"),
    _word("ProgOutputPowerMin", 198, "lowest target power", scale=0.01, unit="dBm"),
    _word("ProgOutputPowerMax", 200, "highest target power", scale=0.01, unit="dBm"),
    Field("PageChecksum04h", _PAGE, 255, Kind.UINT, doc="low 8 bits of the sum of 128..254"),
)
