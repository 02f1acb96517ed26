"""A source that controls the air: its set point is trimmed until the case is where it is wanted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from drivers.clock import StopFlag
from drivers.errors import NotSettledError, OutOfRangeError
from harness.bench import Bench
from harness.benchfile import find_bench_file, load_bench
from harness.case_in_air import AirTrim
from harness.conditions import Conditioner

SPEC = load_bench(find_bench_file("sim-dr4"))


class FakeChamber:
    """Air that moves at a rate, a case that follows it with a lag, a sensor on the case. The case ends up
    ``rise_c`` above the air."""

    name = "thermal"
    controls = "air"
    temperature_range_c = (-20.0, 80.0)
    rate_c_per_s = math.inf
    lag_s = 1e-3

    def __init__(self, clock, rise_c: float) -> None:
        self.clock = clock
        self.rise_c = rise_c
        self.told: list[float] = []
        self.soaks: list[float] = []
        self.air_c = 23.0
        self.case_c = 23.0 + rise_c
        self.hottest_c = self.case_c
        self._set_c = 23.0
        self._at_s = clock.now_s()
        self._inside_since_s: float | None = None
        self._window_c = self._soak_s = 0.0

    def _follow(self) -> None:
        while self._at_s < self.clock.now_s() - 1e-9:
            step_s = min(1.0, self.clock.now_s() - self._at_s)
            most_c = self.rate_c_per_s * step_s
            self.air_c += max(-most_c, min(most_c, self._set_c - self.air_c))
            way_c = self.air_c + self.rise_c - self.case_c
            self.case_c += way_c * -math.expm1(-step_s / self.lag_s)
            self.hottest_c = max(self.hottest_c, self.case_c)
            self._at_s += step_s
            inside = abs(self.air_c - self._set_c) <= self._window_c
            if not inside:
                self._inside_since_s = None
            elif self._inside_since_s is None:
                self._inside_since_s = self._at_s

    def start_setpoint_c(self, temperature_c, *, window_c, soak_s):
        self._follow()
        low_c, high_c = self.temperature_range_c
        assert low_c <= temperature_c <= high_c
        self.told.append(temperature_c)
        self._set_c, self._window_c, self._soak_s = temperature_c, window_c, soak_s
        self._inside_since_s = None

    def at_temperature(self):
        self._follow()
        since_s = self._inside_since_s
        return since_s is not None and self.clock.now_s() - since_s >= self._soak_s

    def read_air_c(self):
        self._follow()
        return self.air_c

    def read_case_c(self):
        self._follow()
        return self.case_c


class FakeIo:
    def __init__(self, clock) -> None:
        self.clock = clock


class InAir:
    def __init__(self, clock, rise_c: float = 10.0, **thermal: float) -> None:
        self.clock = clock
        self.chamber = FakeChamber(clock, rise_c)
        spec = replace(SPEC, thermal=replace(SPEC.thermal, **{"time_limit_s": 7200.0, **thermal}))
        instruments = {"thermal": self.chamber, "case_sensor": self.chamber}
        self.conditioner = Conditioner(Bench(spec, FakeIo(clock), StopFlag(), instruments))
        self.trims: list[AirTrim] = []

    def reach(self, case_temp_c: float) -> float:
        return self.conditioner.reach_temperature(case_temp_c, self.trims.append)


@pytest.fixture
def make_in_air(counting_clock):
    return lambda *args, **kwargs: InAir(counting_clock, *args, **kwargs)


def test_a_case_10_k_above_its_air_takes_air_10_k_below(make_in_air):
    bench = make_in_air(10.0)
    waited_s = bench.reach(70.0)
    # Not by air of 70 C, which would bring it to 80 C: by the largest trim's 25 K below, and then by what it
    # was seen to be above that.
    assert bench.chamber.told == [45.0, pytest.approx(60.0)]
    assert bench.trims == [AirTrim(70.0, pytest.approx(55.0), pytest.approx(45.0), pytest.approx(60.0))]
    assert bench.chamber.case_c == pytest.approx(70.0)
    assert waited_s == bench.clock.now_s() >= 2 * 30.0
    assert bench.conditioner.chamber_moves == 1


def test_cold_is_trimmed_too_once_it_has_soaked(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(0.0)
    assert bench.chamber.told == [0.0, pytest.approx(-10.0)]
    assert bench.clock.now_s() >= 60.0


def test_the_next_visit_begins_with_the_last_trim(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(25.0)
    bench.reach(70.0)
    bench.chamber.rise_c = 12.0
    bench.reach(0.0)
    assert bench.chamber.told == pytest.approx([23.0, 15.0, 60.0, -10.0, -12.0])
    assert bench.conditioner.chamber_moves == 3


def test_a_case_within_the_window_is_not_trimmed(make_in_air):
    bench = make_in_air(0.9)
    bench.reach(23.5)
    assert bench.chamber.told == [23.0]
    assert bench.trims == []


@pytest.mark.parametrize("rate_c_per_s", [0.03, 0.05, 1.0])
@pytest.mark.parametrize("lag_s", [5.0, 40.0, 140.0])
@pytest.mark.parametrize("case_temp_c", [0.0, 70.0])
def test_slow_air_and_slow_cases_get_there_and_none_is_cooked(make_in_air, case_temp_c, lag_s, rate_c_per_s):
    bench = make_in_air(10.0)
    bench.chamber.rate_c_per_s, bench.chamber.lag_s = rate_c_per_s, lag_s
    bench.reach(case_temp_c)
    assert bench.chamber.case_c == pytest.approx(case_temp_c, abs=1.0)
    assert len(bench.trims) <= 4
    assert bench.chamber.hottest_c < max(case_temp_c, 33.0) + 1.5
    settled_c = bench.chamber.case_c
    bench.clock.sleep(600.0)
    assert bench.chamber.read_case_c() == pytest.approx(settled_c, abs=1.0)


def test_the_largest_trim_is_kept_to_and_told(make_in_air):
    bench = make_in_air(30.0, largest_trim_c=25.0)
    with pytest.raises(NotSettledError) as raised:
        bench.reach(60.0)
    assert bench.chamber.told == [35.0]
    assert "stays at 65.0 C in air of 35.0 C; for 60 C the air would have to be at 30.0 C" in str(
        raised.value
    )
    assert "25 K away" in str(raised.value)
    assert bench.clock.now_s() < 200.0  # not the whole time limit


def test_the_sources_range_is_kept_to(make_in_air):
    bench = make_in_air(10.0)
    with pytest.raises(NotSettledError, match="outside -20 to 80 C"):
        bench.reach(-15.0)
    assert bench.chamber.told == [-15.0, -20.0]
    assert bench.trims[0].set_point_c == -20.0


def test_a_case_beyond_the_range_that_a_trim_brings_into_it(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(85.0)
    assert bench.chamber.told == [60.0, pytest.approx(75.0)]


@pytest.mark.parametrize("case_temp_c", [-46.0, 106.0])
def test_what_no_trim_can_reach_is_refused_unset(make_in_air, case_temp_c):
    bench = make_in_air(10.0)
    with pytest.raises(OutOfRangeError, match="nothing was set"):
        bench.reach(case_temp_c)
    assert bench.chamber.told == []


def test_all_of_it_stays_within_the_time_limit(make_in_air):
    bench = make_in_air(10.0, time_limit_s=300.0)
    bench.chamber.rate_c_per_s = 0.05
    with pytest.raises(NotSettledError, match="after 300 s"):
        bench.reach(70.0)
    assert bench.clock.now_s() == pytest.approx(300.0)


def test_a_case_that_never_stands_still_is_not_reached(make_in_air, monkeypatch):
    bench = make_in_air(10.0, time_limit_s=600.0)
    monkeypatch.setattr(
        FakeChamber, "read_case_c", lambda chamber: 69.2 + chamber.clock.now_s() * 0.8 / 30.0 % 1.6
    )
    with pytest.raises(NotSettledError, match="after 600 s"):
        bench.reach(70.0)
