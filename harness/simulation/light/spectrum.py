"""What an optical spectrum analyser reads of beams."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from harness.signal.waveform import Array
from harness.simulation.light.beam import Beam

SIDE_MODE_SPACING_NM: Final = 0.9
"""Distance of a DFB laser's side modes from its line at 1310 nm: that of a cavity 260 um long with a group
index of 3.7 (textbook, L^2 / (2 n l))."""
_WIDTH: Final = 4.0 * math.log(2.0)


def noise_width_nm(resolution_nm: float) -> float:
    """Width of the rectangular slit that passes as much of a flat spectrum as the Gaussian one: 1.064
    times its width at half of its height.

    :raises ValueError: when the resolution is not above zero.
    """
    if not (math.isfinite(resolution_nm) and resolution_nm > 0.0):
        raise ValueError(f"a resolution bandwidth must be above zero, got {resolution_nm} nm")
    return resolution_nm * math.sqrt(math.pi / _WIDTH)


def spectrum_w(
    beams: Iterable[Beam], wavelengths_nm: Array, *, resolution_nm: float, floor_w: float = 0.0
) -> Array:
    """Power read at each wavelength: what a Gaussian slit around it lets through, its middle without loss.

    Each laser is a line, infinitely narrow, between two equal side modes ``smsr_db`` below it, 0.9 nm away at
    1310 nm (in proportion to the square of the wavelength elsewhere); the three together have the beam's
    power. A line on a point of the trace is read at its own power. Left out: the modulation's sidebands
    (within +/-0.3 nm at 53.125 GBd, they blunt the line of an analyser finer than that), the laser's
    spontaneous emission, the slit's stray light, and echoes.

    :param wavelengths_nm: of the trace's points, shape (points,), in any order; closer than half the
        resolution, or lines fall between them.
    :param resolution_nm: full width of the slit at half of its height.
    :param floor_w: the instrument's noise floor, as power within the resolution, added to every point.
    :returns: watts, shape (points,).
    :raises ValueError: for a resolution not above zero, a floor below it, or wavelengths that are no row.
    """
    points = np.asarray(wavelengths_nm, dtype=np.float64)
    if points.ndim != 1 or not np.isfinite(points).all():
        raise ValueError(f"the wavelengths must be one row of numbers, got shape {points.shape}")
    if not (math.isfinite(floor_w) and floor_w >= 0.0):
        raise ValueError(f"a noise floor is zero or above, got {floor_w} W")
    noise_width_nm(resolution_nm)
    result = np.full(points.shape, floor_w)
    for beam in beams:
        for centre_nm, power_w in lines(beam):
            result += power_w * np.exp(-_WIDTH * np.square((points - centre_nm) / resolution_nm))
    return result


def lines(beam: Beam) -> tuple[tuple[float, float], ...]:
    """Wavelength (nm) and power (W) of the laser's line and, where it has any, its two side modes."""
    ratio = 10.0 ** (-beam.modulation.smsr_db / 10.0)
    main_w = beam.power_w / (1.0 + 2.0 * ratio)
    centre = beam.wavelength_nm
    if not ratio:
        return ((centre, main_w),)
    apart = SIDE_MODE_SPACING_NM * (centre / 1310.0) ** 2
    return (centre, main_w), (centre - apart, main_w * ratio), (centre + apart, main_w * ratio)
