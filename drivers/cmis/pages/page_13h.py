"""Page 13h, diagnostics: what the module can do, and its controls (OIF-CMIS-05.4 §8.12). Banked.

Pattern bitmaps are little-endian: bit n of the 16-bit number is pattern n (codes table ``pattern``).
"""

from __future__ import annotations

from drivers.cmis.fields import LANES, Access, Field, Kind

_PAGE = 0x13
_RO, _RW = Access.RO, Access.RW


def _bits(
    name: str, byte: int, msb: int, lsb: int | None = None, *, doc: str, codes: str | None = None
) -> Field:
    low = msb if lsb is None else lsb
    return Field(name, _PAGE, byte, Kind.UINT, msb=msb, lsb=low, banked=True, codes=codes, doc=doc)


def _control(name: str, byte: int, msb: int, lsb: int, doc: str, codes: str | None = None) -> Field:
    return Field(
        name, _PAGE, byte, Kind.UINT, msb=msb, lsb=lsb, banked=True, access=_RW, codes=codes, doc=doc
    )


def _lane_bits(name: str, byte: int, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.LANE_BITS, lanes=LANES, banked=True, access=_RW, doc=doc)


def _patterns(name: str, byte: int, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.UINT, 2, banked=True, little_endian=True, doc=doc)


def _block(side: str, unit: str, byte: int, fec: str) -> tuple[Field, ...]:
    """The 8 bytes that control the generators or checkers of one side."""
    return (
        _lane_bits(f"{side}{unit}Enable", byte, f"1: {unit.lower()} runs"),
        _lane_bits(f"{side}{unit}DataInvert", byte + 1, "1: pattern inverted"),
        _lane_bits(f"{side}{unit}ByteSwap", byte + 2, "1: bytes swapped, so that PAM4's MSB and LSB change"),
        _lane_bits(f"{side}{unit}{fec}FEC", byte + 3, f"1: {fec.lower()}-FEC pattern"),
        Field(
            f"{side}{unit}PatternSelect",
            _PAGE,
            byte + 4,
            Kind.LANE_NIBBLES,
            lanes=LANES,
            banked=True,
            access=_RW,
            codes="pattern",
            doc="pattern of each lane",
        ),
    )


FIELDS: tuple[Field, ...] = (
    _bits("SimultaneousHostAndMediaLoopbacksSupported", 128, 6, doc="loopbacks of both sides together"),
    _bits("PerLaneMediaLoopbacksSupported", 128, 5, doc="13h:180-181 act lane by lane; else all lanes"),
    _bits("PerLaneHostLoopbacksSupported", 128, 4, doc="13h:182-183 act lane by lane; else all lanes"),
    _bits("HostSideInputLoopbackSupported", 128, 3, doc="13h:183"),
    _bits("HostSideOutputLoopbackSupported", 128, 2, doc="13h:182"),
    _bits("MediaSideInputLoopbackSupported", 128, 1, doc="13h:181"),
    _bits("MediaSideOutputLoopbackSupported", 128, 0, doc="13h:180"),
    _bits("GatingSupported", 129, 7, 6, codes="gating", doc="gated counting and its accuracy [uncertain]"),
    _bits("GatingResultsSupported", 129, 5, doc="14h selectors 11h to 15h [uncertain]"),
    _bits("PeriodicUpdatesSupported", 129, 4, doc="results while a gate runs [uncertain]"),
    _bits("PerLaneGatingTimersSupported", 129, 3, doc="a timer for each lane [uncertain]"),
    _bits("AutoRestartGatingSupported", 129, 2, doc="13h:177.4 [uncertain]"),
    _bits("MediaSideFECSupported", 130, 7, doc="FEC at the media side"),
    _bits("HostSideFECSupported", 130, 6, doc="FEC at the host side"),
    _bits("MediaSideInputSNRSupported", 130, 5, doc="14h:240-255 with selector 06h"),
    _bits("HostSideInputSNRSupported", 130, 4, doc="14h:208-223 with selector 06h"),
    _bits("BitsAndErrorsCountingSupported", 130, 1, doc="14h selectors 02h to 05h"),
    _bits("BitErrorRatioResultsSupported", 130, 0, doc="14h selector 01h"),
    *(
        _bits(
            f"{side}{unit}{when}FECSupported",
            131,
            bit - index,
            doc=f"{unit.lower()} {'before' if when == 'Pre' else 'after'} FEC [uncertain]",
        )
        for side, bit in (("MediaSide", 7), ("HostSide", 3))
        for index, (unit, when) in enumerate(
            (("Generator", "Pre"), ("Generator", "Post"), ("Checker", "Pre"), ("Checker", "Post"))
        )
    ),
    _patterns("HostSideGeneratorPatterns", 132, "patterns of the generators towards the host"),
    _patterns("MediaSideGeneratorPatterns", 134, "patterns of the generators towards the fibre"),
    _patterns("HostSideCheckerPatterns", 136, "patterns of the checkers of the host's signal"),
    _patterns("MediaSideCheckerPatterns", 138, "patterns of the checkers of the fibre's signal"),
    _bits("GeneratorClockCapabilities", 140, 7, 4, doc="clock sources of the generators; not interpreted"),
    _bits("UserPatternLengthCode", 140, 3, 0, doc="longest user pattern, 2 * (1 + this) bytes [uncertain]"),
    _bits(
        "HostSidePatternFeatures", 141, 7, 0, doc="inversion, byte swap, per-lane controls; not interpreted"
    ),
    _bits(
        "MediaSidePatternFeatures", 142, 7, 0, doc="inversion, byte swap, per-lane controls; not interpreted"
    ),
    *_block("HostSide", "Generator", 144, "Pre"),
    *_block("MediaSide", "Generator", 152, "Pre"),
    *_block("HostSide", "Checker", 160, "Post"),
    *_block("MediaSide", "Checker", 168, "Post"),
    _control("HostSideGeneratorClockSource", 176, 7, 4, "0: internal; not interpreted [uncertain]"),
    _control("MediaSideGeneratorClockSource", 176, 3, 0, "0: internal; not interpreted [uncertain]"),
    _control("StartStopIsGlobal", 177, 7, 7, "1: all checkers of a bank start and stop together"),
    _control("ResetErrorInformation", 177, 5, 5, "1: hold error counters at 0"),
    _control("AutoRestartGating", 177, 4, 4, "1: a gate follows the other"),
    _control("MeasurementTime", 177, 3, 1, "length of the gate", "measurement_time"),
    _control("UpdatePeriodSelect", 177, 0, 0, "period of intermediate results", "update_period"),
    Field(
        "CheckerClockSource",
        _PAGE,
        178,
        Kind.UINT,
        2,
        banked=True,
        access=_RW,
        doc="clock of the checkers; not interpreted",
    ),
    _lane_bits("MediaSideOutputLoopbackEnable", 180, "1: what would go to the fibre comes back"),
    _lane_bits("MediaSideInputLoopbackEnable", 181, "1: what comes from the fibre goes back to it"),
    _lane_bits("HostSideOutputLoopbackEnable", 182, "1: what would go to the host comes back"),
    _lane_bits("HostSideInputLoopbackEnable", 183, "1: what comes from the host goes back to it"),
    Field("DiagnosticsScratchpad", _PAGE, 184, Kind.RAW, 8, banked=True, access=_RW, doc="the host's own"),
    # One mask byte for each flag byte of 14h: 206 for 132 and so on [uncertain beyond the range 206-223].
    _control("LossOfReferenceClockMask", 206, 7, 7, "1: the flag does not interrupt"),
    *(
        _lane_bits(f"{name}Mask{side}", byte, "1: the flag does not interrupt")
        for name, first in (("GatingComplete", 208), ("PatternGeneratorLOL", 210), ("PatternCheckerLOL", 212))
        for side, byte in (("Host", first), ("Media", first + 1))
    ),
    Field("UserPattern", _PAGE, 224, Kind.RAW, 32, banked=True, access=_RW, doc="pattern code 15"),
)
