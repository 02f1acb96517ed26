"""Waterfalls of all lanes at once, against the level that the taps show, and what is read off them.

Practice: all lanes running; 0.5 dB a step until about 1e-6, then 0.1 dB until the limit is passed, each lane
by its own attenuator's channel; interpolated in Q.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.cmis.module_prbs import ModulePrbs
from drivers.units import db_from_ratio, dbm_from_w
from harness.acquisitions.receiver.counting import Counted, count
from harness.acquisitions.receiver.light import ReceiverLight
from harness.signal.error_ratio import ber_of_q, q_of_ber
from harness.signal.waterfall import sensitivity

COARSE_DB, FINE_DB = 0.5, 0.1
FINE_FROM_BER = 1e-6
_BEYOND = 2
"""Points beyond the limit, so that it stands between points."""
_MOST_STEPS = 120
_AT_THE_END_DB = 0.05


@dataclass(frozen=True, slots=True)
class Threshold:
    """Level at which a bit error ratio is reached, dBm at TP3. ``interval_db``: half width of the 95 %
    interval by the counts alone. ``bound``: why the level is only a bound of it ("": it is none).
    ``lowest_ber``: at the highest level counted; an error floor is no higher. None: with a bound."""

    level_dbm: float
    interval_db: float
    bound: str = ""
    lowest_ber: float | None = None


def waterfall(
    light: ReceiverLight,
    checker: ModulePrbs,
    lanes: Sequence[int],
    start_dbm: Mapping[int, float],
    threshold_ber: float,
    *,
    at_start: Callable[[Mapping[int, float]], None] = lambda _levels: None,
) -> dict[int, list[Counted]]:
    """Attenuate from ``start_dbm`` on, until the ratio is passed on every lane; a lane that is beyond it at
    the start gets more light instead. ``at_start`` is called at the first levels, once errors were counted
    there.

    :raises CmisError: when the module does not answer as it must.
    :raises BenchError: when an instrument fails, or a lane's light does not arrive.
    """
    found: dict[int, list[Counted]] = {lane: [] for lane in lanes}
    highest = light.highest_dbm
    targets = {lane: min(start_dbm[lane], highest[lane]) for lane in lanes}
    light.set_levels(targets)
    light.require_arriving(light.read_levels(), targets)
    active = list(lanes)
    for step in range(_MOST_STEPS):
        light.set_levels({lane: targets[lane] for lane in active})
        levels = light.read_levels()
        counted = count(checker, active, levels)
        if step == 0:
            at_start(levels)
        highest = light.highest_dbm
        for lane in list(active):
            found[lane].append(counted[lane])
            following = _next(found[lane], targets[lane], highest[lane], threshold_ber)
            if following is None:
                active.remove(lane)
            else:
                targets[lane] = following
        if not active:
            break
    return found


def _next(
    counted: Sequence[Counted], target_dbm: float, highest_dbm: float, threshold: float
) -> float | None:
    """The next level of a lane; None when it is done."""
    last = counted[-1]
    if counted[0].ber >= threshold:  # too little light for it at the start
        if last.ber < threshold or target_dbm > highest_dbm - _AT_THE_END_DB:
            return None
        return min(target_dbm + COARSE_DB, highest_dbm)
    if not last.locked or sum(one.ber >= threshold for one in counted) >= _BEYOND:
        return None
    if last.level_dbm - target_dbm > COARSE_DB:  # the attenuator is at its end
        return None
    return target_dbm - (FINE_DB if last.ber >= FINE_FROM_BER else COARSE_DB)


def threshold_of(counted: Sequence[Counted], ber: float) -> Threshold:
    """Where a lane's bit error ratio is ``ber``, interpolated in Q; or a bound of it.

    :raises SignalError: when the counts do not tell.
    """
    ordered = sorted(counted, key=lambda one: one.level_dbm)
    below = [one for one in ordered if one.ber < ber]
    if not below:
        highest = ordered[-1].level_dbm
        return Threshold(
            highest,
            0.0,
            f"above this, the highest level of the bench: {ordered[-1].ber:.2g} errors per bit there",
        )
    lost = [one for one in ordered if not one.locked and one.level_dbm < below[0].level_dbm]
    if not any(one.locked and one.ber >= ber for one in ordered):
        why = "the checker lost its lock" if lost else "the attenuation ended"
        return Threshold(below[0].level_dbm, 0.0, f"{why} below this level, before the ratio was reached")
    points = [one.point for one in ordered if one.point is not None]
    found = sensitivity(points, ber)
    low, high = found.interval_w.low, found.interval_w.high
    half_db = 0.5 * db_from_ratio(high / low) if low > 0.0 else math.inf
    return Threshold(dbm_from_w(found.oma_w), half_db, "", ordered[-1].ber)


def ber_uncertainty(one: Counted, level_uncertainty_db: float) -> tuple[float, float]:
    """What a ratio owes to the level's expanded uncertainty, q being proportional to OMA (thermal noise,
    textbook), on the side where it is more; and to the counts (k = 2; three errors where there are few)."""
    counts = max(2.0 * math.sqrt(one.errors), 3.0) / one.bits if one.bits else 0.0
    if not 0.0 < one.ber < 0.3:
        return 0.0, counts
    q = q_of_ber(one.ber)
    less = ber_of_q(q * 10.0 ** (-level_uncertainty_db / 10.0))
    return less - one.ber, counts
