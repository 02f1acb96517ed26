"""Whether a module that is being measured runs away: gets hotter than the bench holds it, or draws the more
the hotter it is.

The thresholds are choices, and none of them is from a standard. They are to stop long before harm:
commercial modules shut themselves down about 15 K above their highest case temperature of 70 C, and a case
that is caught at :data:`TOO_HOT_K` above where it is wanted is below 80 C.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from drivers.clock import Clock
from drivers.interfaces import CaseSensor
from harness.conditions.conditioner import Conditioner

HARMLESS_C: Final = 45.0
"""A case below this is in no danger."""
WATCHED_FROM_C: Final = 40.0
"""At cooler corners a case whose air fails gets to :data:`HARMLESS_C` or little above it: it is not
looked at there."""
TOO_HOT_K: Final = 6.0
"""So far above where it is wanted, or four windows, a case is given up: twice what commands its air down
while it is being brought there."""
EXCESS_SHARE: Final = 1.15
GROWTH_SHARE: Final = 0.25
"""A module that draws more than this share of what it advertises, and of that more than this share on top of
the least it drew in the run, leaks: what is wrong with its consumption alone is wrong at each temperature."""
_KEPT: Final = 600


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at a time: bench time in seconds, case in Celsius, consumption in watts with its expanded
    uncertainty (k = 2)."""

    bench_time_s: float
    wanted_c: float
    case_c: float
    power_w: float
    power_uncertainty_w: float


@dataclass(frozen=True, slots=True)
class Runaway:
    """It runs away. ``by_module``: its consumption is above what it advertises, so that the heat is its own;
    without that, heat is not carried away, which is the bench's fault."""

    text: str
    by_module: bool
    timeline: tuple[Look, ...]

    def data(self) -> dict[str, Any]:
        """The time line as a record has it."""
        return {"timeline": [asdict(look) for look in self.timeline], "found": self.text}


class HeatGuard:
    """Looks at case sensor and supply, no more: the module's own monitors are judged, not trusted."""

    def __init__(
        self, clock: Clock, case_sensor: CaseSensor, conditioner: Conditioner, *, window_c: float
    ) -> None:
        self._clock = clock
        self._case_sensor = case_sensor
        self._conditioner = conditioner
        self._too_hot_k = max(TOO_HOT_K, 4.0 * window_c)
        self._least_w = math.inf
        self._seen: deque[Look] = deque(maxlen=_KEPT)

    def remember(self, power_w: float) -> None:
        """What it draws at a corner, read anyway: growth is held against the least."""
        self._least_w = min(self._least_w, power_w)

    def look(self, wanted_c: float, advertised_w: float | None) -> Runaway | None:
        """Read case and supply, and judge them. ``wanted_c``: where the case is to be; ``advertised_w``: what
        the module says that it draws at most; None: not known.

        :raises BenchError: when an instrument fails.
        """
        reading = self._conditioner.read_connector()
        look = Look(
            self._clock.now_s(),
            wanted_c,
            self._case_sensor.read_case_c(),
            reading.power_w,
            reading.power_uncertainty_w,
        )
        self._seen.append(look)
        grown_w = look.power_w - min(self._least_w, look.power_w)
        self._least_w = min(self._least_w, look.power_w)
        if look.case_c <= HARMLESS_C:
            return None
        at_most_w = advertised_w or math.inf
        by_module = look.power_w - look.power_uncertainty_w > at_most_w
        drawn = f"it draws {look.power_w:.2f} W" + (f" of {at_most_w:g} W advertised" if advertised_w else "")
        if look.case_c > max(wanted_c, HARMLESS_C) + self._too_hot_k:
            found = f"the case is at {look.case_c:.1f} C, wanted are {wanted_c:g} C; {drawn}"
        elif look.power_w > EXCESS_SHARE * at_most_w and grown_w > GROWTH_SHARE * at_most_w:
            found = f"{drawn} at {look.case_c:.1f} C, {grown_w:.2f} W more than at its coolest"
        else:
            return None
        return Runaway(found, by_module, tuple(self._seen))


__all__ = [
    "EXCESS_SHARE",
    "GROWTH_SHARE",
    "HARMLESS_C",
    "TOO_HOT_K",
    "WATCHED_FROM_C",
    "HeatGuard",
    "Look",
    "Runaway",
]
