"""Units at the edges, by pint: parsing what people write and printing what they read.

Never used inside: pint's dB arithmetic is wrong for this work (a difference of two dBm is a linear ratio
to it). Logarithmic units therefore convert to nothing but themselves here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

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

    try:
        quantity = registry.Quantity(value, _SPELLINGS.get(given, given))
        return float(quantity.to(_SPELLINGS.get(wanted, wanted)).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"{given} cannot be read as {wanted}: they measure different things") from None
    except (pint.PintError, AttributeError, ValueError, TypeError):
        raise ValueError(f"unknown unit {given!r}; expected {wanted} or a multiple of it") from None
