"""Light of one laser at one place: all that instruments and receivers can learn of it.

A beam is a value. What lies on its way makes another beam of it; what shines into the same fibre stands
beside it in a tuple, for powers of different lasers add and their fields do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.simulation.signals import LineSignal

PAM4_RATE_BD = 53.125e9
"""Symbols per second of a 100 Gb/s lane (802.3 Table 124-6)."""


@dataclass(frozen=True, slots=True)
class Modulation:
    """How a transmitter prints symbols on its light. It stays the same along the way.

    Attributes: ``levels`` are the settled powers of symbols 0, 1, 2 and 3 over their mean, so that their mean
    is 1; ``bandwidth_hz`` where the transmitter, a 4th-order Bessel-Thomson low pass, is 3 dB down (infinite:
    square symbols); ``rin_db_hz`` the laser's own relative intensity noise: noise power density over the
    square of the momentary power (minus infinity: none); ``smsr_db``: the side mode is this far below;
    ``skew_ui``: this much later than the module's first lane; ``chirp``: linewidth enhancement factor of the
    modulator, 0 for a balanced one.
    """

    levels: tuple[float, float, float, float]
    symbol_rate_bd: float = PAM4_RATE_BD
    bandwidth_hz: float = math.inf
    rin_db_hz: float = -math.inf
    smsr_db: float = math.inf
    skew_ui: float = 0.0
    chirp: float = 0.0

    @property
    def oma_ratio(self) -> float:
        """OMAouter over the average power."""
        return self.levels[3] - self.levels[0]

    @property
    def extinction_ratio_db(self) -> float:
        """Power of a 3 over that of a 0, dB; infinite when a 0 is dark."""
        return 10.0 * math.log10(self.levels[3] / self.levels[0]) if self.levels[0] > 0.0 else math.inf


def even_levels(extinction_ratio_db: float) -> tuple[float, float, float, float]:
    """Equidistant levels with a mean of 1: OMAouter over average power is 2 (r - 1) / (r + 1)
    (textbook).

    :raises ValueError: when the ratio is not above 0 dB.
    """
    if not extinction_ratio_db > 0.0:
        raise ValueError(f"an extinction ratio is above 0 dB, not {extinction_ratio_db}")
    r = 10.0 ** (extinction_ratio_db / 10.0)
    low, high = 2.0 / (r + 1.0), 2.0 * r / (r + 1.0)
    step = (high - low) / 3.0
    return low, low + step, high - step, high


STEADY = Modulation((1.0, 1.0, 1.0, 1.0))
"""Light without symbols: leakage of a transmitter that is off."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A part of the same light that went back and forth between two reflections and comes later.

    Attributes: ``field_ratio``: its field over the main one's; ``delay_ui`` how much later, in symbols (so
    late that its symbols have nothing to do with the main one's); ``phase_rad``: between the two fields, now.
    Taken in the same polarisation, the worst case.
    """

    field_ratio: float
    delay_ui: float
    phase_rad: float


@dataclass(frozen=True, slots=True)
class Beam:
    """Light of one laser.

    Attributes: ``source`` names it, uniquely in a world (``module.tx1``); ``power_w`` is the average here;
    ``signal``: what its symbols carry, None when nothing feeds the modulator; ``dispersion_ps_nm``: gathered
    on the way.
    """

    source: str
    power_w: float
    wavelength_nm: float
    signal: LineSignal | None = None
    modulation: Modulation = STEADY
    dispersion_ps_nm: float = 0.0
    echoes: tuple[Echo, ...] = field(default=())

    @property
    def oma_w(self) -> float:
        """OMAouter here, watts."""
        return self.power_w * self.modulation.oma_ratio

    def through(self, transmission: float) -> Beam:
        """Behind a loss.

        :raises ValueError: for a passive part that would amplify.
        """
        if not 0.0 <= transmission <= 1.0:
            raise ValueError(f"a passive part lets 0 to 1 of the light through, not {transmission}")
        return replace(self, power_w=self.power_w * transmission)


def total_power_w(beams: Iterable[Beam]) -> float:
    """Average power of all of them, watts."""
    return math.fsum(beam.power_w for beam in beams)


def mean_wavelength_nm(beams: Iterable[Beam]) -> float | None:
    """Power-weighted mean wavelength, nanometres; None in the dark."""
    total_w = weighted = 0.0
    for beam in beams:
        total_w += beam.power_w
        weighted += beam.power_w * beam.wavelength_nm
    return weighted / total_w if total_w > 0.0 else None


def strongest(beams: Iterable[Beam]) -> Beam | None:
    """The beam with the most average power. None in the dark."""
    return max((beam for beam in beams if beam.power_w > 0.0), key=lambda beam: beam.power_w, default=None)


def loudest(beams: Iterable[Beam]) -> Beam | None:
    """The beam with the most OMAouter: what a receiver and a clock recovery lock on, whatever steady light
    there is beside it. None in the dark and in light that nothing modulates."""
    best, best_w = None, 0.0
    for beam in beams:
        oma_w = beam.oma_w
        if oma_w > best_w:
            best, best_w = beam, oma_w
    return best


def loudest_oma_w(beams: Iterable[Beam]) -> float:
    """OMAouter of :func:`loudest`, watts; 0 without one."""
    beam = loudest(beams)
    return beam.oma_w if beam is not None else 0.0
