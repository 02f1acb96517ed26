"""The case's temperature where the thermal source controls the air: the module's own heat keeps the case
above it, so the set point is trimmed by what the case sensor shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from drivers.clock import polls
from drivers.errors import NotSettledError, OutOfRangeError
from harness.bench import Bench
from harness.safety import make_all_safe

_POLL_S = 5.0
_LOOK_S = 30.0
"""How often it is judged where the case is heading; not before twice this."""
_STEADY_SHARE = 0.25
"""Of the window: two judgements that differ by more do not agree; a steady case moves by less in a look."""
_SPREAD_SHARE = 0.5
"""Of the window: what a steady case's readings of one look may lie apart, with the sensor's noise."""
_FINEST_STEP_C = 0.05
"""Half of the finest set point of a chamber: a smaller trim changes nothing."""
_TOO_HOT_K = 3.0
"""This far above where it is wanted, or two windows, the air is commanded down; twice as far, it is given
up. A driver's choice: below what a module is likely to be harmed by at the highest case temperature."""
_HARMLESS_C = 45.0
"""A case below this is in no danger, wherever it is wanted: one whose module was just powered in the room's
air gets 10 K warmer and more before the air has come down. A choice, well inside 0 to 70 C, the case
temperatures of commercial modules."""
_PROBE_K = 5.0
"""How far the air is warmed at most while it is not known whether the sensor follows it."""
_TELLING_SHARE = 0.8
_FOLLOWS_SHARE = 0.5
"""A sensor on the case moves by at least this share of what the air moved."""
_POWER_SHARE, _POWER_W = 0.1, 0.5
"""A module whose consumption changed by more than both has another rise above its air."""


@dataclass(frozen=True, slots=True)
class AirTrim:
    """One trim of the air's set point, and what it was for; Celsius."""

    case_temp_c: float
    case_temp_measured_c: float
    air_c: float
    set_point_c: float


@dataclass(slots=True)
class _Watch:
    """What was seen of the case since the air soaked at a set point."""

    seen: list[tuple[float, float]] = field(default_factory=list)
    final_c: float | None = None
    judged_s: float = 0.0

    def note(self, now_s: float, case_c: float) -> None:
        if not self.seen:
            self.judged_s = now_s + _LOOK_S
        self.seen.append((now_s, case_c))

    def agreed_c(self, within_c: float) -> float | None:
        """Where the case ends, when two judgements, a look apart, agree on it."""
        now_s, _ = self.seen[-1]
        if now_s - self.judged_s < _LOOK_S:
            return None
        before_c, self.final_c = self.final_c, final_c([case_c for _, case_c in self.seen])
        self.judged_s = now_s
        if before_c is None or self.final_c is None or abs(self.final_c - before_c) > within_c:
            return None
        return self.final_c

    def steady(self, window_c: float, dwell_s: float) -> bool:
        """Whether the case was seen for ``dwell_s`` and stood still for the last look."""
        now_s, now_c = self.seen[-1]
        last = [case_c for at_s, case_c in self.seen if now_s - at_s <= _LOOK_S]
        return (
            now_s - self.seen[0][0] >= dwell_s
            and abs(now_c - last[0]) <= _STEADY_SHARE * window_c
            and max(last) - min(last) <= _SPREAD_SHARE * window_c
        )


def final_c(readings_c: Sequence[float]) -> float | None:
    """Where readings at equal intervals end that approach a value as first-order lag does: by the means of
    their last, middle and first third, m, m - d2 and m - d2 - d1, at m + d2**2 / (d1 - d2) (Aitken's
    delta-squared process, textbook). Readings that do not go one way are taken to be there.

    None while they do not slow down: where they end cannot be told.
    """
    size = len(readings_c) // 3
    if not size:
        return None
    first, middle, last = (math.fsum(readings_c[-n * size :][:size]) / size for n in (3, 2, 1))
    d1, d2 = middle - first, last - middle
    if d1 * d2 <= 0.0:
        return last
    if abs(d2) >= abs(d1):
        return None
    return last + d2**2 / (d1 - d2)


class CaseInAir:
    """Brings the case to temperatures through the air. It remembers the last trim, with which the next visit
    begins, unless ``module_power_w()`` says that the module's consumption changed. Before any is known a case
    is not heated by air of its target's temperature, which would bring it above: the air begins where it is,
    or ``largest_trim`` below.

    The module's own temperature monitor is not looked at here: it is of the module that is judged.
    """

    def __init__(
        self,
        bench: Bench,
        module_power_w: Callable[[], float],
        at_temperature: Callable[[], bool] | None = None,
    ) -> None:
        self._bench = bench
        self._module_power_w = module_power_w
        self._at_temperature = at_temperature or bench.thermal.at_temperature
        self._trim_c: float | None = None
        self._trimmed_at_w = 0.0

    def reach(
        self, case_temp_c: float, noted: Callable[[AirTrim], None], too_late: Callable[[], NotSettledError]
    ) -> None:
        """Return when the air has soaked, and the case is steady and heading for where it is, within the
        window. Air and case soak anew after each trim, all within the bench file's time limit.

        A case above 45 C that gets more than 3 K (or two windows) above where it is wanted has its air
        commanded down at once, and when it gets twice as far it is given up. Whatever exception ends this,
        the thermal source is made safe: air to ambient, read back.

        :raises OutOfRangeError: for a temperature that no trim can reach; nothing was set.
        :raises NotSettledError: when the trim that it takes is beyond the source's range or the bench file's
            ``largest_trim``; when the case gets hotter all the same, or its sensor does not follow the air;
            ``too_late()``, when the time is over.
        """
        spec = self._bench.spec.thermal
        low_c, high_c = self._bench.thermal.temperature_range_c
        if not low_c - spec.largest_trim_c <= case_temp_c <= high_c + spec.largest_trim_c:
            raise OutOfRangeError(
                "thermal",
                f"no air of {low_c:g} to {high_c:g} C brings the case to {case_temp_c:g} C with a trim of "
                f"{spec.largest_trim_c:g} K; nothing was set",
            )
        power_w = self._module_power_w()
        changed_w = abs(power_w - self._trimmed_at_w)
        trim_c, self._trim_c = self._trim_c, None
        if changed_w > max(_POWER_W, _POWER_SHARE * self._trimmed_at_w):
            trim_c = None
        try:
            set_c = self._approach(case_temp_c, trim_c, noted, too_late)
            self._trimmed_at_w = self._module_power_w()
        except BaseException as fault:
            self._to_ambient(fault)
            raise
        self._trim_c = set_c - case_temp_c

    def _approach(
        self,
        case_temp_c: float,
        trim_c: float | None,
        noted: Callable[[AirTrim], None],
        too_late: Callable[[], NotSettledError],
    ) -> float:
        """The set point with which the case is there."""
        bench, spec = self._bench, self._bench.spec.thermal
        dwell_s = max(spec.soak_s, _LOOK_S)
        margin_k = max(2.0 * spec.window_c, _TOO_HOT_K)
        air_c, lowest_c = bench.thermal.read_air_c(), bench.case_sensor.read_case_c()
        begun, probed = (air_c, lowest_c), False
        first_c = min(air_c, case_temp_c) if trim_c is None else min(case_temp_c + trim_c, case_temp_c)
        set_c = self._start(case_temp_c, first_c)
        watch = _Watch()
        for _ in polls(bench.clock, bench.clock.now_s() + spec.time_limit_s, _POLL_S):
            soaked = self._at_temperature()
            case_c, now_s = bench.case_sensor.read_case_c(), bench.clock.now_s()
            lowest_c = min(lowest_c, case_c)
            # A case that comes down from above is not too hot, unless it turns round.
            above_k = case_c - max(case_temp_c, lowest_c, _HARMLESS_C)
            if above_k > 2.0 * margin_k:
                raise self._too_hot(case_temp_c, case_c, set_c)
            coolest_c = self._bounded(case_temp_c, case_temp_c - spec.largest_trim_c)
            if above_k > margin_k and set_c - coolest_c >= _FINEST_STEP_C:
                air_c = bench.thermal.read_air_c()
                set_c = self._start(case_temp_c, coolest_c)
                noted(AirTrim(case_temp_c, case_c, air_c, set_c))
                watch = _Watch()
                continue
            if not soaked:
                watch = _Watch()
                continue
            watch.note(now_s, case_c)
            ends_c = watch.agreed_c(_STEADY_SHARE * spec.window_c)
            if ends_c is None:
                continue
            off_c = ends_c - case_temp_c
            if abs(off_c) <= spec.window_c:
                if abs(case_c - case_temp_c) <= spec.window_c and watch.steady(spec.window_c, dwell_s):
                    return set_c
                continue
            air_c = bench.thermal.read_air_c()
            trimmed_c = self._bounded(case_temp_c, set_c - off_c)
            if abs(trimmed_c - set_c) < _FINEST_STEP_C:
                raise self._out_of_reach(case_temp_c, ends_c, air_c, set_c - off_c)
            follows = _follows(begun, (air_c, ends_c))
            if trimmed_c > set_c and not follows:
                if probed and follows is False:
                    raise self._not_on_the_case(begun, (air_c, ends_c))
                if not probed:
                    # Perhaps it had not come to rest when it was first looked at: from here on it has.
                    begun, probed = (air_c, ends_c), True
                trimmed_c = min(trimmed_c, begun[0] + _PROBE_K)
            set_c = self._start(case_temp_c, trimmed_c)
            noted(AirTrim(case_temp_c, ends_c, air_c, set_c))
            watch = _Watch()
        raise too_late()

    def _to_ambient(self, fault: BaseException) -> None:
        """Nobody watches the case any more. A stop that was asked for waits meanwhile."""
        thermal = self._bench.thermal
        with self._bench.stop.shield():
            for result in make_all_safe([[("thermal", thermal.make_safe)]]):
                fault.add_note(f"thermal: {result.step.action}: {result.step.read_back}")

    def _start(self, case_temp_c: float, set_c: float) -> float:
        spec = self._bench.spec.thermal
        bounded_c = self._bounded(case_temp_c, set_c)
        self._bench.thermal.start_setpoint_c(bounded_c, window_c=spec.window_c, soak_s=spec.soak_s)
        return bounded_c

    def _bounded(self, case_temp_c: float, set_c: float) -> float:
        low_c, high_c = self._bench.thermal.temperature_range_c
        largest_c = self._bench.spec.thermal.largest_trim_c
        near_c = min(max(set_c, case_temp_c - largest_c), case_temp_c + largest_c)
        return min(max(near_c, low_c), high_c)

    def _too_hot(self, case_temp_c: float, case_c: float, set_c: float) -> NotSettledError:
        return NotSettledError(
            "thermal",
            f"the case is at {case_c:.1f} C on its way to {case_temp_c:g} C and gets hotter, though the air "
            f"was set down to {set_c:.1f} C; the air was commanded to ambient",
            advice="Check the air flow over the module, and whether its consumption rises.",
        )

    def _not_on_the_case(self, begun: tuple[float, float], ended: tuple[float, float]) -> NotSettledError:
        return NotSettledError(
            "case_sensor",
            f"it went from {begun[1]:.1f} C to {ended[1]:.1f} C while the air went from {begun[0]:.1f} C to "
            f"{ended[0]:.1f} C: it does not follow the air, which was not warmed any more",
            advice="Check that the sensor is on the case, and that the air flows over the module.",
        )

    def _out_of_reach(
        self, case_temp_c: float, case_c: float, air_c: float, wanted_c: float
    ) -> NotSettledError:
        low_c, high_c = self._bench.thermal.temperature_range_c
        return NotSettledError(
            "thermal",
            f"the case stays at {case_c:.1f} C in air of {air_c:.1f} C; for {case_temp_c:g} C the air would "
            f"have to be at {wanted_c:.1f} C, which is outside {low_c:g} to {high_c:g} C or more than "
            f"{self._bench.spec.thermal.largest_trim_c:g} K away",
            advice="Check the sensor on the case and the air over it, then the source's limits and "
            "thermal.largest_trim in the bench file.",
        )


def _follows(begun: tuple[float, float], ended: tuple[float, float]) -> bool | None:
    """Whether the case (second of each) went where the air went; None: the air went too little to tell."""
    air_k, case_k = ended[0] - begun[0], ended[1] - begun[1]
    if abs(air_k) < _TELLING_SHARE * _PROBE_K:
        return None
    return case_k / air_k >= _FOLLOWS_SHARE
