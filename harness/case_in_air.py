"""The case's temperature where the thermal source controls the air: the module's own heat keeps the case
above it, so the set point is trimmed by what the case sensor shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.clock import polls
from drivers.errors import NotSettledError, OutOfRangeError
from harness.bench import Bench

_POLL_S = 5.0
_STEADY_S = 30.0
"""A case is looked at for the soak time, and at least as long as this: its lag in moving air."""
_STEADY_SHARE = 0.25
"""A case that moves by less than this share of the window meanwhile is called steady."""
_FINEST_STEP_C = 0.05
"""Half of the finest set point of a chamber: a smaller trim changes nothing."""


@dataclass(frozen=True, slots=True)
class AirTrim:
    """One trim of the air's set point, and what it was for; Celsius."""

    case_temp_c: float
    case_temp_measured_c: float
    air_c: float
    set_point_c: float


class CaseInAir:
    """Brings the case to temperatures through the air. It remembers the last trim, with which the next visit
    begins. Before any is known a case is not heated by air of its target's temperature, which would bring it
    above: the air begins where it is, or ``largest_trim`` below."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._trim_c: float | None = None

    def reach(
        self, case_temp_c: float, noted: Callable[[AirTrim], None], too_late: Callable[[], NotSettledError]
    ) -> None:
        """Return when the air has soaked, and the case is steady within the window. Air and case soak anew
        after each trim, all within the bench file's time limit.

        :raises OutOfRangeError: for a temperature that no trim can reach; nothing was set.
        :raises NotSettledError: when the trim that it takes is beyond the source's range or the bench file's
            ``largest_trim``; ``too_late()``, when the time is over.
        """
        bench, spec = self._bench, self._bench.spec.thermal
        low_c, high_c = bench.thermal.temperature_range_c
        if not low_c - spec.largest_trim_c <= case_temp_c <= high_c + spec.largest_trim_c:
            raise OutOfRangeError(
                "thermal",
                f"no air of {low_c:g} to {high_c:g} C brings the case to {case_temp_c:g} C with a trim of "
                f"{spec.largest_trim_c:g} K; nothing was set",
            )
        set_c = self._start(case_temp_c, self._first_c(case_temp_c))
        seen_c, seen_s = bench.case_sensor.read_case_c(), bench.clock.now_s()
        dwell_s = max(spec.soak_s, _STEADY_S)
        for _ in polls(bench.clock, seen_s + spec.time_limit_s, _POLL_S):
            soaked = bench.thermal.at_temperature()
            case_c, now_s = bench.case_sensor.read_case_c(), bench.clock.now_s()
            if now_s - seen_s < dwell_s:
                continue
            steady = soaked and abs(case_c - seen_c) <= _STEADY_SHARE * spec.window_c
            seen_c, seen_s = case_c, now_s
            if not steady:
                continue
            off_c = case_c - case_temp_c
            if abs(off_c) <= spec.window_c:
                self._trim_c = set_c - case_temp_c
                return
            air_c = bench.thermal.read_air_c()
            trimmed_c = self._bounded(case_temp_c, set_c - off_c)
            if abs(trimmed_c - set_c) < _FINEST_STEP_C:
                raise self._out_of_reach(case_temp_c, case_c, air_c, set_c - off_c)
            set_c = self._start(case_temp_c, trimmed_c)
            noted(AirTrim(case_temp_c, case_c, air_c, set_c))
            seen_s = bench.clock.now_s()
        raise too_late()

    def _first_c(self, case_temp_c: float) -> float:
        if self._trim_c is not None:
            return case_temp_c + self._trim_c
        return min(self._bench.thermal.read_air_c(), case_temp_c)

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
