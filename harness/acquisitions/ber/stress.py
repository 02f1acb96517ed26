"""So little light on each lane that its errors can be counted, and their statistics seen.

Each lane is brought to a bit error ratio of its own choosing: 1/q^2 = a / P^2 + c, noise that does not grow
with power and a floor (textbook, harness.signal.waterfall), by the two last readings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.acquisitions.ber.counts import Count
from harness.acquisitions.ber.settings import FecSettings
from harness.acquisitions.receiver.light import ReceiverLight
from harness.signal.error_ratio import CLOSED_BER, q_of_ber

_FEWEST = 30
"""Errors from which on a ratio is known well enough to go by (18 % rms, some hundredths of a dB)."""
TAP_READINGS = 8
"""Of 0.1 s each, at every step: light that wanders by 0.01 dB is then known to some thousandths."""
_BLIND_DB = 2.0
_MOST_DB = 2.5
"""One step: beyond it a lane may lose its lock."""


@dataclass(frozen=True, slots=True)
class Stressed:
    """By lane: level at TP3 (dBm, by the tap) and what was counted there. ``steps``: all that was tried."""

    levels_dbm: Mapping[int, float]
    counts: Mapping[int, Count]
    reached: Mapping[int, bool]
    steps: list[dict[str, dict[str, float | None]]] = field(default_factory=list)


def bring_to(light: ReceiverLight, count: Callable[[], Mapping[int, Count]], want: FecSettings) -> Stressed:
    """Attenuate until each lane's ratio is ``want.stressed_ber``, within ``want.stressed_within``. A lane
    that is worse with all the light there is stays there.

    :raises BenchError: when an instrument fails, or by the interlock.
    :raises CmisError: when the module does not answer as it must.
    """
    highest = light.highest_dbm
    levels = light.read_levels()
    steps: list[dict[str, dict[str, float | None]]] = []
    known: dict[int, list[tuple[float, float]]] = {lane: [] for lane in levels}
    counts: Mapping[int, Count] = {}
    reached: dict[int, bool] = {}
    for step in range(want.steps + 1):
        counts = count()
        levels = light.read_levels(TAP_READINGS)
        steps.append(
            {
                "level_dbm": {str(lane): level for lane, level in levels.items()},
                "ber": {str(lane): counts[lane].ber for lane in levels},
            }
        )
        reached = {lane: _there(counts[lane], want) for lane in levels}
        targets: dict[int, float] = {}
        for lane, level in levels.items():
            ratio = counts[lane].ber
            if reached[lane] or light.ways[lane].channel is None:
                continue
            target = _next_dbm(level, counts[lane], known[lane], want)
            if ratio is not None and ratio > want.stressed_ber and level >= highest[lane] - 0.05:
                continue
            targets[lane] = min(target, highest[lane])
        if not targets or step == want.steps:
            break
        light.set_levels(targets)
    return Stressed(levels, counts, reached, steps)


def per_db(ber: float) -> float:
    """By how much ln(BER) falls with a decibel of light, where noise does not grow with power:
    q^2 ln(10) / 10 (textbook, of a Gaussian tail). Near a floor it is less: see :data:`LEAST_SLOPE`."""
    return q_of_ber(min(max(ber, 1e-15), 0.3)) ** 2 * math.log(10.0) / 10.0


LEAST_SLOPE = 0.6
"""Share of :func:`per_db` that is left at 1e-4 where a floor is at 1e-10."""


def _there(count: Count, want: FecSettings) -> bool:
    ratio = count.ber
    if ratio is None or ratio <= 0.0:
        return False
    return abs(math.log(ratio / want.stressed_ber)) <= math.log(want.stressed_within)


def _next_dbm(level_dbm: float, count: Count, known: list[tuple[float, float]], want: FecSettings) -> float:
    ratio = count.ber
    if ratio is None or ratio >= 0.9 * CLOSED_BER:
        return level_dbm + 1.0  # out of lock: more light
    if count.errors < _FEWEST:
        return level_dbm - _BLIND_DB
    wanted_q, q = q_of_ber(want.stressed_ber), q_of_ber(ratio)
    known.append((level_dbm, q))
    step_db = 10.0 * math.log10(wanted_q / q)
    if len(known) > 1:
        (one_dbm, one_q), (other_dbm, other_q) = known[-2:]
        x, y = (10.0 ** (-dbm / 5.0) for dbm in (one_dbm, other_dbm))
        if x != y:
            a = (one_q**-2 - other_q**-2) / (x - y)
            c = one_q**-2 - a * x
            if a > 0.0 and wanted_q**-2 > c:
                step_db = -5.0 * math.log10((wanted_q**-2 - c) / a) - level_dbm
    return level_dbm + min(max(step_db, -_MOST_DB), _MOST_DB)
