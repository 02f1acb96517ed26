"""Units at the edges, by pint: parsing what people write and printing what they read.

Never used inside: pint's dB arithmetic is wrong for this work (a difference of two dBm is a linear ratio
to it). Logarithmic units therefore convert to nothing but themselves here. What is wanted in K is a
difference of temperatures, so degC does not convert to it: a window of "1 degC" would become 274.15 K.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_DIFFERENCE = "K"
_LOGARITHMIC = frozenset({"dB", "dBm", "dB/Hz"})
# What people write, and how pint calls it.
_SPELLINGS = {"C": "degC", "°C": "degC", "Ω": "ohm", "mΩ": "mohm", "%": "percent"}


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def convert(value: float, given: str, wanted: str) -> float:
    """A number from one unit to another.

    :raises ValueError: when a unit is unknown, or the two measure different things.
    """
    if given == wanted:
        return value
    if given in _LOGARITHMIC or wanted in _LOGARITHMIC:
        raise ValueError(f"{given} cannot be read as {wanted}; write it in {wanted}")
    registry = _registry()
    import pint

    source, target = _SPELLINGS.get(given, given), _SPELLINGS.get(wanted, wanted)
    try:
        zero = float(registry.Quantity(0.0, source).to(target).magnitude)
        converted = float(registry.Quantity(value, source).to(target).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"{given} cannot be read as {wanted}: they measure different things") from None
    except Exception:  # pint parses a person's text, and fails on some of it with whatever its parser met
        raise ValueError(f"unknown unit {given!r}; expected {wanted} or a multiple of it") from None
    if wanted == _DIFFERENCE and zero != 0.0:
        raise ValueError(
            f"{given} is a temperature, and a difference of temperatures is wanted here: {wanted}"
        )
    return converted
