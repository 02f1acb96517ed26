"""What VDM can observe: the table of observable types, and how a sample becomes a number.

OIF-CMIS-05.4 Table 8-180, and C-CMIS for types 128 and up; scales were checked against public hosts, not each
against the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from drivers.cmis.fields import Field, Kind, decode_bytes, encode_bytes

Format = Literal["U16", "S16", "F16"]
Scope = Literal["lane", "module", "data path", "unknown"]
Side = Literal["host", "media"]
StatisticKind = Literal["minimum", "maximum", "average", "current", "total"]

UNUSED = 0
"""Type of a descriptor that describes nothing."""
CUSTOM_TYPES = range(100, 128)
"""Types whose meaning is the vendor's own."""

_KINDS: Mapping[Format, Kind] = {"U16": Kind.UINT, "S16": Kind.SINT, "F16": Kind.F16}


@dataclass(frozen=True, slots=True)
class Observable:
    """One observable type.

    ``key``: short name for programs. ``value = raw * scale`` in ``unit``; F16 has scale 1. ``scope``: what
    one instance of it is about. ``statistic``: latched by a freeze (minimum, maximum, average); ``kind``
    says which, and is also given for current samples and totals, which are not latched [uncertain for
    totals]. ``none_raw``: the raw sample that says that the value is beyond the
    register's range. ``is_ratio``: a value above 1 is
    nonsense. ``uncertain``: name or scale come from one source, or from none.
    """

    type_id: int
    key: str
    name: str
    unit: str = ""
    format: Format = "U16"
    scale: float = 1.0
    scope: Scope = "lane"
    side: Side | None = None
    kind: StatisticKind | None = None
    statistic: bool = False
    uncertain: bool = False
    none_raw: int | None = None
    is_ratio: bool = False

    def decode(self, raw: int) -> float:
        """Value of a 16-bit sample or threshold, whatever it means.

        :raises ValueError: when ``raw`` does not have 16 bits.
        """
        if not 0 <= raw <= 0xFFFF:
            raise ValueError(f"a VDM sample has 16 bits, not the value {raw}")
        value = decode_bytes(_field(self.format, self.scale, self.unit), raw.to_bytes(2, "big"))
        assert isinstance(value, (int, float))
        return float(f"{value:.12g}")  # 15.6 and not 15.600000000000001; far below every step

    def encode(self, value: float) -> int:
        """The nearest 16-bit sample.

        :raises ValueError: when 16 bits of this format cannot hold the value.
        """
        number: float = round(value) if self.scale == 1.0 and self.format != "F16" else value
        return int.from_bytes(encode_bytes(_field(self.format, self.scale, self.unit), number), "big")


@cache
def _field(sample_format: Format, scale: float, unit: str) -> Field:
    return Field("VDMSample", 0x24, 128, _KINDS[sample_format], 2, scale=scale, unit=unit, banked=True)


_PERCENT_OF_S16 = 100 / 32767
_PERCENT_OF_U16 = 100 / 65535

_SINGLE: tuple[Observable, ...] = (
    Observable(1, "laser_age", "laser age (0 % new, 100 % end of life)", "%", side="media"),
    Observable(2, "tec_current", "TEC current", "%", "S16", _PERCENT_OF_S16, "module"),
    Observable(3, "laser_frequency_error", "laser frequency error", "MHz", "S16", 10.0, side="media"),
    Observable(4, "laser_temperature", "laser temperature", "degC", "S16", 1 / 256, side="media"),
    Observable(5, "snr_media", "electrical SNR, media input", "dB", "U16", 1 / 256, side="media"),
    Observable(6, "snr_host", "electrical SNR, host input", "dB", "U16", 1 / 256, side="host"),
    Observable(
        7,
        "ltp_media",
        "PAM4 level transition parameter, media input",
        "dB",
        "U16",
        1 / 256,
        side="media",
        none_raw=0xFFFF,
    ),
    Observable(
        8,
        "ltp_host",
        "PAM4 level transition parameter, host input",
        "dB",
        "U16",
        1 / 256,
        side="host",
        none_raw=0xFFFF,
    ),
)

_KIND_WORDS: tuple[tuple[StatisticKind, str], ...] = (
    ("minimum", "min"),
    ("maximum", "max"),
    ("average", "avg"),
    ("current", "current"),
)
_SIDES: tuple[Side, ...] = ("media", "host")


def _family(
    first: int, key: str, name: str, sample_format: Format, *, is_ratio: bool = False
) -> tuple[Observable, ...]:
    """Minimum, maximum, average and current of one quantity, each of the media and of the host input."""
    return tuple(
        Observable(
            first + 2 * index + (side == "host"),
            f"{key}_{short}_{side}",
            f"{name}, {kind}, {side} input",
            format=sample_format,
            scope="data path",
            side=side,
            kind=kind,
            statistic=kind != "current",
            is_ratio=is_ratio,
        )
        for index, (kind, short) in enumerate(_KIND_WORDS)
        for side in _SIDES
    )


_TOTALS = tuple(
    Observable(
        25 + (side == "host"),
        f"errored_frames_total_{side}",
        f"errored frames (FERC), total, {side} input",
        format="F16",
        scope="data path",
        side=side,
        kind="total",
    )
    for side in _SIDES
)

_SUPPLIES: tuple[tuple[int, str, str, Scope], ...] = (
    (77, "vcc_2v6", "2.6 V supply, raw", "module"),
    (78, "vcc_1v8", "1.8 V supply, raw", "module"),
    (79, "vcc_1v2", "1.2 V supply, raw", "module"),
    (80, "vcc_0v9", "0.9 V supply, raw", "module"),
    (81, "vcc_0v7a", "0.7 V supply A, raw", "module"),
    (82, "vcc_0v7b", "0.7 V supply B, raw", "module"),
    (83, "vcc_12v", "12 V supply, raw", "module"),
    (84, "els_input_power", "power from the external laser source, raw", "lane"),
)
"""Of co-packaged optics; their scales are not known here, so the samples are given as they are."""

_COHERENT_TABLE: tuple[tuple[int, str, str, str, Format, float], ...] = (
    (128, "modulator_bias_xi", "modulator bias X/I", "%", "U16", _PERCENT_OF_U16),
    (129, "modulator_bias_xq", "modulator bias X/Q", "%", "U16", _PERCENT_OF_U16),
    (130, "modulator_bias_yi", "modulator bias Y/I", "%", "U16", _PERCENT_OF_U16),
    (131, "modulator_bias_yq", "modulator bias Y/Q", "%", "U16", _PERCENT_OF_U16),
    (132, "modulator_bias_x_phase", "modulator bias X phase", "%", "U16", _PERCENT_OF_U16),
    (133, "modulator_bias_y_phase", "modulator bias Y phase", "%", "U16", _PERCENT_OF_U16),
    (134, "cd_fine", "chromatic dispersion, short link", "ps/nm", "S16", 1.0),
    (135, "cd_coarse", "chromatic dispersion, long link", "ps/nm", "S16", 20.0),
    (136, "dgd", "differential group delay", "ps", "U16", 0.01),
    (137, "sopmd", "second-order PMD", "ps^2", "U16", 0.01),
    (138, "pdl", "polarisation-dependent loss", "dB", "U16", 0.1),
    (139, "osnr", "optical SNR", "dB", "U16", 0.1),
    (140, "esnr", "electrical SNR", "dB", "U16", 0.1),
    (141, "cfo", "carrier frequency offset", "MHz", "S16", 1.0),
    (142, "evm", "error vector magnitude", "%", "U16", _PERCENT_OF_U16),
    (143, "tx_power", "launched power", "dBm", "S16", 0.01),
    (144, "rx_total_power", "received power, total", "dBm", "S16", 0.01),
    (145, "rx_signal_power", "received power, signal", "dBm", "S16", 0.01),
    (146, "sop_rate_of_change", "rate of change of the state of polarisation", "krad/s", "U16", 1.0),
    (147, "mer", "modulation error ratio", "dB", "U16", 0.1),
)
_COHERENT_UNCERTAIN: tuple[tuple[int, str, str, str, Format, float], ...] = (
    (148, "clock_recovery_loop", "clock recovery loop, raw", "", "U16", 1.0),
    (149, "sopmd_coarse", "second-order PMD, coarse", "ps^2", "U16", 1.0),
    (150, "snr_margin", "SNR margin", "dB", "U16", 0.1),
    (151, "q_factor", "Q factor", "dB", "U16", 0.1),
    (152, "q_margin", "Q margin", "dB", "U16", 0.1),
    (153, "cfo_coarse", "carrier frequency offset, coarse, raw", "", "S16", 1.0),
)
"""Names from one public host. The scales of 149 to 152 fit what a real 800ZR module reports elsewhere."""


def _table() -> Mapping[int, Observable]:
    every = (
        *_SINGLE,
        *_family(9, "prefec_ber", "pre-FEC bit error ratio", "F16", is_ratio=True),
        *_family(17, "errored_frames", "errored frames (FERC)", "F16"),
        *_TOTALS,
        *_family(27, "sew_max", "largest symbol error weight (SEWmax)", "U16"),
        *(
            Observable(type_id, key, name, scope=scope, uncertain=True)
            for type_id, key, name, scope in _SUPPLIES
        ),
        *(
            Observable(
                type_id,
                f"custom_{type_id}",
                f"custom observable {type_id}, raw",
                scope="unknown",
                uncertain=True,
            )
            for type_id in CUSTOM_TYPES
        ),
        *(
            Observable(type_id, key, name, unit, sample_format, scale, side="media")
            for type_id, key, name, unit, sample_format, scale in _COHERENT_TABLE
        ),
        *(
            Observable(type_id, key, name, unit, sample_format, scale, side="media", uncertain=True)
            for type_id, key, name, unit, sample_format, scale in _COHERENT_UNCERTAIN
        ),
    )
    return MappingProxyType({observable.type_id: observable for observable in every})


OBSERVABLES: Mapping[int, Observable] = _table()
"""Every observable type known, by its number."""


def observable(type_id: int) -> Observable:
    """The observable of a type; for one that the table does not have, one that gives raw samples and says so.

    :raises ValueError: for a type that is not 1..255.
    """
    if not UNUSED < type_id <= 0xFF:
        raise ValueError(f"VDM types are 1..255, not {type_id}")
    known = OBSERVABLES.get(type_id)
    if known is not None:
        return known
    return Observable(
        type_id, f"type_{type_id}", f"unknown observable type {type_id}, raw", scope="unknown", uncertain=True
    )
