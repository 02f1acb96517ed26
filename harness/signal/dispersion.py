"""Chromatic dispersion of the compliance channel, put on a waveform that was measured back to back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.signal.waveform import Array, SignalError, Waveform

_LIGHT_M_S: Final = 299_792_458.0
_SLOPE_PS_NM2_KM: Final = 0.093
_ZERO_DISPERSION_NM: Final = (1300.0, 1324.0)


def compliance_dispersion_ps_nm(wavelength_nm: float, length_km: float) -> tuple[float, float]:
    """Least and greatest dispersion, in ps/nm, that a fibre of this length may have at a wavelength.

    S0/4 (L - L0^4 / L^3) with S0 = 0.093 ps/nm^2/km and zero dispersion at 1324 nm and 1300 nm: the
    compliance channel of 124.8.5 at 500 m, -0.93 to +0.80 ps/nm over the band of 400GBASE-DR4.
    """
    if not (wavelength_nm > 0.0 and length_km >= 0.0):
        raise ValueError(f"impossible wavelength or length: {wavelength_nm} nm, {length_km} km")
    first, last = (
        0.25 * _SLOPE_PS_NM2_KM * length_km * (wavelength_nm - zero**4 / wavelength_nm**3)
        for zero in sorted(_ZERO_DISPERSION_NM, reverse=True)
    )
    # Zero dispersion at the longer wavelength makes the least value.
    return first, last


def dispersed(
    waveform: Waveform, dispersion_ps_nm: float, wavelength_nm: float, *, chirp: float = 0.0
) -> Waveform:
    """The waveform behind a dispersive fibre, by the optical field.

    The field is the root of the power, with the phase that the transmitter's chirp gives it; the fibre turns
    the phase of each frequency by pi L^2 D f^2 / c; the power is the square of what comes out. Exact for one
    polarisation, without noise or non-linearity, and for a record of the transmitter's own bandwidth: the
    oscilloscope's reference filter must not be in it yet (apply it afterwards). The phase is not measured by
    an oscilloscope: ``chirp`` must be known.

    :param dispersion_ps_nm: of the whole fibre.
    :param chirp: Henry's factor, phase = (chirp / 2) ln(power); 0 for a push-pull Mach-Zehnder modulator.
    :raises SignalError: when the power falls to zero or below: the field has no meaning there.
    """
    if float(waveform.samples_w.min()) <= 0.0:
        raise SignalError(
            "the record falls to zero power or below, so that it has no optical field: average the "
            "oscilloscope's noise away, check its dark level, or use dispersed_weakly()"
        )
    field = np.sqrt(waveform.samples_w).astype(np.complex128)
    if chirp:
        field *= np.exp(0.5j * chirp * np.log(waveform.samples_w))
    size = field.size
    frequencies = np.fft.fftfreq(size, waveform.ui_s * waveform.symbols / size)
    turned = np.fft.ifft(
        np.fft.fft(field) * np.exp(1j * dispersion_phase_rad(frequencies, dispersion_ps_nm, wavelength_nm))
    )
    return replace(waveform, samples_w=np.square(turned.real) + np.square(turned.imag))


def dispersed_weakly(
    waveform: Waveform, dispersion_ps_nm: float, wavelength_nm: float, *, chirp: float = 0.0
) -> Waveform:
    """The waveform behind a dispersive fibre, for weak modulation.

    Each frequency of the power is weighed with cos(p) - chirp sin(p), p = pi L^2 D f^2 / c. Linear, so that
    it may be used on a record that the reference filter is already in, and on noisy ones; wrong in the second
    order of the modulation depth, more so the more p there is within the signal's band.
    """
    phase = dispersion_phase_rad(waveform.frequencies_hz, dispersion_ps_nm, wavelength_nm)
    spectrum = np.fft.rfft(waveform.samples_w) * (np.cos(phase) - chirp * np.sin(phase))
    return replace(waveform, samples_w=np.fft.irfft(spectrum, waveform.samples_w.size))


def dispersion_phase_rad(
    frequencies_hz: NDArray[np.floating] | float, dispersion_ps_nm: float, wavelength_nm: float
) -> Array:
    """By how much a fibre turns the phase of sidebands this far from the carrier, p = pi L^2 D f^2 / c
    (textbook); shape as the frequencies."""
    # 1 ps/nm is 1e-3 s/m.
    factor = math.pi * (wavelength_nm * 1e-9) ** 2 * dispersion_ps_nm * 1e-3 / _LIGHT_M_S
    return np.asarray(factor * np.square(frequencies_hz), dtype=np.float64)
