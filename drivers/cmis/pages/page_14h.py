"""Page 14h, diagnostics results (OIF-CMIS-05.4 §8.13). Banked.

Bytes 192-255 hold what ``DiagnosticsSelector`` asks for, so the fields there overlap; they are valid tDDCS
(10 ms) after the selector was written, and nothing says so. Counters and SNR are little-endian, bit error
ratios are not: public hosts read those with the exponent in the first byte [uncertain].
"""

from __future__ import annotations

from drivers.cmis.fields import LANES, Access, Field, Kind

_PAGE = 0x14
DATA = 192
"""First byte of the selected data; there are 64."""


def _latched(name: str, byte: int, doc: str) -> Field:
    return Field(name, _PAGE, byte, Kind.LANE_BITS, lanes=LANES, banked=True, access=Access.RO_COR, doc=doc)


FIELDS: tuple[Field, ...] = (
    Field(
        "DiagnosticsSelector",
        _PAGE,
        128,
        Kind.UINT,
        access=Access.RW,
        banked=True,
        codes="diagnostics_selector",
        doc="what 14h:192-255 show; reads back 0 when not supported",
    ),
    Field(
        "LossOfReferenceClockFlag",
        _PAGE,
        132,
        Kind.UINT,
        msb=7,
        lsb=7,
        banked=True,
        access=Access.RO_COR,
        doc="the reference clock was lost",
    ),
    _latched("GatingCompleteFlagHost", 134, "a gate of the host side's checker has ended"),
    _latched("GatingCompleteFlagMedia", 135, "a gate of the media side's checker has ended"),
    _latched("PatternGeneratorLOLFlagHost", 136, "the generator towards the host lost its lock"),
    _latched("PatternGeneratorLOLFlagMedia", 137, "the generator towards the fibre lost its lock"),
    _latched("PatternCheckerLOLFlagHost", 138, "the checker of the host's signal lost the pattern"),
    _latched("PatternCheckerLOLFlagMedia", 139, "the checker of the fibre's signal lost the pattern"),
    Field("DiagnosticsData", _PAGE, DATA, Kind.RAW, 64, banked=True, doc="as the selector says"),
    Field(
        "BitErrorRatioHost",
        _PAGE,
        DATA,
        Kind.F16,
        2,
        lanes=LANES,
        banked=True,
        doc="selector 01h or 11h: checkers of the host's signal",
    ),
    Field(
        "BitErrorRatioMedia",
        _PAGE,
        208,
        Kind.F16,
        2,
        lanes=LANES,
        banked=True,
        doc="selector 01h or 11h: checkers of the fibre's signal",
    ),
    Field(
        "ErrorAndBitCounters",
        _PAGE,
        DATA,
        Kind.UINT,
        8,
        lanes=8,
        banked=True,
        little_endian=True,
        doc="selectors 02h-05h, 12h-15h: errors and bits of four lanes, in turn; the bits' lowest bit says "
        "that the pattern was lost",
    ),
    Field(
        "SNRHost",
        _PAGE,
        208,
        Kind.UINT,
        2,
        lanes=LANES,
        scale=1 / 256,
        unit="dB",
        banked=True,
        little_endian=True,
        doc="selector 06h: electrical SNR of the host's signal",
    ),
    Field(
        "SNRMedia",
        _PAGE,
        240,
        Kind.UINT,
        2,
        lanes=LANES,
        scale=1 / 256,
        unit="dB",
        banked=True,
        little_endian=True,
        doc="selector 06h: SNR of the fibre's signal",
    ),
)
