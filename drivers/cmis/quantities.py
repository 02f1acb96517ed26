"""What physical quantity a register holds, where its unit alone does not tell."""

from __future__ import annotations

from drivers.cmis.fields import Field

_OPTICAL = ("TxPower", "RxPower")


def is_optical_power(field: Field) -> bool:
    """Whether a field in watts is the power of light, which people read in dBm: 11h:154-169, 11h:186-201 and
    their thresholds (02h:176-183, 02h:192-199). Others, such as MaxPower (00h:201), are electrical."""
    return field.unit == "W" and field.name.startswith(_OPTICAL)


def is_bias_current(field: Field) -> bool:
    """Whether a field is a laser bias current, or a threshold of one: what it holds is to be multiplied as
    TxBiasCurrentScalingFactor (01h:160.4-3) says."""
    return field.unit == "mA" and field.name.startswith("TxBias")
