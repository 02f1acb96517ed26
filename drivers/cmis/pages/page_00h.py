"""Page 00h, administrative information (OIF-CMIS-05.4 §8.3)."""

from __future__ import annotations

from drivers.cmis.fields import Access, Field, Kind

_PAGE = 0x00

FIELDS: tuple[Field, ...] = (
    Field("SFF8024IdentifierCopy", _PAGE, 128, Kind.UINT, codes="identifier", doc="copy of lower:0"),
    Field("VendorName", _PAGE, 129, Kind.ASCII, 16, doc="vendor"),
    Field(
        "VendorOUI",
        _PAGE,
        145,
        Kind.RAW,
        3,
        doc="vendor's IEEE company identifier, 000000h where there is none",
    ),
    Field("VendorPN", _PAGE, 148, Kind.ASCII, 16, doc="part number"),
    Field("VendorRev", _PAGE, 164, Kind.ASCII, 2, doc="part's revision"),
    Field("VendorSN", _PAGE, 166, Kind.ASCII, 16, doc="serial number"),
    Field("DateCode", _PAGE, 182, Kind.ASCII, 8, doc="YYMMDD and a lot code of two characters"),
    Field("CLEICode", _PAGE, 190, Kind.ASCII, 10, doc="common language equipment identifier"),
    Field("ModulePowerClass", _PAGE, 200, Kind.UINT, msb=7, lsb=5, offset=1.0, doc="power class 1..8"),
    Field("MaxPower", _PAGE, 201, Kind.UINT, scale=0.25, unit="W", doc="highest consumption"),
    Field(
        "CableAssemblyLengthMultiplier",
        _PAGE,
        202,
        Kind.UINT,
        msb=7,
        lsb=6,
        codes="cable_length_multiplier",
        doc="of the base length, in metres",
    ),
    Field(
        "CableAssemblyLengthBase",
        _PAGE,
        202,
        Kind.UINT,
        msb=5,
        lsb=0,
        doc="0: separable media; FFh in all: > 6300 m",
    ),
    Field(
        "ConnectorType", _PAGE, 203, Kind.UINT, codes="connector", doc="media connector, SFF-8024 Table 4-3"
    ),
    *(
        Field(
            f"CopperAttenuationAt{name}", _PAGE, byte, Kind.UINT, unit="dB", doc="of a copper cable assembly"
        )
        for byte, name in ((204, "5GHz"), (205, "7GHz"), (206, "12p9GHz"), (207, "25p8GHz"), (208, "53p1GHz"))
    ),
    Field("MediaLaneUnsupported", _PAGE, 210, Kind.LANE_BITS, doc="1: this media lane is not implemented"),
    Field(
        "FarEndConfiguration",
        _PAGE,
        211,
        Kind.UINT,
        doc="how a cable assembly's far end is split; not interpreted",
    ),
    Field(
        "MediaInterfaceTechnology", _PAGE, 212, Kind.UINT, codes="media_technology", doc="kind of transmitter"
    ),
    Field("PageChecksum00h", _PAGE, 222, Kind.UINT, doc="low 8 bits of the sum of 128..221"),
    Field("Custom00h", _PAGE, 223, Kind.RAW, 33, access=Access.RO, doc="vendor's own"),
)
