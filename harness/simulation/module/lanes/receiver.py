"""A receiver's errors from the average power of its light: a provisional model.

A placeholder until waveforms are simulated: it knows no OMA, extinction ratio, dispersion, equaliser, jitter
or overload. The light is taken as ideal PAM4 (four equidistant levels, Gray code) with Gaussian noise that is
the same on all levels: one part constant (thermal), one part in proportion to the light (intensity noise,
the error floor). With Q the distance from a level to its threshold over the rms noise,

* 1/Q^2 = 1/(k P)^2 + 1/Qbest^2, with k such that 2.4e-4 of the bits are wrong at the sensitivity,
* symbols are wrong with 3/4 erfc(Q / sqrt 2), bits with half of that,
* SNR is 5 Q^2: the levels are at 1 and 3 distances on both sides of their mean,
* LTP, the histogram's density at a level over that midway to the next, is exp(Q^2 / 2) / 2.

More light is never worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from drivers.units import w_from_dbm
from harness.simulation.module.profile.optics import ReceiverProfile

SENSITIVITY_BER = 2.4e-4
"""Bit error ratio at which sensitivities are stated: what KP4 FEC corrects."""

_SENSITIVITY_Q = -NormalDist().inv_cdf(SENSITIVITY_BER / 0.75)
_CODEWORD_SYMBOLS, _CORRECTABLE, _SYMBOL_BITS = 544, 15, 10

_NO_FRAME_ERRORS_BER = 1e-6  # below: less than one codeword in 1e40

CODEWORD_BITS = _CODEWORD_SYMBOLS * _SYMBOL_BITS
"""Bits of a KP4 codeword: RS(544,514) over 10-bit symbols."""


@dataclass(frozen=True, slots=True)
class ReceiverLane:
    """One lane: ``q_per_w`` is Q per watt without intensity noise, ``best_q`` what no light exceeds;
    ``snr_error_db``: how wrong the module's own measurement of it is."""

    q_per_w: float
    best_q: float
    snr_error_db: float = 0.0

    def q_factor(self, power_w: float) -> float:
        """Q at an average power."""
        thermal = self.q_per_w * power_w
        return thermal / math.sqrt(1.0 + (thermal / self.best_q) ** 2)


def draw_receivers(
    profile: ReceiverProfile, media_lanes: int, uniform: Callable[[str, int], float]
) -> tuple[ReceiverLane, ...]:
    """The receivers of a specimen; ``uniform(key, lane)`` in (0, 1) draws each lane's sensitivity."""
    lanes = []
    for lane in range(1, media_lanes + 1):
        spread_db = profile.sensitivity_spread_db * (2.0 * uniform("receiver sensitivity", lane) - 1.0)
        sensitivity_w = w_from_dbm(profile.sensitivity_dbm + spread_db)
        thermal_q = _SENSITIVITY_Q / math.sqrt(1.0 - (_SENSITIVITY_Q / profile.best_q) ** 2)
        error_db = profile.snr_error_db * (2.0 * uniform("snr monitor", lane) - 1.0)
        lanes.append(ReceiverLane(thermal_q / sensitivity_w, profile.best_q, error_db))
    return tuple(lanes)


def bit_error_ratio(q: float) -> float:
    """Share of wrong bits: 3/8 erfc(Q / sqrt 2)."""
    return 0.375 * math.erfc(q / math.sqrt(2.0))


def snr_db(q: float) -> float:
    """Signal to noise ratio: 10 lg(5 Q^2); 0 in the dark, never below."""
    return max(0.0, 10.0 * math.log10(5.0 * q * q)) if q > 0.0 else 0.0


def level_transition_db(q: float) -> float:
    """LTP: 10 lg(exp(Q^2 / 2) / 2), never below 0."""
    return max(0.0, 10.0 * (q * q / 2.0 * math.log10(math.e) - math.log10(2.0)))


def frame_error_ratio(bers: Sequence[float]) -> float:
    """Share of KP4 codewords with more wrong symbols than can be corrected, of codewords spread evenly over
    lanes with these bit error ratios; errors are taken as independent."""
    mean_ber = min(1.0, sum(bers) / len(bers))
    if mean_ber < _NO_FRAME_ERRORS_BER:
        return 0.0
    wrong = 1.0 - (1.0 - mean_ber) ** _SYMBOL_BITS
    if wrong >= 1.0:
        return 1.0
    odds = wrong / (1.0 - wrong)
    if _CODEWORD_SYMBOLS * wrong > _CORRECTABLE:
        return 1.0 - sum(_exactly(errors, wrong) for errors in range(_CORRECTABLE + 1))
    total = 0.0
    term = _exactly(_CORRECTABLE + 1, wrong)
    for errors in range(_CORRECTABLE + 1, _CODEWORD_SYMBOLS):
        total += term
        term *= (_CODEWORD_SYMBOLS - errors) / (errors + 1) * odds
        if term < 1e-12 * total:
            break
    return total


def _exactly(errors: int, wrong: float) -> float:
    """Chance of this many wrong symbols in a codeword."""
    good = _CODEWORD_SYMBOLS - errors
    return math.comb(_CODEWORD_SYMBOLS, errors) * wrong**errors * (1.0 - wrong) ** good
