"""The Gaussian tail, for whole arrays: numpy has no complementary error function."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LIMIT: Final = 9.0
"""Beyond it a tail counts as 0 or 1: Q(9) is 1e-19, far below any error ratio asked for here."""
_PER_UNIT: Final = 512
_GRID: Final = np.linspace(-_LIMIT, _LIMIT, int(2 * _LIMIT * _PER_UNIT) + 1)
_TAIL: Final = np.array([0.5 * math.erfc(x / math.sqrt(2.0)) for x in _GRID])
_TAIL_STEP: Final = np.diff(_TAIL, append=_TAIL[-1])


def density(x: Array) -> Array:
    """Standard normal density at each ``x`` (any shape)."""
    return np.asarray(np.exp(-0.5 * np.square(x)) * (1.0 / math.sqrt(2.0 * math.pi)))


def tail(x: Array) -> Array:
    """Q(x), the probability that a standard normal variable exceeds ``x`` (any shape).

    Tabulated and interpolated linearly: within 2e-5 of the true value, relative, for x up to 6; arguments
    beyond +/-9 count as 9.
    """
    place = np.clip((x + _LIMIT) * _PER_UNIT, 0.0, len(_GRID) - 1.0)
    index = place.astype(np.intp)
    return np.asarray(_TAIL[index] + (place - index) * _TAIL_STEP[index])


def tail_inverse(probability: float) -> float:
    """The x whose Q(x) is ``probability``.

    :raises ValueError: when the probability is not inside (0, 1).
    """
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a probability must lie between 0 and 1, got {probability}")
    low, high = -38.0, 38.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(middle / math.sqrt(2.0)) > probability:
            low = middle
        else:
            high = middle
        if high - low < 1e-13:
            break
    return 0.5 * (low + high)
