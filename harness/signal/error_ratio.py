"""Error ratios of Gray-coded PAM4 in Gaussian noise (textbook).

q is the distance from a level to its threshold over the rms noise, OMA / (6 sigma) for even levels. Three
thresholds err both ways, six chances to four levels: SER = 1.5 Q(q); with Gray coding one of a symbol's two
bits is then wrong: BER = 0.75 Q(q). Errors by more than one level are left out.
"""

from __future__ import annotations

import math
from typing import Final

from harness.signal.gaussian import tail_inverse

CLOSED_BER: Final = 0.375
"""Bit error ratio at q = 0, where the formulas end."""


def q_of_ber(bit_error_ratio: float) -> float:
    """q at a bit error ratio: 3.414 at 2.4e-4.

    :raises ValueError: when the ratio is not above 0 and at most 0.375.
    """
    if not 0.0 < bit_error_ratio <= CLOSED_BER:
        raise ValueError(f"PAM4 has a q for bit error ratios above 0 up to 0.375, got {bit_error_ratio}")
    return tail_inverse(bit_error_ratio / 0.75)


def ber_of_q(q: float) -> float:
    """Bit error ratio, 0.75 Q(q), for q from 0 to infinity."""
    return 0.75 * _tail(q)


def ser_of_q(q: float) -> float:
    """Symbol error ratio, 1.5 Q(q), for q from 0 to infinity."""
    return 1.5 * _tail(q)


def snr_db_of_q(q: float) -> float:
    """Signal-to-noise ratio, 10 log10(5 q^2): mean square of four even, equally frequent levels about their
    average, 5 OMA^2 / 36, over that of the noise."""
    if not q > 0.0:
        raise ValueError(f"q must be above zero, got {q}")
    return 10.0 * math.log10(5.0 * q * q)


def snr_db_of_ber(bit_error_ratio: float) -> float:
    """Signal-to-noise ratio at a bit error ratio: 17.655 dB at 2.4e-4; errors of :func:`q_of_ber`."""
    return snr_db_of_q(q_of_ber(bit_error_ratio))


def _tail(q: float) -> float:
    if not q >= 0.0:
        raise ValueError(f"q must not be below zero, got {q}")
    return 0.5 * math.erfc(q / math.sqrt(2.0))
