"""Relative intensity noise with respect to the modulation, RIN_OMA (52.9.6 as used by 121.8.9 and
124.8.9)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from harness.signal.pam4 import OuterLevels
from harness.signal.waveform import SignalError, Waveform, require_aligned

Definition = Literal["modulation_power", "oma"]
"""What the noise power is held against. ``modulation_power``: that of the square wave, (OMA/2)^2, as clause
52.9.6 measures it with an electrical power meter. ``oma``: OMA^2, 6.02 dB lower, as some oscilloscopes do
unless told otherwise. Uncertain: the clause is known from descriptions only, and both readings are in use; a
value is worth nothing without its definition."""

RUN: Final = 8
"""Symbols of each level in the square wave: eight threes, eight zeros (recalled, not read)."""


def rin_oma_db_hz(
    noise_w: float,
    oma_w: float,
    noise_bandwidth_hz: float,
    *,
    scope_noise_w: float = 0.0,
    definition: Definition = "modulation_power",
) -> float:
    """RIN_OMA in dB/Hz.

    :param noise_w: rms optical power noise of the transmitter and the oscilloscope together.
    :param noise_bandwidth_hz: equivalent noise bandwidth of the receiver
        (:func:`harness.signal.filters.noise_bandwidth_hz`), not its -3 dB bandwidth.
    :param scope_noise_w: rms noise of the oscilloscope alone, taken off as a power.
    :raises SignalError: when the oscilloscope's noise hides that of the transmitter.
    :raises ValueError: when OMA or the bandwidth is not above zero.
    """
    if not (oma_w > 0.0 and noise_bandwidth_hz > 0.0):
        raise ValueError(f"OMA and bandwidth must be above zero, got {oma_w} W and {noise_bandwidth_hz} Hz")
    own = noise_w**2 - scope_noise_w**2
    if not own > 0.0:
        raise SignalError(
            f"the noise of {noise_w:.3g} W is not above the oscilloscope's own {scope_noise_w:.3g} W: "
            "RIN is below what this oscilloscope can see at this power"
        )
    return 10.0 * math.log10(own / (_reference_w(oma_w, definition) ** 2 * noise_bandwidth_hz))


def noise_of_rin_w(
    rin_db_hz: float, oma_w: float, noise_bandwidth_hz: float, *, definition: Definition = "modulation_power"
) -> float:
    """The rms optical power noise, in watts, that a RIN_OMA in dB/Hz means in a noise bandwidth."""
    return _reference_w(oma_w, definition) * math.sqrt(10.0 ** (rin_db_hz / 10.0) * noise_bandwidth_hz)


def rin_oma_of_laser_db_hz(
    rin_db_hz: float, extinction_ratio_db: float, *, definition: Definition = "modulation_power"
) -> float:
    """RIN_OMA in dB/Hz that a laser's own RIN shows at an extinction ratio.

    The laser's RIN is its noise relative to the momentary average power, so that each outer level carries
    noise in proportion to its own power: the mean of the two squares, RIN (P3^2 + P0^2) / 2, is held against
    (OMA/2)^2 or OMA^2. With r = P3 / P0 that adds 10 log10(2 (r^2 + 1) / (r - 1)^2) by ``modulation_power``
    and 6.02 dB less by ``oma``: 3.01 and -3.01 dB when the zeros are dark. A model (textbook); a clause that
    says so is not known.

    :param rin_db_hz: of the laser, white over the receiver's band.
    :raises ValueError: for an extinction ratio that is not above zero.
    """
    if not extinction_ratio_db > 0.0:
        raise ValueError(f"an extinction ratio must be above zero dB, got {extinction_ratio_db}")
    # In units of P3: far down, the zeros are dark and nothing overflows.
    zero = 10.0 ** (-extinction_ratio_db / 10.0)
    reference = _reference_w(1.0 - zero, definition)
    return rin_db_hz + 10.0 * math.log10(0.5 * (1.0 + zero**2) / reference**2)


@dataclass(frozen=True, slots=True)
class SquareWave:
    """What a record of the RIN square wave shows."""

    outer: OuterLevels
    """The two levels where they have settled."""
    noise_low_w: float
    """Standard deviation on the zeros from one period to another, in watts."""
    noise_high_w: float
    """The same on the threes."""

    @property
    def noise_w(self) -> float:
        """Both together: the root of the mean of their squares."""
        return math.sqrt(0.5 * (self.noise_low_w**2 + self.noise_high_w**2))


def square_wave(waveform: Waveform, *, run: int = RUN, settled_ui: float = 4.0) -> SquareWave:
    """Levels and noise of a square wave of ``run`` threes and ``run`` zeros; the threes come first.

    The record is periods of it one behind the other, lined up (:func:`harness.signal.waveform.aligned`), with
    independent noise. Noise is what differs from one period to the next at the same place, so that droop and
    ringing do not count.

    :param settled_ui: length in the middle of each run that counts.
    :raises SignalError: when the record is not at least two periods of the square wave.
    """
    if not 0.0 < settled_ui <= run:
        raise ValueError(f"the settled part must be within the run of {run} UI, got {settled_ui}")
    symbols = np.repeat(np.array([3, 0], dtype=np.uint8), run)
    expected = require_aligned(waveform, symbols)
    periods = expected.size // symbols.size
    per_period = waveform.samples_w.size / periods
    if periods < 2 or per_period != round(per_period):
        raise SignalError(
            f"noise needs two periods of the square wave at least, of whole samples; got {periods}"
        )
    # The record's own samples: interpolation would average noise away.
    powers = waveform.samples_w.reshape(periods, -1)
    times = (
        waveform.start_ui + np.arange(powers.shape[1]) * (waveform.symbols / waveform.samples_w.size)
    ) % (2 * run)
    means, noises = [], []
    for middle in (0.5 * run, 1.5 * run):
        inside = powers[:, np.abs(times - middle) <= 0.5 * settled_ui]
        if not inside.shape[1]:
            raise SignalError(f"no sample lies within {settled_ui} UI of the middle of the runs")
        means.append(float(inside.mean()))
        noises.append(math.sqrt(float(inside.var(axis=0, ddof=1).mean())))
    return SquareWave(
        OuterLevels(p0_w=means[1], p3_w=means[0]), noise_low_w=noises[1], noise_high_w=noises[0]
    )


def _reference_w(oma_w: float, definition: Definition) -> float:
    return 0.5 * oma_w if definition == "modulation_power" else oma_w
